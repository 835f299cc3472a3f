/* Facts about processes: the events of clone, fork, vfork, clone3, execve and execveat. */
#ifndef BURIN_TASK_BPF_H
#define BURIN_TASK_BPF_H

#include "params.bpf.h"

enum {
	PID_TGID = 1,
	PID_PGID = 2,
	PID_SID = 3,
	RLIMIT_NOFILE = 7,
	EXEC_N029 = 20,
	CLONE_N029 = 20
};
enum { EXE_WRITABLE = 1, CAP_DAC_OVERRIDE = 1, SB_RDONLY = 1 };
enum { PPM_CHILD_IN_PIDNS = 0x20000000 };

INLINE struct task_struct *me(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/* Number of a pid in the innermost namespace it lives in. */
INLINE int pid_vnr(struct pid *p)
{
	uint32_t level = BPF_CORE_READ(p, level);
	struct upid u = {};

	bpf_core_read(&u, bpf_core_type_size(struct upid), &p->numbers[0]);
	if (level)
		bpf_probe_read_kernel(&u, bpf_core_type_size(struct upid) & 31,
				      (char *)&p->numbers[0] +
					      (level & 31) * bpf_core_type_size(struct upid));
	return u.nr;
}

INLINE int signal_pid_vnr(struct task_struct *t, int type)
{
	return pid_vnr(BPF_CORE_READ(t, signal, pids[type]));
}

/* ---- arguments and environment -----------------------------------------------------------------
 */

/* Text area [start, end) of user memory. */
INLINE uint32_t put_area(struct work *w, uint32_t off, uint64_t start, uint64_t end)
{
	uint64_t n = end > start ? end - start : 0;

	if (n > CAP_TEXT_MAX)
		n = CAP_TEXT_MAX;
	n &= 2 * CAP_TEXT_MAX - 1;
	if (!n || bpf_probe_read_user(at(w, off), n, (void *)start))
		return 0;
	if (n == CAP_TEXT_MAX)
		*at(w, off + CAP_TEXT_MAX - 1) = 0;
	return n;
}

/* Two parameters, exe (first argument) and args (the others), from the memory of the process. */
INLINE void put_mm_args(struct work *w, struct mm_struct *mm)
{
	uint64_t start = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
	long n = 0;

	if (mm)
		n = bpf_probe_read_user_str(at(w, w->off), CAP_TEXT_MAX, (void *)start);
	if (n <= 0) {
		put_na(w);
		param_end(w, 0);
		return;
	}
	param_end(w, n);
	param_end(w, put_area(w, w->off, start + n, end));
}

enum { ARGV_MAX = 128 };

INLINE uint32_t pointer_size(const struct work *w)
{
	return w->compat ? 4 : 8;
}

/* One text of a vector of pointers, at most left bytes. Returns its length, STOP at the end. */
__noinline uint32_t put_vector_entry(uint32_t cpu, uint32_t off, uint64_t p, uint32_t left)
{
	struct work *w = work_get(cpu);
	uint64_t text = 0;
	long n;

	if (!w || !left || bpf_probe_read_user(&text, pointer_size(w), (void *)p) || !text)
		return STOP;
	n = bpf_probe_read_user_str(at(w, off), left & (2 * CAP_TEXT_MAX - 1), (void *)text);
	return n > 0 ? n : STOP;
}

/* The texts of a vector of pointers (argv, envp) in user memory from element first on, back to
 * back. */
__noinline uint32_t put_vector(uint32_t cpu, uint32_t off, uint64_t vector, uint32_t first)
{
	struct work *w = work_get(cpu);
	uint32_t got = 0, n, size;

	if (!w)
		return 0;
	size = pointer_size(w);
	for (uint32_t i = 0; i < ARGV_MAX; i++) {
		n = put_vector_entry(cpu, off + got, vector + (uint64_t)size * (first + i),
				     got < CAP_TEXT_MAX ? CAP_TEXT_MAX - got : 0);
		if (n == STOP)
			break;
		got += n;
	}
	return got & BUF_MASK;
}

/* exe and args of an execve that failed: from its arguments. */
INLINE void put_argv(struct work *w, uint32_t cpu, uint64_t argv)
{
	uint64_t p = 0;
	long n = 0;

	if (!bpf_probe_read_user(&p, pointer_size(w), (void *)argv))
		n = bpf_probe_read_user_str(at(w, w->off), CAP_TEXT_MAX, (void *)p);
	if (n > 0)
		param_end(w, n);
	else
		put_na(w);
	param_end(w, put_vector(cpu, w->off, argv, 1));
}

/* ---- cgroups --------------------------------------------------------------------------------- */

INLINE uint32_t put_cgroup_name(uint8_t *p, uint32_t subsys)
{
	/* A text of at most eight bytes: little-endian. */
	static const uint64_t names[5] = {
		0x3d746573757063ull /* cpuset= */,    0x3d757063 /* cpu= */,
		0x3d74636361757063ull /* cpuacct= */, 0x3d6f69 /* io= */,
		0x3d79726f6d656dull /* memory= */,
	};
	static const uint8_t lens[5] = {7, 4, 8, 3, 7};

	if (subsys >= 5)
		return 0;
	*(uint64_t *)p = names[subsys];
	return lens[subsys];
}

INLINE int subsys_index(uint32_t subsys)
{
	switch (subsys) {
#define ID(name)                                                                   \
	(bpf_core_enum_value_exists(enum cgroup_subsys_id, name##_cgrp_id)         \
		 ? (int)bpf_core_enum_value(enum cgroup_subsys_id, name##_cgrp_id) \
		 : -1)
	case 0:
		return ID(cpuset);
	case 1:
		return ID(cpu);
	case 2:
		return ID(cpuacct);
	case 3:
		return ID(io);
	case 4:
		return ID(memory);
#undef ID
	}
	return -1;
}

INLINE struct kernfs_node *cgroup_node(struct css_set *set, uint32_t subsys)
{
	struct cgroup_subsys_state *css = NULL;
	int i = subsys_index(subsys);

	if (i < 0 || i > 31)
		return NULL;
	bpf_probe_read_kernel(&css, sizeof(css), (char *)&set->subsys[0] + i * sizeof(void *));
	return BPF_CORE_READ(css, cgroup, kn);
}

/* "subsystem=path" texts, back to back. The v2 group comes last, and only if no controller is in
 * it. */
__noinline uint32_t put_cgroups(uint32_t cpu, uint32_t off)
{
	struct work *w = work_get(cpu);
	struct css_set *set = BPF_CORE_READ(me(), cgroups);
	struct kernfs_node *kn, *last = NULL, *v2 = BPF_CORE_READ(set, dfl_cgrp, kn);
	uint32_t begin = off, last_off = 0, last_len = 0, n;
	bool v2_seen = false;

	if (!w)
		return 0;
	for (uint32_t s = 0; s < 6; s++) {
		kn = s < 5 ? cgroup_node(set, s) : v2_seen ? NULL : v2;
		if (!kn || off - begin > CAP_TEXT_MAX)
			continue;
		if (s < 5) {
			off += put_cgroup_name(at(w, off), s);
		} else {
			*(uint64_t *)at(w, off) = 0x3d64656966696e75ull; /* unified= */
			off += 8;
		}
		if (kn == last) {
			n = last_len & (2 * CAP_TEXT_MAX - 1);
			bpf_probe_read_kernel(at(w, off), n, at(w, last_off));
		} else {
			n = path_of_kernfs(cpu, off, (uint64_t)kn);
		}
		v2_seen |= kn == v2;
		last = kn;
		last_off = off;
		last_len = n;
		off += n;
	}
	return off - begin;
}

/* ---- parts that both kinds of events have ---------------------------------------------------- */

/* tid, pid, ptid, cwd, fdlimit, page faults, vm sizes, comm, cgroups */
INLINE void put_common(struct work *w, uint32_t cpu, struct task_struct *t, struct mm_struct *mm)
{
	uint8_t *comm;

	put_u64(w, BPF_CORE_READ(t, pid));
	put_u64(w, BPF_CORE_READ(t, tgid));
	put_u64(w, BPF_CORE_READ(t, real_parent, pid));
	put_empty(w); /* the directory is known from chdir events */
	put_u64(w, BPF_CORE_READ(t, signal, rlim[RLIMIT_NOFILE].rlim_cur));
	put_u64(w, BPF_CORE_READ(t, maj_flt));
	put_u64(w, BPF_CORE_READ(t, min_flt));
	put_u32(w, vm_kb(mm, 0));
	put_u32(w, vm_kb(mm, 1));
	put_u32(w, vm_kb(mm, 2));
	comm = at(w, w->off);
	*(uint64_t *)comm = 0;
	param_end(w, bpf_probe_read_kernel_str(comm, 16, &t->comm) & 31);
	param_end(w, put_cgroups(cpu, w->off));
}

/* ---- clone ----------------------------------------------------------------------------------- */

INLINE uint64_t clone_flags(struct work *w)
{
	switch (w->filler) {
	case CAP_FILL_FORK:
		return 0;
	case CAP_FILL_VFORK:
		return 0x4100; /* CLONE_VFORK | CLONE_VM */
	case CAP_FILL_CLONE3:
		return user_u64(w->args[0], 0);
	}
	return w->args[0] & 0xffffffff;
}

INLINE uint32_t clone_ppm_flags(struct work *w, struct task_struct *t)
{
	uint32_t flags = mapped(CAP_MAP_CLONE_FLAGS, clone_flags(w) & ~0xffull);

	if (BPF_CORE_READ(t, thread_pid, level) ||
	    BPF_CORE_READ(t, nsproxy, pid_ns_for_children) !=
		    BPF_CORE_READ(t, thread_pid, numbers[0].ns))
		flags |= PPM_CHILD_IN_PIDNS;
	return flags;
}

__noinline uint32_t fill_clone(uint32_t cpu)
{
	struct work *w = work_get(cpu);
	struct task_struct *t = me();
	struct mm_struct *mm = BPF_CORE_READ(t, mm);
	uint32_t n = config.all_params ? CLONE_N029 + 1 : CLONE_N029;

	if (!w)
		return 0;
	params_begin(w, n);
	put_u64(w, w->args[ARG_RET]);
	put_mm_args(w, mm);
	put_common(w, cpu, t, mm);
	put_u32(w, clone_ppm_flags(w, t));
	put_u32(w, BPF_CORE_READ(t, cred, euid.val));
	put_u32(w, BPF_CORE_READ(t, cred, egid.val));
	put_u64(w, pid_vnr(BPF_CORE_READ(t, thread_pid)));
	put_u64(w, signal_pid_vnr(t, PID_TGID));
	if (config.all_params)
		put_u64(w, 0);
	return w->off;
}

/* ---- execve ---------------------------------------------------------------------------------- */

/* May the process write its own program? As far as owner, mode and capabilities tell. */
INLINE bool exe_writable(struct task_struct *t, struct inode *ino)
{
	const struct cred *c = BPF_CORE_READ(t, cred);
	uint32_t mode = BPF_CORE_READ(ino, i_mode);
	uint64_t caps = 0;

	if (!ino || BPF_CORE_READ(ino, i_sb, s_flags) & SB_RDONLY)
		return false;
	bpf_core_read(&caps, 8, &c->cap_effective);
	if (caps >> CAP_DAC_OVERRIDE & 1)
		return true;
	if (BPF_CORE_READ(c, fsuid.val) == BPF_CORE_READ(ino, i_uid.val))
		return mode & 0200;
	if (BPF_CORE_READ(c, fsgid.val) == BPF_CORE_READ(ino, i_gid.val))
		return mode & 0020;
	return mode & 0002;
}

INLINE uint32_t tty_number(struct task_struct *t)
{
	struct tty_struct *tty = BPF_CORE_READ(t, signal, tty);
	uint32_t minor;

	if (!tty)
		return 0;
	minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
	return encode_dev((uint32_t)BPF_CORE_READ(tty, driver, major) << 20 | (minor & 0xfffff));
}

INLINE uint32_t login_uid(struct task_struct *t)
{
	return bpf_core_field_exists(t->loginuid) ? BPF_CORE_READ(t, loginuid.val) : (uint32_t)-1;
}

INLINE uint64_t inode_time(struct inode *ino, bool change)
{
	struct timespec64 ts = {};

	if (bpf_core_field_exists(ino->i_mtime_sec))
		return change ? BPF_CORE_READ(ino, i_ctime_sec) * 1000000000 +
					BPF_CORE_READ(ino, i_ctime_nsec)
			      : BPF_CORE_READ(ino, i_mtime_sec) * 1000000000 +
					BPF_CORE_READ(ino, i_mtime_nsec);
	if (change)
		bpf_core_read(&ts, sizeof(ts), &((struct inode___old *)ino)->i_ctime);
	else
		bpf_core_read(&ts, sizeof(ts), &((struct inode___old *)ino)->i_mtime);
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

INLINE void put_cap(struct work *w, const kernel_cap_t *c)
{
	uint64_t v = 0;

	bpf_probe_read_kernel(&v, 8, c);
	put_u64(w, v);
}

/* What the newest schema has behind 0.29.3's parameters. */
INLINE void put_exec_new(struct work *w, uint32_t cpu, struct task_struct *t, struct file *exe)
{
	struct inode *ino = BPF_CORE_READ(exe, f_inode);
	const struct cred *c = BPF_CORE_READ(t, cred);

	put_cap(w, &c->cap_inheritable);
	put_cap(w, &c->cap_permitted);
	put_cap(w, &c->cap_effective);
	put_u64(w, BPF_CORE_READ(ino, i_ino));
	put_u64(w, inode_time(ino, true));
	put_u64(w, inode_time(ino, false));
	put_u32(w, BPF_CORE_READ(c, euid.val));
	param_end(w, exe ? path_of_file(cpu, w->off, (uint64_t)exe) : 0);
	put_u64(w, signal_pid_vnr(t, PID_PGID));
	put_u32(w, BPF_CORE_READ(c, egid.val));
}

__noinline uint32_t fill_execve(uint32_t cpu)
{
	struct work *w = work_get(cpu);
	struct task_struct *t = me();
	struct mm_struct *mm = BPF_CORE_READ(t, mm);
	struct file *exe = BPF_CORE_READ(mm, exe_file);
	uint32_t n = EXEC_N029, shift;
	bool failed;

	if (!w)
		return 0;
	failed = (int64_t)w->args[ARG_RET] < 0;
	shift = w->filler == CAP_FILL_EXECVEAT; /* arguments stand one further */
	if (config.all_params)
		n += shift ? 10 : 11;
	params_begin(w, n);
	put_u64(w, w->args[ARG_RET]);
	if (failed)
		put_argv(w, cpu, w->args[(1 + shift) & 7]);
	else
		put_mm_args(w, mm);
	put_common(w, cpu, t, mm);
	if (failed)
		param_end(w, put_vector(cpu, w->off, w->args[(2 + shift) & 7], 0));
	else
		param_end(w, put_area(w, w->off, BPF_CORE_READ(mm, env_start),
				      BPF_CORE_READ(mm, env_end)));
	put_u32(w, tty_number(t));
	put_u64(w, signal_pid_vnr(t, PID_PGID));
	put_u32(w, login_uid(t));
	put_u32(w, exe_writable(t, BPF_CORE_READ(exe, f_inode)) ? EXE_WRITABLE : 0);
	if (config.all_params) {
		put_exec_new(w, cpu, t, exe);
		if (!shift)
			param_end(w, failed ? put_text(w, w->off, w->args[0]) : 0);
	}
	return w->off;
}

#endif
