/* Aggregates: expected values of small tables, order of results, and that any split of the events over tables merged
 * in any order gives what one table gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "merge/aggregate.h"

static struct agg_datum num(int64_t i)
{
	return (struct agg_datum){ .kind = AGG_INT, .i = i };
}

static struct agg_datum text(const char *s)
{
	return (struct agg_datum){ .kind = AGG_TEXT, .len = (uint32_t)strlen(s), .s = s };
}

static struct agg *make(unsigned nkeys, const enum agg_op *op, unsigned ncols)
{
	struct agg_spec spec = { .nkeys = (uint8_t)nkeys, .ncols = (uint8_t)ncols };
	struct agg *a = NULL;

	for (unsigned i = 0; i < ncols; i++)
		spec.op[i] = (uint8_t)op[i];
	assert_int_equal(agg_new(&a, &spec), 0);
	return a;
}

static struct agg_cell *row(struct agg *a, struct agg_datum k1, struct agg_datum k2)
{
	struct buf b;

	buf_init(&b);
	agg_key_add(&b, &k1);
	if (agg_spec_of(a)->nkeys == 2)
		agg_key_add(&b, &k2);
	struct agg_cell *c = agg_row(a, b.p, (uint32_t)b.len);
	buf_fini(&b);
	assert_non_null(c);
	return c;
}

static void put(struct buf *b, const struct agg_datum *d)
{
	if (d->kind == AGG_TEXT)
		buf_put(b, d->s, d->len);
	else if (d->kind == AGG_INT)
		buf_i64(b, d->i);
	else if (d->kind == AGG_NUM)
		buf_printf(b, "%.6f", d->d);
	else
		buf_puts(b, "nil");
}

static int dump_bucket(void *ctx, int64_t lo, int64_t hi, uint64_t n)
{
	buf_printf(ctx, " [%lld..%lld]=%llu", (long long)lo, (long long)hi, (unsigned long long)n);
	return 0;
}

/* The whole table as text: everything that a reader of it can see, in order. */
static char *dump(const struct agg *a)
{
	struct buf b;
	uint32_t *idx;

	buf_init(&b);
	assert_int_equal(agg_sort(a, 0, &idx), 0);
	for (uint32_t i = 0; i < agg_rows(a); i++) {
		struct agg_datum k[AGG_MAX_KEYS], v;

		agg_row_key(a, idx[i], k);
		for (unsigned j = 0; j < agg_spec_of(a)->nkeys; j++) {
			put(&b, &k[j]);
			buf_putc(&b, ' ');
		}
		for (unsigned c = 0; c < agg_spec_of(a)->ncols; c++) {
			agg_value(a, idx[i], c, &v);
			buf_putc(&b, c ? ',' : '=');
			put(&b, &v);
			if (agg_spec_of(a)->op[c] == AGG_HIST)
				agg_hist_each(a, idx[i], c, dump_bucket, &b);
		}
		buf_putc(&b, '\n');
	}
	buf_putc(&b, 0);
	free(idx);
	return b.p;
}

static void check(struct agg *a, const char *want)
{
	char *got = dump(a);

	assert_string_equal(got, want);
	free(got);
}

static const enum agg_op all_ops[] = { AGG_SUM, AGG_COUNT, AGG_AVG,	AGG_MIN, AGG_MAX,
				       AGG_FIRST, AGG_LAST, AGG_DISTINCT };

static void test_ops(void **state)
{
	struct agg *a = make(1, all_ops, ARRAY_SIZE(all_ops));
	int64_t v[] = { 5, -3, 5, 10 };

	for (unsigned i = 0; i < 4; i++) {
		struct agg_cell *c = row(a, text("k"), num(0));
		for (unsigned op = 0; op < ARRAY_SIZE(all_ops); op++) {
			struct agg_datum d = num(v[i]);
			agg_add(a, c, op, &d, 100 - i);
		}
	}
	check(a, "k =17,4,4.250000,-3,10,10,5,3\n");
	agg_free(a);
}

static void test_order(void **state)
{
	enum agg_op op = AGG_SUM;
	struct agg *a = make(1, &op, 1);
	static const struct { const char *key; int64_t v; } t[] = {
		{ "b", 3 }, { "a", 3 }, { "", 3 }, { "ab", 3 }, { "z", 9 }, { "\xff", 3 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct agg_datum d = num(t[i].v);
		agg_add(a, row(a, text(t[i].key), num(0)), 0, &d, i);
	}
	check(a, "z =9\n =3\na =3\nab =3\nb =3\n\xff =3\n");
	agg_clear(a);
	check(a, "");
	for (int64_t i = 11; i >= 9; i--) { /* numeric keys by number, not by text */
		struct agg_datum d = num(1);
		agg_add(a, row(a, num(i), num(0)), 0, &d, 0);
	}
	check(a, "9 =1\n10 =1\n11 =1\n");
	agg_free(a);

	a = make(2, &op, 1); /* several keys by their joined text */
	for (int64_t i = 11; i >= 9; i--) {
		struct agg_datum d = num(1);
		agg_add(a, row(a, text("p"), num(i)), 0, &d, 0);
	}
	check(a, "p 10 =1\np 11 =1\np 9 =1\n");
	agg_free(a);
}

static void test_types(void **state)
{
	static const enum agg_op ops[] = { AGG_SUM, AGG_FIRST, AGG_COUNT, AGG_HIST };
	struct agg *a = make(1, ops, 4);
	struct agg_datum s = text("hello"), nil = { .kind = AGG_NIL }, d = { .kind = AGG_NUM, .d = 0.5 };
	struct agg_cell *c = row(a, text("k"), nil);

	for (unsigned i = 0; i < 4; i++) {
		agg_add(a, c, i, &s, 7);
		agg_add(a, c, i, &nil, 1);
		agg_add(a, c, i, &d, 9);
	}
	check(a, "k =0,hello,2,0\n"); /* sums and histograms take integers only */
	agg_free(a);
}

static void test_big_sum(void **state)
{
	enum agg_op op = AGG_SUM;
	struct agg *a = make(1, &op, 1);
	struct agg_datum big = num(INT64_MAX), neg = num(INT64_MIN), v;

	agg_add(a, row(a, num(1), num(0)), 0, &big, 0);
	agg_add(a, row(a, num(1), num(0)), 0, &big, 0);
	agg_value(a, 0, 0, &v);
	assert_int_equal(v.kind, AGG_NUM); /* beyond 64 bits: a fraction type, not a wrapped number */
	assert_true(v.d > 1.8e19);
	agg_add(a, row(a, num(1), num(0)), 0, &neg, 0);
	agg_value(a, 0, 0, &v);
	assert_int_equal(v.kind, AGG_INT);
	assert_true(v.i == INT64_MAX - 1); /* exact again */
	agg_free(a);
}

static void test_hist(void **state)
{
	enum agg_op op = AGG_HIST;
	struct agg *a = make(1, &op, 1);
	static const struct { int64_t v; const char *want; } t[] = {
		{ 0, " [0..0]=1" }, { 31, " [31..31]=1" }, { 32, " [32..32]=1" }, { 63, " [63..63]=1" },
		{ 64, " [64..65]=1" }, { 127, " [126..127]=1" }, { 1000, " [992..1007]=1" },
		{ -5, " [-9223372036854775808..-1]=1" },
		{ INT64_MAX, " [9079256848778919936..9223372036854775807]=1" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct agg_datum d = num(t[i].v);
		struct buf b;

		agg_clear(a);
		agg_add(a, row(a, num(1), num(0)), 0, &d, 0);
		buf_init(&b);
		agg_hist_each(a, 0, 0, dump_bucket, &b);
		buf_putc(&b, 0);
		assert_string_equal(b.p, t[i].want);
		buf_fini(&b);
	}
	agg_clear(a);
	for (int64_t i = 1; i <= 1000; i++) {
		struct agg_datum d = num(i);
		agg_add(a, row(a, num(1), num(0)), 0, &d, 0);
	}
	for (int q = 1; q < 10; q++) { /* 1/32 relative error */
		int64_t got = agg_quantile(a, 0, 0, q / 10.0);
		assert_true(llabs(got - q * 100) <= q * 100 / 32 + 1);
	}
	agg_free(a);
}

static void test_distinct(void **state)
{
	enum agg_op op = AGG_DISTINCT;
	struct agg *a = make(1, &op, 1);
	struct agg_datum v;

	for (int64_t i = 0; i < 100000; i++) {
		struct agg_datum d = num(i);
		agg_add(a, row(a, num(1), num(0)), 0, &d, 0);
		if (i == 255) {
			agg_value(a, 0, 0, &v);
			assert_int_equal(v.i, 256); /* exact so far */
		}
	}
	agg_value(a, 0, 0, &v);
	assert_true(llabs(v.i - 100000) < 5000);
	agg_free(a);
}

static void test_limit(void **state)
{
	struct agg_spec spec = { .nkeys = 1, .ncols = 1, .op = { AGG_SUM }, .max_bytes = 100000 };
	struct agg *a;
	int64_t i;

	assert_int_equal(agg_new(&a, &spec), 0);
	for (i = 0; i < 100000 && !agg_failed(a); i++) {
		uint8_t key[9] = { AGG_INT };
		memcpy(key + 1, &i, 8);
		agg_row(a, key, 9);
	}
	assert_true(agg_failed(a));
	assert_true(agg_bytes(a) < 400000);
	uint32_t n = agg_rows(a);
	assert_true(n > 100 && n == (uint32_t)i - 1);
	agg_free(a);
}

/* Random events split at random over tables, merged in random order. */
static void test_merge_any_split(void **state)
{
	static const enum agg_op ops[] = { AGG_SUM, AGG_COUNT, AGG_AVG, AGG_MIN, AGG_MAX, AGG_FIRST, AGG_LAST, AGG_HIST };
	unsigned seed = (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 30; round++) {
		enum { PARTS = 7 };
		struct agg *one = make(2, ops, ARRAY_SIZE(ops)), *part[PARTS], *sum;
		struct agg *d1, *dp[PARTS], *ds;
		enum agg_op distinct = AGG_DISTINCT;
		int n = rand() % 5000;

		sum = make(2, ops, ARRAY_SIZE(ops));
		d1 = make(2, &distinct, 1);
		ds = make(2, &distinct, 1);
		for (int i = 0; i < PARTS; i++) {
			part[i] = make(2, ops, ARRAY_SIZE(ops));
			dp[i] = make(2, &distinct, 1);
		}
		for (int i = 0; i < n; i++) {
			char key[16];
			snprintf(key, sizeof(key), "k%d", rand() % 200);
			struct agg_datum k2 = num(rand() % 3), v = num(rand() % 3 ? rand() : -(rand() % 100));
			int p = rand() % PARTS;

			for (unsigned op = 0; op < ARRAY_SIZE(ops); op++) {
				agg_add(one, row(one, text(key), k2), op, &v, (uint64_t)i);
				agg_add(part[p], row(part[p], text(key), k2), op, &v, (uint64_t)i);
			}
			agg_add(d1, row(d1, text("x"), num(rand() % 2)), 0, &v, 0);
			k2 = num(rand() % 2);
			agg_add(dp[p], row(dp[p], text("x"), num(0)), 0, &v, 0);
			agg_add(ds, row(ds, text("x"), num(0)), 0, &v, 0);
		}
		struct agg *dm = make(2, &distinct, 1);
		int at = rand() % PARTS;
		for (int i = 0; i < PARTS; i++, at = (at + 3) % PARTS) {
			assert_int_equal(agg_merge(sum, part[at]), 0);
			assert_int_equal(agg_merge(dm, dp[at]), 0);
		}
		char *x = dump(one), *y = dump(sum);
		assert_string_equal(x, y);
		free(x);
		free(y);
		x = dump(ds);
		y = dump(dm);
		assert_string_equal(x, y);
		free(x);
		free(y);
		agg_free(one);
		agg_free(sum);
		agg_free(d1);
		agg_free(ds);
		agg_free(dm);
		for (int i = 0; i < PARTS; i++) {
			agg_free(part[i]);
			agg_free(dp[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ops),	cmocka_unit_test(test_order),
		cmocka_unit_test(test_types),	cmocka_unit_test(test_big_sum),
		cmocka_unit_test(test_hist),	cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_limit),	cmocka_unit_test(test_merge_any_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
