/* The turns of a capture: who drains which ring, and when an epoch is closed.
 *
 *     nap ──► look ──► drain each ring ──► close ──► cut into batches ──┐ ──► order each batch
 *      ▲     (one)     (any workers)       (one)     (reader turn)      │     (any workers)
 *      └────────────────────────────────────────────────────────────────┘
 *
 * A look reads the clock, then sees which rings have anything; events of the capture itself are
 * made then. Rings without anything need nobody. The others are drained at the same time, each by
 * one worker: by one that runs on the ring's cpu, by the one it belongs to (ring i to worker i
 * modulo their number) or, when those are busy or not running, by any that has nothing better to
 * do, or that comes by later than LAG_NS. Workers are not tied to cpus: one tied to a cpu that is
 * busy with what is captured gets to its ring late (measured: rings fuller, nothing gained), and
 * the others would wait for the piece of work it holds. A worker that loses its cpu
 * while it drains holds its ring, and with it the watermark, until it runs again.
 *
 * The epoch is everything before the watermark, usually the time of the look: what else was drained
 * waits for the next turn.
 *
 * Bounded memory: a lane holds LANE_CHUNKS at most, and no turn begins before the last epoch is in
 * batches. When the analysis falls behind, records stay in the rings, and when those are full
 * the kernel counts what it has to drop.
 *
 * The functions marked "lock held" are called under one lock of the caller's, which hands a lane
 * from one worker to the next. With one worker drain_read does everything. */
#ifndef BURIN_LIVE_DRAIN_H
#define BURIN_LIVE_DRAIN_H

#include "event/batch.h"
#include "live/inject.h"
#include "live/lane.h"

struct drain;

struct drain_opts {
	unsigned workers;     /* that will call drain_claim; at least 1 */
	unsigned max_rings;   /* drain_add_ring is called so often at most */
	size_t batch_bytes;   /* aimed-at batch length */
	struct watcher watch; /* during drain_run; see may be NULL */
	void *ctx;	      /* of the functions below */
	/* The capture's clock: ns since the epoch, never back. */
	uint64_t (*now_ns)(void *ctx);
	/* Once per turn, by one thread at a time: makes events of its own (stamps up to now_ns),
	 * may add rings. True: the rings get nothing new. */
	bool (*look)(void *ctx, uint64_t now_ns, struct inject *q);
	/* With one worker: waits so long, or shorter when it is to stop. */
	void (*nap)(void *ctx, uint64_t ns);
};

int drain_new(struct drain **out, const struct drain_opts *o);
void drain_free(struct drain *d);
/* Before the first turn or inside look; borrowed. In the order of the cpus, or later. */
void drain_add_ring(struct drain *d, struct ring *r);

/* Work for that worker, -1 = none; urgent: only what should not wait for other work. Lock held. */
int drain_claim(struct drain *d, unsigned worker, bool urgent);
bool drain_claimable(const struct drain *d); /* by some worker, now; lock held */
/* Does it; several at once. */
void drain_run(struct drain *d, int item);
/* Afterwards; lock held. */
void drain_done(struct drain *d, int item);
/* Whether drain_read gives something now. Lock held. */
bool drain_ready(const struct drain *d);
/* How long until there is work by itself, ns; UINT64_MAX: not before something else is done. Lock
 * held. */
uint64_t drain_wait_ns(const struct drain *d);

/* Gives b the next events; waits for them when drain_ready does not hold. b->last when there are
 * none any more. One thread at a time. -ENOMEM. */
int drain_read(struct drain *d, struct batch *b);
/* Afterwards, once: lists its blocks in order. Any thread. -ENOMEM. */
int drain_order(struct drain *d, struct batch *b);
/* Any thread, also during all of the above. */
void drain_release(struct drain *d, struct batch *b);

/* Greatest fill of a ring seen, bytes. */
size_t drain_most_fill(const struct drain *d);

#endif
