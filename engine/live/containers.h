/* Finds containers that are new to the capture and asks their runtimes about them, in a thread of
 * its own: nothing here waits for a runtime but containers_settle. What is learned becomes
 * container events.
 *
 * All functions but the thread's: one thread at a time. */
#ifndef BURIN_LIVE_CONTAINERS_H
#define BURIN_LIVE_CONTAINERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "live/inject.h"

struct containers;

/* root: prefix of the runtimes' paths, "" = none. */
int containers_new(struct containers **out, const char *root, struct err *e);
void containers_free(
	struct containers *c); /* waits for a look-up under way: at most its time limit */

/* Cgroups text of a thread ("subsys=path" NUL ...): a container not seen before is looked up. */
void containers_see(struct containers *c, const char *cgroups, size_t len);
/* Adds the types of events that carry cgroups. */
void containers_watch(uint64_t types[8]);
/* The same for an event's record, if it carries cgroups. */
void containers_see_record(struct containers *c, const uint8_t *record);
/* Puts what has been learned into q. */
void containers_tell(struct containers *c, struct inject *q, uint64_t now_ns);
/* Waits until all look-ups are done, at most ms. */
void containers_settle(struct containers *c, unsigned ms);

#endif
