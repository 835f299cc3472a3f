/* chisel.*: fields, filter, formatter, intervals, exec. What a script sets up is taken from the main state; worker
 * states repeat the calls without effect. */
#include <stdlib.h>

#include "chisel/chisel_int.h"

#define FORMAT_CHISEL \
	"*%evt.num %evt.time %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.args"

int chisel_handle(lua_State *L, int idx, const struct chisel *c)
{
	if (lua_type(L, idx) != LUA_TLIGHTUSERDATA)
		return -1;
	uintptr_t h = (uintptr_t)lua_touserdata(L, idx);

	return h && h <= c->nfields ? (int)(h - 1) : -1;
}

static int find_field(const struct chisel *c, const char *name)
{
	for (unsigned i = 0; i < c->nfields; i++)
		if (!strcmp(c->fields[i].text, name) && !(c->fields[i].ref.info->flags & FF_LOOKS_BACK))
			return (int)i;
	return -1;
}

unsigned chisel_request(lua_State *L, struct lstate *ls, const char *name)
{
	struct chisel *c = ls->c;
	struct err why = { 0 };
	size_t used;
	int i = find_field(c, name);

	if (i >= 0)
		return (unsigned)i;
	if (ls->w != MAIN_STATE)
		luaL_error(L, "%s: chisel.request_field(\"%s\"): a chisel that runs in parallel requests its fields in "
			      "on_init", c->name, name);
	if (c->nfields == CHISEL_MAX_FIELDS)
		luaL_error(L, "%s: chisel.request_field: more than %d fields", c->name, CHISEL_MAX_FIELDS);
	struct chisel_field *f = &c->fields[c->nfields];
	if (field_parse(&f->ref, name, strlen(name), &used, &why))
		luaL_error(L, "%s: chisel requesting nonexistent field %s: %s", c->name, name, why.msg);
	if (f->ref.info->flags & FF_FILTER_ONLY) {
		field_ref_fini(&f->ref);
		luaL_error(L, "%s: chisel.request_field: %s is for filters only", c->name, name);
	}
	if (c->started && c->ours && f->ref.demand) {
		field_ref_fini(&f->ref);
		luaL_error(L, "%s: chisel.request_field(\"%s\"): request fields in on_init", c->name, name);
	}
	f->ref.place = c->nfields;
	f->raw_text = !strcmp(f->ref.info->name, "evt.rawarg");
	f->latency = !strcmp(f->ref.info->name, "evt.latency");
	f->rendered = !strcmp(f->ref.info->name, "evt.buffer");
	f->text = strdup(name);
	if (!f->text) {
		field_ref_fini(&f->ref);
		luaL_error(L, "out of memory");
	}
	return c->nfields++;
}

static int c_request_field(lua_State *L)
{
	struct lstate *ls = lstate_of(L);

	if (!lua_isstring(L, 1))
		return luaL_error(L, "%s: chisel.request_field: argument 1 must be the name of a field, got %s",
				  ls->c->name, luaL_typename(L, 1));
	lua_pushlightuserdata(L, field_handle(chisel_request(L, ls, lua_tostring(L, 1))));
	return 1;
}

/* What shapes the run is fixed before the first event. */
static bool setting_up(lua_State *L, const char *fn)
{
	struct lstate *ls = lstate_of(L);

	if (ls->phase > LP_START)
		luaL_error(L, "%s: %s: only possible in on_init and on_capture_start", ls->c->name, fn);
	return ls->w == MAIN_STATE;
}

static int c_set_filter(lua_State *L)
{
	struct chisel *c = lstate_of(L)->c;
	struct filter *f = NULL;
	struct err why = { 0 };

	if (!lua_isstring(L, 1))
		return luaL_error(L, "%s: chisel.set_filter: argument 1 must be a filter, got %s", c->name,
				  luaL_typename(L, 1));
	const char *text = lua_tostring(L, 1);
	if (!setting_up(L, "chisel.set_filter"))
		return 0;
	if (*text && filter_compile(&f, text, c->cs->host->compat029, &why))
		return luaL_error(L, "invalid filter in chisel %s: %s: %s", c->name, text, why.msg);
	filter_free(c->filter);
	c->filter = f;
	return 0;
}

static int c_set_event_formatter(lua_State *L)
{
	struct chisel *c = lstate_of(L)->c;
	struct format *f = NULL;
	struct err why = { 0 };

	if (!lua_isstring(L, 1))
		return luaL_error(L, "%s: chisel.set_event_formatter: argument 1 must be a format, got %s", c->name,
				  luaL_typename(L, 1));
	const char *text = lua_tostring(L, 1);
	if (!setting_up(L, "chisel.set_event_formatter"))
		return 0;
	if (!*text || !strcmp(text, "default"))
		text = FORMAT_CHISEL;
	if (format_parse(&f, text, &why))
		return luaL_error(L, "%s: chisel.set_event_formatter: %s", c->name, why.msg);
	format_free(c->format);
	c->format = f;
	return 0;
}

/* nil counts as 0; fractions are dropped. */
static uint64_t interval_arg(lua_State *L, const char *fn, uint64_t unit)
{
	lua_Number n = 0;

	if (!lua_isnoneornil(L, 1)) {
		if (!lua_isnumber(L, 1))
			luaL_error(L, "%s: %s: argument 1 must be a number, got %s", lstate_of(L)->c->name, fn,
				   luaL_typename(L, 1));
		n = lua_tonumber(L, 1);
	}
	if (!(n >= 1))
		return 0;
	return n < 9e18 / (double)unit ? (uint64_t)n * unit : INT64_MAX;
}

static int c_set_interval_s(lua_State *L)
{
	uint64_t ns = interval_arg(L, "chisel.set_interval_s", 1000000000u);

	if (setting_up(L, "chisel.set_interval_s"))
		lstate_of(L)->c->interval_ns = ns;
	return 0;
}

static int c_set_interval_ns(lua_State *L)
{
	uint64_t ns = interval_arg(L, "chisel.set_interval_ns", 1);

	if (setting_up(L, "chisel.set_interval_ns"))
		lstate_of(L)->c->interval_ns = ns;
	return 0;
}

static int c_set_precise_interval_ns(lua_State *L)
{
	uint64_t ns = interval_arg(L, "chisel.set_precise_interval_ns", 1);

	if (setting_up(L, "chisel.set_precise_interval_ns"))
		lstate_of(L)->c->precise_ns = ns;
	return 0;
}

/* Arguments become one word again: those with blanks in quotes. They stop at the first nil. */
static int c_exec(lua_State *L)
{
	struct lstate *ls = lstate_of(L);
	struct chisel *c = ls->c;
	luaL_Buffer b;

	if (!lua_isstring(L, 1))
		return luaL_error(L, "%s: chisel.exec: argument 1 must be the name of a chisel, got %s", c->name,
				  luaL_typename(L, 1));
	if (ls->phase != LP_INIT || ls->w != MAIN_STATE)
		return 0;
	int n = lua_gettop(L);
	luaL_buffinit(L, &b);
	for (int i = 2; i <= n && !lua_isnil(L, i); i++) {
		size_t len;
		const char *s = tolstring51(L, i, &len);
		bool quote = memchr(s, ' ', len) != NULL;

		lua_pop(L, 1); /* strings stay anchored by the argument; converted numbers have no blanks */
		lua_pushfstring(L, "%s%s%s%s", i > 2 ? " " : "", quote ? "'" : "", s, quote ? "'" : "");
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	char *name = strdup(lua_tostring(L, 1)), *word = strdup(lua_tostring(L, -1));
	free(c->exec_name);
	free(c->exec_word);
	c->exec_name = name;
	c->exec_word = word;
	if (!name || !word)
		return luaL_error(L, "out of memory");
	return 0;
}

/* Ours: chisel.demand("threads", "fds", ...): tables a script of ours is going to ask for. Scripts from elsewhere get
 * all of them anyway. */
static int c_demand(lua_State *L)
{
	static const struct { const char *name; uint32_t bits; } tables[] = {
		{ "threads", DEMAND_THREADS }, { "fds", DEMAND_FDS }, { "users", DEMAND_USERS },
		{ "containers", DEMAND_CONTAINERS }, { "memory", DEMAND_VOLATILE },
	};
	struct lstate *ls = lstate_of(L);

	for (int i = 1; i <= lua_gettop(L); i++) {
		const char *name = luaL_checkstring(L, i);
		uint32_t bits = 0;

		for (unsigned k = 0; k < ARRAY_SIZE(tables); k++)
			if (!strcmp(tables[k].name, name))
				bits = tables[k].bits;
		if (!bits)
			return luaL_error(L, "%s: chisel.demand: argument %d: %s is none of threads, fds, users, containers, memory",
					  ls->c->name, i, name);
		if (setting_up(L, "chisel.demand"))
			ls->c->demand |= bits;
	}
	return 0;
}

void api_chisel_open(lua_State *L)
{
	static const luaL_Reg fns[] = {
		{ "request_field", c_request_field },
		{ "set_filter", c_set_filter },
		{ "set_event_formatter", c_set_event_formatter },
		{ "set_interval_s", c_set_interval_s },
		{ "set_interval_ns", c_set_interval_ns },
		{ "set_precise_interval_ns", c_set_precise_interval_ns },
		{ "exec", c_exec },
		{ "demand", c_demand },
		{ NULL, NULL },
	};

	luaL_newlib(L, fns);
	lua_setglobal(L, "chisel");
}
