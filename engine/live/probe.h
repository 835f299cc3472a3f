/* The kernel programs (bpf/): loading, attaching, what they select, what they count, their rings.
 * One owner; all functions from one thread. */
#ifndef BURIN_LIVE_PROBE_H
#define BURIN_LIVE_PROBE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "live/ring.h"

struct probe;

/* What the programs send. Of events that change the tables (tables) those of all processes, of the
 * others those that agree with all that is set. */
struct probe_select {
	uint64_t types[8];	 /* by event code */
	uint64_t tables[8];	 /* of them: change the tables */
	uint64_t alone[8];	 /* of them: exits without their enters, so with all parameters */
	uint64_t generic[2][16]; /* enter, exit: by system call code (enum ppm_sc), if the generic
				    type is wanted */
	uint32_t pids[16], uids[16]; /* processes; user ids */
	unsigned npids, nuids;	     /* 0 = of all */
	char comm[16];		     /* name of the thread; "" = any */
	char container[128]; /* its id; "" = any. Only if the kernel can tell: see cgroup.h */
	bool no_payload;     /* nobody looks at what calls move: no bytes of it */
	unsigned sample;     /* the first part of every second: one sample-th; 0, 1 = all */
};

/* How the programs are attached: to tracepoints whose types the kernel knows (tp_btf), or to raw
 * ones, for kernels without type information or from before 5.13. */
enum probe_attach {
	PROBE_AUTO, /* the first if the kernel takes it */
	PROBE_BTF,
	PROBE_RAW,
};

struct probe_opts {
	enum probe_attach attach;
	const char *btf;   /* file with the kernel's types, used where it has none of
			      its own; NULL = none */
	size_t ring_bytes; /* per cpu; rounded up to a power of two */
	const struct probe_select *select; /* NULL = everything */
	uint32_t snaplen;		   /* payload bytes */
	bool compat_029;		   /* only events that sysdig 0.29.3 knows */
	bool all_params;		   /* all parameters of the newest schema */
	bool page_faults;
	bool measure;	       /* let the kernel measure the programs' time (costs some itself) */
	bool follow;	       /* by_tree: new processes too, not only new threads */
	bool by_tree;	       /* only what probe_watch names, and its children */
	uint64_t epoch_offset; /* ns from the boot clock to the epoch */
	const char *online;    /* file that lists the cpus online; NULL = that of the kernel */
};

/* Loads the programs; nothing is attached yet. e says what is missing (permission, BTF, kernel). */
int probe_open(struct probe **out, const struct probe_opts *o, struct err *e);
void probe_close(struct probe *p);

/* "tp_btf", or "raw tracepoints" with the reason. */
void probe_how(const struct probe *p, char *out, size_t cap);

/* Names a process to follow, by its id here and a descriptor of it; at_exec: only from its next
 * execve on. Needs by_tree, and probe_mark afterwards. */
int probe_watch(struct probe *p, pid_t pid, int pidfd, bool at_exec, struct err *e);

/* Attaches the programs; from here on events enter the rings: those of the processes named, if only
 * such are wanted. */
int probe_attach(struct probe *p, struct err *e);
struct cap_task;
/* Afterwards: includes the other threads (and with follow the children) of the processes named, and
 * calls fn for each of them. With !by_tree fn is called for every thread of the machine. Whoever is
 * not in /proc any more when that is read was at least seen here. */
int probe_mark(struct probe *p, void (*fn)(void *ctx, const struct cap_task *t), void *ctx,
	       struct err *e);
/* Afterwards nothing new enters the rings. */
void probe_detach(struct probe *p);

/* Whether the ids in events are those that this process and /proc know: only so in the first pid namespace, with its
 * /proc. */
bool probe_ids_agree(const struct probe *p);

struct cap_cpu_time;
/* Calls fn for every wanted thread that has run. */
int probe_cpu_times(struct probe *p, void (*fn)(void *ctx, const struct cap_cpu_time *t),
		    void *ctx);

unsigned probe_cpu_count(const struct probe *p); /* possible cpus */
/* Makes rings for cpus that have come online, behind the others. What happened on such a cpu before
 * was counted as lost. */
void probe_more_rings(struct probe *p);
unsigned probe_ring_count(const struct probe *p);
struct ring *probe_ring(struct probe *p, unsigned i);

struct probe_count {
	uint64_t sent, dropped, bytes;
};
/* Sums over all cpus, of one event type or (type < 0) of all. Dropped includes what was lost
 * otherwise. */
struct probe_count probe_counts(const struct probe *p, int type);
/* Events lost so far on all cpus; quick. */
uint64_t probe_lost(const struct probe *p);
/* The same of one cpu, which need not have a ring. */
struct probe_count probe_counts_cpu(const struct probe *p, unsigned cpu);
/* How often the programs ran and how long, ns; 0 without measure. */
void probe_cost(const struct probe *p, uint64_t *runs, uint64_t *ns);

#endif
