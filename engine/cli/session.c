#include "cli/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/services.h"
#include "base/stop.h"
#include "cli/capture.h"

static unsigned online_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > PIPELINE_MAX_WORKERS ? PIPELINE_MAX_WORKERS : (unsigned)n;
}

/* ---- words: chisel arguments, then the filter ------------------------------------------------------ */

static char *join_words(const char **words, unsigned n)
{
	size_t len = 1;
	char *text, *p;

	for (unsigned i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	text = p = malloc(len);
	if (!text)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		p += sprintf(p, "%s%s", i ? " " : "", words[i]);
	*p = 0;
	return text;
}

static bool words_are_filter(const char **words, unsigned n, bool compat)
{
	char *text = join_words(words, n);
	struct filter *f = NULL;
	bool ok = text && filter_compile(&f, text, compat, NULL) == 0;

	filter_free(f);
	free(text);
	return ok;
}

/* Whether the chisel takes the next word as its argument (spec: cli.md section 6). */
static int chisel_takes_word(struct session *s, const char *name, struct chisel *c, unsigned at,
			     bool *takes, struct err *e)
{
	unsigned left = s->o->nwords - at;
	const char *word = left ? s->o->words[at] : NULL;

	*takes = false;
	if (chisel_args_required(c)) {
		if (!word)
			return err_set(e, ERR_SYNTAX, ERR_NO_POS, "missing arguments for chisel %s", name);
		*takes = true;
		return 0;
	}
	if (!chisel_args_optional(c) || !word || word[0] == '-')
		return 0;
	*takes = chisel_arg_is_filter(c) ||
		 !words_are_filter(s->o->words + at, left, s->ro.compat029);
	return 0;
}

static int load_chisel(struct session *s, const char *name, unsigned *at, struct buf *out, struct err *e)
{
	struct chisel *c;
	bool takes;
	int rc = chisels_load(s->chisels, name, &c, out, e);

	if (rc == 0)
		rc = chisel_takes_word(s, name, c, *at, &takes, e);
	if (rc == 0 && takes)
		rc = chisel_set_args(c, s->o->words[(*at)++], out, e);
	return rc;
}

/* Loads every -c and delivers its arguments; *words_used = words they took. */
static int load_chisels(struct session *s, unsigned *words_used, struct err *e)
{
	struct buf out;
	struct err e2;
	int rc;

	*words_used = 0;
	if (!s->o->nchisels)
		return 0;
	rc = chisels_new(&s->chisels, &s->host);
	if (rc < 0)
		return err_set(e, rc, ERR_NO_POS, "out of memory for the chisels");
	buf_init(&out);
	for (unsigned i = 0; i < s->o->nchisels && rc == 0; i++)
		rc = load_chisel(s, s->o->chisels[i], words_used, &out, e);
	sink_write(&s->sink, &out, &e2);
	buf_fini(&out);
	if (rc == CHISELS_EXIT) {
		s->exit_code = chisels_exit_code(s->chisels);
		s->exited = true;
		rc = 0;
	}
	return rc;
}

/* ---- setting up ------------------------------------------------------------------------------------ */

/* \n \t \e \\ in a format given on the command line; other backslash pairs stay. */
static char *unescape_format(const char *s)
{
	char *out = malloc(strlen(s) + 1), *p = out;

	if (!out)
		return NULL;
	for (; *s; s++) {
		if (s[0] != '\\' || !s[1] || !strchr("nte\\", s[1])) {
			*p++ = *s;
			continue;
		}
		s++;
		*p++ = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'e' ? '\033' : '\\';
	}
	*p = 0;
	return out;
}

static int set_format(struct session *s, struct err *e)
{
	char *plain = unescape_format(cli_format(s->o));
	int rc = 0;

	if (!plain)
		return err_set(e, -12, ERR_NO_POS, "out of memory");
	/* Also when something else is printed, and with -pc, as in sysdig; not among JSON. */
	if ((strchr(plain, '\033') && !s->o->ro.json) || (s->o->print_containers && cli_in_colour(s->o)))
		s->end_text = "\033[00m";
	if (!s->o->quiet && !s->chisels)
		rc = format_parse(&s->format, plain, e);
	if (rc < 0)
		report_text_error("format", plain, e);
	free(plain);
	return rc;
}

static int set_filter(struct session *s, unsigned from, struct err *e)
{
	int rc;

	s->filter_text = join_words(s->o->words + from, s->o->nwords - from);
	if (!s->filter_text)
		return err_set(e, -12, ERR_NO_POS, "out of memory");
	if (!s->filter_text[0])
		return 0;
	rc = filter_compile(&s->filter, s->filter_text, s->o->ro.compat029, e);
	if (rc < 0)
		report_text_error("filter", s->filter_text, e);
	return rc;
}

/* Chisels narrow the types further, unless somebody counts the events that pass the filter. */
static void add_chisel_demand(struct session *s)
{
	struct demand d;

	demand_init(&d, s->ro.compat029);
	memset(d.types, 0, sizeof(d.types));
	chisels_demand(s->chisels, &d);
	demand_add(&s->demand, d.bits);
	if (s->o->max_events || s->o->max_ns || s->o->verbose || s->writer)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(d.types); i++)
		s->demand.types[i] &= d.types[i];
}

void session_set_demand(struct session *s)
{
	demand_init(&s->demand, s->ro.compat029);
	if (s->filter)
		demand_add(&s->demand, filter_demand(s->filter));
	if (s->filter && !s->o->displayflt)
		filter_types(s->filter, &s->demand);
	if (s->format)
		demand_add(&s->demand, format_demand_for(s->format, &s->demand));
	if (s->chisels)
		add_chisel_demand(s);
	if (s->o->exclude_users)
		s->demand.bits &= ~(uint32_t)DEMAND_USERS;
}

/* sysdig.log, with -D: sysdig's lines. */
static void show_log(void *ctx, unsigned level, const char *text)
{
	const struct cli_options *o = ctx;
	struct timespec now;
	struct tm tm;
	char at[32];

	if (level < o->log_level)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(at, sizeof(at), "%m-%d %H:%M:%S", &tm);
	fprintf(stderr, "%s.%06ld %s\n", at, now.tv_nsec / 1000, text);
}

int session_init(struct session *s, const struct cli_options *o, struct err *e)
{
	unsigned words_used = 0;
	int rc;

	memset(s, 0, sizeof(*s));
	s->o = o;
	s->workers = o->workers ? o->workers : online_cpus();
	sink_init(&s->sink, o->out_fd ? o->out_fd : STDOUT_FILENO, o->unbuffered);
	summary_init(&s->summary);
	if (o->resolve_ports && services_load() < 0)
		return err_set(e, -12, ERR_NO_POS, "out of memory");
	if (o->nsuppress && suppress_new(&s->suppress, o->suppress, o->nsuppress, o->ro.compat029) < 0)
		return err_set(e, -12, ERR_NO_POS, "out of memory");
	s->ro = o->ro;
	s->ro.no_truncate = o->verbose || o->nchisels;
	s->host = (struct chisel_host){
		.workers = s->workers,
		.ro = &s->ro,
		.compat029 = o->ro.compat029,
		.is_live = !o->nfiles || o->as_live,
		.print_container_data = o->print_containers,
		.json = o->ro.json,
		.may_end = o->max_events || o->max_ns,
		.force_ordered = o->force_ordered,
		.log = o->debug ? show_log : NULL,
		.log_ctx = (void *)(uintptr_t)o,
		.lua_memory_bytes = o->lua_memory,
		.lua_seconds = o->lua_seconds,
		.lua_instructions = o->lua_instructions,
		.filter_text = "",
	};
	rc = load_chisels(s, &words_used, e);
	if (rc < 0 || s->exited)
		return rc;
	rc = set_filter(s, words_used, e);
	if (rc < 0) {
		e->msg[0] = 0; /* reported */
		return rc;
	}
	s->capture_text = s->filter_text;
	if (!o->displayflt)
		s->host.filter_text = s->filter_text;
	rc = set_format(s, e);
	if (rc < 0) {
		e->msg[0] = 0;
		return rc;
	}
	return record_check(s, e);
}

void session_fini(struct session *s)
{
	chisels_free(s->chisels);
	filter_free(s->filter);
	filter_free(s->partner);
	writer_free(s->writer);
	suppress_free(s->suppress);
	format_free(s->format);
	free(s->filter_text);
	free(s->restart);
	sink_fini(&s->sink);
}

/* ---- running --------------------------------------------------------------------------------------- */

/* live: what the kernel counted; all 0 for a file. */
static void print_statistics(const struct pipeline_stats *st, const struct live_stats *live, double cpu_s)
{
	fprintf(stderr,
		"Driver Events:%" PRIu64 "\nDriver Drops:%" PRIu64 "\nSuppressed by Comm:%" PRIu64 "\n",
		live->sent + live->dropped, live->dropped, st->suppressed);
	fprintf(stderr, "Elapsed time: %.3lf, Captured Events: %" PRIu64 ", %.2lf eps\n", cpu_s, st->captured,
		cpu_s > 0 ? (double)st->captured / cpu_s : 0.0);
}

/* What scripts asked for in on_init: sysdig.set_filter replaces the capture filter. */
static int use_chisel_requests(struct session *s, bool *fat, struct err *e)
{
	struct chisel_requests r;
	struct filter *f;
	int rc;

	if (!s->chisels)
		return 0;
	chisels_get_requests(s->chisels, &r);
	if (r.fatfile >= 0)
		*fat = r.fatfile;
	if (!r.filter)
		return 0;
	rc = filter_compile(&f, r.filter, s->ro.compat029, e);
	if (rc < 0)
		return rc;
	filter_free(s->filter);
	s->filter = f;
	s->capture_text = r.filter;
	return 0;
}

/* on_init of all; a failure still gets on_capture_end, as in sysdig. */
static int init_chisels(struct session *s, struct err *e)
{
	struct buf out;
	int rc;

	buf_init(&out);
	rc = chisels_init(s->chisels, &out, e);
	if (rc < 0)
		chisels_capture_end(s->chisels, NULL, &out, NULL);
	sink_write(&s->sink, &out, NULL);
	buf_fini(&out);
	if (rc == CHISELS_EXIT) {
		s->exit_code = chisels_exit_code(s->chisels);
		return ERR_INTERRUPTED;
	}
	return rc;
}

static struct pipeline_opts pipeline_options(struct session *s)
{
	const struct cli_options *o = s->o;

	return (struct pipeline_opts){
		.workers = s->workers,
		.spread = o->spread,
		.source = {.batch_bytes = o->batch_bytes, .batch_events = o->batch_events},
		.demand = &s->demand,
		.ro = &s->ro,
		.filter = o->displayflt ? NULL : s->filter,
		.display = o->displayflt ? s->filter : NULL,
		.format = s->format,
		.show_internal = o->debug,
		.chisels = s->chisels,
		.sink = &s->sink,
		.writer = s->writer,
		.partner = s->partner,
		.filter_proclist = o->filter_proclist,
		.max_events = o->max_events,
		.max_ns = o->max_ns,
		.summary = o->summary && !s->chisels ? &s->summary : NULL,
		.progress = o->progress ? progress_show : NULL,
		.progress_ctx = &s->progress,
		.end_text = s->end_text,
		.suppress = s->suppress,
	};
}

/* Reads path, or captures when it is NULL. *last: no further file is to be read. */
static int run_input(struct session *s, const char *path, bool *last, struct err *e)
{
	const struct cli_options *o = s->o;
	struct pipeline_stats stats = {0};
	struct live_stats live = {0};
	struct pipeline_opts po;
	bool fat = (o->fatfile || !path) && !o->no_fatfile;
	int rc = s->chisels ? init_chisels(s, e) : 0;

	if (rc == 0)
		rc = use_chisel_requests(s, &fat, e);
	if (rc == 0)
		rc = record_begin(s, fat, e);
	if (rc < 0)
		return rc;
	session_set_demand(s);
	po = pipeline_options(s);
	clock_t cpu = clock();
	if (!path) {
		rc = capture_open(&s->live, &po.input, s, e);
		if (rc < 0)
			return rc;
		po.max_from_ts = live_begin_ts(s->live);
	}
	rc = pipeline_run(path ? path : "", &po, &stats, e);
	if (!path)
		capture_close(s->live, o->verbose, &live);
	if (o->progress)
		progress_end(&s->progress, stats.pos_bytes, stats.size_bytes, stats.complete);
	s->captured += stats.captured;
	*last = stats.chisel_end;
	if (o->verbose)
		print_statistics(&stats, &live, (double)(clock() - cpu) / CLOCKS_PER_SEC);
	if (rc == 0 && stats.chisel_exit) {
		s->exit_code = chisels_exit_code(s->chisels);
		rc = ERR_INTERRUPTED;
	}
	if (rc == 0 && stats.interrupted)
		rc = ERR_INTERRUPTED;
	return rc;
}

/* sysdig.run_app can come from any callback, the last one included. */
static void note_restart(struct session *s)
{
	struct chisel_requests r;

	chisels_get_requests(s->chisels, &r);
	if (!r.run_app)
		return;
	free(s->restart);
	s->restart = strdup(r.run_app);
}

int session_run(struct session *s)
{
	unsigned n = s->o->nfiles ? s->o->nfiles : 1;
	struct err e;
	struct buf out;
	int code = 0;
	bool last = false;

	if (s->exited)
		return s->exit_code;
	for (unsigned i = 0; i < n && code == 0 && !last; i++) {
		const char *path = s->o->nfiles ? s->o->files[i] : NULL;

		err_clear(&e);
		int rc = run_input(s, path, &last, &e);

		if (rc == ERR_INTERRUPTED) {
			code = s->exit_code;
			break;
		}
		if (rc < 0) {
			report_error(path, &e);
			s->write_failed = true; /* if it was that */
			if (rc == ERR_LUA && s->chisels && *chisels_traceback(s->chisels))
				fprintf(stderr, "%s\n", chisels_traceback(s->chisels));
			code = 1;
		}
	}
	code = MAX(code, record_end(s));
	if (s->chisels)
		note_restart(s);
	buf_init(&out);
	if (s->o->summary)
		summary_print(&s->summary, &out);
	if (s->o->summary && sink_write(&s->sink, &out, &e) < 0 && e.code != ERR_INTERRUPTED) {
		report_error(NULL, &e);
		code = 1;
	}
	buf_fini(&out);
	return code;
}
