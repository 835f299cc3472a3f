/* tid -> thread: 64 shards, each an open-addressed array that is replaced when it grows. A thread
 * stays in it, dead or not, until no batch that can see it alive is unfinished; an earlier
 * incarnation hangs behind the newest one. */
#include <errno.h>
#include <stdlib.h>

#include "state/rcu.h"
#include "state/state_priv.h"

enum { TABLE_MIN = 8 };

static struct thread table_tomb; /* marks an entry that was given up */

static ALWAYS_INLINE uint64_t tid_hash(int64_t tid)
{
	return (uint64_t)tid * 0x9E3779B97F4A7C15u;
}

static ALWAYS_INLINE unsigned tid_shard(uint64_t h)
{
	return (unsigned)(h >> 58) & (STATE_SHARDS - 1);
}

static ALWAYS_INLINE uint32_t tid_index(uint64_t h)
{
	return (uint32_t)(h >> 24);
}

struct thread *table_newest(const struct state_root *r, int64_t tid)
{
	uint64_t h = tid_hash(tid);
	struct tid_table *tab = state_rcu_deref(&r->shard[tid_shard(h)]);

	if (!tab)
		return NULL;
	for (uint32_t i = tid_index(h);; i++) {
		/* acquire: pairs with the release in table_put; the thread is complete when it is
		 * seen. */
		struct thread *t =
			atomic_load_explicit(&tab->e[i & tab->mask], memory_order_acquire);

		if (!t)
			return NULL;
		if (t->tid == tid && t != &table_tomb)
			return t;
	}
}

static void table_put(struct tid_table *tab, struct thread *t)
{
	uint32_t i = tid_index(tid_hash(t->tid));
	struct thread *x;

	for (;; i++) {
		x = atomic_load_explicit(&tab->e[i & tab->mask], memory_order_relaxed);
		if (!x || x == &table_tomb)
			break;
	}
	tab->used += x == NULL;
	tab->live++;
	/* release: pairs with the acquire in table_newest. A tombstone may be reused: no reader
	 * stops there. */
	atomic_store_explicit(&tab->e[i & tab->mask], t, memory_order_release);
}

static void table_free(struct mutator *m, void *p)
{
	free(p);
}

static void table_limbo(struct mutator *m, void *p)
{
	state_limbo(m, table_free, p);
}

/* A new array without tombstones, at most half full. */
static struct tid_table *table_grow(struct mutator *m, struct tid_table *old)
{
	uint32_t cap = TABLE_MIN;
	struct tid_table *tab;

	while (old && cap < 2 * (old->live + 1))
		cap *= 2;
	tab = calloc(1, sizeof(*tab) + cap * sizeof(tab->e[0]));
	if (!tab)
		return NULL;
	tab->mask = cap - 1;
	for (uint32_t i = 0; old && i <= old->mask; i++) {
		struct thread *t = atomic_load_explicit(&old->e[i], memory_order_relaxed);

		if (t && t != &table_tomb)
			table_put(tab, t);
	}
	if (old)
		state_retire(m, table_limbo, old);
	return tab;
}

/* Where t's tid stands in the array; mask + 1 if nowhere. */
static uint32_t table_find_index(const struct tid_table *tab, int64_t tid)
{
	for (uint32_t i = tid_index(tid_hash(tid));; i++) {
		struct thread *x =
			atomic_load_explicit(&tab->e[i & tab->mask], memory_order_relaxed);

		if (!x)
			return tab->mask + 1;
		if (x != &table_tomb && x->tid == tid)
			return i & tab->mask;
	}
}

int table_insert(struct state_root *r, struct thread *t)
{
	struct tid_table *RCU_PTR _Atomic *shard = &r->shard[tid_shard(tid_hash(t->tid))];
	struct tid_table *tab = atomic_load_explicit(shard, memory_order_relaxed);

	if (tab) {
		uint32_t i = table_find_index(tab, t->tid);

		if (i <= tab->mask) {
			atomic_store_explicit(
				&t->older, atomic_load_explicit(&tab->e[i], memory_order_relaxed),
				memory_order_relaxed);
			/* release: pairs with the acquire in table_newest. */
			atomic_store_explicit(&tab->e[i], t, memory_order_release);
			return 0;
		}
	}
	if (!tab || 4 * (tab->used + 1) > 3 * (tab->mask + 1)) {
		tab = table_grow(&r->st->mut[0], tab);
		if (!tab)
			return -ENOMEM;
		table_put(tab, t);
		state_rcu_publish(shard, tab);
		return 0;
	}
	table_put(tab, t);
	return 0;
}

void table_unlink(struct state_root *r, struct thread *t)
{
	struct tid_table *tab =
		atomic_load_explicit(&r->shard[tid_shard(tid_hash(t->tid))], memory_order_relaxed);
	struct thread *_Atomic *at;
	struct thread *x, *behind = atomic_load_explicit(&t->older, memory_order_relaxed);
	uint32_t i = table_find_index(tab, t->tid);

	at = &tab->e[i];
	x = atomic_load_explicit(at, memory_order_relaxed);
	if (x == t) {
		if (!behind) {
			behind = &table_tomb;
			tab->live--;
		}
	} else {
		while (x != t) {
			at = &x->older;
			x = atomic_load_explicit(at, memory_order_relaxed);
		}
	}
	/* release: as table_put; whoever meets what was behind t sees it complete. */
	atomic_store_explicit(at, behind, memory_order_release);
}

struct thread *table_entry(const struct tid_table *tab, uint32_t i)
{
	struct thread *t = atomic_load_explicit(&tab->e[i], memory_order_acquire);

	return t == &table_tomb ? NULL : t;
}

void table_fini(struct state_root *r)
{
	for (unsigned s = 0; s < STATE_SHARDS; s++)
		free(atomic_load_explicit(&r->shard[s], memory_order_relaxed));
}

/* ---- reading ---- */

struct thread *thread_find(struct state_root *r, int64_t tid)
{
	struct thread *t = table_newest(r, tid);

	return t && thread_alive(t) ? t : NULL;
}

/* The incarnation in the chain behind t that lives at ord. Deaths and births never change what
 * holds for ord: a death set meanwhile by a later batch is beyond it, so relaxed loads do. */
static struct thread *incarnation_at(struct thread *t, uint64_t ord)
{
	while (t && t->birth > ord)
		t = atomic_load_explicit(&t->older, memory_order_acquire);
	return t && atomic_load_explicit(&t->death, memory_order_relaxed) > ord ? t : NULL;
}

struct thread *state_thread_at(const struct state_root *r, int64_t tid, uint64_t ord)
{
	return incarnation_at(table_newest(r, tid), ord);
}

const struct thread_ver *thread_ver_at(const struct thread *t, uint64_t ord)
{
	const struct thread_ver *v;

	if (t->birth > ord || atomic_load_explicit(&t->death, memory_order_relaxed) <= ord)
		return NULL;
	/* acquire: pairs with the release in thread_edit. */
	v = atomic_load_explicit(&t->ver, memory_order_acquire);
	while (v && v->ord > ord)
		v = v->prev;
	return v;
}

const struct thread_vol *thread_vol_at(const struct thread *t, uint64_t ord)
{
	/* acquire: pairs with the release in thread_vol_set. */
	const struct thread_vol *v = atomic_load_explicit(&t->vol, memory_order_acquire);

	while (v && v->ord > ord)
		v = v->skip_ord > ord ? v->skip : v->prev;
	return v;
}

struct thread *state_main_at(const struct state_root *r, struct thread *t,
			     const struct thread_ver *v, uint64_t ord)
{
	return v->pid == t->tid ? t : state_thread_at(r, v->pid, ord);
}

struct thread *state_parent_at(const struct state_root *r, const struct thread_ver *v, uint64_t ord)
{
	return state_thread_at(r, v->ptid, ord);
}

static int thread_cmp(const void *a, const void *b)
{
	int64_t x = (*(struct thread *const *)a)->tid, y = (*(struct thread *const *)b)->tid;

	return x < y ? -1 : x > y;
}

/* The threads alive at ord into list (when there is one), their number returned. */
static size_t threads_collect(const struct state_root *r, uint64_t ord, struct thread **list,
			      size_t cap)
{
	size_t n = 0;

	for (unsigned s = 0; s < STATE_SHARDS; s++) {
		struct tid_table *tab = state_rcu_deref(&r->shard[s]);

		for (uint32_t i = 0; tab && i <= tab->mask; i++) {
			struct thread *t = incarnation_at(table_entry(tab, i), ord);

			if (!t || !atomic_load_explicit(&t->ver, memory_order_acquire))
				continue;
			if (n < cap)
				list[n] = t;
			n++;
		}
	}
	return n;
}

int state_threads_each(const struct state_root *r, uint64_t ord,
		       int (*fn)(void *ctx, struct thread *t), void *ctx)
{
	size_t n = threads_collect(r, ord, NULL, 0);
	struct thread **list = malloc((n + 1) * sizeof(*list));
	int rc = 0;

	if (!list)
		return -ENOMEM;
	/* Those alive at ord do not change: a second count finds the same ones. */
	n = MIN(threads_collect(r, ord, list, n), n);
	qsort(list, n, sizeof(*list), thread_cmp);
	for (size_t i = 0; i < n && !rc; i++)
		rc = fn(ctx, list[i]);
	free(list);
	return rc;
}
