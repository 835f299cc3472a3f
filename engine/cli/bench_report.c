/* What burin bench found, as a table or as JSON. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/bench.h"

struct spread {
	double median, min, max;
};

static int dbl_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double per(double sum, uint64_t n)
{
	return n ? sum / (double)n : 0;
}

/* Of n runs, per event read. Sorts v. */
static struct spread spread_of(double *v, unsigned n, uint64_t events)
{
	qsort(v, n, sizeof(*v), dbl_cmp);
	double mid = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;

	return (struct spread){per(mid, events), per(v[0], events), per(v[n - 1], events)};
}

static const char *decided_by(const struct bench_row *row)
{
	return filter_header_decides(row->f) ? "digest" : "program";
}

/* ns of an instruction in all: its share of what its program takes when nothing is timed inside. */
static double insn_ns(const struct bench_row *row, const struct filter_insn_cost *c,
		      const uint64_t ticks[2])
{
	double whole = c->digest ? row->steps.header : row->steps.program;

	return ticks[c->digest] ? whole * (double)c->ticks / (double)ticks[c->digest] : 0;
}

/* Calls put for each instruction; ticks: sums of the program and of the digest program. */
static void each_insn(const struct bench_row *row, struct buf *out,
		      void (*put)(struct buf *out, const struct bench_row *row,
				  const struct filter_insn_cost *c, double ns, const struct buf *op,
				  const struct buf *src))
{
	struct filter_insn_cost c;
	uint64_t ticks[2] = {0, 0};
	struct buf op, src;

	buf_init(&op);
	buf_init(&src);
	for (unsigned i = 0; filter_profile_at(row->profile, i, &c, &op, &src); i++)
		ticks[c.digest] += c.ticks;
	for (unsigned i = 0;; i++) {
		buf_reset(&op);
		buf_reset(&src);
		if (!filter_profile_at(row->profile, i, &c, &op, &src))
			break;
		put(out, row, &c, insn_ns(row, &c, ticks), &op, &src);
	}
	buf_fini(&op);
	buf_fini(&src);
}

/* ---- text ---- */

static void put_row(struct buf *out, const struct bench_result *r, unsigned i, double walk_ns)
{
	struct bench_row *row = &r->rows[i];
	struct spread wall = spread_of(row->wall, r->runs, row->read),
		      cpu = spread_of(row->cpu, r->runs, row->read);

	if (i)
		buf_printf(out, "%-6u", i);
	else
		buf_lit(out, "walk  ");
	buf_printf(out, "%9.1f %8.1f -%7.1f %11.1f %9.1f %7.2f", wall.median, wall.min, wall.max,
		   wall.median > 0 ? 1e3 / wall.median : 0, cpu.median,
		   walk_ns > 0 ? wall.median / walk_ns : 0);
	if (row->f)
		buf_printf(out, " %11" PRIu64 " %8.4f%%  %s", row->matched,
			   100 * per((double)row->matched, row->read), row->text);
	buf_putc(out, '\n');
}

static void put_insn(struct buf *out, const struct bench_row *row, const struct filter_insn_cost *c,
		     double ns, const struct buf *op, const struct buf *src)
{
	buf_printf(out, "   %-7s %3u %-16.*s %11" PRIu64 " %11" PRIu64 " %8.1f %9.2f  %.*s\n",
		   c->digest ? "digest" : "", c->pc, (int)op->len, op->p, c->runs, c->yes,
		   per(ns, c->runs), per(ns, row->steps.events), (int)src->len, src->p);
}

static void put_filter(struct buf *out, const struct bench_row *row, unsigned i)
{
	const struct bench_steps *s = &row->steps;
	uint64_t n = s->events;

	buf_printf(out, "\n%u: %s\n   demand: ", i, row->text);
	filter_put_demand(out, row->demand.bits);
	buf_printf(out, "%s; %u of %u event types; decided by the %s%s\n",
		   filter_demand(row->f) ? "" : "nothing but the event", filter_type_count(row->f),
		   (unsigned)EV_CODE_COUNT, decided_by(row),
		   filter_looks_back(row->f) ? "; in order, since a field looks back" : "");
	buf_printf(out,
		   "   CPU ns per event of the trace, one thread: read %.1f, digest %.1f (program "
		   "%.1f), apply %.1f, "
		   "load %.1f, program %.1f\n",
		   per(s->read, n), per(s->digest, n), per(s->header, n), per(s->apply, n),
		   per(s->load, n), per(s->program, n));
	buf_lit(out, "   instruction                        runs         yes  ns each  ns/event  "
		     "source\n");
	each_insn(row, out, put_insn);
}

void bench_report(const struct bench_result *r, struct buf *out)
{
	double walk_ns;

	if (!r->runs)
		return;
	walk_ns = spread_of(r->rows[0].wall, r->runs, r->rows[0].read).median;
	buf_printf(out, "%s: %" PRIu64 " events, %.1f MB; %u run%s each, in turn; %u worker%s\n\n",
		   r->o->file, r->rows[0].read, (double)r->bytes / 1e6, r->runs,
		   r->runs > 1 ? "s" : "", r->o->workers, r->o->workers > 1 ? "s" : "");
	buf_lit(out, "       ns/event  least -   most  M events/s    CPU ns  x walk     matched    "
		     " share  filter\n");
	for (unsigned i = 0; i < r->nrows; i++)
		put_row(out, r, i, walk_ns);
	for (unsigned i = 1; i < r->nrows; i++)
		put_filter(out, &r->rows[i], i);
}

/* ---- JSON ---- */

/* Bytes beyond ASCII pass: whoever wrote UTF-8 gets it back. */
static void put_text(struct buf *out, const char *key, const char *s, size_t n)
{
	buf_printf(out, "\"%s\":\"", key);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)s[i]);
		else if (s[i] == '"' || s[i] == '\\')
			buf_printf(out, "\\%c", s[i]);
		else
			buf_putc(out, s[i]);
	}
	buf_putc(out, '"');
}

static void put_spread(struct buf *out, const char *key, struct spread s)
{
	buf_printf(out, ",\"%s\":{\"median\":%.3f,\"min\":%.3f,\"max\":%.3f}", key, s.median, s.min,
		   s.max);
}

static void put_insn_json(struct buf *out, const struct bench_row *row,
			  const struct filter_insn_cost *c, double ns, const struct buf *op,
			  const struct buf *src)
{
	if (out->p[out->len - 1] != '[')
		buf_putc(out, ',');
	buf_printf(out, "\n  {\"in\":\"%s\",\"pc\":%u,", c->digest ? "digest" : "program", c->pc);
	put_text(out, "operation", op->p, op->len);
	buf_putc(out, ',');
	put_text(out, "source", src->p, src->len);
	buf_printf(out,
		   ",\"runs\":%" PRIu64 ",\"yes\":%" PRIu64
		   ",\"ns_each\":%.3f,\"ns_per_event\":%.4f,"
		   "\"ns_each_alone\":%.3f}",
		   c->runs, c->yes, per(ns, c->runs), per(ns, row->steps.events),
		   per((double)c->ticks * row->steps.ns_per_tick, c->runs));
}

static void put_filter_json(struct buf *out, const struct bench_row *row)
{
	const struct bench_steps *s = &row->steps;
	uint64_t n = s->events;

	buf_lit(out, ",");
	put_text(out, "filter", row->text, strlen(row->text));
	buf_printf(out, ",\"matched\":%" PRIu64 ",\"selectivity\":%.9f,\"demand\":\"", row->matched,
		   per((double)row->matched, row->read));
	filter_put_demand(out, row->demand.bits);
	buf_printf(out,
		   "\",\"types\":%u,\"decided_by\":\"%s\",\"in_order\":%s,\"selected\":%" PRIu64,
		   filter_type_count(row->f), decided_by(row),
		   filter_looks_back(row->f) ? "true" : "false", s->selected);
	buf_printf(out,
		   ",\"steps_ns_per_event\":{\"read\":%.3f,\"digest\":%.3f,\"digest_program\":%.3f,"
		   "\"apply\":%.3f,"
		   "\"load\":%.3f,\"program\":%.3f},\"instructions\":[",
		   per(s->read, n), per(s->digest, n), per(s->header, n), per(s->apply, n),
		   per(s->load, n), per(s->program, n));
	each_insn(row, out, put_insn_json);
	buf_putc(out, ']');
}

void bench_report_json(const struct bench_result *r, struct buf *out)
{
	buf_putc(out, '{');
	put_text(out, "trace", r->o->file, strlen(r->o->file));
	buf_printf(out,
		   ",\"bytes\":%" PRIu64 ",\"events\":%" PRIu64
		   ",\"runs\":%u,\"workers\":%u,\"rows\":[",
		   r->bytes, r->rows[0].read, r->runs, r->o->workers);
	for (unsigned i = 0; i < r->nrows; i++) {
		struct bench_row *row = &r->rows[i];
		struct spread wall = spread_of(row->wall, r->runs, row->read);

		buf_printf(out, "%s\n {\"row\":\"%s\",\"read\":%" PRIu64 ",\"events_per_s\":%.0f",
			   i ? "," : "", row->f ? "filter" : "walk", row->read,
			   wall.median > 0 ? 1e9 / wall.median : 0);
		put_spread(out, "ns_per_event", wall);
		put_spread(out, "cpu_ns_per_event", spread_of(row->cpu, r->runs, row->read));
		if (row->f)
			put_filter_json(out, row);
		buf_putc(out, '}');
	}
	buf_lit(out, "\n]}\n");
}
