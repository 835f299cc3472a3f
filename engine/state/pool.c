#include "state/pool.h"

enum { SLAB_BYTES = 64 * 1024 };

struct pool_slab {
	struct pool_slab *next;
	void *pad; /* keeps objects 16-byte aligned */
};

void pool_init(struct pool *p, size_t size)
{
	memset(p, 0, sizeof(*p));
	p->size = (size + 15) & ~(size_t)15;
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

void *pool_get_slow(struct pool *p)
{
	if (POOL_ONE_BY_ONE) {
		void *x = malloc(p->size);
		p->live += x != NULL;
		return x;
	}
	if ((size_t)(p->end - p->at) < p->size) {
		struct pool_slab *s = malloc(sizeof(*s) + SLAB_BYTES);

		if (!s)
			return NULL;
		s->next = p->slabs;
		p->slabs = s;
		p->at = (char *)(s + 1);
		p->end = p->at + SLAB_BYTES;
	}
	void *x = p->at;

	p->at += p->size;
	p->live++;
	return x;
}
