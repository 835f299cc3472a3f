/* Private to engine/filter: the tree that the passes work on, the program they make of it.
 *
 *   text --parse.c--> tree --check.c--> typed tree --fold.c--> smaller tree --emit.c--> program
 *                                                                       verify.c, vm.c, explain.c
 *
 * All memory of a filter but the compiled regular expressions and field references comes from the
 * tree's arena, which lives as long as the filter. A compiled filter is IMMUTABLE. */
#ifndef BURIN_FILTER_FILTER_INT_H
#define BURIN_FILTER_FILTER_INT_H

#include "base/arena.h"
#include "filter/filter.h"
#include "filter/program.h"

enum {
	FILTER_MAX_TEXT = 16 << 20, /* bytes of a filter text */
	FILTER_MAX_DEPTH = 100,	    /* parentheses and transformers inside one another */
	FILTER_MAX_TESTS = 32768,   /* checks; lists may be longer */
};

/* ---- operators and transformers of the language ------------------------------------------------ */

enum filter_op {
	FO_EQ, FO_NE, FO_LT, FO_LE, FO_GT, FO_GE, FO_CONTAINS, FO_ICONTAINS, FO_BCONTAINS, FO_STARTSWITH,
	FO_BSTARTSWITH, FO_ENDSWITH, FO_GLOB, FO_IGLOB, FO_REGEX, FO_PMATCH, FO_IN, FO_INTERSECTS, FO_EXISTS,
	FO_COUNT,
};
extern const char *const filter_op_name[FO_COUNT];

enum filter_mod { FM_NONE, FM_ONEOF, FM_ANYOF, FM_ALLOF };

enum filter_func {
#define FUNC(name, lo, hi, lit, doc) FF_##name,
#include "filter/filter_funcs.def"
#undef FUNC
	FF_FUNC_COUNT,
};
struct filter_func_info {
	const char *name;
	uint8_t min_args, max_args;
	bool literals; /* takes quoted texts, numbers and literal lists */
	const char *doc;
};
extern const struct filter_func_info filter_func_table[FF_FUNC_COUNT];

/* ---- syntax tree ---------------------------------------------------------------------------------- */

enum fexpr_kind { FX_FIELD, FX_TEXT, FX_LIST, FX_CALL };
struct fexpr {
	uint8_t kind; /* enum fexpr_kind */
	bool quoted;  /* FX_TEXT: was in quotes */
	bool is_list; /* check: value is a list (literal list, list field, getopt) */
	bool some;    /* check: several values of which some (or all, for !=) must satisfy a test */
	uint8_t type; /* check: enum param_type of the value */
	uint8_t func; /* FX_CALL: enum filter_func */
	struct span span;
	const char *s; /* FX_TEXT: unescaped, NUL-terminated, may hold NULs; FX_CALL: option letter of getopt()[x] or NULL */
	uint32_t len;
	struct fexpr **arg; /* FX_LIST items, FX_CALL arguments */
	uint32_t narg;
	struct field_ref *ref; /* check: FX_FIELD */
	const uint64_t *possible; /* check: FX_FIELD: event codes that can have a value; NULL = all */
};

enum fnode_kind { FN_AND, FN_OR, FN_NOT, FN_TEST, FN_TRUE, FN_FALSE };
struct fnode {
	uint8_t kind; /* enum fnode_kind */
	uint8_t fop;  /* FN_TEST: enum filter_op */
	uint8_t mod;  /* FN_TEST: enum filter_mod */
	uint32_t op_pos; /* FN_TEST: column of the operator */
	struct span span;
	struct fnode **kid; /* FN_AND, FN_OR: two or more; FN_NOT: one */
	uint32_t nkid;
	struct fexpr *lhs, *rhs; /* FN_TEST; rhs NULL for exists */
	struct insn in;		 /* check: the test as an instruction, slots and targets still open */
};

/* ---- a filter ----------------------------------------------------------------------------------- */

struct filter {
	struct arena arena;
	char *text; /* owned by the arena */
	uint32_t len;
	bool compat029;
	bool looks_back;
	struct fnode *root;
	uint32_t ntests; /* checks in the text */
	/* owned outside the arena */
	struct field_ref **refs;
	uint32_t nrefs, refs_cap;
	struct fregex *regexes;
	uint32_t places; /* places of fields that look back */

	struct fslot *slots;
	uint32_t nslots, slots_cap;
	struct fprog prog;   /* the whole filter */
	struct fprog header; /* over-approximation that needs the event alone; n 0 = none */
	uint64_t types[FILTER_CODE_WORDS]; /* codes that can match */
	bool header_decides;
	struct fshared by_thread, by_fd; /* by_fd: what tests of threads alone do not decide */
	uint32_t demand;
	struct filter_needles *needles; /* needle.c; NULL = none */
};

/* ---- passes: 0, or negative with *e ------------------------------------------------------------------ */

int filter_parse(struct filter *f, struct err *e);  /* text -> root */
int filter_check(struct filter *f, struct err *e);  /* fields, types, constants */
int filter_fold(struct filter *f, struct err *e);   /* merges and removes tests; not when looks_back */
int filter_emit(struct filter *f, struct err *e);   /* root -> slots, prog, header, types, demand */
int filter_verify(const struct filter *f, struct err *e);
int filter_find_needles(struct filter *f); /* needle.c: 0 or -ENOMEM */

/* explain.c: operation and source text of instruction i, appended. */
void explain_insn(const struct filter *f, const struct fprog *p, uint32_t i, struct buf *op, struct buf *src);
/* Another event begins: no slot is filled. */
static ALWAYS_INLINE void filter_run_next(struct filter_run *r)
{
	if (UNLIKELY(!++r->gen)) { /* after 2^32 events */
		for (uint32_t i = 0; i < r->f->nslots; i++)
			r->slots[i].gen = 0;
		r->gen = 1;
	}
}

/* What may be done with a value. */
enum filter_class {
	TC_NONE, TC_SIGNED, TC_UNSIGNED, TC_DOUBLE, TC_BOOL, TC_TEXT, TC_BYTES, TC_ADDR, TC_NET,
};
enum filter_class filter_class_of(uint8_t type);
uint8_t filter_scalar_op(enum filter_class tc, unsigned fop); /* enum filter_insn */
static inline bool filter_named(const struct fexpr *x, const char *name)
{
	return x->kind == FX_FIELD && !strcmp(x->ref->info->name, name);
}
/* Fields in seconds: evt.time.s, evt.reltime.s ... */
static inline bool filter_whole_seconds(const char *name)
{
	size_t n = strlen(name);

	return n > 2 && !strcmp(name + n - 2, ".s");
}
/* constant.c: instruction, constant and quantifier of a test against literals. Also after a change of n's
 * right side. */
int filter_check_constant(struct filter *f, struct fnode *n, struct err *e);
/* The tree with every test replaced by what test makes of it, so that it never rejects what n accepts; simplified.
 * test: c is a copy of the test n; it becomes one that accepts no less (upper) or no more. 0 or -ENOMEM. */
typedef int filter_bound_fn(struct filter *f, struct fnode *c, const struct fnode *n, bool upper);
int filter_upper_tree(struct filter *f, const struct fnode *n, filter_bound_fn *test, struct fnode **out,
		      struct err *e);
int filter_lower_tree(struct filter *f, const struct fnode *n, filter_bound_fn *test,
		      struct fnode **out,
		      struct err *e); /* the same, accepting nothing that n rejects */
filter_bound_fn filter_bound_header; /* what the digest can tell */
int filter_build(struct filter *f, const struct fnode *root,
		 struct fprog *p); /* emit.c: tree to program */
int filter_share(struct filter *f,
		 struct err *e); /* shared.c: by_thread and by_fd; after the types are known */
int filter_partner(struct filter *f, struct err *e); /* root of a checked filter -> that of its enter events */
/* Can the digest make the test (from the event alone)? */
bool filter_test_is_header(const struct fnode *n);
bool filter_expr_same(const struct fexpr *a, const struct fexpr *b);
enum fslot_hdr filter_hdr(const struct fexpr *x);
/* What is known of a test for one event code: FK_NO and FK_YES whatever the event holds. */
enum fknown { FK_NO, FK_YES, FK_HEADER, FK_OPEN };
enum fknown filter_known(const struct fnode *n, unsigned code);

/* ---- helpers ------------------------------------------------------------------------------------------ */

void *filter_alloc(struct filter *f, size_t n); /* zeroed; NULL when memory is out */
int filter_nomem(struct err *e);

/* Nearest name by edit distance, NULL when none is near. names: n of them. */
struct filter_nearest { const char *word; uint32_t len; const char *best; unsigned dist; };
void filter_nearest_init(struct filter_nearest *n, const char *word, uint32_t len);
void filter_nearest_try(struct filter_nearest *n, const char *name);

/* literal.c: one literal to a number, double, address ... of a type. Errors name the text. */
int filter_lit_number(const struct fexpr *x, uint8_t type, uint64_t *v, struct err *e);
int filter_lit_double(const struct fexpr *x, double *v, struct err *e);
int filter_lit_addr(struct filter *f, const struct fexpr *x, uint8_t type, struct ftext *v, struct err *e);
int filter_lit_net(const struct fexpr *x, struct fnet *v, struct err *e);
int filter_lit_hex(struct filter *f, const struct fexpr *x, struct ftext *v, struct err *e);
/* times.c. A date: local time unless it carries a zone. *ns since the epoch; false if s is no date. */
bool filter_date(const char *s, uint32_t len, uint64_t *ns);
bool filter_duration(const char *s, uint32_t len, uint64_t *ns); /* 10ms, 1.5s, 2m30s; a unit is required */

/* never.c: event types on which a field cannot have a value. */
int filter_set_possible(struct filter *f, struct fexpr *x);
/* Enter events have waited for nothing yet: for test n of a latency above a constant they are such types. */
int filter_set_waits(struct filter *f, struct fnode *n);
bool filter_expr_never(const struct fexpr *x, unsigned code);

/* types.c: sets of event types. A field that depends on the event's type (for generic events: and call)
 * alone is tested once per type when the filter is compiled. */
bool filter_type_field(const struct fexpr *x);
int filter_types_of(struct filter *f, const struct fnode *n, struct ftypes *out, struct err *e);
bool filter_type_name_known(const char *s, uint32_t len);
void filter_type_nearest(struct filter_nearest *n);
#endif
