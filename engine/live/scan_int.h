/* Private to the start-up scan. */
#ifndef BURIN_LIVE_SCAN_INT_H
#define BURIN_LIVE_SCAN_INT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "live/containers.h"
#include "source/metaenc.h"

enum {
	PPM_CLONE_FILES = 1,
	PPM_CLONE_THREAD = 0x2000
}; /* flags of a thread that is not its process */

/* ---- sockets (scan_net.c) ----------------------------------------------------------------------
 */

struct net_socket {
	uint64_t ino;
	struct meta_fd fd; /* type, addresses; name in name_off */
	uint32_t name_off; /* of a unix path in net_tables.names; 0 = none */
};

/* The sockets of one network namespace. */
struct net_table {
	uint64_t ns;	      /* inode of the namespace */
	struct net_socket *s; /* by inode */
	size_t n, cap;
	struct buf names;
	struct net_table *next;
};

/* Table of the namespace that process pid lives in; read once per namespace and kept in *list.
 * NULL: no memory. */
struct net_table *net_table_of(struct net_table **list, pid_t pid);
const struct net_socket *net_find(const struct net_table *t, uint64_t ino);
void net_tables_free(struct net_table *list);

/* ---- /proc files (scan_proc.c) -----------------------------------------------------------------
 */

/* Reads the file into buf (at most cap - 1 bytes), NUL-terminated. Returns the length, -1 if
 * unreadable. */
ssize_t proc_read(const char *path, char *buf, size_t cap);
/* Writes the list entry of the thread. Returns how many threads its process has, 0: it is gone. */
unsigned proc_thread(struct buf *threads, pid_t pid, pid_t tid, struct containers *containers);
/* Writes those of the process's descriptors. */
void proc_fds(struct buf *out, struct net_table **nets, pid_t pid);

#endif
