/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon is killed at any step, and the next one has nothing but the undo journal: afterwards
 * the group is free or as before, however often that happens.
 */
#include "recover_run.h"

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
		cmocka_unit_test(test_unread_yields),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_resumed_in_vain),
		cmocka_unit_test(test_waits_for_the_orphan),
		cmocka_unit_test(test_no_journal_no_change),
		cmocka_unit_test(test_blind_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
