/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example policies, each installed as it is and with only its times shortened by a drop-in
 * behind it: they do what their comments promise, on a host of the kind that they are for.
 */
#include <sys/mount.h>

#include "installed.h"

#define SHORTER "90-test.conf"

/* What a look at intervals waits for, and the kernel; shorter in all tests. */
#define SOON                                                                                       \
	"[daemon]\nsettle-time = 50ms\nrefuse-hold = 0\n"                                          \
	"[release]\nbackoff-initial = 200ms\nbackoff-max = 1s\n"

/*
 * conf/examples/@example.conf as drop-in @name, between the shipped dcdd.conf and one with the
 * lines @shorter of [release]. The daemon is still to be started.
 */
static void install(struct scenario *s, const char *example, const char *name, const char *shorter)
{
	char text[1024], root[96];
	_cleanup_free_ char *output = NULL;

	installed_prepare(s);
	(void)snprintf(text, sizeof(text), SOON "%s%s", shorter,
		       /* Where root may not look into all processes that is not what is tested. */
		       unseen_processes() ? "ignore-unseen-processes = yes\n" : "");
	installed_write(s, ETC D SHORTER, text);
	if (command(s, &output,
		    "cp conf/dcdd.conf %s/" ETC " && cp conf/examples/%s.conf %s/" ETC D "%s",
		    installed_root(s, root), example, root, name) != 0)
		scenario_fail(s, "cannot install %s.conf: %s", example, output);
}

static void start(struct scenario *s, const char *example, const char *name, const char *shorter)
{
	install(s, example, name, shorter);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
}

/* What `policy explain` says of @tag has @text, and its exit status is @status. */
static void assert_explained(struct scenario *s, const char *tag, int status, const char *text)
{
	_cleanup_free_ char *output = NULL;

	manager_wait_idle(s);
	assert_int_equal(command(s, &output, "dcdctl policy explain %s", tag), status);
	if (!strstr(output, text))
		scenario_fail(s, "\"%s\" is not in:\n%s", text, output);
}

/* The device gets it, and the request is over. */
static void collect(struct scenario *s, const char *memdev, const char *tag)
{
	release_wait_state(s, tag, "ready", 15);
	assert_int_equal(sim_release(s, memdev, tag), 0);
	release_wait_state(s, tag, "released", 15);
}

/* The release's state ends by itself in that time; the host needs some to tell. */
static void assert_deadline(struct scenario *s, const char *tag, unsigned seconds)
{
	_cleanup_json_ struct json_object *release = release_find(s, tag);
	usec_t deadline = (usec_t)member_int(release, "Deadline"), now = now_usec(CLOCK_MONOTONIC);

	if (deadline > now + seconds * USEC_PER_SEC ||
	    deadline + 60 * USEC_PER_SEC < now + seconds * USEC_PER_SEC)
		scenario_fail(s, "it ends in %.1f s, not in %u",
			      ((double)deadline - (double)now) / 1e6, seconds);
}

/* What is done with a group by `dcdctl policy test` in other circumstances. */
struct offline_case {
	const char *tag, *options;
	int status;
};

static void assert_offline(struct scenario *s, const struct offline_case *cases, size_t n)
{
	const char *dir = scenario_dir(s);

	manager_wait_idle(s);
	assert_int_equal(command(s, NULL, "dcdctl inventory --json >%s/host.json", dir), 0);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *output = NULL;
		char arguments[256];
		int r;

		(void)snprintf(arguments, sizeof(arguments),
			       "policy test --inventory=%s/host.json --tag=%s %s", dir,
			       cases[i].tag, cases[i].options);
		r = inside(s, &output, "dcdctl", arguments);
		if (r != cases[i].status)
			scenario_fail(s, "%s: exit status %d, not %d:\n%s", arguments, r,
				      cases[i].status, output);
	}
}

/* ---- batch ---- */

#define BATCH "batch", "50-batch.conf"
#define JOB "batch-17.scope"
#define CHECKPOINT_A "cec4ec00-0000-4000-8000-00000000000a"
#define CHECKPOINT_B "cec4ec00-0000-4000-8000-00000000000b"

static const char *claim_devdax(struct scenario *s, const char *tag)
{
	SIM_ADD(s, "mem0", tag, EXTENT(0, 256 * MiB));
	return sim_claim(s, "mem0", tag, "device_dax", "offline");
}

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
	struct host *before = host_save(s);

	start(s, BATCH, "holders-wait = 1s\n");
	ask_and_wait(s, TAG_A, "draining", "held open by process");
	assert_refused(s, TAG_A, "holders-wait", before);
	assert_false(daemon_log_has(s, "sent SIG"));
	holder_stop(s, pid);
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
	assert_goes_on(s, CHECKPOINT_B, before);
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

static const struct scenario_options large_blocks = {
	.topology = "tests/sim/topologies/large-blocks.json",
	.no_daemon = true,
};

/* With blocks that take their time, and less of it for an attempt than they need: not so if it is
 * large. */
SCENARIO(batch_gives_large_groups_time)
{
	struct host *before = host_save(s);

	start(s, BATCH, "block-timeout = 2s\nrelease-timeout = 2s\n");
	(void)SIM_RAM(s, "mem1", TAG_A, EXTENT(0, 8 * GiB));
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(0, 64 * GiB));
	assert_explained(s, TAG_A, 0, "rule: default\n");
	assert_explained(s, TAG_B, 0, "rule: large (/etc/dcdd/dcdd.conf.d/50-batch.conf:");

	(void)sim_fault(s, "*/memory*/state",
			"'value':'offline','action':'delay','ms':700,'count':4");
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	collect(s, "mem0", TAG_B);
	assert_false(daemon_log_has(s, "release-timeout"));

	(void)sim_fault(s, "*/memory*/state",
			"'value':'offline','action':'delay','ms':700,'count':4");
	assert_int_equal(sim_release(s, "mem1", TAG_A), -EBUSY);
	daemon_wait_log(s, "release-timeout of 2.0 s is over");
	collect(s, "mem1", TAG_A);
	host_assert_same(s, before);
}

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
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(latency_sleeps_on_weekends)
{
	struct host *before;

	start_latency(s, "", SATURDAY, 14, 72 * GiB);
	before = host_save(s);
	lend(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_goes_on(s, TAG_A, before);
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
	release_wait_state(s, TAG_A, "held", 1);
	installed_clock(s, WEDNESDAY, 23, 0, 0);
	sim_ok(s, "{'cmd':'pressure','some':0,'full':0}");
	assert_goes_on(s, TAG_A, before);
}

SCENARIO(latency_keeps_its_reserve)
{
	struct host *before = host_save(s);

	start_latency(s, "", WEDNESDAY, 23, 62 * GiB);
	lend(s);
	ask_and_wait(s, TAG_A, "held", "reserve-host");
	assert_deadline(s, TAG_A, 3600);
	(void)SIM_RAM(s, "mem1", TAG_B, EXTENT(0, 2 * GiB));
	collect(s, "mem0", TAG_A);
	/* Now it is exactly what is to stay. */
	assert_explained(s, TAG_B, 7, "reserve-host");
	host_not_compared(s, "another group has come meanwhile");
	(void)before;
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

	start_latency(s, "", WEDNESDAY, 23, 72 * GiB);
	before = host_save(s);
	lend(s);
	use(s, 0, 62);
	use(s, 1, 60);
	ask_and_wait(s, TAG_A, "held", "in use must move");
	use(s, 0, 8);
	release_wait_state(s, TAG_A, "ready", 15);
	use(s, 0, 0);
	use(s, 1, 0);
	release_collect(s, TAG_A, before);
}

SCENARIO(latency_leaves_busy_blocks)
{
	_cleanup_json_ struct json_object *release = NULL;
	struct host *before, *with;
	unsigned fault;

	start_latency(s, "block-timeout = 500ms\nbackoff-initial = 1s\n", WEDNESDAY, 23, 72 * GiB);
	before = host_save(s);
	lend(s);
	with = host_save(s);
	fault = sim_fault(s, "*/memory*/state", "'value':'offline','nth':2,'action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	release = release_wait(s, TAG_A, "deferred", 15);
	assert_says(s, release, "timed out after 0.5 s");
	host_assert_same(s, with);
	assert_goes_on(s, TAG_A, before);
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
 * What matters is that the device is the mount's source; no file system on dax is needed for that.
 */
static void mount_it(struct scenario *s, const char *device, char path[static 96])
{
	char source[64];

	(void)snprintf(path, 96, "%s/mnt", scenario_dir(s));
	(void)snprintf(source, sizeof(source), "/dev/%s", device);
	if (mkdir(path, 0700) < 0 || mount(source, path, "tmpfs", 0, NULL) < 0)
		scenario_fail(s, "cannot mount at %s: %m", path);
}

SCENARIO(famfs_goes_when_it_is_unmounted)
{
	struct host *before = host_save(s);
	char device[32], path[96];
	pid_t pid;

	start(s, FAMFS, "");
	claim_shared(s, FAMFS_TAG, device);
	mount_it(s, device, path);
	pid = holder_start(s, device, true);
	ask_and_wait(s, FAMFS_TAG, "draining", device);
	assert_deadline(s, FAMFS_TAG, 24 * 3600);
	assert_explained(s, FAMFS_TAG, 7, "rule: famfs (/etc/dcdd/dcdd.conf.d/50-famfs.conf:");
	holder_stop(s, pid);
	/* It was looked at again, and it is still mounted. */
	WAIT_FOR(s, ({
			 _cleanup_json_ struct json_object *r = release_find(s, FAMFS_TAG);
			 strstr(member_string(r, "Reason"), path);
		 }),
		 15);
	assert_int_equal(umount(path), 0);
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

/* ---- manual-approval ---- */

#define MANUAL "manual-approval", "50-approval.conf"

static const struct scenario_options test_device = {
	.topology = "{'boot_memory':'8G','memdevs':["
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

	start(s, MANUAL, "");
	use_but(s, 512);
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 384 * MiB));
	ask_and_wait(s, TAG_A, "held", "tell the owner of the workload before you approve");
	assert_deadline(s, TAG_A, 8 * 3600);
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
	(void)SIM_RAM(s, "mem1", TAG_A, EXTENT(0, 4 * GiB));
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem1", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "held", 15);
	assert_explained(s, TAG_A, 7, "goes by itself unless somebody denies it");
	assert_deadline(s, TAG_A, 15 * 60);
	assert_int_equal(command(s, NULL, "dcdctl deny %s 'is being looked at'", TAG_A), 0);
	assert_refused(s, TAG_A, "is being looked at", before);
	(void)SIM_RAM(s, "mem1", TAG_B, EXTENT(4 * GiB, 4 * GiB - 128 * MiB));
	assert_explained(s, TAG_B, 7, "rule: test-device (");
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
		scenario_test_with(batch_job_is_ended, &installed),
		scenario_test_with(batch_waits_for_who_is_no_job, &installed),
		scenario_test_with(batch_keeps_checkpoints, &installed),
		scenario_test_with(batch_frees_two_at_a_time, &installed),
		scenario_test_with(batch_goes_on_after_a_crash, &installed),
		scenario_test_with(batch_waits_briefly_for_the_agent, &installed),
		scenario_test_with(batch_gives_large_groups_time, &large_blocks),
		scenario_test_with(latency_waits_for_the_night, &large_blocks),
		scenario_test_with(latency_sleeps_on_weekends, &large_blocks),
		scenario_test_with(latency_at_any_hour, &large_blocks),
		scenario_test_with(latency_waits_for_calm, &large_blocks),
		scenario_test_with(latency_keeps_its_reserve, &large_blocks),
		scenario_test_with(latency_frees_slowly, &large_blocks),
		scenario_test_with(latency_keeps_its_headroom, &large_blocks),
		scenario_test_with(latency_leaves_busy_blocks, &large_blocks),
		scenario_test_with(latency_disturbs_nobody, &large_blocks),
		scenario_test_with(famfs_goes_when_it_is_unmounted, &sharable_partition),
		scenario_test_with(famfs_goes_after_a_restart, &sharable_partition),
		scenario_test_with(famfs_waits_for_staging, &sharable_partition),
		scenario_test_with(famfs_asks_about_what_is_unknown, &sharable_partition),
		scenario_test_with(famfs_keeps_what_is_private, &sharable_partition),
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
