/* Syntax tree to typed tree: looks fields up, decides the type of every expression, checks
 * operators against types and turns every test into one instruction with its constant. */
#include "filter/filter_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum filter_class filter_class_of(uint8_t type)
{
	switch (type) {
	case PT_INT8:
	case PT_INT16:
	case PT_INT32:
	case PT_INT64:
	case PT_ERRNO:
	case PT_FD:
	case PT_PID:
	case PT_FD32:
	case PT_PID32:
		return TC_SIGNED;
	case PT_UINT8:
	case PT_UINT16:
	case PT_UINT32:
	case PT_UINT64:
	case PT_PORT:
	case PT_FLAGS8:
	case PT_FLAGS16:
	case PT_FLAGS32:
	case PT_ENUMFLAGS8:
	case PT_ENUMFLAGS16:
	case PT_ENUMFLAGS32:
	case PT_MODE:
	case PT_SYSCALLID:
	case PT_SIGTYPE:
	case PT_RELTIME:
	case PT_ABSTIME:
		return TC_UNSIGNED;
	case PT_DOUBLE:
		return TC_DOUBLE;
	case PT_BOOL:
		return TC_BOOL;
	case PT_CHARBUF:
	case PT_FSPATH:
	case PT_FSRELPATH:
		return TC_TEXT;
	case PT_BYTEBUF:
		return TC_BYTES;
	case PT_IPADDR:
	case PT_IPV4ADDR:
	case PT_IPV6ADDR:
		return TC_ADDR;
	case PT_IPNET:
	case PT_IPV4NET:
	case PT_IPV6NET:
		return TC_NET;
	default:
		return TC_NONE;
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
	[TC_TEXT] = EQUAL | ORDER | BIT(CONTAINS) | BIT(ICONTAINS) | BIT(STARTSWITH) |
		    BIT(ENDSWITH) | BIT(GLOB) | BIT(IGLOB) | BIT(REGEX) | BIT(PMATCH),
	[TC_BYTES] = EQUAL | BIT(CONTAINS) | BIT(STARTSWITH) | BIT(ENDSWITH) | BIT(BCONTAINS) |
		     BIT(BSTARTSWITH),
	[TC_ADDR] = EQUAL,
	[TC_NET] = EQUAL,
};

/* What x is, for messages. */
static const char *describe(const struct fexpr *x)
{
	static const char *const one[] = {
		[TC_SIGNED] = "a number",
		[TC_UNSIGNED] = "a number",
		[TC_DOUBLE] = "a number",
		[TC_BOOL] = "true or false",
		[TC_TEXT] = "a text",
		[TC_BYTES] = "a buffer",
		[TC_ADDR] = "an address",
		[TC_NET] = "a network",
		[TC_NONE] = "a value that cannot be compared",
	};
	static const char *const many[] = {
		[TC_SIGNED] = "a list of numbers",
		[TC_UNSIGNED] = "a list of numbers",
		[TC_DOUBLE] = "a list of numbers",
		[TC_BOOL] = "a list of truth values",
		[TC_TEXT] = "a list of texts",
		[TC_BYTES] = "a list of buffers",
		[TC_ADDR] = "a list of addresses",
		[TC_NET] = "a list of networks",
		[TC_NONE] = "a list that cannot be compared",
	};

	return (x->is_list ? many : one)[filter_class_of(x->type)];
}

/* ---- fields ---------------------------------------------------------------------------------- */

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
static int get_ref(struct filter *f, const char *text, size_t len, uint32_t pos,
		   struct field_ref **out, struct err *e)
{
	struct field_ref *ref = new_ref(f);
	struct err why = {.pos = 0};
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
		return err_set(e, ERR_SYNTAX, pos, "unknown field '%.*s'%s%s%s", (int)MIN(len, 80),
			       text,
			       n.best ? ", did you mean '" : ": expected a field such as proc.name",
			       n.best ? n.best : "", n.best ? "'?" : "");
	}
	return 0;
}

/* Fields whose test holds if it holds for one of several values: both ends of a socket, all
 * ancestors. */
static bool has_several(const struct field_ref *ref)
{
	static const char *const ends[] = {"fd.ip", "fd.port", "fd.proto", "fd.net"};
	static const char *const up[] = {"proc.aname", "proc.aexe",	"proc.aexepath",
					 "proc.apid",  "proc.acmdline", "proc.aargs",
					 "proc.aenv"};

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
		if (!strcmp(ref->info->name, ends[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_SIZE(up); i++)
		if (!strcmp(ref->info->name, up[i]))
			return ref->arg_kind != FA_INDEX;
	return false;
}

static int check_field(struct filter *f, struct fexpr *x, struct err *e)
{
	int rc = get_ref(f, f->text + x->span.pos, x->span.len, x->span.pos, &x->ref, e);

	if (rc)
		return rc;
	if (x->ref->info->flags & FF_PRINT_ONLY)
		return err_set(e, ERR_SYNTAX, x->span.pos,
			       "%s can only be printed: expected a field that filters can test",
			       x->ref->info->name);
	x->type = x->ref->type;
	x->is_list = x->ref->info->flags & FF_LIST;
	x->some = has_several(x->ref);
	if (x->ref->info->flags & FF_LOOKS_BACK) {
		x->ref->place = f->places++;
		f->looks_back = true;
	}
	return filter_set_possible(f, x) ? filter_nomem(e) : 0;
}

/* ---- transformers ---------------------------------------------------------------------------- */

static int bad_arg(const struct fexpr *call, const struct fexpr *a, const char *expected,
		   struct err *e)
{
	return err_set(e, ERR_SYNTAX, a->span.pos, "%s() got %s: expected %s",
		       filter_func_table[call->func].name, describe(a), expected);
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
			return err_set(e, ERR_SYNTAX, a->span.pos,
				       "%s() cannot take %s: the field takes no transformer",
				       filter_func_table[x->func].name, a->ref->info->name);
		a->some = false;
	}
	return 0;
}

static bool is_text(const struct fexpr *a)
{
	return filter_class_of(a->type) == TC_TEXT;
}
static bool is_bytes(const struct fexpr *a)
{
	return is_text(a) || filter_class_of(a->type) == TC_BYTES;
}

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
	case FF_tolower:
	case FF_toupper:
	case FF_basename:
		return is_text(a) ? 0 : bad_arg(x, a, "a text", e);
	case FF_b64:
		return is_bytes(a) && !a->is_list ? 0 : bad_arg(x, a, "one text or buffer", e);
	case FF_len:
		x->type = PT_UINT64;
		x->is_list = false;
		return a->is_list || is_bytes(a) ? 0
						 : bad_arg(x, a, "a text, a buffer or a list", e);
	case FF_join:
		if (a->is_list || !is_text(a))
			return bad_arg(x, a, "the separator as one text first", e);
		x->is_list = false;
		x->type = PT_CHARBUF;
		return x->arg[1]->is_list && is_text(x->arg[1])
			       ? 0
			       : bad_arg(x, x->arg[1], "a list of texts second", e);
	case FF_concat:
		x->type = PT_CHARBUF;
		for (uint32_t i = 0; i < x->narg; i++)
			if (x->arg[i]->is_list || !is_text(x->arg[i]))
				return bad_arg(x, x->arg[i], "single texts", e);
		return 0;
	case FF_getopt:
		return check_getopt(x, e);
	default: /* val */
		return a->kind == FX_FIELD
			       ? 0
			       : err_set(e, ERR_SYNTAX, a->span.pos, "val() takes a plain field");
	}
}

static int check_expr(struct filter *f, struct fexpr *x, struct err *e)
{
	switch (x->kind) {
	case FX_FIELD:
		return check_field(f, x, e);
	case FX_CALL:
		return check_call(f, x, e);
	default:
		x->type = PT_CHARBUF;
		return 0; /* literals inside transformers */
	}
}

/* ---- field against field --------------------------------------------------------------------- */

static bool no_rhs(const struct fexpr *x)
{
	if (x->kind == FX_FIELD)
		return x->ref->info->flags & FF_NO_RHS;
	for (uint32_t i = 0; x->kind == FX_CALL && i < x->narg; i++)
		if (no_rhs(x->arg[i]))
			return true;
	return false;
}

static int check_fields(struct filter *f, struct fnode *n, enum filter_class tc, struct err *e)
{
	int rc = check_expr(f, n->rhs, e);

	if (rc)
		return rc;
	if (n->lhs->some || no_rhs(n->lhs) || no_rhs(n->rhs) || tc == TC_NET)
		return err_set(e, ERR_SYNTAX, n->rhs->span.pos,
			       "%.*s cannot be compared with another field",
			       (int)MIN(no_rhs(n->rhs) ? n->rhs->span.len : n->lhs->span.len, 80u),
			       f->text + (no_rhs(n->rhs) ? n->rhs->span.pos : n->lhs->span.pos));
	if (n->fop == FO_REGEX || n->fop == FO_PMATCH || n->fop == FO_BCONTAINS ||
	    n->fop == FO_BSTARTSWITH)
		return err_set(e, ERR_SYNTAX, n->rhs->span.pos,
			       "'%s' cannot compare two fields: expected a literal",
			       filter_op_name[n->fop]);
	if (n->rhs->type != n->lhs->type || n->rhs->is_list != n->lhs->is_list)
		return err_set(
			e, ERR_SYNTAX, n->rhs->span.pos,
			"the right side is %s (%s), the left side %s (%s): expected the same "
			"type on both",
			describe(n->rhs), field_type_name(n->rhs->type), describe(n->lhs),
			field_type_name(n->lhs->type));
	if (n->fop == FO_IN || n->fop == FO_INTERSECTS) {
		n->in.op = n->fop == FO_IN ? FI_IN_SLOT : FI_MEETS_SLOT;
		return 0;
	}
	n->in.op = FI_CMP_SLOT;
	n->in.sub = filter_scalar_op(tc, n->fop);
	return 0;
}

/* ---- tests with rules of their own ----------------------------------------------------------- */

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
		return err_set(e, ERR_SYNTAX, lit->span.pos, "unknown event type '%.*s'%s%s%s",
			       (int)MIN(lit->len, 60), lit->s,
			       near.best ? ", did you mean '"
					 : ": expected the name of an event or system call",
			       near.best ? near.best : "", near.best ? "'?" : "");
	}
	return 0;
}

/* evt.time and its kin are texts; against a full date they compare the time stamp itself. */
static int date_test(struct filter *f, struct fnode *n, struct err *e)
{
	static const char *const texts[] = {"evt.time", "evt.time.s", "evt.time.iso8601",
					    "evt.datetime", "evt.datetime.s"};
	bool order = n->fop == FO_LT || n->fop == FO_LE || n->fop == FO_GT || n->fop == FO_GE,
	     is_time = false;
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
	if (filter_whole_seconds(
		    n->lhs->ref->info->name)) { /* the printed second s covers [s, s + 1) */
		uint64_t sec = ns / 1000000000, frac = ns % 1000000000;

		ns = (sec + (n->fop == FO_GT || n->fop == FO_LE || frac)) * 1000000000;
		n->fop = n->fop == FO_GT ? FO_GE : n->fop == FO_LE ? FO_LT : n->fop;
	}
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)ns);
	lit->s = arena_dup(&f->arena, digits, strlen(digits) + 1);
	lit->len = (uint32_t)strlen(digits);
	n->lhs->type = PT_ABSTIME;
	return lit->s ? get_ref(f, "evt.rawtime", 11, n->lhs->span.pos, &n->lhs->ref, e)
		      : filter_nomem(e);
}

/* ---- one test -------------------------------------------------------------------------------- */

static int bad_op(const struct filter *f, const struct fnode *n, struct err *e)
{
	const struct fexpr *l = n->lhs;

	return err_set(e, ERR_SYNTAX, n->op_pos,
		       "'%s' does not apply to %.*s, which is %s: expected %s",
		       filter_op_name[n->fop], (int)MIN(l->span.len, 60u), f->text + l->span.pos,
		       describe(l),
		       l->is_list ? "in, intersects or exists"
				  : "an operator of its type, such as = or in");
}

static int check_operator(const struct filter *f, const struct fnode *n, enum filter_class tc,
			  struct err *e)
{
	bool allowed = tc == TC_NONE ? n->fop == FO_EXISTS : ops_of[tc] >> n->fop & 1;

	if (n->lhs->is_list && !(SETS >> n->fop & 1))
		allowed = false;
	if (filter_named(n->lhs, "evt.around"))
		allowed = true;
	return allowed ? 0 : bad_op(f, n, e);
}

static int check_test(struct filter *f, struct fnode *n, struct err *e)
{
	enum filter_class tc;
	int rc = check_expr(f, n->lhs, e);

	if (!rc && n->rhs)
		rc = date_test(f, n, e);
	if (rc)
		return rc;
	tc = filter_class_of(n->lhs->type);
	rc = check_operator(f, n, tc, e);
	if (!rc && filter_named(n->lhs, "evt.type"))
		rc = type_names(n, e);
	if (rc)
		return rc;
	if (!n->rhs || n->rhs->kind != FX_CALL)
		return filter_check_constant(f, n, e);
	return check_fields(f, n, tc, e);
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

int filter_check(struct filter *f, struct err *e)
{
	return check_node(f, f->root, e);
}
