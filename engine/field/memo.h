/* Results that serve many events of a batch: what is a function of the thread, or of one of its
 * descriptors, alone (FF_BY_* of a field) is found out once and kept. Numbers are kept, by slot or
 * by slot and descriptor; what they mean is the caller's business.
 *
 * A memo belongs to one worker and to one evctx; it is empty again with every batch (evctx_begin).
 * Nothing here can fail: without memory an event merely has no place. */
#ifndef BURIN_FIELD_MEMO_H
#define BURIN_FIELD_MEMO_H

#include "field/field.h"

enum { MEMO_NEW = 0, MEMO_FDS = 1024 /* places, a power of two */ };
#define MEMO_NO_PLACE UINT32_MAX

struct memo_slot {
	uint32_t epoch, value;
};
struct memo_fd {
	uint32_t epoch, slot;
	int32_t fd;
	uint32_t unknown;     /* 1: a descriptor of which nothing is known */
	uint32_t from, until; /* indices of events plus 1: good for those in [from, until) */
	/* Of an unknown descriptor exits show something else than enters: [type & 1]; else [0]. */
	uint32_t value[2];
};
struct memo {
	unsigned by; /* enum field_flags FF_BY_* */
	struct memo_slot *slots;
	uint32_t nslots;
	struct memo_fd *fds; /* direct-mapped; NULL unless by FF_BY_FD */
};

/* by: what the results depend on, some of FF_BY. */
int memo_init(struct memo *m, unsigned by);
void memo_fini(struct memo *m);
/* Dependencies of a field: some of FF_BY; 0: on the event. */
static inline unsigned field_by(const struct field_ref *r)
{
	return r->info->flags & FF_BY;
}

uint32_t *memo_slot_new(struct memo *m, struct evctx *c, uint32_t slot);

/* The place for results by thread of the event of record r, MEMO_NEW when nothing is known yet.
 * NULL: there is none. c has begun the batch; where it stands does not matter. */
static ALWAYS_INLINE uint32_t *memo_by_thread(struct memo *m, struct evctx *c,
					      const struct ev_rec *r)
{
	struct memo_slot *s;

	/* A container event has a thread made up for it. */
	if (UNLIKELY(r->slot == UINT32_MAX || r->type == EV_CONTAINER_E))
		return NULL;
	if (UNLIKELY(r->slot >= m->nslots))
		return memo_slot_new(m, c, r->slot);
	s = &m->slots[r->slot];
	if (UNLIKELY(s->epoch != c->epoch))
		return memo_slot_new(m, c, r->slot);
	return LIKELY(s->value != MEMO_NO_PLACE) ? &s->value : NULL;
}

static ALWAYS_INLINE struct memo_fd *memo_fd_place(const struct memo *m, const struct ev_rec *r)
{
	uint32_t h = (r->slot * 0x9E3779B1u) ^ ((uint32_t)r->fd * 0x85EBCA6Bu);

	return &m->fds[h >> 16 & (MEMO_FDS - 1)];
}

/* A close shows what was there when it began: no more than that is asked of its place. 0: anything
 * may be. */
static ALWAYS_INLINE uint32_t memo_fd_since(const struct evctx *c, const struct ev_rec *r,
					    uint32_t at)
{
	if (LIKELY(evctx_rec_plain_fd(c, r)))
		return at;
	return r->type == EV_SYSCALL_CLOSE_X && r->fd >= 0 &&
			       (r->flags & (ER_PAIRED | ER_OWN_FD)) == ER_PAIRED
		       ? r->pair
		       : 0;
}

static ALWAYS_INLINE uint32_t *memo_fd_value(struct memo_fd *e, const struct ev_rec *r)
{
	return &e->value[e->unknown & r->type];
}

/* The place for results by descriptor of event idx of the batch, MEMO_NEW when none is known yet; NULL: nothing is
 * known of the descriptor (memo_fd_new). */
static ALWAYS_INLINE uint32_t *memo_by_fd(const struct memo *m, const struct evctx *c, uint32_t idx)
{
	const struct ev_rec *r = &c->b->ev[idx];
	struct memo_fd *e = memo_fd_place(m, r);

	return e->epoch == c->epoch && e->slot == r->slot && e->fd == r->fd && idx + 1 < e->until &&
			       e->from <= memo_fd_since(c, r, idx + 1)
		       ? memo_fd_value(e, r)
		       : NULL;
}
/* A new place for the event on which c stands; NULL: it can have none. */
uint32_t *memo_fd_new(struct memo *m, struct evctx *c);

#endif
