/* Events of a written trace. */
#include "output/writer_int.h"
#include "source/block.h"

enum { DUMP_HIDDEN = 1 }; /* dump flags of EVF blocks */

struct render {
	const struct writer *w;
	const struct batch *b;
	struct buf *out;
	/* Blocks that stay as they are and lie side by side: copied at once. */
	uint32_t run_begin, run_end;
};

static uint32_t padded(uint32_t n)
{
	return (n + 3) & ~3u;
}

static void run_flush(struct render *r)
{
	buf_put(r->out, r->b->data + r->run_begin, r->run_end - r->run_begin);
	r->run_begin = r->run_end = 0;
}

/* Is the block what would be written for its event? n: its length. */
static bool block_stays(const uint8_t *blk, uint32_t n, uint8_t cls)
{
	uint32_t kind = load_u32(blk), at = kind == BLK_EV_V2 || kind == BLK_EV_V2_LARGE ? 10 : 14;

	if (kind != (cls & WC_LARGE ? BLK_EV_V2_LARGE : BLK_EV_V2)) {
		if (kind != (cls & WC_LARGE ? BLK_EVF_V2_LARGE : BLK_EVF_V2) || !load_u32(blk + 10))
			return false;
	}
	/* The trailer of an event block may say anything: readers do not look at it. */
	return load_u32(blk + n - 4) == n && padded(at + load_u32(blk + at + 16)) + 4 == n;
}

/* 0.29.3 crashes on calls beyond its table; the native number stays in the second parameter. */
static void fix_generic_id(struct event *e, char *copy)
{
	const uint8_t *p;
	uint32_t len;

	if (event_param(e, 0, &p, &len) && len == 2 && !ppm_sc_name_029(load_u16(p)))
		memset(copy, 0, 2);
}

/* Bytes of a version 1 event behind its header, which may say 3 too many. */
static uint32_t v1_body(struct event *e)
{
	const uint8_t *p = e->data;
	uint32_t len = 0;

	if (e->nparams)
		event_param(e, e->nparams - 1u, &p, &len);
	return (uint32_t)(p + len - e->lens);
}

/* One event as a block of version 2. flags: dump flags. */
static void put_block(struct render *r, uint32_t off, uint32_t flags, uint8_t cls)
{
	const uint8_t *blk = r->b->data + off;
	struct buf *out = r->out;
	struct event e;
	const char *why;

	/* The digest has checked it. */
	if (event_parse(&e, blk, load_u32(blk + 4), EV_CODE_COUNT, &why) != EVENT_OK)
		return;
	bool v1 = e.lens == e.hdr + EVENT_HDR_V1;
	uint32_t len = v1 ? EVENT_HDR_V2 + v1_body(&e) : load_u32(e.hdr + 16), body = len - EVENT_HDR_V2;
	uint32_t body_len = (flags ? 6u : 2u) + len, total = padded(body_len) + BLOCK_FRAME_BYTES;
	bool large = (cls & WC_LARGE) || body_len + 4 > BLOCK_SMALL_MAX;
	uint32_t kind = large ? (flags ? BLK_EVF_V2_LARGE : BLK_EV_V2_LARGE) : flags ? BLK_EVF_V2 : BLK_EV_V2;
	uint32_t nparams = v1 ? e.nparams : load_u32(e.hdr + EVENT_HDR_V1);
	size_t data = (size_t)(e.data - e.lens);

	if (!buf_room(out, total))
		return;
	char *p = out->p + out->len;

	memcpy(p, &kind, 4);
	memcpy(p + 4, &total, 4);
	memcpy(p + 8, &e.cpu, 2);
	p += 10;
	if (flags) {
		memcpy(p, &flags, 4);
		p += 4;
	}
	memcpy(p, e.hdr, EVENT_HDR_V1);
	memcpy(p + 16, &len, 4);
	memcpy(p + EVENT_HDR_V1, &nparams, 4);
	memcpy(p + EVENT_HDR_V2, e.lens, body);
	if (cls & WC_GENERIC)
		fix_generic_id(&e, p + EVENT_HDR_V2 + data);
	memset(p + len, 0, padded(body_len) - body_len);
	memcpy(out->p + out->len + total - 4, &total, 4);
	out->len += total;
}

static uint32_t block_flags(const uint8_t *blk)
{
	return event_block_hdr_off(load_u32(blk)) == 14 ? load_u32(blk + 10) : 0;
}

static void put_event(struct render *r, const struct ev_rec *ev, bool hide)
{
	const uint8_t *blk = r->b->data + ev->off;
	uint32_t n = load_u32(blk + 4), flags = block_flags(blk);
	uint8_t cls = r->w->cls[ev->type];

	hide = hide && !(flags & DUMP_HIDDEN);
	if (LIKELY(!hide && !(cls & WC_GENERIC) && block_stays(blk, n, cls))) {
		if (ev->off != r->run_end || r->run_begin == r->run_end) {
			run_flush(r);
			r->run_begin = ev->off;
		}
		r->run_end = ev->off + n;
		return;
	}
	run_flush(r);
	put_block(r, ev->off, flags | (hide ? DUMP_HIDDEN : 0), cls);
}

/* What a rejected event is to the file. */
static void put_rejected(struct render *r, const struct writer_pick *p, uint32_t i)
{
	const struct ev_rec *ev = &r->b->ev[i];
	uint8_t cls = r->w->cls[ev->type];

	if (ev->flags & ER_HIDDEN) {
		if (r->w->o.fat)
			put_event(r, ev, true);
		return;
	}
	if (cls & WC_INTERNAL)
		put_event(r, ev, false);
	else if (cls & WC_CARRIES)
		put_event(r, ev, true);
	else if ((cls & WC_PARTNER) && p->partner && p->partner(p->ctx, i))
		put_event(r, ev, true);
}

void writer_events(const struct writer *w, const struct batch *b, const struct writer_pick *p, struct buf *out)
{
	struct render r = {.w = w, .b = b, .out = out};
	uint32_t k = 0;

	for (uint32_t i = 0; i < p->end; i++) {
		bool selected = k < p->nsel && p->sel[k] == i;

		k += selected;
		if (selected || !w->filtered)
			put_event(&r, &b->ev[i], false);
		else
			put_rejected(&r, p, i);
	}
	run_flush(&r);
}
