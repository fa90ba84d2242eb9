/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a release is tried again: after a back-off, at once when its group has changed, and once
 * more decided when what comes before the first change took long.
 */
#include "machine_run.h"
#include "release/machine_internal.h"

/* A deferred release does not sleep on when its group has changed; but nothing of others wakes it.
 */
static void test_deferred_sees_a_change(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	set_ram(&run);
	(void)fake_add_group(&run.host, 2, 1, 3, "dax0.2");
	run.host.blocks[1].pinned = true;
	begin_as_set(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));

	run.host.blocks[5].online = false;
	run.host.blocks[5].zone = ZONE_NONE;
	scan(&run);
	in = input(&run);
	assert_int_equal(machine_scanned(run.r, &in), 0);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);

	run.host.blocks[1].online = run.host.blocks[1].pinned = false;
	run.host.blocks[1].zone = ZONE_NONE;
	scan(&run);
	in = input(&run);
	pump(&run, machine_scanned(run.r, &in));
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* What has nothing to do with its rules leaves a deferred release to its back-off. */
static void test_deferred_is_not_woken_by_strangers(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	set_ram(&run);
	run.host.blocks[1].pinned = true;
	begin_as_set(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	in = input(&run);
	assert_int_equal(machine_reconsider(run.r, &in, false), 0);
	assert_int_equal(run.r->tries, 1);
	run.host.blocks[1].pinned = false;
	in = input(&run);
	pump(&run, machine_reconsider(run.r, &in, true));
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* The pauses double while it is the same that fails, and begin anew with another reason. */
static void test_back_off_by_reason(void **state)
{
	struct run run = { 0 };
	usec_t first;

	(void)state;
	set_ram(&run);
	run.host.blocks[1].pinned = true;
	begin_as_set(&run, 1);
	first = run.r->deadline - run.now;
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_in_range(run.r->deadline - run.now, 2 * first - USEC_PER_MSEC,
			2 * first + USEC_PER_MSEC);
	run.host.blocks[1].pinned = false;
	run.fail_at = run.host.writes + 2;
	run.fail_error = -EIO;
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_in_range(run.r->deadline - run.now, first - USEC_PER_MSEC, first + USEC_PER_MSEC);
	end(&run);
}

static void test_jitter_only_shortens(void **state)
{
	struct release r = { .decision.settings = { .backoff_initial = 8 * USEC_PER_SEC,
						    .backoff_max = USEC_PER_MIN } };
	struct machine_input in = { 0 };

	(void)state;
	assert_true(machine_backoff(&r, &in, 1) == 8 * USEC_PER_SEC);
	assert_true(machine_backoff(&r, &in, 2) == 16 * USEC_PER_SEC);
	assert_true(machine_backoff(&r, &in, 1000) == USEC_PER_MIN);
	in.random = UINT32_MAX;
	assert_in_range(machine_backoff(&r, &in, 1), 6 * USEC_PER_SEC, 6 * USEC_PER_SEC + 1000);
	assert_in_range(machine_backoff(&r, &in, 1000), 45 * USEC_PER_SEC,
			45 * USEC_PER_SEC + 1000);
	r.decision.settings.backoff_initial = r.decision.settings.backoff_max = USEC_PER_MSEC;
	assert_in_range(machine_backoff(&r, &in, 5), 740, 1000);
}

/* To where the undo journal has become durable, which took long. The actions that follow. */
static unsigned begin_slowly(struct run *run)
{
	struct worker_reply reply = { .elapsed = 2 * USEC_PER_SEC };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct machine_input in;
	struct range dpa = { 0 };
	unsigned actions;

	run->now = USEC_PER_HOUR;
	run->before = run->host;
	run->r = release_new(1, &key, &dpa, run->now);
	assert_non_null(run->r);
	in = input(run);
	assert_true(machine_begin(run->r, &in) & MACHINE_SCAN);
	scan(run);
	in = input(run);
	assert_true(machine_scanned(run->r, &in) & MACHINE_TURN);
	in = input(run);
	assert_true(machine_turn(run->r, &in) & MACHINE_STEP);
	assert_int_equal(machine_step(run->r)->kind, STEP_SAVE);
	run->now += 2 * USEC_PER_SEC;
	in = input(run);
	actions = machine_step_done(run->r, &in, &reply);
	assert_true(actions & MACHINE_SCAN);
	assert_false(actions & MACHINE_STEP);
	return actions;
}

static void test_goes_on_behind_a_slow_save(void **state)
{
	struct run run = { 0 };

	(void)state;
	set_ram(&run);
	pump(&run, begin_slowly(&run));
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);

	/* What has nothing to take offline is looked at as always before it is detached. */
	run = (struct run){ 0 };
	set_devdax(&run);
	pump(&run, begin_slowly(&run));
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* Meanwhile somebody says not now: not a block goes offline, and it is no try. But only once. */
static void test_looks_again_behind_a_slow_save(void **state)
{
	static const struct inhibitor block = { .id = 1, .mode = INHIBIT_BLOCK, .scope = "*" };
	struct run run = { 0 };
	unsigned actions;

	(void)state;
	set_ram(&run);
	actions = begin_slowly(&run);
	run.facts.inhibitors = &block;
	run.facts.n_inhibitors = 1;
	pump(&run, actions);
	assert_int_equal(run.host.writes, 0);
	assert_int_equal(run.r->state, RELEASE_DRAINING);
	assert_int_equal(run.r->tries, 0);
	assert_int_equal(run.r->attempts, 0);
	assert_false(run.ready);
	end(&run);

	run = (struct run){ 0 };
	set_ram(&run);
	actions = begin_slowly(&run);
	run.r->backed_out = 1;
	run.facts.inhibitors = &block;
	run.facts.n_inhibitors = 1;
	pump(&run, actions);
	assert_int_equal(run.host.writes, 0);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_int_equal(run.r->tries, 1);
	assert_true(host_as_before(&run));
	end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deferred_sees_a_change),
		cmocka_unit_test(test_deferred_is_not_woken_by_strangers),
		cmocka_unit_test(test_back_off_by_reason),
		cmocka_unit_test(test_jitter_only_shortens),
		cmocka_unit_test(test_goes_on_behind_a_slow_save),
		cmocka_unit_test(test_looks_again_behind_a_slow_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
