/* Rewrites the typed tree into a smaller one with the same answers: constants, sets of event types,
 * several tests of one field in one. Never run on filters that look back: there the number of
 * evaluations counts. A field without value fails every test, so "not" is never pushed into a test.
 */
#include "filter/filter_int.h"

#include <errno.h>

/* ---- sameness -------------------------------------------------------------------------------- */

static bool same_bytes(const char *a, uint32_t al, const char *b, uint32_t bl)
{
	return al == bl && (!al || !memcmp(a, b, al));
}

static bool same_ref(const struct field_ref *a, const struct field_ref *b)
{
	return a->info == b->info && a->type == b->type && a->arg_kind == b->arg_kind &&
	       a->arg_index == b->arg_index &&
	       same_bytes(a->arg_text, a->arg_len, b->arg_text, b->arg_len) &&
	       !(a->info->flags & FF_LOOKS_BACK);
}

bool filter_expr_same(const struct fexpr *a, const struct fexpr *b)
{
	if (a->kind != b->kind || a->func != b->func || a->narg != b->narg || a->some != b->some)
		return false;
	if (a->kind == FX_FIELD)
		return same_ref(a->ref, b->ref);
	if (a->kind == FX_TEXT && !same_bytes(a->s, a->len, b->s, b->len))
		return false;
	if (a->kind == FX_CALL && (!a->s != !b->s || (a->s && *a->s != *b->s)))
		return false;
	for (uint32_t i = 0; i < a->narg; i++)
		if (!filter_expr_same(a->arg[i], b->arg[i]))
			return false;
	return true;
}

/* ---- sets of event types --------------------------------------------------------------------- */

enum set_op { SET_AND, SET_OR, SET_NOT };

static void combine(uint64_t *a, const uint64_t *b, size_t words, enum set_op op)
{
	for (size_t i = 0; i < words; i++)
		a[i] = op == SET_AND ? a[i] & b[i] : op == SET_OR ? a[i] | b[i] : ~a[i];
}

static void ftypes_combine(struct ftypes *a, const struct ftypes *b, enum set_op op)
{
	combine(a->code, b->code, ARRAY_SIZE(a->code), op);
	combine(a->sc[0], b->sc[0], ARRAY_SIZE(a->sc[0]), op);
	combine(a->sc[1], b->sc[1], ARRAY_SIZE(a->sc[1]), op);
	if (op != SET_NOT)
		return;
	/* The bits beyond the tables stay clear. */
	for (unsigned c = EV_CODE_COUNT; c < ARRAY_SIZE(a->code) * 64; c++)
		a->code[c / 64] &= ~(1ull << (c % 64));
	for (unsigned x = 0; x < 2; x++) {
		a->sc[x][FILTER_SC_MAX / 64] &= 1;
		a->code[0] &= ~(1ull << (x ? EV_GENERIC_X : EV_GENERIC_E));
	}
}

/* FN_FALSE for the empty set, FN_TRUE for the full one. */
static void types_settle(struct fnode *n)
{
	const struct ftypes *t = n->in.c->types;
	bool none = true, all = true;

	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		int whole = ftypes_whole(t, code);

		none &= whole == 0;
		all &= whole == 1;
	}
	n->kind = none ? FN_FALSE : all ? FN_TRUE : FN_TEST;
}

static bool is_types(const struct fnode *n)
{
	return n->kind == FN_TEST && n->in.op == FI_TYPE_IN;
}

/* ---- single tests ---------------------------------------------------------------------------- */

/* One pass for the several texts of "contains anyof". */
static int several_substrings(struct filter *f, struct fnode *n, struct fconst *c)
{
	struct ftext *v = filter_alloc(f, sizeof(*v) * c->many.n);
	struct fsubstr *m;
	int rc;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->many.n; i++)
		v[i] = c->many.v[i].text;
	rc = fsubstr_new(f, &m, v, c->many.n);
	if (rc)
		return rc;
	c->substr = m;
	n->in = (struct insn){.op = FI_CONTAINS_ANY, .quant = n->in.quant, .c = c};
	return 0;
}

/* A list of one: the plain test. */
static int single_item(struct filter *f, struct fnode *n, struct err *e)
{
	n->rhs = n->rhs->arg[0];
	n->mod = FM_NONE;
	if (n->fop == FO_IN || n->fop == FO_INTERSECTS)
		n->fop = FO_EQ;
	return filter_check_constant(f, n, e);
}

static bool plain_glob(const char *s, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (strchr("*?[\\", s[i]))
			return false;
	return true;
}

/* *x*, x* and *x are substring, prefix and suffix. */
static void simple_glob(struct fnode *n, struct fconst *c)
{
	const char *s = n->rhs->s;
	uint32_t len = n->rhs->len;
	bool left = len && s[0] == '*', right = len > 1 && s[len - 1] == '*';
	struct ftext inner = {s + left, len - left - right};

	if (!plain_glob(inner.s, inner.len))
		return;
	c->text = inner;
	n->in.op = left && right ? FI_CONTAINS : left ? FI_ENDS : right ? FI_STARTS : FI_EQ_T;
}

static int fold_test(struct filter *f, struct fnode *n, struct err *e)
{
	struct fconst *c = (struct fconst *)n->in.c;
	bool scalar_list = n->rhs && n->rhs->kind == FX_LIST && n->rhs->narg == 1 &&
			   !n->lhs->is_list && n->in.op != FI_PMATCH && n->in.op != FI_TYPE_IN;
	int rc = 0;

	if (scalar_list)
		rc = single_item(f, n, e);
	c = (struct fconst *)n->in.c;
	if (rc)
		return rc;
	if (n->in.op == FI_TYPE_IN)
		types_settle(n);
	else if (n->in.op == FI_GLOB)
		simple_glob(n, c);
	else if (n->in.op == FI_COUNT_OF && n->in.sub == FI_CONTAINS && n->in.mode == FM_ANYOF)
		rc = several_substrings(f, n, c);
	return rc ? filter_nomem(e) : 0;
}

/* ---- chains ---------------------------------------------------------------------------------- */

/* Two tests of an or-chain that one test can make: x = a or x in (b, c); contains a or contains b.
 */
static bool mergeable(const struct fnode *a, const struct fnode *b)
{
	bool set_a = a->fop == FO_EQ || a->fop == FO_IN || a->fop == FO_INTERSECTS;
	bool set_b = b->fop == FO_EQ || b->fop == FO_IN || b->fop == FO_INTERSECTS;
	bool sub_a = a->fop == FO_CONTAINS && (a->mod == FM_NONE || a->mod == FM_ANYOF);
	bool sub_b = b->fop == FO_CONTAINS && (b->mod == FM_NONE || b->mod == FM_ANYOF);

	if (a->kind != FN_TEST || b->kind != FN_TEST || a->in.op == FI_TYPE_IN ||
	    a->in.op == FI_AROUND)
		return false;
	if (!(set_a && set_b) && !(sub_a && sub_b))
		return false;
	if (a->rhs->kind == FX_CALL || b->rhs->kind == FX_CALL || a->in.quant == FQ_ALL ||
	    b->in.quant == FQ_ALL)
		return false;
	return filter_expr_same(a->lhs, b->lhs);
}

static uint32_t items(const struct fexpr *rhs)
{
	return rhs->kind == FX_LIST ? rhs->narg : 1;
}

static int merge(struct filter *f, struct fnode *a, const struct fnode *b, struct err *e)
{
	uint32_t na = items(a->rhs), nb = items(b->rhs);
	struct fexpr *list = filter_alloc(f, sizeof(*list));
	struct fexpr **v = filter_alloc(f, sizeof(*v) * (na + nb));

	if (!list || !v)
		return filter_nomem(e);
	memcpy(v, a->rhs->kind == FX_LIST ? a->rhs->arg : &a->rhs, na * sizeof(*v));
	memcpy(v + na, b->rhs->kind == FX_LIST ? b->rhs->arg : &b->rhs, nb * sizeof(*v));
	*list = (struct fexpr){
		.kind = FX_LIST, .is_list = true, .span = a->rhs->span, .arg = v, .narg = na + nb};
	a->rhs = list;
	if (a->fop == FO_CONTAINS)
		a->mod = FM_ANYOF;
	else
		a->fop = a->lhs->is_list ? FO_INTERSECTS : FO_IN;
	if (b->span.pos + b->span.len > a->span.pos + a->span.len)
		a->span.len = b->span.pos + b->span.len - a->span.pos;
	return 0;
}

/* Merges kid i with later ones of its chain. */
static int merge_kid(struct filter *f, struct fnode *n, uint32_t i, struct err *e)
{
	struct fnode *a = n->kid[i];
	bool merged = false;
	uint32_t out = i + 1;
	int rc = 0;

	for (uint32_t k = i + 1; k < n->nkid && !rc; k++) {
		struct fnode *b = n->kid[k];

		if (is_types(a) && is_types(b)) {
			ftypes_combine(a->in.c->types, b->in.c->types,
				       n->kind == FN_AND ? SET_AND : SET_OR);
			a->span.len = MAX(a->span.len, b->span.pos + b->span.len - a->span.pos);
		} else if (n->kind == FN_OR && mergeable(a, b)) {
			rc = merge(f, a, b, e);
			merged = true;
		} else {
			n->kid[out++] = b;
		}
	}
	n->nkid = out;
	if (is_types(a))
		types_settle(a);
	if (!rc && merged)
		rc = filter_check_constant(f, a, e);
	return !rc && merged ? fold_test(f, a, e) : rc;
}

/* Takes the kids of kids of the same kind up; drops constants that change nothing. */
static int flatten(struct filter *f, struct fnode *n, struct err *e)
{
	uint32_t total = 0, out = 0;
	unsigned neutral = n->kind == FN_AND ? FN_TRUE : FN_FALSE;
	struct fnode **v;

	for (uint32_t i = 0; i < n->nkid; i++)
		total += n->kid[i]->kind == n->kind ? n->kid[i]->nkid : 1;
	v = filter_alloc(f, sizeof(*v) * total);
	if (!v)
		return filter_nomem(e);
	for (uint32_t i = 0; i < n->nkid; i++) {
		struct fnode *k = n->kid[i];

		if (k->kind == n->kind) {
			memcpy(v + out, k->kid, sizeof(*v) * k->nkid);
			out += k->nkid;
		} else if (k->kind != neutral) {
			v[out++] = k;
		}
	}
	n->kid = v;
	n->nkid = out;
	return 0;
}

static int fold_node(struct filter *f, struct fnode *n, struct err *e);

static int fold_chain(struct filter *f, struct fnode *n, struct err *e)
{
	unsigned neutral = n->kind == FN_AND ? FN_TRUE : FN_FALSE,
		 absorbing = n->kind == FN_AND ? FN_FALSE : FN_TRUE;
	int rc = flatten(f, n, e);

	for (uint32_t i = 0; i < n->nkid && !rc; i++)
		rc = merge_kid(f, n, i, e);
	if (!rc)
		rc = flatten(f, n, e);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < n->nkid; i++)
		if (n->kid[i]->kind == absorbing) {
			n->kind = (uint8_t)absorbing;
			return 0;
		}
	if (!n->nkid)
		n->kind = (uint8_t)neutral;
	else if (n->nkid == 1)
		*n = *n->kid[0];
	return 0;
}

static void fold_not(struct fnode *n)
{
	struct fnode *k = n->kid[0];

	if (k->kind == FN_TRUE || k->kind == FN_FALSE) {
		n->kind = k->kind == FN_TRUE ? FN_FALSE : FN_TRUE;
	} else if (k->kind == FN_NOT) {
		*n = *k->kid[0];
	} else if (is_types(k)) {
		struct span span = n->span;

		ftypes_combine(k->in.c->types, k->in.c->types, SET_NOT);
		*n = *k;
		n->span = span;
		types_settle(n);
	}
}

static int fold_node(struct filter *f, struct fnode *n, struct err *e)
{
	int rc = 0;

	if (n->kind == FN_TEST)
		return fold_test(f, n, e);
	for (uint32_t i = 0; i < n->nkid && !rc; i++)
		rc = fold_node(f, n->kid[i], e);
	if (rc)
		return rc;
	if (n->kind == FN_NOT)
		fold_not(n);
	return n->kind == FN_AND || n->kind == FN_OR ? fold_chain(f, n, e) : 0;
}

int filter_fold(struct filter *f, struct err *e)
{
	return f->looks_back ? 0 : fold_node(f, f->root, e);
}

/* ---- the part that needs the event alone ----------------------------------------------------- */

enum fslot_hdr filter_hdr(const struct fexpr *x)
{
	static const struct {
		const char *name;
		enum fslot_hdr hdr;
	} names[] = {
		{"evt.cpu", FH_CPU},
		{"evt.rawtime", FH_RAWTIME},
		{"thread.tid", FH_TID},
	};

	if (x->kind == FX_FIELD && (x->ref->info->flags & FF_HEADER_ONLY))
		for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
			if (!strcmp(x->ref->info->name, names[i].name))
				return names[i].hdr;
	return FH_NO;
}

bool filter_test_is_header(const struct fnode *n)
{
	if (n->in.op == FI_TYPE_IN || n->in.op == FI_AROUND)
		return true;
	return n->in.quant == FQ_ONE && (!n->rhs || n->rhs->kind != FX_CALL) &&
	       filter_hdr(n->lhs) != FH_NO;
}

static bool test_never(const struct fnode *n, unsigned code)
{
	return filter_expr_never(n->lhs, code) || (n->rhs && filter_expr_never(n->rhs, code));
}

/* The types on which a test can hold at all. */
static void test_types(const struct fnode *n, struct ftypes *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		if (test_never(n, code))
			continue;
		if (code != EV_GENERIC_E && code != EV_GENERIC_X)
			t->code[code / 64] |= 1ull << (code % 64);
		else
			memset(t->sc[code == EV_GENERIC_X], 0xff, FILTER_SC_MAX / 8);
	}
	for (unsigned x = 0; x < 2; x++)
		t->sc[x][FILTER_SC_MAX / 64] = t->sc[x][0] & 1;
}

/* The digest cannot make the test: a bound from above accepts every type on which it can hold. */
int filter_bound_header(struct filter *f, struct fnode *c, const struct fnode *n, bool upper)
{
	struct fconst *k;

	if (n->in.op != FI_TYPE_IN && filter_test_is_header(n))
		return 0;
	if (n->in.op != FI_TYPE_IN && !upper) {
		c->kind = FN_FALSE;
		return 0;
	}
	k = filter_alloc(f, sizeof(*k));
	if (!k || !(k->types = filter_alloc(f, sizeof(*k->types))))
		return -ENOMEM;
	if (n->in.op == FI_TYPE_IN) /* folding changes the set in place */
		*k->types = *n->in.c->types;
	else
		test_types(n, k->types);
	c->in = (struct insn){.op = FI_TYPE_IN, .c = k};
	return 0;
}

/* upper: may accept more than n, else may accept less. */
static struct fnode *bound(struct filter *f, const struct fnode *n, bool upper, filter_bound_fn *test)
{
	struct fnode *c = filter_alloc(f, sizeof(*c));

	if (!c)
		return NULL;
	*c = *n;
	if (n->kind == FN_TEST && test(f, c, n, upper))
		return NULL;
	if (!n->nkid)
		return c;
	c->kid = filter_alloc(f, sizeof(*c->kid) * n->nkid);
	for (uint32_t i = 0; c->kid && i < n->nkid; i++)
		if (!(c->kid[i] = bound(f, n->kid[i], upper != (n->kind == FN_NOT), test)))
			return NULL;
	return c->kid ? c : NULL;
}

static int bound_tree(struct filter *f, const struct fnode *n, bool upper, filter_bound_fn *test,
		      struct fnode **out, struct err *e)
{
	struct fnode *c = bound(f, n, upper, test);
	int rc = c ? fold_node(f, c, e) : filter_nomem(e);

	if (!rc)
		*out = c;
	return rc;
}

int filter_upper_tree(struct filter *f, const struct fnode *n, filter_bound_fn *test,
		      struct fnode **out, struct err *e)
{
	return bound_tree(f, n, true, test, out, e);
}

int filter_lower_tree(struct filter *f, const struct fnode *n, filter_bound_fn *test,
		      struct fnode **out, struct err *e)
{
	return bound_tree(f, n, false, test, out, e);
}

/* ---- by event type --------------------------------------------------------------------------- */

static enum fknown known_chain(const struct fnode *n, unsigned code)
{
	enum fknown absorbing = n->kind == FN_AND ? FK_NO : FK_YES,
		    sum = n->kind == FN_AND ? FK_YES : FK_NO;

	for (uint32_t i = 0; i < n->nkid; i++) {
		enum fknown k = filter_known(n->kid[i], code);

		if (k == absorbing)
			return k;
		if (k == FK_OPEN || (k == FK_HEADER && sum != FK_OPEN))
			sum = k;
	}
	return sum;
}

enum fknown filter_known(const struct fnode *n, unsigned code)
{
	enum fknown k;
	int whole;

	switch (n->kind) {
	case FN_TRUE:
		return FK_YES;
	case FN_FALSE:
		return FK_NO;
	case FN_AND:
	case FN_OR:
		return known_chain(n, code);
	case FN_NOT:
		k = filter_known(n->kid[0], code);
		return k == FK_NO ? FK_YES : k == FK_YES ? FK_NO : k;
	default:
		if (n->in.op == FI_TYPE_IN) {
			whole = ftypes_whole(n->in.c->types, code);
			return whole < 0 ? FK_HEADER : whole ? FK_YES : FK_NO;
		}
		if (test_never(n, code))
			return FK_NO;
		return filter_test_is_header(n) ? FK_HEADER : FK_OPEN;
	}
}
