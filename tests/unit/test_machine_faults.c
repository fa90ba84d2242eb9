/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same when something does: refusals, each step failing in each way, time limits, stopping, and
 * random interference, after which the host is free or as before and nothing was ever handed back
 * while online.
 */
#include "machine_run.h"

static void test_atomic_rolls_back(void **state)
{
	struct run run = { .fail_at = 2, .fail_error = -EIO };

	(void)state;
	fake_add_group(&run.host, 1, 2, 8, "dax0.1")->state_attr = true;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));
	end(&run);
}

static void test_kernel_zone_touches_nothing(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 4, "dax0.1");
	run.host.blocks[2].zone = ZONE_KERNEL;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "memory"));
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

static void test_back_off_doubles_and_ends(void **state)
{
	struct run run = { 0 };
	usec_t last = 0;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	run.host.blocks[1].pinned = true;
	begin(&run, 1);
	for (unsigned i = 0; i < run.policy.defaults.retries; i++) {
		usec_t wait = run.r->deadline - run.now;

		assert_int_equal(run.r->state, RELEASE_DEFERRED);
		assert_true(host_as_before(&run));
		assert_true(wait > last);
		last = wait;
		pass_deadline(&run);
	}
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(host_as_before(&run));
	assert_non_null(strstr(run.r->reason, "Device or resource busy"));
	end(&run);
}

static void test_deferred_succeeds_later(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	run.host.blocks[1].pinned = true;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	run.host.blocks[1].pinned = false;
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/*
 * The unbind fails, the blocks come back online, and then somebody destroys the device by force and
 * leaves them behind: the group is claimed by nobody and must not be called free.
 */
static void test_left_behind_is_not_free(void **state)
{
	struct run run = { .fail_at = 4, .fail_error = -EIO };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));
	run.host.devices[0].exists = false;
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "still in use"));
	assert_false(run.ready);
	end(&run);
}

/*
 * The claim was given up although the write failed: free is free, nothing is claimed back, and the
 * empty device goes.
 */
static void test_failed_with_its_effect(void **state)
{
	struct run run = { .fail_at = 5, .fail_error = -EPIPE, .fail_effect = true };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 6);
	assert_true(group_is_free(&run));
	assert_false(run.host.devices[0].exists);
	end(&run);
}

/* What cannot be deleted is tried once more, and then named. */
static void test_delete_fails(void **state)
{
	struct run run = { .fail_at = 6, .fail_error = -EBUSY };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 7);
	assert_false(run.host.devices[0].exists);
	assert_null(strstr(run.r->reason, "dax0.1"));
	end(&run);

	run = (struct run){ .fail_at = 6, .fail_for_ever = true, .fail_error = -EBUSY };
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 7);
	assert_true(group_is_free(&run));
	assert_non_null(strstr(run.r->reason, "dax0.1 is left, empty: Device or resource busy"));
	end(&run);
}

static void test_stop_rolls_back(void **state)
{
	struct run run = { 0 };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct machine_input in;
	struct worker_reply saved = { 0 }, reply = { .error = -EINTR };
	unsigned actions;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 4, "dax0.1");
	policy_init(&run.policy);
	run.now = USEC_PER_HOUR;
	run.before = run.host;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	(void)machine_begin(run.r, &in);
	actions = machine_scanned(run.r, &in);
	assert_int_equal(actions, MACHINE_TURN);
	actions = machine_turn(run.r, &in);
	assert_int_equal(actions, MACHINE_STEP);
	assert_int_equal(machine_step_done(run.r, &in, &saved), MACHINE_STEP);
	assert_int_equal(machine_step(run.r)->kind, STEP_OFFLINE_BLOCK);
	run.host.blocks[0].online = false;
	run.host.blocks[0].zone = ZONE_NONE;
	actions = machine_stop(run.r, &in);
	assert_int_equal(actions, MACHINE_CANCEL);
	pump(&run, machine_step_done(run.r, &in, &reply));
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(host_as_before(&run));
	end(&run);
}

static void test_step_deadline_cancels_then_abandons(void **state)
{
	struct run run = { 0 };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct machine_input in;
	struct worker_reply reply = { .error = 0, .after = "offline" };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 2, "dax0.1");
	policy_init(&run.policy);
	run.now = USEC_PER_HOUR;
	run.before = run.host;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	(void)machine_begin(run.r, &in);
	(void)machine_scanned(run.r, &in);
	assert_int_equal(machine_turn(run.r, &in), MACHINE_STEP);
	assert_int_equal(run.r->deadline - run.now, run.policy.defaults.block_timeout);
	run.now = in.now = run.r->deadline;
	assert_int_equal(machine_deadline(run.r, &in), MACHINE_CANCEL);
	run.now = in.now = run.r->deadline;
	assert_int_equal(machine_deadline(run.r, &in), MACHINE_ABANDON);
	assert_int_equal(run.r->deadline, USEC_INFINITY);
	/* Much later the kernel comes back, and had even done it: still everything is put back. */
	run.host.blocks[0].online = false;
	run.host.blocks[0].zone = ZONE_NONE;
	pump(&run, machine_step_done(run.r, &in, &reply));
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));
	end(&run);
}

/* Every write of the main job, failing with and without its effect, with every errno. */
static void test_every_step_failing(void **state)
{
	static const int errors[] = { -EBUSY,  -EINTR,	-EAGAIN, -EIO,	  -ENOMEM,
				      -EINVAL, -ENOENT, -EACCES, -ENODEV, -EPIPE };
	const unsigned writes = 6 + 3;

	(void)state;
	for (unsigned at = 1; at <= writes; at++) {
		for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
			for (unsigned variant = 0; variant < 8; variant++) {
				struct run run = { .fail_at = at, .fail_error = errors[e] };
				struct fake_device *dev;

				run.fail_effect = variant & 1;
				dev = fake_add_group(&run.host, 1, 3, 2, "dax0.1");
				dev->remembered = variant & 2;
				run.host.auto_online_kernel = variant & 4;
				begin(&run, 1);
				if (run.r->state == RELEASE_READY)
					assert_true(group_is_free(&run));
				else if (run.r->state == RELEASE_DEFERRED)
					assert_true(host_as_before(&run));
				else
					fail_msg("write %u, %s, variant %u: %s: %s", at,
						 strerror(-errors[e]), variant,
						 release_state_to_string(run.r->state),
						 run.r->reason);
				/* The last write is the deletion, which may fail. */
				if (at < writes && !run.fail_effect)
					assert_int_equal(run.r->state, RELEASE_DEFERRED);
				end(&run);
			}
		}
	}
}

/* Random errors and other hands. Whatever the end, it must be true. */
static void test_random_interference(void **state)
{
	unsigned ends[_RELEASE_STATE_MAX] = { 0 };

	(void)state;
	for (unsigned seed = 1; seed <= 20000; seed++) {
		struct run run = { .seed = seed };

		(void)fake_add_group(&run.host, 1, 1 + draw(&run, 3), 1 + draw(&run, 5), "dax0.1");
		run.host.devices[0].state_attr = draw(&run, 4) == 0;
		run.host.devices[0].remembered = draw(&run, 2);
		run.interfere_permille = draw(&run, 2) * 100;
		run.retry_permille = draw(&run, 2) * 50;
		run.fail_at = draw(&run, 12);
		run.fail_error = -EIO;
		run.fail_effect = draw(&run, 2);
		begin(&run, 1);
		for (unsigned i = 0; i < 10 && !release_state_is_final(run.r->state) &&
				     run.r->deadline != USEC_INFINITY;
		     i++)
			pass_deadline(&run);
		ends[run.r->state]++;
		switch (run.r->state) {
		case RELEASE_READY:
		case RELEASE_RELEASED:
			if (!group_is_free(&run))
				fail_msg("seed %u: %s, but not free", seed, run.r->reason);
			break;
		case RELEASE_VANISHED:
			/* Its claim was given back, then the device was quicker than the roll-back.
			 */
			if (run.host.extents[0].live || !group_is_free(&run))
				fail_msg("seed %u: not gone: %s", seed, run.r->reason);
			break;
		case RELEASE_FAILED:
			if (host_as_before(&run) && run.interfere_permille == 0)
				fail_msg("seed %u: failed, but whole: %s", seed, run.r->reason);
			break;
		case RELEASE_DEFERRED:
		case RELEASE_REFUSED:
			/* With other hands at work "before" is not defined block by block. */
			if (run.interfere_permille == 0 && !host_as_before(&run))
				fail_msg("seed %u: not as before: %s", seed, run.r->reason);
			break;
		default:
			fail_msg("seed %u: stopped in %s", seed,
				 release_state_to_string(run.r->state));
		}
		end(&run);
	}
	/* The mix reaches what it is meant to reach. */
	assert_true(ends[RELEASE_READY] > 100);
	assert_true(ends[RELEASE_RELEASED] > 100);
	assert_true(ends[RELEASE_REFUSED] + ends[RELEASE_DEFERRED] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_atomic_rolls_back),
		cmocka_unit_test(test_kernel_zone_touches_nothing),
		cmocka_unit_test(test_back_off_doubles_and_ends),
		cmocka_unit_test(test_deferred_succeeds_later),
		cmocka_unit_test(test_left_behind_is_not_free),
		cmocka_unit_test(test_failed_with_its_effect),
		cmocka_unit_test(test_delete_fails),
		cmocka_unit_test(test_stop_rolls_back),
		cmocka_unit_test(test_step_deadline_cancels_then_abandons),
		cmocka_unit_test(test_every_step_failing),
		cmocka_unit_test(test_random_interference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
