/* The public side: compiling is a row of passes over one tree, running is one program per event. */
#include "base/apart.h"
#include "filter/filter_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void *filter_alloc(struct filter *f, size_t n)
{
	void *p = arena_alloc(&f->arena, n ? n : 1);

	return p ? memset(p, 0, n) : NULL;
}

int filter_nomem(struct err *e)
{
	return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory while compiling the filter");
}

/* ---- nearest names --------------------------------------------------------------------------- */

enum { NEAREST_LEN = 48 };

void filter_nearest_init(struct filter_nearest *n, const char *word, uint32_t len)
{
	*n = (struct filter_nearest){.word = word, .len = len, .dist = 3};
	if (len >= NEAREST_LEN)
		n->dist = 0;
}

/* Edits from the word to name, two neighbours changing places counted once. */
static unsigned distance(const char *a, unsigned al, const char *b, unsigned bl)
{
	unsigned row[3][NEAREST_LEN + 1] = {0};

	for (unsigned k = 0; k <= bl; k++)
		row[0][k] = k;
	for (unsigned i = 1; i <= al; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned k = 1; k <= bl; k++) {
			unsigned d = up[k - 1] + (a[i - 1] != b[k - 1]);

			d = MIN(d, MIN(up[k], now[k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d = MIN(d, up2[k - 2] + 1);
			now[k] = d;
		}
	}
	return row[al % 3][bl];
}

/* Near: at most two edits, and fewer than half of the word. */
void filter_nearest_try(struct filter_nearest *n, const char *name)
{
	unsigned len = (unsigned)strlen(name), d;

	if (len > NEAREST_LEN || n->len >= NEAREST_LEN || len > n->len + 2 || n->len > len + 2)
		return;
	d = distance(n->word, n->len, name, len);
	if (d < n->dist && 2 * d < n->len) {
		n->dist = d;
		n->best = name;
	}
}

/* ---- life ------------------------------------------------------------------------------------ */

static int compile(struct filter *f, bool of_partner, struct err *e)
{
	int rc = filter_parse(f, e);

	if (!rc)
		rc = filter_check(f, e);
	if (!rc && of_partner)
		rc = filter_partner(f, e);
	else if (!rc)
		rc = filter_fold(f, e);
	if (!rc)
		rc = filter_emit(f, e);
	if (!rc && filter_find_needles(f))
		rc = filter_nomem(e);
	return rc ? rc : filter_verify(f, e);
}

static int filter_new(struct filter **out, const char *text, bool compat029, bool of_partner, struct err *e)
{
	size_t len = strlen(text);
	struct filter *f;
	int rc;

	if (len > FILTER_MAX_TEXT)
		return err_set(e, ERR_SYNTAX, FILTER_MAX_TEXT,
			       "the filter has %zu bytes: expected at most %d", len,
			       FILTER_MAX_TEXT);
	f = calloc(1, sizeof(*f));
	if (!f)
		return filter_nomem(e);
	arena_init(&f->arena);
	f->compat029 = compat029;
	f->len = (uint32_t)len;
	f->text = arena_dup(&f->arena, text, len + 1);
	rc = f->text ? compile(f, of_partner, e) : filter_nomem(e);
	if (rc) {
		filter_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

int filter_compile(struct filter **out, const char *text, bool compat029, struct err *e)
{
	return filter_new(out, text, compat029, false, e);
}

int filter_compile_partner(struct filter **out, const char *text, bool compat029, struct err *e)
{
	return filter_new(out, text, compat029, true, e);
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->nrefs; i++) {
		field_ref_fini(f->refs[i]);
		free(f->refs[i]);
	}
	free(f->refs);
	fregex_free_all(f);
	arena_fini(&f->arena);
	free(f);
}

/* ---- what the run needs to know -------------------------------------------------------------- */

int filter_each_field(const struct filter *f, int (*fn)(void *ctx, const struct field_ref *r),
		      void *ctx)
{
	int rc = 0;

	for (uint32_t i = 0; i < f->nrefs && rc == 0; i++)
		rc = fn(ctx, f->refs[i]);
	return rc;
}

uint32_t filter_demand(const struct filter *f)
{
	return f->demand;
}
unsigned filter_type_count(const struct filter *f)
{
	unsigned n = 0;

	for (unsigned c = 0; c < EV_CODE_COUNT; c++)
		n += f->types[c / 64] >> (c % 64) & 1;
	return n;
}
bool filter_looks_back(const struct filter *f)
{
	return f->looks_back;
}
bool filter_header_decides(const struct filter *f)
{
	return f->header_decides;
}

void filter_types(const struct filter *f, struct demand *d)
{
	for (unsigned i = 0; i < ARRAY_SIZE(f->types); i++)
		d->types[i] &= f->types[i];
}

static bool header_pred(void *ctx, const struct event *e)
{
	const struct filter *f = ctx;

	return fprog_run_header(f, &f->header, e);
}

struct digest_pred filter_header_pred(const struct filter *f)
{
	struct digest_pred p = {.fn = f->header.n ? header_pred : NULL, .ctx = (void *)f};
	const struct insn *in = f->header.code;

	/* One test of the type decides: for generic events by the call. */
	static_assert((int)DIGEST_CALLS == FILTER_SC_MAX, "one bit set for both");
	if (f->header.n == 3 && in->op == FI_TYPE_IN && in->t == 1 && in->f == 2 && in[1].op == FI_ACCEPT &&
	    in[2].op == FI_REJECT)
		for (unsigned x = 0; x < 2; x++)
			if (f->header.entry[x ? EV_GENERIC_X : EV_GENERIC_E] == 0)
				p.calls[x] = in->c->types->sc[x];
	return p;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static bool needs_regex(const struct filter *f)
{
	return f->regexes != NULL;
}

int filter_run_new(struct filter_run **out, const struct filter *f)
{
	struct filter_run *r = apart_calloc(1, sizeof(*r) + f->nslots * sizeof(r->slots[0]));

	if (!r)
		return -ENOMEM;
	r->f = f;
	if (f->places)
		r->lookback = calloc(f->places, sizeof(*r->lookback));
	if ((f->places && !r->lookback) || memo_init(&r->by_thread, f->by_thread.by) ||
	    memo_init(&r->by_fd, f->by_fd.by) || (needs_regex(f) && fregex_data_new(&r->regex))) {
		filter_run_free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void filter_run_free(struct filter_run *r)
{
	if (!r)
		return;
	fregex_data_free(r->regex);
	memo_fini(&r->by_thread);
	memo_fini(&r->by_fd);
	free(r->lookback);
	free(r);
}

bool filter_match(struct filter_run *r, struct field_env *env)
{
	uint64_t *outer = env->lookback;
	bool yes;

	filter_run_next(r);
	/* The places are numbered within this filter, so the memory is ours too. */
	env->lookback = r->lookback;
	yes = fprog_run(&r->f->prog, r, env);
	env->lookback = outer;
	return yes;
}
