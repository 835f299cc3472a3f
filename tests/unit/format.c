/* Output formats: parsing and its errors, lines, widths, missing values, JSON; the -S table; the
 * sink. Fields and state are fakes (fake_fields.h, fake_state.h); real ones are compared with
 * sysdig by tests/diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_fields.h"
#include "fake_state.h"
#include "output/format.h"
#include "output/sink.h"
#include "output/summary.h"

static struct evctx ctx;
static struct batch batch;
static struct render_opts ro;
static struct field_env env = {.c = &ctx, .ro = &ro};
static uint8_t block[256];

static uint32_t make_block(uint8_t *p, unsigned type, uint64_t ts, const void *param, uint16_t len)
{
	uint32_t hlen = EVENT_HDR_V2 + 2 + len, total = (10 + hlen + 3) / 4 * 4 + 4, n = 1,
		 kind = BLK_EV_V2;
	uint64_t tid = 16697;
	uint16_t t16 = (uint16_t)type, cpu = 3;

	memset(p, 0, total);
	memcpy(p, &kind, 4);
	memcpy(p + 4, &total, 4);
	memcpy(p + 8, &cpu, 2);
	memcpy(p + 10, &ts, 8);
	memcpy(p + 18, &tid, 8);
	memcpy(p + 26, &hlen, 4);
	memcpy(p + 30, &t16, 2);
	memcpy(p + 32, &n, 4);
	memcpy(p + 36, &len, 2);
	memcpy(p + 38, param, len);
	memcpy(p + total - 4, &total, 4);
	return total;
}

/* rmdir enter with a path. */
static void on_path(const char *path, uint64_t num)
{
	const char *why;
	uint32_t n = make_block(block, EV_SYSCALL_RMDIR_E, 1700000000000000000u + num, path,
				(uint16_t)(strlen(path) + 1));

	assert_int_equal(event_parse(&ctx.ev, block, n, EV_CODE_COUNT, &why), EVENT_OK);
	ctx.num = num;
}

/* NULL: the line is dropped. */
static void check_line(const char *format, const char *want)
{
	struct format *f = NULL;
	struct err e = {0};
	struct buf b;

	buf_init(&b);
	buf_lit(&b, "before|");
	if (format_parse(&f, format, &e) < 0)
		fail_msg("\"%s\": %s", format, e.msg);
	bool done = format_event(f, &env, &b);
	buf_putc(&b, 0);
	assert_int_equal(done, want != NULL);
	assert_memory_equal(b.p, "before|", 7);
	if (strcmp(b.p + 7, want ? want : ""))
		fail_msg("\"%s\":\n got  \"%s\"\n want \"%s\"", format, b.p + 7,
			 want ? want : "(nothing)");
	format_free(f);
	buf_fini(&b);
}

static void test_lines(void **state)
{
	on_path("/a", 7);
	check_line(FORMAT_DEFAULT, "7 22:13:20.000000007 3 bash (16697) > rmdir path=/a \n");
	check_line("x", "x\n");
	check_line("*", "\n");
	check_line("**%evt.num", "*7\n");
	check_line("%evt.num%evt.type", "7rmdir\n");
	check_line("%evt.numx", "7x\n");
	check_line("a literal of more than sixteen bytes %evt.num and one behind it, too",
		   "a literal of more than sixteen bytes 7 and one behind it, too\n");
	check_line("%3evt.type|%20evt.type|%05evt.num|%0evt.num|",
		   "rmd|rmdir               |7    |7|\n");
	ro.time_type = 'a';
	check_line("%evt.outputtime", "1700000000.7\n");
	ro.time_type = 0;
	*fake_value("evt.arg") =
		(struct value){.type = PT_CHARBUF, .has = true, .s = "v", .len = 1};
	check_line("%evt.arg[0]x", "vx\n");
}

static void test_missing(void **state)
{
	on_path("/a", 7);
	fake_value("fd.name")->has = false;
	check_line("%evt.num %fd.name", NULL);
	check_line("*%evt.num %fd.name|", "7 <NA>|\n");
	check_line("*%6fd.name|%2fd.name|", "<NA>  |<N|\n");
	check_line("x*%fd.name", NULL);
	fake_list.n = 0;
	check_line("*%fd.types", "<NA>\n");
	thread_known = false;
	check_line("%proc.name", NULL);
	check_line("*%proc.name", "<NA>\n");
	thread_known = true;
}

static void test_lists(void **state)
{
	static const struct value v[2] = {
		{.type = PT_CHARBUF, .has = true, .s = "file", .len = 4},
		{.type = PT_CHARBUF, .has = true, .s = "i\"", .len = 2},
	};

	on_path("/a", 7);
	fake_list = (struct value_list){v, 2};
	check_line("%fd.types", "(file,i\")\n");
	ro.json = true;
	check_line("%fd.types", "{\"fd.types\":[\"file\",\"i\\\"\"]}\n");
	ro.json = false;
	fake_list.n = 0;
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		uint64_t pos;
		const char *msg;
	} cases[] = {
		{"", 0, "empty formatting token"},
		{"%", 1, "invalid formatting syntax: formatting cannot end with a %"},
		{"abc%", 4, "invalid formatting syntax: formatting cannot end with a %"},
		{"%evt.num%", 9, "invalid formatting syntax: formatting cannot end with a %"},
		{"a%5", 3, "invalid formatting syntax: formatting cannot end with a number"},
		{"a%5%evt.num", 3, "unknown field"},
		{"%evt.num%%", 9, "unknown field"},
		{"%-5evt.num", 1, "unknown field"},
		{"%5 evt.num", 2, "unknown field"},
		{"*%evt.num %foo", 11, "unknown field"},
		{"%evt.arg", 8, "argument missing"},
		{"%evt.num %fd.ip", 10,
		 "fd.ip is filter only and cannot be used as a display field"},
		{"%65536evt.num", 1, "field width above 65535"},
		{"%99999999999999999999evt.num", 1, "field width above 65535"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct format *f = NULL;
		struct err e = {0};

		assert_int_equal(format_parse(&f, cases[i].text, &e), ERR_SYNTAX);
		assert_null(f);
		assert_string_equal(e.msg, cases[i].msg);
		assert_int_equal(e.pos, cases[i].pos);
	}
}

static void test_demand(void **state)
{
	struct format *f = NULL;
	struct demand d = {0};

	ro.time_type = 'D';
	assert_int_equal(format_parse(&f, FORMAT_DEFAULT, NULL), 0);
	assert_int_equal(format_demand(f), DEMAND_THREADS | DEMAND_FDS);
	assert_int_equal(format_demand_for(f, &d), DEMAND_THREADS);
	d.types[EV_SYSCALL_WRITE_E / 64] |= 1ull << (EV_SYSCALL_WRITE_E % 64);
	assert_int_equal(format_demand_for(f, &d), DEMAND_THREADS | DEMAND_FDS);
	assert_true(format_looks_back(f, &ro));
	ro.json = true; /* prints the time stamp itself */
	assert_false(format_looks_back(f, &ro));
	ro.json = false;
	ro.time_type = 'r';
	assert_false(format_looks_back(f, &ro));
	format_free(f);
	assert_int_equal(format_parse(&f, "%evt.deltatime", NULL), 0);
	assert_true(format_looks_back(f, &ro));
	format_free(f);
	ro.time_type = 0;
}

/* Every place has its own memory, and dropped lines count as evaluated up to the field that is
 * missing. */
static void test_looks_back(void **state)
{
	struct format *f = NULL;
	struct buf b;

	buf_init(&b);
	ro.time_type = 'D';
	assert_int_equal(
		format_parse(&f, "%evt.outputtime %evt.deltatime %fd.name %evt.deltatime", NULL),
		0);
	on_path("/a", 1000);
	fake_value("fd.name")->has = false;
	assert_false(format_event(f, &env, &b));
	*fake_value("fd.name") =
		(struct value){.type = PT_CHARBUF, .has = true, .s = "n", .len = 1};
	on_path("/a", 1005);
	assert_true(format_event(f, &env, &b));
	on_path("/a", 1025);
	assert_true(format_event(f, &env, &b));
	buf_putc(&b, 0);
	assert_string_equal(b.p, "0.000000005 5 n 0\n0.000000020 20 n 20\n");
	assert_null(env.lookback);
	/* 0.29.3's JSON evaluates twice. */
	buf_reset(&b);
	*fake_value("fd.name") = (struct value){.type = PT_CHARBUF};
	format_free(f);
	assert_int_equal(format_parse(&f, "%evt.deltatime", NULL), 0);
	ro.json = true;
	for (int i = 0; i < 4; i++) {
		on_path("/a", 1000 + 10 * (uint64_t)i);
		ro.compat029 = i < 2;
		assert_true(format_event(f, &env, &b));
	}
	ro.json = ro.compat029 = false;
	buf_putc(&b, 0);
	assert_string_equal(b.p, "{\"evt.deltatime\":0}\n{\"evt.deltatime\":0}\n"
				 "{\"evt.deltatime\":10}\n{\"evt.deltatime\":10}\n");
	format_free(f);
	buf_fini(&b);
	ro.time_type = 0;
}

static void test_json(void **state)
{
	on_path("/a", 7);
	ro.json = true;
	*fake_value("evt.cpu") = (struct value){.type = PT_INT16, .has = true, .i = 3};
	*fake_value("thread.tid") = (struct value){.type = PT_INT64, .has = true, .i = 16697};
	*fake_value("proc.name") =
		(struct value){.type = PT_CHARBUF, .has = true, .s = "bash", .len = 4};
	*fake_value("evt.dir") =
		(struct value){.type = PT_CHARBUF, .has = true, .s = ">", .len = 1};
	*fake_value("evt.type") =
		(struct value){.type = PT_CHARBUF, .has = true, .s = "rmdir", .len = 5};
	check_line(FORMAT_DEFAULT,
		   "{\"evt.cpu\":3,\"evt.dir\":\">\",\"evt.info\":\"path=/a \",\"evt.num\":7,"
		   "\"evt.outputtime\":1700000000000000007,\"evt.type\":\"rmdir\",\"proc.name\":"
		   "\"bash\",\"thread.tid\":16697}\n");
	*fake_value("fd.dev") = (struct value){.type = PT_INT32, .has = true, .i = 0x801};
	*fake_value("fd.num") = (struct value){.type = PT_INT64, .has = true, .i = -1};
	*fake_value("evt.failed") = (struct value){.type = PT_BOOL, .has = true, .u = 1};
	*fake_value("thread.cpu") = (struct value){.type = PT_DOUBLE, .has = true, .d = 12.5};
	fake_value("fd.name")->has = false;
	check_line("*lit%fd.num %5fd.dev%fd.name %evt.failed%thread.cpu %fd.num%evt.time",
		   "{\"evt.failed\":true,\"evt.time\":1700000000000000007,\"fd.dev\":\"801\",\"fd."
		   "name\":null,"
		   "\"fd.num\":-1,\"thread.cpu\":12.5}\n");
	fake_value("thread.cpu")->d = 3;
	check_line("%thread.cpu", "{\"thread.cpu\":3.0}\n");
	check_line("%evt.num%fd.name", NULL);
	*fake_value("evt.arg") = (struct value){.type = PT_CHARBUF, .has = true, .s = "", .len = 0};
	check_line("%evt.arg[0]", "{\"evt.arg[0]\":\"\"}\n");
	check_line("*", "null\n");
	ro.json = false;
}

static void test_json_escapes(void **state)
{
	static const struct {
		const char *text, *compat, *plain;
	} cases[] = {
		{"ab\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "ab\\u00e9\\u20ac\\ud83d\\ude00", NULL},
		{"\n\t\r\b\f\x01\x1f\x7f\"\\/<>", "\\n\\t\\r\\b\\f\\u0001\\u001f\x7f\\\"\\\\/<>",
		 NULL},
		/* 0.29.3 loses what follows a stray byte. */
		{"inv\x80\xff\xc3", "inv\\ufffd\\ufffd", "inv\\ufffd\\ufffd\\ufffd"},
		{"\xc3 \"", "\\u00e0\\\"", "\\ufffd \\\""},
		{"\xe2\x82", "\\ufffd\\ufffd", NULL},
		{"\xf5\x80\x80\x80 \xc0\x80 \xed\xa0\x80 z", "\\ud8c0\\udc00 \\ufffd \\ufffd z",
		 "\\ufffd\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd z"},
		{"\xf0\x9f\x98", "\\ufffd\\u07d8", "\\ufffd\\ufffd\\ufffd"},
	};

	ro.json = true;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[256];

		*fake_value("fd.name") = (struct value){.type = PT_CHARBUF,
							.has = true,
							.s = cases[i].text,
							.len = (uint32_t)strlen(cases[i].text)};
		for (int compat = 0; compat < 2; compat++) {
			ro.compat029 = compat;
			snprintf(want, sizeof(want), "{\"fd.name\":\"%s\"}\n",
				 compat || !cases[i].plain ? cases[i].compat : cases[i].plain);
			check_line("%fd.name", want);
		}
	}
	ro.json = ro.compat029 = false;
}

static void test_summary(void **state)
{
	static struct summary s, t;
	struct ev_rec recs[2] = {{.off = 0, .type = EV_GENERIC_E},
				 {.off = 0, .type = EV_SYSCALL_READ_X}};
	struct batch b = {.data = block, .ev = recs, .nev = 2};
	uint16_t id = 10;
	struct buf out;

	buf_init(&out);
	summary_init(&s);
	make_block(block, EV_GENERIC_E, 1, &id, 2);
	const char *call = ppm_sc_name(id);
	for (int i = 0; i < 3; i++)
		summary_count(&s, &b, 1, false);
	summary_count(&s, &b, 0, false);
	id = 60000;
	make_block(block, EV_GENERIC_E, 1, &id, 2);
	summary_count(&s, &b, 0, false);
	recs[1].type = EV_SYSCALL_READ_E;
	summary_init(&t);
	for (int i = 0; i < 3; i++)
		summary_count(&t, &b, 1, false);
	summary_add(&s, &t);
	summary_print(&s, &out);
	buf_putc(&out, 0);
	char want[400];
	snprintf(want, sizeof(want),
		 "----------------------\nEvent           #Calls\n----------------------\n"
		 "> read            3\n< read            3\n> %-16s1\n> unknown         1\n",
		 call);
	assert_string_equal(out.p, want);
	buf_fini(&out);
}

static void test_sink(void **state)
{
	int p[2];
	char got[32] = "";
	struct sink s;
	struct err e = {0};
	struct buf b;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(p), 0);
	sink_init(&s, p[1], true);
	buf_init(&b);
	assert_int_equal(sink_write(&s, &b, &e), 0);
	buf_lit(&b, "one\ntwo\nrest");
	assert_int_equal(sink_write(&s, &b, &e), 0);
	assert_int_equal(read(p[0], got, sizeof(got)), 12);
	assert_string_equal(got, "one\ntwo\nrest");
	assert_int_equal(s.bytes, 12);
	close(p[0]);
	assert_int_equal(sink_write(&s, &b, &e), ERR_INTERRUPTED);
	assert_int_equal(sink_write(&s, &b, NULL), ERR_INTERRUPTED);
	close(p[1]);
	sink_init(&s, p[1], false);
	assert_int_equal(sink_write(&s, &b, &e), -EBADF);
	sink_fini(&s);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	cmocka_unit_test(test_missing),
		cmocka_unit_test(test_lists),	cmocka_unit_test(test_errors),
		cmocka_unit_test(test_demand),	cmocka_unit_test(test_looks_back),
		cmocka_unit_test(test_json),	cmocka_unit_test(test_json_escapes),
		cmocka_unit_test(test_summary), cmocka_unit_test(test_sink),
	};

	setenv("TZ", "UTC", 1);
	fake_state_init();
	ctx.b = &batch;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fake_state_fini();
	return failed;
}
