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

static bool is_pid_test(const struct fnode *n)
{
	return n->kind == FN_TEST && n->lhs && n->lhs->kind == FX_FIELD &&
	       !strcmp(n->lhs->ref->info->name, "proc.pid") && n->mod == FM_NONE &&
	       (n->in.op == FI_EQ_N || n->in.op == FI_IN_N);
}

uint32_t filter_pids(const struct filter *f, uint64_t *pids, uint32_t max)
{
	const struct fnode *n = f->root, *const one[1] = {n};
	const struct fnode *const *kid = one;
	uint32_t count = 1;

	if (f->looks_back || !n)
		return 0;
	if (n->kind == FN_AND) {
		kid = (const struct fnode *const *)n->kid;
		count = n->nkid;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!is_pid_test(kid[i]))
			continue;
		if (kid[i]->in.op == FI_IN_N)
			return fset_nums(kid[i]->in.c->set, pids, max);
		if (max)
			pids[0] = kid[i]->in.c->u;
		return 1;
	}
	return 0;
}
