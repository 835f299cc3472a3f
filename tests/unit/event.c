/* Event decoding: hand-made blocks, good and damaged, and the tables' own rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "event/event.h"
#include "event/syscalls.h"

enum { MAX_LENS = 8, TS = 0x1122334455667788, TID = 4711, CPU = 3 };

struct block {
	uint8_t b[512];
	uint32_t n;
};

static void put(struct block *k, uint64_t v, unsigned bytes)
{
	memcpy(k->b + k->n, &v, bytes);
	k->n += bytes;
}

struct spec {
	const char *name;
	uint32_t kind;
	uint16_t type;
	uint32_t flags;
	int nlens; /* entries of lens */
	uint32_t lens[MAX_LENS];
	const char *data; /* parameter bytes, data_len of them */
	uint32_t data_len;
	bool wide;	      /* 32-bit length array */
	int len_add;	      /* lies about the event length */
	uint32_t nparams_lie; /* nonzero: number of parameters in the header */
	uint32_t cut;	      /* bytes taken off the block's end */
	unsigned max_code;    /* 0 = EV_CODE_COUNT */
	int want;
	const char *why; /* part of the error */
	unsigned want_nparams;
	bool want_hidden;
};

static bool spec_is_v1(const struct spec *s)
{
	return s->kind == BLK_EV_V1 || s->kind == BLK_EVF_V1 || s->kind == BLK_EV_V1_INT;
}

static void make(struct block *k, const struct spec *s)
{
	bool v1 = spec_is_v1(s);
	uint32_t width = s->wide ? 4 : 2,
		 len = (v1 ? 22 : 26) + (uint32_t)s->nlens * width + s->data_len;

	memset(k, 0, sizeof(*k));
	put(k, s->kind, 4);
	put(k, 0, 4); /* total length, the reader's business */
	put(k, CPU, 2);
	if (s->kind == BLK_EVF_V1 || s->kind == BLK_EVF_V2 || s->kind == BLK_EVF_V2_LARGE)
		put(k, s->flags, 4);
	put(k, (uint64_t)TS, 8);
	put(k, TID, 8);
	put(k, len + (uint32_t)s->len_add, 4);
	put(k, s->type, 2);
	if (!v1)
		put(k, s->nparams_lie ? s->nparams_lie : (uint32_t)s->nlens, 4);
	for (int i = 0; i < s->nlens; i++)
		put(k, s->lens[i], width);
	if (s->data_len)
		memcpy(k->b + k->n, s->data, s->data_len);
	k->n += s->data_len;
	put(k, 0, 4); /* trailer */
	k->n -= s->cut;
}

/* Parses from memory of exactly the block's size, so that a sanitizer sees any overrun. */
static int parse(struct event *e, const struct spec *s, uint8_t **mem, const char **why)
{
	struct block k;

	make(&k, s);
	*mem = malloc(k.n);
	assert_non_null(*mem);
	memcpy(*mem, k.b, k.n);
	return event_parse(e, *mem, k.n, s->max_code ? s->max_code : EV_CODE_COUNT, why);
}

#define READ_X_DATA "\5\0\0\0\0\0\0\0hello"
#define BYTES(s) .data = s, .data_len = sizeof(s) - 1
#define READ_X .type = EV_SYSCALL_READ_X, .nlens = 2, .lens = {8, 5}, BYTES(READ_X_DATA)

#define OPEN_X(last)                                                          \
	.type = EV_SYSCALL_OPEN_X, .nlens = 6, .lens = {8, 2, 4, 4, 4, last}, \
	BYTES("\5\0\0\0\0\0\0\0/\0\1\0\0\0\2\0\0\0\3\0\0\0inodenum")

static const struct spec specs[] = {
	{"v2", BLK_EV_V2, READ_X, .want_nparams = 2},
	{"v2 flags 0", BLK_EVF_V2, READ_X, .want_nparams = 2},
	{"v2 hidden", BLK_EVF_V2, READ_X, .flags = 1, .want_nparams = 2, .want_hidden = true},
	{"v2 other flag", BLK_EVF_V2, READ_X, .flags = 2, .want_nparams = 2},
	{"v1", BLK_EV_V1, READ_X, .want_nparams = 2},
	{"v1 alias", BLK_EV_V1_INT, READ_X, .want_nparams = 2},
	{"v1 hidden", BLK_EVF_V1, READ_X, .flags = 1, .want_nparams = 2, .want_hidden = true},
	{"no parameters", BLK_EV_V2, EV_SOCKET_GETSOCKNAME_E, .want_nparams = 0},
	{"v1 no parameters", BLK_EV_V1, EV_SOCKET_GETSOCKNAME_E, .want_nparams = 0},
	{"fewer than the table", BLK_EV_V2, EV_SYSCALL_READ_X, .nlens = 1, .lens = {8},
	 BYTES("\1\0\0\0\0\0\0\0"), .want_nparams = 1},
	{"none of the table's", BLK_EV_V2, EV_SYSCALL_READ_X, .want_nparams = 0},
	{"more than the table", BLK_EV_V2, EV_SYSCALL_CLOSE_E, .nlens = 3, .lens = {8, 1, 2},
	 BYTES("\7\0\0\0\0\0\0\0abc"), .want_nparams = 1},
	{"large", BLK_EV_V2_LARGE, EV_CONTAINER_JSON_2_E, .nlens = 1, .lens = {3}, BYTES("{}\0"),
	 .wide = true, .want_nparams = 1},
	{"large hidden", BLK_EVF_V2_LARGE, EV_CONTAINER_JSON_2_E, .flags = 1, .nlens = 1,
	 .lens = {3}, BYTES("{}\0"), .wide = true, .want_nparams = 1, .want_hidden = true},
	/* Width follows the type, whatever the kind of block says. */
	{"large type, small block", BLK_EV_V2, EV_CONTAINER_JSON_2_E, .nlens = 1, .lens = {3},
	 BYTES("{}\0"), .wide = true, .want_nparams = 1},
	{"small type, large block", BLK_EV_V2_LARGE, READ_X, .want_nparams = 2},
	/* Written 3 too large by old versions, in v1 only. */
	{"v1 notification", BLK_EV_V1, EV_NOTIFICATION_E, .nlens = 2, .lens = {2, 2},
	 BYTES("a\0b\0"), .len_add = 3, .want_nparams = 2},
	{"v1 infra", BLK_EV_V1, EV_INFRASTRUCTURE_EVENT_E, .nlens = 4, .lens = {2, 1, 1, 1},
	 BYTES("a\0\0\0\0"), .len_add = 3, .want_nparams = 4},
	{"v2 notification", BLK_EV_V2, EV_NOTIFICATION_E, .nlens = 2, .lens = {2, 2},
	 BYTES("a\0b\0"), .want_nparams = 2},
	{"v1 notification, right length", BLK_EV_V1, EV_NOTIFICATION_E, .nlens = 2, .lens = {2, 2},
	 BYTES("a\0b\0"), .want = EVENT_BAD, .why = "no number of parameters"},
	/* Bytes behind the last parameter are tolerated. */
	{"slack", BLK_EV_V2, EV_SYSCALL_CLOSE_E, .nlens = 1, .lens = {8},
	 BYTES("\7\0\0\0\0\0\0\0zz"), .want_nparams = 1},
	{"six parameters", BLK_EV_V2, OPEN_X(8), .want_nparams = 6},
	{"six parameters, last too long", BLK_EV_V2, OPEN_X(9), .want = EVENT_BAD,
	 .why = "parameters do not fit"},
	{"four lengths at their limit", BLK_EV_V2, EV_SYSCALL_READ_X, .nlens = 4,
	 .lens = {0xffff, 0xffff, 0xffff, 0xffff}, BYTES("\1\0\0\0"), .want = EVENT_BAD,
	 .why = "parameters do not fit"},
	/* Codes beyond the table. */
	{"unknown", BLK_EV_V2, .type = EV_CODE_COUNT, .want = EVENT_UNKNOWN},
	{"unknown, nonsense length", BLK_EV_V2, .type = 0xffff, .len_add = -26,
	 .want = EVENT_UNKNOWN},
	{"unknown to 0.29.3", BLK_EV_V2, .type = EV_CODE_COUNT_029, .max_code = EV_CODE_COUNT_029,
	 .want = EVENT_UNKNOWN},
	{"last of 0.29.3", BLK_EV_V2, .type = EV_CODE_COUNT_029 - 1, .max_code = EV_CODE_COUNT_029},
	{"max_code beyond the table", BLK_EV_V2, .type = EV_CODE_COUNT, .max_code = 65536,
	 .want = EVENT_UNKNOWN},
	/* Damage. */
	{"header cut", BLK_EV_V2, EV_SOCKET_GETSOCKNAME_E, .cut = 1, .want = EVENT_BAD,
	 .why = "too short"},
	{"header cut, flags", BLK_EVF_V2, EV_SOCKET_GETSOCKNAME_E, .cut = 1, .want = EVENT_BAD,
	 .why = "too short"},
	{"v1 header cut", BLK_EV_V1, EV_SOCKET_GETSOCKNAME_E, .cut = 1, .want = EVENT_BAD,
	 .why = "too short"},
	{"data cut", BLK_EV_V2, READ_X, .cut = 1, .want = EVENT_BAD,
	 .why = "does not fit its block"},
	{"length too large", BLK_EV_V2, READ_X, .len_add = 1, .want = EVENT_BAD,
	 .why = "does not fit its block"},
	{"length huge", BLK_EV_V2, READ_X, .len_add = -40, .want = EVENT_BAD,
	 .why = "does not fit its block"},
	{"length too small", BLK_EV_V2, READ_X, .len_add = -1, .want = EVENT_BAD,
	 .why = "parameters do not fit"},
	{"length without array", BLK_EV_V2, READ_X, .len_add = -16, .want = EVENT_BAD,
	 .why = "length array"},
	{"parameter too long", BLK_EV_V2, EV_SYSCALL_CLOSE_E, .nlens = 1, .lens = {9},
	 BYTES("\7\0\0\0\0\0\0\0"), .want = EVENT_BAD, .why = "parameters do not fit"},
	{"parameter too long, beyond the table", BLK_EV_V2, EV_SYSCALL_CLOSE_E, .nlens = 2,
	 .lens = {8, 0xffff}, BYTES("\7\0\0\0\0\0\0\0"), .want = EVENT_BAD,
	 .why = "parameters do not fit"},
	{"large parameters, sum wraps", BLK_EV_V2_LARGE, EV_PLUGINEVENT_E, .nlens = 2,
	 .lens = {0xfffffffc, 8}, BYTES("\1\0\0\0"), .wide = true, .want = EVENT_BAD,
	 .why = "parameters do not fit"},
	{"too many parameters", BLK_EV_V2, READ_X, .nparams_lie = 9, .want = EVENT_BAD,
	 .why = "length array"},
	{"absurdly many parameters", BLK_EV_V2, READ_X, .nparams_lie = 0x80000001,
	 .want = EVENT_BAD, .why = "length array"},
	{"large, absurdly many", BLK_EV_V2_LARGE, EV_PLUGINEVENT_E, .nparams_lie = 0x40000001,
	 .wide = true, .want = EVENT_BAD, .why = "length array"},
	{"v1 length too small", BLK_EV_V1, READ_X, .len_add = -1, .want = EVENT_BAD,
	 .why = "no number of parameters"},
	{"v1 length too large", BLK_EV_V1, READ_X, .len_add = 1, .want = EVENT_BAD,
	 .why = "does not fit its block"},
	{"v1 ends inside the array", BLK_EV_V1, READ_X, .len_add = -16, .want = EVENT_BAD,
	 .why = "no number of parameters"},
	{"v1 ends before the table", BLK_EV_V1, EV_SYSCALL_CLOSE_E, .nlens = 3, .lens = {0, 0, 0},
	 .want = EVENT_BAD, .why = "no number of parameters"},
	{"v1 no header", BLK_EV_V1, READ_X, .len_add = -20, .want = EVENT_BAD,
	 .why = "does not fit its block"},
	{"v1 notification, tiny", BLK_EV_V1, EV_NOTIFICATION_E, .len_add = -21, .want = EVENT_BAD,
	 .why = "does not fit its block"},
};

static void test_parse(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		const struct spec *s = &specs[i];
		const char *why = "";
		struct event e;
		uint8_t *mem;
		int r = parse(&e, s, &mem, &why);

		if (r != s->want || (s->why && !strstr(why, s->why)))
			fail_msg("%s: result %d (%s), wanted %d", s->name, r, why, s->want);
		if (r == EVENT_OK) {
			if (e.nparams != s->want_nparams || e.hidden != s->want_hidden)
				fail_msg("%s: nparams %u, hidden %d", s->name, e.nparams, e.hidden);
			assert_int_equal(e.ts, (uint64_t)TS);
			assert_int_equal(e.tid, TID);
			assert_int_equal(e.cpu, CPU);
			assert_int_equal(e.type, s->type);
			assert_ptr_equal(e.hdr, mem + event_block_hdr_off(s->kind));
			const uint8_t *p = e.data;
			uint32_t len;
			for (unsigned j = 0; j < e.nparams; j++) {
				assert_true(event_param(&e, j, &p, &len));
				assert_int_equal(len, s->lens[j]);
				assert_memory_equal(p, s->data + (p - e.data), len);
			}
			assert_false(event_param(&e, e.nparams, &p, &len));
		}
		free(mem);
	}
}

/* Every single-byte change and every cut of every good block: any result, no overrun. */
static void test_flips(void **state)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	const char *why, *s;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct block k;

		make(&k, &specs[i]);
		for (uint32_t n = 12; n <= k.n; n++)
			for (uint32_t at = 0; at < n; at++) {
				uint8_t *mem = malloc(n);
				struct event e;
				int64_t v;
				uint32_t len;

				assert_non_null(mem);
				memcpy(mem, k.b, n);
				mem[at] ^= flips[(n + at) % ARRAY_SIZE(flips)];
				int r = event_parse(&e, mem, n, EV_CODE_COUNT, &why);
				for (unsigned j = 0; r == EVENT_OK && j < e.nparams; j++) {
					event_param_i64(&e, j, &v);
					assert_true(event_param_str(&e, j, &s, &len));
					assert_true((const uint8_t *)s + len <= mem + n - 4);
				}
				free(mem);
			}
	}
}

static void test_integers(void **state)
{
	static const struct {
		uint16_t type;
		unsigned param;
		int nlens;
		uint32_t lens[MAX_LENS];
		const char *data;
		bool ok;
		int64_t want;
	} rows[] = {
		{EV_SYSCALL_READ_X, 0, 1, {8}, "\xfe\xff\xff\xff\xff\xff\xff\xff", true, -2},
		{EV_SYSCALL_READ_E,
		 1,
		 2,
		 {8, 4},
		 "\0\0\0\0\0\0\0\0\xff\xff\xff\xff",
		 true,
		 0xffffffff},
		{EV_SOCKET_ACCEPT4_E, 0, 1, {4}, "\xff\xff\xff\xff", true, -1},
		{EV_SOCKET_ACCEPT_X, 2, 3, {8, 0, 1}, "\0\0\0\0\0\0\0\0\xff", true, 255},
		{EV_GENERIC_E, 1, 2, {2, 2}, "\0\0\xff\xff", true, 0xffff},
		{EV_SYSCALL_READ_X, 0, 1, {4}, "\1\0\0\0", false, 0}, /* wrong width */
		{EV_SYSCALL_READ_X, 0, 1, {0}, "", false, 0},	      /* empty */
		{EV_SYSCALL_READ_X,
		 1,
		 2,
		 {8, 8},
		 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		 false,
		 0},							      /* BYTEBUF */
		{EV_SYSCALL_READ_X, 1, 1, {8}, "\0\0\0\0\0\0\0\0", false, 0}, /* absent */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s = {.kind = BLK_EV_V2,
				 .type = rows[i].type,
				 .nlens = rows[i].nlens,
				 .data = rows[i].data};
		const char *why = "";
		struct event e;
		uint8_t *mem;
		int64_t v = 77;

		for (int j = 0; j < s.nlens; j++)
			s.data_len += s.lens[j] = rows[i].lens[j];
		assert_int_equal(parse(&e, &s, &mem, &why), EVENT_OK);
		if (event_param_i64(&e, rows[i].param, &v) != rows[i].ok ||
		    v != (rows[i].ok ? rows[i].want : 77))
			fail_msg("row %zu: %lld", i, (long long)v);
		free(mem);
	}
}

static void test_strings(void **state)
{
	static const struct {
		const char *data;
		uint32_t n, want;
	} rows[] = {{"abc\0", 4, 3}, {"abc", 3, 3}, {"a\0b\0", 4, 1}, {"\0", 1, 0}, {"", 0, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s = {.kind = BLK_EV_V2,
				 .type = EV_SYSCALL_OPEN_E,
				 .nlens = 1,
				 .lens = {rows[i].n},
				 .data = rows[i].data,
				 .data_len = rows[i].n};
		const char *why = "", *text = NULL;
		uint32_t len = 99;
		struct event e;
		uint8_t *mem;

		assert_int_equal(parse(&e, &s, &mem, &why), EVENT_OK);
		assert_true(event_param_str(&e, 0, &text, &len));
		assert_int_equal(len, rows[i].want);
		assert_memory_equal(text, rows[i].data, len);
		assert_false(event_param_str(&e, 1, &text, &len));
		free(mem);
	}
}

/* Parameters may be asked for in any order. */
static void test_param_order(void **state)
{
	struct spec s = {.kind = BLK_EV_V2,
			 .type = EV_SYSCALL_READ_X,
			 .nlens = 4,
			 .lens = {8, 2, 8, 4},
			 BYTES("\2\0\0\0\0\0\0\0hi\7\0\0\0\0\0\0\0\1\2\0\0")};
	const char *why = "";
	struct event e;
	uint8_t *mem;
	int64_t v;

	assert_int_equal(parse(&e, &s, &mem, &why), EVENT_OK);
	assert_int_equal(e.nparams, 4);
	assert_true(event_param_i64(&e, 3, &v));
	assert_int_equal(v, 0x201);
	assert_true(event_param_i64(&e, 0, &v));
	assert_int_equal(v, 2);
	assert_true(event_param_i64(&e, 2, &v));
	assert_int_equal(v, 7);
	free(mem);
}

static void test_names(void **state)
{
	static const struct {
		uint16_t type;
		const char *id; /* first parameter of generic events; NULL = none */
		const char *name, *name_029;
	} rows[] = {
		{EV_SYSCALL_OPEN_X, NULL, "open", "open"},
		{EV_SYSCALL_KEYCTL_X, NULL, "keyctl", "keyctl"},
		{EV_PROCEXIT_X, NULL, "NA1", "NA1"},
		{EV_GENERIC_E, "\x6b\0", "rt_sigaction", "rt_sigaction"},
		{EV_GENERIC_X, "\x2a\1", "rt_sigreturn", "sigreturn"},
		{EV_GENERIC_X, "\0\0", "unknown", "<unknown>"},
		{EV_GENERIC_X, "\xc4\1", "uprobe", "<unknown>"},
		{EV_GENERIC_X, "\x7e\1", "unknown", "<unknown>"}, /* 382 was never given out */
		{EV_GENERIC_X, "\xff\xff", "unknown", "<unknown>"},
		{EV_GENERIC_X, NULL, "unknown", "<unknown>"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s = {.kind = BLK_EV_V2,
				 .type = rows[i].type,
				 .nlens = rows[i].id ? 1 : 0,
				 .lens = {2},
				 .data = rows[i].id,
				 .data_len = rows[i].id ? 2 : 0};
		const char *why = "";
		struct event e;
		uint8_t *mem;

		assert_int_equal(parse(&e, &s, &mem, &why), EVENT_OK);
		assert_string_equal(event_name(&e, false), rows[i].name);
		assert_string_equal(event_name(&e, true), rows[i].name_029);
		free(mem);
	}
	assert_string_equal(errno_name(2), "ENOENT");
	assert_null(errno_name(0));
	assert_null(errno_name(-2));
	assert_null(errno_name(100000));
	assert_string_equal(signal_name(9), "SIGKILL");
	assert_null(signal_name(0));
	assert_null(signal_name(40));
	assert_null(ppm_sc_name(SC_CODE_COUNT));
	assert_int_equal(ppm_sc_category_029(SC_RT_SIGACTION), EC_SIGNAL);
	assert_int_equal(ppm_sc_category_029(SC_UPROBE), EC_UNKNOWN);
	assert_string_equal(event_category_name(EC_FILE | EC_SYSCALL), "file");
	assert_string_equal(event_category_name(200), "unknown");
	assert_string_equal(flag_table_find("file_flags")->name, "file_flags");
	assert_null(flag_table_find("no_such_table"));
}

static void test_tables(void **state)
{
	assert_int_equal(EV_CODE_COUNT, 454);
	assert_int_equal(EV_CODE_COUNT_029, 336);
	for (unsigned c = 0; c < EV_CODE_COUNT; c++) {
		const struct event_info *t = &event_table[c];
		unsigned n = MAX(t->nparams, t->nparams_029);

		assert_non_null(t->name);
		assert_non_null(t->enum_name);
		assert_int_equal(t->is_exit, c & 1);
		assert_int_equal(t->known_029, c < EV_CODE_COUNT_029);
		assert_true(n <= EVENT_MAX_PARAMS);
		assert_true((t->category & EC_BASE_MASK) < EC_COUNT && t->category_029 < EC_COUNT);
		assert_true(t->fd_param < (int)t->nparams);
		assert_true(t->fd_param < 0 ||
			    (t->is_exit && (t->flags & (EF_USES_FD | EF_CREATES_FD))));
		assert_true(t->res_param <= 0 && (t->res_param < 0 || t->is_exit));
		for (unsigned i = 0; i < n; i++) {
			const struct param_info *p = &t->params[i];

			assert_non_null(p->name);
			assert_true(p->type > PT_NONE && p->type <= PT_PID32);
			assert_int_equal(p->type == PT_DYN, p->dyn != NULL);
			assert_true(p->dirfd < (int)n);
		}
	}
	for (unsigned i = 0; i < syscall_table_count; i++) {
		const struct syscall_info *s = &syscall_table[i];

		if (!s->name)
			continue;
		assert_int_equal(s->exit, s->enter + 1);
		assert_int_equal(s->exit_029, s->enter_029 + 1);
		assert_true(s->exit_029 < EV_CODE_COUNT_029);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	    cmocka_unit_test(test_names),
		cmocka_unit_test(test_parse),	    cmocka_unit_test(test_flips),
		cmocka_unit_test(test_integers),    cmocka_unit_test(test_strings),
		cmocka_unit_test(test_param_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
