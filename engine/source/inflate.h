/* Decompression ahead of the reader: gzip members and zstd frames by several threads at once, one long member or
 * frame by one thread at a time beside everything else. Private to the source stage.
 *
 *   file    |--- member ---|------ member ------|--- member --|------ ...
 *   parts   |== head ======|== guess ===========| (not begun) |
 *                  \_ chunks          \_ chunks, kept until the head ends exactly where they begin
 *                     ready: in order
 *
 * The head is the part that the trusted order has come to. Other parts begin where cut.c takes something for the start
 * of a member or frame: because a header says how long the one before it is, or because the bytes look like it. They
 * are guesses, and what they gave is used only if the part before them ends exactly there, between two members;
 * a part that the head runs past is thrown away. So what is delivered, damage and its position included, is what
 * one thread would find that decompresses from the start to the end, whatever the file says about itself.
 *
 * Bounded: chunks (decompressed bytes) that wait take at most INFLATE_AHEAD_BYTES for each thread but one, 64 MiB in all,
 * and a part that comes to the bound pauses until it is the head; parts are as many as threads and two; a guess is
 * not begun at a zstd frame that wants a window beyond 8 MiB.
 *
 * With several threads there is a lock inside; with one, everything happens in inflate_next. */
#ifndef BURIN_SOURCE_INFLATE_H
#define BURIN_SOURCE_INFLATE_H

#include "source/stream.h"

enum {
	/* Bytes of output for which the decoder is called: the unit of positions in errors, and half a chunk. Not less than
	 * a block of zstd; ISA-L copies 64 KiB more per call. */
	INFLATE_STEP_BYTES = 128 * 1024,
	INFLATE_AHEAD_BYTES = 16 << 20,
	CHUNK_MARKS = 16,
};

struct inflate;

/* Decompressed bytes at mem + headroom + pos, len of them left. */
struct chunk {
	struct chunk *next;
	unsigned worker; /* that made it */
	uint8_t *mem; /* malloc: whoever takes it owns it */
	size_t pos, len;
	uint64_t out;	  /* decompressed offset of the first byte it had */
	uint64_t raw_end; /* compressed bytes used up behind it */
	/* From byte out on (of those it had) the bytes are compressed from raw on. The first is byte 0. */
	unsigned nmarks;
	struct chunk_mark {
		uint32_t out;
		uint64_t raw;
	} marks[CHUNK_MARKS];
};

struct inflate_opts {
	size_t step;	   /* 0 = INFLATE_STEP_BYTES; small ones are for tests, and ISA-L may not see then that a
			    * distance is too far */
	size_t apart;	   /* of parts at least, stored bytes; 0 = half a step */
	size_t headroom;   /* bytes left free in front in a chunk's mem */
	unsigned fetchers; /* threads; 0 or 1 = the caller's alone */
};

/* s: stream_has_parts; borrowed. -ENOMEM. */
int inflate_new(struct inflate **out, const struct stream *s, const struct inflate_opts *o);
void inflate_free(struct inflate *f); /* NULL is fine; nobody is inside */
size_t inflate_chunk_bytes(const struct inflate *f); /* most that a chunk holds */

/* Work, as source_fetch_claim and what belongs to it in source.h; any thread. */
int inflate_claim(struct inflate *f, unsigned worker, bool urgent);
bool inflate_claimable(struct inflate *f);
void inflate_run(struct inflate *f, int i);
void inflate_done(struct inflate *f, int i);
bool inflate_ready(struct inflate *f); /* inflate_next would neither wait nor work */
/* Several parts are being worked on, so that each thread had better go on with its own chunks; the next one is this
 * worker's. */
bool inflate_owned(struct inflate *f);
bool inflate_suits(struct inflate *f, unsigned worker);

/* The next chunk in order, which becomes the caller's; decompresses it itself or waits for who does. NULL at the end
 * of the file, and then *e tells whether it is one (code 0) or damage, again at each call. One thread at a time. */
struct chunk *inflate_next(struct inflate *f, struct err *e);
uint64_t inflate_end_raw(const struct inflate *f); /* once inflate_next has returned NULL: where in the file as stored */
/* Gives a chunk back, or what it was exchanged for: mem of the same size, or NULL. */
void inflate_recycle(struct inflate *f, struct chunk *c);

#endif
