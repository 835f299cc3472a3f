/* --check-chisel: one chisel run in order and then with several workers and batch sizes; all must print
 * the same. Main thread. */
#ifndef BURIN_CLI_CHECK_H
#define BURIN_CLI_CHECK_H

#include "cli/options.h"

/* Says on standard output whether the runs agree. Returns the exit code: 0 = they do. */
int check_chisel(const struct cli_options *o);

#endif
