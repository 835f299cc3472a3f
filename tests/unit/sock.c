/* Addresses of sockets: reading, taking over, patching, writing. Whole conversations are in
 * tests/diff/crafted.py, against sysdig 0.29.3. */
#include "state/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <stdio.h>

#include <cmocka.h>

struct wire {
	uint8_t b[64];
	uint32_t n;
};

static void put_end(struct wire *w, const char *ip, uint16_t port)
{
	bool v6 = strchr(ip, ':') != NULL;

	inet_pton(v6 ? AF_INET6 : AF_INET, ip, w->b + w->n);
	w->n += v6 ? 16 : 4;
	memcpy(w->b + w->n, &port, 2);
	w->n += 2;
}

static struct wire tuple(const char *sip, uint16_t sport, const char *dip, uint16_t dport)
{
	struct wire w = {{strchr(sip, ':') ? SOCK_INET6 : SOCK_INET}, 1};

	put_end(&w, sip, sport);
	put_end(&w, dip, dport);
	return w;
}

static struct wire addr(const char *ip, uint16_t port)
{
	struct wire w = {{strchr(ip, ':') ? SOCK_INET6 : SOCK_INET}, 1};

	put_end(&w, ip, port);
	return w;
}

/* "1.2.3.4:5>6.7.8.9:80" */
static struct sock_ends ends(const char *text)
{
	char sip[64], dip[64];
	unsigned sport, dport;
	struct sock_ends e;

	assert_int_equal(sscanf(text, "%63[^#]#%u>%63[^#]#%u", sip, &sport, dip, &dport), 4);
	struct wire w = tuple(sip, (uint16_t)sport, dip, (uint16_t)dport);
	assert_true(sock_ends_parse(&e, w.b, w.n, true));
	return e;
}

static struct fd_ver sock(const char *text, unsigned l4)
{
	struct sock_ends e = ends(text);
	struct fd_ver f = {.kind = e.v6 ? FDK_IPV6 : FDK_IPV4, .l4proto = (uint8_t)l4, .raw = NULL};

	memcpy(f.sip, e.sip, 16);
	memcpy(f.dip, e.dip, 16);
	f.sport = e.sport;
	f.dport = e.dport;
	f.flags = FDF_TUPLE_NAME;
	return f;
}

/* ---- texts ---- */

static void test_tuple_text(void **ctx)
{
	struct wire w = tuple("1.2.3.4", 5, "255.10.0.1", 65535);
	char out[SOCK_TEXT_MAX];

	assert_int_equal(sock_tuple_text(out, sizeof(out), w.b, w.n),
			 strlen("1.2.3.4:5->255.10.0.1:65535"));
	assert_string_equal(out, "1.2.3.4:5->255.10.0.1:65535");
	w = tuple("::1", 5, "fe80::2", 6);
	sock_tuple_text(out, sizeof(out), w.b, w.n);
	assert_string_equal(out, "::1:5->fe80::2:6");
	w = tuple("::ffff:1.2.3.4", 5, "::ffff:6.7.8.9", 10);
	sock_tuple_text(out, sizeof(out), w.b, w.n);
	assert_string_equal(out, "1.2.3.4:5->6.7.8.9:10");
	w = tuple("::", 5, "::ffff:6.7.8.9", 10);
	sock_tuple_text(out, sizeof(out), w.b, w.n);
	assert_string_equal(out, "0.0.0.0:5->6.7.8.9:10");
	sock_tuple_text(out, sizeof(out), (const uint8_t *)"\x02zz", 3);
	assert_string_equal(out, "INVALID IPv4");
	sock_tuple_text(out, sizeof(out), w.b, w.n - 1);
	assert_string_equal(out, "INVALID IPv6");
	sock_tuple_text(out, sizeof(out), NULL, 0);
	assert_string_equal(out, "NULL");
	sock_tuple_text(out, sizeof(out), (const uint8_t *)"\x0b", 1);
	assert_string_equal(out, "family 11");
	sock_tuple_text(out, sizeof(out),
			(const uint8_t *)"\1\0\0\0\0\0\0\0\0\0\x20\x84\x3c\0\x88\xff\xff/path", 23);
	assert_string_equal(out, "0->ffff88003c842000 /path");
	sock_tuple_text(out, sizeof(out), (const uint8_t *)"\1\0\0", 3);
	assert_string_equal(out, "");
}

static void test_text_is_cut(void **ctx)
{
	struct wire w = tuple("1.2.3.4", 5, "6.7.8.9", 10);
	char out[SOCK_TEXT_MAX];
	uint8_t path[3000];

	for (size_t cap = 1; cap < 30; cap++) {
		memset(out, 'z', sizeof(out));
		size_t n = sock_tuple_text(out, cap, w.b, w.n);
		assert_true(n < cap);
		assert_int_equal(out[n], 0);
		assert_int_equal(out[cap], 'z');
	}
	memset(path, 'p', sizeof(path));
	path[0] = SOCK_UNIX;
	assert_int_equal(sock_addr_text(out, sizeof(out), path, sizeof(path)), sizeof(out) - 1);
}

static void test_addr_text(void **ctx)
{
	static const struct {
		const char *ip;
		const char *text;
	} t[] = {{"1.2.3.4", "1.2.3.4:80"},
		 {"::1", "::1:80"},
		 {"::", ":::80"},
		 {"::ffff:1.2.3.4", "::ffff:1.2.3.4:80"},
		 {"::1.2.3.4", "::1.2.3.4:80"}};
	char out[SOCK_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct wire w = addr(t[i].ip, 80);
		sock_addr_text(out, sizeof(out), w.b, w.n);
		assert_string_equal(out, t[i].text);
	}
	sock_addr_text(out, sizeof(out), (const uint8_t *)"\1/run/x\0more", 12);
	assert_string_equal(out, "/run/x");
	sock_addr_text(out, sizeof(out), (const uint8_t *)"\1", 1);
	assert_string_equal(out, "");
	sock_addr_text(out, sizeof(out), NULL, 0);
	assert_string_equal(out, "NULL");
}

static void test_fd_text(void **ctx)
{
	static const struct {
		const char *ends;
		unsigned l4;
		const char *text, *from_proc;
	} t[] = {
		{"1.2.3.4#5>6.7.8.9#80", L4_TCP, "1.2.3.4:5->6.7.8.9:80", "1.2.3.4:5->6.7.8.9:80"},
		{"1.2.3.4#5>6.7.8.9#80", L4_ICMP, "1.2.3.4->6.7.8.9", "1.2.3.4:5->6.7.8.9:80"},
		{"1.2.3.4#5>6.7.8.9#80", L4_RAW, "1.2.3.4->6.7.8.9", "1.2.3.4:5->6.7.8.9:80"},
		{"1.2.3.4#5>6.7.8.9#80", L4_UNKNOWN, "<unknown>", "1.2.3.4:5->6.7.8.9:80"},
		{"::1#5>::2#80", L4_UDP, "::1:5->::2:80", "::1:5->::2:80"},
		{"::1#5>::2#80", L4_ICMP, "::1->::2", "::1:5->::2:80"},
		{"::1#5>::2#80", L4_RAW, "<unknown>", "::1:5->::2:80"},
	};
	char out[SOCK_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct fd_ver f = sock(t[i].ends, t[i].l4);
		fd_tuple_text(out, sizeof(out), &f);
		assert_string_equal(out, t[i].text);
		f.flags |= FDF_FROM_PROC;
		fd_tuple_text(out, sizeof(out), &f);
		assert_string_equal(out, t[i].from_proc);
	}
	struct fd_ver f = sock("1.2.3.4#5>6.7.8.9#80", L4_TCP);
	f.kind = FDK_IPV4_SERV;
	fd_tuple_text(out, sizeof(out), &f);
	assert_string_equal(out, "1.2.3.4:5");
}

/* ---- taking ends over ---- */

static const struct {
	const char *what, *old, *event;
	bool force, changed;
	const char *now;
} moves[] = {
	{"fresh", "0.0.0.0#0>0.0.0.0#0", "1.2.3.4#5>6.7.8.9#80", false, true,
	 "1.2.3.4:5->6.7.8.9:80"},
	{"same", "1.2.3.4#5>6.7.8.9#80", "1.2.3.4#5>6.7.8.9#80", false, false,
	 "1.2.3.4:5->6.7.8.9:80"},
	{"swapped", "1.2.3.4#5>6.7.8.9#80", "6.7.8.9#80>1.2.3.4#5", false, false,
	 "1.2.3.4:5->6.7.8.9:80"},
	{"destination stays", "1.2.3.4#5>6.7.8.9#80", "1.2.3.4#5>9.9.9.9#81", false, false,
	 "1.2.3.4:5->6.7.8.9:80"},
	{"connect again", "1.2.3.4#5>6.7.8.9#80", "1.2.3.4#5>9.9.9.9#81", true, true,
	 "1.2.3.4:5->9.9.9.9:81"},
	{"source goes", "1.2.3.4#5>6.7.8.9#80", "0.0.0.0#0>9.9.9.9#81", false, true,
	 "0.0.0.0:0->6.7.8.9:80"},
	{"port alone", "1.2.3.4#5>6.7.8.9#0", "1.2.3.4#5>9.9.9.9#81", false, true,
	 "1.2.3.4:5->6.7.8.9:81"},
	{"address alone", "1.2.3.4#5>0.0.0.0#80", "1.2.3.4#5>9.9.9.9#81", false, true,
	 "1.2.3.4:5->9.9.9.9:80"},
	{"nothing new but a part is missing", "1.2.3.4#5>6.7.8.9#0", "1.2.3.4#5>9.9.9.9#0", false,
	 true, "1.2.3.4:5->6.7.8.9:0"},
	{"ipv6", "::1#0>fe80::1#80", "::2#1>fe80::2#81", false, true, "::2:1->fe80::1:80"},
};

static void test_set_ends(void **ctx)
{
	char out[SOCK_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		struct fd_ver f = sock(moves[i].old, L4_UDP);
		struct sock_ends e = ends(moves[i].event);

		print_message("%s\n", moves[i].what);
		assert_int_equal(sock_set_ends(&f, &e, moves[i].force), moves[i].changed);
		fd_tuple_text(out, sizeof(out), &f);
		assert_string_equal(out, moves[i].now);
	}
}

static void test_kind_change_clears(void **ctx)
{
	struct fd_ver f = sock("1.2.3.4#5>6.7.8.9#80", L4_UDP);
	struct sock_ends e = ends("10.0.0.9#4000>10.0.0.5#53");
	char out[SOCK_TEXT_MAX];
	struct wire w = addr("0.0.0.0", 53);

	/* A UDP server: 0.29.3 reads the old port as an address here (10.0.0.9:4000->53.0.3.0:53).
	 */
	assert_true(sock_addr_parse(&(struct sock_ends){0}, w.b, w.n));
	sock_set_server(&f, &(struct sock_ends){.dport = 53});
	assert_int_equal(f.kind, FDK_IPV4_SERV);
	assert_int_equal(f.l4proto, L4_UDP);
	fd_tuple_text(out, sizeof(out), &f);
	assert_string_equal(out, "0.0.0.0:53");
	sock_become(&f, false, false);
	assert_true(sock_set_ends(&f, &e, false));
	fd_tuple_text(out, sizeof(out), &f);
	assert_string_equal(out, "10.0.0.9:4000->10.0.0.5:53");
	sock_swap(&f);
	fd_tuple_text(out, sizeof(out), &f);
	assert_string_equal(out, "10.0.0.5:53->10.0.0.9:4000");
}

/* ---- interfaces ---- */

static struct iface iface(const char *ip, const char *mask)
{
	struct iface i = {.v6 = strchr(ip, ':') != NULL};

	inet_pton(i.v6 ? AF_INET6 : AF_INET, ip, i.addr);
	inet_pton(i.v6 ? AF_INET6 : AF_INET, mask, i.mask);
	return i;
}

static void test_patch(void **ctx)
{
	const struct iface ifs[] = {
		iface("127.0.0.1", "255.0.0.0"),
		iface("10.0.0.5", "255.255.255.0"),
		iface("192.168.1.7", "255.255.0.0"),
		iface("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		iface("fd00::5", "ffff:ffff:ffff:ffff::"),
	};
	static const struct {
		const char *ends, *now, *alone; /* alone: without interfaces */
	} t[] = {
		{"0.0.0.0#0>8.8.8.8#53", "10.0.0.5:0->8.8.8.8:53", "0.0.0.0:0->8.8.8.8:53"},
		{"0.0.0.0#0>192.168.9.9#53", "192.168.1.7:0->192.168.9.9:53",
		 "0.0.0.0:0->192.168.9.9:53"},
		{"0.0.0.0#0>127.0.0.2#53", "127.0.0.1:0->127.0.0.2:53", "0.0.0.0:0->127.0.0.2:53"},
		{"0.0.0.0#1>192.168.1.7#53", "192.168.1.7:1->192.168.1.7:53",
		 "0.0.0.0:1->192.168.1.7:53"},
		{"0.0.0.0#53>192.168.1.7#53", "0.0.0.0:53->192.168.1.7:53",
		 "0.0.0.0:53->192.168.1.7:53"},
		{"8.8.8.8#53>0.0.0.0#1", "8.8.8.8:53->10.0.0.5:1", "8.8.8.8:53->0.0.0.0:1"},
		{"0.0.0.0#1>0.0.0.0#2", "10.0.0.5:1->0.0.0.0:2", "0.0.0.0:1->0.0.0.0:2"},
		{"1.1.1.1#1>2.2.2.2#2", "1.1.1.1:1->2.2.2.2:2", "1.1.1.1:1->2.2.2.2:2"},
		{"::#1>2001:db8::1#2", "fd00::5:1->2001:db8::1:2", ":::1->2001:db8::1:2"},
		{"::#1>::1#2", "::1:1->::1:2", ":::1->::1:2"},
	};
	char out[SOCK_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct fd_ver f = sock(t[i].ends, L4_UDP);
		sock_patch(&f, ifs, ARRAY_SIZE(ifs));
		fd_tuple_text(out, sizeof(out), &f);
		assert_string_equal(out, t[i].now);
		f = sock(t[i].ends, L4_UDP);
		sock_patch(&f, NULL, 0);
		fd_tuple_text(out, sizeof(out), &f);
		assert_string_equal(out, t[i].alone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tuple_text), cmocka_unit_test(test_text_is_cut),
		cmocka_unit_test(test_addr_text),  cmocka_unit_test(test_fd_text),
		cmocka_unit_test(test_set_ends),   cmocka_unit_test(test_kind_change_clears),
		cmocka_unit_test(test_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
