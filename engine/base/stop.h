/* One request to stop, set by a signal handler or by any thread, looked at between pieces of work and
 * by reads that may block. Never cleared while a run is going on. */
#ifndef BURIN_BASE_STOP_H
#define BURIN_BASE_STOP_H

#include <stdbool.h>

bool stop_requested(void);
void stop_request(void); /* async-signal-safe */
void stop_clear(void);	 /* before a run */
/* A descriptor that becomes readable with the request, to poll beside one that may block; -1 when it
 * could not be made. */
int stop_fd(void);
/* Makes the descriptor; call once before signals are installed. */
void stop_init(void);

#endif
