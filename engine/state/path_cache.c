#include "base/apart.h"
#include "state/path_cache.h"

#include <stdlib.h>

enum { PATH_TAB_MIN = 256 };

struct path_cache *path_cache_new(void)
{
	struct path_cache *p = apart_calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tab = calloc(PATH_TAB_MIN, sizeof(*p->tab));
	if (!p->tab) {
		free(p);
		return NULL;
	}
	p->mask = PATH_TAB_MIN - 1;
	return p;
}

void path_cache_free(struct path_cache *p)
{
	if (!p)
		return;
	free(p->tab);
	free(p->vec);
	free(p);
}

void path_cache_begin(struct path_cache *p, uint64_t last_ord)
{
	p->used = p->nvec = 0;
	p->last_ord = last_ord;
	/* After four thousand million batches an old entry could seem new. */
	if (++p->gen == 0) {
		memset(p->tab, 0, ((size_t)p->mask + 1) * sizeof(*p->tab));
		p->gen = 1;
	}
}

static uint32_t path_hash(const struct thread *owner, int32_t what)
{
	return (uint32_t)((((uintptr_t)owner >> 5) + (uint32_t)what * 0x9E3779B1u) *
				  0x9E3779B97F4A7C15u >>
			  32);
}

static struct path_entry *path_place(const struct path_cache *p, const struct thread *owner,
				     int32_t what)
{
	for (uint32_t i = path_hash(owner, what);; i++) {
		struct path_entry *e = &p->tab[i & p->mask];

		if (e->gen != p->gen || (e->owner == owner && e->what == what))
			return e;
	}
}

/* Twice as many places; without memory it stays as it is as long as there is a free one. */
static void path_grow(struct path_cache *p)
{
	struct path_cache old = *p;
	uint32_t cap = 2 * (p->mask + 1);
	struct path_entry *tab = calloc(cap, sizeof(*tab));

	if (!tab)
		return;
	p->tab = tab;
	p->mask = cap - 1;
	for (uint32_t i = 0; i <= old.mask; i++)
		if (old.tab[i].gen == p->gen)
			*path_place(p, old.tab[i].owner, old.tab[i].what) = old.tab[i];
	free(old.tab);
}

struct path_entry *path_entry(struct path_cache *p, const struct thread *owner, int32_t what)
{
	struct path_entry *e = path_place(p, owner, what);

	if (e->gen == p->gen || 2 * (p->used + 1) <= p->mask + 1)
		return e;
	path_grow(p);
	return p->used < p->mask ? path_place(p, owner, what) : NULL;
}

static bool path_push(struct path_cache *p, const struct ver_head *v)
{
	if (p->nvec == p->vec_cap) {
		uint32_t cap = p->vec_cap ? 2 * p->vec_cap : 512;
		const struct ver_head **vec = realloc(p->vec, cap * sizeof(*vec));

		if (!vec)
			return false;
		p->vec = vec;
		p->vec_cap = cap;
	}
	p->vec[p->nvec++] = v;
	return true;
}

bool path_walk(struct path_cache *p, struct path_entry *e, const struct ver_head *newest,
	       uint64_t ord)
{
	const struct ver_head *v = newest;
	uint32_t start = p->nvec;

	/* What later batches have done is not this batch's concern. */
	while (v && v->ord > p->last_ord)
		v = v->skip_ord > p->last_ord ? v->skip : v->prev;
	for (; v && v->ord > ord; v = v->prev)
		if (!path_push(p, v))
			return false;
	if (!path_push(p, v))
		return false;
	e->start = start;
	e->at = p->nvec - 1;
	return true;
}
