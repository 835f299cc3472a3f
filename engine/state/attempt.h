/* Names that an event shows although no descriptor entry has them: what a failed call tried. Any
 * worker, on its own evctx. */
#ifndef BURIN_STATE_ATTEMPT_H
#define BURIN_STATE_ATTEMPT_H

#include "state/bind.h"

/* fd.name of an exit event where that is not the name of the event's descriptor: the absolute path
 * of a failed open, the addresses of a failed connect, those of a connect or accept on an unknown
 * descriptor. To be asked before evctx_fd. False: there is no such name. out is NUL-terminated and
 * cut to cap (1300 is enough for all). */
bool fd_attempted_name(struct evctx *c, char *out, size_t cap, size_t *len);

/* compat029 only: the descriptor that a failed openat or openat2 leaves bound to the event, which
 * is the directory it was relative to (fd.name, fd.type and so on are those of the directory).
 * NULL: none. */
const struct fd_ver *fd_attempted_entry(struct evctx *c);

#endif
