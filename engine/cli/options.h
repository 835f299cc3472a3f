/* The command line, parsed: options.def gives the options, this gives their meaning. Nothing is opened
 * or loaded here. Strings are borrowed from argv. Main thread only. */
#ifndef BURIN_CLI_OPTIONS_H
#define BURIN_CLI_OPTIONS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "field/field.h"
#include "output/pack.h"

enum { CLI_MAX_FILES = 4096, CLI_MAX_CHISELS = 64, CLI_MAX_COMMS = 64, CLI_MAX_PIDS = 256 };

enum cli_action {
	ACT_RUN, ACT_HELP, ACT_VERSION, ACT_LIST_FIELDS, ACT_LIST_MARKDOWN, ACT_LIST_EVENTS,
	ACT_EXPLAIN, ACT_PRINT_FORMAT, ACT_LIBS_VERSION, ACT_DOCTOR, ACT_LIST_CHISELS, ACT_CHISEL_INFO,
	ACT_CHECK_CHISEL,
};

struct cli_options {
	enum cli_action action;
	const char *files[CLI_MAX_FILES];
	unsigned nfiles;
	const char *chisels[CLI_MAX_CHISELS]; /* -c, in order */
	unsigned nchisels;
	char **command;			 /* -- COMMAND, NULL-terminated; NULL = none */
	pid_t pids[CLI_MAX_PIDS];	 /* --pid */
	unsigned npids;
	bool follow;
	size_t ring_bytes;		 /* 0 = default */
	int attach;			 /* enum probe_attach (live/probe.h) */
	const char *btf;		 /* NULL = the kernel's own types */
	bool no_payload;		 /* -s 0 */
	unsigned sample;		 /* part of every second that is captured; 0 = all */
	const char *chisel_info;	 /* -i, --check-chisel: name */
	bool force_ordered;		 /* --check-chisel: scripts run in order, in one state */
	bool spread;			 /* --check-chisel: the same states get the same batches, whoever works */
	int out_fd;			 /* where output goes; 0 = standard output */
	uint64_t lua_memory;		 /* bytes; 0 = default */
	uint32_t lua_seconds;		 /* 0 = default */
	uint32_t lua_instructions;	 /* millions; 0 = no limit */
	unsigned log_level;		 /* of chisel_host.log: what is below is not shown */
	bool as_live;			 /* chisels of a replay see a live capture */
	const char **words;		 /* non-option words in order: chisel arguments, then the filter */
	unsigned nwords;
	const char *format;		 /* -p; NULL = default */
	bool print_containers;		 /* -pc, -pk, -pm */
	struct render_opts ro;
	bool buffer_mode_given, displayflt, quiet, summary, progress, verbose, debug, unbuffered;
	bool resolve_ports, exclude_users, page_faults;
	const char *suppress[CLI_MAX_COMMS]; /* -U */
	unsigned nsuppress;
	bool help_all;
	const char *write_file;		 /* -w; NULL = nothing is written */
	enum pack_kind pack;		 /* -z, --zstd */
	bool fatfile, no_fatfile, filter_proclist;
	uint64_t max_events, max_ns;
	uint64_t snaplen;
	unsigned workers;		 /* 0 = online CPUs */
	size_t batch_bytes;
	uint32_t batch_events;
};

/* Returns 0 or negative with a message in *e (what is wrong with which option). */
int cli_parse(struct cli_options *o, int argc, char **argv, struct err *e);
void cli_options_fini(struct cli_options *o);
/* The output format as it was written, escapes and all: that of -p, or the default one, which has colours on
 * a terminal unless NO_COLOR is set. */
const char *cli_format(const struct cli_options *o);
bool cli_in_colour(const struct cli_options *o);
/* help.c: what --help prints; all: every option. */
void cli_help(bool all, struct buf *out);
void cli_help_json(struct buf *out); /* every option, for the manual and the completions */
/* Title of the option's group, NULL for those that only explain why they are not there. */
const char *cli_option_group(unsigned n);
/* For completions and tests: the n-th option. False past the end. */
struct cli_option_info { int short_name; const char *long_name, *arg_name, *help; int arg; bool excluded; }; /* arg: 0 none, 1 required, 2 optional */
bool cli_option_at(unsigned n, struct cli_option_info *info);
/* The same for any table of options: one line each, or as JSON. */
typedef bool cli_option_at_fn(unsigned n, struct cli_option_info *info);
void cli_option_help(const struct cli_option_info *o, struct buf *out);
void cli_options_json(cli_option_at_fn *at, const char *(*group)(unsigned n), struct buf *out);

#endif
