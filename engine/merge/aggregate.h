/* Native aggregates: a table from key tuples to combined values, kept in C.
 *
 * Each worker owns one table and updates it without locks; tables are combined by agg_merge. Every
 * operation is exact and commutative (integers sum in 128 bits, first and last carry the order
 * number, sketches combine by maximum or by adding counts), so any split of the events over workers
 * and any order of merging gives the same table. One owner, one thread at a time.
 *
 * Key: the encoded values of the key fields, one after another (agg_key_*). Results are ordered by
 * value descending, ties by key ascending: one numeric key by number, one text bytewise, several keys
 * bytewise by their texts joined with the bytes 01 01.
 *
 * Lack of memory, and the limit in the spec, set a sticky flag: the table ignores new keys from then on
 * and agg_failed tells. */
#ifndef BURIN_MERGE_AGGREGATE_H
#define BURIN_MERGE_AGGREGATE_H

#include "base/buf.h"
#include "field/value.h"

enum agg_op {
	AGG_SUM,      /* integers */
	AGG_COUNT,    /* events that have the value */
	AGG_AVG,      /* integer sum and count */
	AGG_MIN,
	AGG_MAX,
	AGG_FIRST,    /* value at the lowest order number; numbers and texts */
	AGG_LAST,     /* value at the highest order number */
	AGG_DISTINCT, /* number of distinct values: exact to 256, then HyperLogLog (4096 registers, 1.6 % error) */
	AGG_HIST,     /* log-linear histogram: exact below 32, then 32 buckets per power of two (3 %) */
	AGG_OP_COUNT,
};
const char *agg_op_name(enum agg_op op);
int agg_op_find(const char *name); /* -1 = unknown */

enum { AGG_MAX_KEYS = 8, AGG_MAX_COLS = 8 };

struct agg_spec {
	uint8_t nkeys;
	uint8_t ncols;
	uint8_t op[AGG_MAX_COLS]; /* enum agg_op */
	size_t max_bytes;	  /* limit of the memory of one table; 0 = 1 GiB */
};

/* A key or value as data: the types scripts can tell apart. */
enum agg_kind { AGG_NIL, AGG_INT, AGG_NUM, AGG_BOOL, AGG_TEXT };
struct agg_datum {
	uint8_t kind; /* enum agg_kind */
	uint32_t len; /* AGG_TEXT */
	union {
		int64_t i; /* AGG_INT, AGG_BOOL */
		double d;
		const char *s;
	};
};

struct agg_sketch;
/* One combined value. Private: read it with the agg_cell_* functions. */
struct agg_cell {
	uint64_t n; /* values combined */
	union {
		__int128 sum;		    /* SUM, AVG */
		int64_t ext;		    /* MIN, MAX */
		struct {
			uint64_t ord;
			struct agg_held *held; /* FIRST, LAST */
		};
		struct agg_sketch *sketch;  /* DISTINCT, HIST */
	};
};

struct agg;

int agg_new(struct agg **out, const struct agg_spec *spec);
void agg_free(struct agg *a);
void agg_clear(struct agg *a); /* forgets all rows, keeps the memory */
bool agg_failed(const struct agg *a);
size_t agg_bytes(const struct agg *a);
uint32_t agg_rows(const struct agg *a);
const struct agg_spec *agg_spec_of(const struct agg *a);

/* Encoding of keys: append each key value in turn to a buffer of the caller's. */
void agg_key_add(struct buf *key, const struct agg_datum *d);

/* The row of a key, made if absent; NULL when memory is out (sticky). Valid until the next call that adds a row. */
struct agg_cell *agg_row(struct agg *a, const void *key, uint32_t len);
/* Number of such a row, and the row again; a number is good until agg_clear. */
uint32_t agg_row_number(const struct agg *a, const struct agg_cell *row);
struct agg_cell *agg_row_at(const struct agg *a, uint32_t number);
/* Combines one value into column col of a row. Integers for SUM, AVG, MIN, MAX, HIST (others are ignored).
 * ord: order number of the event, for FIRST and LAST; within one event the later call wins. */
void agg_add(struct agg *a, struct agg_cell *row, unsigned col, const struct agg_datum *v, uint64_t ord);
/* agg_add of an integer to column 0 of a row by its number. */
void agg_add_int(struct agg *a, uint32_t row, int64_t v, uint64_t ord);

/* dst += src; src is unchanged. Same spec. 0 or -ENOMEM. */
int agg_merge(struct agg *dst, const struct agg *src);

/* ---- reading ---- */
/* Rows in the order described above by column col (MAX first); *idx is malloc'ed, agg_rows entries. */
int agg_sort(const struct agg *a, unsigned col, uint32_t **idx);
/* Rows by key ascending only. */
int agg_sort_by_key(const struct agg *a, uint32_t **idx);
void agg_row_key(const struct agg *a, uint32_t row, struct agg_datum *keys); /* nkeys entries; texts borrowed */
/* The row of a key without making one; UINT32_MAX = none. */
uint32_t agg_find(const struct agg *a, const void *key, uint32_t len);
/* Value of a cell as a script sees it: AVG is a fraction, DISTINCT an estimate, HIST the number of values. */
void agg_value(const struct agg *a, uint32_t row, unsigned col, struct agg_datum *v);
uint64_t agg_count(const struct agg *a, uint32_t row, unsigned col); /* values combined */
/* Smallest value v of the histogram such that a share q (0..1) of the values is <= v, by bucket midpoints. */
int64_t agg_quantile(const struct agg *a, uint32_t row, unsigned col, double q);
/* Non-empty buckets ascending; lo and hi inclusive. fn returns non-zero to stop. */
int agg_hist_each(const struct agg *a, uint32_t row, unsigned col,
		  int (*fn)(void *ctx, int64_t lo, int64_t hi, uint64_t n), void *ctx);

#endif
