/* Three kinds of check (see docs/architecture.md): ASSERT for a bug (always compiled in, aborts with
 * file and line), ASSERT_SLOW for a bug that is dear to look for (debug builds only), and an error
 * return for everything the outside world can cause. Contents of a trace are never asserted. */
#ifndef BURIN_BASE_ASSERT_H
#define BURIN_BASE_ASSERT_H

#include "base/compiler.h"

void assert_fail(const char *expr, const char *file, int line) __attribute__((noreturn, cold));

#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_fail(#x, __FILE__, __LINE__))
#ifdef BURIN_DEBUG
#define ASSERT_SLOW(x) ASSERT(x)
#else
#define ASSERT_SLOW(x) ((void)0)
#endif

#endif
