/* Private to engine/filter: sets, searching, patterns. Made when a filter is compiled, in its arena (compiled
 * regular expressions outside it), then IMMUTABLE; lookups are pure. What makes them returns 0 or -ENOMEM. */
#ifndef BURIN_FILTER_MATCH_H
#define BURIN_FILTER_MATCH_H

#include <stdbool.h>

#include "base/err.h"

struct filter;
struct fexpr;

struct ftext { const char *s; uint32_t len; };

/* ---- set.c: open-addressed sets of numbers or byte strings ----------------------------------- */

struct fset;
int fset_new_num(struct filter *f, struct fset **out, const uint64_t *v, uint32_t n);
int fset_new_text(struct filter *f, struct fset **out, const struct ftext *v, uint32_t n);
uint32_t fset_texts(const struct fset *s, struct ftext *out, uint32_t max); /* as fset_nums */
bool fset_has_num(const struct fset *s, uint64_t v);
bool fset_has_text(const struct fset *s, const char *p, uint32_t len);
uint32_t fset_count(const struct fset *s);
/* Up to max members of a set of numbers, in no order; returns how many there are. */
uint32_t fset_nums(const struct fset *s, uint64_t *out, uint32_t max);

/* ---- text.c: substrings, leading paths ------------------------------------------------------- */

bool text_contains(const char *h, uint32_t hl, const char *n, uint32_t nl);
bool text_icontains(const char *h, uint32_t hl, const char *n, uint32_t nl); /* n in lower case */

/* Cleaned paths as a set and as a list; all: the root is one of them. */
struct fpaths { const struct fset *set; const struct ftext *v; uint32_t n; bool all; };
bool text_pmatch(const struct fpaths *p, const char *s, uint32_t len);
/* The components with one slash between them and none at the ends; out holds len bytes. */
uint32_t text_path_clean(char *out, const char *s, uint32_t len);

struct fsubstr; /* several substrings in one pass */
int fsubstr_new(struct filter *f, struct fsubstr **out, const struct ftext *v, uint32_t n);
uint32_t fsubstr_texts(const struct fsubstr *m, struct ftext *out, uint32_t max); /* as fset_nums */
bool fsubstr_find(const struct fsubstr *m, const char *h, uint32_t hl);

/* ---- glob.c: shell patterns ------------------------------------------------------------------ */

struct fglob;
int fglob_new(struct filter *f, struct fglob **out, const char *s, uint32_t len, bool icase);
bool fglob_match(const struct fglob *g, const char *s, uint32_t len);
/* The same with a pattern that only the event knows. */
bool glob_match_text(const char *pat, uint32_t plen, bool icase, const char *s, uint32_t len);

/* ---- regex.c: regular expressions; registered with the filter, freed with it ----------------- */

struct fregex;
struct fregex_data; /* scratch of one run */
int fregex_new(struct filter *f, const struct fregex **out, const struct fexpr *x, struct err *e);
void fregex_free_all(struct filter *f);
int fregex_data_new(struct fregex_data **out);
void fregex_data_free(struct fregex_data *d);
bool fregex_match(const struct fregex *r, struct fregex_data *d, const char *s, uint32_t len);

#endif
