/* Filter text to syntax tree. Both of sysdig's grammars meet here; where they clash:
 * facts/operators.md and decision 5. Names are not looked up yet, except those of operators and
 * transformers. */
#include "filter/filter_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const char *const filter_op_name[FO_COUNT] = {
	[FO_EQ] = "=",
	[FO_NE] = "!=",
	[FO_LT] = "<",
	[FO_LE] = "<=",
	[FO_GT] = ">",
	[FO_GE] = ">=",
	[FO_CONTAINS] = "contains",
	[FO_ICONTAINS] = "icontains",
	[FO_BCONTAINS] = "bcontains",
	[FO_STARTSWITH] = "startswith",
	[FO_BSTARTSWITH] = "bstartswith",
	[FO_ENDSWITH] = "endswith",
	[FO_GLOB] = "glob",
	[FO_IGLOB] = "iglob",
	[FO_REGEX] = "regex",
	[FO_PMATCH] = "pmatch",
	[FO_IN] = "in",
	[FO_INTERSECTS] = "intersects",
	[FO_EXISTS] = "exists",
};

const struct filter_func_info filter_func_table[FF_FUNC_COUNT] = {
#define FUNC(name, lo, hi, lit, doc) {#name, lo, hi, lit, doc},
#include "filter/filter_funcs.def"
#undef FUNC
};

struct parser {
	struct filter *f;
	const char *s;
	uint32_t at, len;
	unsigned depth;
	int rc; /* first failure */
	struct err *e;
};

static void *fail(struct parser *p, uint32_t pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void *fail(struct parser *p, uint32_t pos, const char *fmt, ...)
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

static void *nomem(struct parser *p)
{
	if (!p->rc)
		p->rc = filter_nomem(p->e);
	return NULL;
}

/* ---- characters and words
 * -------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\b';
}
static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_ident(char c)
{
	return is_alpha(c) || (c >= '0' && c <= '9') || c == '_';
}

static void skip(struct parser *p)
{
	while (p->at < p->len && is_blank(p->s[p->at]))
		p->at++;
}

static bool at_end(const struct parser *p)
{
	return p->at >= p->len;
}
static char peek(const struct parser *p)
{
	return at_end(p) ? '\0' : p->s[p->at];
}
static bool has(const struct parser *p, const char *word)
{
	size_t n = strlen(word);

	return p->len - p->at >= n && !memcmp(p->s + p->at, word, n);
}

/* What stands at pos, for messages: up to the next blank, 40 bytes at most. */
static const char *here(const struct parser *p, uint32_t pos, char out[64])
{
	uint32_t n = 0;

	if (pos >= p->len)
		return strcpy(out, "the end");
	while (pos + n < p->len && n < 40 && !is_blank(p->s[pos + n]))
		n++;
	snprintf(out, 64, "'%.*s'", (int)n, p->s + pos);
	return out;
}

static struct fexpr *new_expr(struct parser *p, unsigned kind, uint32_t pos)
{
	struct fexpr *x = filter_alloc(p->f, sizeof(*x));

	if (!x)
		return nomem(p);
	x->kind = (uint8_t)kind;
	x->span.pos = pos;
	return x;
}

static struct fexpr *end_expr(struct parser *p, struct fexpr *x)
{
	x->span.len = p->at - x->span.pos;
	return x;
}

/* Appends to a growing pointer array in the arena. */
static bool push(struct parser *p, void ***v, uint32_t *n, void *item)
{
	if ((*n & (*n - 1)) == 0) {
		void **w = filter_alloc(p->f, sizeof(void *) * (*n ? *n * 2 : 1));

		if (!w)
			return nomem(p);
		if (*n)
			memcpy(w, *v, sizeof(void *) * *n);
		*v = w;
	}
	(*v)[(*n)++] = item;
	return true;
}

/* ---- literals
 * ------------------------------------------------------------------------------------------- */

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
static struct fexpr *parse_quoted(struct parser *p)
{
	uint32_t start = p->at, end = start + 1, n = 0, i;
	char q = p->s[start];
	struct fexpr *x = new_expr(p, FX_TEXT, start);
	char *out;

	while (end < p->len && (p->s[end] != q || p->s[end - 1] == '\\'))
		end++;
	if (end >= p->len)
		return fail(p, start, "the text opened by %c does not end: expected another %c", q,
			    q);
	out = filter_alloc(p->f, end - start);
	if (!x || !out)
		return nomem(p);
	for (i = start + 1; i < end;) {
		unsigned used = 1;

		if (p->s[i] != '\\')
			out[n] = p->s[i];
		else if (!(used = unescape(p->s + i, end - i, q, out + n)))
			return fail(p, i,
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
	return end_expr(p, x);
}

/* A bare word up to a blank or parenthesis (in lists also a comma). The older grammar's escapes
 * hold in it: \\ \" \xHH; any other backslash stands for itself. */
static struct fexpr *parse_bare(struct parser *p, bool in_list)
{
	uint32_t start = p->at, end = start, n = 0, i;
	struct fexpr *x = new_expr(p, FX_TEXT, start);
	char *out;

	while (end < p->len && !is_blank(p->s[end]) && p->s[end] != '(' && p->s[end] != ')' &&
	       !(in_list && p->s[end] == ','))
		end++;
	out = filter_alloc(p->f, end - start + 1);
	if (!x || !out)
		return nomem(p);
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
	return end_expr(p, x);
}

/* ( v1, v2 ): bare or quoted values, empty ones between commas; () is the empty list. */
static struct fexpr *parse_list(struct parser *p)
{
	uint32_t open = p->at++;
	struct fexpr *x = new_expr(p, FX_LIST, open), *v;
	char w[64];

	if (!x)
		return NULL;
	x->is_list = true;
	skip(p);
	if (peek(p) == ')')
		return p->at++, end_expr(p, x);
	for (;;) {
		v = peek(p) == '"' || peek(p) == '\'' ? parse_quoted(p) : parse_bare(p, true);
		if (!v || !push(p, (void ***)&x->arg, &x->narg, v))
			return NULL;
		skip(p);
		if (at_end(p))
			return fail(p, open,
				    "the list does not end: expected ',' or ')' before the end");
		if (peek(p) == ')')
			break;
		if (peek(p) != ',')
			return fail(p, p->at, "unexpected %s in a list: expected ',' or ')'",
				    here(p, p->at, w));
		p->at++;
		skip(p);
	}
	p->at++;
	return end_expr(p, x);
}

/* ---- fields and transformers
 * ------------------------------------------------------------------------- */

/* Transformer whose name stands at p->at, followed by '('; -1 = none. */
static int func_here(const struct parser *p)
{
	for (unsigned i = 0; i < FF_FUNC_COUNT; i++) {
		uint32_t k = p->at + (uint32_t)strlen(filter_func_table[i].name);

		if (!has(p, filter_func_table[i].name))
			continue;
		while (k < p->len && is_blank(p->s[k]))
			k++;
		if (k < p->len && p->s[k] == '(')
			return (int)i;
	}
	return -1;
}

/* Behind the ] of the argument that opens at p->at; a quoted one may hold brackets. 0 = it does not
 * end. */
static uint32_t argument_end(const struct parser *p)
{
	uint32_t i = p->at + 1;
	char q = i < p->len && (p->s[i] == '"' || p->s[i] == '\'') ? p->s[i] : '\0';

	if (q)
		for (i++; i < p->len && p->s[i] != q; i++)
			;
	while (i < p->len && p->s[i] != ']')
		i++;
	return i < p->len ? i + 1 : 0;
}

/* A field name with its argument, taken by its characters; check.c looks it up. */
static struct fexpr *parse_field(struct parser *p)
{
	uint32_t start = p->at;
	struct fexpr *x = new_expr(p, FX_FIELD, start);
	char w[64];

	if (!x)
		return NULL;
	if (!is_alpha(peek(p)))
		return fail(p, start, "unexpected %s: expected a field such as proc.name",
			    here(p, start, w));
	while (p->at < p->len && (is_ident(p->s[p->at]) || strchr(".-/", p->s[p->at])))
		p->at++;
	if (peek(p) == '[') {
		uint32_t end = argument_end(p);

		if (!end)
			return fail(p, p->at, "the argument of %.*s does not end: expected ']'",
				    (int)MIN(p->at - start, 60), p->s + start);
		p->at = end;
	}
	return end_expr(p, x);
}

static struct fexpr *parse_call(struct parser *p, unsigned func);

static struct fexpr *parse_arg(struct parser *p, const struct filter_func_info *fi)
{
	int func = func_here(p);
	char c = peek(p), w[64];
	bool literal = c == '"' || c == '\'' || c == '(' || c == '-' || (c >= '0' && c <= '9');

	if (func >= 0)
		return parse_call(p, (unsigned)func);
	if (literal && !fi->literals)
		return fail(p, p->at,
			    "unexpected %s: %s() takes a field or a transformer, no literal",
			    here(p, p->at, w), fi->name);
	if (c == '(')
		return parse_list(p);
	if (literal)
		return c == '"' || c == '\'' ? parse_quoted(p) : parse_bare(p, true);
	return parse_field(p);
}

/* getopt(...)[x]: the letter in brackets. */
static bool parse_option(struct parser *p, struct fexpr *x)
{
	char *s;

	if (p->len - p->at < 3 || p->s[p->at + 2] != ']' || is_blank(p->s[p->at + 1]))
		return fail(p, p->at,
			    "expected one option letter in brackets, as in getopt(...)[x]");
	s = filter_alloc(p->f, 2);
	if (!s)
		return nomem(p);
	s[0] = p->s[p->at + 1];
	x->s = s;
	p->at += 3;
	return true;
}

static struct fexpr *parse_call(struct parser *p, unsigned func)
{
	const struct filter_func_info *fi = &filter_func_table[func];
	struct fexpr *x = new_expr(p, FX_CALL, p->at), *a;
	char w[64];

	if (!x)
		return NULL;
	if (++p->depth > FILTER_MAX_DEPTH)
		return fail(p, p->at, "transformers and parentheses are nested more than %d deep",
			    FILTER_MAX_DEPTH);
	x->func = (uint8_t)func;
	p->at += (uint32_t)strlen(fi->name);
	skip(p);
	p->at++; /* the parenthesis: func_here saw it */
	skip(p);
	while (peek(p) != ')') {
		a = parse_arg(p, fi);
		if (!a || !push(p, (void ***)&x->arg, &x->narg, a))
			return NULL;
		skip(p);
		if (peek(p) == ')')
			break;
		if (peek(p) != ',')
			return fail(p, p->at,
				    "unexpected %s in the arguments of %s(): expected ',' or ')'",
				    here(p, p->at, w), fi->name);
		p->at++;
		skip(p);
		if (peek(p) == ')')
			return fail(
				p, p->at,
				"unexpected ')' behind a comma: expected another argument of %s()",
				fi->name);
	}
	p->at++;
	p->depth--;
	if (x->narg < fi->min_args || x->narg > fi->max_args)
		return fail(p, x->span.pos, "%s() has %u arguments: expected %u%s", fi->name,
			    x->narg, fi->min_args, fi->max_args > fi->min_args ? " or more" : "");
	if (func == FF_getopt && peek(p) == '[' && !parse_option(p, x))
		return NULL;
	return end_expr(p, x);
}

/* ---- checks
 * --------------------------------------------------------------------------------------------- */

/* Longest operator at p->at; words need no blank behind them (older grammar). -1 = none. */
static int op_here(const struct parser *p)
{
	int best = -1;
	size_t best_len = 0;

	for (int i = 0; i < FO_COUNT; i++) {
		size_t n = strlen(filter_op_name[i]);

		if (n > best_len && has(p, filter_op_name[i])) {
			best = i;
			best_len = n;
		}
	}
	return best;
}

static bool op_takes_list(int op)
{
	return op == FO_IN || op == FO_INTERSECTS || op == FO_PMATCH;
}
static bool op_takes_mod(int op)
{
	return op >= FO_CONTAINS && op <= FO_REGEX;
}

static void *bad_operator(struct parser *p, const struct fexpr *lhs)
{
	struct filter_nearest n;
	uint32_t len = 0;
	char w[64];
	const char *after = p->s + lhs->span.pos;
	int shown = (int)MIN(lhs->span.len, 60);

	if (lhs->kind == FX_FIELD && !memchr(after, '.', lhs->span.len))
		return fail(p, lhs->span.pos,
			    "unknown field '%.*s': expected a check such as proc.name=cat", shown,
			    after);
	while (p->at + len < p->len && is_alpha(p->s[p->at + len]))
		len++;
	filter_nearest_init(&n, p->s + p->at, len);
	for (unsigned i = FO_CONTAINS; len && i < FO_COUNT; i++)
		filter_nearest_try(&n, filter_op_name[i]);
	if (n.best)
		return fail(p, p->at, "unknown operator %s after %.*s: the nearest is '%s'",
			    here(p, p->at, w), shown, after, n.best);
	return fail(
		p, p->at,
		"unexpected %s after %.*s: expected an operator such as =, contains, in or exists",
		here(p, p->at, w), shown, after);
}

/* oneof, anyof, allof are modifiers only when a list or a transformer follows; otherwise a value.
 */
static unsigned parse_mod(struct parser *p)
{
	static const char *const names[] = {
		[FM_ONEOF] = "oneof", [FM_ANYOF] = "anyof", [FM_ALLOF] = "allof"};
	uint32_t before = p->at;

	for (unsigned m = FM_ONEOF; m <= FM_ALLOF; m++) {
		if (!has(p, names[m]))
			continue;
		p->at += 5;
		skip(p);
		if (peek(p) == '(')
			return m;
		p->at = before;
	}
	return FM_NONE;
}

static struct fexpr *parse_value(struct parser *p, int op, bool blank_before)
{
	int func;
	char w[64];

	if (peek(p) == '"' || peek(p) == '\'')
		return parse_quoted(p);
	if (peek(p) == '(')
		return fail(p, p->at,
			    "unexpected '(' after '%s': expected one value (lists go with in, "
			    "intersects, pmatch)",
			    filter_op_name[op]);
	if (peek(p) == '=' && !blank_before)
		return fail(p, p->at,
			    "unexpected %s directly after '%s': expected a value (quote it if it "
			    "begins with '=')",
			    here(p, p->at, w), filter_op_name[op]);
	func = func_here(p);
	return func >= 0 ? parse_call(p, (unsigned)func) : parse_bare(p, false);
}

static struct fexpr *parse_rhs(struct parser *p, struct fnode *n)
{
	uint32_t before = p->at;
	bool blank;
	int func;
	char w[64];

	skip(p);
	blank = p->at > before;
	if (op_takes_mod(n->fop))
		n->mod = (uint8_t)parse_mod(p);
	if (n->mod)
		return parse_list(p);
	if (!op_takes_list(n->fop))
		return parse_value(p, n->fop, blank);
	if (peek(p) == '(')
		return parse_list(p);
	func = func_here(p);
	if (func >= 0)
		return parse_call(p, (unsigned)func);
	return fail(p, p->at, "unexpected %s after '%s': expected '(' and a list",
		    here(p, p->at, w), filter_op_name[n->fop]);
}

static struct fnode *new_node(struct parser *p, unsigned kind, uint32_t pos)
{
	struct fnode *n = filter_alloc(p->f, sizeof(*n));

	if (!n)
		return nomem(p);
	n->kind = (uint8_t)kind;
	n->span.pos = pos;
	return n;
}

static struct fnode *parse_check(struct parser *p)
{
	struct fnode *n = new_node(p, FN_TEST, p->at);
	int func = func_here(p), op;

	if (!n)
		return NULL;
	n->lhs = func >= 0 ? parse_call(p, (unsigned)func) : parse_field(p);
	if (!n->lhs)
		return NULL;
	skip(p);
	op = op_here(p);
	if (op < 0)
		return bad_operator(p, n->lhs);
	n->fop = (uint8_t)op;
	p->at += (uint32_t)strlen(filter_op_name[op]);
	if (op != FO_EXISTS && !(n->rhs = parse_rhs(p, n)))
		return NULL;
	n->span.len = p->at - n->span.pos;
	return n;
}

/* ---- boolean structure
 * ------------------------------------------------------------------------------- */

static struct fnode *parse_or(struct parser *p);

static struct fnode *parse_group(struct parser *p)
{
	uint32_t open = p->at++;
	struct fnode *n;
	char w[64];

	if (++p->depth > FILTER_MAX_DEPTH)
		return fail(p, open, "parentheses are nested more than %d deep", FILTER_MAX_DEPTH);
	n = parse_or(p);
	if (!n)
		return NULL;
	skip(p);
	if (at_end(p))
		return fail(p, open, "the parenthesis is not closed: expected ')' before the end");
	if (peek(p) != ')')
		return fail(p, p->at, "unexpected %s: expected 'and', 'or' or ')'",
			    here(p, p->at, w));
	p->at++;
	p->depth--;
	return n;
}

/* not not X is X. No field begins with n, so "not" needs no blank behind it. */
static struct fnode *parse_unary(struct parser *p)
{
	struct fnode *n, *k;
	uint32_t start;
	bool negate = false;

	skip(p);
	start = p->at;
	while (has(p, "not")) {
		negate = !negate;
		p->at += 3;
		skip(p);
	}
	if (at_end(p))
		return fail(p, p->at,
			    "the filter ends too early: expected a check such as proc.name=cat");
	k = peek(p) == '(' ? parse_group(p) : parse_check(p);
	if (!k || !negate)
		return k;
	n = new_node(p, FN_NOT, start);
	if (!n || !push(p, (void ***)&n->kid, &n->nkid, k))
		return NULL;
	n->span.len = p->at - start;
	return n;
}

/* kids joined by word; a single one stands for itself. */
static struct fnode *parse_chain(struct parser *p, unsigned kind, const char *word,
				 struct fnode *(*next)(struct parser *))
{
	struct fnode *first, *n = NULL, *k;

	skip(p);
	first = next(p);
	if (!first)
		return NULL;
	for (skip(p); has(p, word); skip(p)) {
		if (!n && (!(n = new_node(p, kind, first->span.pos)) ||
			   !push(p, (void ***)&n->kid, &n->nkid, first)))
			return NULL;
		p->at += (uint32_t)strlen(word);
		k = next(p);
		if (!k || !push(p, (void ***)&n->kid, &n->nkid, k))
			return NULL;
		n->span.len = p->at - n->span.pos;
	}
	return n ? n : first;
}

static struct fnode *parse_and(struct parser *p)
{
	return parse_chain(p, FN_AND, "and", parse_unary);
}
static struct fnode *parse_or(struct parser *p)
{
	return parse_chain(p, FN_OR, "or", parse_and);
}

static void trailing(struct parser *p)
{
	char w[64];

	if (has(p, "&&") || has(p, "||"))
		fail(p, p->at, "unexpected '%.2s': expected '%s'", p->s + p->at,
		     peek(p) == '&' ? "and" : "or");
	else if (peek(p) == ')')
		fail(p, p->at,
		     "unexpected ')': no parenthesis is open; expected 'and', 'or' or the end");
	else
		fail(p, p->at, "unexpected %s: expected 'and', 'or' or the end", here(p, p->at, w));
}

int filter_parse(struct filter *f, struct err *e)
{
	struct parser p = {.f = f, .s = f->text, .len = f->len, .e = e};

	skip(&p);
	if (at_end(&p))
		return err_set(e, ERR_SYNTAX, 0,
			       "the filter is empty: expected a check such as proc.name=cat");
	f->root = parse_or(&p);
	skip(&p);
	if (f->root && !at_end(&p))
		trailing(&p);
	return p.rc;
}
