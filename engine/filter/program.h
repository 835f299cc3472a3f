/* Private to engine/filter: constants, slots and instructions of a compiled filter, and the machine that runs
 * them. A program is IMMUTABLE; a filter_run belongs to one worker. */
#ifndef BURIN_FILTER_PROGRAM_H
#define BURIN_FILTER_PROGRAM_H

#include "field/field.h"
#include "field/memo.h"
#include "filter/match.h"

struct filter_run;

enum {
	FILTER_CODE_WORDS = (EV_CODE_COUNT + 63) / 64, /* of a bit set over event codes */
	FILTER_SC_MAX = 1024,			       /* ids of generic calls a type set tells apart */
};

struct span { uint32_t pos, len; }; /* bytes of the filter text */

/* ---- constants ------------------------------------------------------------------------------- */

struct fnet { uint8_t len, bits; uint8_t addr[16]; }; /* len: 4 or 16 bytes; bits: prefix */

/* What the type of an event can be tested for: bit sets over event codes, and for the two generic codes over
 * call ids (bit FILTER_SC_MAX: ids beyond). */
struct ftypes {
	uint64_t code[FILTER_CODE_WORDS];
	uint64_t sc[2][FILTER_SC_MAX / 64 + 1]; /* [0] enter, [1] exit */
};
static inline bool ftypes_code(const struct ftypes *t, unsigned code)
{
	return t->code[code / 64] >> (code % 64) & 1;
}
bool ftypes_match(const struct ftypes *t, const struct event *e);
int ftypes_whole(const struct ftypes *t, unsigned code); /* 0 no event of the code, 1 all, -1 some generic calls */

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
		const struct fpaths *paths;
		struct ftypes *types;
		struct { const double *v; uint32_t n; } dbls;
		struct { const struct fnet *v; uint32_t n; } nets;
		struct { const struct fconst *v; uint32_t n; } many; /* COUNT_OF: constants of sub */
		struct { uint64_t ts, dist_ns; } around;
	};
};

/* ---- instructions ---------------------------------------------------------------------------- */

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

/* One test; see filter_ops.def. t and f are later instructions of the same program. */
struct insn {
	uint8_t op;    /* enum filter_insn */
	uint8_t quant; /* enum filter_quant */
	uint8_t sub;   /* COUNT_OF, CMP_SLOT: the test made (enum filter_insn) */
	uint8_t mode;  /* COUNT_OF: enum filter_mod */
	uint32_t slot; /* left operand */
	uint32_t rhs;  /* right operand if a slot */
	uint32_t t, f;
	uint8_t run;   /* what the loop dispatches on: op, or FI_COUNT for tests of lists */
	const struct fconst *c;
};

struct fprog {
	struct insn *code; /* in the order of evaluation; ACCEPT and REJECT are the last two */
	struct span *src;  /* text of each instruction */
	uint32_t n;	   /* 0 = no program */
	uint32_t *entry;   /* per event code: first instruction that is not decided by the code alone */
};

/* What can be said of a filter from values that many events of a batch share (memo.h). */
struct fshared {
	unsigned by;	    /* some of FF_BY; 0 = nothing is said */
	bool exact;	    /* upper decides */
	struct fprog upper; /* rejects nothing that the filter accepts */
	struct fprog lower; /* accepts nothing that the filter rejects; n 0: nothing at all */
};

/* ---- slots: the values that instructions test ------------------------------------------------ */

/* Header values that the digest can test without a bound event. */
enum fslot_hdr { FH_NO, FH_CPU, FH_RAWTIME, FH_TID };

enum fslot_kind { FS_FIELD, FS_CALL, FS_CONST };
struct fslot {
	uint8_t kind; /* enum fslot_kind */
	uint8_t type; /* enum param_type */
	uint8_t func; /* FS_CALL: enum filter_func */
	uint8_t hdr;  /* FS_FIELD: enum fslot_hdr */
	bool is_list;
	char opt;     /* FS_CALL getopt()[x] */
	uint32_t narg;
	const uint32_t *arg; /* FS_CALL: earlier slots */
	const struct field_ref *ref;
	struct value_list lit;	  /* FS_CONST: one value, or a list */
	const struct fexpr *expr; /* what it stands for */
	struct span span;
};

/* ---- vm.c ------------------------------------------------------------------------------------ */

bool fprog_run(const struct fprog *p, struct filter_run *r, struct field_env *env);
bool fprog_run_header(const struct filter *f, const struct fprog *p, const struct event *ev);
/* One test of a value that is there, against the constant of in. TYPE_IN, AROUND and the slot tests are no
 * such tests. */
bool insn_test(const struct insn *in, struct fregex_data *rd, const struct value *v);
/* A test of sub (EQ_N ... GLOB) with the second value in place of the constant. */
bool insn_compare(unsigned sub, const struct value *a, const struct value *b);
/* The slot's value or values for this event, extracted once. */
const struct value *slot_value(struct filter_run *r, struct field_env *env, uint32_t slot);
const struct value_list *slot_list(struct filter_run *r, struct field_env *env, uint32_t slot);
/* func.c: result of a transformer call; texts are built in env->scratch. Sets the one of v and l that fits the
 * slot, if there is a value. */
void filter_call(const struct fslot *s, struct filter_run *r, struct field_env *env, struct value *v,
		 struct value_list *l);

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
	struct memo by_thread, by_fd; /* enum shared_verdict, for the filter's shared programs */
	struct slot_state slots[];
};

#endif
