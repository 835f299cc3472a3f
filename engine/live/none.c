/* Live capture in a build without it: clang, bpftool or libbpf was missing. */
#include "live/live.h"

#include "live/doctor.h"

#include <errno.h>

bool live_supported(void)
{
	return false;
}

int live_open(struct live **out, const struct live_opts *o, struct err *e)
{
	return err_set(e, -ENOTSUP, ERR_NO_POS,
		       "this build replays trace files only: clang, bpftool or libbpf was missing "
		       "when it was made");
}

bool live_ids_differ(const struct live *l)
{
	return false;
}

uint64_t live_begin_ts(const struct live *l)
{
	return 0;
}

void live_close(struct live *l) {}
int live_read(struct live *l, struct batch *b, struct err *e)
{
	return -ENOTSUP;
}
int live_order(struct live *l, struct batch *b)
{
	return 0;
}

void live_release(struct live *l, struct batch *b) {}
void live_stop(struct live *l) {}
int live_source(struct live *l, struct source **out, struct err *e)
{
	return -ENOTSUP;
}
void live_stats(const struct live *l, struct live_stats *s)
{
	*s = (struct live_stats){0};
}
void live_type_stats(const struct live *l, unsigned type, uint64_t *sent, uint64_t *dropped)
{
	*sent = *dropped = 0;
}

bool live_cpu_stats(const struct live *l, unsigned cpu, uint64_t *sent, uint64_t *dropped)
{
	return false;
}

int live_command_status(struct live *l)
{
	return -1;
}

bool doctor_report(struct buf *out, const struct probe_opts *o)
{
	buf_lit(out, "no   build: clang, bpftool or libbpf was missing when this program was "
		     "built: replay only\n");
	return false;
}
