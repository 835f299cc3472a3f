/* The one error convention: a function that can fail returns 0 or a negative code (a negative errno
 * or one of the codes below) and leaves its out-parameters untouched on failure. Where a human needs
 * the detail the last parameter is a struct err *, which may be NULL. Any thread; no global state. */
#ifndef BURIN_BASE_ERR_H
#define BURIN_BASE_ERR_H

#include "base/compiler.h"

/* Engine codes sit below every errno. */
enum {
	ERR_FORMAT = -2001,   /* the trace breaks a rule of the file format */
	ERR_TRUNCATED = -2002,/* the trace ends inside a block */
	ERR_SYNTAX = -2003,   /* a filter, format or option text is wrong */
	ERR_LUA = -2004,      /* a chisel failed */
	ERR_LIMIT = -2005,    /* a configured limit was reached */
	ERR_INTERRUPTED = -2006, /* asked to stop (signal, closed pipe) */
};

#define ERR_NO_POS UINT64_MAX

struct err {
	int code;	  /* negative, 0 = no error */
	uint64_t pos;	  /* byte offset in the (decompressed) file, or 0-based column of a text; ERR_NO_POS */
	uint64_t pos_raw; /* byte offset in the compressed file where known; ERR_NO_POS */
	char msg[512];	  /* one line, no trailing newline, no program name */
};

/* Fills e (when not NULL) and returns code, so that "return err_set(...)" reads well. */
int err_set(struct err *e, int code, uint64_t pos, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* For a failed system call: text, then strerror of errno. Returns -errno. */
int err_errno(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *e);

#endif
