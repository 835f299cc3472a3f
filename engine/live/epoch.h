/* Closes epochs: brings what the lanes hold into the one order, (time stamp, lane, place in the
 * lane). No event is touched or copied: batches get the offsets of blocks in the chunks.
 *
 * The watermark is the smallest bound of all lanes, with its lane: no event drained later comes
 * before it. Everything before it is certain, and is the epoch. Lanes are in the order of their
 * cpus, behind that of the capture's own events.
 *
 * What has to be done in order is little: an epoch is cut at some stamps, and each batch gets, of
 * each lane, the stretch between two cuts (epoch_cut). Which of its events comes when is found out
 * by whoever gets the batch next (epoch_order), for many batches at a time. */
#ifndef BURIN_LIVE_EPOCH_H
#define BURIN_LIVE_EPOCH_H

#include "event/batch.h"
#include "live/lane.h"

/* A place in the order: behind all events with smaller stamps, and behind those with this stamp of
 * lanes up to this one. */
struct place {
	uint64_t ts;
	int32_t lane; /* -1 = none */
};

struct epoch_sample {
	uint64_t ts;
	uint32_t bytes; /* of the events from here to the next sample of the lane */
};

/* OWNED_BY(reader turn) between epoch_close and the last epoch_cut. */
struct epoch {
	struct lane *lanes; /* borrowed */
	uint32_t nlanes;
	struct chunks *pool;	     /* borrowed */
	size_t batch_bytes;	     /* about so much goes into a batch */
	struct place end;	     /* the watermark */
	struct epoch_sample *sample; /* owned; ascending, from next_sample on not used for a cut */
	size_t nsamples, next_sample, cap_samples;
	bool empty; /* all of the epoch is in batches */
};

void epoch_init(struct epoch *e, struct lane *lanes, struct chunks *pool, size_t batch_bytes);
void epoch_fini(struct epoch *e);
/* Takes the watermark of the first nlanes lanes; all: no event comes later, everything is certain.
 * Every epoch closed before is empty by now. */
void epoch_close(struct epoch *e, uint32_t nlanes, bool all);
/* Gives b the next events of an epoch that is not empty: b->data and b->len, no blocks yet. b->mem
 * is used up for it. -ENOMEM. */
int epoch_cut(struct epoch *e, struct batch *b);

/* Lists the blocks of b in order. Any thread, once. -ENOMEM. */
int epoch_order(struct chunks *pool, struct batch *b);
/* The batch needs its blocks no longer. Any thread. */
void epoch_release(struct chunks *pool, struct batch *b);

#endif
