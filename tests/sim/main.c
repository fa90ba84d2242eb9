/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdsim: runs a command on a simulated host with CXL dynamic capacity. Puts the pieces together,
 * passes signals on, takes everything down again. README.md has the command line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "sim.h"

#define LOCK_PATH "/run/dcdsim.lock"

enum {
	EXIT_USAGE = 64,
	EXIT_SETUP = 70,
	EXIT_VIOLATIONS = 71,
};

struct arguments {
	const char *topology; /* file, or NULL */
	const char *naming;   /* or NULL */
	const char *control;  /* or NULL */
	char **command;
};

static int usage(FILE *f, int status)
{
	fprintf(f, "usage: dcdsim [--topology FILE.json] [--naming v10|v11] [--control PATH] -- "
		   "COMMAND [ARGS...]\n"
		   "Runs COMMAND on a simulated host with CXL dynamic capacity; see "
		   "tests/sim/README.md.\n");
	return status;
}

/* Returns -1 to go on, else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "topology", required_argument, NULL, 't' },
		{ "naming", required_argument, NULL, 'n' },
		{ "control", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		switch (c) {
		case 't':
			ret->topology = optarg;
			break;
		case 'n':
			ret->naming = optarg;
			break;
		case 'c':
			ret->control = optarg;
			break;
		case 'h':
			return usage(stdout, 0);
		case 'V':
			puts("dcdsim " DCDD_VERSION);
			return 0;
		default:
			return usage(stderr, EXIT_USAGE);
		}
	}
	if (optind == argc)
		return usage(stderr, EXIT_USAGE);
	if (ret->naming && !streq(ret->naming, "v10") && !streq(ret->naming, "v11"))
		return usage(stderr, EXIT_USAGE);
	ret->command = argv + optind;
	return -1;
}

/* tracefs is one for the machine: so is whoever puts the event into it. Returns an fd. */
static int take_lock(void)
{
	int fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		fprintf(stderr, "dcdsim: %s: %s\n", LOCK_PATH, strerror(errno));
		return -errno;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	fprintf(stderr, "dcdsim: waiting for another dcdsim (%s)\n", LOCK_PATH);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR) {
			int r = -errno;

			(void)close(fd);
			return r;
		}
	}
	return fd;
}

/* The first fresh host, from the command line. */
static int first_reset(struct sim *sim, const struct arguments *arguments)
{
	struct json_object *topology = NULL;
	_cleanup_free_ char *error = NULL;
	const char *naming = arguments->naming;
	int r;

	if (arguments->topology) {
		struct json_object *value;

		topology = json_object_from_file(arguments->topology);
		if (!topology) {
			fprintf(stderr, "dcdsim: %s\n", json_util_get_last_err());
			return -EINVAL;
		}
		if (!naming && json_object_object_get_ex(topology, "naming", &value))
			naming = json_object_get_string(value);
	}
	(void)pthread_mutex_lock(&sim->lock);
	r = sim_reset(sim, topology, naming && streq(naming, "v10") ? ENGINE_V10 : ENGINE_V11, NULL,
		      &error);
	(void)pthread_mutex_unlock(&sim->lock);
	json_object_put(topology);
	if (r < 0)
		fprintf(stderr, "dcdsim: %s\n", error ? error : strerror(-r));
	return r;
}

/* Reaps what has ended. True and *@ret_status if the command has. */
static bool reap(pid_t command, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		ended = true;
		*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return ended;
}

/* Until the command ends: signals go to it. Returns its exit status. */
static int run_command(struct sim *sim, int signal_fd)
{
	struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN },
				{ .fd = sim->quit_fd, .events = POLLIN } };
	usec_t kill_at = USEC_INFINITY;
	int status = 0;

	while (!reap(sim->host.pid, &status)) {
		struct signalfd_siginfo info;
		int timeout = kill_at == USEC_INFINITY ? -1 : 100;

		if (poll(fds, ARRAY_SIZE(fds), timeout) < 0 && errno != EINTR)
			break;
		if (fds[1].revents) {
			(void)kill(sim->host.pid, SIGTERM);
			kill_at = usec_add(now_usec(CLOCK_MONOTONIC), 2 * USEC_PER_SEC);
			fds[1].fd = -1;
		}
		if (now_usec(CLOCK_MONOTONIC) >= kill_at)
			(void)kill(sim->host.pid, SIGKILL);
		/* What the terminal sends, it has sent to the command too. */
		while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
			if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
				(void)kill(sim->host.pid, (int)info.ssi_signo);
	}
	return status;
}

static int print_violations(struct sim *sim)
{
	unsigned n = sim->unacknowledged;

	if (n == 0)
		return 0;
	fprintf(stderr, "dcdsim: %u violation%s not acknowledged:\n", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < json_object_array_length(sim->violations); i++)
		fprintf(stderr, "dcdsim: violation: %s\n",
			json_object_get_string(json_object_array_get_idx(sim->violations, i)));
	return EXIT_VIOLATIONS;
}

/* The threads around the command. Returns the exit status. */
static int simulate(struct sim *sim, const struct arguments *arguments, const char *control_path,
		    int signal_fd)
{
	struct control *control = NULL;
	struct fs *fs = NULL;
	pthread_t records;
	bool records_run = false;
	int status = EXIT_SETUP, r;

	r = first_reset(sim, arguments);
	if (r == 0)
		r = fs_start(sim, &fs);
	if (r == 0 && sim->host.psi[0])
		r = psi_start(sim->host.psi, &sim->psi);
	if (r == 0) {
		r = -pthread_create(&records, NULL, records_main, sim);
		records_run = r == 0;
	}
	if (r == 0)
		r = host_enter(&sim->host);
	if (r == 0) {
		_cleanup_free_ char *error = NULL;

		/* What a killed one has left; nobody else may have it, we hold the lock. */
		r = probe_remove(sim->host.trace);
		if (r < 0)
			fprintf(stderr, "dcdsim: cannot remove a left-over trace event: %s\n",
				strerror(-r));
		else
			r = sim_event_set(sim, true, NULL, &error);
		if (error)
			fprintf(stderr, "dcdsim: %s\n", error);
	}
	if (r == 0) {
		r = control_start(sim, control_path, &control);
		if (r < 0)
			fprintf(stderr, "dcdsim: %s: %s\n", control_path, strerror(-r));
	}
	if (r == 0)
		r = host_run(&sim->host);
	if (r == 0)
		status = run_command(sim, signal_fd);

	sim_stop(sim);
	host_kill();
	control_stop(control);
	if (records_run)
		(void)pthread_join(records, NULL);
	(void)sim_event_set(sim, false, NULL, &(char *){ NULL });
	fs_stop(fs);
	psi_stop(sim->psi);
	r = print_violations(sim);
	return status == 0 ? r : status;
}

/* As given, made absolute; else in our own directory. */
static int choose_control_path(const struct host *host, const char *wanted, char **ret)
{
	_cleanup_free_ char *cwd = NULL;
	int n;

	if (!wanted) {
		n = asprintf(ret, "%s/control", host->dir);
	} else if (wanted[0] == '/') {
		n = asprintf(ret, "%s", wanted);
	} else {
		cwd = getcwd(NULL, 0);
		n = cwd ? asprintf(ret, "%s/%s", cwd, wanted) : -1;
	}
	if (n < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	_cleanup_free_ char *control_path = NULL;
	_cleanup_close_ int lock = -EBADF, signal_fd = -EBADF;
	struct sim *sim;
	sigset_t signals;
	int status;

	status = parse_arguments(argc, argv, &arguments);
	if (status >= 0)
		return status;
	if (geteuid() != 0) {
		fprintf(stderr, "dcdsim: must be root (namespaces, mounts, tracefs)\n");
		return EXIT_SETUP;
	}
	lock = take_lock();
	if (lock < 0)
		return EXIT_SETUP;

	(void)sigemptyset(&signals);
	for (const int *p = (const int[]){ SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1,
					   SIGUSR2, 0 };
	     *p; p++)
		(void)sigaddset(&signals, *p);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);

	status = EXIT_SETUP;
	sim = calloc(1, sizeof(*sim));
	if (sim && signal_fd >= 0 && sim_init(sim) == 0) {
		int r = host_prepare(&sim->host);

		if (r == 0)
			r = choose_control_path(&sim->host, arguments.control, &control_path);
		if (r == 0)
			r = host_fork(&sim->host, control_path, arguments.command);
		if (r == 0)
			status = simulate(sim, &arguments, control_path, signal_fd);
		host_cleanup(&sim->host);
		sim_done(sim);
	}
	free(sim);
	return status;
}
