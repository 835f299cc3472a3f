#include "state/demand.h"

static const struct {
	uint32_t bit, implied;
} implies[] = {
	/* Those that imply most come first, so that one pass is enough. */
	{DEMAND_CONNECTED, DEMAND_FDS},	   {DEMAND_FDS, DEMAND_THREADS},
	{DEMAND_VOLATILE, DEMAND_THREADS}, {DEMAND_CONTAINERS, DEMAND_THREADS},
	{DEMAND_CPU, DEMAND_THREADS},	   {DEMAND_THREADS, DEMAND_PAIRS},
	{DEMAND_LATENCY, DEMAND_PAIRS},
};

void demand_init(struct demand *d, bool compat029)
{
	memset(d, 0, sizeof(*d));
	d->compat029 = compat029;
	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		d->types[t / 64] |= (uint64_t)1 << (t % 64);
}

void demand_add(struct demand *d, uint32_t bits)
{
	d->bits |= bits;
	if (d->compat029 && (bits & DEMAND_LATENCY))
		d->bits |= DEMAND_THREADS;
	for (size_t i = 0; i < ARRAY_SIZE(implies); i++)
		if (d->bits & implies[i].bit)
			d->bits |= implies[i].implied;
}
