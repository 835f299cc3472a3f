/* Reference-counted texts. Only mutators count. A text is freed with its last reference at once:
 * readers reach it only through a version, and versions keep their reference until they are
 * reclaimed. */
#include <stdlib.h>

#include "state/state_priv.h"

struct rstr rstr_empty = {1, 0, {0}};

/* 32, 64, 128, 256, 512 bytes; RSTR_CLASSES = beyond the pools. */
static ALWAYS_INLINE unsigned rstr_class(size_t len)
{
	size_t n = sizeof(struct rstr) + len;
	unsigned c = 0;

	while (c < RSTR_CLASSES && n >= (size_t)32 << c)
		c++;
	return c;
}

struct rstr *rstr_new(struct mutator *m, const void *p, size_t len)
{
	struct rstr *s;
	unsigned c;

	if (!len)
		return &rstr_empty;
	c = rstr_class(len);
	s = LIKELY(c < RSTR_CLASSES) ? pool_get(&m->pool[POOL_RSTR + c]) : malloc(sizeof(*s) + len + 1);
	if (UNLIKELY(!s)) {
		m->failed = true;
		return NULL;
	}
	atomic_init(&s->ref, 1);
	s->len = (uint32_t)len;
	memcpy(s->s, p, len);
	s->s[len] = 0;
	return s;
}

struct rstr *rstr_get(struct mutator *m, struct rstr *s)
{
	if (s != &rstr_empty)
		ref_up(m, &s->ref);
	return s;
}

static void rstr_free(struct mutator *m, struct rstr *s)
{
	unsigned c = rstr_class(s->len);

	if (LIKELY(c < RSTR_CLASSES))
		pool_put(&m->pool[POOL_RSTR + c], s);
	else
		free(s);
}

void rstr_put(struct mutator *m, struct rstr *s)
{
	if (s && s != &rstr_empty && ref_down(m, &s->ref))
		rstr_free(m, s);
}
