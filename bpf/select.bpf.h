/* Which tasks' events are sent. */
#ifndef BURIN_SELECT_BPF_H
#define BURIN_SELECT_BPF_H

#include "marks.bpf.h"

/* The group of the current task at that depth; 0 if it is not that deep. */
#ifdef CAP_RAW
/* Not inline: the stack of the callers is short. */
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
#else
INLINE uint64_t ancestor_cgroup(struct self s, uint32_t level)
{
	return bpf_get_current_ancestor_cgroup_id(level);
}
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
	return !config.by_tree || tgid_in_tree(self_tgid(s), at_exec);
}

#endif
