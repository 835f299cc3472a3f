#include "live/lane.h"

#include "event/event.h"

enum {
	FRAME = 12,		  /* type, length; length again */
	RELEASE_EVERY = 64 << 10, /* the kernel gets room back while a long stretch is drained */
};

_Static_assert(INJECT_MAX + FRAME + 16 + sizeof(struct mark) <= CHUNK_BYTES,
	       "fits into an empty chunk");

void lane_init(struct lane *l, struct ring *ring)
{
	*l = (struct lane){.ring = ring};
}

void lane_fini(struct lane *l, struct chunks *p)
{
	while (l->first) {
		struct chunk *c = l->first;

		l->first = c->next;
		chunks_put(p, c);
	}
	l->last = NULL;
}

static struct chunk *grow(struct lane *l, struct chunks *p)
{
	struct chunk *c = l->nchunks < LANE_CHUNKS ? chunks_take(p) : NULL;

	if (!c)
		return NULL;
	if (l->last)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
	l->nchunks++;
	if (l->at == l->first->n && l->first != c)
		lane_chunk_done(l, p);
	return c;
}

void lane_chunk_done(struct lane *l, struct chunks *p)
{
	struct chunk *c = l->first;

	if (c == l->last)
		return;
	l->first = c->next;
	l->at = 0;
	l->nchunks--;
	chunks_put(p, c);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static uint32_t block_kind(const uint8_t *record)
{
	return event_table[load_u16(record + 20)].flags & EF_LARGE_PAYLOAD ? BLK_EV_V2_LARGE
									   : BLK_EV_V2;
}

/* The frame of an event block around a record, with its stamp. */
static void put_block(uint8_t *p, uint32_t total, const struct ring_record *rec, uint16_t cpu)
{
	uint32_t end = 8 + 2 + rec->len;

	/* First the padding, which may share its word with the end of the record. */
	put_u32(p + total - 8, 0);
	put_u32(p, block_kind(rec->p));
	put_u32(p + 4, total);
	memcpy(p + 8, &cpu, 2);
	memcpy(p + 10, &rec->ts, 8);
	memcpy(p + 18, rec->p + 8, end - 18);
	put_u32(p + total - 4, total);
}

static bool put(struct lane *l, struct chunks *p, const struct ring_record *rec, uint16_t cpu)
{
	uint32_t total = FRAME + (2 + rec->len + 3) / 4 * 4;
	struct chunk *c = l->last;

	if (UNLIKELY(!c || !chunk_has_room(c, total))) {
		c = grow(l, p);
		if (!c)
			return false;
	}
	put_block(p->base + c->off + c->used, total, rec, cpu);
	*chunk_mark(p, c, c->n) = (struct mark){rec->ts, c->off + c->used, total};
	c->used += total;
	c->n++;
	return true;
}

bool lane_look(struct lane *l, uint64_t now_ns)
{
	ring_look(l->ring, now_ns);
	if (ring_fill(l->ring))
		return true;
	l->cut = false;
	l->bound = l->ring->bound = MAX(l->ring->bound, now_ns);
	return false;
}

static void watch(const struct watcher *w, const uint8_t *record)
{
	uint16_t type = load_u16(record + 20);

	if (UNLIKELY(w->types[type / 64 % 8] >> type % 64 & 1))
		w->see(w->ctx, record);
}

void lane_drain(struct lane *l, struct chunks *p, const struct watcher *w)
{
	struct ring *r = l->ring;
	struct ring_record rec;
	uint64_t released = r->pos;

	l->cut = false;
	while (ring_peek(r, &rec)) {
		if (!put(l, p, &rec, r->cpu)) {
			l->cut = true;
			break;
		}
		watch(w, rec.p);
		ring_next(r, &rec);
		if (r->pos - released >= RELEASE_EVERY) {
			ring_release(r);
			released = r->pos;
		}
	}
	ring_release(r);
	l->bound = r->bound;
}

void lane_drain_inject(struct lane *l, struct chunks *p, struct inject *q, uint64_t now_ns)
{
	struct ring_record rec;

	while (inject_peek(q, &rec) && put(l, p, &rec, 0))
		inject_next(q);
	l->cut = inject_peek(q, &rec);
	l->bound = l->cut ? rec.ts : now_ns;
}
