#include "live/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "capture.skel.h"
#include "event/event.h"
#include "live/cgroup.h"
#include "live/doctor.h"

extern const struct cap_call cap_calls[CAP_MAX_CALLS];
extern const uint16_t cap_calls_32[CAP_MAX_NR], cap_socketcalls[CAP_MAX_SOCKETCALL];
extern const uint32_t cap_nr_socketcall;
extern const uint32_t cap_bit_maps[CAP_BIT_MAPS][1024];
extern const struct cap_choice_map cap_choice_maps[CAP_CHOICE_MAPS];

struct probe {
	struct capture *skel;
	unsigned ncpus;	    /* possible */
	struct ring *rings; /* one per online cpu */
	unsigned nrings;
	size_t ring_bytes;	   /* of one */
	const char *online;	   /* file with the list of cpus */
	struct cap_counts *counts; /* mapped, by cpu */
	size_t counts_bytes;
	bool marks; /* tasks are marked */
	bool by_tree;
	struct bpf_link *cpu_times;
	int stats_fd; /* while open the kernel measures */
};

static _Thread_local char last_said[256];

/* libbpf explains failures only here; the last line is part of our error. */
static int on_libbpf_text(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_said, sizeof(last_said), fmt, ap);
		last_said[strcspn(last_said, "\n")] = 0;
	}
	return 0;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool bit(const uint64_t *set, unsigned i)
{
	return set[i / 64] >> i % 64 & 1;
}

static void make_generic(struct cap_event *ev, bool leave, bool all_params)
{
	ev->type = (uint16_t)(EV_GENERIC_E + leave);
	ev->filler = CAP_FILL_GENERIC;
	ev->n = leave && !all_params ? 1 : 2;
}

static bool is_plain(const struct cap_op *d)
{
	return d->op <= CAP_OP_SARG && !d->map;
}

/* See struct cap_event: the short way through its table. */
static void find_short_way(struct cap_event *ev)
{
	unsigned i = 0;

	while (i < ev->n && i < CAP_MAX_PLAIN && is_plain(&ev->op[i])) {
		ev->lens[i] = ev->op[i].size;
		i++;
	}
	ev->nplain = (uint8_t)i;
	ev->then = i == ev->n ? CAP_THEN_END : CAP_THEN_MORE;
	if (i == ev->n || ev->n > CAP_MAX_PLAIN ||
	    (ev->op[i].op != CAP_OP_IN && ev->op[i].op != CAP_OP_OUT))
		return;
	for (unsigned k = i + 1; k < ev->n; k++) {
		if (!is_plain(&ev->op[k]))
			return;
		ev->lens[k] = ev->op[k].size;
	}
	ev->then = ev->op[i].op == CAP_OP_IN ? CAP_THEN_IN : CAP_THEN_OUT;
}

static void prepare_event(struct cap_event *ev, bool leave, const struct probe_opts *o)
{
	if (ev->filler == CAP_FILL_GENERIC) {
		make_generic(ev, leave, o->all_params);
	} else if (!ev->filler) {
		if (ev->type < EV_CODE_COUNT && !o->all_params &&
		    !(o->select && bit(o->select->alone, ev->type)))
			ev->n = ev->n029;
		find_short_way(ev);
	}
}

/* What of the tables follows from the options is worked out here and not once per event. */
static void prepare_call(struct cap_call *c, const struct probe_opts *o)
{
	bool generic = !c->named || (o->compat_029 && c->generic_029);

	if (!c->named)
		c->sc = SC_UNKNOWN;
	if (generic) {
		make_generic(&c->enter, false, o->all_params);
		make_generic(&c->exit, true, o->all_params);
	}
	if (o->compat_029 && !c->known_029)
		c->sc = SC_UNKNOWN;
	prepare_event(&c->enter, false, o);
	prepare_event(&c->exit, true, o);
}

/* 1 sent, 5 sent of every process. */
static uint8_t call_bits(const struct probe_select *s, const struct cap_call *c, bool leave)
{
	const struct cap_event *ev = leave ? &c->exit : &c->enter;

	if (ev->type == CAP_NO_EVENT)
		return 0;
	if (!s)
		return 1;
	if (ev->type > EV_GENERIC_X)
		return (uint8_t)(bit(s->types, ev->type) | bit(s->tables, ev->type) << 2);
	return bit(s->types, EV_GENERIC_E + leave) && bit(s->generic[leave], c->sc);
}

/* What is sent of a number of 32-bit programs. */
static uint8_t on_of_32(const struct capture__bss *bss, unsigned nr)
{
	uint8_t on = bss->call_on[cap_calls_32[nr]];

	for (unsigned i = 0; cap_calls_32[nr] == cap_nr_socketcall && i < CAP_MAX_SOCKETCALL; i++)
		on |= bss->call_on[cap_socketcalls[i]];
	return on;
}

static void fill_tables(struct capture__bss *bss, const struct probe_opts *o)
{
	struct cap_call *calls = (struct cap_call *)bss->calls;

	memcpy(bss->calls, cap_calls, sizeof(bss->calls));
	memcpy(bss->calls_32, cap_calls_32, sizeof(bss->calls_32));
	memcpy(bss->socketcalls, cap_socketcalls, sizeof(bss->socketcalls));
	bss->nr_socketcall = cap_nr_socketcall;
	memcpy(bss->bit_maps, cap_bit_maps, sizeof(bss->bit_maps));
	memcpy(bss->choice_maps, cap_choice_maps, sizeof(bss->choice_maps));
	for (unsigned i = 0; i < CAP_MAX_CALLS; i++) {
		prepare_call(&calls[i], o);
		bss->call_on[i] = (uint8_t)(call_bits(o->select, &calls[i], false) |
					    call_bits(o->select, &calls[i], true) << 1);
	}
	for (unsigned nr = 0; nr < CAP_MAX_NR; nr++)
		bss->nr_on[nr] = bss->call_on[nr] | on_of_32(bss, nr);
	/* numbers that are out of range; -1 is sigreturn */
	bss->nr_on[CAP_MAX_NR - 1] |= bss->call_on[CAP_NR_SIGRETURN];
	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		bss->type_on[t] = !o->select || bit(o->select->types, t);
}

static bool any_enter(const struct probe_select *s)
{
	uint64_t any = 0;

	for (size_t i = 0; i < ARRAY_SIZE(s->types); i++)
		any |= s->types[i] & 0x5555555555555555;
	return any;
}

static void push_down(struct cap_config *c, const struct probe_select *s)
{
	char mask[16] = {0};
	uint64_t cgroup;
	uint32_t level;

	memcpy(c->pids, s->pids, sizeof(c->pids));
	memcpy(c->uids, s->uids, sizeof(c->uids));
	c->npids = s->npids;
	c->nuids = s->nuids;
	memcpy(c->comm, s->comm, sizeof(c->comm));
	memset(mask, 0xff, strnlen(s->comm, 15) + 1);
	memcpy(c->comm_mask, mask, sizeof(c->comm_mask));
	c->push = (s->npids ? CAP_BY_PID : 0) | (s->nuids ? CAP_BY_UID : 0) |
		  (s->comm[0] ? CAP_BY_COMM : 0) | (s->sample > 1 ? CAP_BY_TIME : 0);
	if (s->sample > 1)
		c->slice_ns = 1000000000 / s->sample;
	if (s->container[0] && cgroup_of_container(NULL, s->container, &cgroup, &level)) {
		c->push |= CAP_BY_CGROUP;
		c->cgroup = cgroup;
		c->cgroup_level = level;
	}
}

static void fill_config(struct probe *p, const struct probe_opts *o)
{
	struct cap_config *c = (struct cap_config *)&p->skel->rodata->config;

	c->epoch_offset = o->epoch_offset;
	c->snaplen = o->select && o->select->no_payload ? 0 : o->snaplen;
	c->all_params = o->all_params;
	c->follow = o->follow;
	c->by_tree = o->by_tree;
	if (o->select)
		push_down(c, o->select);
	bpf_program__set_autoload(p->skel->progs.fault_user, o->page_faults);
	bpf_program__set_autoload(p->skel->progs.fault_kernel, o->page_faults);
	p->marks = o->by_tree || c->push & CAP_BY_COMM;
	if (o->select && !any_enter(o->select))
		bpf_program__set_autoload(p->skel->progs.call_enter, false);
	bpf_program__set_autoload(p->skel->progs.task_fork, p->marks);
	bpf_program__set_autoload(p->skel->progs.mark_tasks, p->marks);
	bpf_program__set_autoload(p->skel->progs.task_exec, p->marks);
	bpf_program__set_autoload(p->skel->progs.list_tasks, !o->by_tree);
	p->by_tree = o->by_tree;
	/* made when it is needed, and only then */
	bpf_program__set_autoattach(p->skel->progs.mark_tasks, false);
	bpf_program__set_autoattach(p->skel->progs.list_tasks, false);
	bpf_program__set_autoattach(p->skel->progs.cpu_times, false);
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
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.rings), &cpu, &fd, BPF_ANY)) {
		rc = err_errno(e, "can't install the ring of cpu %u", cpu);
		ring_close(r);
		return rc;
	}
	p->nrings++;
	return 0;
}

static int open_rings(struct probe *p, size_t bytes, struct err *e)
{
	p->ring_bytes = bytes;
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
	m = mmap(NULL, p->counts_bytes, PROT_READ, MAP_SHARED, bpf_map__fd(p->skel->maps.counts),
		 0);
	if (m == MAP_FAILED)
		return err_errno(e, "can't map the counters");
	p->counts = m;
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int load(struct probe *p, const struct probe_opts *o, struct err *e)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int rc;

	rc = doctor_refuse(e);
	if (rc)
		return rc;
	libbpf_set_print(on_libbpf_text);
	p->skel = capture__open();
	if (!p->skel)
		return doctor_explain(e, -errno, last_said);
	bpf_map__set_max_entries(p->skel->maps.works, p->ncpus);
	bpf_map__set_max_entries(p->skel->maps.counts, p->ncpus);
	bpf_map__set_max_entries(p->skel->maps.rings, p->ncpus);
	fill_config(p, o);
	rc = capture__load(p->skel);
	if (rc)
		return doctor_explain(e, rc, last_said);
	fill_tables(p->skel->bss, o);
	if (bpf_prog_test_run_opts(bpf_program__fd(p->skel->progs.whoami), &run) ||
	    !p->skel->bss->own_tgid)
		return err_errno(e, "can't find out the id of this process");
	return 0;
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
	p->stats_fd = o->measure ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1;
	rc = load(p, o, e);
	if (!rc)
		rc = open_rings(p, ring_size(o->ring_bytes), e);
	if (!rc)
		rc = map_counts(p, e);
	if (rc) {
		probe_close(p);
		return rc;
	}
	*out = p;
	return 0;
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
	bpf_link__destroy(p->cpu_times);
	if (p->stats_fd >= 0)
		close(p->stats_fd);
	capture__destroy(p->skel);
	free(p);
}

int probe_watch(struct probe *p, int pidfd, bool at_exec, struct err *e)
{
	uint32_t state = at_exec ? CAP_TASK_AT_EXEC : CAP_TASK_WATCHED;

	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.tasks), &pidfd, &state, BPF_ANY))
		return err_errno(e, "can't follow the process");
	return 0;
}

/* Runs an iterator once over all tasks of the machine; fn sees what it writes, size bytes each. */
static int iterate(struct bpf_link *link, size_t size, void (*fn)(void *ctx, const void *entry),
		   void *ctx)
{
	_Alignas(8) char buf[4096];
	int fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* the kernel gives whole entries as long as the buffer has room for some */
	while ((n = read(fd, buf, sizeof(buf) / size * size)) > 0 ||
	       (n < 0 && (errno == EINTR || errno == EAGAIN)))
		for (ssize_t i = 0; i + (ssize_t)size <= n; i += (ssize_t)size)
			fn(ctx, buf + i);
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

struct task_fn {
	void (*fn)(void *ctx, const struct cap_task *t);
	void *ctx;
};

static void on_task(void *ctx, const void *entry)
{
	const struct task_fn *f = ctx;

	f->fn(f->ctx, entry);
}

struct time_fn {
	void (*fn)(void *ctx, const struct cap_cpu_time *t);
	void *ctx;
};

static void on_cpu_time(void *ctx, const void *entry)
{
	const struct time_fn *f = ctx;

	f->fn(f->ctx, entry);
}

/* Until a turn marks nothing new: what is forked meanwhile by a task not marked yet is found by the
 * next turn, what is forked by a marked one is marked by the fork program. */
static int over_tasks(struct probe *p, const struct bpf_program *prog, struct task_fn *f)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	uint32_t before;
	int rc = link ? 0 : -errno;

	do {
		before = p->skel->bss->new_marks;
		rc = rc ? rc : iterate(link, sizeof(struct cap_task), on_task, f);
	} while (!rc && p->skel->bss->new_marks != before);
	bpf_link__destroy(link);
	return rc;
}

int probe_mark(struct probe *p, void (*fn)(void *ctx, const struct cap_task *t), void *ctx,
	       struct err *e)
{
	struct task_fn f = {fn, ctx};
	int rc = p->marks ? over_tasks(p, p->skel->progs.mark_tasks, &f) : 0;

	if (!rc && !p->by_tree)
		rc = over_tasks(p, p->skel->progs.list_tasks, &f);
	return rc ? err_set(e, rc, ERR_NO_POS, "can't look through the threads: %s", strerror(-rc))
		  : 0;
}

int probe_attach(struct probe *p, struct err *e)
{
	int rc = capture__attach(p->skel);

	return rc ? err_set(e, rc, ERR_NO_POS, "can't attach the capture programs: %s", last_said)
		  : 0;
}

int probe_cpu_times(struct probe *p, void (*fn)(void *ctx, const struct cap_cpu_time *t), void *ctx)
{
	struct time_fn f = {fn, ctx};

	if (!p->cpu_times)
		p->cpu_times = bpf_program__attach_iter(p->skel->progs.cpu_times, NULL);
	if (!p->cpu_times)
		return -errno;
	return iterate(p->cpu_times, sizeof(struct cap_cpu_time), on_cpu_time, &f);
}

void probe_detach(struct probe *p)
{
	capture__detach(p->skel);
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
	bpf_object__for_each_program(prog, p->skel->obj)
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
