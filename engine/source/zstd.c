/* zstd frames, one after the other (skippable ones too), through libzstd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "source/stream_int.h"

struct zstd {
	ZSTD_DStream *d;
	size_t hint;  /* input bytes the decoder wants next: one block; 0 = between frames */
	bool pending; /* the output was full: more may come without more input */
	uint64_t block_raw; /* where the last input began */
};

int zstd_new(struct zstd **out)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	z->d = ZSTD_createDStream();
	if (!z->d) {
		free(z);
		return -ENOMEM;
	}
	*out = z;
	return 0;
}

void zstd_free(struct zstd *z)
{
	if (z)
		ZSTD_freeDStream(z->d);
	free(z);
}

void zstd_begin_part(struct zstd *z)
{
	ZSTD_DCtx_reset(z->d, ZSTD_reset_session_only);
	z->hint = 0;
	z->pending = false;
}

bool zstd_between(const struct zstd *z)
{
	return !z->hint && !z->pending;
}

static int zstd_error(struct stream *s, size_t code, struct err *e)
{
	if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
		return stream_fail(s, e, -ENOMEM, "zstd: out of memory");
	stream_fail(s, e, ERR_FORMAT, "zstd: ");
	if (e)
		snprintf(e->msg, sizeof(e->msg), "zstd: %s", ZSTD_getErrorName(code));
	return ERR_FORMAT;
}

/* One call of the decoder. On damage it forgets the output of the whole call, and everything before
 * the damaged block is wanted, the same bytes for every size of out. So a call does one thing: flush
 * what is pending, without input; or take one block, without the header of the next, which the hint
 * counts in. */
static size_t zstd_step(struct stream *s, struct zstd *z, uint8_t *out, size_t n, size_t *got)
{
	enum { BLOCK_HEADER_BYTES = 3 };
	size_t want = z->hint > BLOCK_HEADER_BYTES ? z->hint - BLOCK_HEADER_BYTES : MAX(z->hint, 1);
	size_t have = s->in_len - s->in_pos;
	ZSTD_inBuffer in = {s->in + s->in_pos, z->pending ? 0 : MIN(have, want), 0};
	ZSTD_outBuffer o = {out, n, 0};

	if (!z->pending)
		z->block_raw = stream_raw_pos(s);
	size_t r = ZSTD_decompressStream(z->d, &o, &in);

	*got = o.pos;
	if (ZSTD_isError(r))
		return r;
	s->in_pos += in.pos;
	s->out_pos += o.pos;
	if (o.pos)
		s->mark = z->block_raw;
	z->pending = o.pos == n && r != 0;
	z->hint = r;
	return r;
}

int zstd_read(struct stream *s, uint8_t *dst, size_t n, int timeout_ms, size_t *got, struct err *e)
{
	struct zstd *z = s->zstd;
	int feed = FEED_DATA;
	size_t step;

	while (*got < n) {
		if (!z->pending)
			feed = stream_feed(s, *got && s->pipe ? 0 : timeout_ms, e);
		if (feed < 0 || feed == FEED_PAUSE)
			return feed < 0 ? feed : 0;
		if (feed == FEED_EOF && !z->hint) {
			s->at_end = true;
			return 0;
		}
		/* A part's calls deliver whole blocks, wherever its chunks begin. */
		if (s->step && n - *got < MIN(s->step, (size_t)ZSTD_BLOCKSIZE_MAX))
			return 0;
		size_t r = zstd_step(s, z, dst + *got, n - *got, &step);
		if (ZSTD_isError(r))
			return zstd_error(s, r, e);
		*got += step;
		if (feed == FEED_EOF && !step && z->hint)
			return stream_fail(s, e, ERR_TRUNCATED,
					   "zstd: the file ends inside a compressed frame");
		if (s->step && (step || !z->hint))
			return 0;
	}
	return 0;
}
