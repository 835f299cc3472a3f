/* Live capture as a source of batches: the same interface as that of a file (source/source.h).
 *
 * The first batch is BATCH_META: what a file has before its events (machine, interfaces, users,
 * threads and their descriptors), made from /proc. Then come runs of event blocks in the one order
 * (epoch.h), each what was certain when it was asked for. All of it is what a written file holds,
 * byte for byte. The blocks of a run lie scattered: only data + blk[i] says where.
 *
 * With several workers the rings are drained in parallel (drain.h), through live_source. One
 * thread at a time may call live_read; live_release, live_stop: any thread, the latter from a
 * signal handler, too. */
#ifndef BURIN_LIVE_LIVE_H
#define BURIN_LIVE_LIVE_H

#include <sys/types.h>

#include "live/probe.h"
#include "source/source.h"

struct live;

struct live_opts {
	size_t ring_bytes;  /* per cpu; 0 = default */
	size_t batch_bytes; /* aimed-at run length; 0 = default */
	unsigned workers;   /* that drain the rings; 0 = 1: live_read does it */
	uint32_t snaplen;   /* payload bytes of one event; 0 = 80 */
	char *const *argv;  /* command to run and capture with its children; NULL = none */
	const pid_t *pids;  /* processes to capture */
	unsigned npids;
	uint64_t max_ns; /* the capture ends so long after its begin, whatever happens; 0 = no limit */
	bool follow;	 /* their children, too: those of now and of later (argv: always) */
	bool compat_029; /* only events that sysdig 0.29.3 knows */
	bool page_faults;
	const struct probe_select *select; /* what is sent; NULL = everything */
	const char *online; /* file that lists the cpus online; NULL = the kernel's */
	enum probe_attach attach;
	const char *btf; /* file with the kernel's types, for a kernel without; NULL = none */
	bool measure;	 /* fill program_runs and program_ns of the statistics */
};

struct live_stats {
	uint64_t sent, dropped, bytes; /* events and bytes put into the rings; lost ones */
	size_t most_fill, ring_bytes;  /* greatest fill of a ring seen, its size */
	unsigned cpus;
	char attached[320];		   /* how: see probe_how */
	uint64_t program_runs, program_ns; /* of the kernel programs, wanted tasks or not */
};

/* Whether this build can capture at all. */
bool live_supported(void);

/* Loads and attaches the programs and reads /proc. Afterwards the thread has only the capabilities
 * it still needs (the command keeps all). */
int live_open(struct live **out, const struct live_opts *o, struct err *e);
void live_close(struct live *l); /* NULL is fine; a command that still runs goes on */

/* The process list has other ids than the events: the capture runs in a pid namespace of its own. */
bool live_ids_differ(const struct live *l);
/* The capture's begin: what is captured was there, the command starts. Time stamp of events, ns. */
uint64_t live_begin_ts(const struct live *l);

/* As source_read: waits until there are events (or the end). The capture ends with the command, or
 * when it is stopped. */
int live_read(struct live *l, struct batch *b, struct err *e);
/* As source_order. Any thread. */
int live_order(struct live *l, struct batch *b);
void live_release(struct live *l, struct batch *b);
void live_stop(struct live *l);

/* The same as a source for the pipeline. The capture outlives it: statistics first, then
 * live_close. */
int live_source(struct live *l, struct source **out, struct err *e);

void live_stats(const struct live *l, struct live_stats *s);
/* Events of one type put into the rings, and lost. */
void live_type_stats(const struct live *l, unsigned type, uint64_t *sent, uint64_t *dropped);
/* The same of one cpu; false: there is no such cpu. */
bool live_cpu_stats(const struct live *l, unsigned cpu, uint64_t *sent, uint64_t *dropped);
/* Exit status of the command as of waitpid, -1 while it runs or without one. */
int live_command_status(struct live *l);

#endif
