/* Descriptors that are not sockets: how events make, copy and close them. Rules: facts,
 * state-rules.md 4. */
#include "state/apply_fd.h"
#include "state/row.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- open ---- */

/* Where the events of the open family keep what we need; -1 = not there. e_*: in the enter event.
 */
static const struct open_layout {
	uint16_t code;
	int8_t dirfd, name, flags, dev, ino;
	int8_t e_dirfd, e_name, e_flags;
} open_layouts[] = {
	{EV_SYSCALL_OPEN_X, -1, 1, 2, 4, 5, -1, 0, 1},
	{EV_SYSCALL_CREAT_X, -1, 1, -1, 3, 4, -1, 0, -1},
	{EV_SYSCALL_OPENAT_X, -1, -1, -1, -1, -1, 0, 1, 2},
	{EV_SYSCALL_OPENAT_2_X, 1, 2, 3, 5, 6, 0, 1, 2},
	{EV_SYSCALL_OPENAT2_X, 1, 2, 3, 6, 7, 0, 1, 2},
	{EV_SYSCALL_OPEN_BY_HANDLE_AT_X, -1, 3, 2, 4, 5, -1, -1, -1},
};

static const struct open_layout *open_layout(unsigned code)
{
	for (size_t i = 0; i < ARRAY_SIZE(open_layouts); i++)
		if (open_layouts[i].code == code)
			return &open_layouts[i];
	return NULL;
}

static int64_t param_or(struct event *e, int i, int64_t otherwise)
{
	int64_t v;

	return i >= 0 && event_param_i64(e, (unsigned)i, &v) ? v : otherwise;
}

static bool name_is_null(const char *s, uint32_t len)
{
	return len == 6 && memcmp(s, "(NULL)", 6) == 0;
}

/* What the enter event says, if it has a usable name. A zero-length name is none, "" is one. The oldest
 * openat has no other. */
static bool args_of_enter(struct open_args *o, const struct open_layout *l, struct event *enter)
{
	const uint8_t *p;
	uint32_t len;

	if (l->e_name < 0 || !event_param(enter, (unsigned)l->e_name, &p, &len) || len == 0 ||
	    !event_param_str(enter, (unsigned)l->e_name, &o->name, &o->name_len) ||
	    (l->name >= 0 && name_is_null(o->name, o->name_len)))
		return false;
	o->at = l->e_dirfd >= 0;
	o->dirfd = param_or(enter, l->e_dirfd, PPM_AT_FDCWD);
	o->flags = (uint32_t)param_or(enter, l->e_flags, 0);
	return true;
}

static bool args_of_exit(struct open_args *o, const struct open_layout *l, struct event *e)
{
	if (l->name < 0 || !event_param_str(e, (unsigned)l->name, &o->name, &o->name_len))
		return false;
	o->at = l->dirfd >= 0;
	o->dirfd = param_or(e, l->dirfd, PPM_AT_FDCWD);
	o->flags = (uint32_t)param_or(e, l->flags, 0);
	return true;
}

bool open_args_enter(struct open_args *o, struct event *e, struct event *enter)
{
	const struct open_layout *l = open_layout(e->type);

	return l && enter && args_of_enter(o, l, enter);
}

bool open_args_exit(struct open_args *o, struct event *e)
{
	const struct open_layout *l = open_layout(e->type);

	return l && args_of_exit(o, l, e);
}

bool open_args_get(struct open_args *o, struct event *e, struct event *enter)
{
	return open_args_enter(o, e, enter) || open_args_exit(o, e);
}

uint32_t dir_base(char *out, size_t cap, const char *dir_name, uint32_t len)
{
	if (!dir_name) {
		memcpy(out, UNKNOWN_DIR, sizeof(UNKNOWN_DIR));
		return sizeof(UNKNOWN_DIR) - 1;
	}
	if (len > cap - 2)
		len = (uint32_t)cap - 2;
	memcpy(out, dir_name, len);
	out[len] = '/';
	out[len + 1] = 0;
	return len + 1;
}

static struct rstr *cwd_of(struct apply *a)
{
	struct thread *m = row_main(a, a->t);
	const struct thread_ver *v = m ? row_ver(a, m) : NULL;

	return rstr_get(a->m, v ? v->cwd : &rstr_empty);
}

/* What the name is relative to: a reference of the caller's. NULL when memory is out. */
static struct rstr *open_base(struct apply *a, const struct open_args *o)
{
	struct fd_table *ft;
	char buf[1300];
	uint32_t len = 0;

	if (o->name_len && *o->name == '/')
		return rstr_get(a->m, &rstr_empty);
	if (!o->at || o->dirfd == PPM_AT_FDCWD)
		return cwd_of(a);
	struct fd_ver *dir = row_entry(a, o->dirfd, &ft);
	const char *name = dir ? fd_name_now(a, dir, a->d->compat029, &len) : NULL;
	len = dir_base(buf, sizeof(buf), name, len);
	return rstr_new(a->m, buf, len);
}

/* 0.29.3 measures the base and the name together, even where the name is absolute. */
static bool too_long_029(struct apply *a, const struct open_args *o)
{
	if (!a->d->compat029 || o->name_len + 1 < 1024 / 2 || *o->name != '/')
		return false;
	struct rstr *cwd = cwd_of(a);
	size_t base_len = o->at ? 1 : cwd->len;
	rstr_put(a->m, cwd);
	return base_len + o->name_len + 1 >= 1024;
}

/* Bits that only the exit knows: created, on the upper or lower layer of an overlay. */
static uint32_t exit_only_flags(struct event *e, const struct open_layout *l)
{
	if (e->type == EV_SYSCALL_CREAT_X)
		return ((uint32_t)param_or(e, 5, 0) & 3) << 15;
	return (uint32_t)param_or(e, l->flags, 0) & ~0x3fffu;
}

void apply_open(struct apply *a)
{
	const struct open_layout *l = open_layout(a->ev.type);
	int64_t fd = row_i64(a, 0, -1);
	struct open_args o;

	if (fd < 0 || !a->t || !l || !open_args_get(&o, &a->ev, a->has_enter ? &a->enter : NULL))
		return;
	/* First the base: the entry that fd_add replaces may be the directory itself. */
	struct rstr *base = open_base(a, &o);
	struct fd_ver *f = base ? fd_add(a, a->t, fd) : NULL;
	if (f) {
		f->kind = o.flags & PPM_O_DIRECTORY ? FDK_DIRECTORY : FDK_FILE_V2;
		f->openflags = o.flags | exit_only_flags(&a->ev, l);
		f->flags = FDF_NAME_CHANGED | (o.flags & PPM_O_CLOEXEC ? FDF_CLOEXEC : 0);
		f->dev = (uint32_t)param_or(&a->ev, l->dev, 0);
		f->ino = (uint64_t)param_or(&a->ev, l->ino, 0);
		if (too_long_029(a, &o))
			fd_set_name(a, f, NULL, PATH_TOO_LONG, sizeof(PATH_TOO_LONG) - 1);
		else
			fd_set_name(a, f, base, o.name, o.name_len);
	}
	if (base)
		rstr_put(a->m, base);
}

/* ---- close ---- */

/* The entry stays visible to the close event itself. */
static void close_one(struct apply *a)
{
	int64_t fd = row_fd(a);
	struct fd_table *ft;
	struct fd_ver *f = row_entry(a, fd, &ft);

	if (!f)
		return;
	/* Another thread got the number after the kernel had given it up: that entry lives on.
	 * 0.29.3 removes whatever is there. */
	if (!a->d->compat029 && a->paired && f->id > a->enter_ord)
		return;
	fd_close(a, ft, fd, a->ord + 1);
}

enum { CLOSE_RANGE_MAX_PASS = 256, CLOSE_RANGE_FLAG_CLOEXEC = 4 };

struct range_pick {
	int64_t first, last;
	unsigned n;
	int fd[CLOSE_RANGE_MAX_PASS];
};

static int pick_fd(void *ctx, int fd, const struct fd_ver *f)
{
	struct range_pick *r = ctx;

	if (fd < r->first || fd > r->last)
		return fd > r->last;
	r->fd[r->n++] = fd;
	return r->n == CLOSE_RANGE_MAX_PASS;
}

static void range_done(struct apply *a, struct fd_table *ft, int fd, bool cloexec)
{
	if (!cloexec) {
		fd_close(a, ft, fd, a->ord + 1);
		return;
	}
	struct fd_ver *f = fd_edit(a, ft, fd);
	if (f)
		f->flags = (uint16_t)((f->flags | FDF_CLOEXEC) & ~FDF_NAME_CHANGED);
}

static void close_range(struct apply *a)
{
	bool cloexec = row_i64(a, 3, 0) & CLOSE_RANGE_FLAG_CLOEXEC;
	struct fd_table *ft = thread_fds_now(a, a->t, false);
	struct range_pick r = {.first = row_i64(a, 1, -1), .last = row_i64(a, 2, -1)};

	if (!ft || r.first < 0)
		return;
	/* In passes, because the table changes under our hands. */
	do {
		r.n = 0;
		state_fds_each(a->root, a->t, row_ver(a, a->t), a->ord, pick_fd, &r);
		for (unsigned i = 0; i < r.n; i++)
			range_done(a, ft, r.fd[i], cloexec);
		if (r.n)
			r.first = (int64_t)r.fd[r.n - 1] + 1;
	} while (r.n == CLOSE_RANGE_MAX_PASS);
}

void apply_close(struct apply *a)
{
	if (!a->t || row_i64(a, 0, -1) < 0)
		return;
	if (a->ev.type == EV_SYSCALL_CLOSE_RANGE_X)
		close_range(a);
	else
		close_one(a);
}

/* ---- copies ---- */

enum { FCNTL_DUPFD = 1, FCNTL_SETFD = 3, FCNTL_DUPFD_CLOEXEC = 26, FD_CLOEXEC_BIT = 1 };

static void copy_fd(struct apply *a, int64_t from, int64_t to, bool cloexec)
{
	struct fd_table *ft;
	struct fd_ver *src = row_entry(a, from, &ft);
	struct fd_ver *dst = src ? fd_add(a, a->t, to) : NULL;

	if (!dst)
		return;
	if (dst != src) /* superseded, but still there for this batch */
		fd_copy_value(a, dst, src);
	dst->flags = (uint16_t)(dst->flags & ~(FDF_CLOEXEC | FDF_NAME_CHANGED));
	if (cloexec)
		dst->flags |= FDF_CLOEXEC;
}

static void set_cloexec(struct apply *a, int64_t fd, bool on)
{
	struct fd_table *ft;
	struct fd_ver *f = row_entry(a, fd, &ft);

	if (!f || !!(f->flags & FDF_CLOEXEC) == on)
		return;
	f = fd_edit(a, ft, fd);
	if (f)
		f->flags = (uint16_t)((f->flags & ~(FDF_CLOEXEC | FDF_NAME_CHANGED)) |
				      (on ? FDF_CLOEXEC : 0));
}

/* The command stands in the exit of newer events, before that in the enter event. */
static void apply_fcntl(struct apply *a, int64_t res)
{
	int64_t cmd = row_i64(a, 2, -1);

	if (cmd < 0 || a->d->compat029)
		cmd = a->has_enter ? param_or(&a->enter, 1, -1) : -1;
	if (cmd == FCNTL_DUPFD || cmd == FCNTL_DUPFD_CLOEXEC)
		copy_fd(a, row_fd(a), res, cmd == FCNTL_DUPFD_CLOEXEC);
	else if (cmd == FCNTL_SETFD && a->ev.nparams > 3)
		set_cloexec(a, row_fd(a), row_i64(a, 3, 0) & FD_CLOEXEC_BIT);
}

void apply_dup(struct apply *a)
{
	int64_t res = row_i64(a, 0, -1), from = EV_FD_NONE;

	if (res < 0 || !a->t)
		return;
	if (a->ev.type == EV_SYSCALL_FCNTL_X) {
		apply_fcntl(a, res);
		return;
	}
	/* The old number: parameter 1 of newer exits, the enter's descriptor of older ones. */
	if (a->ev.type != EV_SYSCALL_DUP_X)
		from = row_i64(a, 1, EV_FD_NONE);
	if (from == EV_FD_NONE && a->paired)
		from = a->last_fd;
	copy_fd(a, from, res,
		a->ev.type == EV_SYSCALL_DUP3_X && (row_i64(a, 3, 0) & PPM_O_CLOEXEC));
}

/* ---- pipes and anonymous descriptors ---- */

void apply_pipe(struct apply *a)
{
	bool cloexec = a->ev.type == EV_SYSCALL_PIPE2_X && (row_i64(a, 4, 0) & PPM_O_CLOEXEC);

	if (!a->t || row_i64(a, 0, -1) < 0)
		return;
	for (unsigned i = 1; i <= 2; i++) {
		int64_t fd = row_i64(a, i, -1);
		struct fd_ver *f = fd >= 0 ? fd_add(a, a->t, fd) : NULL;

		if (!f)
			continue;
		f->kind = FDK_FIFO;
		f->ino = (uint64_t)row_i64(a, 3, 0);
		f->flags = cloexec ? FDF_CLOEXEC : 0;
	}
}

/* Kind of the descriptor, the parameter with its flags (-1 = none) and the bit there that means
 * close on exec. c029: 0.29.3 makes an entry too. */
static const struct anon_layout {
	uint16_t code;
	uint8_t kind;
	bool c029;
	int8_t flags;
	uint16_t cloexec;
} anon_layouts[] = {
	{EV_SYSCALL_EVENTFD_X, FDK_EVENT, true, -1, 0},
	{EV_SYSCALL_EVENTFD2_X, FDK_EVENT, false, 1, PPM_O_CLOEXEC},
	{EV_SYSCALL_SIGNALFD_X, FDK_SIGNALFD, true, -1, 0},
	{EV_SYSCALL_SIGNALFD4_X, FDK_SIGNALFD, false, 1, PPM_O_CLOEXEC},
	{EV_SYSCALL_TIMERFD_CREATE_X, FDK_TIMERFD, true, -1, 0},
	{EV_SYSCALL_INOTIFY_INIT_X, FDK_INOTIFY, true, -1, 0},
	{EV_SYSCALL_INOTIFY_INIT1_X, FDK_INOTIFY, false, 1, PPM_O_CLOEXEC},
	{EV_SYSCALL_EPOLL_CREATE_X, FDK_EVENTPOLL, false, -1, 0},
	{EV_SYSCALL_EPOLL_CREATE1_X, FDK_EVENTPOLL, false, 1, 1},
	{EV_SYSCALL_BPF_2_X, FDK_BPF, false, -1, 0},
	{EV_SYSCALL_USERFAULTFD_X, FDK_USERFAULTFD, false, 1, PPM_O_CLOEXEC},
	{EV_SYSCALL_IO_URING_SETUP_X, FDK_IO_URING, false, -1, 0},
	{EV_SYSCALL_MEMFD_CREATE_X, FDK_MEMFD, false, 2, 1},
	{EV_SYSCALL_PIDFD_OPEN_X, FDK_PIDFD, false, -1, 0},
};

static struct fd_ver *add_anon(struct apply *a, const struct anon_layout *l, int64_t fd)
{
	struct fd_ver *f = fd_add(a, a->t, fd);

	if (f) {
		f->kind = l->kind;
		if (l->flags >= 0 && (row_i64(a, (unsigned)l->flags, 0) & l->cloexec))
			f->flags = FDF_CLOEXEC;
	}
	return f;
}

/* The number of a bpf result before schema 2: a byte that says whether it is one, then the value.
 */
static int64_t bpf_result_fd(struct apply *a)
{
	const uint8_t *p;
	uint32_t len;

	return event_param(&a->ev, 0, &p, &len) && len == 9 && p[0] == 1 ? load_i64(p + 1) : -1;
}

enum { PIDFD_PREFIX_LEN = 6 }; /* of "/proc/" */

/* A copy of another process' descriptor; always closed on exec. The pid stands in the pidfd's name.
 */
static void apply_pidfd_getfd(struct apply *a, int64_t fd)
{
	struct fd_table *ft;
	struct fd_ver *pidfd = row_entry(a, row_i64(a, 1, -1), &ft);

	if (!pidfd || pidfd->kind != FDK_PIDFD || pidfd->raw->len <= PIDFD_PREFIX_LEN)
		return;
	struct thread *t =
		thread_find(a->root, strtoll(pidfd->raw->s + PIDFD_PREFIX_LEN, NULL, 10));
	struct fd_table *other = t ? thread_fds_now(a, t, false) : NULL;
	struct fd_ver *src = other ? fd_find(other, row_i64(a, 2, -1)) : NULL;
	struct fd_ver *dst = src ? fd_add(a, a->t, fd) : NULL;
	if (dst) {
		if (dst != src)
			fd_copy_value(a, dst, src);
		dst->flags = (uint16_t)((dst->flags & ~FDF_NAME_CHANGED) | FDF_CLOEXEC);
	}
}

/* memfd and pidfd have names; the others are told apart by their kind alone. */
static void name_anon(struct apply *a, struct fd_ver *f)
{
	char buf[32];
	const char *name;
	uint32_t len;

	if (f->kind == FDK_PIDFD) {
		int n = snprintf(buf, sizeof(buf), "/proc/%lld", (long long)row_i64(a, 1, -1));
		f->flags |= FDF_CLOEXEC | FDF_NAME_CHANGED;
		fd_set_name(a, f, NULL, buf, (size_t)n);
	} else if (f->kind == FDK_MEMFD && event_param_str(&a->ev, 1, &name, &len)) {
		f->flags |= FDF_NAME_CHANGED;
		fd_set_name(a, f, NULL, name, len);
	}
}

void apply_anon_fd(struct apply *a)
{
	int64_t fd = a->ev.type == EV_SYSCALL_BPF_X ? bpf_result_fd(a) : row_i64(a, 0, -1);
	static const struct anon_layout old_bpf = {EV_SYSCALL_BPF_X, FDK_BPF, false, -1, 0};
	const struct anon_layout *l = a->ev.type == EV_SYSCALL_BPF_X ? &old_bpf : NULL;

	if (fd < 0 || !a->t)
		return;
	if (a->ev.type == EV_SYSCALL_PIDFD_GETFD_X) {
		apply_pidfd_getfd(a, fd);
		return;
	}
	for (size_t i = 0; !l && i < ARRAY_SIZE(anon_layouts); i++)
		if (anon_layouts[i].code == a->ev.type)
			l = &anon_layouts[i];
	if (!l || (a->d->compat029 && !l->c029))
		return;
	struct fd_ver *f = add_anon(a, l, fd);
	if (f)
		name_anon(a, f);
}
