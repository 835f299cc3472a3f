#include "live/raw_times.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"
#include "live/proc_tasks.h"

void raw_times_fini(struct raw_times *r)
{
	free(r->now.p);
	free(r->now.t);
	free(r->before.p);
	free(r->before.t);
}

void raw_times_begin(struct raw_times *r)
{
	r->now.np = r->now.nt = 0;
}

/* Room for one entry more. */
static bool room(void **p, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : 256;
	void *q;

	if (n < *cap)
		return true;
	q = realloc(*p, more * size);
	if (!q)
		return false;
	*p = q;
	*cap = more;
	return true;
}

static bool add_thread(struct raw_reading *r, const struct cap_cpu_time *t)
{
	if (!room((void **)&r->t, r->nt, &r->cap_t, sizeof(*r->t)))
		return false;
	r->t[r->nt++] = *t;
	return true;
}

static void read_thread(void *ctx, uint32_t tgid, uint32_t tid)
{
	uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	struct raw_times *r = ctx;
	struct proc_times t;

	if (!proc_times(tgid, tid, &t) || !(t.user + t.system))
		return;
	add_thread(&r->now, &(struct cap_cpu_time){.tid = tid,
						   .start_ns = t.start * tick_ns + r->epoch_offset,
						   .user_ns = t.user * tick_ns,
						   .system_ns = t.system * tick_ns});
}

static int by_tgid(const void *a, const void *b)
{
	uint32_t x = ((const struct raw_process *)a)->tgid,
		 y = ((const struct raw_process *)b)->tgid;

	return (x > y) - (x < y);
}

static const struct raw_process *read_before(const struct raw_times *r, const struct raw_process *p)
{
	const struct raw_process *q =
		r->before.np ? bsearch(p, r->before.p, r->before.np, sizeof(*p), by_tgid) : NULL;

	return q && q->ticks == p->ticks && q->start == p->start ? q : NULL;
}

void raw_times_read(struct raw_times *r, uint32_t tgid, uint64_t epoch_offset)
{
	struct raw_process p = {.tgid = tgid, .first = r->now.nt};
	const struct raw_process *same;
	struct proc_times t;

	if (!proc_times(tgid, 0, &t) ||
	    !room((void **)&r->now.p, r->now.np, &r->now.cap_p, sizeof(p)))
		return;
	p.ticks = t.user + t.system;
	p.start = t.start;
	r->epoch_offset = epoch_offset;
	same = read_before(r, &p);
	for (size_t i = 0; same && i < same->n; i++)
		if (!add_thread(&r->now, &r->before.t[same->first + i]))
			break;
	if (!same && p.ticks)
		proc_each_thread(tgid, read_thread, r);
	p.n = r->now.nt - p.first;
	r->now.p[r->now.np++] = p;
}

void raw_times_end(struct raw_times *r, void (*fn)(void *ctx, const struct cap_cpu_time *t),
		   void *ctx)
{
	struct raw_reading swap = r->before;

	for (size_t i = 0; i < r->now.nt; i++)
		fn(ctx, &r->now.t[i]);
	if (r->now.np)
		qsort(r->now.p, r->now.np, sizeof(*r->now.p), by_tgid);
	r->before = r->now;
	r->now = swap;
}
