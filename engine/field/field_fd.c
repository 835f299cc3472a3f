/* fd.*: the descriptor of the event as such. Addresses and ports: field_sock.c. */
#include "field/field_int.h"
#include "state/attempt.h"

/* ---- which descriptor ---- */

bool fd_is_file(const struct fd_ver *f)
{
	return f->kind == FDK_FILE || f->kind == FDK_FILE_V2 || f->kind == FDK_DIRECTORY;
}

bool fd_is_inet(const struct fd_ver *f)
{
	return f->kind == FDK_IPV4 || f->kind == FDK_IPV6 || f->kind == FDK_IPV4_SERV ||
	       f->kind == FDK_IPV6_SERV;
}

void get_fd_num(const struct field_ref *r, struct field_env *env, struct value *v)
{
	if (event_works_on_fd(env))
		set_i(v, evctx_fdnum(env->c));
}

/* ---- kind ---- */

/* What an event creates, as far as its type tells. */
static char created_letter(unsigned type)
{
	switch (type & ~1u) {
	case EV_SYSCALL_OPEN_E:
	case EV_SYSCALL_CREAT_E:
	case EV_SYSCALL_OPENAT_E:
	case EV_SYSCALL_OPENAT_2_E:
	case EV_SYSCALL_OPENAT2_E:
	case EV_SYSCALL_OPEN_BY_HANDLE_AT_E:
		return 'f';
	case EV_SOCKET_SOCKET_E:
	case EV_SOCKET_ACCEPT_E:
	case EV_SOCKET_ACCEPT_5_E:
	case EV_SOCKET_ACCEPT4_E:
	case EV_SOCKET_ACCEPT4_5_E:
	case EV_SOCKET_ACCEPT4_6_E:
		return '4';
	case EV_SYSCALL_PIPE_E:
	case EV_SYSCALL_PIPE2_E:
		return 'p';
	case EV_SYSCALL_EVENTFD_E:
	case EV_SYSCALL_EVENTFD2_E:
		return 'e';
	case EV_SYSCALL_SIGNALFD_E:
	case EV_SYSCALL_SIGNALFD4_E:
		return 's';
	case EV_SYSCALL_TIMERFD_CREATE_E:
		return 't';
	case EV_SYSCALL_INOTIFY_INIT_E:
	case EV_SYSCALL_INOTIFY_INIT1_E:
		return 'i';
	default:
		return 'o';
	}
}

static void set_letter(struct value *v, struct field_env *env, char c)
{
	char *s = arena_dup(env->scratch, &c, 1);

	if (s)
		set_text(v, s, 1);
}

void get_fd_typechar(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f;

	if (!event_works_on_fd(env))
		return;
	f = event_fd(env);
	set_letter(v, env, f ? fd_kind_letter(f->kind) : created_letter(env->c->ev.type));
}

void get_fd_type(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f)
		set_str(v, fd_kind_name(f->kind) ? fd_kind_name(f->kind) : "<NA>"); /* a value, as in fd.l4proto */
}

void get_fd_types(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct value_list l;

	if (r->arg_kind == FA_INDEX) {
		const struct fd_ver *f = evctx_fd_n(env->c, r->arg_index);

		if (f)
			set_str(v, fd_kind_name(f->kind));
		return;
	}
	list_fd_types(r, env, &l);
	if (l.n)
		*v = l.v[0];
}

struct kinds {
	bool seen[256];
};

static int note_kind(void *ctx, int fd, const struct fd_ver *f)
{
	((struct kinds *)ctx)->seen[f->kind] = true;
	return 0;
}

static bool has_text(const struct value_list *l, const char *s)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].len == strlen(s) && !memcmp(l->v[i].s, s, l->v[i].len))
			return true;
	return false;
}

void list_fd_types(const struct field_ref *r, struct field_env *env, struct value_list *l)
{
	const struct thread_ver *tv;
	struct thread *t = event_thread(env, &tv);
	struct kinds k = {0};
	struct value *v;
	const char *name;

	if (r->arg_kind == FA_INDEX) {
		v = arena_alloc(env->scratch, sizeof(*v));
		if (!v)
			return;
		field_get(r, env, v);
		l->v = v;
		l->n = v->has;
		return;
	}
	v = t ? arena_alloc(env->scratch, (FDK_PIDFD + 1) * sizeof(*v)) : NULL;
	if (!v)
		return;
	state_fds_each(env->c->b->root, t, tv, env->c->ord, note_kind, &k);
	l->v = v;
	for (unsigned kind = 0; kind <= FDK_PIDFD; kind++) {
		name = k.seen[kind] ? fd_kind_name(kind) : NULL;
		if (!name || has_text(l, name)) /* sockets and servers are of one kind */
			continue;
		v[l->n] = (struct value){.type = PT_CHARBUF};
		set_str(&v[l->n++], name);
	}
}

/* ---- name ---- */

void fd_event_name(struct field_env *env, struct value *v)
{
	enum { NAME_BYTES = 1300 };
	const struct fd_ver *f;
	char name[NAME_BYTES];
	const char *s;
	size_t len;
	uint32_t n;

	if (!event_works_on_fd(env))
		return;
	if (is_exit(env) && fd_attempted_name(env->c, name, sizeof(name), &len)) {
		set_text(v, len ? arena_dup(env->scratch, name, len) : "", len);
		return;
	}
	f = event_fd(env);
	if (f) {
		s = fd_ver_name(f, is_029(env), &n);
		set_text(v, s, n);
	} else if (is_exit(env) && !(is_029(env) && env->c->ev.type == EV_SYSCALL_OPENAT_X)) {
		set_text(v, "", 0);
	}
}

void get_fd_name(const struct field_ref *r, struct field_env *env, struct value *v)
{
	fd_event_name(env, v);
}

void get_fd_nameraw(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f)
		set_text(v, f->raw->s, strnlen(f->raw->s, f->raw->len));
}

static void set_directory(struct value *v)
{
	const char *slash = v->has ? memrchr(v->s, '/', v->len) : NULL;

	if (!v->has)
		return;
	if (!slash || slash == v->s)
		set_text(v, "/", 1);
	else if (slash + 1 < v->s + v->len)
		v->len = (uint32_t)(slash - v->s);
}

void get_fd_directory(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f && !fd_is_file(f))
		return;
	fd_event_name(env, v);
	if (!f || f->kind != FDK_DIRECTORY)
		set_directory(v);
}

void get_fd_filename(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);
	const char *slash;

	if (!f || (f->kind != FDK_FILE && f->kind != FDK_FILE_V2))
		return;
	fd_event_name(env, v);
	slash = memrchr(v->s, '/', v->len);
	if (!slash) {
		set_text(v, "/", 1);
	} else if (slash + 1 < v->s + v->len) {
		v->len -= (uint32_t)(slash + 1 - v->s);
		v->s = slash + 1;
	}
}

void get_fd_container(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct buf *b;

	if (r->info->sel)
		get_fd_directory(r, env, v);
	else
		fd_event_name(env, v);
	if (!v->has || !event_thread(env, &tv))
		return;
	b = env_text(env, 0);
	buf_put(b, tv->container_id->s, tv->container_id->len);
	buf_putc(b, ':');
	buf_put(b, v->s, v->len);
	set_buf(v, env, b);
}

void get_fd_uid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct value num = {0};
	struct buf *b;

	get_fd_num(r, env, &num);
	if (!num.has)
		return;
	b = env_text(env, 0);
	buf_i64(b, env->c->ev.tid);
	buf_i64(b, num.i);
	set_buf(v, env, b);
}

/* ---- other facts ---- */

void get_fd_name_changed(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f)
		set_bool(v, f->ord == env->c->ord && (f->flags & FDF_NAME_CHANGED));
}

void get_fd_dev(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (!f)
		return;
	switch (r->info->sel) {
	case DEV_MAJOR:
		set_i(v, (int)(f->dev >> 8 & 0xfff));
		break;
	case DEV_MINOR:
		set_i(v, (int)((f->dev & 0xff) | (f->dev >> 12 & 0xfff00)));
		break;
	default:
		set_i(v, (int32_t)f->dev);
		break;
	}
}

void get_fd_ino(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f)
		set_u(v, f->ino);
}

void get_fd_layer(const struct field_ref *r, struct field_env *env, struct value *v)
{
	enum { FD_UPPER_LAYER = 0x8000, FD_LOWER_LAYER = 0x10000 };
	const struct fd_ver *f = event_fd(env);

	if (f)
		set_bool(v, (f->openflags & (r->info->sel ? FD_UPPER_LAYER : FD_LOWER_LAYER)) != 0);
}
