/* All chisels of a run: set-up, demand, start and end. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/apart.h"
#include "chisel/count.h"
#include "chisel/row_memo.h"
#include "chisel/partial.h"

enum { MAX_CHISELS = 256, MAX_EXEC_DEPTH = 32 };

/* ---- life ------------------------------------------------------------------------------------------------ */

static int copy_path(struct chisels *cs)
{
	char **def;
	int r = find_default_path(&def, &cs->our_dir);

	if (r || !cs->host->path) {
		cs->path = r ? NULL : def;
		return r;
	}
	find_free_path(def);
	unsigned n = 0;
	while (cs->host->path[n])
		n++;
	cs->path = calloc(n + 1, sizeof(*cs->path));
	for (unsigned i = 0; cs->path && i < n; i++)
		if (!(cs->path[i] = strdup(cs->host->path[i])))
			return -ENOMEM;
	return cs->path ? 0 : -ENOMEM;
}

int chisels_new(struct chisels **out, const struct chisel_host *h)
{
	struct chisels *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return -ENOMEM;
	cs->magic = CHISELS_MAGIC;
	cs->host = h;
	cs->udp_fd = -1;
	cs->req_fatfile = -1;
	buf_init(&cs->traceback);
	cs->c = calloc(MAX_CHISELS, sizeof(*cs->c));
	if (!cs->c || copy_path(cs) || watchdog_new(&cs->wd, h->lua_seconds)) {
		chisels_free(cs);
		return -ENOMEM;
	}
	*out = cs;
	return 0;
}

void chisels_free(struct chisels *cs)
{
	if (!cs)
		return;
	ASSERT(cs->magic == CHISELS_MAGIC);
	for (unsigned i = 0; i < cs->n; i++)
		chisel_close(cs->c[i]);
	watchdog_free(cs->wd);
	find_free_path(cs->path);
	free(cs->our_dir);
	free(cs->c);
	free(cs->req_filter);
	free(cs->req_run_app);
	if (cs->udp_fd >= 0)
		close(cs->udp_fd);
	buf_fini(&cs->traceback);
	cs->magic = 0;
	free(cs);
}

unsigned chisels_count(const struct chisels *cs)
{
	return cs->n;
}

const char *chisels_traceback(const struct chisels *cs)
{
	return cs->traceback.len ? cs->traceback.p : "";
}

void chisels_keep_traceback(struct chisels *cs, const struct buf *tb)
{
	buf_reset(&cs->traceback);
	buf_put(&cs->traceback, tb->p, tb->len);
}

int chisels_exit_code(const struct chisels *cs)
{
	return cs->exit_code;
}

void chisels_interrupt(struct chisels *cs)
{
	cs->interrupted = true;
	watchdog_interrupt(cs->wd);
}

void chisels_get_requests(const struct chisels *cs, struct chisel_requests *r)
{
	r->filter = cs->req_filter;
	r->snaplen = cs->req_snaplen;
	r->fatfile = cs->req_fatfile;
	r->run_app = cs->req_run_app;
}

enum chisel_mode chisel_mode_of(const struct chisels *cs, unsigned i)
{
	ASSERT(i < cs->n);
	return cs->c[i]->mode;
}

int chisels_load(struct chisels *cs, const char *name, struct chisel **c, struct buf *out, struct err *e)
{
	struct chisel *n;

	if (cs->n == MAX_CHISELS)
		return err_set(e, ERR_LIMIT, ERR_NO_POS, "more than %d chisels", MAX_CHISELS);
	int r = chisel_open(&n, cs, name, cs->n, out, e);
	if (r)
		return r;
	cs->c[cs->n++] = n;
	*c = n;
	return 0;
}

/* ---- on_init ---------------------------------------------------------------------------------------------- */

/* Result of a callback that must be a boolean, on top of the stack. */
static int check_result(struct lstate *ls, const char *what, struct err *e)
{
	bool is_bool = lua_isboolean(ls->L, -1), ok = lua_toboolean(ls->L, -1);

	lua_pop(ls->L, 1);
	if (!is_bool)
		return err_set(e, ERR_LUA, ERR_NO_POS, "chisel %s: wrong %s() return value", ls->c->name, what);
	if (!ok)
		return err_set(e, ERR_LUA, ERR_NO_POS, "%s() for chisel %s failed.", what, ls->c->name);
	return 0;
}

int chisel_call_init(struct chisel *c, struct lstate *ls, struct err *e)
{
	ls->phase = LP_INIT;
	ls->agg_calls = 0;
	if (!lstate_push_global(ls, "on_init"))
		return 0;
	int r = lstate_call(ls, 0, 1, "error in init(): ", e);
	if (r)
		return r;
	if (c->exec_name) { /* then the result means nothing */
		lua_pop(ls->L, 1);
		return 0;
	}
	return check_result(ls, "init", e);
}

int chisel_call_start(struct chisel *c, struct lstate *ls, struct err *e)
{
	ls->phase = LP_START;
	if (!lstate_push_global(ls, "on_capture_start"))
		return 0;
	int r = lstate_call(ls, 0, 1, "error in on_capture_start(): ", e);
	return r ? r : check_result(ls, "on_capture_start", e);
}

/* chisel.exec: the named chisel takes the place of the one that called it. */
static int follow_exec(struct chisels *cs, unsigned i, struct buf *out, struct err *e)
{
	struct chisel *old = cs->c[i], *n;
	int r = chisel_open(&n, cs, old->exec_name, i, out, e);

	if (r)
		return r;
	if ((*old->exec_word || chisel_args_required(n)) && (r = chisel_set_args(n, old->exec_word, out, e))) {
		chisel_close(n);
		return r;
	}
	chisel_close(old);
	cs->c[i] = n;
	return 0;
}

static int init_one(struct chisels *cs, unsigned i, struct buf *out, struct err *e)
{
	for (int depth = 0; depth < MAX_EXEC_DEPTH; depth++) {
		struct chisel *c = cs->c[i];

		c->main->out = out;
		int r = chisel_call_init(c, c->main, e);
		c->main->out = NULL;
		if (r || !c->exec_name)
			return r;
		if ((r = follow_exec(cs, i, out, e)))
			return r;
	}
	return err_set(e, ERR_LUA, ERR_NO_POS, "%s: chisel.exec: more than %d chisels in a row", cs->c[i]->name,
		       MAX_EXEC_DEPTH);
}

/* ---- mode ---------------------------------------------------------------------------------------------------- */

static bool looks_back(const struct chisel *c)
{
	if ((c->filter && filter_looks_back(c->filter)) || (c->format && format_looks_back(c->format, c->cs->host->ro)))
		return true;
	for (unsigned i = 0; i < c->nfields; i++)
		if (c->fields[i].ref.info->flags & FF_LOOKS_BACK)
			return true;
	for (unsigned i = 0; i < c->naggs; i++)
		if (c->aggs[i]->filter && filter_looks_back(c->aggs[i]->filter))
			return true;
	return false;
}

static int choose_mode(struct chisel *c, struct err *e)
{
	int r = merge_plan_read(c, e);
	const struct merge_plan *m = c->merge;

	if (r)
		return r;
	bool per_event = !strcmp(m->mode, "per_event"), parallel = m->declared || !strcmp(m->mode, "parallel");

	if (*m->mode && !per_event && strcmp(m->mode, "parallel") && strcmp(m->mode, "ordered") && c->ours)
		return err_set(e, ERR_LUA, ERR_NO_POS, "%s: mode = \"%s\": the modes are ordered, parallel and per_event",
			       c->name, m->mode);
	c->late = looks_back(c);
	c->in_workers = false;
	c->mode = CHISEL_ORDERED;
	if (c->cs->host->force_ordered || c->late || !strcmp(m->mode, "ordered"))
		return 0;
	if (c->has_on_event && !per_event && !parallel)
		return 0;
	c->in_workers = c->has_on_event;
	c->mode = per_event || (!c->has_on_event && c->format) ? CHISEL_PER_EVENT : CHISEL_PARALLEL;
	return 0;
}

/* Whether events of the type can count for the aggregate, as far as its value tells. */
static bool type_counts(const struct chisel *c, const struct chisel_agg *a, const struct demand *d, unsigned code)
{
	const struct field_ref *r = &c->fields[a->col[0]].ref;

	if (!a->positive || !a->spec.ncols)
		return true;
	return filter_field_possible(r, code, d->compat029) &&
	       (strncmp(r->info->name, "evt.latency", 11) || evctx_type_latency(d, code));
}

static void find_types(struct chisel *c)
{
	struct demand d = { .compat029 = c->cs->host->compat029 };

	memset(d.types, 0xff, sizeof(d.types));
	if (c->filter)
		filter_types(c->filter, &d);
	memcpy(c->types, d.types, sizeof(d.types));
	/* Other scripts may define further aggregates in on_capture_start. */
	if (!c->ours || !c->naggs || c->has_on_event || c->format)
		return;
	c->narrowed = true;
	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		bool counts = false;

		for (unsigned i = 0; i < c->naggs; i++)
			counts |= type_counts(c, c->aggs[i], &d, code);
		if (!counts)
			c->types[code / 64] &= ~(1ull << (code % 64));
	}
}

int chisels_init(struct chisels *cs, struct buf *out, struct err *e)
{
	for (unsigned i = 0; i < cs->n; i++) {
		int r = init_one(cs, i, out, e);
		if (r)
			return r;
	}
	for (unsigned i = 0; i < cs->n; i++) {
		int r = choose_mode(cs->c[i], e);
		if (r)
			return r;
		find_types(cs->c[i]);
	}
	return 0;
}

/* ---- demand ---------------------------------------------------------------------------------------------------- */

void chisels_demand(const struct chisels *cs, struct demand *d)
{
	for (unsigned i = 0; i < cs->n; i++) {
		const struct chisel *c = cs->c[i];
		uint32_t bits = 0;

		/* A script that is not ours may ask for anything later. */
		if (!c->ours)
			bits = DEMAND_THREADS | DEMAND_FDS | DEMAND_PAIRS | DEMAND_USERS | DEMAND_CONTAINERS |
			       DEMAND_VOLATILE;
		for (unsigned f = 0; f < c->nfields; f++)
			bits |= c->fields[f].ref.demand;
		if (c->filter)
			bits |= filter_demand(c->filter);
		if (c->format)
			bits |= format_demand(c->format);
		for (unsigned a = 0; a < c->naggs; a++)
			if (c->aggs[a]->filter)
				bits |= filter_demand(c->aggs[a]->filter);
		demand_add(d, bits | c->demand);
		for (unsigned k = 0; k < ARRAY_SIZE(d->types); k++)
			d->types[k] |= c->types[k];
	}
}

/* ---- start -------------------------------------------------------------------------------------------------------- */

static void drop_runs(struct chisel *c)
{
	for (unsigned w = 0; w <= c->cs->host->workers; w++)
		chisel_worker_drop_runs(&c->workers[w], c->naggs);
}

static int make_runs(struct chisel *c)
{
	for (unsigned w = 0; w <= c->cs->host->workers; w++) {
		struct chisel_worker *cw = &c->workers[w];

		if (c->filter && filter_run_new(&cw->run, c->filter))
			return -ENOMEM;
		for (unsigned i = 0; i < c->naggs; i++)
			if (c->aggs[i]->total && c->aggs[i]->filter && filter_run_new(&cw->agg_run[i], c->aggs[i]->filter))
				return -ENOMEM;
		for (unsigned i = 0; i < c->naggs; i++)
			if (c->aggs[i]->total && !cw->agg_memo[i] && row_memo_new(&cw->agg_memo[i], c, c->aggs[i]))
				return -ENOMEM;
	}
	for (unsigned i = 0; i < c->naggs; i++)
		count_prepare(c, c->aggs[i]);
	return 0;
}

static int make_parts(struct chisel *c)
{
	for (unsigned i = 0; i < c->naggs && !c->sealed; i++) {
		struct chisel_agg *a = c->aggs[i];

		if (a->part || !a->total)
			continue;
		a->part = calloc(c->cs->host->workers + 1, sizeof(*a->part));
		if (!a->part)
			return -ENOMEM;
		for (unsigned w = 0; w <= c->cs->host->workers; w++)
			if (agg_new(&a->part[w], &a->spec))
				return -ENOMEM;
	}
	return 0;
}

static bool has_global(struct chisel *c, const char *name)
{
	if (!lstate_push_global(c->main, name))
		return false;
	lua_pop(c->main->L, 1);
	return true;
}

static int start_one(struct chisel *c, struct buf *out, struct err *e)
{
	c->started = true;
	/* The clock of plain intervals goes on from file to file, as in sysdig; precise ones begin with their file. */
	if (!c->interval_ns)
		c->slot_known = false;
	c->last.has = false;
	c->main->out = out;
	int r = chisel_call_start(c, c->main, e);
	c->main->out = NULL;
	if (r)
		return r;
	c->has_on_interval = has_global(c, "on_interval");
	c->has_on_end = has_global(c, "on_capture_end");
	return 0;
}

/* Whether one chisel can end the run, or fail, while others have already seen later events. */
static bool can_end(const struct chisels *cs)
{
	if (cs->host->may_end)
		return true;
	for (unsigned i = 0; i < cs->n; i++)
		if (cs->n > 1 && (cs->c[i]->has_on_event || cs->c[i]->interval_ns || cs->c[i]->precise_ns))
			return true;
	return false;
}

int chisels_capture_start(struct chisels *cs, const struct chisel_input *in, struct buf *out, struct err *e)
{
	cs->in = *in;
	cs->any_event = false;
	cs->first_ts = cs->last_ts = 0;
	cs->raw_off = 0;
	cs->root = in->root;
	cs->ord = in->ord;
	cs->started = true;
	for (unsigned i = 0; i < cs->n; i++) {
		int r = start_one(cs->c[i], out, e);
		if (r)
			return r;
	}
	cs->sealed = can_end(cs);
	for (unsigned i = 0; i < cs->n; i++) {
		struct chisel *c = cs->c[i];

		c->sealed = cs->sealed || c->interval_ns || c->precise_ns ||
			    (c->in_workers && merge_plan_ordered(c->merge));
		if (!c->workers) {
			c->workers = apart_calloc(cs->host->workers + 1, sizeof(*c->workers));
			if (!c->workers)
				return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
		}
		/* on_init of another file sets filters anew; runs and memos belong to filters. */
		drop_runs(c);
		if (make_runs(c))
			return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
		if (make_parts(c))
			return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
		c->counts = count_only(c);
		for (unsigned w = 0; c->in_workers && w <= cs->host->workers; w++) {
			int r = chisel_clone_state(c, w, e);
			if (r)
				return r;
		}
	}
	return 0;
}

void chisels_section(struct chisels *cs, const struct state_root *root, uint64_t ord)
{
	cs->in.root = cs->root = root;
	cs->ord = ord;
}

/* ---- end ---------------------------------------------------------------------------------------------------------- */

/* What worker w's state accumulated joins what the script reads. */
static int gather_globals(struct chisel *c, unsigned w, struct buf *out, struct err *e)
{
	struct lstate *ls = c->workers ? c->workers[w].ls : NULL;
	struct buf part;

	if (!c->in_workers || c->sealed || !ls)
		return 0;
	buf_init(&part);
	int r = partial_seal(ls, &part, e);
	if (r)
		chisels_keep_traceback(c->cs, &ls->traceback);
	else
		r = merge_plan_combine(c, part.p, part.len, out, e);
	buf_fini(&part);
	return r;
}

static int gather(struct chisel *c, struct buf *out, struct err *e)
{
	for (unsigned w = 0; w <= c->cs->host->workers; w++) {
		int r = gather_globals(c, w, out, e);
		if (r)
			return r;
	}
	for (unsigned i = 0; i < c->naggs; i++) {
		struct chisel_agg *a = c->aggs[i];

		for (unsigned w = 0; a->part && w <= c->cs->host->workers; w++) {
			if (agg_merge(a->total, a->part[w]))
				return err_set(e, -ENOMEM, ERR_NO_POS, "%s: an aggregate is over its memory limit", c->name);
			agg_clear(a->part[w]);
		}
	}
	return 0;
}

static int end_one(struct chisels *cs, struct chisel *c, struct buf *out, struct err *e)
{
	struct lstate *ls = c->main;
	uint64_t first = cs->any_event ? cs->first_ts : 0, last = cs->any_event ? cs->last_ts : 0;

	int r = gather(c, out, e);
	if (r)
		return r;
	ls->phase = LP_END;
	if (!lstate_push_global(ls, "on_capture_end"))
		return 0;
	ls->ev = (struct cur_event){ .last = c->last.has ? &c->last : NULL, .vals = c->last.vals,
				     .nvals = c->last.has ? c->last.nvals : 0 };
	lua_pushinteger(ls->L, (lua_Integer)(last / 1000000000u));
	lua_pushinteger(ls->L, (lua_Integer)(last % 1000000000u));
	lua_pushinteger(ls->L, (lua_Integer)(last - first));
	ls->out = out;
	r = lstate_call(ls, 3, 0, "error in on_capture_end(): ", NULL); /* swallowed, as in sysdig */
	ls->out = NULL;
	ls->ev = (struct cur_event){ 0 };
	return r > 0 ? r : 0;
}

int chisels_capture_end(struct chisels *cs, struct field_env *env, struct buf *out, struct err *e)
{
	int res = 0;

	for (unsigned i = 0; i < cs->n; i++) {
		struct chisel *c = cs->c[i];
		int r = c->ended ? 0 : end_one(cs, c, out, e);

		c->started = false;
		if (r > 0)
			return r;
		res = res ? res : r;
	}
	cs->started = false;
	return res;
}
