#include "source/inflate.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "source/cut.h"

enum {
	STEPS_PER_CHUNK = 2,
	LEAD_CHUNKS = 4, /* so many ready ones keep everybody busy while the head's thread does something else */
	LEAD_LOW = 2,	 /* with fewer another thread takes the head over */
	AHEAD_CHUNKS = INFLATE_AHEAD_BYTES / (STEPS_PER_CHUNK * INFLATE_STEP_BYTES),
	AHEAD_CHUNKS_MAX = 4 * AHEAD_CHUNKS,
	PARTS_EXTRA = 2,
	CUT_WINDOW_STEPS = 128, /* how far ahead of the head parts are looked for, compressed bytes */
	MISSES_MAX = 8,
	HEAD_SLACK = 16, /* inside a member the decoder may have fetched bytes behind its end */
};

struct chunks {
	struct chunk *first, **last;
	unsigned n;
};

struct part {
	struct stream *s; /* made when first needed, then used again */
	uint64_t start;	  /* in the file as stored */
	struct chunks done;
	unsigned worker; /* who had it last */
	bool used, busy;
	bool dropped; /* by the order, while somebody was busy with it */
	bool at_end, no_memory;
	struct err err;
	/* While busy, OWNED_BY(that thread) */
	struct chunk *filling;
	/* Where the part behind begins. relaxed: when it comes too late, that part is thrown away. */
	_Atomic uint64_t check;
};

struct inflate {
	const struct stream *s;
	size_t step, apart, chunk_bytes, headroom; /* IMMUTABLE, as the next */
	unsigned fetchers, max_parts, nslots, max_chunks;

	/* Everything below GUARDED_BY(lock) when there are several fetchers. */
	pthread_mutex_t lock;
	pthread_cond_t came; /* the busy head is not busy any more */
	struct part *slots;  /* a job is the index of one, or nslots: looking for cuts */
	struct part **parts; /* in the order of the file; [0] = the head */
	unsigned nparts;
	struct chunks ready; /* in order */
	unsigned nguessed;   /* chunks of other parts than the head, also those being filled */
	uint64_t out_end;    /* decompressed offset behind the ready ones */
	uint64_t head_raw;   /* where the head is */
	bool ended;	     /* at the end of the file, or failed */
	struct err failed;
	struct chunks spare;
	struct cut cut; /* while cutting, OWNED_BY(that thread) */
	bool cutting, no_cuts; /* no more of them */
	unsigned hits, misses; /* parts that were used, and thrown away */
};

static void lock(struct inflate *f)
{
	if (f->fetchers > 1)
		pthread_mutex_lock(&f->lock);
}

static void unlock(struct inflate *f)
{
	if (f->fetchers > 1)
		pthread_mutex_unlock(&f->lock);
}

/* ---- chunks ------------------------------------------------------------------------------------- */

static void chunks_init(struct chunks *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->n = 0;
}

static void chunks_put(struct chunks *q, struct chunk *c)
{
	c->next = NULL;
	*q->last = c;
	q->last = &c->next;
	q->n++;
}

static struct chunk *chunks_get(struct chunks *q)
{
	struct chunk *c = q->first;

	if (!c)
		return NULL;
	q->first = c->next;
	if (!q->first)
		q->last = &q->first;
	q->n--;
	return c;
}

static void chunk_free(struct chunk *c)
{
	if (c)
		free(c->mem);
	free(c);
}

static void chunks_free(struct chunks *q)
{
	while (q->n)
		chunk_free(chunks_get(q));
}

/* Empty; without mem when memory ran out. */
static struct chunk *chunk_new(struct inflate *f)
{
	struct chunk *c = chunks_get(&f->spare);
	uint8_t *mem = c ? c->mem : NULL;

	if (!c)
		c = malloc(sizeof(*c));
	if (c)
		*c = (struct chunk){.mem = mem};
	return c;
}

static void chunk_recycle(struct inflate *f, struct chunk *c)
{
	if (c && c->mem && f->spare.n < f->max_chunks)
		chunks_put(&f->spare, c);
	else
		chunk_free(c);
}

void inflate_recycle(struct inflate *f, struct chunk *c)
{
	lock(f);
	chunk_recycle(f, c);
	unlock(f);
}

/* ---- parts: with the lock ------------------------------------------------------------------------- */

static void part_add(struct inflate *f, uint64_t start)
{
	struct part *p = f->slots;

	while (p->used)
		p++;
	*p = (struct part){.s = p->s, .start = start, .worker = UINT32_MAX, .used = true};
	atomic_init(&p->check, UINT64_MAX);
	chunks_init(&p->done);
	err_clear(&p->err);
	if (p->s)
		stream_part_begin(p->s, start);
	f->parts[f->nparts++] = p;
}

static void part_remove(struct inflate *f, unsigned at)
{
	f->nparts--;
	memmove(f->parts + at, f->parts + at + 1, (f->nparts - at) * sizeof(*f->parts));
}

/* A guess that nobody needs. */
static void part_drop(struct inflate *f, unsigned at)
{
	struct part *p = f->parts[at];

	f->nguessed -= p->done.n;
	while (p->done.n)
		chunk_recycle(f, chunks_get(&p->done));
	part_remove(f, at);
	p->dropped = p->busy;
	p->used = p->busy;
}

static uint64_t part_raw(const struct part *p)
{
	return p->s ? stream_raw_pos(p->s) : p->start;
}

/* What the head gave is in order. */
static void head_deliver(struct inflate *f, struct part *h)
{
	struct chunk *c;

	while ((c = chunks_get(&h->done))) {
		c->out = f->out_end;
		f->out_end += c->len;
		chunks_put(&f->ready, c);
	}
}

static void head_end(struct inflate *f, struct part *h)
{
	f->ended = true;
	f->failed = h->err;
	if (h->no_memory)
		err_set(&f->failed, -ENOMEM, f->out_end, "out of memory");
	if (f->failed.code)
		f->failed.pos = f->out_end;
	while (f->nparts > 1)
		part_drop(f, f->nparts - 1);
}

/* The head has run over the start of the part behind it: that was none. */
static bool head_passed(const struct part *h, const struct part *next)
{
	uint64_t raw = part_raw(h);

	return raw > next->start + (stream_between(h->s) ? 0 : HEAD_SLACK);
}

/* Goes on with the head as far as it is known. */
static void advance(struct inflate *f)
{
	while (!f->ended) {
		struct part *h = f->parts[0];

		head_deliver(f, h);
		if (h->busy || !h->s)
			return;
		f->head_raw = part_raw(h);
		if (h->err.code || h->at_end || h->no_memory) {
			head_end(f, h);
			return;
		}
		while (f->nparts > 1 && head_passed(h, f->parts[1])) {
			f->misses += f->parts[1]->done.n || f->parts[1]->busy;
			part_drop(f, 1);
			f->no_cuts |= f->misses > MISSES_MAX && f->misses > f->hits;
		}
		if (f->nparts == 1 || !stream_between(h->s) || f->head_raw != f->parts[1]->start)
			return;
		h->used = false;
		part_remove(f, 0);
		f->nguessed -= f->parts[0]->done.n + f->parts[0]->busy;
		f->parts[0]->no_memory = false; /* it may try again */
		f->hits++;
	}
}

/* ---- work ----------------------------------------------------------------------------------------- */

static bool head_has_work(const struct inflate *f, unsigned lead)
{
	return !f->parts[0]->busy && !f->ended && f->ready.n < lead;
}

static bool may_guess(const struct inflate *f)
{
	return f->ready.n + f->nguessed < f->max_chunks;
}

/* Where a part should stop: at the next one, which may not be known yet. */
static uint64_t part_check(const struct inflate *f, unsigned at)
{
	if (at + 1 < f->nparts)
		return f->parts[at + 1]->start;
	return at && !f->no_cuts ? f->parts[at]->start + f->apart : UINT64_MAX;
}

static bool guess_has_work(const struct inflate *f, unsigned i)
{
	const struct part *p = f->parts[i];

	if (p->busy || p->err.code || p->at_end || p->no_memory)
		return false;
	if (i + 1 == f->nparts && p->s && !stream_between(p->s))
		return true;
	return part_raw(p) < part_check(f, i);
}

static bool may_cut(const struct inflate *f)
{
	return !f->cutting && !f->no_cuts && f->nparts < f->max_parts &&
	       f->cut.at < f->head_raw + CUT_WINDOW_STEPS * f->step;
}

/* A guess to go on with, rather this worker's own; 0 = none. */
static unsigned find_guess(const struct inflate *f, unsigned worker)
{
	unsigned found = 0;

	for (unsigned i = 1; i < f->nparts; i++) {
		if (!guess_has_work(f, i))
			continue;
		if (f->parts[i]->worker == worker)
			return i;
		found = found ? found : i;
	}
	return found;
}

static int part_begin(struct inflate *f, unsigned at, unsigned worker)
{
	struct part *p = f->parts[at];

	p->worker = worker;
	p->busy = true;
	atomic_store_explicit(&p->check, part_check(f, at), memory_order_relaxed);
	p->filling = chunk_new(f);
	if (p->filling)
		p->filling->worker = worker;
	f->nguessed += at > 0;
	return (int)(p - f->slots);
}

static int claim_guess(struct inflate *f, unsigned worker)
{
	unsigned i;

	if (f->ended || !may_guess(f))
		return -1;
	i = find_guess(f, worker);
	if (i)
		return part_begin(f, i, worker);
	if (!may_cut(f))
		return -1;
	/* Nearer to the head it would be there first. */
	cut_pass(&f->cut, f->head_raw + f->apart);
	f->cutting = true;
	return (int)f->nslots;
}

int inflate_claim(struct inflate *f, unsigned worker, bool urgent)
{
	bool own;
	int i = -1;

	lock(f);
	own = f->parts[0]->worker == worker;
	/* While there is nothing but the head, its thread does only that. */
	if (own ? !urgent || f->nparts == 1 : !urgent)
		i = head_has_work(f, own ? LEAD_CHUNKS : 1) ? part_begin(f, 0, worker) : -1;
	if (i < 0 && !urgent)
		i = claim_guess(f, worker);
	if (i < 0 && !urgent && head_has_work(f, LEAD_LOW))
		i = part_begin(f, 0, worker);
	unlock(f);
	return i;
}

bool inflate_claimable(struct inflate *f)
{
	bool any;

	lock(f);
	any = head_has_work(f, LEAD_CHUNKS) || (!f->ended && may_guess(f) && (find_guess(f, UINT32_MAX) || may_cut(f)));
	unlock(f);
	return any;
}

/* Bytes for the part's chunk, until it is full, something ends, or the part behind begins. */
static void part_fill(struct inflate *f, struct part *p, struct chunk *c)
{
	int r = 0;

	while (!r && !p->at_end && c->len < f->chunk_bytes && c->nmarks < CHUNK_MARKS) {
		size_t got;

		r = stream_read(p->s, c->mem + f->headroom + c->len, f->chunk_bytes - c->len, -1, &got, &p->err);
		if (got)
			c->marks[c->nmarks++] = (struct chunk_mark){(uint32_t)c->len, stream_mark(p->s)};
		c->len += got;
		p->at_end = !r && stream_at_end(p->s);
		if (stream_between(p->s) && stream_raw_pos(p->s) >= atomic_load_explicit(&p->check, memory_order_relaxed))
			break;
		if (!got && f->chunk_bytes - c->len < f->step)
			break; /* too little room */
	}
	c->raw_end = stream_raw_pos(p->s);
}

void inflate_run(struct inflate *f, int i)
{
	struct part *p = f->slots + i;
	struct chunk *c;

	if (i == (int)f->nslots) {
		cut_step(&f->cut);
		return;
	}
	c = p->filling;
	if (c && !c->mem)
		c->mem = malloc(f->headroom + f->chunk_bytes);
	if (!p->s && stream_part_new(&p->s, f->s, f->step) == 0)
		stream_part_begin(p->s, p->start);
	if (!c || !c->mem || !p->s)
		p->no_memory = true;
	else
		part_fill(f, p, c);
}

static void cut_done(struct inflate *f)
{
	uint64_t at = f->cut.found;

	f->cutting = false;
	f->no_cuts |= f->cut.end;
	f->cut.found = UINT64_MAX;
	if (at == UINT64_MAX || f->ended || at <= f->head_raw || at <= f->parts[f->nparts - 1]->start)
		return;
	atomic_store_explicit(&f->parts[f->nparts - 1]->check, at, memory_order_relaxed);
	part_add(f, at);
}

static void part_done(struct inflate *f, struct part *p)
{
	struct chunk *c = p->filling;

	p->busy = false;
	p->filling = NULL;
	f->nguessed -= p != f->parts[0];
	if (p->dropped) {
		chunk_recycle(f, c);
		p->used = p->dropped = false;
		return;
	}
	if (!c || !c->len) {
		chunk_recycle(f, c);
		return;
	}
	chunks_put(&p->done, c);
	f->nguessed += p != f->parts[0];
}

void inflate_done(struct inflate *f, int i)
{
	lock(f);
	if (i == (int)f->nslots)
		cut_done(f);
	else
		part_done(f, f->slots + i);
	advance(f);
	if (f->fetchers > 1)
		pthread_cond_signal(&f->came);
	unlock(f);
}

bool inflate_owned(struct inflate *f)
{
	bool owned;

	lock(f);
	owned = f->nparts > 1;
	unlock(f);
	return owned;
}

bool inflate_suits(struct inflate *f, unsigned worker)
{
	bool suits;

	lock(f);
	suits = !f->ready.n || f->ready.first->worker == worker;
	unlock(f);
	return suits;
}

bool inflate_ready(struct inflate *f)
{
	bool ready;

	lock(f);
	ready = f->ready.n || f->ended;
	unlock(f);
	return ready;
}

/* ---- the reader ----------------------------------------------------------------------------------- */

struct chunk *inflate_next(struct inflate *f, struct err *e)
{
	struct chunk *c;

	lock(f);
	while (!f->ready.n && !f->ended) {
		if (f->parts[0]->busy) {
			pthread_cond_wait(&f->came, &f->lock);
			continue;
		}
		int i = part_begin(f, 0, f->parts[0]->worker);
		unlock(f);
		inflate_run(f, i);
		inflate_done(f, i);
		lock(f);
	}
	c = chunks_get(&f->ready);
	if (!c)
		*e = f->failed;
	unlock(f);
	return c;
}

uint64_t inflate_end_raw(const struct inflate *f)
{
	return f->head_raw;
}

/* ---- life ----------------------------------------------------------------------------------------- */

int inflate_new(struct inflate **out, const struct stream *s, const struct inflate_opts *o)
{
	struct inflate *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->s = s;
	f->step = o->step ? o->step : (size_t)INFLATE_STEP_BYTES;
	f->apart = o->apart ? o->apart : f->step / 2;
	f->chunk_bytes = STEPS_PER_CHUNK * f->step;
	f->headroom = o->headroom;
	f->fetchers = MAX(o->fetchers, 1);
	f->max_parts = f->fetchers + PARTS_EXTRA;
	f->nslots = f->max_parts + f->fetchers; /* dropped ones that somebody is still busy with */
	f->max_chunks = MIN((f->fetchers - 1) * AHEAD_CHUNKS, (unsigned)AHEAD_CHUNKS_MAX) + LEAD_CHUNKS;
	f->head_raw = stream_raw_base(s);
	chunks_init(&f->ready);
	chunks_init(&f->spare);
	err_clear(&f->failed);
	cut_init(&f->cut, s, f->apart);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->came, NULL);
	f->slots = calloc(f->nslots, sizeof(*f->slots));
	f->parts = calloc(f->max_parts, sizeof(*f->parts));
	if (!f->slots || !f->parts) {
		inflate_free(f);
		return -ENOMEM;
	}
	part_add(f, f->head_raw);
	*out = f;
	return 0;
}

void inflate_free(struct inflate *f)
{
	if (!f)
		return;
	for (unsigned i = 0; f->slots && i < f->nslots; i++) {
		struct part *p = f->slots + i;

		if (p->used)
			chunks_free(&p->done);
		chunk_free(p->filling);
		stream_close(p->s);
	}
	chunks_free(&f->ready);
	chunks_free(&f->spare);
	cut_fini(&f->cut);
	pthread_cond_destroy(&f->came);
	pthread_mutex_destroy(&f->lock);
	free(f->slots);
	free(f->parts);
	free(f);
}

size_t inflate_chunk_bytes(const struct inflate *f)
{
	return f->chunk_bytes;
}
