#include "state/bind.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "state/path_cache.h"
#include "state/state_priv.h"

#define SAME_HEAD(type)                                                                         \
	static_assert(offsetof(struct type, ord) == offsetof(struct ver_head, ord) &&           \
			      offsetof(struct type, prev) == offsetof(struct ver_head, prev) && \
			      offsetof(struct type, skip) == offsetof(struct ver_head, skip) && \
			      offsetof(struct type, skip_ord) ==                                \
				      offsetof(struct ver_head, skip_ord),                      \
		      #type " begins as struct ver_head")
SAME_HEAD(fd_ver);
SAME_HEAD(thread_vol);

enum have {
	HAVE_THREAD = 1 << 0,
	HAVE_MAIN = 1 << 1,
	HAVE_ENTER = 1 << 2,
	HAVE_FDNUM = 1 << 3,
	HAVE_FD = 1 << 4
};

/* What a slot's earlier events of this batch found out: its main thread, good while it lives. */
struct bind_slot {
	struct thread *main;
	uint8_t stable; /* enum slot_stable, with STABLE_KNOWN once it has been asked for */
};
enum { STABLE_KNOWN = 1 << 7 };

/* Creating events may show what they tried, and a close not what another thread has made meanwhile:
 * attempt.h, evctx_fd. The rest shows the descriptor by any flags that may hold for it
 * (fd_flags_of). */
static bool plain_fd_type(const struct demand *d, unsigned type)
{
	const struct event_info *i = &event_table[type];
	uint32_t all = i->flags_029, any = i->flags_029;

	if (!d->compat029) {
		all = i->known_029 ? i->flags & i->flags_029 : i->flags;
		any |= i->flags;
		if (type == EV_SYSCALL_FCHOWNAT_X)
			return false;
	}
	if (type == EV_SOCKET_CONNECT_X || type == EV_SYSCALL_CLOSE_X || (any & EF_CREATES_FD))
		return false;
	return all & (EF_USES_FD | EF_DESTROYS_FD);
}

int evctx_init(struct evctx *c, const struct demand *d)
{
	memset(c, 0, sizeof(*c));
	c->demand = d;
	for (unsigned i = 0; i < EV_CODE_COUNT; i++)
		c->traits[i] = (uint8_t)type_traits(d, i);
	for (unsigned i = 0; i < EV_CODE_COUNT; i++)
		if (plain_fd_type(d, i))
			c->plain_fd[i / 64] |= 1ull << (i % 64);
	c->paths = path_cache_new();
	return c->paths ? 0 : -ENOMEM;
}

void evctx_fini(struct evctx *c)
{
	path_cache_free(c->paths);
	free(c->slots);
	memset(c, 0, sizeof(*c));
}

static _Atomic uint32_t epochs = 1;

int evctx_begin(struct evctx *c, const struct batch *b)
{
	if (c->slots_cap < b->nslots) {
		struct bind_slot *s = realloc(c->slots, b->nslots * sizeof(*s));

		if (!s)
			return -ENOMEM;
		c->slots = s;
		c->slots_cap = b->nslots;
	}
	if (b->nslots)
		memset(c->slots, 0, b->nslots * sizeof(*c->slots));
	path_cache_begin(c->paths, b->first_ord + b->nev - 1);
	c->b = b;
	c->idx = UINT32_MAX;
	do /* of the process, so that what was kept for an earlier context is not taken for this one's */
		c->epoch = atomic_fetch_add_explicit(&epochs, 1, memory_order_relaxed);
	while (!c->epoch);
	return 0;
}

void evctx_move(struct evctx *c, uint32_t idx)
{
	const struct batch *b = c->b;

	c->idx = idx;
	c->rec = &b->ev[idx];
	if (UNLIKELY(b->sparse))
		idx = c->rec->idx;
	c->ord = b->first_ord + idx;
	c->num = b->num_base + idx;
	c->have = 0;
	block_event(&c->ev, b, c->rec->off);
}

/* ---- threads ---- */

static NO_INLINE void bind_thread(struct evctx *c)
{
	struct thread *t = NULL;

	c->have |= HAVE_THREAD;
	c->ver_ = NULL;
	if (c->rec->slot != UINT32_MAX)
		t = c->b->slots[c->rec->slot].thread;
	while (t && t->birth > c->ord)
		t = atomic_load_explicit(&t->older, memory_order_acquire);
	if (t)
		c->ver_ = thread_ver_at(t, c->ord);
	c->thread_ = c->ver_ ? t : NULL;
}

struct thread *evctx_thread(struct evctx *c, const struct thread_ver **v)
{
	if (!(c->have & HAVE_THREAD))
		bind_thread(c);
	if (v)
		*v = c->ver_;
	return c->thread_;
}

static NO_INLINE void bind_main(struct evctx *c)
{
	const struct thread_ver *v;
	struct thread *t = evctx_thread(c, &v), *m;

	c->have |= HAVE_MAIN;
	c->main_ = t;
	c->main_ver_ = v;
	if (!t || v->pid == t->tid)
		return;
	m = c->slots[c->rec->slot].main;
	if (!m || m->tid != v->pid || !thread_ver_at(m, c->ord))
		m = c->slots[c->rec->slot].main = state_thread_at(c->b->root, v->pid, c->ord);
	c->main_ver_ = m ? thread_ver_at(m, c->ord) : NULL;
	c->main_ = c->main_ver_ ? m : NULL;
}

struct thread *evctx_main(struct evctx *c, const struct thread_ver **v)
{
	if (!(c->have & HAVE_MAIN))
		bind_main(c);
	if (v)
		*v = c->main_ver_;
	return c->main_;
}

/* Whether t has one version from order number from to order number to, and lives. */
static bool lives_unchanged(const struct thread *t, uint64_t from, uint64_t to)
{
	const struct thread_ver *v = thread_ver_at(t, to);

	/* An entry that dies behind to dies for later batches only. */
	return v && t->birth <= from && v->ord <= from;
}

static unsigned slot_stable(struct evctx *c, uint32_t slot)
{
	const struct batch *b = c->b;
	const struct tslot *s = &b->slots[slot];
	uint64_t from = b->first_ord + s->first, to = b->first_ord + b->nev - 1;
	const struct thread_ver *v;
	struct thread *m;

	if (!s->thread)
		return STABLE_THREAD | STABLE_MAIN;
	if (!lives_unchanged(s->thread, from, to))
		return 0;
	v = thread_ver_at(s->thread, to);
	if (v->pid == s->thread->tid)
		return STABLE_THREAD | STABLE_MAIN;
	m = state_thread_at(b->root, v->pid, to);
	return m && lives_unchanged(m, from, to) ? STABLE_THREAD | STABLE_MAIN : STABLE_THREAD;
}

unsigned evctx_slot_stable(struct evctx *c, uint32_t slot)
{
	struct bind_slot *s = &c->slots[slot];

	if (!(s->stable & STABLE_KNOWN))
		s->stable = (uint8_t)(slot_stable(c, slot) | STABLE_KNOWN);
	return s->stable & (STABLE_THREAD | STABLE_MAIN);
}

/* ---- the enter event ---- */

static const struct open_enter *carry_of(const struct evctx *c)
{
	return c->rec->slot != UINT32_MAX && c->rec->pair == PAIR_CARRY
		       ? c->b->slots[c->rec->slot].carry
		       : NULL;
}

static ALWAYS_INLINE bool is_paired(const struct evctx *c)
{
	const struct open_enter *o;

	if (LIKELY(c->rec->pair != PAIR_CARRY))
		return c->rec->flags & ER_PAIRED;
	o = carry_of(c);
	return o && o->ts && (c->rec->type & 1) && o->type + 1 == c->rec->type;
}

static void bind_enter(struct evctx *c)
{
	const struct ev_rec *r = c->rec;
	const struct open_enter *o = carry_of(c);

	c->have |= HAVE_ENTER;
	c->enter_ts_ = c->enter_ord_ = 0;
	c->enter_type_ = UINT16_MAX;
	c->paired_ = false;
	if (r->slot == UINT32_MAX || r->pair == PAIR_NONE ||
	    (r->pair == PAIR_CARRY && !(o && o->ts)))
		return;
	if (o) {
		c->enter_ts_ = o->ts;
		c->enter_ord_ = o->ord;
		c->enter_type_ = o->type;
	} else {
		c->enter_ts_ = rec_ts(c->b, &c->b->ev[r->pair - 1]);
		c->enter_ord_ = c->b->first_ord + r->pair - 1;
		c->enter_type_ = c->b->ev[r->pair - 1].type;
	}
	c->paired_ = is_paired(c);
}

static ALWAYS_INLINE void need_enter(struct evctx *c)
{
	if (!(c->have & HAVE_ENTER))
		bind_enter(c);
}

bool evctx_enter(struct evctx *c, uint64_t *ts, uint16_t *type, bool *paired)
{
	need_enter(c);
	*ts = c->enter_ts_;
	*type = c->enter_type_;
	*paired = c->paired_;
	return c->enter_type_ != UINT16_MAX;
}

bool evctx_enter_event(struct evctx *c, struct event *out)
{
	const struct open_enter *o = carry_of(c);
	const char *why;

	need_enter(c);
	if (!c->paired_ && !(!c->demand->compat029 && c->enter_type_ == EV_SYSCALL_EXECVEAT_E &&
			     c->ev.type == EV_SYSCALL_EXECVE_19_X))
		return false;
	/* Only what is there for every batch size: the stored types, until an exit has used them
	 * up. */
	if (!type_may_be_stored(c->enter_type_) || (c->rec->flags & ER_LATER))
		return false;
	if (o)
		return o->block && event_parse(out, o->block, o->block_len, max_code(c->demand),
					       &why) == EVENT_OK;
	block_event(out, c->b, c->b->ev[c->rec->pair - 1].off);
	return type_stored(out);
}

/* Latency that exit r of the batch had. */
static uint64_t exit_latency(const struct batch *b, const struct ev_rec *r)
{
	const struct open_enter *o = b->slots[r->slot].carry;
	uint64_t enter = 0;

	if (r->pair == PAIR_CARRY)
		enter = o ? o->ts : 0;
	else if (r->pair != PAIR_NONE)
		enter = rec_ts(b, &b->ev[r->pair - 1]);
	return enter ? rec_ts(b, r) - enter : 0;
}

/* Events that are neither enter nor exit show what the thread's last call took, as 0.29.3 does. */
static uint64_t latency_before(const struct evctx *c)
{
	const struct batch *b = c->b;
	const struct tslot *s = &b->slots[c->rec->slot];
	bool cut = c->rec->flags & ER_CUT;

	for (uint32_t i = c->idx; !cut && i-- > s->first;) {
		const struct ev_rec *r = &b->ev[i];
		unsigned traits;

		if (r->slot != c->rec->slot)
			continue;
		traits = c->traits[r->type];
		if (traits & TT_RESET)
			return 0;
		if (traits & TT_EXIT)
			return exit_latency(b, r);
		cut = r->flags & ER_CUT;
	}
	return s->carry && c->rec->pair == PAIR_CARRY ? s->carry->latency : 0;
}

uint64_t evctx_latency(struct evctx *c)
{
	unsigned traits;

	if (c->rec->slot == UINT32_MAX)
		return 0;
	traits = c->traits[c->ev.type];
	if (traits & TT_EXIT)
		return exit_latency(c->b, c->rec);
	return traits & TT_RESET ? 0 : latency_before(c);
}

bool evctx_rec_latency(const struct evctx *c, const struct ev_rec *r, uint64_t *ns)
{
	uint64_t enter;

	if (UNLIKELY(r->slot == UINT32_MAX))
		return false;
	*ns = 0;
	if (c->traits[r->type] & TT_RESET)
		return true;
	if (UNLIKELY(r->pair == PAIR_CARRY || !(c->traits[r->type] & TT_EXIT)))
		return false;
	enter = r->pair == PAIR_NONE ? 0 : rec_ts(c->b, &c->b->ev[r->pair - 1]);
	*ns = enter ? rec_ts(c->b, r) - enter : 0;
	return true;
}

bool evctx_type_latency(const struct demand *d, unsigned type)
{
	return !(type_traits(d, type) & TT_RESET);
}

/* ---- descriptors ---- */

/* Flags that decide whether the event has to do with a descriptor. A file that holds enter events
 * is read as 0.29.3 does; in the newest files the exits stand alone and the newest table tells what
 * their parameters are. */
static uint32_t fd_flags_of(struct evctx *c)
{
	const struct event_info *i = event_info(&c->ev);

	if (c->demand->compat029)
		return i->flags_029;
	if (i->is_exit && !is_paired(c))
		return i->flags;
	switch (c->ev.type) {
	/* As the readers of 2024 have it. */
	case EV_SYSCALL_FCHMOD_X:
		return i->flags;
	case EV_SYSCALL_FCHOWNAT_X:
		return 0;
	default:
		return i->known_029 ? i->flags_029 : i->flags;
	}
}

static void bind_fdnum(struct evctx *c)
{
	int32_t fd;

	c->have |= HAVE_FDNUM;
	c->fdnum_ = EV_FD_NONE;
	if (c->rec->slot == UINT32_MAX ||
	    !(fd_flags_of(c) & (EF_CREATES_FD | EF_USES_FD | EF_DESTROYS_FD)))
		return;
	if ((c->demand->bits & DEMAND_THREADS) && !evctx_thread(c, NULL))
		return;
	fd = rec_last_fd(c->b, c->rec, c->demand);
	c->fdnum_ = fd == EV_FD_NONE ? -1 : fd;
}

int64_t evctx_fdnum(struct evctx *c)
{
	if (!(c->have & HAVE_FDNUM))
		bind_fdnum(c);
	return c->fdnum_;
}

/* Entry e of the cache did not know the version as of the event. */
static NO_INLINE const struct ver_head *path_miss(struct evctx *c, struct path_entry *e,
						  const struct thread *owner, int32_t what)
{
	struct fd_ver *_Atomic *at = what == PATH_VOLATILE ? NULL : thread_fd_slot(owner, what);
	const void *newest =
		what == PATH_VOLATILE
			? (void *)atomic_load_explicit(&owner->vol, memory_order_acquire)
		: at ? (void *)atomic_load_explicit(at, memory_order_acquire)
		     : NULL;
	const struct ver_head *v = newest;

	if (e && path_walk(c->paths, e, newest, c->ord)) {
		c->paths->used += e->gen != c->paths->gen;
		e->gen = c->paths->gen;
		e->owner = owner;
		e->what = what;
		return c->paths->vec[e->at];
	}
	while (v && v->ord > c->ord)
		v = v->skip_ord > c->ord ? v->skip : v->prev;
	return v;
}

static ALWAYS_INLINE const struct ver_head *path_lookup(struct evctx *c, const struct thread *owner,
							int32_t what)
{
	struct path_entry *e = path_entry(c->paths, owner, what);
	const struct ver_head *v;

	return e && path_find(c->paths, e, c->ord, &v) ? v : path_miss(c, e, owner, what);
}

void evctx_set_fd(struct evctx *c, int64_t fd)
{
	c->have = (c->have & ~(uint32_t)HAVE_FD) | HAVE_FDNUM;
	c->fdnum_ = fd;
}

const struct fd_ver *evctx_fd_n(struct evctx *c, int64_t fd)
{
	const struct thread_ver *v;
	const struct fd_ver *f;
	struct thread *t = fd >= 0 && fd <= INT32_MAX ? evctx_thread(c, &v) : NULL;

	if (t && (v->flags & PPM_CL_CLONE_FILES))
		t = evctx_main(c, NULL);
	f = t ? (const struct fd_ver *)path_lookup(c, t, (int32_t)fd) : NULL;
	return f && f->kind != FDK_CLOSED ? f : NULL;
}

const struct thread_vol *evctx_vol(struct evctx *c, struct thread *t)
{
	return (const struct thread_vol *)path_lookup(c, t, PATH_VOLATILE);
}

const struct fd_ver *evctx_fd(struct evctx *c)
{
	if (!(c->have & HAVE_FD)) {
		c->fd_ = evctx_fd_n(c, evctx_fdnum(c));
		c->have |= HAVE_FD;
		/* Another thread has got the number meanwhile: what was closed is no longer known. */
		if (c->fd_ && c->ev.type == EV_SYSCALL_CLOSE_X && !c->demand->compat029) {
			need_enter(c);
			if (c->paired_ && c->fd_->id > c->enter_ord_)
				c->fd_ = NULL;
		}
	}
	return c->fd_;
}

bool evctx_fd_plain(struct evctx *c, const struct fd_ver **f, uint64_t *until)
{
	const unsigned both = STABLE_THREAD | STABLE_MAIN;
	const struct ev_rec *r = c->rec;
	const struct thread_ver *v;
	const struct ver_head *h;
	struct path_entry *e;
	struct thread *t;

	if (r->slot == UINT32_MAX || !evctx_rec_plain_fd(c, r) ||
	    evctx_slot_stable(c, r->slot) != both)
		return false;
	*f = NULL;
	*until = ORD_NEVER;
	t = evctx_thread(c, &v);
	if (t && (v->flags & PPM_CL_CLONE_FILES))
		t = evctx_main(c, NULL);
	if (!t)
		return true;
	e = path_entry(c->paths, t, r->fd);
	if (!e)
		return false;
	if (!path_find(c->paths, e, c->ord, &h))
		h = path_miss(c, e, t, r->fd);
	if (e->gen != c->paths->gen || c->paths->vec[e->at] != h)
		return false;
	if (e->at > e->start)
		*until = c->paths->vec[e->at - 1]->ord;
	if (h && ((const struct fd_ver *)h)->kind != FDK_CLOSED)
		*f = (const struct fd_ver *)h;
	/* And so it is bound: nothing but the record tells the number of such an event. */
	c->have |= HAVE_FDNUM | HAVE_FD;
	c->fdnum_ = r->fd;
	c->fd_ = *f;
	return true;
}

/* ---- results ---- */

bool evctx_rawres(struct evctx *c, int64_t *res)
{
	const struct event_info *i = event_info(&c->ev);

	return i->is_exit && i->res_param >= 0 &&
	       event_param_i64(&c->ev, (unsigned)i->res_param, res);
}

int64_t evctx_errno(struct evctx *c)
{
	int64_t res;

	if (!evctx_rawres(c, &res) || res >= 0 || res == INT64_MIN)
		return 0;
	return -res; /* paired or not: 0.29.3 too, whatever becomes of the descriptor */
}
