/* usage: filter_triples FILE...
 * Runs the triples of tests/filter/NAME.txt: expression, event, verdict, one line each; '#' begins
 * a comment line, blank lines separate. The verdict is true or false. Engine, slow evaluator and
 * file must agree; the type bitmap and the digest's program must not reject what matches. */
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"
#include "oracle.h"

struct runner {
	unsigned passed, failed;
	const char *file;
	unsigned line;
};

static void bad(struct runner *t, const char *expr, const char *what)
{
	printf("%s:%u: %s: %s\n", t->file, t->line, expr, what);
	t->failed++;
}

static const char *agree(const struct filter *f, struct filter_run *r, struct oracle *o,
			 struct field_env *env, bool want)
{
	struct digest_pred p = filter_header_pred(f);
	const struct event *ev = &env->c->ev;
	struct demand d = {0};
	bool first;

	memset(d.types, 0xff, sizeof(d.types));
	filter_types(f, &d);
	first = demand_type(&d, ev->type) && (!p.fn || p.fn(p.ctx, ev));
	if (oracle_match(o, env) != want)
		return "the slow evaluator says otherwise";
	if (filter_match(r, env) != want)
		return "the engine says otherwise";
	if (want && !first)
		return "the digest rejects it";
	if (filter_header_decides(f) && first != want)
		return "the digest decides otherwise";
	return NULL;
}

static void run(struct runner *t, const char *expr, const char *event, const char *verdict)
{
	static struct fake_event fe;
	struct arena scratch;
	struct render_opts ro = {0};
	struct field_env env = {.c = &fe.c, .scratch = &scratch, .ro = &ro};
	struct filter *f = NULL;
	struct filter_run *r = NULL;
	struct oracle *o = NULL;
	struct err e;
	const char *why = NULL;

	arena_init(&scratch);
	if (filter_compile(&f, expr, false, &e) || oracle_new(&o, expr, &e))
		why = e.msg;
	else if (!fake_event_parse(&fe, event, &why))
		;
	else if (filter_run_new(&r, f))
		why = "out of memory";
	else
		why = strcmp(verdict, "true") && strcmp(verdict, "false")
			      ? "verdict must be true or false"
			      : agree(f, r, o, &env, verdict[0] == 't');
	if (why)
		bad(t, expr, why);
	else
		t->passed++;
	filter_run_free(r);
	filter_free(f);
	if (o)
		oracle_free(o);
	arena_fini(&scratch);
}

static void run_file(struct runner *t, const char *path)
{
	FILE *in = fopen(path, "r");
	char line[3][4096];
	unsigned n = 0;

	t->file = path;
	t->line = 0;
	if (!in) {
		printf("%s: cannot be opened\n", path);
		t->failed++;
		return;
	}
	while (fgets(line[n], sizeof(line[n]), in)) {
		t->line++;
		line[n][strcspn(line[n], "\n")] = '\0';
		if (n == 0 && (!line[n][0] || line[n][0] == '#'))
			continue;
		if (++n < 3)
			continue;
		run(t, line[0], line[1], line[2]);
		n = 0;
	}
	if (n)
		bad(t, line[0], "incomplete triple");
	fclose(in);
}

int main(int argc, char **argv)
{
	struct runner t = {0};

	setenv("TZ", "UTC", 1);
	for (int i = 1; i < argc; i++)
		run_file(&t, argv[i]);
	printf("%u passed, %u failed\n", t.passed, t.failed);
	return t.failed || !t.passed;
}
