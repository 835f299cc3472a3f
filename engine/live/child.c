#include "live/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: waits for one byte, then becomes the program. Only async-signal-safe calls. */
static void become(char *const argv[], int wait_fd, int tell_fd)
{
	char c;
	int code;

	if (read(wait_fd, &c, 1) != 1)
		_exit(127); /* the capture did not start */
	execvp(argv[0], argv);
	code = errno;
	if (write(tell_fd, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

int child_start(struct child *c, char *const argv[], struct err *e)
{
	int go[2], failed[2];

	*c = (struct child){.pid = -1, .pidfd = -1, .go = -1, .failed = -1};
	if (pipe2(go, O_CLOEXEC))
		return err_errno(e, "can't make a pipe");
	if (pipe2(failed, O_CLOEXEC)) {
		close(go[0]);
		close(go[1]);
		return err_errno(e, "can't make a pipe");
	}
	c->pid = fork();
	if (c->pid == 0) {
		close(go[1]);
		become(argv, go[0], failed[1]);
	}
	close(go[0]);
	close(failed[1]);
	c->go = go[1];
	c->failed = failed[0];
	if (c->pid > 0)
		c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pid < 0 || c->pidfd < 0) {
		int rc = err_errno(e, "can't start %s", argv[0]);

		child_close(c);
		return rc;
	}
	return 0;
}

int child_go(struct child *c, struct err *e)
{
	int code = 0;
	ssize_t n;

	if (write(c->go, "g", 1) != 1)
		return err_errno(e, "can't start the command");
	close(c->go);
	c->go = -1;
	do
		n = read(c->failed, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	close(c->failed);
	c->failed = -1;
	if (n == sizeof(code)) {
		errno = code;
		return err_errno(e, "can't run the command");
	}
	return 0;
}

bool child_ended(struct child *c)
{
	if (c->pid > 0 && !c->reaped && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->reaped = true;
	return c->reaped;
}

void child_close(struct child *c)
{
	bool never_let_go = c->go >= 0;

	if (never_let_go)
		close(c->go);
	if (c->failed >= 0)
		close(c->failed);
	if (c->pid > 0 && never_let_go)
		waitpid(c->pid, &c->status, 0);
	if (c->pidfd >= 0)
		close(c->pidfd);
	*c = (struct child){.pid = -1, .pidfd = -1, .go = -1, .failed = -1};
}
