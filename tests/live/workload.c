/* Performs a known script of system calls and says what a capture of it must show.
 *
 * usage:
 *     workload exact DIR LOG THREADS ROUNDS  every kind of call, see round_* below
 *     workload 32 DIR LOG THREADS ROUNDS     as a 32-bit program makes them; exit code 4: not here
 *     workload hop DIR THREADS ROUNDS        opens, writes, closes; another cpu after each call
 *     workload numbers LOG                   every system call number once, with arguments that are
 * all -1 workload count CALLS THREADS           getuid only, as fast as possible workload pace RATE
 * SECONDS THREADS     getuid at RATE calls per second in all workload leaf CODE what "exact"
 * executes: ends with CODE
 *
 * exact, 32: LOG gets one line per scripted call, in order per thread, tab separated:
 *     TID TYPE RESULT FD_NAME KEY=VALUE...
 * TYPE and keys as sysdig names them; FD_NAME "-" = not checked. Odd threads are pinned.
 * hop: every file's content is its own path, so that each write event can be checked by itself.
 * numbers: LOG gets "TID NUMBER RESULT" per call.
 * count, pace: print "performed N". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *dir, *self;
static int rounds, nthreads, ncpus;
static FILE *log_file;

struct thread {
	pthread_t handle;
	int id, tid;
	char *text; /* what this thread logged */
	size_t len;
	FILE *log;
	uint64_t done;
};

static int gettid_now(void)
{
	return (int)syscall(SYS_gettid);
}

static void die(const char *what)
{
	perror(what);
	_exit(3);
}

/* One scripted call. Into memory only: no call of its own. */
static void note(struct thread *t, const char *type, long res, const char *fd, const char *fmt, ...)
{
	va_list ap;

	fprintf(t->log, "%d\t%s\t%ld\t%s", t->tid, type, res < 0 ? -(long)errno : res, fd);
	if (*fmt)
		fputc('\t', t->log);
	va_start(ap, fmt);
	vfprintf(t->log, fmt, ap);
	va_end(ap);
	fputc('\n', t->log);
}

/* ---- files --------------------------------------------------------------------------------------
 */

static void round_files(struct thread *t, int i)
{
	char a[256], b[256], text[1024];
	int size = 1 + (t->id * 131 + i * 17) % 900, fd, two, r;

	snprintf(a, sizeof(a), "%s/t%d-r%d", dir, t->id, i);
	snprintf(b, sizeof(b), "%s/moved-t%d-r%d", dir, t->id, i);
	memset(text, 'a' + t->id % 26, sizeof(text));
	fd = open(a, O_CREAT | O_RDWR | O_TRUNC, 0640);
	note(t, "openat", fd, a, "name=%s\tflags=263\tmode=0640", a);
	r = (int)write(fd, text, (size_t)size);
	note(t, "write", r, a, "size=%d", size);
	r = (int)lseek(fd, 0, SEEK_SET);
	note(t, "lseek", r, a, "offset=0");
	r = (int)read(fd, text, (size_t)size);
	note(t, "read", r, a, "size=%d", size);
	r = (int)pread(fd, text, 5, 3);
	note(t, "pread", r, a, "pos=3");
	two = dup(fd);
	note(t, "dup", two, a, "%s", "");
	r = (int)write(two, text, 7);
	note(t, "write", r, a, "size=7");
	r = close(fd);
	note(t, "close", r, a, "%s", "");
	r = close(two);
	note(t, "close", r, a, "%s", "");
	r = rename(a, b);
	note(t, "rename", r, "-", "oldpath=%s\tnewpath=%s", a, b);
	r = chmod(b, 0600);
	note(t, "chmod", r, "-", "filename=%s", b);
	r = unlink(b);
	note(t, "unlink", r, "-", "path=%s", b);
	fd = open(b, O_RDONLY);
	note(t, "openat", fd, "-", "name=%s\tflags=1", b);
	r = (int)read(999, text, 1);
	note(t, "read", r, "-", "size=1");
	r = mkdir(a, 0700);
	note(t, "mkdir", r, "-", "path=%s", a);
	r = rmdir(a);
	note(t, "rmdir", r, "-", "path=%s", a);
}

/* ---- pipes and sockets
 * --------------------------------------------------------------------------- */

static void round_pipe(struct thread *t, int i)
{
	int p[2], s[2], r;
	char text[64];

	r = pipe(p);
	note(t, "pipe", r, "-", "fd1=%d\tfd2=%d", p[0], p[1]);
	r = (int)write(p[1], "through a pipe", 14);
	note(t, "write", r, "", "size=14");
	r = (int)read(p[0], text, sizeof(text));
	note(t, "read", r, "", "data=through a pipe");
	close(p[0]);
	note(t, "close", 0, "", "%s", "");
	close(p[1]);
	note(t, "close", 0, "", "%s", "");
	r = socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	note(t, "socketpair", r, "-", "domain=1\tfd1=%d\tfd2=%d", s[0], s[1]);
	r = (int)send(s[0], "pair", 4, 0);
	note(t, "sendto", r, "-", "size=4\tdata=pair");
	r = (int)recv(s[1], text, sizeof(text), 0);
	note(t, "recvfrom", r, "-", "data=pair");
	close(s[0]);
	note(t, "close", 0, "-", "%s", "");
	close(s[1]);
	note(t, "close", 0, "-", "%s", "");
}

struct any_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
	socklen_t len;
	char text[160]; /* as events show it */
};

static void addr_text(struct any_addr *a)
{
	char ip[INET6_ADDRSTRLEN];

	if (a->u.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->u.in.sin_addr, ip, sizeof(ip));
		snprintf(a->text, sizeof(a->text), "%s:%u", ip, ntohs(a->u.in.sin_port));
	} else if (a->u.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->u.in6.sin6_addr, ip, sizeof(ip));
		snprintf(a->text, sizeof(a->text), "%s:%u", ip, ntohs(a->u.in6.sin6_port));
	} else {
		snprintf(a->text, sizeof(a->text), "%s", a->u.un.sun_path);
	}
}

static void addr_make(struct any_addr *a, int family, const struct thread *t, int i)
{
	memset(a, 0, sizeof(*a));
	a->u.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		a->u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a->len = sizeof(a->u.in);
	} else if (family == AF_INET6) {
		a->u.in6.sin6_addr = in6addr_loopback;
		a->len = sizeof(a->u.in6);
	} else {
		snprintf(a->u.un.sun_path, sizeof(a->u.un.sun_path), "%s/s%d-%d", dir, t->id, i);
		a->len = sizeof(a->u.un);
	}
}

static void name_of(int fd, struct any_addr *a)
{
	a->len = sizeof(a->u);
	getsockname(fd, &a->u.sa, &a->len);
	addr_text(a);
}

/* A stream over the family: connect, accept, some bytes both ways, a refused connection. */
static void round_stream(struct thread *t, int family, int i)
{
	struct any_addr at, from;
	int srv = socket(family, SOCK_STREAM, 0), cl, ac, r;
	char tuple[400], text[64];

	if (srv < 0 && errno == EAFNOSUPPORT)
		return;
	note(t, "socket", srv, "", "domain=%d\ttype=1", family);
	addr_make(&at, family, t, i);
	if (bind(srv, &at.u.sa, at.len))
		die("bind");
	addr_text(&at);
	note(t, "bind", 0, family == AF_UNIX ? at.text : "-", "addr=%s", at.text);
	name_of(srv, &at);
	r = listen(srv, 7);
	note(t, "listen", r, "-", "backlog=7");
	cl = socket(family, SOCK_STREAM, 0);
	note(t, "socket", cl, "", "domain=%d", family);
	r = connect(cl, &at.u.sa, family == AF_UNIX ? sizeof(at.u.un) : at.len);
	name_of(cl, &from);
	snprintf(tuple, sizeof(tuple), "%s->%s", from.text, at.text);
	note(t, "connect", r, family == AF_UNIX ? "*" : tuple,
	     family == AF_UNIX ? "addr=%s" : "addr=%s\ttuple=%s", at.text, tuple);
	ac = accept(srv, NULL, NULL);
	note(t, "accept", ac, family == AF_UNIX ? "*" : tuple, "queuemax=7");
	r = (int)send(cl, "question", 8, 0);
	note(t, "sendto", r, family == AF_UNIX ? "*" : tuple, "size=8\tdata=question");
	r = (int)recv(ac, text, sizeof(text), 0);
	note(t, "recvfrom", r, family == AF_UNIX ? "*" : tuple, "data=question");
	r = (int)write(ac, "answer", 6);
	note(t, "write", r, family == AF_UNIX ? "*" : tuple, "size=6\tdata=answer");
	r = (int)read(cl, text, sizeof(text));
	note(t, "read", r, family == AF_UNIX ? "*" : tuple, "data=answer");
	r = shutdown(cl, SHUT_WR);
	note(t, "shutdown", r, family == AF_UNIX ? "*" : tuple, "how=1");
	close(ac);
	note(t, "close", 0, family == AF_UNIX ? "*" : tuple, "%s", "");
	close(cl);
	note(t, "close", 0, family == AF_UNIX ? "*" : tuple, "%s", "");
	close(srv);
	note(t, "close", 0, "-", "%s", "");
	if (family == AF_UNIX) {
		r = unlink(at.text);
		note(t, "unlink", r, "-", "path=%s", at.text);
	}
	cl = socket(family, SOCK_STREAM, 0);
	note(t, "socket", cl, "", "domain=%d", family);
	r = connect(cl, &at.u.sa, family == AF_UNIX ? sizeof(at.u.un) : at.len);
	note(t, "connect", r, "-", "addr=%s", at.text);
	close(cl);
	note(t, "close", 0, "-", "%s", "");
}

/* Datagrams: to an address, to the connected peer, as a message of two parts. */
static void round_dgram(struct thread *t, int family, int i)
{
	struct any_addr at, from;
	int srv = socket(family, SOCK_DGRAM, 0), cl, r;
	struct iovec v[2] = {{"two ", 4}, {"parts", 5}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	char text[64];

	if (srv < 0)
		return;
	note(t, "socket", srv, "", "domain=%d\ttype=2", family);
	addr_make(&at, family, t, i);
	if (bind(srv, &at.u.sa, at.len))
		die("bind");
	addr_text(&at);
	note(t, "bind", 0, "-", "addr=%s", at.text);
	name_of(srv, &at);
	cl = socket(family, SOCK_DGRAM, 0);
	note(t, "socket", cl, "", "domain=%d", family);
	r = (int)sendto(cl, "datagram", 8, 0, &at.u.sa, at.len);
	note(t, "sendto", r, "-", "size=8\tdata=datagram");
	from.len = sizeof(from.u);
	r = (int)recvfrom(srv, text, sizeof(text), 0, &from.u.sa, &from.len);
	note(t, "recvfrom", r, "-", "data=datagram");
	r = connect(cl, &at.u.sa, at.len);
	note(t, "connect", r, "-", "addr=%s", at.text);
	r = (int)sendmsg(cl, &m, 0);
	note(t, "sendmsg", r, "-", "size=9\tdata=two parts");
	v[0] = (struct iovec){text, 3};
	v[1] = (struct iovec){text + 3, 20};
	r = (int)recvmsg(srv, &m, 0);
	note(t, "recvmsg", r, "-", "size=9\tdata=two parts");
	close(cl);
	note(t, "close", 0, "-", "%s", "");
	close(srv);
	note(t, "close", 0, "-", "%s", "");
}

/* ---- calls of 32-bit programs
 * --------------------------------------------------------------------------- */

#if defined(__x86_64__)
static long call_32(int nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(0), "D"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}

/* Other numbers, other registers, arguments below 4 GiB. */
static void round_32(struct thread *t, int i)
{
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		       -1, 0);
	uint32_t *args = (uint32_t *)(m + 1024);
	char *path = m, *text = m + 512;
	int fd, r;

	if (m == MAP_FAILED || call_32(20, 0, 0, 0) != getpid()) {
		fputs("no 32-bit calls here\n", stderr);
		_exit(4);
	}
	note(t, "getpid", 0, "-", "%s", "");
	note(t, "getpid", 0, "-", "%s", "");
	snprintf(path, 512, "%s/b32-t%d-r%d", dir, t->id, i);
	strcpy(text, "short pointers");
	fd = (int)call_32(5, (long)path, O_CREAT | O_RDWR, 0600);
	note(t, "open", fd, path, "name=%s\tflags=7\tmode=0600", path);
	r = (int)call_32(4, fd, (long)text, 14);
	note(t, "write", r, path, "size=14\tdata=short pointers");
	args[0] = (uint32_t)(uintptr_t)text;
	args[1] = 14;
	call_32(146, fd, (long)args, 1);
	note(t, "writev", 0, "-", "%s", "");
	r = (int)call_32(6, fd, 0, 0);
	note(t, "close", r, path, "%s", "");
	args[0] = AF_UNIX;
	args[1] = SOCK_DGRAM;
	args[2] = 0;
	fd = (int)call_32(102, 1, (long)args, 0);
	note(t, "socket", fd, "", "domain=1\ttype=2");
	close(fd);
	note(t, "close", 0, "-", "%s", "");
	r = (int)call_32(195, (long)path, (long)(m + 2048), 0);
	note(t, "stat64", r, "-", "path=%s", path);
	r = (int)call_32(10, (long)path, 0, 0);
	note(t, "unlink", r, "-", "path=%s", path);
	munmap(m, 4096);
}

static void *thread_32(void *arg)
{
	struct thread *t = arg;

	t->tid = gettid_now();
	t->log = open_memstream(&t->text, &t->len);
	for (int i = 0; i < rounds; i++)
		round_32(t, i);
	fclose(t->log);
	return NULL;
}
#else
static void *thread_32(void *arg)
{
	fputs("no 32-bit calls here\n", stderr);
	_exit(4);
}
#endif

/* ---- processes and signals
 * ------------------------------------------------------------------------- */

static void round_process(struct thread *t, int i)
{
	char arg[64];
	int status = 0, code = (t->id * 7 + i) % 100;
	pid_t pid;

	snprintf(arg, sizeof(arg), "%d", code);
	pid = fork();
	if (pid == 0) {
		if (i % 2)
			execl(self, self, "leaf", arg, "and more", (char *)NULL);
		_exit(code);
	}
	note(t, "clone", pid, "-", "%s", "");
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != code)
		die("child");
	/* the child's own events: seen under its id */
	fprintf(t->log, "%d\tprocexit\t0\t-\tret=%d\n", pid, code);
	if (i % 2)
		fprintf(t->log, "%d\texecve\t0\t-\texe=%s\targs=leaf.%s.and more.\tcomm=%.15s\n",
			pid, self, arg, strrchr(self, '/') + 1);
}

static void on_signal(int sig) {}

static void round_signal(struct thread *t, int i)
{
	int r = (int)syscall(SYS_tgkill, getpid(), t->tid, SIGUSR1);

	note(t, "tgkill", r, "-", "tid=%d\tsig=10", t->tid);
	fprintf(t->log, "%d\tsignaldeliver\t0\t-\tspid=%d\tsig=10\n", t->tid, getpid());
	r = kill(1 << 28, SIGUSR1);
	note(t, "kill", r, "-", "pid=%d\tsig=10", 1 << 28);
}

/* ---- modes
 * ------------------------------------------------------------------------------------------ */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % ncpus, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *exact_thread(void *arg)
{
	struct thread *t = arg;

	t->tid = gettid_now();
	t->log = open_memstream(&t->text, &t->len);
	if (t->id % 2)
		pin(t->id / 2);
	for (int i = 0; i < rounds; i++) {
		round_files(t, i);
		round_pipe(t, i);
		round_stream(t, AF_INET, i);
		round_stream(t, AF_INET6, i);
		round_stream(t, AF_UNIX, i);
		round_dgram(t, AF_INET, i);
		round_dgram(t, AF_INET6, i);
		if (i % 4 == 0)
			round_signal(t, i);
		if (i % 8 < 2)
			round_process(t, i);
	}
	fclose(t->log);
	return NULL;
}

static void *hop_thread(void *arg)
{
	struct thread *t = arg;
	char path[2][256];
	int fd[2], cpu = t->id;

	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 2; k++) {
			snprintf(path[k], sizeof(path[k]), "%s/h%d-%d-%d", dir, t->id, i % 512, k);
			fd[k] = open(path[k], O_CREAT | O_WRONLY, 0600);
			pin(cpu++);
		}
		for (int k = 0; k < 2; k++) {
			if (write(fd[k], path[k], strlen(path[k])) < 0)
				die("write");
			pin(cpu++);
		}
		close(fd[0]);
		pin(cpu++);
		if (write(fd[1], path[1], strlen(path[1])) < 0)
			die("write");
		close(fd[1]);
	}
	return NULL;
}

static void *count_thread(void *arg)
{
	struct thread *t = arg;

	for (int i = 0; i < rounds; i++, t->done++)
		syscall(SYS_getuid);
	return NULL;
}

/* What would end or stop the process, make another one, or reach beyond it. */
static bool harmful(long nr)
{
	static const short list[] = {
#ifdef SYS_fork
		SYS_fork, SYS_vfork,	  SYS_pause,
#endif
		SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_vhangup, SYS_sync, 335,
		336, /* uretprobe, uprobe */
		511, /* the table's place for what has no name */
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (list[i] == nr)
			return true;
	return false;
}

static void make_numbers(void)
{
	enum { LAST = 512 };
	static long res[LAST];

	for (long nr = 0; nr < LAST; nr++) {
		if (harmful(nr))
			continue;
		res[nr] = syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L);
		if (res[nr] == -1)
			res[nr] = -errno;
	}
	for (long nr = 0; nr < LAST; nr++)
		if (!harmful(nr))
			fprintf(log_file, "%d\t%ld\t%ld\n", gettid_now(), nr, res[nr]);
}

static long pace_rate; /* calls per second and thread */
static double pace_seconds;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* In bursts of a millisecond. */
static void *pace_thread(void *arg)
{
	struct thread *t = arg;
	double begin = now();

	for (;;) {
		double past = now() - begin;
		uint64_t due = (uint64_t)(past * (double)pace_rate);

		if (past >= pace_seconds)
			return NULL;
		for (; t->done < due; t->done++)
			syscall(SYS_getuid);
		usleep(1000);
	}
}

static uint64_t run_threads(void *(*fn)(void *))
{
	struct thread *t = calloc((size_t)nthreads, sizeof(*t));
	uint64_t sum = 0;

	for (int i = 0; i < nthreads; i++) {
		t[i].id = i;
		if (pthread_create(&t[i].handle, NULL, fn, &t[i]))
			die("pthread_create");
	}
	for (int i = 0; i < nthreads; i++) {
		pthread_join(t[i].handle, NULL);
		sum += t[i].done;
		if (t[i].text)
			fwrite(t[i].text, 1, t[i].len, log_file);
		free(t[i].text);
	}
	free(t);
	return sum;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	self = "/proc/self/exe";
	ncpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	signal(SIGUSR1, on_signal);
	if (!strcmp(mode, "leaf"))
		return atoi(argv[2]);
	if ((!strcmp(mode, "exact") || !strcmp(mode, "32")) && argc == 6) {
		dir = argv[2];
		log_file = fopen(argv[3], "we");
		nthreads = atoi(argv[4]);
		rounds = atoi(argv[5]);
		self = realpath("/proc/self/exe", NULL);
		run_threads(mode[0] == '3' ? thread_32 : exact_thread);
		return fclose(log_file) != 0;
	}
	if (!strcmp(mode, "numbers") && argc == 3) {
		log_file = fopen(argv[2], "we");
		make_numbers();
		return fclose(log_file) != 0;
	}
	if (!strcmp(mode, "hop") && argc == 5) {
		dir = argv[2];
		nthreads = atoi(argv[3]);
		rounds = atoi(argv[4]);
		run_threads(hop_thread);
		return 0;
	}
	if (!strcmp(mode, "count") && argc == 4) {
		nthreads = atoi(argv[3]);
		rounds = atoi(argv[2]) / nthreads;
		printf("performed %llu\n", (unsigned long long)run_threads(count_thread));
		return 0;
	}
	if (!strcmp(mode, "pace") && argc == 5) {
		nthreads = atoi(argv[4]);
		pace_rate = atol(argv[2]) / nthreads;
		pace_seconds = atof(argv[3]);
		printf("performed %llu\n", (unsigned long long)run_threads(pace_thread));
		return 0;
	}
	fprintf(stderr, "usage: see the top of workload.c\n");
	return 2;
}
