/* -U: processes whose events are taken out of the stream before anything else sees them: no number, no state, no
 * line. As in sysdig a thread is taken out when a clone or exec gives it one of the names, with the threads and
 * processes it makes, until it runs something else whose parent is not taken out itself. Threads of the process list
 * are judged by their names too, which 0.29.3 does not do.
 *
 * Owned by the caller, used by the reader turn: one thread at a time, in order. */
#ifndef BURIN_WORKER_SUPPRESS_H
#define BURIN_WORKER_SUPPRESS_H

#include "event/batch.h"

struct suppress;

/* comms: n names, borrowed. -ENOMEM. */
int suppress_new(struct suppress **out, const char *const *comms, unsigned n, bool compat029);
void suppress_free(struct suppress *s); /* NULL is fine */

/* What was taken out of one batch. */
struct suppressed {
	uint32_t *before; /* of each: how many blocks before it stay, ascending; owned */
	uint32_t n, cap;
};
/* Takes the blocks of such threads out of b->blk (a batch just read). -ENOMEM. */
int suppress_batch(struct suppress *s, struct batch *b, struct suppressed *gone);

#endif
