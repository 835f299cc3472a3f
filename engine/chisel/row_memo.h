/* Which row of an aggregate an event counts for, when that is a function of the event's type, of
 * its thread or of its descriptor alone: kept for a batch by one worker. Private to engine/chisel.
 */
#ifndef BURIN_CHISEL_ROW_MEMO_H
#define BURIN_CHISEL_ROW_MEMO_H

#include <assert.h>

#include "chisel/chisel_int.h"

struct row_memo {
	struct memo memo;
	bool by_type;
	bool decides; /* ROW_NONE also says that the filters reject the event: neither they nor the
			 key need be asked */
	/* by_type: of each type, and of each call of the two generic ones */
	struct memo_slot type[EV_CODE_COUNT + 2 * SC_CODE_COUNT];
};

/* What a place holds: MEMO_NEW, ROW_NONE (the events count for nothing), or ROW_FIRST + number of a
 * row of the worker's table. */
enum { ROW_NONE = MEMO_NEW + 1, ROW_FIRST };

int row_memo_new(struct row_memo **out, const struct chisel *c,
		 const struct chisel_agg *a); /* NULL: keys are no such */
void row_memo_free(struct row_memo *m);

/* Place of a generic event among those by type; UINT32_MAX: it does not say which call it is. */
static ALWAYS_INLINE uint32_t row_memo_call(const struct batch *b, const struct ev_rec *r)
{
	const uint8_t *blk = b->data + r->off, *lens = blk + 10 + EVENT_HDR_V2;
	uint32_t n = load_u32(blk + 10 + EVENT_HDR_V1), id;

	if (UNLIKELY(load_u32(blk) != BLK_EV_V2 || !n || load_u16(lens) != 2))
		return UINT32_MAX;
	id = load_u16(lens + 2 * (size_t)n);
	return LIKELY(id < SC_CODE_COUNT) ? EV_CODE_COUNT + 2 * id + (r->type & 1) : UINT32_MAX;
}

static ALWAYS_INLINE uint32_t *row_memo_by_type(struct row_memo *m, const struct evctx *c,
						const struct ev_rec *r)
{
	uint32_t at = r->type;
	struct memo_slot *s;

	static_assert(EV_GENERIC_E == 0 && EV_GENERIC_X == 1, "the first two types");
	if (at <= EV_GENERIC_X)
		at = row_memo_call(c->b, r);
	if (UNLIKELY(at == UINT32_MAX))
		return NULL;
	s = &m->type[at];
	if (UNLIKELY(s->epoch != c->epoch))
		*s = (struct memo_slot){c->epoch, MEMO_NEW};
	return &s->value;
}

/* The place of event idx of the batch that c has begun; where c stands does not matter. NULL: it
 * has none, or none yet. */
static ALWAYS_INLINE uint32_t *row_memo_find(struct row_memo *m, struct evctx *c, uint32_t idx)
{
	const struct ev_rec *r = &c->b->ev[idx];

	if (m->by_type)
		return row_memo_by_type(m, c, r);
	return m->memo.by & FF_BY_FD ? memo_by_fd(&m->memo, c, idx)
				     : memo_by_thread(&m->memo, c, r);
}

/* The place of the event c stands on, if it can have one. */
static inline uint32_t *row_memo_place(struct row_memo *m, struct evctx *c)
{
	uint32_t *at = row_memo_find(m, c, c->idx);

	return at || m->by_type || !(m->memo.by & FF_BY_FD) ? at : memo_fd_new(&m->memo, c);
}

#endif
