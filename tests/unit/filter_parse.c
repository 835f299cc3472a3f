/* The grammar: what is accepted and what tree it makes; what is refused and at which column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/filter_int.h"

/* ---- the tree as text ------------------------------------------------------------------------ */

static void put_expr(struct buf *b, const struct filter *f, const struct fexpr *x)
{
	switch (x->kind) {
	case FX_FIELD:
		buf_put(b, f->text + x->span.pos, x->span.len);
		break;
	case FX_TEXT:
		buf_printf(b, "\"%.*s\"", (int)x->len, x->s);
		break;
	default:
		buf_printf(b, "%s(", x->kind == FX_CALL ? filter_func_table[x->func].name : "");
		for (uint32_t i = 0; i < x->narg; i++) {
			buf_puts(b, i ? "," : "");
			put_expr(b, f, x->arg[i]);
		}
		buf_lit(b, ")");
		if (x->kind == FX_CALL && x->s)
			buf_printf(b, "[%s]", x->s);
	}
}

static void put_node(struct buf *b, const struct filter *f, const struct fnode *n)
{
	static const char *const kinds[] = {[FN_AND] = "and", [FN_OR] = "or", [FN_NOT] = "not"};
	static const char *const mods[] = {"", " oneof", " anyof", " allof"};

	buf_lit(b, "(");
	if (n->kind == FN_TEST) {
		buf_printf(b, "%s%s ", filter_op_name[n->fop], mods[n->mod]);
		put_expr(b, f, n->lhs);
		if (n->rhs) {
			buf_lit(b, " ");
			put_expr(b, f, n->rhs);
		}
	} else {
		buf_puts(b, kinds[n->kind]);
		for (uint32_t i = 0; i < n->nkid; i++) {
			buf_lit(b, " ");
			put_node(b, f, n->kid[i]);
		}
	}
	buf_lit(b, ")");
}

static void tree_of(const char *text, struct buf *out)
{
	struct filter f = {.len = (uint32_t)strlen(text)};
	struct err e;

	arena_init(&f.arena);
	f.text = arena_dup(&f.arena, text, strlen(text) + 1);
	if (filter_parse(&f, &e))
		buf_printf(out, "%llu: %s", (unsigned long long)e.pos, e.msg);
	else
		put_node(out, &f, f.root);
	buf_putc(out, '\0');
	arena_fini(&f.arena);
}

/* ---- accepted -------------------------------------------------------------------------------- */

static const struct {
	const char *text, *tree;
} accepted[] = {
	/* structure */
	{"a.b=1", "(= a.b \"1\")"},
	{"a.b=1 and a.c=2", "(and (= a.b \"1\") (= a.c \"2\"))"},
	{"a.b=1 or a.c=2 and a.d=3", "(or (= a.b \"1\") (and (= a.c \"2\") (= a.d \"3\")))"},
	{"a.b=1 and a.c=2 or a.d=3", "(or (and (= a.b \"1\") (= a.c \"2\")) (= a.d \"3\"))"},
	{"(a.b=1 or a.c=2) and a.d=3", "(and (or (= a.b \"1\") (= a.c \"2\")) (= a.d \"3\"))"},
	{"not a.b=1 and a.c=2", "(and (not (= a.b \"1\")) (= a.c \"2\"))"},
	{"not (a.b=1 and a.c=2)", "(not (and (= a.b \"1\") (= a.c \"2\")))"},
	{"not not a.b=1", "(= a.b \"1\")"},
	{"not not not a.b=1", "(not (= a.b \"1\"))"},
	{"not(not(a.b=1))", "(not (not (= a.b \"1\")))"},
	{"((a.b=1))", "(= a.b \"1\")"},
	{" \t\r\n\ba.b=1 \n", "(= a.b \"1\")"},
	{"a.b=1 and a.c=2 and a.d=3", "(and (= a.b \"1\") (= a.c \"2\") (= a.d \"3\"))"},
	/* missing blanks */
	{"(a.b=1)and(a.c=2)or(a.d=3)", "(or (and (= a.b \"1\") (= a.c \"2\")) (= a.d \"3\"))"},
	{"a.b exists and(a.c=2)", "(and (exists a.b) (= a.c \"2\"))"},
	{"a.b='x'and a.c=2", "(and (= a.b \"x\") (= a.c \"2\"))"},
	{"a.b=1 anda.c=2", "(and (= a.b \"1\") (= a.c \"2\"))"},
	{"a.b existsand a.c=2", "(and (exists a.b) (= a.c \"2\"))"},
	{"nota.b=1", "(not (= a.b \"1\"))"},
	{"a.b in(1,2)", "(in a.b (\"1\",\"2\"))"},
	{"a.b contains/etc", "(contains a.b \"/etc\")"},
	{"a.b contains\"x y\"", "(contains a.b \"x y\")"},
	{"a.b containsetc", "(contains a.b \"etc\")"},
	{"a.b<3", "(< a.b \"3\")"},
	{"a.b<=3", "(<= a.b \"3\")"},
	{"a.b >= 3", "(>= a.b \"3\")"},
	/* operators */
	{"a.b==1", "(= a.b \"1\")"},
	{"a.b == 1", "(= a.b \"1\")"},
	{"a.b!=1", "(!= a.b \"1\")"},
	{"evt.dir=<", "(= evt.dir \"<\")"},
	{"evt.dir=>", "(= evt.dir \">\")"},
	{"evt.dir==<", "(= evt.dir \"<\")"},
	{"evt.dir = > and a.b=1", "(and (= evt.dir \">\") (= a.b \"1\"))"},
	{"a.b intersects (x)", "(intersects a.b (\"x\"))"},
	{"a.b icontains x", "(icontains a.b \"x\")"},
	{"a.b pmatch (/etc, /usr)", "(pmatch a.b (\"/etc\",\"/usr\"))"},
	{"a.b contains anyof (x, y)", "(contains anyof a.b (\"x\",\"y\"))"},
	{"a.b glob oneof(x)", "(glob oneof a.b (\"x\"))"},
	{"a.b endswith allof ()", "(endswith allof a.b ())"},
	{"a.b contains anyof", "(contains a.b \"anyof\")"},
	{"a.b contains anyof and a.c=1", "(and (contains a.b \"anyof\") (= a.c \"1\"))"},
	/* values */
	{"a.b=", "(= a.b \"\")"},
	{"a.b= ", "(= a.b \"\")"},
	{"(a.b=)", "(= a.b \"\")"},
	{"(a.b=)and(a.c=)", "(and (= a.b \"\") (= a.c \"\"))"},
	{"a.b contains", "(contains a.b \"\")"},
	{"a.b=''", "(= a.b \"\")"},
	{"a.b=\"\"", "(= a.b \"\")"},
	{"a.b=x=y", "(= a.b \"x=y\")"},
	{"a.b= =x", "(= a.b \"=x\")"},
	{"a.b=x,y", "(= a.b \"x,y\")"},
	{"a.b=x\"y", "(= a.b \"x\"y\")"},
	{"a.b=it's", "(= a.b \"it's\")"},
	{"a.b=and", "(= a.b \"and\")"},
	{"a.b=\\x41\\\\\\\"\\q", "(= a.b \"A\\\"\\q\")"},
	{"a.b=\"\\x41\\\\x\\\"\\n\"", "(= a.b \"A\\x\"\n\")"},
	{"a.b=\"a\\ b\"", "(= a.b \"a\\b\")"},
	{"a.b='\\''", "(= a.b \"'\")"},
	{"a.b='\"'", "(= a.b \"\"\")"},
	{"a.b=\"\\/\"", "(= a.b \"/\")"},
	{"a.b=\"\\x2f\"", "(= a.b \"/\")"},
	{"a.b=\xc3\xa9", "(= a.b \"\xc3\xa9\")"},
	/* lists */
	{"a.b in ()", "(in a.b ())"},
	{"a.b in ( )", "(in a.b ())"},
	{"a.b in (x)", "(in a.b (\"x\"))"},
	{"a.b in ( x , 'y z' ,\"w\")", "(in a.b (\"x\",\"y z\",\"w\"))"},
	{"a.b in (x,)", "(in a.b (\"x\",\"\"))"},
	{"a.b in (,x)", "(in a.b (\"\",\"x\"))"},
	{"a.b in (,)", "(in a.b (\"\",\"\"))"},
	{"a.b in (x=y,\\x41)", "(in a.b (\"x=y\",\"A\"))"},
	/* fields with arguments */
	{"proc.aname[2]=x", "(= proc.aname[2] \"x\")"},
	{"evt.arg.fd=3", "(= evt.arg.fd \"3\")"},
	{"proc.env[\"A]B\"]=x", "(= proc.env[\"A]B\"] \"x\")"},
	{"k8s.pod.label.app-x/y=z", "(= k8s.pod.label.app-x/y \"z\")"},
	/* transformers */
	{"tolower(a.b)=x", "(= tolower(a.b) \"x\")"},
	{"tolower( toupper( a.b ) ) = x", "(= tolower(toupper(a.b)) \"x\")"},
	{"a.b=val(a.c)", "(= a.b val(a.c))"},
	{"a.b = tolower(a.c)", "(= a.b tolower(a.c))"},
	{"a.b = tolower", "(= a.b \"tolower\")"},
	{"a.b in val(a.c)", "(in a.b val(a.c))"},
	{"join(\",\", (a, 'b')) = x", "(= join(\",\",(\"a\",\"b\")) \"x\")"},
	{"concat(a.b, 1, \"x\") = y", "(= concat(a.b,\"1\",\"x\") \"y\")"},
	{"getopt((-a, x), \"a:\")[a] = x", "(= getopt((\"-a\",\"x\"),\"a:\")[a] \"x\")"},
	{"len(a.b) > 3", "(> len(a.b) \"3\")"},
};

static void test_accepted(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct buf b;

		buf_init(&b);
		tree_of(accepted[i].text, &b);
		if (strcmp(b.p, accepted[i].tree))
			fail_msg("%s: %s, expected %s", accepted[i].text, b.p, accepted[i].tree);
		buf_fini(&b);
	}
}

/* ---- refused --------------------------------------------------------------------------------- */

static void refuse(const char *text, unsigned long column, const char *message)
{
	struct filter *f = NULL;
	struct err e;
	int rc = filter_compile(&f, text, false, &e);

	if (!rc)
		fail_msg("%s: accepted", text);
	if (rc != ERR_SYNTAX || e.pos != column || strcmp(e.msg, message))
		fail_msg("%s: column %llu: %s; expected column %lu: %s", text,
			 (unsigned long long)e.pos, e.msg, column, message);
}

static void test_malformed(void **state)
{
	FILE *in = fopen("tests/filter/malformed.tsv", "r");
	char line[1024];
	unsigned n = 0;

	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		char *tab = strchr(line, '\t'), *last = strrchr(line, '\t');

		if (line[0] == '#')
			continue;
		assert_true(tab && last && tab < last);
		line[strcspn(line, "\n")] = '\0';
		*tab = *last = '\0';
		refuse(tab + 1, strtoul(line, NULL, 10), last + 1);
		n++;
	}
	fclose(in);
	assert_true(n >= 200);
}

static void test_blank(void **state)
{
	static const char *const blanks[] = {"", " ", "\n", "\t \r\n"};

	for (unsigned i = 0; i < ARRAY_SIZE(blanks); i++)
		refuse(blanks[i], 0, "the filter is empty: expected a check such as proc.name=cat");
}

/* ---- limits ---------------------------------------------------------------------------------- */

static char *repeat(const char *unit, unsigned n, const char *middle, const char *after)
{
	size_t u = strlen(unit), a = strlen(after);
	char *s = malloc(u * n + strlen(middle) + a * n + 1), *at = s;

	assert_non_null(s);
	for (unsigned i = 0; i < n; i++, at += u)
		memcpy(at, unit, u);
	at = stpcpy(at, middle);
	for (unsigned i = 0; i < n; i++, at += a)
		memcpy(at, after, a);
	*at = '\0';
	return s;
}

static int compile_free(char *text, struct err *e)
{
	struct filter *f = NULL;
	int rc = filter_compile(&f, text, false, e);

	filter_free(f);
	free(text);
	return rc;
}

static void test_limits(void **state)
{
	struct err e;

	assert_int_equal(compile_free(repeat("(", 100, "proc.pid=1", ")"), &e), 0);
	assert_int_equal(compile_free(repeat("(", 101, "proc.pid=1", ")"), &e), ERR_SYNTAX);
	assert_int_equal(e.pos, 100);
	assert_int_equal(compile_free(repeat("(", 1000000, "proc.pid=1", ")"), &e), ERR_SYNTAX);
	assert_int_equal(compile_free(repeat("not (", 100, "proc.pid=1", ")"), &e), 0);
	assert_int_equal(compile_free(repeat("not ", 100001, "proc.pid=1", ""), &e), 0);
	assert_int_equal(compile_free(repeat("tolower(", 100, "proc.name", ")"), &e), ERR_SYNTAX);
	assert_int_equal(compile_free(repeat("tolower(", 101, "proc.name", ")"), &e), ERR_SYNTAX);
	assert_int_equal(e.pos, 8 * 100);
	assert_int_equal(compile_free(repeat("proc.pid=1 or ", 20000, "proc.pid=2", ""), &e), 0);
	assert_int_equal(compile_free(repeat("proc.pid!=1 and ", 20000, "proc.pid=2", ""), &e), 0);
	assert_int_equal(compile_free(repeat("proc.name=", 1, "", "xxxxxxxxxxxxxxx"), &e), 0);
	assert_int_equal(compile_free(repeat("x", (16 << 20) + 1, "", ""), &e), ERR_SYNTAX);
}

/* ---- texts that must stand in the trace ------------------------------------------------------ */

static const struct {
	const char *text;
	const char *there, *missing; /* NULL: nothing can be said of the filter */
} needles[] = {
	{"proc.name=sshd", "a sshd b", "ssh d"},
	{"fd.name contains /etc/ssh_config.d/x", "ssh_config", "ssh-config"},
	{"fd.name startswith /srv/www", "/srv", "www"}, /* the first of two that are as long */
	{"proc.name in (nginx, haproxy)", "haproxy", "apache"},
	{"proc.name=nginx or proc.name=haproxy", "nginx", "apache"},
	{"evt.type=open and proc.name=nginx", "nginx", "apache"},
	{"proc.name=nginx and fd.name contains passwords", "passwords", "nginx"}, /* the longer one */
	{"proc.name=nginx or evt.type=open", NULL, NULL},
	{"not proc.name=nginx", NULL, NULL},
	{"proc.name!=nginx", NULL, NULL},
	{"proc.name=sh", NULL, NULL},	       /* short */
	{"fd.name contains 10.0.0.123", NULL, NULL}, /* addresses are made up */
	{"fd.name contains feed", NULL, NULL},
	{"fd.name contains IPv4", NULL, NULL},
	{"fd.name contains INVALID", NULL, NULL},
	{"evt.arg.name=nginx", NULL, NULL},
	{"proc.name=nginx or proc.name=sh", NULL, NULL},
};

static void test_needles(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(needles); i++) {
		const char *there = needles[i].there, *missing = needles[i].missing;
		struct filter *f;
		struct digest_texts t;

		assert_int_equal(filter_compile(&f, needles[i].text, false, NULL), 0);
		t = filter_texts(f);
		if (!t.in != !there || (there && !t.in(t.ctx, there, strlen(there))) ||
		    (missing && t.in(t.ctx, missing, strlen(missing))))
			fail_msg("%s", needles[i].text);
		filter_free(f);
		assert_int_equal(filter_compile(&f, needles[i].text, true, NULL), 0);
		assert_null(filter_texts(f).in); /* 0.29.3 cleans paths otherwise */
		filter_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_blank),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_needles),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
