/* What a filter says of all events of one thread, or of one descriptor, at once. Two programs bound
 * the filter: with every test that looks at more replaced by yes (upper) and by no (lower). Each is
 * run once per thread or descriptor and batch; only events on which they differ need the filter
 * itself. */
#include "filter/filter_int.h"

/* ---- compiling ------------------------------------------------------------------------------- */

/* What the value is a function of; 0: of the event. Constants: *none is left alone. */
static unsigned expr_by(const struct fexpr *x, bool *event)
{
	unsigned by = 0;

	if (x->kind == FX_FIELD) {
		by = field_by(x->ref);
		*event |= !by;
	}
	for (uint32_t i = 0; x->kind == FX_CALL && i < x->narg; i++)
		by |= expr_by(x->arg[i], event);
	return by;
}

/* What the test is a function of; 0: of the event, or of nothing. */
static unsigned test_by(const struct fnode *n)
{
	bool event = n->in.op == FI_TYPE_IN || n->in.op == FI_AROUND;
	unsigned by = 0;

	if (!event)
		by = expr_by(n->lhs, &event) | (n->rhs ? expr_by(n->rhs, &event) : 0);
	return event ? 0 : by;
}

/* The same for every type that the filter lets through? */
static enum fknown known_for_all(const struct filter *f, const struct fnode *n)
{
	enum fknown all = FK_OPEN;
	bool first = true;

	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		if (!(f->types[code / 64] >> (code % 64) & 1))
			continue;
		enum fknown k = filter_known(n, code);

		if ((k != FK_YES && k != FK_NO) || (!first && k != all))
			return FK_OPEN;
		all = k;
		first = false;
	}
	return all;
}

static int bound_shared(struct filter *f, struct fnode *c, const struct fnode *n, bool upper,
			unsigned allowed)
{
	unsigned by = test_by(n);
	enum fknown k;

	if (by && !(by & ~allowed))
		return 0;
	k = known_for_all(f, n);
	if (k == FK_OPEN)
		c->kind = upper ? FN_TRUE : FN_FALSE;
	else
		c->kind = k == FK_YES ? FN_TRUE : FN_FALSE;
	return 0;
}

static int bound_by_thread(struct filter *f, struct fnode *c, const struct fnode *n, bool upper)
{
	return bound_shared(f, c, n, upper, FF_BY_THREAD | FF_BY_MAIN);
}

static int bound_by_fd(struct filter *f, struct fnode *c, const struct fnode *n, bool upper)
{
	return bound_shared(f, c, n, upper, FF_BY);
}

/* All that the tests of n that are left depend on; *open: one of them is left out of the bounds. */
static unsigned tree_by(const struct filter *f, const struct fnode *n, unsigned allowed, bool *open)
{
	unsigned by = n->kind == FN_TEST ? test_by(n) : 0;

	if (n->kind == FN_TEST && (!by || (by & ~allowed))) {
		*open |= known_for_all(f, n) == FK_OPEN;
		by = 0;
	}
	for (uint32_t i = 0; i < n->nkid; i++)
		by |= tree_by(f, n->kid[i], allowed, open);
	return by;
}

static int share(struct filter *f, struct fshared *s, unsigned allowed, filter_bound_fn *bound,
		 struct err *e)
{
	struct fnode *upper, *lower;
	bool open = false;
	unsigned by = tree_by(f, f->root, allowed, &open);
	int rc;

	if (!by)
		return 0;
	rc = filter_upper_tree(f, f->root, bound, &upper, e);
	if (!rc && open)
		rc = filter_lower_tree(f, f->root, bound, &lower, e);
	if (rc)
		return rc;
	if (open && upper->kind == FN_TRUE && lower->kind == FN_FALSE)
		return 0; /* they say nothing */
	if (filter_build(f, upper, &s->upper) ||
	    (open && lower->kind != FN_FALSE && filter_build(f, lower, &s->lower)))
		return filter_nomem(e);
	s->by = by;
	s->exact = !open;
	return 0;
}

int filter_share(struct filter *f, struct err *e)
{
	int rc = 0;

	if (f->looks_back || f->header_decides)
		return 0;
	rc = share(f, &f->by_thread, FF_BY_THREAD | FF_BY_MAIN, bound_by_thread, e);
	/* Tests of threads alone have been asked by then. */
	if (!rc && !f->by_thread.exact)
		rc = share(f, &f->by_fd, FF_BY, bound_by_fd, e);
	if (!(f->by_fd.by & FF_BY_FD))
		f->by_fd.by = 0;
	return rc;
}

bool filter_decided_by(const struct filter *f, unsigned *by)
{
	if (f->header_decides && !f->header.n)
		*by = 0;
	else if (f->by_thread.by && f->by_thread.exact)
		*by = f->by_thread.by;
	else if (f->by_fd.by && f->by_fd.exact)
		*by = f->by_fd.by;
	else
		return false;
	return true;
}

/* ---- running --------------------------------------------------------------------------------- */

/* Of all events of a thread or descriptor: as kept in a memo. */
enum shared_verdict { SHARED_NO = MEMO_NEW + 1, SHARED_YES, SHARED_OPEN };

static bool run(struct filter_run *r, const struct fprog *p, struct field_env *env)
{
	filter_run_next(r);
	return fprog_run(p, r, env);
}

/* env stands on one of the events. */
static enum shared_verdict verdict(struct filter_run *r, const struct fshared *s,
				   struct field_env *env)
{
	if (!run(r, &s->upper, env))
		return SHARED_NO;
	return s->exact || (s->lower.n && run(r, &s->lower, env)) ? SHARED_YES : SHARED_OPEN;
}

static NO_INLINE enum shared_verdict decide_thread(struct filter_run *r, struct field_env *env,
						   uint32_t idx, uint32_t *at)
{
	field_env_move(env, idx);
	return *at = verdict(r, &r->f->by_thread, env);
}

/* at: its place; NULL: it has none yet. */
static NO_INLINE enum shared_verdict decide_fd(struct filter_run *r, struct field_env *env,
					       uint32_t idx, uint32_t *at)
{
	field_env_move(env, idx);
	if (!at && evctx_rec_plain_fd(env->c, env->c->rec))
		at = memo_fd_new(&r->by_fd, env->c);
	return at ? *at = verdict(r, &r->f->by_fd, env) : SHARED_OPEN;
}

/* thread, fd: whether something is shared by thread, by descriptor. */
static ALWAYS_INLINE bool match_at(struct filter_run *r, struct field_env *env, uint32_t idx,
				   const bool thread, const bool fd)
{
	const struct ev_rec *rec = &env->c->b->ev[idx];
	enum shared_verdict v = SHARED_OPEN;
	uint32_t *at;

	if (!(r->f->types[rec->type / 64] >> (rec->type % 64) & 1))
		return false;
	if (thread && (at = memo_by_thread(&r->by_thread, env->c, rec)))
		v = LIKELY(*at != MEMO_NEW) ? *at : decide_thread(r, env, idx, at);
	if (fd && v == SHARED_OPEN) {
		at = memo_by_fd(&r->by_fd, env->c, idx);
		v = LIKELY(at && *at != MEMO_NEW) ? *at : decide_fd(r, env, idx, at);
	}
	if (v != SHARED_OPEN)
		return v == SHARED_YES;
	field_env_move(env, idx);
	return filter_match(r, env);
}

static ALWAYS_INLINE uint32_t match_next(struct filter_run *r, struct field_env *env,
					 const uint32_t *idx, uint32_t from, uint32_t n,
					 const bool thread, const bool fd)
{
	while (from < n && !match_at(r, env, idx[from], thread, fd))
		from++;
	return from;
}

bool filter_match_at(struct filter_run *r, struct field_env *env, uint32_t idx)
{
	return match_at(r, env, idx, r->f->by_thread.by != 0, r->f->by_fd.by != 0);
}

uint32_t filter_match_next(struct filter_run *r, struct field_env *env, const uint32_t *idx,
			   uint32_t from, uint32_t n)
{
	bool thread = r->f->by_thread.by != 0;

	if (r->f->by_fd.by)
		return thread ? match_next(r, env, idx, from, n, true, true)
			      : match_next(r, env, idx, from, n, false, true);
	return match_next(r, env, idx, from, n, thread, false);
}
