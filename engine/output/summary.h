/* The table of -S: how often each event occurred. A plain sum, so every worker may count into its
 * own and the results are added in any order. */
#ifndef BURIN_OUTPUT_SUMMARY_H
#define BURIN_OUTPUT_SUMMARY_H

#include "base/buf.h"
#include "event/batch.h"

struct summary {
	uint64_t types[EV_CODE_COUNT];	  /* events with a code of their own */
	uint64_t calls[SC_CODE_COUNT][2]; /* generic ones by system call: enter, exit */
	bool compat029;			  /* how the calls are named */
};

void summary_init(struct summary *s);
/* Counts event idx of a digested batch. compat029: system calls by 0.29.3's names. */
void summary_count(struct summary *s, const struct batch *b, uint32_t idx, bool compat029);
void summary_add(struct summary *into, const struct summary *from);
/* Descending by count, then by event name, enter before exit; 100 rows at most, names cut at 16 bytes. */
void summary_print(const struct summary *s, struct buf *out);

#endif
