/* fd.*: the ends of a socket. Client = source end, server = destination end; nothing is known as
 * long as the role is not. fdlist.*: the same for the descriptors of a poll. */
#include <arpa/inet.h>
#include <netdb.h>

#include "base/services.h"
#include "field/field_int.h"

static bool is_v6(const struct fd_ver *f)
{
	return f->kind == FDK_IPV6 || f->kind == FDK_IPV6_SERV;
}
static bool is_server_kind(const struct fd_ver *f)
{
	return f->kind == FDK_IPV4_SERV || f->kind == FDK_IPV6_SERV;
}
static bool is_tuple_kind(const struct fd_ver *f)
{
	return f->kind == FDK_IPV4 || f->kind == FDK_IPV6;
}
/* Servers that were there when the trace began have none, as in sysdig. */
static bool has_role(const struct fd_ver *f)
{
	if (is_server_kind(f) && (f->flags & FDF_FROM_PROC))
		return false;
	return (f->flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER)) != 0;
}
static uint32_t addr_len(const struct fd_ver *f)
{
	return is_v6(f) ? 16 : 4;
}

/* ---- which end is here ---- */

static bool addr_is_local(const struct field_env *env, const uint8_t *a, uint32_t len)
{
	unsigned n;
	const struct iface *i = state_ifaces(env->c->b->root, &n);

	for (; n; n--, i++)
		if (i->v6 == (len == 16) && !memcmp(i->addr, a, len))
			return true;
	return false;
}

/* The end asked for: true = source. */
static bool end_is_source(const struct field_env *env, const struct fd_ver *f, unsigned end)
{
	switch (end) {
	case END_CLIENT:
		return true;
	case END_SERVER:
		return false;
	case END_LOCAL:
		return addr_is_local(env, f->sip, addr_len(f));
	default:
		return !addr_is_local(env, f->sip, addr_len(f));
	}
}

uint32_t fd_end_addr(struct field_env *env, const struct fd_ver *f, unsigned end,
		     const uint8_t **addr)
{
	if (is_server_kind(f)) {
		*addr = f->sip;
		return end == END_SERVER && has_role(f) ? addr_len(f) : 0;
	}
	if (!is_tuple_kind(f) || !has_role(f))
		return 0;
	*addr = end_is_source(env, f, end) ? f->sip : f->dip;
	return addr_len(f);
}

bool fd_end_port(struct field_env *env, const struct fd_ver *f, unsigned end, uint16_t *port)
{
	if (is_server_kind(f) && end == END_SERVER) {
		*port = f->sport;
		return true;
	}
	if (is_tuple_kind(f)) {
		*port = end_is_source(env, f, end) ? f->sport : f->dport;
		return has_role(f);
	}
	/* 0.29.3 has a client port 0 on whatever has a role. */
	*port = 0;
	return is_029(env) && end == END_CLIENT && has_role(f);
}

/* ---- both ends as lists, for filters ---- */

static void put_addr(struct value *v, unsigned type, const uint8_t *a, uint32_t len)
{
	*v = (struct value){.type = (uint8_t)type};
	set_text(v, (const char *)a, len);
}

static void put_port(struct value *v, unsigned type, uint16_t port)
{
	*v = (struct value){.type = (uint8_t)type};
	set_u(v, port);
}

void list_fd_ends(const struct field_ref *r, struct field_env *env, struct value_list *l)
{
	const struct fd_ver *f = event_fd(env);
	bool addrs = r->type == PT_IPADDR || r->type == PT_IPNET;
	struct value *v;

	if (!f || !fd_is_inet(f))
		return;
	v = arena_alloc(env->scratch, 2 * sizeof(*v));
	if (!v)
		return;
	l->v = v;
	l->n = is_server_kind(f) ? 1 : 2;
	if (addrs)
		put_addr(&v[0], r->type, f->sip, addr_len(f));
	else
		put_port(&v[0], r->type, f->sport);
	if (l->n == 2 && addrs)
		put_addr(&v[1], r->type, f->dip, addr_len(f));
	else if (l->n == 2)
		put_port(&v[1], r->type, f->dport);
}

static void first_of_list(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct value_list l = {0};

	list_fd_ends(r, env, &l);
	if (l.n)
		*v = l.v[0];
}

/* ---- getters ---- */

void get_fd_addr(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);
	const uint8_t *a;
	uint32_t len;

	if (r->info->sel == END_ANY) {
		first_of_list(r, env, v);
		return;
	}
	len = f ? fd_end_addr(env, f, r->info->sel, &a) : 0;
	if (len)
		set_text(v, (const char *)a, len);
}

void get_fd_port(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);
	uint16_t port;

	if (r->info->sel == END_ANY)
		first_of_list(r, env, v);
	else if (f && fd_end_port(env, f, r->info->sel, &port))
		set_u(v, port);
}

void get_fd_l4proto(const struct field_ref *r, struct field_env *env, struct value *v)
{
	static const char *const names[] = {
		[L4_TCP] = "tcp",
		[L4_UDP] = "udp",
		[L4_ICMP] = "icmp",
		[L4_RAW] = "raw",
	};
	const struct fd_ver *f = event_fd(env);
	const char *name = NULL;

	if (f && fd_is_inet(f) && f->l4proto <= L4_RAW &&
	    (has_role(f) || is_server_kind(f) || f->l4proto == L4_RAW))
		name = names[f->l4proto];
	/* "<NA>" is a value here, as in other readers: a file's protocol is another than tcp. */
	if (f)
		set_str(v, name ? name : "<NA>");
}

void get_fd_sockfamily(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f && fd_is_inet(f))
		set_str(v, "ip");
	else if (f && f->kind == FDK_UNIX)
		set_str(v, "unix");
}

static bool all_zero(const uint8_t *p, unsigned n)
{
	while (n && !p[n - 1])
		n--;
	return !n;
}

void get_fd_is_server(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (!f)
		return;
	if (is_server_kind(f))
		set_bool(v, true);
	else if (is_tuple_kind(f))
		set_bool(v, addr_is_local(env, f->dip, addr_len(f)) ||
				    (is_v6(f) && all_zero(f->dip, 16)));
	else
		set_bool(v, false);
}

void get_fd_connected(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);

	if (f)
		set_bool(v, f->flags & FDF_CONNECTED);
}

/* ---- names from outside the trace ---- */

static void service_text(struct buf *out, const struct fd_ver *f, uint16_t port)
{
	const char *name = port ? service_name(port, f->l4proto == L4_UDP) : NULL;

	if (name)
		buf_puts(out, name);
	else
		buf_u64(out, port);
}

void get_fd_service(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);
	uint16_t port;
	struct buf *b;

	if (r->info->sel == END_ANY) {
		first_of_list(r, env, v);
		return;
	}
	if (!f || !fd_end_port(env, f, r->info->sel, &port))
		return;
	if (is_029(env) && !is_tuple_kind(f)) {
		set_text(v, "", 0);
		return;
	}
	b = env_text(env, 0);
	service_text(b, f, port);
	set_buf(v, env, b);
}

uint32_t addr_text(char *out, const uint8_t *addr, uint32_t len)
{
	if (!inet_ntop(len == 16 ? AF_INET6 : AF_INET, addr, out, INET6_ADDRSTRLEN))
		*out = 0;
	return (uint32_t)strlen(out);
}

/* Reverse DNS on the reading machine: the one field family whose value is not a function of the
 * trace. */
void get_fd_host(const struct field_ref *r, struct field_env *env, struct value *v)
{
	const struct fd_ver *f = event_fd(env);
	const uint8_t *a;
	uint32_t len = f ? fd_end_addr(env, f, r->info->sel, &a) : 0;
	struct sockaddr_in6 s6 = {.sin6_family = AF_INET6};
	struct sockaddr_in s4 = {.sin_family = AF_INET};
	char host[NI_MAXHOST];
	bool v6 = len == 16;
	struct buf *b;

	if (!len)
		return;
	memcpy(v6 ? (void *)&s6.sin6_addr : (void *)&s4.sin_addr, a, len);
	if (getnameinfo(v6 ? (void *)&s6 : (void *)&s4, v6 ? sizeof(s6) : sizeof(s4), host,
			sizeof(host), NULL, 0, NI_NAMEREQD))
		return;
	b = env_text(env, 0);
	buf_puts(b, host);
	set_buf(v, env, b);
}

/* ---- fdlist ---- */

/* The list parameter: 16-bit count, then 10 bytes for each: 64-bit fd, 16-bit flags. */
static const uint8_t *fdlist_param(struct field_env *env, unsigned *n)
{
	const struct event_info *info = event_info(&env->c->ev);
	const uint8_t *p;
	uint32_t len;

	for (unsigned i = 0; i < env->c->ev.nparams; i++) {
		if (info->params[i].type != PT_FDLIST)
			continue;
		if (!event_param(&env->c->ev, i, &p, &len) || len < 2)
			return NULL;
		*n = MIN(load_u16(p), (len - 2) / 10);
		return p + 2;
	}
	return NULL;
}

/* The ends of a polled socket, whether or not its role is known. A server socket has a server
 * address. */
static bool fdlist_end(struct buf *b, unsigned which, const struct fd_ver *f)
{
	bool client = which == FDL_CIP || which == FDL_CPORT, tuple = is_tuple_kind(f);
	char text[INET6_ADDRSTRLEN];
	const uint8_t *a = client || !tuple ? f->sip : f->dip;

	if (which == FDL_CIP || which == FDL_SIP) {
		if (!tuple && !(is_server_kind(f) && !client))
			return false;
		buf_put(b, text, addr_text(text, a, addr_len(f)));
	} else {
		if (!tuple)
			return false;
		buf_u64(b, client ? f->sport : f->dport);
	}
	return true;
}

/* Appends what is asked of one descriptor; false = it has nothing of the kind. */
static bool fdlist_item(struct field_env *env, struct buf *b, unsigned which, int64_t fd)
{
	const struct fd_ver *f = which == FDL_NUM ? NULL : evctx_fd_n(env->c, fd);
	const char *s;
	uint32_t n;

	switch (which) {
	case FDL_NUM:
		buf_i64(b, fd);
		return true;
	case FDL_NAME:
		s = f ? fd_ver_name(f, is_029(env), &n) : "";
		if (f && n)
			buf_put(b, s, n);
		else
			buf_lit(b, "<NA>");
		return true;
	default:
		return f && fdlist_end(b, which, f);
	}
}

void get_fdlist(const struct field_ref *r, struct field_env *env, struct value *v)
{
	unsigned n = 0;
	const uint8_t *p = fdlist_param(env, &n);
	struct buf *b = env_text(env, 0);
	bool any = false;

	for (unsigned i = 0; p && i < n; i++) {
		size_t before = b->len;

		if (any)
			buf_putc(b, ',');
		if (fdlist_item(env, b, r->info->sel, load_i64(p + 10 * i)))
			any = true;
		else
			b->len = before;
	}
	if (any)
		set_buf(v, env, b);
}
