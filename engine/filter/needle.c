/* Texts of which one must stand in a trace before any event can pass the filter.
 *
 * "fd.name contains sshd_config" needs a descriptor of that name, and a name gets into the tables from an event or a
 * process list that holds it. So a section without those bytes has no such event, and its tables need not be built to
 * see that. Names are put together and cleaned on their way, but by whole components of a path or whole words: what
 * is looked for is therefore a run of letters, digits and underscores, of which no part can be made up by a reader
 * (addresses in digits and hexadecimal letters, and the words below).
 *
 * Not with --compat=0.29, where cleaning a path can join what was apart ("x./y" is "xy" there). */
#include "filter/filter_int.h"

#include <ctype.h>
#include <errno.h>

enum { NEEDLES_MAX = 16, NEEDLE_MIN = 3 };

struct filter_needles {
	uint32_t n;
	struct ftext v[NEEDLES_MAX];
	struct fsubstr *substr; /* more than one */
};

/* Values that are made of texts of the trace by joining and cutting alone. */
static const char *const needle_fields[] = {
	"proc.name",	 "proc.pname",	   "proc.aname",   "proc.sname",   "proc.exe",	   "proc.pexe",
	"proc.aexe",	 "proc.exepath",   "proc.pexepath", "proc.aexepath", "proc.args",  "proc.cmdline",
	"proc.pcmdline", "proc.exeline",   "proc.cwd",	   "proc.sid.exe", "proc.sid.exepath", "fd.name",
	"fd.nameraw",	 "fd.filename",	   "fd.directory",
};
/* Words that readers put into such values by themselves. */
static const char *const needle_made_up[] = {
	"PATH_TOO_LONG", "UNKNOWN", "unknown", "type", "INVALID", "IPv4", "IPv6", "NULL", "family", "proc", "memfd",
};

/* ---- one text ---- */

static bool made_up(const char *s, uint32_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(needle_made_up); i++)
		if (text_contains(needle_made_up[i], (uint32_t)strlen(needle_made_up[i]), s, len))
			return true;
	for (uint32_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)s[i]) && s[i] != 'x')
			return false;
	return true;
}

static bool in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The longest run that serves; len 0 = none. */
static struct ftext text_needle(const struct ftext *t)
{
	struct ftext best = {NULL, 0};
	uint32_t from = 0;

	for (uint32_t i = 0; i <= t->len; i++) {
		if (i < t->len && in_word(t->s[i]))
			continue;
		if (i - from >= NEEDLE_MIN && i - from > best.len && !made_up(t->s + from, i - from))
			best = (struct ftext){t->s + from, i - from};
		from = i + 1;
	}
	return best;
}

/* ---- the tree ---- */

static bool add(struct filter_needles *out, const struct ftext *t)
{
	struct ftext n = text_needle(t);

	if (!n.len || out->n == NEEDLES_MAX)
		return false;
	out->v[out->n++] = n;
	return true;
}

static bool add_all(struct filter_needles *out, const struct ftext *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!add(out, &v[i]))
			return false;
	return n > 0;
}

static bool of_test(const struct fnode *n, struct filter_needles *out)
{
	struct ftext v[NEEDLES_MAX];
	bool named = false;
	uint32_t k;

	for (size_t i = 0; i < ARRAY_SIZE(needle_fields) && n->lhs; i++)
		named |= filter_named(n->lhs, needle_fields[i]);
	if (!named || n->mod != FM_NONE)
		return false;
	switch (n->in.op) {
	case FI_EQ_T:
	case FI_CONTAINS:
	case FI_STARTS:
	case FI_ENDS:
		return add(out, &n->in.c->text);
	case FI_IN_T:
		k = fset_texts(n->in.c->set, v, NEEDLES_MAX);
		return k <= NEEDLES_MAX && add_all(out, v, k);
	case FI_CONTAINS_ANY:
		k = fsubstr_texts(n->in.c->substr, v, NEEDLES_MAX);
		return k <= NEEDLES_MAX && add_all(out, v, k);
	default:
		return false;
	}
}

static uint32_t shortest(const struct filter_needles *s)
{
	uint32_t len = UINT32_MAX;

	for (uint32_t i = 0; i < s->n; i++)
		len = MIN(len, s->v[i].len);
	return len;
}

static bool of_node(const struct fnode *n, struct filter_needles *out)
{
	struct filter_needles kid;
	bool found = n->kind == FN_OR;

	if (n->kind == FN_TEST)
		return of_test(n, out);
	if (n->kind != FN_AND && n->kind != FN_OR)
		return false;
	for (uint32_t i = 0; i < n->nkid; i++) {
		kid.n = 0;
		if (!of_node(n->kid[i], &kid)) {
			if (n->kind == FN_OR)
				return false;
		} else if (n->kind == FN_OR) { /* each of them could be the one */
			if (!add_all(out, kid.v, kid.n))
				return false;
		} else if (!found || shortest(&kid) > shortest(out)) { /* one that must be there is enough */
			out->n = kid.n;
			memcpy(out->v, kid.v, kid.n * sizeof(*kid.v));
			found = true;
		}
	}
	return found;
}

/* ---- outside ---- */

int filter_find_needles(struct filter *f)
{
	struct filter_needles found = {0}, *n;

	if (f->compat029 || f->looks_back || !f->root || !of_node(f->root, &found))
		return 0;
	n = filter_alloc(f, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = found;
	f->needles = n;
	return n->n > 1 ? fsubstr_new(f, &n->substr, n->v, n->n) : 0;
}

static bool needles_in(void *ctx, const void *p, size_t len)
{
	const struct filter_needles *n = ctx;

	return n->substr ? fsubstr_find(n->substr, p, (uint32_t)len)
			 : text_contains(p, (uint32_t)len, n->v[0].s, n->v[0].len);
}

struct digest_texts filter_texts(const struct filter *f)
{
	return (struct digest_texts){f->needles ? needles_in : NULL, f->needles};
}
