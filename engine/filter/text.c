/* Searching in texts: one substring, several in one pass, leading paths. All pure. */
#include "filter/filter_int.h"

#include <errno.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static ALWAYS_INLINE char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_icase(const char *a, const char *low, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (lower(a[i]) != low[i])
			return false;
	return true;
}

#ifdef __SSE2__
/* Bit i: first and last byte of the needle fit at h + i. Sixteen starts at a time; callers make
 * sure that h + 16 and h + nl - 1 + 16 are readable. */
static ALWAYS_INLINE unsigned candidates(const char *h, uint32_t nl, __m128i first, __m128i last)
{
	__m128i a = _mm_loadu_si128((const __m128i *)h);
	__m128i b = _mm_loadu_si128((const __m128i *)(h + nl - 1));

	return (unsigned)_mm_movemask_epi8(
		_mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last)));
}

static ALWAYS_INLINE bool verify(const char *h, unsigned mask, const char *n, uint32_t nl)
{
	for (; mask; mask &= mask - 1)
		if (!memcmp(h + __builtin_ctz(mask), n, nl))
			return true;
	return false;
}
#endif

/* memmem of the C library costs more to set up than most file names are long. */
bool text_contains(const char *h, uint32_t hl, const char *n, uint32_t nl)
{
	uint32_t i = 0;

	if (nl > hl)
		return false;
	if (nl <= 1)
		return !nl || memchr(h, n[0], hl);
#ifdef __SSE2__
	if (hl - nl >= 15) {
		__m128i first = _mm_set1_epi8(n[0]), last = _mm_set1_epi8(n[nl - 1]);

		for (; i + nl + 15 <= hl; i += 16) {
			unsigned m = candidates(h + i, nl, first, last);

			if (UNLIKELY(m) && verify(h + i, m, n, nl))
				return true;
		}
		if (i + nl > hl)
			return false;
		i = hl - nl - 15; /* the rest, overlapping */
		return verify(h + i, candidates(h + i, nl, first, last), n, nl);
	}
#endif
	for (; i + nl <= hl; i++)
		if (h[i] == n[0] && h[i + nl - 1] == n[nl - 1] && !memcmp(h + i, n, nl))
			return true;
	return false;
}

#ifdef __SSE2__
/* As candidates(), case ignored: setting bit 5 makes letters lower case, and what else it makes
 * equal is sorted out by verify_icase. bit: 0x20 where the needle has a letter, else 0. */
static ALWAYS_INLINE unsigned candidates_icase(const char *h, uint32_t nl, __m128i first,
					       __m128i last, __m128i bit0, __m128i bit1)
{
	__m128i a = _mm_or_si128(_mm_loadu_si128((const __m128i *)h), bit0);
	__m128i b = _mm_or_si128(_mm_loadu_si128((const __m128i *)(h + nl - 1)), bit1);

	return (unsigned)_mm_movemask_epi8(
		_mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last)));
}

static ALWAYS_INLINE bool verify_icase(const char *h, unsigned mask, const char *n, uint32_t nl)
{
	for (; mask; mask &= mask - 1)
		if (same_icase(h + __builtin_ctz(mask), n, nl))
			return true;
	return false;
}

static __m128i letter_bit(char c)
{
	return _mm_set1_epi8(c >= 'a' && c <= 'z' ? 0x20 : 0);
}
#endif

bool text_icontains(const char *h, uint32_t hl, const char *n, uint32_t nl)
{
	uint32_t i = 0;

	if (nl > hl)
		return false;
	if (!nl)
		return true;
#ifdef __SSE2__
	if (hl - nl >= 15) {
		__m128i first = _mm_set1_epi8(n[0]), last = _mm_set1_epi8(n[nl - 1]);
		__m128i bit0 = letter_bit(n[0]), bit1 = letter_bit(n[nl - 1]);

		for (; i + nl + 15 <= hl; i += 16) {
			unsigned m = candidates_icase(h + i, nl, first, last, bit0, bit1);

			if (UNLIKELY(m) && verify_icase(h + i, m, n, nl))
				return true;
		}
		if (i + nl > hl)
			return false;
		i = hl - nl - 15; /* the rest, overlapping */
		return verify_icase(h + i, candidates_icase(h + i, nl, first, last, bit0, bit1), n,
				    nl);
	}
#endif
	for (; i + nl <= hl; i++)
		if (lower(h[i]) == n[0] && lower(h[i + nl - 1]) == n[nl - 1] &&
		    same_icase(h + i, n, nl))
			return true;
	return false;
}

/* ---- leading paths --------------------------------------------------------------------------- */

uint32_t text_path_clean(char *out, const char *s, uint32_t len)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < len; i++) {
		if (s[i] == '/')
			continue;
		if (n && s[i - 1] == '/')
			out[n++] = '/';
		out[n++] = s[i];
	}
	return n;
}

/* Component by component, without a clean copy: for values that hold "//". */
static bool leads(const struct ftext *path, const char *s, uint32_t len)
{
	uint32_t i = 0, k = 0;

	while (k < path->len) {
		while (i < len && s[i] == '/')
			i++;
		while (k < path->len && path->s[k] != '/') {
			if (i >= len || s[i] != path->s[k])
				return false;
			i++;
			k++;
		}
		if (i < len && s[i] != '/')
			return false;
		k += k < path->len;
	}
	return true;
}

bool text_pmatch(const struct fpaths *p, const char *s, uint32_t len)
{
	uint32_t from = 0;

	if (p->all)
		return true;
	if (text_contains(s, len, "//", 2)) {
		for (uint32_t i = 0; i < p->n; i++)
			if (leads(&p->v[i], s, len))
				return true;
		return false;
	}
	while (from < len && s[from] == '/')
		from++;
	for (uint32_t i = from; i < len; i++)
		if (s[i] == '/' && fset_has_text(p->set, s + from, i - from))
			return true;
	return len > from && fset_has_text(p->set, s + from, len - from);
}

/* ---- several substrings: a dense automaton over byte classes --------------------------------- */

/* next[state * nclass + class] is the next state; states from "accept" on are hits. Sizes are
 * bounded by FSUBSTR_MAX_CELLS; beyond that the substrings are searched one after another. */
enum { FSUBSTR_MAX_CELLS = 1 << 20, FSUBSTR_FEW = 16 };

/* Few substrings are looked for side by side instead: sixteen starts at a time, the first two bytes
 * of each substring against the same two loads. */
struct pair {
	uint8_t first[16], second[16], any_second[16];
};

struct fsubstr {
	const struct ftext *v; /* one by one when there is neither of the two below */
	uint32_t n;
	bool empty; /* an empty substring occurs everywhere */
	uint32_t nclass;
	uint8_t class_of[256];
	uint32_t *next;
	uint8_t *hit;	    /* per state */
	struct pair *pairs; /* of few substrings; NULL */
};

static uint32_t *cell(struct fsubstr *m, uint32_t state, uint8_t byte)
{
	return &m->next[state * m->nclass + m->class_of[byte]];
}

static uint32_t trie_build(struct fsubstr *m)
{
	uint32_t states = 1;

	for (uint32_t k = 0; k < m->n; k++) {
		uint32_t s = 0;

		for (uint32_t i = 0; i < m->v[k].len; i++) {
			uint32_t *c = cell(m, s, (uint8_t)m->v[k].s[i]);

			if (!*c)
				*c = states++;
			s = *c;
		}
		m->hit[s] = 1;
	}
	return states;
}

/* Breadth first: failure links turn the trie into an automaton. queue and back: one entry per
 * state. */
static void automaton_close(struct fsubstr *m, uint32_t *queue, uint32_t *back)
{
	uint32_t head = 0, tail = 0;

	for (uint32_t c = 0; c < m->nclass; c++)
		if (m->next[c])
			queue[tail++] = m->next[c];
	while (head < tail) {
		uint32_t s = queue[head++];

		m->hit[s] |= m->hit[back[s]];
		for (uint32_t c = 0; c < m->nclass; c++) {
			uint32_t *to = &m->next[s * m->nclass + c],
				 via = m->next[back[s] * m->nclass + c];

			if (*to) {
				back[*to] = via;
				queue[tail++] = *to;
			} else {
				*to = via;
			}
		}
	}
}

static void classes(struct fsubstr *m)
{
	m->nclass = 1; /* class 0: bytes of no substring */
	for (uint32_t k = 0; k < m->n; k++)
		for (uint32_t i = 0; i < m->v[k].len; i++) {
			uint8_t b = (uint8_t)m->v[k].s[i];

			if (!m->class_of[b])
				m->class_of[b] = (uint8_t)MIN(m->nclass++, 255u);
		}
	m->nclass = MIN(m->nclass, 256u);
}

#ifdef __SSE2__
static int pairs_new(struct filter *f, struct fsubstr *m)
{
	m->pairs = filter_alloc(f, sizeof(*m->pairs) * m->n);
	if (!m->pairs)
		return -ENOMEM;
	for (uint32_t k = 0; k < m->n; k++) {
		memset(m->pairs[k].first, m->v[k].s[0], 16);
		memset(m->pairs[k].second, m->v[k].len > 1 ? m->v[k].s[1] : 0, 16);
		memset(m->pairs[k].any_second, m->v[k].len > 1 ? 0 : 0xff, 16);
	}
	return 0;
}

static ALWAYS_INLINE __m128i pair_fits(const struct pair *p, __m128i a, __m128i b)
{
	__m128i first = _mm_cmpeq_epi8(a, _mm_loadu_si128((const __m128i *)p->first));
	__m128i second = _mm_cmpeq_epi8(b, _mm_loadu_si128((const __m128i *)p->second));

	second = _mm_or_si128(second, _mm_loadu_si128((const __m128i *)p->any_second));
	return _mm_and_si128(first, second);
}

/* Some pair fits among the starts h[at] .. h[at + 15]: look closer. */
static NO_INLINE bool pairs_verify(const struct fsubstr *m, const char *h, uint32_t hl, uint32_t at,
				   __m128i a, __m128i b)
{
	for (uint32_t k = 0; k < m->n; k++) {
		unsigned mask = (unsigned)_mm_movemask_epi8(pair_fits(&m->pairs[k], a, b));

		for (; mask; mask &= mask - 1) {
			uint32_t start = at + (uint32_t)__builtin_ctz(mask);

			if (start + m->v[k].len <= hl && !memcmp(h + start, m->v[k].s, m->v[k].len))
				return true;
		}
	}
	return false;
}

/* The block of starts at: its 17 bytes stand at p. */
static ALWAYS_INLINE bool pairs_block(const struct fsubstr *m, const char *p, const char *h,
				      uint32_t hl, uint32_t at)
{
	__m128i a = _mm_loadu_si128((const __m128i *)p),
		b = _mm_loadu_si128((const __m128i *)(p + 1));
	__m128i some = _mm_setzero_si128();

	for (uint32_t k = 0; k < m->n; k++)
		some = _mm_or_si128(some, pair_fits(&m->pairs[k], a, b));
	return UNLIKELY(_mm_movemask_epi8(some)) && pairs_verify(m, h, hl, at, a, b);
}

static bool pairs_find(const struct fsubstr *m, const char *h, uint32_t hl)
{
	uint32_t i = 0;

	for (; i + 17 <= hl; i += 16)
		if (pairs_block(m, h + i, h, hl, i))
			return true;
	if (i < hl) { /* the last starts, from a padded copy */
		char tail[32] = {0};

		memcpy(tail, h + i, hl - i);
		return pairs_block(m, tail, h, hl, i);
	}
	return false;
}
#endif

int fsubstr_new(struct filter *f, struct fsubstr **out, const struct ftext *v, uint32_t n)
{
	struct fsubstr *m = filter_alloc(f, sizeof(*m));
	uint64_t states = 1;
	uint32_t *work;

	if (!m)
		return -ENOMEM;
	m->v = v;
	m->n = n;
	for (uint32_t i = 0; i < n; i++) {
		m->empty |= !v[i].len;
		states += v[i].len;
	}
	classes(m);
	*out = m;
#ifdef __SSE2__
	if (n <= FSUBSTR_FEW && !m->empty)
		return pairs_new(f, m);
#endif
	/* All 256 byte values in use would need 257 classes: no automaton for that. */
	if (m->empty || m->nclass >= 256 || states * m->nclass > FSUBSTR_MAX_CELLS)
		return 0;
	work = filter_alloc(f, sizeof(uint32_t) * 2 * (size_t)states);
	m->hit = filter_alloc(f, (size_t)states);
	m->next = filter_alloc(f, sizeof(uint32_t) * (size_t)states * m->nclass);
	if (!work || !m->hit || !m->next)
		return -ENOMEM;
	trie_build(m);
	automaton_close(m, work, work + states);
	return 0;
}

bool fsubstr_find(const struct fsubstr *m, const char *h, uint32_t hl)
{
	uint32_t s = 0;

	if (m->empty)
		return true;
#ifdef __SSE2__
	if (m->pairs)
		return pairs_find(m, h, hl);
#endif
	if (!m->next) {
		for (uint32_t i = 0; i < m->n; i++)
			if (text_contains(h, hl, m->v[i].s, m->v[i].len))
				return true;
		return false;
	}
	for (uint32_t i = 0; i < hl; i++) {
		s = m->next[s * m->nclass + m->class_of[(uint8_t)h[i]]];
		if (m->hit[s])
			return true;
	}
	return false;
}

uint32_t fsubstr_texts(const struct fsubstr *m, struct ftext *out, uint32_t max)
{
	for (uint32_t i = 0; i < MIN(m->n, max); i++)
		out[i] = m->v[i];
	return m->n;
}
