/* bench_gen MIX [--size BYTES | --events N] [--seed N] [-o FILE]: writes a trace of a made machine,
 * the same one for the same arguments. sysdig 0.29.3 reads it and burin --compat=0.29 prints the
 * same. BYTES takes k, M and G; standard output without -o. bench_gen --list names the mixes. */
#include "gen.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/assert.h"

enum { FLUSH_BYTES = 1 << 20, FIRST_TID = 1000, SNAPLEN = 80 };
#define T0_NS 1700000000000000000u

/* ---- chance ---- */

uint64_t gen_random(struct gen *g)
{
	uint64_t x = g->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	g->random = x;
	return x * 0x2545F4914F6CDD1Du;
}

static void seed(struct gen *g, uint64_t n)
{
	g->random = (n + 1) * 0x9E3779B97F4A7C15u;
	for (unsigned i = 0; i < sizeof(g->text); i++)
		g->text[i] = (uint8_t)(chance(g, 97) ? ' ' + below(g, 95) : below(g, 256));
}

/* ---- writing ---- */

static void flush(struct gen *g)
{
	g->bytes += g->buf.len;
	if (buf_failed(&g->buf) || fwrite(g->buf.p, 1, g->buf.len, g->out) != g->buf.len) {
		perror("bench_gen");
		exit(1);
	}
	buf_reset(&g->buf);
}

static void put_int(uint8_t *p, uint64_t v, unsigned n)
{
	memcpy(p, &v, n); /* little-endian machines */
}

/* Appends an event block without time and CPU. */
static void put_event(struct buf *b, int64_t tid, unsigned type, const char *fmt, va_list ap)
{
	unsigned n = (unsigned)strlen(fmt), at = 0;
	size_t lens = 10 + EVENT_HDR_V2, pos = lens + 2 * n;
	uint8_t *p;

	ASSERT(n == event_table[type].nparams_029);
	if (!buf_room(b, EXIT_EVENT_MAX + 2 * SNAPLEN))
		return;
	p = (uint8_t *)b->p + b->len;
	for (; fmt[at]; at++) {
		size_t len = 0;
		const char *s;

		switch (fmt[at]) {
		case 'q':
			put_int(p + pos, (uint64_t)va_arg(ap, int64_t), len = 8);
			break;
		case 'd':
			put_int(p + pos, (uint64_t)va_arg(ap, int), len = 4);
			break;
		case 'w':
			put_int(p + pos, (uint64_t)va_arg(ap, int), len = 2);
			break;
		case 'c':
			put_int(p + pos, (uint64_t)va_arg(ap, int), len = 1);
			break;
		case 's':
			s = va_arg(ap, const char *);
			memcpy(p + pos, s, len = strlen(s) + 1);
			break;
		case 'b':
			s = va_arg(ap, const char *);
			memcpy(p + pos, s, len = (size_t)va_arg(ap, int));
			break;
		default:
			break; /* e */
		}
		put_int(p + lens + 2 * at, len, 2);
		pos += len;
	}
	ASSERT(pos < EXIT_EVENT_MAX);
	put_int(p + 10 + 8, (uint64_t)tid, 8);
	put_int(p + 10 + 16, pos - 10, 4);
	put_int(p + 10 + 20, type, 2);
	put_int(p + 10 + 22, n, 4);
	while (pos % 4)
		p[pos++] = 0;
	put_int(p, BLK_EV_V2, 4);
	put_int(p + 4, pos + 4, 4);
	put_int(p + pos, pos + 4, 4);
	b->len += pos + 4;
}

/* The event at the start of p happens now on the CPU that runs. */
static void stamp(struct gen *g, uint8_t *p)
{
	struct cpu *c = &g->cpu[g->on];

	put_int(p + 8, g->on, 2);
	put_int(p + 10, c->clock_ns, 8);
	c->clock_ns += 150 + below(g, 1500);
	g->events++;
}

void enter(struct gen *g, struct task *t, unsigned type, const char *fmt, ...)
{
	size_t at = g->buf.len;
	va_list ap;

	va_start(ap, fmt);
	put_event(&g->buf, t ? t->tid : -1, type, fmt, ap);
	va_end(ap);
	stamp(g, (uint8_t *)g->buf.p + at);
}

void leave(struct gen *g, struct task *t, unsigned type, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_event(&t->pending, t->tid, type, fmt, ap);
	va_end(ap);
}

void leave_data(struct gen *g, struct task *t, unsigned type, int64_t res, const char *more)
{
	int len = res > 0 ? (int)MIN(res, (int64_t)SNAPLEN) : 0;
	const uint8_t *data = g->text + below(g, sizeof(g->text) - SNAPLEN);
	char fmt[8];

	snprintf(fmt, sizeof(fmt), "q%c%s", len ? 'b' : 'e', more);
	if (len)
		leave(g, t, type, fmt, res, data, len);
	else
		leave(g, t, type, fmt, res);
}

/* ---- tasks ---- */

static int64_t tid_take(struct gen *g)
{
	for (unsigned i = 0; i < GEN_PIDS; i++) {
		unsigned tid = g->next_tid++;

		if (g->next_tid == GEN_PIDS)
			g->next_tid = FIRST_TID;
		if (!g->used[tid]) {
			g->used[tid] = 1;
			return tid;
		}
	}
	return -1;
}

static unsigned cpu_least(const struct gen *g)
{
	unsigned best = 0;

	for (unsigned i = 1; i < GEN_CPUS; i++)
		if (g->cpu[i].n < g->cpu[best].n)
			best = i;
	return best;
}

static void cpu_add(struct cpu *c, struct task *t)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->tasks = realloc(c->tasks, c->cap * sizeof(*c->tasks));
		ASSERT(c->tasks);
	}
	c->tasks[c->n++] = t;
}

struct task *task_new(struct gen *g, struct task *parent, struct task *thread_of, step_fn *step,
		      const char *comm)
{
	int64_t tid = tid_take(g);
	struct task *t;

	if (tid < 0)
		return NULL;
	t = calloc(1, sizeof(*t));
	ASSERT(t);
	if (parent) {
		*t = *parent;
		t->pending = (struct buf){0};
		t->children = 0;
		t->waiting = false;
		parent->children++;
	} else {
		t->next_fd = 3;
		t->cgroups = "cpuset=/\0cpu=/\0memory=/system.slice/bench.service\0";
		snprintf(t->exe, sizeof(t->exe), "/usr/bin/%s", comm);
		snprintf(t->args, sizeof(t->args), "--serve");
	}
	t->parent = parent;
	t->tid = tid;
	t->pid = thread_of ? thread_of->pid : tid;
	t->vtid = t->tid;
	t->vpid = t->pid;
	t->step = step;
	t->at = 0;
	t->cpu = cpu_least(g);
	snprintf(t->comm, sizeof(t->comm), "%s", comm);
	cpu_add(&g->cpu[t->cpu], t);
	return t;
}

static int text_list(char *out, const char *s)
{
	int n = (int)strlen(s) + 1;

	memcpy(out, s, (size_t)n);
	for (int i = 0; i < n; i++)
		if (out[i] == ' ')
			out[i] = 0;
	return n;
}

static int list_bytes(const char *s)
{
	const char *p = s;

	while (*p)
		p += strlen(p) + 1;
	return (int)(p - s);
}

static void leave_clone(struct gen *g, struct task *t, int64_t res)
{
	char args[64];
	int n = text_list(args, t->args);
	/* Not among the arguments of a call: their order is the compiler's. */
	int64_t faults = 100 + below(g, 900);
	int vm_size = 20000 + (int)below(g, 9999);

	leave(g, t, EV_SYSCALL_CLONE_20_X, "qsbqqqsqqqdddsbdddqq", res, t->exe, args, n, t->tid,
	      t->pid, t->parent ? t->parent->pid : (int64_t)1, "/srv", (int64_t)1024, (int64_t)0,
	      faults, vm_size, vm_size / 5, 0, t->comm, t->cgroups, list_bytes(t->cgroups),
	      t->tid == t->pid ? 0x01800000 : 0x43, (int)t->uid, (int)t->uid, t->vtid, t->vpid);
}

struct task *task_clone(struct gen *g, struct task *t, step_fn *step)
{
	struct task *child = task_new(g, t, NULL, step, t->comm);

	if (!child)
		return NULL;
	enter(g, t, EV_SYSCALL_CLONE_20_E, "");
	leave_clone(g, t, child->vtid);
	leave_clone(g, child, 0);
	return child;
}

void task_exec(struct gen *g, struct task *t, const char *exe, const char *args)
{
	static const char env[] = "PATH=/usr/local/bin:/usr/bin\0LANG=C.UTF-8\0HOME=/srv";
	const char *name = strrchr(exe, '/');
	char list[64];
	int n;

	enter(g, t, EV_SYSCALL_EXECVE_19_E, "s", exe);
	snprintf(t->exe, sizeof(t->exe), "%s", exe);
	snprintf(t->args, sizeof(t->args), "%s", args);
	snprintf(t->comm, sizeof(t->comm), "%s", name ? name + 1 : exe);
	n = text_list(list, t->args);
	leave(g, t, EV_SYSCALL_EXECVE_19_X, "qsbqqqsqqqdddsbbdqdd", (int64_t)0, t->exe, list, n,
	      t->tid, t->pid, t->parent ? t->parent->pid : (int64_t)1, "/srv", (int64_t)1024,
	      (int64_t)0, (int64_t)(40 + below(g, 40)), 440, 4, 0, t->comm, t->cgroups,
	      list_bytes(t->cgroups), env, (int)sizeof(env), 0, t->pid, -1, 0);
}

void task_exit(struct gen *g, struct task *t)
{
	int64_t status = chance(g, 95) ? 0 : 1;

	enter(g, t, EV_PROCEXIT_1_E, "qqcc", status << 8, status, 0, 0);
	t->dead = true;
}

int64_t fd_take(struct task *t)
{
	return t->next_fd++;
}

/* Programs close what they opened last. */
void fd_give(struct task *t, int64_t fd)
{
	if (fd == t->next_fd - 1)
		t->next_fd = fd;
}

static void task_free(struct gen *g, struct task *t)
{
	struct cpu *c = &g->cpu[t->cpu];

	for (unsigned i = 0; i < c->n; i++) {
		if (c->tasks[i] == t) {
			c->tasks[i] = c->tasks[--c->n];
			break;
		}
	}
	if (t->parent && --t->parent->children == 0)
		t->parent->waiting = false;
	g->used[t->tid] = 0;
	buf_fini(&t->pending);
	free(t);
}

/* ---- running ---- */

/* Another task of the CPU, or NULL when all wait. */
static struct task *pick(struct gen *g, struct cpu *c)
{
	unsigned from = c->n ? below(g, c->n) : 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct task *t = c->tasks[(from + i) % c->n];

		if (!t->waiting && t != c->now)
			return t;
	}
	return c->now && !c->now->waiting && !c->now->dead ? c->now : NULL;
}

static void switch_task(struct gen *g, struct cpu *c)
{
	struct task *old = c->now, *t = pick(g, c), idle = {.tid = 0};

	int64_t faults = below(g, 9999);

	if (t != old)
		enter(g, old ? old : &idle, EV_SCHEDSWITCH_6_E, "qqqddd", t ? t->tid : (int64_t)0,
		      (int64_t)0, faults, old ? 60000 : 0, old ? 8000 : 0, 0);
	c->now = t;
	c->give_up = false;
	if (old && old->dead)
		task_free(g, old);
	if (!t)
		c->clock_ns += 20000 + below(g, 20000);
}

static void run_cpu(struct gen *g)
{
	struct cpu *c = &g->cpu[g->on];
	struct task *t = c->now;

	if (!t || c->give_up) {
		switch_task(g, c);
	} else if (t->pending.len) {
		size_t at = g->buf.len;

		buf_put(&g->buf, t->pending.p, t->pending.len);
		buf_reset(&t->pending);
		stamp(g, (uint8_t *)g->buf.p + at);
	} else {
		bool blocks = t->step(g, t);

		c->give_up = blocks || t->dead || t->waiting;
	}
}

static void run(struct gen *g, uint64_t max_bytes, uint64_t max_events)
{
	while (g->bytes + g->buf.len < max_bytes && g->events < max_events) {
		for (unsigned i = g->on = 0; i < GEN_CPUS; i++)
			if (g->cpu[i].clock_ns < g->cpu[g->on].clock_ns)
				g->on = i;
		run_cpu(g);
		if (g->buf.len >= FLUSH_BYTES)
			flush(g);
	}
	flush(g);
}

/* ---- the head of the trace ---- */

static struct text text(const char *s)
{
	return (struct text){s, (uint32_t)strlen(s)};
}

static void put_thread(struct buf *b, const struct task *t)
{
	char args[64];
	int n = text_list(args, t->args);
	struct meta_thread m = {.tid = (uint64_t)t->tid,
				.pid = (uint64_t)t->pid,
				.ptid = 1,
				.sid = t->pid,
				.vpgid = t->vpid,
				.vtid = t->vtid,
				.vpid = t->vpid,
				.comm = text(t->comm),
				.exe = text(t->exe),
				.exepath = text(t->exe),
				.args = {args, (uint32_t)n},
				.cwd = text("/srv"),
				.cgroups = {t->cgroups, (uint32_t)list_bytes(t->cgroups)},
				.root = text("/"),
				.fdlimit = 1024,
				.flags = t->tid == t->pid ? 0 : 0x23,
				.uid = t->uid,
				.gid = t->uid,
				.vmsize_kb = 60000,
				.vmrss_kb = 8000,
				.pfminor = 100,
				.loginuid = UINT32_MAX};

	metaenc_thread_029(b, &m);
}

static void put_head(struct gen *g, const struct mix *mix)
{
	struct buf *b = &g->buf;
	struct meta_machine m = {.num_cpus = GEN_CPUS,
				 .memory_bytes = (uint64_t)32 << 30,
				 .max_pid = GEN_PIDS,
				 .hostname = "made"};
	struct meta_iface lo = {
		.no_speed = false, .addr = {127, 0, 0, 1}, .mask = {255}, .name = text("lo")};
	struct meta_iface eth = {.addr = {10, 1, 0, 5},
				 .mask = {255, 255},
				 .bcast = {10, 1, 255, 255},
				 .name = text("eth0")};
	struct meta_user users[] = {
		{.uid = 0, .name = text("root"), .home = text("/root"), .shell = text("/bin/bash")},
		{.uid = 33,
		 .gid = 33,
		 .name = text("www-data"),
		 .home = text("/srv"),
		 .shell = text("/bin/sh")},
		{.is_group = true, .gid = 33, .name = text("www-data")}};
	size_t at;

	metaenc_section(b);
	metaenc_machine(b, &m);
	at = metaenc_begin(b, META_IFACES);
	metaenc_iface(b, &lo);
	metaenc_iface(b, &eth);
	metaenc_end(b, at);
	at = metaenc_begin(b, META_USERS);
	for (unsigned i = 0; i < ARRAY_SIZE(users); i++)
		metaenc_user(b, &users[i]);
	metaenc_end(b, at);
	at = metaenc_begin(b, META_THREADS);
	for (unsigned c = 0; c < GEN_CPUS; c++)
		for (unsigned i = 0; i < g->cpu[c].n; i++)
			put_thread(b, g->cpu[c].tasks[i]);
	metaenc_end(b, at);
	for (unsigned c = 0; c < GEN_CPUS; c++) {
		for (unsigned i = 0; i < g->cpu[c].n; i++) {
			const struct task *t = g->cpu[c].tasks[i];

			if (t->tid != t->pid)
				continue;
			at = metaenc_begin(b, META_FDS);
			metaenc_fds_of(b, (uint64_t)t->tid);
			mix->fds(t, b);
			metaenc_end(b, at);
		}
	}
}

/* ---- command line ---- */

static uint64_t number(const char *s)
{
	static const char units[] = "kMG";
	char *end;
	uint64_t v = strtoull(s, &end, 10);
	const char *u = *end ? strchr(units, *end) : NULL;

	if (end == s || (*end && (!u || end[1]))) {
		fprintf(stderr, "bench_gen: '%s' is not a number\n", s);
		exit(2);
	}
	return u ? v << 10 * (u - units + 1) : v;
}

static const struct mix *mix_find(const char *name)
{
	for (unsigned i = 0; i < nmixes; i++)
		if (!strcmp(mixes[i].name, name))
			return &mixes[i];
	fprintf(stderr, "bench_gen: there is no mix '%s' (bench_gen --list)\n", name);
	exit(2);
}

static int list(void)
{
	for (unsigned i = 0; i < nmixes; i++)
		printf("%-11s %s\n", mixes[i].name, mixes[i].what);
	return 0;
}

static void fini(struct gen *g)
{
	for (unsigned c = 0; c < GEN_CPUS; c++) {
		for (unsigned i = 0; i < g->cpu[c].n; i++) {
			buf_fini(&g->cpu[c].tasks[i]->pending);
			free(g->cpu[c].tasks[i]);
		}
		free(g->cpu[c].tasks);
	}
	buf_fini(&g->buf);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"size", 1, NULL, 's'},
					      {"events", 1, NULL, 'n'},
					      {"seed", 1, NULL, 'd'},
					      {"list", 0, NULL, 'l'},
					      {0}};
	static struct gen g;
	uint64_t max_bytes = UINT64_MAX, max_events = UINT64_MAX, n = 1;
	const struct mix *mix;
	int c;

	g.out = stdout;
	while ((c = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (c == 'l')
			return list();
		if (c == 's')
			max_bytes = number(optarg);
		else if (c == 'n')
			max_events = number(optarg);
		else if (c == 'd')
			n = number(optarg);
		else if (c != 'o' || !(g.out = fopen(optarg, "wb")))
			return c == 'o' ? perror(optarg), 1 : 2;
	}
	if (optind != argc - 1) {
		fprintf(stderr, "usage: bench_gen MIX [--size BYTES | --events N] [--seed N] [-o "
				"FILE], or --list\n");
		return 2;
	}
	mix = mix_find(argv[optind]);
	if (max_bytes == UINT64_MAX && max_events == UINT64_MAX)
		max_bytes = 16 << 20;
	seed(&g, n);
	g.next_tid = FIRST_TID;
	for (unsigned i = 0; i < GEN_CPUS; i++)
		g.cpu[i].clock_ns = T0_NS + 137 * i;
	mix->populate(&g);
	put_head(&g, mix);
	if (mix->start)
		mix->start(&g);
	run(&g, max_bytes, max_events);
	fini(&g);
	if (g.out != stdout && fclose(g.out)) {
		perror("bench_gen");
		return 1;
	}
	return 0;
}
