/* The reader: sections, order of blocks, damage of each sort, sizes, lack of memory. */
#include <errno.h>
#include <stdio.h>

#include "source_read.h"

/* ---- cases
 * ---------------------------------------------------------------------------------------- */

static const struct file_case {
	const char *name, *words, *runs;
	int code;
	const char *text; /* part of the message */
} file_cases[] = {
	{"plain", "S M e e:3 e:70", "M2 E3", 0, ""},
	{"section header with options", "S-options M e", "M2 E1", 0, ""},
	{"any minor version", "S-minor:99 M e", "M2 E1", 0, ""},
	{"every kind of event",
	 "S ev:0x204 ev:0x208 ev:0x8010ABCD ev:0x216 ev:0x217 ev:0x221 ev:0x222", "M1 E7", 0, ""},
	{"event trailers are not checked", "S e trailer:7 e", "M1 E2", 0, ""},
	{"every metadata block",
	 "S block:0x201 block:0x202 block:0x203 block:0x205 block:0x206 block:0x207 block:0x209 "
	 "block:0x210 block:0x211 block:0x212 block:0x213 block:0x214 block:0x215 block:0x218 "
	 "block:0x219 block:0x220 block:0x8002ABCD block:0x8000ABCD block:0x8013ABCD "
	 "block:0x8014ABCD block:0x8001ABCD block:0x8011ABCD block:0x8012ABCD e",
	 "M24 E1", 0, ""},
	{"unknown block before the events", "S M block:0x999 M e", "M3 E1", 0, ""},
	{"unknown block, bad trailer", "S M *block:0x999 trailer:1 e", "M2", ERR_FORMAT,
	 "unknown block (0x999): wrong block total length: header says 12, trailer 1"},
	{"second section header before the events", "S M S-magic:7 M e", "M3 E1", 0, ""},
	{"two sections", "S M e e S M M e", "M2 E2 M3 E1", 0, ""},
	{"three sections without metadata", "S e S e S e", "M1 E1 M1 E1 M1 E1", 0, ""},
	{"biggest small event", "S e:65496 e", "M1 E2", 0, ""},

	{"no events", "S M *", "M2", ERR_FORMAT, "no events in file"},
	{"no events in second section", "S M e *S M *", "M2 E1 M2", ERR_FORMAT,
	 "no events in the section"},
	{"metadata after events", "S M e e *M e", "M2 E2", ERR_FORMAT,
	 "invalid block type 0x201 (machine info) after events"},
	{"unknown block after events", "S M e *block:0x999 e", "M2 E1", ERR_FORMAT,
	 "invalid block type 0x999 (unknown)"},
	{"block of type 0", "S M e *block:0 e", "M2 E1", ERR_FORMAT,
	 "invalid block type 0x0 (unknown) after events"},
	{"metadata, bad trailer", "S *M trailer:190 e", "M1", ERR_FORMAT,
	 "machine info block (0x201): wrong block total length: header says 192, trailer 190"},
	{"second header, bad magic", "S e *S-magic:0 e", "M1 E1", ERR_FORMAT,
	 "invalid magic number"},
	{"second header, version", "S e *S-major:2 e", "M1 E1", ERR_FORMAT,
	 "expected major version 1, got 2"},
	{"big-endian", "*S-magic:0x4D3C2B1A M e", "", ERR_FORMAT, "big-endian"},
	{"header trailer", "*S trailer:0 M e", "", ERR_FORMAT, "section header block"},
	{"event too short", "S M e *claim-event:39 bytes:31 e", "M2 E1", ERR_FORMAT,
	 "block length too short: expected at least 40 bytes, got 39"},
	{"event of length 0", "S e *claim-event:0 bytes:31 e", "M1 E1", ERR_FORMAT,
	 "expected at least 40 bytes, got 0"},
	{"event too long", "S M e *claim-event:65545 bytes:70000 e", "M2 E1", ERR_FORMAT,
	 "expected at most 65544 bytes, got 65545"},
	{"metadata too short", "S M *claim-PL:8 e", "M2", ERR_FORMAT,
	 "process list block (0x215): block length too short: expected at least 12 bytes, got 8"},
	{"unknown of length 4", "S *claim-unknown:4 bytes:8 e", "M1", ERR_FORMAT, "too short"},

	{"cut in the section header", "*S cut:1", "", ERR_TRUNCATED, "expected 28 bytes, got 27"},
	{"cut in metadata", "S *M cut:20", "M1", ERR_TRUNCATED,
	 "machine info block (0x201): expected 192 bytes, got 172"},
	{"cut in the frame", "S M e *e cut:41", "M2 E1", ERR_TRUNCATED,
	 "block header: expected 8 bytes, got 3"},
	{"cut behind the frame", "S M e *e cut:36", "M2 E1", ERR_TRUNCATED,
	 "event block (0x216): expected 44 bytes, got 8"},
	{"cut before the end", "S M e *e cut:1", "M2 E1", ERR_TRUNCATED,
	 "expected 44 bytes, got 43"},
	{"cut in the second section", "S M e *S cut:10", "M2 E1", ERR_TRUNCATED,
	 "section header block (0xa0d0d0a): expected 28 bytes, got 18"},
	{"3 GB of metadata claimed", "S M *claim-PL:3000000000 bytes:500000", "M2", 0, NULL},
	{"3 GB event claimed", "S e *claim-large:3000000000 bytes:500000", "M1 E1", 0, NULL},
	{"3 GB of unknown claimed", "S *claim-unknown:0xffffffff bytes:300000", "M1", 0, NULL},
};

/* Everything about one way of reading must be what reading in one piece gives. */
static void check_case(const struct file_case *c, const struct outcome *o, uint64_t mark,
		       bool compressed, const char *how)
{
	bool ok = o->err.code == c->code && (!c->text || strstr(o->err.msg, c->text));

	/* Absurd lengths: which check stops them depends on what is known of the file. */
	if (!c->text)
		ok = o->err.code == ERR_TRUNCATED || o->err.code == ERR_LIMIT;
	ok = ok && !strcmp(o->runs, c->runs);
	ok = ok && (!o->err.code || o->err.pos == mark);
	ok = ok && (!o->err.code || compressed == (o->err.pos_raw != ERR_NO_POS));
	if (!ok)
		fail_msg(
			"%s (%s): runs %s, code %d at %llu (raw %llu): %s; want %s, %d at %llu: %s",
			c->name, how, o->runs, o->err.code, (unsigned long long)o->err.pos,
			(unsigned long long)o->err.pos_raw, o->err.msg, c->runs, c->code,
			(unsigned long long)mark, c->text ? c->text : "");
}

static void check_packed(const struct file_case *c, const struct buf *file, uint64_t mark,
			 size_t piece, pack_fn *fn, const char *how)
{
	struct buf packed;

	pack(&packed, file, piece, fn);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct outcome o = read_memory(&packed, file, &ways[i]);

		/* The very first header fails when opened: no decompressed block, no raw offset. */
		check_case(c, &o, mark, o.opened || o.err.pos_raw != ERR_NO_POS, how);
	}
	buf_fini(&packed);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_cases); i++) {
		const struct file_case *c = &file_cases[i];
		struct buf file;
		uint64_t mark;

		make_file(&file, c->words, &mark);
		for (size_t k = 0; k < ARRAY_SIZE(ways); k++) {
			struct outcome o = read_memory(&file, &file, &ways[k]);

			check_case(c, &o, mark, false, "plain");
			if (ways[k].batch_events)
				assert_true(o.max_events <= ways[k].batch_events);
			/* An absurd length takes no memory beyond what the file has. */
			assert_true(o.max_mem <= 2 * file.len + (1 << 20));
		}
		check_packed(c, &file, mark, SIZE_MAX / 2, gzip_member, "gzip");
		check_packed(c, &file, mark, MAX(file.len / 7, 1), gzip_member, "gzip members");
		check_packed(c, &file, mark, SIZE_MAX / 2, zstd_frame, "zstd");
		check_packed(c, &file, mark, MAX(file.len / 5, 1), zstd_frame, "zstd frames");
		buf_fini(&file);
	}
}

static const struct open_case {
	const char *name, *bytes;
	size_t n;
	int code;
	const char *text;
} open_cases[] = {
	{"empty", "", 0, ERR_TRUNCATED, "section header: expected 28 bytes, got 0"},
	{"one byte", "\x0a", 1, ERR_TRUNCATED, "expected 28 bytes, got 1"},
	{"text", "hello, this is no trace at all", 30, ERR_FORMAT, "this is not a .scap trace"},
	{"short text", "hello", 5, ERR_FORMAT, "invalid block type: expected a section header"},
	{"only gzip magic", "\x1f\x8b", 2, ERR_TRUNCATED, "gzip: the file ends inside"},
	{"bad gzip method", "\x1f\x8b\x07\0\0\0\0\0\0\0abcdefgh", 18, ERR_FORMAT,
	 "gzip: unsupported compression method"},
	{"only zstd magic", "\x28\xb5\x2f\xfd", 4, ERR_TRUNCATED, "zstd: the file ends inside"},
	{"only a skippable frame", "\x50\x2a\x4d\x18\x02\0\0\0ab", 10, ERR_TRUNCATED, "got 0"},
	{"zstd window too large", "\x28\xb5\x2f\xfd\x00\xf8\x01\0\0", 9, ERR_FORMAT, "zstd: "},
};

static void test_open(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(open_cases); i++) {
		const struct open_case *c = &open_cases[i];
		struct buf file;

		buf_init(&file);
		buf_put(&file, c->bytes, c->n);
		struct outcome o = read_memory(&file, NULL, NULL);
		if (o.opened || o.err.code != c->code || !strstr(o.err.msg, c->text))
			fail_msg("%s: opened %d, code %d: %s", c->name, o.opened, o.err.code,
				 o.err.msg);
		buf_fini(&file);
	}
}

static void test_open_path(void **state)
{
	struct source *s = NULL;
	struct err e;

	assert_int_equal(source_open(&s, "/nonexistent/x.scap", NULL, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "can't open file /nonexistent/x.scap"));
	assert_int_equal(source_open(&s, "/tmp", NULL, &e), -EISDIR);
	assert_non_null(strstr(e.msg, "can't open file /tmp"));
	assert_int_equal(source_open(&s, "/nonexistent/x.scap", NULL, NULL), -ENOENT);
	assert_null(s);
}

/* ---- sizes
 * ------------------------------------------------------------------------------------------ */

static void test_large_blocks(void **state)
{
	struct buf file, packed;
	uint64_t mark;
	struct source_opts o = {.run_limit = 1 << 20};

	make_file(&file, "S M e large:3000000 e large:70000 e", &mark);
	struct outcome r = read_memory(&file, &file, NULL);
	assert_int_equal(r.err.code, 0);
	assert_string_equal(r.runs, "M2 E5");
	pack(&packed, &file, 100000, gzip_member);
	r = read_memory(&packed, &file, NULL);
	assert_int_equal(r.err.code, 0);
	assert_string_equal(r.runs, "M2 E5");
	r = read_memory(&file, &file, &o);
	assert_int_equal(r.err.code, ERR_LIMIT);
	assert_string_equal(r.runs, "M2 E1");
	assert_true(r.max_mem <= 2 << 20);
	buf_fini(&packed);
	buf_fini(&file);
}

/* Metadata beyond a batch stays one BATCH_META; beyond the limit it is an error. */
static void test_long_metadata(void **state)
{
	struct source_opts o = {.run_limit = 300000};
	struct buf file;
	uint64_t mark;

	make_file(&file, "S", &mark);
	for (int i = 0; i < 5000; i++)
		put_mi(&file, BLK_MI);
	put_event(&file, BLK_EV_V2, 3);
	struct outcome r = read_memory(&file, &file, NULL);
	assert_int_equal(r.err.code, 0);
	assert_string_equal(r.runs, "M5001 E1");
	r = read_memory(&file, &file, &o);
	assert_int_equal(r.err.code, ERR_LIMIT);
	assert_non_null(strstr(r.err.msg, "and the metadata before it"));
	assert_true(r.err.pos > 250000 && r.err.pos <= 300000);
	buf_fini(&file);
}

static void test_release_gives_memory_back(void **state)
{
	struct buf file;
	struct source *s;
	struct batch b;
	struct err e;
	uint64_t mark;

	make_file(&file, "S large:3000000 e", &mark);
	batch_init(&b);
	assert_int_equal(source_open_memory(&s, file.p, file.len, NULL, &e), 0);
	assert_int_equal(source_read(s, &b, &e), 0);
	source_release(s, &b);
	assert_non_null(b.mem); /* of ordinary size: kept for the next run */
	assert_int_equal(source_read(s, &b, &e), 0);
	assert_true(b.mem_cap >= 3000000);
	source_release(s, &b);
	assert_null(b.mem);
	assert_int_equal(source_read(s, &b, &e), 0);
	assert_true(b.last);
	assert_int_equal(b.nblk, 1);
	source_close(s);
	batch_fini(&b);
	buf_fini(&file);
}

/* ---- memory runs out ---------------------------------------------------------------------- */

/* Linked with --wrap: the allocation that fails, counted down; 0 = none. */
static int fail_in;

static bool out_of_memory(void)
{
	return fail_in && --fail_in == 0;
}

#include "../fault/failing_malloc.h"

/* 0 or the error; *blocks = blocks read before it. */
static int read_counting(const struct buf *file, uint64_t *blocks)
{
	struct source *s;
	struct batch b;
	struct err e;
	int r = source_open_memory(&s, file->p, file->len, NULL, &e);

	*blocks = 0;
	if (r)
		return r;
	batch_init(&b);
	do {
		r = source_read(s, &b, &e);
		*blocks += r ? 0 : b.nblk;
	} while (!r && !b.last);
	r = r ? r : b.err.code;
	batch_fini(&b);
	source_close(s);
	return r;
}

static void test_out_of_memory(void **state)
{
	struct buf file, forms[2];
	uint64_t mark, blocks;

	make_file(&file, "S M M e large:1000000 e S M e", &mark);
	pack(&forms[0], &file, SIZE_MAX / 2, gzip_member);
	pack(&forms[1], &file, SIZE_MAX / 2, zstd_frame);
	const struct buf *all[] = {&file, &forms[0], &forms[1]};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int n = 0, r;

		do {
			fail_in = ++n;
			r = read_counting(all[i], &blocks);
			assert_true(r == -ENOMEM || (!r && fail_in));
		} while (r);
		fail_in = 0;
		assert_int_equal(blocks, 9);
		assert_true(n > 8);
	}
	buf_fini(&forms[0]);
	buf_fini(&forms[1]);
	buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_path),
		cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_long_metadata),
		cmocka_unit_test(test_release_gives_memory_back),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
