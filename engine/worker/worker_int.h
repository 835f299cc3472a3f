/* Private to engine/worker: the slots of the window, the workers and the four steps over a slot. */
#ifndef BURIN_WORKER_INT_H
#define BURIN_WORKER_INT_H

#include <pthread.h>

#include "base/apart.h"
#include "state/bind.h"
#include "worker/pipeline.h"

/* Life of a slot. GUARDED_BY(pipeline.lock) when there are several workers. SLOT_THREADS: applied but for
 * descriptors, which shards do (state.h). */
enum slot_state {
	SLOT_FREE, SLOT_READING, SLOT_READ, SLOT_DIGESTING, SLOT_DIGESTED, SLOT_APPLYING,
	SLOT_THREADS, SLOT_APPLIED, SLOT_ANALYSING, SLOT_ANALYSED, SLOT_RELEASING, SLOT_STATES,
};

/* What the scheduler looks at, of each slot: apart and close together, since it looks at all of them. */
struct slot_tag {
	uint8_t state;	/* enum slot_state */
	uint16_t owner; /* worker that read or digested it */
};

struct slot {
	struct batch b;
	bool ends_before;     /* apply failed: the trace ends before this batch, with b.err */
	_Atomic bool fds_failed; /* memory was out in a shard; relaxed: read when all are done */
	uint32_t *sel;	      /* indices of events that passed the capture filter, ascending */
	uint32_t nsel, sel_cap;
	size_t *out_end;      /* only with limits: length of out behind each selected event */
	struct suppressed gone; /* blocks taken out by -U */
	struct buf out;	      /* rendered lines */
	struct buf file;      /* rendered trace */
	struct chisels_part *part; /* what the chisels left for release; NULL = none */
} APART;

/* What one worker owns. */
struct worker {
	struct pipeline *p;
	unsigned id;
	pthread_t thread;
	bool analysing; /* GUARDED_BY(pipeline.lock), with spread: somebody uses it for a batch */
	struct evctx ctx;
	struct arena scratch;
	struct field_env env;
	struct filter_run *filter, *display, *partner;
} APART;

/* A first look at the sections with less state (scout.c). */
enum scout_kind {
	SCOUT_NONE,   /* an ordinary pass */
	SCOUT_FILTER, /* ends with the first event that passes the filter, of which it keeps the state */
	SCOUT_TEXTS,  /* keeps none, and ends where a text that the filter takes stands in the file */
};
struct scout {
	enum scout_kind kind; /* changes between passes only; so do the next four */
	struct demand demand;
	struct digest_scan scan;    /* of a pass without state */
	uint64_t quiet_off;	    /* no event before this offset (decompressed) passes the filter */
	/* OWNED_BY(release turn): the pass has met what it looks for, there */
	bool met;
	uint64_t met_off;
	/* OWNED_BY(release turn): where the present section begins, and how the run stood there */
	uint64_t section_off, raw_before;
	struct numbering numbering;
	struct pipeline_stats stats;
};

struct pipeline {
	const struct pipeline_opts *o; /* IMMUTABLE */
	const struct demand *demand;   /* of this pass: o->demand, or less */
	struct scout scout;
	struct source *src;	       /* OWNED_BY(reader turn) */
	struct state *st;	       /* OWNED_BY(apply turn) but for the *_at functions */
	struct digest_pred pred;       /* IMMUTABLE */
	struct digest_plan *plan;      /* IMMUTABLE during a pass */
	bool header_decides;	       /* the digest has decided the capture filter */
	bool in_order;		       /* analysis looks back: it runs in the release turn */
	bool format_all;	       /* -d: the format looks back, so what is not shown is formatted too */
	bool limits;		       /* -n or -M */

	struct slot *slots;
	unsigned nslots;

	/* OWNED_BY(release turn) */
	struct pipeline_stats stats;
	struct err end_err;	/* why the run failed; code 0 = it did not */
	struct worker releaser;	/* evaluation state of the release turn, for in-order work */
	bool chisels_started;	/* on_capture_start was called */
	uint64_t raw_before;	  /* stored bytes used up by the batches before */
	uint64_t limit_origin_ts; /* -M counts from here */

	/* Scheduler; GUARDED_BY(lock) with several workers. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct worker *workers; /* IMMUTABLE; NULL with one */
	struct slot_tag *tags;			   /* one per slot; owned */
	/* Window: the slot of batch number s is window[s % nslots]. Those that are free: few go round, so that they stay in
	 * the caches. Both owned. */
	uint16_t *window, *free_slots;
	unsigned nfree;
	unsigned in_state[SLOT_STATES];		   /* how many slots */
	uint64_t read_seq, apply_seq, release_seq; /* next batch of each ordered step */
	/* GUARDED_BY(lock): the turns of the shards. A batch is applied when all turns are behind it. */
	struct shard_turn {
		uint64_t seq; /* next batch */
		bool busy;
	} shard[STATE_MAX_FD_SHARDS];
	unsigned nshards;
	uint64_t applied_seq; /* all before it are applied */
	bool reading, applying, releasing;	   /* somebody holds the turn */
	bool read_done;				   /* the last batch has been read */
	bool ended;				   /* the end was released: nothing more happens */
	size_t out_bytes;			   /* rendered and not yet released */
	unsigned waiting;			   /* workers in wait_for_work */
	bool timing;				   /* one of them wakes up when the source has work */
	bool lingering;				   /* a worker is in linger */
	/* Goes on with every change to the tags and the source; written under the lock. */
	_Atomic unsigned changes;
};

/* ---- looking ahead (scout.c) ---- */
void scout_begin(struct pipeline *p); /* decides on the first pass's demand */
bool scout_scans(const struct pipeline *p); /* this pass keeps no state: digest_scan */
/* Release turn: the metadata of a section; true when the batch ends the pass, because there is what it looks for. */
void scout_section(struct pipeline *p, const struct slot *s);
bool scout_met(struct pipeline *p, const struct slot *s);
/* It is known that no event of the batch passes the filter. */
bool scout_quiet(const struct pipeline *p, const struct slot *s);
/* Between the passes, nobody works: what the next one does, from the start of the section on. */
void scout_next(struct pipeline *p);

/* ---- the written trace (write.c) ---- */
/* A slot's metadata, or its events up to index end of which the first nsel selected ones count, rendered into
 * s->file. */
int write_meta(struct worker *w, struct slot *s, struct err *e);
int write_events(struct worker *w, struct slot *s, uint32_t nsel, uint32_t end);

/* ---- the steps (steps.c): one batch each, called by whoever holds the slot ---- */
void step_read(struct pipeline *p, struct slot *s, uint64_t seq);
void step_digest(struct pipeline *p, struct slot *s);
void step_apply(struct pipeline *p, struct slot *s);
void step_apply_fds(struct pipeline *p, struct slot *s, unsigned shard); /* its turn */
void step_analyse(struct worker *w, struct slot *s);
/* True when the trace ends with this batch. */
bool step_release(struct pipeline *p, struct slot *s);
/* Gives a slot's batch back, released or discarded. */
void slot_recycle(struct pipeline *p, struct slot *s);

int worker_init(struct worker *w, struct pipeline *p, unsigned id);
void worker_fini(struct worker *w);

#endif
