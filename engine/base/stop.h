/* One request to stop, set by a signal handler or by any thread and looked at between pieces of work. A
 * hook lets whoever may be blocked at that time be woken. */
#ifndef BURIN_BASE_STOP_H
#define BURIN_BASE_STOP_H

#include <stdbool.h>

bool stop_requested(void);
void stop_request(void); /* async-signal-safe, if the hook is */
void stop_clear(void);	 /* before a run */
/* Called once per request with ctx, in the requesting thread or signal handler; called at once when the
 * request came earlier. fn NULL removes it. One hook at a time; main thread only. */
void stop_set_hook(void (*fn)(void *ctx), void *ctx);

#endif
