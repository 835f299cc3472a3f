#include "source/frame.h"

#include "source/block.h"

enum {
	GUESS_CHAIN = 4,     /* blocks that have to agree */
	EVENT_TYPES = 0x200, /* what all types of event blocks have above their last byte, but for the old alias */
};

_Static_assert(FRAME_STEP_MIN == BLOCK_FRAME_BYTES + 2 + EVENT_HDR_V1, "the shortest event block");

enum frame_end frame_events(const uint8_t *p, size_t len, size_t stop, size_t limit, size_t *at, uint32_t **q,
			    const uint32_t *end)
{
	size_t pos = *at;
	uint32_t *out = *q, hot = BLK_EV_V2, min, max, span;
	enum frame_end why = FRAME_FULL;

	block_event_limits(hot, &min, &max);
	span = (uint32_t)MIN(max, limit) - min;
	while (pos < stop && out < end) {
		uint32_t type = load_u32(p + pos), n = load_u32(p + pos + 4);

		if (UNLIKELY(type != hot)) {
			if (!block_is_event(type)) {
				why = FRAME_OTHER;
				break;
			}
			hot = type;
			block_event_limits(type, &min, &max);
			span = (uint32_t)MIN(max, limit) - min;
		}
		if (UNLIKELY(n - min > span)) {
			why = FRAME_LENGTH;
			break;
		}
		if (UNLIKELY(n > len - pos)) {
			why = FRAME_PARTIAL;
			break;
		}
		*out++ = (uint32_t)pos;
		pos += n;
	}
	*at = pos;
	*q = out;
	return why;
}

/* The length of the event block that seems to begin at p[0], of which n bytes are there; 0 = it cannot be one, n = it
 * would reach beyond. */
static size_t seeming_block(const uint8_t *p, size_t n, size_t limit)
{
	uint32_t type, bytes, min, max;

	if (n < BLOCK_HEAD_BYTES)
		return n;
	type = load_u32(p);
	if ((type & ~0xffu) != EVENT_TYPES || !block_is_event(type))
		return 0;
	bytes = load_u32(p + 4);
	block_event_limits(type, &min, &max);
	if (bytes < min || bytes > MIN((size_t)max, limit))
		return 0;
	if (bytes > n)
		return n;
	return load_u32(p + bytes - 4) == bytes ? bytes : 0;
}

static bool seems_chain(const uint8_t *p, size_t n, size_t limit)
{
	for (unsigned i = 0; i < GUESS_CHAIN && n; i++) {
		size_t bytes = seeming_block(p, n, limit);

		if (!bytes)
			return false;
		p += bytes;
		n -= bytes;
	}
	return true;
}

size_t frame_guess(const uint8_t *p, size_t len, size_t limit)
{
	for (size_t at = 0; at + FRAME_STEP_MIN * GUESS_CHAIN <= len; at++)
		if (p[at + 1] == EVENT_TYPES >> 8 && seems_chain(p + at, len - at, limit))
			return at;
	return len;
}
