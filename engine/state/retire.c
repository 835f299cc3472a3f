/* Memory that older batches may still read: the retire lists.
 *
 * What apply supersedes while it applies batch b goes on b's list and is freed once every batch up
 * to b is released (state_reclaim). Hash nodes and arrays need more, since a reader of a later
 * batch may walk past them while they are being unlinked: when their turn comes they are unlinked
 * and go into a limbo that RCU's grace period ends. With one worker there is no such reader and
 * they are freed at once. */
#include <stdlib.h>

#include "state/rcu.h"
#include "state/state_priv.h"

enum { RETIRE_CHUNK_ITEMS = 250 };

struct retire_chunk {
	struct retire_chunk *next;
	uint32_t n;
	struct retire_item it[RETIRE_CHUNK_ITEMS];
};

struct retire_batch {
	struct retire_batch *next;
	uint64_t seq;
	struct retire_chunk *head, *tail;
};

struct limbo {
	struct rcu_head rcu;
	struct state *st;
	struct limbo *next; /* on st->ripe */
	struct retire_chunk *head;
};

static struct retire_chunk *chunk_get(struct mutator *m)
{
	struct retire_chunk *c = m->spare_chunks;

	if (c)
		m->spare_chunks = c->next;
	else
		c = malloc(sizeof(*c));
	if (c) {
		c->next = NULL;
		c->n = 0;
	}
	return c;
}

static void chunk_put(struct mutator *m, struct retire_chunk *c)
{
	c->next = m->spare_chunks;
	m->spare_chunks = c;
}

static struct retire_batch *retire_list_now(struct mutator *m)
{
	struct retire_batch *l = m->retire_tail;

	if (l && l->seq == m->seq)
		return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->seq = m->seq;
	if (m->retire_tail)
		m->retire_tail->next = l;
	else
		m->retire_head = l;
	m->retire_tail = l;
	return l;
}

/* Without memory for the list the run ends with the present row (m->failed); what that retires
 * waits for the end. */
static void retire_late(struct mutator *m, void (*fn)(struct mutator *m, void *p), void *p)
{
	m->failed = true;
	if (m->nlate < ARRAY_SIZE(m->late))
		m->late[m->nlate++] = (struct retire_item){fn, p};
}

void state_retire(struct mutator *m, void (*fn)(struct mutator *m, void *p), void *p)
{
	struct retire_batch *l = retire_list_now(m);
	struct retire_chunk *c = l ? l->tail : NULL;

	if (l && (!c || c->n == RETIRE_CHUNK_ITEMS)) {
		c = chunk_get(m);
		if (c) {
			if (l->tail)
				l->tail->next = c;
			else
				l->head = c;
			l->tail = c;
		}
	}
	if (!c)
		retire_late(m, fn, p);
	else
		c->it[c->n++] = (struct retire_item){fn, p};
}

static void chunks_run(struct mutator *m, struct retire_chunk *c)
{
	struct retire_chunk *next;

	for (; c; c = next) {
		next = c->next;
		for (uint32_t i = 0; i < c->n; i++)
			c->it[i].fn(m, c->it[i].p);
		chunk_put(m, c);
	}
}

void state_limbo(struct mutator *m, void (*fn)(struct mutator *m, void *p), void *p)
{
	struct state *st = m->st;
	struct limbo *l = st->limbo;

	if (st->workers <= 1) {
		fn(m, p);
		return;
	}
	if (!l) {
		l = st->limbo = calloc(1, sizeof(*l));
		if (l)
			l->st = st;
	}
	if (l && (!l->head || l->head->n == RETIRE_CHUNK_ITEMS)) {
		struct retire_chunk *c = chunk_get(m);

		if (c) {
			c->next = l->head;
			l->head = c;
		}
	}
	if (l && l->head && l->head->n < RETIRE_CHUNK_ITEMS)
		l->head->it[l->head->n++] = (struct retire_item){fn, p};
	else
		retire_late(m, fn, p);
}

/* In liburcu's thread: the pools belong to the apply turn, so the list is only handed back. */
static void limbo_ripe(struct rcu_head *h)
{
	struct limbo *l = CONTAINER_OF(h, struct limbo, rcu);
	struct state *st;

	state_rcu_called(l);
	st = l->st;
	state_rcu_grace(&st->rcu_sync);
	l->next = atomic_load_explicit(&st->ripe, memory_order_relaxed);
	/* release: pairs with the acquire in ripe_free, which reads the list. */
	while (!atomic_compare_exchange_weak_explicit(&st->ripe, &l->next, l, memory_order_release,
						      memory_order_relaxed))
		;
	/* Last: the state may be gone behind it. */
	sem_post(&st->ripened);
}

static void ripe_free(struct state *st)
{
	struct limbo *l = atomic_exchange_explicit(&st->ripe, NULL, memory_order_acquire), *next;

	for (; l; l = next) {
		next = l->next;
		chunks_run(&st->mut[0], l->head);
		free(l);
	}
}

void retire_seal(struct state *st)
{
	struct limbo *l = st->limbo;

	if (st->workers <= 1)
		return;
	if (l) {
		st->limbo = NULL;
		st->sealed++;
		state_rcu_call(&l->rcu, limbo_ripe, l);
	}
	if (atomic_load_explicit(&st->ripe, memory_order_relaxed))
		ripe_free(st);
}

static void retire_run_first(struct mutator *m)
{
	struct retire_batch *l = m->retire_head;

	m->retire_head = l->next;
	if (!m->retire_head)
		m->retire_tail = NULL;
	chunks_run(m, l->head);
	free(l);
}

void retire_run(struct mutator *m, uint64_t oldest_unfinished)
{
	while (m->retire_head && m->retire_head->seq < oldest_unfinished)
		retire_run_first(m);
}

void state_reclaim(struct state *st, uint64_t oldest_unfinished)
{
	retire_run(&st->mut[0], oldest_unfinished);
	retire_seal(st);
}

static void retire_late_run(struct mutator *m)
{
	for (unsigned i = 0; i < m->nlate; i++)
		m->late[i].fn(m, m->late[i].p);
	m->nlate = 0;
	while (m->spare_chunks) {
		struct retire_chunk *c = m->spare_chunks;

		m->spare_chunks = c->next;
		free(c);
	}
}

void retire_drain(struct state *st)
{
	for (unsigned i = 0; i <= st->nshards; i++)
		retire_run(&st->mut[i], UINT64_MAX);
	retire_seal(st);
	/* Not rcu_barrier, of which the sanitizer knows nothing. */
	for (; st->sealed; st->sealed--)
		while (sem_wait(&st->ripened) != 0)
			;
	ripe_free(st);
	for (unsigned i = 0; i <= st->nshards; i++)
		retire_late_run(&st->mut[i]);
}

/* ---- workers ---- */

void state_reader_register(struct state *st)
{
	if (st->workers > 1)
		state_rcu_register();
}

void state_reader_unregister(struct state *st)
{
	if (st->workers > 1)
		state_rcu_unregister(&st->rcu_sync);
}

void state_reader_quiescent(struct state *st)
{
	if (st->workers > 1)
		state_rcu_quiescent(&st->rcu_sync);
}

void state_reader_offline(struct state *st)
{
	if (st->workers > 1)
		state_rcu_offline(&st->rcu_sync);
}

void state_reader_online(struct state *st)
{
	if (st->workers > 1)
		state_rcu_online();
}
