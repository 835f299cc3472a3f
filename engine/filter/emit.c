/* Tree to program: slots for the values, one instruction per test, laid out in the order of
 * evaluation with ACCEPT and REJECT last. All targets lie behind the instruction. */
#include "filter/filter_int.h"

#include <errno.h>
#include <stdio.h>

/* ---- slots ----------------------------------------------------------------------------------- */

static struct fslot *add_slot(struct filter *f)
{
	if (f->nslots == f->slots_cap) {
		uint32_t cap = f->slots_cap ? 2 * f->slots_cap : 8;
		struct fslot *v = filter_alloc(f, sizeof(*v) * cap);

		if (!v)
			return NULL;
		if (f->nslots)
			memcpy(v, f->slots, sizeof(*v) * f->nslots);
		f->slots = v;
		f->slots_cap = cap;
	}
	return &f->slots[f->nslots++];
}

static int literal_slot(struct filter *f, const struct fexpr *x, struct fslot *s)
{
	uint32_t n = x->kind == FX_LIST ? x->narg : 1;
	struct value *v = filter_alloc(f, sizeof(*v) * MAX(n, 1u));

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct fexpr *t = x->kind == FX_LIST ? x->arg[i] : x;

		v[i] = (struct value){.type = PT_CHARBUF, .has = true, .len = t->len, .s = t->s};
	}
	s->kind = FS_CONST;
	s->lit = (struct value_list){v, n};
	return 0;
}

static int slot_of(struct filter *f, const struct fexpr *x, uint32_t *out);

static int call_slot(struct filter *f, const struct fexpr *x, struct fslot *s)
{
	uint32_t *arg = filter_alloc(f, sizeof(*arg) * x->narg);
	int rc = arg ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < x->narg && !rc; i++)
		rc = slot_of(f, x->arg[i], &arg[i]);
	s->kind = FS_CALL;
	s->func = x->func;
	s->opt = x->s ? x->s[0] : '\0';
	s->arg = arg;
	s->narg = x->narg;
	return rc;
}

/* The slot of an expression; equal expressions share one. val(f) is f. */
static int slot_of(struct filter *f, const struct fexpr *x, uint32_t *out)
{
	struct fslot s = {.type = x->type, .is_list = x->is_list || x->some, .span = x->span}, *at;
	int rc = 0;

	if (x->kind == FX_CALL && x->func == FF_val)
		return slot_of(f, x->arg[0], out);
	for (uint32_t i = 0; i < f->nslots; i++)
		if (f->slots[i].expr && filter_expr_same(f->slots[i].expr, x)) {
			*out = i;
			return 0;
		}
	s.expr = x;
	if (x->kind == FX_FIELD) {
		s.kind = FS_FIELD;
		s.ref = x->ref;
		s.hdr = (uint8_t)filter_hdr(x);
	} else {
		rc = x->kind == FX_CALL ? call_slot(f, x, &s) : literal_slot(f, x, &s);
	}
	at = rc ? NULL : add_slot(f);
	if (!at)
		return -ENOMEM;
	*at = s;
	*out = f->nslots - 1;
	return 0;
}

/* ---- code ------------------------------------------------------------------------------------ */

struct emitter {
	struct filter *f;
	struct fprog *p;
	uint32_t *label;	   /* instruction of each label */
	const struct fnode **node; /* of each instruction */
	uint32_t nlabels;
	int rc;
};

enum { LABEL_ACCEPT, LABEL_REJECT, LABEL_FIRST };

static void count(const struct fnode *n, uint32_t *tests, uint32_t *labels)
{
	*tests += !n->nkid;
	*labels += n->nkid;
	for (uint32_t i = 0; i < n->nkid; i++)
		count(n->kid[i], tests, labels);
}

static void emit_test(struct emitter *m, const struct fnode *n, uint32_t t, uint32_t f)
{
	struct insn in = n->in;

	if (n->kind != FN_TEST) /* a constant that was not folded */
		in = (struct insn){.op = FI_NEVER};
	else if (in.op != FI_TYPE_IN && in.op != FI_AROUND)
		m->rc = slot_of(m->f, n->lhs, &in.slot);
	if (!m->rc && n->kind == FN_TEST && n->rhs && n->rhs->kind == FX_CALL)
		m->rc = slot_of(m->f, n->rhs, &in.rhs);
	in.t = n->kind == FN_TRUE ? f : t;
	in.f = n->kind == FN_TRUE ? t : f;
	in.run = in.quant == FQ_ONE ? in.op : FI_COUNT;
	m->node[m->p->n] = n;
	m->p->src[m->p->n] = n->span;
	m->p->code[m->p->n++] = in;
}

/* Code for n that ends at label t or f. */
static void emit(struct emitter *m, const struct fnode *n, uint32_t t, uint32_t f)
{
	if (m->rc)
		return;
	if (n->kind == FN_NOT) {
		emit(m, n->kid[0], f, t);
		return;
	}
	if (!n->nkid) {
		emit_test(m, n, t, f);
		return;
	}
	for (uint32_t i = 0; i < n->nkid; i++) {
		uint32_t next = m->nlabels++;

		if (i + 1 == n->nkid)
			emit(m, n->kid[i], t, f);
		else if (n->kind == FN_AND)
			emit(m, n->kid[i], next, f);
		else
			emit(m, n->kid[i], t, next);
		m->label[next] = m->p->n;
	}
}

/* Where an event of this code starts: tests that its type decides are passed. node: of each test.
 */
static uint32_t entry(const struct fprog *p, const struct fnode **node, unsigned code)
{
	uint32_t pc = 0;

	while (pc + 2 < p->n) {
		enum fknown k = filter_known(node[pc], code);

		if (k != FK_YES && k != FK_NO)
			break;
		pc = k == FK_YES ? p->code[pc].t : p->code[pc].f;
	}
	return pc;
}

int filter_build(struct filter *f, const struct fnode *root, struct fprog *p)
{
	struct emitter m = {.f = f, .p = p, .nlabels = LABEL_FIRST};
	uint32_t tests = 0, labels = LABEL_FIRST;
	bool constant = root->kind == FN_TRUE || root->kind == FN_FALSE;

	count(root, &tests, &labels);
	p->code = filter_alloc(f, sizeof(*p->code) * (tests + 2));
	p->src = filter_alloc(f, sizeof(*p->src) * (tests + 2));
	p->entry = filter_alloc(f, sizeof(*p->entry) * EV_CODE_COUNT);
	m.label = filter_alloc(f, sizeof(*m.label) * labels);
	m.node = filter_alloc(f, sizeof(*m.node) * (tests + 2));
	if (!p->code || !p->src || !p->entry || !m.label || !m.node)
		return -ENOMEM;
	if (!constant)
		emit(&m, root, LABEL_ACCEPT, LABEL_REJECT);
	if (m.rc)
		return m.rc;
	m.label[LABEL_ACCEPT] = p->n;
	m.label[LABEL_REJECT] = p->n + 1;
	for (uint32_t i = 0; i < p->n; i++) {
		p->code[i].t = m.label[p->code[i].t];
		p->code[i].f = m.label[p->code[i].f];
	}
	p->code[p->n++].op = FI_ACCEPT;
	p->code[p->n++].op = FI_REJECT;
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		p->entry[code] = root->kind == FN_FALSE ? p->n - 1
				 : f->looks_back	? 0
							: entry(p, m.node, code);
	return 0;
}

/* ---- what follows from the tree -------------------------------------------------------------- */

static void by_type(struct filter *f)
{
	f->header_decides = !f->looks_back;
	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		enum fknown k = f->looks_back ? FK_OPEN : filter_known(f->root, code);

		if (k != FK_NO)
			f->types[code / 64] |= 1ull << (code % 64);
		f->header_decides &= k != FK_OPEN;
	}
}

/* Does the header program reject anything that the bitmap lets through? */
static bool header_useful(const struct filter *f)
{
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if ((f->types[code / 64] >> (code % 64) & 1) &&
		    f->header.code[f->header.entry[code]].op != FI_ACCEPT)
			return true;
	return false;
}

int filter_emit(struct filter *f, struct err *e)
{
	struct fnode *head;
	int rc = filter_build(f, f->root, &f->prog);

	if (rc)
		return filter_nomem(e);
	by_type(f);
	for (uint32_t i = 0; i < f->nslots; i++)
		if (f->slots[i].kind == FS_FIELD)
			f->demand |= f->slots[i].ref->demand;
	if (f->looks_back)
		return 0;
	rc = filter_upper_tree(f, f->root, filter_bound_header, &head, e);
	if (!rc && filter_build(f, head, &f->header))
		rc = filter_nomem(e);
	if (!rc && !header_useful(f))
		f->header.n = 0;
	return rc ? rc : filter_share(f, e);
}
