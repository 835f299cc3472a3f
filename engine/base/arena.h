/* A bump allocator reset between batches. One owner thread. Memory from it lives until arena_reset;
 * nothing is freed one by one. In sanitizer builds every request is its own malloc, so that overruns
 * are caught. arena_alloc returns NULL when memory is out (also sticky in .failed). */
#ifndef BURIN_BASE_ARENA_H
#define BURIN_BASE_ARENA_H

#include <stdbool.h>

#include "base/compiler.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks; /* private: newest first */
	char *at, *end;		    /* private: free part of the newest chunk */
	size_t used_bytes;	    /* handed out since the last reset */
	bool failed;
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);
/* Keeps one chunk for reuse, frees the others. */
void arena_reset(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* 16-byte aligned, uninitialised */
void *arena_dup(struct arena *a, const void *p, size_t n);

#endif
