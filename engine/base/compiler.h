/* Compiler and language extensions, kept in one place so that the rest is C17.
 * Concurrency marks (OWNED_BY and friends) document which thread may touch a field; they expand
 * to nothing for gcc and are checked by review. Any thread; no state. */
#ifndef BURIN_BASE_COMPILER_H
#define BURIN_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK	       __attribute__((warn_unused_result))
#define NO_INLINE	       __attribute__((noinline))
#define ALWAYS_INLINE	       inline __attribute__((always_inline))
#define CACHE_LINE	       64
#define CACHE_ALIGNED	       __attribute__((aligned(CACHE_LINE)))
#define PREFETCH(p)	       __builtin_prefetch(p)
/* In a loop that waits for another CPU. */
#if defined(__x86_64__) || defined(__i386__)
#define CPU_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define CPU_RELAX() __asm__ volatile("yield")
#else
#define CPU_RELAX() ((void)0)
#endif

/* Who may touch a field: see docs of the struct that carries it. */
#define OWNED_BY(who)
#define GUARDED_BY(lock)
#define RCU_PTR
#define IMMUTABLE

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

/* Unaligned little-endian loads. The trace format is packed; every supported machine is
 * little-endian (checked below), so a load is one instruction. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "burin supports little-endian machines only"
#endif
static ALWAYS_INLINE uint16_t load_u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static ALWAYS_INLINE uint32_t load_u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static ALWAYS_INLINE uint64_t load_u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static ALWAYS_INLINE int64_t load_i64(const void *p) { int64_t v; memcpy(&v, p, 8); return v; }

#endif
