/* The pipeline: reader -> digest -> apply -> analyse -> release over one trace file, on N workers.
 *
 * Batches live in a window of slots. Every worker pulls the next piece of work that is ready, oldest
 * first: release, apply (both one batch at a time, in order; descriptors in shards, each one batch at
 * a time, when there are many workers), analyse, digest (any batch), read (one at a time, in order),
 * fetch a stretch of a plain file for reading (any). The window, and a limit on rendered bytes waiting
 * for release, are the back-pressure: nothing is read while no slot is free. Ends (-n, -M, damage, a failing chisel, a stop
 * request) are decided in the release step, in order; what lies behind is discarded unseen.
 *
 * With one worker the same steps run one after another in the calling thread: no threads, no locks. */
#ifndef BURIN_WORKER_PIPELINE_H
#define BURIN_WORKER_PIPELINE_H

#include "base/err.h"
#include "chisel/chisel.h"
#include "filter/filter.h"
#include "output/format.h"
#include "output/sink.h"
#include "output/summary.h"
#include "output/writer.h"
#include "source/source.h"
#include "state/demand.h"
#include "worker/suppress.h"

enum { PIPELINE_MAX_WORKERS = 256, PIPELINE_PROGRESS_EVENTS = 10000 };

/* IMMUTABLE during the run; everything borrowed from the caller. */
struct pipeline_opts {
	unsigned workers;	       /* 1 .. PIPELINE_MAX_WORKERS */
	bool spread;		       /* which worker's state analyses a batch is fixed: --check-chisel */
	struct source_opts source;     /* batch size */
	struct source *input;	       /* read instead of the file, and closed; NULL = the file */
	struct suppress *suppress;     /* -U: reader turn; NULL = none */
	const struct demand *demand;
	const struct render_opts *ro;
	const struct filter *filter;   /* capture filter; NULL = all */
	const struct filter *display;  /* -d: applied when printing only; NULL = all */
	const struct format *format;   /* lines printed per event; NULL = print nothing */
	bool show_internal;	       /* -D: internal events are printed too */
	struct chisels *chisels;	       /* NULL = none; chisels_init has been called */
	struct sink *sink;	       /* where released output goes */
	struct writer *writer;	       /* -w; NULL = nothing is written. Its filter is set */
	const struct filter *partner;  /* fat files: rejected enter events that it accepts are kept; NULL = none */
	bool filter_proclist;	       /* only threads and descriptors that pass the filter are written */
	uint64_t max_events;	       /* -n; 0 = no limit */
	uint64_t max_ns;	       /* -M; 0 = no limit */
	uint64_t max_from_ts;	       /* time stamp from which -M counts; 0 = that of the first event that passes */
	struct summary *summary;       /* -S; NULL = not asked */
	/* Called in the release turn for every PIPELINE_PROGRESS_EVENTS-th event, with the position in the stored
	 * file; NULL = no progress. */
	void (*progress)(void *ctx, uint64_t events, uint64_t pos_bytes, uint64_t size_bytes);
	void *progress_ctx;
	const char *end_text;	       /* printed when reading is over, before on_capture_end; NULL = nothing */
};

struct pipeline_stats {
	uint64_t events;       /* numbered events read up to the end */
	uint64_t captured;     /* of these: passed the capture filter */
	uint64_t suppressed;   /* taken out by -U */
	uint64_t pos_bytes, size_bytes; /* how far the stored file was used; size 0 = unknown */
	bool complete;	       /* read to its end */
	uint64_t first_ts, last_ts; /* of the events read; ns; 0 = none */
	bool interrupted;      /* ended by a stop request or a closed output */
	bool chisel_exit;      /* a script called os.exit: chisels_exit_code */
	bool chisel_end;       /* a script called sysdig.end_capture */
};

/* Runs one file (or o->input, then path only names it) to its end. Returns 0 (also when a limit or a stop request ended it) or negative
 * with *e; everything before the fault has been printed and *stats tells how far it got. */
int pipeline_run(const char *path, const struct pipeline_opts *o, struct pipeline_stats *stats,
		 struct err *e);

#endif
