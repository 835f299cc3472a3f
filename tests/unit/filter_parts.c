/* The parts under the virtual machine, each against something simple: searching, patterns, sets,
 * dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "filter/filter_int.h"

static uint64_t rng = 88172645463325252ull;

static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 16) % n);
}

static struct filter *scratch_new(void)
{
	struct filter *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	arena_init(&f->arena);
	return f;
}

static uint32_t random_text(char *out, uint32_t max, const char *alphabet)
{
	uint32_t n = rnd(max + 1), letters = (uint32_t)strlen(alphabet);

	for (uint32_t i = 0; i < n; i++)
		out[i] = alphabet[rnd(letters)];
	out[n] = '\0';
	return n;
}

/* ---- searching ------------------------------------------------------------------------------- */

static bool slow_icontains(const char *h, uint32_t hl, const char *n, uint32_t nl)
{
	for (uint32_t i = 0; i + nl <= hl; i++)
		if (!strncasecmp(h + i, n, nl))
			return true;
	return false;
}

static void test_contains(void **state)
{
	for (unsigned i = 0; i < 300000; i++) {
		/* exactly as long as needed, so that a sanitizer sees reads beyond */
		uint32_t hl = rnd(80), nl = rnd(rnd(4) ? 5 : 40);
		char *h = malloc(hl ? hl : 1), *n = malloc(nl ? nl : 1);

		for (uint32_t k = 0; k < hl; k++)
			h[k] = "abABz@`[{"[rnd(rnd(8) ? 4 : 9)];
		for (uint32_t k = 0; k < nl; k++)
			n[k] = "ab@{"[rnd(rnd(8) ? 2 : 4)];
		if (text_contains(h, hl, n, nl) != (!nl || memmem(h, hl, n, nl)))
			fail_msg("%.*s in %.*s", (int)nl, n, (int)hl, h);
		if (text_icontains(h, hl, n, nl) != slow_icontains(h, hl, n, nl))
			fail_msg("%.*s in %.*s, case ignored", (int)nl, n, (int)hl, h);
		free(h);
		free(n);
	}
}

static void test_substrings(void **state)
{
	for (unsigned i = 0; i < 6000; i++) {
		struct filter *f = scratch_new();
		struct ftext v[40];
		char store[40][16];
		uint32_t n =
			1 +
			rnd(rnd(2) ? 6 : 40); /* few and many are looked for in different ways */
		struct fsubstr *m;

		for (uint32_t k = 0; k < n; k++)
			v[k] = (struct ftext){
				store[k], random_text(store[k], 12, rnd(2) ? "abc" : "abcdefgh")};
		assert_int_equal(fsubstr_new(f, &m, v, n), 0);
		for (unsigned t = 0; t < 50; t++) {
			uint32_t hl = rnd(90);
			char *h = malloc(hl ? hl : 1); /* exactly as long, for sanitizers */
			bool want = false;

			for (uint32_t k = 0; k < hl; k++)
				h[k] = "abcdefghi"[rnd(rnd(3) ? 9 : 4)];
			for (uint32_t k = 0; k < n; k++)
				want |= !v[k].len || memmem(h, hl, v[k].s, v[k].len);
			if (fsubstr_find(m, h, hl) != want)
				fail_msg("%u substrings in %.*s: expected %d", n, (int)hl, h, want);
			free(h);
		}
		arena_fini(&f->arena);
		free(f);
	}
}

/* All 256 byte values, and more text than the automaton may hold. */
static void test_substrings_big(void **state)
{
	struct filter *f = scratch_new();
	struct ftext v[256];
	char bytes[256], *big = malloc(1 << 20);
	struct fsubstr *m;

	for (unsigned i = 0; i < 256; i++) {
		bytes[i] = (char)i;
		v[i] = (struct ftext){&bytes[i], 1};
	}
	assert_int_equal(fsubstr_new(f, &m, v, 256), 0);
	assert_true(fsubstr_find(m, "\xff", 1));
	assert_false(fsubstr_find(m, "", 0));
	memset(big, 'x', 1 << 20);
	v[0] = (struct ftext){big, 1 << 20};
	v[1] = (struct ftext){"needle", 6};
	assert_int_equal(fsubstr_new(f, &m, v, 2), 0);
	assert_true(fsubstr_find(m, "a needle here", 13));
	assert_false(fsubstr_find(m, "a needl", 7));
	free(big);
	arena_fini(&f->arena);
	free(f);
}

/* ---- patterns -------------------------------------------------------------------------------- */

static void test_glob(void **state)
{
	static const char *const alphabets[] = {"ab*?",	   "aA[]b*",	 "ab[]!-^",
						"a\\*[]b", "[:alph]ab*", "/.a*"};
	static const char *const classes[] = {
		"[[:upper:]]*",	 "[![:lower:]b]", "[[:alpha:][:digit:]]?", "[[:nosuch:]]",
		"[[:punct:]-a]", "[[:space:]",	  "[[:upper:]-z]"};

	for (unsigned i = 0; i < 400000; i++) {
		struct filter *f = scratch_new();
		char pat[32], s[16];
		uint32_t pl = random_text(pat, 10, alphabets[rnd(ARRAY_SIZE(alphabets))]);
		uint32_t sl = random_text(s, 10, "aAb/.-[]*\\");
		if (rnd(16) == 0)
			pl = (uint32_t)strlen(strcpy(pat, classes[rnd(ARRAY_SIZE(classes))]));
		bool icase = rnd(4) == 0, want = !fnmatch(pat, s, icase ? FNM_CASEFOLD : 0);
		struct fglob *g;

		assert_int_equal(fglob_new(f, &g, pat, pl, icase), 0);
		if (fglob_match(g, s, sl) != want)
			fail_msg("pattern %s, text %s: expected %d", pat, s, want);
		if (glob_match_text(pat, pl, icase, s, sl) != want)
			fail_msg("uncompiled pattern %s, text %s: expected %d", pat, s, want);
		arena_fini(&f->arena);
		free(f);
	}
}

/* As RE2 has it: . is no newline, [^x] may be one; ^ and $ are line ends, and the whole text must
 * fit. */
static void test_regex_lines(void **state)
{
	static const struct {
		const char *filter, *text;
		bool yes;
	} cases[] = {
		{"proc.name regex a.b", "a\nb", false},
		{"proc.name regex \"a[^x]b\"", "a\nb", true},
		{"proc.name regex \"a\\nb\"", "a\nb", true},
		{"proc.name regex \"a$\\n^b\"", "a\nb", true},
		{"proc.name regex \"a$\"", "a\n", false},
		{"proc.name regex \"^a\"", "a", true},
		{"proc.name regex \"a|ab\"", "ab", true},
		{"proc.name regex \"(a|ab)(c|bcd)\"", "abcd", true},
		{"proc.name regex \"\\\\d+\"", "123", true},
		{"proc.name regex \"[[:digit:]]+\"", "12a", false},
		{"proc.name regex \"a{2,3}\"", "aaaa", false},
		{"proc.name regex \"(?i)ABC\"", "abc", true},
		{"proc.name regex \"(?:a|b)+\"", "abab", true},
		{"proc.name regex \"a.c\"",
		 "a\xff"
		 "c",
		 true},
		{"proc.name regex \"a\xc3\xa9?c\"", "ac", true},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct value v = {.type = PT_CHARBUF,
				  .has = true,
				  .len = (uint32_t)strlen(cases[i].text),
				  .s = cases[i].text};
		struct fregex_data *rd;
		struct filter *f;
		struct err e;

		if (filter_compile(&f, cases[i].filter, false, &e))
			fail_msg("%s: %s", cases[i].filter, e.msg);
		assert_int_equal(fregex_data_new(&rd), 0);
		if (insn_test(&f->prog.code[0], rd, &v) != cases[i].yes)
			fail_msg("%s on %s: expected %d", cases[i].filter, cases[i].text,
				 cases[i].yes);
		fregex_data_free(rd);
		filter_free(f);
	}
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* Patterns that take other matchers years. */
static void test_bounded_time(void **state)
{
	static const char *const hostile[] = {
		"proc.name regex \"(a*)*b\"",
		"proc.name regex \"(a|aa)+b\"",
		"proc.name regex \"(a|a?)+b\"",
		"proc.name regex \"(.*)(.*)(.*)(.*)(.*)(.*)b\"",
		"proc.name glob *a*a*a*a*a*a*a*a*a*a*b",
	};
	char *text = malloc(4001);
	double t0 = seconds();

	memset(text, 'a', 4000);
	text[4000] = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct value v = {.type = PT_CHARBUF, .has = true, .len = 4000, .s = text};
		struct fregex_data *rd;
		struct filter *f;

		assert_int_equal(filter_compile(&f, hostile[i], false, NULL), 0);
		assert_int_equal(fregex_data_new(&rd), 0);
		assert_false(insn_test(&f->prog.code[0], rd, &v));
		text[3999] = 'b'; /* the last byte makes it fit */
		assert_true(insn_test(&f->prog.code[0], rd, &v));
		text[3999] = 'a';
		fregex_data_free(rd);
		filter_free(f);
	}
	free(text);
	if (seconds() - t0 > 20)
		fail_msg("%.1f s", seconds() - t0);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static void test_sets(void **state)
{
	for (unsigned round = 0; round < 300; round++) {
		struct filter *f = scratch_new();
		uint32_t n = rnd(200);
		uint64_t *num = calloc(n + 1, sizeof(*num));
		struct ftext *text = calloc(n + 1, sizeof(*text));
		char(*store)[24] = calloc(n + 1, sizeof(*store));
		struct fset *a, *b;

		for (uint32_t i = 0; i < n; i++) {
			num[i] = rnd(3) ? rnd(400) : (uint64_t)rnd(1000) << 40;
			text[i] = (struct ftext){
				store[i], random_text(store[i], 20, rnd(2) ? "ab" : "abcdefgh")};
		}
		assert_int_equal(fset_new_num(f, &a, num, n), 0);
		assert_int_equal(fset_new_text(f, &b, text, n), 0);
		for (uint32_t i = 0; i < n; i++) {
			assert_true(fset_has_num(a, num[i]));
			assert_true(fset_has_text(b, text[i].s, text[i].len));
		}
		for (unsigned t = 0; t < 100; t++) {
			uint64_t v = rnd(500);
			char s[24];
			uint32_t len = random_text(s, 20, "ab");
			bool has_num = false, has_text = false;

			for (uint32_t i = 0; i < n; i++) {
				has_num |= num[i] == v;
				has_text |= text[i].len == len && !memcmp(text[i].s, s, len);
			}
			assert_int_equal(fset_has_num(a, v), has_num);
			assert_int_equal(fset_has_text(b, s, len), has_text);
		}
		free(num);
		free(text);
		free(store);
		arena_fini(&f->arena);
		free(f);
	}
}

/* ---- times ----------------------------------------------------------------------------------- */

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0 = refused */
	} dates[] = {
		{"1970-01-01T00:00:01Z", 1000000000ull},
		{"2023-11-14 22:13:20", 1700000000000000000ull},
		{"2023-11-14 22:13:20.123456789", 1700000000123456789ull},
		{"2023-11-14 22:13:20.5", 1700000000500000000ull},
		{"2023-11-14 22:13", 1699999980000000000ull},
		{"2023-11-14", 1699920000000000000ull},
		{"2023-11-14T22:13:20Z", 1700000000000000000ull},
		{"2023-11-14T23:13:20+01:00", 1700000000000000000ull},
		{"2023-11-14T20:13:20-0200", 1700000000000000000ull},
		{"2023-11-14 22:13:20 +00", 1700000000000000000ull},
		{"2024-02-29", 1709164800000000000ull},
		{"2023-02-29", 0},
		{"2023-13-01", 0},
		{"2023-00-01", 0},
		{"2023-01-32", 0},
		{"2023-01-01 24:00:00", 0},
		{"2023-01-01 00:60:00", 0},
		{"2023-01-01 00:00:61", 0},
		{"2023-01-01 00:00:00.", 0},
		{"2023-01-01 00:00:00.1234567890", 0},
		{"2023-1-1", 0},
		{"2023-01-01x", 0},
		{"2023-01-01 ", 0},
		{"1969-12-31", 0},
		{"22:13:20", 0},
		{"", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(dates); i++) {
		uint64_t ns = 0;
		bool ok = filter_date(dates[i].text, (uint32_t)strlen(dates[i].text), &ns);

		if (ok != (dates[i].ns != 0) || ns != dates[i].ns)
			fail_msg("%s: %d %llu", dates[i].text, ok, (unsigned long long)ns);
	}
}

static void test_local_dates(void **state)
{
	uint64_t ns;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	assert_true(filter_date("2023-07-01 12:00:00", 19, &ns));
	assert_int_equal(ns, 1688205600000000000ull); /* summer time: 10:00 UTC */
	assert_true(filter_date("2023-01-01 12:00:00", 19, &ns));
	assert_int_equal(ns, 1672570800000000000ull);
	setenv("TZ", "UTC", 1);
	tzset();
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
		bool ok;
	} durations[] = {
		{"1s", 1000000000, true},
		{"1.5s", 1500000000, true},
		{"0.000000001s", 1, true},
		{"10ms", 10000000, true},
		{"3us", 3000, true},
		{"7ns", 7, true},
		{"2m", 120000000000, true},
		{"2min", 120000000000, true},
		{"1h30m", 5400000000000, true},
		{"1d", 86400000000000, true},
		{"0s", 0, true},
		{"1.5", 0, false},
		{"", 0, false},
		{"s", 0, false},
		{"1 s", 0, false},
		{"1x", 0, false},
		{"-1s", 0, false},
		{"1.s", 0, false},
		{"999999999999d", 0, false},
		{"99999999999999999999s", 0, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(durations); i++) {
		uint64_t ns = 0;
		bool ok = filter_duration(durations[i].text, (uint32_t)strlen(durations[i].text),
					  &ns);

		if (ok != durations[i].ok || (ok && ns != durations[i].ns))
			fail_msg("%s: %d %llu", durations[i].text, ok, (unsigned long long)ns);
	}
}

/* What the kernel programs may select by: "pids|uids|comm|container". */
static const struct {
	const char *filter, *push;
} pushes[] = {
	{"proc.pid=3", "3|||"},
	{"proc.pid=3 and evt.type=read", "3|||"},
	{"evt.type=read and (proc.name=cat and user.uid=7)", "|7|cat|"},
	{"user.uid in (7) and proc.name=abcdefghijklmno", "|7|abcdefghijklmno|"},
	{"proc.name=abcdefghijklmnop", "|||"}, /* no thread has such a name */
	{"container.id=0123456789ab and proc.pid!=4", "|||0123456789ab"},
	{"container.id=host", "|||"},
	{"proc.pid=3 or proc.name=cat", "|||"},
	{"not proc.pid=3", "|||"},
	{"not (proc.pid=3 and user.uid=7)", "|||"},
	{"proc.name!=cat and proc.name contains c and user.uid>=7", "|||"},
	{"proc.ppid=3 and proc.apid=3 and proc.pname=cat and proc.aname=cat", "|||"},
	{"toupper(proc.name)=CAT", "|||"},
	{"proc.pid in (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", "|||"}, /* too many */
	{"evt.deltatime>5 and proc.pid=3", "|||"}, /* counts what it sees */
};

static void test_push(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pushes); i++) {
		struct filter_push p;
		struct filter *f;
		char text[256], pid[16] = "", uid[16] = "";

		print_message("%s\n", pushes[i].filter);
		assert_int_equal(filter_compile(&f, pushes[i].filter, false, NULL), 0);
		filter_push(f, &p);
		if (p.npids)
			snprintf(pid, sizeof(pid), "%u", p.pids[0]);
		if (p.nuids)
			snprintf(uid, sizeof(uid), "%u", p.uids[0]);
		snprintf(text, sizeof(text), "%s|%s|%s|%s", pid, uid, p.comm, p.container);
		assert_string_equal(text, pushes[i].push);
		filter_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contains),       cmocka_unit_test(test_substrings),
		cmocka_unit_test(test_substrings_big), cmocka_unit_test(test_glob),
		cmocka_unit_test(test_regex_lines),    cmocka_unit_test(test_bounded_time),
		cmocka_unit_test(test_sets),	       cmocka_unit_test(test_dates),
		cmocka_unit_test(test_local_dates),    cmocka_unit_test(test_durations),
		cmocka_unit_test(test_push),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
