#include "worker/suppress.h"

#include <errno.h>
#include <stdlib.h>

#include "source/block.h"
#include "source/meta.h"

enum { TID_LIMIT = 1 << 22 }; /* no kernel gives a higher one: PID_MAX_LIMIT */

struct suppress {
	const char *const *comms;
	unsigned ncomms;
	bool compat029;
	/* By event type: parameters of calls that name a thread; -1 = none. */
	int8_t comm_param[EV_CODE_COUNT], ptid_param[EV_CODE_COUNT];
	uint64_t tids[TID_LIMIT / 64]; /* taken out */
};

static bool tid_has(const struct suppress *s, int64_t tid)
{
	return tid >= 0 && tid < TID_LIMIT && s->tids[tid / 64] >> (tid % 64) & 1;
}

static void tid_set(struct suppress *s, int64_t tid, bool on)
{
	if (tid < 0 || tid >= TID_LIMIT)
		return;
	if (on)
		s->tids[tid / 64] |= 1ull << (tid % 64);
	else
		s->tids[tid / 64] &= ~(1ull << (tid % 64));
}

static int8_t param_named(const struct event_info *i, const char *name)
{
	unsigned n = MAX(i->nparams, i->nparams_029);

	for (unsigned k = 0; k < n; k++)
		if (!strcmp(i->params[k].name, name))
			return (int8_t)k;
	return -1;
}

int suppress_new(struct suppress **out, const char *const *comms, unsigned n, bool compat029)
{
	struct suppress *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->comms = comms;
	s->ncomms = n;
	s->compat029 = compat029;
	for (unsigned t = 0; t < EV_CODE_COUNT; t++) {
		const struct event_info *i = &event_table[t];

		s->comm_param[t] = s->ptid_param[t] = -1;
		if (i->is_exit && (i->category & EC_BASE_MASK) == EC_PROCESS) {
			s->comm_param[t] = param_named(i, "comm");
			s->ptid_param[t] = param_named(i, "ptid");
		}
	}
	*out = s;
	return 0;
}

void suppress_free(struct suppress *s)
{
	free(s);
}

static bool listed(const struct suppress *s, const char *comm, uint32_t len)
{
	for (unsigned i = 0; i < s->ncomms; i++)
		if (strlen(s->comms[i]) == len && !memcmp(s->comms[i], comm, len))
			return true;
	return false;
}

/* ---- the process list ---------------------------------------------------------------------------------- */

struct relatives {
	struct suppress *s;
	bool changed;
};

static int see_name(void *ctx, const struct meta_thread *t)
{
	struct suppress *s = ctx;

	if (listed(s, t->comm.p, t->comm.len))
		tid_set(s, (int64_t)t->tid, true);
	return 0;
}

static int see_relative(void *ctx, const struct meta_thread *t)
{
	struct relatives *r = ctx;
	int64_t tid = (int64_t)t->tid;

	if (tid_has(r->s, tid) || (!tid_has(r->s, (int64_t)t->pid) && !tid_has(r->s, (int64_t)t->ptid)))
		return 0;
	tid_set(r->s, tid, true);
	r->changed = tid_has(r->s, tid);
	return 0;
}

/* Damage is reported by whoever needs the list. */
static void each_thread(const struct batch *b, int (*fn)(void *ctx, const struct meta_thread *t), void *ctx)
{
	struct meta_visitor v = {.ctx = ctx, .thread = fn};

	for (uint32_t i = 0; i < b->nblk; i++)
		meta_decode(b->data + b->blk[i], load_u32(b->data + b->blk[i] + 4), &v, NULL);
}

static void section(struct suppress *s, const struct batch *b)
{
	struct relatives r = {.s = s, .changed = true};

	memset(s->tids, 0, sizeof(s->tids));
	if (s->compat029)
		return;
	each_thread(b, see_name, s);
	while (r.changed) {
		r.changed = false;
		each_thread(b, see_relative, &r);
	}
}

/* ---- events ---------------------------------------------------------------------------------------------- */

/* A thread was made or runs something new: true when it is one of those. */
static bool named(struct suppress *s, struct event *e)
{
	const char *comm;
	uint32_t len;
	int64_t ptid;
	int64_t res;
	bool yes;

	/* A call that failed made nothing. */
	if (event_param_i64(e, 0, &res) && res < 0)
		return tid_has(s, e->tid);
	if (!event_param_str(e, (unsigned)s->comm_param[e->type], &comm, &len) ||
	    !event_param_i64(e, (unsigned)s->ptid_param[e->type], &ptid))
		return tid_has(s, e->tid);
	yes = tid_has(s, ptid) || listed(s, comm, len);
	tid_set(s, e->tid, yes);
	return yes;
}

static bool goes(struct suppress *s, const uint8_t *blk)
{
	const uint8_t *h = blk + event_block_hdr_off(load_u32(blk));
	int64_t tid = load_i64(h + 8);
	unsigned type = load_u16(h + 20);
	struct event e;
	const char *why;
	bool yes;

	if (type >= EV_CODE_COUNT)
		return tid_has(s, tid);
	if (s->comm_param[type] >= 0 && s->ptid_param[type] >= 0 &&
	    event_parse(&e, blk, load_u32(blk + 4), EV_CODE_COUNT, &why) == EVENT_OK)
		return named(s, &e);
	yes = tid_has(s, tid);
	if (yes && (type == EV_PROCEXIT_E || type == EV_PROCEXIT_1_E))
		tid_set(s, tid, false);
	return yes;
}

static int gone_reserve(struct suppressed *gone, uint32_t n)
{
	if (gone->cap >= n)
		return 0;
	uint32_t *before = realloc(gone->before, n * sizeof(*before));
	if (!before)
		return -ENOMEM;
	gone->before = before;
	gone->cap = n;
	return 0;
}

int suppress_batch(struct suppress *s, struct batch *b, struct suppressed *gone)
{
	uint32_t kept = 0;

	gone->n = 0;
	if (b->kind == BATCH_META) {
		section(s, b);
		return 0;
	}
	if (gone_reserve(gone, b->nblk) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->nblk; i++) {
		if (goes(s, b->data + b->blk[i]))
			gone->before[gone->n++] = kept;
		else
			b->blk[kept++] = b->blk[i];
	}
	b->nblk = kept;
	return 0;
}
