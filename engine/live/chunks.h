/* Memory for drained events: one range of addresses, cut into chunks. A block anywhere in it has a
 * 32-bit offset from its start, so that a batch can list blocks of several rings (event/batch.h)
 * without their being copied together.
 *
 *   chunk:  | block block block ...  -> free <-  ... mark 2 mark 1 mark 0 |
 *
 * A chunk lives while somebody counts on it: the lane that fills or empties it, and every batch
 * with blocks in it. Address space is reserved, memory is used as chunks are. chunks_take and
 * chunks_put: any thread. The contents of a chunk belong to its lane until they are in a batch, and
 * are IMMUTABLE from then on. */
#ifndef BURIN_LIVE_CHUNKS_H
#define BURIN_LIVE_CHUNKS_H

#include <pthread.h>

#include <stdbool.h>

#include "base/compiler.h"

enum { CHUNK_BYTES = 256 << 10 };

/* One event of a chunk. */
struct mark {
	uint64_t ts;
	uint32_t off; /* of its block, from chunks.base */
	uint32_t len; /* of its block, bytes */
};

struct chunk {
	uint32_t off;	    /* from chunks.base; IMMUTABLE */
	uint32_t used;	    /* bytes of blocks */
	uint32_t n;	    /* marks */
	uint32_t refs;	    /* GUARDED_BY(chunks.lock) */
	uint64_t batch;	    /* last one that counts on it; OWNED_BY(epoch) */
	struct chunk *next; /* of the lane, or of the free ones */
};

struct chunks {
	uint8_t *base;
	struct chunk *all;
	uint32_t n;
	pthread_mutex_t lock;
	uint32_t touched;   /* GUARDED_BY(lock): chunks from here on were never used */
	struct chunk *free; /* GUARDED_BY(lock): last used first */
};

int chunks_init(struct chunks *p, uint32_t nchunks); /* -ENOMEM; at most 4 GiB in all */
void chunks_fini(struct chunks *p);
/* An empty chunk, counted once. NULL: all are in use. */
struct chunk *chunks_take(struct chunks *p);
void chunks_keep(struct chunks *p, struct chunk *c); /* counts once more */
void chunks_put(struct chunks *p, struct chunk *c);
/* The same for several, by number. */
void chunks_put_all(struct chunks *p, const uint32_t *numbers, size_t n);

static inline uint32_t chunk_number(const struct chunks *p, const struct chunk *c)
{
	return (uint32_t)(c - p->all);
}

/* Mark i of the chunk; they run downwards from its end. */
static ALWAYS_INLINE struct mark *chunk_mark(const struct chunks *p, const struct chunk *c,
					     uint32_t i)
{
	return (struct mark *)(p->base + c->off + CHUNK_BYTES) - 1 - i;
}

/* Whether a block of that length and its mark still fit. */
static ALWAYS_INLINE bool chunk_has_room(const struct chunk *c, uint32_t bytes)
{
	return c->used + bytes + (c->n + 1) * sizeof(struct mark) <= CHUNK_BYTES;
}

#endif
