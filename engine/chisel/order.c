/* pairs, next and table.sort as functions of a table's content alone. Lua's own depend on a random hash
 * seed, on the history of the table and on the clock, so that output would change from run to run.
 *
 * Order of keys: numbers ascending, texts bytewise, false, true, then whatever else there is (tables, functions:
 * they have no order of their own) as Lua finds them. table.sort is a stable merge sort, so that equal
 * elements keep the order that pairs gave them: value descending, key ascending falls out by itself. */
#include <stdlib.h>

#include "chisel/chisel_int.h"

/* Key rank: numbers, strings, booleans, others. */
static int rank_of(lua_State *L, int idx)
{
	switch (lua_type(L, idx)) {
	case LUA_TNUMBER:
		return 0;
	case LUA_TSTRING:
		return 1;
	case LUA_TBOOLEAN:
		return 2;
	default:
		return 3;
	}
}

struct okey {
	int rank;
	lua_Integer at; /* position in the list of keys as found */
	union {
		lua_Number n;
		struct {
			const char *s;
			size_t len;
		};
	};
};

static int cmp_text(const char *p, size_t np, const char *q, size_t nq)
{
	int c = memcmp(p, q, MIN(np, nq));

	return c ? c : np < nq ? -1 : np > nq;
}

static int cmp_okey(const void *x, const void *y)
{
	const struct okey *p = x, *q = y;

	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	if (p->rank == 1)
		return cmp_text(p->s, p->len, q->s, q->len);
	if (p->rank != 3 && p->n != q->n)
		return p->n < q->n ? -1 : 1;
	return p->at < q->at ? -1 : p->at > q->at;
}

static void fill_okey(lua_State *L, int idx, struct okey *k, lua_Integer at)
{
	k->rank = rank_of(L, idx);
	k->at = at;
	k->n = 0;
	if (k->rank == 0)
		k->n = lua_tonumber(L, idx);
	else if (k->rank == 1)
		k->s = lua_tolstring(L, idx, &k->len);
	else if (k->rank == 2)
		k->n = lua_toboolean(L, idx);
}

/* Number of keys of the table at idx, and whether Lua's own order is the sorted one already. */
static size_t survey(lua_State *L, int idx, bool *sorted)
{
	struct okey last = { 0 }, k;
	size_t n = 0;

	*sorted = true;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		fill_okey(L, -2, &k, (lua_Integer)n);
		if (n && *sorted && cmp_okey(&last, &k) > 0)
			*sorted = false;
		last = k; /* its text is anchored by the table */
		n++;
	}
	return n;
}

/* Pushes a list of the keys of the table at idx (absolute) in order. */
static void push_sorted_keys(lua_State *L, int idx, size_t n)
{
	struct okey *k = lua_newuserdatauv(L, n * sizeof(*k) + 1, 0);
	lua_Integer i = 0;

	lua_createtable(L, (int)n, 0);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		fill_okey(L, -2, &k[i], i + 1);
		lua_pushvalue(L, -2);
		lua_rawseti(L, -4, ++i);
	}
	qsort(k, n, sizeof(*k), cmp_okey);
	lua_createtable(L, (int)n, 0);
	for (i = 0; i < (lua_Integer)n; i++) {
		lua_rawgeti(L, -2, k[i].at);
		lua_rawseti(L, -2, i + 1);
	}
	lua_replace(L, -3);
	lua_pop(L, 1);
}

/* Upvalues: list of keys, position. */
static int pairs_step(lua_State *L)
{
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));

	lua_settop(L, 1);
	for (;;) {
		if (lua_rawgeti(L, lua_upvalueindex(1), ++i) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, 1) != LUA_TNIL) { /* else removed meanwhile */
			lua_pushinteger(L, i);
			lua_replace(L, lua_upvalueindex(2));
			return 2;
		}
		lua_settop(L, 1);
	}
}

static int plain_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (lua_next(L, 1))
		return 2;
	lua_pushnil(L);
	return 1;
}

static int l_pairs(lua_State *L)
{
	bool sorted;

	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	size_t n = survey(L, 1, &sorted);
	if (sorted) {
		lua_pushcfunction(L, plain_next);
	} else {
		push_sorted_keys(L, 1, n);
		lua_pushinteger(L, 0);
		lua_pushcclosure(L, pairs_step, 2);
	}
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* next(t): the smallest key. */
static int first_of(lua_State *L)
{
	struct okey best = { 0 }, k;
	lua_Integer n = 0;

	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		fill_okey(L, -2, &k, n);
		if (!n++ || cmp_okey(&k, &best) < 0) {
			best = k;
			lua_pushvalue(L, -2);
			lua_replace(L, 2);
		}
	}
	if (!n)
		return 0;
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	lua_rawget(L, 1);
	return 2;
}

enum { NEXT_TABLE = 1, NEXT_KEYS = 2, NEXT_POS = 3 }; /* upvalues of next: the traversal under way */

static void next_begin(lua_State *L)
{
	bool sorted;
	size_t n = survey(L, 1, &sorted);

	push_sorted_keys(L, 1, n);
	lua_replace(L, lua_upvalueindex(NEXT_KEYS));
	lua_pushvalue(L, 1);
	lua_replace(L, lua_upvalueindex(NEXT_TABLE));
	lua_pushinteger(L, 1);
	lua_replace(L, lua_upvalueindex(NEXT_POS));
}

/* Position of the key at 2 in the keys of the traversal; 0 = not there. */
static lua_Integer next_find(lua_State *L)
{
	lua_Integer pos = lua_tointeger(L, lua_upvalueindex(NEXT_POS));

	lua_rawgeti(L, lua_upvalueindex(NEXT_KEYS), pos);
	bool here = lua_rawequal(L, -1, 2);
	lua_pop(L, 1);
	for (lua_Integer i = 1; !here; i++) {
		if (lua_rawgeti(L, lua_upvalueindex(NEXT_KEYS), i) == LUA_TNIL) {
			lua_pop(L, 1);
			return 0;
		}
		here = lua_rawequal(L, -1, 2);
		lua_pop(L, 1);
		pos = i;
	}
	return pos;
}

static int l_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		if (first_of(L))
			return 2;
		lua_pushnil(L);
		return 1;
	}
	lua_Integer pos = 0;
	if (lua_rawequal(L, 1, lua_upvalueindex(NEXT_TABLE)))
		pos = next_find(L);
	if (!pos) {
		next_begin(L);
		pos = next_find(L);
		if (!pos)
			return luaL_error(L, "invalid key to 'next'");
	}
	for (;;) {
		if (lua_rawgeti(L, lua_upvalueindex(NEXT_KEYS), ++pos) == LUA_TNIL) {
			lua_replace(L, lua_upvalueindex(NEXT_TABLE)); /* done: let the table go */
			lua_pushnil(L);
			lua_replace(L, lua_upvalueindex(NEXT_KEYS));
			lua_pushnil(L);
			return 1;
		}
		lua_pushvalue(L, -1);
		if (lua_rawget(L, 1) != LUA_TNIL) {
			lua_pushinteger(L, pos);
			lua_replace(L, lua_upvalueindex(NEXT_POS));
			return 2;
		}
		lua_settop(L, 2);
	}
}

/* ---- table.sort -------------------------------------------------------------------------------------- */

enum { SORT_LIST = 1, SORT_CMP = 2, SORT_A = 3, SORT_B = 4 }; /* stack */

/* True when the value at y must come before the value at x. */
static bool goes_before(lua_State *L, int y, int x, bool has_cmp)
{
	if (!has_cmp)
		return lua_compare(L, y, x, LUA_OPLT);
	lua_pushvalue(L, SORT_CMP);
	lua_pushvalue(L, y);
	lua_pushvalue(L, x);
	lua_call(L, 2, 1);
	bool r = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return r;
}

/* Merges from[lo..mid) and from[mid..hi) into to[lo..hi). */
static void merge_runs(lua_State *L, int from, int to, lua_Integer lo, lua_Integer mid, lua_Integer hi, bool has_cmp)
{
	lua_Integer i = lo, j = mid;

	for (lua_Integer k = lo; k < hi; k++) {
		bool second = i >= mid;

		if (i < mid && j < hi) {
			lua_rawgeti(L, from, i);
			lua_rawgeti(L, from, j);
			int top = lua_gettop(L);
			second = goes_before(L, top, top - 1, has_cmp);
			lua_pop(L, 2);
		}
		lua_rawgeti(L, from, second ? j++ : i++);
		lua_rawseti(L, to, k);
	}
}

static int l_sort(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer n = luaL_len(L, 1);
	bool has_cmp = !lua_isnoneornil(L, 2);

	if (has_cmp)
		luaL_checktype(L, 2, LUA_TFUNCTION);
	if (n < 2)
		return 0;
	luaL_argcheck(L, n < INT32_MAX, 1, "array too big");
	lua_settop(L, 2);
	lua_createtable(L, (int)n, 0);
	lua_createtable(L, (int)n, 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, 1, i);
		lua_rawseti(L, SORT_A, i);
	}
	int from = SORT_A, to = SORT_B;
	for (lua_Integer w = 1; w < n; w *= 2) {
		for (lua_Integer lo = 1; lo <= n; lo += 2 * w)
			merge_runs(L, from, to, lo, MIN(lo + w, n + 1), MIN(lo + 2 * w, n + 1), has_cmp);
		int t = from;
		from = to;
		to = t;
	}
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, from, i);
		lua_seti(L, 1, i);
	}
	return 0;
}

void order_open(lua_State *L)
{
	lua_register(L, "pairs", l_pairs);
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, l_next, 3);
	lua_setglobal(L, "next");
	lua_getglobal(L, "table");
	lua_pushcfunction(L, l_sort);
	lua_setfield(L, -2, "sort");
	lua_pop(L, 1);
}
