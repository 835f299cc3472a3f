/* Thread, descriptor, user, interface and container tables, seen as of any event in flight.
 *
 * Writing: one thread at a time holds the pipeline's apply turn and calls state_apply in batch
 * order. Reading: any worker that analyses a batch, for that batch's events, through the *_at
 * functions.
 *
 * Rules that make this safe:
 *  1. An entry lives for [birth, death) in order numbers; each value of it is an immutable
 *     version stamped with the order number from which it holds. Readers of event e take the
 *     newest version with ord <= e.
 *  2. A new version is published with release on the head pointer; versions behind it never
 *     change.
 *  3. A superseded version, a dead thread, a replaced block of descriptors goes on the retire
 *     list of the batch whose apply superseded it. It is freed by the holder of the apply turn
 *     once no unfinished batch with that number or a lower one remains (state_reclaim). So a
 *     pointer got for batch b stays valid until b is released.
 *  4. The tables that map tid -> thread are open-addressed arrays, one per shard, replaced when
 *     they grow, published with release. A reader of a later batch may walk past a thread that is
 *     being unlinked: readers are inside an RCU (QSBR) read-side section, and threads and old
 *     arrays are freed after a grace period (directly when the run has one worker).
 *  5. Reference counts (rstr, fd_ver, blocks) are touched by the apply turn only, or with shards
 *     by the shards' turns too; then they are atomic. */
#ifndef BURIN_STATE_STATE_H
#define BURIN_STATE_STATE_H

#include <stdatomic.h>

#include "event/batch.h"
#include "state/demand.h"

#define ORD_NEVER UINT64_MAX

/* Immutable text. s is NUL-terminated (and may hold NULs itself: args, env, cgroups). */
struct rstr {
	_Atomic uint32_t ref;
	uint32_t len; /* bytes without the final NUL */
	char s[];
};

struct fd_table;
struct container;

/* Bits of thread_ver.flags: what the trace carries (PPM_CL_*), frozen. */
enum thread_flags {
	PPM_CL_CLONE_FILES = 1 << 0,
	PPM_CL_CLONE_FS = 1 << 1,
	PPM_CL_CLONE_NEWPID = 1 << 6,
	PPM_CL_CLONE_PARENT = 1 << 8,
	PPM_CL_CLONE_THREAD = 1 << 13,
	PPM_CL_CLONE_INVERTED = 1 << 16,
	PPM_CL_NAME_CHANGED = 1 << 17,
	PPM_CL_CLOSED = 1 << 18,
	PPM_CL_ACTIVE = 1 << 19,
	PPM_CL_CLONE_NEWUSER = 1 << 20,
	PPM_CL_PIPE_SRC = 1 << 21,
	PPM_CL_PIPE_DST = 1 << 22,
	PPM_CL_CLONE_VFORK = 1 << 27,
	PPM_CL_CHILD_IN_PIDNS = 1 << 29,
	PPM_CL_IS_MAIN_THREAD = 1 << 30,
};

/* One value of a thread. Numbers that the trace does not give are -1 (all-ones for unsigned). */
struct thread_ver {
	uint64_t ord;
	struct thread_ver *prev; /* older; valid only for readers of events before ord */
	int64_t pid, ptid, sid, vpgid, pgid, vtid, vpid;
	uint64_t fdlimit;
	uint32_t flags; /* PPM_CL_* */
	uint32_t uid, gid, tty, loginuid;
	uint64_t clone_ts; /* ns; time of the clone event, 0 if unknown */
	uint64_t pidns_init_start_ts;
	uint64_t cap_inheritable, cap_permitted, cap_effective;
	uint64_t exe_ino, exe_ino_ctime, exe_ino_mtime;
	bool exe_writable, exe_upper_layer, exe_lower_layer, exe_from_memfd;
	bool placeholder; /* made for an unknown tid */
	/* never NULL; cwd ends in '/'; container_id "" = host */
	struct rstr *comm, *exe, *exepath, *args, *env, *cwd, *root, *cgroups, *container_id;
};

/* Descriptors and volatile scalars may change thousands of times while a batch is in flight: skip
 * leads from a version to what held before the batch that made it. Only good to follow when
 * skip_ord > ord of the reader: then it is newer than what the reader looks for, hence not
 * reclaimed. */

/* Volatile scalars, recorded only when demanded (DEMAND_VOLATILE, DEMAND_CPU). */
struct thread_vol {
	uint64_t ord;
	struct thread_vol *prev, *skip;
	uint64_t skip_ord;
	uint32_t vmsize_kb, vmrss_kb, vmswap_kb;
	uint64_t pfmajor, pfminor;
	/* Only with DEMAND_CPU. Counters of the last procinfo event, in hundredths of a second; 0 =
	 * none. On the version that a procinfo event made, the "before" values are those of the
	 * procinfo event before it. */
	uint64_t cpu_user, cpu_system, cpu_user_before, cpu_system_before;
	/* ns on the CPU: since the CPU's last switch (on a switch event's version), in sum */
	uint64_t exec_ns, exec_total_ns;
};

struct thread {
	int64_t tid;		/* IMMUTABLE */
	uint64_t birth;		/* IMMUTABLE: ord of the event that made it (0: process list) */
	_Atomic uint64_t death; /* first ord at which it is gone; ORD_NEVER */
	struct thread *_Atomic older; /* earlier incarnation of the tid, visible to older batches */
	struct thread_ver *_Atomic ver; /* newest first */
	struct thread_vol *_Atomic vol; /* newest first; NULL unless demanded */
	struct fd_table *_Atomic fds;	/* own table (unused while the thread shares its main's) */
	struct open_enter *open;	/* OWNED_BY(apply): last enter event */
};

/* Kinds of descriptors: the codes of the FDL block where they have one. */
enum fd_kind {
	FDK_UNKNOWN = 0,
	FDK_FILE = 1,
	FDK_DIRECTORY = 2,
	FDK_IPV4 = 3,
	FDK_IPV6 = 4,
	FDK_IPV4_SERV = 5,
	FDK_IPV6_SERV = 6,
	FDK_FIFO = 7,
	FDK_UNIX = 8,
	FDK_EVENT = 9,
	FDK_UNSUPPORTED = 10,
	FDK_SIGNALFD = 11,
	FDK_EVENTPOLL = 12,
	FDK_INOTIFY = 13,
	FDK_TIMERFD = 14,
	FDK_NETLINK = 15,
	FDK_FILE_V2 = 16,
	FDK_BPF = 17,
	FDK_USERFAULTFD = 18,
	FDK_IO_URING = 19,
	FDK_MEMFD = 20,
	FDK_PIDFD = 21,
	FDK_CLOSED = 0xff, /* tombstone version */
};
enum fd_flags {
	FDF_ROLE_CLIENT = 1 << 0,
	FDF_ROLE_SERVER = 1 << 1,
	FDF_CONNECTED = 1 << 2,
	FDF_CLOEXEC = 1 << 3,
	FDF_FROM_PROC = 1 << 4,
	FDF_PENDING = 1 << 5,
	FDF_NAME_CHANGED = 1 << 6, /* by the event that made this version */
	/* The name is the text of the addresses below (fd_tuple_text), built when first asked for:
	 * inet sockets, those of the process list included. */
	FDF_TUPLE_NAME = 1 << 7,
};
enum l4proto { L4_UNKNOWN = 0, L4_NA = 1, L4_TCP = 2, L4_UDP = 3, L4_ICMP = 4, L4_RAW = 5 };

/* One value of a descriptor. */
struct fd_ver {
	uint64_t ord;
	struct fd_ver *prev, *skip;
	uint64_t skip_ord;
	uint64_t id;  /* ord of the event that created the entry: same for all its versions */
	_Atomic uint32_t ref; /* blocks that hold it */
	/* From here on to name: the value. */
	uint8_t kind; /* enum fd_kind */
	uint8_t l4proto;
	uint16_t flags; /* enum fd_flags */
	uint32_t openflags, dev;
	uint64_t ino;
	uint8_t sip[16],
		dip[16];       /* network order; ipv4 in the first 4 bytes; servers: sip, sport */
	uint16_t sport, dport; /* host order */
	uint64_t unix_source, unix_dest;
	/* Name = base + "/" + raw, cleaned, built when first needed; base NULL: raw is the name, or
	 * the addresses are (FDF_TUPLE_NAME). */
	struct rstr *base, *raw;
	struct rstr *_Atomic name; /* the built text or NULL; published by compare-and-swap */
};

struct user {
	uint32_t uid, gid;
	const char *name, *home, *shell;
};
struct group {
	uint32_t gid;
	const char *name;
};
struct iface {
	bool v6;
	uint8_t addr[16], mask[16];
	const char *name;
};
struct machine_info {
	uint32_t num_cpus;
	uint64_t memory_bytes, max_pid, boot_ts;
	char hostname[129];
};

struct state; /* everything; one per run */

struct state_opts {
	const struct demand *demand; /* borrowed for the life of the state */
	unsigned workers;	     /* 1: no RCU registration, no deferred frees by RCU */
	unsigned fd_shards; /* into how many the descriptor tables are divided (shards, below); 0 = not */
};
int state_new(struct state **out, const struct state_opts *o);
void state_free(struct state *st);

/* A new file begins: evt.num and the relative clock restart, order numbers go on. Apply turn. */
void state_begin_file(struct state *st);
/* The same, but the file is read from the section on before whose metadata its numbering stood so. */
void state_begin_section(struct state *st, const struct numbering *n);

/* Applies one batch (both kinds): numbers its events, sets root, first_ord, num_base, origin_ts,
 * resolves slots and carries, publishes new versions. Apply turn, in batch order. BATCH_META builds
 * a new root (a new section). Returns 0, or negative with *e (bad metadata, file offset in e->pos):
 * the trace ends before this batch. */
int state_apply(struct state *st, struct batch *b, struct err *e);

/* Frees what batches numbered below oldest_unfinished retired. Apply turn. */
void state_reclaim(struct state *st, uint64_t oldest_unfinished);

/* ---- shards: the descriptor tables filled by several workers (shard.c) ----
 *
 * Each shard has a turn of its own, which goes through the batches in order. A batch is digested,
 * split (any worker), applied (apply turn; a whole batch only when all shards are done with those
 * before it), and then each shard in b->fd_shards does its rows; with b->all_shards one worker holds
 * all turns and calls for STATE_ALL_SHARDS. A batch may be analysed when all shards are done with it
 * and with those before it. */
enum { STATE_MAX_FD_SHARDS = 8, STATE_ALL_SHARDS = 255 };
unsigned state_fd_shards(const struct state *st); /* 0: state_apply does everything */
int state_split(const struct state *st, struct batch *b); /* 0, or negative for lack of memory */
int state_apply_fds(struct state *st, struct batch *b, unsigned shard); /* likewise */
void state_reclaim_fds(struct state *st, unsigned shard, uint64_t oldest_unfinished); /* its turn */

/* RCU registration of every worker when there are several; quiescent between batches, offline
 * around blocking. No-ops when the state was made for one worker. */
void state_reader_register(struct state *st);
void state_reader_unregister(struct state *st);
void state_reader_quiescent(struct state *st);
void state_reader_offline(struct state *st);
void state_reader_online(struct state *st);

/* ---- reading as of an event (any worker; ord belongs to the batch it analyses) ---- */

struct thread *state_thread_at(const struct state_root *r, int64_t tid, uint64_t ord); /* NULL */
const struct thread_ver *thread_ver_at(const struct thread *t, uint64_t ord); /* NULL: not alive */
const struct thread_vol *thread_vol_at(const struct thread *t, uint64_t ord); /* NULL: none */
/* The main thread (tid = pid) as of ord; t itself when it is main; NULL if unknown. */
struct thread *state_main_at(const struct state_root *r, struct thread *t,
			     const struct thread_ver *v, uint64_t ord);
struct thread *state_parent_at(const struct state_root *r, const struct thread_ver *v,
			       uint64_t ord);
/* Threads of the process beside main, its main thread, as of ord. */
uint32_t state_nthreads_at(const struct thread *main, uint64_t ord);
/* Descriptor as of ord, through the main thread's table where shared; NULL: closed or unknown. */
const struct fd_ver *state_fd_at(const struct state_root *r, struct thread *t,
				 const struct thread_ver *v, int64_t fd, uint64_t ord);
/* Descriptors of t's table in ascending order as of ord. fn returns non-zero to stop. */
int state_fds_each(const struct state_root *r, struct thread *t, const struct thread_ver *v,
		   uint64_t ord, int (*fn)(void *ctx, int fd, const struct fd_ver *f), void *ctx);
/* All threads alive as of ord in ascending tid. */
int state_threads_each(const struct state_root *r, uint64_t ord,
		       int (*fn)(void *ctx, struct thread *t), void *ctx);
/* Name of the descriptor, built once. Never NULL; *len without the NUL. compat029: bytes that are
 * not printable are shown as 0.29.3 does (facts: state-rules.md, path rules). */
const char *fd_ver_name(const struct fd_ver *f, bool compat029, uint32_t *len);

const struct user *state_user_at(const struct state_root *r, uint32_t uid,
				 uint64_t ord); /* NULL = unknown */
const struct group *state_group_at(const struct state_root *r, uint32_t gid, uint64_t ord);
const struct user *state_user(const struct state_root *r,
			      uint32_t uid); /* newest; only outside analysis */
const struct group *state_group(const struct state_root *r, uint32_t gid);
const struct iface *state_ifaces(const struct state_root *r, unsigned *n);
/* Whether the section was recorded by a writer of the newest kind (exits alone, schema 4), told by
 * its process list. Where readers changed their ways its events are shown as the newest reader
 * shows them. Needs no demand; r may be NULL. */
bool state_newest_writer(const struct state_root *r);
const struct machine_info *
state_machine(const struct state_root *r); /* zeros when not in the file */
const struct container *state_container_at(const struct state_root *r, const char *id,
					   uint64_t ord);

/* ---- helpers shared with rendering (pure)
 * --------------------------------------------------------- */

/* base + "/" + path cleaned ("//", ".", ".."), or "/PATH_TOO_LONG" past 1024 bytes. An absolute
 * path ignores base. compat029: only the part behind the base is cleaned, by 0.29.3's rules, and
 * bytes that are not printable ASCII become '.'; a base that ends in '/' or is "<UNKNOWN>" gets no
 * further slash. out holds 1026 bytes or more; NUL-terminated; returns the length. */
size_t path_join(char *out, const char *base, size_t base_len, const char *path, size_t path_len,
		 bool compat029);
/* The same relative to a directory descriptor, given by its name (NULL: unknown, "<UNKNOWN>").
 * 0.29.3 puts a slash behind every such name, even behind "/". */
size_t path_join_at(char *out, const char *dir_name, size_t dir_len, const char *path,
		    size_t path_len, bool compat029);
char fd_kind_letter(unsigned kind);	 /* 'f', '4', ... */
const char *fd_kind_name(unsigned kind); /* "file", ...; NULL for kinds that print <NA> */
/* Text of an inet descriptor's addresses: "1.2.3.4:5->6.7.8.9:80", "0.0.0.0:80" for servers. A
 * socket made by events whose protocol is not known gives "<unknown>", as in 0.29.3; one of the
 * process list (FDF_FROM_PROC) does not. */
size_t fd_tuple_text(char *out, size_t cap, const struct fd_ver *f);
/* Text of SOCKADDR wire bytes (param-types.tsv): "1.2.3.4:80", path. NUL-terminated; returns the
 * length. */
size_t sock_addr_text(char *out, size_t cap, const uint8_t *addr, uint32_t len);
/* Text of SOCKTUPLE wire bytes (param-types.tsv). NUL-terminated; returns the length. */
size_t sock_tuple_text(char *out, size_t cap, const uint8_t *tuple, uint32_t len);

#endif
