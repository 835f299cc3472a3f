/* What events count for in aggregates. Private to engine/chisel. */
#ifndef BURIN_CHISEL_COUNT_H
#define BURIN_CHISEL_COUNT_H

#include "chisel/chisel_int.h"

/* Where the value of an aggregate's only column stands, so that most events need not be decoded. */
enum quick_source { QUICK_NONE, QUICK_ONE, QUICK_PARAM, QUICK_LATENCY };
/* When the fields are known. */
void count_prepare(const struct chisel *c, struct chisel_agg *a);
/* The event env stands on, which passed the chisel's filter, for aggregate k. */
void count_event(struct chisels_part *p, unsigned ci, unsigned k, struct field_env *env);

/* Whether chisel c does nothing but count, and its workers' memos say what an event counts for. */
bool count_only(const struct chisel *c);
/* Counts the n selected events sel of the batch for such a chisel. */
void count_events(struct chisels_part *p, unsigned ci, const uint32_t *sel, uint32_t n);

#endif
