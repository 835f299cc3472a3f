#include "state/pool.h"

enum { SLAB_BYTES = 64 * 1024, BUNDLE = 128 };

struct pool_slab {
	struct pool_slab *next;
	void *pad; /* keeps objects 16-byte aligned */
};

void pool_depot_init(struct pool_depot *d)
{
	pthread_mutex_init(&d->lock, NULL);
	d->bundles = NULL;
}

void pool_depot_fini(struct pool_depot *d)
{
	pthread_mutex_destroy(&d->lock);
}

void pool_init(struct pool *p, size_t size, struct pool_depot *depot)
{
	memset(p, 0, sizeof(*p));
	p->size = (size + 15) & ~(size_t)15;
	p->depot = depot;
	p->keep = depot ? 2 * BUNDLE : SIZE_MAX;
}

void pool_fini(struct pool *p)
{
	struct pool_slab *s = p->slabs, *next;

	for (; s; s = next) {
		next = s->next;
		free(s);
	}
	memset(p, 0, sizeof(*p));
}

void pool_give(struct pool *p)
{
	void **first = p->free, **last = first;

	for (unsigned i = 1; i < BUNDLE; i++)
		last = *last;
	p->free = *last;
	p->nfree -= BUNDLE;
	p->made -= BUNDLE;
	*last = NULL;
	pthread_mutex_lock(&p->depot->lock);
	first[1] = p->depot->bundles;
	p->depot->bundles = first;
	pthread_mutex_unlock(&p->depot->lock);
}

/* A bundle of the depot becomes the free list, which is empty. */
static bool take_bundle(struct pool *p)
{
	void **first;

	pthread_mutex_lock(&p->depot->lock);
	first = p->depot->bundles;
	if (first)
		p->depot->bundles = first[1];
	pthread_mutex_unlock(&p->depot->lock);
	if (!first)
		return false;
	p->free = first;
	p->nfree += BUNDLE;
	p->made += BUNDLE;
	return true;
}

static void *get_from_slab(struct pool *p)
{
	void *x = p->at;

	if ((size_t)(p->end - p->at) < p->size) {
		struct pool_slab *s = malloc(sizeof(*s) + SLAB_BYTES);

		if (!s)
			return NULL;
		s->next = p->slabs;
		p->slabs = s;
		x = p->at = (char *)(s + 1);
		p->end = p->at + SLAB_BYTES;
	}
	p->at += p->size;
	p->made++;
	return x;
}

void *pool_get_slow(struct pool *p)
{
	if (POOL_ONE_BY_ONE) {
		void *x = malloc(p->size);

		p->made += x != NULL;
		return x;
	}
	if (p->depot && take_bundle(p))
		return pool_get(p);
	return get_from_slab(p);
}
