/* Metadata of a written trace: blocks of the newest version as they are, others decoded and encoded. */
#include <errno.h>

#include "output/writer_int.h"
#include "source/block.h"
#include "source/meta.h"
#include "source/metaenc.h"

struct meta_out {
	const struct writer *w;
	const struct writer_keep *keep;
	struct buf *out;
};

static bool keep_thread(const struct meta_out *m, uint64_t tid)
{
	return !m->keep || m->keep->thread(m->keep->ctx, (int64_t)tid);
}

static bool keep_fd(const struct meta_out *m, uint64_t tid, int64_t fd)
{
	return !m->keep || m->keep->fd(m->keep->ctx, (int64_t)tid, fd);
}

/* ---- entries, encoded anew --------------------------------------------------------------------------- */

static int out_machine(void *ctx, const struct meta_machine *mi)
{
	metaenc_machine(((struct meta_out *)ctx)->out, mi);
	return 0;
}

static int out_thread(void *ctx, const struct meta_thread *t)
{
	struct meta_out *m = ctx;

	if (keep_thread(m, t->tid))
		metaenc_thread_029(m->out, t);
	return 0;
}

static int out_fd(void *ctx, const struct meta_fd *f)
{
	struct meta_out *m = ctx;
	struct meta_fd old = *f;

	if (!keep_fd(m, f->tid, f->fd))
		return 0;
	/* 0.29.3 refuses the whole file for a type it does not know. */
	if (m->w->o.compat029 && old.type > MFD_LAST_029)
		old.type = MFD_UNSUPPORTED;
	metaenc_fd(m->out, &old);
	return 0;
}

static int out_iface(void *ctx, const struct meta_iface *i)
{
	metaenc_iface(((struct meta_out *)ctx)->out, i);
	return 0;
}

static int out_user(void *ctx, const struct meta_user *u)
{
	metaenc_user(((struct meta_out *)ctx)->out, u);
	return 0;
}

/* ---- entries, copied --------------------------------------------------------------------------------- */

/* The kept entries of a PL v9 or FDL v2 block, which meta_decode has accepted. Both begin with their length
 * and the number that tells them apart. */
static void copy_entries(struct meta_out *m, const uint8_t *p, const uint8_t *end, bool fds, uint64_t tid)
{
	while (end - p >= 4) {
		uint32_t n = load_u32(p);

		if (fds ? keep_fd(m, tid, load_i64(p + 4)) : keep_thread(m, load_u64(p + 4)))
			buf_put(m->out, p, n);
		p += n;
	}
}

static void copy_list(struct meta_out *m, const uint8_t *blk, uint32_t n, enum meta_list kind)
{
	const uint8_t *p = blk + BLOCK_HEAD_BYTES, *end = blk + n - 4;
	bool fds = kind == META_FDS;
	uint64_t tid = fds ? load_u64(p) : 0;
	size_t begin;

	if (fds && !keep_thread(m, tid))
		return;
	begin = metaenc_begin(m->out, kind);
	if (fds) {
		metaenc_fds_of(m->out, tid);
		p += 8;
	}
	copy_entries(m, p, end, fds, tid);
	metaenc_end(m->out, begin);
}

/* ---- blocks ------------------------------------------------------------------------------------------ */

/* As it is in the file, when it is what would be written. */
static bool block_stays(const struct meta_out *m, uint32_t type, uint32_t n)
{
	switch (type) {
	case BLK_MI:
		return n == 192;
	case BLK_IL_V2:
	case BLK_UL_V2:
		return true;
	case BLK_PL_V9:
	case BLK_FDL_V2:
		return !m->w->o.compat029;
	default:
		return false;
	}
}

static int encode_list(struct meta_out *m, const uint8_t *blk, uint32_t n, enum meta_list kind, struct err *e)
{
	struct meta_visitor v = {
		.ctx = m, .thread = out_thread, .fd = out_fd, .iface = out_iface, .user = out_user};
	size_t begin;

	if (kind == META_FDS && n >= BLOCK_FRAME_BYTES + 8 && !keep_thread(m, load_u64(blk + BLOCK_HEAD_BYTES)))
		return 0;
	begin = metaenc_begin(m->out, kind);
	if (kind == META_FDS && n >= BLOCK_FRAME_BYTES + 8)
		metaenc_fds_of(m->out, load_u64(blk + BLOCK_HEAD_BYTES));
	int rc = meta_decode(blk, n, &v, e);

	metaenc_end(m->out, begin);
	return rc;
}

static int put_block(struct meta_out *m, const uint8_t *blk, struct err *e)
{
	static const struct meta_visitor check;
	uint32_t type = load_u32(blk), n = load_u32(blk + 4);
	struct meta_visitor machine = {.ctx = m, .machine = out_machine};
	int rc;

	if (block_stays(m, type, n)) {
		rc = meta_decode(blk, n, &check, e);
		if (rc == 0 && m->keep && (type == BLK_PL_V9 || type == BLK_FDL_V2))
			copy_list(m, blk, n, (enum meta_list)type);
		else if (rc == 0)
			buf_put(m->out, blk, n);
		return rc;
	}
	switch (block_kind(type)) {
	case BK_SECTION:
		metaenc_section(m->out);
		return 0;
	case BK_MACHINE:
		return meta_decode(blk, n, &machine, e);
	case BK_THREADS:
		return encode_list(m, blk, n, META_THREADS, e);
	case BK_FDS:
		return encode_list(m, blk, n, META_FDS, e);
	case BK_IFACES:
		return encode_list(m, blk, n, META_IFACES, e);
	case BK_USERS:
		return encode_list(m, blk, n, META_USERS, e);
	default:
		return 0;
	}
}

int writer_meta(const struct writer *w, const struct batch *b, const struct writer_keep *keep, struct buf *out,
		struct err *e)
{
	struct meta_out m = {.w = w, .keep = keep, .out = out};

	for (uint32_t i = 0; i < b->nblk; i++) {
		int rc = put_block(&m, b->data + b->blk[i], e);

		if (rc < 0) {
			if (e && e->pos != ERR_NO_POS)
				e->pos += b->file_off + b->blk[i];
			return rc;
		}
	}
	return buf_failed(out) ? err_set(e, -ENOMEM, ERR_NO_POS, "out of memory") : 0;
}
