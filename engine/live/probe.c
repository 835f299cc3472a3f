#include "live/probe_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "event/event.h"
#include "live/doctor.h"

static _Thread_local char first_said[256];

/* libbpf explains failures only here: first what failed, then what follows from it. The first line
 * is part of our error. */
static int on_libbpf_text(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !first_said[0]) {
		vsnprintf(first_said, sizeof(first_said), fmt, ap);
		first_said[strcspn(first_said, "\n")] = 0;
	}
	return 0;
}

/* ---- rings ----------------------------------------------------------------------------------- */

/* Calls fn for every cpu in the kernel's list of those online ("0-3,8"), as long as it returns 0.
 */
static int each_online(struct probe *p, int (*fn)(struct probe *p, unsigned cpu, struct err *e),
		       struct err *e)
{
	unsigned from, to;
	int rc = 0;
	char c = ',';
	FILE *f = fopen(p->online, "re");

	if (!f)
		return err_errno(e, "can't read %s", p->online);
	while (!rc && c == ',' && fscanf(f, "%u", &from) == 1) {
		to = from;
		c = (char)fgetc(f);
		if (c == '-' && fscanf(f, "%u", &to) == 1)
			c = (char)fgetc(f);
		for (unsigned cpu = from; !rc && cpu <= to && cpu < p->ncpus; cpu++)
			rc = fn(p, cpu, e);
	}
	fclose(f);
	return rc;
}

static size_t ring_size(size_t bytes)
{
	size_t n = (size_t)sysconf(_SC_PAGESIZE);

	while (n < bytes && n < (size_t)1 << 30)
		n *= 2;
	return n;
}

/* A ring for the cpu, if it has none. */
static int add_ring(struct probe *p, unsigned cpu, struct err *e)
{
	struct ring *r = &p->rings[p->nrings];
	int fd, rc;

	for (unsigned i = 0; i < p->nrings; i++)
		if (p->rings[i].cpu == cpu)
			return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, (uint32_t)p->ring_bytes, NULL);
	if (fd < 0)
		return err_errno(e, "can't make a ring of %zu bytes for cpu %u", p->ring_bytes,
				 cpu);
	rc = ring_open(r, fd, (uint16_t)cpu, p->ring_bytes, e);
	if (rc)
		return rc;
	if (bpf_map_update_elem(bpf_map__fd(probe_map(p, "rings")), &cpu, &fd, BPF_ANY)) {
		rc = err_errno(e, "can't install the ring of cpu %u", cpu);
		ring_close(r);
		return rc;
	}
	p->nrings++;
	return 0;
}

static int open_rings(struct probe *p, struct err *e)
{
	p->rings = calloc(p->ncpus, sizeof(*p->rings));
	return p->rings ? each_online(p, add_ring, e)
			: err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
}

void probe_more_rings(struct probe *p)
{
	struct err e;

	err_clear(&e);
	each_online(p, add_ring, &e); /* without a ring the cpu's events are counted as lost */
}

static int map_counts(struct probe *p, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *m;

	p->counts_bytes = (sizeof(struct cap_counts) * p->ncpus + page - 1) / page * page;
	m = mmap(NULL, p->counts_bytes, PROT_READ, MAP_SHARED, bpf_map__fd(probe_map(p, "counts")),
		 0);
	if (m == MAP_FAILED)
		return err_errno(e, "can't map the counters");
	p->counts = m;
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct bpf_program *probe_prog(struct probe *p, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, name);

	ASSERT(prog);
	return prog;
}

struct bpf_map *probe_map(struct probe *p, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(p->obj, name);

	ASSERT(map);
	return map;
}

/* Which programs of both forms are needed, how large the maps of both are. */
static void fit(struct probe *p, const struct probe_opts *o)
{
	static const char *const per_cpu[] = {"works", "counts", "rings"};

	for (size_t i = 0; i < ARRAY_SIZE(per_cpu); i++)
		bpf_map__set_max_entries(probe_map(p, per_cpu[i]), p->ncpus);
	probe_fill_config(p->config, o);
	p->by_name = p->config->push & CAP_BY_COMM;
	if (p->by_name)
		memcpy(p->comm, o->select->comm, sizeof(p->comm));
	p->marks = o->by_tree || p->by_name;
	bpf_program__set_autoload(probe_prog(p, "fault_user"), o->page_faults);
	bpf_program__set_autoload(probe_prog(p, "fault_kernel"), o->page_faults);
	bpf_program__set_autoload(probe_prog(p, "task_fork"), p->marks);
	bpf_program__set_autoload(probe_prog(p, "task_exec"), p->marks);
	if (o->select && !probe_any_enter(o->select))
		bpf_program__set_autoload(probe_prog(p, "call_enter"), false);
	p->form->fit(p, o);
}

static void unload(struct probe *p)
{
	if (p->form_data)
		p->form->close(p);
	p->form_data = NULL;
	p->skel = NULL;
	p->obj = NULL;
}

/* Loads the programs in one form. */
static int load(struct probe *p, const struct probe_form *form, const struct probe_opts *o,
		struct err *e)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .btf_custom_path = form == &probe_form_raw ? o->btf : NULL);
	struct probe_vars v;
	int rc;

	first_said[0] = 0;
	p->form = form;
	rc = form->open(p, &opts);
	if (rc)
		return doctor_explain(e, o, rc, first_said);
	fit(p, o);
	rc = bpf_object__load_skeleton(p->skel);
	if (rc)
		return doctor_explain(e, o, rc, first_said);
	form->vars(p, &v);
	p->own_tgid = v.own_tgid;
	probe_fill_tables(&v, o);
	return form->whoami(p, e);
}

/* Before 5.11 maps count as locked memory. */
static void lift_memory_limit(void)
{
	struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

	if (!doctor_kernel_at_least(5, 11))
		setrlimit(RLIMIT_MEMLOCK, &r); /* refused: the kernel says what is missing */
}

/* Loads the programs in the form asked for, or in the better one that the kernel takes. */
static int choose(struct probe *p, const struct probe_opts *o, struct err *e)
{
	bool own_types = doctor_kernel_has_types();
	int rc;

	if (o->attach == PROBE_BTF || (o->attach == PROBE_AUTO && own_types)) {
		rc = load(p, &probe_form_btf, o, e);
		if (!rc || o->attach == PROBE_BTF || rc == -EPERM || rc == -ENOMEM)
			return rc;
		unload(p);
		snprintf(p->why, sizeof(p->why), "the kernel does not take tp_btf: %.200s",
			 first_said);
	} else {
		snprintf(p->why, sizeof(p->why), "%s",
			 o->attach == PROBE_RAW ? "asked for"
						: "the kernel does not carry its type information");
	}
	return load(p, &probe_form_raw, o, e);
}

int probe_open(struct probe **out, const struct probe_opts *o, struct err *e)
{
	struct probe *p = calloc(1, sizeof(*p));
	int rc, n = libbpf_num_possible_cpus();

	if (!p)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	if (n < 1 || n > CAP_MAX_CPUS) {
		free(p);
		return err_set(e, -ENOTSUP, ERR_NO_POS,
			       "%d possible cpus: at most %d are supported", n, CAP_MAX_CPUS);
	}
	p->ncpus = (unsigned)n;
	p->online = o->online ? o->online : "/sys/devices/system/cpu/online";
	p->by_tree = o->by_tree;
	p->follow = o->follow;
	p->epoch_offset = o->epoch_offset;
	p->ring_bytes = ring_size(o->ring_bytes);
	p->stats_fd = o->measure ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1;
	libbpf_set_print(on_libbpf_text);
	lift_memory_limit();
	rc = doctor_refuse(e);
	if (!rc)
		rc = choose(p, o, e);
	if (!rc)
		rc = open_rings(p, e);
	if (!rc)
		rc = map_counts(p, e);
	if (rc) {
		probe_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

bool probe_ids_agree(const struct probe *p)
{
	const ino_t first_namespace = 0xeffffffc; /* inode of the initial one, on every kernel */
	char self[16] = "";
	struct stat st;

	return (uint32_t)getpid() == *p->own_tgid && readlink("/proc/self", self, sizeof(self) - 1) > 0 &&
	       strtoul(self, NULL, 10) == *p->own_tgid && !stat("/proc/self/ns/pid", &st) && st.st_ino == first_namespace;
}

void probe_close(struct probe *p)
{
	if (!p)
		return;
	if (p->counts)
		munmap(p->counts, p->counts_bytes);
	for (unsigned i = 0; i < p->nrings; i++)
		ring_close(&p->rings[i]);
	free(p->rings);
	if (p->stats_fd >= 0)
		close(p->stats_fd);
	unload(p);
	free(p);
}

void probe_how(const struct probe *p, char *out, size_t cap)
{
	snprintf(out, cap, p->why[0] ? "%s (%s)" : "%s", p->form->name, p->why);
}

int probe_watch(struct probe *p, pid_t pid, int pidfd, bool at_exec, struct err *e)
{
	return p->form->watch(p, pid, pidfd, at_exec, e);
}

int probe_attach(struct probe *p, struct err *e)
{
	int rc = bpf_object__attach_skeleton(p->skel);

	return rc ? err_set(e, rc, ERR_NO_POS, "can't attach the capture programs: %s", first_said)
		  : 0;
}

int probe_mark(struct probe *p, void (*fn)(void *ctx, const struct cap_task *t), void *ctx,
	       struct err *e)
{
	struct task_fn f = {fn, ctx};
	int rc = p->form->mark(p, &f);

	return rc ? err_set(e, rc, ERR_NO_POS, "can't look through the threads: %s", strerror(-rc))
		  : 0;
}

int probe_cpu_times(struct probe *p, void (*fn)(void *ctx, const struct cap_cpu_time *t), void *ctx)
{
	struct time_fn f = {fn, ctx};

	return p->form->cpu_times(p, &f);
}

void probe_detach(struct probe *p)
{
	bpf_object__detach_skeleton(p->skel);
}

unsigned probe_cpu_count(const struct probe *p)
{
	return p->ncpus;
}

unsigned probe_ring_count(const struct probe *p)
{
	return p->nrings;
}

struct ring *probe_ring(struct probe *p, unsigned i)
{
	return &p->rings[i];
}

/* ---- counters -------------------------------------------------------------------------------- */

uint64_t probe_lost(const struct probe *p)
{
	uint64_t n = 0;

	for (unsigned cpu = 0; cpu < p->ncpus; cpu++)
		n += p->counts[cpu].lost;
	return n;
}

static void count_type(struct probe_count *c, const struct cap_counts *k, unsigned type)
{
	c->sent += k->sent[type];
	c->dropped += k->dropped[type];
}

struct probe_count probe_counts_cpu(const struct probe *p, unsigned cpu)
{
	const struct cap_counts *k = &p->counts[cpu];
	struct probe_count c = {.dropped = k->nested, .bytes = k->bytes};

	for (unsigned t = 0; t < CAP_MAX_TYPES; t++)
		count_type(&c, k, t);
	return c;
}

struct probe_count probe_counts(const struct probe *p, int type)
{
	struct probe_count sum = {0};

	for (unsigned cpu = 0; cpu < p->ncpus; cpu++) {
		struct probe_count c = {0};

		if (type < 0)
			c = probe_counts_cpu(p, cpu);
		else
			count_type(&c, &p->counts[cpu], (unsigned)type);
		sum.sent += c.sent;
		sum.dropped += c.dropped;
		sum.bytes += c.bytes;
	}
	return sum;
}

void probe_cost(const struct probe *p, uint64_t *runs, uint64_t *ns)
{
	struct bpf_program *prog;

	*runs = *ns = 0;
	bpf_object__for_each_program(prog, p->obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			continue;
		*runs += info.run_cnt;
		*ns += info.run_time_ns;
	}
}
