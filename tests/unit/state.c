/* The tables as of each event: scenarios, each run in batches of several sizes, with analysis right
 * behind apply, far behind it, and after everything has been applied. What is seen at an event must
 * be the same in all of them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "source/source.h"
#include "state/bind.h"
#include "state/digest.h"
#include "state/state_priv.h"
#include "state_scenes.h"

static const char *const look_names[] = {"comm",	 "pid",
					 "ptid",	 "uid",
					 "fdlimit",	 "vmsize",
					 "cwd",		 "exepath",
					 "fd",		 "fds",
					 "threads",	 "siblings",
					 "event's comm", "event's fd number",
					 "event's fd",	 "latency",
					 "errno",	 "paired",
					 "stored enter", "user"};

/* ---- running them ---- */

struct run {
	const char *name;
	uint32_t size; /* of a batch */
	struct demand d;
	struct state *st;
	struct batch *b; /* [0] is metadata when there is any */
	uint32_t nb;
};

static struct thread *thread_of(const struct batch *b, int64_t tid, uint64_t ord,
				const struct thread_ver **v)
{
	struct thread *t = state_thread_at(b->root, tid, ord);

	*v = t ? thread_ver_at(t, ord) : NULL;
	return t;
}

static int count_fd(void *ctx, int fd, const struct fd_ver *f)
{
	int64_t *n = ctx; /* [0] count, [1] last number */

	assert_true(fd > n[1]);
	n[1] = fd;
	n[0]++;
	return 0;
}

static int count_thread(void *ctx, struct thread *t)
{
	int64_t *n = ctx;

	assert_true(t->tid > n[1]);
	n[1] = t->tid;
	n[0]++;
	return 0;
}

static int64_t look_num(const struct want *w, struct evctx *c)
{
	const struct thread_ver *v = NULL, *mv = NULL;
	struct thread *t = thread_of(c->b, w->tid, c->ord, &v), *m;
	int64_t n[2] = {0, -1};
	uint64_t ts;
	uint16_t type;
	bool paired;
	struct event enter;

	switch (w->look) {
	case LOOK_PID:
		return v ? v->pid : -2;
	case LOOK_PTID:
		return v ? v->ptid : -2;
	case LOOK_UID:
		return v ? (int64_t)v->uid : -2;
	case LOOK_FDLIMIT:
		return v ? (int64_t)v->fdlimit : -2;
	case LOOK_VMSIZE: {
		const struct thread_vol *vol = t ? thread_vol_at(t, c->ord) : NULL;

		return vol ? (int64_t)vol->vmsize_kb : -2;
	}
	case LOOK_NFDS:
		m = v ? state_main_at(c->b->root, t, v, c->ord) : NULL;
		mv = m ? thread_ver_at(m, c->ord) : NULL;
		assert_non_null(mv);
		assert_int_equal(state_fds_each(c->b->root, t, v, c->ord, count_fd, n), 0);
		return n[0];
	case LOOK_NTHREADS:
		assert_int_equal(state_threads_each(c->b->root, c->ord, count_thread, n), 0);
		return n[0];
	case LOOK_SIBLINGS:
		return t ? (int64_t)state_nthreads_at(t, c->ord) : -2;
	case LOOK_EV_FDNUM:
		return evctx_fdnum(c);
	case LOOK_EV_LATENCY:
		return (int64_t)evctx_latency(c);
	case LOOK_EV_ERRNO:
		return evctx_errno(c);
	case LOOK_EV_PAIRED:
		evctx_enter(c, &ts, &type, &paired);
		return paired;
	case LOOK_EV_ENTER:
		return evctx_enter_event(c, &enter);
	default:
		fail();
		return 0;
	}
}

static const char *fd_text(const struct evctx *c, const struct fd_ver *f)
{
	uint32_t len;

	return f ? fd_ver_name(f, c->demand->compat029, &len) : NULL;
}

static const char *look_text(const struct want *w, struct evctx *c)
{
	const struct thread_ver *v, *mv;
	struct thread *t = thread_of(c->b, w->tid, c->ord, &v), *m;
	const struct user *u;

	switch (w->look) {
	case LOOK_COMM:
		return v ? v->comm->s : NULL;
	case LOOK_EXEPATH:
		return v ? v->exepath->s : NULL;
	case LOOK_CWD:
		m = v ? state_main_at(c->b->root, t, v, c->ord) : NULL;
		mv = m ? thread_ver_at(m, c->ord) : NULL;
		return mv ? mv->cwd->s : NULL;
	case LOOK_FD:
		return v ? fd_text(c, state_fd_at(c->b->root, t, v, w->arg, c->ord)) : "no thread";
	case LOOK_EV_COMM:
		evctx_thread(c, &v);
		return v ? v->comm->s : NULL;
	case LOOK_EV_FD:
		return fd_text(c, evctx_fd(c));
	case LOOK_USER:
		u = state_user_at(c->b->root, (uint32_t)w->arg, c->ord);
		return u ? u->name : NULL;
	default:
		fail();
		return NULL;
	}
}

static bool look_is_text(enum look l)
{
	return l == LOOK_COMM || l == LOOK_EXEPATH || l == LOOK_CWD || l == LOOK_FD ||
	       l == LOOK_EV_COMM || l == LOOK_EV_FD || l == LOOK_USER;
}

static void check_want(const struct run *r, const struct want *w, struct evctx *c)
{
	const char *s = look_is_text(w->look) ? look_text(w, c) : NULL;
	int64_t n = look_is_text(w->look) ? 0 : look_num(w, c);

	if (look_is_text(w->look) ? (!s != !w->text || (s && strcmp(s, w->text) != 0)) : n != w->n)
		fail_msg("%s%s, batches of %u, event %u: %s of %" PRId64 " [%" PRId64
			 "] is %s (%" PRId64 "), expected %s (%" PRId64 ")",
			 r->name, r->d.compat029 ? " (0.29)" : "", r->size, w->idx,
			 look_names[w->look], w->tid, w->arg, s ? s : "-", n,
			 w->text ? w->text : "-", w->n);
}

/* All events of a slot that is said to be stable see what its first one saw. Counts what was compared, so that the
 * caller can tell that there was something. */
static unsigned nstable_thread, nstable_main; /* threads seen again; other main threads */

static void check_stable(const struct run *r, struct evctx *c)
{
	const struct batch *b = c->b;

	for (uint32_t i = 0; i < b->nev; i++) {
		const struct thread_ver *v, *mv, *v0, *mv0;
		uint32_t slot = b->ev[i].slot;
		unsigned stable = slot == UINT32_MAX ? 0 : evctx_slot_stable(c, slot);

		if (!stable)
			continue;
		evctx_move(c, b->slots[slot].first);
		evctx_thread(c, &v0);
		evctx_main(c, &mv0);
		evctx_move(c, i);
		evctx_thread(c, &v);
		evctx_main(c, &mv);
		if (v != v0 || ((stable & STABLE_MAIN) && mv != mv0))
			fail_msg("%s, %u events a batch: event %u differs from the first of its slot", r->name,
				 r->size, i);
		nstable_thread += i != b->slots[slot].first && v;
		nstable_main += i != b->slots[slot].first && mv != v && (stable & STABLE_MAIN);
	}
}

/* What evctx_fd_plain says of later events holds. */
static unsigned nplain, nplain_unknown; /* entries seen again, and none */
static unsigned nplain_end;		/* stretches that end inside a batch */

static void check_plain(const struct run *r, struct evctx *c)
{
	const struct batch *b = c->b;

	for (uint32_t i = 0; i < b->nev; i++) {
		const struct fd_ver *f;
		uint64_t until;

		evctx_move(c, i);
		if (!evctx_fd_plain(c, &f, &until))
			continue;
		nplain_end += until < b->first_ord + b->nev;
		for (uint32_t k = i + 1; k < b->nev && b->first_ord + k < until; k++) {
			if (b->ev[k].slot != b->ev[i].slot || b->ev[k].fd != b->ev[i].fd ||
			    !evctx_rec_plain_fd(c, &b->ev[k]))
				continue;
			evctx_move(c, k);
			if (evctx_fd(c) != f)
				fail_msg("%s, %u events a batch: event %u has not the descriptor "
					 "of event %u",
					 r->name, r->size, k, i);
			nplain += f != NULL;
			nplain_unknown += f == NULL;
		}
	}
}

/* What the scenario wants of the events of one batch. */
static void analyse(const struct run *r, const struct sc *s, const struct batch *b)
{
	struct evctx c;
	uint32_t first = (uint32_t)(b->num_base - 1);

	if (b->kind != BATCH_EVENTS)
		return;
	assert_int_equal(evctx_init(&c, &r->d), 0);
	assert_int_equal(evctx_begin(&c, b), 0);
	check_stable(r, &c);
	check_plain(r, &c);
	for (uint32_t i = 0; i < b->nev; i++) {
		for (unsigned k = 0; k < s->nwant; k++) {
			if (s->want[k].idx != first + i)
				continue;
			evctx_move(&c, i);
			check_want(r, &s->want[k], &c);
		}
	}
	evctx_fini(&c);
}

static void run_open(struct run *r, const struct sc *s, const char *name, bool compat,
		     uint32_t size, unsigned workers)
{
	struct state_opts o = {.demand = &r->d, .workers = workers};
	uint32_t nev = (s->t.n + size - 1) / size;

	memset(r, 0, sizeof(*r));
	r->name = name;
	r->size = size;
	demand_init(&r->d, compat);
	demand_add(&r->d, DEMAND_FDS | DEMAND_VOLATILE | DEMAND_USERS);
	assert_int_equal(state_new(&r->st, &o), 0);
	state_begin_file(r->st);
	r->nb = nev + (s->nmeta != 0);
	r->b = calloc(r->nb, sizeof(*r->b));
	for (uint32_t i = 0; i < r->nb; i++)
		batch_init(&r->b[i]);
}

static void run_apply(struct run *r, const struct sc *s, uint32_t i)
{
	struct batch *b = &r->b[i];
	struct err e;

	if (s->nmeta && i == 0) {
		cut_meta(s, b);
	} else {
		uint32_t first = (i - (s->nmeta != 0)) * r->size;

		trace_cut(&s->t, b, i, first, MIN(r->size, s->t.n - first));
	}
	b->seq = i;
	err_clear(&e);
	assert_int_equal(digest_run(b, &r->d, NULL), 0);
	assert_int_equal(b->bad.code, 0);
	if (state_apply(r->st, b, &e) < 0)
		fail_msg("%s: %s", r->name, e.msg);
}

static void run_close(struct run *r)
{
	for (uint32_t i = 0; i < r->nb; i++)
		batch_fini(&r->b[i]);
	free(r->b);
	state_free(r->st);
}

/* Analysis follows apply at a distance of lag batches; what is behind both is reclaimed. */
static void run_lagged(const struct sc *s, const char *name, bool compat, uint32_t size,
		       uint32_t lag, unsigned workers)
{
	struct run r;

	run_open(&r, s, name, compat, size, workers);
	state_reader_register(r.st);
	for (uint32_t i = 0; i < r.nb + lag; i++) {
		if (i < r.nb)
			run_apply(&r, s, i);
		if (i >= lag) {
			analyse(&r, s, &r.b[i - lag]);
			state_reader_quiescent(r.st);
			state_reclaim(r.st, i - lag + 1);
		}
	}
	state_reader_unregister(r.st);
	run_close(&r);
}

/* Everything is applied first; then the batches are looked at from the last to the first. */
static void run_backwards(const struct sc *s, const char *name, bool compat, uint32_t size)
{
	struct run r;

	run_open(&r, s, name, compat, size, 1);
	for (uint32_t i = 0; i < r.nb; i++)
		run_apply(&r, s, i);
	for (uint32_t i = r.nb; i-- > 0;)
		analyse(&r, s, &r.b[i]);
	run_close(&r);
}

static void run_scenario(const char *name, void (*build)(struct sc *s), bool compat)
{
	static const uint32_t sizes[] = {1, 2, 3, 5, 1000};
	static struct sc s;

	memset(&s, 0, sizeof(s));
	trace_init(&s.t);
	build(&s);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (uint32_t lag = 0; lag < 4; lag++) {
			run_lagged(&s, name, compat, sizes[i], lag, 1);
			run_lagged(&s, name, compat, sizes[i], lag, 2);
		}
		run_backwards(&s, name, compat, sizes[i]);
	}
	trace_fini(&s.t);
	buf_fini(&s.meta);
}

static void test_scenarios(void **state)
{
	for (size_t i = 0; i < nscenarios; i++) {
		if (scenarios[i].modes & MODE_DEFAULT)
			run_scenario(scenarios[i].name, scenarios[i].build, false);
		if (scenarios[i].modes & MODE_COMPAT)
			run_scenario(scenarios[i].name, scenarios[i].build, true);
	}
	assert_true(nstable_thread > 100);
	assert_true(nstable_main > 0);
	assert_true(nplain > 20 && nplain_unknown > 0 && nplain_end > 0);
}

/* ---- memory ---- */

static size_t live_objects(const struct state *st)
{
	size_t n = 0;

	for (unsigned i = 0; i <= st->nshards; i++)
		for (unsigned k = 0; k < POOL_KINDS; k++)
			n += k == POOL_KIN ? 0 : pool_live(&st->mut[i].pool[k]);
	return n;
}

/* A long life of forks, execs, opens and ends leaves no more behind than a short one. */
static void one_life(struct trace *t, int64_t tid)
{
	ev_clone_exit(t, 10, tid, "parent", 10, 1, 0);
	ev_clone_exit(t, tid, 0, "child", tid, 10, 0);
	ev_open(t, tid, 3, "/some/rather/long/name/that/is/not/short/any/more");
	ev_exec_enter(t, tid, "/bin/true");
	ev_exec_exit(t, tid, 0, "true", tid, 10);
	ev_open(t, 10, 40 + tid % 40, "in/parent");
	ev_close(t, tid, 3, 0);
	ev_close(t, 10, 40 + tid % 40, 0);
	ev_procexit(t, tid);
}

static void test_reclaim(void **state)
{
	struct state_opts o = {.workers = 1};
	static struct trace t;
	struct demand d;
	struct state *st;
	struct batch b;
	size_t after_first = 0;

	demand_init(&d, false);
	demand_add(&d, DEMAND_FDS | DEMAND_VOLATILE);
	o.demand = &d;
	assert_int_equal(state_new(&st, &o), 0);
	batch_init(&b);
	for (uint64_t seq = 0; seq < 300; seq++) {
		trace_init(&t);
		for (int i = 0; i < 40; i++)
			one_life(&t, 1000 + (int64_t)(seq * 40 + (uint64_t)i) % 5000);
		trace_cut(&t, &b, seq, 0, t.n);
		assert_int_equal(digest_run(&b, &d, NULL), 0);
		assert_int_equal(state_apply(st, &b, NULL), 0);
		state_reclaim(st, seq + 1);
		if (seq == 0)
			after_first = live_objects(st);
		/* The directories of process 10 may differ in what they hold by a block or two. */
		assert_in_range(live_objects(st), 1, after_first + 8);
		trace_fini(&t);
	}
	batch_fini(&b);
	state_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_reclaim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
