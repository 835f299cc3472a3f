/* Builds event and process list blocks in memory and cuts them into batches, for tests of the
 * state. */
#ifndef BURIN_TESTS_STATE_MAKE_H
#define BURIN_TESTS_STATE_MAKE_H

#include <stdarg.h>
#include <stdlib.h>

#include "event/batch.h"
#include "scap_make.h"

enum { TRACE_MAX_BLOCKS = 4096, EVENT_GAP_NS = 1000 };

/* A stretch of events; blocks stand one behind the other in data. */
struct trace {
	struct buf data;
	uint32_t off[TRACE_MAX_BLOCKS];
	uint32_t n;
	uint64_t ts; /* of the next event */
};

static inline void trace_init(struct trace *t)
{
	memset(t, 0, sizeof(*t));
	t->ts = 1000000000;
}

static inline void trace_fini(struct trace *t)
{
	buf_fini(&t->data);
}

/* One event. fmt has a letter for each parameter: q 8-byte integer (int64_t), d 4 bytes (int), w 2
 * bytes, c 1 byte, s text (const char *) with its NUL, b bytes (const void *, int), e empty.
 * Returns its index. */
static inline uint32_t trace_event_v(struct trace *t, int64_t tid, unsigned type, const char *fmt,
				     va_list ap)
{
	struct buf params = {0}, lens = {0};
	size_t at = block_begin(&t->data, BLK_EV_V2);

	for (const char *f = fmt; *f; f++) {
		size_t before = params.len;

		switch (*f) {
		case 'q':
			put_int(&params, (uint64_t)va_arg(ap, int64_t), 8);
			break;
		case 'd':
			put_int(&params, (uint64_t)va_arg(ap, int), 4);
			break;
		case 'w':
			put_int(&params, (uint64_t)va_arg(ap, int), 2);
			break;
		case 'c':
			put_int(&params, (uint64_t)va_arg(ap, int), 1);
			break;
		case 's': {
			const char *s = va_arg(ap, const char *);

			buf_put(&params, s, strlen(s) + 1);
			break;
		}
		case 'b': {
			const void *p = va_arg(ap, const void *);

			buf_put(&params, p, (size_t)va_arg(ap, int));
			break;
		}
		default:
			break; /* e */
		}
		put_int(&lens, params.len - before, 2);
	}
	put_int(&t->data, 0, 2); /* cpu */
	put_int(&t->data, t->ts, 8);
	put_int(&t->data, (uint64_t)tid, 8);
	put_int(&t->data, EVENT_HDR_V2 + lens.len + params.len, 4);
	put_int(&t->data, type, 2);
	put_int(&t->data, lens.len / 2, 4);
	buf_put(&t->data, lens.p, lens.len);
	buf_put(&t->data, params.p, params.len);
	block_end(&t->data, at);
	buf_fini(&params);
	buf_fini(&lens);
	t->ts += EVENT_GAP_NS;
	t->off[t->n] = (uint32_t)at;
	return t->n++;
}

static inline uint32_t trace_event(struct trace *t, int64_t tid, unsigned type, const char *fmt,
				   ...)
{
	uint32_t idx;
	va_list ap;

	va_start(ap, fmt);
	idx = trace_event_v(t, tid, type, fmt, ap);
	va_end(ap);
	return idx;
}

/* Fills the run part of b with blocks [first, first + n) of t. The batch does not own them. */
static inline void trace_cut(const struct trace *t, struct batch *b, uint64_t seq, uint32_t first,
			     uint32_t n)
{
	batch_reset(b);
	b->seq = seq;
	b->kind = BATCH_EVENTS;
	if (b->blk_cap < n) {
		b->blk = realloc(b->blk, n * sizeof(*b->blk));
		b->blk_cap = n;
	}
	b->data = (const uint8_t *)t->data.p + t->off[first];
	b->len = (first + n < t->n ? t->off[first + n] : t->data.len) - t->off[first];
	b->file_off = t->off[first];
	for (uint32_t i = 0; i < n; i++)
		b->blk[i] = t->off[first + i] - t->off[first];
	b->nblk = n;
}

/* ---- calls, in the versions of 0.29.3 ---- */

/* One side of a clone: res as seen by tid. comm, pid, ptid are what the event says. */
static inline uint32_t ev_clone_exit(struct trace *t, int64_t tid, int64_t res, const char *comm,
				     int64_t pid, int64_t ptid, unsigned flags)
{
	return trace_event(t, tid, EV_SYSCALL_CLONE_20_X, "qssqqqsqqqdddssdddqq", res, comm, "",
			   tid, pid, ptid, "", (int64_t)1024, (int64_t)1, (int64_t)2, 3, 4, 5, comm,
			   "", (int)flags, 1000, 1000, tid, pid);
}

static inline uint32_t ev_exec_enter(struct trace *t, int64_t tid, const char *file)
{
	return trace_event(t, tid, EV_SYSCALL_EXECVE_19_E, "s", file);
}

static inline uint32_t ev_exec_exit(struct trace *t, int64_t tid, int64_t res, const char *comm,
				    int64_t pid, int64_t ptid)
{
	return trace_event(t, tid, EV_SYSCALL_EXECVE_19_X, "qssqqqsqqqdddssedqdd", res, comm, "",
			   tid, pid, ptid, "", (int64_t)1024, (int64_t)1, (int64_t)2, 3, 4, 5, comm,
			   "", 0, (int64_t)pid, 1000, 0);
}

static inline uint32_t ev_open(struct trace *t, int64_t tid, int64_t fd, const char *name)
{
	trace_event(t, tid, EV_SYSCALL_OPEN_E, "sdd", name, 1, 0);
	return trace_event(t, tid, EV_SYSCALL_OPEN_X, "qsddd", fd, name, 1, 0, 0x801);
}

static inline uint32_t ev_close(struct trace *t, int64_t tid, int64_t fd, int64_t res)
{
	trace_event(t, tid, EV_SYSCALL_CLOSE_E, "q", fd);
	return trace_event(t, tid, EV_SYSCALL_CLOSE_X, "q", res);
}

static inline uint32_t ev_procexit(struct trace *t, int64_t tid)
{
	return trace_event(t, tid, EV_PROCEXIT_1_E, "qqcc", (int64_t)0, (int64_t)0, 0, 0);
}

/* ---- process list ---- */

static inline size_t sub_begin(struct buf *b)
{
	size_t at = b->len;

	put_int(b, 0, 4);
	return at;
}

static inline void sub_end(struct buf *b, size_t at)
{
	uint32_t n = (uint32_t)(b->len - at);

	memcpy(b->p + at, &n, 4);
}

/* One entry of a version 9 process list. */
static inline void put_process(struct buf *b, int64_t tid, int64_t pid, int64_t ptid,
			       const char *comm, const char *cwd, unsigned flags)
{
	size_t at = sub_begin(b);

	put_int(b, (uint64_t)tid, 8);
	put_int(b, (uint64_t)pid, 8);
	put_int(b, (uint64_t)ptid, 8);
	put_int(b, (uint64_t)pid, 8); /* sid */
	put_int(b, (uint64_t)pid, 8); /* vpgid */
	put_str(b, comm);
	put_str(b, comm);
	put_str(b, "/bin/exe");
	put_str(b, "");
	put_str(b, cwd);
	put_int(b, 1024, 8);
	put_int(b, flags, 4);
	put_int(b, 1000, 4);
	put_int(b, 1000, 4);
	put_int(b, 11, 4);
	put_int(b, 12, 4);
	put_int(b, 13, 4);
	put_int(b, 14, 8);
	put_int(b, 15, 8);
	put_str(b, "");
	put_int(b, (uint64_t)tid, 8);
	put_int(b, (uint64_t)pid, 8);
	put_str(b, "");
	put_str(b, "/");
	sub_end(b, at);
}

static inline void put_fd_file(struct buf *b, int64_t fd, const char *name)
{
	size_t at = sub_begin(b);

	put_int(b, (uint64_t)fd, 8);
	put_int(b, 1, 8);
	put_int(b, 16, 1);
	put_int(b, 1, 4);
	put_str(b, name);
	put_int(b, 0x801, 4);
	sub_end(b, at);
}

/* Kinds 3 (socket: source and destination) and 5 (server: source only). */
static inline void put_fd_ipv4(struct buf *b, int64_t fd, int kind, uint32_t sip, unsigned sport,
			       uint32_t dip, unsigned dport)
{
	size_t at = sub_begin(b);

	put_int(b, (uint64_t)fd, 8);
	put_int(b, 1, 8);
	put_int(b, (uint64_t)kind, 1);
	put_int(b, sip, 4);
	if (kind == 3)
		put_int(b, dip, 4);
	put_int(b, sport, 2);
	if (kind == 3)
		put_int(b, dport, 2);
	put_int(b, 2, 1);
	sub_end(b, at);
}

#endif
