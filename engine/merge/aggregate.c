#include "merge/aggregate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/apart.h"
#include "base/arena.h"
#include "base/assert.h"
#include "merge/sketch.h"

/* A text or number kept by FIRST and LAST. */
struct agg_held {
	uint8_t kind;
	uint32_t len, cap; /* AGG_TEXT: bytes in s */
	union {
		int64_t i;
		double d;
	};
	char s[];
};

struct agg_entry {
	uint64_t hash;
	const uint8_t *key; /* in keys */
	uint32_t len;
};

/* Open addressing over row numbers. The high half of the hash beside each saves most key comparisons. */
struct agg_slot {
	uint32_t row1; /* row + 1, 0 = empty */
	uint32_t tag;
};

struct agg {
	struct agg_spec spec;
	struct agg_slot *slots;
	uint32_t mask; /* slots - 1 */
	uint32_t rows, cap;
	struct agg_entry *entries;
	struct agg_cell *cells; /* ncols per row */
	struct arena keys;
	size_t bytes; /* all but the key arena */
	bool failed;
};

enum { AGG_FIRST_SLOTS = 64 };
static const size_t AGG_DEFAULT_BYTES = (size_t)1 << 30;

static const char *const op_names[AGG_OP_COUNT] = {
	[AGG_SUM] = "sum",	   [AGG_COUNT] = "count", [AGG_AVG] = "avg",
	[AGG_MIN] = "min",	   [AGG_MAX] = "max",	  [AGG_FIRST] = "first",
	[AGG_LAST] = "last",	   [AGG_DISTINCT] = "distinct", [AGG_HIST] = "hist",
};

const char *agg_op_name(enum agg_op op)
{
	return op_names[op];
}

int agg_op_find(const char *name)
{
	if (!strcmp(name, "quantiles") || !strcmp(name, "histogram"))
		return AGG_HIST;
	for (int i = 0; i < AGG_OP_COUNT; i++)
		if (!strcmp(name, op_names[i]))
			return i;
	return -1;
}

/* ---- life ------------------------------------------------------------------------------------------ */

int agg_new(struct agg **out, const struct agg_spec *spec)
{
	ASSERT(spec->nkeys <= AGG_MAX_KEYS && spec->ncols <= AGG_MAX_COLS);
	struct agg *a = apart_calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->spec = *spec;
	if (!a->spec.max_bytes)
		a->spec.max_bytes = AGG_DEFAULT_BYTES;
	arena_init(&a->keys);
	*out = a;
	return 0;
}

static bool holds_memory(unsigned op)
{
	return op == AGG_FIRST || op == AGG_LAST || op == AGG_DISTINCT || op == AGG_HIST;
}

static void free_cells(struct agg *a)
{
	for (unsigned c = 0; c < a->spec.ncols; c++) {
		if (!holds_memory(a->spec.op[c]))
			continue;
		for (uint32_t r = 0; r < a->rows; r++) {
			struct agg_cell *cell = &a->cells[(size_t)r * a->spec.ncols + c];

			if (a->spec.op[c] == AGG_FIRST || a->spec.op[c] == AGG_LAST)
				free(cell->held);
			else
				sketch_free(cell->sketch);
		}
	}
}

void agg_free(struct agg *a)
{
	if (!a)
		return;
	free_cells(a);
	free(a->slots);
	free(a->entries);
	free(a->cells);
	arena_fini(&a->keys);
	free(a);
}

void agg_clear(struct agg *a)
{
	free_cells(a);
	if (a->slots)
		memset(a->slots, 0, sizeof(*a->slots) * ((size_t)a->mask + 1));
	a->rows = 0;
	a->failed = false;
	a->bytes = a->slots ? sizeof(*a->slots) * ((size_t)a->mask + 1) : 0;
	a->bytes += a->cap * (sizeof(*a->entries) + sizeof(*a->cells) * a->spec.ncols);
	arena_reset(&a->keys);
}

bool agg_failed(const struct agg *a)
{
	return a->failed;
}

size_t agg_bytes(const struct agg *a)
{
	return a->bytes + a->keys.used_bytes;
}

uint32_t agg_rows(const struct agg *a)
{
	return a->rows;
}

const struct agg_spec *agg_spec_of(const struct agg *a)
{
	return &a->spec;
}

/* ---- keys ------------------------------------------------------------------------------------------ */

void agg_key_add(struct buf *key, const struct agg_datum *d)
{
	buf_putc(key, (char)d->kind);
	switch (d->kind) {
	case AGG_TEXT:
		buf_put(key, &d->len, sizeof(d->len));
		buf_put(key, d->s, d->len);
		break;
	case AGG_NIL:
		break;
	default:
		buf_put(key, &d->i, sizeof(d->i));
	}
}

/* p stands on an encoded value; returns what follows it. */
static const uint8_t *key_next(const uint8_t *p, struct agg_datum *d)
{
	memset(d, 0, sizeof(*d));
	d->kind = *p++;
	if (d->kind == AGG_NIL)
		return p;
	if (d->kind != AGG_TEXT) {
		memcpy(&d->i, p, sizeof(d->i));
		return p + sizeof(d->i);
	}
	memcpy(&d->len, p, sizeof(d->len));
	d->s = (const char *)p + sizeof(d->len);
	return p + sizeof(d->len) + d->len;
}

void agg_row_key(const struct agg *a, uint32_t row, struct agg_datum *keys)
{
	const uint8_t *p = a->entries[row].key;

	for (unsigned i = 0; i < a->spec.nkeys; i++)
		p = key_next(p, &keys[i]);
}

static bool probe(const struct agg *a, const void *key, uint32_t len, uint64_t hash, uint32_t *slot)
{
	uint32_t tag = (uint32_t)(hash >> 32), i = (uint32_t)hash & a->mask;

	for (;; i = (i + 1) & a->mask) {
		const struct agg_slot *s = &a->slots[i];

		if (!s->row1) {
			*slot = i;
			return false;
		}
		if (s->tag != tag)
			continue;
		const struct agg_entry *e = &a->entries[s->row1 - 1];
		if (e->len == len && !memcmp(e->key, key, len)) {
			*slot = i;
			return true;
		}
	}
}

static int grow_slots(struct agg *a)
{
	uint32_t n = a->slots ? (a->mask + 1) * 2 : AGG_FIRST_SLOTS;
	struct agg_slot *old = a->slots, *s;

	if (!n || !(s = calloc(n, sizeof(*s))))
		return -ENOMEM;
	a->bytes += sizeof(*s) * (n - (old ? a->mask + 1 : 0));
	a->slots = s;
	a->mask = n - 1;
	for (uint32_t r = 0; r < a->rows; r++) {
		uint32_t i = (uint32_t)a->entries[r].hash & a->mask;

		while (s[i].row1)
			i = (i + 1) & a->mask;
		s[i] = (struct agg_slot){ r + 1, (uint32_t)(a->entries[r].hash >> 32) };
	}
	free(old);
	return 0;
}

static int grow_rows(struct agg *a)
{
	uint32_t cap = a->cap ? a->cap * 2 : 32;
	size_t row = sizeof(*a->cells) * a->spec.ncols;

	if (cap < a->cap)
		return -ENOMEM;
	struct agg_entry *e = realloc(a->entries, sizeof(*e) * cap);
	if (!e)
		return -ENOMEM;
	a->entries = e;
	struct agg_cell *c = realloc(a->cells, row ? row * cap : 1);
	if (!c)
		return -ENOMEM;
	a->cells = c;
	a->bytes += (cap - a->cap) * (sizeof(*e) + row);
	a->cap = cap;
	return 0;
}

static NO_INLINE struct agg_cell *new_row(struct agg *a, const void *key, uint32_t len, uint64_t hash)
{
	uint32_t slot;

	if (a->failed || agg_bytes(a) > a->spec.max_bytes)
		goto fail;
	if ((!a->slots || a->rows >= a->mask / 4 * 3) && grow_slots(a))
		goto fail;
	if (a->rows == a->cap && grow_rows(a))
		goto fail;
	uint8_t *copy = arena_dup(&a->keys, key, len);
	if (!copy)
		goto fail;
	probe(a, key, len, hash, &slot);
	a->entries[a->rows] = (struct agg_entry){ hash, copy, len };
	a->slots[slot] = (struct agg_slot){ a->rows + 1, (uint32_t)(hash >> 32) };
	struct agg_cell *c = &a->cells[(size_t)a->rows * a->spec.ncols];
	memset(c, 0, sizeof(*c) * a->spec.ncols);
	a->rows++;
	return c;
fail:
	a->failed = true;
	return NULL;
}

struct agg_cell *agg_row(struct agg *a, const void *key, uint32_t len)
{
	uint64_t hash = sketch_hash(key, len);
	uint32_t slot;

	if (LIKELY(a->slots != NULL) && probe(a, key, len, hash, &slot))
		return &a->cells[(size_t)(a->slots[slot].row1 - 1) * a->spec.ncols];
	return new_row(a, key, len, hash);
}

uint32_t agg_row_number(const struct agg *a, const struct agg_cell *row)
{
	return a->spec.ncols ? (uint32_t)((size_t)(row - a->cells) / a->spec.ncols) : 0;
}

struct agg_cell *agg_row_at(const struct agg *a, uint32_t number)
{
	return &a->cells[(size_t)number * a->spec.ncols];
}

uint32_t agg_find(const struct agg *a, const void *key, uint32_t len)
{
	uint32_t slot;

	if (a->slots && probe(a, key, len, sketch_hash(key, len), &slot))
		return a->slots[slot].row1 - 1;
	return UINT32_MAX;
}

/* ---- combining ------------------------------------------------------------------------------------- */

static bool hold(struct agg *a, struct agg_cell *c, const struct agg_datum *v)
{
	uint32_t need = v->kind == AGG_TEXT ? v->len : 0;
	struct agg_held *h = c->held;

	if (!h || h->cap < need) {
		uint32_t cap = MAX(need, 16u);
		if (need > UINT32_MAX / 2 || !(h = realloc(h, sizeof(*h) + cap))) {
			a->failed = true;
			return false;
		}
		a->bytes += sizeof(*h) + cap - (c->held ? sizeof(*h) + c->held->cap : 0);
		c->held = h;
		h->cap = cap;
	}
	h->kind = v->kind;
	h->len = need;
	if (v->kind == AGG_TEXT)
		memcpy(h->s, v->s, need);
	else
		h->i = v->i;
	return true;
}

static void take_first_last(struct agg *a, struct agg_cell *c, bool last, const struct agg_datum *v,
			    uint64_t ord, uint64_t n)
{
	bool take = !c->n || (last ? ord >= c->ord : ord < c->ord);

	if (take && !hold(a, c, v))
		return;
	if (take)
		c->ord = ord;
	c->n += n;
}

static bool sketch_ready(struct agg *a, struct agg_cell *c)
{
	if (!c->sketch && !(c->sketch = sketch_new()))
		a->failed = true;
	return c->sketch != NULL;
}

static void add_sketch(struct agg *a, struct agg_cell *c, bool hist, const struct agg_datum *v)
{
	if (!sketch_ready(a, c))
		return;
	size_t before = sketch_bytes(c->sketch);
	int r = hist ? sketch_hist_add(c->sketch, v->i, 1)
		     : sketch_distinct_add(c->sketch, v->kind == AGG_TEXT ? sketch_hash(v->s, v->len)
									  : sketch_hash(&v->i, sizeof(v->i)));
	if (r)
		a->failed = true;
	else
		c->n++;
	a->bytes += sketch_bytes(c->sketch) - before;
}

void agg_add(struct agg *a, struct agg_cell *row, unsigned col, const struct agg_datum *v, uint64_t ord)
{
	struct agg_cell *c = &row[col];
	unsigned op = a->spec.op[col];

	if (v->kind == AGG_NIL || (v->kind != AGG_INT && op != AGG_COUNT && op < AGG_FIRST) ||
	    (op == AGG_HIST && v->kind != AGG_INT))
		return;
	switch (op) {
	case AGG_SUM:
	case AGG_AVG:
		c->sum += v->i;
		break;
	case AGG_MIN:
		c->ext = !c->n || v->i < c->ext ? v->i : c->ext;
		break;
	case AGG_MAX:
		c->ext = !c->n || v->i > c->ext ? v->i : c->ext;
		break;
	case AGG_FIRST:
	case AGG_LAST:
		take_first_last(a, c, op == AGG_LAST, v, ord, 1);
		return;
	case AGG_DISTINCT:
	case AGG_HIST:
		add_sketch(a, c, op == AGG_HIST, v);
		return;
	default:
		break;
	}
	c->n++;
}

void agg_add_int(struct agg *a, uint32_t row, int64_t v, uint64_t ord)
{
	struct agg_cell *c = agg_row_at(a, row);
	struct agg_datum d = { .kind = AGG_INT, .i = v };

	if (UNLIKELY(a->spec.op[0] != AGG_SUM)) {
		agg_add(a, c, 0, &d, ord);
		return;
	}
	c->sum += v;
	c->n++;
}

static void held_datum(const struct agg_held *h, struct agg_datum *d)
{
	d->kind = h->kind;
	d->len = h->len;
	if (h->kind == AGG_TEXT)
		d->s = h->s;
	else
		d->i = h->i;
}

static void merge_sketch(struct agg *a, struct agg_cell *d, const struct agg_cell *s)
{
	if (!sketch_ready(a, d))
		return;
	size_t before = sketch_bytes(d->sketch);
	if (sketch_merge(d->sketch, s->sketch))
		a->failed = true;
	d->n += s->n;
	a->bytes += sketch_bytes(d->sketch) - before;
}

static void merge_cell(struct agg *a, unsigned op, struct agg_cell *d, const struct agg_cell *s)
{
	struct agg_datum v;

	switch (op) {
	case AGG_SUM:
	case AGG_AVG:
		d->sum += s->sum;
		break;
	case AGG_MIN:
		d->ext = !d->n || s->ext < d->ext ? s->ext : d->ext;
		break;
	case AGG_MAX:
		d->ext = !d->n || s->ext > d->ext ? s->ext : d->ext;
		break;
	case AGG_FIRST:
	case AGG_LAST:
		held_datum(s->held, &v);
		take_first_last(a, d, op == AGG_LAST, &v, s->ord, s->n);
		return;
	case AGG_DISTINCT:
	case AGG_HIST:
		merge_sketch(a, d, s);
		return;
	default:
		break;
	}
	d->n += s->n;
}

int agg_merge(struct agg *dst, const struct agg *src)
{
	ASSERT(dst->spec.ncols == src->spec.ncols && dst->spec.nkeys == src->spec.nkeys);
	for (uint32_t r = 0; r < src->rows; r++) {
		const struct agg_entry *e = &src->entries[r];
		struct agg_cell *d = agg_row(dst, e->key, e->len);

		if (!d)
			return -ENOMEM;
		for (unsigned c = 0; c < src->spec.ncols; c++) {
			const struct agg_cell *s = &src->cells[(size_t)r * src->spec.ncols + c];
			if (s->n)
				merge_cell(dst, src->spec.op[c], &d[c], s);
		}
	}
	dst->failed |= src->failed;
	return dst->failed ? -ENOMEM : 0;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static const struct agg_cell *cell_of(const struct agg *a, uint32_t row, unsigned col)
{
	ASSERT(row < a->rows && col < a->spec.ncols);
	return &a->cells[(size_t)row * a->spec.ncols + col];
}

static void set_num(struct agg_datum *v, double d)
{
	v->kind = AGG_NUM;
	v->d = d;
}

static void set_int128(struct agg_datum *v, __int128 x)
{
	if (x >= INT64_MIN && x <= INT64_MAX) {
		v->kind = AGG_INT;
		v->i = (int64_t)x;
	} else {
		set_num(v, (double)x);
	}
}

void agg_value(const struct agg *a, uint32_t row, unsigned col, struct agg_datum *v)
{
	const struct agg_cell *c = cell_of(a, row, col);

	memset(v, 0, sizeof(*v));
	switch (a->spec.op[col]) {
	case AGG_SUM:
		set_int128(v, c->sum);
		break;
	case AGG_AVG:
		if (c->n)
			set_num(v, (double)c->sum / (double)c->n);
		break;
	case AGG_MIN:
	case AGG_MAX:
		if (c->n)
			set_int128(v, c->ext);
		break;
	case AGG_FIRST:
	case AGG_LAST:
		if (c->n)
			held_datum(c->held, v);
		break;
	case AGG_DISTINCT:
		set_int128(v, c->sketch ? (__int128)sketch_distinct_count(c->sketch) : 0);
		break;
	default:
		set_int128(v, (__int128)c->n);
	}
}

uint64_t agg_count(const struct agg *a, uint32_t row, unsigned col)
{
	return cell_of(a, row, col)->n;
}

int64_t agg_quantile(const struct agg *a, uint32_t row, unsigned col, double q)
{
	const struct agg_cell *c = cell_of(a, row, col);

	return c->sketch && a->spec.op[col] == AGG_HIST ? sketch_quantile(c->sketch, q) : 0;
}

int agg_hist_each(const struct agg *a, uint32_t row, unsigned col,
		  int (*fn)(void *ctx, int64_t lo, int64_t hi, uint64_t n), void *ctx)
{
	const struct agg_cell *c = cell_of(a, row, col);

	return c->sketch && a->spec.op[col] == AGG_HIST ? sketch_hist_each(c->sketch, fn, ctx) : 0;
}

/* ---- order ----------------------------------------------------------------------------------------- */

static int cmp_bytes(const char *p, size_t np, const char *q, size_t nq)
{
	int c = memcmp(p, q, MIN(np, nq));

	return c ? c : np < nq ? -1 : np > nq;
}

static double datum_num(const struct agg_datum *d)
{
	return d->kind == AGG_NUM ? d->d : (double)d->i;
}

static int cmp_datum(const struct agg_datum *x, const struct agg_datum *y)
{
	if (x->kind == AGG_TEXT && y->kind == AGG_TEXT)
		return cmp_bytes(x->s, x->len, y->s, y->len);
	if (x->kind == AGG_TEXT || y->kind == AGG_TEXT) /* numbers before texts */
		return x->kind == AGG_TEXT ? 1 : -1;
	if (x->kind == AGG_INT && y->kind == AGG_INT)
		return x->i < y->i ? -1 : x->i > y->i;
	double p = datum_num(x), q = datum_num(y);
	return p < q ? -1 : p > q;
}

static void join_text(struct buf *b, const struct agg_datum *k, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_put(b, "\001\001", 2);
		if (k[i].kind == AGG_TEXT)
			buf_put(b, k[i].s, k[i].len);
		else if (k[i].kind == AGG_BOOL)
			buf_puts(b, k[i].i ? "true" : "false");
		else if (k[i].kind == AGG_INT)
			buf_i64(b, k[i].i);
		else if (k[i].kind == AGG_NUM)
			buf_printf(b, "%.14g", k[i].d);
	}
}

static int cmp_keys(const struct agg *a, uint32_t x, uint32_t y)
{
	struct agg_datum kx[AGG_MAX_KEYS], ky[AGG_MAX_KEYS];

	agg_row_key(a, x, kx);
	agg_row_key(a, y, ky);
	if (a->spec.nkeys == 1)
		return cmp_datum(&kx[0], &ky[0]);
	struct buf bx, by;
	buf_init(&bx);
	buf_init(&by);
	join_text(&bx, kx, a->spec.nkeys);
	join_text(&by, ky, a->spec.nkeys);
	int c = cmp_bytes(bx.p ? bx.p : "", bx.len, by.p ? by.p : "", by.len);
	buf_fini(&bx);
	buf_fini(&by);
	/* Different keys can have one text ("3" and 3): the encoding still tells them apart. */
	return c ? c : cmp_bytes((const char *)a->entries[x].key, a->entries[x].len,
				 (const char *)a->entries[y].key, a->entries[y].len);
}

struct sort_ctx {
	const struct agg *a;
	unsigned col;
	bool by_value;
};

static int cmp_rows(const void *p, const void *q, void *arg)
{
	const struct sort_ctx *s = arg;
	uint32_t x = *(const uint32_t *)p, y = *(const uint32_t *)q;
	struct agg_datum vx, vy;
	int c;

	if (s->by_value) {
		agg_value(s->a, x, s->col, &vx);
		agg_value(s->a, y, s->col, &vy);
		if ((c = cmp_datum(&vy, &vx)))
			return c;
	}
	return cmp_keys(s->a, x, y);
}

static int sort_rows(const struct agg *a, struct sort_ctx s, uint32_t **idx)
{
	uint32_t *v = malloc(sizeof(*v) * ((size_t)a->rows + 1));

	if (!v)
		return -ENOMEM;
	for (uint32_t r = 0; r < a->rows; r++)
		v[r] = r;
	qsort_r(v, a->rows, sizeof(*v), cmp_rows, &s);
	*idx = v;
	return 0;
}

int agg_sort(const struct agg *a, unsigned col, uint32_t **idx)
{
	ASSERT(col < a->spec.ncols);
	return sort_rows(a, (struct sort_ctx){ a, col, true }, idx);
}

int agg_sort_by_key(const struct agg *a, uint32_t **idx)
{
	return sort_rows(a, (struct sort_ctx){ a, 0, false }, idx);
}
