/* usage: filter_prop [SEED [EXPRESSIONS [EVENTS]]]
 * Random expressions over random events: the engine must agree with the slow evaluator on every
 * pair, and the type bitmap and the digest's program must not reject what matches. Prints the seed;
 * a failure prints the expression, the event's number and how to run it again. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fake.h"
#include "oracle.h"

/* Expressions by default: more than a million pairs; a quarter of them where the sanitizers make each slow. */
#ifdef BURIN_DEBUG
enum { EXPRS = 5000 };
#else
enum { EXPRS = 20000 };
#endif

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 16) % n);
}

#define PICK(a) (a)[rnd(ARRAY_SIZE(a))]

/* ---- pools ----------------------------------------------------------------------------------- */

static const char *const texts[] = {
	"",
	"a",
	"b",
	"ab",
	"abc",
	"A",
	"aB",
	"/",
	"/etc",
	"/etc/",
	"/etc/passwd",
	"//etc//passwd",
	"etc",
	"/usr/lib/x.so",
	"/usr/lib",
	"cat",
	"Cat",
	"cut",
	"x y",
	"<",
	">",
	"YWJj",
	"YWI=",
	"read",
	"-a",
	"-bfoo",
	"--",
	"--long",
	"foo",
	"longer than sixteen bytes, and then some more",
	"3",
	"10",
	"\xc3\xa9",
	"\xff",
	"aaaaaaaaaaaaaaaaab",
	"/etc/passwd.bak",
	"*",
	"[",
	"a*",
	"ipv4",
	"file",
};
static const char *const globs[] = {
	"*",	"?",	 "/etc/*", "*etc*",	   "[a-c]*", "[!a]*",
	"*.so", "a?",	 "",	   "[[:alpha:]]*", "*a*b",   "c[au]t",
	"C*",	"*[/]*", "[]a]*",  "??*",	   "*/",     "a",
	"[a-",	"*b*b",	 "[^/]*",  "[*]",
};
static const char *const regexes[] = {
	"a.*",	  "[a-z]+", "/etc/.*", "(a|b)+",       ".*so",		"cat|Cat", "",	 ".*",
	"a{2,}b", "[^/]*",  "(a*)*b",  "/(etc|usr).*", "[[:upper:]].*", "x y",	   "..",
};
static const char *const numbers[] = {"0",   "1",  "2",	 "3",	"5",	      "10",   "80",
				      "443", "-1", "-5", "100", "1000000000", "65535"};
static const char *const times[] = {"0",    "1",  "1000000000", "1500000000", "1s",
				    "1.5s", "2s", "10ms",	"3"};
static const char *const dates[] = {
	"1700000000000000000", "\"2023-11-14 22:13:20\"",  "\"2023-11-14 22:13:20.5\"",
	"2023-11-14",	       "\"2023-11-14T22:13:21Z\"", "1700000000",
	"1700000001",
};
static const char *const addrs[] = {"10.0.0.1", "10.0.0.2", "192.168.1.1",
				    "::1",	"fe80::1",  "10.128.0.1"};
static const char *const nets[] = {"10.0.0.0/8", "10.0.0.0/9", "192.168.1.1/32", "0.0.0.0/0",
				   "::/0",	 "fe80::/10",  "::1/128"};
static const char *const doubles[] = {"0", "1", "2.5", "-1", "100"};
static const char *const types[] = {"open",   "read",  "close",	 "write",    "getuid",
				    "setuid", "clone", "switch", "getrusage"};
static const char *const hexes[] = {"", "61", "6162", "2f65", "ff", "FF"};

enum kind {
	K_TEXT,
	K_NUM,
	K_UNUM,
	K_PORT,
	K_TIME,
	K_DATE,
	K_BOOL,
	K_DBL,
	K_ADDR,
	K_NET,
	K_BYTES,
	K_LIST,
	K_TYPE,
	K_DIR,
	K_AROUND
};
struct pool_field {
	const char *name;
	enum kind kind;
	bool rhs;
};

static const struct pool_field pool[] = {
	{"proc.name", K_TEXT, true},
	{"proc.pname", K_TEXT, true},
	{"fd.name", K_TEXT, true},
	{"proc.cmdline", K_TEXT, true},
	{"proc.env[HOME]", K_TEXT, true},
	{"evt.arg.name", K_TEXT, true},
	{"proc.aname", K_TEXT, false},
	{"proc.aname[1]", K_TEXT, false},
	{"proc.pid", K_NUM, true},
	{"proc.ppid", K_NUM, true},
	{"fd.num", K_NUM, true},
	{"proc.apid", K_NUM, false},
	{"evt.rawarg.res", K_NUM, false},
	{"thread.tid", K_NUM, true},
	{"evt.cpu", K_NUM, false},
	{"evt.buflen", K_UNUM, true},
	{"proc.vmsize", K_UNUM, true},
	{"fd.sport", K_PORT, true},
	{"fd.port", K_PORT, false},
	{"evt.latency", K_TIME, true},
	{"evt.latency.s", K_TIME, false},
	{"evt.rawtime", K_DATE, true},
	{"evt.rawtime.s", K_DATE, false},
	{"evt.failed", K_BOOL, true},
	{"fd.is_server", K_BOOL, true},
	{"evt.is_wait", K_BOOL, false},
	{"thread.cpu", K_DBL, true},
	{"fd.sip", K_ADDR, true},
	{"fd.cip", K_ADDR, true},
	{"fd.ip", K_ADDR, false},
	{"fd.net", K_NET, false},
	{"fd.snet", K_NET, false},
	{"evt.buffer", K_BYTES, true},
	{"fd.types", K_LIST, false},
	{"evt.type", K_TYPE, false},
	{"evt.type", K_TYPE, false},
	{"evt.dir", K_DIR, false},
	{"syscall.type", K_TEXT, false},
	{"evt.around[1700000000500000000]", K_AROUND, false},
};

/* ---- expressions ----------------------------------------------------------------------------- */

static char text[1 << 14];
static size_t used;

static void put(const char *s)
{
	size_t n = strlen(s);

	if (used + n + 1 < sizeof(text)) {
		memcpy(text + used, s, n + 1);
		used += n;
	}
}

static void blank(void)
{
	if (rnd(3))
		put(" ");
}

/* Quoted, or bare where the grammar allows it. */
static void put_text(const char *s)
{
	bool bare = *s && strcspn(s, " ()'\",=<>\\") == strlen(s) && rnd(2);
	char one[2] = {0};

	if (bare) {
		put(s);
		return;
	}
	put("\"");
	for (; *s; s++) {
		one[0] = *s;
		put(*s == '"' || *s == '\\' ? "\\" : "");
		put(one);
	}
	put("\"");
}

static void put_literal(enum kind k)
{
	switch (k) {
	case K_NUM:
		put(PICK(numbers));
		break;
	case K_UNUM:
	case K_PORT:
		put(numbers[rnd(8)]);
		break;
	case K_TIME:
		put(PICK(times));
		break;
	case K_DATE:
		put(PICK(dates));
		break;
	case K_BOOL:
		put(rnd(2) ? "true" : "false");
		break;
	case K_DBL:
		put(PICK(doubles));
		break;
	case K_ADDR:
		put(PICK(addrs));
		break;
	case K_NET:
		put(PICK(nets));
		break;
	case K_TYPE:
		put(PICK(types));
		break;
	case K_DIR:
		put(rnd(2) ? "<" : ">");
		break;
	case K_AROUND:
		put(PICK(((const char *[]){"0", "100", "500", "1000"})));
		break;
	default:
		put_text(PICK(texts));
		break;
	}
}

static void put_list(enum kind k, void (*item)(enum kind))
{
	unsigned n = rnd(8) ? 1 + rnd(6) : 0;

	put("(");
	for (unsigned i = 0; i < n; i++) {
		put(i ? ", " : "");
		item(k);
	}
	put(")");
}

static bool numeric(enum kind k)
{
	return (k >= K_NUM && k <= K_DATE) || k == K_DBL;
}

static void put_glob(enum kind k)
{
	put_text(PICK(globs));
}
static void put_regex(enum kind k)
{
	put_text(PICK(regexes));
}

/* Operators that only texts take, and those of buffers. */
static void put_text_test(enum kind k)
{
	static const char *const ops[] = {"contains", "icontains", "startswith",
					  "endswith", "glob",	   "iglob",
					  "regex",    "bcontains", "bstartswith"};
	static const char *const mods[] = {"anyof ", "allof ", "oneof "};
	unsigned op = k == K_BYTES ? PICK(((unsigned[]){0, 2, 3, 7, 8})) : rnd(7);
	void (*item)(enum kind) = op == 4 || op == 5 ? put_glob : op == 6 ? put_regex : put_literal;

	if (k == K_TYPE && (op == 4 || op == 5 || op == 6))
		item = put_literal;
	put(" ");
	put(ops[op]);
	put(" ");
	if (op >= 7)
		put_text(PICK(hexes));
	else if (rnd(3) == 0) {
		put(PICK(mods));
		put_list(k, item);
	} else {
		item(k);
	}
}

static const struct pool_field *rhs_field(const struct pool_field *l)
{
	for (unsigned tries = 0; tries < 200; tries++) {
		const struct pool_field *r = &PICK(pool);

		if (r->rhs && r->kind == l->kind)
			return r;
	}
	return l;
}

static void put_val(const struct pool_field *l)
{
	static const char *const funcs[] = {"val(", "tolower(", "toupper(", "basename("};
	const struct pool_field *r = rhs_field(l);

	put(l->kind == K_TEXT ? PICK(funcs) : "val(");
	put(r->name);
	put(")");
}

static void put_ops(const struct pool_field *l, enum kind k)
{
	static const char *const eq[] = {"=", "==", "!="}, *const order[] = {"<", "<=", ">", ">="};
	bool list = k == K_LIST, texty = k == K_TEXT || k == K_BYTES || k == K_TYPE || k == K_DIR;

	if (rnd(8) == 0) {
		put(" exists");
	} else if (k == K_AROUND) {
		put("=");
		put_literal(k);
	} else if (list || rnd(4) == 0) {
		put(rnd(2) ? " in " : " intersects ");
		put_list(k, put_literal);
	} else if (texty && rnd(2)) {
		if (k == K_TEXT && rnd(6) == 0) {
			put(" pmatch ");
			put_list(k, put_literal);
		} else {
			put_text_test(k == K_DIR ? K_TEXT : k);
		}
	} else {
		blank();
		put((numeric(k) || k == K_TEXT) && rnd(2) ? PICK(order) : PICK(eq));
		blank();
		if (l && l->rhs && rnd(4) == 0)
			put_val(l);
		else
			put_literal(k);
	}
}

static const struct pool_field *text_field(void)
{
	return &pool[rnd(6)];
}

static void put_call(void)
{
	static const char *const funcs[] = {"tolower(", "toupper(", "basename(", "b64("};

	switch (rnd(6)) {
	case 0:
		put("len(");
		put(rnd(3) ? text_field()->name : rnd(2) ? "fd.types" : "evt.buffer");
		put(")");
		put_ops(NULL, K_UNUM);
		return;
	case 1:
		put("concat(");
		put(text_field()->name);
		put(", \"/\", ");
		put(text_field()->name);
		put(")");
		break;
	case 2:
		put("join(\",\", ");
		put(rnd(2) ? "fd.types" : "(a, \"b\", foo)");
		put(")");
		break;
	case 3:
		put("getopt(");
		put_list(K_TEXT, put_literal);
		put(", \"ab:f\")");
		put(rnd(2) ? "[b]" : "");
		put_ops(NULL, text[used - 1] == ']' ? K_TEXT : K_LIST);
		return;
	default:
		put(PICK(funcs));
		put(rnd(2) ? text_field()->name : "basename(fd.name)");
		put(")");
	}
	put_ops(NULL, K_TEXT);
}

static void put_test(void)
{
	const struct pool_field *l = &PICK(pool);

	if (rnd(60) == 0) {
		put("evt.deltatime ");
		put_ops(NULL, K_TIME);
		return;
	}
	if (rnd(6) == 0) {
		put_call();
		return;
	}
	put(l->name);
	put_ops(l, l->kind);
}

static void put_expr(unsigned depth)
{
	unsigned n = rnd(5) ? 1 : 2 + rnd(4);
	bool same_op = rnd(2), first = rnd(2);

	for (unsigned i = 0; i < n; i++) {
		if (i)
			put((same_op ? first : rnd(2)) ? " and " : " or ");
		if (rnd(4) == 0)
			put("not ");
		if (depth && rnd(3)) {
			put("(");
			put_expr(depth - 1);
			put(")");
		} else {
			put_test();
		}
	}
}

/* Chains over one field: what the folding merges. */
static void put_chain(void)
{
	const struct pool_field *l = &PICK(pool);
	bool and = rnd(4) == 0;

	for (unsigned i = 0, n = 2 + rnd(6); i < n; i++) {
		put(i ? and? " and " : " or " : "");
		put(rnd(6) == 0 ? "not " : "");
		if (rnd(5) == 0)
			put_test();
		else {
			put(l->name);
			put_ops(l, l->kind);
		}
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

static const char *random_item(enum kind k)
{
	switch (k) {
	case K_NUM:
		return PICK(numbers);
	case K_UNUM:
	case K_PORT:
		return numbers[rnd(8)];
	case K_TIME:
		return times[rnd(4)];
	case K_BOOL:
		return rnd(2) ? "true" : "false";
	case K_DBL:
		return PICK(doubles);
	case K_ADDR:
	case K_NET:
		return PICK(addrs);
	default:
		return PICK(texts);
	}
}

static void random_value(struct fake_event *fe, const struct pool_field *f)
{
	struct fake_value *fv = fake_add(fe, f->name);
	bool several = f->kind == K_LIST || !strcmp(f->name, "proc.aname") ||
		       !strcmp(f->name, "proc.apid") || !strcmp(f->name, "fd.ip") ||
		       !strcmp(f->name, "fd.port") || !strcmp(f->name, "fd.net");
	unsigned n = several ? rnd(4) : 1;
	uint8_t type = fv->v[0].type;
	char both[256];

	for (unsigned i = 0; i < n; i++) {
		const char *item = random_item(f->kind);

		snprintf(both, sizeof(both), "%s", item);
		if (f->kind == K_TEXT && rnd(3) == 0)
			snprintf(both, sizeof(both), "%s%s", item, random_item(f->kind));
		fake_add_item(fe, fv, type, both, strlen(both));
	}
}

static void random_event(struct fake_event *fe, unsigned i)
{
	fake_event_init(fe);
	fe->c.ev.type = (uint16_t)rnd(EV_CODE_COUNT);
	if (rnd(3))
		fake_event_type(fe, PICK(types), rnd(2));
	else if (fe->c.ev.type < 2)
		fe->data[0] = (uint8_t)rnd(256), fe->data[1] = (uint8_t)rnd(8);
	fe->c.ev.ts += 250000000ull * i;
	fe->c.ev.cpu = (uint16_t)rnd(4);
	fe->c.ev.tid = rnd(5);
	for (unsigned k = 0; k < ARRAY_SIZE(pool); k++)
		if (pool[k].kind != K_TYPE && pool[k].kind != K_DIR && pool[k].kind != K_AROUND &&
		    rnd(4))
			random_value(fe, &pool[k]);
}

/* ---- the property ---------------------------------------------------------------------------- */

struct counts {
	uint64_t pairs, yes, rejected, failed, shared;
};

static void report(struct counts *c, uint64_t seed, unsigned expr, unsigned event, const char *what)
{
	c->failed++;
	printf("FAILED expression %u, event %u: %s\n  %s\n  again: filter_prop %llu %u\n", expr,
	       event, what, text, (unsigned long long)seed, expr + 1);
}

/* What is said of all events of a thread or descriptor at once, against the answer for one of them.
 */
static const char *shared_wrong(const struct fshared *s, struct filter_run *r,
				struct field_env *env, bool want)
{
	bool upper, lower;

	if (!s->by)
		return NULL;
	filter_run_next(r);
	upper = fprog_run(&s->upper, r, env);
	filter_run_next(r);
	lower = s->exact ? upper : s->lower.n && fprog_run(&s->lower, r, env);
	return want && !upper	? "the bound from above rejects it"
	       : !want && lower ? "the bound from below accepts it"
				: NULL;
}

static void pairs(struct counts *c, uint64_t seed, unsigned expr, struct fake_event *events,
		  unsigned n, struct filter *f, struct oracle *o)
{
	struct render_opts ro = {0};
	struct arena scratch;
	struct filter_run *r;
	struct digest_pred p = filter_header_pred(f);
	struct demand d;

	memset(d.types, 0xff, sizeof(d.types));
	filter_types(f, &d);
	arena_init(&scratch);
	if (filter_run_new(&r, f))
		abort();
	for (unsigned i = 0; i < n; i++) {
		struct field_env env = {.c = &events[i].c, .scratch = &scratch, .ro = &ro};
		bool want = oracle_match(o, &env), got, first;
		const char *why;

		events[i].gets = 0;
		got = filter_match(r, &env);
		first = demand_type(&d, events[i].c.ev.type) &&
			(!p.fn || p.fn(p.ctx, &events[i].c.ev));
		c->pairs++;
		c->yes += want;
		if (got != want)
			report(c, seed, expr, i,
			       want ? "the engine rejects it" : "the engine accepts it");
		else if (want && !first)
			report(c, seed, expr, i, "the digest rejects it");
		else if (filter_header_decides(f) && first != want)
			report(c, seed, expr, i,
			       "the digest accepts what it should decide against");
		else if (events[i].gets > f->nslots)
			report(c, seed, expr, i, "a field was extracted twice");
		if (!first)
			continue;
		c->shared += (f->by_thread.by != 0) + (f->by_fd.by != 0);
		why = shared_wrong(&f->by_thread, r, &env, want);
		why = why ? why : shared_wrong(&f->by_fd, r, &env, want);
		if (why)
			report(c, seed, expr, i, why);
		arena_reset(&scratch);
	}
	filter_run_free(r);
	arena_fini(&scratch);
}

static void expression(struct counts *c, uint64_t seed, unsigned expr, struct fake_event *events,
		       unsigned n)
{
	struct filter *f;
	struct oracle *o;
	struct err e;

	used = 0;
	text[0] = '\0';
	if (rnd(3) == 0)
		put_chain();
	else
		put_expr(rnd(4));
	if (filter_compile(&f, text, false, &e)) {
		if (!c->rejected++)
			printf("first rejected: %s: %s\n", text, e.msg);
		if (e.code != ERR_SYNTAX || e.pos > strlen(text))
			report(c, seed, expr, 0, e.msg);
		return;
	}
	if (oracle_new(&o, text, &e)) {
		report(c, seed, expr, 0, "only the engine compiles it");
	} else {
		pairs(c, seed, expr, events, n, f, o);
		oracle_free(o);
	}
	filter_free(f);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	unsigned exprs = argc > 2 ? (unsigned)atoi(argv[2]) : EXPRS,
		 n = argc > 3 ? (unsigned)atoi(argv[3]) : 64;
	struct fake_event *events = calloc(n, sizeof(*events));
	struct counts c = {0};

	setenv("TZ", "UTC", 1);
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	for (unsigned i = 0; i < exprs && c.failed < 10; i++) {
		rng = (seed + 1) * 0x9e3779b97f4a7c15ull + i / 100;
		rnd(2);
		if (i % 100 == 0) /* each expression can be made again without those before it */
			for (unsigned k = 0; k < n; k++)
				random_event(&events[k], k);
		rng = (seed + 1) * 0xbf58476d1ce4e5b9ull + i;
		rnd(2);
		expression(&c, seed, i, events, n);
	}
	printf("%llu bounds tried\n", (unsigned long long)c.shared);
	printf("%llu pairs, %llu matched, %llu expressions rejected, %llu failed\n",
	       (unsigned long long)c.pairs, (unsigned long long)c.yes,
	       (unsigned long long)c.rejected, (unsigned long long)c.failed);
	free(events);
	/* Most expressions must compile, and both verdicts be common, or the test tests nothing. */
	return c.failed || !c.shared || c.rejected * 10 > exprs || c.yes * 20 < c.pairs ||
	       c.yes * 20 > c.pairs * 19;
}
