/* Decoders of the metadata blocks (machine info, process, fd, interface and user lists), every
 * version. Pure functions: block bytes in, one callback per entry, no state. All texts are borrowed
 * from the block and not NUL-terminated. Any thread. Errors carry the offset inside the block. */
#ifndef BURIN_SOURCE_META_H
#define BURIN_SOURCE_META_H

#include <stdbool.h>

#include "base/err.h"

struct text {
	const char *p;
	uint32_t len;
};

struct meta_machine {
	uint32_t num_cpus;
	uint64_t memory_bytes, max_pid, boot_ts, flags;
	char hostname[129];
};

struct meta_thread {
	uint64_t tid, pid, ptid;
	int64_t sid, vpgid, pgid, vtid, vpid; /* -1 = not in the file */
	struct text comm, exe, exepath, args, env, cwd, cgroups, root;
	uint64_t fdlimit;
	uint32_t flags, uid, gid;
	uint32_t vmsize_kb, vmrss_kb, vmswap_kb;
	uint64_t pfmajor, pfminor;
	uint64_t pidns_init_start_ts;
	uint32_t tty, loginuid; /* loginuid all-ones when absent */
	bool exe_writable, exe_upper_layer, exe_lower_layer, exe_from_memfd;
	uint64_t cap_inheritable, cap_permitted, cap_effective;
	uint64_t exe_ino, exe_ino_ctime, exe_ino_mtime;
};

/* Types of descriptors on disk: frozen. */
enum meta_fd_type {
	MFD_UNKNOWN = 0,
	MFD_FILE = 1,
	MFD_DIRECTORY = 2,
	MFD_IPV4 = 3,
	MFD_IPV6 = 4,
	MFD_IPV4_SERVER = 5,
	MFD_IPV6_SERVER = 6,
	MFD_FIFO = 7,
	MFD_UNIX = 8,
	MFD_EVENTFD = 9,
	MFD_UNSUPPORTED = 10,
	MFD_FILE_V2 = 16,
	MFD_LAST_029 = 16, /* greatest that sysdig 0.29.3 reads */
	MFD_LAST = 21,
};

struct meta_fd {
	uint64_t tid;
	int64_t fd;
	uint64_t ino;
	uint8_t type; /* code of the FDL block; unknown codes arrive as 10, named unknown-type:[N]
		       */
	struct text name; /* files, pipes, unix sockets ... */
	uint32_t openflags, dev;
	uint8_t sip[16],
		dip[16];       /* network order; ipv4 in the first 4 bytes; servers use sip/sport */
	uint16_t sport, dport; /* host order */
	uint8_t l4proto;       /* 0 unknown 1 n/a 2 tcp 3 udp 4 icmp 5 raw */
	uint64_t unix_source, unix_dest;
};

struct meta_iface {
	bool v6;
	bool no_speed; /* the entry has no link speed */
	uint8_t addr[16], mask[16], bcast[16];
	uint64_t speed;
	struct text name;
};

struct meta_user {
	bool is_group;
	uint32_t uid, gid;
	struct text name, home, shell;
};

/* Receives the entries of one block in order. A callback returning non-zero stops with that code.
 * NULL callbacks skip. */
struct meta_visitor {
	void *ctx;
	int (*machine)(void *ctx, const struct meta_machine *m);
	int (*thread)(void *ctx, const struct meta_thread *t);
	int (*fd)(void *ctx, const struct meta_fd *f);
	int (*iface)(void *ctx, const struct meta_iface *i);
	int (*user)(void *ctx, const struct meta_user *u);
	/* Before the first entry of an interface or user list (block_kind() of source/block.h
	 * tells which): a repeat replaces the earlier list. */
	int (*list_begin)(void *ctx, uint32_t block_type);
};

/* Decodes one whole block (n bytes including the frame, already framed by the source). Blocks of
 * other kinds are ignored. e->pos = offset inside the block. */
int meta_decode(const uint8_t *block, uint32_t n, const struct meta_visitor *v, struct err *e);

#endif
