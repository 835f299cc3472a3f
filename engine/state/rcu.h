/* The one place that includes liburcu (QSBR flavour), with what ThreadSanitizer must be told:
 * Debian's library is not annotated, so the edge from a reader's quiescent state to the callback
 * after the grace period is drawn here.
 *
 * Readers are the workers: inside a read-side section from registration to unregistration, except
 * between state_rcu_offline and state_rcu_online; every batch ends with a quiescent state. */
#ifndef BURIN_STATE_RCU_H
#define BURIN_STATE_RCU_H

#include <stdatomic.h>
#include <urcu-qsbr.h>

#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#ifdef RCU_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define RCU_TSAN_ACQUIRE(p) __tsan_acquire(p)
#define RCU_TSAN_RELEASE(p) __tsan_release(p)
#else
#define RCU_TSAN_ACQUIRE(p) ((void)(p))
#define RCU_TSAN_RELEASE(p) ((void)(p))
#endif

/* rcu_assign_pointer and rcu_dereference as C11 atomics: the same instructions, and visible to the
 * sanitizer. The release pairs with the acquire: a reader that sees the pointer sees what it points
 * to. */
#define state_rcu_publish(pp, v) atomic_store_explicit((pp), (v), memory_order_release)
#define state_rcu_deref(pp) atomic_load_explicit((pp), memory_order_acquire)

static inline void state_rcu_register(void)
{
	urcu_qsbr_register_thread();
}
static inline void state_rcu_unregister(char *sync)
{
	RCU_TSAN_RELEASE(sync);
	urcu_qsbr_unregister_thread();
}
static inline void state_rcu_quiescent(char *sync)
{
	RCU_TSAN_RELEASE(sync);
	urcu_qsbr_quiescent_state();
}
static inline void state_rcu_offline(char *sync)
{
	RCU_TSAN_RELEASE(sync);
	urcu_qsbr_thread_offline();
}
static inline void state_rcu_online(void)
{
	urcu_qsbr_thread_online();
}
/* fn runs in liburcu's thread after every worker has been quiescent. obj: any address that stands
 * for the callback. */
static inline void state_rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *h), void *obj)
{
	RCU_TSAN_RELEASE(obj);
	urcu_qsbr_call_rcu(h, fn);
}
/* First things in such a callback: what the caller of state_rcu_call wrote, and what the readers
 * have read. */
static inline void state_rcu_called(void *obj)
{
	RCU_TSAN_ACQUIRE(obj);
}
static inline void state_rcu_grace(char *sync)
{
	RCU_TSAN_ACQUIRE(sync);
}

#endif
