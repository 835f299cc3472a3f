/* Rings, lanes and epochs: who may come before whom, what is held back, what is never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>

#include "../stress/rings_make.h"
#include "live/drain.h"
#include "live/epoch.h"

enum { RINGS = 3, RING_BYTES = 1 << 20, BATCH = 1 << 18, RECORD = 26 + 2 + 8 };

/* Three rings with their lanes, behind the capture's own. */
struct setup {
	struct made_ring ring[RINGS];
	struct lane lane[RINGS + 1];
	struct chunks pool;
	struct epoch epoch;
	struct inject inject;
	struct batch b;
};

static const struct watcher nobody;

static void begin(struct setup *s, uint32_t chunks, size_t batch_bytes)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(chunks_init(&s->pool, chunks), 0);
	epoch_init(&s->epoch, s->lane, &s->pool, batch_bytes);
	inject_init(&s->inject);
	batch_init(&s->b);
	lane_init(&s->lane[0], NULL);
	for (int i = 0; i < RINGS; i++) {
		assert_int_equal(made_ring_open(&s->ring[i], (uint16_t)i, RING_BYTES), 0);
		lane_init(&s->lane[i + 1], &s->ring[i].r);
	}
}

static void end(struct setup *s)
{
	for (int i = 0; i <= RINGS; i++)
		lane_fini(&s->lane[i], &s->pool);
	for (int i = 0; i < RINGS; i++)
		ring_close(&s->ring[i].r);
	inject_fini(&s->inject);
	batch_fini(&s->b);
	epoch_fini(&s->epoch);
	chunks_fini(&s->pool);
}

/* A close exit with that stamp; tag is its result. */
static void record(uint8_t *p, uint64_t ts, int64_t tag)
{
	uint32_t len = RECORD, n = 1;
	uint16_t type = EV_SYSCALL_CLOSE_X, eight = 8;
	int64_t tid = 7;

	memcpy(p, &ts, 8);
	memcpy(p + 8, &tid, 8);
	memcpy(p + 16, &len, 4);
	memcpy(p + 20, &type, 2);
	memcpy(p + 22, &n, 4);
	memcpy(p + 26, &eight, 2);
	memcpy(p + 28, &tag, 8);
}

static void put(struct setup *s, int ring, uint64_t ts, int64_t tag)
{
	uint8_t p[RECORD];

	record(p, ts, tag);
	assert_true(made_put(&s->ring[ring], p, RECORD));
}

static void turn(struct setup *s, uint64_t now, bool all)
{
	lane_drain_inject(&s->lane[0], &s->pool, &s->inject, now);
	for (int i = 1; i <= RINGS; i++)
		if (lane_look(&s->lane[i], now))
			lane_drain(&s->lane[i], &s->pool, &nobody);
	epoch_close(&s->epoch, RINGS + 1, all);
}

/* All that is certain, as "tag@stamp ..." */
static const char *given(struct setup *s)
{
	static char text[4096];
	size_t n = 0;

	text[0] = 0;
	while (!s->epoch.empty) {
		s->b.len = 0;
		assert_int_equal(epoch_cut(&s->epoch, &s->b), 0);
		assert_int_equal(epoch_order(&s->pool, &s->b), 0);
		for (uint32_t i = 0; i < s->b.nblk; i++) {
			const uint8_t *p = s->b.data + s->b.blk[i];

			n += (size_t)snprintf(text + n, sizeof(text) - n, "%lld@%llu ",
					      (long long)load_i64(p + 10 + 28),
					      (unsigned long long)load_u64(p + 10));
		}
		epoch_release(&s->pool, &s->b);
	}
	return text;
}

/* Equal stamps: the capture's own first, then by ring, then by place in the ring. */
static void test_ties(void **state)
{
	struct setup s;
	int64_t tag = 9;

	begin(&s, 64, BATCH);
	put(&s, 2, 100, 5);
	put(&s, 0, 100, 1);
	put(&s, 1, 100, 3);
	put(&s, 0, 100, 2);
	put(&s, 1, 100, 4);
	inject_event(&s.inject, 100, 0, EV_SYSCALL_CLOSE_X, 1, (uint32_t[]){8}, &tag);
	turn(&s, 200, false);
	assert_string_equal(given(&s), "9@100 1@100 2@100 3@100 4@100 5@100 ");
	end(&s);
}

/* What comes later may still have the stamp of the watermark: only lanes up to its own may show
 * theirs. */
static void test_watermark(void **state)
{
	struct setup s;

	begin(&s, 64, BATCH);
	put(&s, 0, 200, 1);
	put(&s, 2, 200, 2);
	put(&s, 2, 201, 3);
	turn(&s, 200, false); /* the capture's own may still be at 200: nobody at 200 is certain */
	assert_string_equal(given(&s), "");
	put(&s, 1, 201, 4);
	turn(&s, 300, false);
	assert_string_equal(given(&s), "1@200 2@200 4@201 3@201 ");
	end(&s);
}

/* A ring that is empty holds nobody up, one with a record that is being written does. */
static void test_busy(void **state)
{
	struct setup s;
	_Atomic uint32_t *word;
	uint8_t p[RECORD];

	begin(&s, 64, BATCH);
	put(&s, 0, 90, 1);
	turn(&s, 100, false);
	assert_string_equal(given(&s), "1@90 ");
	word = made_reserve(&s.ring[1], RECORD);
	put(&s, 1, 105, 3);
	put(&s, 0, 110, 2);
	put(&s, 2, 99, 4); /* late: raised to what was promised */
	turn(&s, 200, false);
	assert_string_equal(given(&s), "");
	turn(&s, 300, false);
	assert_string_equal(given(&s), "");
	record(p, 104, 5);
	made_fill(word, p, RECORD);
	made_submit(word, RECORD);
	turn(&s, 400, false);
	assert_string_equal(given(&s), "4@100 5@104 3@105 2@110 ");
	/* records given up by their program */
	word = made_reserve(&s.ring[1], RECORD);
	put(&s, 1, 410, 6);
	made_submit(word, RECORD | MADE_DISCARD);
	turn(&s, 500, false);
	assert_string_equal(given(&s), "6@410 ");
	end(&s);
}

/* No chunk is free, or a lane has its share: the rest waits in the ring, in order, and bounds all.
 */
static void test_room(void **state)
{
	struct setup s;
	int n = 0, m;

	begin(&s, 2, BATCH);
	while (n < 9000) /* more than two chunks hold */
		put(&s, 0, 1000 + (uint64_t)n, n), n++;
	put(&s, 1, 1, -1); /* no chunk is left for it */
	turn(&s, 100000, false);
	assert_true(s.lane[1].cut && s.lane[2].cut);
	assert_true(s.epoch.empty && s.epoch.end.ts == 1);
	/* whoever holds no chunk would wait for ever: drain.c has enough for every lane */
	end(&s);

	begin(&s, 3 + LANE_CHUNKS, BATCH);
	for (n = 0; n < 15000; n++)
		put(&s, 0, 1000 + (uint64_t)n, n);
	put(&s, 1, 12000, -1);
	for (m = 0; m < 15001;) {
		turn(&s, 100000, false);
		while (!s.epoch.empty) {
			s.b.len = 0;
			assert_int_equal(epoch_cut(&s.epoch, &s.b), 0);
			assert_int_equal(epoch_order(&s.pool, &s.b), 0);
			for (uint32_t i = 0; i < s.b.nblk; i++, m++) {
				int64_t tag = load_i64(s.b.data + s.b.blk[i] + 38);

				assert_int_equal(tag, m < 11001 ? m : m == 11001 ? -1 : m - 1);
			}
			epoch_release(&s.pool, &s.b);
		}
	}
	assert_int_equal(ring_fill(&s.ring[0].r), 0);
	end(&s);
}

/* Batches are cut near the length asked for, and hold everything in order. */
static void test_cuts(void **state)
{
	uint64_t rng = 88172645463325252, ts = 0;
	struct setup s;
	int n = 0, m = 0, batches = 0;

	begin(&s, 64, 20000);
	for (; n < 12000; n++) {
		ts += made_random(&rng) % 3; /* many are equal */
		put(&s, (int)(made_random(&rng) % RINGS), ts, n);
	}
	turn(&s, ts, true);
	for (uint64_t last = 0; !s.epoch.empty; batches++) {
		s.b.len = 0;
		assert_int_equal(epoch_cut(&s.epoch, &s.b), 0);
		assert_int_equal(epoch_order(&s.pool, &s.b), 0);
		assert_true(s.b.nblk > 0 && s.b.len <= 40000);
		for (uint32_t i = 0; i < s.b.nblk; i++, m++) {
			const uint8_t *p = s.b.data + s.b.blk[i];
			/* stamp, then cpu: never back */
			uint64_t key = load_u64(p + 10) * 8 + load_u16(p + 8);

			assert_true(key >= last);
			last = key;
		}
		epoch_release(&s.pool, &s.b);
	}
	assert_int_equal(m, n);
	assert_in_range(batches, 12000 * 48 / 40000, 12000 * 48 / 10000);
	end(&s);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static struct made_ring later;
static struct drain *turns;
static int looks;

static uint64_t look_now(void *ctx)
{
	return 1000 + 100 * (uint64_t)looks;
}

/* First look: a tick. Second: a ring more, with a record from before. Third: the end. */
static bool look(void *ctx, uint64_t now, struct inject *q)
{
	uint8_t p[RECORD];

	looks++;
	if (looks == 1)
		inject_tick(q, now);
	if (looks == 2) {
		assert_int_equal(made_ring_open(&later, 1, RING_BYTES), 0);
		record(p, 5, 2);
		assert_true(made_put(&later, p, RECORD));
		drain_add_ring(turns, &later.r);
	}
	return looks == 3;
}

static void no_nap(void *ctx, uint64_t ns)
{
	usleep(100);
}

/* A ring that comes later never brings anything before what was given out. */
static void test_later_ring(void **state)
{
	struct drain_opts o = {.workers = 1,
			       .max_rings = 2,
			       .batch_bytes = BATCH,
			       .now_ns = look_now,
			       .look = look,
			       .nap = no_nap};
	struct made_ring first;
	struct batch b;
	uint8_t p[RECORD];
	uint64_t last = 0;
	int n = 0;

	looks = 0;
	batch_init(&b);
	assert_int_equal(drain_new(&turns, &o), 0);
	assert_int_equal(made_ring_open(&first, 0, RING_BYTES), 0);
	drain_add_ring(turns, &first.r);
	record(p, 900, 1);
	assert_true(made_put(&first, p, RECORD));
	do {
		batch_reset(&b);
		assert_int_equal(drain_read(turns, &b), 0);
		assert_int_equal(drain_order(turns, &b), 0);
		for (uint32_t i = 0; i < b.nblk; i++, n++) {
			assert_true(load_u64(b.data + b.blk[i] + 10) >= last);
			last = load_u64(b.data + b.blk[i] + 10);
		}
		drain_release(turns, &b);
	} while (!b.last);
	assert_int_equal(n, 3);
	assert_int_equal(looks, 3);
	batch_fini(&b);
	drain_free(turns);
	ring_close(&first.r);
	ring_close(&later.r);
}

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool look_only(void *ctx, uint64_t now, struct inject *q)
{
	return false;
}

/* Who drains which ring: its own worker first, then whoever has nothing better to do or finds it
 * late, and never two at a time. */
static void test_takeover(void **state)
{
	struct drain_opts o = {.workers = 2,
			       .max_rings = 3,
			       .batch_bytes = BATCH,
			       .now_ns = look_now,
			       .look = look_only};
	struct made_ring ring[3];
	struct drain *d;
	uint8_t p[RECORD];
	uint64_t begin;
	int item;

	assert_int_equal(drain_new(&d, &o), 0);
	for (int i = 0; i < 3; i++) {
		/* of cpus that nobody runs on */
		assert_int_equal(made_ring_open(&ring[i], (uint16_t)(60000 + i), RING_BYTES), 0);
		drain_add_ring(d, &ring[i].r);
		record(p, 100, i);
		assert_true(made_put(&ring[i], p, RECORD));
	}
	assert_true(drain_claimable(d));
	item = drain_claim(d, 1, true);
	assert_int_equal(item, 0); /* the look */
	assert_int_equal(drain_claim(d, 0, false), -1);
	begin = mono_ns();
	drain_run(d, item);
	drain_done(d, item);
	assert_int_equal(drain_claim(d, 0, true), 1);
	assert_int_equal(drain_claim(d, 0, true), 3);
	item = drain_claim(d, 0, true); /* that of worker 1 */
	assert_true(item == (item < 0 ? -1 : 2) && (item < 0 || mono_ns() - begin >= 1000000));
	if (item < 0)
		item = drain_claim(d, 0, false);
	assert_int_equal(item, 2);
	assert_int_equal(drain_claim(d, 1, false), -1); /* too late */
	assert_false(drain_claimable(d));
	for (int i = 3; i > 0; i--) {
		assert_false(drain_ready(d));
		drain_run(d, i);
		drain_done(d, i);
	}
	assert_true(drain_ready(d));
	assert_int_equal(drain_claim(d, 0, false), -1); /* no turn before the epoch is in batches */
	drain_free(d);
	for (int i = 0; i < 3; i++)
		ring_close(&ring[i].r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ties),	 cmocka_unit_test(test_watermark),
		cmocka_unit_test(test_busy),	 cmocka_unit_test(test_room),
		cmocka_unit_test(test_cuts),	 cmocka_unit_test(test_later_ring),
		cmocka_unit_test(test_takeover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
