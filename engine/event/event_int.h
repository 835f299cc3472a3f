/* Private to the event stage: what the generated event_table.c holds besides event_table.
 * All of it is IMMUTABLE; any thread may read it. */
#ifndef BURIN_EVENT_INT_H
#define BURIN_EVENT_INT_H

#include "event/event.h"

struct ppm_sc_info {
	const char *name;     /* NULL: the code was never given out */
	const char *name_029; /* NULL: 0.29.3 does not know the code */
	uint8_t category_029; /* enum event_category */
};

extern const struct ppm_sc_info ppm_sc_table[SC_CODE_COUNT];
extern const struct flag_table *const flag_tables[]; /* sorted by name */
extern const unsigned flag_table_count;
extern const char *const errno_names[]; /* by errno, with holes */
extern const unsigned errno_names_count;
extern const char *const signal_names[]; /* by signal, with holes */
extern const unsigned signal_names_count;

#endif
