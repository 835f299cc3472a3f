/* Which event types can give a field a value at all. Only rules that follow from the event table
 * and from what engine/field documents; whatever is not named here may have a value on every event.
 * tests/diff/fold.py holds every filter against its unfolded self on real traces. */
#include "filter/filter_int.h"

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* Descriptors belong to events whose type creates, uses or closes one. */
static bool has_fd(const struct event_info *i, bool compat029)
{
	uint32_t flags = compat029 ? i->flags_029 : i->flags | i->flags_029;

	return flags & (EF_CREATES_FD | EF_USES_FD | EF_DESTROYS_FD);
}

/* An enter event that is not told a descriptor leads to none: it has a number, -1, at most. */
static bool has_fd_entry(const struct event_info *i, unsigned code, bool compat029)
{
	uint32_t flags = compat029 ? i->flags_029 : i->flags | i->flags_029;

	return has_fd(i, compat029) && (code & 1 || (flags & EF_USES_FD));
}

static bool has_param(const struct event_info *i, const char *name)
{
	for (unsigned k = 0; k < MAX(i->nparams, i->nparams_029); k++)
		if (!strcmp(i->params[k].name, name))
			return true;
	return false;
}

enum rule { R_NONE, R_FD, R_FD_ENTRY, R_PARAM, R_POSITION, R_DATA, R_EXIT };

static enum rule rule_of(const struct field_ref *r)
{
	const char *name = r->info->name;

	if (!strcmp(name, "fd.types"))
		return R_NONE;
	if (!strcmp(name, "fd.num") || !strcmp(name, "fd.uid") || !strcmp(name, "fd.typechar"))
		return R_FD;
	if (starts(name, "fd."))
		return R_FD_ENTRY;
	if (!strcmp(name, "evt.arg") || !strcmp(name, "evt.rawarg"))
		return r->arg_kind == FA_TEXT	 ? R_PARAM
		       : r->arg_kind == FA_INDEX ? R_POSITION
						 : R_NONE;
	if (!strcmp(name, "evt.buffer"))
		return R_DATA;
	if (!strcmp(name, "evt.rawres") || !strcmp(name, "evt.res") || starts(name, "evt.buflen") ||
	    !strcmp(name, "evt.wait_latency"))
		return R_EXIT;
	return R_NONE;
}

static bool possible(enum rule rule, const struct field_ref *r, unsigned code, bool compat029)
{
	const struct event_info *i = &event_table[code];

	switch (rule) {
	case R_FD:
		/* The event of no call stands for a descriptor of the process list (--filter-proclist). */
		return code == EV_SCAPEVENT_X || has_fd(i, compat029);
	case R_FD_ENTRY:
		return code == EV_SCAPEVENT_X || has_fd_entry(i, code, compat029);
	case R_PARAM:
		return has_param(i, r->arg_text);
	case R_POSITION:
		return r->arg_index >= 0 && r->arg_index < MAX(i->nparams, i->nparams_029);
	case R_DATA:
		return has_param(i, "data");
	case R_EXIT:
		return code & 1;
	default:
		return true;
	}
}

bool filter_field_possible(const struct field_ref *r, unsigned code, bool compat029)
{
	return possible(rule_of(r), r, code, compat029);
}

int filter_set_possible(struct filter *f, struct fexpr *x)
{
	enum rule rule = rule_of(x->ref);
	uint64_t *bits;

	if (rule == R_NONE)
		return 0;
	bits = filter_alloc(f, sizeof(uint64_t) * FILTER_CODE_WORDS);
	if (!bits)
		return filter_nomem(NULL);
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if (possible(rule, x->ref, code, f->compat029))
			bits[code / 64] |= 1ull << (code % 64);
	x->possible = bits;
	return 0;
}

int filter_set_waits(struct filter *f, struct fnode *n)
{
	bool more = n->in.op == FI_GT_U || (n->in.op == FI_GE_U && n->in.c->u);
	struct demand d = {.compat029 = f->compat029};
	uint64_t *bits;

	if (!more || !filter_named(n->lhs, "evt.latency"))
		return 0;
	bits = filter_alloc(f, sizeof(uint64_t) * FILTER_CODE_WORDS);
	if (!bits)
		return filter_nomem(NULL);
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if (evctx_type_latency(&d, code))
			bits[code / 64] |= 1ull << (code % 64);
	n->lhs->possible = bits;
	return 0;
}

/* A transformer has no value when an argument has none. */
bool filter_expr_never(const struct fexpr *x, unsigned code)
{
	if (x->kind == FX_FIELD)
		return x->possible && !(x->possible[code / 64] >> (code % 64) & 1);
	for (uint32_t i = 0; x->kind == FX_CALL && i < x->narg; i++)
		if (filter_expr_never(x->arg[i], code))
			return true;
	return false;
}
