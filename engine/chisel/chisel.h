/* Chisels: Lua scripts over the event stream. One struct chisel per -c; it owns one Lua state per
 * worker (parallel mode) and one merge state in which everything but on_event takes effect.
 *
 * Life: chisel_load (main chunk runs, arguments are delivered by chisel_set_arg) -> chisel_init
 * (on_init) -> chisel_capture_start -> per batch: chisel_analyse on any worker -> in order:
 * chisel_release -> chisel_capture_end. Everything but chisel_analyse runs in the holder of the release
 * turn or before the workers start. print/io.write of the script go to the output buffer it is given. */
#ifndef BURIN_CHISEL_CHISEL_H
#define BURIN_CHISEL_CHISEL_H

#include "base/buf.h"
#include "field/field.h"
#include "filter/filter.h"

struct chisel;
struct chisel_partial; /* what analysing one batch left for the release step */

enum chisel_mode {
	CHISEL_ORDERED,	  /* on_event in release order in the single state */
	CHISEL_PARALLEL,  /* on_event (or native aggregate updates) in the workers, partials merged */
	CHISEL_PER_EVENT, /* only prints a line computed from its event: rendered in workers */
};

/* What a chisel can ask about the run; filled by the pipeline, borrowed for the life of the chisel. */
struct chisel_host {
	unsigned workers;
	const struct render_opts *ro;
	bool compat029, is_live, print_container_data, json;
	const char *filter_text;     /* capture filter, "" if none */
	const char *const *path;     /* search path for scripts and require, in order, NULL-terminated */
	bool in_order;		     /* -n, -M or an ordered need: run everything at release */
};

int chisel_load(struct chisel **out, const char *name, const struct chisel_host *h, struct err *e);
void chisel_free(struct chisel *c);
/* Number of required and optional arguments the script declares. */
unsigned chisel_args_required(const struct chisel *c);
unsigned chisel_args_optional(const struct chisel *c);
/* words: the argument word split as spec cli.md section 6 says. */
int chisel_set_args(struct chisel *c, const char *word, struct err *e);
int chisel_init(struct chisel *c, struct buf *out, struct err *e);
/* After init: what it needs. */
void chisel_demand(const struct chisel *c, struct demand *d, bool first);
enum chisel_mode chisel_mode(const struct chisel *c);
int chisel_capture_start(struct chisel *c, const struct state_root *root, struct buf *out, struct err *e);

/* Parallel and per-event modes: worker w goes over the selected events of its batch. sel: ascending indices of events
 * that passed the capture filter. The result is handed to chisel_release in batch order. */
int chisel_analyse(struct chisel *c, unsigned w, struct field_env *env, const uint32_t *sel, uint32_t nsel,
		   struct chisel_partial **out, struct err *e);
/* In batch order: intervals, ordered callbacks, merging of sealed partials. Takes the partial. */
int chisel_release(struct chisel *c, struct field_env *env, const uint32_t *sel, uint32_t nsel,
		   struct chisel_partial *p, struct buf *out, struct err *e);
int chisel_capture_end(struct chisel *c, uint64_t first_ts, uint64_t last_ts, struct buf *out, struct err *e);

#endif
