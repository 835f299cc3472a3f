/* Inside of a stream: the input buffer and the decoders' interface. */
#ifndef BURIN_SOURCE_STREAM_INT_H
#define BURIN_SOURCE_STREAM_INT_H

#include <stdatomic.h>

#include "source/stream.h"

enum {
	STREAM_IN_BYTES = 256 * 1024,
	STREAM_PART_IN_BYTES = 64 * 1024, /* of a part: several at a time share the caches */
};

enum stream_kind { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD };

struct gzip;
struct zstd;

struct stream {
	enum stream_kind kind;
	int fd;		  /* -1 = memory */
	bool own_fd;	  /* close it */
	bool pipe;	  /* reads may block: poll first */
	bool seekable;	  /* read at raw_end, wherever the descriptor stands */
	int wake_fd;	  /* eventfd that ends a poll; -1 when not a pipe */
	atomic_bool stop; /* relaxed: only a request; nothing else is published with it */
	bool at_end;	  /* nothing more will be delivered */
	struct err
		failed; /* code != 0: reported by every read once the data before it is delivered */

	/* Input as stored: in[in_pos, in_len) is fetched but not used up. */
	const uint8_t *in;
	size_t in_pos, in_len;
	uint8_t *in_buf;   /* owned; NULL for memory */
	bool in_eof;	   /* nothing to fetch any more */
	uint64_t raw_base; /* file offset where reading began (standard input may be part-read) */
	uint64_t raw_end;  /* file offset behind in[in_len) */
	uint64_t out_pos;  /* bytes delivered */

	/* Parts only. Every call of the decoder ends at a multiple of step in the member, and input is fetched in
	 * pieces that begin at multiples of their size in the file: so what the decoder sees, and where it finds
	 * damage, depends on the file alone, not on where parts begin. */
	const struct stream *of; /* NULL = not a part */
	size_t step;		 /* bytes of output; 0 = as much as is wanted */
	uint64_t unit_out;	 /* bytes delivered of the present member */
	uint64_t mark;		 /* where the input began of which the last output was made */

	struct gzip *gzip;
	struct zstd *zstd;
};

enum { FEED_EOF = 0, FEED_DATA = 1, FEED_PAUSE = 2 };
/* Sees to it that in[in_pos] exists: FEED_*, or a negative code with *e. */
int stream_feed(struct stream *s, int timeout_ms, struct err *e);
/* Fails at the present positions. */
int stream_fail(const struct stream *s, struct err *e, int code, const char *msg);

/* Decoders, with the contract of stream_read, except that they may fail with *got > 0 (data before
 * the damage). *got is 0 when called. They advance in_pos and out_pos and set at_end. */
int gzip_new(struct gzip **out);
void gzip_free(struct gzip *g);
void gzip_begin_part(struct gzip *g, bool first); /* anew; first: of the file */
bool gzip_between(const struct gzip *g);	   /* members */
int gzip_read(struct stream *s, uint8_t *dst, size_t n, int timeout_ms, size_t *got, struct err *e);
int zstd_new(struct zstd **out);
void zstd_free(struct zstd *z);
void zstd_begin_part(struct zstd *z);
bool zstd_between(const struct zstd *z); /* frames */
int zstd_read(struct stream *s, uint8_t *dst, size_t n, int timeout_ms, size_t *got, struct err *e);

#endif
