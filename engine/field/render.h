/* Texts of event parameters: what evt.args, evt.info and evt.arg.X show. Exact rules: facts
 * state-rules.md section 9, param-types.tsv. Any worker, on its own evctx and buffer. It lives in
 * field/ because fields are made of these texts; output/ only joins them.
 *
 * The few caches behind it (texts of flag values, the clock of the current minute) belong to the
 * thread: they change the speed of an answer, never the answer. The time zone is read once. */
#ifndef BURIN_FIELD_RENDER_H
#define BURIN_FIELD_RENDER_H

#include "base/buf.h"
#include "field/field.h"

/* evt.args: "name=value(resolved) " per parameter, with the blank behind the last one too. */
void render_args(struct buf *out, struct field_env *env);
/* evt.info: as evt.args, except writes to a syslog descriptor in compat mode. */
void render_info(struct buf *out, struct field_env *env);
/* One parameter: raw is the number or text as it stands, resolved the part in parentheses ("" =
 * none). False when the event does not carry it. Appends to both. */
bool render_param(struct field_env *env, unsigned i, struct buf *raw, struct buf *resolved);
/* One typed value as a format (-p) prints it. fmt: enum param_fmt of the field. */
void render_value(struct buf *out, const struct value *v, unsigned fmt,
		  const struct render_opts *ro);
/* Time columns: h a r d (-t); anything else is h, except D, which is render_delta on
 * env->lookback[0]. */
void render_time(struct buf *out, struct field_env *env, char time_type);
/* -t D: time since the event that the place with this memory saw before (its time stamp, 0 = none;
 * updated). */
void render_delta(struct buf *out, struct field_env *env, uint64_t *last);
/* The default column: "HH:MM:SS.nnnnnnnnn", local zone. Writes 18 bytes at p, returns p + 18. */
char *render_clock(char *p, uint64_t ns);
/* Captured bytes in the mode of ro; len 0 gives nothing. */
void render_buffer(struct buf *out, const uint8_t *p, uint32_t len, const struct render_opts *ro);

#endif
