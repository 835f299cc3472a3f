/* The inner part of event_parse, inline, for loops that see every event. Any thread. */
#ifndef BURIN_EVENT_EVENT_PARSE_H
#define BURIN_EVENT_EVENT_PARSE_H

#include "event/event.h"

static ALWAYS_INLINE uint32_t load_len(const uint8_t *lens, uint32_t i, bool large)
{
	return large ? load_u32(lens + 4 * (size_t)i) : load_u16(lens + 2 * (size_t)i);
}

/* Sum of four 16-bit lengths packed in x. */
static ALWAYS_INLINE uint32_t lens_sum4(uint64_t x)
{
	x = (x & 0x0000ffff0000ffff) + (x >> 16 & 0x0000ffff0000ffff);
	return (uint32_t)x + (uint32_t)(x >> 32);
}

/* Sum of the first n parameter lengths; readable bytes may be read from lens on. 64 bits hold the
 * sum for any n that fits into a block. Most events have up to four parameters: those take one load
 * and no loop, whose end the processor could not foresee. */
static ALWAYS_INLINE uint64_t lens_sum(const uint8_t *lens, uint32_t n, bool large,
				       uint32_t readable)
{
	uint64_t sum = 0;
	uint32_t i = 0;

	for (; !large && n - i >= 4; i += 4)
		sum += lens_sum4(load_u64(lens + 2 * (size_t)i));
	if (LIKELY(!large && readable >= 2 * (uint64_t)i + 8))
		return sum +
		       lens_sum4(load_u64(lens + 2 * (size_t)i) & ((1ull << 16 * (n - i)) - 1));
	for (; i < n; i++)
		sum += load_len(lens, i, large);
	return sum;
}

enum { EVENT_V2_MIN_BLOCK = 10 + EVENT_HDR_V2 + 4 };

/* An ordinary block is BLK_EV_V2 of n >= EVENT_V2_MIN_BLOCK bytes whose type has 16-bit lengths. Checks the event at h
 * in it and gives the number of parameters. False when anything is odd: then event_parse says what it is. */
static ALWAYS_INLINE bool event_check_v2(const uint8_t *h, uint32_t n, uint32_t *np)
{
	static const uint64_t first[5] = {0, 0xffff, 0xffffffff, 0xffffffffffff, UINT64_MAX};
	uint32_t count = load_u32(h + EVENT_HDR_V1);
	uint32_t body = load_u32(h + 16) - EVENT_HDR_V2; /* huge when the length is too small */
	uint64_t total;

	if (UNLIKELY(body > n - EVENT_V2_MIN_BLOCK || count > body / 2))
		return false;
	/* Behind the event the block has at least its 4-byte trailer. */
	if (LIKELY(count <= 4) && LIKELY(body >= 4))
		total = lens_sum4(load_u64(h + EVENT_HDR_V2) & first[count]);
	else
		total = lens_sum(h + EVENT_HDR_V2, count, false, body + 4);
	*np = count;
	return LIKELY(total <= body - 2 * count);
}

#endif
