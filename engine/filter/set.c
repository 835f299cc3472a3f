/* Sets of numbers and of byte strings: open addressing, at most half full, one cache line for the
 * usual lookup. Built once, then IMMUTABLE. */
#include "filter/filter_int.h"

#include <errno.h>

struct slot {
	uint64_t key;
	struct ftext text;
}; /* texts: key is the hash, never 0; numbers: see used */

struct fset {
	uint32_t mask, n;
	bool has_zero;	  /* numbers: 0 marks a free slot */
	uint64_t lengths; /* texts: bit min(len, 63) is set for each member */
	struct slot *slots;
};

static ALWAYS_INLINE uint64_t mix(uint64_t a)
{
	a *= 0x9e3779b97f4a7c15ull;
	return a ^ a >> 32;
}

/* Two overlapping words for short texts, words of 8 beyond. */
static ALWAYS_INLINE uint64_t hash(const char *p, uint32_t len)
{
	uint64_t h = len * 0xff51afd7ed558ccdull;

	if (len >= 8) {
		for (uint32_t i = 0; i + 8 < len; i += 8)
			h = mix(h ^ load_u64(p + i));
		h ^= load_u64(p + len - 8);
	} else if (len >= 4) {
		h ^= (uint64_t)load_u32(p) << 32 | load_u32(p + len - 4);
	} else if (len) {
		h ^= (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[len / 2] << 8 |
		     (uint8_t)p[len - 1];
	}
	return mix(h) | 1ull << 63;
}

static int set_new(struct filter *f, struct fset **out, uint32_t n)
{
	struct fset *s = filter_alloc(f, sizeof(*s));
	uint32_t cap = 4;

	while (cap < 2ull * n)
		cap *= 2;
	if (!s || !(s->slots = filter_alloc(f, sizeof(struct slot) * (size_t)cap)))
		return -ENOMEM;
	s->mask = cap - 1;
	*out = s;
	return 0;
}

bool fset_has_num(const struct fset *s, uint64_t v)
{
	uint32_t i;

	if (!v)
		return s->has_zero;
	for (i = (uint32_t)mix(v) & s->mask; s->slots[i].key; i = (i + 1) & s->mask)
		if (s->slots[i].key == v)
			return true;
	return false;
}

bool fset_has_text(const struct fset *s, const char *p, uint32_t len)
{
	uint64_t h;

	if (!(s->lengths >> MIN(len, 63u) & 1))
		return false;
	h = hash(p, len);
	for (uint32_t i = (uint32_t)h & s->mask; s->slots[i].key; i = (i + 1) & s->mask)
		if (s->slots[i].key == h && s->slots[i].text.len == len &&
		    !memcmp(s->slots[i].text.s, p, len))
			return true;
	return false;
}

int fset_new_num(struct filter *f, struct fset **out, const uint64_t *v, uint32_t n)
{
	struct fset *s;
	int rc = set_new(f, &s, n);

	for (uint32_t k = 0; !rc && k < n; k++) {
		uint32_t i = (uint32_t)mix(v[k]) & s->mask;

		if (fset_has_num(s, v[k]))
			continue;
		s->n++;
		if (!v[k]) {
			s->has_zero = true;
			continue;
		}
		while (s->slots[i].key)
			i = (i + 1) & s->mask;
		s->slots[i].key = v[k];
	}
	if (!rc)
		*out = s;
	return rc;
}

int fset_new_text(struct filter *f, struct fset **out, const struct ftext *v, uint32_t n)
{
	struct fset *s;
	int rc = set_new(f, &s, n);

	for (uint32_t k = 0; !rc && k < n; k++) {
		uint64_t h = hash(v[k].s, v[k].len);
		uint32_t i = (uint32_t)h & s->mask;

		if (fset_has_text(s, v[k].s, v[k].len))
			continue;
		while (s->slots[i].key)
			i = (i + 1) & s->mask;
		s->slots[i] = (struct slot){h, v[k]};
		s->lengths |= 1ull << MIN(v[k].len, 63u);
		s->n++;
	}
	if (!rc)
		*out = s;
	return rc;
}

uint32_t fset_count(const struct fset *s)
{
	return s->n;
}

uint32_t fset_nums(const struct fset *s, uint64_t *out, uint32_t max)
{
	uint32_t n = 0;

	if (s->has_zero && max)
		out[n++] = 0;
	for (uint32_t i = 0; i <= s->mask && n < max; i++)
		if (s->slots[i].key)
			out[n++] = s->slots[i].key;
	return s->n;
}

uint32_t fset_texts(const struct fset *s, struct ftext *out, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i <= s->mask && n < max; i++)
		if (s->slots[i].key)
			out[n++] = s->slots[i].text;
	return s->n;
}
