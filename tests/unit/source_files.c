/* The reader on files and pipes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source_read.h"

/* ---- files and pipes
 * -------------------------------------------------------------------------------- */

static char dir[64];

static const char *tmp_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/burin-source.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r <= 0)
			return;
		p += r;
		n -= (size_t)r;
	}
}

static void test_file(void **state)
{
	struct buf file, packed;

	make_noise(&file, 20000);
	pack(&packed, &file, 300000, gzip_member);
	const struct buf *forms[] = {&file, &packed};
	for (size_t i = 0; i < 2; i++) {
		const char *path = tmp_path("f.scap");
		int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		struct source *s;
		struct err e;

		write_all(fd, forms[i]->p, forms[i]->len);
		close(fd);
		assert_int_equal(source_open(&s, path, NULL, &e), 0);
		assert_int_equal(source_raw_size(s), forms[i]->len);
		source_close(s);
		struct outcome o = read_path(path, &file, NULL);
		assert_int_equal(o.err.code, 0);
		assert_string_equal(o.runs, "M2 E20000");
		assert_int_equal(o.raw_off, forms[i]->len);
		unlink(path);
	}
	buf_fini(&packed);
	buf_fini(&file);
}

/* With read-ahead a file gives the same blocks, ends and errors as without. */
static void test_ahead(void **state)
{
	static const char *const tails[] = {"", "S M e e S M e large:3000000 e S M e", "e cut:5", "block:0x999", "S M"};
	static const size_t batches[] = {0, 5000, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(tails) * ARRAY_SIZE(batches); i++) {
		const char *path = tmp_path("f.scap");
		int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		struct source_opts alone = {.batch_bytes = batches[i % ARRAY_SIZE(batches)]}, ahead = alone;
		struct buf file, tail, more;
		uint64_t mark;

		make_noise(&file, 20000);
		make_file(&tail, tails[i / ARRAY_SIZE(batches)], &mark);
		make_noise(&more, 3000);
		buf_put(&file, tail.p, tail.len);
		buf_put(&file, more.p, i % 2 ? more.len : 0);
		write_all(fd, file.p, file.len);
		close(fd);
		ahead.fetchers = 3;
		struct outcome a = read_path(path, &file, &alone), b = read_path(path, &file, &ahead);
		assert_string_equal(a.runs, b.runs);
		assert_int_equal(a.err.code, b.err.code);
		assert_int_equal(a.err.pos, b.err.pos);
		assert_string_equal(a.err.msg, b.err.msg);
		assert_int_equal(a.bytes, b.bytes);
		if (!a.err.code)
			assert_int_equal(a.raw_off, b.raw_off);
		assert_true(a.fetched == 0 && b.fetched > 3);
		unlink(path);
		buf_fini(&file);
		buf_fini(&tail);
		buf_fini(&more);
	}
}

static void test_truncated_while_read(void **state)
{
	const char *path = tmp_path("f.scap");
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	struct source_opts o = {.batch_bytes = 65536};
	struct source *s;
	struct batch b;
	struct buf file;
	struct err e;
	uint64_t end = 0;

	make_noise(&file, 20000);
	write_all(fd, file.p, file.len);
	batch_init(&b);
	assert_int_equal(source_open(&s, path, &o, &e), 0);
	assert_int_equal(ftruncate(fd, 500001), 0);
	do {
		assert_int_equal(source_read(s, &b, &e), 0);
		end = b.file_off + b.len;
	} while (!b.last);
	assert_int_equal(b.err.code, ERR_TRUNCATED);
	assert_int_equal(b.err.pos, end);
	assert_true(end <= 500001 && end > 500001 - 100);
	source_close(s);
	batch_fini(&b);
	buf_fini(&file);
	close(fd);
	unlink(path);
}

/* A writer that feeds a descriptor in pieces. */
struct feeder {
	int fd;
	const char *p;
	size_t n, piece;
	pthread_t thread;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;

	for (size_t at = 0; at < f->n; at += f->piece)
		write_all(f->fd, f->p + at, MIN(f->piece, f->n - at));
	close(f->fd);
	return NULL;
}

static struct outcome read_stdin(struct feeder *f, const struct buf *want,
				 const struct source_opts *opts)
{
	int p[2], saved = dup(STDIN_FILENO);

	assert_int_equal(pipe(p), 0);
	dup2(p[0], STDIN_FILENO);
	close(p[0]);
	f->fd = p[1];
	pthread_create(&f->thread, NULL, feed, f);
	struct outcome o = read_path("-", want, opts);
	pthread_join(f->thread, NULL);
	dup2(saved, STDIN_FILENO);
	close(saved);
	return o;
}

static void test_pipe(void **state)
{
	static const size_t pieces[] = {3000, 65536, 1 << 20};
	struct buf file, forms[3];

	make_noise(&file, 5000);
	pack(&forms[0], &file, 100000, gzip_member);
	pack(&forms[1], &file, 100000, zstd_frame);
	forms[2] = file;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
			struct feeder f = {.p = forms[i].p, .n = forms[i].len, .piece = pieces[k]};
			struct outcome o = read_stdin(&f, &file, &ways[k]);

			assert_int_equal(o.err.code, 0);
			assert_string_equal(o.runs, "M2 E5000");
			f.n -= 30; /* into the last member or frame, or the last block */
			o = read_stdin(&f, &file, NULL);
			assert_int_equal(o.err.code, ERR_TRUNCATED);
		}
	}
	/* Byte by byte: magic numbers and frames arrive in pieces. */
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct feeder f = {.p = forms[i].p, .n = 2000, .piece = 1};

		assert_int_equal(read_stdin(&f, &file, NULL).err.code, ERR_TRUNCATED);
	}
	buf_fini(&forms[0]);
	buf_fini(&forms[1]);
	buf_fini(&file);
}

static void *feed_fifo(void *arg)
{
	struct feeder *f = arg;

	f->fd = open(tmp_path("fifo"), O_WRONLY);
	return feed(f);
}

static void test_fifo(void **state)
{
	struct buf file;

	make_noise(&file, 3000);
	struct feeder f = {.p = file.p, .n = file.len, .piece = 10000};
	char path[128];
	snprintf(path, sizeof(path), "%s", tmp_path("fifo"));
	assert_int_equal(mkfifo(path, 0600), 0);
	pthread_create(&f.thread, NULL, feed_fifo, &f);
	struct outcome o = read_path(path, &file, NULL);
	pthread_join(f.thread, NULL);
	assert_int_equal(o.err.code, 0);
	assert_string_equal(o.runs, "M2 E3000");
	unlink(path);
	buf_fini(&file);
}

static void *stop_soon(void *arg)
{
	usleep(20000);
	source_stop(arg);
	return NULL;
}

/* A pipe that stays open: what has come is handed over, and waiting for more can be interrupted. */
static void test_slow_pipe(void **state)
{
	static const struct {
		pack_fn *fn;
	} forms[] = {{NULL}, {gzip_member}, {zstd_frame}};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		int p[2], saved = dup(STDIN_FILENO);
		struct buf file, packed;
		struct source *s;
		struct batch b;
		struct err e;
		pthread_t t;

		make_noise(&file, 10);
		if (forms[i].fn)
			pack(&packed, &file, SIZE_MAX / 2, forms[i].fn);
		assert_int_equal(pipe(p), 0);
		dup2(p[0], STDIN_FILENO);
		write_all(p[1], forms[i].fn ? packed.p : file.p,
			  forms[i].fn ? packed.len : file.len);
		batch_init(&b);
		assert_int_equal(source_open(&s, "-", NULL, &e), 0);
		assert_int_equal(source_raw_size(s), 0);
		assert_int_equal(source_read(s, &b, &e), 0);
		assert_int_equal(b.kind, BATCH_META);
		assert_int_equal(source_read(s, &b, &e), 0);
		assert_int_equal(b.nblk, 10);
		assert_false(b.last);
		pthread_create(&t, NULL, stop_soon, s);
		assert_int_equal(source_read(s, &b, &e), 0);
		assert_true(b.last);
		assert_int_equal(b.err.code, ERR_INTERRUPTED);
		pthread_join(t, NULL);
		source_close(s);
		batch_fini(&b);
		dup2(saved, STDIN_FILENO);
		close(saved);
		close(p[0]);
		close(p[1]);
		if (forms[i].fn)
			buf_fini(&packed);
		buf_fini(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_truncated_while_read),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_slow_pipe),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
