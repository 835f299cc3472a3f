#include "source/meta.h"

#include <stdio.h>

#include "source/block.h"

/* ---- reading fields ------------------------------------------------------------------------- */

/* Reads fields from p up to end. The first field that does not fit is remembered in .what and makes
 * all later reads give zero, so that a decoder checks once per entry. */
struct cur {
	const uint8_t *base; /* the block, for offsets */
	const uint8_t *p, *end;
	const char *entry;   /* kind of entry, for messages */
	const char *what;    /* NULL, or the field that is wrong */
	const uint8_t *at;   /* where that is */
	uint64_t got, limit; /* numbers of the complaint */
	enum complaint { ENDS, TOO_LONG, TOO_SHORT, NOT_KNOWN } complaint;
};

/* What is wrong with a field, from .got and .limit. */
static const char *const complaints[] = {
	[ENDS] = "%s: %s: expected %llu bytes, %llu are left",
	[TOO_LONG] = "%s: %s: got %llu bytes, expected at most %llu",
	[TOO_SHORT] = "%s: %s: got %llu bytes, expected at least %llu",
	[NOT_KNOWN] = "%s: %s: got %llu, the greatest known is %llu",
};

static size_t cur_left(const struct cur *c)
{
	return (size_t)(c->end - c->p);
}

static void cur_bad(struct cur *c, const char *what, enum complaint complaint, uint64_t got,
		    uint64_t limit)
{
	if (c->what)
		return;
	c->what = what;
	c->at = c->p;
	c->complaint = complaint;
	c->got = got;
	c->limit = limit;
}

static const uint8_t *cur_take(struct cur *c, size_t n, const char *what)
{
	const uint8_t *p = c->p;

	if (n > cur_left(c))
		cur_bad(c, what, ENDS, n, cur_left(c));
	if (c->what)
		return NULL;
	c->p += n;
	return p;
}

static uint8_t cur_u8(struct cur *c, const char *what)
{
	const uint8_t *p = cur_take(c, 1, what);

	return p ? *p : 0;
}

static uint16_t cur_u16(struct cur *c, const char *what)
{
	const uint8_t *p = cur_take(c, 2, what);

	return p ? load_u16(p) : 0;
}

static uint32_t cur_u32(struct cur *c, const char *what)
{
	const uint8_t *p = cur_take(c, 4, what);

	return p ? load_u32(p) : 0;
}

static uint64_t cur_u64(struct cur *c, const char *what)
{
	const uint8_t *p = cur_take(c, 8, what);

	return p ? load_u64(p) : 0;
}

static void cur_bytes(struct cur *c, void *dst, size_t n, const char *what)
{
	const uint8_t *p = cur_take(c, n, what);

	if (p)
		memcpy(dst, p, n);
}

static struct text cur_text(struct cur *c, uint32_t len, uint32_t max, const char *what)
{
	struct text t = {"", 0};

	if (len > max)
		cur_bad(c, what, TOO_LONG, len, max);
	const uint8_t *p = cur_take(c, len, what);
	if (p) {
		t.p = (const char *)p;
		t.len = len;
	}
	return t;
}

/* A text preceded by its 16-bit length. */
static struct text cur_str(struct cur *c, uint32_t max, const char *what)
{
	return cur_text(c, cur_u16(c, what), max, what);
}

static int cur_fail(const struct cur *c, struct err *e)
{
	return err_set(e, ERR_FORMAT, (uint64_t)(c->at - c->base), complaints[c->complaint],
		       c->entry, c->what, (unsigned long long)c->got, (unsigned long long)c->limit);
}

/* The entry at the start of c becomes *sub, bounded by its length field if the version has one;
 * c moves behind it. own = the bytes of the length field that it counts itself. Entries without a
 * length field take what they need: cur_leave moves c then. */
static void cur_enter(struct cur *c, struct cur *sub, bool sized, uint32_t own)
{
	*sub = *c;
	if (!sized)
		return;
	uint64_t n = cur_u32(sub, "entry length");
	sub->p = c->p; /* so that a complaint points at the entry */
	if (n < own)
		cur_bad(sub, "entry length", TOO_SHORT, n, own);
	else if (n - own > cur_left(sub) - 4)
		cur_bad(sub, "entry length", TOO_LONG, n, cur_left(sub) - 4 + own);
	if (sub->what)
		return;
	sub->p += 4;
	sub->end = sub->p + (n - own);
	c->p = sub->end;
}

static void cur_leave(struct cur *c, const struct cur *sub, bool sized)
{
	if (!sized)
		c->p = sub->p;
}

/* ---- machine -------------------------------------------------------------------------------- */

static int decode_machine(struct cur *c, const struct meta_visitor *v, struct err *e)
{
	struct meta_machine m = {0};

	c->entry = "machine info";
	m.num_cpus = cur_u32(c, "number of cpus");
	m.memory_bytes = cur_u64(c, "memory size");
	m.max_pid = cur_u64(c, "highest pid");
	cur_bytes(c, m.hostname, 128, "host name");
	m.boot_ts = cur_u64(c, "boot time");
	m.flags = cur_u64(c, "flags");
	cur_take(c, 16, "reserved fields");
	if (c->what)
		return cur_fail(c, e);
	return v->machine ? v->machine(v->ctx, &m) : 0;
}

/* ---- processes ------------------------------------------------------------------------------ */

enum { TEXT_SHORT = 1024, TEXT_LONG = 4096, NAME_MAX_BYTES = 1023, USER_MAX_BYTES = 255 };

/* The fields that every entry of a version has. */
static void thread_fields(struct cur *c, struct meta_thread *t, unsigned version)
{
	t->tid = cur_u64(c, "tid");
	t->pid = cur_u64(c, "pid");
	t->ptid = cur_u64(c, "ptid");
	t->sid = version >= 6 ? (int64_t)cur_u64(c, "sid") : -1;
	t->vpgid = version >= 8 ? (int64_t)cur_u64(c, "vpgid") : -1;
	t->comm = cur_str(c, TEXT_SHORT, "comm");
	t->exe = cur_str(c, TEXT_SHORT, "exe");
	if (version >= 7)
		t->exepath = cur_str(c, TEXT_SHORT, "exepath");
	t->args = cur_str(c, TEXT_LONG, "args");
	t->cwd = cur_str(c, TEXT_SHORT, "cwd");
	t->fdlimit = cur_u64(c, "fdlimit");
	t->flags = cur_u32(c, "flags");
	t->uid = cur_u32(c, "uid");
	t->gid = cur_u32(c, "gid");
	if (version >= 2) {
		t->vmsize_kb = cur_u32(c, "vmsize_kb");
		t->vmrss_kb = cur_u32(c, "vmrss_kb");
		t->vmswap_kb = cur_u32(c, "vmswap_kb");
		t->pfmajor = cur_u64(c, "pfmajor");
		t->pfminor = cur_u64(c, "pfminor");
	}
	if (version >= 3)
		t->env = cur_str(c, TEXT_LONG, "env");
	t->vtid = version >= 4 ? (int64_t)cur_u64(c, "vtid") : -1;
	t->vpid = version >= 4 ? (int64_t)cur_u64(c, "vpid") : -1;
	if (version >= 4)
		t->cgroups = cur_str(c, TEXT_LONG, "cgroups");
	if (version >= 5)
		t->root = cur_str(c, TEXT_SHORT, "root");
}

/* Little-endian integer of n bytes if the tail still has that many; 0 and false end the tail. */
static bool tail_int(struct cur *c, size_t n, uint64_t *v)
{
	if (cur_left(c) < n) {
		c->p = c->end;
		return false;
	}
	*v = 0;
	memcpy(v, c->p, n);
	c->p += n;
	return true;
}

/* The tail of a v9 entry. Two fields were once inserted in its middle, and only its size tells
 * which layout it has: writers before that never had more than 29 bytes. */
static void thread_tail(struct cur *c, struct meta_thread *t)
{
	enum { OLD_TAIL_MAX = 29 };
	uint64_t v;
	bool old = cur_left(c) <= OLD_TAIL_MAX;

	if (!old && tail_int(c, 8, &v))
		t->pidns_init_start_ts = v;
	if (!old && tail_int(c, 4, &v))
		t->tty = (uint32_t)v;
	if (tail_int(c, 4, &v))
		t->loginuid = (uint32_t)v;
	if (tail_int(c, 1, &v))
		t->exe_writable = v != 0;
	if (tail_int(c, 8, &v))
		t->cap_inheritable = v;
	if (tail_int(c, 8, &v))
		t->cap_permitted = v;
	if (tail_int(c, 8, &v))
		t->cap_effective = v;
	if (tail_int(c, 1, &v))
		t->exe_upper_layer = v != 0;
	if (tail_int(c, 8, &v))
		t->exe_ino = v;
	if (tail_int(c, 8, &v))
		t->exe_ino_ctime = v;
	if (tail_int(c, 8, &v))
		t->exe_ino_mtime = v;
	if (tail_int(c, 1, &v))
		t->exe_from_memfd = v != 0;
	if (tail_int(c, 1, &v))
		t->exe_lower_layer = v != 0;
	if (tail_int(c, 8, &v))
		t->pgid = (int64_t)v;
}

static int decode_threads(struct cur *c, unsigned version, const struct meta_visitor *v,
			  struct err *e)
{
	bool sized = version >= 9;

	c->entry = "process list entry";
	while (cur_left(c) >= 4) {
		struct text none = {"", 0};
		struct meta_thread t = {.exepath = none,
					.env = none,
					.cgroups = none,
					.root = none,
					.pgid = -1,
					.loginuid = UINT32_MAX};
		struct cur sub;

		cur_enter(c, &sub, sized, 4);
		thread_fields(&sub, &t, version);
		if (sized && !sub.what)
			thread_tail(&sub, &t);
		if (sub.what)
			return cur_fail(&sub, e);
		cur_leave(c, &sub, sized);
		int r = v->thread ? v->thread(v->ctx, &t) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static void fd_socket(struct cur *c, struct meta_fd *f, size_t addr_len, bool server)
{
	cur_bytes(c, f->sip, addr_len, "source address");
	if (!server)
		cur_bytes(c, f->dip, addr_len, "destination address");
	f->sport = cur_u16(c, "source port");
	if (!server)
		f->dport = cur_u16(c, "destination port");
	f->l4proto = cur_u8(c, "protocol");
}

/* What follows the type. An unknown type is skipped by the entry's length and named after its
 * number; buf holds that name. */
static void fd_data(struct cur *c, struct meta_fd *f, bool sized, char *buf, size_t cap)
{
	switch (f->type) {
	case MFD_UNKNOWN:
		return;
	case MFD_IPV4:
	case MFD_IPV4_SERVER:
		fd_socket(c, f, 4, f->type == MFD_IPV4_SERVER);
		return;
	case MFD_IPV6:
	case MFD_IPV6_SERVER:
		fd_socket(c, f, 16, f->type == MFD_IPV6_SERVER);
		return;
	case MFD_UNIX:
		f->unix_source = cur_u64(c, "unix source");
		f->unix_dest = cur_u64(c, "unix destination");
		break;
	case MFD_FILE_V2:
		f->openflags = cur_u32(c, "open flags");
		f->name = cur_str(c, NAME_MAX_BYTES, "name");
		if (sized && !c->what && cur_left(c) >= 4)
			f->dev = cur_u32(c, "device");
		return;
	default:
		if (f->type <= MFD_LAST)
			break;
		if (!sized) {
			cur_bad(c, "fd type", NOT_KNOWN, f->type, MFD_LAST);
			return;
		}
		f->name.len = (uint32_t)snprintf(buf, cap, "unknown-type:[%u]", f->type);
		f->name.p = buf;
		f->type = MFD_UNSUPPORTED;
		return;
	}
	f->name = cur_str(c, NAME_MAX_BYTES, "name");
}

static int decode_fds(struct cur *c, bool sized, const struct meta_visitor *v, struct err *e)
{
	c->entry = "fd list";
	uint64_t tid = cur_u64(c, "tid");

	if (c->what)
		return cur_fail(c, e);
	c->entry = "fd list entry";
	while (cur_left(c) >= 4) {
		struct meta_fd f = {.tid = tid, .name = {"", 0}};
		char unknown[32];
		struct cur sub;

		cur_enter(c, &sub, sized, 4);
		f.fd = (int64_t)cur_u64(&sub, "fd number");
		f.ino = cur_u64(&sub, "inode");
		f.type = cur_u8(&sub, "fd type");
		fd_data(&sub, &f, sized, unknown, sizeof(unknown));
		if (sub.what)
			return cur_fail(&sub, e);
		cur_leave(c, &sub, sized);
		int r = v->fd ? v->fd(v->ctx, &f) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* ---- interfaces ----------------------------------------------------------------------------- */

static void iface_fields(struct cur *c, struct meta_iface *i)
{
	uint16_t type = cur_u16(c, "interface type"), name_len = cur_u16(c, "name length");

	if (!c->what && (type < 1 || type > 4))
		cur_bad(c, "interface type", NOT_KNOWN, type, 4);
	i->v6 = type == 2 || type == 4;
	size_t n = i->v6 ? 16 : 4;
	cur_bytes(c, i->addr, n, "address");
	cur_bytes(c, i->mask, n, "netmask");
	cur_bytes(c, i->bcast, n, "broadcast address");
	i->no_speed = type > 2;
	if (!i->no_speed)
		i->speed = cur_u64(c, "link speed");
	i->name = cur_text(c, name_len, NAME_MAX_BYTES, "interface name");
}

static int decode_ifaces(struct cur *c, bool sized, const struct meta_visitor *v, struct err *e)
{
	c->entry = "interface list entry";
	while (cur_left(c) >= 4) {
		struct meta_iface i = {.name = {"", 0}};
		struct cur sub;

		/* Unlike all others this length does not count itself. */
		cur_enter(c, &sub, sized, 0);
		iface_fields(&sub, &i);
		if (sub.what)
			return cur_fail(&sub, e);
		cur_leave(c, &sub, sized);
		int r = v->iface ? v->iface(v->ctx, &i) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* ---- users ---------------------------------------------------------------------------------- */

static void user_fields(struct cur *c, struct meta_user *u)
{
	u->is_group = cur_u8(c, "kind") != 0;
	if (!u->is_group)
		u->uid = cur_u32(c, "uid");
	u->gid = cur_u32(c, "gid");
	u->name = cur_str(c, USER_MAX_BYTES, "name");
	if (u->is_group)
		return;
	u->home = cur_str(c, USER_MAX_BYTES, "home directory");
	u->shell = cur_str(c, USER_MAX_BYTES, "shell");
}

static int decode_users(struct cur *c, bool sized, const struct meta_visitor *v, struct err *e)
{
	c->entry = "user list entry";
	while (cur_left(c) >= 4) {
		struct meta_user u = {.name = {"", 0}, .home = {"", 0}, .shell = {"", 0}};
		struct cur sub;

		cur_enter(c, &sub, sized, 4);
		user_fields(&sub, &u);
		if (sub.what)
			return cur_fail(&sub, e);
		cur_leave(c, &sub, sized);
		int r = v->user ? v->user(v->ctx, &u) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static int list_begin(const struct meta_visitor *v, uint32_t type)
{
	return v->list_begin ? v->list_begin(v->ctx, type) : 0;
}

static int decode_body(struct cur *c, uint32_t type, const struct meta_visitor *v, struct err *e)
{
	unsigned version = block_version(type);
	int r;

	switch (block_kind(type)) {
	case BK_MACHINE:
		return decode_machine(c, v, e);
	case BK_THREADS:
		return decode_threads(c, version, v, e);
	case BK_FDS:
		return decode_fds(c, version >= 2, v, e);
	case BK_IFACES:
		r = list_begin(v, type);
		return r ? r : decode_ifaces(c, version >= 2, v, e);
	case BK_USERS:
		r = list_begin(v, type);
		return r ? r : decode_users(c, version >= 2, v, e);
	default:
		return 0;
	}
}

int meta_decode(const uint8_t *block, uint32_t n, const struct meta_visitor *v, struct err *e)
{
	struct cur c = {.base = block};

	if (n < BLOCK_FRAME_BYTES)
		return err_set(e, ERR_FORMAT, 0,
			       "metadata block: expected at least %d bytes, got %u",
			       BLOCK_FRAME_BYTES, n);
	c.p = block + BLOCK_HEAD_BYTES;
	c.end = block + n - 4;
	return decode_body(&c, load_u32(block), v, e);
}
