#include "live/chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int chunks_init(struct chunks *p, uint32_t nchunks)
{
	void *m;

	*p = (struct chunks){.n = MIN(nchunks, UINT32_MAX / CHUNK_BYTES)};
	pthread_mutex_init(&p->lock, NULL);
	p->all = calloc(p->n, sizeof(*p->all));
	if (!p->all)
		return -ENOMEM;
	m = mmap(NULL, (size_t)p->n * CHUNK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	p->base = m;
	for (uint32_t i = 0; i < p->n; i++)
		p->all[i].off = i * CHUNK_BYTES;
	return 0;
}

void chunks_fini(struct chunks *p)
{
	if (p->base)
		munmap(p->base, (size_t)p->n * CHUNK_BYTES);
	if (p->n)
		pthread_mutex_destroy(&p->lock);
	free(p->all);
	*p = (struct chunks){.n = 0};
}

struct chunk *chunks_take(struct chunks *p)
{
	struct chunk *c;

	pthread_mutex_lock(&p->lock);
	c = p->free;
	if (c)
		p->free = c->next;
	else if (p->touched < p->n)
		c = &p->all[p->touched++];
	if (c) {
		c->used = c->n = 0;
		c->refs = 1;
		c->batch = 0;
		c->next = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	return c;
}

void chunks_keep(struct chunks *p, struct chunk *c)
{
	pthread_mutex_lock(&p->lock);
	c->refs++;
	pthread_mutex_unlock(&p->lock);
}

static void put_locked(struct chunks *p, struct chunk *c)
{
	if (--c->refs)
		return;
	c->next = p->free;
	p->free = c;
}

void chunks_put(struct chunks *p, struct chunk *c)
{
	pthread_mutex_lock(&p->lock);
	put_locked(p, c);
	pthread_mutex_unlock(&p->lock);
}

void chunks_put_all(struct chunks *p, const uint32_t *numbers, size_t n)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++)
		put_locked(p, &p->all[numbers[i]]);
	pthread_mutex_unlock(&p->lock);
}
