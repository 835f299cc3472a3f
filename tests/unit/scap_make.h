/* Builds the blocks of small .scap files in a struct buf, for tests of the source stage. */
#ifndef BURIN_TESTS_SCAP_MAKE_H
#define BURIN_TESTS_SCAP_MAKE_H

#include "base/buf.h"
#include "source/block.h"

static inline void put_int(struct buf *b, uint64_t v, size_t bytes)
{
	buf_put(b, &v, bytes);
}

static inline void put_str(struct buf *b, const char *s)
{
	put_int(b, strlen(s), 2);
	buf_puts(b, s);
}

/* Opens a block; block_end pads it, writes the trailer and sets the length. Returns its offset. */
static inline size_t block_begin(struct buf *b, uint32_t type)
{
	size_t at = b->len;

	put_int(b, type, 4);
	put_int(b, 0, 4);
	return at;
}

static inline void block_end(struct buf *b, size_t at)
{
	while ((b->len - at) % 4)
		put_int(b, 0, 1);
	uint32_t n = (uint32_t)(b->len - at) + 4;
	put_int(b, n, 4);
	memcpy(b->p + at + 4, &n, 4);
}

static inline void put_shb(struct buf *b, uint32_t magic, unsigned major, unsigned minor,
			   int options)
{
	size_t at = block_begin(b, BLK_SHB);

	put_int(b, magic, 4);
	put_int(b, major, 2);
	put_int(b, minor, 2);
	put_int(b, UINT64_MAX, 8);
	for (int i = 0; i < options; i++)
		put_int(b, 0x20001, 4);
	block_end(b, at);
}

static inline void put_mi(struct buf *b, uint32_t type)
{
	static const char host[128] = "host";
	size_t at = block_begin(b, type);

	put_int(b, 2, 4);
	put_int(b, (uint64_t)8 << 30, 8);
	put_int(b, 32768, 8);
	buf_put(b, host, sizeof(host));
	put_int(b, 1600000000, 8);
	put_int(b, 7, 8);
	put_int(b, 0, 8);
	put_int(b, 0, 8);
	block_end(b, at);
}

/* An event block of any kind, with one parameter of that many bytes. The time stamp is the number
 * of bytes before it, so that every block of a file differs. */
static inline void put_event(struct buf *b, uint32_t kind, uint32_t param_bytes)
{
	bool v1 = kind == BLK_EV_V1 || kind == BLK_EVF_V1 || kind == BLK_EV_V1_INT;
	bool large = kind == BLK_EV_V2_LARGE || kind == BLK_EVF_V2_LARGE;
	uint32_t lens = large ? 4 : 2, hdr = v1 ? EVENT_HDR_V1 : EVENT_HDR_V2;
	size_t at = block_begin(b, kind);

	put_int(b, 1, 2);
	if (kind == BLK_EVF_V1 || kind == BLK_EVF_V2 || kind == BLK_EVF_V2_LARGE)
		put_int(b, 0, 4);
	put_int(b, at, 8);
	put_int(b, 4711, 8);
	put_int(b, hdr + lens + param_bytes, 4);
	put_int(b, large ? 402 : 3, 2);
	if (!v1)
		put_int(b, 1, 4);
	put_int(b, param_bytes, lens);
	for (uint32_t i = 0; i < param_bytes; i++)
		put_int(b, 'a' + i % 26, 1);
	block_end(b, at);
}

#endif
