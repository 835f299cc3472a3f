/* The filter of enter events: which of them may have an exit event that the filter accepts. */
#include <errno.h>

#include "filter/filter_int.h"

/* Does a call's exit event show what its enter event shows? What the call is told and what it gives may differ, not
 * who makes it and on which descriptor (calls that make descriptors or change threads aside: those are kept anyway). */
static bool same_on_exit(const struct fexpr *x)
{
	static const char *const alike[] = {
		"proc.",      "user.",	     "group.",	      "container.",    "k8s.", "mesos.", "fd.",
		"thread.tid", "thread.vtid", "thread.ismain", "thread.cgroup",
	};

	if (x->kind == FX_FIELD) {
		for (unsigned i = 0; i < ARRAY_SIZE(alike); i++)
			if (!strncmp(x->ref->info->name, alike[i], strlen(alike[i])))
				return true;
		return false;
	}
	for (uint32_t i = 0; i < x->narg; i++)
		if (!same_on_exit(x->arg[i]))
			return false;
	return true;
}

/* Enter codes are even, and the words end on odd codes. */
static int types_of_enters(struct filter *f, struct fnode *c)
{
	struct fconst *k = filter_alloc(f, sizeof(*k));

	if (!k || !(k->types = arena_dup(&f->arena, c->in.c->types, sizeof(*k->types))))
		return -ENOMEM;
	for (unsigned i = 0; i < ARRAY_SIZE(k->types->code); i++)
		k->types->code[i] = k->types->code[i] >> 1 & 0x5555555555555555;
	memcpy(k->types->sc[0], k->types->sc[1], sizeof(k->types->sc[0]));
	memset(k->types->sc[1], 0, sizeof(k->types->sc[1]));
	c->in.c = k;
	return 0;
}

static int bound_partner(struct filter *f, struct fnode *c, const struct fnode *n, bool upper)
{
	if (n->in.op == FI_TYPE_IN)
		return types_of_enters(f, c);
	if (n->in.op == FI_AROUND || !same_on_exit(n->lhs) || (n->rhs && !same_on_exit(n->rhs)))
		c->kind = upper ? FN_TRUE : FN_FALSE;
	return 0;
}

int filter_partner(struct filter *f, struct err *e)
{
	f->looks_back = false; /* only evt fields do */
	return filter_upper_tree(f, f->root, bound_partner, &f->root, e);
}
