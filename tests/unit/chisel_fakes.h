/* Fakes of the stages below engine/chisel, so that chisels run on made-up events without a trace: the event number decides
 * every field. Included once by a test that links the chisel and merge libraries alone. */
#ifndef BURIN_TESTS_CHISEL_FAKES_H
#define BURIN_TESTS_CHISEL_FAKES_H

#include <stdio.h>
#include <stdlib.h>

#include "chisel/chisel.h"
#include "field/render.h"
#include "output/format.h"
#include "state/container.h"

/* ---- fields: evt.num, t.key (text), t.val (signed), t.big (> 2^53), t.half (fraction), t.nil, t.prev (looks back) ---- */

enum { F_NUM, F_KEY, F_VAL, F_BIG, F_HALF, F_NIL, F_PREV, F_TID, F_COUNT };
static const struct field_info fake_fields[F_COUNT] = {
	[F_NUM] = { .name = "evt.num", .type = PT_UINT64, .id = F_NUM },
	[F_KEY] = { .name = "t.key", .type = PT_CHARBUF, .id = F_KEY },
	[F_VAL] = { .name = "t.val", .type = PT_INT64, .id = F_VAL },
	[F_BIG] = { .name = "t.big", .type = PT_UINT64, .id = F_BIG },
	[F_HALF] = { .name = "t.half", .type = PT_DOUBLE, .id = F_HALF },
	[F_NIL] = { .name = "t.nil", .type = PT_UINT64, .id = F_NIL },
	[F_PREV] = { .name = "t.prev", .type = PT_UINT64, .id = F_PREV, .flags = FF_LOOKS_BACK },
	[F_TID] = { .name = "t.tid", .type = PT_INT64, .id = F_TID },
};

int field_parse(struct field_ref *out, const char *text, size_t len, size_t *used, struct err *e)
{
	for (unsigned i = 0; i < F_COUNT; i++) {
		size_t n = strlen(fake_fields[i].name);
		if (len >= n && !memcmp(text, fake_fields[i].name, n)) {
			*out = (struct field_ref){ .info = &fake_fields[i], .type = fake_fields[i].type };
			*used = n;
			return 0;
		}
	}
	return err_set(e, ERR_SYNTAX, 0, "no field %s", text);
}

void field_ref_fini(struct field_ref *r)
{
}

void field_get(const struct field_ref *r, struct field_env *env, struct value *v)
{
	uint64_t n = env->c->num;
	static _Thread_local uint64_t prev;
	char *p;

	*v = (struct value){ .type = r->type, .has = true };
	switch (r->info->id) {
	case F_NUM:
		v->u = n;
		break;
	case F_KEY:
		p = arena_alloc(env->scratch, 32);
		v->len = (uint32_t)snprintf(p, 32, "k%llu", (unsigned long long)(n * n % 7));
		v->s = p;
		break;
	case F_VAL:
		v->i = (int64_t)(n * 31 % 1000) - 100;
		break;
	case F_BIG:
		v->u = 1000000000000000000u + n;
		break;
	case F_HALF:
		v->d = (double)n / 2;
		break;
	case F_TID:
		v->i = (int64_t)(n % 3);
		break;
	case F_PREV:
		v->u = prev;
		prev = n;
		break;
	default:
		v->has = false;
	}
}

/* ---- filters: "mod N R": evt.num % N == R --------------------------------------------------------------------------- */

struct filter {
	unsigned n, r;
};
struct filter_run {
	const struct filter *f;
};

int filter_compile(struct filter **out, const char *text, bool compat029, struct err *e)
{
	struct filter f;

	if (sscanf(text, "mod %u %u", &f.n, &f.r) != 2 || !f.n)
		return err_set(e, ERR_SYNTAX, 0, "syntax");
	*out = malloc(sizeof(f));
	**out = f;
	return 0;
}
void filter_free(struct filter *f) { free(f); }
uint32_t filter_demand(const struct filter *f) { return 0; }
void filter_types(const struct filter *f, struct demand *d) {}
bool filter_decided_by(const struct filter *f, unsigned *by) { return false; }
bool filter_looks_back(const struct filter *f) { return false; }
int filter_run_new(struct filter_run **out, const struct filter *f)
{
	*out = malloc(sizeof(**out));
	(*out)->f = f;
	return 0;
}
void filter_run_free(struct filter_run *r) { free(r); }
bool filter_match(struct filter_run *r, struct field_env *env) { return env->c->num % r->f->n == r->f->r; }
bool filter_match_at(struct filter_run *r, struct field_env *env, uint32_t idx)
{
	return (env->c->b->num_base + idx) % r->f->n == r->f->r;
}
uint32_t filter_match_next(struct filter_run *r, struct field_env *env, const uint32_t *idx, uint32_t from, uint32_t n)
{
	while (from < n && !filter_match_at(r, env, idx[from]))
		from++;
	return from;
}

/* ---- formats: "num" prints the number; "need" only for even ones ---------------------------------------------------- */

struct format {
	bool even;
};
int format_parse(struct format **out, const char *text, struct err *e)
{
	*out = malloc(sizeof(**out));
	(*out)->even = !strcmp(text, "even");
	return 0;
}
void format_free(struct format *f) { free(f); }
uint32_t format_demand(const struct format *f) { return 0; }
bool format_looks_back(const struct format *f, const struct render_opts *ro) { return false; }
bool format_event(const struct format *f, struct field_env *env, struct buf *out)
{
	if (f->even && env->c->num % 2)
		return false;
	buf_printf(out, "line %llu\n", (unsigned long long)env->c->num);
	return true;
}

/* ---- state and events --------------------------------------------------------------------------------------------------- */

void render_buffer(struct buf *out, const uint8_t *p, uint32_t len, const struct render_opts *ro) { buf_put(out, p, len); }
void demand_init(struct demand *d, bool compat029) {}
void demand_add(struct demand *d, uint32_t bits) { d->bits |= bits; }
const struct machine_info *state_machine(const struct state_root *r) { return NULL; }
/* No tables: the input has no root, so that none of these is reached. */
int filter_each_field(const struct filter *f, int (*fn)(void *ctx, const struct field_ref *r), void *ctx) { return 0; }
void field_env_fini(struct field_env *env) {}
int evctx_init(struct evctx *c, const struct demand *d) { return 0; }
void evctx_fini(struct evctx *c) {}
const struct thread_ver *thread_ver_at(const struct thread *t, uint64_t ord) { return NULL; }
const struct thread_vol *thread_vol_at(const struct thread *t, uint64_t ord) { return NULL; }
struct thread *state_thread_at(const struct state_root *r, int64_t tid, uint64_t ord) { return NULL; }
int state_threads_each(const struct state_root *r, uint64_t ord, int (*fn)(void *ctx, struct thread *t), void *ctx)
{
	return 0;
}
uint32_t state_nthreads_at(const struct thread *main, uint64_t ord) { return 0; }
int state_fds_each(const struct state_root *r, struct thread *t, const struct thread_ver *v, uint64_t ord,
		   int (*fn)(void *ctx, int fd, const struct fd_ver *f), void *ctx)
{
	return 0;
}
const struct user *state_user_at(const struct state_root *r, uint32_t uid, uint64_t ord) { return NULL; }
const char *fd_ver_name(const struct fd_ver *f, bool compat029, uint32_t *len) { return ""; }
const char *fd_kind_name(unsigned kind) { return ""; }
const char *container_type_name(unsigned type, bool compat029) { return ""; }
int state_containers_each(const struct state_root *r, uint64_t ord, bool compat029,
			  int (*fn)(void *ctx, const struct container *c), void *ctx)
{
	return 0;
}

int evctx_begin(struct evctx *c, const struct batch *b)
{
	c->b = b;
	c->idx = UINT32_MAX;
	c->epoch++;
	return 0;
}

bool filter_field_possible(const struct field_ref *r, unsigned code, bool compat029) { return true; }
bool evctx_rec_latency(const struct evctx *c, const struct ev_rec *r, uint64_t *ns) { return false; }
bool evctx_type_latency(const struct demand *d, unsigned type) { return true; }
unsigned evctx_slot_stable(struct evctx *c, uint32_t slot) { return 0; }
bool evctx_fd_plain(struct evctx *c, const struct fd_ver **f, uint64_t *until) { return false; }

void evctx_move(struct evctx *c, uint32_t idx)
{
	const uint8_t *blk = c->b->data + c->b->ev[idx].off;

	c->idx = idx;
	c->rec = &c->b->ev[idx];
	c->num = c->b->num_base + idx;
	c->ord = c->b->first_ord + idx;
	c->ev = (struct event){ .ts = load_u64(blk + event_block_hdr_off(load_u32(blk))), .type = c->b->ev[idx].type, .cpu = 3 };
}

/* A batch of n events from number `first`; time stamps by ts(). */
static void fake_batch(struct batch *b, uint64_t first, uint32_t n, uint64_t (*ts)(uint64_t num))
{
	enum { BLOCK = 48 };
	uint8_t *data = calloc(n, BLOCK);

	memset(b, 0, sizeof(*b));
	b->data = b->mem = data;
	b->len = (size_t)n * BLOCK;
	b->ev = calloc(n, sizeof(*b->ev));
	b->nev = n;
	b->num_base = first;
	b->first_ord = 1000 + first;
	b->origin_ts = ts(1);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t type = BLK_EV_V2, len = BLOCK;
		uint64_t t = ts(first + i);

		memcpy(data + i * BLOCK, &type, 4);
		memcpy(data + i * BLOCK + 4, &len, 4);
		memcpy(data + i * BLOCK + event_block_hdr_off(type), &t, 8);
		b->ev[i] = (struct ev_rec){ .off = i * BLOCK, .type = EV_GENERIC_X };
	}
}

static void fake_batch_free(struct batch *b)
{
	free(b->mem);
	free(b->ev);
}

#endif
