/* bench_stages TRACE [REPEATS]: what each stage costs by itself, one thread. One line per stage:
 * nanoseconds of CPU time per event that the stage saw (median and least of the repeats), and the
 * number of those events. Under callgrind each stage's instructions are dumped under its name, with
 * one repeat (bench/stages does it). Stages of a run read the trace batch by batch as a run does;
 * "apply" of single kinds of calls works on made events.
 *
 * Filter, fields and formats include moving to the event ("bind: load") and finding what they need
 * of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <valgrind/callgrind.h>

#include "filter/filter.h"
#include "merge/aggregate.h"
#include "output/format.h"
#include "output/pack.h"
#include "source/source.h"
#include "state/bind.h"
#include "state/digest.h"
#include "../tests/unit/state_make.h"

enum {
	MAX_REPEATS = 64,
	ALL_BITS = DEMAND_FDS | DEMAND_VOLATILE | DEMAND_USERS | DEMAND_CONTAINERS
};

static int repeats = 5;

/* ---- measuring ---- */

static struct {
	double t0, ns; /* of the present repeat */
	uint64_t n;
} now;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void begin(void)
{
	now.t0 = cpu_ns();
	CALLGRIND_TOGGLE_COLLECT;
}

/* n: events the stage saw since begin. */
static void end(uint64_t n)
{
	CALLGRIND_TOGGLE_COLLECT;
	now.ns += cpu_ns() - now.t0;
	now.n += n;
}

static int dbl_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* fn measures one repeat with begin and end. */
static void stage(const char *group, const char *name, void (*fn)(const void *arg), const void *arg)
{
	double ns[MAX_REPEATS];
	char label[128];

	for (int i = 0; i < repeats; i++) {
		now.ns = 0;
		now.n = 0;
		fn(arg);
		ns[i] = now.n ? now.ns / (double)now.n : 0;
	}
	snprintf(label, sizeof(label), "%s: %s", group, name);
	CALLGRIND_DUMP_STATS_AT(label);
	qsort(ns, (size_t)repeats, sizeof(*ns), dbl_cmp);
	printf("%-44s %9.2f %9.2f %10" PRIu64 "\n", label, ns[repeats / 2], ns[0], now.n);
	fflush(stdout);
}

static void must(int rc, const struct err *e)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_stages: %s\n", e->msg);
	exit(1);
}

/* ---- stages of a run over the trace ---- */

/* SPLIT, SHARDS: what shards of descriptors add and do; the turns of all of them are taken by one
 * thread, one behind the other. */
enum what { READ, DIGEST, SPLIT, APPLY, SHARDS, RECLAIM, BIND, EACH };

struct setup {
	enum what what;
	unsigned shards;
	struct demand demand;
	struct render_opts ro;
	struct filter *filter; /* EACH: one of these, or moving alone */
	struct format *format;
	struct field_ref *field;
	struct filter_run *run;
	struct field_env env;
	struct arena scratch;
	struct buf out;
	uint64_t found; /* keeps the loops honest */
};

static const char *trace_path;

static void see_event(struct setup *s, struct evctx *c)
{
	struct value v;

	if (s->filter) {
		s->found += filter_match(s->run, &s->env);
	} else if (s->format) {
		format_event(s->format, &s->env, &s->out);
	} else if (s->field) {
		field_get(s->field, &s->env, &v);
		s->found += v.has;
	} else if (s->what == BIND) {
		s->found += evctx_thread(c, NULL) != NULL;
		s->found += evctx_fd(c) != NULL;
	}
}

static uint64_t see_batch(struct setup *s, struct evctx *c, const struct batch *b)
{
	uint64_t n = 0;

	evctx_begin(c, b);
	for (uint32_t i = 0; i < b->nev; i++) {
		if ((b->ev[i].flags & (ER_SELECTED | ER_HIDDEN)) != ER_SELECTED)
			continue;
		evctx_move(c, i);
		if (s->scratch.used_bytes)
			arena_reset(&s->scratch);
		see_event(s, c);
		n++;
	}
	return n;
}

static void run_batch(struct setup *s, struct source *src, struct state *st, struct evctx *c,
		      struct batch *b)
{
	struct digest_pred pred =
		s->filter ? filter_header_pred(s->filter) : (struct digest_pred){0};
	struct err e;

	err_clear(&e);
	if (s->what == READ)
		begin();
	must(source_read(src, b, &e), &e);
	if (s->what == READ)
		end(b->nblk);
	if (s->what == DIGEST)
		begin();
	digest_run(b, &s->demand, pred.fn ? &pred : NULL);
	if (s->what == DIGEST)
		end(b->nev);
	if (s->what == SPLIT)
		begin();
	must(state_split(st, b), &e);
	if (s->what == SPLIT)
		end(b->nev);
	if (s->what == APPLY)
		begin();
	must(state_apply(st, b, &e), &e);
	if (s->what == APPLY)
		end(b->nev);
	if (s->what == SHARDS)
		begin();
	for (unsigned k = 0; k < s->shards; k++)
		if (!b->all_shards && b->fd_shards >> k & 1)
			must(state_apply_fds(st, b, k), &e);
	if (b->all_shards)
		must(state_apply_fds(st, b, STATE_ALL_SHARDS), &e);
	for (unsigned k = 0; k < s->shards; k++)
		state_reclaim_fds(st, k, b->seq);
	if (s->what == SHARDS)
		end(b->nev);
	if (s->what >= BIND && b->kind == BATCH_EVENTS) {
		begin();
		end(see_batch(s, c, b));
	}
	if (s->what == RECLAIM)
		begin();
	state_reclaim(st, b->seq + 1);
	if (s->what == RECLAIM)
		end(b->nev);
	buf_reset(&s->out);
}

static void run_trace(const void *arg)
{
	struct setup *s = (struct setup *)arg;
	struct state_opts so = {
		.demand = &s->demand, .workers = 1, .fd_shards = s->shards};
	struct source *src;
	struct state *st;
	struct evctx c;
	struct batch b;
	struct err e;

	err_clear(&e);
	must(source_open(&src, trace_path, NULL, &e), &e);
	must(state_new(&st, &so), &e);
	batch_init(&b);
	evctx_init(&c, &s->demand);
	state_begin_file(st);
	arena_init(&s->scratch);
	buf_init(&s->out);
	s->env = (struct field_env){.c = &c, .scratch = &s->scratch, .ro = &s->ro};
	if (s->filter)
		must(filter_run_new(&s->run, s->filter), &e);
	for (uint64_t seq = 0; !b.last; seq++) {
		batch_reset(&b);
		b.seq = seq;
		run_batch(s, src, st, &c, &b);
		source_release(src, &b);
	}
	if (s->filter)
		filter_run_free(s->run);
	field_env_fini(&s->env);
	buf_fini(&s->out);
	arena_fini(&s->scratch);
	evctx_fini(&c);
	batch_fini(&b);
	state_free(st);
	source_close(src);
}

static unsigned nshards; /* of the stages that follow; 0 = none */

static void run_stage(const char *group, const char *name, enum what what, uint32_t bits)
{
	struct setup s = {.what = what, .shards = nshards};

	demand_init(&s.demand, false);
	if (bits)
		demand_add(&s.demand, bits);
	stage(group, name, run_trace, &s);
}

static void filter_stage(const char *class, const char *text)
{
	struct setup s = {.what = EACH};
	struct err e;

	err_clear(&e);
	must(filter_compile(&s.filter, text, false, &e), &e);
	demand_init(&s.demand, false);
	demand_add(&s.demand, filter_demand(s.filter));
	filter_types(s.filter, &s.demand);
	if (filter_header_decides(s.filter))
		s.what = DIGEST;
	stage(class, text, run_trace, &s);
	filter_free(s.filter);
}

static void field_stage(const char *name)
{
	struct setup s = {.what = EACH};
	struct field_ref ref;
	struct err e;
	size_t used;

	err_clear(&e);
	must(field_parse(&ref, name, strlen(name), &used, &e), &e);
	s.field = &ref;
	demand_init(&s.demand, false);
	if (ref.demand)
		demand_add(&s.demand, ref.demand);
	stage("field", name, run_trace, &s);
	field_ref_fini(&ref);
}

static void format_stage(const char *name, const char *text, bool json)
{
	struct setup s = {.what = EACH, .ro = {.time_type = 'h', .json = json}};
	struct err e;

	err_clear(&e);
	must(format_parse(&s.format, text, &e), &e);
	demand_init(&s.demand, false);
	demand_add(&s.demand, format_demand(s.format));
	stage("format", name, run_trace, &s);
	format_free(s.format);
}

/* ---- apply of single kinds of calls ---- */

struct kind {
	const char *name;
	void (*make)(struct trace *t, unsigned i); /* the i-th of its kind */
	unsigned calls;				   /* per batch */
};

static void make_open(struct trace *t, unsigned i)
{
	ev_open(t, 100, 10 + i % 50, "/usr/share/some/file");
	ev_close(t, 100, 10 + i % 50, 0);
}

static void make_read(struct trace *t, unsigned i)
{
	trace_event(t, 100 + i % 8, EV_SYSCALL_READ_E, "qd", (int64_t)3, 100);
	trace_event(t, 100 + i % 8, EV_SYSCALL_READ_X, "qb", (int64_t)4, "data", 4);
}

static void make_dup(struct trace *t, unsigned i)
{
	trace_event(t, 100, EV_SYSCALL_DUP_E, "q", (int64_t)3);
	trace_event(t, 100, EV_SYSCALL_DUP_X, "q", (int64_t)(10 + i % 50));
}

static void make_connect(struct trace *t, unsigned i)
{
	static const uint8_t tuple[13] = {2, 127, 0, 0, 1, 0, 80, 127, 0, 0, 1, 1, 187};
	int64_t fd = 10 + i % 50;

	trace_event(t, 100, EV_SOCKET_SOCKET_E, "ddd", 2, 1, 0);
	trace_event(t, 100, EV_SOCKET_SOCKET_X, "q", fd);
	trace_event(t, 100, EV_SOCKET_CONNECT_E, "qe", fd);
	trace_event(t, 100, EV_SOCKET_CONNECT_X, "qb", (int64_t)0, tuple, 13);
	ev_close(t, 100, fd, 0);
}

static void make_mmap(struct trace *t, unsigned i)
{
	trace_event(t, 100 + i % 8, EV_SYSCALL_MUNMAP_E, "qq", (int64_t)4096, (int64_t)4096);
	trace_event(t, 100 + i % 8, EV_SYSCALL_MUNMAP_X, "qddd", (int64_t)0, 100 + (int)i, 50, 0);
}

static void make_clone(struct trace *t, unsigned i)
{
	int64_t child = 2000 + (int64_t)i;

	trace_event(t, 100, EV_SYSCALL_CLONE_20_E, "");
	ev_clone_exit(t, 100, child, "parent", 100, 1, 0);
	ev_clone_exit(t, child, 0, "parent", child, 100, 0);
	ev_procexit(t, child);
}

static void make_exec(struct trace *t, unsigned i)
{
	ev_exec_enter(t, 100 + i % 8, "/bin/program");
	ev_exec_exit(t, 100 + i % 8, 0, "program", 100 + i % 8, 1);
}

static void make_chdir(struct trace *t, unsigned i)
{
	trace_event(t, 100, EV_SYSCALL_CHDIR_E, "");
	trace_event(t, 100, EV_SYSCALL_CHDIR_X, "qs", (int64_t)0, i % 2 ? "/tmp" : "/var/tmp");
}

static const struct kind kinds[] = {
	{"read", make_read, 1000},   {"open, close", make_open, 900},
	{"dup", make_dup, 1000},     {"munmap", make_mmap, 1000},
	{"chdir", make_chdir, 1000}, {"socket, connect, close", make_connect, 600},
	{"execve", make_exec, 1000}, {"clone, procexit", make_clone, 900},
};

static void apply_made(const void *arg)
{
	const struct kind *k = arg;
	struct state_opts so;
	struct demand d;
	struct trace t;
	struct state *st;
	struct batch b;
	struct err e;

	err_clear(&e);
	demand_init(&d, false);
	demand_add(&d, DEMAND_FDS | DEMAND_VOLATILE);
	so = (struct state_opts){.demand = &d, .workers = 1};
	must(state_new(&st, &so), &e);
	state_begin_file(st);
	batch_init(&b);
	trace_init(&t);
	for (unsigned i = 0; i < k->calls; i++)
		k->make(&t, i);
	for (uint64_t seq = 0; seq < 20; seq++) {
		trace_cut(&t, &b, seq, 0, t.n);
		must(digest_run(&b, &d, NULL), &e);
		if (seq) /* the first one makes the threads */
			begin();
		must(state_apply(st, &b, &e), &e);
		state_reclaim(st, seq + 1);
		if (seq)
			end(b.nev);
	}
	batch_fini(&b);
	trace_fini(&t);
	state_free(st);
}

/* ---- aggregates and compression ---- */

enum { AGG_KEYS = 2000, AGG_EVENTS = 100000 };

static struct agg *agg_filled(char names[][48], unsigned n)
{
	struct agg_spec spec = {.nkeys = 1, .ncols = 1, .op = {AGG_SUM}};
	struct agg *a;
	struct buf key;

	if (agg_new(&a, &spec))
		exit(1);
	buf_init(&key);
	for (unsigned i = 0; i < n; i++) {
		const char *name = names[i * 7919u % AGG_KEYS];
		struct agg_datum k = {.kind = AGG_TEXT, .s = name, .len = (uint32_t)strlen(name)};
		struct agg_datum v = {.kind = AGG_INT, .i = i};

		buf_reset(&key);
		agg_key_add(&key, &k);
		agg_add(a, agg_row(a, key.p, (uint32_t)key.len), 0, &v, i);
	}
	buf_fini(&key);
	return a;
}

static void agg_names(char names[][48], unsigned from)
{
	for (unsigned i = 0; i < AGG_KEYS; i++)
		snprintf(names[i], sizeof(names[i]), "/usr/share/some/file-%u", from + i);
}

static void agg_update(const void *arg)
{
	static char names[AGG_KEYS][48];
	struct agg *a;

	agg_names(names, 0);
	begin();
	a = agg_filled(names, AGG_EVENTS);
	end(AGG_EVENTS);
	agg_free(a);
}

/* Half of the keys are in both tables. */
static void agg_combine(const void *arg)
{
	static char names[AGG_KEYS][48];
	struct agg *a, *b;

	agg_names(names, AGG_KEYS / 2);
	b = agg_filled(names, AGG_KEYS);
	agg_names(names, 0);
	for (int i = 0; i < 20; i++) {
		a = agg_filled(names, AGG_KEYS);
		begin();
		agg_merge(a, b);
		end(agg_rows(b));
		agg_free(a);
	}
	agg_free(b);
}

/* Per event of the trace, whatever its bytes are. */
static void compress_trace(const void *arg)
{
	enum pack_kind kind = *(const enum pack_kind *)arg;
	struct source *src;
	struct packer *p;
	struct batch b;
	struct buf out;
	struct err e;

	err_clear(&e);
	must(source_open(&src, trace_path, NULL, &e), &e);
	must(packer_new(&p, kind), &e);
	batch_init(&b);
	buf_init(&out);
	while (!b.last) {
		batch_reset(&b);
		must(source_read(src, &b, &e), &e);
		begin();
		packer_run(p, b.data, b.len, &out);
		end(b.nblk);
		buf_reset(&out);
		source_release(src, &b);
	}
	buf_fini(&out);
	batch_fini(&b);
	packer_free(p);
	source_close(src);
}

int main(int argc, char **argv)
{
	static const char *const fields[] = {
		"evt.num",	"evt.time",  "evt.type",     "evt.latency",   "evt.args",
		"evt.info",	"proc.name", "proc.cmdline", "proc.aname[2]", "fd.name",
		"fd.directory", "fd.sip",    "user.name",    "container.id"};
	static const enum pack_kind gzip = PACK_GZIP, zstd = PACK_ZSTD;

	repeats = argc > 2 ? atoi(argv[2]) : repeats;
	if (argc < 2 || repeats < 1 || repeats > MAX_REPEATS) {
		fprintf(stderr, "usage: bench_stages TRACE [REPEATS]\n");
		return 2;
	}
	trace_path = argv[1];
	if (RUNNING_ON_VALGRIND)
		repeats = 1;
	printf("%-44s %9s %9s %10s  ns per event\n", "stage", "median", "least", "events");
	run_stage("walk", "read and frame", READ, 0);
	run_stage("digest", "types", DIGEST, 0);
	run_stage("digest", "pairs", DIGEST, DEMAND_PAIRS);
	run_stage("digest", "descriptors", DIGEST, DEMAND_FDS);
	run_stage("apply", "threads", APPLY, DEMAND_THREADS);
	run_stage("apply", "descriptors", APPLY, DEMAND_FDS);
	run_stage("apply", "everything", APPLY, ALL_BITS);
	run_stage("apply", "reclaim", RECLAIM, DEMAND_FDS);
	nshards = 4;
	run_stage("shards", "split", SPLIT, DEMAND_FDS);
	run_stage("shards", "apply turn", APPLY, DEMAND_FDS);
	run_stage("shards", "reclaim", RECLAIM, DEMAND_FDS);
	run_stage("shards", "all turns", SHARDS, DEMAND_FDS);
	nshards = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		stage("apply of", kinds[i].name, apply_made, &kinds[i]);
	run_stage("bind", "load", EACH, DEMAND_FDS);
	run_stage("bind", "thread and descriptor", BIND, DEMAND_FDS);
	filter_stage("filter, header", "evt.type=kexec_load");
	filter_stage("filter, header", "thread.tid in (1, 2, 3, 4)");
	filter_stage("filter, parameter", "evt.rawarg.size=1234567");
	filter_stage("filter, number", "fd.num=77");
	filter_stage("filter, text", "proc.name=nosuchprocess");
	filter_stage("filter, substring", "fd.name contains nosuchname");
	filter_stage("filter, set", "proc.name in (a, b, c, d, e, f)");
	filter_stage("filter, glob", "fd.name glob /*/nosuch*/*");
	filter_stage("filter, regex", "fd.name regex \"/nosuch/.*so\"");
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		field_stage(fields[i]);
	format_stage("default line", FORMAT_DEFAULT, false);
	format_stage("default line as JSON", FORMAT_DEFAULT, true);
	stage("aggregate", "update", agg_update, NULL);
	stage("aggregate", "merge, per key", agg_combine, NULL);
	stage("compress", "gzip", compress_trace, &gzip);
	stage("compress", "zstd", compress_trace, &zstd);
	return 0;
}
