/* Read-ahead: stretches of a plain file are fetched by several workers at once, so that of reading only
 * the framing of blocks happens in order. What is unusual (metadata, blocks longer than a stretch, the
 * end of the file, failures) is left to the ordinary way of reading, which begins anew at that place. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "source/block.h"
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
	s->nahead = fetchers + 1;
	s->ahead = calloc(s->nahead, sizeof(*s->ahead));
	s->spare = calloc(s->nahead, sizeof(*s->spare));
	s->short_at = UINT64_MAX;
	s->fetch_end = true;
	return s->ahead && s->spare ? 0 : -ENOMEM;
}

void ahead_fini(struct source *s)
{
	for (unsigned i = 0; s->ahead && i < s->nahead; i++)
		free(s->ahead[i].mem);
	for (unsigned i = 0; i < s->nspare; i++)
		free(s->spare[i]);
	free(s->taken.mem);
	free(s->used_mem);
	free(s->ahead);
	free(s->spare);
}

/* ---- under the caller's lock ---------------------------------------------------------------- */

static void spare_put(struct source *s, uint8_t *mem)
{
	if (mem && s->nspare < s->nahead)
		s->spare[s->nspare++] = mem;
	else
		free(mem);
}

static void ahead_drop_first(struct source *s)
{
	struct stretch *x = &s->ahead[s->first];

	spare_put(s, x->mem);
	*x = (struct stretch){0};
	s->first = (s->first + 1) % s->nahead;
	s->nfetched--;
}

void ahead_reset(struct source *s)
{
	while (s->nfetched)
		ahead_drop_first(s);
	spare_put(s, s->taken.mem);
	s->taken = (struct stretch){0};
	s->fetch_end = true;
	s->short_at = UINT64_MAX;
}

static bool stretch_left(const struct source *s)
{
	return s->nahead && s->nfetched < s->nahead && !s->fetch_end;
}

static int claim_stretch(struct source *s, unsigned worker)
{
	unsigned i;
	struct stretch *x;

	if (!stretch_left(s))
		return -1;
	i = (s->first + s->nfetched) % s->nahead;
	x = &s->ahead[i];
	*x = (struct stretch){.off = s->fetch_off, .worker = worker};
	if (s->nspare)
		x->mem = s->spare[--s->nspare];
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
	spare_put(s, s->used_mem);
	s->used_mem = NULL;
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

/* ---- without it ----------------------------------------------------------------------------- */

uint64_t source_wait_ns(struct source *s)
{
	return s->ops && s->ops->wait_ns ? s->ops->wait_ns(s->ops_ctx) : UINT64_MAX;
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
}

bool ahead_take(struct source *s, struct batch *b, const uint8_t *carry, size_t have)
{
	struct stretch x = s->taken;

	if (!x.mem)
		return false;
	s->taken = (struct stretch){0};
	if (have > HEADROOM || stream_stopped(s->stream) || stream_jump(s->stream, x.off + x.len)) {
		ASSERT(!s->used_mem);
		s->used_mem = x.mem;
		return false;
	}
	if (b->mem_cap == HEADROOM + stretch_bytes(s))
		s->used_mem = b->mem;
	else
		free(b->mem);
	b->mem = x.mem;
	b->mem_cap = HEADROOM + stretch_bytes(s);
	b->data = x.mem + HEADROOM - have;
	memcpy(x.mem + HEADROOM - have, carry, have);
	b->len = have + x.len;
	return true;
}
