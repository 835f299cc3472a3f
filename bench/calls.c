/* Cost of a system call, as a program sees it: the fastest of many short runs, so that what else the
 * machine does matters little. Run it alone, under a capture, under strace.
 *
 * usage: calls getpid|read|open|write [SECONDS]      prints "NAME: N.N ns per call" */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RUN = 2000 };

static int zero_fd, null_fd;

static void run_getpid(void)
{
	for (int i = 0; i < RUN; i++)
		syscall(SYS_getpid);
}

static void run_read(void)
{
	char c;

	for (int i = 0; i < RUN; i++)
		if (read(zero_fd, &c, 1) != 1)
			abort();
}

static void run_write(void)
{
	static const char text[64] = "a line of text, as long as lines are";

	for (int i = 0; i < RUN; i++)
		if (write(null_fd, text, sizeof(text)) < 0)
			abort();
}

static void run_open(void)
{
	for (int i = 0; i < RUN; i += 2)
		close(open("/dev/null", O_RDONLY));
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {{"getpid", run_getpid}, {"read", run_read}, {"write", run_write}, {"open", run_open}};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	uint64_t best = UINT64_MAX, end;

	zero_fd = open("/dev/zero", O_RDONLY);
	null_fd = open("/dev/null", O_WRONLY);
	for (unsigned k = 0; argc > 1 && k < sizeof(kinds) / sizeof(*kinds); k++) {
		if (strcmp(argv[1], kinds[k].name))
			continue;
		end = now_ns() + (uint64_t)(seconds * 1e9);
		while (now_ns() < end) {
			uint64_t t = now_ns();

			kinds[k].run();
			t = now_ns() - t;
			best = t < best ? t : best;
		}
		printf("%s: %.1f ns per call\n", argv[1], (double)best / RUN);
		return 0;
	}
	fprintf(stderr, "usage: calls getpid|read|write|open [SECONDS]\n");
	return 2;
}
