/* Where released output goes: a file descriptor, written at once and in full. Nothing is kept back,
 * so there is nothing to flush; batches make the writes large. One thread at a time (the release
 * turn). SIGPIPE must be ignored by the program. */
#ifndef BURIN_OUTPUT_SINK_H
#define BURIN_OUTPUT_SINK_H

#include "base/buf.h"
#include "base/err.h"

struct sink {
	int fd;		/* borrowed */
	bool by_line;	/* --unbuffered: one write per line */
	bool closed;	/* the reader has gone: later output is dropped with ERR_INTERRUPTED */
	uint64_t bytes; /* written so far */
};

void sink_init(struct sink *s, int fd, bool by_line);
void sink_fini(struct sink *s);
/* Writes all of b (which stays as it is). ERR_INTERRUPTED when the reader has closed its end, or
 * when a signal came: the first signal lets the buffer be finished so that no line is torn, the
 * second does not wait. Other failures: -errno with *e. */
int sink_write(struct sink *s, const struct buf *b, struct err *e);

#endif
