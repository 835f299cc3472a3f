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

enum {
	FILTER_MAX_TEXT = 16 << 20, /* bytes of a filter text */
	FILTER_MAX_DEPTH = 100,	    /* parentheses and transformers inside one another */
	FILTER_MAX_TESTS = 32768,   /* checks; lists may be longer */
	FILTER_CODE_WORDS = (EV_CODE_COUNT + 63) / 64, /* of a bit set over event codes */
	FILTER_SC_MAX = 1024,	    /* ids of generic calls a type set tells apart */
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

struct span { uint32_t pos, len; }; /* bytes of the filter text */

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

/* One instruction; see filter_ops.def. t and f are later instructions of the same program. */
struct insn {
	uint8_t op;    /* enum filter_insn */
	uint8_t quant; /* enum filter_quant */
	uint8_t sub;   /* COUNT_OF, CMP_SLOT: the test made (enum filter_insn) */
	uint8_t mode;  /* COUNT_OF: enum filter_mod */
	uint32_t slot; /* left operand */
	uint32_t rhs;  /* right operand if a slot */
	uint32_t t, f;
	uint8_t run; /* what the loop dispatches on: op, or FI_COUNT for tests of lists */
	const struct fconst *c;
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

/* ---- constants ---------------------------------------------------------------------------------------- */

struct fset;	/* set.c: open-addressed set of numbers or byte strings */
struct fsubstr; /* text.c: several substrings in one pass */
struct fglob;	/* glob.c */
struct fregex;	/* regex.c */

struct ftext { const char *s; uint32_t len; };
/* pmatch: cleaned paths (text_path_clean), as a set and as a list; all: the root is one of them. */
struct fpaths { const struct fset *set; const struct ftext *v; uint32_t n; bool all; };
struct fnet { uint8_t len, bits; uint8_t addr[16]; }; /* len: 4 or 16 bytes; bits: prefix */

/* What evt.type and evt.dir can be tested for, all in one: bit sets over event codes, and for the two
 * generic codes over call ids (bit FILTER_SC_MAX: ids beyond). */
struct ftypes {
	uint64_t code[FILTER_CODE_WORDS];
	uint64_t sc[2][FILTER_SC_MAX / 64 + 1]; /* [0] enter, [1] exit */
};

struct fconst {
	union {
		uint64_t u;
		int64_t i;
		double d;
		struct ftext text;
		const struct fset *set;
		const struct fsubstr *substr;
		const struct fglob *glob;
		const struct fregex *regex;
		struct ftypes *types;
		struct { const double *v; uint32_t n; } dbls;
		struct { const struct fnet *v; uint32_t n; } nets;
		const struct fpaths *paths;
		struct { const struct fconst *v; uint32_t n; } many;   /* COUNT_OF: constants of sub */
		struct { uint64_t ts, dist_ns; } around;
	};
};

/* ---- tree and program --------------------------------------------------------------------------------- */

enum filter_insn {
#define OP(name, mnemonic, left, right, doc) FI_##name,
#include "filter/filter_ops.def"
#undef OP
	FI_COUNT,
};
enum filter_left { FL_NONE, FL_ANY, FL_N, FL_D, FL_T, FL_A };
enum filter_right {
	FR_NONE, FR_NUM, FR_DBL, FR_TEXT, FR_NUMSET, FR_DBLSET, FR_TEXTSET, FR_NETS, FR_GLOB, FR_REGEX, FR_PATHS,
	FR_SUBSTR, FR_TEXTS, FR_TYPES, FR_AROUND, FR_SLOT,
};
struct filter_insn_info { const char *mnemonic; uint8_t left, right; const char *doc; };
extern const struct filter_insn_info filter_insn_table[FI_COUNT];

enum filter_quant { FQ_ONE, FQ_ANY, FQ_ALL }; /* scalar; some value of a list; every one (and at least one) */

/* Header values that the digest can test without a bound event. */
enum fslot_hdr { FH_NO, FH_CPU, FH_RAWTIME, FH_TID };

enum fslot_kind { FS_FIELD, FS_CALL, FS_CONST };
struct fslot {
	uint8_t kind; /* enum fslot_kind */
	uint8_t type; /* enum param_type */
	uint8_t func; /* FS_CALL */
	uint8_t hdr;  /* FS_FIELD: enum fslot_hdr */
	bool is_list;
	char opt;     /* FS_CALL getopt()[x] */
	uint32_t narg;
	const uint32_t *arg; /* FS_CALL: earlier slots */
	const struct field_ref *ref;
	struct value_list lit; /* FS_CONST: one value, or a list */
	const struct fexpr *expr; /* what it stands for */
	struct span span;
};

struct fprog {
	struct insn *code; /* in the order of evaluation; ACCEPT and REJECT are the last two */
	struct span *src;  /* text of each instruction */
	uint32_t n;	   /* 0 = no program */
	uint32_t *entry; /* per event code: first instruction that is not decided by the code alone */
};

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
	uint32_t demand;
};

/* ---- passes: 0, or negative with *e ------------------------------------------------------------------ */

int filter_parse(struct filter *f, struct err *e);  /* text -> root */
int filter_check(struct filter *f, struct err *e);  /* fields, types, constants */
int filter_fold(struct filter *f, struct err *e);   /* merges and removes tests; not when looks_back */
int filter_emit(struct filter *f, struct err *e);   /* root -> slots, prog, header, types, demand */
int filter_verify(const struct filter *f, struct err *e);

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
filter_bound_fn filter_bound_header; /* what the digest can tell */
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
bool filter_field_possible(const struct field_ref *r, unsigned code, bool compat029);
int filter_set_possible(struct filter *f, struct fexpr *x);
bool filter_expr_never(const struct fexpr *x, unsigned code);

/* types.c: sets of event types. A field that depends on the event's type (for generic events: and call)
 * alone is tested once per type when the filter is compiled. */
bool filter_type_field(const struct fexpr *x);
int filter_types_of(struct filter *f, const struct fnode *n, struct ftypes *out, struct err *e);
bool filter_type_name_known(const char *s, uint32_t len);
void filter_type_nearest(struct filter_nearest *n);
static inline bool ftypes_code(const struct ftypes *t, unsigned code) { return t->code[code / 64] >> (code % 64) & 1; }
bool ftypes_match(const struct ftypes *t, const struct event *e);
/* -1 some generic calls only, 0 no event of the code, 1 all */
int ftypes_whole(const struct ftypes *t, unsigned code);

/* set.c */
int fset_new_num(struct filter *f, struct fset **out, const uint64_t *v, uint32_t n);
int fset_new_text(struct filter *f, struct fset **out, const struct ftext *v, uint32_t n);
bool fset_has_num(const struct fset *s, uint64_t v);
bool fset_has_text(const struct fset *s, const char *p, uint32_t len);
uint32_t fset_count(const struct fset *s);
/* Up to max members of a set of numbers, in no order; returns how many there are. */
uint32_t fset_nums(const struct fset *s, uint64_t *out, uint32_t max);

/* text.c */
bool text_contains(const char *h, uint32_t hl, const char *n, uint32_t nl);
bool text_icontains(const char *h, uint32_t hl, const char *n, uint32_t nl); /* n in lower case */
bool text_pmatch(const struct fpaths *p, const char *s, uint32_t len);
uint32_t text_path_clean(char *out, const char *s, uint32_t len); /* components joined by one slash, none at the ends */
int fsubstr_new(struct filter *f, struct fsubstr **out, const struct ftext *v, uint32_t n);
bool fsubstr_find(const struct fsubstr *m, const char *h, uint32_t hl);

/* glob.c */
int fglob_new(struct filter *f, struct fglob **out, const char *s, uint32_t len, bool icase);
bool fglob_match(const struct fglob *g, const char *s, uint32_t len);
bool glob_match_text(const char *pat, uint32_t plen, bool icase, const char *s, uint32_t len); /* pattern from a field */

/* regex.c: registered with the filter, freed with it. Data: scratch of one run. */
int fregex_new(struct filter *f, const struct fregex **out, const struct fexpr *x, struct err *e);
void fregex_free_all(struct filter *f);
struct fregex_data;
int fregex_data_new(struct fregex_data **out);
void fregex_data_free(struct fregex_data *d);
bool fregex_match(const struct fregex *r, struct fregex_data *d, const char *s, uint32_t len);

/* func.c: result of a transformer call; texts are built in env->scratch. Exactly one of v and l is not
 * NULL, as the slot is a list or not. */
void filter_call(const struct fslot *s, struct filter_run *r, struct field_env *env, struct value *v,
		 struct value_list *l);

/* vm.c */
bool fprog_run(const struct fprog *p, struct filter_run *r, struct field_env *env);
bool fprog_run_header(const struct filter *f, const struct fprog *p, const struct event *ev);
/* One test of a value that is there, against the constant of in. TYPE_IN, AROUND and the slot tests are
 * no such tests. */
bool insn_test(const struct insn *in, struct fregex_data *rd, const struct value *v);
/* A test of sub (EQ_N ... GLOB) with the second value in place of the constant. */
bool insn_compare(unsigned sub, const struct value *a, const struct value *b);
/* The slot's value or values for this event, extracted once. */
const struct value *slot_value(struct filter_run *r, struct field_env *env, uint32_t slot);
const struct value_list *slot_list(struct filter_run *r, struct field_env *env, uint32_t slot);

/* One per worker and filter. */
struct slot_state {
	uint32_t gen; /* filled for this event when equal to the run's */
	struct value v;
	struct value_list l;
};
struct filter_run {
	const struct filter *f;
	uint32_t gen;
	struct fregex_data *regex; /* NULL when there is no regex */
	uint64_t *lookback;	   /* one per place; NULL when nothing looks back */
	struct slot_state slots[];
};

#endif
