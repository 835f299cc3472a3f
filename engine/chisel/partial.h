/* Private to engine/chisel: partial results of scripts that run in parallel.
 *
 * A worker's state runs on_event on its own copies of the declared globals, which start from a snapshot taken after
 * on_capture_start. Sealing turns what was added since the snapshot into bytes and goes back to the
 * snapshot; the main state decodes and combines the bytes, in batch order. Nothing but bytes crosses between
 * states. Functions with a lua_State run under protection and may raise. */
#ifndef BURIN_CHISEL_PARTIAL_H
#define BURIN_CHISEL_PARTIAL_H

#include "chisel/chisel_int.h"

enum { MERGE_MAX_ITEMS = 256, PLAIN_MAX_DEPTH = 64 };

enum merge_op {
	MERGE_SUM, MERGE_MIN, MERGE_MAX, MERGE_UNION, MERGE_FIRST, MERGE_LAST, MERGE_TOP, MERGE_HIST, MERGE_CUSTOM,
	MERGE_OP_COUNT,
};

struct merge_item {
	char name[64];
	uint8_t op; /* enum merge_op */
	unsigned k; /* top(k) */
	char by[64]; /* top(k,by) */
};

struct merge_plan {
	bool declared; /* there is a table called merge */
	bool callback; /* there is a function on_merge */
	char mode[16]; /* global "mode", "" = none */
	unsigned n;
	struct merge_item item[MERGE_MAX_ITEMS]; /* by name */
};

/* Reads merge, on_merge and mode from the main state. */
int merge_plan_read(struct chisel *c, struct err *e);
/* Some operation depends on the order of the parts: they are closed with every batch. */
bool merge_plan_ordered(const struct merge_plan *m);
/* Combines one sealed part into the main state. */
int merge_plan_combine(struct chisel *c, const char *data, size_t len, struct buf *out, struct err *e);

/* plain.c: a Lua value as bytes. name: for messages. */
MAY_RAISE void plain_encode(lua_State *L, int idx, struct buf *out, const char *name);
MAY_RAISE const char *plain_decode(lua_State *L, const char *p, const char *end); /* pushes the value */
/* What the integers of the value at idx have more than those of base (at base_idx, may be nil): for sums. */
MAY_RAISE void plain_encode_sum(lua_State *L, int idx, int base_idx, struct buf *out, const char *name);
MAY_RAISE void plain_copy(lua_State *L, int idx); /* pushes a deep copy */

/* seal.c: worker side */
int partial_begin(struct lstate *ls, struct err *e);		     /* after on_capture_start */
int partial_seal(struct lstate *ls, struct buf *out, struct err *e); /* appends; globals are the snapshot again */

#endif
