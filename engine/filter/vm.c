/* Runs programs. A filter run belongs to one worker; slots are filled when first needed and kept
 * for the event, so a field is extracted at most once. Bounds were checked by verify.c, so the loop
 * checks none. */
#include "filter/filter_int.h"

#include <strings.h>

/* ---- values ---------------------------------------------------------------------------------- */

static NO_INLINE void slot_fill_rare(struct filter_run *r, struct field_env *env, uint32_t i)
{
	const struct fslot *s = &r->f->slots[i];
	struct slot_state *st = &r->slots[i];

	st->l = (struct value_list){NULL, 0};
	st->v.has = false;
	if (s->kind == FS_FIELD) {
		field_get_list(s->ref, env, &st->l);
	} else if (s->kind == FS_CALL) {
		filter_call(s, r, env, &st->v, &st->l);
	} else {
		st->l = s->lit;
		if (s->lit.n)
			st->v = s->lit.v[0];
	}
}

static NO_INLINE void slot_fill(struct filter_run *r, struct field_env *env, uint32_t i)
{
	const struct fslot *s = &r->f->slots[i];

	r->slots[i].gen = r->gen;
	if (LIKELY(s->kind == FS_FIELD && !s->is_list))
		field_get(s->ref, env, &r->slots[i].v);
	else
		slot_fill_rare(r, env, i);
}

static ALWAYS_INLINE const struct value *scalar(struct filter_run *r, struct field_env *env,
						uint32_t i)
{
	if (r->slots[i].gen != r->gen)
		slot_fill(r, env, i);
	return &r->slots[i].v;
}

const struct value *slot_value(struct filter_run *r, struct field_env *env, uint32_t i)
{
	return scalar(r, env, i);
}

const struct value_list *slot_list(struct filter_run *r, struct field_env *env, uint32_t i)
{
	if (r->slots[i].gen != r->gen)
		slot_fill(r, env, i);
	return &r->slots[i].l;
}

/* ---- single tests ---------------------------------------------------------------------------- */

static ALWAYS_INLINE bool text_eq(const struct value *v, const struct ftext *c)
{
	return v->len == c->len && (!c->len || !memcmp(v->s, c->s, c->len));
}

static int text_cmp(const struct value *v, const struct ftext *c)
{
	uint32_t n = MIN(v->len, c->len);
	int d = n ? memcmp(v->s, c->s, n) : 0;

	return d ? d : v->len < c->len ? -1 : v->len > c->len;
}

static bool starts(const struct value *v, const struct ftext *c)
{
	return v->len >= c->len && (!c->len || !memcmp(v->s, c->s, c->len));
}

static bool ends(const struct value *v, const struct ftext *c)
{
	return v->len >= c->len && (!c->len || !memcmp(v->s + v->len - c->len, c->s, c->len));
}

static bool in_doubles(double d, const struct fconst *c)
{
	for (uint32_t i = 0; i < c->dbls.n; i++)
		if (c->dbls.v[i] == d)
			return true;
	return false;
}

static bool in_net(const struct value *v, const struct fnet *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	const uint8_t *a = (const uint8_t *)v->s;

	if (v->len != n->len || memcmp(a, n->addr, whole))
		return false;
	return !rest || !((a[whole] ^ n->addr[whole]) >> (8 - rest));
}

static bool in_nets(const struct value *v, const struct fconst *c)
{
	for (uint32_t i = 0; i < c->nets.n; i++)
		if (in_net(v, &c->nets.v[i]))
			return true;
	return false;
}

static bool count_of(const struct insn *in, struct fregex_data *rd, const struct value *v)
{
	uint32_t hits = 0;

	for (uint32_t i = 0; i < in->c->many.n; i++) {
		struct insn one = {.op = in->sub, .c = &in->c->many.v[i]};
		bool hit = insn_test(&one, rd, v);

		if (in->mode == FM_ANYOF && hit)
			return true;
		if (in->mode == FM_ALLOF && !hit)
			return false;
		hits += hit;
	}
	return in->mode == FM_ALLOF || (in->mode == FM_ONEOF && hits == 1);
}

static ALWAYS_INLINE bool test(unsigned op, const struct fconst *c, const struct value *v)
{
	switch (op) {
	case FI_EQ_N:
		return v->u == c->u;
	case FI_NE_N:
		return v->u != c->u;
	case FI_LT_S:
		return v->i < c->i;
	case FI_LE_S:
		return v->i <= c->i;
	case FI_GT_S:
		return v->i > c->i;
	case FI_GE_S:
		return v->i >= c->i;
	case FI_LT_U:
		return v->u < c->u;
	case FI_LE_U:
		return v->u <= c->u;
	case FI_GT_U:
		return v->u > c->u;
	case FI_GE_U:
		return v->u >= c->u;
	case FI_EQ_D:
		return v->d == c->d;
	case FI_NE_D:
		return v->d != c->d;
	case FI_LT_D:
		return v->d < c->d;
	case FI_LE_D:
		return v->d <= c->d;
	case FI_GT_D:
		return v->d > c->d;
	case FI_GE_D:
		return v->d >= c->d;
	case FI_EQ_T:
		return text_eq(v, &c->text);
	case FI_NE_T:
		return !text_eq(v, &c->text);
	case FI_LT_T:
		return text_cmp(v, &c->text) < 0;
	case FI_LE_T:
		return text_cmp(v, &c->text) <= 0;
	case FI_GT_T:
		return text_cmp(v, &c->text) > 0;
	case FI_GE_T:
		return text_cmp(v, &c->text) >= 0;
	case FI_CONTAINS:
		return text_contains(v->s, v->len, c->text.s, c->text.len);
	case FI_STARTS:
		return starts(v, &c->text);
	case FI_ENDS:
		return ends(v, &c->text);
	default:
		return false;
	}
}

bool insn_test(const struct insn *in, struct fregex_data *rd, const struct value *v)
{
	const struct fconst *c = in->c;

	switch (in->op) {
	case FI_HAS:
		return true;
	case FI_IN_N:
		return fset_has_num(c->set, v->u);
	case FI_IN_D:
		return in_doubles(v->d, c);
	case FI_IN_T:
		return fset_has_text(c->set, v->s, v->len);
	case FI_ICONTAINS:
		return text_icontains(v->s, v->len, c->text.s, c->text.len);
	case FI_GLOB:
	case FI_IGLOB:
		return fglob_match(c->glob, v->s, v->len);
	case FI_REGEX:
		return fregex_match(c->regex, rd, v->s, v->len);
	case FI_PMATCH:
		return text_pmatch(c->paths, v->s, v->len);
	case FI_CONTAINS_ANY:
		return fsubstr_find(c->substr, v->s, v->len);
	case FI_COUNT_OF:
		return count_of(in, rd, v);
	case FI_IN_NET:
		return in_nets(v, c);
	case FI_OUT_NET:
		return !in_nets(v, c);
	default:
		return test(in->op, c, v);
	}
}

/* ---- two slots ------------------------------------------------------------------------------- */

static bool icontains(const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i + b->len <= a->len; i++)
		if (!b->len || !strncasecmp(a->s + i, b->s, b->len))
			return true;
	return false;
}

bool insn_compare(unsigned sub, const struct value *a, const struct value *b)
{
	struct fconst c = {0};

	if (sub == FI_GLOB || sub == FI_IGLOB)
		return glob_match_text(b->s, b->len, sub == FI_IGLOB, a->s, a->len);
	if (sub == FI_ICONTAINS)
		return icontains(a, b);
	if (sub >= FI_EQ_T && sub <= FI_ENDS)
		c.text = (struct ftext){b->s, b->len};
	else
		c.u = b->u;
	return test(sub, &c, a);
}

static bool value_eq(const struct value *a, const struct value *b)
{
	switch (a->type) {
	case PT_CHARBUF:
	case PT_FSPATH:
	case PT_FSRELPATH:
	case PT_BYTEBUF:
	case PT_IPADDR:
	case PT_IPV4ADDR:
	case PT_IPV6ADDR:
		return insn_compare(FI_EQ_T, a, b);
	case PT_DOUBLE:
		return a->d == b->d;
	default:
		return a->u == b->u;
	}
}

/* The values of a slot: a list, or the one value of a scalar that has one. */
static struct value_list values(struct filter_run *r, struct field_env *env, uint32_t slot)
{
	const struct value *v;

	if (r->f->slots[slot].is_list)
		return *slot_list(r, env, slot);
	v = slot_value(r, env, slot);
	return (struct value_list){v, v->has};
}

static NO_INLINE bool in_slot(struct filter_run *r, struct field_env *env, const struct insn *in)
{
	struct value_list a = values(r, env, in->slot), b;
	bool all = in->op == FI_IN_SLOT, found = false;

	if (!a.n)
		return false;
	b = values(r, env, in->rhs);
	for (uint32_t i = 0; i < a.n; i++, found = false) {
		for (uint32_t k = 0; k < b.n && !found; k++)
			found = value_eq(&a.v[i], &b.v[k]);
		if (found != all)
			return found;
	}
	return all;
}

static NO_INLINE bool cmp_slot(struct filter_run *r, struct field_env *env, const struct insn *in)
{
	const struct value *a = slot_value(r, env, in->slot), *b;

	if (!a->has)
		return false;
	b = slot_value(r, env, in->rhs);
	return b->has && insn_compare(in->sub, a, b);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static NO_INLINE bool several(struct filter_run *r, struct field_env *env, const struct insn *in)
{
	const struct value_list *l = slot_list(r, env, in->slot);
	bool all = in->quant == FQ_ALL;

	for (uint32_t i = 0; i < l->n; i++)
		if (insn_test(in, r->regex, &l->v[i]) != all)
			return !all;
	return all && l->n;
}

static NO_INLINE bool has(struct filter_run *r, struct field_env *env, uint32_t slot)
{
	return r->f->slots[slot].is_list ? slot_list(r, env, slot)->n > 0
					 : slot_value(r, env, slot)->has;
}

static bool around(const struct fconst *c, uint64_t ts)
{
	return (ts > c->around.ts ? ts - c->around.ts : c->around.ts - ts) <= c->around.dist_ns;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* A test of one value that is short enough to stand in the loop. */
#define SCALAR(name, test)                    \
	case FI_##name:                       \
		v = scalar(r, env, in->slot); \
		yes = v->has && (test);       \
		break

bool fprog_run(const struct fprog *p, struct filter_run *r, struct field_env *env)
{
	const struct event *ev = &env->c->ev;
	uint32_t pc = p->entry[ev->type], end = p->n - 2; /* ACCEPT; REJECT behind it */

	while (pc < end) {
		const struct insn *in = &p->code[pc];
		const struct value *v;
		bool yes;

		switch (in->run) {
			SCALAR(EQ_N, v->u == in->c->u);
			SCALAR(NE_N, v->u != in->c->u);
			SCALAR(LT_S, v->i < in->c->i);
			SCALAR(LE_S, v->i <= in->c->i);
			SCALAR(GT_S, v->i > in->c->i);
			SCALAR(GE_S, v->i >= in->c->i);
			SCALAR(LT_U, v->u < in->c->u);
			SCALAR(LE_U, v->u <= in->c->u);
			SCALAR(GT_U, v->u > in->c->u);
			SCALAR(GE_U, v->u >= in->c->u);
			SCALAR(EQ_T, text_eq(v, &in->c->text));
			SCALAR(NE_T, !text_eq(v, &in->c->text));
			SCALAR(STARTS, starts(v, &in->c->text));
			SCALAR(ENDS, ends(v, &in->c->text));
			SCALAR(CONTAINS,
			       text_contains(v->s, v->len, in->c->text.s, in->c->text.len));
			SCALAR(IN_N, fset_has_num(in->c->set, v->u));
			SCALAR(IN_T, fset_has_text(in->c->set, v->s, v->len));
		case FI_NEVER:
			yes = false;
			break;
		case FI_TYPE_IN:
			yes = ftypes_match(in->c->types, ev);
			break;
		case FI_AROUND:
			yes = around(in->c, ev->ts);
			break;
		case FI_HAS:
			yes = has(r, env, in->slot);
			break;
		case FI_CMP_SLOT:
			yes = cmp_slot(r, env, in);
			break;
		case FI_IN_SLOT:
		case FI_MEETS_SLOT:
			yes = in_slot(r, env, in);
			break;
		case FI_COUNT:
			yes = several(r, env, in);
			break;
		default:
			v = scalar(r, env, in->slot);
			yes = v->has && insn_test(in, r->regex, v);
		}
		pc = yes ? in->t : in->f;
	}
	return pc == end;
}

/* The digest has the event alone. */
static NO_INLINE bool test_header(const struct filter *f, const struct insn *in, const struct event *ev)
{
	struct value v = {.has = true};

	switch (f->slots[in->slot].hdr) {
	case FH_CPU:
		v.i = (int16_t)ev->cpu;
		break;
	case FH_TID:
		v.i = ev->tid;
		break;
	default:
		v.u = ev->ts;
		break;
	}
	return insn_test(in, NULL, &v);
}

bool fprog_run_header(const struct filter *f, const struct fprog *p, const struct event *ev)
{
	uint32_t pc = p->entry[ev->type];

	for (;;) {
		const struct insn *in = &p->code[pc];
		bool yes;

		switch (in->op) {
		case FI_ACCEPT:
			return true;
		case FI_REJECT:
			return false;
		case FI_NEVER:
			yes = false;
			break;
		case FI_TYPE_IN:
			yes = ftypes_match(in->c->types, ev);
			break;
		case FI_AROUND:
			yes = around(in->c, ev->ts);
			break;
		default:
			yes = test_header(f, in, ev);
		}
		pc = yes ? in->t : in->f;
	}
}
