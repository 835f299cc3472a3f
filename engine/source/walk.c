/* Framing of blocks in order: the sequential part of reading, unless it was done ahead (frame.h). */
#include <errno.h>
#include <stdlib.h>

#include "source/block.h"
#include "source/frame.h"
#include "source/source_int.h"

enum { SHB_MAGIC = 0x1A2B3C4D, SHB_MAGIC_SWAPPED = 0x4D3C2B1A, SHB_MAJOR = 1 };

#define BAD_BLOCK(b, pos, ...) err_set(&(b)->err, ERR_FORMAT, (b)->file_off + (pos), __VA_ARGS__)

/* Room for n more block offsets. */
static int reserve_blocks(struct batch *b, size_t n)
{
	size_t need = b->nblk + n, cap = b->blk_cap;

	if (LIKELY(need <= cap))
		return 0;
	cap = MIN(MAX(need, cap + cap / 2), (size_t)UINT32_MAX);
	uint32_t *p = need <= cap ? realloc(b->blk, cap * sizeof(*p)) : NULL;
	if (!p)
		return -ENOMEM;
	b->blk = p;
	b->blk_cap = (uint32_t)cap;
	return 0;
}

static int too_short(struct batch *b, size_t pos, uint32_t type, uint32_t n, uint32_t min)
{
	return BAD_BLOCK(b, pos,
			 "%s block (0x%x): block length too short: expected at least %u bytes, "
			 "got %u",
			 block_name(type), type, min, n);
}

static int over_limit(const struct source *s, struct batch *b, size_t pos, uint32_t type,
		      uint32_t n)
{
	return err_set(&b->err, ERR_LIMIT, b->file_off + pos,
		       "%s block (0x%x) of %u bytes%s: more than the limit of %zu bytes",
		       block_name(type), type, n,
		       b->kind == BATCH_META ? " and the metadata before it" : "", s->run_limit);
}

/* ---- events --------------------------------------------------------------------------------- */

static int bad_event_length(const struct source *s, struct batch *b, size_t pos, uint32_t type,
			    uint32_t n)
{
	uint32_t min, max;

	block_event_limits(type, &min, &max);
	if (n < min)
		return too_short(b, pos, type, n, min);
	if (n <= max)
		return over_limit(s, b, pos, type, n);
	return BAD_BLOCK(b, pos,
			 "event block (0x%x): block length too long: expected at most %u bytes, "
			 "got %u",
			 type, max, n);
}

/* What may follow the events of a section: another section. */
static int walk_after_events(struct source *s, struct batch *b, const uint8_t *p, size_t pos)
{
	uint32_t type = load_u32(p + pos);

	if (type != BLK_SHB)
		return BAD_BLOCK(b, pos,
				 "could not restart capture: invalid block type 0x%x (%s) after "
				 "events: expected an event block or a section header (0x%x)",
				 type, block_name(type), BLK_SHB);
	s->phase = PHASE_START;
	return WALK_CUT;
}

/* Event blocks that begin before stop. The offsets array gets room for all of them beforehand, so the loop needs no check
 * of its own. */
static int walk_events(struct source *s, struct batch *b, const uint8_t *p, size_t len, size_t stop, size_t *at)
{
	uint32_t *q;

	stop = MIN(len - MIN(len, BLOCK_HEAD_BYTES - 1), stop);
	if (*at < stop && reserve_blocks(b, (stop - *at) / FRAME_STEP_MIN + 1))
		return -ENOMEM;
	q = b->blk + b->nblk;
	enum frame_end why = frame_events(p, len, stop, s->run_limit, at, &q,
					  q + MIN(b->blk_cap - b->nblk, s->batch_events - b->nblk));
	b->nblk = (uint32_t)(q - b->blk);
	if (why == FRAME_OTHER)
		return walk_after_events(s, b, p, *at);
	if (why == FRAME_LENGTH)
		return bad_event_length(s, b, *at, load_u32(p + *at), load_u32(p + *at + 4));
	return *at >= s->batch_bytes || b->nblk == s->batch_events ? WALK_CUT : WALK_MORE;
}

int walk_framed(struct source *s, struct batch *b, size_t *pos)
{
	struct framing *f = &b->framed;
	size_t first = f->n ? f->at[0] + f->shift : 0;
	int r = WALK_MORE;

	if (!f->n)
		return r;
	if (b->kind == BATCH_EVENTS && *pos < first)
		r = walk_events(s, b, b->data, b->len, first, pos);
	if (b->kind != BATCH_EVENTS || r != WALK_MORE || *pos != first) {
		f->n = 0;
		return r;
	}
	f->index = b->nblk;
	b->nblk += f->n;
	*pos = f->end + f->shift;
	return r;
}

/* Two at a time: the sums stay below 2^32. */
static void list_shifted(uint32_t *to, const uint32_t *from, uint32_t n, uint32_t shift)
{
	uint64_t both = (uint64_t)shift << 32 | shift;
	uint32_t i = 0;

#pragma GCC unroll 4
	for (; i + 2 <= n; i += 2) {
		uint64_t v = load_u64(from + i) + both;

		memcpy(to + i, &v, sizeof(v));
	}
	if (i < n)
		to[i] = from[i] + shift;
}

int walk_list(struct batch *b)
{
	struct framing *f = &b->framed;

	if (!f->n)
		return 0;
	if (b->blk_cap < b->nblk) {
		uint32_t *p = realloc(b->blk, b->nblk * sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->blk = p;
		b->blk_cap = b->nblk;
	}
	list_shifted(b->blk + f->index, f->at, f->n, (uint32_t)f->shift);
	f->n = 0;
	return 0;
}

/* ---- metadata ------------------------------------------------------------------------------- */

static int check_trailer(struct batch *b, const uint8_t *p, size_t pos, uint32_t type, uint32_t n)
{
	uint32_t trailer = load_u32(p + pos + n - 4);

	if (trailer == n)
		return 0;
	return BAD_BLOCK(b, pos,
			 "%s block (0x%x): wrong block total length: header says %u, trailer %u",
			 block_name(type), type, n, trailer);
}

static int check_section(struct batch *b, const uint8_t *p, size_t pos)
{
	uint32_t magic = load_u32(p + pos + 8);
	unsigned major = load_u16(p + pos + 12);

	if (magic != SHB_MAGIC)
		return BAD_BLOCK(
			b, pos, "section header: invalid magic number: expected 0x%x, got 0x%x%s",
			SHB_MAGIC, magic,
			magic == SHB_MAGIC_SWAPPED ? " (written by a big-endian machine)" : "");
	if (major > SHB_MAJOR)
		return BAD_BLOCK(b, pos,
				 "section header: unsupported version: expected major version %d, "
				 "got %u",
				 SHB_MAJOR, major);
	return 0;
}

/* One complete block before the first event of a section. Unknown ones and repeated section headers
 * are not listed. */
static int walk_meta_block(struct source *s, struct batch *b, const uint8_t *p, size_t pos,
			   uint32_t type, uint32_t n)
{
	int r = check_trailer(b, p, pos, type, n);

	if (!r && s->phase == PHASE_START)
		r = check_section(b, p, pos);
	if (r)
		return r;
	if (s->phase == PHASE_START) {
		s->phase = PHASE_META;
		s->section_off = b->file_off + pos;
	} else if (!block_is_meta(type)) {
		return 0;
	}
	if (reserve_blocks(b, 1))
		return -ENOMEM;
	b->blk[b->nblk++] = (uint32_t)pos;
	return 0;
}

static int walk_meta(struct source *s, struct batch *b, const uint8_t *p, size_t len, size_t *at)
{
	while (len - *at >= BLOCK_HEAD_BYTES) {
		uint32_t type = load_u32(p + *at), n = load_u32(p + *at + 4);
		uint32_t min = type == BLK_SHB ? BLOCK_SHB_BYTES : BLOCK_FRAME_BYTES;

		if (s->phase == PHASE_START && type != BLK_SHB)
			return BAD_BLOCK(b, *at,
					 "invalid block type: expected a section header (0x%x), "
					 "got 0x%x",
					 BLK_SHB, type);
		if (block_is_event(type)) {
			s->phase = PHASE_EVENTS;
			return WALK_CUT;
		}
		if (n < min)
			return too_short(b, *at, type, n, min);
		if (n > s->run_limit || *at > s->run_limit - n)
			return over_limit(s, b, *at, type, n);
		if (n > len - *at)
			break;
		int r = walk_meta_block(s, b, p, *at, type, n);
		if (r)
			return r;
		*at += n;
	}
	return WALK_MORE;
}

int walk_blocks(struct source *s, struct batch *b, const uint8_t *p, size_t len, size_t *pos)
{
	if (b->kind == BATCH_EVENTS) {
		int r = walk_events(s, b, p, len, s->batch_bytes, pos);

		if (r != WALK_CUT || b->nblk)
			return r;
		/* The batch before was full just before a new section. */
		b->kind = BATCH_META;
	}
	return walk_meta(s, b, p, len, pos);
}
