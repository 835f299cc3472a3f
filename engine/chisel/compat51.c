/* The face of Lua 5.1 that sysdig's scripts expect, on Lua 5.4: how numbers become text, and library
 * functions that 5.4 made strict. What is not hot is in lua/prelude.lua. Spec: lua51-on-54.md section 4. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"

/* ---- numbers as text -------------------------------------------------------------------------------- */

/* v = m * 2^*e with m odd; v finite and not 0. */
static double odd_part(double v, int *e)
{
	double m = ldexp(frexp(v, e), 53);

	*e -= 53;
	while (fmod(m, 2) == 0) {
		m /= 2;
		++*e;
	}
	return m;
}

/* LuaJIT rounds a value that lies exactly between two decimals away from zero, the C library to even. Such a value has
 * its last binary digit at 2^-(n+1), n being the number of decimals kept: so the test is exact. A nudged tie prints as
 * LuaJIT prints it. */
static double nudge_tie(double v, int decimals)
{
	int e;

	if (v == 0 || !isfinite(v))
		return v;
	double m = odd_part(v, &e);
	if (e != -(decimals + 1))
		return v;
	if (decimals < 0 && fmod(m, pow(5, -decimals)) != 0)
		return v;
	return nextafter(v, v > 0 ? INFINITY : -INFINITY);
}

static int decimal_exponent(double v)
{
	char tmp[64];
	const char *e;

	snprintf(tmp, sizeof(tmp), "%.17e", v);
	e = strchr(tmp, 'e');
	return e ? atoi(e + 1) : 0;
}

/* digits: significant digits of %e and %g. */
static double nudge_digits(double v, int digits)
{
	if (v == 0 || !isfinite(v))
		return v;
	return nudge_tie(v, digits - 1 - decimal_exponent(v));
}

size_t num_text(char *out, lua_Number v)
{
	if (v == floor(v) && fabs(v) < 1e14)
		return (size_t)snprintf(out, 64, "%.0f", v);
	return (size_t)snprintf(out, 64, "%.14g", nudge_digits(v, 14));
}

const char *tolstring51(lua_State *L, int idx, size_t *len)
{
	char tmp[64];

	if (lua_type(L, idx) == LUA_TSTRING) {
		lua_pushvalue(L, idx);
		return lua_tolstring(L, -1, len);
	}
	if (lua_type(L, idx) == LUA_TNUMBER && !lua_isinteger(L, idx)) {
		size_t n = num_text(tmp, lua_tonumber(L, idx));
		const char *s = lua_pushlstring(L, tmp, n);
		if (len)
			*len = n;
		return s;
	}
	return luaL_tolstring(L, idx, len);
}

static int l_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	tolstring51(L, 1, NULL);
	return 1;
}

/* ---- string.format ---------------------------------------------------------------------------------- */

enum { SPEC_MAX = 32 };

/* One conversion: %[flags][width][.precision]letter, at most two digits each as in Lua. */
struct spec {
	char text[SPEC_MAX]; /* up to the precision, without the letter */
	size_t len;
	int precision; /* -1 = none */
	char letter;
};

static const char *parse_spec(lua_State *L, const char *p, const char *end, struct spec *s)
{
	const char *from = p;

	while (p < end && *p && strchr("-+ #0", *p))
		p++;
	if (p - from > 5)
		luaL_error(L, "invalid format (repeated flags)");
	for (int i = 0; i < 2 && p < end && *p >= '0' && *p <= '9'; i++)
		p++;
	s->precision = -1;
	if (p < end && *p == '.') {
		p++;
		s->precision = 0;
		for (int i = 0; i < 2 && p < end && *p >= '0' && *p <= '9'; i++)
			s->precision = s->precision * 10 + (*p++ - '0');
	}
	if (p < end && *p >= '0' && *p <= '9')
		luaL_error(L, "invalid format (width or precision too long)");
	s->text[0] = '%';
	s->len = (size_t)(p - from) + 1;
	memcpy(s->text + 1, from, s->len - 1);
	s->text[s->len] = '\0';
	s->letter = p < end ? *p : '\0';
	return p < end ? p + 1 : p;
}

/* As LuaJIT converts a number for %d: toward zero; what does not fit becomes the smallest 64-bit integer. */
static long long check_int51(lua_State *L, int arg)
{
	if (lua_isinteger(L, arg))
		return lua_tointeger(L, arg);
	double d = luaL_checknumber(L, arg);
	if (d >= -9223372036854775808.0 && d < 9223372036854775808.0)
		return (long long)d;
	if (d >= 9223372036854775808.0 && d < 18446744073709551616.0)
		return (long long)(unsigned long long)d;
	return INT64_MIN;
}

static void add_formatted(luaL_Buffer *b, struct spec *s, const char *suffix, long long i, double d, bool is_int)
{
	char fmt[SPEC_MAX + 4];
	size_t room = 512;

	snprintf(fmt, sizeof(fmt), "%s%s", s->text, suffix);
	char *p = luaL_prepbuffsize(b, room);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	int n = is_int ? snprintf(p, room, fmt, i) : snprintf(p, room, fmt, d);
#pragma GCC diagnostic pop
	luaL_addsize(b, n < 0 ? 0 : MIN((size_t)n, room - 1));
}

static double round51(const struct spec *s, double d)
{
	int prec = s->precision < 0 ? 6 : s->precision;

	switch (s->letter) {
	case 'f':
	case 'F':
		return nudge_tie(d, prec);
	case 'e':
	case 'E':
		return nudge_digits(d, prec + 1);
	default:
		return nudge_digits(d, prec ? prec : 1);
	}
}

static void add_quoted(lua_State *L, luaL_Buffer *b, int arg)
{
	size_t n;
	const char *s = luaL_checklstring(L, arg, &n);

	luaL_addchar(b, '"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\' || s[i] == '\n') {
			luaL_addchar(b, '\\');
			luaL_addchar(b, s[i]);
		} else if (s[i] == '\r') {
			luaL_addstring(b, "\\r");
		} else if (s[i] == '\0') {
			luaL_addstring(b, "\\000");
		} else {
			luaL_addchar(b, s[i]);
		}
	}
	luaL_addchar(b, '"');
}

/* The text is on top of the stack when the buffer is not: keep them apart by converting first. */
static void add_string(lua_State *L, luaL_Buffer *b, struct spec *s, int arg)
{
	size_t n;
	const char *p = tolstring51(L, arg, &n);

	if (s->precision < 0 && n >= 100) { /* too long for a width of two digits to matter */
		luaL_addvalue(b);
		return;
	}
	size_t keep = s->precision >= 0 ? MIN(n, (size_t)s->precision) : n;
	long width = strtol(s->text + 1 + strspn(s->text + 1, "-+ #0"), NULL, 10);
	size_t pad = width > (long)keep ? (size_t)width - keep : 0;
	bool left = strchr(s->text, '-') != NULL;
	char tmp[100 + 100];

	/* An embedded NUL ends the text for C's %s; Lua 5.1 did the same for modified conversions. */
	if (s->len > 1)
		keep = strnlen(p, keep);
	pad = width > (long)keep ? (size_t)width - keep : 0;
	memset(tmp, ' ', pad + keep);
	memcpy(tmp + (left ? 0 : pad), p, keep);
	lua_pop(L, 1);
	luaL_addlstring(b, tmp, pad + keep);
}

/* Plain %d and %s of a string, without C's printf. */
static bool add_plain(lua_State *L, luaL_Buffer *b, const struct spec *s, int arg)
{
	char tmp[24], *p = tmp + sizeof(tmp);
	size_t n;

	if (s->len > 1)
		return false;
	if (s->letter == 's' && lua_type(L, arg) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, arg, &n);
		luaL_addlstring(b, text, n);
		return true;
	}
	if (s->letter != 'd' && s->letter != 's')
		return false;
	if (s->letter == 's' && !lua_isinteger(L, arg))
		return false;
	long long v = check_int51(L, arg);
	unsigned long long u = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;
	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		*--p = '-';
	luaL_addlstring(b, p, (size_t)(tmp + sizeof(tmp) - p));
	return true;
}

static void add_conversion(lua_State *L, luaL_Buffer *b, struct spec *s, int arg)
{
	if (add_plain(L, b, s, arg))
		return;
	switch (s->letter) {
	case 'c':
		s->text[s->len] = '\0';
		if (s->len == 1)
			luaL_addchar(b, (char)check_int51(L, arg));
		else
			add_formatted(b, s, "c", (int)check_int51(L, arg), 0, true);
		return;
	case 'd':
	case 'i':
		add_formatted(b, s, "lld", check_int51(L, arg), 0, true);
		return;
	case 'u':
		add_formatted(b, s, "llu", check_int51(L, arg), 0, true);
		return;
	case 'o':
		add_formatted(b, s, "llo", check_int51(L, arg), 0, true);
		return;
	case 'x':
		add_formatted(b, s, "llx", check_int51(L, arg), 0, true);
		return;
	case 'X':
		add_formatted(b, s, "llX", check_int51(L, arg), 0, true);
		return;
	case 'e': case 'E': case 'f': case 'F': case 'g': case 'G': case 'a': case 'A': {
		char letter[2] = { s->letter, '\0' };
		double d = luaL_checknumber(L, arg);
		add_formatted(b, s, letter, 0, s->letter == 'a' || s->letter == 'A' ? d : round51(s, d), false);
		return;
	}
	case 'q':
		add_quoted(L, b, arg);
		return;
	case 's':
		add_string(L, b, s, arg);
		return;
	default:
		luaL_error(L, "invalid option '%%%c' to 'format'", s->letter);
	}
}

static int l_format(lua_State *L)
{
	int top = lua_gettop(L), arg = 1;
	size_t len;
	const char *p = luaL_checklstring(L, 1, &len), *end = p + len;
	luaL_Buffer b;
	struct spec s;

	luaL_buffinit(L, &b);
	while (p < end) {
		const char *pct = memchr(p, '%', (size_t)(end - p));

		if (!pct)
			pct = end;
		luaL_addlstring(&b, p, (size_t)(pct - p));
		if (pct == end)
			break;
		p = pct + 1;
		if (p < end && *p == '%') {
			luaL_addchar(&b, *p++);
			continue;
		}
		if (++arg > top)
			return luaL_argerror(L, arg, "no value");
		p = parse_spec(L, p, end, &s);
		add_conversion(L, &b, &s, arg);
	}
	luaL_pushresult(&b);
	return 1;
}

/* ---- table ------------------------------------------------------------------------------------------ */

static int l_insert(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer n = luaL_len(L, 1), pos = n + 1;

	switch (lua_gettop(L)) {
	case 2:
		break;
	case 3:
		pos = check_int51(L, 2);
		if (n - pos > 100000000)
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
	lua_Integer n = luaL_len(L, 1), pos = lua_isnoneornil(L, 2) ? n : check_int51(L, 2);

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
	const char *sep = luaL_optlstring(L, 2, "", &seplen);
	lua_Integer i = lua_isnoneornil(L, 3) ? 1 : check_int51(L, 3);
	lua_Integer last = lua_isnoneornil(L, 4) ? luaL_len(L, 1) : check_int51(L, 4);
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

/* Calls upvalue 1 with its number arguments truncated where they are fractions. */
static int l_truncating(lua_State *L)
{
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++) {
		if (lua_type(L, i) != LUA_TNUMBER || lua_isinteger(L, i))
			continue;
		lua_Number d = lua_tonumber(L, i);
		if (d == floor(d) && fabs(d) < 9e18)
			continue;
		lua_pushinteger(L, isnan(d) ? 0 : d >= 9e18 ? INT64_MAX : d <= -9e18 ? INT64_MIN : (lua_Integer)d);
		lua_replace(L, i);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

static void truncate_args(lua_State *L, const char *lib, const char *fn)
{
	lua_getglobal(L, lib);
	lua_getfield(L, -1, fn);
	lua_pushcclosure(L, l_truncating, 1);
	lua_setfield(L, -2, fn);
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
	static const struct { const char *lib, *fn; } truncated[] = {
		{ "string", "sub" }, { "string", "rep" }, { "string", "char" }, { "string", "byte" },
		{ "math", "random" },
	};
	static const luaL_Reg table_fns[] = {
		{ "insert", l_insert }, { "remove", l_remove }, { "concat", l_concat }, { NULL, NULL },
	};

	lua_register(L, "tostring", l_tostring);
	lua_getglobal(L, "string");
	lua_pushcfunction(L, l_format);
	lua_setfield(L, -2, "format");
	lua_getglobal(L, "table");
	luaL_setfuncs(L, table_fns, 0);
	lua_pop(L, 2);
	open_coroutines(L);
	for (unsigned i = 0; i < ARRAY_SIZE(truncated); i++)
		truncate_args(L, truncated[i].lib, truncated[i].fn);
	/* Runs must repeat: 5.1 starts its generator from a fixed seed too. */
	if (luaL_dostring(L, "math.randomseed(1)"))
		lua_error(L);
}
