/* The bytes of a trace as they were before compression: plain, gzip or zstd (told by the first
 * bytes), from a file, a pipe or memory. Private to the source stage.
 *
 * One thread at a time, except stream_stop. Memory: one input buffer and what the decoder needs (a
 * window of at most 128 MiB for zstd, 32 KiB for gzip), whatever the input says. */
#ifndef BURIN_SOURCE_STREAM_H
#define BURIN_SOURCE_STREAM_H

#include <stdbool.h>

#include "base/err.h"

struct stream;

/* path "-" is standard input. *e names the path. */
int stream_open(struct stream **out, const char *path, struct err *e);
/* Reads n bytes at p, which must live until stream_close. */
int stream_open_memory(struct stream **out, const void *p, size_t n, struct err *e);
void stream_close(struct stream *s); /* NULL is fine */

/* Reads up to n > 0 bytes to dst and returns 0 with their count in *got. From a regular file that
 * is n or all there are; from a pipe what has arrived, waiting at most timeout_ms (-1 = as long as
 * it takes) for the first byte. *got = 0 with stream_at_end(s) false: nothing came in that time. A
 * damaged or truncated compressed stream and a failed read return a negative code, and only after
 * all bytes before the damage were delivered; then e->pos is the offset in the decompressed stream,
 * e->pos_raw that in the file (compressed streams only). */
int stream_read(struct stream *s, void *dst, size_t n, int timeout_ms, size_t *got, struct err *e);

bool stream_at_end(const struct stream *s);
bool stream_is_compressed(const struct stream *s);
bool stream_is_pipe(const struct stream *s);
uint64_t stream_raw_pos(const struct stream *s); /* bytes of the input used up so far */
/* Bytes of the input as stored; 0 = not known (a pipe). */
uint64_t stream_raw_size(const struct stream *s);
/* Bytes of a plain regular file as of now (it may have grown); UINT64_MAX = not known. */
uint64_t stream_plain_size(const struct stream *s);
/* Plain regular files only: reading at any place. Any thread may call stream_pread; it returns the bytes that
 * came, less than n at the end of the file or when reading failed. */
bool stream_can_jump(const struct stream *s);
size_t stream_pread(const struct stream *s, void *dst, size_t n, uint64_t raw_off);
void stream_jump(struct stream *s, uint64_t raw_off); /* stream_read goes on there */
void stream_rewind(struct stream *s, uint64_t off); /* the same, by decompressed offset */
/* Compressed regular files and memory are read in parts (inflate.h), each a stream of its own that begins at a member
 * or frame, or at what is taken for one; not by stream_read of the whole. Different threads may use different parts.
 * A part's stream_read delivers what one call of the decoder gives (at most step bytes, more only from zstd, and none
 * when there is less room than that call wants), and also returns at the end of each member or frame. */
bool stream_has_parts(const struct stream *s);
int stream_part_new(struct stream **out, const struct stream *of, size_t step); /* -ENOMEM */
void stream_part_begin(struct stream *part, uint64_t raw_off);			/* any number of times */
bool stream_between(const struct stream *part); /* members or frames; zero padding is not */
/* From where on the bytes are compressed that came last, to a step or block. */
uint64_t stream_mark(const struct stream *part);
uint64_t stream_out_pos(const struct stream *part); /* bytes delivered; positions in errors count from the part's start */
/* Input as stored, at any place; fewer bytes at its end. Any thread. */
size_t stream_peek(const struct stream *s, void *dst, size_t n, uint64_t raw_off);
bool stream_is_gzip(const struct stream *s);
uint64_t stream_raw_base(const struct stream *s); /* where it began: standard input may be part-read */
bool stream_stopped(const struct stream *s);
/* Makes the present and every later stream_read end with ERR_INTERRUPTED. Any thread, signal
 * handlers. */
void stream_stop(struct stream *s);

#endif
