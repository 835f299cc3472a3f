/* What --help prints: the common options on one screen, or all of them. */
#include <stdio.h>

#include "cli/options.h"

enum { TITLE = 9, CELL = 35, NAME = 13 };

static const char usage[] = "usage: burin -r TRACE [options] [FILTER]       reads a trace\n"
			    "       burin -r TRACE -c CHISEL [ARGS] [FILTER]\n"
			    "       burin [options] [FILTER]                captures live\n"
			    "       burin [options] [FILTER] -- COMMAND     captures one command\n"
			    "       burin bench -r TRACE FILTER...          what filters cost\n";

/* The common options, by short or long name, in few words. Groups come from the table of options. */
static const struct {
	const char *name, *text;
} common[] = {
	{"r", "read a trace"},
	{"n", "stop after N events"},
	{"M", "stop at that time"},
	{"d", "filter the lines only"},
	{"U", "take a process out"},
	{"E", "no names of users"},
	{"pid", "only these"},
	{"doctor", "what is missing"},
	{"c", "run a chisel"},
	{"p", "line format (-pc)"},
	{"t", "time column"},
	{"j", "JSON lines"},
	{"q", "print no events"},
	{"X", "buffers: hex, ASCII"},
	{"A", "ASCII (-x hex -b 64)"},
	{"S", "table of counts"},
	{"P", "progress"},
	{"v", "uncut, statistics"},
	{"R", "names of ports"},
	{"w", "write a trace"},
	{"F", "keep what state needs"},
	{"z", "gzip it"},
	{"zstd", "or zstd"},
	{"workers", "threads (one per CPU)"},
	{"compat", "as sysdig 0.29.3"},
	{"l", "fields (-lv types)"},
	{"L", "events"},
	{"i", "chisel (-cl: all)"},
	{"explain", "compiled filter"},
	{"h", "--help=all: the rest"},
};

static bool option_find(const char *name, struct cli_option_info *info, const char **group)
{
	for (unsigned i = 0; cli_option_at(i, info); i++) {
		if (name[1] ? info->long_name && !strcmp(info->long_name, name) : info->short_name == name[0]) {
			*group = cli_option_group(i);
			return true;
		}
	}
	return false;
}

static void put_padded(struct buf *out, const char *s, size_t width)
{
	size_t n = strlen(s);

	buf_puts(out, s);
	for (; n < width; n++)
		buf_putc(out, ' ');
}

/* "-r FILE   text" */
static void cell_text(char *cell, size_t cap, const struct cli_option_info *info, const char *text)
{
	char name[40];

	if (info->short_name)
		snprintf(name, sizeof(name), "-%c %s", info->short_name,
			 info->arg_name && info->arg == 1 ? info->arg_name : "");
	else
		snprintf(name, sizeof(name), "--%s%s%s ", info->long_name, info->arg_name ? "=" : "",
			 info->arg_name ? info->arg_name : "");
	snprintf(cell, cap, "%-*s%s", NAME, name, text);
}

static void help_screen(struct buf *out)
{
	struct cli_option_info info;
	const char *last = NULL, *group;
	unsigned column = 0;
	size_t width = 0;
	char cell[128];

	buf_puts(out, usage);
	for (unsigned i = 0; i < ARRAY_SIZE(common); i++) {
		if (!option_find(common[i].name, &info, &group))
			continue;
		cell_text(cell, sizeof(cell), &info, common[i].text);
		if (column == 1 && group == last) {
			put_padded(out, "", CELL - MIN(width, (size_t)CELL - 1));
			buf_puts(out, cell);
			column = 2;
			continue;
		}
		if (last)
			buf_putc(out, '\n');
		put_padded(out, group == last ? "" : group, TITLE);
		buf_puts(out, cell);
		width = strlen(cell);
		last = group;
		column = 1;
	}
	buf_puts(out, "\nExample: burin -r t.scap 'proc.name=cat and fd.name contains /etc'\n"
		      "Exit status: 0 success, also when interrupted; 1 any error. See man burin.\n");
}

static void option_name(char *name, size_t cap, const struct cli_option_info *o)
{
	int n = snprintf(name, cap, o->short_name ? "-%c" : "  ", o->short_name);

	if (o->long_name)
		n += snprintf(name + n, cap - (size_t)n, "%s--%s", o->short_name ? ", " : "  ", o->long_name);
	if (o->arg_name && o->arg == 2)
		snprintf(name + n, cap - (size_t)n, "[=%s]", o->arg_name);
	else if (o->arg_name)
		snprintf(name + n, cap - (size_t)n, "%s%s", o->long_name ? "=" : " ", o->arg_name);
}

void cli_option_help(const struct cli_option_info *o, struct buf *out)
{
	char name[64];

	option_name(name, sizeof(name), o);
	buf_printf(out, "  %-28s %s\n", name, o->help);
}

/* Groups in the order in which the table begins them. */
static void help_all(struct buf *out)
{
	struct cli_option_info info;
	const char *group, *done[16];
	unsigned ndone = 0;

	buf_puts(out, usage);
	for (unsigned i = 0; cli_option_at(i, &info); i++) {
		bool seen = !(group = cli_option_group(i));

		for (unsigned k = 0; k < ndone; k++)
			seen |= done[k] == group;
		if (seen)
			continue;
		done[ndone++] = group;
		buf_printf(out, "\n%s\n", group);
		for (unsigned k = i; cli_option_at(k, &info); k++) {
			if (cli_option_group(k) == group)
				cli_option_help(&info, out);
		}
	}
	buf_puts(out, "\nExit status: 0 success, also when interrupted; 1 any error (what was read before a\n"
		      "damaged place is printed first).\n");
}

static void json_text(struct buf *out, const char *key, const char *s)
{
	buf_printf(out, ",\"%s\":", key);
	if (!s) {
		buf_lit(out, "null");
		return;
	}
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

void cli_options_json(cli_option_at_fn *at, const char *(*group)(unsigned n), struct buf *out)
{
	struct cli_option_info info;

	buf_lit(out, "[\n");
	for (unsigned i = 0; at(i, &info); i++) {
		char name[2] = {(char)info.short_name, 0};

		buf_printf(out, "%s{\"arg\":%d", i ? ",\n" : "", info.arg);
		json_text(out, "short", name[0] ? name : NULL);
		json_text(out, "long", info.long_name);
		json_text(out, "arg_name", info.arg_name);
		json_text(out, "group", group(i));
		json_text(out, "help", info.help);
		buf_putc(out, '}');
	}
	buf_lit(out, "\n]\n");
}

void cli_help_json(struct buf *out)
{
	cli_options_json(cli_option_at, cli_option_group, out);
}

void cli_help(bool all, struct buf *out)
{
	if (all)
		help_all(out);
	else
		help_screen(out);
}
