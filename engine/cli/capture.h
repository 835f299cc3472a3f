/* Live capture on the command line: from the options to a source, and what is said at its end. Main
 * thread only. */
#ifndef BURIN_CLI_CAPTURE_H
#define BURIN_CLI_CAPTURE_H

#include "cli/options.h"
#include "live/live.h"

/* Starts the capture that the options ask for; *src goes to the pipeline. */
int capture_open(struct live **out, struct source **src, const struct cli_options *o, struct err *e);
/* Ends it. Lost events are always reported, on standard error; verbose: the other numbers too. */
void capture_close(struct live *l, bool verbose);

#endif
