#include "state/carry.h"

#include "state/state_priv.h"

/* A trace can be read in both modes, so the list is that of both. */
static bool changes(unsigned type, bool compat029)
{
	const struct apply_entry *ae = &apply_table(compat029)[type];

	return ae->fn && (ae->demand & ~(uint32_t)(DEMAND_VOLATILE | DEMAND_CPU));
}

static bool carries(unsigned type)
{
	const struct event_info *i = &event_table[type];

	if ((i->flags | (i->known_029 ? i->flags_029 : 0)) & EF_MODIFIES_STATE)
		return true;
	return changes(type, false) || changes(type, true) || type_may_be_stored(type);
}

bool state_type_carries(unsigned type)
{
	return carries(type) || (!(type & 1) && type + 1 < EV_CODE_COUNT && carries(type + 1));
}
