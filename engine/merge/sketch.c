#include "merge/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Distinct: up to SET_MAX hashes are kept sorted and exact, beyond that HyperLogLog (Flajolet et al. 2007, with the
 * linear counting correction for small counts). The change happens at a number of distinct hashes, so the state
 * depends on the set of values alone.
 *
 * Histogram: bucket i < 32 holds the value i; above, each power of two is cut into 32 equal buckets:
 *   e = position of the highest set bit (>= 5), index = (e - 4) * 32 + ((v >> (e - 5)) & 31). */
enum { SET_MAX = 256, HLL_BITS = 12, HLL_REGS = 1 << HLL_BITS, SUB_BITS = 5, SUB = 1 << SUB_BITS };

struct agg_sketch {
	uint64_t *hashes; /* sorted; NULL once regs is there */
	uint32_t nhash, cap;
	uint8_t *regs;	  /* HLL_REGS */
	uint64_t *bucket; /* nbucket counts */
	uint32_t nbucket;
	uint64_t below; /* negative values */
};

struct agg_sketch *sketch_new(void)
{
	return calloc(1, sizeof(struct agg_sketch));
}

void sketch_free(struct agg_sketch *s)
{
	if (!s)
		return;
	free(s->hashes);
	free(s->regs);
	free(s->bucket);
	free(s);
}

size_t sketch_bytes(const struct agg_sketch *s)
{
	return sizeof(*s) + s->cap * sizeof(*s->hashes) + (s->regs ? HLL_REGS : 0) +
	       s->nbucket * sizeof(*s->bucket);
}

static ALWAYS_INLINE uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t sketch_hash(const void *key, size_t n)
{
	const uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u, k2 = 0xa0761d6478bd642fu;
	const uint8_t *p = key;
	uint64_t h = k0 ^ n, a = 0, b = 0;

	for (; n > 16; n -= 16, p += 16)
		h = mix(load_u64(p) ^ k1, load_u64(p + 8) ^ h);
	if (n >= 8) {
		a = load_u64(p);
		b = load_u64(p + n - 8);
	} else if (n >= 4) {
		a = load_u32(p);
		b = load_u32(p + n - 4);
	} else if (n) {
		a = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
	}
	return mix(mix(a ^ k1, b ^ h), k2 ^ h);
}

/* ---- distinct -------------------------------------------------------------------------------------- */

static void reg_set(uint8_t *regs, uint64_t hash)
{
	uint64_t rest = hash << HLL_BITS | 1; /* the 1 bounds the run of zeros */
	uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
	uint8_t *r = &regs[hash >> (64 - HLL_BITS)];

	if (rank > *r)
		*r = rank;
}

static int to_registers(struct agg_sketch *s)
{
	if (!(s->regs = calloc(HLL_REGS, 1)))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->nhash; i++)
		reg_set(s->regs, s->hashes[i]);
	free(s->hashes);
	s->hashes = NULL;
	s->nhash = s->cap = 0;
	return 0;
}

int sketch_distinct_add(struct agg_sketch *s, uint64_t hash)
{
	uint32_t lo = 0, hi = s->nhash;

	if (s->regs) {
		reg_set(s->regs, hash);
		return 0;
	}
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (s->hashes[mid] < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->nhash && s->hashes[lo] == hash)
		return 0;
	if (s->nhash == SET_MAX) {
		if (to_registers(s))
			return -ENOMEM;
		reg_set(s->regs, hash);
		return 0;
	}
	if (s->nhash == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 8;
		uint64_t *h = realloc(s->hashes, cap * sizeof(*h));
		if (!h)
			return -ENOMEM;
		s->hashes = h;
		s->cap = cap;
	}
	memmove(s->hashes + lo + 1, s->hashes + lo, (s->nhash - lo) * sizeof(*s->hashes));
	s->hashes[lo] = hash;
	s->nhash++;
	return 0;
}

uint64_t sketch_distinct_count(const struct agg_sketch *s)
{
	double m = HLL_REGS, sum = 0;
	unsigned zero = 0;

	if (!s->regs)
		return s->nhash;
	for (unsigned i = 0; i < HLL_REGS; i++) {
		sum += ldexp(1.0, -s->regs[i]);
		zero += !s->regs[i];
	}
	double est = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (est <= 2.5 * m && zero)
		est = m * log(m / zero);
	return (uint64_t)(est + 0.5);
}

static int merge_distinct(struct agg_sketch *d, const struct agg_sketch *s)
{
	for (uint32_t i = 0; i < s->nhash; i++)
		if (sketch_distinct_add(d, s->hashes[i]))
			return -ENOMEM;
	if (!s->regs)
		return 0;
	if (!d->regs && to_registers(d))
		return -ENOMEM;
	for (unsigned i = 0; i < HLL_REGS; i++)
		if (s->regs[i] > d->regs[i])
			d->regs[i] = s->regs[i];
	return 0;
}

/* ---- histogram ------------------------------------------------------------------------------------- */

static uint32_t bucket_of(uint64_t v)
{
	if (v < SUB)
		return (uint32_t)v;
	unsigned e = 63 - (unsigned)__builtin_clzll(v);

	return (e - SUB_BITS + 1) * SUB + ((uint32_t)(v >> (e - SUB_BITS)) & (SUB - 1));
}

static void bucket_range(uint32_t i, int64_t *lo, int64_t *hi)
{
	if (i < SUB) {
		*lo = *hi = i;
		return;
	}
	unsigned sh = i / SUB - 1;

	*lo = (int64_t)((uint64_t)(SUB + i % SUB) << sh);
	*hi = (int64_t)((uint64_t)*lo + ((uint64_t)1 << sh) - 1);
}

static int grow_buckets(struct agg_sketch *s, uint32_t need)
{
	uint32_t n = (need + SUB - 1) / SUB * SUB;

	if (n <= s->nbucket)
		return 0;
	uint64_t *b = realloc(s->bucket, n * sizeof(*b));
	if (!b)
		return -ENOMEM;
	memset(b + s->nbucket, 0, (n - s->nbucket) * sizeof(*b));
	s->bucket = b;
	s->nbucket = n;
	return 0;
}

int sketch_hist_add(struct agg_sketch *s, int64_t v, uint64_t n)
{
	if (v < 0) {
		s->below += n;
		return 0;
	}
	uint32_t i = bucket_of((uint64_t)v);

	if (i >= s->nbucket && grow_buckets(s, i + 1))
		return -ENOMEM;
	s->bucket[i] += n;
	return 0;
}

int sketch_hist_each(const struct agg_sketch *s, int (*fn)(void *ctx, int64_t lo, int64_t hi, uint64_t n),
		     void *ctx)
{
	int r = s->below ? fn(ctx, INT64_MIN, -1, s->below) : 0;

	for (uint32_t i = 0; i < s->nbucket && !r; i++) {
		int64_t lo, hi;

		if (!s->bucket[i])
			continue;
		bucket_range(i, &lo, &hi);
		r = fn(ctx, lo, hi, s->bucket[i]);
	}
	return r;
}

struct quantile {
	double want; /* rank to reach */
	double seen;
	int64_t at;
};

static int quantile_step(void *ctx, int64_t lo, int64_t hi, uint64_t n)
{
	struct quantile *q = ctx;

	q->seen += (double)n;
	q->at = hi < 0 ? -1 : lo + (hi - lo) / 2;
	return q->seen >= q->want;
}

static int count_step(void *ctx, int64_t lo, int64_t hi, uint64_t n)
{
	*(double *)ctx += (double)n;
	return 0;
}

int64_t sketch_quantile(const struct agg_sketch *s, double q)
{
	struct quantile st = { 0 };
	double total = 0;

	sketch_hist_each(s, count_step, &total);
	st.want = q * total;
	sketch_hist_each(s, quantile_step, &st);
	return st.at;
}

int sketch_merge(struct agg_sketch *d, const struct agg_sketch *s)
{
	int r = merge_distinct(d, s);

	if (r || (s->nbucket && grow_buckets(d, s->nbucket)))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->nbucket; i++)
		d->bucket[i] += s->bucket[i];
	d->below += s->below;
	return 0;
}
