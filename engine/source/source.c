#include "source/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "source/block.h"
#include "source/source_int.h"

enum {
	/* CPU time of reading and of whole replays is flat from 128 KiB to 1 MiB (343 MB trace,
	 * 1 and 2 workers), peak memory is not: 256 KiB also fits a 1 MiB L2 cache beside what
	 * digest makes of it. */
	BATCH_BYTES_DEFAULT = 256 * 1024,
	MEM_MIN_BYTES = 4096,
	PIPE_PATIENCE_MS =
		20, /* how long complete blocks of a pipe are held back to fill a batch */
};
static const size_t RUN_LIMIT_DEFAULT = (size_t)512 << 20;
static const size_t RUN_LIMIT_MIN = BLOCK_HEAD_BYTES + BLOCK_SMALL_MAX; /* any small event */
static const size_t RUN_LIMIT_MAX = (size_t)1 << 31; /* block offsets have 32 bits */

/* ---- memory --------------------------------------------------------------------------------- */

/* Makes b->mem at least cap bytes; the first keep bytes survive. */
static int mem_reserve(struct batch *b, size_t cap, size_t keep)
{
	if (b->mem_cap >= cap)
		return 0;
	uint8_t *p = malloc(cap);
	if (!p)
		return -ENOMEM;
	if (keep)
		memcpy(p, b->mem, keep);
	free(b->mem);
	b->mem = p;
	b->mem_cap = cap;
	return 0;
}

/* Keeps p[0, n) for the next batch. p is not in the carry buffer. */
static int carry_save(struct source *s, const uint8_t *p, size_t n)
{
	if (n > s->carry_cap) {
		size_t cap = MAX(n, (size_t)MEM_MIN_BYTES);
		uint8_t *q = malloc(cap);

		if (!q)
			return -ENOMEM;
		free(s->carry);
		s->carry = q;
		s->carry_cap = cap;
	}
	if (n)
		memcpy(s->carry, p, n);
	s->carry_pos = 0;
	s->carry_len = n;
	return 0;
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void end_with(struct source *s, struct batch *b, uint64_t raw)
{
	b->last = true;
	if (b->err.code && b->err.pos_raw == ERR_NO_POS && stream_is_compressed(s->stream))
		b->err.pos_raw = s->inf ? packed_raw(s, b->err.pos) : raw;
}

/* "event block (0x216): expected 80 bytes, got 12"; n bytes of the block are at p. */
static void describe_cut(const uint8_t *p, size_t n, uint64_t there, char *msg, size_t cap)
{
	if (n < BLOCK_HEAD_BYTES)
		snprintf(msg, cap, "block header: expected %d bytes, got %zu", BLOCK_HEAD_BYTES, n);
	else
		snprintf(msg, cap, "%s block (0x%x): expected %u bytes, got %llu",
			 block_name(load_u32(p)), load_u32(p), load_u32(p + 4),
			 (unsigned long long)there);
}

/* The input is at its end (cause->code = 0) or failed; n bytes of a cut block are at mem + pos. */
static void end_of_input(struct source *s, struct batch *b, size_t pos, size_t n,
			 const struct err *cause)
{
	uint64_t at = b->file_off + pos;
	char cut[160] = "";

	b->last = true;
	if (n)
		describe_cut(b->mem + pos, n, n, cut, sizeof(cut));
	if (cause->code) {
		err_set(&b->err, cause->code, at, "%s%s%s", cause->msg, n ? "; " : "", cut);
		b->err.pos_raw = cause->pos_raw;
	} else if (n) {
		err_set(&b->err, ERR_TRUNCATED, at, "the file ends inside a block: %s", cut);
	} else if (s->phase != PHASE_EVENTS && s->section_off == 0) {
		err_set(&b->err, ERR_FORMAT, at, "no events in file");
	} else if (s->phase != PHASE_EVENTS) {
		err_set(&b->err, ERR_FORMAT, at,
			"no events in the section that begins at offset %llu",
			(unsigned long long)s->section_off);
	}
}

/* ---- filling -------------------------------------------------------------------------------- */

/* More room for the incomplete block at pos, of which len - pos bytes are there. The buffer grows
 * with the data, at most doubling, so an absurd length field costs no memory; walk_blocks has
 * checked that the block is within the limit. 0, -ENOMEM, or ERR_TRUNCATED with b->err. */
static int grow_for_block(struct source *s, struct batch *b, size_t pos, size_t len)
{
	size_t want = MIN(b->mem_cap * 2, s->run_limit + BLOCK_HEAD_BYTES);

	if (len - pos >= BLOCK_HEAD_BYTES) {
		uint64_t at = b->file_off + pos, size = stream_plain_size(s->stream);
		uint32_t n = load_u32(b->mem + pos + 4);

		if (size != UINT64_MAX && size >= at && n > size - at) {
			char cut[160];

			describe_cut(b->mem + pos, len - pos, size - at, cut, sizeof(cut));
			return err_set(&b->err, ERR_TRUNCATED, at,
				       "the file ends inside a block: %s", cut);
		}
		/* Of what follows a long event nothing is wanted yet. */
		if (b->kind == BATCH_EVENTS)
			want = MIN(want, n);
	}
	return mem_reserve(b, want, len);
}

/* Milliseconds since some moment. */
static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* How long a read may wait: for ever unless complete blocks are waiting to be handed out. */
static int patience(const struct source *s, const struct batch *b, int64_t *deadline)
{
	if (!stream_is_pipe(s->stream) || b->kind == BATCH_META || !b->nblk)
		return -1;
	int64_t now = clock_ms();
	if (!*deadline)
		*deadline = now + PIPE_PATIENCE_MS;
	return (int)MAX(*deadline - now, 0);
}

static int input_read(struct source *s, void *dst, size_t n, int timeout_ms, size_t *got, struct err *e)
{
	return s->inf ? packed_read(s, dst, n, got, e) : stream_read(s->stream, dst, n, timeout_ms, got, e);
}

static bool input_at_end(const struct source *s)
{
	return s->inf ? packed_at_end(s) : stream_at_end(s->stream);
}

static uint64_t input_raw_pos(const struct source *s)
{
	return s->inf ? s->raw_pos : stream_raw_pos(s->stream);
}

/* Reads and walks until the batch is complete. mem[0, b->len) is filled and walked up to *pos. */
static int fill_batch(struct source *s, struct batch *b, size_t *pos)
{
	int64_t deadline = 0;
	uint64_t raw = s->carry_raw; /* where to begin decoding for the block at *pos */
	int r = WALK_MORE;

	while (r == WALK_MORE) {
		struct err cause;
		size_t got;

		if (b->len == b->mem_cap) {
			if (b->kind == BATCH_EVENTS && b->nblk)
				break;
			r = grow_for_block(s, b, *pos, b->len);
			if (r)
				break;
		}
		err_clear(&cause);
		uint64_t raw_now = input_raw_pos(s);
		r = input_read(s, b->mem + b->len, b->mem_cap - b->len, patience(s, b, &deadline),
			       &got, &cause);
		if (r || (!got && input_at_end(s))) {
			end_of_input(s, b, *pos, b->len - *pos, &cause);
			r = 0;
			break;
		}
		if (!got)
			break;
		size_t old_len = b->len;
		b->len += got;
		r = walk_blocks(s, b, b->mem, b->len, pos);
		if (*pos >= old_len)
			raw = raw_now;
	}
	if (r == -ENOMEM && !b->err.code)
		return r;
	if (b->err.code)
		end_with(s, b, raw);
	s->carry_raw = raw;
	return 0;
}

static void begin_batch(struct source *s, struct batch *b)
{
	b->kind = s->phase == PHASE_EVENTS ? BATCH_EVENTS : BATCH_META;
	b->data = NULL;
	b->len = 0;
	b->nblk = 0;
	b->file_off = s->off;
	b->last = false;
	err_clear(&b->err);
}

static void finish_batch(struct source *s, struct batch *b, const uint8_t *data, size_t run_bytes)
{
	b->data = data;
	b->len = run_bytes;
	b->raw_off = input_raw_pos(s);
	s->off += run_bytes;
	if (s->inf)
		packed_raw(s, s->off);
	s->done = b->last;
}

/* What is left over holds the whole batch, pos bytes (short sections, tiny batches): only that is copied, and
 * the rest stays where it is. */
static int batch_within(struct source *s, struct batch *b, const uint8_t *carry, size_t pos)
{
	int r = mem_reserve(b, MAX(pos, (size_t)MEM_MIN_BYTES), 0);

	if (r)
		return r;
	memcpy(b->mem, carry, pos);
	s->carry_pos += pos;
	if (b->err.code)
		end_with(s, b, s->carry_raw);
	finish_batch(s, b, b->mem, pos);
	return 0;
}

/* carry[0, have), walked up to *pos, and a fetched stretch. *done = the batch is complete; else what is there
 * has been put where fill_batch goes on. */
static int batch_ahead(struct source *s, struct batch *b, size_t *pos, bool *done)
{
	int r = walk_framed(s, b, pos);

	if (r == WALK_MORE)
		r = walk_blocks(s, b, b->data, b->len, pos);
	*done = r != WALK_MORE || (b->kind == BATCH_EVENTS && b->nblk);
	if (r == -ENOMEM && !b->err.code)
		return r;
	if (b->err.code)
		end_with(s, b, s->carry_raw);
	if (!*done)
		memmove(b->mem, b->data, b->len);
	return 0;
}

static int batch_alone(struct source *s, struct batch *b, const uint8_t *carry, size_t have, size_t *pos)
{
	int r = mem_reserve(b, MAX(MAX(s->batch_bytes, have), (size_t)MEM_MIN_BYTES), 0);

	if (r)
		return r;
	if (have)
		memcpy(b->mem, carry, have);
	b->len = have;
	return fill_batch(s, b, pos);
}

static int read_batch(struct source *s, struct batch *b)
{
	const uint8_t *carry = s->carry + s->carry_pos, *data;
	size_t have = s->carry_len - s->carry_pos, pos = 0;
	bool done = true;
	int r;

	begin_batch(s, b);
	r = walk_blocks(s, b, carry, have, &pos);
	if (r == -ENOMEM)
		return r;
	if (r != WALK_MORE)
		return batch_within(s, b, carry, pos);
	if (s->inf ? packed_take(s, b, carry, have) : ahead_take(s, b, carry, have)) {
		s->carry_pos = s->carry_len = 0;
		r = batch_ahead(s, b, &pos, &done);
		data = b->data;
		if (!r && !done) {
			r = fill_batch(s, b, &pos);
			data = b->mem;
		}
	} else {
		r = batch_alone(s, b, carry, have, &pos);
		s->carry_pos = s->carry_len = 0;
		data = b->mem;
	}
	if (!r && !b->last)
		r = carry_save(s, data + pos, b->len - pos);
	if (r)
		return r;
	finish_batch(s, b, data, pos);
	return 0;
}

int source_read(struct source *s, struct batch *b, struct err *e)
{
	ASSERT(!s->done);
	if (s->ops) {
		int rc = s->ops->read(s->ops_ctx, b, e);

		s->done = rc || b->last;
		return rc;
	}
	int r = read_batch(s, b);
	if (r) {
		s->done = true;
		return err_set(e, r, s->off, "out of memory");
	}
	return 0;
}

bool source_can_rewind(const struct source *s)
{
	return !s->ops && stream_can_jump(s->stream);
}

void source_rewind(struct source *s, uint64_t off)
{
	stream_rewind(s->stream, off);
	ahead_reset(s);
	s->carry_pos = s->carry_len = 0;
	s->phase = PHASE_START;
	s->off = off;
	s->done = false;
}

int source_order(struct source *s, struct batch *b)
{
	if (!s->ops)
		return walk_list(b);
	return s->ops->order ? s->ops->order(s->ops_ctx, b) : 0;
}

void source_release(struct source *s, struct batch *b)
{
	if (s->ops) {
		s->ops->release(s->ops_ctx, b);
		return;
	}
	b->data = NULL;
	b->len = 0;
	b->nblk = 0;
	if (b->mem_cap > 2 * MAX(s->batch_bytes, (size_t)MEM_MIN_BYTES)) {
		free(b->mem);
		b->mem = NULL;
		b->mem_cap = 0;
	}
}

/* ---- opening -------------------------------------------------------------------------------- */

static void apply_opts(struct source *s, const struct source_opts *o)
{
	static const struct source_opts defaults;

	if (!o)
		o = &defaults;
	s->run_limit = o->run_limit ? o->run_limit : RUN_LIMIT_DEFAULT;
	s->run_limit = MIN(MAX(s->run_limit, RUN_LIMIT_MIN), RUN_LIMIT_MAX);
	s->batch_bytes =
		MIN(o->batch_bytes ? o->batch_bytes : (size_t)BATCH_BYTES_DEFAULT, s->run_limit);
	s->batch_events = o->batch_events ? o->batch_events : UINT32_MAX;
}

/* Reads the first section header so that a file that is no trace fails when it is opened. It stays
 * in the carry; source_read checks it again, together with its trailer. */
static int read_first_header(struct source *s, struct err *e)
{
	uint8_t head[BLOCK_SHB_BYTES];
	size_t n = 0;

	s->carry_raw = input_raw_pos(s);
	while (n < sizeof(head) && !input_at_end(s)) {
		size_t got;
		int r = input_read(s, head + n, sizeof(head) - n, -1, &got, e);

		if (r)
			return r;
		n += got;
	}
	if (n >= 4 && load_u32(head) != BLK_SHB)
		return err_set(e, ERR_FORMAT, 0,
			       "invalid block type: expected a section header (0x%x), got 0x%x: "
			       "this is not a .scap trace",
			       BLK_SHB, load_u32(head));
	if (n < sizeof(head))
		return err_set(e, ERR_TRUNCATED, 0, "section header: expected %zu bytes, got %zu",
			       sizeof(head), n);
	return carry_save(s, head, n) ? err_set(e, -ENOMEM, 0, "out of memory") : 0;
}

/* Takes over stream, also on failure. */
static int source_new(struct source **out, struct stream *stream, const struct source_opts *o,
		      struct err *e)
{
	struct source *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		stream_close(stream);
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	}
	s->stream = stream;
	apply_opts(s, o);
	r = stream_has_parts(stream) ? packed_init(s, o) : ahead_init(s, o ? o->fetchers : 0);
	r = r ? err_set(e, r, ERR_NO_POS, "out of memory") : read_first_header(s, e);
	if (r) {
		source_close(s);
		return r;
	}
	*out = s;
	return 0;
}

int source_open(struct source **out, const char *path, const struct source_opts *o, struct err *e)
{
	struct stream *stream;
	int r = stream_open(&stream, path, e);

	return r ? r : source_new(out, stream, o, e);
}

int source_open_memory(struct source **out, const void *p, size_t n, const struct source_opts *o,
		       struct err *e)
{
	struct stream *stream;
	int r = stream_open_memory(&stream, p, n, e);

	return r ? r : source_new(out, stream, o, e);
}

int source_open_ops(struct source **out, const struct source_ops *ops, void *ctx, struct err *e)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s) {
		ops->close(ctx);
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	}
	s->ops = ops;
	s->ops_ctx = ctx;
	*out = s;
	return 0;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	if (s->ops) {
		s->ops->close(s->ops_ctx);
		free(s);
		return;
	}
	packed_fini(s);
	ahead_fini(s);
	stream_close(s->stream);
	free(s->carry);
	free(s);
}

void source_stop(struct source *s)
{
	if (s->ops) {
		s->ops->stop(s->ops_ctx);
		return;
	}
	stream_stop(s->stream);
}

bool source_is_plain(const struct source *s)
{
	return !s->ops && !stream_is_compressed(s->stream);
}

uint64_t source_raw_size(const struct source *s)
{
	return s->ops ? 0 : stream_raw_size(s->stream);
}
