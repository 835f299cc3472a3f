#include "live/epoch.h"

#include <errno.h>
#include <stdlib.h>

int epoch_init(struct epoch *e, struct lane *lanes, uint32_t max_lanes, struct chunks *pool)
{
	*e = (struct epoch){.lanes = lanes, .pool = pool};
	e->heap = calloc(max_lanes, sizeof(*e->heap));
	return e->heap ? 0 : -ENOMEM;
}

void epoch_fini(struct epoch *e)
{
	free(e->heap);
	*e = (struct epoch){.nlanes = 0};
}

static bool before(struct epoch_head a, struct epoch_head b)
{
	return a.ts != b.ts ? a.ts < b.ts : a.lane < b.lane;
}

/* Puts h into the heap at place i, whose old entry is gone, or further down. */
static void sift_down(struct epoch *e, uint32_t i, struct epoch_head h)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= e->nheap)
			break;
		if (child + 1 < e->nheap && before(e->heap[child + 1], e->heap[child]))
			child++;
		if (!before(e->heap[child], h))
			break;
		e->heap[i] = e->heap[child];
		i = child;
	}
	e->heap[i] = h;
}

/* Stamp below which events of a lane come before h. */
static uint64_t limit_of(struct epoch_head h, uint32_t lane)
{
	return h.ts + (lane <= h.lane);
}

/* The lane's next event, if it is before the watermark. */
static bool head_of(const struct epoch *e, uint32_t lane, struct epoch_head *h)
{
	const struct lane *l = &e->lanes[lane];

	if (lane_empty(l))
		return false;
	*h = (struct epoch_head){chunk_mark(e->pool, l->first, l->at)->ts, lane};
	return h->ts < limit_of(e->end, lane);
}

void epoch_close(struct epoch *e, uint32_t nlanes, bool all)
{
	struct epoch_head h;

	e->nlanes = nlanes;
	e->end = (struct epoch_head){UINT64_MAX - 1, nlanes};
	for (uint32_t i = 0; i < nlanes && !all; i++)
		if (e->lanes[i].bound < e->end.ts)
			e->end = (struct epoch_head){e->lanes[i].bound, i};
	e->nheap = 0;
	for (uint32_t i = 0; i < nlanes; i++)
		if (head_of(e, i, &h))
			e->heap[e->nheap++] = h;
	for (uint32_t i = e->nheap / 2; i-- > 0;)
		sift_down(e, i, e->heap[i]);
}

/* ---- batches --------------------------------------------------------------------------------- */

/* b->mem lists the chunks that the batch counts on. */
static int count_on(struct epoch *e, struct batch *b, size_t *n, struct chunk *c)
{
	if ((*n + 1) * sizeof(uint32_t) > b->mem_cap) {
		size_t cap = b->mem_cap ? 2 * b->mem_cap : 64 * sizeof(uint32_t);
		uint8_t *p = realloc(b->mem, cap);

		if (!p)
			return -ENOMEM;
		b->mem = p;
		b->mem_cap = cap;
	}
	((uint32_t *)b->mem)[(*n)++] = chunk_number(e->pool, c);
	c->batch = e->batch;
	chunks_keep(e->pool, c);
	return 0;
}

static int reserve(struct batch *b, uint32_t more)
{
	uint32_t cap = MAX(b->nblk + more, 2 * b->blk_cap);
	uint32_t *p;

	if (b->blk_cap - b->nblk >= more)
		return 0;
	p = realloc(b->blk, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	b->blk = p;
	b->blk_cap = cap;
	return 0;
}

/* Events of lane l from its first chunk: those with stamps below limit, until the batch is full. */
static void list_run(struct epoch *e, struct lane *l, uint64_t limit, struct batch *b,
		     size_t max_bytes)
{
	const struct mark *m = chunk_mark(e->pool, l->first, l->at);
	uint32_t left = l->first->n - l->at, k = 0, *blk = b->blk + b->nblk;
	size_t bytes = b->len;

	for (; k < left && m->ts < limit && bytes < max_bytes; k++, m--) {
		blk[k] = m->off;
		bytes += m->len;
	}
	l->at += k;
	b->nblk += k;
	b->len = bytes;
}

/* The lane in front, as far as it stays there. */
static int list_front(struct epoch *e, struct batch *b, size_t *nchunks, size_t max_bytes)
{
	uint32_t lane = e->heap[0].lane;
	struct lane *l = &e->lanes[lane];
	struct epoch_head limit = e->end, h;
	int rc = 0;

	for (uint32_t i = 1; i < 3 && i < e->nheap; i++)
		if (before(e->heap[i], limit))
			limit = e->heap[i];
	if (l->first->batch != e->batch)
		rc = count_on(e, b, nchunks, l->first);
	if (!rc)
		rc = reserve(b, l->first->n - l->at);
	if (rc)
		return rc;
	list_run(e, l, limit_of(limit, lane), b, max_bytes);
	if (l->at == l->first->n)
		lane_chunk_done(l, e->pool);
	if (!head_of(e, lane, &h))
		h = e->heap[--e->nheap];
	if (e->nheap)
		sift_down(e, 0, h);
	return 0;
}

int epoch_fill(struct epoch *e, struct batch *b, size_t max_bytes)
{
	size_t nchunks = 0;
	int rc = 0;

	e->batch++;
	b->data = e->pool->base;
	while (!rc && e->nheap && b->len < max_bytes)
		rc = list_front(e, b, &nchunks, max_bytes);
	/* The list ends where it is full, or with a number no chunk has. */
	if ((nchunks + 1) * sizeof(uint32_t) <= b->mem_cap)
		((uint32_t *)b->mem)[nchunks] = UINT32_MAX;
	return rc;
}

void epoch_release(struct chunks *pool, struct batch *b)
{
	const uint32_t *list = (const uint32_t *)b->mem;
	size_t n = 0, max = b->mem_cap / sizeof(uint32_t);

	if (b->data != pool->base)
		return;
	while (n < max && list[n] != UINT32_MAX)
		n++;
	chunks_put_all(pool, list, n);
	b->data = NULL;
	b->len = 0;
}
