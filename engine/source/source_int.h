/* Inside of a source: shared by source.c (filling batches) and walk.c (framing blocks). */
#ifndef BURIN_SOURCE_SOURCE_INT_H
#define BURIN_SOURCE_SOURCE_INT_H

#include "source/block.h"
#include "source/inflate.h"
#include "source/source.h"
#include "source/stream.h"

enum {
	/* Room for what is left of the batch before, in front of fetched bytes: part of a block that is not large.
	 * Pages that are not used cost nothing. */
	HEADROOM = BLOCK_HEAD_BYTES + BLOCK_SMALL_MAX,
	ROOMS_KEPT = 3,
};

/* Where the reader is:
 *
 *   START --SHB--> META --event--> EVENTS --SHB--> START
 *
 * START expects a section header; META takes everything up to the first event block. */
enum source_phase { PHASE_START, PHASE_META, PHASE_EVENTS };

/* A stretch of the file, fetched or on its way. */
struct stretch {
	uint8_t *mem; /* with headroom in front; NULL = none yet */
	uint64_t off; /* in the file */
	size_t len;   /* bytes that came; less than a whole stretch: the end, or a failure */
	struct framing framed; /* from a guessed beginning on; at is owned, n 0 = none */
	unsigned worker; /* that fetches it */
	bool loaded;
	bool spent; /* read, or of no use */
};

/* Memory of stretches, for further ones; mem and framed.at of those are all that counts. */
struct rooms {
	struct stretch of[ROOMS_KEPT];
	unsigned n;
};

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

	/* Compressed files (packed.c); inf NULL = not one. */
	struct inflate *inf;
	struct chunk *part; /* partly used */
	uint64_t raw_pos;   /* compressed bytes used up */
	bool inf_end, no_memory; /* its end, or damage, was met; a chunk is lost */
	/* From byte out (decompressed) on the bytes are compressed from raw on; ascending, from the batch's start on. */
	struct packed_mark {
		uint64_t out, raw;
	} *marks;
	size_t nmarks, marks_cap;

	/* Read-ahead (ahead.c); nahead 0 = none. GUARDED_BY the caller's lock but for mem and len of a
	 * stretch that is being fetched; the holder of the reader turn also owns taken. */
	struct stretch *ahead; /* ring of nahead, in the order of the file */
	unsigned nahead, first, nfetched, nrooms;
	uint64_t fetch_off; /* where the next one begins */
	bool fetch_end;	    /* none is begun */
	uint64_t short_at;  /* where a stretch came back short */
	struct rooms *rooms; /* one per worker that fetches: what lies in its caches */
	struct stretch taken; /* for the present read; mem NULL = it reads by itself */
};

int ahead_init(struct source *s, unsigned fetchers); /* 0 or -ENOMEM */
void ahead_fini(struct source *s);
void ahead_reset(struct source *s); /* forgets what was fetched; nothing is on its way */
/* b->data[0, b->len) becomes carry[0, have) and the fetched stretch behind it, and the stream goes on behind
 * that. False when there is none: b is as it was. */
bool ahead_take(struct source *s, struct batch *b, const uint8_t *carry, size_t have);

int packed_init(struct source *s, const struct source_opts *o); /* 0 or -ENOMEM */
void packed_fini(struct source *s);
/* As stream_read and stream_at_end. */
int packed_read(struct source *s, void *dst, size_t n, size_t *got, struct err *e);
bool packed_at_end(const struct source *s);
/* As ahead_take. */
bool packed_take(struct source *s, struct batch *b, const uint8_t *carry, size_t have);
/* From where on the file has to be decompressed to see the byte at off, which is not before the batch; what lies before
 * off is not asked for any more. */
uint64_t packed_raw(struct source *s, uint64_t off);

enum walk_result {
	WALK_MORE = 0, /* the block at *pos is not complete */
	WALK_CUT = 1,  /* the batch ends at *pos, more follows */
};
/* Appends the blocks of p[*pos, len) to b->blk as far as they belong to b, whose data[0] is p[0].
 * Returns a walk_result, or negative: out of memory, or damage at *pos (b->err and b->last are
 * set). */
int walk_blocks(struct source *s, struct batch *b, const uint8_t *p, size_t len, size_t *pos);
/* If walking b->data from *pos on leads to the first block of b->framed, those blocks belong to b and *pos moves behind
 * them; else they are forgotten. Results as above. */
int walk_framed(struct source *s, struct batch *b, size_t *pos);
/* Lists b->framed in b->blk. 0 or -ENOMEM; b is as before then. */
int walk_list(struct batch *b);

#endif
