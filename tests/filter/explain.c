/* usage: filter_explain FILE [--set]
 * Golden texts of --explain: FILE holds the outputs one behind the other, each beginning with the
 * line "filter: EXPRESSION" and ending with a blank line. Every expression is explained again and
 * must give the same text. --set rewrites the file (review the change like code). */
#include <stdio.h>
#include <stdlib.h>

#include "filter/filter_int.h"

static char *read_file(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!in || !text) {
		printf("%s: cannot be read\n", path);
		exit(1);
	}
	text[fread(text, 1, (1 << 20) - 1, in)] = '\0';
	fclose(in);
	return text;
}

static void explain(const char *expr, struct buf *out)
{
	struct filter *f;
	struct err e;

	if (filter_compile(&f, expr, false, &e)) {
		buf_printf(out, "filter: %s\nerror at %llu: %s\n", expr, (unsigned long long)e.pos,
			   e.msg);
		return;
	}
	filter_explain(f, out);
	filter_free(f);
}

static bool same_line(const char *a, const char *b)
{
	size_t n = strcspn(a, "\n");

	return n == strcspn(b, "\n") && !memcmp(a, b, n);
}

/* Shows the first line that differs. */
static void show(const char *want, const char *got)
{
	unsigned line = 1;

	while (*want && *got && same_line(want, got)) {
		want += strcspn(want, "\n") + 1;
		got += strcspn(got, "\n") + 1;
		line++;
	}
	printf("line %u:\n  expected: %.*s\n  got:      %.*s\n", line, (int)strcspn(want, "\n"),
	       want, (int)strcspn(got, "\n"), got);
}

int main(int argc, char **argv)
{
	char *text = read_file(argc > 1 ? argv[1] : "tests/golden/explain.txt"),
	     *copy = strdup(text), *line, *save;
	unsigned n = 0;
	struct buf out;
	bool same;

	setenv("TZ", "UTC", 1);
	buf_init(&out);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "filter: ", 8))
			continue;
		explain(line + 8, &out);
		buf_lit(&out, "\n");
		n++;
	}
	buf_putc(&out, '\0');
	same = !strcmp(text, out.p);
	if (!same && argc > 2 && !strcmp(argv[2], "--set")) {
		FILE *f = fopen(argv[1], "w");

		same = f && fputs(out.p, f) >= 0 && !fclose(f);
	} else if (!same) {
		show(text, out.p);
	}
	printf("%u filters explained\n", n);
	buf_fini(&out);
	free(text);
	free(copy);
	return !same || n < 30;
}
