/* Listings of the fields: -l, -lv, markdown, JSON. Layout as in sysdig, texts ours. */
#include "field/field.h"

#include <stdio.h>

enum { COLUMNS = 120, INDENT = 30 };

/* Fields that are not listed exist for the tables of the full-screen interface and for tests. */
static bool listed(const struct field_info *f)
{
	return !(f->flags & (FF_TABLE_ONLY | FF_HIDDEN));
}

const char *field_type_name(unsigned type)
{
	static const char *const names[] = {
		[PT_INT8] = "INT8",
		[PT_INT16] = "INT16",
		[PT_INT32] = "INT32",
		[PT_INT64] = "INT64",
		[PT_UINT8] = "UINT8",
		[PT_UINT16] = "UINT16",
		[PT_UINT32] = "UINT32",
		[PT_UINT64] = "UINT64",
		[PT_CHARBUF] = "CHARBUF",
		[PT_BYTEBUF] = "BYTEBUF",
		[PT_ERRNO] = "ERRNO",
		[PT_SOCKADDR] = "SOCKADDR",
		[PT_SOCKTUPLE] = "SOCKTUPLE",
		[PT_FD] = "FD",
		[PT_PID] = "PID",
		[PT_FDLIST] = "FDLIST",
		[PT_FSPATH] = "FSPATH",
		[PT_SYSCALLID] = "SYSCALLID",
		[PT_SIGTYPE] = "SIGTYPE",
		[PT_RELTIME] = "RELTIME",
		[PT_ABSTIME] = "ABSTIME",
		[PT_PORT] = "PORT",
		[PT_L4PROTO] = "L4PROTO",
		[PT_SOCKFAMILY] = "SOCKFAMILY",
		[PT_BOOL] = "BOOL",
		[PT_IPV4ADDR] = "IPV4ADDR",
		[PT_DYN] = "DYNAMIC",
		[PT_FLAGS8] = "FLAGS8",
		[PT_FLAGS16] = "FLAGS16",
		[PT_FLAGS32] = "FLAGS32",
		[PT_UID] = "UID",
		[PT_GID] = "GID",
		[PT_DOUBLE] = "DOUBLE",
		[PT_SIGSET] = "SIGSET",
		[PT_CHARBUFARRAY] = "CHARBUFARRAY",
		[PT_CHARBUF_PAIR_ARRAY] = "CHARBUF_PAIR_ARRAY",
		[PT_IPV4NET] = "IPV4NET",
		[PT_IPV6ADDR] = "IPV6ADDR",
		[PT_IPV6NET] = "IPV6NET",
		[PT_IPADDR] = "IPADDR",
		[PT_IPNET] = "IPNET",
		[PT_MODE] = "MODE",
		[PT_FSRELPATH] = "FSRELPATH",
		[PT_ENUMFLAGS8] = "ENUMFLAGS8",
		[PT_ENUMFLAGS16] = "ENUMFLAGS16",
		[PT_ENUMFLAGS32] = "ENUMFLAGS32",
		[PT_FD32] = "FD32",
		[PT_PID32] = "PID32",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "NONE";
}

/* ---- text ---- */

static void put_blanks(struct buf *out, size_t n)
{
	while (n--)
		buf_putc(out, ' ');
}

/* Name padded to INDENT columns, then the text in words; further lines begin under the text. Every
 * word has a blank behind it, as in sysdig. */
static void put_entry(struct buf *out, const char *name, const char *prefix, const char *text)
{
	size_t col = MAX(strlen(name), INDENT - 1) + 1;

	buf_puts(out, name);
	put_blanks(out, col - strlen(name));
	buf_puts(out, prefix);
	col += strlen(prefix);
	while (*text) {
		size_t n = strcspn(text, " ");

		if (col + n + 1 > COLUMNS && col > INDENT) {
			buf_putc(out, '\n');
			put_blanks(out, INDENT);
			col = INDENT;
		}
		buf_put(out, text, n);
		buf_putc(out, ' ');
		col += n + 1;
		text += n + (text[n] == ' ');
	}
	buf_putc(out, '\n');
}

static void put_class(struct buf *out, const struct field_class *c)
{
	buf_lit(out, "-------------------------------\nField Class:                  ");
	buf_puts(out, c->name);
	if (c->applies)
		buf_printf(out, " (%s)", c->applies);
	buf_putc(out, '\n');
	put_entry(out, "Description:", "", c->help);
	buf_putc(out, '\n');
}

void field_list(struct buf *out, bool verbose)
{
	unsigned n, nclasses;
	const struct field_info *f = field_table(&n);
	const struct field_class *c = field_classes(&nclasses);
	char type[64];

	for (unsigned k = 0; k < nclasses; k++) {
		if (c[k].hidden)
			continue;
		put_class(out, &c[k]);
		for (unsigned i = 0; i < n; i++) {
			if (f[i].cls != k || !listed(&f[i]))
				continue;
			type[0] = 0;
			if (verbose)
				snprintf(type, sizeof(type), "(Type: %s) ",
					 field_type_name(f[i].type));
			put_entry(out, f[i].name, type, f[i].help);
		}
		buf_putc(out, '\n');
	}
}

void field_list_markdown(struct buf *out)
{
	unsigned n, nclasses;
	const struct field_info *f = field_table(&n);
	const struct field_class *c = field_classes(&nclasses);

	for (unsigned k = 0; k < nclasses; k++) {
		if (c[k].hidden)
			continue;
		buf_printf(out, "## Field Class: %s\n\n%s\n\n", c[k].name, c[k].help);
		buf_lit(out, "Name | Type | Description\n:----|:-----|:-----------\n");
		for (unsigned i = 0; i < n; i++)
			if (f[i].cls == k && listed(&f[i]))
				buf_printf(out, "`%s` | %s | %s\n", f[i].name,
					   field_type_name(f[i].type), f[i].help);
		buf_putc(out, '\n');
	}
}

/* ---- JSON ---- */

/* The texts are ours: plain ASCII, to be escaped only for quotes and backslashes. */
static void put_json(struct buf *out, const char *key, const char *s)
{
	buf_printf(out, "\"%s\":\"", key);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{FF_LIST, "list"},
	{FF_FILTER_ONLY, "filter_only"},
	{FF_PRINT_ONLY, "print_only"},
	{FF_ARG_REQUIRED, "arg_required"},
	{FF_ARG_OPTIONAL, "arg_optional"},
	{FF_NO_RHS, "no_rhs"},
	{FF_NO_TRANSFORMER, "no_transformer"},
	{FF_TABLE_ONLY, "table_only"},
	{FF_HEADER_ONLY, "header_only"},
	{FF_LOOKS_BACK, "looks_back"},
	{FF_DEPRECATED, "deprecated"},
};

static const char *arg_form_name(unsigned form)
{
	static const char *const names[] = {
		[FAF_NONE] = "none",
		[FAF_PARAM] = "param",
		[FAF_PARAM_NAME] = "param_name",
		[FAF_EVENT] = "event",
		[FAF_INDEX] = "index",
		[FAF_NAME_OR_INDEX] = "name_or_index",
		[FAF_SRCDST] = "src_dst",
		[FAF_CGROUP] = "cgroup",
		[FAF_KEY] = "key",
		[FAF_TEXT] = "text",
		[FAF_OPT_INDEX] = "opt_index",
		[FAF_OPT_TEXT] = "opt_text",
	};

	return names[form];
}

static void put_json_field(struct buf *out, const struct field_info *f)
{
	bool any = false;

	buf_putc(out, '{');
	put_json(out, "name", f->name);
	buf_putc(out, ',');
	put_json(out, "class", f->class_);
	buf_putc(out, ',');
	put_json(out, "type", field_type_name(f->type));
	buf_putc(out, ',');
	put_json(out, "argument", arg_form_name(f->arg));
	buf_lit(out, ",\"flags\":[");
	for (unsigned i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (f->flags & flag_names[i].flag) {
			buf_printf(out, "%s\"%s\"", any ? "," : "", flag_names[i].name);
			any = true;
		}
	}
	buf_printf(out, "],\"sysdig_0_29\":%s,\"newest\":%s,", f->known_029 ? "true" : "false",
		   f->known_new ? "true" : "false");
	put_json(out, "help", f->help);
	buf_putc(out, '}');
}

void field_list_json(struct buf *out)
{
	unsigned n;
	const struct field_info *f = field_table(&n);
	bool any = false;

	buf_lit(out, "[\n");
	for (unsigned i = 0; i < n; i++) {
		if (f[i].flags & FF_HIDDEN)
			continue;
		if (any)
			buf_lit(out, ",\n");
		put_json_field(out, &f[i]);
		any = true;
	}
	buf_lit(out, "\n]\n");
}
