#include "field/render.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"
#include "field/render_int.h"

/* ---- the event table, prepared for printing
 * ------------------------------------------------------
 *
 * One row per parameter: its label as it is copied, and an operation for the kinds that fill most
 * lines. Built once from event_table, then IMMUTABLE. */

enum render_op {
	OP_TYPED, /* by type, see put_typed */
	OP_I64,
	OP_I32,
	OP_I16,
	OP_U16,
	OP_I8,
	OP_U8, /* decimal; unsigned 32 and 64 bits print as signed */
	OP_X64,
	OP_X32,
	OP_ERRNO,
	OP_FD,
	OP_BYTES,
	OP_FLAGS32,
};

static struct print_param *print_params;
static uint16_t print_first[EV_CODE_COUNT + 1]; /* index in print_params of each event's first */
static pthread_once_t print_once = PTHREAD_ONCE_INIT;

static unsigned op_of(unsigned type, unsigned fmt)
{
	bool dec = fmt != PF_HEX && fmt != PF_OCT && fmt != PF_PADDEC;

	switch (type) {
	case PT_INT64:
	case PT_UINT64:
		return dec ? OP_I64 : fmt == PF_HEX ? OP_X64 : OP_TYPED;
	case PT_INT32:
	case PT_UINT32:
		return dec ? OP_I32 : fmt == PF_HEX ? OP_X32 : OP_TYPED;
	case PT_INT16:
		return dec ? OP_I16 : OP_TYPED;
	case PT_UINT16:
	case PT_PORT:
		return dec ? OP_U16 : OP_TYPED;
	case PT_INT8:
		return dec ? OP_I8 : OP_TYPED;
	case PT_UINT8:
	case PT_L4PROTO:
	case PT_SOCKFAMILY:
		return dec ? OP_U8 : OP_TYPED;
	case PT_ERRNO:
		return OP_ERRNO;
	case PT_FD:
		return OP_FD;
	case PT_BYTEBUF:
		return OP_BYTES;
	case PT_FLAGS32:
		return OP_FLAGS32;
	default:
		return OP_TYPED;
	}
}

static void fill_param(struct print_param *p, const struct event_info *info, unsigned i)
{
	const struct param_info *pi = &info->params[i];

	memset(p, 0, sizeof(*p));
	p->label_len = (uint8_t)snprintf(p->label, LABEL_MAX, "%s=", pi->name);
	ASSERT(strlen(pi->name) + 1 < LABEL_MAX);
	p->op = (uint8_t)op_of(pi->type, pi->fmt);
	p->type = pi->type;
	p->fmt = pi->fmt;
	p->index = (uint8_t)i;
	p->dirfd_029 = pi->dirfd;
	p->dirfd = i < info->nparams ? info->params_new[i].dirfd : pi->dirfd;
	p->newest = i >= info->nparams_029;
	p->flags = pi->flags;
	p->dyn = pi->dyn;
}

static unsigned params_of(const struct event_info *info)
{
	return MAX(info->nparams, info->nparams_029);
}

static void print_table_build(void)
{
	unsigned n = 0, k = 0;

	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		n += params_of(&event_table[t]);
	print_params = calloc(n, sizeof(*print_params));
	for (unsigned t = 0; t < EV_CODE_COUNT; t++) {
		print_first[t] = (uint16_t)k;
		for (unsigned i = 0; print_params && i < params_of(&event_table[t]); i++)
			fill_param(&print_params[k++], &event_table[t], i);
	}
	print_first[EV_CODE_COUNT] = (uint16_t)k;
}

/* Parameters of an event type; *n = how many. None when memory was out. */
static const struct print_param *print_table(unsigned type, unsigned *n)
{
	static _Thread_local bool built;

	if (UNLIKELY(!built)) {
		pthread_once(&print_once, print_table_build);
		built = true;
	}
	*n = (unsigned)(print_first[type + 1] - print_first[type]);
	return print_params + print_first[type];
}

bool render_param(struct field_env *env, unsigned i, struct buf *raw, struct buf *resolved)
{
	struct put x = {raw, env, env->c, env->ro->compat029};
	unsigned n;
	const struct print_param *pp = print_table(env->c->ev.type, &n);
	const uint8_t *v;
	uint32_t len;

	if (x.compat)
		n = MIN(n, event_info(&env->c->ev)->nparams_029);
	if (i >= n || !event_param(&env->c->ev, i, &v, &len))
		return false;
	size_t end = put_typed(&x, &pp[i], v, len);

	if (raw->len > end + 1 && !buf_failed(raw)) {
		buf_put(resolved, raw->p + end + 1, raw->len - end - 2);
		raw->len = end;
	}
	return true;
}

/* ---- all parameters of an event
 * ------------------------------------------------------------------- */

/* Fixed-size kinds that fill most lines, written where p stands; NULL: not one of these (or not of
 * its size), p untouched. */
static ALWAYS_INLINE char *put_quick(char *p, unsigned op, const uint8_t *v, uint32_t len)
{
	switch (op) {
	case OP_ERRNO:
		if (len != 8 || load_i64(v) < 0)
			return NULL;
		return num_u64(p, load_u64(v));
	case OP_I64:
		return len == 8 ? num_i64(p, load_i64(v)) : NULL;
	case OP_I32:
		return len == 4 ? num_i64(p, (int32_t)load_u32(v)) : NULL;
	case OP_I16:
		return len == 2 ? num_i64(p, (int16_t)load_u16(v)) : NULL;
	case OP_U16:
		return len == 2 ? num_u64(p, load_u16(v)) : NULL;
	case OP_I8:
		return len == 1 ? num_i64(p, (int8_t)*v) : NULL;
	case OP_U8:
		return len == 1 ? num_u64(p, *v) : NULL;
	case OP_X64:
		return len == 8 ? num_hex(p, load_u64(v), NUM_UPPER) : NULL;
	case OP_X32:
		return len == 4 ? num_hex(p, load_u32(v), NUM_UPPER) : NULL;
	default:
		return NULL;
	}
}

static ALWAYS_INLINE void put_slow(const struct put *x, const struct print_param *pp,
				   const uint8_t *v, uint32_t len)
{
	if (pp->op == OP_FD && len == 8)
		put_fd(x, load_i64(v));
	else if (pp->op == OP_BYTES && len)
		render_buffer(x->b, v, len, x->env->ro);
	else if (pp->op == OP_FLAGS32 && len == 4)
		put_names(x, pp, load_u32(v));
	else
		put_typed(x, pp, v, len);
}

/* Room one parameter of a quick kind takes; the label is copied whole. */
enum { QUICK_ROOM = LABEL_MAX + NUM_DEC_MAX + 4 };

void render_args(struct buf *out, struct field_env *env)
{
	struct evctx *c = env->c;
	const struct event *e = &c->ev;
	const struct put x = {out, env, c, env->ro->compat029};
	unsigned n;
	const struct print_param *pp = print_table(e->type, &n);
	const uint8_t *v = e->data;

	/* Generic events have parameters (the call's number), but never show them. */
	if (e->type <= EV_GENERIC_X)
		return;
	if (x.compat)
		n = event_table[e->type].nparams_029;
	n = MIN(n, e->nparams);
	if (!buf_room(out, QUICK_ROOM * (size_t)n))
		return;
	/* p stands where out ends, with room for all that is left if it were quick. */
	char *p = out->p + out->len;

	for (unsigned i = 0; i < n; i++, pp++) {
		uint32_t len = event_param_len_(e, i);

		memcpy(p, pp->label, LABEL_MAX);
		p += pp->label_len;
		char *q = put_quick(p, pp->op, v, len);
		if (LIKELY(q)) {
			p = q;
		} else {
			out->len = (size_t)(p - out->p);
			put_slow(&x, pp, v, len);
			if (!buf_room(out, QUICK_ROOM * (size_t)(n - i)))
				return;
			p = out->p + out->len;
		}
		*p++ = ' ';
		v += len;
	}
	out->len = (size_t)(p - out->p);
}

/* ---- evt.info
 * ------------------------------------------------------------------------------------------ */

/* A line for syslog: any character, digits, '>'. Appends "syslog sev=S msg=REST"; false = it is
 * not. */
static bool put_syslog(struct buf *out, const uint8_t *p, uint32_t len)
{
	static const char *const severity[8] = {
		"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug",
	};
	uint32_t i = 1, pri = 0;

	while (i < len && p[i] >= '0' && p[i] <= '9')
		pri = pri * 10 + (p[i++] - '0');
	if (i == 1 || i >= len || p[i] != '>')
		return false;
	i++;
	buf_lit(out, "syslog sev=");
	buf_puts(out, severity[pri & 7]);
	buf_lit(out, " msg=");
	buf_put(out, p + i, strnlen((const char *)p + i, len - i));
	return true;
}

/* Whether the descriptor the event wrote to is called /dev/log. */
static bool writes_to_syslog(struct evctx *c)
{
	const struct fd_ver *f = evctx_fd(c);
	uint32_t name_len;
	int64_t res;

	if (!f || f->kind == FDK_IPV4 || f->kind == FDK_IPV6 || !evctx_rawres(c, &res) || res < 0)
		return false;
	const char *name = fd_ver_name(f, true, &name_len);

	return memmem(name, name_len, "/dev/log", 8) != NULL;
}

/* Data of an event that may be a syslog line. The look at its first bytes saves the search for the
 * descriptor on nearly all writes. */
static bool syslog_data(struct evctx *c, const uint8_t **p, uint32_t *len)
{
	const struct event_info *info = event_info(&c->ev);

	if (!info->is_exit || !(info->flags_029 & EF_WRITES_TO_FD))
		return false;
	for (unsigned i = 0; i < info->nparams_029; i++) {
		if (info->params[i].type == PT_BYTEBUF)
			return event_param(&c->ev, i, p, len) && *len >= 3 && (*p)[1] >= '0' &&
			       (*p)[1] <= '9';
	}
	return false;
}

void render_info(struct buf *out, struct field_env *env)
{
	const uint8_t *p;
	uint32_t len;

	if (env->ro->compat029 && syslog_data(env->c, &p, &len) && writes_to_syslog(env->c) &&
	    put_syslog(out, p, len))
		return;
	render_args(out, env);
}
