/* Loading a chisel: file, main chunk, declared arguments, and the life of struct chisel. */
#include <errno.h>
#include <stdlib.h>

#include "chisel/row_memo.h"
#include "chisel/partial.h"

/* ---- running the file ---------------------------------------------------------------------------------- */

/* package.path gets the chisel's own directory first, then every directory of the search path: so a sysdig chisel that
 * runs from its own directory uses its own helpers. */
static void extend_package_path(lua_State *L, const struct chisel *c)
{
	luaL_Buffer b;

	lua_getglobal(L, "package");
	luaL_buffinit(L, &b);
	luaL_addstring(&b, c->dir);
	luaL_addstring(&b, "?.lua");
	for (char **p = c->cs->path; *p; p++) {
		luaL_addchar(&b, ';');
		luaL_addstring(&b, *p);
		luaL_addstring(&b, "?.lua");
	}
	luaL_pushresult(&b);
	lua_setfield(L, -2, "path");
	lua_pop(L, 1);
}

struct script {
	struct chisel *c;
	const char *text;
	size_t len;
};

static int run_chunk(lua_State *L)
{
	struct script *s = lua_touserdata(L, 1);

	extend_package_path(L, s->c);
	if (luaL_loadbufferx(L, s->text, s->len, lua_pushfstring(L, "@%s", s->c->path), "t"))
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

int chisel_run_file(struct lstate *ls, struct err *e)
{
	struct script s = { .c = ls->c };
	struct err why = { 0 };
	char *text;
	int r = read_text(ls->c->path, &text, &s.len, e);

	if (r)
		return r;
	s.text = text;
	ls->phase = LP_LOAD;
	r = lstate_run(ls, run_chunk, &s, "", &why);
	free(text);
	if (r >= 0)
		return r;
	const char *msg = why.msg, *skip = " chisel error: ";
	if (strstr(msg, skip))
		msg = strstr(msg, skip) + strlen(skip);
	return err_set(e, r, ERR_NO_POS, "Failed to load chisel %s: %s", ls->c->name, msg);
}

/* ---- args --------------------------------------------------------------------------------------------------- */

static char *text_field(lua_State *L, const char *name)
{
	char *s;

	lua_getfield(L, -1, name);
	if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "%s is not a string", name);
	s = strdup(lua_isnil(L, -1) ? "" : lua_tostring(L, -1));
	lua_pop(L, 1);
	if (!s)
		luaL_error(L, "out of memory");
	return s;
}

static int read_args(lua_State *L)
{
	struct chisel *c = lua_touserdata(L, 1);

	if (lua_getglobal(L, "args") != LUA_TTABLE)
		return 0;
	c->args_table = true;
	lua_Integer n = luaL_len(L, -1);
	if (n > 1000)
		return luaL_error(L, "too many arguments declared");
	c->args = calloc((size_t)n + 1, sizeof(*c->args));
	if (!c->args)
		return luaL_error(L, "out of memory");
	for (lua_Integer i = 1; i <= n; i++) {
		struct chisel_arg *a = &c->args[i - 1];

		if (lua_geti(L, -1, i) != LUA_TTABLE)
			return luaL_error(L, "entry %d of args is not a table", (int)i);
		c->nargs = (unsigned)i;
		a->name = text_field(L, "name");
		a->desc = text_field(L, "description");
		a->type = text_field(L, "argtype");
		lua_getfield(L, -1, "optional");
		if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
			return luaL_error(L, "optional is not a boolean");
		a->optional = lua_toboolean(L, -1);
		lua_pop(L, 2);
	}
	return 0;
}

unsigned chisel_args_required(const struct chisel *c)
{
	return c->nargs - chisel_args_optional(c);
}

unsigned chisel_args_optional(const struct chisel *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->nargs; i++)
		n += c->args[i].optional;
	return n;
}

bool chisel_arg_is_filter(const struct chisel *c)
{
	return c->nargs == 1 && c->args[0].optional && !strcmp(c->args[0].type, "filter");
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

void chisel_worker_drop_runs(struct chisel_worker *w, unsigned naggs)
{
	filter_run_free(w->run);
	w->run = NULL;
	for (unsigned i = 0; i < naggs; i++) {
		filter_run_free(w->agg_run[i]);
		row_memo_free(w->agg_memo[i]);
		w->agg_run[i] = NULL;
		w->agg_memo[i] = NULL;
	}
}

static void close_worker(struct chisel_worker *w, unsigned naggs)
{
	lstate_free(w->ls);
	chisel_worker_drop_runs(w, naggs);
	buf_fini(&w->key);
}

void chisel_close(struct chisel *c)
{
	if (!c)
		return;
	for (unsigned i = 0; c->workers && i <= c->cs->host->workers; i++)
		close_worker(&c->workers[i], c->naggs);
	free(c->workers);
	lstate_free(c->main);
	chisel_free_aggs(c);
	filter_free(c->filter);
	format_free(c->format);
	for (unsigned i = 0; i < c->nfields; i++) {
		field_ref_fini(&c->fields[i].ref);
		free(c->fields[i].text);
	}
	free(c->fields);
	free(c->lookback);
	for (unsigned i = 0; i < c->nargs; i++) {
		free(c->args[i].name);
		free(c->args[i].desc);
		free(c->args[i].type);
	}
	free(c->args);
	for (unsigned i = 0; i < c->ngiven; i++)
		free(c->given[i]);
	free(c->given);
	free(c->merge);
	free(c->exec_name);
	free(c->exec_word);
	free(c->name);
	free(c->path);
	free(c->dir);
	arena_fini(&c->last.mem);
	free(c);
}

/* A further state of the same script for worker w: everything but on_event is repeated there, muted. */
int chisel_clone_state(struct chisel *c, unsigned w, struct err *e)
{
	struct lstate *ls = c->workers[w].ls;
	int r;

	if (!ls) {
		if ((r = lstate_new(&ls, c, w, e)))
			return r;
		c->workers[w].ls = ls;
		if ((r = chisel_run_file(ls, e)) || (r = chisel_deliver_args(c, ls, e)))
			return r;
	}
	if ((r = chisel_call_init(c, ls, e)) || (r = chisel_call_start(c, ls, e)))
		return r;
	return partial_begin(ls, e);
}

static int allocate(struct chisel **out, struct chisels *cs, const char *name, unsigned index)
{
	struct chisel *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cs = cs;
	c->index = index;
	arena_init(&c->last.mem);
	c->name = strdup(name);
	c->fields = calloc(CHISEL_MAX_FIELDS, sizeof(*c->fields));
	c->lookback = calloc(CHISEL_MAX_FIELDS, sizeof(*c->lookback));
	if (!c->name || !c->fields || !c->lookback) {
		chisel_close(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

int chisel_open(struct chisel **out, struct chisels *cs, const char *name, unsigned index, struct buf *out_buf,
		struct err *e)
{
	struct chisel *c;
	int r = allocate(&c, cs, name, index);

	if (r)
		return err_set(e, r, ERR_NO_POS, "out of memory");
	if ((r = find_chisel(cs, name, &c->path, &c->dir, &c->ours, e)))
		goto fail;
	native_instead(c);
	if ((r = lstate_new(&c->main, c, MAIN_STATE, e)))
		goto fail;
	c->main->out = out_buf;
	if ((r = chisel_run_file(c->main, e)))
		goto fail;
	if ((r = lstate_run(c->main, read_args, c, "", e)))
		goto fail;
	if (!c->args_table) {
		r = err_set(e, ERR_LUA, ERR_NO_POS, "Failed to load chisel %s: args table missing", name);
		goto fail;
	}
	if (lstate_push_global(c->main, "on_event")) {
		c->has_on_event = true;
		lua_pop(c->main->L, 1);
	}
	c->main->out = NULL;
	*out = c;
	return 0;
fail:
	chisel_close(c);
	return r;
}
