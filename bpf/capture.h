/* What the kernel programs (capture.bpf.c) and their user space (engine/live) share.
 *
 * A record in a ring is one event of the trace format, version 2, little-endian, unaligned:
 *
 *     0  u64 time stamp, ns since the epoch
 *     8  u64 thread id (initial pid namespace)
 *    16  u32 length: header, length array and parameters
 *    20  u16 event type
 *    22  u32 number of parameters n
 *    26  u16 length of each parameter, n times
 *   ...  the parameters, back to back
 *
 * so that a record becomes an event block by putting a frame around it. The tables and the
 * configuration are written before the programs are loaded and are constants for them. */
#ifndef BURIN_CAPTURE_H
#define BURIN_CAPTURE_H

#ifndef __bpf__
#include <stdint.h>
#else
typedef unsigned char uint8_t;
typedef signed char int8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;
#endif

#include "call_ops.h"

enum {
	CAP_MAX_NR = 512,     /* system call numbers; the last one: all that have no name */
	CAP_MAX_CALLS = 1024, /* calls: by number, behind them those of 32-bit programs only */
	CAP_MAX_SOCKETCALL = 32,
	CAP_MAX_OPS = 20,      /* parameters of one event that the table describes */
	CAP_MAX_TYPES = 512,   /* event types */
	CAP_MAX_CPUS = 1024,   /* possible cpus */
	CAP_HEADER = 26,       /* bytes before the length array */
	CAP_EVENT_MAX = 65400, /* bytes of one record: a block holds 64 KiB with its frame */
	CAP_TEXT_MAX = 4096,   /* bytes of one text: path, arguments, environment, cgroups */
	CAP_NO_EVENT = 0xffff, /* struct cap_event.type: the call has no such event */
	CAP_CHOICE = 128,      /* struct cap_op.map: from here on cap_choice_maps */
	CAP_MAX_PLAIN = 8,     /* parameters of the short way */
	CAP_SHORT = 80,	       /* payload bytes of the short way */
};

#if defined(__TARGET_ARCH_arm64) || defined(__aarch64__)
enum { CAP_NR_SIGRETURN = 139 };
#else
enum { CAP_NR_SIGRETURN = 15 };
#endif

enum { CAP_THEN_END, CAP_THEN_IN, CAP_THEN_OUT, CAP_THEN_MORE };

/* Where one parameter comes from. */
struct cap_op {
	uint8_t op;   /* enum cap_op_code */
	uint8_t a[4]; /* operands; arguments: 0..5, 6 = return value, 7 = zero */
	uint8_t size; /* bytes of a number; 0 = not a number */
	uint8_t map;  /* 0: as it is; 1..: cap_bit_maps[map - 1]; CAP_CHOICE..: cap_choice_maps */
};

struct cap_event {
	uint16_t type; /* enum event_code, CAP_NO_EVENT */
	uint8_t n029;  /* parameters that sysdig 0.29.3 knows; all, if it does not know the event */
	uint8_t n;     /* all; once loaded: those that are sent */
	uint8_t filler; /* CAP_FILL_*; 0 = the table below */
	/* Made when the programs are loaded, for the short way through the table: so many
	 * parameters from the first on are arguments as they are, and behind them comes nothing, or
	 * the bytes the call moves and more such arguments, or something else. */
	uint8_t nplain;
	uint8_t then; /* CAP_THEN_* */
	uint16_t lens[CAP_MAX_PLAIN];
	struct cap_op op[CAP_MAX_OPS];
};

struct cap_call {
	uint16_t sc;	     /* enum ppm_sc, the id of generic events */
	uint8_t named;	     /* there is such a call */
	uint8_t known_029;   /* 0.29.3 knows the call */
	uint8_t generic_029; /* ... but as a generic event only, or not at all */
	struct cap_event enter, exit;
};

/* By choice_slot(): 0..255 as they are, greater ones folded. */
struct cap_choice_map {
	uint32_t other; /* value of what is not listed */
	struct {
		uint32_t from, to;
	} to[512];
};

/* What the capture is of (by_tree) and, of that, what the filter can select (push): events that
 * change the tables are sent all the same (call_on, bits 2, 3). The kernel may send more than the
 * filter accepts, never less: it is asked again in user space. */
enum { CAP_MAX_PIDS = 16 };
enum {
	CAP_BY_PID = 1 << 0,
	CAP_BY_UID = 1 << 1,	/* real, effective, saved or file system user id */
	CAP_BY_COMM = 1 << 2,	/* by its name now, or when it was started or ran its program */
	CAP_BY_CGROUP = 1 << 3, /* below the cgroup */
	CAP_BY_TIME = 1 << 4,	/* only the first part of every second */
};

/* Marks of tasks: bits. */
enum {
	/* by tgid */
	CAP_TASK_WATCHED = 1, /* its events and those of its children */
	CAP_TASK_AT_EXEC = 2, /* the same from its next execve on */
	/* by tid */
	CAP_TASK_NAMED = 4, /* CAP_BY_COMM: what the tables know as its name is the right one */
	CAP_TASK_TOLD = 8,  /* user space knows of it, by an event or from mark_tasks */
};

/* A byte for every number: no 64-bit kernel has greater ones than 4 million. */
enum { CAP_MARKS = 65536, CAP_MARK_PARTS = 64 };
struct cap_marks {
	uint8_t of[CAP_MARKS];
};

struct cap_config {
	uint64_t epoch_offset; /* ns to add to the boot clock */
	uint32_t push;	       /* CAP_BY_* */
	uint32_t snaplen;      /* payload bytes */
	uint64_t cgroup;       /* CAP_BY_CGROUP: id of the cgroup */
	uint32_t cgroup_level; /* its depth, root 0 */
	uint32_t slice_ns;     /* CAP_BY_TIME: of every second */
	uint64_t comm[2];      /* CAP_BY_COMM: the name as two numbers ... */
	uint64_t comm_mask[2]; /* ... and which of their bytes count */
	uint32_t pids[CAP_MAX_PIDS], uids[CAP_MAX_PIDS];
	uint32_t npids, nuids;
	uint8_t by_tree;    /* only tasks that are watched */
	uint8_t all_params; /* send all parameters of the newest schema, not only 0.29.3's */
	uint8_t follow;	    /* by_tree: new processes belong to it, not only new threads */
};

/* What program cpu_times gives for each thread that has run. */
struct cap_cpu_time {
	uint32_t tid, pad;
	uint64_t start_ns; /* since the epoch */
	uint64_t user_ns, system_ns;
};

/* What programs mark_tasks and list_tasks give for each thread: it may be gone before anybody looks
 * for it in /proc. */
struct cap_task {
	uint32_t tid, tgid, ptid; /* initial pid namespace */
	uint32_t uid, gid;	  /* effective */
	char comm[16];
};

/* Counters of one cpu. Written by the programs of that cpu only; a type is counted by one program.
 */
struct cap_counts {
	uint64_t sent[CAP_MAX_TYPES];
	uint64_t dropped[CAP_MAX_TYPES]; /* ring full */
	uint64_t lost;			 /* all of them, and those for want of a work area */
	uint64_t nested; /* work area was busy: counted as lost, never seen so far */
	uint64_t bytes;
};

#endif
