#include "field/memo.h"

#include <errno.h>
#include <stdlib.h>

int memo_init(struct memo *m, unsigned by)
{
	*m = (struct memo){.by = by};
	if (!(by & FF_BY_FD))
		return 0;
	m->fds = calloc(MEMO_FDS, sizeof(*m->fds));
	return m->fds ? 0 : -ENOMEM;
}

void memo_fini(struct memo *m)
{
	free(m->slots);
	free(m->fds);
	*m = (struct memo){0};
}

static bool slots_grow(struct memo *m, uint32_t n)
{
	struct memo_slot *s;

	if (n <= m->nslots)
		return true;
	s = realloc(m->slots, n * sizeof(*s));
	if (!s)
		return false;
	memset(s + m->nslots, 0, (n - m->nslots) * sizeof(*s)); /* no batch has epoch 0 */
	m->slots = s;
	m->nslots = n;
	return true;
}

uint32_t *memo_slot_new(struct memo *m, struct evctx *c, uint32_t slot)
{
	unsigned need = m->by & FF_BY_MAIN ? STABLE_THREAD | STABLE_MAIN : STABLE_THREAD;
	struct memo_slot *s;
	bool stable;

	if (!slots_grow(m, c->b->nslots))
		return NULL;
	s = &m->slots[slot];
	stable = (evctx_slot_stable(c, slot) & need) == need;
	*s = (struct memo_slot){c->epoch, stable ? MEMO_NEW : MEMO_NO_PLACE};
	return stable ? &s->value : NULL;
}

uint32_t *memo_fd_new(struct memo *m, struct evctx *c)
{
	const struct ev_rec *r = c->rec;
	const struct fd_ver *f;
	struct memo_fd *e;
	uint64_t until;

	if (!evctx_fd_plain(c, &f, &until))
		return NULL;
	e = memo_fd_place(m, r);
	*e = (struct memo_fd){.epoch = c->epoch,
			      .slot = r->slot,
			      .fd = r->fd,
			      .unknown = !f,
			      .from = c->idx + 1,
			      .until = (uint32_t)MIN(until - c->ord + c->idx + 1, UINT32_MAX),
			      .value = {MEMO_NEW, MEMO_NEW}};
	return memo_fd_value(e, r);
}
