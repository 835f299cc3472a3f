/* The digest step: decode headers, number events, find each thread's enter/exit pairs inside the run,
 * collect the rows that apply must see. Pure function of the run and the demand: any worker.
 *
 * fd of an event record ("last fd", facts: state-rules.md section 2): enter events: parameter 0 if the
 * type has USES_FD, else none. Exit events: what the enter left; an exit that creates descriptors
 * (open, socket, dup, accept, pipe: the second one, ...) with a result >= 0 sets it to the new number,
 * and that stays the thread's last fd. copy_file_range exits take parameter 1. In the default mode
 * (not compat) an exit that carries its fd as a parameter (event_info.fd_param) takes it from there.
 * While a thread has no earlier event in this batch its pair is PAIR_CARRY and the fd may be
 * EV_FD_CARRY: bind.h completes both from the slot.
 *
 * The "last enter" of a thread is reset by every even code without SKIPPARSERESET, as in 0.29.3. */
#ifndef BURIN_STATE_DIGEST_H
#define BURIN_STATE_DIGEST_H

#include "event/batch.h"
#include "state/demand.h"

/* Header-only predicate compiled from the filter; fn NULL = all. Called only for demanded types. */
struct digest_pred {
	bool (*fn)(void *ctx, const struct event *e);
	void *ctx;
};

/* 0, or negative for lack of memory. Damage inside the run ends up in b->bad (with file offset). */
int digest_run(struct batch *b, const struct demand *d, const struct digest_pred *p);

#endif
