/* Bytes that calls move: single buffers, arrays of buffers, messages, lists of descriptors. */
#ifndef BURIN_PAYLOAD_BPF_H
#define BURIN_PAYLOAD_BPF_H

#include "socket.bpf.h"

enum { IOV_MAX_N = 1024, IOV_COPY = 64, POLL_MAX = 256, TAIL = 600 };

struct user_iovec {
	uint64_t base, len;
};
struct user_msghdr {
	uint64_t name;
	uint32_t namelen, pad0;
	uint64_t iov, iovlen, control, controllen;
};

/* Payload bytes that may follow at off; TAIL leaves room for the parameters behind. */
INLINE uint32_t payload_limit(uint32_t off, uint64_t len)
{
	uint32_t max = room(off + TAIL, config.snaplen);

	return len < max ? len : max;
}

INLINE uint32_t put_user(struct work *w, uint32_t off, uint64_t p, uint64_t len)
{
	uint64_t n = payload_limit(off, len);

	n = cut(n, BUF_MASK);
	if (!n || bpf_probe_read_user(at(w, off), n, (void *)p))
		return 0;
	return n;
}

/* Sum of the lengths of an array of buffers in user memory. */
__noinline uint64_t iov_size(uint64_t p, uint64_t n)
{
	struct user_iovec v;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < IOV_MAX_N; i++) {
		if (i >= n || bpf_probe_read_user(&v, sizeof(v), (void *)(p + i * sizeof(v))))
			break;
		sum += v.len;
	}
	return sum;
}

enum { STOP = 0x80000000 };

/* At most left bytes of the buffer that the entry at user address p describes. STOP if it cannot be
 * read. Bodies of loops are functions of their own here: the verifier looks at each once, not once
 * per turn. */
__noinline uint32_t put_iov_entry(uint32_t cpu, uint32_t off, uint64_t p, uint32_t left)
{
	struct work *w = work_get(cpu);
	struct user_iovec v;
	uint64_t n;

	if (!w || bpf_probe_read_user(&v, sizeof(v), (void *)p))
		return STOP;
	n = v.len < left ? v.len : left;
	n = cut(n, BUF_MASK);
	if (n && bpf_probe_read_user(at(w, off), n, (void *)v.base))
		return STOP;
	return n;
}

/* The first bytes of an array of buffers, len in all. */
__noinline uint32_t put_iov(uint32_t cpu, uint32_t off, uint64_t p, uint64_t n, uint64_t len)
{
	uint32_t left = payload_limit(off, len), got = 0, k;

	for (uint32_t i = 0; i < IOV_COPY; i++) {
		if (i >= n || !left)
			break;
		k = put_iov_entry(cpu, off + got, p + i * sizeof(struct user_iovec), left);
		if (k == STOP)
			break;
		got += k;
		left -= k;
	}
	return got & BUF_MASK;
}

INLINE bool msg_load(struct user_msghdr *m, uint64_t p)
{
	return p && !bpf_probe_read_user(m, sizeof(*m), (void *)p);
}

__noinline uint64_t msg_size(uint64_t p)
{
	struct user_msghdr m;

	return msg_load(&m, p) ? iov_size(m.iov, m.iovlen) : 0;
}

__noinline uint32_t put_msg_iov(uint32_t cpu, uint32_t off, uint64_t p, uint64_t len)
{
	struct user_msghdr m;

	return msg_load(&m, p) ? put_iov(cpu, off, m.iov, m.iovlen, len) : 0;
}

__noinline uint32_t put_msg_tuple(uint32_t cpu, uint32_t fd_flags, uint32_t off, uint64_t p)
{
	struct user_msghdr m = {};

	if (!msg_load(&m, p))
		return 0;
	return put_tuple(cpu, fd_flags, off, m.name, m.namelen);
}

__noinline uint32_t put_msg_control(uint32_t cpu, uint32_t off, uint64_t p)
{
	struct work *w = work_get(cpu);
	struct user_msghdr m;
	uint64_t n;

	if (!w || !msg_load(&m, p) || !m.control)
		return 0;
	n = room(off + TAIL, m.controllen < CAP_TEXT_MAX ? m.controllen : CAP_TEXT_MAX);
	n = cut(n, BUF_MASK);
	if (!n || bpf_probe_read_user(at(w, off), n, (void *)m.control))
		return 0;
	return n;
}

INLINE uint16_t poll_flags(uint16_t v)
{
	/* From the kernel's numbers: POLLERR, POLLHUP, ... move up by one, POLLRDHUP goes to bit 3.
	 */
	return (v & 7) | ((v & 0x3f8) << 1) | (v & 0x2000 ? 8 : 0);
}

__noinline uint32_t put_poll_entry(uint32_t cpu, uint32_t off, uint64_t p, uint32_t found)
{
	struct {
		int fd;
		uint16_t events, revents;
	} v;
	struct work *w = work_get(cpu);
	uint8_t *to;

	if (!w || bpf_probe_read_user(&v, sizeof(v), (void *)p))
		return STOP;
	to = at(w, off);
	*(int64_t *)to = v.fd;
	*(uint16_t *)(to + 8) = poll_flags(found ? v.revents : v.events);
	return 0;
}

/* List of polled descriptors with the events asked for (found: those that happened). */
__noinline uint32_t put_poll(uint32_t cpu, uint32_t off, uint64_t p, uint64_t n, uint32_t found)
{
	struct work *w = work_get(cpu);
	uint32_t i;

	if (!w)
		return 0;
	for (i = 0; i < POLL_MAX; i++)
		if (i >= n || put_poll_entry(cpu, off + 2 + 10 * i, p + 8 * i, found) == STOP)
			break;
	*(uint16_t *)at(w, off) = i;
	return 2 + 10 * i;
}

#endif
