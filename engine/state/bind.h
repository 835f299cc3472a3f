/* One event with everything that hangs on it, found when first asked for: its enter event, thread,
 * main thread, descriptor. A worker has one struct evctx and moves it from event to event in
 * ascending order within a batch; pointers it hands out are valid until the batch is released.
 * Single-threaded. */
#ifndef BURIN_STATE_BIND_H
#define BURIN_STATE_BIND_H

#include "event/batch.h"
#include "state/demand.h"
#include "state/state.h"

struct bind_slot; /* private: per-slot cache */
struct path_cache;

struct evctx {
	const struct demand *demand;
	const struct batch *b;
	const struct ev_rec *rec;
	uint32_t idx; /* in b->ev */
	uint64_t ord; /* order number */
	uint64_t num; /* evt.num */
	struct event ev;
	/* private: lazily bound parts */
	uint32_t have;
	struct thread *thread_, *main_;
	const struct thread_ver *ver_, *main_ver_;
	const struct fd_ver *fd_;
	int64_t fdnum_;
	uint64_t enter_ts_, enter_ord_;
	uint16_t enter_type_;
	bool paired_;
	struct bind_slot *slots;
	uint32_t slots_cap;
	uint32_t epoch; /* public: another number for every batch begun (0 is none) */
	uint8_t traits[EV_CODE_COUNT]; /* private: of each type */
	uint64_t plain_fd[DEMAND_TYPE_WORDS]; /* types whose descriptor is what the record says */
	struct path_cache *paths;
};

int evctx_init(struct evctx *c, const struct demand *d);
void evctx_fini(struct evctx *c);
int evctx_begin(struct evctx *c, const struct batch *b); /* a new batch, after its apply */
void evctx_move(struct evctx *c, uint32_t idx); /* to event idx: decodes it, unbinds the rest */

/* The thread the event belongs to, as 0.29.3 binds it: NULL for unknown threads and for events of
 * containers, users and groups. v may be NULL. */
struct thread *evctx_thread(struct evctx *c, const struct thread_ver **v);
struct thread *evctx_main(struct evctx *c, const struct thread_ver **v); /* its main thread; NULL */
/* Needs DEMAND_FDS. Descriptor the event works on (events that create, use or destroy one;
 * EV_FD_NONE otherwise) and its entry (NULL if unknown). After a creating exit: the new entry; on
 * close: the one being closed. */
int64_t evctx_fdnum(struct evctx *c);
const struct fd_ver *evctx_fd(struct evctx *c);
/* The event moved to works on this descriptor, whatever its type says (entries of the process
 * list). */
void evctx_set_fd(struct evctx *c, int64_t fd);
/* Any descriptor of the event's thread as of the event. */
const struct fd_ver *evctx_fd_n(struct evctx *c, int64_t fd);
/* Memory and page fault counts of t (a thread of this event) as of the event; NULL: none. */
const struct thread_vol *evctx_vol(struct evctx *c, struct thread *t);
/* Last enter event of the thread: false = none. paired: exit code == enter code + 1. */
bool evctx_enter(struct evctx *c, uint64_t *ts, uint16_t *type, bool *paired);
/* View of the paired enter event where it is still there (same batch, or a stored type). */
bool evctx_enter_event(struct evctx *c, struct event *out);
uint64_t evctx_latency(struct evctx *c); /* ns since the thread's last enter event; 0 on enters */
/* The same of an event of the batch by its record, wherever c stands; false: evctx_latency has to be asked. */
bool evctx_rec_latency(const struct evctx *c, const struct ev_rec *r, uint64_t *ns);
bool evctx_type_latency(const struct demand *d, unsigned type); /* may events of the type have one above 0? */
/* Return value of an exit; false = the event has none. */
bool evctx_rawres(struct evctx *c, int64_t *res);
/* Error number (positive) by the rules of the mode; 0 = no error. */
int64_t evctx_errno(struct evctx *c);

/* ---- results that serve many events ----
 *
 * What depends on nothing but an immutable version needs to be found out once per batch in place of once per event.
 *
 * By slot (batch.h): events of one rec->slot whose evctx_slot_stable has STABLE_THREAD all get the same from
 * evctx_thread, thread and version (or all get NULL); with STABLE_MAIN the same from evctx_main too. A result that
 * is a function of these alone may be kept by slot while c->epoch stays. What a rec->slot of UINT32_MAX binds to is
 * not told.
 *
 * By version: a version that evctx_thread, evctx_main or evctx_fd gave is not changed, and its address not used for
 * another, before the batch is released; a result that is a function of it alone (the name of a descriptor, say) may
 * be kept by address while c->epoch stays. */
enum slot_stable { STABLE_THREAD = 1 << 0, STABLE_MAIN = 1 << 1 /* only together with STABLE_THREAD */ };
unsigned evctx_slot_stable(struct evctx *c, uint32_t slot);
/* By slot and descriptor: for the event moved to, if evctx_rec_plain_fd holds for its record, the
 * entry that evctx_fd gives (NULL: nothing is known of the descriptor) and the order number up to
 * which (excluded) all such events of the same rec->slot and rec->fd from this one on get the same.
 * False: nothing can be said. Such an event shows the descriptor alone, not what a call tried in
 * vain. */
bool evctx_fd_plain(struct evctx *c, const struct fd_ver **f, uint64_t *until);
static inline bool evctx_rec_plain_fd(const struct evctx *c, const struct ev_rec *r)
{
	return r->fd >= 0 && (c->plain_fd[r->type / 64] >> (r->type % 64) & 1) &&
	       !(r->flags & ER_OWN_FD);
}

#endif
