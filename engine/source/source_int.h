/* Inside of a source: shared by source.c (filling batches) and walk.c (framing blocks). */
#ifndef BURIN_SOURCE_SOURCE_INT_H
#define BURIN_SOURCE_SOURCE_INT_H

#include "source/source.h"
#include "source/stream.h"

/* Where the reader is:
 *
 *   START --SHB--> META --event--> EVENTS --SHB--> START
 *
 * START expects a section header; META takes everything up to the first event block. */
enum source_phase { PHASE_START, PHASE_META, PHASE_EVENTS };

struct source {
	const struct source_ops *ops; /* not a file: these do everything, the rest is unused */
	void *ops_ctx;

	struct stream *stream;
	size_t batch_bytes;
	uint32_t batch_events; /* UINT32_MAX = no limit */
	size_t run_limit;

	enum source_phase phase;
	uint64_t off;	      /* decompressed offset of the next batch's data[0] */
	uint64_t section_off; /* of the section header before that */
	bool done;	      /* the last batch was handed out */

	/* Bytes read but not handed out yet: carry[carry_pos, carry_len). */
	uint8_t *carry;
	size_t carry_pos, carry_len, carry_cap;
	uint64_t carry_raw; /* raw position before the read that brought them */
};

enum walk_result {
	WALK_MORE = 0, /* the block at *pos is not complete */
	WALK_CUT = 1,  /* the batch ends at *pos, more follows */
};
/* Appends the blocks of p[*pos, len) to b->blk as far as they belong to b, whose data[0] is p[0].
 * Returns a walk_result, or negative: out of memory, or damage at *pos (b->err and b->last are
 * set). */
int walk_blocks(struct source *s, struct batch *b, const uint8_t *p, size_t len, size_t *pos);

#endif
