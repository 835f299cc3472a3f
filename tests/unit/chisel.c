/* Chisels on made-up events: callbacks, intervals, modes, faults. Every script runs with several numbers of workers and batch
 * sizes, and must print the same each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "chisel/chisel_int.h"
#include "chisel_fakes.h"

enum { WINDOW = 5, MAX_SCRIPTS = 3 };

static char dir[] = "/tmp/burin_chisel_XXXXXX";

struct run {
	const char *script[MAX_SCRIPTS]; /* several: several -c */
	const char *args;
	uint64_t events, end;	  /* events in the trace; event at which the run is cut (0 = none) */
	unsigned workers, batch;
	bool force_ordered, live, json;
	uint64_t (*ts)(uint64_t num);
	uint64_t memory;
	uint32_t seconds, minstructions;
};

static uint64_t ts_10ms(uint64_t num)
{
	return 1700000000123456789u + num * 10000000u;
}

static uint64_t ts_jumps(uint64_t num)
{
	return 1700000000000000000u + num * 10000000u - (num % 50 == 0 ? 1500000000u : 0) + num / 300 * 5000000000u;
}

static void write_script(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s.lua", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

struct world {
	struct chisels *cs;
	struct render_opts ro;
	struct evctx ctx[10];
	struct arena scratch[10];
	struct field_env env[10];
	struct buf out;
	struct err e;
};

/* What happened, as text: output, then "error: ..." or "exit N". */
static int feed(struct world *w, const struct run *r)
{
	struct batch b[WINDOW];
	struct chisels_part *p[WINDOW];
	uint64_t next = 1, seq = 0, released = 0;
	int res = 0;

	while (!res && (next <= r->events || released < seq)) {
		while (next <= r->events && seq - released < WINDOW) { /* analyse ahead of release */
			struct batch *bb = &b[seq % WINDOW];
			uint32_t n = (uint32_t)MIN(r->batch, r->events - next + 1);
			unsigned wk = (unsigned)(seq * 7 % r->workers);

			fake_batch(bb, next, n, r->ts ? r->ts : ts_10ms);
			evctx_begin(&w->ctx[wk], bb);
			assert_int_equal(chisels_batch_begin(w->cs, wk, &w->env[wk], &p[seq % WINDOW]), 0);
			for (uint32_t i = 0; i < n; i++) {
				arena_reset(&w->scratch[wk]);
				chisels_events(p[seq % WINDOW], &i, 1);
			}
			chisels_batch_end(p[seq % WINDOW]);
			next += n;
			seq++;
		}
		struct batch *bb = &b[released % WINDOW];
		uint32_t used, end = bb->nev;
		if (r->end && bb->num_base + bb->nev > r->end)
			end = (uint32_t)(r->end - bb->num_base + 1);
		res = chisels_release(w->cs, &p[released % WINDOW], &w->env[9], bb, end, &used, &w->out, &w->e);
		assert_null(p[released % WINDOW]);
		if (!res && end < bb->nev)
			res = CHISELS_END;
		fake_batch_free(bb);
		w->ctx[9].b = NULL;
		released++;
	}
	for (; released < seq; released++) {
		chisels_discard(&p[released % WINDOW]);
		fake_batch_free(&b[released % WINDOW]);
	}
	return res;
}

static void report(struct world *w, int res)
{
	if (res == CHISELS_EXIT)
		buf_printf(&w->out, "exit %d\n", chisels_exit_code(w->cs));
	else if (res < 0)
		buf_printf(&w->out, "error: %s\n", w->e.msg);
}

static char *run(const struct run *r)
{
	struct world w;
	const char *path[] = { NULL, "chisels/", NULL };
	char dir_slash[64];
	struct chisel_host host = { .workers = r->workers, .ro = &w.ro, .is_live = r->live, .json = r->json,
				    .may_end = r->end != 0, .force_ordered = r->force_ordered, .filter_text = "",
				    .path = path, .lua_memory_bytes = r->memory, .lua_seconds = r->seconds,
				    .lua_instructions = r->minstructions };
	struct chisel_input in = { .name = "fake.scap" };
	int res = 0;

	memset(&w, 0, sizeof(w));
	snprintf(dir_slash, sizeof(dir_slash), "%s/", dir);
	path[0] = dir_slash;
	for (int i = 0; i < 10; i++)
		w.env[i] = (struct field_env){ .c = &w.ctx[i], .scratch = &w.scratch[i], .ro = &w.ro };
	assert_int_equal(chisels_new(&w.cs, &host), 0);
	for (int i = 0; i < MAX_SCRIPTS && r->script[i] && !res; i++) {
		char name[16];
		struct chisel *c;

		snprintf(name, sizeof(name), "s%d", i);
		write_script(name, r->script[i]);
		res = chisels_load(w.cs, name, &c, &w.out, &w.e);
		if (!res && r->args)
			res = chisel_set_args(c, r->args, &w.out, &w.e);
	}
	bool loaded = !res;
	if (!res)
		res = chisels_init(w.cs, &w.out, &w.e);
	if (!res)
		res = chisels_capture_start(w.cs, &in, &w.out, &w.e);
	if (!res)
		res = feed(&w, r);
	report(&w, res);
	if (loaded && res != CHISELS_EXIT)
		report(&w, chisels_capture_end(w.cs, &w.env[9], &w.out, &w.e));
	chisels_free(w.cs);
	for (int i = 0; i < 10; i++)
		arena_fini(&w.scratch[i]);
	buf_putc(&w.out, 0);
	return w.out.p;
}

/* ThreadSanitizer makes every run ten times dearer: half of the combinations there, each value of either in two of them. */
#ifdef __SANITIZE_THREAD__
enum { STRIDE = 2 };
#else
enum { STRIDE = 1 };
#endif

/* Runs with every number of workers and batch size; all must print the same as the plain ordered run. */
static char *run_all(struct run r)
{
	static const unsigned workers[] = { 1, 2, 3, 8 }, batch[] = { 1, 3, 64, 100000 };
	char *want;

	r.workers = 1;
	r.batch = 1000;
	r.force_ordered = true;
	want = run(&r);
	r.force_ordered = false;
	for (unsigned i = 0; i < ARRAY_SIZE(workers); i++) {
		for (unsigned k = i % STRIDE; k < ARRAY_SIZE(batch); k += STRIDE) {
			r.workers = workers[i];
			r.batch = batch[k];
			char *got = run(&r);
			if (strcmp(got, want))
				print_message("workers %u batch %u\n", workers[i], batch[k]);
			assert_string_equal(got, want);
			free(got);
		}
	}
	return want;
}

struct expect {
	const char *what;
	struct run r;
	const char *want; /* NULL: only the equality of all runs matters; "...text": contains text */
};

static void check(const struct expect *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *got = run_all(t[i].r);
		const char *want = t[i].want;

		if (want && (!strncmp(want, "...", 3) ? !strstr(got, want + 3) : strcmp(got, want) != 0)) {
			print_error("%s: got\n%s\nwanted\n%s\n", t[i].what, got, want);
			fail();
		}
		free(got);
	}
}

#define ARGS "args = {}\n"

static void test_callbacks(void **state)
{
	static const struct expect t[] = {
		{ "order of callbacks", { .events = 3, .script = { ARGS
			"print('load')\n"
			"function on_init() print('init') f = chisel.request_field('evt.num') return true end\n"
			"function on_capture_start() print('start') return true end\n"
			"function on_event() print('event', evt.field(f), evt.get_num(), evt.get_cpuid()) return true end\n"
			"function on_capture_end(s, ns, d) print('end', s, ns, d) end\n" } },
		  "load\ninit\nstart\nevent\t1\t1\t3\nevent\t2\t2\t3\nevent\t3\t3\t3\nend\t1700000000\t153456789\t20000000\n" },
		{ "types of values", { .events = 1, .script = { ARGS
			"function on_init() for i, n in ipairs{'t.key', 't.val', 't.big', 't.half', 't.nil'} do\n"
			"  h = chisel.request_field(n) g = g or {} g[i] = h print(type(h)) end return true end\n"
			"function on_event() for i = 1, 5 do local v = evt.field(g[i]) print(v, math.type(v)) end\n"
			"  print(evt.field(nil), evt.field(0), evt.field(77)) end\n" } },
		  "userdata\nuserdata\nuserdata\nuserdata\nuserdata\nk1\tnil\n-69\tinteger\n1e+18\tfloat\n0.5\tfloat\nnil\tnil\n"
		  "nil\tnil\tnil\n" },
		{ "filter, formatter, result of on_event", { .events = 20, .script = { ARGS
			"function on_init() chisel.set_filter('mod 4 0') chisel.set_event_formatter('num')\n"
			" f = chisel.request_field('evt.num') return true end\n"
			"function on_event() print('before') return evt.field(f) ~= 12 end\n" } },
		  "before\nline 4\nbefore\nline 8\nbefore\nbefore\nline 16\nbefore\nline 20\n" },
		{ "formatter alone", { .events = 5, .script = { ARGS
			"function on_init() chisel.set_event_formatter('even') return true end\n" } },
		  "line 2\nline 4\n" },
		{ "two chisels interleave by event", { .events = 2, .script = {
			ARGS "function on_event() print('a', evt.get_num()) end\n",
			ARGS "function on_init() chisel.set_event_formatter('num') return true end\n" } },
		  "a\t1\nline 1\na\t2\nline 2\n" },
		{ "the last event in on_capture_end", { .events = 9, .script = { ARGS
			"function on_init() f = chisel.request_field('t.key') return true end\n"
			"function on_capture_end() print(evt.field(f), evt.get_num(), (evt.get_ts()), evt.get_cpuid()) end\n" } },
		  "k4\t9\t1700000000\t3\n" },
		{ "fields that look back", { .events = 7, .script = { ARGS
			"function on_init() chisel.set_filter('mod 3 1') f = chisel.request_field('t.prev') return true end\n"
			"function on_event() print(evt.get_num()) end\n" } },
		  "1\n4\n7\n" },
	};

	check(t, ARRAY_SIZE(t));
}

#define INTERVAL(set) ARGS \
	"n = 0\nfunction on_init() " set " return true end\n" \
	"function on_event() n = n + 1 end\n" \
	"function on_interval(s, ns, d) print('tick', evt.get_num(), s, ns, d, n) n = 0 return true end\n" \
	"function on_capture_end() print('end', n) end\n"

static void test_intervals(void **state)
{
	static const struct expect t[] = {
		{ "seconds", { .events = 250, .script = { INTERVAL("chisel.set_interval_s(1)") } },
		  "tick\t88\t1700000001\t3456789\t0\t87\ntick\t188\t1700000002\t3456789\t1000000000\t100\nend\t63\n" },
		{ "the sysdig spelling", { .events = 100, .script = { INTERVAL("sysdig.set_interval_s(1)") } },
		  "tick\t88\t1700000001\t3456789\t0\t87\nend\t13\n" },
		{ "fractions are off", { .events = 100, .script = { INTERVAL("chisel.set_interval_s(0.5)") } }, "end\t100\n" },
		{ "precise", { .events = 60, .script = { INTERVAL("chisel.set_precise_interval_ns(250000000)") } },
		  "tick\t26\t1700000000\t133456789\t250000000\t25\ntick\t51\t1700000000\t383456789\t250000000\t25\nend\t10\n" },
		{ "times that jump", { .events = 2000, .ts = ts_jumps, .script = { INTERVAL("chisel.set_interval_s(1)") } }, NULL },
		{ "precise, times that jump",
		  { .events = 2000, .ts = ts_jumps, .script = { INTERVAL("chisel.set_precise_interval_ns(700000000)") } }, NULL },
		{ "false ends the run", { .events = 100, .script = { ARGS
			"function on_init() chisel.set_interval_s(1) return true end\n"
			"function on_interval() return false end\nfunction on_capture_end() print('end') end\n" } },
		  "error: execution terminated by the s0 chisel\nend\n" },
		{ "missing", { .events = 100, .script = { ARGS "function on_init() chisel.set_interval_s(1) return true end\n" } },
		  "...on_interval is missing" },
		{ "events a filter rejects drive it", { .events = 250, .script = { ARGS
			"function on_init() chisel.set_filter('mod 1000 1') chisel.set_interval_s(1) return true end\n"
			"function on_interval(s) print(s) return true end\n" } }, "1700000001\n1700000002\n" },
	};

	check(t, ARRAY_SIZE(t));
}

#define AGG(def) ARGS \
	"function on_init() a = chisel.aggregate" def " return true end\n" \
	"function dump() for _, r in ipairs(a:top(3)) do print(table.concat(r, ','), r.value, r.n, table.concat(r.values, ' ')) end end\n"

static void test_aggregates(void **state)
{
	static const struct expect t[] = {
		{ "sum", { .events = 1000, .script = { AGG("{ key = 't.key', value = 't.val' }")
			"function on_capture_end() dump() print(#a, a:get('k1'), a:get('nosuch')) end\n" } },
		  "k2\t114833\t286\t114833\nk1\t113833\t286\t113833\nk4\t113833\t286\t113833\n4\t113833\tnil\n" },
		{ "positive, two keys, several columns", { .events = 1000, .script = { AGG(
			"{ key = {'t.key', 't.tid'}, values = { {'t.val', 'sum'}, {'t.val', 'min'}, {'t.val', 'max'}, {'t.val', 'avg'},"
			" {'evt.num', 'first'}, {'evt.num', 'last'}, {'t.tid', 'distinct'}, {'t.val', 'hist'} }, positive = true }")
			"function on_capture_end() dump() for k, t, v in a:pairs() do print(k, t, v) end\n"
			"local r = a:top(1)[1] print(a:quantile(r, 0.5, 8), #a:buckets(r, 8)) end\n" } }, NULL },
		{ "per interval", { .events = 300, .script = { AGG("{ key = 't.key', value = 't.val', op = 'max', filter = 'mod 2 0' }")
			"function on_capture_start() chisel.set_interval_s(1) return true end\n"
			"function on_interval(s) print(s) dump() a:clear() return true end\n"
			"function on_capture_end() print('end') dump() end\n" } }, NULL },
		{ "per interval, times that jump", { .events = 3000, .ts = ts_jumps, .script = {
			AGG("{ key = 't.key', value = 't.val', op = 'sum' }")
			"function on_capture_start() chisel.set_interval_s(1) return true end\n"
			"function on_interval(s) print(s) dump() a:clear() return true end\n"
			"function on_capture_end() print('end') dump() end\n" } }, NULL },
		{ "cut in the middle of a batch", { .events = 1000, .end = 777, .script = {
			AGG("{ key = 't.key', value = 'evt.num', op = 'last' }") "function on_capture_end() dump() end\n" } },
		  "k0\t777\t111\t777\nk1\t776\t222\t776\nk4\t775\t222\t775\n" },
		{ "ended by another chisel", { .events = 1000, .script = {
			AGG("{ value = 'evt.num', op = 'max' }") "function on_capture_end() print(a:top()[1].value) end\n",
			ARGS "function on_event() if evt.get_num() == 500 then sysdig.end_capture() end end\n",
			AGG("{ value = 'evt.num', op = 'max' }") "function on_capture_end() print(a:top()[1].value) end\n" } },
		  "500\n499\n" },
		{ "stopped by an error of another chisel", { .events = 1000, .script = {
			AGG("{ value = 'evt.num', op = 'max' }") "function on_capture_end() print(a:top()[1].value) end\n",
			ARGS "function on_event() if evt.get_num() == 77 then error('no') end end\n" } }, "...77\n" },
		{ "not to be read in on_event", { .events = 1, .script = {
			AGG("{ value = 'evt.num' }") "function on_event() a:top() end\n" } }, "...aggregates are read in on_interval" },
		{ "with a nil value", { .events = 10, .script = {
			AGG("{ value = 't.nil' }") "function on_capture_end() print(#a) end\n" } }, "0\n" },
		{ "fractions", { .events = 1, .script = { AGG("{ value = 't.half' }") } }, "...is a fraction" },
		{ "wrong op", { .events = 1, .script = { AGG("{ value = 't.val', op = 'mode' }") } }, "...op must be one of" },
		{ "wrong field", { .events = 1, .script = { AGG("{ value = 't.vul' }") } }, "...nonexistent field t.vul" },
	};

	check(t, ARRAY_SIZE(t));
}

#define TALLY ARGS \
	"merge = { n = 'sum', by = 'sum', low = 'min', high = 'max', seen = 'union', first = 'first', last = 'last'," \
	" best = 'top(3)', h = 'hist' }\n" \
	"n, by, low, high, seen, best, h = 5, { k1 = { n = 100 } }, {}, nil, {}, {}, {}\n" \
	"function on_init() f, v = chisel.request_field('t.key'), chisel.request_field('t.val') return true end\n" \
	"function on_event()\n" \
	"  local key, val, num = evt.field(f), evt.field(v), evt.get_num()\n" \
	"  n = n + 1\n" \
	"  by[key] = by[key] or { n = 0, sum = 0 }\n" \
	"  by[key].n, by[key].sum = by[key].n + 1, (by[key].sum or 0) + val\n" \
	"  low[key] = low[key] and math.min(low[key], val) or val\n" \
	"  high = high and math.max(high, val) or val\n" \
	"  seen[val % 5] = true\n" \
	"  first, last = first or num, num\n" \
	"  best[#best + 1] = { val, num }\n" \
	"  table.sort(best, function(a, b) return a[1] > b[1] end)\n" \
	"  best[4] = nil\n" \
	"  h[val // 100] = (h[val // 100] or 0) + 1\n" \
	"  return true\nend\n" \
	"function show(t, ...) local s = ... for k, x in pairs(t) do\n" \
	"  if type(x) == 'table' then show(x, s .. k .. '.') else print(s .. k, x) end end end\n" \
	"function dump() print(n, high, first, last) show(by, 'by.') show(low, 'low.') show(seen, 'seen.') show(best, 'best.')" \
	" show(h, 'h.') end\n"

static void test_merge(void **state)
{
	static const struct expect t[] = {
		{ "every operation", { .events = 1000, .script = { TALLY "function on_capture_end() dump() end\n" } }, NULL },
		{ "cut", { .events = 1000, .end = 555, .script = { TALLY "function on_capture_end() dump() end\n" } }, NULL },
		{ "intervals that reset", { .events = 1000, .ts = ts_jumps, .script = { TALLY
			"function on_capture_start() chisel.set_interval_s(1) return true end\n"
			"function on_interval(s) print(s) dump() n, by, low, high, seen, first, last, best, h = 0, {}, {}, nil, {}, nil, nil, {}, {}\n"
			"return true end\nfunction on_capture_end() dump() end\n" } }, NULL },
		{ "sum", { .events = 10, .script = { ARGS "merge = { n = 'sum' } n = 7\n"
			"function on_event() n = n + evt.get_num() end\nfunction on_capture_end() print(n) end\n" } }, "62\n" },
		{ "printing in on_event", { .events = 3, .script = { ARGS "merge = { n = 'sum' } n = 0\n"
			"function on_event() n = n + 1 print('event', evt.get_num()) end\nfunction on_capture_end() print(n) end\n" } },
		  "event\t1\nevent\t2\nevent\t3\n3\n" },
		{ "per event", { .events = 4, .script = { ARGS "mode = 'per_event'\n"
			"function on_init() print('init') chisel.set_event_formatter('even') return true end\n"
			"function on_event() print(evt.get_num()) return true end\n" } }, "init\n1\n2\nline 2\n3\n4\nline 4\n" },
		{ "on_merge", { .events = 100, .script = { ARGS "merge = { odd = 'custom' } odd, total = {}, 0\n"
			"function on_event() if evt.get_num() % 2 == 1 then odd[#odd + 1] = evt.get_num() end end\n"
			"function on_merge(p) for _, v in ipairs(p.odd or {}) do total = total + v end end\n"
			"function on_capture_end() if total == 0 then on_merge({ odd = odd }) end print(total) end\n" } }, "2500\n" },
		{ "aggregate beside", { .events = 100, .script = { ARGS "merge = { n = 'sum' } n = 0\n"
			"function on_init() a = chisel.aggregate{ value = 'evt.num', op = 'sum' } return true end\n"
			"function on_event() n = n + 1 end\nfunction on_capture_end() print(n, a:top()[1].value) end\n" } }, "100\t5050\n" },
	};

	check(t, ARRAY_SIZE(t));
}

/* Faults that only exist in parallel: the ordered run differs, so no comparison with it. */
static void test_merge_faults(void **state)
{
	static const struct expect t[] = {
		{ "undeclared scalar", { .script = { ARGS "merge = { n = 'sum' } n, m = 0, 0\n"
			"function on_event() n = n + 1 m = m + 1 end\n" } }, "assigns the global 'm'" },
		{ "undeclared new global", { .script = { ARGS "merge = { n = 'sum' } n = 0\n"
			"function on_event() n = n + 1 typo = 1 end\n" } }, "assigns the global 'typo'" },
		{ "undeclared table", { .script = { ARGS "merge = { n = 'sum' } n = 0 t = {}\n"
			"function on_event() n = n + 1 t[n] = 1 end\n" } }, "changes the global table 't'" },
		{ "fraction", { .script = { ARGS "merge = { n = 'sum' } n = 0\n"
			"function on_event() n = n + 0.3 end\n" } }, "holds a fraction (" },
		{ "function", { .script = { ARGS "merge = { n = 'union' } n = {}\n"
			"function on_event() n[1] = print end\n" } }, "n holds a function, which cannot be merged" },
		{ "cycle", { .script = { ARGS "merge = { n = 'union' } n = {}\nfunction on_event() n.n = n end\n" } },
		  "n is nested deeper than 64 levels, or refers to itself" },
		{ "conflict", { .script = { ARGS "merge = { n = 'union' } n = {}\n"
			"function on_event() n[1] = evt.get_num() end\n" } }, "two parts hold different values" },
		{ "wrong operation", { .script = { ARGS "merge = { n = 'average' }\nfunction on_event() end\n" } },
		  "the operations are sum, min" },
		{ "custom without on_merge", { .script = { ARGS "merge = { n = 'custom' }\nfunction on_event() end\n" } },
		  "needs a function on_merge" },
		{ "running a program", { .script = { ARGS "merge = { n = 'sum' }\nfunction on_event() os.execute('true') end\n" } },
		  "os.execute in on_event of a chisel that runs in parallel" },
		{ "ending the capture", { .script = { ARGS "merge = {}\nfunction on_event() sysdig.end_capture() end\n" } },
		  "sysdig.end_capture in on_event of a chisel that runs in parallel" },
		{ "error", { .script = { ARGS "merge = {}\nfunction on_event() if evt.get_num() == 9 then error('nine') end"
			" print(evt.get_num()) end\nfunction on_capture_end() print('end') end\n" } }, "8\nerror: s0 chisel error: " },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		for (unsigned workers = 2; workers <= 3; workers++) {
			struct run r = t[i].r;

			r.workers = workers;
			r.batch = 10;
			r.events = 100;
			char *got = run(&r);
			/* on_capture_end is not run after a fault in a parallel chisel. */
			if (!strstr(got, t[i].want) || strstr(got, "\nend\n")) {
				print_error("%s: got\n%s\nwanted\n%s\n", t[i].what, got, t[i].want);
				fail();
			}
			free(got);
		}
	}
}

static void test_faults(void **state)
{
	static const struct expect t[] = {
		{ "syntax", { .script = { "args = {\n" } }, "...Failed to load chisel s0" },
		{ "no args", { .script = { "x = 1\n" } }, "error: Failed to load chisel s0: args table missing\n" },
		{ "error in load", { .script = { ARGS "error('boom')" } }, "...s0.lua:2: boom\n" },
		{ "init false", { .script = { ARGS "function on_init() return false end\nfunction on_capture_end() print('end') end" } },
		  "error: init() for chisel s0 failed.\nend\n" },
		{ "init nil", { .script = { ARGS "function on_init() end" } }, "error: chisel s0: wrong init() return value\n" },
		{ "error in on_event", { .events = 5, .script = { ARGS
			"function on_event() print(evt.get_num()) if evt.get_num() == 3 then local x = nil + 1 end end\n"
			"function on_capture_end() print('end') end\n" } }, "...1\n2\n3\nerror: s0 chisel error: " },
		{ "error object", { .events = 1, .script = { ARGS "function on_event() error({}) end\n" } }, "...(error object is a table value)" },
		{ "os.exit", { .events = 5, .script = { ARGS
			"function on_event() print(evt.get_num()) if evt.get_num() == 2 then os.exit(3) end end\n"
			"function on_capture_end() print('end') end\n" } }, "1\n2\nexit 3\n" },
		{ "os.exit inside pcall", { .events = 5, .script = { ARGS
			"function on_event() pcall(os.exit) print('after') end\n" } }, "after\nexit 0\n" },
		{ "end_capture", { .events = 9, .script = { ARGS
			"function on_event() print(evt.get_num()) if evt.get_num() == 4 then sysdig.end_capture() end end\n"
			"function on_capture_end() print('end') end\n" } }, "1\n2\n3\n4\nend\n" },
		{ "error in on_capture_end", { .script = { ARGS "function on_capture_end() print('x') error('y') end\n" } }, "x\n" },
		{ "recursion", { .events = 1, .script = { ARGS "function f() return 1 + f() end function on_event() f() end\n" } },
		  "...stack overflow" },
		{ "memory", { .events = 1, .memory = 8 << 20, .script = { ARGS
			"function on_event() local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end end\n" } },
		  "error: s0 chisel error: its Lua state needs more than 8 MiB (limit)\n" },
		{ "wrong handle", { .events = 1, .script = { ARGS "function on_event() evt.field('evt.num') end\n" } },
		  "...evt.field: argument 1 is a string" },
		{ "event before there is one", { .script = { ARGS "function on_init() evt.get_num() return true end\n" } },
		  "...invalid call to evt.get_num()" },
		{ "wrong arguments", { .script = { ARGS "function on_init() chisel.request_field({}) return true end\n" } },
		  "...s0: chisel.request_field: argument 1 must be the name of a field, got table" },
	};

	check(t, ARRAY_SIZE(t));
}

static void test_endless(void **state)
{
	static const struct expect t = { "endless", { .events = 1, .seconds = 1, .script = { ARGS
		"function on_event() while true do pcall(function() while true do end end) end end\n" } },
		"...the callback ran for more than 1 s (limit)" };
	struct run r = t.r;

	r.workers = 1;
	r.batch = 1;
	char *got = run(&r);
	assert_non_null(strstr(got, t.want + 3));
	free(got);
}

/* The limit of instructions stops a script at the same event whatever the machine, also behind pcall. */
static void test_instructions(void **state)
{
	static const struct expect t[] = {
		{ "one callback", { .events = 9, .minstructions = 1, .script = { ARGS
			"function on_event() print(evt.get_num())\n"
			"if evt.get_num() == 4 then while true do pcall(function() while true do end end) end end end\n" } },
		  "...4\nerror: s0 chisel error: " },
		{ "message", { .events = 9, .minstructions = 1, .script = { ARGS
			"function on_event() while true do end end\n" } }, "...the callback ran more than 1 million instructions (limit)" },
		{ "each callback counts for itself", { .events = 20, .minstructions = 1, .script = { ARGS
			"function on_event() for i = 1, 200000 do end end\nfunction on_capture_end() print('end') end\n" } }, "end\n" },
		{ "coroutine", { .events = 1, .minstructions = 1, .script = { ARGS
			"function on_event() coroutine.wrap(function() while true do end end)() end\n" } }, "...million instructions (limit)" },
		{ "the main chunk", { .minstructions = 1, .script = { ARGS "while true do end\n" } },
		  "error: Failed to load chisel s0: " },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct run r = t[i].r;

		r.batch = 3;
		for (r.workers = 1; r.workers <= 3; r.workers += 2) {
			char *got = run(&r);
			const char *want = t[i].want;
			if (!strstr(got, strncmp(want, "...", 3) ? want : want + 3)) {
				print_error("%s: got\n%s\nwanted\n%s\n", t[i].what, got, want);
				fail();
			}
			free(got);
		}
	}
}

static void test_args(void **state)
{
	static const char script[] =
		"args = { { name = 'a', argtype = 'string' }, { name = 'b', optional = true }, { name = 'c', optional = true } }\n"
		"function on_set_arg(n, v) print(n .. '=' .. v .. '.') return true end\n";
	static const struct expect t[] = {
		{ "one", { .args = "x", .script = { script } }, "a=x.\n" },
		{ "trimmed", { .args = "  x y ", .script = { script } }, "a=x.\nb=y.\n" },
		{ "quotes", { .args = "'x y' `z w`", .script = { script } }, "a=x y.\nb=z w.\n" },
		{ "two blanks", { .args = "x  y", .script = { script } }, "a=x.\nb=.\nc=y.\n" },
		{ "unbalanced", { .args = "'x y", .script = { script } }, "error: corrupted parameters for chisel s0\n" },
		{ "too many", { .args = "1 2 3 4", .script = { script } },
		  "error: too many parameters for chisel s0, 1 required, 2 optional, 4 given\n" },
		{ "no on_set_arg", { .args = "1", .script = { "args = { { name = 'a' } }" } },
		  "error: chisel s0 misses a set_arg() function\n" },
	};

	check(t, ARRAY_SIZE(t));
}

/* Lua 5.1's texts of numbers and its forgiving library. */
static void test_lua51(void **state)
{
	static const struct { const char *expr, *want; } t[] = {
		{ "6 / 2", "3" }, { "1e15", "1e+15" }, { "123456789012345678", "123456789012345678" }, { "0.1", "0.1" },
		{ "-0.0", "-0" }, { "1 / 0", "inf" }, { "tostring(2^53)", "9.007199254741e+15" },
		{ "tostring(-9007199254740992)", "-9007199254740992" }, { "tostring(0) .. tostring(120)", "0120" },
		{ "string.format('%d', 3.7)", "3" }, { "string.format('%d', -3.7)", "-3" }, { "string.format('%u', 3.2)", "3" },
		{ "string.format('%5.1f|%-8s|%03d', 2.25, 'ab', 7)", "  2.3|ab      |007" },
		{ "string.format('%6d|%-6d|%06d|%-06d|%6.3d|%-6.3d|%06.3d', -42, -42, -42, -42, -42, -42, -42)",
		  "   -42|-42   |-00042|-42   |  -042|-042  |  -042" },
		{ "string.format('%d|%.0d|%.d|%3.0d|%.25d|%i', 0, 0, 0, 0, 12, 3.9)", "0|||   |0000000000000000000000012|3" },
		{ "string.format('%+d|% d|%30d|%.9d', 5, 5, -2^62, 7)", "+5| 5|          -4611686018427387904|000000007" },
		{ "string.format('%8.3s|%-4s|%s', 'abcdef', 'x', true)", "     abc|x   |true" },
		{ "string.format('%.2f', 10.625)", "10.63" }, { "string.format('%.2f', 0.125)", "0.13" },
		{ "string.format('%.2f', -0.125)", "-0.13" }, { "string.format('%.0f', 0.5)", "1" },
		{ "string.format('%.2f', 1.005)", "1.00" }, { "string.format('%.1f', 0.25)", "0.3" },
		{ "string.format('%.1f', 0.35)", "0.3" }, { "string.format('%.3g', 2.125)", "2.13" },
		{ "string.format('%.2e', 1.125)", "1.13e+00" }, { "string.format('%s %s', 4/2, nil)", "2 nil" },
		{ "string.format('%x %X %o', 255, 255, 8)", "ff FF 10" }, { "string.format('%c%c', 72, 105)", "Hi" },
		{ "string.format('%5s|%.2s|%5.1s|', 'abc', 'abc', 'abc')", "  abc|ab|    a|" },
		{ "string.format('%q', 'a\"b\\n')", "\"a\\\"b\\\n\"" }, { "string.format('%d', '12')", "12" },
		{ "string.format('%d', 1e30)", "-9223372036854775808" }, { "string.format('100%%')", "100%" },
		{ "table.concat({1.0, 2, 'x', 3.5}, '-')", "1-2-x-3.5" },
		{ "(function() local t = {1,2} table.insert(t, 0, 9) return tostring(t[0]) .. tostring(t[1]) .. t[2] .. t[3] end)()", "9nil12" },
		{ "(function() local t = {1,2,3} table.insert(t, 2, 9) return table.concat(t, ',') end)()", "1,9,2,3" },
		{ "table.remove({}, 5)", "nil" }, { "('ab'):rep(2.7)", "abab" }, { "('abc'):sub(1.9, 2)", "ab" },
		{ "math.pow(2, 10)", "1024" }, { "math.log10(1000)", "3" }, { "unpack({4, 5})", "4\t5" }, { "table.getn({1, 2})", "2" },
		{ "loadstring('return 7')()", "7" }, { "bit.band(0xff, 0x0f)", "15" }, { "bit.bnot(0)", "-1" },
		{ "bit.tohex(255)", "000000ff" }, { "bit.lshift(1, 31)", "-2147483648" }, { "bit.arshift(-8, 1)", "-4" },
		{ "jit.status()", "false" }, { "_VERSION", "Lua 5.1" }, { "next({})", "nil" },
		{ "(function() local s = '' for k in pairs{z=1,b=2,[10]=1,[2]=1,a=3,[true]=1} do s = s .. tostring(k) .. ' ' end return s end)()",
		  "2 10 a b z true " },
		{ "(function() local s, t = '', {c=1,a=1,b=1} local k = next(t) while k do s = s .. k k = next(t, k) end return s end)()", "abc" },
		{ "(function() local t = {c=1,a=1,b=1} for k in pairs(t) do t[k] = nil end return next(t) end)()", "nil" },
		{ "(function() local t = {} for i = 1, 200 do t[i] = {i % 3, i} end table.sort(t, function(x, y) return x[1] < y[1] end)"
		  " local ok = true for i = 2, 200 do ok = ok and (t[i-1][1] < t[i][1] or t[i-1][2] < t[i][2]) end return ok end)()", "true" },
		{ "(function() local t = {3, 1, 2} table.sort(t) return table.concat(t) end)()", "123" },
		{ "(function() local f = function() return xyz end setfenv(f, {xyz = 5}) return f() end)()", "5" },
		{ "os.date('%Y', 0)", "1970" }, { "select('#', 1, nil)", "2" }, { "('x'):byte(1.2)", "120" },
		{ "sysdig.make_ts(1534527342, 5)", "1534527342000000005" }, { "sysdig.subtract_ts('12', '34')", "-22" },
		{ "sysdig.add_ts('18446744073709551615', 2)", "1" }, { "sysdig.get_filter()", "" }, { "sysdig.is_live()", "false" },
		{ "sysdig.get_output_format()", "normal" }, { "sysdig.get_evtsource_name()", "" }, { "sysdig.get_firstevent_ts()", "0" },
		{ "type(sichisel)", "userdata" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		char script[1024], want[256];
		struct run r = { .script = { script }, .workers = 1, .batch = 1 };

		snprintf(script, sizeof(script), ARGS "print(%s)\n", t[i].expr);
		snprintf(want, sizeof(want), "%s\n", t[i].want);
		char *got = run(&r);
		if (strcmp(got, want)) {
			print_error("%s: got %s wanted %s\n", t[i].expr, got, want);
			fail();
		}
		free(got);
	}
}

static void test_stdio(void **state)
{
	static const struct expect t[] = {
		{ "one stream", { .events = 1, .script = { ARGS
			"function on_init() chisel.set_event_formatter('num') return true end\n"
			"function on_event() io.write('a', 1.0, 2) io.stdout:write('b', 3.5, '\\n') print(1, nil, 2.0) return true end\n" } },
		  "a12b3.5\n1\tnil\t2\nline 1\n" },
	};

	check(t, ARRAY_SIZE(t));
}

static int set_up(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[256];

	for (int i = 0; i < MAX_SCRIPTS; i++) {
		snprintf(path, sizeof(path), "%s/s%d.lua", dir, i);
		unlink(path);
	}
	return rmdir(dir);
}

/* The watchdog looks from outside: a callback may begin while it does. */
static void test_watchdog(void **state)
{
	const uint64_t limit = 7 * UINT64_C(1000000000), now = 50 * limit;
	struct watchdog *wd;

	assert_int_equal(watchdog_new(&wd, 7), 0);
	assert_false(watchdog_over(wd, now, now));
	assert_false(watchdog_over(wd, now + 1, now));
	assert_false(watchdog_over(wd, now + 2 * limit, now));
	assert_false(watchdog_over(wd, now - limit + 1, now));
	assert_true(watchdog_over(wd, now - limit, now));
	watchdog_interrupt(wd);
	assert_true(watchdog_over(wd, now + 1, now));
	watchdog_free(wd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lua51),	cmocka_unit_test(test_args),	cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_stdio),	cmocka_unit_test(test_intervals), cmocka_unit_test(test_aggregates),
		cmocka_unit_test(test_merge),	cmocka_unit_test(test_merge_faults), cmocka_unit_test(test_faults),
		cmocka_unit_test(test_endless),	cmocka_unit_test(test_instructions), cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
