#include "live/live.h"

#include <errno.h>
#include <poll.h>
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
#include "live/merge.h"
#include "live/privilege.h"
#include "live/probe.h"
#include "live/scan.h"

enum {
	RING_BYTES_DEFAULT = 8 << 20,
	BATCH_BYTES_DEFAULT = 256 << 10,
	SNAPLEN_DEFAULT = 80,
	BLOCK_FRAME = 14, /* type, length, cpu; length again */
	SETTLE_MS = 1000, /* start-up waits for what is known about containers that run */
	NAP_MIN_US = 200,
	NAP_MAX_US = 20000, /* bounds how late an event is shown */
};

struct live {
	struct probe *probe;
	struct merge merge;
	struct inject inject;
	struct clock clock;
	struct containers *containers;
	struct child child;
	bool has_child;
	bool meta_done, ended;
	_Atomic bool stop;
	int wake; /* eventfd: live_stop interrupts a nap */
	size_t batch_bytes, ring_bytes;
	uint64_t epoch_offset;
	unsigned nap_us;
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

/* ---- start ----------------------------------------------------------------------------------- */

static int watch_pid(struct live *l, pid_t pid, struct err *e)
{
	int rc, fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return err_errno(e, "can't follow process %d", (int)pid);
	rc = probe_watch(l->probe, fd, false, e);
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
		rc = probe_watch(l->probe, l->child.pidfd, true, e);
	}
	for (unsigned i = 0; !rc && i < o->npids; i++)
		rc = watch_pid(l, o->pids[i], e);
	return rc;
}

static int scan(struct live *l, const struct live_opts *o, struct err *e)
{
	struct scan_opts so = {.all = !o->argv && !o->npids};
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
		.ring_bytes = l->ring_bytes,
		.snaplen = o->snaplen ? o->snaplen : SNAPLEN_DEFAULT,
		.compat_029 = o->compat_029,
		.page_faults = o->page_faults,
		.measure = o->measure,
		.select = o->select,
		.by_tree = o->argv || o->npids,
		.follow = o->argv || o->follow,
		.epoch_offset = l->epoch_offset,
	};
	const char *root = getenv("BURIN_HOST_ROOT");
	int rc = containers_new(&l->containers, root ? root : "", e);

	if (!rc)
		rc = probe_open(&l->probe, &po, e);
	if (!rc)
		rc = merge_init(&l->merge, probe_ring(l->probe, 0), probe_ring_count(l->probe),
				&l->inject);
	if (!rc)
		rc = watch(l, o, e);
	if (!rc)
		rc = probe_attach(l->probe, e);
	if (!rc)
		rc = scan(l, o, e);
	if (!rc)
		containers_settle(l->containers, SETTLE_MS);
	if (!rc && l->has_child)
		rc = child_go(&l->child, e);
	return rc;
}

int live_open(struct live **out, const struct live_opts *o, struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	l->child = (struct child){.pid = -1, .pidfd = -1, .go = -1, .failed = -1};
	l->ring_bytes = o->ring_bytes ? o->ring_bytes : RING_BYTES_DEFAULT;
	l->batch_bytes = o->batch_bytes ? o->batch_bytes : BATCH_BYTES_DEFAULT;
	l->nap_us = NAP_MIN_US;
	l->epoch_offset = measure_offset();
	buf_init(&l->meta);
	inject_init(&l->inject);
	clock_init(&l->clock, now_ns(l),
		   !o->select || o->select->types[EV_PROCINFO_E / 64] >> EV_PROCINFO_E % 64 & 1);
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

void live_close(struct live *l)
{
	if (!l)
		return;
	child_close(&l->child);
	if (l->probe)
		probe_detach(l->probe);
	containers_free(l->containers);
	merge_fini(&l->merge);
	clock_fini(&l->clock);
	inject_fini(&l->inject);
	probe_close(l->probe);
	if (l->wake >= 0)
		close(l->wake);
	buf_fini(&l->meta);
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

static int reserve(struct batch *b, size_t bytes, size_t blocks)
{
	if (b->mem_cap < bytes) {
		uint8_t *p = realloc(b->mem, bytes);

		if (!p)
			return -ENOMEM;
		b->mem = p;
		b->mem_cap = bytes;
	}
	if (b->blk_cap < blocks) {
		size_t n = MAX(blocks, (size_t)b->blk_cap * 2);
		uint32_t *q = realloc(b->blk, n * sizeof(*q));

		if (!q)
			return -ENOMEM;
		b->blk = q;
		b->blk_cap = (uint32_t)n;
	}
	return 0;
}

static void put_u32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
static void put_u16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static uint32_t block_kind(const struct ring_record *rec)
{
	uint16_t type = load_u16(rec->p + 20);

	return event_table[type].flags & EF_LARGE_PAYLOAD ? BLK_EV_V2_LARGE : BLK_EV_V2;
}

/* Puts the frame of an event block around a record, behind what b has. */
static int add_event(struct batch *b, const struct ring_record *rec, uint16_t cpu)
{
	uint32_t body = 2 + rec->len, total = 12 + (body + 3) / 4 * 4;
	uint8_t *p;
	int rc = reserve(b, b->len + total, b->nblk + 1);

	if (rc)
		return rc;
	p = b->mem + b->len;
	put_u32(p, block_kind(rec));
	put_u32(p + 4, total);
	put_u16(p + 8, cpu);
	memcpy(p + 10, rec->p, rec->len);
	memcpy(p + 10, &rec->ts, 8);
	memset(p + 8 + body, 0, total - 12 - body);
	put_u32(p + total - 4, total);
	b->blk[b->nblk++] = (uint32_t)b->len;
	b->len += total;
	return 0;
}

static int take(struct live *l, struct batch *b, const struct ring_record *rec, uint16_t cpu)
{
	containers_see_record(l->containers, rec->p);
	return add_event(b, rec, cpu);
}

/* Fills b with what is ready. */
static int fill(struct live *l, struct batch *b)
{
	struct ring_record rec;
	uint16_t cpu;
	int rc = 0;

	while (!rc && b->len < l->batch_bytes && merge_next(&l->merge, &rec, &cpu))
		rc = take(l, b, &rec, cpu);
	merge_release(&l->merge);
	return rc;
}

/* The nap until the next look grows while little happens and shrinks when rings fill up. */
static void adapt(struct live *l)
{
	size_t most = 0;

	for (unsigned i = 0; i < l->merge.n; i++)
		most = MAX(most, ring_fill(&l->merge.rings[i]));
	if (most > l->merge.rings[0].size / 8)
		l->nap_us = MAX(l->nap_us / 2, (unsigned)NAP_MIN_US);
	else if (most < l->merge.rings[0].size / 32)
		l->nap_us = MIN(l->nap_us * 3 / 2, (unsigned)NAP_MAX_US);
}

static void nap(struct live *l)
{
	struct pollfd p[2] = {{.fd = l->wake, .events = POLLIN},
			      {.fd = l->has_child ? l->child.pidfd : -1, .events = POLLIN}};
	struct timespec t = {0, (long)l->nap_us * 1000};

	ppoll(p, 2, &t, NULL);
}

static bool should_end(struct live *l)
{
	return atomic_load_explicit(&l->stop, memory_order_relaxed) ||
	       (l->has_child && child_ended(&l->child));
}

static int read_meta(struct live *l, struct batch *b)
{
	int rc = reserve(b, l->meta.len, 8);

	if (rc)
		return rc;
	memcpy(b->mem, l->meta.p, l->meta.len);
	b->kind = BATCH_META;
	b->data = b->mem;
	b->len = l->meta.len;
	for (size_t at = 0; !rc && at < b->len; at += load_u32(b->data + at + 4)) {
		rc = reserve(b, b->len, b->nblk + 1);
		if (!rc)
			b->blk[b->nblk++] = (uint32_t)at;
	}
	buf_fini(&l->meta);
	buf_init(&l->meta);
	return rc;
}

static void look(struct live *l)
{
	uint64_t now = now_ns(l);

	clock_turn(&l->clock, l->probe, &l->inject, now);
	containers_tell(l->containers, &l->inject, now);
	merge_look(&l->merge, now);
	adapt(l);
}

static int read_events(struct live *l, struct batch *b)
{
	int rc = 0;

	b->kind = BATCH_EVENTS;
	while (!rc && !b->len && !b->last) {
		rc = fill(l, b);
		if (rc || b->len)
			break;
		if (l->ended) {
			b->last = true;
			break;
		}
		if (should_end(l)) {
			probe_detach(l->probe);
			merge_finish(&l->merge);
			l->ended = true;
		} else {
			nap(l);
		}
		look(l);
	}
	b->data = b->mem;
	return rc;
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
		rc = read_events(l, b);
	}
	l->file_off += b->len;
	return rc ? err_set(e, rc, ERR_NO_POS, "out of memory") : 0;
}

void live_release(struct live *l, struct batch *b)
{
	if (b->mem_cap > 4 * l->batch_bytes) {
		free(b->mem);
		b->mem = NULL;
		b->mem_cap = 0;
	}
	b->data = NULL;
	b->len = 0;
}

/* ---- as a source ----------------------------------------------------------------------------- */

static int source_do_read(void *ctx, struct batch *b, struct err *e)
{
	return live_read(ctx, b, e);
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

int live_source(struct live *l, struct source **out, struct err *e)
{
	static const struct source_ops ops = {source_do_read, source_do_release, source_do_stop,
					      source_do_close};

	return source_open_ops(out, &ops, l, e);
}

/* ---- statistics ------------------------------------------------------------------------------ */

void live_stats(const struct live *l, struct live_stats *s)
{
	struct probe_count c = probe_counts(l->probe, -1);

	*s = (struct live_stats){
		.sent = c.sent, .dropped = c.dropped, .bytes = c.bytes, .cpus = l->merge.n};
	probe_cost(l->probe, &s->program_runs, &s->program_ns);
	for (unsigned i = 0; i < l->merge.n; i++) {
		s->most_fill = MAX(s->most_fill, l->merge.rings[i].most);
		s->ring_bytes = l->merge.rings[i].size;
	}
}

void live_type_stats(const struct live *l, unsigned type, uint64_t *sent, uint64_t *dropped)
{
	struct probe_count c = {0};

	if (type < CAP_MAX_TYPES)
		c = probe_counts(l->probe, (int)type);
	*sent = c.sent;
	*dropped = c.dropped;
}

int live_command_status(struct live *l)
{
	return l->has_child && child_ended(&l->child) ? l->child.status : -1;
}
