/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The harness itself: a test in which something is wrong must fail, whatever its body asserts. Such
 * tests are run as groups of their own in a child process, and their failures are counted.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <systemd/sd-daemon.h>

#include "scenario.h"

#define BLOCK_SIZE (128 * MiB)

static const struct scenario_options host_only = { .no_daemon = true, .no_bus = true };
static const struct scenario_options fake_daemon = { .no_bus = true };

/* ---- the fake daemon: this program, as $DCDD_WRAPPER ---- */

static void end(int signal _unused_)
{
	_exit(0);
}

/* Says it is ready, and then ends as the test wants it. */
static int fake_main(const char *how)
{
	(void)signal(SIGTERM, streq(how, "--fake=status") ? SIG_DFL : end);
	if (streq(how, "--fake=unready"))
		return 78;
	(void)sd_notify(0, "STATUS=running\nREADY=1");
	if (streq(how, "--fake=crash"))
		(void)raise(SIGKILL); /* SIGSEGV would be a sanitizer's */
	if (streq(how, "--fake=report"))
		(void)dprintf(STDERR_FILENO, "==1==ERROR: AddressSanitizer: heap-use-after-free\n");
	for (;;)
		(void)pause();
}

static void use_fake(const char *how)
{
	char self[512], wrapper[600];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	(void)snprintf(wrapper, sizeof(wrapper), "%s --fake=%s", self, how);
	assert_int_equal(setenv("DCDD_WRAPPER", wrapper, 1), 0);
}

/* The number of tests of the group that fail, in a child; what it writes goes to *@ret_output. */
static int run_inner(const struct CMUnitTest *tests, size_t n, char **ret_output)
{
	char path[] = "/tmp/dcdd-harness-XXXXXX";
	_cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);
	int status;
	pid_t pid;

	assert_true(fd >= 0);
	pid = process_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(126);
		status = _cmocka_run_group_tests("inner", tests, n, NULL, NULL);
		(void)fflush(NULL);
		_exit(status);
	}
	status = process_wait(pid, deadline_in(120));
	*ret_output = file_text(path, MiB);
	(void)unlink(path);
	assert_true(status >= 0 && status < 126);
	assert_non_null(*ret_output);
	return status;
}

/* A test that must fail, and must do so with this message. */
struct wrong {
	struct CMUnitTest test;
	const char *message;
};

#define assert_all_fail(all) assert_fail(all, ARRAY_SIZE(all))
static void assert_fail(const struct wrong *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *output = NULL;
		int failures = run_inner(&all[i].test, 1, &output);

		if (failures != 1 || !strstr(output, all[i].message))
			fail_msg("%s: %d failures, and not with \"%s\":\n%s", all[i].test.name,
				 failures, all[i].message, output);
	}
}

#define assert_all_pass(tests) assert_pass(tests, ARRAY_SIZE(tests))
static void assert_pass(const struct CMUnitTest *tests, size_t n)
{
	_cleanup_free_ char *output = NULL;
	int failures = run_inner(tests, n, &output);

	if (failures != 0)
		fail_msg("%d failures:\n%s", failures, output);
}

/* ---- tests that are right ---- */

SCENARIO(inner_right)
{
	const struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 2 * BLOCK_SIZE));
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	host_assert_gone(s, TAG_A);
	host_assert_same(s, before);
}

SCENARIO(inner_right_daemon)
{
	assert_true(daemon_alive(s));
	host_not_compared(s, "nothing is done to it");
}

static void test_right_passes(void **state _unused_)
{
	static const struct CMUnitTest tests[] = {
		scenario_test_with(inner_right, &host_only),
		scenario_test_with(inner_right_daemon, &fake_daemon),
	};

	use_fake("good");
	assert_all_pass(tests);
}

/* ---- a host that is not as it was ---- */

SCENARIO(inner_extent_more)
{
	const struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	host_assert_same(s, before);
}

SCENARIO(inner_zone_changed)
{
	const struct host *before;
	char path[64];

	SIM_RAM(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	before = host_save(s);
	(void)snprintf(path, sizeof(path), "devices/system/memory/memory%llu/state",
		       (unsigned long long)(0xa90000000 / BLOCK_SIZE));
	assert_int_equal(sim_write(s, path, "offline"), 0);
	assert_int_equal(sim_write(s, path, "online_kernel"), 0);
	host_assert_same(s, before);
}

/* A pinned page is in no file below /sys. */
SCENARIO(inner_pinned)
{
	const struct host *before;

	SIM_RAM(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	before = host_save(s);
	sim_pin(s, 0xa90000000 / BLOCK_SIZE, true);
	host_assert_same(s, before);
}

SCENARIO(inner_not_gone)
{
	SIM_RAM(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	host_assert_gone(s, TAG_A);
}

/* What an extent makes differ, and nothing else, may; an exception must be of use. */
SCENARIO(inner_exception)
{
	const struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	host_assert_same_except(s, before, "*extent*", "*available*", "sim.memdevs*");
}

SCENARIO(inner_useless_exception)
{
	const struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	host_assert_same_except(s, before, "*", "*/memory2/*");
}

SCENARIO(inner_exception_too_narrow)
{
	const struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	host_assert_same_except(s, before, "sim.*");
}

SCENARIO(inner_compares_nothing)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
}

static void test_changed_host_fails(void **state _unused_)
{
	static const struct wrong all[] = {
		{ scenario_test_with(inner_extent_more, &host_only), "+ sim.regions" },
		{ scenario_test_with(inner_zone_changed, &host_only), "valid_zones = Movable" },
		{ scenario_test_with(inner_pinned, &host_only), "pinned = true" },
		{ scenario_test_with(inner_not_gone, &host_only), TAG_A " is not gone" },
		{ scenario_test_with(inner_useless_exception, &host_only), "is no exception" },
		{ scenario_test_with(inner_exception_too_narrow, &host_only), "+ /sys/" },
		{ scenario_test_with(inner_compares_nothing, &host_only), "never compared" },
	};
	static const struct CMUnitTest right[] = {
		scenario_test_with(inner_exception, &host_only),
	};

	assert_all_fail(all);
	assert_all_pass(right);
}

/* ---- memory handed back while online ---- */

/* What a forced destroy does: unbind and size 0 under online blocks; then the device asks. */
static void hand_back_online_memory(struct scenario *s)
{
	const char *device = SIM_RAM(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	char path[128];

	assert_int_equal(sim_write(s, "bus/dax/drivers/kmem/unbind", device), 0);
	(void)snprintf(path, sizeof(path), "bus/dax/devices/%s/size", device);
	assert_int_equal(sim_write(s, path, "0"), 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
}

SCENARIO(inner_violation)
{
	hand_back_online_memory(s);
}

SCENARIO(inner_violation_asserted)
{
	hand_back_online_memory(s);
	host_assert_no_violation(s);
}

SCENARIO(inner_violation_acknowledged)
{
	hand_back_online_memory(s);
	assert_true(host_violations(s) > 0);
	host_acknowledge_violations(s);
	host_assert_no_violation(s);
	host_not_compared(s, "its memory is with the device and in use");
}

static void acknowledge(struct scenario *s)
{
	host_acknowledge_violations(s);
	host_not_compared(s, "each of the scenarios began with a fresh one");
}

static void test_violation_fails(void **state)
{
	static const struct wrong wrong[] = {
		{ scenario_test_with(inner_violation, &host_only), "after the test: 1 violations" },
		{ scenario_test_with(inner_violation_asserted, &host_only), "1 violations" },
	};
	static const struct CMUnitTest right[] = {
		scenario_test_with(inner_violation_acknowledged, &host_only),
	};

	assert_all_fail(wrong);
	assert_all_pass(right);
	/* They were meant; the simulator's exit status shall not tell of them. */
	scenario_run(state, acknowledge);
}

/* ---- a daemon that ends badly, or does not do what is waited for ---- */

SCENARIO(inner_idle)
{
	(void)s;
}

SCENARIO(inner_stops_daemon)
{
	daemon_stop(s);
}

SCENARIO(inner_killed)
{
	assert_int_equal(daemon_kill(s, SIGKILL), 128 + SIGKILL);
	release_wait_state(s, TAG_A, "ready", 1);
}

SCENARIO(inner_waits_for_release)
{
	release_wait_state(s, TAG_A, "ready", 1);
}

static void test_bad_daemon_fails(void **state _unused_)
{
	static const struct {
		const char *how;
		struct wrong wrong[3]; /* up to the first without a message */
	} all[] = {
		{ "crash",
		  { { scenario_test_with(inner_idle, &fake_daemon), "ended with status 137" },
		    { scenario_test_with(inner_stops_daemon, &fake_daemon), "daemon" },
		    { scenario_test_with(inner_waits_for_release, &fake_daemon), "daemon" } } },
		{ "unready",
		  { { scenario_test_with(inner_idle, &fake_daemon), "status 78 before it was" },
		    { scenario_test_with(inner_stops_daemon, &fake_daemon), "status 78 before" },
		    { scenario_test_with(inner_waits_for_release, &fake_daemon), "status 78" } } },
		{ "status",
		  { { scenario_test_with(inner_idle, &fake_daemon), "ended with status 143" },
		    { scenario_test_with(inner_stops_daemon, &fake_daemon), "with status 143" },
		    { scenario_test_with(inner_killed, &fake_daemon), "not running" } } },
		{ "report",
		  { { scenario_test_with(inner_idle, &fake_daemon), "ERROR: AddressSanitizer" },
		    { scenario_test_with(inner_stops_daemon, &fake_daemon),
		      "AddressSanitizer" } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		use_fake(all[i].how);
		for (size_t k = 0; k < ARRAY_SIZE(all[i].wrong) && all[i].wrong[k].message; k++)
			assert_fail(&all[i].wrong[k], 1);
	}
}

/* ---- the tools that tests look with ---- */

SCENARIO(test_log_tells_hands_apart)
{
	uint64_t since = sim_log_next(s);
	char path[128];

	SIM_RAM(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	(void)snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%llu/state",
		       (unsigned long long)(0xa90000000 / BLOCK_SIZE));
	sysfs_assert(s, path, "online");
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	assert_int_equal(command(s, NULL, "echo offline >%s", path), 0);
	assert_int_equal(sim_writes(s, since, "*/state", "offline", true), 1);
	sysfs_assert(s, path, "offline");
	host_not_compared(s, "it is about the log");
}

SCENARIO(test_fault_is_counted)
{
	const char *path = "/sys/devices/system/memory/auto_online_blocks";
	_cleanup_free_ char *output = NULL;
	unsigned fault = sim_fault_errno(s, "*/auto_online_blocks", "online", "EIO", 2, 1);

	assert_int_equal(command(s, NULL, "/bin/echo online >%s", path), 0);
	assert_int_equal(sim_fault_hits(s, fault), 0);
	assert_int_not_equal(command(s, &output, "LC_ALL=C /bin/echo online >%s", path), 0);
	assert_non_null(strstr(output, "Input/output error"));
	sim_fault_wait(s, fault, 1);
	assert_int_equal(command(s, NULL, "/bin/echo online >%s", path), 0);
	host_not_compared(s, "it is about the count");
}

SCENARIO(test_holder_holds)
{
	const char *device;
	_cleanup_free_ char *output = NULL;
	pid_t pid;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, BLOCK_SIZE));
	device = sim_claim(s, "mem0", TAG_A, "device_dax", NULL);
	pid = holder_start(s, device, true);
	assert_int_equal(command(s, &output, "grep %s /proc/%d/maps && cat /proc/%d/comm", device,
				 (int)pid, (int)pid),
			 0);
	assert_non_null(strstr(output, "holder"));
	holder_stop(s, pid);
	assert_int_not_equal(command(s, NULL, "test -e /proc/%d", (int)pid), 0);
	host_not_compared(s, "it is about the process");
}

static int forget_fake(void **state _unused_)
{
	return unsetenv("DCDD_WRAPPER");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_right_passes, forget_fake),
		cmocka_unit_test(test_changed_host_fails),
		scenario_test_with(test_violation_fails, &host_only),
		cmocka_unit_test_teardown(test_bad_daemon_fails, forget_fake),
		scenario_test_with(test_log_tells_hands_apart, &host_only),
		scenario_test_with(test_fault_is_counted, &host_only),
		scenario_test_with(test_holder_holds, &host_only),
	};

	if (argc > 1 && startswith(argv[1], "--fake="))
		return fake_main(argv[1]);
	return cmocka_run_group_tests_name("harness", tests, NULL, NULL);
}
