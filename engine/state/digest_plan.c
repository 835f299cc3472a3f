/* What the digest has to do for each event type, worked out once per run from the demand. */
#include <errno.h>
#include <stdlib.h>

#include "state/container.h"
#include "state/digest_int.h"
#include "state/state_priv.h"

static void type_row(struct digest_type *t, const struct apply_entry *ae, const struct demand *d)
{
	if (!ae->fn || !(ae->demand & d->bits))
		return;
	t->flags |= DG_ROW;
	t->flags |= ae->when != ROW_ALWAYS ? DG_ROW_RES : 0;
	/* fd.connected looks at the data, not at the address */
	t->flags |= ae->when == ROW_ADDR && !(d->bits & DEMAND_CONNECTED) ? DG_ROW_ADDR : 0;
	t->addr_param = ae->param;
}

static void type_fd(struct digest_type *t, unsigned type, const struct demand *d)
{
	const struct event_info *i = &event_table[type];
	uint32_t f = type_flags(d, type);

	if (!(d->bits & DEMAND_FDS))
		return; /* nobody asks for a descriptor */
	if (!(type & 1)) {
		t->flags |= f & EF_USES_FD ? DG_USES_FD : 0;
		return;
	}
	switch (type) {
	case EV_SYSCALL_FCNTL_X:
		/* A row without a handler too: what the enter said may lie in another batch. */
		t->flags |= DG_FCNTL | DG_ROW | DG_ROW_RES;
		break;
	case EV_SYSCALL_COPY_FILE_RANGE_X:
	case EV_SOCKET_GETSOCKOPT_X:
		t->flags |= DG_SETS_FD;
		t->fd_param = 1;
		return;
	case EV_SYSCALL_FCHMOD_X:
	case EV_SYSCALL_FCHOWN_X:
		t->flags |= d->compat029 ? 0 : DG_SETS_FD;
		t->fd_param = 1;
		return;
	/* 0.29.3 knows these and yet makes no entry. */
	case EV_SYSCALL_USERFAULTFD_X:
	case EV_SYSCALL_BPF_X:
		if (d->compat029)
			return;
		break;
	default:
		break;
	}
	t->fd_param = i->fd_param;
	if (i->fd_param < 0)
		return;
	if (f & EF_CREATES_FD)
		t->flags |= DG_CREATES;
	else if (!d->compat029)
		t->flags |= DG_OWN_FD;
}

static void type_plan(struct digest_type *t, unsigned i, const struct demand *d, const struct apply_entry *ae)
{
	unsigned traits = type_traits(d, i);

	*t = (struct digest_type){.flags = demand_type(d, i) ? DG_SELECT : 0, .fd_param = -1};
	t->flags |= container_event(i) ? DG_CONTAINER : 0;
	t->flags |= event_shapes[i].large ? DG_LARGE : 0;
	type_row(t, ae, d);
	if (!(traits & TT_THREAD)) {
		t->flags |= DG_SPECIAL;
		return;
	}
	t->flags |= DG_THREAD;
	t->flags |= traits & TT_RESET ? DG_RESET : 0;
	t->flags |= traits & TT_EXIT ? DG_EXIT : 0;
	t->flags |= (traits & TT_TOUCH) && (d->bits & DEMAND_THREADS) ? DG_TOUCH : 0;
	t->flags |= traits & TT_CLONE ? DG_CLONE : 0;
	t->flags |= i == EV_PROCEXIT_E || i == EV_PROCEXIT_1_E ? DG_PROCEXIT : 0;
	type_fd(t, i, d);
	t->flags |= t->flags & (DG_CLONE | DG_PROCEXIT) ? DG_SPECIAL : 0;
}

void digest_plan_init(struct digest_plan *p, const struct demand *d, const struct digest_pred *pred)
{
	static const struct digest_pred all;
	const struct apply_entry *ae = apply_table(d->compat029);

	p->d = d;
	p->pred = pred ? *pred : all;
	p->codes = max_code(d);
	for (unsigned i = 0; i < EV_CODE_COUNT; i++)
		type_plan(&p->type[i], i, d, &ae[i]);
	for (unsigned i = p->codes; i < EV_CODE_COUNT; i++)
		p->type[i].flags |= DG_SPECIAL; /* not known */
}

int digest_plan_new(struct digest_plan **out, const struct demand *d, const struct digest_pred *pred)
{
	struct digest_plan *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	digest_plan_init(p, d, pred);
	*out = p;
	return 0;
}

void digest_plan_free(struct digest_plan *p)
{
	free(p);
}
