#include "live/scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "source/metaenc.h"
#include "live/scan_int.h"
#include "live/users.h"

static struct text text_of(const char *s)
{
	return (struct text){s, s ? (uint32_t)strlen(s) : 0};
}

static uint64_t boot_time_ns(void)
{
	struct timespec wall, boot;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (uint64_t)(wall.tv_sec - boot.tv_sec) * 1000000000u + (uint64_t)wall.tv_nsec -
	       (uint64_t)boot.tv_nsec;
}

static void machine(struct buf *out)
{
	struct meta_machine m = {.num_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
				 .boot_ts = boot_time_ns()};
	char pid_max[32];
	struct sysinfo si;

	if (!sysinfo(&si))
		m.memory_bytes = (uint64_t)si.totalram * si.mem_unit;
	if (proc_read("/proc/sys/kernel/pid_max", pid_max, sizeof(pid_max)) > 0)
		m.max_pid = strtoull(pid_max, NULL, 10);
	gethostname(m.hostname, sizeof(m.hostname) - 1);
	metaenc_machine(out, &m);
}

/* ---- interfaces ------------------------------------------------------------------------------ */

static void copy_addr(uint8_t *to, const struct sockaddr *sa, bool v6)
{
	if (!sa)
		return;
	if (v6)
		memcpy(to, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	else
		memcpy(to, &((const struct sockaddr_in *)sa)->sin_addr, 4);
}

static void add_ifaces(struct buf *out, const struct ifaddrs *list, bool v6)
{
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct meta_iface m = {.v6 = v6, .name = text_of(i->ifa_name)};

		if (!i->ifa_addr || i->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET))
			continue;
		copy_addr(m.addr, i->ifa_addr, v6);
		copy_addr(m.mask, i->ifa_netmask, v6);
		if (i->ifa_flags & IFF_BROADCAST)
			copy_addr(m.bcast, i->ifa_broadaddr, v6);
		metaenc_iface(out, &m);
	}
}

static void interfaces(struct buf *out)
{
	struct ifaddrs *list;
	size_t begin;

	if (getifaddrs(&list))
		return;
	begin = metaenc_begin(out, META_IFACES);
	add_ifaces(out, list, false);
	add_ifaces(out, list, true);
	metaenc_end(out, begin);
	freeifaddrs(list);
}

/* ---- users ----------------------------------------------------------------------------------- */

/* The local files only: a name service on the network could hold the start up. */
static void users(struct buf *out)
{
	FILE *f = users_file("passwd");
	size_t begin = metaenc_begin(out, META_USERS);
	struct passwd *pw;
	struct group *gr;

	while (f && (pw = fgetpwent(f))) {
		struct meta_user u = {.uid = pw->pw_uid,
				      .gid = pw->pw_gid,
				      .name = text_of(pw->pw_name),
				      .home = text_of(pw->pw_dir),
				      .shell = text_of(pw->pw_shell)};

		metaenc_user(out, &u);
	}
	if (f)
		fclose(f);
	f = users_file("group");
	while (f && (gr = fgetgrent(f))) {
		struct meta_user u = {
			.is_group = true, .gid = gr->gr_gid, .name = text_of(gr->gr_name)};

		metaenc_user(out, &u);
	}
	if (f)
		fclose(f);
	metaenc_end(out, begin);
}

/* ---- processes ------------------------------------------------------------------------------- */

struct lists {
	struct buf threads; /* entries of the process list */
	struct buf fds;	    /* whole blocks, one per thread, in the same order */
	struct buf tids;    /* uint32_t of each */
	struct net_table *nets;
	struct containers *containers;
};

/* Returns how many threads its process has, 0: it is gone. */
static unsigned add_thread(struct lists *l, pid_t pid, pid_t tid)
{
	unsigned n = proc_thread(&l->threads, pid, tid, l->containers);
	uint32_t id = (uint32_t)tid;
	size_t begin;

	if (!n)
		return 0;
	buf_put(&l->tids, &id, sizeof(id));
	begin = metaenc_begin(&l->fds, META_FDS);
	metaenc_fds_of(&l->fds, (uint64_t)tid);
	if (pid == tid)
		proc_fds(&l->fds, &l->nets, pid);
	metaenc_end(&l->fds, begin);
	return n;
}

static void add_process(struct lists *l, pid_t pid)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	if (add_thread(l, pid, pid) == 1)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return;
	while ((de = readdir(d))) {
		pid_t tid = atoi(de->d_name);

		if (tid > 0 && tid != pid)
			add_thread(l, pid, tid);
	}
	closedir(d);
}

static int all_processes(struct lists *l, struct err *e)
{
	struct dirent *de;
	DIR *d = opendir("/proc");

	if (!d)
		return err_errno(e, "can't read /proc");
	while ((de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]))
			add_process(l, atoi(de->d_name));
	closedir(d);
	return 0;
}

/* ---- descendants ----------------------------------------------------------------------------- */

struct family {
	struct {
		pid_t pid, parent;
	} * p; /* every process of the machine: numbers only */
	size_t n, cap;
	pid_t *in; /* the wanted ones */
	size_t nin;
};

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *p;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (proc_read(path, text, sizeof(text)) <= 0)
		return 0;
	p = strrchr(text, ')');
	return p && sscanf(p + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static bool family_read(struct family *f)
{
	struct dirent *de;
	DIR *d = opendir("/proc");

	while (d && (de = readdir(d))) {
		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		if (f->n == f->cap) {
			size_t cap = f->cap ? 2 * f->cap : 256;
			void *p = realloc(f->p, cap * sizeof(*f->p));

			if (!p)
				break;
			f->p = p;
			f->cap = cap;
		}
		f->p[f->n].pid = atoi(de->d_name);
		f->p[f->n].parent = parent_of(f->p[f->n].pid);
		f->n++;
	}
	if (d)
		closedir(d);
	return f->n > 0;
}

static bool family_has(const struct family *f, pid_t pid)
{
	for (size_t i = 0; i < f->nin; i++)
		if (f->in[i] == pid)
			return true;
	return false;
}

/* The processes of o and all their descendants; owned by the caller, NULL without memory. */
static pid_t *descendants(const struct scan_opts *o, size_t *n)
{
	struct family f = {.n = 0};
	size_t before;

	if (!family_read(&f))
		return NULL;
	f.in = calloc(f.n + o->npids, sizeof(*f.in));
	for (unsigned i = 0; f.in && i < o->npids; i++)
		f.in[f.nin++] = o->pids[i];
	do {
		before = f.nin;
		for (size_t i = 0; f.in && i < f.n; i++)
			if (family_has(&f, f.p[i].parent) && !family_has(&f, f.p[i].pid))
				f.in[f.nin++] = f.p[i].pid;
	} while (f.nin != before);
	free(f.p);
	*n = f.nin;
	return f.in;
}

static int listed_processes(struct lists *l, const struct scan_opts *o, struct err *e)
{
	const pid_t *pids = o->pids;
	pid_t *all = NULL;
	size_t n = o->npids;

	if (o->follow) {
		pids = all = descendants(o, &n);
		if (!all)
			return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		add_process(l, pids[i]);
	free(all);
	return 0;
}

/* ---- threads that are gone ------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void add_gone(struct lists *l, const struct cap_task *s)
{
	struct text comm = text_of(s->comm);
	struct meta_thread t = {
		.tid = s->tid,
		.pid = s->tgid,
		.ptid = s->ptid,
		.vtid = s->tid,
		.vpid = s->tgid,
		.vpgid = -1,
		.sid = -1,
		.comm = comm,
		.exe = comm,
		.uid = s->uid,
		.gid = s->gid,
		.loginuid = UINT32_MAX,
		.flags = s->tid == s->tgid ? 0 : PPM_CLONE_THREAD | PPM_CLONE_FILES,
	};
	size_t begin;

	metaenc_thread(&l->threads, &t);
	begin = metaenc_begin(&l->fds, META_FDS);
	metaenc_fds_of(&l->fds, t.tid);
	metaenc_end(&l->fds, begin);
}

/* Enters those of the threads seen that could not be read. */
static void add_all_gone(struct lists *l, const struct scan_opts *o)
{
	size_t n = l->tids.len / sizeof(uint32_t);

	if (n)
		qsort(l->tids.p, n, sizeof(uint32_t), by_number);
	for (size_t i = 0; i < o->nseen; i++)
		if (!n || !bsearch(&o->seen[i].tid, l->tids.p, n, sizeof(uint32_t), by_number))
			add_gone(l, &o->seen[i]);
}

static int processes(struct buf *out, const struct scan_opts *o, struct containers *containers,
		     struct err *e)
{
	struct lists l = {.containers = containers};
	size_t begin;
	int rc;

	buf_init(&l.threads);
	buf_init(&l.fds);
	buf_init(&l.tids);
	rc = o->all ? all_processes(&l, e) : listed_processes(&l, o, e);
	if (!rc)
		add_all_gone(&l, o);
	if (!rc && l.threads.len) {
		begin = metaenc_begin(out, META_THREADS);
		buf_put(out, l.threads.p, l.threads.len);
		metaenc_end(out, begin);
		buf_put(out, l.fds.p, l.fds.len);
	}
	if (!rc && (buf_failed(&l.threads) || buf_failed(&l.fds) || buf_failed(&l.tids)))
		rc = err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	buf_fini(&l.threads);
	buf_fini(&l.fds);
	buf_fini(&l.tids);
	net_tables_free(l.nets);
	return rc;
}

int scan_machine(struct buf *out, const struct scan_opts *o, struct containers *containers,
		 struct err *e)
{
	int rc;

	metaenc_section(out);
	machine(out);
	interfaces(out);
	users(out);
	rc = processes(out, o, containers, e);
	if (!rc && buf_failed(out))
		rc = err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	return rc;
}
