#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

void assert_fail(const char *expr, const char *file, int line)
{
	fprintf(stderr, "burin: %s:%d: bug: %s does not hold\n", file, line, expr);
	abort();
}

void err_clear(struct err *e)
{
	e->code = 0;
	e->pos = ERR_NO_POS;
	e->pos_raw = ERR_NO_POS;
	e->msg[0] = 0;
}

int err_set(struct err *e, int code, uint64_t pos, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	e->pos = pos;
	e->pos_raw = ERR_NO_POS;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return code;
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int code = errno ? -errno : -EIO;
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	e->pos = ERR_NO_POS;
	e->pos_raw = ERR_NO_POS;
	va_start(ap, fmt);
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->msg))
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", strerror(-code));
	return code;
}
