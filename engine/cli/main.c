#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/stop.h"
#include "cli/lists.h"
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

static int run(const struct cli_options *o)
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
	} else {
		code = session_run(&s);
	}
	session_fini(&s);
	return code;
}

int main(int argc, char **argv)
{
	static struct cli_options o;
	struct err e;
	int code;

	err_clear(&e);
	if (cli_parse(&o, argc, argv, &e) < 0) {
		report_error(NULL, &e);
		return 1;
	}
	install_signals();
	code = o.action == ACT_RUN || o.action == ACT_EXPLAIN ? run(&o) : lists_run(&o);
	cli_options_fini(&o);
	return code;
}
