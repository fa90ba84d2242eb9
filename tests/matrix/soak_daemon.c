/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lives of the daemon in a soak: begun and ended in every way, and watched for what they lose:
 * descriptors, memory, processes, tracefs instances, journals.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dcdd/names.h>
#include <dcdd/release.h>

#include "soak.h"

#define TRACE_INSTANCES "/sys/kernel/tracing/instances"
#define GONE_SECONDS 15
#define HISTORY_MAX 16 /* releases that have ended and are remembered */
#define QUIET_SECONDS 0.15
/* Resident memory is compared from this round of a life on, with that much room for malloc. */
#define WARM_UP_ROUNDS 6
#define GROWTH_MAX_KIB 1024

/* ---- configuration ---- */

static const char *action(const struct soak_config *c, enum soak_use use)
{
	return c->free_uses & 1U << use ? "free" : "keep";
}

/* Caller frees. */
static char *config_text(struct soak *k)
{
	const struct soak_config *c = &k->config;
	char *text;

	if (asprintf(&text,
		     "[daemon]\n"
		     "settle-time = %ums\n"
		     "refuse-hold = %ums\n"
		     "scan-timeout = 400ms\n"
		     "stop-timeout = 2s\n"
		     "history-max = %u\n"
		     "concurrency = %u\n"
		     "[release]\n"
		     "system-ram = %s\n"
		     "devdax = %s\n"
		     "fsdev = %s\n"
		     "unbound = %s\n"
		     "offline-method = %s\n"
		     "block-timeout = %ums\n"
		     "retries = %u\n"
		     "backoff-initial = 10ms\n"
		     "backoff-max = 40ms\n"
		     "state-wait = 100ms\n"
		     "headroom-wait = 100ms\n"
		     "holders-wait = 100ms\n"
		     "recovery = %s\n"
		     "ignore-unseen-processes = yes\n",
		     c->settle_ms, c->refuse_hold_ms, HISTORY_MAX, c->concurrency,
		     action(c, SOAK_MOVABLE), action(c, SOAK_DEVDAX), action(c, SOAK_FSDEV),
		     action(c, SOAK_UNBOUND), c->method, c->block_timeout_ms, c->retries,
		     c->resume ? "resume" : "roll-back") < 0)
		scenario_fail(k->s, "out of memory");
	k->free_uses |= c->free_uses;
	return text;
}

off_t soak_log_size(struct soak *k)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/dcdd.stderr", scenario_dir(k->s));
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static bool log_has_since(struct soak *k, off_t begin, const char *text)
{
	_cleanup_free_ char *log = daemon_log(k->s);

	return (size_t)begin < strlen(log) && strstr(log + begin, text);
}

char *soak_log_text(struct soak *k)
{
	_cleanup_free_ char *log = daemon_log(k->s);
	size_t begin = MIN((size_t)k->log_begin, strlen(log));

	return strdup(log + begin);
}

void soak_daemon_reload(struct soak *k, bool good)
{
	static const char bad[] = "[release]\nnonsense = 1\n";
	_cleanup_free_ char *text = good ? config_text(k) : strdup(bad);
	char name[32];
	off_t begin = soak_log_size(k);
	usec_t deadline = deadline_in(2);

	if (!text)
		scenario_fail(k->s, "out of memory");
	(void)snprintf(name, sizeof(name), "dcdd.%u.conf", k->config_file);
	(void)scenario_file(k->s, name, text);
	if (!daemon_alive(k->s) || kill(daemon_pid(k->s), SIGHUP) < 0)
		return;
	/* What it read counts, not what is there by the time it looks. */
	while (daemon_alive(k->s) &&
	       !log_has_since(k, begin, good ? "is in force" : "Keeping the old configuration"))
		if (deadline_passed(deadline)) {
			soak_problem(k, "the daemon does not answer SIGHUP");
			return;
		}
}

/* ---- processes ---- */

/* Calls @each with the pid of every child of @pid. */
static void for_each_child(pid_t pid, void (*each)(pid_t child, void *userdata), void *userdata)
{
	char path[64], text[4096];
	char *end;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if (sysfs_get(path, text, sizeof(text)) < 0)
		return;
	for (const char *p = text; *p; p = end) {
		pid_t child = (pid_t)strtol(p, &end, 10);

		if (end == p)
			return;
		each(child, userdata);
	}
}

static void kill_one(pid_t child, void *userdata _unused_)
{
	(void)kill(child, SIGKILL);
}

void soak_daemon_kill_workers(struct soak *k)
{
	if (daemon_alive(k->s))
		for_each_child(daemon_pid(k->s), kill_one, NULL);
}

struct orphans {
	struct soak *k;
	unsigned n;
};

/* What a daemon leaves behind becomes our child (main() asked for that). */
static void count_orphan(pid_t child, void *userdata)
{
	struct orphans *orphans = userdata;
	const struct scenario *s = orphans->k->s;

	if (child == s->daemon || child == s->bus_daemon)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(s->children); i++)
		if (s->children[i] == child)
			return;
	if (waitpid(child, NULL, WNOHANG) != child)
		orphans->n++;
}

static unsigned n_orphans(struct soak *k)
{
	struct orphans orphans = { .k = k };

	for_each_child(getpid(), count_orphan, &orphans);
	return orphans.n;
}

static void count_one(pid_t child _unused_, void *userdata)
{
	(*(unsigned *)userdata)++;
}

/* ---- beginning and end ---- */

void soak_daemon_start(struct soak *k)
{
	_cleanup_free_ char *config = NULL;

	if (daemon_alive(k->s))
		return;
	if (k->s->daemon > 0)
		(void)daemon_wait(k->s);
	config = config_text(k);
	/* So the harness is going to call it. */
	k->config_file = k->s->n_files;
	daemon_start(k->s, config);
	k->life = (struct soak_life){ .pid = daemon_pid(k->s) };
	k->last_id = 0;
	k->starts++;
}

/*
 * With a step that the kernel does not let go of, or one that detaches and so is not interrupted,
 * it cannot end well, and says so. What it leaves is for the next one to put in order.
 */
static bool may_end_badly(const struct soak *k)
{
	for (size_t i = 0; i < k->script.n_faults; i++)
		if (startswith(k->script.faults[i].action, "hang"))
			return true;
	return false;
}

void soak_daemon_end(struct soak *k, int signal)
{
	int status;

	if (!daemon_alive(k->s))
		return;
	status = daemon_kill(k->s, signal);
	if (signal == SIGKILL) {
		k->kills++;
		return;
	}
	if (status != 0 && !(status == DCDD_EXIT_FAILURE && may_end_badly(k)))
		soak_problem(k, "told to end, the daemon ended with status %d", status);
}

/* It has done wrong: nothing of it must trouble the next one. */
void soak_daemon_bury(struct soak *k)
{
	if (daemon_alive(k->s))
		(void)daemon_kill(k->s, SIGKILL);
	else if (k->s->daemon > 0)
		(void)daemon_wait(k->s);
	(void)command(k->s, NULL, "rm -rf '%s'; rmdir " TRACE_INSTANCES "/%s",
		      scenario_state_dir(k->s), DCDD_TRACE_INSTANCE);
}

static bool is_at_rest(struct json_object *release)
{
	enum release_state state;

	return release_state_from_string(member_string(release, "State"), &state) == 0 &&
	       (state == RELEASE_READY || release_state_is_final(state));
}

static bool is_of_unit(struct json_object *release, const struct soak_unit *u)
{
	if (!streq(member_string(release, "Memdev"), soak_memdev(u->slot)) ||
	    !streq(member_string(release, "Tag"), u->tag))
		return false;
	return u->tag[0] || (uint64_t)member_int(release, "DpaStart") == u->extents[0].dpa;
}

/* All that is waited for, as one number that does not change while nothing happens. 0: not yet. */
static uint64_t state_of_rest(struct soak *k)
{
	_cleanup_json_ struct json_object *list = bus_releases(k->s);
	uint64_t sum = 1;

	if (manager_u64(k->s, "LastScan") == 0)
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *release = json_object_array_get_idx(list, i);

		if (!is_at_rest(release))
			return 0;
		sum = sum * 31 + (uint64_t)member_int(release, "Id") * 7 +
		      strlen(member_string(release, "State"));
	}
	return sum;
}

/* As a service manager would: nobody else does once it is ready, and it must not have to wait. */
static void read_notifications(const struct scenario *s)
{
	char text[2048];

	while (recv(s->notify_fd, text, sizeof(text), 0) > 0)
		;
}

bool soak_settle(struct soak *k, double seconds)
{
	usec_t deadline = deadline_in(seconds), quiet = deadline_in(QUIET_SECONDS);
	uint64_t before = 0;

	while (now_usec(CLOCK_MONOTONIC) < quiet) {
		uint64_t now;

		if (!daemon_alive(k->s))
			scenario_fail(k->s, "the daemon has ended by itself, with status %d",
				      process_status(k->s->daemon_status));
		read_notifications(k->s);
		now = state_of_rest(k);
		if (now == 0 || now != before)
			quiet = deadline_in(QUIET_SECONDS);
		before = now;
		if (deadline_passed(deadline))
			return false;
	}
	return true;
}

struct json_object *soak_release(struct soak *k, const struct soak_unit *u)
{
	_cleanup_json_ struct json_object *list = bus_releases(k->s);
	struct json_object *found = NULL;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *release = json_object_array_get_idx(list, i);

		if ((uint64_t)member_int(release, "Id") > k->last_id && is_of_unit(release, u) &&
		    (!found || member_int(release, "Id") > member_int(found, "Id")))
			found = release;
	}
	return json_object_get(found);
}

uint64_t soak_last_id(struct soak *k)
{
	_cleanup_json_ struct json_object *list = bus_releases(k->s);
	uint64_t last = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		last = MAX(last, (uint64_t)member_int(json_object_array_get_idx(list, i), "Id"));
	return last;
}

/* ---- what it loses ---- */

/* The descriptors in words, so that a lost one can be named. Caller frees. */
static char *list_fds(struct soak *k)
{
	char *text = NULL;

	(void)command(k->s, &text, "ls -l /proc/%d/fd | awk '{print $9, $10, $11}'",
		      (int)daemon_pid(k->s));
	return text;
}

static unsigned n_fds(struct soak *k)
{
	unsigned n = 0;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_pid(k->s));
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		(void)closedir(dir);
	return n;
}

static void check_memory(struct soak *k)
{
	uint64_t rss = daemon_rss_kib(k->s);

	if (k->life.rounds == WARM_UP_ROUNDS)
		k->life.rss_kib = rss;
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	if (!getenv("DCDD_WRAPPER") && k->life.rounds > WARM_UP_ROUNDS &&
	    rss > k->life.rss_kib + GROWTH_MAX_KIB)
		soak_problem(k, "the daemon has grown from %llu to %llu KiB in %u rounds",
			     (unsigned long long)k->life.rss_kib, (unsigned long long)rss,
			     k->life.rounds);
#endif
}

static void check_releases(struct soak *k)
{
	_cleanup_json_ struct json_object *list = bus_releases(k->s);

	/* Of those that have not ended there can be one for each unit. */
	if (json_object_array_length(list) > HISTORY_MAX + SOAK_SLOTS * SOAK_UNITS)
		soak_problem(k, "the daemon knows %zu releases", json_object_array_length(list));
}

static void check_journals(struct soak *k)
{
	usec_t deadline = deadline_in(GONE_SECONDS);

	while (scenario_journals(k->s, "") > 0)
		if (deadline_passed(deadline)) {
			soak_problem(k, "%u undo journals are left, and nothing is to be undone",
				     scenario_journals(k->s, ""));
			return;
		}
}

/* Without those for its workers, which come when there is work for them: a socket, a pidfd. */
static unsigned own_fds(struct soak *k, unsigned *ret_workers)
{
	unsigned fds = n_fds(k);

	*ret_workers = 0;
	for_each_child(daemon_pid(k->s), count_one, ret_workers);
	return fds - MIN(fds, 2 * *ret_workers);
}

void soak_check_life(struct soak *k)
{
	usec_t deadline = deadline_in(GONE_SECONDS);
	unsigned workers, fds, limit = k->config.concurrency + 1;

	check_journals(k);
	check_releases(k);
	/* A worker that was killed, or left behind in the kernel, goes in its own time. */
	do
		fds = own_fds(k, &workers);
	while ((workers > limit || (k->life.fds && fds > k->life.fds) || n_orphans(k) > 0) &&
	       !deadline_passed(deadline));
	if (workers > limit)
		soak_problem(k, "the daemon has %u children", workers);
	if (n_orphans(k) > 0)
		soak_problem(k, "%u processes of daemons before this one are left", n_orphans(k));
	if (k->life.fds && fds > k->life.fds) {
		_cleanup_free_ char *text = list_fds(k);

		soak_problem(k, "the daemon has %u descriptors of its own open, had %u:\n%s", fds,
			     k->life.fds, text ? text : "");
	}
	k->life.fds = k->life.fds ? k->life.fds : fds;
	k->life.rounds++;
	check_memory(k);
}

void soak_check_death(struct soak *k)
{
	usec_t deadline = deadline_in(GONE_SECONDS);
	_cleanup_free_ char *instances = NULL;

	while (n_orphans(k) > 0 && !deadline_passed(deadline))
		;
	if (n_orphans(k) > 0)
		soak_problem(k, "%u processes of the daemon are left", n_orphans(k));
	if (command(k->s, &instances, "ls %s", TRACE_INSTANCES) == 0 && instances[0])
		soak_problem(k, "tracefs instances are left: %s", instances);
	check_journals(k);
}

/* The daemons that said it have been checked, all but for what only a sanitizer says. */
void soak_forget_logs(struct soak *k)
{
	static const char *const reports[] = { "ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
					       ": runtime error: " };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		if (daemon_log_has(k->s, reports[i]))
			soak_problem(k, "the daemon's log has \"%s\"", reports[i]);
	if (k->problems > 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/dcdd.stderr", scenario_dir(k->s));
	if (truncate(path, 0) < 0 && errno != ENOENT)
		scenario_fail(k->s, "%s: %m", path);
	for (unsigned i = 0; i < k->s->n_files; i++) {
		(void)snprintf(path, sizeof(path), "%s/output.%u", scenario_dir(k->s), i);
		(void)unlink(path);
	}
	scenario_forget(k->s);
	k->log_begin = 0;
}
