/* The batch's threads: what each brings from earlier batches and leaves to later ones, and the
 * corrections to what the digest could only guess. Apply turn. */
#include <errno.h>
#include <stdlib.h>

#include "state/state_priv.h"

int32_t rec_last_fd(const struct batch *b, const struct ev_rec *r, const struct demand *d)
{
	const struct open_enter *carry;
	struct event e;
	int64_t fd;

	if (r->slot == UINT32_MAX || (r->fd != EV_FD_CARRY && !(r->flags & ER_OWN_FD)))
		return r->fd;
	carry = b->slots[r->slot].carry;
	if ((r->flags & ER_OWN_FD) &&
	    !(r->pair == PAIR_CARRY && carry && carry->type + 1 == r->type)) {
		if (type_flags(d, r->type) & EF_CREATES_FD)
			return EV_FD_NONE; /* it failed */
		block_event(&e, b, r->off);
		if (event_param_i64(&e, (unsigned)event_table[r->type].fd_param, &fd))
			return fd_narrow(fd);
	}
	if (r->fd != EV_FD_CARRY)
		return r->fd;
	return carry ? carry->fd : fd_initial(d);
}

void slots_begin(struct state *st, struct batch *b)
{
	for (uint32_t i = 0; i < b->nslots; i++) {
		struct tslot *s = &b->slots[i];

		if (s->fresh)
			continue;
		s->thread = thread_find(b->root, s->tid);
		s->carry = s->thread ? s->thread->open : NULL;
	}
}

/* ---- open enters ---- */

static bool open_copy_block(struct open_enter *o, const uint8_t *p, uint32_t len)
{
	uint8_t *q = malloc(len);

	if (!q)
		return false;
	memcpy(q, p, len);
	o->block = q;
	o->block_len = len;
	return true;
}

/* used: an exit has used up what the event says. */
static bool open_from_event(struct open_enter *o, const struct batch *b,
			    uint32_t idx, bool used)
{
	const struct ev_rec *r = &b->ev[idx];
	const uint8_t *p = b->data + r->off;
	struct event e;

	o->ts = rec_ts(b, r);
	o->ord = b->first_ord + idx;
	o->type = r->type;
	if (used || !type_may_be_stored(r->type))
		return true;
	block_event(&e, b, r->off);
	if (!type_stored(&e))
		return true;
	return open_copy_block(o, p, load_u32(p + 4));
}

static bool open_from_carry(struct open_enter *o, const struct open_enter *c, bool used)
{
	/* Not the fd: a shard may still be working it out. */
	o->ts = c->ts;
	o->ord = c->ord;
	o->type = c->type;
	o->latency = c->latency;
	return used || !c->block || open_copy_block(o, c->block, c->block_len);
}

/* What the slot leaves to the next batch; NULL with *same: nothing has changed. With shards the last
 * fd comes later, and an exit may turn out to have set it. */
static struct open_enter *slot_open(struct mutator *m, const struct batch *b, const struct tslot *s,
				    bool split, bool *same)
{
	const struct open_enter *c = s->fresh ? NULL : s->carry;
	struct open_enter *o;
	bool ok = true;

	*same = !s->last_enter && !s->last_exit && !s->last_fd_set && c;
	if (*same || !(s->last_enter || s->last_fd_set || c || (split && s->last_exit)))
		return NULL;
	o = pool_get(&m->pool[POOL_OPEN]);
	if (!o) {
		m->failed = true;
		return NULL;
	}
	memset(o, 0, sizeof(*o));
	o->type = UINT16_MAX;
	o->fd = EV_FD_NONE;
	if (s->last_enter)
		ok = open_from_event(o, b, s->last_enter - 1, s->last_exit);
	else if (c)
		ok = open_from_carry(o, c, s->last_exit);
	m->failed |= !ok;
	if (s->last_fd_set)
		o->fd = s->last_fd;
	else if (!s->last_enter && c && !split)
		o->fd = c->fd;
	if (s->last_exit && o->ts)
		o->latency = rec_ts(b, &b->ev[s->last_exit - 1]) - o->ts;
	return o;
}

/* Without a thread table the entry holds nothing but the open enter. */
static struct thread *bare_thread(struct mutator *m, struct batch *b, int64_t tid)
{
	struct thread *t = thread_new(m, b->root, tid, b->first_ord);

	if (t && table_insert(b->root, t) < 0) {
		thread_free(m, t);
		m->failed = true;
		return NULL;
	}
	return t;
}

void slots_end(struct state *st, struct batch *b, bool split)
{
	struct mutator *m = &st->mut[0];

	for (uint32_t i = 0; i < b->nslots; i++) {
		struct tslot *s = &b->slots[i];
		struct open_enter *o;
		bool same;

		if (s->ends)
			continue;
		if (!s->thread || !thread_alive(s->thread)) /* else it is the newest */
			s->thread = table_newest(b->root, s->tid);
		/* One that was dead before this batch may go while the batch is still read. */
		if (s->thread &&
		    atomic_load_explicit(&s->thread->death, memory_order_relaxed) <= b->first_ord)
			s->thread = NULL;
		if (s->superseded)
			continue;
		if (!s->thread || !thread_alive(s->thread)) {
			if ((st->d->bits & DEMAND_THREADS) || !(s->last_enter || s->last_fd_set))
				continue;
			s->thread = bare_thread(m, b, s->tid);
			if (!s->thread)
				return;
		}
		o = slot_open(m, b, s, split, &same);
		s->left = split ? o : NULL;
		if (!same && (o || s->thread->open))
			thread_open_set(m, s->thread, o);
	}
}

/* ---- corrections ---- */

/* What the thread's last fd was before event idx, whose enter does not tell. */
int64_t slots_fd_before(const struct batch *b, uint32_t idx, const struct demand *d)
{
	const struct ev_rec *r = &b->ev[idx];
	const struct tslot *s = &b->slots[r->slot];
	bool cut = r->flags & ER_CUT;
	int32_t fd = EV_FD_CARRY;

	for (uint32_t i = idx; !cut && i-- > s->first && fd == EV_FD_CARRY;) {
		if (b->ev[i].slot != r->slot)
			continue;
		if (!(b->ev[i].flags & ER_LOCAL_FD))
			fd = b->ev[i].fd;
		cut = b->ev[i].flags & ER_CUT;
	}
	if (fd != EV_FD_CARRY)
		return fd;
	return r->pair == PAIR_NONE || !s->carry ? fd_initial(d) : s->carry->fd;
}

void slots_fix_fd(struct batch *b, uint32_t idx, int64_t fd, bool sets)
{
	uint32_t slot = b->ev[idx].slot;
	int32_t is = fd_narrow(fd);
	struct tslot *s = &b->slots[slot];

	b->ev[idx].fd = is;
	b->ev[idx].flags &= (uint16_t) ~(ER_OWN_FD | ER_SETS_FD | ER_LOCAL_FD);
	b->ev[idx].flags |= sets ? ER_SETS_FD : 0;
	for (uint32_t i = idx + 1; i < b->nev; i++) {
		struct ev_rec *r = &b->ev[i];

		if (r->slot != slot)
			continue;
		if (r->flags & ER_CUT) /* the apply turn has been there: shard.c */
			return;
		if (r->pair == i + 1 || (r->flags & ER_SETS_FD))
			return;
		if (!(r->flags & ER_LOCAL_FD))
			r->fd = is;
	}
	if (s->cut > idx)
		return;
	s->last_fd = is;
	s->last_fd_set = true;
}

static void extra_add(struct state *st, uint32_t idx)
{
	uint32_t i = st->nextra;

	for (uint32_t k = st->extra_at; k < i; k++)
		if (st->extra[k] == idx)
			return; /* two entries of the tid have gone before it */
	if (i == st->extra_cap) {
		uint32_t cap = i ? 2 * i : 16, *p = realloc(st->extra, cap * sizeof(*p));

		if (!p) {
			st->mut[0].failed = true;
			return;
		}
		st->extra = p;
		st->extra_cap = cap;
	}
	for (; i > st->extra_at && st->extra[i - 1] > idx; i--)
		st->extra[i] = st->extra[i - 1];
	st->extra[i] = idx;
	st->nextra++;
}

static bool fcntl_tells(const struct batch *b, const struct ev_rec *r, const struct demand *d)
{
	struct event e;
	int64_t cmd;

	block_event(&e, b, r->off);
	return !d->compat029 && event_param_i64(&e, 2, &cmd);
}

static bool own_fd_param(const struct batch *b, const struct ev_rec *r)
{
	int i = event_table[r->type].fd_param;
	struct event e;

	block_event(&e, b, r->off);
	return i >= 0 && e.nparams > i;
}

/* An exit behind the cut: nothing pairs with it, and of the last fd only what later exits set is
 * left. */
static void exit_cut(const struct batch *b, const struct demand *d, struct ev_rec *r, int32_t *fd,
		     bool *exited)
{
	r->pair = PAIR_NONE;
	r->flags &= (uint16_t)~ER_PAIRED;
	if (type_traits(d, r->type) & TT_EXIT) {
		if (!*exited)
			r->flags &= (uint16_t)~ER_LATER;
		*exited = true;
	}
	/* The enter that made it a copy is gone, unless the event says so itself. */
	if (r->type == EV_SYSCALL_FCNTL_X && !fcntl_tells(b, r, d))
		r->flags &= (uint16_t)~ER_SETS_FD;
	if (r->flags & ER_SETS_FD)
		*fd = r->fd;
	else if (!(r->flags & ER_LOCAL_FD))
		r->fd = *fd;
	/* Unpaired, it is on its own now: see exit_fd in digest.c. */
	if ((d->bits & DEMAND_FDS) && !d->compat029 && (r->type & 1) &&
	    !(r->flags & (ER_SETS_FD | ER_LOCAL_FD)) && own_fd_param(b, r))
		r->flags |= ER_OWN_FD;
}

/* The events of slot from idx on, up to the next enter. */
static void slot_cut(struct apply *a, uint32_t slot, uint32_t idx, bool touch)
{
	struct batch *b = a->b;
	struct tslot *s = &b->slots[slot];
	int32_t fd = fd_initial(a->d);
	bool pairs = true, exited = false, any = false;
	uint16_t first = ER_CUT;
	uint32_t last_exit = 0;

	a->st->moved = true;
	s->cut = idx;
	for (uint32_t i = idx; i < b->nev && (pairs || touch); i++) {
		struct ev_rec *r = &b->ev[i];
		unsigned traits;

		if (r->slot != slot)
			continue;
		r->flags |= first;
		first = 0;
		traits = type_traits(a->d, r->type);
		if (touch && (traits & TT_TOUCH)) {
			extra_add(a->st, i);
			touch = false;
		}
		pairs = pairs && !(traits & TT_RESET);
		if (!pairs)
			continue;
		exit_cut(b, a->d, r, &fd, &exited);
		last_exit = traits & TT_EXIT ? i + 1 : last_exit;
		any = any || (r->flags & ER_SETS_FD);
	}
	if (!pairs)
		return;
	s->fresh = true;
	s->last_enter = 0;
	s->last_exit = last_exit;
	s->last_fd_set = any;
	s->last_fd = fd;
}

void slots_cut(struct apply *a, int64_t tid, bool touch)
{
	uint32_t idx = a->rec ? (uint32_t)(a->rec - a->b->ev) + 1 : 0;

	for (uint32_t i = 0; i < a->b->nslots; i++)
		if (a->b->slots[i].tid == tid)
			slot_cut(a, i, idx, touch);
}

void slots_cut_here(struct apply *a)
{
	if (a->rec && a->rec->slot != UINT32_MAX)
		slot_cut(a, a->rec->slot, (uint32_t)(a->rec - a->b->ev), false);
}
