/* Fuzzes filter texts: the first byte chooses the mode, the rest is the text (up to its first NUL).
 * What compiles is verified, explained, run on a few events and compared with the slow evaluator;
 * what does not must say where. Values come from the fake field stage of tests/filter. */
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"
#include "oracle.h"

#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "fuzz_filter: %s does not hold\n", #x); \
			abort();                                                \
		}                                                               \
	} while (0)

enum { EVENTS = 4, MAX_TEXT = 4096 };

static const char *const descriptions[EVENTS] = {
	"evt.type=open evt.dir=< proc.name=cat proc.pid=3 fd.num=3 fd.name=/etc/passwd "
	"fd.types=file,ipv4 "
	"proc.aname=bash,sshd,init proc.apid=2,1 evt.arg.name=/etc/passwd evt.rawres=-2 "
	"thread.cpu=2.5",
	"evt.type=read evt.dir=< proc.name=nc proc.pname=nc fd.name=10.0.0.1:40000->10.0.0.2:80 "
	"fd.ip=10.0.0.1,10.0.0.2 "
	"fd.port=40000,80 fd.net=10.0.0.1,10.0.0.2 fd.sip=10.0.0.2 fd.sport=80 "
	"evt.buffer=GET\\x20/\\x00 evt.failed=false",
	"evt.type=getrusage evt.dir=> thread.tid=7 evt.cpu=1",
	"evt.type=close evt.dir=> fd.ip=::1,fe80::1 fd.name= proc.name= user.uid=4294967295 "
	"evt.latency=1500000000",
};

static void run(const struct filter *f, const char *text)
{
	static struct fake_event fe[EVENTS];
	static bool ready;
	struct render_opts ro = {0};
	struct digest_pred p = filter_header_pred(f);
	struct filter_run *r;
	struct oracle *o;
	struct arena scratch;
	struct demand d;
	const char *why;

	for (unsigned i = 0; !ready && i < EVENTS; i++)
		MUST(fake_event_parse(&fe[i], descriptions[i], &why));
	ready = true;
	MUST(!oracle_new(&o, text, NULL));
	MUST(!filter_run_new(&r, f));
	arena_init(&scratch);
	memset(d.types, 0xff, sizeof(d.types));
	filter_types(f, &d);
	for (unsigned i = 0; i < EVENTS; i++) {
		struct field_env env = {.c = &fe[i].c, .scratch = &scratch, .ro = &ro};
		bool yes = filter_match(r, &env);
		bool first =
			demand_type(&d, fe[i].c.ev.type) && (!p.fn || p.fn(p.ctx, &fe[i].c.ev));

		MUST(!yes || first);
		MUST(!filter_header_decides(f) || first == yes);
		/* The C library's patterns differ in what is no regular language to them. */
		if (!strstr(text, "regex"))
			MUST(oracle_match(o, &env) == yes);
		arena_reset(&scratch);
	}
	arena_fini(&scratch);
	filter_run_free(r);
	oracle_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char text[MAX_TEXT + 1];
	struct filter *f;
	struct err e;
	struct buf b;

	if (!n || n > MAX_TEXT)
		return 0;
	memcpy(text, p + 1, n - 1);
	text[n - 1] = '\0';
	err_clear(&e);
	if (filter_compile(&f, text, p[0] & 1, &e)) {
		MUST(e.code == ERR_SYNTAX && e.msg[0] && e.pos <= strlen(text));
		return 0;
	}
	buf_init(&b);
	filter_explain(f, &b);
	buf_fini(&b);
	if (!(p[0] & 1))
		run(f, text);
	filter_free(f);
	return 0;
}
