/* The apply step: numbers a batch, resolves its threads, runs the handlers of its rows in order. */
#include <errno.h>

#include "state/container.h"
#include "state/shard.h"
#include "state/state_priv.h"

/* ---- one row ---- */

static void row_enter_carried(struct apply *a, const struct open_enter *c)
{
	const char *why;

	a->enter_ord = c->ord;
	a->enter_type = c->ts ? c->type : UINT16_MAX;
	a->paired = c->type + 1 == a->ev.type;
	a->has_enter = c->block && event_parse(&a->enter, c->block, c->block_len, max_code(a->d),
					       &why) == EVENT_OK;
}

static void row_enter_here(struct apply *a, const struct ev_rec *r)
{
	a->enter_ord = a->b->first_ord + (uint64_t)(r - a->b->ev);
	a->enter_type = r->type;
	a->paired = r->type + 1 == a->ev.type;
	a->has_enter = type_may_be_stored(r->type);
	if (a->has_enter) {
		block_event(&a->enter, a->b, r->off);
		a->has_enter = type_stored(&a->enter);
	}
}

/* An enter event that is no longer there for some batch size must not be there for any: hence
 * type_stored. */
static void row_enter(struct apply *a)
{
	const struct ev_rec *r = a->rec;

	a->enter_ord = 0;
	a->enter_type = UINT16_MAX;
	a->paired = a->has_enter = false;
	if (r->slot == UINT32_MAX || r->pair == PAIR_NONE)
		return;
	if (r->pair != PAIR_CARRY)
		row_enter_here(a, &a->b->ev[r->pair - 1]);
	else if (a->b->slots[r->slot].carry)
		row_enter_carried(a, a->b->slots[r->slot].carry);
	a->has_enter = a->has_enter && !(r->flags & ER_LATER);
	/* The kernel reports an execveat that runs as the exit of execve. */
	if (a->has_enter && !a->paired)
		a->has_enter = !a->d->compat029 && a->enter_type == EV_SYSCALL_EXECVEAT_E &&
			       a->ev.type == EV_SYSCALL_EXECVE_19_X;
}

/* The last fd before an exit that replaces it. */
static int64_t row_fd_before(struct apply *a)
{
	const struct ev_rec *r = a->rec;

	if (r->pair != PAIR_NONE && r->pair != PAIR_CARRY && !(r->flags & ER_LATER))
		return a->b->ev[r->pair - 1].fd;
	return r->slot == UINT32_MAX ? EV_FD_NONE
				     : slots_fd_before(a->b, (uint32_t)(r - a->b->ev), a->d);
}

static bool row_creates(const struct apply *a)
{
	if (a->rec->type == EV_SYSCALL_FCNTL_X)
		return a->has_enter; /* kept only for the commands that do */
	return (a->rec->type & 1) && (type_flags(a->d, a->rec->type) & EF_CREATES_FD);
}

static struct thread *row_thread(struct apply *a)
{
	struct tslot *s;

	if (a->rec->slot == UINT32_MAX)
		return NULL;
	s = &a->b->slots[a->rec->slot];
	if (!s->thread || !thread_alive(s->thread))
		s->thread = thread_find(a->root, s->tid);
	return s->thread;
}

/* The digest could not see whether an fcntl exit whose enter lies in an earlier batch makes a
 * descriptor. */
static void row_fcntl_carried(struct apply *a)
{
	int64_t fd;

	if (a->has_enter && event_param_i64(&a->ev, 0, &fd) && fd >= 0)
		a->last_fd = fd;
}

void row_handle(struct apply *a, const struct apply_entry *ae)
{
	int64_t guess = rec_last_fd(a->b, a->rec, a->d), before;

	row_enter(a);
	before = a->last_fd = row_creates(a) ? row_fd_before(a) : guess;
	if (ae->fn && (ae->demand & a->d->bits))
		ae->fn(a);
	else if (a->rec->type == EV_SYSCALL_FCNTL_X)
		row_fcntl_carried(a);
	/* No entry was made: 0.29.3 stays with the descriptor before; exits that stand alone know their own. */
	if (!a->d->compat029 && !a->paired && a->last_fd == before && a->rec->type != EV_SYSCALL_FCNTL_X)
		a->last_fd = guess;
	if (a->rec->slot != UINT32_MAX && fd_narrow(a->last_fd) != fd_narrow(guess))
		slots_fix_fd(a->b, (uint32_t)(a->rec - a->b->ev), a->last_fd, a->last_fd != before);
}

/* With shards: what the row does to threads. Descriptors alone are not the apply turn's. */
static void row_threads(struct apply *a, const struct apply_entry *ae)
{
	if (!ae->fn || !(ae->demand & a->d->bits) || (ae->demand & (DEMAND_FDS | DEMAND_CONNECTED)))
		return;
	row_enter(a);
	a->last_fd = EV_FD_NONE;
	ae->fn(a);
}

static void row_apply(struct apply *a, const struct apply_entry *table, uint32_t idx, bool touch)
{
	a->rec = &a->b->ev[idx];
	a->ord = a->b->first_ord + idx;
	block_event(&a->ev, a->b, a->rec->off);
	a->t = row_thread(a);
	if (touch && !a->t)
		a->t = a->b->slots[a->rec->slot].thread = thread_placeholder(a, a->ev.tid);
	if (!(a->rec->flags & ER_ROW))
		return;
	if (LIKELY(a->part == PART_ALL))
		row_handle(a, &table[a->rec->type]);
	else
		row_threads(a, &table[a->rec->type]);
}

/* The rows the digest found, and among them those that handlers asked for meanwhile. */
static void rows_apply(struct state *st, struct batch *b, enum apply_part part)
{
	const struct apply_entry *table = apply_table(st->d->compat029);
	struct apply a = {
		.st = st, .m = &st->mut[0], .d = st->d, .b = b, .root = b->root, .part = part};
	uint32_t i = 0;

	st->nextra = st->extra_at = 0;
	while ((i < b->nrows || st->extra_at < st->nextra) && !a.m->failed) {
		if (LIKELY(st->extra_at == st->nextra) ||
		    (i < b->nrows && b->rows[i] < st->extra[st->extra_at])) {
			if (LIKELY(i + 2 < b->nrows)) {
				const uint8_t *p = b->data + b->ev[b->rows[i + 2]].off;

				PREFETCH(p);
				PREFETCH(p + CACHE_LINE);
			}
			row_apply(&a, table, b->rows[i], b->ev[b->rows[i]].flags & ER_TOUCH);
			i++;
			continue;
		}
		uint32_t idx = st->extra[st->extra_at++];
		bool both = i < b->nrows && b->rows[i] == idx;

		if (both)
			i++;
		row_apply(&a, table, idx, true);
	}
}

/* ---- one batch ---- */

static int apply_meta(struct state *st, struct batch *b, struct err *e)
{
	struct state_root *r;
	int rc = root_new(st, &r);

	if (rc < 0)
		return err_set(e, rc, ERR_NO_POS, "out of memory");
	rc = root_load(st, r, b, e);
	if (rc < 0) {
		/* Not at once: what was replaced while it was filled is on the retire list. */
		state_retire(&st->mut[0], root_free, r);
		return rc;
	}
	/* Earlier batches pin the old tables. */
	state_retire(&st->mut[0], root_free, st->root);
	st->root = r;
	b->root = r;
	return 0;
}

/* The clock starts at the first event that does not tell of a container: a capture begins with those, with times of its own
 * start-up. Without any other they have no origin but their own first. */
static void find_origin(struct numbering *n, const struct batch *b, bool compat029)
{
	unsigned codes = compat029 ? EV_CODE_COUNT_029 : EV_CODE_COUNT;
	uint32_t seen = 0;

	/* By blocks: a sparse batch has no records of ordinary events. */
	for (uint32_t i = 0; i < b->nblk && seen < b->nev && !n->have_origin; i++) {
		const uint8_t *blk = b->data + b->blk[i];
		const uint8_t *hdr = blk + event_block_hdr_off(load_u32(blk));
		uint16_t type = load_u16(hdr + 20);

		if (type >= codes) /* no event of ours */
			continue;
		seen++;
		n->origin_ts = load_u64(hdr);
		n->have_origin = type != EV_CONTAINER_JSON_E && type != EV_CONTAINER_JSON_2_E;
	}
}

static void apply_number(struct state *st, struct batch *b)
{
	struct numbering *n = &st->numbering;

	b->before = *n;
	b->first_ord = st->next_ord;
	b->num_base = n->num;
	st->next_ord += b->nev;
	n->num += b->nev;
	if (!n->have_origin && b->nev)
		find_origin(n, b, st->d->compat029);
	if (UNLIKELY(n->leading) && b->kind == BATCH_EVENTS)
		n->leading = container_hide_leading(b);
	b->origin_ts = n->origin_ts;
	b->root = st->root;
}

int state_apply(struct state *st, struct batch *b, struct err *e)
{
	bool split = st->nshards && !b->whole && b->kind == BATCH_EVENTS;
	int rc = 0;

	st->mut[0].seq = b->seq;
	apply_number(st, b);
	b->fd_shards = 0;
	b->all_shards = st->moved = false;
	if (b->kind == BATCH_META) {
		rc = apply_meta(st, b, e);
	} else if (st->d->bits) {
		slots_begin(st, b);
		rows_apply(st, b, split ? PART_THREADS : PART_ALL);
		slots_end(st, b, split);
		if (split)
			shards_assign(st, b);
	}
	if (rc == 0 && st->mut[0].failed)
		rc = err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	return rc;
}
