// SPDX-License-Identifier: GPL-2.0
/* Kernel side of live capture: turns system calls and a few other tracepoints into events of the
 * trace format (capture.h) and puts them into the ring of the cpu they happen on. */
#include "task.bpf.h"

enum { TS_COMPAT = 2, PF_EXITING = 4, NR_NONE = CAP_MAX_NR - 1 };

/* ---- which tasks ----------------------------------------------------------------------------- */

INLINE bool in_tree(struct task_struct *task, bool at_exec)
{
	uint32_t *state = bpf_task_storage_get(&tasks, task, NULL, 0);

	if (!state)
		return false;
	if (*state & CAP_TASK_AT_EXEC && at_exec)
		*state = (*state & CAP_TASK_NAMED) | CAP_TASK_WATCHED;
	return *state & CAP_TASK_WATCHED;
}

/* Every helper that is called costs its return (some 5 ns where returns are protected against
 * speculation), so the current task is asked for once and its ids are read from it. */

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

/* Has it the name just now? */
INLINE bool named(struct task_struct *task)
{
	uint64_t comm[2] = {};

	bpf_core_read(comm, sizeof(comm), &task->comm);
	return !((comm[0] ^ config.comm[0]) & config.comm_mask[0]) &&
	       !((comm[1] ^ config.comm[1]) & config.comm_mask[1]);
}

/* The tables do not see when a thread renames itself: it counts as having either name. */
INLINE bool right_comm(struct task_struct *task)
{
	uint32_t *state;

	if (named(task))
		return true;
	state = bpf_task_storage_get(&tasks, task, NULL, 0);
	return state && *state & CAP_TASK_NAMED;
}

/* Whether the filter can select an event of the current task. */
INLINE bool selected(struct task_struct *task)
{
	if (config.push & CAP_BY_PID && !listed(config.pids, config.npids, task->tgid))
		return false;
	if (config.push & CAP_BY_UID && !right_uid(task))
		return false;
	if (config.push & CAP_BY_COMM && !right_comm(task))
		return false;
	if (config.push & CAP_BY_CGROUP &&
	    bpf_get_current_ancestor_cgroup_id(config.cgroup_level) != config.cgroup)
		return false;
	return !(config.push & CAP_BY_TIME) || now() % 1000000000 < config.slice_ns;
}

/* Is the task one that the capture is of? at_exec: it is about to run a new program. */
INLINE bool wanted(struct task_struct *task, bool at_exec)
{
	if (task->tgid == (int)own_tgid)
		return false;
	return !config.by_tree || in_tree(task, at_exec);
}

/* ---- system calls ---------------------------------------------------------------------------- */

/* The work area of the cpu, taken; NULL if a program is using it. Tracepoints run with preemption
 * off, so that does not happen today; if it ever does the event is counted as lost. */
INLINE struct work *work_take(uint32_t cpu)
{
	struct work *w = work_get(cpu);
	struct cap_counts *c;

	if (w && !w->busy) {
		w->busy = 1;
		return w;
	}
	c = counts_get(cpu);
	if (c) {
		c->nested++;
		c->lost++;
	}
	return NULL;
}

INLINE void load_args(struct work *w, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_arm64)
	w->args[0] = regs->orig_x0;
	w->args[1] = regs->regs[1];
	w->args[2] = regs->regs[2];
	w->args[3] = regs->regs[3];
	w->args[4] = regs->regs[4];
	w->args[5] = regs->regs[5];
#else
	w->args[0] = regs->di;
	w->args[1] = regs->si;
	w->args[2] = regs->dx;
	w->args[3] = regs->r10;
	w->args[4] = regs->r8;
	w->args[5] = regs->r9;
#endif
}

/* ---- 32-bit programs: other numbers, other registers; socketcall stands for many calls ---- */

#if defined(__TARGET_ARCH_arm64)
INLINE bool is_compat(struct task_struct *task)
{
	return false; /* 32-bit programs of arm have their own numbers, which no table here knows */
}
INLINE void load_args_32(struct work *w, struct pt_regs *regs) {}
INLINE uint32_t call_32(struct pt_regs *regs, uint32_t nr)
{
	return NR_NONE;
}
#else
INLINE bool is_compat(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}

INLINE void load_args_32(struct work *w, struct pt_regs *regs)
{
	w->args[0] = (uint32_t)regs->bx;
	w->args[1] = (uint32_t)regs->cx;
	w->args[2] = (uint32_t)regs->dx;
	w->args[3] = (uint32_t)regs->si;
	w->args[4] = (uint32_t)regs->di;
	w->args[5] = (uint32_t)regs->bp;
}

/* Which of calls number nr of a 32-bit program is. */
INLINE uint32_t call_32(struct pt_regs *regs, uint32_t nr)
{
	uint32_t i = nr < CAP_MAX_NR ? calls_32[index_of(nr, CAP_MAX_NR)] : NR_NONE;

	if (i == nr_socketcall && (uint32_t)regs->bx < CAP_MAX_SOCKETCALL)
		return socketcalls[index_of(regs->bx, CAP_MAX_SOCKETCALL)];
	return i;
}
#endif

/* The arguments of socketcall are in memory. */
__noinline int load_socketcall(uint32_t cpu, uint64_t p)
{
	struct work *w = work_get(cpu);
	uint32_t a[6] = {};

	/* a call with fewer arguments may stand at the end of a page */
	if (!w || (bpf_probe_read_user(a, sizeof(a), (void *)p) &&
		   bpf_probe_read_user(a, sizeof(a) / 2, (void *)p)))
		return 0;
	for (int i = 0; i < 6; i++)
		w->args[i] = a[i];
	return 0;
}

INLINE void load_compat(struct work *w, uint32_t cpu, struct pt_regs *regs, uint32_t nr)
{
	load_args_32(w, regs);
	w->compat = 1;
	if (nr < CAP_MAX_NR && calls_32[index_of(nr, CAP_MAX_NR)] == nr_socketcall)
		load_socketcall(cpu, w->args[1]);
}

/* ---- one call ---- */

/* A generic event: id of the call and, on enter, its number. */
INLINE uint32_t fill_generic(struct work *w, const struct cap_call *call, long nr)
{
	bool both = w->idx == 2;
	uint8_t *p = w->buf + CAP_HEADER;

	*(uint32_t *)p = 0x00020002;
	p += both ? 4 : 2;
	*(uint16_t *)p = call->sc;
	*(uint16_t *)(p + 2) = nr;
	return both ? CAP_HEADER + 8 : CAP_HEADER + 4;
}

__noinline uint32_t fill_task(uint32_t cpu, uint32_t filler)
{
	return filler >= CAP_FILL_EXECVE ? fill_execve(cpu) : fill_clone(cpu);
}

INLINE void emit_call(uint32_t cpu, struct work *w, uint32_t tid, uint32_t i, long raw, bool leave)
{
	const struct cap_call *call = &calls[index_of(i, CAP_MAX_CALLS)];
	const struct cap_event *ev = leave ? &call->exit : &call->enter;
	uint32_t len;

	w->idx = ev->n;
	if (!ev->filler) {
		w->nr = i;
		len = fill_event(w, cpu, ev, leave);
	} else if (ev->filler == CAP_FILL_GENERIC) {
		len = fill_generic(w, call, raw);
	} else {
		w->filler = ev->filler;
		len = fill_task(cpu, ev->filler);
	}
	if (!len || len > CAP_EVENT_MAX)
		return;
	header(w->buf, now(), tid, len, ev->type, w->idx);
	send(cpu, w->buf, len & BUF_MASK, ev->type);
}

/* Which of calls this is. */
INLINE uint32_t which_call(struct pt_regs *regs, long id, bool compat, bool leave)
{
	/* sigreturn restores the registers of the interrupted call, number included. */
	if (leave && id == -1)
		return CAP_NR_SIGRETURN;
	if (compat)
		return call_32(regs, id);
	return (unsigned long)id < NR_NONE ? id : NR_NONE;
}

/* Calls that nobody asked for end here: before anything is asked of the kernel. */
INLINE bool asked_for(long id, bool leave)
{
	uint64_t nr = (unsigned long)id < NR_NONE ? id : NR_NONE;

	return nr_on[index_of(nr, CAP_MAX_NR)] >> leave & 1;
}

INLINE int on_call(struct pt_regs *regs, long id, long ret, bool leave)
{
	struct task_struct *task;
	struct work *w;
	uint32_t i, cpu;
	bool compat;
	uint8_t on;

	if (!asked_for(id, leave))
		return 0;
	task = bpf_get_current_task_btf();
	compat = is_compat(task);
	i = which_call(regs, id, compat, leave);
	on = call_on[index_of(i, CAP_MAX_CALLS)] >> leave;
	if (!(on & 1))
		return 0;
	if (!(on & 4) && !selected(task))
		return 0;
	if (!wanted(task,
		    !leave && calls[index_of(i, CAP_MAX_CALLS)].exit.filler >= CAP_FILL_EXECVE))
		return 0;
	cpu = bpf_get_smp_processor_id();
	w = work_take(cpu);
	if (!w)
		return 0;
	if (compat) {
		load_compat(w, cpu, regs, id);
	} else {
		load_args(w, regs);
		w->compat = 0;
	}
	w->args[ARG_RET] = ret;
	emit_call(cpu, w, task->pid, i, id, leave);
	w->busy = 0;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_enter, struct pt_regs *regs, long id)
{
	return on_call(regs, id, 0, false);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_exit, struct pt_regs *regs, long ret)
{
#if defined(__TARGET_ARCH_arm64)
	return on_call(regs, regs->syscallno, ret, true);
#else
	return on_call(regs, (int)regs->orig_ax, ret, true);
#endif
}

/* ---- processes ------------------------------------------------------------------------------- */

/* A new task: what it takes from its parent. */
SEC("tp_btf/sched_process_fork")
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
SEC("tp_btf/sched_process_exec")
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

	if (!task || !wanted(task, false))
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

/* Where a short event with n parameters is put together; its parameters come behind the length
 * array. */
INLINE uint8_t *small_get(uint32_t cpu, uint32_t slot)
{
	struct work *w = work_get(cpu);

	return w ? w->small[slot & 1] : NULL;
}

INLINE void small_send(uint32_t cpu, uint8_t *p, uint32_t len, uint16_t type, uint32_t nparams)
{
	header(p, now(), bpf_get_current_pid_tgid(), len, type, nparams);
	send(cpu, p, len, type);
}

INLINE void small_lens(uint8_t *p, uint64_t first, uint64_t more)
{
	*(uint64_t *)(p + CAP_HEADER) = first;
	*(uint32_t *)(p + CAP_HEADER + 8) = more;
}

/* status, return value, signal, core */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(task_exit, struct task_struct *task)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *p;
	int status;

	if (!type_on[EV_PROCEXIT_1_E] || !wanted(bpf_get_current_task_btf(), false))
		return 0;
	p = small_get(cpu, 0);
	if (!p)
		return 0;
	status = BPF_CORE_READ(task, exit_code);
	small_lens(p, 0x0001000100080008, 0);
	*(int64_t *)(p + 34) = status;
	*(int64_t *)(p + 42) = status & 0x7f ? 0 : status >> 8 & 0xff;
	p[50] = status & 0x7f;
	p[51] = status & 0x80 ? 1 : 0;
	small_send(cpu, p, CAP_HEADER + 8 + 18, EV_PROCEXIT_1_E, 4);
	return 0;
}

/* The thread that runs next, page faults and memory of the one that ran. */
SEC("tp_btf/sched_switch")
int BPF_PROG(task_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *p;
	struct mm_struct *mm;

	/* Behind its exit event a thread is no more. */
	if (prev->flags & PF_EXITING)
		return 0;
	if (!type_on[EV_SCHEDSWITCH_6_E] || !selected(bpf_get_current_task_btf()) ||
	    !wanted(bpf_get_current_task_btf(), false))
		return 0;
	p = small_get(cpu, 0);
	if (!p)
		return 0;
	mm = BPF_CORE_READ(prev, mm);
	small_lens(p, 0x0004000800080008, 0x00040004);
	/* A capture of some processes tells nothing about the others. */
	if (config.by_tree && !in_tree(next, false))
		*(int64_t *)(p + 38) = -1;
	else
		*(int64_t *)(p + 38) = BPF_CORE_READ(next, pid);
	*(uint64_t *)(p + 46) = BPF_CORE_READ(prev, maj_flt);
	*(uint64_t *)(p + 54) = BPF_CORE_READ(prev, min_flt);
	*(uint32_t *)(p + 62) = vm_kb(mm, 0);
	*(uint32_t *)(p + 66) = vm_kb(mm, 1);
	*(uint32_t *)(p + 70) = vm_kb(mm, 2);
	small_send(cpu, p, CAP_HEADER + 12 + 36, EV_SCHEDSWITCH_6_E, 6);
	return 0;
}

/* Sender of a signal: known for kill and its kin and for SIGCHLD. */
INLINE int64_t signal_sender(struct kernel_siginfo *info, int sig)
{
	int code = BPF_CORE_READ(info, si_code), pid = 0;

	if (code == 0 || code == -1 || code == -6 || sig == 17)
		bpf_probe_read_kernel(&pid, sizeof(pid), (char *)info + 16);
	return pid;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(signal_deliver, int sig, struct kernel_siginfo *info)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *p;

	if (!type_on[EV_SIGNALDELIVER_E] || !selected(bpf_get_current_task_btf()) ||
	    !wanted(bpf_get_current_task_btf(), false))
		return 0;
	p = small_get(cpu, 0);
	if (!p)
		return 0;
	small_lens(p, 0x0000000100080008, 0);
	*(int64_t *)(p + 32) = signal_sender(info, sig);
	*(int64_t *)(p + 40) = (uint32_t)bpf_get_current_pid_tgid();
	p[48] = sig;
	small_send(cpu, p, CAP_HEADER + 6 + 17, EV_SIGNALDELIVER_E, 3);
	return 0;
}

INLINE int on_fault(unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	uint32_t cpu = bpf_get_smp_processor_id(), flags;
	uint8_t *p;

	if (!type_on[EV_PAGE_FAULT_E] || !selected(bpf_get_current_task_btf()) ||
	    !wanted(bpf_get_current_task_btf(), false))
		return 0;
	p = small_get(cpu, 1);
	if (!p)
		return 0;
	flags = (error & 1 ? 1 : 2) | (error & 2 ? 4 : 8) | (error & 4 ? 0x10 : 0x20);
	flags |= (error & 8 ? 0x40 : 0) | (error & 16 ? 0x80 : 0);
	small_lens(p, 0x0000000400080008, 0);
	*(uint64_t *)(p + 32) = addr;
#if defined(__TARGET_ARCH_arm64)
	*(uint64_t *)(p + 40) = regs->pc;
#else
	*(uint64_t *)(p + 40) = regs->ip;
#endif
	*(uint32_t *)(p + 48) = flags;
	small_send(cpu, p, CAP_HEADER + 6 + 20, EV_PAGE_FAULT_E, 3);
	return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	return on_fault(addr, regs, error);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	return on_fault(addr, regs, error);
}

/* Run once by user space so that the process is never seen: it may not know its id in the initial
 * namespace. */
SEC("raw_tp")
int whoami(void *ctx)
{
	own_tgid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
