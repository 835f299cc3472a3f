/* A made machine whose trace bench_gen writes: CPUs that run tasks, tasks that make system calls.
 * gen.c runs it and writes, gen_mixes.c says who does what. Everything follows from the seed.
 * Single-threaded. */
#ifndef BURIN_BENCH_GEN_H
#define BURIN_BENCH_GEN_H

#include <stdbool.h>
#include <stdio.h>

#include "event/event.h"
#include "source/metaenc.h"

enum { GEN_CPUS = 8, GEN_FDS = 6, GEN_PIDS = 1 << 16, EXIT_EVENT_MAX = 1024, GEN_TEXT = 128 };

struct gen;
struct task;
/* Makes one system call: enter() and, if it comes back, leave(). True: it blocks, another task goes
 * on. */
typedef bool step_fn(struct gen *g, struct task *t);

struct task {
	int64_t tid, pid, vtid, vpid;
	struct task *parent; /* NULL = outside; it lives as long as its children do */
	step_fn *step;
	char comm[16], exe[48], args[64];
	const char *cgroups;	/* NUL-separated, ends with two */
	uint32_t uid, at;	/* at: place in its program */
	unsigned left;		/* rounds to go, for programs that count */
	int64_t fd[GEN_FDS];	/* descriptors the program remembers */
	int64_t next_fd;	/* lowest one not used */
	unsigned cpu, children; /* children: alive */
	bool waiting, dead;	/* waiting: for a child to end */
	struct buf pending; /* exit event of the call it is in; its time comes when it is written */
};

struct cpu {
	struct task **tasks; /* owned, with the tasks */
	unsigned n, cap;
	struct task *now; /* NULL = idle */
	bool give_up;	  /* another task comes next */
	uint64_t clock_ns;
};

struct gen {
	uint64_t random;
	FILE *out;
	struct buf buf; /* not written yet */
	uint64_t bytes, events;
	struct cpu cpu[GEN_CPUS];
	unsigned on; /* the CPU that runs */
	uint8_t used[GEN_PIDS];
	unsigned next_tid;
	uint8_t text[4096]; /* what is read and written */
};

/* ---- chance ---- */
uint64_t gen_random(struct gen *g);
static inline unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)((gen_random(g) >> 32) * n >> 32);
}
static inline bool chance(struct gen *g, unsigned percent)
{
	return below(g, 100) < percent;
}

/* ---- events ---- */
/* fmt has a letter for each parameter: q 8 bytes (int64_t), d 4 bytes, w 2 bytes, c 1 byte (int), s
 * text with its NUL, b bytes (pointer, int length), e empty. The number of parameters is that of
 * 0.29.3. */
void enter(struct gen *g, struct task *t, unsigned type, const char *fmt, ...);
void leave(struct gen *g, struct task *t, unsigned type, const char *fmt, ...);
/* A call that came back with res, the first n bytes of the text going with it as in a capture. */
void leave_data(struct gen *g, struct task *t, unsigned type, int64_t res, const char *more);

/* ---- tasks ---- */
/* On the CPU with the fewest; thread_of: shares its process. NULL when every pid is taken. */
struct task *task_new(struct gen *g, struct task *parent, struct task *thread_of, step_fn *step,
		      const char *comm);
/* A clone: both its exits wait. NULL as above. */
struct task *task_clone(struct gen *g, struct task *t, step_fn *step);
void task_exec(struct gen *g, struct task *t, const char *exe, const char *args);
void task_exit(struct gen *g, struct task *t);
int64_t fd_take(struct task *t); /* the lowest free one */
void fd_give(struct task *t, int64_t fd);

/* ---- calls (gen_calls.c) ---- */
enum { OPEN_READ = 1, CALL_NOENT = -2, CALL_AGAIN = -11 };
/* Calls without an event of their own: their numbers in the trace format, and on x86-64. */
enum {
	ID_WAIT4 = 69,
	ID_FDATASYNC = 90,
	ID_EPOLL_CTL = 166,
	NR_WAIT4 = 61,
	NR_FDATASYNC = 75,
	NR_EPOLL_CTL = 233
};
void do_open(struct gen *g, struct task *t, const char *path, int64_t fd, int flags);
void do_close(struct gen *g, struct task *t, int64_t fd);
void do_fstat(struct gen *g, struct task *t, int64_t fd);
void do_stat(struct gen *g, struct task *t, const char *path, bool there);
void do_read(struct gen *g, struct task *t, int64_t fd, int size);
void do_write(struct gen *g, struct task *t, int64_t fd, int size);
void do_pread(struct gen *g, struct task *t, int64_t fd, int64_t pos);
void do_pwrite(struct gen *g, struct task *t, int64_t fd, int64_t pos);
void do_recv(struct gen *g, struct task *t, int64_t fd, int64_t res);
void do_send(struct gen *g, struct task *t, int64_t fd, int size);
void do_mmap(struct gen *g, struct task *t, int64_t fd, int64_t length);
void do_futex(struct gen *g, struct task *t, int op);
void do_generic(struct gen *g, struct task *t, int id, int nr);
void do_epoll_wait(struct gen *g, struct task *t);
void do_sleep(struct gen *g, struct task *t, int64_t ns);
bool do_wait(struct gen *g, struct task *t); /* for its children, if any are left: true */
void do_accept(struct gen *g, struct task *t, int64_t fd);

/* ---- mixes ---- */
struct mix {
	const char *name, *what;
	void (*populate)(struct gen *g); /* tasks that exist when the trace begins */
	void (*start)(struct gen *g);	 /* first events; NULL = none */
	void (*fds)(const struct task *t, struct buf *b); /* entries of the process list */
};
extern const struct mix mixes[];
extern const unsigned nmixes;

#endif
