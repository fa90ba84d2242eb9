/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other processes of a scenario: those that hold a device, and commands as an admin would type
 * them. All die with the test program.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "scenario.h"

pid_t process_fork(void)
{
	pid_t parent = getpid();
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1); /* it died before we could ask */
	}
	return pid;
}

int process_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int process_wait(pid_t pid, usec_t deadline)
{
	int status;

	for (;;) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == pid)
			return process_status(status);
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
	}
}

/* The holder's life: tells the parent when it holds the device, or the errno if it cannot. */
_Noreturn static void hold(const char *path, bool map, int tell)
{
	int fd = open(path, O_RDWR), error = 0;
	void *memory = NULL;

	(void)prctl(PR_SET_NAME, "holder");
	if (map && fd >= 0)
		memory = mmap(NULL, 2 * MiB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || memory == MAP_FAILED)
		error = errno;
	if (write(tell, &error, sizeof(error)) != sizeof(error) || error)
		_exit(1);
	for (;;)
		(void)pause();
}

pid_t holder_start(struct scenario *s, const char *device, bool map)
{
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	_cleanup_free_ char *path = NULL;
	pid_t *slot = NULL;
	int fds[2];
	int error;
	pid_t pid;

	for (size_t i = 0; i < ARRAY_SIZE(s->children) && !slot; i++)
		if (s->children[i] == 0)
			slot = &s->children[i];
	if (!slot)
		scenario_fail(s, "too many holders");
	if (asprintf(&path, "/dev/%s", device) < 0) {
		path = NULL;
		scenario_fail(s, "out of memory");
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		scenario_fail(s, "cannot make a pipe: %m");
	in = fds[0];
	out = fds[1];
	pid = process_fork();
	if (pid < 0)
		scenario_fail(s, "cannot fork: %s", strerror(-pid));
	if (pid == 0)
		hold(path, map, out);
	*slot = pid;
	out = safe_close(out);
	if (read(in, &error, sizeof(error)) != sizeof(error))
		scenario_fail(s, "the holder of %s died", path);
	if (error)
		scenario_fail(s, "cannot hold %s: %s", path, strerror(error));
	return pid;
}

void holder_stop(struct scenario *s, pid_t pid)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->children); i++) {
		if (s->children[i] != pid)
			continue;
		s->children[i] = 0;
		(void)kill(pid, SIGKILL);
		if (process_wait(pid, deadline_in(5)) == -ETIMEDOUT)
			scenario_fail(s, "holder %d does not die", (int)pid);
		return;
	}
	scenario_fail(s, "%d is no holder", (int)pid);
}

void process_teardown(struct scenario *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->children); i++) {
		if (s->children[i] == 0)
			continue;
		(void)kill(s->children[i], SIGKILL);
		if (process_wait(s->children[i], deadline_in(5)) == -ETIMEDOUT)
			scenario_problem(s, "holder %d does not die", (int)s->children[i]);
		s->children[i] = 0;
	}
}

static bool is_unseen(const char *pid)
{
	static const char *const names[] = { "fd", "maps" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_close_ int fd = -EBADF;
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && (errno == EACCES || errno == EPERM))
			return true;
	}
	return false;
}

bool unseen_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			is_unseen(entry->d_name);
	if (dir)
		(void)closedir(dir);
	return found;
}

_Noreturn static void shell(struct scenario *s, const char *line, int output)
{
	_cleanup_free_ char *path = NULL;
	const char *old = getenv("PATH");

	if (asprintf(&path, "%s:%s", scenario_build(), old ? old : "/usr/bin:/bin") < 0)
		_exit(126);
	(void)setenv("PATH", path, 1);
	(void)setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address(s), 1);
	(void)dup2(output, STDOUT_FILENO);
	(void)dup2(output, STDERR_FILENO);
	(void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(127);
}

int command(struct scenario *s, char **ret_output, const char *format, ...)
{
	_cleanup_free_ char *line = NULL, *path = NULL, *text = NULL;
	_cleanup_close_ int fd = -EBADF;
	va_list ap;
	pid_t pid;
	int r;

	va_start(ap, format);
	r = vasprintf(&line, format, ap);
	va_end(ap);
	if (r < 0 || asprintf(&path, "%s/output.%u", s->dir, s->n_files++) < 0)
		scenario_fail(s, "out of memory");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		scenario_fail(s, "cannot write %s: %m", path);
	pid = process_fork();
	if (pid < 0)
		scenario_fail(s, "cannot fork: %s", strerror(-pid));
	if (pid == 0)
		shell(s, line, fd);
	r = process_wait(pid, deadline_in(30));
	text = file_text(path, 16 * MiB);
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		(void)process_wait(pid, deadline_in(5));
		scenario_fail(s, "%s: %s\n%s", line, strerror(-r), text ? text : "");
	}
	if (!text)
		scenario_fail(s, "cannot read %s: %m", path);
	if (ret_output)
		*ret_output = TAKE_PTR(text);
	return r;
}
