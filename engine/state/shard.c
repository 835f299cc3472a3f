/* The descriptor tables filled by several workers at once.
 *
 * With shards the apply turn does what concerns threads and leaves the rows of descriptors to the
 * shards: each process belongs to one, and a shard's turn goes through the batches in order, as the
 * apply turn does, but on its own. A row of descriptors looks at threads as of its order number, as
 * the analysis does, so the apply turn may be some batches ahead.
 *
 *   apply turn     batch 1 | batch 2 | batch 3 | ...
 *   shard 0                | batch 1 | batch 2 | ...
 *   shard 1                | batch 1     | batch 2 | ...
 *
 * What crosses the border:
 *  - A new process gets a copy of its parent's table: it belongs to the parent's shard, and the copy
 *    is a row of both.
 *  - A process goes to another shard only when its old one has done all its rows, for the balance.
 *  - Where a name of a descriptor changes a thread (fchdir, execveat) or one process takes another's
 *    descriptor (pidfd_getfd), the batch is whole: the apply turn waits for the shards and does
 *    everything itself (b->whole).
 *  - Where a thread's descriptors become those of another process in the middle of a batch, one
 *    worker holds the turns of all shards for its descriptors (b->all_shards).
 *
 * Which shard does a row has no influence on what comes out. */
#include <errno.h>
#include <stdlib.h>

#include "state/row.h"
#include "state/shard.h"
#include "state/state_priv.h"

unsigned state_fd_shards(const struct state *st)
{
	return st->nshards;
}

/* ---- which rows are whose (any worker, after the digest) ---- */

static bool copies_table(const struct apply_entry *ae)
{
	return ae->fn == apply_clone_exit;
}

static bool is_exec(const struct apply_entry *ae)
{
	return ae->fn == apply_execve_exit;
}

static bool fd_row(const struct apply_entry *ae, unsigned type)
{
	return (ae->demand & (DEMAND_FDS | DEMAND_CONNECTED)) || type == EV_SYSCALL_FCNTL_X;
}

/* Descriptors have a say in what it does to threads, or in other processes' descriptors. */
static bool whole_row(const struct batch *b, const struct ev_rec *r)
{
	if (r->slot == UINT32_MAX)
		return r->type & 1; /* no shard would be its own; enters of no thread change none */
	if (r->type == EV_SYSCALL_FCHDIR_X || r->type == EV_SYSCALL_EXECVEAT_X ||
	    r->type == EV_SYSCALL_PIDFD_GETFD_X)
		return true;
	/* The kernel reports an execveat that runs as the exit of execve. */
	return r->type == EV_SYSCALL_EXECVE_19_X && r->pair != PAIR_NONE &&
	       (r->pair == PAIR_CARRY || b->ev[r->pair - 1].type == EV_SYSCALL_EXECVEAT_E);
}

static int fd_rows_alloc(struct batch *b)
{
	uint32_t *p;

	if (b->fd_rows_cap >= b->nrows)
		return 0;
	p = realloc(b->fd_rows, b->rows_cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	b->fd_rows = p;
	b->fd_rows_cap = b->rows_cap;
	return 0;
}

int state_split(const struct state *st, struct batch *b)
{
	const struct apply_entry *table = apply_table(st->d->compat029);
	uint32_t threads = 0;
	int rc;

	b->whole = true;
	b->nfd_rows = 0;
	if (!st->nshards || b->kind != BATCH_EVENTS)
		return 0;
	for (uint32_t i = 0; i < b->nrows; i++)
		if (whole_row(b, &b->ev[b->rows[i]]))
			return 0;
	rc = fd_rows_alloc(b);
	if (rc < 0)
		return rc;
	b->whole = false;
	for (uint32_t i = 0; i < b->nrows; i++) {
		uint32_t idx = b->rows[i];
		const struct ev_rec *r = &b->ev[idx];
		const struct apply_entry *ae = &table[r->type];
		bool mine = (r->flags & ER_ROW) && r->slot != UINT32_MAX;
		bool fds = mine && fd_row(ae, r->type), both = mine && (copies_table(ae) || is_exec(ae));

		if (fds || both) {
			b->fd_rows[b->nfd_rows++] = idx;
			b->slots[r->slot].nfd_rows++;
		}
		if (!fds || (r->flags & ER_TOUCH))
			b->rows[threads++] = idx;
	}
	b->nrows = threads;
	return 0;
}

/* ---- which shard a process belongs to (apply turn) ---- */

/* Whose table t uses; t itself where that is not known. */
static struct thread *owner_of(struct state_root *r, struct thread *t)
{
	const struct thread_ver *v = thread_now(t);
	struct thread *m = NULL;

	if (v && (v->flags & PPM_CL_CLONE_FILES) && v->pid != t->tid)
		m = table_newest(r, v->pid);
	return m ? m : t;
}

static bool shard_is_done(const struct state *st, unsigned shard, uint64_t seq_end)
{
	/* acquire: pairs with the release in state_apply_fds; whoever goes on there sees it all. */
	return atomic_load_explicit(&st->mut[1 + shard].done_seq, memory_order_acquire) >= seq_end;
}

static unsigned lightest(const struct state *st)
{
	unsigned best = 0;

	for (unsigned i = 1; i < st->nshards; i++)
		if (st->load[i] < st->load[best])
			best = i;
	return best;
}

/* The shard of owner in this batch, in which weight rows of it were met now. */
static unsigned shard_of(struct state *st, const struct batch *b, struct thread *owner, uint32_t weight)
{
	struct thread_priv *p = thread_priv(owner);
	unsigned best;

	if (p->shard_seq != b->seq + 1 && shard_is_done(st, p->shard, p->shard_seq)) {
		best = lightest(st);
		/* Not to and fro for little: its blocks are in somebody's caches. */
		if (!p->shard_seq || st->load[p->shard] > st->load[best] + st->load[best] / 4 + 2 * weight)
			p->shard = (uint8_t)best;
	}
	p->shard_seq = b->seq + 1;
	st->load[p->shard] += weight;
	return p->shard;
}

void shard_inherit(struct apply *a, struct thread *child, struct thread *parent)
{
	bool shares = thread_now(parent)->flags & PPM_CL_CLONE_FILES;
	struct thread_priv *p = thread_priv(child);

	p->shard = (uint8_t)shard_of(a->st, a->b, owner_of(a->root, parent), 1);
	p->shard_seq = a->b->seq + 1;
	p->fds_from = shares ? thread_main_now(a->root, parent) : parent;
}

/* The thread's own events go through shards too: its last descriptor is carried on there. */
static bool follows(struct state *st, const struct batch *b, struct thread *t, unsigned shard)
{
	struct thread_priv *p = thread_priv(t);
	bool ok = p->via_shard == shard || shard_is_done(st, p->via_shard, p->via_seq);

	p->via_shard = (uint8_t)shard;
	p->via_seq = b->seq + 1;
	return ok;
}

/* The slot may have events of an earlier entry of its tid. */
static bool of_two_entries(const struct batch *b, const struct tslot *s)
{
	return s->thread && !s->ends && s->thread->birth >= b->first_ord &&
	       atomic_load_explicit(&s->thread->older, memory_order_relaxed);
}

void shards_assign(struct state *st, struct batch *b)
{
	b->all_shards = st->moved;
	b->fd_shards = 0;
	for (unsigned i = 0; i < st->nshards; i++)
		st->load[i] -= st->load[i] / 8;
	for (uint32_t i = 0; i < b->nslots; i++) {
		struct tslot *s = &b->slots[i];

		if (s->thread) {
			s->shard = (uint8_t)shard_of(st, b, owner_of(b->root, s->thread), s->nfd_rows);
			b->all_shards |= !follows(st, b, s->thread, s->shard) || of_two_entries(b, s);
		}
		if (s->nfd_rows || s->left)
			b->fd_shards |= 1u << s->shard;
	}
	if (!b->fd_shards)
		b->all_shards = false;
}

/* ---- the rows of a shard (its turn) ---- */

/* The thread of the row's slot that lived at ord. */
static struct thread *thread_then(const struct apply *a)
{
	struct thread *t = a->b->slots[a->rec->slot].thread;

	while (t && t->birth > a->asof)
		t = atomic_load_explicit(&t->older, memory_order_acquire);
	return t && thread_ver_at(t, a->asof) ? t : NULL;
}

static void row_copy_table(struct apply *a)
{
	int64_t res = row_i64(a, 0, -1);
	struct thread *t = res < 0 ? NULL : state_thread_at(a->root, res ? res : a->ev.tid, a->ord);
	struct thread_priv *p = t && t->birth == a->ord ? thread_priv(t) : NULL;
	struct fd_table *ft;

	if (!p || !p->fds_from)
		return;
	ft = atomic_load_explicit(&p->fds_from->fds, memory_order_relaxed);
	/* release: pairs with the acquire in dir_of. */
	if (ft)
		atomic_store_explicit(&t->fds, fd_table_clone(a, ft), memory_order_release);
}

static void shard_row(struct apply *a, const struct apply_entry *ae, uint32_t idx)
{
	a->rec = &a->b->ev[idx];
	a->asof = a->ord = a->b->first_ord + idx;
	block_event(&a->ev, a->b, a->rec->off);
	if (copies_table(ae)) {
		row_copy_table(a);
		return;
	}
	if (is_exec(ae)) {
		a->asof--; /* while the thread's flags still say whose descriptors it uses */
		a->t = thread_then(a);
		exec_close_fds(a);
		return;
	}
	a->t = thread_then(a);
	row_handle(a, ae);
}

/* What the threads' last descriptors are behind the batch, for the next one. */
static void slots_leave_fds(struct batch *b, unsigned shard)
{
	for (uint32_t i = 0; i < b->nslots; i++) {
		struct tslot *s = &b->slots[i];

		if (!s->left || (shard != STATE_ALL_SHARDS && s->shard != shard))
			continue;
		if (s->last_fd_set)
			s->left->fd = s->last_fd;
		else if (!s->fresh && s->carry)
			s->left->fd = s->carry->fd;
	}
}

static bool slot_is_of(const struct batch *b, uint32_t slot, unsigned shard)
{
	return shard == STATE_ALL_SHARDS || b->slots[slot].shard == shard;
}

int state_apply_fds(struct state *st, struct batch *b, unsigned shard)
{
	const struct apply_entry *table = apply_table(st->d->compat029);
	unsigned first = shard == STATE_ALL_SHARDS ? 0 : shard;
	unsigned last = shard == STATE_ALL_SHARDS ? st->nshards - 1 : shard;
	struct mutator *m = &st->mut[1 + first];
	struct apply a = {.st = st, .m = m, .d = st->d, .b = b, .root = b->root, .part = PART_FDS};

	m->seq = b->seq;
	for (uint32_t i = 0; i < b->nfd_rows && !m->failed; i++) {
		uint32_t idx = b->fd_rows[i];

		if (slot_is_of(b, b->ev[idx].slot, shard))
			shard_row(&a, &table[b->ev[idx].type], idx);
	}
	slots_leave_fds(b, shard);
	for (unsigned k = first; k <= last; k++)
		atomic_store_explicit(&st->mut[1 + k].done_seq, b->seq + 1, memory_order_release);
	return m->failed ? -ENOMEM : 0;
}

void state_reclaim_fds(struct state *st, unsigned shard, uint64_t oldest_unfinished)
{
	retire_run(&st->mut[1 + (shard == STATE_ALL_SHARDS ? 0 : shard)], oldest_unfinished);
}
