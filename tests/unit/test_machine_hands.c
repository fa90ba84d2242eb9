/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the next daemon finds is not what the last one left: devices destroyed, names taken, memory
 * online under nobody's claim, drivers that cannot be bound.
 */
#include "recover_run.h"

/*
 * While no daemon ran, somebody destroyed the device by force and left memory online: the kernel
 * would hand it back. So it is claimed again, though it cannot be bound.
 */
static void test_left_online_is_claimed_again(void **state)
{
	struct run run = { 0 };
	struct difference_text text;
	struct tag tag = fake_tag(1);

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	run.host.devices[0].exists = false;
	restart(&run);
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_FAILED);
	assert_false(fake_release(&run.host, &tag));
	assert_int_equal(run.host.n_devices, 2);
	assert_true(run.host.devices[1].claimed);
	assert_non_null(plan_first_difference(&run.r->plan));
	plan_difference_text(&run.r->plan, plan_first_difference(&run.r->plan), &text);
	assert_string_equal(text.object, "dax0.101");
	assert_string_equal(text.want, "bound to kmem");
	end(&run);
}

/* Its name being taken for something else does not hide that. */
static void test_left_online_and_its_name_taken(void **state)
{
	struct run run = { 0 };
	struct tag tag = fake_tag(1);

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	run.host.devices[0].exists = false;
	(void)fake_add_group(&run.host, 9, 1, 1, "dax0.1");
	restart(&run);
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_FAILED);
	assert_false(fake_release(&run.host, &tag));
	assert_int_equal(run.host.n_devices, 3);
	assert_true(run.host.devices[2].claimed);
	assert_true(tag_equal(&run.host.devices[2].tag, &tag));
	end(&run);
}

/* The same, but legally: then it is free. */
static void test_destroyed_is_free(void **state)
{
	struct run run = { 0 };

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	run.host.devices[0].exists = run.host.devices[0].claimed = false;
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		run.host.blocks[b] = (struct fake_block){ 0 };
	restart(&run);
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.n_devices, 1);
	end(&run);
}

/*
 * A group of two devices: one was deleted by us, the other is claimed by somebody who was quicker.
 * What is ours comes back, under another name, which is said.
 */
static void test_deleted_is_created_again(void **state)
{
	struct run run = { .kill_at = 0 };
	struct fake_device *b;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 2, "dax0.1");
	b = fake_add_group(&run.host, 1, 1, 2, "dax0.2");
	run.kill_at = 11; /* deleting dax0.2 */
	begin_killed(&run);
	assert_true(run.killed);
	assert_false(run.host.devices[0].exists);
	b->claimed = true;
	(void)str_copy(b->name, sizeof(b->name), "dax0.7");
	restart(&run);
	run.r->plan.devices[0].deleted = true;
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "another hand"));
	assert_string_equal(run.r->plan.devices[0].name, "dax0.102");
	assert_string_equal(run.r->plan.devices[0].was, "dax0.1");
	assert_string_equal(run.host.devices[2].driver, "kmem");
	assert_true(run.host.devices[2].claimed);
	for (unsigned i = 0; i < FAKE_BLOCKS_MAX; i++)
		if (fake_block_of(&run.host, &run.host.devices[2], i)) {
			assert_true(run.host.blocks[i].online);
			assert_int_equal(run.host.blocks[i].zone, ZONE_MOVABLE);
		}
	end(&run);
}

/* Released, added again elsewhere and in use: nothing of that is what the journal is about. */
static void test_added_again_elsewhere(void **state)
{
	(void)state;
	for (unsigned deleted = 0; deleted < 2; deleted++) {
		struct run run = { .kill_behind = true };

		kill_at(&run, HOST_BLOCKS, 10);
		restart(&run);
		run.r->plan.devices[0].deleted = deleted;
		for (unsigned i = 0; i < run.host.n_extents; i++)
			run.host.extents[i].live = false;
		(void)fake_add_group(&run.host, 1, 2, 2, "dax0.1");
		run.before = run.host;
		recover(&run);
		assert_int_equal(run.r->state, RELEASE_REFUSED);
		assert_true(host_as_before(&run));
		assert_int_equal(run.host.writes, run.before.writes);
		end(&run);
	}
}

/*
 * Between our unbind and our size 0 another hand binds it again and destroys it by force: what it
 * leaves online is claimed again, lest the device get it.
 */
static void test_left_online_in_between(void **state)
{
	struct run run = { 0 };
	struct worker_request request;
	struct worker_reply reply;
	struct machine_input in;
	struct tag tag = fake_tag(1);

	(void)state;
	kill_at(&run, HOST_BLOCKS, 9);
	assert_int_equal(machine_step(run.r)->kind, STEP_SIZE_ZERO);
	run.host.devices[0].claimed = false;
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		if (fake_block_of(&run.host, &run.host.devices[0], b))
			run.host.blocks[b] = (struct fake_block){ .present = true,
								  .online = true,
								  .zone = ZONE_MOVABLE };
	run.killed = false;
	plan_step_request(&run.r->plan, machine_step(run.r), &request);
	do_write(&run, &request, &reply);
	assert_int_equal(reply.error, -EALREADY);
	in = input(&run);
	pump(&run, machine_step_done(run.r, &in, &reply));
	settle(&run);
	assert_int_equal(run.r->state, RELEASE_FAILED);
	assert_false(fake_release(&run.host, &tag));
	end(&run);
}

/* A driver that cannot be bound is tried a few times, not once for each block. */
static void test_unbindable_is_no_flood(void **state)
{
	struct run run = { 0 };

	(void)state;
	run.kill_at = 27;
	(void)fake_add_group(&run.host, 1, 3, 8, "dax0.1");
	begin_killed(&run);
	assert_true(run.killed);
	run.host.devices[0].driver[0] = '\0';
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		run.host.blocks[b].present = false;
	run.host.unbindable = true;
	run.host.writes = 0;
	restart(&run);
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_FAILED);
	assert_int_equal(run.host.writes, MACHINE_BACK_ROUNDS);
	assert_int_equal(run.r->plan.n_differences, 1 + 24);
	end(&run);
}

/* A full disk does not keep what is in danger from being claimed again. */
static void test_full_disk_and_left_online(void **state)
{
	struct run run = { 0 };
	struct tag tag = fake_tag(1);

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	run.host.devices[0].exists = false;
	restart(&run);
	run.save_error = -ENOSPC;
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_FAILED);
	assert_int_equal(run.host.n_devices, 2);
	assert_false(fake_release(&run.host, &tag));
	end(&run);
}

/* Killed right behind the creation, the new device is known as ours, and there is but one. */
static void test_created_is_found_again(void **state)
{
	struct run run = { 0 };

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	run.host.devices[0].exists = false;
	for (unsigned k = 1; k < 6; k++) {
		restart(&run);
		run.kill_at = k;
		run.kill_behind = true;
		recover(&run);
	}
	restart(&run);
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_FAILED);
	assert_int_equal(run.host.n_devices, 2);
	end(&run);
}

/* What another hand made of it meanwhile is left to it. */
static void test_bound_by_another_hand(void **state)
{
	struct run run = { 0 };

	(void)state;
	kill_at(&run, HOST_BLOCKS, 8);
	(void)str_copy(run.host.devices[0].driver, DEV_NAME_MAX, "device_dax");
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		run.host.blocks[b] = (struct fake_block){ 0 };
	run.host.writes = 0;
	restart(&run);
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "device_dax"));
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left_online_is_claimed_again),
		cmocka_unit_test(test_left_online_and_its_name_taken),
		cmocka_unit_test(test_destroyed_is_free),
		cmocka_unit_test(test_deleted_is_created_again),
		cmocka_unit_test(test_added_again_elsewhere),
		cmocka_unit_test(test_left_online_in_between),
		cmocka_unit_test(test_unbindable_is_no_flood),
		cmocka_unit_test(test_full_disk_and_left_online),
		cmocka_unit_test(test_created_is_found_again),
		cmocka_unit_test(test_bound_by_another_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
