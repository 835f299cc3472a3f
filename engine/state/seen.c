#include "state/state_int.h"

/* With every exit its enter. Codes of a call are neighbours in one word: the exit is the bit above.
 */
static void add_enters(uint64_t *types)
{
	for (unsigned w = 0; w < DEMAND_TYPE_WORDS; w++)
		types[w] |= types[w] >> 1 & 0x5555555555555555;
}

void demand_seen(const struct demand *d, uint64_t types[DEMAND_TYPE_WORDS],
		 uint64_t tables[DEMAND_TYPE_WORDS])
{
	const struct apply_entry *table = apply_table(d->compat029);

	memset(tables, 0, DEMAND_TYPE_WORDS * sizeof(*tables));
	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		if (table[t].fn && table[t].demand & d->bits)
			tables[t / 64] |= (uint64_t)1 << t % 64;
	for (unsigned w = 0; w < DEMAND_TYPE_WORDS; w++)
		types[w] = d->types[w] | tables[w];
	if (d->bits & DEMAND_PAIRS) {
		add_enters(types);
		add_enters(tables);
	}
}
