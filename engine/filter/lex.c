/* Words and literals of filter texts. */
#include "filter/parse_int.h"

#include <stdarg.h>
#include <stdio.h>

void *lex_fail(struct parser *p, uint32_t pos, const char *fmt, ...)
{
	char msg[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (!p->rc)
		p->rc = err_set(p->e, ERR_SYNTAX, pos, "%s", msg);
	return NULL;
}

void *lex_nomem(struct parser *p)
{
	if (!p->rc)
		p->rc = filter_nomem(p->e);
	return NULL;
}

/* ---- characters and words -------------------------------------------------------------------- */

/* What stands at pos, for messages: up to the next blank, 40 bytes at most. */
const char *lex_here(const struct parser *p, uint32_t pos, char out[64])
{
	uint32_t n = 0;

	if (pos >= p->len)
		return strcpy(out, "end");
	while (pos + n < p->len && n < 40 && !is_blank(p->s[pos + n]))
		n++;
	snprintf(out, 64, "'%.*s'", (int)n, p->s + pos);
	return out;
}

struct fexpr *lex_expr(struct parser *p, unsigned kind, uint32_t pos)
{
	struct fexpr *x = filter_alloc(p->f, sizeof(*x));

	if (!x)
		return lex_nomem(p);
	x->kind = (uint8_t)kind;
	x->span.pos = pos;
	return x;
}

struct fexpr *lex_end(struct parser *p, struct fexpr *x)
{
	x->span.len = p->at - x->span.pos;
	return x;
}

/* Appends to a growing pointer array in the arena. */
bool lex_push(struct parser *p, void ***v, uint32_t *n, void *item)
{
	if ((*n & (*n - 1)) == 0) {
		void **w = filter_alloc(p->f, sizeof(void *) * (*n ? *n * 2 : 1));

		if (!w)
			return lex_nomem(p);
		if (*n)
			memcpy(w, *v, sizeof(void *) * *n);
		*v = w;
	}
	(*v)[(*n)++] = item;
	return true;
}

/* ---- literals -------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_escape(const char *s, uint32_t left, char *out)
{
	if (left < 4 || s[1] != 'x' || hex_digit(s[2]) < 0 || hex_digit(s[3]) < 0)
		return false;
	*out = (char)(hex_digit(s[2]) * 16 + hex_digit(s[3]));
	return true;
}

/* One escape pair inside quotes q at s (left bytes to the end of the text inside). Returns bytes
 * used, 0 for an unknown escape. */
static unsigned unescape(const char *s, uint32_t left, char q, char *out)
{
	static const char from[] = "bfnrt\\/", to[] = "\b\f\n\r\t\\/";
	const char *at;

	if (left < 2)
		return 0;
	if (s[1] == q || s[1] == ' ') { /* the newest grammar loses the blank */
		*out = s[1] == q ? q : '\\';
		return 2;
	}
	if (s[1] == 'x')
		return hex_escape(s, left, out) ? 4 : 0;
	at = s[1] ? strchr(from, s[1]) : NULL;
	if (!at)
		return 0;
	*out = to[at - from];
	return 2;
}

/* The quote that closes is the first one not behind a backslash: "a\\" does not close at its end.
 */
struct fexpr *lex_quoted(struct parser *p)
{
	uint32_t start = p->at, end = start + 1, n = 0, i;
	char q = p->s[start];
	struct fexpr *x = lex_expr(p, FX_TEXT, start);
	char *out;

	while (end < p->len && (p->s[end] != q || p->s[end - 1] == '\\'))
		end++;
	if (end >= p->len)
		return lex_fail(p, start, "the text opened by %c does not end: expected another %c",
				q, q);
	out = filter_alloc(p->f, end - start);
	if (!x || !out)
		return lex_nomem(p);
	for (i = start + 1; i < end;) {
		unsigned used = 1;

		if (p->s[i] != '\\')
			out[n] = p->s[i];
		else if (!(used = unescape(p->s + i, end - i, q, out + n)))
			return lex_fail(
				p, i,
				"unknown escape '\\%.*s': expected one of \\\\ \\%c \\b \\f "
				"\\n \\r \\t \\/ "
				"\\xHH",
				i + 1 < end, p->s + i + 1, q);
		n++;
		i += used;
	}
	p->at = end + 1;
	x->s = out;
	x->len = n;
	x->quoted = true;
	return lex_end(p, x);
}

/* A bare word up to a blank or parenthesis (in lists also a comma). The older grammar's escapes
 * hold in it: \\ \" \xHH; any other backslash stands for itself. */
struct fexpr *lex_bare(struct parser *p, bool in_list)
{
	uint32_t start = p->at, end = start, n = 0, i;
	struct fexpr *x = lex_expr(p, FX_TEXT, start);
	char *out;

	while (end < p->len && !is_blank(p->s[end]) && p->s[end] != '(' && p->s[end] != ')' &&
	       !(in_list && p->s[end] == ','))
		end++;
	out = filter_alloc(p->f, end - start + 1);
	if (!x || !out)
		return lex_nomem(p);
	for (i = start; i < end; n++) {
		char next = i + 1 < end ? p->s[i + 1] : '\0';

		out[n] = p->s[i];
		if (p->s[i] != '\\' || !next) {
			i++;
		} else if (next == '\\' || next == '"') {
			out[n] = next;
			i += 2;
		} else {
			i += hex_escape(p->s + i, end - i, out + n) ? 4 : 1;
		}
	}
	p->at = end;
	x->s = out;
	x->len = n;
	return lex_end(p, x);
}

/* ( v1, v2 ): bare or quoted values, empty ones between commas; () is the empty list. */
struct fexpr *lex_list(struct parser *p)
{
	uint32_t open = p->at++;
	struct fexpr *x = lex_expr(p, FX_LIST, open), *v;
	char w[64];

	if (!x)
		return NULL;
	x->is_list = true;
	lex_skip(p);
	if (lex_peek(p) == ')')
		return p->at++, lex_end(p, x);
	for (;;) {
		v = lex_peek(p) == '"' || lex_peek(p) == '\'' ? lex_quoted(p) : lex_bare(p, true);
		if (!v || !lex_push(p, (void ***)&x->arg, &x->narg, v))
			return NULL;
		lex_skip(p);
		if (lex_at_end(p))
			return lex_fail(
				p, open,
				"the list does not end: expected ',' or ')' before the end");
		if (lex_peek(p) == ')')
			break;
		if (lex_peek(p) != ',')
			return lex_fail(p, p->at, "unexpected %s in a list: expected ',' or ')'",
					lex_here(p, p->at, w));
		p->at++;
		lex_skip(p);
	}
	p->at++;
	return lex_end(p, x);
}
