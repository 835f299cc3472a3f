/* Which tasks' events are sent. */
#ifndef BURIN_SELECT_BPF_H
#define BURIN_SELECT_BPF_H

#ifdef CAP_RAW
#include "marks_raw.bpf.h"
#else
#include "marks.bpf.h"
#endif

INLINE bool listed(const volatile uint32_t *list, uint32_t n, uint32_t v)
{
	for (uint32_t i = 0; i < CAP_MAX_PIDS; i++) {
		if (i >= n)
			break;
		if (list[i] == v)
			return true;
	}
	return false;
}

/* Whichever of its ids the tables have. */
INLINE bool right_uid(struct task_struct *task)
{
	const struct cred *c = BPF_CORE_READ(task, cred);

	return listed(config.uids, config.nuids, BPF_CORE_READ(c, euid.val)) ||
	       listed(config.uids, config.nuids, BPF_CORE_READ(c, uid.val)) ||
	       listed(config.uids, config.nuids, BPF_CORE_READ(c, suid.val)) ||
	       listed(config.uids, config.nuids, BPF_CORE_READ(c, fsuid.val));
}

/* The tables do not see when a thread renames itself: it counts as having either name. */
INLINE bool right_comm(struct self s)
{
	return named(s.task) || was_named(s);
}

/* Whether the filter can select an event of the current task. */
INLINE bool selected(struct self s)
{
	if (config.push & CAP_BY_PID && !listed(config.pids, config.npids, self_tgid(s)))
		return false;
	if (config.push & CAP_BY_UID && !right_uid(s.task))
		return false;
	if (config.push & CAP_BY_COMM && !right_comm(s))
		return false;
	if (config.push & CAP_BY_CGROUP && ancestor_cgroup(s, config.cgroup_level) != config.cgroup)
		return false;
	return !(config.push & CAP_BY_TIME) || now() % 1000000000 < config.slice_ns;
}

/* Is the task one that the capture is of? at_exec: it is about to run a new program. */
INLINE bool wanted(struct self s, bool at_exec)
{
	if (self_tgid(s) == own_tgid)
		return false;
	return !config.by_tree || self_in_tree(s, at_exec);
}

#endif
