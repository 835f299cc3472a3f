/* Socket addresses and tuples.
 *
 * Address: u8 family, then ip and u16 port (host order), or a path with its NUL.
 * Tuple:   u8 family, source ip and port, destination ip and port; unix: addresses of the sending
 * and the receiving socket in the kernel, and a path. An incoming transfer has the peer as its
 * source. */
#ifndef BURIN_SOCKET_BPF_H
#define BURIN_SOCKET_BPF_H

#include <bpf/bpf_endian.h>

#include "path.bpf.h"

enum {
	FAM_UNIX = 1,
	FAM_INET = 2,
	FAM_INET6 = 10,
	IFMT = 0170000,
	IFSOCK = 0140000,
	UNIX_PATH = 108
};

/* A user's socket address, copied to tmp. */
enum { ADDR_AT = 0, ADDR_SIZE = 128 };

INLINE struct sock *sock_of_fd(int fd)
{
	struct file *f = file_of_fd(fd);
	struct socket *s;

	if (!f || (BPF_CORE_READ(f, f_inode, i_mode) & IFMT) != IFSOCK)
		return NULL;
	s = BPF_CORE_READ(f, private_data);
	return BPF_CORE_READ(s, sk);
}

/* Copies the address at user address p (len bytes) to tmp, zero filled. Returns its family, 0 =
 * none. */
INLINE uint32_t addr_load(struct work *w, uint64_t p, uint64_t len)
{
	uint64_t *t = (uint64_t *)(w->tmp + ADDR_AT);

	for (int i = 0; i < ADDR_SIZE / 8 + 1; i++)
		t[i] = 0;
	if (!p || (int)len < 2)
		return 0;
	if (len > ADDR_SIZE)
		len = ADDR_SIZE;
	len &= 255;
	if (bpf_probe_read_user(w->tmp + ADDR_AT, len, (void *)p))
		return 0;
	return *(uint16_t *)(w->tmp + ADDR_AT);
}

/* Writes the unix path at tmp[from] (2 bytes behind the begin of an address); abstract names lose
 * the leading NUL. */
INLINE uint32_t unix_path(struct work *w, uint32_t off)
{
	const uint8_t *p = w->tmp + ADDR_AT + 2;
	long n;

	if (!*p)
		p++;
	n = bpf_probe_read_kernel_str(at(w, off), UNIX_PATH + 1, p);
	return n > 0 ? n & 127 : 0;
}

/* Address parameter of a call: user memory p of len bytes. */
__noinline uint32_t put_sockaddr(uint32_t cpu, uint32_t off, uint64_t p, uint64_t len)
{
	struct work *w = work_get(cpu);
	uint32_t family;
	uint8_t *to;

	if (!w)
		return 0;
	family = addr_load(w, p, len);
	to = at(w, off);
	*to = family;
	if (family == FAM_INET) {
		*(uint32_t *)(to + 1) = *(uint32_t *)(w->tmp + 4);
		*(uint16_t *)(to + 5) = bpf_ntohs(*(uint16_t *)(w->tmp + 2));
		return 7;
	}
	if (family == FAM_INET6) {
		*(uint64_t *)(to + 1) = *(uint64_t *)(w->tmp + 8);
		*(uint64_t *)(to + 9) = *(uint64_t *)(w->tmp + 16);
		*(uint16_t *)(to + 17) = bpf_ntohs(*(uint16_t *)(w->tmp + 2));
		return 19;
	}
	return family == FAM_UNIX ? 1 + unix_path(w, off + 1) : 0;
}

/* One end of an inet tuple: 6 or 18 bytes at to. */
INLINE void end_inet(uint8_t *to, uint32_t ip, uint16_t port)
{
	*(uint32_t *)to = ip;
	*(uint16_t *)(to + 4) = port;
}

INLINE void end_inet6(uint8_t *to, const uint64_t ip[2], uint16_t port)
{
	*(uint64_t *)to = ip[0];
	*(uint64_t *)(to + 8) = ip[1];
	*(uint16_t *)(to + 16) = port;
}

INLINE uint32_t tuple_inet(struct work *w, uint32_t off, struct sock *sk, bool user, bool in)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	uint32_t ip = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	uint16_t port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	uint8_t *to = at(w, off);

	if (user) {
		ip = *(uint32_t *)(w->tmp + 4);
		port = bpf_ntohs(*(uint16_t *)(w->tmp + 2));
	}
	*to = FAM_INET;
	end_inet(in ? to + 7 : to + 1, BPF_CORE_READ(inet, inet_saddr),
		 bpf_ntohs(BPF_CORE_READ(inet, inet_sport)));
	end_inet(in ? to + 1 : to + 7, ip, port);
	return 13;
}

INLINE uint32_t tuple_inet6(struct work *w, uint32_t off, struct sock *sk, bool user, bool in)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	uint64_t local[2] = {}, peer[2] = {};
	uint16_t port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	uint8_t *to = at(w, off);

	if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(peer, 16, &sk->__sk_common.skc_v6_daddr);
	}
	if (user) {
		peer[0] = *(uint64_t *)(w->tmp + 8);
		peer[1] = *(uint64_t *)(w->tmp + 16);
		port = bpf_ntohs(*(uint16_t *)(w->tmp + 2));
	}
	*to = FAM_INET6;
	end_inet6(in ? to + 19 : to + 1, local, bpf_ntohs(BPF_CORE_READ(inet, inet_sport)));
	end_inet6(in ? to + 1 : to + 19, peer, port);
	return 37;
}

/* Loads the path a unix socket is bound to into tmp. Returns whether it has one. */
INLINE bool unix_bound(struct work *w, struct sock *sk)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct unix_address *addr = BPF_CORE_READ(u, addr);
	int len;

	if (!sk || !addr)
		return false;
	len = BPF_CORE_READ(addr, len);
	if (len < 3)
		return false;
	if (len > ADDR_SIZE)
		len = ADDR_SIZE;
	*(uint64_t *)(w->tmp + ADDR_SIZE) = 0;
	len &= 255;
	bpf_probe_read_kernel(w->tmp + ADDR_AT, len, &addr->name);
	w->tmp[ADDR_AT + len] = 0;
	return true;
}

INLINE uint32_t tuple_unix(struct work *w, uint32_t off, struct sock *sk, bool user, bool in)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct sock *peer = BPF_CORE_READ(u, peer), *to_sk = in ? sk : peer, *from = in ? peer : sk;
	uint8_t *to = at(w, off);

	*to = FAM_UNIX;
	*(uint64_t *)(to + 1) = (uint64_t)from;
	*(uint64_t *)(to + 9) = (uint64_t)to_sk;
	to[17] = 0;
	/* The path is that of the receiving end, for an unnamed one that of the other. */
	if ((user && !in) || unix_bound(w, to_sk) || user || unix_bound(w, from))
		return 17 + unix_path(w, off + 17);
	return 18;
}

/* Tuple of one transfer over socket fd. The other end is the address at user address p (len bytes)
 * if there is one, else the peer. flags: bit 0 incoming, bit 1 the address is loaded in tmp
 * already. */
__noinline uint32_t put_tuple(uint32_t cpu, uint32_t fd_flags, uint32_t off, uint64_t p,
			      uint64_t len)
{
	struct work *w = work_get(cpu);
	struct sock *sk = sock_of_fd((int)fd_flags >> 1);
	uint32_t family, given;
	bool in = fd_flags & 1, user;

	if (!w || !sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	given = addr_load(w, p, len);
	/* An IPv6 socket may be used with IPv4 addresses, but then they are mapped ones. */
	user = given == family;
	if (family == FAM_INET)
		return tuple_inet(w, off, sk, user, in);
	if (family == FAM_INET6)
		return tuple_inet6(w, off, sk, user, in);
	if (family == FAM_UNIX)
		return tuple_unix(w, off, sk, user, in);
	return 0;
}

/* Accept queue of a listening socket: 0 percent full, 1 length, 2 limit. */
INLINE uint64_t accept_queue(int fd, uint32_t what)
{
	struct sock *sk = sock_of_fd(fd);
	uint32_t n, max;

	if (!sk)
		return 0;
	n = BPF_CORE_READ(sk, sk_ack_backlog);
	max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (what == 1)
		return n;
	if (what == 2)
		return max;
	return max ? (uint64_t)n * 100 / max : 0;
}

/* The two sockets of a pair, whose descriptors are in user memory. */
INLINE uint64_t unix_pointer(uint64_t fds, uint32_t which)
{
	struct unix_sock *u;
	struct sock *sk;
	int fd = -1;

	if (bpf_probe_read_user(&fd, sizeof(fd), (void *)fds))
		return 0;
	sk = sock_of_fd(fd);
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_family) != FAM_UNIX)
		return 0;
	u = (struct unix_sock *)sk;
	return which ? (uint64_t)BPF_CORE_READ(u, peer) : (uint64_t)sk;
}

#endif
