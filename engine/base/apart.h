/* Memory that belongs to one worker or one turn: on cache lines of its own, so that writing to it takes no line
 * from another CPU that only reads its neighbour. */
#ifndef BURIN_BASE_APART_H
#define BURIN_BASE_APART_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

/* For the type of an element of apart_calloc's arrays. Two lines: processors fetch the neighbour of a pair along
 * with it. */
enum { APART_BYTES = 2 * CACHE_LINE };
#define APART __attribute__((aligned(APART_BYTES)))

/* n zeroed elements of that size, which for several is a multiple of APART_BYTES; NULL when memory is out. Owned by
 * the caller: free. Any thread. */
static inline void *apart_calloc(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - APART_BYTES)
		return NULL;
	bytes = (bytes + APART_BYTES - 1) & ~(size_t)(APART_BYTES - 1);
	p = aligned_alloc(APART_BYTES, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

#endif
