/* Private to lex.c and parse.c: the position in the text, words and literals. */
#ifndef BURIN_FILTER_PARSE_INT_H
#define BURIN_FILTER_PARSE_INT_H

#include "filter/filter_int.h"

struct parser {
	struct filter *f;
	const char *s;
	uint32_t at, len;
	unsigned depth;
	int rc; /* first failure */
	struct err *e;
};

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\b';
}

static inline bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool is_ident(char c)
{
	return is_alpha(c) || (c >= '0' && c <= '9') || c == '_';
}

static inline void lex_skip(struct parser *p)
{
	while (p->at < p->len && is_blank(p->s[p->at]))
		p->at++;
}

static inline bool lex_at_end(const struct parser *p)
{
	return p->at >= p->len;
}

static inline char lex_peek(const struct parser *p)
{
	return lex_at_end(p) ? '\0' : p->s[p->at];
}

static inline bool lex_has(const struct parser *p, const char *word)
{
	size_t n = strlen(word);

	return p->len - p->at >= n && !memcmp(p->s + p->at, word, n);
}

/* Records the first failure; returns NULL, so that "return lex_fail(...)" reads well. */
void *lex_fail(struct parser *p, uint32_t pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
void *lex_nomem(struct parser *p);
/* What stands at pos, for messages: up to the next blank, 40 bytes at most. */
const char *lex_here(const struct parser *p, uint32_t pos, char out[64]);
/* A new expression that begins at pos; one that ends at p->at. */
struct fexpr *lex_expr(struct parser *p, unsigned kind, uint32_t pos);
struct fexpr *lex_end(struct parser *p, struct fexpr *x);
/* Appends to a growing pointer array in the arena. */
bool lex_push(struct parser *p, void ***v, uint32_t *n, void *item);
struct fexpr *lex_quoted(struct parser *p);
struct fexpr *lex_bare(struct parser *p, bool in_list);
struct fexpr *lex_list(struct parser *p); /* at the opening parenthesis */

#endif
