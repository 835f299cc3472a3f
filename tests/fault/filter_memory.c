/* Compiling, running and explaining filters with the n-th allocation failing, for n = 1, 2, ...
 * until all goes well: every failure is -ENOMEM with a message, nothing leaks (sanitizer builds)
 * and nothing crashes. The regular expression library allocates by itself and is left alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"
#include "filter/filter.h"

static long left = -1; /* allocations that still succeed; negative: all do */

static int out_of_memory(void)
{
	return left >= 0 && left-- == 0;
}

#include "failing_malloc.h"

static const char *const filters[] = {
	"proc.name=cat",
	"(evt.type=open and fd.name contains anyof (a, b, c)) or not evt.cpu in (1, 2, 3)",
	"proc.name glob [a-z]*x and fd.name pmatch (/etc, /usr/lib) and fd.ip in (10.0.0.1, ::1)",
	"fd.net in (10.0.0.0/8) or thread.cpu in (1, 2.5) or proc.cmdline regex \"a(b|c)*\"",
	"concat(proc.name, tolower(fd.name)) startswith val(proc.pname) or getopt((-a, x), "
	"\"a:\")[a]=x",
	"proc.name=a or proc.name=b or proc.name in (c, d) or fd.name icontains X or evt.buffer "
	"bcontains 6162",
	"evt.deltatime>5 and proc.name endswith oneof (a, b) and evt.time > \"2026-11-21 "
	"10:00:00\"",
	"evt.arg.name=x and evt.rawarg.res<0 and evt.around[5]=3 and proc.env[HOME]=/root",
};

enum outcome { WENT_WELL, OUT_OF_MEMORY, WRONG };

static enum outcome run(const struct filter *f)
{
	static struct fake_event fe;
	struct render_opts ro = {0};
	struct arena scratch;
	struct field_env env = {.c = &fe.c, .scratch = &scratch, .ro = &ro};
	struct filter_run *r;
	int rc = filter_run_new(&r, f);

	if (rc)
		return rc == -ENOMEM ? OUT_OF_MEMORY : WRONG;
	arena_init(&scratch);
	filter_match(r, &env); /* without scratch memory values are missing, nothing worse */
	rc = scratch.failed;
	arena_fini(&scratch);
	filter_run_free(r);
	return rc ? OUT_OF_MEMORY : WENT_WELL;
}

static enum outcome once(const char *text)
{
	enum outcome what;
	struct filter *f;
	struct err e;
	struct buf b;
	int rc;

	err_clear(&e);
	rc = filter_compile(&f, text, false, &e);
	if (rc)
		return rc == -ENOMEM && e.code == -ENOMEM && e.msg[0] ? OUT_OF_MEMORY : WRONG;
	what = run(f);
	buf_init(&b);
	filter_explain(f, &b);
	if (buf_failed(&b) && what == WENT_WELL)
		what = OUT_OF_MEMORY;
	buf_fini(&b);
	filter_free(f);
	return what;
}

int main(void)
{
	unsigned long total = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(filters); i++) {
		for (long n = 0;; n++) {
			enum outcome what;

			left = n;
			what = once(filters[i]);
			if (what == WRONG || n > 100000) {
				left = -1;
				printf("FAILED %s with allocation %ld failing\n", filters[i], n);
				return 1;
			}
			total += what == OUT_OF_MEMORY;
			if (left >= 0) /* there were not n allocations: none failed */
				break;
		}
		left = -1;
	}
	printf("%u filters, %lu failed allocations\n", (unsigned)ARRAY_SIZE(filters), total);
	return total < 40; /* far more where the arena allocates piece by piece (sanitizers) */
}
