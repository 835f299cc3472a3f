/* Numbers to text, straight into memory for which the caller has made room: no checks, no copies.
 * Each function returns the first byte behind what it wrote and adds no NUL. Any thread; no state.
 */
#ifndef BURIN_BASE_NUM_H
#define BURIN_BASE_NUM_H

#include "base/compiler.h"

enum {
	NUM_DEC_MAX = 20, /* -9223372036854775808, 18446744073709551615 */
	NUM_HEX_MAX = 16,
	NUM_OCT_MAX = 23, /* with the leading 0 */
};

extern const char num_pairs[200]; /* "00" to "99" */

static inline unsigned num_digits(uint64_t v)
{
	unsigned n = 1;

	while (v >= 10000) {
		v /= 10000;
		n += 4;
	}
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

/* Exactly n digits of v, the lowest ones. */
static inline char *num_fixed(char *p, uint64_t v, unsigned n)
{
	char *end = p + n, *q = end;

	for (; q - p >= 2; v /= 100) {
		q -= 2;
		memcpy(q, num_pairs + 2 * (v % 100), 2);
	}
	if (q > p)
		*p = (char)('0' + v % 10);
	return end;
}

/* Exactly four digits; v < 10^4. */
static ALWAYS_INLINE char *num_4(char *p, uint32_t v)
{
	memcpy(p, num_pairs + 2 * (v / 100), 2);
	memcpy(p + 2, num_pairs + 2 * (v % 100), 2);
	return p + 4;
}

/* v < 10^4, without zeros in front. */
static ALWAYS_INLINE char *num_small(char *p, uint32_t v)
{
	if (v < 100) {
		if (v < 10) {
			*p = (char)('0' + v);
			return p + 1;
		}
		memcpy(p, num_pairs + 2 * v, 2);
		return p + 2;
	}
	if (v >= 1000)
		return num_4(p, v);
	*p = (char)('0' + v / 100);
	memcpy(p + 1, num_pairs + 2 * (v % 100), 2);
	return p + 3;
}

char *num_large(char *p, uint64_t v); /* v >= 10^8 */

static ALWAYS_INLINE char *num_u64(char *p, uint64_t v)
{
	if (v < 10000)
		return num_small(p, (uint32_t)v);
	if (v >= 100000000)
		return num_large(p, v);
	uint32_t w = (uint32_t)v;

	p = num_small(p, w / 10000);
	return num_4(p, w % 10000);
}

static ALWAYS_INLINE char *num_i64(char *p, int64_t v)
{
	if (v >= 0)
		return num_u64(p, (uint64_t)v);
	*p++ = '-';
	return num_u64(p, 0 - (uint64_t)v);
}

/* At least min digits, zeros in front. */
static inline char *num_padded(char *p, uint64_t v, unsigned min)
{
	unsigned n = num_digits(v);

	n = n < min ? min : n;
	return num_fixed(p, v, n);
}

/* Nine digits: the fraction of a second; v < 10^9. */
static ALWAYS_INLINE char *num_ns(char *p, uint32_t v)
{
	uint32_t hi = v / 100000, lo = v % 100000; /* 4 and 5 digits */

	memcpy(p, num_pairs + 2 * (hi / 100), 2);
	memcpy(p + 2, num_pairs + 2 * (hi % 100), 2);
	p[4] = (char)('0' + lo / 10000);
	lo %= 10000;
	memcpy(p + 5, num_pairs + 2 * (lo / 100), 2);
	memcpy(p + 7, num_pairs + 2 * (lo % 100), 2);
	return p + 9;
}

/* No prefix, no padding. */
static ALWAYS_INLINE char *num_hex(char *p, uint64_t v, const char *digits)
{
	unsigned n = (unsigned)(67 - __builtin_clzll(v | 1)) / 4;

	for (char *q = p + n; q > p; v >>= 4)
		*--q = digits[v & 15];
	return p + n;
}
#define NUM_UPPER "0123456789ABCDEF"
#define NUM_LOWER "0123456789abcdef"

/* A leading 0 unless v is 0. */
static inline char *num_oct(char *p, uint64_t v)
{
	unsigned n = v ? (unsigned)(66 - __builtin_clzll(v)) / 3 + 1 : 1;

	for (char *q = p + n; q > p; v >>= 3)
		*--q = (char)('0' + (v & 7));
	return p + n;
}

#endif
