#include "source/cut.h"

#include <stdlib.h>

#include "base/compiler.h"

enum {
	GZIP_HEAD_BYTES = 10,
	GZIP_LEAST_BYTES = 18,	 /* header and trailer */
	GZIP_PEEK_BYTES = 512,	 /* of a header with extra fields */
	GZIP_FLAG_EXTRA = 1 << 2,
	GZIP_FLAGS_UNKNOWN = 0xe0,
	ZSTD_PEEK_BYTES = 18, /* the longest frame header */
	ZSTD_WINDOW_MAX = 8 << 20,
	LOOKS = 64, /* headers per turn */
	SCAN_BYTES = 1 << 20,
};

#define ZSTD_MAGIC	0xFD2FB528u
#define ZSTD_SKIP_MAGIC 0x184D2A50u

void cut_init(struct cut *c, const struct stream *s, size_t apart)
{
	*c = (struct cut){.s = s, .apart = apart, .at = stream_raw_base(s), .found = UINT64_MAX};
	c->least = c->at + apart;
}

void cut_fini(struct cut *c)
{
	free(c->buf);
}

void cut_pass(struct cut *c, uint64_t raw_off)
{
	c->least = MAX(c->least, raw_off);
	if (c->scan)
		c->at = MAX(c->at, raw_off);
}

static void cut_found(struct cut *c, uint64_t at)
{
	c->found = at;
	c->least = at + c->apart;
}

/* ---- gzip ------------------------------------------------------------------------------------- */

static bool gzip_looks_like(const uint8_t *p, size_t n)
{
	if (n < GZIP_LEAST_BYTES || p[0] != 0x1f || p[1] != 0x8b || p[2] != 8 || (p[3] & GZIP_FLAGS_UNKNOWN))
		return false;
	/* Level and system as any writer sets them; without further header, a type that a block can have. */
	return (p[8] == 0 || p[8] == 2 || p[8] == 4) && (p[9] <= 13 || p[9] == 255) && (p[3] || (p[10] & 6) != 6);
}

/* What the header says about the length of its member; 0 = nothing. */
static uint64_t gzip_size(const uint8_t *p, size_t n)
{
	size_t at = GZIP_HEAD_BYTES + 2, end;

	if (!gzip_looks_like(p, n) || !(p[3] & GZIP_FLAG_EXTRA))
		return 0;
	end = MIN(n, at + load_u16(p + GZIP_HEAD_BYTES));
	while (end - at >= 4) {
		size_t len = load_u16(p + at + 2);

		if (len > end - at - 4)
			break;
		if (p[at] == 'B' && p[at + 1] == 'C' && len == 2)
			return (uint64_t)load_u16(p + at + 4) + 1;
		if (p[at] == 'B' && p[at + 1] == 'U' && len == 4)
			return load_u32(p + at + 4);
		at += 4 + len;
	}
	return 0;
}

/* From header to header, as long as they tell the way. */
static void gzip_follow(struct cut *c)
{
	uint8_t head[GZIP_PEEK_BYTES];

	for (unsigned i = 0; i < LOOKS; i++) {
		size_t n = stream_peek(c->s, head, sizeof(head), c->at);
		uint64_t size = gzip_size(head, n);

		if (c->at >= c->least && gzip_looks_like(head, n)) {
			cut_found(c, c->at);
			return;
		}
		if (size < GZIP_LEAST_BYTES) {
			c->end = n < GZIP_LEAST_BYTES;
			c->scan = true;
			c->at = MAX(c->at + 1, c->least);
			return;
		}
		c->at += size;
	}
}

static void gzip_scan(struct cut *c)
{
	size_t want = SCAN_BYTES + GZIP_LEAST_BYTES, n;
	const uint8_t *p, *end;

	if (!c->buf)
		c->buf = malloc(want);
	if (!c->buf) {
		c->end = true;
		return;
	}
	c->at = MAX(c->at, c->least);
	n = stream_peek(c->s, c->buf, want, c->at);
	if (n < GZIP_LEAST_BYTES) {
		c->end = true;
		return;
	}
	end = c->buf + n - GZIP_LEAST_BYTES;
	for (p = c->buf; (p = memchr(p, 0x1f, (size_t)(end - p) + 1)); p++) {
		if (gzip_looks_like(p, GZIP_LEAST_BYTES)) {
			c->at += (uint64_t)(p - c->buf);
			c->scan = false; /* it may say where the next one is */
			cut_found(c, c->at);
			return;
		}
		if (p == end)
			break;
	}
	c->at += n - GZIP_LEAST_BYTES + 1;
}

/* ---- zstd ------------------------------------------------------------------------------------- */

/* Length of a frame's header, and the window it wants; 0 = it is none. */
static size_t zstd_head(const uint8_t *p, size_t n, uint64_t *window, bool *checksum)
{
	static const uint8_t dict_bytes[] = {0, 1, 2, 4}, size_bytes[] = {0, 2, 4, 8};
	size_t at = 5;
	uint64_t size = 0;

	if (n < ZSTD_PEEK_BYTES)
		return 0;
	bool single = p[4] & 0x20;
	size_t len = size_bytes[p[4] >> 6];
	*checksum = p[4] & 4;
	if (!single) {
		*window = (uint64_t)1 << (10 + (p[at] >> 3));
		*window += *window / 8 * (p[at] & 7);
		at++;
	}
	at += dict_bytes[p[4] & 3];
	len = single && !len ? 1 : len;
	memcpy(&size, p + at, len);
	if (single)
		*window = size;
	return at + len;
}

static void zstd_frame(struct cut *c)
{
	uint8_t head[ZSTD_PEEK_BYTES];
	size_t n = stream_peek(c->s, head, sizeof(head), c->at), len = 0;
	uint64_t window = UINT64_MAX;
	bool skippable = n >= 8 && (load_u32(head) & ~15u) == ZSTD_SKIP_MAGIC;

	if (n >= 8 && load_u32(head) == ZSTD_MAGIC)
		len = zstd_head(head, n, &window, &c->checksum);
	if (!len && !skippable) {
		c->end = true;
		return;
	}
	if (c->at >= c->least && window <= ZSTD_WINDOW_MAX)
		cut_found(c, c->at);
	c->in_frame = !skippable;
	c->at += skippable ? 8 + (uint64_t)load_u32(head + 4) : len;
}

static void zstd_block(struct cut *c)
{
	enum { RLE = 1, RESERVED = 3 };
	uint8_t p[4];
	uint32_t head;

	if (stream_peek(c->s, p, sizeof(p), c->at) < sizeof(p)) {
		c->end = true;
		return;
	}
	head = load_u32(p) & 0xffffff;
	if ((head >> 1 & 3) == RESERVED) {
		c->end = true;
		return;
	}
	c->at += 3 + ((head >> 1 & 3) == RLE ? 1 : head >> 3);
	if (head & 1) {
		c->at += c->checksum ? 4 : 0;
		c->in_frame = false;
	}
}

void cut_step(struct cut *c)
{
	if (stream_is_gzip(c->s)) {
		if (c->scan)
			gzip_scan(c);
		else
			gzip_follow(c);
		return;
	}
	for (unsigned i = 0; i < LOOKS && !c->end && c->found == UINT64_MAX; i++) {
		if (c->in_frame)
			zstd_block(c);
		else
			zstd_frame(c);
	}
}
