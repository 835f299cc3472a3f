#include "source/block.h"

struct block_row {
	uint32_t code;
	uint8_t kind, version;
};

#define BLOCK_ROW(name, code, kind, version) {code, kind, version},
static const struct block_row rows[] = {BLOCK_TABLE(BLOCK_ROW)};

static const char *const kind_names[] = {
	[BK_UNKNOWN] = "unknown",	[BK_SECTION] = "section header", [BK_EVENT] = "event",
	[BK_MACHINE] = "machine info",	[BK_THREADS] = "process list",	 [BK_FDS] = "fd list",
	[BK_IFACES] = "interface list", [BK_USERS] = "user list",
};

static const struct block_row *find_row(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].code == type)
			return &rows[i];
	return NULL;
}

enum block_kind block_kind(uint32_t type)
{
	const struct block_row *row;

	if (block_is_event(type))
		return BK_EVENT;
	row = find_row(type);
	return row ? row->kind : BK_UNKNOWN;
}

unsigned block_version(uint32_t type)
{
	const struct block_row *row = find_row(type);

	return row ? row->version : 0;
}

const char *block_name(uint32_t type)
{
	return kind_names[block_kind(type)];
}

void block_event_limits(uint32_t type, uint32_t *min, uint32_t *max)
{
	bool v1 = type == BLK_EV_V1 || type == BLK_EVF_V1 || type == BLK_EV_V1_INT;
	bool flags = type == BLK_EVF_V1 || type == BLK_EVF_V2 || type == BLK_EVF_V2_LARGE;
	bool large = type == BLK_EV_V2_LARGE || type == BLK_EVF_V2_LARGE;

	*min = BLOCK_FRAME_BYTES + 2 + (flags ? 4 : 0) + (v1 ? EVENT_HDR_V1 : EVENT_HDR_V2);
	*max = large ? UINT32_MAX : BLOCK_HEAD_BYTES + BLOCK_SMALL_MAX;
}
