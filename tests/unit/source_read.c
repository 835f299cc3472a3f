#include "source_read.h"

#include <stdio.h>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

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

void make_file(struct buf *b, const char *words, uint64_t *mark)
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

void make_noise(struct buf *file, size_t events)
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

const struct source_opts ways[WAYS] = {
	{0},
	{.batch_events = 1},
	{.batch_bytes = 1},
	{.batch_bytes = 100},
	{.batch_bytes = 4099},
	{.batch_bytes = 1 << 20, .batch_events = 2},
};

/* ---- reading a file and summing up what came
 * ------------------------------------------------------ */

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

struct outcome read_memory(const struct buf *file, const struct buf *want,
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

struct outcome read_path(const char *path, const struct buf *want,
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

void gzip_member(struct buf *out, const void *p, size_t n)
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

void zstd_frame(struct buf *out, const void *p, size_t n)
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

void pack(struct buf *out, const struct buf *in, size_t piece, pack_fn *fn)
{
	buf_init(out);
	for (size_t at = 0; at < in->len || !at; at += piece) {
		fn(out, in->p + at, MIN(piece, in->len - at));
		if (fn == zstd_frame) /* a skippable frame between all */
			buf_put(out, "\x5f\x2a\x4d\x18\x03\0\0\0abc", 11);
	}
}
