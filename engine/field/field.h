/* Fields: evt.num, proc.name, fd.sport ... One table (fields.def) describes them all; this is the only
 * place that knows how a field is computed. Used by filter, output formats and chisels.
 *
 * A compiled reference (struct field_ref) is IMMUTABLE and may be shared by all workers. Extraction
 * works on one worker's evctx and scratch arena (reset per event by the caller). */
#ifndef BURIN_FIELD_FIELD_H
#define BURIN_FIELD_FIELD_H

#include "base/arena.h"
#include "base/err.h"
#include "field/value.h"
#include "state/bind.h"

enum field_flags {
	FF_LIST = 1 << 0, FF_FILTER_ONLY = 1 << 1, FF_PRINT_ONLY = 1 << 2, FF_ARG_REQUIRED = 1 << 3,
	FF_ARG_OPTIONAL = 1 << 4, FF_NO_RHS = 1 << 5, FF_NO_TRANSFORMER = 1 << 6, FF_TABLE_ONLY = 1 << 7,
	FF_HEADER_ONLY = 1 << 8, /* needs nothing but the event header: usable in digest */
	FF_LOOKS_BACK = 1 << 9,	 /* value depends on earlier evaluations at the same place (evt.deltatime) */
	FF_HIDDEN = 1 << 10,
};

struct field_info {
	const char *name;  /* "proc.name" */
	const char *class_; /* "process" */
	uint8_t type;	   /* enum param_type of the value */
	uint8_t fmt;	   /* enum param_fmt */
	uint32_t flags;	   /* enum field_flags */
	uint32_t demand;   /* enum demand_bits that extraction needs */
	const char *help;  /* our own words */
	uint16_t id;	   /* index in the table */
};

enum field_arg_kind { FA_NONE, FA_INDEX, FA_TEXT };
struct field_ref {
	const struct field_info *info;
	uint8_t type; /* value type: info->type, or that of the named parameter for evt.rawarg.X */
	uint8_t arg_kind;
	int64_t arg_index;   /* [n] */
	const char *arg_text; /* "[name]" or ".name"; owned by the ref, NUL-terminated; NULL */
	uint32_t arg_len;
	uint32_t place;	     /* for FF_LOOKS_BACK: number of the place it is written in */
};

/* How texts are rendered inside fields (evt.args, evt.buffer ...): shared by all consumers of a run. */
enum buffer_mode { BUF_DOTTED, BUF_PRINTABLE /* -A */, BUF_HEX, BUF_HEXASCII, BUF_BASE64 };
struct render_opts {
	bool compat029;
	uint8_t buffer_mode; /* enum buffer_mode */
	bool no_truncate;    /* -v or a chisel is loaded: no 80-character limit */
	char time_type;	     /* -t: h a r d D */
	bool json;
};

/* What extraction needs beside the event. One per worker; scratch is reset by the caller per event. */
struct field_env {
	struct evctx *c;
	struct arena *scratch;
	const struct render_opts *ro;
	/* Values that look back (evt.deltatime, -t D): one time stamp per place; only used in order. */
	uint64_t *lookback;
};

const struct field_info *field_table(unsigned *n);
/* Longest field name at the start of text, with its argument. *used = bytes consumed. On failure *e says what is
 * wrong (unknown field with the nearest name, missing argument ...), e->pos relative to text. */
int field_parse(struct field_ref *out, const char *text, size_t len, size_t *used, struct err *e);
void field_ref_fini(struct field_ref *r);
/* Extracts the (first) value. v->has false when the event has none. */
void field_get(const struct field_ref *r, struct field_env *env, struct value *v);
/* All values of list fields; scalars give one. */
void field_get_list(const struct field_ref *r, struct field_env *env, struct value_list *l);

#endif
