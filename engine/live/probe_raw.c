#include "live/probe_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture_raw.skel.h"
#include "live/proc_tasks.h"
#include "live/raw_times.h"

/* The form of raw tracepoints: processes and threads are marked by their numbers, and /proc is read
 * where the other form has iterators. */

enum {
	MARKS_MAX = 65536, /* processes at once, threads with the right name: 72 bytes each */
	TURNS_MAX = 64,	   /* over /proc: more generations than a tree forks meanwhile */
};

static const uint64_t FIRST_PID_NAMESPACE =
	0xeffffffc; /* inode of the initial one, on every kernel */

struct raw_form {
	struct capture_raw *skel;
	int ring_model; /* a ring like those in the map: before 5.10 all have one size */
	unsigned unmarked;
	struct raw_times times;
};

static struct raw_form *form_of(const struct probe *p)
{
	return p->form_data;
}

static int raw_open(struct probe *p, const struct bpf_object_open_opts *o)
{
	struct raw_form *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ring_model = -1;
	f->skel = capture_raw__open_opts(o);
	if (!f->skel) {
		free(f);
		return -errno;
	}
	p->form_data = f;
	p->skel = f->skel->skeleton;
	p->obj = f->skel->obj;
	p->config = (struct cap_config *)&f->skel->rodata->config;
	return 0;
}

static void raw_close(struct probe *p)
{
	struct raw_form *f = form_of(p);

	capture_raw__destroy(f->skel);
	if (f->ring_model >= 0)
		close(f->ring_model);
	raw_times_fini(&f->times);
	free(f);
}

static void raw_fit(struct probe *p, const struct probe_opts *o)
{
	struct raw_form *f = form_of(p);
	unsigned max = o->max_marks ? o->max_marks : MARKS_MAX;

	if (p->by_tree)
		bpf_map__set_max_entries(f->skel->maps.watched, max);
	if (p->by_name)
		bpf_map__set_max_entries(f->skel->maps.names, max);
	bpf_program__set_autoload(f->skel->progs.task_free, p->marks);
	bpf_program__set_autoattach(f->skel->progs.whoami, false);
	f->ring_model =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, (uint32_t)p->ring_bytes, NULL);
	if (f->ring_model >= 0) /* if not, loading fails for the same reason */
		bpf_map__set_inner_map_fd(f->skel->maps.rings, f->ring_model);
}

static void raw_vars(struct probe *p, struct probe_vars *v)
{
	struct capture_raw__bss *bss = form_of(p)->skel->bss;

	*v = (struct probe_vars)PROBE_VARS(bss);
}

/* ---- who we are ------------------------------------------------------------------------------ */

/* Marks are set by numbers of /proc, which must be those of the kernel's programs. */
static bool first_pid_namespace(uint32_t own_tgid)
{
	char self[16] = "";
	struct stat st;

	return (uint32_t)getpid() == own_tgid &&
	       readlink("/proc/self", self, sizeof(self) - 1) > 0 &&
	       strtoul(self, NULL, 10) == own_tgid && !stat("/proc/self/ns/pid", &st) &&
	       st.st_ino == FIRST_PID_NAMESPACE;
}

static int raw_whoami(struct probe *p, struct err *e)
{
	struct capture_raw *s = form_of(p)->skel;
	struct bpf_link *link;
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) < 0)
		return err_errno(e, "can't get a random number");
	s->bss->knock = number | 1;
	link = bpf_program__attach(s->progs.whoami);
	if (!link)
		return err_errno(e, "can't attach to the raw tracepoint sys_enter");
	syscall(SYS_getpid, s->bss->knock);
	bpf_link__destroy(link);
	s->bss->knock = 0;
	if (!s->bss->own_tgid)
		return err_set(e, -ENOTSUP, ERR_NO_POS, "can't find out the id of this process");
	if (!first_pid_namespace(s->bss->own_tgid))
		return err_set(e, -ENOTSUP, ERR_NO_POS,
			       "live capture: raw tracepoints know processes by their ids in the "
			       "first pid namespace: run it there (a container: --pid=host)");
	return 0;
}

/* ---- marks ----------------------------------------------------------------------------------- */

static uint32_t state_of(const struct probe *p, uint32_t tgid)
{
	struct cap_mark m;

	return bpf_map_lookup_elem(bpf_map__fd(form_of(p)->skel->maps.watched), &tgid, &m)
		       ? 0
		       : m.state;
}

/* True: it was not marked before. What the programs have marked stays as it is. */
static bool mark(struct probe *p, struct bpf_map *map, uint32_t number, uint32_t state)
{
	struct cap_mark m = {.state = state};

	if (!bpf_map_update_elem(bpf_map__fd(map), &number, &m, BPF_NOEXIST))
		return true;
	form_of(p)->unmarked += errno != EEXIST;
	return false;
}

static void unmark(struct bpf_map *map, uint32_t number)
{
	bpf_map_delete_elem(bpf_map__fd(map), &number);
}

static int raw_watch(struct probe *p, pid_t pid, int pidfd, bool at_exec, struct err *e)
{
	struct bpf_map *watched = form_of(p)->skel->maps.watched;
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	struct cap_mark m = {.state = at_exec ? CAP_TASK_AT_EXEC : CAP_TASK_WATCHED};
	uint32_t tgid = (uint32_t)pid;

	if (bpf_map_update_elem(bpf_map__fd(watched), &tgid, &m, BPF_ANY))
		return err_errno(e, "can't follow process %d", (int)pid);
	/* the number may be another's when the process has ended */
	if (poll(&ended, 1, 0) > 0) {
		unmark(watched, tgid);
		return err_set(e, -ESRCH, ERR_NO_POS, "can't follow process %d: it has ended",
			       (int)pid);
	}
	return 0;
}

/* One turn over the processes. */
struct turn {
	struct probe *p;
	const struct task_fn *f;
	bool first;
	bool tell; /* of the process at hand */
	unsigned added;
};

static void on_thread(void *ctx, uint32_t tgid, uint32_t tid)
{
	struct turn *t = ctx;
	struct bpf_map *names = form_of(t->p)->skel->maps.names;
	struct cap_task task, again;

	if (!proc_task(tgid, tid, &task))
		return;
	if (t->tell)
		t->f->fn(t->f->ctx, &task);
	if (!t->p->by_name || strcmp(task.comm, t->p->comm) ||
	    !mark(t->p, names, tid, CAP_TASK_NAMED))
		return;
	t->added++;
	if (!proc_task(tgid, tid, &again))
		unmark(names, tid); /* nobody else would */
}

/* The process is a child of one that is followed. */
static bool adopt(struct turn *t, uint32_t tgid)
{
	struct bpf_map *watched = form_of(t->p)->skel->maps.watched;
	struct cap_task task;
	uint32_t state;

	if (!proc_task(tgid, tgid, &task))
		return false;
	state = state_of(t->p, task.ptid);
	if (!state || !mark(t->p, watched, tgid, state))
		return false;
	t->added++;
	if (!proc_task(tgid, tgid, &task))
		unmark(watched, tgid);
	return true;
}

static void on_process(void *ctx, uint32_t tgid)
{
	struct turn *t = ctx;
	const struct probe *p = t->p;
	bool in = !p->by_tree || state_of(p, tgid);

	if (tgid == *p->own_tgid)
		return;
	t->tell = in ? t->first : p->follow && adopt(t, tgid);
	if (t->tell || p->by_name)
		proc_each_thread(tgid, on_thread, t);
}

/* Calls fn for every process that is watched. */
static void each_watched(const struct probe *p, void (*fn)(void *ctx, uint32_t tgid), void *ctx)
{
	int fd = bpf_map__fd(form_of(p)->skel->maps.watched);
	uint32_t key, next;
	const uint32_t *from = NULL;

	/* A key that goes meanwhile makes the kernel begin anew: no more turns than there is room.
	 */
	for (unsigned n = 0; n < MARKS_MAX && !bpf_map_get_next_key(fd, from, &next); n++) {
		key = next;
		from = &key;
		fn(ctx, key);
	}
}

static int raw_mark(struct probe *p, const struct task_fn *f)
{
	struct turn t = {.p = p, .f = f, .first = true};
	int rc = 0;

	if (p->by_tree && !p->follow && !p->by_name) {
		each_watched(p, on_process, &t);
		return 0;
	}
	/* What is forked meanwhile by a task not marked yet is found by the next turn, what is
	 * forked by a marked one is marked by the fork program. */
	for (unsigned n = 0; !rc && n < TURNS_MAX && (t.first || t.added); n++) {
		t.added = 0;
		rc = proc_each(on_process, &t);
		t.first = false;
	}
	return rc;
}

static unsigned raw_unmarked(struct probe *p)
{
	return form_of(p)->unmarked + form_of(p)->skel->bss->marks_lost;
}

/* ---- times ----------------------------------------------------------------------------------- */

struct timing {
	const struct probe *p;
	struct raw_times *times;
};

static void time_process(void *ctx, uint32_t tgid)
{
	struct timing *t = ctx;

	if (tgid != *t->p->own_tgid)
		raw_times_read(t->times, tgid, t->p->epoch_offset);
}

static int raw_cpu_times(struct probe *p, const struct time_fn *f)
{
	struct timing t = {p, &form_of(p)->times};
	int rc = 0;

	raw_times_begin(t.times);
	if (p->by_tree)
		each_watched(p, time_process, &t);
	else
		rc = proc_each(time_process, &t);
	raw_times_end(t.times, f->fn, f->ctx);
	return rc;
}

const struct probe_form probe_form_raw = {
	.name = "raw tracepoints",
	.open = raw_open,
	.fit = raw_fit,
	.vars = raw_vars,
	.whoami = raw_whoami,
	.watch = raw_watch,
	.mark = raw_mark,
	.cpu_times = raw_cpu_times,
	.unmarked = raw_unmarked,
	.close = raw_close,
};
