/* Sets of event types: what a test on evt.type or evt.dir comes down to. The test is made once for
 * every name that exists, when the filter is compiled. */
#include "filter/filter_int.h"

/* An event of one code with only what its name depends on. */
struct probe {
	struct event ev;
	uint8_t data[2], lens[2];
};

static void probe_init(struct probe *p, unsigned code, unsigned sc)
{
	*p = (struct probe){ .ev = { .type = (uint16_t)code, .nparams = 1, .len = 2 } };
	p->data[0] = (uint8_t)sc;
	p->data[1] = (uint8_t)(sc >> 8);
	p->lens[0] = 2;
	p->ev.data = p->data;
	p->ev.lens = p->lens;
	p->ev.hdr = p->data;
}

static bool is_generic(unsigned code) { return code == EV_GENERIC_E || code == EV_GENERIC_X; }

static struct value text_value(const char *s)
{
	return (struct value){ .type = PT_CHARBUF, .has = true, .len = (uint32_t)strlen(s), .s = s };
}

struct tester {
	const struct insn *in;
	struct fregex_data *rd;
	bool dir, compat029;
};

static bool test_code(const struct tester *t, unsigned code, unsigned sc)
{
	struct probe p;
	struct value v;

	probe_init(&p, code, sc);
	v = text_value(t->dir ? (code & 1 ? "<" : ">") : event_name(&p.ev, t->compat029));
	return t->in->op == FI_HAS || insn_test(t->in, t->rd, &v);
}

int filter_types_of(struct filter *f, const struct fnode *n, struct ftypes *out, struct err *e)
{
	struct tester t = { .in = &n->in, .compat029 = f->compat029 };

	t.dir = !strcmp(n->lhs->ref->info->name, "evt.dir");
	if (fregex_data_new(&t.rd))
		return filter_nomem(e);
	memset(out, 0, sizeof(*out));
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if (!is_generic(code) && test_code(&t, code, 0))
			out->code[code / 64] |= 1ull << (code % 64);
	for (unsigned x = 0; x < 2; x++)
		for (unsigned sc = 0; sc <= FILTER_SC_MAX; sc++)
			if (test_code(&t, x ? EV_GENERIC_X : EV_GENERIC_E, sc < FILTER_SC_MAX ? sc : UINT16_MAX))
				out->sc[x][sc / 64] |= 1ull << (sc % 64);
	fregex_data_free(t.rd);
	return 0;
}

static unsigned event_sc(const struct event *e)
{
	if (!e->nparams || event_param_len_(e, 0) != 2)
		return FILTER_SC_MAX; /* named as an unknown call */
	return MIN(load_u16(e->data), FILTER_SC_MAX);
}

bool ftypes_match(const struct ftypes *t, const struct event *e)
{
	unsigned sc;

	if (LIKELY(!is_generic(e->type)))
		return ftypes_code(t, e->type);
	sc = event_sc(e);
	return t->sc[e->type == EV_GENERIC_X][sc / 64] >> (sc % 64) & 1;
}

int ftypes_whole(const struct ftypes *t, unsigned code)
{
	unsigned n = 0;

	if (!is_generic(code))
		return ftypes_code(t, code);
	for (unsigned i = 0; i < ARRAY_SIZE(t->sc[0]); i++)
		n += (unsigned)__builtin_popcountll(t->sc[code == EV_GENERIC_X][i]);
	return n == 0 ? 0 : n == FILTER_SC_MAX + 1 ? 1 : -1;
}

/* ---- names ------------------------------------------------------------------------------------------- */

typedef bool (*name_fn)(void *ctx, const char *name);

/* Calls fn for the name of every event and system call of both generations until it returns true. */
static bool each_name(name_fn fn, void *ctx)
{
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if (fn(ctx, event_table[code].name))
			return true;
	for (unsigned sc = 0; sc < FILTER_SC_MAX; sc++) {
		const char *name = ppm_sc_name(sc), *old = ppm_sc_name_029(sc);

		if ((name && fn(ctx, name)) || (old && fn(ctx, old)))
			return true;
	}
	return false;
}

static bool same_name(void *ctx, const char *name)
{
	const struct ftext *want = ctx;

	return strlen(name) == want->len && !memcmp(name, want->s, want->len);
}

bool filter_type_name_known(const char *s, uint32_t len)
{
	struct ftext want = { s, len };

	return each_name(same_name, &want);
}

static bool nearer(void *ctx, const char *name)
{
	filter_nearest_try(ctx, name);
	return false;
}

void filter_type_nearest(struct filter_nearest *n) { each_name(nearer, n); }
