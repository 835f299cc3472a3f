/* What scripts print goes into the engine's output, in order with its own lines; os.exit becomes a result. */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chisel/chisel_int.h"

/* Effects on the world are for the main state: workers repeat the script's start and must not repeat those. */
static bool may_act(lua_State *L, const char *what)
{
	struct lstate *ls = lstate_of(L);

	if (ls->w == MAIN_STATE)
		return true;
	if (ls->phase == LP_EVENT)
		luaL_error(L, "%s in on_event of a chisel that runs in parallel; declare mode = \"ordered\"", what);
	return false;
}

static void add_text(lua_State *L, struct buf *out, int i)
{
	size_t n;

	if (lua_type(L, i) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, i, &n);
		if (out)
			buf_put(out, text, n);
		return;
	}
	const char *s = tolstring51(L, i, &n);
	if (out)
		buf_put(out, s, n);
	lua_pop(L, 1);
}

static int l_print(lua_State *L)
{
	struct buf *out = lstate_of(L)->out;
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++) {
		if (i > 1 && out)
			buf_putc(out, '\t');
		add_text(L, out, i);
	}
	if (out)
		buf_putc(out, '\n');
	return 0;
}

static bool is_stdout(lua_State *L, int i)
{
	luaL_Stream *s = luaL_testudata(L, i, LUA_FILEHANDLE);

	return s && s->closef && s->f == stdout;
}

static void check_writable(lua_State *L, int from)
{
	for (int i = from; i <= lua_gettop(L); i++)
		if (lua_type(L, i) != LUA_TSTRING && lua_type(L, i) != LUA_TNUMBER)
			luaL_argerror(L, i, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, i)));
}

/* Upvalue 1: the library's own file:write. True, as in 5.1, where 5.4 has the file. */
static int f_write(lua_State *L)
{
	int n = lua_gettop(L);

	if (n && is_stdout(L, 1)) {
		check_writable(L, 2);
		for (int i = 2; i <= n; i++)
			add_text(L, lstate_of(L)->out, i);
		lua_pushboolean(L, 1);
		return 1;
	}
	for (int i = 2; i <= n; i++) {
		if (lua_type(L, i) != LUA_TNUMBER || lua_isinteger(L, i))
			continue;
		tolstring51(L, i, NULL);
		lua_replace(L, i);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	if (lua_type(L, 1) == LUA_TUSERDATA) {
		lua_pushboolean(L, 1);
		return 1;
	}
	return lua_gettop(L);
}

/* io.write: io.output():write(...) */
static int l_write(lua_State *L)
{
	lua_getglobal(L, "io");
	lua_getfield(L, -1, "output");
	lua_call(L, 0, 1);
	lua_getfield(L, -1, "write");
	lua_insert(L, 1);
	lua_insert(L, 2);
	lua_pop(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int l_exit(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	if (lua_isnoneornil(L, 1))
		ls->exit_code = 0;
	else if (lua_isboolean(L, 1))
		ls->exit_code = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
	else
		ls->exit_code = (int)luaL_checknumber(L, 1);
	if (!may_act(L, "os.exit"))
		return 0;
	ls->exited = true; /* lstate_call turns whatever comes of the error into CHISELS_EXIT */
	ls->c->cs->exit_code = ls->exit_code;
	return luaL_error(L, "os.exit");
}

/* 5.1: the status as a number. */
static int l_execute(lua_State *L)
{
	const char *cmd = luaL_optstring(L, 1, NULL);

	if (!may_act(L, "os.execute")) {
		lua_pushinteger(L, 0);
		return 1;
	}
	lua_pushinteger(L, system(cmd));
	return 1;
}

/* Upvalue 1: the library's io.open. */
static int l_open(lua_State *L)
{
	const char *mode = luaL_optstring(L, 2, "r");
	int n = lua_gettop(L);

	if ((strpbrk(mode, "wa+") || lstate_of(L)->phase == LP_EVENT) && !may_act(L, "io.open")) {
		lua_pushnil(L);
		lua_pushliteral(L, "files are written by the main state only");
		return 2;
	}
	if (!*mode || !strchr("rwa", *mode)) { /* 5.4 raises; so it does for letters behind, which 5.1 passes over */
		lua_pushnil(L);
		lua_pushfstring(L, "%s: Invalid argument", luaL_checkstring(L, 1));
		lua_pushinteger(L, EINVAL);
		return 3;
	}
	lua_settop(L, 1);
	lua_pushfstring(L, "%c%s%s", *mode, strchr(mode, '+') ? "+" : "", strchr(mode, 'b') ? "b" : "");
	n = 2;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* Upvalue 1: the function; 2: its name. */
static int l_main_only(lua_State *L)
{
	int n = lua_gettop(L);

	if (!may_act(L, lua_tostring(L, lua_upvalueindex(2))))
		return 0;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* The format at 1 with the conversions that 5.4 refuses printed as they are: their % doubled. Pushes it. */
static void push_date_format(lua_State *L)
{
	static const char valid[] = "aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%";
	const char *s = luaL_checkstring(L, 1);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (; *s; s++) {
		if (*s == '%') {
			size_t mod = (s[1] == 'E' || s[1] == 'O') && s[2] ? 1 : 0;
			if (!s[1 + mod] || !strchr(valid, s[1 + mod]) || (mod && !strchr("cCdeHImMSuUVwWxXyY", s[1 + mod])))
				luaL_addchar(&b, '%');
			else if (s[1] == '%')
				luaL_addchar(&b, *s++);
		}
		luaL_addchar(&b, *s);
	}
	luaL_pushresult(&b);
}

/* Upvalue 1: the library's os.date, which refuses fractions of seconds and conversions it does not know. */
static int l_date(lua_State *L)
{
	int n = lua_gettop(L);

	if (n >= 2 && lua_type(L, 2) == LUA_TNUMBER && !lua_isinteger(L, 2)) {
		lua_pushinteger(L, (lua_Integer)lua_tonumber(L, 2));
		lua_replace(L, 2);
	}
	if (n >= 1 && lua_type(L, 1) == LUA_TSTRING) {
		push_date_format(L);
		lua_replace(L, 1);
	}
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void wrap(lua_State *L, const char *lib, const char *fn, lua_CFunction f, bool name)
{
	lua_getglobal(L, lib);
	lua_getfield(L, -1, fn);
	if (name)
		lua_pushfstring(L, "%s.%s", lib, fn);
	lua_pushcclosure(L, f, name ? 2 : 1);
	lua_setfield(L, -2, fn);
	lua_pop(L, 1);
}

void stdio_open(lua_State *L)
{
	static const struct { const char *lib, *fn; } main_only[] = {
		{ "io", "popen" }, { "os", "remove" }, { "os", "rename" }, { "io", "lines" },
	};

	lua_register(L, "print", l_print);
	luaL_getmetatable(L, LUA_FILEHANDLE);
	lua_getfield(L, -1, "__index");
	lua_getfield(L, -1, "write");
	lua_pushcclosure(L, f_write, 1);
	lua_setfield(L, -2, "write");
	lua_pop(L, 2);
	lua_getglobal(L, "io");
	lua_pushcfunction(L, l_write);
	lua_setfield(L, -2, "write");
	lua_getglobal(L, "os");
	lua_pushcfunction(L, l_exit);
	lua_setfield(L, -2, "exit");
	lua_pushcfunction(L, l_execute);
	lua_setfield(L, -2, "execute");
	lua_pop(L, 2);
	wrap(L, "io", "open", l_open, false);
	wrap(L, "os", "date", l_date, false);
	for (unsigned i = 0; i < ARRAY_SIZE(main_only); i++)
		wrap(L, main_only[i].lib, main_only[i].fn, l_main_only, true);
}
