#include "state/state.h"

#include <assert.h>
#include <stdlib.h>

#include "state/state_priv.h"

static const struct {
	char letter;
	const char *name;
} kinds[] = {
	[FDK_UNKNOWN] = {'o', NULL},
	[FDK_FILE] = {'f', "file"},
	[FDK_DIRECTORY] = {'d', "directory"},
	[FDK_IPV4] = {'4', "ipv4"},
	[FDK_IPV6] = {'6', "ipv6"},
	[FDK_IPV4_SERV] = {'4', "ipv4"},
	[FDK_IPV6_SERV] = {'6', "ipv6"},
	[FDK_FIFO] = {'p', "pipe"},
	[FDK_UNIX] = {'u', "unix"},
	[FDK_EVENT] = {'e', "event"},
	[FDK_UNSUPPORTED] = {'X', NULL},
	[FDK_SIGNALFD] = {'s', "signalfd"},
	[FDK_EVENTPOLL] = {'l', "eventpoll"},
	[FDK_INOTIFY] = {'i', "inotify"},
	[FDK_TIMERFD] = {'t', "timerfd"},
	[FDK_NETLINK] = {'n', "netlink"},
	[FDK_FILE_V2] = {'f', "file"},
	[FDK_BPF] = {'b', "bpf"},
	[FDK_USERFAULTFD] = {'u', "userfaultfd"},
	[FDK_IO_URING] = {'r', "io_uring"},
	[FDK_MEMFD] = {'m', "memfd"},
	[FDK_PIDFD] = {'P', "pidfd"},
};

char fd_kind_letter(unsigned kind)
{
	return kind < ARRAY_SIZE(kinds) ? kinds[kind].letter : '?';
}

const char *fd_kind_name(unsigned kind)
{
	return kind < ARRAY_SIZE(kinds) ? kinds[kind].name : NULL;
}

/* The high bit of bytes of x that are c; bytes behind one that is may be taken for it, too. */
static ALWAYS_INLINE uint64_t bytes_like(uint64_t x, uint8_t c)
{
	const uint64_t ones = 0x0101010101010101;

	x ^= ones * c;
	return (x - ones) & ~x & ones << 7;
}

/* Whether a slash of p stands before another one or before a dot. len >= 9: eight at a time, the last ones twice. */
static bool has_odd_component(const char *p, size_t len)
{
	for (size_t i = 0;; i = MIN(i + 8, len - 9)) {
		uint64_t here = load_u64(p + i), next = load_u64(p + i + 1);

		static_assert(('.' | 1) == '/', "one test for both");
		if (bytes_like(here, '/') & bytes_like(next | 0x0101010101010101, '/'))
			return true;
		if (i == len - 9)
			return false;
	}
}

static bool shows_odd_029(const char *p, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (p[i] < 0x20 || p[i] > 0x7e ||
		    (p[i] == '.' && (i + 1 == len || p[i + 1] == '.' || p[i + 1] == '/')))
			return true;
	return false;
}

/* True if joining would give p back: absolute, no empty, "." or ".." component, no trailing slash,
 * and nothing that 0.29.3 shows as '.'. Dots are looked at loosely: a false "no" only costs a copy.
 */
static bool is_clean(const char *p, size_t len, bool compat029)
{
	if (len == 0 || len > 1000 || *p != '/')
		return false;
	if (len >= 9 && has_odd_component(p, len))
		return false;
	for (size_t i = 1; i < len && len < 9; i++)
		if (p[i - 1] == '/' && (p[i] == '/' || p[i] == '.'))
			return false;
	return !(compat029 && shows_odd_029(p, len)) && (len == 1 || p[len - 1] != '/');
}

static struct rstr *new_name(const char *s, size_t len)
{
	struct rstr *n = malloc(sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	n->ref = 1;
	n->len = (uint32_t)len;
	memcpy(n->s, s, len);
	n->s[len] = 0;
	return n;
}

/* A name that is no path, as 0.29.3 shows it: without the bytes that do not print. raw itself if it
 * has none. */
static struct rstr *printable(struct rstr *raw)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < raw->len && raw->s[i] >= 0x20 && raw->s[i] <= 0x7e; i++)
		;
	if (i == raw->len)
		return raw;
	struct rstr *s = new_name(raw->s, raw->len);
	for (i = 0; s && i < raw->len; i++)
		if (raw->s[i] >= 0x20 && raw->s[i] <= 0x7e)
			s->s[n++] = raw->s[i];
	if (s) {
		s->s[n] = 0;
		s->len = (uint32_t)n;
	}
	return s;
}

/* The text of f's name: raw itself, or one made by malloc. NULL when memory is out. */
static struct rstr *build_name(const struct fd_ver *f, bool compat029)
{
	char buf[1280];
	size_t len;

	if (f->flags & FDF_TUPLE_NAME) {
		len = fd_tuple_text(buf, sizeof(buf), f);
	} else {
		if (!f->base)
			return printable(f->raw);
		if (f->base->len == 0 && is_clean(f->raw->s, f->raw->len, compat029))
			return f->raw;
		len = path_join(buf, f->base->s, f->base->len, f->raw->s, f->raw->len, compat029);
	}
	return new_name(buf, len);
}

/* NULL when memory is out. */
static const struct rstr *name_of(const struct fd_ver *f, bool compat029)
{
	struct rstr *_Atomic *slot = (struct rstr * _Atomic *)&f->name;
	/* acquire: pairs with the release below; the text was written by another worker */
	struct rstr *s = atomic_load_explicit(slot, memory_order_acquire);

	if (!s && !compat029 && !f->base && !(f->flags & FDF_TUPLE_NAME))
		s = f->raw;
	if (!s) {
		struct rstr *mine = build_name(f, compat029);
		if (!mine)
			return NULL;
		/* Workers may build the same text at the same time: one is kept, it is freed with
		 * f. */
		if (atomic_compare_exchange_strong_explicit(slot, &s, mine, memory_order_acq_rel,
							    memory_order_acquire))
			s = mine;
		else if (mine != f->raw)
			free(mine);
	}
	return s;
}

const char *fd_ver_name(const struct fd_ver *f, bool compat029, uint32_t *len)
{
	const struct rstr *s = name_of(f, compat029);

	s = s ? s : f->raw; /* out of memory: the part we have */
	*len = s->len;
	return s->s;
}

const char *fd_name_now(struct apply *a, const struct fd_ver *f, bool compat029, uint32_t *len)
{
	const struct rstr *s = name_of(f, compat029);

	a->m->failed |= !s;
	s = s ? s : f->raw;
	*len = s->len;
	return s->s;
}
