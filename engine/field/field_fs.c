/* Paths that calls work on: evt.abspath, fs.path.*. */
#include "field/field_int.h"

/* ---- making a path absolute ---- */

enum { PATH_BYTES = 1100, AT_CWD = -100 };

/* name against the descriptor dirfd (AT_CWD: the current directory). A directory that is not known
 * shows as "<UNKNOWN>", as in sysdig. */
static void resolve(struct field_env *env, int64_t dirfd, const char *name, size_t len,
		    struct value *v)
{
	char *out = arena_alloc(env->scratch, PATH_BYTES);
	const char *base = "<UNKNOWN>/";
	uint32_t base_len = 10;

	if (!out)
		return;
	if (dirfd == AT_CWD) {
		const struct thread_ver *main_ver;
		bool known = event_main(env, &main_ver) != NULL;

		base = known ? main_ver->cwd->s : "";
		base_len = known ? main_ver->cwd->len : 0;
	} else {
		const struct fd_ver *dir = evctx_fd_n(env->c, dirfd);

		if (dir) {
			base = fd_ver_name(dir, is_029(env), &base_len);
			set_text(v, out, path_join_at(out, base, base_len, name, len, is_029(env)));
			return;
		}
	}
	set_text(v, out, path_join(out, base, base_len, name, len, is_029(env)));
}

/* Text and directory of one path of event e. at: index of the path, dir: of its descriptor, -1 =
 * the cwd. */
static void path_of(struct field_env *env, struct event *e, int at, int dir, bool raw,
		    struct value *v)
{
	int64_t dirfd = AT_CWD;
	const char *s;
	uint32_t n;

	if (at < 0 || !event_param_str(e, (unsigned)at, &s, &n))
		return;
	if (dir >= 0 && !event_param_i64(e, (unsigned)dir, &dirfd))
		return;
	if (raw)
		set_text(v, s, n);
	else
		resolve(env, dirfd, s, n, v);
}

/* ---- which paths an event has ---- */

/* Indices of parameters; -1 = none. In the calls with two paths the source comes first. */
struct paths {
	uint16_t type;
	int8_t at, dir;	  /* the path, or the source */
	int8_t at2, dir2; /* the target */
};

static const struct paths paths[] = {
	{EV_SYSCALL_OPEN_E, 0, -1, -1, -1},	 {EV_SYSCALL_OPEN_X, 1, -1, -1, -1},
	{EV_SYSCALL_CREAT_E, 0, -1, -1, -1},	 {EV_SYSCALL_CREAT_X, 1, -1, -1, -1},
	{EV_SYSCALL_OPENAT_E, 1, 0, -1, -1},	 {EV_SYSCALL_OPENAT_2_E, 1, 0, -1, -1},
	{EV_SYSCALL_OPENAT_2_X, 2, 1, -1, -1},	 {EV_SYSCALL_OPENAT2_E, 1, 0, -1, -1},
	{EV_SYSCALL_OPENAT2_X, 2, 1, -1, -1},	 {EV_SYSCALL_OPEN_BY_HANDLE_AT_X, 3, -1, -1, -1},
	{EV_SYSCALL_MKDIR_E, 0, -1, -1, -1},	 {EV_SYSCALL_MKDIR_2_X, 1, -1, -1, -1},
	{EV_SYSCALL_MKDIRAT_X, 2, 1, -1, -1},	 {EV_SYSCALL_RMDIR_E, 0, -1, -1, -1},
	{EV_SYSCALL_RMDIR_2_X, 1, -1, -1, -1},	 {EV_SYSCALL_UNLINK_E, 0, -1, -1, -1},
	{EV_SYSCALL_UNLINK_2_X, 1, -1, -1, -1},	 {EV_SYSCALL_UNLINKAT_E, 1, 0, -1, -1},
	{EV_SYSCALL_UNLINKAT_2_X, 2, 1, -1, -1}, {EV_SYSCALL_CHMOD_X, 1, -1, -1, -1},
	{EV_SYSCALL_FCHMODAT_X, 2, 1, -1, -1},	 {EV_SYSCALL_CHOWN_X, 1, -1, -1, -1},
	{EV_SYSCALL_LCHOWN_X, 1, -1, -1, -1},	 {EV_SYSCALL_FCHOWNAT_X, 2, 1, -1, -1},
	{EV_SYSCALL_MOUNT_X, 2, -1, -1, -1},	 {EV_SYSCALL_UMOUNT_X, 1, -1, -1, -1},
	{EV_SYSCALL_UMOUNT_1_X, 1, -1, -1, -1},	 {EV_SYSCALL_UMOUNT2_X, 1, -1, -1, -1},
	{EV_SYSCALL_MKNOD_X, 1, -1, -1, -1},	 {EV_SYSCALL_MKNODAT_X, 2, 1, -1, -1},
	{EV_SYSCALL_NEWFSTATAT_X, 2, 1, -1, -1}, {EV_SYSCALL_CHDIR_X, 1, -1, -1, -1},
	{EV_SYSCALL_CHROOT_X, 1, -1, -1, -1},	 {EV_SYSCALL_RENAME_X, 1, -1, 2, -1},
	{EV_SYSCALL_RENAMEAT_X, 2, 1, 4, 3},	 {EV_SYSCALL_RENAMEAT2_X, 2, 1, 4, 3},
	{EV_SYSCALL_LINK_E, 0, -1, 1, -1},	 {EV_SYSCALL_LINK_2_X, 1, -1, 2, -1},
	{EV_SYSCALL_LINKAT_E, 1, 0, 3, 2},	 {EV_SYSCALL_LINKAT_2_X, 2, 1, 4, 3},
	{EV_SYSCALL_SYMLINK_X, 2, -1, 1, -1},	 {EV_SYSCALL_SYMLINKAT_X, 3, 2, 1, -1},
};

static const struct paths *paths_of(unsigned type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i].type == type)
			return &paths[i];
	return NULL;
}

void get_fs_path(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned which = r->info->sel & FP_WHICH;
	const struct paths *p = paths_of(env->c->ev.type);
	bool raw = r->info->sel & FP_RAW, two = p && p->at2 >= 0;

	if (!p || two != (which != FP_NAME))
		return;
	if (which == FP_TARGET)
		path_of(env, &env->c->ev, p->at2, p->dir2, raw, v);
	else
		path_of(env, &env->c->ev, p->at, p->dir, raw, v);
}

/* ---- evt.abspath ---- */

/* Only the exits of calls that name a directory by a descriptor have it, and the enter event of the oldest openat,
 * whose exit has no path. */
void get_evt_abspath(const struct field_ref *r, struct field_env *env, struct value *v)
{
	bool has = is_exit(env) || env->c->ev.type == EV_SYSCALL_OPENAT_E;
	const struct paths *p = has ? paths_of(env->c->ev.type) : NULL;
	bool dst = r->arg_kind == FA_TEXT && !strcmp(r->arg_text, "dst");

	if (!p || (p->dir < 0 && p->type != EV_SYSCALL_OPEN_BY_HANDLE_AT_X))
		return;
	if (dst && p->dir2 >= 0)
		path_of(env, &env->c->ev, p->at2, p->dir2, false, v);
	else
		path_of(env, &env->c->ev, p->at, p->dir, false, v);
}
