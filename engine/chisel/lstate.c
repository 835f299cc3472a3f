/* One Lua state: memory limit, protected calls, traceback. */
#include <errno.h>
#include <stdlib.h>

#include "base/apart.h"
#include "base/stop.h"
#include "chisel/chisel_int.h"

static const uint64_t DEFAULT_MEMORY_BYTES = (uint64_t)1 << 30;

static void *limited_alloc(void *ud, void *p, size_t old, size_t want)
{
	struct lstate *ls = ud;

	if (!p)
		old = 0; /* then it is a type code */
	if (!want) {
		ls->bytes -= old;
		free(p);
		return NULL;
	}
	if (want > old && want - old > ls->max_bytes - MIN(ls->bytes, ls->max_bytes))
		return NULL;
	void *q = realloc(p, want);
	if (q)
		ls->bytes += want - old;
	return q;
}

/* What a protected call leaves on the stack for a raised value, with the traceback kept aside. */
static int on_error(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	struct buf *tb = &ls->traceback;
	const char *msg = lua_tostring(L, 1);

	if (!msg) {
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
			msg = lua_tostring(L, -1);
		else
			msg = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	}
	luaL_traceback(L, L, NULL, 1);
	if (!ls->exited) {
		buf_reset(tb);
		buf_puts(tb, lua_tostring(L, -1));
		buf_putc(tb, '\0');
	}
	lua_pushstring(L, msg);
	return 1;
}

static int event_name_text(lua_State *L)
{
	lua_pushliteral(L, "on_event");
	return 1;
}

/* The bottom of every state's stack: table of globals, "on_event", the handler of errors. */
static int fill_base(struct lstate *ls, struct err *e)
{
	lua_State *L = ls->L;

	lua_pushcfunction(L, event_name_text);
	int r = lstate_call(ls, 0, 1, "", e);
	if (r)
		return r;
	lua_replace(L, LSTATE_ON_EVENT);
	lua_pushglobaltable(L);
	lua_replace(L, LSTATE_GLOBALS);
	return 0;
}

static int open_libraries(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	luaL_openlibs(L);
	compat_open(L);
	order_open(L);
	stdio_open(L);
	api_evt_open(L);
	api_chisel_open(L);
	api_sysdig_open(L);
	api_tables_open(L);
	api_aggregate_open(L);
	prelude_open(L);
	lua_pushlightuserdata(L, ls->c);
	lua_setglobal(L, "sichisel");
	lua_pushlightuserdata(L, ls);
	lua_setglobal(L, "sievt");
	return 0;
}

static int no_panic(lua_State *L)
{
	/* Every call into a state is protected, so this is a bug of ours, not of the script. */
	assert_fail("unprotected Lua error", __FILE__, __LINE__);
}

int lstate_new(struct lstate **out, struct chisel *c, unsigned w, struct err *e)
{
	struct lstate *ls = apart_calloc(1, sizeof(*ls));

	if (!ls)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	ls->magic = LSTATE_MAGIC;
	ls->c = c;
	ls->w = w;
	ls->max_bytes = c->cs->host->lua_memory_bytes ? c->cs->host->lua_memory_bytes : DEFAULT_MEMORY_BYTES;
	ls->L = lua_newstate(limited_alloc, ls);
	if (!ls->L) {
		free(ls);
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	}
	ls->current = ls->L;
	lua_atpanic(ls->L, no_panic);
	lua_settop(ls->L, LSTATE_BASE);
	lua_pushcfunction(ls->L, on_error);
	lua_replace(ls->L, LSTATE_BASE);
	*(struct lstate **)lua_getextraspace(ls->L) = ls;
	lua_gc(ls->L, LUA_GCGEN, 0, 0);
	watchdog_add(c->cs->wd, ls);
	int r = fill_base(ls, e);
	if (!r)
		r = lstate_run(ls, open_libraries, NULL, "", e);
	if (r) {
		lstate_free(ls);
		return r;
	}
	*out = ls;
	return 0;
}

void lstate_free(struct lstate *ls)
{
	if (!ls)
		return;
	ASSERT(ls->magic == LSTATE_MAGIC);
	ls->out = NULL;
	ls->ev.env = NULL;
	watchdog_enter(ls); /* __gc methods are script code too */
	lua_close(ls->L);
	watchdog_leave(ls);
	watchdog_remove(ls->c->cs->wd, ls);
	buf_fini(&ls->traceback);
	buf_fini(&ls->text);
	ls->magic = 0;
	free(ls);
}

static int describe(struct lstate *ls, int status, const char *what, struct err *e)
{
	lua_State *L = ls->L;
	const char *msg = lua_tostring(L, -1);

	if (status == LUA_ERRMEM)
		err_set(e, ERR_LUA, ERR_NO_POS, "%s%s%sits Lua state needs more than %zu MiB (limit)", ls->c->name,
			*what ? ": " : " chisel error: ", what, ls->max_bytes >> 20);
	else if (ls->stop && (ls->c->cs->interrupted || stop_requested()))
		err_set(e, ERR_INTERRUPTED, ERR_NO_POS, "%s: interrupted", ls->c->name);
	else
		err_set(e, ERR_LUA, ERR_NO_POS, "%s%s%s%s", ls->c->name, *what ? ": " : " chisel error: ", what,
			msg ? msg : "unknown error");
	return e && e->code == ERR_INTERRUPTED ? ERR_INTERRUPTED : ERR_LUA;
}

int lstate_call(struct lstate *ls, int nargs, int nresults, const char *what, struct err *e)
{
	lua_State *L = ls->L;
	int base = lua_gettop(L) - nargs;

	if (UNLIKELY(ls->exited))
		goto exited;
	watchdog_enter(ls);
	int status = lua_pcall(L, nargs, nresults, LSTATE_BASE);
	ls->current = L;
	int r = status == LUA_OK || ls->exited ? 0 : describe(ls, status, what, e);
	watchdog_leave(ls);
	if (LIKELY(status == LUA_OK && !ls->exited))
		return 0;
	if (!ls->exited) {
		lua_settop(L, base - 1);
		if (ls->w == MAIN_STATE)
			chisels_keep_traceback(ls->c->cs, &ls->traceback);
		return r;
	}
exited:
	lua_settop(L, base - 1);
	return CHISELS_EXIT;
}

int lstate_run(struct lstate *ls, lua_CFunction fn, void *ctx, const char *what, struct err *e)
{
	lua_pushcfunction(ls->L, fn);
	lua_pushlightuserdata(ls->L, ctx);
	return lstate_call(ls, 1, 0, what, e);
}

static int get_global(lua_State *L)
{
	lua_pushglobaltable(L);
	lua_pushstring(L, lua_touserdata(L, 1));
	lua_rawget(L, -2);
	return 1;
}

bool lstate_push_on_event(struct lstate *ls)
{
	lua_pushvalue(ls->L, LSTATE_ON_EVENT);
	if (LIKELY(lua_rawget(ls->L, LSTATE_GLOBALS) == LUA_TFUNCTION))
		return true;
	lua_pop(ls->L, 1);
	return false;
}

bool lstate_push_global(struct lstate *ls, const char *name)
{
	lua_State *L = ls->L;

	/* Interning the name can raise for lack of memory: protected. */
	lua_pushcfunction(L, get_global);
	lua_pushlightuserdata(L, (void *)(uintptr_t)name);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TFUNCTION)
		return true;
	lua_pop(L, 1);
	return false;
}
