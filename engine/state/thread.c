/* Threads and their versions. Apply turn only. */
#include "state/state_priv.h"

/* ---- birth and death ---- */

struct thread *thread_new(struct mutator *m, struct state_root *r, int64_t tid, uint64_t birth)
{
	struct thread_priv *p = pool_get(&m->pool[POOL_THREAD]);

	if (!p) {
		m->failed = true;
		return NULL;
	}
	memset(p, 0, sizeof(*p));
	p->root = r;
	p->pub.tid = tid;
	p->pub.birth = birth;
	atomic_init(&p->pub.death, ORD_NEVER);
	return &p->pub;
}

static struct rstr **ver_texts(struct thread_ver *v)
{
	/* The texts are the last members, all of one type. */
	return &v->comm;
}
enum {
	VER_TEXTS = (sizeof(struct thread_ver) - offsetof(struct thread_ver, comm)) /
		    sizeof(struct rstr *)
};

static void ver_free(struct mutator *m, void *p)
{
	struct thread_ver *v = p;

	for (int i = 0; i < VER_TEXTS; i++)
		rstr_put(m, ver_texts(v)[i]);
	pool_put(&m->pool[POOL_VER], v);
}

static void vol_free(struct mutator *m, void *p)
{
	pool_put(&m->pool[POOL_VOL], p);
}

void open_enter_free(struct mutator *m, void *p)
{
	struct open_enter *o = p;

	free((void *)o->block);
	pool_put(&m->pool[POOL_OPEN], o);
}

void thread_free(struct mutator *m, void *p)
{
	struct thread *t = p;
	struct thread_ver *v = thread_now(t);
	struct thread_vol *vol = atomic_load_explicit(&t->vol, memory_order_relaxed);
	struct fd_table *fds = atomic_load_explicit(&t->fds, memory_order_relaxed);

	/* Older versions are on retire lists of their own. */
	if (v)
		ver_free(m, v);
	if (vol)
		vol_free(m, vol);
	if (fds)
		fd_table_free(m, fds);
	if (t->open)
		open_enter_free(m, t->open);
	kin_free(m, t);
	pool_put(&m->pool[POOL_THREAD], thread_priv(t));
}

/* No batch can see it alive any more: out of the table; freed when nobody can walk past it. */
static void thread_reap(struct mutator *m, void *p)
{
	struct thread *t = p;

	table_unlink(thread_priv(t)->root, t);
	state_limbo(m, thread_free, t);
}

static struct thread_ver *ver_new(struct mutator *m, uint64_t ord)
{
	struct thread_ver *v = pool_get(&m->pool[POOL_VER]);

	if (!v) {
		m->failed = true;
		return NULL;
	}
	memset(v, 0, sizeof(*v));
	v->ord = ord;
	v->pid = v->ptid = v->sid = v->vpgid = v->pgid = v->vtid = v->vpid = -1;
	v->fdlimit = UINT64_MAX;
	v->uid = v->gid = v->loginuid = UINT32_MAX;
	for (int i = 0; i < VER_TEXTS; i++)
		ver_texts(v)[i] = &rstr_empty;
	return v;
}

struct thread *thread_create(struct apply *a, int64_t tid, struct thread_ver **v)
{
	struct thread *t = thread_new(a->m, a->root, tid, a->ord);

	*v = t ? ver_new(a->m, a->ord) : NULL;
	if (t && !*v) {
		thread_free(a->m, t);
		return NULL;
	}
	if (t)
		atomic_init(&t->ver, *v);
	return t;
}

void thread_relate(struct apply *a, struct thread *t, struct thread_ver *v, int64_t pid,
		   int64_t ptid)
{
	if (v->pid == pid && v->ptid == ptid)
		return;
	kin_count(a, t, v, -1, a->ord);
	v->pid = pid;
	v->ptid = ptid;
	kin_count(a, t, v, 1, a->ord);
}

bool thread_publish(struct apply *a, struct thread *t)
{
	struct thread *old = thread_find(a->root, t->tid);

	if (old) {
		a->st->moved = true;
		thread_kill(a, old, a->ord);
		slots_cut(a, t->tid, false);
	}
	if (table_insert(a->root, t) < 0) {
		a->m->failed = true;
		thread_free(a->m, t);
		return false;
	}
	kin_inherit(a, t);
	kin_count(a, t, thread_now(t), 1, a->ord);
	return true;
}

void thread_kill(struct apply *a, struct thread *t, uint64_t death_ord)
{
	if (!thread_alive(t))
		return;
	if (thread_now(t)) {
		kin_count(a, t, thread_now(t), -1, death_ord);
		kin_orphan(a, t);
	}
	/* relaxed: readers of older batches see it alive with either value. */
	atomic_store_explicit(&t->death, death_ord, memory_order_relaxed);
	thread_open_set(a->m, t, NULL);
	state_retire(a->m, thread_reap, t);
}

struct thread *thread_placeholder(struct apply *a, int64_t tid)
{
	struct thread_ver *v;
	struct thread *t = thread_create(a, tid, &v);

	if (!t)
		return NULL;
	v->placeholder = true;
	v->pid = tid; /* ptid stays -1 */
	v->flags = PPM_CL_ACTIVE;
	thread_set_text(a, &v->comm, "<NA>", 4);
	thread_share_text(a, &v->exe, v->comm);
	return thread_publish(a, t) ? t : NULL;
}

void threads_each_now(struct apply *a, void (*fn)(struct apply *a, struct thread *t, void *ctx),
		      void *ctx)
{
	for (unsigned s = 0; s < STATE_SHARDS; s++) {
		struct tid_table *tab =
			atomic_load_explicit(&a->root->shard[s], memory_order_relaxed);

		for (uint32_t i = 0; tab && i <= tab->mask; i++) {
			struct thread *t = table_entry(tab, i);

			if (t && thread_alive(t) && thread_now(t))
				fn(a, t, ctx);
		}
	}
}

struct thread *thread_main_now(struct state_root *r, struct thread *t)
{
	const struct thread_ver *v = thread_now(t);

	if (!v || v->pid == t->tid)
		return v ? t : NULL;
	return thread_find(r, v->pid);
}

/* ---- change ---- */

struct thread_ver *thread_edit(struct apply *a, struct thread *t)
{
	struct thread_ver *v = thread_now(t), *n;

	if (v->ord == a->ord)
		return v;
	n = pool_get(&a->m->pool[POOL_VER]);
	if (!n) {
		/* The caller may scribble on the old one: the batch fails and is never analysed. */
		a->m->failed = true;
		return v;
	}
	*n = *v;
	n->ord = a->ord;
	n->prev = v;
	for (int i = 0; i < VER_TEXTS; i++)
		rstr_get(a->m, ver_texts(n)[i]);
	/* release: pairs with the acquire in thread_ver_at. Readers of older batches look at
	 * nothing but ord and prev of n, so it may be edited on. */
	atomic_store_explicit(&t->ver, n, memory_order_release);
	state_retire(a->m, ver_free, v);
	return n;
}

void thread_set_text(struct apply *a, struct rstr **slot, const void *p, size_t len)
{
	struct rstr *s;

	if ((*slot)->len == len && (!len || memcmp((*slot)->s, p, len) == 0))
		return;
	s = rstr_new(a->m, p, len);
	if (!s)
		return;
	rstr_put(a->m, *slot);
	*slot = s;
}

void thread_share_text(struct apply *a, struct rstr **slot, struct rstr *s)
{
	rstr_get(a->m, s);
	rstr_put(a->m, *slot);
	*slot = s;
}

void thread_set_cwd(struct apply *a, struct thread_ver *v, const char *path, size_t len)
{
	char out[1028];
	size_t n;

	n = path_join(out, v->cwd->s, v->cwd->len, path, len, a->d->compat029);
	if (!n || out[n - 1] != '/')
		out[n++] = '/';
	thread_set_text(a, &v->cwd, out, n);
}

void thread_set_container(struct apply *a, struct thread_ver *v)
{
	char id[128];

	if (!(a->d->bits & DEMAND_CONTAINERS))
		return;
	thread_set_text(a, &v->container_id, id,
			container_id_of(v->cgroups->s, v->cgroups->len, id, a->d->compat029));
}

void thread_vol_set(struct apply *a, struct thread *t, const struct thread_vol *vol)
{
	struct thread_vol *old = atomic_load_explicit(&t->vol, memory_order_relaxed);
	struct thread_vol *n = pool_get(&a->m->pool[POOL_VOL]);

	if (!n) {
		a->m->failed = true;
		return;
	}
	*n = *vol;
	n->ord = a->ord;
	n->prev = old;
	n->skip = old && old->ord >= a->b->first_ord ? old->skip : old;
	n->skip_ord = n->skip == old ? (old ? old->ord : 0) : old->skip_ord;
	/* release: pairs with the acquire in thread_vol_at. */
	atomic_store_explicit(&t->vol, n, memory_order_release);
	if (old)
		state_retire(a->m, vol_free, old);
}

void thread_open_set(struct mutator *m, struct thread *t, struct open_enter *o)
{
	if (t->open)
		state_retire(m, open_enter_free, t->open);
	t->open = o;
}
