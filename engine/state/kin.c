/* Who names whom: how many live threads name a thread as their main thread, and how many as their
 * parent. The first is kept as of every event, for proc.nchilds and the like; the second only tells
 * whether children must be looked for. */
#include "state/state_priv.h"

static void kin_ver_free(struct mutator *m, void *p)
{
	pool_put(&m->pool[POOL_KIN], p);
}

void kin_free(struct mutator *m, struct thread *t)
{
	struct kin_ver *k = atomic_load_explicit(&thread_priv(t)->kin, memory_order_relaxed);

	if (k)
		kin_ver_free(m, k);
}

uint32_t kin_threads_now(struct thread *t)
{
	const struct kin_ver *k = atomic_load_explicit(&thread_priv(t)->kin, memory_order_relaxed);

	return k ? k->nthreads : 0;
}

static void kin_set(struct apply *a, struct thread *t, uint32_t n, uint64_t ord)
{
	struct thread_priv *p = thread_priv(t);
	struct kin_ver *old = atomic_load_explicit(&p->kin, memory_order_relaxed), *k;

	if (n == (old ? old->nthreads : 0))
		return;
	if (old && old->ord == ord) {
		old->nthreads =
			n; /* readers of older batches look at nothing but ord, prev and skip */
		return;
	}
	k = pool_get(&a->m->pool[POOL_KIN]);
	if (!k) {
		a->m->failed = true;
		return;
	}
	k->ord = ord;
	k->nthreads = n;
	k->prev = old;
	k->skip = old && old->ord >= a->b->first_ord ? old->skip : old;
	k->skip_ord = k->skip == old ? (old ? old->ord : 0) : old->skip_ord;
	/* release: pairs with the acquire in state_nthreads_at. */
	atomic_store_explicit(&p->kin, k, memory_order_release);
	if (old)
		state_retire(a->m, kin_ver_free, old);
}

/* ---- threads whose main thread has no entry ---- */

struct orphan {
	int64_t pid;
	uint32_t n; /* 0: free, or given up */
};

struct orphans {
	uint32_t mask, used; /* used: entries with a pid, given up or not */
	struct orphan e[];
};

enum { ORPHANS_MIN = 16 };

/* The entry of pid, or the first one behind its chain. */
static struct orphan *orphan_place(struct orphans *o, int64_t pid)
{
	for (uint32_t i = (uint32_t)((uint64_t)pid * 0x9E3779B97F4A7C15u >> 40);; i++)
		if (!o->e[i & o->mask].pid || o->e[i & o->mask].pid == pid)
			return &o->e[i & o->mask];
}

static struct orphans *orphans_room(struct state_root *r)
{
	struct orphans *old = r->orphans, *o;
	uint32_t cap = ORPHANS_MIN, live = 0;

	if (old && 2 * (old->used + 1) <= old->mask + 1)
		return old;
	for (uint32_t i = 0; old && i <= old->mask; i++)
		live += old->e[i].n != 0;
	while (cap < 4 * (live + 1))
		cap *= 2;
	o = calloc(1, sizeof(*o) + cap * sizeof(o->e[0]));
	if (!o)
		return NULL;
	o->mask = cap - 1;
	for (uint32_t i = 0; old && i <= old->mask; i++) {
		if (!old->e[i].n)
			continue;
		*orphan_place(o, old->e[i].pid) = old->e[i];
		o->used++;
	}
	free(old);
	r->orphans = o;
	return o;
}

static void orphans_add(struct apply *a, int64_t pid, int n)
{
	struct orphans *o = orphans_room(a->root);
	struct orphan *e = o && pid ? orphan_place(o, pid) : NULL;

	if (!e) {
		a->m->failed |= pid != 0;
		return;
	}
	o->used += e->pid == 0;
	e->pid = pid;
	if (n > 0 || e->n)
		e->n += (uint32_t)n;
}

/* How many there are for pid; they are no longer orphans. */
static uint32_t orphans_take(struct state_root *r, int64_t pid)
{
	struct orphan *e = r->orphans ? orphan_place(r->orphans, pid) : NULL;
	uint32_t n = e ? e->n : 0;

	if (e)
		e->n = 0;
	return n;
}

/* ---- counting ---- */

void kin_count(struct apply *a, struct thread *t, const struct thread_ver *v, int by, uint64_t ord)
{
	struct thread *main = v->pid != t->tid ? thread_find(a->root, v->pid) : NULL;
	struct thread *parent = thread_find(a->root, v->ptid);

	if (main)
		kin_set(a, main, kin_threads_now(main) + (uint32_t)by, ord);
	else if (v->pid != t->tid)
		orphans_add(a, v->pid, by);
	if (parent && (by > 0 || thread_priv(parent)->nchilds))
		thread_priv(parent)->nchilds += (uint32_t)by;
}

void kin_orphan(struct apply *a, struct thread *t)
{
	if (kin_threads_now(t))
		orphans_add(a, t->tid, (int)kin_threads_now(t));
}

void kin_inherit(struct apply *a, struct thread *t)
{
	struct thread *old = atomic_load_explicit(&t->older, memory_order_relaxed);

	/* Children of a tid whose entry is gone are none of the new one's, unless that replaces a
	 * living entry. */
	if (old && atomic_load_explicit(&old->death, memory_order_relaxed) == a->ord)
		thread_priv(t)->nchilds = thread_priv(old)->nchilds;
	kin_set(a, t, orphans_take(a->root, t->tid), a->ord);
}

void kin_root_free(struct state_root *r)
{
	free(r->orphans);
}

static void kin_children(struct apply *a, struct thread *t, void *ctx)
{
	struct thread *parent = thread_find(a->root, thread_now(t)->ptid);

	if (parent)
		thread_priv(parent)->nchilds++;
}

static void kin_forget(struct apply *a, struct thread *t, void *ctx)
{
	thread_priv(t)->nchilds = 0;
}

void kin_rebuild(struct apply *a)
{
	threads_each_now(a, kin_forget, NULL);
	threads_each_now(a, kin_children, NULL);
}

uint32_t state_nthreads_at(const struct thread *main, uint64_t ord)
{
	const struct thread_priv *p = CONTAINER_OF(main, const struct thread_priv, pub);
	/* acquire: pairs with the release in kin_set. */
	const struct kin_ver *k = atomic_load_explicit(&p->kin, memory_order_acquire);

	while (k && k->ord > ord)
		k = k->skip_ord > ord ? k->skip : k->prev;
	return k ? k->nthreads : 0;
}
