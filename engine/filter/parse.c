/* Filter text to syntax tree. Both of sysdig's grammars meet here; where they clash:
 * facts/operators.md and decision 5. Names are not looked up yet, except those of operators and
 * transformers. */
#include "filter/parse_int.h"

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

/* ---- fields and transformers ----------------------------------------------------------------- */

/* Transformer whose name stands at p->at, followed by '('; -1 = none. */
static int func_here(const struct parser *p)
{
	for (unsigned i = 0; i < FF_FUNC_COUNT; i++) {
		uint32_t k = p->at + (uint32_t)strlen(filter_func_table[i].name);

		if (!lex_has(p, filter_func_table[i].name))
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
	struct fexpr *x = lex_expr(p, FX_FIELD, start);
	char w[64];

	if (!x)
		return NULL;
	if (!is_alpha(lex_peek(p)))
		return lex_fail(p, start, "unexpected %s: expected %sa field such as proc.name",
				lex_here(p, start, w), lex_peek(p) == '!' ? "'not' or " : "");
	while (p->at < p->len && (is_ident(p->s[p->at]) || strchr(".-/", p->s[p->at])))
		p->at++;
	if (lex_peek(p) == '[') {
		uint32_t end = argument_end(p);

		if (!end)
			return lex_fail(p, p->at, "the argument of %.*s does not end: expected ']'",
					(int)MIN(p->at - start, 60), p->s + start);
		p->at = end;
	}
	return lex_end(p, x);
}

static struct fexpr *parse_call(struct parser *p, unsigned func);

static struct fexpr *parse_arg(struct parser *p, const struct filter_func_info *fi)
{
	int func = func_here(p);
	char c = lex_peek(p), w[64];
	bool literal = c == '"' || c == '\'' || c == '(' || c == '-' || (c >= '0' && c <= '9');

	if (func >= 0)
		return parse_call(p, (unsigned)func);
	if (literal && !fi->literals)
		return lex_fail(p, p->at,
				"unexpected %s: %s() takes a field or a transformer, no literal",
				lex_here(p, p->at, w), fi->name);
	if (c == '(')
		return lex_list(p);
	if (literal)
		return c == '"' || c == '\'' ? lex_quoted(p) : lex_bare(p, true);
	return parse_field(p);
}

/* getopt(...)[x]: the letter in brackets. */
static bool parse_option(struct parser *p, struct fexpr *x)
{
	char *s;

	if (p->len - p->at < 3 || p->s[p->at + 2] != ']' || is_blank(p->s[p->at + 1]))
		return lex_fail(p, p->at,
				"expected one option letter in brackets, as in getopt(...)[x]");
	s = filter_alloc(p->f, 2);
	if (!s)
		return lex_nomem(p);
	s[0] = p->s[p->at + 1];
	x->s = s;
	p->at += 3;
	return true;
}

static struct fexpr *parse_call(struct parser *p, unsigned func)
{
	const struct filter_func_info *fi = &filter_func_table[func];
	struct fexpr *x = lex_expr(p, FX_CALL, p->at), *a;
	char w[64];

	if (!x)
		return NULL;
	if (++p->depth > FILTER_MAX_DEPTH)
		return lex_fail(p, p->at,
				"transformers and parentheses are nested more than %d deep",
				FILTER_MAX_DEPTH);
	x->func = (uint8_t)func;
	p->at += (uint32_t)strlen(fi->name);
	lex_skip(p);
	p->at++; /* the parenthesis: func_here saw it */
	lex_skip(p);
	while (lex_peek(p) != ')') {
		a = parse_arg(p, fi);
		if (!a || !lex_push(p, (void ***)&x->arg, &x->narg, a))
			return NULL;
		lex_skip(p);
		if (lex_peek(p) == ')')
			break;
		if (lex_peek(p) != ',')
			return lex_fail(
				p, p->at,
				"unexpected %s in the arguments of %s(): expected ',' or ')'",
				lex_here(p, p->at, w), fi->name);
		p->at++;
		lex_skip(p);
		if (lex_peek(p) == ')')
			return lex_fail(
				p, p->at,
				"unexpected ')' behind a comma: expected another argument of %s()",
				fi->name);
	}
	p->at++;
	p->depth--;
	if (x->narg < fi->min_args || x->narg > fi->max_args)
		return lex_fail(p, x->span.pos, "%s() has %u arguments: expected %u%s", fi->name,
				x->narg, fi->min_args,
				fi->max_args > fi->min_args ? " or more" : "");
	if (func == FF_getopt && lex_peek(p) == '[' && !parse_option(p, x))
		return NULL;
	return lex_end(p, x);
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* Takes the longest operator at p->at; words need no blank behind them (older grammar). -1 = none.
 */
static int take_op(struct parser *p)
{
	int best = -1;
	size_t best_len = 0;

	for (int i = 0; i < FO_COUNT; i++) {
		size_t n = strlen(filter_op_name[i]);

		if (n > best_len && lex_has(p, filter_op_name[i])) {
			best = i;
			best_len = n;
		}
	}
	p->at += (uint32_t)best_len;
	p->at += best == FO_EQ && lex_peek(p) == '='; /* == is = */
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
		return lex_fail(p, lhs->span.pos,
				"unknown field '%.*s': expected a check such as proc.name=cat",
				shown, after);
	while (p->at + len < p->len && is_alpha(p->s[p->at + len]))
		len++;
	filter_nearest_init(&n, p->s + p->at, len);
	for (unsigned i = FO_CONTAINS; len && i < FO_COUNT; i++)
		filter_nearest_try(&n, filter_op_name[i]);
	if (n.best)
		return lex_fail(p, p->at, "unknown operator %s after %.*s, did you mean '%s'?",
				lex_here(p, p->at, w), shown, after, n.best);
	return lex_fail(
		p, p->at,
		"unexpected %s after %.*s: expected an operator such as =, contains, in or exists",
		lex_here(p, p->at, w), shown, after);
}

/* oneof, anyof, allof are modifiers only when a list or a transformer follows; otherwise a value.
 */
static unsigned parse_mod(struct parser *p)
{
	static const char *const names[] = {
		[FM_ONEOF] = "oneof", [FM_ANYOF] = "anyof", [FM_ALLOF] = "allof"};
	uint32_t before = p->at;

	for (unsigned m = FM_ONEOF; m <= FM_ALLOF; m++) {
		if (!lex_has(p, names[m]))
			continue;
		p->at += 5;
		lex_skip(p);
		if (lex_peek(p) == '(')
			return m;
		p->at = before;
	}
	return FM_NONE;
}

static struct fexpr *parse_value(struct parser *p, int op, bool blank_before)
{
	int func;
	char w[64];

	if (lex_peek(p) == '"' || lex_peek(p) == '\'')
		return lex_quoted(p);
	if (lex_peek(p) == '(')
		return lex_fail(p, p->at,
				"unexpected '(' after '%s': expected one value (lists go with in, "
				"intersects, pmatch)",
				filter_op_name[op]);
	if (lex_peek(p) == '=' && !blank_before)
		return lex_fail(
			p, p->at,
			"unexpected %s directly after '%s': expected a value (quote it if it "
			"begins with '=')",
			lex_here(p, p->at, w), filter_op_name[op]);
	func = func_here(p);
	return func >= 0 ? parse_call(p, (unsigned)func) : lex_bare(p, false);
}

static struct fexpr *parse_rhs(struct parser *p, struct fnode *n)
{
	uint32_t before = p->at;
	bool blank;
	int func;
	char w[64];

	lex_skip(p);
	blank = p->at > before;
	if (op_takes_mod(n->fop))
		n->mod = (uint8_t)parse_mod(p);
	if (n->mod)
		return lex_list(p);
	if (!op_takes_list(n->fop))
		return parse_value(p, n->fop, blank);
	if (lex_peek(p) == '(')
		return lex_list(p);
	func = func_here(p);
	if (func >= 0)
		return parse_call(p, (unsigned)func);
	return lex_fail(p, p->at, "unexpected %s after '%s': expected '(' and a list",
			lex_here(p, p->at, w), filter_op_name[n->fop]);
}

static struct fnode *new_node(struct parser *p, unsigned kind, uint32_t pos)
{
	struct fnode *n = filter_alloc(p->f, sizeof(*n));

	if (!n)
		return lex_nomem(p);
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
	if (++p->f->ntests > FILTER_MAX_TESTS)
		return lex_fail(p, n->span.pos, "the filter has more than %d checks",
				FILTER_MAX_TESTS);
	lex_skip(p);
	n->op_pos = p->at;
	op = take_op(p);
	if (op < 0)
		return bad_operator(p, n->lhs);
	n->fop = (uint8_t)op;
	if (op != FO_EXISTS && !(n->rhs = parse_rhs(p, n)))
		return NULL;
	n->span.len = p->at - n->span.pos;
	return n;
}

/* ---- boolean structure ----------------------------------------------------------------------- */

static struct fnode *parse_or(struct parser *p);

static struct fnode *parse_group(struct parser *p)
{
	uint32_t open = p->at++;
	struct fnode *n;
	char w[64];

	if (++p->depth > FILTER_MAX_DEPTH)
		return lex_fail(p, open, "parentheses are nested more than %d deep",
				FILTER_MAX_DEPTH);
	n = parse_or(p);
	if (!n)
		return NULL;
	lex_skip(p);
	if (lex_at_end(p))
		return lex_fail(p, open,
				"the parenthesis is not closed: expected ')' before the end");
	if (lex_peek(p) != ')')
		return lex_fail(p, p->at, "unexpected %s: expected 'and', 'or' or ')'",
				lex_here(p, p->at, w));
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

	lex_skip(p);
	start = p->at;
	while (lex_has(p, "not")) {
		negate = !negate;
		p->at += 3;
		lex_skip(p);
	}
	if (lex_at_end(p))
		return lex_fail(
			p, p->at,
			"the filter ends too early: expected a check such as proc.name=cat");
	k = lex_peek(p) == '(' ? parse_group(p) : parse_check(p);
	if (!k || !negate)
		return k;
	n = new_node(p, FN_NOT, start);
	if (!n || !lex_push(p, (void ***)&n->kid, &n->nkid, k))
		return NULL;
	n->span.len = p->at - start;
	return n;
}

/* kids joined by word; a single one stands for itself. */
static struct fnode *parse_chain(struct parser *p, unsigned kind, const char *word,
				 struct fnode *(*next)(struct parser *))
{
	struct fnode *first, *n = NULL, *k;

	lex_skip(p);
	first = next(p);
	if (!first)
		return NULL;
	for (lex_skip(p); lex_has(p, word); lex_skip(p)) {
		if (!n && (!(n = new_node(p, kind, first->span.pos)) ||
			   !lex_push(p, (void ***)&n->kid, &n->nkid, first)))
			return NULL;
		p->at += (uint32_t)strlen(word);
		k = next(p);
		if (!k || !lex_push(p, (void ***)&n->kid, &n->nkid, k))
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

	if (lex_has(p, "&&") || lex_has(p, "||"))
		lex_fail(p, p->at, "unexpected '%.2s': expected '%s'", p->s + p->at,
			 lex_peek(p) == '&' ? "and" : "or");
	else if (lex_peek(p) == ')')
		lex_fail(p, p->at,
			 "unexpected ')': no parenthesis is open; expected 'and', 'or' or the end");
	else
		lex_fail(p, p->at, "unexpected %s: expected 'and', 'or' or the end",
			 lex_here(p, p->at, w));
}

int filter_parse(struct filter *f, struct err *e)
{
	struct parser p = {.f = f, .s = f->text, .len = f->len, .e = e};

	lex_skip(&p);
	if (lex_at_end(&p))
		return err_set(e, ERR_SYNTAX, 0,
			       "the filter is empty: expected a check such as proc.name=cat");
	f->root = parse_or(&p);
	lex_skip(&p);
	if (f->root && !lex_at_end(&p))
		trailing(&p);
	return p.rc;
}
