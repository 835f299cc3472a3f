/* bench_walk FILE [BATCH_BYTES [REPEATS]]: nanoseconds per event for merely walking the blocks, the
 * floor below which no replay can go. Through the reader (reading, framing, cutting batches), the framing loop alone over
 * batches in cache, and looking once at each event header, as the cheapest consumer would. Then what is left to be done in
 * order when stretches of the file are read and framed ahead, as several workers do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "source/source_int.h"

enum { BATCHES = 8 };

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct tally {
	uint64_t events, bytes;
	double read_ns, frame_ns, touch_ns, order_ns;
	uint64_t sum; /* of time stamps: keeps the second loop honest */
};

/* Follows the block offsets again and reads each header, as the cheapest consumer would. */
static void touch_batch(const struct batch *b, struct tally *t)
{
	for (uint32_t i = 0; i < b->nblk; i++) {
		const uint8_t *p = b->data + b->blk[i];

		t->sum += load_u64(p + event_block_hdr_off(load_u32(p)));
	}
}

/* Frames the events of a batch once more, now that they are in cache: the loop alone. */
static double frame_batch(struct batch *b)
{
	struct source s = {
		.phase = PHASE_EVENTS,
		.batch_bytes = SIZE_MAX,
		.batch_events = UINT32_MAX,
		.run_limit = SIZE_MAX,
	};
	uint32_t nblk = b->nblk;
	size_t pos = 0;
	double t0 = now_ns();

	b->nblk = 0;
	if (walk_blocks(&s, b, b->data, b->len, &pos) || b->nblk != nblk)
		abort();
	return now_ns() - t0;
}

static int walk_file(const char *path, const struct source_opts *o, struct batch *ring,
		     struct tally *t, struct err *e)
{
	struct source *s;
	int r = source_open(&s, path, o, e);

	if (r)
		return r;
	for (unsigned i = 0;; i++) {
		struct batch *b = &ring[i % BATCHES];
		double t0 = now_ns();

		r = source_read(s, b, e);
		double t1 = now_ns();
		t->read_ns += t1 - t0;
		if (r)
			break;
		if (b->kind == BATCH_EVENTS) {
			t->events += b->nblk;
			touch_batch(b, t);
			t->touch_ns += now_ns() - t1;
			t->frame_ns += frame_batch(b);
		}
		t->bytes += b->len;
		if (b->last) {
			r = b->err.code;
			if (r && e)
				*e = b->err;
			break;
		}
	}
	source_close(s);
	return r;
}

/* The reader's turn alone, while one worker fetches. */
static int order_file(const char *path, const struct source_opts *o, struct tally *t, struct err *e)
{
	struct source_opts ahead = *o;
	struct source *s;
	struct batch b;
	int r;

	ahead.fetchers = 2;
	r = source_open(&s, path, &ahead, e);
	if (r)
		return r;
	batch_init(&b);
	do {
		double t0 = now_ns();

		while (!source_read_ready(s)) {
			int i = source_fetch_claim(s, 0, false);

			if (i < 0)
				abort(); /* nobody else would */
			source_fetch(s, i);
			source_fetch_done(s, i);
			t0 = now_ns();
		}
		r = source_read(s, &b, e);
		t->order_ns += now_ns() - t0;
		if (!r && source_order(s, &b))
			r = -12;
		source_release(s, &b);
		source_reuse(s, &b);
	} while (!r && !b.last);
	r = r ? r : b.err.code;
	batch_fini(&b);
	source_close(s);
	return r;
}

int main(int argc, char **argv)
{
	struct source_opts o = {0};
	struct batch ring[BATCHES];
	struct tally best = {0};
	struct err e;
	int r = 0, repeats = argc > 3 ? atoi(argv[3]) : 5;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: bench_walk FILE [BATCH_BYTES [REPEATS]]\n");
		return 1;
	}
	if (argc > 2)
		o.batch_bytes = strtoull(argv[2], NULL, 10);
	for (int i = 0; i < BATCHES; i++)
		batch_init(&ring[i]);
	for (int i = 0; i < repeats && !r; i++) {
		struct tally t = {0};

		r = walk_file(argv[1], &o, ring, &t, &e);
		if (!r)
			r = order_file(argv[1], &o, &t, &e);
		if (!i || t.read_ns < best.read_ns)
			best = t;
	}
	for (int i = 0; i < BATCHES; i++)
		batch_fini(&ring[i]);
	if (r) {
		fprintf(stderr, "bench_walk: %s:%" PRIu64 ": %s\n", argv[1], e.pos, e.msg);
		return 1;
	}
	double n = (double)best.events;
	printf("%s: %" PRIu64 " events, %" PRIu64 " bytes, best of %d\n", argv[1], best.events,
	       best.bytes, repeats);
	printf("read and frame:  %6.2f ns/event  %7.1f M events/s  %7.0f MB/s\n", best.read_ns / n,
	       n / best.read_ns * 1e3, (double)best.bytes / best.read_ns * 1e3);
	printf("frame in cache:  %6.2f ns/event\n", best.frame_ns / n);
	printf("in order, ahead: %6.2f ns/event\n", best.order_ns / n);
	printf("touch headers:   %6.2f ns/event  (time stamps sum to %" PRIx64 ")\n",
	       best.touch_ns / n, best.sum);
	return 0;
}
