/* user.*, group.*: looked up in the lists of the trace, never on the reading machine. */
#include "field/field_int.h"

void get_user_id(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);

	if (!tv)
		return;
	if (r->info->sel)
		set_i(v, (int32_t)tv->loginuid);
	else
		set_u(v, tv->uid);
}

void get_user_text(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);
	const struct user *u;

	if (!tv)
		return;
	u = state_user_at(env->c->b->root, r->info->sel == U_LOGINNAME ? tv->loginuid : tv->uid,
			  env->c->ord);
	if (!u)
		return;
	switch (r->info->sel) {
	case U_HOME:
		set_str(v, u->home);
		break;
	case U_SHELL:
		set_str(v, u->shell);
		break;
	default:
		set_str(v, u->name);
		break;
	}
}

void get_group_gid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);

	if (tv)
		set_u(v, tv->gid);
}

void get_group_name(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv = event_ver(env);
	const struct group *g = tv ? state_group_at(env->c->b->root, tv->gid, env->c->ord) : NULL;

	if (g)
		set_str(v, g->name);
}
