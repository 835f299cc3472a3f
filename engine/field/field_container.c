/* container.*: what container events and control groups tell about the container of the thread. */
#include <fnmatch.h>

#include "field/field_container.h"

enum { SECOND = 1000000000 };

bool container_of(struct field_env *env, struct thread_container *tc)
{
	struct thread *t = event_thread(env, &tc->tv);

	tc->c = NULL;
	if (!t || !tc->tv->container_id->len)
		return false;
	tc->c = container_of_thread(env->c->b->root, tc->tv, env->c->ord, is_029(env),
				    &tc->implied);
	return tc->c != NULL;
}

/* Copies a text that may lie in the caller's thread_container. */
static void set_copy(struct value *v, struct field_env *env, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n)
		set_text(v, arena_dup(env->scratch, s, n), n);
}

/* ---- texts ---- */

static const char *container_attr(const struct container *c, unsigned which, bool compat029)
{
	switch (which) {
	case CN_NAME:
		return c->name;
	case CN_IMAGE:
		return c->image;
	case CN_IMAGEID:
		return c->imageid;
	case CN_REPO:
		return c->imagerepo;
	case CN_TAG:
		return c->imagetag;
	case CN_DIGEST:
		return c->imagedigest;
	case CN_FULL_ID:
		return c->full_id;
	case CN_IP:
		return c->ip;
	case CN_CNI:
		return c->cni_json;
	default:
		return container_type_name(c->type, compat029);
	}
}

static bool is_host(struct field_env *env)
{
	const struct thread_ver *tv;

	return event_thread(env, &tv) && !tv->container_id->len;
}

void get_container_text(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned which = r->info->sel;
	struct thread_container tc;

	if (is_host(env)) {
		if (which == CN_ID || which == CN_NAME || which == CN_TYPE)
			set_str(v, "host");
		return;
	}
	if (container_of(env, &tc) && which != CN_ID)
		set_copy(v, env, container_attr(tc.c, which, is_029(env)));
	else if (which == CN_ID && event_thread(env, &tc.tv))
		set_text(v, tc.tv->container_id->s, tc.tv->container_id->len);
}

static bool is_docker_like(unsigned type)
{
	return type == CT_DOCKER || type == CT_CRI || type == CT_CONTAINERD || type == CT_CRIO ||
	       type == CT_PODMAN;
}

void get_container_privileged(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread_container tc;

	if (container_of(env, &tc) && is_docker_like(tc.c->type))
		set_bool(v, tc.c->privileged);
}

void get_container_host_ns(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread_container tc;

	if (!container_of(env, &tc) || !tc.c->ord)
		return;
	switch (r->info->sel) {
	case NS_PID:
		set_bool(v, tc.c->host_pid);
		break;
	case NS_NETWORK:
		set_bool(v, tc.c->host_network);
		break;
	default:
		set_bool(v, tc.c->host_ipc);
		break;
	}
}

/* Start of the first process in the container's pid namespace. */
void get_container_time(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (!event_thread(env, &tv) || !tv->container_id->len || !tv->pidns_init_start_ts)
		return;
	set_u(v, r->info->sel ? env->c->ev.ts - tv->pidns_init_start_ts : tv->pidns_init_start_ts);
}

/* ---- mounts ---- */

static void put_mount(struct buf *b, const struct container_mount *m)
{
	buf_printf(b, "%s:%s:%s:%s:%s", m->source, m->dest, m->mode, m->rdwr ? "true" : "false",
		   m->propagation);
}

void get_container_mounts(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread_container tc;
	struct buf *b;

	if (!container_of(env, &tc))
		return;
	b = env_text(env, 0);
	for (unsigned i = 0; i < tc.c->nmounts; i++) {
		if (i)
			buf_putc(b, ',');
		put_mount(b, &tc.c->mounts[i]);
	}
	set_buf(v, env, b);
}

/* By position, or by a pattern for its source; the source itself is looked up by its place. */
static const struct container_mount *find_mount(const struct field_ref *r,
						const struct container *c)
{
	if (r->arg_kind == FA_INDEX)
		return r->arg_index >= 0 && r->arg_index < c->nmounts ? &c->mounts[r->arg_index]
								      : NULL;
	for (unsigned i = 0; i < c->nmounts; i++) {
		const char *path =
			r->info->sel == MT_SOURCE ? c->mounts[i].dest : c->mounts[i].source;

		if (!fnmatch(r->arg_text, path, FNM_PATHNAME))
			return &c->mounts[i];
	}
	return NULL;
}

void get_container_mount(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct container_mount *m;
	struct thread_container tc;
	struct buf *b;

	if (!container_of(env, &tc))
		return;
	m = find_mount(r, tc.c);
	if (!m)
		return;
	switch (r->info->sel) {
	case MT_SOURCE:
		set_str(v, m->source);
		break;
	case MT_DEST:
		set_str(v, m->dest);
		break;
	case MT_MODE:
		set_str(v, m->mode);
		break;
	case MT_RDWR:
		set_str(v, m->rdwr ? "true" : "false");
		break;
	case MT_PROPAGATION:
		set_str(v, m->propagation);
		break;
	default:
		b = env_text(env, 0);
		put_mount(b, m);
		set_buf(v, env, b);
		break;
	}
}

/* ---- probes ---- */

static const struct container_probe *probe_of(const struct container *c, unsigned which)
{
	return which == PB_HEALTH ? &c->healthcheck
	       : which == PB_LIVE ? &c->liveness
				  : &c->readiness;
}

void get_container_probe(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct container_probe *p;
	struct thread_container tc;
	struct buf *b;

	if (!container_of(env, &tc))
		return;
	p = probe_of(tc.c, r->info->sel);
	if (!p->exe) {
		set_str(v, "NONE");
		return;
	}
	b = env_text(env, 0);
	buf_puts(b, p->exe);
	for (unsigned i = 0; i < p->nargs; i++)
		buf_printf(b, " %s", p->args[i]);
	set_buf(v, env, b);
}

static bool runs_probe(const struct thread_ver *tv, const struct container_probe *p)
{
	const char *at = tv->args->s, *end = at + tv->args->len;

	if (strcmp(p->exe, tv->exe->s))
		return false;
	for (unsigned i = 0; i < p->nargs; i++, at += strnlen(at, (size_t)(end - at)) + 1)
		if (at >= end || strncmp(at, p->args[i], (size_t)(end - at)) != 0)
			return false;
	return at >= end;
}

/* A process belongs to a probe if it or an ancestor in the same container runs the probe's command;
 * the container's first process never does. */
void get_proc_probe(const struct field_ref *r, struct field_env *env, struct value *v)
{
	enum { MAX_DEPTH = 64 };
	const struct container_probe *p;
	struct thread_container tc;
	const struct thread_ver *tv;
	struct thread *up;

	if (!event_thread(env, NULL))
		return;
	set_bool(v, false);
	if (!container_of(env, &tc))
		return;
	/* 0.29.3 decides when a process is made. */
	if (is_029(env) && !tc.tv->clone_ts)
		return;
	p = probe_of(tc.c, r->info->sel);
	tv = tc.tv;
	for (unsigned i = 0; p->exe && i < MAX_DEPTH && tv->vpid != 1; i++) {
		if (runs_probe(tv, p)) {
			set_bool(v, true);
			return;
		}
		up = state_parent_at(env->c->b->root, tv, env->c->ord);
		tv = up ? thread_ver_at(up, env->c->ord) : NULL;
		if (!tv || strcmp(tv->container_id->s, tc.tv->container_id->s) != 0)
			return;
	}
}
