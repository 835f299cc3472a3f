/* Life of the state and of its section roots. */
#include <errno.h>
#include <stdlib.h>

#include "base/apart.h"
#include "state/state_priv.h"

static size_t pool_size(enum pool_kind k)
{
	static const size_t size[] = {
		[POOL_KIN] = sizeof(struct kin_ver),	  [POOL_THREAD] = sizeof(struct thread_priv),
		[POOL_VER] = sizeof(struct thread_ver),	  [POOL_VOL] = sizeof(struct thread_vol),
		[POOL_FDVER] = sizeof(struct fd_ver),	  [POOL_FDBLOCK] = sizeof(struct fd_block),
		[POOL_FDTABLE] = sizeof(struct fd_table), [POOL_OPEN] = sizeof(struct open_enter),
	};

	return k < POOL_RSTR ? size[k] : (size_t)32 << (k - POOL_RSTR);
}

static int mutators_new(struct state *st)
{
	unsigned n = 1 + st->nshards;

	st->mut = apart_calloc(n, sizeof(*st->mut));
	if (!st->mut)
		return -ENOMEM;
	for (unsigned k = 0; k < POOL_KINDS; k++)
		pool_depot_init(&st->depot[k]);
	for (unsigned i = 0; i < n; i++) {
		st->mut[i].st = st;
		st->mut[i].alone = n == 1;
		for (unsigned k = 0; k < POOL_KINDS; k++)
			pool_init(&st->mut[i].pool[k], pool_size((enum pool_kind)k),
				  n > 1 ? &st->depot[k] : NULL);
	}
	return 0;
}

/* Nothing is retired any more, and what is still handed out goes with its pool. */
static void mutators_free(struct state *st)
{
	for (unsigned i = 0; st->mut && i <= st->nshards; i++)
		for (unsigned k = 0; k < POOL_KINDS; k++)
			pool_fini(&st->mut[i].pool[k]);
	for (unsigned k = 0; st->mut && k < POOL_KINDS; k++)
		pool_depot_fini(&st->depot[k]);
	free(st->mut);
}

int state_new(struct state **out, const struct state_opts *o)
{
	struct state *st = calloc(1, sizeof(*st));
	int rc;

	if (!st)
		return -ENOMEM;
	st->d = o->demand;
	st->workers = o->workers;
	/* 0.29.3 makes up threads for descriptors. */
	if (!o->demand->compat029 && (o->demand->bits & DEMAND_FDS))
		st->nshards = MIN(o->fd_shards, (unsigned)STATE_MAX_FD_SHARDS);
	st->next_ord = 1;
	st->numbering = (struct numbering){.num = 1, .leading = true};
	sem_init(&st->ripened, 0, 0);
	rc = mutators_new(st);
	rc = rc ? rc : root_new(st, &st->root);
	if (rc < 0) {
		mutators_free(st);
		free(st);
		return rc;
	}
	*out = st;
	return 0;
}

void state_free(struct state *st)
{
	if (!st)
		return;
	retire_drain(st);
	while (st->roots)
		root_free(&st->mut[0], st->roots);
	retire_drain(st);
	mutators_free(st);
	sem_destroy(&st->ripened);
	free(st->extra);
	free(st->switch_ts);
	free(st);
}

void state_begin_section(struct state *st, const struct numbering *n)
{
	st->numbering = *n;
	if (st->nswitch)
		memset(st->switch_ts, 0, st->nswitch * sizeof(*st->switch_ts));
}

void state_begin_file(struct state *st)
{
	state_begin_section(st, &(struct numbering){.num = 1, .leading = true});
}

int root_new(struct state *st, struct state_root **out)
{
	struct state_root *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->st = st;
	r->next = st->roots;
	if (r->next)
		r->next->prev = r;
	st->roots = r;
	*out = r;
	return 0;
}

static void root_free_threads(struct mutator *m, struct state_root *r)
{
	for (unsigned s = 0; s < STATE_SHARDS; s++) {
		struct tid_table *tab = atomic_load_explicit(&r->shard[s], memory_order_relaxed);

		for (uint32_t i = 0; tab && i <= tab->mask; i++) {
			struct thread *t = table_entry(tab, i), *older;

			/* Dead ones are on retire lists, which have run before their root's turn
			 * comes; only at the end of the run is there nobody left to reap them. */
			for (; t; t = older) {
				older = atomic_load_explicit(&t->older, memory_order_relaxed);
				thread_free(m, t);
			}
		}
	}
}

void root_free(struct mutator *m, void *p)
{
	struct state_root *r = p;
	struct container_table *c = atomic_load_explicit(&r->containers, memory_order_relaxed);

	root_free_threads(m, r);
	table_fini(r);
	kin_root_free(r);
	id_clear(r);
	if (c)
		container_table_free(c);
	for (unsigned i = 0; i < r->nifaces; i++)
		free((char *)r->ifaces[i].name);
	free(r->ifaces);
	if (r->next)
		r->next->prev = r->prev;
	if (r->prev)
		r->prev->next = r->next;
	else
		m->st->roots = r->next;
	free(r);
}

/* ---- reading ---- */

const struct iface *state_ifaces(const struct state_root *r, unsigned *n)
{
	*n = r->nifaces;
	return r->ifaces;
}

bool state_newest_writer(const struct state_root *r)
{
	return r && r->newest_writer;
}

const struct machine_info *state_machine(const struct state_root *r)
{
	return &r->machine;
}

struct container_table *_Atomic *state_root_containers(const struct state_root *r)
{
	return &((struct state_root *)r)->containers;
}
