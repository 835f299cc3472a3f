/* bench_state FILE [DEMAND [REPEATS]]: nanoseconds per event of the digest, apply and binding
 * steps, each alone, one thread. DEMAND: types, pairs, threads, fds (default), volatile, all;
 * ":029" behind it for --compat=0.29. The file is read batch by batch as in a run with one worker;
 * reading is not counted. Prints the best and the median of the repeats. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "source/source.h"
#include "state/bind.h"
#include "state/digest.h"

/* CPU time: other load on the machine shall not count. */
static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const struct {
	const char *name;
	uint32_t bits;
} demands[] = {
	{"types", 0},
	{"pairs", DEMAND_PAIRS},
	{"threads", DEMAND_THREADS},
	{"fds", DEMAND_FDS},
	{"volatile", DEMAND_FDS | DEMAND_VOLATILE},
	{"all", DEMAND_FDS | DEMAND_VOLATILE | DEMAND_USERS | DEMAND_CONTAINERS | DEMAND_CPU},
};

struct cost {
	double read, digest, apply, bind, reclaim; /* ns in total */
	uint64_t events, rows, slots, batches;
	uint64_t found; /* descriptors: keeps the binding loop honest */
};

static void bind_batch(struct evctx *c, const struct batch *b, struct cost *k)
{
	evctx_begin(c, b);
	for (uint32_t i = 0; i < b->nev; i++) {
		evctx_move(c, i);
		k->found += evctx_thread(c, NULL) != NULL;
		k->found += evctx_fd(c) != NULL;
	}
}

static int run_file(const char *path, const struct demand *d, struct cost *k, struct err *e)
{
	struct digest_plan *plan = NULL;
	struct state_opts so = {.demand = d, .workers = 1};
	struct state *st;
	struct source *s;
	struct batch b;
	struct evctx c;
	int r = source_open(&s, path, NULL, e);

	if (r)
		return r;
	r = state_new(&st, &so);
	r = r ? r : digest_plan_new(&plan, d, NULL);
	batch_init(&b);
	evctx_init(&c, d);
	state_begin_file(st);
	for (uint64_t seq = 0; r == 0; seq++) {
		double t0 = now_ns(), t1, t2, t3, t4;

		batch_reset(&b);
		r = source_read(s, &b, e);
		b.seq = seq;
		t1 = now_ns();
		r = r ? r : digest_run_plan(&b, plan);
		t2 = now_ns();
		r = r ? r : state_apply(st, &b, e);
		t3 = now_ns();
		if (r == 0 && d->bits)
			bind_batch(&c, &b, k);
		t4 = now_ns();
		state_reclaim(st, seq + 1);
		k->reclaim += now_ns() - t4;
		k->read += t1 - t0;
		k->digest += t2 - t1;
		k->apply += t3 - t2;
		k->bind += t4 - t3;
		k->events += b.nev;
		k->rows += b.nrows;
		k->slots += b.nslots;
		k->batches++;
		if (b.bad.code && e) {
			*e = b.bad;
			r = b.bad.code;
		}
		if (b.last)
			break;
	}
	digest_plan_free(plan);
	evctx_fini(&c);
	batch_fini(&b);
	state_free(st);
	source_close(s);
	return r;
}

static int dbl_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_row(const char *name, double *v, int n, uint64_t events)
{
	qsort(v, (size_t)n, sizeof(*v), dbl_cmp);
	printf("%-8s %8.2f best %8.2f median ns/event\n", name, v[0] / (double)events,
	       v[n / 2] / (double)events);
}

enum { MAX_REPEATS = 64 };

int main(int argc, char **argv)
{
	static double col[5][MAX_REPEATS];
	int repeats = argc > 3 ? atoi(argv[3]) : 5;
	struct cost k = {0};
	struct rusage ru;
	struct demand d;
	struct err e;

	if (argc < 2 || repeats < 1 || repeats > MAX_REPEATS) {
		fprintf(stderr, "usage: bench_state FILE [DEMAND[:029] [REPEATS]]\n");
		return 2;
	}
	const char *want = argc > 2 ? argv[2] : "fds";
	size_t len = strcspn(want, ":");

	demand_init(&d, want[len] != 0);
	for (size_t i = 0; i < ARRAY_SIZE(demands); i++)
		if (strlen(demands[i].name) == len && memcmp(demands[i].name, want, len) == 0)
			demand_add(&d, demands[i].bits);
	for (int i = 0; i < repeats; i++) {
		err_clear(&e);
		k = (struct cost){0};
		if (run_file(argv[1], &d, &k, &e) < 0) {
			fprintf(stderr, "bench_state: %s:%" PRIu64 ": %s\n", argv[1], e.pos, e.msg);
			return 1;
		}
		col[0][i] = k.read;
		col[1][i] = k.digest;
		col[2][i] = k.apply;
		col[3][i] = k.bind;
		col[4][i] = k.reclaim;
	}
	getrusage(RUSAGE_SELF, &ru);
	printf("%s: %" PRIu64 " events, %" PRIu64 " batches, %" PRIu64 " slots, %" PRIu64
	       " rows, peak %ld KiB\n",
	       want, k.events, k.batches, k.slots, k.rows, ru.ru_maxrss);
	print_row("read", col[0], repeats, k.events);
	print_row("digest", col[1], repeats, k.events);
	print_row("apply", col[2], repeats, k.events);
	print_row("reclaim", col[4], repeats, k.events);
	if (d.bits)
		print_row("bind", col[3], repeats, k.events);
	return 0;
}
