/* Iterators over the tasks of the machine: what user space learns from them. Form tp_btf; where
 * there are none /proc takes their place. */
#ifndef BURIN_ITER_BPF_H
#define BURIN_ITER_BPF_H

#include "select.bpf.h"

/* What an existing task takes from the leader of its threads or (follow) from its parent. */
INLINE uint32_t inherited(struct task_struct *task)
{
	struct task_struct *from = task->group_leader;
	uint32_t *state;

	if (!config.by_tree)
		return 0;
	if (task == from) {
		if (!config.follow)
			return 0;
		from = task->real_parent;
	}
	state = from ? bpf_task_storage_get(&tasks, from, NULL, 0) : NULL;
	return state ? *state & ~CAP_TASK_NAMED : 0;
}

/* False: no room, the iterator will come again. */
INLINE bool tell_task(struct seq_file *seq, struct task_struct *task)
{
	struct cap_task t = {};

	t.tid = task->pid;
	t.tgid = task->tgid;
	t.ptid = BPF_CORE_READ(task, real_parent, tgid);
	t.uid = BPF_CORE_READ(task, cred, euid.val);
	t.gid = BPF_CORE_READ(task, cred, egid.val);
	bpf_probe_read_kernel_str(t.comm, sizeof(t.comm), &task->comm);
	return !bpf_seq_write(seq, &t, sizeof(t));
}

/* Tasks that exist already: marks the threads of watched processes, (follow) their children, and
 * those with the right name. Tells of those that it marks as watched; user space runs it until
 * new_marks stays the same. */
SEC("iter/task")
int mark_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	uint32_t *state, more, none = 0, has;

	if (!task)
		return 0;
	more = inherited(task);
	if (config.push & CAP_BY_COMM && named(task))
		more |= CAP_TASK_NAMED;
	if (!more)
		return 0;
	state = bpf_task_storage_get(&tasks, task, NULL, 0);
	has = state ? *state : 0;
	if (has & (CAP_TASK_WATCHED | CAP_TASK_AT_EXEC))
		more &= CAP_TASK_NAMED;
	if (!(more & ~has))
		return 0;
	/* told first: when there was no room for it, nothing has been done yet */
	if (more & ~CAP_TASK_NAMED && !tell_task(ctx->meta->seq, task))
		return 0;
	if (!state)
		state = bpf_task_storage_get(&tasks, task, &none, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state) {
		*state |= more;
		new_marks++;
	}
	return 0;
}

/* Tells of every task. */
SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		tell_task(ctx->meta->seq, task);
	return 0;
}

/* Time on the cpu of every wanted thread: a struct cap_cpu_time each. */
SEC("iter/task")
int cpu_times(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct cap_cpu_time t = {};
	uint64_t user, system, all;

	if (!task || !wanted((struct self){task}, false))
		return 0;
	user = task->utime;
	system = task->stime;
	all = task->se.sum_exec_runtime;
	if (!all)
		return 0;
	t.tid = task->pid;
	t.start_ns = task->start_boottime + config.epoch_offset;
	/* Which part was user time is sampled, how long it was is not. */
	t.user_ns = all / 1024 * (user / ((user + system) / 1024 + 1));
	t.system_ns = all - t.user_ns;
	bpf_seq_write(ctx->meta->seq, &t, sizeof(t));
	return 0;
}

#endif
