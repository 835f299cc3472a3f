/* bench_scale [OPTIONS]: how the scheduler of the pipeline scales, on a machine with fewer cores
 * than workers. The scheduler is the real one (engine/worker/schedule.c: its lock, turns, window
 * and waking), but the steps sleep in place of working, so that 128 workers run at once on two
 * cores.
 *
 *   --workers LIST   numbers of workers (1,2,4,8,16,32,64,128)
 *   --costs LIST     ns per event of: frame, digest with fetch, apply with reclaim: threads,
 * descriptors (in shards where the pipeline has them), analyse, release (2,25,2,8,94,1: printing);
 * 0 for a step: it takes no time
 *   --events N       events per batch (3600)
 *   --batches N      batches per worker (30)
 *   --slow N         seconds for a nanosecond: sleeping is exact to some 20 us only (300)
 *
 * Columns: millions of events per second as the model of docs/performance.md says and as the
 * scheduler did it, scaled back; then, for each batch, microseconds of CPU time (scheduling and
 * going to sleep), workers woken, sections under the scheduler's lock and microseconds it was held.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "worker/worker_int.h"

enum { FRAME, DIGEST, APPLY, FDS, ANALYSE, RELEASE, STEPS };

static struct {
	double cost[STEPS]; /* ns per event */
	double slow;
	unsigned events, batches; /* per batch; in all */
} conf = {.cost = {2, 25, 2, 8, 94, 1}, .slow = 300, .events = 3600, .batches = 30};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- steps that sleep ---- */

/* Batches differ: by up to a tenth, each step in its own way. */
static double part(uint64_t seq, unsigned step)
{
	uint64_t x = (seq + 1) * 0x9E3779B97F4A7C15u + step * 0xD1B54A32D192ED03u;

	x ^= x >> 29;
	x *= 0xBF58476D1CE4E5B9u;
	return 0.9 + 0.2 * (double)(x >> 40) / (double)(1u << 24);
}

static void take_time(const struct slot *s, unsigned step, double share)
{
	double ns = share * conf.cost[step] * conf.events * conf.slow * part(s->b.seq, step);
	struct timespec t;

	if (ns < 1)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += (double)t.tv_nsec;
	t.tv_sec += (time_t)(ns / 1e9);
	t.tv_nsec = (long)(ns - 1e9 * (double)(time_t)(ns / 1e9));
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

void step_read(struct pipeline *p, struct slot *s, uint64_t seq)
{
	batch_reset(&s->b);
	s->b.seq = seq;
	s->b.kind = BATCH_EVENTS;
	s->b.last = seq + 1 == conf.batches;
	take_time(s, FRAME, 1);
}

void step_digest(struct pipeline *p, struct slot *s)
{
	take_time(s, DIGEST, 1);
}

void step_apply(struct pipeline *p, struct slot *s)
{
	unsigned n = state_fd_shards(p->st);

	take_time(s, APPLY, 1);
	if (!n)
		take_time(s, FDS, 1);
	s->b.fd_shards = (1u << n) - 1;
}

void step_apply_fds(struct pipeline *p, struct slot *s, unsigned shard)
{
	/* Not all have equal parts, and it is not always the same ones. */
	take_time(s, FDS, (0.8 + 0.1 * ((shard + s->b.seq) % 5)) / state_fd_shards(p->st));
}

void step_analyse(struct worker *w, struct slot *s)
{
	take_time(s, ANALYSE, 1);
}

/* When the middle half of the batches began and ended to be released: filling and emptying the
 * window is left out. */
static uint64_t half_began, half_ended;

bool step_release(struct pipeline *p, struct slot *s)
{
	take_time(s, RELEASE, 1);
	if (s->b.seq == conf.batches / 4)
		half_began = now();
	if (s->b.seq == conf.batches / 4 * 3)
		half_ended = now();
	p->stats.events += conf.events;
	return s->b.last;
}

void slot_recycle(struct pipeline *p, struct slot *s) {}

/* ---- what the lock sees (linked with --wrap) ---- */

static _Atomic uint64_t wakes, holds, held_ns;
static __thread uint64_t held_since;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

static void released(void)
{
	uint64_t ns = now() - held_since;

	if (ns > 20000)
		return; /* put aside by the kernel meanwhile: too few cores */
	holds++;
	held_ns += ns;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	int rc = __real_pthread_mutex_lock(m);

	held_since = now();
	return rc;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	released();
	return __real_pthread_mutex_unlock(m);
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	released();
	int rc = __real_pthread_cond_wait(c, m);

	wakes++;
	held_since = now();
	return rc;
}

/* ---- a source without a file: the steps above do not read ---- */

static int no_read(void *ctx, struct batch *b, struct err *e)
{
	return 0;
}
static void no_release(void *ctx, struct batch *b) {}
static void no_op(void *ctx) {}

/* ---- runs ---- */

static double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int run(unsigned workers, double *wall, double *cpu)
{
	static const struct source_ops ops = {
		.read = no_read, .release = no_release, .stop = no_op, .close = no_op};
	struct demand d;
	struct render_opts ro = {0};
	struct sink sink;
	struct pipeline_opts o = {.workers = workers, .demand = &d, .ro = &ro, .sink = &sink};
	struct pipeline_stats stats = {0};
	struct err e;
	int rc;

	err_clear(&e);
	demand_init(&d, false);
	d.bits |= conf.cost[FDS] > 0 ? DEMAND_FDS : 0;
	sink_init(&sink, 1, false);
	rc = source_open_ops(&o.input, &ops, NULL, &e);
	*wall = clock_ns(CLOCK_MONOTONIC);
	*cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	rc = rc ? rc : pipeline_run("none", &o, &stats, &e);
	*wall = clock_ns(CLOCK_MONOTONIC) - *wall;
	*cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - *cpu;
	if (rc)
		fprintf(stderr, "bench_scale: %s\n", e.msg);
	return rc;
}

enum { FDS_AT_ONCE = 4, FDS_WORKERS = 5 }; /* shards that the pipeline makes, from so many workers on */

/* ns per event with n workers, if nothing but the steps took time. */
static double model(unsigned n)
{
	double total = 0, least, apply = conf.cost[APPLY], fds = conf.cost[FDS] / FDS_AT_ONCE;

	for (unsigned i = 0; i < STEPS; i++)
		total += conf.cost[i];
	if (n < FDS_WORKERS)
		apply += conf.cost[FDS];
	else
		apply = fds > apply ? fds : apply;
	least = conf.cost[FRAME] > apply ? conf.cost[FRAME] : apply;
	least = conf.cost[RELEASE] > least ? conf.cost[RELEASE] : least;
	return total / n > least ? total / n : least;
}

static int scale(unsigned workers, unsigned per_worker)
{
	double wall, cpu, ns;

	conf.batches = per_worker * (workers < 4 ? 4 : workers);
	wakes = holds = held_ns = 0;
	if (run(workers, &wall, &cpu))
		return 1;
	ns = (double)(half_ended - half_began) / conf.slow /
	     ((double)conf.events * (conf.batches / 4 * 2));
	printf("%7u %10.1f %10.1f %9.2f %12.1f %8.1f %8.1f %9.2f\n", workers,
	       model(workers) > 0 ? 1e3 / model(workers) : 0, model(workers) > 0 ? 1e3 / ns : 0,
	       model(workers) / ns, cpu / 1e3 / conf.batches, (double)wakes / conf.batches,
	       (double)holds / conf.batches, (double)held_ns / 1e3 / conf.batches);
	fflush(stdout);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_scale [--workers LIST] [--costs "
			"FRAME,DIGEST,APPLY,FDS,ANALYSE,RELEASE] [--events N] "
			"[--batches N] [--slow N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"workers", 1, NULL, 'w'}, {"costs", 1, NULL, 'c'},
					      {"events", 1, NULL, 'e'},	 {"batches", 1, NULL, 'b'},
					      {"slow", 1, NULL, 's'},	 {0}};
	const char *list = "1,2,4,8,16,32,64,128";
	unsigned per_worker = conf.batches;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		double *k = conf.cost;

		if (c == 'w')
			list = optarg;
		else if (c == 'c' && sscanf(optarg, "%lf,%lf,%lf,%lf,%lf,%lf", k, k + 1, k + 2,
					    k + 3, k + 4, k + 5) != STEPS)
			return usage();
		else if (c == 'e')
			conf.events = (unsigned)atoi(optarg);
		else if (c == 'b')
			per_worker = (unsigned)atoi(optarg);
		else if (c == 's')
			conf.slow = atof(optarg);
		else if (c != 'c')
			return usage();
	}
	if (!conf.events || !per_worker || conf.slow <= 0)
		return usage();
	prctl(PR_SET_TIMERSLACK, 1); /* inherited by the workers */
	printf("workers      model  scheduler     ratio |  us CPU    wakes    locks   us held  a "
	       "batch   (M events/s)\n");
	for (char *end; *list; list = *end ? end + 1 : end) {
		unsigned long n = strtoul(list, &end, 10);

		if (end == list || n < 1 || n > PIPELINE_MAX_WORKERS)
			return usage();
		if (scale((unsigned)n, per_worker))
			return 1;
	}
	return 0;
}
