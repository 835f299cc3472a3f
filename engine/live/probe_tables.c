#include "live/probe_int.h"

#include <string.h>

#include "event/event.h"
#include "live/cgroup.h"

extern const struct cap_call cap_calls[CAP_MAX_CALLS];
extern const uint16_t cap_calls_32[CAP_MAX_NR], cap_socketcalls[CAP_MAX_SOCKETCALL];
extern const uint32_t cap_nr_socketcall;
extern const uint32_t cap_bit_maps[CAP_BIT_MAPS][1024];
extern const struct cap_choice_map cap_choice_maps[CAP_CHOICE_MAPS];

static bool bit(const uint64_t *set, unsigned i)
{
	return set[i / 64] >> i % 64 & 1;
}

static void make_generic(struct cap_event *ev, bool leave, bool all_params)
{
	ev->type = (uint16_t)(EV_GENERIC_E + leave);
	ev->filler = CAP_FILL_GENERIC;
	ev->n = leave && !all_params ? 1 : 2;
}

static bool is_plain(const struct cap_op *d)
{
	return d->op <= CAP_OP_SARG && !d->map;
}

/* See struct cap_event: the short way through its table. */
static void find_short_way(struct cap_event *ev)
{
	unsigned i = 0;

	while (i < ev->n && i < CAP_MAX_PLAIN && is_plain(&ev->op[i])) {
		ev->lens[i] = ev->op[i].size;
		i++;
	}
	ev->nplain = (uint8_t)i;
	ev->then = i == ev->n ? CAP_THEN_END : CAP_THEN_MORE;
	if (i == ev->n || ev->n > CAP_MAX_PLAIN ||
	    (ev->op[i].op != CAP_OP_IN && ev->op[i].op != CAP_OP_OUT))
		return;
	for (unsigned k = i + 1; k < ev->n; k++) {
		if (!is_plain(&ev->op[k]))
			return;
		ev->lens[k] = ev->op[k].size;
	}
	ev->then = ev->op[i].op == CAP_OP_IN ? CAP_THEN_IN : CAP_THEN_OUT;
}

static void prepare_event(struct cap_event *ev, bool leave, const struct probe_opts *o)
{
	if (ev->filler == CAP_FILL_GENERIC) {
		make_generic(ev, leave, o->all_params);
	} else if (!ev->filler) {
		if (ev->type < EV_CODE_COUNT && !o->all_params &&
		    !(o->select && bit(o->select->alone, ev->type)))
			ev->n = ev->n029;
		find_short_way(ev);
	}
}

/* What of the tables follows from the options is worked out here and not once per event. */
static void prepare_call(struct cap_call *c, const struct probe_opts *o)
{
	bool generic = !c->named || (o->compat_029 && c->generic_029);

	if (!c->named)
		c->sc = SC_UNKNOWN;
	if (generic) {
		make_generic(&c->enter, false, o->all_params);
		make_generic(&c->exit, true, o->all_params);
	}
	if (o->compat_029 && !c->known_029)
		c->sc = SC_UNKNOWN;
	prepare_event(&c->enter, false, o);
	prepare_event(&c->exit, true, o);
}

/* 1 sent, 5 sent of every process. */
static uint8_t call_bits(const struct probe_select *s, const struct cap_call *c, bool leave)
{
	const struct cap_event *ev = leave ? &c->exit : &c->enter;

	if (ev->type == CAP_NO_EVENT)
		return 0;
	if (!s)
		return 1;
	if (ev->type > EV_GENERIC_X)
		return (uint8_t)(bit(s->types, ev->type) | bit(s->tables, ev->type) << 2);
	return bit(s->types, EV_GENERIC_E + leave) && bit(s->generic[leave], c->sc);
}

/* What is sent of a number of 32-bit programs. */
static uint8_t on_of_32(const struct probe_vars *v, unsigned nr)
{
	uint8_t on = v->call_on[cap_calls_32[nr]];

	for (unsigned i = 0; cap_calls_32[nr] == cap_nr_socketcall && i < CAP_MAX_SOCKETCALL; i++)
		on |= v->call_on[cap_socketcalls[i]];
	return on;
}

void probe_fill_tables(struct probe_vars *v, const struct probe_opts *o)
{
	memcpy(v->calls, cap_calls, sizeof(cap_calls));
	memcpy(v->calls_32, cap_calls_32, sizeof(cap_calls_32));
	memcpy(v->socketcalls, cap_socketcalls, sizeof(cap_socketcalls));
	*v->nr_socketcall = cap_nr_socketcall;
	memcpy(v->bit_maps, cap_bit_maps, sizeof(cap_bit_maps));
	memcpy(v->choice_maps, cap_choice_maps, sizeof(cap_choice_maps));
	for (unsigned i = 0; i < CAP_MAX_CALLS; i++) {
		prepare_call(&v->calls[i], o);
		v->call_on[i] = (uint8_t)(call_bits(o->select, &v->calls[i], false) |
					  call_bits(o->select, &v->calls[i], true) << 1);
	}
	for (unsigned nr = 0; nr < CAP_MAX_NR; nr++)
		v->nr_on[nr] = v->call_on[nr] | on_of_32(v, nr);
	/* numbers that are out of range; -1 is sigreturn */
	v->nr_on[CAP_MAX_NR - 1] |= v->call_on[CAP_NR_SIGRETURN];
	for (unsigned t = 0; t < EV_CODE_COUNT; t++)
		v->type_on[t] = !o->select || bit(o->select->types, t);
}

bool probe_any_enter(const struct probe_select *s)
{
	uint64_t any = 0;

	for (size_t i = 0; i < ARRAY_SIZE(s->types); i++)
		any |= s->types[i] & 0x5555555555555555;
	return any;
}

static void push_down(struct cap_config *c, const struct probe_select *s)
{
	char mask[16] = {0};
	uint64_t cgroup;
	uint32_t level;

	memcpy(c->pids, s->pids, sizeof(c->pids));
	memcpy(c->uids, s->uids, sizeof(c->uids));
	c->npids = s->npids;
	c->nuids = s->nuids;
	memcpy(c->comm, s->comm, sizeof(c->comm));
	memset(mask, 0xff, strnlen(s->comm, 15) + 1);
	memcpy(c->comm_mask, mask, sizeof(c->comm_mask));
	c->push = (s->npids ? CAP_BY_PID : 0) | (s->nuids ? CAP_BY_UID : 0) |
		  (s->comm[0] ? CAP_BY_COMM : 0) | (s->sample > 1 ? CAP_BY_TIME : 0);
	if (s->sample > 1)
		c->slice_ns = 1000000000 / s->sample;
	if (s->container[0] && cgroup_of_container(NULL, s->container, &cgroup, &level)) {
		c->push |= CAP_BY_CGROUP;
		c->cgroup = cgroup;
		c->cgroup_level = level;
	}
}

void probe_fill_config(struct cap_config *c, const struct probe_opts *o)
{
	c->epoch_offset = o->epoch_offset;
	c->snaplen = o->select && o->select->no_payload ? 0 : o->snaplen;
	c->all_params = o->all_params;
	c->follow = o->follow;
	c->by_tree = o->by_tree;
	if (o->select)
		push_down(c, o->select);
}
