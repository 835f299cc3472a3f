/* Private to engine/state: short ways for handlers to read the row they apply. Apply turn. */
#ifndef BURIN_STATE_ROW_H
#define BURIN_STATE_ROW_H

#include "state/state_int.h"

enum {
	PPM_O_DIRECTORY = 1 << 10, /* flags as the trace writes them */
	PPM_O_CLOEXEC = 1 << 12,
	PPM_AT_FDCWD = -100,
};

/* Parameter i of the row, or otherwise if the event does not carry it. */
static inline int64_t row_i64(struct apply *a, unsigned i, int64_t otherwise)
{
	int64_t v;

	return event_param_i64(&a->ev, i, &v) ? v : otherwise;
}

/* The descriptor an exit worked on. Newer events say it themselves; otherwise the paired enter did.
 */
static inline int64_t row_fd(struct apply *a)
{
	const struct event_info *info = event_info(&a->ev);
	int64_t fd;

	if (!a->d->compat029 && info->fd_param >= 0 &&
	    event_param_i64(&a->ev, (unsigned)info->fd_param, &fd))
		return fd;
	return a->paired ? a->last_fd : EV_FD_NONE;
}

/* The table of the row's thread and its open entry fd; NULL when either is unknown. */
static inline struct fd_ver *row_entry(struct apply *a, int64_t fd, struct fd_table **ft)
{
	*ft = a->t && fd >= 0 ? thread_fds_now(a, a->t, false) : NULL;
	return *ft ? fd_find(*ft, fd) : NULL;
}

#endif
