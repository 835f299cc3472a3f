#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "live/scan_int.h"

enum { FD_IPV4 = 3, FD_IPV6, FD_IPV4_SERVER, FD_IPV6_SERVER, FD_UNIX = 8, FD_NETLINK = 15 };
enum { L4_TCP = 2, L4_UDP, L4_ICMP, L4_RAW };

static struct net_socket *add(struct net_table *t)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct net_socket *s = realloc(t->s, cap * sizeof(*s));

		if (!s)
			return NULL;
		t->s = s;
		t->cap = cap;
	}
	memset(&t->s[t->n], 0, sizeof(t->s[0]));
	return &t->s[t->n++];
}

static FILE *open_table(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, name);
	return fopen(path, "re");
}

/* "0100007F:1F90": 32-bit words in the machine's order. */
static bool parse_end(const char *s, uint8_t *ip, uint16_t *port, int words)
{
	unsigned v;

	for (int i = 0; i < words; i++, s += 8) {
		uint32_t w;

		if (sscanf(s, "%8x", &v) != 1)
			return false;
		w = v;
		memcpy(ip + 4 * i, &w, 4);
	}
	if (sscanf(s, ":%x", &v) != 1)
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && !p[n - 1])
		n--;
	return n == 0;
}

static void read_inet(struct net_table *t, pid_t pid, const char *name, uint8_t l4, bool v6)
{
	char line[512], local[64], peer[64];
	unsigned long long ino;
	FILE *f = open_table(pid, name);

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		struct net_socket *s;

		if (sscanf(line, " %*d: %63s %63s %*s %*s %*s %*s %*s %*s %llu", local, peer,
			   &ino) != 3 ||
		    !ino)
			continue;
		s = add(t);
		if (!s)
			break;
		s->ino = ino;
		s->fd.l4proto = l4;
		if (!parse_end(local, s->fd.sip, &s->fd.sport, v6 ? 4 : 1) ||
		    !parse_end(peer, s->fd.dip, &s->fd.dport, v6 ? 4 : 1)) {
			t->n--;
			continue;
		}
		if (is_zero(s->fd.dip, v6 ? 16 : 4) && !s->fd.dport)
			s->fd.type = v6 ? FD_IPV6_SERVER : FD_IPV4_SERVER;
		else
			s->fd.type = v6 ? FD_IPV6 : FD_IPV4;
	}
	fclose(f);
}

static void read_unix(struct net_table *t, pid_t pid)
{
	char line[512];
	FILE *f = open_table(pid, "unix");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		unsigned long long num, ino;
		struct net_socket *s;
		int at = 0;

		if (sscanf(line, "%llx: %*x %*x %*x %*x %*x %llu%n", &num, &ino, &at) != 2)
			continue;
		s = add(t);
		if (!s)
			break;
		s->ino = ino;
		s->fd.type = FD_UNIX;
		s->fd.unix_source = num;
		line[strcspn(line, "\n")] = 0;
		if (line[at] == ' ') {
			s->name_off = (uint32_t)t->names.len;
			buf_put(&t->names, line + at + 1, strlen(line + at + 1) + 1);
		}
	}
	fclose(f);
}

static void read_netlink(struct net_table *t, pid_t pid)
{
	char line[512];
	FILE *f = open_table(pid, "netlink");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		unsigned long long ino;
		struct net_socket *s;

		if (sscanf(line, "%*x %*d %*d %*x %*d %*d %*d %*d %*d %llu", &ino) != 1)
			continue;
		s = add(t);
		if (!s)
			break;
		s->ino = ino;
		s->fd.type = FD_NETLINK;
	}
	fclose(f);
}

static int by_ino(const void *a, const void *b)
{
	uint64_t x = ((const struct net_socket *)a)->ino, y = ((const struct net_socket *)b)->ino;

	return x < y ? -1 : x > y;
}

static void read_tables(struct net_table *t, pid_t pid)
{
	buf_put(&t->names, "", 1); /* offset 0 = no name */
	read_inet(t, pid, "tcp", L4_TCP, false);
	read_inet(t, pid, "udp", L4_UDP, false);
	read_inet(t, pid, "icmp", L4_ICMP, false);
	read_inet(t, pid, "raw", L4_RAW, false);
	read_inet(t, pid, "tcp6", L4_TCP, true);
	read_inet(t, pid, "udp6", L4_UDP, true);
	read_inet(t, pid, "icmp6", L4_ICMP, true);
	read_inet(t, pid, "raw6", L4_RAW, true);
	read_unix(t, pid);
	read_netlink(t, pid);
	if (t->n)
		qsort(t->s, t->n, sizeof(*t->s), by_ino);
}

struct net_table *net_table_of(struct net_table **list, pid_t pid)
{
	char path[64];
	struct stat st;
	struct net_table *t;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat(path, &st))
		return NULL;
	for (t = *list; t; t = t->next)
		if (t->ns == st.st_ino)
			return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	buf_init(&t->names);
	t->ns = st.st_ino;
	read_tables(t, pid);
	t->next = *list;
	*list = t;
	return t;
}

const struct net_socket *net_find(const struct net_table *t, uint64_t ino)
{
	struct net_socket key = {.ino = ino};

	return t && t->n ? bsearch(&key, t->s, t->n, sizeof(*t->s), by_ino) : NULL;
}

void net_tables_free(struct net_table *list)
{
	while (list) {
		struct net_table *next = list->next;

		free(list->s);
		buf_fini(&list->names);
		free(list);
		list = next;
	}
}
