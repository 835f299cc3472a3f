/* A lane: what was drained from one ring and is not in a batch yet, as event blocks in the pool,
 * in the order of the ring. One more lane holds the events the capture makes itself.
 *
 * Draining puts a block's frame around each record; it is the only time an event is copied. The
 * lane's bound is a promise: no event drained later has a smaller stamp (ring.h says why). One
 * thread at a time works on a lane; which one, drain.h says. */
#ifndef BURIN_LIVE_LANE_H
#define BURIN_LIVE_LANE_H

#include "live/inject.h"
#include "live/chunks.h"
#include "live/ring.h"

/* A lane holds at most so many chunks: what lies behind waits in its ring. */
enum { LANE_CHUNKS = 4 };

enum lane_state {
	LANE_DONE, /* nothing to do in this turn */
	LANE_TODO, /* its ring has to be drained */
	LANE_BUSY, /* somebody drains it */
};

struct lane {
	struct ring *ring; /* borrowed; NULL = events of the capture itself */
	enum lane_state state;
	struct chunk *first, *last; /* NULL = nothing drained */
	uint32_t nchunks;
	uint32_t at;	/* mark of first that comes next */
	uint64_t bound; /* ns since the epoch */
	bool cut;	/* there was no room for all that the ring had */
};

/* Told of every record of some types while it is drained, by any thread. */
struct watcher {
	uint64_t types[8]; /* by event code */
	void (*see)(void *ctx, const uint8_t *record);
	void *ctx;
};

void lane_init(struct lane *l, struct ring *ring); /* ring may be NULL */
void lane_fini(struct lane *l, struct chunks *p);

/* Looks whether the ring has anything. now_ns: clock read before the call. False: no; then the
 * bound is now_ns. */
bool lane_look(struct lane *l, uint64_t now_ns);
/* Moves what lane_look saw into the pool, as far as there is room. */
void lane_drain(struct lane *l, struct chunks *p, const struct watcher *w);
/* The same for the queue of the capture's own events, all of which are older than now_ns. */
void lane_drain_inject(struct lane *l, struct chunks *p, struct inject *q, uint64_t now_ns);

/* First mark not given out; false: there is none. */
static inline bool lane_empty(const struct lane *l)
{
	return !l->first || l->at == l->first->n;
}
/* Steps behind the marks of the first chunk: gives it back unless it is still being filled. */
void lane_chunk_done(struct lane *l, struct chunks *p);

#endif
