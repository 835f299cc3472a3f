/* The worker's half: filter, extract, aggregate, render. No ordered effects: what must happen in order is left
 * in the part for release.c. */
#include <errno.h>
#include <stdlib.h>

#include "base/apart.h"
#include "chisel/count.h"
#include "chisel/partial.h"

/* ---- growing lists (no failure path for the caller: the sticky flag is checked at release) ----------------- */

static bool grow_u32(uint32_t **v, uint32_t n, uint32_t *cap)
{
	if (n < *cap)
		return true;
	uint32_t c = *cap ? *cap * 2 : 64;
	uint32_t *p = realloc(*v, c * sizeof(*p));
	if (!p)
		return false;
	*v = p;
	*cap = c;
	return true;
}

/* Room for cap entries and their values. */
static bool set_entries(struct chisel_part *cp, uint32_t cap)
{
	struct chisel_entry *e = realloc(cp->e, cap * sizeof(*e));

	if (e)
		cp->e = e;
	if (e && cp->stride) {
		struct value *v = realloc(cp->vals, (size_t)cap * cp->stride * sizeof(*v));

		if (v)
			cp->vals = v;
		else
			e = NULL;
	}
	if (e)
		cp->cap = cap;
	else
		cp->no_memory = true;
	return e != NULL;
}

static NO_INLINE bool grow_entries(struct chisel_part *cp)
{
	return set_entries(cp, cp->cap ? cp->cap * 2 : 64);
}

static ALWAYS_INLINE struct chisel_entry *add_entry(struct chisel_part *cp, uint32_t idx)
{
	if (UNLIKELY(cp->n == cp->cap) && !grow_entries(cp))
		return NULL;
	struct chisel_entry *e = &cp->e[cp->n++];
	*e = (struct chisel_entry){ .idx = idx };
	return e;
}

/* ---- intervals ---------------------------------------------------------------------------------------------- */

uint64_t interval_slot(const struct chisel *c, uint64_t ts, uint64_t origin)
{
	if (c->interval_ns)
		return ts / c->interval_ns;
	return ts > origin ? (ts - origin) / c->precise_ns : 0;
}

/* Notes the events whose slot differs from that of the event before them. Hidden events drive no interval. */
static void find_bounds(const struct chisel *c, struct chisel_part *cp, const struct batch *b)
{
	uint64_t lo = 1, hi = 0; /* slot of the last event covers [lo, hi): empty at first */

	for (uint32_t i = 0; i < b->nev; i++) {
		const uint8_t *blk = b->data + b->ev[i].off;

		if (b->ev[i].flags & ER_HIDDEN)
			continue;
		uint64_t ts = load_u64(blk + event_block_hdr_off(load_u32(blk)));
		if (LIKELY(ts >= lo && ts < hi))
			continue;
		uint64_t slot = interval_slot(c, ts, b->origin_ts);
		if (c->interval_ns) {
			lo = slot * c->interval_ns;
			hi = lo + c->interval_ns;
		} else {
			lo = b->origin_ts + slot * c->precise_ns;
			hi = lo + c->precise_ns;
		}
		if (!cp->any) {
			cp->any = true;
			cp->first_slot = slot;
			cp->first_idx = i;
		} else if (slot != cp->last_slot) {
			if (!grow_u32(&cp->bound, cp->nbound, &cp->bound_cap)) {
				cp->no_memory = true;
				return;
			}
			cp->bound[cp->nbound++] = i;
		}
		cp->last_slot = slot;
	}
}

/* ---- one event ------------------------------------------------------------------------------------------------- */

static void note_fault(struct chisel_part *cp, struct lstate *ls, int code, uint32_t idx, const struct err *why)
{
	if (cp->err)
		return;
	cp->err = code;
	cp->err_idx = idx;
	cp->why = *why;
	buf_put(&cp->traceback, ls->traceback.p, ls->traceback.len);
}

/* Closes what the worker's state holds for the segment under way. */
static void seal_segment(struct chisels_part *p, unsigned ci, uint32_t idx)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_part *cp = &p->p[ci];
	struct lstate *ls = c->workers[p->w].ls;
	struct err why = { 0 };

	if (!cp->sealed && !(cp->sealed = calloc(cp->nbound + 1, sizeof(*cp->sealed)))) {
		cp->no_memory = true;
		return;
	}
	int r = partial_seal(ls, &cp->sealed[cp->seg], &why);
	if (r)
		note_fault(cp, ls, r, idx, &why);
}

/* Moves on to the segment that holds event idx. */
static void enter_segment(struct chisels_part *p, unsigned ci, uint32_t idx)
{
	struct chisel_part *cp = &p->p[ci];

	while (cp->seg < cp->nbound && cp->bound[cp->seg] <= idx) {
		if (p->cs->c[ci]->in_workers && cp->dirty)
			seal_segment(p, ci, cp->bound[cp->seg]);
		cp->dirty = false;
		cp->seg++;
	}
}

/* The fields extracted in advance. Texts built by the extraction land in the part's own memory; the rest is borrowed from
 * the batch, which outlives the part. */
static void extract(const struct chisel *c, struct chisel_part *cp, struct field_env *env, uint32_t idx, struct value *v)
{
	struct arena *scratch = env->scratch;
	unsigned x = env->c->b->ev[idx].type & 1;

	for (unsigned i = 0; i < cp->npre[x]; i++) {
		const struct chisel_field *f = &c->fields[cp->pre[x][i]];

		if (chisel_field_quick(f, env, idx, &v[i]))
			continue;
		field_env_move(env, idx);
		env->scratch = &cp->mem;
		field_get(&f->ref, env, &v[i]);
		env->scratch = scratch;
	}
}

/* Leaves event idx with its fields to the ordered callback. */
static void leave_entry(struct chisels_part *p, unsigned ci, struct field_env *env, uint32_t idx)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_part *cp = &p->p[ci];
	struct chisel_entry *e = add_entry(cp, idx);

	if (!e)
		return;
	if (cp->stride)
		extract(c, cp, env, idx, &cp->vals[(size_t)(cp->n - 1) * cp->stride]);
	if (c->format) {
		field_env_move(env, idx);
		e->text_off = (uint32_t)cp->text.len;
		e->has_line = format_event(c->format, env, &cp->text);
		e->text_len = (uint32_t)cp->text.len - e->text_off;
	}
}

/* Callbacks in the worker's own state, in one protected call. */
struct worker_calls {
	const struct chisel *c;
	struct chisel_part *cp;
	const uint32_t *idx;
	uint32_t n, at; /* at: the event under way */
};

static void keep_text(struct chisel_part *cp, uint32_t idx, size_t before)
{
	struct chisel_entry *e = cp->text.len != before ? add_entry(cp, idx) : NULL;

	if (e) {
		e->has_line = true;
		e->text_off = (uint32_t)before;
		e->text_len = (uint32_t)(cp->text.len - before);
	}
}

/* Argument: struct worker_calls. Raises with .at at the event that failed. */
static int call_on_events(lua_State *L)
{
	struct worker_calls *k = lua_touserdata(L, 1);
	struct lstate *ls = lstate_of(L);

	for (; k->at < k->n; k->at++) {
		size_t before = k->cp->text.len;

		if (UNLIKELY(ls->step))
			watchdog_count(ls);
		ls->ev.idx = k->idx[k->at];
		ls->ev.moved = false;
		/* The slots of the state's base are out of sight in here. */
		lua_pushvalue(L, 2);
		if (lua_rawget(L, 3) != LUA_TFUNCTION)
			luaL_error(L, "on_event is gone");
		lua_call(L, 0, 1);
		if (k->c->format && lua_toboolean(L, -1)) {
			field_env_move(ls->ev.env, ls->ev.idx);
			format_event(k->c->format, ls->ev.env, &k->cp->text);
		}
		lua_settop(L, 3);
		keep_text(k->cp, ls->ev.idx, before);
	}
	return 0;
}

/* on_event for n events in the worker's own state; what it prints, and the formatter's line, wait for the release. */
static void run_in_worker(struct chisels_part *p, unsigned ci, struct field_env *env, const uint32_t *idx, uint32_t n)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_part *cp = &p->p[ci];
	struct lstate *ls = c->workers[p->w].ls;
	struct worker_calls k = { c, cp, idx, n, 0 };
	size_t before = cp->text.len, last;
	struct err why = { 0 };

	if (!n || cp->err)
		return;
	cp->dirty = true;
	ls->phase = LP_EVENT;
	ls->ev = (struct cur_event){ .env = env, .b = p->b };
	ls->out = &cp->text;
	lua_pushcfunction(ls->L, call_on_events);
	lua_pushlightuserdata(ls->L, &k);
	lua_pushvalue(ls->L, LSTATE_ON_EVENT);
	lua_pushvalue(ls->L, LSTATE_GLOBALS);
	int r = lstate_call(ls, 3, 0, "", &why);
	ls->out = NULL;
	ls->ev = (struct cur_event){ 0 };
	if (!r)
		return;
	/* What the event that failed had printed stays. */
	last = cp->n ? (size_t)cp->e[cp->n - 1].text_off + cp->e[cp->n - 1].text_len : 0;
	keep_text(cp, idx[k.at], MAX(before, last));
	note_fault(cp, ls, r, idx[k.at], &why);
}

/* One event that passed the filter. */
static void see_event(struct chisels_part *p, unsigned ci, struct field_env *env, uint32_t idx)
{
	struct chisel *c = p->cs->c[ci];

	if (c->naggs)
		field_env_move(env, idx);
	for (unsigned k = 0; k < c->naggs; k++)
		count_event(p, ci, k, env);
	if (c->in_workers)
		run_in_worker(p, ci, env, &idx, 1);
	else if (c->has_on_event || c->format)
		leave_entry(p, ci, env, idx);
}

void chisel_see(struct chisels_part *p, unsigned ci, struct field_env *env, const uint32_t *sel, uint32_t n)
{
	enum { SOME = 64 }; /* callbacks in one protected call: the watchdog wants to hear of them */
	struct chisel *c = p->cs->c[ci];
	struct chisel_part *cp = &p->p[ci];
	struct filter_run *run = c->workers[p->w].run;
	uint32_t some[SOME], nsome = 0;

	if (!run && !c->in_workers && c->has_on_event && cp->n + n > cp->cap)
		set_entries(cp, cp->n + n); /* one for each event */
	for (uint32_t k = 0; k < n && !cp->err; k++) {
		if (run && (k = filter_match_next(run, env, sel, k, n)) == n)
			break;
		uint32_t idx = sel[k];
		unsigned type = p->b->ev[idx].type;
		if (!(c->types[type / 64] >> (type % 64) & 1))
			continue;
		if (c->sealed && cp->seg < cp->nbound && cp->bound[cp->seg] <= idx) {
			run_in_worker(p, ci, env, some, nsome);
			nsome = 0;
			enter_segment(p, ci, idx);
			if (cp->err)
				return;
		}
		if (!c->in_workers || c->naggs) {
			see_event(p, ci, env, idx);
			continue;
		}
		some[nsome++] = idx;
		if (nsome == SOME) {
			run_in_worker(p, ci, env, some, nsome);
			nsome = 0;
		}
	}
	run_in_worker(p, ci, env, some, nsome);
}

/* ---- a batch ---------------------------------------------------------------------------------------------------- */

/* Which fields are extracted in advance: see chisel_field.rare. What looks back is evaluated when it is asked for. */
static void choose_fields(const struct chisel *c, struct chisel_part *cp)
{
	unsigned n = c->nfields; /* may grow meanwhile */
	uint16_t *at = arena_alloc(&cp->mem, 4 * n * sizeof(*at) + 1);

	if (!at)
		return; /* mem.failed tells */
	cp->nvals = n;
	for (unsigned x = 0; x < 2; x++) {
		cp->place[x] = at + 2 * n * x;
		cp->pre[x] = cp->place[x] + n;
		for (unsigned i = 0; i < n; i++) {
			/* relaxed: a late look costs time, never a different value */
			if (c->late ? (c->fields[i].ref.info->flags & FF_LOOKS_BACK) != 0
				    : atomic_load_explicit(&c->fields[i].rare[x], memory_order_relaxed)) {
				cp->place[x][i] = VALUE_WAITS;
				continue;
			}
			cp->pre[x][cp->npre[x]] = (uint16_t)i;
			cp->place[x][i] = (uint16_t)cp->npre[x]++;
		}
	}
	cp->stride = MAX(cp->npre[0], cp->npre[1]);
}

static void part_init(struct chisels *cs, struct chisels_part *p, unsigned i)
{
	struct chisel_part *cp = &p->p[i];
	struct chisel *c = cs->c[i];

	arena_init(&cp->mem);
	buf_init(&cp->text);
	if (c->has_on_event && !c->in_workers)
		choose_fields(c, cp);
	if (c->interval_ns || c->precise_ns)
		find_bounds(c, cp, p->b);
}

int chisels_batch_begin(struct chisels *cs, unsigned w, struct field_env *env, struct chisels_part **out)
{
	struct chisels_part *p = apart_calloc(1, sizeof(*p) + cs->n * sizeof(p->p[0]));

	ASSERT(w <= cs->host->workers);
	if (!p)
		return -ENOMEM;
	p->cs = cs;
	p->w = w;
	p->env = env;
	p->b = env->c->b;
	for (unsigned i = 0; i < cs->n; i++)
		part_init(cs, p, i);
	*out = p;
	return 0;
}

/* Events that may be needed again. */
static void note_seen(struct chisels_part *p, const uint32_t *sel, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (grow_u32(&p->seen, p->nseen, &p->seen_cap))
			p->seen[p->nseen++] = sel[i];
		else
			p->no_memory = true;
	}
}

/* The events for chisel ci, which does not only count. */
static void see_events(struct chisels_part *p, unsigned ci, const uint32_t *sel, uint32_t n)
{
	if (UNLIKELY(p->cs->c[ci]->late)) /* evaluated at release */
		for (uint32_t k = 0; k < n; k++)
			add_entry(&p->p[ci], sel[k]);
	else
		chisel_see(p, ci, p->env, sel, n);
}

void chisels_events(struct chisels_part *p, const uint32_t *sel, uint32_t n)
{
	struct chisels *cs = p->cs;
	unsigned nsee = 0;

	if (!n)
		return;
	p->any = true;
	p->last_idx = sel[n - 1];
	if (cs->sealed)
		note_seen(p, sel, n);
	for (unsigned i = 0; i < cs->n; i++) {
		if (cs->c[i]->counts)
			count_events(p, i, sel, n);
		else
			nsee++;
	}
	/* Several share what is found out about an event. */
	uint32_t step = nsee > 1 ? 1 : n;
	for (uint32_t k = 0; nsee && k < n; k += step)
		for (unsigned i = 0; i < cs->n; i++)
			if (!cs->c[i]->counts)
				see_events(p, i, sel + k, step);
}

void chisel_close_part(struct chisels_part *p, unsigned ci)
{
	struct chisel *c = p->cs->c[ci];
	struct chisel_part *cp = &p->p[ci];

	if (!c->sealed)
		return;
	enter_segment(p, ci, p->b->nev);
	if (c->in_workers && cp->dirty)
		seal_segment(p, ci, p->b->nev ? p->b->nev - 1 : 0);
	cp->dirty = false;
}

void chisels_batch_end(struct chisels_part *p)
{
	for (unsigned i = 0; i < p->cs->n; i++) {
		struct chisel *c = p->cs->c[i];
		struct chisel_part *cp = &p->p[i];

		chisel_close_part(p, i);
		for (unsigned k = 0; k < c->naggs && !c->sealed; k++)
			if (c->aggs[k]->part && agg_failed(c->aggs[k]->part[p->w]))
				cp->no_memory = true;
		if (cp->mem.failed || buf_failed(&cp->text))
			cp->no_memory = true;
	}
	p->env = NULL;
}

size_t chisels_part_bytes(const struct chisels_part *p)
{
	size_t n = sizeof(*p) + p->seen_cap * sizeof(*p->seen);

	for (unsigned i = 0; i < p->cs->n; i++) {
		const struct chisel_part *cp = &p->p[i];

		n += cp->mem.used_bytes + cp->text.cap + cp->cap * (sizeof(*cp->e) + cp->stride * sizeof(*cp->vals)) + cp->bound_cap * sizeof(*cp->bound);
	}
	return n;
}

void chisels_discard(struct chisels_part **pp)
{
	struct chisels_part *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	for (unsigned i = 0; i < p->cs->n; i++) {
		struct chisel_part *cp = &p->p[i];

		for (unsigned k = 0; cp->agg && k < (cp->nbound + 1) * p->cs->c[i]->naggs; k++)
			agg_free(cp->agg[k]);
		for (unsigned k = 0; cp->sealed && k <= cp->nbound; k++)
			buf_fini(&cp->sealed[k]);
		free(cp->sealed);
		buf_fini(&cp->traceback);
		free(cp->agg);
		free(cp->e);
		free(cp->vals);
		free(cp->bound);
		buf_fini(&cp->text);
		arena_fini(&cp->mem);
	}
	free(p->seen);
	free(p);
}
