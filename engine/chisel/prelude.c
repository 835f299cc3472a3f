/* Loads what lua/ holds: the prelude at once, helper modules when required. */
#include "chisel/prelude.h"

#include "chisel/chisel_int.h"

static int load_module(lua_State *L)
{
	const struct lua_text *t = lua_touserdata(L, lua_upvalueindex(1));

	if (luaL_loadbufferx(L, t->text, t->len, lua_pushfstring(L, "=%s", t->name), "t"))
		return lua_error(L);
	lua_call(L, 0, 1);
	return 1;
}

void prelude_open(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	for (const struct lua_text *t = lua_texts; t->name; t++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)t);
		lua_pushcclosure(L, load_module, 1);
		if (!strcmp(t->name, "prelude"))
			lua_call(L, 0, 0);
		else
			lua_setfield(L, -2, t->name);
	}
	lua_pop(L, 1);
}
