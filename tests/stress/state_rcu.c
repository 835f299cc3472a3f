/* Readers of older batches against apply running ahead: forks, exits, tid reuse, exec, opens and
 * closes in shared and copied descriptor tables, while reclaim frees whatever it may. Every event's
 * thread name and descriptor name are checked against a plain model that was kept while the trace
 * was made. For ThreadSanitizer; plain builds run it too.
 *
 * state_rcu [ROUNDS [READERS [SEED]]] */
#include <pthread.h>
#include <stdio.h>

#include "../unit/state_make.h"
#include "base/assert.h"
#include "state/bind.h"
#include "state/digest.h"

enum { TIDS = 24, FDS = 40, WINDOW = 12, NAME = 24 };

/* ---- the trace and what is true at each of its events ---- */

struct truth {
	char comm[NAME]; /* "" = unknown thread */
	char fd[NAME];	 /* "" = none */
};

struct model_thread {
	bool alive;
	char comm[NAME];
	char fd[FDS][NAME];
};

static struct trace trace;
static struct truth truth[TRACE_MAX_BLOCKS];
static struct model_thread model[TIDS];
static uint64_t rng;
static unsigned serial;

static unsigned pick(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 20) % n;
}

/* Notes what holds at event idx of thread i with descriptor fd (-1: none). */
static void note(uint32_t idx, int i, int fd)
{
	struct truth *t = &truth[idx];

	memset(t, 0, sizeof(*t));
	memcpy(t->comm, model[i].comm, NAME);
	if (fd >= 0)
		memcpy(t->fd, model[i].fd[fd], NAME);
}

static int64_t tid_of(int i)
{
	return 100 + i;
}

static void do_fork(int i)
{
	int c = (int)pick(TIDS);
	uint32_t idx;

	if (c == i || model[c].alive)
		return;
	idx = ev_clone_exit(&trace, tid_of(i), tid_of(c), model[i].comm, tid_of(i), 1, 0);
	note(idx, i, -1);
	model[c] = model[i];
	idx = ev_clone_exit(&trace, tid_of(c), 0, "x", tid_of(c), tid_of(i), 0);
	note(idx, c, -1);
}

static void do_exec(int i)
{
	char comm[NAME] = {0};
	uint32_t idx;

	snprintf(comm, sizeof(comm), "prog%u", serial++);
	note(ev_exec_enter(&trace, tid_of(i), comm), i, -1);
	idx = ev_exec_exit(&trace, tid_of(i), 0, comm, tid_of(i), 1);
	memcpy(model[i].comm, comm, NAME);
	note(idx, i, -1);
}

static void do_open(int i)
{
	unsigned fd = pick(FDS);
	char name[NAME] = {0};
	uint32_t idx;

	snprintf(name, sizeof(name), "/f/%u", serial++);
	idx = ev_open(&trace, tid_of(i), fd, name);
	note(idx - 1, i, -1);
	memcpy(model[i].fd[fd], name, NAME);
	note(idx, i, (int)fd);
}

static void do_use(int i)
{
	unsigned fd = pick(FDS);

	note(trace_event(&trace, tid_of(i), EV_SYSCALL_READ_E, "qd", (int64_t)fd, 10), i, (int)fd);
	note(trace_event(&trace, tid_of(i), EV_SYSCALL_READ_X, "qs", (int64_t)1, "x"), i, (int)fd);
}

static void do_close(int i)
{
	unsigned fd = pick(FDS);
	uint32_t idx = ev_close(&trace, tid_of(i), fd, 0);

	note(idx - 1, i, (int)fd);
	note(idx, i, (int)fd);
	memset(model[i].fd[fd], 0, NAME);
}

static void do_dup(int i)
{
	unsigned from = pick(FDS), to = pick(FDS);
	uint32_t idx;

	if (!model[i].fd[from][0] || from == to)
		return;
	idx = trace_event(&trace, tid_of(i), EV_SYSCALL_DUP_E, "q", (int64_t)from);
	note(idx, i, (int)from);
	idx = trace_event(&trace, tid_of(i), EV_SYSCALL_DUP_X, "q", (int64_t)to);
	memcpy(model[i].fd[to], model[i].fd[from], NAME);
	note(idx, i, (int)to);
}

static void do_exit(int i)
{
	if (i == 0)
		return;
	note(ev_procexit(&trace, tid_of(i)), i, -1);
	model[i].alive = false;
	memset(model[i].comm, 0, NAME);
	note(trace_event(&trace, tid_of(i), EV_SCHEDSWITCH_6_E, "qqqddd", (int64_t)0, (int64_t)1,
			 (int64_t)2, 3, 4, 5),
	     i, -1);
}

/* A trace that ends as it began, with thread 0 alone and no descriptors, so that it can be played
 * again and again. */
static void trace_make(void)
{
	static void (*const ops[])(int) = {do_fork, do_exec, do_open, do_open,	do_use,
					   do_use,  do_dup,  do_dup,  do_close, do_exit};

	trace_init(&trace);
	memset(model, 0, sizeof(model));
	model[0].alive = true;
	do_exec(0);
	truth[0].comm[0] = 0; /* a placeholder, or what the round before left */
	while (trace.n < TRACE_MAX_BLOCKS - TIDS * 2 - FDS * 2 - 8) {
		int i = (int)pick(TIDS);

		if (model[i].alive)
			ops[pick(ARRAY_SIZE(ops))](i);
	}
	for (int i = 1; i < TIDS; i++)
		if (model[i].alive)
			do_exit(i);
	for (unsigned fd = 0; fd < FDS; fd++)
		ev_close(&trace, tid_of(0), fd, 0);
}

/* ---- the pipeline: one thread applies, others read ---- */

enum phase { FREE, READY, BUSY, DONE };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch b[WINDOW];
	uint32_t first[WINDOW]; /* event of the trace that b begins with */
	enum phase phase[WINDOW];
	uint64_t applied, oldest; /* batches applied; lowest that is unfinished */
	bool end;
} q = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct demand demand;
static struct state *state;
static uint64_t checked;

static void check_batch(struct evctx *c, const struct batch *b, uint32_t first)
{
	static const char none[] = "";

	ASSERT(evctx_begin(c, b) == 0);
	for (uint32_t i = 0; i < b->nev; i++) {
		const struct truth *t = &truth[first + i];
		const struct thread_ver *v;
		const struct fd_ver *f;
		uint32_t len;

		if (first + i == 0 || first + i >= trace.n - FDS * 2)
			continue;
		evctx_move(c, i);
		evctx_thread(c, &v);
		ASSERT(strcmp(v ? v->comm->s : none, t->comm) == 0);
		f = evctx_fd(c);
		ASSERT(strcmp(f ? fd_ver_name(f, false, &len) : none, t->fd) == 0);
	}
}

static void *reader(void *arg)
{
	struct evctx c;
	uint64_t n = 0;

	ASSERT(evctx_init(&c, &demand) == 0);
	state_reader_register(state);
	pthread_mutex_lock(&q.lock);
	for (;;) {
		int w = -1;

		/* Only when apply is far ahead, and the newest first: most batches are then read
		 * late. */
		for (uint64_t s = q.applied;
		     (q.applied - q.oldest >= WINDOW - 1 || q.end) && s-- > q.oldest && w < 0;)
			if (q.phase[s % WINDOW] == READY)
				w = (int)(s % WINDOW);
		if (w < 0 && q.end)
			break;
		if (w < 0) {
			state_reader_offline(state);
			pthread_cond_wait(&q.changed, &q.lock);
			state_reader_online(state);
			continue;
		}
		q.phase[w] = BUSY;
		pthread_mutex_unlock(&q.lock);
		check_batch(&c, &q.b[w], q.first[w]);
		n += q.b[w].nev;
		state_reader_quiescent(state);
		pthread_mutex_lock(&q.lock);
		q.phase[w] = DONE;
		while (q.oldest < q.applied && q.phase[q.oldest % WINDOW] == DONE)
			q.phase[q.oldest++ % WINDOW] = FREE;
		pthread_cond_broadcast(&q.changed);
	}
	checked += n;
	pthread_mutex_unlock(&q.lock);
	state_reader_unregister(state);
	evctx_fini(&c);
	return NULL;
}

static void apply_one(uint64_t seq, uint32_t first, uint32_t n)
{
	struct batch *b = &q.b[seq % WINDOW];
	uint64_t oldest;

	pthread_mutex_lock(&q.lock);
	while (q.phase[seq % WINDOW] != FREE)
		pthread_cond_wait(&q.changed, &q.lock);
	oldest = q.oldest;
	pthread_mutex_unlock(&q.lock);
	trace_cut(&trace, b, seq, first, n);
	ASSERT(digest_run(b, &demand, NULL) == 0);
	ASSERT(state_apply(state, b, NULL) == 0);
	state_reclaim(state, oldest);
	pthread_mutex_lock(&q.lock);
	q.first[seq % WINDOW] = first;
	q.phase[seq % WINDOW] = READY;
	q.applied = seq + 1;
	pthread_cond_broadcast(&q.changed);
	pthread_mutex_unlock(&q.lock);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20, readers = argc > 2 ? atoi(argv[2]) : 3;
	struct state_opts o = {.demand = &demand, .workers = (unsigned)readers + 1};
	pthread_t th[16];
	uint64_t seq = 0;

	rng = argc > 3 ? strtoull(argv[3], NULL, 0) : 0x9E3779B97F4A7C15u;
	printf("seed %#llx\n", (unsigned long long)rng);
	readers = MIN(readers, 16);
	trace_make();
	demand_init(&demand, false);
	demand_add(&demand, DEMAND_FDS | DEMAND_VOLATILE);
	ASSERT(state_new(&state, &o) == 0);
	for (int i = 0; i < WINDOW; i++)
		batch_init(&q.b[i]);
	for (int i = 0; i < readers; i++)
		ASSERT(pthread_create(&th[i], NULL, reader, NULL) == 0);
	for (int r = 0; r < rounds; r++) {
		for (uint32_t at = 0, n; at < trace.n; at += n) {
			n = 1 + pick(pick(4) ? 30 : 300);
			n = MIN(n, trace.n - at);
			apply_one(seq++, at, n);
		}
	}
	pthread_mutex_lock(&q.lock);
	q.end = true;
	pthread_cond_broadcast(&q.changed);
	pthread_mutex_unlock(&q.lock);
	for (int i = 0; i < readers; i++)
		pthread_join(th[i], NULL);
	ASSERT(checked == (uint64_t)rounds * trace.n);
	printf("%llu events checked in %llu batches\n", (unsigned long long)checked,
	       (unsigned long long)seq);
	for (int i = 0; i < WINDOW; i++)
		batch_fini(&q.b[i]);
	state_free(state);
	trace_fini(&trace);
	return 0;
}
