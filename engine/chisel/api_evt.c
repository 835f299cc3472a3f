/* evt.*: what a script sees of an event. */
#include <stdio.h>

#include "chisel/chisel_int.h"

/* The evctx on the current event; moves the release turn's context there on first use. */
static struct evctx *current(lua_State *L, struct lstate *ls, const char *fn)
{
	struct cur_event *ev = &ls->ev;

	if (!ev->env)
		luaL_error(L, "invalid call to evt.%s(): there is no event yet", fn);
	if (!ev->moved) {
		if (ev->env->c->b != ev->b && evctx_begin(ev->env->c, ev->b))
			luaL_error(L, "out of memory");
		arena_reset(ev->env->scratch);
		evctx_move(ev->env->c, ev->idx);
		ev->moved = true;
	}
	return ev->env->c;
}

/* The ways of evt.field that are not an extracted value. */
static NO_INLINE int field_slowly(lua_State *L, struct lstate *ls)
{
	struct chisel *c = ls->c;
	struct value v;
	int i = chisel_handle(L, 1, c);

	if (i < 0) {
		if (lua_type(L, 1) == LUA_TSTRING)
			return luaL_error(L, "%s: evt.field: argument 1 is a string; it takes what chisel.request_field "
					     "returned", c->name);
		lua_pushnil(L);
		return 1;
	}
	if (ls->ev.last) {
		lua_pushnil(L);
		return 1;
	}
	/* In a worker most events are never moved to. */
	if (ls->ev.env && ls->ev.env->c->b == ls->ev.b && chisel_field_quick(&c->fields[i], ls->ev.env, ls->ev.idx, &v)) {
		push_value(L, &c->fields[i], &v);
		return 1;
	}
	current(L, ls, "field");
	chisel_field_get(c, (unsigned)i, ls->ev.env, &v);
	push_value(L, &c->fields[i], &v);
	return 1;
}

static int e_field(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	/* A handle is a light userdata below nvals; no full one is at such an address. */
	uintptr_t i = (uintptr_t)lua_touserdata(L, 1) - 1;
	struct chisel_field *fields = ls->c->fields;

	if (ls->w == MAIN_STATE && i < ls->c->nfields)
		fields[i].used[ls->ev.exit]++;
	if (LIKELY(i < ls->ev.nvals)) {
		unsigned at = ls->ev.place ? ls->ev.place[i] : (unsigned)i;

		if (LIKELY(at != VALUE_WAITS)) {
			push_value(L, &fields[i], &ls->ev.vals[at]);
			return 1;
		}
	}
	return field_slowly(L, ls);
}

static int e_get_num(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	lua_pushinteger(L, (lua_Integer)(ls->ev.last ? ls->ev.last->num : current(L, ls, "get_num")->num));
	return 1;
}

/* Seconds are cut to 32 bits, as in sysdig. */
static int e_get_ts(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	uint64_t ts = ls->ev.last ? ls->ev.last->ts : current(L, ls, "get_ts")->ev.ts;

	lua_pushinteger(L, (uint32_t)(ts / 1000000000u));
	lua_pushinteger(L, (lua_Integer)(ts % 1000000000u));
	return 2;
}

static int e_get_type(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	if (ls->ev.last)
		lua_pushstring(L, ls->ev.last->name);
	else
		lua_pushstring(L, event_name(&current(L, ls, "get_type")->ev, ls->c->cs->host->compat029));
	return 1;
}

/* Ours: the number of the type in the trace format. */
static int e_get_type_num(lua_State *L)
{
	lua_pushinteger(L, current(L, lstate_of(L), "get_type_num")->ev.type);
	return 1;
}

static int e_get_cpuid(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	lua_pushinteger(L, ls->ev.last ? ls->ev.last->cpu : current(L, ls, "get_cpuid")->ev.cpu);
	return 1;
}

void api_evt_open(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "field", e_field },	  { "get_num", e_get_num },	    { "get_ts", e_get_ts },
		{ "get_type", e_get_type }, { "get_type_num", e_get_type_num }, { "get_cpuid", e_get_cpuid },
		{ NULL, NULL },
	};

	luaL_newlib(L, fns);
	lua_setglobal(L, "evt");
}
