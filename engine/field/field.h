/* Fields: evt.num, proc.name, fd.sport ... One table (fields.def) describes them all; this is the
 * only place that knows how a field is computed. Used by filter, output formats and chisels.
 *
 * A compiled reference (struct field_ref) is IMMUTABLE and may be shared by all workers. Extraction
 * works on one worker's evctx and scratch arena (reset per event by the caller). */
#ifndef BURIN_FIELD_FIELD_H
#define BURIN_FIELD_FIELD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "field/value.h"
#include "state/bind.h"

enum field_flags {
	FF_LIST = 1 << 0,
	FF_FILTER_ONLY = 1 << 1,
	FF_PRINT_ONLY = 1 << 2,
	FF_ARG_REQUIRED = 1 << 3,
	FF_ARG_OPTIONAL = 1 << 4,
	FF_NO_RHS = 1 << 5,
	FF_NO_TRANSFORMER = 1 << 6,
	FF_TABLE_ONLY = 1 << 7,
	FF_HEADER_ONLY = 1 << 8, /* needs nothing but the event itself: usable in digest, with an
				  * evctx of which only .ev and .demand are set */
	FF_LOOKS_BACK =
		1 << 9, /* value depends on earlier evaluations at the same place (evt.deltatime) */
	FF_HIDDEN = 1 << 10,	 /* not listed */
	FF_DEPRECATED = 1 << 11, /* the newest libraries call it outdated; works here */
	/* The value depends on these alone, beside what is fixed for a run and a section (memo.h).
	 * None of them: on the event. */
	FF_BY_THREAD = 1 << 12, /* the thread and its version */
	FF_BY_MAIN = 1 << 13,	/* ... and the main thread and its version */
	FF_BY_FD =
		1 << 14, /* number and version of the event's descriptor, and the thread's id, where
			  * the event shows the descriptor and nothing else (evctx_fd_plain); if nothing is
			  * known of it, also whether the event is an exit */
	FF_BY_TYPE = 1 << 15, /* the event's type (for the two generic types: and the call); with FF_HEADER_ONLY */
	FF_BY = FF_BY_THREAD | FF_BY_MAIN | FF_BY_FD,
};

/* How the argument of a field is written. */
enum field_arg_form {
	FAF_NONE,
	FAF_PARAM,	   /* .parameter or [position]: evt.arg */
	FAF_PARAM_NAME,	   /* .parameter: evt.rawarg */
	FAF_EVENT,	   /* .event: evt.type.is */
	FAF_INDEX,	   /* [number], may be negative */
	FAF_NAME_OR_INDEX, /* .name or [number] */
	FAF_SRCDST,	   /* nothing, .src or .dst */
	FAF_CGROUP,	   /* .subsystem: letters and _ */
	FAF_KEY,	   /* .label: letters, digits and _ - . / */
	FAF_TEXT,	   /* [number] or [text] */
	FAF_OPT_INDEX,	   /* nothing or [number] */
	FAF_OPT_TEXT,	   /* nothing, [number] or [text] */
};

struct field_ref;
struct field_env;
typedef void field_get_fn(const struct field_ref *r, struct field_env *env, struct value *v);
typedef void field_list_fn(const struct field_ref *r, struct field_env *env, struct value_list *l);

struct field_info {
	const char *name;   /* "proc.name" */
	const char *class_; /* "process" */
	uint8_t type;	    /* enum param_type of the value */
	uint8_t fmt;	    /* enum param_fmt */
	uint32_t flags;	    /* enum field_flags */
	uint32_t demand;    /* enum demand_bits that extraction needs at most; field_ref.demand is
			       exact */
	const char *help;   /* our own words */
	uint16_t id;	    /* index in the table */
	uint8_t cls;	    /* index in the class table */
	uint8_t arg;	    /* enum field_arg_form */
	bool known_029;	    /* 0.29.3 has it ... */
	bool known_new;	    /* ... the newest libraries have it (not those that came and went) */
	uint8_t type_029;   /* enum param_type there */
	uint32_t flags_029; /* those of FF_FILTER_ONLY, PRINT_ONLY, ARG_REQUIRED, TABLE_ONLY, HIDDEN
			       it has */
	uint16_t sel;	    /* private: member of the getter's family */
	field_get_fn *get;  /* private: call field_get */
	field_list_fn *list; /* private: call field_get_list; NULL = one value at most */
};

/* Classes as -l shows them, in this order. */
struct field_class {
	const char *name;    /* "evt" */
	const char *applies; /* "all events"; NULL */
	const char *help;
	bool hidden;
};

enum field_arg_kind { FA_NONE, FA_INDEX, FA_TEXT };
struct field_ref {
	const struct field_info *info;
	uint8_t type; /* value type: info->type, or that of the named parameter for evt.rawarg.X */
	uint8_t arg_kind;
	int64_t arg_index;    /* [n] */
	const char *arg_text; /* "[name]" or ".name"; owned by the ref, NUL-terminated; NULL */
	uint32_t arg_len;
	uint32_t place;	 /* for FF_LOOKS_BACK: number of the place it is written in */
	uint32_t demand; /* enum demand_bits that this use of the field needs */
	uint8_t fmt; /* enum param_fmt: info->fmt, or that of the named parameter for evt.rawarg.X
		      */
};

/* How texts are rendered inside fields (evt.args, evt.buffer ...): shared by all consumers of a
 * run. */
enum buffer_mode { BUF_DOTTED, BUF_PRINTABLE /* -A */, BUF_HEX, BUF_HEXASCII, BUF_BASE64 };
struct render_opts {
	bool compat029;
	uint8_t buffer_mode; /* enum buffer_mode */
	bool no_truncate; /* -v or a chisel is loaded: no 80-character limit (JSON never has it) */
	char time_type;	  /* -t: h a r d D */
	bool json;
	bool resolve_ports; /* -R: services by name in fd.*proto */
	unsigned columns;   /* width of the terminal for evt.latency.quantized; 0 = none */
};

/* What extraction needs beside the event. One per worker, zeroed except for what the caller sets;
 * scratch is reset by the caller per event; field_env_fini frees what the extractors kept. */
struct field_env {
	struct evctx *c;
	struct arena *scratch;
	const struct render_opts *ro;
	/* Values that look back (evt.deltatime, -t D): one time stamp per place; only used in
	 * order. */
	uint64_t *lookback;
	struct buf text[2]; /* private: texts being rendered, kept for reuse */
};

void field_env_fini(struct field_env *env);
/* To event idx of the batch begun, unless env stands there already; what was extracted before is
 * gone then. */
static inline void field_env_move(struct field_env *env, uint32_t idx)
{
	if (env->c->idx == idx)
		return;
	evctx_move(env->c, idx);
	if (env->scratch->used_bytes)
		arena_reset(env->scratch);
}

const struct field_info *field_table(unsigned *n);
const struct field_class *field_classes(unsigned *n);
/* Exact name without argument; NULL if unknown. Any thread. */
const struct field_info *field_find(const char *name, size_t len);
/* Longest field name at the start of text, with its argument. *used = bytes consumed. On failure *e
 * says what is wrong (unknown field with the nearest name, missing argument ...), e->pos relative
 * to text. Any thread. */
int field_parse(struct field_ref *out, const char *text, size_t len, size_t *used, struct err *e);
void field_ref_fini(struct field_ref *r);
/* enum demand_bits that the texts of all parameters of the event types of d need. Any thread. */
uint32_t field_params_demand(const struct demand *d);
/* Extracts the (first) value. v->has false when the event has none. IPNET fields give the address
 * (len 4 or 16); evt.around[T] gives the distance of the event from T in ns; the fields of "either
 * end" (fd.ip, fd.port, fd.proto, fd.net) and those of "some ancestor" (proc.aname without index
 * ...) are lists of candidates for filters: field_get gives the first of them. */
void field_get(const struct field_ref *r, struct field_env *env, struct value *v);
/* All values of list fields and of the fields just named; others give one or none. In the scratch
 * arena. */
void field_get_list(const struct field_ref *r, struct field_env *env, struct value_list *l);

/* Listings (list.c). verbose adds the types. */
void field_list(struct buf *out, bool verbose);
void field_list_markdown(struct buf *out);
void field_list_json(struct buf *out);
/* "UINT64", "CHARBUF" ... as -lv shows it; never NULL. */
const char *field_type_name(unsigned type);

#endif
