/* The arguments of a call, from the registers. */
#ifndef BURIN_REGS_BPF_H
#define BURIN_REGS_BPF_H

#include "work.bpf.h"

enum { TS_COMPAT = 2, NR_NONE = CAP_MAX_NR - 1 };

#ifdef CAP_RAW

/* Those that hold arguments are read by one helper, as a whole. */
INLINE void regs_copy(struct work *w, struct pt_regs *regs, bool compat)
{
#if defined(__TARGET_ARCH_arm64)
	uint64_t from = 0, to = bpf_core_type_size(struct pt_regs);
#else
	/* bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di */
	uint64_t from = compat ? bpf_core_field_offset(struct pt_regs, bp)
			       : bpf_core_field_offset(struct pt_regs, r10);
	uint64_t to = bpf_core_field_offset(struct pt_regs, di) + 8;
#endif

	bpf_probe_read_kernel((char *)w->regs + from, to - from, (char *)regs + from);
}

#define REG_AT(w, name) \
	((unsigned long *)((char *)(w)->regs + bpf_core_field_offset(struct pt_regs, name)))
#define REG(w, regs, name) (*REG_AT(w, name))
#define REG_N(w, regs, n) (REG_AT(w, regs)[n])

#else

INLINE void regs_copy(struct work *w, struct pt_regs *regs, bool compat) {}

#define REG(w, r, name) ((r)->name)
#define REG_N(w, r, n) ((r)->regs[n])

#endif

INLINE void load_args(struct work *w, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_arm64)
	w->args[0] = REG(w, regs, orig_x0);
	w->args[1] = REG_N(w, regs, 1);
	w->args[2] = REG_N(w, regs, 2);
	w->args[3] = REG_N(w, regs, 3);
	w->args[4] = REG_N(w, regs, 4);
	w->args[5] = REG_N(w, regs, 5);
#else
	w->args[0] = REG(w, regs, di);
	w->args[1] = REG(w, regs, si);
	w->args[2] = REG(w, regs, dx);
	w->args[3] = REG(w, regs, r10);
	w->args[4] = REG(w, regs, r8);
	w->args[5] = REG(w, regs, r9);
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
	return GET(task, thread_info.status) & TS_COMPAT;
}

INLINE void load_args_32(struct work *w, struct pt_regs *regs)
{
	w->args[0] = (uint32_t)REG(w, regs, bx);
	w->args[1] = (uint32_t)REG(w, regs, cx);
	w->args[2] = (uint32_t)REG(w, regs, dx);
	w->args[3] = (uint32_t)REG(w, regs, si);
	w->args[4] = (uint32_t)REG(w, regs, di);
	w->args[5] = (uint32_t)REG(w, regs, bp);
}

/* Which of calls number nr of a 32-bit program is. */
INLINE uint32_t call_32(struct pt_regs *regs, uint32_t nr)
{
	uint32_t i = nr < CAP_MAX_NR ? calls_32[index_of(nr, CAP_MAX_NR)] : NR_NONE;

	if (i == nr_socketcall && (uint32_t)GET(regs, bx) < CAP_MAX_SOCKETCALL)
		return socketcalls[index_of(GET(regs, bx), CAP_MAX_SOCKETCALL)];
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

#endif
