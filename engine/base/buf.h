/* A growable byte buffer for rendered output. One owner, one thread at a time. Growth failure is a
 * sticky flag checked once by the owner (buf_failed), so writers need no error path. */
#ifndef BURIN_BASE_BUF_H
#define BURIN_BASE_BUF_H

#include <stdbool.h>

#include "base/compiler.h"

struct buf {
	char *p;     /* owned; NULL while empty */
	size_t len;  /* bytes used */
	size_t cap;  /* bytes allocated */
	bool failed; /* an allocation failed: contents are incomplete */
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
/* Makes room for n more bytes. False (and the sticky flag) when memory is out. */
bool buf_grow(struct buf *b, size_t n);

static inline bool buf_failed(const struct buf *b) { return b->failed; }
static inline void buf_reset(struct buf *b) { b->len = 0; b->failed = false; }
static ALWAYS_INLINE bool buf_room(struct buf *b, size_t n)
{
	return LIKELY(b->cap - b->len >= n) || buf_grow(b, n);
}
static ALWAYS_INLINE void buf_putc(struct buf *b, char c)
{
	if (buf_room(b, 1))
		b->p[b->len++] = c;
}
static ALWAYS_INLINE void buf_put(struct buf *b, const void *s, size_t n)
{
	if (LIKELY(n) && buf_room(b, n)) {
		memcpy(b->p + b->len, s, n);
		b->len += n;
	}
}
#define buf_lit(b, s) buf_put((b), (s), sizeof(s) - 1)
void buf_puts(struct buf *b, const char *s);
void buf_u64(struct buf *b, uint64_t v);		 /* decimal */
void buf_i64(struct buf *b, int64_t v);			 /* decimal */
void buf_u64_pad(struct buf *b, uint64_t v, int digits); /* decimal, zero padded on the left */
void buf_hex(struct buf *b, uint64_t v, bool upper);	 /* no prefix, no padding */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
