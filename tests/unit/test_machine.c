/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine of a release when nothing fails: the ways of freeing a group, and what becomes
 * of a free one.
 */
#include "machine_run.h"

static void test_main_job(void **state)
{
	struct run run = { 0 };
	struct machine_input in;
	struct tag tag = fake_tag(1);

	(void)state;
	(void)fake_add_group(&run.host, 1, 3, 4, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_true(run.ready);
	assert_true(run.r->retry_wanted);
	assert_true(group_is_free(&run));
	assert_false(run.host.devices[0].exists);
	assert_int_equal(run.r->plan.blocks_offline, 12);
	assert_int_equal(run.host.writes, 12 + 3);

	assert_true(fake_release(&run.host, &tag));
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_RELEASED);
	assert_true(run.finished);
	assert_false(run.r->retry_wanted);
	end(&run);
}

static void test_initial_device_is_not_deleted(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 2, "dax0.0");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_true(run.host.devices[0].exists);
	assert_int_equal(run.host.writes, 2 + 2);
	end(&run);
}

static void test_atomic(void **state)
{
	struct run run = { 0 };

	(void)state;
	fake_add_group(&run.host, 1, 2, 8, "dax0.1")->state_attr = true;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 1 + 3);
	assert_int_equal(run.r->plan.blocks_offline, 16);
	end(&run);
}

/* The attribute is not trusted when single blocks were changed behind its back. */
static void test_atomic_not_when_stale(void **state)
{
	struct run run = { 0 };

	(void)state;
	fake_add_group(&run.host, 1, 1, 4, "dax0.1")->state_attr = true;
	run.host.blocks[1].online = false;
	run.host.blocks[1].zone = ZONE_NONE;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 3 + 3);
	end(&run);
}

static void test_unclaimed_is_left_to_the_kernel(void **state)
{
	struct run run = { 0 };
	struct tag tag = fake_tag(1);

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	run.host.devices[0].claimed = false;
	run.host.devices[0].driver[0] = '\0';
	run.host.blocks[0].present = false;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_REQUESTED);
	assert_true(fake_release(&run.host, &tag));
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_RELEASED);
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

static void test_unclaimed_and_never_released(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	run.host.devices[0].claimed = false;
	run.host.devices[0].driver[0] = '\0';
	run.host.blocks[0].present = false;
	begin(&run, 1);
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_non_null(strstr(run.r->reason, "did not act"));
	end(&run);
}

/* The kernel acts later than the settle time, and there is no event that says so. */
static void test_released_late(void **state)
{
	struct run run = { 0 };
	struct tag tag = fake_tag(1);
	unsigned looks = 0;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_true(fake_release(&run.host, &tag));
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_RELEASED);
	end(&run);

	/* It never does: looking ends, too. */
	run = (struct run){ 0 };
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	begin(&run, 1);
	for (; run.r->deadline != USEC_INFINITY; looks++)
		pass_deadline(&run);
	assert_int_equal(looks, MACHINE_READY_CHECKS);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* The defaults keep devdax, held or not; test_machine_hold.c has what waits. */
static void test_devdax_is_kept(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	(void)str_copy(run.host.devices[0].driver, DEV_NAME_MAX, "device_dax");
	run.host.blocks[0].present = false;
	run.host.devices[0].holder = 4711;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

/* Others' scans do not use up the looks at the outcome. */
static void test_looks_are_its_own(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	begin(&run, 1);
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	pass_deadline(&run);
	for (unsigned i = 0; i < 100; i++) {
		scan(&run);
		in = input(&run);
		assert_int_equal(machine_scanned(run.r, &in), 0);
	}
	assert_true(run.r->deadline != USEC_INFINITY);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* A retry of yesterday is no reason to take away what somebody uses today. */
static void test_old_retry_is_over(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.0");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	pass_deadline(&run);
	run.now += 24 * USEC_PER_HOUR;
	run.host.devices[0].claimed = true;
	(void)str_copy(run.host.devices[0].driver, DEV_NAME_MAX, "kmem");
	run.host.blocks[0] =
		(struct fake_block){ .present = true, .online = true, .zone = ZONE_MOVABLE };
	scan(&run);
	in = input(&run);
	pump(&run, machine_scanned(run.r, &in));
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(run.host.blocks[0].online);
	end(&run);
}

/* One write that takes all blocks of a device has the time of all of them. */
static void test_atomic_has_the_time_of_its_blocks(void **state)
{
	struct run run = { 0 };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct worker_reply saved = { 0 };
	struct machine_input in;

	(void)state;
	fake_add_group(&run.host, 1, 2, 5, "dax0.1")->state_attr = true;
	policy_init(&run.policy);
	run.now = USEC_PER_HOUR;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	(void)machine_begin(run.r, &in);
	(void)machine_scanned(run.r, &in);
	assert_int_equal(machine_turn(run.r, &in), MACHINE_STEP);
	assert_int_equal(machine_step(run.r)->kind, STEP_SAVE);
	assert_int_equal(machine_step_done(run.r, &in, &saved), MACHINE_STEP);
	assert_int_equal(machine_step(run.r)->kind, STEP_UNPLUG);
	assert_int_equal(run.r->deadline - run.now, 10 * run.policy.defaults.block_timeout);
	end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main_job),
		cmocka_unit_test(test_initial_device_is_not_deleted),
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_atomic_not_when_stale),
		cmocka_unit_test(test_unclaimed_is_left_to_the_kernel),
		cmocka_unit_test(test_unclaimed_and_never_released),
		cmocka_unit_test(test_released_late),
		cmocka_unit_test(test_devdax_is_kept),
		cmocka_unit_test(test_looks_are_its_own),
		cmocka_unit_test(test_old_retry_is_over),
		cmocka_unit_test(test_atomic_has_the_time_of_its_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
