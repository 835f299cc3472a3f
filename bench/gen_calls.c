/* Single system calls of the made machine: the enter event now, the exit event for later. */
#include "gen.h"

enum { AT_FDCWD = -100 };

void do_open(struct gen *g, struct task *t, const char *path, int64_t fd, int flags)
{
	enter(g, t, EV_SYSCALL_OPENAT_2_E, "qsdd", (int64_t)AT_FDCWD, path, flags, 0);
	leave(g, t, EV_SYSCALL_OPENAT_2_X, "qqsddd", fd, (int64_t)AT_FDCWD, path, flags, 0,
	      fd < 0 ? 0 : 0x801);
}

void do_close(struct gen *g, struct task *t, int64_t fd)
{
	enter(g, t, EV_SYSCALL_CLOSE_E, "q", fd);
	leave(g, t, EV_SYSCALL_CLOSE_X, "q", (int64_t)0);
	fd_give(t, fd);
}

void do_fstat(struct gen *g, struct task *t, int64_t fd)
{
	enter(g, t, EV_SYSCALL_FSTAT_E, "q", fd);
	leave(g, t, EV_SYSCALL_FSTAT_X, "q", (int64_t)0);
}

void do_stat(struct gen *g, struct task *t, const char *path, bool there)
{
	enter(g, t, EV_SYSCALL_STAT_E, "");
	leave(g, t, EV_SYSCALL_STAT_X, "qs", (int64_t)(there ? 0 : CALL_NOENT), path);
}

void do_read(struct gen *g, struct task *t, int64_t fd, int size)
{
	unsigned part = below(g, 4);

	enter(g, t, EV_SYSCALL_READ_E, "qd", fd, size);
	leave_data(g, t, EV_SYSCALL_READ_X, part ? size : size / 3, "");
}

void do_write(struct gen *g, struct task *t, int64_t fd, int size)
{
	enter(g, t, EV_SYSCALL_WRITE_E, "qd", fd, size);
	leave_data(g, t, EV_SYSCALL_WRITE_X, size, "");
}

void do_pread(struct gen *g, struct task *t, int64_t fd, int64_t pos)
{
	enter(g, t, EV_SYSCALL_PREAD_E, "qdq", fd, 8192, pos);
	leave_data(g, t, EV_SYSCALL_PREAD_X, 8192, "");
}

void do_pwrite(struct gen *g, struct task *t, int64_t fd, int64_t pos)
{
	enter(g, t, EV_SYSCALL_PWRITE_E, "qdq", fd, 8192, pos);
	leave_data(g, t, EV_SYSCALL_PWRITE_X, 8192, "");
}

void do_recv(struct gen *g, struct task *t, int64_t fd, int64_t res)
{
	enter(g, t, EV_SOCKET_RECVFROM_E, "qd", fd, 8192);
	leave_data(g, t, EV_SOCKET_RECVFROM_X, res, "e");
}

void do_send(struct gen *g, struct task *t, int64_t fd, int size)
{
	enter(g, t, EV_SOCKET_SENDTO_E, "qde", fd, size);
	leave_data(g, t, EV_SOCKET_SENDTO_X, size, "");
}

void do_mmap(struct gen *g, struct task *t, int64_t fd, int64_t length)
{
	unsigned at = below(g, 1 << 20);

	enter(g, t, EV_SYSCALL_MMAP_E, "qqddqq", (int64_t)0, length, 1 | 4, fd < 0 ? 2 | 8 : 2, fd,
	      (int64_t)0);
	leave(g, t, EV_SYSCALL_MMAP_X, "qddd", (int64_t)0x7f0000000000 + ((int64_t)at << 12), 60000,
	      8000, 0);
}

void do_futex(struct gen *g, struct task *t, int op)
{
	int64_t addr = 0x7f3300000000 + 64 * (int64_t)below(g, 4096);
	unsigned luck = below(g, 4);

	enter(g, t, EV_SYSCALL_FUTEX_E, "qwq", addr, op, (int64_t)1);
	leave(g, t, EV_SYSCALL_FUTEX_X, "q", (int64_t)(op & 1 ? luck > 0 : luck ? 0 : CALL_AGAIN));
}

void do_generic(struct gen *g, struct task *t, int id, int nr)
{
	enter(g, t, EV_GENERIC_E, "ww", id, nr);
	leave(g, t, EV_GENERIC_X, "w", id);
}

void do_epoll_wait(struct gen *g, struct task *t)
{
	int64_t n = 1 + below(g, 3);

	enter(g, t, EV_SYSCALL_EPOLLWAIT_E, "q", (int64_t)512);
	leave(g, t, EV_SYSCALL_EPOLLWAIT_X, "q", n);
}

void do_sleep(struct gen *g, struct task *t, int64_t ns)
{
	enter(g, t, EV_SYSCALL_NANOSLEEP_E, "q", ns);
	leave(g, t, EV_SYSCALL_NANOSLEEP_X, "q", (int64_t)0);
}

/* Waits for its children, if any are left. */
bool do_wait(struct gen *g, struct task *t)
{
	do_generic(g, t, ID_WAIT4, NR_WAIT4);
	t->waiting = t->children > 0;
	return t->waiting;
}

static void tuple4(uint8_t p[13], uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	p[0] = 2; /* the format's number for IPv4 */
	for (int i = 0; i < 4; i++) {
		p[1 + i] = (uint8_t)(src >> (24 - 8 * i));
		p[7 + i] = (uint8_t)(dst >> (24 - 8 * i));
	}
	memcpy(p + 5, &sport, 2);
	memcpy(p + 11, &dport, 2);
}

void do_accept(struct gen *g, struct task *t, int64_t fd)
{
	uint8_t tuple[13];
	unsigned host = below(g, 4000), port = below(g, 28000);

	tuple4(tuple, 0x0a010000 + 256 + host, (uint16_t)(32768 + port), 0x0a010005, 80);
	enter(g, t, EV_SOCKET_ACCEPT4_5_E, "d", 0);
	leave(g, t, EV_SOCKET_ACCEPT4_5_X, "qbcdd", fd, tuple, 13, 0, 0, 511);
}
