/* Pools of fixed-size objects: one owner at a time (the apply turn), a free list in front of slabs
 * that are given back when the pool ends. In sanitizer builds every object is its own malloc, so
 * that a use after free is caught. */
#ifndef BURIN_STATE_POOL_H
#define BURIN_STATE_POOL_H

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

struct pool_slab;
struct pool {
	void **free;	/* each free object starts with a pointer to the next */
	char *at, *end; /* untouched part of the newest slab */
	struct pool_slab *slabs;
	size_t size; /* of an object, bytes, a multiple of 16 */
	size_t live; /* objects handed out */
};

void pool_init(struct pool *p, size_t size);
void pool_fini(struct pool *p); /* objects still handed out are gone too */
void *pool_get_slow(struct pool *p);

/* Uninitialised; NULL when memory is out. */
static ALWAYS_INLINE void *pool_get(struct pool *p)
{
	void **x = p->free;

	if (POOL_ONE_BY_ONE || UNLIKELY(!x))
		return pool_get_slow(p);
	p->free = *x;
	p->live++;
	return x;
}
static ALWAYS_INLINE void pool_put(struct pool *p, void *x)
{
	p->live--;
	if (POOL_ONE_BY_ONE) {
		free(x);
		return;
	}
	*(void **)x = p->free;
	p->free = x;
}

#endif
