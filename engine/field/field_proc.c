/* proc.*: texts and ids of the process, its parents and the leaders of its groups. Numbers:
 * field_thread.c. */
#include "field/field_int.h"

/* A loop of parents (possible in a made-up trace) ends here; real chains are a few dozen long. */
enum { MAX_ANCESTORS = 1024 };

/* ---- who ---- */

/* One step up; NULL at the top. *tv moves along. */
static struct thread *step_up(struct field_env *env, const struct thread_ver **tv)
{
	struct thread *p = state_parent_at(env->c->b->root, *tv, env->c->ord);

	if (p)
		*tv = thread_ver_at(p, env->c->ord);
	return p && *tv ? p : NULL;
}

static struct thread *nth_ancestor(struct field_env *env, int64_t n, const struct thread_ver **tv)
{
	struct thread *t = event_main(env, tv);

	if (n > MAX_ANCESTORS)
		return NULL;
	while (t && n-- > 0)
		t = step_up(env, tv);
	return t;
}

/* Parent by the thread's own record: for 0.29.3 the parent of a thread is the one that made it. */
static struct thread *parent_of(struct field_env *env, const struct thread_ver **tv)
{
	struct thread *t = is_029(env) ? event_thread(env, tv) : event_main(env, tv);

	return t ? step_up(env, tv) : NULL;
}

static int64_t group_id(const struct thread_ver *tv, unsigned which)
{
	return which == P_SID ? tv->sid : which == P_VPGID ? tv->vpgid : tv->pgid;
}

/* Leader of the session or process group: the process of that id; if it is gone, the oldest
 * ancestor in a row that belongs to the group. */
static struct thread *group_leader(struct field_env *env, unsigned which,
				   const struct thread_ver **tv)
{
	struct thread *t = event_main(env, tv), *up;
	const struct thread_ver *v = *tv, *own;
	int64_t id;

	if (!t || !event_thread(env, &own))
		return NULL;
	/* A session is looked up by what the thread itself has noted, then by its process. */
	if (which == P_SID) {
		up = state_thread_at(env->c->b->root, group_id(own, which), env->c->ord);
		if (up && thread_ver_at(up, env->c->ord)) {
			*tv = thread_ver_at(up, env->c->ord);
			return up;
		}
	}
	id = group_id(v, which);
	if (id == -1 && which != P_SID) /* not known; 0.29.3 goes on for sessions */
		return NULL;
	up = state_thread_at(env->c->b->root, id, env->c->ord);
	if (up && thread_ver_at(up, env->c->ord)) {
		*tv = thread_ver_at(up, env->c->ord);
		return up;
	}
	for (unsigned i = 0;
	     i < MAX_ANCESTORS && (up = step_up(env, &v)) && group_id(v, which) == id; i++) {
		t = up;
		*tv = v;
	}
	return t;
}

/* ---- texts ---- */

/* Strings with a NUL behind each, shown with blanks between. */
static void put_strings(struct buf *b, const struct rstr *s)
{
	size_t at = b->len, n = s->len;

	if (n && !s->s[n - 1])
		n--;
	buf_put(b, s->s, n);
	for (; at < b->len; at++)
		if (!b->p[at])
			b->p[at] = ' ';
}

static void set_rstr(struct value *v, const struct rstr *s)
{
	set_text(v, s->s, s->len);
}

/* first and the arguments; blank: with one between even if there are no arguments. */
static void put_cmdline(struct field_env *env, const struct rstr *first, const struct rstr *args,
			bool blank, struct value *v)
{
	struct buf *b = env_text(env, 0);

	buf_put(b, first->s, first->len);
	if (args->len || blank) {
		buf_putc(b, ' ');
		put_strings(b, args);
	}
	set_buf(v, env, b);
}

static void set_strings(struct field_env *env, const struct rstr *s, struct value *v)
{
	struct buf *b = env_text(env, 0);

	put_strings(b, s);
	set_buf(v, env, b);
}

/* Environment and current directory are kept with the main thread. */
static const struct thread_ver *main_ver(struct field_env *env, struct thread *t,
					 const struct thread_ver *tv)
{
	struct thread *m = state_main_at(env->c->b->root, t, tv, env->c->ord);

	return m ? thread_ver_at(m, env->c->ord) : NULL;
}

void proc_attr(struct field_env *env, struct thread *t, const struct thread_ver *tv, unsigned attr,
	       struct value *v)
{
	const struct thread_ver *m;

	switch (attr) {
	case P_NAME:
		set_rstr(v, tv->comm);
		break;
	case P_EXE:
		set_rstr(v, tv->exe);
		break;
	case P_EXEPATH:
		set_rstr(v, tv->exepath);
		break;
	case P_CMDLINE:
		put_cmdline(env, tv->comm, tv->args, false, v);
		break;
	case P_EXELINE:
		put_cmdline(env, tv->exe, tv->args, true, v);
		break;
	case P_ARGS:
		set_strings(env, tv->args, v);
		break;
	default:
		m = main_ver(env, t, tv);
		if (m)
			set_strings(env, m->env, v);
		break;
	}
}

static struct thread *subject(const struct field_ref *r, struct field_env *env,
			      const struct thread_ver **tv)
{
	unsigned who = r->info->sel & P_SUBJECT;

	switch (who) {
	case P_SELF:
		return event_thread(env, tv);
	case P_PARENT:
		return parent_of(env, tv);
	case P_ANCESTOR:
		return nth_ancestor(env, r->arg_kind == FA_INDEX ? r->arg_index : 0, tv);
	default:
		return group_leader(env, who, tv);
	}
}

void get_proc_text(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t;

	t = subject(r, env, &tv);
	if (t)
		proc_attr(env, t, tv, r->info->sel & P_ATTR, v);
}

/* n-th string of a list with NULs; negative never. */
static bool nth_string(const struct rstr *s, int64_t n, const char **p, size_t *len)
{
	const char *at = s->s, *end = s->s + s->len;

	for (; at < end; at += *len + 1) {
		*len = strnlen(at, (size_t)(end - at));
		if (n-- == 0) {
			*p = at;
			return true;
		}
	}
	return false;
}

void get_proc_args(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	const char *s;
	size_t n;

	if (!event_thread(env, &tv))
		return;
	if (r->arg_kind != FA_INDEX)
		set_strings(env, tv->args, v);
	else if (nth_string(tv->args, r->arg_index, &s, &n))
		set_text(v, s, n);
}

/* Value of NAME in "NAME=value" strings. */
static bool env_lookup(const struct rstr *e, const char *name, size_t name_len, struct value *v)
{
	const char *s;
	size_t n;

	for (int64_t i = 0; nth_string(e, i, &s, &n); i++) {
		if (n > name_len && s[name_len] == '=' && !memcmp(s, name, name_len)) {
			set_text(v, s + name_len + 1, n - name_len - 1);
			return true;
		}
	}
	return false;
}

void get_proc_env(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	const char *s;
	size_t n;

	if (!event_main(env, &tv))
		return;
	if (r->arg_kind == FA_NONE)
		set_strings(env, tv->env, v);
	else if (r->arg_kind == FA_TEXT)
		env_lookup(tv->env, r->arg_text, r->arg_len, v);
	else if (nth_string(tv->env, r->arg_index, &s, &n))
		set_text(v, s, n);
}

void get_proc_aenv(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t = nth_ancestor(env, r->arg_kind == FA_INDEX ? r->arg_index : 1, &tv);

	if (r->arg_kind != FA_TEXT) {
		if (t)
			proc_attr(env, t, tv, P_ENV, v);
		return;
	}
	for (unsigned i = 0; t && i < MAX_ANCESTORS; t = step_up(env, &tv), i++) {
		const struct thread_ver *m = main_ver(env, t, tv);

		if (m && env_lookup(m->env, r->arg_text, r->arg_len, v))
			return;
	}
}

void get_proc_cmdnargs(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	const char *s;
	uint64_t n = 0;
	size_t len;

	if (!event_thread(env, &tv))
		return;
	while (nth_string(tv->args, (int64_t)n, &s, &len))
		n++;
	set_u(v, n);
}

void get_proc_cmdlenargs(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	uint64_t sum = 0;

	if (!event_thread(env, &tv))
		return;
	for (uint32_t i = 0; i < tv->args->len; i++)
		sum += tv->args->s[i] != 0;
	set_u(v, sum);
}

void get_proc_cwd(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (event_main(env, &tv))
		set_rstr(v, tv->cwd);
}

void get_proc_sname(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (group_leader(env, P_SID, &tv))
		set_rstr(v, tv->comm);
}

/* ---- ancestors as a list ---- */

void list_ancestors(const struct field_ref *r, struct field_env *env, struct value_list *l)
{
	bool pid = r->type == PT_INT64;
	const struct thread_ver *tv;
	struct thread *t;
	struct value *v;
	unsigned cap;

	if (r->arg_kind != FA_NONE) {
		v = arena_alloc(env->scratch, sizeof(*v));
		if (!v)
			return;
		field_get(r, env, v);
		l->v = v;
		l->n = v->has;
		return;
	}
	for (cap = 0, t = nth_ancestor(env, 1, &tv); t && cap < MAX_ANCESTORS;
	     t = step_up(env, &tv))
		cap++;
	v = cap ? arena_alloc(env->scratch, cap * sizeof(*v)) : NULL;
	if (!v)
		return;
	l->v = v;
	for (t = nth_ancestor(env, 1, &tv); t && l->n < cap; t = step_up(env, &tv), v++, l->n++) {
		*v = (struct value){.type = r->type};
		if (pid)
			set_i(v, tv->pid);
		else
			proc_attr(env, t, tv, r->info->sel & P_ATTR, v);
	}
}

/* ---- ids ---- */

static void set_id(struct value *v, const struct thread_ver *tv, unsigned which)
{
	switch (which) {
	case PI_PID:
		set_i(v, tv->pid);
		break;
	case PI_SID:
		set_i(v, tv->sid);
		break;
	case PI_VPGID:
		set_i(v, tv->vpgid);
		break;
	case PI_PGID:
		set_i(v, tv->pgid);
		break;
	case PI_VPID:
		set_i(v, tv->vpid);
		break;
	default:
		set_i(v, tv->vtid);
		break;
	}
	if ((which == PI_VPID || which == PI_VTID) && v->i == -1)
		v->has = false;
}

void get_proc_id(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (r->info->sel == PI_PPID) {
		/* A parent outside of the namespace: the newest readers have no value for it. */
		if (event_main(env, &tv) && (tv->ptid != 0 || !is_newest_writer(env)))
			set_i(v, tv->ptid);
	} else if (event_thread(env, &tv)) {
		set_id(v, tv, r->info->sel);
	}
}

void get_proc_apid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (nth_ancestor(env, r->arg_kind == FA_INDEX ? r->arg_index : 0, &tv))
		set_i(v, tv->pid);
}

void get_proc_pvpid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (nth_ancestor(env, 1, &tv))
		set_i(v, tv->vpid);
}

void get_proc_is_leader(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (!event_thread(env, &tv))
		return;
	switch (r->info->sel) {
	case PI_SID:
		set_bool(v, tv->sid == tv->vpid);
		break;
	case PI_VPGID:
		set_bool(v, tv->vpgid == tv->vpid);
		break;
	default:
		set_bool(v, tv->pgid == tv->pid);
		break;
	}
}

static bool ends_in_sh(const struct rstr *s)
{
	return s->len >= 2 && !memcmp(s->s + s->len - 2, "sh", 2);
}

void get_proc_loginshellid(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;
	struct thread *t = event_main(env, &tv);

	for (unsigned i = 0; t && i < MAX_ANCESTORS; t = step_up(env, &tv), i++)
		if (ends_in_sh(tv->comm))
			set_i(v, tv->pid);
}

void get_proc_tty(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct thread_ver *tv;

	if (event_thread(env, &tv))
		set_u(v, tv->tty);
}
