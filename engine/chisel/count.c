#include "chisel/count.h"

#include <stdlib.h>

#include "chisel/row_memo.h"

/* ---- where the value is ---- */

static bool is_signed64(unsigned type)
{
	return type == PT_ERRNO || type == PT_FD || type == PT_PID || type == PT_INT64;
}

/* Parameter called name of events of the type, plus 1; 0: none that is known to be a plain number
 * of 8 bytes. */
static uint8_t param_place(unsigned type, const char *name)
{
	const struct event_info *info = &event_table[type];
	unsigned n = MAX(info->nparams, info->nparams_029);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(info->params[i].name, name))
			return is_signed64(info->params[i].type) && !event_shapes[type].large &&
					       i < event_shapes[type].nparams
				       ? (uint8_t)(i + 1)
				       : 0;
	return 0;
}

void count_prepare(const struct chisel *c, struct chisel_agg *a)
{
	const struct field_ref *r = &c->fields[a->col[0]].ref;
	struct demand d = {0};

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
	} else if (!strcmp(r->info->name, "evt.latency")) {
		a->quick = QUICK_LATENCY;
		for (unsigned i = 0; i < EV_CODE_COUNT; i++) /* internal events may have none */
			a->place[i] = (event_table[i].category_029 & EC_BASE_MASK) != EC_INTERNAL;
	}
}

/* False: the field has to be asked. */
static ALWAYS_INLINE bool quick_param(const struct chisel_agg *a, const struct batch *b,
				      const struct ev_rec *r, int64_t *v)
{
	const uint8_t *blk = b->data + r->off, *lens = blk + 10 + EVENT_HDR_V2;
	uint32_t n = load_u32(blk + 10 + EVENT_HDR_V1), place = a->place[r->type], off = 2 * n;

	if (UNLIKELY(load_u32(blk) != BLK_EV_V2 || !place || place > n ||
		     load_u16(lens + 2 * (size_t)(place - 1)) != 8))
		return false;
	for (uint32_t i = 0; i + 1 < place; i++)
		off += load_u16(lens + 2 * (size_t)i);
	*v = load_i64(lens + off);
	return true;
}

static ALWAYS_INLINE bool quick_value(const struct chisel_agg *a, const struct evctx *c,
				      const struct ev_rec *r, int64_t *v)
{
	switch (a->quick) {
	case QUICK_ONE:
		*v = 1;
		return true;
	case QUICK_PARAM:
		return quick_param(a, c->b, r, v);
	case QUICK_LATENCY:
		return a->place[r->type] && evctx_rec_latency(c, r, (uint64_t *)v) && *v >= 0;
	default:
		return false;
	}
}

/* ---- one event ---- */

/* Aggregate k of the segment under way. */
static struct agg *agg_of(struct chisels_part *p, unsigned ci, unsigned k)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_part *cp = &p->p[ci];

	if (!c->sealed)
		return c->aggs[k]->part[p->w];
	if (!cp->agg &&
	    !(cp->agg = calloc((size_t)(cp->nbound + 1) * c->naggs, sizeof(*cp->agg)))) {
		cp->no_memory = true;
		return NULL;
	}
	struct agg **a = &cp->agg[cp->seg * c->naggs + k];
	if (!*a && agg_new(a, &c->aggs[k]->spec))
		cp->no_memory = true;
	return *a;
}

static bool datum_of(const struct chisel *c, unsigned field, struct field_env *env,
		     struct agg_datum *d)
{
	struct value v;

	chisel_field_get(c, field, env, &v);
	return value_datum(&c->fields[field], &v, env, d);
}

/* False: the event has no key. */
static bool make_key(const struct chisel *c, const struct chisel_agg *a, struct chisel_worker *w,
		     struct field_env *env)
{
	struct agg_datum key;

	buf_reset(&w->key);
	for (unsigned i = 0; i < a->spec.nkeys; i++) {
		if (!datum_of(c, a->key[i], env, &key)) {
			if (!a->missing)
				return false;
			key = (struct agg_datum){.kind = AGG_TEXT,
						 .s = a->missing,
						 .len = (uint32_t)strlen(a->missing)};
		}
		agg_key_add(&w->key, &key);
	}
	return true;
}

static bool passes(const struct chisel_worker *w, unsigned k, struct field_env *env)
{
	return (!w->run || filter_match(w->run, env)) &&
	       (!w->agg_run[k] || filter_match(w->agg_run[k], env));
}

/* The row of t that the event counts for, to be kept in *at unless that is NULL. NULL: none, or
 * memory is out. filtered: the filters have been asked. */
static struct agg_cell *make_row(struct chisels_part *p, unsigned ci, unsigned k, struct agg *t,
				 struct field_env *env, bool filtered, uint32_t *at)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_worker *w = &c->workers[p->w];
	struct agg_cell *row;

	if ((!filtered && !passes(w, k, env)) || !make_key(c, c->aggs[k], w, env)) {
		if (at)
			*at = ROW_NONE;
		return NULL;
	}
	row = buf_failed(&w->key) ? NULL
				  : agg_row(t, w->key.p ? w->key.p : "", (uint32_t)w->key.len);
	if (!row)
		p->p[ci].no_memory = true;
	else if (at && agg_row_number(t, row) < MEMO_NO_PLACE - ROW_FIRST)
		*at = ROW_FIRST + agg_row_number(t, row);
	return row;
}

static struct agg_cell *find_row(struct chisels_part *p, unsigned ci, unsigned k, struct agg *t,
				 struct field_env *env, bool filtered)
{
	struct chisel *c = p->cs->c[ci];
	struct row_memo *m = c->workers[p->w].agg_memo[k];
	uint32_t *at = m && !c->sealed ? row_memo_place(m, env->c) : NULL;

	if (at && *at != MEMO_NEW)
		return *at >= ROW_FIRST ? agg_row_at(t, *at - ROW_FIRST) : NULL;
	return make_row(p, ci, k, t, env, filtered, at);
}

/* The values of the event; false: it has none that counts. */
static bool get_values(const struct chisel *c, const struct chisel_agg *a, struct field_env *env,
		       struct agg_datum *v)
{
	unsigned got = 0;

	for (unsigned i = 0; i < a->spec.ncols; i++) {
		got += datum_of(c, a->col[i], env, &v[i]);
		if (!i && a->positive && !(v[0].kind == AGG_INT && v[0].i > 0))
			return false;
	}
	return got;
}

static void add_values(struct chisels_part *p, unsigned ci, unsigned k, struct field_env *env,
		       bool filtered)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_agg *a = c->aggs[k];
	struct agg_datum v[AGG_MAX_COLS];

	if (!get_values(c, a, env, v))
		return;
	struct agg *t = agg_of(p, ci, k);
	struct agg_cell *row = t ? find_row(p, ci, k, t, env, filtered) : NULL;
	for (unsigned i = 0; row && i < a->spec.ncols; i++)
		agg_add(t, row, i, &v[i], env->c->ord);
}

void count_event(struct chisels_part *p, unsigned ci, unsigned k, struct field_env *env)
{
	struct chisel *c = p->cs->c[ci];
	struct filter_run *run = c->workers[p->w].agg_run[k];

	if (c->aggs[k]->total && (!run || filter_match_at(run, env, env->c->idx)))
		add_values(p, ci, k, env, true);
}

/* ---- a batch ---- */

bool count_only(const struct chisel *c)
{
	if (!c->naggs || c->has_on_event || c->format || c->in_workers || c->late || c->sealed)
		return false;
	for (unsigned i = 0; i < c->naggs; i++)
		if (!c->aggs[i]->total || !c->workers[0].agg_memo[i] ||
		    !c->workers[0].agg_memo[i]->decides)
			return false;
	return true;
}

/* An event whose place says nothing yet, that has none, or whose value the field has to be asked
 * for. */
static NO_INLINE void count_new(struct chisels_part *p, unsigned ci, unsigned k, uint32_t idx)
{
	const struct chisel_agg *a = p->cs->c[ci]->aggs[k];
	struct agg *t = a->part[p->w];
	struct agg_cell *row;
	int64_t v;

	if (!quick_value(a, p->env->c, &p->b->ev[idx], &v)) {
		field_env_move(p->env, idx);
		add_values(p, ci, k, p->env, false);
	} else if (!a->positive || v > 0) {
		field_env_move(p->env, idx);
		row = find_row(p, ci, k, t, p->env, false);
		if (row)
			agg_add_int(t, agg_row_number(t, row), v, p->env->c->ord);
	}
}

static void count_for(struct chisels_part *p, unsigned ci, unsigned k, const uint32_t *sel,
		      uint32_t n)
{
	struct chisel *c = p->cs->c[ci];
	const struct chisel_agg *a = c->aggs[k];
	struct row_memo *m = c->workers[p->w].agg_memo[k];
	struct agg *t = a->part[p->w];
	struct evctx *ctx = p->env->c;
	const struct batch *b = p->b;
	int64_t v;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t idx = sel[i];
		const struct ev_rec *r = &b->ev[idx];

		if (!(a->types[r->type / 64] >> (r->type % 64) & 1))
			continue;
		uint32_t *at = row_memo_find(m, ctx, idx);
		if (LIKELY(at != NULL) && *at == ROW_NONE)
			continue;
		if (UNLIKELY(!at || *at < ROW_FIRST || !quick_value(a, ctx, r, &v)))
			count_new(p, ci, k, idx);
		else if (!a->positive || v > 0)
			agg_add_int(t, *at - ROW_FIRST, v, b->first_ord + idx);
	}
}

void count_events(struct chisels_part *p, unsigned ci, const uint32_t *sel, uint32_t n)
{
	for (unsigned k = 0; k < p->cs->c[ci]->naggs; k++)
		count_for(p, ci, k, sel, n);
}
