/* execve and execveat exits: a process becomes another program. */
#include "state/shard.h"
#include "state/state_priv.h"

enum { EXVAT_EMPTY_PATH = 1, EXE_WRITABLE = 1, EXE_UPPER = 2, EXE_MEMFD = 4, EXE_LOWER = 8 };

/* Number of parameters a code had when it was new: later ones repeat the earlier and append. */
static unsigned exec_generation(unsigned type)
{
	switch (type) {
	case EV_SYSCALL_EXECVE_8_X:
		return 8;
	case EV_SYSCALL_EXECVE_13_X:
		return 13;
	case EV_SYSCALL_EXECVE_14_X:
		return 14;
	case EV_SYSCALL_EXECVE_15_X:
		return 15;
	case EV_SYSCALL_EXECVE_16_X:
		return 16;
	case EV_SYSCALL_EXECVE_17_X:
		return 17;
	case EV_SYSCALL_EXECVE_18_X:
		return 18;
	default:
		return 19; /* execve_19, execveat */
	}
}

static int64_t param_or(struct event *e, unsigned i, int64_t otherwise)
{
	int64_t v;

	return event_param_i64(e, i, &v) ? v : otherwise;
}

static void set_param(struct apply *a, struct rstr **slot, unsigned i, bool to_nul)
{
	const uint8_t *p;
	const char *s;
	uint32_t len;

	if (to_nul) {
		if (event_param_str(&a->ev, i, &s, &len))
			thread_set_text(a, slot, s, len);
	} else if (event_param(&a->ev, i, &p, &len)) {
		thread_set_text(a, slot, p, len);
	}
}

/* ---- the path of the program ---- */

static void exepath_join(struct apply *a, struct thread_ver *v, const char *base, size_t base_len,
			 const char *s, size_t len)
{
	char out[1028];

	thread_set_text(a, &v->exepath, out,
			path_join(out, base, base_len, s, len, a->d->compat029));
}

static void exepath_from_cwd(struct apply *a, struct thread_ver *v, const char *s, uint32_t len)
{
	struct thread *m = thread_main_now(a->root, a->t);

	if (len == 4 && memcmp(s, "<NA>", 4) == 0)
		thread_set_text(a, &v->exepath, s, len);
	else if (m)
		exepath_join(a, v, thread_now(m)->cwd->s, thread_now(m)->cwd->len, s, len);
}

/* The enter event of execveat: directory, name, flags. */
static void exepath_at(struct apply *a, struct thread_ver *v)
{
	int64_t dirfd = param_or(&a->enter, 0, -1), flags = param_or(&a->enter, 2, 0);
	struct fd_table *ft;
	struct fd_ver *f;
	const char *s, *dir;
	uint32_t len, dir_len;

	if (!event_param_str(&a->enter, 1, &s, &len))
		return;
	if (dirfd == -100 || (len && s[0] == '/')) {
		exepath_from_cwd(a, v, s, len);
		return;
	}
	ft = a->d->bits & DEMAND_FDS ? thread_fds_now(a, a->t, false) : NULL;
	f = fd_find(ft, dirfd);
	if (!f || (len == 4 && memcmp(s, "<NA>", 4) == 0)) {
		thread_set_text(a, &v->exepath, "<NA>", 4);
		return;
	}
	dir = fd_name_now(a, f, a->d->compat029, &dir_len);
	if (!len && (flags & EXVAT_EMPTY_PATH))
		thread_set_text(a, &v->exepath, dir, dir_len);
	else
		exepath_join(a, v, dir, dir_len, s, len);
}

static void set_exepath(struct apply *a, struct thread_ver *v)
{
	const char *s;
	uint32_t len;

	if (!a->d->compat029 && event_param_str(&a->ev, 27, &s, &len) && len) {
		thread_set_text(a, &v->exepath, s, len);
		return;
	}
	if (!a->has_enter)
		return;
	if (a->enter_type == EV_SYSCALL_EXECVEAT_E)
		exepath_at(a, v);
	else if (event_param_str(&a->enter, 0, &s, &len))
		exepath_from_cwd(a, v, s, len);
}

/* ---- what newer events add ---- */

static void set_newer(struct apply *a, struct thread_ver *v)
{
	int64_t f = param_or(&a->ev, 19, 0);

	v->exe_upper_layer = f & EXE_UPPER;
	v->exe_from_memfd = f & EXE_MEMFD;
	v->exe_lower_layer = f & EXE_LOWER;
	v->cap_inheritable = (uint64_t)param_or(&a->ev, 20, (int64_t)v->cap_inheritable);
	v->cap_permitted = (uint64_t)param_or(&a->ev, 21, (int64_t)v->cap_permitted);
	v->cap_effective = (uint64_t)param_or(&a->ev, 22, (int64_t)v->cap_effective);
	v->exe_ino = (uint64_t)param_or(&a->ev, 23, 0);
	v->exe_ino_ctime = (uint64_t)param_or(&a->ev, 24, 0);
	v->exe_ino_mtime = (uint64_t)param_or(&a->ev, 25, 0);
	v->uid = (uint32_t)param_or(&a->ev, 26, v->uid);
	v->pgid = param_or(&a->ev, 28, v->pgid);
	v->gid = (uint32_t)param_or(&a->ev, 29, v->gid);
}

static void close_on_exec(struct apply *a, struct fd_table *ft, int64_t fd, const struct fd_ver *f)
{
	if (f->flags & FDF_CLOEXEC)
		fd_close(a, ft, fd, a->ord);
}

void exec_close_fds(struct apply *a)
{
	struct fd_table *ft = a->t && param_or(&a->ev, 0, -1) >= 0 ? thread_fds_now(a, a->t, false) : NULL;

	if (ft)
		fds_each_now(a, ft, close_on_exec);
}

static void kill_sibling(struct apply *a, struct thread *t, void *ctx)
{
	const struct thread_ver *v = thread_now(t);

	if (t == a->t || v->pid != *(int64_t *)ctx || t->tid == v->pid)
		return;
	thread_kill(a, t, a->ord);
	slots_cut(a, t->tid, true);
}

/* The kernel ends all other threads, and closes what was marked. 0.29.3 does neither. */
static void exec_cleanup(struct apply *a, int64_t pid)
{
	struct thread *m = thread_find(a->root, pid);

	if (m && kin_threads_now(m))
		threads_each_now(a, kill_sibling, &pid);
	if ((a->d->bits & DEMAND_FDS) && a->part == PART_ALL)
		exec_close_fds(a);
}

/* ---- the handler ---- */

/* Whose descriptors a thread with this version uses. */
static int64_t owner_tid(const struct thread *t, const struct thread_ver *v)
{
	return v->flags & PPM_CL_CLONE_FILES ? v->pid : t->tid;
}

static void set_program(struct apply *a, struct thread_ver *v, unsigned gen)
{
	set_param(a, &v->exe, 1, true);
	set_param(a, &v->args, 2, false);
	if (gen >= 15)
		set_param(a, &v->comm, 13, true);
	else
		thread_share_text(a, &v->comm, v->exe);
	if (gen >= 14)
		set_param(a, &v->env, gen == 14 ? 13 : gen == 15 ? 14 : 15, false);
	if (gen >= 16) {
		set_param(a, &v->cgroups, 14, false);
		thread_set_container(a, v);
	}
	if (gen >= 18)
		set_exepath(a, v);
}

static void set_vol(struct apply *a)
{
	struct thread_vol vol = thread_vol_now(a->t); /* times on the CPU go on */

	vol.pfmajor = (uint64_t)param_or(&a->ev, 8, 0);
	vol.pfminor = (uint64_t)param_or(&a->ev, 9, 0);
	vol.vmsize_kb = (uint32_t)param_or(&a->ev, 10, 0);
	vol.vmrss_kb = (uint32_t)param_or(&a->ev, 11, 0);
	vol.vmswap_kb = (uint32_t)param_or(&a->ev, 12, 0);
	if (a->d->bits & DEMAND_VOLATILE)
		thread_vol_set(a, a->t, &vol);
}

void apply_execve_exit(struct apply *a)
{
	unsigned gen = exec_generation(a->ev.type);
	uint32_t keep = PPM_CL_PIPE_SRC | PPM_CL_PIPE_DST | PPM_CL_CLONE_INVERTED;
	struct thread_ver *v;
	int64_t owner;

	if (!a->t || param_or(&a->ev, 0, -1) < 0)
		return;
	owner = owner_tid(a->t, thread_now(a->t));
	/* While the thread's flags still say whose descriptors it uses. */
	if (!a->d->compat029)
		exec_cleanup(a, param_or(&a->ev, 4, thread_now(a->t)->pid));
	v = thread_edit(a, a->t);
	thread_relate(a, a->t, v, param_or(&a->ev, 4, v->pid),
		      v->ptid == -1 ? param_or(&a->ev, 5, -1) : v->ptid);
	set_program(a, v, gen);
	v->placeholder = false;
	v->fdlimit = (uint64_t)param_or(&a->ev, 7, (int64_t)v->fdlimit);
	if (gen >= 17)
		v->tty = (uint32_t)param_or(&a->ev, 16, v->tty);
	if (gen >= 19) {
		v->vpgid = param_or(&a->ev, 17, v->vpgid);
		v->loginuid = (uint32_t)param_or(&a->ev, 18, v->loginuid);
		v->exe_writable = param_or(&a->ev, 19, 0) & EXE_WRITABLE;
		if (!a->d->compat029)
			set_newer(a, v);
	}
	keep |= a->d->compat029 ? 0 : PPM_CL_IS_MAIN_THREAD;
	v->flags = (v->flags & keep) | PPM_CL_ACTIVE | PPM_CL_NAME_CHANGED;
	a->st->moved |= owner_tid(a->t, v) != owner;
	if (gen >= 13)
		set_vol(a);
}
