#include "worker/window.h"

#include <stdlib.h>

#include "base/apart.h"

enum {
	SLOTS_PER_WORKER = 2, /* one in work, one on its way */
	SLOTS_EXTRA = 2,      /* one being read, one being released */
	SLOTS_LOOKED_AT = 4,
};

int slots_new(struct pipeline *p)
{
	unsigned n = p->o->workers;

	p->nslots = n == 1 ? 1 : n * SLOTS_PER_WORKER + SLOTS_EXTRA;
	p->slots = apart_calloc(p->nslots, sizeof(*p->slots));
	p->tags = calloc(p->nslots, sizeof(*p->tags));
	p->window = calloc(p->nslots, sizeof(*p->window));
	p->free_slots = calloc(p->nslots, sizeof(*p->free_slots));
	if (!p->slots || !p->tags || !p->window || !p->free_slots)
		return -12;
	for (p->nfree = 0; p->nfree < p->nslots; p->nfree++)
		p->free_slots[p->nfree] = (uint16_t)(p->nslots - 1 - p->nfree);
	memset(p->in_state, 0, sizeof(p->in_state));
	p->in_state[SLOT_FREE] = p->nslots;
	for (unsigned i = 0; i < p->nslots; i++) {
		int rc = batch_init(&p->slots[i].b);
		if (rc < 0)
			return rc;
		buf_init(&p->slots[i].out);
		buf_init(&p->slots[i].file);
	}
	return 0;
}

void slots_free(struct pipeline *p)
{
	for (unsigned i = 0; p->slots && i < p->nslots; i++) {
		struct slot *s = &p->slots[i];

		slot_recycle(p, s);
		batch_fini(&s->b);
		buf_fini(&s->out);
		buf_fini(&s->file);
		free(s->sel);
		free(s->gone.before);
		free(s->out_end);
	}
	free(p->slots);
	free(p->tags);
	free(p->window);
	free(p->free_slots);
}

struct slot *oldest_in(struct pipeline *p, enum slot_state state, unsigned id, bool own, uint64_t *seq)
{
	struct slot *found = NULL;

	for (uint64_t q = p->release_seq; p->in_state[state] && q < p->read_seq; q++) {
		struct slot *s = slot_of(p, q);
		const struct slot_tag *t = tag_of(p, s);

		if (t->state != state || ((found || own) && t->owner != id))
			continue;
		*seq = q;
		found = s;
		if (t->owner == id)
			break;
	}
	return found;
}

struct slot *slot_take(struct pipeline *p, unsigned id)
{
	unsigned top = p->nfree - 1, looked = MIN(p->nfree, (unsigned)SLOTS_LOOKED_AT), i = top;
	uint16_t got;

	for (unsigned k = 0; k < looked && p->tags[p->free_slots[i]].owner != id; k++)
		i = p->tags[p->free_slots[top - k]].owner == id ? top - k : i;
	got = p->free_slots[i];
	p->free_slots[i] = p->free_slots[top];
	p->nfree--;
	p->window[p->read_seq % p->nslots] = got;
	return &p->slots[got];
}

void slot_give(struct pipeline *p, const struct slot *s)
{
	slot_set(p, s, SLOT_FREE);
	p->free_slots[p->nfree++] = (uint16_t)(s - p->slots);
}
