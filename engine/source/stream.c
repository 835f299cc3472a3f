#include "source/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/stream_int.h"

/* ---- raw input ------------------------------------------------------------------------------ */

/* Waits until fd can be read. 1 = ready, 0 = timeout, negative = stopped or failed. */
static int raw_wait(struct stream *s, int timeout_ms, struct err *e)
{
	struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
			      {.fd = s->wake_fd, .events = POLLIN}};

	for (;;) {
		int r = poll(p, 2, timeout_ms);

		if (atomic_load_explicit(&s->stop, memory_order_relaxed))
			return stream_fail(s, e, ERR_INTERRUPTED, "reading was interrupted");
		if (r >= 0)
			return p[0].revents ? 1 : 0;
		if (errno != EINTR)
			return err_errno(e, "waiting for input failed");
	}
}

/* One read of up to n bytes: FEED_*. */
static int raw_read(struct stream *s, void *dst, size_t n, int timeout_ms, size_t *got,
		    struct err *e)
{
	*got = 0;
	if (s->in_eof)
		return FEED_EOF;
	if (s->pipe) {
		int r = raw_wait(s, timeout_ms, e);

		if (r <= 0)
			return r ? r : FEED_PAUSE;
	}
	ssize_t r;
	do {
		r = s->seekable ? pread(s->fd, dst, n, (off_t)s->raw_end) : read(s->fd, dst, n);
	} while (r < 0 && errno == EINTR);
	if (r < 0) {
		int code = err_errno(e, "reading failed");

		if (e)
			e->pos = s->out_pos;
		return code;
	}
	if (r == 0) {
		s->in_eof = true;
		return FEED_EOF;
	}
	s->raw_end += (uint64_t)r;
	*got = (size_t)r;
	return FEED_DATA;
}

int stream_feed(struct stream *s, int timeout_ms, struct err *e)
{
	size_t got;

	if (s->in_pos < s->in_len)
		return FEED_DATA;
	size_t n = s->of ? STREAM_PART_IN_BYTES - s->raw_end % STREAM_PART_IN_BYTES : STREAM_IN_BYTES;
	int r = raw_read(s, s->in_buf, n, timeout_ms, &got, e);
	if (r == FEED_DATA) {
		s->in = s->in_buf;
		s->in_pos = 0;
		s->in_len = got;
	}
	return r;
}

int stream_fail(const struct stream *s, struct err *e, int code, const char *msg)
{
	err_set(e, code, s->out_pos, "%s", msg);
	if (e && s->kind != STREAM_PLAIN)
		e->pos_raw = stream_raw_pos(s);
	return code;
}

/* ---- plain ---------------------------------------------------------------------------------- */

static int plain_read(struct stream *s, uint8_t *dst, size_t n, int timeout_ms, size_t *got,
		      struct err *e)
{
	size_t have = MIN(n, s->in_len - s->in_pos), step;
	int r = 0;

	if (have)
		memcpy(dst, s->in + s->in_pos, have);
	s->in_pos += have;
	s->out_pos += have;
	while (have < n && !(s->pipe && have)) {
		r = raw_read(s, dst + have, n - have, timeout_ms, &step, e);
		if (r != FEED_DATA)
			break;
		have += step;
		s->out_pos += step;
	}
	s->at_end = s->in_eof && s->in_pos == s->in_len;
	*got = have;
	return MIN(r, 0);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int new_decoder(struct stream *s)
{
	switch (s->kind) {
	case STREAM_GZIP:
		return gzip_new(&s->gzip);
	case STREAM_ZSTD:
		return zstd_new(&s->zstd);
	default:
		return 0;
	}
}

static int stream_detect(struct stream *s, struct err *e)
{
	/* A pipe may deliver the magic in pieces. */
	while (s->in_len < 4 && !s->in_eof) {
		size_t got;
		int r = raw_read(s, s->in_buf + s->in_len, STREAM_IN_BYTES - s->in_len, -1, &got,
				 e);

		if (r < 0)
			return r;
		s->in_len += got;
	}
	const uint8_t *p = s->in;
	if (s->in_len >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		s->kind = STREAM_GZIP;
	else if (s->in_len >= 4 && (load_u32(p) == 0xFD2FB528 || (load_u32(p) & ~15u) == 0x184D2A50))
		s->kind = STREAM_ZSTD;
	return stream_has_parts(s) ? 0 : new_decoder(s);
}

static int stream_new(struct stream **out)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fd = s->wake_fd = -1;
	err_clear(&s->failed);
	*out = s;
	return 0;
}

static int open_path(struct stream *s, const char *path, struct err *e)
{
	struct stat st;

	s->own_fd = strcmp(path, "-") != 0;
	s->fd = s->own_fd ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return err_errno(e, "can't open file %s", path);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return err_errno(e, "can't open file %s", path);
	}
	s->pipe = !S_ISREG(st.st_mode);
	if (s->pipe) {
		s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->wake_fd < 0)
			return err_errno(e, "can't open file %s: eventfd", path);
		/* Fewer, longer reads; only a wish, so the result does not matter. */
		(void)fcntl(s->fd, F_SETPIPE_SZ, 1 << 20);
	} else {
		off_t at = lseek(s->fd, 0, SEEK_CUR);

		s->seekable = at >= 0;
		s->raw_base = s->raw_end = at > 0 ? (uint64_t)at : 0;
	}
	return 0;
}

int stream_open(struct stream **out, const char *path, struct err *e)
{
	struct stream *s = NULL;
	int r = stream_new(&s);

	if (r)
		return err_set(e, r, ERR_NO_POS, "can't open file %s: out of memory", path);
	r = open_path(s, path, e);
	if (!r) {
		s->in = s->in_buf = malloc(STREAM_IN_BYTES);
		r = s->in_buf ? stream_detect(s, e) : -ENOMEM;
		if (r == -ENOMEM)
			err_set(e, r, ERR_NO_POS, "can't open file %s: out of memory", path);
	}
	if (r) {
		stream_close(s);
		return r;
	}
	*out = s;
	return 0;
}

int stream_open_memory(struct stream **out, const void *p, size_t n, struct err *e)
{
	struct stream *s = NULL;
	int r = stream_new(&s);

	if (!r) {
		s->in = p;
		s->in_len = s->raw_end = n;
		s->in_eof = true;
		r = stream_detect(s, e);
	}
	if (r) {
		stream_close(s);
		return err_set(e, r, ERR_NO_POS, "out of memory");
	}
	*out = s;
	return 0;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	gzip_free(s->gzip);
	zstd_free(s->zstd);
	free(s->in_buf);
	if (s->own_fd && s->fd >= 0)
		close(s->fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	free(s);
}

/* ---- parts ---------------------------------------------------------------------------------- */

bool stream_has_parts(const struct stream *s)
{
	return s->kind != STREAM_PLAIN && !s->pipe;
}

int stream_part_new(struct stream **out, const struct stream *of, size_t step)
{
	struct stream *s = NULL;
	int r = stream_new(&s);

	if (r)
		return r;
	s->of = of;
	s->kind = of->kind;
	s->fd = of->fd;
	s->seekable = true;
	s->step = step;
	if (s->fd >= 0) {
		s->in_buf = malloc(STREAM_PART_IN_BYTES);
		r = s->in_buf ? 0 : -ENOMEM;
	}
	r = r ? r : new_decoder(s);
	if (r) {
		stream_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void stream_part_begin(struct stream *s, uint64_t raw_off)
{
	s->at_end = false;
	err_clear(&s->failed);
	s->out_pos = s->unit_out = 0;
	s->in_pos = s->in_len = 0;
	s->in_eof = false;
	s->raw_end = raw_off;
	if (s->fd < 0) {
		s->in = s->of->in;
		s->in_pos = raw_off;
		s->in_len = s->raw_end = s->of->in_len;
		s->in_eof = true;
	}
	if (s->kind == STREAM_GZIP)
		gzip_begin_part(s->gzip, raw_off == s->of->raw_base);
	else
		zstd_begin_part(s->zstd);
}

bool stream_between(const struct stream *s)
{
	return s->kind == STREAM_GZIP ? gzip_between(s->gzip) : zstd_between(s->zstd);
}

uint64_t stream_mark(const struct stream *s)
{
	return s->mark;
}

size_t stream_peek(const struct stream *s, void *dst, size_t n, uint64_t raw_off)
{
	if (s->fd >= 0)
		return stream_pread(s, dst, n, raw_off);
	n = raw_off < s->in_len ? MIN(n, s->in_len - raw_off) : 0;
	if (n)
		memcpy(dst, s->in + raw_off, n);
	return n;
}

/* ---- use ------------------------------------------------------------------------------------ */

static int decode(struct stream *s, uint8_t *dst, size_t n, int timeout_ms, size_t *got,
		  struct err *e)
{
	switch (s->kind) {
	case STREAM_GZIP:
		return gzip_read(s, dst, n, timeout_ms, got, e);
	case STREAM_ZSTD:
		return zstd_read(s, dst, n, timeout_ms, got, e);
	default:
		return plain_read(s, dst, n, timeout_ms, got, e);
	}
}

int stream_read(struct stream *s, void *dst, size_t n, int timeout_ms, size_t *got, struct err *e)
{
	int r = s->failed.code;

	*got = 0;
	if (!r && atomic_load_explicit(&s->stop, memory_order_relaxed))
		r = stream_fail(s, &s->failed, ERR_INTERRUPTED, "reading was interrupted");
	if (!r)
		r = decode(s, dst, n, timeout_ms, got, &s->failed);
	if (r && *got)
		return 0; /* the data first; the next call reports the failure */
	if (r && e)
		*e = s->failed;
	return r;
}

bool stream_at_end(const struct stream *s)
{
	return s->at_end;
}

bool stream_is_compressed(const struct stream *s)
{
	return s->kind != STREAM_PLAIN;
}

bool stream_is_pipe(const struct stream *s)
{
	return s->pipe;
}

bool stream_is_gzip(const struct stream *s)
{
	return s->kind == STREAM_GZIP;
}

uint64_t stream_raw_base(const struct stream *s)
{
	return s->raw_base;
}

uint64_t stream_out_pos(const struct stream *s)
{
	return s->out_pos;
}

uint64_t stream_raw_pos(const struct stream *s)
{
	return s->raw_end - (s->in_len - s->in_pos);
}

static uint64_t file_size(const struct stream *s)
{
	struct stat st;

	if (s->fd < 0)
		return s->raw_end;
	return !s->pipe && fstat(s->fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

uint64_t stream_raw_size(const struct stream *s)
{
	return file_size(s);
}

uint64_t stream_plain_size(const struct stream *s)
{
	uint64_t size = file_size(s);

	return s->kind == STREAM_PLAIN && size > s->raw_base ? size - s->raw_base : UINT64_MAX;
}

bool stream_can_jump(const struct stream *s)
{
	return s->kind == STREAM_PLAIN && s->seekable;
}

size_t stream_pread(const struct stream *s, void *dst, size_t n, uint64_t raw_off)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = pread(s->fd, (char *)dst + have, n - have, (off_t)(raw_off + have));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		have += (size_t)r;
	}
	return have;
}

void stream_jump(struct stream *s, uint64_t raw_off)
{
	s->in_pos = s->in_len = 0;
	s->in_eof = s->at_end = false;
	s->raw_end = raw_off;
	s->out_pos = raw_off - s->raw_base;
}

void stream_rewind(struct stream *s, uint64_t off)
{
	err_clear(&s->failed);
	stream_jump(s, s->raw_base + off);
}

bool stream_stopped(const struct stream *s)
{
	return atomic_load_explicit(&s->stop, memory_order_relaxed);
}

void stream_stop(struct stream *s)
{
	uint64_t one = 1;

	atomic_store_explicit(&s->stop, true, memory_order_relaxed);
	if (s->wake_fd >= 0 && write(s->wake_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the poll ends anyway */
}
