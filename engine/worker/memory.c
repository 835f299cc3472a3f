#include "worker/memory.h"

#ifdef BURIN_HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>

enum { MAX_ARENAS = 256 };
static _Atomic unsigned arena_of[MAX_ARENAS]; /* arena index + 1; 0 = not made yet */

void memory_bind_worker(unsigned id)
{
	unsigned arena;
	size_t n = sizeof(arena);

	if (id >= MAX_ARENAS)
		return;
	arena = atomic_load_explicit(&arena_of[id], memory_order_relaxed);
	if (!arena) {
		/* A worker id is bound by one thread at a time, so there is no race for the slot. */
		if (mallctl("arenas.create", &arena, &n, NULL, 0) != 0)
			return;
		arena++;
		atomic_store_explicit(&arena_of[id], arena, memory_order_relaxed);
	}
	arena--;
	mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
}
#else
void memory_bind_worker(unsigned id)
{
	(void)id;
}
#endif
