/* A trace through the whole pipeline, with the n-th allocation failing that a shard makes for a batch: the
 * trace ends before that batch, with the error, having printed exactly what one worker prints up to there;
 * with a sanitizer nothing leaks. The failure belongs to a batch and not to a thread: who does what is left
 * to chance.
 *
 * usage: shard_memory TRACE WORKERS */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/pipeline.h"

enum { BATCH_LENGTH = 50, STEP = 2 /* batches */, ALLOCATIONS = 5, LIMIT_S = 60 };

static uint64_t fail_seq;     /* batch; IMMUTABLE during a run */
static _Atomic long fail_at;  /* which of the allocations made for it; negative: none */
static _Atomic bool failed;
static _Thread_local bool in_shard;

static bool out_of_memory(void)
{
	if (!in_shard || atomic_fetch_sub(&fail_at, 1) != 0)
		return false;
	atomic_store(&failed, true);
	return true;
}

#include "failing_malloc.h"

int __real_state_apply_fds(struct state *st, struct batch *b, unsigned shard);
int __wrap_state_apply_fds(struct state *st, struct batch *b, unsigned shard);

int __wrap_state_apply_fds(struct state *st, struct batch *b, unsigned shard)
{
	int rc;

	in_shard = b->seq == fail_seq;
	rc = __real_state_apply_fds(st, b, shard);
	in_shard = false;
	return rc;
}

static struct demand demand;
static struct render_opts ro = {.time_type = 'h'};
static struct format *format;

struct text {
	char *p;
	size_t len;
};

/* What is printed goes to *t. */
static int run(const char *path, unsigned workers, struct text *t, struct pipeline_stats *st, struct err *e)
{
	struct sink sink;
	struct pipeline_opts o = {
		.workers = workers,
		.source = {.batch_events = BATCH_LENGTH},
		.demand = &demand,
		.ro = &ro,
		.format = format,
		.sink = &sink,
	};
	int rc, fd = memfd_create("printed", MFD_CLOEXEC);

	sink_init(&sink, fd, false);
	memset(st, 0, sizeof(*st));
	err_clear(e);
	alarm(LIMIT_S);
	rc = pipeline_run(path, &o, st, e);
	alarm(0);
	sink_fini(&sink);
	t->len = (size_t)lseek(fd, 0, SEEK_END);
	t->p = malloc(t->len + 1);
	if (!t->p || pread(fd, t->p, t->len, 0) != (ssize_t)t->len)
		abort();
	close(fd);
	return rc;
}

/* Batch seq with the allocation failing; true when all is as it should be. */
static bool once(const char *path, unsigned workers, const struct text *whole, const struct pipeline_stats *all)
{
	struct pipeline_stats st;
	struct err e;
	struct text t;
	bool ok;
	int rc = run(path, workers, &t, &st, &e);

	ok = t.len <= whole->len && !memcmp(t.p, whole->p, t.len);
	if (atomic_load(&failed)) /* batch 0 is the process list, the first one of events is 1 */
		ok = ok && rc == -ENOMEM && !strcmp(e.msg, "out of memory while following descriptors") &&
		     st.events == (fail_seq - 1) * BATCH_LENGTH && !st.complete;
	else
		ok = ok && rc == 0 && st.events == all->events && t.len == whole->len;
	if (!ok)
		printf("FAILED (out %d): batch %lu, %u workers: %d '%s', %lu events, %zu bytes\n", atomic_load(&failed), (unsigned long)fail_seq,
		       workers, rc, e.msg, (unsigned long)st.events, t.len);
	free(t.p);
	return ok;
}

int main(int argc, char **argv)
{
	struct pipeline_stats all;
	struct text whole;
	struct err e;
	unsigned long runs = 0, failures = 0;
	bool ok = true;

	if (argc != 3)
		return 2;
	demand_init(&demand, false);
	if (format_parse(&format, FORMAT_DEFAULT, &e) < 0)
		return 2;
	demand_add(&demand, format_demand(format));
	atomic_store(&fail_at, -1);
	if (run(argv[1], 1, &whole, &all, &e) < 0) {
		printf("FAILED: the whole trace: %s\n", e.msg);
		return 1;
	}
	for (fail_seq = 1; ok && fail_seq <= all.events / BATCH_LENGTH; fail_seq += STEP) {
		for (long n = 0; ok && n < ALLOCATIONS; n++) {
			atomic_store(&fail_at, n);
			atomic_store(&failed, false);
			ok = once(argv[1], (unsigned)atoi(argv[2]), &whole, &all);
			runs++;
			failures += atomic_load(&failed);
		}
	}
	printf("%lu runs, memory was out in %lu\n", runs, failures);
	if (!failures) {
		printf("FAILED: no allocation failed inside a shard\n");
		ok = false;
	}
	format_free(format);
	free(whole.p);
	return !ok;
}
