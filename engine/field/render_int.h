/* Private to engine/field: pieces of text shared by event parameters and field values. All append
 * to a buffer and are bounded only by their input; a failed growth stays in the buffer's flag. */
#ifndef BURIN_FIELD_RENDER_INT_H
#define BURIN_FIELD_RENDER_INT_H

#include "field/render.h"

/* How the names of a number are chosen (facts: state-rules.md section 9, "FLAGS walk"). */
enum name_rule {
	NAMES_029, /* bits; an entry equal to the whole value ends the walk and is always named */
	NAMES_NEWEST, /* bits; the same, but only while its bits are unused */
	NAMES_ENUM,   /* every entry with exactly this value */
};

/* "5(A|B)", "5" when nothing has that value. Returns the position where the number ends, that is
 * of the '(' if there is one. From this thread's cache when it can. */
size_t text_flags(struct buf *b, const struct flag_table *t, unsigned n, uint64_t v,
		  enum name_rule rule);
/* "1500000000(1.5s)" or "none"; returns as text_flags. */
size_t text_reltime(struct buf *b, uint64_t ns);
/* Names of the bits without number and parentheses; false if there is none. */
bool text_flag_names(struct buf *b, const struct flag_table *t, unsigned n, uint64_t v,
		     enum name_rule rule);
/* v in the print format; bytes: width of the type for HEX. */
void text_number(struct buf *b, int64_t v, unsigned fmt, unsigned bytes);

void text_ipv4(struct buf *b, const uint8_t *addr); /* 4 bytes, network order */
void text_ipv6(struct buf *b, const uint8_t *addr); /* 16 bytes */
/* SOCKADDR and SOCKTUPLE wire bytes, len > 0. */
void text_sockaddr(struct buf *b, const uint8_t *p, uint32_t len);
void text_socktuple(struct buf *b, const uint8_t *p, uint32_t len);
/* "2025-01-31 23:59:59.123456789 +0100", local zone. */
void text_abstime(struct buf *b, uint64_t ns);

/* ---- parameters (render_param.c)
 * ------------------------------------------------------------------- */

enum { LABEL_MAX = 24 };

/* How a parameter is printed: made once from the event table (render.c), then IMMUTABLE. */
struct print_param {
	char label[LABEL_MAX]; /* "name=" */
	uint8_t label_len;
	uint8_t op; /* enum render_op */
	uint8_t type, fmt;
	uint8_t index; /* among the parameters of its event */
	int8_t dirfd, dirfd_029;
	bool newest; /* 0.29.3 has no such parameter: texts by the newest rules */
	const struct flag_table *flags;
	const struct dyn_table *dyn;
};

/* Where texts go and what they are made from. */
struct put {
	struct buf *b;
	struct field_env *env;
	struct evctx *c;
	bool compat;
};

/* Append "raw(resolved)" or just "raw" and return the position where raw ends. */
size_t put_typed(const struct put *x, const struct print_param *pp, const uint8_t *v, uint32_t len);
size_t put_fd(const struct put *x, int64_t fd);
size_t put_names(const struct put *x, const struct print_param *pp, uint64_t v); /* flags, enums */

#endif
