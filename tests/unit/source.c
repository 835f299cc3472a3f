/* The reader: sections, order of blocks, damage of each sort, compression, pipes, batch cutting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "scap_make.h"
#include "source/source.h"

enum { SHB_MAGIC = 0x1A2B3C4D };

/* ---- files from a word list ----------------------------------------------------------------- */

/* One block per word; numbers are arguments of the word before the colon. */
static void put_word(struct buf *b, const char *w)
{
	const char *colon = strchr(w, ':');
	uint32_t arg = colon ? (uint32_t)strtoul(colon + 1, NULL, 0) : 0;
	size_t len = colon ? (size_t)(colon - w) : strlen(w);

#define IS(name) (len == strlen(name) && !memcmp(w, name, len))
	if (IS("S"))
		put_shb(b, SHB_MAGIC, 1, 2, 0);
	else if (IS("S-options"))
		put_shb(b, SHB_MAGIC, 1, 2, 3);
	else if (IS("S-minor"))
		put_shb(b, SHB_MAGIC, 1, (unsigned)arg, 0);
	else if (IS("S-major"))
		put_shb(b, SHB_MAGIC, (unsigned)arg, 0, 0);
	else if (IS("S-magic"))
		put_shb(b, arg, 1, 2, 0);
	else if (IS("M"))
		put_mi(b, BLK_MI);
	else if (IS("block")) /* an empty block of any type */
		block_end(b, block_begin(b, arg));
	else if (IS("e"))
		put_event(b, BLK_EV_V2, arg);
	else if (IS("ev")) /* an event block of any kind */
		put_event(b, arg, 5);
	else if (IS("large"))
		put_event(b, BLK_EV_V2_LARGE, arg);
	/* Changes of the block before. */
	else if (IS("trailer"))
		memcpy(b->p + b->len - 4, &arg, 4);
	else if (IS("cut"))
		b->len -= arg;
	else if (IS("bytes"))
		for (uint32_t i = 0; i < arg; i++)
			put_int(b, 0, 1);
	/* A lone header that claims a length. */
	else if (IS("claim-event") || IS("claim-large") || IS("claim-PL") || IS("claim-unknown")) {
		put_int(b,
			IS("claim-event")   ? BLK_EV_V2
			: IS("claim-large") ? BLK_EV_V2_LARGE
			: IS("claim-PL")    ? BLK_PL_V9
					    : 0x999,
			4);
		put_int(b, arg, 4);
	} else
		fail_msg("no such word: %s", w);
#undef IS
}

/* mark = offset of the word with a star before it, ERR_NO_POS if there is none. */
static void make_file(struct buf *b, const char *words, uint64_t *mark)
{
	char *copy = strdup(words), *save = NULL;

	buf_init(b);
	*mark = ERR_NO_POS;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (*w == '*') {
			*mark = b->len;
			w++;
		}
		if (*w)
			put_word(b, w);
	}
	free(copy);
	assert_false(buf_failed(b));
}

/* ---- reading a file and summing up what came
 * ------------------------------------------------------ */

struct outcome {
	char runs[256]; /* "M2 E3": batches, neighbouring BATCH_EVENTS as one */
	struct err err;
	bool opened;
	uint64_t blocks, bytes; /* of event blocks */
	uint32_t max_events;	/* in one batch */
	size_t max_mem;
	unsigned fetched; /* stretches */
	uint64_t raw_off;
};

static void add_run(struct outcome *o, const struct batch *b, char *last_kind, uint32_t *count)
{
	char kind = b->kind == BATCH_META ? 'M' : 'E';
	char *at = strrchr(o->runs, ' ');

	if (!b->nblk)
		return;
	at = at ? at + 1 : o->runs;
	if (kind == 'E' && *last_kind == 'E') {
		*count += b->nblk;
	} else {
		at = o->runs + strlen(o->runs);
		*count = b->nblk;
		if (at != o->runs)
			*at++ = ' ';
	}
	*last_kind = kind;
	snprintf(at, (size_t)(o->runs + sizeof(o->runs) - at), "%c%u", kind, *count);
}

/* Blocks are where the file has them. want may be NULL. */
static void check_batch(const struct batch *b, const struct buf *want, uint64_t file_off)
{
	assert_int_equal(b->file_off, file_off);
	for (uint32_t i = 0; i < b->nblk; i++) {
		uint32_t at = b->blk[i], n;

		assert_true(at + (size_t)BLOCK_FRAME_BYTES <= b->len);
		n = load_u32(b->data + at + 4);
		assert_true(n >= BLOCK_FRAME_BYTES && n <= b->len - at);
		assert_true(!i || at > b->blk[i - 1]);
		assert_int_equal(b->kind == BATCH_EVENTS, block_is_event(load_u32(b->data + at)));
		if (!want)
			continue;
		assert_true(b->file_off + at + n <= want->len);
		assert_memory_equal(b->data + at, want->p + b->file_off + at, n);
	}
	if (b->kind == BATCH_META && b->nblk)
		assert_int_equal(load_u32(b->data + b->blk[0]), BLK_SHB);
}

/* Stretches that are being fetched, as several threads would: begun in order, finished in any. */
struct fetches {
	int i[8];
	unsigned n, turn, fetched;
};

static void fetch_until_ready(struct source *s, struct fetches *f)
{
	while (!source_read_ready(s)) {
		int i = f->n < ARRAY_SIZE(f->i) && f->turn++ % 3 ? source_fetch_claim(s, 0, false) : -1;

		if (i >= 0) {
			f->i[f->n++] = i;
		} else if (f->n) {
			i = f->i[--f->n];
			source_fetch(s, i);
			source_fetch_done(s, i);
			f->fetched++;
		} else {
			i = source_fetch_claim(s, 0, false);
			assert_true(i >= 0); /* else the pipeline would stand still */
			f->i[f->n++] = i;
		}
	}
}

static void read_all(struct source *s, const struct buf *want, struct outcome *o)
{
	struct fetches f = {0};
	struct batch ring[2];
	char last_kind = 0;
	uint32_t count = 0;
	uint64_t off = 0;
	struct err e;

	batch_init(&ring[0]);
	batch_init(&ring[1]);
	for (unsigned i = 0;; i++) {
		struct batch *b = &ring[i & 1];

		fetch_until_ready(s, &f);
		assert_int_equal(source_read(s, b, &e), 0);
		assert_int_equal(source_order(s, b), 0);
		check_batch(b, want, off);
		assert_true(b->raw_off >= o->raw_off);
		o->raw_off = b->raw_off;
		off += b->len;
		add_run(o, b, &last_kind, &count);
		o->max_mem = MAX(o->max_mem, b->mem_cap);
		if (b->kind == BATCH_EVENTS) {
			o->max_events = MAX(o->max_events, b->nblk);
			o->blocks += b->nblk;
			o->bytes += b->len;
		}
		if (b->last) {
			o->err = b->err;
			break;
		}
		assert_int_equal(b->err.code, 0);
		assert_true(b->nblk > 0);
		source_release(s, b);
		source_reuse(s, b);
		batch_reset(b);
	}
	o->fetched = f.fetched;
	batch_fini(&ring[0]);
	batch_fini(&ring[1]);
}

static void outcome_of(struct source *s, int opened, const struct err *e, const struct buf *want,
		       struct outcome *o)
{
	if (opened) {
		o->err = *e;
		assert_int_equal(e->code, opened);
		return;
	}
	o->opened = true;
	read_all(s, want, o);
	source_close(s);
}

static struct outcome read_memory(const struct buf *file, const struct buf *want,
				  const struct source_opts *opts)
{
	struct outcome o = {0};
	struct source *s = NULL;
	struct err e;
	/* A copy of exact size, so that a sanitizer sees reads behind it. */
	void *copy = malloc(file->len ? file->len : 1);

	if (file->len)
		memcpy(copy, file->p, file->len);
	err_clear(&e);
	outcome_of(s, source_open_memory(&s, copy, file->len, opts, &e) ? e.code : 0, &e, want, &o);
	free(copy);
	return o;
}

static struct outcome read_path(const char *path, const struct buf *want,
				const struct source_opts *opts)
{
	struct outcome o = {0};
	struct source *s = NULL;
	struct err e;
	int r;

	err_clear(&e);
	r = source_open(&s, path, opts, &e);
	outcome_of(s, r, &e, want, &o);
	return o;
}

/* ---- compressing
 * ---------------------------------------------------------------------------------- */

static void gzip_member(struct buf *out, const void *p, size_t n)
{
	struct isal_zstream z;
	size_t room = n + n / 8 + 1000;

	assert_true(buf_room(out, room));
	isal_deflate_stateless_init(&z);
	z.end_of_stream = 1;
	z.gzip_flag = IGZIP_GZIP;
	z.next_in = (uint8_t *)(uintptr_t)p;
	z.avail_in = (uint32_t)n;
	z.next_out = (uint8_t *)out->p + out->len;
	z.avail_out = (uint32_t)room;
	assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
	out->len += z.total_out;
}

static void zstd_frame(struct buf *out, const void *p, size_t n)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t room = ZSTD_compressBound(n), r;

	assert_true(buf_room(out, room));
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	r = ZSTD_compress2(c, out->p + out->len, room, p, n);
	assert_false(ZSTD_isError(r));
	out->len += r;
	ZSTD_freeCCtx(c);
}

typedef void pack_fn(struct buf *out, const void *p, size_t n);

static void pack(struct buf *out, const struct buf *in, size_t piece, pack_fn *fn)
{
	buf_init(out);
	for (size_t at = 0; at < in->len || !at; at += piece) {
		fn(out, in->p + at, MIN(piece, in->len - at));
		if (fn == zstd_frame) /* a skippable frame between all */
			buf_put(out, "\x5f\x2a\x4d\x18\x03\0\0\0abc", 11);
	}
}

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

static const struct source_opts ways[] = {
	{0},
	{.batch_events = 1},
	{.batch_bytes = 1},
	{.batch_bytes = 100},
	{.batch_bytes = 4099},
	{.batch_bytes = 1 << 20, .batch_events = 2},
};

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

/* ---- damage inside compressed data
 * ------------------------------------------------------------------ */

/* Data that compresses a little, long enough for several deflate and zstd blocks. */
static void make_noise(struct buf *file, size_t events)
{
	uint32_t x = 12345;
	uint64_t mark;

	make_file(file, "S M", &mark);
	for (size_t i = 0; i < events; i++) {
		size_t at = file->len;

		put_event(file, BLK_EV_V2, 40);
		for (size_t k = at + 50; k < at + 70; k++) {
			x = x * 1664525 + 1013904223;
			file->p[k] = (char)(x >> 24);
		}
	}
}

/* Cut anywhere: what is delivered is a prefix (read_all compares it), more of it with every byte,
 * and the end is an error. Cut between members or frames is a clean end of a shorter file. */
static void check_cuts(struct buf *packed, const struct buf *file, size_t step)
{
	size_t whole = packed->len;
	uint64_t bytes = 0;

	for (packed->len = 0; packed->len < whole; packed->len += step) {
		struct outcome o = read_memory(packed, file, NULL);

		assert_int_not_equal(o.err.code, 0);
		assert_true(o.bytes >= bytes);
		assert_true(!o.opened || o.err.pos_raw <= packed->len);
		bytes = o.bytes;
	}
	packed->len = whole;
	/* Nearly all of it: at most a deflate or zstd block is lost with the last bytes. */
	assert_true(bytes + 160 * 1024 > file->len);
	assert_int_equal(read_memory(packed, file, NULL).err.code, 0);
}

/* One bit flipped: the same blocks or an error, because both formats have a checksum; and the same
 * outcome for every batch size, although the decoders are then asked for other amounts. */
static void check_flips(struct buf *packed, const struct buf *file, size_t step)
{
	struct outcome good = read_memory(packed, file, NULL);

	assert_int_equal(good.err.code, 0);
	for (size_t i = 0; i < packed->len; i += step) {
		/* Damaged data may be delivered before the checksum tells: not compared. */
		packed->p[i] ^= (char)(1 << (i % 8));
		struct outcome o = read_memory(packed, NULL, NULL);
		struct outcome p = read_memory(packed, NULL, &ways[1 + i % (ARRAY_SIZE(ways) - 1)]);
		packed->p[i] ^= (char)(1 << (i % 8));
		if (!o.err.code && (o.blocks != good.blocks || o.bytes != good.bytes))
			fail_msg("byte %zu flipped: %llu blocks and no error", i,
				 (unsigned long long)o.blocks);
		if (o.err.code != p.err.code || o.err.pos != p.err.pos ||
		    strcmp(o.err.msg, p.err.msg) || o.bytes != p.bytes)
			fail_msg("byte %zu flipped: %llu bytes, %s at %llu; else %llu bytes, %s at %llu",
				 i, (unsigned long long)o.bytes, o.err.msg,
				 (unsigned long long)o.err.pos, (unsigned long long)p.bytes, p.err.msg,
				 (unsigned long long)p.err.pos);
	}
}

static void test_damaged_gzip(void **state)
{
	struct buf file, packed;

	make_noise(&file, 700);
	pack(&packed, &file, SIZE_MAX / 2, gzip_member);
	check_cuts(&packed, &file, 97);
	check_flips(&packed, &file, 3);
	/* Every byte of the header and of the trailer. */
	packed.p[packed.len - 8] ^= 1;
	struct outcome o = read_memory(&packed, &file, NULL);
	assert_int_equal(o.err.code, ERR_FORMAT);
	assert_non_null(strstr(o.err.msg, "gzip: wrong checksum"));
	assert_int_equal(o.err.pos, file.len);
	assert_int_equal(o.blocks, 700);
	buf_fini(&packed);
	buf_fini(&file);
}

static void test_damaged_zstd(void **state)
{
	struct buf file, packed;

	make_noise(&file, 5000);
	buf_init(&packed);
	zstd_frame(&packed, file.p, file.len);
	check_cuts(&packed, &file, 1999);
	check_flips(&packed, &file, 1013);
	packed.p[packed.len - 1] ^= 1;
	struct outcome o = read_memory(&packed, NULL, NULL);
	assert_int_equal(o.err.code, ERR_FORMAT);
	assert_non_null(strstr(o.err.msg, "zstd: "));
	buf_fini(&packed);
	buf_fini(&file);
}

static void test_behind_gzip(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int code;
	} cases[] = {
		{"\0\0\0\0\0\0\0\0", 8, 0}, /* padding of a tape */
		{"\0\0\0\0x", 5, ERR_FORMAT},
		{"garbage", 7, ERR_FORMAT},
		{"\x1f", 1, ERR_TRUNCATED},
		{"\x1f\x8c\x08\0\0\0\0\0\0\3", 10, ERR_FORMAT},
		{"\x1f\x8b\x08\0\0\0\0\0\0\3", 10, ERR_TRUNCATED},
	};
	struct buf file, packed;

	make_noise(&file, 100);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pack(&packed, &file, SIZE_MAX / 2, gzip_member);
		size_t member = packed.len;
		buf_put(&packed, cases[i].bytes, cases[i].n);
		struct outcome o = read_memory(&packed, &file, NULL);
		assert_int_equal(o.err.code, cases[i].code);
		assert_int_equal(o.blocks, 100);
		if (o.err.code) {
			assert_int_equal(o.err.pos, file.len);
			assert_true(o.err.pos_raw >= member && o.err.pos_raw <= packed.len);
		}
		buf_fini(&packed);
	}
	buf_fini(&file);
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

static bool fails_now(void)
{
	return fail_in && --fail_in == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

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

/* ---- files and pipes
 * -------------------------------------------------------------------------------- */

static char dir[64];

static const char *tmp_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/burin-source.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r <= 0)
			return;
		p += r;
		n -= (size_t)r;
	}
}

static void test_file(void **state)
{
	struct buf file, packed;

	make_noise(&file, 20000);
	pack(&packed, &file, 300000, gzip_member);
	const struct buf *forms[] = {&file, &packed};
	for (size_t i = 0; i < 2; i++) {
		const char *path = tmp_path("f.scap");
		int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		struct source *s;
		struct err e;

		write_all(fd, forms[i]->p, forms[i]->len);
		close(fd);
		assert_int_equal(source_open(&s, path, NULL, &e), 0);
		assert_int_equal(source_raw_size(s), forms[i]->len);
		source_close(s);
		struct outcome o = read_path(path, &file, NULL);
		assert_int_equal(o.err.code, 0);
		assert_string_equal(o.runs, "M2 E20000");
		assert_int_equal(o.raw_off, forms[i]->len);
		unlink(path);
	}
	buf_fini(&packed);
	buf_fini(&file);
}

/* With read-ahead a file gives the same blocks, ends and errors as without. */
static void test_ahead(void **state)
{
	static const char *const tails[] = {"", "S M e e S M e large:3000000 e S M e", "e cut:5", "block:0x999", "S M"};
	static const size_t batches[] = {0, 5000, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(tails) * ARRAY_SIZE(batches); i++) {
		const char *path = tmp_path("f.scap");
		int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		struct source_opts alone = {.batch_bytes = batches[i % ARRAY_SIZE(batches)]}, ahead = alone;
		struct buf file, tail, more;
		uint64_t mark;

		make_noise(&file, 20000);
		make_file(&tail, tails[i / ARRAY_SIZE(batches)], &mark);
		make_noise(&more, 3000);
		buf_put(&file, tail.p, tail.len);
		buf_put(&file, more.p, i % 2 ? more.len : 0);
		write_all(fd, file.p, file.len);
		close(fd);
		ahead.fetchers = 3;
		struct outcome a = read_path(path, &file, &alone), b = read_path(path, &file, &ahead);
		assert_string_equal(a.runs, b.runs);
		assert_int_equal(a.err.code, b.err.code);
		assert_int_equal(a.err.pos, b.err.pos);
		assert_string_equal(a.err.msg, b.err.msg);
		assert_int_equal(a.bytes, b.bytes);
		if (!a.err.code)
			assert_int_equal(a.raw_off, b.raw_off);
		assert_true(a.fetched == 0 && b.fetched > 3);
		unlink(path);
		buf_fini(&file);
		buf_fini(&tail);
		buf_fini(&more);
	}
}

static void test_truncated_while_read(void **state)
{
	const char *path = tmp_path("f.scap");
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	struct source_opts o = {.batch_bytes = 65536};
	struct source *s;
	struct batch b;
	struct buf file;
	struct err e;
	uint64_t end = 0;

	make_noise(&file, 20000);
	write_all(fd, file.p, file.len);
	batch_init(&b);
	assert_int_equal(source_open(&s, path, &o, &e), 0);
	assert_int_equal(ftruncate(fd, 500001), 0);
	do {
		assert_int_equal(source_read(s, &b, &e), 0);
		end = b.file_off + b.len;
	} while (!b.last);
	assert_int_equal(b.err.code, ERR_TRUNCATED);
	assert_int_equal(b.err.pos, end);
	assert_true(end <= 500001 && end > 500001 - 100);
	source_close(s);
	batch_fini(&b);
	buf_fini(&file);
	close(fd);
	unlink(path);
}

/* A writer that feeds a descriptor in pieces. */
struct feeder {
	int fd;
	const char *p;
	size_t n, piece;
	pthread_t thread;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;

	for (size_t at = 0; at < f->n; at += f->piece)
		write_all(f->fd, f->p + at, MIN(f->piece, f->n - at));
	close(f->fd);
	return NULL;
}

static struct outcome read_stdin(struct feeder *f, const struct buf *want,
				 const struct source_opts *opts)
{
	int p[2], saved = dup(STDIN_FILENO);

	assert_int_equal(pipe(p), 0);
	dup2(p[0], STDIN_FILENO);
	close(p[0]);
	f->fd = p[1];
	pthread_create(&f->thread, NULL, feed, f);
	struct outcome o = read_path("-", want, opts);
	pthread_join(f->thread, NULL);
	dup2(saved, STDIN_FILENO);
	close(saved);
	return o;
}

static void test_pipe(void **state)
{
	static const size_t pieces[] = {3000, 65536, 1 << 20};
	struct buf file, forms[3];

	make_noise(&file, 5000);
	pack(&forms[0], &file, 100000, gzip_member);
	pack(&forms[1], &file, 100000, zstd_frame);
	forms[2] = file;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
			struct feeder f = {.p = forms[i].p, .n = forms[i].len, .piece = pieces[k]};
			struct outcome o = read_stdin(&f, &file, &ways[k]);

			assert_int_equal(o.err.code, 0);
			assert_string_equal(o.runs, "M2 E5000");
			f.n -= 30; /* into the last member or frame, or the last block */
			o = read_stdin(&f, &file, NULL);
			assert_int_equal(o.err.code, ERR_TRUNCATED);
		}
	}
	/* Byte by byte: magic numbers and frames arrive in pieces. */
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct feeder f = {.p = forms[i].p, .n = 2000, .piece = 1};

		assert_int_equal(read_stdin(&f, &file, NULL).err.code, ERR_TRUNCATED);
	}
	buf_fini(&forms[0]);
	buf_fini(&forms[1]);
	buf_fini(&file);
}

static void *feed_fifo(void *arg)
{
	struct feeder *f = arg;

	f->fd = open(tmp_path("fifo"), O_WRONLY);
	return feed(f);
}

static void test_fifo(void **state)
{
	struct buf file;

	make_noise(&file, 3000);
	struct feeder f = {.p = file.p, .n = file.len, .piece = 10000};
	char path[128];
	snprintf(path, sizeof(path), "%s", tmp_path("fifo"));
	assert_int_equal(mkfifo(path, 0600), 0);
	pthread_create(&f.thread, NULL, feed_fifo, &f);
	struct outcome o = read_path(path, &file, NULL);
	pthread_join(f.thread, NULL);
	assert_int_equal(o.err.code, 0);
	assert_string_equal(o.runs, "M2 E3000");
	unlink(path);
	buf_fini(&file);
}

static void *stop_soon(void *arg)
{
	usleep(20000);
	source_stop(arg);
	return NULL;
}

/* A pipe that stays open: what has come is handed over, and waiting for more can be interrupted. */
static void test_slow_pipe(void **state)
{
	static const struct {
		pack_fn *fn;
	} forms[] = {{NULL}, {gzip_member}, {zstd_frame}};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		int p[2], saved = dup(STDIN_FILENO);
		struct buf file, packed;
		struct source *s;
		struct batch b;
		struct err e;
		pthread_t t;

		make_noise(&file, 10);
		if (forms[i].fn)
			pack(&packed, &file, SIZE_MAX / 2, forms[i].fn);
		assert_int_equal(pipe(p), 0);
		dup2(p[0], STDIN_FILENO);
		write_all(p[1], forms[i].fn ? packed.p : file.p,
			  forms[i].fn ? packed.len : file.len);
		batch_init(&b);
		assert_int_equal(source_open(&s, "-", NULL, &e), 0);
		assert_int_equal(source_raw_size(s), 0);
		assert_int_equal(source_read(s, &b, &e), 0);
		assert_int_equal(b.kind, BATCH_META);
		assert_int_equal(source_read(s, &b, &e), 0);
		assert_int_equal(b.nblk, 10);
		assert_false(b.last);
		pthread_create(&t, NULL, stop_soon, s);
		assert_int_equal(source_read(s, &b, &e), 0);
		assert_true(b.last);
		assert_int_equal(b.err.code, ERR_INTERRUPTED);
		pthread_join(t, NULL);
		source_close(s);
		batch_fini(&b);
		dup2(saved, STDIN_FILENO);
		close(saved);
		close(p[0]);
		close(p[1]);
		if (forms[i].fn)
			buf_fini(&packed);
		buf_fini(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_path),
		cmocka_unit_test(test_damaged_gzip),
		cmocka_unit_test(test_damaged_zstd),
		cmocka_unit_test(test_behind_gzip),
		cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_long_metadata),
		cmocka_unit_test(test_release_gives_memory_back),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_truncated_while_read),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_slow_pipe),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
