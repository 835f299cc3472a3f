#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "live/scan_int.h"

enum { TEXT_CAP = 4096 };
enum {
	FD_DIR = 2,
	FD_PIPE = 7,
	FD_EVENT = 9,
	FD_OTHER,
	FD_SIGNAL,
	FD_EPOLL,
	FD_INOTIFY,
	FD_TIMER,
	FD_FILE = 16
};

static ssize_t read_at(int dir, const char *path, char *buf, size_t cap)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	if (fd < 0)
		return -1;
	while (n < cap - 1) {
		ssize_t k = read(fd, buf + n, cap - 1 - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	close(fd);
	buf[n] = 0;
	return (ssize_t)n;
}

ssize_t proc_read(const char *path, char *buf, size_t cap)
{
	return read_at(AT_FDCWD, path, buf, cap);
}

/* All texts of one thread entry, kept until it is encoded. */
struct thread_texts {
	int dir; /* the thread's folder: opened once, the kernel takes long to find it */
	char status[TEXT_CAP], stat[1024], comm[64], cmdline[TEXT_CAP], env[TEXT_CAP],
		cgroup[TEXT_CAP];
	char exe[1024], cwd[1025], root[1024], small[256], limits[TEXT_CAP];
	struct buf cgroups;
};

static ssize_t read_of(struct thread_texts *x, const char *name, char *to, size_t cap)
{
	return read_at(x->dir, name, to, cap);
}

static struct text link_of(struct thread_texts *x, const char *name, char *to, size_t cap)
{
	ssize_t n = readlinkat(x->dir, name, to, cap - 1);

	/* Not allowed, or a kernel thread: no text, but the entry stays. */
	return n > 0 ? (struct text){to, (uint32_t)n} : (struct text){"", 0};
}

static const char *status_line(const struct thread_texts *x, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = x->status; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, key, n) && p[n] == ':')
			return p + n + 1;
	}
	return "";
}

static uint64_t status_num(const struct thread_texts *x, const char *key, int column, int base)
{
	char *p = (char *)status_line(x, key), *end;
	uint64_t v = 0;

	for (int i = 0; i <= column; i++, p = end) {
		v = strtoull(p, &end, base);
		if (end == p)
			return 0;
	}
	return v;
}

/* Last number of a line: the id in the innermost namespace. */
static int64_t status_last(const struct thread_texts *x, const char *key, int64_t other)
{
	char *p = (char *)status_line(x, key), *end;
	int64_t v = other;

	for (;; p = end) {
		int64_t k = strtoll(p, &end, 10);

		if (end == p || memchr(p, '\n', (size_t)(end - p)))
			return v;
		v = k;
	}
}

/* state ppid pgrp session tty_nr tpgid flags minflt cminflt majflt: behind the name, which may hold
 * anything */
static void parse_stat(const struct thread_texts *x, struct meta_thread *t)
{
	const char *p = strrchr(x->stat, ')');
	unsigned long long minflt = 0, majflt = 0;
	int tty = 0;

	if (!p ||
	    sscanf(p + 1, " %*c %*d %*d %*d %d %*d %*u %llu %*u %llu", &tty, &minflt, &majflt) != 3)
		return;
	t->tty = (uint32_t)tty;
	t->pfminor = minflt;
	t->pfmajor = majflt;
}

static uint64_t fd_limit(struct thread_texts *x, pid_t pid)
{
	struct rlimit r;
	const char *p;

	if (!prlimit(pid, RLIMIT_NOFILE, NULL, &r))
		return r.rlim_cur;
	read_of(x, "limits", x->limits, sizeof(x->limits));
	p = strstr(x->limits, "Max open files");
	return p ? strtoull(p + strlen("Max open files"), NULL, 10) : 0;
}

/* The name in parentheses, which may hold anything. */
static struct text comm_of(struct thread_texts *x)
{
	const char *a = strchr(x->stat, '('), *b = strrchr(x->stat, ')');
	size_t n = a && b > a ? (size_t)(b - a - 1) : 0;

	n = MIN(n, sizeof(x->comm) - 1);
	memcpy(x->comm, a ? a + 1 : "", n);
	return (struct text){x->comm, (uint32_t)n};
}

/* One "hierarchy:controllers:path" line of /proc/PID/cgroup -> "controller=path" texts. */
static void add_cgroup(struct buf *out, char *controllers, const char *path, bool unified_only)
{
	static const char five[] = "cpuset,cpu,cpuacct,io,memory";
	char all[sizeof(five)];
	char *save = NULL;

	if (!*controllers) {
		if (!unified_only)
			return;
		memcpy(all, five, sizeof(five));
		controllers = all;
	}
	for (char *c = strtok_r(controllers, ",", &save); c; c = strtok_r(NULL, ",", &save)) {
		if (!strncmp(c, "name=", 5))
			continue;
		if (out->len + strlen(c) + strlen(path) + 2 > META_LIST_MAX)
			return;
		buf_puts(out, c);
		buf_putc(out, '=');
		buf_puts(out, path);
		buf_putc(out, 0);
	}
}

static void parse_cgroups(struct thread_texts *x)
{
	char *save = NULL;
	bool unified_only = !strchr(x->cgroup, '\n') || !strchr(strchr(x->cgroup, '\n') + 1, '\n');

	buf_reset(&x->cgroups);
	for (char *line = strtok_r(x->cgroup, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *a = strchr(line, ':'), *b = a ? strchr(a + 1, ':') : NULL;

		if (!b)
			continue;
		*b = 0;
		add_cgroup(&x->cgroups, a + 1, b + 1, unified_only);
	}
}

static void parse_cmdline(struct thread_texts *x, ssize_t n, struct meta_thread *t)
{
	size_t first;

	if (n <= 0) {
		t->exe = t->comm;
		return;
	}
	first = strnlen(x->cmdline, (size_t)n);
	t->exe = (struct text){x->cmdline, (uint32_t)first};
	if ((size_t)n > first + 1)
		t->args = (struct text){x->cmdline + first + 1, (uint32_t)((size_t)n - first - 1)};
}

static bool fill_thread(struct thread_texts *x, struct meta_thread *t, pid_t pid)
{
	ssize_t n;

	if (read_of(x, "stat", x->stat, sizeof(x->stat)) <= 0)
		return false;
	t->comm = comm_of(x);
	parse_stat(x, t);
	parse_cmdline(x, read_of(x, "cmdline", x->cmdline, sizeof(x->cmdline)), t);
	n = read_of(x, "environ", x->env, sizeof(x->env));
	t->env = (struct text){x->env, n > 0 ? (uint32_t)n : 0};
	if (read_of(x, "cgroup", x->cgroup, sizeof(x->cgroup)) > 0)
		parse_cgroups(x);
	t->cgroups = (struct text){x->cgroups.p, (uint32_t)x->cgroups.len};
	t->exepath = link_of(x, "exe", x->exe, sizeof(x->exe));
	t->cwd = link_of(x, "cwd", x->cwd, sizeof(x->cwd) - 1);
	t->root = link_of(x, "root", x->root, sizeof(x->root));
	t->fdlimit = fd_limit(x, pid);
	t->loginuid = UINT32_MAX;
	if (read_of(x, "loginuid", x->small, sizeof(x->small)) > 0)
		t->loginuid = (uint32_t)strtoul(x->small, NULL, 10);
	return true;
}

static void fill_numbers(const struct thread_texts *x, struct meta_thread *t, pid_t pid, pid_t tid)
{
	t->tid = (uint64_t)tid;
	t->pid = (uint64_t)pid;
	t->ptid = status_num(x, "PPid", 0, 10);
	t->uid = (uint32_t)status_num(x, "Uid", 1, 10);
	t->gid = (uint32_t)status_num(x, "Gid", 1, 10);
	t->vmsize_kb = (uint32_t)status_num(x, "VmSize", 0, 10);
	t->vmrss_kb = (uint32_t)status_num(x, "VmRSS", 0, 10);
	t->vmswap_kb = (uint32_t)status_num(x, "VmSwap", 0, 10);
	t->vtid = status_last(x, "NSpid", tid);
	t->vpid = status_last(x, "NStgid", pid);
	t->vpgid = status_last(x, "NSpgid", -1);
	t->sid = status_last(x, "NSsid", -1);
	t->cap_inheritable = status_num(x, "CapInh", 0, 16);
	t->cap_permitted = status_num(x, "CapPrm", 0, 16);
	t->cap_effective = status_num(x, "CapEff", 0, 16);
	t->flags = pid == tid ? 0 : PPM_CLONE_THREAD | PPM_CLONE_FILES;
}

/* Opens the folder of a thread and reads its status. That of a process is the same for its only
 * thread, and below it the kernel has fewer folders to make. */
static bool open_thread(struct thread_texts *x, pid_t pid, pid_t tid, unsigned *threads)
{
	char path[64];
	int dir;

	snprintf(path, sizeof(path), pid == tid ? "/proc/%d" : "/proc/%d/task/%d", (int)pid,
		 (int)tid);
	x->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (x->dir < 0 || read_of(x, "status", x->status, sizeof(x->status)) <= 0)
		return false;
	*threads = (unsigned)status_num(x, "Threads", 0, 10);
	if (pid != tid || *threads == 1)
		return true;
	/* of several: its own page faults */
	snprintf(path, sizeof(path), "task/%d", (int)tid);
	dir = openat(x->dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(x->dir);
	x->dir = dir;
	return dir >= 0 && read_of(x, "status", x->status, sizeof(x->status)) > 0;
}

unsigned proc_thread(struct buf *threads, pid_t pid, pid_t tid, struct containers *containers)
{
	struct thread_texts *x = malloc(sizeof(*x)); /* 24 kB: what is not read is not cleared */
	struct meta_thread t = {0};
	unsigned n = 0;
	bool ok;

	if (!x)
		return 0;
	x->status[0] = x->stat[0] = x->cmdline[0] = x->env[0] = x->cgroup[0] = x->limits[0] = 0;
	buf_init(&x->cgroups);
	ok = open_thread(x, pid, tid, &n) && fill_thread(x, &t, pid);
	if (ok) {
		fill_numbers(x, &t, pid, tid);
		t.exe_writable = t.exepath.len && t.uid == geteuid() &&
				 !faccessat(x->dir, "exe", W_OK, AT_EACCESS);
		metaenc_thread(threads, &t);
		if (containers && t.cgroups.len)
			containers_see(containers, t.cgroups.p, t.cgroups.len);
	}
	if (x->dir >= 0)
		close(x->dir);
	buf_fini(&x->cgroups);
	free(x);
	return ok ? MAX(n, 1u) : 0;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Open flags of the kernel -> those of the format (engine/event/flags.def, file_flags). */
static uint32_t ppm_open_flags(unsigned long f)
{
	static const struct {
		unsigned long from;
		uint32_t to;
	} map[] = {
		{O_CREAT, 4},	  {O_APPEND, 8},       {O_DSYNC, 0x10},
		{O_EXCL, 0x20},	  {O_NONBLOCK, 0x40},  {O_SYNC & ~O_DSYNC, 0x80},
		{O_TRUNC, 0x100}, {O_DIRECT, 0x200},   {O_DIRECTORY, 0x400},
		{0100000, 0x800}, {O_CLOEXEC, 0x1000}, {O_TMPFILE & ~O_DIRECTORY, 0x2000},
	};
	uint32_t v = (f & O_ACCMODE) == O_WRONLY ? 2 : (f & O_ACCMODE) == O_RDWR ? 3 : 1;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (f & map[i].from)
			v |= map[i].to;
	return v;
}

static uint32_t open_flags(int dir, const char *fd)
{
	char path[64], text[1024];
	const char *p;

	snprintf(path, sizeof(path), "../fdinfo/%.20s", fd);
	if (read_at(dir, path, text, sizeof(text)) <= 0)
		return 0;
	p = strstr(text, "flags:");
	return p ? ppm_open_flags(strtoul(p + 6, NULL, 8)) : 0;
}

static uint32_t file_dev(const struct stat *st)
{
	uint32_t maj = major(st->st_dev), min = minor(st->st_dev);

	return (min & 0xff) | maj << 8 | (min & ~0xffu) << 12;
}

static uint8_t anon_type(const char *name)
{
	static const struct {
		const char *name;
		uint8_t type;
	} kinds[] = {
		{"[eventfd]", FD_EVENT}, {"[signalfd]", FD_SIGNAL}, {"[eventpoll]", FD_EPOLL},
		{"inotify", FD_INOTIFY}, {"[timerfd]", FD_TIMER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name))
			return kinds[i].type;
	return FD_OTHER;
}

/* dir: the folder of the process's descriptors, name: of this one in it. */
static void file_entry(struct meta_fd *f, int dir, const char *name)
{
	struct stat st;

	f->type = FD_FILE;
	if (fstatat(dir, name, &st, 0))
		return;
	f->ino = st.st_ino;
	if (S_ISDIR(st.st_mode)) {
		f->type = FD_DIR;
	} else if (S_ISFIFO(st.st_mode)) {
		f->type = FD_PIPE;
	} else {
		f->openflags = open_flags(dir, name);
		f->dev = file_dev(&st);
	}
}

static void socket_entry(struct meta_fd *f, const struct net_table *t, uint64_t ino)
{
	const struct net_socket *s = net_find(t, ino);
	struct meta_fd own = *f;

	if (!s) {
		f->type = FD_OTHER;
		return;
	}
	*f = s->fd;
	f->fd = own.fd;
	f->ino = ino;
	f->name =
		(struct text){t->names.p + s->name_off, (uint32_t)strlen(t->names.p + s->name_off)};
}

static void fd_entry(struct buf *out, struct net_table **nets, pid_t pid, int dir, const char *name)
{
	char target[1024];
	struct meta_fd f = {.fd = atoi(name)};
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = 0;
	f.name = (struct text){target, (uint32_t)n};
	if (!strncmp(target, "socket:[", 8)) {
		socket_entry(&f, net_table_of(nets, pid), strtoull(target + 8, NULL, 10));
	} else if (!strncmp(target, "pipe:[", 6)) {
		f.type = FD_PIPE;
		f.ino = strtoull(target + 6, NULL, 10);
	} else if (!strncmp(target, "anon_inode:", 11)) {
		f.type = anon_type(target + 11);
	} else if (target[0] == '/') {
		file_entry(&f, dir, name);
	} else {
		f.type = FD_OTHER;
	}
	metaenc_fd(out, &f);
}

void proc_fds(struct buf *out, struct net_table **nets, pid_t pid)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return;
	while ((de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]))
			fd_entry(out, nets, pid, dirfd(d), de->d_name);
	closedir(d);
}
