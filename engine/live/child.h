/* The command of "burin -- CMD": a child that waits until the capture is ready and then runs it. */
#ifndef BURIN_LIVE_CHILD_H
#define BURIN_LIVE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct child {
	pid_t pid;
	int pidfd;  /* readable when it has ended */
	int go;	    /* writing end of the pipe it waits at; -1 = let go */
	int failed; /* reading end of the pipe that tells why the program could not be run */
	bool reaped;
	int status; /* as of waitpid, when reaped */
};

/* Starts the child; argv[0] is looked up in PATH. It waits. */
int child_start(struct child *c, char *const argv[], struct err *e);
/* Lets it run the program. Returns an error when there is no such program. */
int child_go(struct child *c, struct err *e);
/* Whether it has ended (then *c has its status). */
bool child_ended(struct child *c);
/* Forgets it; one that was never let go ends. */
void child_close(struct child *c);

#endif
