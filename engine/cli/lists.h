/* What the list options print: fields, events, chisels, help, a compiled filter. Main thread. */
#ifndef BURIN_CLI_LISTS_H
#define BURIN_CLI_LISTS_H

#include "cli/options.h"
#include "filter/filter.h"

int lists_run(const struct cli_options *o);	 /* every action but running; returns the exit code */
void lists_events(bool compat, bool json, struct buf *out);
int lists_explain(const struct filter *f);	 /* --explain; f NULL = no filter */

#endif
