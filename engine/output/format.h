/* Output formats (-p): parsed once, run per event into a buffer. Grammar: facts operators.md
 * section 8, spec cli.md section 4.
 *
 * IMMUTABLE after format_parse and shared by all workers, with one exception: a format that looks
 * back keeps the time stamps of the events it printed before, so it runs in order, in one thread at
 * a time. */
#ifndef BURIN_OUTPUT_FORMAT_H
#define BURIN_OUTPUT_FORMAT_H

#include "base/buf.h"
#include "field/field.h"

struct format;

#define FORMAT_DEFAULT \
	"*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info"

/* text as given to -p (escapes \n \t \e \\ already translated by the command line). e->pos: 0-based
 * column. */
int format_parse(struct format **out, const char *text, struct err *e);
void format_free(struct format *f);
uint32_t format_demand(const struct format *f); /* enum demand_bits */
/* The same for events of the types of d alone: what evt.info and evt.args need depends on them. */
uint32_t format_demand_for(const struct format *f, const struct demand *d);
/* Calls fn for each field the format names until it returns non-zero, which is the result. */
int format_each_field(const struct format *f, int (*fn)(void *ctx, const struct field_ref *r), void *ctx);
/* Must run in order, behind release: it prints distances (evt.deltatime, or evt.outputtime with -t
 * D). */
bool format_looks_back(const struct format *f, const struct render_opts *ro);
/* Appends one line (with newline) for the event; false when the event lacks a field and the format
 * has no leading '*' (nothing appended). env->ro->json selects the JSON form. */
bool format_event(const struct format *f, struct field_env *env, struct buf *out);
/* The same without the newline: for chisels, which print the line themselves. */
bool format_text(const struct format *f, struct field_env *env, struct buf *out);

#endif
