/* merge = { name = "sum", ... }: which globals of a script combine, and how. Values travel from a worker's state to
 * the main state as bytes (plain.c); combining is leaf by leaf through nested tables, in batch order. */
#include <math.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"
#include "chisel/partial.h"

static const char *const op_names[MERGE_OP_COUNT] = {
	[MERGE_SUM] = "sum", [MERGE_MIN] = "min", [MERGE_MAX] = "max",	 [MERGE_UNION] = "union",
	[MERGE_FIRST] = "first", [MERGE_LAST] = "last", [MERGE_TOP] = "top", [MERGE_HIST] = "hist",
	[MERGE_CUSTOM] = "custom",
};

/* "sum", "top(10)", "top(10,latency)": what a top list is ranked by is its entries' [1] or the named member. */
static bool parse_op(const char *text, struct merge_item *it)
{
	char by[64] = "";
	unsigned k;
	int used = 0;

	if (!strncmp(text, "top(", 4)) {
		if (sscanf(text, "top(%u)%n", &k, &used) < 1 || !used || text[used]) {
			used = 0;
			if (sscanf(text, "top(%u,%63[A-Za-z0-9_])%n", &k, by, &used) < 2 || !used || text[used])
				return false;
		}
		it->op = MERGE_TOP;
		it->k = k;
		memcpy(it->by, by, sizeof(by));
		return k > 0;
	}
	for (int i = 0; i < MERGE_OP_COUNT; i++) {
		if (i != MERGE_TOP && !strcmp(text, op_names[i])) {
			it->op = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static int cmp_item(const void *p, const void *q)
{
	return strcmp(((const struct merge_item *)p)->name, ((const struct merge_item *)q)->name);
}

static struct merge_item *add_item(lua_State *L, struct merge_plan *m)
{
	if (m->n == MERGE_MAX_ITEMS)
		luaL_error(L, "merge: more than %d names", MERGE_MAX_ITEMS);
	return &m->item[m->n];
}

static void read_item(lua_State *L, struct merge_plan *m)
{
	struct merge_item *it = add_item(L, m);

	if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "merge must map names of globals to operations");
	const char *name = lua_tostring(L, -2), *op = lua_tostring(L, -1);
	if (strlen(name) >= sizeof(it->name))
		luaL_error(L, "merge: the name %s is too long", name);
	memset(it, 0, sizeof(*it));
	strcpy(it->name, name);
	if (!parse_op(op, it))
		luaL_error(L, "merge: %s = \"%s\": the operations are sum, min, max, union, first, last, top(k), hist, "
			      "custom", name, op);
	m->n++;
}

struct reading {
	struct chisel *c;
	struct merge_plan *m;
};

static int read_plan(lua_State *L)
{
	struct reading *r = lua_touserdata(L, 1);
	struct merge_plan *m = r->m;

	lua_pushglobaltable(L);
	lua_pushliteral(L, "on_merge");
	m->callback = lua_rawget(L, -2) == LUA_TFUNCTION;
	lua_pop(L, 1);
	lua_pushliteral(L, "mode");
	if (lua_rawget(L, -2) == LUA_TSTRING)
		snprintf(m->mode, sizeof(m->mode), "%s", lua_tostring(L, -1));
	lua_pop(L, 1);
	lua_pushliteral(L, "merge");
	int type = lua_rawget(L, -2);
	m->declared = type == LUA_TTABLE;
	if (m->declared)
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
			read_item(L, m);
	qsort(m->item, m->n, sizeof(*m->item), cmp_item);
	for (unsigned i = 0; i < m->n; i++)
		if (m->item[i].op == MERGE_CUSTOM && !m->callback)
			luaL_error(L, "merge: %s = \"custom\" needs a function on_merge(partial)", m->item[i].name);
	return 0;
}

int merge_plan_read(struct chisel *c, struct err *e)
{
	struct merge_plan *m = calloc(1, sizeof(*m));
	struct reading r = { c, m };

	if (!m)
		return err_set(e, ERR_LIMIT, ERR_NO_POS, "out of memory");
	int res = lstate_run(c->main, read_plan, &r, "", e);
	if (res) {
		free(m);
		return res;
	}
	free(c->merge);
	c->merge = m;
	return 0;
}

bool merge_plan_ordered(const struct merge_plan *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->item[i].op == MERGE_FIRST || m->item[i].op == MERGE_LAST || m->item[i].op == MERGE_TOP ||
		    m->item[i].op == MERGE_CUSTOM)
			return true;
	return false;
}

/* ---- combining in the main state -------------------------------------------------------------------------------- */

static bool is_number(lua_State *L, int i)
{
	return lua_type(L, i) == LUA_TNUMBER;
}

/* One leaf: dst at -2 (may be nil), part at -1; leaves the combined value in their place. */
static void combine_leaf(lua_State *L, const struct merge_item *it)
{
	bool keep_dst;

	if (lua_isnil(L, -2)) {
		lua_remove(L, -2);
		return;
	}
	switch (it->op) {
	case MERGE_SUM:
	case MERGE_HIST:
		if (is_number(L, -1) && is_number(L, -2)) {
			lua_arith(L, LUA_OPADD);
			return;
		}
		/* Texts beside counters must agree. */
		/* fall through */
	case MERGE_UNION:
		if (!lua_rawequal(L, -1, -2))
			luaL_error(L, "merge: %s = \"%s\": two parts hold different values (%s and %s) at one place",
				   it->name, op_names[it->op], luaL_tolstring(L, -2, NULL), luaL_tolstring(L, -2, NULL));
		keep_dst = true;
		break;
	case MERGE_MIN:
	case MERGE_MAX:
		if (lua_type(L, -1) != lua_type(L, -2) || !(is_number(L, -1) || lua_type(L, -1) == LUA_TSTRING))
			luaL_error(L, "merge: %s: only numbers and texts have a minimum and maximum", it->name);
		keep_dst = it->op == MERGE_MIN ? !lua_compare(L, -1, -2, LUA_OPLT) : !lua_compare(L, -2, -1, LUA_OPLT);
		break;
	case MERGE_FIRST:
		keep_dst = true;
		break;
	default:
		keep_dst = false;
	}
	lua_remove(L, keep_dst ? -1 : -2);
}

/* dst at -2, part at -1 (a table): merges part into dst, or replaces a dst that is no table. Pops part. */
static void combine_tables(lua_State *L, const struct merge_item *it, int depth)
{
	luaL_checkstack(L, 8, "merge");
	if (depth > PLAIN_MAX_DEPTH)
		luaL_error(L, "merge: %s is nested deeper than %d levels", it->name, PLAIN_MAX_DEPTH);
	int dst = lua_gettop(L) - 1, part = dst + 1;

	for (lua_pushnil(L); lua_next(L, part);) {
		lua_pushvalue(L, -2); /* key, value, key */
		lua_pushvalue(L, -1);
		lua_rawget(L, dst);   /* key, value, key, old */
		lua_pushvalue(L, -3); /* key, value, key, old, value */
		if (lua_istable(L, -1) && lua_istable(L, -2))
			combine_tables(L, it, depth + 1);
		else if (lua_istable(L, -1) != lua_istable(L, -2) && !lua_isnil(L, -2) && it->op != MERGE_FIRST &&
			 it->op != MERGE_LAST)
			luaL_error(L, "merge: %s: a table in one part, something else in another", it->name);
		else
			combine_leaf(L, it);
		lua_rawset(L, dst); /* key, value */
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Rank of a top entry at idx: itself, its [1] or the named member. */
static void push_rank(lua_State *L, const struct merge_item *it, int idx)
{
	idx = lua_absindex(L, idx);
	if (!lua_istable(L, idx))
		lua_pushvalue(L, idx);
	else if (*it->by)
		lua_getfield(L, idx, it->by);
	else
		lua_rawgeti(L, idx, 1);
	if (!is_number(L, -1))
		luaL_error(L, "merge: %s = \"top\": entries must be numbers or hold one", it->name);
}

/* Inserts the entries of the list at -1 into the list at -2 (descending), equal ones behind those already there, and cuts
 * after k. Batches come in order, so among equal entries the earlier one stands first. Pops the part. */
static void combine_top(lua_State *L, const struct merge_item *it)
{
	int dst = lua_gettop(L) - 1, part = dst + 1;
	lua_Integer n = luaL_len(L, dst);

	for (lua_Integer i = 1, m = luaL_len(L, part); i <= m; i++) {
		lua_Integer at = n;

		lua_rawgeti(L, part, i);
		push_rank(L, it, -1); /* entry, rank */
		for (; at >= 1; at--) {
			lua_rawgeti(L, dst, at);
			push_rank(L, it, -1);
			bool before = !lua_compare(L, -1, -3, LUA_OPLT); /* old rank >= rank */
			lua_pop(L, 1);
			if (before) {
				lua_pop(L, 1);
				break;
			}
			lua_rawseti(L, dst, at + 1);
		}
		lua_pop(L, 1);
		lua_rawseti(L, dst, at + 1);
		n++;
		if (n > it->k) {
			lua_pushnil(L);
			lua_rawseti(L, dst, n--);
		}
	}
	lua_pop(L, 1);
}

/* Part on top of the stack; pops it. */
static void combine_global(lua_State *L, const struct merge_item *it)
{
	lua_pushglobaltable(L);
	lua_pushstring(L, it->name);
	lua_rawget(L, -2); /* part, G, dst */
	lua_pushvalue(L, -3);
	if (it->op == MERGE_TOP) {
		if (!lua_istable(L, -1) || !lua_istable(L, -2))
			luaL_error(L, "merge: %s = \"top(%d)\" must be a list", it->name, (int)it->k);
		combine_top(L, it);
	} else if (lua_istable(L, -1) && lua_istable(L, -2)) {
		combine_tables(L, it, 1);
	} else {
		combine_leaf(L, it);
	}
	lua_pushstring(L, it->name);
	lua_insert(L, -2); /* part, G, name, value */
	lua_rawset(L, -3);
	lua_pop(L, 2);
}

struct merging {
	struct chisel *c;
	const char *p, *end;
};

static int merge_part(lua_State *L)
{
	struct merging *g = lua_touserdata(L, 1);
	struct merge_plan *m = g->c->merge;
	bool custom = false;

	lua_settop(L, 0);
	lua_newtable(L); /* for on_merge */
	for (unsigned i = 0; i < m->n; i++) {
		g->p = plain_decode(L, g->p, g->end);
		if (m->item[i].op == MERGE_CUSTOM) {
			lua_setfield(L, 1, m->item[i].name);
			custom = true;
		} else if (lua_isnil(L, -1)) {
			lua_pop(L, 1);
		} else {
			combine_global(L, &m->item[i]);
		}
	}
	if (!custom)
		return 0;
	lua_getglobal(L, "on_merge");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 0);
	return 0;
}

int merge_plan_combine(struct chisel *c, const char *data, size_t len, struct buf *out, struct err *e)
{
	struct merging g = { c, data, data + len };

	c->main->phase = LP_MERGE;
	c->main->out = out;
	int r = lstate_run(c->main, merge_part, &g, "", e);
	c->main->out = NULL;
	return r;
}
