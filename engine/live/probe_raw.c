#include "live/probe_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture_raw.skel.h"
#include "live/proc_tasks.h"
#include "live/raw_times.h"

/* The form of raw tracepoints: processes and threads are marked by their numbers, and /proc is read
 * where the other form has iterators. */

enum { TURNS_MAX = 64 }; /* over /proc: more generations than a tree forks meanwhile */

struct raw_form {
	struct capture_raw *skel;
	int ring_model; /* a ring like those in the map: before 5.10 all have one size */
	uint8_t *marks; /* by number, shared with the programs */
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
	if (f->marks)
		munmap(f->marks, sizeof(struct cap_marks) * CAP_MARK_PARTS);
	raw_times_fini(&f->times);
	free(f);
}

static void raw_fit(struct probe *p, const struct probe_opts *o)
{
	struct raw_form *f = form_of(p);

	(void)o;
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

static int map_marks(struct probe *p, struct err *e)
{
	struct raw_form *f = form_of(p);
	void *m = mmap(NULL, sizeof(struct cap_marks) * CAP_MARK_PARTS, PROT_READ | PROT_WRITE,
		       MAP_SHARED, bpf_map__fd(f->skel->maps.marks), 0);

	if (m == MAP_FAILED)
		return err_errno(e, "can't map the marks of tasks");
	f->marks = m;
	return 0;
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
	/* Marks are set by numbers of /proc, which must be those of the kernel's programs. */
	if (!probe_ids_agree(p))
		return err_set(e, -ENOTSUP, ERR_NO_POS,
			       "live capture: raw tracepoints know processes by their ids in the "
			       "first pid namespace: run it there (a container: --pid=host)");
	return map_marks(p, e);
}

/* ---- marks ----------------------------------------------------------------------------------- */

enum { IN_TREE = CAP_TASK_WATCHED | CAP_TASK_AT_EXEC };

static uint8_t mark_get(const struct probe *p, uint32_t number)
{
	return number < CAP_MARKS * CAP_MARK_PARTS ? form_of(p)->marks[number] : 0;
}

/* True: it was not there before. Atomic: the programs may be writing the same byte, though they do
 * so in two steps and can undo it; the next turn over /proc finds out. */
static bool mark_add(struct probe *p, uint32_t number, uint8_t add)
{
	if (number >= CAP_MARKS * CAP_MARK_PARTS)
		return false;
	return (__atomic_fetch_or(&form_of(p)->marks[number], add, __ATOMIC_RELAXED) & add) != add;
}

static int raw_watch(struct probe *p, pid_t pid, int pidfd, bool at_exec, struct err *e)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	/* the number may be another's when the process has ended */
	mark_add(p, (uint32_t)pid, at_exec ? CAP_TASK_AT_EXEC : CAP_TASK_WATCHED);
	if (poll(&ended, 1, 0) <= 0)
		return 0;
	form_of(p)->marks[pid] = 0;
	return err_set(e, -ESRCH, ERR_NO_POS, "can't follow process %d: it has ended", (int)pid);
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
	struct cap_task task;

	if (!proc_task(tgid, tid, &task))
		return;
	if (t->tell)
		t->f->fn(t->f->ctx, &task);
	if (t->p->by_name && !strcmp(task.comm, t->p->comm))
		t->added += mark_add(t->p, tid, CAP_TASK_NAMED);
}

/* The process is a child of one that is followed. */
static bool adopt(struct turn *t, uint32_t tgid)
{
	struct cap_task task;
	uint8_t mark;

	if (!proc_task(tgid, tgid, &task))
		return false;
	mark = mark_get(t->p, task.ptid) & IN_TREE;
	if (!mark || !mark_add(t->p, tgid, mark))
		return false;
	t->added++;
	return true;
}

static void on_process(void *ctx, uint32_t tgid)
{
	struct turn *t = ctx;
	const struct probe *p = t->p;
	bool in = !p->by_tree || mark_get(p, tgid) & IN_TREE;

	if (tgid == *p->own_tgid)
		return;
	t->tell = in ? t->first : p->follow && adopt(t, tgid);
	if (t->tell || p->by_name)
		proc_each_thread(tgid, on_thread, t);
}

static int raw_mark(struct probe *p, const struct task_fn *f)
{
	struct turn t = {.p = p, .f = f, .first = true};
	int rc = 0;

	/* What is forked meanwhile by a task not marked yet is found by the next turn, what is
	 * forked by a marked one is marked by the fork program. */
	for (unsigned n = 0; !rc && n < TURNS_MAX && (t.first || t.added); n++) {
		t.added = 0;
		rc = proc_each(on_process, &t);
		t.first = false;
	}
	return rc;
}

/* ---- times ----------------------------------------------------------------------------------- */

struct timing {
	const struct probe *p;
	struct raw_times *times;
};

static void time_process(void *ctx, uint32_t tgid)
{
	struct timing *t = ctx;

	if (tgid != *t->p->own_tgid && (!t->p->by_tree || mark_get(t->p, tgid) & CAP_TASK_WATCHED))
		raw_times_read(t->times, tgid, t->p->epoch_offset);
}

static int raw_cpu_times(struct probe *p, const struct time_fn *f)
{
	struct timing t = {p, &form_of(p)->times};
	int rc;

	raw_times_begin(t.times);
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
	.close = raw_close,
};
