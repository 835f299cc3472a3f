/* Pools of fixed-size objects: one owner at a time (a mutator's turn), a free list in front of slabs
 * that are given back when the pool ends. In sanitizer builds every object is its own malloc, so
 * that a use after free is caught.
 *
 * Where objects are made in one pool and freed into another, both of the same size, a depot shared
 * by all of them passes bundles of free objects on, so that none piles up what another lacks. */
#ifndef BURIN_STATE_POOL_H
#define BURIN_STATE_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/compiler.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POOL_ONE_BY_ONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POOL_ONE_BY_ONE 1
#endif
#endif
#ifndef POOL_ONE_BY_ONE
#define POOL_ONE_BY_ONE 0
#endif

struct pool_depot {
	pthread_mutex_t lock;
	void **bundles; /* GUARDED_BY(lock): chained by their first objects' second word */
};

struct pool_slab;
struct pool {
	void **free;	/* each free object starts with a pointer to the next */
	char *at, *end; /* untouched part of the newest slab */
	struct pool_slab *slabs;
	struct pool_depot *depot; /* NULL: the pool is alone */
	size_t size;		  /* of an object, bytes, a multiple of 16 */
	size_t nfree, keep;	  /* objects on the free list; above keep it gives some away */
	size_t made; /* objects that are or were handed out, less those that went to the depot */
};

void pool_depot_init(struct pool_depot *d);
void pool_depot_fini(struct pool_depot *d); /* after the pools */
void pool_init(struct pool *p, size_t size, struct pool_depot *depot);
void pool_fini(struct pool *p); /* objects still handed out are gone too */
void *pool_get_slow(struct pool *p);
void pool_give(struct pool *p); /* a bundle to the depot */

/* Objects handed out; of pools that share a depot the sum of all counts, modulo 2^64. */
static inline size_t pool_live(const struct pool *p)
{
	return p->made - p->nfree;
}

/* Uninitialised; NULL when memory is out. */
static ALWAYS_INLINE void *pool_get(struct pool *p)
{
	void **x = p->free;

	if (POOL_ONE_BY_ONE || UNLIKELY(!x))
		return pool_get_slow(p);
	p->free = *x;
	p->nfree--;
	return x;
}
static ALWAYS_INLINE void pool_put(struct pool *p, void *x)
{
	if (POOL_ONE_BY_ONE) {
		p->made--;
		free(x);
		return;
	}
	*(void **)x = p->free;
	p->free = x;
	if (UNLIKELY(++p->nfree > p->keep))
		pool_give(p);
}

#endif
