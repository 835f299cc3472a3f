/* bench_format FILE [FORMAT [EVENTS [OPTIONS]]]: nanoseconds per line for rendering the events of a
 * plain trace, and nothing else: blocks are in memory and decoded per event, threads and
 * descriptors are the fakes of tests/unit/fake_state.h. OPTIONS: letters of c (compat), j (json), A
 * x X b (buffers). */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "fake_fields.h"
#include "fake_state.h"
#include "output/format.h"

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void options(struct render_opts *ro, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case 'c':
			ro->compat029 = true;
			break;
		case 'j':
			ro->json = true;
			break;
		case 'A':
			ro->buffer_mode = BUF_PRINTABLE;
			break;
		case 'x':
			ro->buffer_mode = BUF_HEX;
			break;
		case 'X':
			ro->buffer_mode = BUF_HEXASCII;
			break;
		case 'b':
			ro->buffer_mode = BUF_BASE64;
			break;
		}
	}
}

struct bench {
	const uint8_t *data;
	size_t size;
	const struct format *f;
	struct field_env env;
	struct buf out;
	uint64_t events, bytes;
};

/* One pass over at most max events; the buffer is emptied as often as a batch would be. */
static void pass(struct bench *n, uint64_t max)
{
	struct evctx *c = n->env.c;
	const char *why;
	size_t off = 0;

	n->events = n->bytes = 0;
	while (off + 12 <= n->size && n->events < max) {
		const uint8_t *b = n->data + off;
		uint32_t len = load_u32(b + 4);

		if (len < 12 || len > n->size - off)
			return;
		off += len;
		if (!block_is_event(load_u32(b)) ||
		    event_parse(&c->ev, b, len, EV_CODE_COUNT, &why) != EVENT_OK)
			continue;
		c->num = ++n->events;
		if (n->f)
			format_event(n->f, &n->env, &n->out);
		if (n->out.len > 1 << 20) {
			n->bytes += n->out.len;
			buf_reset(&n->out);
		}
	}
	n->bytes += n->out.len;
	buf_reset(&n->out);
}

static double best_of(struct bench *n, uint64_t max)
{
	double best = 1e30;

	for (int i = 0; i < 7; i++) {
		double t = now_ns();

		pass(n, max);
		t = (now_ns() - t) / (double)(n->events ? n->events : 1);
		best = t < best ? t : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	static struct evctx c;
	static struct batch batch;
	struct render_opts ro = {0};
	struct bench n = {.env = {.c = &c, .ro = &ro}};
	struct format *f = NULL;
	struct stat st;
	struct err e;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "usage: bench_format FILE [FORMAT [EVENTS [OPTIONS]]]\n");
		return 1;
	}
	if (format_parse(&f, argc > 2 && *argv[2] ? argv[2] : FORMAT_DEFAULT, &e) < 0) {
		fprintf(stderr, "bench_format: %s\n", e.msg);
		return 1;
	}
	uint64_t max = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;

	options(&ro, argc > 4 ? argv[4] : "");
	n.size = (size_t)st.st_size;
	n.data = mmap(NULL, n.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (n.data == MAP_FAILED)
		return 1;
	fake_state_init();
	c.b = &batch;
	double decode = best_of(&n, max);

	n.f = f;
	double both = best_of(&n, max);

	printf("%" PRIu64 " events, %.1f bytes per line: %.1f ns decode, %.1f ns render\n",
	       n.events, (double)n.bytes / (double)n.events, decode, both - decode);
	format_free(f);
	fake_state_fini();
	buf_fini(&n.out);
	return 0;
}
