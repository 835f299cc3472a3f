/* "burin bench": what filters cost on a trace, so that two ways to write one can be compared. Every filter runs
 * several times over the whole trace, in turn with the others and with mere walking. Main thread only. */
#ifndef BURIN_CLI_BENCH_H
#define BURIN_CLI_BENCH_H

#include "cli/options.h"
#include "filter/filter.h"

enum { BENCH_MAX_RUNS = 1000 };

/* bench_options.c: the command line. Borrowed from argv. */
struct bench_options {
	const char *file;
	unsigned runs, workers;
	bool json, compat029, help;
	const char **filters; /* owned */
	unsigned nfilters;
};
int bench_parse(struct bench_options *o, int argc, char **argv, struct err *e);
bool bench_option_at(unsigned n, struct cli_option_info *info);
void bench_help(bool json, struct buf *out);

/* bench_steps.c: nanoseconds of CPU time in all, one thread, each step by itself. */
struct bench_steps {
	double read, digest, apply;
	double load;	/* moving to the events that the digest selected */
	double program; /* the rest of the filter, fields it needs included */
	double header;	/* part of digest: its program */
	uint64_t events, selected, matched;
	double ns_per_tick;
};

/* What runs: walking (f NULL) or a filter. */
struct bench_row {
	const char *text;
	struct filter *f;
	struct demand demand;
	double *wall, *cpu; /* one per run, ns; owned */
	uint64_t read, matched;
	struct bench_steps steps;
	struct filter_profile *profile;
};
/* Fills row->steps and row->profile. */
int bench_steps(const char *path, struct bench_row *row, struct err *e);

/* bench_report.c. Row 0 is walking; runs: how many there were. */
struct bench_result {
	const struct bench_options *o;
	struct bench_row *rows;
	unsigned nrows, runs;
	uint64_t bytes; /* of the file as stored */
};
void bench_report(const struct bench_result *r, struct buf *out);
void bench_report_json(const struct bench_result *r, struct buf *out);

/* All of it: argv[1] is "bench". Returns the exit code. */
int bench_main(int argc, char **argv);

#endif
