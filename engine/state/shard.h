/* Private to engine/state: what the apply turn and the shards of descriptors (shard.c) have in
 * common. */
#ifndef BURIN_STATE_SHARD_H
#define BURIN_STATE_SHARD_H

#include "state/state_int.h"

/* Apply turn: child, not yet published, shall have a copy of parent's descriptors. */
void shard_inherit(struct apply *a, struct thread *child, struct thread *parent);
/* Apply turn, behind slots_end: which shard does what of the batch. */
void shards_assign(struct state *st, struct batch *b);

/* A row of descriptors (apply.c): pairs it, runs its handler, corrects the thread's last fd. */
void row_handle(struct apply *a, const struct apply_entry *ae);
/* apply_exec.c: closes what was marked to be closed on exec. */
void exec_close_fds(struct apply *a);

#endif
