/* Reader of .scap files: plain, gzip (several members), zstd (several frames), file or pipe ("-").
 *
 * One source reads one file. One thread at a time may call it (the pipeline's reader turn); which
 * thread does not matter. It frames blocks, checks what can be checked without state (frame lengths,
 * trailers of metadata blocks, section headers, order of blocks) and cuts the stream into batches at
 * block boundaries: BATCH_META for the metadata blocks of a section, BATCH_EVENTS for event blocks.
 * Contents of metadata blocks are parsed by meta.h, contents of events by the digest.
 *
 * Damage: whatever was read before it is delivered first; the batch that ends the file carries .last
 * and .err with the decompressed byte offset (and the raw offset for compressed input). Unknown
 * blocks before the first event are skipped. */
#ifndef BURIN_SOURCE_SOURCE_H
#define BURIN_SOURCE_SOURCE_H

#include "event/batch.h"

struct source;

struct source_opts {
	size_t batch_bytes;    /* aimed-at run length; 0 = default (chosen by measurement) */
	uint32_t batch_events; /* at most that many blocks per batch; 0 = no limit (debug option) */
};

/* Opens path ("-" = standard input) and reads as far as the first section header. On failure returns
 * a negative code with *e filled ("can't open file ..." or what is wrong with the header). */
int source_open(struct source **out, const char *path, const struct source_opts *o, struct err *e);
void source_close(struct source *s); /* every batch must have been released */

/* Fills the run part of b with the next stretch. Returns 0 when b holds blocks or is the end
 * (b->last), negative only for lack of memory. After b->last it must not be called again. */
int source_read(struct source *s, struct batch *b, struct err *e);
/* Gives the run of b back (mapped windows are dropped behind it). Called in batch order, by the
 * holder of the release turn, possibly while another thread is inside source_read. */
void source_release(struct source *s, struct batch *b);

/* Bytes of the file as stored (0 when unknown, as for a pipe), for progress. */
uint64_t source_raw_size(const struct source *s);

#endif
