/* Literals of the filter language to typed values. Messages name the literal and what was expected.
 */
#include "filter/filter_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

static int bad(const struct fexpr *x, struct err *e, const char *expected)
{
	return err_set(e, ERR_SYNTAX, x->span.pos, "'%.*s' is not valid here: expected %s",
		       (int)MIN(x->len, 60), x->s, expected);
}

/* Bits and sign of an integer type; false for types that are no integers. */
static bool int_width(uint8_t type, unsigned *bits, bool *is_signed)
{
	*is_signed = false;
	switch (type) {
	case PT_INT8:
		*is_signed = true;
		*bits = 8;
		return true;
	case PT_INT16:
		*is_signed = true;
		*bits = 16;
		return true;
	case PT_INT32:
	case PT_FD32:
	case PT_PID32:
		*is_signed = true;
		*bits = 32;
		return true;
	case PT_INT64:
	case PT_ERRNO:
	case PT_FD:
	case PT_PID:
		*is_signed = true;
		*bits = 64;
		return true;
	case PT_UINT8:
	case PT_FLAGS8:
	case PT_ENUMFLAGS8:
	case PT_SIGTYPE:
		*bits = 8;
		return true;
	case PT_UINT16:
	case PT_FLAGS16:
	case PT_ENUMFLAGS16:
	case PT_PORT:
	case PT_SYSCALLID:
		*bits = 16;
		return true;
	case PT_UINT32:
	case PT_FLAGS32:
	case PT_ENUMFLAGS32:
	case PT_MODE:
		*bits = 32;
		return true;
	case PT_UINT64:
	case PT_RELTIME:
	case PT_ABSTIME:
		*bits = 64;
		return true;
	default:
		return false;
	}
}

/* Decimal with an optional sign, all of s. */
static bool decimal(const char *s, uint32_t len, bool *neg, uint64_t *v)
{
	uint32_t i = 0;

	*neg = len && s[0] == '-';
	*v = 0;
	if (len && (s[0] == '-' || s[0] == '+'))
		i++;
	if (i == len)
		return false;
	for (; i < len; i++) {
		unsigned d = (unsigned char)s[i] - '0';

		if (d > 9 || *v > (UINT64_MAX - d) / 10)
			return false;
		*v = *v * 10 + d;
	}
	return true;
}

/* Does it fit? Unsigned types take -1 and the like for their all-ones values, as sysdig does. */
static bool fits(unsigned bits, bool is_signed, bool neg, uint64_t v)
{
	uint64_t half = 1ull << (bits - 1);

	if (neg)
		return v <= half;
	return is_signed ? v < half : bits == 64 || v < 1ull << bits;
}

static int port_number(const struct fexpr *x, uint64_t *v, struct err *e)
{
	struct servent se, *found = NULL;
	char name[64], tmp[2048];
	bool neg;

	if (!x->len) { /* sysdig: an empty port is 0 */
		*v = 0;
		return 0;
	}
	if (decimal(x->s, x->len, &neg, v) && !neg) {
		if (*v > UINT16_MAX)
			return bad(x, e, "a port from 0 to 65535");
		return 0;
	}
	if (x->len >= sizeof(name) || memchr(x->s, 0, x->len))
		return bad(x, e, "a port number or the name of a service");
	memcpy(name, x->s, x->len);
	name[x->len] = '\0';
	if (getservbyname_r(name, NULL, &se, tmp, sizeof(tmp), &found) || !found)
		return bad(x, e, "a port number or the name of a service");
	*v = ntohs((uint16_t)se.s_port);
	return 0;
}

int filter_lit_number(const struct fexpr *x, uint8_t type, uint64_t *v, struct err *e)
{
	unsigned bits;
	bool is_signed, neg;
	char range[96];

	if (type == PT_BOOL) {
		if ((x->len != 4 || memcmp(x->s, "true", 4)) &&
		    (x->len != 5 || memcmp(x->s, "false", 5)))
			return bad(x, e, "true or false");
		*v = x->len == 4;
		return 0;
	}
	if (type == PT_PORT)
		return port_number(x, v, e);
	if (!int_width(type, &bits, &is_signed))
		return bad(x, e, "nothing: the type takes no numbers");
	if (decimal(x->s, x->len, &neg, v)) {
		if (!fits(bits, is_signed, neg, *v)) {
			if (is_signed)
				snprintf(range, sizeof(range),
					 "a number that fits in %u bits with sign", bits);
			else
				snprintf(range, sizeof(range), "a number that fits in %u bits",
					 bits);
			return bad(x, e, range);
		}
		if (neg)
			*v = is_signed || bits == 64 ? 0 - *v : (0 - *v) & ((1ull << bits) - 1);
		return 0;
	}
	if (type == PT_ABSTIME)
		return filter_date(x->s, x->len, v)
			       ? 0
			       : bad(x, e,
				     "nanoseconds since the epoch or a date such as "
				     "\"2026-11-21 10:00:00\"");
	if (type == PT_RELTIME)
		return filter_duration(x->s, x->len, v)
			       ? 0
			       : bad(x, e, "nanoseconds or a duration such as 10ms or 1.5s");
	return bad(x, e, "a decimal number");
}

int filter_lit_double(const struct fexpr *x, double *v, struct err *e)
{
	char text[64], *end;
	uint32_t i, dots = 0;

	if (!x->len || x->len >= sizeof(text))
		return bad(x, e, "a number");
	for (i = 0; i < x->len; i++) {
		bool sign = i == 0 && (x->s[i] == '-' || x->s[i] == '+');

		dots += x->s[i] == '.';
		if (!sign && x->s[i] != '.' && (x->s[i] < '0' || x->s[i] > '9'))
			return bad(x, e, "a number");
	}
	memcpy(text, x->s, x->len);
	text[x->len] = '\0';
	*v = strtod(text, &end);
	return dots <= 1 && end == text + x->len ? 0 : bad(x, e, "a number");
}

/* Address text to bytes in network order; 4 or 16, 0 = neither. */
static unsigned address(const char *s, uint32_t len, uint8_t out[16])
{
	char text[64];

	if (len >= sizeof(text) || memchr(s, 0, len))
		return 0;
	memcpy(text, s, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

int filter_lit_addr(struct filter *f, const struct fexpr *x, uint8_t type, struct ftext *v,
		    struct err *e)
{
	uint8_t a[16];
	unsigned n = address(x->s, x->len, a);
	char *p;

	if (!n || (n == 4 && type == PT_IPV6ADDR) || (n == 16 && type == PT_IPV4ADDR))
		return bad(x, e,
			   type == PT_IPV6ADDR	 ? "an IPv6 address"
			   : type == PT_IPV4ADDR ? "an IPv4 address"
						 : "an IPv4 or IPv6 address");
	p = filter_alloc(f, n);
	if (!p)
		return filter_nomem(e);
	memcpy(p, a, n);
	*v = (struct ftext){p, n};
	return 0;
}

int filter_lit_net(const struct fexpr *x, struct fnet *v, struct err *e)
{
	const char *slash = memchr(x->s, '/', x->len);
	uint32_t n = slash ? (uint32_t)(slash - x->s) : 0;
	struct fnet net = {0};
	uint64_t bits;
	bool neg;

	if (slash)
		net.len = (uint8_t)address(x->s, n, net.addr);
	if (!net.len)
		return bad(x, e, "a network such as 10.0.0.0/8");
	if (!decimal(slash + 1, x->len - n - 1, &neg, &bits) || neg || bits > net.len * 8u)
		return bad(x, e,
			   net.len == 4 ? "a prefix length from 0 to 32"
					: "a prefix length from 0 to 128");
	net.bits = (uint8_t)bits;
	*v = net;
	return 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int filter_lit_hex(struct filter *f, const struct fexpr *x, struct ftext *v, struct err *e)
{
	char *p = filter_alloc(f, x->len / 2 + 1);

	if (!p)
		return filter_nomem(e);
	if (x->len % 2)
		return bad(x, e, "an even number of hex digits");
	for (uint32_t i = 0; i < x->len; i += 2) {
		int hi = nibble(x->s[i]), lo = nibble(x->s[i + 1]);

		if (hi < 0 || lo < 0)
			return bad(x, e, "hex digits");
		p[i / 2] = (char)(hi * 16 + lo);
	}
	*v = (struct ftext){p, x->len / 2};
	return 0;
}
