/* A compressed file as the source reads it: chunks that inflate.c makes become batches without a copy where they can. */
#include <errno.h>
#include <stdlib.h>

#include "source/source_int.h"

enum { MARK_UNIT = 4096 };

int packed_init(struct source *s, const struct source_opts *o)
{
	struct inflate_opts io = {.headroom = HEADROOM};

	if (o) {
		io.step = o->inflate_step;
		io.apart = o->inflate_apart;
		io.fetchers = o->fetchers;
	}
	s->raw_pos = stream_raw_base(s->stream);
	return inflate_new(&s->inf, s->stream, &io);
}

void packed_fini(struct source *s)
{
	if (!s->inf)
		return;
	if (s->part)
		inflate_recycle(s->inf, s->part);
	inflate_free(s->inf);
	free(s->marks);
}

/* One mark per 4 KiB at most, the first of each: bounded, and the same wherever chunks begin. */
static bool add_marks(struct source *s, const struct chunk *c)
{
	if (s->nmarks + c->nmarks > s->marks_cap) {
		size_t cap = 2 * (s->nmarks + c->nmarks);
		struct packed_mark *m = realloc(s->marks, cap * sizeof(*m));

		if (!m)
			return false;
		s->marks = m;
		s->marks_cap = cap;
	}
	for (unsigned i = 0; i < c->nmarks; i++) {
		struct packed_mark m = {c->out + c->marks[i].out, c->marks[i].raw};

		if (!s->nmarks || m.out / MARK_UNIT != s->marks[s->nmarks - 1].out / MARK_UNIT)
			s->marks[s->nmarks++] = m;
	}
	return true;
}

uint64_t packed_raw(struct source *s, uint64_t off)
{
	size_t n = 0;

	while (n + 1 < s->nmarks && s->marks[n + 1].out <= off)
		n++;
	s->nmarks -= n;
	if (n)
		memmove(s->marks, s->marks + n, s->nmarks * sizeof(*s->marks));
	return s->nmarks ? s->marks[0].raw : s->raw_pos;
}

/* What comes next, or NULL with *e: at the end of the file code 0. */
static struct chunk *next_chunk(struct source *s, struct err *e)
{
	struct chunk *c = s->part;

	err_clear(e);
	s->part = NULL;
	if (c)
		return c;
	if (stream_stopped(s->stream)) {
		err_set(e, ERR_INTERRUPTED, s->off, "reading was interrupted");
		e->pos_raw = s->raw_pos;
		return NULL;
	}
	c = s->no_memory ? NULL : inflate_next(s->inf, e);
	if (c && !add_marks(s, c)) {
		inflate_recycle(s->inf, c);
		s->no_memory = true;
	}
	if (s->no_memory) {
		err_set(e, -ENOMEM, s->off, "out of memory");
		return NULL;
	}
	s->raw_pos = c ? c->raw_end : inflate_end_raw(s->inf);
	return c;
}

int packed_read(struct source *s, void *dst, size_t n, size_t *got, struct err *e)
{
	struct err cause;
	struct chunk *c = next_chunk(s, &cause);

	*got = 0;
	if (!c) {
		s->inf_end = true;
		if (cause.code && e)
			*e = cause;
		return cause.code;
	}
	*got = MIN(n, c->len);
	memcpy(dst, c->mem + HEADROOM + c->pos, *got);
	c->pos += *got;
	c->len -= *got;
	if (c->len)
		s->part = c;
	else
		inflate_recycle(s->inf, c);
	return 0;
}

bool packed_at_end(const struct source *s)
{
	return s->inf_end;
}

bool packed_take(struct source *s, struct batch *b, const uint8_t *carry, size_t have)
{
	size_t cap = HEADROOM + inflate_chunk_bytes(s->inf);
	struct err e;
	struct chunk *c = next_chunk(s, &e);
	uint8_t *mem;

	if (!c)
		return false; /* packed_read meets it again */
	if (have > HEADROOM + c->pos) {
		s->part = c;
		return false;
	}
	mem = c->mem;
	b->data = mem + HEADROOM + c->pos - have;
	memcpy(mem + HEADROOM + c->pos - have, carry, have);
	b->len = have + c->len;
	if (b->mem_cap == cap) {
		c->mem = b->mem;
	} else {
		free(b->mem);
		c->mem = NULL;
	}
	inflate_recycle(s->inf, c);
	b->mem = mem;
	b->mem_cap = cap;
	return true;
}
