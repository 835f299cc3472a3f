/* The field table and its parser, table driven. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "field/field.h"

/* ---- parsing ---- */

struct parse_case {
	const char *text;
	const char *name; /* field found; NULL: an error */
	size_t used;	  /* bytes; error: position */
	int kind;
	int64_t index;
	const char *arg; /* text argument; error: part of the message */
};

static const struct parse_case parse_cases[] = {
	/* longest name wins, what follows is left */
	{"evt.num", "evt.num", 7, FA_NONE, 0, NULL},
	{"evt.numX", "evt.num", 7, FA_NONE, 0, NULL},
	{"evt.num%evt.type", "evt.num", 7, FA_NONE, 0, NULL},
	{"evt.latency.ns", "evt.latency.ns", 14, FA_NONE, 0, NULL},
	{"evt.latency.x", "evt.latency", 11, FA_NONE, 0, NULL},
	{"evt.latency.sec", "evt.latency.s", 13, FA_NONE, 0, NULL},
	{"evt.args", "evt.args", 8, FA_NONE, 0, NULL},
	{"proc.name[1]", "proc.name", 9, FA_NONE, 0, NULL},
	{"thread.cgroups", "thread.cgroups", 14, FA_NONE, 0, NULL},
	{"container.mount.dest[/a]", "container.mount.dest", 24, FA_TEXT, 0, "/a"},
	/* parameters */
	{"evt.arg.fd", "evt.arg", 10, FA_TEXT, 0, "fd"},
	{"evt.arg.fdfoo", "evt.arg", 10, FA_TEXT, 0, "fd"},
	{"evt.arg.fdlimit ", "evt.arg", 15, FA_TEXT, 0, "fdlimit"},
	{"evt.arg[0]", "evt.arg", 10, FA_INDEX, 0, NULL},
	{"evt.arg[12]x", "evt.arg", 11, FA_INDEX, 12, NULL},
	{"evt.rawarg.res", "evt.rawarg", 14, FA_TEXT, 0, "res"},
	{"evt.arg.q", NULL, 8, 0, 0, "no event has a parameter of that name"},
	{"evt.arg", NULL, 7, 0, 0, "needs a parameter"},
	{"evt.arg[x]", NULL, 8, 0, 0, "expected a number"},
	{"evt.arg[1", NULL, 8, 0, 0, "expected a number"},
	{"evt.rawarg[0]", NULL, 10, 0, 0, "needs the name of a parameter"},
	/* levels, keys, texts */
	{"proc.aname", "proc.aname", 10, FA_NONE, 0, NULL},
	{"proc.aname[2]", "proc.aname", 13, FA_INDEX, 2, NULL},
	{"proc.aname[-1]", "proc.aname", 14, FA_INDEX, -1, NULL},
	{"proc.aname[a]", "proc.aname", 10, FA_NONE, 0, NULL},
	{"proc.apid[99999999999999999999]", "proc.apid", 31, FA_INDEX, INT64_MAX, NULL},
	{"proc.env[HOME]", "proc.env", 14, FA_TEXT, 0, "HOME"},
	{"proc.env", "proc.env", 8, FA_NONE, 0, NULL},
	{"proc.aenv[2]", "proc.aenv", 12, FA_INDEX, 2, NULL},
	{"proc.aenv['A B']", "proc.aenv", 16, FA_TEXT, 0, "A B"},
	{"proc.env['A", NULL, 11, 0, 0, "expected a text"},
	{"thread.cgroup.cpu_acct-x", "thread.cgroup", 22, FA_TEXT, 0, "cpu_acct"},
	{"thread.cgroup", NULL, 13, 0, 0, "needs the name of a subsystem"},
	{"thread.cgroup.", NULL, 13, 0, 0, "expected a name"},
	{"k8s.pod.label.a/b-c.d)", "k8s.pod.label", 21, FA_TEXT, 0, "a/b-c.d"},
	{"k8s.pod.labels", "k8s.pod.labels", 14, FA_NONE, 0, NULL},
	{"span.tag[-2]", "span.tag", 12, FA_INDEX, -2, NULL},
	{"span.tag[]", NULL, 9, 0, 0, "expected a number"},
	{"span.arg.foo", "span.arg", 12, FA_TEXT, 0, "foo"},
	{"evt.type.is.open", "evt.type.is", 16, FA_TEXT, 0, "open"},
	{"evt.type.is.openat2", "evt.type.is", 19, FA_TEXT, 0, "openat2"},
	{"evt.type.is", NULL, 11, 0, 0, "needs the name of an event"},
	{"evt.abspath", "evt.abspath", 11, FA_NONE, 0, NULL},
	{"evt.abspath.dst", "evt.abspath", 15, FA_TEXT, 0, "dst"},
	{"evt.abspath.foo", "evt.abspath", 11, FA_NONE, 0, NULL},
	{"evt.around[5]=1", "evt.around", 13, FA_INDEX, 5, NULL},
	{"fd.types[3]", "fd.types", 11, FA_INDEX, 3, NULL},
	/* unknown */
	{"", NULL, 0, 0, 0, "expected a field name"},
	{"=1", NULL, 0, 0, 0, "expected a field name"},
	{"proc.nmae", NULL, 0, 0, 0, "did you mean 'proc.name'"},
	{"fd.nam", NULL, 0, 0, 0, "did you mean 'fd.name'"},
	{"evt.tyqe", NULL, 0, 0, 0, "did you mean 'evt.type'"},
	{"user.nam", NULL, 0, 0, 0, "did you mean 'user.name'"},
	{"EVT.NUM", NULL, 0, 0, 0, "unknown field 'EVT.NUM'"},
	{"some.thing.else.entirely", NULL, 0, 0, 0, "unknown field 'some.thing.else.entirely'"},
};

static void check_parse(const struct parse_case *c)
{
	struct field_ref r = {0};
	struct err e = {0};
	size_t used = 0;
	int rc = field_parse(&r, c->text, strlen(c->text), &used, &e);

	if (!c->name) {
		if (rc != ERR_SYNTAX || e.pos != c->used || !strstr(e.msg, c->arg))
			fail_msg("%s: code %d position %d \"%s\"", c->text, rc, (int)e.pos, e.msg);
		assert_null(r.info);
		return;
	}
	if (rc)
		fail_msg("%s: \"%s\"", c->text, e.msg);
	assert_string_equal(r.info->name, c->name);
	if (used != c->used || r.arg_kind != c->kind)
		fail_msg("%s: used %d kind %d", c->text, (int)used, r.arg_kind);
	if (c->kind == FA_INDEX)
		assert_int_equal(r.arg_index, c->index);
	if (c->kind == FA_TEXT) {
		assert_string_equal(r.arg_text, c->arg);
		assert_int_equal(r.arg_len, strlen(c->arg));
	}
	field_ref_fini(&r);
}

static void test_parse(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(parse_cases); i++)
		check_parse(&parse_cases[i]);
}

/* The text need not be NUL-terminated: nothing behind len is read (the sanitizers watch). */
static void test_parse_bounded(void **state)
{
	static const char text[] = "proc.aname[12]";

	for (size_t n = 0; n <= strlen(text); n++) {
		char *copy = test_malloc(n + !n);
		struct field_ref r = {0};
		size_t used = 0;

		memcpy(copy, text, n);
		if (!field_parse(&r, copy, n, &used, NULL)) {
			assert_true(used <= n);
			field_ref_fini(&r);
		}
		test_free(copy);
	}
}

static void test_params_demand(void **state)
{
	static const struct {
		unsigned type;
		uint32_t demand;
	} cases[] = {
		{EV_GENERIC_E, 0},
		{EV_SYSCALL_BRK_4_X, 0},
		{EV_SYSCALL_KILL_E, DEMAND_THREADS},
		{EV_SYSCALL_SETUID_E, DEMAND_USERS},
		{EV_SYSCALL_READ_E, DEMAND_FDS},
		{EV_SYSCALL_WRITE_X, DEMAND_FDS},
		{EV_SYSCALL_CHDIR_X, 0},
		{EV_SYSCALL_MKDIR_E, DEMAND_FDS},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct demand d = {0};

		d.types[cases[i].type / 64] |= 1ull << (cases[i].type % 64);
		if (field_params_demand(&d) != cases[i].demand)
			fail_msg("type %u: demand %x", cases[i].type, field_params_demand(&d));
	}
}

/* Types and demand of parameters follow the event table. */
static void test_param_refs(void **state)
{
	static const struct {
		const char *text;
		uint8_t type;
		uint32_t demand;
	} cases[] = {
		{"evt.rawarg.res", PT_ERRNO, 0},
		{"evt.rawarg.uid", PT_UINT32, 0},
		{"evt.rawarg.name", PT_FSPATH, 0},
		{"evt.arg.res", PT_CHARBUF, DEMAND_THREADS | DEMAND_FDS}, /* of clone, of dup */
		{"evt.arg.fd", PT_CHARBUF, DEMAND_FDS},
		{"evt.arg.tuple", PT_CHARBUF, 0},
		{"evt.arg[0]", PT_CHARBUF, DEMAND_FDS | DEMAND_USERS},
		{"evt.type", PT_CHARBUF, 0},
		{"fd.name", PT_CHARBUF, DEMAND_FDS},
		{"user.name", PT_CHARBUF, DEMAND_THREADS | DEMAND_USERS},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct field_ref r;
		size_t used;

		assert_int_equal(field_parse(&r, cases[i].text, strlen(cases[i].text), &used, NULL),
				 0);
		if (r.type != cases[i].type || r.demand != cases[i].demand)
			fail_msg("%s: type %u demand %x", cases[i].text, r.type, r.demand);
		field_ref_fini(&r);
	}
}

/* ---- the table ---- */

static void test_every_row(void **state)
{
	unsigned n, nclasses;
	const struct field_info *f = field_table(&n);

	field_classes(&nclasses);
	assert_true(n > 300);
	for (unsigned i = 0; i < n; i++) {
		assert_ptr_equal(field_find(f[i].name, strlen(f[i].name)), &f[i]);
		assert_int_equal(f[i].id, i);
		assert_true(f[i].cls < nclasses);
		assert_non_null(f[i].get);
		assert_non_null(f[i].class_);
		assert_string_not_equal(field_type_name(f[i].type), "NONE");
		/* What needs no more than the event needs no state. */
		if (f[i].flags & FF_HEADER_ONLY)
			assert_int_equal(f[i].demand, 0);
		if (f[i].flags & FF_LIST)
			assert_non_null(f[i].list);
	}
	assert_null(field_find("evt", 3));
	assert_null(field_find("evt.numx", 8));
}

static void test_listings(void **state)
{
	struct buf b;

	buf_init(&b);
	field_list(&b, true);
	buf_putc(&b, 0);
	assert_non_null(
		strstr(b.p, "\nField Class:                  evt (all events)\nDescription:"));
	assert_non_null(
		strstr(b.p, "\nevt.num                       (Type: UINT64) Running number"));
	assert_null(strstr(b.p, "evt.buflen.net.in"));
	assert_null(strstr(b.p, "util.cnt"));
	for (const char *line = b.p, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		assert_true(end - line <= 120);
	buf_reset(&b);
	field_list_json(&b);
	buf_putc(&b, 0);
	assert_non_null(strstr(b.p, "{\"name\":\"evt.num\",\"class\":\"evt\",\"type\":\"UINT64\""));
	buf_reset(&b);
	field_list_markdown(&b);
	buf_putc(&b, 0);
	assert_non_null(strstr(b.p, "`evt.num` | UINT64 | Running number"));
	assert_false(buf_failed(&b));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params_demand), cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_bounded), cmocka_unit_test(test_param_refs),
		cmocka_unit_test(test_every_row),     cmocka_unit_test(test_listings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
