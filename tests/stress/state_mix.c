/* The answer must not depend on how a trace is cut into batches, nor on how far apply runs ahead of
 * analysis, nor on whether descriptors are applied with the threads or behind them by shards, which
 * run when they like. A real trace is mixed up, so that everything odd happens: events are dropped, doubled,
 * moved, given to other threads; numbers in them change. Whatever the state then says of each
 * event, it must say the same for every batch size and distance.
 *
 * state_mix TRACE|made [ROUNDS [SEED]]; made: no trace, but a few threads that do much to one another */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "../unit/state_make.h"
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
static uint64_t kinds[3]; /* batches split, whole, split with all shards held by one */

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

/* ---- a trace of a few threads ---- */

enum { MADE_TIDS = 7, MADE_FIRST = 10 };

static int64_t made_pid[MADE_TIDS];

static void made_birth(struct trace *t, int64_t parent, int64_t child)
{
	int64_t pid = made_pid[parent - MADE_FIRST];
	bool thread = pick(3);
	unsigned flags = thread ? PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES : 0, sides = 1 + pick(3);

	made_pid[child - MADE_FIRST] = thread ? pid : child;
	if (sides & 1)
		ev_clone_exit(t, parent, child, "p", pid, 1, flags);
	if (sides & 2)
		ev_clone_exit(t, child, 0, "c", thread ? pid : child, thread ? 1 : pid, flags);
}

static void made_event(struct trace *t)
{
	int64_t tid = MADE_FIRST + pick(MADE_TIDS), pid = made_pid[tid - MADE_FIRST], fd = 3 + pick(5);
	char name[32];

	snprintf(name, sizeof(name), "%s%u", pick(2) ? "/" : "", pick(90));
	switch (pick(24)) {
	case 0:
	case 1:
		made_birth(t, tid, MADE_FIRST + pick(MADE_TIDS));
		break;
	case 2:
		ev_exec_enter(t, tid, "/bin/x");
		ev_exec_exit(t, tid, 0, "x", pid, 1);
		if (pick(2))
			made_pid[tid - MADE_FIRST] = tid;
		break;
	case 3:
		ev_procexit(t, tid);
		made_pid[tid - MADE_FIRST] = tid;
		break;
	case 4:
		trace_event(t, tid, EV_SYSCALL_CHDIR_X, "qs", (int64_t)0, name);
		break;
	case 5:
		if (pick(4))
			break;
		trace_event(t, tid, EV_SYSCALL_FCHDIR_E, "q", fd);
		trace_event(t, tid, EV_SYSCALL_FCHDIR_X, "q", (int64_t)0);
		break;
	case 6:
	case 7:
		trace_event(t, tid, EV_SYSCALL_DUP_E, "q", fd);
		trace_event(t, tid, EV_SYSCALL_DUP_X, "q", (int64_t)(3 + pick(5)));
		break;
	case 8:
	case 9:
	case 10:
		ev_close(t, tid, fd, 0);
		break;
	case 11:
		trace_event(t, tid, EV_SYSCALL_READ_E, "qd", fd, 10);
		break;
	case 12:
		trace_event(t, tid, EV_SYSCALL_READ_X, "qb", (int64_t)3, "abc", 3);
		break;
	default:
		ev_open(t, tid, fd, name);
	}
}

static void make(void)
{
	struct trace t;

	trace_init(&t);
	for (int i = 0; i < MADE_TIDS; i++)
		made_pid[i] = MADE_FIRST + i;
	while (t.n < TRACE_MAX_BLOCKS - 4)
		made_event(&t);
	for (uint32_t i = 0; i < t.n; i++) {
		const void *p = (const uint8_t *)t.data.p + t.off[i];

		base[nbase].len = load_u32((const uint8_t *)p + 4);
		base[nbase].p = copy(p, base[nbase].len);
		nbase++;
	}
	trace_fini(&t);
	batch_init(&meta);
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

/* ---- shards: any order that the rules of state.h allow ---- */

struct play {
	const struct demand *d;
	unsigned nshards, lag;
	struct state *st;
	struct batch ring[LAG_MAX + 1];
	uint64_t applied, analysed;	      /* batches through the apply turn, and altogether */
	uint64_t shard[STATE_MAX_FD_SHARDS]; /* next batch of each shard */
	uint64_t nwhole, nsplit, nall;	      /* batches of each kind */
};

static struct batch *batch_of(struct play *p, uint64_t seq)
{
	return seq ? &p->ring[seq % (p->lag + 1)] : &meta;
}

static void fds(struct play *p, struct batch *b, unsigned k)
{
	if (state_apply_fds(p->st, b, k) < 0)
		die("out of memory");
	state_reclaim_fds(p->st, k, p->analysed);
}

/* Shard k does its next batch, if it can. */
static void shard_step(struct play *p, unsigned k)
{
	uint64_t seq = p->shard[k];
	struct batch *b = batch_of(p, seq);

	if (seq >= p->applied)
		return;
	if (!b->all_shards) {
		if (b->fd_shards >> k & 1)
			fds(p, b, k);
		p->shard[k]++;
		return;
	}
	for (unsigned i = 0; i < p->nshards; i++)
		if (p->shard[i] != seq)
			return;
	fds(p, b, STATE_ALL_SHARDS);
	for (unsigned i = 0; i < p->nshards; i++)
		p->shard[i]++;
}

/* Until all shards are done with the batches before seq. */
static void shards_to(struct play *p, uint64_t seq)
{
	for (bool more = true; more;) {
		more = false;
		for (unsigned k = 0; k < p->nshards; k++) {
			if (p->shard[k] < seq)
				shard_step(p, k);
			more |= p->shard[k] < seq;
		}
	}
}

static void apply(struct play *p, struct batch *b, uint64_t seq)
{
	struct err e;

	err_clear(&e);
	b->seq = seq;
	if (digest_run(b, p->d, NULL) < 0 || b->bad.code)
		die(b->bad.code ? b->bad.msg : "digest failed");
	if (state_split(p->st, b) < 0)
		die("out of memory");
	if (b->whole)
		shards_to(p, seq);
	if (state_apply(p->st, b, &e) < 0)
		die(e.msg);
	p->applied = seq + 1;
	p->nwhole += b->whole;
	p->nall += b->all_shards;
	p->nsplit += !b->whole && !b->all_shards;
	for (unsigned i = pick(8); p->nshards && i--;)
		shard_step(p, pick(p->nshards));
}

/* Plays the mix in batches of about size events (0: of any size), analysing lag batches behind
 * apply. */
static void play(const struct mix *m, const struct demand *d, uint32_t size, unsigned lag,
		 unsigned shards, struct shots *s)
{
	struct state_opts o = {.demand = d, .workers = 1, .fd_shards = shards};
	struct play p = {.d = d, .lag = lag};
	struct evctx c;
	uint64_t seq = 1;

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i <= lag; i++)
		batch_init(&p.ring[i]);
	if (state_new(&p.st, &o) < 0 || evctx_init(&c, d) < 0)
		die("out of memory");
	p.nshards = state_fd_shards(p.st);
	state_begin_file(p.st);
	apply(&p, &meta, 0);
	for (uint32_t at = 0, n; at < m->n; at += n, seq++) {
		n = MIN(size ? size : 1 + (at * 7919u) % 97, m->n - at);
		if (seq > lag + 1) {
			shards_to(&p, seq - lag);
			analyse(s, &c, batch_of(&p, seq - lag - 1));
			p.analysed = seq - lag;
		}
		state_reclaim(p.st, p.analysed);
		cut(m, batch_of(&p, seq), at, n);
		apply(&p, batch_of(&p, seq), seq);
	}
	shards_to(&p, seq);
	for (uint64_t i = seq > lag + 1 ? seq - lag - 1 : 1; i < seq; i++)
		analyse(s, &c, batch_of(&p, i));
	s->off[s->n] = (uint32_t)s->text.len;
	evctx_fini(&c);
	for (unsigned i = 0; i <= lag; i++)
		batch_fini(&p.ring[i]);
	state_free(p.st);
	if (p.nshards) {
		kinds[0] += p.nsplit;
		kinds[1] += p.nwhole;
		kinds[2] += p.nall;
	}
}

struct way {
	uint32_t size; /* of batches; 0: of any */
	unsigned lag, shards;
};

static void compare(const struct shots *a, const struct shots *b, const struct way *w, bool compat,
		    uint64_t seed)
{
	uint32_t i = 0;

	if (a->text.len == b->text.len && memcmp(a->text.p, b->text.p, a->text.len) == 0)
		return;
	while (i < a->n && i < b->n && a->off[i + 1] - a->off[i] == b->off[i + 1] - b->off[i] &&
	       memcmp(a->text.p + a->off[i], b->text.p + b->off[i], a->off[i + 1] - a->off[i]) == 0)
		i++;
	fprintf(stderr,
		"seed %#" PRIx64
		"%s: batches of %u, %u behind, %u shards, differ from batches of one:\n< %.*s> %.*s",
		seed, compat ? " (0.29)" : "", w->size, w->lag, w->shards,
		i < a->n ? (int)(a->off[i + 1] - a->off[i]) : 0, a->text.p + a->off[i],
		i < b->n ? (int)(b->off[i + 1] - b->off[i]) : 0, b->text.p + b->off[i]);
	if (getenv("MIX_SHOW"))
		for (uint32_t k = i > 25 ? i - 25 : 0; k < i; k++)
			fprintf(stderr, "%.*s", (int)(a->off[k + 1] - a->off[k]), a->text.p + a->off[k]);
	exit(1);
}

static void round_play(bool compat, uint32_t bits, uint64_t seed)
{
	static const struct way cuts[] = {{2, 1, 0},	{3, 0, 0}, {17, 3, 0},	     {0, 0, 0},	      {0, LAG_MAX, 0},
		    {100000, 0, 0}, {5, 6, 2}, {40, LAG_MAX, 4}, {0, LAG_MAX, 3}, {200, 2, 8}};
	static struct mix m;
	static struct shots one, other;
	struct demand d;

	demand_init(&d, compat);
	demand_add(&d, bits);
	mix_make(&m, 8 + pick(60));
	play(&m, &d, 1, 0, 0, &one);
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		play(&m, &d, cuts[i].size, cuts[i].lag, cuts[i].shards, &other);
		compare(&one, &other, &cuts[i], compat, seed);
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
	if (strcmp(argv[1], "made"))
		load(argv[1]);
	else
		make();
	printf("seed %#" PRIx64 ", %u events\n", rng, nbase);
	for (int r = 0; r < rounds; r++) {
		static const uint32_t bits[] = {
			DEMAND_FDS | DEMAND_VOLATILE | DEMAND_CPU | DEMAND_CONTAINERS, DEMAND_FDS,
			DEMAND_THREADS, DEMAND_PAIRS, DEMAND_FDS};

		round_play(r & 1, bits[r % (int)ARRAY_SIZE(bits)], rng);
	}
	printf("with shards: %" PRIu64 " batches split, %" PRIu64 " whole, %" PRIu64 " by one worker\n",
	       kinds[0], kinds[1], kinds[2]);
	for (uint32_t i = 0; i < nbase; i++)
		free(base[i].p);
	free((void *)(uintptr_t)meta.data);
	batch_fini(&meta);
	return 0;
}
