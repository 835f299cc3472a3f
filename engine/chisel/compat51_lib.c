/* Library functions that 5.4 made strict, as forgiving as in Lua 5.1; coroutines and finalizers under the limits of time. */
#include <math.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"

/* ---- table ------------------------------------------------------------------------------------------ */

/* Length of the list at 1; a __len of the script's may say anything. */
static lua_Integer list_len(lua_State *L)
{
	lua_Integer n = luaL_len(L, 1);

	luaL_argcheck(L, n >= 0 && n < INT32_MAX, 1, "not a list that long");
	return n;
}

static int l_insert(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer n = list_len(L), pos = n + 1;

	switch (lua_gettop(L)) {
	case 2:
		break;
	case 3:
		pos = check_int51(L, 2);
		if (pos < n - 100000000)
			return luaL_argerror(L, 2, "position too far below the list");
		for (lua_Integer i = n + 1; i > pos; i--) {
			lua_geti(L, 1, i - 1);
			lua_seti(L, 1, i);
		}
		break;
	default:
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, pos);
	return 0;
}

static int l_remove(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer n = list_len(L), pos = lua_isnoneornil(L, 2) ? n : check_int51(L, 2);

	if (pos < 1 || pos > n) {
		lua_pushnil(L);
		return 1;
	}
	lua_geti(L, 1, pos);
	for (; pos < n; pos++) {
		lua_geti(L, 1, pos + 1);
		lua_seti(L, 1, pos);
	}
	lua_pushnil(L);
	lua_seti(L, 1, pos);
	return 1;
}

static int l_concat(lua_State *L)
{
	size_t seplen, n;
	luaL_Buffer b;

	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_type(L, 2) == LUA_TNUMBER) {
		tolstring51(L, 2, NULL);
		lua_replace(L, 2);
	}
	const char *sep = luaL_optlstring(L, 2, "", &seplen);
	lua_Integer i = lua_isnoneornil(L, 3) ? 1 : check_int51(L, 3);
	lua_Integer last = lua_isnoneornil(L, 4) ? list_len(L) : check_int51(L, 4);
	luaL_argcheck(L, last < INT64_MAX, 4, "too far"); /* so that i does not wrap */
	luaL_buffinit(L, &b);
	for (; i <= last; i++) {
		if (lua_geti(L, 1, i) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
			return luaL_error(L, "invalid value (%s) at index %d in table for 'concat'",
					  luaL_typename(L, -1), (int)i);
		if (lua_type(L, -1) == LUA_TNUMBER) {
			tolstring51(L, -1, &n);
			lua_remove(L, -2);
		}
		luaL_addvalue(&b);
		if (i != last)
			luaL_addlstring(&b, sep, seplen);
	}
	luaL_pushresult(&b);
	return 1;
}

/* ---- functions of 5.4 that refuse fractions ----------------------------------------------------------- */

/* A whole number is the same as an integer, also as text. Of others a position loses the fraction. */
static void as_integer(lua_State *L, int i, bool position)
{
	if (lua_type(L, i) != LUA_TNUMBER || lua_isinteger(L, i))
		return;
	lua_Number d = lua_tonumber(L, i);
	bool whole = d == floor(d) && fabs(d) < 1e15;
	if (!position && !whole)
		return;
	lua_pushinteger(L, isnan(d) ? 0 : d >= 9e18 ? INT64_MAX : d <= -9e18 ? INT64_MIN : (lua_Integer)d);
	lua_replace(L, i);
}

/* Upvalue 1: the library's function, run in this very frame: it has no upvalues of its own. 2: bit i-1 is set where
 * argument i is a position or number, its fraction dropped. */
static int l_truncating(lua_State *L)
{
	lua_CFunction f = lua_tocfunction(L, lua_upvalueindex(1));
	lua_Integer positions = lua_tointeger(L, lua_upvalueindex(2));
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++)
		as_integer(L, i, i <= 31 && positions >> (i - 1) & 1);
	return f(L);
}

/* tonumber: a whole number beyond 2^53 is a float, as in values from the engine, so that sums and products of it do not wrap. */
static int l_tonumber(lua_State *L)
{
	int n = lua_tocfunction(L, lua_upvalueindex(1))(L);

	if (!lua_isinteger(L, -1))
		return n;
	lua_Integer i = lua_tointeger(L, -1);
	if (i >= (lua_Integer)1 << 53 || i <= -((lua_Integer)1 << 53))
		lua_pushnumber(L, (lua_Number)i);
	return 1;
}

/* load and loadfile take texts only: made-up byte code could do anything to the interpreter. Upvalue 2: number of the
 * argument that says so. */
static int l_load_text(lua_State *L)
{
	int mode = (int)lua_tointeger(L, lua_upvalueindex(2));

	if (lua_gettop(L) < mode)
		lua_settop(L, mode);
	lua_pushliteral(L, "t");
	lua_replace(L, mode);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* Only the first argument is looked at: select's others are results. */
static int l_select(lua_State *L)
{
	as_integer(L, 1, true);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* math.fmod by 0 is nan, not an error, for whole numbers too. */
static int l_fmod(lua_State *L)
{
	lua_Number r = fmod(luaL_checknumber(L, 1), luaL_checknumber(L, 2));

	if (r == floor(r) && fabs(r) < 9007199254740992.0)
		lua_pushinteger(L, (lua_Integer)r);
	else
		lua_pushnumber(L, r);
	return 1;
}

/* math.random has an upvalue, so it is called. */
static int l_random(lua_State *L)
{
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++)
		as_integer(L, i, true);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* What string.gsub puts in: upvalue 1 is the script's function or table. A number from it is text as in 5.1. */
static int replacement(lua_State *L)
{
	if (lua_istable(L, lua_upvalueindex(1))) {
		lua_settop(L, 1);
		lua_gettable(L, lua_upvalueindex(1));
	} else {
		int n = lua_gettop(L);
		lua_pushvalue(L, lua_upvalueindex(1));
		lua_insert(L, 1);
		lua_call(L, n, 1);
	}
	if (lua_type(L, -1) == LUA_TNUMBER)
		tolstring51(L, -1, NULL);
	return 1;
}

static int l_gsub(lua_State *L)
{
	if (lua_isfunction(L, 3) || lua_istable(L, 3)) {
		lua_pushvalue(L, 3);
		lua_pushcclosure(L, replacement, 1);
		lua_replace(L, 3);
	}
	return l_truncating(L);
}

static void wrap(lua_State *L, const char *lib, const char *fn, lua_CFunction with, lua_Integer positions)
{
	lua_getglobal(L, lib);
	lua_getfield(L, -1, fn);
	lua_pushinteger(L, positions);
	lua_pushcclosure(L, with, 2);
	lua_setfield(L, -2, fn);
	lua_pop(L, 1);
}

static void open_forgiving(lua_State *L)
{
	enum { P1 = 1, P2 = 2, P3 = 4, P4 = 8 };
	static const struct { const char *fn; lua_Integer positions; } fns[] = {
		{ "sub", P2 | P3 }, { "rep", P2 }, { "char", INT32_MAX }, { "byte", P2 | P3 }, { "find", P3 }, { "match", P3 },
		{ "gmatch", 0 }, { "len", 0 }, { "upper", 0 }, { "lower", 0 }, { "reverse", 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(fns); i++)
		wrap(L, "string", fns[i].fn, l_truncating, fns[i].positions);
	wrap(L, "string", "gsub", l_gsub, P4);
	wrap(L, "math", "random", l_random, 0);
	wrap(L, "_G", "select", l_select, 0);
	wrap(L, "_G", "tonumber", l_tonumber, 0);
	wrap(L, "_G", "load", l_load_text, 3);
	wrap(L, "_G", "loadfile", l_load_text, 2);
	lua_getglobal(L, "math");
	lua_pushcfunction(L, l_fmod);
	lua_setfield(L, -2, "fmod");
	lua_pop(L, 1);
}

/* ---- coroutines and metatables -------------------------------------------------------------------------- */

/* Upvalue 1: the library's coroutine.resume. Notes which coroutine runs, for the time limit. */
static int l_resume(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	lua_State *before = ls->current, *co = lua_tothread(L, 1);
	int n = lua_gettop(L);

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	if (co)
		ls->current = co;
	int status = lua_pcall(L, n, LUA_MULTRET, 0); /* it raises for wrong arguments only */
	ls->current = before;
	return status ? lua_error(L) : lua_gettop(L);
}

/* Upvalues: resume, the coroutine. */
static int wrapped(lua_State *L)
{
	int n = lua_gettop(L);

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 2);
	lua_call(L, n + 1, LUA_MULTRET);
	if (!lua_toboolean(L, 1)) {
		lua_settop(L, 2);
		return lua_error(L);
	}
	lua_remove(L, 1);
	return lua_gettop(L);
}

/* Upvalue 1: resume. */
static int l_wrap(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_State *co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, -2);
	lua_pushcclosure(L, wrapped, 2);
	return 1;
}

/* Upvalue 1: the library's setmetatable. 5.1 has no finalizers for tables; 5.4 would run them with hooks off, out of reach of
 * the time limit. */
static int l_setmetatable(lua_State *L)
{
	bool hide = lua_istable(L, 2);

	lua_settop(L, 2);
	if (hide) {
		lua_pushliteral(L, "__gc");
		lua_rawget(L, 2); /* at 3 */
		lua_pushliteral(L, "__gc");
		lua_pushnil(L);
		lua_rawset(L, 2);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	int status = lua_pcall(L, 2, 1, 0);
	if (hide && !lua_isnil(L, 3)) {
		lua_pushliteral(L, "__gc");
		lua_pushvalue(L, 3);
		lua_rawset(L, 2);
	}
	return status ? lua_error(L) : 1;
}

static void open_coroutines(lua_State *L)
{
	lua_getglobal(L, "coroutine");
	lua_getfield(L, -1, "resume");
	lua_pushcclosure(L, l_resume, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "resume");
	lua_pushcclosure(L, l_wrap, 1);
	lua_setfield(L, -2, "wrap");
	lua_pop(L, 1);
	lua_getglobal(L, "setmetatable");
	lua_pushcclosure(L, l_setmetatable, 1);
	lua_setglobal(L, "setmetatable");
	lua_getglobal(L, "debug");
	lua_getfield(L, -1, "setmetatable");
	lua_pushcclosure(L, l_setmetatable, 1);
	lua_setfield(L, -2, "setmetatable");
	lua_pop(L, 1);
}

void compat_open(lua_State *L)
{
	static const luaL_Reg table_fns[] = {
		{ "insert", l_insert }, { "remove", l_remove }, { "concat", l_concat }, { NULL, NULL },
	};

	format_open(L);
	lua_getglobal(L, "table");
	luaL_setfuncs(L, table_fns, 0);
	lua_pop(L, 1);
	open_coroutines(L);
	open_forgiving(L);
	/* Runs must repeat: 5.1 starts its generator from a fixed seed too. */
	if (luaL_dostring(L, "math.randomseed(1)"))
		lua_error(L);
}
