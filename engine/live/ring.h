/* Consumer of one BPF ring buffer: the records of one cpu, in the order in which they were put
 * there.
 *
 * Time stamps. Programs stamp a record right before they put it into the ring, so a record can
 * become visible a little later than others with greater stamps (an interrupt in between, nested
 * programs). The consumer makes the stamps rise: a record that is older than what this ring already
 * promised gets the promised stamp, and that is the stamp it has from then on, in files too.
 *
 * The promise, the ring's lower bound: no record that is read later has a smaller stamp. It is
 *   - while records wait: the stamp of the first one;
 *   - behind the last one: a clock read taken BEFORE the end was looked up. A record put there
 * afterwards has a greater stamp, or is raised to it;
 *   - when the first record is still being written: the bound before.
 * Raising keeps cause before effect: what another cpu does because of the late record happens after
 * that record was visible, so after the clock read.
 *
 * One thread at a time. The memory is shared with the kernel, which is trusted not to change a
 * record after it was submitted. */
#ifndef BURIN_LIVE_RING_H
#define BURIN_LIVE_RING_H

#include <stdbool.h>

#include "base/err.h"

struct ring {
	int fd; /* of the map; -1 = no ring (cpu offline) */
	uint16_t cpu;
	size_t size;		   /* bytes of data, a power of two */
	void *consumer_page;	   /* mapped: our position */
	const void *producer_page; /* mapped: the kernel's position */
	const uint8_t *data;	   /* mapped twice in a row, so that no record is split */
	uint64_t pos;		   /* of the next record */
	uint64_t end;		   /* producer position last looked at */
	uint64_t looked;	   /* clock when end was read */
	uint64_t bound;		   /* the promise, ns since the epoch */
	size_t most;		   /* greatest fill seen, bytes */
};

struct ring_record {
	const uint8_t *p; /* capture.h; valid until ring_release */
	uint32_t len;
	uint64_t ts; /* rising; may differ from the one in the record */
};

/* Maps the ring behind map fd (taken over). */
int ring_open(struct ring *r, int fd, uint16_t cpu, size_t size, struct err *e);
void ring_close(struct ring *r);

/* Looks how far the kernel is. now: clock read before the call, ns since the epoch. */
void ring_look(struct ring *r, uint64_t now);
/* The record at the front. False: there is none among those ring_look saw, or it is not complete;
 * then r->bound is a lower bound of what comes. */
bool ring_peek(struct ring *r, struct ring_record *rec);
/* Steps behind the record that ring_peek gave. */
void ring_next(struct ring *r, const struct ring_record *rec);
/* Gives everything stepped over back to the kernel. */
void ring_release(struct ring *r);
/* Bytes waiting. */
size_t ring_fill(const struct ring *r);

#endif
