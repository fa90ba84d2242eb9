/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shapes of groups and hosts: gaps with a neighbour's memory, many blocks, several groups and
 * devices at once, sharable and untagged extents, older names, the atomic `state` attribute.
 */
#include <dcdd/base.h>

#include "harness.h"

#define BLOCK0 (UINT64_C(0xa90000000) / (128 * MiB))

static const struct scenario_options large = { .topology = "tests/sim/topologies/large.json" };
static const struct scenario_options two_devices = {
	.topology = "tests/sim/topologies/two-devices.json",
};
static const struct scenario_options once = { .config = "[release]\nretries = 0\n" };
static const struct scenario_options old_names = { .naming = "v10" };
static const struct scenario_options atomic = { .settings = "{'state_attr':true}" };
static const struct scenario_options blocks_only = {
	.settings = "{'state_attr':true}",
	.config = "[release]\noffline-method = blocks\n",
};
static const struct scenario_options slow = { .settings = "{'offline_ms':50}" };
static const struct scenario_options free_sharable = {
	.topology = "tests/sim/topologies/two-devices.json",
	.config = "[release]\ndevdax = free\nignore-unseen-processes = yes\n",
};

/* @before: the host before the group's capacity came. */
static void assert_freed(struct scenario *s, const char *memdev, const char *tag,
			 const struct host *before)
{
	assert_int_equal(sim_release(s, memdev, tag), -EBUSY);
	release_wait_state(s, tag, "ready", 20);
	release_collect(s, tag, before);
}

/*
 * The device of group A has two ranges; in the gap between them is a neighbour. A tool that takes
 * the span from A's first byte to its last would switch off the neighbour's memory.
 */
SCENARIO(neighbour_in_the_gap)
{
	struct host *before;
	uint64_t since;

	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(256 * MiB, 256 * MiB));
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB));
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect_except(s, TAG_A, before, HOST_YOUNGEST);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", false), 3);
	for (unsigned i = 2; i < 4; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "*/memory%llu/*",
			       (unsigned long long)BLOCK0 + i);
		assert_int_equal(sim_writes(s, since, path, NULL, false), 0);
		(void)snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%llu/state",
			       (unsigned long long)BLOCK0 + i);
		sysfs_assert(s, path, "online");
	}
}

SCENARIO(forty_eight_blocks)
{
	struct host *before = host_save(s);
	uint64_t since;
	_cleanup_json_ struct json_object *ready = NULL;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 2 * GiB), EXTENT(4 * GiB, 2 * GiB),
		      EXTENT(8 * GiB, 2 * GiB));
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	ready = release_wait(s, TAG_A, "ready", 20);
	assert_int_equal(member_int(ready, "Extents"), 3);
	assert_int_equal(member_int(ready, "Bytes"), 6 * GiB);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", true), 48);
	release_collect(s, TAG_A, before);
}

/* One after the other, in the order of their requests, and both to the end. */
SCENARIO(two_groups_at_once)
{
	_cleanup_json_ struct json_object *a = NULL, *b = NULL;
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 512 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	b = release_wait(s, TAG_B, "ready", 20);
	a = release_wait(s, TAG_A, "ready", 20);
	assert_true(member_int(a, "Entered") < member_int(b, "Entered"));
	sim_retry(s);
	release_wait_state(s, TAG_A, "released", 10);
	release_wait_state(s, TAG_B, "released", 10);
	host_assert_same(s, before);
}

/* A group that cannot be freed does not keep the next one from its turn. */
SCENARIO(a_failing_group_does_not_block_another)
{
	struct host *before;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	sim_unmovable(s, BLOCK0 + 1, true);
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 512 * MiB));
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	release_wait_state(s, TAG_B, "ready", 20);
	release_wait_state(s, TAG_A, "refused", 20);
	/* The device repeats both requests; the refused one is as before, the other one gone. */
	release_collect_except(s, TAG_B, before, HOST_YOUNGEST);
}

/* The same tag cannot be live twice on a host, but each device has its own. */
SCENARIO(two_memdevs)
{
	struct host *empty = host_save(s), *with_a;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	with_a = host_save(s);
	(void)SIM_RAM(s, "mem1", TAG_B, EXTENT(256 * MiB, 256 * MiB));
	assert_freed(s, "mem1", TAG_B, with_a);
	assert_freed(s, "mem0", TAG_A, empty);
}

SCENARIO(sharable)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT_SEQ(4 * GiB, 256 * MiB, 0),
		EXTENT_SEQ(5 * GiB, 128 * MiB, 1));
	/* The device's second region. */
	sim_ok(s, "{'cmd':'claim','region':'region1','tag':'%s','driver':'device_dax'}", TAG_A);
	assert_freed(s, "mem0", TAG_A, before);
}

SCENARIO(older_names)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB));
	assert_freed(s, "mem0", TAG_A, before);
}

/* Brought online by the device's own attribute, which therefore tells the truth. */
static void claim_atomic(struct scenario *s)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 512 * MiB), EXTENT(1024 * MiB, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "kmem", "offline");
	assert_int_equal(sim_write(s, "bus/dax/devices/dax0.1/state", "online_movable"), 0);
}

SCENARIO(atomic_state)
{
	struct host *before = host_save(s);
	uint64_t since;

	claim_atomic(s);
	since = sim_log_next(s);
	assert_freed(s, "mem0", TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/dax*/state", "unplugged", true), 1);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", NULL, false), 0);
}

SCENARIO(atomic_state_fails)
{
	struct host *before;

	claim_atomic(s);
	sim_unmovable(s, BLOCK0 + 3, true);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "deferred", 20);
	host_assert_same(s, before);
}

/* Unplugged, and then the unbind fails: the device's blocks come back by its `state`. */
SCENARIO(atomic_state_is_put_back)
{
	struct host *before;

	claim_atomic(s);
	before = host_save(s);
	(void)sim_fault_errno(s, "*/kmem/unbind", "*", "EIO", 1, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "deferred", 20);
	host_assert_same(s, before);
}

/* Onlined block by block, the attribute does not know of it: so it is not used. */
SCENARIO(atomic_state_stale)
{
	struct host *before = host_save(s);
	uint64_t since;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	since = sim_log_next(s);
	assert_freed(s, "mem0", TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/dax*/state", NULL, false), 0);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", true), 4);
}

SCENARIO(atomic_state_not_wanted)
{
	struct host *before = host_save(s);
	uint64_t since;

	claim_atomic(s);
	since = sim_log_next(s);
	assert_freed(s, "mem0", TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/dax*/state", NULL, false), 0);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", true), 6);
}

SCENARIO(untagged)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", NULL, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", NULL, "kmem", "movable");
	assert_int_equal(sim_release_extent(s, "mem0", NULL, 0, 256 * MiB), -EBUSY);
	release_wait_state(s, "", "ready", 10);
	sim_retry(s);
	release_wait_state(s, "", "released", 10);
	host_assert_same(s, before);
}

/*
 * Two untagged extents of one chain: a hidden group. The one that is asked for is freed, and still
 * the kernel does not release it; the daemon names the other.
 */
SCENARIO(untagged_hidden_group)
{
	usec_t deadline = deadline_in(10);
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", NULL, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB));
	(void)sim_claim(s, "mem0", NULL, "kmem", "movable");
	(void)sim_claim(s, "mem0", NULL, "kmem", "movable");
	assert_int_equal(sim_release_extent(s, "mem0", NULL, 0, 256 * MiB), -EBUSY);
	json_object_put(release_wait_untagged(s, 0, "ready", 10));
	assert_int_equal(sim_release_extent(s, "mem0", NULL, 0, 256 * MiB), -EBUSY);
	for (;;) {
		_cleanup_json_ struct json_object *r = release_wait_untagged(s, 0, "ready", 10);
		const char *reason = member_string(r, "Reason");

		if (strstr(reason, "hidden group") && strstr(reason, "0x20000000"))
			break;
		if (deadline_passed(deadline))
			scenario_fail(s, "the reason does not name the hidden group: %s", reason);
	}
	/* Asked for the other one as well, both are free and go together. */
	assert_int_equal(sim_release_extent(s, "mem0", NULL, 512 * MiB, 128 * MiB), -EBUSY);
	json_object_put(release_wait_untagged(s, 512 * MiB, "ready", 10));
	sim_retry(s);
	json_object_put(release_wait_untagged(s, 0, "released", 10));
	json_object_put(release_wait_untagged(s, 512 * MiB, "released", 10));
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test(neighbour_in_the_gap),
		scenario_test_with(forty_eight_blocks, &large),
		scenario_test_with(two_groups_at_once, &slow),
		scenario_test_with(a_failing_group_does_not_block_another, &once),
		scenario_test_with(two_memdevs, &two_devices),
		scenario_test_with(sharable, &free_sharable),
		scenario_test_with(older_names, &old_names),
		scenario_test_with(atomic_state, &atomic),
		scenario_test_with(atomic_state_fails, &atomic),
		scenario_test_with(atomic_state_is_put_back, &atomic),
		scenario_test_with(atomic_state_stale, &atomic),
		scenario_test_with(atomic_state_not_wanted, &blocks_only),
		scenario_test(untagged),
		scenario_test(untagged_hidden_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
