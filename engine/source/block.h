/* Block kinds of a .scap file. One table; the codes of events are in event/event.h. The codes are
 * on disk: frozen. Pure functions, any thread. */
#ifndef BURIN_SOURCE_BLOCK_H
#define BURIN_SOURCE_BLOCK_H

#include <stdbool.h>

#include "event/event.h"

enum block_kind {
	BK_UNKNOWN,
	BK_SECTION,
	BK_EVENT,
	/* metadata */
	BK_MACHINE,
	BK_THREADS,
	BK_FDS,
	BK_IFACES,
	BK_USERS,
};

/* Name, code, kind, version of its layout. The _INT codes are pre-release aliases. */
#define BLOCK_TABLE(X)                              \
	X(BLK_SHB, 0x0A0D0D0A, BK_SECTION, 1)       \
	X(BLK_MI, 0x201, BK_MACHINE, 1)             \
	X(BLK_MI_INT, 0x8002ABCD, BK_MACHINE, 1)    \
	X(BLK_PL_V1, 0x202, BK_THREADS, 1)          \
	X(BLK_PL_V1_INT, 0x8000ABCD, BK_THREADS, 1) \
	X(BLK_PL_V2, 0x207, BK_THREADS, 2)          \
	X(BLK_PL_V2_INT, 0x8013ABCD, BK_THREADS, 2) \
	X(BLK_PL_V3, 0x209, BK_THREADS, 3)          \
	X(BLK_PL_V3_INT, 0x8014ABCD, BK_THREADS, 3) \
	X(BLK_PL_V4, 0x210, BK_THREADS, 4)          \
	X(BLK_PL_V5, 0x211, BK_THREADS, 5)          \
	X(BLK_PL_V6, 0x212, BK_THREADS, 6)          \
	X(BLK_PL_V7, 0x213, BK_THREADS, 7)          \
	X(BLK_PL_V8, 0x214, BK_THREADS, 8)          \
	X(BLK_PL_V9, 0x215, BK_THREADS, 9)          \
	X(BLK_FDL_V1, 0x203, BK_FDS, 1)             \
	X(BLK_FDL_V1_INT, 0x8001ABCD, BK_FDS, 1)    \
	X(BLK_FDL_V2, 0x218, BK_FDS, 2)             \
	X(BLK_IL_V1, 0x205, BK_IFACES, 1)           \
	X(BLK_IL_V1_INT, 0x8011ABCD, BK_IFACES, 1)  \
	X(BLK_IL_V2, 0x219, BK_IFACES, 2)           \
	X(BLK_UL_V1, 0x206, BK_USERS, 1)            \
	X(BLK_UL_V1_INT, 0x8012ABCD, BK_USERS, 1)   \
	X(BLK_UL_V2, 0x220, BK_USERS, 2)

#define BLOCK_CODE_(name, code, kind, version) name = code,
enum block_code { BLOCK_TABLE(BLOCK_CODE_) };
#undef BLOCK_CODE_

enum {
	BLOCK_HEAD_BYTES = 8,	 /* type, length */
	BLOCK_FRAME_BYTES = 12,	 /* and the trailer */
	BLOCK_SHB_BYTES = 28,	 /* the shortest section header: body of 16 bytes */
	BLOCK_SMALL_MAX = 65536, /* body and trailer of an event block that is not large */
};

enum block_kind block_kind(uint32_t type);
unsigned block_version(uint32_t type); /* of the layout; 0 for events and unknown blocks */
const char *block_name(uint32_t type); /* "process list"; "unknown" */

static inline bool block_is_meta(uint32_t type)
{
	return block_kind(type) >= BK_MACHINE;
}

/* The least and the greatest total length of an event block of this type: the event header and the
 * trailer must fit, and blocks of the kinds that are not large have a limit. */
void block_event_limits(uint32_t type, uint32_t *min, uint32_t *max);

#endif
