/* Times on the CPU: the counters of procinfo events, and the slices between switches. */
#include <stdlib.h>

#include "state/state_priv.h"

void apply_procinfo(struct apply *a)
{
	struct thread_vol v;
	int64_t user, system;

	if (!a->t || !event_param_i64(&a->ev, 0, &user) || !event_param_i64(&a->ev, 1, &system))
		return;
	v = thread_vol_now(a->t);
	v.cpu_user_before = v.cpu_user;
	v.cpu_system_before = v.cpu_system;
	v.cpu_user = (uint64_t)user;
	v.cpu_system = (uint64_t)system;
	thread_vol_set(a, a->t, &v);
}

/* Time stamp of the last switch on a CPU; NULL when memory is out. */
static uint64_t *last_switch(struct state *st, uint32_t cpu)
{
	uint64_t *p;

	if (cpu < st->nswitch)
		return &st->switch_ts[cpu];
	p = realloc(st->switch_ts, ((size_t)cpu + 1) * sizeof(*p));
	if (!p) {
		st->mut[0].failed = true;
		return NULL;
	}
	memset(p + st->nswitch, 0, ((size_t)cpu + 1 - st->nswitch) * sizeof(*p));
	st->switch_ts = p;
	st->nswitch = cpu + 1;
	return &p[cpu];
}

void cpu_switch(struct apply *a)
{
	uint64_t *last = last_switch(a->st, a->ev.cpu), ns;
	struct thread_vol v;

	if (!last)
		return;
	ns = *last && a->ev.ts > *last ? a->ev.ts - *last : 0;
	*last = a->ev.ts;
	if (!a->t)
		return;
	v = thread_vol_now(a->t);
	v.exec_ns = ns;
	v.exec_total_ns += ns;
	thread_vol_set(a, a->t, &v);
}
