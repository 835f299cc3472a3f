/* Names of ports (-R), from the machine's services database, read once: looking a name up must not read a
 * file for every event. Loaded before the first run, by the main thread; IMMUTABLE afterwards, any thread. */
#ifndef BURIN_BASE_SERVICES_H
#define BURIN_BASE_SERVICES_H

#include <stdbool.h>

#include "base/compiler.h"

int services_load(void); /* -ENOMEM; a missing database is an empty one */
extern bool services_loaded;
/* NULL when not loaded or without a name. A name for the other protocol is better than none. */
const char *service_name(uint16_t port, bool udp);

#endif
