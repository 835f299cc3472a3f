/* Private to engine/worker: the window of batches under way, and whose turn is which. Everything here is called with the
 * pipeline's lock held, when there are several workers. */
#ifndef BURIN_WORKER_WINDOW_H
#define BURIN_WORKER_WINDOW_H

#include "worker/worker_int.h"

static inline struct slot *slot_of(struct pipeline *p, uint64_t seq)
{
	return &p->slots[p->window[seq % p->nslots]];
}

static inline struct slot_tag *tag_of(struct pipeline *p, const struct slot *s)
{
	return &p->tags[s - p->slots];
}

/* relaxed: only a hint to look again, under the lock. */
static inline void changed(struct pipeline *p)
{
	atomic_fetch_add_explicit(&p->changes, 1, memory_order_relaxed);
}

static inline void slot_set(struct pipeline *p, const struct slot *s, enum slot_state state)
{
	struct slot_tag *t = tag_of(p, s);

	changed(p);
	p->in_state[t->state]--;
	p->in_state[state]++;
	t->state = (uint8_t)state;
}

/* Batch seq has been read, is not released yet, and is in that state. */
static inline bool seq_in(struct pipeline *p, uint64_t seq, enum slot_state state)
{
	return seq < p->read_seq && tag_of(p, slot_of(p, seq))->state == state;
}

int slots_new(struct pipeline *p); /* 0 or -ENOMEM */
void slots_free(struct pipeline *p);

/* The oldest slot in the given state among the batches read and not yet released, but rather one that the worker has in
 * its caches, and only such a one if own; NULL: none. */
struct slot *oldest_in(struct pipeline *p, enum slot_state state, unsigned id, bool own, uint64_t *seq);
/* A free slot for the next batch: rather one that the worker has in its caches, of those that were used last. There must
 * be one. */
struct slot *slot_take(struct pipeline *p, unsigned id);
void slot_give(struct pipeline *p, const struct slot *s);

/* ---- the turns of apply and of the shards behind it (turns.c) ---- */
void turns_begin(struct pipeline *p, uint64_t seq); /* no batch before seq has to be applied */
bool may_apply(struct pipeline *p);
/* The apply turn, which the caller holds: the slot given, and every batch that is digested by then, before handing on. Called
 * without the lock, returns with it. */
void do_apply(struct pipeline *p, struct slot *s);
bool shard_left(struct pipeline *p); /* there is something to do in a turn that nobody holds */
/* Takes a turn: its shard, or STATE_ALL_SHARDS; -1 = there is nothing to do for one. */
int shard_take(struct pipeline *p, struct slot **out);
/* The turn taken, as do_apply. */
void do_fds(struct pipeline *p, struct slot *s, unsigned shard);

/* ---- several workers (schedule.c) ---- */
int run_parallel(struct pipeline *p, struct err *e); /* until the trace ends; not with the lock */

#endif
