/* What can be said about a filter before there is an event, for a live capture: which types and
 * which processes its events can be of. Works on the tree; never claims too much. */
#include "filter/filter_int.h"

enum answer { NO, MAYBE, YES };

static enum answer ask_test(const struct fnode *n, unsigned code, unsigned sc)
{
	const struct ftypes *t;

	if (n->in.op == FI_NEVER)
		return NO;
	if (n->in.op != FI_TYPE_IN)
		return MAYBE;
	t = n->in.c->types;
	if (code != EV_GENERIC_E && code != EV_GENERIC_X)
		return t->code[code / 64] >> code % 64 & 1 ? YES : NO;
	sc = MIN(sc, (unsigned)FILTER_SC_MAX);
	return t->sc[code == EV_GENERIC_X][sc / 64] >> sc % 64 & 1 ? YES : NO;
}

static enum answer ask(const struct fnode *n, unsigned code, unsigned sc)
{
	enum answer all;

	switch (n->kind) {
	case FN_TRUE:
		return YES;
	case FN_FALSE:
		return NO;
	case FN_TEST:
		return ask_test(n, code, sc);
	case FN_NOT:
		return (enum answer)(YES - ask(n->kid[0], code, sc));
	default:
		break;
	}
	all = n->kind == FN_AND ? YES : NO;
	for (uint32_t i = 0; i < n->nkid; i++) {
		enum answer a = ask(n->kid[i], code, sc);

		all = n->kind == FN_AND ? MIN(all, a) : MAX(all, a);
	}
	return all;
}

bool filter_may_select(const struct filter *f, unsigned code, unsigned sc)
{
	/* Fields that look back count evaluations: such a filter must see every event. */
	return f->looks_back || !f->root || ask(f->root, code, sc) != NO;
}

/* A test of a field's plain value. */
static bool tests(const struct fnode *n, const char *field, unsigned op, unsigned set_op)
{
	return n->kind == FN_TEST && n->lhs && n->lhs->kind == FX_FIELD &&
	       !strcmp(n->lhs->ref->info->name, field) && n->mod == FM_NONE &&
	       (n->in.op == op || n->in.op == set_op);
}

/* The numbers that the field may have; a list that is too long is no limit. */
static void push_numbers(const struct fnode *n, const char *field, uint32_t *out, uint32_t *count)
{
	uint64_t v[FILTER_PUSH_MAX];
	uint32_t k = 1;

	if (*count || !tests(n, field, FI_EQ_N, FI_IN_N))
		return;
	if (n->in.op == FI_IN_N)
		k = fset_nums(n->in.c->set, v, FILTER_PUSH_MAX);
	else
		v[0] = n->in.c->u;
	if (k > FILTER_PUSH_MAX)
		return;
	for (uint32_t i = 0; i < k; i++)
		out[i] = (uint32_t)v[i];
	*count = k;
}

static void push_text(const struct fnode *n, const char *field, char *out, size_t cap)
{
	const struct ftext *t;

	if (*out || !tests(n, field, FI_EQ_T, FI_EQ_T))
		return;
	t = &n->in.c->text;
	if (!t->len || t->len >= cap || memchr(t->s, 0, t->len))
		return;
	memcpy(out, t->s, t->len);
	out[t->len] = 0;
}

void filter_push(const struct filter *f, struct filter_push *p)
{
	const struct fnode *n = f->root, *const one[1] = {n};
	const struct fnode *const *kid = one;
	uint32_t count = 1;

	*p = (struct filter_push){.npids = 0};
	if (f->looks_back || !n)
		return;
	if (n->kind == FN_AND) {
		kid = (const struct fnode *const *)n->kid;
		count = n->nkid;
	}
	for (uint32_t i = 0; i < count; i++) {
		push_numbers(kid[i], "proc.pid", p->pids, &p->npids);
		push_numbers(kid[i], "user.uid", p->uids, &p->nuids);
		push_text(kid[i], "proc.name", p->comm, sizeof(p->comm));
		push_text(kid[i], "container.id", p->container, sizeof(p->container));
	}
	/* the threads of the host are those of no container */
	if (!strcmp(p->container, "host"))
		p->container[0] = 0;
}
