/* Framing of event blocks, with and without knowing where the first one begins. Pure functions, any thread. */
#ifndef BURIN_SOURCE_FRAME_H
#define BURIN_SOURCE_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* No event block is shorter. */
enum { FRAME_STEP_MIN = 12 /* BLOCK_FRAME_BYTES */ + 2 /* cpu */ + 22 /* event header */ };

/* What stands where framing ended. */
enum frame_end {
	FRAME_FULL,    /* nothing that is asked for: stop, or no more room */
	FRAME_PARTIAL, /* a block that is not complete */
	FRAME_OTHER,   /* no event block */
	FRAME_LENGTH,  /* an event block whose length cannot be */
};

/* Offsets of the event blocks that begin in p[*at, stop), where *at is the beginning of a block and 8 bytes behind
 * stop can be read, to *q, ascending, up to end; no block may be longer than limit bytes or reach beyond p[len). *at and
 * *q move on. */
enum frame_end frame_events(const uint8_t *p, size_t len, size_t stop, size_t limit, size_t *at, uint32_t **q,
			    const uint32_t *end);

/* Where in p[0, len), a stretch from the middle of a section, an event block seems to begin, since others seem to
 * follow: their types, lengths and trailers agree. len = nowhere. Payloads may look the same, so whoever knows where blocks
 * begin has to meet this place before he trusts it. */
size_t frame_guess(const uint8_t *p, size_t len, size_t limit);

#endif
