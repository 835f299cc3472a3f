/* Closes epochs: brings what the lanes hold into the one order, (time stamp, lane, place in the
 * lane), and lists it in batches. No event is touched or copied: batches get the offsets of blocks
 * in the pool.
 *
 * The watermark is the smallest bound of all lanes, with its lane: no event drained later comes
 * before it. Everything before it is certain, and is the epoch. Lanes are in the order of their
 * cpus, behind that of the capture's own events. One thread at a time. */
#ifndef BURIN_LIVE_EPOCH_H
#define BURIN_LIVE_EPOCH_H

#include "event/batch.h"
#include "live/lane.h"

struct epoch_head {
	uint64_t ts; /* of the lane's next event */
	uint32_t lane;
};

struct epoch {
	struct lane *lanes; /* borrowed */
	uint32_t nlanes;
	struct chunks *pool; /* borrowed */
	struct epoch_head
		end; /* the watermark: events up to it, and of that lane with that stamp */
	struct epoch_head *heap; /* lanes with events before the watermark, smallest first; owned */
	uint32_t nheap;
	uint64_t batch; /* number of batches filled */
};

int epoch_init(struct epoch *e, struct lane *lanes, uint32_t max_lanes, struct chunks *pool);
void epoch_fini(struct epoch *e);
/* Takes the watermark of the first nlanes lanes; all: no event comes later, everything is certain.
 * Every epoch closed before has been given out. */
void epoch_close(struct epoch *e, uint32_t nlanes, bool all);
static inline bool epoch_empty(const struct epoch *e)
{
	return !e->nheap;
}
/* Lists the next events in b, up to about max_bytes of them. -ENOMEM. */
int epoch_fill(struct epoch *e, struct batch *b, size_t max_bytes);
/* The batch needs its blocks no longer. Any thread. */
void epoch_release(struct chunks *pool, struct batch *b);

#endif
