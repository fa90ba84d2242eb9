/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon is killed, or cannot finish, in the middle of a release: the next one puts the host
 * back to how it was, or finishes, by the undo journal that is left. And where several releases
 * have to share the executor.
 */
#include "six_blocks.h"

#include <signal.h>

#include <dcdd/names.h>

static const struct scenario_options once = { .config = ONCE };
static const struct scenario_options resume = { .config = ONCE "recovery = resume\n" };
static const struct scenario_options short_stop = {
	.config = "[daemon]\nstop-timeout = 1s\n" ONCE,
};
static const struct scenario_options two_at_once = {
	.config = "[daemon]\nconcurrency = 2\n" ONCE,
};

/* The device asks, and the release stands still in that write. Returns the fault. */
static unsigned hold_at(struct scenario *s, const char *path, const char *value)
{
	unsigned fault = sim_fault(s, path, "'value':'%s','action':'hang'", value);

	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	return fault;
}

/* Its worker dies with it: what it waited for is not done. */
static void kill_daemon(struct scenario *s)
{
	daemon_crash(s);
	assert_int_equal(scenario_journals(s, ".undo"), 1);
	sim_fault_clear(s);
}

static void assert_recovered(struct scenario *s, const struct host *before)
{
	_cleanup_json_ struct json_object *r = wait_end(s, "refused", "in the middle");

	assert_true(member_bool(r, "Recovered"));
	host_assert_same(s, before);
	assert_int_equal(scenario_journals(s, ""), 0);
}

/* ---- killed in each phase ---- */

static void killed_at(struct scenario *s, const char *path, const char *value)
{
	struct host *empty = host_save(s), *before;

	(void)claim_a(s);
	before = host_save(s);
	(void)hold_at(s, path, value);
	kill_daemon(s);
	assert_true(host_compare(before, host_save(s), false) > 0);
	daemon_start(s, NULL);
	assert_recovered(s, before);

	/* And it was only put back: the device may ask once more. */
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, empty);
}

SCENARIO(killed_while_offlining)
{
	killed_at(s, "*/memory341/state", "offline");
}

SCENARIO(killed_before_unbind)
{
	killed_at(s, "*/kmem/unbind", "dax0.1");
}

SCENARIO(killed_after_unbind)
{
	killed_at(s, "*/dax0.1/size", "0");
}

/* The claim is given back: that is free, and stays so; the empty device is tidied away. */
SCENARIO(killed_after_size_zero)
{
	struct host *empty = host_save(s);
	_cleanup_json_ struct json_object *r = NULL;
	uint64_t since;

	(void)claim_a(s);
	(void)hold_at(s, "*/dax_region/delete", "dax0.1");
	kill_daemon(s);
	since = sim_log_next(s);
	daemon_start(s, NULL);
	r = release_wait(s, TAG_A, "ready", 20);
	assert_true(member_bool(r, "Recovered"));
	assert_true(member_bool(r, "RetryWanted"));
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 1);
	assert_int_equal(sim_writes(s, since, "*/dax_region/delete", "dax0.1", true), 1);
	assert_int_equal(scenario_journals(s, ""), 0);
	release_collect(s, TAG_A, empty);
}

/* The same, and the device asks again before there is a daemon to see it. */
SCENARIO(released_while_there_was_no_daemon)
{
	struct host *empty = host_save(s);

	(void)claim_a(s);
	(void)hold_at(s, "*/dax_region/delete", "dax0.1");
	kill_daemon(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	daemon_start(s, NULL);
	release_wait_state(s, TAG_A, "released", 20);
	host_assert_same(s, empty);
}

SCENARIO(killed_while_rolling_back)
{
	struct host *before;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	(void)sim_fault_errno(s, block_path(5, path), "offline", "EBUSY", 1, 0);
	(void)hold_at(s, block_path(2, path), "online_movable");
	kill_daemon(s);
	daemon_start(s, NULL);
	assert_recovered(s, before);
}

/* A daemon starts, recovers as far as that write, and is killed in it. */
static void recover_until(struct scenario *s, const char *path, const char *value)
{
	unsigned fault = sim_fault(s, path, "'value':'%s','action':'hang'", value);

	daemon_launch(s, NULL, NULL);
	sim_fault_wait(s, fault, 1);
	kill_daemon(s);
}

/* Killed in every write of its own recovery, too, until there is none left. */
SCENARIO(killed_again_and_again)
{
	struct host *before;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	(void)hold_at(s, "*/dax0.1/size", "0");
	kill_daemon(s);
	recover_until(s, "*/kmem/*bind", "dax0.1");
	for (unsigned i = 0; i < N_BLOCKS; i++)
		recover_until(s, block_path(i, path), "online_movable");
	daemon_start(s, NULL);
	assert_recovered(s, before);
}

/* Another hand has put it back already, or freed it: then that is how it is. */
SCENARIO(put_back_by_another_hand)
{
	struct host *before;
	uint64_t since;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	(void)hold_at(s, block_path(2, path), "offline");
	kill_daemon(s);
	assert_int_equal(sim_write(s, block_path(0, path), "online_movable"), 0);
	assert_int_equal(sim_write(s, block_path(1, path), "online_movable"), 0);
	since = sim_log_next(s);
	daemon_start(s, NULL);
	assert_recovered(s, before);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
}

SCENARIO(freed_by_another_hand)
{
	struct host *empty = host_save(s);
	uint64_t since;
	char path[96];

	(void)claim_a(s);
	(void)hold_at(s, block_path(2, path), "offline");
	kill_daemon(s);
	for (unsigned i = 2; i < N_BLOCKS; i++)
		assert_int_equal(sim_write(s, block_path(i, path), "offline"), 0);
	assert_int_equal(sim_write(s, "bus/dax/drivers/kmem/unbind", "dax0.1"), 0);
	assert_int_equal(sim_write(s, "bus/dax/devices/dax0.1/size", "0"), 0);
	assert_int_equal(sim_write(s, "bus/cxl/devices/dax_region0/dax_region/delete", "dax0.1"),
			 0);
	since = sim_log_next(s);
	daemon_start(s, NULL);
	release_wait_state(s, TAG_A, "ready", 20);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	release_collect(s, TAG_A, empty);
}

/* ---- recovery = resume ---- */

static void resumed_from(struct scenario *s, const char *path, const char *value)
{
	struct host *empty = host_save(s);
	_cleanup_json_ struct json_object *r = NULL;
	uint64_t since;

	(void)claim_a(s);
	(void)hold_at(s, path, value);
	kill_daemon(s);
	since = sim_log_next(s);
	daemon_start(s, NULL);
	r = release_wait(s, TAG_A, "ready", 20);
	assert_true(member_bool(r, "Recovered"));
	assert_int_equal(sim_writes(s, since, "*", "online*", false), 0);
	release_collect(s, TAG_A, empty);
}

SCENARIO(resumed_while_offlining)
{
	resumed_from(s, "*/memory341/state", "offline");
}

SCENARIO(resumed_after_unbind)
{
	resumed_from(s, "*/dax0.1/size", "0");
}

/* The policy has changed since, and says no. */
SCENARIO(not_resumed_against_the_policy)
{
	struct host *before;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	(void)hold_at(s, block_path(3, path), "offline");
	kill_daemon(s);
	daemon_start(s, ONCE "recovery = resume\nsystem-ram = keep\n");
	assert_recovered(s, before);
}

/* ---- a kernel that does not let go ---- */

/*
 * Killed while its worker is stuck: the next daemon does not touch the group before that has come
 * back, and frees another one meanwhile.
 */
SCENARIO(killed_while_the_kernel_hangs)
{
	struct host *before;
	uint64_t since;
	unsigned fault;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	fault = sim_fault(s, block_path(1, path),
			  "'value':'offline','action':'hang-uninterruptible'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(daemon_kill(s, SIGKILL), 128 + SIGKILL);

	since = sim_log_next(s);
	daemon_start(s, NULL);
	json_object_put(release_wait(s, TAG_A, "rolling-back", 10));
	daemon_wait_log(s, "still in the kernel");
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	release_wait_state(s, TAG_B, "ready", 20);
	assert_int_equal(sim_release(s, "mem0", TAG_B), 0);
	release_wait_state(s, TAG_B, "released", 10);
	release_wait_state(s, TAG_A, "rolling-back", 10);
	assert_int_equal(sim_writes(s, since, "*/memory33*", NULL, false), 0);

	sim_release_hang(s, fault);
	assert_end(s, "refused", "in the middle");
	host_assert_same_except(s, before, HOST_YOUNGEST);
}

/*
 * Stopped by its service manager while the kernel does not let go: it says so with its exit status
 * and leaves the journal, by which the next start completes the roll-back.
 */
SCENARIO(stopped_while_the_kernel_hangs)
{
	struct host *empty = host_save(s), *before;
	unsigned fault;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	fault = sim_fault(s, block_path(1, path),
			  "'value':'offline','action':'hang-uninterruptible'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(daemon_kill(s, SIGTERM), DCDD_EXIT_FAILURE);
	assert_true(daemon_log_has(s, "memory339: offline-block; 1 of 6 memory blocks"));
	assert_true(daemon_log_has(s, "undo journals are kept"));
	assert_int_equal(scenario_journals(s, ".undo"), 1);

	daemon_start(s, NULL);
	release_wait_state(s, TAG_A, "rolling-back", 10);
	sim_release_hang(s, fault);
	assert_recovered(s, before);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, empty);
}

/* ---- several groups ---- */

/* Its blocks are 346 and 347. */
static const char *claim_b(struct scenario *s)
{
	return SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
}

static bool reason_has(struct scenario *s, const char *tag, const char *text)
{
	_cleanup_json_ struct json_object *r = release_find(s, tag);

	return r && strstr(member_string(r, "Reason"), text);
}

/* One stands still in its first block; with one at a time the other waits for its turn. */
SCENARIO(one_at_a_time)
{
	struct host *empty = host_save(s);
	unsigned fault;

	(void)claim_a(s);
	(void)claim_b(s);
	fault = hold_at_block(s, 0);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	WAIT_FOR(s, reason_has(s, TAG_B, "waiting for its turn"), 10);
	manager_wait_idle(s);
	assert_true(reason_has(s, TAG_B, "waiting for its turn"));
	sim_release_hang(s, fault);
	release_wait_state(s, TAG_A, "ready", 20);
	release_wait_state(s, TAG_B, "ready", 20);
	sim_retry(s);
	release_wait_state(s, TAG_A, "released", 10);
	release_wait_state(s, TAG_B, "released", 10);
	host_assert_same(s, empty);
}

/* With two it does not. */
SCENARIO(two_at_a_time)
{
	struct host *empty = host_save(s);
	unsigned fault;

	(void)claim_a(s);
	(void)claim_b(s);
	fault = hold_at_block(s, 0);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	release_wait_state(s, TAG_B, "ready", 20);
	release_wait_state(s, TAG_A, "offlining", 1);
	sim_release_hang(s, fault);
	release_wait_state(s, TAG_A, "ready", 20);
	sim_retry(s);
	release_wait_state(s, TAG_A, "released", 10);
	release_wait_state(s, TAG_B, "released", 10);
	host_assert_same(s, empty);
}

/* Killed with two half done: a journal for each, and both are put back. */
SCENARIO(two_are_recovered)
{
	struct host *before;
	unsigned fault;

	(void)claim_a(s);
	(void)claim_b(s);
	before = host_save(s);
	(void)hold_at_block(s, 1);
	fault = sim_fault(s, "*/memory347/state", "'value':'offline','action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	sim_fault_wait(s, fault, 1);
	daemon_crash(s);
	assert_int_equal(scenario_journals(s, ".undo"), 2);
	sim_fault_clear(s);
	daemon_start(s, NULL);
	release_wait_state(s, TAG_B, "refused", 20);
	assert_recovered(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(killed_while_offlining, &once),
		scenario_test_with(killed_before_unbind, &once),
		scenario_test_with(killed_after_unbind, &once),
		scenario_test_with(killed_after_size_zero, &once),
		scenario_test_with(released_while_there_was_no_daemon, &once),
		scenario_test_with(killed_while_rolling_back, &once),
		scenario_test_with(killed_again_and_again, &once),
		scenario_test_with(put_back_by_another_hand, &once),
		scenario_test_with(freed_by_another_hand, &once),
		scenario_test_with(resumed_while_offlining, &resume),
		scenario_test_with(resumed_after_unbind, &resume),
		scenario_test_with(not_resumed_against_the_policy, &resume),
		scenario_test_with(killed_while_the_kernel_hangs, &once),
		scenario_test_with(stopped_while_the_kernel_hangs, &short_stop),
		scenario_test_with(one_at_a_time, &once),
		scenario_test_with(two_at_a_time, &two_at_once),
		scenario_test_with(two_are_recovered, &two_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
