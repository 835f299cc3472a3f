/* Data sent and received: what it tells about the ends of a socket. Rules: facts, state-rules.md 5.
 */
#include "state/row.h"
#include "state/sock_draft.h"

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

/* Whatever inet socket data went through is taken for connected. */
static void draft_begin_data(struct apply *a, struct draft *d, const struct fd_ver *old)
{
	draft_begin(d, old);
	if ((a->d->bits & DEMAND_CONNECTED) && fd_is_inet(old))
		d->f.flags |= FDF_CONNECTED;
}

static void mark_connected(struct apply *a, struct fd_table *ft, int64_t fd, const struct fd_ver *f)
{
	struct draft d;

	draft_begin_data(a, &d, f);
	draft_commit(a, ft, fd, &d);
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
static bool server_shows(struct apply *a, const struct fd_ver *old, const struct sock_ends *e, const char *text,
			 size_t len)
{
	struct fd_ver turned = {
		.kind = FDK_IPV6, .l4proto = L4_UDP, .sport = e->dport, .dport = e->sport};
	char swapped[SOCK_TEXT_MAX];

	if (old->kind == FDK_IPV6_SERV) {
		size_t n = (size_t)(strstr(text, "->") - text) + 2;
		uint32_t old_len;
		const char *name = fd_name_now(a, old, true, &old_len);
		return old_len >= n && memcmp(name, text, n) == 0;
	}
	memcpy(turned.sip, e->dip, 16);
	memcpy(turned.dip, e->sip, 16);
	return fd_name_is(a, old, text, len, true) ||
	       fd_name_is(a, old, swapped, fd_tuple_text(swapped, sizeof(swapped), &turned), true);
}

/* An ipv6 conversation of a listening socket, or of what is no inet socket at all: it stays what it is,
 * only its name tells whom it talks to. */
static void retuple_server(struct apply *a, struct fd_table *ft, int64_t fd, struct draft *d,
			   const struct sock_ends *e, const uint8_t *p, uint32_t len)
{
	char text[SOCK_TEXT_MAX];
	size_t n = sock_tuple_text(text, sizeof(text), p, len);

	if (!a->d->compat029 || !server_shows(a, d->old, e, text, n))
		draft_commit_named(a, ft, fd, d, text, n);
}

/* New addresses of a socket, as an event of data sent or received shows them. */
static void retuple(struct apply *a, struct fd_table *ft, int64_t fd, const struct fd_ver *old,
		    const uint8_t *p, uint32_t len, bool incoming)
{
	char name[SOCK_TEXT_MAX];
	struct sock_ends e;
	struct draft d;

	draft_begin_data(a, &d, old);
	if (sock_ends_parse(&e, p, len, a->d->compat029)) {
		if (e.v6 && !fd_is_inet(old)) {
			retuple_server(a, ft, fd, &d, &e, p, len);
			return;
		}
		sock_become(&d.f, e.v6, false);
		if (sock_set_ends(&d.f, &e, !a->d->compat029))
			transfer_inet(a, &d, incoming);
		draft_commit(a, ft, fd, &d);
		return;
	}
	if (p[0] == SOCK_INET || p[0] == SOCK_INET6 ||
	    (p[0] == SOCK_UNIX && len < SOCK_TUPLE_UNIX_MIN)) {
		draft_commit(a, ft, fd, &d); /* not well-formed */
		return;
	}
	if (p[0] == SOCK_UNIX)
		sock_set_unix(&d.f, p);
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

void apply_data(struct apply *a)
{
	int64_t fd = row_fd(a);
	struct fd_table *ft;
	const struct fd_ver *f = row_entry(a, fd, &ft);

	if (f && row_i64(a, 0, -1) >= 0)
		mark_connected(a, ft, fd, f);
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
	else
		mark_connected(a, ft, fd, f);
	if (!a->d->compat029 && l->control >= 0 &&
	    event_param(&a->ev, (unsigned)l->control, &p, &len) && len)
		drop_received_fds(a, ft, p, len);
}
