/* Who does what on the made machine. A program is a function that makes the next call of its task;
 * where it is in its round is the task's "at". Addresses, names and counts are invented;
 * proportions follow recorded traces. */
#include "gen.h"

#include <stdlib.h>

static void name_of(char *out, size_t cap, const char *format, unsigned n)
{
	snprintf(out, cap, format, n % 10, n);
}

/* ---- programs ---- */

/* fd[0] the connection, fd[1] the file. In the process list: 5 log, 6 server socket, 8 epoll. */
static bool step_web(struct gen *g, struct task *t)
{
	char path[GEN_TEXT];

	name_of(path, sizeof(path), "/srv/www/static/%u/page-%u.html", t->left);
	switch (t->at++) {
	case 0:
		do_epoll_wait(g, t);
		return chance(g, 50);
	case 1:
		do_accept(g, t, t->fd[0] = fd_take(t));
		return false;
	case 2:
		do_generic(g, t, ID_EPOLL_CTL, NR_EPOLL_CTL);
		return false;
	case 3:
		t->left = below(g, 500);
		do_recv(g, t, t->fd[0], 120 + (int64_t)below(g, 400));
		return false;
	case 4:
		do_stat(g, t, path, true);
		return false;
	case 5:
		do_open(g, t, path, t->fd[1] = fd_take(t), OPEN_READ);
		return false;
	case 6:
		do_fstat(g, t, t->fd[1]);
		return false;
	case 7:
		enter(g, t, EV_SYSCALL_WRITEV_E, "qd", t->fd[0], 240);
		leave_data(g, t, EV_SYSCALL_WRITEV_X, 240, "");
		return false;
	case 8: {
		int64_t size = 1000 + (int64_t)below(g, 60000);

		enter(g, t, EV_SYSCALL_SENDFILE_E, "qqqq", t->fd[0], t->fd[1], (int64_t)0, size);
		leave(g, t, EV_SYSCALL_SENDFILE_X, "qq", size, size);
		return false;
	}
	case 9:
		do_close(g, t, t->fd[1]);
		return false;
	case 10:
		do_write(g, t, 5, 90);
		return false;
	case 11:
		if (chance(g, 70)) { /* the connection is kept */
			do_recv(g, t, t->fd[0], CALL_AGAIN);
			t->at = 3;
			return chance(g, 50);
		}
		do_recv(g, t, t->fd[0], 0);
		return false;
	default:
		do_close(g, t, t->fd[0]);
		t->at = 0;
		return false;
	}
}

/* In the process list: 9 the client, 10 to 21 tables, 22 the log of writes. */
static bool step_database(struct gen *g, struct task *t)
{
	switch (t->at++) {
	case 0:
		do_epoll_wait(g, t);
		return chance(g, 40);
	case 1:
		t->left = 1 + below(g, 8);
		do_recv(g, t, 9, 60 + (int64_t)below(g, 200));
		return false;
	case 2:
		do_futex(g, t, 128 | below(g, 2));
		return chance(g, 10);
	case 3: {
		unsigned table = below(g, 12), page = below(g, 100000);

		if (--t->left)
			t->at = chance(g, 20) ? 2 : 3;
		do_pread(g, t, 10 + (int64_t)table, 8192 * (int64_t)page);
		return chance(g, 5);
	}
	case 4: {
		unsigned page = below(g, 2048);

		if (chance(g, 70)) {
			do_send(g, t, 9, 200);
			t->at = 0;
			return false;
		}
		do_pwrite(g, t, 22, 8192 * (int64_t)page);
		return false;
	}
	case 5:
		do_generic(g, t, ID_FDATASYNC, NR_FDATASYNC);
		return true;
	default:
		do_send(g, t, 9, 30);
		t->at = 0;
		return false;
	}
}

static const char *const libraries[] = {"/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6",
					"/lib/x86_64-linux-gnu/libm.so.6"};

/* Start-up of any program: its libraries. Returns false when it is over. */
static bool load_libraries(struct gen *g, struct task *t)
{
	unsigned lib = t->at / 5;

	if (lib >= sizeof(libraries) / sizeof(*libraries))
		return false;
	switch (t->at++ % 5) {
	case 0:
		do_open(g, t, libraries[lib], t->fd[0] = fd_take(t), OPEN_READ);
		break;
	case 1:
		do_read(g, t, t->fd[0], 832);
		break;
	case 2:
		do_fstat(g, t, t->fd[0]);
		break;
	case 3:
		do_mmap(g, t, t->fd[0], 200000);
		break;
	default:
		do_close(g, t, t->fd[0]);
		break;
	}
	return true;
}

enum { AFTER_LOADING = 15, INCLUDES = 60 };

/* A compiler: looks for each header in several folders. */
static bool step_cc(struct gen *g, struct task *t)
{
	char path[GEN_TEXT];
	unsigned n = below(g, 800);

	if (load_libraries(g, t))
		return false;
	if (t->at == AFTER_LOADING)
		t->left = INCLUDES;
	t->at++;
	if (!t->left) {
		task_exit(g, t);
		return true;
	}
	switch (t->at % 5) {
	case 0: {
		bool found = chance(g, 40);

		name_of(path, sizeof(path),
			found ? "/usr/include/part%u/header-%u.h"
			      : "/opt/project/include/%u/header-%u.h",
			n);
		if (!found)
			t->at--; /* and again */
		do_open(g, t, path, found ? t->fd[0] = fd_take(t) : CALL_NOENT, OPEN_READ);
		return false;
	}
	case 1:
		do_fstat(g, t, t->fd[0]);
		return false;
	case 2:
		do_read(g, t, t->fd[0], 4096);
		return chance(g, 3);
	case 3:
		if (chance(g, 30)) {
			enter(g, t, EV_SYSCALL_BRK_4_E, "q",
			      (int64_t)0x55550000 + 4096 * (int64_t)t->left);
			leave(g, t, EV_SYSCALL_BRK_4_X, "qddd", (int64_t)0x55550000, 60000, 8000,
			      0);
		} else {
			do_mmap(g, t, -1, 65536);
		}
		return false;
	default:
		t->left--;
		do_close(g, t, t->fd[0]);
		return false;
	}
}

static bool step_cc_begin(struct gen *g, struct task *t)
{
	char args[64];
	unsigned n = below(g, 300);

	snprintf(args, sizeof(args), "-O2 -c src/file%u.c -o obj/file%u.o", n, n);
	task_exec(g, t, "/usr/lib/gcc/cc1", args);
	t->step = step_cc;
	/* The first include begins when at is a multiple of five. */
	t->at = 0;
	return false;
}

/* make -j4: starts compilers and waits for all. */
static bool step_make(struct gen *g, struct task *t)
{
	char path[GEN_TEXT];
	unsigned n = below(g, 300);

	if (t->at++ % 6 < 4) {
		name_of(path, sizeof(path), "/srv/project/obj%u/file%u.o", n);
		if (t->at % 2) {
			do_stat(g, t, path, chance(g, 50));
			return false;
		}
		if (t->children < 4)
			task_clone(g, t, step_cc_begin);
		else
			return do_wait(g, t);
		return false;
	}
	return do_wait(g, t);
}

static bool step_true(struct gen *g, struct task *t)
{
	if (load_libraries(g, t))
		return false;
	task_exit(g, t);
	return true;
}

static bool step_true_begin(struct gen *g, struct task *t)
{
	static const char *const tools[] = {"/usr/bin/true", "/usr/bin/expr", "/usr/bin/sed",
					    "/usr/bin/cut", "/usr/bin/date"};

	task_exec(g, t, tools[below(g, 5)], "1 + 1");
	t->step = step_true;
	t->at = 0;
	return false;
}

/* A shell script: one short program after another, some in a pipe. */
static bool step_shell(struct gen *g, struct task *t)
{
	switch (t->at++ % 6) {
	case 0:
		t->fd[1] = fd_take(t);
		t->fd[2] = fd_take(t);
		enter(g, t, EV_SYSCALL_PIPE_E, "");
		leave(g, t, EV_SYSCALL_PIPE_X, "qqqq", (int64_t)0, t->fd[1], t->fd[2],
		      (int64_t)below(g, 99999));
		return false;
	case 1:
	case 2:
		task_clone(g, t, step_true_begin);
		return false;
	case 3:
		do_close(g, t, t->fd[2]);
		return false;
	case 4:
		do_close(g, t, t->fd[1]);
		return false;
	default:
		return do_wait(g, t);
	}
}

/* One process that copies, as fast as it can. Process list: 10 in, 11 out. */
static bool step_copy(struct gen *g, struct task *t)
{
	if (t->at++ % 2)
		do_write(g, t, 11, 65536);
	else
		do_read(g, t, 10, 65536);
	return false;
}

static bool step_idle(struct gen *g, struct task *t)
{
	if (t->at++ % 4 == 3)
		do_write(g, t, 5, 80);
	else
		do_sleep(g, t, 1000000);
	return true;
}

/* Threads of large processes: locks, messages to one another, little input and output. */
static bool step_thread(struct gen *g, struct task *t)
{
	unsigned what = below(g, 100);

	if (what < 55) {
		do_futex(g, t, 128 | (what & 1));
		return what & 1 ? false : chance(g, 70);
	}
	if (what < 70)
		do_recv(g, t, 9, 100);
	else if (what < 85)
		do_send(g, t, 9, 300);
	else if (what < 95)
		do_write(g, t, 5, 120);
	else
		do_sleep(g, t, 10000000);
	return what >= 95 || what < 70;
}

/* ---- descriptors that exist when the trace begins ---- */

static struct text text(const char *s)
{
	return (struct text){s, (uint32_t)strlen(s)};
}

static void put_file(struct buf *b, int64_t fd, const char *path, uint32_t flags)
{
	struct meta_fd f = {.fd = fd,
			    .ino = 1000 + (uint64_t)fd,
			    .type = MFD_FILE_V2,
			    .name = text(path),
			    .openflags = flags,
			    .dev = 0x801};

	metaenc_fd(b, &f);
}

static void put_socket(struct buf *b, int64_t fd, const struct task *t, uint16_t port, bool server)
{
	struct meta_fd f = {.fd = fd,
			    .ino = 2000 + (uint64_t)t->tid,
			    .type = server ? MFD_IPV4_SERVER : MFD_IPV4,
			    .l4proto = 2};

	memcpy(f.sip, server ? (uint8_t[4]){0, 0, 0, 0} : (uint8_t[4]){10, 1, 7, (uint8_t)t->tid},
	       4);
	memcpy(f.dip, (uint8_t[4]){10, 1, 0, 5}, 4);
	f.sport = server ? port : (uint16_t)(33000 + t->tid % 20000);
	f.dport = port;
	metaenc_fd(b, &f);
}

static void put_epoll(struct buf *b, int64_t fd)
{
	struct meta_fd f = {.fd = fd, .ino = 77, .type = MFD_EVENTFD, .name = text("[eventfd]")};

	metaenc_fd(b, &f);
}

/* Of every task the same numbers; its program uses those it knows. */
static void put_fds(const struct task *t, struct buf *b)
{
	char path[GEN_TEXT];

	for (int64_t fd = 0; fd < 3; fd++)
		put_file(b, fd, "/dev/null", fd ? 2 : 1);
	put_file(b, 5, "/var/log/service.log", 2);
	put_socket(b, 6, t, 80, true);
	put_epoll(b, 8);
	put_socket(b, 9, t, 5432, false);
	for (unsigned i = 0; i < 13; i++) {
		snprintf(path, sizeof(path),
			 i < 12 ? "/var/lib/db/base/16384/%u" : "/var/lib/db/wal/%u", 24000 + i);
		put_file(b, 10 + i, path, 3);
	}
}

/* ---- mixes ---- */

static struct task *serve(struct gen *g, step_fn *step, const char *comm, struct task *thread_of)
{
	struct task *t = task_new(g, NULL, thread_of, step, comm);

	if (t) {
		t->next_fd = 30;
		t->left = below(g, 500);
		t->uid = step == step_web ? 33 : 0;
	}
	return t;
}

static void many(struct gen *g, unsigned n, step_fn *step, const char *comm)
{
	for (unsigned i = 0; i < n; i++)
		serve(g, step, comm, NULL);
}

static void populate_web(struct gen *g)
{
	many(g, 16, step_web, "nginx");
	many(g, 4, step_database, "postgres");
	many(g, 4, step_idle, "cron");
}

static void populate_compile(struct gen *g)
{
	many(g, 8, step_make, "make");
	many(g, 4, step_idle, "cron");
}

static void populate_database(struct gen *g)
{
	many(g, 64, step_database, "postgres");
	many(g, 8, step_idle, "walwriter");
}

static void populate_forks(struct gen *g)
{
	many(g, 24, step_shell, "sh");
}

static void populate_hot(struct gen *g)
{
	serve(g, step_copy, "dd", NULL);
	many(g, 8, step_idle, "cron");
}

static void populate_threads(struct gen *g)
{
	struct task *main = NULL;

	for (unsigned i = 0; i < 10000; i++) {
		if (i % 100 == 0)
			main = serve(g, step_thread, "java", NULL);
		else
			serve(g, step_thread, "worker", main);
	}
}

enum { BOXES = 40 };
static char box_ids[BOXES][65], box_cgroups[BOXES][200];

static void populate_containers(struct gen *g)
{
	static step_fn *const steps[] = {step_web, step_database, step_shell, step_idle};
	static const char *const comms[] = {"nginx", "postgres", "sh", "cron"};

	for (unsigned i = 0; i < BOXES; i++) {
		for (unsigned k = 0; k < 64; k++)
			box_ids[i][k] = "0123456789abcdef"[below(g, 16)];
		snprintf(box_cgroups[i], sizeof(box_cgroups[i]),
			 "cpu=/docker/%.64s%cmemory=/docker/%.64s", box_ids[i], 0, box_ids[i]);
		for (int64_t k = 0; k < 4; k++) {
			struct task *t = serve(g, steps[(i + k) % 4], comms[(i + k) % 4], NULL);

			t->cgroups = box_cgroups[i];
			t->vtid = t->vpid = k + 1;
		}
	}
	many(g, 8, step_idle, "dockerd");
}

static void start_containers(struct gen *g)
{
	char json[700];

	for (unsigned i = 0; i < BOXES; i++) {
		snprintf(json, sizeof(json),
			 "{\"container\":{\"id\":\"%.12s\",\"type\":0,\"name\":\"box-%u\","
			 "\"image\":\"shop/part-%u:1.%u\","
			 "\"imageid\":\"%s\",\"imagerepo\":\"shop/"
			 "part-%u\",\"imagetag\":\"1.%u\",\"privileged\":false,"
			 "\"is_pod_sandbox\":false,\"lookup_state\":1,\"labels\":{\"stage\":"
			 "\"test\"},\"Mounts\":[]}}",
			 box_ids[i], i, i % 5, i % 3, box_ids[i], i % 5, i % 3);
		enter(g, NULL, EV_CONTAINER_JSON_E, "s", json);
	}
}

const struct mix mixes[] = {
	{"web", "a web server with a database behind it", populate_web, NULL, put_fds},
	{"compile", "make with compilers that look for headers", populate_compile, NULL, put_fds},
	{"database", "72 processes of a database", populate_database, NULL, put_fds},
	{"forks", "shell scripts: short processes, one after another", populate_forks, NULL,
	 put_fds},
	{"hot", "one process that copies a file", populate_hot, NULL, put_fds},
	{"threads", "ten thousand threads in a hundred processes", populate_threads, NULL, put_fds},
	{"containers", "forty containers with a bit of everything", populate_containers,
	 start_containers, put_fds},
};
const unsigned nmixes = sizeof(mixes) / sizeof(*mixes);
