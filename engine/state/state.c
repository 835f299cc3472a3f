/* Life of the state and of its section roots. */
#include <errno.h>
#include <stdlib.h>

#include "state/state_priv.h"

static void pools_init(struct state *st)
{
	kin_pool_init(st);
	pool_init(&st->thread_pool, sizeof(struct thread_priv));
	pool_init(&st->ver_pool, sizeof(struct thread_ver));
	pool_init(&st->vol_pool, sizeof(struct thread_vol));
	pool_init(&st->fdver_pool, sizeof(struct fd_ver));
	pool_init(&st->fdblock_pool, sizeof(struct fd_block));
	pool_init(&st->fdtable_pool, sizeof(struct fd_table));
	pool_init(&st->open_pool, sizeof(struct open_enter));
	for (int c = 0; c < RSTR_CLASSES; c++)
		pool_init(&st->rstr_pool[c], (size_t)32 << c);
}

static void pools_fini(struct state *st)
{
	pool_fini(&st->kin_pool);
	pool_fini(&st->thread_pool);
	pool_fini(&st->ver_pool);
	pool_fini(&st->vol_pool);
	pool_fini(&st->fdver_pool);
	pool_fini(&st->fdblock_pool);
	pool_fini(&st->fdtable_pool);
	pool_fini(&st->open_pool);
	for (int c = 0; c < RSTR_CLASSES; c++)
		pool_fini(&st->rstr_pool[c]);
}

int state_new(struct state **out, const struct state_opts *o)
{
	struct state *st = calloc(1, sizeof(*st));
	int rc;

	if (!st)
		return -ENOMEM;
	st->d = o->demand;
	st->workers = o->workers;
	st->next_ord = 1;
	st->numbering = (struct numbering){.num = 1, .leading = true};
	sem_init(&st->ripened, 0, 0);
	pools_init(st);
	rc = root_new(st, &st->root);
	if (rc < 0) {
		pools_fini(st);
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
		root_free(st, st->roots);
	retire_drain(st);
	pools_fini(st);
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

static void root_free_threads(struct state *st, struct state_root *r)
{
	for (unsigned s = 0; s < STATE_SHARDS; s++) {
		struct tid_table *tab = atomic_load_explicit(&r->shard[s], memory_order_relaxed);

		for (uint32_t i = 0; tab && i <= tab->mask; i++) {
			struct thread *t = table_entry(tab, i), *older;

			/* Dead ones are on retire lists, which have run before their root's turn
			 * comes; only at the end of the run is there nobody left to reap them. */
			for (; t; t = older) {
				older = atomic_load_explicit(&t->older, memory_order_relaxed);
				thread_free(st, t);
			}
		}
	}
}

void root_free(struct state *st, void *p)
{
	struct state_root *r = p;
	struct container_table *c = atomic_load_explicit(&r->containers, memory_order_relaxed);

	root_free_threads(st, r);
	table_fini(r);
	kin_root_free(r);
	id_clear(st, r);
	if (c)
		container_table_free(st, c);
	for (unsigned i = 0; i < r->nifaces; i++)
		free((char *)r->ifaces[i].name);
	free(r->ifaces);
	if (r->next)
		r->next->prev = r->prev;
	if (r->prev)
		r->prev->next = r->next;
	else
		st->roots = r->next;
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
