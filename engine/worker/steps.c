/* The four steps over one batch (and reading before them). Which worker runs them, and when, is
 * schedule.c's business. */
#include <stdlib.h>

#include "base/stop.h"
#include "worker/worker_int.h"

enum { FILE_KEEP_BYTES = 4 << 20 };

void step_read(struct pipeline *p, struct slot *s, uint64_t seq)
{
	struct err e;

	err_clear(&e);
	batch_reset(&s->b);
	s->b.seq = seq;
	if (source_read(p->src, &s->b, &e) < 0) {
		s->b.last = true;
		s->b.err = e;
	}
	s->gone.n = 0;
	if (p->o->suppress && (source_order(p->src, &s->b) < 0 || suppress_batch(p->o->suppress, &s->b, &s->gone) < 0)) {
		s->b.last = true;
		s->b.nblk = 0;
		err_set(&s->b.err, -12, ERR_NO_POS, "out of memory while taking out processes");
	}
	s->ends_before = false;
	atomic_store_explicit(&s->fds_failed, false, memory_order_relaxed);
	s->nsel = 0;
}

/* An error that hits memory, not the trace: the trace ends before this batch. */
static void slot_fail_before(struct slot *s, const struct err *e)
{
	s->ends_before = true;
	s->b.err = *e;
}

static void slot_fail_memory(struct slot *s, const char *where)
{
	struct err e;

	err_set(&e, -12 /* ENOMEM */, ERR_NO_POS, "out of memory while %s", where);
	slot_fail_before(s, &e);
}

void step_digest(struct pipeline *p, struct slot *s)
{
	if (!p->o->suppress && source_order(p->src, &s->b) < 0) {
		slot_fail_memory(s, "ordering events");
		return;
	}
	if (scout_scans(p)) {
		if (digest_scan_run(&p->scout.scan, &s->b) < 0)
			slot_fail_memory(s, "reading events");
		return;
	}
	if (s->b.kind != BATCH_EVENTS || s->b.nblk == 0)
		return;
	if (digest_run_plan(&s->b, p->plan) < 0 || state_split(p->st, &s->b) < 0)
		slot_fail_memory(s, "reading events");
}

void step_apply(struct pipeline *p, struct slot *s)
{
	struct err e;

	if (s->ends_before)
		return;
	err_clear(&e);
	if (state_apply(p->st, &s->b, &e) < 0)
		slot_fail_before(s, &e);
}

void step_apply_fds(struct pipeline *p, struct slot *s, unsigned shard)
{
	if (state_apply_fds(p->st, &s->b, shard) < 0)
		atomic_store_explicit(&s->fds_failed, true, memory_order_relaxed);
}

/* ---- analyse ------------------------------------------------------------------------------------- */

static bool slot_reserve(struct pipeline *p, struct slot *s, uint32_t n)
{
	if (s->sel_cap >= n)
		return true;
	uint32_t *sel = realloc(s->sel, n * sizeof(*sel));
	if (!sel)
		return false;
	s->sel = sel;
	if (p->limits) {
		size_t *end = realloc(s->out_end, n * sizeof(*end));
		if (!end)
			return false;
		s->out_end = end;
	}
	s->sel_cap = n;
	return true;
}

/* Prints event idx, if it is one that is shown. */
static void print_event(struct worker *w, struct slot *s, uint32_t idx)
{
	const struct pipeline_opts *o = w->p->o;

	if (!o->show_internal && event_info_internal(&event_table[s->b.ev[idx].type]))
		return;
	bool shown = !w->display || filter_match_at(w->display, &w->env, idx);
	size_t before = s->out.len;
	if (!shown && !w->p->format_all)
		return;
	field_env_move(&w->env, idx);
	format_event(o->format, &w->env, &s->out);
	if (!shown)
		s->out.len = before;
}

/* The events that the digest has selected, to s->sel. */
static uint32_t gather_selected(struct slot *s)
{
	const struct ev_rec *ev = s->b.ev; /* immutable by now */
	uint32_t n = batch_nrec(&s->b), *sel = s->sel, k = 0;

#pragma GCC unroll 4
	for (uint32_t i = 0; i < n; i++) { /* without a branch: nobody foresees it */
		sel[k] = i;
		k += (ev[i].flags & (ER_SELECTED | ER_HIDDEN)) == ER_SELECTED;
	}
	return k;
}

/* The next of the n selected events, from number k on, that passes the capture filter; n: none. */
static uint32_t next_passing(struct worker *w, struct slot *s, uint32_t k, uint32_t n)
{
	bool match = w->filter && !w->p->header_decides;

	return match ? filter_match_next(w->filter, &w->env, s->sel, k, n) : k;
}

/* Time stamp of event i, ns. */
static uint64_t event_ts(const struct batch *b, uint32_t i)
{
	const uint8_t *blk = b->data + b->ev[i].off;

	return load_u64(blk + event_block_hdr_off(load_u32(blk)));
}

/* Where -M counts from: what is known before the first event is released, or that one. */
static uint64_t limit_origin(const struct pipeline *p, const struct slot *s)
{
	if (p->stats.captured)
		return p->limit_origin_ts;
	return p->o->max_from_ts ? p->o->max_from_ts : event_ts(&s->b, s->sel[0]);
}

/* Whether -M or -n ends the run at the selected event number k of the batch, which is the next one to be released. */
enum limit { LIMIT_NONE, LIMIT_BEFORE, LIMIT_BEHIND };
static enum limit limit_at(const struct pipeline *p, const struct slot *s, uint32_t k)
{
	const struct pipeline_opts *o = p->o;

	if (o->max_ns) {
		uint64_t ts = event_ts(&s->b, s->sel[k]), origin = limit_origin(p, s);

		if (ts >= origin && ts - origin >= o->max_ns)
			return LIMIT_BEFORE;
	}
	return o->max_events && p->stats.captured + k + 1 >= o->max_events ? LIMIT_BEHIND : LIMIT_NONE;
}

/* Of the n selected events, those that pass, one after another. What looks back is analysed in the release turn, and no
 * further than the run goes: it goes on in the next file. */
static void analyse_each(struct worker *w, struct slot *s, uint32_t n)
{
	struct pipeline *p = w->p;
	bool print = p->o->format && !p->scout.kind, ends = p->in_order && p->limits;

	for (uint32_t k = next_passing(w, s, 0, n); k < n; k = next_passing(w, s, k + 1, n)) {
		uint32_t i = s->sel[k];

		s->sel[s->nsel++] = i;
		if (p->scout.kind)
			return; /* the first one is enough */
		enum limit limit = ends ? limit_at(p, s, s->nsel - 1) : LIMIT_NONE;
		if (limit == LIMIT_BEFORE)
			return;
		if (s->part)
			chisels_events(s->part, &i, 1);
		if (print)
			print_event(w, s, i);
		if (p->limits)
			s->out_end[s->nsel - 1] = s->out.len;
		if (limit == LIMIT_BEHIND)
			return;
	}
}

static void analyse_events(struct worker *w, struct slot *s)
{
	struct pipeline *p = w->p;
	uint32_t n = gather_selected(s);

	if ((w->filter && !p->header_decides) || p->o->format || p->scout.kind || p->limits) {
		analyse_each(w, s, n);
		return;
	}
	s->nsel = n;
	if (s->part)
		chisels_events(s->part, s->sel, n);
}

static void analyse_run(struct worker *w, struct slot *s)
{
	struct pipeline *p = w->p;

	if (s->b.nselected && !slot_reserve(p, s, s->b.nselected + 1)) { /* one more: gather_selected */
		slot_fail_memory(s, "selecting events");
		return;
	}
	if ((!s->b.nselected && !p->o->chisels) || scout_quiet(p, s))
		return;
	if (evctx_begin(&w->ctx, &s->b) < 0 ||
	    (p->o->chisels && chisels_batch_begin(p->o->chisels, w->id, &w->env, &s->part) < 0)) {
		slot_fail_memory(s, "binding events");
		return;
	}
	if (s->b.nselected)
		analyse_events(w, s);
	if (s->part)
		chisels_batch_end(s->part);
	if (buf_failed(&s->out))
		slot_fail_memory(s, "printing events");
}

static void analyse_meta(struct worker *w, struct slot *s)
{
	struct err e;

	err_clear(&e);
	if (w->p->o->writer && write_meta(w, s, &e) < 0)
		slot_fail_before(s, &e);
}

static void analyse(struct worker *w, struct slot *s)
{
	buf_reset(&s->out);
	buf_reset(&s->file);
	s->nsel = 0;
	if (atomic_load_explicit(&s->fds_failed, memory_order_relaxed))
		slot_fail_memory(s, "following descriptors");
	if (s->ends_before)
		return;
	if (s->b.kind == BATCH_META) {
		analyse_meta(w, s);
	} else if (s->b.nev) {
		analyse_run(w, s);
		if (w->p->o->writer && !s->ends_before && write_events(w, s, s->nsel, s->b.nev) < 0)
			slot_fail_memory(s, "writing events");
	}
}

void step_analyse(struct worker *w, struct slot *s)
{
	if (!w->p->in_order) /* else the release turn does it */
		analyse(w, s);
}

/* ---- release ------------------------------------------------------------------------------------- */

/* Applies -n and -M: how many of the selected events are let through; true when a limit ends the
 * run inside this batch. *last = index of the last event read. */
static bool release_limits(struct pipeline *p, struct slot *s, uint32_t *nsel, uint32_t *last)
{
	enum limit limit = LIMIT_NONE;
	uint32_t k = 0;

	if (s->nsel)
		p->limit_origin_ts = limit_origin(p, s);
	while (k < s->nsel && (limit = limit_at(p, s, k)) == LIMIT_NONE)
		k++;
	if (limit == LIMIT_NONE)
		return false;
	*nsel = k + (limit == LIMIT_BEHIND);
	*last = s->sel[k];
	return true;
}

static void release_summary(struct pipeline *p, struct slot *s, uint32_t nsel)
{
	for (uint32_t k = 0; k < nsel; k++)
		summary_count(p->o->summary, &s->b, s->sel[k], p->o->demand->compat029);
}

/* Callbacks in order, up to event index end. Positive (CHISELS_END, CHISELS_EXIT) when a script ended
 * the run; *end becomes the number of events that took effect. */
static int release_chisels(struct pipeline *p, struct slot *s, uint32_t *end, struct err *e)
{
	struct worker *w = &p->releaser;

	if (evctx_begin(&w->ctx, &s->b) < 0)
		return err_set(e, -12, ERR_NO_POS, "out of memory while running chisels");
	return chisels_release(p->o->chisels, &s->part, &w->env, &s->b, *end, end, &s->out, e);
}

/* Counts the first end events of the batch as read. */
static void release_times(struct pipeline *p, struct slot *s, uint32_t end)
{
	struct pipeline_stats *st = &p->stats;

	if (!end)
		return;
	if (!st->events)
		st->first_ts = s->b.first_ts;
	st->events += end;
	st->last_ts = end == s->b.nev ? s->b.last_ts : event_ts(&s->b, end - 1);
}

/* How much of the stored file was used when event idx had been read. */
static uint64_t stored_pos(const struct pipeline *p, const struct batch *b, uint32_t idx)
{
	uint32_t off = b->sparse ? b->last_off : b->ev[idx].off; /* of those nobody asks for another one */
	uint64_t used = (uint64_t)off + load_u32(b->data + off + 4);

	if (source_is_plain(p->src))
		return b->file_off + used;
	/* Compressed: as if it were evenly so between two batches. Live the blocks lie scattered. */
	used = MIN(used, (uint64_t)b->len);
	return p->raw_before + (uint64_t)((double)(b->raw_off - p->raw_before) * (double)used / (double)b->len);
}

/* The first end events of the batch were read. */
static void release_progress(struct pipeline *p, struct slot *s, uint32_t end)
{
	uint64_t before = p->stats.events - end, next = before - before % PIPELINE_PROGRESS_EVENTS;

	if (!end)
		return;
	if (p->o->progress) /* a file may grow, and asking takes a system call */
		p->stats.size_bytes = source_raw_size(p->src);
	for (next += PIPELINE_PROGRESS_EVENTS; p->o->progress && next <= p->stats.events;
	     next += PIPELINE_PROGRESS_EVENTS)
		p->o->progress(p->o->progress_ctx, next, stored_pos(p, &s->b, (uint32_t)(next - before - 1)),
			       p->stats.size_bytes);
	p->stats.pos_bytes = stored_pos(p, &s->b, end - 1);
	p->raw_before = s->b.raw_off;
}

/* Of the blocks taken out, those before the place where the run ends in this batch count. */
static void release_suppressed(struct pipeline *p, struct slot *s, uint32_t end)
{
	uint32_t n = s->gone.n, at = 0;

	if (n && end < s->b.nev) {
		while (s->b.blk[at] != s->b.ev[end].off)
			at++;
		while (n && s->gone.before[n - 1] > at)
			n--;
	}
	p->stats.suppressed += n;
}

/* How many of the selected events lie before event index end. */
static uint32_t selected_before(const struct slot *s, uint32_t nsel, uint32_t end)
{
	while (nsel && s->sel[nsel - 1] >= end)
		nsel--;
	return nsel;
}

static bool release_fail(struct pipeline *p, const struct err *e)
{
	if (e->code == ERR_INTERRUPTED)
		p->stats.interrupted = true;
	else
		p->end_err = *e;
	return true;
}

/* The written trace, up to event end and selected event nsel. */
static int release_file(struct pipeline *p, struct slot *s, uint32_t nsel, uint32_t end, struct err *e)
{
	if ((nsel < s->nsel || end < s->b.nev) && write_events(&p->releaser, s, nsel, end) < 0)
		return err_set(e, -12, ERR_NO_POS, "out of memory while writing events");
	return writer_put(p->o->writer, &s->file, e);
}

/* The events of the batch, up to the place where a limit or a script cuts. True when the run ends
 * here. */
static bool release_events(struct pipeline *p, struct slot *s)
{
	uint32_t end, nsel, last;
	struct err e, e2;
	bool cut = false;
	int rc = 0;

	if (p->in_order)
		analyse(&p->releaser, s);
	if (s->ends_before)
		return release_fail(p, &s->b.err);
	end = s->b.nev;
	nsel = s->nsel;
	if (p->limits && release_limits(p, s, &nsel, &last)) {
		cut = true;
		end = last + 1;
		s->out.len = nsel ? s->out_end[nsel - 1] : 0;
	}
	err_clear(&e);
	if (p->o->chisels) {
		rc = release_chisels(p, s, &end, &e);
		nsel = selected_before(s, nsel, end);
	}
	release_times(p, s, end);
	release_suppressed(p, s, end);
	release_progress(p, s, end);
	if (p->o->summary)
		release_summary(p, s, nsel);
	p->stats.captured += nsel;
	err_clear(&e2);
	if (p->o->writer && release_file(p, s, nsel, end, &e2) < 0 && rc >= 0)
		return release_fail(p, &e2);
	if (sink_write(p->o->sink, &s->out, &e2) < 0 && rc >= 0)
		return release_fail(p, &e2);
	if (rc < 0)
		return release_fail(p, &e);
	if (rc == CHISELS_EXIT)
		p->stats.chisel_exit = true;
	p->stats.chisel_end |= rc == CHISELS_END;
	return cut || rc > 0;
}

/* The metadata of a section. True when the run ends here. */
static bool release_meta(struct pipeline *p, struct slot *s)
{
	struct err e;

	if (p->in_order)
		analyse(&p->releaser, s);
	if (s->ends_before)
		return release_fail(p, &s->b.err);
	err_clear(&e);
	return p->o->writer && writer_put(p->o->writer, &s->file, &e) < 0 && release_fail(p, &e);
}

bool step_release(struct pipeline *p, struct slot *s)
{
	if (s->ends_before)
		return release_fail(p, &s->b.err);
	if (s->b.kind == BATCH_META && release_meta(p, s))
		return true;
	if (s->b.kind == BATCH_META)
		scout_section(p, s);
	if (scout_met(p, s))
		return true;
	if (s->b.kind == BATCH_META && p->o->chisels)
		chisels_section(p->o->chisels, s->b.root, s->b.first_ord + s->b.nev);
	if (s->b.kind == BATCH_EVENTS && s->b.nev) {
		if (release_events(p, s))
			return true;
	} else {
		release_suppressed(p, s, 0);
	}
	if (s->b.bad.code)
		return release_fail(p, &s->b.bad);
	if (s->b.last && s->b.err.code)
		return release_fail(p, &s->b.err);
	if (stop_requested()) {
		p->stats.interrupted = true;
		return true;
	}
	p->stats.complete = s->b.last;
	return s->b.last;
}

void slot_recycle(struct pipeline *p, struct slot *s)
{
	chisels_discard(&s->part);
	source_release(p->src, &s->b);
	buf_reset(&s->out);
	buf_reset(&s->file);
	if (s->file.cap > FILE_KEEP_BYTES) { /* the metadata of a large section */
		buf_fini(&s->file);
		buf_init(&s->file);
	}
}
