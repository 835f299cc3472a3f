/* Compression of one piece of bytes into a gzip member or a zstd frame that stands alone: the pieces of a
 * file can be made, and read, in any order. The same bytes in give the same bytes out.
 *
 * A packer is the scratch memory of one piece at a time: one thread at a time. */
#ifndef BURIN_OUTPUT_PACK_H
#define BURIN_OUTPUT_PACK_H

#include "base/buf.h"

enum pack_kind { PACK_NONE, PACK_GZIP, PACK_ZSTD };

struct packer;

int packer_new(struct packer **out, enum pack_kind kind); /* GZIP or ZSTD; -ENOMEM */
void packer_free(struct packer *p);			  /* NULL is fine */
/* Appends what in[0, n) becomes to out. 0 or -ENOMEM. */
int packer_run(struct packer *p, const void *in, size_t n, struct buf *out);

#endif
