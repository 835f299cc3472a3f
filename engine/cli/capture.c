#include "cli/capture.h"

#include <inttypes.h>
#include <stdio.h>

int capture_open(struct live **out, struct source **src, const struct cli_options *o, struct err *e)
{
	struct live_opts lo = {
		.ring_bytes = o->ring_bytes,
		.batch_bytes = o->batch_bytes,
		.snaplen = (uint32_t)MIN(o->snaplen, (uint64_t)UINT16_MAX),
		.argv = o->command,
		.pids = o->pids,
		.npids = o->npids,
		.follow = o->follow,
		.compat_029 = o->ro.compat029,
	};
	struct live *l;
	int rc = live_open(&l, &lo, e);

	if (rc < 0)
		return rc;
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

void capture_close(struct live *l, bool verbose)
{
	struct live_stats s;

	live_stats(l, &s);
	if (s.dropped) {
		fprintf(stderr, "burin: %" PRIu64 " of %" PRIu64 " events lost (%.2f%%): the rings were full\n",
			s.dropped, s.sent + s.dropped, 100.0 * (double)s.dropped / (double)(s.sent + s.dropped));
		report_types(l);
	}
	if (verbose)
		fprintf(stderr, "Rings: %u of %zu kB, fullest %zu kB; %" PRIu64 " bytes\n", s.cpus,
			s.ring_bytes >> 10, s.most_fill >> 10, s.bytes);
	live_close(l);
}
