/* One parameter of an event as text, by type. */
#include "field/render_int.h"

#include <stdio.h>

#include "base/num.h"
#include "state/state.h"

/* ---- one parameter
 * ---------------------------------------------------------------------------------
 *
 * Every put_* function appends "raw(resolved)" or just "raw" and returns the position where raw
 * ends. */

static NO_INLINE size_t put_errno(struct buf *b, int64_t v)
{
	const char *name = v < 0 && v > -4096 ? errno_name(-v) : NULL;
	size_t end;

	buf_i64(b, v);
	end = b->len;
	if (name) {
		buf_putc(b, '(');
		buf_puts(b, name);
		buf_putc(b, ')');
	}
	return end;
}

/* "<4t>" before the name of a descriptor. */
static char *put_fd_kind(char *p, const struct fd_ver *f)
{
	*p++ = '<';
	*p++ = fd_kind_letter(f->kind);
	if (f->kind >= FDK_IPV4 && f->kind <= FDK_IPV6_SERV) {
		static const char letters[] = {
			[L4_TCP] = 't',
			[L4_UDP] = 'u',
			[L4_ICMP] = 'i',
			[L4_RAW] = 'r',
		};
		bool role = f->flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER);

		/* Without a role the protocol counts as unknown, except raw. */
		if (f->l4proto < sizeof(letters) && letters[f->l4proto] &&
		    (role || f->l4proto == L4_RAW))
			*p++ = letters[f->l4proto];
	}
	*p++ = '>';
	return p;
}

static NO_INLINE size_t put_fd_negative(struct buf *b, int64_t fd)
{
	if (fd != -100)
		return put_errno(b, fd);
	buf_lit(b, "-100(AT_FDCWD)");
	return b->len - strlen("(AT_FDCWD)");
}

size_t put_fd(const struct put *x, int64_t fd)
{
	struct buf *b = x->b;

	if (UNLIKELY(fd < 0))
		return put_fd_negative(b, fd);
	const struct fd_ver *f = evctx_fd_n(x->c, fd);
	uint32_t name_len = 0;
	const char *name = f ? fd_ver_name(f, x->compat, &name_len) : NULL;

	if (!buf_room(b, NUM_DEC_MAX + 8 + (size_t)name_len))
		return b->len;
	char *p = num_u64(b->p + b->len, (uint64_t)fd);
	size_t end = (size_t)(p - b->p);

	if (f) {
		*p++ = '(';
		char *from = p;
		p = put_fd_kind(p, f);
		/* 0.29.3 keeps 1023 bytes of what stands in the parentheses. */
		if (UNLIKELY(x->compat && (size_t)(p - from) + name_len > 1023))
			name_len = 1023 - (uint32_t)(p - from);
		memcpy(p, name, name_len);
		p += name_len;
		*p++ = ')';
	}
	b->len = (size_t)(p - b->p);
	return end;
}

static size_t put_pid(const struct put *x, int64_t pid)
{
	struct buf *b = x->b;
	size_t end;

	buf_i64(b, pid);
	end = b->len;
	if (pid < 0 || !x->c->b->root)
		return end;
	struct thread *t = state_thread_at(x->c->b->root, pid, x->c->ord);
	const struct thread_ver *v = t ? thread_ver_at(t, x->c->ord) : NULL;

	if (v && v->comm->len) {
		buf_putc(b, '(');
		buf_put(b, v->comm->s, v->comm->len);
		buf_putc(b, ')');
	}
	return end;
}

static size_t put_id(const struct put *x, uint32_t id, bool group)
{
	const struct state_root *root = x->c->b->root;
	const char *name = NULL;
	size_t end;

	buf_i64(x->b, (int32_t)id);
	end = x->b->len;
	if (id == UINT32_MAX) {
		name = "<NONE>";
	} else if (root && group) {
		const struct group *g = state_group_at(root, id, x->c->ord);
		name = g ? g->name : NULL;
	} else if (root) {
		const struct user *u = state_user_at(root, id, x->c->ord);
		name = u ? u->name : NULL;
	}
	buf_putc(x->b, '(');
	buf_puts(x->b, name ? name : "<NA>");
	buf_putc(x->b, ')');
	return end;
}

/* A name in parentheses behind what ends at end. */
static size_t put_resolved(struct buf *b, const char *name)
{
	size_t end = b->len;

	if (name) {
		buf_putc(b, '(');
		buf_puts(b, name);
		buf_putc(b, ')');
	}
	return end;
}

size_t put_names(const struct put *x, const struct print_param *pp, uint64_t v)
{
	bool is_enum = pp->type >= PT_ENUMFLAGS8 && pp->type <= PT_ENUMFLAGS32;
	enum name_rule rule = is_enum ? NAMES_ENUM : pp->newest ? NAMES_NEWEST : NAMES_029;
	unsigned n = !pp->flags ? 0 : x->compat ? pp->flags->n_029 : pp->flags->n;

	return text_flags(x->b, pp->flags, n, v, rule);
}

static size_t put_mode(const struct put *x, const struct print_param *pp, uint32_t v)
{
	size_t end;

	text_number(x->b, v, pp->fmt, 4);
	end = x->b->len;
	if (!pp->flags)
		return end;
	buf_putc(x->b, '(');
	if (text_flag_names(x->b, pp->flags, x->compat ? pp->flags->n_029 : pp->flags->n, v,
			    NAMES_029))
		buf_putc(x->b, ')');
	else
		x->b->len = end;
	return end;
}

/* ---- texts and paths
 * ------------------------------------------------------------------------------- */

static bool text_is(const char *s, uint32_t len, const char *lit)
{
	return len == strlen(lit) && !memcmp(s, lit, len);
}

/* What a parameter without bytes shows. The newest readers' text in both modes where 0.29.3 prints
 * whatever its buffer held. */
static void put_missing(const struct put *x, unsigned type)
{
	switch (type) {
	case PT_BYTEBUF:
		if (!x->compat)
			buf_lit(x->b, "NULL");
		return;
	case PT_SOCKTUPLE:
		buf_lit(x->b, "NULL");
		return;
	case PT_SOCKADDR:
		x->compat ? buf_lit(x->b, "NULL") : buf_lit(x->b, "<NA>");
		return;
	case PT_DYN:
		x->compat ? buf_lit(x->b, "INVALID DYNAMIC PARAMETER") : buf_lit(x->b, "<NA>");
		return;
	case PT_FDLIST:
		if (!x->compat)
			buf_lit(x->b, "<NA>");
		return;
	default:
		buf_lit(x->b, "<NA>");
	}
}

static void put_charbuf(const struct put *x, const char *s, uint32_t len)
{
	len = (uint32_t)strnlen(s, len);
	if (!x->compat && text_is(s, len, "(NULL)"))
		buf_lit(x->b, "<NA>");
	else
		buf_put(x->b, s, len);
}

/* 0.29.3 leaves unprintable bytes out and keeps 1023 bytes at most. */
static void put_path_raw_029(struct buf *b, const char *s, uint32_t len)
{
	uint32_t n = 0;

	if (!buf_room(b, len))
		return;
	for (uint32_t i = 0; i < len && n < 1023; i++) {
		if ((uint8_t)s[i] >= 0x20 && (uint8_t)s[i] <= 0x7e)
			b->p[b->len + n++] = s[i];
	}
	b->len += n;
}

/* Directory a relative path starts from; NULL = unknown. *at: it is the name of a descriptor. */
static const char *path_base(const struct put *x, const struct print_param *pp, uint32_t *len, bool *at)
{
	int dirfd = x->compat ? pp->dirfd_029 : pp->dirfd;
	const struct thread_ver *v = NULL;
	int64_t fd = -100;

	/* 0.29.3's openat2 names the path itself as its directory; that reads as the current one.
	 */
	if (pp->type == PT_FSRELPATH && dirfd >= 0 && dirfd != pp->index &&
	    !event_param_i64(&x->c->ev, (unsigned)dirfd, &fd))
		return NULL;
	*at = fd != -100;
	if (*at) {
		const struct fd_ver *f = evctx_fd_n(x->c, fd);

		return f ? fd_ver_name(f, x->compat, len) : NULL;
	}
	if (!evctx_main(x->c, &v) || !v)
		return NULL;
	*len = v->cwd->len;
	return v->cwd->s;
}

static size_t put_path(const struct put *x, const struct print_param *pp, const char *s,
		       uint32_t len)
{
	struct buf *b = x->b;
	uint32_t base_len = 0;
	size_t end;

	len = (uint32_t)strnlen(s, len);
	if (!x->compat && text_is(s, len, "(NULL)")) {
		buf_lit(b, "<NA>");
		return b->len;
	}
	if (x->compat)
		put_path_raw_029(b, s, len);
	else
		buf_put(b, s, len);
	end = b->len;
	if ((len && s[0] == '/') || text_is(s, len, "<NA>") || (!len && !x->compat))
		return end;
	if (!evctx_thread(x->c, NULL))
		return end;
	bool at = false;
	const char *base = path_base(x, pp, &base_len, &at);
	char full[1026];
	size_t n = base_len && at ? path_join_at(full, base, base_len, s, len, x->compat)
			      : path_join(full, base ? base : "", base_len, s, len, x->compat);

	if (n) {
		buf_putc(b, '(');
		buf_put(b, full, n);
		buf_putc(b, ')');
	}
	return end;
}

/* ---- lists
 * ------------------------------------------------------------------------------------------- */

static void put_fdlist(const struct put *x, const uint8_t *v, uint32_t len)
{
	unsigned n = len >= 2 ? load_u16(v) : 0;

	for (unsigned i = 0; i < n && 2 + 10 * (i + 1) <= len; i++) {
		const uint8_t *e = v + 2 + 10 * i;
		int64_t fd = load_i64(e);
		const struct fd_ver *f = fd >= 0 ? evctx_fd_n(x->c, fd) : NULL;

		if (!buf_room(x->b, NUM_DEC_MAX + NUM_HEX_MAX + 4))
			return;
		char *p = x->b->p + x->b->len;
		if (i)
			*p++ = ' ';
		p = num_u64(p, (uint64_t)fd);
		*p++ = ':';
		*p++ = f ? fd_kind_letter(f->kind) : '?';
		p = num_hex(p, (uint32_t)(int16_t)load_u16(e + 8), NUM_LOWER);
		x->b->len = (size_t)(p - x->b->p);
	}
}

static void put_sigset(struct buf *b, uint32_t mask)
{
	bool any = false;

	for (unsigned sig = 1; sig <= 32; sig++) {
		const char *name = mask >> (sig - 1) & 1 ? signal_name(sig) : NULL;

		if (!name)
			continue;
		if (any)
			buf_putc(b, ' ');
		buf_puts(b, name);
		any = true;
	}
}

/* Texts one behind the other, each with its NUL. */
static void put_text_array(struct buf *b, const char *s, uint32_t len)
{
	uint32_t at = 0;

	while (at < len) {
		uint32_t n = (uint32_t)strnlen(s + at, len - at);

		if (at)
			buf_putc(b, '.');
		buf_put(b, s + at, n);
		at += n + 1;
	}
}

/* ---- by type
 * ------------------------------------------------------------------------------------------- */

/* Size on the wire of types that have one, else 0. */
static unsigned type_size(unsigned type)
{
	switch (type) {
	case PT_INT8:
	case PT_UINT8:
	case PT_SIGTYPE:
	case PT_FLAGS8:
	case PT_ENUMFLAGS8:
	case PT_L4PROTO:
	case PT_SOCKFAMILY:
		return 1;
	case PT_INT16:
	case PT_UINT16:
	case PT_SYSCALLID:
	case PT_PORT:
	case PT_FLAGS16:
	case PT_ENUMFLAGS16:
		return 2;
	case PT_INT32:
	case PT_UINT32:
	case PT_BOOL:
	case PT_IPV4ADDR:
	case PT_FLAGS32:
	case PT_ENUMFLAGS32:
	case PT_UID:
	case PT_GID:
	case PT_SIGSET:
	case PT_MODE:
	case PT_FD32:
	case PT_PID32:
		return 4;
	case PT_INT64:
	case PT_UINT64:
	case PT_ERRNO:
	case PT_FD:
	case PT_PID:
	case PT_RELTIME:
	case PT_ABSTIME:
	case PT_DOUBLE:
		return 8;
	case PT_IPV6ADDR:
		return 16;
	default:
		return 0;
	}
}

static uint64_t load_uint(const uint8_t *v, unsigned size)
{
	switch (size) {
	case 1:
		return *v;
	case 2:
		return load_u16(v);
	case 4:
		return load_u32(v);
	default:
		return load_u64(v);
	}
}

static int64_t sign_extend(uint64_t u, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(u << shift) >> shift;
}

static size_t put_integer(const struct put *x, const struct print_param *pp, uint64_t u,
			  unsigned size)
{
	bool as_signed = size >= 4 || pp->type == PT_INT8 || pp->type == PT_INT16;

	text_number(x->b, as_signed ? sign_extend(u, size) : (int64_t)u, pp->fmt, size);
	return x->b->len;
}

static size_t put_fixed(const struct put *x, const struct print_param *pp, const uint8_t *v,
			unsigned size)
{
	uint64_t u = size <= 8 ? load_uint(v, size) : 0;
	struct value val = {.type = pp->type, .has = true, .u = u};

	switch (pp->type) {
	case PT_ERRNO:
		return put_errno(x->b, (int64_t)u);
	case PT_FD:
		return put_fd(x, (int64_t)u);
	case PT_FD32:
		return put_fd(x, (int32_t)u);
	case PT_PID:
		return put_pid(x, (int64_t)u);
	case PT_PID32:
		return put_pid(x, (int32_t)u);
	case PT_UID:
		return put_id(x, (uint32_t)u, false);
	case PT_GID:
		return put_id(x, (uint32_t)u, true);
	case PT_FLAGS8:
	case PT_FLAGS16:
	case PT_FLAGS32:
	case PT_ENUMFLAGS8:
	case PT_ENUMFLAGS16:
	case PT_ENUMFLAGS32:
		return put_names(x, pp, u);
	case PT_MODE:
		return put_mode(x, pp, (uint32_t)u);
	case PT_RELTIME:
		return text_reltime(x->b, u);
	case PT_SIGTYPE:
		buf_u64(x->b, u);
		return put_resolved(x->b, signal_name((unsigned)u));
	case PT_SYSCALLID:
		buf_u64(x->b, u);
		return put_resolved(x->b, x->compat ? ppm_sc_name_029((unsigned)u)
						    : ppm_sc_name((unsigned)u));
	case PT_SIGSET:
		put_sigset(x->b, (uint32_t)u);
		return x->b->len;
	case PT_ABSTIME:
		text_abstime(x->b, u);
		return x->b->len;
	case PT_IPV4ADDR:
		text_ipv4(x->b, v);
		return x->b->len;
	case PT_IPV6ADDR:
		text_ipv6(x->b, v);
		return x->b->len;
	case PT_BOOL:
	case PT_DOUBLE:
		render_value(x->b, &val, pp->fmt, x->env->ro);
		return x->b->len;
	default:
		return put_integer(x, pp, u, size);
	}
}

/* The first byte selects the type; numbers keep the print format of the parameter. */
static size_t put_dyn(const struct put *x, const struct print_param *pp, const uint8_t *v,
		      uint32_t len)
{
	if (!pp->dyn || v[0] >= pp->dyn->n) {
		buf_lit(x->b, "INVALID DYNAMIC PARAMETER");
		return x->b->len;
	}
	struct print_param inner = *pp;

	inner.type = pp->dyn->e[v[0]].type;
	inner.dyn = NULL;
	if (inner.type == PT_DYN || len == 1) {
		put_missing(x, PT_NONE);
		return x->b->len;
	}
	return put_typed(x, &inner, v + 1, len - 1);
}

size_t put_typed(const struct put *x, const struct print_param *pp, const uint8_t *v, uint32_t len)
{
	unsigned size = type_size(pp->type);

	if (!len || (size && len != size)) {
		put_missing(x, pp->type);
		return x->b->len;
	}
	if (size)
		return put_fixed(x, pp, v, size);
	switch (pp->type) {
	case PT_BYTEBUF:
		render_buffer(x->b, v, len, x->env->ro);
		break;
	case PT_CHARBUF:
		put_charbuf(x, (const char *)v, len);
		break;
	case PT_FSPATH:
	case PT_FSRELPATH:
		return put_path(x, pp, (const char *)v, len);
	case PT_SOCKADDR:
		text_sockaddr(x->b, v, len);
		break;
	case PT_SOCKTUPLE:
		text_socktuple(x->b, v, len);
		break;
	case PT_FDLIST:
		put_fdlist(x, v, len);
		break;
	case PT_DYN:
		return put_dyn(x, pp, v, len);
	case PT_CHARBUFARRAY:
	case PT_CHARBUF_PAIR_ARRAY:
		/* Old tracer events hold a pointer of the process that wrote them. */
		if (pp->newest)
			put_text_array(x->b, (const char *)v, len);
		else
			put_missing(x, pp->type);
		break;
	case PT_IPADDR:
		len == 16 ? text_ipv6(x->b, v) : len == 4 ? text_ipv4(x->b, v) : (void)0;
		break;
	default:
		put_missing(x, pp->type);
	}
	return x->b->len;
}
