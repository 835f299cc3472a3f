/* Captures one command and its children into a trace file: live capture without the rest of the
 * engine.
 *
 * usage: capture_cmd [-cmv] [-a auto|btf|raw] [-b BTF] [-o ONLINE] [-r RING_KB] [-s SNAPLEN] FILE CMD [ARG...]
 *
 *     -c  only events that sysdig 0.29.3 knows
 *     -a  how to attach
 *     -b  file with the types of the kernel
 *     -o  file to read instead of the kernel's list of the cpus online
 *     -m  print "runs N ns N", the time in the kernel programs
 *
 * Prints "sent N dropped N bytes N fill N of N" and, per type that lost events (-v: per type),
 * "type TYPE sent N dropped N", to standard error. Exit code: that of the command, 125 if the
 * capture failed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live/live.h"

static struct live *capture;
static bool verbose;

static void on_signal(int sig)
{
	live_stop(capture);
}

static int fail(const struct err *e)
{
	fprintf(stderr, "capture_cmd: %s\n", e->msg);
	return 125;
}

/* The blocks of b. */
static bool put(FILE *out, const struct batch *b)
{
	for (uint32_t i = 0; i < b->nblk; i++) {
		const uint8_t *p = b->data + b->blk[i];
		uint32_t n = load_u32(p + 4);

		if (fwrite(p, 1, n, out) != n)
			return false;
	}
	return true;
}

static int copy(FILE *out, struct err *e)
{
	struct batch b;
	int rc;

	batch_init(&b);
	do {
		rc = live_read(capture, &b, e);
		rc = rc ? rc : live_order(capture, &b);
		if (!rc && !put(out, &b))
			rc = err_errno(e, "can't write");
		if (!rc)
			live_release(capture, &b);
	} while (!rc && !b.last);
	batch_fini(&b);
	return rc;
}

static void report(void)
{
	struct live_stats s;
	uint64_t sent, dropped;

	live_stats(capture, &s);
	if (verbose)
		fprintf(stderr, "attached %s\n", s.attached);
	fprintf(stderr, "sent %llu dropped %llu bytes %llu fill %zu of %zu\n",
		(unsigned long long)s.sent, (unsigned long long)s.dropped,
		(unsigned long long)s.bytes, s.most_fill, s.ring_bytes);
	if (s.program_runs)
		fprintf(stderr, "runs %llu ns %llu\n", (unsigned long long)s.program_runs,
			(unsigned long long)s.program_ns);
	for (unsigned cpu = 0; verbose && live_cpu_stats(capture, cpu, &sent, &dropped); cpu++)
		fprintf(stderr, "cpu %u sent %llu dropped %llu\n", cpu, (unsigned long long)sent,
			(unsigned long long)dropped);
	for (unsigned t = 0; t < EV_CODE_COUNT; t++) {
		live_type_stats(capture, t, &sent, &dropped);
		if (dropped || (verbose && sent))
			fprintf(stderr, "type %s sent %llu dropped %llu\n",
				event_table[t].enum_name, (unsigned long long)sent,
				(unsigned long long)dropped);
	}
}

int main(int argc, char **argv)
{
	struct live_opts o = {0};
	struct err e = {0};
	int opt, rc, status;
	FILE *out;

	while ((opt = getopt(argc, argv, "+a:b:cmo:vr:s:")) != -1) {
		if (opt == 'a')
			o.attach = *optarg == 'b'   ? PROBE_BTF
				   : *optarg == 'r' ? PROBE_RAW
						    : PROBE_AUTO;
		else if (opt == 'b')
			o.btf = optarg;
		else if (opt == 'c')
			o.compat_029 = true;
		else if (opt == 'm')
			o.measure = true;
		else if (opt == 'o')
			o.online = optarg;
		else if (opt == 'v')
			verbose = true;
		else if (opt == 'r')
			o.ring_bytes = strtoul(optarg, NULL, 10) << 10;
		else if (opt == 's')
			o.snaplen = (uint32_t)strtoul(optarg, NULL, 10);
		else
			return 125;
	}
	if (argc - optind < 2)
		return 125;
	out = fopen(argv[optind], "we");
	o.argv = argv + optind + 1;
	if (!out || live_open(&capture, &o, &e))
		return out ? fail(&e) : (perror(argv[optind]), 125);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	rc = copy(out, &e);
	if (!rc && fclose(out))
		rc = err_errno(&e, "can't write %s", argv[optind]);
	report();
	status = live_command_status(capture);
	live_close(capture);
	if (rc)
		return fail(&e);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
