/* Arguments whose meaning depends on another one: semaphores, quotas, options, keys. */
#ifndef BURIN_RARE_BPF_H
#define BURIN_RARE_BPF_H

#include "payload.bpf.h"

INLINE uint64_t user_u64(uint64_t p, uint64_t other)
{
	uint64_t v = 0;

	return p && !bpf_probe_read_user(&v, sizeof(v), (void *)p) ? v : other;
}

INLINE uint64_t user_u32(uint64_t p, uint64_t other)
{
	uint32_t v = 0;

	return p && !bpf_probe_read_user(&v, sizeof(v), (void *)p) ? v : other;
}

/* field 0: number of operations; 1..3: number, operation and flags of the first, 4..6: of the
 * second. */
INLINE uint64_t sem_field(uint64_t p, uint64_t n, uint32_t field)
{
	struct {
		uint16_t num, op, flg;
	} v = {};
	uint32_t i = field > 3;

	if (!field)
		return n;
	if (i >= n || bpf_probe_read_user(&v, sizeof(v), (void *)(p + i * sizeof(v))))
		return 0;
	field -= 3 * i;
	/* The flags' own numbers; the map of the table has the kernel's. */
	return field == 1 ? v.num : field == 2 ? v.op : v.flg;
}

enum { Q_QUOTAON = 0x800002, Q_GETFMT = 0x800004, Q_GETINFO, Q_SETINFO, Q_GETQUOTA, Q_SETQUOTA };

/* See calls.def: 0 command, 1 type, 2 format given; 4.. fields of struct dqblk; 11.. of struct
 * dqinfo; 14 format found. */
INLINE uint64_t quota_field(struct work *w, uint32_t field)
{
	uint32_t cmd = (uint32_t)w->args[0] >> 8;
	uint64_t p = w->args[3];
	bool blk = cmd == Q_GETQUOTA || cmd == Q_SETQUOTA,
	     info = cmd == Q_GETINFO || cmd == Q_SETINFO;

	switch (field) {
	case 0:
		return cmd;
	case 1:
		return w->args[0] & 0xff;
	case 2:
		return cmd == Q_QUOTAON ? w->args[2] : 0xffffffff;
	case 4:
		return blk ? user_u64(p, 0) : 0; /* hard limit, blocks */
	case 5:
		return blk ? user_u64(p + 8, 0) : 0; /* soft limit */
	case 6:
		return blk ? user_u64(p + 16, 0) : 0; /* current space */
	case 7:
		return blk ? user_u64(p + 24, 0) : 0; /* hard limit, inodes */
	case 8:
		return blk ? user_u64(p + 32, 0) : 0;
	case 9:
		return blk ? user_u64(p + 48, 0) * 1000000000 : 0; /* times: s to ns */
	case 10:
		return blk ? user_u64(p + 56, 0) * 1000000000 : 0;
	case 11:
		return info ? user_u64(p, 0) * 1000000000 : 0;
	case 12:
		return info ? user_u64(p + 8, 0) * 1000000000 : 0;
	case 13:
		return info ? user_u32(p + 16, 0) : 0;
	case 14:
		return cmd == Q_GETFMT ? user_u32(p, 0xffffffff) : 0xffffffff;
	}
	return 0;
}

INLINE uint32_t sock_level(uint32_t level)
{
	return level == 1 ? 1 : level == 6 ? 2 : 0;
}

INLINE uint32_t sock_option(uint32_t level, uint32_t option)
{
	if (level != 1)
		return 0;
	switch (option) {
	case 55:
		return 0x34; /* SO_MEMINFO */
	case 57:
		return 0x35; /* SO_COOKIE */
	case 59:
		return 0x33; /* SO_PEERGROUPS */
	}
	return option < 0x33 ? option : 0;
}

enum { OPT_BYTES, OPT_ERRNO, OPT_U32, OPT_U64, OPT_TIME };

/* Kind of an option's value. */
INLINE uint32_t sock_kind(uint32_t level, uint32_t option)
{
	if (level != 1)
		return OPT_BYTES;
	switch (option) {
	case 4:
		return OPT_ERRNO;
	case 20:
	case 21:
		return OPT_TIME;
	case 57:
		return OPT_U64;
	case 1:
	case 2:
	case 3:
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
	case 15:
	case 16:
	case 18:
	case 19:
	case 29:
	case 30:
	case 32:
	case 33:
	case 34:
	case 35:
	case 36:
	case 37:
	case 38:
	case 39:
	case 40:
	case 41:
	case 42:
	case 43:
	case 44:
	case 45:
	case 46:
	case 47:
	case 48:
	case 49:
	case 50:
		return OPT_U32;
	}
	return OPT_BYTES;
}

/* Value of a socket option, len bytes at user address p: a type and the value. */
INLINE uint32_t put_sockval(struct work *w, uint32_t off, uint32_t level_option, uint64_t p,
			    uint64_t len)
{
	uint8_t *to = at(w, off);
	uint32_t kind = sock_kind(level_option & 0xff, level_option >> 8);
	uint64_t s;

	*to = kind;
	switch (kind) {
	case OPT_ERRNO:
		*(int64_t *)(to + 1) = -(int64_t)(int)user_u32(p, 0);
		return 9;
	case OPT_U32:
		*(uint32_t *)(to + 1) = user_u32(p, 0);
		return 5;
	case OPT_U64:
		*(uint64_t *)(to + 1) = user_u64(p, 0);
		return 9;
	case OPT_TIME:
		s = user_u64(p, 0);
		*(uint64_t *)(to + 1) = s * 1000000000 + user_u64(p + 8, 0) * 1000;
		return 9;
	}
	return 1 + put_user(w, off + 1, p, len);
}

INLINE uint32_t put_dyn_u64(struct work *w, uint32_t off, uint8_t kind, uint64_t v)
{
	uint8_t *to = at(w, off);

	*to = kind;
	*(uint64_t *)(to + 1) = v;
	return 9;
}

/* ptrace: PEEK* (1..3) put a word where data points; CONT, SINGLESTEP, DETACH, SYSCALL carry a
 * signal. */
INLINE uint32_t put_ptrace_data(struct work *w, uint32_t off)
{
	uint64_t req = w->args[0], data = w->args[3];

	if ((int64_t)w->args[ARG_RET] < 0)
		return put_dyn_u64(w, off, 0, 0);
	if (req >= 1 && req <= 3)
		return put_dyn_u64(w, off, 0, user_u64(data, 0));
	if (req == 7 || req == 9 || req == 17 || req == 24) {
		uint8_t *to = at(w, off);

		to[0] = 1;
		to[1] = data;
		return 2;
	}
	return put_dyn_u64(w, off, 0, data);
}

INLINE uint32_t put_text(struct work *w, uint32_t off, uint64_t p)
{
	uint32_t max = room(off, CAP_TEXT_MAX);
	long n = bpf_probe_read_user_str(at(w, off), max & (2 * CAP_TEXT_MAX - 1), (void *)p);
	uint8_t *to;

	if (n > 0)
		return n & (2 * CAP_TEXT_MAX - 1);
	/* What readers of the format take for "no text, look at the exit event". */
	to = at(w, off);
	*(uint32_t *)to = 0x4c554e28; /* "(NUL" */
	*(uint32_t *)(to + 4) = 0x0000294c;
	return 7;
}

/* keyctl arguments that are texts: (operation, argument). */
INLINE uint32_t put_keyctl(struct work *w, uint32_t off, uint32_t n)
{
	uint32_t op = w->args[0];
	uint64_t v = w->args[n & 7];
	bool text = (op == 1 && n == 1) || (op == 10 && (n == 2 || n == 3)) ||
		    (op == 29 && (n == 2 || n == 3));
	uint8_t *to = at(w, off);

	if (!text || !v)
		return put_dyn_u64(w, off, 0, v);
	*to = 1;
	return 1 + put_text(w, off + 1, v);
}

enum { PR_SET_NAME = 15, PR_GET_NAME = 16, PR_GET_CHILD_SUBREAPER = 37 };

INLINE uint64_t prctl_int(struct work *w)
{
	if (w->args[0] == PR_GET_CHILD_SUBREAPER)
		return user_u32(w->args[1], 0);
	return w->args[0] == PR_SET_NAME || w->args[0] == PR_GET_NAME ? 0 : w->args[1];
}

INLINE uint32_t put_prctl_str(struct work *w, uint32_t off)
{
	if (w->args[0] == PR_SET_NAME || w->args[0] == PR_GET_NAME)
		return put_text(w, off, w->args[1]);
	*at(w, off) = 0;
	return 1;
}

/* fsconfig's value: text for SET_STRING, SET_PATH, SET_PATH_EMPTY; bytes for SET_BINARY. */
INLINE uint32_t put_fsvalue(struct work *w, uint32_t off, uint32_t text)
{
	uint32_t cmd = w->args[1];

	if (text && (cmd == 1 || cmd == 3 || cmd == 4))
		return put_text(w, off, w->args[3]);
	if (!text && cmd == 2)
		return put_user(w, off, w->args[3], w->args[4]);
	return 0;
}

/* capset: two halves of {effective, permitted, inheritable}, 32 bits each. */
INLINE uint64_t cap_set(uint64_t p, uint32_t which)
{
	uint32_t at_word = which == 2 ? 0 : which == 1 ? 1 : 2;

	return user_u32(p + 4 * at_word, 0) | user_u32(p + 12 + 4 * at_word, 0) << 32;
}

#endif
