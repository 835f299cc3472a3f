#include "source/metaenc.h"

enum { SHB_MAGIC = 0x1A2B3C4D };

static void u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}
static void u16(struct buf *b, uint16_t v)
{
	buf_put(b, &v, 2);
}
static void u32(struct buf *b, uint32_t v)
{
	buf_put(b, &v, 4);
}
static void u64(struct buf *b, uint64_t v)
{
	buf_put(b, &v, 8);
}

static void str(struct buf *b, struct text t, uint32_t max)
{
	uint32_t n = MIN(t.len, max);

	u16(b, (uint16_t)n);
	buf_put(b, t.p, n);
}

static size_t block_begin(struct buf *b, uint32_t type)
{
	size_t begin = b->len;

	u32(b, type);
	u32(b, 0);
	return begin;
}

static void patch_u32(struct buf *b, size_t at, uint32_t v)
{
	if (!buf_failed(b))
		memcpy(b->p + at, &v, 4);
}

void metaenc_end(struct buf *b, size_t begin)
{
	while ((b->len - begin) % 4 && !buf_failed(b))
		u8(b, 0);
	patch_u32(b, begin + 4, (uint32_t)(b->len - begin + 4));
	u32(b, (uint32_t)(b->len - begin + 4));
}

size_t metaenc_begin(struct buf *b, enum meta_list kind)
{
	return block_begin(b, kind);
}

void metaenc_section(struct buf *b)
{
	size_t begin = block_begin(b, BLK_SHB);

	u32(b, SHB_MAGIC);
	u16(b, 1);
	u16(b, 2);
	u64(b, UINT64_MAX);
	metaenc_end(b, begin);
}

void metaenc_machine(struct buf *b, const struct meta_machine *m)
{
	size_t begin = block_begin(b, BLK_MI);
	char host[128] = {0};

	memcpy(host, m->hostname, strnlen(m->hostname, sizeof(host) - 1));
	u32(b, m->num_cpus);
	u64(b, m->memory_bytes);
	u64(b, m->max_pid);
	buf_put(b, host, sizeof(host));
	u64(b, m->boot_ts);
	u64(b, m->flags);
	u64(b, 0);
	u64(b, 0);
	metaenc_end(b, begin);
}

void metaenc_iface(struct buf *b, const struct meta_iface *i)
{
	size_t begin = b->len, n = i->v6 ? 16 : 4;

	u32(b, 0);
	u16(b, (uint16_t)((i->v6 ? 2 : 1) + (i->no_speed ? 2 : 0)));
	u16(b, (uint16_t)MIN(i->name.len, (uint32_t)META_TEXT_MAX));
	buf_put(b, i->addr, n);
	buf_put(b, i->mask, n);
	buf_put(b, i->bcast, n);
	if (!i->no_speed)
		u64(b, i->speed);
	buf_put(b, i->name.p, MIN(i->name.len, (uint32_t)META_TEXT_MAX));
	/* unlike the other lists, without the length itself */
	patch_u32(b, begin, (uint32_t)(b->len - begin - 4));
}

void metaenc_user(struct buf *b, const struct meta_user *u)
{
	enum { NAME_MAX_LEN = 255 };
	size_t begin = b->len;

	u32(b, 0);
	u8(b, u->is_group);
	if (!u->is_group)
		u32(b, u->uid);
	u32(b, u->gid);
	str(b, u->name, NAME_MAX_LEN);
	if (!u->is_group) {
		str(b, u->home, NAME_MAX_LEN);
		str(b, u->shell, NAME_MAX_LEN);
	}
	patch_u32(b, begin, (uint32_t)(b->len - begin));
}

/* What every entry has, behind its length. */
static void thread_fields(struct buf *b, const struct meta_thread *t)
{
	u64(b, t->tid);
	u64(b, t->pid);
	u64(b, t->ptid);
	u64(b, (uint64_t)t->sid);
	u64(b, (uint64_t)t->vpgid);
	str(b, t->comm, META_TEXT_MAX);
	str(b, t->exe, META_TEXT_MAX);
	str(b, t->exepath, META_TEXT_MAX);
	str(b, t->args, META_LIST_MAX);
	str(b, t->cwd, META_TEXT_MAX);
	u64(b, t->fdlimit);
	u32(b, t->flags);
	u32(b, t->uid);
	u32(b, t->gid);
	u32(b, t->vmsize_kb);
	u32(b, t->vmrss_kb);
	u32(b, t->vmswap_kb);
	u64(b, t->pfmajor);
	u64(b, t->pfminor);
	str(b, t->env, META_LIST_MAX);
	u64(b, (uint64_t)t->vtid);
	u64(b, (uint64_t)t->vpid);
	str(b, t->cgroups, META_LIST_MAX);
	str(b, t->root, META_TEXT_MAX);
	u32(b, t->loginuid);
	u8(b, t->exe_writable);
}

void metaenc_thread_029(struct buf *b, const struct meta_thread *t)
{
	size_t begin = b->len;

	u32(b, 0);
	thread_fields(b, t);
	patch_u32(b, begin, (uint32_t)(b->len - begin));
}

void metaenc_thread(struct buf *b, const struct meta_thread *t)
{
	size_t begin = b->len;

	u32(b, 0);
	thread_fields(b, t);
	/* The tail of 29 bytes: the longest that both 0.29.3 and the newest readers understand. */
	u64(b, t->cap_inheritable);
	u64(b, t->cap_permitted);
	u64(b, t->cap_effective);
	patch_u32(b, begin, (uint32_t)(b->len - begin));
}

void metaenc_fds_of(struct buf *b, uint64_t tid)
{
	u64(b, tid);
}

static void inet_pair(struct buf *b, const struct meta_fd *f, size_t n)
{
	buf_put(b, f->sip, n);
	buf_put(b, f->dip, n);
	u16(b, f->sport);
	u16(b, f->dport);
	u8(b, f->l4proto);
}

static void inet_server(struct buf *b, const struct meta_fd *f, size_t n)
{
	buf_put(b, f->sip, n);
	u16(b, f->sport);
	u8(b, f->l4proto);
}

void metaenc_fd(struct buf *b, const struct meta_fd *f)
{
	size_t begin = b->len;

	u32(b, 0);
	u64(b, (uint64_t)f->fd);
	u64(b, f->ino);
	u8(b, f->type);
	switch (f->type) {
	case MFD_UNKNOWN:
		break;
	case MFD_IPV4:
		inet_pair(b, f, 4);
		break;
	case MFD_IPV6:
		inet_pair(b, f, 16);
		break;
	case MFD_IPV4_SERVER:
		inet_server(b, f, 4);
		break;
	case MFD_IPV6_SERVER:
		inet_server(b, f, 16);
		break;
	case MFD_UNIX:
		u64(b, f->unix_source);
		u64(b, f->unix_dest);
		str(b, f->name, META_TEXT_MAX);
		break;
	case MFD_FILE_V2:
		u32(b, f->openflags);
		str(b, f->name, META_TEXT_MAX);
		u32(b, f->dev);
		break;
	default:
		str(b, f->name, META_TEXT_MAX);
		break;
	}
	patch_u32(b, begin, (uint32_t)(b->len - begin));
}
