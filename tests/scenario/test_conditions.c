/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each condition of the policy on the simulated host: it holds the release and nothing is touched,
 * the daemon sleeps, the world changes, the release goes on; or the wait is over and it is refused.
 */
#include "installed.h"

/* ---- approval ---- */

static const struct scenario_options asks = {
	.config = "[release]\nsystem-ram = ask\nmessage = ask Ann first\n" NO_LOOKS
};
static const struct scenario_options asks_briefly = {
	.config = "[release]\nsystem-ram = ask\nask-timeout = 500ms\n" NO_LOOKS
};
static const struct scenario_options asks_briefly_then_frees = {
	.config = "[release]\nsystem-ram = ask\nask-timeout = 500ms\nask-outcome = free\n" NO_LOOKS
};

SCENARIO(approved)
{
	struct host *before = host_save(s);

	RAM(s);
	ask_and_wait(s, TAG_A, "held", "ask Ann first");
	assert_quiet(s);
	assert_int_equal(command(s, NULL, "dcdctl approve %s", TAG_A), 0);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(denied)
{
	struct host *before;

	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "ask Ann first");
	assert_int_equal(command(s, NULL, "dcdctl deny %s 'not on a Friday'", TAG_A), 0);
	assert_refused(s, TAG_A, "not on a Friday", before);
	/* There is nothing to be answered any more. */
	assert_int_not_equal(command(s, NULL, "dcdctl approve %s", TAG_A), 0);
}

SCENARIO(nobody_answers)
{
	struct host *before;

	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "");
	assert_refused(s, TAG_A, "ask-timeout", before);
}

SCENARIO(nobody_answers_and_that_is_a_yes)
{
	struct host *before = host_save(s);

	RAM(s);
	ask_and_wait(s, TAG_A, "held", "");
	assert_goes_on(s, TAG_A, before);
}

/* ---- windows ---- */

#define NIGHT "[release]\nwindows = 22:00-06:00\n" NO_LOOKS

/* A daemon with an /etc of its own, in which it is that time of any day. */
static void start_at(struct scenario *s, const char *config, int hour, int minute, int second)
{
	installed_prepare(s);
	installed_clock(s, WEDNESDAY, hour, minute, second);
	daemon_start(s, config);
}

SCENARIO(window_opens)
{
	struct host *before = host_save(s);

	start_at(s, NIGHT, 21, 59, 55);
	RAM(s);
	ask_and_wait(s, TAG_A, "held", "22:00-06:00");
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(window_is_open)
{
	struct host *before = host_save(s);

	start_at(s, NIGHT, 3, 0, 0);
	RAM(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(time_zone_changes)
{
	struct host *before = host_save(s);

	start_at(s, NIGHT, 12, 0, 0);
	RAM(s);
	ask_and_wait(s, TAG_A, "held", "22:00-06:00");
	assert_quiet(s);
	installed_clock(s, WEDNESDAY, 23, 0, 0);
	assert_goes_on(s, TAG_A, before);
}

/* Setting the clock cancels what waits for a time; it must find its way back to waiting. */
SCENARIO(clock_is_set)
{
	struct host *before = host_save(s);
	struct timespec now;

	start_at(s, NIGHT, 21, 59, 54);
	RAM(s);
	ask_and_wait(s, TAG_A, "held", "22:00-06:00");
	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || clock_settime(CLOCK_REALTIME, &now) < 0)
		scenario_skip(s, "the clock cannot be set here");
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(window_comes_too_late)
{
	struct host *before;

	start_at(s, NIGHT "windows-wait = 500ms\n", 12, 0, 0);
	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "22:00-06:00");
	assert_refused(s, TAG_A, "windows-wait", before);
}

/* ---- inhibitors ---- */

static const struct scenario_options no_looks = { .config = "[release]\n" NO_LOOKS };
static const struct scenario_options short_inhibit = {
	.config = "[release]\ninhibit-wait = 500ms\ninhibit-delay-max = 500ms\n" NO_LOOKS
};

#define INHIBIT(mode, scope)                                                                       \
	"inhibit --mode=" mode " --scope='" scope "' --who=tester --why='a benchmark runs'"

SCENARIO(inhibited)
{
	struct host *before = host_save(s);

	RAM(s);
	hold_begin(s, INHIBIT("block", "*"));
	ask_and_wait(s, TAG_A, "draining", "a benchmark runs");
	assert_quiet(s);
	assert_int_equal(hold_end(s), HOLD_STATUS);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(inhibitor_of_another_tag)
{
	struct host *before = host_save(s);

	RAM(s);
	hold_begin(s, INHIBIT("block", "0e1c3b5d-*"));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_goes_on(s, TAG_A, before);
	assert_int_equal(hold_end(s), HOLD_STATUS);
}

SCENARIO(block_inhibitor_stays)
{
	struct host *before;

	RAM(s);
	before = host_save(s);
	hold_begin(s, INHIBIT("block", "*"));
	ask_and_wait(s, TAG_A, "draining", "tester");
	assert_refused(s, TAG_A, "inhibit-wait", before);
	assert_int_equal(hold_end(s), HOLD_STATUS);
}

SCENARIO(delay_inhibitor_stays)
{
	struct host *before = host_save(s);

	RAM(s);
	hold_begin(s, INHIBIT("delay", "*"));
	ask_and_wait(s, TAG_A, "draining", "tester");
	assert_goes_on(s, TAG_A, before);
	assert_int_equal(hold_end(s), HOLD_STATUS);
}

/* ---- rate ---- */

#define ONE_AN_HOUR "[release]\nrate-groups = 1\n" NO_LOOKS
static const struct scenario_options one_an_hour = { .config = ONE_AN_HOUR };
static const struct scenario_options one_an_hour_soon = { .config = ONE_AN_HOUR
							  "rate-wait = 500ms\n" };

/* The first goes; the second has to wait for the rest of an hour. */
static void free_one(struct scenario *s)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	assert_goes_on(s, TAG_B, before);
}

SCENARIO(rate_holds_until_the_policy_changes)
{
	struct host *before;

	free_one(s);
	before = host_save(s);
	RAM(s);
	ask_and_wait(s, TAG_A, "held", "hour");
	assert_quiet(s);
	daemon_reload(s, "[release]\nrate-groups = 2\n" NO_LOOKS);
	daemon_wait_log(s, "rate-groups: 1 -> 2");
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(rate_waits_too_long)
{
	struct host *before;

	free_one(s);
	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "hour");
	assert_refused(s, TAG_A, "rate-wait", before);
}

/* ---- reserve ---- */

#define RESERVE "[release]\nreserve-host = 384M\n" NO_LOOKS
static const struct scenario_options reserve = { .config = RESERVE };
static const struct scenario_options reserve_soon = { .config = RESERVE "reserve-wait = 500ms\n" };

SCENARIO(reserve_until_there_is_more)
{
	_cleanup_json_ struct json_object *ready = NULL;

	RAM(s);
	ask_and_wait(s, TAG_A, "held", "reserve");
	assert_quiet(s);
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 384 * MiB));
	ready = release_wait(s, TAG_A, "ready", 15);
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	release_wait_state(s, TAG_A, "released", 15);
	host_not_compared(s, "another group has come meanwhile");
}

SCENARIO(reserve_stays)
{
	struct host *before;

	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "reserve");
	assert_refused(s, TAG_A, "reserve-wait", before);
}

/* ---- headroom ---- */

/* Nobody tells of memory that becomes free: looked at, at intervals. */
static const struct scenario_options headroom = {
	.config = "[release]\nheadroom = 1G\nheadroom-percent = 0%\nbackoff-initial = 300ms\n"
};
static const struct scenario_options headroom_soon = {
	.config =
		"[release]\nheadroom = 1G\nheadroom-percent = 0%\nheadroom-wait = 500ms\n" NO_LOOKS
};
static const struct scenario_options node_headroom = {
	.config = "[release]\nnode-headroom = 1G\nheadroom = 0\nheadroom-percent = 0%\n"
		  "backoff-initial = 300ms\n"
};

/* All but so many MiB of the other node are in use, and all of ours. */
static void leave(struct scenario *s, unsigned mib)
{
	sim_ok(s, "{'cmd':'set','node_used':{'node':0,'bytes':'%uM'}}", 3 * 1024 - mib);
}

SCENARIO(headroom_comes_back)
{
	struct host *before;

	leave(s, 512);
	before = host_save(s);
	RAM(s);
	ask_and_wait(s, TAG_A, "held", "headroom");
	leave(s, 2048);
	release_wait_state(s, TAG_A, "ready", 15);
	leave(s, 512);
	release_collect(s, TAG_A, before);
}

SCENARIO(node_headroom_comes_back)
{
	struct host *before;

	leave(s, 512);
	before = host_save(s);
	RAM(s);
	sim_ok(s, "{'cmd':'set','node_used':{'node':1,'bytes':'128M'}}");
	ask_and_wait(s, TAG_A, "held", "headroom");
	leave(s, 2048);
	release_wait_state(s, TAG_A, "ready", 15);
	leave(s, 512);
	release_collect(s, TAG_A, before);
}

SCENARIO(headroom_does_not_come_back)
{
	struct host *before;

	leave(s, 512);
	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "headroom");
	assert_refused(s, TAG_A, "headroom-wait", before);
}

/* ---- pressure ---- */

#define CEILING "[release]\npressure-some = 10%\n" NO_LOOKS
static const struct scenario_options ceiling = { .config = CEILING "pressure-settle = 3s\n" };
static const struct scenario_options ceiling_soon = {
	.config = CEILING "pressure-settle = 30s\npressure-wait = 1s\n"
};

SCENARIO(pressure_calms_down)
{
	struct host *before = host_save(s);

	RAM(s);
	sim_ok(s, "{'cmd':'pressure','some':25.5,'full':3,'fire':true}");
	ask_and_wait(s, TAG_A, "held", "pressure");
	sim_ok(s, "{'cmd':'pressure','some':0,'full':0}");
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(pressure_stays)
{
	struct host *before;

	RAM(s);
	before = host_save(s);
	sim_ok(s, "{'cmd':'pressure','some':25.5,'full':3,'fire':true}");
	ask_and_wait(s, TAG_A, "held", "pressure");
	assert_refused(s, TAG_A, "pressure-wait", before);
	sim_ok(s, "{'cmd':'pressure','some':0,'full':0}");
}

/* ---- state ---- */

static const struct scenario_options state_soon = {
	.config = "[release]\nstate-wait = 500ms\n" NO_LOOKS
};

SCENARIO(state_becomes_known)
{
	struct host *before = host_save(s);

	RAM(s);
	manager_wait_idle(s);
	(void)sim_fault(s, "*/memory338/state", "'op':'read','action':'errno','count':0");
	ask_and_wait(s, TAG_A, "held", "memory338");
	sim_fault_clear(s);
	/* Whatever makes it look: here another block of the host. */
	assert_int_equal(command(s, NULL, "dcdctl rescan"), 0);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(state_stays_unknown)
{
	struct host *before;

	RAM(s);
	before = host_save(s);
	(void)sim_fault(s, "*/memory338/state", "'op':'read','action':'errno','count':0");
	ask_and_wait(s, TAG_A, "held", "memory338");
	release_wait_state(s, TAG_A, "refused", 15);
	sim_fault_clear(s);
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(approved, &asks),
		scenario_test_with(denied, &asks),
		scenario_test_with(nobody_answers, &asks_briefly),
		scenario_test_with(nobody_answers_and_that_is_a_yes, &asks_briefly_then_frees),
		scenario_test_with(window_opens, &installed),
		scenario_test_with(window_is_open, &installed),
		scenario_test_with(time_zone_changes, &installed),
		scenario_test_with(clock_is_set, &installed),
		scenario_test_with(window_comes_too_late, &installed),
		scenario_test_with(inhibited, &no_looks),
		scenario_test_with(inhibitor_of_another_tag, &no_looks),
		scenario_test_with(block_inhibitor_stays, &short_inhibit),
		scenario_test_with(delay_inhibitor_stays, &short_inhibit),
		scenario_test_with(rate_holds_until_the_policy_changes, &one_an_hour),
		scenario_test_with(rate_waits_too_long, &one_an_hour_soon),
		scenario_test_with(reserve_until_there_is_more, &reserve),
		scenario_test_with(reserve_stays, &reserve_soon),
		scenario_test_with(headroom_comes_back, &headroom),
		scenario_test_with(node_headroom_comes_back, &node_headroom),
		scenario_test_with(headroom_does_not_come_back, &headroom_soon),
		scenario_test_with(pressure_calms_down, &ceiling),
		scenario_test_with(pressure_stays, &ceiling_soon),
		scenario_test_with(state_becomes_known, &no_looks),
		scenario_test_with(state_stays_unknown, &state_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
