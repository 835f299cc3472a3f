/* clone, fork, vfork, clone3 exits: how threads are born.
 *
 * Parent and child report the same birth, in either order. The parent's event makes the entry
 * unless the child's was first; an entry made by the child's event carries CLONE_INVERTED. A
 * child's event that finds an entry younger than two seconds takes it for its own; an older one is
 * left over from an earlier use of the tid. */
#include "state/shard.h"
#include "state/state_priv.h"

#define CLONE_STALE_NS 2000000000u

/* Where the codes have their parameters; -1 = not in the event. */
struct clone_params {
	int8_t comm, cgroups, flags, uid, gid, vtid, vpid, faults;
};
static const struct clone_params params_11 = {-1, -1, 8, 9, 10, -1, -1, -1};
static const struct clone_params params_16 = {-1, -1, 13, 14, 15, -1, -1, 8};
static const struct clone_params params_17 = {13, -1, 14, 15, 16, -1, -1, 8};
static const struct clone_params params_20 = {13, 14, 15, 16, 17, 18, 19, 8};

static const struct clone_params *clone_params(unsigned type)
{
	switch (type) {
	case EV_SYSCALL_CLONE_11_X:
		return &params_11;
	case EV_SYSCALL_CLONE_16_X:
	case EV_SYSCALL_FORK_X:
	case EV_SYSCALL_VFORK_X:
		return &params_16;
	case EV_SYSCALL_CLONE_17_X:
	case EV_SYSCALL_FORK_17_X:
	case EV_SYSCALL_VFORK_17_X:
		return &params_17;
	default:
		return &params_20;
	}
}

struct clone {
	const struct clone_params *at;
	int64_t res, vtid, vpid;
	uint32_t flags;
	bool in_ns;    /* the caller sees other numbers than the trace */
	bool stranger; /* nothing was known of the parent before this event */
};

static int64_t param_or(struct event *e, int i, int64_t otherwise)
{
	int64_t v;

	return i >= 0 && event_param_i64(e, (unsigned)i, &v) ? v : otherwise;
}

static bool clone_read(struct apply *a, struct clone *c)
{
	c->at = clone_params(a->ev.type);
	c->res = param_or(&a->ev, 0, -1);
	c->flags = (uint32_t)param_or(&a->ev, c->at->flags, 0);
	c->vtid = param_or(&a->ev, c->at->vtid, -1);
	c->vpid = param_or(&a->ev, c->at->vpid, -1);
	c->in_ns = (c->flags & PPM_CL_CHILD_IN_PIDNS) || (c->vtid >= 0 && c->vtid != a->ev.tid);
	return c->res >= 0;
}

static void set_text_param(struct apply *a, struct rstr **slot, int i)
{
	const char *s;
	uint32_t len;

	if (i >= 0 && event_param_str(&a->ev, (unsigned)i, &s, &len))
		thread_set_text(a, slot, s, len);
}

static void set_bytes_param(struct apply *a, struct rstr **slot, int i)
{
	const uint8_t *p;
	uint32_t len;

	if (i >= 0 && event_param(&a->ev, (unsigned)i, &p, &len))
		thread_set_text(a, slot, p, len);
}

/* What the event says about the program: exe, args, comm. */
static void set_program(struct apply *a, struct thread_ver *v, const struct clone *c)
{
	set_text_param(a, &v->exe, 1);
	set_bytes_param(a, &v->args, 2);
	if (c->at->comm >= 0)
		set_text_param(a, &v->comm, c->at->comm);
	else
		thread_share_text(a, &v->comm, v->exe);
}

static void copy_parent(struct apply *a, struct thread_ver *v, const struct thread_ver *pv)
{
	v->sid = pv->sid;
	v->vpgid = pv->vpgid;
	v->pgid = pv->pgid;
	v->tty = pv->tty;
	v->loginuid = pv->loginuid;
	v->cap_inheritable = pv->cap_inheritable;
	v->cap_permitted = pv->cap_permitted;
	v->cap_effective = pv->cap_effective;
	v->exe_ino = pv->exe_ino;
	v->exe_ino_ctime = pv->exe_ino_ctime;
	v->exe_ino_mtime = pv->exe_ino_mtime;
	v->exe_writable = pv->exe_writable;
	v->exe_upper_layer = pv->exe_upper_layer;
	v->exe_lower_layer = pv->exe_lower_layer;
	v->exe_from_memfd = pv->exe_from_memfd;
	thread_share_text(a, &v->exepath, pv->exepath);
	thread_share_text(a, &v->root, pv->root);
	thread_share_text(a, &v->cgroups, pv->cgroups);
	thread_share_text(a, &v->container_id, pv->container_id);
}

/* A process gets copies of what its threads share. */
static void copy_process(struct apply *a, struct thread *t, struct thread_ver *v,
			 struct thread *parent)
{
	struct thread *pmain = thread_main_now(a->root, parent);
	bool fds = a->d->bits & DEMAND_FDS;
	struct fd_table *ft = fds && a->part == PART_ALL ? thread_fds_now(a, parent, false) : NULL;

	if (pmain) {
		thread_share_text(a, &v->cwd, thread_now(pmain)->cwd);
		/* 0.29.3 looks where only main threads have one. */
		thread_share_text(a, &v->env, thread_now(a->d->compat029 ? parent : pmain)->env);
	}
	if (ft)
		atomic_store_explicit(&t->fds, fd_table_clone(a, ft), memory_order_relaxed);
	else if (fds && a->part == PART_THREADS)
		shard_inherit(a, t, parent);
}

static void set_vol(struct apply *a, struct thread *t, int at)
{
	struct thread_vol vol = {.pfmajor = (uint64_t)param_or(&a->ev, at, 0),
				 .pfminor = (uint64_t)param_or(&a->ev, at + 1, 0),
				 .vmsize_kb = (uint32_t)param_or(&a->ev, at + 2, 0),
				 .vmrss_kb = (uint32_t)param_or(&a->ev, at + 3, 0),
				 .vmswap_kb = (uint32_t)param_or(&a->ev, at + 4, 0)};

	if (a->d->bits & DEMAND_VOLATILE)
		thread_vol_set(a, t, &vol);
}

static struct thread *thread_born(struct apply *a, const struct clone *c, int64_t tid,
				  struct thread *parent, int64_t ptid)
{
	const struct thread_ver *pv = thread_now(parent);
	bool is_thread = c->flags & PPM_CL_CLONE_THREAD;
	struct thread_ver *v;
	struct thread *t = thread_create(a, tid, &v);

	if (!t)
		return NULL;
	copy_parent(a, v, pv);
	/* The event knows the process even where the caller was never seen. */
	v->pid = is_thread ? param_or(&a->ev, 4, pv->pid) : tid;
	v->ptid = ptid;
	v->flags = c->flags;
	v->clone_ts = a->ev.ts;
	v->vtid = c->in_ns ? c->vtid : tid;
	v->vpid = c->in_ns ? c->vpid : v->pid;
	v->fdlimit = (uint64_t)param_or(&a->ev, 7, -1);
	v->uid = (uint32_t)param_or(&a->ev, c->at->uid, -1);
	v->gid = (uint32_t)param_or(&a->ev, c->at->gid, -1);
	v->pidns_init_start_ts = (uint64_t)param_or(&a->ev, 20, (int64_t)pv->pidns_init_start_ts);
	set_program(a, v, c);
	if (c->stranger && a->d->compat029)
		v->loginuid = 0; /* 0.29.3 copies nothing then, and starts from this */
	if (is_thread && !a->d->compat029)
		v->flags |= PPM_CL_CLONE_FILES;
	if (!is_thread)
		copy_process(a, t, v, parent);
	if (c->at->cgroups >= 0) {
		set_bytes_param(a, &v->cgroups, c->at->cgroups);
		thread_set_container(a, v);
	}
	set_vol(a, t, c->at->faults);
	return t;
}

/* 0.29.3 makes the main thread up if it was never seen. */
static void thread_arrives(struct apply *a, struct thread *t)
{
	int64_t pid = thread_now(t)->pid;

	if (!thread_publish(a, t))
		return;
	if (a->d->compat029 && pid != t->tid && !thread_find(a->root, pid))
		thread_placeholder(a, pid);
}

/* Made up, and no event has told anything about it. */
static bool nothing_known(const struct thread_ver *v)
{
	return v->uid == UINT32_MAX && v->comm->len == 4 && memcmp(v->comm->s, "<NA>", 4) == 0;
}

/* The thread that called clone; made up when it was never seen, and then known by what the event
 * says. 0.29.3 makes it up anew, without the directory and the descriptors that later events gave
 * it, and without the call under way: the clone itself took no time then. */
static struct thread *clone_parent(struct apply *a, struct clone *c, int64_t tid)
{
	struct thread *p = thread_find(a->root, tid);

	if (!p || (a->d->compat029 && nothing_known(thread_now(p)))) {
		bool anew = p;

		p = thread_placeholder(a, tid);
		if (anew && tid == a->ev.tid)
			slots_cut_here(a);
	}
	c->stranger = p && nothing_known(thread_now(p));
	if (c->stranger)
		set_program(a, thread_edit(a, p), c);
	return p;
}

static void clone_in_parent(struct apply *a, struct clone *c)
{
	struct thread *parent, *t = thread_find(a->root, c->res);

	if (c->in_ns)
		return;
	if (t && (thread_now(t)->flags & PPM_CL_CLONE_INVERTED)) {
		if (a->d->compat029 && !thread_find(a->root, a->ev.tid))
			thread_placeholder(a, a->ev.tid);
		return;
	}
	parent = clone_parent(a, c, a->ev.tid);
	t = parent ? thread_born(a, c, c->res, parent, parent->tid) : NULL;
	if (t)
		thread_arrives(a, t);
}

static void clone_in_child(struct apply *a, struct clone *c)
{
	struct thread *t = thread_find(a->root, a->ev.tid), *parent;
	bool is_thread = c->flags & PPM_CL_CLONE_THREAD;
	uint64_t since = t ? thread_now(t)->clone_ts : 0;
	int64_t ptid;

	/* An entry that no clone made, of the process list or a placeholder, stays what it is too.
	 */
	if (t && (!since || a->ev.ts - since < CLONE_STALE_NS)) {
		if (c->in_ns) {
			struct thread_ver *v = thread_edit(a, t);

			v->vtid = c->vtid;
			v->vpid = c->vpid;
		}
		return;
	}
	ptid = param_or(&a->ev, is_thread ? 4 : 5, -1);
	parent = clone_parent(a, c, ptid);
	if (!parent)
		return;
	c->flags |= PPM_CL_CLONE_INVERTED;
	t = thread_born(a, c, a->ev.tid, parent, ptid);
	if (t)
		thread_arrives(a, t);
}

void apply_clone_exit(struct apply *a)
{
	struct clone c;

	if (!clone_read(a, &c))
		return;
	if (c.res > 0)
		clone_in_parent(a, &c);
	else
		clone_in_child(a, &c);
}
