#include "live/drain.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "live/epoch.h"

enum {
	ITEM_LOOK = 0,	       /* item i > 0 = lane i; lane 0 is the capture's own */
	CHUNKS_IN_FLIGHT = 64, /* for batches, and CHUNKS_PER_RING more for each ring */
	CHUNKS_PER_RING = 8,
	LAG_NS = 1000000, /* a ring not taken by its worker for so long is anybody's */
	NAP_MIN_NS = 200000,
	NAP_MAX_NS = 20000000, /* bounds how late an event is shown */
};

enum phase {
	NAPPING,  /* until due_ns */
	LOOKING,  /* somebody looks */
	DRAINING, /* lanes are LANE_TODO or LANE_BUSY */
	CLOSED,	  /* the epoch is being cut into batches: OWNED_BY(reader turn) */
};

struct drain {
	struct drain_opts o;
	struct chunks pool;
	struct lane *lanes;
	uint32_t nlanes, max_lanes;
	struct epoch epoch;
	struct inject inject; /* OWNED_BY(look) */
	/* All else is handed on with it: stored with release, loaded with acquire. GUARDED_BY(lock)
	 * but for the step from CLOSED to NAPPING, which the reader turn takes without. */
	_Atomic int phase;
	bool finished;		/* the rings get nothing new */
	bool over;		/* and nothing is left */
	uint32_t ntodo, nbusy;	/* GUARDED_BY(lock) */
	uint64_t due_ns;	/* monotonic clock: end of the nap */
	uint64_t began_ns;	/* monotonic clock: when the rings were looked at */
	uint64_t nap_ns;	/* how long naps are now */
	size_t fill, most_fill; /* of the fullest ring: in this turn, ever */
	size_t ring_bytes;	/* size of the rings */
};

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Acquire: pairs with set_phase of whoever ended the phase before; what it wrote is visible. */
static enum phase phase_of(const struct drain *d)
{
	return (enum phase)atomic_load_explicit(&d->phase, memory_order_acquire);
}

static void set_phase(struct drain *d, enum phase p)
{
	atomic_store_explicit(&d->phase, (int)p, memory_order_release);
}

/* ---- life ------------------------------------------------------------------------------------ */

int drain_new(struct drain **out, const struct drain_opts *o)
{
	struct drain *d = calloc(1, sizeof(*d));
	uint32_t max = o->max_rings + 1;

	if (!d)
		return -ENOMEM;
	d->o = *o;
	inject_init(&d->inject);
	d->max_lanes = max;
	d->lanes = calloc(max, sizeof(*d->lanes));
	epoch_init(&d->epoch, d->lanes, &d->pool, o->batch_bytes);
	if (!d->lanes ||
	    chunks_init(&d->pool, max * (LANE_CHUNKS + CHUNKS_PER_RING) + CHUNKS_IN_FLIGHT)) {
		drain_free(d);
		return -ENOMEM;
	}
	lane_init(&d->lanes[0], NULL);
	d->nlanes = 1;
	d->nap_ns = NAP_MIN_NS;
	*out = d;
	return 0;
}

void drain_free(struct drain *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->nlanes; i++)
		lane_fini(&d->lanes[i], &d->pool);
	epoch_fini(&d->epoch);
	chunks_fini(&d->pool);
	inject_fini(&d->inject);
	free(d->lanes);
	free(d);
}

void drain_add_ring(struct drain *d, struct ring *r)
{
	ASSERT(d->nlanes < d->max_lanes);
	/* Nothing before the watermark may come any more. */
	r->bound = MAX(r->bound, d->epoch.end.ts);
	lane_init(&d->lanes[d->nlanes++], r);
	d->ring_bytes = r->size;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

/* The nap until the next look grows while little happens and shrinks when rings fill up. */
static void adapt(struct drain *d)
{
	if (d->fill > d->ring_bytes / 8)
		d->nap_ns = MAX(d->nap_ns / 2, (uint64_t)NAP_MIN_NS);
	else if (d->fill < d->ring_bytes / 32)
		d->nap_ns = MIN(d->nap_ns * 3 / 2, (uint64_t)NAP_MAX_NS);
}

/* Rings that have more than there was room for are looked at again at once, unless nothing got any
 * further: then batches have to be released first, or a program has to finish its record. */
static void begin_nap(struct drain *d, bool moved)
{
	uint64_t ns = d->nap_ns;

	for (uint32_t i = 0; i < d->nlanes; i++)
		if (d->lanes[i].cut)
			ns = moved ? 0 : NAP_MIN_NS;
	d->due_ns = mono_ns() + ns;
	set_phase(d, NAPPING);
}

static void look(struct drain *d)
{
	uint64_t now = d->o.now_ns(d->o.ctx);

	/* What the capture tells comes behind what was given out. */
	d->inject.last_ts = MAX(d->inject.last_ts, d->epoch.end.ts + 1);
	d->finished |= d->o.look(d->o.ctx, now, &d->inject);
	lane_drain_inject(&d->lanes[0], &d->pool, &d->inject, now);
	d->fill = 0;
	for (uint32_t i = 1; i < d->nlanes; i++) {
		struct lane *l = &d->lanes[i];

		l->state = lane_look(l, now) ? LANE_TODO : LANE_DONE;
		d->ntodo += l->state == LANE_TODO;
		d->fill = MAX(d->fill, ring_fill(l->ring));
	}
	d->most_fill = MAX(d->most_fill, d->fill);
	d->began_ns = mono_ns();
	adapt(d);
}

/* Everything that can be had has been drained. */
static void close_epoch(struct drain *d)
{
	d->over = d->finished && !d->lanes[0].cut;
	for (uint32_t i = 1; i < d->nlanes; i++)
		d->over = d->over && !ring_fill(d->lanes[i].ring);
	epoch_close(&d->epoch, d->nlanes, d->over);
	if (d->epoch.empty && !d->over)
		begin_nap(d, false);
	else
		set_phase(d, CLOSED);
}

/* ---- work ------------------------------------------------------------------------------------ */

static int take(struct drain *d, uint32_t lane)
{
	d->lanes[lane].state = LANE_BUSY;
	d->ntodo--;
	d->nbusy++;
	return (int)lane;
}

/* Lane of the ring of the cpu this thread runs on, which has its records in its caches; 0 = none
 * that waits. */
static uint32_t lane_here(const struct drain *d)
{
	int cpu = sched_getcpu();
	uint32_t i = (uint32_t)cpu + 1;

	/* Lanes are in the order of the cpus: a cpu offline before it moves this one to the left.
	 */
	if (cpu < 0)
		return 0;
	for (i = MIN(i, d->nlanes - 1); i > 0 && d->lanes[i].ring->cpu >= cpu; i--)
		if (d->lanes[i].ring->cpu == cpu)
			return d->lanes[i].state == LANE_TODO ? i : 0;
	return 0;
}

int drain_claim(struct drain *d, unsigned worker, bool urgent)
{
	enum phase p = phase_of(d);
	uint32_t here;

	if (p == NAPPING && mono_ns() >= d->due_ns) {
		set_phase(d, LOOKING);
		return ITEM_LOOK;
	}
	if (p != DRAINING || !d->ntodo)
		return -1;
	here = lane_here(d);
	if (here)
		return take(d, here);
	for (uint32_t i = worker + 1; i < d->nlanes; i += d->o.workers)
		if (d->lanes[i].state == LANE_TODO)
			return take(d, i);
	if (urgent && mono_ns() - d->began_ns < LAG_NS)
		return -1;
	for (uint32_t i = 1; i < d->nlanes; i++)
		if (d->lanes[i].state == LANE_TODO)
			return take(d, i);
	return -1;
}

bool drain_claimable(const struct drain *d)
{
	enum phase p = phase_of(d);

	return p == NAPPING ? mono_ns() >= d->due_ns : p == DRAINING && d->ntodo;
}

void drain_run(struct drain *d, int item)
{
	if (item == ITEM_LOOK)
		look(d);
	else
		lane_drain(&d->lanes[item], &d->pool, &d->o.watch);
}

void drain_done(struct drain *d, int item)
{
	if (item == ITEM_LOOK) {
		set_phase(d, DRAINING);
	} else {
		d->lanes[item].state = LANE_DONE;
		d->nbusy--;
	}
	if (!d->ntodo && !d->nbusy)
		close_epoch(d);
}

bool drain_ready(const struct drain *d)
{
	return phase_of(d) == CLOSED;
}

uint64_t drain_wait_ns(const struct drain *d)
{
	uint64_t now;

	if (phase_of(d) != NAPPING)
		return UINT64_MAX;
	now = mono_ns();
	return d->due_ns > now ? d->due_ns - now : 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Takes turns until there is something to list. */
static void wait_for_events(struct drain *d)
{
	while (!drain_ready(d)) {
		int item = drain_claim(d, 0, false);

		if (item < 0) {
			d->o.nap(d->o.ctx, drain_wait_ns(d));
			continue;
		}
		drain_run(d, item);
		drain_done(d, item);
	}
}

int drain_read(struct drain *d, struct batch *b)
{
	int rc = 0;

	wait_for_events(d);
	b->kind = BATCH_EVENTS;
	if (!d->epoch.empty)
		rc = epoch_cut(&d->epoch, b);
	if (d->epoch.empty) {
		b->last = d->over;
		if (!d->over)
			begin_nap(d, true);
	}
	return rc;
}

int drain_order(struct drain *d, struct batch *b)
{
	return epoch_order(&d->pool, b);
}

void drain_release(struct drain *d, struct batch *b)
{
	epoch_release(&d->pool, b);
}

size_t drain_most_fill(const struct drain *d)
{
	return d->most_fill;
}
