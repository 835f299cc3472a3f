/* Private to the digest: what it does for each event type (digest_plan.c), used by the loop (digest.c). */
#ifndef BURIN_STATE_DIGEST_INT_H
#define BURIN_STATE_DIGEST_INT_H

#include "state/digest.h"

/* What the digest does for an event type under the present demand: one lookup per event. */
enum digest_flags {
	DG_SELECT = 1 << 0, /* demanded type */
	DG_THREAD = 1 << 1, /* belongs to a slot */
	DG_RESET = 1 << 2,  /* enter */
	DG_EXIT = 1 << 3,
	DG_TOUCH = 1 << 4,
	DG_ROW = 1 << 5,      /* apply has a handler for it */
	DG_ROW_RES = 1 << 6,  /* ... that does something only if the call succeeded */
	DG_ROW_ADDR = 1 << 7, /* ... only if parameter addr_param is not empty */
	DG_USES_FD = 1 << 8,  /* enter: parameter 0 is the fd */
	DG_CREATES = 1 << 9,  /* exit: makes descriptor fd_param when it succeeds */
	DG_OWN_FD = 1 << 10,  /* exit: fd_param holds the fd; used when no enter event pairs */
	DG_SETS_FD = 1 << 11, /* exit: fd_param replaces what the enter left */
	DG_FCNTL = 1 << 12,
	DG_PROCEXIT = 1 << 13,
	DG_CLONE = 1 << 14,	/* clone, fork ... exit */
	DG_CONTAINER = 1 << 15, /* tells of a container */
	DG_LARGE = 1 << 16,	/* 32-bit lengths */
	/* Goes another way than the many: it has no thread, or begins or ends one. */
	DG_SPECIAL = 1 << 17,
	/* Not for the short way through the loop. */
	DG_SLOW = DG_SPECIAL | DG_CONTAINER | DG_LARGE | DG_FCNTL,
};

struct digest_type {
	uint32_t flags;
	int8_t fd_param, addr_param;
};

/* IMMUTABLE once made. */
struct digest_plan {
	const struct demand *d;
	struct digest_pred pred;
	unsigned codes; /* those below are known */
	struct digest_type type[EV_CODE_COUNT];
};

void digest_plan_init(struct digest_plan *p, const struct demand *d, const struct digest_pred *pred);

#endif
