#include "live/merge.h"

#include <errno.h>
#include <stdlib.h>

int merge_init(struct merge *m, struct ring *rings, unsigned n, struct inject *extra)
{
	*m = (struct merge){.rings = rings, .n = n, .extra = extra};
	m->heap = calloc(n + 1, sizeof(*m->heap));
	return m->heap ? 0 : -ENOMEM;
}

void merge_fini(struct merge *m)
{
	free(m->heap);
	*m = (struct merge){0};
}

static bool before(const struct merge_head *a, const struct merge_head *b)
{
	if (a->ts != b->ts)
		return a->ts < b->ts;
	if (a->blocked != b->blocked)
		return a->blocked;
	return a->ring < b->ring;
}

/* Puts h into the heap at place i, whose old entry is gone, or further down. */
static void sift_down(struct merge *m, unsigned i, struct merge_head h)
{
	for (;;) {
		unsigned child = 2 * i + 1;

		if (child >= m->nheap)
			break;
		if (child + 1 < m->nheap && before(&m->heap[child + 1], &m->heap[child]))
			child++;
		if (!before(&m->heap[child], &h))
			break;
		m->heap[i] = m->heap[child];
		i = child;
	}
	m->heap[i] = h;
}

/* What ring i has to show. False: nothing, and nothing will come. */
static bool head_of(struct merge *m, uint32_t i, struct merge_head *h)
{
	struct ring *r = &m->rings[i];
	struct ring_record rec;

	if (ring_peek(r, &rec)) {
		*h = (struct merge_head){.ts = rec.ts, .ring = i};
		return true;
	}
	*h = (struct merge_head){.ts = r->bound, .ring = i, .blocked = true};
	return !m->finished || ring_fill(r);
}

void merge_look(struct merge *m, uint64_t now)
{
	struct merge_head h;

	m->nheap = 0;
	for (unsigned i = 0; i < m->n; i++)
		ring_look(&m->rings[i], now);
	for (unsigned i = 0; i < m->n; i++)
		if (head_of(m, i, &h))
			m->heap[m->nheap++] = h;
	for (unsigned i = m->nheap / 2; i-- > 0;)
		sift_down(m, i, m->heap[i]);
}

void merge_finish(struct merge *m)
{
	m->finished = true;
}

/* Whether the extra event at the front comes before what the rings have next. */
static bool extra_first(const struct merge *m, struct ring_record *rec)
{
	if (!m->extra || !inject_peek(m->extra, rec))
		return false;
	return !m->nheap || rec->ts < m->heap[0].ts ||
	       (rec->ts == m->heap[0].ts && !m->heap[0].blocked);
}

bool merge_next(struct merge *m, struct ring_record *rec, uint16_t *cpu)
{
	struct merge_head h;
	struct ring *r;

	if (extra_first(m, rec)) {
		inject_next(m->extra);
		*cpu = 0;
		return true;
	}
	if (!m->nheap || m->heap[0].blocked)
		return false;
	r = &m->rings[m->heap[0].ring];
	ring_peek(r, rec);
	ring_next(r, rec);
	*cpu = r->cpu;
	if (head_of(m, m->heap[0].ring, &h)) {
		sift_down(m, 0, h);
	} else {
		m->nheap--;
		if (m->nheap)
			sift_down(m, 0, m->heap[m->nheap]);
	}
	return true;
}

void merge_release(struct merge *m)
{
	for (unsigned i = 0; i < m->n; i++)
		ring_release(&m->rings[i]);
}
