/* Which event each x86_64 system call is: generated from engine/event/syscalls.def, needed by live
 * capture only. IMMUTABLE; any thread may read it. */
#ifndef BURIN_EVENT_SYSCALLS_H
#define BURIN_EVENT_SYSCALLS_H

#include "event/event.h"

/* struct syscall_info.driver: how dear the call is to lose when the capture must drop events. */
enum { SYSCALL_USED = 1 << 0, SYSCALL_NEVER_DROP = 1 << 1, SYSCALL_ALWAYS_DROP = 1 << 2 };

struct syscall_info {
	const char *name;     /* NULL: no such call */
	uint16_t sc;	      /* enum ppm_sc */
	uint16_t enter, exit; /* enum event_code, newest schema; EV_GENERIC_* if it has no event of
				 its own */
	uint16_t enter_029, exit_029; /* the same for 0.29.3 */
	uint8_t driver;		      /* SYSCALL_* */
	bool known_029;		      /* 0.29.3 knows the call (if not: generic, id 0) */
};

extern const struct syscall_info syscall_table[]; /* by system call number */
extern const unsigned syscall_table_count;

#endif
