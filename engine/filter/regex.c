/* Regular expressions over whole texts: PCRE2 restricted to what denotes a regular language, so
 * that time is bounded. The compiled-to-machine-code matcher runs first, under a match limit; where
 * it gives up (nested repeats over hostile texts) the breadth-first matcher answers, whose time is
 * at most text length times pattern length. Patterns see UTF-8; bytes that are none become U+FFFD.
 * As in RE2's POSIX mode . does not match a newline and ^ $ match at line ends. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "filter/filter_int.h"

#include <errno.h>
#include <stdlib.h>

enum {
	PATTERN_MAX = 4096,  /* bytes */
	MATCH_LIMIT = 20000, /* backtracking steps before the breadth-first matcher takes over */
	JIT_STACK_MAX = 1 << 18, /* bytes */
	WORK_MIN = 1 << 12,
	WORK_MAX = 1 << 20, /* ints of the breadth-first matcher's workspace */
};

struct fregex {
	struct fregex *next; /* of the filter */
	pcre2_code *code;
	bool jit;
};

struct fregex_data {
	pcre2_match_data *match;
	pcre2_match_context *ctx;
	pcre2_jit_stack *stack;
	int *work; /* of the breadth-first matcher; grown on demand */
	size_t work_cap;
	char *clean; /* text made valid; grown on demand */
	size_t clean_cap;
};

/* End of the bracket expression that opens at i. */
static uint32_t skip_set(const char *s, uint32_t i, uint32_t len)
{
	i++;
	i += i < len && s[i] == '^';
	i += i < len && s[i] == ']';
	for (; i < len && s[i] != ']'; i++) {
		if (s[i] == '\\') {
			i++;
		} else if (s[i] == '[' && i + 1 < len && s[i + 1] == ':') {
			for (i += 2; i + 1 < len && (s[i] != ':' || s[i + 1] != ']'); i++)
				;
			i++;
		}
	}
	return i;
}

/* Constructs beyond regular languages and those of other dialects; NULL when there is none. */
static const char *refuse(const char *s, uint32_t len, uint32_t *at)
{
	bool repeat = false;

	for (uint32_t i = 0; i < len; i++) {
		bool again = s[i] == '*' || s[i] == '+' || s[i] == '{';
		char next = i + 1 < len ? s[i + 1] : '\0', then = i + 2 < len ? s[i + 2] : '\0';

		*at = i;
		if (s[i] == '\\' && next && strchr("123456789gkKGXRCEQ", next))
			return "back references and other extensions are not supported";
		if (s[i] == '(' &&
		    (next == '*' || (next == '?' && !(then && strchr(":ims-", then)))))
			return "look-around, verbs and other extended groups are not supported";
		if (again && repeat)
			return "a repeat directly behind a repeat is not supported";
		repeat = again || s[i] == '?' ||
			 (repeat && (s[i] == '}' || s[i] == ',' || (s[i] >= '0' && s[i] <= '9')));
		if (s[i] == '[')
			i = skip_set(s, i, len);
		else if (s[i] == '\\')
			i++;
	}
	return NULL;
}

static int compile(struct fregex *r, const struct fexpr *x, struct err *e)
{
	PCRE2_SIZE off = 0;
	PCRE2_UCHAR msg[160];
	int code = 0;
	uint32_t refs = 0;

	r->code = pcre2_compile((PCRE2_SPTR)x->s, x->len,
				PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_MULTILINE |
					PCRE2_NEVER_BACKSLASH_C,
				&code, &off, NULL);
	if (!r->code) {
		pcre2_get_error_message(code, msg, sizeof(msg));
		return err_set(e, ERR_SYNTAX, x->span.pos + x->quoted + MIN(off, x->span.len),
			       "regular expression: %s", (char *)msg);
	}
	pcre2_pattern_info(r->code, PCRE2_INFO_BACKREFMAX, &refs);
	if (refs)
		return err_set(e, ERR_SYNTAX, x->span.pos,
			       "regular expression: back references are not supported");
	r->jit = !pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	return 0;
}

int fregex_new(struct filter *f, const struct fregex **out, const struct fexpr *x, struct err *e)
{
	struct fregex *r;
	uint32_t at = 0;
	const char *why = refuse(x->s, x->len, &at);
	int rc;

	if (why)
		return err_set(e, ERR_SYNTAX, x->span.pos + x->quoted + at,
			       "regular expression: %s", why);
	if (x->len > PATTERN_MAX)
		return err_set(e, ERR_SYNTAX, x->span.pos,
			       "regular expression: %u bytes, expected at most %d", x->len,
			       PATTERN_MAX);
	r = filter_alloc(f, sizeof(*r));
	if (!r)
		return filter_nomem(e);
	r->next = f->regexes;
	f->regexes = r;
	rc = compile(r, x, e);
	if (!rc)
		*out = r;
	return rc;
}

void fregex_free_all(struct filter *f)
{
	for (struct fregex *r = f->regexes; r; r = r->next)
		pcre2_code_free(r->code);
	f->regexes = NULL;
}

int fregex_data_new(struct fregex_data **out)
{
	struct fregex_data *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->match = pcre2_match_data_create(1, NULL);
	d->ctx = pcre2_match_context_create(NULL);
	d->stack = pcre2_jit_stack_create(1 << 15, JIT_STACK_MAX,
					  NULL); /* NULL without machine code: unused */
	if (!d->match || !d->ctx) {
		fregex_data_free(d);
		return -ENOMEM;
	}
	pcre2_set_match_limit(d->ctx, MATCH_LIMIT);
	pcre2_jit_stack_assign(d->ctx, NULL, d->stack);
	*out = d;
	return 0;
}

void fregex_data_free(struct fregex_data *d)
{
	if (!d)
		return;
	pcre2_match_data_free(d->match);
	pcre2_match_context_free(d->ctx);
	pcre2_jit_stack_free(d->stack);
	free(d->work);
	free(d->clean);
	free(d);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool all_ascii(const char *s, uint32_t len)
{
	uint32_t i = 0;
	uint64_t high = 0;

	for (; i + 8 <= len; i += 8)
		high |= load_u64(s + i);
	for (; i < len; i++)
		high |= (uint8_t)s[i];
	return !(high & 0x8080808080808080ull);
}

/* Bytes of the valid UTF-8 character at s; 0 = not valid. */
static unsigned utf8_char(const uint8_t *s, uint32_t left)
{
	unsigned n = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;

	if (n > left)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
		return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
		return 0;
	return n;
}

/* *s becomes a valid copy in d->clean. False when memory is out. */
static bool make_valid(struct fregex_data *d, const char **s, uint32_t *len)
{
	uint32_t n = 0;

	if (d->clean_cap < 3 * (size_t)*len) {
		char *p = realloc(d->clean, 3 * (size_t)*len);

		if (!p)
			return false;
		d->clean = p;
		d->clean_cap = 3 * (size_t)*len;
	}
	for (uint32_t i = 0; i < *len;) {
		unsigned k = utf8_char((const uint8_t *)*s + i, *len - i);

		memcpy(d->clean + n, k ? *s + i : "\xef\xbf\xbd", k ? k : 3);
		n += k ? k : 3;
		i += k ? k : 1;
	}
	*s = d->clean;
	*len = n;
	return true;
}

static bool slow_match(const struct fregex *r, struct fregex_data *d, const char *s, uint32_t len)
{
	int rc = PCRE2_ERROR_DFA_WSSIZE;

	for (size_t cap = MAX(d->work_cap, (size_t)WORK_MIN);
	     rc == PCRE2_ERROR_DFA_WSSIZE && cap <= WORK_MAX; cap *= 4) {
		if (cap > d->work_cap) {
			int *w = realloc(d->work, cap * sizeof(int));

			if (!w)
				return false;
			d->work = w;
			d->work_cap = cap;
		}
		rc = pcre2_dfa_match(r->code, (PCRE2_SPTR)s, len, 0, PCRE2_NO_UTF_CHECK, d->match,
				     NULL, d->work, d->work_cap);
	}
	return rc >= 0;
}

bool fregex_match(const struct fregex *r, struct fregex_data *d, const char *s, uint32_t len)
{
	int rc;

	if (!all_ascii(s, len) && !make_valid(d, &s, &len))
		return false;
	if (r->jit)
		rc = pcre2_jit_match(r->code, (PCRE2_SPTR)s, len, 0, 0, d->match, d->ctx);
	else
		rc = pcre2_match(r->code, (PCRE2_SPTR)s, len, 0, PCRE2_NO_UTF_CHECK, d->match,
				 d->ctx);
	if (LIKELY(rc >= 0 || rc == PCRE2_ERROR_NOMATCH))
		return rc >= 0;
	return slow_match(r, d, s, len);
}
