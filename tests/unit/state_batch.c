/* What the state makes of single batches: numbering, header predicates, scans, damage, sections, demand, tables. */
#include "source/source.h"
#include "state/bind.h"
#include "state/digest.h"
#include "state/state_priv.h"
#include "state_scenes.h"

/* ---- numbering, sections, damage ---- */

static void test_numbering(void **state)
{
	static const uint64_t ords[] = {1, 7, 12, 18}, nums[] = {1, 7, 1, 7};
	struct state_opts o = {.workers = 1};
	struct demand d;
	struct state *st;
	struct trace t;
	struct batch b;
	uint64_t first_ts;

	demand_init(&d, true);
	o.demand = &d;
	assert_int_equal(state_new(&st, &o), 0);
	trace_init(&t);
	first_ts = t.ts;
	for (int i = 0; i < 5; i++)
		trace_event(&t, 1, EV_SYSCALL_GETUID_E, "");
	trace_event(&t, 1, EV_CODE_COUNT_029, "q", (int64_t)0); /* beyond the table: no number */
	trace_event(&t, 1, EV_SYSCALL_GETUID_E, "");
	batch_init(&b);
	for (uint64_t seq = 0; seq < 4; seq++) {
		if (seq == 2)
			state_begin_file(st);
		trace_cut(&t, &b, seq, seq == 1 ? 1 : 0, seq == 1 ? 6 : 7);
		assert_int_equal(digest_run(&b, &d, NULL), 0);
		assert_int_equal(state_apply(st, &b, NULL), 0);
		assert_int_equal(b.nev, seq == 1 ? 5 : 6);
		assert_int_equal(b.nslots, 0); /* nobody asked */
		assert_int_equal(b.nselected, b.nev);
		assert_int_equal(b.first_ord, ords[seq]);
		assert_int_equal(b.num_base, nums[seq]);
		assert_int_equal(b.origin_ts, first_ts);
	}
	batch_fini(&b);
	trace_fini(&t);
	state_free(st);
}

static bool odd_ts(void *ctx, const struct event *e)
{
	++*(int *)ctx;
	return e->ts / EVENT_GAP_NS & 1;
}

static void test_predicate(void **state)
{
	int calls = 0;
	struct digest_pred p = {.fn = odd_ts, .ctx = &calls};
	struct demand d;
	struct trace t;
	struct batch b;

	demand_init(&d, false);
	memset(d.types, 0, sizeof(d.types));
	d.types[EV_SYSCALL_READ_E / 64] |= (uint64_t)1 << (EV_SYSCALL_READ_E % 64);
	trace_init(&t);
	for (int i = 0; i < 10; i++)
		trace_event(&t, 1, i % 2 ? EV_SYSCALL_READ_E : EV_SYSCALL_GETUID_E,
			    i % 2 ? "qd" : "", (int64_t)3, 4);
	batch_init(&b);
	trace_cut(&t, &b, 0, 0, t.n);
	assert_int_equal(digest_run(&b, &d, &p), 0);
	assert_int_equal(b.nev, 10);
	assert_int_equal(calls, 5); /* only for the demanded type */
	assert_int_equal(b.nselected, 5);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(!!(b.ev[i].flags & ER_SELECTED), i % 2);
	batch_fini(&b);
	trace_fini(&t);
}

/* A damaged event ends the trace at its place; what was before it counts. */
static bool holds_needle(void *ctx, const void *p, size_t n)
{
	return memmem(p, n, ctx, strlen(ctx)) != NULL;
}

/* The sparse batch tells the same as the full one. */
static void check_scan(struct batch *b, const struct demand *d, const char *text, bool has_text)
{
	const struct digest_texts none = {0}, some = {holds_needle, (void *)text};
	const struct digest_pred all = {0};
	struct err bad = b->bad;
	uint32_t nev = b->nev, nsel = b->nselected, k = 0;
	uint64_t first_ts = b->first_ts, last_ts = b->last_ts;
	uint16_t *type = calloc(nev + 1, sizeof(*type));
	struct digest_scan scan;

	for (uint32_t i = 0; i < nev; i++)
		type[i] = b->ev[i].flags & ER_SELECTED ? b->ev[i].type : UINT16_MAX;
	err_clear(&b->bad);
	digest_scan_init(&scan, d, &all, &none);
	assert_int_equal(digest_scan_run(&scan, b), 0);
	assert_int_equal(b->nev, nev);
	assert_int_equal(b->nselected, nsel);
	assert_int_equal(b->bad.code, bad.code);
	assert_int_equal(b->bad.pos, bad.pos);
	assert_int_equal(b->first_ts, first_ts);
	assert_int_equal(b->last_ts, last_ts);
	for (uint32_t i = 0; i < nev; i++)
		if (type[i] != UINT16_MAX) {
			assert_int_equal(b->ev[k].idx, i);
			assert_int_equal(b->ev[k++].type, type[i]);
		}
	free(type);
	err_clear(&b->bad);
	digest_scan_init(&scan, d, &all, &some);
	assert_int_equal(digest_scan_run(&scan, b), 0);
	assert_int_equal(b->has_text, has_text);
	assert_int_equal(b->nev, nev);
	assert_int_equal(b->nselected, 0);
}

static void test_scan(void **state)
{
	struct demand d;
	struct trace t;
	struct batch b;

	trace_init(&t);
	ev_exec_enter(&t, 1, "/bin/needle_a");
	for (int i = 0; i < 300; i++)
		trace_event(&t, 1 + i % 3, i % 2 ? EV_SYSCALL_READ_E : EV_SYSCALL_GETUID_E, i % 2 ? "qd" : "",
			    (int64_t)3, 4);
	/* What is read and written gets into no table. */
	trace_event(&t, 1, EV_SYSCALL_WRITE_X, "qs", (int64_t)8, "needle_b");
	ev_open(&t, 1, 4, "/x/needle_c");
	batch_init(&b);
	for (int compat = 0; compat < 2; compat++) {
		demand_init(&d, compat);
		d.types[EV_SYSCALL_READ_E / 64] &= ~((uint64_t)1 << (EV_SYSCALL_READ_E % 64));
		for (int i = 0; i < 3; i++) {
			const char *const text[] = {"needle_a", "needle_b", "needle_c"};

			trace_cut(&t, &b, 0, 0, t.n);
			assert_int_equal(digest_run(&b, &d, NULL), 0);
			check_scan(&b, &d, text[i], i != 1);
		}
	}
	batch_fini(&b);
	trace_fini(&t);
}

static void test_damage(void **state)
{
	static const uint32_t bits[] = {0, DEMAND_PAIRS, DEMAND_FDS};

	for (size_t k = 0; k < ARRAY_SIZE(bits); k++) {
		struct demand d;
		struct trace t;
		struct batch b;

		demand_init(&d, false);
		demand_add(&d, bits[k]);
		trace_init(&t);
		for (int i = 0; i < 4; i++)
			trace_event(&t, 1, EV_SYSCALL_READ_E, "qd", (int64_t)3, 4);
		t.data.p[t.off[2] + 10 + 26] = 0x77; /* length of its first parameter */
		batch_init(&b);
		trace_cut(&t, &b, 0, 0, t.n);
		b.file_off = 5000;
		assert_int_equal(digest_run(&b, &d, NULL), 0);
		assert_int_equal(b.nev, 2);
		assert_int_equal(b.bad.code, ERR_FORMAT);
		assert_int_equal(b.bad.pos, 5000 + t.off[2]);
		check_scan(&b, &d, "x", false);
		batch_fini(&b);
		trace_fini(&t);
	}
}

/* Bad metadata ends the trace before its batch, with the place; a new section forgets the old
 * tables. */
static void test_sections(void **state)
{
	static struct sc s;
	struct state_opts o = {.workers = 1};
	struct state_root *first;
	struct demand d;
	struct state *st;
	struct batch meta, ev, bad;
	struct err e;

	memset(&s, 0, sizeof(s));
	trace_init(&s.t);
	meta_shell(&s);
	trace_event(&s.t, 10, EV_SYSCALL_GETUID_E, "");
	demand_init(&d, false);
	demand_add(&d, DEMAND_FDS);
	o.demand = &d;
	assert_int_equal(state_new(&st, &o), 0);
	batch_init(&meta);
	batch_init(&ev);
	batch_init(&bad);
	cut_meta(&s, &meta);
	assert_int_equal(digest_run(&meta, &d, NULL), 0);
	assert_int_equal(state_apply(st, &meta, &e), 0);
	trace_cut(&s.t, &ev, 1, 0, 1);
	assert_int_equal(digest_run(&ev, &d, NULL), 0);
	assert_int_equal(state_apply(st, &ev, &e), 0);
	first = ev.root;
	assert_non_null(state_thread_at(first, 10, ev.first_ord));
	/* A second section without processes; the first one's tables stay while batch 1 is
	 * unfinished. */
	cut_meta(&s, &bad);
	bad.seq = 2;
	bad.nblk = 1;
	assert_int_equal(state_apply(st, &bad, &e), 0);
	assert_null(state_thread_at(bad.root, 10, 100));
	assert_non_null(state_thread_at(first, 10, ev.first_ord));
	state_reclaim(st, 3);
	/* Damage inside a process list. */
	bad.nblk = 2;
	bad.seq = 3;
	bad.file_off = 700;
	s.meta.p[s.meta_off[1] + 8] = 3; /* length of the first entry */
	err_clear(&e);
	assert_true(state_apply(st, &bad, &e) < 0);
	assert_in_range(e.pos, 700 + s.meta_off[1], 700 + s.meta_off[2]);
	batch_fini(&meta);
	batch_fini(&ev);
	batch_fini(&bad);
	trace_fini(&s.t);
	buf_fini(&s.meta);
	state_free(st);
}

static void test_demand(void **state)
{
	struct demand d;

	demand_init(&d, false);
	assert_int_equal(d.bits, 0);
	assert_true(demand_type(&d, 0) && demand_type(&d, EV_CODE_COUNT - 1));
	demand_add(&d, DEMAND_VOLATILE);
	assert_int_equal(d.bits, DEMAND_VOLATILE | DEMAND_THREADS | DEMAND_PAIRS);
	demand_init(&d, false);
	demand_add(&d, DEMAND_USERS);
	assert_int_equal(d.bits, DEMAND_USERS);
	demand_add(&d, DEMAND_FDS);
	assert_int_equal(d.bits, DEMAND_USERS | DEMAND_FDS | DEMAND_THREADS | DEMAND_PAIRS);
}

/* Handlers exist for odd codes that the table gives a result, or for events named here. */
static void test_table(void **state)
{
	for (int compat = 0; compat < 2; compat++) {
		const struct apply_entry *t = apply_table(compat);

		for (unsigned i = 0; i < EV_CODE_COUNT; i++) {
			if (!t[i].fn)
				continue;
			assert_true(!compat || i < EV_CODE_COUNT_029);
			assert_int_not_equal(t[i].demand, 0);
			if (t[i].when != ROW_ALWAYS)
				assert_true(event_table[i].params[0].type == PT_ERRNO ||
					    event_table[i].params[0].type == PT_FD ||
					    event_table[i].params[0].type == PT_PID ||
					    i == EV_SYSCALL_BPF_X);
			if (t[i].when == ROW_ADDR)
				assert_int_equal(event_table[i].params[t[i].param].type,
						 PT_SOCKTUPLE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbering),
		cmocka_unit_test(test_predicate),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_demand),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
