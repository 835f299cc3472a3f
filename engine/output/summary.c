#include "output/summary.h"

#include <stdlib.h>

#include "base/err.h"

enum { SUMMARY_ROWS = 100 };

void summary_init(struct summary *s)
{
	memset(s, 0, sizeof(*s));
}

static const char *call_name(unsigned id, bool compat029)
{
	return compat029 ? ppm_sc_name_029(id) : ppm_sc_name(id);
}

void summary_count(struct summary *s, const struct batch *b, uint32_t idx, bool compat029)
{
	unsigned type = b->ev[idx].type;

	s->compat029 = compat029;
	if (type > EV_GENERIC_X) {
		s->types[type]++;
		return;
	}
	const uint8_t *block = b->data + b->ev[idx].off, *p;
	unsigned id = SC_UNKNOWN;
	struct event e;
	const char *why;
	uint32_t len;

	if (event_parse(&e, block, load_u32(block + 4), EV_CODE_COUNT, &why) == EVENT_OK &&
	    event_param(&e, 0, &p, &len) && len == 2 && call_name(load_u16(p), compat029))
		id = load_u16(p);
	s->calls[id][type == EV_GENERIC_X]++;
}

void summary_add(struct summary *into, const struct summary *from)
{
	for (unsigned i = 0; i < EV_CODE_COUNT; i++)
		into->types[i] += from->types[i];
	for (unsigned i = 0; i < SC_CODE_COUNT; i++) {
		into->calls[i][0] += from->calls[i][0];
		into->calls[i][1] += from->calls[i][1];
	}
	into->compat029 |= from->compat029;
}

struct row {
	const char *name;
	uint64_t count;
	bool is_exit;
	unsigned code; /* the last tie-break: one name may stand for several codes */
};

static int row_cmp(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	c = strcmp(x->name, y->name);
	if (c)
		return c;
	if (x->is_exit != y->is_exit)
		return x->is_exit ? 1 : -1;
	return x->code < y->code ? -1 : 1;
}

static unsigned collect(const struct summary *s, struct row *rows)
{
	unsigned n = 0;

	for (unsigned i = 0; i < EV_CODE_COUNT; i++) {
		if (s->types[i])
			rows[n++] = (struct row){event_table[i].name, s->types[i], i & 1, i};
	}
	for (unsigned i = 0; i < SC_CODE_COUNT; i++) {
		for (unsigned x = 0; x < 2; x++) {
			if (s->calls[i][x])
				rows[n++] = (struct row){call_name(i, s->compat029), s->calls[i][x],
							 x, EV_CODE_COUNT + i};
		}
	}
	qsort(rows, n, sizeof(*rows), row_cmp);
	return n;
}

void summary_print(const struct summary *s, struct buf *out)
{
	struct row *rows = malloc((EV_CODE_COUNT + 2 * SC_CODE_COUNT) * sizeof(*rows));
	unsigned n;

	if (!rows) {
		out->failed = true;
		return;
	}
	n = collect(s, rows);
	buf_lit(out, "----------------------\nEvent           #Calls\n----------------------\n");
	for (unsigned i = 0; i < MIN(n, SUMMARY_ROWS); i++)
		buf_printf(out, "%c %-16.16s%llu\n", rows[i].is_exit ? '<' : '>', rows[i].name,
			   (unsigned long long)rows[i].count);
	free(rows);
}
