/* Containers: what the trace tells about them (container events) and what the cgroups of a thread
 * tell.
 *
 * A container is an immutable value, published by the holder of the apply turn and read by any
 * worker for the events of its batch, as of an order number like everything in state.h. All texts
 * are UTF-8 as the trace has them, NUL-terminated and never NULL; empty = not known. */
#ifndef BURIN_STATE_CONTAINER_H
#define BURIN_STATE_CONTAINER_H

#include "base/arena.h"
#include "state/state.h"

/* Codes of the trace; those from 0x100 on are ours and never written. */
enum container_type {
	CT_DOCKER = 0,
	CT_LXC = 1,
	CT_LIBVIRT_LXC = 2,
	CT_MESOS = 3,
	CT_RKT = 4,
	CT_CUSTOM = 5,
	CT_CRI = 6,
	CT_CONTAINERD = 7,
	CT_CRIO = 8,
	CT_BPM = 9,
	CT_STATIC = 10,
	CT_PODMAN = 11,
	CT_NSPAWN = 0x100,
	CT_UNKNOWN = 0xffff,
};

enum container_lookup { CL_STARTED = 0, CL_SUCCESSFUL = 1, CL_FAILED = 2 };

struct container_mount {
	const char *source, *dest, *mode, *propagation;
	bool rdwr;
};
struct container_port {
	uint32_t host_ip; /* host order */
	uint16_t host_port, container_port;
};
struct container_label {
	const char *key, *value;
};
/* A command that asks about the container's health; exe NULL = there is none. */
struct container_probe {
	const char *exe;
	const char *const *args;
	unsigned nargs;
};

struct container {
	uint64_t ord;		/* of the event it came with; 0 = implied by cgroups */
	struct container *prev; /* private: older value */
	struct arena mem;	/* private: holds all texts and arrays */
	uint16_t type;		/* enum container_type */
	uint8_t lookup_state;	/* enum container_lookup */
	bool privileged, is_pod_sandbox, host_pid, host_network, host_ipc;
	const char *id, *full_id, *name, *user;
	const char *image, *imageid, *imagerepo, *imagetag, *imagedigest;
	const char *ip, *cni_json, *pod_sandbox_id, *mesos_task_id;
	int64_t created_s; /* since the epoch */
	uint64_t metadata_deadline_ns;
	int64_t memory_limit, swap_limit, cpu_shares, cpu_quota, cpu_period, cpuset_cpu_count;
	const struct container_mount *mounts;
	const struct container_port *ports;
	const struct container_label *labels, *sandbox_labels;
	const char *const *env;
	unsigned nmounts, nports, nlabels, nsandbox_labels, nenv;
	struct container_probe healthcheck, liveness, readiness;
};

/* "docker"; "" for types 0.29.3 has no text for (compat029), NULL for unknown ones. */
const char *container_type_name(unsigned type, bool compat029);

/* What a cgroups text ("subsys=path" NUL "subsys=path" ...) says. False: host. */
struct container_match {
	uint16_t type;
	uint8_t len; /* of id */
	char id[128];
};
bool container_match(struct container_match *m, const char *cgroups, size_t len, bool compat029);

/* The container of a thread: the one that events described, else *implied, filled with what the
 * cgroups say (valid as long as v). NULL: host, or a container of which only the id is known. */
const struct container *container_of_thread(const struct state_root *r, const struct thread_ver *v,
					    uint64_t ord, bool compat029,
					    struct container *implied);
/* All containers as of ord by id ascending: those that events described and those that only the cgroups
 * of a living thread tell of. fn returns non-zero to stop; its argument is valid during the call. -ENOMEM
 * when memory is out. */
int state_containers_each(const struct state_root *r, uint64_t ord, bool compat029,
			  int (*fn)(void *ctx, const struct container *c), void *ctx);
/* Value of a label; NULL if there is none. */
const char *container_label(const struct container *c, const char *key, size_t key_len);

/* A container from the JSON text of an event. 0 and *out (owned by the caller), or negative with
 * *e. */
int container_parse(struct container **out, const char *json, size_t len, struct err *e);
void container_free(struct container *c);
bool container_event(unsigned type);
/* For the digest. *hidden: the event tells of a look-up that has not succeeded; it takes a number
 * but is never shown. Negative with *e: the record is damaged, which ends the trace. */
int container_event_check(struct event *e, bool *hidden, struct err *err);
/* For apply, while the file has shown container events only: marks those at the start of the batch
 * as hidden, because sysdig reads them before it shows anything. True if the batch holds nothing
 * else. */
bool container_hide_leading(struct batch *b);
/* The id a container event is about ("" if it has none), for showing it without tables. Ends up in
 * out (NUL-terminated, cut to cap). False: not a container event, or damaged. */
bool container_event_id(struct event *e, char *out, size_t cap);

#endif
