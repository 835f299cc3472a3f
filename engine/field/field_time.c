/* evt.*: times, latencies and distances. */
#include <math.h>
#include <time.h>

#include "field/field_int.h"
#include "field/render.h"

enum { SECOND = 1000000000 };

/* ---- time stamps ---- */

void get_evt_rawtime(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_time_part(v, env->c->ev.ts, r->info->sel);
}

/* A time stamp before the first event's (clocks of CPUs differ a little) wraps as in sysdig. */
void get_evt_reltime(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_time_part(v, env->c->ev.ts - env->c->b->origin_ts, r->info->sel);
}

void get_evt_time(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct buf *b = env_text(env, 0);

	render_time(b, env, 'h');
	set_buf(v, env, b);
}

void get_evt_outputtime(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct buf *b = env_text(env, 0);

	render_time(b, env, env->ro->time_type ? env->ro->time_type : 'h');
	set_buf(v, env, b);
}

void get_evt_text_time(const struct field_ref *r, struct field_env *env, struct value *v)
{
	static const char *const formats[] = {
		[TT_TIME] = "%H:%M:%S",
		[TT_ISO] = "%Y-%m-%dT%H:%M:%S",
		[TT_DATE_NS] = "%Y-%m-%d %H:%M:%S",
		[TT_DATE] = "%Y-%m-%d %H:%M:%S",
	};
	unsigned which = r->info->sel;
	time_t sec = (time_t)(env->c->ev.ts / SECOND);
	struct buf *b = env_text(env, 0);
	char text[64];
	struct tm tm;

	if (!(which == TT_ISO ? gmtime_r(&sec, &tm) : localtime_r(&sec, &tm)))
		return;
	buf_put(b, text, strftime(text, sizeof(text), formats[which], &tm));
	if (which == TT_ISO || which == TT_DATE_NS) {
		buf_putc(b, '.');
		buf_u64_pad(b, env->c->ev.ts % SECOND, 9);
	}
	if (which == TT_ISO)
		buf_lit(b, "+0000");
	set_buf(v, env, b);
}

/* ---- latency ---- */

/* Needs the pairs only: whether the thread is known is not asked, so that the value does not depend
 * on what else is demanded. */
static uint64_t latency_ns(struct field_env *env)
{
	return evctx_latency(env->c);
}

/* Internal events of known threads have none, those of unknown ones 0: as in every reader. Without
 * a thread table all are taken for known. */
static bool latency_hidden(struct field_env *env)
{
	const struct event_info *i = event_info(&env->c->ev);

	if ((i->category_029 & EC_BASE_MASK) != EC_INTERNAL)
		return false;
	return !(env->c->demand->bits & DEMAND_THREADS) || evctx_thread(env->c, NULL);
}

void get_evt_latency(const struct field_ref *r, struct field_env *env, struct value *v)
{
	if (latency_hidden(env))
		return;
	set_time_part(v, latency_ns(env), r->info->sel);
}

void get_evt_wait_latency(const struct field_ref *r, struct field_env *env, struct value *v)
{
	if (is_exit(env) && (event_flags_of(env) & EF_WAITS))
		set_u(v, latency_ns(env));
}

void get_evt_latency_quantized(const struct field_ref *r, struct field_env *env, struct value *v)
{
	uint64_t ns = latency_ns(env);

	if (ns)
		set_u(v, duration_quantized(ns, env->ro->columns));
}

void get_evt_latency_human(const struct field_ref *r, struct field_env *env, struct value *v)
{
	struct buf *b = env_text(env, 0);

	text_duration_human(b, latency_ns(env));
	set_buf(v, env, b);
}

/* Up to 999 of a unit; with two digits of fraction where the whole part has one digit. */
static void human_unit(struct buf *out, uint64_t ns, uint64_t unit, const char *name)
{
	uint64_t whole = ns / unit;

	buf_u64(out, whole);
	if (whole < 10) {
		buf_putc(out, '.');
		buf_u64_pad(out, ns % unit * 100 / unit, 2);
	}
	buf_puts(out, name);
}

void text_duration_human(struct buf *out, uint64_t ns)
{
	uint64_t s = ns / SECOND;

	if (ns < 1000) {
		buf_u64(out, ns);
		buf_lit(out, "ns");
	} else if (ns < 1000000) {
		human_unit(out, ns, 1000, "us");
	} else if (ns < SECOND) {
		human_unit(out, ns, 1000000, "ms");
	} else if (s < 60) {
		human_unit(out, ns, SECOND, "s");
	} else if (s < 3600) {
		buf_printf(out, "%u:%u", (unsigned)(s / 60), (unsigned)(s % 60));
	} else {
		buf_printf(out, "%02llu:%02u:%02u", (unsigned long long)(s / 3600),
			   (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	}
}

/* Eleven decades, 1 ns to 100 s, spread over the columns. Without a terminal sysdig counts -1
 * column: all is step 1, what exceeds the scale 0. */
uint64_t duration_quantized(uint64_t ns, unsigned columns)
{
	double decades = MIN(log10((double)ns), 11.0);

	return (uint64_t)((int64_t)(decades * (columns ? (int)columns : -1) / 11) + 1);
}

/* ---- distance to the event before, per place where the field is written ---- */

void get_evt_deltatime(const struct field_ref *r, struct field_env *env, struct value *v)
{
	uint64_t ts = env->c->ev.ts, *last = &env->lookback[r->place];
	uint64_t delta = *last ? ts - *last : 0;

	*last = ts;
	set_time_part(v, delta, r->info->sel);
}

void get_util_cnt(const struct field_ref *r, struct field_env *env, struct value *v)
{
	set_u(v, ++env->lookback[r->place]);
}
