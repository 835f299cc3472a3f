/* The scenarios of the state's tests: what happens, and what must be seen as of which event. */
#ifndef BURIN_TESTS_STATE_SCENES_H
#define BURIN_TESTS_STATE_SCENES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "state_make.h"

enum look {
	LOOK_COMM, /* of tid; NULL text: unknown */
	LOOK_PID,
	LOOK_PTID,
	LOOK_UID,
	LOOK_FDLIMIT,
	LOOK_VMSIZE,   /* of tid */
	LOOK_CWD,      /* of tid's main thread */
	LOOK_EXEPATH,  /* of tid */
	LOOK_FD,       /* name of tid's descriptor arg; NULL text: none */
	LOOK_NFDS,     /* number of tid's descriptors */
	LOOK_NTHREADS, /* in the table */
	LOOK_SIBLINGS, /* of tid, a main thread */
	LOOK_EV_COMM,
	LOOK_EV_FDNUM,
	LOOK_EV_FD,
	LOOK_EV_LATENCY,
	LOOK_EV_ERRNO,
	LOOK_EV_PAIRED,
	LOOK_EV_ENTER,
	LOOK_USER, /* name of user arg */
};

struct want {
	uint32_t idx;
	enum look look;
	int64_t tid, arg;
	const char *text; /* for texts */
	int64_t n;	  /* for numbers */
};

enum { WANT_MAX = 256 };

struct sc {
	struct trace t;
	struct buf meta; /* metadata blocks, or empty */
	uint32_t meta_off[8];
	uint32_t nmeta;
	struct want want[WANT_MAX];
	unsigned nwant;
};

enum { MODE_DEFAULT = 1, MODE_COMPAT = 2, MODE_BOTH = 3 };

extern const struct scene {
	const char *name;
	void (*build)(struct sc *s); /* fills a zeroed one whose trace is begun */
	unsigned modes;
} scenarios[];
extern const unsigned nscenarios;

/* Metadata: a shell, pid 10, with a thread 11 and descriptors 0 and 3. */
void meta_shell(struct sc *s);
void cut_meta(const struct sc *s, struct batch *b); /* all of it, to b */

#endif
