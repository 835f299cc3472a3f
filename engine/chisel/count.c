#include "chisel/count.h"

#include "chisel/row_memo.h"

/* ---- where the value is ------------------------------------------------------------------------------------- */

static bool is_signed64(unsigned type)
{
	return type == PT_ERRNO || type == PT_FD || type == PT_PID || type == PT_INT64;
}

/* Parameter called name of events of the type, plus 1; 0: none that is known to be a plain number of 8 bytes. */
static uint8_t param_place(unsigned type, const char *name)
{
	const struct event_info *info = &event_table[type];
	unsigned n = MAX(info->nparams, info->nparams_029);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(info->params[i].name, name))
			return is_signed64(info->params[i].type) && !event_shapes[type].large && i < event_shapes[type].nparams
				       ? (uint8_t)(i + 1)
				       : 0;
	return 0;
}

void count_prepare(const struct chisel *c, struct chisel_agg *a)
{
	const struct field_ref *r = &c->fields[a->col[0]].ref;

	struct demand d = { 0 };

	memcpy(d.types, c->types, sizeof(d.types));
	if (a->filter)
		filter_types(a->filter, &d);
	memcpy(a->types, d.types, sizeof(a->types));
	a->quick = QUICK_NONE;
	if (a->spec.ncols != 1)
		return;
	if (!strcmp(r->info->name, "evt.count")) {
		a->quick = QUICK_ONE;
	} else if (!strcmp(r->info->name, "evt.rawarg") && is_signed64(r->type)) {
		a->quick = QUICK_PARAM;
		for (unsigned i = 0; i < EV_CODE_COUNT; i++)
			a->place[i] = param_place(i, r->arg_text);
	}
}

/* False: the field has to be asked. */
static ALWAYS_INLINE bool quick_param(const struct chisel_agg *a, const struct batch *b, const struct ev_rec *r, int64_t *v)
{
	const uint8_t *blk = b->data + r->off, *lens = blk + 10 + EVENT_HDR_V2;
	uint32_t n = load_u32(blk + 10 + EVENT_HDR_V1), place = a->place[r->type], off = 2 * n;

	if (UNLIKELY(load_u32(blk) != BLK_EV_V2 || !place || place > n || load_u16(lens + 2 * (size_t)(place - 1)) != 8))
		return false;
	for (uint32_t i = 0; i + 1 < place; i++)
		off += load_u16(lens + 2 * (size_t)i);
	*v = load_i64(lens + off);
	return true;
}

static ALWAYS_INLINE bool quick_value(const struct chisel_agg *a, const struct batch *b, const struct ev_rec *r, int64_t *v)
{
	*v = 1;
	return a->quick == QUICK_ONE || (a->quick == QUICK_PARAM && quick_param(a, b, r, v));
}

/* ---- counting ------------------------------------------------------------------------------------------------- */

bool count_only(const struct chisel *c)
{
	if (!c->naggs || c->has_on_event || c->format || c->in_workers || c->late || c->sealed)
		return false;
	for (unsigned i = 0; i < c->naggs; i++)
		if (!c->aggs[i]->total || !c->workers[0].agg_memo[i] || !c->workers[0].agg_memo[i]->decides)
			return false;
	return true;
}

static void count_for(struct chisels_part *p, unsigned ci, unsigned k, const uint32_t *sel, uint32_t n)
{
	struct chisel *c = p->cs->c[ci];
	const struct chisel_agg *a = c->aggs[k];
	struct row_memo *m = c->workers[p->w].agg_memo[k];
	struct agg *t = a->part[p->w];
	struct evctx *ctx = p->env->c;
	const struct batch *b = ctx->b;
	const uint64_t *types = a->types;
	int64_t v;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t idx = sel[i];
		const struct ev_rec *r = &b->ev[idx];

		if (!(types[r->type / 64] >> (r->type % 64) & 1))
			continue;
		uint32_t *at = row_memo_find(m, ctx, idx);
		if (LIKELY(at != NULL) && *at == ROW_NONE)
			continue;
		if (UNLIKELY(!at || *at < ROW_FIRST || !quick_value(a, b, r, &v)))
			chisel_count(p, ci, k, p->env, idx);
		else if (!a->positive || v > 0)
			agg_add_int(t, *at - ROW_FIRST, v, b->first_ord + idx);
	}
}

void count_events(struct chisels_part *p, unsigned ci, const uint32_t *sel, uint32_t n)
{
	for (unsigned k = 0; k < p->cs->c[ci]->naggs; k++)
		count_for(p, ci, k, sel, n);
}
