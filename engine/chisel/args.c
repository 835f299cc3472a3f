/* Arguments of a chisel: splitting the word of the command line, delivering on_set_arg. */
#include <errno.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"

enum { MAX_GIVEN = 1000 };

struct tokens {
	char **v;
	unsigned n;
};

static bool add_token(struct tokens *t, const char *s, size_t len)
{
	if (t->n == MAX_GIVEN || !(t->v[t->n] = strndup(s, len)))
		return false;
	t->n++;
	return true;
}

static bool is_quote(char c)
{
	return c == '\'' || c == '`';
}

/* Spec cli.md section 6: cut at single blanks (two in a row give an empty argument); quotes protect blanks; a
 * quote in the middle of a token costs the token its first character, as in sysdig. */
static int split_word(const char *word, struct tokens *t, struct err *e)
{
	size_t len = strlen(word), from = 0, i;
	bool quoted = false;

	while (len && (word[len - 1] == ' ' || word[len - 1] == '\t'))
		len--;
	while (from < len && (word[from] == ' ' || word[from] == '\t'))
		from++;
	for (i = from; i < len; i++) {
		if (is_quote(word[i])) {
			quoted = !quoted;
			if (quoted) {
				from++;
				continue;
			}
			if (!add_token(t, word + from, i - from))
				goto fail;
			i++; /* the blank behind the quote */
			from = i + 1;
		} else if (word[i] == ' ' && !quoted) {
			if (!add_token(t, word + from, i - from))
				goto fail;
			from = i + 1;
		}
	}
	if (quoted)
		return -EINVAL;
	if (from < len && !add_token(t, word + from, len - from))
		goto fail;
	return 0;
fail:
	return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
}

struct delivery {
	const char *name, *value;
	bool is_bool, ok;
};

/* The function is below the context: on_set_arg(name, value). */
static int call_set_arg(lua_State *L)
{
	struct delivery *d = lua_touserdata(L, 2);

	lua_settop(L, 1);
	lua_pushstring(L, d->name);
	lua_pushstring(L, d->value);
	lua_call(L, 2, 1);
	d->is_bool = lua_isboolean(L, -1);
	d->ok = lua_toboolean(L, -1);
	return 0;
}

static int deliver(struct chisel *c, struct lstate *ls, const char *name, const char *value, struct err *e)
{
	struct delivery d = { name, value, false, false };

	ls->phase = LP_LOAD;
	if (!lstate_push_global(ls, "on_set_arg"))
		return err_set(e, ERR_LUA, ERR_NO_POS, "chisel %s misses a set_arg() function", c->name);
	lua_pushcfunction(ls->L, call_set_arg);
	lua_insert(ls->L, -2);
	lua_pushlightuserdata(ls->L, &d);
	int r = lstate_call(ls, 2, 0, "error in set_arg(): ", e);
	if (r)
		return r;
	if (!d.is_bool)
		return err_set(e, ERR_LUA, ERR_NO_POS, "chisel %s: wrong set_arg() return value", c->name);
	if (!d.ok)
		return err_set(e, ERR_LUA, ERR_NO_POS, "set_arg() for chisel %s failed", c->name);
	return 0;
}

int chisel_deliver_args(struct chisel *c, struct lstate *ls, struct err *e)
{
	for (unsigned i = 0; i < c->ngiven; i++) {
		int r = deliver(c, ls, c->args[i].name, c->given[i], e);
		if (r)
			return r;
	}
	return 0;
}

static int check_count(const struct chisel *c, unsigned given, struct err *e)
{
	unsigned required = chisel_args_required(c), optional = chisel_args_optional(c);

	if (!optional && given != required)
		return err_set(e, -EINVAL, ERR_NO_POS, "wrong number of parameters for chisel %s, %u required, %u given",
			       c->name, required, given);
	if (given < required)
		return err_set(e, -EINVAL, ERR_NO_POS, "wrong number of parameters for chisel %s, %u required, %u given",
			       c->name, required, given);
	if (given > c->nargs)
		return err_set(e, -EINVAL, ERR_NO_POS,
			       "too many parameters for chisel %s, %u required, %u optional, %u given", c->name, required,
			       optional, given);
	return 0;
}

int chisel_set_args(struct chisel *c, const char *word, struct buf *out, struct err *e)
{
	struct tokens t = { .v = calloc(MAX_GIVEN, sizeof(char *)) };

	if (!t.v)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	int r = split_word(word, &t, e);
	if (r == -EINVAL)
		err_set(e, r, ERR_NO_POS, "corrupted parameters for chisel %s", c->name);
	if (!r)
		r = check_count(c, t.n, e);
	for (unsigned i = 0; i < c->ngiven; i++)
		free(c->given[i]);
	free(c->given);
	c->given = t.v;
	c->ngiven = t.n;
	if (r)
		return r;
	c->main->out = out;
	r = chisel_deliver_args(c, c->main, e);
	c->main->out = NULL;
	return r;
}
