#include "live/live.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "capture.h"
#include "live/child.h"
#include "live/clock.h"
#include "live/containers.h"
#include "live/drain.h"
#include "live/privilege.h"
#include "live/probe.h"
#include "live/scan.h"

enum {
	RING_BYTES_DEFAULT = 8 << 20,
	BATCH_BYTES_DEFAULT = 256 << 10,
	SNAPLEN_DEFAULT = 80,
	SETTLE_MS = 1000, /* start-up waits for what is known about containers that run */
	NAP_LONGEST_NS = 999999999,
	CPUS_NS = 20000000, /* how often to look which cpus are online */
};

struct live {
	struct probe *probe;
	struct drain *drain;
	struct clock clock;
	struct containers *containers;
	pthread_mutex_t see_lock; /* containers_see_record, by the workers that drain */
	struct child child;
	bool has_child;
	bool meta_done, ended;
	bool ids_differ; /* live_ids_differ */
	_Atomic bool stop;
	int wake; /* eventfd: live_stop interrupts a nap */
	size_t ring_bytes;
	uint64_t epoch_offset;
	uint64_t begin_ts, end_ts; /* end_ts: of the time limit; UINT64_MAX = none */
	uint64_t cpus_seen_ns; /* when the cpus online were looked up */
	struct buf meta;
	uint64_t file_off;
};

bool live_supported(void)
{
	return true;
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Distance from the boot clock to the epoch: the tightest of some tries. Kept for the whole
 * capture. */
static uint64_t measure_offset(void)
{
	uint64_t best = UINT64_MAX, offset = 0;

	for (int i = 0; i < 16; i++) {
		uint64_t a = clock_ns(CLOCK_BOOTTIME), wall = clock_ns(CLOCK_REALTIME);
		uint64_t b = clock_ns(CLOCK_BOOTTIME);

		if (b - a < best) {
			best = b - a;
			offset = wall - (a + (b - a) / 2);
		}
	}
	return offset;
}

static uint64_t now_ns(const struct live *l)
{
	return clock_ns(CLOCK_BOOTTIME) + l->epoch_offset;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool should_end(struct live *l, uint64_t now)
{
	return now >= l->end_ts || atomic_load_explicit(&l->stop, memory_order_relaxed) ||
	       (l->has_child && child_ended(&l->child));
}

static uint64_t turn_now(void *ctx)
{
	return now_ns(ctx);
}

/* Cpus may come online at any time. One that goes offline keeps its ring. */
static void look_for_cpus(struct live *l, uint64_t now)
{
	unsigned n = probe_ring_count(l->probe);

	if (now - l->cpus_seen_ns < CPUS_NS)
		return;
	l->cpus_seen_ns = now;
	probe_more_rings(l->probe);
	for (; n < probe_ring_count(l->probe); n++)
		drain_add_ring(l->drain, probe_ring(l->probe, n));
}

static bool turn_look(void *ctx, uint64_t now, struct inject *q)
{
	struct live *l = ctx;

	if (!l->ended && should_end(l, now)) {
		probe_detach(l->probe);
		l->ended = true;
	}
	look_for_cpus(l, now);
	clock_turn(&l->clock, l->probe, q, now);
	containers_tell(l->containers, q, now);
	return l->ended;
}

static void turn_nap(void *ctx, uint64_t ns)
{
	struct live *l = ctx;
	struct pollfd p[2] = {{.fd = l->wake, .events = POLLIN},
			      {.fd = l->has_child ? l->child.pidfd : -1, .events = POLLIN}};
	struct timespec t = {0, (long)MIN(ns, (uint64_t)NAP_LONGEST_NS)};

	ppoll(p, 2, &t, NULL);
}

/* Several workers drain at once, but few records have cgroups. */
static void turn_see(void *ctx, const uint8_t *record)
{
	struct live *l = ctx;

	pthread_mutex_lock(&l->see_lock);
	containers_see_record(l->containers, record);
	pthread_mutex_unlock(&l->see_lock);
}

static int start_drain(struct live *l, const struct live_opts *o, struct err *e)
{
	struct drain_opts d = {
		.workers = MAX(o->workers, 1u),
		.max_rings = probe_cpu_count(l->probe),
		.batch_bytes = o->batch_bytes ? o->batch_bytes : BATCH_BYTES_DEFAULT,
		.watch = {.see = turn_see, .ctx = l},
		.ctx = l,
		.now_ns = turn_now,
		.look = turn_look,
		.nap = turn_nap,
	};

	containers_watch(d.watch.types);
	if (drain_new(&l->drain, &d))
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	for (unsigned i = 0; i < probe_ring_count(l->probe); i++)
		drain_add_ring(l->drain, probe_ring(l->probe, i));
	return 0;
}

/* ---- start ----------------------------------------------------------------------------------- */

static int watch_pid(struct live *l, pid_t pid, struct err *e)
{
	int rc, fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return err_errno(e, "can't follow process %d", (int)pid);
	rc = probe_watch(l->probe, pid, fd, false, e);
	close(fd);
	return rc;
}

static int watch(struct live *l, const struct live_opts *o, struct err *e)
{
	int rc = 0;

	if (o->argv) {
		rc = child_start(&l->child, o->argv, e);
		if (rc)
			return rc;
		l->has_child = true;
		rc = probe_watch(l->probe, l->child.pid, l->child.pidfd, true, e);
	}
	for (unsigned i = 0; !rc && i < o->npids; i++)
		rc = watch_pid(l, o->pids[i], e);
	return rc;
}

static void see_task(void *ctx, const struct cap_task *t)
{
	buf_put(ctx, t, sizeof(*t));
}

/* seen: struct cap_task, of those who were there when the first events came. */
static int scan(struct live *l, const struct live_opts *o, const struct buf *seen, struct err *e)
{
	struct scan_opts so = {
		.all = !o->argv && !o->npids,
		.seen = (const void *)seen->p,
		.nseen = seen->len / sizeof(struct cap_task),
	};
	pid_t pids[2] = {getpid(), l->child.pid};

	if (o->argv) {
		so.pids = pids;
		so.npids = 2;
	} else if (o->npids) {
		so.pids = o->pids;
		so.npids = o->npids;
		so.follow = o->follow;
	}
	return scan_machine(&l->meta, &so, l->containers, e);
}

static int start(struct live *l, const struct live_opts *o, struct err *e)
{
	struct probe_opts po = {
		.attach = o->attach,
		.btf = o->btf,
		.ring_bytes = l->ring_bytes,
		.snaplen = o->snaplen ? o->snaplen : SNAPLEN_DEFAULT,
		.compat_029 = o->compat_029,
		.page_faults = o->page_faults,
		.measure = o->measure,
		.select = o->select,
		.by_tree = o->argv || o->npids,
		.follow = o->argv || o->follow,
		.epoch_offset = l->epoch_offset,
		.online = o->online,
	};
	const char *root = getenv("BURIN_HOST_ROOT");
	struct buf seen;
	int rc = containers_new(&l->containers, root ? root : "", e);

	buf_init(&seen);
	if (!rc)
		rc = probe_open(&l->probe, &po, e);
	l->ids_differ = !rc && !probe_ids_agree(l->probe);
	if (!rc)
		rc = start_drain(l, o, e);
	if (!rc)
		rc = probe_attach(l->probe, e);
	if (!rc)
		rc = watch(l, o, e);
	if (!rc)
		rc = probe_mark(l->probe, see_task, &seen, e);
	if (!rc)
		rc = scan(l, o, &seen, e);
	buf_fini(&seen);
	if (!rc)
		containers_settle(l->containers, SETTLE_MS);
	l->begin_ts = now_ns(l);
	l->end_ts = o->max_ns && o->max_ns < UINT64_MAX - l->begin_ts ? l->begin_ts + o->max_ns : UINT64_MAX;
	if (!rc && l->has_child)
		rc = child_go(&l->child, e);
	return rc;
}

static bool is_sent(const struct live_opts *o, unsigned type)
{
	return !o->select || o->select->types[type / 64] >> type % 64 & 1;
}

int live_open(struct live **out, const struct live_opts *o, struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	l->child = (struct child){.pid = -1, .pidfd = -1, .go = -1, .failed = -1};
	l->ring_bytes = o->ring_bytes ? o->ring_bytes : RING_BYTES_DEFAULT;
	pthread_mutex_init(&l->see_lock, NULL);
	l->epoch_offset = measure_offset();
	buf_init(&l->meta);
	clock_init(&l->clock, now_ns(l), is_sent(o, EV_PROCINFO_E),
		   is_sent(o, EV_USER_ADDED_E) && !o->compat_029);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = l->wake < 0 ? err_errno(e, "can't make an eventfd") : start(l, o, e);
	if (rc) {
		live_close(l);
		return rc;
	}
	privilege_drop();
	*out = l;
	return 0;
}

bool live_ids_differ(const struct live *l)
{
	return l->ids_differ;
}

uint64_t live_begin_ts(const struct live *l)
{
	return l->begin_ts;
}

void live_close(struct live *l)
{
	if (!l)
		return;
	child_close(&l->child);
	if (l->probe)
		probe_detach(l->probe);
	containers_free(l->containers);
	drain_free(l->drain);
	clock_fini(&l->clock);
	probe_close(l->probe);
	if (l->wake >= 0)
		close(l->wake);
	buf_fini(&l->meta);
	pthread_mutex_destroy(&l->see_lock);
	free(l);
}

void live_stop(struct live *l)
{
	uint64_t one = 1;

	atomic_store_explicit(&l->stop, true, memory_order_relaxed);
	if (write(l->wake, &one, sizeof(one)) < 0)
		return; /* full: it is awake */
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_meta(struct live *l, struct batch *b)
{
	uint32_t n = 0, *blk;

	for (size_t at = 0; at < l->meta.len; at += load_u32(l->meta.p + at + 4))
		n++;
	blk = realloc(b->blk, MAX(n, 1u) * sizeof(*blk));
	if (!blk)
		return -ENOMEM;
	b->blk = blk;
	b->blk_cap = n;
	for (size_t at = 0; at < l->meta.len; at += load_u32(l->meta.p + at + 4))
		b->blk[b->nblk++] = (uint32_t)at;
	b->kind = BATCH_META;
	b->data = (const uint8_t *)l->meta.p;
	b->len = l->meta.len;
	return 0;
}

int live_read(struct live *l, struct batch *b, struct err *e)
{
	int rc;

	b->len = 0;
	b->nblk = 0;
	b->last = false;
	b->file_off = b->raw_off = l->file_off;
	if (!l->meta_done) {
		l->meta_done = true;
		rc = read_meta(l, b);
	} else {
		rc = drain_read(l->drain, b);
	}
	l->file_off += b->len;
	return rc ? err_set(e, rc, ERR_NO_POS, "out of memory") : 0;
}

int live_order(struct live *l, struct batch *b)
{
	return b->kind == BATCH_EVENTS ? drain_order(l->drain, b) : 0;
}

void live_release(struct live *l, struct batch *b)
{
	if (b->data == (const uint8_t *)l->meta.p) {
		buf_fini(&l->meta);
		buf_init(&l->meta);
	} else {
		drain_release(l->drain, b);
	}
	b->data = NULL;
	b->len = 0;
}

/* ---- as a source ----------------------------------------------------------------------------- */

static int source_do_read(void *ctx, struct batch *b, struct err *e)
{
	return live_read(ctx, b, e);
}

static int source_do_order(void *ctx, struct batch *b)
{
	return live_order(ctx, b);
}

static void source_do_release(void *ctx, struct batch *b)
{
	live_release(ctx, b);
}

static void source_do_stop(void *ctx)
{
	live_stop(ctx);
}

static void source_do_close(void *ctx)
{
	(void)ctx; /* live_close */
}

static int source_do_claim(void *ctx, unsigned worker, bool urgent)
{
	return drain_claim(((struct live *)ctx)->drain, worker, urgent);
}

static void source_do_fetch(void *ctx, int item)
{
	drain_run(((struct live *)ctx)->drain, item);
}

static void source_do_fetched(void *ctx, int item)
{
	drain_done(((struct live *)ctx)->drain, item);
}

static bool source_do_ready(void *ctx)
{
	return drain_ready(((struct live *)ctx)->drain);
}

static uint64_t source_do_wait_ns(void *ctx)
{
	return drain_wait_ns(((struct live *)ctx)->drain);
}

static bool source_do_claimable(void *ctx)
{
	return drain_claimable(((struct live *)ctx)->drain);
}

int live_source(struct live *l, struct source **out, struct err *e)
{
	static const struct source_ops ops = {
		.read = source_do_read,
		.order = source_do_order,
		.release = source_do_release,
		.stop = source_do_stop,
		.close = source_do_close,
		.claim = source_do_claim,
		.fetch = source_do_fetch,
		.fetched = source_do_fetched,
		.ready = source_do_ready,
		.wait_ns = source_do_wait_ns,
		.claimable = source_do_claimable,
	};

	return source_open_ops(out, &ops, l, e);
}

/* ---- statistics ------------------------------------------------------------------------------ */

void live_stats(const struct live *l, struct live_stats *s)
{
	struct probe_count c = probe_counts(l->probe, -1);

	*s = (struct live_stats){
		.sent = c.sent,
		.dropped = c.dropped,
		.bytes = c.bytes,
		.most_fill = drain_most_fill(l->drain),
		.ring_bytes = probe_ring(l->probe, 0)->size,
		.cpus = probe_ring_count(l->probe),
	};
	probe_how(l->probe, s->attached, sizeof(s->attached));
	probe_cost(l->probe, &s->program_runs, &s->program_ns);
}

void live_type_stats(const struct live *l, unsigned type, uint64_t *sent, uint64_t *dropped)
{
	struct probe_count c = {0};

	if (type < CAP_MAX_TYPES)
		c = probe_counts(l->probe, (int)type);
	*sent = c.sent;
	*dropped = c.dropped;
}

bool live_cpu_stats(const struct live *l, unsigned cpu, uint64_t *sent, uint64_t *dropped)
{
	struct probe_count c;

	if (cpu >= probe_cpu_count(l->probe))
		return false;
	c = probe_counts_cpu(l->probe, cpu);
	*sent = c.sent;
	*dropped = c.dropped;
	return true;
}

int live_command_status(struct live *l)
{
	return l->has_child && child_ended(&l->child) ? l->child.status : -1;
}
