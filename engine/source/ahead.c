/* Read-ahead: stretches of a plain file are fetched and framed by several workers at once. In order is only looked whether
 * the blocks of a stretch are the ones that follow. What is unusual (metadata, blocks longer than a stretch, the end of
 * the file, failures) is left to the ordinary way of reading, which begins anew at that place. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "source/block.h"
#include "source/frame.h"
#include "source/source_int.h"

enum { STRETCH_MIN = 64 * 1024 };

static size_t stretch_bytes(const struct source *s)
{
	return MAX(s->batch_bytes, (size_t)STRETCH_MIN);
}

int ahead_init(struct source *s, unsigned fetchers)
{
	if (!stream_can_jump(s->stream) || fetchers < 2)
		return 0;
	s->nahead = fetchers;
	s->nrooms = fetchers;
	s->ahead = calloc(s->nahead, sizeof(*s->ahead));
	s->rooms = calloc(s->nrooms, sizeof(*s->rooms));
	s->short_at = UINT64_MAX;
	s->fetch_end = true;
	return s->ahead && s->rooms ? 0 : -ENOMEM;
}

static void stretch_free(struct stretch *x)
{
	free(x->mem);
	free(x->framed.at);
}

void ahead_fini(struct source *s)
{
	for (unsigned i = 0; s->ahead && i < s->nahead; i++)
		stretch_free(&s->ahead[i]);
	for (unsigned w = 0; s->rooms && w < s->nrooms; w++)
		for (unsigned i = 0; i < s->rooms[w].n; i++)
			stretch_free(&s->rooms[w].of[i]);
	stretch_free(&s->taken);
	free(s->ahead);
	free(s->rooms);
}

/* ---- under the caller's lock ---------------------------------------------------------------- */

/* Keeps the memory of x, which is empty then, for its worker. */
static void room_put(struct source *s, struct stretch *x)
{
	struct rooms *r = x->mem ? &s->rooms[x->worker] : NULL;

	if (r && r->n < ROOMS_KEPT)
		r->of[r->n++] = *x;
	else
		stretch_free(x);
	*x = (struct stretch){0};
}

static void ahead_drop_first(struct source *s)
{
	room_put(s, &s->ahead[s->first]);
	s->first = (s->first + 1) % s->nahead;
	s->nfetched--;
}

void ahead_reset(struct source *s)
{
	while (s->nfetched)
		ahead_drop_first(s);
	room_put(s, &s->taken);
	s->fetch_end = true;
	s->short_at = UINT64_MAX;
}

static bool stretch_left(const struct source *s)
{
	return s->nahead && s->nfetched < s->nahead && !s->fetch_end;
}

static int claim_stretch(struct source *s, unsigned worker)
{
	struct stretch *x;
	struct rooms *r;
	unsigned i;

	if (!stretch_left(s))
		return -1;
	r = &s->rooms[worker];
	i = (s->first + s->nfetched) % s->nahead;
	x = &s->ahead[i];
	*x = (struct stretch){0};
	if (r->n)
		*x = r->of[--r->n];
	x->off = s->fetch_off;
	x->worker = worker;
	x->framed.n = 0;
	x->loaded = x->spent = false;
	s->fetch_off += stretch_bytes(s);
	s->nfetched++;
	return (int)i;
}

int source_fetch_claim(struct source *s, unsigned worker, bool urgent)
{
	if (s->ops)
		return s->ops->claim ? s->ops->claim(s->ops_ctx, worker, urgent) : -1;
	if (s->inf)
		return inflate_claim(s->inf, worker, urgent);
	return urgent ? -1 : claim_stretch(s, worker);
}

bool source_fetch_ready(const struct source *s)
{
	if (s->ops)
		return s->ops->claimable && s->ops->claimable(s->ops_ctx);
	if (s->inf)
		return inflate_claimable(s->inf);
	return stretch_left(s);
}

void source_fetch_done(struct source *s, int i)
{
	if (s->ops) {
		s->ops->fetched(s->ops_ctx, i);
		return;
	}
	if (s->inf) {
		inflate_done(s->inf, i);
		return;
	}
	s->ahead[i].loaded = true;
}

/* Nothing is fetched: the reader goes on by itself, unless there is hope that fetching from at on helps. */
static bool read_alone(struct source *s, uint64_t at)
{
	s->fetch_end = s->phase != PHASE_EVENTS || at == s->short_at;
	s->fetch_off = at;
	return s->fetch_end;
}

bool source_read_ready(struct source *s)
{
	uint64_t at;

	if (s->ops)
		return !s->ops->ready || s->ops->ready(s->ops_ctx);
	if (s->inf)
		return s->part || inflate_ready(s->inf);
	if (!s->nahead)
		return true;
	if (s->taken.spent)
		room_put(s, &s->taken);
	if (s->taken.mem)
		return true; /* the last batch was in what is left of the one before */
	at = stream_raw_pos(s->stream);
	while (s->nfetched && s->ahead[s->first].off != at) {
		if (!s->ahead[s->first].loaded)
			return false;
		ahead_drop_first(s);
	}
	if (!s->nfetched)
		return read_alone(s, at);
	if (!s->ahead[s->first].loaded)
		return false;
	if (s->ahead[s->first].len == stretch_bytes(s)) {
		s->taken = s->ahead[s->first];
		s->ahead[s->first].mem = NULL;
		s->ahead[s->first].framed.at = NULL;
	} else {
		s->short_at = at;
		s->fetch_end = true;
	}
	ahead_drop_first(s);
	return true;
}

bool source_owned(const struct source *s)
{
	return s->inf ? inflate_owned(s->inf) : s->nahead > 0;
}

bool source_read_suits(const struct source *s, unsigned worker)
{
	if (s->inf)
		return s->part || inflate_suits(s->inf, worker);
	return !s->taken.mem || s->taken.worker == worker;
}

void source_reuse(struct source *s, struct batch *b)
{
	struct stretch x = {.mem = b->mem, .framed = b->framed, .worker = b->fetcher};

	if (!s->nahead || b->mem_cap != HEADROOM + stretch_bytes(s))
		return;
	room_put(s, &x);
	b->mem = NULL;
	b->mem_cap = 0;
	b->framed = (struct framing){0};
}

/* ---- without it ----------------------------------------------------------------------------- */

uint64_t source_wait_ns(struct source *s)
{
	return s->ops && s->ops->wait_ns ? s->ops->wait_ns(s->ops_ctx) : UINT64_MAX;
}

/* Blocks of a stretch, for the reader to find that it would have come to the same. A batch must not be shorter than a
 * stretch. */
static void stretch_frame(const struct source *s, struct stretch *x)
{
	struct framing *f = &x->framed;
	const uint8_t *p = x->mem + HEADROOM;
	uint32_t *q;

	if (s->batch_events != UINT32_MAX || s->batch_bytes < x->len)
		return;
	if (!f->at) {
		f->cap = (uint32_t)(stretch_bytes(s) / FRAME_STEP_MIN + 1);
		f->at = malloc(f->cap * sizeof(*f->at));
		if (!f->at)
			return; /* the reader frames them */
	}
	f->end = frame_guess(p, x->len, s->run_limit);
	q = f->at;
	if (f->end < x->len)
		frame_events(p, x->len, x->len - (BLOCK_HEAD_BYTES - 1), s->run_limit, &f->end, &q, f->at + f->cap);
	f->n = (uint32_t)(q - f->at);
}

void source_fetch(struct source *s, int i)
{
	struct stretch *x;

	if (s->ops) {
		s->ops->fetch(s->ops_ctx, i);
		return;
	}
	if (s->inf) {
		inflate_run(s->inf, i);
		return;
	}
	x = &s->ahead[i];
	if (!x->mem)
		x->mem = malloc(HEADROOM + stretch_bytes(s));
	x->len = x->mem ? stream_pread(s->stream, x->mem + HEADROOM, stretch_bytes(s), x->off) : 0;
	if (x->len == stretch_bytes(s))
		stretch_frame(s, x);
}

bool ahead_take(struct source *s, struct batch *b, const uint8_t *carry, size_t have)
{
	struct stretch *x = &s->taken;

	if (!x->mem)
		return false;
	if (have > HEADROOM || stream_stopped(s->stream)) {
		x->spent = true;
		return false;
	}
	stream_jump(s->stream, x->off + x->len);
	free(b->mem);
	free(b->framed.at);
	b->mem = x->mem;
	b->mem_cap = HEADROOM + stretch_bytes(s);
	b->framed = x->framed;
	b->framed.shift = have;
	b->fetcher = x->worker;
	b->data = x->mem + HEADROOM - have;
	memcpy(x->mem + HEADROOM - have, carry, have);
	b->len = have + x->len;
	*x = (struct stretch){0};
	return true;
}
