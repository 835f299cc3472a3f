/* Transformers: what filter_funcs.def names, computed. Texts are built in the event's scratch
 * memory; when that is out the result has no value. */
#include "filter/filter_int.h"

static struct value text_value(const char *s, uint32_t len, uint8_t type)
{
	return (struct value){.type = type, .has = s != NULL, .len = len, .s = s};
}

/* ---- one text to one text -------------------------------------------------------------------- */

static struct value fold_case(const struct value *v, struct arena *a, char lo, char hi)
{
	char *out = arena_alloc(a, v->len + 1);

	for (uint32_t i = 0; out && i < v->len; i++)
		out[i] = v->s[i] >= lo && v->s[i] <= hi ? (char)(v->s[i] ^ 0x20) : v->s[i];
	return text_value(out, v->len, v->type);
}

static struct value base_name(const struct value *v)
{
	const char *slash = v->len ? memrchr(v->s, '/', v->len) : NULL;
	uint32_t skip = slash ? (uint32_t)(slash - v->s) + 1 : 0;

	return text_value(v->s + skip, v->len - skip, v->type);
}

static int b64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padding may be missing; a single left-over digit is an error. */
static struct value b64(const struct value *v, struct arena *a)
{
	uint32_t len = v->len, n = 0, acc = 0;
	char *out;

	for (int pad = 0; pad < 2 && len && v->s[len - 1] == '='; pad++)
		len--;
	out = len % 4 == 1 || (len != v->len && v->len % 4) ? NULL
							    : arena_alloc(a, len / 4 * 3 + 3);
	for (uint32_t i = 0; out && i < len; i++) {
		int d = b64_digit(v->s[i]);

		if (d < 0)
			return text_value(NULL, 0, v->type);
		acc = acc << 6 | (uint32_t)d;
		if (i % 4)
			out[n++] = (char)(acc >> (6 - 2 * (i % 4)));
	}
	return text_value(out, n, v->type);
}

static struct value map(unsigned func, const struct value *v, struct arena *a)
{
	switch (func) {
	case FF_tolower:
		return fold_case(v, a, 'A', 'Z');
	case FF_toupper:
		return fold_case(v, a, 'a', 'z');
	case FF_basename:
		return base_name(v);
	default:
		return b64(v, a);
	}
}

static void map_list(unsigned func, const struct value_list *in, struct arena *a,
		     struct value_list *out)
{
	struct value *v = arena_alloc(a, sizeof(*v) * (in->n ? in->n : 1));

	for (uint32_t i = 0; v && i < in->n; i++)
		v[i] = map(func, &in->v[i], a);
	if (v)
		*out = (struct value_list){v, in->n};
}

/* ---- the others ------------------------------------------------------------------------------ */

static struct value join(const struct value *sep, const struct value_list *l, struct arena *a)
{
	uint64_t total = 0;
	uint32_t n = 0;
	char *out;

	for (uint32_t i = 0; i < l->n; i++)
		total += l->v[i].len + (i ? sep->len : 0);
	out = total < UINT32_MAX ? arena_alloc(a, total + 1) : NULL;
	for (uint32_t i = 0; out && i < l->n; i++) {
		if (i && sep->len) {
			memcpy(out + n, sep->s, sep->len);
			n += sep->len;
		}
		if (l->v[i].len)
			memcpy(out + n, l->v[i].s, l->v[i].len);
		n += l->v[i].len;
	}
	return text_value(out, n, PT_CHARBUF);
}

static struct value concat(const struct fslot *s, struct filter_run *r, struct field_env *env)
{
	struct value *parts = arena_alloc(env->scratch, sizeof(*parts) * s->narg);
	struct value empty = {.type = PT_CHARBUF, .has = true, .s = ""};
	struct value_list l = {parts, s->narg};

	for (uint32_t i = 0; parts && i < s->narg; i++) {
		parts[i] = *slot_value(r, env, s->arg[i]);
		if (!parts[i].has)
			return text_value(NULL, 0, PT_CHARBUF);
	}
	return parts ? join(&empty, &l, env->scratch) : text_value(NULL, 0, PT_CHARBUF);
}

/* Options in the order in which they stand. One call gives one letter; arg NULL: it takes no value.
 */
struct optscan {
	const struct value_list *argv;
	const struct value *opts;
	uint32_t word, at; /* at: 0 = begin the word */
};

/* 0 unknown, 1 no value, 2 takes a value. */
static int option_kind(const struct value *opts, char c)
{
	for (uint32_t i = 0; c != ':' && i < opts->len; i++)
		if (opts->s[i] == c)
			return i + 1 < opts->len && opts->s[i + 1] == ':' ? 2 : 1;
	return 0;
}

static bool next_option(struct optscan *o, char *letter, struct value *arg)
{
	const struct value *w;
	int kind;

	for (; o->word < o->argv->n; o->word++, o->at = 0) {
		w = &o->argv->v[o->word];
		if (o->at && o->at < w->len)
			break;
		if (o->at)
			continue;
		if (w->len < 2 || w->s[0] != '-' || (w->len == 2 && w->s[1] == '-'))
			return false; /* the first word that is no option, or -- */
		if (w->s[1] != '-') {
			o->at = 1;
			break;
		}
	}
	if (o->word >= o->argv->n)
		return false;
	w = &o->argv->v[o->word];
	kind = option_kind(o->opts, w->s[o->at]);
	*letter = kind ? w->s[o->at] : '?';
	*arg = text_value(NULL, 0, PT_CHARBUF);
	o->at++;
	if (kind != 2)
		return true;
	if (o->at < w->len)
		*arg = text_value(w->s + o->at, w->len - o->at, PT_CHARBUF);
	else if (o->word + 1 < o->argv->n)
		*arg = text_value(o->argv->v[o->word + 1].s, o->argv->v[o->word + 1].len,
				  PT_CHARBUF);
	else
		*arg = text_value("", 0, PT_CHARBUF);
	o->word += o->at < w->len ? 1 : 2;
	o->at = 0;
	return true;
}

static struct value letter_value(char c, struct arena *a)
{
	return text_value(arena_dup(a, &c, 1), 1, PT_CHARBUF);
}

static void getopt_list(struct optscan *o, struct arena *a, struct value_list *out)
{
	struct optscan again = *o;
	struct value arg, *v;
	uint32_t n = 0;
	char c;

	while (next_option(&again, &c, &arg))
		n += 1 + arg.has;
	v = arena_alloc(a, sizeof(*v) * (n ? n : 1));
	for (n = 0; v && next_option(o, &c, &arg);) {
		v[n++] = letter_value(c, a);
		if (arg.has)
			v[n++] = arg;
	}
	if (v)
		*out = (struct value_list){v, n};
}

static struct value getopt_one(struct optscan *o, char opt, struct arena *a)
{
	struct value last = text_value(NULL, 0, PT_CHARBUF), arg;
	char c;

	while (next_option(o, &c, &arg))
		if (c == opt)
			last = arg.has ? arg : letter_value(c, a);
	return last;
}

static uint64_t length(const struct fslot *arg, const struct value *v)
{
	return arg->type == PT_BYTEBUF ? v->len : strnlen(v->s ? v->s : "", v->len);
}

static void call_len(const struct fslot *s, struct filter_run *r, struct field_env *env,
		     struct value *v)
{
	const struct fslot *arg = &r->f->slots[s->arg[0]];

	v->type = PT_UINT64;
	if (arg->is_list) {
		v->u = slot_list(r, env, s->arg[0])->n;
		v->has = arg->kind != FS_FIELD || v->u; /* an empty list field has no value */
	} else {
		const struct value *a = slot_value(r, env, s->arg[0]);

		v->has = a->has;
		v->u = a->has ? length(arg, a) : 0;
	}
}

static void call_getopt(const struct fslot *s, struct filter_run *r, struct field_env *env,
			struct value *v, struct value_list *l)
{
	struct optscan o = {.argv = slot_list(r, env, s->arg[0]),
			    .opts = slot_value(r, env, s->arg[1])};

	if (!o.opts->has)
		return;
	if (s->opt)
		*v = getopt_one(&o, s->opt, env->scratch);
	else
		getopt_list(&o, env->scratch, l);
}

void filter_call(const struct fslot *s, struct filter_run *r, struct field_env *env,
		 struct value *v, struct value_list *l)
{
	const struct value *a;

	switch (s->func) {
	case FF_len:
		call_len(s, r, env, v);
		return;
	case FF_join:
		a = slot_value(r, env, s->arg[0]);
		if (a->has &&
		    (r->f->slots[s->arg[1]].kind == FS_CONST || slot_list(r, env, s->arg[1])->n))
			*v = join(a, slot_list(r, env, s->arg[1]), env->scratch);
		return;
	case FF_concat:
		*v = concat(s, r, env);
		return;
	case FF_getopt:
		call_getopt(s, r, env, v, l);
		return;
	default:
		break;
	}
	if (s->is_list) {
		map_list(s->func, slot_list(r, env, s->arg[0]), env->scratch, l);
		return;
	}
	a = slot_value(r, env, s->arg[0]);
	if (a->has)
		*v = map(s->func, a, env->scratch);
}
