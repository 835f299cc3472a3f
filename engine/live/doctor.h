/* Checks of what live capture needs from the machine. Any thread. */
#ifndef BURIN_LIVE_DOCTOR_H
#define BURIN_LIVE_DOCTOR_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* One line per check: "ok   NAME: what was found" or "no   NAME: what was found; what to do", the
 * last one tries to load the programs. Returns whether capture works. */
bool doctor_report(struct buf *out);

/* Why loading failed with code: the first check that explains it, or what the kernel said. Sets *e,
 * returns code. */
int doctor_explain(struct err *e, int code, const char *said);

/* What makes trying useless: a kernel that lets no program read its memory. 0, or negative with *e.
 */
int doctor_refuse(struct err *e);

#endif
