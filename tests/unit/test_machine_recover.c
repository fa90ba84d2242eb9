/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon is killed at any step, and the next one has nothing but the undo journal: afterwards
 * the group is free or as before, however often that happens, whoever has been there meanwhile.
 */
#include "machine_run.h"

enum host_kind { HOST_BLOCKS, HOST_ATOMIC, HOST_DEVDAX, _HOST_KINDS };

static void make_host(struct run *run, enum host_kind kind)
{
	struct fake_device *dev = fake_add_group(&run->host, 1, 3, 2, "dax0.1");

	if (kind == HOST_ATOMIC)
		dev->state_attr = true;
	if (kind != HOST_DEVDAX)
		return;
	(void)str_copy(dev->driver, sizeof(dev->driver), "device_dax");
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		run->host.blocks[b] = (struct fake_block){ 0 };
}

/* As begin(), with devdax to be freed too, and a failure of a write to come. */
static void begin_killed(struct run *run)
{
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct machine_input in;

	policy_init(&run->policy);
	run->policy.defaults.action[DAX_MODE_DEVDAX] = ACTION_FREE;
	run->policy.defaults.retries = 0;
	run->now = USEC_PER_HOUR;
	run->before = run->host;
	run->r = release_new(1, &key, &dpa, run->now);
	assert_non_null(run->r);
	in = input(run);
	pump(run, machine_begin(run->r, &in));
}

/* Goes on until the release waits for the device or has ended, or the daemon is killed. */
static void settle(struct run *run)
{
	for (unsigned n = 0; !run->killed && release_state_is_active(run->r->state); n++) {
		assert_true(n < 100);
		pass_deadline(run);
	}
}

/* A new daemon, which knows what is on disk. */
static void restart(struct run *run)
{
	_cleanup_free_ char *error = NULL;
	struct undo_record record;
	bool other_boot;

	if (!run->disk)
		fail_msg("there is no journal");
	release_free(run->r);
	run->killed = run->ready = run->finished = false;
	run->steps = run->kill_at = 0;
	run->fail_at = 0;
	assert_int_equal(
		undo_decode(run->disk, run->disk_size, FAKE_BOOT_ID, &record, &other_boot, &error),
		0);
	assert_false(other_boot);
	run->r = release_new(2, &record.key, &record.dpa, run->now);
	if (!run->r)
		fail_msg("out of memory");
	run->r->plan = record.plan;
	record.plan = (struct plan){ 0 };
	undo_record_done(&record);
	run->r->decision.settings = run->policy.defaults;
}

static void recover(struct run *run)
{
	struct machine_input in;

	scan(run);
	in = input(run);
	pump(run, machine_recover(run->r, &in));
	settle(run);
}

static bool free_and_tidy(struct run *run)
{
	for (unsigned i = 0; i < run->host.n_devices; i++)
		if (run->host.devices[i].exists)
			return false;
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		if (run->host.blocks[b].present)
			return false;
	return true;
}

/* Free, or as before, and the release says which. */
static void assert_whole(struct run *run)
{
	if (host_as_before(run)) {
		assert_int_equal(run->r->state, RELEASE_REFUSED);
		return;
	}
	assert_true(free_and_tidy(run));
	assert_int_equal(run->r->state, RELEASE_READY);
}

/* Kills at step @k1, and the recovery at step @k2 (0: not). Returns whether there was a step @k1.
 */
static bool kill_and_recover(enum host_kind kind, unsigned fail_at, unsigned k1, bool behind1,
			     unsigned k2, bool behind2, bool *ret_again)
{
	struct run run = {
		.kill_at = k1, .kill_behind = behind1, .fail_at = fail_at, .fail_error = -EIO
	};
	bool was_killed;

	make_host(&run, kind);
	begin_killed(&run);
	settle(&run);
	was_killed = run.killed;
	*ret_again = false;
	if (was_killed && run.disk) {
		restart(&run);
		run.kill_at = k2;
		run.kill_behind = behind2;
		recover(&run);
		if (run.killed) {
			*ret_again = true;
			restart(&run);
			recover(&run);
		}
		assert_whole(&run);
	} else if (was_killed) {
		/* Nothing had been changed. */
		assert_true(host_as_before(&run));
	}
	end(&run);
	return was_killed;
}

static void test_killed_at_every_step(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < _HOST_KINDS; kind++) {
		bool again;
		unsigned n = 0;

		for (unsigned k = 1; k <= n + 1; k++)
			for (unsigned behind = 0; behind < 2; behind++)
				if (kill_and_recover((enum host_kind)kind, 0, k, behind, 0, false,
						     &again))
					n = k;
		assert_true(n >= 4);
	}
}

/* And again at every step of the recovery, also where the first was rolling back already. */
static void test_killed_twice(void **state)
{
	unsigned twice = 0;

	(void)state;
	for (unsigned kind = 0; kind < _HOST_KINDS; kind++)
		for (unsigned fail_at = 0; fail_at < 9; fail_at++)
			for (unsigned k1 = 1; k1 < 24; k1++)
				for (unsigned i = 0; i < 4; i++) {
					bool again = true;

					for (unsigned k2 = 1; again && k2 < 40; k2++) {
						if (!kill_and_recover((enum host_kind)kind, fail_at,
								      k1, i & 1, k2, i & 2, &again))
							break;
						twice += again;
					}
				}
	print_message("%u times killed twice\n", twice);
	assert_true(twice > 500);
}

static void kill_at(struct run *run, enum host_kind kind, unsigned step)
{
	run->kill_at = step;
	make_host(run, kind);
	begin_killed(run);
	assert_true(run->killed);
}

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

/* A region that cannot be read holds up nobody else. */
static void test_unread_yields(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	restart(&run);
	scan(&run);
	in = input(&run);
	assert_int_equal(machine_recover(run.r, &in), MACHINE_TURN);
	assert_int_equal(machine_turn(run.r, &in), MACHINE_SCAN);
	run.inv->regions[0].error = -EIO;
	assert_int_equal(machine_scanned(run.r, &in), MACHINE_YIELD);
	assert_false(run.r->turn);
	assert_int_equal(run.r->state, RELEASE_ROLLING_BACK);
	settle(&run);
	assert_whole(&run);
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

static void test_resumed(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < _HOST_KINDS; kind++)
		for (unsigned k = 2; k < 12; k++) {
			struct run run = { .kill_at = k, .kill_behind = true };

			make_host(&run, (enum host_kind)kind);
			begin_killed(&run);
			if (!run.killed) {
				end(&run);
				break;
			}
			restart(&run);
			run.r->decision.settings.recovery = RECOVERY_RESUME;
			recover(&run);
			assert_int_equal(run.r->state, RELEASE_READY);
			assert_true(free_and_tidy(&run));
			end(&run);
		}
}

/* It is wanted, but not to be had any more: rolled back, and then tried again like any other. */
static void test_resumed_in_vain(void **state)
{
	struct run run = { 0 };

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	run.host.blocks[6].pinned = run.before.blocks[6].pinned = true;
	restart(&run);
	run.r->decision.settings.recovery = RECOVERY_RESUME;
	recover(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "busy"));
	assert_true(host_as_before(&run));
	end(&run);
}

/* Nothing is done while a process of the daemon before is in the kernel. */
static void test_waits_for_the_orphan(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	kill_at(&run, HOST_BLOCKS, 4);
	restart(&run);
	run.r->orphan = 4711;
	scan(&run);
	in = input(&run);
	assert_int_equal(machine_recover(run.r, &in), 0);
	assert_int_equal(run.r->state, RELEASE_ROLLING_BACK);
	assert_non_null(strstr(run.r->reason, "4711"));
	assert_int_equal(machine_scanned(run.r, &in), 0);
	assert_true(run.r->deadline == USEC_INFINITY);

	/* What it did at the very end is not in an inventory that was begun before. */
	run.r->orphan = 0;
	run.host.blocks[6].online = false;
	run.host.blocks[6].zone = ZONE_NONE;
	in = input(&run);
	assert_int_equal(machine_recover(run.r, &in), MACHINE_TURN);
	assert_int_equal(machine_turn(run.r, &in), MACHINE_SCAN);
	recover(&run);
	assert_whole(&run);
	end(&run);
}

/* A journal that cannot be written: nothing is touched. */
static void test_no_journal_no_change(void **state)
{
	struct run run = { .save_error = -ENOSPC };

	(void)state;
	make_host(&run, HOST_BLOCKS);
	begin_killed(&run);
	settle(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "No space left"));
	assert_int_equal(run.host.writes, 0);
	assert_false(run.r->saved);
	end(&run);
}

static void test_blind_is_left_alone(void **state)
{
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	make_host(&run, HOST_BLOCKS);
	policy_init(&run.policy);
	run.host.blocks[0].online = false;
	run.host.blocks[0].zone = ZONE_NONE;
	run.before = run.host;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	assert_int_equal(machine_recover_blind(run.r, &in, "torn"), MACHINE_FINISH);
	assert_false(machine_thaw(run.r, &in));
	assert_int_equal(run.host.writes, 0);
	run.host.blocks[0].online = true;
	run.host.blocks[0].zone = ZONE_MOVABLE;
	scan(&run);
	in = input(&run);
	assert_true(machine_thaw(run.r, &in));
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_at_every_step),
		cmocka_unit_test(test_killed_twice),
		cmocka_unit_test(test_left_online_is_claimed_again),
		cmocka_unit_test(test_left_online_and_its_name_taken),
		cmocka_unit_test(test_destroyed_is_free),
		cmocka_unit_test(test_deleted_is_created_again),
		cmocka_unit_test(test_added_again_elsewhere),
		cmocka_unit_test(test_left_online_in_between),
		cmocka_unit_test(test_unread_yields),
		cmocka_unit_test(test_unbindable_is_no_flood),
		cmocka_unit_test(test_full_disk_and_left_online),
		cmocka_unit_test(test_created_is_found_again),
		cmocka_unit_test(test_bound_by_another_hand),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_resumed_in_vain),
		cmocka_unit_test(test_waits_for_the_orphan),
		cmocka_unit_test(test_no_journal_no_change),
		cmocka_unit_test(test_blind_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
