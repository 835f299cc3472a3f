/* Events that the capture makes itself: what is not in the stream of calls but has to be in the
 * trace. They enter the one order like records of a ring (merge.h), at the time they were made; a
 * replay of the file sees them at the same place.
 *
 *   procinfo   time on the cpu of each thread, once a second, stamped at the end of that second
 *   scapevent  a tick, once a second, when there was nothing else: keeps intervals going
 *   drop       events were lost since the last such event: how many
 *   useradded, userdeleted, groupadded, groupdeleted   when /etc/passwd and /etc/group change
 *
 * One owner, one thread at a time. */
#ifndef BURIN_LIVE_INJECT_H
#define BURIN_LIVE_INJECT_H

#include <stdbool.h>

#include "base/buf.h"
#include "live/ring.h"

struct inject {
	struct buf queue; /* records, each behind its u32 length */
	size_t pos;	  /* of the first one not taken */
	uint64_t last_ts; /* stamps rise */
	bool failed;	  /* an event is missing: no memory, or it was too long */
};

void inject_init(struct inject *q);
void inject_fini(struct inject *q);

/* The longest event: it fits into a chunk (chunks.h). */
enum { INJECT_MAX = 250 << 10 };

/* One event of the table's type with n parameters, whose bytes are in data one behind the other.
 * ts: ns since the epoch; an older one is raised. One longer than INJECT_MAX is left out. */
void inject_event(struct inject *q, uint64_t ts, int64_t tid, uint16_t type, unsigned n,
		  const uint32_t *lens, const void *data);
void inject_procinfo(struct inject *q, uint64_t ts, uint32_t tid, uint64_t user, uint64_t system);
void inject_tick(struct inject *q, uint64_t ts);
void inject_drop(struct inject *q, uint64_t ts, uint64_t lost);

/* The record at the front, valid until the next inject_event. */
bool inject_peek(const struct inject *q, struct ring_record *rec);
void inject_next(struct inject *q);

#endif
