/* Reader of .scap files: plain, gzip (several members), zstd (several frames), file or pipe ("-").
 *
 * One source reads one file. One thread at a time may call it (the pipeline's reader turn); which
 * thread does not matter. It frames blocks, checks what can be checked without state and cuts the
 * stream into batches at block boundaries: one BATCH_META for all metadata blocks of a section,
 * BATCH_EVENTS for event blocks. Contents of metadata blocks are parsed by meta.h, contents of
 * events by the digest.
 *
 * Guaranteed for every block listed in a batch: it lies wholly inside data; event blocks are long
 * enough for the event header and their trailer (whose value is not checked, as in sysdig); a
 * BATCH_META starts with a section header of accepted magic and version, all its trailers agree.
 *
 * Data is read into a buffer of the batch, not mapped: measured faster than mapped windows, and a
 * file that shrinks or changes under our feet can neither raise SIGBUS nor alter checked bytes.
 *
 * Damage: whatever was read before it is delivered first; the batch that ends the file carries
 * .last and .err with the decompressed offset of the faulty block. For compressed input .err also
 * has a raw offset: where the compressed data is damaged, or else from where on it has to be
 * decoded to see the faulty block. Unknown blocks and repeated section headers before the first
 * event of a section are skipped. A section without events is an error ("no events in file"), as it
 * is for sysdig. Messages name neither file nor offset: the caller puts "FILE:OFFSET: " before. */
#ifndef BURIN_SOURCE_SOURCE_H
#define BURIN_SOURCE_SOURCE_H

#include "event/batch.h"

struct source;

struct source_opts {
	size_t batch_bytes;    /* aimed-at run length; 0 = default (chosen by measurement) */
	uint32_t batch_events; /* event blocks per batch at most; 0 = no limit (debug option) */
	size_t run_limit;      /* greatest block and greatest metadata of a section, bytes;
				* 0 = 512 MiB */
	unsigned fetchers;     /* threads that will call source_fetch; 0 or 1 = nobody */
	/* Compressed files; 0 = defaults (small ones are for tests): bytes per call of the decompressor; stored bytes that
	 * are worth a thread of their own. */
	size_t inflate_step, inflate_apart;
};

/* Opens path ("-" = standard input) and reads as far as the first section header. On failure
 * returns a negative code with *e filled ("can't open file ..." or what is wrong with the header).
 * o may be NULL: all defaults. */
int source_open(struct source **out, const char *path, const struct source_opts *o, struct err *e);
/* The same for a file in memory, which must live until source_close (tests, fuzzer). */
int source_open_memory(struct source **out, const void *p, size_t n, const struct source_opts *o,
		       struct err *e);
/* A producer of batches that is no file: it keeps the contract of source_read, source_release and
 * source_stop itself. The whole of it belongs to the source: source_close calls close. */
struct source_ops {
	int (*read)(void *ctx, struct batch *b, struct err *e);
	int (*order)(void *ctx, struct batch *b); /* NULL: read does it */
	void (*release)(void *ctx, struct batch *b);
	void (*stop)(void *ctx); /* async-signal-safe */
	void (*close)(void *ctx);
	/* Work before reading, as source_fetch_claim and what belongs to it. NULL: all of them, there is none. */
	int (*claim)(void *ctx, unsigned worker, bool urgent);
	void (*fetch)(void *ctx, int i);
	void (*fetched)(void *ctx, int i);
	bool (*ready)(void *ctx);
	uint64_t (*wait_ns)(void *ctx);
	bool (*claimable)(void *ctx);
};
int source_open_ops(struct source **out, const struct source_ops *ops, void *ctx, struct err *e);
void source_close(struct source *s); /* NULL is fine; batches may outlive the source */

/* Fills the run part of b with the next stretch. Returns 0 when b holds blocks or is the end
 * (b->last), negative only for lack of memory. After b->last it must not be called again.
 * From a pipe it hands over what has arrived after a short pause in the data, so that a slow live
 * stream is not held back until a batch is full. */
int source_read(struct source *s, struct batch *b, struct err *e);
/* Lists the blocks of a batch just read, once, before anybody looks at them; any threads can do it for several batches
 * at a time. A file's are listed by source_read already unless they were read ahead; a live capture's have to be brought
 * into order. -ENOMEM. */
int source_order(struct source *s, struct batch *b);

/* Reading ahead, for several threads that share a lock of theirs: stretches of a plain file, rings of a live
 * capture. Optional: whatever was not fetched, source_read reads itself. Of a compressed file the
 * stretches are decompressed (source/inflate.h), which is also locked inside.
 *   source_fetch_claim  (lock held) the next stretch to fetch by this worker (below fetchers), or -1; urgent: only if it should not
 *                       wait for other work
 *   source_fetch_ready  (lock held) whether there is something to claim
 *   source_fetch        (lock free) fetches it; any thread, several at once, also during source_read
 *   source_fetch_done   (lock held) afterwards
 *   source_read_ready   (lock held, nobody in source_read) false: what comes next is being fetched or waits to
 *                       be claimed. True: source_read must be called next. Without fetchers always true.
 *   source_wait_ns      (lock held) how long until something may be claimed though nothing else was done, ns;
 *                       UINT64_MAX = never */
int source_fetch_claim(struct source *s, unsigned worker, bool urgent);
bool source_fetch_ready(const struct source *s);
void source_fetch(struct source *s, int i);
void source_fetch_done(struct source *s, int i);
bool source_read_ready(struct source *s);
/* Stretches of a plain file lie in the caches of the worker that fetched them, and whoever else works on one pays for
 * every line of it: source_owned says that this is such a source, source_read_suits (after source_read_ready) that
 * the next batch is made of what this worker fetched, or that it makes no difference. Lock held. */
bool source_owned(const struct source *s);
bool source_read_suits(const struct source *s, unsigned worker);
uint64_t source_wait_ns(struct source *s);
/* (lock held) Memory of b, which has been released, for source_fetch to use again: soon, and by the worker in whose
 * caches it lies. */
void source_reuse(struct source *s, struct batch *b);
/* Gives the run of b back: memory beyond the ordinary batch size is freed. Called in batch order,
 * by the holder of the release turn, possibly while another thread is inside source_read. */
void source_release(struct source *s, struct batch *b);

/* Makes a source_read that waits for a pipe, and all later ones, end the file with ERR_INTERRUPTED.
 * Any thread, also from a signal handler. */
void source_stop(struct source *s);

/* Reading once more from a section header on, at off (decompressed): plain files only. Nobody may be inside the source
 * or hold a batch of it; also behind the last batch. */
bool source_can_rewind(const struct source *s);
void source_rewind(struct source *s, uint64_t off);

/* Bytes of the file as stored (0 when unknown, as for a pipe), for progress. */
uint64_t source_raw_size(const struct source *s);
/* Offsets in the stored file are those of the decompressed bytes. */
bool source_is_plain(const struct source *s);

#endif
