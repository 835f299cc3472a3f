/* Framing ahead of the reader: where blocks begin is guessed, and a guess that is wrong changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "scap_make.h"
#include "source/frame.h"
#include "source/source.h"

enum { LIMIT = 1 << 20, STRETCH = 64 * 1024 };

static uint32_t rng;

static uint32_t next(uint32_t below)
{
	rng = rng * 1664525 + 1013904223;
	return (rng >> 8) % below;
}

static const uint32_t kinds[] = {BLK_EV_V1, BLK_EVF_V1, BLK_EV_V2, BLK_EVF_V2, BLK_EV_V2_LARGE, BLK_EVF_V2_LARGE};

/* What the payloads hold. */
enum payload { ZEROS, NOISE, TRACES };

/* An event whose parameter has that many bytes. */
static void put_one(struct buf *b, enum payload how, uint32_t kind, uint32_t bytes)
{
	size_t data = b->len + 50; /* behind the header */
	struct buf inner;

	put_event(b, kind, bytes);
	if (bytes < 64)
		return;
	if (how == NOISE) {
		for (uint32_t i = 0; i + 32 < bytes; i++)
			b->p[data + i] = (char)next(4);
	} else if (how == TRACES) {
		buf_init(&inner);
		while (inner.len + 200 < bytes)
			put_event(&inner, BLK_EV_V2, next(60));
		if (inner.len)
			memcpy(b->p + data, inner.p, MIN(inner.len, (size_t)bytes - 32));
		buf_fini(&inner);
	}
}

/* n events behind a section header; where each begins, to at. */
static void make_trace(struct buf *b, size_t *at, size_t n, enum payload how, uint32_t longest)
{
	buf_init(b);
	put_shb(b, 0x1A2B3C4D, 1, 2, 0);
	put_mi(b, BLK_MI);
	for (size_t i = 0; i < n; i++) {
		uint32_t kind = how == ZEROS ? kinds[next(ARRAY_SIZE(kinds))] : BLK_EV_V2;

		at[i] = b->len;
		put_one(b, how, kind, next(8) ? next(60) : next(longest));
	}
	assert_false(buf_failed(b));
}

/* The first of at[0..n) that is not before off. */
static size_t following(const size_t *at, size_t n, size_t off)
{
	size_t i = 0;

	while (i < n && at[i] < off)
		i++;
	return i < n ? at[i] : 0;
}

/* From anywhere on, the next block is found, and all behind it. */
static void test_guess(void **state)
{
	enum { EVENTS = 400 };
	static const enum payload hows[] = {ZEROS, NOISE};

	for (unsigned i = 0; i < ARRAY_SIZE(hows); i++) {
		size_t at[EVENTS], tried = 0;
		struct buf b;

		rng = i + 1;
		make_trace(&b, at, EVENTS, hows[i], 2000);
		for (size_t off = at[0]; off < at[EVENTS - 8]; off += 1 + next(5), tried++) {
			const uint8_t *p = (const uint8_t *)b.p + off;
			size_t len = b.len - off, first = following(at, EVENTS, off) - off, pos;
			uint32_t list[EVENTS], *q = list;

			assert_int_equal(frame_guess(p, len, LIMIT), first);
			pos = first;
			assert_int_equal(frame_events(p, len, len, LIMIT, &pos, &q, list + EVENTS), FRAME_FULL);
			assert_int_equal(pos, len);
			for (uint32_t *k = list; k < q; k++)
				assert_int_equal(*k + off, at[EVENTS - (size_t)(q - list) + (size_t)(k - list)]);
		}
		assert_true(tried > 5000);
		buf_fini(&b);
	}
}

/* Whatever the bytes are, nothing beyond them is read (the sanitizers look on) and a guess is one that agrees. */
static void test_guess_anything(void **state)
{
	for (unsigned round = 0; round < 3000; round++) {
		size_t len = next(400);
		uint8_t *p = malloc(len + 1);

		rng = round + 1;
		for (size_t i = 0; i < len; i++)
			p[i] = (uint8_t)(next(3) ? next(3) : next(256));
		for (size_t i = 0; i + 8 < len; i += 1 + next(40)) {
			uint32_t kind = kinds[next(ARRAY_SIZE(kinds))], n = next(3) ? 36 + next(50) : next(UINT16_MAX);

			memcpy(p + i, &kind, 4);
			memcpy(p + i + 4, &n, 4);
			if (next(2) && n <= len - i && n >= 12)
				memcpy(p + i + n - 4, &n, 4);
		}
		size_t at = frame_guess(p, len, LIMIT);

		assert_true(at <= len);
		assert_true(at == len || block_is_event(load_u32(p + at)));
		free(p);
	}
}

static void test_ends(void **state)
{
	uint32_t list[8], *q = list;
	size_t pos = 0;
	struct buf b;

	buf_init(&b);
	for (int i = 0; i < 4; i++)
		put_event(&b, BLK_EV_V2, 10);
	size_t one = b.len / 4;
	const uint8_t *p = (const uint8_t *)b.p;

	assert_int_equal(frame_events(p, b.len, 2 * one, LIMIT, &pos, &q, list + 8), FRAME_FULL); /* stop */
	assert_int_equal(pos, 2 * one);
	assert_int_equal(frame_events(p, b.len, b.len, LIMIT, &pos, &q, list + 3), FRAME_FULL); /* room */
	assert_int_equal(pos, 3 * one);
	assert_int_equal(frame_events(p, b.len - 1, b.len - 8, LIMIT, &pos, &q, list + 8), FRAME_PARTIAL);
	assert_int_equal(frame_events(p, b.len, b.len, one - 1, &pos, &q, list + 8), FRAME_LENGTH);
	memcpy(b.p + 3 * one, &(uint32_t){BLK_SHB}, 4);
	assert_int_equal(frame_events(p, b.len, b.len, LIMIT, &pos, &q, list + 8), FRAME_OTHER);
	assert_int_equal(q - list, 3);
	assert_int_equal(pos, 3 * one);
	buf_fini(&b);
}

/* ---- through a source ---- */

/* Offsets in the file of all blocks, to at; how many batches were framed ahead, and how many were not. */
static size_t read_blocks(const char *path, unsigned fetchers, uint64_t *at, size_t cap, unsigned ahead[2])
{
	struct source_opts o = {.fetchers = fetchers, .batch_bytes = STRETCH};
	struct source *s;
	struct batch b;
	struct err e;
	size_t n = 0;

	ahead[0] = ahead[1] = 0;
	batch_init(&b);
	assert_int_equal(source_open(&s, path, &o, &e), 0);
	do {
		while (!source_read_ready(s)) {
			int i = source_fetch_claim(s, 1, false);

			assert_true(i >= 0);
			source_fetch(s, i);
			source_fetch_done(s, i);
		}
		assert_int_equal(source_read(s, &b, &e), 0);
		ahead[b.framed.n == 0]++;
		assert_int_equal(source_order(s, &b), 0);
		assert_true(n + b.nblk <= cap);
		for (uint32_t i = 0; i < b.nblk; i++)
			at[n++] = b.file_off + b.blk[i];
		source_release(s, &b);
		source_reuse(s, &b);
	} while (!b.last);
	assert_int_equal(b.err.code, 0);
	source_close(s);
	batch_fini(&b);
	return n;
}

static void test_source(void **state)
{
	enum { EVENTS = 60000 };
	static const struct {
		enum payload how;
		uint32_t longest;
		bool wrong; /* some guesses are */
	} cases[] = {{ZEROS, 600, false}, {NOISE, 3000, false}, {TRACES, 20000, true}, {ZEROS, 60000, false}};
	size_t *at = malloc(EVENTS * sizeof(*at));
	uint64_t *one = malloc((EVENTS + 2) * sizeof(*one)), *two = malloc((EVENTS + 2) * sizeof(*two));
	char path[] = "/tmp/burin-frame.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t events = cases[i].longest < 10000 ? EVENTS : EVENTS / 20, n;
		unsigned alone[2], ahead[2];
		struct buf b;

		rng = 77 + i;
		make_trace(&b, at, events, cases[i].how, cases[i].longest);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, b.p, b.len, 0), (ssize_t)b.len);
		n = read_blocks(path, 0, one, EVENTS + 2, alone);
		assert_int_equal(n, events + 2);
		for (size_t k = 0; k < events; k++)
			assert_int_equal(one[k + 2], at[k]);
		assert_int_equal(read_blocks(path, 2, two, EVENTS + 2, ahead), n);
		assert_memory_equal(one, two, n * sizeof(*one));
		assert_int_equal(alone[0], 0);
		assert_true(ahead[0] > 5);
		assert_true(!cases[i].wrong || ahead[1] > 20);
		buf_fini(&b);
	}
	close(fd);
	unlink(path);
	free(at);
	free(one);
	free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_guess_anything),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
