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
	*p = (struct probe){.ev = {.type = (uint16_t)code, .nparams = 1}};
	p->data[0] = (uint8_t)sc;
	p->data[1] = (uint8_t)(sc >> 8);
	p->lens[0] = 2;
	p->ev.data = p->data;
	p->ev.lens = p->lens;
	p->ev.hdr = p->data;
}

static bool is_generic(unsigned code)
{
	return code == EV_GENERIC_E || code == EV_GENERIC_X;
}

/* The test on the probe; the field needs nothing but the event (FF_HEADER_ONLY). */
static bool test_code(const struct fnode *n, struct field_env *env, struct fregex_data *rd,
		      unsigned code, unsigned sc)
{
	struct probe p;
	struct value v = {0};

	probe_init(&p, code, sc);
	env->c->ev = p.ev;
	field_get(n->lhs->ref, env, &v);
	arena_reset(env->scratch);
	return v.has && insn_test(&n->in, rd, &v);
}

bool filter_type_field(const struct fexpr *x)
{
	return x->kind == FX_FIELD && (x->ref->info->flags & FF_BY_TYPE);
}

int filter_types_of(struct filter *f, const struct fnode *n, struct ftypes *out, struct err *e)
{
	struct demand demand = {.compat029 = f->compat029};
	struct render_opts ro = {.compat029 = f->compat029};
	struct evctx c = {.demand = &demand};
	struct arena scratch;
	struct field_env env = {.c = &c, .scratch = &scratch, .ro = &ro};
	struct fregex_data *rd;

	if (fregex_data_new(&rd))
		return filter_nomem(e);
	arena_init(&scratch);
	memset(out, 0, sizeof(*out));
	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		if (!is_generic(code) && test_code(n, &env, rd, code, 0))
			out->code[code / 64] |= 1ull << (code % 64);
	for (unsigned x = 0; x < 2; x++)
		for (unsigned sc = 0; sc <= FILTER_SC_MAX; sc++)
			if (test_code(n, &env, rd, x ? EV_GENERIC_X : EV_GENERIC_E,
				      sc < FILTER_SC_MAX ? sc : UINT16_MAX))
				out->sc[x][sc / 64] |= 1ull << (sc % 64);
	arena_fini(&scratch);
	fregex_data_free(rd);
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

/* ---- names ----------------------------------------------------------------------------------- */

typedef bool (*name_fn)(void *ctx, const char *name);

/* Calls fn for the name of every event and system call of both generations until it returns true.
 */
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
	struct ftext want = {s, len};

	return each_name(same_name, &want);
}

static bool nearer(void *ctx, const char *name)
{
	filter_nearest_try(ctx, name);
	return false;
}

void filter_type_nearest(struct filter_nearest *n)
{
	each_name(nearer, n);
}
