/* Texts of event parameters: what evt.args, evt.info and evt.arg.X show. Exact rules: facts
 * state-rules.md section 9, param-types.tsv. Any worker, on its own evctx and buffer. It lives in
 * field/ because fields are made of these texts; output/ only joins them. */
#ifndef BURIN_FIELD_RENDER_H
#define BURIN_FIELD_RENDER_H

#include "base/buf.h"
#include "field/field.h"

/* evt.args: "name=value(resolved) " per parameter; compat029 keeps the blank behind the last one. */
void render_args(struct buf *out, struct field_env *env);
/* evt.info: as evt.args, except writes to a syslog descriptor in compat mode. */
void render_info(struct buf *out, struct field_env *env);
/* One parameter: raw is the number or text as it stands, resolved the part in parentheses ("" = none).
 * False when the event does not carry it. Appends to both. */
bool render_param(struct field_env *env, unsigned i, struct buf *raw, struct buf *resolved);
/* One typed value as a format (-p) prints it. */
void render_value(struct buf *out, const struct value *v, unsigned fmt, const struct render_opts *ro);
/* Time columns. */
void render_time(struct buf *out, struct field_env *env, char time_type);
/* Captured bytes in the mode of ro. */
void render_buffer(struct buf *out, const uint8_t *p, uint32_t len, const struct render_opts *ro);

#endif
