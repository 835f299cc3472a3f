/* The right sides of tests: literals to constants, operator and type to an instruction. */
#include "filter/filter_int.h"

#include <errno.h>

static int nomem(int rc, struct err *e)
{
	return rc == -ENOMEM ? filter_nomem(e) : rc;
}

/* ---- constants ------------------------------------------------------------------------------- */

/* Instruction of an operator with one value, by the class of the value. */
uint8_t filter_scalar_op(enum filter_class tc, unsigned fop)
{
	static const uint8_t signed_op[] = {FI_EQ_N, FI_NE_N, FI_LT_S, FI_LE_S, FI_GT_S, FI_GE_S};
	static const uint8_t unsigned_op[] = {FI_EQ_N, FI_NE_N, FI_LT_U, FI_LE_U, FI_GT_U, FI_GE_U};
	static const uint8_t double_op[] = {FI_EQ_D, FI_NE_D, FI_LT_D, FI_LE_D, FI_GT_D, FI_GE_D};
	static const uint8_t text_op[FO_COUNT] = {
		[FO_EQ] = FI_EQ_T,
		[FO_NE] = FI_NE_T,
		[FO_LT] = FI_LT_T,
		[FO_LE] = FI_LE_T,
		[FO_GT] = FI_GT_T,
		[FO_GE] = FI_GE_T,
		[FO_CONTAINS] = FI_CONTAINS,
		[FO_ICONTAINS] = FI_ICONTAINS,
		[FO_BCONTAINS] = FI_CONTAINS,
		[FO_STARTSWITH] = FI_STARTS,
		[FO_BSTARTSWITH] = FI_STARTS,
		[FO_ENDSWITH] = FI_ENDS,
		[FO_GLOB] = FI_GLOB,
		[FO_IGLOB] = FI_IGLOB,
		[FO_REGEX] = FI_REGEX,
	};
	_Static_assert(FO_EQ == 0 && FO_GE == 5, "the order of the comparisons");

	switch (tc) {
	case TC_SIGNED:
		return signed_op[fop];
	case TC_UNSIGNED:
	case TC_BOOL:
		return unsigned_op[fop];
	case TC_DOUBLE:
		return double_op[fop];
	default:
		return text_op[fop];
	}
}

/* Fields in seconds get dates and durations in seconds, rounded so that the comparison stays exact.
 */
static int seconds(const struct fexpr *lit, unsigned fop, uint64_t *v, struct err *e)
{
	uint64_t ns = *v, sec = ns / 1000000000, frac = ns % 1000000000;

	if (frac && fop != FO_LT && fop != FO_LE && fop != FO_GT && fop != FO_GE)
		return err_set(e, ERR_SYNTAX, lit->span.pos,
			       "'%.*s' is not valid here: expected whole seconds",
			       (int)MIN(lit->len, 60), lit->s);
	*v = sec + (frac && (fop == FO_LT || fop == FO_GE));
	return 0;
}

static bool plain_digits(const struct fexpr *x)
{
	for (uint32_t i = x->len && (x->s[0] == '-' || x->s[0] == '+'); i < x->len; i++)
		if (x->s[i] < '0' || x->s[i] > '9')
			return false;
	return x->len > 0;
}

static int number(const struct fnode *n, const struct fexpr *lit, uint64_t *v, struct err *e)
{
	const struct fexpr *l = n->lhs;
	int rc = filter_lit_number(lit, l->type, v, e);

	if (!rc && (l->type == PT_ABSTIME || l->type == PT_RELTIME) && l->kind == FX_FIELD &&
	    filter_whole_seconds(l->ref->info->name) && !plain_digits(lit))
		rc = seconds(lit, n->fop, v, e);
	return rc;
}

static int no_nul(const struct fexpr *lit, struct err *e)
{
	if (!lit->len || !memchr(lit->s, 0, lit->len))
		return 0;
	return err_set(e, ERR_SYNTAX, lit->span.pos,
		       "the value holds a NUL byte: only buffers are compared with one");
}

/* The right side of a text test: bytes, hex digits decoded, case folded. */
static int text(struct filter *f, const struct fnode *n, const struct fexpr *lit, struct ftext *v,
		struct err *e)
{
	char *low;
	int rc = filter_class_of(n->lhs->type) == TC_BYTES ? 0 : no_nul(lit, e);

	if (rc)
		return rc;
	if (n->fop == FO_BCONTAINS || n->fop == FO_BSTARTSWITH)
		return filter_lit_hex(f, lit, v, e);
	*v = (struct ftext){lit->s, lit->len};
	if (n->fop != FO_ICONTAINS)
		return 0;
	low = filter_alloc(f, lit->len + 1);
	if (!low)
		return filter_nomem(e);
	for (uint32_t i = 0; i < lit->len; i++)
		low[i] =
			lit->s[i] >= 'A' && lit->s[i] <= 'Z' ? (char)(lit->s[i] | 0x20) : lit->s[i];
	v->s = low;
	return 0;
}

/* Constant of a one-value text test. */
static int text_const(struct filter *f, const struct fnode *n, const struct fexpr *lit,
		      struct fconst *c, struct err *e)
{
	struct fglob *g;
	int rc;

	if (n->fop == FO_REGEX) {
		rc = no_nul(lit, e);
		return rc ? rc : fregex_new(f, &c->regex, lit, e);
	}
	rc = text(f, n, lit, &c->text, e);
	if (rc || (n->fop != FO_GLOB && n->fop != FO_IGLOB))
		return rc;
	rc = fglob_new(f, &g, lit->s, lit->len, n->fop == FO_IGLOB);
	if (!rc)
		c->glob = g;
	return nomem(rc, e);
}

static int scalar(struct filter *f, struct fnode *n, enum filter_class tc, struct fconst *c,
		  struct err *e)
{
	n->in.op = filter_scalar_op(tc, n->fop);
	switch (tc) {
	case TC_SIGNED:
	case TC_UNSIGNED:
	case TC_BOOL:
		return number(n, n->rhs, &c->u, e);
	case TC_DOUBLE:
		return filter_lit_double(n->rhs, &c->d, e);
	case TC_ADDR:
		return filter_lit_addr(f, n->rhs, n->lhs->type, &c->text, e);
	default:
		return text_const(f, n, n->rhs, c, e);
	}
}

/* ---- lists ----------------------------------------------------------------------------------- */

static int num_list(struct filter *f, struct fnode *n, struct fconst *c, struct err *e)
{
	uint64_t *v = filter_alloc(f, sizeof(*v) * n->rhs->narg);
	struct fset *set;
	int rc = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n->rhs->narg && !rc; i++)
		rc = number(n, n->rhs->arg[i], &v[i], e);
	if (!rc)
		rc = fset_new_num(f, &set, v, n->rhs->narg);
	if (!rc)
		c->set = set;
	n->in.op = FI_IN_N;
	return nomem(rc, e);
}

static int dbl_list(struct filter *f, struct fnode *n, struct fconst *c, struct err *e)
{
	double *v = filter_alloc(f, sizeof(*v) * n->rhs->narg);
	int rc = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n->rhs->narg && !rc; i++)
		rc = filter_lit_double(n->rhs->arg[i], &v[i], e);
	c->dbls.v = v;
	c->dbls.n = n->rhs->narg;
	n->in.op = FI_IN_D;
	return nomem(rc, e);
}

static int text_list(struct filter *f, struct fnode *n, enum filter_class tc, struct fconst *c,
		     struct err *e)
{
	struct ftext *v = filter_alloc(f, sizeof(*v) * n->rhs->narg);
	struct fset *set;
	int rc = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n->rhs->narg && !rc; i++)
		rc = tc == TC_ADDR ? filter_lit_addr(f, n->rhs->arg[i], n->lhs->type, &v[i], e)
				   : text(f, n, n->rhs->arg[i], &v[i], e);
	if (!rc)
		rc = fset_new_text(f, &set, v, n->rhs->narg);
	if (!rc)
		c->set = set;
	n->in.op = FI_IN_T;
	return nomem(rc, e);
}

static int path_list(struct filter *f, struct fnode *n, struct fconst *c, struct err *e)
{
	struct fpaths *p = filter_alloc(f, sizeof(*p));
	struct ftext *v = filter_alloc(f, sizeof(*v) * n->rhs->narg);
	struct fset *set;
	int rc = p && v ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n->rhs->narg && !rc; i++) {
		const struct fexpr *lit = n->rhs->arg[i];
		char *clean = filter_alloc(f, lit->len + 1);

		rc = clean ? no_nul(lit, e) : -ENOMEM;
		if (rc)
			break;
		v[p->n].s = clean;
		v[p->n].len = text_path_clean(clean, lit->s, lit->len);
		p->all |= !v[p->n].len;
		p->n += v[p->n].len != 0;
	}
	if (!rc)
		rc = fset_new_text(f, &set, v, p->n);
	if (!rc) {
		p->set = set;
		p->v = v;
		c->paths = p;
	}
	n->in.op = FI_PMATCH;
	return nomem(rc, e);
}

static int net_list(struct filter *f, struct fnode *n, struct fconst *c, struct err *e)
{
	uint32_t count = n->rhs->kind == FX_LIST ? n->rhs->narg : 1;
	struct fnet *v = filter_alloc(f, sizeof(*v) * count);
	int rc = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !rc; i++)
		rc = filter_lit_net(n->rhs->kind == FX_LIST ? n->rhs->arg[i] : n->rhs, &v[i], e);
	c->nets.v = v;
	c->nets.n = count;
	n->in.op = n->fop == FO_NE ? FI_OUT_NET : FI_IN_NET;
	return nomem(rc, e);
}

/* contains anyof (...) in one pass; the other kinds one test after another. */
static int mod_list(struct filter *f, struct fnode *n, struct fconst *c, struct err *e)
{
	uint32_t count = n->rhs->narg;
	struct fconst *v = filter_alloc(f, sizeof(*v) * count);
	int rc = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !rc; i++)
		rc = text_const(f, n, n->rhs->arg[i], &v[i], e);
	c->many.v = v;
	c->many.n = count;
	n->in.op = FI_COUNT_OF;
	n->in.sub = filter_scalar_op(TC_TEXT, n->fop);
	n->in.mode = n->mod;
	return nomem(rc, e);
}

static int list(struct filter *f, struct fnode *n, enum filter_class tc, struct fconst *c,
		struct err *e)
{
	if (n->mod)
		return mod_list(f, n, c, e);
	if (n->fop == FO_PMATCH)
		return path_list(f, n, c, e);
	switch (tc) {
	case TC_SIGNED:
	case TC_UNSIGNED:
	case TC_BOOL:
		return num_list(f, n, c, e);
	case TC_DOUBLE:
		return dbl_list(f, n, c, e);
	case TC_NET:
		return net_list(f, n, c, e);
	default:
		return text_list(f, n, tc, c, e);
	}
}

/* ---- tests with rules of their own ----------------------------------------------------------- */

static int around(struct fnode *n, struct fconst *c, struct err *e)
{
	uint64_t ms;
	int rc;

	if (n->fop != FO_EQ)
		return err_set(e, ERR_SYNTAX, n->op_pos,
			       "evt.around takes only '=': expected '=' and "
			       "a distance in milliseconds");
	rc = filter_lit_number(n->rhs, PT_UINT64, &ms, e);
	if (!rc && n->rhs->s[0] == '-')
		rc = err_set(e, ERR_SYNTAX, n->rhs->span.pos,
			     "a distance cannot be negative: expected milliseconds");
	if (rc)
		return rc;
	c->around.ts = (uint64_t)n->lhs->ref->arg_index;
	c->around.dist_ns = ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
	n->in.op = FI_AROUND;
	return 0;
}

/* evt.type, evt.dir and their kin depend on the type alone: the test becomes a set of types. */
static int type_test(struct filter *f, struct fnode *n, struct fconst *c, struct err *e)
{
	struct ftypes *t = filter_alloc(f, sizeof(*t));
	int rc;

	if (!t)
		return filter_nomem(e);
	rc = filter_types_of(f, n, t, e);
	if (rc)
		return rc;
	c->types = t;
	n->in.op = FI_TYPE_IN;
	return 0;
}

/* ---- one test -------------------------------------------------------------------------------- */

static int constant(struct filter *f, struct fnode *n, enum filter_class tc, struct err *e)
{
	struct fconst *c = filter_alloc(f, sizeof(*c));
	int rc;

	if (!c)
		return filter_nomem(e);
	n->in.c = c;
	if (filter_named(n->lhs, "evt.around"))
		return around(n, c, e);
	if (n->fop == FO_EXISTS) {
		n->in.op = FI_HAS;
		rc = 0;
	} else if (n->rhs->kind == FX_LIST && !n->rhs->narg) { /* in (), anyof (): false */
		n->kind = FN_FALSE;
		return 0;
	} else {
		rc = n->rhs->kind == FX_LIST ? list(f, n, tc, c, e)
		     : tc == TC_NET	     ? net_list(f, n, c, e)
					     : scalar(f, n, tc, c, e);
	}
	if (!rc && filter_type_field(n->lhs))
		rc = type_test(f, n, c, e);
	if (!rc && filter_set_waits(f, n))
		rc = filter_nomem(e);
	return rc;
}

/* Of several values all must differ for != (ends of a socket), or one (ancestors). */
static bool differs_all(const struct field_ref *ref)
{
	return !strncmp(ref->info->name, "fd.", 3);
}

static void quantify(struct fnode *n)
{
	if (n->lhs->is_list)
		n->in.quant = n->fop == FO_IN ? FQ_ALL : FQ_ANY;
	else if (n->lhs->some)
		n->in.quant = n->fop == FO_NE && differs_all(n->lhs->ref) ? FQ_ALL : FQ_ANY;
	if (n->fop == FO_EXISTS || n->in.op == FI_IN_SLOT || n->in.op == FI_MEETS_SLOT)
		n->in.quant = FQ_ONE;
}

/* Types and constant of a test whose left side is checked already. */
int filter_check_constant(struct filter *f, struct fnode *n, struct err *e)
{
	int rc = constant(f, n, filter_class_of(n->lhs->type), e);

	quantify(n);
	return rc;
}
