/* Chisels: Lua scripts over the event stream. struct chisels holds all chisels of a run, in
 * command-line order; outputs of several chisels for one event stay in that order.
 *
 * A chisel owns one main Lua state, in which every callback but on_event always runs, and, when it can
 * run in parallel, one Lua state or one native aggregate table per worker.
 *
 * Life, per run:    chisels_new -> chisels_load, chisel_set_args (while parsing the command line)
 * per input file:   chisels_init (on_init; follows chisel.exec) -> chisels_demand, requests, filter
 *                   -> open the source, apply its first metadata batch -> chisels_capture_start
 * per batch:        on any worker, after apply: chisels_batch_begin, chisels_events for the events that
 *                   passed the capture filter, chisels_batch_end; later, in batch order, in the
 *                   holder of the release turn: chisels_release
 * end of the file:  chisels_capture_end (also after every error)
 * finally:          chisels_free
 *
 * Threads: chisels_batch_* may run in all workers at once, each with its own number w. Everything else
 * runs in one thread at a time: before the workers start, in the holder of the release turn, or after the
 * last release. What scripts print goes to the buffer given, in order with formatter lines.
 *
 * Errors: negative codes with the text in struct err, "NAME chisel error: ..." first line, the Lua
 * traceback in chisels_traceback. CHISELS_EXIT when the script called os.exit: flush the output
 * and end the process with chisels_exit_code; on_capture_end must not be called then. */
#ifndef BURIN_CHISEL_CHISEL_H
#define BURIN_CHISEL_CHISEL_H

#include "base/buf.h"
#include "field/field.h"
#include "filter/filter.h"

struct chisel;
struct chisels;
struct chisels_part; /* what analysing one batch left for the release step */

enum chisel_mode {
	CHISEL_ORDERED,	  /* on_event in release order in the main state; fields extracted by workers */
	CHISEL_PARALLEL,  /* on_event or native aggregate updates in the workers, partials merged */
	CHISEL_PER_EVENT, /* only prints a line computed from its event: rendered in workers */
};

/* Positive results of chisels_* functions. */
enum {
	CHISELS_END = 1,  /* a script ended the capture (sysdig.end_capture) */
	CHISELS_EXIT = 2, /* a script called os.exit */
};

/* What a chisel can ask about the run; borrowed for the life of the struct chisels (filter_text and is_live may be filled
 * in until chisels_init). */
struct chisel_host {
	unsigned workers;
	struct render_opts *ro; /* sysdig.set_output_format changes buffer_mode (before the first event only) */
	bool compat029, is_live, print_container_data, json;
	bool may_end;	     /* -n, -M, ...: the run can end inside a batch by a decision in order */
	bool force_ordered;  /* --check-chisel and tests: everything runs in the main state, in order */
	const char *filter_text;  /* capture filter of the command line, "" if none */
	const char *const *path;  /* directories of scripts and helpers, in order, NULL-terminated; NULL = default path */
	/* sysdig.log of a script: level from 0 (debug) over info, warning and error to 4 (critical). NULL: nobody listens. */
	void (*log)(void *ctx, unsigned level, const char *text);
	void *log_ctx;
	uint64_t lua_memory_bytes; /* limit of each Lua state; 0 = default (1 GiB) */
	uint32_t lua_seconds;	   /* limit of one callback's running time; 0 = default (60 s) */
	uint32_t lua_instructions; /* limit of Lua instructions of one callback, in millions; 0 = none */
};

/* What the scripts asked of the engine. Strings live as long as the struct chisels. */
struct chisel_requests {
	const char *filter;  /* sysdig.set_filter: replaces the capture filter; NULL = not called */
	uint32_t snaplen;    /* sysdig.set_snaplen; 0 = not called */
	int fatfile;	     /* sysdig.set_fatfile_dump_mode: 0 or 1; -1 = not called */
	const char *run_app; /* sysdig.run_app: command line to restart with after the run; NULL */
};

/* One input, as on_capture_start and later callbacks see it. Borrowed until chisels_capture_end. */
struct chisel_input {
	const char *name;	/* as given to -r; "" live */
	uint64_t raw_size;	/* bytes as stored, 0 unknown; for get_read_progress */
	const struct state_root *root; /* tables before the first event; NULL when there are none */
	uint64_t ord;		/* order number the first event will have */
};

int chisels_new(struct chisels **out, const struct chisel_host *h);
void chisels_free(struct chisels *cs);
unsigned chisels_count(const struct chisels *cs);

/* -c name: finds the file (decisions 12), runs its main chunk, whose output goes to out. *c is borrowed from cs. */
int chisels_load(struct chisels *cs, const char *name, struct chisel **c, struct buf *out, struct err *e);
unsigned chisel_args_required(const struct chisel *c);
unsigned chisel_args_optional(const struct chisel *c);
bool chisel_arg_is_filter(const struct chisel *c); /* exactly one argument, optional, of type filter */
/* word: the command-line word, split here as cli.md section 6 says (delivers on_set_arg). */
int chisel_set_args(struct chisel *c, const char *word, struct buf *out, struct err *e);

/* on_init of all, chisel.exec included. filter_text of the host must be final. */
int chisels_init(struct chisels *cs, struct buf *out, struct err *e);
void chisels_demand(const struct chisels *cs, struct demand *d); /* adds bits; types: sets those it can use (d->types |=) */
void chisels_get_requests(const struct chisels *cs, struct chisel_requests *r);
enum chisel_mode chisel_mode_of(const struct chisels *cs, unsigned i);
int chisels_capture_start(struct chisels *cs, const struct chisel_input *in, struct buf *out, struct err *e);

/* A further section of the same input begins (a batch of metadata was released): its tables, and the order number of its
 * first event. In the order of release. Tables must stay readable until after chisels_capture_end: what the last released
 * batch superseded must not be reclaimed before. */
void chisels_section(struct chisels *cs, const struct state_root *root, uint64_t ord);

/* ---- analyse: worker w, on a batch whose apply is done and on which env->c was begun ------------- */
int chisels_batch_begin(struct chisels *cs, unsigned w, struct field_env *env, struct chisels_part **p);
/* Events idx of the batch (n, ascending, behind those of calls before) are not hidden and passed the capture filter. env
 * moves to those that something is to be done with. Never fails: faults of scripts are kept in the part. */
void chisels_events(struct chisels_part *p, const uint32_t *idx, uint32_t n);
void chisels_batch_end(struct chisels_part *p);
size_t chisels_part_bytes(const struct chisels_part *p); /* memory it holds until release */

/* ---- release: in batch order ----------------------------------------------------------------------
 * *p is taken. env: any env of this thread (its evctx is moved to b when needed). end: number of events of b that count,
 * b->nev unless the run ends inside the batch (then may_end must have been set). *used: events of b that took effect
 * (== end unless the result is CHISELS_END or an error). */
int chisels_release(struct chisels *cs, struct chisels_part **p, struct field_env *env, const struct batch *b,
		    uint32_t end, uint32_t *used, struct buf *out, struct err *e);
/* A part whose batch lies behind the end of the run. Any thread; *p is taken. */
void chisels_discard(struct chisels_part **p);

/* Merges what the workers accumulated, then on_capture_end of all chisels; also after every error (a failed on_init
 * included). Faults inside on_capture_end are swallowed, as in sysdig; negative: a merge failed (*e). */
int chisels_capture_end(struct chisels *cs, struct field_env *env, struct buf *out, struct err *e);
const char *chisels_traceback(const struct chisels *cs); /* of the last error; "" if none */
int chisels_exit_code(const struct chisels *cs);	 /* after CHISELS_EXIT */
/* -cl and -i: runs the main chunk of every chisel there is (of the named one); no other function need be called. */
int chisels_list(struct chisels *cs, bool json, struct buf *out, struct err *e);
int chisels_info(struct chisels *cs, const char *name, bool json, struct buf *out, struct err *e);
/* Any thread, also a signal handler: makes a running callback stop with an error. */
void chisels_interrupt(struct chisels *cs);

#endif
