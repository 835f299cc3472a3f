/* The digest step: decode headers, number events, find each thread's enter/exit pairs inside the
 * run, collect the rows that apply must see. Pure function of the run and the demand: any worker.
 *
 * The thread's last enter is reset by every even code without SKIPPARSERESET, except switch (which
 * comes between a call's enter and exit), as in 0.29.3.
 *
 * fd of an event record, the thread's "last fd" (facts: state-rules.md section 2): enter events:
 * parameter 0 if the type has USES_FD, else none. Exit events: what the enter left; one that
 * creates descriptors (open, socket, dup, accept, pipe: the second one, ...) with a result >= 0
 * sets it to the new number, and that stays the thread's last fd; copy_file_range and getsockopt
 * set it to parameter
 * 1. In the default mode an exit that no enter pairs with takes it from its own parameter
 * (event_info.fd_param) for itself alone.
 *
 * What depends on earlier batches is marked (PAIR_CARRY, EV_FD_CARRY, ER_OWN_FD) and completed from
 * the slot by bind.h; what depends on the tables (does the descriptor that is copied exist?) is
 * guessed and corrected by apply. */
#ifndef BURIN_STATE_DIGEST_H
#define BURIN_STATE_DIGEST_H

#include "event/batch.h"
#include "state/demand.h"

/* Header-only predicate compiled from the filter; fn NULL = all. Called only for demanded types. */
enum { DIGEST_CALLS = 1024 };
struct digest_pred {
	bool (*fn)(void *ctx, const struct event *e);
	void *ctx;
	/* Of generic events, [0] enter and [1] exit, those of these calls alone may pass: bit = id of the call, bit
	 * DIGEST_CALLS = any other. NULL = any. */
	const uint64_t *calls[2];
};

/* 0, or negative for lack of memory. Damage inside the run ends up in b->bad (with file offset). */
int digest_run(struct batch *b, const struct demand *d, const struct digest_pred *p);
/* The same for many batches: what depends on the demand alone is worked out once. d is borrowed; NULL p = all. */
struct digest_plan;
int digest_plan_new(struct digest_plan **out, const struct demand *d, const struct digest_pred *p);
void digest_plan_free(struct digest_plan *p); /* NULL is fine */
int digest_run_plan(struct batch *b, const struct digest_plan *p);

/* ---- a pass that keeps no state (scan.c) ----
 *
 * Makes a sparse batch: events are checked, numbered and counted as digest_run does it, but have no records unless
 * they are selected. With texts it selects none; it tells whether an event that can bring texts into the tables, or
 * the metadata, holds what in looks for. */
struct digest_texts {
	bool (*in)(void *ctx, const void *p, size_t n); /* NULL: nothing is looked for */
	void *ctx;
};
struct digest_scan { /* IMMUTABLE once made */
	struct digest_pred pred;
	struct digest_texts texts;
	unsigned codes;
	uint8_t type[EV_CODE_COUNT];
};
void digest_scan_init(struct digest_scan *s, const struct demand *d, const struct digest_pred *p,
		      const struct digest_texts *t);
int digest_scan_run(const struct digest_scan *s, struct batch *b); /* both kinds; as digest_run */

#endif
