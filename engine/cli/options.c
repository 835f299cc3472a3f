#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "output/format.h"

enum opt_arg { N = no_argument, R = required_argument, O = optional_argument };
enum opt_group { INPUT, LIVE, CHISELS, OUTPUT, WRITING, LISTS, ENGINE, EXCLUDED, GROUP_COUNT };

enum opt_id {
	OPT_BASE = 1000, /* above every short option letter */
#define OPT(id, s, l, a, an, g, h) OPT_##id,
#include "cli/options.def"
#undef OPT
	OPT_END,
};

struct opt {
	enum opt_id id;
	int short_name;
	const char *long_name;
	enum opt_arg arg;
	const char *arg_name;
	enum opt_group group;
	const char *help;
};

static const struct opt opts[] = {
#define OPT(id, s, l, a, an, g, h) {OPT_##id, s, l, a, an, g, h},
#include "cli/options.def"
#undef OPT
};

static const char *const group_titles[GROUP_COUNT] = {
	[INPUT] = "Input", [LIVE] = "Live", [CHISELS] = "Chisels", [OUTPUT] = "Output",
	[WRITING] = "Writing", [LISTS] = "Lists",
	[ENGINE] = "Engine",
};

bool cli_option_at(unsigned n, struct cli_option_info *info)
{
	if (n >= ARRAY_SIZE(opts))
		return false;
	*info = (struct cli_option_info){opts[n].short_name, opts[n].long_name, opts[n].arg_name,
					 opts[n].help, (int)opts[n].arg, opts[n].group == EXCLUDED};
	return true;
}

const char *cli_option_group(unsigned n)
{
	return n < ARRAY_SIZE(opts) ? group_titles[opts[n].group] : NULL;
}

/* ---- values ---------------------------------------------------------------------------------------- */

static int parse_u64(const char *s, uint64_t *out)
{
	char *end;

	errno = 0;
	if (s[0] < '0' || s[0] > '9')
		return -EINVAL;
	*out = strtoull(s, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

/* Bytes with an optional k, M or G (powers of 1024). */
static int parse_size(const char *s, uint64_t *out)
{
	char *end;
	unsigned shift = 0;

	errno = 0;
	if (s[0] < '0' || s[0] > '9')
		return -EINVAL;
	*out = strtoull(s, &end, 10);
	switch (*end) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	default: break;
	}
	if (shift)
		end++;
	if (errno || *end || (shift && *out >> (64 - shift)))
		return -EINVAL;
	*out <<= shift;
	return 0;
}

static int bad(struct err *e, const char *fmt, const char *arg)
{
	char msg[256];

	snprintf(msg, sizeof(msg), fmt, arg);
	return err_set(e, ERR_SYNTAX, ERR_NO_POS, "%s", msg);
}

static int set_buffer_mode(struct cli_options *o, enum buffer_mode m, struct err *e)
{
	if (o->buffer_mode_given && o->ro.buffer_mode != m)
		return bad(e, "you cannot specify more than one output format%s", "");
	o->buffer_mode_given = true;
	o->ro.buffer_mode = (uint8_t)m;
	return 0;
}

static int set_pack(struct cli_options *o, enum pack_kind kind, struct err *e)
{
	if (o->pack != PACK_NONE && o->pack != kind)
		return bad(e, "only one of -z and --zstd can be given%s", "");
	o->pack = kind;
	return 0;
}

static int set_print(struct cli_options *o, const char *arg)
{
	if (!strcmp(arg, "p")) {
		o->action = ACT_PRINT_FORMAT;
	} else if (!strcmp(arg, "c") || !strcmp(arg, "container")) {
		o->print_containers = true;
		o->format = "*%evt.num %evt.outputtime %evt.cpu %container.name (%container.id) %proc.name "
			    "(%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";
	} else if (!strcmp(arg, "k") || !strcmp(arg, "kubernetes")) {
		o->print_containers = true;
		o->format = "*%evt.num %evt.outputtime %evt.cpu %k8s.pod.name (%container.id) %proc.name "
			    "(%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";
	} else if (!strcmp(arg, "m") || !strcmp(arg, "mesos")) {
		o->print_containers = true;
		o->format = "*%evt.num %evt.outputtime %evt.cpu %mesos.task.name (%container.id) %proc.name "
			    "(%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";
	} else {
		o->format = arg;
	}
	return 0;
}

static int set_pids(struct cli_options *o, const char *arg, struct err *e)
{
	for (const char *p = arg; *p;) {
		char *end;
		long v = strtol(p, &end, 10);

		if (end == p || v < 1 || v > INT_MAX || (*end && *end != ','))
			return bad(e, "option --pid: '%s' is not a list of process ids", arg);
		if (o->npids == CLI_MAX_PIDS)
			return bad(e, "too many process ids%s", "");
		o->pids[o->npids++] = (pid_t)v;
		p = *end ? end + 1 : end;
	}
	return 0;
}

static int set_number(const struct opt *d, const char *arg, struct cli_options *o, struct err *e)
{
	uint64_t v = 0;

	if ((d->id == OPT_BATCH_BYTES || d->id == OPT_RING_SIZE || d->id == OPT_LUA_MEMORY
		     ? parse_size(arg, &v) : parse_u64(arg, &v)) < 0) {
		if (d->id == OPT_NUMEVENTS)
			return bad(e, "can't parse the -n argument, make sure it's a number%s", "");
		if (d->id == OPT_SECONDS_MAX)
			return bad(e, "invalid duration %s", arg);
		return err_set(e, ERR_SYNTAX, ERR_NO_POS, "option --%s: '%s' is not a number", d->long_name, arg);
	}
	switch (d->id) {
	case OPT_NUMEVENTS:
		if (!v)
			return bad(e, "invalid event count %s", arg);
		o->max_events = v;
		return 0;
	case OPT_SECONDS_MAX:
		if (!v || v > UINT64_MAX / 1000000000)
			return bad(e, "invalid duration %s", arg);
		o->max_ns = v * 1000000000;
		return 0;
	case OPT_SNAPLEN:
		o->snaplen = v;
		o->no_payload = !v;
		return 0;
	case OPT_RING_SIZE:
		if (v < 4096 || v > (1u << 30))
			return bad(e, "option --ring-size: %s is not in 4k..1G", arg);
		o->ring_bytes = v;
		return 0;
	case OPT_SAMPLE:
		if (!v || v > 1000)
			return bad(e, "option --sample: %s is not in 1..1000", arg);
		o->sample = (unsigned)v;
		return 0;
	case OPT_WORKERS:
		if (!v || v > 256)
			return bad(e, "option --workers: %s is not in 1..256", arg);
		o->workers = (unsigned)v;
		return 0;
	case OPT_LUA_MEMORY:
		if (v < 1 << 20)
			return bad(e, "option --lua-memory: %s is less than 1M", arg);
		o->lua_memory = v;
		return 0;
	case OPT_LUA_SECONDS:
		if (!v || v > 1000000)
			return bad(e, "option --lua-seconds: %s is out of range", arg);
		o->lua_seconds = (uint32_t)v;
		return 0;
	case OPT_LUA_INSTRUCTIONS:
		if (!v || v > 1000000)
			return bad(e, "option --lua-instructions: %s is not in 1..1000000 (millions)", arg);
		o->lua_instructions = (uint32_t)v;
		return 0;
	case OPT_BATCH_BYTES:
		if (v < 1 || v > (1u << 30))
			return bad(e, "option --batch-bytes: %s is not in 1..1G", arg);
		o->batch_bytes = v;
		return 0;
	default: /* OPT_BATCH_EVENTS */
		if (!v || v > UINT32_MAX)
			return bad(e, "option --batch-events: %s is out of range", arg);
		o->batch_events = (uint32_t)v;
		return 0;
	}
}

static int set_time_type(struct cli_options *o, const char *arg, struct err *e)
{
	if (!arg[0] || arg[1] || !strchr("hardD", arg[0]))
		return bad(e, "invalid modifier for flag -t: '%s', expected h, a, r, d or D", arg);
	o->ro.time_type = arg[0];
	return 0;
}

/* The values of enum probe_attach, in its order. */
static int set_attach(struct cli_options *o, const char *arg, struct err *e)
{
	static const char *const ways[] = {"auto", "btf", "raw"};

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!strcmp(arg, ways[i])) {
			o->attach = (int)i;
			return 0;
		}
	}
	return bad(e, "option --attach: '%s' is not known (auto, btf and raw are)", arg);
}

static int set_log_level(struct cli_options *o, const char *arg, struct err *e)
{
	static const struct { const char *name; unsigned level; } levels[] = { /* as in chisel_host.log */
		{"trace", 0}, {"debug", 0}, {"info", 1}, {"notice", 2}, {"warning", 2}, {"error", 3}, {"critical", 4}, {"fatal", 5},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++) {
		if (!strcmp(arg, levels[i].name)) {
			o->log_level = levels[i].level;
			return 0;
		}
	}
	return bad(e, "invalid log level '%s', expected trace, debug, info, notice, warning, error, critical or fatal",
		   arg);
}

static int set_option(const struct opt *d, const char *arg, struct cli_options *o, struct err *e)
{
	switch (d->id) {
	case OPT_READ:
		if (o->nfiles == CLI_MAX_FILES)
			return bad(e, "too many trace files%s", "");
		o->files[o->nfiles++] = arg;
		return 0;
	case OPT_NUMEVENTS: case OPT_SECONDS_MAX: case OPT_SNAPLEN: case OPT_WORKERS:
	case OPT_BATCH_BYTES: case OPT_BATCH_EVENTS: case OPT_RING_SIZE: case OPT_LUA_MEMORY: case OPT_SAMPLE:
	case OPT_LUA_SECONDS: case OPT_LUA_INSTRUCTIONS:
		return set_number(d, arg, o, e);
	case OPT_PID: return set_pids(o, arg, e);
	case OPT_FOLLOW: o->follow = true; return 0;
	case OPT_ATTACH: return set_attach(o, arg, e);
	case OPT_BTF: o->btf = arg; return 0;
	case OPT_DOCTOR: o->action = ACT_DOCTOR; return 0;
	case OPT_CHISEL:
		if (o->nchisels == CLI_MAX_CHISELS)
			return bad(e, "too many chisels%s", "");
		if (!strcmp(arg, "l")) {
			o->action = ACT_LIST_CHISELS;
			return 0;
		}
		o->chisels[o->nchisels++] = arg;
		return 0;
	case OPT_CHECK_CHISEL:
		o->action = ACT_CHECK_CHISEL;
		o->chisels[0] = o->chisel_info = arg;
		o->nchisels = 1;
		return 0;
	case OPT_LIST_CHISELS: o->action = ACT_LIST_CHISELS; return 0;
	case OPT_CHISEL_INFO:
		o->action = ACT_CHISEL_INFO;
		o->chisel_info = arg;
		return 0;
	case OPT_PRINT: return set_print(o, arg);
	case OPT_TIMETYPE: return set_time_type(o, arg, e);
	case OPT_JSON: o->ro.json = true; return 0;
	case OPT_ASCII: return set_buffer_mode(o, BUF_PRINTABLE, e);
	case OPT_HEX: return set_buffer_mode(o, BUF_HEX, e);
	case OPT_HEXASCII: return set_buffer_mode(o, BUF_HEXASCII, e);
	case OPT_BASE64: return set_buffer_mode(o, BUF_BASE64, e);
	case OPT_DISPLAYFLT: o->displayflt = true; return 0;
	case OPT_QUIET: o->quiet = true; return 0;
	case OPT_SUMMARY: o->summary = true; return 0;
	case OPT_PROGRESS: o->progress = true; return 0;
	case OPT_VERBOSE: o->verbose = true; return 0;
	case OPT_DEBUG: o->debug = true; return 0;
	case OPT_UNBUFFERED: o->unbuffered = true; return 0;
	case OPT_RESOLVE_PORTS: o->resolve_ports = true; return 0;
	case OPT_WRITE: o->write_file = arg; return 0;
	case OPT_COMPRESS: return set_pack(o, PACK_GZIP, e);
	case OPT_ZSTD: return set_pack(o, PACK_ZSTD, e);
	case OPT_FATFILE: o->fatfile = true; return 0;
	case OPT_FILTER_PROCLIST: o->filter_proclist = true; return 0;
	case OPT_SUPPRESS:
		if (o->nsuppress == CLI_MAX_COMMS)
			return bad(e, "too many names of processes to take out%s", "");
		o->suppress[o->nsuppress++] = arg;
		return 0;
	case OPT_AS_LIVE: o->as_live = true; return 0;
	case OPT_NO_USERS: o->exclude_users = true; return 0;
	case OPT_NO_FATFILE: o->no_fatfile = true; return 0;
	case OPT_PAGE_FAULTS: o->page_faults = true; return 0;
	case OPT_LARGE_ENV: case OPT_CRI: case OPT_CRI_TIMEOUT: return 0;
	case OPT_LOG_LEVEL: return set_log_level(o, arg, e);
	case OPT_LIST: o->action = ACT_LIST_FIELDS; return 0;
	case OPT_LIST_MARKDOWN: o->action = ACT_LIST_MARKDOWN; return 0;
	case OPT_LIST_EVENTS: o->action = ACT_LIST_EVENTS; return 0;
	case OPT_EXPLAIN: o->action = ACT_EXPLAIN; return 0;
	case OPT_HELP:
		if (arg && strcmp(arg, "all"))
			return bad(e, "option --help: '%s' is not known (all is)", arg);
		o->action = ACT_HELP;
		o->help_all = arg != NULL;
		return 0;
	case OPT_LIBS_VERSION: o->action = ACT_LIBS_VERSION; return 0;
	case OPT_VERSION: o->action = ACT_VERSION; return 0;
	case OPT_COMPAT:
		if (strcmp(arg, "0.29") && strcmp(arg, "0.29.3"))
			return bad(e, "option --compat: '%s' is not known (0.29 is)", arg);
		o->ro.compat029 = true;
		return 0;
	default:
		return err_set(e, ERR_SYNTAX, ERR_NO_POS, "option %s%s: %s", d->long_name ? "--" : "-",
			       d->long_name ? d->long_name : "", d->help);
	}
}

/* ---- parsing --------------------------------------------------------------------------------------- */

static const struct opt *opt_find(int c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++) {
		if (opts[i].short_name == c || (int)opts[i].id == c)
			return &opts[i];
	}
	return NULL;
}

/* getopt's two descriptions, from the table. The short one starts with ':' so that a missing argument
 * is told from an unknown option, and getopt prints nothing itself. */
static void opt_tables(char *shorts, struct option *longs)
{
	unsigned ns = 0, nl = 0;

	shorts[ns++] = ':';
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++) {
		if (opts[i].short_name) {
			shorts[ns++] = (char)opts[i].short_name;
			for (int a = 0; a < (int)opts[i].arg; a++)
				shorts[ns++] = ':';
		}
		if (opts[i].long_name)
			longs[nl++] = (struct option){opts[i].long_name, (int)opts[i].arg, NULL, (int)opts[i].id};
	}
	shorts[ns] = 0;
	longs[nl] = (struct option){0};
}

/* "-- COMMAND": what follows is the command to capture, unless a trace file is read (then "--" only ends
 * the options). Returns the number of arguments before it. */
static int cut_command(struct cli_options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") || i + 1 == argc)
			continue;
		o->command = argv + i + 1;
		return i;
	}
	return argc;
}

int cli_parse(struct cli_options *o, int argc, char **argv, struct err *e)
{
	int before;

	char shorts[3 * ARRAY_SIZE(opts) + 2];
	struct option longs[ARRAY_SIZE(opts) + 1];
	int c, rc;

	memset(o, 0, sizeof(*o));
	o->ro.time_type = 'h';
	opt_tables(shorts, longs);
	opterr = 0;
	optind = 0;
	before = cut_command(o, argc, argv);
	while ((c = getopt_long(before, argv, shorts, longs, NULL)) != -1) {
		if (c == '?')
			return bad(e, "unknown or ambiguous option '%s' (burin --help lists them)",
				   argv[optind - 1]);
		if (c == ':')
			return bad(e, "option '%s' needs an argument", argv[optind - 1]);
		rc = set_option(opt_find(c), optarg, o, e);
		if (rc < 0)
			return rc;
	}
	if (o->command && (o->nfiles || o->npids)) {
		if (o->npids)
			return bad(e, "either --pid or a command%s", "");
		o->command = NULL;
	} else if (o->command) {
		argc = before;
	}
	if (o->progress && !o->nfiles && o->action == ACT_RUN)
		return bad(e, "the -P flag cannot be used with live captures%s", "");
	/* As sysdig does: who writes a trace is not shown it, but how far it got. */
	if (o->write_file) {
		o->quiet = true;
		o->progress = o->nfiles > 0;
	}
	o->nwords = (unsigned)(argc - optind);
	o->words = calloc(o->nwords + 1, sizeof(*o->words));
	if (!o->words)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	for (unsigned i = 0, n = o->nwords; i < n; i++) {
		/* a "--" that ends the options before a filter */
		if (optind + (int)i == before && argc > before)
			o->nwords--;
		else
			o->words[i - (n - o->nwords)] = argv[optind + (int)i];
	}
	return 0;
}

/* JSON is for programs: the same fields wherever it goes. */
bool cli_in_colour(const struct cli_options *o)
{
	const char *no = getenv("NO_COLOR");

	return !o->ro.json && isatty(o->out_fd ? o->out_fd : STDOUT_FILENO) && !(no && *no);
}

const char *cli_format(const struct cli_options *o)
{
	static const char colour[] =
		"*%evt.num %evt.outputtime %evt.cpu \\e[01;32m%proc.name\\e[00m (\\e[01;36m%proc.pid\\e[00m."
		"%thread.tid) %evt.dir \\e[01;34m%evt.type\\e[00m %evt.info";

	if (o->format)
		return o->format;
	return cli_in_colour(o) ? colour : FORMAT_DEFAULT;
}

void cli_options_fini(struct cli_options *o)
{
	free(o->words);
	o->words = NULL;
}
