/* Rings of a kernel that is not there, filled with the events of a trace: for tests and benchmarks
 * of live capture that need neither kernel nor permission.
 *
 * The events of a trace are dealt out to rings at random, or as the trace says. Each ring has a
 * producer, which puts its records there as the kernel does: reserved first, visible but busy, then
 * filled, then handed over. The clock is made: it stands right before the first record that no
 * producer has reserved yet. So what the capture gives out has to be the trace, event by event,
 * however long anybody dawdles. */
#ifndef BURIN_TESTS_RINGS_MAKE_H
#define BURIN_TESTS_RINGS_MAKE_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event/event.h"
#include "live/drain.h"
#include "source/source.h"

enum { MADE_BUSY = 1 << 31, MADE_DISCARD = 1 << 30, MADE_HEADER = 8 };

static inline uint64_t made_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 11;
}

/* ---- one ring -------------------------------------------------------------------------------- */

struct made_ring {
	struct ring r;
	uint8_t *data;		  /* as the producer sees it */
	uint64_t pos;		  /* OWNED_BY(producer) */
	_Atomic uint64_t next_ts; /* of the first record not reserved; UINT64_MAX: none comes */
};

/* bytes: a power of two, at least a page. */
static inline int made_ring_open(struct made_ring *m, uint16_t cpu, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = memfd_create("ring", MFD_CLOEXEC);
	uint8_t *p;

	if (fd < 0 || ftruncate(fd, (off_t)(page + bytes)))
		return -1;
	p = mmap(NULL, page + 2 * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || mmap(p + page + bytes, bytes, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fd, (off_t)page) == MAP_FAILED)
		return -1;
	*m = (struct made_ring){.data = p + page};
	m->r = (struct ring){.fd = fd,
			     .cpu = cpu,
			     .size = bytes,
			     .consumer_page = mmap(NULL, page, PROT_READ | PROT_WRITE,
						   MAP_SHARED | MAP_ANONYMOUS, -1, 0),
			     .producer_page = p,
			     .data = p + page};
	return m->r.consumer_page == MAP_FAILED ? -1 : 0;
}

/* The length word of a record that is busy; NULL: the ring is full. */
static inline _Atomic uint32_t *made_reserve(struct made_ring *m, uint32_t len)
{
	uint64_t total = MADE_HEADER + (len + 7) / 8 * 8;
	/* Acquire: the consumer is done with what lies before. */
	uint64_t used = m->pos - atomic_load_explicit((_Atomic uint64_t *)m->r.consumer_page,
						      memory_order_acquire);
	_Atomic uint32_t *word = (void *)(m->data + (m->pos & (m->r.size - 1)));

	if (used + total > m->r.size)
		return NULL;
	atomic_store_explicit(word, len | MADE_BUSY, memory_order_relaxed);
	m->pos += total;
	atomic_store_explicit((_Atomic uint64_t *)m->r.producer_page, m->pos, memory_order_release);
	return word;
}

static inline void made_fill(_Atomic uint32_t *word, const void *record, uint32_t len)
{
	memcpy((uint8_t *)word + MADE_HEADER, record, len);
}

static inline void made_submit(_Atomic uint32_t *word, uint32_t len)
{
	atomic_store_explicit(word, len, memory_order_release);
}

static inline bool made_put(struct made_ring *m, const void *record, uint32_t len)
{
	_Atomic uint32_t *word = made_reserve(m, len);

	if (word) {
		made_fill(word, record, len);
		made_submit(word, len);
	}
	return word != NULL;
}

/* ---- a trace --------------------------------------------------------------------------------- */

struct made_trace {
	uint8_t *meta; /* blocks in front of the events */
	size_t meta_len;
	uint8_t *events; /* blocks, each with a stamp greater than that of the one before */
	size_t len, cap;
	uint32_t *off; /* of the blocks */
	uint32_t n, off_cap;
};

static inline void made_die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(2);
}

static inline void made_add_event(struct made_trace *t, const uint8_t *blk, uint64_t *last_ts)
{
	uint32_t n = load_u32(blk + 4);
	uint64_t ts = load_u64(blk + 10);
	uint8_t *to;

	if (load_u32(blk) != BLK_EV_V2)
		return; /* no record becomes such a block */
	if (t->len + n > t->cap) {
		t->cap = MAX(2 * t->cap, (size_t)1 << 20);
		t->events = realloc(t->events, t->cap);
	}
	if (t->n == t->off_cap) {
		t->off_cap = MAX(2 * t->off_cap, 1u << 12);
		t->off = realloc(t->off, t->off_cap * sizeof(*t->off));
	}
	to = t->events + t->len;
	memcpy(to, blk, n);
	*last_ts = MAX(ts, *last_ts + 1);
	memcpy(to + 10, last_ts, 8);
	t->off[t->n++] = (uint32_t)t->len;
	t->len += n;
}

/* The first section of a trace; cpus > 0: its events dealt out to so many. */
static inline void made_trace_read(struct made_trace *t, const char *path, unsigned cpus,
				   uint64_t seed)
{
	struct err e = {0};
	struct source *s;
	struct batch b;
	uint64_t ts = 0;

	*t = (struct made_trace){.n = 0};
	if (source_open(&s, path, NULL, &e))
		made_die(e.msg);
	batch_init(&b);
	do {
		batch_reset(&b);
		if (source_read(s, &b, &e))
			made_die(e.msg);
		if (b.kind == BATCH_META && t->meta)
			break;
		if (b.kind == BATCH_META) {
			t->meta = malloc(b.len);
			t->meta_len = b.len;
			memcpy(t->meta, b.data, b.len);
		}
		for (uint32_t i = 0; b.kind == BATCH_EVENTS && i < b.nblk; i++)
			made_add_event(t, b.data + b.blk[i], &ts);
	} while (!b.last);
	for (uint32_t i = 0; cpus && i < t->n; i++) {
		uint16_t cpu = (uint16_t)(made_random(&seed) % cpus);

		memcpy(t->events + t->off[i] + 8, &cpu, 2);
	}
	batch_fini(&b);
	source_close(s);
}

static inline void made_trace_free(struct made_trace *t)
{
	free(t->meta);
	free(t->events);
	free(t->off);
}

static inline uint16_t made_cpu(const struct made_trace *t, uint32_t i)
{
	return load_u16(t->events + t->off[i] + 8);
}

/* Event i as the kernel programs would send it. */
static inline const uint8_t *made_record(const struct made_trace *t, uint32_t i, uint32_t *len)
{
	const uint8_t *p = t->events + t->off[i] + 10;

	*len = load_u32(p + 16);
	return p;
}

#endif
