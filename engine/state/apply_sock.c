/* Sockets: how events make them and what they learn about their ends. Rules: facts,
 * state-rules.md 5. */
#include "state/row.h"
#include "state/sock_draft.h"

#include <errno.h>

enum { TYPE_MASK = 0xff, TYPE_RAW = 3, TYPE_CLOEXEC = 0x80000 };

/* ---- socket, socketpair ---- */

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

/* ---- bind ---- */

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

/* ---- connect ---- */

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
	draft_commit_named(a, ft, fd, &d, name, sock_addr_text(name, sizeof(name), p, len));
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
		sock_set_unix(&d->f, p);
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

/* ---- accept ---- */

void apply_accept(struct apply *a)
{
	int64_t fd = row_i64(a, 0, -1);
	char name[SOCK_TEXT_MAX];
	struct sock_ends e;
	const uint8_t *p;
	uint32_t len;

	if (fd < 0 || !a->t)
		return;
	a->last_fd = fd; /* even if we learn nothing about it */
	if (!event_param(&a->ev, 1, &p, &len) || len == 0)
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
		sock_set_unix(f, p);
		fd_set_name(a, f, NULL, name, sock_tuple_text(name, sizeof(name), p, len));
		return;
	}
	sock_become(f, e.v6, false);
	f->l4proto = L4_TCP;
	sock_set_ends(f, &e, true);
	f->flags |= FDF_TUPLE_NAME;
}
