#include "state/container.h"
#include "state/row.h"

#include <errno.h>
#include <stdlib.h>

enum { BUCKETS = 64 };

/* Everything known about one id. Lives as long as its section. */
struct entry {
	struct entry *next; /* IMMUTABLE once published */
	struct container *_Atomic newest;
};

/* Written by the holder of the apply turn; read by any worker. */
struct container_table {
	struct entry *_Atomic bucket[BUCKETS];
};

static unsigned hash_id(const char *id)
{
	unsigned h = 5381;

	while (*id)
		h = h * 33 + (uint8_t)*id++;
	return h % BUCKETS;
}

/* ---- reading ---- */

static struct entry *find_entry(const struct container_table *t, const char *id)
{
	/* acquire: pairs with the release in add_entry; without it the entry might be seen empty */
	struct entry *e = atomic_load_explicit(&t->bucket[hash_id(id)], memory_order_acquire);

	for (; e; e = e->next)
		if (strcmp(atomic_load_explicit(&e->newest, memory_order_acquire)->id, id) == 0)
			return e;
	return NULL;
}

const struct container *state_container_at(const struct state_root *r, const char *id, uint64_t ord)
{
	const struct container_table *t =
		atomic_load_explicit(state_root_containers(r), memory_order_acquire);
	struct entry *e = t ? find_entry(t, id) : NULL;
	const struct container *c =
		e ? atomic_load_explicit(&e->newest, memory_order_acquire) : NULL;

	while (c && c->ord > ord)
		c = c->prev;
	return c;
}

static void imply(struct container *c, const struct container_match *m, const char *id)
{
	memset(c, 0, sizeof(*c));
	c->type = m->type;
	c->lookup_state = CL_SUCCESSFUL;
	c->id = id;
	/* These runtimes have no other name than their id. */
	c->name = m->type == CT_LXC || m->type == CT_LIBVIRT_LXC || m->type == CT_NSPAWN ? id : "";
	c->full_id = c->user = c->image = c->imageid = c->imagerepo = c->imagetag = c->imagedigest =
		"";
	c->ip = c->cni_json = c->pod_sandbox_id = c->mesos_task_id = "";
	c->cpu_shares = 1024;
	c->cpu_period = 100000;
}

const struct container *container_of_thread(const struct state_root *r, const struct thread_ver *v,
					    uint64_t ord, bool compat029, struct container *implied)
{
	struct container_match m;

	if (v->container_id->len == 0)
		return NULL;
	const struct container *c = state_container_at(r, v->container_id->s, ord);
	if (c)
		return c;
	if (!container_match(&m, v->cgroups->s, v->cgroups->len, compat029) ||
	    (compat029 && m.type == CT_CRI)) /* it would have asked the runtime */
		return NULL;
	imply(implied, &m, v->container_id->s);
	return implied;
}

/* ---- listing
 * ------------------------------------------------------------------------------------------- */

struct listing {
	const struct state_root *r;
	uint64_t ord;
	bool compat029, failed;
	struct container *c; /* implied ones are values of their own, the others copies that share their texts */
	size_t n, cap;
};

static void list_add(struct listing *l, const struct container *c)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct container *p = realloc(l->c, cap * sizeof(*p));

		if (!p) {
			l->failed = true;
			return;
		}
		l->c = p;
		l->cap = cap;
	}
	l->c[l->n++] = *c;
}

static int list_thread(void *ctx, struct thread *t)
{
	struct listing *l = ctx;
	const struct thread_ver *v = thread_ver_at(t, l->ord);
	struct container implied;
	const struct container *c =
		v ? container_of_thread(l->r, v, l->ord, l->compat029, &implied) : NULL;

	if (c == &implied)
		list_add(l, c);
	return 0;
}

static int by_id(const void *p, const void *q)
{
	return strcmp(((const struct container *)p)->id, ((const struct container *)q)->id);
}

int state_containers_each(const struct state_root *r, uint64_t ord, bool compat029,
			  int (*fn)(void *ctx, const struct container *c), void *ctx)
{
	struct listing l = {.r = r, .ord = ord, .compat029 = compat029};
	const struct container_table *t =
		atomic_load_explicit(state_root_containers(r), memory_order_acquire);
	int rc = 0;

	for (unsigned i = 0; t && i < BUCKETS; i++) {
		struct entry *e = atomic_load_explicit(&t->bucket[i], memory_order_acquire);

		for (; e; e = e->next) {
			const struct container *c = atomic_load_explicit(&e->newest, memory_order_acquire);

			while (c && c->ord > ord)
				c = c->prev;
			if (c)
				list_add(&l, c);
		}
	}
	state_threads_each(r, ord, list_thread, &l);
	if (l.n)
		qsort(l.c, l.n, sizeof(*l.c), by_id);
	for (size_t i = 0; i < l.n && rc == 0 && !l.failed; i++)
		if (i == 0 || by_id(&l.c[i - 1], &l.c[i]) != 0)
			rc = fn(ctx, &l.c[i]);
	free(l.c);
	return l.failed ? -ENOMEM : rc;
}

const char *container_label(const struct container *c, const char *key, size_t key_len)
{
	for (unsigned i = 0; i < c->nlabels; i++)
		if (strlen(c->labels[i].key) == key_len &&
		    memcmp(c->labels[i].key, key, key_len) == 0)
			return c->labels[i].value;
	return NULL;
}

/* ---- writing ---- */

static void free_value(struct mutator *m, void *p)
{
	container_free(p);
}

void container_table_free(struct container_table *t)
{
	for (unsigned i = 0; t && i < BUCKETS; i++) {
		struct entry *e = atomic_load_explicit(&t->bucket[i], memory_order_relaxed), *next;

		for (; e; e = next) {
			next = e->next;
			/* older values are on the retire list already */
			container_free(atomic_load_explicit(&e->newest, memory_order_relaxed));
			free(e);
		}
	}
	free(t);
}

/* The table of the row's section, made when first needed. NULL when memory is out. */
static struct container_table *table_of(struct apply *a)
{
	struct container_table *_Atomic *slot = state_root_containers(a->root);
	struct container_table *t = atomic_load_explicit(slot, memory_order_relaxed);

	if (!t) {
		t = calloc(1, sizeof(*t));
		/* release: pairs with the acquire in state_container_at */
		if (t)
			atomic_store_explicit(slot, t, memory_order_release);
	}
	return t;
}

static bool add_entry(struct container_table *t, struct container *c)
{
	struct entry *_Atomic *head = &t->bucket[hash_id(c->id)];
	struct entry *e = malloc(sizeof(*e));

	if (!e)
		return false;
	e->next = atomic_load_explicit(head, memory_order_relaxed);
	atomic_init(&e->newest, c);
	/* release: pairs with the acquire in find_entry */
	atomic_store_explicit(head, e, memory_order_release);
	return true;
}

/* Takes c over. */
static void put_container(struct apply *a, struct container_table *t, struct container *c)
{
	struct entry *e = find_entry(t, c->id);

	c->ord = a->ord;
	if (!e) {
		if (!add_entry(t, c))
			container_free(c);
		return;
	}
	c->prev = atomic_load_explicit(&e->newest, memory_order_relaxed);
	atomic_store_explicit(&e->newest, c,
			      memory_order_release); /* pairs with state_container_at */
	state_retire(a->m, free_value, c->prev);
}

/* ---- events ---- */

bool container_event(unsigned type)
{
	return type == EV_CONTAINER_E || type == EV_CONTAINER_JSON_E ||
	       type == EV_CONTAINER_JSON_2_E;
}

/* The form before JSON: id, type, name, image. */
static struct container *parse_binary(struct event *e)
{
	static const uint8_t text_param[3] = {0, 2, 3};
	struct container *c = calloc(1, sizeof(*c));
	const char *text[3];
	int64_t type;

	if (!c)
		return NULL;
	arena_init(&c->mem);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t len;
		const char *s;
		char *copy;

		if (!event_param_str(e, text_param[i], &s, &len) ||
		    !(copy = arena_alloc(&c->mem, len + 1u))) {
			container_free(c);
			return NULL;
		}
		memcpy(copy, s, len);
		copy[len] = 0;
		text[i] = copy;
	}
	struct container_match m = {.type = CT_DOCKER};
	if (event_param_i64(e, 1, &type))
		m.type = (uint16_t)type;
	struct arena mem = c->mem;
	imply(c, &m, text[0]);
	c->mem = mem;
	c->name = text[1];
	c->image = text[2];
	return c;
}

static bool json_param(struct event *e, const char **s, uint32_t *len)
{
	return (e->type == EV_CONTAINER_JSON_E || e->type == EV_CONTAINER_JSON_2_E) &&
	       event_param_str(e, 0, s, len);
}

int container_event_check(struct event *e, bool *hidden, struct err *err)
{
	struct container *c = NULL;
	const char *json;
	uint32_t len;

	*hidden = false;
	if (!json_param(e, &json, &len))
		return 0;
	int rc = container_parse(&c, json, len, err);
	if (rc == 0)
		*hidden = c->lookup_state != CL_SUCCESSFUL;
	container_free(c);
	return rc;
}

bool container_hide_leading(struct batch *b)
{
	uint32_t i = 0;

	while (i < batch_nrec(b) && container_event(b->ev[i].type) && !(b->sparse && b->ev[i].idx != i))
		b->ev[i++].flags |= ER_HIDDEN;
	return i == b->nev;
}

void apply_container(struct apply *a)
{
	struct container_table *t = table_of(a);
	struct container *c = NULL;
	const char *json;
	uint32_t len;

	if (a->ev.type == EV_CONTAINER_E)
		c = parse_binary(&a->ev);
	else if (json_param(&a->ev, &json, &len)) /* damage was found by container_event_check */
		container_parse(&c, json, len, NULL);
	if (t && c && *c->id)
		put_container(a, t, c);
	else
		container_free(c);
}

bool container_event_id(struct event *e, char *out, size_t cap)
{
	struct container *c = NULL;
	const char *s;
	uint32_t len;

	if (e->type == EV_CONTAINER_E) {
		if (!event_param_str(e, 0, &s, &len))
			return false;
	} else {
		if (!json_param(e, &s, &len) || container_parse(&c, s, len, NULL) != 0)
			return false;
		s = c->id;
		len = (uint32_t)strlen(s);
	}
	if (len > cap - 1)
		len = (uint32_t)cap - 1;
	memcpy(out, s, len);
	out[len] = 0;
	container_free(c);
	return true;
}

/* ---- users and groups ---- */

static struct text text_param(struct apply *a, unsigned i)
{
	const char *s;
	uint32_t len;

	return event_param_str(&a->ev, i, &s, &len) ? (struct text){s, len} : (struct text){"", 0};
}

/* The tables are those of the host: users of a container have their own. */
void apply_user_event(struct apply *a)
{
	unsigned type = a->ev.type;
	bool is_group = type == EV_GROUP_ADDED_E || type == EV_GROUP_DELETED_E;
	bool added = type == EV_USER_ADDED_E || type == EV_GROUP_ADDED_E;
	int64_t id = row_i64(a, 0, -1);

	if (id < 0 || text_param(a, is_group ? 2 : 5).len)
		return;
	if (!added) {
		user_drop(a, is_group, (uint32_t)id);
		return;
	}
	struct meta_user u = {.is_group = is_group};
	u.uid = u.gid = (uint32_t)id;
	u.name = text_param(a, is_group ? 1 : 2);
	if (!is_group) {
		u.gid = (uint32_t)row_i64(a, 1, -1);
		u.home = text_param(a, 3);
		u.shell = text_param(a, 4);
	}
	user_put(a, &u);
}
