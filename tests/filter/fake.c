#include "fake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "field/field_int.h"
#include "filter/filter_int.h"

/* ---- the table, without extractors ----------------------------------------------------------- */

static struct field_info fields[] = {
#define F(name_, cls_, type_, fmt_, arg_, since, flags_, demand_, getter, sel_, lister, help_) \
	{.name = name_,                                                                        \
	 .cls = cls_,                                                                          \
	 .type = PT_##type_,                                                                   \
	 .fmt = PF_##fmt_,                                                                     \
	 .arg = FAF_##arg_,                                                                    \
	 .flags = flags_,                                                                      \
	 .demand = demand_,                                                                    \
	 .sel = sel_,                                                                          \
	 .help = help_},
#include "field/fields.def"
#undef F
};

const struct field_info *field_table(unsigned *n)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		fields[i].id = (uint16_t)i;
	*n = ARRAY_SIZE(fields);
	return fields;
}

/* Only the listings ask for them. */
const struct field_class *field_classes(unsigned *n)
{
	*n = 0;
	return NULL;
}

const struct field_info *field_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == len && !memcmp(fields[i].name, name, len))
			return &fields[i];
	return NULL;
}

const struct field_info *field_find_prefix(const char *text, size_t len)
{
	const struct field_info *best = NULL;

	for (size_t n = 1; n <= len; n++) {
		const struct field_info *f = field_find(text, n);

		best = f ? f : best;
	}
	return best;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void ref_arg(const struct field_ref *r, char out[32])
{
	out[0] = '\0';
	if (r->arg_kind == FA_INDEX)
		snprintf(out, 32, "[%lld]", (long long)r->arg_index);
	else if (r->arg_kind == FA_TEXT)
		snprintf(out, 32, "%s", r->arg_text);
}

static const struct fake_value *find(const struct fake_event *fe, const struct field_ref *r)
{
	char arg[32];

	ref_arg(r, arg);
	for (uint32_t i = 0; i < fe->nvalues; i++)
		if (!strcmp(fe->value[i].info->name, r->info->name) &&
		    !strcmp(fe->value[i].arg, arg))
			return &fe->value[i];
	return NULL;
}

/* Fields that follow from the event itself, as in the real stage. */
static bool computed(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct event *ev = &env->c->ev;
	const char *name = r->info->name, *text = NULL;

	if (!strcmp(name, "evt.type"))
		text = event_name(ev, false);
	else if (!strcmp(name, "syscall.type") && (event_info(ev)->category & EC_SYSCALL))
		text = event_name(ev, false);
	else if (!strcmp(name, "evt.dir"))
		text = ev->type & 1 ? "<" : ">";
	if (text) {
		v->has = true;
		v->s = text;
		v->len = (uint32_t)strlen(text);
		return true;
	}
	v->has = true;
	if (!strcmp(name, "evt.cpu"))
		v->i = (int16_t)ev->cpu;
	else if (!strcmp(name, "thread.tid"))
		v->i = ev->tid;
	else if (!strncmp(name, "evt.rawtime", 11))
		v->u = !strcmp(name + 11, ".s")	   ? ev->ts / 1000000000
		       : !strcmp(name + 11, ".ns") ? ev->ts % 1000000000
						   : ev->ts;
	else if (!strcmp(name, "evt.is_wait"))
		v->u = (event_info(ev)->flags & EF_WAITS) != 0;
	else if (!strcmp(name, "evt.count"))
		v->u = 1;
	else
		v->has = false;
	return v->has;
}

/* evt.deltatime: time since the last evaluation at this place. */
static void deltatime(const struct field_ref *r, struct field_env *env, struct value *v)
{
	uint64_t *last = &env->lookback[r->place];

	v->has = true;
	v->u = *last ? env->c->ev.ts - *last : 0;
	*last = env->c->ev.ts;
}

void field_get(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct fake_event *fe = (struct fake_event *)env->c;
	const struct fake_value *fv;

	memset(v, 0, sizeof(*v));
	v->type = r->type;
	if (r->info->flags & FF_LOOKS_BACK) {
		deltatime(r, env, v);
		return;
	}
	if (computed(r, env, v) || (r->info->flags & FF_HEADER_ONLY))
		return;
	fe->gets++;
	fv = filter_field_possible(r, env->c->ev.type, false) ? find(fe, r) : NULL;
	if (fv && fv->n)
		*v = fv->v[0];
	if (r->arg_kind == FA_INDEX && !fv &&
	    !strncmp(r->info->name, "proc.a", 6)) { /* ancestor by number */
		struct field_ref whole = {.info = r->info};
		const struct fake_value *all = find(fe, &whole);

		if (all && r->arg_index >= 1 && r->arg_index <= all->n)
			*v = all->v[r->arg_index - 1];
	}
}

void field_get_list(const struct field_ref *r, struct field_env *env, struct value_list *l)
{
	struct fake_event *fe = (struct fake_event *)env->c;
	const struct fake_value *fv =
		filter_field_possible(r, env->c->ev.type, false) ? find(fe, r) : NULL;

	fe->gets++;
	*l = fv ? (struct value_list){fv->v, fv->n} : (struct value_list){NULL, 0};
}

/* Events stand alone here: nothing is shared by several. */
void evctx_move(struct evctx *c, uint32_t idx) {}
/* The values are made up, latencies of enter events too. */
bool evctx_type_latency(const struct demand *d, unsigned type)
{
	return true;
}
unsigned evctx_slot_stable(struct evctx *c, uint32_t slot)
{
	return 0;
}
bool evctx_fd_plain(struct evctx *c, const struct fd_ver **f, uint64_t *until)
{
	return false;
}

/* ---- making events --------------------------------------------------------------------------- */

void fake_event_init(struct fake_event *fe)
{
	memset(fe, 0, sizeof(*fe));
	fe->lens[0] = 2;
	fe->c.ev.hdr = fe->c.ev.data = fe->data;
	fe->c.ev.lens = fe->lens;
	fe->c.ev.nparams = 1;
	fe->c.ev.ts = 1700000000000000000ull;
}

bool fake_event_type(struct fake_event *fe, const char *name, bool exit)
{
	for (unsigned code = EV_GENERIC_X + 1; code < EV_CODE_COUNT; code++)
		if (!strcmp(event_table[code].name, name) && (code & 1) == exit &&
		    event_table[code].params) {
			fe->c.ev.type = (uint16_t)code;
			return true;
		}
	for (unsigned sc = 0; sc < SC_CODE_COUNT; sc++)
		if (ppm_sc_name(sc) && !strcmp(ppm_sc_name(sc), name)) {
			fe->c.ev.type = exit ? EV_GENERIC_X : EV_GENERIC_E;
			fe->data[0] = (uint8_t)sc;
			fe->data[1] = (uint8_t)(sc >> 8);
			return true;
		}
	return false;
}

static const char *keep(struct fake_event *fe, const void *p, size_t len)
{
	char *at = fe->text + fe->used;

	if (fe->used + len > sizeof(fe->text))
		return NULL;
	if (len)
		memcpy(at, p, len);
	fe->used += len;
	return at;
}

struct fake_value *fake_add(struct fake_event *fe, const char *field)
{
	struct fake_value *fv = &fe->value[fe->nvalues];
	struct field_ref r;
	size_t used;

	if (fe->nvalues == FAKE_MAX_VALUES || field_parse(&r, field, strlen(field), &used, NULL) ||
	    used != strlen(field))
		return NULL;
	fv->info = r.info;
	fv->n = 0;
	fv->v[0].type = r.type;
	ref_arg(&r, fv->arg);
	field_ref_fini(&r);
	fe->nvalues++;
	return fv;
}

bool fake_add_item(struct fake_event *fe, struct fake_value *fv, uint8_t type, const char *text,
		   size_t len)
{
	struct value *v = &fv->v[fv->n];
	char tmp[64];
	uint8_t addr[16];

	if (fv->n == FAKE_MAX_ITEMS)
		return false;
	*v = (struct value){.type = type, .has = true};
	snprintf(tmp, sizeof(tmp), "%.*s", (int)len, text);
	fv->n++;
	switch (type) {
	case PT_CHARBUF:
	case PT_FSPATH:
	case PT_FSRELPATH:
	case PT_BYTEBUF:
		v->len = (uint32_t)len;
		v->s = keep(fe, text, len);
		return v->s != NULL;
	case PT_IPADDR:
	case PT_IPNET:
		v->len = inet_pton(AF_INET, tmp, addr) == 1    ? 4
			 : inet_pton(AF_INET6, tmp, addr) == 1 ? 16
							       : 0;
		v->s = keep(fe, addr, v->len);
		return v->len && v->s;
	case PT_BOOL:
		v->u = !strcmp(tmp, "true");
		return true;
	case PT_DOUBLE:
		v->d = strtod(tmp, NULL);
		return true;
	default:
		if (tmp[0] == '-')
			v->i = strtoll(tmp, NULL, 10);
		else
			v->u = strtoull(tmp, NULL, 10);
		return true;
	}
}

/* One value from *s: quoted by ' or up to a blank or comma; \xHH inside. */
static size_t take_value(const char **s, char *out, size_t cap)
{
	bool quoted = **s == '\'';
	size_t n = 0;

	for (*s += quoted; **s && n + 1 < cap && (quoted ? **s != '\'' : **s != ' ' && **s != ',');
	     (*s)++) {
		unsigned byte;

		if ((*s)[0] == '\\' && (*s)[1] == 'x' && sscanf(*s + 2, "%2x", &byte) == 1) {
			out[n++] = (char)byte;
			*s += 3;
		} else {
			out[n++] = **s;
		}
	}
	*s += quoted && **s;
	return n;
}

static bool header_value(struct fake_event *fe, const char *field, const char *text)
{
	if (!strcmp(field, "evt.cpu"))
		fe->c.ev.cpu = (uint16_t)atoi(text);
	else if (!strcmp(field, "thread.tid"))
		fe->c.ev.tid = atoll(text);
	else if (!strcmp(field, "evt.rawtime"))
		fe->c.ev.ts = strtoull(text, NULL, 10);
	else
		return false;
	return true;
}

bool fake_event_parse(struct fake_event *fe, const char *s, const char **why)
{
	char field[64], value[512], type[64] = "read";
	bool exit = false;

	fake_event_init(fe);
	for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
		size_t n = strcspn(s, "="), len;
		struct fake_value *fv;

		*why = "expected field=value";
		if (!s[n] || n >= sizeof(field))
			return false;
		memcpy(field, s, n);
		field[n] = '\0';
		s += n + 1;
		if (!strcmp(field, "evt.type") || !strcmp(field, "evt.dir") ||
		    !strcmp(field, "evt.cpu") || !strcmp(field, "thread.tid") ||
		    !strcmp(field, "evt.rawtime")) {
			len = take_value(&s, value, sizeof(value));
			value[len] = '\0';
			if (!strcmp(field, "evt.type"))
				snprintf(type, sizeof(type), "%.60s", value);
			else if (!header_value(fe, field, value))
				exit = value[0] == '<';
			continue;
		}
		fv = fake_add(fe, field);
		*why = "unknown field";
		if (!fv)
			return false;
		do {
			uint8_t t = fv->v[0].type;

			len = take_value(&s, value, sizeof(value));
			*why = "bad value";
			if (!fake_add_item(fe, fv, t, value, len))
				return false;
		} while (*s == ',' && *s++);
	}
	*why = "unknown event type";
	return fake_event_type(fe, type, exit);
}
