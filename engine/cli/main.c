#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/stop.h"
#include "cli/bench.h"
#include "cli/check.h"
#include "cli/capture.h"
#include "cli/lists.h"
#include "cli/restart.h"
#include "cli/session.h"

static void on_signal(int sig)
{
	(void)sig;
	stop_request();
	/* A second one ends the process the hard way. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

static void install_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an end, seen by the write */
}

/* *again: owned by the caller, the command line that a script asked to go on with; NULL = none. */
static int run(const struct cli_options *o, char **again)
{
	static struct session s;
	struct err e;
	int code = 1;

	err_clear(&e);
	if (session_init(&s, o, &e) < 0) {
		if (e.msg[0])
			report_error(NULL, &e);
	} else if (o->action == ACT_EXPLAIN) {
		code = lists_explain(s.filter);
		session_set_demand(&s);
		capture_explain(&s);
	} else {
		code = session_run(&s);
	}
	*again = s.restart;
	s.restart = NULL;
	session_fini(&s);
	return code;
}

static int act(int argc, char **argv, char **again)
{
	static struct cli_options o;
	struct err e;
	int code;

	err_clear(&e);
	if (cli_parse(&o, argc, argv, &e) < 0) {
		report_error(NULL, &e);
		cli_options_fini(&o);
		return 1;
	}
	if (o.action == ACT_CHECK_CHISEL)
		code = check_chisel(&o);
	else if (o.action == ACT_RUN || o.action == ACT_EXPLAIN)
		code = run(&o, again);
	else
		code = lists_run(&o);
	cli_options_fini(&o);
	return code;
}

int main(int argc, char **argv)
{
	char *again = NULL, *ignored = NULL;
	int code;

	install_signals();
	if (argc > 1 && !strcmp(argv[1], "bench")) /* no filter begins so */
		return bench_main(argc, argv);
	code = act(argc, argv, &again);
	if (again && !code) { /* once only: what the second run asks for is ignored */
		struct restart r;

		code = restart_split(&r, argc, argv, again) < 0 ? 1 : act(r.argc, r.argv, &ignored);
		restart_free(&r);
	}
	free(again);
	free(ignored);
	return code;
}
