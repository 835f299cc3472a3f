#include "base/stop.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_bool requested;
static int event_fd = -1;

void stop_init(void)
{
	if (event_fd < 0)
		event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

bool stop_requested(void)
{
	/* relaxed: a late view only means one more piece of work */
	return atomic_load_explicit(&requested, memory_order_relaxed);
}

void stop_request(void)
{
	uint64_t one = 1;

	atomic_store_explicit(&requested, true, memory_order_relaxed);
	if (event_fd >= 0 && write(event_fd, &one, sizeof(one)) < 0) {
		/* The counter is full: it is readable already. */
	}
}

void stop_clear(void)
{
	uint64_t n;

	atomic_store_explicit(&requested, false, memory_order_relaxed);
	if (event_fd >= 0 && read(event_fd, &n, sizeof(n)) < 0) {
		/* Nothing was pending. */
	}
}

int stop_fd(void)
{
	return event_fd;
}
