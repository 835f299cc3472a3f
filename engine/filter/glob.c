/* Shell patterns over whole texts: * ? [..] and backslash, as fnmatch without flags in the C
 * locale: * crosses slashes, a leading dot is nothing special, an unclosed [ is a plain character.
 *
 * The pattern is compiled to one item per character it consumes plus stars. Matching goes back to
 * the last star only, so the time is at most text length times pattern length. */
#include "filter/filter_int.h"

#include <ctype.h>
#include <errno.h>

enum { G_CHAR, G_ANY, G_SET, G_STAR };
struct item {
	uint8_t kind, c;
	const uint64_t *set;
};

struct fglob {
	uint32_t n;
	bool icase;
	struct item *item;
};

static void set_add(uint64_t *set, uint8_t c)
{
	set[c / 64] |= 1ull << (c % 64);
}
static bool set_has(const uint64_t *set, uint8_t c)
{
	return set[c / 64] >> (c % 64) & 1;
}
static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* C locale only: the tables of <ctype.h> would follow the user's. */
static bool in_class(const char *name, size_t n, unsigned c, bool *known)
{
	static const char *const names[] = {"alpha", "digit", "alnum", "upper", "lower", "space",
					    "blank", "punct", "print", "graph", "cntrl", "xdigit"};
	bool up = c >= 'A' && c <= 'Z', low = c >= 'a' && c <= 'z', dig = c >= '0' && c <= '9';
	bool graph = c > ' ' && c < 127, is[12] = {
						 up || low,
						 dig,
						 up || low || dig,
						 up,
						 low,
						 c == ' ' || (c >= '\t' && c <= '\r'),
						 c == ' ' || c == '\t',
						 graph && !up && !low && !dig,
						 graph || c == ' ',
						 graph,
						 c < ' ' || c == 127,
						 dig || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'),
					 };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == n && !memcmp(names[i], name, n)) {
			*known = true;
			return is[i];
		}
	*known = false;
	return false;
}

/* [:name:] at s[i]; returns bytes used, 0 if there is none. */
static uint32_t class_name(const char *s, uint32_t i, uint32_t len, uint64_t *set, bool *bad)
{
	uint32_t end;
	bool known = false;

	if (i + 1 >= len || s[i] != '[' || s[i + 1] != ':')
		return 0;
	for (end = i + 2; end + 1 < len && s[end] >= 'a' && s[end] <= 'z'; end++)
		;
	if (end + 1 >= len || s[end] != ':' || s[end + 1] != ']')
		return 0;
	for (unsigned c = 0; c < 256; c++)
		if (in_class(s + i + 2, end - i - 2, c, &known))
			set_add(set, (uint8_t)c);
	*bad |= !known;
	return end + 2 - i;
}

/* One character of a bracket expression, escapes included. False at the end of the pattern. */
static bool bracket_char(const char *s, uint32_t *i, uint32_t len, uint8_t *c)
{
	if (*i < len && s[*i] == '\\')
		(*i)++;
	if (*i >= len)
		return false;
	*c = (uint8_t)s[(*i)++];
	return true;
}

/* [...] at s[i]. Returns bytes used, 0 when it does not close (then [ is a plain character). */
static uint32_t bracket(const char *s, uint32_t i, uint32_t len, bool icase, uint64_t set[4],
			bool *never)
{
	uint32_t start = i++, used;
	bool negate = i < len && (s[i] == '!' || s[i] == '^'), bad = false;
	uint64_t classes[4] = {0};
	uint8_t lo, hi;

	i += negate;
	for (bool first = true; i < len && (first || s[i] != ']'); first = false) {
		used = class_name(s, i, len, classes, &bad);
		if (used) {
			i += used;
			continue;
		}
		if (!bracket_char(s, &i, len, &lo))
			return 0;
		hi = lo;
		if (i + 1 < len && s[i] == '-' && s[i + 1] != ']') {
			i++;
			if (!bracket_char(s, &i, len, &hi))
				return 0;
		}
		if (icase) {
			lo = fold(lo);
			hi = fold(hi);
		}
		if (lo == hi)
			set_add(set, lo);
		for (unsigned c = lo; lo < hi && c <= hi; c++)
			set_add(set, (uint8_t)c);
	}
	if (i >= len)
		return 0;
	/* Case is ignored for single characters and ranges, not for classes. */
	for (unsigned c = 'A'; icase && c <= 'Z'; c++)
		if (set_has(set, fold((uint8_t)c)))
			set_add(set, (uint8_t)c);
	for (unsigned k = 0; k < 4; k++)
		set[k] = negate ? ~(set[k] | classes[k]) : set[k] | classes[k];
	*never = bad;
	return i + 1 - start;
}

/* The item at s[i]; returns where the next one begins. set: room for a bracket expression. */
static uint32_t parse_item(const char *s, uint32_t i, uint32_t len, bool icase, struct item *it,
			   uint64_t set[4])
{
	bool never = false;
	uint32_t used;

	*it = (struct item){s[i] == '*' ? G_STAR : s[i] == '?' ? G_ANY : G_CHAR, 0, set};
	if (s[i] == '[') {
		memset(set, 0, 4 * sizeof(*set));
		used = bracket(s, i, len, icase, set, &never);
		if (never) /* an unknown class fits nothing */
			memset(set, 0, 4 * sizeof(*set));
		if (used) {
			it->kind = G_SET;
			return i + used;
		}
	}
	if (s[i] == '\\') {
		if (++i == len) { /* nothing to escape: fits nothing, as fnmatch has it */
			it->kind = G_SET;
			memset(set, 0, 4 * sizeof(*set));
			return i;
		}
	}
	it->c = icase ? fold((uint8_t)s[i]) : (uint8_t)s[i];
	return i + 1;
}

int fglob_new(struct filter *f, struct fglob **out, const char *s, uint32_t len, bool icase)
{
	struct fglob *g = filter_alloc(f, sizeof(*g));
	uint64_t set[4], *kept;

	if (!g || !(g->item = filter_alloc(f, sizeof(struct item) * (len + 1))))
		return -ENOMEM;
	g->icase = icase;
	for (uint32_t i = 0; i < len;) {
		struct item *it = &g->item[g->n++];

		i = parse_item(s, i, len, icase, it, set);
		if (it->kind == G_STAR && g->n > 1 && it[-1].kind == G_STAR)
			g->n--; /* ** is * */
		if (it->kind != G_SET)
			continue;
		kept = filter_alloc(f, sizeof(set));
		if (!kept)
			return -ENOMEM;
		it->set = memcpy(kept, set, sizeof(set));
	}
	*out = g;
	return 0;
}

static ALWAYS_INLINE bool item_fits(const struct item *it, uint8_t c, bool icase)
{
	switch (it->kind) {
	case G_CHAR:
		return (icase ? fold(c) : c) == it->c;
	case G_ANY:
		return true;
	default:
		return it->kind == G_SET && set_has(it->set, c);
	}
}

bool fglob_match(const struct fglob *g, const char *s, uint32_t len)
{
	uint32_t i = 0, k = 0, star = UINT32_MAX, mark = 0;

	while (i < len) {
		if (k < g->n && g->item[k].kind == G_STAR) {
			star = k++;
			mark = i;
		} else if (k < g->n && item_fits(&g->item[k], (uint8_t)s[i], g->icase)) {
			i++;
			k++;
		} else if (star != UINT32_MAX) {
			k = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (k < g->n && g->item[k].kind == G_STAR)
		k++;
	return k == g->n;
}

/* The same walk, with items read from the pattern as they come. */
bool glob_match_text(const char *pat, uint32_t plen, bool icase, const char *s, uint32_t len)
{
	uint32_t i = 0, k = 0, star = UINT32_MAX, mark = 0, next = 0;
	uint64_t set[4];
	struct item it;

	while (i < len) {
		if (k < plen)
			next = parse_item(pat, k, plen, icase, &it, set);
		if (k < plen && it.kind == G_STAR) {
			star = k = next;
			mark = i;
		} else if (k < plen && item_fits(&it, (uint8_t)s[i], icase)) {
			i++;
			k = next;
		} else if (star != UINT32_MAX) {
			k = star;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (k < plen && pat[k] == '*')
		k++;
	return k == plen;
}
