/* The list of events (-L): text as sysdig prints it, or JSON. */
#include "cli/lists.h"

/* Which codes are listed: those that a trace of either generation can hold as they stand, as far as they are
 * shown. */
static bool event_listed(const struct event_info *i, bool compat)
{
	bool now = !(i->flags & (EF_OLD_VERSION | EF_UNUSED));
	bool then = i->known_029 && !(i->flags_029 & (EF_OLD_VERSION | EF_UNUSED));

	return !event_info_internal(i) && !(i->category & EC_ITER) && (then || (now && !compat));
}

static unsigned event_params(const struct event_info *i, bool compat)
{
	return compat ? i->nparams_029 : MAX(i->nparams, i->nparams_029);
}

static void put_text(struct buf *out, const struct event_info *i, bool compat)
{
	unsigned n = event_params(i, compat);

	buf_printf(out, "%c %s(", i->is_exit ? '<' : '>', i->name);
	for (unsigned k = 0; k < n; k++)
		buf_printf(out, "%s%s %s", k ? ", " : "", field_type_name(i->params[k].type), i->params[k].name);
	buf_lit(out, ")\n");
}

/* Names of events and parameters need no escapes. */
static void put_json(struct buf *out, unsigned code, bool compat)
{
	const struct event_info *i = &event_table[code];
	unsigned n = event_params(i, compat);

	buf_printf(out, "{\"name\":\"%s\",\"dir\":\"%c\",\"code\":%u,\"enum\":\"%s\",\"category\":\"%s\"", i->name,
		   i->is_exit ? '<' : '>', code, i->enum_name,
		   event_category_name(i->known_029 ? i->category_029 : i->category));
	buf_printf(out, ",\"sysdig_0_29\":%s,\"params\":[", i->known_029 ? "true" : "false");
	for (unsigned k = 0; k < n; k++)
		buf_printf(out, "%s{\"name\":\"%s\",\"type\":\"%s\"}", k ? "," : "", i->params[k].name,
			   field_type_name(i->params[k].type));
	buf_lit(out, "]}");
}

void lists_events(bool compat, bool json, struct buf *out)
{
	bool first = true;

	if (json)
		buf_lit(out, "[\n");
	for (unsigned c = 0; c < EV_CODE_COUNT; c++) {
		if (!event_listed(&event_table[c], compat))
			continue;
		if (!json) {
			put_text(out, &event_table[c], compat);
			continue;
		}
		if (!first)
			buf_lit(out, ",\n");
		put_json(out, c, compat);
		first = false;
	}
	if (json)
		buf_lit(out, "\n]\n");
}
