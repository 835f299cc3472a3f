/* Users and groups: id -> newest entry, older entries behind it. Entries live as long as their
 * section: there are few, and only events of a machine's administration add to them. */
#include <errno.h>
#include <stdlib.h>

#include "state/state_priv.h"

struct id_entry {
	uint32_t id;
	bool gone;
	uint64_t ord; /* holds from here on */
	struct id_entry *prev;
	union {
		struct user user;
		struct group group;
	};
	char text[];
};

struct id_table {
	uint32_t mask, n;
	struct id_entry *_Atomic e[];
};

enum { ID_TABLE_MIN = 32 };

static uint32_t id_hash(uint32_t id)
{
	return (id * 0x9E3779B1u) >> 8;
}

static struct id_entry *_Atomic *id_place(struct id_table *tab, uint32_t id)
{
	for (uint32_t i = id_hash(id);; i++) {
		/* acquire: pairs with the release in id_insert. */
		struct id_entry *e =
			atomic_load_explicit(&tab->e[i & tab->mask], memory_order_acquire);

		if (!e || e->id == id)
			return &tab->e[i & tab->mask];
	}
}

static void id_table_free(struct mutator *m, void *p)
{
	free(p);
}

static struct id_table *id_room(struct mutator *m, struct id_table *_Atomic *at)
{
	struct id_table *old = atomic_load_explicit(at, memory_order_relaxed), *tab;
	uint32_t cap = old ? 2 * (old->mask + 1) : ID_TABLE_MIN;

	if (old && 2 * (old->n + 1) <= old->mask + 1)
		return old;
	tab = calloc(1, sizeof(*tab) + cap * sizeof(tab->e[0]));
	if (!tab)
		return NULL;
	tab->mask = cap - 1;
	for (uint32_t i = 0; old && i <= old->mask; i++) {
		struct id_entry *e = atomic_load_explicit(&old->e[i], memory_order_relaxed);

		if (e)
			atomic_store_explicit(id_place(tab, e->id), e, memory_order_relaxed);
	}
	tab->n = old ? old->n : 0;
	/* release: pairs with the acquire in id_at. */
	atomic_store_explicit(at, tab, memory_order_release);
	if (old)
		state_retire(m, id_table_free, old);
	return tab;
}

static int id_insert(struct mutator *m, struct id_table *_Atomic *at, struct id_entry *e)
{
	struct id_table *tab = id_room(m, at);
	struct id_entry *_Atomic *place;

	if (!tab) {
		free(e);
		return -ENOMEM;
	}
	place = id_place(tab, e->id);
	e->prev = atomic_load_explicit(place, memory_order_relaxed);
	tab->n += e->prev == NULL;
	atomic_store_explicit(place, e, memory_order_release);
	return 0;
}

static const char *text_copy(char **at, const struct text *t)
{
	char *s = *at;

	if (t->len)
		memcpy(s, t->p, t->len);
	s[t->len] = 0;
	*at += t->len + 1;
	return s;
}

int id_put(struct mutator *m, struct state_root *r, const struct meta_user *u, uint64_t ord)
{
	struct id_entry *e =
		malloc(sizeof(*e) + (size_t)u->name.len + u->home.len + u->shell.len + 3);
	char *at;

	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->ord = ord;
	at = e->text;
	if (u->is_group) {
		e->id = e->group.gid = u->gid;
		e->group.name = text_copy(&at, &u->name);
		return id_insert(m, &r->groups, e);
	}
	e->id = e->user.uid = u->uid;
	e->user.gid = u->gid;
	e->user.name = text_copy(&at, &u->name);
	e->user.home = text_copy(&at, &u->home);
	e->user.shell = text_copy(&at, &u->shell);
	return id_insert(m, &r->users, e);
}

void user_put(struct apply *a, const struct meta_user *u)
{
	a->m->failed |= id_put(a->m, a->root, u, a->ord) < 0;
}

void user_drop(struct apply *a, bool is_group, uint32_t id)
{
	struct id_entry *e = calloc(1, sizeof(*e));

	if (!e) {
		a->m->failed = true;
		return;
	}
	e->id = id;
	e->gone = true;
	e->ord = a->ord;
	if (id_insert(a->m, is_group ? &a->root->groups : &a->root->users, e) < 0)
		a->m->failed = true;
}

static void id_table_clear(struct id_table *tab)
{
	for (uint32_t i = 0; tab && i <= tab->mask; i++) {
		struct id_entry *e = atomic_load_explicit(&tab->e[i], memory_order_relaxed), *prev;

		for (; e; e = prev) {
			prev = e->prev;
			free(e);
		}
	}
	free(tab);
}

/* Nobody reads the tables (the section is being read in, or is over). */
void id_clear(struct state_root *r)
{
	id_table_clear(atomic_load_explicit(&r->users, memory_order_relaxed));
	id_table_clear(atomic_load_explicit(&r->groups, memory_order_relaxed));
	atomic_store_explicit(&r->users, NULL, memory_order_relaxed);
	atomic_store_explicit(&r->groups, NULL, memory_order_relaxed);
}

static const struct id_entry *id_at(struct id_table *const _Atomic *at, uint32_t id, uint64_t ord)
{
	struct id_table *tab = atomic_load_explicit(at, memory_order_acquire);
	const struct id_entry *e =
		tab ? atomic_load_explicit(id_place(tab, id), memory_order_acquire) : NULL;

	while (e && e->ord > ord)
		e = e->prev;
	return e && !e->gone ? e : NULL;
}

const struct user *state_user_at(const struct state_root *r, uint32_t uid, uint64_t ord)
{
	const struct id_entry *e = id_at((struct id_table *const _Atomic *)&r->users, uid, ord);

	return e ? &e->user : NULL;
}

const struct group *state_group_at(const struct state_root *r, uint32_t gid, uint64_t ord)
{
	const struct id_entry *e = id_at((struct id_table *const _Atomic *)&r->groups, gid, ord);

	return e ? &e->group : NULL;
}

const struct user *state_user(const struct state_root *r, uint32_t uid)
{
	return state_user_at(r, uid, ORD_NEVER);
}

const struct group *state_group(const struct state_root *r, uint32_t gid)
{
	return state_group_at(r, gid, ORD_NEVER);
}
