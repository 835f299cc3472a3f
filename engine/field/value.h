/* Typed values: what a field yields and what a filter compares. Borrowed memory: a text or buffer is
 * valid until the evctx it came from moves on (or the scratch it was built in is reset). */
#ifndef BURIN_FIELD_VALUE_H
#define BURIN_FIELD_VALUE_H

#include <stdbool.h>

#include "event/event.h"

struct value {
	uint8_t type;  /* enum param_type: tells which member below holds the value */
	bool has;      /* false: the field has no value on this event */
	uint32_t len;  /* PT_CHARBUF and the like, PT_BYTEBUF, PT_IPADDR (4 or 16): bytes */
	union {
		uint64_t u;    /* unsigned integers, times, ports, flags, PT_BOOL (0/1) */
		int64_t i;     /* signed integers, PT_ERRNO, PT_FD, PT_PID */
		double d;      /* PT_DOUBLE */
		const char *s; /* texts (need not be NUL-terminated), buffers, addresses (network order) */
	};
};

/* List fields: n values of one type. */
struct value_list {
	const struct value *v;
	uint32_t n;
};

#endif
