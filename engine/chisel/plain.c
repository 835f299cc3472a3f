/* Lua values as bytes: nil, booleans, numbers, strings and tables of these. */
#include <math.h>

#include "chisel/partial.h"

enum { PL_NIL, PL_FALSE, PL_TRUE, PL_INT, PL_NUM, PL_STR, PL_TABLE };

static void put_number(lua_State *L, int idx, struct buf *out)
{
	lua_Number d = lua_tonumber(L, idx);

	if (lua_isinteger(L, idx)) {
		lua_Integer i = lua_tointeger(L, idx);
		buf_putc(out, PL_INT);
		buf_put(out, &i, sizeof(i));
	} else {
		buf_putc(out, PL_NUM);
		buf_put(out, &d, sizeof(d));
	}
}

static bool put_scalar(lua_State *L, int idx, struct buf *out)
{
	size_t len;
	const char *s;
	uint32_t n;

	switch (lua_type(L, idx)) {
	case LUA_TNIL:
		buf_putc(out, PL_NIL);
		return true;
	case LUA_TBOOLEAN:
		buf_putc(out, lua_toboolean(L, idx) ? PL_TRUE : PL_FALSE);
		return true;
	case LUA_TNUMBER:
		put_number(L, idx, out);
		return true;
	case LUA_TSTRING:
		s = lua_tolstring(L, idx, &len);
		if (len > UINT32_MAX)
			luaL_error(L, "merge: a text of more than 4 GiB");
		n = (uint32_t)len;
		buf_putc(out, PL_STR);
		buf_put(out, &n, sizeof(n));
		buf_put(out, s, n);
		return true;
	default:
		return false;
	}
}

/* Tables are framed by a count that is known afterwards. */
static size_t begin_table(struct buf *out)
{
	uint32_t n = 0;

	buf_putc(out, PL_TABLE);
	buf_put(out, &n, sizeof(n));
	return out->len - sizeof(n);
}

static void end_table(struct buf *out, size_t at, uint32_t n)
{
	if (!buf_failed(out))
		memcpy(out->p + at, &n, sizeof(n));
}

static void check(lua_State *L, const struct buf *out, const char *name, int depth)
{
	luaL_checkstack(L, 8, "merge");
	if (depth > PLAIN_MAX_DEPTH)
		luaL_error(L, "merge: %s is nested deeper than %d levels, or refers to itself", name, PLAIN_MAX_DEPTH);
	if (buf_failed(out))
		luaL_error(L, "merge: out of memory");
}

static void encode(lua_State *L, int idx, struct buf *out, const char *name, int depth)
{
	idx = lua_absindex(L, idx);
	check(L, out, name, depth);
	if (put_scalar(L, idx, out))
		return;
	if (!lua_istable(L, idx))
		luaL_error(L, "merge: %s holds a %s, which cannot be merged", name, luaL_typename(L, idx));
	size_t at = begin_table(out);
	uint32_t n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), n++) {
		encode(L, -2, out, name, depth + 1);
		encode(L, -1, out, name, depth + 1);
	}
	end_table(out, at, n);
}

void plain_encode(lua_State *L, int idx, struct buf *out, const char *name)
{
	encode(L, idx, out, name, 0);
	check(L, out, name, 0);
}

/* Pushes the difference of two numbers as an integer. */
static void push_difference(lua_State *L, int idx, int base, const char *name)
{
	int sides[2] = { idx, base };
	lua_Integer v[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		int ok = 1;
		if (i && !lua_isnumber(L, base))
			break;
		v[i] = lua_tointegerx(L, sides[i], &ok);
		if (!ok)
			luaL_error(L, "merge: %s = \"sum\" holds a fraction (%f): sums of fractions depend on their order, "
				      "so let this chisel run in order (mode = \"ordered\")", name,
				   lua_tonumber(L, sides[i]));
	}
	lua_pushinteger(L, (lua_Integer)((lua_Unsigned)v[0] - (lua_Unsigned)v[1]));
}

static void encode_sum(lua_State *L, int idx, int base, struct buf *out, const char *name, int depth)
{
	idx = lua_absindex(L, idx);
	base = lua_absindex(L, base);
	check(L, out, name, depth);
	if (lua_type(L, idx) == LUA_TNUMBER) {
		push_difference(L, idx, base, name);
		put_scalar(L, -1, out);
		lua_pop(L, 1);
		return;
	}
	if (!lua_istable(L, idx)) {
		encode(L, idx, out, name, depth);
		return;
	}
	size_t at = begin_table(out);
	uint32_t n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_istable(L, base)) {
			lua_pushvalue(L, -2);
			lua_rawget(L, base);
		} else {
			lua_pushnil(L);
		}
		/* An untouched counter is left out: the main state may have dropped it meanwhile. */
		if (!lua_rawequal(L, -1, -2)) {
			encode(L, -3, out, name, depth + 1);
			encode_sum(L, -2, -1, out, name, depth + 1);
			n++;
		}
		lua_pop(L, 1);
	}
	end_table(out, at, n);
}

void plain_encode_sum(lua_State *L, int idx, int base_idx, struct buf *out, const char *name)
{
	encode_sum(L, idx, base_idx, out, name, 0);
	check(L, out, name, 0);
}

/* The bytes come from plain_encode, so they are sound; the ends are asserted all the same. */
const char *plain_decode(lua_State *L, const char *p, const char *end)
{
	lua_Integer i;
	lua_Number d;
	uint32_t n;

	luaL_checkstack(L, 8, "merge");
	ASSERT(p < end);
	switch (*p++) {
	case PL_NIL:
		lua_pushnil(L);
		return p;
	case PL_FALSE:
		lua_pushboolean(L, 0);
		return p;
	case PL_TRUE:
		lua_pushboolean(L, 1);
		return p;
	case PL_INT:
		memcpy(&i, p, sizeof(i));
		lua_pushinteger(L, i);
		return p + sizeof(i);
	case PL_NUM:
		memcpy(&d, p, sizeof(d));
		lua_pushnumber(L, d);
		return p + sizeof(d);
	case PL_STR:
		memcpy(&n, p, sizeof(n));
		p += sizeof(n);
		ASSERT(n <= (size_t)(end - p));
		lua_pushlstring(L, p, n);
		return p + n;
	default:
		memcpy(&n, p, sizeof(n));
		p += sizeof(n);
		lua_createtable(L, 0, n < 1 << 20 ? (int)n : 1 << 20);
		for (; n; n--) {
			p = plain_decode(L, p, end);
			p = plain_decode(L, p, end);
			lua_rawset(L, -3);
		}
		return p;
	}
}

static void copy(lua_State *L, int idx, int depth)
{
	luaL_checkstack(L, 8, "merge");
	if (depth > PLAIN_MAX_DEPTH)
		luaL_error(L, "merge: a value is nested deeper than %d levels, or refers to itself", PLAIN_MAX_DEPTH);
	idx = lua_absindex(L, idx);
	if (!lua_istable(L, idx)) {
		lua_pushvalue(L, idx);
		return;
	}
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		copy(L, -2, depth + 1);
		lua_rawset(L, -5);
	}
	if (lua_getmetatable(L, idx))
		lua_setmetatable(L, -2);
}

void plain_copy(lua_State *L, int idx)
{
	copy(L, idx, 0);
}
