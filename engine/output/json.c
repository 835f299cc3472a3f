/* Events as JSON objects, one per line: spec cli.md section 4.3. */
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "field/render.h"
#include "output/format_int.h"

/* ---- texts
 * --------------------------------------------------------------------------------------- */

enum { REPLACEMENT = 0xfffd };

/* Code point at s and how many bytes it took, as the library behind sysdig decodes: a stray byte
 * from 0x80 to 0xbf counts as the start of two bytes, continuation bytes are not checked, values
 * past 0x10ffff pass. */
static uint32_t decode_029(const uint8_t *s, size_t n, unsigned *used)
{
	uint32_t c = s[0];

	*used = 1;
	if (c < 0xe0) {
		if (n < 2)
			return REPLACEMENT;
		*used = 2;
		c = (c & 0x1f) << 6 | (s[1] & 0x3f);
		return c < 0x80 ? REPLACEMENT : c;
	}
	if (c < 0xf0) {
		if (n < 3)
			return REPLACEMENT;
		*used = 3;
		c = (c & 0xf) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3f);
		return c < 0x800 || (c >= 0xd800 && c <= 0xdfff) ? REPLACEMENT : c;
	}
	if (c >= 0xf8 || n < 4)
		return REPLACEMENT;
	*used = 4;
	c = (c & 7) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3f);
	return c < 0x10000 ? REPLACEMENT : c;
}

/* The same by the book: a byte that does not belong to a character takes nothing with it. */
static uint32_t decode_strict(const uint8_t *s, size_t n, unsigned *used)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned len = s[0] >= 0xf0 && s[0] < 0xf8   ? 4
		       : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		       : s[0] >= 0xc0 && s[0] < 0xe0 ? 2
						     : 0;

	*used = 1;
	if (!len || len > n)
		return REPLACEMENT;
	uint32_t c = s[0] & (0xffu >> (len + 1));

	for (unsigned i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return REPLACEMENT;
	*used = len;
	return c;
}

static char *put_u(char *p, uint32_t unit)
{
	*p++ = '\\';
	*p++ = 'u';
	for (int s = 12; s >= 0; s -= 4)
		*p++ = NUM_LOWER[unit >> s & 15];
	return p;
}

static char *put_codepoint(char *p, uint32_t c)
{
	if (c < 0x10000)
		return put_u(p, c);
	c -= 0x10000;
	p = put_u(p, 0xd800 + (c >> 10 & 0x3ff));
	return put_u(p, 0xdc00 + (c & 0x3ff));
}

/* An ASCII byte; at most 6 bytes. */
static char *put_ascii(char *p, uint8_t c)
{
	static const char shorts[32] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};

	if (c >= 0x20) {
		if (c == '"' || c == '\\')
			*p++ = '\\';
		*p++ = (char)c;
		return p;
	}
	if (!shorts[c])
		return put_u(p, c);
	*p++ = '\\';
	*p++ = shorts[c];
	return p;
}

static ALWAYS_INLINE bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static char *escape(char *p, const uint8_t *s, size_t n, bool compat029)
{
	for (size_t i = 0; i < n;) {
		unsigned used = 1;

		if (s[i] < 0x80)
			p = put_ascii(p, s[i]);
		else
			p = put_codepoint(p, compat029 ? decode_029(s + i, n - i, &used)
						       : decode_strict(s + i, n - i, &used));
		i += used;
	}
	return p;
}

/* Escapes what lies in out from start on, in place. Grown texts are made behind it and moved down.
 */
static void escape_tail(struct buf *out, size_t start, bool compat029)
{
	size_t n = out->len - start, i = 0;

	while (i < n && is_plain((uint8_t)out->p[start + i]))
		i++;
	start += i;
	n -= i;
	/* Two bytes become two units of six at most (0xf5 and the like: four bytes, twelve). */
	if (!n || !buf_room(out, 6 * n))
		return;
	char *from = out->p + out->len;
	char *end = escape(from, (const uint8_t *)out->p + start, n, compat029);

	memmove(out->p + start, from, (size_t)(end - from));
	out->len = start + (size_t)(end - from);
}

/* ---- values
 * ---------------------------------------------------------------------------------------- */

/* 17 significant digits, always recognisable as a fraction. */
static void put_double(struct buf *out, double d)
{
	char tmp[40];
	int n = snprintf(tmp, sizeof(tmp), "%.17g", d);

	buf_put(out, tmp, (size_t)n);
	if (!memchr(tmp, '.', (size_t)n) && !memchr(tmp, 'e', (size_t)n))
		buf_lit(out, ".0");
}

/* Numbers stand bare unless they are printed in another base. */
static bool is_bare(unsigned type, unsigned fmt)
{
	if (fmt == PF_HEX || fmt == PF_OCT)
		return false;
	switch (type) {
	case PT_INT8:
	case PT_INT16:
	case PT_INT32:
	case PT_INT64:
	case PT_UINT8:
	case PT_UINT16:
	case PT_UINT32:
	case PT_UINT64:
	case PT_PORT:
	case PT_L4PROTO:
	case PT_SOCKFAMILY:
	case PT_RELTIME:
	case PT_ABSTIME:
	case PT_FD:
	case PT_PID:
	case PT_ERRNO:
	case PT_BOOL:
	case PT_DOUBLE:
	case PT_FD32:
	case PT_PID32:
	case PT_FLAGS8:
	case PT_FLAGS16:
	case PT_FLAGS32:
	case PT_ENUMFLAGS8:
	case PT_ENUMFLAGS16:
	case PT_ENUMFLAGS32:
	case PT_UID:
	case PT_GID:
	case PT_SIGTYPE:
	case PT_SYSCALLID:
	case PT_MODE:
		return true;
	default:
		return false;
	}
}

/* Raw arguments are texts, as in 0.29.3, but for results and descriptors, on which it ends. */
static bool is_raw_text(const struct format_step *s, unsigned type)
{
	return s->ref.info->arg == FAF_PARAM_NAME && type != PT_ERRNO && type != PT_FD &&
	       type != PT_FD32;
}

static void put_value(struct buf *out, const struct format_step *s, const struct value *v,
		      const struct render_opts *ro)
{
	unsigned fmt = s->ref.fmt;

	if (v->type == PT_DOUBLE) {
		put_double(out, v->d);
		return;
	}
	if (is_bare(v->type, fmt) && !is_raw_text(s, v->type)) {
		render_value(out, v, v->type == PT_BOOL ? fmt : PF_DEC, ro);
		return;
	}
	buf_putc(out, '"');
	size_t start = out->len;
	render_value(out, v, fmt, ro);
	escape_tail(out, start, ro->compat029);
	buf_putc(out, '"');
}

static bool put_list(const struct format_step *s, struct field_env *env, struct buf *out)
{
	struct value_list l;

	field_get_list(&s->ref, env, &l);
	if (!l.n)
		return false;
	buf_putc(out, '[');
	for (uint32_t i = 0; i < l.n; i++) {
		if (i)
			buf_putc(out, ',');
		put_value(out, s, &l.v[i], env->ro);
	}
	buf_putc(out, ']');
	return true;
}

static void put_quoted(struct buf *out, const char *s, size_t n, const struct render_opts *ro)
{
	buf_putc(out, '"');
	size_t start = out->len;
	buf_put(out, s, n);
	escape_tail(out, start, ro->compat029);
	buf_putc(out, '"');
}

static void put_rendered(struct buf *out, struct field_env *env,
			 void (*render)(struct buf *out, struct field_env *env))
{
	buf_putc(out, '"');
	size_t start = out->len;
	render(out, env);
	escape_tail(out, start, env->ro->compat029);
	buf_putc(out, '"');
}

/* The fields of nearly every line, without the way through struct value; false: not one of them, or
 * not in this event. */
static ALWAYS_INLINE bool put_special(const struct format *f, const struct format_step *s,
				      struct field_env *env, struct buf *out)
{
	struct evctx *c = env->c;
	const struct thread_ver *v = NULL;

	switch (s->op) {
	case FO_NUM:
		buf_u64(out, c->num);
		return true;
	case FO_CPU:
		buf_u64(out, c->ev.cpu);
		return true;
	case FO_TID:
		buf_i64(out, c->ev.tid);
		return true;
	case FO_DIR:
		event_table[c->ev.type].is_exit ? buf_lit(out, "\"<\"") : buf_lit(out, "\">\"");
		return true;
	case FO_TYPE:
		if (!f->names[c->ev.type].len)
			return false;
		put_quoted(out, f->names[c->ev.type].text, f->names[c->ev.type].len, env->ro);
		return true;
	case FO_COMM:
		if (!evctx_thread(c, &v) || !v)
			return false;
		put_quoted(out, v->comm->s, v->comm->len, env->ro);
		return true;
	case FO_INFO:
		put_rendered(out, env, render_info);
		return true;
	case FO_ARGS:
		put_rendered(out, env, render_args);
		return true;
	default:
		return false;
	}
}

static bool put_step(const struct format *f, const struct format_step *s, struct field_env *env,
		     struct buf *out)
{
	struct value v;

	if (s->json_ns) {
		buf_u64(out, env->c->ev.ts);
		return true;
	}
	if (put_special(f, s, env, out))
		return true;
	if (s->ref.info->flags & FF_LIST)
		return put_list(s, env, out);
	field_get(&s->ref, env, &v);
	/* 0.29.3 evaluates every field twice here, so that the distance to the evaluation before is
	 * 0. */
	if (env->ro->compat029 && (s->ref.info->flags & FF_LOOKS_BACK))
		field_get(&s->ref, env, &v);
	if (v.has)
		put_value(out, s, &v, env->ro);
	return v.has;
}

bool format_json(const struct format *f, struct field_env *env, struct buf *out)
{
	size_t start = out->len;

	if (!f->njson) {
		buf_lit(out, "null"); /* as 0.29.3 */
		return true;
	}
	buf_putc(out, '{');
	for (unsigned i = 0; i < f->njson; i++) {
		const struct format_step *s = f->json[i];

		if (i)
			buf_putc(out, ',');
		buf_put(out, s->key, s->key_len);
		if (put_step(f, s, env, out))
			continue;
		if (!f->star) {
			out->len = start;
			return false;
		}
		buf_lit(out, "null");
	}
	buf_putc(out, '}');
	return true;
}
