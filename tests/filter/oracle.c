#include "oracle.h"

#include <ctype.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct oracle {
	struct filter *f;
	struct arena scratch;
	uint64_t *lookback;
};

struct ovals {
	uint32_t n;
	struct value v[64];
};

int oracle_new(struct oracle **out, const char *text, struct err *e)
{
	struct oracle *o = calloc(1, sizeof(*o));
	int rc;

	o->f = calloc(1, sizeof(*o->f));
	arena_init(&o->f->arena);
	arena_init(&o->scratch);
	o->f->len = (uint32_t)strlen(text);
	o->f->text = arena_dup(&o->f->arena, text, strlen(text) + 1);
	rc = filter_parse(o->f, e);
	if (!rc)
		rc = filter_check(o->f, e);
	o->lookback = calloc(o->f->places + 1, sizeof(*o->lookback));
	if (rc)
		oracle_free(o);
	else
		*out = o;
	return rc;
}

void oracle_free(struct oracle *o)
{
	filter_free(o->f);
	arena_fini(&o->scratch);
	free(o->lookback);
	free(o);
}

/* ---- expressions ----------------------------------------------------------------------------- */

static void eval(struct oracle *o, const struct fexpr *x, struct field_env *env, struct ovals *out);

static struct value make(struct oracle *o, const char *s, size_t len)
{
	return (struct value){.type = PT_CHARBUF,
			      .has = true,
			      .len = (uint32_t)len,
			      .s = arena_dup(&o->scratch, len ? s : "", len ? len : 1)};
}

static struct value change_case(struct oracle *o, const struct value *v, int (*fn)(int))
{
	struct value w = make(o, v->s, v->len);

	w.type = v->type;
	for (uint32_t i = 0; i < v->len; i++)
		((char *)w.s)[i] = (char)((unsigned char)v->s[i] < 128 ? fn(v->s[i]) : v->s[i]);
	return w;
}

static struct value base(const struct value *v)
{
	struct value w = *v;

	for (uint32_t i = 0; i < v->len; i++)
		if (v->s[i] == '/') {
			w.s = v->s + i + 1;
			w.len = v->len - i - 1;
		}
	return w;
}

/* Six bits at a time into a bit string, whole bytes out of it. */
static bool decode(struct oracle *o, const struct value *v, struct value *w)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char bits[8 * 600], bytes[600];
	uint32_t len = v->len, pads = 0, n = 0;

	while (len && pads < 2 && v->s[len - 1] == '=') {
		len--;
		pads++;
	}
	if ((pads && v->len % 4) || len % 4 == 1 || len > 600)
		return false;
	for (uint32_t i = 0; i < len; i++) {
		const char *at = v->s[i] ? strchr(digits, v->s[i]) : NULL;

		if (!at)
			return false;
		for (int b = 5; b >= 0; b--)
			bits[n++] = (char)((at - digits) >> b & 1);
	}
	for (uint32_t i = 0; i < n / 8; i++) {
		bytes[i] = 0;
		for (int b = 0; b < 8; b++)
			bytes[i] = (char)(bytes[i] * 2 + bits[8 * i + b]);
	}
	*w = make(o, bytes, n / 8);
	w->type = v->type;
	return true;
}

static void joined(struct oracle *o, const char *sep, size_t sep_len, const struct ovals *l,
		   struct ovals *out)
{
	char text[8192];
	size_t n = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		if (i) {
			memcpy(text + n, sep, sep_len);
			n += sep_len;
		}
		memcpy(text + n, l->v[i].s, l->v[i].len);
		n += l->v[i].len;
	}
	out->n = 1;
	out->v[0] = make(o, text, n);
}

static void push_text(struct oracle *o, struct ovals *out, const char *s, size_t len)
{
	if (out->n < ARRAY_SIZE(out->v))
		out->v[out->n++] = make(o, s, len);
}

/* Letters and values in order; want: only what option x comes to. */
static void options(struct oracle *o, const struct ovals *words, const struct value *opts,
		    char want, struct ovals *out)
{
	for (uint32_t w = 0; w < words->n; w++) {
		const struct value *word = &words->v[w];

		if (word->len >= 3 && !memcmp(word->s, "--", 2))
			continue;
		if (word->len < 2 || word->s[0] != '-' || (word->len == 2 && word->s[1] == '-'))
			return;
		for (uint32_t i = 1; i < word->len; i++) {
			const char *at = word->s[i] == ':' || !opts->len
						 ? NULL
						 : memchr(opts->s, word->s[i], opts->len);
			bool takes = at && at + 1 < opts->s + opts->len && at[1] == ':';
			struct ovals got = {0};

			push_text(o, &got, at ? &word->s[i] : "?", 1);
			if (takes && i + 1 < word->len)
				push_text(o, &got, word->s + i + 1, word->len - i - 1);
			else if (takes && w + 1 < words->n)
				push_text(o, &got, words->v[w + 1].s, words->v[w + 1].len), w++;
			else if (takes)
				push_text(o, &got, "", 0);
			if (want && got.v[0].s[0] == want) {
				out->n = 1;
				out->v[0] = got.v[got.n - 1];
			}
			for (uint32_t k = 0; !want && k < got.n; k++)
				push_text(o, out, got.v[k].s, got.v[k].len);
			if (takes)
				break;
		}
	}
}

static void call(struct oracle *o, const struct fexpr *x, struct field_env *env, struct ovals *out)
{
	struct ovals *a = arena_alloc(&o->scratch, sizeof(*a) * (x->narg + 1));

	for (uint32_t i = 0; i < x->narg; i++)
		eval(o, x->arg[i], env, &a[i]);
	switch (x->func) {
	case FF_tolower:
	case FF_toupper:
	case FF_basename:
	case FF_b64:
		for (uint32_t i = 0; i < a->n; i++) {
			struct value *w = &out->v[out->n];

			*w = x->func == FF_tolower   ? change_case(o, &a->v[i], tolower)
			     : x->func == FF_toupper ? change_case(o, &a->v[i], toupper)
						     : base(&a->v[i]);
			out->n += x->func != FF_b64 || decode(o, &a->v[i], w);
		}
		break;
	case FF_len:
		if (!a->n && x->arg[0]->kind != FX_CALL && x->arg[0]->kind != FX_LIST)
			break;
		if (!a->n && !x->arg[0]->is_list)
			break;
		out->n = 1;
		out->v[0] = (struct value){.type = PT_UINT64, .has = true};
		out->v[0].u = x->arg[0]->is_list	      ? a->n
			      : x->arg[0]->type == PT_BYTEBUF ? a->v[0].len
							      : strnlen(a->v[0].s, a->v[0].len);
		break;
	case FF_join:
		if (a[0].n && (a[1].n || x->arg[1]->kind == FX_LIST))
			joined(o, a[0].v[0].s, a[0].v[0].len, &a[1], out);
		break;
	case FF_concat:
		for (uint32_t i = 1; i < x->narg && a->n; i++) {
			if (!a[i].n)
				a->n = 0;
			else
				a->v[a->n++] = a[i].v[0];
		}
		if (a->n)
			joined(o, "", 0, a, out);
		break;
	case FF_getopt:
		if (a[1].n)
			options(o, &a[0], &a[1].v[0], x->s ? x->s[0] : 0, out);
		break;
	default:
		*out = *a;
	}
}

static void eval(struct oracle *o, const struct fexpr *x, struct field_env *env, struct ovals *out)
{
	struct value_list l;

	out->n = 0;
	switch (x->kind) {
	case FX_FIELD:
		if (x->is_list || x->some) {
			field_get_list(x->ref, env, &l);
			for (; out->n < l.n && out->n < ARRAY_SIZE(out->v); out->n++)
				out->v[out->n] = l.v[out->n];
		} else {
			field_get(x->ref, env, &out->v[0]);
			out->n = out->v[0].has;
		}
		break;
	case FX_TEXT:
		push_text(o, out, x->s, x->len);
		break;
	case FX_LIST:
		for (uint32_t i = 0; i < x->narg; i++)
			push_text(o, out, x->arg[i]->s, x->arg[i]->len);
		break;
	default:
		call(o, x, env, out);
	}
}

/* ---- tests on one value ---------------------------------------------------------------------- */

static bool is_text_type(uint8_t t)
{
	return t == PT_CHARBUF || t == PT_FSPATH || t == PT_FSRELPATH || t == PT_BYTEBUF;
}

static bool is_signed_type(uint8_t t)
{
	return t == PT_INT8 || t == PT_INT16 || t == PT_INT32 || t == PT_INT64 || t == PT_ERRNO ||
	       t == PT_FD || t == PT_PID;
}

static bool order(unsigned fop, int cmp)
{
	switch (fop) {
	case FO_EQ:
	case FO_IN:
	case FO_INTERSECTS:
		return cmp == 0;
	case FO_NE:
		return cmp != 0;
	case FO_LT:
		return cmp < 0;
	case FO_LE:
		return cmp <= 0;
	case FO_GT:
		return cmp > 0;
	default:
		return cmp >= 0;
	}
}

static int bytes_cmp(const char *a, uint32_t al, const char *b, uint32_t bl)
{
	for (uint32_t i = 0; i < al && i < bl; i++)
		if (a[i] != b[i])
			return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
	return al < bl ? -1 : al > bl;
}

static bool occurs(const struct value *v, const char *s, uint32_t len, bool icase)
{
	for (uint32_t i = 0; i + len <= v->len; i++) {
		uint32_t k = 0;

		while (k < len &&
		       (icase ? tolower(v->s[i + k]) == tolower(s[k]) : v->s[i + k] == s[k]))
			k++;
		if (k == len)
			return true;
	}
	return false;
}

/* A NUL inside (decoded base64) is a character like any other; the C library would stop there. */
static bool shell(const struct value *v, const char *pat, uint32_t len, bool icase)
{
	char bytes[4200], p[1024];
	uint32_t n = MIN(v->len, (uint32_t)sizeof(bytes) - 1);

	for (uint32_t i = 0; i < n; i++)
		bytes[i] = v->s[i] ? v->s[i] : '\x01';
	bytes[n] = '\0';
	snprintf(p, sizeof(p), "%.*s", (int)len, pat);
	return !fnmatch(p, bytes, icase ? FNM_CASEFOLD : 0);
}

/* Every character beyond ASCII becomes one byte that no pattern of the tests names. Two-byte
 * characters and single bytes that are none are all the tests use. */
static void to_chars(const struct value *v, char *out, size_t cap)
{
	size_t n = 0;

	for (uint32_t i = 0; i < v->len && n + 1 < cap; i++) {
		unsigned char c = (unsigned char)v->s[i];
		bool two = c >= 0xc2 && c < 0xe0 && i + 1 < v->len && (v->s[i + 1] & 0xc0) == 0x80;

		out[n++] = c && c < 0x80 ? (char)c : '\x01';
		i += two;
	}
	out[n] = '\0';
}

static bool posix_regex(const struct value *v, const char *pat, uint32_t len)
{
	char chars[4200], p[1024];
	regex_t re;
	bool yes;
	regmatch_t m;

	to_chars(v, chars, sizeof(chars));
	snprintf(p, sizeof(p), "^(%.*s)$", (int)len, pat);
	if (regcomp(&re, p, REG_EXTENDED))
		return false;
	yes = !regexec(&re, chars, 1, &m, 0) && m.rm_so == 0 && (size_t)m.rm_eo == strlen(chars);
	regfree(&re);
	return yes;
}

static uint32_t split(const char *s, uint32_t len, const char **part, uint32_t *plen)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < len; i++) {
		if (s[i] == '/')
			continue;
		part[n] = s + i;
		for (plen[n] = 0; i < len && s[i] != '/'; i++)
			plen[n]++;
		n++;
	}
	return n;
}

static bool leads_to(const struct fexpr *path, const struct value *v)
{
	const char *a[600], *b[600];
	uint32_t al[600], bl[600], n = split(path->s, path->len, a, al),
				   m = split(v->s, v->len, b, bl);

	for (uint32_t i = 0; i < n; i++)
		if (i >= m || bytes_cmp(a[i], al[i], b[i], bl[i]))
			return false;
	return true;
}

static bool in_network(const struct value *v, const struct fexpr *lit)
{
	struct fnet net;
	bool same = !filter_lit_net(lit, &net, NULL) && net.len == v->len;

	for (unsigned bit = 0; same && bit < net.bits; bit++) {
		unsigned shift = 7 - bit % 8;

		same = ((uint8_t)v->s[bit / 8] >> shift & 1) == (net.addr[bit / 8] >> shift & 1);
	}
	return same;
}

static bool seconds_field(const struct fexpr *x)
{
	size_t n = x->kind == FX_FIELD ? strlen(x->ref->info->name) : 0;

	return n > 2 && !strcmp(x->ref->info->name + n - 2, ".s") &&
	       (x->type == PT_ABSTIME || x->type == PT_RELTIME);
}

static bool has_letter(const struct fexpr *lit)
{
	for (uint32_t i = 0; i < lit->len; i++)
		if (!isdigit((unsigned char)lit->s[i]) && !(i == 0 && strchr("+-", lit->s[i])))
			return true;
	return false;
}

static bool numeric(const struct fnode *n, const struct fexpr *lit, const struct value *v)
{
	__int128 a = is_signed_type(n->lhs->type) ? (__int128)v->i : (__int128)v->u, b;
	uint64_t u = 0;

	filter_lit_number(lit, n->lhs->type, &u, NULL);
	b = is_signed_type(n->lhs->type) ? (__int128)(int64_t)u : (__int128)u;
	if (seconds_field(n->lhs) && has_letter(lit))
		a *= 1000000000;
	return order(n->fop, a < b ? -1 : a > b);
}

static bool doubles(const struct fnode *n, const struct fexpr *lit, const struct value *v)
{
	double d = 0;

	filter_lit_double(lit, &d, NULL);
	return order(n->fop, v->d < d ? -1 : v->d > d);
}

static bool addresses(struct oracle *o, const struct fnode *n, const struct fexpr *lit,
		      const struct value *v)
{
	struct ftext t = {"", 0};

	filter_lit_addr(o->f, lit, n->lhs->type, &t, NULL);
	return order(n->fop, bytes_cmp(v->s, v->len, t.s, t.len) != 0);
}

static bool text_like(struct oracle *o, const struct fnode *n, const struct fexpr *lit,
		      const struct value *v)
{
	struct ftext t = {lit->s, lit->len};

	if (n->fop == FO_BCONTAINS || n->fop == FO_BSTARTSWITH)
		filter_lit_hex(o->f, lit, &t, NULL);
	switch (n->fop) {
	case FO_CONTAINS:
	case FO_BCONTAINS:
		return occurs(v, t.s, t.len, false);
	case FO_ICONTAINS:
		return occurs(v, t.s, t.len, true);
	case FO_STARTSWITH:
	case FO_BSTARTSWITH:
		return v->len >= t.len && !bytes_cmp(v->s, t.len, t.s, t.len);
	case FO_ENDSWITH:
		return v->len >= t.len && !bytes_cmp(v->s + v->len - t.len, t.len, t.s, t.len);
	case FO_GLOB:
	case FO_IGLOB:
		return shell(v, t.s, t.len, n->fop == FO_IGLOB);
	case FO_REGEX:
		return posix_regex(v, t.s, t.len);
	case FO_PMATCH:
		return leads_to(lit, v);
	default:
		return order(n->fop, bytes_cmp(v->s, v->len, t.s, t.len));
	}
}

/* The operator against one literal. */
static bool one_literal(struct oracle *o, const struct fnode *n, const struct fexpr *lit,
			const struct value *v)
{
	switch (n->lhs->type) {
	case PT_IPADDR:
	case PT_IPV4ADDR:
	case PT_IPV6ADDR:
		return addresses(o, n, lit, v);
	case PT_IPNET:
		return order(n->fop, !in_network(v, lit));
	case PT_DOUBLE:
		return doubles(n, lit, v);
	default:
		return is_text_type(n->lhs->type) ? text_like(o, n, lit, v) : numeric(n, lit, v);
	}
}

static bool against_literals(struct oracle *o, const struct fnode *n, const struct value *v)
{
	uint32_t hits = 0;

	if (n->rhs->kind != FX_LIST)
		return one_literal(o, n, n->rhs, v);
	for (uint32_t i = 0; i < n->rhs->narg; i++)
		hits += one_literal(o, n, n->rhs->arg[i], v);
	return n->mod == FM_ALLOF   ? hits && hits == n->rhs->narg
	       : n->mod == FM_ONEOF ? hits == 1
				    : hits > 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static bool same_value(const struct value *a, const struct value *b)
{
	if (is_text_type(a->type) || a->type == PT_IPADDR)
		return !bytes_cmp(a->s, a->len, b->s, b->len);
	return a->type == PT_DOUBLE ? a->d == b->d : a->u == b->u;
}

static bool two_values(const struct fnode *n, const struct value *a, const struct value *b)
{
	struct fexpr lit = {.kind = FX_TEXT, .s = b->s, .len = b->len};

	if (is_text_type(a->type) || a->type == PT_IPADDR)
		return n->fop == FO_EQ || n->fop == FO_NE
			       ? order(n->fop, bytes_cmp(a->s, a->len, b->s, b->len) != 0)
			       : text_like(NULL, n, &lit, a);
	if (a->type == PT_DOUBLE)
		return order(n->fop, a->d < b->d ? -1 : a->d > b->d);
	if (is_signed_type(a->type))
		return order(n->fop, a->i < b->i ? -1 : a->i > b->i);
	return order(n->fop, a->u < b->u ? -1 : a->u > b->u);
}

static bool fields(struct oracle *o, const struct fnode *n, const struct ovals *l,
		   struct field_env *env)
{
	struct ovals r;
	uint32_t hits = 0;

	if (!l->n)
		return false;
	eval(o, n->rhs, env, &r);
	if (n->fop != FO_IN && n->fop != FO_INTERSECTS)
		return r.n && two_values(n, &l->v[0], &r.v[0]);
	for (uint32_t i = 0; i < l->n; i++) {
		bool found = false;

		for (uint32_t k = 0; k < r.n; k++)
			found |= same_value(&l->v[i], &r.v[k]);
		hits += found;
	}
	return n->fop == FO_IN ? hits == l->n : hits > 0;
}

static bool test(struct oracle *o, const struct fnode *n, struct field_env *env)
{
	struct ovals l;
	uint32_t hits = 0;
	bool all;

	eval(o, n->lhs, env, &l);
	if (n->fop == FO_EXISTS)
		return l.n > 0;
	if (n->lhs->kind == FX_FIELD && !strcmp(n->lhs->ref->info->name, "evt.around")) {
		__int128 d = (__int128)env->c->ev.ts - n->lhs->ref->arg_index;
		uint64_t ms = strtoull(n->rhs->s, NULL, 10);

		return (d < 0 ? -d : d) <= (__int128)ms * 1000000;
	}
	if (n->rhs->kind == FX_CALL)
		return fields(o, n, &l, env);
	for (uint32_t i = 0; i < l.n; i++)
		hits += against_literals(o, n, &l.v[i]);
	all = (n->lhs->is_list && n->fop == FO_IN) ||
	      (n->lhs->some && n->fop == FO_NE && !strncmp(n->lhs->ref->info->name, "fd.", 3));
	return all ? l.n && hits == l.n : hits > 0;
}

static bool walk(struct oracle *o, const struct fnode *n, struct field_env *env)
{
	switch (n->kind) {
	case FN_AND:
		for (uint32_t i = 0; i < n->nkid; i++)
			if (!walk(o, n->kid[i], env))
				return false;
		return true;
	case FN_OR:
		for (uint32_t i = 0; i < n->nkid; i++)
			if (walk(o, n->kid[i], env))
				return true;
		return false;
	case FN_NOT:
		return !walk(o, n->kid[0], env);
	case FN_TEST:
		return test(o, n, env);
	default:
		return n->kind == FN_TRUE;
	}
}

bool oracle_match(struct oracle *o, struct field_env *env)
{
	uint64_t *outer = env->lookback;
	bool yes;

	env->lookback = o->lookback;
	yes = walk(o, o->f->root, env);
	env->lookback = outer;
	arena_reset(&o->scratch);
	return yes;
}
