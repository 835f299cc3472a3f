/* Allocations that fail when out_of_memory, which the including test defines before, says so. Link with
 * --wrap=malloc,--wrap=calloc,--wrap=realloc. */
#ifndef BURIN_TESTS_FAILING_MALLOC_H
#define BURIN_TESTS_FAILING_MALLOC_H

#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return out_of_memory() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return out_of_memory() ? NULL : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
	return out_of_memory() ? NULL : __real_realloc(p, n);
}

#endif
