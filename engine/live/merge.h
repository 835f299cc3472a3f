/* Brings the records of several rings into the one order: (time stamp, cpu, place in the ring).
 *
 * A record is given out when no ring can deliver a smaller one any more: when its stamp is below
 * the bound of every ring that has nothing (complete) to show. Equal to the bound is not enough:
 * what comes may have that very stamp and stand on a lower cpu. Looking at all rings again moves
 * the bounds, so an idle cpu holds nothing up. One thread at a time. */
#ifndef BURIN_LIVE_MERGE_H
#define BURIN_LIVE_MERGE_H

#include "live/inject.h"
#include "live/ring.h"

struct merge_head {
	uint64_t ts; /* of the front record, or lower bound of what comes */
	uint32_t ring;
	bool blocked; /* nothing to show: ts is a bound */
};

struct merge {
	struct ring *rings; /* borrowed */
	unsigned n;
	struct merge_head *heap; /* owned; smallest first */
	unsigned nheap;
	struct inject *extra; /* borrowed: goes before a ring at the same time; NULL = none */
	bool finished;	      /* nothing new comes: empty rings hold nothing up */
};

int merge_init(struct merge *m, struct ring *rings, unsigned n, struct inject *extra);
void merge_fini(struct merge *m);
/* Looks how far all rings are. now: clock read before, ns since the epoch. */
void merge_look(struct merge *m, uint64_t now);
/* From the next look on: the rings get nothing new. */
void merge_finish(struct merge *m);
/* The next record in order, with the cpu it is from; it is stepped over, but its bytes stay valid
 * until the ring is released. False: none is ready. */
bool merge_next(struct merge *m, struct ring_record *rec, uint16_t *cpu);
/* Gives everything stepped over back to the kernel. */
void merge_release(struct merge *m);

#endif
