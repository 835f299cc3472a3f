/* Which tasks are watched: a byte for every number that a task can have in the initial pid
 * namespace, looked up without calling anything.
 *
 * Processes are watched as wholes, by tgid, which survives that another thread than the first runs
 * a program and takes the first one's place. Names are those of threads, by tid. Nothing is cleared
 * when a task ends: the byte of a new one is set before it runs. The threads that the kernel makes
 * for a process (io_uring) are not announced: they may have the name of another, so that more is
 * sent than the filter accepts.
 *
 * The byte of a new task is written by its parent, later by the task; user space adds marks at the
 * start, and looks again until nothing is missing, since the programs do not add atomically. */
#ifndef BURIN_MARKS_BPF_H
#define BURIN_MARKS_BPF_H

#include "work.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CAP_MARK_PARTS);
	__type(key, uint32_t);
	__type(value, struct cap_marks);
} marks SEC(".maps");

INLINE uint8_t *mark_of(uint32_t number)
{
	uint32_t part = number / CAP_MARKS;
	struct cap_marks *m = bpf_map_lookup_elem(&marks, &part);

	return m ? &m->of[index_of(number, CAP_MARKS)] : NULL;
}

INLINE uint8_t mark_get(uint32_t number)
{
	uint8_t *m = mark_of(number);

	return m ? *m : 0;
}

INLINE bool tgid_in_tree(uint32_t tgid, bool at_exec)
{
	uint8_t *m = mark_of(tgid);

	if (!m)
		return false;
	if (at_exec && *m & CAP_TASK_AT_EXEC)
		*m = (*m & ~CAP_TASK_AT_EXEC) | CAP_TASK_WATCHED;
	return *m & CAP_TASK_WATCHED;
}

INLINE bool in_tree(struct task_struct *task, bool at_exec)
{
	return tgid_in_tree(GET(task, tgid), at_exec);
}

/* Had it the right name when it was started or ran its program? */
INLINE bool was_named(struct self s)
{
	return mark_get(self_tid(s)) & CAP_TASK_NAMED;
}

/* ---- life of a mark -------------------------------------------------------------------------- */

/* What a new task takes from its parent: of a process that is followed its children belong to the
 * tree, and its threads do whatever they are marked. */
INLINE uint8_t inherited(struct task_struct *parent, struct task_struct *child)
{
	uint8_t tree = mark_get(GET(parent, tgid)) & (CAP_TASK_WATCHED | CAP_TASK_AT_EXEC), m = 0;

	if (tree && GET(parent, tgid) == GET(child, tgid))
		m = CAP_TASK_TOLD;
	else if (tree && config.follow)
		m = tree | CAP_TASK_TOLD;
	if (config.push & CAP_BY_COMM &&
	    (named(child) || mark_get(GET(parent, pid)) & CAP_TASK_NAMED))
		m |= CAP_TASK_NAMED;
	return m;
}

HOOK("sched_process_fork")
int BPF_PROG(task_fork, struct task_struct *parent, struct task_struct *child)
{
	uint8_t *m = mark_of(GET(child, pid));

	if (m)
		*m = inherited(parent, child);
	return 0;
}

/* A new program, which gives the task its name. The capture may begin here: its enter event did
 * that already, unless nobody asked for it. before: its tid, if it was not the first thread. */
HOOK("sched_process_exec")
int BPF_PROG(task_exec, struct task_struct *task, uint32_t before)
{
	uint32_t tid = GET(task, pid);
	uint8_t *m = mark_of(tid), *old = mark_of(before);

	in_tree(task, true);
	if (!(config.push & CAP_BY_COMM) || !m)
		return 0;
	if (before != tid && old)
		*old = 0;
	*m = (*m & ~CAP_TASK_NAMED) | (named(task) ? CAP_TASK_NAMED : 0);
	return 0;
}

#endif
