/* Private to engine/field: families of getters, and what they share. Any worker, on its own env.
 * A getter finds *v with has = false, type = r->type, len = 0, u = 0 and sets what it knows. */
#ifndef BURIN_FIELD_FIELD_INT_H
#define BURIN_FIELD_FIELD_INT_H

#include "field/field.h"

enum field_class_id {
	EVT_ANY,
	EVT_SYS,
	PROC,
	USER,
	GROUP,
	CONTAINER,
	FD,
	FSPATH,
	SYSLOG,
	FDLIST,
	K8S,
	MESOS,
	SPAN,
	EVTIN,
	UTIL,
	FIELD_CLASS_COUNT,
};

/* ---- selectors of the families (fields.def) ---- */

enum { T_ALL, T_SEC, T_NS };		       /* a time: all of it in ns, its seconds, the rest */
enum { TT_TIME, TT_ISO, TT_DATE_NS, TT_DATE }; /* evt.time.s and the like */
enum { IO_READ = 1, IO_WRITE = 2, IO_ANY = 3 };
enum { CE_ANY, CE_FILE, CE_NET, CE_MEMORY, CE_OTHER };
enum { BL_ANY = 0, BL_IN = 1, BL_OUT = 2, BL_FILE = 4, BL_NET = 8 };
enum { OP_READ, OP_WRITE, OP_EXEC, OP_CREATE };
enum { INFRA_NAME, INFRA_ID, INFRA_CNAME, INFRA_IMAGE };
enum { END_CLIENT, END_SERVER, END_LOCAL, END_REMOTE, END_ANY };
enum { DEV_ALL, DEV_MAJOR, DEV_MINOR };
enum { FDL_NUM, FDL_NAME, FDL_CIP, FDL_SIP, FDL_CPORT, FDL_SPORT };
enum { FP_NAME = 0, FP_SOURCE = 1, FP_TARGET = 2, FP_WHICH = 3, FP_RAW = 4 };
/* proc_text: whose text (high byte) and which (low byte) */
enum {
	P_SELF = 0x000,
	P_PARENT = 0x100,
	P_ANCESTOR = 0x200,
	P_SID = 0x300,
	P_VPGID = 0x400,
	P_PGID = 0x500,
	P_SUBJECT = 0xf00,
	P_NAME = 0,
	P_EXE,
	P_EXEPATH,
	P_CMDLINE,
	P_EXELINE,
	P_ARGS,
	P_ENV,
	P_ATTR = 0xff,
};
enum { PI_PID, PI_PPID, PI_VPID, PI_SID, PI_VPGID, PI_PGID, PI_VTID };
enum { XF_WRITABLE, XF_UPPER, XF_LOWER, XF_MEMFD };
enum { XI_INO, XI_CTIME, XI_MTIME, XI_CTIME_PROC, XI_CTIME_PIDNS, XI_PIDNS };
enum { CAP_PERMITTED, CAP_INHERITABLE, CAP_EFFECTIVE };
enum { VM_SIZE, VM_RSS, VM_SWAP, VM_WHICH = 3, VM_BYTES = 4 };
enum { CPU_ALL, CPU_USER, CPU_SYSTEM };
enum { STD_FD = 3, STD_NAME = 4 };
enum { PB_HEALTH, PB_LIVE, PB_READY };
enum { U_NAME, U_HOME, U_SHELL, U_LOGINNAME };
enum { SL_FACILITY = 0, SL_SEVERITY = 1, SL_MESSAGE = 2, SL_WHICH = 3, SL_TEXT = 4 };
enum { MT_ALL, MT_SOURCE, MT_DEST, MT_MODE, MT_RDWR, MT_PROPAGATION };
enum {
	CN_ID,
	CN_NAME,
	CN_IMAGE,
	CN_IMAGEID,
	CN_REPO,
	CN_TAG,
	CN_DIGEST,
	CN_FULL_ID,
	CN_IP,
	CN_CNI,
	CN_TYPE,
};
enum { NS_PID, NS_NETWORK, NS_IPC };
enum {
	K_POD = 0x000,
	K_RC = 0x100,
	K_SVC = 0x200,
	K_NS = 0x300,
	K_RS = 0x400,
	K_DEPLOYMENT = 0x500,
	K_OBJECT = 0xf00,
	K_NAME = 0,
	K_ID,
	K_LABEL,
	K_LABELS,
	K_IP,
	K_CNI,
	K_UID,
	K_SANDBOX,
	K_FULL_SANDBOX,
	K_ATTR = 0xff,
};
enum { MS_TASK_ID, MS_OTHER };
enum {
	SP_ID,
	SP_TIME,
	SP_NTAGS,
	SP_NARGS,
	SP_TAGS,
	SP_TAG,
	SP_ARGS,
	SP_ARG,
	SP_ENTERARGS,
	SP_ENTERARG,
	SP_DURATION,
	SP_QUANTIZED,
	SP_HUMAN,
	SP_DURATION_FORTAG,
	SP_COUNT,
	SP_COUNT_FORTAG,
	SP_CHILDCOUNT_FORTAG,
	SP_IDTAG,
	SP_RAWTIME,
	SP_RAWPARENTTIME,
	SP_WHICH = 0xff,
	SCOPE_THREAD = 0x000,
	SCOPE_PROCESS = 0x100,
	SCOPE_SIBLINGS = 0x200,
	SCOPE_MACHINE = 0x300,
	SCOPE_WHICH = 0xf00,
};

/* ---- getters: one prototype per row (repeated ones are the same) ---- */

#define F(name, cls, type, fmt, arg, since, flags, demand, getter, sel, lister, help) \
	field_get_fn get_##getter;                                                    \
	field_list_fn list_##lister;
#include "field/fields.def"
#undef F

/* ---- names ---- */

/* Letters 1, digits 2, others 0; ASCII whatever the locale. */
static inline int isalnum_c(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? 1 : c >= '0' && c <= '9' ? 2 : 0;
}
/* Longest field name that text begins with; NULL = none. */
const struct field_info *field_find_prefix(const char *text, size_t len);

/* ---- setting values ---- */

static inline void set_u(struct value *v, uint64_t u)
{
	v->has = true;
	v->u = u;
}
static inline void set_i(struct value *v, int64_t i)
{
	v->has = true;
	v->i = i;
}
static inline void set_bool(struct value *v, bool b)
{
	v->has = true;
	v->u = b;
}
static inline void set_double(struct value *v, double d)
{
	v->has = true;
	v->d = d;
}
static inline void set_text(struct value *v, const char *s, size_t len)
{
	v->has = s != NULL;
	v->s = s;
	v->len = (uint32_t)len;
}
static inline void set_str(struct value *v, const char *s)
{
	set_text(v, s, s ? strlen(s) : 0);
}
/* Copies b into the scratch arena. */
void set_buf(struct value *v, struct field_env *env, const struct buf *b);
/* One member of a time in ns. */
void set_time_part(struct value *v, uint64_t ns, unsigned part);

/* ---- shared by several files ---- */

static inline bool is_029(const struct field_env *env)
{
	return env->ro->compat029;
}
/* Flags of the event's type in the mode of the run. Some exits have to do with a descriptor only in
 * the newest table, which is meant where they carry it. */
static inline uint32_t event_flags_of(const struct field_env *env)
{
	const struct event_info *i = event_info(&env->c->ev);
	bool newest = !i->known_029 || (i->fd_param >= 0 && env->c->ev.nparams > i->fd_param);

	return !is_029(env) && newest ? i->flags : i->flags_029;
}
/* Return value of an exit; false = none. For the newest writers that of getuid and its like is one.
 */
bool event_result(struct field_env *env, int64_t *res);
static inline bool is_exit(const struct field_env *env)
{
	return env->c->ev.type & 1;
}
/* An emptied text buffer of env (which = 0 or 1). */
static inline struct buf *env_text(struct field_env *env, unsigned which)
{
	buf_reset(&env->text[which]);
	return &env->text[which];
}
/* Thread and main thread of the event: as evctx_thread and evctx_main, but a container event has
 * one made up for it, as in sysdig: a process without parent named container:ID, inside that
 * container. tv may be NULL in the first. NULL: none. */
struct thread *event_thread(struct field_env *env, const struct thread_ver **tv);
struct thread *event_main(struct field_env *env, const struct thread_ver **tv);
static inline const struct thread_ver *event_ver(struct field_env *env)
{
	const struct thread_ver *tv;

	return event_thread(env, &tv) ? tv : NULL;
}
/* Whether the event is to be shown as the newest reader shows it where readers changed their ways.
 */
static inline bool is_newest_writer(const struct field_env *env)
{
	return !is_029(env) && state_newest_writer(env->c->b->root);
}
/* Index of the named parameter in the event's table, -1 if it has none. Carried or not. */
int event_param_index(const struct field_env *env, const char *name, size_t len);
/* What an I/O event works on, for evt.category and the counts. */
bool fd_is_file(const struct fd_ver *f);
bool fd_is_inet(const struct fd_ver *f);
/* Whether the event creates, uses or closes a descriptor, by the table that holds for it. */
bool event_works_on_fd(struct field_env *env);
/* The descriptor of such an event; NULL: unknown, or no such event. */
const struct fd_ver *event_fd(struct field_env *env);
/* fd.name of the event: text and whether there is one. */
void fd_event_name(struct field_env *env, struct value *v);
/* Address of one end of a descriptor: length 4 or 16, 0 = none. */
uint32_t fd_end_addr(struct field_env *env, const struct fd_ver *f, unsigned end,
		     const uint8_t **addr);
bool fd_end_port(struct field_env *env, const struct fd_ver *f, unsigned end, uint16_t *port);
/* Attribute P_* of one thread version as text. */
void proc_attr(struct field_env *env, struct thread *t, const struct thread_ver *tv, unsigned attr,
	       struct value *v);
/* "1.05s", "12us" ... of ns. */
void text_duration_human(struct buf *out, uint64_t ns);
/* Step of the logarithmic scale of spectrogram fields, for a terminal of that many columns. */
uint64_t duration_quantized(uint64_t ns, unsigned columns);
/* Address in its usual form, NUL-terminated; out holds 46 bytes or more. */
uint32_t addr_text(char *out, const uint8_t *addr, uint32_t len);

#endif
