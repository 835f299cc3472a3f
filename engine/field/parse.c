/* From text to a field reference: longest name, argument, demand, and good error messages. */
#include <stdlib.h>

#include "field/field.h"
#include "field/field_int.h"

/* ---- nearest name ---- */

enum { NAME_MAX_LEN = 64 };

/* Edits (insert, delete, replace, swap of neighbours) that make b of a; both shorter than
 * NAME_MAX_LEN. */
static unsigned edit_distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned row[3][NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned d = up[j - 1] + (a[i - 1] != b[j - 1]);

			d = MIN(d, MIN(up[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MIN(d, up2[j - 2] + 1);
			cur[j] = d;
		}
	}
	return row[la % 3][lb];
}

static size_t common_prefix(const char *a, size_t la, const char *b)
{
	size_t n = 0;

	while (n < la && a[n] == b[n])
		n++;
	return n;
}

/* The field whose name is most like the text: fewest edits, then most letters right from the start.
 * NULL if none is near. */
static const struct field_info *nearest_field(const char *text, size_t len)
{
	const struct field_info *f, *best = NULL;
	unsigned n, best_d = len < 6 ? 2 : 3;
	size_t best_p = 0;

	if (len >= NAME_MAX_LEN)
		return NULL;
	f = field_table(&n);
	for (; n; n--, f++) {
		unsigned d = edit_distance(text, len, f->name, strlen(f->name));
		size_t p = common_prefix(text, len, f->name);

		if (d > best_d || (best && d == best_d && p <= best_p) || (f->flags & FF_HIDDEN))
			continue;
		best = f;
		best_d = d;
		best_p = p;
	}
	return best;
}

static int unknown_field(const char *text, size_t len, struct err *e)
{
	const struct field_info *near;
	size_t n = 0;

	while (n < len && (isalnum_c(text[n]) || text[n] == '.' || text[n] == '_'))
		n++;
	if (!n)
		return err_set(e, ERR_SYNTAX, 0, "expected a field name");
	near = nearest_field(text, n);
	if (near)
		return err_set(e, ERR_SYNTAX, 0, "unknown field '%.*s', did you mean '%s'?",
			       (int)MIN(n, 100), text, near->name);
	return err_set(e, ERR_SYNTAX, 0, "unknown field '%.*s'", (int)MIN(n, 100), text);
}

/* ---- arguments ---- */

struct arg_parse {
	const char *text; /* behind the field name */
	size_t len;
	size_t at; /* consumed */
	struct field_ref *r;
	const struct field_info *info;
	size_t name_len; /* of the field: position of the argument in the whole text */
	struct err *e;
};

static int arg_error(const struct arg_parse *p, const char *what)
{
	return err_set(p->e, ERR_SYNTAX, p->name_len + p->at, "%s: %s", p->info->name, what);
}

static int arg_set_text(struct arg_parse *p, const char *s, size_t n)
{
	char *copy = malloc(n + 1);

	if (!copy)
		return err_set(p->e, -12, ERR_NO_POS, "out of memory");
	memcpy(copy, s, n);
	copy[n] = 0;
	p->r->arg_kind = FA_TEXT;
	p->r->arg_text = copy;
	p->r->arg_len = (uint32_t)n;
	return 0;
}

/* "[-]digits]" at the bracket; false when it is something else. Saturates. */
static bool arg_number(struct arg_parse *p)
{
	size_t i = p->at + 1;
	bool neg = i < p->len && p->text[i] == '-';
	int64_t v = 0;
	size_t first;

	first = i += neg;
	for (; i < p->len && p->text[i] >= '0' && p->text[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, p->text[i] - '0', &v))
			v = INT64_MAX;
	if (i == first || i >= p->len || p->text[i] != ']')
		return false;
	p->r->arg_kind = FA_INDEX;
	p->r->arg_index = neg ? -v : v;
	p->at = i + 1;
	return true;
}

static int arg_index(struct arg_parse *p)
{
	if (arg_number(p))
		return 0;
	p->at++;
	return arg_error(p, "expected a number and ']'");
}

/* "[text]" or "['text']". */
static int arg_bracket_text(struct arg_parse *p)
{
	size_t from = p->at + 1, to;
	char q = from < p->len && (p->text[from] == '"' || p->text[from] == '\'') ? p->text[from]
										  : 0;

	from += q != 0;
	for (to = from; to < p->len && (q ? p->text[to] != q : !strchr("[]\"' \t\n", p->text[to]));
	     to++)
		;
	p->at = to;
	if (to == from || to >= p->len || (q && ++p->at >= p->len) || p->text[p->at] != ']')
		return arg_error(p, "expected a text and ']'");
	p->at++;
	return arg_set_text(p, p->text + from, to - from);
}

static int arg_text_or_index(struct arg_parse *p)
{
	return arg_number(p) ? 0 : arg_bracket_text(p);
}

static bool is_cgroup_char(char c)
{
	return isalnum_c(c) == 1 || c == '_';
}
static bool is_key_char(char c)
{
	return isalnum_c(c) || c == '_' || c == '-' || c == '.' || c == '/';
}

/* ".name" of characters for which ok says yes. */
static int arg_dot_name(struct arg_parse *p, bool (*ok)(char))
{
	size_t from = p->at + 1, to = from;

	while (to < p->len && ok(p->text[to]))
		to++;
	if (to == from)
		return arg_error(p, "expected a name behind the dot");
	p->at = to;
	return arg_set_text(p, p->text + from, to - from);
}

/* Length of the longest name that text begins with, among those that next() yields; 0 = none. */
static size_t longest_name(const char *text, size_t len, const char *name, size_t best)
{
	size_t n = strlen(name);

	return n > best && n <= len && !memcmp(text, name, n) ? n : best;
}

/* Longest parameter name over the whole event table. */
static int arg_param(struct arg_parse *p)
{
	const char *s = p->text + p->at + 1;
	size_t n = 0, len = p->len - p->at - 1;

	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		const struct event_info *i = &event_table[code];

		for (unsigned k = 0; k < MAX(i->nparams, i->nparams_029); k++)
			n = longest_name(s, len, i->params[k].name, n);
		for (unsigned k = 0; k < i->nparams; k++)
			n = longest_name(s, len, i->params_new[k].name, n);
	}
	p->at++;
	if (!n)
		return arg_error(p, "no event has a parameter of that name");
	p->at += n;
	return arg_set_text(p, s, n);
}

/* Longest event or system call name. */
static int arg_event(struct arg_parse *p)
{
	const char *s = p->text + p->at + 1;
	size_t n = 0, len = p->len - p->at - 1;

	for (unsigned code = 0; code < EV_CODE_COUNT; code++)
		n = longest_name(s, len, event_table[code].name, n);
	for (unsigned id = 0; id < SC_CODE_COUNT; id++)
		if (ppm_sc_name(id))
			n = longest_name(s, len, ppm_sc_name(id), n);
	p->at++;
	if (!n)
		return arg_error(p, "no event of that name");
	p->at += n;
	return arg_set_text(p, s, n);
}

static int arg_srcdst(struct arg_parse *p)
{
	const char *s = p->text + p->at;

	if (p->len - p->at < 4 || (memcmp(s, ".src", 4) && memcmp(s, ".dst", 4)))
		return 0;
	p->at += 4;
	return arg_set_text(p, s + 1, 3);
}

static int parse_arg(struct arg_parse *p)
{
	char c = p->at < p->len ? p->text[p->at] : 0;

	switch (p->info->arg) {
	case FAF_PARAM:
		return c == '.' ? arg_param(p) : c == '[' ? arg_index(p) : 0;
	case FAF_PARAM_NAME:
		return c == '.' ? arg_param(p) : 0;
	case FAF_EVENT:
		return c == '.' ? arg_event(p) : 0;
	case FAF_INDEX:
		return c == '[' ? arg_index(p) : 0;
	case FAF_NAME_OR_INDEX:
		return c == '.' ? arg_dot_name(p, is_key_char) : c == '[' ? arg_index(p) : 0;
	case FAF_SRCDST:
		return arg_srcdst(p);
	case FAF_CGROUP:
		return c == '.' ? arg_dot_name(p, is_cgroup_char) : 0;
	case FAF_KEY:
		return c == '.' ? arg_dot_name(p, is_key_char) : 0;
	case FAF_TEXT:
		return c == '[' ? arg_text_or_index(p) : 0;
	case FAF_OPT_INDEX:
		/* In a format a bracket behind an optional argument may be plain text. */
		if (c == '[')
			(void)arg_number(p);
		return 0;
	case FAF_OPT_TEXT:
		return c == '[' ? arg_text_or_index(p) : 0;
	default:
		return 0;
	}
}

static const char *missing_arg(const struct field_info *f)
{
	switch (f->arg) {
	case FAF_PARAM:
		return "needs a parameter, as in evt.arg.fd or evt.arg[0]";
	case FAF_PARAM_NAME:
		return "needs the name of a parameter, as in evt.rawarg.res";
	case FAF_EVENT:
		return "needs the name of an event, as in evt.type.is.open";
	case FAF_INDEX:
		return "needs a number in brackets";
	case FAF_NAME_OR_INDEX:
		return "needs .NAME or [NUMBER]";
	case FAF_CGROUP:
		return "needs the name of a subsystem, as in thread.cgroup.cpu";
	case FAF_KEY:
		return "needs a label, as in k8s.pod.label.app";
	default:
		return "needs an argument in brackets";
	}
}

/* ---- what a use needs ---- */

/* State that the text of a parameter needs: names of descriptors, processes, users, the directory.
 */
static uint32_t param_demand(unsigned type)
{
	switch (type) {
	/* Paths: the current directory may be one that fchdir took from a descriptor. */
	case PT_FD:
	case PT_FDLIST:
	case PT_FSPATH:
	case PT_FSRELPATH:
	case PT_DYN:
	case PT_FD32:
		return DEMAND_FDS;
	case PT_PID:
	case PT_PID32:
		return DEMAND_THREADS;
	case PT_UID:
	case PT_GID:
		return DEMAND_USERS;
	default:
		return 0;
	}
}

uint32_t field_params_demand(const struct demand *d)
{
	const uint32_t fd_flags =
		EF_CREATES_FD | EF_DESTROYS_FD | EF_USES_FD | EF_READS_FROM_FD | EF_WRITES_TO_FD;
	uint32_t bits = 0;

	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		const struct event_info *info = &event_table[code];

		if (!demand_type(d, code))
			continue;
		/* The text may depend on the descriptor though no parameter names it (data written
		 * to syslog). */
		bits |= (info->flags | info->flags_029) & fd_flags ? DEMAND_FDS : 0;
		for (unsigned k = 0; k < MAX(info->nparams, info->nparams_029); k++)
			bits |= param_demand(info->params[k].type);
		for (unsigned k = 0; k < info->nparams; k++)
			bits |= param_demand(info->params_new[k].type);
	}
	return bits;
}

static bool param_is(const struct param_info *p, const struct field_ref *r)
{
	return !strcmp(p->name, r->arg_text);
}

/* evt.arg.X and evt.rawarg.X: over all parameters of that name. The type of evt.rawarg.X is that of
 * the first event that has it, as in sysdig. */
static void resolve_param(struct field_ref *r)
{
	bool found = false;
	uint32_t demand = 0;

	for (unsigned code = 0; code < EV_CODE_COUNT; code++) {
		const struct event_info *info = &event_table[code];

		for (unsigned k = 0; k < MAX(info->nparams, info->nparams_029); k++) {
			if (!param_is(&info->params[k], r))
				continue;
			demand |= param_demand(info->params[k].type);
			if (r->info->arg == FAF_PARAM_NAME && !found) {
				r->type = info->params[k].type;
				r->fmt = r->type == PT_BYTEBUF ? PF_ID : info->params[k].fmt;
			}
			found = true;
		}
	}
	r->demand = r->info->arg == FAF_PARAM_NAME ? 0 : demand;
}

int field_parse(struct field_ref *out, const char *text, size_t len, size_t *used, struct err *e)
{
	const struct field_info *f = field_find_prefix(text, len);
	struct field_ref r = {.info = f};
	struct arg_parse p;
	int rc;

	if (!f)
		return unknown_field(text, len, e);
	r.type = f->type;
	r.fmt = f->fmt;
	r.demand = f->demand;
	p = (struct arg_parse){.r = &r, .info = f, .name_len = strlen(f->name), .e = e};
	p.text = text + p.name_len;
	p.len = len - p.name_len;
	rc = parse_arg(&p);
	if (!rc && (f->flags & FF_ARG_REQUIRED) && r.arg_kind == FA_NONE)
		rc = arg_error(&p, missing_arg(f));
	if (rc) {
		field_ref_fini(&r);
		return rc;
	}
	if (r.arg_kind == FA_TEXT && (f->arg == FAF_PARAM || f->arg == FAF_PARAM_NAME))
		resolve_param(&r);
	*used = p.name_len + p.at;
	*out = r;
	return 0;
}

void field_ref_fini(struct field_ref *r)
{
	free((char *)r->arg_text);
	r->arg_text = NULL;
	r->arg_len = 0;
}
