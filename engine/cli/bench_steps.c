/* The steps of a run by hand, in one thread, so that each can be timed by itself. Three passes:
 * without the filter's programs, with them, and with every instruction timed. The last is slow and
 * only says how the time of the second is shared out among the instructions. */
#include <stdlib.h>
#include <time.h>

#include "base/stop.h"
#include "cli/bench.h"
#include "source/source.h"
#include "state/digest.h"

enum pass { PASS_LOAD, PASS_MATCH, PASS_PROFILE };
enum { ROUNDS = 2 }; /* the lesser time counts: what else the machine does only adds */

struct walker {
	struct bench_row *row;
	enum pass pass;
	struct digest_pred pred;
	struct filter_run *run; /* owned */
	struct arena scratch;
	struct render_opts ro;
	struct evctx c;
	struct field_env env;
	struct state *st;
	struct source *src;
	struct batch b;
};

/* Times of one pass; ns of CPU time in all. */
struct tally {
	double read, digest, apply, analyse, wall;
	uint64_t events, selected, matched, ticks;
};

static double now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Adds what passed since *t to *sum. */
static void lap(double *t, double *sum)
{
	double now = now_ns(CLOCK_THREAD_CPUTIME_ID);

	*sum += now - *t;
	*t = now;
}

static bool event_passes(struct walker *w, uint32_t idx)
{
	if (w->pass == PASS_MATCH)
		return filter_match_at(w->run, &w->env, idx);
	field_env_move(&w->env, idx);
	return w->pass == PASS_LOAD || filter_profile_match(w->row->profile, &w->env);
}

static void analyse(struct walker *w, struct tally *t)
{
	bool decided = filter_header_decides(w->row->f);

	evctx_begin(&w->c, &w->b);
	for (uint32_t i = 0; i < w->b.nev; i++) {
		if ((w->b.ev[i].flags & (ER_SELECTED | ER_HIDDEN)) != ER_SELECTED)
			continue;
		t->selected++;
		t->matched += decided || event_passes(w, i);
	}
}

static int walker_open(struct walker *w, const char *path, struct bench_row *row, enum pass pass,
		       struct err *e)
{
	struct state_opts so = {.demand = &row->demand, .workers = 1};
	int rc;

	memset(w, 0, sizeof(*w));
	w->row = row;
	w->pass = pass;
	if (pass == PASS_MATCH)
		w->pred = filter_header_pred(row->f);
	else if (pass == PASS_PROFILE)
		w->pred = filter_profile_header_pred(row->profile);
	arena_init(&w->scratch);
	w->ro.compat029 = row->demand.compat029;
	w->env = (struct field_env){.c = &w->c, .scratch = &w->scratch, .ro = &w->ro};
	rc = source_open(&w->src, path, NULL, e);
	if (rc < 0)
		return rc;
	rc = batch_init(&w->b);
	if (!rc)
		rc = evctx_init(&w->c, &row->demand);
	if (!rc)
		rc = filter_run_new(&w->run, row->f);
	if (!rc)
		rc = state_new(&w->st, &so);
	if (rc)
		return err_set(e, rc, ERR_NO_POS, "out of memory for the tables");
	state_begin_file(w->st);
	return 0;
}

static void walker_close(struct walker *w)
{
	filter_run_free(w->run);
	evctx_fini(&w->c);
	field_env_fini(&w->env);
	arena_fini(&w->scratch);
	batch_fini(&w->b);
	state_free(w->st);
	source_close(w->src);
}

static int walk(struct walker *w, struct tally *t, struct err *e)
{
	double lap_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
	int rc = 0;

	for (uint64_t seq = 0; !rc && !w->b.last && !stop_requested(); seq++) {
		batch_reset(&w->b);
		rc = source_read(w->src, &w->b, e);
		w->b.seq = seq;
		lap(&lap_ns, &t->read);
		rc = rc ? rc : digest_run(&w->b, &w->row->demand, w->pred.fn ? &w->pred : NULL);
		lap(&lap_ns, &t->digest);
		rc = rc ? rc : state_apply(w->st, &w->b, e);
		lap(&lap_ns, &t->apply);
		if (!rc && w->b.kind == BATCH_EVENTS)
			analyse(w, t);
		lap(&lap_ns, &t->analyse);
		t->events += w->b.nev;
		state_reclaim(w->st, seq + 1);
		source_release(w->src, &w->b);
		lap(&lap_ns, &t->apply);
	}
	return rc;
}

static int pass_run(const char *path, struct bench_row *row, enum pass pass, struct tally *t,
		    struct err *e)
{
	struct walker w;
	uint64_t ticks = filter_ticks();
	double wall = now_ns(CLOCK_MONOTONIC);
	int rc = walker_open(&w, path, row, pass, e);

	*t = (struct tally){0};
	if (rc >= 0)
		rc = walk(&w, t, e);
	walker_close(&w);
	t->wall = now_ns(CLOCK_MONOTONIC) - wall;
	t->ticks = filter_ticks() - ticks;
	return rc;
}

/* Keeps the lesser time of each step. */
static void tally_min(struct tally *a, const struct tally *b, bool first)
{
	if (first) {
		*a = *b;
		return;
	}
	a->read = MIN(a->read, b->read);
	a->digest = MIN(a->digest, b->digest);
	a->apply = MIN(a->apply, b->apply);
	a->analyse = MIN(a->analyse, b->analyse);
}

int bench_steps(const char *path, struct bench_row *row, struct err *e)
{
	struct tally load = {0}, match = {0}, t;
	struct bench_steps *s = &row->steps;
	int rc = filter_profile_new(&row->profile, row->f);

	if (rc < 0)
		return err_set(e, rc, ERR_NO_POS, "out of memory for the profile of a filter");
	for (int i = 0; i < ROUNDS && !rc; i++) {
		rc = pass_run(path, row, PASS_LOAD, &t, e);
		tally_min(&load, &t, i == 0);
		rc = rc ? rc : pass_run(path, row, PASS_MATCH, &t, e);
		tally_min(&match, &t, i == 0);
	}
	rc = rc ? rc : pass_run(path, row, PASS_PROFILE, &t, e);
	if (rc)
		return rc;
	*s = (struct bench_steps){.read = match.read,
				  .digest = match.digest,
				  .apply = match.apply,
				  .events = match.events,
				  .selected = match.selected,
				  .matched = match.matched,
				  .header = MAX(match.digest - load.digest, 0),
				  .ns_per_tick = t.wall / (double)t.ticks};
	if (filter_header_decides(row->f)) {
		s->load = match.analyse;
		return 0;
	}
	s->load = load.selected ? load.analyse / (double)load.selected * (double)match.selected : 0;
	s->load = MIN(s->load, match.analyse);
	s->program = match.analyse - s->load;
	return 0;
}
