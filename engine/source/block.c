#include "source/block.h"

enum block_class block_classify(uint32_t type)
{
	switch (type) {
	case BLK_SHB:
		return BLOCK_SECTION;
	case BLK_MI: case BLK_MI_INT:
	case BLK_PL_V1: case BLK_PL_V1_INT: case BLK_PL_V2: case BLK_PL_V2_INT:
	case BLK_PL_V3: case BLK_PL_V3_INT: case BLK_PL_V4: case BLK_PL_V5: case BLK_PL_V6:
	case BLK_PL_V7: case BLK_PL_V8: case BLK_PL_V9:
	case BLK_FDL_V1: case BLK_FDL_V1_INT: case BLK_FDL_V2:
	case BLK_IL_V1: case BLK_IL_V1_INT: case BLK_IL_V2:
	case BLK_UL_V1: case BLK_UL_V1_INT: case BLK_UL_V2:
		return BLOCK_META;
	default:
		return block_is_event(type) ? BLOCK_EVENT : BLOCK_UNKNOWN;
	}
}

const char *block_name(uint32_t type)
{
	switch (type) {
	case BLK_SHB:
		return "section header";
	case BLK_MI: case BLK_MI_INT:
		return "machine info";
	case BLK_FDL_V1: case BLK_FDL_V1_INT: case BLK_FDL_V2:
		return "fd list";
	case BLK_IL_V1: case BLK_IL_V1_INT: case BLK_IL_V2:
		return "interface list";
	case BLK_UL_V1: case BLK_UL_V1_INT: case BLK_UL_V2:
		return "user list";
	default:
		if (block_is_event(type))
			return "event";
		return block_classify(type) == BLOCK_META ? "process list" : "unknown";
	}
}

void block_event_limits(uint32_t type, uint32_t *min, uint32_t *max)
{
	bool v1 = type == BLK_EV_V1 || type == BLK_EVF_V1 || type == BLK_EV_V1_INT;
	bool flags = type == BLK_EVF_V1 || type == BLK_EVF_V2 || type == BLK_EVF_V2_LARGE;
	bool large = type == BLK_EV_V2_LARGE || type == BLK_EVF_V2_LARGE;

	*min = BLOCK_FRAME_BYTES + 2 + (flags ? 4 : 0) + (v1 ? EVENT_HDR_V1 : EVENT_HDR_V2);
	*max = large ? UINT32_MAX : BLOCK_HEAD_BYTES + BLOCK_SMALL_MAX;
}
