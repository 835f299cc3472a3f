/* The worker's side of partial results: snapshot, guard against undeclared globals, sealing. */
#include "chisel/partial.h"

static const char SNAPSHOT, TABLES; /* registry keys */

static const struct merge_item *find_item(const struct merge_plan *m, const char *name)
{
	for (unsigned i = 0; m && i < m->n; i++)
		if (!strcmp(m->item[i].name, name))
			return &m->item[i];
	return NULL;
}

/* Assignments to globals that are not declared: __newindex of the table of globals. */
static int guard(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	if (ls->phase == LP_EVENT && !(lua_type(L, 2) == LUA_TSTRING && find_item(ls->c->merge, lua_tostring(L, 2))))
		return luaL_error(L, "on_event assigns the global '%s', which is not in merge = {...}: workers each have their "
				     "own, so the result would depend on how events are shared out",
				  luaL_tolstring(L, 2, NULL));
	lua_rawset(L, 1);
	return 0;
}

static bool keeps_raw(lua_State *L, const struct merge_plan *m)
{
	/* Functions and libraries are read often and assigned never; declared names are assigned freely. */
	return lua_type(L, -2) != LUA_TSTRING || lua_isfunction(L, -1) || lua_istable(L, -1) ||
	       find_item(m, lua_tostring(L, -2));
}

/* Undeclared plain globals move behind an __index, so that assigning them reaches the guard. */
static void install_guard(lua_State *L, const struct merge_plan *m)
{
	lua_pushglobaltable(L);
	int g = lua_gettop(L);
	lua_newtable(L);
	int shadow = g + 1;
	for (lua_pushnil(L); lua_next(L, g); lua_pop(L, 1)) {
		if (keeps_raw(L, m))
			continue;
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, shadow);
	}
	for (lua_pushnil(L); lua_next(L, shadow); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushnil(L);
		lua_rawset(L, g);
	}
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, shadow);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, guard);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, g);
	lua_settop(L, g - 1);
}

/* first, last, top and custom parts start empty, so that what is in them was put there by this part. */
static bool starts_empty(const struct merge_item *it)
{
	return it->op == MERGE_FIRST || it->op == MERGE_LAST || it->op == MERGE_TOP || it->op == MERGE_CUSTOM;
}

/* Sets the declared globals to fresh copies of the snapshot at idx. */
static void restore(lua_State *L, const struct merge_plan *m, int idx)
{
	for (unsigned i = 0; i < m->n; i++) {
		lua_pushglobaltable(L);
		lua_pushstring(L, m->item[i].name);
		lua_getfield(L, idx, m->item[i].name);
		if (!starts_empty(&m->item[i]))
			plain_copy(L, -1);
		else if (lua_istable(L, -1))
			lua_newtable(L);
		else
			lua_pushnil(L);
		lua_remove(L, -2);
		lua_rawset(L, -3);
		lua_pop(L, 1);
	}
}

/* Undeclared global tables that the script filled itself: name -> copy, compared when a part is sealed. */
static bool is_library(lua_State *L, int loaded)
{
	bool found = false;

	for (lua_pushnil(L); lua_next(L, loaded); lua_pop(L, 1))
		found |= lua_rawequal(L, -1, -3);
	return found;
}

static void remember_tables(lua_State *L, const struct merge_plan *m)
{
	lua_newtable(L);
	int kept = lua_gettop(L);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	int loaded = kept + 1;
	lua_pushglobaltable(L);
	for (lua_pushnil(L); lua_next(L, kept + 2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1) || find_item(m, lua_tostring(L, -2)))
			continue;
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		/* stack: ..., key, value, key, value: is_library compares with value */
		bool lib = is_library(L, loaded);
		if (lib) {
			lua_pop(L, 2);
			continue;
		}
		plain_copy(L, -1);
		lua_remove(L, -2);
		lua_rawset(L, kept);
	}
	lua_settop(L, kept);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &TABLES);
}

static int begin(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	const struct merge_plan *m = ls->c->merge;

	lua_newtable(L);
	int snap = lua_gettop(L);
	for (unsigned i = 0; i < m->n; i++) {
		lua_getglobal(L, m->item[i].name);
		plain_copy(L, -1);
		lua_setfield(L, snap, m->item[i].name);
		lua_pop(L, 1);
	}
	lua_pushvalue(L, snap);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &SNAPSHOT);
	restore(L, m, snap);
	remember_tables(L, m);
	install_guard(L, m);
	return 0;
}

int partial_begin(struct lstate *ls, struct err *e)
{
	return lstate_run(ls, begin, NULL, "", e);
}

/* Deep equality of plain tables; others are equal when they are the same object. */
static bool same(lua_State *L, int a, int b, int depth)
{
	bool eq = true;
	lua_Integer na = 0, nb = 0;

	luaL_checkstack(L, 8, "merge");
	if (!lua_istable(L, a) || !lua_istable(L, b))
		return lua_rawequal(L, a, b) || lua_type(L, a) == LUA_TFUNCTION;
	if (depth > PLAIN_MAX_DEPTH)
		return true;
	for (lua_pushnil(L); lua_next(L, a); lua_pop(L, 1), na++) {
		if (!eq)
			continue;
		lua_pushvalue(L, -2);
		lua_rawget(L, b);
		int top = lua_gettop(L);
		eq = same(L, top - 1, top, depth + 1);
		lua_pop(L, 1);
	}
	for (lua_pushnil(L); eq && lua_next(L, b); lua_pop(L, 1))
		nb++;
	return eq && na == nb;
}

static void check_tables(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &TABLES);
	int kept = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, kept); lua_pop(L, 1)) {
		lua_getglobal(L, lua_tostring(L, -2));
		int top = lua_gettop(L);
		if (!same(L, top - 1, top, 0))
			luaL_error(L, "on_event changes the global table '%s', which is not in merge = {...}: workers each have "
				      "their own, so the result would depend on how events are shared out",
				   lua_tostring(L, -3));
		lua_pop(L, 1);
	}
	lua_settop(L, kept - 1);
}

static int seal(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	const struct merge_plan *m = ls->c->merge;
	struct buf *out = lua_touserdata(L, 1);

	if (!(ls->seals++ & 63)) /* looking at every table is dear; a wrong one will not stop being wrong */
		check_tables(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &SNAPSHOT);
	int snap = lua_gettop(L);
	for (unsigned i = 0; i < m->n; i++) {
		const struct merge_item *it = &m->item[i];

		lua_getglobal(L, it->name);
		lua_getfield(L, snap, it->name);
		if (it->op == MERGE_SUM || it->op == MERGE_HIST)
			plain_encode_sum(L, -2, -1, out, it->name);
		else
			plain_encode(L, -2, out, it->name);
		lua_pop(L, 2);
	}
	restore(L, m, snap);
	return 0;
}

int partial_seal(struct lstate *ls, struct buf *out, struct err *e)
{
	size_t before = out->len;

	ls->phase = LP_MERGE;
	int r = lstate_run(ls, seal, out, "", e);
	if (r)
		out->len = before;
	return r;
}
