/* k8s.*, mesos.*: what runtimes wrote into the labels of the container, and of its pod's sandbox. A
 * trace tells nothing about the other objects of an orchestrator: those fields never have a value.
 */
#include <stdio.h>

#include "field/field_container.h"

static void set_label(struct value *v, const struct container *c, const char *key)
{
	set_str(v, container_label(c, key, strlen(key)));
}

/* The container that holds the pod's namespaces, whose labels are the pod's; c itself if it is one.
 */
static const struct container *pod_sandbox(struct field_env *env, const struct container *c)
{
	const char *id = c->pod_sandbox_id;
	char short_id[13];

	if (c->is_pod_sandbox && !is_029(env))
		return c;
	if (!*id)
		id = container_label(c, "io.kubernetes.sandbox.id", 24);
	if (!id || !*id)
		return NULL;
	snprintf(short_id, sizeof(short_id), "%s", id);
	return state_container_at(env->c->b->root, short_id, env->c->ord);
}

/* The pod's labels: of the sandbox where its event is in the trace, else the copy in the
 * container's own. */
static const struct container_label *pod_labels(struct field_env *env, const struct container *c,
						unsigned *n)
{
	const struct container *sandbox = pod_sandbox(env, c);

	*n = sandbox ? sandbox->nlabels : c->nsandbox_labels;
	return sandbox ? sandbox->labels : c->sandbox_labels;
}

static void set_pod_label(const struct field_ref *r, struct field_env *env,
			  const struct container *c, struct value *v)
{
	unsigned n;
	const struct container_label *l = pod_labels(env, c, &n);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(l[i].key, r->arg_text))
			set_str(v, l[i].value);
}

static void set_pod_labels(struct field_env *env, const struct container *c, struct value *v)
{
	unsigned n;
	const struct container_label *l = pod_labels(env, c, &n);
	struct buf *b = env_text(env, 0);

	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "%s%s:%s", i ? ", " : "", l[i].key, l[i].value);
	if (n)
		set_buf(v, env, b);
}

static void set_pod_field(struct field_env *env, const struct container *c, unsigned attr,
			  struct value *v)
{
	const struct container *sandbox = pod_sandbox(env, c);
	const char *s;

	switch (attr) {
	case K_IP:
		s = sandbox ? sandbox->ip : NULL;
		break;
	case K_CNI:
		s = sandbox ? sandbox->cni_json : NULL;
		break;
	case K_SANDBOX:
		s = sandbox ? sandbox->id : c->pod_sandbox_id;
		break;
	default:
		s = sandbox ? sandbox->full_id : c->pod_sandbox_id;
		break;
	}
	if (s && *s)
		set_str(v, s);
	if (v->has && attr == K_SANDBOX)
		v->len = MIN(v->len, 12);
}

static void get_pod(const struct field_ref *r, struct field_env *env, const struct container *c,
		    struct value *v)
{
	unsigned attr = r->info->sel & K_ATTR;

	switch (attr) {
	case K_NAME:
		set_label(v, c, "io.kubernetes.pod.name");
		break;
	case K_ID:
	case K_UID:
		set_label(v, c, "io.kubernetes.pod.uid");
		break;
	case K_LABEL:
		set_pod_label(r, env, c, v);
		break;
	case K_LABELS:
		set_pod_labels(env, c, v);
		break;
	default:
		set_pod_field(env, c, attr, v);
		break;
	}
}

void get_k8s(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned object = r->info->sel & K_OBJECT, attr = r->info->sel & K_ATTR;
	struct thread_container tc;

	if (!container_of(env, &tc) || !tc.c->ord)
		return;
	if (object == K_POD)
		get_pod(r, env, tc.c, v);
	else if (object == K_NS && attr == K_NAME)
		set_label(v, tc.c, "io.kubernetes.pod.namespace");
}

void get_mesos(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct thread_container tc;

	/* 0.29.3 asks a running Mesos for it. */
	if (!is_029(env) && r->info->sel == MS_TASK_ID && container_of(env, &tc) &&
	    *tc.c->mesos_task_id)
		set_str(v, tc.c->mesos_task_id);
}
