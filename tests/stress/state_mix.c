/* The answer must not depend on how a trace is cut into batches, nor on how far apply runs ahead of
 * analysis. A real trace is mixed up, so that everything odd happens: events are dropped, doubled,
 * moved, given to other threads; numbers in them change. Whatever the state then says of each
 * event, it must say the same for every batch size and distance.
 *
 * state_mix TRACE [ROUNDS [SEED]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "source/source.h"
#include "state/bind.h"
#include "state/digest.h"

enum { EVENTS_MAX = 6000, LAG_MAX = 6 };

struct ev {
	uint8_t *p;
	uint32_t len;
};

static struct ev base[EVENTS_MAX]; /* the trace's blocks */
static uint32_t nbase;
static struct batch meta; /* of its first section */
static uint64_t rng;

static void die(const char *what)
{
	fprintf(stderr, "state_mix: %s\n", what);
	exit(1);
}

static uint32_t pick(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 20) % n;
}

static uint8_t *copy(const void *p, size_t n)
{
	uint8_t *q = malloc(n);

	if (!q)
		die("out of memory");
	memcpy(q, p, n);
	return q;
}

static void keep_meta(const struct batch *b)
{
	batch_init(&meta);
	meta.kind = BATCH_META;
	meta.data = copy(b->data, b->len);
	meta.len = b->len;
	meta.blk = (uint32_t *)(void *)copy(b->blk, b->nblk * sizeof(*b->blk));
	meta.nblk = b->nblk;
}

static void load(const char *path)
{
	struct source *s;
	struct batch b;
	struct err e;

	err_clear(&e);
	if (source_open(&s, path, NULL, &e))
		die(e.msg);
	batch_init(&b);
	do {
		batch_reset(&b);
		if (source_read(s, &b, &e) < 0)
			die(e.msg);
		if (b.kind == BATCH_META && !meta.data)
			keep_meta(&b);
		for (uint32_t i = 0; b.kind == BATCH_EVENTS && i < b.nblk && nbase < EVENTS_MAX;
		     i++) {
			const uint8_t *p = b.data + b.blk[i];

			base[nbase].len = load_u32(p + 4);
			base[nbase].p = copy(p, base[nbase].len);
			nbase++;
		}
	} while (!b.last && nbase < EVENTS_MAX);
	batch_fini(&b);
	source_close(s);
}

/* ---- mixing up ---- */

struct mix {
	struct buf data;
	uint32_t off[2 * EVENTS_MAX];
	uint32_t n;
};

static void mix_add(struct mix *m, const struct ev *e)
{
	m->off[m->n++] = (uint32_t)m->data.len;
	buf_put(&m->data, e->p, e->len);
}

/* Changes the event in place; its size stays. All blocks of the bundled traces are of the ordinary
 * kind. */
static void mix_event(struct mix *m, uint32_t i)
{
	uint8_t *b = (uint8_t *)m->data.p + m->off[i], *h = b + 10;
	uint32_t np = load_u32(h + EVENT_HDR_V1);
	uint8_t *data = h + EVENT_HDR_V2 + 2 * (size_t)np;
	int64_t small = (int64_t)pick(12) - 2;

	switch (pick(4)) {
	case 0: /* another thread's */
		memcpy(h + 8, m->data.p + m->off[pick(m->n)] + 10 + 8, 8);
		break;
	case 1: /* another result or descriptor */
		if (np && load_u16(h + EVENT_HDR_V2) == 8)
			memcpy(data, &small, 8);
		break;
	case 2: { /* much later */
		uint64_t ts = load_u64(h) + pick(2) * 3000000000u;

		memcpy(h, &ts, 8);
		break;
	}
	default: /* the other side of the call */
		if (np == 0)
			h[20] ^= 1;
	}
}

static void mix_make(struct mix *m, uint32_t odd)
{
	uint32_t from = pick(nbase / 2), n = MIN(nbase - from, 1500u);

	memset(m, 0, sizeof(*m));
	buf_init(&m->data);
	for (uint32_t i = from; i < from + n; i++) {
		uint32_t what = pick(odd);

		if (what == 0)
			continue;
		if (what == 1)
			mix_add(m, &base[from + pick(n)]);
		mix_add(m, &base[i]);
		if (what == 2)
			mix_add(m, &base[i]);
		if (what >= 3 && what < 7)
			mix_event(m, m->n - 1);
	}
}

/* ---- what the state says ---- */

struct shots {
	struct buf text;
	uint32_t off[2 * EVENTS_MAX + 1];
	uint32_t n;
};

struct count {
	uint64_t ord;
	int64_t pid;
	uint32_t all, siblings;
};

static int shoot_thread(void *ctx, struct thread *t)
{
	struct count *k = ctx;

	k->all++;
	k->siblings += thread_ver_at(t, k->ord)->pid == k->pid && t->tid != k->pid;
	return 0;
}

static int shoot_fd(void *ctx, int fd, const struct fd_ver *f)
{
	*(unsigned *)ctx = *(unsigned *)ctx * 31 + (unsigned)fd * 7 + f->kind;
	return 0;
}

static void shoot(struct shots *s, struct evctx *c)
{
	const struct thread_ver *v, *mv;
	struct thread *t = evctx_thread(c, &v), *m = evctx_main(c, &mv);
	const struct thread_vol *vol = t ? evctx_vol(c, t) : NULL;
	const struct fd_ver *f = evctx_fd(c), *f3 = evctx_fd_n(c, 3);
	struct count k = {.ord = c->ord, .pid = m ? m->tid : 0};
	unsigned fds = 0;
	struct event enter;
	uint32_t len;
	uint64_t ts;
	uint16_t type;
	bool paired;

	evctx_enter(c, &ts, &type, &paired);
	if (c->num % 16 == 0) {
		state_threads_each(c->b->root, c->ord, shoot_thread, &k);
		if (m && state_nthreads_at(m, c->ord) != k.siblings) {
			fprintf(stderr, "event %" PRIu64 ", pid %" PRId64 ": %u threads, not %u\n",
				c->num, k.pid, k.siblings, state_nthreads_at(m, c->ord));
			exit(1);
		}
	}
	if (v && c->num % 16 == 0)
		state_fds_each(c->b->root, t, v, c->ord, shoot_fd, &fds);
	s->off[s->n++] = (uint32_t)s->text.len;
	buf_printf(&s->text, "%" PRIu64 " type %u tid %" PRId64 ": ", c->num, c->ev.type,
		   c->ev.tid);
	if (v)
		buf_printf(&s->text,
			   "%s pid %" PRId64 " ptid %" PRId64
			   " flags %x exe %s uid %u birth %" PRIu64 " ",
			   v->comm->s, v->pid, v->ptid, v->flags, v->exepath->s, v->uid, t->birth);
	if (m)
		buf_printf(&s->text, "cwd %s fdlimit %" PRIu64 " ", mv->cwd->s, mv->fdlimit);
	if (vol)
		buf_printf(&s->text, "vm %u faults %" PRIu64 " ", vol->vmsize_kb, vol->pfminor);
	buf_printf(&s->text,
		   "enter %" PRIu64 " %u %d %d latency %" PRIu64 " errno %" PRId64 " fd %" PRId64
		   " ",
		   ts, type, paired, evctx_enter_event(c, &enter), evctx_latency(c), evctx_errno(c),
		   evctx_fdnum(c));
	if (f)
		buf_printf(&s->text, "%s kind %u id %" PRIu64 " ",
			   fd_ver_name(f, c->demand->compat029, &len), f->kind, f->id);
	if (f3)
		buf_printf(&s->text, "fd 3 %s ", fd_ver_name(f3, c->demand->compat029, &len));
	buf_printf(&s->text, "threads %u fds %x\n", k.all, fds);
}

static void analyse(struct shots *s, struct evctx *c, const struct batch *b)
{
	if (b->kind != BATCH_EVENTS)
		return;
	if (evctx_begin(c, b) < 0)
		die("out of memory");
	for (uint32_t i = 0; i < b->nev; i++) {
		evctx_move(c, i);
		/* Depends on the cut of the batches: it may be asked at any time, that is all. */
		if (b->ev[i].slot != UINT32_MAX)
			evctx_slot_stable(c, b->ev[i].slot);
		shoot(s, c);
	}
}

static void cut(const struct mix *m, struct batch *b, uint32_t first, uint32_t n)
{
	batch_reset(b);
	if (b->blk_cap < n) {
		b->blk = realloc(b->blk, n * sizeof(*b->blk));
		b->blk_cap = n;
	}
	b->data = (const uint8_t *)m->data.p + m->off[first];
	b->len = (first + n < m->n ? m->off[first + n] : m->data.len) - m->off[first];
	for (uint32_t i = 0; i < n; i++)
		b->blk[i] = m->off[first + i] - m->off[first];
	b->nblk = n;
}

static void apply(struct state *st, const struct demand *d, struct batch *b, uint64_t seq)
{
	struct err e;

	err_clear(&e);
	b->seq = seq;
	if (digest_run(b, d, NULL) < 0 || b->bad.code)
		die(b->bad.code ? b->bad.msg : "digest failed");
	if (state_apply(st, b, &e) < 0)
		die(e.msg);
}

/* Plays the mix in batches of about size events (0: of any size), analysing lag batches behind
 * apply. */
static void play(const struct mix *m, const struct demand *d, uint32_t size, unsigned lag,
		 struct shots *s)
{
	struct state_opts o = {.demand = d, .workers = 1};
	struct batch ring[LAG_MAX + 1];
	struct state *st;
	struct evctx c;
	uint64_t seq = 1;

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i <= lag; i++)
		batch_init(&ring[i]);
	if (state_new(&st, &o) < 0 || evctx_init(&c, d) < 0)
		die("out of memory");
	state_begin_file(st);
	apply(st, d, &meta, 0);
	for (uint32_t at = 0, n; at < m->n; at += n, seq++) {
		n = MIN(size ? size : 1 + (at * 7919u) % 97, m->n - at);
		if (seq > lag + 1)
			analyse(s, &c, &ring[(seq - lag - 1) % (lag + 1)]);
		state_reclaim(st, seq > lag + 1 ? seq - lag : 0);
		cut(m, &ring[seq % (lag + 1)], at, n);
		apply(st, d, &ring[seq % (lag + 1)], seq);
	}
	for (uint64_t i = seq > lag + 1 ? seq - lag - 1 : 1; i < seq; i++)
		analyse(s, &c, &ring[i % (lag + 1)]);
	s->off[s->n] = (uint32_t)s->text.len;
	evctx_fini(&c);
	for (unsigned i = 0; i <= lag; i++)
		batch_fini(&ring[i]);
	state_free(st);
}

static void compare(const struct shots *a, const struct shots *b, uint32_t size, unsigned lag,
		    bool compat, uint64_t seed)
{
	uint32_t i = 0;

	if (a->text.len == b->text.len && memcmp(a->text.p, b->text.p, a->text.len) == 0)
		return;
	while (i < a->n && i < b->n && a->off[i + 1] - a->off[i] == b->off[i + 1] - b->off[i] &&
	       memcmp(a->text.p + a->off[i], b->text.p + b->off[i], a->off[i + 1] - a->off[i]) == 0)
		i++;
	fprintf(stderr,
		"seed %#" PRIx64
		"%s: batches of %u, %u behind, differ from batches of one:\n< %.*s> %.*s",
		seed, compat ? " (0.29)" : "", size, lag,
		i < a->n ? (int)(a->off[i + 1] - a->off[i]) : 0, a->text.p + a->off[i],
		i < b->n ? (int)(b->off[i + 1] - b->off[i]) : 0, b->text.p + b->off[i]);
	exit(1);
}

static void round_play(bool compat, uint32_t bits, uint64_t seed)
{
	static const struct {
		uint32_t size;
		unsigned lag;
	} cuts[] = {{2, 1}, {3, 0}, {17, 3}, {0, 0}, {0, LAG_MAX}, {100000, 0}};
	static struct mix m;
	static struct shots one, other;
	struct demand d;

	demand_init(&d, compat);
	demand_add(&d, bits);
	mix_make(&m, 8 + pick(60));
	play(&m, &d, 1, 0, &one);
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		play(&m, &d, cuts[i].size, cuts[i].lag, &other);
		compare(&one, &other, cuts[i].size, cuts[i].lag, compat, seed);
		buf_fini(&other.text);
	}
	buf_fini(&one.text);
	buf_fini(&m.data);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 10;

	if (argc < 2)
		die("usage: state_mix TRACE [ROUNDS [SEED]]");
	rng = argc > 3 ? strtoull(argv[3], NULL, 0) : 0x9E3779B97F4A7C15u;
	load(argv[1]);
	printf("seed %#" PRIx64 ", %u events\n", rng, nbase);
	for (int r = 0; r < rounds; r++) {
		static const uint32_t bits[] = {
			DEMAND_FDS | DEMAND_VOLATILE | DEMAND_CPU | DEMAND_CONTAINERS, DEMAND_FDS,
			DEMAND_THREADS, DEMAND_PAIRS, DEMAND_FDS};

		round_play(r & 1, bits[r % (int)ARRAY_SIZE(bits)], rng);
	}
	for (uint32_t i = 0; i < nbase; i++)
		free(base[i].p);
	free((void *)(uintptr_t)meta.data);
	batch_fini(&meta);
	return 0;
}
