#include "cli/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/session.h"

/* The ordered run is the yardstick; the others share the events out in different ways, each always in the same one
 * (pipeline_opts.spread): what is found does not depend on who happened to have time. */
static const struct check_run {
	const char *what;
	bool ordered;
	unsigned workers;
	uint32_t batch_events;
} runs[] = {
	{"in order, one state", true, 1, 0},
	{"1 worker", false, 1, 0},
	{"2 workers, 1000 events a batch", false, 2, 1000},
	{"3 workers, 100 events a batch", false, 3, 100},
	{"8 workers, 7 events a batch", false, 8, 7},
	{"5 workers, 1 event a batch", false, 5, 1},
};

struct check_text {
	char *p;
	size_t len;
	int code;
};

static const char *mode_name(enum chisel_mode m)
{
	switch (m) {
	case CHISEL_PARALLEL: return "in parallel";
	case CHISEL_PER_EVENT: return "in parallel, event by event";
	default: return "in order";
	}
}

static int read_back(int fd, struct check_text *t)
{
	off_t n = lseek(fd, 0, SEEK_END);
	size_t got = 0;

	t->len = n > 0 ? (size_t)n : 0;
	t->p = malloc(t->len + 1);
	if (!t->p)
		return -1;
	while (got < t->len) {
		ssize_t r = pread(fd, t->p + got, t->len - got, (off_t)got);
		if (r <= 0)
			return -1;
		got += (size_t)r;
	}
	t->p[t->len] = 0;
	return 0;
}

static int run_once(const struct cli_options *base, const struct check_run *r, struct check_text *t,
		    enum chisel_mode *mode)
{
	static struct cli_options o;
	static struct session s;
	struct err e;
	int rc = -1, fd = memfd_create("burin-check", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	o = *base;
	o.force_ordered = r->ordered;
	o.spread = true;
	o.workers = r->workers;
	o.batch_events = r->batch_events;
	o.out_fd = fd;
	err_clear(&e);
	if (session_init(&s, &o, &e) < 0) {
		if (e.msg[0])
			report_error(NULL, &e);
	} else {
		t->code = session_run(&s);
		*mode = chisels_count(s.chisels) ? chisel_mode_of(s.chisels, 0) : CHISEL_ORDERED;
		rc = read_back(fd, t);
	}
	session_fini(&s);
	close(fd);
	return rc;
}

static void print_line(const char *who, const char *from, const char *end)
{
	const char *nl = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;

	if (from >= end)
		printf("  %-30s (nothing)\n", who);
	else
		printf("  %-30s %.*s\n", who, (int)MIN((nl ? nl : end) - from, 200), from);
}

/* The first line in which they differ. */
static void print_difference(const struct check_run *r, const struct check_text *want,
			     const struct check_text *got)
{
	size_t i = 0, line = 0, n = 1;

	for (; i < want->len && i < got->len && want->p[i] == got->p[i]; i++) {
		if (want->p[i] == '\n') {
			line = i + 1;
			n++;
		}
	}
	printf("differs: %s, line %zu\n", r->what, n);
	print_line(runs[0].what, want->p + line, want->p + want->len);
	print_line(r->what, got->p + line, got->p + got->len);
}

int check_chisel(const struct cli_options *o)
{
	struct check_text want = {0}, got = {0};
	enum chisel_mode mode, ordered;
	int code = 0;

	if (!o->nfiles) {
		fprintf(stderr, "burin: --check-chisel needs a trace: name one with -r FILE\n");
		return 1;
	}
	if (run_once(o, &runs[0], &want, &ordered) < 0)
		return 1;
	for (unsigned i = 1; i < ARRAY_SIZE(runs); i++) {
		if (run_once(o, &runs[i], &got, &mode) < 0) {
			code = 1;
			break;
		}
		if (got.code != want.code || got.len != want.len || memcmp(got.p, want.p, got.len)) {
			print_difference(&runs[i], &want, &got);
			code = 1;
		}
		free(got.p);
		got.p = NULL;
	}
	if (!code)
		printf("%s runs %s; %zu runs agree, %zu bytes of output\n", o->chisel_info, mode_name(mode),
		       ARRAY_SIZE(runs), want.len);
	else
		printf("%s does not give the same result for every number of workers\n", o->chisel_info);
	free(got.p);
	free(want.p);
	return code;
}
