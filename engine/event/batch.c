#include "event/batch.h"

#include <stdlib.h>

int batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	err_clear(&b->err);
	err_clear(&b->bad);
	arena_init(&b->arena);
	return 0;
}

void batch_fini(struct batch *b)
{
	free(b->mem);
	free(b->blk);
	free(b->framed.at);
	free(b->ev);
	free(b->slots);
	free(b->rows);
	free(b->fd_rows);
	arena_fini(&b->arena);
	memset(b, 0, sizeof(*b));
}

void batch_reset(struct batch *b)
{
	b->seq = 0;
	b->kind = BATCH_EVENTS;
	b->data = NULL;
	b->len = 0;
	b->file_off = b->raw_off = 0;
	b->nblk = b->framed.n = 0;
	b->last = false;
	err_clear(&b->err);

	b->sparse = b->has_text = false;
	b->nrec = b->last_off = 0;
	b->nev = b->nslots = b->nrows = b->nselected = b->nfd_rows = b->fd_shards = 0;
	b->whole = b->all_shards = false;
	b->first_ts = b->last_ts = 0;
	err_clear(&b->bad);

	b->first_ord = b->num_base = b->origin_ts = 0;
	b->root = NULL;
	arena_reset(&b->arena);
}
