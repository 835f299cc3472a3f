#include "cli/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/stop.h"
#include "cli/session.h"

static double now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int no_memory(struct err *e)
{
	return err_set(e, -12, ERR_NO_POS, "out of memory");
}

/* text NULL: walking, for which no event type is wanted. */
static int row_init(struct bench_row *row, const struct bench_options *o, const char *text,
		    struct err *e)
{
	int rc = 0;

	row->text = text;
	row->wall = calloc(o->runs, sizeof(*row->wall));
	row->cpu = calloc(o->runs, sizeof(*row->cpu));
	if (!row->wall || !row->cpu)
		return no_memory(e);
	demand_init(&row->demand, o->compat029);
	if (!text) {
		memset(row->demand.types, 0, sizeof(row->demand.types));
		return 0;
	}
	rc = filter_compile(&row->f, text, o->compat029, e);
	if (rc < 0) {
		report_text_error("filter", text, e);
		e->msg[0] = 0; /* reported */
		return rc;
	}
	demand_add(&row->demand, filter_demand(row->f));
	filter_types(row->f, &row->demand);
	return 0;
}

static void row_fini(struct bench_row *row)
{
	filter_profile_free(row->profile);
	filter_free(row->f);
	free(row->wall);
	free(row->cpu);
}

/* One whole run, nothing printed. k < 0: not kept, it only warms the caches. */
static int row_run(struct bench_row *row, const struct bench_options *o, int k, struct err *e)
{
	struct render_opts ro = {.compat029 = o->compat029};
	struct sink sink;
	struct pipeline_opts po = {.workers = o->workers,
				   .demand = &row->demand,
				   .ro = &ro,
				   .filter = row->f,
				   .sink = &sink};
	struct pipeline_stats stats = {0};
	double wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	int rc;

	sink_init(&sink, STDOUT_FILENO, false);
	rc = pipeline_run(o->file, &po, &stats, e);
	sink_fini(&sink);
	if (rc < 0)
		return rc;
	if (stats.interrupted)
		return ERR_INTERRUPTED;
	row->read = stats.events;
	row->matched = row->f ? stats.captured : 0;
	if (k >= 0) {
		row->wall[k] = now_ns(CLOCK_MONOTONIC) - wall;
		row->cpu[k] = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	}
	return 0;
}

static int run_all(struct bench_result *r, struct err *e)
{
	int rc = 0;

	for (int k = -1; k < (int)r->o->runs && !rc; k++) {
		for (unsigned i = 0; i < r->nrows && !rc; i++)
			rc = row_run(&r->rows[i], r->o, k, e);
		if (!rc)
			r->runs = (unsigned)(k + 1);
	}
	for (unsigned i = 1; i < r->nrows && !rc; i++)
		rc = bench_steps(r->o->file, &r->rows[i], e);
	return rc;
}

static int print(const struct bench_result *r, struct err *e)
{
	struct sink sink;
	struct buf out;
	int rc;

	buf_init(&out);
	if (r->o->json)
		bench_report_json(r, &out);
	else
		bench_report(r, &out);
	sink_init(&sink, STDOUT_FILENO, false);
	rc = buf_failed(&out) ? no_memory(e) : sink_write(&sink, &out, e);
	sink_fini(&sink);
	buf_fini(&out);
	return rc;
}

static int bench(const struct bench_options *o, struct err *e)
{
	struct bench_result r = {.o = o, .nrows = o->nfilters + 1};
	struct stat st;
	int rc = 0;

	if (stat(o->file, &st) == 0)
		r.bytes = (uint64_t)st.st_size;
	r.rows = calloc(r.nrows, sizeof(*r.rows));
	if (!r.rows)
		return no_memory(e);
	for (unsigned i = 0; i < r.nrows && !rc; i++)
		rc = row_init(&r.rows[i], o, i ? o->filters[i - 1] : NULL, e);
	if (!rc)
		rc = run_all(&r, e);
	if (!rc)
		rc = print(&r, e);
	for (unsigned i = 0; i < r.nrows; i++)
		row_fini(&r.rows[i]);
	free(r.rows);
	return rc;
}

static int help(bool json, struct err *e)
{
	struct sink sink;
	struct buf out;
	int rc;

	buf_init(&out);
	bench_help(json, &out);
	sink_init(&sink, STDOUT_FILENO, false);
	rc = sink_write(&sink, &out, e);
	buf_fini(&out);
	return rc;
}

int bench_main(int argc, char **argv)
{
	struct bench_options o;
	const char *file = NULL;
	struct err e;
	int rc;

	err_clear(&e);
	rc = bench_parse(&o, argc - 1, argv + 1, &e);
	if (rc == 0 && o.help) {
		rc = help(o.json, &e);
	} else if (rc == 0) {
		file = o.file;
		rc = bench(&o, &e);
	}
	if (rc == ERR_INTERRUPTED)
		return 0;
	if (rc < 0 && e.msg[0])
		report_error(file, &e);
	return rc < 0;
}
