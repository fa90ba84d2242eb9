/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting and stopping: what is missing is said in one line with an exit status of its own, and
 * whenever the daemon ends, the host is whole.
 */
#include <dcdd/base.h>

#include <signal.h>

#include <dcdd/names.h>

#include "harness.h"

static const struct scenario_options no_daemon = { .no_daemon = true };
static const struct scenario_options no_bus = { .no_bus = true };
static const struct scenario_options no_cxl = {
	.topology = "{'boot_memory':'3G','memdevs':[]}",
	.no_daemon = true,
};

/* One line that says it, the status, and nothing changed. @command is run by the shell. */
static void assert_start_fails(struct scenario *s, int status, const char *message,
			       const char *command_line)
{
	struct host *before = host_save(s);
	_cleanup_free_ char *output = NULL;
	int r;

	r = command(s, &output, "%s", command_line);
	if (r != status)
		scenario_fail(s, "exit status %d, not %d:\n%s", r, status, output);
	if (!output || !strstr(output, message))
		scenario_fail(s, "\"%s\" is not in:\n%s", message, output ? output : "");
	host_assert_same(s, before);
}

/* In the third of four blocks, which the kernel does not let go by itself: whole when it ends. */
static void stop_in_the_middle(struct scenario *s, int signal)
{
	struct host *before;
	unsigned fault;
	uint64_t since;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	fault = sim_fault(s, "*/memory*/state", "'value':'offline','nth':3,'action':'hang'");
	before = host_save(s);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(daemon_kill(s, signal), 0);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", true), 2);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "online_movable", true), 2);
	host_assert_same(s, before);
}

SCENARIO(sigterm_in_the_middle)
{
	stop_in_the_middle(s, SIGTERM);
}

SCENARIO(sigint_in_the_middle)
{
	stop_in_the_middle(s, SIGINT);
}

/* All memory is offline and it is being detached: finished, not torn apart. */
SCENARIO(sigterm_while_detaching)
{
	struct host *before = host_save(s);
	unsigned fault;
	uint64_t since;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	fault = sim_fault(s, "*/kmem/unbind", "'action':'hang'");
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(kill(daemon_pid(s), SIGTERM), 0);
	daemon_wait_log(s, "Stopping");
	assert_true(daemon_alive(s));
	sim_release_hang(s, fault);
	assert_int_equal(daemon_wait(s), 0);
	assert_int_equal(sim_writes(s, since, "*/kmem/unbind", NULL, true), 1);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "online*", false), 0);
	sim_retry(s);
	host_assert_same(s, before);
}

SCENARIO(clean_stop_leaves_no_instance)
{
	struct host *before = host_save(s);

	assert_int_equal(command(s, NULL, "test -d /sys/kernel/tracing/instances/dcdd"), 0);
	daemon_stop(s);
	assert_int_equal(command(s, NULL, "test -d /sys/kernel/tracing/instances/dcdd"), 1);
	host_assert_same(s, before);
}

/* A killed daemon leaves its trace instance; the next one reads what came meanwhile. */
SCENARIO(killed_and_started_again)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(daemon_kill(s, SIGKILL), 128 + SIGKILL);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	daemon_start(s, NULL);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

/* A free group stays free over a restart; the device's retry completes it. */
SCENARIO(restarted_while_ready)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	daemon_stop(s);
	daemon_start(s, NULL);
	sim_retry(s);
	host_assert_same(s, before);
}

SCENARIO(second_daemon)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "dcdd --no-bus --runtime-dir %s/run", scenario_dir(s));
	assert_start_fails(s, DCDD_EXIT_RUNNING, "Another dcdd", line);
	assert_true(daemon_alive(s));
}

/* They would share the trace instance, so a runtime directory of its own is not enough. */
SCENARIO(second_daemon_elsewhere)
{
	struct host *before = host_save(s);
	char line[512];

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)snprintf(line, sizeof(line), "dcdd --no-bus --runtime-dir %s/other", scenario_dir(s));
	assert_start_fails(s, DCDD_EXIT_RUNNING, "Another dcdd", line);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

SCENARIO(no_tracefs)
{
	char line[512];

	(void)snprintf(line, sizeof(line),
		       "unshare -m sh -c 'umount /sys/kernel/tracing && exec dcdd --no-bus "
		       "--runtime-dir %s/other'",
		       scenario_dir(s));
	assert_start_fails(s, DCDD_EXIT_NO_TRACEFS, "mount -t tracefs", line);
}

SCENARIO(no_permission)
{
	/* A program below a directory that only root may enter cannot be run by others. */
	assert_start_fails(s, DCDD_EXIT_PERMISSION, "root",
			   "f=$(mktemp) && cp $(command -v dcdd) $f && chmod 755 $f && "
			   "setpriv --reuid=65534 --regid=65534 --clear-groups $f --no-bus "
			   "--runtime-dir /run/dcdd-no-permission; r=$?; rm -f $f; exit $r");
}

SCENARIO(unknown_key)
{
	char line[512];
	const char *file = scenario_file(s, "bad.conf", "[release]\nretrys = 3\n");

	(void)snprintf(line, sizeof(line), "dcdd --no-bus --runtime-dir %s/other --config %s",
		       scenario_dir(s), file);
	assert_start_fails(s, DCDD_EXIT_CONFIG, "bad.conf:2:", line);
	(void)snprintf(line, sizeof(line), "dcdd --check-config --config %s", file);
	assert_start_fails(s, 1, "retries", line);
}

SCENARIO(missing_configuration_file)
{
	char line[512];

	(void)snprintf(line, sizeof(line),
		       "dcdd --no-bus --runtime-dir %s/other --config /nonexistent.conf",
		       scenario_dir(s));
	assert_start_fails(s, DCDD_EXIT_CONFIG, "/nonexistent.conf", line);
}

SCENARIO(bad_usage)
{
	assert_start_fails(s, DCDD_EXIT_USAGE, "unrecognized option", "dcdd --nonsense");
	assert_start_fails(s, DCDD_EXIT_USAGE, "unexpected argument", "dcdd start");
	assert_start_fails(s, 0, "--check-config", "dcdd --help");
	assert_start_fails(s, 0, "dcdd ", "dcdd --version");
}

SCENARIO(no_system_bus)
{
	char line[512];

	(void)snprintf(line, sizeof(line),
		       "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent dcdd --runtime-dir %s/other",
		       scenario_dir(s));
	assert_start_fails(s, DCDD_EXIT_BUS, "--no-bus", line);
}

SCENARIO(without_bus)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	daemon_wait_log(s, "must ask again");
	sim_retry(s);
	daemon_wait_log(s, "the kernel released");
	host_assert_same(s, before);
}

/* Nothing there: said, waited for, no reason to give up. */
SCENARIO(no_cxl_at_all)
{
	struct host *before = host_save(s);

	daemon_start(s, NULL);
	assert_true(daemon_log_has(s, "No CXL memory device found"));
	daemon_stop(s);
	host_assert_same(s, before);
}

SCENARIO(reload)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
	daemon_start(s, "");
	/* The harness numbers the files it makes for daemons. */
	assert_int_equal(
		command(s, NULL,
			"for f in %s/dcdd.*.conf; do printf '[release]\\nnonsense\\n' > $f; done",
			scenario_dir(s)),
		0);
	assert_int_equal(kill(daemon_pid(s), SIGHUP), 0);
	daemon_wait_log(s, "Keeping the old configuration");
	assert_int_equal(command(s, NULL,
				 "for f in %s/dcdd.*.conf; do printf '[release]\\ndevdax = free\\n"
				 "ignore-unseen-processes = yes\\n' > $f; done",
				 scenario_dir(s)),
			 0);
	assert_int_equal(kill(daemon_pid(s), SIGHUP), 0);
	daemon_wait_log(s, "is in force");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test(sigterm_in_the_middle),
		scenario_test(sigint_in_the_middle),
		scenario_test(sigterm_while_detaching),
		scenario_test(clean_stop_leaves_no_instance),
		scenario_test(killed_and_started_again),
		scenario_test(restarted_while_ready),
		scenario_test(second_daemon),
		scenario_test(second_daemon_elsewhere),
		scenario_test_with(no_tracefs, &no_daemon),
		scenario_test_with(no_permission, &no_daemon),
		scenario_test_with(unknown_key, &no_daemon),
		scenario_test_with(missing_configuration_file, &no_daemon),
		scenario_test_with(bad_usage, &no_daemon),
		scenario_test_with(no_system_bus, &no_daemon),
		scenario_test_with(without_bus, &no_bus),
		scenario_test_with(no_cxl_at_all, &no_cxl),
		scenario_test_with(reload, &no_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
