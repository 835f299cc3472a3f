/* What analysing a batch leaves for the written trace (-w). */
#include <stdlib.h>

#include "source/meta.h"
#include "worker/worker_int.h"

/* ---- the process list under a filter (--filter-proclist) ------------------------------------------- */

enum { FAKE_BODY = 2 + EVENT_HDR_V2, FAKE_BYTES = 8 + FAKE_BODY + 4 };

/* The filter is asked about an exit event of no call at time 0, made by the thread, working on the
 * descriptor: what 0.29.3 does. */
struct proclist {
	struct worker *w;
	struct filter_run *filter;
	struct batch b; /* that event */
	struct ev_rec rec;
	struct tslot slot;
	uint8_t block[FAKE_BYTES];
	/* Threads with a descriptor that passes, in the order of the file. */
	int64_t *tids;
	size_t ntids, cap;
	bool failed;
};

static int proclist_init(struct proclist *p, struct worker *w, const struct batch *meta)
{
	uint32_t kind = BLK_EV_V2, total = FAKE_BYTES, len = EVENT_HDR_V2;
	uint16_t type = EV_SCAPEVENT_X;

	memset(p, 0, sizeof(*p));
	p->w = w;
	memcpy(p->block, &kind, 4);
	memcpy(p->block + 4, &total, 4);
	memcpy(p->block + 10 + 16, &len, 4);
	memcpy(p->block + 10 + 20, &type, 2);
	p->rec = (struct ev_rec){.type = type, .pair = PAIR_NONE, .fd = EV_FD_NONE};
	p->b = (struct batch){
		.kind = BATCH_EVENTS, .data = p->block, .len = FAKE_BYTES, .ev = &p->rec, .nev = 1,
		.slots = &p->slot, .nslots = 1, .root = meta->root,
		/* before the first event */
		.first_ord = meta->first_ord ? meta->first_ord - 1 : 0,
	};
	return filter_run_new(&p->filter, w->p->o->filter);
}

static void proclist_fini(struct proclist *p)
{
	filter_run_free(p->filter);
	free(p->tids);
}

/* fd EV_FD_NONE: the thread alone. */
static bool proclist_match(struct proclist *p, int64_t tid, int64_t fd)
{
	struct worker *w = p->w;

	memcpy(p->block + 10 + 8, &tid, 8);
	p->slot = (struct tslot){.tid = tid, .thread = state_thread_at(p->b.root, tid, p->b.first_ord)};
	if (evctx_begin(&w->ctx, &p->b) < 0) {
		p->failed = true;
		return false;
	}
	evctx_move(&w->ctx, 0);
	evctx_set_fd(&w->ctx, fd);
	arena_reset(&w->scratch);
	return filter_match(p->filter, &w->env);
}

static int proclist_see_fd(void *ctx, const struct meta_fd *f)
{
	struct proclist *p = ctx;
	int64_t tid = (int64_t)f->tid;

	if ((p->ntids && p->tids[p->ntids - 1] == tid) || !proclist_match(p, tid, f->fd))
		return 0;
	if (p->ntids == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 64;
		int64_t *tids = realloc(p->tids, cap * sizeof(*tids));

		if (!tids)
			return -12;
		p->tids = tids;
		p->cap = cap;
	}
	p->tids[p->ntids++] = tid;
	return 0;
}

static int tid_cmp(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool proclist_thread(void *ctx, int64_t tid)
{
	struct proclist *p = ctx;

	if (p->ntids && bsearch(&tid, p->tids, p->ntids, sizeof(tid), tid_cmp))
		return true;
	/* 0.29.3 drops whoever has no descriptor that passes. */
	return !p->w->p->o->ro->compat029 && proclist_match(p, tid, EV_FD_NONE);
}

static bool proclist_fd(void *ctx, int64_t tid, int64_t fd)
{
	return proclist_match(ctx, tid, fd);
}

static int write_proclist(struct worker *w, struct slot *s, struct err *e)
{
	struct proclist p;
	struct writer_keep keep = {&p, proclist_thread, proclist_fd};
	struct meta_visitor v = {.ctx = &p, .fd = proclist_see_fd};
	int rc = proclist_init(&p, w, &s->b);

	for (uint32_t i = 0; i < s->b.nblk && rc == 0; i++) {
		const uint8_t *blk = s->b.data + s->b.blk[i];

		rc = meta_decode(blk, load_u32(blk + 4), &v, e);
		if (rc == ERR_FORMAT && e->pos != ERR_NO_POS)
			e->pos += s->b.file_off + s->b.blk[i];
	}
	if (p.ntids)
		qsort(p.tids, p.ntids, sizeof(*p.tids), tid_cmp);
	if (rc == 0)
		rc = writer_meta(w->p->o->writer, &s->b, &keep, &s->file, e);
	if (rc == -12 || p.failed)
		rc = err_set(e, -12, ERR_NO_POS, "out of memory while filtering the process list");
	proclist_fini(&p);
	return rc;
}

int write_meta(struct worker *w, struct slot *s, struct err *e)
{
	const struct pipeline_opts *o = w->p->o;

	buf_reset(&s->file);
	if (o->filter_proclist && o->filter)
		return write_proclist(w, s, e);
	return writer_meta(o->writer, &s->b, NULL, &s->file, e);
}

/* ---- events ------------------------------------------------------------------------------------------ */

static bool is_partner(void *ctx, uint32_t idx)
{
	struct worker *w = ctx;

	evctx_move(&w->ctx, idx);
	if (w->scratch.used_bytes)
		arena_reset(&w->scratch);
	return filter_match(w->partner, &w->env);
}

int write_events(struct worker *w, struct slot *s, uint32_t nsel, uint32_t end)
{
	struct writer_pick pick = {.sel = s->sel, .nsel = nsel, .end = end};

	if (w->partner) {
		if (evctx_begin(&w->ctx, &s->b) < 0)
			return -12;
		pick.partner = is_partner;
		pick.ctx = w;
	}
	buf_reset(&s->file);
	writer_events(w->p->o->writer, &s->b, &pick, &s->file);
	return buf_failed(&s->file) ? -12 : 0;
}
