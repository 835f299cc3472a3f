/* container.*, k8s.*, mesos.*: what container events told about the container of the thread. */
#include "field/field_int.h"

void get_container_text(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (!evctx_thread(env->c, &tv))
		return;
	if (!tv->container_id->len) {
		if (r->info->sel == CT_ID || r->info->sel == CT_NAME || r->info->sel == CT_TYPE)
			set_str(v, "host");
		return;
	}
	if (r->info->sel == CT_ID)
		set_text(v, tv->container_id->s, tv->container_id->len);
}
