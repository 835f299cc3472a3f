/* A run: the head of the file, then all batches, by one worker here or by several (schedule.c), then the end. */
#include "worker/pipeline.h"

#include <stdlib.h>

#include "base/stop.h"
#include "worker/window.h"

enum {
	FD_SHARDS = 4,
	FD_SHARDS_WORKERS = 5, /* fewer do not come to wait for the apply turn */
};

int worker_init(struct worker *w, struct pipeline *p, unsigned id)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->p = p;
	w->id = id;
	arena_init(&w->scratch);
	rc = evctx_init(&w->ctx, p->demand);
	if (rc < 0)
		return rc;
	if (p->o->filter && (rc = filter_run_new(&w->filter, p->o->filter)) < 0)
		return rc;
	if (p->o->display && (rc = filter_run_new(&w->display, p->o->display)) < 0)
		return rc;
	if (p->o->partner && (rc = filter_run_new(&w->partner, p->o->partner)) < 0)
		return rc;
	w->env.c = &w->ctx;
	w->env.scratch = &w->scratch;
	w->env.ro = p->o->ro;
	return 0;
}

void worker_fini(struct worker *w)
{
	if (!w->p)
		return;
	field_env_fini(&w->env);
	filter_run_free(w->filter);
	filter_run_free(w->display);
	filter_run_free(w->partner);
	evctx_fini(&w->ctx);
	arena_fini(&w->scratch);
}

static int run_serial(struct pipeline *p)
{
	struct slot *s = &p->slots[0];

	while (!p->ended) {
		step_read(p, s, p->read_seq);
		step_digest(p, s);
		step_apply(p, s);
		step_analyse(&p->releaser, s);
		p->ended = step_release(p, s);
		slot_recycle(p, s);
		p->read_seq++;
		/* Scripts may read the tables as of the last event in on_capture_end. */
		if (!p->ended)
			state_reclaim(p->st, p->read_seq);
	}
	return 0;
}

/* The head of the file, before any worker starts: the first section's metadata, on which scripts may
 * build in on_capture_start. */
static int run_head(struct pipeline *p, const char *path, struct err *e)
{
	struct slot *s = &p->slots[0];
	struct chisel_input in = {.name = path, .raw_size = source_raw_size(p->src)};
	struct buf out;
	int rc = 0;

	step_read(p, s, 0);
	step_digest(p, s);
	step_apply(p, s);
	if (s->b.fd_shards)
		step_apply_fds(p, s, STATE_ALL_SHARDS);
	p->read_seq = p->apply_seq = p->release_seq = 1;
	turns_begin(p, 1);
	p->read_done = s->b.last;
	if (p->o->chisels && !s->ends_before) {
		in.root = s->b.root;
		in.ord = s->b.first_ord + s->b.nev;
		buf_init(&out);
		rc = chisels_capture_start(p->o->chisels, &in, &out, e);
		p->chisels_started = true;
		int wrc = sink_write(p->o->sink, &out, rc < 0 ? NULL : e);
		rc = rc < 0 ? rc : MIN(wrc, 0);
		buf_fini(&out);
	}
	if (rc == 0) {
		step_analyse(&p->releaser, s);
		p->ended = step_release(p, s);
	} else {
		p->ended = true;
	}
	slot_recycle(p, s);
	return rc;
}

static int run_tail(struct pipeline *p, struct err *e)
{
	struct buf out;
	int rc, wrc;

	buf_init(&out);
	if (p->o->end_text) {
		buf_puts(&out, p->o->end_text);
		sink_write(p->o->sink, &out, NULL);
		buf_reset(&out);
	}
	if (!p->o->chisels || p->stats.chisel_exit) {
		buf_fini(&out);
		return 0;
	}
	rc = chisels_capture_end(p->o->chisels, &p->releaser.env, &out, e);
	if (rc == CHISELS_EXIT)
		p->stats.chisel_exit = true;
	wrc = sink_write(p->o->sink, &out, rc < 0 ? NULL : e);
	buf_fini(&out);
	return rc < 0 ? rc : wrc;
}

static void stop_source(void *ctx)
{
	source_stop(ctx);
}

/* What a pass over the file, or over the rest of it, works with. */
static int pass_init(struct pipeline *p, struct err *e)
{
	struct state_opts so = {.demand = p->demand, .workers = p->o->workers};
	int rc;

	so.fd_shards = p->o->workers >= FD_SHARDS_WORKERS ? FD_SHARDS : 0;
	rc = state_new(&p->st, &so);

	if (rc < 0)
		return err_set(e, rc, ERR_NO_POS, "out of memory for the state tables");
	rc = slots_new(p);
	if (rc == 0)
		rc = digest_plan_new(&p->plan, p->demand, &p->pred);
	if (rc == 0)
		rc = worker_init(&p->releaser, p, 0);
	return rc < 0 ? err_set(e, rc, ERR_NO_POS, "out of memory for the window of batches") : 0;
}

static void pass_fini(struct pipeline *p)
{
	worker_fini(&p->releaser);
	slots_free(p);
	digest_plan_free(p->plan);
	state_free(p->st);
	p->plan = NULL;
	p->releaser.p = NULL;
	p->slots = NULL;
	p->tags = NULL;
	p->window = p->free_slots = NULL;
	p->st = NULL;
}

static int pass_run(struct pipeline *p, const char *path, struct err *e)
{
	int rc = run_head(p, path, e);

	if (rc == 0 && !p->ended)
		rc = p->o->workers == 1 ? run_serial(p) : run_parallel(p, e);
	return rc;
}

/* The section in which a pass met what it looked for, and what follows. */
static int run_again(struct pipeline *p, const char *path, struct err *e)
{
	int rc;

	pass_fini(p);
	scout_next(p);
	rc = pass_init(p, e);
	if (rc < 0)
		return rc;
	p->read_seq = p->apply_seq = p->release_seq = 0;
	p->reading = p->applying = p->releasing = p->read_done = p->ended = false;
	p->out_bytes = 0;
	state_begin_section(p->st, &p->scout.numbering);
	return pass_run(p, path, e);
}

int pipeline_run(const char *path, const struct pipeline_opts *o, struct pipeline_stats *stats,
		 struct err *e)
{
	struct pipeline p = {.o = o};
	struct source_opts source = o->source;
	struct err end;
	int rc;

	err_clear(&p.end_err);
	p.src = o->input;
	source.fetchers = o->workers;
	rc = p.src ? 0 : source_open(&p.src, path, &source, e);
	if (rc < 0)
		return rc;
	stop_set_hook(stop_source, p.src);
	if (o->filter) {
		p.pred = filter_header_pred(o->filter);
		p.header_decides = filter_header_decides(o->filter);
	}
	p.in_order = (o->filter && filter_looks_back(o->filter)) ||
		     (o->display && filter_looks_back(o->display)) ||
		     (o->format && format_looks_back(o->format, o->ro));
	p.format_all = o->display && o->format && format_looks_back(o->format, o->ro);
	p.limits = o->max_events || o->max_ns;
	scout_begin(&p);
	rc = pass_init(&p, e);
	if (rc < 0)
		goto out;
	state_begin_file(p.st);
	rc = pass_run(&p, path, e);
	while (rc == 0 && p.scout.met)
		rc = run_again(&p, path, e);
	if (rc == 0 && p.end_err.code) {
		rc = p.end_err.code;
		*e = p.end_err;
	}
	err_clear(&end);
	if (p.st && run_tail(&p, &end) < 0 && rc == 0) {
		rc = end.code;
		*e = end;
	}
	*stats = p.stats;
out:
	pass_fini(&p);
	stop_set_hook(NULL, NULL);
	source_close(p.src);
	return rc;
}
