/* Who does which step when: a serial loop for one worker, a small scheduler for several. */
#include "worker/pipeline.h"

#include <stdlib.h>
#include <time.h>

#include "base/apart.h"
#include "base/assert.h"
#include "base/stop.h"
#include "worker/memory.h"
#include "worker/worker_int.h"

enum {
	SLOTS_PER_WORKER = 2, /* one in work, one on its way */
	SLOTS_EXTRA = 2,      /* one being read, one being released */
	FD_SHARDS = 4,
	FD_SHARDS_WORKERS = 5, /* fewer do not come to wait for the apply turn */
	OUT_LIMIT_BYTES = 64 << 20, /* rendered output that may wait for release */
	SLOTS_LOOKED_AT = 4,
	LINGER_LOOKS = 1000, /* some 30 us */
	NS_PER_S = 1000000000,
};

int worker_init(struct worker *w, struct pipeline *p, unsigned id)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->p = p;
	w->id = id;
	arena_init(&w->scratch);
	rc = evctx_init(&w->ctx, p->demand);
	if (rc < 0)
		return rc;
	if (p->o->filter && (rc = filter_run_new(&w->filter, p->o->filter)) < 0)
		return rc;
	if (p->o->display && (rc = filter_run_new(&w->display, p->o->display)) < 0)
		return rc;
	if (p->o->partner && (rc = filter_run_new(&w->partner, p->o->partner)) < 0)
		return rc;
	w->env.c = &w->ctx;
	w->env.scratch = &w->scratch;
	w->env.ro = p->o->ro;
	return 0;
}

void worker_fini(struct worker *w)
{
	if (!w->p)
		return;
	field_env_fini(&w->env);
	filter_run_free(w->filter);
	filter_run_free(w->display);
	filter_run_free(w->partner);
	evctx_fini(&w->ctx);
	arena_fini(&w->scratch);
}

/* ---- one worker ------------------------------------------------------------------------------------ */

static int run_serial(struct pipeline *p)
{
	struct slot *s = &p->slots[0];

	while (!p->ended) {
		step_read(p, s, p->read_seq);
		step_digest(p, s);
		step_apply(p, s);
		step_analyse(&p->releaser, s);
		p->ended = step_release(p, s);
		slot_recycle(p, s);
		p->read_seq++;
		/* Scripts may read the tables as of the last event in on_capture_end. */
		if (!p->ended)
			state_reclaim(p->st, p->read_seq);
	}
	return 0;
}

/* ---- several workers ------------------------------------------------------------------------------- */

enum task { TASK_NONE, TASK_FETCH, TASK_READ, TASK_DIGEST, TASK_APPLY, TASK_FDS, TASK_ANALYSE, TASK_RELEASE, TASK_PACK };

static struct slot *slot_of(struct pipeline *p, uint64_t seq)
{
	return &p->slots[p->window[seq % p->nslots]];
}

static struct slot_tag *tag_of(struct pipeline *p, const struct slot *s)
{
	return &p->tags[s - p->slots];
}

/* relaxed: only a hint to look again, under the lock. */
static void changed(struct pipeline *p)
{
	atomic_fetch_add_explicit(&p->changes, 1, memory_order_relaxed);
}

static void slot_set(struct pipeline *p, const struct slot *s, enum slot_state state)
{
	struct slot_tag *t = tag_of(p, s);

	changed(p);
	p->in_state[t->state]--;
	p->in_state[state]++;
	t->state = (uint8_t)state;
}

/* Batch seq has been read, is not released yet, and is in that state. */
static bool seq_in(struct pipeline *p, uint64_t seq, enum slot_state state)
{
	return seq < p->read_seq && tag_of(p, slot_of(p, seq))->state == state;
}

/* Oldest slot in the given state among the batches read and not yet released, but rather one that the worker has
 * in its caches, and only such a one if own. */
static struct slot *oldest_in(struct pipeline *p, enum slot_state state, unsigned id, bool own, uint64_t *seq)
{
	struct slot *found = NULL;

	for (uint64_t q = p->release_seq; p->in_state[state] && q < p->read_seq; q++) {
		struct slot *s = slot_of(p, q);
		const struct slot_tag *t = tag_of(p, s);

		if (t->state != state || ((found || own) && t->owner != id))
			continue;
		*seq = q;
		found = s;
		if (t->owner == id)
			break;
	}
	return found;
}

static bool fetch_take(struct pipeline *p, unsigned id, bool urgent, uint64_t *item)
{
	int i = p->read_done ? -1 : source_fetch_claim(p->src, id, urgent);

	*item = (uint64_t)i;
	return i >= 0;
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

static bool may_analyse(const struct pipeline *p, uint64_t seq)
{
	return p->out_bytes < OUT_LIMIT_BYTES || seq == p->release_seq;
}

/* A whole batch is applied when the shards are done with all before it. */
static bool may_apply(struct pipeline *p)
{
	return seq_in(p, p->apply_seq, SLOT_DIGESTED) &&
	       (!slot_of(p, p->apply_seq)->b.whole || p->applied_seq == p->apply_seq);
}

/* ---- the turns of the shards, all with the lock held ---- */

static bool shard_has_part(const struct batch *b, unsigned k)
{
	return b->all_shards || b->fd_shards >> k & 1;
}

/* All turns wait for this batch. */
static bool shards_wait_for(const struct pipeline *p, uint64_t seq)
{
	for (unsigned k = 0; k < p->nshards; k++)
		if (p->shard[k].busy || p->shard[k].seq != seq)
			return false;
	return true;
}

/* The batch that shard k, whose turn nobody holds, can go on with; NULL = none. */
static struct slot *shard_next(struct pipeline *p, unsigned k)
{
	struct slot *s = slot_of(p, p->shard[k].seq);

	if (!seq_in(p, p->shard[k].seq, SLOT_THREADS))
		return NULL;
	return !s->b.all_shards || shards_wait_for(p, p->shard[k].seq) ? s : NULL;
}

static void shards_set_busy(struct pipeline *p, unsigned k, bool busy)
{
	for (unsigned i = 0; i < p->nshards; i++)
		if (i == k || k == STATE_ALL_SHARDS)
			p->shard[i].busy = busy;
}

/* Takes a turn: its shard, or all of them; -1 = there is nothing to do for one. */
static int shard_take(struct pipeline *p, struct slot **out)
{
	for (unsigned k = 0; k < p->nshards; k++) {
		struct slot *s = p->shard[k].busy ? NULL : shard_next(p, k);

		if (!s)
			continue;
		*out = s;
		k = s->b.all_shards ? STATE_ALL_SHARDS : k;
		shards_set_busy(p, k, true);
		return (int)k;
	}
	return -1;
}

static bool shard_left(struct pipeline *p)
{
	for (unsigned k = 0; k < p->nshards; k++)
		if (!p->shard[k].busy && shard_next(p, k))
			return true;
	return false;
}

/* Lets the turns pass batches in which they have no part, and notes what is applied. */
static void shards_advance(struct pipeline *p)
{
	uint64_t least = p->apply_seq;

	for (unsigned k = 0; k < p->nshards; k++) {
		struct shard_turn *t = &p->shard[k];

		while (!t->busy && t->seq < p->apply_seq && !shard_has_part(&slot_of(p, t->seq)->b, k))
			t->seq++;
		least = MIN(least, t->seq);
	}
	for (; p->applied_seq < least; p->applied_seq++)
		slot_set(p, slot_of(p, p->applied_seq), SLOT_APPLIED);
}

static bool may_read(struct pipeline *p)
{
	return !p->reading && !p->read_done && p->nfree;
}

/* A free slot for the next batch: rather one that the worker has in its caches, of those that were used last. */
static struct slot *slot_take(struct pipeline *p, unsigned id)
{
	unsigned i = --p->nfree, last = i - MIN(i, (unsigned)SLOTS_LOOKED_AT);
	uint16_t got = p->free_slots[i];

	for (unsigned k = i; k > last && p->tags[got].owner != id; k--) {
		if (p->tags[p->free_slots[k - 1]].owner != id)
			continue;
		got = p->free_slots[k - 1];
		p->free_slots[k - 1] = p->free_slots[i];
	}
	p->window[p->read_seq % p->nslots] = got;
	return &p->slots[got];
}

static void slot_give(struct pipeline *p, const struct slot *s)
{
	slot_set(p, s, SLOT_FREE);
	p->free_slots[p->nfree++] = (uint16_t)(s - p->slots);
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

/* The apply turn: the slot given, and every batch that is digested by then, before handing on. */
static void do_apply(struct pipeline *p, struct slot *s)
{
	bool more = true, waiting;
	uint64_t oldest;

	/* Returns with the lock held. Reclaiming belongs to the turn, so it happens before the turn is
	 * given back. */
	while (more) {
		step_apply(p, s);
		pthread_mutex_lock(&p->lock);
		slot_set(p, s, SLOT_THREADS);
		p->apply_seq++;
		shards_advance(p);
		oldest = p->release_seq;
		more = may_apply(p) && !p->ended;
		if (more) {
			s = slot_of(p, p->apply_seq);
			slot_set(p, s, SLOT_APPLYING);
		}
		waiting = p->waiting;
		pthread_mutex_unlock(&p->lock);
		if (waiting) /* somebody to analyse what was applied */
			pthread_cond_signal(&p->wake);
		state_reclaim(p->st, oldest);
	}
	pthread_mutex_lock(&p->lock);
	p->applying = false;
}

/* The turn of shard k (or of all), as above. */
static void do_fds(struct pipeline *p, struct slot *s, unsigned k)
{
	struct slot *next = s;
	uint64_t oldest;
	bool waiting;

	while (next) {
		step_apply_fds(p, next, k);
		pthread_mutex_lock(&p->lock);
		shards_set_busy(p, k, false);
		for (unsigned i = 0; i < p->nshards; i++)
			p->shard[i].seq += i == k || k == STATE_ALL_SHARDS;
		shards_advance(p);
		changed(p);
		oldest = p->release_seq;
		next = k == STATE_ALL_SHARDS || p->ended ? NULL : shard_next(p, k);
		next = next && next->b.all_shards ? NULL : next;
		shards_set_busy(p, k, true);
		waiting = p->waiting;
		pthread_mutex_unlock(&p->lock);
		if (waiting)
			pthread_cond_signal(&p->wake);
		state_reclaim_fds(p->st, k, oldest);
	}
	pthread_mutex_lock(&p->lock);
	shards_set_busy(p, k, false);
	shards_advance(p);
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

static int run_parallel(struct pipeline *p, struct err *e)
{
	unsigned n = p->o->workers, started = 0;
	struct worker *ws = apart_calloc(n, sizeof(*ws));
	pthread_condattr_t attr;
	int rc = 0;

	if (!ws)
		return err_set(e, -12, ERR_NO_POS, "out of memory for %u workers", n);
	p->workers = ws;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attr);
	pthread_condattr_destroy(&attr);
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
	free(ws);
	return rc;
}

/* ---- a run ----------------------------------------------------------------------------------------- */

static int slots_new(struct pipeline *p)
{
	unsigned n = p->o->workers;

	p->nslots = n == 1 ? 1 : n * SLOTS_PER_WORKER + SLOTS_EXTRA;
	p->slots = apart_calloc(p->nslots, sizeof(*p->slots));
	p->tags = calloc(p->nslots, sizeof(*p->tags));
	p->window = calloc(p->nslots, sizeof(*p->window));
	p->free_slots = calloc(p->nslots, sizeof(*p->free_slots));
	if (!p->slots || !p->tags || !p->window || !p->free_slots)
		return -12;
	for (p->nfree = 0; p->nfree < p->nslots; p->nfree++)
		p->free_slots[p->nfree] = (uint16_t)(p->nslots - 1 - p->nfree);
	memset(p->in_state, 0, sizeof(p->in_state));
	p->in_state[SLOT_FREE] = p->nslots;
	for (unsigned i = 0; i < p->nslots; i++) {
		int rc = batch_init(&p->slots[i].b);
		if (rc < 0)
			return rc;
		buf_init(&p->slots[i].out);
		buf_init(&p->slots[i].file);
	}
	return 0;
}

static void slots_free(struct pipeline *p)
{
	for (unsigned i = 0; p->slots && i < p->nslots; i++) {
		struct slot *s = &p->slots[i];

		slot_recycle(p, s);
		batch_fini(&s->b);
		buf_fini(&s->out);
		buf_fini(&s->file);
		free(s->sel);
		free(s->gone.before);
		free(s->out_end);
	}
	free(p->slots);
	free(p->tags);
	free(p->window);
	free(p->free_slots);
}

/* No batch before seq has to be applied. */
static void turns_begin(struct pipeline *p, uint64_t seq)
{
	p->nshards = state_fd_shards(p->st);
	p->applied_seq = seq;
	for (unsigned k = 0; k < p->nshards; k++)
		p->shard[k] = (struct shard_turn){.seq = seq};
}

/* The head of the file, before any worker starts: the first section's metadata, on which scripts may
 * build in on_capture_start. */
static int run_head(struct pipeline *p, const char *path, struct err *e)
{
	struct slot *s = &p->slots[0];
	struct chisel_input in = {.name = path, .raw_size = source_raw_size(p->src)};
	struct buf out;
	int rc = 0;

	step_read(p, s, 0);
	step_digest(p, s);
	step_apply(p, s);
	if (s->b.fd_shards)
		step_apply_fds(p, s, STATE_ALL_SHARDS);
	p->read_seq = p->apply_seq = p->release_seq = 1;
	turns_begin(p, 1);
	p->read_done = s->b.last;
	if (p->o->chisels && !s->ends_before) {
		in.root = s->b.root;
		in.ord = s->b.first_ord + s->b.nev;
		buf_init(&out);
		rc = chisels_capture_start(p->o->chisels, &in, &out, e);
		p->chisels_started = true;
		int wrc = sink_write(p->o->sink, &out, rc < 0 ? NULL : e);
		rc = rc < 0 ? rc : MIN(wrc, 0);
		buf_fini(&out);
	}
	if (rc == 0) {
		step_analyse(&p->releaser, s);
		p->ended = step_release(p, s);
	} else {
		p->ended = true;
	}
	slot_recycle(p, s);
	return rc;
}

static int run_tail(struct pipeline *p, struct err *e)
{
	struct buf out;
	int rc, wrc;

	buf_init(&out);
	if (p->o->end_text) {
		buf_puts(&out, p->o->end_text);
		sink_write(p->o->sink, &out, NULL);
		buf_reset(&out);
	}
	if (!p->o->chisels || p->stats.chisel_exit) {
		buf_fini(&out);
		return 0;
	}
	rc = chisels_capture_end(p->o->chisels, &p->releaser.env, &out, e);
	if (rc == CHISELS_EXIT)
		p->stats.chisel_exit = true;
	wrc = sink_write(p->o->sink, &out, rc < 0 ? NULL : e);
	buf_fini(&out);
	return rc < 0 ? rc : wrc;
}

static void stop_source(void *ctx)
{
	source_stop(ctx);
}

/* What a pass over the file, or over the rest of it, works with. */
static int pass_init(struct pipeline *p, struct err *e)
{
	struct state_opts so = {.demand = p->demand, .workers = p->o->workers};
	int rc;

	so.fd_shards = p->o->workers >= FD_SHARDS_WORKERS ? FD_SHARDS : 0;
	rc = state_new(&p->st, &so);

	if (rc < 0)
		return err_set(e, rc, ERR_NO_POS, "out of memory for the state tables");
	rc = slots_new(p);
	if (rc == 0)
		rc = digest_plan_new(&p->plan, p->demand, &p->pred);
	if (rc == 0)
		rc = worker_init(&p->releaser, p, 0);
	return rc < 0 ? err_set(e, rc, ERR_NO_POS, "out of memory for the window of batches") : 0;
}

static void pass_fini(struct pipeline *p)
{
	worker_fini(&p->releaser);
	slots_free(p);
	digest_plan_free(p->plan);
	state_free(p->st);
	p->plan = NULL;
	p->releaser.p = NULL;
	p->slots = NULL;
	p->tags = NULL;
	p->window = p->free_slots = NULL;
	p->st = NULL;
}

static int pass_run(struct pipeline *p, const char *path, struct err *e)
{
	int rc = run_head(p, path, e);

	if (rc == 0 && !p->ended)
		rc = p->o->workers == 1 ? run_serial(p) : run_parallel(p, e);
	return rc;
}

/* The section in which a pass met what it looked for, and what follows. */
static int run_again(struct pipeline *p, const char *path, struct err *e)
{
	int rc;

	pass_fini(p);
	scout_next(p);
	rc = pass_init(p, e);
	if (rc < 0)
		return rc;
	p->read_seq = p->apply_seq = p->release_seq = 0;
	p->reading = p->applying = p->releasing = p->read_done = p->ended = false;
	p->out_bytes = 0;
	state_begin_section(p->st, &p->scout.numbering);
	return pass_run(p, path, e);
}

int pipeline_run(const char *path, const struct pipeline_opts *o, struct pipeline_stats *stats,
		 struct err *e)
{
	struct pipeline p = {.o = o};
	struct source_opts source = o->source;
	struct err end;
	int rc;

	err_clear(&p.end_err);
	p.src = o->input;
	source.fetchers = o->workers;
	rc = p.src ? 0 : source_open(&p.src, path, &source, e);
	if (rc < 0)
		return rc;
	stop_set_hook(stop_source, p.src);
	if (o->filter) {
		p.pred = filter_header_pred(o->filter);
		p.header_decides = filter_header_decides(o->filter);
	}
	p.in_order = (o->filter && filter_looks_back(o->filter)) ||
		     (o->display && filter_looks_back(o->display)) ||
		     (o->format && format_looks_back(o->format, o->ro));
	p.format_all = o->display && o->format && format_looks_back(o->format, o->ro);
	p.limits = o->max_events || o->max_ns;
	scout_begin(&p);
	rc = pass_init(&p, e);
	if (rc < 0)
		goto out;
	state_begin_file(p.st);
	rc = pass_run(&p, path, e);
	while (rc == 0 && p.scout.met)
		rc = run_again(&p, path, e);
	if (rc == 0 && p.end_err.code) {
		rc = p.end_err.code;
		*e = p.end_err;
	}
	err_clear(&end);
	if (p.st && run_tail(&p, &end) < 0 && rc == 0) {
		rc = end.code;
		*e = end;
	}
	*stats = p.stats;
out:
	pass_fini(&p);
	stop_set_hook(NULL, NULL);
	source_close(p.src);
	return rc;
}
