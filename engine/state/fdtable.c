/* Descriptor tables.
 *
 *   fd_table -> directory (open-addressed by fd / 16) -> block of 16 slots -> newest fd_ver -> prev
 * ...
 *
 * After a fork both processes hold the same blocks; whoever changes one first takes a copy. A
 * closed descriptor is a tombstone version, so that older batches still find what was there. Apply
 * turn, except the readers at the end. */
#include <errno.h>
#include <stddef.h>

#include "state/state_priv.h"

enum { FD_DIR_MIN = 4 };

struct fd_table *fd_table_new(struct mutator *m)
{
	struct fd_table *ft = pool_get(&m->pool[POOL_FDTABLE]);

	if (!ft) {
		m->failed = true;
		return NULL;
	}
	atomic_init(&ft->dir, NULL);
	return ft;
}

static void fd_ver_put(struct mutator *m, void *p)
{
	struct fd_ver *f = p;
	struct rstr *name;

	if (!ref_down(m, &f->ref))
		return;
	name = atomic_load_explicit(&f->name, memory_order_relaxed);
	if (name && name != f->raw)
		free(name);
	rstr_put(m, f->base);
	rstr_put(m, f->raw);
	pool_put(&m->pool[POOL_FDVER], f);
}

static void fd_block_put(struct mutator *m, void *p)
{
	struct fd_block *b = p;

	if (!ref_down(m, &b->ref))
		return;
	for (int i = 0; i < FD_BLOCK_SLOTS; i++) {
		struct fd_ver *f = atomic_load_explicit(&b->v[i], memory_order_relaxed);

		if (f)
			fd_ver_put(m, f);
	}
	pool_put(&m->pool[POOL_FDBLOCK], b);
}

static void fd_dir_free(struct mutator *m, void *p)
{
	free(p);
}

void fd_table_free(struct mutator *m, void *p)
{
	struct fd_table *ft = p;
	struct fd_dir *dir = atomic_load_explicit(&ft->dir, memory_order_relaxed);

	for (uint32_t i = 0; dir && i <= dir->mask; i++) {
		struct fd_block *b = atomic_load_explicit(&dir->e[i].blk, memory_order_relaxed);

		if (b)
			fd_block_put(m, b);
	}
	free(dir);
	pool_put(&m->pool[POOL_FDTABLE], ft);
}

/* The entry of key, or the free one where it would go. Descriptors are dense: small keys are their
 * own hash. */
static ALWAYS_INLINE struct fd_dirent *fd_dir_find(struct fd_dir *dir, uint32_t key)
{
	for (uint32_t i = key + (key >> 6) * 0x9E3779B1u;; i++) {
		struct fd_dirent *e = &dir->e[i & dir->mask];

		/* acquire: pairs with the release in fd_block_put_new and fd_block_own; key is set
		 * before. */
		if (!atomic_load_explicit(&e->blk, memory_order_acquire) || e->key == key)
			return e;
	}
}

static struct fd_dir *fd_dir_new(struct mutator *m, uint32_t cap)
{
	struct fd_dir *dir = calloc(1, sizeof(*dir) + cap * sizeof(dir->e[0]));

	if (!dir) {
		m->failed = true;
		return NULL;
	}
	dir->mask = cap - 1;
	return dir;
}

/* A directory with room for one more block; NULL when memory is out. */
static struct fd_dir *fd_dir_room(struct apply *a, struct fd_table *ft)
{
	struct fd_dir *old = atomic_load_explicit(&ft->dir, memory_order_relaxed), *dir;

	if (old && 4 * (old->n + 1) <= 3 * (old->mask + 1))
		return old;
	dir = fd_dir_new(a->m, old ? 2 * (old->mask + 1) : FD_DIR_MIN);
	if (!dir)
		return NULL;
	for (uint32_t i = 0; old && i <= old->mask; i++) {
		struct fd_block *b = atomic_load_explicit(&old->e[i].blk, memory_order_relaxed);
		struct fd_dirent *e = b ? fd_dir_find(dir, old->e[i].key) : NULL;

		if (!e)
			continue;
		e->key = old->e[i].key;
		atomic_store_explicit(&e->blk, b, memory_order_relaxed);
		dir->n++;
	}
	/* release: pairs with the acquire in fd_at. */
	atomic_store_explicit(&ft->dir, dir, memory_order_release);
	if (old)
		state_retire(a->m, fd_dir_free, old);
	return dir;
}

static struct fd_block *fd_block_new(struct mutator *m)
{
	struct fd_block *b = pool_get(&m->pool[POOL_FDBLOCK]);

	if (!b) {
		m->failed = true;
		return NULL;
	}
	memset(b, 0, sizeof(*b));
	atomic_init(&b->ref, 1);
	return b;
}

static struct fd_block *fd_block_put_new(struct apply *a, struct fd_table *ft, uint32_t key)
{
	struct fd_dir *dir = fd_dir_room(a, ft);
	struct fd_block *b = dir ? fd_block_new(a->m) : NULL;
	struct fd_dirent *e = b ? fd_dir_find(dir, key) : NULL;

	if (!e)
		return NULL;
	e->key = key;
	dir->n++;
	atomic_store_explicit(&e->blk, b, memory_order_release);
	return b;
}

/* The block of key, this table's alone. */
static struct fd_block *fd_block_own(struct apply *a, struct fd_table *ft, uint32_t key)
{
	struct fd_dir *dir = atomic_load_explicit(&ft->dir, memory_order_relaxed);
	struct fd_dirent *e = dir ? fd_dir_find(dir, key) : NULL;
	struct fd_block *b = e ? atomic_load_explicit(&e->blk, memory_order_relaxed) : NULL, *n;

	if (!b)
		return fd_block_put_new(a, ft, key);
	if (LIKELY(ref_alone(&b->ref)))
		return b;
	n = fd_block_new(a->m);
	if (!n)
		return NULL;
	for (int i = 0; i < FD_BLOCK_SLOTS; i++) {
		struct fd_ver *f = atomic_load_explicit(&b->v[i], memory_order_relaxed);

		if (f)
			ref_up(a->m, &f->ref);
		atomic_store_explicit(&n->v[i], f, memory_order_relaxed);
	}
	atomic_store_explicit(&e->blk, n, memory_order_release);
	state_retire(a->m, fd_block_put, b);
	return n;
}

/* Puts n in front of what fd holds. */
static bool fd_put(struct apply *a, struct fd_table *ft, int64_t fd, struct fd_ver *n)
{
	struct fd_block *b = fd_block_own(a, ft, (uint32_t)fd / FD_BLOCK_SLOTS);
	struct fd_ver *_Atomic *at = b ? &b->v[fd % FD_BLOCK_SLOTS] : NULL;
	struct fd_ver *old;

	if (!at)
		return false;
	old = atomic_load_explicit(at, memory_order_relaxed);
	n->prev = old;
	n->skip = old && old->ord >= a->b->first_ord ? old->skip : old;
	n->skip_ord = n->skip == old ? (old ? old->ord : 0) : old->skip_ord;
	/* release: pairs with the acquire in slot_at. */
	atomic_store_explicit(at, n, memory_order_release);
	if (old)
		state_retire(a->m, fd_ver_put, old);
	return true;
}

static ALWAYS_INLINE bool fd_possible(int64_t fd)
{
	return fd >= 0 && fd <= INT32_MAX;
}

struct fd_table *thread_fds_now(struct apply *a, struct thread *t, bool make)
{
	const struct thread_ver *v = row_ver(a, t);
	struct fd_table *ft;

	if (v && (v->flags & PPM_CL_CLONE_FILES)) {
		t = row_main(a, t);
		/* 0.29.3 makes a main thread up when one is needed. */
		if (!t && make && a->d->compat029)
			t = thread_placeholder(a, v->pid);
	}
	if (!t || !v)
		return NULL;
	ft = atomic_load_explicit(&t->fds, memory_order_relaxed);
	if (!ft && make) {
		ft = fd_table_new(a->m);
		/* release: pairs with the acquire in state_fd_at. */
		atomic_store_explicit(&t->fds, ft, memory_order_release);
	}
	return ft;
}

struct fd_ver *fd_find(struct fd_table *ft, int64_t fd)
{
	struct fd_dir *dir;
	struct fd_block *b;
	struct fd_ver *f;

	if (!ft || !fd_possible(fd))
		return NULL;
	dir = atomic_load_explicit(&ft->dir, memory_order_relaxed);
	if (!dir)
		return NULL;
	b = atomic_load_explicit(&fd_dir_find(dir, (uint32_t)fd / FD_BLOCK_SLOTS)->blk,
				 memory_order_relaxed);
	f = b ? atomic_load_explicit(&b->v[fd % FD_BLOCK_SLOTS], memory_order_relaxed) : NULL;
	return f && f->kind != FDK_CLOSED ? f : NULL;
}

static struct fd_ver *fd_ver_new(struct apply *a)
{
	struct fd_ver *f = pool_get(&a->m->pool[POOL_FDVER]);

	if (!f) {
		a->m->failed = true;
		return NULL;
	}
	memset(f, 0, sizeof(*f));
	f->ord = f->id = a->ord;
	atomic_init(&f->ref, 1);
	f->raw = &rstr_empty;
	return f;
}

struct fd_ver *fd_add_to(struct apply *a, struct fd_table *ft, int64_t fd)
{
	struct fd_ver *f = fd_possible(fd) ? fd_ver_new(a) : NULL;

	if (!f)
		return NULL;
	if (!fd_put(a, ft, fd, f)) {
		fd_ver_put(a->m, f);
		return NULL;
	}
	return f;
}

struct fd_ver *fd_add(struct apply *a, struct thread *t, int64_t fd)
{
	struct fd_table *ft = fd_possible(fd) ? thread_fds_now(a, t, true) : NULL;
	struct fd_ver *f = ft ? fd_add_to(a, ft, fd) : NULL;

	if (f)
		a->last_fd = fd;
	return f;
}

struct fd_ver *fd_edit(struct apply *a, struct fd_table *ft, int64_t fd)
{
	struct fd_ver *f = fd_find(ft, fd), *n;

	if (!f || (f->ord == a->ord && ref_alone(&f->ref)))
		return f;
	n = pool_get(&a->m->pool[POOL_FDVER]);
	if (!n) {
		a->m->failed = true;
		return NULL;
	}
	fd_value_copy(n, f);
	n->ord = a->ord;
	n->id = f->id;
	atomic_init(&n->ref, 1);
	if (n->base)
		rstr_get(a->m, n->base);
	rstr_get(a->m, n->raw);
	atomic_init(&n->name, NULL);
	n->flags &= (uint16_t)~FDF_NAME_CHANGED;
	if (!fd_put(a, ft, fd, n)) {
		fd_ver_put(a->m, n);
		return NULL;
	}
	return n;
}

void fd_set_name(struct apply *a, struct fd_ver *f, struct rstr *base, const void *raw, size_t len)
{
	struct rstr *s = rstr_new(a->m, raw, len);

	if (!s)
		return;
	if (base)
		rstr_get(a->m, base);
	rstr_put(a->m, f->base);
	rstr_put(a->m, f->raw);
	f->base = base;
	f->raw = s;
}

void fd_copy_value(struct apply *a, struct fd_ver *dst, const struct fd_ver *src)
{
	if (src->base)
		rstr_get(a->m, src->base);
	rstr_get(a->m, src->raw);
	rstr_put(a->m, dst->base);
	rstr_put(a->m, dst->raw);
	fd_value_copy(dst, src);
	atomic_init(&dst->name, NULL);
	dst->flags &= (uint16_t)~FDF_NAME_CHANGED;
}

void fd_close(struct apply *a, struct fd_table *ft, int64_t fd, uint64_t from_ord)
{
	struct fd_ver *f;

	if (!fd_find(ft, fd))
		return;
	f = pool_get(&a->m->pool[POOL_FDVER]);
	if (!f) {
		a->m->failed = true;
		return;
	}
	/* Nothing else of it is ever looked at. */
	f->ord = from_ord;
	atomic_init(&f->ref, 1);
	f->kind = FDK_CLOSED;
	f->base = NULL;
	f->raw = &rstr_empty;
	atomic_init(&f->name, NULL);
	if (!fd_put(a, ft, fd, f))
		fd_ver_put(a->m, f);
}

struct fd_table *fd_table_clone(struct apply *a, struct fd_table *ft)
{
	struct fd_table *n = fd_table_new(a->m);
	struct fd_dir *old = atomic_load_explicit(&ft->dir, memory_order_relaxed), *dir;

	if (!n || !old)
		return n;
	dir = fd_dir_new(a->m, old->mask + 1);
	if (!dir)
		return n;
	dir->n = old->n;
	for (uint32_t i = 0; i <= old->mask; i++) {
		struct fd_block *b = atomic_load_explicit(&old->e[i].blk, memory_order_relaxed);

		dir->e[i].key = old->e[i].key;
		atomic_store_explicit(&dir->e[i].blk, b, memory_order_relaxed);
		if (b)
			ref_up(a->m, &b->ref);
	}
	/* relaxed: the table is published with its thread. */
	atomic_store_explicit(&n->dir, dir, memory_order_relaxed);
	return n;
}

void fds_each_now(struct apply *a, struct fd_table *ft,
		  void (*fn)(struct apply *a, struct fd_table *ft, int64_t fd,
			     const struct fd_ver *f))
{
	struct fd_dir *dir = atomic_load_explicit(&ft->dir, memory_order_relaxed);

	/* fn may replace blocks, but adds no key: dir stays. */
	for (uint32_t i = 0; dir && i <= dir->mask; i++) {
		for (unsigned k = 0; k < FD_BLOCK_SLOTS; k++) {
			struct fd_block *b =
				atomic_load_explicit(&dir->e[i].blk, memory_order_relaxed);
			struct fd_ver *f =
				b ? atomic_load_explicit(&b->v[k], memory_order_relaxed) : NULL;

			if (f && f->kind != FDK_CLOSED)
				fn(a, ft, (int64_t)dir->e[i].key * FD_BLOCK_SLOTS + k, f);
		}
	}
}

/* ---- reading ---- */

static const struct fd_ver *slot_at(struct fd_ver *_Atomic *at, uint64_t ord)
{
	/* acquire: pairs with the release in fd_put. */
	const struct fd_ver *f = atomic_load_explicit(at, memory_order_acquire);

	while (f && f->ord > ord)
		f = f->skip_ord > ord ? f->skip : f->prev;
	return f && f->kind != FDK_CLOSED ? f : NULL;
}

static struct fd_dir *dir_of(const struct thread *owner)
{
	struct fd_table *ft = atomic_load_explicit(&owner->fds, memory_order_acquire);

	return ft ? atomic_load_explicit(&ft->dir, memory_order_acquire) : NULL;
}

const struct fd_ver *state_fd_at(const struct state_root *r, struct thread *t,
				 const struct thread_ver *v, int64_t fd, uint64_t ord)
{
	if (v->flags & PPM_CL_CLONE_FILES)
		t = state_main_at(r, t, v, ord);
	return t ? thread_fd_at(t, fd, ord) : NULL;
}

struct fd_ver *_Atomic *thread_fd_slot(const struct thread *owner, int64_t fd)
{
	struct fd_dir *dir = fd_possible(fd) ? dir_of(owner) : NULL;
	struct fd_block *b;

	if (!dir)
		return NULL;
	b = atomic_load_explicit(&fd_dir_find(dir, (uint32_t)fd / FD_BLOCK_SLOTS)->blk,
				 memory_order_acquire);
	return b ? &b->v[fd % FD_BLOCK_SLOTS] : NULL;
}

const struct fd_ver *thread_fd_at(const struct thread *owner, int64_t fd, uint64_t ord)
{
	struct fd_ver *_Atomic *at = thread_fd_slot(owner, fd);

	return at ? slot_at(at, ord) : NULL;
}

static int key_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int state_fds_each(const struct state_root *r, struct thread *t, const struct thread_ver *v,
		   uint64_t ord, int (*fn)(void *ctx, int fd, const struct fd_ver *f), void *ctx)
{
	struct fd_dir *dir;
	uint32_t *keys, n = 0;
	int rc = 0;

	if (v->flags & PPM_CL_CLONE_FILES)
		t = state_main_at(r, t, v, ord);
	dir = t ? dir_of(t) : NULL;
	if (!dir)
		return 0;
	keys = malloc(((size_t)dir->mask + 1) * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i <= dir->mask; i++)
		if (atomic_load_explicit(&dir->e[i].blk, memory_order_acquire))
			keys[n++] = dir->e[i].key;
	qsort(keys, n, sizeof(*keys), key_cmp);
	for (uint32_t i = 0; i < n * FD_BLOCK_SLOTS && !rc; i++) {
		int fd = (int)(keys[i / FD_BLOCK_SLOTS] * FD_BLOCK_SLOTS + i % FD_BLOCK_SLOTS);
		struct fd_block *b = atomic_load_explicit(
			&fd_dir_find(dir, keys[i / FD_BLOCK_SLOTS])->blk, memory_order_acquire);
		const struct fd_ver *f = slot_at(&b->v[i % FD_BLOCK_SLOTS], ord);

		if (f)
			rc = fn(ctx, fd, f);
	}
	free(keys);
	return rc;
}
