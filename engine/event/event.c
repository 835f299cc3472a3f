#include "event/event.h"

#include <stdlib.h>

#include "event/event_int.h"
#include "event/event_parse.h"

static int flag_table_cmp(const void *key, const void *item)
{
	return strcmp(key, (*(const struct flag_table *const *)item)->name);
}

const struct flag_table *flag_table_find(const char *name)
{
	const struct flag_table *const *t;

	t = bsearch(name, flag_tables, flag_table_count, sizeof(*flag_tables), flag_table_cmp);
	return t ? *t : NULL;
}

const char *errno_name(int64_t err)
{
	return err >= 0 && err < errno_names_count ? errno_names[err] : NULL;
}

const char *signal_name(unsigned sig)
{
	return sig < signal_names_count ? signal_names[sig] : NULL;
}

const char *ppm_sc_name(unsigned id)
{
	return id < SC_CODE_COUNT ? ppm_sc_table[id].name : NULL;
}

const char *ppm_sc_name_029(unsigned id)
{
	return id < SC_CODE_COUNT ? ppm_sc_table[id].name_029 : NULL;
}

unsigned ppm_sc_category_029(unsigned id)
{
	return id < SC_CODE_COUNT ? ppm_sc_table[id].category_029 : EC_UNKNOWN;
}

/* The spelling is sysdig's; "IPC" is upper case there. The I/O categories are never shown:
 * evt.category names them by the kind of descriptor. */
static const char *const category_names[EC_COUNT] = {
	[EC_UNKNOWN] = "unknown",
	[EC_OTHER] = "other",
	[EC_FILE] = "file",
	[EC_NET] = "net",
	[EC_IPC] = "IPC",
	[EC_MEMORY] = "memory",
	[EC_PROCESS] = "process",
	[EC_SLEEP] = "sleep",
	[EC_SYSTEM] = "system",
	[EC_SIGNAL] = "signal",
	[EC_USER] = "user",
	[EC_TIME] = "time",
	[EC_PROCESSING] = "processing",
	[EC_IO_READ] = "unknown",
	[EC_IO_WRITE] = "unknown",
	[EC_IO_OTHER] = "unknown",
	[EC_WAIT] = "wait",
	[EC_SCHEDULER] = "scheduler",
	[EC_INTERNAL] = "internal",
};

const char *event_category_name(unsigned base)
{
	base &= EC_BASE_MASK;
	return base < EC_COUNT ? category_names[base] : category_names[EC_UNKNOWN];
}

static ALWAYS_INLINE bool kind_is_v1(uint32_t kind)
{
	return kind == BLK_EV_V1 || kind == BLK_EVF_V1 || kind == BLK_EV_V1_INT;
}

static ALWAYS_INLINE bool kind_has_flags(uint32_t kind)
{
	return kind == BLK_EVF_V2 || kind == BLK_EVF_V2_LARGE || kind == BLK_EVF_V1;
}

uint32_t event_block_hdr_off(uint32_t block_type)
{
	return kind_has_flags(block_type) ? 14 : 10;
}

/* Version 1 headers do not say how many parameters follow. The count is the one whose length array
 * and parameters end exactly at the end of the event (body bytes behind the header): the end grows
 * with every parameter, so there is at most one. Returns -1 if there is none. */
static int v1_count_params(const uint8_t *lens, uint32_t body, unsigned max, bool large)
{
	uint32_t width = large ? 4 : 2;
	uint64_t end = 0;

	for (unsigned n = 0; n <= max; n++) {
		if (end == body)
			return (int)n;
		/* The n-th length must lie inside the event, or this is no event. */
		if (end > body || (n + 1) * width > body)
			return -1;
		end += width + load_len(lens, n, large);
	}
	return -1;
}

static NO_INLINE int parse_v1(struct event *e, uint32_t len, uint32_t avail, unsigned known,
			      const char **why)
{
	/* Old sysdig wrote these two with a length 3 too large. */
	if (e->type == EV_NOTIFICATION_E || e->type == EV_INFRASTRUCTURE_EVENT_E)
		len -= MIN(len, 3u);
	if (len < EVENT_HDR_V1 || len > avail) {
		*why = "event length does not fit its block";
		return EVENT_BAD;
	}
	e->lens = e->hdr + EVENT_HDR_V1;
	int n = v1_count_params(e->lens, len - EVENT_HDR_V1, known, e->large);
	if (n < 0) {
		*why = "no number of parameters fits the event length";
		return EVENT_BAD;
	}
	e->nparams = (uint16_t)n;
	e->data = e->lens + (size_t)n * (e->large ? 4 : 2);
	return EVENT_OK;
}

static ALWAYS_INLINE int parse_v2(struct event *e, uint32_t len, uint32_t avail, unsigned known,
				  const char **why)
{
	if (UNLIKELY(len < EVENT_HDR_V2 || len > avail)) {
		*why = "event length does not fit its block";
		return EVENT_BAD;
	}
	uint32_t n = load_u32(e->hdr + EVENT_HDR_V1), body = len - EVENT_HDR_V2;
	uint32_t width = e->large ? 4 : 2;

	if (UNLIKELY(n > body / width)) {
		*why = "length array does not fit the event length";
		return EVENT_BAD;
	}
	e->lens = e->hdr + EVENT_HDR_V2;
	e->data = e->lens + (size_t)n * width;
	/* Behind the event the block has at least its 4-byte trailer. */
	uint64_t sum = lens_sum(e->lens, n, e->large, body + 4);

	if (UNLIKELY(sum > body - n * width)) {
		*why = "parameters do not fit the event length";
		return EVENT_BAD;
	}
	e->nparams = (uint16_t)MIN(n, known);
	return EVENT_OK;
}

int event_parse(struct event *e, const uint8_t *b, uint32_t n, unsigned max_code, const char **why)
{
	uint32_t kind = load_u32(b);
	bool v1 = UNLIKELY(kind_is_v1(kind)), flagged = UNLIKELY(kind_has_flags(kind));
	uint32_t at = flagged ? 14 : 10;

	/* Behind the event comes at least the 4-byte trailer of the block. */
	if (UNLIKELY(n < at + (v1 ? EVENT_HDR_V1 : EVENT_HDR_V2) + 4u)) {
		*why = "event block too short for its header";
		return EVENT_BAD;
	}
	const uint8_t *h = b + at;
	uint32_t len = load_u32(h + 16), avail = n - 4 - at;
	unsigned type = load_u16(h + 20);

	if (UNLIKELY(type >= max_code || type >= EV_CODE_COUNT))
		return EVENT_UNKNOWN;
	unsigned known = event_shapes[type].nparams;

	e->hdr = h;
	e->ts = load_u64(h);
	e->tid = load_i64(h + 8);
	e->type = (uint16_t)type;
	e->cpu = load_u16(b + 8);
	e->hidden = flagged && (load_u32(b + 10) & 1);
	/* The type, not the kind of block, decides the width of the length array. */
	e->large = UNLIKELY(event_shapes[type].large);
	e->nknown = 0;
	e->off[0] = 0;
	return v1 ? parse_v1(e, len, avail, known, why) : parse_v2(e, len, avail, known, why);
}

void event_view_odd(struct event *e, const uint8_t *b)
{
	const char *why;

	event_parse(e, b, load_u32(b + 4), EV_CODE_COUNT, &why);
}

/* Bytes of an integer on the wire; negative = signed; 0 = not an integer. */
static const int8_t int_width[] = {
	[PT_INT8] = -1,	      [PT_INT16] = -2,	   [PT_INT32] = -4,	[PT_INT64] = -8,
	[PT_UINT8] = 1,	      [PT_UINT16] = 2,	   [PT_UINT32] = 4,	[PT_UINT64] = 8,
	[PT_ERRNO] = -8,      [PT_FD] = -8,	   [PT_PID] = -8,	[PT_SYSCALLID] = 2,
	[PT_SIGTYPE] = 1,     [PT_RELTIME] = 8,	   [PT_ABSTIME] = 8,	[PT_PORT] = 2,
	[PT_L4PROTO] = 1,     [PT_SOCKFAMILY] = 1, [PT_BOOL] = 4,	[PT_FLAGS8] = 1,
	[PT_FLAGS16] = 2,     [PT_FLAGS32] = 4,	   [PT_UID] = 4,	[PT_GID] = 4,
	[PT_SIGSET] = 4,      [PT_MODE] = 4,	   [PT_ENUMFLAGS8] = 1, [PT_ENUMFLAGS16] = 2,
	[PT_ENUMFLAGS32] = 4, [PT_FD32] = -4,	   [PT_PID32] = -4,
};

bool event_param_i64(struct event *e, unsigned i, int64_t *v)
{
	const uint8_t *p;
	uint32_t len;

	if (!event_param(e, i, &p, &len))
		return false;
	int width = int_width[event_param_types[e->type][i]];

	if (LIKELY(width == -8 && len == 8)) { /* results, descriptors, ids of processes */
		*v = load_i64(p);
		return true;
	}
	if (!len || len != (uint32_t)abs(width))
		return false;
	switch (width) {
	case -8:
	case 8:
		*v = load_i64(p);
		break;
	case -4:
		*v = (int32_t)load_u32(p);
		break;
	case 4:
		*v = load_u32(p);
		break;
	case -2:
		*v = (int16_t)load_u16(p);
		break;
	case 2:
		*v = load_u16(p);
		break;
	case -1:
		*v = (int8_t)*p;
		break;
	default:
		*v = *p;
		break;
	}
	return true;
}

bool event_param_str(struct event *e, unsigned i, const char **s, uint32_t *len)
{
	const uint8_t *p, *nul;
	uint32_t n;

	if (!event_param(e, i, &p, &n))
		return false;
	nul = n ? memchr(p, 0, n) : NULL;
	*s = (const char *)p;
	*len = nul ? (uint32_t)(nul - p) : n;
	return true;
}

/* System call of a generic event; SC_UNKNOWN if the event does not say. */
static unsigned generic_id(struct event *e)
{
	const uint8_t *p;
	uint32_t len;

	return event_param(e, 0, &p, &len) && len == 2 ? load_u16(p) : SC_UNKNOWN;
}

const char *event_name(struct event *e, bool compat029)
{
	if (LIKELY(e->type > EV_GENERIC_X))
		return event_table[e->type].name;
	unsigned id = generic_id(e);
	const char *name = compat029 ? ppm_sc_name_029(id) : ppm_sc_name(id);

	if (!name)
		name = compat029 ? ppm_sc_name_029(SC_UNKNOWN) : ppm_sc_name(SC_UNKNOWN);
	return name;
}
