/* gzip members, one after the other, through ISA-L's inflate. */
#include <errno.h>
#include <stdlib.h>

#include <isa-l/igzip_lib.h>

#include "source/stream_int.h"

struct gzip {
	bool in_member; /* a member was begun and not finished */
	bool seen_member;
	bool padding; /* zero bytes behind the last member */
	bool pending; /* the output was full: more may come without more input */
	struct inflate_state state;
};

int gzip_new(struct gzip **out)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	isal_inflate_init(&g->state);
	*out = g;
	return 0;
}

void gzip_free(struct gzip *g)
{
	free(g);
}

void gzip_begin_part(struct gzip *g, bool first)
{
	g->in_member = g->padding = g->pending = false;
	g->seen_member = !first;
}

bool gzip_between(const struct gzip *g)
{
	return !g->in_member && !g->padding;
}

/* At a member boundary with input: begins a member, or skips zero padding of the file. */
static int gzip_begin(struct stream *s, struct gzip *g, struct err *e)
{
	while (s->in_pos < s->in_len && g->seen_member && s->in[s->in_pos] == 0) {
		g->padding = true;
		s->in_pos++;
	}
	if (s->in_pos == s->in_len)
		return 0;
	if (g->padding || s->in[s->in_pos] != 0x1f)
		return stream_fail(
			s, e, ERR_FORMAT,
			"gzip: expected another member or the end of the file, got other bytes");
	isal_inflate_reset(&g->state);
	g->state.crc_flag = ISAL_GZIP;
	g->in_member = g->seen_member = true;
	s->unit_out = 0;
	return 0;
}

static int gzip_error(struct stream *s, int code, struct err *e)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return stream_fail(s, e, ERR_FORMAT,
				   "gzip: wrong checksum or length at the end of a member");
	case ISAL_INVALID_WRAPPER:
		return stream_fail(s, e, ERR_FORMAT, "gzip: invalid member header");
	case ISAL_UNSUPPORTED_METHOD:
		return stream_fail(s, e, ERR_FORMAT, "gzip: unsupported compression method");
	case ISAL_INVALID_SYMBOL:
		return stream_fail(s, e, ERR_FORMAT, "gzip: invalid symbol in compressed data");
	case ISAL_INVALID_LOOKBACK:
		return stream_fail(s, e, ERR_FORMAT, "gzip: invalid distance in compressed data");
	default:
		return stream_fail(s, e, ERR_FORMAT, "gzip: invalid block in compressed data");
	}
}

/* One call of the decoder: out[0, n). */
static int gzip_step(struct stream *s, struct gzip *g, uint8_t *out, size_t n, size_t *got)
{
	struct inflate_state *st = &g->state;
	uint32_t in = (uint32_t)MIN(s->in_len - s->in_pos, (size_t)1 << 30);
	uint32_t room = (uint32_t)MIN(n, (size_t)1 << 30);
	uint64_t raw = stream_raw_pos(s);

	st->next_in = (uint8_t *)s->in + s->in_pos;
	st->avail_in = in;
	st->next_out = out;
	st->avail_out = room;
	int r = isal_inflate(st);
	/* It may give back bytes it took in an earlier call: never more than it took in this one.
	 */
	s->in_pos = (size_t)(st->next_in - s->in);
	*got = room - st->avail_out;
	s->out_pos += *got;
	s->unit_out += *got;
	if (*got)
		s->mark = raw;
	g->pending = st->avail_out == 0;
	return r;
}

int gzip_read(struct stream *s, uint8_t *dst, size_t n, int timeout_ms, size_t *got, struct err *e)
{
	struct gzip *g = s->gzip;
	int feed = FEED_DATA;
	size_t step;

	while (*got < n) {
		if (!g->pending)
			feed = stream_feed(s, *got && s->pipe ? 0 : timeout_ms, e);
		if (feed < 0 || feed == FEED_PAUSE)
			return feed < 0 ? feed : 0;
		if (!g->in_member) {
			int r = feed == FEED_EOF ? 0 : gzip_begin(s, g, e);

			s->at_end = feed == FEED_EOF;
			if (r || s->at_end)
				return r;
			continue;
		}
		size_t room = n - *got, want = s->step ? s->step - s->unit_out % s->step : room;
		if (room < want)
			return 0;
		int r = gzip_step(s, g, dst + *got, want, &step);
		*got += step;
		if (r < 0)
			return gzip_error(s, r, e);
		if (g->state.block_state == ISAL_BLOCK_FINISH)
			g->in_member = g->pending = false;
		else if (feed == FEED_EOF && !step)
			return stream_fail(s, e, ERR_TRUNCATED,
					   "gzip: the file ends inside a compressed member");
		if (s->step && (!g->in_member || (step && s->unit_out % s->step == 0)))
			return 0;
	}
	return 0;
}
