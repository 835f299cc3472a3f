/* Writes .scap traces: plain, gzip or zstd, in the block versions that sysdig 0.29.3 writes.
 *
 * A batch is rendered by whichever worker analyses it (writer_meta, writer_events: pure, any thread, into a
 * buffer of the batch) and put into the file in order (writer_put: the release turn). Compressed files
 * are made of members or frames of WRITER_PIECE_BYTES each, counted from the start of the file, so that
 * any worker may compress one (writer_pack) and the bytes depend neither on the batches nor on who
 * did it.
 *
 * Events stay as they are, byte for byte, but for: blocks of version 1 become version 2; kept events of
 * a fat file are flagged hidden; with compat029 generic calls that 0.29.3 does not know get id 0
 * (it crashes on them). Metadata blocks of the newest version stay as they are; older ones become PL v9,
 * FDL v2, IL v2, UL v2, and with compat029 all are what 0.29.3 would write. */
#ifndef BURIN_OUTPUT_WRITER_H
#define BURIN_OUTPUT_WRITER_H

#include "base/buf.h"
#include "base/err.h"
#include "event/batch.h"
#include "output/pack.h"
#include "state/demand.h"

enum { WRITER_PIECE_BYTES = 1 << 20 };

struct writer;

struct writer_opts {
	enum pack_kind pack;
	bool compat029;
	bool fat;	  /* -F: keep what a filter rejects but later events need, hidden */
	unsigned workers; /* threads that may call at the same time; 1 = no locks, nothing waits */
};

/* Remembers path ("-" = standard output; borrowed); the file is made, or emptied, by the first writer_put. */
int writer_new(struct writer **out, const char *path, const struct writer_opts *o);
/* Before each run. filtered: there is a capture filter, else everything is written. partners, for fat files:
 * types of the enter events that may have to be kept for a selected exit; NULL = none. */
void writer_set_filter(struct writer *w, bool filtered, const struct demand *partners);
/* Writes what is still in memory and closes the file. NULL is fine; the first failure of all is reported. */
int writer_finish(struct writer *w, struct err *e);
void writer_free(struct writer *w); /* after writer_finish */

/* ---- rendering: pure, any thread ------------------------------------------------------------------- */

/* Which entries of the process list are kept (--filter-proclist). */
struct writer_keep {
	void *ctx;
	bool (*thread)(void *ctx, int64_t tid);
	bool (*fd)(void *ctx, int64_t tid, int64_t fd);
};
/* Appends the metadata of a section (BATCH_META). keep NULL = all. Negative with *e and a file offset in
 * e->pos when a block cannot be read. */
int writer_meta(const struct writer *w, const struct batch *b, const struct writer_keep *keep, struct buf *out,
		struct err *e);

struct writer_pick {
	const uint32_t *sel; /* indices in b->ev of the selected events, ascending */
	uint32_t nsel;
	uint32_t end; /* events [0, end) of the batch are looked at */
	/* Fat files: may the exit of this rejected enter event be selected? Called with ascending indices, for the
	 * types given as partners; NULL = no. */
	bool (*partner)(void *ctx, uint32_t idx);
	void *ctx;
};
/* Appends the events of a digested batch that belong into the file. */
void writer_events(const struct writer *w, const struct batch *b, const struct writer_pick *p, struct buf *out);

/* ---- the file ------------------------------------------------------------------------------------------ */

/* Appends rendered bytes. Release turn, in order. ERR_INTERRUPTED when the reader of a pipe has closed its end;
 * other failures: -errno with *e; all later calls fail the same way. */
int writer_put(struct writer *w, const struct buf *b, struct err *e);
/* Pieces that wait to be compressed. Any thread, a hint. */
bool writer_has_work(const struct writer *w);
/* Compresses one piece, and writes what is next in order. Any thread. Failures are reported by the next writer_put. */
void writer_pack(struct writer *w);

#endif
