/* Private to the probe: what its two forms (bpf/form.bpf.h) have in common. */
#ifndef BURIN_LIVE_PROBE_INT_H
#define BURIN_LIVE_PROBE_INT_H

#include <bpf/libbpf.h>

#include "capture.h"
#include "live/probe.h"

/* Variables of the programs, in memory shared with the kernel. */
struct probe_vars {
	struct cap_call *calls;		  /* CAP_MAX_CALLS */
	uint16_t *calls_32, *socketcalls; /* CAP_MAX_NR, CAP_MAX_SOCKETCALL */
	uint32_t *nr_socketcall;
	void *bit_maps, *choice_maps;
	uint8_t *call_on, *nr_on, *type_on; /* CAP_MAX_CALLS, CAP_MAX_NR, CAP_MAX_TYPES */
	uint32_t *own_tgid;
};

/* The same of either skeleton's variables: they have the same names and types. */
#define PROBE_VARS(bss)                                                                    \
	{                                                                                  \
		(bss)->calls, (bss)->calls_32, (bss)->socketcalls, &(bss)->nr_socketcall,  \
			(bss)->bit_maps, (bss)->choice_maps, (bss)->call_on, (bss)->nr_on, \
			(bss)->type_on, &(bss)->own_tgid                                   \
	}

struct task_fn {
	void (*fn)(void *ctx, const struct cap_task *t);
	void *ctx;
};

struct time_fn {
	void (*fn)(void *ctx, const struct cap_cpu_time *t);
	void *ctx;
};

/* What differs between the forms. All but the first two are called when the programs are loaded;
 * they return 0 or a negative errno, with *e where they take one. */
struct probe_form {
	const char *name;
	/* Opens the object: sets p->skel, p->obj and p->config. NULL and errno: it cannot be. */
	int (*open)(struct probe *p, const struct bpf_object_open_opts *o);
	/* Before loading, with the configuration filled in: which of its own programs are needed,
	 * how large its own maps are. */
	void (*fit)(struct probe *p, const struct probe_opts *o);
	void (*vars)(struct probe *p, struct probe_vars *v);
	/* Finds out the number of this process: sets the variable own_tgid. */
	int (*whoami)(struct probe *p, struct err *e);
	int (*watch)(struct probe *p, pid_t pid, int pidfd, bool at_exec, struct err *e);
	int (*mark)(struct probe *p, const struct task_fn *f);
	int (*cpu_times)(struct probe *p, const struct time_fn *f);
	void (*close)(struct probe *p);
};

extern const struct probe_form probe_form_btf, probe_form_raw;

struct probe {
	const struct probe_form *form;
	char why[256]; /* this form and not the other; "" = it is the ordinary one */
	struct bpf_object_skeleton *skel; /* of the form; owned by it through form_data */
	void *form_data;
	struct bpf_object *obj;
	struct cap_config *config; /* until the programs are loaded */
	uint32_t *own_tgid;
	unsigned ncpus;	    /* possible */
	struct ring *rings; /* one per online cpu */
	unsigned nrings;
	size_t ring_bytes;	   /* of one */
	const char *online;	   /* file with the list of cpus */
	struct cap_counts *counts; /* mapped, by cpu */
	size_t counts_bytes;
	bool marks; /* tasks are marked */
	bool by_tree, follow, by_name;
	char comm[16]; /* by_name: the name */
	uint64_t epoch_offset;
	int stats_fd; /* while open the kernel measures */
};

/* Program or map of the object; it is there. */
struct bpf_program *probe_prog(struct probe *p, const char *name);
struct bpf_map *probe_map(struct probe *p, const char *name);

/* The programs' tables and switches, from the generated ones and the options. */
void probe_fill_config(struct cap_config *c, const struct probe_opts *o);
void probe_fill_tables(struct probe_vars *v, const struct probe_opts *o);
bool probe_any_enter(const struct probe_select *s);

#endif
