/* Iterators over the tasks of the machine: what user space learns from them. Form tp_btf; where
 * there are none /proc takes their place. */
#ifndef BURIN_ITER_BPF_H
#define BURIN_ITER_BPF_H

#include "select.bpf.h"

/* Processes that user space names by a descriptor: it may not know their numbers in the initial
 * namespace. mark_tasks marks them. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, uint32_t); /* CAP_TASK_* */
} tasks SEC(".maps");

uint32_t new_marks; /* that mark_tasks has set */

/* Marks an existing process that is named, or is the child of one that is followed. */
INLINE void mark_process(struct task_struct *task)
{
	uint32_t *named_by_user = bpf_task_storage_get(&tasks, task, NULL, 0), add = 0;
	uint8_t *m = mark_of(task->tgid);

	if (!m || *m & (CAP_TASK_WATCHED | CAP_TASK_AT_EXEC))
		return;
	if (named_by_user)
		add = *named_by_user;
	else if (config.follow && task->real_parent)
		add = mark_get(task->real_parent->tgid) & (CAP_TASK_WATCHED | CAP_TASK_AT_EXEC);
	if (!add)
		return;
	*m |= add;
	new_marks++;
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

/* Tasks that exist already: marks the processes that are named, (follow) their children, and those
 * threads with the right name. Tells of the threads in the tree; user space runs it until new_marks
 * stays the same. */
SEC("iter/task")
int mark_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	uint8_t *m, add = 0;

	if (!task)
		return 0;
	m = mark_of(task->pid);
	if (!m)
		return 0;
	if (config.by_tree && task == task->group_leader)
		mark_process(task);
	if (config.push & CAP_BY_COMM && !(*m & CAP_TASK_NAMED) && named(task))
		add |= CAP_TASK_NAMED;
	if (config.by_tree && !(*m & CAP_TASK_TOLD) &&
	    mark_get(task->tgid) & (CAP_TASK_WATCHED | CAP_TASK_AT_EXEC))
		add |= CAP_TASK_TOLD;
	/* told first: when there was no room for it, nothing has been done yet */
	if (!add || (add & CAP_TASK_TOLD && !tell_task(ctx->meta->seq, task)))
		return 0;
	*m |= add;
	new_marks++;
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
