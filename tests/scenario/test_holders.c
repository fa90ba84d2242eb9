/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Those who hold a device that would lose its contents: waited for, refused, or ended; and mounts,
 * which hold it as well.
 */
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "installed.h"

#define FREE_DEVDAX "[release]\ndevdax = free\nignore-unseen-processes = yes\n"

static const struct scenario_options waits = { .config = FREE_DEVDAX NO_LOOKS };
static const struct scenario_options waits_briefly = { .config = FREE_DEVDAX
						       "holders-wait = 500ms\n" NO_LOOKS };
static const struct scenario_options looks = { .config = FREE_DEVDAX
					       "backoff-initial = 300ms\nbackoff-max = 1s\n" };
static const struct scenario_options refuses = { .config = FREE_DEVDAX "holders = refuse\n" };

static const char *claim(struct scenario *s)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	return sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
}

/* By its pidfd alone: the look at intervals is out of reach. */
SCENARIO(last_of_two_ends)
{
	struct host *before = host_save(s);
	const char *device = claim(s);
	pid_t one = holder_start(s, device, true), two = holder_start(s, device, false);

	ask_and_wait(s, TAG_A, "draining", "(holder)");
	assert_quiet(s);
	holder_stop(s, one);
	assert_quiet(s);
	release_wait_state(s, TAG_A, "draining", 5);
	holder_stop(s, two);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(holder_outlives_the_wait)
{
	const char *device = claim(s);
	struct host *before;
	pid_t pid;

	pid = holder_start(s, device, true);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "draining", "mapped by process");
	assert_refused(s, TAG_A, "holders-wait", before);
	holder_stop(s, pid);
}

SCENARIO(holder_is_refused_at_once)
{
	const char *device = claim(s);
	struct host *before;
	pid_t pid;

	pid = holder_start(s, device, false);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_refused(s, TAG_A, "held open by process", before);
	holder_stop(s, pid);
}

/* It closes the device and lives on: nobody tells of that. */
SCENARIO(holder_lets_go)
{
	struct host *before = host_save(s);
	const char *device = claim(s);

	assert_int_equal(command(s, NULL,
				 "touch %s/hold; { sh -c 'exec 3<>/dev/%s; touch %s/held; while "
				 "test -e %s/hold; do sleep 0.05; done; exec 3>&-; sleep 20' "
				 ">/dev/null 2>&1 & }; until test -e %s/held; do sleep 0.05; done",
				 scenario_dir(s), device, scenario_dir(s), scenario_dir(s),
				 scenario_dir(s)),
			 0);
	ask_and_wait(s, TAG_A, "draining", "held open by process");
	assert_int_equal(command(s, NULL, "rm %s/hold", scenario_dir(s)), 0);
	assert_goes_on(s, TAG_A, before);
}

/* ---- mounts ---- */

/*
 * What matters is that the device is the mount's source; no file system on dax is needed for that.
 */
static void mount_it(struct scenario *s, const char *device, char path[static 128])
{
	char source[64];

	(void)snprintf(path, 128, "%s/mnt", scenario_dir(s));
	(void)snprintf(source, sizeof(source), "/dev/%s", device);
	if (mkdir(path, 0700) < 0 || mount(source, path, "tmpfs", 0, NULL) < 0)
		scenario_fail(s, "cannot mount at %s: %m", path);
}

SCENARIO(mount_is_a_holder)
{
	struct host *before = host_save(s);
	const char *device = claim(s);
	char path[128];

	mount_it(s, device, path);
	ask_and_wait(s, TAG_A, "draining", path);
	assert_int_equal(umount(path), 0);
	assert_goes_on(s, TAG_A, before);
}

/* In a mount namespace that only one process is in. */
SCENARIO(mount_in_another_namespace)
{
	struct host *before = host_save(s);
	const char *device = claim(s);

	assert_int_equal(command(s, NULL,
				 "mkdir %s/m; touch %s/hold; { unshare --mount --propagation "
				 "private sh -c 'mount -t tmpfs /dev/%s %s/m && touch %s/held; "
				 "while test -e %s/hold; do sleep 0.05; done' >/dev/null 2>&1 & }; "
				 "i=0; until test -e %s/held; do sleep 0.05; i=$((i+1)); test $i "
				 "-lt 200 || exit 1; done",
				 scenario_dir(s), scenario_dir(s), device, scenario_dir(s),
				 scenario_dir(s), scenario_dir(s), scenario_dir(s)),
			 0);
	ask_and_wait(s, TAG_A, "draining", "tmpfs");
	assert_int_equal(command(s, NULL, "rm %s/hold", scenario_dir(s)), 0);
	assert_goes_on(s, TAG_A, before);
}

/* ---- terminate ---- */

#define UNIT "dcdd-test-batch.service"

#define TERMINATE                                                                                  \
	FREE_DEVDAX NO_LOOKS "holders = terminate\nterminate-units = dcdd-test-*.service\n"        \
			     "terminate-grace = 500ms\n"

SCENARIO(unit_is_terminated)
{
	struct host *before = host_save(s);
	const char *device = claim(s);
	pid_t pid = holder_start(s, device, true);
	int status;

	enter_unit(s, pid, UNIT);
	daemon_start(s, TERMINATE);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 15);
	assert_int_equal(waitpid(pid, &status, WNOHANG), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	daemon_wait_log(s, "sent SIGTERM");
	assert_false(daemon_log_has(s, "sent SIGKILL"));
	assert_true(daemon_log_has(s, UNIT));
	holder_stop(s, pid);
	release_collect(s, TAG_A, before);
	leave_unit(s, UNIT);
}

/*
 * A shell of the unit that has the device open, and runs until it is killed: on SIGTERM it does
 * @action. The daemon asks it to go, and the release is ready.
 */
static pid_t terminate_shell(struct scenario *s, const char *action)
{
	const char *device = claim(s);
	_cleanup_free_ char *text = NULL;
	int pid = 0;

	assert_int_equal(command(s, &text,
				 "sh -c 'trap \"%s\" TERM; exec 3<>/dev/%s; touch %s/held; while "
				 ":; do sleep 0.1; done' >/dev/null 2>&1 & echo $!; until test -e "
				 "%s/held; do sleep 0.05; done",
				 action, device, scenario_dir(s), scenario_dir(s)),
			 0);
	assert_int_equal(sscanf(text, "%d", &pid), 1);
	enter_unit(s, pid, UNIT);
	daemon_start(s, TERMINATE);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 15);
	assert_true(daemon_log_has(s, "sent SIGTERM"));
	return pid;
}

/* One that takes no notice of SIGTERM. */
SCENARIO(unit_is_killed)
{
	struct host *before = host_save(s);

	(void)terminate_shell(s, "");
	assert_true(daemon_log_has(s, "sent SIGKILL"));
	release_collect(s, TAG_A, before);
	leave_unit(s, UNIT);
}

/* One that lets go when it is told to, and lives on: it must not be killed. */
SCENARIO(unit_lets_go)
{
	struct host *before = host_save(s);
	pid_t pid = terminate_shell(s, "exec 3>&-");

	assert_false(daemon_log_has(s, "sent SIGKILL"));
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	release_collect(s, TAG_A, before);
	leave_unit(s, UNIT);
}

/* A process of another unit is waited for, and nothing is done to it. */
SCENARIO(other_unit_is_left_alone)
{
	const char *device = claim(s);
	pid_t pid = holder_start(s, device, true);
	struct host *before;

	daemon_start(s, TERMINATE "holders-wait = 1s\n");
	before = host_save(s);
	ask_and_wait(s, TAG_A, "draining", "holder");
	assert_refused(s, TAG_A, "holders-wait", before);
	assert_false(daemon_log_has(s, "sent SIG"));
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	holder_stop(s, pid);
}

/* Nobody is ended for a release that something else holds. */
SCENARIO(nobody_ends_for_nothing)
{
	struct host *before = host_save(s);
	const char *device = claim(s);
	pid_t pid = holder_start(s, device, true);

	enter_unit(s, pid, UNIT);
	daemon_start(s, TERMINATE "[rule ask]\nmatch-mode = devdax\naction = ask\n");
	ask_and_wait(s, TAG_A, "held", "asks for approval");
	assert_quiet(s);
	assert_false(daemon_log_has(s, "sent SIG"));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(command(s, NULL, "dcdctl approve %s", TAG_A), 0);
	release_wait_state(s, TAG_A, "ready", 15);
	assert_true(daemon_log_has(s, "sent SIGTERM"));
	holder_stop(s, pid);
	release_collect(s, TAG_A, before);
	leave_unit(s, UNIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(last_of_two_ends, &waits),
		scenario_test_with(holder_outlives_the_wait, &waits_briefly),
		scenario_test_with(holder_is_refused_at_once, &refuses),
		scenario_test_with(holder_lets_go, &looks),
		scenario_test_with(mount_is_a_holder, &looks),
		scenario_test_with(mount_in_another_namespace, &looks),
		scenario_test_with(unit_is_terminated, &installed),
		scenario_test_with(unit_is_killed, &installed),
		scenario_test_with(unit_lets_go, &installed),
		scenario_test_with(other_unit_is_left_alone, &installed),
		scenario_test_with(nobody_ends_for_nothing, &installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
