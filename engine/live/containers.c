#include "live/containers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "event/event.h"
#include "live/runtime.h"
#include "state/container.h"

enum { FULL_ID = 64, SEEN_TEXTS = 1024 };

/* One container, from the moment it is seen. */
struct known {
	struct runtime_key key;
	struct known *next;    /* of all */
	struct known *waiting; /* GUARDED_BY(lock): next to look up */
	unsigned tries;	       /* OWNED_BY(thread) */
	uint64_t due_ns;       /* GUARDED_BY(lock): monotonic clock */
};

struct answer {
	char *json; /* owned */
	struct answer *next;
};

struct containers {
	char *root;
	struct known *all;	   /* OWNED_BY(caller) */
	uint64_t seen[SEEN_TEXTS]; /* OWNED_BY(caller): hashes of texts that need no second look */

	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct known *first, *last;	 /* GUARDED_BY(lock): look-ups to do */
	struct answer *told, *told_last; /* GUARDED_BY(lock) */
	bool busy, stop;		 /* GUARDED_BY(lock) */
};

/* ---- the look-up thread -----------------------------------------------------------------------
 */

static void put_answer(struct containers *c, json_t *container)
{
	struct answer *a = calloc(1, sizeof(*a));
	json_t *doc = json_object();

	json_object_set(doc, "container", container);
	if (a)
		a->json = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!a || !a->json) {
		free(a);
		return; /* no memory: the container stays without a name */
	}
	pthread_mutex_lock(&c->lock);
	if (c->told_last)
		c->told_last->next = a;
	else
		c->told = a;
	c->told_last = a;
	pthread_mutex_unlock(&c->lock);
}

static uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void enqueue_locked(struct containers *c, struct known *k)
{
	k->waiting = NULL;
	if (c->last)
		c->last->waiting = k;
	else
		c->first = k;
	c->last = k;
}

/* The first one that is due, taken out; NULL: none, and *due_ns is when one will be. */
static struct known *take_due_locked(struct containers *c, uint64_t *due_ns)
{
	struct known *before = NULL;
	uint64_t now = clock_now();

	*due_ns = now + 1000000000;
	for (struct known *k = c->first; k; before = k, k = k->waiting) {
		if (k->due_ns > now) {
			*due_ns = MIN(*due_ns, k->due_ns);
			continue;
		}
		if (before)
			before->waiting = k->waiting;
		else
			c->first = k->waiting;
		if (c->last == k)
			c->last = before;
		return k;
	}
	return NULL;
}

static struct known *next_lookup(struct containers *c)
{
	struct known *k = NULL;
	uint64_t due;

	pthread_mutex_lock(&c->lock);
	c->busy = false;
	pthread_cond_broadcast(&c->changed);
	while (!c->stop && !(k = take_due_locked(c, &due))) {
		struct timespec t = {(time_t)(due / 1000000000), (long)(due % 1000000000)};

		if (c->first)
			pthread_cond_timedwait(&c->changed, &c->lock, &t);
		else
			pthread_cond_wait(&c->changed, &c->lock);
	}
	k = c->stop ? NULL : k;
	c->busy = k != NULL;
	pthread_mutex_unlock(&c->lock);
	return k;
}

/* A runtime may know a container only some time after its first process runs. */
static void try_later(struct containers *c, struct known *k)
{
	static const unsigned pauses_ms[] = {100, 300, 600, 1500, 3000};

	if (k->tries == ARRAY_SIZE(pauses_ms))
		return;
	pthread_mutex_lock(&c->lock);
	k->due_ns = clock_now() + (uint64_t)pauses_ms[k->tries++] * 1000000;
	enqueue_locked(c, k);
	pthread_mutex_unlock(&c->lock);
}

static void *run(void *arg)
{
	struct containers *c = arg;
	struct known *k;

	while ((k = next_lookup(c))) {
		json_t *found = runtime_lookup(&k->key, c->root);

		if (found)
			put_answer(c, found);
		else
			try_later(c, k);
		json_decref(found);
	}
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------------
 */

int containers_new(struct containers **out, const char *root, struct err *e)
{
	struct containers *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	sigset_t all, old;
	int rc;

	if (!c || !(c->root = strdup(root))) {
		free(c);
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are for the others. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->started = rc == 0;
	if (rc) {
		containers_free(c);
		return err_set(e, -rc, ERR_NO_POS, "can't start a thread: %s", strerror(rc));
	}
	*out = c;
	return 0;
}

static void free_answers(struct answer *a)
{
	while (a) {
		struct answer *next = a->next;

		free(a->json);
		free(a);
		a = next;
	}
}

void containers_free(struct containers *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (c->started)
		pthread_join(c->thread, NULL);
	free_answers(c->told);
	while (c->all) {
		struct known *next = c->all->next;

		free(c->all);
		c->all = next;
	}
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->root);
	free(c);
}

/* ---- seeing -----------------------------------------------------------------------------------
 */

static uint64_t hash(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3;
	return h ? h : 1;
}

/* The whole id behind the first digits that container_match gives. */
static bool whole_id(const struct container_match *m, const char *text, size_t len, char *out)
{
	const char *p = text;

	while ((p = memmem(p, len - (size_t)(p - text), m->id, m->len))) {
		size_t left = len - (size_t)(p - text), n = 0;

		while (n < left && n < FULL_ID && strchr("0123456789abcdef", p[n]) && p[n])
			n++;
		if (n == FULL_ID) {
			memcpy(out, p, FULL_ID);
			out[FULL_ID] = 0;
			return true;
		}
		p++;
	}
	snprintf(out, FULL_ID + 1, "%.*s", (int)FULL_ID, m->id);
	return m->len != 12;
}

static int64_t owner(const char *text, size_t len)
{
	const char *p = memmem(text, len, "/user-", 6);
	unsigned uid;

	return p && sscanf(p, "/user-%u.slice", &uid) == 1 ? (int64_t)uid : -1;
}

static void request(struct containers *c, const struct runtime_key *key)
{
	struct known *k;

	for (k = c->all; k; k = k->next)
		if (!strcmp(k->key.id, key->id))
			return;
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->key = *key;
	k->next = c->all;
	c->all = k;
	pthread_mutex_lock(&c->lock);
	enqueue_locked(c, k);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void containers_see(struct containers *c, const char *cgroups, size_t len)
{
	uint64_t h = hash(cgroups, len), *slot = &c->seen[h % SEEN_TEXTS];
	struct container_match m;
	struct runtime_key key = {.uid = owner(cgroups, len)};

	if (*slot == h)
		return;
	*slot = h;
	if (!container_match(&m, cgroups, len, false) || !whole_id(&m, cgroups, len, key.id))
		return;
	key.type = m.type;
	runtime_pod_uid(cgroups, len, key.pod);
	request(c, &key);
}

/* Index of the cgroups of a successful exit, -1 = the event has none. */
static int cgroups_param(uint16_t type)
{
	switch (type) {
	case EV_SYSCALL_CLONE_20_X:
	case EV_SYSCALL_FORK_20_X:
	case EV_SYSCALL_VFORK_20_X:
	case EV_SYSCALL_CLONE3_X:
	case EV_SYSCALL_EXECVE_19_X:
	case EV_SYSCALL_EXECVEAT_X:
		return 14;
	default:
		return -1;
	}
}

void containers_watch(uint64_t types[8])
{
	for (uint16_t t = 0; t < EV_CODE_COUNT; t++)
		if (cgroups_param(t) >= 0)
			types[t / 64] |= (uint64_t)1 << t % 64;
}

void containers_see_record(struct containers *c, const uint8_t *record)
{
	int at = cgroups_param(load_u16(record + 20));
	uint32_t n = load_u32(record + 22);
	const uint8_t *lens = record + 26, *data = lens + 2 * n;

	if (at < 0 || (uint32_t)at >= n)
		return;
	for (int i = 0; i < at; i++)
		data += load_u16(lens + 2 * i);
	containers_see(c, (const char *)data, load_u16(lens + 2 * at));
}

/* ---- telling ----------------------------------------------------------------------------------
 */

void containers_tell(struct containers *c, struct inject *q, uint64_t now_ns)
{
	struct answer *a;

	pthread_mutex_lock(&c->lock);
	a = c->told;
	c->told = c->told_last = NULL;
	pthread_mutex_unlock(&c->lock);
	for (struct answer *i = a; i; i = i->next) {
		uint32_t n = (uint32_t)strlen(i->json) + 1;

		/* The small form where it fits: older readers know only that. */
		inject_event(q, now_ns, -1, n < 60000 ? EV_CONTAINER_JSON_E : EV_CONTAINER_JSON_2_E,
			     1, &n, i->json);
	}
	free_answers(a);
}

void containers_settle(struct containers *c, unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_mutex_lock(&c->lock);
	while ((c->first || c->busy) &&
	       pthread_cond_timedwait(&c->changed, &c->lock, &t) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&c->lock);
}
