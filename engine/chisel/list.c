/* -cl and -i: what chisels there are. Every Lua file of every directory of the search path is run, muted and under the
 * usual limits; those that are no chisels (views, helpers, broken files) are passed over. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "chisel/chisel_int.h"

enum { NAME_COLUMNS = 16, TEXT_COLUMNS = 63, DESC_COLUMNS = 79, MAX_LISTED = 10000 };

struct listed {
	char *name, *category, *brief, *desc;
	struct chisel_arg *args;
	unsigned nargs;
};

struct catalogue {
	struct chisels *cs;
	struct listed *v;
	unsigned n, cap;
	bool no_memory;
};

/* ---- reading one file ---------------------------------------------------------------------------------------- */

struct facts {
	struct listed *to;
	bool hidden, listed;
};

static char *copy_global(lua_State *L, const char *name, bool *is_text)
{
	char *s = NULL;

	lua_getglobal(L, name);
	if (is_text)
		*is_text = lua_type(L, -1) == LUA_TSTRING;
	if (lua_type(L, -1) == LUA_TSTRING)
		s = strdup(lua_tostring(L, -1));
	else
		s = strdup("");
	lua_pop(L, 1);
	return s;
}

static int read_facts(lua_State *L)
{
	struct facts *f = lua_touserdata(L, 1);
	bool desc, brief;

	lua_getglobal(L, "hidden");
	f->hidden = lua_toboolean(L, -1);
	f->to->desc = copy_global(L, "description", &desc);
	f->to->brief = copy_global(L, "short_description", &brief);
	f->to->category = copy_global(L, "category", NULL);
	f->listed = desc && brief;
	return 0;
}

static void free_listed(struct listed *l)
{
	for (unsigned i = 0; i < l->nargs; i++) {
		free(l->args[i].name);
		free(l->args[i].desc);
		free(l->args[i].type);
	}
	free(l->args);
	free(l->name);
	free(l->category);
	free(l->brief);
	free(l->desc);
}

/* False: not to be listed. hidden ones are wanted by -i only. */
static bool read_file(struct chisels *cs, const char *name, bool hidden, struct listed *out)
{
	struct facts f = { .to = out };
	struct chisel *c;
	bool ok;

	memset(out, 0, sizeof(*out));
	if (chisel_open(&c, cs, name, 0, NULL, NULL))
		return false;
	ok = !lstate_run(c->main, read_facts, &f, "", NULL) && f.listed && (hidden || !f.hidden);
	if (ok) {
		const char *base = strrchr(name, '/');

		out->name = strdup(base ? base + 1 : name);
		size_t n = out->name ? strlen(out->name) : 0;
		if (n > 4 && !strcmp(out->name + n - 4, ".lua"))
			out->name[n - 4] = '\0';
		out->args = c->args;
		out->nargs = c->nargs;
		c->args = NULL;
		c->nargs = 0;
		ok = out->name && out->desc && out->brief && out->category;
	}
	chisel_close(c);
	if (!ok)
		free_listed(out);
	return ok;
}

/* ---- the catalogue --------------------------------------------------------------------------------------------- */

static bool has_name(const struct catalogue *k, const char *name)
{
	for (unsigned i = 0; i < k->n; i++)
		if (!strcmp(k->v[i].name, name))
			return true;
	return false;
}

static void add_listed(struct catalogue *k, struct listed *l)
{
	if (k->n == k->cap) {
		unsigned cap = k->cap ? k->cap * 2 : 128;
		struct listed *v = realloc(k->v, cap * sizeof(*v));
		if (!v) {
			k->no_memory = true;
			free_listed(l);
			return;
		}
		k->v = v;
		k->cap = cap;
	}
	k->v[k->n++] = *l;
}

static int is_lua(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && !strcmp(d->d_name + n - 4, ".lua");
}

static void add_dir(struct catalogue *k, const char *dir)
{
	struct dirent **d;
	int n = *dir ? scandir(dir, &d, is_lua, alphasort) : 0;

	for (int i = 0; i < n; i++) {
		char path[8192], *name = strdup(d[i]->d_name);
		struct listed l;

		if (name)
			name[strlen(name) - 4] = '\0';
		if (name && k->n < MAX_LISTED && !has_name(k, name) &&
		    snprintf(path, sizeof(path), "%s%s", dir, d[i]->d_name) < (int)sizeof(path) &&
		    read_file(k->cs, path, false, &l))
			add_listed(k, &l);
		free(name);
		free(d[i]);
	}
	if (n > 0)
		free(d);
}

static int by_category(const void *p, const void *q)
{
	const struct listed *a = p, *b = q;
	int c = strcmp(a->category, b->category);

	return c ? c : strcmp(a->name, b->name);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

/* Cuts hard after columns characters; further lines begin with indent blanks. */
static void put_wrapped(struct buf *out, const char *s, unsigned columns, unsigned indent)
{
	for (unsigned n = 0; *s; s++, n++) {
		if (n == columns) {
			buf_printf(out, "\n%*s", (int)indent, "");
			n = 0;
		}
		buf_putc(out, *s);
	}
	buf_putc(out, '\n');
}

static void put_category(struct buf *out, const char *category)
{
	size_t n = strlen(category) + strlen("Category: ");

	buf_printf(out, "\nCategory: %s\n", category);
	for (size_t i = 0; i < n; i++)
		buf_putc(out, '-');
	buf_putc(out, '\n');
}

static void put_brief(struct buf *out, const struct listed *l)
{
	if (strlen(l->name) < NAME_COLUMNS)
		buf_printf(out, "%-*s", NAME_COLUMNS, l->name);
	else
		buf_printf(out, "%s\n%*s", l->name, NAME_COLUMNS, "");
	put_wrapped(out, l->brief, TEXT_COLUMNS, NAME_COLUMNS);
}

static void put_string(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void put_json(struct buf *out, const struct listed *l)
{
	buf_lit(out, "{\"name\":");
	put_string(out, l->name);
	buf_lit(out, ",\"category\":");
	put_string(out, l->category);
	buf_lit(out, ",\"short_description\":");
	put_string(out, l->brief);
	buf_lit(out, ",\"description\":");
	put_string(out, l->desc);
	buf_lit(out, ",\"args\":[");
	for (unsigned i = 0; i < l->nargs; i++) {
		buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
		put_string(out, l->args[i].name);
		buf_lit(out, ",\"type\":");
		put_string(out, l->args[i].type);
		buf_printf(out, ",\"optional\":%s,\"description\":", l->args[i].optional ? "true" : "false");
		put_string(out, l->args[i].desc);
		buf_putc(out, '}');
	}
	buf_lit(out, "]}");
}

static void put_catalogue(struct buf *out, const struct catalogue *k, bool json)
{
	if (json)
		buf_putc(out, '[');
	for (unsigned i = 0; i < k->n; i++) {
		if (json) {
			buf_puts(out, i ? ",\n" : "\n");
			put_json(out, &k->v[i]);
			continue;
		}
		if (!i || strcmp(k->v[i].category, k->v[i - 1].category))
			put_category(out, k->v[i].category);
		put_brief(out, &k->v[i]);
	}
	buf_puts(out, json ? "\n]\n" : "\nburin -i NAME tells more about a chisel\n");
}

int chisels_list(struct chisels *cs, bool json, struct buf *out, struct err *e)
{
	struct catalogue k = { .cs = cs };

	for (char **p = cs->path; *p; p++)
		add_dir(&k, *p);
	if (k.n)
		qsort(k.v, k.n, sizeof(*k.v), by_category);
	put_catalogue(out, &k, json);
	for (unsigned i = 0; i < k.n; i++)
		free_listed(&k.v[i]);
	free(k.v);
	return k.no_memory ? err_set(e, -ENOMEM, ERR_NO_POS, "out of memory") : 0;
}

static void put_args(struct buf *out, const struct listed *l)
{
	struct buf line;

	buf_lit(out, "Args:\n");
	if (!l->nargs)
		buf_lit(out, "(None)\n");
	for (unsigned i = 0; i < l->nargs; i++) {
		buf_init(&line);
		buf_printf(&line, "[%s] %s - %s", l->args[i].type, l->args[i].name, l->args[i].desc);
		buf_putc(&line, '\0');
		put_wrapped(out, buf_failed(&line) ? "" : line.p, TEXT_COLUMNS, NAME_COLUMNS);
		buf_fini(&line);
	}
	buf_putc(out, '\n');
}

int chisels_info(struct chisels *cs, const char *name, bool json, struct buf *out, struct err *e)
{
	struct listed l;

	if (!read_file(cs, name, true, &l))
		return err_set(e, -ENOENT, ERR_NO_POS, "can't find chisel %s, or it does not describe itself", name);
	if (json) {
		put_json(out, &l);
		buf_putc(out, '\n');
	} else {
		put_category(out, l.category);
		put_brief(out, &l);
		buf_putc(out, '\n');
		put_wrapped(out, l.desc, DESC_COLUMNS, 0);
		put_args(out, &l);
	}
	free_listed(&l);
	return 0;
}
