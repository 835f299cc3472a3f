#include "output/sink.h"

#include <errno.h>
#include <unistd.h>

void sink_init(struct sink *s, int fd, bool by_line)
{
	*s = (struct sink){.fd = fd, .by_line = by_line};
}

void sink_fini(struct sink *s)
{
	s->fd = -1;
}

static int sink_interrupted(struct err *e)
{
	return err_set(e, ERR_INTERRUPTED, ERR_NO_POS, "output interrupted");
}

/* *signals: how many have come during this buffer. */
static int sink_put(struct sink *s, const char *p, size_t n, unsigned *signals, struct err *e)
{
	while (n) {
		ssize_t k = write(s->fd, p, n);

		if (k >= 0) {
			p += k;
			n -= (size_t)k;
			s->bytes += (uint64_t)k;
		} else if (errno == EPIPE) {
			s->closed = true;
			return sink_interrupted(e);
		} else if (errno != EINTR) {
			return err_errno(e, "can't write the output");
		} else if (++*signals > 1) {
			return sink_interrupted(e);
		}
	}
	return 0;
}

int sink_write(struct sink *s, const struct buf *b, struct err *e)
{
	const char *p = b->p, *end = b->p + b->len;
	unsigned signals = 0;
	int rc = 0;

	if (!b->len)
		return 0;
	if (s->closed)
		return sink_interrupted(e);
	while (p < end && rc == 0) {
		const char *nl = s->by_line ? memchr(p, '\n', (size_t)(end - p)) : NULL;
		const char *to = nl ? nl + 1 : end;

		rc = sink_put(s, p, (size_t)(to - p), &signals, e);
		p = to;
	}
	return rc == 0 && signals ? sink_interrupted(e) : rc;
}
