#include "state/sock_draft.h"

#include <stddef.h>

bool fd_name_is(struct apply *a, const struct fd_ver *f, const char *s, size_t len, bool compat029)
{
	uint32_t n;
	const char *old = fd_name_now(a, f, compat029, &n);

	return n == len && memcmp(old, s, len) == 0;
}

void draft_begin(struct draft *d, const struct fd_ver *old)
{
	d->old = old;
	fd_value_copy(&d->f, old);
	d->f.flags &= (uint16_t)~FDF_NAME_CHANGED;
	d->tuple_name = false;
}

static bool same_ends(const struct fd_ver *x, const struct fd_ver *y)
{
	return x->sport == y->sport && x->dport == y->dport && memcmp(x->sip, y->sip, 16) == 0 &&
	       memcmp(x->dip, y->dip, 16) == 0;
}

static bool draft_is_noop(const struct draft *d)
{
	const uint16_t seen = (uint16_t)~FDF_NAME_CHANGED;

	return d->f.kind == d->old->kind && d->f.l4proto == d->old->l4proto &&
	       (d->f.flags & seen) == (d->old->flags & seen) && same_ends(&d->f, d->old) &&
	       (!d->tuple_name || (d->old->flags & FDF_TUPLE_NAME));
}

static bool shows_ports(const struct fd_ver *f)
{
	return f->l4proto == L4_TCP || f->l4proto == L4_UDP;
}

/* Whether the addresses of the draft spell another name than the old one. */
static bool tuple_name_differs(struct apply *a, const struct draft *d, bool compat029)
{
	char buf[SOCK_TEXT_MAX];

	if ((d->old->flags & FDF_TUPLE_NAME) && shows_ports(d->old) && shows_ports(&d->f))
		return d->f.kind != d->old->kind || !same_ends(&d->f, d->old);
	return !fd_name_is(a, d->old, buf, fd_tuple_text(buf, sizeof(buf), &d->f), compat029);
}

/* The name that stays although the addresses it was made of change. */
static void keep_old_name(struct apply *a, struct fd_ver *f, const struct fd_ver *old)
{
	uint32_t n;
	const char *s = fd_name_now(a, old, a->d->compat029, &n);

	f->flags &= (uint16_t)~FDF_TUPLE_NAME;
	fd_set_name(a, f, NULL, s, n);
}

/* A new version with everything of the draft but its name. NULL when memory is out. */
static struct fd_ver *draft_store(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d)
{
	struct fd_ver *f = fd_edit(a, ft, fd);

	if (!f)
		return NULL;
	f->kind = d->f.kind;
	f->l4proto = d->f.l4proto;
	f->flags = d->f.flags;
	memcpy(f->sip, d->f.sip, sizeof(f->sip));
	memcpy(f->dip, d->f.dip, sizeof(f->dip));
	f->sport = d->f.sport;
	f->dport = d->f.dport;
	f->unix_source = d->f.unix_source;
	f->unix_dest = d->f.unix_dest;
	return f;
}

/* Publishes the draft, if there is anything new in it. */
void draft_commit(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d)
{
	if (draft_is_noop(d))
		return;
	if (d->tuple_name) {
		d->f.flags = (uint16_t)((d->f.flags | FDF_TUPLE_NAME) & ~FDF_FROM_PROC);
		if (tuple_name_differs(a, d, a->d->compat029))
			d->f.flags |= FDF_NAME_CHANGED;
	}
	struct fd_ver *f = draft_store(a, ft, fd, d);
	if (f && d->tuple_name && (f->base || f->raw->len))
		fd_set_name(a, f, NULL, "", 0);
	else if (f && !d->tuple_name && (f->flags & FDF_TUPLE_NAME) && !same_ends(f, d->old))
		keep_old_name(a, f, d->old);
}

/* The same, with a name that is not made of inet addresses. */
void draft_commit_named(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d,
			const char *name, size_t len)
{
	bool changed = !fd_name_is(a, d->old, name, len, a->d->compat029);

	d->f.flags &= (uint16_t)~FDF_TUPLE_NAME;
	if (draft_is_noop(d) && !changed)
		return;
	if (changed)
		d->f.flags |= FDF_NAME_CHANGED;
	struct fd_ver *f = draft_store(a, ft, fd, d);
	if (f)
		fd_set_name(a, f, NULL, name, len);
}
