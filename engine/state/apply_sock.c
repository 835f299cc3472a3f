/* Sockets: how events make them and what they learn about their ends. Rules: facts,
 * state-rules.md 5. */
#include "state/row.h"
#include "state/sock.h"

#include <errno.h>

enum { TYPE_MASK = 0xff, TYPE_RAW = 3, TYPE_CLOEXEC = 0x80000 };

/* ---- names
 * ------------------------------------------------------------------------------------------ */

static bool same_name(const struct fd_ver *f, const char *s, size_t len, bool compat029)
{
	uint32_t n;
	const char *old = fd_ver_name(f, compat029, &n);

	return n == len && memcmp(old, s, len) == 0;
}

/* ---- making one version out of another
 * ------------------------------------------------------------------ */

/* What an event does to a socket is computed on a copy, so that the usual case, nothing new, costs
 * no version. The copy has no name of its own: base and raw are those of the old version. */
struct draft {
	const struct fd_ver *old;
	struct fd_ver f;
	bool tuple_name; /* the event names the socket by its addresses */
};

static void draft_begin(struct draft *d, const struct fd_ver *old)
{
	d->old = old;
	d->f = *old;
	d->f.flags &= (uint16_t)~FDF_NAME_CHANGED;
	d->tuple_name = false;
}

static bool same_ends(const struct fd_ver *x, const struct fd_ver *y)
{
	return x->sport == y->sport && x->dport == y->dport && memcmp(x->sip, y->sip, 16) == 0 &&
	       memcmp(x->dip, y->dip, 16) == 0;
}

static bool draft_is_noop(const struct draft *d)
{
	const uint16_t seen = (uint16_t)~FDF_NAME_CHANGED;

	return d->f.kind == d->old->kind && d->f.l4proto == d->old->l4proto &&
	       (d->f.flags & seen) == (d->old->flags & seen) && same_ends(&d->f, d->old) &&
	       (!d->tuple_name || (d->old->flags & FDF_TUPLE_NAME));
}

static bool shows_ports(const struct fd_ver *f)
{
	return f->l4proto == L4_TCP || f->l4proto == L4_UDP;
}

/* Whether the addresses of the draft spell another name than the old one. */
static bool tuple_name_differs(const struct draft *d, bool compat029)
{
	char buf[SOCK_TEXT_MAX];

	if ((d->old->flags & FDF_TUPLE_NAME) && shows_ports(d->old) && shows_ports(&d->f))
		return d->f.kind != d->old->kind || !same_ends(&d->f, d->old);
	return !same_name(d->old, buf, fd_tuple_text(buf, sizeof(buf), &d->f), compat029);
}

/* The name that stays although the addresses it was made of change. */
static void keep_old_name(struct apply *a, struct fd_ver *f, const struct fd_ver *old)
{
	uint32_t n;
	const char *s = fd_ver_name(old, a->d->compat029, &n);

	f->flags &= (uint16_t)~FDF_TUPLE_NAME;
	fd_set_name(a, f, NULL, s, n);
}

/* A new version with everything of the draft but its name. NULL when memory is out. */
static struct fd_ver *draft_store(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d)
{
	struct fd_ver *f = fd_edit(a, ft, fd);

	if (!f)
		return NULL;
	f->kind = d->f.kind;
	f->l4proto = d->f.l4proto;
	f->flags = d->f.flags;
	memcpy(f->sip, d->f.sip, sizeof(f->sip));
	memcpy(f->dip, d->f.dip, sizeof(f->dip));
	f->sport = d->f.sport;
	f->dport = d->f.dport;
	f->unix_source = d->f.unix_source;
	f->unix_dest = d->f.unix_dest;
	return f;
}

/* Publishes the draft, if there is anything new in it. */
static void draft_commit(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d)
{
	if (draft_is_noop(d))
		return;
	if (d->tuple_name) {
		d->f.flags = (uint16_t)((d->f.flags | FDF_TUPLE_NAME) & ~FDF_FROM_PROC);
		if (tuple_name_differs(d, a->d->compat029))
			d->f.flags |= FDF_NAME_CHANGED;
	}
	struct fd_ver *f = draft_store(a, ft, fd, d);
	if (f && d->tuple_name && (f->base || f->raw->len))
		fd_set_name(a, f, NULL, "", 0);
	else if (f && !d->tuple_name && (f->flags & FDF_TUPLE_NAME) && !same_ends(f, d->old))
		keep_old_name(a, f, d->old);
}

/* The same, with a name that is not made of inet addresses. */
static void draft_commit_named(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d,
			       const char *name, size_t len)
{
	bool changed = !same_name(d->old, name, len, a->d->compat029);

	d->f.flags &= (uint16_t)~FDF_TUPLE_NAME;
	if (draft_is_noop(d) && !changed)
		return;
	if (changed)
		d->f.flags |= FDF_NAME_CHANGED;
	struct fd_ver *f = draft_store(a, ft, fd, d);
	if (f)
		fd_set_name(a, f, NULL, name, len);
}

/* ---- socket, socketpair
 * ------------------------------------------------------------------------------- */

/* Raw only if the type is that and nothing else: with SOCK_CLOEXEC in it the protocol decides. */
static uint8_t l4_of(int64_t type, int64_t proto)
{
	switch (proto) {
	case 6:
		return type == TYPE_RAW ? L4_RAW : L4_TCP;
	case 17:
		return type == TYPE_RAW ? L4_RAW : L4_UDP;
	case 1:
		return type == TYPE_RAW ? L4_RAW : L4_ICMP;
	case 255:
		return L4_RAW;
	case 0:
		return (type & TYPE_MASK) == 1	 ? L4_TCP
		       : (type & TYPE_MASK) == 2 ? L4_UDP
						 : L4_UNKNOWN;
	}
	return L4_UNKNOWN;
}

static uint8_t kind_of_domain(int64_t domain)
{
	switch (domain) {
	case SOCK_UNIX:
		return FDK_UNIX;
	case SOCK_INET:
		return FDK_IPV4;
	case SOCK_INET6:
		return FDK_IPV6;
	case SOCK_NETLINK:
		return FDK_NETLINK;
	}
	return FDK_UNKNOWN;
}

/* Domain, type and protocol: in the exits of newer events, else in the enter event. */
static bool socket_args(struct apply *a, int64_t v[3])
{
	bool from_exit = !a->d->compat029 && a->ev.nparams >= 4;

	if (!from_exit && !a->has_enter)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (!event_param_i64(from_exit ? &a->ev : &a->enter, i + from_exit, &v[i]))
			return false;
	return true;
}

static void apply_socketpair(struct apply *a)
{
	bool cloexec = row_i64(a, 6, 0) & TYPE_CLOEXEC;

	if (row_i64(a, 0, -1) < 0)
		return;
	for (unsigned i = 1; i <= 2; i++) {
		int64_t fd = row_i64(a, i, -1);
		struct fd_ver *f = fd >= 0 ? fd_add(a, a->t, fd) : NULL;

		if (!f)
			continue;
		f->kind = FDK_UNIX;
		f->flags = cloexec ? FDF_CLOEXEC : 0;
		f->unix_source = (uint64_t)row_i64(a, i == 1 ? 3 : 4, 0);
		f->unix_dest = (uint64_t)row_i64(a, i == 1 ? 4 : 3, 0);
	}
}

void apply_socket(struct apply *a)
{
	int64_t v[3], fd = row_i64(a, 0, -1);

	if (!a->t)
		return;
	if (a->ev.type == EV_SOCKET_SOCKETPAIR_X) {
		apply_socketpair(a);
		return;
	}
	struct fd_ver *f = fd >= 0 && socket_args(a, v) ? fd_add(a, a->t, fd) : NULL;
	if (!f)
		return;
	f->kind = kind_of_domain(v[0]);
	if (fd_is_inet(f))
		f->l4proto = l4_of(v[1], v[2]);
	f->flags = v[1] & TYPE_CLOEXEC ? FDF_CLOEXEC : 0;
}

/* ---- bind
 * ------------------------------------------------------------------------------------------- */

void apply_bind(struct apply *a)
{
	char name[SOCK_TEXT_MAX];
	int64_t fd = row_fd(a);
	struct sock_ends e;
	struct fd_table *ft;
	struct draft d;
	const uint8_t *p;
	uint32_t len;

	if (row_i64(a, 0, -1) < 0 || !event_param(&a->ev, 1, &p, &len) || len == 0)
		return;
	const struct fd_ver *old = row_entry(a, fd, &ft);
	if (!old)
		return;
	draft_begin(&d, old);
	if (sock_addr_parse(&e, p, len) && e.dport) {
		sock_set_server(&d.f, &e);
		d.f.flags |= FDF_ROLE_SERVER;
	}
	draft_commit_named(a, ft, fd, &d, name, sock_addr_text(name, sizeof(name), p, len));
}

/* ---- connect
 * ---------------------------------------------------------------------------------------- */

/* Newer enter events say where to. */
static void connect_enter(struct apply *a)
{
	char name[SOCK_TEXT_MAX];
	int64_t fd = row_i64(a, 0, -1);
	struct sock_ends e;
	struct fd_table *ft;
	struct draft d;
	const uint8_t *p;
	uint32_t len;

	if (!event_param(&a->ev, 1, &p, &len) || len == 0)
		return;
	const struct fd_ver *old = row_entry(a, fd, &ft);
	if (!old)
		return;
	draft_begin(&d, old);
	if (sock_addr_parse(&e, p, len)) {
		sock_set_dest(&d.f, &e);
		draft_commit(a, ft, fd, &d);
		return;
	}
	if (p[0] == SOCK_UNIX)
		d.f.kind = FDK_UNIX;
	draft_commit_named(a, ft, fd, &d, name, sock_addr_text(name, sizeof(name), p, len));
}

static void set_unix(struct fd_ver *f, const uint8_t *tuple)
{
	f->kind = FDK_UNIX;
	f->unix_source = load_u64(tuple + 1);
	f->unix_dest = load_u64(tuple + 9);
}

/* Both ends as the exit gives them. No interface patch here, unlike in apply_transfer. */
static void connect_tuple(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d,
			  const uint8_t *p, uint32_t len)
{
	char name[SOCK_TEXT_MAX];
	struct sock_ends e;

	if (sock_ends_parse(&e, p, len, a->d->compat029)) {
		sock_become(&d->f, e.v6, false);
		/* sysdig asks for the protocol of ipv4 sockets only. */
		if (sock_set_ends(&d->f, &e, !a->d->compat029) && !e.v6 && d->f.l4proto == L4_UDP &&
		    (d->f.flags & FDF_ROLE_SERVER))
			sock_swap(&d->f);
		d->tuple_name = true;
	} else if (p[0] == SOCK_UNIX && len >= SOCK_TUPLE_UNIX_MIN) {
		set_unix(&d->f, p);
	}
	if (!fd_has_role(&d->f))
		d->f.flags |= FDF_ROLE_CLIENT;
	d->f.flags |= FDF_CONNECTED;
	if (d->tuple_name)
		draft_commit(a, ft, fd, d);
	else
		draft_commit_named(a, ft, fd, d, name, sock_tuple_text(name, sizeof(name), p, len));
}

/* No tuple: the newest readers go by the address that was asked for. */
static void connect_address(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d)
{
	struct sock_ends e;
	const uint8_t *p;
	uint32_t len;

	d->f.flags |= FDF_CONNECTED;
	if (!a->d->compat029 && event_param(&a->ev, 3, &p, &len) && sock_addr_parse(&e, p, len))
		sock_set_dest(&d->f, &e);
	draft_commit(a, ft, fd, d);
}

static void connect_exit(struct apply *a)
{
	int64_t res = row_i64(a, 0, -1), fd = row_fd(a);
	struct fd_table *ft;
	struct draft d;
	const uint8_t *p;
	uint32_t len;

	if (res < 0 && res != -EINPROGRESS)
		return;
	const struct fd_ver *old = row_entry(a, fd, &ft);
	if (!old)
		return;
	draft_begin(&d, old);
	if (event_param(&a->ev, 1, &p, &len) && len)
		connect_tuple(a, ft, fd, &d, p, len);
	else
		connect_address(a, ft, fd, &d);
}

void apply_connect(struct apply *a)
{
	if (a->ev.type == EV_SOCKET_CONNECT_E)
		connect_enter(a);
	else
		connect_exit(a);
}

/* ---- accept
 * ----------------------------------------------------------------------------------------- */

void apply_accept(struct apply *a)
{
	int64_t fd = row_i64(a, 0, -1);
	char name[SOCK_TEXT_MAX];
	struct sock_ends e;
	const uint8_t *p;
	uint32_t len;

	if (fd < 0 || !a->t || !event_param(&a->ev, 1, &p, &len) || len == 0)
		return;
	bool inet = sock_ends_parse(&e, p, len, a->d->compat029);
	if (!inet && (p[0] != SOCK_UNIX || len < SOCK_TUPLE_UNIX_MIN))
		return;
	struct fd_ver *f = fd_add(a, a->t, fd);
	if (!f)
		return;
	f->flags = FDF_ROLE_SERVER | FDF_CONNECTED | FDF_NAME_CHANGED;
	if (a->ev.type == EV_SOCKET_ACCEPT4_6_X && (row_i64(a, 5, 0) & TYPE_CLOEXEC))
		f->flags |= FDF_CLOEXEC;
	if (!inet) {
		set_unix(f, p);
		fd_set_name(a, f, NULL, name, sock_tuple_text(name, sizeof(name), p, len));
		return;
	}
	sock_become(f, e.v6, false);
	f->l4proto = L4_TCP;
	sock_set_ends(f, &e, true);
	f->flags |= FDF_TUPLE_NAME;
}

/* ---- sendto, sendmsg, recvfrom, recvmsg
 * ------------------------------------------------------------------ */

/* Which way the data goes and where the exit has the addresses and control data; -1 = nowhere. */
static const struct transfer_layout {
	uint16_t code;
	bool incoming;
	int8_t tuple, control;
} transfer_layouts[] = {
	{EV_SOCKET_SENDTO_X, false, 4, -1},   {EV_SOCKET_SENDMSG_X, false, 4, -1},
	{EV_SOCKET_RECVFROM_X, true, 2, -1},  {EV_SOCKET_RECVMSG_X, true, 3, 4},
	{EV_SOCKET_SENDMMSG_X, false, 4, -1}, {EV_SOCKET_RECVMMSG_X, true, 4, 5},
};

static const struct transfer_layout *transfer_layout(unsigned code)
{
	for (size_t i = 0; i < ARRAY_SIZE(transfer_layouts); i++)
		if (transfer_layouts[i].code == code)
			return &transfer_layouts[i];
	return NULL;
}

/* Older sends have the tuple in the enter event. */
static bool transfer_tuple(struct apply *a, const struct transfer_layout *l, const uint8_t **p,
			   uint32_t *len)
{
	bool by_enter = !l->incoming && (a->d->compat029 || a->ev.nparams <= (unsigned)l->tuple);

	if (by_enter)
		return a->has_enter && event_param(&a->enter, 2, p, len) && *len;
	return event_param(&a->ev, (unsigned)l->tuple, p, len) && *len;
}

/* ---- the role of a socket that shows none -- */

struct port_search {
	uint16_t dport, sport;
	bool bound, used;
};

static int search_port(void *ctx, int fd, const struct fd_ver *f)
{
	struct port_search *s = ctx;

	if (f->kind == FDK_IPV4) {
		s->bound |= f->dport == s->dport;
		s->used |= f->sport == s->sport;
	} else if (f->kind == FDK_IPV4_SERV) {
		s->bound |= f->sport == s->dport;
	}
	return s->bound && s->used;
}

/* 0.29.3 reads the ports of ipv6 sockets where ipv4 sockets have theirs: in the source address.
 * Then it asks which ipv4 sockets of the process have these "ports". */
static bool guess_server_029_v6(struct apply *a, const struct fd_ver *f, bool incoming)
{
	struct port_search s = {.sport = load_u16(f->sip + 8), .dport = load_u16(f->sip + 10)};

	state_fds_each(a->root, a->t, thread_now(a->t), a->ord, search_port, &s);
	return s.bound && (!s.used || incoming);
}

/* The one who speaks first is the client. sysdig also looks for a socket of the process that owns
 * the port, but for ipv4 it always finds the socket itself. */
static void guess_role(struct apply *a, struct fd_ver *f, bool incoming)
{
	bool server = incoming;

	if (a->d->compat029 && f->kind == FDK_IPV6)
		server = guess_server_029_v6(a, f, incoming);
	f->flags |= server ? FDF_ROLE_SERVER : FDF_ROLE_CLIENT;
}

static void transfer_inet(struct apply *a, struct draft *d, bool incoming)
{
	unsigned n;
	const struct iface *ifs = state_ifaces(a->root, &n);

	if (d->f.l4proto == L4_UNKNOWN)
		d->f.l4proto = L4_UDP;
	sock_patch(&d->f, ifs, n);
	if (!fd_has_role(&d->f))
		guess_role(a, &d->f, incoming);
	if (d->f.flags & (incoming ? FDF_ROLE_CLIENT : FDF_ROLE_SERVER))
		sock_swap(&d->f);
	d->tuple_name = true;
}

/* Does the name of a listening socket already show this conversation? By the comparisons of 0.29.3:
 * the source alone for ipv6 sockets, both ends for others. Its overlaid storage is why. */
static bool server_shows(const struct fd_ver *old, const struct sock_ends *e, const char *text,
			 size_t len)
{
	struct fd_ver turned = {
		.kind = FDK_IPV6, .l4proto = L4_UDP, .sport = e->dport, .dport = e->sport};
	char swapped[SOCK_TEXT_MAX];

	if (old->kind == FDK_IPV6_SERV) {
		size_t n = (size_t)(strstr(text, "->") - text) + 2;
		uint32_t old_len;
		const char *name = fd_ver_name(old, true, &old_len);
		return old_len >= n && memcmp(name, text, n) == 0;
	}
	memcpy(turned.sip, e->dip, 16);
	memcpy(turned.dip, e->sip, 16);
	return same_name(old, text, len, true) ||
	       same_name(old, swapped, fd_tuple_text(swapped, sizeof(swapped), &turned), true);
}

/* An ipv6 conversation of a listening socket: it stays one, only its name tells whom it talks to.
 */
static void retuple_server(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d,
			   const struct sock_ends *e, const uint8_t *p, uint32_t len)
{
	char text[SOCK_TEXT_MAX];
	size_t n = sock_tuple_text(text, sizeof(text), p, len);

	if (!a->d->compat029 || !server_shows(d->old, e, text, n))
		draft_commit_named(a, ft, fd, d, text, n);
}

/* New addresses of a socket, as an event of data sent or received shows them. */
static void retuple(struct apply *a, struct fd_table *ft, int64_t fd, const struct fd_ver *old,
		    const uint8_t *p, uint32_t len, bool incoming)
{
	char name[SOCK_TEXT_MAX];
	struct sock_ends e;
	struct draft d;

	draft_begin(&d, old);
	if (sock_ends_parse(&e, p, len, a->d->compat029)) {
		if (e.v6 && (old->kind == FDK_IPV4_SERV || old->kind == FDK_IPV6_SERV)) {
			retuple_server(a, ft, fd, &d, &e, p, len);
			return;
		}
		sock_become(&d.f, e.v6, false);
		if (sock_set_ends(&d.f, &e, false))
			transfer_inet(a, &d, incoming);
		draft_commit(a, ft, fd, &d);
		return;
	}
	if (p[0] == SOCK_INET || p[0] == SOCK_INET6 ||
	    (p[0] == SOCK_UNIX && len < SOCK_TUPLE_UNIX_MIN))
		return; /* not well-formed */
	if (p[0] == SOCK_UNIX)
		set_unix(&d.f, p);
	if (fd_is_inet(&d.f)) { /* a family without addresses here */
		transfer_inet(a, &d, incoming);
		draft_commit(a, ft, fd, &d);
		return;
	}
	draft_commit_named(a, ft, fd, &d, name, sock_tuple_text(name, sizeof(name), p, len));
}

/* Descriptors that arrived with a message. The trace does not say what they are; whatever we knew
 * by these numbers is gone. */
static void drop_received_fds(struct apply *a, struct fd_table *ft, const uint8_t *p, uint32_t len)
{
	enum { HDR = 16, LEVEL_SOCKET = 1, SCM_RIGHTS = 1 };

	while (len >= HDR) {
		uint64_t n = load_u64(p);

		if (n < HDR || n > len)
			return;
		if (load_u32(p + 8) == LEVEL_SOCKET && load_u32(p + 12) == SCM_RIGHTS)
			for (uint64_t i = HDR; i + 4 <= n; i += 4) {
				int32_t fd = (int32_t)load_u32(p + i);
				if (fd >= 0 && fd_find(ft, fd))
					fd_close(a, ft, fd, a->ord);
			}
		n = (n + 7) & ~(uint64_t)7;
		if (n >= len)
			return;
		p += n;
		len -= (uint32_t)n;
	}
}

/* A send on a descriptor that nobody saw open: a UDP socket. */
static void sendto_enter(struct apply *a)
{
	int64_t fd = row_i64(a, 0, -1);
	struct fd_table *ft;
	const uint8_t *p;
	uint32_t len;

	if (fd < 0 || !a->t || row_entry(a, fd, &ft) || !event_param(&a->ev, 2, &p, &len) ||
	    len == 0 || (p[0] != SOCK_INET && p[0] != SOCK_INET6))
		return;
	struct fd_ver *f = fd_add(a, a->t, fd);
	if (f) {
		f->kind = p[0] == SOCK_INET ? FDK_IPV4 : FDK_IPV6;
		f->l4proto = L4_UDP;
	}
}

void apply_transfer(struct apply *a)
{
	const struct transfer_layout *l = transfer_layout(a->ev.type);
	int64_t fd = row_fd(a);
	struct fd_table *ft;
	const uint8_t *p;
	uint32_t len;

	if (!l) {
		if (a->ev.type == EV_SOCKET_SENDTO_E)
			sendto_enter(a);
		return;
	}
	const struct fd_ver *f = row_entry(a, fd, &ft);
	if (!f || row_i64(a, 0, -1) < 0)
		return;
	/* A connection does not change its ends: the usual case ends here. */
	if (!(f->kind == FDK_IPV4 && f->l4proto == L4_TCP && fd_has_name(f)) &&
	    transfer_tuple(a, l, &p, &len))
		retuple(a, ft, fd, f, p, len, l->incoming);
	if (!a->d->compat029 && l->control >= 0 &&
	    event_param(&a->ev, (unsigned)l->control, &p, &len) && len)
		drop_received_fds(a, ft, p, len);
}
