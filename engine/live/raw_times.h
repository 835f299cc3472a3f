/* Time on the cpu of every thread, from /proc once a second: threads are read only of processes
 * whose sum has changed, for the others what was read before holds. One owner. */
#ifndef BURIN_LIVE_RAW_TIMES_H
#define BURIN_LIVE_RAW_TIMES_H

#include <stddef.h>

#include "capture.h"

struct raw_process {
	uint32_t tgid;
	uint64_t ticks,
		start; /* all its threads have run so long; clock ticks, of the start since boot */
	size_t first, n; /* its threads */
};

struct raw_reading {
	struct raw_process *p; /* by tgid, once it has ended */
	size_t np, cap_p;
	struct cap_cpu_time *t;
	size_t nt, cap_t;
};

/* Zeroed to begin with. */
struct raw_times {
	struct raw_reading now, before;
	uint64_t epoch_offset;
};

void raw_times_fini(struct raw_times *r);
void raw_times_begin(struct raw_times *r);
/* epoch_offset: ns from the boot clock to the epoch. What there is no memory for is left out. */
void raw_times_read(struct raw_times *r, uint32_t tgid, uint64_t epoch_offset);
/* Calls fn for every thread read that has run. */
void raw_times_end(struct raw_times *r, void (*fn)(void *ctx, const struct cap_cpu_time *t),
		   void *ctx);

#endif
