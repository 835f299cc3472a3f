/* Checks of what live capture needs from the machine. Any thread. */
#ifndef BURIN_LIVE_DOCTOR_H
#define BURIN_LIVE_DOCTOR_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* One line per check: "ok   NAME: what was found" or "no   NAME: what was found; what to do", the
 * last one tries to load the programs. Returns whether capture works. */
struct probe_opts;
/* o: attach and btf; NULL = the ordinary ones. */
bool doctor_report(struct buf *out, const struct probe_opts *o);

/* Why loading failed with code: the first check that explains it, or what the kernel said. Sets *e,
 * returns code. */
int doctor_explain(struct err *e, const struct probe_opts *o, int code, const char *said);

/* What makes trying useless: a kernel that lets no program read its memory. 0, or negative with *e.
 */
int doctor_refuse(struct err *e);

/* Whether the kernel carries its own type information. */
bool doctor_kernel_has_types(void);
/* Version of the running kernel; one that does not say counts as new. */
bool doctor_kernel_at_least(unsigned major, unsigned minor);

#endif
