/* Processes and threads as /proc lists them, for raw tracepoints: what iterators tell otherwise.
 * Ids are those of the pid namespace that /proc belongs to. Any thread. */
#ifndef BURIN_LIVE_PROC_TASKS_H
#define BURIN_LIVE_PROC_TASKS_H

#include <stdbool.h>

#include "capture.h"

/* Calls fn for every process. Returns 0 or a negative errno. */
int proc_each(void (*fn)(void *ctx, uint32_t tgid), void *ctx);

/* Calls fn for every thread of the process; none if it is gone. */
void proc_each_thread(uint32_t tgid, void (*fn)(void *ctx, uint32_t tgid, uint32_t tid), void *ctx);

/* Facts about a thread. False: it is gone. */
bool proc_task(uint32_t tgid, uint32_t tid, struct cap_task *t);

/* Times in clock ticks; those of a process are of all its threads, ended ones too. */
struct proc_times {
	uint64_t user, system, start; /* start: since boot */
};
/* tid 0: of the process. False: it is gone. */
bool proc_times(uint32_t tgid, uint32_t tid, struct proc_times *t);

#endif
