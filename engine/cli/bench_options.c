#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "cli/bench.h"

enum opt_arg { N = no_argument, R = required_argument, O = optional_argument };
enum { BENCH };

enum opt_id {
	OPT_BASE = 1000, /* above every short option letter */
#define OPT(id, s, l, a, an, g, h) OPT_##id,
#include "cli/bench.def"
#undef OPT
};

static const struct opt {
	enum opt_id id;
	struct cli_option_info info;
} opts[] = {
#define OPT(id, s, l, a, an, g, h) {OPT_##id, {s, l, an, h, a, false}},
#include "cli/bench.def"
#undef OPT
};

static int set_number(const char *name, const char *arg, unsigned max, unsigned *out, struct err *e)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(arg, &end, 10);
	if (errno || end == arg || *end || arg[0] == '-' || v < 1 || v > max)
		return err_set(e, ERR_SYNTAX, ERR_NO_POS, "option --%s: %s is not in 1..%u", name,
			       arg, max);
	*out = (unsigned)v;
	return 0;
}

static int set_option(const struct opt *d, const char *arg, struct bench_options *o, struct err *e)
{
	switch (d->id) {
	case OPT_READ:
		if (o->file)
			return err_set(e, ERR_SYNTAX, ERR_NO_POS,
				       "bench reads one trace, not several");
		o->file = arg;
		return 0;
	case OPT_RUNS:
		return set_number("runs", arg, BENCH_MAX_RUNS, &o->runs, e);
	case OPT_WORKERS:
		return set_number("workers", arg, 256, &o->workers, e);
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_COMPAT:
		if (strcmp(arg, "0.29") && strcmp(arg, "0.29.3"))
			return err_set(e, ERR_SYNTAX, ERR_NO_POS,
				       "option --compat: '%s' is not known (0.29 is)", arg);
		o->compat029 = true;
		return 0;
	default: /* OPT_HELP */
		o->help = true;
		return 0;
	}
}

static const struct opt *opt_find(int c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++)
		if (opts[i].info.short_name == c || (int)opts[i].id == c)
			return &opts[i];
	return NULL;
}

static void opt_tables(char *shorts, struct option *longs)
{
	unsigned n = 0, nl = 0;

	shorts[n++] = ':';
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++) {
		if (opts[i].info.short_name) {
			shorts[n++] = (char)opts[i].info.short_name;
			for (int a = 0; a < opts[i].info.arg; a++)
				shorts[n++] = ':';
		}
		longs[nl++] = (struct option){opts[i].info.long_name, opts[i].info.arg, NULL,
					      (int)opts[i].id};
	}
	shorts[n] = 0;
	longs[nl] = (struct option){0};
}

int bench_parse(struct bench_options *o, int argc, char **argv, struct err *e)
{
	char shorts[3 * ARRAY_SIZE(opts) + 2];
	struct option longs[ARRAY_SIZE(opts) + 1];
	int c, rc;

	*o = (struct bench_options){.runs = 5, .workers = 1};
	opt_tables(shorts, longs);
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return err_set(e, ERR_SYNTAX, ERR_NO_POS,
				       c == '?' ? "unknown or ambiguous option '%s' (burin bench "
						  "--help lists them)"
						: "option '%s' needs an argument",
				       argv[optind - 1]);
		rc = set_option(opt_find(c), optarg, o, e);
		if (rc < 0)
			return rc;
	}
	if (o->help)
		return 0;
	if (!o->file || !strcmp(o->file, "-"))
		return err_set(e, ERR_SYNTAX, ERR_NO_POS,
			       "bench needs a trace file: name one with -r FILE");
	o->nfilters = (unsigned)(argc - optind);
	o->filters = (const char **)argv + optind;
	return 0;
}

bool bench_option_at(unsigned n, struct cli_option_info *info)
{
	if (n >= ARRAY_SIZE(opts))
		return false;
	*info = opts[n].info;
	return true;
}

static const char *group_of(unsigned n)
{
	return "Bench";
}

void bench_help(bool json, struct buf *out)
{
	if (json) {
		cli_options_json(bench_option_at, group_of, out);
		return;
	}
	buf_lit(out, "usage: burin bench -r TRACE [options] 'FILTER' ['FILTER'...]\n\n"
		     "Runs each filter over the whole trace, in turn with the others and with mere "
		     "walking, and says\n"
		     "what it costs, what state it asks for and which of its instructions take the "
		     "time.\n\n");
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++)
		cli_option_help(&opts[i].info, out);
}
