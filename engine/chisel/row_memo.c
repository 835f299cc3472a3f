#include "base/apart.h"
#include "chisel/row_memo.h"

#include <errno.h>
#include <stdlib.h>

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

/* Whether a memo for keys by `by` can keep what the filters say, too; *by: on what both depend. */
static bool add_filters(const struct chisel *c, const struct chisel_agg *a, unsigned *by)
{
	unsigned f = 0, g = 0;

	if ((c->filter && !filter_decided_by(c->filter, &f)) ||
	    (a->filter && !filter_decided_by(a->filter, &g)))
		return false;
	if (*by == FF_BY_TYPE && (f | g)) {
		if (a->spec.nkeys)
			return false;
		*by = 0;
	}
	*by |= f | g;
	return true;
}

int row_memo_new(struct row_memo **out, const struct chisel *c, const struct chisel_agg *a)
{
	unsigned by = c->sealed ? 0 : key_by(c, a);
	struct row_memo *m;
	bool decides;

	*out = NULL;
	if (!by)
		return 0;
	decides = add_filters(c, a, &by);
	m = apart_calloc(1, sizeof(*m));
	if (!m || memo_init(&m->memo, by & FF_BY)) {
		free(m);
		return -ENOMEM;
	}
	m->by_type = by == FF_BY_TYPE;
	m->decides = decides;
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
