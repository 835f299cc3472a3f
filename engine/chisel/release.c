/* The ordered half: one walk over what the chisels of a batch left, in the order (event, chisel, interval before
 * event). Holder of the release turn. */
#include <errno.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"
#include "chisel/partial.h"

struct walk {
	struct chisels *cs;
	struct chisels_part *p;
	struct field_env *env;
	const struct batch *b;
	struct buf *out;
	struct err *e;
	uint32_t end; /* events that count */
};

/* Where one chisel is in the walk. */
struct cursor {
	uint32_t entry, nentries; /* next entry; how many */
	uint32_t bound;	      /* next boundary inside the batch */
	uint32_t segs;	      /* segments merged */
	bool first_pending;   /* the first event opens another slot than the last of the batch before */
};

static uint64_t event_ts(const struct batch *b, uint32_t idx)
{
	const uint8_t *blk = b->data + b->ev[idx].off;

	return load_u64(blk + event_block_hdr_off(load_u32(blk)));
}

static void set_event(struct walk *w, struct lstate *ls, uint32_t idx)
{
	ls->ev = (struct cur_event){ .env = w->env, .b = w->b, .idx = idx };
	ls->out = w->out;
	w->cs->last_ts = event_ts(w->b, idx);
}

static void clear_event(struct lstate *ls)
{
	ls->ev = (struct cur_event){ 0 };
	ls->out = NULL;
}

/* ---- intervals ------------------------------------------------------------------------------------------------ */

/* Adds the aggregates and globals of the segments before number upto to what the script reads. */
static int merge_segments(struct walk *w, struct chisel *c, struct cursor *cur, uint32_t upto)
{
	struct chisel_part *cp = &w->p->p[c->index];

	for (; cur->segs < upto; cur->segs++) {
		for (unsigned k = 0; cp->agg && k < c->naggs; k++) {
			struct agg *a = cp->agg[cur->segs * c->naggs + k];
			if (a && agg_merge(c->aggs[k]->total, a))
				return err_set(w->e, -ENOMEM, ERR_NO_POS, "%s: an aggregate ran out of memory", c->name);
		}
		struct buf *s = cp->sealed ? &cp->sealed[cur->segs] : NULL;
		int r = s && s->len ? merge_plan_combine(c, s->p, s->len, w->out, w->e) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* on_interval(seconds, nanoseconds, delta) */
static int call_interval(struct walk *w, struct chisel *c, uint32_t idx, uint64_t ts, uint64_t delta)
{
	struct lstate *ls = c->main;

	if (!c->has_on_interval)
		return err_set(w->e, ERR_LUA, ERR_NO_POS, "%s chisel error: on_interval is missing", c->name);
	ls->phase = LP_INTERVAL;
	if (!lstate_push_global(ls, "on_interval"))
		return err_set(w->e, ERR_LUA, ERR_NO_POS, "%s chisel error: on_interval is missing", c->name);
	set_event(w, ls, idx);
	lua_pushinteger(ls->L, (lua_Integer)(ts / 1000000000u));
	lua_pushinteger(ls->L, (lua_Integer)(ts % 1000000000u));
	lua_pushinteger(ls->L, (lua_Integer)delta);
	int r = lstate_call(ls, 3, 1, "", w->e);
	bool ok = !r && lua_toboolean(ls->L, -1);
	if (!r)
		lua_pop(ls->L, 1);
	clear_event(ls);
	if (!r && !ok)
		r = err_set(w->e, ERR_LUA, ERR_NO_POS, "execution terminated by the %s chisel", c->name);
	return r;
}

static int run_interval(struct walk *w, struct chisel *c, struct cursor *cur, uint32_t idx, uint32_t segs)
{
	uint64_t ts = event_ts(w->b, idx), slot = interval_slot(c, ts, w->b->origin_ts), delta;
	int r = merge_segments(w, c, cur, segs);

	if (!r && c->interval_ns) {
		delta = c->last_call_ts ? ts - c->last_call_ts : 0;
		c->last_call_ts = ts;
		r = call_interval(w, c, idx, ts, delta);
	}
	/* Precise: one call for each elapsed period, with the time at which it began. */
	for (; !c->interval_ns && !r && c->slot < slot; c->slot++)
		r = call_interval(w, c, idx, w->b->origin_ts + c->slot * c->precise_ns, c->precise_ns);
	c->slot = slot;
	return r;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void put_line(struct walk *w, struct chisel *c, const struct chisel_entry *e)
{
	struct chisel_part *cp = &w->p->p[c->index];

	if (!e->has_line)
		return;
	if (LIKELY(!w->cs->ro_late || c->in_workers || c->late)) {
		buf_put(w->out, cp->text.p + e->text_off, e->text_len);
	} else if (w->env->c->b == w->b || !evctx_begin(w->env->c, w->b)) {
		arena_reset(w->env->scratch);
		evctx_move(w->env->c, e->idx);
		format_event(c->format, w->env, w->out);
	}
}

/* A row of callbacks in one protected call. */
struct calls {
	struct walk *w;
	struct chisel *c;
	const struct chisel_part *cp;
	uint32_t at, end; /* entry under way; stops before end */
};

/* Argument: struct calls. Raises with .at at the event that failed. */
static int call_events(lua_State *L)
{
	struct calls *k = lua_touserdata(L, 1);
	struct lstate *ls = k->c->main;
	const struct chisel_part *cp = k->cp;
	unsigned n = 0;

	for (; k->at < k->end; k->at++) {
		const struct chisel_entry *e = &cp->e[k->at];

		if (!(++n & 63))
			watchdog_touch(ls);
		if (UNLIKELY(ls->step))
			watchdog_count(ls);
		ls->ev.idx = e->idx;
		ls->ev.moved = false;
		ls->ev.exit = k->w->b->ev[e->idx].type & 1;
		ls->ev.place = cp->place[ls->ev.exit];
		ls->ev.vals = cp->vals + (size_t)k->at * cp->stride;
		k->c->delivered[ls->ev.exit]++;
		ls->ev.nvals = UNLIKELY(k->w->cs->ro_late) ? 0 : cp->nvals;
		/* The slots of the state's base are out of sight in here. */
		lua_pushvalue(L, 2);
		if (lua_rawget(L, 3) != LUA_TFUNCTION)
			luaL_error(L, "on_event is gone");
		lua_call(L, 0, 1);
		if (UNLIKELY(ls->end_capture || ls->exited)) /* as in sysdig, then there is no line either */
			break;
		if (lua_toboolean(L, -1))
			put_line(k->w, k->c, e);
		lua_settop(L, 3);
	}
	return 0;
}

/* on_event for n entries from number first on; *done: how many were finished. */
static int run_calls(struct walk *w, struct chisel *c, uint32_t first, uint32_t n, uint32_t *done)
{
	struct chisel_part *cp = &w->p->p[c->index];
	struct lstate *ls = c->main;
	struct calls k = { w, c, cp, first, first + n };

	ls->phase = LP_EVENT;
	set_event(w, ls, cp->e[first].idx);
	lua_pushcfunction(ls->L, call_events);
	lua_pushlightuserdata(ls->L, &k);
	lua_pushvalue(ls->L, LSTATE_ON_EVENT);
	lua_pushvalue(ls->L, LSTATE_GLOBALS);
	int r = lstate_call(ls, 3, 0, "", w->e);
	w->cs->last_ts = event_ts(w->b, ls->ev.idx);
	clear_event(ls);
	*done = k.at - first;
	if (!r && ls->end_capture)
		return CHISELS_END;
	return r;
}

/* A chisel with something that looks back: filter and fields are evaluated here, in order. */
static int late_event(struct walk *w, struct chisel *c, uint32_t idx, struct chisel_part *cp)
{
	uint32_t before = cp->n, done;

	if (w->env->c->b != w->b && evctx_begin(w->env->c, w->b))
		return err_set(w->e, -ENOMEM, ERR_NO_POS, "out of memory");
	arena_reset(w->env->scratch);
	chisel_see(w->p, c->index, w->env, &idx, 1);
	if (cp->n == before)
		return 0;
	int r = 0;
	if (c->has_on_event)
		r = run_calls(w, c, cp->n - 1, 1, &done);
	else
		put_line(w, c, &cp->e[cp->n - 1]);
	cp->text.len = cp->e[--cp->n].text_off;
	return r;
}

/* Fields that on_event asks for in less than a quarter of its events are not worth extracting in advance. */
static void look_at_use(struct chisel *c)
{
	if (c->delivered[0] + c->delivered[1] < FIELD_LOOK_EVENTS)
		return;
	for (unsigned i = 0; i < c->nfields; i++) {
		struct chisel_field *f = &c->fields[i];

		for (unsigned x = 0; x < 2; x++) {
			atomic_store_explicit(&f->rare[x], f->used[x] < c->delivered[x] / 4, memory_order_relaxed);
			f->used[x] = 0;
		}
	}
	c->delivered[0] = c->delivered[1] = 0;
}

/* The entries of chisel c from *entry on that come before event limit; *idx: the event of the last one run. */
static int run_entries(struct walk *w, struct chisel *c, uint32_t *entry, uint32_t nentries, uint32_t limit, uint32_t *idx)
{
	struct chisel_part *cp = &w->p->p[c->index];
	uint32_t n = 1, done = 0;
	int r = 0;

	if (c->late) {
		*idx = cp->e[*entry].idx;
		return late_event(w, c, cp->e[(*entry)++].idx, cp);
	}
	while (*entry + n < nentries && cp->e[*entry + n].idx < limit)
		n++;
	if (c->has_on_event && !c->in_workers) {
		r = run_calls(w, c, *entry, n, &done);
		look_at_use(c);
	} else {
		for (; done < n; done++)
			put_line(w, c, &cp->e[*entry + done]);
	}
	*idx = cp->e[*entry + MIN(done, n - 1)].idx;
	*entry += MIN(done + (r != 0), n);
	return r;
}

/* A fault of a script in a worker takes effect at its event, like one in order. */
static int run_fault(struct walk *w, struct chisel *c)
{
	struct chisel_part *cp = &w->p->p[c->index];

	chisels_keep_traceback(w->cs, &cp->traceback);
	c->ended = true;
	return err_set(w->e, cp->err, ERR_NO_POS, "%s", cp->why.msg);
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

/* Next event of chisel c's interest; UINT32_MAX = none. */
static uint32_t next_of(const struct chisel_part *cp, const struct cursor *cur)
{
	uint32_t next = cur->entry < cur->nentries ? cp->e[cur->entry].idx : UINT32_MAX;

	if (cur->first_pending)
		next = MIN(next, cp->first_idx);
	else if (cur->bound < cp->nbound)
		next = MIN(next, cp->bound[cur->bound]);
	if (cp->err)
		next = MIN(next, cp->err_idx);
	return next;
}

/* What chisel c has to do from event *idx up to event limit; *idx becomes the last event done. */
static int step(struct walk *w, struct chisel *c, struct cursor *cur, uint32_t *at, uint32_t limit)
{
	uint32_t idx = *at;
	struct chisel_part *cp = &w->p->p[c->index];
	int r = 0;

	if (cur->first_pending && cp->first_idx == idx) {
		cur->first_pending = false;
		r = run_interval(w, c, cur, idx, 0);
	}
	if (!r && cur->bound < cp->nbound && cp->bound[cur->bound] == idx)
		r = run_interval(w, c, cur, idx, ++cur->bound);
	if (!r && cur->bound < cp->nbound)
		limit = MIN(limit, cp->bound[cur->bound]);
	if (!r && cp->err)
		limit = MIN(limit, cp->err_idx + 1);
	if (!r && cur->entry < cur->nentries && cp->e[cur->entry].idx == idx)
		r = run_entries(w, c, &cur->entry, cur->nentries, limit, at);
	if (!r && cp->err && cp->err_idx == *at)
		r = run_fault(w, c);
	return r;
}

static void start_cursor(struct walk *w, struct chisel *c, struct cursor *cur)
{
	struct chisel_part *cp = &w->p->p[c->index];

	*cur = (struct cursor){ .nentries = cp->n };
	if (!cp->any)
		return;
	if (!c->slot_known) {
		c->slot_known = true;
		c->slot = cp->first_slot;
	}
	cur->first_pending = c->slot != cp->first_slot;
}

/* Events of the last segment that count: done again when the run ends inside it. */
static int redo_segment(struct walk *w, struct chisel *c, struct cursor *cur, uint32_t end)
{
	struct chisel_part *cp = &w->p->p[c->index];
	uint32_t from = cur->segs && cp->nbound ? cp->bound[cur->segs - 1] : 0;
	uint32_t n = cp->n;

	for (unsigned k = 0; cp->agg && k < c->naggs; k++) {
		struct agg *a = cp->agg[cur->segs * c->naggs + k];
		if (a)
			agg_clear(a);
	}
	if (cp->sealed)
		buf_reset(&cp->sealed[cur->segs]);
	cp->seg = cur->segs;
	cp->dirty = false;
	cp->err = 0;
	if (w->env->c->b != w->b && evctx_begin(w->env->c, w->b))
		return err_set(w->e, -ENOMEM, ERR_NO_POS, "out of memory");
	for (uint32_t i = 0; i < w->p->nseen && w->p->seen[i] < end; i++) {
		if (w->p->seen[i] < from)
			continue;
		arena_reset(w->env->scratch);
		chisel_see(w->p, c->index, w->env, &w->p->seen[i], 1);
	}
	if (c->in_workers && cp->dirty)
		chisel_close_part(w->p, c->index);
	cp->n = n;
	return cp->err ? run_fault(w, c) : 0;
}

/* Aggregates behind the last boundary. limit: events that count for this chisel. */
static int finish(struct walk *w, struct chisel *c, struct cursor *cur, uint32_t limit)
{
	struct chisel_part *cp = &w->p->p[c->index];
	int r = 0;

	if (c->sealed && (c->naggs || c->in_workers) && limit < w->b->nev)
		r = redo_segment(w, c, cur, limit);
	if (!r)
		r = merge_segments(w, c, cur, cur->bound + 1);
	if (cp->any)
		c->slot = limit < w->b->nev ? c->slot : cp->last_slot;
	return r;
}

static void copy_last(struct walk *w, struct chisel *c, uint32_t idx)
{
	struct last_event *l = &c->last;
	struct evctx *x = w->env->c;
	struct arena *scratch = w->env->scratch;

	arena_reset(&l->mem);
	w->env->scratch = &l->mem;
	l->has = true;
	l->num = x->num;
	l->ts = x->ev.ts;
	l->cpu = x->ev.cpu;
	const char *name = event_name(&x->ev, w->cs->host->compat029);
	l->name[0] = '\0';
	strncat(l->name, name, sizeof(l->name) - 1);
	l->nvals = c->nfields;
	l->vals = arena_alloc(&l->mem, (c->nfields + 1) * sizeof(*l->vals));
	for (unsigned i = 0; l->vals && i < c->nfields; i++) {
		struct value *v = &l->vals[i];

		v->has = false;
		if (c->fields[i].ref.info->flags & FF_LOOKS_BACK)
			continue;
		field_get(&c->fields[i].ref, w->env, v);
		if (v->has && v->len)
			v->s = arena_dup(&l->mem, v->s, v->len);
		if (v->has && v->len && !v->s)
			v->has = false;
	}
	w->env->scratch = scratch;
	if (!l->vals)
		l->nvals = 0;
}

/* evt.* in on_capture_end talks about the last event that passed the capture filter; the batch is gone by then. */
static int keep_last(struct walk *w, uint32_t limit)
{
	bool wanted = false;
	uint32_t idx = w->p->last_idx;

	for (unsigned i = 0; i < w->cs->n; i++)
		wanted |= w->cs->c[i]->has_on_end && !w->cs->c[i]->ours;
	if (!wanted || !w->p->any)
		return 0;
	for (uint32_t i = w->p->nseen; idx >= limit; i--) {
		if (!i)
			return 0;
		idx = w->p->seen[i - 1];
	}
	if (w->env->c->b != w->b && evctx_begin(w->env->c, w->b))
		return err_set(w->e, -ENOMEM, ERR_NO_POS, "out of memory");
	arena_reset(w->env->scratch);
	evctx_move(w->env->c, idx);
	for (unsigned i = 0; i < w->cs->n; i++)
		if (w->cs->c[i]->has_on_end && !w->cs->c[i]->ours)
			copy_last(w, w->cs->c[i], idx);
	return 0;
}

static int check_memory(struct walk *w)
{
	bool bad = w->p->no_memory;

	for (unsigned i = 0; i < w->cs->n; i++)
		bad |= w->p->p[i].no_memory;
	return bad ? err_set(w->e, -ENOMEM, ERR_NO_POS, "a chisel ran out of memory, or an aggregate over its limit") : 0;
}

/* Runs everything up to w->end; *at: chisel and event at which it stopped. */
static int walk_batch(struct walk *w, struct cursor *cur, uint32_t *at_idx, unsigned *at_chisel)
{
	for (;;) {
		uint32_t idx = UINT32_MAX, other = w->end;
		unsigned who = 0;

		for (unsigned i = 0; i < w->cs->n; i++) {
			uint32_t n = next_of(&w->p->p[i], &cur[i]);
			if (n < idx) {
				idx = n;
				who = i;
			}
		}
		if (idx >= w->end)
			return 0;
		/* Up to the next event of another chisel; those before it in the list come first at that event too. */
		for (unsigned i = 0; i < w->cs->n; i++) {
			uint32_t n = i == who ? UINT32_MAX : next_of(&w->p->p[i], &cur[i]);
			if (n < w->end)
				other = MIN(other, n + (i > who));
		}
		int r = step(w, w->cs->c[who], &cur[who], &idx, MAX(other, idx + 1));
		if (r) {
			*at_idx = idx;
			*at_chisel = who;
			return r;
		}
	}
}

static void note_read(struct chisels *cs, const struct batch *b, uint32_t end)
{
	if (!end)
		return;
	cs->any_event = true;
	cs->first_ts = b->origin_ts;
	cs->last_ts = event_ts(b, end - 1);
	cs->raw_off = b->raw_off;
	cs->root = b->root;
	cs->ord = b->first_ord + end - 1;
}

int chisels_release(struct chisels *cs, struct chisels_part **pp, struct field_env *env, const struct batch *b,
		    uint32_t end, uint32_t *used, struct buf *out, struct err *e)
{
	struct walk w = { .cs = cs, .p = *pp, .env = env, .b = b, .out = out, .e = e, .end = end };
	struct cursor *cur = calloc(cs->n + 1, sizeof(*cur));
	const struct render_opts *ro = env->ro;
	uint32_t at = end;
	unsigned who = 0;

	ASSERT(end <= b->nev);
	if (UNLIKELY(cs->ro_late))
		env->ro = &cs->late_ro;
	(*pp)->w = cs->host->workers; /* what is evaluated here uses the release turn's own states */
	if (end) {
		if (!cs->any_event)
			cs->last_ts = event_ts(b, 0);
		cs->first_ts = b->origin_ts;
		cs->any_event = true;
	}
	int r = cur ? check_memory(&w) : err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	for (unsigned i = 0; i < cs->n && !r; i++)
		start_cursor(&w, cs->c[i], &cur[i]);
	if (!r)
		r = walk_batch(&w, cur, &at, &who);
	/* A chisel that ended the run at an event keeps the chisels behind it from seeing that event. */
	for (unsigned i = 0; i < cs->n && cur; i++) {
		int f = finish(&w, cs->c[i], &cur[i], r && i <= who ? MIN(at + 1, end) : at);
		if (f && !r)
			r = f;
	}
	*used = r ? MIN(at + 1, end) : end;
	note_read(cs, b, *used);
	int k = keep_last(&w, *used);
	if (k && !r)
		r = k;
	free(cur);
	chisels_discard(pp);
	env->ro = ro; /* the caller's, who may print with it */
	return r;
}
