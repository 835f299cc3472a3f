#include "base/arena.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ONE_BY_ONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ONE_BY_ONE 1
#endif
#endif
#ifndef ARENA_ONE_BY_ONE
#define ARENA_ONE_BY_ONE 0
#endif

enum { ARENA_CHUNK_BYTES = 64 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap; /* bytes behind this header */
};

void arena_init(struct arena *a)
{
	memset(a, 0, sizeof(*a));
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *c = a->chunks, *next;

	for (; c; c = next) {
		next = c->next;
		free(c);
	}
	memset(a, 0, sizeof(*a));
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = ARENA_ONE_BY_ONE ? NULL : a->chunks;
	struct arena_chunk *c = keep ? keep->next : a->chunks, *next;

	for (; c; c = next) {
		next = c->next;
		free(c);
	}
	a->chunks = keep;
	if (keep) {
		keep->next = NULL;
		a->at = (char *)(keep + 1);
		a->end = a->at + keep->cap;
	} else {
		a->at = a->end = NULL;
	}
	a->used_bytes = 0;
	a->failed = false;
}

static void *arena_new_chunk(struct arena *a, size_t n)
{
	size_t cap = ARENA_ONE_BY_ONE ? n : MAX(n, (size_t)ARENA_CHUNK_BYTES);
	struct arena_chunk *c = malloc(sizeof(*c) + cap);

	if (!c) {
		a->failed = true;
		return NULL;
	}
	c->cap = cap;
	c->next = a->chunks;
	a->chunks = c;
	a->at = (char *)(c + 1) + n;
	a->end = (char *)(c + 1) + cap;
	return c + 1;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2) {
		a->failed = true;
		return NULL;
	}
	if (!ARENA_ONE_BY_ONE)
		n = (n + 15) & ~(size_t)15;
	a->used_bytes += n;
	if (!ARENA_ONE_BY_ONE && LIKELY((size_t)(a->end - a->at) >= n)) {
		void *p = a->at;
		a->at += n;
		return p;
	}
	return arena_new_chunk(a, n);
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
	void *q = arena_alloc(a, n ? n : 1);

	if (q && n)
		memcpy(q, p, n);
	return q;
}
