/* Live capture on the command line: from the options to a source, and what is said at its end. Main
 * thread only. */
#ifndef BURIN_CLI_CAPTURE_H
#define BURIN_CLI_CAPTURE_H

#include "live/live.h"

struct session;

/* What the kernel programs have to send for the session: event types nobody asked for are not sent,
 * and what the filter says about processes is decided there. */
void capture_select(const struct session *s, struct probe_select *sel);
/* --explain: the same as text, on standard output. */
void capture_explain(const struct session *s);
/* Starts the capture that the options ask for; *src goes to the pipeline. */
int capture_open(struct live **out, struct source **src, const struct session *s, struct err *e);
/* Ends it. Lost events are always reported, on standard error; verbose: the other numbers too.
 * *s: what the kernel counted. */
void capture_close(struct live *l, bool verbose, struct live_stats *s);

#endif
