/* Compressed files by several threads: members and frames of all sizes and sorts, damaged or not, give what one thread finds,
 * to the position in the error, for every order in which threads may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "scap_make.h"
#include "source/source.h"

enum { SHB_MAGIC = 0x1A2B3C4D };

/* ---- files from a word list ------------------------------------------------------------------- */

struct making {
	struct buf out;
	const char *p; /* not compressed yet */
	size_t n;
	size_t last; /* offset of the last member or frame */
};

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16 };

static uint32_t noise(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Stored blocks, so that what looks like a member in p does so in the file, too. */
static void put_stored(struct buf *b, const char *p, size_t n)
{
	do {
		size_t part = MIN(n, (size_t)65535);

		put_int(b, part == n, 1);
		put_int(b, part, 2);
		put_int(b, ~part, 2);
		buf_put(b, p, part);
		p += part;
		n -= part;
	} while (n);
}

static void put_deflated(struct buf *b, const char *p, size_t n)
{
	struct isal_zstream z;
	size_t room = n + n / 8 + 1000;

	assert_true(buf_room(b, room));
	isal_deflate_stateless_init(&z);
	z.end_of_stream = 1;
	z.next_in = (uint8_t *)(uintptr_t)p;
	z.avail_in = (uint32_t)n;
	z.next_out = (uint8_t *)b->p + b->len;
	z.avail_out = (uint32_t)room;
	assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
	b->len += z.total_out;
}

/* size: a subfield of that name with the length of the member, plus lie. */
static void put_member(struct buf *b, const char *p, size_t n, unsigned flags, const char *size, uint64_t lie, bool stored)
{
	static const char head[] = {0x1f, (char)0x8b, 8};
	size_t begin = b->len, at = 0, bytes = size && size[1] == 'C' ? 2 : 4;

	buf_put(b, head, sizeof(head));
	put_int(b, flags | (size ? FEXTRA : 0), 1);
	put_int(b, 0, 4);
	put_int(b, 0, 1);
	put_int(b, 3, 1);
	if (size || (flags & FEXTRA)) {
		put_int(b, 6 + (size ? 4 + bytes : 0), 2);
		buf_put(b, "xy\2\0ab", 6);
		if (size) {
			buf_put(b, size, 2);
			put_int(b, bytes, 2);
			at = b->len;
			put_int(b, 0, bytes);
		}
	}
	if (flags & FNAME)
		buf_put(b, "name", 5);
	if (flags & FCOMMENT)
		buf_put(b, "a comment", 10);
	if (flags & FHCRC)
		put_int(b, crc32_gzip_refl(0, (uint8_t *)b->p + begin, b->len - begin) & 0xffff, 2);
	if (stored)
		put_stored(b, p, n);
	else
		put_deflated(b, p, n);
	put_int(b, crc32_gzip_refl(0, (const uint8_t *)p, n), 4);
	put_int(b, n, 4);
	if (size) {
		uint64_t len = b->len - begin + lie - (bytes == 2);

		memcpy(b->p + at, &len, bytes);
	}
}

static void put_frame(struct buf *b, const char *p, size_t n, int checksum, int window)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t room = ZSTD_compressBound(n), r;

	assert_true(buf_room(b, room));
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, checksum);
	if (window) {
		ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window);
		ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
	}
	r = ZSTD_compress2(c, b->p + b->len, room, p, n);
	assert_false(ZSTD_isError(r));
	b->len += r;
	ZSTD_freeCCtx(c);
}

/* WORD or WORD:N; N = bytes of the trace that go in, "all" that is left. */
static void make_word(struct making *m, const char *w)
{
	const char *colon = strchr(w, ':');
	size_t len = colon ? (size_t)(colon - w) : strlen(w);
	size_t arg = !colon ? 0 : !strcmp(colon, ":all") ? m->n : strtoul(colon + 1, NULL, 0);
	size_t n = MIN(arg, m->n), last = m->out.len;
	struct buf *b = &m->out;

#define IS(name) (len == strlen(name) && !memcmp(w, name, len))
	if (IS("member"))
		put_member(b, m->p, n, 0, NULL, 0, false);
	else if (IS("stored"))
		put_member(b, m->p, n, 0, NULL, 0, true);
	else if (IS("dressed"))
		put_member(b, m->p, n, FHCRC | FEXTRA | FNAME | FCOMMENT, NULL, 0, false);
	else if (IS("BC"))
		put_member(b, m->p, n, 0, "BC", 0, false);
	else if (IS("BU"))
		put_member(b, m->p, n, FNAME, "BU", 0, false);
	else if (IS("lies-1"))
		put_member(b, m->p, n, 0, "BU", 1, false);
	else if (IS("lies-far"))
		put_member(b, m->p, n, 0, "BU", 1 << 20, false);
	else if (IS("lies-0"))
		put_member(b, m->p, n, 0, "BC", (uint64_t)-1000000, false);
	else if (IS("frame"))
		put_frame(b, m->p, n, 1, 0);
	else if (IS("bare"))
		put_frame(b, m->p, n, 0, 0);
	else if (IS("wide"))
		put_frame(b, m->p, n, 1, 24);
	else if (IS("narrow"))
		put_frame(b, m->p, n, 1, 12);
	else if (IS("skip")) {
		put_int(b, 0x184D2A53, 4);
		put_int(b, arg, 4);
		for (size_t i = 0; i < arg; i++)
			put_int(b, i, 1);
		n = 0;
	} else if (IS("zeros")) {
		for (size_t i = 0; i < arg; i++)
			put_int(b, 0, 1);
		n = 0;
	} else if (IS("garbage")) {
		buf_puts(b, "garbage");
		n = 0;
	} else if (IS("head")) { /* of a member, and nothing else */
		buf_put(b, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
		n = 0;
	} else if (IS("cut")) {
		b->len -= arg;
		n = 0;
	} else if (IS("flip")) { /* a bit, so many bytes before the end */
		b->p[b->len - arg] ^= 1;
		n = 0;
	} else if (IS("flip-in")) { /* so many behind the start of the last member or frame */
		b->p[m->last + arg] ^= 0x10;
		n = 0;
	} else
		fail_msg("no such word: %s", w);
#undef IS
	if (n || !colon || !arg)
		m->last = last;
	m->p += n;
	m->n -= n;
}

static void make_packed(struct buf *out, const struct buf *trace, const char *words)
{
	struct making m = {.p = trace->p, .n = trace->len};
	char *copy = strdup(words), *save = NULL;

	buf_init(&m.out);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		size_t times = 1;
		char *star = strchr(w, '*');

		if (star) {
			times = strtoul(w, NULL, 10);
			w = star + 1;
		}
		while (times--)
			make_word(&m, w);
	}
	free(copy);
	assert_false(buf_failed(&m.out));
	*out = m.out;
}

/* A trace whose events carry noise, and now and then what is a whole gzip member or zstd frame. */
static void make_trace(struct buf *b, size_t bytes)
{
	struct buf member, frame;
	uint32_t x = 1;

	buf_init(b);
	buf_init(&member);
	buf_init(&frame);
	put_member(&member, "not a member of this file, only data of an event", 48, 0, NULL, 0, false);
	put_member(&member, "nor is this one", 15, 0, "BU", 0, false);
	put_frame(&frame, "a frame inside", 14, 1, 0);
	put_shb(b, SHB_MAGIC, 1, 2, 0);
	put_mi(b, BLK_MI);
	for (unsigned i = 0; b->len < bytes; i++) {
		size_t at = b->len;
		uint32_t len = 300 + noise(&x) % 300;

		put_event(b, BLK_EV_V2, len);
		for (size_t k = at + 50; k < at + 60 + noise(&x) % 200; k++)
			b->p[k] = (char)noise(&x);
		if (i % 16 == 3)
			memcpy(b->p + at + 60, member.p, member.len);
		if (i % 16 == 5)
			memcpy(b->p + at + 60, frame.p, frame.len);
	}
	buf_fini(&member);
	buf_fini(&frame);
}

/* ---- reading ---------------------------------------------------------------------------------- */

struct outcome {
	uint64_t sum, blocks, bytes, raw_off;
	unsigned jobs;
	int opened;
	struct err err;
};

static void add_batch(struct outcome *o, const struct batch *b)
{
	for (uint32_t i = 0; i < b->nblk; i++) {
		const uint8_t *p = b->data + b->blk[i];
		uint32_t n = load_u32(p + 4);

		assert_true(n <= b->len - b->blk[i]);
		o->sum = (o->sum ^ (b->file_off + b->blk[i])) * 0x100000001B3;
		o->sum = (o->sum ^ crc32_gzip_refl(0, p, n)) * 0x100000001B3;
	}
	o->blocks += b->nblk;
	o->bytes += b->len;
	assert_true(b->raw_off >= o->raw_off);
	o->raw_off = b->raw_off;
	o->err = b->err;
}

/* One thread that does what several might: claims in one order, work in another. */
struct play {
	struct source *s;
	uint32_t x;
	int jobs[16];
	unsigned n, done;
};

static void play_one(struct play *p)
{
	unsigned k = noise(&p->x) % p->n;
	int i = p->jobs[k];

	p->jobs[k] = p->jobs[--p->n];
	source_fetch(p->s, i);
	source_fetch_done(p->s, i);
	p->done++;
}

static void play(struct play *p, unsigned fetchers)
{
	unsigned turns = noise(&p->x) % 8;

	for (unsigned t = 0; fetchers > 1 && (t < turns || !source_read_ready(p->s)); t++) {
		int i = p->n < fetchers ? source_fetch_claim(p->s, noise(&p->x) % fetchers, noise(&p->x) % 4 == 0) : -1;

		if (i >= 0)
			p->jobs[p->n++] = i;
		else if (p->n)
			play_one(p);
		else if (!source_read_ready(p->s))
			assert_true(source_fetch_ready(p->s)); /* else the pipeline would stand still */
	}
	while (p->n) /* the reader may wait for any of them */
		play_one(p);
}

static struct outcome read_played(const struct buf *file, const struct source_opts *o, uint32_t seed)
{
	struct outcome out = {0};
	struct play p = {.x = seed};
	struct batch b;

	err_clear(&out.err);
	out.opened = source_open_memory(&p.s, file->p, file->len, o, &out.err);
	if (out.opened)
		return out;
	batch_init(&b);
	do {
		play(&p, o->fetchers);
		batch_reset(&b);
		assert_int_equal(source_read(p.s, &b, NULL), 0);
		add_batch(&out, &b);
		source_release(p.s, &b);
	} while (!b.last);
	out.jobs = p.done;
	batch_fini(&b);
	source_close(p.s);
	return out;
}

/* Threads that share a lock, as the pipeline's. */
struct team {
	pthread_mutex_t lock;
	struct source *s;
	bool reading, ended;
	struct outcome out;
	struct batch b;
	unsigned ids;
};

static void team_read(struct team *t)
{
	batch_reset(&t->b);
	assert_int_equal(source_read(t->s, &t->b, NULL), 0);
	add_batch(&t->out, &t->b);
	source_release(t->s, &t->b);
}

static void *team_member(void *arg)
{
	struct team *t = arg;

	pthread_mutex_lock(&t->lock);
	unsigned id = t->ids++;
	while (!t->ended) {
		bool urgent = true;
		int i = source_fetch_claim(t->s, id, urgent);

		if (i < 0 && !t->reading && source_read_ready(t->s)) {
			t->reading = true;
			pthread_mutex_unlock(&t->lock);
			team_read(t);
			pthread_mutex_lock(&t->lock);
			t->reading = false;
			t->ended = t->b.last;
			continue;
		}
		i = i < 0 ? source_fetch_claim(t->s, id, false) : i;
		pthread_mutex_unlock(&t->lock);
		if (i >= 0)
			source_fetch(t->s, i);
		pthread_mutex_lock(&t->lock);
		if (i >= 0)
			source_fetch_done(t->s, i);
		t->out.jobs += i >= 0;
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static struct outcome read_threads(const struct buf *file, const struct source_opts *o)
{
	struct team t = {.lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[8];

	err_clear(&t.out.err);
	t.out.opened = source_open_memory(&t.s, file->p, file->len, o, &t.out.err);
	if (t.out.opened)
		return t.out;
	batch_init(&t.b);
	for (unsigned i = 0; i < o->fetchers; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, team_member, &t), 0);
	for (unsigned i = 0; i < o->fetchers; i++)
		pthread_join(threads[i], NULL);
	batch_fini(&t.b);
	source_close(t.s);
	return t.out;
}

/* The position in the file as stored is to a step of gzip, and to a block of zstd if that is not longer than the step. */
static bool same_raw(const char *words, const struct source_opts *o, const struct err *a, const struct err *b)
{
	return a->pos_raw == b->pos_raw || (o->inflate_step && (strstr(words, "frame") || strstr(words, "bare")));
}

static void check_same(const char *words, const struct source_opts *o, const char *how, const struct outcome *a,
		       const struct outcome *b)
{
	if (a->sum != b->sum || a->blocks != b->blocks || a->bytes != b->bytes || a->opened != b->opened ||
	    (!a->err.code && a->raw_off != b->raw_off) || a->err.code != b->err.code || a->err.pos != b->err.pos || !same_raw(words, o, &a->err, &b->err) ||
	    strcmp(a->err.msg, b->err.msg) != 0)
		fail_msg("%s (step %zu, batches %zu, %u fetchers, %s): %llu blocks, %llu bytes, raw %llu, %s at %llu (%llu); else %llu blocks, "
			 "%llu bytes, raw %llu, %s at %llu (%llu)",
			 words, o->inflate_step, o->batch_bytes, o->fetchers, how, (unsigned long long)a->blocks, (unsigned long long)a->bytes,
			 (unsigned long long)a->raw_off, a->err.msg, (unsigned long long)a->err.pos, (unsigned long long)a->err.pos_raw,
			 (unsigned long long)b->blocks, (unsigned long long)b->bytes, (unsigned long long)b->raw_off, b->err.msg,
			 (unsigned long long)b->err.pos, (unsigned long long)b->err.pos_raw);
}

/* ---- cases -------------------------------------------------------------------------------------- */

static const struct inflate_case {
	const char *words;
	int code;
} cases[] = {
	{"member:all", 0},
	{"stored:all", 0},
	{"member:1 member:1 member:26 member:1 member:0 member:all", 0},
	{"200*member:1000 member:all", 0},
	{"20*member:20000 member:all zeros:512", 0},
	{"20*dressed:20000 member:all", 0},
	{"3*stored:100000 stored:all", 0},
	{"50*BC:10000 BC:0", ERR_TRUNCATED},
	{"100*BC:7000 BC:0 member:all", 0},
	{"20*BU:30000 BU:all", 0},
	{"5*BU:30000 lies-1:30000 5*BU:30000 lies-far:30000 5*BU:30000 lies-0:30000 BU:all", 0},
	{"5*BU:30000 5*member:30000 5*dressed:20000 5*BC:9000 member:all", 0},
	{"10*member:0 member:300000 10*member:0 member:all 30*member:0", 0},
	{"member:200000 zeros:7 member:all", ERR_FORMAT},
	{"member:200000 garbage", ERR_FORMAT},
	{"member:200000 head", ERR_TRUNCATED},
	{"10*BU:30000 cut:1", ERR_TRUNCATED},
	{"10*BU:30000 cut:8 10*BU:30000", ERR_FORMAT},
	{"10*BU:30000 flip:1 10*BU:30000", ERR_FORMAT},	 /* length */
	{"10*BU:30000 flip:8 10*BU:30000", ERR_FORMAT},	 /* checksum */
	{"10*BU:30000 flip-in:0 10*BU:30000", ERR_FORMAT}, /* magic */
	{"10*BU:30000 flip-in:3000 10*BU:30000", ERR_FORMAT},
	{"10*stored:30000 flip-in:3000 10*BU:30000", ERR_FORMAT},
	{"3*member:100000 flip-in:20000 3*member:100000 flip-in:20000", ERR_FORMAT},
	{"4*member:100000 flip-in:15 2*member:1000", ERR_FORMAT},
	{"frame:all", 0},
	{"bare:all", 0},
	{"frame:1 frame:1 frame:26 frame:0 skip:0 bare:all", 0},
	{"200*frame:1000 frame:all", 0},
	{"skip:100000 20*frame:20000 skip:5 20*bare:10000 skip:100 frame:all skip:3", 0},
	{"3*narrow:100000 2*wide:100000 frame:all", 0},
	{"10*frame:30000 garbage", ERR_FORMAT},
	{"10*frame:30000 zeros:100", ERR_FORMAT},
	{"10*frame:30000 cut:1", ERR_TRUNCATED},
	{"10*frame:30000 cut:4 10*frame:30000", ERR_FORMAT},
	{"10*frame:30000 flip:1 10*frame:30000", ERR_FORMAT},
	{"10*frame:30000 flip-in:0 10*frame:30000", ERR_FORMAT},
	{"10*bare:30000 flip-in:7 10*frame:30000", ERR_FORMAT},
	{"3*frame:200000 flip-in:5000 frame:all", ERR_FORMAT},
	{"10*frame:30000 skip:1000 cut:1", ERR_TRUNCATED},
};

static const size_t steps[] = {0, 1000, 20000};
static const size_t batches[] = {0, 3000};

static void test_same(void **state)
{
	struct buf trace, file;
	unsigned jobs = 0;

	make_trace(&trace, 700000);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_packed(&file, &trace, cases[i].words);
		for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
			struct source_opts o = {.inflate_step = steps[k]};
			struct outcome want = read_played(&file, &o, 1);

			/* Damage inside a member may also look like data, and then its checksum or a block is wrong. */
			if (want.err.code != cases[i].code && !(cases[i].code == ERR_FORMAT && want.err.code == ERR_TRUNCATED))
				fail_msg("%s: code %d: %s", cases[i].words, want.err.code, want.err.msg);
			if (!want.err.code)
				assert_int_equal(want.raw_off, file.len);
			for (unsigned seed = 0; seed < 12; seed++) {
				o.fetchers = 2 + seed % 3 * 2;
				o.batch_bytes = batches[seed % ARRAY_SIZE(batches)];
				o.inflate_apart = steps[k] ? 0 : 500;
				struct outcome got = read_played(&file, &o, seed);
				check_same(cases[i].words, &o, "played", &want, &got);
				jobs += got.jobs;
			}
			o.batch_bytes = 0;
			o.fetchers = 3;
			struct outcome got = read_threads(&file, &o);
			check_same(cases[i].words, &o, "threads", &want, &got);
		}
		buf_fini(&file);
	}
	assert_true(jobs > 1000);
	buf_fini(&trace);
}

/* Each byte of a header, a trailer, and what lies around members. */
static void test_flips(void **state)
{
	static const char *const words[] = {"8*BU:9000", "8*member:9000", "8*frame:9000"};
	struct buf trace, file;

	make_trace(&trace, 72000);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		make_packed(&file, &trace, words[i]);
		for (size_t at = 0; at < file.len; at += at < 40 ? 1 : 97) {
			struct source_opts o = {.inflate_step = 1000};

			file.p[at] ^= (char)(1 << at % 8);
			struct outcome want = read_played(&file, &o, 1);
			o.fetchers = 3;
			struct outcome got = read_played(&file, &o, (uint32_t)at);
			check_same(words[i], &o, "flipped", &want, &got);
			file.p[at] ^= (char)(1 << at % 8);
		}
		for (size_t len = 0; len < file.len; len += 131) {
			struct source_opts o = {.inflate_step = 1000};
			struct buf part = {.p = file.p, .len = len};
			struct outcome want = read_played(&part, &o, 1);

			o.fetchers = 4;
			struct outcome got = read_played(&part, &o, (uint32_t)len);
			check_same(words[i], &o, "cut", &want, &got);
		}
		buf_fini(&file);
	}
	buf_fini(&trace);
}

/* Several threads have more to do at a time only where members or frames allow it. */
static int claims(const struct buf *file)
{
	struct source_opts o = {.fetchers = 4, .inflate_step = 1000};
	struct source *s;
	struct err e;
	int n = 0, i, jobs[32];

	assert_int_equal(source_open_memory(&s, file->p, file->len, &o, &e), 0);
	for (unsigned round = 0; round < 20; round++) {
		for (n = 0; n < (int)ARRAY_SIZE(jobs) && (i = source_fetch_claim(s, (unsigned)n, false)) >= 0; n++)
			jobs[n] = i;
		for (i = 0; i < n; i++) {
			source_fetch(s, jobs[i]);
			source_fetch_done(s, jobs[i]);
		}
	}
	source_close(s);
	return n;
}

static void test_parallel(void **state)
{
	static const struct {
		const char *words;
		int least, most;
	} files[] = {
		{"member:all", 0, 1},	   {"frame:all", 0, 1},	     {"10*member:60000 member:all", 3, 6},
		{"10*BU:60000 BU:all", 3, 6}, {"10*frame:60000 frame:all", 3, 6},
	};
	struct buf trace, file;

	make_trace(&trace, 700000);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		make_packed(&file, &trace, files[i].words);
		int n = claims(&file);

		if (n < files[i].least || n > files[i].most)
			fail_msg("%s: %d pieces at a time", files[i].words, n);
		buf_fini(&file);
	}
	buf_fini(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_parallel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
