/* The apply turn, and behind it those of the shards: each goes through the batches in order, one holder at a time. */
#include "worker/window.h"

void turns_begin(struct pipeline *p, uint64_t seq)
{
	p->nshards = state_fd_shards(p->st);
	p->applied_seq = seq;
	for (unsigned k = 0; k < p->nshards; k++)
		p->shard[k] = (struct shard_turn){.seq = seq};
}

/* A whole batch is applied when the shards are done with all before it. */
bool may_apply(struct pipeline *p)
{
	return seq_in(p, p->apply_seq, SLOT_DIGESTED) &&
	       (!slot_of(p, p->apply_seq)->b.whole || p->applied_seq == p->apply_seq);
}

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

int shard_take(struct pipeline *p, struct slot **out)
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

bool shard_left(struct pipeline *p)
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

void do_apply(struct pipeline *p, struct slot *s)
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

void do_fds(struct pipeline *p, struct slot *s, unsigned k)
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
