/* Joining and cleaning of paths. The column "c029" is what sysdig 0.29.3 printed for the same name.
 */
#include "state/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
	const char *base, *path, *c029, *clean;
} cases[] = {
	{"/", "a", "/a", "/a"},
	{"/", "", "/", "/"},
	{"/", "..", "/", "/"},
	{"/", "../../../../a", "/a", "/a"},
	{"/", "/a/b/../../../c", "/c", "/c"},
	{"/", "a//b/./c/", "/a/b/c", "/a/b/c"},
	{"/home/alice/", "../a", "/home/a", "/home/a"},
	{"/home/alice/", "", "/home/alice", "/home/alice"},
	{"/home/alice/", ".", "/home/alice", "/home/alice"},
	{"/home/alice/", "..//..", "/", "/"},
	{"/home/alice/", "/", "/", "/"},
	{"/home/alice/", "//x//", "/x", "/x"},
	{"/home/alice", "x", "/home/alice/x", "/home/alice/x"},
	/* dots that are no components: 0.29.3 does not ask */
	{"/", "...", "/..", "/..."},
	{"/", ".../a", "/..a", "/.../a"},
	{"/", "a..", "/", "/a.."},
	{"/", "a/...", "/a/..", "/a/..."},
	{"/", "x./y", "/xy", "/x./y"},
	{"/", "..a", "/..a", "/..a"},
	{"/", ".hidden", "/.hidden", "/.hidden"},
	{"/", "a.b/c.d", "/a.b/c.d", "/a.b/c.d"},
	/* the base is left alone by 0.29.3 */
	{"//", "a", "//a", "/a"},
	{"//", "../a", "/a", "/a"},
	{"/tr//", "a", "/tr//a", "/tr/a"},
	{"/tr//", "", "/tr/", "/tr"},
	{"/a/../b/", "c", "/a/../b/c", "/b/c"},
	/* no absolute base */
	{"", "a", "a", "a"},
	{"", "/a", "/a", "/a"},
	{"", "", "", ""},
	{"rel/x/", "../../../a", "a", "a"},
	{"./", "a", "./a", "a"},
	{"<UNKNOWN>", "a", "<UNKNOWN>a", "<UNKNOWN>/a"},
	{"<UNKNOWN>", "../a", "a", "a"},
	{"<UNKNOWN>", "", "<UNKNOWN>", "<UNKNOWN>"},
	/* bytes that do not print */
	{"/", "a\x01\x7f\xc3\xa9 b", "/a.... b", "/a\x01\x7f\xc3\xa9 b"},
	{"/", "\x01/..", "/", "/"},
};

static void test_table(void **ctx)
{
	char out[1300];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *b = cases[i].base, *p = cases[i].path;
		size_t n = path_join(out, b, strlen(b), p, strlen(p), true);

		assert_string_equal(out, cases[i].c029);
		assert_int_equal(n, strlen(out));
		n = path_join(out, b, strlen(b), p, strlen(p), false);
		assert_string_equal(out, cases[i].clean);
		assert_int_equal(n, strlen(out));
	}
}

static void test_limit(void **ctx)
{
	static const struct {
		size_t base, path;
		bool fits;
	} sizes[] = {{1, 1021, true},  {1, 1022, false},  {12, 1010, true}, {12, 1011, false},
		     {1023, 1, false}, {1, 70000, false}, {70000, 1, false}};
	static char base[70001], path[70001];
	char out[1300];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (int compat = 0; compat < 2; compat++) {
			memset(base, 'b', sizeof(base));
			base[0] = base[sizes[i].base - 1] = '/';
			memset(path, 'p', sizeof(path));
			size_t n = path_join(out, base, sizes[i].base, path, sizes[i].path, compat);
			assert_int_equal(n, strlen(out));
			if (sizes[i].fits)
				assert_int_equal(n, sizes[i].base + sizes[i].path);
			else
				assert_string_equal(out, "/PATH_TOO_LONG");
		}
}

/* Cleaning a clean path changes nothing. Random names; the seed is fixed, so a failure repeats. */
static void test_idempotent(void **ctx)
{
	static const char *const parts[] = {"a", "bc", ".", "..", "/", "//", "...", "a.", ".b"};
	char path[200], once[1300], twice[1300];
	uint32_t rnd = 12345;

	for (int i = 0; i < 20000; i++) {
		size_t n = 0;
		for (unsigned k = 0, parts_n = 1 + (rnd >> 16) % 12; k < parts_n; k++) {
			rnd = rnd * 1103515245 + 12345;
			const char *s = parts[(rnd >> 16) % ARRAY_SIZE(parts)];
			memcpy(path + n, s, strlen(s));
			n += strlen(s);
		}
		size_t len = path_join(once, "/home/", 6, path, n, false);
		assert_int_equal(once[0], '/');
		assert_null(strstr(once, "//"));
		assert_true(len == 1 || once[len - 1] != '/');
		path_join(twice, "", 0, once, len, false);
		assert_string_equal(once, twice);
	}
}

static void test_kinds(void **ctx)
{
	static const char letters[] = "ofd4646pueXslitnfburmP";

	for (unsigned i = 0; i < sizeof(letters) - 1; i++)
		assert_int_equal(fd_kind_letter(i), letters[i]);
	assert_int_equal(fd_kind_letter(FDK_CLOSED), '?');
	assert_null(fd_kind_name(FDK_UNKNOWN));
	assert_null(fd_kind_name(FDK_UNSUPPORTED));
	assert_null(fd_kind_name(1000));
	assert_string_equal(fd_kind_name(FDK_FIFO), "pipe");
	assert_string_equal(fd_kind_name(FDK_EVENTPOLL), "eventpoll");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_idempotent),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
