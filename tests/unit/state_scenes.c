#include "state_scenes.h"

#include "state/state_priv.h"

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

void meta_shell(struct sc *s)
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

void cut_meta(const struct sc *s, struct batch *b)
{
	b->kind = BATCH_META;
	b->data = (const uint8_t *)s->meta.p;
	b->len = s->meta.len;
	b->blk = malloc(s->nmeta * sizeof(*b->blk));
	memcpy(b->blk, s->meta_off, s->nmeta * sizeof(*b->blk));
	b->nblk = s->nmeta;
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

const struct scene scenarios[] = {
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
const unsigned nscenarios = ARRAY_SIZE(scenarios);
