/* Which cgroup a container is. Any thread. */
#ifndef BURIN_LIVE_CGROUP_H
#define BURIN_LIVE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* The one group of the unified hierarchy that is the container's, by its id as container.id shows
 * it. level: its depth, the root's is 0. False: there is none, or more than one, or the machine has
 * no such hierarchy. root: folder it is mounted on, NULL = look it up. */
bool cgroup_of_container(const char *root, const char *id, uint64_t *cgroup, uint32_t *level);

#endif
