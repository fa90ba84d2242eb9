/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon under test as a child process: started with a configuration of the test's own,
 * watched for READY=1 and for an early end, its stderr kept, its exit status checked.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "scenario.h"

#define ARGUMENTS_MAX 32
#define READY_SECONDS 10
#define STOP_SECONDS 15
#define LOG_SECONDS 20

/* What a sanitizer or valgrind writes, in whatever process of the daemon it happens. */
static const char *const reports[] = {
	"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",     "WARNING: ThreadSanitizer",
	": runtime error: ",	   "ERROR: libFuzzer",	       "Invalid read of size",
	"Invalid write of size",   "depends on uninitialised", "definitely lost: ",
};

/* valgrind's summary names all kinds of losses, also with nothing lost. */
#define NOTHING_LOST "definitely lost: 0 bytes"

static int notify_socket(struct scenario *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", s->dir);
	(void)unlink(address.sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	(void)safe_close(s->notify_fd);
	s->notify_fd = take_fd(&fd);
	return 0;
}

_Noreturn static void become_daemon(struct scenario *s, const char *config, const char *argument)
{
	char program[512], runtime[128], notify[128], log[128], worker[PATH_MAX];
	_cleanup_free_ char *wrapper = NULL;
	char *mounts[] = { (char *)"unshare", (char *)"-m", (char *)"sh", s->daemon_mounts };
	const char *wrapped = getenv("DCDD_WRAPPER");
	char *argv[ARGUMENTS_MAX] = { NULL };
	char *save = NULL;
	size_t n = 0;
	int fd;

	wrapper = strdup(wrapped ? wrapped : "");
	if (!wrapper)
		_exit(126);
	for (size_t i = 0; s->daemon_mounts && i < ARRAY_SIZE(mounts); i++)
		argv[n++] = mounts[i];
	for (char *w = strtok_r(wrapper, " ", &save); w && n < ARGUMENTS_MAX - 10;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	(void)snprintf(program, sizeof(program), "%s/dcdd", scenario_build());
	(void)snprintf(runtime, sizeof(runtime), "%s/run", s->dir);
	(void)snprintf(notify, sizeof(notify), "%s/notify", s->dir);
	(void)snprintf(log, sizeof(log), "%s/dcdd.stderr", s->dir);
	argv[n++] = program;
	if (config) {
		argv[n++] = (char *)"--config";
		argv[n++] = (char *)(uintptr_t)config;
	}
	argv[n++] = (char *)"--runtime-dir";
	argv[n++] = runtime;
	argv[n++] = (char *)"--state-dir";
	argv[n++] = s->state_dir;
	if (s->options->no_bus)
		argv[n++] = (char *)"--no-bus";
	if (argument)
		argv[n++] = (char *)(uintptr_t)argument;

	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	(void)setenv("NOTIFY_SOCKET", notify, 1);
	(void)setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(s), 1);
	/* In a wrapper's process /proc/self/exe may be the wrapper, valgrind for example. */
	if (wrapped && *wrapped && realpath(program, worker))
		(void)setenv("DCDD_WORKER", worker, 1);
	(void)unsetenv("JOURNAL_STREAM"); /* so that it writes to stderr */
	(void)unsetenv("INVOCATION_ID");
	(void)execvp(argv[0], argv);
	(void)dprintf(STDERR_FILENO, "cannot run %s: %m\n", argv[0]);
	_exit(127);
}

void daemon_mounts(struct scenario *s, const char *shell_command)
{
	_cleanup_free_ char *text = NULL;
	char name[32];

	s->daemon_mounts = NULL;
	if (!shell_command)
		return;
	if (asprintf(&text, "set -e\n%s\nexec \"$@\"\n", shell_command) < 0) {
		text = NULL;
		scenario_fail(s, "out of memory");
	}
	(void)snprintf(name, sizeof(name), "mounts.%u.sh", s->n_files++);
	s->daemon_mounts = (char *)(uintptr_t)scenario_file(s, name, text);
}

void daemon_launch(struct scenario *s, const char *config, const char *argument)
{
	const char *path = NULL;
	char name[32];
	pid_t pid;
	int r;

	if (s->daemon > 0)
		scenario_fail(s, "a daemon is still running");
	if (!config)
		config = s->options->config ? s->options->config : "";
	if (config != DAEMON_SYSTEM_CONFIG) {
		(void)snprintf(name, sizeof(name), "dcdd.%u.conf", s->n_files++);
		path = scenario_file(s, name, config);
	}
	s->config = path;
	r = notify_socket(s);
	if (r < 0)
		scenario_fail(s, "cannot make the notify socket: %s", strerror(-r));
	pid = process_fork();
	if (pid < 0)
		scenario_fail(s, "cannot fork: %s", strerror(-pid));
	if (pid == 0)
		become_daemon(s, path, argument);
	s->daemon = pid;
	s->daemon_reaped = s->daemon_ready = false;
	s->ended_id = 0; /* it counts from 1 */
}

const char DAEMON_SYSTEM_CONFIG[] = "as installed";

void daemon_reload(struct scenario *s, const char *config)
{
	_cleanup_fclose_ FILE *f = s->config ? fopen(s->config, "we") : NULL;

	if (!f || fputs(config, f) == EOF || fflush(f) != 0)
		scenario_fail(s, "cannot write the daemon's configuration: %m");
	if (kill(s->daemon, SIGHUP) < 0)
		scenario_fail(s, "cannot signal the daemon: %m");
}

void daemon_start(struct scenario *s, const char *config)
{
	daemon_launch(s, config, NULL);
	daemon_wait_ready(s);
}

bool daemon_alive(struct scenario *s)
{
	if (s->daemon <= 0)
		return false;
	if (!s->daemon_reaped && waitpid(s->daemon, &s->daemon_status, WNOHANG) == s->daemon)
		s->daemon_reaped = true;
	return !s->daemon_reaped;
}

/* Takes what came in; a datagram holds lines of KEY=VALUE. */
static void read_notifications(struct scenario *s)
{
	char text[2048];
	ssize_t n;

	while ((n = recv(s->notify_fd, text, sizeof(text) - 1, 0)) > 0) {
		char *save = NULL;

		text[n] = '\0';
		for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
			if (streq(l, "READY=1"))
				s->daemon_ready = true;
	}
}

void daemon_wait_ready(struct scenario *s)
{
	usec_t deadline = deadline_in(READY_SECONDS);

	for (;;) {
		bool alive = daemon_alive(s);

		read_notifications(s);
		if (s->daemon_ready && alive)
			return;
		if (!alive)
			scenario_fail(s, "the daemon ended with status %d before it was ready",
				      s->daemon > 0 ? process_status(s->daemon_status) : -1);
		if (deadline_passed(deadline))
			scenario_fail(s, "the daemon is not ready after %d s", READY_SECONDS);
	}
}

pid_t daemon_pid(const struct scenario *s)
{
	return s->daemon;
}

/* Its status, or -ETIMEDOUT; forgets the daemon unless it still runs. */
static int reap(struct scenario *s, usec_t deadline)
{
	while (daemon_alive(s))
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
	s->daemon = 0;
	return process_status(s->daemon_status);
}

int daemon_wait(struct scenario *s)
{
	int r;

	if (s->daemon <= 0)
		scenario_fail(s, "no daemon was started");
	r = reap(s, deadline_in(STOP_SECONDS));
	if (r < 0)
		scenario_fail(s, "the daemon is still running after %d s", STOP_SECONDS);
	return r;
}

int daemon_kill(struct scenario *s, int signal)
{
	if (!daemon_alive(s))
		scenario_fail(s, "the daemon is not running");
	if (kill(s->daemon, signal) < 0)
		scenario_fail(s, "cannot signal the daemon: %m");
	return daemon_wait(s);
}

/* Its children, by pid and space. */
static void read_workers(struct scenario *s, char *ret, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)s->daemon,
		       (int)s->daemon);
	if (sysfs_get(path, ret, size) < 0)
		scenario_fail(s, "cannot read %s: %m", path);
}

/* A zombie that nobody reaps yet has ended as well. */
static bool has_ended(const char *pid)
{
	char path[64], text[512];
	const char *state;

	(void)snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	if (sysfs_get(path, text, sizeof(text)) < 0)
		return true;
	state = strrchr(text, ')');
	return state && (startswith(state, ") Z") || startswith(state, ") X"));
}

void daemon_crash(struct scenario *s)
{
	usec_t deadline = deadline_in(STOP_SECONDS);
	char workers[256], *save = NULL;
	int r;

	read_workers(s, workers, sizeof(workers));
	r = daemon_kill(s, SIGKILL);
	if (r != 128 + SIGKILL)
		scenario_fail(s, "the daemon ended with status %d before it was killed", r);
	for (char *w = strtok_r(workers, " ", &save); w; w = strtok_r(NULL, " ", &save))
		while (!has_ended(w))
			if (deadline_passed(deadline))
				scenario_fail(s, "its worker %s does not end", w);
}

/* The first line of a sanitizer's or valgrind's report, NULL if there is none. */
static const char *find_report(const char *log)
{
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		for (const char *p = log; (p = strstr(p, reports[i])); p++)
			if (!startswith(p, NOTHING_LOST))
				return reports[i];
	return NULL;
}

char *daemon_log(struct scenario *s)
{
	char path[128];
	char *text;

	(void)snprintf(path, sizeof(path), "%s/dcdd.stderr", s->dir);
	text = file_text(path, 16 * MiB);
	if (!text)
		text = strdup("");
	if (!text)
		scenario_fail(s, "out of memory");
	return text;
}

bool daemon_log_has(struct scenario *s, const char *text)
{
	_cleanup_free_ char *log = daemon_log(s);

	return strstr(log, text);
}

void daemon_wait_log(struct scenario *s, const char *text)
{
	usec_t deadline = deadline_in(LOG_SECONDS);

	while (!daemon_log_has(s, text))
		if (deadline_passed(deadline))
			scenario_fail(s, "the daemon never said \"%s\"", text);
}

void daemon_stop(struct scenario *s)
{
	_cleanup_free_ char *log = NULL;
	const char *report;
	int r = daemon_kill(s, SIGTERM);

	if (r != 0)
		scenario_fail(s, "the daemon ended with status %d", r);
	log = daemon_log(s);
	report = find_report(log);
	if (report)
		scenario_fail(s, "the daemon's log has \"%s\"", report);
}

/* A line of the daemon's /proc/PID/status. */
static uint64_t daemon_status_number(struct scenario *s, const char *name)
{
	char path[64], text[4096] = "";
	const char *line, *value;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)s->daemon);
	if (sysfs_get(path, text, sizeof(text)) == 0)
		for (line = text; (line = strchr(line, '\n')); line++) {
			value = startswith(line + 1, name);
			if (value && *value == ':')
				return strtoull(value + 1, NULL, 10);
		}
	scenario_fail(s, "no %s in %s", name, path);
}

uint64_t daemon_rss_kib(struct scenario *s)
{
	return daemon_status_number(s, "VmRSS");
}

uint64_t daemon_wakeups(struct scenario *s)
{
	return daemon_status_number(s, "voluntary_ctxt_switches");
}

void daemon_teardown(struct scenario *s)
{
	_cleanup_free_ char *log = NULL;
	const char *report;
	char path[128];
	int r = 0;

	if (s->daemon > 0) {
		if (!daemon_alive(s))
			scenario_problem(s, "the daemon had ended by itself");
		else
			(void)kill(s->daemon, SIGTERM);
		r = reap(s, deadline_in(STOP_SECONDS));
		if (r == -ETIMEDOUT) {
			scenario_problem(s, "the daemon did not end on SIGTERM within %d s",
					 STOP_SECONDS);
			(void)kill(s->daemon, SIGKILL);
			(void)reap(s, deadline_in(5));
			s->daemon = 0;
		} else if (r != 0) {
			scenario_problem(s, "the daemon ended with status %d", r);
		}
	}
	(void)snprintf(path, sizeof(path), "%s/dcdd.stderr", s->dir);
	log = file_text(path, 16 * MiB);
	report = log ? find_report(log) : NULL;
	if (report)
		scenario_problem(s, "the daemon's log has \"%s\"", report);
}
