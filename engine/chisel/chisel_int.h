/* Private to engine/chisel: the parts of a chisel and how they meet.
 *
 * MAY_RAISE marks functions that may leave by a Lua error (longjmp): they run inside a protected call,
 * hold no lock and no memory that only they know of. Every other function never raises. */
#ifndef BURIN_CHISEL_INT_H
#define BURIN_CHISEL_INT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/apart.h"
#include "base/arena.h"
#include "base/assert.h"
#include "chisel/chisel.h"
#include "field/memo.h"
#include "merge/aggregate.h"
#include "output/format.h"

#define MAY_RAISE

enum { CHISEL_MAX_FIELDS = 1024, CHISEL_MAX_AGGS = 64 };

/* ---- one Lua state ---------------------------------------------------------------------------------- */

enum lphase { LP_LOAD, LP_INIT, LP_START, LP_EVENT, LP_INTERVAL, LP_END, LP_MERGE };

/* Which event the evt library talks about. */
struct cur_event {
	struct field_env *env; /* NULL: no event yet */
	const struct batch *b; /* release: env->c may have to be moved to (b, idx) first */
	uint32_t idx;
	const struct value *vals; /* extracted fields; those of nvals fields have a place among them */
	const uint16_t *place;	  /* of each field, VALUE_WAITS: extract on demand; NULL: field i is vals[i] */
	unsigned nvals;
	bool moved;		  /* env->c stands on (b, idx) */
	bool exit;		  /* ordered callback: an exit event */
	const struct last_event *last; /* on_capture_end: copies of the last event */
};

struct lstate {
	uint32_t magic;
	lua_State *L;
	lua_State *volatile current; /* coroutine that runs; L outside of coroutines. Read by the signal handler */
	struct chisel *c;
	unsigned w;	   /* worker; MAIN_STATE for the main state */
	enum lphase phase;
	struct buf *out;   /* where print goes; NULL = nowhere (muted) */
	struct cur_event ev;
	size_t bytes, max_bytes; /* memory of the Lua state */
	bool exited, end_capture;
	int exit_code;
	struct buf text;    /* scratch for rendering */
	unsigned seals;	    /* parts sealed so far */
	struct buf traceback; /* of the last error, NUL-terminated */
	unsigned agg_calls; /* chisel.aggregate calls so far: numbers the handles */
	/* Watchdog (limits.c): callback running on thread since; 0 = none. */
	_Atomic uint64_t running_since_ns;
	_Atomic bool stop; /* the watchdog asked it to stop */
	_Atomic pid_t tid; /* thread of the callback, this one or the last */
	struct lstate *next_watched;
	/* Instructions of the callback under way, counted every step of them; step 0 = not counted. */
	uint64_t steps, max_steps; /* max_steps 0 = no limit */
	int step;
	bool spent; /* over the limit: the callback is being stopped */
};
enum { LSTATE_MAGIC = 0x4c537461, MAIN_STATE = UINT32_MAX };
/* Fixed slots at the bottom of a state's stack. */
enum { LSTATE_GLOBALS = 1, LSTATE_ON_EVENT = 2, LSTATE_BASE = 3 /* handler of errors */ };

static inline struct lstate *lstate_of(lua_State *L)
{
	struct lstate *ls = *(struct lstate **)lua_getextraspace(L);

	ASSERT(ls->magic == LSTATE_MAGIC);
	return ls;
}

/* lstate.c */
int lstate_new(struct lstate **out, struct chisel *c, unsigned w, struct err *e);
void lstate_free(struct lstate *ls);
/* Protected call of the function below nargs arguments on the stack. 0, CHISELS_EXIT, or ERR_LUA with *e (prefix: text
 * before the message, may be ""). The traceback is kept in the chisels. Pops everything on failure. */
int lstate_call(struct lstate *ls, int nargs, int nresults, const char *what, struct err *e);
/* The same for a C function with a context (light userdata argument). */
int lstate_run(struct lstate *ls, lua_CFunction fn, void *ctx, const char *what, struct err *e);
/* Pushes the global function of that name; false (nothing pushed) if it is not a function. */
bool lstate_push_global(struct lstate *ls, const char *name);
bool lstate_push_on_event(struct lstate *ls); /* the same for on_event, without looking its name up */

/* limits.c: one watchdog thread per struct chisels, started by the first state */
struct watchdog;
int watchdog_new(struct watchdog **out, uint32_t limit_s);
void watchdog_free(struct watchdog *wd);
void watchdog_add(struct watchdog *wd, struct lstate *ls);
void watchdog_remove(struct watchdog *wd, struct lstate *ls);
void watchdog_interrupt(struct watchdog *wd);
/* At time now, a callback under way since then is to be stopped: too long, interrupted, or begun before Ctrl-C (what starts
 * behind it, on_capture_end, has its time). since may be later than now. Monotonic clock, ns; the watchdog's thread. */
bool watchdog_over(const struct watchdog *wd, uint64_t since, uint64_t now);
void watchdog_enter(struct lstate *ls); /* around every call into Lua */
void watchdog_leave(struct lstate *ls);
void watchdog_touch(struct lstate *ls); /* a further callback begins inside one protected call */
void watchdog_count(struct lstate *ls); /* a further callback: its instructions count from here */
uint64_t clock_ns(void);

/* libraries opened in every state; MAY_RAISE */
void compat_open(lua_State *L);	 /* compat51_lib.c: what 5.4 made strict, as in 5.1 */
void format_open(lua_State *L);	 /* compat51.c: string.format, tostring; by compat_open */
void order_open(lua_State *L);	 /* order.c: pairs, next, table.sort without randomness */
void stdio_open(lua_State *L);	 /* stdio.c: print, io.write, os.exit ... through the engine */
void prelude_open(lua_State *L); /* prelude.c: the Lua parts, embedded */
void api_evt_open(lua_State *L);
void api_chisel_open(lua_State *L);
void api_sysdig_open(lua_State *L);
void api_tables_open(lua_State *L);
void api_aggregate_open(lua_State *L);
void chisel_free_aggs(struct chisel *c);

/* compat51.c: number as Lua 5.1 writes it; out holds 64 bytes; returns the length */
size_t num_text(char *out, lua_Number v);
/* Argument arg as LuaJIT's %d takes a number: toward zero; what does not fit becomes the smallest integer. */
MAY_RAISE long long check_int51(lua_State *L, int arg);
/* As luaL_tolstring, with num_text for floats. */
MAY_RAISE const char *tolstring51(lua_State *L, int idx, size_t *len);

/* value.c */
struct chisel_field;
MAY_RAISE void push_value(lua_State *L, const struct chisel_field *f, const struct value *v);
/* Key or value of an aggregate; false: no value. Texts are borrowed or put into the scratch of env. */
bool value_datum(const struct chisel_field *f, const struct value *v, struct field_env *env, struct agg_datum *d);

/* ---- one chisel -------------------------------------------------------------------------------------- */

struct chisel_arg {
	char *name, *desc, *type;
	bool optional;
};

/* A field as the script asked for it. The handle a script gets is its number plus one, as a pointer. */
struct chisel_field {
	char *text; /* as requested */
	/* Ordered mode: workers extract a field in advance while the script asks for it often enough, else it waits until it
	 * is asked for. The value is the same either way. Apart for [0] enter and [1] exit events: scripts often ask for
	 * more of the one kind. */
	uint32_t used[2];     /* calls of evt.field since the last look; OWNED_BY(release) */
	_Atomic bool rare[2]; /* written by release, read by workers */
	bool raw_text; /* evt.rawarg.X: texts keep the NUL they have in the trace */
	bool rendered; /* evt.buffer: a script gets the text that is printed, a filter the bytes */
	bool latency;  /* evt.latency: see chisel_field_quick */
	struct field_ref ref;
};

/* chisel.aggregate{...} */
struct chisel_agg {
	struct agg_spec spec;
	unsigned key[AGG_MAX_KEYS], col[AGG_MAX_COLS]; /* fields of the chisel */
	struct filter *filter;	/* own filter, NULL = none */
	char *missing;		/* key of events that lack a key field; NULL: they do not count */
	bool positive;		/* values of the first column that are not above 0 do not count */
	uint64_t types[(EV_CODE_COUNT + 63) / 64]; /* event types that can count */
	uint8_t quick;			 /* enum quick_source: count.h */
	uint8_t place[EV_CODE_COUNT];	 /* QUICK_PARAM: parameter that is the value plus 1; QUICK_LATENCY: 1; 0 = ask the field */
	struct agg *total;	/* main: what the script reads; NULL: its definition failed, it counts for nothing */
	struct agg **part;	/* per worker, when accumulating */
};

enum { VALUE_WAITS = UINT16_MAX };
enum { FIELD_LOOK_EVENTS = 4096 };

struct merge_plan; /* partial.c */

struct last_event {
	bool has;
	uint64_t ts, num;
	uint16_t cpu;
	char name[64];
	struct value *vals; /* one per field, texts copied */
	unsigned nvals;
	struct arena mem;
};

struct row_memo; /* row_memo.h: rows that events of one type, thread or descriptor count for */

struct chisel_worker {
	struct lstate *ls;	 /* parallel and per-event modes with on_event; else NULL */
	struct filter_run *run; /* of the chisel's filter; NULL = none */
	struct filter_run *agg_run[CHISEL_MAX_AGGS];
	struct row_memo *agg_memo[CHISEL_MAX_AGGS]; /* NULL: none */
	struct buf key; /* scratch for aggregate keys */
} APART;

struct chisel {
	struct chisels *cs;
	unsigned index;	   /* position on the command line */
	char *name;	   /* as given, or by chisel.exec */
	char *path, *dir;  /* file */
	bool ours;	   /* from our own directory: says all it needs in on_init */
	struct chisel_arg *args;
	unsigned nargs;
	char **given; /* values of the first ngiven arguments */
	unsigned ngiven;
	bool args_table;
	struct lstate *main;

	/* by the script, in on_init and on_capture_start */
	struct chisel_field *fields;
	uint64_t *lookback; /* memory of fields that look back, by their place, the field's number. OWNED_BY(release) */
	_Atomic unsigned nfields; /* release turn adds, when a script asks in on_event; workers take what is complete */
	char *filter_text;
	struct filter *filter;
	struct format *format;
	uint64_t interval_ns, precise_ns;
	struct chisel_agg *aggs[CHISEL_MAX_AGGS];
	unsigned naggs;
	char *exec_name, *exec_word; /* chisel.exec: NULL = not called */

	/* after on_init */
	bool has_on_event, has_on_interval, has_on_end;
	enum chisel_mode mode;
	bool in_workers; /* on_event runs in the workers' states */
	bool late;   /* something looks back: filter and fields are evaluated at release */
	bool sealed; /* aggregates and partials are closed with every batch */
	bool narrowed; /* types leaves out what the aggregates do not count */
	bool counts; /* count_only */
	struct merge_plan *merge;
	uint64_t types[(EV_CODE_COUNT + 63) / 64]; /* event types that it does something with */
	struct chisel_worker *workers; /* [workers + 1]: the last one belongs to the release turn */

	/* release */
	bool started;	    /* on_capture_start was called */
	bool ended;	    /* on_capture_end must not run (fault in a parallel chisel) */
	uint32_t demand;    /* enum demand_bits beyond fields and filters: tables asked for */
	uint32_t delivered[2]; /* enter and exit events since the last look at the use of fields */
	bool slot_known;
	uint64_t slot;	    /* of the last event */
	uint64_t last_call_ts; /* on_interval */
	struct last_event last;
};

struct chisels {
	uint32_t magic;
	const struct chisel_host *host;
	char **path;	   /* search path, NULL-terminated */
	char *our_dir;	   /* of our own chisels */
	struct chisel **c;
	unsigned n;
	struct watchdog *wd;
	bool sealed; /* some run-ending decision can be taken in order */
	struct chisel_input in;
	bool started;
	_Atomic bool interrupted;
	/* events read so far in this file, for on_capture_end and sysdig.get_*event_ts */
	bool any_event;
	uint64_t first_ts, last_ts, raw_off;
	const struct state_root *root; /* tables as of ord: where callbacks stand when there is no event under way */
	uint64_t ord;
	/* requests */
	char *req_filter, *req_run_app;
	uint32_t req_snaplen;
	int req_fatfile;
	/* sysdig.set_output_format after the first event: from there on what workers rendered ahead is rendered again.
	 * OWNED_BY(release) */
	struct render_opts late_ro;
	bool ro_late;
	int udp_fd;
	int exit_code;
	struct buf traceback;
};
enum { CHISELS_MAGIC = 0x43684973 };
void chisels_keep_traceback(struct chisels *cs, const struct buf *tb);

/* find.c */
int find_default_path(char ***path, char **ours); /* both owned by the caller */
void find_free_path(char **path);
/* text (owned by the caller), full path and directory of a chisel file. */
int find_chisel(const struct chisels *cs, const char *name, char **path, char **dir, bool *ours, struct err *e);
int read_text(const char *path, char **text, size_t *len, struct err *e);

/* native.c: puts our table_generator in the place of sysdig's; false: the file stays what it is */
bool native_instead(struct chisel *c);

/* load.c */
int chisel_open(struct chisel **out, struct chisels *cs, const char *name, unsigned index, struct buf *out_buf, struct err *e);
void chisel_close(struct chisel *c);
/* What a worker keeps for the filters of a chisel; before the filters change or go. */
void chisel_worker_drop_runs(struct chisel_worker *w, unsigned naggs);
/* Loads the file into a further state (worker) and repeats arguments, on_init and on_capture_start there, muted. */
int chisel_clone_state(struct chisel *c, unsigned w, struct err *e);
int chisel_call_init(struct chisel *c, struct lstate *ls, struct err *e);
int chisel_call_start(struct chisel *c, struct lstate *ls, struct err *e);
int chisel_run_file(struct lstate *ls, struct err *e);

/* args.c: repeats on_set_arg in ls */
int chisel_deliver_args(struct chisel *c, struct lstate *ls, struct err *e);

/* api_chisel.c */
MAY_RAISE unsigned chisel_request(lua_State *L, struct lstate *ls, const char *name);
/* Field number of a handle on the stack; -1 when it is none. */
int chisel_handle(lua_State *L, int idx, const struct chisel *c);
static inline void *field_handle(unsigned i)
{
	return (void *)((uintptr_t)i + 1);
}

/* Field i of the event under env. Fields that look back: in the release turn only, once for each evt.field as in sysdig. */
static inline void chisel_field_get(const struct chisel *c, unsigned i, struct field_env *env, struct value *v)
{
	uint64_t *outer = env->lookback;

	env->lookback = c->lookback;
	field_get(&c->fields[i].ref, env, v);
	env->lookback = outer;
}

/* Field f of event idx of the batch that env->c has begun, if it can be had without moving there. */
static ALWAYS_INLINE bool chisel_field_quick(const struct chisel_field *f, const struct field_env *env, uint32_t idx,
					     struct value *v)
{
	const struct ev_rec *r;
	uint64_t ns;

	if (!f->latency)
		return false;
	r = &env->c->b->ev[idx];
	/* Internal events may have none. */
	if ((event_table[r->type].category_029 & EC_BASE_MASK) == EC_INTERNAL || !evctx_rec_latency(env->c, r, &ns))
		return false;
	*v = (struct value){ .type = f->ref.type, .has = true, .u = ns };
	return true;
}

/* analyse.c */
struct chisel_entry { /* an event that a chisel wants to see at release */
	uint32_t idx;
	uint32_t text_off, text_len; /* rendered by the worker: formatter line or per-event output */
	bool has_line;		     /* the formatter has a line for it */
};
struct chisel_part { /* of one chisel */
	struct chisel_entry *e;
	uint32_t n, cap; /* of e, and of vals */
	struct buf text;
	struct arena mem;
	uint32_t *bound; /* indices of events that open another interval slot than the event before them */
	uint32_t nbound, bound_cap;
	bool any;	       /* batch has an event that is not hidden */
	uint64_t first_slot, last_slot;
	uint32_t first_idx;
	struct agg **agg;      /* sealed: [segment * naggs + i] */
	uint32_t seg;	       /* segment of the event under way */
	bool dirty;	       /* the worker's state has something for it */
	/* Fields extracted in advance, for on_event in order: up to stride values for each entry. Of enter [0] and exit
	 * events [1]: place of the nvals fields requested when the batch began among them, VALUE_WAITS for those left out;
	 * pre: the field of each of npre places. */
	struct value *vals;
	uint16_t *place[2], *pre[2];
	unsigned nvals, npre[2], stride;
	struct buf *sealed;    /* parts of the script's globals, nbound + 1 */
	int err;	       /* a script failed in the worker at event err_idx */
	uint32_t err_idx;
	struct err why;
	struct buf traceback;
	bool no_memory;
};
struct chisels_part {
	struct chisels *cs;
	unsigned w;
	struct field_env *env;
	const struct batch *b;
	bool any;	    /* events were handed over; the last one is */
	uint32_t last_idx;
	uint32_t *seen; /* events handed over, when they may be needed again */
	uint32_t nseen, seen_cap;
	bool no_memory;
	struct chisel_part p[];
};
/* Runs filter, extraction and updates of one chisel on n events of the batch; env moves. */
void chisel_see(struct chisels_part *p, unsigned i, struct field_env *env, const uint32_t *sel, uint32_t n);
/* Seals the last segment of chisel ci. */
void chisel_close_part(struct chisels_part *p, unsigned ci);
uint64_t interval_slot(const struct chisel *c, uint64_t ts, uint64_t origin);

#endif
