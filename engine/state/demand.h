/* What the consumers of a run need, gathered before the first event. Reader, digest, apply and
 * extraction consult it and do nothing beyond it. IMMUTABLE once the run starts. */
#ifndef BURIN_STATE_DEMAND_H
#define BURIN_STATE_DEMAND_H

#include <stdbool.h>

#include "event/event.h"

enum demand_bits {
	DEMAND_THREADS = 1 << 0,  /* thread table: names, ids, parents (implies PAIRS) */
	DEMAND_FDS = 1 << 1,	  /* descriptor tables (implies THREADS, PAIRS) */
	DEMAND_PAIRS = 1 << 2,	  /* enter/exit pairing: latency, errors, fd of exits */
	DEMAND_VOLATILE = 1 << 3, /* vm sizes and page faults as of each event (implies THREADS) */
	DEMAND_USERS = 1 << 4,	  /* user and group tables */
	DEMAND_CONTAINERS = 1 << 5, /* container table, container id of threads (implies THREADS) */
	DEMAND_CPU = 1 << 6,	    /* procinfo cpu counters (implies THREADS) */
	DEMAND_CONNECTED =
		1 << 7, /* sockets that data went through count as connected (implies FDS) */
	DEMAND_LATENCY = 1 << 8, /* what calls took (implies PAIRS; as 0.29.3 THREADS: an entry made anew forgets the call) */
};

struct demand {
	uint32_t bits;	/* enum demand_bits */
	bool compat029; /* --compat=0.29: event table, state rules and texts of sysdig 0.29.3 */
	uint64_t types[(EV_CODE_COUNT + 63) / 64]; /* event types any consumer can select */
};

static inline bool demand_type(const struct demand *d, unsigned code)
{
	return (d->types[code / 64] >> (code % 64)) & 1;
}
void demand_init(struct demand *d, bool compat029); /* no bits, all types */
void demand_add(struct demand *d, uint32_t bits);   /* adds bits and whatever they imply */
/* The event types the run has to see: those that can be selected, those that change demanded
 * tables, and with pairs the enters of exits. tables: those of them that are needed whatever the
 * filter selects. A live capture sends nothing else. */
enum { DEMAND_TYPE_WORDS = (EV_CODE_COUNT + 63) / 64 };
void demand_seen(const struct demand *d, uint64_t types[DEMAND_TYPE_WORDS],
		 uint64_t tables[DEMAND_TYPE_WORDS]);

#endif
