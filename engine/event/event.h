/* Event types and decoded views of single events.
 *
 * The event table is generated from engine/event/events.def (the one definition of every event) by
 * tools/gen_events.py. It is IMMUTABLE: any thread may read it. Two generations meet in it:
 *   - "c029" columns: the event as sysdig 0.29.3 knows it (used by --compat=0.29 and, where it has
 *     the event, for names and formats in every mode);
 *   - the plain columns: the newest table (schema 4.5, July 2026).
 *
 * A view (struct event) points into the bytes of one event block and costs no allocation. Nothing in
 * a view may be trusted beyond what event_parse checked: it verifies that the header, the length
 * array and the sum of the lengths lie inside the block, so parameter access needs no further check.
 * Integers in events are little-endian and unaligned; ports are host order, addresses network order. */
#ifndef BURIN_EVENT_EVENT_H
#define BURIN_EVENT_EVENT_H

#include <stdbool.h>

#include "base/compiler.h"
#include "event_codes.h" /* generated: enum event_code { EV_GENERIC_E = 0, ... }, EV_CODE_COUNT (454), EV_CODE_COUNT_029 */

enum {
	EVENT_MAX_PARAMS = 32,
	EVENT_HDR_V1 = 22, /* ts 8, tid 8, len 4, type 2 */
	EVENT_HDR_V2 = 26, /* the same and nparams 4 */
};

/* Parameter types; values are the wire codes of param-types (frozen). */
enum param_type {
	PT_NONE = 0, PT_INT8 = 1, PT_INT16 = 2, PT_INT32 = 3, PT_INT64 = 4, PT_UINT8 = 5, PT_UINT16 = 6,
	PT_UINT32 = 7, PT_UINT64 = 8, PT_CHARBUF = 9, PT_BYTEBUF = 10, PT_ERRNO = 11, PT_SOCKADDR = 12,
	PT_SOCKTUPLE = 13, PT_FD = 14, PT_PID = 15, PT_FDLIST = 16, PT_FSPATH = 17, PT_SYSCALLID = 18,
	PT_SIGTYPE = 19, PT_RELTIME = 20, PT_ABSTIME = 21, PT_PORT = 22, PT_L4PROTO = 23,
	PT_SOCKFAMILY = 24, PT_BOOL = 25, PT_IPV4ADDR = 26, PT_DYN = 27, PT_FLAGS8 = 28, PT_FLAGS16 = 29,
	PT_FLAGS32 = 30, PT_UID = 31, PT_GID = 32, PT_DOUBLE = 33, PT_SIGSET = 34, PT_CHARBUFARRAY = 35,
	PT_CHARBUF_PAIR_ARRAY = 36, PT_IPV4NET = 37, PT_IPV6ADDR = 38, PT_IPV6NET = 39, PT_IPADDR = 40,
	PT_IPNET = 41, PT_MODE = 42, PT_FSRELPATH = 43, PT_ENUMFLAGS8 = 44, PT_ENUMFLAGS16 = 45,
	PT_ENUMFLAGS32 = 46, PT_FD32 = 47, PT_PID32 = 48,
};

/* Print formats of numbers. */
enum param_fmt { PF_NA, PF_DEC, PF_HEX, PF_OCT, PF_PADDEC /* 10-digit padded */, PF_ID, PF_DIR };

/* Event flags (bits of event_info.flags and .flags_029). */
enum {
	EF_CREATES_FD = 1 << 0, EF_DESTROYS_FD = 1 << 1, EF_USES_FD = 1 << 2, EF_READS_FROM_FD = 1 << 3,
	EF_WRITES_TO_FD = 1 << 4, EF_MODIFIES_STATE = 1 << 5, EF_UNUSED = 1 << 6, EF_WAITS = 1 << 7,
	EF_SKIPPARSERESET = 1 << 8, EF_OLD_VERSION = 1 << 9, EF_LARGE_PAYLOAD = 1 << 10,
	EF_CONVERTER_MANAGED = 1 << 11, EF_DROP_SIMPLE_CONS = 1 << 12,
};

/* Event categories: one base value, plus the source bits of the newest table. */
enum event_category {
	EC_UNKNOWN, EC_OTHER, EC_FILE, EC_NET, EC_IPC, EC_MEMORY, EC_PROCESS, EC_SLEEP, EC_SYSTEM,
	EC_SIGNAL, EC_USER, EC_TIME, EC_PROCESSING, EC_IO_READ, EC_IO_WRITE, EC_IO_OTHER, EC_WAIT,
	EC_SCHEDULER, EC_INTERNAL, EC_COUNT,
	EC_SYSCALL = 1 << 8, EC_TRACEPOINT = 1 << 9, EC_PLUGIN = 1 << 10, EC_METAEVENT = 1 << 11,
	EC_ITER = 1 << 12,
	EC_BASE_MASK = 0xff,
};

struct flag_table;

struct param_info {
	const char *name;
	uint8_t type;			/* enum param_type */
	uint8_t fmt;			/* enum param_fmt */
	/* Index of the parameter with the directory fd, -1 = none. 0.29.3 has one wrong (openat2's
	 * enter names the path itself, and so resolves against the cwd): .params_new is right. */
	int8_t dirfd;
	const struct flag_table *flags; /* names of flags/enums/modes; NULL = none */
	const struct dyn_table *dyn;	/* PT_DYN only */
};

struct event_info {
	const char *name;     /* "open"; presentation name: 0.29.3's where it has the event */
	const char *enum_name; /* "SYSCALL_OPEN_E" (without PPME_) */
	uint16_t category;    /* newest: enum event_category and its source bits */
	uint16_t category_029;
	uint32_t flags;	      /* newest */
	uint32_t flags_029;
	uint8_t nparams;      /* newest count */
	uint8_t nparams_029;  /* 0.29.3's count */
	bool known_029;	      /* 0.29.3 has this code */
	bool is_exit;	      /* odd code */
	/* Presentation: for i < nparams_029 as 0.29.3 has them, behind that as the newest. */
	const struct param_info *params; /* max(nparams, nparams_029) entries */
	const struct param_info *params_new; /* as the newest table has them, nparams entries */
	int8_t fd_param;      /* exits: parameter holding the fd the event works on (newest rule), -1 = none */
	int8_t res_param;     /* parameter that is the return value ("res", "fd" of creating exits), -1 = none */
};

extern const struct event_info event_table[EV_CODE_COUNT];

/* What decoding an event needs of its type: all of them together stay in the first-level cache. */
struct event_shape {
	uint8_t nparams; /* max(nparams, nparams_029) */
	bool large;	 /* EF_LARGE_PAYLOAD: lengths of 32 bits */
};
extern const struct event_shape event_shapes[EV_CODE_COUNT];
/* event_table[code].params[i].type, for those who want no more of a parameter. */
extern const uint8_t event_param_types[EV_CODE_COUNT][EVENT_MAX_PARAMS];

/* ---- names of numbers ------------------------------------------------------------------------ */

struct flag_entry { const char *name; uint32_t value; };
struct flag_table {
	const char *name;
	uint16_t n;		    /* entries */
	uint16_t n_029;		    /* leading entries that 0.29.3 knows; 0 = it has no such table */
	const struct flag_entry *e; /* in printing order */
};
struct dyn_entry { uint8_t type, fmt; };
struct dyn_table { const char *name; uint8_t n; const struct dyn_entry *e; };

const struct flag_table *flag_table_find(const char *name); /* "file_flags"; NULL if unknown */
const char *errno_name(int64_t err);	   /* positive errno; "ENOENT" or NULL */
const char *signal_name(unsigned sig);	   /* "SIGKILL" or NULL */
const char *ppm_sc_name(unsigned id);	   /* system call name of a generic event; NULL if unknown */
const char *ppm_sc_name_029(unsigned id);  /* the same as 0.29.3 has it ("sigreturn"); NULL if unknown */
unsigned ppm_sc_category_029(unsigned id); /* enum event_category of a generic event in 0.29.3 (the
					    * newest schema: EC_OTHER for all); EC_UNKNOWN if unknown */
const char *event_category_name(unsigned base); /* "file"; never NULL */

/* ---- one event ------------------------------------------------------------------------------- */

struct event {
	const uint8_t *hdr;  /* at the time stamp; borrowed from the batch, valid as long as it */
	const uint8_t *lens; /* length array */
	const uint8_t *data; /* first parameter */
	uint64_t ts;	     /* ns since the epoch */
	int64_t tid;	     /* host pid namespace */
	uint16_t type;	     /* < EV_CODE_COUNT */
	uint16_t cpu;
	uint16_t nparams;    /* parameters the event carries and the table knows (min of both) */
	bool large;	     /* length array of 32-bit entries */
	bool hidden;	     /* dump flags bit 0: state only, never shown */
	uint8_t nknown;	     /* private: offsets known so far */
	uint32_t off[EVENT_MAX_PARAMS + 1]; /* private: offset of each parameter from data, lazily filled */
};

/* Block kinds of events (block type codes of the file). */
enum {
	BLK_EV_V1 = 0x204, BLK_EVF_V1 = 0x208, BLK_EV_V1_INT = 0x8010ABCD,
	BLK_EV_V2 = 0x216, BLK_EVF_V2 = 0x217, BLK_EV_V2_LARGE = 0x221, BLK_EVF_V2_LARGE = 0x222,
};
static ALWAYS_INLINE bool block_is_event(uint32_t t)
{
	return t == BLK_EV_V2 || t == BLK_EV_V1 || t == BLK_EVF_V2 || t == BLK_EVF_V1 ||
	       t == BLK_EV_V2_LARGE || t == BLK_EVF_V2_LARGE || t == BLK_EV_V1_INT;
}

enum event_parse_result {
	EVENT_OK = 0,
	EVENT_UNKNOWN = 1, /* type beyond the table: skip, takes no number */
	EVENT_BAD = -1,	   /* breaks the format: *why is a static text */
};
/* Decodes the event block at b (block type, total length n including frame; the frame was checked by
 * the reader: n >= 12 and n bytes are readable). Fills *e. max_code: codes >= it are EVENT_UNKNOWN
 * (EV_CODE_COUNT, or EV_CODE_COUNT_029 in compat mode). Any thread. */
int event_parse(struct event *e, const uint8_t *b, uint32_t n, unsigned max_code, const char **why);

/* The view of a block that event_parse has accepted before under the same max_code: checks nothing. */
void event_view_odd(struct event *e, const uint8_t *b);
static ALWAYS_INLINE void event_view(struct event *e, const uint8_t *b)
{
	const uint8_t *h = b + 10;

	if (UNLIKELY(load_u32(b) != BLK_EV_V2)) {
		event_view_odd(e, b);
		return;
	}
	uint32_t n = load_u32(h + EVENT_HDR_V1);
	struct event_shape s = event_shapes[load_u16(h + 20)];

	e->hdr = h;
	e->lens = h + EVENT_HDR_V2;
	e->data = e->lens + (size_t)n * (s.large ? 4 : 2);
	e->ts = load_u64(h);
	e->tid = load_i64(h + 8);
	e->type = load_u16(h + 20);
	e->cpu = load_u16(b + 8);
	e->nparams = (uint16_t)MIN(n, s.nparams);
	e->large = s.large;
	e->hidden = false;
	e->nknown = 0;
	e->off[0] = 0;
}

/* Header fields straight from an event block without building a view (block checked as above and at
 * least header-sized). */
uint32_t event_block_hdr_off(uint32_t block_type); /* offset of ts from the block start: 10 or 14 */

static ALWAYS_INLINE uint32_t event_param_len_(const struct event *e, unsigned i)
{
	return e->large ? load_u32(e->lens + 4 * (size_t)i) : load_u16(e->lens + 2 * (size_t)i);
}
/* Parameter i. False if the event does not carry it. *p borrowed from the batch; *len in bytes
 * (0 is possible and means "no value" for most types). */
static ALWAYS_INLINE bool event_param(struct event *e, unsigned i, const uint8_t **p, uint32_t *len)
{
	if (UNLIKELY(i >= e->nparams))
		return false;
	while (e->nknown <= i) {
		e->off[e->nknown + 1] = e->off[e->nknown] + event_param_len_(e, e->nknown);
		e->nknown++;
	}
	*p = e->data + e->off[i];
	*len = e->off[i + 1] - e->off[i];
	return true;
}
/* Integer parameter i of any width (sign-extended for signed types by the table); false if the event
 * does not carry it or its length is not the type's. */
bool event_param_i64(struct event *e, unsigned i, int64_t *v);
/* Text parameter i up to its first NUL; false if absent. Zero length gives an empty text. */
bool event_param_str(struct event *e, unsigned i, const char **s, uint32_t *len);

static ALWAYS_INLINE const struct event_info *event_info(const struct event *e)
{
	return &event_table[e->type];
}
/* Internal events are numbered and counted, not printed, and always written: those of that category in
 * 0.29.3, and the user and group bookkeeping of later captures. */
static inline bool event_info_internal(const struct event_info *i)
{
	if (i->known_029)
		return (i->category_029 & EC_BASE_MASK) == EC_INTERNAL;
	return i->category & EC_METAEVENT;
}
/* Name shown as evt.type: generic events by their system call, with 0.29.3's names ("<unknown>" for
 * what it does not know) if compat029, else with the newest ("unknown"). Never NULL. */
const char *event_name(struct event *e, bool compat029);

#endif
