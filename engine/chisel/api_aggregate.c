/* chisel.aggregate{...}: native aggregates for scripts.
 *
 *   agg = chisel.aggregate{ key = {"proc.name", "fd.name"}, value = "evt.rawarg.res", op = "sum" }
 *   agg = chisel.aggregate{ key = "fd.name", values = { {"evt.rawarg.res", "sum"}, {"evt.latency", "max"} },
 *                           filter = "evt.is_io=true", positive = true }
 *
 * The engine updates it for every event that passes the chisel's filter (and its own); the script reads it in
 * on_interval and on_capture_end: agg:top(n), agg:pairs(), agg:get(key...), agg:clear() ... */
#include <stdlib.h>

#include "chisel/chisel_int.h"

#define HANDLE "burin.aggregate"

struct agg_handle {
	unsigned index;
};

static void agg_delete(struct chisel_agg *a, unsigned workers)
{
	for (unsigned w = 0; a->part && w <= workers; w++)
		agg_free(a->part[w]);
	free(a->part);
	filter_free(a->filter);
	free(a->missing);
	agg_free(a->total);
	free(a);
}

/* ---- definition -------------------------------------------------------------------------------------- */

static void bad(lua_State *L, const char *what)
{
	luaL_error(L, "%s: chisel.aggregate: %s", lstate_of(L)->c->name, what);
}

/* The fields named by option name of the table at 1: a string or a list of strings. */
static unsigned read_keys(lua_State *L, unsigned *key)
{
	unsigned n = 0;

	lua_getfield(L, 1, "key");
	if (lua_type(L, -1) == LUA_TSTRING) {
		key[n++] = chisel_request(L, lstate_of(L), lua_tostring(L, -1));
	} else if (lua_istable(L, -1)) {
		if (luaL_len(L, -1) > AGG_MAX_KEYS)
			bad(L, "at most 8 keys");
		for (lua_Integer i = 1, m = luaL_len(L, -1); i <= m; i++) {
			if (lua_geti(L, -1, i) != LUA_TSTRING)
				bad(L, "key must be a field name or a list of field names");
			key[n++] = chisel_request(L, lstate_of(L), lua_tostring(L, -1));
			lua_pop(L, 1);
		}
	} else if (!lua_isnil(L, -1)) {
		bad(L, "key must be a field name or a list of field names");
	}
	lua_pop(L, 1);
	return n;
}

static int read_op(lua_State *L, int idx)
{
	const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : lua_isnil(L, idx) ? "sum" : "";
	int op = agg_op_find(name);

	if (op < 0)
		bad(L, "op must be one of sum, count, avg, min, max, first, last, distinct, hist");
	return op;
}

/* Field and operation on top of the stack (field below); pops both. */
static void read_column(lua_State *L, struct chisel_agg *a)
{
	struct chisel *c = lstate_of(L)->c;
	int op = read_op(L, -1);
	unsigned n = a->spec.ncols, f = 0;

	if (n == AGG_MAX_COLS)
		bad(L, "at most 8 values");
	if (lua_type(L, -2) == LUA_TSTRING)
		f = chisel_request(L, lstate_of(L), lua_tostring(L, -2));
	else if (op == AGG_COUNT && lua_isnil(L, -2))
		f = chisel_request(L, lstate_of(L), "evt.count");
	else
		bad(L, "value must be a field name");
	if (c->fields[f].ref.type == PT_DOUBLE && op != AGG_COUNT && op < AGG_FIRST)
		luaL_error(L, "%s: chisel.aggregate: %s is a fraction; sums and extremes of fractions are left to on_event",
			   c->name, c->fields[f].text);
	a->col[n] = f;
	a->spec.op[n] = (uint8_t)op;
	a->spec.ncols++;
	lua_pop(L, 2);
}

static void read_columns(lua_State *L, struct chisel_agg *a)
{
	if (lua_getfield(L, 1, "values") == LUA_TTABLE) {
		for (lua_Integer i = 1, n = luaL_len(L, -1); i <= n; i++) {
			if (lua_geti(L, -1, i) != LUA_TTABLE)
				bad(L, "values must be a list of {field, op}");
			lua_geti(L, -1, 1);
			lua_geti(L, -2, 2);
			read_column(L, a);
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	} else {
		lua_pop(L, 1);
		lua_getfield(L, 1, "value");
		lua_getfield(L, 1, "op");
		read_column(L, a);
	}
	if (!a->spec.ncols)
		bad(L, "no values");
}

static void read_filter(lua_State *L, struct chisel_agg *a)
{
	struct chisel *c = lstate_of(L)->c;
	struct err why = { 0 };

	lua_getfield(L, 1, "filter");
	if (lua_type(L, -1) == LUA_TSTRING && *lua_tostring(L, -1)) {
		if (filter_compile(&a->filter, lua_tostring(L, -1), c->cs->host->compat029, &why))
			luaL_error(L, "%s: chisel.aggregate: filter %s: %s", c->name, lua_tostring(L, -1), why.msg);
	} else if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING) {
		bad(L, "filter must be a text");
	}
	lua_pop(L, 1);
}

/* missing = text: the key of events that lack a key field. */
static void read_missing(lua_State *L, struct chisel_agg *a)
{
	lua_getfield(L, 1, "missing");
	if (lua_type(L, -1) == LUA_TSTRING && !(a->missing = strdup(lua_tostring(L, -1))))
		bad(L, "out of memory");
	else if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
		bad(L, "missing must be a text");
	lua_pop(L, 1);
}

static int a_new(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	struct chisel *c = ls->c;

	if (!lua_istable(L, 1))
		bad(L, "argument 1 must be a table of options");
	if (ls->phase > LP_START)
		bad(L, "only possible in on_init and on_capture_start");
	unsigned i = ls->agg_calls++;
	struct agg_handle *h = lua_newuserdatauv(L, sizeof(*h), 0);
	h->index = i;
	luaL_setmetatable(L, HANDLE);
	if (ls->w != MAIN_STATE)
		return 1;
	/* on_init of another file: the aggregate goes on, as tables of scripts do. */
	if (c->workers && i < c->naggs)
		return 1;
	if (c->narrowed)
		bad(L, "only possible in on_init, as for the first aggregate");
	if (c->naggs == CHISEL_MAX_AGGS)
		bad(L, "too many aggregates");
	struct chisel_agg *a = c->aggs[c->naggs] = calloc(1, sizeof(*a));
	if (!a)
		bad(L, "out of memory");
	c->naggs++; /* owned by the chisel from here on; without a total it stays unused if something is raised below */
	a->spec.nkeys = (uint8_t)read_keys(L, a->key);
	read_columns(L, a);
	read_filter(L, a);
	read_missing(L, a);
	lua_getfield(L, 1, "positive");
	a->positive = lua_toboolean(L, -1);
	lua_pop(L, 1);
	a->spec.max_bytes = c->main->max_bytes;
	if (agg_new(&a->total, &a->spec))
		bad(L, "out of memory");
	return 1;
}

void chisel_free_aggs(struct chisel *c)
{
	for (unsigned i = 0; i < c->naggs; i++)
		agg_delete(c->aggs[i], c->cs->host->workers);
	c->naggs = 0;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

/* The aggregate of the handle at 1; an error where it holds no complete result. */
static struct chisel_agg *check_agg(lua_State *L, const char *fn)
{
	struct agg_handle *h = luaL_checkudata(L, 1, HANDLE);
	struct lstate *ls = lstate_of(L);

	if (ls->w != MAIN_STATE || (ls->phase != LP_INTERVAL && ls->phase != LP_END) ||
	    h->index >= ls->c->naggs || !ls->c->aggs[h->index]->total)
		luaL_error(L, "%s: aggregate:%s: aggregates are read in on_interval and on_capture_end", ls->c->name,
			   fn);
	return ls->c->aggs[h->index];
}

static void push_datum(lua_State *L, const struct agg_datum *d)
{
	switch (d->kind) {
	case AGG_INT:
		if (d->i > -((int64_t)1 << 53) && d->i < (int64_t)1 << 53)
			lua_pushinteger(L, d->i);
		else
			lua_pushnumber(L, (double)d->i);
		break;
	case AGG_NUM:
		lua_pushnumber(L, d->d);
		break;
	case AGG_BOOL:
		lua_pushboolean(L, d->i != 0);
		break;
	case AGG_TEXT:
		lua_pushlstring(L, d->s, d->len);
		break;
	default:
		lua_pushnil(L);
	}
}

static void push_keys(lua_State *L, const struct agg *a, uint32_t row)
{
	struct agg_datum k[AGG_MAX_KEYS];

	agg_row_key(a, row, k);
	for (unsigned i = 0; i < agg_spec_of(a)->nkeys; i++)
		push_datum(L, &k[i]);
}

/* { key1, key2, ..., value = first value, values = { all }, n = values combined, row = number for :quantile } */
static void push_row(lua_State *L, const struct agg *a, uint32_t row)
{
	const struct agg_spec *s = agg_spec_of(a);
	struct agg_datum v;

	lua_createtable(L, s->nkeys, 4);
	int t = lua_gettop(L);
	push_keys(L, a, row);
	for (int i = s->nkeys; i >= 1; i--)
		lua_rawseti(L, t, i);
	lua_createtable(L, s->ncols, 0);
	for (unsigned i = 0; i < s->ncols; i++) {
		agg_value(a, row, i, &v);
		push_datum(L, &v);
		if (!i) {
			lua_pushvalue(L, -1);
			lua_setfield(L, t, "value");
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, t, "values");
	lua_pushinteger(L, (lua_Integer)agg_count(a, row, 0));
	lua_setfield(L, t, "n");
	lua_pushinteger(L, (lua_Integer)row);
	lua_setfield(L, t, "row");
}

/* Copies the row numbers into memory of the Lua state, so that a raised error loses nothing. */
static uint32_t *sorted_rows(lua_State *L, const struct agg *a, int col)
{
	uint32_t *idx, n = agg_rows(a);
	uint32_t *mine = lua_newuserdatauv(L, (size_t)n * sizeof(*mine) + 1, 0);

	if (col < 0 ? agg_sort_by_key(a, &idx) : agg_sort(a, (unsigned)col, &idx))
		luaL_error(L, "out of memory");
	memcpy(mine, idx, n * sizeof(*mine));
	free(idx);
	return mine;
}

static unsigned column_arg(lua_State *L, int arg, const struct agg *a)
{
	lua_Integer col = luaL_optinteger(L, arg, 1);

	luaL_argcheck(L, col >= 1 && col <= agg_spec_of(a)->ncols, arg, "no such value column");
	return (unsigned)col - 1;
}

/* agg:top([n [, column]]): list of rows, value descending, key ascending; 0 or nil: all */
static int a_top(lua_State *L)
{
	const struct agg *a = check_agg(L, "top")->total;
	uint32_t n = agg_rows(a);
	lua_Number want = luaL_optnumber(L, 2, 0);
	uint32_t *idx = sorted_rows(L, a, (int)column_arg(L, 3, a));

	if (want >= 1 && want < n)
		n = (uint32_t)want;
	lua_createtable(L, (int)n, 0);
	for (uint32_t i = 0; i < n; i++) {
		push_row(L, a, idx[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* Upvalues: handle, row numbers, position. */
static int pairs_step(lua_State *L)
{
	struct agg_handle *h = lua_touserdata(L, lua_upvalueindex(1));
	struct lstate *ls = lstate_of(L);
	const struct agg *a = ls->c->aggs[h->index]->total;
	const uint32_t *idx = lua_touserdata(L, lua_upvalueindex(2));
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));

	if (i >= (lua_Integer)(lua_rawlen(L, lua_upvalueindex(2)) / sizeof(*idx)) || i >= agg_rows(a))
		return 0;
	lua_pushinteger(L, i + 1);
	lua_replace(L, lua_upvalueindex(3));
	struct agg_datum v;
	lua_settop(L, 0);
	push_keys(L, a, idx[i]);
	for (unsigned c = 0; c < agg_spec_of(a)->ncols; c++) {
		agg_value(a, idx[i], c, &v);
		push_datum(L, &v);
	}
	if (!agg_spec_of(a)->nkeys) { /* nil would end the loop */
		lua_pushboolean(L, 1);
		lua_insert(L, 1);
	}
	return lua_gettop(L);
}

/* for key1, ..., value1, ... in agg:pairs() do: by key ascending */
static int a_pairs(lua_State *L)
{
	const struct agg *a = check_agg(L, "pairs")->total;

	lua_settop(L, 1);
	sorted_rows(L, a, -1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_step, 3);
	return 1;
}

static bool key_arg(lua_State *L, int arg, struct buf *key)
{
	struct agg_datum d = { 0 };
	size_t len;

	switch (lua_type(L, arg)) {
	case LUA_TSTRING:
		d.kind = AGG_TEXT;
		d.s = lua_tolstring(L, arg, &len);
		d.len = (uint32_t)len;
		break;
	case LUA_TNUMBER:
		d.kind = lua_isinteger(L, arg) ? AGG_INT : AGG_NUM;
		if (d.kind == AGG_INT)
			d.i = lua_tointeger(L, arg);
		else
			d.d = lua_tonumber(L, arg);
		break;
	case LUA_TBOOLEAN:
		d.kind = AGG_BOOL;
		d.i = lua_toboolean(L, arg);
		break;
	default:
		return false;
	}
	agg_key_add(key, &d);
	return true;
}

/* Row of the keys at arg...; UINT32_MAX = none. */
static uint32_t find_row(lua_State *L, const struct agg *a, int arg)
{
	struct buf key;
	bool ok = true;

	for (unsigned i = 0; i < agg_spec_of(a)->nkeys; i++) /* validate before the buffer exists */
		luaL_checkany(L, arg + (int)i);
	buf_init(&key);
	for (unsigned i = 0; ok && i < agg_spec_of(a)->nkeys; i++)
		ok = key_arg(L, arg + (int)i, &key);
	uint32_t row = ok && !buf_failed(&key) ? agg_find(a, key.p ? key.p : "", (uint32_t)key.len) : UINT32_MAX;
	buf_fini(&key);
	return row;
}

/* agg:get(key...): the values, or nil */
static int a_get(lua_State *L)
{
	const struct agg *a = check_agg(L, "get")->total;
	uint32_t row = find_row(L, a, 2);
	struct agg_datum v;

	if (row == UINT32_MAX) {
		lua_pushnil(L);
		return 1;
	}
	for (unsigned c = 0; c < agg_spec_of(a)->ncols; c++) {
		agg_value(a, row, c, &v);
		push_datum(L, &v);
	}
	return agg_spec_of(a)->ncols;
}

static uint32_t row_arg(lua_State *L, int arg, const struct agg *a)
{
	lua_Integer row;

	if (lua_istable(L, arg)) {
		lua_getfield(L, arg, "row");
		row = lua_tointeger(L, -1);
		lua_pop(L, 1);
	} else {
		row = luaL_checkinteger(L, arg);
	}
	luaL_argcheck(L, row >= 0 && row < agg_rows(a), arg, "not a row of this aggregate");
	return (uint32_t)row;
}

/* agg:quantile(row, q [, column]): q from 0 to 1 */
static int a_quantile(lua_State *L)
{
	const struct agg *a = check_agg(L, "quantile")->total;
	unsigned col = column_arg(L, 4, a);

	luaL_argcheck(L, agg_spec_of(a)->op[col] == AGG_HIST, 4, "not a histogram");
	lua_pushinteger(L, agg_quantile(a, row_arg(L, 2, a), col, luaL_checknumber(L, 3)));
	return 1;
}

static int push_bucket(void *ctx, int64_t lo, int64_t hi, uint64_t n)
{
	lua_State *L = ctx;

	lua_createtable(L, 0, 3);
	lua_pushinteger(L, lo);
	lua_setfield(L, -2, "lo");
	lua_pushinteger(L, hi);
	lua_setfield(L, -2, "hi");
	lua_pushinteger(L, (lua_Integer)n);
	lua_setfield(L, -2, "n");
	lua_rawseti(L, -2, luaL_len(L, -2) + 1);
	return 0;
}

/* agg:buckets(row [, column]): list of { lo, hi, n }, ascending */
static int a_buckets(lua_State *L)
{
	const struct agg *a = check_agg(L, "buckets")->total;
	unsigned col = column_arg(L, 3, a);
	uint32_t row = row_arg(L, 2, a);

	luaL_argcheck(L, agg_spec_of(a)->op[col] == AGG_HIST, 3, "not a histogram");
	lua_newtable(L);
	agg_hist_each(a, row, col, push_bucket, L);
	return 1;
}

static int a_size(lua_State *L)
{
	lua_pushinteger(L, agg_rows(check_agg(L, "size")->total));
	return 1;
}

static int a_clear(lua_State *L)
{
	agg_clear(check_agg(L, "clear")->total);
	return 0;
}

void api_aggregate_open(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "top", a_top },     { "pairs", a_pairs },   { "get", a_get },	  { "quantile", a_quantile },
		{ "buckets", a_buckets }, { "size", a_size }, { "clear", a_clear }, { NULL, NULL },
	};

	luaL_newmetatable(L, HANDLE);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, a_size);
	lua_setfield(L, -2, "__len");
	lua_pop(L, 1);
	lua_getglobal(L, "chisel");
	lua_pushcfunction(L, a_new);
	lua_setfield(L, -2, "aggregate");
	lua_pop(L, 1);
}
