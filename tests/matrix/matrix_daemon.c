/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon of a case: how it is started, when it is at rest, and what it must not leave behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <dcdd/names.h>
#include <dcdd/release.h>

#include "matrix_internal.h"

#define TRACE_INSTANCE "/sys/kernel/tracing/instances/" DCDD_TRACE_INSTANCE
#define GONE_SECONDS 15
#define SETTLE_POLL_USEC (15 * USEC_PER_MSEC)

const char matrix_config[] = "[daemon]\n"
			     "settle-time = 1ms\n"
			     "refuse-hold = 1ms\n"
			     "scan-timeout = 300ms\n"
			     "[release]\n"
			     "block-timeout = 300ms\n"
			     "retries = 0\n"
			     "state-wait = 0\n"
			     "headroom-wait = 0\n"
			     "holders-wait = 0\n"
			     "backoff-initial = 1ms\n"
			     "backoff-max = 10ms\n";

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Calls @each for every entry of @path but . and .., until it returns false. */
static void for_each_entry(const char *path, bool (*each)(const char *name, void *userdata),
			   void *userdata)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!streq(entry->d_name, ".") && !streq(entry->d_name, "..") &&
		    !each(entry->d_name, userdata))
			return;
}

const char *matrix_state_dir(struct matrix *m)
{
	return scenario_state_dir(m->s);
}

struct counted {
	const char *suffix;
	unsigned n;
};

static bool count_suffix(const char *name, void *userdata)
{
	struct counted *counted = userdata;
	size_t n = strlen(name), m = strlen(counted->suffix);

	counted->n += n >= m && streq(name + n - m, counted->suffix);
	return true;
}

unsigned matrix_state_files(struct matrix *m, const char *suffix)
{
	struct counted counted = { .suffix = suffix };

	for_each_entry(matrix_state_dir(m), count_suffix, &counted);
	return counted.n;
}

static bool remove_file(const char *name, void *userdata)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", (const char *)userdata, name) < 0)
		path = NULL;
	if (path)
		(void)unlink(path);
	return true;
}

unsigned matrix_daemon_fds(struct matrix *m)
{
	struct counted counted = { .suffix = "" };
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_pid(m->s));
	for_each_entry(path, count_suffix, &counted);
	return counted.n;
}

/* Children of @pid that are not excepted, and theirs. Ours that have ended are taken off. */
static unsigned count_children(struct matrix *m, pid_t pid)
{
	char path[64], text[4096];
	unsigned n = 0;
	char *end;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if (sysfs_get(path, text, sizeof(text)) < 0)
		return 0;
	for (const char *p = text; *p; p = end) {
		pid_t child = (pid_t)strtol(p, &end, 10);

		if (end == p)
			break;
		if (pid == getpid() && (child == m->s->bus_daemon || child == m->s->daemon ||
					waitpid(child, NULL, WNOHANG) == child))
			continue;
		n += 1 + count_children(m, child);
	}
	return n;
}

unsigned matrix_daemon_workers(struct matrix *m)
{
	/* Orphans are ours, see matrix_main(). */
	return count_children(m, daemon_alive(m->s) ? daemon_pid(m->s) : getpid());
}

void matrix_daemon_launch(struct matrix *m, const char *const *environment)
{
	_cleanup_free_ char *config = NULL;

	if (asprintf(&config, "%s%s", matrix_config,
		     m->mode && m->mode->config ? m->mode->config : "") < 0)
		config = NULL;
	if (!config)
		scenario_fail(m->s, "out of memory");
	for (size_t i = 0; environment && environment[i]; i++)
		(void)putenv((char *)(uintptr_t)environment[i]);
	daemon_launch(m->s, config, NULL);
	for (size_t i = 0; environment && environment[i]; i++) {
		_cleanup_free_ char *name = strndup(environment[i], strcspn(environment[i], "="));

		if (name)
			(void)unsetenv(name);
	}
}

void matrix_daemon_start(struct matrix *m, const char *const *environment)
{
	matrix_daemon_launch(m, environment);
	daemon_wait_ready(m->s);
}

/* ---- at rest ---- */

static bool is_at_rest(struct json_object *release)
{
	enum release_state state;

	if (release_state_from_string(member_string(release, "State"), &state) < 0)
		return false;
	return state == RELEASE_READY || release_state_is_final(state);
}

void matrix_settle(struct matrix *m, bool must, double seconds)
{
	usec_t deadline = deadline_in(seconds);

	for (;;) {
		_cleanup_json_ struct json_object *list = NULL;
		bool found = !must, rest = true;

		if (!daemon_alive(m->s))
			scenario_fail(m->s, "the daemon has ended with status %d",
				      process_status(m->s->daemon_status));
		list = bus_releases(m->s);
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *release = json_object_array_get_idx(list, i);

			rest = rest && is_at_rest(release);
			found = found || streq(member_string(release, "Tag"), MATRIX_TAG);
		}
		/* The first look comes before anything it can know of the past. */
		if (found && rest && (must || manager_u64(m->s, "LastScan") > 0))
			return;
		/* To ask costs the daemon as much as to work. */
		(void)usleep(SETTLE_POLL_USEC);
		if (deadline_passed(deadline))
			scenario_fail(m->s, "not at rest after %.0f s: %s", seconds,
				      json_object_to_json_string(list));
	}
}

/* ---- between cases ---- */

#define STOP_EVERY 8

/* A daemon that is told to end does, with status 0, and takes everything with it. */
static void stop_daemon(struct matrix *m)
{
	usec_t deadline = deadline_in(GONE_SECONDS);

	daemon_stop(m->s);
	if (access(TRACE_INSTANCE, F_OK) == 0)
		scenario_fail(m->s, "the daemon left " TRACE_INSTANCE);
	while (matrix_daemon_workers(m) > 0)
		if (deadline_passed(deadline))
			scenario_fail(m->s, "%u of the daemon's processes are left",
				      matrix_daemon_workers(m));
}

static void kill_daemon(struct matrix *m)
{
	if (m->s->daemon > 0) {
		(void)kill(m->s->daemon, SIGKILL);
		(void)daemon_wait(m->s);
	}
	/* What it did not read, the next one would. */
	if (access(TRACE_INSTANCE, F_OK) == 0) {
		_cleanup_close_ int fd = open(TRACE_INSTANCE "/trace",
					      O_WRONLY | O_TRUNC | O_CLOEXEC);

		if (fd < 0)
			scenario_fail(m->s, "cannot clear " TRACE_INSTANCE ": %m");
	}
}

static void stop_try(struct scenario *s _unused_, void *userdata)
{
	stop_daemon(userdata);
}

void matrix_clean(struct matrix *m)
{
	char log[128];
	bool ended = true;

	sim_fault_clear(m->s);
	/* Both, as the end of a daemon in order takes a case's time. */
	if (m->n_run % STOP_EVERY == 0 && m->s->daemon > 0)
		ended = scenario_try(m->s, stop_try, m);
	kill_daemon(m);
	for_each_entry(matrix_state_dir(m), remove_file, (void *)(uintptr_t)matrix_state_dir(m));
	(void)snprintf(log, sizeof(log), "%s/dcdd.stderr", scenario_dir(m->s));
	(void)unlink(log);
	m->s->n_files = 0;
	json_object_put(m->state_before);
	m->state_before = NULL;
	m->empty = m->unclaimed = m->before = NULL;
	m->mode = NULL;
	m->unmendable = false;
	scenario_forget(m->s);
	if (!ended)
		scenario_fail(m->s, "%s", m->s->failure);
}

/* ---- leaks ---- */

#define LEAK_RELEASES 12
#define LEAK_SECONDS 20

/* One release in each of the modes by turns, every other one rolled back. */
static void one_release(struct matrix *m, unsigned i)
{
	bool back = i % 2 == 1;

	sim_fault_clear(m->s);
	matrix_host(m, &matrix_modes[i % matrix_n_modes]);
	if (back)
		(void)sim_fault_errno(m->s, "*/" MATRIX_DEVICE "/size", "0", "EIO", 1, 1);
	matrix_ask(m);
	release_wait_state(m->s, MATRIX_TAG, back ? "refused" : "ready", LEAK_SECONDS);
	if (back)
		return;
	sim_retry(m->s);
	release_wait_state(m->s, MATRIX_TAG, "released", LEAK_SECONDS);
}

static void many_releases(struct matrix *m, void *argument _unused_)
{
	unsigned fds = 0, workers = 0;

	/* The one that has what all need in its configuration. */
	matrix_host(m, &matrix_modes[matrix_n_modes - 1]);
	matrix_daemon_start(m, NULL);
	for (unsigned i = 0; i < LEAK_RELEASES; i++) {
		one_release(m, i);
		if (i < 2) { /* either kind */
			fds = MAX(fds, matrix_daemon_fds(m));
			workers = MAX(workers, matrix_daemon_workers(m));
		}
	}
	if (matrix_daemon_fds(m) > fds)
		matrix_problem(m, "a daemon had %u descriptors after 2 releases, %u after %u", fds,
			       matrix_daemon_fds(m), LEAK_RELEASES);
	if (matrix_daemon_workers(m) > workers)
		matrix_problem(m, "a daemon had %u workers after 2 releases, %u after %u", workers,
			       matrix_daemon_workers(m), LEAK_RELEASES);
	if (matrix_state_files(m, "") > 0)
		matrix_problem(m, "journals are left after the last release");
	stop_daemon(m);
	matrix_count(m, MATRIX_FREE, "%s", "");
}

void matrix_check_leaks(struct matrix *m)
{
	matrix_prepare(m, many_releases, NULL);
	(void)rmdir(TRACE_INSTANCE); /* of the last one that was killed */
}
