/* The digest of a pass that keeps no state: checks and counts the events of a run as digest.c does, and makes records
 * of the few that matter. */
#include <errno.h>
#include <stdlib.h>

#include "event/event_parse.h"
#include "state/container.h"
#include "state/digest.h"
#include "state/state_priv.h"

enum scan_flags {
	SCAN_SELECT = 1 << 0, /* demanded type */
	SCAN_TEXT = 1 << 1,   /* can bring a text into the tables */
	SCAN_CONTAINER = 1 << 2,
	SCAN_ODD = 1 << 3, /* not for the short way: 32-bit lengths, or above */
	SCAN_CALL = 1 << 4, /* generic: only certain calls can be selected */
};

/* ---- types ---- */

static bool is_text(unsigned param_type)
{
	switch (param_type) {
	case PT_CHARBUF:
	case PT_FSPATH:
	case PT_FSRELPATH:
	case PT_SOCKADDR:
	case PT_SOCKTUPLE:
	case PT_CHARBUFARRAY:
	case PT_CHARBUF_PAIR_ARRAY:
	case PT_DYN:
		return true;
	default:
		return false;
	}
}

/* Text parameters, and the bytes of events that change threads or descriptors. What is read and written changes
 * neither: fd.connected looks at the event, not at the bytes. */
static bool has_text(unsigned type, const struct apply_entry *ae)
{
	const struct event_info *i = &event_table[type];
	bool row = ae->fn && (ae->demand & ~(uint32_t)DEMAND_CONNECTED);

	for (unsigned k = 0; k < event_shapes[type].nparams; k++)
		if (is_text(i->params[k].type) || (row && i->params[k].type == PT_BYTEBUF))
			return true;
	return false;
}

void digest_scan_init(struct digest_scan *s, const struct demand *d, const struct digest_pred *p,
		      const struct digest_texts *t)
{
	const struct apply_entry *ae = apply_table(d->compat029);

	memset(s, 0, sizeof(*s));
	s->pred = *p;
	s->texts = *t;
	s->codes = max_code(d);
	for (unsigned i = 0; i < s->codes; i++) {
		bool container = container_event(i);

		if (t->in)
			s->type[i] |= has_text(i, &ae[i]) || event_shapes[i].large ? SCAN_TEXT : 0;
		else
			s->type[i] |= demand_type(d, i) ? SCAN_SELECT : 0;
		if ((i == EV_GENERIC_E || i == EV_GENERIC_X) && p->calls[i == EV_GENERIC_X])
			s->type[i] |= SCAN_CALL;
		s->type[i] |= container ? SCAN_CONTAINER : 0;
		s->type[i] |= container || event_shapes[i].large ? SCAN_ODD : 0;
	}
}

/* ---- one event ---- */

static int scan_record(struct batch *b, uint32_t idx, uint32_t off, unsigned type, unsigned flags)
{
	if (b->nrec == b->ev_cap) {
		uint32_t cap = b->ev_cap ? 2 * b->ev_cap : 256;
		struct ev_rec *ev = realloc(b->ev, cap * sizeof(*ev));

		if (!ev)
			return -ENOMEM;
		b->ev = ev;
		b->ev_cap = cap;
	}
	b->ev[b->nrec++] = (struct ev_rec){.off = off,
					   .type = (uint16_t)type,
					   .flags = (uint16_t)flags,
					   .slot = UINT32_MAX,
					   .fd = EV_FD_NONE,
					   .idx = idx};
	b->nselected += (flags & ER_SELECTED) != 0;
	return 0;
}

static bool scan_selects(const struct digest_scan *s, const struct event *e, unsigned flags)
{
	return (flags & SCAN_SELECT) && (!s->pred.fn || s->pred.fn(s->pred.ctx, e));
}

/* The event at p (its view is e). 0, -ENOMEM, or ERR_FORMAT with b->bad. */
static NO_INLINE int scan_event(const struct digest_scan *s, struct batch *b, uint32_t idx, const uint8_t *p,
				struct event *e)
{
	uint32_t off = (uint32_t)(p - b->data);
	unsigned flags = s->type[e->type], rec = e->hidden ? ER_HIDDEN : 0;
	struct err why;
	bool hidden;

	if ((flags & SCAN_TEXT) && !b->has_text)
		b->has_text = s->texts.in(s->texts.ctx, p, load_u32(p + 4));
	if (flags & SCAN_CONTAINER) {
		if (container_event_check(e, &hidden, &why) < 0)
			return err_set(&b->bad, ERR_FORMAT, b->file_off + off, "%s", why.msg);
		rec |= hidden ? ER_HIDDEN : 0;
	}
	rec |= scan_selects(s, e, flags) ? ER_SELECTED : 0;
	/* Containers: apply looks for those at the start of the file. */
	return (rec & ER_SELECTED) || (flags & SCAN_CONTAINER) ? scan_record(b, idx, off, e->type, rec) : 0;
}

/* ---- the run ---- */

/* Flags of the generic event at h with np parameters, of which the first is the call: 0 if none of the wanted ones. */
static ALWAYS_INLINE unsigned scan_call(const struct digest_scan *s, const uint8_t *h, uint32_t np, unsigned flags)
{
	const uint8_t *lens = h + EVENT_HDR_V2;
	const uint64_t *calls = s->pred.calls[load_u16(h + 20) == EV_GENERIC_X];
	unsigned call = DIGEST_CALLS;

	if (LIKELY(np && load_u16(lens) == 2))
		call = MIN(load_u16(lens + 2 * (size_t)np), (unsigned)DIGEST_CALLS);
	return calls[call / 64] >> (call % 64) & 1 || (flags & SCAN_TEXT) ? flags : 0;
}

/* The short way for an ordinary block; false: event_parse has to look at it. flags 0: it is counted, no more. */
static ALWAYS_INLINE bool scan_plain(const struct digest_scan *s, const uint8_t *p, unsigned *flags)
{
	uint32_t n = load_u32(p + 4), np;
	const uint8_t *h = p + 10;
	unsigned type = load_u16(h + 20);

	if (UNLIKELY(load_u32(p) != BLK_EV_V2 || n < EVENT_V2_MIN_BLOCK || type >= s->codes))
		return false;
	*flags = s->type[type];
	if (UNLIKELY((*flags & SCAN_ODD) || !event_check_v2(h, n, &np)))
		return false;
	if (*flags & SCAN_CALL)
		*flags = scan_call(s, h, np, *flags);
	return true;
}

static void scan_ends(struct batch *b, uint32_t first, uint32_t last)
{
	if (!b->nev)
		return;
	b->first_ts = load_u64(b->data + first + event_block_hdr_off(load_u32(b->data + first)));
	b->last_ts = load_u64(b->data + last + event_block_hdr_off(load_u32(b->data + last)));
	b->last_off = last;
}

int digest_scan_run(const struct digest_scan *s, struct batch *b)
{
	uint32_t idx = 0, first = 0, last = 0;
	const char *why;
	struct event e;
	int rc = 0;

	b->nev = b->nrec = b->nslots = b->nrows = b->nselected = 0;
	b->sparse = true;
	if (b->kind == BATCH_META) {
		b->has_text = s->texts.in && s->texts.in(s->texts.ctx, b->data, b->len);
		return 0;
	}
	for (uint32_t i = 0; i < b->nblk && !rc; i++) {
		const uint8_t *p = b->data + b->blk[i];
		unsigned flags = 0;

		if (LIKELY(scan_plain(s, p, &flags))) {
			if (UNLIKELY(flags)) {
				event_view(&e, p);
				rc = scan_event(s, b, idx, p, &e);
			}
		} else {
			rc = event_parse(&e, p, load_u32(p + 4), s->codes, &why);
			if (rc == EVENT_UNKNOWN) {
				rc = 0;
				continue;
			}
			rc = rc == EVENT_OK ? scan_event(s, b, idx, p, &e)
					    : err_set(&b->bad, ERR_FORMAT, b->file_off + b->blk[i], "%s", why);
		}
		if (UNLIKELY(rc))
			break;
		if (UNLIKELY(!idx++))
			first = b->blk[i];
		last = b->blk[i];
	}
	b->nev = idx;
	scan_ends(b, first, last);
	return rc == -ENOMEM ? rc : 0;
}
