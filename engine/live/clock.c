#include "live/clock.h"

#include <stdlib.h>

#include "capture.h"

enum { NS_PER_HUNDREDTH = 10000000 };

void clock_init(struct clock *c, uint64_t now_ns, bool want_cpu, bool want_users)
{
	*c = (struct clock){.second = now_ns / 1000000000, .want_cpu = want_cpu};
	users_init(&c->users, want_users);
}

void clock_fini(struct clock *c)
{
	free(c->told);
	free(c->now);
	users_fini(&c->users);
}

static void on_time(void *ctx, const struct cap_cpu_time *t)
{
	struct clock *c = ctx;

	/* Read a little after the end of the second: this one was not there then. */
	if (t->start_ns >= c->second * 1000000000)
		return;
	if (c->nnow == c->cap_now) {
		size_t cap = c->cap_now ? 2 * c->cap_now : 256;
		struct cpu_time *p = realloc(c->now, cap * sizeof(*p));

		if (!p)
			return; /* this thread is told next second */
		c->now = p;
		c->cap_now = cap;
	}
	c->now[c->nnow++] = (struct cpu_time){t->tid, t->user_ns / NS_PER_HUNDREDTH,
					      t->system_ns / NS_PER_HUNDREDTH};
}

static int by_tid(const void *a, const void *b)
{
	uint32_t x = ((const struct cpu_time *)a)->tid, y = ((const struct cpu_time *)b)->tid;

	return x < y ? -1 : x > y;
}

static const struct cpu_time *told(const struct clock *c, uint32_t tid)
{
	struct cpu_time key = {.tid = tid};

	return c->ntold ? bsearch(&key, c->told, c->ntold, sizeof(key), by_tid) : NULL;
}

/* Neither counter falls: how the sum is split is an estimate that may move. A smaller sum is
 * another thread with the number of an old one. */
static void keep_rising(struct cpu_time *t, const struct cpu_time *before)
{
	uint64_t sum = t->user + t->system;

	if (!before || sum < before->user + before->system)
		return;
	t->user = MAX(t->user, before->user);
	t->user = MIN(t->user, sum - before->system);
	t->system = sum - t->user;
}

static unsigned tell_times(struct clock *c, struct probe *p, struct inject *q, uint64_t ts)
{
	unsigned n = 0;
	struct cpu_time *swap;
	size_t cap;

	c->nnow = 0;
	if (probe_cpu_times(p, on_time, c))
		return 0;
	if (c->nnow)
		qsort(c->now, c->nnow, sizeof(*c->now), by_tid);
	for (size_t i = 0; i < c->nnow; i++) {
		const struct cpu_time *before = told(c, c->now[i].tid);

		keep_rising(&c->now[i], before);
		if (before && c->now[i].user + c->now[i].system == before->user + before->system)
			continue;
		inject_procinfo(q, ts, c->now[i].tid, c->now[i].user, c->now[i].system);
		n++;
	}
	swap = c->told;
	cap = c->cap_told;
	c->told = c->now;
	c->ntold = c->nnow;
	c->cap_told = c->cap_now;
	c->now = swap;
	c->cap_now = cap;
	return n;
}

void clock_turn(struct clock *c, struct probe *p, struct inject *q, uint64_t now_ns)
{
	uint64_t second = now_ns / 1000000000, lost = probe_lost(p);
	unsigned n = 0;

	if (lost != c->lost) {
		inject_drop(q, now_ns, lost - c->lost);
		c->lost = lost;
	}
	if (second == c->second)
		return;
	c->second = second;
	users_look(&c->users, q, second * 1000000000 - 1);
	if (c->want_cpu)
		n = tell_times(c, p, q, second * 1000000000 - 1);
	if (!n)
		inject_tick(q, second * 1000000000 - 1);
}
