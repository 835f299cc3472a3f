/* Facts about one container from the runtime that made it, as the JSON text of a container event
 * (facts: containers.md). Blocking: for the look-up thread only (containers.h). */
#ifndef BURIN_LIVE_RUNTIME_H
#define BURIN_LIVE_RUNTIME_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Where a container was seen. */
struct runtime_key {
	char id[65];   /* all 64 digits, or the name (lxc) */
	uint16_t type; /* enum container_type, as the cgroups say */
	int64_t uid;   /* rootless: owner; -1 = none */
	char pod[37];  /* kubernetes: uid of the pod, as its path has it; "" = none */
};

/* The uid of the pod in a cgroup path ("kubepods...podUID"; the systemd driver writes '-' as '_').
 * False: none. */
bool runtime_pod_uid(const char *path, size_t len, char out[37]);

/* The value of the member "container", owned by the caller; NULL: no runtime knows it. root: prefix
 * of all paths ("" = none). */
json_t *runtime_lookup(const struct runtime_key *k, const char *root);

/* ---- private to the runtimes ---- */

/* Docker's API, which podman speaks too, over the unix socket at path. */
json_t *runtime_ask_api(const char *socket, const char *id, uint16_t type);
/* Bundles and databases on disk: containerd, cri-o, podman. */
json_t *runtime_read_disk(const struct runtime_key *k, const char *root);

/* An object with the members every container has. */
json_t *runtime_new(const char *id, uint16_t type, const char *name);
/* image, imagerepo, imagetag, imagedigest from a reference such as "host:5000/a/b:tag@sha256:...".
 */
void runtime_set_image(json_t *c, const char *reference);
/* Number of cpus in a list such as "0-3,7". */
int runtime_count_cpus(const char *list);
const char *runtime_text(const json_t *obj, const char *member); /* "" if absent */

#endif
