/* Stops callbacks that run too long. Time: a count hook in Lua slows every instruction down, so none is set
 * normally: a watchdog thread looks at the running callbacks a few times a second, and when one is
 * over its time it sends a signal to that callback's thread, whose handler sets the hook in its own
 * state. That is the one use lua_sethook allows from outside (see lua.c's handling of SIGINT).
 *
 * Instructions (--lua-instructions): a count hook that fires once, after so many. It stops a script at the same
 * place in every run, which no limit of time does.
 *
 * ThreadSanitizer holds signals back until the thread calls something it knows, which a loop in Lua never does: there a
 * count hook looks for the watchdog's request instead. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/stop.h"
#include "chisel/chisel_int.h"

enum { DEFAULT_LIMIT_S = 60, POLL_MS = 100, STOP_GRACE_MS = 1000 };
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifdef UNDER_TSAN
enum { POLL_STEPS = 10000 }; /* instructions between two looks at lstate.stop */
#else
enum { POLL_STEPS = 0 }; /* none: the signal comes through */
#endif

struct watchdog {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* list, quit; never taken on a callback's path */
	pthread_cond_t wake;
	struct lstate *states GUARDED_BY(lock);
	bool quit GUARDED_BY(lock);
	uint64_t limit_ns;
	_Atomic bool interrupted;
	uint64_t stop_seen_ns; /* when the request to stop was first seen; 0 = none. OWNED_BY(watchdog) */
};

static _Thread_local struct lstate *volatile running; /* innermost callback of this thread */
static _Thread_local pid_t own_tid;

static int watch_signal(void)
{
	return SIGURG; /* ignored by default, so a late one is harmless */
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Stays set with a count of 1 so that a pcall of the script cannot carry on behind it. */
static void raise_limit(lua_State *L, lua_Debug *ar)
{
	struct lstate *ls = lstate_of(L);

	if (ls->spent)
		luaL_error(L, "the callback ran more than %d million instructions (limit)",
			   (int)ls->c->cs->host->lua_instructions);
	else if (!ls->stop)
		lua_sethook(L, NULL, 0, 0);
	else if (ls->c->cs->interrupted || stop_requested())
		luaL_error(L, "interrupted");
	else
		luaL_error(L, "the callback ran for more than %d s (limit)",
			   (int)(ls->c->cs->host->lua_seconds ? ls->c->cs->host->lua_seconds : DEFAULT_LIMIT_S));
}

static void raise_from_now_on(struct lstate *ls)
{
	lua_sethook(ls->L, raise_limit, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
	if (ls->current != ls->L) /* hooks are per coroutine */
		lua_sethook(ls->current, raise_limit, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void on_signal(int sig)
{
	struct lstate *ls = running;

	if (ls && ls->stop)
		raise_from_now_on(ls);
}

/* Every so many instructions. A coroutine counts for itself: what many of them need together is limited by the time and by
 * the instructions of the code that resumes them. */
static void on_count(lua_State *L, lua_Debug *ar)
{
	struct lstate *ls = lstate_of(L);

	ls->steps += ls->step;
	ls->spent = ls->max_steps && ls->steps >= ls->max_steps;
	if (!ls->spent && !ls->stop)
		return;
	raise_from_now_on(ls);
	raise_limit(L, ar);
}

void watchdog_count(struct lstate *ls)
{
	ls->steps = 0;
	if (ls->step)
		lua_sethook(ls->L, on_count, LUA_MASKCOUNT, ls->step); /* counts from here */
}

bool watchdog_over(const struct watchdog *wd, uint64_t since, uint64_t now)
{
	/* It may have begun after now was read. */
	if (wd->interrupted || (now > since && now - since >= wd->limit_ns))
		return true;
	return wd->stop_seen_ns && since < wd->stop_seen_ns && now - wd->stop_seen_ns >= STOP_GRACE_MS * 1000000u;
}

static void look(struct watchdog *wd)
{
	uint64_t now = clock_ns();

	if (!stop_requested())
		wd->stop_seen_ns = 0;
	else if (!wd->stop_seen_ns)
		wd->stop_seen_ns = now;
	for (struct lstate *ls = wd->states; ls; ls = ls->next_watched) {
		/* acquire: pairs with the release in watchdog_enter, so that tid is that callback's or a later one's */
		uint64_t since = atomic_load_explicit(&ls->running_since_ns, memory_order_acquire);

		if (!since || !watchdog_over(wd, since, now))
			continue;
		ls->stop = true;
		/* By number and not by pthread_t: the callback may have ended and its thread be gone by now. */
		tgkill(getpid(), atomic_load_explicit(&ls->tid, memory_order_relaxed), watch_signal());
	}
}

static void *watch(void *arg)
{
	struct watchdog *wd = arg;
	struct timespec until;

	pthread_mutex_lock(&wd->lock);
	while (!wd->quit) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += POLL_MS * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&wd->wake, &wd->lock, &until);
		look(wd);
	}
	pthread_mutex_unlock(&wd->lock);
	return NULL;
}

int watchdog_new(struct watchdog **out, uint32_t limit_s)
{
	struct watchdog *wd = calloc(1, sizeof(*wd));
	pthread_condattr_t attr;

	if (!wd)
		return -ENOMEM;
	pthread_mutex_init(&wd->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wd->wake, &attr);
	pthread_condattr_destroy(&attr);
	wd->limit_ns = (uint64_t)(limit_s ? limit_s : DEFAULT_LIMIT_S) * 1000000000u;
	*out = wd;
	return 0;
}

static void start(struct watchdog *wd)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t all, old;

	sigemptyset(&sa.sa_mask);
	sigaction(watch_signal(), &sa, NULL);
	sigfillset(&all); /* signals of the process are for its other threads */
	pthread_sigmask(SIG_BLOCK, &all, &old);
	wd->started = !pthread_create(&wd->thread, NULL, watch, wd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void watchdog_free(struct watchdog *wd)
{
	if (!wd)
		return;
	if (wd->started) {
		pthread_mutex_lock(&wd->lock);
		wd->quit = true;
		pthread_cond_signal(&wd->wake);
		pthread_mutex_unlock(&wd->lock);
		pthread_join(wd->thread, NULL);
	}
	pthread_cond_destroy(&wd->wake);
	pthread_mutex_destroy(&wd->lock);
	free(wd);
}

void watchdog_add(struct watchdog *wd, struct lstate *ls)
{
	pthread_mutex_lock(&wd->lock);
	if (!wd->started)
		start(wd);
	ls->max_steps = ls->c->cs->host->lua_instructions * UINT64_C(1000000);
	ls->step = (int)MIN(ls->max_steps, 1000000u);
	if (POLL_STEPS)
		ls->step = ls->step ? MIN(ls->step, POLL_STEPS) : POLL_STEPS;
	ls->next_watched = wd->states;
	wd->states = ls;
	pthread_mutex_unlock(&wd->lock);
}

void watchdog_remove(struct watchdog *wd, struct lstate *ls)
{
	pthread_mutex_lock(&wd->lock);
	for (struct lstate **p = &wd->states; *p; p = &(*p)->next_watched) {
		if (*p == ls) {
			*p = ls->next_watched;
			break;
		}
	}
	pthread_mutex_unlock(&wd->lock);
}

void watchdog_interrupt(struct watchdog *wd)
{
	wd->interrupted = true;
}

void watchdog_enter(struct lstate *ls)
{
	if (!own_tid)
		own_tid = gettid();
	atomic_store_explicit(&ls->tid, own_tid, memory_order_relaxed);
	running = ls;
	watchdog_count(ls);
	/* release: pairs with the acquire in look */
	atomic_store_explicit(&ls->running_since_ns, clock_ns(), memory_order_release);
}

void watchdog_touch(struct lstate *ls)
{
	atomic_store_explicit(&ls->running_since_ns, clock_ns(), memory_order_release);
}

void watchdog_leave(struct lstate *ls)
{
	atomic_store_explicit(&ls->running_since_ns, 0, memory_order_release);
	running = NULL;
	if (UNLIKELY(ls->stop || ls->spent)) {
		lua_sethook(ls->L, NULL, 0, 0);
		ls->spent = false;
		if (!ls->c->cs->interrupted)
			ls->stop = false;
	}
}
