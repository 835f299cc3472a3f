/* The face of Lua 5.1 that sysdig's scripts expect, on Lua 5.4: how numbers become text. The rest of it: compat51_lib.c
 * and, what is not hot, lua/prelude.lua. Spec: lua51-on-54.md section 4. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "chisel/chisel_int.h"

/* ---- numbers as text -------------------------------------------------------------------------------- */

/* |v| = m * 2^*e with m odd; v finite and not 0. */
static uint64_t odd_part(double v, int *e)
{
	uint64_t bits, m;

	memcpy(&bits, &v, sizeof(bits));
	int ex = (int)(bits >> 52 & 0x7ff);
	m = bits & ((UINT64_C(1) << 52) - 1);
	if (ex)
		m |= UINT64_C(1) << 52;
	else
		ex = 1; /* subnormal */
	int zeros = __builtin_ctzll(m);
	*e = ex - 1075 + zeros;
	return m >> zeros;
}

/* LuaJIT rounds a value that lies exactly between two decimals away from zero, the C library to even. Such a value has
 * its last binary digit at 2^-(n+1), n being the number of decimals kept: so the test is exact. A nudged tie prints as
 * LuaJIT prints it. */
static double nudge_tie(double v, int decimals)
{
	int e;

	if (v == 0 || !isfinite(v))
		return v;
	uint64_t m = odd_part(v, &e);
	if (e != -(decimals + 1))
		return v;
	if (decimals < 0 && fmod((double)m, pow(5, -decimals)) != 0)
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
	int e, e2;

	if (v == 0 || !isfinite(v))
		return v;
	/* A tie needs the decimal exponent digits + e: mostly the binary one shows at once that it is another. */
	odd_part(v, &e);
	frexp(v, &e2);
	if (fabs(digits + e - e2 * 0.30103) > 2)
		return v;
	return nudge_tie(v, digits - 1 - decimal_exponent(v));
}

size_t num_text(char *out, lua_Number v)
{
	if (isnan(v)) /* 5.1 shows no sign of it */
		return (size_t)snprintf(out, 64, "nan");
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
	if (lua_type(L, idx) == LUA_TNUMBER) {
		size_t n = lua_isinteger(L, idx) ? (size_t)(num_i64(tmp, lua_tointeger(L, idx)) - tmp)
						 : num_text(tmp, lua_tonumber(L, idx));
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
	const char *from; /* behind the % */
	size_t len;	  /* bytes up to the letter */
	bool left, zero;  /* flags - and 0 */
	bool other;	  /* another flag */
	int width;	  /* 0 = none */
	int precision;	  /* -1 = none */
	char letter;
};

static const char *parse_number(const char *p, const char *end, int *n)
{
	*n = 0;
	for (int i = 0; i < 2 && p < end && *p >= '0' && *p <= '9'; i++)
		*n = *n * 10 + (*p++ - '0');
	return p;
}

static const char *parse_flags(lua_State *L, const char *p, const char *end, struct spec *s)
{
	for (; p < end; p++) {
		if (*p == '-')
			s->left = true;
		else if (*p == '0')
			s->zero = true;
		else if (*p == '+' || *p == ' ' || *p == '#')
			s->other = true;
		else
			break;
	}
	if (p - s->from > 5)
		luaL_error(L, "invalid format (repeated flags)");
	return p;
}

static const char *parse_spec(lua_State *L, const char *p, const char *end, struct spec *s)
{
	*s = (struct spec){ .from = p, .precision = -1 };
	if (LIKELY(p < end && *p >= 'A')) { /* most are a letter alone */
		s->letter = *p;
		return p + 1;
	}
	p = parse_flags(L, p, end, s);
	p = parse_number(p, end, &s->width);
	if (p < end && *p == '.')
		p = parse_number(p + 1, end, &s->precision);
	if (p < end && *p >= '0' && *p <= '9')
		luaL_error(L, "invalid format (width or precision too long)");
	s->len = (size_t)(p - s->from);
	s->letter = p < end ? *p : '\0';
	return p < end ? p + 1 : p;
}

/* As LuaJIT converts a number for %d: toward zero; what does not fit becomes the smallest 64-bit integer. */
long long check_int51(lua_State *L, int arg)
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

static void add_formatted(luaL_Buffer *b, const struct spec *s, const char *suffix, long long i, double d, bool is_int)
{
	char fmt[SPEC_MAX];
	size_t room = 512;

	snprintf(fmt, sizeof(fmt), "%%%.*s%s", (int)s->len, s->from, suffix);
	char *p = luaL_prepbuffsize(b, room);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	int n = is_int ? snprintf(p, room, fmt, i) : snprintf(p, room, fmt, d);
#pragma GCC diagnostic pop
	luaL_addsize(b, n < 0 ? 0 : MIN((size_t)n, room - 1));
}

/* %d without C's printf, which takes longer to read the format than this takes in all. */
static void add_int(luaL_Buffer *b, const struct spec *s, long long v)
{
	char digits[NUM_DEC_MAX];
	unsigned long long u = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;
	int n = u || s->precision ? (int)(num_u64(digits, u) - digits) : 0; /* %.0d of 0 is empty */
	int zeros = MAX(s->precision - n, 0), used = n + zeros + (v < 0);
	char *p, *q;

	if (s->zero && !s->left && s->precision < 0 && used < s->width) {
		zeros = s->width - used;
		used = s->width;
	}
	p = q = luaL_prepbuffsize(b, NUM_DEC_MAX + 1 + 99 + 99);
	for (int i = used; i < s->width && !s->left; i++)
		*q++ = ' ';
	if (v < 0)
		*q++ = '-';
	memset(q, '0', (size_t)zeros);
	memcpy(q + zeros, digits, (size_t)n);
	q += zeros + n;
	for (int i = used; i < s->width && s->left; i++)
		*q++ = ' ';
	luaL_addsize(b, (size_t)(q - p));
}

static double round51(const struct spec *s, double d)
{
	int prec = s->precision < 0 ? 6 : s->precision;

	if (isnan(d))
		return fabs(d);
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
		} else if (iscntrl((unsigned char)s[i])) {
			bool digit = i + 1 < n && isdigit((unsigned char)s[i + 1]);
			char *p = luaL_prepbuffsize(b, 8);
			luaL_addsize(b, (size_t)snprintf(p, 8, digit ? "\\%03d" : "\\%d", (unsigned char)s[i]));
		} else {
			luaL_addchar(b, s[i]);
		}
	}
	luaL_addchar(b, '"');
}

/* The text is on top of the stack when the buffer is not: keep them apart by converting first. */
static void add_string(lua_State *L, luaL_Buffer *b, const struct spec *s, int arg)
{
	size_t n;
	const char *p = tolstring51(L, arg, &n);

	if (s->precision < 0 && n >= 100) { /* too long for a width of two digits to matter */
		luaL_addvalue(b);
		return;
	}
	size_t keep = s->precision >= 0 ? MIN(n, (size_t)s->precision) : n;
	/* An embedded NUL ends the text for C's %s; Lua 5.1 did the same for modified conversions. */
	if (s->len)
		keep = strnlen(p, keep);
	size_t pad = (size_t)s->width > keep ? (size_t)s->width - keep : 0;
	char tmp[100 + 100];

	memset(tmp, ' ', pad + keep);
	memcpy(tmp + (s->left ? 0 : pad), p, keep);
	lua_pop(L, 1);
	luaL_addlstring(b, tmp, pad + keep);
}

/* Plain %s of a string, and %d. */
static bool add_plain(lua_State *L, luaL_Buffer *b, const struct spec *s, int arg)
{
	size_t n;

	if (s->letter == 's' && !s->len && lua_type(L, arg) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, arg, &n);
		luaL_addlstring(b, text, n);
		return true;
	}
	if (s->letter == 's' && (s->len || !lua_isinteger(L, arg)))
		return false;
	if (s->letter == 'd' || s->letter == 'i' ? s->other : s->letter != 's')
		return false;
	add_int(b, s, check_int51(L, arg));
	return true;
}

static void add_conversion(lua_State *L, luaL_Buffer *b, const struct spec *s, int arg)
{
	if (add_plain(L, b, s, arg))
		return;
	switch (s->letter) {
	case 'c':
		if (!s->len)
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
		if (pct - p == 1)
			luaL_addchar(&b, *p);
		else if (pct > p)
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

void format_open(lua_State *L)
{
	lua_register(L, "tostring", l_tostring);
	lua_getglobal(L, "string");
	lua_pushcfunction(L, l_format);
	lua_setfield(L, -2, "format");
	lua_pop(L, 1);
}
