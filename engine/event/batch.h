/* A batch: one stretch of the total order of events, and what the pipeline steps leave in it.
 *
 *   reader fills "run"  ->  digest fills "digest"  ->  apply fills "apply"  ->  analyse reads all
 *
 * Exactly one worker works on a batch at a time (the scheduler hands it from step to step with
 * acquire/release), so no field needs a lock. After apply, everything here is IMMUTABLE until
 * release. All memory behind the pointers is owned by the batch (mem, arena) and lives until the
 * batch is released; then it is reused. */
#ifndef BURIN_EVENT_BATCH_H
#define BURIN_EVENT_BATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

enum batch_kind {
	BATCH_EVENTS, /* a run of event blocks (other blocks never appear in the run) */
	BATCH_META,   /* a run of metadata blocks of one section, SHB first; no events */
};

/* Where an event's enter event is. */
enum { PAIR_NONE = 0, PAIR_CARRY = UINT32_MAX }; /* else: index in ev[] plus 1 */

enum ev_rec_flags {
	ER_HIDDEN = 1 << 0, /* state only (dump flag), never shown */
	ER_PAIRED = 1 << 1, /* exit whose pair is an enter of code - 1 in this batch */
	ER_ROW = 1 << 2,    /* apply must see it: changes demanded state */
	ER_TOUCH = 1 << 3, /* first event of its slot that makes a placeholder for an unknown tid */
	ER_SELECTED = 1 << 4, /* passed the type bitmap and the header-only predicates */
	ER_OWN_FD =
		1 << 5, /* unless the carried enter pairs, the event's own parameter tells the fd */
	ER_LATER = 1 << 6,    /* exit that is not the first behind its enter: what the enter said is
				 used up */
	ER_SETS_FD = 1 << 7,  /* exit that leaves another last fd than it found */
	ER_LOCAL_FD = 1 << 8, /* fd is this event's alone, not what it leaves */
	ER_CUT = 1 << 9, /* apply: from this event on the slot's events belong to another entry of
			    the tid */
};

#define EV_FD_NONE INT32_MIN	    /* no descriptor, or a number that cannot be one */
#define EV_FD_CARRY (INT32_MIN + 1) /* the fd the thread had before this batch */

struct ev_rec {
	uint32_t off;	/* of the event block in run.data */
	uint16_t type;	/* event code */
	uint16_t flags; /* enum ev_rec_flags */
	uint32_t slot;	/* index in slots[]; UINT32_MAX when the demand has no threads */
	union {
		uint32_t pair; /* last enter event of this thread: index + 1, PAIR_CARRY (slot's
				  carry), PAIR_NONE */
		uint32_t idx;  /* sparse batches: which event of the batch it is, from 0 */
	};
	int32_t fd; /* the thread's "last fd" as of this event, before carry is known: digest.h */
};

/* The last enter event of a thread, carried from an earlier batch. Immutable, owned by state. */
struct open_enter {
	uint64_t ts;	    /* of the enter event, ns; 0 = none seen */
	uint64_t ord;	    /* order number of the enter event */
	uint16_t type;	    /* its code */
	int32_t fd;	    /* last fd of the thread (EV_FD_NONE) */
	uint64_t latency;   /* ns; of the last exit behind the enter event, 0 = none yet */
	uint32_t block_len; /* bytes of the copied event block, 0 when the type is not one that is
			       stored */
	const uint8_t *block;
};

struct thread; /* state/state.h */

/* One thread in one batch. A tid that exits and comes back gets a second slot. */
struct tslot {
	int64_t tid;
	uint32_t first;	     /* index of its first event */
	uint32_t last_enter; /* index + 1 of its last enter event in this batch, 0 = none */
	uint32_t last_exit;  /* index + 1 of its last exit event behind that, 0 = none */
	uint32_t pair;	     /* digest: what an exit would pair with now, as in ev_rec */
	int32_t last_fd;     /* last fd at the end of the batch if last_fd_set, else as it was before */
	uint16_t exit_type;  /* digest: code of the exit of the last enter event; UINT16_MAX = none */
	bool last_fd_set;
	bool fresh; /* starts after an exit of the same tid inside this batch: inherits no carry */
	bool ends;  /* the thread's procexit is in this slot */
	bool touched; /* has an event with ER_TOUCH */
	bool superseded; /* a later slot of the batch has the tid: this one leaves nothing */
	/* apply: index of the first event behind the last cut, from which on the events belong to
	 * another entry of the tid; 0 = none */
	uint32_t cut;
	uint32_t nfd_rows; /* shards: rows of descriptors */
	uint8_t shard;	   /* shards: who does them */
	const struct open_enter
		*carry;	       /* apply: open enter at the start of the batch, NULL = none */
	struct thread *thread; /* apply: newest incarnation at the end of this slot, NULL = none */
	struct open_enter *left; /* shards: what the slot leaves, of which the fd is still to come;
				    NULL = nothing new */
};

struct state_root;

struct batch {
	/* run: written by the reader */
	uint64_t seq; /* number of the batch, from 0, over all files of the run */
	enum batch_kind kind;
	const uint8_t *data; /* whole blocks; those of a live capture lie scattered: only blk says where */
	size_t len;	     /* bytes of all blocks */
	uint64_t file_off;   /* of data[0], decompressed bytes from the start of the file */
	uint64_t raw_off; /* bytes of the stored file used up by the end of this batch (for -P) */
	uint32_t *blk;	  /* offset of each block in data */
	uint32_t nblk;
	uint32_t blk_cap;
	bool last;	/* nothing follows in this file; err tells whether that is an error */
	struct err err; /* why reading ended behind this batch; code 0 = clean end or not the end */
	uint8_t *mem;	/* private to the source: buffer behind data (NULL when data is mapped) */
	size_t mem_cap;
	/* Private to the source: blocks framed ahead, at[0..n) + shift, the last up to end + shift. Once they are known to
	 * be right they count in nblk, and have to be listed in blk from index on. */
	struct framing {
		uint32_t *at;
		uint32_t n, cap, index;
		size_t end, shift;
	} framed;
	unsigned fetcher; /* private to the source: worker in whose caches mem lies */

	/* digest */
	struct ev_rec *ev; /* numbered events in order */
	uint32_t nev, ev_cap;
	/* A pass that looks only (digest_scan) leaves nrec records in ev, of the nev events those that matter; all
	 * without slots. */
	bool sparse;
	bool has_text; /* one of the texts looked for stands in the run */
	uint32_t nrec;
	uint32_t last_off; /* offset of the last event; sparse batches only */
	struct tslot *slots;
	uint32_t nslots, slots_cap;
	uint32_t *rows; /* indices in ev[] of ER_ROW | ER_TOUCH events, ascending */
	uint32_t nrows, rows_cap;
	/* shards (state.h): rows that concern descriptors are apart, unless the batch is whole */
	uint32_t *fd_rows;
	uint32_t nfd_rows, fd_rows_cap;
	bool whole;
	uint32_t nselected;	    /* events with ER_SELECTED */
	uint64_t first_ts, last_ts; /* of ev[0] and ev[nev-1]; ns */
	struct err bad; /* code != 0: the event behind ev[nev-1] is damaged: the trace ends there */

	/* apply */
	uint64_t first_ord; /* order number of ev[0]; evt.num of an event is its order number within
			       the file */
	uint64_t num_base;  /* evt.num of ev[0] (first event of a file is 1) */
	uint64_t origin_ts; /* time stamp of the first event of the file: origin of evt.reltime */
	struct state_root *root; /* tables of the section this batch belongs to; pinned */
	uint32_t fd_shards; /* bit set of the shards that have something to do; 0 = all is done */
	bool all_shards;    /* one worker has to do it all, holding the turns of all shards */
	struct numbering {
		uint64_t num;	    /* evt.num of the next event */
		uint64_t origin_ts; /* see above; valid if have_origin */
		bool have_origin, leading; /* leading: nothing but container events so far */
	} before; /* how the file's numbering stood before this batch */

	struct arena arena; /* scratch that lives until release (slot hash, copies) */
};

static inline uint32_t batch_nrec(const struct batch *b)
{
	return b->sparse ? b->nrec : b->nev;
}

int batch_init(struct batch *b);
void batch_fini(struct batch *b);
void batch_reset(struct batch *b); /* keeps the memory */

#endif
