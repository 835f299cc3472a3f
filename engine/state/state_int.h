/* Private to engine/state: what the apply handlers use to change the tables. Apply turn only.
 *
 * A handler runs for one row (an event that changes demanded state), in order, and sees the newest
 * state. */
#ifndef BURIN_STATE_STATE_INT_H
#define BURIN_STATE_STATE_INT_H

#include "source/meta.h"
#include "state/state.h"

/* Which part of what rows do is being done: with shards (shard.c) descriptors have their own turns,
 * behind that of the threads. */
enum apply_part { PART_ALL, PART_THREADS, PART_FDS };

/* One row being applied. */
struct apply {
	struct state *st;
	struct mutator *m; /* whose turn it is */
	const struct demand *d;
	struct batch *b;
	struct state_root *root;
	enum apply_part part;
	const struct ev_rec *rec;
	uint64_t ord;	  /* of this event */
	uint64_t asof;	  /* PART_FDS: threads are looked at as of this order number */
	struct event ev;  /* decoded */
	struct thread *t; /* the event's thread if alive (sysdig's binding rules), else NULL */
	/* Last enter of the thread, whether or not it pairs. */
	uint64_t enter_ord;
	uint16_t enter_type; /* 0xffff = none */
	bool paired;	     /* exit code == enter_type + 1 */
	bool has_enter;	     /* enter (below) is the paired enter event and readable */
	struct event enter;
	int64_t last_fd; /* the thread's last fd (EV_FD_NONE = none) */
};

/* ---- texts (reference counted, apply turn) ---- */
/* rstr_new: ref 1; NULL when memory is out. A text goes with its last reference: readers reach it
 * only through versions, which keep theirs until they are reclaimed. */
struct rstr *rstr_new(struct mutator *m, const void *p, size_t len);
struct rstr *rstr_get(struct mutator *m, struct rstr *s); /* ref + 1, returns s */
void rstr_put(struct mutator *m, struct rstr *s);
extern struct rstr rstr_empty; /* never counted */

/* ---- threads ---- */
struct thread *thread_find(struct state_root *r, int64_t tid); /* alive now, newest; NULL */
static inline struct thread_ver *thread_now(struct thread *t)
{
	return atomic_load_explicit(&t->ver, memory_order_relaxed);
}
struct thread *thread_main_now(struct state_root *r, struct thread *t); /* tid == pid entry; NULL */
/* For what may run in the turn of a shard: the thread's version and its main thread as the row sees
 * them. */
static inline const struct thread_ver *row_ver(const struct apply *a, struct thread *t)
{
	return a->part == PART_FDS ? thread_ver_at(t, a->asof) : thread_now(t);
}
static inline struct thread *row_main(const struct apply *a, struct thread *t)
{
	const struct thread_ver *v;

	if (a->part != PART_FDS)
		return thread_main_now(a->root, t);
	v = thread_ver_at(t, a->asof);
	return v ? state_main_at(a->root, t, v, a->asof) : NULL;
}
/* New thread entry (replaces a live one of the same tid), born at ord with a zeroed version holding
 * empty texts and all-ones ids; not yet visible until thread_publish. */
struct thread *thread_create(struct apply *a, int64_t tid, struct thread_ver **v);
bool thread_publish(struct apply *a, struct thread *t); /* false: t is gone, memory is out */
/* A copy of the newest version stamped with a->ord that may be edited until the next call on this
 * thread (an existing version of the same ord is edited in place). Assign texts with
 * thread_set_text. */
struct thread_ver *thread_edit(struct apply *a, struct thread *t);
void thread_set_text(struct apply *a, struct rstr **slot, const void *p, size_t len);
void thread_share_text(struct apply *a, struct rstr **slot, struct rstr *s);
void thread_kill(struct apply *a, struct thread *t, uint64_t death_ord);

/* ---- descriptors ---- */
/* The table t uses, sharing rules applied; NULL: none. */
struct fd_table *thread_fds_now(struct apply *a, struct thread *t, bool make);
struct fd_ver *fd_find(struct fd_table *ft, int64_t fd); /* open now; NULL */
/* A fresh entry (replaces an open one), ord and id = a->ord, zeroed, raw = empty text; fill it
 * before the handler returns. Also sets the thread's last fd. NULL when fd is not a possible number
 * or memory is out. */
struct fd_ver *fd_add(struct apply *a, struct thread *t, int64_t fd);
/* A new version of an open entry, copied from it, stamped a->ord (in place when it already is). */
struct fd_ver *fd_edit(struct apply *a, struct fd_table *ft, int64_t fd);
/* fd_ver_name for what changes the tables: when memory is out, the run fails. */
const char *fd_name_now(struct apply *a, const struct fd_ver *f, bool compat029, uint32_t *len);
/* base may be NULL; a reference to it is taken. */
void fd_set_name(struct apply *a, struct fd_ver *f, struct rstr *base, const void *raw, size_t len);
void fd_close(struct apply *a, struct fd_table *ft, int64_t fd, uint64_t from_ord);
/* Shares blocks copy-on-write. */
struct fd_table *fd_table_clone(struct apply *a, struct fd_table *ft);
/* Everything of src but ord, prev, id, ref and the built name goes to dst (base and raw:
 * references). For dup. */
void fd_copy_value(struct apply *a, struct fd_ver *dst, const struct fd_ver *src);
/* The value alone, texts without references: what stands before kind is the version's place in the
 * chain, and another worker may be building the name. */
static inline void fd_value_copy(struct fd_ver *dst, const struct fd_ver *src)
{
	const size_t from = offsetof(struct fd_ver, kind), to = offsetof(struct fd_ver, name);

	memcpy((char *)dst + from, (const char *)src + from, to - from);
}
/* Who owns what in an fd_ver: base and raw are counted references; name is malloc'ed by the reader
 * that built it (or is raw itself, then not counted) and freed with the version. */

/* ---- the rest of the root ---- */
/* Frees p through fn once no unfinished batch up to the present one remains. fn runs in the apply
 * turn. */
void state_retire(struct mutator *m, void (*fn)(struct mutator *m, void *p), void *p);
/* Users and groups (users.c). The entry holds from a->ord on; texts are copied. */
void user_put(struct apply *a, const struct meta_user *u);
void user_drop(struct apply *a, bool is_group, uint32_t id);
/* Where the container table of a section hangs; NULL until container.c makes one (publish with
 * release). */
struct container_table;
struct container_table *_Atomic *state_root_containers(const struct state_root *r);
/* container.c: called when the section is gone and nobody reads it any more. */
void container_table_free(struct container_table *t);
/* container.c: id of the container that a cgroups text ("subsys=path" NUL "subsys=path" ...) stands
 * for; returns its length, 0 = host. out holds 128 bytes. */
size_t container_id_of(const char *cgroups, size_t len, char *out, bool compat029);

/* ---- handlers: one per kind of event, dispatched by code (apply_table.c) ---- */
typedef void (*apply_fn)(struct apply *a);
void apply_clone_exit(struct apply *a); /* apply_clone.c: clone, fork, vfork, clone3 */
void apply_execve_exit(struct apply *a);
void apply_procexit(struct apply *a);
void apply_chdir(struct apply *a); /* chdir, fchdir, getcwd, chroot */
void apply_ids(struct apply *a);   /* setuid, setgid, setres*, setsid, capset ... */
void apply_rlimit(struct apply *a);
void apply_volatile(struct apply *a); /* brk, mmap, munmap, switch */
void apply_procinfo(struct apply *a); /* apply_cpu.c */
void apply_open(struct apply *a);  /* apply_fd.c: open, creat, openat, openat2, open_by_handle_at */
void apply_close(struct apply *a); /* close, close_range */
void apply_dup(struct apply *a);   /* dup*, fcntl F_DUPFD */
void apply_pipe(struct apply *a);
void apply_anon_fd(struct apply *a); /* eventfd, signalfd, timerfd, inotify, epoll, memfd, pidfd,
					bpf, io_uring, userfaultfd */
void apply_socket(struct apply *a);  /* apply_sock.c: socket, socketpair */
void apply_bind(struct apply *a);
void apply_connect(struct apply *a); /* enter and exit */
void apply_accept(struct apply *a);
void apply_transfer(struct apply *a);	/* sendto, sendmsg, recvfrom, recvmsg, recvmmsg, sendmmsg:
					   re-tuple, SCM_RIGHTS */
void apply_data(struct apply *a);	/* read, write and the like: fd.connected */
void apply_container(struct apply *a);	/* container.c */
void apply_user_event(struct apply *a); /* user/group added and deleted */

/* Which handler a code has in this mode and which demand bits call for it; NULL fn = not a row.
 * Used by digest too. */
enum {
	ROW_ALWAYS,
	ROW_OK /* only with parameter 0 >= 0 */,
	ROW_ADDR /* also parameter param not empty */
};
struct apply_entry {
	apply_fn fn;
	uint32_t demand;
	uint8_t when;
	int8_t param;
};
enum { FCNTL_F_DUPFD = 1, FCNTL_F_SETFD = 3, FCNTL_F_DUPFD_CLOEXEC = 26 }; /* values in traces */
const struct apply_entry *apply_table(bool compat029); /* EV_CODE_COUNT entries */

#endif
