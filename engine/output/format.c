#include "output/format.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"
#include "field/render.h"
#include "output/format_int.h"

/* ---- parsing ------------------------------------------------------------------------------------
 */

enum {
	WIDTH_MAX = 65535,
	STEP_ROOM = 48, /* the longest text a quick step writes; longer names take the slow way */
};

static const struct {
	const char *name;
	uint8_t op;
} special_fields[] = {
	{"evt.num", FO_NUM},	{"evt.outputtime", FO_OUTPUTTIME},
	{"evt.cpu", FO_CPU},	{"proc.name", FO_COMM},
	{"thread.tid", FO_TID}, {"evt.dir", FO_DIR},
	{"evt.type", FO_TYPE},	{"evt.info", FO_INFO},
	{"evt.args", FO_ARGS},
};

static const char *const ns_fields[] = {
	"evt.time",	"evt.time.s",	  "evt.time.iso8601",
	"evt.datetime", "evt.datetime.s", "evt.outputtime",
};

static void step_classify(struct format_step *s)
{
	const char *name = s->ref.info->name;

	s->op = FO_FIELD;
	for (unsigned i = 0; i < ARRAY_SIZE(special_fields); i++) {
		if (!strcmp(name, special_fields[i].name))
			s->op = special_fields[i].op;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ns_fields); i++) {
		if (!strcmp(name, ns_fields[i]))
			s->json_ns = true;
	}
}

static void step_literal(struct format *f, struct format_step *s, uint32_t from, uint32_t len)
{
	if (len > STEP_TEXT) {
		s->lit = from;
		s->lit_len = len;
	} else {
		memcpy(s->text, f->lits + from, len);
		s->text_len = (uint8_t)len;
	}
}

static int parse_width(const char *text, uint32_t *at, uint32_t *width, struct err *e)
{
	uint32_t start = *at, w = 0;

	while (text[*at] >= '0' && text[*at] <= '9') {
		w = w * 10 + (uint32_t)(text[*at] - '0');
		if (w > WIDTH_MAX)
			return err_set(e, ERR_SYNTAX, start, "field width above %d", WIDTH_MAX);
		++*at;
	}
	*width = w;
	if (text[*at])
		return 0;
	return err_set(e, ERR_SYNTAX, *at,
		       "invalid formatting syntax: formatting cannot end with a %s",
		       *at == start ? "%" : "number");
}

static char *json_key(const char *name, size_t len)
{
	char *k = malloc(len + 4);

	if (k) {
		k[0] = '"';
		memcpy(k + 1, name, len);
		memcpy(k + 1 + len, "\":", 3);
	}
	return k;
}

static int parse_field(struct format_step *s, const char *text, uint32_t *at, struct err *e)
{
	size_t used = 0;
	uint32_t start;
	int rc = parse_width(text, at, &s->width, e);

	if (rc < 0)
		return rc;
	start = *at;
	rc = field_parse(&s->ref, text + start, strlen(text + start), &used, e);
	if (rc < 0) {
		if (e && e->pos != ERR_NO_POS)
			e->pos += start;
		return rc;
	}
	*at += (uint32_t)used;
	if (s->ref.info->flags & FF_FILTER_ONLY)
		return err_set(e, ERR_SYNTAX, start,
			       "%s is filter only and cannot be used as a display field",
			       s->ref.info->name);
	s->key = json_key(text + start, used);
	if (!s->key)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	s->key_len = (uint32_t)used + 3;
	step_classify(s);
	return 0;
}

static int parse_steps(struct format *f, const char *text, uint32_t at, struct err *e)
{
	for (;;) {
		struct format_step *s = &f->steps[f->nsteps++];
		uint32_t from = at;

		at += (uint32_t)strcspn(text + at, "%");
		step_literal(f, s, from, at - from);
		s->op = FO_END;
		if (!text[at])
			return 0;
		at++;
		int rc = parse_field(s, text, &at, e);
		if (rc < 0)
			return rc;
	}
}

static int step_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct format_step *const *)a)->key,
		      (*(const struct format_step *const *)b)->key);
}

/* Keys end in '":'. '"' sorts before every byte of a field name, so this is the order of the names.
 */
static void sort_keys(struct format *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i + 1 < f->nsteps; i++)
		f->json[n++] = &f->steps[i];
	qsort(f->json, n, sizeof(*f->json), step_cmp);
	for (unsigned i = 0; i < n; i++) {
		if (!i || step_cmp(&f->json[i], &f->json[f->njson - 1]))
			f->json[f->njson++] = f->json[i];
	}
}

static void sum_up(struct format *f)
{
	for (unsigned i = 0; i + 1 < f->nsteps; i++) {
		struct format_step *s = &f->steps[i];

		s->ref.place = i;
		if (s->op == FO_INFO || s->op == FO_ARGS)
			f->params_demand |= s->ref.demand;
		else
			f->demand |= s->ref.demand;
		f->looks_back |= (s->ref.info->flags & FF_LOOKS_BACK) != 0;
		f->has_outputtime |= s->op == FO_OUTPUTTIME;
		s->plain = s->width || s->lit_len || s->op == FO_FIELD || s->op == FO_INFO ||
			   s->op == FO_ARGS;
	}
	f->line_room = (size_t)f->nsteps * (STEP_TEXT + STEP_ROOM);
	for (unsigned t = EV_GENERIC_X + 1; t < EV_CODE_COUNT; t++) {
		size_t len = strlen(event_table[t].name);

		ASSERT(len <= sizeof(f->names->text));
		f->names[t].len = (uint8_t)len;
		memcpy(f->names[t].text, event_table[t].name, len);
	}
}

static unsigned count_percents(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '%';
	return n;
}

int format_parse(struct format **out, const char *text, struct err *e)
{
	struct format *f;
	int rc;

	if (!*text)
		return err_set(e, ERR_SYNTAX, 0, "empty formatting token");
	if (strlen(text) > UINT32_MAX / 2)
		return err_set(e, ERR_LIMIT, ERR_NO_POS, "the format is too long");
	unsigned max = count_percents(text) + 1;

	f = calloc(1, sizeof(*f));
	if (f) {
		f->steps = calloc(max, sizeof(*f->steps));
		f->json = calloc(max, sizeof(struct format_step *));
		f->last = calloc(max, sizeof(*f->last));
		f->lits = strdup(text);
	}
	if (!f || !f->steps || !f->json || !f->last || !f->lits) {
		format_free(f);
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	}
	f->star = *text == '*';
	rc = parse_steps(f, text, f->star, e);
	if (rc < 0) {
		format_free(f);
		return rc;
	}
	sum_up(f);
	sort_keys(f);
	*out = f;
	return 0;
}

void format_free(struct format *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->nsteps; i++) {
		if (f->steps[i].ref.info)
			field_ref_fini(&f->steps[i].ref);
		free(f->steps[i].key);
	}
	free(f->steps);
	free(f->json);
	free(f->last);
	free(f->lits);
	free(f);
}

uint32_t format_demand(const struct format *f)
{
	return f->demand | f->params_demand;
}

uint32_t format_demand_for(const struct format *f, const struct demand *d)
{
	return f->demand | (f->params_demand & field_params_demand(d));
}

int format_each_field(const struct format *f, int (*fn)(void *ctx, const struct field_ref *r), void *ctx)
{
	int rc = 0;

	for (unsigned i = 0; i < f->nsteps && !rc; i++)
		if (f->steps[i].ref.info)
			rc = fn(ctx, &f->steps[i].ref);
	return rc;
}

bool format_looks_back(const struct format *f, const struct render_opts *ro)
{
	return f->looks_back || (f->has_outputtime && ro->time_type == 'D' && !ro->json);
}

/* ---- printing
 * ------------------------------------------------------------------------------------ */

static bool put_list(const struct format_step *s, struct field_env *env, struct buf *out)
{
	struct value_list l;

	field_get_list(&s->ref, env, &l);
	if (!l.n)
		return false;
	buf_putc(out, '(');
	for (uint32_t i = 0; i < l.n; i++) {
		if (i)
			buf_putc(out, ',');
		render_value(out, &l.v[i], s->ref.fmt, env->ro);
	}
	buf_putc(out, ')');
	return true;
}

static NO_INLINE bool put_field(const struct format_step *s, struct field_env *env, struct buf *out)
{
	struct value v;

	if (s->ref.info->flags & FF_LIST)
		return put_list(s, env, out);
	field_get(&s->ref, env, &v);
	if (v.has)
		render_value(out, &v, s->ref.fmt, env->ro);
	return v.has;
}

static void fit_width(struct buf *out, size_t start, uint32_t width)
{
	size_t len = out->len - start;

	if (len < width && buf_room(out, width - len))
		memset(out->p + out->len, ' ', width - len);
	if (!buf_failed(out))
		out->len = start + width;
}

/* The fields that take the buffer; false if the event has no value. */
static bool put_slow(const struct format *f, const struct format_step *s, struct field_env *env,
		     struct buf *out)
{
	struct evctx *c = env->c;
	const struct thread_ver *v = NULL;

	switch (s->op) {
	case FO_OUTPUTTIME:
		if (env->ro->time_type == 'D')
			render_delta(out, env, &f->last[s - f->steps]);
		else
			render_time(out, env, env->ro->time_type);
		return true;
	case FO_COMM:
		if (!evctx_thread(c, &v) || !v)
			return put_field(s, env, out);
		buf_put(out, v->comm->s, v->comm->len);
		return true;
	case FO_TYPE:
		buf_puts(out, event_name(&c->ev, env->ro->compat029));
		return true;
	case FO_INFO:
		render_info(out, env);
		return true;
	case FO_ARGS:
		render_args(out, env);
		return true;
	default:
		return put_field(s, env, out);
	}
}

/* The fields of nearly every line, written at p, where there is room for STEP_ROOM bytes. NULL: not
 * one of them, or not in this event. */
static ALWAYS_INLINE char *put_quick(const struct format *f, const struct format_step *s,
				     struct field_env *env, char *p)
{
	struct evctx *c = env->c;
	const struct thread_ver *v = NULL;

	switch (s->op) {
	case FO_NUM:
		return num_u64(p, c->num);
	case FO_CPU:
		return num_u64(p, c->ev.cpu);
	case FO_TID:
		return c->ev.tid >= 0 ? num_u64(p, (uint64_t)c->ev.tid) : NULL;
	case FO_DIR:
		*p = event_table[c->ev.type].is_exit ? '<' : '>';
		return p + 1;
	case FO_OUTPUTTIME:
		return env->ro->time_type == 'h' || !env->ro->time_type ? render_clock(p, c->ev.ts)
									: NULL;
	case FO_COMM:
		if (!evctx_thread(c, &v) || !v || v->comm->len > STEP_ROOM)
			return NULL;
		memcpy(p, v->comm->s, v->comm->len);
		return p + v->comm->len;
	case FO_TYPE:
		if (!f->names[c->ev.type].len)
			return NULL;
		memcpy(p, f->names[c->ev.type].text, sizeof(f->names->text));
		return p + f->names[c->ev.type].len;
	default:
		return NULL;
	}
}

/* One step through the buffer, with everything that can happen to it. False: the line is dropped.
 */
static NO_INLINE bool put_step(const struct format *f, const struct format_step *s,
			       struct field_env *env, struct buf *out)
{
	size_t start;
	char *q;

	if (s->lit_len)
		buf_put(out, f->lits + s->lit, s->lit_len);
	else
		buf_put(out, s->text, s->text_len);
	start = out->len;
	if (!buf_room(out, STEP_ROOM))
		return true;
	q = put_quick(f, s, env, out->p + start);
	if (q) {
		out->len = (size_t)(q - out->p);
	} else if (!put_slow(f, s, env, out)) {
		if (!f->star)
			return false;
		buf_lit(out, "<NA>");
	}
	if (s->width)
		fit_width(out, start, s->width);
	return true;
}

/* Quick steps run on a pointer behind what out holds, with room for all that is left if it were
 * quick. */
static bool put_text(const struct format *f, struct field_env *env, struct buf *out)
{
	size_t start = out->len;

	if (!buf_room(out, f->line_room))
		return true;
	char *p = out->p + start;

	for (const struct format_step *s = f->steps; s->op != FO_END; s++) {
		if (LIKELY(!s->plain)) {
			memcpy(p, s->text, STEP_TEXT);
			char *q = put_quick(f, s, env, p + s->text_len);

			if (LIKELY(q)) {
				p = q;
				continue;
			}
		}
		out->len = (size_t)(p - out->p);
		if (!put_step(f, s, env, out)) {
			out->len = start;
			return false;
		}
		if (!buf_room(out, f->line_room))
			return true;
		p = out->p + out->len;
	}
	out->len = (size_t)(p - out->p);
	const struct format_step *end = &f->steps[f->nsteps - 1];
	buf_put(out, end->lit_len ? f->lits + end->lit : end->text,
		end->lit_len ? end->lit_len : end->text_len);
	return true;
}

bool format_text(const struct format *f, struct field_env *env, struct buf *out)
{
	uint64_t *lookback = env->lookback;
	bool done;

	if (UNLIKELY(f->looks_back))
		env->lookback = f->last;
	done = env->ro->json ? format_json(f, env, out) : put_text(f, env, out);
	env->lookback = lookback;
	return done;
}

bool format_event(const struct format *f, struct field_env *env, struct buf *out)
{
	if (!format_text(f, env, out))
		return false;
	buf_putc(out, '\n');
	return true;
}
