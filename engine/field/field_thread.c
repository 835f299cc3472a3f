/* proc.*, thread.*: times, limits, memory, capabilities, control groups, standard descriptors. */
#include "field/field_int.h"
#include "source/meta.h"

static const struct thread_ver *event_parent(struct field_env *env)
{
	const struct thread_ver *tv;
	struct thread *p;

	if (!event_main(env, &tv))
		return NULL;
	p = state_parent_at(env->c->b->root, tv, env->c->ord);
	return p ? thread_ver_at(p, env->c->ord) : NULL;
}

/* ---- identity ---- */

void get_thread_tid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_i(v, env->c->ev.tid);
}

void get_thread_ismain(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t = event_thread(env, &tv);

	if (t)
		set_bool(v, t->tid == tv->pid);
}

void get_thread_nametid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t = event_thread(env, &tv);
	struct buf *b;

	if (!t)
		return;
	b = env_text(env, 0);
	buf_put(b, tv->comm->s, tv->comm->len);
	buf_i64(b, t->tid);
	set_buf(v, env, b);
}

/* ---- times ---- */

void get_proc_duration(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = r->info->sel ? event_parent(env) : event_ver(env);

	if (tv && tv->clone_ts)
		set_u(v, env->c->ev.ts - tv->clone_ts);
}

void get_proc_start_ts(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = r->info->sel ? event_parent(env) : event_ver(env);

	if (tv && tv->clone_ts)
		set_u(v, tv->clone_ts);
}

void get_proc_exe_ino(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);

	if (!tv)
		return;
	switch (r->info->sel) {
	case XI_INO:
		set_u(v, tv->exe_ino);
		break;
	case XI_CTIME:
		set_u(v, tv->exe_ino_ctime);
		break;
	case XI_MTIME:
		set_u(v, tv->exe_ino_mtime);
		break;
	case XI_CTIME_PROC:
		if (tv->clone_ts && tv->exe_ino_ctime)
			set_u(v, tv->clone_ts - tv->exe_ino_ctime);
		break;
	case XI_CTIME_PIDNS:
		if (tv->exe_ino_ctime && tv->pidns_init_start_ts)
			set_u(v, tv->exe_ino_ctime - tv->pidns_init_start_ts);
		break;
	default:
		set_u(v, tv->pidns_init_start_ts);
		break;
	}
}

void get_proc_exe_flag(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);

	if (!tv)
		return;
	switch (r->info->sel) {
	case XF_WRITABLE:
		set_bool(v, tv->exe_writable);
		break;
	case XF_UPPER:
		set_bool(v, tv->exe_upper_layer);
		break;
	case XF_LOWER:
		set_bool(v, tv->exe_lower_layer);
		break;
	default:
		set_bool(v, tv->exe_from_memfd);
		break;
	}
}

/* ---- capabilities ---- */

/* Names by bit, from linux/capability.h. */
static const char *const cap_names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

void get_thread_cap(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);
	unsigned which = r->info->sel;
	struct buf *b;
	uint64_t set;

	if (!tv)
		return;
	set = which == CAP_PERMITTED	 ? tv->cap_permitted
	      : which == CAP_INHERITABLE ? tv->cap_inheritable
					 : tv->cap_effective;
	b = env_text(env, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cap_names); i++) {
		if (!(set >> i & 1))
			continue;
		if (b->len)
			buf_putc(b, ' ');
		buf_puts(b, cap_names[i]);
	}
	set_buf(v, env, b);
}

/* ---- descriptors ---- */

static int count_fd(void *ctx, int fd, const struct fd_ver *f)
{
	++*(uint64_t *)ctx;
	return 0;
}

static bool open_fds(struct field_env *env, uint64_t *n)
{
	const struct thread_ver *tv;
	struct thread *t = event_thread(env, &tv);

	*n = 0;
	if (t)
		state_fds_each(env->c->b->root, t, tv, env->c->ord, count_fd, n);
	return t != NULL;
}

static bool fd_limit(struct field_env *env, int64_t *limit)
{
	const struct thread_ver *tv;

	if (!event_main(env, &tv))
		return false;
	*limit = (int64_t)tv->fdlimit;
	return true;
}

void get_proc_fdopencount(const struct field_ref *r, struct field_env *env, struct value *v)
{
	uint64_t n;

	if (open_fds(env, &n))
		set_u(v, n);
}

void get_proc_fdlimit(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int64_t limit;

	if (fd_limit(env, &limit))
		set_i(v, limit);
}

void get_proc_fdusage(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int64_t limit;
	uint64_t n;

	if (!open_fds(env, &n))
		return;
	set_double(v, fd_limit(env, &limit) && limit > 0 ? (double)n * 100 / (double)limit : 0);
}

void get_proc_std(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f;
	const char *s;
	uint32_t n;

	if (!event_thread(env, NULL))
		return;
	f = evctx_fd_n(env->c, r->info->sel & STD_FD);
	if (!f)
		return;
	if (r->info->sel & STD_NAME) {
		s = fd_ver_name(f, is_029(env), &n);
		set_text(v, s, n);
	} else {
		set_str(v, fd_kind_name(f->kind));
	}
}

/* ---- memory ---- */

static const struct thread_vol *volatiles(struct field_env *env, struct thread *t)
{
	return t ? evctx_vol(env->c, t) : NULL;
}

static uint32_t vm_kb(const struct thread_vol *vol, unsigned which)
{
	return which == VM_SIZE ? vol->vmsize_kb : which == VM_RSS ? vol->vmrss_kb : vol->vmswap_kb;
}

void get_proc_vm(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread *t = event_thread(env, NULL);
	const struct thread_vol *vol = volatiles(env, t);

	if (t)
		set_u(v, vol ? vm_kb(vol, r->info->sel) : 0);
}

void get_thread_vm(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t = event_thread(env, &tv);
	const struct thread_vol *vol = volatiles(env, t);
	uint64_t kb;

	if (!t)
		return;
	kb = vol && t->tid == tv->pid ? vm_kb(vol, r->info->sel & VM_WHICH) : 0;
	set_u(v, r->info->sel & VM_BYTES ? kb * 1024 : kb);
}

void get_thread_faults(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread *t = event_thread(env, NULL);
	const struct thread_vol *vol = volatiles(env, t);

	if (t)
		set_u(v, !vol ? 0 : r->info->sel ? vol->pfmajor : vol->pfminor);
}

/* ---- times on the CPU ---- */

/* Hundredths of a second used since the thread's procinfo event before this one, which is a second
 * ago: percent. At most 100, also when a counter went back; 0 without an earlier event, or when
 * that said 0. */
static double cpu_percent(uint64_t now, uint64_t before)
{
	uint64_t used = now - before;

	return !before ? 0 : used > 100 ? 100 : (double)used;
}

void get_thread_cpu(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread *t;
	const struct thread_vol *vol;

	if (env->c->ev.type != EV_PROCINFO_E)
		return;
	t = event_thread(env, NULL);
	vol = volatiles(env, t);
	if (!vol || vol->ord != env->c->ord)
		return;
	switch (r->info->sel) {
	case CPU_USER:
		set_double(v, cpu_percent(vol->cpu_user, vol->cpu_user_before));
		break;
	case CPU_SYSTEM:
		set_double(v, cpu_percent(vol->cpu_system, vol->cpu_system_before));
		break;
	default:
		set_double(v, cpu_percent(vol->cpu_user + vol->cpu_system,
					  vol->cpu_user_before + vol->cpu_system_before));
		break;
	}
}

/* The slice that a switch ends; 0 on other events. The sum runs through all of them. */
void get_thread_exectime(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread *t = event_thread(env, NULL);
	const struct thread_vol *vol = volatiles(env, t);

	if (!t)
		return;
	if (r->info->sel)
		set_u(v, vol ? vol->exec_total_ns : 0);
	else
		set_u(v, vol && vol->ord == env->c->ord && env->c->ev.type == EV_SCHEDSWITCH_6_E
				 ? vol->exec_ns
				 : 0);
}

/* ---- threads of the process ---- */

void get_proc_nthreads(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	const struct thread *m = event_main(env, &tv);

	if (m)
		set_u(v, state_nthreads_at(m, env->c->ord) + 1);
}

/* Counted for main threads only: the others have none. */
void get_proc_nchilds(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t = event_thread(env, &tv);

	if (t)
		set_u(v, t->tid == tv->pid ? state_nthreads_at(t, env->c->ord) : 0);
}

/* ---- control groups ---- */

/* Next "subsystem=path" at *at, its name in the spelling of the newer hierarchy put right. False at
 * the end. */
static bool next_cgroup(const char **at, const char *end, struct text *name, struct text *path)
{
	static const struct {
		const char *from, *to;
	} spellings[] = {
		{"io", "blkio"},
		{"mem", "memory"},
		{"perf", "perf_event"},
	};
	size_t n = strnlen(*at, (size_t)(end - *at));
	const char *eq = memchr(*at, '=', n);

	if (*at >= end)
		return false;
	name->p = *at;
	name->len = (uint32_t)(eq ? (size_t)(eq - *at) : n);
	path->p = eq ? eq + 1 : *at + n;
	path->len = (uint32_t)(*at + n - path->p);
	for (unsigned i = 0; i < ARRAY_SIZE(spellings); i++)
		if (strlen(spellings[i].from) == name->len &&
		    !memcmp(spellings[i].from, name->p, name->len))
			*name = (struct text){spellings[i].to, (uint32_t)strlen(spellings[i].to)};
	*at += n + 1;
	return true;
}

void get_thread_cgroups(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);
	const char *at = tv ? tv->cgroups->s : NULL, *end = tv ? at + tv->cgroups->len : NULL;
	struct buf *b = env_text(env, 0);
	struct text name, path;

	while (tv && next_cgroup(&at, end, &name, &path)) {
		if (b->len)
			buf_putc(b, ' ');
		buf_put(b, name.p, name.len);
		buf_putc(b, '=');
		buf_put(b, path.p, path.len);
	}
	if (b->len)
		set_buf(v, env, b);
}

void get_thread_cgroup(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);
	const char *at = tv ? tv->cgroups->s : NULL, *end = tv ? at + tv->cgroups->len : NULL;
	struct text name, path;

	while (tv && !v->has && next_cgroup(&at, end, &name, &path))
		if (name.len == r->arg_len && !memcmp(name.p, r->arg_text, name.len))
			set_text(v, path.p, path.len);
}
