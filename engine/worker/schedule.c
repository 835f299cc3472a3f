/* Several workers: each takes the next piece of work that is ready, does it, and sleeps when there is none. */
#include <stdlib.h>
#include <time.h>

#include "base/apart.h"
#include "base/assert.h"
#include "worker/memory.h"
#include "worker/window.h"

enum {
	OUT_LIMIT_BYTES = 64 << 20, /* rendered output that may wait for release */
	LINGER_LOOKS = 1000,	    /* some 30 us */
	NS_PER_S = 1000000000,
};

enum task { TASK_NONE, TASK_FETCH, TASK_READ, TASK_DIGEST, TASK_APPLY, TASK_FDS, TASK_ANALYSE, TASK_RELEASE, TASK_PACK };

/* ---- what is ready, all with the lock held ---- */

static bool fetch_take(struct pipeline *p, unsigned id, bool urgent, uint64_t *item)
{
	int i = p->read_done ? -1 : source_fetch_claim(p->src, id, urgent);

	*item = (uint64_t)i;
	return i >= 0;
}

static bool may_read(struct pipeline *p)
{
	return !p->reading && !p->read_done && p->nfree;
}

/* With spread: whose state analyses batch seq. Any n batches from a multiple of n on go to n states, in an order that
 * changes, since what is in a batch may repeat like the batches do. */
static struct worker *analyst_of(struct pipeline *p, uint64_t seq)
{
	uint64_t n = p->o->workers, turn = seq / n * 0x9E3779B97F4A7C15u >> 32;

	return &p->workers[(seq + turn) % n];
}

/* The next batch for a state that nobody uses: each takes its batches in order. */
static struct slot *next_spread(struct pipeline *p, uint64_t *seq)
{
	for (uint64_t q = p->release_seq; p->in_state[SLOT_APPLIED] && q < p->read_seq; q++) {
		if (!seq_in(p, q, SLOT_APPLIED) || analyst_of(p, q)->analysing)
			continue;
		*seq = q;
		return slot_of(p, q);
	}
	return NULL;
}

static struct slot *next_applied(struct pipeline *p, unsigned id, bool own, uint64_t *seq)
{
	return p->o->spread ? next_spread(p, seq) : oldest_in(p, SLOT_APPLIED, id, own, seq);
}

static bool may_analyse(const struct pipeline *p, uint64_t seq)
{
	return p->out_bytes < OUT_LIMIT_BYTES || seq == p->release_seq;
}

/* There is work for one more worker, as far as can be seen without taking it. Called with the lock held.
 *
 * Who wakes whom: a worker that takes a piece of work wakes one that sleeps if there is more, and that one does the
 * same in turn. Work comes up in the hands of a worker that looks for the next piece right away, so none is missed:
 * only where it goes on with something else (the apply turn) it wakes another for what it leaves. A source that has
 * work by itself wants one sleeper that keeps the time: that counts as work. Waking all at every step
 * costs little on two cores; on many it would be a crowd at the lock. */
static bool work_left(struct pipeline *p)
{
	if (!p->releasing && seq_in(p, p->release_seq, SLOT_ANALYSED))
		return true;
	if ((!p->applying && may_apply(p)) || shard_left(p))
		return true;
	if (p->in_state[SLOT_READ] || (p->o->writer && writer_has_work(p->o->writer)))
		return true;
	if (p->in_state[SLOT_APPLIED] && (p->out_bytes < OUT_LIMIT_BYTES || seq_in(p, p->release_seq, SLOT_APPLIED)))
		return true;
	return !p->read_done && ((may_read(p) && source_read_ready(p->src)) || source_fetch_ready(p->src) ||
				 (!p->timing && source_wait_ns(p->src) != UINT64_MAX));
}

/* The next step of a batch; own: of one that this worker has in its caches. Called with the lock held. Later steps
 * first: they free memory; among equal steps the oldest batch: everybody waits for it. */
static enum task batch_take(struct pipeline *p, unsigned id, bool own, struct slot **out, uint64_t *seq)
{
	struct slot *s = next_applied(p, id, own, seq);

	if (s && may_analyse(p, *seq)) {
		slot_set(p, s, SLOT_ANALYSING);
		if (p->o->spread)
			analyst_of(p, *seq)->analysing = true;
		*out = s;
		return TASK_ANALYSE;
	}
	s = oldest_in(p, SLOT_READ, id, own, seq);
	if (s) {
		slot_set(p, s, SLOT_DIGESTING);
		tag_of(p, s)->owner = (uint16_t)id;
		*out = s;
		return TASK_DIGEST;
	}
	if (may_read(p) && source_read_ready(p->src) && (!own || source_read_suits(p->src, id))) {
		s = slot_take(p, id);
		slot_set(p, s, SLOT_READING);
		tag_of(p, s)->owner = (uint16_t)id;
		p->reading = true;
		*out = s;
		*seq = p->read_seq;
		return TASK_READ;
	}
	return TASK_NONE;
}

/* Picks the next piece of work and takes it. Called with the lock held. What others wait for comes first. Where it
 * matters in whose caches a batch lies, a worker goes on with its own and begins new ones before it takes one of
 * another worker's, whose data it would have to fetch from there. */
static enum task task_take(struct pipeline *p, unsigned id, struct slot **out, uint64_t *seq)
{
	enum task t;
	int shard;

	if (fetch_take(p, id, true, seq))
		return TASK_FETCH;
	if (!p->releasing && seq_in(p, p->release_seq, SLOT_ANALYSED)) {
		*out = slot_of(p, p->release_seq);
		slot_set(p, *out, SLOT_RELEASING);
		p->releasing = true;
		return TASK_RELEASE;
	}
	if (!p->applying && may_apply(p)) {
		*out = slot_of(p, p->apply_seq);
		slot_set(p, *out, SLOT_APPLYING);
		p->applying = true;
		return TASK_APPLY;
	}
	shard = shard_take(p, out);
	if (shard >= 0) {
		*seq = (uint64_t)shard;
		return TASK_FDS;
	}
	if (p->o->writer && writer_has_work(p->o->writer))
		return TASK_PACK;
	if (source_owned(p->src)) {
		t = batch_take(p, id, true, out, seq);
		if (t == TASK_NONE && fetch_take(p, id, false, seq))
			t = TASK_FETCH;
		if (t != TASK_NONE)
			return t;
	}
	t = batch_take(p, id, false, out, seq);
	return t == TASK_NONE && fetch_take(p, id, false, seq) ? TASK_FETCH : t;
}

/* ---- doing it ---- */

static void do_analyse(struct worker *w, struct slot *s, uint64_t seq)
{
	struct pipeline *p = w->p;
	struct worker *as = p->o->spread ? analyst_of(p, seq) : w;

	step_analyse(as, s);
	pthread_mutex_lock(&p->lock);
	as->analysing = false;
	slot_set(p, s, SLOT_ANALYSED);
	p->out_bytes += s->out.len + s->file.len;
}

/* Runs a task; called and returns with the lock held. */
static void task_run(struct worker *w, enum task t, struct slot *s, uint64_t seq)
{
	struct pipeline *p = w->p;
	bool end, wake = p->waiting && work_left(p);

	pthread_mutex_unlock(&p->lock);
	if (wake)
		pthread_cond_signal(&p->wake);
	switch (t) {
	case TASK_FETCH: /* seq is what to fetch */
		source_fetch(p->src, (int)seq);
		pthread_mutex_lock(&p->lock);
		source_fetch_done(p->src, (int)seq);
		changed(p);
		break;
	case TASK_READ:
		step_read(p, s, seq);
		pthread_mutex_lock(&p->lock);
		slot_set(p, s, SLOT_READ);
		p->read_seq++;
		p->read_done = s->b.last;
		p->reading = false;
		break;
	case TASK_DIGEST:
		step_digest(p, s);
		pthread_mutex_lock(&p->lock);
		slot_set(p, s, SLOT_DIGESTED);
		break;
	case TASK_APPLY:
		do_apply(p, s);
		break;
	case TASK_FDS: /* seq is the shard */
		do_fds(p, s, (unsigned)seq);
		break;
	case TASK_ANALYSE:
		do_analyse(w, s, seq);
		break;
	case TASK_RELEASE: {
		size_t out_bytes = s->out.len + s->file.len;

		end = step_release(p, s);
		slot_recycle(p, s);
		pthread_mutex_lock(&p->lock);
		source_reuse(p->src, &s->b);
		p->out_bytes -= out_bytes;
		slot_give(p, s);
		p->release_seq += !end; /* at the end the tables stay as they are, for on_capture_end */
		p->releasing = false;
		p->ended |= end;
		break;
	}
	case TASK_PACK:
		writer_pack(p->o->writer);
		pthread_mutex_lock(&p->lock);
		break;
	case TASK_NONE:
		ASSERT(false);
	}
}

/* ---- workers ---- */

/* Looks for a moment whether something is done before the worker sleeps: to sleep and be woken takes longer than a step
 * over a batch that nobody asks much of. One worker at a time. Called and returns with the lock held; true: there may be
 * work. */
static bool linger(struct pipeline *p)
{
	unsigned seen = atomic_load_explicit(&p->changes, memory_order_relaxed);

	if (p->lingering || source_wait_ns(p->src) != UINT64_MAX)
		return false;
	p->lingering = true;
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < LINGER_LOOKS; i++) {
		if (atomic_load_explicit(&p->changes, memory_order_relaxed) != seen)
			break;
		CPU_RELAX();
	}
	pthread_mutex_lock(&p->lock);
	p->lingering = false;
	/* What changed meanwhile woke nobody. */
	return p->ended || atomic_load_explicit(&p->changes, memory_order_relaxed) != seen;
}

/* Sleeps until something was done, or until the source has work by itself: for that one of those who
 * sleep keeps the time. Called and returns with the lock held. */
static void wait_for_work(struct pipeline *p)
{
	uint64_t ns = p->read_done || p->timing ? UINT64_MAX : source_wait_ns(p->src);
	struct timespec t;

	p->waiting++;
	state_reader_offline(p->st);
	if (ns == UINT64_MAX) {
		pthread_cond_wait(&p->wake, &p->lock);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &t);
		ns += (uint64_t)t.tv_nsec;
		t.tv_sec += (time_t)(ns / NS_PER_S);
		t.tv_nsec = (long)(ns % NS_PER_S);
		p->timing = true;
		pthread_cond_timedwait(&p->wake, &p->lock, &t);
		p->timing = false;
	}
	state_reader_online(p->st);
	p->waiting--;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->p;

	memory_bind_worker(w->id);
	state_reader_register(p->st);
	pthread_mutex_lock(&p->lock);
	while (!p->ended) {
		struct slot *s = NULL;
		uint64_t seq = 0;
		enum task t = task_take(p, w->id, &s, &seq);

		if (t != TASK_NONE) {
			task_run(w, t, s, seq);
			state_reader_quiescent(p->st);
			continue;
		}
		if (!linger(p))
			wait_for_work(p);
	}
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	state_reader_unregister(p->st);
	return NULL;
}

/* The lock is held for less than it takes to sleep and be woken: who finds it taken looks again for a while first. */
static void lock_init(struct pipeline *p)
{
	pthread_mutexattr_t adaptive;
	pthread_condattr_t monotonic;

	pthread_mutexattr_init(&adaptive);
	pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&p->lock, &adaptive);
	pthread_mutexattr_destroy(&adaptive);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int run_parallel(struct pipeline *p, struct err *e)
{
	unsigned n = p->o->workers, started = 0;
	struct worker *ws = apart_calloc(n, sizeof(*ws));
	int rc = 0;

	if (!ws)
		return err_set(e, -12, ERR_NO_POS, "out of memory for %u workers", n);
	p->workers = ws;
	lock_init(p);
	for (unsigned i = 0; i < n; i++) {
		rc = worker_init(&ws[i], p, i);
		if (rc < 0) {
			err_set(e, rc, ERR_NO_POS, "out of memory for worker %u", i);
			goto out;
		}
	}
	/* The calling thread is worker 0. */
	for (started = 1; started < n; started++) {
		int err = pthread_create(&ws[started].thread, NULL, worker_main, &ws[started]);
		if (err) {
			rc = err_set(e, -err, ERR_NO_POS, "cannot start worker %u: %s", started,
				     strerror(err));
			pthread_mutex_lock(&p->lock);
			p->ended = true;
			pthread_mutex_unlock(&p->lock);
			break;
		}
	}
	worker_main(&ws[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(ws[i].thread, NULL);
out:
	for (unsigned i = 0; i < n; i++)
		worker_fini(&ws[i]);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	p->workers = NULL;
	free(ws);
	return rc;
}
