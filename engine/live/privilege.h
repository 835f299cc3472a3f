/* Capabilities of this thread (and of threads it starts later). */
#ifndef BURIN_LIVE_PRIVILEGE_H
#define BURIN_LIVE_PRIVILEGE_H

#include <stdbool.h>

bool privilege_has(unsigned cap);
/* Once the capture runs: gives up every capability but those to load programs (for cpus that come
 * later), to read and write files of others, and to signal. */
void privilege_drop(void);

#endif
