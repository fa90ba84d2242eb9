/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a lease: as long as this process has the descriptor, the daemon keeps to what it was given
 * for. All that can happen meanwhile comes through poll(): signals, the command's end among them,
 * and the daemon's end of the pipe.
 */
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "hold.h"
#include "util/escape.h"

static void say_error(const char *what, const char *object, int error)
{
	char safe[512];

	(void)fprintf(stderr, "dcdctl: %s%s: %s\n", what, escape_text(object, safe, sizeof(safe)),
		      strerror(error));
}

static _Noreturn void run_child(char *const *command, const sigset_t *mask)
{
	int error;

	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	(void)execvp(command[0], command);
	error = errno;
	say_error("cannot run ", command[0], error);
	_exit(error == ENOENT ? HOLD_EXIT_NOT_FOUND : HOLD_EXIT_NOT_EXECUTABLE);
}

struct hold {
	const struct cli *cli;
	const char *what;
	pid_t child; /* 0: there is none */
	int lease;   /* -EBADF: given up by the daemon */
	int signals;
};

/* Whether the child has ended; *@ret is its exit status then. */
static bool child_ended(const struct hold *hold, int *ret)
{
	int status;

	if (waitpid(hold->child, &status, WNOHANG) != hold->child)
		return false;
	*ret = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

/* Whether it is over by what the next signal says. */
static bool on_signal(const struct hold *hold, int *ret)
{
	struct signalfd_siginfo info;

	if (read(hold->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGCHLD)
		return hold->child && child_ended(hold, ret);
	if (!hold->child) {
		*ret = CLI_EXIT_OK;
		return true;
	}
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
		(void)kill(hold->child, (int)info.ssi_signo);
	return false;
}

/* Whether it is over because the daemon does not keep the lease any more. */
static bool on_lost(struct hold *hold, int *ret)
{
	bool due = hold->cli->until && hold->cli->until <= now_usec(CLOCK_REALTIME);
	char safe[RULE_TEXT_MAX];

	hold->lease = -EBADF;
	if (!due)
		(void)fprintf(stderr, "dcdctl: %s is over: removed, or dcdd has ended\n",
			      escape_text(hold->what, safe, sizeof(safe)));
	*ret = due ? CLI_EXIT_OK : CLI_EXIT_FAILURE;
	return !hold->child;
}

static int hold_wait(struct hold *hold)
{
	int ret = CLI_EXIT_FAILURE;

	for (;;) {
		/* The lease: no event is asked for, the other end's is told without. */
		struct pollfd fds[] = {
			{ .fd = hold->signals, .events = POLLIN },
			{ .fd = hold->lease },
		};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			say_error("cannot wait", "", errno);
			return CLI_EXIT_FAILURE;
		}
		if (fds[0].revents && on_signal(hold, &ret))
			return ret;
		if (fds[1].revents && on_lost(hold, &ret))
			return ret;
	}
}

int hold_run(const struct cli *cli, int lease, const char *what)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	_cleanup_close_ int signal_fd = -EBADF;
	struct hold hold = { .cli = cli, .what = what, .lease = lease };
	sigset_t set, before;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&set, signals[i]);
	/* If the caller has it ignored, the child's status would be lost. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0) {
		say_error("cannot wait", "", errno);
		return CLI_EXIT_FAILURE;
	}
	hold.signals = signal_fd;
	/* What was printed is not to be printed by the child once more. */
	(void)fflush(stdout);
	if (cli->command) {
		hold.child = fork();
		if (hold.child < 0) {
			say_error("cannot run ", cli->command[0], errno);
			return CLI_EXIT_FAILURE;
		}
		if (hold.child == 0)
			run_child(cli->command, &before);
	}
	return hold_wait(&hold);
}
