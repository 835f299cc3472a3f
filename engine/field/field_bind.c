/* The thread and the descriptor of an event, for fields. */
#include "field/field_int.h"
#include "state/attempt.h"
#include "state/container.h"

enum { ID_BYTES = 128 };

static bool is_container_event(const struct field_env *env)
{
	unsigned type = env->c->ev.type;

	return type == EV_CONTAINER_E || type == EV_CONTAINER_JSON_E ||
	       type == EV_CONTAINER_JSON_2_E;
}

static struct rstr *scratch_rstr(struct field_env *env, const char *prefix, const char *s)
{
	size_t n = strlen(prefix), m = strlen(s);
	struct rstr *r = arena_alloc(env->scratch, sizeof(*r) + n + m + 1);

	if (!r)
		return NULL;
	r->ref = 1;
	r->len = (uint32_t)(n + m);
	memcpy(r->s, prefix, n);
	memcpy(r->s + n, s, m + 1);
	return r;
}

/* The process that 0.29.3 makes up to carry a container event. Lives in the scratch arena. */
static struct thread *container_thread(struct field_env *env, const struct thread_ver **out)
{
	struct thread *t = arena_alloc(env->scratch, sizeof(*t));
	struct thread_ver *tv = arena_alloc(env->scratch, sizeof(*tv));
	struct rstr *empty = scratch_rstr(env, "", ""), *comm, *cid;
	char id[ID_BYTES];

	if (!container_event_id(&env->c->ev, id, sizeof(id)))
		id[0] = 0;
	comm = scratch_rstr(env, "container:", id);
	cid = scratch_rstr(env, "", id);
	if (!t || !tv || !empty || !comm || !cid)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->tid = -1;
	*tv = (struct thread_ver){
		.pid = -1,
		.sid = -1,
		.vpgid = -1,
		.pgid = -1,
		.vtid = -2,
		.vpid = -2,
		.fdlimit = UINT64_MAX,
		.uid = UINT32_MAX,
		.gid = UINT32_MAX,
		.loginuid = UINT32_MAX,
		.comm = comm,
		.exe = empty,
		.exepath = empty,
		.args = empty,
		.env = empty,
		.cwd = empty,
		.root = empty,
		.cgroups = empty,
		.container_id = cid,
	};
	if (out)
		*out = tv;
	return t;
}

struct thread *event_thread(struct field_env *env, const struct thread_ver **tv)
{
	if (UNLIKELY(is_container_event(env)))
		return container_thread(env, tv);
	return evctx_thread(env->c, tv);
}

struct thread *event_main(struct field_env *env, const struct thread_ver **tv)
{
	if (UNLIKELY(is_container_event(env)))
		return container_thread(env, tv);
	return evctx_main(env->c, tv);
}

/* ---- result ---- */

bool event_result(struct field_env *env, int64_t *res)
{
	if (evctx_rawres(env->c, res))
		return true;
	switch (env->c->ev.type) {
	case EV_SYSCALL_GETUID_X:
	case EV_SYSCALL_GETEUID_X:
	case EV_SYSCALL_GETGID_X:
	case EV_SYSCALL_GETEGID_X:
		return is_newest_writer(env) && event_param_i64(&env->c->ev, 0, res);
	default:
		return false;
	}
}

/* ---- descriptor ---- */

bool event_works_on_fd(struct field_env *env)
{
	return evctx_fdnum(env->c) != EV_FD_NONE;
}

/* After a failed open 0.29.3 shows the directory it started from, if that was a descriptor. */
const struct fd_ver *event_fd(struct field_env *env)
{
	const struct fd_ver *tried;

	if (!event_works_on_fd(env))
		return NULL;
	tried = is_029(env) ? fd_attempted_entry(env->c) : NULL;
	return tried ? tried : evctx_fd(env->c);
}
