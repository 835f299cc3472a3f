/* Output formats (-p): parsed once, run per event into a buffer. IMMUTABLE after format_parse: shared
 * by all workers. Grammar: facts operators.md section 8, spec cli.md section 4. */
#ifndef BURIN_OUTPUT_FORMAT_H
#define BURIN_OUTPUT_FORMAT_H

#include "base/buf.h"
#include "field/field.h"

struct format;

#define FORMAT_DEFAULT \
	"*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info"

/* text as given to -p (escapes \n \t \e \\ already translated by the command line). e->pos: column. */
int format_parse(struct format **out, const char *text, struct err *e);
void format_free(struct format *f);
uint32_t format_demand(const struct format *f);	/* enum demand_bits */
bool format_looks_back(const struct format *f); /* must run in order, behind release */
/* Appends one line (with newline) for the event; false when the event lacks a field and the format has
 * no leading '*' (nothing appended). env->ro->json selects the JSON form. */
bool format_event(const struct format *f, struct field_env *env, struct buf *out);

#endif
