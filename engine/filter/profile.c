/* What the instructions of a filter cost. The machine itself is not touched: each instruction runs
 * as a program of its own, with the time counter read before and after it, so it is the code of an
 * ordinary run that is timed. What the same takes for an empty program is taken off. An instruction
 * bears the extraction of its field when it is the first to need it, and the search for the thread
 * or descriptor behind it. */
#include "filter/filter_int.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { PROG_HEADER, PROG_MAIN, PROG_COUNT, CALIBRATE = 2000 };

/* Instruction, ACCEPT and REJECT: a program that ends after one test. */
struct single {
	struct insn code[3];
	struct fprog prog;
	struct filter_insn_cost cost;
};

struct filter_profile {
	struct filter_run *run;
	const struct filter *f;
	const struct fprog *prog[PROG_COUNT];
	struct single *one[PROG_COUNT]; /* owned */
	uint64_t overhead[PROG_COUNT];	/* of timing nothing; ticks */
	uint32_t entry[EV_CODE_COUNT];	/* all 0: the one program of all types */
};

uint64_t filter_ticks(void)
{
#ifdef __x86_64__
	/* Waits for what comes before: else a test would be timed while it still runs. */
	__builtin_ia32_lfence();
	uint64_t t = __builtin_ia32_rdtsc();
	__builtin_ia32_lfence();
	return t;
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

static bool run_one(struct filter_profile *p, unsigned which, const struct fprog *prog,
		    struct field_env *env, const struct event *ev)
{
	return which == PROG_MAIN ? fprog_run(prog, p->run, env) : fprog_run_header(p->f, prog, ev);
}

/* The least of many: what else the machine does only adds. */
static uint64_t overhead(struct filter_profile *p, unsigned which)
{
	struct insn code[2] = {{.op = FI_ACCEPT, .run = FI_ACCEPT},
			       {.op = FI_REJECT, .run = FI_REJECT}};
	struct fprog none = {.code = code, .n = 2, .entry = p->entry};
	struct evctx c = {0};
	struct field_env env = {.c = &c};
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < CALIBRATE; i++) {
		uint64_t t = filter_ticks();

		run_one(p, which, &none, &env, &c.ev);
		t = filter_ticks() - t;
		best = MIN(best, t);
	}
	return best;
}

static int singles_new(struct filter_profile *p, unsigned which)
{
	const struct fprog *prog = p->prog[which];

	if (!prog->n)
		return 0;
	p->one[which] = calloc(prog->n, sizeof(*p->one[which]));
	if (!p->one[which])
		return -ENOMEM;
	for (uint32_t i = 0; i < prog->n; i++) {
		struct single *s = &p->one[which][i];

		s->code[0] = prog->code[i];
		s->code[0].t = 1;
		s->code[0].f = 2;
		s->code[1] = prog->code[prog->n - 2];
		s->code[2] = prog->code[prog->n - 1];
		s->prog = (struct fprog){.code = s->code, .n = 3, .entry = p->entry};
		s->cost = (struct filter_insn_cost){.digest = which == PROG_HEADER, .pc = i};
	}
	p->overhead[which] = overhead(p, which);
	return 0;
}

int filter_profile_new(struct filter_profile **out, const struct filter *f)
{
	struct filter_profile *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	p->f = f;
	p->prog[PROG_HEADER] = &f->header;
	p->prog[PROG_MAIN] = &f->prog;
	rc = filter_run_new(&p->run, f);
	for (unsigned i = 0; i < PROG_COUNT && !rc; i++)
		rc = singles_new(p, i);
	if (rc)
		filter_profile_free(p);
	else
		*out = p;
	return rc;
}

void filter_profile_free(struct filter_profile *p)
{
	if (!p)
		return;
	filter_run_free(p->run);
	for (unsigned i = 0; i < PROG_COUNT; i++)
		free(p->one[i]);
	free(p);
}

static bool profile_run(struct filter_profile *p, unsigned which, struct field_env *env,
			const struct event *ev)
{
	const struct fprog *prog = p->prog[which];
	uint32_t pc = prog->entry[ev->type];

	while (pc < prog->n - 2) {
		struct single *s = &p->one[which][pc];
		uint64_t t = filter_ticks();
		bool yes = run_one(p, which, &s->prog, env, ev);

		t = filter_ticks() - t;
		s->cost.runs++;
		s->cost.yes += yes;
		s->cost.ticks += t > p->overhead[which] ? t - p->overhead[which] : 0;
		pc = yes ? prog->code[pc].t : prog->code[pc].f;
	}
	return pc == prog->n - 2;
}

static bool profile_header(void *ctx, const struct event *ev)
{
	return profile_run(ctx, PROG_HEADER, NULL, ev);
}

struct digest_pred filter_profile_header_pred(struct filter_profile *p)
{
	return (struct digest_pred){.fn = p->f->header.n ? profile_header : NULL, .ctx = p};
}

bool filter_profile_match(struct filter_profile *p, struct field_env *env)
{
	uint64_t *outer = env->lookback;
	bool yes;

	filter_run_next(p->run);
	env->lookback = p->run->lookback;
	yes = profile_run(p, PROG_MAIN, env, &env->c->ev);
	env->lookback = outer;
	return yes;
}

bool filter_profile_at(const struct filter_profile *p, unsigned n, struct filter_insn_cost *c,
		       struct buf *op, struct buf *src)
{
	for (unsigned i = 0; i < PROG_COUNT; i++) {
		uint32_t rows = p->prog[i]->n ? p->prog[i]->n - 2 : 0;

		if (n < rows) {
			*c = p->one[i][n].cost;
			explain_insn(p->f, p->prog[i], n, op, src);
			return true;
		}
		n -= rows;
	}
	return false;
}
