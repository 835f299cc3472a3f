/* Facts about the machine and its processes as of now, from /proc: the metadata a trace begins
 * with. */
#ifndef BURIN_LIVE_SCAN_H
#define BURIN_LIVE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct cap_task;

struct scan_opts {
	bool all;	   /* every process */
	const pid_t *pids; /* or only these */
	unsigned npids;
	bool follow; /* and their descendants */
	/* Threads that were there when the capture began, in any order: those that are gone are
	 * entered with what is known here. */
	const struct cap_task *seen;
	size_t nseen;
};

/* Appends section header, machine, interfaces, users, threads and descriptors. Processes that end
 * while they are read are left out, unless they are among those seen before. */
struct containers;
/* containers: is shown the cgroups of every thread; NULL = nobody is. */
int scan_machine(struct buf *out, const struct scan_opts *o, struct containers *containers,
		 struct err *e);

#endif
