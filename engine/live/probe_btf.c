#include "live/probe_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture.skel.h"

/* The form with BTF: iterators look through the tasks. */

struct btf_form {
	struct capture *skel;
	struct bpf_link *cpu_times;
};

static struct capture *skel_of(const struct probe *p)
{
	return ((struct btf_form *)p->form_data)->skel;
}

static int btf_open(struct probe *p, const struct bpf_object_open_opts *o)
{
	struct btf_form *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->skel = capture__open_opts(o);
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

static void btf_close(struct probe *p)
{
	struct btf_form *f = p->form_data;

	bpf_link__destroy(f->cpu_times);
	capture__destroy(f->skel);
	free(f);
}

static void btf_fit(struct probe *p, const struct probe_opts *o)
{
	struct capture *s = skel_of(p);

	bpf_program__set_autoload(s->progs.mark_tasks, p->marks);
	bpf_program__set_autoload(s->progs.list_tasks, !o->by_tree);
	/* made when it is needed, and only then */
	bpf_program__set_autoattach(s->progs.mark_tasks, false);
	bpf_program__set_autoattach(s->progs.list_tasks, false);
	bpf_program__set_autoattach(s->progs.cpu_times, false);
}

static void btf_vars(struct probe *p, struct probe_vars *v)
{
	struct capture__bss *bss = skel_of(p)->bss;

	*v = (struct probe_vars)PROBE_VARS(bss);
}

static int btf_whoami(struct probe *p, struct err *e)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct capture *s = skel_of(p);

	if (bpf_prog_test_run_opts(bpf_program__fd(s->progs.whoami), &run) || !s->bss->own_tgid)
		return err_errno(e, "can't find out the id of this process");
	return 0;
}

/* Marked by the next btf_mark. */
static int btf_watch(struct probe *p, pid_t pid, int pidfd, bool at_exec, struct err *e)
{
	uint32_t state = at_exec ? CAP_TASK_AT_EXEC : CAP_TASK_WATCHED;

	(void)pid;
	if (bpf_map_update_elem(bpf_map__fd(skel_of(p)->maps.tasks), &pidfd, &state, BPF_ANY))
		return err_errno(e, "can't follow the process");
	return 0;
}

/* Runs an iterator once over all tasks of the machine; fn sees what it writes, size bytes each. */
static int iterate(struct bpf_link *link, size_t size, void (*fn)(void *ctx, const void *entry),
		   void *ctx)
{
	_Alignas(8) char buf[4096];
	int fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* the kernel gives whole entries as long as the buffer has room for some */
	while ((n = read(fd, buf, sizeof(buf) / size * size)) > 0 ||
	       (n < 0 && (errno == EINTR || errno == EAGAIN)))
		for (ssize_t i = 0; i + (ssize_t)size <= n; i += (ssize_t)size)
			fn(ctx, buf + i);
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

static void on_task(void *ctx, const void *entry)
{
	const struct task_fn *f = ctx;

	f->fn(f->ctx, entry);
}

static void on_cpu_time(void *ctx, const void *entry)
{
	const struct time_fn *f = ctx;

	f->fn(f->ctx, entry);
}

/* Until a turn marks nothing new: what is forked meanwhile by a task not marked yet is found by the
 * next turn, what is forked by a marked one is marked by the fork program. */
static int over_tasks(struct probe *p, const struct bpf_program *prog, const struct task_fn *f)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	const uint32_t *marks = &skel_of(p)->bss->new_marks;
	uint32_t before;
	int rc = link ? 0 : -errno;

	do {
		before = *marks;
		rc = rc ? rc : iterate(link, sizeof(struct cap_task), on_task, (void *)f);
	} while (!rc && *marks != before);
	bpf_link__destroy(link);
	return rc;
}

static int btf_mark(struct probe *p, const struct task_fn *f)
{
	struct capture *s = skel_of(p);
	int rc = p->marks ? over_tasks(p, s->progs.mark_tasks, f) : 0;

	if (!rc && !p->by_tree)
		rc = over_tasks(p, s->progs.list_tasks, f);
	return rc;
}

static int btf_cpu_times(struct probe *p, const struct time_fn *f)
{
	struct btf_form *form = p->form_data;

	if (!form->cpu_times)
		form->cpu_times = bpf_program__attach_iter(form->skel->progs.cpu_times, NULL);
	if (!form->cpu_times)
		return -errno;
	return iterate(form->cpu_times, sizeof(struct cap_cpu_time), on_cpu_time, (void *)f);
}

const struct probe_form probe_form_btf = {
	.name = "tp_btf",
	.open = btf_open,
	.fit = btf_fit,
	.vars = btf_vars,
	.whoami = btf_whoami,
	.watch = btf_watch,
	.mark = btf_mark,
	.cpu_times = btf_cpu_times,
	.close = btf_close,
};
