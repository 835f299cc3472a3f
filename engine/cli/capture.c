#include "cli/capture.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/session.h"

static void add_bit(uint64_t *set, unsigned i)
{
	set[i / 64] |= (uint64_t)1 << i % 64;
}

static bool has_bit(const uint64_t *set, unsigned i)
{
	return set[i / 64] >> i % 64 & 1;
}

/* Non-zero for a field that may look at the enter event of an exit, or at the parameters
 * themselves. */
static int wants_enter(void *ctx, const struct field_ref *r)
{
	static const char *const fine[] = {
		"proc.",	"thread.",     "user.",	     "group.",	   "container.",
		"k8s.",		"fd.",	       "evt.num",    "evt.time",   "evt.datetime",
		"evt.rawtime",	"evt.reltime", "evt.cpu",    "evt.type",   "evt.dir",
		"evt.category", "evt.res",     "evt.rawres", "evt.failed", "evt.io_dir",
		"evt.hostname"};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		if (!strncmp(r->info->name, fine[i], strlen(fine[i])))
			return 0;
	return 1;
}

/* Whether exits that nobody wants the enters of may come without: nothing is written (a trace has
 * the versions of events that 0.29.3 reads), and no consumer looks at the pair. */
static bool may_be_alone(const struct session *s)
{
	return !s->writer && !s->o->write_file && !s->chisels && !s->suppress &&
	       !s->o->ro.compat029 && s->filter && !s->o->displayflt && s->format &&
	       !filter_looks_back(s->filter) && !filter_each_field(s->filter, wants_enter, NULL) &&
	       !format_each_field(s->format, wants_enter, NULL);
}

/* Takes the enters out of the selection. Only where both readers of the exit find its descriptor
 * the same way. */
static void select_alone(const struct session *s, struct probe_select *sel)
{
	enum { FD_FLAGS = EF_CREATES_FD | EF_USES_FD | EF_DESTROYS_FD };

	for (unsigned t = 1; t < EV_CODE_COUNT; t += 2) {
		const struct event_info *i = &event_table[t];

		if (!i->is_exit || !has_bit(s->demand.types, t) ||
		    has_bit(s->demand.types, t - 1) || has_bit(sel->tables, t) ||
		    has_bit(sel->tables, t - 1) || (i->flags ^ i->flags_029) & FD_FLAGS)
			continue;
		add_bit(sel->alone, t);
		sel->types[(t - 1) / 64] &= ~((uint64_t)1 << (t - 1) % 64);
	}
}

void capture_select(const struct session *s, struct probe_select *sel)
{
	const struct filter *f = s->o->displayflt ? NULL : s->filter;
	struct filter_push p;

	*sel = (struct probe_select){.npids = 0};
	demand_seen(&s->demand, sel->types, sel->tables);
	for (unsigned leave = 0; leave < 2; leave++)
		for (unsigned sc = 0; sc < SC_CODE_COUNT; sc++)
			if (!f || filter_may_select(f, EV_GENERIC_E + leave, sc))
				add_bit(sel->generic[leave], sc);
	/* an exit that is selected needs its enter */
	for (unsigned w = 0; s->demand.bits & DEMAND_PAIRS && w < ARRAY_SIZE(sel->generic[0]); w++)
		sel->generic[0][w] |= sel->generic[1][w];
	if (may_be_alone(s)) {
		select_alone(s, sel);
		sel->no_payload = true;
	}
	sel->no_payload |= s->o->no_payload;
	sel->sample = s->o->sample;
	if (!f)
		return;
	filter_push(f, &p);
	memcpy(sel->pids, p.pids, sizeof(sel->pids));
	memcpy(sel->uids, p.uids, sizeof(sel->uids));
	sel->npids = p.npids;
	sel->nuids = p.nuids;
	memcpy(sel->comm, p.comm, sizeof(sel->comm));
	memcpy(sel->container, p.container, sizeof(sel->container));
}

static_assert(sizeof(((struct probe_select *)0)->container) ==
			      sizeof(((struct filter_push *)0)->container) &&
		      sizeof(((struct probe_select *)0)->pids) ==
			      sizeof(((struct filter_push *)0)->pids),
	      "copied as they are");

static void explain_numbers(const char *what, const uint32_t *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		printf("%s%s%u", i ? ", " : "  ", i ? "" : what, v[i]);
	if (n)
		printf("\n");
}

static void explain_selection(const struct probe_select *sel)
{
	explain_numbers("processes: ", sel->pids, sel->npids);
	explain_numbers("users: ", sel->uids, sel->nuids);
	if (sel->comm[0])
		printf("  threads named: %s\n", sel->comm);
	if (sel->container[0])
		printf("  container: %s (if it runs when the capture begins, in the unified cgroup "
		       "hierarchy)\n",
		       sel->container);
	if (sel->sample > 1)
		printf("  time: the first %u ms of every second\n", 1000 / sel->sample);
	if (sel->npids || sel->nuids || sel->comm[0] || sel->container[0] || sel->sample > 1)
		printf("  what changes the tables: of all\n");
}

static void explain_processes(const struct session *s)
{
	if (s->o->command)
		printf("  captured: %s and its children\n", s->o->command[0]);
	for (unsigned i = 0; i < s->o->npids; i++)
		printf("%s%d", i ? ", " : "  captured: ", (int)s->o->pids[i]);
	if (s->o->npids)
		printf("%s\n", s->o->follow ? " and their children" : "");
}

void capture_explain(const struct session *s)
{
	struct probe_select sel;
	unsigned types = 0, calls = 0, alone = 0;

	capture_select(s, &sel);
	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		types += !(event_table[t].flags & EF_UNUSED) && sel.types[t / 64] >> t % 64 & 1;
	for (unsigned w = 0; w < ARRAY_SIZE(sel.generic[0]); w++)
		calls += (unsigned)__builtin_popcountll(sel.generic[0][w] | sel.generic[1][w]);
	printf("in the kernel, when live:\n  events sent: %u types", types);
	if (sel.types[0] & 3)
		printf(", generic ones of %u system calls", calls);
	printf("\n");
	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		alone += has_bit(sel.alone, t);
	if (alone)
		printf("  exits alone: %u types\n", alone);
	if (sel.no_payload)
		printf("  no bytes of what calls move\n");
	explain_selection(&sel);
	explain_processes(s);
}

/* -s, or what a script's sysdig.set_snaplen says instead. */
static uint32_t snaplen(const struct session *s)
{
	struct chisel_requests r = {0};
	uint64_t n = s->o->snaplen;

	if (s->chisels)
		chisels_get_requests(s->chisels, &r);
	if (r.snaplen)
		n = r.snaplen;
	return (uint32_t)MIN(n, (uint64_t)UINT16_MAX);
}

int capture_open(struct live **out, struct source **src, const struct session *s, struct err *e)
{
	const struct cli_options *o = s->o;
	struct probe_select sel;
	struct live_opts lo = {
		.ring_bytes = o->ring_bytes,
		.batch_bytes = o->batch_bytes,
		.snaplen = snaplen(s),
		.workers = s->workers,
		.argv = o->command,
		.pids = o->pids,
		.npids = o->npids,
		.max_ns = o->max_ns,
		.follow = o->follow,
		.compat_029 = o->ro.compat029,
		.page_faults = o->page_faults,
		.select = &sel,
		.attach = (enum probe_attach)o->attach,
		.btf = o->btf,
	};
	struct live *l;
	int rc;

	capture_select(s, &sel);
	rc = live_open(&l, &lo, e);
	if (rc < 0)
		return rc;
	if (live_ids_differ(l))
		fprintf(stderr, "burin: live capture: events have the ids of the first pid namespace, the process list those "
				"of this one: run it there (a container: --pid=host)\n");
	rc = live_source(l, src, e);
	if (rc < 0) {
		live_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

static void report_types(const struct live *l)
{
	for (unsigned t = 0; t < EV_CODE_COUNT; t++) {
		uint64_t sent, dropped;

		live_type_stats(l, t, &sent, &dropped);
		if (dropped)
			fprintf(stderr, "  %c %s: %" PRIu64 " of %" PRIu64 "\n", t % 2 ? '<' : '>',
				event_table[t].name, dropped, sent + dropped);
	}
}

static void report_cpus(const struct live *l, bool all)
{
	uint64_t sent, dropped;

	for (unsigned cpu = 0; live_cpu_stats(l, cpu, &sent, &dropped); cpu++)
		if (dropped || (all && sent))
			fprintf(stderr, "  cpu %u: %" PRIu64 " of %" PRIu64 "\n", cpu, dropped,
				sent + dropped);
}

void capture_close(struct live *l, bool verbose, struct live_stats *s)
{
	live_stats(l, s);
	if (s->dropped) {
		fprintf(stderr,
			"burin: %" PRIu64 " of %" PRIu64
			" events lost (%.2f%%): the rings were full\n",
			s->dropped, s->sent + s->dropped,
			100.0 * (double)s->dropped / (double)(s->sent + s->dropped));
		report_cpus(l, verbose);
		report_types(l);
	}
	if (verbose)
		fprintf(stderr, "Attached: %s\n", s->attached);
	if (verbose)
		fprintf(stderr, "Rings: %u of %zu kB, fullest %zu kB; %" PRIu64 " bytes\n", s->cpus,
			s->ring_bytes >> 10, s->most_fill >> 10, s->bytes);
	live_close(l);
}
