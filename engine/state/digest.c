#include "state/digest_int.h"

#include <errno.h>
#include <stdlib.h>

#include "event/event_parse.h"
#include "state/container.h"
#include "state/state_priv.h"

#define NO_SLOT UINT32_MAX

struct slot_entry {
	int64_t tid;
	uint32_t slot; /* + 1; 0 = free */
};

enum { MEMO_SLOTS = 16 };

struct digest {
	struct batch *b;
	const struct digest_plan *plan;
	const struct demand *d;
	/* Slots by tid, and of the latest ones a memo where only one place is looked at. */
	struct slot_entry *hash;
	uint32_t mask, used;
	bool nomem;
	struct {
		int64_t tid;
		uint32_t slot; /* NO_SLOT = none */
	} memo[MEMO_SLOTS];
};

/* ---- slots ---- */

static ALWAYS_INLINE uint32_t slot_hash(int64_t tid)
{
	return (uint32_t)(((uint64_t)tid * 0x9E3779B97F4A7C15u) >> 32);
}

static struct slot_entry *slot_entry(const struct digest *g, int64_t tid)
{
	uint32_t i = slot_hash(tid);

	while (g->hash[i & g->mask].slot && g->hash[i & g->mask].tid != tid)
		i++;
	return &g->hash[i & g->mask];
}

/* Room for one more entry in the hash; the old array stays in the arena. */
static bool slot_hash_grow(struct digest *g)
{
	struct slot_entry *old = g->hash;
	uint32_t cap = old ? 4 * (g->mask + 1) : 256, n = old ? g->mask + 1 : 0;
	struct slot_entry *h = arena_alloc(&g->b->arena, cap * sizeof(*h));

	if (!h)
		return false;
	memset(h, 0, cap * sizeof(*h));
	g->hash = h;
	g->mask = cap - 1;
	for (uint32_t i = 0; i < n; i++)
		if (old[i].slot)
			*slot_entry(g, old[i].tid) = old[i];
	return true;
}

static struct tslot *slot_add(struct digest *g, int64_t tid, uint32_t idx, bool fresh)
{
	struct batch *b = g->b;
	struct tslot *s;

	if (b->nslots == b->slots_cap) {
		uint32_t cap = b->slots_cap ? 2 * b->slots_cap : 64;

		s = realloc(b->slots, cap * sizeof(*s));
		if (!s)
			return NULL;
		b->slots = s;
		b->slots_cap = cap;
	}
	s = &b->slots[b->nslots++];
	memset(s, 0, sizeof(*s));
	s->tid = tid;
	s->first = idx;
	s->fresh = fresh;
	s->pair = fresh ? PAIR_NONE : PAIR_CARRY;
	s->exit_type = UINT16_MAX;
	s->last_fd = fresh ? fd_initial(g->d) : EV_FD_CARRY;
	return s;
}

/* The present slot of tid; a new one (fresh) if fresh is asked for or the present one has ended. */
static NO_INLINE uint32_t slot_find(struct digest *g, int64_t tid, uint32_t idx, bool fresh)
{
	struct slot_entry *e;
	struct tslot *s;

	if (!g->hash || 2 * (g->used + 1) > g->mask + 1) {
		if (!slot_hash_grow(g)) {
			g->nomem = true;
			return NO_SLOT;
		}
	}
	e = slot_entry(g, tid);
	fresh = fresh || (e->slot && g->b->slots[e->slot - 1].ends);
	if (!e->slot || fresh) {
		if (e->slot)
			g->b->slots[e->slot - 1].superseded = true;
		s = slot_add(g, tid, idx, fresh);
		if (!s) {
			g->nomem = true;
			return NO_SLOT;
		}
		g->used += e->slot == 0;
		e->tid = tid;
		e->slot = g->b->nslots;
	}
	g->memo[(uint64_t)tid % MEMO_SLOTS].tid = tid;
	g->memo[(uint64_t)tid % MEMO_SLOTS].slot = e->slot - 1;
	return e->slot - 1;
}

/* ---- one event ---- */

/* What the loop needs of an event, kept in registers: most events never get a view. */
struct peek {
	const uint8_t *h, *lens, *data;
	uint32_t np; /* parameters it carries */
	uint16_t type;
	bool large, hidden;
	bool full; /* the view is there */
};

static NO_INLINE int peek_odd(const struct digest *g, struct event *e, const uint8_t *b,
			      const char **why)
{
	return event_parse(e, b, load_u32(b + 4), g->plan->codes, why);
}

static ALWAYS_INLINE int peek_block(const struct digest *g, struct peek *k, struct event *e,
				    const uint8_t *b, const char **why)
{
	uint32_t n = load_u32(b + 4);
	int rc;

	k->h = b + 10;
	k->type = load_u16(k->h + 20);
	if (LIKELY(load_u32(b) == BLK_EV_V2 && n >= EVENT_V2_MIN_BLOCK && k->type < g->plan->codes) &&
	    LIKELY(!(g->plan->type[k->type].flags & DG_LARGE)) && event_check_v2(k->h, n, &k->np)) {
		k->lens = k->h + EVENT_HDR_V2;
		k->data = k->lens + 2 * (size_t)k->np;
		k->large = k->hidden = k->full = false;
		return EVENT_OK;
	}
	rc = peek_odd(g, e, b, why);
	if (rc != EVENT_OK)
		return rc;
	*k = (struct peek){.h = e->hdr,
			   .lens = e->lens,
			   .data = e->data,
			   .np = e->nparams,
			   .type = e->type,
			   .large = e->large,
			   .hidden = e->hidden,
			   .full = true};
	return EVENT_OK;
}

static ALWAYS_INLINE struct event *peek_view(struct peek *k, struct event *e)
{
	if (!k->full)
		event_view(e, k->h - 10);
	k->full = true;
	return e;
}

static ALWAYS_INLINE uint32_t peek_len(const struct peek *k, unsigned i)
{
	return UNLIKELY(k->large) ? load_u32(k->lens + 4 * (size_t)i)
				  : load_u16(k->lens + 2 * (size_t)i);
}

static ALWAYS_INLINE bool peek_param(const struct peek *k, unsigned i, const uint8_t **p,
				     uint32_t *len)
{
	size_t off = 0;

	if (i >= k->np)
		return false;
	for (unsigned j = 0; j < i; j++)
		off += peek_len(k, j);
	*p = k->data + off;
	*len = peek_len(k, i);
	return true;
}

/* A parameter that is a descriptor or a result. */
static ALWAYS_INLINE bool peek_i64(const struct peek *k, unsigned i, int64_t *v)
{
	const uint8_t *p;
	uint32_t len;

	if (!peek_param(k, i, &p, &len) || len != 8)
		return false;
	*v = load_i64(p);
	return true;
}

static ALWAYS_INLINE int32_t peek_fd(const struct peek *k, unsigned i)
{
	int64_t fd;

	return peek_i64(k, i, &fd) ? fd_narrow(fd) : EV_FD_NONE;
}

static ALWAYS_INLINE bool succeeded(const struct peek *k)
{
	int64_t res;

	return peek_i64(k, 0, &res) && res >= 0;
}

static bool clone_child(const struct peek *k)
{
	int64_t res;

	return peek_i64(k, 0, &res) && res == 0;
}

/* Command of the fcntl exit k: newer ones carry it, else the enter event does. -1 = unknown. */
static int64_t fcntl_cmd(struct digest *g, const struct peek *k, const struct ev_rec *r)
{
	struct event enter;
	const uint8_t *p;
	uint32_t len;
	int64_t cmd;

	if (!g->d->compat029 && peek_param(k, 2, &p, &len) && len == 1)
		return *p;
	if ((r->flags & (ER_PAIRED | ER_LATER)) != ER_PAIRED)
		return -1;
	block_event(&enter, g->b, g->b->ev[r->pair - 1].off);
	return event_param_i64(&enter, 1, &cmd) ? cmd : -1;
}

static bool fcntl_dups(int64_t cmd)
{
	return cmd == FCNTL_F_DUPFD || cmd == FCNTL_F_DUPFD_CLOEXEC;
}

static int32_t slot_set_fd(struct tslot *s, int32_t fd)
{
	s->last_fd_set = true;
	return s->last_fd = fd;
}

static int32_t exit_set_fd(struct tslot *s, struct ev_rec *r, int32_t fd)
{
	r->flags |= ER_SETS_FD;
	return slot_set_fd(s, fd);
}

/* Exits that do more with descriptors than to keep what the enter left. */
static ALWAYS_INLINE int32_t exit_fd(struct digest *g, const struct peek *k,
				     const struct digest_type *t, uint32_t flags, struct tslot *s,
				     struct ev_rec *r, int32_t before, const bool slow)
{
	unsigned i = (unsigned)t->fd_param;

	if (slow && (flags & DG_FCNTL)) {
		if (fcntl_dups(fcntl_cmd(g, k, r)))
			return succeeded(k) ? exit_set_fd(s, r, peek_fd(k, 0)) : before;
	} else if (flags & DG_CREATES) {
		if (succeeded(k))
			return exit_set_fd(s, r, peek_fd(k, i));
		if (!(r->flags & ER_PAIRED) && !g->d->compat029)
			r->flags |= ER_OWN_FD;
		return before;
	} else if (flags & DG_SETS_FD) {
		return k->np > i ? exit_set_fd(s, r, peek_fd(k, i)) : before;
	}
	/* Newer traces hold no enter events. Not kept as the thread's last fd: see rec_last_fd. */
	if ((flags & DG_OWN_FD) && !(r->flags & ER_PAIRED) && k->np > i) {
		if (r->pair != PAIR_CARRY) {
			r->flags |= ER_LOCAL_FD;
			return peek_fd(k, i);
		}
		r->flags |= ER_OWN_FD;
	}
	return before;
}

static ALWAYS_INLINE void digest_exit(struct digest *g, const struct peek *k,
				      const struct digest_type *t, uint32_t flags, struct tslot *s,
				      struct ev_rec *r, uint32_t idx, const bool slow)
{
	r->pair = s->pair;
	r->fd = s->last_fd;
	if (UNLIKELY(!(flags & DG_EXIT)))
		return;
	r->flags |= (s->exit_type == k->type ? ER_PAIRED : 0) | (s->last_exit ? ER_LATER : 0);
	s->last_exit = idx + 1;
	if (flags & (DG_FCNTL | DG_CREATES | DG_SETS_FD | DG_OWN_FD))
		r->fd = exit_fd(g, k, t, flags, s, r, r->fd, slow);
}

static ALWAYS_INLINE void digest_in_slot(struct digest *g, const struct peek *k,
					 const struct digest_type *t, uint32_t flags,
					 struct ev_rec *r, uint32_t idx, const bool slow)
{
	struct tslot *s = &g->b->slots[r->slot];

	if (flags & DG_RESET) {
		s->last_enter = s->pair = r->pair = idx + 1;
		s->exit_type = (uint16_t)(k->type + 1);
		s->last_exit = 0;
		r->fd = slot_set_fd(s, flags & DG_USES_FD ? peek_fd(k, 0) : EV_FD_NONE);
	} else {
		digest_exit(g, k, t, flags, s, r, idx, slow);
	}
	if ((flags & DG_TOUCH) && UNLIKELY(!s->touched)) {
		s->touched = true;
		r->flags |= ER_TOUCH;
	}
}

static ALWAYS_INLINE uint32_t slot_of(struct digest *g, int64_t tid, uint32_t idx)
{
	uint32_t slot = g->memo[(uint64_t)tid % MEMO_SLOTS].slot;

	if (LIKELY(g->memo[(uint64_t)tid % MEMO_SLOTS].tid == tid && slot != NO_SLOT))
		return slot;
	return slot_find(g, tid, idx, false);
}

static ALWAYS_INLINE bool digest_row(struct digest *g, const struct peek *k,
				     const struct digest_type *t, uint32_t flags,
				     const struct ev_rec *r, const bool slow)
{
	const uint8_t *p;
	uint32_t len;

	if ((flags & DG_ROW_RES) && !succeeded(k))
		return false;
	/* Without an address nothing can change, unless descriptors were passed (recvmsg: parameter
	 * 4). */
	if ((flags & DG_ROW_ADDR) && peek_param(k, (unsigned)t->addr_param, &p, &len) &&
	    len == 0)
		return k->type == EV_SOCKET_RECVMSG_X && peek_param(k, 4, &p, &len) && len;
	if (slow && (flags & DG_FCNTL)) {
		int64_t cmd = fcntl_cmd(g, k, r);

		return (cmd < 0 && r->pair == PAIR_CARRY) || fcntl_dups(cmd) ||
		       (cmd == FCNTL_F_SETFD && !g->d->compat029);
	}
	return true;
}

/* ---- the run ---- */

static void digest_bad(struct batch *b, uint32_t off, const char *why)
{
	err_set(&b->bad, ERR_FORMAT, b->file_off + off, "%s", why);
}

/* False: the trace ends before this event, because its record is damaged. */
static bool digest_container(struct batch *b, struct event *e, struct ev_rec *r)
{
	struct err why;
	bool hidden;

	if (container_event_check(e, &hidden, &why) < 0) {
		digest_bad(b, r->off, why.msg);
		return false;
	}
	if (hidden)
		r->flags |= ER_HIDDEN;
	return true;
}

static int digest_alloc(struct batch *b, bool rows)
{
	if (b->ev_cap < b->nblk) {
		struct ev_rec *ev = realloc(b->ev, b->nblk * sizeof(*ev));

		if (!ev)
			return -ENOMEM;
		b->ev = ev;
		b->ev_cap = b->nblk;
	}
	if (rows && b->rows_cap < b->nblk) {
		uint32_t *p = realloc(b->rows, b->nblk * sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->rows = p;
		b->rows_cap = b->nblk;
	}
	return 0;
}

/* Slot, pair and row of an event in its general form. */
static void digest_pair(struct digest *g, const struct peek *k, const struct digest_type *t,
			struct ev_rec *r, uint32_t idx)
{
	int64_t tid = load_i64(k->h + 8);

	if (t->flags & DG_THREAD)
		r->slot = slot_of(g, tid, idx);
	if ((t->flags & DG_CLONE) && clone_child(k))
		r->slot = slot_find(g, tid, idx, true);
	if (r->slot != NO_SLOT)
		digest_in_slot(g, k, t, t->flags, r, idx, true);
	if ((t->flags & DG_PROCEXIT) && r->slot != NO_SLOT) {
		g->b->slots[r->slot].ends = true;
		g->memo[(uint64_t)tid % MEMO_SLOTS].slot = NO_SLOT;
	}
	if ((t->flags & DG_ROW) && digest_row(g, k, t, t->flags, r, true))
		r->flags |= ER_ROW;
}

/* Any event: 1 = it has got the record idx, 0 = it takes no number, -1 = the trace ends before it. */
static ALWAYS_INLINE int digest_event(struct digest *g, uint32_t off, uint32_t idx, const bool pairs)
{
	const struct digest_pred *pred = &g->plan->pred;
	struct batch *b = g->b;
	const struct digest_type *t;
	struct ev_rec *r = &b->ev[idx];
	const char *why;
	struct event e;
	struct peek k;
	int rc = peek_block(g, &k, &e, b->data + off, &why);

	if (UNLIKELY(rc == EVENT_UNKNOWN))
		return 0;
	if (UNLIKELY(rc != EVENT_OK)) {
		digest_bad(b, off, why);
		return -1;
	}
	t = &g->plan->type[k.type];
	*r = (struct ev_rec){.off = off, .type = k.type, .slot = NO_SLOT, .fd = EV_FD_NONE};
	if (UNLIKELY(k.hidden))
		r->flags = ER_HIDDEN;
	if (UNLIKELY(t->flags & DG_CONTAINER) && !digest_container(b, peek_view(&k, &e), r))
		return -1;
	if ((t->flags & DG_SELECT) && (!pred->fn || pred->fn(pred->ctx, peek_view(&k, &e))))
		r->flags |= ER_SELECTED;
	if (pairs)
		digest_pair(g, &k, t, r, idx);
	return 1;
}

static NO_INLINE int digest_any(struct digest *g, uint32_t off, uint32_t idx)
{
	return digest_event(g, off, idx, true);
}

static NO_INLINE bool digest_selects(const struct digest_pred *pred, const uint8_t *p)
{
	struct event e;

	event_view(&e, p);
	return pred->fn(pred->ctx, &e);
}

/* The many: an ordinary block, an event of a thread. False: digest_any has to look at it. What the loop asks for is
 * in its variables: stores to the batch could change whatever is behind a pointer, for all that the compiler knows. */
static ALWAYS_INLINE bool digest_short(struct digest *g, const struct digest_type *types,
				       const struct digest_pred *pred, const uint8_t *p, uint32_t off,
				       uint32_t idx, struct ev_rec *out)
{
	uint32_t n = load_u32(p + 4), type = load_u16(p + 30), flags, slot;
	struct peek k = {.h = p + 10, .type = (uint16_t)type};
	const struct digest_type *t = &types[type];

	if (UNLIKELY(load_u32(p) != BLK_EV_V2 || n < EVENT_V2_MIN_BLOCK || type >= EV_CODE_COUNT))
		return false;
	flags = t->flags;
	if (UNLIKELY((flags & DG_SLOW) || !event_check_v2(k.h, n, &k.np)))
		return false;
	k.lens = k.h + EVENT_HDR_V2;
	k.data = k.lens + 2 * (size_t)k.np;
	slot = slot_of(g, load_i64(k.h + 8), idx);
	if (UNLIKELY(slot == NO_SLOT))
		return false; /* and there it fails for lack of memory */
	out->off = off;
	out->type = k.type;
	out->flags = (uint16_t)((flags & DG_SELECT) * ER_SELECTED);
	out->slot = slot;
	if (UNLIKELY(pred) && out->flags && !digest_selects(pred, p))
		out->flags = 0;
	digest_in_slot(g, &k, t, flags, out, idx, false);
	if ((flags & DG_ROW) && digest_row(g, &k, t, flags, out, false))
		out->flags |= ER_ROW;
	return true;
}

static NO_INLINE void digest_state(struct digest *g)
{
	const struct digest_pred *pred = g->plan->pred.fn ? &g->plan->pred : NULL;
	const struct digest_type *types = g->plan->type;
	struct batch *b = g->b;
	const uint32_t *blk = b->blk, *end = blk + b->nblk;
	const uint8_t *data = b->data;
	struct ev_rec *r = b->ev;
	uint32_t *row = b->rows, idx = 0, nselected = 0;

	for (; blk < end; blk++) {
		if (UNLIKELY(!digest_short(g, types, pred, data + *blk, *blk, idx, r))) {
			int rc = digest_any(g, *blk, idx);

			if (rc < 0)
				break;
			if (!rc)
				continue;
		}
		nselected += r->flags / ER_SELECTED % 2;
		if (r->flags & (ER_ROW | ER_TOUCH))
			*row++ = idx;
		r++;
		idx++;
	}
	b->nev = idx;
	b->nselected = nselected;
	b->nrows = (uint32_t)(row - b->rows);
}

static NO_INLINE void digest_plain(struct digest *g)
{
	struct batch *b = g->b;
	uint32_t idx = 0, nselected = 0;

	for (uint32_t i = 0; i < b->nblk; i++) {
		int rc = digest_event(g, b->blk[i], idx, false);

		if (UNLIKELY(rc < 0))
			break;
		if (UNLIKELY(!rc))
			continue;
		nselected += (b->ev[idx].flags & ER_SELECTED) / ER_SELECTED;
		idx++;
	}
	b->nev = idx;
	b->nselected = nselected;
}

int digest_run_plan(struct batch *b, const struct digest_plan *p)
{
	struct digest g = {.b = b, .plan = p, .d = p->d};
	int rc;

	b->nev = b->nslots = b->nrows = b->nselected = 0;
	b->sparse = false;
	if (b->kind != BATCH_EVENTS)
		return 0;
	rc = digest_alloc(b, g.d->bits != 0);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < MEMO_SLOTS; i++)
		g.memo[i].slot = NO_SLOT;
	if (g.d->bits)
		digest_state(&g);
	else
		digest_plain(&g);
	if (b->nev) {
		b->first_ts = rec_ts(b, &b->ev[0]);
		b->last_ts = rec_ts(b, &b->ev[b->nev - 1]);
	}
	return g.nomem ? -ENOMEM : 0;
}

int digest_run(struct batch *b, const struct demand *d, const struct digest_pred *p)
{
	struct digest_plan plan;

	digest_plan_init(&plan, d, p);
	return digest_run_plan(b, &plan);
}
