#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b)
{
	memset(b, 0, sizeof(*b));
}

void buf_fini(struct buf *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

bool buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;

	if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
		b->failed = true;
		return false;
	}
	while (cap < b->len + n)
		cap *= 2;
	char *p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

/* Two digits at a time: the table holds "00" to "99". */
static const char digit_pairs[201] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

static ALWAYS_INLINE char *fmt_u64(char *end, uint64_t v)
{
	while (v >= 100) {
		unsigned r = (unsigned)(v % 100);
		v /= 100;
		end -= 2;
		memcpy(end, digit_pairs + 2 * r, 2);
	}
	if (v >= 10) {
		end -= 2;
		memcpy(end, digit_pairs + 2 * v, 2);
	} else {
		*--end = (char)('0' + v);
	}
	return end;
}

void buf_u64(struct buf *b, uint64_t v)
{
	char tmp[24], *s = fmt_u64(tmp + sizeof(tmp), v);

	buf_put(b, s, (size_t)(tmp + sizeof(tmp) - s));
}

void buf_i64(struct buf *b, int64_t v)
{
	char tmp[24], *s;

	s = fmt_u64(tmp + sizeof(tmp), v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
	if (v < 0)
		*--s = '-';
	buf_put(b, s, (size_t)(tmp + sizeof(tmp) - s));
}

void buf_u64_pad(struct buf *b, uint64_t v, int digits)
{
	char tmp[40], *end = tmp + sizeof(tmp), *s = fmt_u64(end, v);

	while (end - s < digits && s > tmp)
		*--s = '0';
	buf_put(b, s, (size_t)(end - s));
}

void buf_hex(struct buf *b, uint64_t v, bool upper)
{
	const char *d = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[16], *s = tmp + sizeof(tmp);

	do {
		*--s = d[v & 15];
		v >>= 4;
	} while (v);
	buf_put(b, s, (size_t)(tmp + sizeof(tmp) - s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, ap2;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0 && buf_room(b, (size_t)n + 1)) {
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap2);
		b->len += (size_t)n;
	}
	va_end(ap2);
}
