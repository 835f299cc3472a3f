/* Maps, configuration and the work area in which one event is put together.
 *
 * An event is written into the work area of its cpu and copied to the ring of that cpu in one
 * step. The alternative, reserving in the ring and filling there, needs the size beforehand (or
 * wastes the difference) and is not faster: the copy of an average event costs less than a second
 * helper call. The time stamp is taken right before the copy. A record can still become visible
 * later than another cpu's with a greater stamp (an interrupt in between); user space makes up for
 * that, see engine/live/ring.h. */
#ifndef BURIN_WORK_BPF_H
#define BURIN_WORK_BPF_H

#include "event_codes.h"
#include "form.bpf.h"

enum { ARG_RET = 6, ARG_ZERO = 7, BUF_MASK = 0xffff, TMP_SIZE = 8192 };

/* Room behind every offset below 64 KiB for the longest single parameter. */
struct work {
	uint64_t args[8];  /* of the call; ARG_RET, ARG_ZERO */
	uint32_t busy;	   /* a program is filling it */
	uint32_t nr;	   /* which of calls */
	uint32_t filler;   /* CAP_FILL_* of the event */
	uint32_t compat;   /* made by a 32-bit program: pointers in memory are short */
	uint32_t off, idx; /* hand-written fillers: end of the parameters so far, their number */
	uint8_t buf[2 * 65536];
	uint8_t tmp[2 * TMP_SIZE];
	/* Short events of other tracepoints. Page faults have their own: they happen inside the
	 * others. */
	uint8_t small[2][128];
#ifdef CAP_RAW
	uint64_t regs[64]; /* copy of struct pt_regs */
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible cpus, set before loading */
	__type(key, uint32_t);
	__type(value, struct work);
} works SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct cap_counts);
} counts SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before loading */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__array(values, struct ring);
} rings SEC(".maps");

const volatile struct cap_config config = {};

/* Filled before the capture starts and constant from then on. Not .rodata: that would put their 240
 * KB into the program file. */
struct cap_call calls[CAP_MAX_CALLS];
uint16_t calls_32[CAP_MAX_NR]; /* number of a 32-bit program -> which of calls */
uint16_t socketcalls[CAP_MAX_SOCKETCALL];
uint32_t nr_socketcall; /* which of calls puts its own arguments into memory */
uint32_t bit_maps[CAP_BIT_MAPS][1024];
struct cap_choice_map choice_maps[CAP_CHOICE_MAPS];

/* What user space switches while the programs run: which calls are sent (bits 2, 3: also of
 * processes not in config.pids; bit 0 enter, bit 1 exit), and which other events by type. */
uint8_t call_on[CAP_MAX_CALLS];
uint8_t nr_on[CAP_MAX_NR]; /* by number: whatever it means to programs of either kind */
uint8_t type_on[CAP_MAX_TYPES];

uint32_t own_tgid; /* of the process that captures: never seen */

INLINE struct work *work_get(uint32_t cpu)
{
	return bpf_map_lookup_elem(&works, &cpu);
}

INLINE struct cap_counts *counts_get(uint32_t cpu)
{
	return bpf_map_lookup_elem(&counts, &cpu);
}

/* An index cut to a table's size where the compiler cannot take the cut away: what it has worked
 * out about a number the verifier may not know. */
INLINE uint64_t index_of(uint64_t i, uint64_t size)
{
	__asm__ volatile("" : "+r"(i));
	return i & (size - 1);
}

/* A length cut by a mask, for the verifier. Those before 6.8 or so do not know what the compiler
 * knows, and forget what they know of a 32-bit number when it is moved. */
INLINE uint64_t cut(uint64_t n, uint32_t mask)
{
	return index_of(n, (uint64_t)mask + 1);
}

INLINE uint8_t *at(struct work *w, uint32_t off)
{
	off &= BUF_MASK;
	return w->buf + off;
}

INLINE uint64_t now(void)
{
	return bpf_ktime_get_boot_ns() + config.epoch_offset;
}

INLINE void header(uint8_t *p, uint64_t ts, uint32_t tid, uint32_t len, uint16_t type,
		   uint32_t nparams)
{
	*(uint64_t *)p = ts;
	*(uint64_t *)(p + 8) = tid;
	*(uint32_t *)(p + 16) = len;
	*(uint16_t *)(p + 20) = type;
	*(uint32_t *)(p + 22) = nparams;
}

/* Has it the name just now? */
INLINE bool named(struct task_struct *task)
{
	uint64_t comm[2] = {};

	bpf_core_read(comm, sizeof(comm), &task->comm);
	return !((comm[0] ^ config.comm[0]) & config.comm_mask[0]) &&
	       !((comm[1] ^ config.comm[1]) & config.comm_mask[1]);
}

/* Sends the record of len bytes at p through the ring of this cpu and counts it. */
INLINE void send(uint32_t cpu, void *p, uint32_t len, uint16_t type)
{
	struct cap_counts *c = counts_get(cpu);
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	uint32_t t = type & (CAP_MAX_TYPES - 1);

	if (!c)
		return;
	if (ring && !bpf_ringbuf_output(ring, p, len, BPF_RB_NO_WAKEUP)) {
		c->sent[t]++;
		c->bytes += len;
	} else {
		c->dropped[t]++;
		c->lost++;
	}
}

/* ---- hand-written fillers: one parameter after the other ---------------------------------------
 */

INLINE void params_begin(struct work *w, uint32_t n)
{
	w->off = CAP_HEADER + 2 * n;
	w->idx = 0;
}

INLINE void param_end(struct work *w, uint32_t len)
{
	uint32_t i = w->idx & 31;

	*(uint16_t *)(w->buf + CAP_HEADER + 2 * i) = len;
	w->idx = i + 1;
	w->off = (w->off + len) & BUF_MASK;
}

INLINE void put_u64(struct work *w, uint64_t v)
{
	*(uint64_t *)at(w, w->off) = v;
	param_end(w, 8);
}

INLINE void put_u32(struct work *w, uint32_t v)
{
	*(uint32_t *)at(w, w->off) = v;
	param_end(w, 4);
}

/* The empty text. */
INLINE void put_empty(struct work *w)
{
	*at(w, w->off) = 0;
	param_end(w, 1);
}

INLINE void put_na(struct work *w)
{
	uint8_t *p = at(w, w->off);

	p[0] = '<';
	p[1] = 'N';
	p[2] = 'A';
	p[3] = '>';
	p[4] = 0;
	param_end(w, 5);
}

/* Bytes that still fit into the event behind off, at most max. */
INLINE uint32_t room(uint32_t off, uint32_t max)
{
	uint32_t left = off < CAP_EVENT_MAX ? CAP_EVENT_MAX - off : 0;

	return left < max ? left : max;
}

#endif
