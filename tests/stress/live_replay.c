/* A trace as a live capture: its events are dealt out to the rings of several cpus, put there by
 * one producer each, with delays at random, while the whole pipeline drains, merges, digests and
 * prints them. What it prints has to be what it prints of the trace itself: names of descriptors
 * and threads, though every event may come from another cpu than the one before. For
 * ThreadSanitizer; plain builds run it too.
 *
 * live_replay FILE [ROUNDS [SEED]]     prints its seed */
#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#include "rings_make.h"
#include "worker/pipeline.h"

enum { MAX_CPUS = 16 };
static const char FORMAT[] =
	"*%evt.num %evt.rawtime %evt.cpu %thread.tid %proc.name %proc.ppid %fd.num %fd.name "
	"%evt.dir %evt.type %evt.args";

static struct made_trace trace;
static struct made_ring rings[MAX_CPUS];
static unsigned ncpus;
static uint64_t seed, events;
static struct drain *drain;
static bool meta_given;
static _Atomic bool all_put;

/* ---- producers ------------------------------------------------------------------------------- */

/* Mostly nothing, sometimes a look at what the others do, rarely a sleep. */
static void dawdle(uint64_t *rng)
{
	uint64_t r = made_random(rng) % 4096;

	if (r < 200)
		sched_yield();
	else if (r < 203)
		usleep((unsigned)(made_random(rng) % 2000));
}

static uint32_t next_of(unsigned cpu, uint32_t i)
{
	while (i < trace.n && made_cpu(&trace, i) != cpu)
		i++;
	return i;
}

static uint64_t stamp_of(uint32_t i)
{
	return i < trace.n ? load_u64(trace.events + trace.off[i] + 10) : UINT64_MAX;
}

static void *produce(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;
	struct made_ring *m = &rings[cpu];
	uint64_t rng = seed * 977 + cpu + 1;

	for (uint32_t i = next_of(cpu, 0), next; i < trace.n; i = next) {
		_Atomic uint32_t *word;
		const uint8_t *rec;
		uint32_t len;

		dawdle(&rng);
		if (made_random(&rng) % 64 == 0 && (word = made_reserve(m, 24)))
			made_submit(word, 24 | MADE_DISCARD);
		rec = made_record(&trace, i, &len);
		while (!(word = made_reserve(m, len)))
			usleep(100);
		next = next_of(cpu, i + 1);
		/* Release: whoever reads the clock later sees that the record is reserved. */
		atomic_store_explicit(&m->next_ts, stamp_of(next), memory_order_release);
		if (made_random(&rng) % 16 == 0)
			dawdle(&rng);
		made_fill(word, rec, len);
		made_submit(word, len);
	}
	return NULL;
}

/* ---- the capture ----------------------------------------------------------------------------- */

static uint64_t made_now(void *ctx)
{
	uint64_t now = UINT64_MAX - 2;

	for (unsigned i = 0; i < ncpus; i++)
		now = MIN(now, atomic_load_explicit(&rings[i].next_ts, memory_order_acquire) - 1);
	return now;
}

static bool made_look(void *ctx, uint64_t now_ns, struct inject *q)
{
	return atomic_load(&all_put);
}

static void made_nap(void *ctx, uint64_t ns)
{
	struct timespec t = {0, (long)MIN(ns, (uint64_t)999999999)};

	nanosleep(&t, NULL);
}

static int do_read(void *ctx, struct batch *b, struct err *e)
{
	b->len = b->nblk = 0;
	b->last = false;
	if (meta_given)
		return drain_read(drain, b);
	meta_given = true;
	b->kind = BATCH_META;
	b->data = trace.meta;
	b->len = trace.meta_len;
	for (size_t at = 0; at < b->len; at += load_u32(b->data + at + 4)) {
		b->blk = realloc(b->blk, (b->nblk + 1) * sizeof(*b->blk));
		b->blk_cap = b->nblk + 1;
		b->blk[b->nblk++] = (uint32_t)at;
	}
	return 0;
}

static int do_order(void *ctx, struct batch *b)
{
	return b->kind == BATCH_EVENTS ? drain_order(drain, b) : 0;
}

static void do_release(void *ctx, struct batch *b)
{
	drain_release(drain, b);
}

static void do_nothing(void *ctx) {}

static int do_claim(void *ctx, unsigned worker, bool urgent)
{
	return drain_claim(drain, worker, urgent);
}

static void do_fetch(void *ctx, int i)
{
	drain_run(drain, i);
}

static void do_fetched(void *ctx, int i)
{
	drain_done(drain, i);
}

static bool do_ready(void *ctx)
{
	return drain_ready(drain);
}

static uint64_t do_wait_ns(void *ctx)
{
	return drain_wait_ns(drain);
}

static bool do_claimable(void *ctx)
{
	return drain_claimable(drain);
}

static const struct source_ops ops = {
	.read = do_read,
	.order = do_order,
	.release = do_release,
	.stop = do_nothing,
	.close = do_nothing,
	.claim = do_claim,
	.fetch = do_fetch,
	.fetched = do_fetched,
	.ready = do_ready,
	.wait_ns = do_wait_ns,
	.claimable = do_claimable,
};

/* ---- runs ------------------------------------------------------------------------------------ */

/* Prints the source (NULL: the file) into a new file; returns all that was printed. */
static char *print(struct source *input, const char *path, unsigned workers, size_t *len)
{
	struct render_opts ro = {0};
	struct demand d;
	struct pipeline_opts o = {.workers = workers, .demand = &d, .ro = &ro, .input = input};
	struct pipeline_stats stats;
	struct err e = {0};
	struct format *f;
	struct sink sink;
	char *text;
	FILE *out = tmpfile();

	if (!out || format_parse(&f, FORMAT, &e))
		made_die("can't begin");
	sink_init(&sink, fileno(out), false);
	demand_init(&d, false);
	demand_add(&d, format_demand(f));
	o.format = f;
	o.sink = &sink;
	if (pipeline_run(path, &o, &stats, &e))
		made_die(e.msg);
	format_free(f);
	*len = sink.bytes;
	sink_fini(&sink);
	text = malloc(*len + 1);
	if (pread(fileno(out), text, *len, 0) != (ssize_t)*len)
		made_die("can't read what was printed");
	fclose(out);
	return text;
}

static char *print_trace(size_t *len)
{
	struct source *s;
	struct err e = {0};
	size_t all = trace.meta_len + trace.len;
	uint8_t *file = malloc(all);
	char *text;

	memcpy(file, trace.meta, trace.meta_len);
	memcpy(file + trace.meta_len, trace.events, trace.len);
	if (source_open_memory(&s, file, all, NULL, &e))
		made_die(e.msg);
	text = print(s, "trace", 1, len);
	free(file);
	return text;
}

/* Says so when all producers are done. */
static void *watch_end(void *arg)
{
	pthread_t *producer = arg;

	for (unsigned i = 0; i < ncpus; i++)
		pthread_join(producer[i], NULL);
	atomic_store(&all_put, true);
	return NULL;
}

static char *print_live(unsigned workers, size_t ring_bytes, size_t *len)
{
	struct drain_opts d = {.workers = workers,
			       .max_rings = ncpus,
			       .batch_bytes = 4096 << seed % 7,
			       .now_ns = made_now,
			       .look = made_look,
			       .nap = made_nap};
	pthread_t producer[MAX_CPUS], ender;
	struct source *s;
	struct err e = {0};
	char *text;

	if (drain_new(&drain, &d) || source_open_ops(&s, &ops, NULL, &e))
		made_die("out of memory");
	meta_given = false;
	atomic_store(&all_put, false);
	for (unsigned i = 0; i < ncpus; i++) {
		if (made_ring_open(&rings[i], (uint16_t)i, ring_bytes))
			made_die("can't make a ring");
		atomic_store(&rings[i].next_ts, stamp_of(next_of(i, 0)));
		drain_add_ring(drain, &rings[i].r);
	}
	for (unsigned i = 0; i < ncpus; i++)
		pthread_create(&producer[i], NULL, produce, (void *)(uintptr_t)i);
	pthread_create(&ender, NULL, watch_end, producer);
	text = print(s, "rings", workers, len);
	pthread_join(ender, NULL);
	drain_free(drain);
	for (unsigned i = 0; i < ncpus; i++)
		ring_close(&rings[i].r);
	return text;
}

/* One round: other cpus for the events (every fourth: those where they were recorded), another
 * number of workers, another size of the rings. */
static bool round_ok(const char *path, unsigned round)
{
	unsigned workers = 1 + round % 4;
	size_t ring_bytes = (size_t)(64 << 10) << round % 3, want_len, len;
	char *want, *got;
	bool same;

	ncpus = 1 + (unsigned)(seed * 7 % MAX_CPUS);
	made_trace_read(&trace, path, round % 4 == 3 ? 0 : ncpus, seed);
	for (uint32_t i = 0; round % 4 == 3 && i < trace.n; i++)
		ncpus = MAX(ncpus, made_cpu(&trace, i) + 1u);
	if (ncpus > MAX_CPUS)
		made_die("recorded on too many cpus");
	want = print_trace(&want_len);
	got = print_live(workers, ring_bytes, &len);
	events += trace.n;
	same = trace.n && len == want_len && !memcmp(want, got, len);
	if (!same) {
		size_t at = 0, line = 1;

		while (at < len && at < want_len && want[at] == got[at])
			line += want[at++] == '\n';
		printf("round %u: %u cpus, %u workers: line %zu of %zu bytes (%zu from the rings) "
		       "differs\n",
		       round, ncpus, workers, line, want_len, len);
	}
	free(want);
	free(got);
	made_trace_free(&trace);
	return same;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 8;

	if (argc < 2)
		made_die("usage: live_replay FILE [ROUNDS [SEED]]");
	seed = argc > 3 ? strtoull(argv[3], NULL, 10)
			: (uint64_t)time(NULL) * 2654435761u % 1000003;
	printf("seed %" PRIu64 "\n", seed);
	for (unsigned i = 0; i < rounds; i++, seed++)
		if (!round_ok(argv[1], i))
			return 1;
	printf("%u rounds, %" PRIu64 " events: the same\n", rounds, events);
	return 0;
}
