#include "field/field.h"

#include <pthread.h>

#include "field/field_int.h"

/* ---- the table ---- */

#define FLAGS_OF_029 (FF_FILTER_ONLY | FF_PRINT_ONLY | FF_ARG_REQUIRED | FF_TABLE_ONLY | FF_HIDDEN)
#define SINCE_BOTH .known_029 = true, .known_new = true
#define SINCE_WAS(t) .known_029 = true, .known_new = true, .type_029 = PT_##t
#define SINCE_OLD .known_029 = true
#define SINCE_NEW .known_new = true
#define SINCE_NEW_GONE .known_new = false
#define list_scalar NULL

/* Written by fields_init only, then IMMUTABLE. */
static struct field_info fields[] = {
#define F(name_, cls_, type_, fmt_, arg_, since, flags_, demand_, getter, sel_, lister, help_) \
	{.name = name_,                                                                        \
	 .cls = cls_,                                                                          \
	 .type = PT_##type_,                                                                   \
	 .fmt = PF_##fmt_,                                                                     \
	 .arg = FAF_##arg_,                                                                    \
	 SINCE_##since,                                                                        \
	 .flags = flags_,                                                                      \
	 .demand = demand_,                                                                    \
	 .get = get_##getter,                                                                  \
	 .sel = sel_,                                                                          \
	 .list = list_##lister,                                                                \
	 .help = help_},
#include "field/fields.def"
#undef F
};

static const struct field_class classes[FIELD_CLASS_COUNT] = {
	[EVT_ANY] = {"evt", "all events", "What every event has.", false},
	[EVT_SYS] =
		{"evt", "system calls",
		 "System calls and the other events of the kernel. The parameters of an event are "
		 "reached by their names, as in evt.arg.name.",
		 false},
	[PROC] = {"process", NULL, "The process and the thread that an event belongs to.", false},
	[USER] = {"user", NULL, "The user that the thread acts for.", false},
	[GROUP] = {"group", NULL, "The group that the thread acts for.", false},
	[CONTAINER] =
		{"container", NULL,
		 "The container that the thread runs in; id and name are host outside of one.",
		 false},
	[FD] = {"fd", NULL, "The descriptor that the event works on.", false},
	[FSPATH] = {"fs.path", NULL, "The paths that calls on the file system work on.", false},
	[SYSLOG] = {"syslog", NULL, "Messages written to the system log.", false},
	[FDLIST] = {"fdlist", NULL, "The descriptors that a poll looks at.", false},
	[K8S] = {"k8s", NULL,
		 "Kubernetes: what the containers in the trace tell about their pods. A trace "
		 "holds nothing "
		 "about the other objects.",
		 false},
	[MESOS] = {"mesos", NULL, "Mesos: the task id that containers in the trace carry.", false},
	[SPAN] = {"span", NULL, "User tracers: the span that an event begins or ends.", false},
	[EVTIN] = {"evtin", NULL, "User tracers: the spans that are open around an event.", false},
	[UTIL] = {"util", NULL, "Helpers.", true},
};

/* Open-addressed hash over the names: index + 1, 0 = free. At most half full. */
enum { HASH_SIZE = 1024 };
_Static_assert(ARRAY_SIZE(fields) * 2 <= HASH_SIZE, "the field hash is too small");
static uint16_t hash[HASH_SIZE];
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define HASH_START 2166136261u
static inline uint32_t hash_step(uint32_t h, char c)
{
	return (h ^ (uint8_t)c) * 16777619u;
}
static inline uint32_t hash_slot(uint32_t h)
{
	return (h ^ h >> 15) % HASH_SIZE;
}

static void fields_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		struct field_info *f = &fields[i];
		uint32_t h = HASH_START, s;

		f->id = (uint16_t)i;
		f->class_ = classes[f->cls].name;
		if (!f->known_029)
			f->type_029 = PT_NONE;
		else if (f->type_029 == PT_NONE)
			f->type_029 = f->type;
		f->flags_029 = f->known_029 ? f->flags & FLAGS_OF_029 : 0;
		for (const char *p = f->name; *p; p++)
			h = hash_step(h, *p);
		for (s = hash_slot(h); hash[s]; s = (s + 1) % HASH_SIZE)
			;
		hash[s] = (uint16_t)(i + 1);
	}
}

static const struct field_info *hash_get(uint32_t h, const char *name, size_t len)
{
	for (uint32_t s = hash_slot(h); hash[s]; s = (s + 1) % HASH_SIZE) {
		const struct field_info *f = &fields[hash[s] - 1];

		if (!strncmp(f->name, name, len) && !f->name[len])
			return f;
	}
	return NULL;
}

const struct field_info *field_table(unsigned *n)
{
	pthread_once(&once, fields_init);
	*n = ARRAY_SIZE(fields);
	return fields;
}

const struct field_class *field_classes(unsigned *n)
{
	*n = FIELD_CLASS_COUNT;
	return classes;
}

const struct field_info *field_find(const char *name, size_t len)
{
	uint32_t h = HASH_START;

	pthread_once(&once, fields_init);
	for (size_t i = 0; i < len; i++)
		h = hash_step(h, name[i]);
	return hash_get(h, name, len);
}

const struct field_info *field_find_prefix(const char *text, size_t len)
{
	const struct field_info *best = NULL;
	uint32_t h = HASH_START;

	pthread_once(&once, fields_init);
	for (size_t i = 0; i < len && (isalnum_c(text[i]) || text[i] == '.' || text[i] == '_');
	     i++) {
		const struct field_info *f;

		h = hash_step(h, text[i]);
		f = hash_get(h, text, i + 1);
		if (f)
			best = f;
	}
	return best;
}

/* ---- extraction ---- */

void field_get(const struct field_ref *r, struct field_env *env, struct value *v)
{
	v->type = r->type;
	v->has = false;
	v->len = 0;
	v->u = 0;
	r->info->get(r, env, v);
}

void field_get_list(const struct field_ref *r, struct field_env *env, struct value_list *l)
{
	struct value *v;

	l->v = NULL;
	l->n = 0;
	if (r->info->list) {
		r->info->list(r, env, l);
		return;
	}
	v = arena_alloc(env->scratch, sizeof(*v));
	if (!v)
		return;
	field_get(r, env, v);
	l->v = v;
	l->n = v->has;
}

void field_env_fini(struct field_env *env)
{
	for (unsigned i = 0; i < ARRAY_SIZE(env->text); i++)
		buf_fini(&env->text[i]);
}

/* ---- shared helpers ---- */

void set_buf(struct value *v, struct field_env *env, const struct buf *b)
{
	const char *s = b->len ? arena_dup(env->scratch, b->p, b->len) : "";

	set_text(v, s, b->len);
}

void set_time_part(struct value *v, uint64_t ns, unsigned part)
{
	const uint64_t second = 1000000000;

	set_u(v, part == T_SEC ? ns / second : part == T_NS ? ns % second : ns);
}

int event_param_index(const struct field_env *env, const char *name, size_t len)
{
	const struct event_info *info = event_info(&env->c->ev);
	unsigned n = MAX(info->nparams, info->nparams_029);

	for (unsigned i = 0; i < n; i++)
		if (*info->params[i].name == *name && !strncmp(info->params[i].name, name, len) &&
		    !info->params[i].name[len])
			return (int)i;
	return -1;
}

void get_never(const struct field_ref *r, struct field_env *env, struct value *v) {}
