/* Where parts of a compressed file may begin: members and frames ahead of the place that decompression has come to.
 * Private to the source stage. Answers are guesses: inflate.h says why that does no harm.
 *
 * gzip: a header may say how long its member is: in a subfield of its extra field, "BC" (BGZF: 2 bytes, length - 1) or
 * "BU" (our own: 4 bytes, length). Else the next header is looked for byte by byte.
 * zstd: from block header to block header. */
#ifndef BURIN_SOURCE_CUT_H
#define BURIN_SOURCE_CUT_H

#include "source/stream.h"

struct cut {
	const struct stream *s;
	size_t apart;	/* stored bytes between parts at least */
	uint8_t *buf;	/* scanning; NULL = not yet */
	uint64_t at;	/* looked at so far, in the file as stored */
	uint64_t least; /* parts before this are not worth it */
	uint64_t found; /* where a part may begin; UINT64_MAX = nothing found yet */
	bool scan;	/* gzip: at is any place, not a header */
	bool in_frame;	/* zstd: at is a block header */
	bool checksum;	/* zstd: of that frame */
	bool end;	/* nothing more will be found */
};

void cut_init(struct cut *c, const struct stream *s, size_t apart);
void cut_fini(struct cut *c);
/* What lies before raw_off is not of interest any more. */
void cut_pass(struct cut *c, uint64_t raw_off);
/* Goes on for a while; then found or end may be set. The caller takes found and sets it back. */
void cut_step(struct cut *c);

#endif
