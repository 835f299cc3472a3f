/* Which row of an aggregate an event counts for, when the key is a function of the event's type, of its thread or of its
 * descriptor alone. Numbers of rows are kept for a batch. */
#include <errno.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"

struct row_memo {
	struct memo memo;
	bool by_type;
	struct memo_slot type[EV_CODE_COUNT]; /* by_type */
};

/* What the key depends on; FF_BY_TYPE also when there is no key. */
static unsigned key_by(const struct chisel *c, const struct chisel_agg *a)
{
	unsigned all = ~0u, any = 0;

	for (unsigned i = 0; i < a->spec.nkeys; i++) {
		unsigned by = c->fields[a->key[i]].ref.info->flags & (FF_BY | FF_BY_TYPE);

		/* thread.tid is in the header, but not a function of the type. */
		all &= by & FF_BY ? FF_BY : by;
		any |= by;
	}
	return !all ? 0 : all & FF_BY_TYPE ? FF_BY_TYPE : any;
}

int row_memo_new(struct row_memo **out, const struct chisel *c, const struct chisel_agg *a)
{
	unsigned by = c->sealed ? 0 : key_by(c, a);
	struct row_memo *m;

	*out = NULL;
	if (!by)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m || memo_init(&m->memo, by & FF_BY)) {
		free(m);
		return -ENOMEM;
	}
	m->by_type = by == FF_BY_TYPE;
	*out = m;
	return 0;
}

void row_memo_free(struct row_memo *m)
{
	if (!m)
		return;
	memo_fini(&m->memo);
	free(m);
}

static uint32_t *place_by_type(struct row_memo *m, const struct evctx *c)
{
	struct memo_slot *s = &m->type[c->rec->type];

	if (c->rec->type == EV_GENERIC_E || c->rec->type == EV_GENERIC_X)
		return NULL;
	if (s->epoch != c->epoch)
		*s = (struct memo_slot){c->epoch, MEMO_NEW};
	return &s->value;
}

uint32_t *row_memo_place(struct row_memo *m, struct evctx *c)
{
	uint32_t *at;

	if (m->by_type)
		return place_by_type(m, c);
	if (!(m->memo.by & FF_BY_FD))
		return memo_by_thread(&m->memo, c, c->rec);
	at = memo_by_fd(&m->memo, c, c->idx);
	return at ? at : memo_fd_new(&m->memo, c);
}
