/* Handlers that change a thread's own values: its end, working directory, ids, limits, memory
 * counts. */
#include "state/state_priv.h"

enum { RLIMIT_NOFILE_CODE = 7, PR_SET_CHILD_SUBREAPER_CODE = 36, PR_GET_CHILD_SUBREAPER_CODE = 37 };

static int64_t param_or(struct event *e, unsigned i, int64_t otherwise)
{
	int64_t v;

	return event_param_i64(e, i, &v) ? v : otherwise;
}

static bool call_ok(struct apply *a)
{
	return a->t && param_or(&a->ev, 0, -1) >= 0;
}

/* ---- end ---- */

struct reparent {
	int64_t from, to;
};

static void reparent_one(struct apply *a, struct thread *t, void *ctx)
{
	const struct reparent *r = ctx;
	struct thread_ver *v;

	if (thread_now(t)->ptid != r->from)
		return;
	v = thread_edit(a, t);
	thread_relate(a, t, v, v->pid, r->to);
}

/* Where orphans go when the event does not say: another thread of the group, the nearest reaper
 * above, init. */
struct heir {
	int64_t pid, tid, found;
};

static void heir_in_group(struct apply *a, struct thread *t, void *ctx)
{
	struct heir *h = ctx;

	if (thread_now(t)->pid == h->pid && t->tid != h->tid && !thread_priv(t)->exited &&
	    (h->found < 0 || t->tid < h->found))
		h->found = t->tid;
}

static int64_t find_reaper(struct apply *a, struct thread *t)
{
	const struct thread_ver *v = thread_now(t);
	struct heir h = {v->pid, t->tid, -1};
	struct thread *m = thread_main_now(a->root, t), *p;

	if (m && kin_threads_now(m))
		threads_each_now(a, heir_in_group, &h);
	if (h.found >= 0)
		return h.found;
	p = thread_find(a->root, v->ptid);
	/* Parents may form a circle in a damaged trace. */
	for (int depth = 0; p && depth < 64; depth++) {
		if (thread_priv(p)->reaper)
			return p->tid;
		p = thread_find(a->root, thread_now(p)->ptid);
	}
	return 1;
}

static void children_away(struct apply *a, struct thread *t, int64_t reaper)
{
	struct reparent r = {t->tid, reaper};
	uint64_t ord = a->ord;

	if (!thread_priv(t)->nchilds)
		return;
	if (r.to <= 0)
		r.to = find_reaper(a, t);
	if (r.to == r.from)
		r.to = 1;
	/* The exit itself is the last event of the old order. */
	a->ord = ord + 1;
	threads_each_now(a, reparent_one, &r);
	a->ord = ord;
}

void apply_procexit(struct apply *a)
{
	struct thread *t = a->t, *m;
	const struct thread_ver *v = t ? thread_now(t) : NULL;

	if (!t)
		return;
	if (!v) { /* only open enters are kept */
		thread_kill(a, t, a->ord + 1);
		return;
	}
	if (!a->d->compat029)
		children_away(a, t, param_or(&a->ev, 4, 0));
	if (v->pid == t->tid && kin_threads_now(t)) {
		thread_priv(t)->exited = true;
		thread_open_set(a->m, t, NULL);
		return;
	}
	m = v->pid != t->tid ? thread_find(a->root, v->pid) : NULL;
	thread_kill(a, t, a->ord + 1);
	if (!a->d->compat029 && m && thread_priv(m)->exited && !kin_threads_now(m)) {
		children_away(a, m, 0);
		thread_kill(a, m, a->ord + 1);
		slots_cut(a, m->tid, true);
	}
}

/* ---- working directory ---- */

static void cwd_to(struct apply *a, const char *s, uint32_t len)
{
	struct thread *m = thread_main_now(a->root, a->t);

	if (m)
		thread_set_cwd(a, thread_edit(a, m), s, len);
}

static void fchdir_exit(struct apply *a)
{
	int64_t fd = a->d->compat029 ? EV_FD_NONE : param_or(&a->ev, 1, EV_FD_NONE);
	struct fd_table *ft = a->d->bits & DEMAND_FDS ? thread_fds_now(a, a->t, false) : NULL;
	struct fd_ver *f;
	const char *s;
	uint32_t len;

	if (fd == EV_FD_NONE && a->paired)
		fd = a->last_fd;
	f = fd_find(ft, fd);
	if (!f)
		return;
	s = fd_name_now(a, f, a->d->compat029, &len);
	cwd_to(a, len ? s : "/", len ? len : 1);
}

static void chroot_exit(struct apply *a, const char *s, uint32_t len)
{
	struct thread *m = thread_main_now(a->root, a->t);
	const struct rstr *cwd = m ? thread_now(m)->cwd : &rstr_empty;
	char out[1028];
	size_t n = path_join(out, cwd->s, cwd->len, s, len, a->d->compat029);

	thread_set_text(a, &thread_edit(a, a->t)->root, out, n);
}

void apply_chdir(struct apply *a)
{
	const char *s;
	uint32_t len;

	if (!call_ok(a))
		return;
	if (a->ev.type == EV_SYSCALL_FCHDIR_X)
		fchdir_exit(a);
	else if (!event_param_str(&a->ev, 1, &s, &len))
		return;
	else if (a->ev.type == EV_SYSCALL_CHROOT_X)
		chroot_exit(a, s, len);
	else
		cwd_to(a, s, len);
}

/* ---- ids ---- */

/* An argument of the call: parameter exit_at of newer exits, else enter_at of the enter event. */
static bool call_arg(struct apply *a, unsigned exit_at, unsigned enter_at, int64_t *v)
{
	if (!a->d->compat029 && event_param_i64(&a->ev, exit_at, v))
		return true;
	return a->has_enter && event_param_i64(&a->enter, enter_at, v);
}

static void set_id(struct apply *a, bool group, int64_t id)
{
	struct thread_ver *v = thread_edit(a, a->t);

	if (group)
		v->gid = (uint32_t)id;
	else
		v->uid = (uint32_t)id;
}

static void capset_exit(struct apply *a)
{
	struct thread_ver *v = thread_edit(a, a->t);

	v->cap_inheritable = (uint64_t)param_or(&a->ev, 1, (int64_t)v->cap_inheritable);
	v->cap_permitted = (uint64_t)param_or(&a->ev, 2, (int64_t)v->cap_permitted);
	v->cap_effective = (uint64_t)param_or(&a->ev, 3, (int64_t)v->cap_effective);
}

/* A new user namespace gives every capability in it. */
static void newuser_exit(struct apply *a, int64_t flags)
{
	const uint64_t all = 0x1ffffffffff; /* CAP_LAST_CAP is 40 */
	struct thread_ver *v;

	if (!(flags & PPM_CL_CLONE_NEWUSER))
		return;
	v = thread_edit(a, a->t);
	v->cap_permitted = v->cap_effective = v->cap_inheritable = all;
}

static void prctl_exit(struct apply *a)
{
	int64_t option = param_or(&a->ev, 1, 0);
	struct thread *m = thread_main_now(a->root, a->t);

	if (m && (option == PR_SET_CHILD_SUBREAPER_CODE || option == PR_GET_CHILD_SUBREAPER_CODE))
		thread_priv(m)->reaper = param_or(&a->ev, 3, 0) != 0;
}

void apply_ids(struct apply *a)
{
	int64_t res = param_or(&a->ev, 0, -1), id;

	if (!call_ok(a))
		return;
	switch (a->ev.type) {
	case EV_SYSCALL_SETSID_X:
		thread_edit(a, a->t)->sid = res;
		break;
	case EV_SYSCALL_SETUID_X:
	case EV_SYSCALL_SETGID_X:
		if (call_arg(a, 1, 0, &id))
			set_id(a, a->ev.type == EV_SYSCALL_SETGID_X, id);
		break;
	case EV_SYSCALL_SETRESUID_X:
	case EV_SYSCALL_SETRESGID_X:
		if (call_arg(a, 2, 1, &id) && (uint32_t)id != UINT32_MAX)
			set_id(a, a->ev.type == EV_SYSCALL_SETRESGID_X, id);
		break;
	case EV_SYSCALL_SETREUID_X:
	case EV_SYSCALL_SETREGID_X:
		if (event_param_i64(&a->ev, 2, &id) && (uint32_t)id != UINT32_MAX)
			set_id(a, a->ev.type == EV_SYSCALL_SETREGID_X, id);
		break;
	case EV_SYSCALL_CAPSET_X:
		capset_exit(a);
		break;
	case EV_SYSCALL_UNSHARE_X:
		if (call_arg(a, 1, 0, &id))
			newuser_exit(a, id);
		break;
	case EV_SYSCALL_SETNS_X:
		if (call_arg(a, 2, 1, &id))
			newuser_exit(a, id);
		break;
	case EV_SYSCALL_PRCTL_X:
		prctl_exit(a);
		break;
	default:
		break;
	}
}

/* ---- limits ---- */

static void fdlimit_to(struct apply *a, struct thread *t, int64_t limit)
{
	struct thread *m = t ? thread_main_now(a->root, t) : NULL;

	if (m && thread_now(m)->fdlimit != (uint64_t)limit)
		thread_edit(a, m)->fdlimit = (uint64_t)limit;
}

void apply_rlimit(struct apply *a)
{
	bool other = a->ev.type == EV_SYSCALL_PRLIMIT_X;
	int64_t resource, soft, pid = 0;

	if (!call_ok(a) || !call_arg(a, other ? 6 : 3, other ? 1 : 0, &resource) ||
	    resource != RLIMIT_NOFILE_CODE || !event_param_i64(&a->ev, 1, &soft))
		return;
	if (!other) {
		fdlimit_to(a, a->t, soft);
		return;
	}
	if (soft == -1 || !call_arg(a, 5, 0, &pid))
		return;
	fdlimit_to(a, pid == 0 ? a->t : thread_find(a->root, pid), soft);
}

/* ---- memory and page faults ---- */

static void vol_memory(struct apply *a, struct thread *t, unsigned at)
{
	struct thread_vol v = thread_vol_now(t);

	v.vmsize_kb = (uint32_t)param_or(&a->ev, at, v.vmsize_kb);
	v.vmrss_kb = (uint32_t)param_or(&a->ev, at + 1, v.vmrss_kb);
	v.vmswap_kb = (uint32_t)param_or(&a->ev, at + 2, v.vmswap_kb);
	thread_vol_set(a, t, &v);
}

void apply_volatile(struct apply *a)
{
	struct thread_vol v;
	struct thread *m;

	if (a->ev.type == EV_SCHEDSWITCH_6_E && (a->d->bits & DEMAND_CPU))
		cpu_switch(a);
	if (!a->t)
		return;
	if (a->ev.type != EV_SCHEDSWITCH_6_E) {
		vol_memory(a, a->t, 1);
		return;
	}
	v = thread_vol_now(a->t);
	v.pfmajor = (uint64_t)param_or(&a->ev, 1, (int64_t)v.pfmajor);
	v.pfminor = (uint64_t)param_or(&a->ev, 2, (int64_t)v.pfminor);
	thread_vol_set(a, a->t, &v);
	m = thread_main_now(a->root, a->t);
	if (m)
		vol_memory(a, m, 3);
}
