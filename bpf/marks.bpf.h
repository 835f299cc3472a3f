/* Which tasks are watched: marks in the tasks' own storage, set by user space through a pidfd, by
 * the programs below and, for tasks that exist already, by iterators. Form tp_btf; marks_raw.bpf.h
 * is the other. */
#ifndef BURIN_MARKS_BPF_H
#define BURIN_MARKS_BPF_H

#include "work.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, uint32_t); /* CAP_TASK_* */
} tasks SEC(".maps");

uint32_t new_marks; /* tasks that mark_tasks has added */

INLINE bool in_tree(struct task_struct *task, bool at_exec)
{
	uint32_t *state = bpf_task_storage_get(&tasks, task, NULL, 0);

	if (!state)
		return false;
	if (*state & CAP_TASK_AT_EXEC && at_exec)
		*state = (*state & CAP_TASK_NAMED) | CAP_TASK_WATCHED;
	return *state & CAP_TASK_WATCHED;
}

INLINE bool self_in_tree(struct self s, bool at_exec)
{
	return in_tree(s.task, at_exec);
}

/* Had it the right name when it was started or ran its program? */
INLINE bool was_named(struct self s)
{
	uint32_t *state = bpf_task_storage_get(&tasks, s.task, NULL, 0);

	return state && *state & CAP_TASK_NAMED;
}

INLINE uint64_t ancestor_cgroup(struct self s, uint32_t level)
{
	return bpf_get_current_ancestor_cgroup_id(level);
}

/* A new task: what it takes from its parent. */
HOOK("sched_process_fork")
int BPF_PROG(task_fork, struct task_struct *parent, struct task_struct *child)
{
	uint32_t *state = bpf_task_storage_get(&tasks, parent, NULL, 0), copy = 0;

	if (state)
		copy = config.follow || parent->tgid == child->tgid ? *state
								    : *state & CAP_TASK_NAMED;
	if (config.push & CAP_BY_COMM && named(child))
		copy |= CAP_TASK_NAMED;
	if (copy)
		bpf_task_storage_get(&tasks, child, &copy, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

/* A new program, which gives the task its name. The capture may begin here: its enter event did
 * that already (in_tree), unless nobody asked for it. */
HOOK("sched_process_exec")
int BPF_PROG(task_exec, struct task_struct *task)
{
	bool right = config.push & CAP_BY_COMM && named(task);
	uint32_t none = 0, *state;

	state = bpf_task_storage_get(&tasks, task, right ? &none : NULL,
				     right ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (!state)
		return 0;
	in_tree(task, true);
	*state = (*state & ~CAP_TASK_NAMED) | (right ? CAP_TASK_NAMED : 0);
	return 0;
}

#endif
