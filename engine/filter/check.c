/* Syntax tree to typed tree: looks fields up, decides the type of every expression, checks operators
 * against types and turns every test into one instruction with its constant. */
#include "filter/filter_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What may be done with a value. */
enum tclass { TC_NONE, TC_SIGNED, TC_UNSIGNED, TC_DOUBLE, TC_BOOL, TC_TEXT, TC_BYTES, TC_ADDR, TC_NET };

static enum tclass class_of(uint8_t type)
{
	switch (type) {
	case PT_INT8: case PT_INT16: case PT_INT32: case PT_INT64: case PT_ERRNO: case PT_FD: case PT_PID:
	case PT_FD32: case PT_PID32:
		return TC_SIGNED;
	case PT_UINT8: case PT_UINT16: case PT_UINT32: case PT_UINT64: case PT_PORT: case PT_FLAGS8:
	case PT_FLAGS16: case PT_FLAGS32: case PT_ENUMFLAGS8: case PT_ENUMFLAGS16: case PT_ENUMFLAGS32:
	case PT_MODE: case PT_SYSCALLID: case PT_SIGTYPE: case PT_RELTIME: case PT_ABSTIME:
		return TC_UNSIGNED;
	case PT_DOUBLE: return TC_DOUBLE;
	case PT_BOOL: return TC_BOOL;
	case PT_CHARBUF: case PT_FSPATH: case PT_FSRELPATH: return TC_TEXT;
	case PT_BYTEBUF: return TC_BYTES;
	case PT_IPADDR: case PT_IPV4ADDR: case PT_IPV6ADDR: return TC_ADDR;
	case PT_IPNET: case PT_IPV4NET: case PT_IPV6NET: return TC_NET;
	default: return TC_NONE;
	}
}

#define BIT(op) (1u << FO_##op)
#define SETS (BIT(IN) | BIT(INTERSECTS) | BIT(EXISTS))
#define EQUAL (BIT(EQ) | BIT(NE) | SETS)
#define ORDER (BIT(LT) | BIT(LE) | BIT(GT) | BIT(GE))

static const uint32_t ops_of[] = {
	[TC_SIGNED] = EQUAL | ORDER,
	[TC_UNSIGNED] = EQUAL | ORDER,
	[TC_DOUBLE] = EQUAL | ORDER,
	[TC_BOOL] = EQUAL,
	[TC_TEXT] = EQUAL | ORDER | BIT(CONTAINS) | BIT(ICONTAINS) | BIT(STARTSWITH) | BIT(ENDSWITH) | BIT(GLOB) |
		    BIT(IGLOB) | BIT(REGEX) | BIT(PMATCH),
	[TC_BYTES] = EQUAL | BIT(CONTAINS) | BIT(STARTSWITH) | BIT(ENDSWITH) | BIT(BCONTAINS) | BIT(BSTARTSWITH),
	[TC_ADDR] = EQUAL,
	[TC_NET] = EQUAL,
};

static const char *type_name(uint8_t type)
{
	static const char *const names[] = {
		[TC_SIGNED] = "a number", [TC_UNSIGNED] = "a number", [TC_DOUBLE] = "a number", [TC_BOOL] = "true or false",
		[TC_TEXT] = "a text", [TC_BYTES] = "a buffer", [TC_ADDR] = "an address", [TC_NET] = "a network",
		[TC_NONE] = "a value that cannot be compared",
	};

	return names[class_of(type)];
}

static int nomem(int rc, struct err *e) { return rc == -ENOMEM ? filter_nomem(e) : rc; }

/* ---- fields ------------------------------------------------------------------------------------------- */

static struct field_ref *new_ref(struct filter *f)
{
	struct field_ref *ref;

	if (f->nrefs == f->refs_cap) {
		uint32_t cap = f->refs_cap ? 2 * f->refs_cap : 8;
		struct field_ref **v = realloc(f->refs, cap * sizeof(*v));

		if (!v)
			return NULL;
		f->refs = v;
		f->refs_cap = cap;
	}
	ref = calloc(1, sizeof(*ref));
	return ref;
}

/* Parses text as a field, keeps the reference with the filter. */
static int get_ref(struct filter *f, const char *text, size_t len, uint32_t pos, struct field_ref **out, struct err *e)
{
	struct field_ref *ref = new_ref(f);
	struct err why = { .pos = 0 };
	size_t used = 0;
	int rc;

	if (!ref)
		return filter_nomem(e);
	rc = field_parse(ref, text, len, &used, &why);
	if (rc) {
		free(ref);
		return err_set(e, rc, pos + (why.pos <= len ? why.pos : 0), "%s", why.msg);
	}
	f->refs[f->nrefs++] = ref;
	*out = ref;
	if (used != len) {
		struct filter_nearest n;
		unsigned count;
		const struct field_info *t = field_table(&count);

		filter_nearest_init(&n, text, (uint32_t)len);
		for (unsigned i = 0; i < count; i++)
			filter_nearest_try(&n, t[i].name);
		return err_set(e, ERR_SYNTAX, pos, "unknown field '%.*s': %s%s", (int)MIN(len, 80), text,
			       n.best ? "the nearest is " : "expected a field such as proc.name", n.best ? n.best : "");
	}
	return 0;
}

/* Fields whose test holds if it holds for one of several values: both ends of a socket, all ancestors. */
static bool has_several(const struct field_ref *ref)
{
	static const char *const ends[] = { "fd.ip", "fd.port", "fd.proto", "fd.net" };
	static const char *const up[] = { "proc.aname", "proc.aexe", "proc.aexepath", "proc.apid", "proc.acmdline",
					  "proc.aargs", "proc.aenv" };

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
		if (!strcmp(ref->info->name, ends[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_SIZE(up); i++)
		if (!strcmp(ref->info->name, up[i]))
			return ref->arg_kind != FA_INDEX;
	return false;
}

/* Of several values all must differ for != (ends of a socket), or one (ancestors). */
static bool differs_all(const struct field_ref *ref) { return !strncmp(ref->info->name, "fd.", 3); }

static int check_field(struct filter *f, struct fexpr *x, struct err *e)
{
	int rc = get_ref(f, f->text + x->span.pos, x->span.len, x->span.pos, &x->ref, e);

	if (rc)
		return rc;
	if (x->ref->info->flags & FF_PRINT_ONLY)
		return err_set(e, ERR_SYNTAX, x->span.pos, "%s can only be printed: expected a field that filters can test",
			       x->ref->info->name);
	x->type = x->ref->type;
	x->is_list = x->ref->info->flags & FF_LIST;
	x->some = has_several(x->ref);
	if (x->ref->info->flags & FF_LOOKS_BACK) {
		x->ref->place = f->places++;
		f->looks_back = true;
	}
	return 0;
}

/* ---- transformers --------------------------------------------------------------------------------------- */

static int bad_arg(const struct fexpr *call, const struct fexpr *a, const char *expected, struct err *e)
{
	return err_set(e, ERR_SYNTAX, a->span.pos, "%s() got %s%s: expected %s", filter_func_table[call->func].name,
		       a->is_list ? "a list of " : "", type_name(a->type), expected);
}

static int check_expr(struct filter *f, struct fexpr *x, struct err *e);

static int check_args(struct filter *f, struct fexpr *x, struct err *e)
{
	int rc = 0;

	for (uint32_t i = 0; i < x->narg && !rc; i++) {
		struct fexpr *a = x->arg[i];

		rc = check_expr(f, a, e);
		if (rc)
			return rc;
		if (a->kind == FX_FIELD && (a->ref->info->flags & FF_NO_TRANSFORMER))
			return err_set(e, ERR_SYNTAX, a->span.pos, "%s() cannot take %s: the field takes no transformer",
				       filter_func_table[x->func].name, a->ref->info->name);
		a->some = false;
	}
	return 0;
}

static bool is_text(const struct fexpr *a) { return class_of(a->type) == TC_TEXT; }
static bool is_bytes(const struct fexpr *a) { return is_text(a) || class_of(a->type) == TC_BYTES; }

static int check_getopt(struct fexpr *x, struct err *e)
{
	struct fexpr *list = x->arg[0], *opts = x->arg[1];

	if (!list->is_list || !is_text(list))
		return bad_arg(x, list, "a list of texts first", e);
	if (opts->is_list || !is_text(opts))
		return bad_arg(x, opts, "the option letters as one text second", e);
	x->type = PT_CHARBUF;
	x->is_list = !x->s;
	return 0;
}

static int check_call(struct filter *f, struct fexpr *x, struct err *e)
{
	int rc = check_args(f, x, e);
	struct fexpr *a = x->arg[0];

	if (rc)
		return rc;
	x->type = a->type;
	x->is_list = a->is_list;
	switch (x->func) {
	case FF_tolower: case FF_toupper: case FF_basename:
		return is_text(a) ? 0 : bad_arg(x, a, "a text", e);
	case FF_b64:
		return is_bytes(a) && !a->is_list ? 0 : bad_arg(x, a, "one text or buffer", e);
	case FF_len:
		x->type = PT_UINT64;
		x->is_list = false;
		return a->is_list || is_bytes(a) ? 0 : bad_arg(x, a, "a text, a buffer or a list", e);
	case FF_join:
		if (a->is_list || !is_text(a))
			return bad_arg(x, a, "the separator as one text first", e);
		x->is_list = false;
		x->type = PT_CHARBUF;
		return x->arg[1]->is_list && is_text(x->arg[1]) ? 0 : bad_arg(x, x->arg[1], "a list of texts second", e);
	case FF_concat:
		x->type = PT_CHARBUF;
		for (uint32_t i = 0; i < x->narg; i++)
			if (x->arg[i]->is_list || !is_text(x->arg[i]))
				return bad_arg(x, x->arg[i], "single texts", e);
		return 0;
	case FF_getopt:
		return check_getopt(x, e);
	default: /* val */
		return a->kind == FX_FIELD ? 0 : err_set(e, ERR_SYNTAX, a->span.pos, "val() takes a plain field");
	}
}

static int check_expr(struct filter *f, struct fexpr *x, struct err *e)
{
	switch (x->kind) {
	case FX_FIELD: return check_field(f, x, e);
	case FX_CALL: return check_call(f, x, e);
	default: x->type = PT_CHARBUF; return 0; /* literals inside transformers */
	}
}

/* ---- constants --------------------------------------------------------------------------------------------- */

static const uint8_t signed_op[] = { [FO_EQ] = FI_EQ_N, [FO_NE] = FI_NE_N, [FO_LT] = FI_LT_S, [FO_LE] = FI_LE_S,
				     [FO_GT] = FI_GT_S, [FO_GE] = FI_GE_S };
static const uint8_t unsigned_op[] = { [FO_EQ] = FI_EQ_N, [FO_NE] = FI_NE_N, [FO_LT] = FI_LT_U, [FO_LE] = FI_LE_U,
				       [FO_GT] = FI_GT_U, [FO_GE] = FI_GE_U };
static const uint8_t double_op[] = { [FO_EQ] = FI_EQ_D, [FO_NE] = FI_NE_D, [FO_LT] = FI_LT_D, [FO_LE] = FI_LE_D,
				     [FO_GT] = FI_GT_D, [FO_GE] = FI_GE_D };
static const uint8_t text_op[FO_COUNT] = {
	[FO_EQ] = FI_EQ_T, [FO_NE] = FI_NE_T, [FO_LT] = FI_LT_T, [FO_LE] = FI_LE_T, [FO_GT] = FI_GT_T, [FO_GE] = FI_GE_T,
	[FO_CONTAINS] = FI_CONTAINS, [FO_ICONTAINS] = FI_ICONTAINS, [FO_BCONTAINS] = FI_CONTAINS,
	[FO_STARTSWITH] = FI_STARTS, [FO_BSTARTSWITH] = FI_STARTS, [FO_ENDSWITH] = FI_ENDS, [FO_GLOB] = FI_GLOB,
	[FO_IGLOB] = FI_IGLOB, [FO_REGEX] = FI_REGEX,
};

static bool whole_seconds(const char *name)
{
	size_t n = strlen(name);

	return n > 2 && !strcmp(name + n - 2, ".s");
}

/* Fields in seconds get dates and durations in seconds, rounded so that the comparison stays exact. */
static int seconds(const struct fexpr *lit, unsigned fop, uint64_t *v, struct err *e)
{
	uint64_t ns = *v, sec = ns / 1000000000, frac = ns % 1000000000;

	if (frac && fop != FO_LT && fop != FO_LE && fop != FO_GT && fop != FO_GE)
		return err_set(e, ERR_SYNTAX, lit->span.pos, "'%.*s' is not valid here: expected whole seconds",
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
	    whole_seconds(l->ref->info->name) && !plain_digits(lit))
		rc = seconds(lit, n->fop, v, e);
	return rc;
}

static int no_nul(const struct fexpr *lit, struct err *e)
{
	if (!lit->len || !memchr(lit->s, 0, lit->len))
		return 0;
	return err_set(e, ERR_SYNTAX, lit->span.pos, "the value holds a NUL byte: only buffers are compared with one");
}

/* The right side of a text test: bytes, hex digits decoded, case folded. */
static int text(struct filter *f, const struct fnode *n, const struct fexpr *lit, struct ftext *v, struct err *e)
{
	char *low;
	int rc = class_of(n->lhs->type) == TC_BYTES ? 0 : no_nul(lit, e);

	if (rc)
		return rc;
	if (n->fop == FO_BCONTAINS || n->fop == FO_BSTARTSWITH)
		return filter_lit_hex(f, lit, v, e);
	*v = (struct ftext){ lit->s, lit->len };
	if (n->fop != FO_ICONTAINS)
		return 0;
	low = filter_alloc(f, lit->len + 1);
	if (!low)
		return filter_nomem(e);
	for (uint32_t i = 0; i < lit->len; i++)
		low[i] = lit->s[i] >= 'A' && lit->s[i] <= 'Z' ? (char)(lit->s[i] | 0x20) : lit->s[i];
	v->s = low;
	return 0;
}

/* Constant of a one-value text test. */
static int text_const(struct filter *f, const struct fnode *n, const struct fexpr *lit, struct fconst *c, struct err *e)
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

static int scalar(struct filter *f, struct fnode *n, enum tclass tc, struct fconst *c, struct err *e)
{
	switch (tc) {
	case TC_SIGNED:
		n->in.op = signed_op[n->fop];
		return number(n, n->rhs, &c->u, e);
	case TC_UNSIGNED: case TC_BOOL:
		n->in.op = unsigned_op[n->fop];
		return number(n, n->rhs, &c->u, e);
	case TC_DOUBLE:
		n->in.op = double_op[n->fop];
		return filter_lit_double(n->rhs, &c->d, e);
	case TC_ADDR:
		n->in.op = n->fop == FO_EQ ? FI_EQ_T : FI_NE_T;
		return filter_lit_addr(f, n->rhs, n->lhs->type, &c->text, e);
	default:
		n->in.op = text_op[n->fop];
		return text_const(f, n, n->rhs, c, e);
	}
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

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

static int text_list(struct filter *f, struct fnode *n, enum tclass tc, struct fconst *c, struct err *e)
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
	n->in.sub = text_op[n->fop];
	n->in.mode = n->mod;
	return nomem(rc, e);
}

static int list(struct filter *f, struct fnode *n, enum tclass tc, struct fconst *c, struct err *e)
{
	if (n->mod)
		return mod_list(f, n, c, e);
	if (n->fop == FO_PMATCH)
		return path_list(f, n, c, e);
	switch (tc) {
	case TC_SIGNED: case TC_UNSIGNED: case TC_BOOL: return num_list(f, n, c, e);
	case TC_DOUBLE: return dbl_list(f, n, c, e);
	case TC_NET: return net_list(f, n, c, e);
	default: return text_list(f, n, tc, c, e);
	}
}

/* ---- field against field ------------------------------------------------------------------------------------------ */

static bool no_rhs(const struct fexpr *x)
{
	if (x->kind == FX_FIELD)
		return x->ref->info->flags & FF_NO_RHS;
	for (uint32_t i = 0; x->kind == FX_CALL && i < x->narg; i++)
		if (no_rhs(x->arg[i]))
			return true;
	return false;
}

static int check_fields(struct filter *f, struct fnode *n, enum tclass tc, struct err *e)
{
	int rc = check_expr(f, n->rhs, e);

	if (rc)
		return rc;
	if (no_rhs(n->lhs) || no_rhs(n->rhs) || tc == TC_NET)
		return err_set(e, ERR_SYNTAX, n->rhs->span.pos, "%.*s cannot be compared with another field",
			       (int)MIN(no_rhs(n->rhs) ? n->rhs->span.len : n->lhs->span.len, 80u),
			       f->text + (no_rhs(n->rhs) ? n->rhs->span.pos : n->lhs->span.pos));
	if (n->fop == FO_REGEX || n->fop == FO_PMATCH || n->fop == FO_BCONTAINS || n->fop == FO_BSTARTSWITH)
		return err_set(e, ERR_SYNTAX, n->rhs->span.pos, "'%s' cannot compare two fields: expected a literal",
			       filter_op_name[n->fop]);
	if (n->rhs->type != n->lhs->type || n->rhs->is_list != n->lhs->is_list)
		return err_set(e, ERR_SYNTAX, n->rhs->span.pos,
			       "the right side is %s%s, the left side %s%s: expected the same type on both",
			       n->rhs->is_list ? "a list of " : "", type_name(n->rhs->type), n->lhs->is_list ? "a list of " : "",
			       type_name(n->lhs->type));
	if (n->fop == FO_IN || n->fop == FO_INTERSECTS) {
		n->in.op = n->fop == FO_IN ? FI_IN_SLOT : FI_MEETS_SLOT;
		return 0;
	}
	n->in.op = FI_CMP_SLOT;
	n->in.sub = tc == TC_SIGNED ? signed_op[n->fop] : tc == TC_DOUBLE ? double_op[n->fop]
		  : tc == TC_UNSIGNED || tc == TC_BOOL ? unsigned_op[n->fop] : text_op[n->fop];
	return 0;
}

/* ---- tests with rules of their own -------------------------------------------------------------------------------- */

static bool named(const struct fexpr *x, const char *name)
{
	return x->kind == FX_FIELD && !strcmp(x->ref->info->name, name);
}

static int type_names(struct fnode *n, struct err *e)
{
	uint32_t count = !n->rhs ? 0 : n->rhs->kind == FX_LIST ? n->rhs->narg : 1;

	for (uint32_t i = 0; i < count; i++) {
		struct fexpr *lit = n->rhs->kind == FX_LIST ? n->rhs->arg[i] : n->rhs;
		struct filter_nearest near;

		if (lit->kind != FX_TEXT || filter_type_name_known(lit->s, lit->len))
			continue;
		filter_nearest_init(&near, lit->s, lit->len);
		filter_type_nearest(&near);
		return err_set(e, ERR_SYNTAX, lit->span.pos, "unknown event type '%.*s': %s%s", (int)MIN(lit->len, 60), lit->s,
			       near.best ? "the nearest is " : "expected the name of an event or system call",
			       near.best ? near.best : "");
	}
	return 0;
}

/* evt.time and its kin are texts; against a full date they compare the time stamp itself. */
static int date_test(struct filter *f, struct fnode *n, struct err *e)
{
	static const char *const texts[] = { "evt.time", "evt.time.s", "evt.time.iso8601", "evt.datetime", "evt.datetime.s" };
	bool order = n->fop == FO_LT || n->fop == FO_LE || n->fop == FO_GT || n->fop == FO_GE, is_time = false;
	uint64_t ns;
	char digits[24];
	struct fexpr *lit = n->rhs;

	if (!order || lit->kind != FX_TEXT || n->lhs->kind != FX_FIELD)
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		is_time |= !strcmp(n->lhs->ref->info->name, texts[i]);
	/* 0.29.3 compares evt.datetime with a date as text, the same but at the very nanosecond. */
	if (!is_time || (f->compat029 && !strncmp(n->lhs->ref->info->name, "evt.datetime", 12)) ||
	    !filter_date(lit->s, lit->len, &ns))
		return 0;
	if (whole_seconds(n->lhs->ref->info->name)) { /* the printed second s covers [s, s + 1) */
		uint64_t sec = ns / 1000000000, frac = ns % 1000000000;

		ns = (sec + (n->fop == FO_GT || n->fop == FO_LE || frac)) * 1000000000;
		n->fop = n->fop == FO_GT ? FO_GE : n->fop == FO_LE ? FO_LT : n->fop;
	}
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)ns);
	lit->s = arena_dup(&f->arena, digits, strlen(digits) + 1);
	lit->len = (uint32_t)strlen(digits);
	n->lhs->type = PT_ABSTIME;
	return lit->s ? get_ref(f, "evt.rawtime", 11, n->lhs->span.pos, &n->lhs->ref, e) : filter_nomem(e);
}

static int around(struct fnode *n, struct fconst *c, struct err *e)
{
	uint64_t ms;
	int rc;

	if (n->fop != FO_EQ)
		return err_set(e, ERR_SYNTAX, n->span.pos + n->lhs->span.len, "evt.around takes only '=': expected '=' and "
			       "a distance in milliseconds");
	rc = filter_lit_number(n->rhs, PT_UINT64, &ms, e);
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

/* ---- one test ---------------------------------------------------------------------------------------------------- */

static int bad_op(const struct filter *f, const struct fnode *n, struct err *e)
{
	const struct fexpr *l = n->lhs;

	return err_set(e, ERR_SYNTAX, n->span.pos, "'%s' does not apply to %.*s, which is %s%s: expected %s",
		       filter_op_name[n->fop], (int)MIN(l->span.len, 60u), f->text + l->span.pos, l->is_list ? "a list of " : "",
		       type_name(l->type), l->is_list ? "in, intersects or exists" : "an operator of its type, such as = or in");
}

static int check_operator(const struct filter *f, const struct fnode *n, enum tclass tc, struct err *e)
{
	bool allowed = tc == TC_NONE ? n->fop == FO_EXISTS : ops_of[tc] >> n->fop & 1;

	if (n->lhs->is_list && !(SETS >> n->fop & 1))
		allowed = false;
	if (named(n->lhs, "evt.around"))
		allowed = true;
	return allowed ? 0 : bad_op(f, n, e);
}

static int constant(struct filter *f, struct fnode *n, enum tclass tc, struct err *e)
{
	struct fconst *c = filter_alloc(f, sizeof(*c));
	int rc;

	if (!c)
		return filter_nomem(e);
	n->in.c = c;
	if (named(n->lhs, "evt.around"))
		return around(n, c, e);
	if (n->fop == FO_EXISTS) {
		n->in.op = FI_HAS;
		rc = 0;
	} else if (n->rhs->kind == FX_LIST && !n->rhs->narg) { /* in (), anyof (): false */
		n->kind = FN_FALSE;
		return 0;
	} else {
		rc = n->rhs->kind == FX_LIST ? list(f, n, tc, c, e) : tc == TC_NET ? net_list(f, n, c, e)
										   : scalar(f, n, tc, c, e);
	}
	if (!rc && filter_type_field(n->lhs))
		rc = type_test(f, n, c, e);
	return rc;
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
	int rc = constant(f, n, class_of(n->lhs->type), e);

	quantify(n);
	return rc;
}

static int check_test(struct filter *f, struct fnode *n, struct err *e)
{
	enum tclass tc;
	int rc = check_expr(f, n->lhs, e);

	if (!rc && n->rhs)
		rc = date_test(f, n, e);
	if (rc)
		return rc;
	tc = class_of(n->lhs->type);
	rc = check_operator(f, n, tc, e);
	if (!rc && named(n->lhs, "evt.type"))
		rc = type_names(n, e);
	if (rc)
		return rc;
	if (!n->rhs || n->rhs->kind != FX_CALL)
		return filter_check_constant(f, n, e);
	rc = check_fields(f, n, tc, e);
	quantify(n);
	return rc;
}

static int check_node(struct filter *f, struct fnode *n, struct err *e)
{
	int rc = 0;

	if (n->kind == FN_TEST)
		return check_test(f, n, e);
	for (uint32_t i = 0; i < n->nkid && !rc; i++)
		rc = check_node(f, n->kid[i], e);
	return rc;
}

int filter_check(struct filter *f, struct err *e) { return check_node(f, f->root, e); }
