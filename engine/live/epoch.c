#include "live/epoch.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* Every so manieth event of a lane says where an epoch may be cut. */
	STRIDE_MAX = 128,
	SAMPLES = 64,	   /* of a batch, at most, if its length allows */
	EVENT_BYTES = 128, /* usual length of a block */
};

/* Of one chunk, the events that a batch has: marks at to end - 1. */
struct piece {
	uint32_t chunk, lane;
	uint32_t at, end;
};

/* What b->mem holds of a batch: pieces in the order of the lanes, and of the lane. */
struct pieces {
	uint32_t n, unused;
	struct piece p[];
};

void epoch_init(struct epoch *e, struct lane *lanes, struct chunks *pool, size_t batch_bytes)
{
	*e = (struct epoch){
		.lanes = lanes, .pool = pool, .batch_bytes = batch_bytes, .empty = true};
}

void epoch_fini(struct epoch *e)
{
	free(e->sample);
	e->sample = NULL;
}

/* Stamp below which events of the lane come before the place. */
static uint64_t limit_of(struct place p, uint32_t lane)
{
	return p.ts + ((int32_t)lane <= p.lane);
}

/* First mark of the chunk, from mark at on, whose stamp is not below limit. */
static uint32_t find_limit(const struct chunks *pool, const struct chunk *c, uint32_t at,
			   uint64_t limit)
{
	uint32_t end = c->n;

	if (at == end || chunk_mark(pool, c, end - 1)->ts < limit)
		return end;
	while (at < end) {
		uint32_t mid = at + (end - at) / 2;

		if (chunk_mark(pool, c, mid)->ts < limit)
			at = mid + 1;
		else
			end = mid;
	}
	return at;
}

/* Bytes of the chunk's events at to end - 1, at < end: they lie back to back. */
static uint32_t bytes_of(const struct chunks *pool, const struct chunk *c, uint32_t at,
			 uint32_t end)
{
	const struct mark *last = chunk_mark(pool, c, end - 1);

	return last->off + last->len - chunk_mark(pool, c, at)->off;
}

/* ---- cutting --------------------------------------------------------------------------------- */

static bool add_sample(struct epoch *e, uint64_t ts, uint32_t bytes)
{
	if (e->nsamples == e->cap_samples) {
		size_t cap = e->cap_samples ? 2 * e->cap_samples : 256;
		struct epoch_sample *p = realloc(e->sample, cap * sizeof(*p));

		if (!p)
			return false; /* batches get longer */
		e->sample = p;
		e->cap_samples = cap;
	}
	e->sample[e->nsamples++] = (struct epoch_sample){ts, bytes};
	return true;
}

static void sample_lane(struct epoch *e, uint32_t lane, uint32_t stride)
{
	const struct lane *l = &e->lanes[lane];
	uint64_t limit = limit_of(e->end, lane);
	uint32_t at = l->at;

	for (const struct chunk *c = l->first; c; c = c->next, at = 0) {
		uint32_t end = find_limit(e->pool, c, at, limit);

		for (; at < end; at += MIN(stride, end - at))
			if (!add_sample(e, chunk_mark(e->pool, c, at)->ts,
					bytes_of(e->pool, c, at, MIN(at + stride, end))))
				return;
		if (end < c->n)
			return;
	}
}

static int by_stamp(const void *a, const void *b)
{
	uint64_t x = ((const struct epoch_sample *)a)->ts, y = ((const struct epoch_sample *)b)->ts;

	return (x > y) - (x < y);
}

/* Looks where the epoch can be cut, if it is more than a batch. */
static void find_cuts(struct epoch *e)
{
	size_t most = 0, events = e->batch_bytes / EVENT_BYTES;
	size_t stride = MAX(events / 2 / e->nlanes, events / SAMPLES);

	e->nsamples = e->next_sample = 0;
	for (uint32_t i = 0; i < e->nlanes; i++)
		for (const struct chunk *c = e->lanes[i].first; c; c = c->next)
			most += c->used;
	if (most <= e->batch_bytes)
		return;
	stride = MIN(MAX(stride, (size_t)1), (size_t)STRIDE_MAX);
	for (uint32_t i = 0; i < e->nlanes; i++)
		sample_lane(e, i, (uint32_t)stride);
	if (e->nsamples)
		qsort(e->sample, e->nsamples, sizeof(*e->sample), by_stamp);
}

void epoch_close(struct epoch *e, uint32_t nlanes, bool all)
{
	e->nlanes = nlanes;
	e->end = (struct place){UINT64_MAX - 1, -1};
	for (uint32_t i = 0; i < nlanes && !all; i++)
		if (e->lanes[i].bound < e->end.ts)
			e->end = (struct place){e->lanes[i].bound, (int32_t)i};
	e->empty = true;
	for (uint32_t i = 0; i < nlanes && e->empty; i++) {
		const struct lane *l = &e->lanes[i];

		e->empty = lane_empty(l) ||
			   chunk_mark(e->pool, l->first, l->at)->ts >= limit_of(e->end, i);
	}
	if (!e->empty)
		find_cuts(e);
}

/* Where the next batch ends. */
static struct place next_cut(struct epoch *e)
{
	size_t bytes = 0, i = e->next_sample;
	uint64_t begin = i < e->nsamples ? e->sample[i].ts : 0;

	for (; i < e->nsamples; bytes += e->sample[i++].bytes) {
		if (bytes < e->batch_bytes || e->sample[i].ts == begin)
			continue;
		e->next_sample = i;
		return (struct place){e->sample[i].ts, -1};
	}
	e->empty = true;
	return e->end;
}

static struct pieces *pieces_reserve(struct batch *b, uint32_t n)
{
	size_t bytes = sizeof(struct pieces) + n * sizeof(struct piece);
	uint8_t *p;

	if (b->mem_cap < bytes) {
		bytes = MAX(bytes, 2 * b->mem_cap);
		p = realloc(b->mem, bytes);
		if (!p)
			return NULL;
		b->mem = p;
		b->mem_cap = bytes;
	}
	return (struct pieces *)b->mem;
}

/* The stretch of a lane that ends at the cut. */
static void cut_lane(struct epoch *e, struct batch *b, uint32_t lane, struct place cut)
{
	struct pieces *ps = (struct pieces *)b->mem;
	struct lane *l = &e->lanes[lane];
	uint64_t limit = limit_of(cut, lane);

	while (l->first) {
		struct chunk *c = l->first;
		uint32_t end = find_limit(e->pool, c, l->at, limit);
		bool whole = end == c->n;

		if (l->at < end) {
			ps->p[ps->n++] = (struct piece){chunk_number(e->pool, c), lane, l->at, end};
			b->len += bytes_of(e->pool, c, l->at, end);
			chunks_keep(e->pool, c);
			l->at = end;
		}
		if (!whole || c == l->last)
			break;
		lane_chunk_done(l, e->pool);
	}
}

int epoch_cut(struct epoch *e, struct batch *b)
{
	struct pieces *ps = pieces_reserve(b, e->nlanes * LANE_CHUNKS);
	struct place cut;

	if (!ps)
		return -ENOMEM;
	ps->n = 0;
	b->data = e->pool->base;
	cut = next_cut(e);
	for (uint32_t i = 0; i < e->nlanes; i++)
		cut_lane(e, b, i, cut);
	return 0;
}

/* ---- ordering -------------------------------------------------------------------------------- */

struct head {
	uint64_t ts; /* of the next event of the piece */
	uint32_t piece;
};

static bool before(struct head a, struct head b)
{
	return a.ts != b.ts ? a.ts < b.ts : a.piece < b.piece;
}

/* Puts h into the heap at place i, whose old entry is gone, or further down. */
static void sift_down(struct head *heap, uint32_t n, uint32_t i, struct head h)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && before(heap[child + 1], heap[child]))
			child++;
		if (!before(heap[child], h))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = h;
}

/* A lane's first piece goes into the heap, its others follow. */
static uint32_t make_heap(const struct chunks *pool, const struct pieces *ps, struct head *heap)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ps->n; i++) {
		const struct piece *p = &ps->p[i];

		if (!i || p->lane != p[-1].lane)
			heap[n++] =
				(struct head){chunk_mark(pool, &pool->all[p->chunk], p->at)->ts, i};
	}
	for (uint32_t i = n / 2; i-- > 0;)
		sift_down(heap, n, i, heap[i]);
	return n;
}

/* Lists the piece in front as far as it stays there; true: *h is what comes of its lane then. */
static bool list_front(const struct chunks *pool, const struct pieces *ps, const struct head *heap,
		       uint32_t n, uint32_t *at, struct batch *b, struct head *h)
{
	uint32_t i = heap[0].piece, k = 0;
	const struct piece *p = &ps->p[i];
	const struct mark *m = chunk_mark(pool, &pool->all[p->chunk], at[i]);
	uint32_t left = p->end - at[i], *blk = b->blk + b->nblk;
	struct head next = {UINT64_MAX, UINT32_MAX};
	uint64_t limit;

	for (uint32_t c = 1; c < 3 && c < n; c++)
		if (before(heap[c], next))
			next = heap[c];
	limit = next.ts + (i < next.piece && next.ts < UINT64_MAX);
	do
		blk[k++] = (m--)->off;
	while (k < left && m->ts < limit);
	b->nblk += k;
	at[i] += k;
	if (k < left) {
		*h = (struct head){m->ts, i};
		return true;
	}
	if (i + 1 == ps->n || p[1].lane != p->lane)
		return false;
	*h = (struct head){chunk_mark(pool, &pool->all[p[1].chunk], p[1].at)->ts, i + 1};
	return true;
}

static int reserve(struct batch *b, uint32_t n)
{
	uint32_t *p;

	if (b->blk_cap >= n)
		return 0;
	p = realloc(b->blk, n * sizeof(*p));
	if (!p)
		return -ENOMEM;
	b->blk = p;
	b->blk_cap = n;
	return 0;
}

int epoch_order(struct chunks *pool, struct batch *b)
{
	struct pieces *ps = (struct pieces *)b->mem;
	struct head *heap, h;
	uint32_t n, nblk = 0, *at;

	b->nblk = 0;
	if (b->data != pool->base || !ps->n)
		return 0;
	for (uint32_t i = 0; i < ps->n; i++)
		nblk += ps->p[i].end - ps->p[i].at;
	heap = malloc(ps->n * (sizeof(*heap) + sizeof(*at)));
	if (!heap || reserve(b, nblk)) {
		free(heap);
		return -ENOMEM;
	}
	at = (uint32_t *)(heap + ps->n);
	for (uint32_t i = 0; i < ps->n; i++)
		at[i] = ps->p[i].at;
	n = make_heap(pool, ps, heap);
	while (n) {
		if (!list_front(pool, ps, heap, n, at, b, &h))
			h = heap[--n];
		if (n)
			sift_down(heap, n, 0, h);
	}
	free(heap);
	return 0;
}

void epoch_release(struct chunks *pool, struct batch *b)
{
	struct pieces *ps = (struct pieces *)b->mem;

	if (b->data != pool->base)
		return;
	for (uint32_t i = 0; i < ps->n; i++)
		chunks_put(pool, &pool->all[ps->p[i].chunk]);
	ps->n = 0;
	b->data = NULL;
	b->len = 0;
}
