#include "field/render_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "base/num.h"
#include "state/state.h"

/* ---- small caches, one set per thread ---------------------------------------------------------
 */

/* A rendered number with its names. 128 bytes, so that an entry is two cache lines. */
struct name_entry {
	const void *table; /* flag table, or the address of a marker; NULL = free */
	uint64_t value;
	uint16_t how; /* rule and number of entries looked at */
	uint8_t raw_len, len;
	char text[108];
};

enum { NAME_CACHE = 64 };

struct clock_cache {
	uint64_t start_ns; /* of the second it holds; 0 = nothing cached */
	char text[9];	   /* "HH:MM:SS." */
	uint64_t minute;   /* seconds / 60 for which hour and minute hold */
};

static _Thread_local struct name_entry name_cache[NAME_CACHE];
static _Thread_local struct clock_cache clock_cache;

static struct name_entry *name_slot(const void *table, uint64_t value)
{
	uint64_t h = (value ^ ((uintptr_t)table >> 4)) * 0x9e3779b97f4a7c15u;

	return &name_cache[h >> 58];
}

/* Remembers what was appended behind start if it is short enough. */
static void name_store(struct name_entry *s, const void *table, uint64_t value, unsigned how,
		       const struct buf *b, size_t start, size_t raw_end)
{
	size_t len = b->len - start;

	if (b->failed || len > sizeof(s->text))
		return;
	s->table = table;
	s->value = value;
	s->how = (uint16_t)how;
	s->raw_len = (uint8_t)(raw_end - start);
	s->len = (uint8_t)len;
	memcpy(s->text, b->p + start, len);
}

static ALWAYS_INLINE bool name_hit(const struct name_entry *s, const void *table, uint64_t value,
				   unsigned how)
{
	return s->table == table && s->value == value && s->how == how;
}

static size_t name_put(struct buf *b, const struct name_entry *s)
{
	size_t start = b->len;

	if (buf_room(b, sizeof(s->text))) {
		memcpy(b->p + b->len, s->text, sizeof(s->text));
		b->len += s->len;
	}
	return start + s->raw_len;
}

/* ---- numbers with names -------------------------------------------------------------------------
 */

bool text_flag_names(struct buf *b, const struct flag_table *t, unsigned n, uint64_t v,
		     enum name_rule rule)
{
	uint64_t rest = v;
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		uint64_t f = t->e[i].value;
		bool whole = f == v, unused = (f & rest) == f;

		if (rule == NAMES_ENUM ? !whole : !(whole || (f && unused)))
			continue;
		if (rule == NAMES_NEWEST && !unused)
			continue;
		if (any)
			buf_putc(b, '|');
		buf_puts(b, t->e[i].name);
		any = true;
		rest &= ~f;
		if (whole && rule != NAMES_ENUM)
			break;
	}
	return any;
}

size_t text_flags(struct buf *b, const struct flag_table *t, unsigned n, uint64_t v,
		  enum name_rule rule)
{
	struct name_entry *s = name_slot(t, v);
	unsigned how = n << 2 | rule;

	if (LIKELY(t && name_hit(s, t, v, how)))
		return name_put(b, s);
	size_t start = b->len, raw_end;

	buf_u64(b, v);
	raw_end = b->len;
	if (!t)
		return raw_end;
	buf_putc(b, '(');
	if (text_flag_names(b, t, n, v, rule))
		buf_putc(b, ')');
	else
		b->len = raw_end;
	name_store(s, t, v, how, b, start, raw_end);
	return raw_end;
}

size_t text_reltime(struct buf *b, uint64_t ns)
{
	static const char marker;
	struct name_entry *s = name_slot(&marker, ns);

	if (name_hit(s, &marker, ns, 0))
		return name_put(b, s);
	size_t start = b->len, raw_end;

	if (ns == UINT64_MAX) {
		buf_lit(b, "none");
		return b->len;
	}
	buf_u64(b, ns);
	raw_end = b->len;
	buf_printf(b, "(%lgs)", (double)ns / 1000000000.0);
	name_store(s, &marker, ns, 0, b, start, raw_end);
	return raw_end;
}

void text_number(struct buf *b, int64_t v, unsigned fmt, unsigned bytes)
{
	uint64_t u = (uint64_t)v;

	if (!buf_room(b, 32))
		return;
	if (bytes < 8)
		u &= (UINT64_C(1) << (8 * bytes)) - 1;
	char *p = b->p + b->len;
	switch (fmt) {
	case PF_HEX:
		p = num_hex(p, u, NUM_UPPER);
		break;
	case PF_OCT:
		p = num_oct(p, u);
		break;
	case PF_PADDEC:
		p = num_padded(p, u, 9);
		break;
	default:
		p = num_i64(p, v);
		break;
	}
	b->len = (size_t)(p - b->p);
}

/* ---- addresses ----------------------------------------------------------------------------------
 */

static char *put_ipv4(char *p, const uint8_t *a)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = num_u64(p, a[i]);
	}
	return p;
}

void text_ipv4(struct buf *b, const uint8_t *addr)
{
	if (buf_room(b, 16))
		b->len = (size_t)(put_ipv4(b->p + b->len, addr) - b->p);
}

void text_ipv6(struct buf *b, const uint8_t *addr)
{
	char tmp[INET6_ADDRSTRLEN];

	if (inet_ntop(AF_INET6, addr, tmp, sizeof(tmp)))
		buf_puts(b, tmp);
}

/* Longest text of an address: a path of the file system with what stands before it. */
enum { SOCK_ROOM = 1200 };

void text_sockaddr(struct buf *b, const uint8_t *p, uint32_t len)
{
	if (buf_room(b, SOCK_ROOM))
		b->len += sock_addr_text(b->p + b->len, SOCK_ROOM, p, len);
}

void text_socktuple(struct buf *b, const uint8_t *p, uint32_t len)
{
	if (buf_room(b, SOCK_ROOM))
		b->len += sock_tuple_text(b->p + b->len, SOCK_ROOM, p, len);
}

/* ---- time
 * ---------------------------------------------------------------------------------------- */

/* Offsets of time zones are whole minutes wherever a trace can come from, so one call of
 * localtime_r (which takes a lock) serves a minute of the trace. */
static NO_INLINE void clock_fill(struct clock_cache *k, uint64_t ns)
{
	uint64_t s = ns / 1000000000, minute = s / 60;
	time_t t = (time_t)(minute * 60);
	struct tm tm;

	if (!k->start_ns || k->minute != minute) {
		if (!localtime_r(&t, &tm))
			memset(&tm, 0, sizeof(tm));
		memcpy(k->text, num_pairs + 2 * tm.tm_hour, 2);
		memcpy(k->text + 3, num_pairs + 2 * tm.tm_min, 2);
		k->text[2] = k->text[5] = ':';
		k->text[8] = '.';
		k->minute = minute;
	}
	memcpy(k->text + 6, num_pairs + 2 * (s - minute * 60), 2);
	k->start_ns = s * 1000000000;
}

char *render_clock(char *p, uint64_t ns)
{
	struct clock_cache *k = &clock_cache;

	if (UNLIKELY(!k->start_ns || ns - k->start_ns >= 1000000000))
		clock_fill(k, ns);
	memcpy(p, k->text, 9);
	return num_ns(p + 9, (uint32_t)(ns - k->start_ns));
}

static char *put_seconds(char *p, uint64_t ns)
{
	p = num_u64(p, ns / 1000000000);
	*p++ = '.';
	return num_ns(p, (uint32_t)(ns % 1000000000));
}

void render_delta(struct buf *out, struct field_env *env, uint64_t *last)
{
	uint64_t ts = env->c->ev.ts, d = *last ? ts - *last : 0;

	*last = ts;
	if (buf_room(out, 40))
		out->len = (size_t)(put_seconds(out->p + out->len, d) - out->p);
}

void render_time(struct buf *out, struct field_env *env, char time_type)
{
	uint64_t ts = env->c->ev.ts;

	if (!buf_room(out, 48))
		return;
	char *p = out->p + out->len;
	switch (time_type) {
	case 'D':
		if (env->lookback)
			render_delta(out, env, env->lookback);
		return;
	case 'a':
		p = num_u64(p, ts / 1000000000);
		*p++ = '.';
		p = num_u64(p, ts % 1000000000);
		break;
	case 'r':
		p = put_seconds(p, ts - env->c->b->origin_ts);
		break;
	case 'd':
		p = put_seconds(p, evctx_latency(env->c));
		break;
	default:
		p = render_clock(p, ts);
		break;
	}
	out->len = (size_t)(p - out->p);
}

void text_abstime(struct buf *b, uint64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;
	char tmp[64];

	if (!localtime_r(&t, &tm))
		return;
	buf_put(b, tmp, strftime(tmp, sizeof(tmp), "%Y-%m-%d %H:%M:%S.", &tm));
	buf_u64_pad(b, ns % 1000000000, 9);
	buf_put(b, tmp, strftime(tmp, sizeof(tmp), " %z", &tm));
}

/* ---- captured bytes
 * -------------------------------------------------------------------------------- */

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static ALWAYS_INLINE uint8_t dot(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e ? c : '.';
}

static ALWAYS_INLINE void dot16(char *out, const uint8_t *p)
{
	const bytes16 dots = (bytes16){0} + '.';
	bytes16 v, ok;

	memcpy(&v, p, 16);
	ok = (bytes16)((v - 0x20) < 0x5f);
	v = (v & ok) | (dots & ~ok);
	memcpy(out, &v, 16);
}

/* len bytes, unprintable ones as dots. Blocks of 16, the last one overlapping the one before. */
static void put_dotted(char *out, const uint8_t *p, uint32_t len)
{
	uint32_t i = 0;

	if (len < 16) {
		for (; i < len; i++)
			out[i] = (char)dot(p[i]);
		return;
	}
	for (; i + 16 <= len; i += 16)
		dot16(out + i, p + i);
	if (i < len)
		dot16(out + len - 16, p + len - 16);
}

enum { DOTTED_MAX = 80 };

static void render_dotted(struct buf *out, const uint8_t *p, uint32_t len, bool no_truncate)
{
	bool cut = len > DOTTED_MAX && !no_truncate;

	if (cut)
		len = DOTTED_MAX;
	if (!buf_room(out, len))
		return;
	put_dotted(out->p + out->len, p, len);
	out->len += len;
	if (cut)
		memcpy(out->p + out->len - 3, "...", 3);
}

/* A line end comes first, in place of one that the data starts with. CR, LF and CR LF are line
 * ends. */
static void render_printable(struct buf *out, const uint8_t *p, uint32_t len)
{
	if (!buf_room(out, (size_t)len + 1))
		return;
	char *q = out->p + out->len;

	*q++ = '\n';
	for (uint32_t i = 0; i < len; i++) {
		if (p[i] >= 0x20 && p[i] <= 0x7e)
			*q++ = (char)p[i];
		else if (p[i] == '\r' || (p[i] == '\n' && i && p[i - 1] != '\r'))
			*q++ = '\n';
	}
	out->len = (size_t)(q - out->p);
}

/* One row of up to 16 bytes: "\n\t0x0010: 6162 63". */
static char *hex_row(char *q, const uint8_t *p, uint32_t off, uint32_t n)
{
	*q++ = '\n';
	*q++ = '\t';
	*q++ = '0';
	*q++ = 'x';
	for (int s = off > 0xffff ? 28 : 12; s >= 0; s -= 4) {
		if (s < 16 || off >> s)
			*q++ = NUM_LOWER[off >> s & 15];
	}
	*q++ = ':';
	for (uint32_t i = 0; i < n; i++) {
		if (!(i & 1))
			*q++ = ' ';
		*q++ = NUM_LOWER[p[i] >> 4];
		*q++ = NUM_LOWER[p[i] & 15];
	}
	return q;
}

static void render_hex(struct buf *out, const uint8_t *p, uint32_t len, bool ascii)
{
	for (uint32_t off = 0; off < len; off += 16) {
		uint32_t n = MIN(len - off, 16);

		if (!buf_room(out, 100))
			return;
		char *q = hex_row(out->p + out->len, p + off, off, n);
		if (ascii) {
			unsigned pad = 5 * (8 - (n + 1) / 2) + 2;

			memset(q, ' ', pad);
			q += pad;
			put_dotted(q, p + off, n);
			q += n;
		}
		out->len = (size_t)(q - out->p);
	}
	buf_putc(out, '\n');
}

static void render_base64(struct buf *out, const uint8_t *p, uint32_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (!buf_room(out, (size_t)len / 3 * 4 + 4))
		return;
	char *q = out->p + out->len;

	for (uint32_t i = 0; i < len; i += 3) {
		uint32_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (left > 2 ? p[i + 2] : 0);

		*q++ = digits[v >> 18];
		*q++ = digits[v >> 12 & 63];
		*q++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*q++ = left > 2 ? digits[v & 63] : '=';
	}
	out->len = (size_t)(q - out->p);
}

void render_buffer(struct buf *out, const uint8_t *p, uint32_t len, const struct render_opts *ro)
{
	if (!len)
		return;
	switch (ro->buffer_mode) {
	case BUF_PRINTABLE:
		render_printable(out, p, len);
		break;
	case BUF_HEX:
		render_hex(out, p, len, false);
		break;
	case BUF_HEXASCII:
		render_hex(out, p, len, true);
		break;
	case BUF_BASE64:
		render_base64(out, p, len);
		break;
	default:
		render_dotted(out, p, len, ro->no_truncate || ro->json);
	}
}

/* ---- typed values
 * ------------------------------------------------------------------------------------ */

static unsigned value_bytes(unsigned type)
{
	switch (type) {
	case PT_INT8:
	case PT_UINT8:
	case PT_L4PROTO:
	case PT_SIGTYPE:
	case PT_FLAGS8:
	case PT_ENUMFLAGS8:
		return 1;
	case PT_INT16:
	case PT_UINT16:
	case PT_PORT:
	case PT_SYSCALLID:
	case PT_FLAGS16:
	case PT_ENUMFLAGS16:
		return 2;
	case PT_INT32:
	case PT_UINT32:
	case PT_FLAGS32:
	case PT_ENUMFLAGS32:
	case PT_UID:
	case PT_GID:
	case PT_MODE:
	case PT_SIGSET:
	case PT_FD32:
	case PT_PID32:
		return 4;
	default:
		return 8;
	}
}

static bool type_is_signed(unsigned type)
{
	return (type >= PT_INT8 && type <= PT_INT64) || type == PT_ERRNO || type == PT_FD ||
	       type == PT_PID || type == PT_FD32 || type == PT_PID32;
}

static void render_value_number(struct buf *out, const struct value *v, unsigned fmt)
{
	if (fmt == PF_HEX || fmt == PF_OCT || fmt == PF_PADDEC)
		text_number(out, v->i, fmt, value_bytes(v->type));
	else if (type_is_signed(v->type))
		buf_i64(out, v->i);
	else
		buf_u64(out, v->u);
}

void render_value(struct buf *out, const struct value *v, unsigned fmt,
		  const struct render_opts *ro)
{
	switch (v->type) {
	case PT_CHARBUF:
	case PT_FSPATH:
	case PT_FSRELPATH:
	case PT_CHARBUFARRAY:
	case PT_CHARBUF_PAIR_ARRAY:
		buf_put(out, v->s, v->len ? strnlen(v->s, v->len) : 0);
		return;
	case PT_BYTEBUF:
		if (fmt == PF_ID) /* evt.rawarg.data: the bytes as they are, up to a NUL */
			buf_put(out, v->s, strnlen(v->s, v->len));
		else
			render_buffer(out, (const uint8_t *)v->s, v->len, ro);
		return;
	case PT_BOOL:
		v->u ? buf_lit(out, "true") : buf_lit(out, "false");
		return;
	case PT_DOUBLE:
		buf_printf(out, "%.1lf", v->d);
		return;
	case PT_IPADDR:
	case PT_IPV4ADDR:
	case PT_IPV6ADDR:
		v->len == 16 ? text_ipv6(out, (const uint8_t *)v->s)
			     : text_ipv4(out, (const uint8_t *)v->s);
		return;
	case PT_SOCKADDR:
	case PT_SOCKTUPLE:
		if (!v->len)
			buf_lit(out, "NULL");
		else if (v->type == PT_SOCKADDR)
			text_sockaddr(out, (const uint8_t *)v->s, v->len);
		else
			text_socktuple(out, (const uint8_t *)v->s, v->len);
		return;
	case PT_IPNET:
	case PT_IPV4NET:
	case PT_IPV6NET:
		buf_lit(out, "<IPNET>");
		return;
	default:
		render_value_number(out, v, fmt);
	}
}
