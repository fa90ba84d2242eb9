/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example policies that make releases wait, for a quiet hour or for a person's word, do what
 * their comments promise.
 */
#include "example.h"

/* ---- latency-critical ---- */

#define LATENCY "latency-critical", "50-latency.conf"

/* What the service is laid out for stays, and above it is what is lent. */
#define LENT_DPA (72 * GiB)

static void start_latency(struct scenario *s, const char *shorter, enum weekday day, int hour,
			  uint64_t base)
{
	install(s, LATENCY, shorter);
	installed_clock(s, day, hour, 0, 0);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	(void)SIM_RAM(s, "mem0", TAG_C, EXTENT(0, base));
}

static void lend(struct scenario *s)
{
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(LENT_DPA, 4 * GiB));
}

SCENARIO(latency_waits_for_the_night)
{
	struct host *before;

	start_latency(s, "", WEDNESDAY, 14, 72 * GiB);
	before = host_save(s);
	lend(s);
	ask_and_wait(s, TAG_A, "held", "no time window is open, the next opens Wed ");
	assert_deadline(s, TAG_A, 24 * 3600);
	/* No night has to pass for it: the clock of the host is set. */
	installed_clock(s, WEDNESDAY, 23, 0, 0);
	goes_on_beside(s, TAG_A, before);
}

/* The decisions that the comment invites to try, and those for who frees by hand. */
SCENARIO(latency_at_any_hour)
{
	static const struct offline_case cases[] = {
		{ TAG_A, "--at='2026-11-25 14:00'", 7 },
		{ TAG_A, "--at='2026-11-25 21:59:59'", 7 },
		{ TAG_A, "--at='2026-11-25 22:00'", 0 },
		{ TAG_A, "--at='2026-11-26 05:59:59'", 0 },
		{ TAG_A, "--at='2026-11-26 06:00'", 7 },
		{ TAG_A, "--at='2026-11-28 14:00'", 0 },
		{ TAG_A, "--at='2026-11-30 03:00'", 7 }, /* Sunday has no such night */
		{ TAG_A, "--at='2026-11-25 14:00' --origin=admin", 0 },
		{ TAG_B, "--at='2026-11-25 14:00'", 0 }, /* the spare node */
	};
	struct host *before;

	install(s, LATENCY, "");
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	(void)SIM_RAM(s, "mem0", TAG_C, EXTENT(0, 72 * GiB));
	lend(s);
	(void)SIM_RAM(s, "mem1", TAG_B, EXTENT(0, 4 * GiB));
	before = host_save(s);
	assert_offline(s, cases, ARRAY_SIZE(cases));
	host_assert_same(s, before);
}

/* The spare node's memory goes under the same pressure, and by day. */
SCENARIO(latency_waits_for_calm)
{
	struct host *before;

	start_latency(s, "pressure-settle = 3s\n", WEDNESDAY, 14, 72 * GiB);
	before = host_save(s);
	lend(s);
	(void)SIM_RAM(s, "mem1", TAG_B, EXTENT(0, 4 * GiB));
	installed_clock(s, WEDNESDAY, 23, 0, 0);
	sim_ok(s, "{'cmd':'pressure','some':5,'full':0.1,'fire':true}");
	ask_and_wait(s, TAG_A, "held", "pressure-some");
	installed_clock(s, WEDNESDAY, 14, 0, 0);
	assert_int_equal(sim_release(s, "mem1", TAG_B), -EBUSY);
	collect(s, "mem1", TAG_B);
	assert_false(daemon_log_has(s, "Release of " TAG_B " on mem1: held"));
	release_wait_state(s, TAG_A, "held", 1);
	installed_clock(s, WEDNESDAY, 23, 0, 0);
	sim_ok(s, "{'cmd':'pressure','some':0,'full':0}");
	goes_on_beside(s, TAG_A, before);
}

SCENARIO(latency_keeps_its_reserve)
{
	start_latency(s, "", WEDNESDAY, 23, 62 * GiB);
	lend(s);
	ask_and_wait(s, TAG_A, "held", "reserve-host");
	assert_deadline(s, TAG_A, 3600);
	(void)SIM_RAM(s, "mem1", TAG_B, EXTENT(0, 2 * GiB));
	collect(s, "mem0", TAG_A);
	/* Now it is exactly what is to stay. */
	assert_explained(s, TAG_B, 7, "reserve-host");
	host_not_compared(s, "another group has come meanwhile");
}

/* Two groups of a device in an hour, and none that is more than the hour allows. */
SCENARIO(latency_frees_slowly)
{
	static const char *const tags[] = { TAG_A, TAG_B, "d0000000-0000-4000-8000-000000000001" };
	static const char other[] = "d0000000-0000-4000-8000-000000000002";
	static const char large[] = "d0000000-0000-4000-8000-000000000003";
	struct host *before;

	start_latency(s, "", WEDNESDAY, 23, 72 * GiB);
	for (unsigned i = 0; i < ARRAY_SIZE(tags); i++)
		(void)SIM_RAM(s, "mem0", tags[i], EXTENT(LENT_DPA + i * 2 * GiB, 2 * GiB));
	(void)SIM_RAM(s, "mem0", large, EXTENT(LENT_DPA + 8 * GiB, 34 * GiB));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(sim_release(s, "mem0", tags[i]), -EBUSY);
		collect(s, "mem0", tags[i]);
	}
	before = host_save(s);
	ask_and_wait(s, tags[2], "held", "rate-memdev-groups");
	assert_int_equal(sim_release(s, "mem0", large), -EBUSY);
	{
		_cleanup_json_ struct json_object *release = release_wait(s, large, "refused", 15);

		assert_says(s, release, "rate-bytes");
	}
	(void)SIM_RAM(s, "mem1", other, EXTENT(0, 2 * GiB));
	assert_int_equal(sim_release(s, "mem1", other), -EBUSY);
	collect(s, "mem1", other);
	release_wait_state(s, tags[2], "held", 1);
	host_assert_same(s, before);
}

static void use(struct scenario *s, unsigned node, unsigned gib)
{
	sim_ok(s, "{'cmd':'set','node_used':{'node':%u,'bytes':'%uG'}}", node, gib);
}

/* What is in use on the group's node has to go somewhere, and leave enough there. */
SCENARIO(latency_keeps_its_headroom)
{
	struct host *before;

	start_latency(s, LOOKS, WEDNESDAY, 23, 72 * GiB);
	before = host_save(s);
	lend(s);
	use(s, 0, 62);
	use(s, 1, 60);
	ask_and_wait(s, TAG_A, "held", "in use must move");
	use(s, 0, 8);
	release_wait_state(s, TAG_A, "ready", 15);
	use(s, 0, 0);
	use(s, 1, 0);
	release_collect_except(s, TAG_A, before, HOST_YOUNGEST);
}

/* Everything is put back, and it comes back after minutes; sooner if it is told other times. */
SCENARIO(latency_leaves_busy_blocks)
{
	_cleanup_json_ struct json_object *release = NULL;
	struct host *before, *with;
	unsigned fault;

	start_latency(s, "block-timeout = 500ms\n", WEDNESDAY, 23, 72 * GiB);
	before = host_save(s);
	lend(s);
	with = host_save(s);
	fault = sim_fault(s, "*/memory*/state", "'value':'offline','nth':2,'action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	release = release_wait(s, TAG_A, "deferred", 15);
	assert_says(s, release, "timed out after 0.5 s");
	host_assert_same(s, with);
	assert_deadline(s, TAG_A, 5 * 60);
	installed_write(s, ETC D SHORTER, SOON LOOKS);
	installed_reload(s);
	goes_on_beside(s, TAG_A, before);
}

SCENARIO(latency_disturbs_nobody)
{
	struct host *before;

	install(s, LATENCY, "");
	installed_clock(s, WEDNESDAY, 23, 0, 0);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 2 * GiB));
	(void)sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_refused(s, TAG_A, "devdax", before);
}

/* ---- manual-approval ---- */

#define MANUAL "manual-approval", "50-approval.conf"

static const struct scenario_options test_device = {
	.topology = "{'boot_memory':'8G','window_size':'16G','memdevs':["
		    "{'serial':99,'host':'0000:0d:00.0','partitions':[{'dpa':0,'size':'4G'}],"
		    "'regions':[{'partition':0,'target_node':1}]},"
		    "{'serial':'0x1c0ffee5','host':'0000:0e:00.0',"
		    "'partitions':[{'dpa':0,'size':'8G'}],"
		    "'regions':[{'partition':0,'target_node':2}]}]}",
	.no_daemon = true,
};

static void use_but(struct scenario *s, unsigned mib)
{
	sim_ok(s, "{'cmd':'set','node_used':{'node':0,'bytes':'%uM'}}", 8 * 1024 - mib);
}

/* An approval makes no room. */
SCENARIO(manual_approved)
{
	struct host *before;

	start(s, MANUAL, LOOKS);
	use_but(s, 512);
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 384 * MiB));
	ask_and_wait(s, TAG_A, "held", "tell the owner of the workload before you approve");
	assert_int_equal(command(s, NULL, "dcdctl approve " TAG_A), 0);
	WAIT_FOR(s, daemon_log_has(s, "must keep"), 15);
	release_wait_state(s, TAG_A, "held", 1);
	use_but(s, 4096);
	release_wait_state(s, TAG_A, "ready", 15);
	use_but(s, 512);
	release_collect(s, TAG_A, before);
}

SCENARIO(manual_denied)
{
	struct host *before;

	start(s, MANUAL, "");
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 384 * MiB));
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "tell the owner");
	assert_deadline(s, TAG_A, 8 * 3600);
	assert_int_equal(command(s, NULL, "dcdctl deny %s 'until the quarter is closed'", TAG_A),
			 0);
	assert_refused(s, TAG_A, "until the quarter is closed", before);
}

/* It stays; and when the device asks again a person is asked again. */
SCENARIO(manual_nobody_answers)
{
	struct host *empty = host_save(s), *before;

	start(s, MANUAL, "ask-timeout = 1s\n");
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 384 * MiB));
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "tell the owner");
	assert_refused(s, TAG_A, "waited 1s (ask-timeout)", before);
	ask_and_wait(s, TAG_A, "held", "tell the owner");
	assert_int_equal(command(s, NULL, "dcdctl approve " TAG_A), 0);
	assert_goes_on(s, TAG_A, empty);
}

/* Who approves hears why nothing happens. */
SCENARIO(manual_approved_but_held_open)
{
	const char *device;
	struct host *before;
	pid_t pid;

	start(s, MANUAL, "holders-wait = 1s\n");
	device = claim_devdax(s, TAG_A);
	pid = holder_start(s, device, true);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "tell the owner");
	assert_int_equal(command(s, NULL, "dcdctl approve " TAG_A), 0);
	assert_refused(s, TAG_A, "mapped by process", before);
	holder_stop(s, pid);
}

SCENARIO(manual_keeps_unbound)
{
	struct host *before;

	start(s, MANUAL, "");
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "none", "offline");
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_refused(s, TAG_A, "unbound", before);
}

/* By its serial number, and up to a size. */
SCENARIO(manual_test_device)
{
	struct host *before;

	start(s, MANUAL, "");
	(void)SIM_RAM(s, "mem1", TAG_A, EXTENT(0, 256 * MiB));
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem1", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "held", 15);
	assert_explained(s, TAG_A, 7, "goes by itself unless somebody denies it");
	assert_deadline(s, TAG_A, 15 * 60);
	assert_int_equal(command(s, NULL, "dcdctl deny %s 'is being looked at'", TAG_A), 0);
	assert_refused(s, TAG_A, "is being looked at", before);
	SIM_ADD(s, "mem1", TAG_B, EXTENT(1024 * MiB, 4 * GiB + 128 * MiB));
	(void)sim_claim(s, "mem1", TAG_B, "kmem", "offline");
	assert_explained(s, TAG_B, 7, "rule: default\n");
	(void)SIM_RAM(s, "mem0", TAG_C, EXTENT(0, 256 * MiB));
	assert_explained(s, TAG_C, 7, "rule: default\n");
}

SCENARIO(manual_by_hand)
{
	static const struct offline_case cases[] = {
		{ TAG_A, "", 7 },
		{ TAG_A, "--approved", 0 },
		{ TAG_A, "--origin=admin", 0 },
	};
	struct host *before;

	start(s, MANUAL, "");
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	before = host_save(s);
	assert_offline(s, cases, ARRAY_SIZE(cases));
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(latency_waits_for_the_night, &large_blocks),
		scenario_test_with(latency_at_any_hour, &large_blocks),
		scenario_test_with(latency_waits_for_calm, &large_blocks),
		scenario_test_with(latency_keeps_its_reserve, &large_blocks),
		scenario_test_with(latency_frees_slowly, &large_blocks),
		scenario_test_with(latency_keeps_its_headroom, &large_blocks),
		scenario_test_with(latency_leaves_busy_blocks, &large_blocks),
		scenario_test_with(latency_disturbs_nobody, &large_blocks),
		scenario_test_with(manual_approved, &test_device),
		scenario_test_with(manual_denied, &test_device),
		scenario_test_with(manual_nobody_answers, &test_device),
		scenario_test_with(manual_approved_but_held_open, &test_device),
		scenario_test_with(manual_keeps_unbound, &test_device),
		scenario_test_with(manual_test_device, &test_device),
		scenario_test_with(manual_by_hand, &test_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
