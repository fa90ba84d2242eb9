/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example policies for batch nodes and for shared memory do what their comments promise, on
 * hosts of the kind that they are for.
 */
#include "example.h"

/* ---- batch ---- */

#define BATCH "batch", "50-batch.conf"
#define JOB "batch-17.scope"
#define OTHER "dcdd-test-other.service"
#define CHECKPOINT_A "cec4ec00-0000-4000-8000-00000000000a"
#define CHECKPOINT_B "cec4ec00-0000-4000-8000-00000000000b"

SCENARIO(batch_job_is_ended)
{
	struct host *before = host_save(s);
	const char *device = claim_devdax(s, TAG_A);
	pid_t pid = holder_start(s, device, true);

	enter_unit(s, pid, JOB);
	start(s, BATCH, "terminate-grace = 5s\n");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 15);
	assert_true(daemon_log_has(s, "of " JOB " holds a dax device that is to be freed: sent "
				      "SIGTERM"));
	holder_stop(s, pid);
	release_collect(s, TAG_A, before);
	leave_unit(s, JOB);
}

SCENARIO(batch_waits_for_who_is_no_job)
{
	const char *device = claim_devdax(s, TAG_A);
	pid_t pid = holder_start(s, device, false);
	struct host *before;

	enter_unit(s, pid, OTHER);
	before = host_save(s);
	start(s, BATCH, "holders-wait = 1s\n");
	ask_and_wait(s, TAG_A, "draining", "(holder) of " OTHER);
	assert_refused(s, TAG_A, "holders-wait", before);
	assert_false(daemon_log_has(s, "sent SIG"));
	holder_stop(s, pid);
	leave_unit(s, OTHER);
}

/* Only contents are kept: system RAM of the same tags is like any other. */
SCENARIO(batch_keeps_checkpoints)
{
	struct host *before;

	start(s, BATCH, "");
	(void)claim_devdax(s, CHECKPOINT_A);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", CHECKPOINT_A), -EBUSY);
	assert_refused(s, CHECKPOINT_A, "move them with the scheduler's drain command", before);
	(void)SIM_RAM(s, "mem0", CHECKPOINT_B, EXTENT(1024 * MiB, 256 * MiB));
	assert_int_equal(sim_release(s, "mem0", CHECKPOINT_B), -EBUSY);
	goes_on_beside(s, CHECKPOINT_B, before);
}

SCENARIO(batch_frees_two_at_a_time)
{
	struct host *before = host_save(s);
	unsigned fault;

	start(s, BATCH, "");
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	fault = sim_fault(s, "*/memory338/state", "'value':'offline','action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	collect(s, "mem0", TAG_B);
	release_wait_state(s, TAG_A, "offlining", 1);
	sim_release_hang(s, fault);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(batch_goes_on_after_a_crash)
{
	struct host *before = host_save(s);
	unsigned fault;

	start(s, BATCH, "");
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 384 * MiB));
	fault = sim_fault(s, "*/memory339/state", "'value':'offline','action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	daemon_crash(s);
	sim_fault_clear(s);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(batch_waits_briefly_for_the_agent)
{
	struct host *before = host_save(s);

	start(s, BATCH, "inhibit-delay-max = 1s\n");
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	hold_begin(s, "inhibit --mode=delay --who=agent --why='a job is placed'");
	ask_and_wait(s, TAG_A, "draining", "delayed by agent");
	assert_goes_on(s, TAG_A, before);
	assert_int_equal(hold_end(s), HOLD_STATUS);
}

#define SLOW_BLOCKS "'value':'offline','action':'delay','ms':400,'count':3"

/* An attempt has no time for blocks that are so slow; but for those of a large group. */
SCENARIO(batch_gives_large_groups_time)
{
	struct host *before = host_save(s);

	start(s, BATCH, LOOKS "block-timeout = 1s\nrelease-timeout = 1s\n");
	(void)SIM_RAM(s, "mem1", TAG_A, EXTENT(0, 8 * GiB));
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(0, 64 * GiB));
	assert_explained(s, TAG_A, 0, "rule: default\n");
	assert_explained(s, TAG_B, 0, "rule: large (/etc/dcdd/dcdd.conf.d/50-batch.conf:");

	(void)sim_fault(s, "*/memory*/state", SLOW_BLOCKS);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	collect(s, "mem0", TAG_B);
	assert_false(daemon_log_has(s, "release-timeout"));

	(void)sim_fault(s, "*/memory*/state", SLOW_BLOCKS);
	assert_int_equal(sim_release(s, "mem1", TAG_A), -EBUSY);
	daemon_wait_log(s, "release-timeout of 1.0 s is over");
	collect(s, "mem1", TAG_A);
	host_assert_same(s, before);
}

/* ---- famfs-shared ---- */

#define FAMFS "famfs-shared", "50-famfs.conf"
#define FAMFS_TAG "fa3f5000-0000-4000-8000-000000000001"

static const struct scenario_options sharable_partition = {
	.topology = "tests/sim/topologies/two-devices.json",
	.no_daemon = true,
};

/* Of the partition that other hosts have as well. */
static void claim_shared(struct scenario *s, const char *tag, char device[static 32])
{
	_cleanup_json_ struct json_object *reply = NULL;

	SIM_ADD(s, "mem0", tag, EXTENT_SEQ(4 * GiB, 256 * MiB, 0),
		EXTENT_SEQ(5 * GiB, 128 * MiB, 1));
	reply = sim_do(s, "{'cmd':'claim','region':'region1','tag':'%s','driver':'fsdev_dax'}",
		       tag);
	(void)snprintf(device, 32, "%s", member_string(reply, "device"));
}

/*
 * Mounted in a container's mount namespace, until unmount_it(). What matters is that the device is
 * the mount's source; no file system on dax is needed for that.
 */
static void mount_it(struct scenario *s, const char *device)
{
	_cleanup_free_ char *output = NULL;

	if (command(s, &output,
		    "d=%s; export d; mkdir $d/mnt; touch $d/mount; { unshare --mount "
		    "--propagation private sh -c 'mount -t tmpfs /dev/%s $d/mnt && touch "
		    "$d/mounted; while test -e $d/mount; do sleep 0.05; done' >$d/mount.log 2>&1 "
		    "& }; i=0; until test -e $d/mounted; do sleep 0.05; i=$((i+1)); test $i -lt "
		    "200 || { cat $d/mount.log; exit 1; }; done",
		    scenario_dir(s), device) != 0)
		scenario_fail(s, "cannot mount: %s", output);
}

static void unmount_it(struct scenario *s)
{
	assert_int_equal(command(s, NULL, "rm %s/mount", scenario_dir(s)), 0);
}

static bool is_held_by(struct scenario *s, const char *text)
{
	_cleanup_json_ struct json_object *release = release_find(s, FAMFS_TAG);

	return release && strstr(member_string(release, "Reason"), text);
}

SCENARIO(famfs_goes_when_it_is_unmounted)
{
	struct host *before = host_save(s);
	char device[32], path[96];
	pid_t pid;

	start(s, FAMFS, LOOKS);
	claim_shared(s, FAMFS_TAG, device);
	mount_it(s, device);
	pid = holder_start(s, device, true);
	ask_and_wait(s, FAMFS_TAG, "draining", device);
	assert_deadline(s, FAMFS_TAG, 24 * 3600);
	assert_explained(s, FAMFS_TAG, 7, "rule: famfs (/etc/dcdd/dcdd.conf.d/50-famfs.conf:");
	holder_stop(s, pid);
	/* It was looked at again, and it is still mounted. */
	(void)snprintf(path, sizeof(path), "is mounted at %s/mnt", scenario_dir(s));
	WAIT_FOR(s, is_held_by(s, path), 15);
	unmount_it(s);
	assert_goes_on(s, FAMFS_TAG, before);
}

/* A daemon that was not there when it came does not know that it is shared: the tag says it. */
SCENARIO(famfs_goes_after_a_restart)
{
	struct host *before = host_save(s);
	char device[32];

	claim_shared(s, FAMFS_TAG, device);
	start(s, FAMFS, "");
	assert_int_equal(sim_release(s, "mem0", FAMFS_TAG), -EBUSY);
	assert_goes_on(s, FAMFS_TAG, before);
}

SCENARIO(famfs_waits_for_staging)
{
	struct host *before = host_save(s);
	char device[32];

	start(s, FAMFS, "");
	claim_shared(s, FAMFS_TAG, device);
	hold_begin(s, "inhibit --scope='fa3f5000-*' --why='staging in'");
	ask_and_wait(s, FAMFS_TAG, "draining", "staging in");
	assert_deadline(s, FAMFS_TAG, 24 * 3600);
	assert_int_equal(hold_end(s), HOLD_STATUS);
	assert_goes_on(s, FAMFS_TAG, before);
}

SCENARIO(famfs_asks_about_what_is_unknown)
{
	struct host *before = host_save(s);
	char device[32];

	start(s, FAMFS, "");
	claim_shared(s, TAG_A, device);
	ask_and_wait(s, TAG_A, "held", "find out whose it is");
	assert_deadline(s, TAG_A, 8 * 3600);
	assert_int_equal(command(s, NULL, "dcdctl approve " TAG_A), 0);
	assert_goes_on(s, TAG_A, before);
}

/* Two extents without a number in a sequence: those are not shared, even with such a tag. */
SCENARIO(famfs_keeps_what_is_private)
{
	struct host *before;

	start(s, FAMFS, "");
	SIM_ADD(s, "mem0", FAMFS_TAG, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 256 * MiB));
	(void)sim_claim(s, "mem0", FAMFS_TAG, "fsdev_dax", "offline");
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", FAMFS_TAG), -EBUSY);
	assert_refused(s, FAMFS_TAG, "only this host has these data", before);
	assert_explained(s, FAMFS_TAG, 6, "rule: private (");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(batch_job_is_ended, &installed),
		scenario_test_with(batch_waits_for_who_is_no_job, &installed),
		scenario_test_with(batch_keeps_checkpoints, &installed),
		scenario_test_with(batch_frees_two_at_a_time, &installed),
		scenario_test_with(batch_goes_on_after_a_crash, &installed),
		scenario_test_with(batch_waits_briefly_for_the_agent, &installed),
		scenario_test_with(batch_gives_large_groups_time, &large_blocks),
		scenario_test_with(famfs_goes_when_it_is_unmounted, &sharable_partition),
		scenario_test_with(famfs_goes_after_a_restart, &sharable_partition),
		scenario_test_with(famfs_waits_for_staging, &sharable_partition),
		scenario_test_with(famfs_asks_about_what_is_unknown, &sharable_partition),
		scenario_test_with(famfs_keeps_what_is_private, &sharable_partition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
