/* The programs come in two forms, from the same sources.
 *
 * tp_btf (the ordinary one): the verifier knows the types of what a tracepoint hands over, so that
 * fields of kernel structures are read directly. Iterators look through the tasks that exist
 * already (iter.bpf.h), and processes are named by descriptors. It needs a kernel that carries its
 * type information and has task storage for such programs (5.13).
 *
 * raw tracepoints (CAP_RAW): for kernels from 5.8 on and for those built without type information.
 * Every field is read by a helper, and there are no iterators: /proc takes their place
 * (engine/live/probe_raw.c). What a raw tracepoint may call, and since when:
 *
 *     bpf_map_lookup_elem                                   3.19
 *     bpf_get_smp_processor_id                              4.1
 *     bpf_get_current_pid_tgid                              4.2
 *     bpf_get_current_task                                  4.8
 *     bpf_probe_read_kernel, _kernel_str, _user, _user_str  5.5
 *     bpf_ktime_get_boot_ns, bpf_ringbuf_output             5.8
 *
 * and not bpf_get_current_task_btf (5.11), bpf_task_storage_get (5.11, in tracing 5.13),
 * bpf_get_current_ancestor_cgroup_id (5.7, in tracing 5.14). Besides: array of ring maps 5.8,
 * global functions 5.6, arrays and variables that user space maps 5.5, bounded loops 5.3. */
#ifndef BURIN_FORM_BPF_H
#define BURIN_FORM_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "capture.h"
#include "kernel.bpf.h"

#define INLINE static __always_inline

/* Every helper that is called costs its return (some 5 ns where returns are protected against
 * speculation), so the current task is asked for once and what it is asked for is kept here. */

#ifdef CAP_RAW

#define HOOK(name) SEC("raw_tp/" name)
/* A field of what a kernel pointer points to. */
#define GET(p, field) BPF_CORE_READ(p, field)

struct self {
	struct task_struct *task;
	uint64_t ids; /* tgid << 32 | tid */
};

INLINE struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

INLINE struct self self(void)
{
	return (struct self){current_task(), bpf_get_current_pid_tgid()};
}

INLINE uint32_t self_tid(struct self s)
{
	return s.ids;
}

INLINE uint32_t self_tgid(struct self s)
{
	return s.ids >> 32;
}

#else

#define HOOK(name) SEC("tp_btf/" name)
#define GET(p, field) ((p)->field)

struct self {
	struct task_struct *task;
};

INLINE struct task_struct *current_task(void)
{
	return bpf_get_current_task_btf();
}

INLINE struct self self(void)
{
	return (struct self){current_task()};
}

INLINE uint32_t self_tid(struct self s)
{
	return s.task->pid;
}

INLINE uint32_t self_tgid(struct self s)
{
	return s.task->tgid;
}

#endif

#endif
