/* Filters: text -> syntax tree -> typed tree -> bytecode. A compiled filter is IMMUTABLE and shared by
 * all workers; running it needs a worker's own filter_run state (registers, extracted field cache).
 * Grammar and operators: facts operators.md, decisions 5-6. */
#ifndef BURIN_FILTER_FILTER_H
#define BURIN_FILTER_FILTER_H

#include "base/buf.h"
#include "field/field.h"
#include "state/digest.h"

struct filter;
struct filter_run;

/* e->pos = 0-based column of the fault in text; message says what was found and expected. */
int filter_compile(struct filter **out, const char *text, bool compat029, struct err *e);
/* For the enter event of a call whose exit event the filter of that text may accept: accepts at least those. Tests of
 * what may differ between the two events (most of evt.*) are left open; it never looks back. */
int filter_compile_partner(struct filter **out, const char *text, bool compat029, struct err *e);
void filter_free(struct filter *f);

uint32_t filter_demand(const struct filter *f);		       /* enum demand_bits */
void filter_types(const struct filter *f, struct demand *d); /* narrows d->types to those that can match */
bool filter_looks_back(const struct filter *f);	       /* must run in order, behind release */
/* Part of the filter that needs the header only, for the digest; fn NULL when there is none. Never
 * rejects an event that the whole filter accepts. */
struct digest_pred filter_header_pred(const struct filter *f);
/* Texts of which one must stand in a section before any of its events can pass the filter; in NULL when nothing is
 * known of them. Good for values as they are in the trace: not when ports are shown by name. */
struct digest_texts filter_texts(const struct filter *f);
/* True when the header predicate and the type bitmap decide the whole filter. */
bool filter_header_decides(const struct filter *f);

/* True when, of the events of the types that can match, what the bits FF_BY of *by stand for tells alone whether they
 * pass. */
bool filter_decided_by(const struct filter *f, unsigned *by);

/* Calls fn for each field the filter names until it returns non-zero, which is the result. */
int filter_each_field(const struct filter *f, int (*fn)(void *ctx, const struct field_ref *r), void *ctx);

/* Whether the field can have a value on events of this code; true when it is not known. */
bool filter_field_possible(const struct field_ref *r, unsigned code, bool compat029);

/* ---- what a live capture can decide in the kernel ---- */

/* False when the filter matches no event of this code (generic codes: of system call code sc), whatever
 * else the event is. */
bool filter_may_select(const struct filter *f, unsigned code, unsigned sc);
/* What the filter's events must all be of, where tests among those that must all hold say so: "proc.pid=N", "user.uid in
 * (N, M)", "proc.name=NAME", "container.id=ID". */
enum { FILTER_PUSH_MAX = 16 };
struct filter_push {
	uint32_t pids[FILTER_PUSH_MAX], uids[FILTER_PUSH_MAX];
	uint32_t npids, nuids; /* 0 = any */
	char comm[16];	       /* "" = any; a longer name is no limit */
	char container[128];
};
void filter_push(const struct filter *f, struct filter_push *p);

int filter_run_new(struct filter_run **out, const struct filter *f);
void filter_run_free(struct filter_run *r);
bool filter_match(struct filter_run *r, struct field_env *env);
/* The same for event idx of the batch that env->c has begun. What many events share is found out
 * once: env moves to the event only if it has to (and resets its scratch then); use field_env_move
 * before anything else. */
bool filter_match_at(struct filter_run *r, struct field_env *env, uint32_t idx);
/* The first k >= from such that event idx[k] passes; n: none. What it costs to look at an event that does not is little
 * more than that of finding it in memory. */
uint32_t filter_match_next(struct filter_run *r, struct field_env *env, const uint32_t *idx, uint32_t from, uint32_t n);

void filter_explain(const struct filter *f, struct buf *out); /* program, bitmap, demand as text */
void filter_put_demand(struct buf *out, uint32_t bits); /* "threads pairs"; nothing for 0 */
unsigned filter_type_count(const struct filter *f); /* event types that can match, of EV_CODE_COUNT */

/* ---- what each instruction costs (profile.c) ---- */

/* Counts and times the instructions of a filter while it runs. One thread; borrows the filter. */
struct filter_profile;
struct filter_insn_cost {
	bool digest; /* of the program that the digest runs */
	uint32_t pc;
	uint64_t runs, yes;
	uint64_t ticks; /* in all; see filter_ticks */
};
int filter_profile_new(struct filter_profile **out, const struct filter *f);
void filter_profile_free(struct filter_profile *p);
struct digest_pred filter_profile_header_pred(struct filter_profile *p); /* as filter_header_pred */
bool filter_profile_match(struct filter_profile *p, struct field_env *env); /* as filter_match */
/* The n-th instruction; op and src: its operation and source text, appended. False past the end. */
bool filter_profile_at(const struct filter_profile *p, unsigned n, struct filter_insn_cost *c, struct buf *op,
		       struct buf *src);
uint64_t filter_ticks(void); /* a clock of unknown, steady rate */

#endif
