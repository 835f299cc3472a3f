/* Versions as of ascending events. Looking for the version of event e from the newest one backwards
 * costs a step for every later change, again for every event. Here the way is walked once per batch
 * and then followed forwards: the versions between the first event that asked and the end of the
 * batch are noted, newest first, and a cursor moves along. One owner, one batch at a time; entries
 * are valid while the batch is pinned. */
#ifndef BURIN_STATE_PATH_CACHE_H
#define BURIN_STATE_PATH_CACHE_H

#include <stdbool.h>

#include "base/compiler.h"

struct thread;

/* How fd_ver and thread_vol begin. */
struct ver_head {
	uint64_t ord;
	struct ver_head *prev, *skip;
	uint64_t skip_ord;
};

struct path_entry {
	const struct thread *owner;
	int32_t what;	/* descriptor, or PATH_VOLATILE */
	uint32_t gen;	/* used when it is the cache's */
	uint32_t start; /* of its stretch in vec */
	uint32_t at;	/* cursor; the stretch ends where the cursor was first */
};
enum { PATH_VOLATILE = -1 };

struct path_cache {
	struct path_entry *tab;
	uint32_t mask, used, gen;
	const struct ver_head **vec;
	uint32_t nvec, vec_cap;
	uint64_t last_ord; /* of the batch */
};

struct path_cache *path_cache_new(void); /* NULL when memory is out */
void path_cache_free(struct path_cache *p);
void path_cache_begin(struct path_cache *p, uint64_t last_ord); /* forgets everything */
struct path_entry *path_entry(struct path_cache *p, const struct thread *owner, int32_t what);
/* Notes the way from newest to the version of ord; false when memory is out. */
bool path_walk(struct path_cache *p, struct path_entry *e, const struct ver_head *newest,
	       uint64_t ord);

/* Known already? Then *v is the version as of ord, which may be NULL. */
static ALWAYS_INLINE bool path_find(struct path_cache *p, struct path_entry *e, uint64_t ord,
				    const struct ver_head **v)
{
	if (e->gen != p->gen)
		return false;
	while (e->at > e->start && p->vec[e->at - 1]->ord <= ord)
		e->at--;
	*v = p->vec[e->at];
	return !*v || (*v)->ord <= ord;
}

#endif
