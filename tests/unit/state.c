/* The tables as of each event: scenarios, each run in batches of several sizes, with analysis right
 * behind apply, far behind it, and after everything has been applied. What is seen at an event must
 * be the same in all of them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "source/source.h"
#include "state/bind.h"
#include "state/digest.h"
#include "state/state_priv.h"
#include "state_make.h"

/* ---- scenarios ---- */

enum look {
	LOOK_COMM, /* of tid; NULL text: unknown */
	LOOK_PID,
	LOOK_PTID,
	LOOK_UID,
	LOOK_FDLIMIT,
	LOOK_VMSIZE,   /* of tid */
	LOOK_CWD,      /* of tid's main thread */
	LOOK_EXEPATH,  /* of tid */
	LOOK_FD,       /* name of tid's descriptor arg; NULL text: none */
	LOOK_NFDS,     /* number of tid's descriptors */
	LOOK_NTHREADS, /* in the table */
	LOOK_SIBLINGS, /* of tid, a main thread */
	LOOK_EV_COMM,
	LOOK_EV_FDNUM,
	LOOK_EV_FD,
	LOOK_EV_LATENCY,
	LOOK_EV_ERRNO,
	LOOK_EV_PAIRED,
	LOOK_EV_ENTER,
	LOOK_USER, /* name of user arg */
};
static const char *const look_names[] = {"comm",	 "pid",
					 "ptid",	 "uid",
					 "fdlimit",	 "vmsize",
					 "cwd",		 "exepath",
					 "fd",		 "fds",
					 "threads",	 "siblings",
					 "event's comm", "event's fd number",
					 "event's fd",	 "latency",
					 "errno",	 "paired",
					 "stored enter", "user"};

struct want {
	uint32_t idx;
	enum look look;
	int64_t tid, arg;
	const char *text; /* for texts */
	int64_t n;	  /* for numbers */
};

enum { WANT_MAX = 256 };

struct sc {
	struct trace t;
	struct buf meta; /* metadata blocks, or empty */
	uint32_t meta_off[8];
	uint32_t nmeta;
	struct want want[WANT_MAX];
	unsigned nwant;
};

/* As of the last event. */
static void want_text(struct sc *s, enum look look, int64_t tid, int64_t arg, const char *text)
{
	s->want[s->nwant++] = (struct want){s->t.n - 1, look, tid, arg, text, 0};
}

static void want_num(struct sc *s, enum look look, int64_t tid, int64_t n)
{
	s->want[s->nwant++] = (struct want){s->t.n - 1, look, tid, 0, NULL, n};
}

static void meta_begin(struct sc *s)
{
	s->meta_off[s->nmeta++] = (uint32_t)s->meta.len;
	put_shb(&s->meta, 0x1A2B3C4D, 1, 2, 0);
}

static size_t meta_block(struct sc *s, uint32_t type)
{
	s->meta_off[s->nmeta++] = (uint32_t)s->meta.len;
	return block_begin(&s->meta, type);
}

/* A shell, pid 10, with a thread 11 and descriptors 0 and 3. */
static void meta_shell(struct sc *s)
{
	size_t at;

	meta_begin(s);
	at = meta_block(s, BLK_PL_V9);
	put_process(&s->meta, 10, 10, 1, "shell", "/home/me", 0);
	put_process(&s->meta, 11, 10, 1, "worker", "/nowhere",
		    PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES);
	block_end(&s->meta, at);
	at = meta_block(s, BLK_FDL_V2);
	put_int(&s->meta, 10, 8);
	put_fd_file(&s->meta, 0, "/dev/null");
	put_fd_file(&s->meta, 3, "/etc/motd");
	put_fd_ipv4(&s->meta, 4, 5, 0, 22, 0, 0);
	put_fd_ipv4(&s->meta, 5, 3, 0x0500000a, 22, 0x04030201, 5555);
	put_fd_ipv4(&s->meta, 6, 3, 0x0500000a, 40000, 0x04030201, 80);
	block_end(&s->meta, at);
}

static void sc_process_list(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_COMM, 10, 0, "shell");
	want_text(s, LOOK_CWD, 10, 0, "/home/me/");
	want_text(s, LOOK_CWD, 11, 0, "/home/me/");
	want_text(s, LOOK_FD, 10, 3, "/etc/motd");
	want_text(s, LOOK_FD, 11, 3, "/etc/motd");
	want_text(s, LOOK_FD, 11, 7, NULL);
	want_text(s, LOOK_FD, 10, 5, "1.2.3.4:5555->10.0.0.5:22");
	want_text(s, LOOK_FD, 10, 6, "10.0.0.5:40000->1.2.3.4:80");
	want_num(s, LOOK_NFDS, 10, 5);
	want_num(s, LOOK_NFDS, 11, 5);
	want_num(s, LOOK_NTHREADS, 0, 2);
	want_num(s, LOOK_VMSIZE, 10, 11);
}

static void sc_placeholder(struct sc *s)
{
	trace_event(&s->t, 7, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2, 3,
		    4, 5);
	want_text(s, LOOK_COMM, 7, 0, NULL);
	want_text(s, LOOK_EV_COMM, 0, 0, NULL);
	trace_event(&s->t, 7, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_EV_COMM, 0, 0, "<NA>");
	want_num(s, LOOK_PID, 7, 7);
	want_num(s, LOOK_PTID, 7, -1);
	want_num(s, LOOK_UID, 7, UINT32_MAX);
	trace_event(&s->t, 7, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2, 3,
		    4, 5);
	want_text(s, LOOK_EV_COMM, 0, 0, "<NA>");
	want_num(s, LOOK_NTHREADS, 0, 1);
}

static void sc_open_close(struct sc *s)
{
	meta_shell(s);
	ev_open(&s->t, 10, 7, "a/../file");
	want_text(s, LOOK_FD, 10, 7, "/home/me/file");
	want_text(s, LOOK_EV_FD, 0, 0, "/home/me/file");
	want_num(s, LOOK_EV_FDNUM, 0, 7);
	trace_event(&s->t, 11, EV_SYSCALL_READ_E, "qd", (int64_t)7, 100);
	want_text(s, LOOK_EV_FD, 0, 0, "/home/me/file");
	trace_event(&s->t, 11, EV_SYSCALL_READ_X, "qs", (int64_t)-9, "");
	want_num(s, LOOK_EV_ERRNO, 0, 9);
	want_num(s, LOOK_EV_FDNUM, 0, 7);
	ev_close(&s->t, 10, 7, 0);
	want_text(s, LOOK_EV_FD, 0, 0, "/home/me/file");
	want_num(s, LOOK_NFDS, 10, 6);
	trace_event(&s->t, 11, EV_SYSCALL_READ_E, "qd", (int64_t)7, 100);
	want_text(s, LOOK_EV_FD, 0, 0, NULL);
	want_num(s, LOOK_EV_FDNUM, 0, 7);
	want_num(s, LOOK_NFDS, 10, 5);
	trace_event(&s->t, 11, EV_SYSCALL_READ_X, "qs", (int64_t)-9, "");
	want_text(s, LOOK_EV_FD, 0, 0, NULL);
	ev_close(&s->t, 10, 0, -9);
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_FD, 10, 0, "/dev/null");
	ev_open(&s->t, 10, 100000, "/far");
	want_text(s, LOOK_FD, 10, 100000, "/far");
	ev_open(&s->t, 10, -2, "/missing");
	want_num(s, LOOK_EV_FDNUM, 0, -1);
	want_text(s, LOOK_EV_FD, 0, 0, NULL);
	ev_open(&s->t, 10, 7, "again");
	trace_event(&s->t, 11, EV_SYSCALL_READ_E, "qd", (int64_t)7, 100);
	want_text(s, LOOK_EV_FD, 0, 0, "/home/me/again");
}

static void sc_fork(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_CLONE_20_E, "");
	ev_clone_exit(&s->t, 10, 20, "shell", 10, 1, 0);
	want_text(s, LOOK_COMM, 20, 0, "shell");
	want_num(s, LOOK_PTID, 20, 10);
	want_num(s, LOOK_PID, 20, 20);
	want_text(s, LOOK_CWD, 20, 0, "/home/me/");
	ev_clone_exit(&s->t, 20, 0, "other", 20, 10, 0);
	want_text(s, LOOK_EV_COMM, 0, 0, "shell"); /* the child's event is not applied */
	want_num(s, LOOK_EV_LATENCY, 0, 0);
	/* Descriptors are copies: each side changes its own. */
	ev_open(&s->t, 20, 8, "/child");
	want_text(s, LOOK_FD, 10, 8, NULL);
	want_text(s, LOOK_FD, 20, 8, "/child");
	ev_open(&s->t, 10, 8, "/parent");
	want_text(s, LOOK_FD, 10, 8, "/parent");
	want_text(s, LOOK_FD, 20, 8, "/child");
	ev_close(&s->t, 10, 3, 0);
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_FD, 10, 3, NULL);
	want_text(s, LOOK_FD, 20, 3, "/etc/motd");
	trace_event(&s->t, 20, EV_SYSCALL_CHDIR_E, "");
	trace_event(&s->t, 20, EV_SYSCALL_CHDIR_X, "qs", (int64_t)0, "sub");
	want_text(s, LOOK_CWD, 20, 0, "/home/me/sub/");
	want_text(s, LOOK_CWD, 10, 0, "/home/me/");
	ev_exec_enter(&s->t, 20, "./prog");
	ev_exec_exit(&s->t, 20, 0, "prog", 20, 10);
	want_text(s, LOOK_EV_COMM, 0, 0, "prog");
	want_text(s, LOOK_EXEPATH, 20, 0, "/home/me/sub/prog");
	ev_procexit(&s->t, 20);
	want_text(s, LOOK_EV_COMM, 0, 0, "prog");
	want_num(s, LOOK_NTHREADS, 0, 3);
	trace_event(&s->t, 20, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2, 3,
		    4, 5);
	want_text(s, LOOK_EV_COMM, 0, 0, NULL);
	want_num(s, LOOK_NTHREADS, 0, 2);
}

static void sc_child_first(struct sc *s)
{
	meta_shell(s);
	ev_clone_exit(&s->t, 20, 0, "kid", 20, 10, 0);
	want_text(s, LOOK_EV_COMM, 0, 0, "kid");
	want_num(s, LOOK_PTID, 20, 10);
	want_text(s, LOOK_FD, 20, 3, "/etc/motd");
	ev_exec_enter(&s->t, 20, "/bin/new");
	ev_exec_exit(&s->t, 20, 0, "new", 20, 10);
	ev_clone_exit(&s->t, 10, 20, "shell", 10, 1, 0);
	want_text(s, LOOK_COMM, 20, 0, "new"); /* the parent's event comes too late to matter */
}

/* The tid comes back: two seconds later for the child's event, at once for the parent's. */
static void sc_tid_reuse(struct sc *s)
{
	meta_shell(s);
	ev_clone_exit(&s->t, 10, 20, "one", 10, 1, 0);
	ev_open(&s->t, 20, 9, "/one");
	want_text(s, LOOK_COMM, 20, 0, "one");
	/* Its end was lost. */
	ev_clone_exit(&s->t, 10, 20, "two", 10, 1, 0);
	want_text(s, LOOK_COMM, 20, 0, "two");
	want_text(s, LOOK_FD, 20, 9, NULL);
	s->t.ts += 3000000000;
	ev_clone_exit(&s->t, 20, 0, "three", 20, 10, 0);
	want_text(s, LOOK_EV_COMM, 0, 0, "three");
	ev_procexit(&s->t, 20);
	want_text(s, LOOK_EV_COMM, 0, 0, "three");
	ev_clone_exit(&s->t, 10, 20, "four", 10, 1, 0);
	want_text(s, LOOK_COMM, 20, 0, "four");
	ev_procexit(&s->t, 20);
	trace_event(&s->t, 20, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_EV_COMM, 0, 0, "<NA>");
	want_num(s, LOOK_NTHREADS, 0, 3);
}

static void sc_threads(struct sc *s)
{
	unsigned flags = PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES;

	meta_shell(s);
	ev_clone_exit(&s->t, 10, 12, "shell", 10, 1, flags);
	want_num(s, LOOK_PID, 12, 10);
	want_num(s, LOOK_PTID, 12, 10);
	want_num(s, LOOK_SIBLINGS, 10, 2);
	ev_open(&s->t, 12, 9, "rel");
	want_text(s, LOOK_FD, 10, 9, "/home/me/rel");
	want_text(s, LOOK_FD, 11, 9, "/home/me/rel");
	want_num(s, LOOK_NFDS, 12, 6);
	trace_event(&s->t, 12, EV_SYSCALL_CHDIR_E, "");
	trace_event(&s->t, 12, EV_SYSCALL_CHDIR_X, "qs", (int64_t)0, "/tmp");
	want_text(s, LOOK_CWD, 10, 0, "/tmp/");
	ev_procexit(&s->t, 12);
	want_text(s, LOOK_COMM, 12, 0, "shell");
	want_num(s, LOOK_SIBLINGS, 10, 2);
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_COMM, 12, 0, NULL);
	want_num(s, LOOK_SIBLINGS, 10, 1);
	want_text(s, LOOK_FD, 10, 9, "/home/me/rel");
}

/* A main thread that ends before its threads. */
static void dead_main(struct sc *s)
{
	meta_shell(s);
	ev_procexit(&s->t, 10);
	trace_event(&s->t, 11, EV_SYSCALL_READ_E, "qd", (int64_t)3, 100);
	want_text(s, LOOK_COMM, 10, 0, "shell");
	want_text(s, LOOK_EV_FD, 0, 0, "/etc/motd");
	ev_procexit(&s->t, 11);
	trace_event(&s->t, 99, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_COMM, 11, 0, NULL);
}

static void sc_dead_main_compat(struct sc *s)
{
	dead_main(s);
	want_text(s, LOOK_COMM, 10, 0, "shell");
}

static void sc_dead_main_default(struct sc *s)
{
	dead_main(s);
	want_text(s, LOOK_COMM, 10, 0, NULL);
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_EV_COMM, 0, 0, "<NA>");
}

/* exec ends the other threads; one that speaks again is somebody new. */
static void sc_exec_threads(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 11, EV_SYSCALL_READ_E, "qd", (int64_t)3, 100);
	ev_exec_enter(&s->t, 10, "/bin/new");
	ev_exec_exit(&s->t, 10, 0, "new", 10, 1);
	want_text(s, LOOK_COMM, 11, 0, NULL);
	want_num(s, LOOK_NTHREADS, 0, 1);
	trace_event(&s->t, 11, EV_SYSCALL_READ_X, "qs", (int64_t)0, "");
	want_text(s, LOOK_EV_COMM, 0, 0, "<NA>");
	want_num(s, LOOK_EV_PAIRED, 0, 0);
	want_num(s, LOOK_EV_LATENCY, 0, 0);
	want_num(s, LOOK_NTHREADS, 0, 2);
}

static void sc_exec_threads_compat(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 11, EV_SYSCALL_READ_E, "qd", (int64_t)3, 100);
	ev_exec_enter(&s->t, 10, "/bin/new");
	ev_exec_exit(&s->t, 10, 0, "new", 10, 1);
	want_text(s, LOOK_COMM, 11, 0, "worker");
	trace_event(&s->t, 11, EV_SYSCALL_READ_X, "qs", (int64_t)0, "");
	want_text(s, LOOK_EV_COMM, 0, 0, "worker");
	want_num(s, LOOK_EV_PAIRED, 0, 1);
}

/* A live entry is replaced while its thread is inside a call: the exit belongs to the new one and
 * pairs with nothing. */
static void sc_replaced_in_call(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 20, EV_SYSCALL_READ_E, "qd", (int64_t)3, 100);
	want_text(s, LOOK_EV_COMM, 0, 0, "<NA>");
	ev_clone_exit(&s->t, 10, 20, "late", 10, 1, 0);
	trace_event(&s->t, 20, EV_SYSCALL_READ_X, "qs", (int64_t)-5, "");
	want_text(s, LOOK_EV_COMM, 0, 0, "late");
	want_num(s, LOOK_EV_PAIRED, 0, 0);
	want_num(s, LOOK_EV_LATENCY, 0, 0);
	trace_event(&s->t, 20, EV_SYSCALL_READ_E, "qd", (int64_t)0, 100);
	trace_event(&s->t, 20, EV_SYSCALL_READ_X, "qs", (int64_t)-5, "");
	want_num(s, LOOK_EV_PAIRED, 0, 1);
	want_text(s, LOOK_EV_FD, 0, 0, "/dev/null");
}

static void sc_reparent(struct sc *s)
{
	meta_shell(s);
	ev_clone_exit(&s->t, 10, 20, "mid", 10, 1, 0);
	ev_clone_exit(&s->t, 20, 30, "leaf", 20, 10, 0);
	want_num(s, LOOK_PTID, 30, 20);
	trace_event(&s->t, 20, EV_PROCEXIT_1_E, "qqccq", (int64_t)0, (int64_t)0, 0, 0, (int64_t)10);
	want_num(s, LOOK_PTID, 30, 20);
	trace_event(&s->t, 30, EV_SYSCALL_GETUID_E, "");
	want_num(s, LOOK_PTID, 30, 10);
	ev_procexit(&s->t, 10);
	trace_event(&s->t, 30, EV_SYSCALL_GETUID_E, "");
	want_num(s, LOOK_PTID, 30, 11); /* the group's other thread */
	ev_procexit(&s->t, 11);
	trace_event(&s->t, 30, EV_SYSCALL_GETUID_E, "");
	want_num(s, LOOK_PTID, 30, 1);
	want_text(s, LOOK_COMM, 10, 0, NULL);
}

static void sc_namespace(struct sc *s)
{
	meta_shell(s);
	/* The parent in a namespace says nothing about the child ... */
	ev_clone_exit(&s->t, 10, 20, "kid", 10, 1, PPM_CL_CHILD_IN_PIDNS);
	want_text(s, LOOK_COMM, 20, 0, NULL);
	/* ... which makes its own entry. */
	ev_clone_exit(&s->t, 20, 0, "kid", 20, 10, PPM_CL_CHILD_IN_PIDNS);
	want_text(s, LOOK_EV_COMM, 0, 0, "kid");
}

static void sc_pairs(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_READ_E, "qd", (int64_t)3, 100);
	want_num(s, LOOK_EV_LATENCY, 0, 0);
	trace_event(&s->t, 10, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2, 3,
		    4, 5);
	want_num(s, LOOK_EV_LATENCY, 0, 0);
	trace_event(&s->t, 11, EV_SYSCALL_GETUID_E, "");
	trace_event(&s->t, 10, EV_SYSCALL_READ_X, "qs", (int64_t)5, "");
	want_num(s, LOOK_EV_LATENCY, 0, 3 * EVENT_GAP_NS);
	want_text(s, LOOK_EV_FD, 0, 0, "/etc/motd");
	want_num(s, LOOK_EV_PAIRED, 0, 1);
	trace_event(&s->t, 10, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2, 3,
		    4, 5);
	want_num(s, LOOK_EV_LATENCY, 0, 3 * EVENT_GAP_NS); /* of the call before */
	trace_event(&s->t, 10, EV_SYSCALL_WRITE_X, "qs", (int64_t)-5, "");
	want_num(s, LOOK_EV_PAIRED, 0, 0);
	want_num(s, LOOK_EV_LATENCY, 0,
		 5 * EVENT_GAP_NS);	  /* since the last enter, whatever it was */
	want_num(s, LOOK_EV_ERRNO, 0, 5); /* without its enter too (run on 0.29.3) */
}

static void sc_dup(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_DUP_E, "q", (int64_t)3);
	trace_event(&s->t, 10, EV_SYSCALL_DUP_X, "q", (int64_t)9);
	want_num(s, LOOK_EV_FDNUM, 0, 9);
	want_text(s, LOOK_EV_FD, 0, 0, "/etc/motd");
	trace_event(&s->t, 10, EV_SYSCALL_FCNTL_E, "qc", (int64_t)3, FCNTL_F_DUPFD);
	trace_event(&s->t, 10, EV_SYSCALL_FCNTL_X, "q", (int64_t)10);
	want_num(s, LOOK_EV_FDNUM, 0, 10);
	want_text(s, LOOK_FD, 10, 10, "/etc/motd");
	trace_event(&s->t, 10, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2, 3,
		    4, 5);
	trace_event(&s->t, 10, EV_SYSCALL_FCNTL_E, "qc", (int64_t)3, 2);
	trace_event(&s->t, 10, EV_SYSCALL_FCNTL_X, "q", (int64_t)10);
	want_num(s, LOOK_EV_FDNUM, 0, 3);
	/* A copy of what is not there is nothing, and the number stays the old one. */
	trace_event(&s->t, 10, EV_SYSCALL_DUP_E, "q", (int64_t)77);
	trace_event(&s->t, 10, EV_SYSCALL_DUP_X, "q", (int64_t)78);
	want_num(s, LOOK_EV_FDNUM, 0, 77);
	want_text(s, LOOK_FD, 10, 78, NULL);
}

static void sc_ids(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_SETUID_E, "d", 33);
	trace_event(&s->t, 11, EV_SYSCALL_GETUID_E, "");
	trace_event(&s->t, 10, EV_SYSCALL_SETUID_X, "q", (int64_t)0);
	want_num(s, LOOK_UID, 10, 33);
	want_num(s, LOOK_EV_ENTER, 0, 1);
	want_num(s, LOOK_UID, 11, 1000);
	trace_event(&s->t, 10, EV_SYSCALL_SETRESUID_E, "ddd", -1, -1, 5);
	trace_event(&s->t, 10, EV_SYSCALL_SETRESUID_X, "q", (int64_t)0);
	want_num(s, LOOK_UID, 10, 33);
	trace_event(&s->t, 10, EV_SYSCALL_SETUID_X, "q", (int64_t)0); /* its enter is missing */
	want_num(s, LOOK_UID, 10, 33);
	trace_event(&s->t, 11, EV_SYSCALL_SETRLIMIT_E, "c", 7);
	trace_event(&s->t, 11, EV_SYSCALL_SETRLIMIT_X, "qqq", (int64_t)0, (int64_t)77, (int64_t)99);
	want_num(s, LOOK_FDLIMIT, 10, 77);
	trace_event(&s->t, 10, EV_SYSCALL_READ_E, "qd", (int64_t)3, 1);
	want_num(s, LOOK_EV_ENTER, 0, 0);
	trace_event(&s->t, 10, EV_SYSCALL_READ_X, "qs", (int64_t)1, "");
	want_num(s, LOOK_EV_ENTER, 0, 0); /* not a stored type: not there in any batch size */
}

static void sc_volatile(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 11, EV_SYSCALL_MMAP_E, "qqddqq", (int64_t)0, (int64_t)1, 1, 1,
		    (int64_t)-1, (int64_t)0);
	want_num(s, LOOK_VMSIZE, 11, 11);
	trace_event(&s->t, 11, EV_SYSCALL_MMAP_X, "qddd", (int64_t)0, 500, 60, 7);
	want_num(s, LOOK_VMSIZE, 11, 500);
	want_num(s, LOOK_VMSIZE, 10, 11);
	trace_event(&s->t, 11, EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1, (int64_t)2,
		    600, 4, 5);
	want_num(s, LOOK_VMSIZE, 11, 500);
	want_num(s, LOOK_VMSIZE, 10, 600);
}

static void sc_users(struct sc *s)
{
	size_t at;

	meta_begin(s);
	at = meta_block(s, BLK_UL_V2);
	size_t sub = sub_begin(&s->meta);
	put_int(&s->meta, 0, 1);
	put_int(&s->meta, 1000, 4);
	put_int(&s->meta, 1000, 4);
	put_str(&s->meta, "alice");
	put_str(&s->meta, "/home/alice");
	put_str(&s->meta, "/bin/sh");
	sub_end(&s->meta, sub);
	block_end(&s->meta, at);
	trace_event(&s->t, -1, EV_USER_ADDED_E, "ddssss", 1001, 1001, "bob", "/home/bob", "/bin/sh",
		    "");
	want_text(s, LOOK_USER, 0, 1000, "alice");
	want_text(s, LOOK_USER, 0, 1001, "bob");
	want_num(s, LOOK_NTHREADS, 0, 0);
	trace_event(&s->t, -1, EV_USER_DELETED_E, "ddssss", 1001, 1001, "bob", "/home/bob",
		    "/bin/sh", "");
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_E, "");
	want_text(s, LOOK_USER, 0, 1000, "alice");
	want_text(s, LOOK_USER, 0, 1001, NULL);
}

/* Exits alone, as the newest traces have them. */
static void sc_exits_only(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_OPENAT_2_X, "qqsdddq", (int64_t)7, (int64_t)-100, "x", 1,
		    0, 1, (int64_t)5);
	want_text(s, LOOK_EV_FD, 0, 0, "/home/me/x");
	want_num(s, LOOK_EV_FDNUM, 0, 7);
	trace_event(&s->t, 10, EV_SYSCALL_READ_X, "qsqd", (int64_t)1, "d", (int64_t)3, 10);
	want_text(s, LOOK_EV_FD, 0, 0, "/etc/motd");
	want_num(s, LOOK_EV_FDNUM, 0, 3);
	trace_event(&s->t, 10, EV_SYSCALL_OPENAT_2_X, "qqsdddq", (int64_t)-2, (int64_t)-100, "y", 1,
		    0, 0, (int64_t)0);
	want_num(s, LOOK_EV_FDNUM, 0, -1);
	want_num(s, LOOK_EV_ERRNO, 0, 2);
	trace_event(&s->t, 10, EV_SYSCALL_CLOSE_X, "qq", (int64_t)0, (int64_t)7);
	want_text(s, LOOK_EV_FD, 0, 0, "/home/me/x");
	trace_event(&s->t, 10, EV_SYSCALL_GETUID_X, "d", 0);
	want_text(s, LOOK_FD, 10, 7, NULL);
	trace_event(&s->t, 10, EV_SYSCALL_SETUID_X, "qd", (int64_t)0, 44);
	want_num(s, LOOK_UID, 10, 44);
}

/* close-on-exec: 0.29.3 keeps such descriptors. */
static void cloexec(struct sc *s)
{
	meta_shell(s);
	trace_event(&s->t, 10, EV_SYSCALL_OPEN_E, "sdd", "/secret", 1 | 1 << 12, 0);
	trace_event(&s->t, 10, EV_SYSCALL_OPEN_X, "qsddd", (int64_t)9, "/secret", 1 | 1 << 12, 0,
		    1);
	ev_exec_enter(&s->t, 10, "/bin/new");
	ev_exec_exit(&s->t, 10, 0, "new", 10, 1);
	want_text(s, LOOK_FD, 10, 3, "/etc/motd");
}

static void sc_cloexec_compat(struct sc *s)
{
	cloexec(s);
	want_text(s, LOOK_FD, 10, 9, "/secret");
}

static void sc_cloexec_default(struct sc *s)
{
	cloexec(s);
	want_text(s, LOOK_FD, 10, 9, NULL);
}

enum { MODE_DEFAULT = 1, MODE_COMPAT = 2, MODE_BOTH = 3 };

static const struct {
	const char *name;
	void (*build)(struct sc *s);
	unsigned modes;
} scenarios[] = {
	{"process list", sc_process_list, MODE_BOTH},
	{"placeholder", sc_placeholder, MODE_BOTH},
	{"open and close", sc_open_close, MODE_BOTH},
	{"fork", sc_fork, MODE_BOTH},
	{"child first", sc_child_first, MODE_BOTH},
	{"tid reuse", sc_tid_reuse, MODE_BOTH},
	{"threads", sc_threads, MODE_BOTH},
	{"dead main thread", sc_dead_main_compat, MODE_COMPAT},
	{"dead main thread", sc_dead_main_default, MODE_DEFAULT},
	{"exec with threads", sc_exec_threads, MODE_DEFAULT},
	{"exec with threads", sc_exec_threads_compat, MODE_COMPAT},
	{"replaced inside a call", sc_replaced_in_call, MODE_BOTH},
	{"re-parenting", sc_reparent, MODE_DEFAULT},
	{"pid namespace", sc_namespace, MODE_BOTH},
	{"pairs", sc_pairs, MODE_BOTH},
	{"copies of descriptors", sc_dup, MODE_BOTH},
	{"ids and limits", sc_ids, MODE_BOTH},
	{"memory counts", sc_volatile, MODE_BOTH},
	{"users", sc_users, MODE_DEFAULT},
	{"exits only", sc_exits_only, MODE_DEFAULT},
	{"close on exec", sc_cloexec_compat, MODE_COMPAT},
	{"close on exec", sc_cloexec_default, MODE_DEFAULT},
};

/* ---- running them ---- */

struct run {
	const char *name;
	uint32_t size; /* of a batch */
	struct demand d;
	struct state *st;
	struct batch *b; /* [0] is metadata when there is any */
	uint32_t nb;
};

static struct thread *thread_of(const struct batch *b, int64_t tid, uint64_t ord,
				const struct thread_ver **v)
{
	struct thread *t = state_thread_at(b->root, tid, ord);

	*v = t ? thread_ver_at(t, ord) : NULL;
	return t;
}

static int count_fd(void *ctx, int fd, const struct fd_ver *f)
{
	int64_t *n = ctx; /* [0] count, [1] last number */

	assert_true(fd > n[1]);
	n[1] = fd;
	n[0]++;
	return 0;
}

static int count_thread(void *ctx, struct thread *t)
{
	int64_t *n = ctx;

	assert_true(t->tid > n[1]);
	n[1] = t->tid;
	n[0]++;
	return 0;
}

static int64_t look_num(const struct want *w, struct evctx *c)
{
	const struct thread_ver *v = NULL, *mv = NULL;
	struct thread *t = thread_of(c->b, w->tid, c->ord, &v), *m;
	int64_t n[2] = {0, -1};
	uint64_t ts;
	uint16_t type;
	bool paired;
	struct event enter;

	switch (w->look) {
	case LOOK_PID:
		return v ? v->pid : -2;
	case LOOK_PTID:
		return v ? v->ptid : -2;
	case LOOK_UID:
		return v ? (int64_t)v->uid : -2;
	case LOOK_FDLIMIT:
		return v ? (int64_t)v->fdlimit : -2;
	case LOOK_VMSIZE: {
		const struct thread_vol *vol = t ? thread_vol_at(t, c->ord) : NULL;

		return vol ? (int64_t)vol->vmsize_kb : -2;
	}
	case LOOK_NFDS:
		m = v ? state_main_at(c->b->root, t, v, c->ord) : NULL;
		mv = m ? thread_ver_at(m, c->ord) : NULL;
		assert_non_null(mv);
		assert_int_equal(state_fds_each(c->b->root, t, v, c->ord, count_fd, n), 0);
		return n[0];
	case LOOK_NTHREADS:
		assert_int_equal(state_threads_each(c->b->root, c->ord, count_thread, n), 0);
		return n[0];
	case LOOK_SIBLINGS:
		return t ? (int64_t)state_nthreads_at(t, c->ord) : -2;
	case LOOK_EV_FDNUM:
		return evctx_fdnum(c);
	case LOOK_EV_LATENCY:
		return (int64_t)evctx_latency(c);
	case LOOK_EV_ERRNO:
		return evctx_errno(c);
	case LOOK_EV_PAIRED:
		evctx_enter(c, &ts, &type, &paired);
		return paired;
	case LOOK_EV_ENTER:
		return evctx_enter_event(c, &enter);
	default:
		fail();
		return 0;
	}
}

static const char *fd_text(const struct evctx *c, const struct fd_ver *f)
{
	uint32_t len;

	return f ? fd_ver_name(f, c->demand->compat029, &len) : NULL;
}

static const char *look_text(const struct want *w, struct evctx *c)
{
	const struct thread_ver *v, *mv;
	struct thread *t = thread_of(c->b, w->tid, c->ord, &v), *m;
	const struct user *u;

	switch (w->look) {
	case LOOK_COMM:
		return v ? v->comm->s : NULL;
	case LOOK_EXEPATH:
		return v ? v->exepath->s : NULL;
	case LOOK_CWD:
		m = v ? state_main_at(c->b->root, t, v, c->ord) : NULL;
		mv = m ? thread_ver_at(m, c->ord) : NULL;
		return mv ? mv->cwd->s : NULL;
	case LOOK_FD:
		return v ? fd_text(c, state_fd_at(c->b->root, t, v, w->arg, c->ord)) : "no thread";
	case LOOK_EV_COMM:
		evctx_thread(c, &v);
		return v ? v->comm->s : NULL;
	case LOOK_EV_FD:
		return fd_text(c, evctx_fd(c));
	case LOOK_USER:
		u = state_user_at(c->b->root, (uint32_t)w->arg, c->ord);
		return u ? u->name : NULL;
	default:
		fail();
		return NULL;
	}
}

static bool look_is_text(enum look l)
{
	return l == LOOK_COMM || l == LOOK_EXEPATH || l == LOOK_CWD || l == LOOK_FD ||
	       l == LOOK_EV_COMM || l == LOOK_EV_FD || l == LOOK_USER;
}

static void check_want(const struct run *r, const struct want *w, struct evctx *c)
{
	const char *s = look_is_text(w->look) ? look_text(w, c) : NULL;
	int64_t n = look_is_text(w->look) ? 0 : look_num(w, c);

	if (look_is_text(w->look) ? (!s != !w->text || (s && strcmp(s, w->text) != 0)) : n != w->n)
		fail_msg("%s%s, batches of %u, event %u: %s of %" PRId64 " [%" PRId64
			 "] is %s (%" PRId64 "), expected %s (%" PRId64 ")",
			 r->name, r->d.compat029 ? " (0.29)" : "", r->size, w->idx,
			 look_names[w->look], w->tid, w->arg, s ? s : "-", n,
			 w->text ? w->text : "-", w->n);
}

/* All events of a slot that is said to be stable see what its first one saw. Counts what was compared, so that the
 * caller can tell that there was something. */
static unsigned nstable_thread, nstable_main; /* threads seen again; other main threads */

static void check_stable(const struct run *r, struct evctx *c)
{
	const struct batch *b = c->b;

	for (uint32_t i = 0; i < b->nev; i++) {
		const struct thread_ver *v, *mv, *v0, *mv0;
		uint32_t slot = b->ev[i].slot;
		unsigned stable = slot == UINT32_MAX ? 0 : evctx_slot_stable(c, slot);

		if (!stable)
			continue;
		evctx_move(c, b->slots[slot].first);
		evctx_thread(c, &v0);
		evctx_main(c, &mv0);
		evctx_move(c, i);
		evctx_thread(c, &v);
		evctx_main(c, &mv);
		if (v != v0 || ((stable & STABLE_MAIN) && mv != mv0))
			fail_msg("%s, %u events a batch: event %u differs from the first of its slot", r->name,
				 r->size, i);
		nstable_thread += i != b->slots[slot].first && v;
		nstable_main += i != b->slots[slot].first && mv != v && (stable & STABLE_MAIN);
	}
}

/* What evctx_fd_plain says of later events holds. */
static unsigned nplain, nplain_unknown; /* entries seen again, and none */
static unsigned nplain_end;		/* stretches that end inside a batch */

static void check_plain(const struct run *r, struct evctx *c)
{
	const struct batch *b = c->b;

	for (uint32_t i = 0; i < b->nev; i++) {
		const struct fd_ver *f;
		uint64_t until;

		evctx_move(c, i);
		if (!evctx_fd_plain(c, &f, &until))
			continue;
		nplain_end += until < b->first_ord + b->nev;
		for (uint32_t k = i + 1; k < b->nev && b->first_ord + k < until; k++) {
			if (b->ev[k].slot != b->ev[i].slot || b->ev[k].fd != b->ev[i].fd ||
			    !evctx_rec_plain_fd(c, &b->ev[k]))
				continue;
			evctx_move(c, k);
			if (evctx_fd(c) != f)
				fail_msg("%s, %u events a batch: event %u has not the descriptor "
					 "of event %u",
					 r->name, r->size, k, i);
			nplain += f != NULL;
			nplain_unknown += f == NULL;
		}
	}
}

/* What the scenario wants of the events of one batch. */
static void analyse(const struct run *r, const struct sc *s, const struct batch *b)
{
	struct evctx c;
	uint32_t first = (uint32_t)(b->num_base - 1);

	if (b->kind != BATCH_EVENTS)
		return;
	assert_int_equal(evctx_init(&c, &r->d), 0);
	assert_int_equal(evctx_begin(&c, b), 0);
	check_stable(r, &c);
	check_plain(r, &c);
	for (uint32_t i = 0; i < b->nev; i++) {
		for (unsigned k = 0; k < s->nwant; k++) {
			if (s->want[k].idx != first + i)
				continue;
			evctx_move(&c, i);
			check_want(r, &s->want[k], &c);
		}
	}
	evctx_fini(&c);
}

static void run_open(struct run *r, const struct sc *s, const char *name, bool compat,
		     uint32_t size, unsigned workers)
{
	struct state_opts o = {.demand = &r->d, .workers = workers};
	uint32_t nev = (s->t.n + size - 1) / size;

	memset(r, 0, sizeof(*r));
	r->name = name;
	r->size = size;
	demand_init(&r->d, compat);
	demand_add(&r->d, DEMAND_FDS | DEMAND_VOLATILE | DEMAND_USERS);
	assert_int_equal(state_new(&r->st, &o), 0);
	state_begin_file(r->st);
	r->nb = nev + (s->nmeta != 0);
	r->b = calloc(r->nb, sizeof(*r->b));
	for (uint32_t i = 0; i < r->nb; i++)
		batch_init(&r->b[i]);
}

static void cut_meta(const struct sc *s, struct batch *b)
{
	b->kind = BATCH_META;
	b->data = (const uint8_t *)s->meta.p;
	b->len = s->meta.len;
	b->blk = malloc(s->nmeta * sizeof(*b->blk));
	memcpy(b->blk, s->meta_off, s->nmeta * sizeof(*b->blk));
	b->nblk = s->nmeta;
}

static void run_apply(struct run *r, const struct sc *s, uint32_t i)
{
	struct batch *b = &r->b[i];
	struct err e;

	if (s->nmeta && i == 0) {
		cut_meta(s, b);
	} else {
		uint32_t first = (i - (s->nmeta != 0)) * r->size;

		trace_cut(&s->t, b, i, first, MIN(r->size, s->t.n - first));
	}
	b->seq = i;
	err_clear(&e);
	assert_int_equal(digest_run(b, &r->d, NULL), 0);
	assert_int_equal(b->bad.code, 0);
	if (state_apply(r->st, b, &e) < 0)
		fail_msg("%s: %s", r->name, e.msg);
}

static void run_close(struct run *r)
{
	for (uint32_t i = 0; i < r->nb; i++)
		batch_fini(&r->b[i]);
	free(r->b);
	state_free(r->st);
}

/* Analysis follows apply at a distance of lag batches; what is behind both is reclaimed. */
static void run_lagged(const struct sc *s, const char *name, bool compat, uint32_t size,
		       uint32_t lag, unsigned workers)
{
	struct run r;

	run_open(&r, s, name, compat, size, workers);
	state_reader_register(r.st);
	for (uint32_t i = 0; i < r.nb + lag; i++) {
		if (i < r.nb)
			run_apply(&r, s, i);
		if (i >= lag) {
			analyse(&r, s, &r.b[i - lag]);
			state_reader_quiescent(r.st);
			state_reclaim(r.st, i - lag + 1);
		}
	}
	state_reader_unregister(r.st);
	run_close(&r);
}

/* Everything is applied first; then the batches are looked at from the last to the first. */
static void run_backwards(const struct sc *s, const char *name, bool compat, uint32_t size)
{
	struct run r;

	run_open(&r, s, name, compat, size, 1);
	for (uint32_t i = 0; i < r.nb; i++)
		run_apply(&r, s, i);
	for (uint32_t i = r.nb; i-- > 0;)
		analyse(&r, s, &r.b[i]);
	run_close(&r);
}

static void run_scenario(const char *name, void (*build)(struct sc *s), bool compat)
{
	static const uint32_t sizes[] = {1, 2, 3, 5, 1000};
	static struct sc s;

	memset(&s, 0, sizeof(s));
	trace_init(&s.t);
	build(&s);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (uint32_t lag = 0; lag < 4; lag++) {
			run_lagged(&s, name, compat, sizes[i], lag, 1);
			run_lagged(&s, name, compat, sizes[i], lag, 2);
		}
		run_backwards(&s, name, compat, sizes[i]);
	}
	trace_fini(&s.t);
	buf_fini(&s.meta);
}

static void test_scenarios(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		if (scenarios[i].modes & MODE_DEFAULT)
			run_scenario(scenarios[i].name, scenarios[i].build, false);
		if (scenarios[i].modes & MODE_COMPAT)
			run_scenario(scenarios[i].name, scenarios[i].build, true);
	}
	assert_true(nstable_thread > 100);
	assert_true(nstable_main > 0);
	assert_true(nplain > 20 && nplain_unknown > 0 && nplain_end > 0);
}

/* ---- memory ---- */

static size_t live_objects(const struct state *st)
{
	size_t n = 0;

	for (unsigned i = 0; i <= st->nshards; i++)
		for (unsigned k = 0; k < POOL_KINDS; k++)
			n += k == POOL_KIN ? 0 : pool_live(&st->mut[i].pool[k]);
	return n;
}

/* A long life of forks, execs, opens and ends leaves no more behind than a short one. */
static void one_life(struct trace *t, int64_t tid)
{
	ev_clone_exit(t, 10, tid, "parent", 10, 1, 0);
	ev_clone_exit(t, tid, 0, "child", tid, 10, 0);
	ev_open(t, tid, 3, "/some/rather/long/name/that/is/not/short/any/more");
	ev_exec_enter(t, tid, "/bin/true");
	ev_exec_exit(t, tid, 0, "true", tid, 10);
	ev_open(t, 10, 40 + tid % 40, "in/parent");
	ev_close(t, tid, 3, 0);
	ev_close(t, 10, 40 + tid % 40, 0);
	ev_procexit(t, tid);
}

static void test_reclaim(void **state)
{
	struct state_opts o = {.workers = 1};
	static struct trace t;
	struct demand d;
	struct state *st;
	struct batch b;
	size_t after_first = 0;

	demand_init(&d, false);
	demand_add(&d, DEMAND_FDS | DEMAND_VOLATILE);
	o.demand = &d;
	assert_int_equal(state_new(&st, &o), 0);
	batch_init(&b);
	for (uint64_t seq = 0; seq < 300; seq++) {
		trace_init(&t);
		for (int i = 0; i < 40; i++)
			one_life(&t, 1000 + (int64_t)(seq * 40 + (uint64_t)i) % 5000);
		trace_cut(&t, &b, seq, 0, t.n);
		assert_int_equal(digest_run(&b, &d, NULL), 0);
		assert_int_equal(state_apply(st, &b, NULL), 0);
		state_reclaim(st, seq + 1);
		if (seq == 0)
			after_first = live_objects(st);
		/* The directories of process 10 may differ in what they hold by a block or two. */
		assert_in_range(live_objects(st), 1, after_first + 8);
		trace_fini(&t);
	}
	batch_fini(&b);
	state_free(st);
}

/* ---- numbering, sections, damage ---- */

static void test_numbering(void **state)
{
	static const uint64_t ords[] = {1, 7, 12, 18}, nums[] = {1, 7, 1, 7};
	struct state_opts o = {.workers = 1};
	struct demand d;
	struct state *st;
	struct trace t;
	struct batch b;
	uint64_t first_ts;

	demand_init(&d, true);
	o.demand = &d;
	assert_int_equal(state_new(&st, &o), 0);
	trace_init(&t);
	first_ts = t.ts;
	for (int i = 0; i < 5; i++)
		trace_event(&t, 1, EV_SYSCALL_GETUID_E, "");
	trace_event(&t, 1, EV_CODE_COUNT_029, "q", (int64_t)0); /* beyond the table: no number */
	trace_event(&t, 1, EV_SYSCALL_GETUID_E, "");
	batch_init(&b);
	for (uint64_t seq = 0; seq < 4; seq++) {
		if (seq == 2)
			state_begin_file(st);
		trace_cut(&t, &b, seq, seq == 1 ? 1 : 0, seq == 1 ? 6 : 7);
		assert_int_equal(digest_run(&b, &d, NULL), 0);
		assert_int_equal(state_apply(st, &b, NULL), 0);
		assert_int_equal(b.nev, seq == 1 ? 5 : 6);
		assert_int_equal(b.nslots, 0); /* nobody asked */
		assert_int_equal(b.nselected, b.nev);
		assert_int_equal(b.first_ord, ords[seq]);
		assert_int_equal(b.num_base, nums[seq]);
		assert_int_equal(b.origin_ts, first_ts);
	}
	batch_fini(&b);
	trace_fini(&t);
	state_free(st);
}

static bool odd_ts(void *ctx, const struct event *e)
{
	++*(int *)ctx;
	return e->ts / EVENT_GAP_NS & 1;
}

static void test_predicate(void **state)
{
	int calls = 0;
	struct digest_pred p = {.fn = odd_ts, .ctx = &calls};
	struct demand d;
	struct trace t;
	struct batch b;

	demand_init(&d, false);
	memset(d.types, 0, sizeof(d.types));
	d.types[EV_SYSCALL_READ_E / 64] |= (uint64_t)1 << (EV_SYSCALL_READ_E % 64);
	trace_init(&t);
	for (int i = 0; i < 10; i++)
		trace_event(&t, 1, i % 2 ? EV_SYSCALL_READ_E : EV_SYSCALL_GETUID_E,
			    i % 2 ? "qd" : "", (int64_t)3, 4);
	batch_init(&b);
	trace_cut(&t, &b, 0, 0, t.n);
	assert_int_equal(digest_run(&b, &d, &p), 0);
	assert_int_equal(b.nev, 10);
	assert_int_equal(calls, 5); /* only for the demanded type */
	assert_int_equal(b.nselected, 5);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(!!(b.ev[i].flags & ER_SELECTED), i % 2);
	batch_fini(&b);
	trace_fini(&t);
}

/* A damaged event ends the trace at its place; what was before it counts. */
static bool holds_needle(void *ctx, const void *p, size_t n)
{
	return memmem(p, n, ctx, strlen(ctx)) != NULL;
}

/* The sparse batch tells the same as the full one. */
static void check_scan(struct batch *b, const struct demand *d, const char *text, bool has_text)
{
	const struct digest_texts none = {0}, some = {holds_needle, (void *)text};
	const struct digest_pred all = {0};
	struct err bad = b->bad;
	uint32_t nev = b->nev, nsel = b->nselected, k = 0;
	uint64_t first_ts = b->first_ts, last_ts = b->last_ts;
	uint16_t *type = calloc(nev + 1, sizeof(*type));
	struct digest_scan scan;

	for (uint32_t i = 0; i < nev; i++)
		type[i] = b->ev[i].flags & ER_SELECTED ? b->ev[i].type : UINT16_MAX;
	err_clear(&b->bad);
	digest_scan_init(&scan, d, &all, &none);
	assert_int_equal(digest_scan_run(&scan, b), 0);
	assert_int_equal(b->nev, nev);
	assert_int_equal(b->nselected, nsel);
	assert_int_equal(b->bad.code, bad.code);
	assert_int_equal(b->bad.pos, bad.pos);
	assert_int_equal(b->first_ts, first_ts);
	assert_int_equal(b->last_ts, last_ts);
	for (uint32_t i = 0; i < nev; i++)
		if (type[i] != UINT16_MAX) {
			assert_int_equal(b->ev[k].idx, i);
			assert_int_equal(b->ev[k++].type, type[i]);
		}
	free(type);
	err_clear(&b->bad);
	digest_scan_init(&scan, d, &all, &some);
	assert_int_equal(digest_scan_run(&scan, b), 0);
	assert_int_equal(b->has_text, has_text);
	assert_int_equal(b->nev, nev);
	assert_int_equal(b->nselected, 0);
}

static void test_scan(void **state)
{
	struct demand d;
	struct trace t;
	struct batch b;

	trace_init(&t);
	ev_exec_enter(&t, 1, "/bin/needle_a");
	for (int i = 0; i < 300; i++)
		trace_event(&t, 1 + i % 3, i % 2 ? EV_SYSCALL_READ_E : EV_SYSCALL_GETUID_E, i % 2 ? "qd" : "",
			    (int64_t)3, 4);
	/* What is read and written gets into no table. */
	trace_event(&t, 1, EV_SYSCALL_WRITE_X, "qs", (int64_t)8, "needle_b");
	ev_open(&t, 1, 4, "/x/needle_c");
	batch_init(&b);
	for (int compat = 0; compat < 2; compat++) {
		demand_init(&d, compat);
		d.types[EV_SYSCALL_READ_E / 64] &= ~((uint64_t)1 << (EV_SYSCALL_READ_E % 64));
		for (int i = 0; i < 3; i++) {
			const char *const text[] = {"needle_a", "needle_b", "needle_c"};

			trace_cut(&t, &b, 0, 0, t.n);
			assert_int_equal(digest_run(&b, &d, NULL), 0);
			check_scan(&b, &d, text[i], i != 1);
		}
	}
	batch_fini(&b);
	trace_fini(&t);
}

static void test_damage(void **state)
{
	static const uint32_t bits[] = {0, DEMAND_PAIRS, DEMAND_FDS};

	for (size_t k = 0; k < ARRAY_SIZE(bits); k++) {
		struct demand d;
		struct trace t;
		struct batch b;

		demand_init(&d, false);
		demand_add(&d, bits[k]);
		trace_init(&t);
		for (int i = 0; i < 4; i++)
			trace_event(&t, 1, EV_SYSCALL_READ_E, "qd", (int64_t)3, 4);
		t.data.p[t.off[2] + 10 + 26] = 0x77; /* length of its first parameter */
		batch_init(&b);
		trace_cut(&t, &b, 0, 0, t.n);
		b.file_off = 5000;
		assert_int_equal(digest_run(&b, &d, NULL), 0);
		assert_int_equal(b.nev, 2);
		assert_int_equal(b.bad.code, ERR_FORMAT);
		assert_int_equal(b.bad.pos, 5000 + t.off[2]);
		check_scan(&b, &d, "x", false);
		batch_fini(&b);
		trace_fini(&t);
	}
}

/* Bad metadata ends the trace before its batch, with the place; a new section forgets the old
 * tables. */
static void test_sections(void **state)
{
	static struct sc s;
	struct state_opts o = {.workers = 1};
	struct state_root *first;
	struct demand d;
	struct state *st;
	struct batch meta, ev, bad;
	struct err e;

	memset(&s, 0, sizeof(s));
	trace_init(&s.t);
	meta_shell(&s);
	trace_event(&s.t, 10, EV_SYSCALL_GETUID_E, "");
	demand_init(&d, false);
	demand_add(&d, DEMAND_FDS);
	o.demand = &d;
	assert_int_equal(state_new(&st, &o), 0);
	batch_init(&meta);
	batch_init(&ev);
	batch_init(&bad);
	cut_meta(&s, &meta);
	assert_int_equal(digest_run(&meta, &d, NULL), 0);
	assert_int_equal(state_apply(st, &meta, &e), 0);
	trace_cut(&s.t, &ev, 1, 0, 1);
	assert_int_equal(digest_run(&ev, &d, NULL), 0);
	assert_int_equal(state_apply(st, &ev, &e), 0);
	first = ev.root;
	assert_non_null(state_thread_at(first, 10, ev.first_ord));
	/* A second section without processes; the first one's tables stay while batch 1 is
	 * unfinished. */
	cut_meta(&s, &bad);
	bad.seq = 2;
	bad.nblk = 1;
	assert_int_equal(state_apply(st, &bad, &e), 0);
	assert_null(state_thread_at(bad.root, 10, 100));
	assert_non_null(state_thread_at(first, 10, ev.first_ord));
	state_reclaim(st, 3);
	/* Damage inside a process list. */
	bad.nblk = 2;
	bad.seq = 3;
	bad.file_off = 700;
	s.meta.p[s.meta_off[1] + 8] = 3; /* length of the first entry */
	err_clear(&e);
	assert_true(state_apply(st, &bad, &e) < 0);
	assert_in_range(e.pos, 700 + s.meta_off[1], 700 + s.meta_off[2]);
	batch_fini(&meta);
	batch_fini(&ev);
	batch_fini(&bad);
	trace_fini(&s.t);
	buf_fini(&s.meta);
	state_free(st);
}

static void test_demand(void **state)
{
	struct demand d;

	demand_init(&d, false);
	assert_int_equal(d.bits, 0);
	assert_true(demand_type(&d, 0) && demand_type(&d, EV_CODE_COUNT - 1));
	demand_add(&d, DEMAND_VOLATILE);
	assert_int_equal(d.bits, DEMAND_VOLATILE | DEMAND_THREADS | DEMAND_PAIRS);
	demand_init(&d, false);
	demand_add(&d, DEMAND_USERS);
	assert_int_equal(d.bits, DEMAND_USERS);
	demand_add(&d, DEMAND_FDS);
	assert_int_equal(d.bits, DEMAND_USERS | DEMAND_FDS | DEMAND_THREADS | DEMAND_PAIRS);
}

/* Handlers exist for odd codes that the table gives a result, or for events named here. */
static void test_table(void **state)
{
	for (int compat = 0; compat < 2; compat++) {
		const struct apply_entry *t = apply_table(compat);

		for (unsigned i = 0; i < EV_CODE_COUNT; i++) {
			if (!t[i].fn)
				continue;
			assert_true(!compat || i < EV_CODE_COUNT_029);
			assert_int_not_equal(t[i].demand, 0);
			if (t[i].when != ROW_ALWAYS)
				assert_true(event_table[i].params[0].type == PT_ERRNO ||
					    event_table[i].params[0].type == PT_FD ||
					    event_table[i].params[0].type == PT_PID ||
					    i == EV_SYSCALL_BPF_X);
			if (t[i].when == ROW_ADDR)
				assert_int_equal(event_table[i].params[t[i].param].type,
						 PT_SOCKTUPLE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demand),	  cmocka_unit_test(test_table),
		cmocka_unit_test(test_scenarios), cmocka_unit_test(test_reclaim),
		cmocka_unit_test(test_numbering), cmocka_unit_test(test_predicate),
		cmocka_unit_test(test_damage),	  cmocka_unit_test(test_scan),	  cmocka_unit_test(test_sections),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
