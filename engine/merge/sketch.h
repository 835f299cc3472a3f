/* Sketches of many values in little memory, exact in how they combine: merging two sketches gives what one
 * sketch of all the values would hold. A sketch is used either for distinct values or as a histogram.
 * One owner, one thread at a time. Functions return 0 or -ENOMEM. */
#ifndef BURIN_MERGE_SKETCH_H
#define BURIN_MERGE_SKETCH_H

#include "base/compiler.h"

struct agg_sketch;

struct agg_sketch *sketch_new(void); /* NULL: no memory */
void sketch_free(struct agg_sketch *s);
size_t sketch_bytes(const struct agg_sketch *s);
int sketch_merge(struct agg_sketch *d, const struct agg_sketch *s);

/* 64-bit hash of bytes, the same in every run (fixed key). */
uint64_t sketch_hash(const void *p, size_t n);

int sketch_distinct_add(struct agg_sketch *s, uint64_t hash);
uint64_t sketch_distinct_count(const struct agg_sketch *s);

/* Negative values are counted in one bucket below all others. */
int sketch_hist_add(struct agg_sketch *s, int64_t v, uint64_t n);
int64_t sketch_quantile(const struct agg_sketch *s, double q);
int sketch_hist_each(const struct agg_sketch *s, int (*fn)(void *ctx, int64_t lo, int64_t hi, uint64_t n),
		     void *ctx);

#endif
