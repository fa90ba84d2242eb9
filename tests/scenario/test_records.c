/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records as they come, not as one would like them: many for one group, lost, early, late, and
 * saying things that cannot be.
 */
#include <dcdd/base.h>

#include <signal.h>

#include "harness.h"

#define EVENT_TYPE_RELEASE 1
#define EVENT_TYPE_UNKNOWN 9

static const struct scenario_options no_daemon = { .no_daemon = true };
static const struct scenario_options small_buffer = {
	.config = "[daemon]\ntrace-buffer-size = 4K\n",
	.no_daemon = true,
};
/* Long enough for the daemon to free a group on a slow machine. */
static const struct scenario_options slow_rule = { .settings = "{'rule_delay_ms':4000}" };
static const struct scenario_options slow_blocks = { .settings = "{'offline_ms':50}" };

static size_t n_releases(struct scenario *s)
{
	_cleanup_json_ struct json_object *releases = bus_releases(s);

	return json_object_array_length(releases);
}

/* The record is reported, changes nothing, and the daemon does its job afterwards. */
static void assert_harmless(struct scenario *s, const char *fields, const char *message)
{
	struct host *empty = host_save(s), *before;
	uint64_t since;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	before = host_save(s);
	since = sim_log_next(s);
	sim_trace(s, fields);
	daemon_wait_log(s, message);
	assert_int_equal(n_releases(s), 0);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
	assert_true(manager_u64(s, "RecordsBad") >= 1);

	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, empty);
}

SCENARIO(hundred_records_are_one_request)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	/* Only traced, so that the kernel does not release it half-way through the hundred. */
	sim_ok(s,
	       "{'cmd':'trace','event_type':1,'uuid':'%s','dpa_start':0,'length':'256M','count':100}",
	       TAG_A);
	WAIT_FOR(s, manager_u64(s, "Records") >= 101, 10);
	r = release_wait(s, TAG_A, "ready", 20);
	assert_int_equal(member_int(r, "Records"), 100);
	assert_int_equal(member_int(r, "Attempts"), 1);
	assert_int_equal(n_releases(s), 1);
	sim_retry(s);
	(void)sim_release(s, "mem0", TAG_A);
	release_wait_state(s, TAG_A, "released", 10);
	assert_int_equal(n_releases(s), 1);
	host_assert_same(s, before);
}

/* The rest of the device's list, refused by the kernel after the first was granted, is no news. */
SCENARIO(trailing_records_are_no_news)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
	sim_ok(s, "{'cmd':'trace','event_type':1,'uuid':'%s','dpa_start':'512M','length':'128M'}",
	       TAG_A);
	WAIT_FOR(s, manager_u64(s, "Records") >= 7, 10);
	assert_int_equal(n_releases(s), 1);
	assert_false(daemon_log_has(s, "Ignoring"));
	host_assert_same(s, before);
}

/* The same tag comes and is wanted back again: a new request. */
SCENARIO(same_tag_again)
{
	struct host *before = host_save(s);

	for (unsigned i = 1; i <= 3; i++) {
		(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
		assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
		release_wait_state(s, TAG_A, "ready", 10);
		release_collect(s, TAG_A, before);
		assert_int_equal(n_releases(s), i);
	}
}

/*
 * The kernel acts long after the record, and finds the group free by then: it grants the first
 * request. No event tells; the outcome is read from the extents.
 */
SCENARIO(record_long_before_the_rule)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	r = release_wait(s, TAG_A, "released", 30);
	assert_int_equal(member_int(r, "Records"), 1);
	host_assert_same(s, before);
}

/*
 * The daemon is held while more records come than its buffer takes, none of which makes it look at
 * the host by itself. Meanwhile something changes there that neither a record nor a uevent tells:
 * only because records were lost does it look again.
 */
SCENARIO(records_lost)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	daemon_start(s, NULL);
	manager_wait_idle(s);
	assert_int_equal(manager_u64(s, "GroupCount"), 1);
	assert_int_equal(manager_u64(s, "ClaimedBytes"), 0);

	assert_int_equal(kill(daemon_pid(s), SIGSTOP), 0);
	sim_set(s, "{'uevents':false}");
	(void)sim_claim(s, "mem0", TAG_A, "kmem", "movable");
	sim_flood(s, EVENT_TYPE_UNKNOWN, 20000);
	assert_int_equal(kill(daemon_pid(s), SIGCONT), 0);
	WAIT_FOR(s, manager_u64(s, "RecordsLost") > 0, 20);
	WAIT_FOR(s, manager_u64(s, "ClaimedBytes") == 256 * MiB, 20);
	assert_true(daemon_log_has(s, "lost"));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, before);
}

/* A device gone mad: the daemon answers, and its log stays readable. */
SCENARIO(flood)
{
	struct host *before = host_save(s);
	_cleanup_free_ char *log = NULL;
	size_t lines = 0;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	sim_flood(s, EVENT_TYPE_RELEASE, 20000);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 30);
	log = daemon_log(s);
	assert_non_null(log);
	for (const char *p = log; (p = strchr(p, '\n')); p++)
		lines++;
	assert_true(lines < 200);
	release_collect(s, TAG_A, before);
}

SCENARIO(started_before_the_event_exists)
{
	struct host *before = host_save(s);

	sim_event(s, false);
	daemon_start(s, NULL);
	assert_false(manager_bool(s, "EventAvailable"));
	assert_true(daemon_log_has(s, "waiting for it"));
	sim_event(s, true);
	WAIT_FOR(s, manager_bool(s, "EventAvailable"), 15);
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

/* Module unloaded and loaded again: another event id, the same job. */
SCENARIO(event_goes_and_comes)
{
	struct host *before = host_save(s);

	sim_event(s, false);
	WAIT_FOR(s, !manager_bool(s, "EventAvailable"), 15);
	sim_event(s, true);
	WAIT_FOR(s, manager_bool(s, "EventAvailable"), 15);
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

/* A refusal before our time leaves no trace anywhere: the device's next request is the first. */
SCENARIO(started_with_a_release_already_refused)
{
	struct host *empty = host_save(s), *before;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	before = host_save(s);
	daemon_start(s, NULL);
	assert_int_equal(n_releases(s), 0);
	host_assert_same(s, before);
	sim_retry(s);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, empty);
}

SCENARIO(unknown_event_type)
{
	assert_harmless(s, "{'event_type':9}", "unknown event type 9");
}

SCENARIO(unknown_tag)
{
	assert_harmless(s,
			"{'event_type':1,'uuid':'99999999-9999-9999-9999-999999999999',"
			"'dpa_start':0,'length':'256M'}",
			"no live extent matches");
}

SCENARIO(null_tag_for_a_tagged_group)
{
	assert_harmless(s, "{'event_type':1,'dpa_start':0,'length':'256M'}",
			"no live extent matches");
}

SCENARIO(right_tag_wrong_dpa)
{
	assert_harmless(s, "{'event_type':1,'uuid':'" TAG_A "','dpa_start':'2G','length':'128M'}",
			"no live extent matches");
}

SCENARIO(dpa_outside_every_region)
{
	assert_harmless(s, "{'event_type':1,'uuid':'" TAG_A "','dpa_start':'1T','length':'128M'}",
			"no dynamic capacity region");
}

SCENARIO(dpa_overflows)
{
	assert_harmless(s,
			"{'event_type':1,'uuid':'" TAG_A "','dpa_start':'0xffffffffffff0000',"
			"'length':'0x100000'}",
			"Ignoring a trace record");
}

SCENARIO(unknown_memdev)
{
	assert_harmless(s,
			"{'memdev':'mem9','event_type':1,'uuid':'" TAG_A
			"','dpa_start':0,'length':'256M'}",
			"no memory device mem9");
}

SCENARIO(forced_release)
{
	struct host *before;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	before = host_save(s);
	sim_ok(s, "{'cmd':'forced-release','memdev':'mem0','tag':'%s'}", TAG_A);
	daemon_wait_log(s, "by force");
	host_assert_same(s, before);
}

/* The device asks right after it gave: the daemon's picture is older than the group. */
SCENARIO(released_right_after_it_was_added)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

/* While a refused request is fresh, the device's repetitions only count. */
SCENARIO(refused_is_not_asked_again_at_once)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "kmem", "kernel");
	before = host_save(s);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "refused", 10);
	WAIT_FOR(s, manager_u64(s, "Records") >= 21, 10);
	assert_int_equal(n_releases(s), 1);
	r = release_wait(s, TAG_A, "refused", 10);
	assert_int_equal(member_int(r, "Records"), 20);
	host_assert_same(s, before);
}

/* The orchestrator waits for `ready`, and so may an operator with nothing but the journal. */
SCENARIO(ready_says_that_the_device_must_ask_again)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	r = release_wait(s, TAG_A, "ready", 10);
	assert_true(member_bool(r, "RetryWanted"));
	assert_true(daemon_log_has(s, "must ask again"));
	/* Nothing in the kernel does it for us. */
	assert_int_equal(n_releases(s), 1);
	release_collect(s, TAG_A, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test(hundred_records_are_one_request),
		scenario_test(trailing_records_are_no_news),
		scenario_test(same_tag_again),
		scenario_test_with(record_long_before_the_rule, &slow_rule),
		scenario_test_with(records_lost, &small_buffer),
		scenario_test(flood),
		scenario_test_with(started_before_the_event_exists, &no_daemon),
		scenario_test(event_goes_and_comes),
		scenario_test_with(started_with_a_release_already_refused, &no_daemon),
		scenario_test(unknown_event_type),
		scenario_test(unknown_tag),
		scenario_test(null_tag_for_a_tagged_group),
		scenario_test(right_tag_wrong_dpa),
		scenario_test(dpa_outside_every_region),
		scenario_test(dpa_overflows),
		scenario_test(unknown_memdev),
		scenario_test(forced_release),
		scenario_test_with(released_right_after_it_was_added, &slow_blocks),
		scenario_test(refused_is_not_asked_again_at_once),
		scenario_test(ready_says_that_the_device_must_ask_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
