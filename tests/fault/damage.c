/* Damaged traces, in process (so that it is quick under the sanitizers): the trace is cut at every
 * STRIDE-th byte, or one byte is flipped at every STRIDE-th place, and printed in full with two
 * workers. Each run must end with normal output or an error that names an offset; peak memory must
 * stay near that of the whole trace. A run that takes longer than 20 s is a hang (SIGALRM ends the
 * process).
 *
 * usage: damage TRACE cut|flip STRIDE   (TRACE as stored: compressed files are damaged compressed) */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/pipeline.h"

static struct demand demand;
static struct render_opts ro = {.time_type = 'h'};
static struct format *format;
static struct sink sink;
static struct writer *writer; /* to /dev/null, all metadata encoded anew */

static int run(const char *path, struct pipeline_stats *st, struct err *e)
{
	struct pipeline_opts o = {
		.workers = 2,
		.source = {.batch_bytes = 16384},
		.demand = &demand,
		.ro = &ro,
		.format = format,
		.sink = &sink,
		.writer = writer,
	};

	memset(st, 0, sizeof(*st));
	err_clear(e);
	alarm(20);
	int rc = pipeline_run(path, &o, st, e);
	alarm(0);
	return rc;
}

static int write_all(int fd, const unsigned char *p, size_t n)
{
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	while (n) {
		ssize_t k = write(fd, p, n);
		if (k <= 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static long peak_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

int main(int argc, char **argv)
{
	struct pipeline_stats st;
	struct stat sb;
	struct err e;
	char path[64];
	unsigned long runs = 0, clean = 0, errors = 0, bad = 0;

	if (argc != 4)
		return 2;
	int in = open(argv[1], O_RDONLY);
	size_t stride = strtoul(argv[3], NULL, 10);
	bool cut = !strcmp(argv[2], "cut");
	if (in < 0 || fstat(in, &sb) < 0 || !stride)
		return 2;
	size_t n = (size_t)sb.st_size;
	unsigned char *data = malloc(n);
	if (!data || read(in, data, n) != (ssize_t)n)
		return 2;
	demand_init(&demand, false);
	if (format_parse(&format, FORMAT_DEFAULT, &e) < 0)
		return 2;
	demand_add(&demand, format_demand(format));
	sink_init(&sink, open("/dev/null", O_WRONLY), false);
	struct writer_opts wo = {.compat029 = true, .workers = 2};
	if (writer_new(&writer, "/dev/null", &wo) < 0)
		return 2;
	int fd = memfd_create("damaged", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write_all(fd, data, n) < 0 || run(path, &st, &e) < 0) {
		fprintf(stderr, "the whole trace fails: %s\n", e.msg);
		return 1;
	}
	long whole_kb = peak_kb();
	for (size_t at = cut ? 0 : stride; at < n; at += stride) {
		unsigned char keep = data[at];

		data[at] ^= 0xff;
		int wrc = write_all(fd, data, cut ? at : n);
		data[at] = keep;
		if (wrc < 0)
			return 2;
		int rc = run(path, &st, &e);
		runs++;
		if (rc == 0) {
			clean++;
		} else {
			errors++;
			if (!e.msg[0] || e.pos == ERR_NO_POS) {
				bad++;
				fprintf(stderr, "%s at %zu: error without text or offset: '%s'\n", argv[2], at,
					e.msg);
			}
		}
	}
	long grown_kb = peak_kb() - whole_kb;
	printf("%lu runs: %lu ended normally, %lu with an error and its offset, %lu wrong; peak memory +%ld kB\n",
	       runs, clean, errors - bad, bad, grown_kb);
	format_free(format);
	sink_fini(&sink);
	writer_free(writer);
	free(data);
	return bad || grown_kb > 256 * 1024;
}
