/* Codes of the block kinds other than events (those are in event/event.h). The values are on disk:
 * frozen. Pure functions, any thread. */
#ifndef BURIN_SOURCE_BLOCK_H
#define BURIN_SOURCE_BLOCK_H

#include <stdbool.h>

#include "event/event.h"

enum {
	BLK_SHB = 0x0A0D0D0A,
	BLK_MI = 0x201, BLK_MI_INT = 0x8002ABCD,
	BLK_PL_V1 = 0x202, BLK_PL_V1_INT = 0x8000ABCD,
	BLK_PL_V2 = 0x207, BLK_PL_V2_INT = 0x8013ABCD,
	BLK_PL_V3 = 0x209, BLK_PL_V3_INT = 0x8014ABCD,
	BLK_PL_V4 = 0x210, BLK_PL_V5 = 0x211, BLK_PL_V6 = 0x212,
	BLK_PL_V7 = 0x213, BLK_PL_V8 = 0x214, BLK_PL_V9 = 0x215,
	BLK_FDL_V1 = 0x203, BLK_FDL_V1_INT = 0x8001ABCD, BLK_FDL_V2 = 0x218,
	BLK_IL_V1 = 0x205, BLK_IL_V1_INT = 0x8011ABCD, BLK_IL_V2 = 0x219,
	BLK_UL_V1 = 0x206, BLK_UL_V1_INT = 0x8012ABCD, BLK_UL_V2 = 0x220,
};

enum {
	BLOCK_HEAD_BYTES = 8,	 /* type, length */
	BLOCK_FRAME_BYTES = 12,	 /* and the trailer */
	BLOCK_SHB_BYTES = 28,	 /* the shortest section header: body of 16 bytes */
	BLOCK_SMALL_MAX = 65536, /* body and trailer of an event block that is not large */
};

enum block_class { BLOCK_UNKNOWN, BLOCK_SECTION, BLOCK_META, BLOCK_EVENT };

enum block_class block_classify(uint32_t type);
const char *block_name(uint32_t type); /* "process list"; "unknown" */

/* The least and the greatest total length of an event block of this type: the event header and the
 * trailer must fit, and blocks of the kinds that are not large have a limit. */
void block_event_limits(uint32_t type, uint32_t *min, uint32_t *max);

#endif
