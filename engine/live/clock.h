/* What happens once a second during a capture: procinfo events, ticks, a look at the users. One
 * owner. */
#ifndef BURIN_LIVE_CLOCK_H
#define BURIN_LIVE_CLOCK_H

#include "live/inject.h"
#include "live/probe.h"
#include "live/users.h"

struct cpu_time {
	uint32_t tid;
	uint64_t user, system; /* hundredths of a second, as told last */
};

struct clock {
	uint64_t second;	     /* the last one that was seen to */
	struct cpu_time *told, *now; /* by tid: of the second before, of this one; owned */
	size_t ntold, nnow, cap_told, cap_now;
	uint64_t lost; /* events lost, as told last */
	bool want_cpu;
	struct users users;
};

/* want_cpu: someone sees procinfo events; want_users: those of users and groups. */
void clock_init(struct clock *c, uint64_t now_ns, bool want_cpu, bool want_users);
void clock_fini(struct clock *c);
/* To be called often: puts events into q when a second has passed or events were lost. */
void clock_turn(struct clock *c, struct probe *p, struct inject *q, uint64_t now_ns);

#endif
