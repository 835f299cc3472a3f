/* Private to engine/state: rules for the addresses of sockets. Pure functions on one descriptor
 * version, so that they can be tested without tables. Any thread.
 *
 * 0.29.3 keeps all addresses of a descriptor in one overlaid storage; when the kind of the
 * descriptor changes, old bytes are read in a new place. Here a change of kind clears the addresses
 * (that is what the newest readers show too); the l4 protocol survives it. */
#ifndef BURIN_STATE_SOCK_H
#define BURIN_STATE_SOCK_H

#include "state/state.h"

enum {
	SOCK_UNIX = 1, /* families as the trace writes them (PPM_AF_*) */
	SOCK_INET = 2,
	SOCK_INET6 = 10,
	SOCK_NETLINK = 16,
	SOCK_ADDR4_LEN = 7, /* bytes of the wire forms */
	SOCK_ADDR6_LEN = 19,
	SOCK_TUPLE4_LEN = 13,
	SOCK_TUPLE6_LEN = 37,
	SOCK_TUPLE_UNIX_MIN = 17,
	SOCK_TEXT_MAX = 1200,
};

/* Both ends of an inet socket. Network order addresses (ipv4 in the first 4 bytes), host order
 * ports. */
struct sock_ends {
	bool v6;
	uint8_t sip[16], dip[16];
	uint16_t sport, dport;
};

/* From SOCKTUPLE wire bytes; false when they are not a well-formed inet tuple. Two ipv4-mapped (or
 * unspecified) ipv6 addresses become ipv4; two unspecified ones only in 0.29.3. */
bool sock_ends_parse(struct sock_ends *e, const uint8_t *tuple, uint32_t len, bool compat029);
/* Do two ipv6 addresses belong to an ipv6 conversation? (See above for when not.) */
bool sock_pair_is_v6(const uint8_t *sip, const uint8_t *dip, bool compat029);
/* f, an ipv6 socket, becomes an ipv4 one if its addresses are. */
void sock_unmap(struct fd_ver *f, bool compat029);
/* The same for SOCKADDR: fills dip and dport. */
bool sock_addr_parse(struct sock_ends *e, const uint8_t *addr, uint32_t len);
void sock_ends_get(struct sock_ends *e, const struct fd_ver *f);

static inline bool fd_is_inet(const struct fd_ver *f)
{
	return f->kind == FDK_IPV4 || f->kind == FDK_IPV6;
}
static inline bool fd_has_role(const struct fd_ver *f)
{
	return f->flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER);
}
static inline bool fd_has_name(const struct fd_ver *f)
{
	return (f->flags & FDF_TUPLE_NAME) || f->base || f->raw->len;
}

/* f becomes a socket (or, serv, a listening one) of the family; clears the addresses if that is
 * news. */
void sock_become(struct fd_ver *f, bool v6, bool serv);
void sock_set_dest(struct fd_ver *f, const struct sock_ends *e);
void sock_set_server(struct fd_ver *f, const struct sock_ends *e);
/* tuple: a unix SOCKTUPLE of SOCK_TUPLE_UNIX_MIN bytes or more. */
void sock_set_unix(struct fd_ver *f, const uint8_t *tuple);
/* Takes the ends of e over: the source always, each part of the destination only where it is zero
 * (force_dest: always). False and no change when f has these ends already, straight or swapped. */
bool sock_set_ends(struct fd_ver *f, const struct sock_ends *e, bool force_dest);
void sock_swap(struct fd_ver *f);
/* Fills in one missing address from the interfaces of the machine. */
void sock_patch(struct fd_ver *f, const struct iface *ifs, unsigned n);

#endif
