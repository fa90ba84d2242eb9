/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A release that waits: which state it is in, what it is woken by, when it is given up, and that
 * nothing is touched meanwhile.
 */
#include "machine_run.h"
#include "release/machine_internal.h"

/* A devdax device that process 4711 holds. */
static void set_held(struct run *run)
{
	set_devdax(run);
	run->host.devices[0].holder = 4711;
}

/* The same, and such processes are ended if they are of a batch unit. */
static void set_terminating(struct run *run)
{
	set_held(run);
	run->policy.defaults.holders = HOLDERS_TERMINATE;
	(void)str_copy(run->policy.defaults.terminate_units, RULE_TEXT_MAX, "batch-*.service");
}

static void assert_held(const struct run *run, enum release_state state)
{
	assert_int_equal(run->r->state, state);
	assert_int_equal(run->r->wait, WAIT_TIME);
	assert_false(run->r->turn);
	assert_int_equal(run->host.writes, 0);
	assert_int_equal(run->r->tries, 0);
	assert_int_equal(run->r->attempts, 0);
}

static void reconsider(struct run *run)
{
	struct machine_input in = input(run);

	pump(run, machine_reconsider(run->r, &in, true));
}

static void test_asks_and_is_approved(void **state)
{
	struct run run = { 0 };

	(void)state;
	set_ram(&run);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_HELD);
	assert_true(run.r->deadline ==
		    run.r->request.since[CONDITION_APPROVAL] + run.policy.defaults.ask_timeout);
	/* What does not change anything does not change anything. */
	reconsider(&run);
	assert_held(&run, RELEASE_HELD);
	run.r->request.approval = APPROVAL_GIVEN;
	reconsider(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

static void test_asks_and_is_denied(void **state)
{
	struct run run = { 0 };

	(void)state;
	set_ram(&run);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	begin_as_set(&run, 1);
	run.r->request.approval = APPROVAL_DENIED;
	(void)str_copy(run.r->request.answer, sizeof(run.r->request.answer), "not today");
	reconsider(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "not today"));
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

/* Nobody answers: the deadline does, as the rule says. */
static void test_ask_timeout(void **state)
{
	static const struct {
		enum policy_action outcome;
		enum release_state state;
	} cases[] = { { ACTION_KEEP, RELEASE_REFUSED }, { ACTION_FREE, RELEASE_READY } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run run = { 0 };

		set_ram(&run);
		run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
		run.policy.defaults.ask_outcome = cases[i].outcome;
		begin_as_set(&run, 1);
		assert_held(&run, RELEASE_HELD);
		pass_deadline(&run);
		assert_int_equal(run.r->state, cases[i].state);
		end(&run);
	}
}

/* As long as a person is asked, the wait for who holds the device does not run, nor is it looked
 * at. */
static void test_others_wait_behind_a_person(void **state)
{
	struct run run = { 0 };

	(void)state;
	set_held(&run);
	run.policy.defaults.action[DAX_MODE_DEVDAX] = ACTION_ASK;
	run.policy.defaults.ask_timeout = USEC_INFINITY;
	run.policy.defaults.holders_wait = USEC_PER_MIN;
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_HELD);
	assert_true(run.r->deadline == USEC_INFINITY);
	run.now += USEC_PER_HOUR;
	reconsider(&run);
	assert_held(&run, RELEASE_HELD);
	run.r->request.approval = APPROVAL_GIVEN;
	reconsider(&run);
	assert_held(&run, RELEASE_DRAINING);
	while (run.r->state == RELEASE_DRAINING)
		pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "holders-wait"));
	end(&run);
}

static void test_inhibited_is_draining(void **state)
{
	static const struct inhibitor block = { .id = 1, .mode = INHIBIT_BLOCK, .scope = "*" };
	struct run run = { .facts = { .inhibitors = &block, .n_inhibitors = 1 } };

	(void)state;
	set_ram(&run);
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_DRAINING);
	run.facts.n_inhibitors = 0;
	reconsider(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

static void test_block_inhibitor_outlasts_the_rule(void **state)
{
	static const struct inhibitor block = { .id = 1, .mode = INHIBIT_BLOCK, .scope = "*" };
	struct run run = { .facts = { .inhibitors = &block, .n_inhibitors = 1 } };

	(void)state;
	set_ram(&run);
	begin_as_set(&run, 1);
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "inhibit-wait"));
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

/* A delay inhibitor only delays. */
static void test_delay_inhibitor_passes(void **state)
{
	static const struct inhibitor delay = { .id = 1, .mode = INHIBIT_DELAY, .scope = "*" };
	struct run run = { .facts = { .inhibitors = &delay, .n_inhibitors = 1 } };

	(void)state;
	set_ram(&run);
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_DRAINING);
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* Who only closes the device tells nobody: it is looked at, ever more seldom, until the deadline.
 */
static void test_looks_ever_more_seldom(void **state)
{
	struct run run = { 0 };
	usec_t begun, last = 0;
	unsigned n = 0;

	(void)state;
	set_held(&run);
	begin_as_set(&run, 1);
	begun = run.r->request.since[CONDITION_HOLDERS];
	for (; run.r->state == RELEASE_DRAINING; n++) {
		usec_t wait = run.r->deadline - run.now;

		assert_held(&run, RELEASE_DRAINING);
		assert_non_null(strstr(run.r->reason, "4711"));
		assert_true(wait <= run.policy.defaults.backoff_max);
		/* The last one is cut by the deadline. */
		if (run.r->deadline < begun + run.policy.defaults.holders_wait)
			assert_true(wait > last);
		last = wait;
		assert_true(n < 20);
		pass_deadline(&run);
	}
	assert_in_range(n, 5, 10);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(run.now >= begun + run.policy.defaults.holders_wait);
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

/* Others' scans tell at once, and do not make the looks come later. */
static void test_sees_the_change_in_any_scan(void **state)
{
	struct run run = { 0 };
	struct machine_input in;
	usec_t deadline;

	(void)state;
	set_held(&run);
	begin_as_set(&run, 1);
	deadline = run.r->deadline;
	for (unsigned i = 0; i < 50; i++) {
		scan(&run);
		in = input(&run);
		pump(&run, machine_scanned(run.r, &in));
		assert_held(&run, RELEASE_DRAINING);
		assert_int_equal(run.r->looks, 0);
	}
	assert_true(run.r->deadline <= deadline + USEC_PER_SEC);
	run.host.devices[0].holder = 0;
	scan(&run);
	in = input(&run);
	pump(&run, machine_scanned(run.r, &in));
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* Processes are ended only on the strength of a look that was asked for just now. */
static void test_terminates_after_a_fresh_look(void **state)
{
	struct run run = { 0 };
	struct machine_input in;
	unsigned actions;

	(void)state;
	set_terminating(&run);
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_DRAINING);
	assert_false(run.r->decision.terminate); /* its unit is another one */

	(void)str_copy(run.inv->holders[0].unit, HOLDER_UNIT_MAX, "batch-1.service");
	in = input(&run);
	actions = machine_reconsider(run.r, &in, false);
	assert_true(actions & MACHINE_SCAN);
	assert_false(actions & MACHINE_TERMINATE);
	assert_int_equal(run.r->wait, WAIT_SCAN);
	in = input(&run);
	actions = machine_scanned(run.r, &in);
	assert_true(actions & MACHINE_TERMINATE);
	assert_int_equal(run.r->state, RELEASE_DRAINING);
	assert_int_equal(run.r->wait, WAIT_TIME);

	run.policy.dry_run = 1;
	in = input(&run);
	actions = machine_reconsider(run.r, &in, false);
	assert_false(actions & MACHINE_TERMINATE);
	end(&run);
}

/* Two that terminate are told of each scan; neither asks for another one because of it. */
static void test_any_scan_is_a_look(void **state)
{
	struct run run = { 0 };
	struct machine_input in;
	unsigned actions;

	(void)state;
	set_terminating(&run);
	begin_as_set(&run, 1);
	scan(&run);
	(void)str_copy(run.inv->holders[0].unit, HOLDER_UNIT_MAX, "batch-1.service");
	in = input(&run);
	actions = machine_scanned(run.r, &in);
	assert_true(actions & MACHINE_TERMINATE);
	assert_false(actions & MACHINE_SCAN);
	end(&run);
}

/* A process that an old inventory still shows: looked at again before it is refused for good. */
static void test_no_refusal_by_an_old_look(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	set_held(&run);
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_DRAINING);
	run.host.devices[0].holder = 0;
	run.policy.defaults.holders = HOLDERS_REFUSE;
	in = input(&run);
	pump(&run, machine_reconsider(run.r, &in, true));
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* Approved, freed, claimed again by somebody else: the next request is asked about anew. */
static void test_approval_is_for_one_request(void **state)
{
	struct run run = { 0 };
	struct machine_input in;
	unsigned writes;

	(void)state;
	set_ram(&run);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	begin_as_set(&run, 1);
	run.r->request.approval = APPROVAL_GIVEN;
	reconsider(&run);
	assert_int_equal(run.r->state, RELEASE_READY);

	run.host.devices[0] = run.before.devices[0];
	memcpy(run.host.blocks, run.before.blocks, sizeof(run.host.blocks));
	writes = run.host.writes;
	run.now += USEC_PER_HOUR;
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	scan(&run);
	in = input(&run);
	pump(&run, machine_scanned(run.r, &in));
	assert_int_equal(run.r->state, RELEASE_HELD);
	assert_int_equal(run.r->request.approval, APPROVAL_NONE);
	assert_int_equal(run.r->tries, 0);
	assert_int_equal(run.host.writes, writes);
	end(&run);
}

static void test_dry_run_touches_nothing(void **state)
{
	struct run run = { 0 };

	(void)state;
	set_ram(&run);
	run.policy.dry_run = 1;
	begin_as_set(&run, 1);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(run.finished);
	assert_non_null(strstr(run.r->reason, "dry run: would free it in 7 steps"));
	assert_int_equal(run.host.writes, 0);
	assert_true(host_as_before(&run));
	assert_null(run.disk);
	end(&run);
}

/* The policy became another one while it was held. */
static void test_reload_decides_again(void **state)
{
	struct run run = { 0 };

	(void)state;
	set_ram(&run);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_HELD);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_FREE;
	reconsider(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* All that the operator has to say, also with more behind it. */
static void test_longest_message(void **state)
{
	struct run run = { 0 };
	char *message = run.policy.defaults.message;

	(void)state;
	set_ram(&run);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	memset(message, 'w', RULE_TEXT_MAX - 1);
	begin_as_set(&run, 1);
	assert_held(&run, RELEASE_HELD);
	assert_non_null(strstr(run.r->reason, message));
	assert_non_null(strstr(run.r->reason, "; waits at most 1h (ask-timeout)"));
	/* Nobody answers. */
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, message));
	assert_non_null(strstr(run.r->reason, "; waited 1h (ask-timeout)"));
	end(&run);
}

static void test_stop_ends_it(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	set_ram(&run);
	run.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	begin_as_set(&run, 1);
	in = input(&run);
	assert_int_equal(machine_stop(run.r, &in), 0);
	assert_false(release_state_is_active(run.r->state));
	run.r->request.approval = APPROVAL_GIVEN;
	reconsider(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks_and_is_approved),
		cmocka_unit_test(test_asks_and_is_denied),
		cmocka_unit_test(test_ask_timeout),
		cmocka_unit_test(test_others_wait_behind_a_person),
		cmocka_unit_test(test_inhibited_is_draining),
		cmocka_unit_test(test_block_inhibitor_outlasts_the_rule),
		cmocka_unit_test(test_delay_inhibitor_passes),
		cmocka_unit_test(test_looks_ever_more_seldom),
		cmocka_unit_test(test_sees_the_change_in_any_scan),
		cmocka_unit_test(test_terminates_after_a_fresh_look),
		cmocka_unit_test(test_any_scan_is_a_look),
		cmocka_unit_test(test_no_refusal_by_an_old_look),
		cmocka_unit_test(test_approval_is_for_one_request),
		cmocka_unit_test(test_dry_run_touches_nothing),
		cmocka_unit_test(test_reload_decides_again),
		cmocka_unit_test(test_longest_message),
		cmocka_unit_test(test_stop_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
