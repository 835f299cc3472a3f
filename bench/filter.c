/* bench_filter FILE [REPEATS [FILTER...]]: what filters cost, in nanoseconds per event of the
 * trace, by class of filter. "digest" is the digest step with the filter's bitmap and header
 * program less the same step without, "match" the evaluation of the selected events with the
 * extraction of their fields, "w1" and "w2" the whole run with one and two workers, printing
 * nothing. Medians over the repeats. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "worker/pipeline.h"

static double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Of this thread, so that other programs do not count. */
static double cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static const struct {
	const char *class, *text;
} filters[] = {
	{"header", "evt.type=kexec_load"},
	{"header", "evt.type=openat and evt.dir=<"},
	{"header", "evt.cpu=63"},
	{"header", "thread.tid in (1, 2, 3, 4, 5, 6, 7, 8, 9)"},
	{"param", "evt.rawarg.size=1234567"},
	{"state", "proc.pid=1"},
	{"state", "fd.num=77"},
	{"state", "proc.apid=424242"},
	{"string", "proc.name=nosuchprocess"},
	{"string", "fd.name contains nosuchname"},
	{"string", "fd.name icontains nosuchname"},
	{"string", "fd.name startswith /nosuch"},
	{"string", "fd.name glob /*/nosuch*/*"},
	{"string", "fd.name contains anyof (nosucha, nosuchb, nosuchc, nosuchd)"},
	{"string", "fd.name pmatch (/nosuch, /etc/nosuch, /usr/nosuch)"},
	{"set", "proc.name in (nosucha, nosuchb, nosuchc, nosuchd, nosuche, nosuchf)"},
	{"set", "proc.pid in (1, 2, 3, 4, 5, 6, 7, 8)"},
	{"regex", "fd.name regex \"/nosuch/.*\\\\.so\""},
	{"regex", "proc.cmdline regex \".*(nosuch|such).*x\""},
	{"mixed", "evt.type=read and proc.name=cat and fd.name contains /etc"},
	{"mixed", "tolower(proc.name)=nosuch or basename(fd.name)=nosuch"},
};

enum { MAX_REPEATS = 32, COLUMNS = 4 };
struct cost {
	double digest, match;
	uint64_t events, selected, matched;
};

static void match_batch(struct filter_run *r, struct field_env *env, const struct batch *b,
			struct cost *k)
{
	evctx_begin(env->c, b);
	for (uint32_t i = 0; i < b->nev; i++) {
		if (!(b->ev[i].flags & ER_SELECTED))
			continue;
		k->matched += filter_match_at(r, env, i);
		k->selected++;
	}
}

/* The steps by hand, one thread. f NULL: no filter (only the digest counts). */
static int run_steps(const char *path, const struct filter *f, const struct demand *d,
		     struct cost *k, struct err *e)
{
	struct state_opts so = {.demand = d, .workers = 1};
	struct render_opts ro = {0};
	struct digest_pred pred = {0};
	struct filter_run *run = NULL;
	struct arena scratch;
	struct evctx c;
	struct field_env env = {.c = &c, .scratch = &scratch, .ro = &ro};
	struct state *st;
	struct source *s;
	struct batch b;
	int r = source_open(&s, path, NULL, e);

	if (r)
		return r;
	if (f) {
		pred = filter_header_pred(f);
		filter_run_new(&run, f);
	}
	state_new(&st, &so);
	batch_init(&b);
	arena_init(&scratch);
	evctx_init(&c, d);
	state_begin_file(st);
	for (uint64_t seq = 0; r == 0; seq++) {
		double t0, t1;

		batch_reset(&b);
		r = source_read(s, &b, e);
		b.seq = seq;
		t0 = cpu_ns();
		r = r ? r : digest_run(&b, d, pred.fn ? &pred : NULL);
		t1 = cpu_ns();
		r = r ? r : state_apply(st, &b, e);
		k->digest += t1 - t0;
		t0 = cpu_ns();
		if (!r && run)
			match_batch(run, &env, &b, k);
		k->match += cpu_ns() - t0;
		state_reclaim(st, seq + 1);
		k->events += b.nev;
		if (b.last)
			break;
	}
	filter_run_free(run);
	evctx_fini(&c);
	field_env_fini(&env);
	arena_fini(&scratch);
	batch_fini(&b);
	state_free(st);
	source_close(s);
	return r;
}

static int run_whole(const char *path, const struct filter *f, const struct demand *d,
		     unsigned workers, double *ns, struct err *e)
{
	struct render_opts ro = {0};
	struct pipeline_opts o = {.workers = workers, .demand = d, .ro = &ro, .filter = f};
	struct pipeline_stats stats;
	double t0 = clock_ns(CLOCK_MONOTONIC);
	int r = pipeline_run(path, &o, &stats, e);

	*ns = clock_ns(CLOCK_MONOTONIC) - t0;
	return r;
}

static int dbl_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), dbl_cmp);
	return v[n / 2];
}

static int bench(const char *path, const char *class, const char *text, int repeats, struct err *e)
{
	static double col[COLUMNS][MAX_REPEATS];
	struct filter *f;
	struct demand d, all;
	struct cost k, none;
	int r = filter_compile(&f, text, false, e);

	if (r)
		return r;
	demand_init(&d, false);
	demand_add(&d, filter_demand(f));
	all = d;
	filter_types(f, &d);
	for (int i = 0; i < repeats && !r; i++) {
		k = none = (struct cost){0};
		r = run_steps(path, NULL, &all, &none, e);
		r = r ? r : run_steps(path, f, &d, &k, e);
		r = r ? r : run_whole(path, f, &d, 1, &col[2][i], e);
		r = r ? r : run_whole(path, f, &d, 2, &col[3][i], e);
		col[0][i] = k.digest - none.digest;
		col[1][i] = k.match;
	}
	if (!r)
		printf("%-7s %8.2f %8.2f %8.2f %8.2f  %8" PRIu64 " %8" PRIu64 "  %s\n", class,
		       median(col[0], repeats) / (double)k.events,
		       median(col[1], repeats) / (double)k.events,
		       median(col[2], repeats) / (double)k.events,
		       median(col[3], repeats) / (double)k.events, k.selected, k.matched, text);
	filter_free(f);
	return r;
}

int main(int argc, char **argv)
{
	int repeats = argc > 2 ? atoi(argv[2]) : 5, r = 0;
	struct err e;

	if (argc < 2 || repeats < 1 || repeats > MAX_REPEATS) {
		fprintf(stderr, "usage: bench_filter FILE [REPEATS [FILTER...]]\n");
		return 2;
	}
	err_clear(&e);
	printf("%-7s %8s %8s %8s %8s  %8s %8s  ns per event of the trace\n", "class", "digest",
	       "match", "w1", "w2", "selected", "matched");
	for (unsigned i = 0; argc <= 3 && i < ARRAY_SIZE(filters) && !r; i++)
		r = bench(argv[1], filters[i].class, filters[i].text, repeats, &e);
	for (int i = 3; i < argc && !r; i++)
		r = bench(argv[1], "given", argv[i], repeats, &e);
	if (r)
		fprintf(stderr, "bench_filter: %s\n", e.msg);
	return r != 0;
}
