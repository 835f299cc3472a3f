/* Users and groups of the machine that come and go during a capture: events of their own, so that a
 * replay knows the names without the machine. The local files only: a name service on the network
 * could hold the capture. One owner. */
#ifndef BURIN_LIVE_USERS_H
#define BURIN_LIVE_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "live/inject.h"

struct user_entry {
	uint32_t is_group, id, gid;
	uint32_t off, len[3]; /* name, home, shell with their NULs, in user_list.text */
};
struct user_list {
	struct user_entry *e; /* owned */
	size_t n, cap;
	struct buf text;
};
struct users {
	struct user_list list;	  /* as told last */
	struct timespec mtime[2]; /* of the two files */
	uint64_t size[2], inode[2];
	bool want;
};

/* passwd or group below BURIN_HOST_ROOT; NULL: there is none. */
FILE *users_file(const char *name);

/* want: someone sees such events. */
void users_init(struct users *u, bool want);
void users_fini(struct users *u);
/* Puts events into q if the files have changed since. ts: ns since the epoch. */
void users_look(struct users *u, struct inject *q, uint64_t ts);

#endif
