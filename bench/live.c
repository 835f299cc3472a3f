/* bench_live FILE [REPEATS]: what the live adapter costs, in nanoseconds of cpu time per event,
 * with the events of a trace dealt out to 1, 2, 8, 64 rings. "drain" and "order" are done by all
 * workers at once, one ring or one batch each; "cut" is the step that one at a time does. Medians
 * over the repeats. */
#include <inttypes.h>
#include <time.h>

#include "../tests/stress/rings_make.h"
#include "live/epoch.h"

enum { MAX_RINGS = 64, RING_BYTES = 2 << 20, BATCH_BYTES = 256 << 10, MAX_REPEATS = 31 };

struct bench {
	struct made_trace trace;
	struct made_ring rings[MAX_RINGS];
	struct lane lanes[MAX_RINGS];
	unsigned nrings;
	struct chunks pool;
	struct epoch epoch;
	struct batch b;
	uint64_t nbatches;
	double drain_ns, cut_ns, order_ns;
};

/* Of this thread, so that other programs do not count. */
static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Puts events from i on into the rings until one is full. */
static uint32_t fill(struct bench *k, uint32_t i)
{
	const uint8_t *rec;
	uint32_t len;

	for (; i < k->trace.n; i++) {
		rec = made_record(&k->trace, i, &len);
		if (!made_put(&k->rings[made_cpu(&k->trace, i) % k->nrings], rec, len))
			break;
	}
	return i;
}

static uint64_t turn(struct bench *k, uint64_t now, bool all)
{
	static const struct watcher nobody;
	uint64_t n = 0;
	double t0 = cpu_ns(), t1, t2;

	for (unsigned i = 0; i < k->nrings; i++)
		if (lane_look(&k->lanes[i], now))
			lane_drain(&k->lanes[i], &k->pool, &nobody);
	t1 = cpu_ns();
	k->drain_ns += t1 - t0;
	epoch_close(&k->epoch, k->nrings, all);
	while (!k->epoch.empty) {
		k->b.len = 0;
		if (epoch_cut(&k->epoch, &k->b))
			made_die("out of memory");
		t2 = cpu_ns();
		k->cut_ns += t2 - t1;
		if (epoch_order(&k->pool, &k->b))
			made_die("out of memory");
		n += k->b.nblk;
		k->nbatches++;
		epoch_release(&k->pool, &k->b);
		t1 = cpu_ns();
		k->order_ns += t1 - t2;
	}
	return n;
}

static void run(struct bench *k)
{
	uint64_t n = 0;

	k->drain_ns = k->cut_ns = k->order_ns = 0;
	k->nbatches = 0;
	for (uint32_t i = 0; n < k->trace.n;) {
		i = fill(k, i);
		n += turn(k, load_u64(k->trace.events + k->trace.off[i - 1] + 10), i == k->trace.n);
	}
	if (n != k->trace.n)
		made_die("events are missing");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void bench_rings(const char *path, unsigned nrings, int repeats)
{
	static struct bench k;
	double drain[MAX_REPEATS], cut[MAX_REPEATS], order[MAX_REPEATS];

	k.nrings = nrings;
	made_trace_read(&k.trace, path, nrings, 1);
	if (chunks_init(&k.pool, nrings * LANE_CHUNKS + 64))
		made_die("out of memory");
	epoch_init(&k.epoch, k.lanes, &k.pool, BATCH_BYTES);
	batch_init(&k.b);
	for (unsigned i = 0; i < nrings; i++) {
		if (made_ring_open(&k.rings[i], (uint16_t)i, RING_BYTES))
			made_die("can't make a ring");
		lane_init(&k.lanes[i], &k.rings[i].r);
	}
	for (int r = 0; r < repeats; r++) {
		/* the stamps begin anew */
		for (unsigned i = 0; i < nrings; i++)
			k.rings[i].r.bound = k.lanes[i].bound = 0;
		run(&k);
		drain[r] = k.drain_ns / k.trace.n;
		cut[r] = k.cut_ns / k.trace.n;
		order[r] = k.order_ns / k.trace.n;
	}
	qsort(drain, (size_t)repeats, sizeof(double), by_size);
	qsort(cut, (size_t)repeats, sizeof(double), by_size);
	qsort(order, (size_t)repeats, sizeof(double), by_size);
	printf("%5u %10u %10" PRIu64 " %8.1f %8.1f %8.1f\n", nrings, k.trace.n, k.nbatches,
	       drain[repeats / 2], cut[repeats / 2], order[repeats / 2]);
	for (unsigned i = 0; i < nrings; i++) {
		lane_fini(&k.lanes[i], &k.pool);
		ring_close(&k.rings[i].r);
	}
	batch_fini(&k.b);
	epoch_fini(&k.epoch);
	chunks_fini(&k.pool);
	made_trace_free(&k.trace);
}

int main(int argc, char **argv)
{
	int repeats = argc > 2 ? atoi(argv[2]) : 5;

	if (argc < 2 || repeats < 1 || repeats > MAX_REPEATS)
		made_die("usage: bench_live FILE [REPEATS]");
	printf("rings     events    batches    drain      cut    order   (ns per event)\n");
	for (unsigned n = 1; n <= MAX_RINGS; n *= n < 2 ? 2 : n < 8 ? 4 : 8)
		bench_rings(argv[1], n, repeats);
	return 0;
}
