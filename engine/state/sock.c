#include "state/sock.h"

static const uint8_t zero16[16];
static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* "::" counts too: a socket that listens on both protocols is shown as ipv4. */
static bool is_mapped(const uint8_t *ip)
{
	return memcmp(ip, mapped_prefix, 12) == 0 || memcmp(ip, zero16, 16) == 0;
}

/* Two times "::" says nothing about the protocol, except to 0.29.3. */
bool sock_pair_is_v6(const uint8_t *sip, const uint8_t *dip, bool compat029)
{
	if (!is_mapped(sip) || !is_mapped(dip))
		return true;
	return !compat029 && memcmp(sip, zero16, 16) == 0 && memcmp(dip, zero16, 16) == 0;
}

static void set4(uint8_t *to, const uint8_t *ip)
{
	memcpy(to, ip, 4);
	memset(to + 4, 0, 12);
}

bool sock_ends_parse(struct sock_ends *e, const uint8_t *tuple, uint32_t len, bool compat029)
{
	if (len == SOCK_TUPLE4_LEN && tuple[0] == SOCK_INET) {
		e->v6 = false;
		set4(e->sip, tuple + 1);
		set4(e->dip, tuple + 7);
		e->sport = load_u16(tuple + 5);
		e->dport = load_u16(tuple + 11);
		return true;
	}
	if (len != SOCK_TUPLE6_LEN || tuple[0] != SOCK_INET6)
		return false;
	e->v6 = sock_pair_is_v6(tuple + 1, tuple + 19, compat029);
	if (e->v6) {
		memcpy(e->sip, tuple + 1, 16);
		memcpy(e->dip, tuple + 19, 16);
	} else {
		set4(e->sip, tuple + 13);
		set4(e->dip, tuple + 31);
	}
	e->sport = load_u16(tuple + 17);
	e->dport = load_u16(tuple + 35);
	return true;
}

void sock_unmap(struct fd_ver *f, bool compat029)
{
	if (f->kind != FDK_IPV6 || sock_pair_is_v6(f->sip, f->dip, compat029))
		return;
	f->kind = FDK_IPV4;
	memmove(f->sip, f->sip + 12, 4);
	memmove(f->dip, f->dip + 12, 4);
	memset(f->sip + 4, 0, 12);
	memset(f->dip + 4, 0, 12);
}

bool sock_addr_parse(struct sock_ends *e, const uint8_t *addr, uint32_t len)
{
	memset(e, 0, sizeof(*e));
	if (len == SOCK_ADDR4_LEN && addr[0] == SOCK_INET) {
		set4(e->dip, addr + 1);
		e->dport = load_u16(addr + 5);
		return true;
	}
	if (len != SOCK_ADDR6_LEN || addr[0] != SOCK_INET6)
		return false;
	e->v6 = !is_mapped(addr + 1);
	if (e->v6)
		memcpy(e->dip, addr + 1, 16);
	else
		set4(e->dip, addr + 13);
	e->dport = load_u16(addr + 17);
	return true;
}

void sock_ends_get(struct sock_ends *e, const struct fd_ver *f)
{
	e->v6 = f->kind == FDK_IPV6 || f->kind == FDK_IPV6_SERV;
	memcpy(e->sip, f->sip, 16);
	memcpy(e->dip, f->dip, 16);
	e->sport = f->sport;
	e->dport = f->dport;
}

void sock_become(struct fd_ver *f, bool v6, bool serv)
{
	uint8_t kind = serv ? (v6 ? FDK_IPV6_SERV : FDK_IPV4_SERV) : (v6 ? FDK_IPV6 : FDK_IPV4);

	if (f->kind == kind)
		return;
	f->kind = kind;
	memset(f->sip, 0, sizeof(f->sip));
	memset(f->dip, 0, sizeof(f->dip));
	f->sport = f->dport = 0;
}

void sock_set_dest(struct fd_ver *f, const struct sock_ends *e)
{
	sock_become(f, e->v6, false);
	memcpy(f->dip, e->dip, 16);
	f->dport = e->dport;
}

void sock_set_server(struct fd_ver *f, const struct sock_ends *e)
{
	sock_become(f, e->v6, true);
	memcpy(f->sip, e->dip, 16);
	f->sport = e->dport;
}

void sock_set_unix(struct fd_ver *f, const uint8_t *tuple)
{
	f->kind = FDK_UNIX;
	f->unix_source = load_u64(tuple + 1);
	f->unix_dest = load_u64(tuple + 9);
}

static bool same_end(const uint8_t *ip, uint16_t port, const uint8_t *ip2, uint16_t port2)
{
	return port == port2 && memcmp(ip, ip2, 16) == 0;
}

/* The source is taken over if it differs, a part of the destination if it is missing. A missing
 * part counts as changed even if the event lacks it too: 0.29.3 then spells the name anew. */
static bool set_ip(uint8_t *to, const uint8_t *ip, bool only_if_zero)
{
	bool take = only_if_zero ? memcmp(to, zero16, 16) == 0 : memcmp(to, ip, 16) != 0;

	if (take)
		memcpy(to, ip, 16);
	return take;
}

static bool set_port(uint16_t *to, uint16_t port, bool only_if_zero)
{
	bool take = only_if_zero ? *to == 0 : *to != port;

	if (take)
		*to = port;
	return take;
}

bool sock_set_ends(struct fd_ver *f, const struct sock_ends *e, bool force_dest)
{
	if (same_end(f->sip, f->sport, e->sip, e->sport) &&
	    same_end(f->dip, f->dport, e->dip, e->dport))
		return false;
	if (same_end(f->sip, f->sport, e->dip, e->dport) &&
	    same_end(f->dip, f->dport, e->sip, e->sport))
		return false;
	bool changed = set_ip(f->sip, e->sip, false);
	changed |= set_port(&f->sport, e->sport, false);
	changed |= set_ip(f->dip, e->dip, !force_dest);
	changed |= set_port(&f->dport, e->dport, !force_dest);
	return changed;
}

void sock_swap(struct fd_ver *f)
{
	uint8_t ip[16];
	uint16_t port = f->sport;

	memcpy(ip, f->sip, 16);
	memcpy(f->sip, f->dip, 16);
	memcpy(f->dip, ip, 16);
	f->sport = f->dport;
	f->dport = port;
}

static bool in_subnet(const struct iface *i, const uint8_t *ip, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if ((i->addr[k] & i->mask[k]) != (ip[k] & i->mask[k]))
			return false;
	return true;
}

static bool is_loopback(const struct iface *i)
{
	static const uint8_t lo4[4] = {127, 0, 0, 1}, lo6[16] = {[15] = 1};

	return i->v6 ? memcmp(i->addr, lo6, 16) == 0 : memcmp(i->addr, lo4, 4) == 0;
}

/* The address of this machine that talks to ip; zero16 if nothing fits. */
static const uint8_t *own_address(const struct iface *ifs, unsigned n, const uint8_t *ip, bool v6)
{
	unsigned len = v6 ? 16 : 4;

	for (unsigned i = 0; i < n; i++)
		if (ifs[i].v6 == v6 && memcmp(ifs[i].addr, ip, len) == 0)
			return ifs[i].addr;
	for (unsigned i = 0; i < n; i++)
		if (ifs[i].v6 == v6 && in_subnet(&ifs[i], ip, len))
			return ifs[i].addr;
	for (unsigned i = 0; i < n; i++)
		if (ifs[i].v6 == v6 && !is_loopback(&ifs[i]))
			return ifs[i].addr;
	return zero16;
}

void sock_patch(struct fd_ver *f, const struct iface *ifs, unsigned n)
{
	bool v6 = f->kind == FDK_IPV6;
	uint8_t *missing, *other;

	if (!fd_is_inet(f))
		return;
	if (memcmp(f->sip, zero16, 16) == 0) {
		missing = f->sip;
		other = f->dip;
	} else if (memcmp(f->dip, zero16, 16) == 0) {
		missing = f->dip;
		other = f->sip;
	} else {
		return;
	}
	const uint8_t *own = own_address(ifs, n, other, v6);
	if (f->sport == f->dport && memcmp(own, other, v6 ? 16 : 4) == 0)
		return; /* a socket does not talk to itself */
	memcpy(missing, own, v6 ? 16 : 4);
}
