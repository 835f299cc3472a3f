/* A small field table for tests of formats: field_parse, field_get and field_get_list over values
 * that the test sets. Included once per program. */
#ifndef BURIN_TESTS_FAKE_FIELDS_H
#define BURIN_TESTS_FAKE_FIELDS_H

#include <stdlib.h>

#include "field/field.h"

static const struct field_info fake_fields[] = {
	{.name = "evt.num", .type = PT_UINT64, .fmt = PF_ID},
	{.name = "evt.outputtime", .type = PT_CHARBUF, .fmt = PF_NA},
	{.name = "evt.time", .type = PT_CHARBUF, .fmt = PF_NA},
	{.name = "evt.cpu", .type = PT_INT16, .fmt = PF_ID},
	{.name = "proc.name", .type = PT_CHARBUF, .fmt = PF_NA, .demand = DEMAND_THREADS},
	{.name = "thread.tid", .type = PT_INT64, .fmt = PF_ID},
	{.name = "evt.dir", .type = PT_CHARBUF, .fmt = PF_DIR},
	{.name = "evt.type", .type = PT_CHARBUF, .fmt = PF_NA},
	{.name = "evt.info", .type = PT_CHARBUF, .fmt = PF_NA, .demand = DEMAND_FDS},
	{.name = "evt.args", .type = PT_CHARBUF, .fmt = PF_NA},
	{.name = "evt.arg", .type = PT_CHARBUF, .fmt = PF_NA, .flags = FF_ARG_REQUIRED},
	{.name = "evt.failed", .type = PT_BOOL, .fmt = PF_NA},
	{.name = "evt.deltatime", .type = PT_RELTIME, .fmt = PF_DEC, .flags = FF_LOOKS_BACK},
	{.name = "fd.num", .type = PT_INT64, .fmt = PF_ID},
	{.name = "fd.name", .type = PT_CHARBUF, .fmt = PF_NA, .demand = DEMAND_FDS},
	{.name = "fd.ip", .type = PT_IPADDR, .fmt = PF_NA, .flags = FF_FILTER_ONLY},
	{.name = "fd.dev", .type = PT_INT32, .fmt = PF_HEX},
	{.name = "fd.types", .type = PT_CHARBUF, .fmt = PF_NA, .flags = FF_LIST},
	{.name = "thread.cpu", .type = PT_DOUBLE, .fmt = PF_NA},
};

/* Shown parameters need descriptors, if the type is a write. */
uint32_t field_params_demand(const struct demand *d)
{
	return demand_type(d, EV_SYSCALL_WRITE_E) ? DEMAND_FDS : 0;
}

static struct value fake_values[ARRAY_SIZE(fake_fields)]; /* what each field yields */
static struct value_list fake_list;

static inline struct value *fake_value(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fake_fields); i++) {
		if (!strcmp(fake_fields[i].name, name))
			return &fake_values[i];
	}
	abort();
}

int field_parse(struct field_ref *out, const char *text, size_t len, size_t *used, struct err *e)
{
	const struct field_info *best = NULL;
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(fake_fields); i++) {
		size_t k = strlen(fake_fields[i].name);

		if (k > n && k <= len && !memcmp(text, fake_fields[i].name, k)) {
			best = &fake_fields[i];
			n = k;
		}
	}
	if (!best)
		return err_set(e, ERR_SYNTAX, 0, "unknown field");
	memset(out, 0, sizeof(*out));
	out->info = best;
	out->type = best->type;
	out->fmt = best->fmt;
	out->demand = best->demand;
	if (best->flags & FF_ARG_REQUIRED) {
		if (text[n] != '[' || !memchr(text + n, ']', len - n))
			return err_set(e, ERR_SYNTAX, n, "argument missing");
		n = (size_t)((const char *)memchr(text + n, ']', len - n) - text) + 1;
	}
	*used = n;
	return 0;
}

void field_ref_fini(struct field_ref *r) {}

void field_get(const struct field_ref *r, struct field_env *env, struct value *v)
{
	*v = fake_values[r->info - fake_fields];
	if (r->info->flags & FF_LOOKS_BACK) {
		uint64_t *last = &env->lookback[r->place];

		*v = (struct value){
			.type = PT_RELTIME, .has = true, .u = *last ? env->c->ev.ts - *last : 0};
		*last = env->c->ev.ts;
	}
}

void field_get_list(const struct field_ref *r, struct field_env *env, struct value_list *l)
{
	*l = fake_list;
}

#endif
