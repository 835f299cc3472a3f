/* The state with the n-th allocation failing, for n = 1, 2, ... until all goes well: apply says
 * -ENOMEM, nothing crashes, and with a sanitizer nothing leaks. The same with shards, whose turns say
 * so themselves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/state_make.h"
#include "state/bind.h"
#include "state/digest.h"

static long left = -1; /* allocations that still succeed; negative: all do */

static int out_of_memory(void)
{
	return left >= 0 && left-- == 0;
}

#include "failing_malloc.h"

static struct trace trace;
static struct buf meta;
static uint32_t meta_off[3], nmeta;

static void make_meta(void)
{
	size_t at;

	buf_init(&meta);
	put_shb(&meta, 0x1A2B3C4D, 1, 2, 0);
	meta_off[1] = (uint32_t)meta.len;
	at = block_begin(&meta, BLK_PL_V9);
	for (int i = 0; i < 20; i++)
		put_process(&meta, 100 + i, 100 + i / 4 * 4, 1, "listed", "/home",
			    i % 4 ? PPM_CL_CLONE_THREAD : 0);
	block_end(&meta, at);
	meta_off[2] = (uint32_t)meta.len;
	at = block_begin(&meta, BLK_FDL_V2);
	put_int(&meta, 100, 8);
	for (int fd = 0; fd < 40; fd++)
		put_fd_file(&meta, fd, "/a/file");
	put_fd_ipv4(&meta, 41, 5, 0, 22, 0, 0);
	block_end(&meta, at);
	nmeta = 3;
}

static void make_trace(void)
{
	trace_init(&trace);
	for (int i = 0; i < 12; i++) {
		int64_t tid = 200 + i;

		ev_clone_exit(&trace, 100, tid, "kid", 100, 1,
			      i % 3 ? 0 : PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES);
		ev_clone_exit(&trace, tid, 0, "kid", tid, 100, 0);
		ev_open(&trace, tid, 20 * i, "some/file");
		trace_event(&trace, tid, EV_SYSCALL_SETUID_E, "d", i);
		trace_event(&trace, tid, EV_SYSCALL_SETUID_X, "q", (int64_t)0);
		trace_event(&trace, tid, EV_SYSCALL_MMAP_X, "qddd", (int64_t)0, i, i, i);
		ev_exec_enter(&trace, tid, "./prog");
		ev_exec_exit(&trace, tid, 0, "prog", tid, 100);
		ev_close(&trace, tid, i, 0);
		trace_event(&trace, -1, EV_USER_ADDED_E, "ddssss", 1000 + i, 1, "bob", "/home/bob",
			    "/bin/sh", "");
		if (i % 2)
			ev_procexit(&trace, tid);
		trace_event(&trace, 900 + i, EV_SYSCALL_GETUID_E, "");
	}
}

static void cut_meta(struct batch *b)
{
	b->kind = BATCH_META;
	b->data = (const uint8_t *)meta.p;
	b->len = meta.len;
	b->blk = __real_malloc(sizeof(meta_off));
	memcpy(b->blk, meta_off, sizeof(meta_off));
	b->nblk = nmeta;
}

/* Reading does without memory: what cannot be noted is looked up again. */
static int look(const struct batch *b, const struct demand *d)
{
	struct evctx c;
	int rc = evctx_init(&c, d);

	if (rc == 0)
		rc = evctx_begin(&c, b);
	for (uint32_t i = 0; rc == 0 && i < b->nev; i++) {
		const struct fd_ver *f;
		uint32_t len;

		evctx_move(&c, i);
		evctx_thread(&c, NULL);
		f = evctx_fd(&c);
		if (f)
			fd_ver_name(f, d->compat029, &len);
	}
	evctx_fini(&c);
	return rc;
}

enum { BATCH_EVENTS_N = 24, SHARDS = 4, SILENT = 1 /* memory was out and nobody said so */ };

static unsigned long shard_failures; /* an allocation failed inside a shard's turn */

/* The turns of all shards that have a part, also behind one that failed. */
static int apply_shards(struct state *st, struct batch *b)
{
	int rc = 0;

	if (b->all_shards)
		rc = state_apply_fds(st, b, STATE_ALL_SHARDS);
	for (unsigned k = 0; !b->all_shards && k < state_fd_shards(st); k++)
		if (b->fd_shards >> k & 1 && state_apply_fds(st, b, k) < 0)
			rc = -ENOMEM;
	shard_failures += rc < 0;
	return rc;
}

static int apply(struct state *st, const struct demand *d, struct batch *b, struct err *e)
{
	bool armed = left >= 0;
	int rc = digest_run(b, d, NULL);

	rc = rc ? rc : state_split(st, b);
	rc = rc ? rc : state_apply(st, b, e);
	rc = rc ? rc : apply_shards(st, b);
	return armed && left < 0 && !rc ? SILENT : rc;
}

static int play(struct state *st, const struct demand *d, struct batch *b, struct err *e)
{
	uint64_t seq = 0;
	int rc;

	cut_meta(b);
	rc = apply(st, d, b, e);
	for (uint32_t at = 0; rc == 0 && at < trace.n; at += BATCH_EVENTS_N) {
		long keep = left;

		left = -1; /* not what is tested */
		trace_cut(&trace, b, ++seq, at, MIN((uint32_t)BATCH_EVENTS_N, trace.n - at));
		left = keep;
		rc = apply(st, d, b, e);
		rc = rc ? rc : look(b, d);
		state_reclaim(st, seq + 1);
		for (unsigned k = 0; k < state_fd_shards(st); k++)
			state_reclaim_fds(st, k, seq + 1);
	}
	return rc;
}

/* 0, or the code of the failure; 1 when something else than memory is blamed. */
static int once(unsigned workers, unsigned shards)
{
	struct state_opts o = {.workers = workers, .fd_shards = shards};
	struct demand d;
	struct state *st;
	struct batch b;
	struct err e;
	int rc;

	demand_init(&d, false);
	demand_add(&d, DEMAND_FDS | DEMAND_VOLATILE | DEMAND_USERS | DEMAND_CPU);
	o.demand = &d;
	err_clear(&e);
	rc = state_new(&st, &o);
	if (rc)
		return rc;
	batch_init(&b);
	state_begin_file(st);
	rc = play(st, &d, &b, &e);
	batch_fini(&b);
	state_free(st);
	return rc && rc != -ENOMEM ? 1 : rc;
}

/* Every allocation of a run, one after another; how many there are, negative: something is wrong. */
static long every_allocation(unsigned workers, unsigned shards)
{
	long n;

	for (n = 0;; n++) {
		int rc;

		left = n;
		rc = once(workers, shards);
		if (left >= 0)
			break; /* no allocation failed */
		left = -1;
		if (rc == 1 || n > 1000000) {
			printf("FAILED with allocation %ld failing, %u shards\n", n, shards);
			return -1;
		}
	}
	left = -1;
	if (once(workers, shards) != 0) {
		printf("FAILED without any failure, %u shards\n", shards);
		return -1;
	}
	return n;
}

int main(void)
{
	static const unsigned kinds[][2] = {{1, 0}, {2, 0}, {5, SHARDS}}; /* workers, shards */
	bool ok = true;

	make_meta();
	make_trace();
	for (size_t i = 0; ok && i < ARRAY_SIZE(kinds); i++) {
		long n = every_allocation(kinds[i][0], kinds[i][1]);

		ok = n >= 0;
		if (ok)
			printf("every one of %ld allocations may fail, %u shards\n", n, kinds[i][1]);
	}
	if (ok && !shard_failures) {
		printf("FAILED: no allocation failed inside a shard\n");
		ok = false;
	}
	printf("%lu failures inside shards\n", shard_failures);
	trace_fini(&trace);
	buf_fini(&meta);
	return !ok;
}
