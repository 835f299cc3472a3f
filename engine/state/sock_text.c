/* Texts of socket addresses. The buffers of callers hold at least SOCK_TEXT_MAX bytes; shorter ones
 * cut. */
#include "state/sock.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/num.h"
#include "base/services.h"

/* A text under construction that never runs over its buffer. */
struct cut {
	char *p;
	size_t n, cap;
};

static void cut_put(struct cut *c, const char *s, size_t n)
{
	if (n > c->cap - 1 - c->n)
		n = c->cap - 1 - c->n;
	memcpy(c->p + c->n, s, n);
	c->n += n;
}

static void cut_u32(struct cut *c, uint32_t v)
{
	char tmp[NUM_DEC_MAX];

	if (LIKELY(c->cap - 1 - c->n >= NUM_DEC_MAX))
		c->n = (size_t)(num_u64(c->p + c->n, v) - c->p);
	else
		cut_put(c, tmp, (size_t)(num_u64(tmp, v) - tmp));
}

/* out: room for 16 bytes. */
static char *put_ip4(char *out, const uint8_t *a)
{
	for (int i = 0; i < 4; i++) {
		out = num_small(out, a[i]);
		*out++ = '.';
	}
	return out - 1;
}

static void cut_ip(struct cut *c, const uint8_t *a, bool v6)
{
	if (v6) {
		char tmp[INET6_ADDRSTRLEN];
		if (inet_ntop(AF_INET6, a, tmp, sizeof(tmp)))
			cut_put(c, tmp, strlen(tmp));
		return;
	}
	char tmp[INET_ADDRSTRLEN];

	if (LIKELY(c->cap - c->n >= sizeof(tmp)))
		c->n = (size_t)(put_ip4(c->p + c->n, a) - c->p);
	else
		cut_put(c, tmp, (size_t)(put_ip4(tmp, a) - tmp));
}

enum ports { NO_PORTS, PORTS, UDP_PORTS };

static void cut_end(struct cut *c, const uint8_t *ip, uint16_t port, bool v6, enum ports ports)
{
	const char *name = services_loaded ? service_name(port, ports == UDP_PORTS) : NULL;

	cut_ip(c, ip, v6);
	if (ports == NO_PORTS)
		return;
	cut_put(c, ":", 1);
	if (name)
		cut_put(c, name, strlen(name));
	else
		cut_u32(c, port);
}

static void cut_tuple(struct cut *c, const struct sock_ends *e, enum ports ports)
{
	cut_end(c, e->sip, e->sport, e->v6, ports);
	cut_put(c, "->", 2);
	cut_end(c, e->dip, e->dport, e->v6, ports);
}

static size_t cut_done(struct cut *c)
{
	c->p[c->n] = 0;
	return c->n;
}

static void cut_family(struct cut *c, unsigned family)
{
	cut_put(c, "family ", 7);
	cut_u32(c, family);
}

/* Text up to its NUL. */
static void cut_path(struct cut *c, const uint8_t *p, uint32_t len)
{
	cut_put(c, (const char *)p, strnlen((const char *)p, len));
}

size_t sock_addr_text(char *out, size_t cap, const uint8_t *addr, uint32_t len)
{
	struct cut c = {out, 0, cap};

	if (len == 0) {
		cut_put(&c, "NULL", 4);
	} else if (addr[0] == SOCK_INET) {
		if (len == SOCK_ADDR4_LEN)
			cut_end(&c, addr + 1, load_u16(addr + 5), false, PORTS);
		else
			cut_put(&c, "INVALID IPv4", 12);
	} else if (addr[0] == SOCK_INET6) {
		if (len == SOCK_ADDR6_LEN)
			cut_end(&c, addr + 1, load_u16(addr + 17), true, PORTS);
		else
			cut_put(&c, "INVALID IPv6", 12);
	} else if (addr[0] == SOCK_UNIX) {
		cut_path(&c, addr + 1, len - 1);
	} else {
		cut_family(&c, addr[0]);
	}
	return cut_done(&c);
}

static void cut_unix_tuple(struct cut *c, const uint8_t *tuple, uint32_t len)
{
	char tmp[40];

	if (len < SOCK_TUPLE_UNIX_MIN)
		return;
	int n = snprintf(tmp, sizeof(tmp), "%llx->%llx ", (unsigned long long)load_u64(tuple + 1),
			 (unsigned long long)load_u64(tuple + 9));
	cut_put(c, tmp, (size_t)n);
	cut_path(c, tuple + 17, len - 17);
}

size_t sock_tuple_text(char *out, size_t cap, const uint8_t *tuple, uint32_t len)
{
	struct cut c = {out, 0, cap};
	struct sock_ends e;

	if (len == 0)
		cut_put(&c, "NULL", 4);
	else if (tuple[0] == SOCK_UNIX)
		cut_unix_tuple(&c, tuple, len);
	else if (tuple[0] != SOCK_INET && tuple[0] != SOCK_INET6)
		cut_family(&c, tuple[0]);
	else if (sock_ends_parse(&e, tuple, len, true))
		cut_tuple(&c, &e, PORTS);
	else
		cut_put(&c, tuple[0] == SOCK_INET ? "INVALID IPv4" : "INVALID IPv6", 12);
	return cut_done(&c);
}

/* 0.29.3 knows how to write tcp, udp and icmp, and raw sockets of ipv4; it says so of all others.
 */
static bool writable_proto(const struct fd_ver *f, bool v6)
{
	return f->l4proto == L4_TCP || f->l4proto == L4_UDP || f->l4proto == L4_ICMP ||
	       (f->l4proto == L4_RAW && !v6);
}

size_t fd_tuple_text(char *out, size_t cap, const struct fd_ver *f)
{
	struct cut c = {out, 0, cap};
	bool from_proc = f->flags & FDF_FROM_PROC;
	enum ports ports = f->l4proto == L4_UDP ? UDP_PORTS : PORTS;
	struct sock_ends e;

	if (f->kind == FDK_IPV4_SERV || f->kind == FDK_IPV6_SERV) {
		cut_end(&c, f->sip, f->sport, f->kind == FDK_IPV6_SERV, ports);
	} else {
		sock_ends_get(&e, f);
		if (from_proc || writable_proto(f, e.v6))
			cut_tuple(&c, &e,
				  from_proc || f->l4proto == L4_TCP || f->l4proto == L4_UDP ? ports : NO_PORTS);
		else
			cut_put(&c, "<unknown>", 9);
	}
	return cut_done(&c);
}
