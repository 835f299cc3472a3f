/* One invocation of the program: what the options ask for, compiled and loaded, then run over each
 * trace file in turn. Main thread only. */
#ifndef BURIN_CLI_SESSION_H
#define BURIN_CLI_SESSION_H

#include "cli/options.h"
#include "cli/progress.h"
#include "worker/pipeline.h"

struct session {
	const struct cli_options *o;
	struct demand demand;
	char *filter_text;	  /* owned */
	struct filter *filter;	  /* compiled from capture_text; NULL = none */
	const char *capture_text; /* filter_text, or what a chisel put in its place */
	struct format *format;
	struct chisels *chisels;  /* NULL = none */
	struct chisel_host host;
	struct render_opts ro;	  /* chisels may change the buffer mode */
	struct filter *partner;	  /* -F with a filter: see filter_compile_partner */
	struct writer *writer;	  /* NULL = nothing is written */
	bool write_failed;	  /* and has been reported */
	struct sink sink;
	struct summary summary;
	unsigned workers;
	int exit_code;		  /* of a script that called os.exit */
	bool exited;		  /* one did while it was loaded or initialised */
	char *restart;		  /* owned: command line a script asked to go on with; NULL = none */
	uint64_t captured;	  /* over all files */
	struct live *live;	  /* the capture, when no file is read */
	struct progress progress;
	struct suppress *suppress; /* -U */
	const char *end_text;	  /* what a format with colours leaves to be printed at the end; NULL = nothing */
};

/* Compiles filter and format, loads the chisels and delivers their arguments. */
int session_init(struct session *s, const struct cli_options *o, struct err *e);
/* What the run needs, gathered into s->demand; session_run does it itself. */
void session_set_demand(struct session *s);
/* Runs all files; messages for each fault go to standard error. Returns the exit code. */
int session_run(struct session *s);
void session_fini(struct session *s);

/* record.c: the written trace. Options that contradict one another, or a trace that is read and written at once. */
int record_check(const struct session *s, struct err *e);
/* Before each run, when the filter is known. fat: -F, or a chisel asked for it. */
int record_begin(struct session *s, bool fat, struct err *e);
int record_end(struct session *s); /* closes the file; returns an exit code */

/* Prints "burin: [FILE:][OFFSET: ]text" on standard error. */
void report_error(const char *file, const struct err *e);
/* For texts (filter, format): "burin: WHAT:COLUMN: text", the text itself and a caret line. */
void report_text_error(const char *what, const char *text, const struct err *e);

#endif
