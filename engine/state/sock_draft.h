/* Private to engine/state: making a new version of a socket. Apply turn.
 *
 * What an event does to a socket is computed on a copy, so that the usual case, nothing new, costs
 * no version. The copy has no name of its own: base and raw are those of the old version. */
#ifndef BURIN_STATE_SOCK_DRAFT_H
#define BURIN_STATE_SOCK_DRAFT_H

#include "state/sock.h"
#include "state/state_int.h"

struct draft {
	const struct fd_ver *old;
	struct fd_ver f; /* to be changed by the caller; flags without FDF_NAME_CHANGED */
	bool tuple_name; /* the event names the socket by its addresses; false after draft_begin */
};

void draft_begin(struct draft *d, const struct fd_ver *old);
/* Publishes the draft as the newest value of fd, if there is anything new in it. */
void draft_commit(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d);
/* The same, with a name that is not made of inet addresses. */
void draft_commit_named(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d,
			const char *name, size_t len);
/* Is this the name of f? */
bool fd_name_is(struct apply *a, const struct fd_ver *f, const char *s, size_t len, bool compat029);

#endif
