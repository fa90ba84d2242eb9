/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event comes late, goes, returns as another one; the instance is left over; tracefs is not
 * there: what the intake makes of it. Needs root and tracefs, else skipped.
 */
#include "intake_fixture.h"

static void test_event_comes_later(void **state)
{
	struct context *c = *state;

	need_tracefs();
	start(c, 64);
	assert_false(intake_is_available(c->intake));
	fire(1); /* to nobody */
	intake_refresh(c->intake);
	assert_int_equal(c->n_on + c->n_off, 0);

	define_or_fail("uuid", false);
	intake_refresh(c->intake);
	assert_int_equal(c->n_on, 1);
	fire(2);
	expect_records(c, 1);
	assert_int_equal(c->seen[0].serial, 2);
}

/* No uevent, or a missed one: the intake looks again by itself, from the start and after a loss. */
static void test_event_found_without_being_told(void **state)
{
	struct context *c = *state;

	need_tracefs();
	start(c, 64);
	define_or_fail("tag", false);
	(void)run_until(c, &c->n_on, 1, 2 * TIMEOUT_USEC);
	assert_int_equal(c->n_on, 1);
	fire(1);
	expect_records(c, 1);

	undefine_event();
	intake_refresh(c->intake);
	assert_int_equal(c->n_off, 1);
	define_or_fail("uuid", false);
	(void)run_until(c, &c->n_on, 2, 2 * TIMEOUT_USEC);
	assert_int_equal(c->n_on, 2);
	fire(2);
	expect_records(c, 2);
	assert_serials(c, 1);
}

/* Gone, and back with another layout. */
static void test_event_goes_and_returns(void **state)
{
	struct context *c = *state;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 64);
	fire(1);
	expect_records(c, 1);
	undefine_event();
	intake_refresh(c->intake);
	assert_false(intake_is_available(c->intake));
	assert_int_equal(c->n_off, 1);

	define_or_fail("tag", true);
	intake_refresh(c->intake);
	assert_int_equal(c->n_on, 1);
	fire(2);
	expect_records(c, 2);
	assert_serials(c, 1);
	assert_int_equal(c->n_bad, 0);
}

static void enable_by_hand(void)
{
	assert_int_equal(write_file("1", TRACING "/instances/%s/events/%s/" EVENT "/enable",
				    test_instance, test_system),
			 0);
}

/* Another event behind our back, once with a new id and once with the same: seen by the records. */
static void test_swapped_event_reloads(void **state)
{
	struct context *c = *state;

	need_tracefs();
	for (int same_id = 0; same_id < 2; same_id++) {
		define_or_fail("uuid", false);
		start(c, 64);
		undefine_event();
		if (!same_id)
			occupy_id();
		define_or_fail("uuid", true);
		enable_by_hand();
		fire(1);
		fire(2);
		c->n_seen = 0;
		expect_records(c, 2);
		assert_serials(c, 1);
		assert_int_equal(c->n_bad, 0);
		assert_true(intake_is_available(c->intake));

		intake_free(c->intake);
		c->intake = NULL;
		undefine_event();
		free_id();
	}
}

static void test_reenabled_by_refresh(void **state)
{
	struct context *c = *state;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 64);
	c->refresh_in_callback = true;
	assert_int_equal(write_file("0", TRACING "/instances/%s/events/%s/" EVENT "/enable",
				    test_instance, test_system),
			 0);
	fire(1);
	intake_refresh(c->intake);
	fire(2);
	expect_records(c, 1);
	assert_int_equal(c->seen[0].serial, 2);
}

/* Left over from a daemon that died: adopted, with what it holds. */
static void test_adopts_instance(void **state)
{
	struct context *c = *state;
	int status;
	pid_t pid;

	need_tracefs();
	define_or_fail("uuid", false);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *error = NULL;

		if (intake_new(c->base, test_instance, test_system, EVENT, 64, &ops, c, &c->intake,
			       &error) < 0)
			_exit(1);
		fire(1);
		fire(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(instance_exists());

	fire(3); /* still enabled there */
	start(c, 64);
	fire(4);
	expect_records(c, 4);
	assert_serials(c, 1);
}

static void test_unknown_layout(void **state)
{
	_cleanup_free_ char *error = NULL;
	struct context *c = *state;

	need_tracefs();
	define_or_fail("label", false);
	assert_int_equal(intake_new(c->base, test_instance, test_system, EVENT, 64, &ops, c,
				    &c->intake, &error),
			 -EINVAL);
	assert_non_null(error);
	assert_non_null(strstr(error, EVENT));
	assert_non_null(strstr(error, "uuid"));
	assert_false(instance_exists());
}

/* The same, but only once the daemon runs: told, once, and not subscribed. */
static void test_unknown_layout_later(void **state)
{
	struct context *c = *state;

	need_tracefs();
	start(c, 64);
	define_or_fail("label", false);
	intake_refresh(c->intake);
	intake_refresh(c->intake);
	assert_false(intake_is_available(c->intake));
	assert_int_equal(c->n_bad, 1);
	assert_non_null(strstr(c->bad, "uuid"));

	undefine_event();
	define_or_fail("uuid", false);
	intake_refresh(c->intake);
	assert_true(intake_is_available(c->intake));
	fire(1);
	expect_records(c, 1);
}

/* What intake_new() says where a child process was put; 0 if it is what was asked for. */
static int check_error(struct context *c, int expected, const char *words)
{
	_cleanup_free_ char *error = NULL;
	int r = intake_new(c->base, test_instance, test_system, EVENT, 64, &ops, c, &c->intake,
			   &error);

	if (r == expected && error && strstr(error, words))
		return 0;
	print_error("intake_new: %d, %s; expected %d\n", r, error ? error : "no text", expected);
	return 1;
}

static void test_without_tracefs(void **state)
{
	struct context *c = *state;
	int status;
	pid_t pid;

	need_tracefs();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(2);
		while (umount2(TRACING, MNT_DETACH) == 0)
			;
		while (umount2("/sys/kernel/debug", MNT_DETACH) == 0)
			;
		_exit(check_error(c, -ENOENT, "mount -t tracefs nodev /sys/kernel/tracing"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_without_permission(void **state)
{
	struct context *c = *state;
	int status;
	pid_t pid;

	need_tracefs();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		_exit(check_error(c, -EACCES, "run as root"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(instance_exists());
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_event_comes_later),	   TEST(test_event_found_without_being_told),
		TEST(test_event_goes_and_returns), TEST(test_swapped_event_reloads),
		TEST(test_reenabled_by_refresh),   TEST(test_adopts_instance),
		TEST(test_unknown_layout),	   TEST(test_unknown_layout_later),
		TEST(test_without_tracefs),	   TEST(test_without_permission),
	};

	prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
