// SPDX-License-Identifier: GPL-2.0
/* Kernel side of live capture: turns system calls and a few other tracepoints into events of the
 * trace format (capture.h) and puts them into the ring of the cpu they happen on. */
#include "task.bpf.h"
#include "regs.bpf.h"
#include "select.bpf.h"
#ifndef CAP_RAW
#include "iter.bpf.h"
#endif

enum { PF_EXITING = 4 };

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
	struct work *w;
	struct self me;
	uint32_t i, cpu;
	bool compat;
	uint8_t on;

	if (!asked_for(id, leave))
		return 0;
	me = self();
	compat = is_compat(me.task);
	i = which_call(regs, id, compat, leave);
	on = call_on[index_of(i, CAP_MAX_CALLS)] >> leave;
	if (!(on & 1))
		return 0;
	if (!(on & 4) && !selected(me))
		return 0;
	if (!wanted(me, !leave && calls[index_of(i, CAP_MAX_CALLS)].exit.filler >= CAP_FILL_EXECVE))
		return 0;
	cpu = bpf_get_smp_processor_id();
	w = work_take(cpu);
	if (!w)
		return 0;
	regs_copy(w, regs, compat);
	if (compat) {
		load_compat(w, cpu, regs, id);
	} else {
		load_args(w, regs);
		w->compat = 0;
	}
	w->args[ARG_RET] = ret;
	emit_call(cpu, w, self_tid(me), i, id, leave);
	w->busy = 0;
	return 0;
}

HOOK("sys_enter")
int BPF_PROG(call_enter, struct pt_regs *regs, long id)
{
	return on_call(regs, id, 0, false);
}

HOOK("sys_exit")
int BPF_PROG(call_exit, struct pt_regs *regs, long ret)
{
#if defined(__TARGET_ARCH_arm64)
	return on_call(regs, GET(regs, syscallno), ret, true);
#else
	return on_call(regs, (int)GET(regs, orig_ax), ret, true);
#endif
}

/* ---- processes ------------------------------------------------------------------------------- */

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
HOOK("sched_process_exit")
int BPF_PROG(task_exit, struct task_struct *task)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *p;
	int status;

	if (!type_on[EV_PROCEXIT_1_E] || !wanted(self(), false))
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
HOOK("sched_switch")
int BPF_PROG(task_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *p;
	struct mm_struct *mm;

	/* Behind its exit event a thread is no more. */
	if (GET(prev, flags) & PF_EXITING)
		return 0;
	if (!type_on[EV_SCHEDSWITCH_6_E] || !selected(self()) || !wanted(self(), false))
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

HOOK("signal_deliver")
int BPF_PROG(signal_deliver, int sig, struct kernel_siginfo *info)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	uint8_t *p;

	if (!type_on[EV_SIGNALDELIVER_E] || !selected(self()) || !wanted(self(), false))
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

	if (!type_on[EV_PAGE_FAULT_E] || !selected(self()) || !wanted(self(), false))
		return 0;
	p = small_get(cpu, 1);
	if (!p)
		return 0;
	flags = (error & 1 ? 1 : 2) | (error & 2 ? 4 : 8) | (error & 4 ? 0x10 : 0x20);
	flags |= (error & 8 ? 0x40 : 0) | (error & 16 ? 0x80 : 0);
	small_lens(p, 0x0000000400080008, 0);
	*(uint64_t *)(p + 32) = addr;
#if defined(__TARGET_ARCH_arm64)
	*(uint64_t *)(p + 40) = GET(regs, pc);
#else
	*(uint64_t *)(p + 40) = GET(regs, ip);
#endif
	*(uint32_t *)(p + 48) = flags;
	small_send(cpu, p, CAP_HEADER + 6 + 20, EV_PAGE_FAULT_E, 3);
	return 0;
}

HOOK("page_fault_user")
int BPF_PROG(fault_user, unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	return on_fault(addr, regs, error);
}

HOOK("page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	return on_fault(addr, regs, error);
}

/* So that the process that captures is never seen: it may not know its id in the initial namespace.
 * Run once by user space; raw tracepoints cannot be run by hand before 5.10, so there it watches
 * the calls until one comes with a number that only that process knows. */
#ifdef CAP_RAW
uint64_t knock;

HOOK("sys_enter")
int BPF_PROG(whoami, struct pt_regs *regs, long id)
{
#if defined(__TARGET_ARCH_arm64)
	uint64_t first = GET(regs, orig_x0);
#else
	uint64_t first = GET(regs, di);
#endif

	if (knock && first == knock)
		own_tgid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}
#else
SEC("raw_tp")
int whoami(void *ctx)
{
	own_tgid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}
#endif

char LICENSE[] SEC("license") = "GPL";
