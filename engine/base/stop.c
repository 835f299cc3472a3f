#include "base/stop.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_bool requested;
static void *_Atomic hook_ctx;
static void (*_Atomic hook_fn)(void *ctx);

bool stop_requested(void)
{
	/* relaxed: a late view only means one more piece of work */
	return atomic_load_explicit(&requested, memory_order_relaxed);
}

void stop_request(void)
{
	/* seq_cst with stop_set_hook: either this sees the hook, or the setter sees the request */
	atomic_store(&requested, true);
	void (*fn)(void *) = atomic_load(&hook_fn);
	if (fn)
		fn(atomic_load(&hook_ctx));
}

void stop_clear(void)
{
	atomic_store(&requested, false);
}

void stop_set_hook(void (*fn)(void *ctx), void *ctx)
{
	atomic_store(&hook_fn, NULL);
	atomic_store(&hook_ctx, ctx);
	atomic_store(&hook_fn, fn);
	if (fn && atomic_load(&requested))
		fn(ctx);
}
