/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes wrong in the middle of a release: blocks and devices that refuse, other hands, extents
 * that vanish, a kernel that does not come back. Afterwards the host is free or as before.
 */
#include "six_blocks.h"

static const struct scenario_options once = { .config = ONCE };
/* Nothing in a kernel zone keeps a block from going offline. */
static const struct scenario_options movable_kernel_zone = {
	.config = ONCE,
	.topology = "{'boot_memory':'3G','kernel_unmovable':false,'memdevs':[{'serial':99,"
		    "'partitions':[{'dpa':0,'size':'4G'}],"
		    "'regions':[{'partition':0,'hpa':'0xa90000000'}]}]}",
};
static const struct scenario_options retries = {
	.config = "[release]\nretries = 2\nbackoff-initial = 50ms\n",
};
static const struct scenario_options short_timeout = {
	.config = ONCE "block-timeout = 300ms\n",
};

static void assert_rolled_back(struct scenario *s, const struct host *before, const char *why)
{
	assert_end(s, "refused", why);
	host_assert_same(s, before);
}

static void block_fails(struct scenario *s, unsigned block, const char *error)
{
	char path[96], name[32];
	struct host *before;
	uint64_t since;

	(void)claim_a(s);
	(void)sim_fault_errno(s, block_path(block, path), "offline", error, 1, 0);
	(void)snprintf(name, sizeof(name), "memory%llu", (unsigned long long)BLOCK0 + block);
	before = host_save(s);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_rolled_back(s, before, name);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", true), block);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "online_movable", true), block);
	assert_int_equal(sim_writes(s, since, "*/unbind", NULL, false), 0);
}

#define BLOCK_FAILS(error)                                                                         \
	SCENARIO(first_block_##error)                                                              \
	{                                                                                          \
		block_fails(s, 0, #error);                                                         \
	}                                                                                          \
	SCENARIO(middle_block_##error)                                                             \
	{                                                                                          \
		block_fails(s, 3, #error);                                                         \
	}                                                                                          \
	SCENARIO(last_block_##error)                                                               \
	{                                                                                          \
		block_fails(s, N_BLOCKS - 1, #error);                                              \
	}

BLOCK_FAILS(EBUSY)
BLOCK_FAILS(EINVAL)
BLOCK_FAILS(EIO)
BLOCK_FAILS(ENOMEM)
BLOCK_FAILS(EAGAIN)
/* By nobody's wish: a signal that was not ours. */
BLOCK_FAILS(EINTR)

#define BLOCK_FAILS_TESTS(error)                                                                   \
	scenario_test_with(first_block_##error, &once),                                            \
		scenario_test_with(middle_block_##error, &once),                                   \
		scenario_test_with(last_block_##error, &once)

/* A block that fails once: deferred, and freed on the next try. */
SCENARIO(block_fails_once)
{
	struct host *before = host_save(s);
	char path[96];

	(void)claim_a(s);
	(void)sim_fault_errno(s, block_path(2, path), "offline", "EBUSY", 1, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, before);
}

/* Coming back online fails at first, too. */
SCENARIO(roll_back_needs_several_tries)
{
	char path[96];
	struct host *before;

	(void)claim_a(s);
	(void)sim_fault_errno(s, block_path(4, path), "offline", "EBUSY", 1, 0);
	(void)sim_fault_errno(s, block_path(1, path), "online_movable", "ENOMEM", 1, 2);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_rolled_back(s, before, "busy");
}

/* It never comes back: the daemon says so, and names the block. */
SCENARIO(roll_back_fails)
{
	char path[96], name[32];
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before;

	(void)claim_a(s);
	before = host_save(s);
	(void)sim_fault_errno(s, block_path(4, path), "offline", "EBUSY", 1, 0);
	(void)sim_fault_errno(s, block_path(1, path), "online_movable", "ENOMEM", 1, 0);
	(void)snprintf(name, sizeof(name), "memory%llu", (unsigned long long)BLOCK0 + 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	r = release_wait(s, TAG_A, "failed", 60);
	assert_non_null(strstr(member_string(r, "Reason"), name));
	/* All that is not as before is that block, and how much memory the node has. */
	host_assert_same_except(s, before, "*/memory339/*", "sim.blocks?339?.*",
				"*/node1/meminfo = *", "sim.nodes?1?.total = *");
	/* And keeps its hands off: the device's next request changes nothing. */
	{
		uint64_t since = sim_log_next(s);

		assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
		daemon_wait_log(s, "failed half-way");
		assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	}
	scenario_keeps_journal(s);
}

static void device_step_fails(struct scenario *s, const char *path, const char *value,
			      const char *error)
{
	struct host *before;

	(void)claim_a(s);
	(void)sim_fault_errno(s, path, value, error, 1, 0);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_rolled_back(s, before, "dax0.1");
}

SCENARIO(unbind_fails)
{
	device_step_fails(s, "*/drivers/kmem/unbind", "*", "EIO");
}

/* Bound no more, and then the claim cannot be given up: bound again, every block in its zone. */
SCENARIO(size_fails)
{
	device_step_fails(s, "*/dax0.1/size", "0", "EBUSY");
}

/*
 * The same where the kernel brings blocks online by itself, in a kernel zone: they go offline once
 * more and come back in theirs.
 */
SCENARIO(size_fails_auto_online)
{
	struct host *before;

	(void)claim_a(s);
	sim_set(s, "{'auto_online':'online_kernel'}");
	(void)sim_fault_errno(s, "*/dax0.1/size", "0", "EBUSY", 1, 0);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_rolled_back(s, before, "dax0.1");
}

/* And where they cannot leave that zone any more, this is what the daemon says. */
SCENARIO(size_fails_auto_online_for_ever)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before;

	(void)claim_a(s);
	sim_set(s, "{'auto_online':'online_kernel'}");
	(void)sim_fault_errno(s, "*/dax0.1/size", "0", "EBUSY", 1, 0);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	r = release_wait(s, TAG_A, "failed", 60);
	if (!strstr(member_string(r, "Reason"), "was online in movable"))
		scenario_fail(s, "the reason is \"%s\"", member_string(r, "Reason"));
	/* All of it is in use as before, but in the other zone. */
	host_assert_same_except(s, before, "*zone*", "*.unmovable = *");
	scenario_keeps_journal(s);
}

/* A device of size 0 harms nobody: the group is free all the same. */
SCENARIO(delete_fails)
{
	struct host *before = host_save(s);

	(void)claim_a(s);
	(void)sim_fault_errno(s, "*/dax_region/delete", "*", "EBUSY", 1, 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect_except(s, TAG_A, before, "*dax0.1*", HOST_YOUNGEST);
	sysfs_assert(s, "/sys/bus/dax/devices/dax0.1/size", "0");
}

/* Another hand takes a block offline before we come to it: it is not ours to put back. */
SCENARIO(another_hand_takes_a_block_offline)
{
	struct host *before = host_save(s);
	char path[96];
	unsigned fault;

	(void)claim_a(s);
	fault = sim_fault(s, block_path(1, path), "'value':'offline','action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(sim_write(s, block_path(4, path), "offline"), 0);
	sim_release_hang(s, fault);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, before);
}

/* Another hand brings a block back that we took offline: nothing is detached. */
SCENARIO(another_hand_brings_a_block_online)
{
	char path[96];
	unsigned fault;
	struct host *before;
	uint64_t since;

	(void)claim_a(s);
	fault = sim_fault(s, block_path(5, path), "'value':'offline','action':'hang'");
	before = host_save(s);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(sim_write(s, block_path(0, path), "online_movable"), 0);
	sim_release_hang(s, fault);
	assert_rolled_back(s, before, "not detached");
	assert_int_equal(sim_writes(s, since, "*/unbind", NULL, false), 0);
}

/*
 * Gone when the daemon, having read the record, looks at the host to decide: another hand freed the
 * group and the device asked once more. That is what was asked for.
 */
SCENARIO(vanish_before_the_decision)
{
	struct host *before = host_save(s);
	unsigned fault;
	uint64_t since;

	(void)claim_a(s);
	/* So that the next look is the one because of the record. */
	manager_wait_idle(s);
	fault = sim_fault(s, "*/extent*/offset", "'op':'read','action':'vanish','what':'group'");
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "released", 20);
	assert_int_equal(sim_fault_hits(s, fault), 1);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

/* Decided, and gone with everything on it before the daemon's first write does something. */
SCENARIO(vanish_before_the_first_write)
{
	struct host *before = host_save(s);
	uint64_t since;

	(void)claim_a(s);
	(void)sim_fault(s, "*/memory*/state", "'value':'offline','action':'vanish','what':'group'");
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "vanished", 20);
	assert_int_equal(sim_writes(s, since, "*", NULL, true), 0);
	host_assert_same(s, before);
}

SCENARIO(vanish_during)
{
	struct host *before = host_save(s);
	char path[96];

	(void)claim_a(s);
	(void)sim_fault(s, block_path(3, path),
			"'value':'offline','action':'vanish','what':'group'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "vanished", 20);
	host_assert_same(s, before);
}

SCENARIO(vanish_after_the_last_block)
{
	struct host *before = host_save(s);
	char path[96];

	(void)claim_a(s);
	(void)sim_fault(s, block_path(N_BLOCKS - 1, path),
			"'value':'offline','action':'after','what':'group'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "vanished", 20);
	host_assert_same(s, before);
}

/* The group is free, and goes without another record. */
SCENARIO(vanish_after)
{
	struct host *before = host_save(s);

	(void)claim_a(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	/* At the daemon's next look. */
	(void)sim_fault(s, "*/extent*/offset", "'op':'read','action':'vanish','what':'group'");
	release_wait_state(s, TAG_A, "released", 30);
	host_assert_same(s, before);
}

/* Somebody deletes the device when all its memory is offline: the group is free that way, too. */
SCENARIO(device_deleted_by_another_hand)
{
	struct host *before = host_save(s);

	(void)claim_a(s);
	(void)sim_fault(s, "*/dax0.1/size", "'value':'0','action':'vanish','what':'device'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, before);
}

/* The device's retry comes while its memory is still going offline. */
SCENARIO(retry_while_offlining)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before = host_save(s);
	uint64_t records;
	char path[96];
	unsigned fault;

	(void)claim_a(s);
	records = manager_u64(s, "Records");
	fault = sim_fault(s, block_path(2, path), "'value':'offline','action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	WAIT_FOR(s, manager_u64(s, "Records") >= records + 6, 10);
	release_wait_state(s, TAG_A, "offlining", 10);
	sim_release_hang(s, fault);
	r = release_wait(s, TAG_A, "ready", 20);
	assert_int_equal(member_int(r, "Records"), 6);
	assert_int_equal(member_int(r, "Attempts"), 1);
	release_collect(s, TAG_A, before);
}

/* A pinned page: the kernel would try for ever. The deadline interrupts it. */
SCENARIO(pinned_page)
{
	struct host *before;

	(void)claim_a(s);
	sim_pin(s, BLOCK0 + 2, true);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_rolled_back(s, before, "timed out");
}

/*
 * The kernel does not come back even so. The daemon answers, frees another group, and puts this one
 * back when the kernel lets go.
 */
SCENARIO(kernel_does_not_let_go)
{
	struct host *before;
	char path[96];
	unsigned fault;

	(void)claim_a(s);
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(2 * GiB, 256 * MiB));
	fault = sim_fault(s, block_path(2, path),
			  "'value':'offline','action':'hang-uninterruptible'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	for (usec_t deadline = deadline_in(30); !daemon_log_has(s, "does not let go");)
		if (deadline_passed(deadline))
			scenario_fail(s, "the daemon did not notice that the kernel hangs");
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	release_wait_state(s, TAG_B, "ready", 20);
	sim_retry(s);
	release_wait_state(s, TAG_B, "released", 10);
	sim_release_hang(s, fault);
	assert_end(s, "refused", "timed out");
	/* As it was, and the other group gone. */
	host_assert_same_except(s, before, HOST_YOUNGEST);
}

/* The worker process is killed in the middle of a step. */
SCENARIO(worker_dies)
{
	char path[96];
	struct host *before;
	unsigned fault;

	(void)claim_a(s);
	fault = sim_fault(s, block_path(2, path), "'value':'offline','action':'hang'");
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(command(s, NULL, "pkill -KILL -P %d dcdd-worker", (int)daemon_pid(s)), 0);
	assert_rolled_back(s, before, "worker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLOCK_FAILS_TESTS(EBUSY),
		BLOCK_FAILS_TESTS(EINVAL),
		BLOCK_FAILS_TESTS(EIO),
		BLOCK_FAILS_TESTS(ENOMEM),
		BLOCK_FAILS_TESTS(EAGAIN),
		BLOCK_FAILS_TESTS(EINTR),
		scenario_test_with(block_fails_once, &retries),
		scenario_test_with(roll_back_needs_several_tries, &once),
		scenario_test_with(roll_back_fails, &once),
		scenario_test_with(unbind_fails, &once),
		scenario_test_with(size_fails, &once),
		scenario_test_with(size_fails_auto_online, &movable_kernel_zone),
		scenario_test_with(size_fails_auto_online_for_ever, &once),
		scenario_test_with(delete_fails, &once),
		scenario_test_with(another_hand_takes_a_block_offline, &once),
		scenario_test_with(another_hand_brings_a_block_online, &once),
		scenario_test_with(vanish_before_the_decision, &once),
		scenario_test_with(vanish_before_the_first_write, &once),
		scenario_test_with(vanish_during, &once),
		scenario_test_with(vanish_after_the_last_block, &once),
		scenario_test_with(vanish_after, &once),
		scenario_test_with(device_deleted_by_another_hand, &once),
		scenario_test_with(retry_while_offlining, &once),
		scenario_test_with(pinned_page, &short_timeout),
		scenario_test_with(kernel_does_not_let_go, &short_timeout),
		scenario_test_with(worker_dies, &once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
