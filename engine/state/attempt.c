#include "state/attempt.h"
#include "state/apply_fd.h"
#include "state/row.h"
#include "state/sock.h"

static bool is_open_exit(unsigned type)
{
	return type == EV_SYSCALL_OPEN_X || type == EV_SYSCALL_CREAT_X ||
	       type == EV_SYSCALL_OPENAT_X || type == EV_SYSCALL_OPENAT_2_X ||
	       type == EV_SYSCALL_OPENAT2_X || type == EV_SYSCALL_OPEN_BY_HANDLE_AT_X;
}

static bool is_accept_exit(unsigned type)
{
	return type == EV_SOCKET_ACCEPT_X || type == EV_SOCKET_ACCEPT4_X ||
	       type == EV_SOCKET_ACCEPT_5_X || type == EV_SOCKET_ACCEPT4_5_X ||
	       type == EV_SOCKET_ACCEPT4_6_X;
}

static bool give(const char *s, size_t n, char *out, size_t cap, size_t *len)
{
	if (n > cap - 1)
		n = cap - 1;
	memcpy(out, s, n);
	out[n] = 0;
	*len = n;
	return true;
}

static bool give_printable(const char *s, size_t n, char *out, size_t cap, size_t *len)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k < cap - 1; i++)
		if (s[i] >= 0x20 && s[i] <= 0x7e)
			out[k++] = s[i];
	out[k] = 0;
	*len = k;
	return true;
}

static bool failed(struct evctx *c)
{
	int64_t res;

	return evctx_rawres(c, &res) && res < 0;
}

/* ---- open ---- */

static bool enter_args(struct evctx *c, struct open_args *o)
{
	struct event enter;

	return evctx_enter_event(c, &enter) && open_args_enter(o, &c->ev, &enter);
}

const struct fd_ver *fd_attempted_entry(struct evctx *c)
{
	struct open_args o;

	if (!c->demand->compat029 || !is_open_exit(c->ev.type) || !failed(c))
		return NULL;
	if (!enter_args(c, &o) && !open_args_exit(&o, &c->ev))
		return NULL;
	if (!o.at || o.dirfd == PPM_AT_FDCWD || (o.name_len && *o.name == '/'))
		return NULL;
	return evctx_fd_n(c, o.dirfd);
}

/* 0.29.3 takes the path from the exit event even where a successful call would go by the enter
 * event. */
static bool attempted_args(struct evctx *c, struct open_args *o)
{
	const uint8_t *p;
	uint32_t len;

	if (!c->demand->compat029 && enter_args(c, o))
		return true;
	if (!open_args_exit(o, &c->ev))
		return false;
	/* A name of zero length is none. */
	unsigned i =
		(unsigned)(c->ev.type == EV_SYSCALL_OPEN_X || c->ev.type == EV_SYSCALL_CREAT_X ? 1
											       : 2);
	return c->ev.type == EV_SYSCALL_OPEN_BY_HANDLE_AT_X ||
	       (event_param(&c->ev, i, &p, &len) && len != 0);
}

/* For open and creat 0.29.3 shows the parameter as evt.args would: made absolute if it is relative,
 * else as it stands, less the bytes that do not print. */
static bool shown_as_is_029(const struct evctx *c, const struct open_args *o)
{
	return c->demand->compat029 && !o->at &&
	       ((o->name_len && *o->name == '/') ||
		(o->name_len == 4 && memcmp(o->name, "<NA>", 4) == 0));
}

static bool attempted_path(struct evctx *c, char *out, size_t cap, size_t *len)
{
	bool compat = c->demand->compat029;
	const struct thread_ver *v = NULL;
	char buf[1300];
	struct open_args o;
	uint32_t n = 0;

	if (!attempted_args(c, &o))
		return false;
	if (shown_as_is_029(c, &o))
		return give_printable(o.name, o.name_len, out, cap, len);
	if (o.at && o.dirfd != PPM_AT_FDCWD) {
		const struct fd_ver *dir = evctx_fd_n(c, o.dirfd);
		const char *name = dir ? fd_ver_name(dir, compat, &n) : NULL;
		return give(buf, path_join_at(buf, name, n, o.name, o.name_len, compat), out, cap,
			    len);
	}
	evctx_main(c, &v);
	size_t len_full =
		path_join(buf, v ? v->cwd->s : "", v ? v->cwd->len : 0, o.name, o.name_len, compat);
	if (compat && !len_full)
		return give_printable(o.name, o.name_len, out, cap, len);
	return give(buf, len_full, out, cap, len);
}

/* ---- sockets ---- */

enum { CONNECT_ADDR = 3 }; /* parameter of connect exits */

static bool tuple_name(struct evctx *c, char *out, size_t cap, size_t *len)
{
	char buf[SOCK_TEXT_MAX];
	const uint8_t *p;
	uint32_t n;

	/* Connects that carry the address beside the tuple leave the descriptor's own name. */
	if (!event_param(&c->ev, 1, &p, &n) ||
	    (n == 0 && c->ev.type == EV_SOCKET_CONNECT_X && c->ev.nparams > CONNECT_ADDR))
		return false;
	size_t k = sock_tuple_text(buf, sizeof(buf), p, n);
	return c->demand->compat029 ? give_printable(buf, k, out, cap, len)
				    : give(buf, k, out, cap, len);
}

bool fd_attempted_name(struct evctx *c, char *out, size_t cap, size_t *len)
{
	unsigned type = c->ev.type;

	if (is_open_exit(type)) {
		if (!failed(c))
			return false;
		const struct fd_ver *dir = fd_attempted_entry(c);
		if (!dir) /* an exit that pairs with nothing shows the thread's last descriptor */
			return !(c->demand->compat029 && evctx_fd(c)) &&
			       attempted_path(c, out, cap, len);
		uint32_t n;
		const char *s = fd_ver_name(dir, true, &n);
		return give(s, n, out, cap, len);
	}
	if (type == EV_SOCKET_CONNECT_X) {
		if (!failed(c) && evctx_fd(c))
			return false;
		return tuple_name(c, out, cap, len);
	}
	return is_accept_exit(type) && !evctx_fd(c) && tuple_name(c, out, cap, len);
}
