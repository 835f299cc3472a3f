/* Which events a trace must keep, hidden, so that the events a filter selects read the same without the
 * others (-F): those that change the tables, and the enter events of such calls. Wider than the flag
 * MODIFIES_STATE of the event table; kept by type, so that it depends on nothing but the event. Memory
 * sizes and page faults (mmap, brk, switch) are not among it: they would be half of the trace.
 *
 * Pure: any thread. */
#ifndef BURIN_STATE_CARRY_H
#define BURIN_STATE_CARRY_H

#include <stdbool.h>

bool state_type_carries(unsigned type);

#endif
