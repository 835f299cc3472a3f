/* Which tasks are watched, where tasks have no storage: marks in hash maps.
 *
 * Processes are watched as wholes: by tgid, which survives that another thread than the first runs
 * a program and takes the first one's place. Names are those of threads: by tid. A mark goes when
 * the kernel frees its task, some time behind the end of it; by then another task may have the
 * number, so a mark holds when its task was started. */
#ifndef BURIN_MARKS_RAW_BPF_H
#define BURIN_MARKS_RAW_BPF_H

#include "work.bpf.h"

/* Not allocated as needed: from a tracepoint that is safe since 6.1 only. */
struct marks {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before loading */
	__type(key, uint32_t);
	__type(value, struct cap_mark);
};

struct marks watched SEC(".maps"); /* by tgid */
struct marks names SEC(".maps");   /* by tid */

uint32_t marks_lost; /* tasks that there was no room for */
uint64_t knock;	     /* see whoami */

INLINE bool tgid_in_tree(uint32_t tgid, bool at_exec)
{
	struct cap_mark *m = bpf_map_lookup_elem(&watched, &tgid);

	if (!m)
		return false;
	if (m->state & CAP_TASK_AT_EXEC && at_exec)
		m->state = CAP_TASK_WATCHED;
	return m->state & CAP_TASK_WATCHED;
}

INLINE bool in_tree(struct task_struct *task, bool at_exec)
{
	return tgid_in_tree(BPF_CORE_READ(task, tgid), at_exec);
}

INLINE bool self_in_tree(struct self s, bool at_exec)
{
	return tgid_in_tree(self_tgid(s), at_exec);
}

INLINE bool was_named(struct self s)
{
	uint32_t tid = self_tid(s);

	return bpf_map_lookup_elem(&names, &tid);
}

/* What bpf_get_current_ancestor_cgroup_id() gives: 0 if the group is not that deep. Not inline: the
 * stack of the callers is short. */
__noinline uint64_t cgroup_of(uint64_t task, uint32_t level)
{
	struct cgroup *group = BPF_CORE_READ((struct task_struct *)task, cgroups, dfl_cgrp);
	struct cgroup *above = NULL;
	uint64_t id = 0;

	if ((int)level > BPF_CORE_READ(group, level))
		return 0;
	if (!bpf_core_field_exists(group->ancestors)) {
		bpf_probe_read_kernel(&id, sizeof(id),
				      (char *)__builtin_preserve_access_index(
					      &((struct cgroup___old *)group)->ancestor_ids[0]) +
					      8 * level);
		return id;
	}
	bpf_probe_read_kernel(&above, sizeof(above),
			      (char *)__builtin_preserve_access_index(&group->ancestors[0]) +
				      8 * level);
	return BPF_CORE_READ(above, kn, id);
}

INLINE uint64_t ancestor_cgroup(struct self s, uint32_t level)
{
	return cgroup_of((uint64_t)s.task, level);
}

/* ---- life of a mark -------------------------------------------------------------------------- */

INLINE void mark(void *map, uint32_t number, uint32_t state, struct task_struct *task)
{
	struct cap_mark m = {.born = BPF_CORE_READ(task, start_boottime), .state = state};

	if (bpf_map_update_elem(map, &number, &m, BPF_ANY))
		marks_lost++;
}

/* The task is gone; one with the same number may have been started since. */
INLINE void unmark(void *map, uint32_t number, uint64_t born)
{
	struct cap_mark *m = bpf_map_lookup_elem(map, &number);

	if (m && (!m->born || m->born == born))
		bpf_map_delete_elem(map, &number);
}

/* A new process belongs to the tree of its parent, if it is to be followed. */
INLINE void mark_process(uint32_t parent, uint32_t tgid, struct task_struct *child)
{
	struct cap_mark *m = config.follow ? bpf_map_lookup_elem(&watched, &parent) : NULL;

	if (m)
		mark(&watched, tgid, m->state, child);
	else
		bpf_map_delete_elem(&watched, &tgid); /* of a task that had the number */
}

INLINE void mark_name(uint32_t tid, bool right, struct task_struct *task)
{
	if (right)
		mark(&names, tid, CAP_TASK_NAMED, task);
	else
		bpf_map_delete_elem(&names, &tid);
}

HOOK("sched_process_fork")
int BPF_PROG(task_fork, struct task_struct *parent, struct task_struct *child)
{
	uint32_t from = BPF_CORE_READ(parent, tgid), tgid = BPF_CORE_READ(child, tgid), tid;

	if (config.by_tree && from != tgid)
		mark_process(from, tgid, child);
	if (!(config.push & CAP_BY_COMM))
		return 0;
	tid = BPF_CORE_READ(parent, pid);
	mark_name(BPF_CORE_READ(child, pid), named(child) || bpf_map_lookup_elem(&names, &tid),
		  child);
	return 0;
}

/* A new program, which gives the task its name. before: its tid, unless it was the first thread. */
HOOK("sched_process_exec")
int BPF_PROG(task_exec, struct task_struct *task, uint32_t before)
{
	uint32_t tid = BPF_CORE_READ(task, pid);

	in_tree(task, true);
	if (!(config.push & CAP_BY_COMM))
		return 0;
	mark_name(tid, named(task), task);
	if (before != tid)
		bpf_map_delete_elem(&names, &before);
	return 0;
}

HOOK("sched_process_free")
int BPF_PROG(task_free, struct task_struct *task)
{
	uint32_t tid = BPF_CORE_READ(task, pid);
	uint64_t born = BPF_CORE_READ(task, start_boottime);

	if (tid == (uint32_t)BPF_CORE_READ(task, tgid))
		unmark(&watched, tid, born);
	unmark(&names, tid, born);
	return 0;
}

#endif
