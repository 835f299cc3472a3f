/* Private to engine/field: the container of the event's thread. Any worker, on its own env. */
#ifndef BURIN_FIELD_FIELD_CONTAINER_H
#define BURIN_FIELD_FIELD_CONTAINER_H

#include "field/field_int.h"
#include "state/container.h"

struct thread_container {
	const struct thread_ver *tv;
	const struct container *c; /* may be &implied */
	struct container implied;
};
/* False: no thread, host, or nothing known but the id (tv is set where there is a thread). Texts of
 * tc->implied live as long as tc->tv. */
bool container_of(struct field_env *env, struct thread_container *tc);

#endif
