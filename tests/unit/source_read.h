/* What the tests of the reader share: files from word lists, read whole and summed up, compressed ones. */
#ifndef BURIN_TESTS_SOURCE_READ_H
#define BURIN_TESTS_SOURCE_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "scap_make.h"
#include "source/source.h"

enum { SHB_MAGIC = 0x1A2B3C4D };

/* A file of one block per word; mark = offset of the word with a star before it, ERR_NO_POS if there is none. The caller
 * frees b. */
void make_file(struct buf *b, const char *words, uint64_t *mark);
/* One of that many events, which hardly compress. */
void make_noise(struct buf *file, size_t events);

struct outcome {
	char runs[256]; /* "M2 E3": batches, neighbouring BATCH_EVENTS as one */
	struct err err;
	bool opened;
	uint64_t blocks, bytes; /* of event blocks */
	uint32_t max_events;	/* in one batch */
	size_t max_mem;
	unsigned fetched; /* stretches */
	uint64_t raw_off;
};

/* Batches of several sizes; the first way is the ordinary one. */
enum { WAYS = 6 };
extern const struct source_opts ways[WAYS];

/* Reads a file to its end, with everything about a batch checked that can be; want: the bytes it was made of, or NULL. */
struct outcome read_memory(const struct buf *file, const struct buf *want, const struct source_opts *opts);
struct outcome read_path(const char *path, const struct buf *want, const struct source_opts *opts);

typedef void pack_fn(struct buf *out, const void *p, size_t n);
pack_fn gzip_member, zstd_frame;
/* in, in members or frames of piece bytes. The caller frees out. */
void pack(struct buf *out, const struct buf *in, size_t piece, pack_fn *fn);

#endif
