/* Layout of the tables: the machinery's side of engine/state (handlers use state_int.h).
 *
 * Everything here is written by the holder of the apply turn. Readers of older batches follow the
 * _Atomic pointers at the same time; how that stays safe is told in state.h. */
#ifndef BURIN_STATE_STATE_PRIV_H
#define BURIN_STATE_STATE_PRIV_H

#include <semaphore.h>

#include "base/apart.h"
#include "state/pool.h"
#include "state/state_int.h"

enum { STATE_SHARDS = 64, RSTR_CLASSES = 5, FD_BLOCK_SLOTS = 16 };


/* ---- memory given back later (retire.c) ---- */
struct retire_item {
	void (*fn)(struct mutator *m, void *p);
	void *p;
};
struct retire_chunk;
struct retire_batch;
struct limbo;

/* ---- who changes tables ---- */
enum pool_kind {
	POOL_KIN,
	POOL_THREAD,
	POOL_VER,
	POOL_VOL,
	POOL_FDVER,
	POOL_FDBLOCK,
	POOL_FDTABLE,
	POOL_OPEN,
	POOL_RSTR,
	POOL_KINDS = POOL_RSTR + RSTR_CLASSES,
};

/* A turn in which tables are changed, with the memory it takes things from and what it gives back
 * later. One thread at a time holds it, and everything here is that one's. The first mutator of a
 * state is the apply turn; each of the others (shard.c) fills the descriptor tables of some of the
 * processes. What one has made another may free: pools exchange what they have too much of. */
struct mutator {
	struct state *st;
	uint64_t seq; /* of the batch being applied: where retired things go */
	bool alone;   /* the only mutator of the state */
	bool failed;  /* memory is out: the batch cannot be applied */
	struct pool pool[POOL_KINDS];
	/* retire.c */
	struct retire_batch *retire_head, *retire_tail;
	struct retire_chunk *spare_chunks;
	struct retire_item late[64]; /* what no memory was left for: freed at the end */
	unsigned nlate;
	/* All batches below this have been through the turn. release by its holder: pairs with the
	 * acquire in shard.c. */
	_Atomic uint64_t done_seq;
} APART;

/* ---- reference counts of texts, descriptors and blocks: several mutators may hold the same ---- */
static ALWAYS_INLINE void ref_up(const struct mutator *m, _Atomic uint32_t *ref)
{
	if (m->alone)
		atomic_store_explicit(ref, atomic_load_explicit(ref, memory_order_relaxed) + 1,
				      memory_order_relaxed);
	else
		atomic_fetch_add_explicit(ref, 1, memory_order_relaxed);
}

/* True: that was the last one. */
static ALWAYS_INLINE bool ref_down(const struct mutator *m, _Atomic uint32_t *ref)
{
	/* acquire: pairs with the release of the others who had it. */
	uint32_t n = atomic_load_explicit(ref, memory_order_acquire);

	if (LIKELY(n == 1))
		return true;
	if (!m->alone)
		return atomic_fetch_sub_explicit(ref, 1, memory_order_acq_rel) == 1;
	atomic_store_explicit(ref, n - 1, memory_order_relaxed);
	return false;
}

/* Whether nobody else holds it: nobody else can begin to. */
static ALWAYS_INLINE bool ref_alone(const _Atomic uint32_t *ref)
{
	return atomic_load_explicit(ref, memory_order_acquire) == 1;
}

/* ---- tid -> thread (table.c) ---- */
struct tid_table {
	uint32_t mask; /* IMMUTABLE */
	uint32_t used; /* OWNED_BY(apply): entries not NULL, tombstones included */
	uint32_t live; /* OWNED_BY(apply): entries that hold a thread */
	struct thread *_Atomic e[];
};

/* One value of a main thread's number of other threads (kin.c). */
struct kin_ver {
	uint64_t ord;
	struct kin_ver *prev, *skip; /* skip: as in fd_ver */
	uint64_t skip_ord;
	uint32_t nthreads;
};
struct orphans;

/* What a thread has beside the public part. */
struct thread_priv {
	struct thread pub; /* first */
	struct state_root *root;
	struct kin_ver *_Atomic kin; /* newest first: how many live threads name it as their main
					thread; NULL = none */
	uint32_t nchilds; /* OWNED_BY(apply): live threads that name it as their parent; 0 = none
			     has to be looked for */
	bool exited;	  /* a main thread that is kept for its remaining threads */
	bool reaper;	  /* prctl(PR_SET_CHILD_SUBREAPER) */
	/* shard.c, apply turn. Batches as their number plus 1, 0 = none. */
	uint8_t shard;		 /* of the table it owns */
	uint8_t via_shard;	 /* where its own events last went */
	uint64_t shard_seq, via_seq; /* last batch with anything for it there */
	struct thread *fds_from; /* whose descriptors it gets at its birth; for the batch of that */
};
static inline struct thread_priv *thread_priv(struct thread *t)
{
	return CONTAINER_OF(t, struct thread_priv, pub);
}

struct id_table; /* users.c */

struct state_root {
	struct state *st;
	struct tid_table *RCU_PTR _Atomic shard[STATE_SHARDS];
	struct id_table *_Atomic users, *_Atomic groups;
	struct container_table *_Atomic containers;
	struct iface *ifaces; /* IMMUTABLE once the section's metadata is read; so are machine and
				 texts */
	unsigned nifaces, ifaces_cap;
	struct machine_info machine;
	bool newest_writer;
	struct orphans *orphans;	/* OWNED_BY(apply): kin.c */
	struct state_root *prev, *next; /* all roots of the run */
};

/* ---- descriptors (fdtable.c) ---- */
struct fd_block {
	_Atomic uint32_t ref; /* directories that hold it */
	struct fd_ver *_Atomic v[FD_BLOCK_SLOTS];
};
struct fd_dirent {
	uint32_t key;		      /* fd / 16; IMMUTABLE once blk is set */
	struct fd_block *_Atomic blk; /* NULL = free */
};
struct fd_dir {
	uint32_t mask, n;
	struct fd_dirent e[];
};
struct fd_table {
	struct fd_dir *_Atomic dir;
};

struct state {
	const struct demand *d;
	unsigned workers;
	/* numbering */
	uint64_t next_ord;
	struct numbering numbering;
	struct state_root *root, *roots;
	struct mutator *mut; /* the apply turn, then the shards of descriptors */
	unsigned nshards;    /* 0: the apply turn does it all */
	uint64_t load[STATE_MAX_FD_SHARDS]; /* OWNED_BY(apply): rows that went there lately */
	bool moved; /* OWNED_BY(apply): in this batch a thread came to use another table */
	struct pool_depot depot[POOL_KINDS];
	/* retire.c: of the apply turn alone */
	struct limbo *limbo;	    /* filling */
	struct limbo *_Atomic ripe; /* grace period over: pushed by liburcu's thread */
	sem_t ripened;		    /* posted for every list that becomes ripe */
	uint64_t sealed; /* lists handed to RCU: as many posts must come before the end */
	char rcu_sync;	 /* address only: see rcu.h */
	/* rows that apply adds while it runs: indices of events that must see a placeholder */
	uint32_t *extra;
	uint32_t nextra, extra_cap, extra_at;
	/* apply_cpu.c: time stamp of each CPU's last switch, ns, 0 = none; of this file */
	uint64_t *switch_ts;
	uint32_t nswitch;
};

/* ---- retire.c ---- */
/* Like state_retire, but beyond the batches also a grace period must pass: for hash nodes and
 * arrays. Called while retired things are being freed, or by apply itself (old arrays). */
void state_limbo(struct mutator *m, void (*fn)(struct mutator *m, void *p), void *p);
/* Frees what batches numbered below oldest_unfinished retired in this turn. */
void retire_run(struct mutator *m, uint64_t oldest_unfinished);
void retire_seal(struct state *st);  /* hands the limbo to RCU and frees what is ripe */
void retire_drain(struct state *st); /* everything, at the end: no reader is left */

/* ---- table.c ---- */
struct thread *table_newest(const struct state_root *r, int64_t tid); /* dead ones too; NULL */
int table_insert(struct state_root *r, struct thread *t); /* replaces an entry of the same tid */
void table_unlink(struct state_root *r, struct thread *t);
struct thread *table_entry(const struct tid_table *tab, uint32_t i); /* newest of entry i; NULL */
void table_fini(struct state_root *r); /* frees the arrays, not the threads */

/* ---- thread.c ---- */
static inline bool thread_alive(const struct thread *t)
{
	return atomic_load_explicit(&t->death, memory_order_relaxed) == ORD_NEVER;
}
struct thread *thread_new(struct mutator *m, struct state_root *r, int64_t tid, uint64_t birth);
void thread_free(struct mutator *m, void *t); /* with its versions; nobody reads it any more */
struct thread *thread_placeholder(struct apply *a, int64_t tid);
/* Sets pid and ptid of a version under edit, with the counts of those they name. */
void thread_relate(struct apply *a, struct thread *t, struct thread_ver *v, int64_t pid,
		   int64_t ptid);
/* Calls fn for every live thread; fn may kill and edit threads, not make any. */
void threads_each_now(struct apply *a, void (*fn)(struct apply *a, struct thread *t, void *ctx),
		      void *ctx);
/* cwd becomes path, taken relative to the present cwd. */
void thread_set_cwd(struct apply *a, struct thread_ver *v, const char *path, size_t len);
void thread_set_container(struct apply *a,
			  struct thread_ver *v); /* from the cgroups, if demanded */
static inline struct thread_vol thread_vol_now(struct thread *t)
{
	const struct thread_vol *v = atomic_load_explicit(&t->vol, memory_order_relaxed);

	return v ? *v : (struct thread_vol){0};
}
/* apply_cpu.c: a switch event as seen by the clock of its CPU. */
void cpu_switch(struct apply *a);
void thread_vol_set(struct apply *a, struct thread *t, const struct thread_vol *v);
/* Which open enter a thread has: takes over o. */
void thread_open_set(struct mutator *m, struct thread *t, struct open_enter *o);
void open_enter_free(struct mutator *m, void *o);

/* ---- kin.c ---- */
void kin_free(struct mutator *m, struct thread *t);
void kin_root_free(struct state_root *r);
/* Counts t with (by = 1) or no longer with (-1) those that v names, from ord on. */
void kin_count(struct apply *a, struct thread *t, const struct thread_ver *v, int by, uint64_t ord);
void kin_orphan(struct apply *a, struct thread *t); /* t goes; its threads may stay */
void kin_inherit(struct apply *a,
		 struct thread *t); /* a new entry: threads and children that its tid had before */
void kin_rebuild(struct apply *a);  /* children, once a section's process list is read */
uint32_t kin_threads_now(struct thread *t);

/* ---- fdtable.c ---- */
struct fd_table *fd_table_new(struct mutator *m);
struct fd_ver *fd_add_to(struct apply *a, struct fd_table *ft,
			 int64_t fd); /* fd_add without a thread */
void fd_table_free(struct mutator *m, void *ft);

/* The entry in owner's own table. */
struct fd_ver *_Atomic *thread_fd_slot(const struct thread *owner,
				       int64_t fd); /* NULL: never was any */
const struct fd_ver *thread_fd_at(const struct thread *owner, int64_t fd, uint64_t ord);
void fds_each_now(struct apply *a, struct fd_table *ft,
		  void (*fn)(struct apply *a, struct fd_table *ft, int64_t fd,
			     const struct fd_ver *f));

/* ---- slots.c: threads of the batch being applied ---- */
void slots_begin(struct state *st, struct batch *b); /* threads and carries as before the batch */
/* Threads as behind it; carries for the next one. With split their last fds are missing. */
void slots_end(struct state *st, struct batch *b, bool split);
/* The thread's last fd from event idx on is not what the digest took it for. */
void slots_fix_fd(struct batch *b, uint32_t idx, int64_t fd, bool sets);
int64_t slots_fd_before(const struct batch *b, uint32_t idx, const struct demand *d);
/* The tid's events behind the present one belong to another entry: they no longer pair with what
 * was before it. With touch, the next one that makes placeholders is looked at again. */
void slots_cut(struct apply *a, int64_t tid, bool touch);
void slots_cut_here(struct apply *a); /* the row's own event belongs to the new entry already */

/* ---- meta.c, users.c ---- */
int root_new(struct state *st, struct state_root **out);
void root_free(struct mutator *m, void *r);
int root_load(struct state *st, struct state_root *r, const struct batch *b, struct err *e);
int id_put(struct mutator *m, struct state_root *r, const struct meta_user *u, uint64_t ord);
void id_clear(struct state_root *r);

/* What an event type does to its thread; digest and apply must agree. */
enum type_traits {
	TT_RESET = 1 << 0,  /* becomes the thread's last enter */
	TT_EXIT = 1 << 1,   /* pairs with it */
	TT_TOUCH = 1 << 2,  /* makes a placeholder for an unknown tid */
	TT_THREAD = 1 << 3, /* has a thread at all */
	TT_CLONE =
		1 << 4, /* exit of a call that makes threads: its child side starts a new thread */
};
unsigned type_traits(const struct demand *d, unsigned type);
static inline uint32_t type_flags(const struct demand *d, unsigned type)
{
	const struct event_info *i = &event_table[type];

	return d->compat029 || i->known_029 ? i->flags_029 : i->flags;
}
/* Is the enter event kept for its exit (facts: "Stored enter events", and those that newer exits
 * copy from)? */
bool type_stored(struct event *enter);
bool type_may_be_stored(unsigned enter_type); /* some events of the type are */
static ALWAYS_INLINE int32_t fd_narrow(int64_t fd)
{
	return fd > EV_FD_CARRY && fd <= INT32_MAX ? (int32_t)fd : EV_FD_NONE;
}
/* The last fd of a thread that has shown no enter event: 0.29.3 says 0. */
static inline int32_t fd_initial(const struct demand *d)
{
	return d->compat029 ? 0 : EV_FD_NONE;
}
/* The thread's last fd as of event r (EV_FD_NONE), once the slots have their carries. */
int32_t rec_last_fd(const struct batch *b, const struct ev_rec *r, const struct demand *d);

static inline unsigned max_code(const struct demand *d)
{
	return d->compat029 ? (unsigned)EV_CODE_COUNT_029 : (unsigned)EV_CODE_COUNT;
}
/* Time stamp of an event, ns. */
static ALWAYS_INLINE uint64_t rec_ts(const struct batch *b, const struct ev_rec *r)
{
	const uint8_t *p = b->data + r->off;
	uint32_t kind = load_u32(p);

	return load_u64(p + (LIKELY(kind == BLK_EV_V2) ? 10 : event_block_hdr_off(kind)));
}
/* The event at off, which the digest has checked. */
static ALWAYS_INLINE void block_event(struct event *e, const struct batch *b, uint32_t off)
{
	event_view(e, b->data + off);
}

#endif
