/* evt.*: what the event itself says, its type, result and texts. Times: field_time.c. */
#include "field/field_int.h"
#include "field/render.h"

/* ---- identity ---- */

void get_evt_num(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_u(v, env->c->num);
}

void get_evt_cpu(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_i(v, (int16_t)env->c->ev.cpu);
}

void get_evt_dir(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_text(v, is_exit(env) ? "<" : ">", 1);
}

void get_evt_type(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_str(v, event_name(&env->c->ev, is_029(env)));
}

/* 0.29.3 looks a name up once and finds its oldest event: later forms of the call never match
 * there. */
static bool is_first_of_name(uint16_t type, const char *name)
{
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if (!strcmp(event_table[code].name, name))
			return (type & ~1u) == (code & ~1u);
	return false;
}

void get_evt_type_is(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const char *name = event_name(&env->c->ev, is_029(env));
	bool same = !strcmp(name, r->arg_text);

	if (same && is_029(env))
		same = is_first_of_name(env->c->ev.type, name);
	set_u(v, same);
}

/* 0.29.3 leaves out switches and its own notes, but not signals and ends of processes. */
static bool is_syscall(const struct field_env *env)
{
	const struct event_info *info = event_info(&env->c->ev);

	if (!info->known_029)
		return (info->category & EC_SYSCALL) != 0;
	return (info->category_029 & EC_BASE_MASK) != EC_INTERNAL &&
	       !(info->flags_029 & EF_SKIPPARSERESET) && env->c->ev.type != EV_SCHEDSWITCH_6_E;
}

void get_syscall_type(const struct field_ref *r, struct field_env *env, struct value *v)
{
	if (is_syscall(env))
		get_evt_type(r, env, v);
}

/* I/O events are of the category of what they work on. */
static const char *io_category(const struct fd_ver *f)
{
	if (!f)
		return "unknown";
	if (fd_is_file(f))
		return "file";
	if (fd_is_inet(f))
		return "net";
	switch (f->kind) {
	case FDK_FIFO:
	case FDK_UNIX:
	case FDK_EVENT:
	case FDK_SIGNALFD:
	case FDK_INOTIFY:
		return "ipc";
	default:
		return "unknown";
	}
}

static unsigned base_category(struct field_env *env)
{
	const struct event_info *info = event_info(&env->c->ev);
	int64_t id;

	if (!is_029(env))
		return info->category & EC_BASE_MASK;
	if (env->c->ev.type <= EV_GENERIC_X && event_param_i64(&env->c->ev, 0, &id))
		return ppm_sc_category_029((unsigned)id);
	return info->category_029 & EC_BASE_MASK;
}

/* An exit whose enter event is not the last of its thread: 0.29.3 shows number and name of the last descriptor, but
 * does not take the work for work on it. */
static bool is_alone_029(struct field_env *env)
{
	uint64_t ts;
	uint16_t type;
	bool paired = true;

	if (is_029(env) && is_exit(env))
		evctx_enter(env->c, &ts, &type, &paired);
	return !paired;
}

void get_evt_category(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned base = base_category(env);

	if (base == EC_IO_READ || base == EC_IO_WRITE || base == EC_IO_OTHER)
		set_str(v, io_category(is_alone_029(env) ? NULL : evctx_fd(env->c)));
	else if (base == EC_INTERNAL && is_029(env))
		set_str(v, event_category_name(EC_UNKNOWN)); /* it has no name for them */
	else
		set_str(v, event_category_name(base));
}

void get_evt_source(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_str(v, "syscall");
}

void get_evt_is_async(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_bool(v, env->c->ev.type == EV_ASYNCEVENT_E);
}

void get_evt_asynctype(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const char *s;
	uint32_t n;

	if (env->c->ev.type == EV_ASYNCEVENT_E && event_param_str(&env->c->ev, 1, &s, &n))
		set_text(v, s, n);
}

void get_evt_hostname(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const char *name = state_machine(env->c->b->root)->hostname;

	if (*name)
		set_str(v, name);
}

void get_evt_around(const struct field_ref *r, struct field_env *env, struct value *v)
{
	uint64_t ts = env->c->ev.ts, at = (uint64_t)r->arg_index;

	set_u(v, ts > at ? ts - at : at - ts);
}

/* ---- result ---- */

void get_evt_rawres(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int64_t res;

	if (event_result(env, &res))
		set_i(v, res);
}

void get_evt_res(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const char *name;
	int64_t res;

	if (!event_result(env, &res))
		return;
	if (res >= 0) {
		set_str(v, "SUCCESS");
		return;
	}
	name = res > INT64_MIN ? errno_name(-res) : NULL;
	if (name) {
		set_str(v, name);
	} else {
		struct buf *b = env_text(env, 0);

		buf_i64(b, res);
		set_buf(v, env, b);
	}
}

/* Where there is no result: false for writers of enter events, nothing for those of exits alone. */
void get_evt_failed(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int64_t res;

	if (event_result(env, &res) || !is_newest_writer(env))
		set_bool(v, evctx_errno(env->c) != 0);
}

void get_evt_count(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_u(v, 1);
}

void get_evt_count_exit(const struct field_ref *r, struct field_env *env, struct value *v)
{
	if (is_exit(env))
		set_u(v, 1);
}

static bool creates_file(unsigned type)
{
	switch (type) {
	case EV_SYSCALL_OPEN_X:
	case EV_SYSCALL_CREAT_X:
	case EV_SYSCALL_OPENAT_X:
	case EV_SYSCALL_OPENAT_2_X:
	case EV_SYSCALL_OPENAT2_X:
	case EV_SYSCALL_OPEN_BY_HANDLE_AT_X:
		return true;
	default:
		return false;
	}
}

static bool creates_socket(unsigned type)
{
	switch (type) {
	case EV_SOCKET_ACCEPT_X:
	case EV_SOCKET_ACCEPT_5_X:
	case EV_SOCKET_ACCEPT4_X:
	case EV_SOCKET_ACCEPT4_5_X:
	case EV_SOCKET_ACCEPT4_6_X:
	case EV_SOCKET_CONNECT_X:
	case EV_SOCKET_BIND_X:
		return true;
	default:
		return false;
	}
}

static unsigned error_group(struct field_env *env)
{
	const struct fd_ver *f = evctx_fd(env->c);
	unsigned type = env->c->ev.type;

	if (f ? fd_is_file(f) : creates_file(type))
		return CE_FILE;
	if (f ? fd_is_inet(f) || f->kind == FDK_UNIX : creates_socket(type))
		return CE_NET;
	return base_category(env) == EC_MEMORY ? CE_MEMORY : CE_OTHER;
}

void get_evt_count_error(const struct field_ref *r, struct field_env *env, struct value *v)
{
	if (!evctx_errno(env->c))
		return;
	if (r->info->sel == CE_ANY || r->info->sel == error_group(env))
		set_u(v, 1);
}

void get_evt_procinfo_count(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t;

	if (env->c->ev.type != EV_PROCINFO_E)
		return;
	t = event_thread(env, &tv);
	if (!r->info->sel || (t && t->tid == tv->pid))
		set_u(v, 1);
}

/* ---- input and output ---- */

static unsigned io_dirs(const struct field_env *env)
{
	uint32_t f = event_flags_of(env);

	return (f & EF_READS_FROM_FD ? IO_READ : 0) | (f & EF_WRITES_TO_FD ? IO_WRITE : 0);
}

void get_evt_is_io(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_bool(v, (io_dirs(env) & r->info->sel) != 0);
}

void get_evt_io_dir(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned dirs = io_dirs(env);

	if (dirs)
		set_str(v, dirs & IO_WRITE ? "write" : "read"); /* copy_file_range does both */
}

void get_evt_is_wait(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_bool(v, (event_flags_of(env) & EF_WAITS) != 0);
}

void get_evt_is_syslog(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = io_dirs(env) & IO_WRITE ? evctx_fd(env->c) : NULL;
	uint32_t n;
	const char *s;

	set_bool(v, false);
	if (!f)
		return;
	s = fd_ver_name(f, is_029(env), &n);
	set_bool(v, memmem(s, n, "/dev/log", 8) != NULL);
}

/* What an exit on a known descriptor returned, for reads, writes and whatever else works on any
 * descriptor. */
void get_evt_buflen(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned want = r->info->sel, base = base_category(env);
	const struct fd_ver *f;
	int64_t res;

	if (!is_exit(env) || (base != EC_IO_READ && base != EC_IO_WRITE && base != EC_IO_OTHER))
		return;
	if ((want & BL_IN && base != EC_IO_READ) || (want & BL_OUT && base != EC_IO_WRITE))
		return;
	f = is_alone_029(env) ? NULL : event_fd(env);
	if (!f || ((want & BL_FILE) && (!fd_is_file(f) || f->kind == FDK_DIRECTORY)) ||
	    ((want & BL_NET) && !fd_is_inet(f)))
		return;
	if (event_result(env, &res) && res >= 0)
		set_u(v, (uint64_t)res);
}

/* ---- open ---- */

enum {
	PPM_O_RDONLY = 1,
	PPM_O_WRONLY = 2,
	PPM_O_CREAT = 4,
	PPM_O_TMPFILE = 0x2000,
	PPM_O_F_CREATED = 0x4000,
	PPM_S_ANY_EXEC = 1 | 8 | 64,
};

/* The named number of this exit, or of its enter event. */
static bool exit_or_enter_param(struct field_env *env, const char *name, int64_t *out)
{
	int i = event_param_index(env, name, strlen(name));
	struct event enter;

	if (i >= 0 && event_param_i64(&env->c->ev, (unsigned)i, out))
		return true;
	if (!evctx_enter_event(env->c, &enter))
		return false;
	for (unsigned k = 0; k < enter.nparams; k++)
		if (!strcmp(event_info(&enter)->params[k].name, name))
			return event_param_i64(&enter, k, out);
	return false;
}

static bool open_matches(struct field_env *env, unsigned which, int64_t flags)
{
	int64_t mode;

	switch (which) {
	case OP_READ:
		return (flags & PPM_O_RDONLY) != 0;
	case OP_WRITE:
		return (flags & PPM_O_WRONLY) != 0;
	case OP_CREATE:
		return (flags & PPM_O_F_CREATED) != 0;
	default:
		return (flags & (PPM_O_CREAT | PPM_O_TMPFILE)) &&
		       exit_or_enter_param(env, "mode", &mode) && (mode & PPM_S_ANY_EXEC);
	}
}

void get_evt_is_open(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned which = r->info->sel, type = env->c->ev.type;
	int64_t flags;

	set_bool(v, false);
	if (!creates_file(type))
		return;
	if (type == EV_SYSCALL_CREAT_X) {
		flags = which == OP_EXEC ? PPM_O_CREAT : 0;
		if (which == OP_CREATE && !exit_or_enter_param(env, "creat_flags", &flags))
			return;
	} else if (!exit_or_enter_param(env, "flags", &flags)) {
		return;
	}
	set_bool(v, open_matches(env, which, flags));
}

/* ---- parameters ---- */

void get_evt_args(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct buf *b = env_text(env, 0);

	render_args(b, env);
	set_buf(v, env, b);
}

void get_evt_info(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct buf *b = env_text(env, 0);

	render_info(b, env);
	set_buf(v, env, b);
}

static void get_param_text(struct field_env *env, unsigned i, struct value *v)
{
	struct buf *raw = env_text(env, 0), *resolved = env_text(env, 1);

	if (render_param(env, i, raw, resolved))
		set_buf(v, env, resolved->len ? resolved : raw);
}

void get_evt_arg(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int64_t i = r->arg_index;

	if (r->arg_kind == FA_TEXT)
		i = event_param_index(env, r->arg_text, r->arg_len);
	if (i >= 0 && i < EVENT_MAX_PARAMS)
		get_param_text(env, (unsigned)i, v);
}

/* How a value of a parameter type is held. */
enum value_class { VC_NONE, VC_SIGNED, VC_UNSIGNED, VC_TEXT, VC_BYTES };
static enum value_class value_class(unsigned type)
{
	switch (type) {
	case PT_INT8:
	case PT_INT16:
	case PT_INT32:
	case PT_INT64:
	case PT_ERRNO:
	case PT_FD:
	case PT_PID:
	case PT_FD32:
	case PT_PID32:
		return VC_SIGNED;
	case PT_UINT8:
	case PT_UINT16:
	case PT_UINT32:
	case PT_UINT64:
	case PT_RELTIME:
	case PT_ABSTIME:
	case PT_PORT:
	case PT_L4PROTO:
	case PT_SOCKFAMILY:
	case PT_BOOL:
	case PT_FLAGS8:
	case PT_FLAGS16:
	case PT_FLAGS32:
	case PT_UID:
	case PT_GID:
	case PT_MODE:
	case PT_ENUMFLAGS8:
	case PT_ENUMFLAGS16:
	case PT_ENUMFLAGS32:
	case PT_SIGTYPE:
	case PT_SIGSET:
	case PT_SYSCALLID:
		return VC_UNSIGNED;
	case PT_CHARBUF:
	case PT_FSPATH:
	case PT_FSRELPATH:
		return VC_TEXT;
	case PT_NONE:
		return VC_NONE;
	default:
		return VC_BYTES;
	}
}

/* An event may hold the named parameter in another width or as another kind of number than the type
 * that the reference promises: the value stays, its type is the promised one. */
void get_evt_rawarg(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int i = event_param_index(env, r->arg_text, r->arg_len);
	enum value_class have, want = value_class(r->type);
	const uint8_t *p;
	uint32_t len;
	int64_t n;

	if (i < 0 || !event_param(&env->c->ev, (unsigned)i, &p, &len))
		return;
	have = value_class(event_info(&env->c->ev)->params[i].type);
	if (have == VC_SIGNED || have == VC_UNSIGNED) {
		if ((want == VC_SIGNED || want == VC_UNSIGNED) &&
		    event_param_i64(&env->c->ev, (unsigned)i, &n))
			set_i(v, n);
	} else if (have == VC_TEXT && want == VC_TEXT) {
		if (len && event_param_str(&env->c->ev, (unsigned)i, (const char **)&p, &len))
			set_text(v, (const char *)p, len);
	} else if (have == want || want == VC_BYTES) {
		set_text(v, (const char *)p, len);
	}
}

void get_evt_buffer(const struct field_ref *r, struct field_env *env, struct value *v)
{
	int i = event_param_index(env, "data", 4);
	const uint8_t *p;
	uint32_t len;

	if (i < 0 || !event_param(&env->c->ev, (unsigned)i, &p, &len))
		return;
	if (event_info(&env->c->ev)->params[i].type == PT_BYTEBUF) {
		set_text(v, (const char *)p, len);
	} else {
		get_param_text(env, (unsigned)i, v);
		v->type = PT_CHARBUF;
	}
}

/* ---- docker events ---- */

/* The value in "key: value" of a description whose parts are separated by semicolons; a part
 * belongs to a key that it begins with, and its value ends at a second colon. */
static bool infra_find(const char *s, uint32_t n, const char *key, struct value *v)
{
	size_t k = strlen(key);

	for (const char *end = s + n, *stop; s < end; s = stop + 1) {
		const char *p = s;

		stop = memchr(s, ';', (size_t)(end - s));
		stop = stop ? stop : end;
		while (p < stop && *p == ' ')
			p++;
		if ((size_t)(stop - p) <= k || memcmp(p, key, k) != 0)
			continue;
		p = memchr(p, ':', (size_t)(stop - p));
		if (!p)
			continue;
		for (p++; p < stop && *p == ' '; p++)
			;
		end = memchr(p, ':', (size_t)(stop - p));
		set_text(v, p, (size_t)((end ? end : stop) - p));
		return true;
	}
	return false;
}

void get_evt_infra(const struct field_ref *r, struct field_env *env, struct value *v)
{
	static const char *const keys[] = {
		[INFRA_NAME] = "Event",
		[INFRA_ID] = "ID",
		[INFRA_CNAME] = "name",
		[INFRA_IMAGE] = "Image",
	};
	struct event *ev = &env->c->ev;
	const char *s;
	uint32_t n;

	if (ev->type != EV_INFRASTRUCTURE_EVENT_E || !event_param_str(ev, 2, &s, &n))
		return;
	if (infra_find(s, n, keys[r->info->sel], v) && r->info->sel == INFRA_ID)
		v->len = MIN(v->len, 12u);
}
