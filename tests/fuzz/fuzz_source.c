/* Fuzzes the reader and the metadata decoders. The first byte of the input chooses batch sizes, the
 * rest is the file as stored (plain, gzip or zstd). It is read three times, with ordinary and with the
 * chosen batch sizes, and decompressed in parts as several threads would: all must list the same blocks and end alike,
 * whatever the damage. Then it is framed from a guessed beginning. */
#include <stdio.h>
#include <stdlib.h>

#include "source/block.h"
#include "source/frame.h"
#include "source/meta.h"
#include "source/source.h"

/* A broken promise of the reader stops the fuzzer. */
#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "fuzz_source: %s does not hold\n", #x); \
			abort();                                                \
		}                                                               \
	} while (0)

struct digest {
	uint64_t blocks, sum;
	struct err err;
};

static void add(struct digest *d, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		d->sum = (d->sum ^ b[i]) * 0x100000001B3;
}

static void add_text(struct digest *d, struct text t)
{
	add(d, t.p, t.len);
}

static int on_machine(void *ctx, const struct meta_machine *m)
{
	MUST(strlen(m->hostname) <= 128);
	return 0;
}

static int on_thread(void *ctx, const struct meta_thread *t)
{
	const struct text texts[] = {t->comm, t->exe, t->exepath, t->args,
				     t->env,  t->cwd, t->cgroups, t->root};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		add_text(ctx, texts[i]);
	return 0;
}

static int on_fd(void *ctx, const struct meta_fd *f)
{
	MUST(f->type <= 21);
	add_text(ctx, f->name);
	return 0;
}

static int on_iface(void *ctx, const struct meta_iface *i)
{
	add_text(ctx, i->name);
	return 0;
}

static int on_user(void *ctx, const struct meta_user *u)
{
	add_text(ctx, u->name);
	add_text(ctx, u->home);
	add_text(ctx, u->shell);
	return 0;
}

static void decode(struct digest *d, const uint8_t *p, uint32_t n)
{
	const struct meta_visitor v = {d, on_machine, on_thread, on_fd, on_iface, on_user, NULL};
	struct err e;

	err_clear(&e);
	int r = meta_decode(p, n, &v, &e);
	MUST(r == e.code);
	MUST(!r || (e.pos <= n && e.msg[0]));
}

static void add_batch(struct digest *d, const struct batch *b)
{
	for (uint32_t i = 0; i < b->nblk; i++) {
		MUST(b->blk[i] + (size_t)BLOCK_FRAME_BYTES <= b->len);
		const uint8_t *p = b->data + b->blk[i];
		uint32_t type = load_u32(p), n = load_u32(p + 4);
		uint64_t at = b->file_off + b->blk[i];

		MUST(n >= BLOCK_FRAME_BYTES && n <= b->len - b->blk[i]);
		MUST((b->kind == BATCH_EVENTS) == block_is_event(type));
		add(d, &at, sizeof(at));
		add(d, p, n);
		d->blocks++;
		if (b->kind == BATCH_META)
			decode(d, p, n);
	}
}

/* What several threads might fetch before the next batch is read; here one does it all. */
static void fetch_some(struct source *s, unsigned n)
{
	int jobs[8], i;
	unsigned k = 0;

	while (k < n && (i = source_fetch_claim(s, k, false)) >= 0)
		jobs[k++] = i;
	while (k) {
		source_fetch(s, jobs[--k]);
		source_fetch_done(s, jobs[k]);
	}
}

static struct digest read_file(const uint8_t *p, size_t n, const struct source_opts *o)
{
	struct digest d = {0};
	struct source *s;
	struct batch b;
	uint64_t off = 0;

	err_clear(&d.err);
	if (source_open_memory(&s, p, n, o, &d.err)) {
		MUST(d.err.code < 0);
		return d;
	}
	batch_init(&b);
	do {
		batch_reset(&b);
		for (unsigned i = 1; o->fetchers > 1 && i <= 3; i++)
			fetch_some(s, o->fetchers);
		while (!source_read_ready(s)) {
			MUST(source_fetch_ready(s));
			fetch_some(s, 1);
		}
		MUST(source_read(s, &b, NULL) == 0 && source_order(s, &b) == 0);
		MUST(b.file_off == off && (b.nblk || b.last));
		off += b.len;
		add_batch(&d, &b);
		MUST(b.mem_cap <= 4 << 20);
		source_release(s, &b);
	} while (!b.last);
	d.err = b.err;
	MUST(!d.err.code || d.err.pos >= off);
	batch_fini(&b);
	source_close(s);
	return d;
}

/* The bytes as a stretch from the middle of a file: what is framed lies within. */
static void frame(const uint8_t *p, size_t n)
{
	size_t limit = 1 << 20, at = frame_guess(p, n, limit), before;
	uint32_t list[64], *q = list;
	enum frame_end why;

	MUST(at <= n);
	while (at + BLOCK_HEAD_BYTES <= n) {
		before = at;
		q = list;
		why = frame_events(p, n, n - (BLOCK_HEAD_BYTES - 1), limit, &at, &q, list + 64);
		MUST(at <= n && (size_t)(q - list) <= (at - before) / FRAME_STEP_MIN);
		for (uint32_t *k = list; k < q; k++)
			MUST(block_is_event(load_u32(p + *k)) && load_u32(p + *k + 4) <= n - *k);
		if (why != FRAME_FULL)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const size_t bytes[] = {1, 40, 100, 1000, 4096, 5000, 70000, 1 << 20};
	struct source_opts plain = {.run_limit = 1 << 20}, chosen = plain;

	if (!n)
		return 0;
	chosen.batch_bytes = bytes[p[0] % 8];
	chosen.batch_events = p[0] / 8 % 4;
	struct digest a = read_file(p + 1, n - 1, &plain), b = read_file(p + 1, n - 1, &chosen);
	MUST(a.blocks == b.blocks && a.sum == b.sum);
	MUST(a.err.code == b.err.code && a.err.pos == b.err.pos && !strcmp(a.err.msg, b.err.msg));
	chosen.fetchers = 2 + p[0] % 3;
	chosen.inflate_apart = p[0] % 2 ? 30 : 500;
	b = read_file(p + 1, n - 1, &chosen);
	MUST(a.blocks == b.blocks && a.sum == b.sum);
	MUST(a.err.code == b.err.code && a.err.pos == b.err.pos && !strcmp(a.err.msg, b.err.msg));
	MUST(a.err.pos_raw == b.err.pos_raw);
	frame(p + 1, n - 1);
	return 0;
}
