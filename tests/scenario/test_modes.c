/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a group may be in use as, and what the daemon makes of it: system RAM in its states, devdax
 * and fsdev idle and held, claimed without a driver, not claimed at all.
 */
#include <dcdd/base.h>

#include "harness.h"

/* The first memory block of region0 in the built-in topology. */
#define BLOCK0 (UINT64_C(0xa90000000) / (128 * MiB))

/* PID 1 of a container, for example, cannot be looked into; what holds a device is known here. */
#define FREE_ALL                                                                                   \
	"[release]\ndevdax = free\nfsdev = free\nunbound = free\nignore-unseen-processes = yes\n"
/* Waiting and giving up in test time. */
#define FREE_ALL_SOON FREE_ALL "holders-wait = 300ms\nbackoff-initial = 50ms\nbackoff-max = 100ms\n"

static const struct scenario_options free_all = { .config = FREE_ALL };
static const struct scenario_options free_all_soon = { .config = FREE_ALL_SOON };
static const struct scenario_options free_seen = { .config = "[release]\ndevdax = free\n" };

static void assert_reason(struct scenario *s, struct json_object *release, const char *text)
{
	const char *reason = member_string(release, "Reason");

	if (!strstr(reason, text))
		scenario_fail(s, "the reason is \"%s\", without \"%s\"", reason, text);
}

/* The device asks, is refused, and the group is freed. */
static void assert_ready(struct scenario *s, const char *tag)
{
	_cleanup_json_ struct json_object *ready = NULL;

	assert_int_equal(sim_release(s, "mem0", tag), -EBUSY);
	ready = release_wait(s, tag, "ready", 10);
	assert_true(member_bool(ready, "RetryWanted"));
	assert_reason(s, ready, "must ask again");
}

/* And it asks again, and the host is as it was @before the capacity came. */
static void assert_freed(struct scenario *s, const char *tag, const struct host *before)
{
	assert_ready(s, tag);
	release_collect(s, tag, before);
}

/* The device asks, and it ends refused without a single write, and the host as it was. */
static void assert_refused_untouched(struct scenario *s, const char *tag, const char *why)
{
	struct host *before = host_save(s);
	uint64_t since = sim_log_next(s);
	_cleanup_json_ struct json_object *refused = NULL;

	assert_int_equal(sim_release(s, "mem0", tag), -EBUSY);
	refused = release_wait(s, tag, "refused", 10);
	assert_reason(s, refused, why);
	assert_false(member_bool(refused, "RetryWanted"));
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

SCENARIO(system_ram_movable)
{
	struct host *before = host_save(s);
	uint64_t since;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	since = sim_log_next(s);
	assert_freed(s, TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", true), 4);
}

SCENARIO(system_ram_kernel_zone)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "kmem", "kernel");
	assert_refused_untouched(s, TAG_A, "zone");
}

/* One block of four in a kernel zone is enough, and it is named. */
SCENARIO(system_ram_one_block_in_kernel_zone)
{
	char path[96], block[32];

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	(void)snprintf(block, sizeof(block), "memory%llu", (unsigned long long)BLOCK0 + 2);
	(void)snprintf(path, sizeof(path), "devices/system/memory/%s/state", block);
	assert_int_equal(sim_write(s, path, "offline"), 0);
	assert_int_equal(sim_write(s, path, "online_kernel"), 0);
	assert_refused_untouched(s, TAG_A, block);
}

SCENARIO(system_ram_partly_online)
{
	struct host *before = host_save(s);
	uint64_t since;
	char path[96];

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	for (unsigned i = 0; i < 4; i += 2) {
		(void)snprintf(path, sizeof(path), "devices/system/memory/memory%llu/state",
			       (unsigned long long)BLOCK0 + i);
		assert_int_equal(sim_write(s, path, "offline"), 0);
	}
	since = sim_log_next(s);
	assert_freed(s, TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", "offline", false), 2);
}

SCENARIO(system_ram_offline_but_bound)
{
	struct host *before = host_save(s);
	uint64_t since;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 512 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "kmem", "offline");
	since = sim_log_next(s);
	assert_freed(s, TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/memory*/state", NULL, false), 0);
}

/* Extents that are no whole memory blocks: kmem dropped a part, which was never memory. */
SCENARIO(system_ram_unaligned)
{
	struct host *before = host_save(s);

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 64 * MiB), EXTENT(1088 * MiB, 192 * MiB),
		      EXTENT(2048 * MiB, 256 * MiB));
	assert_freed(s, TAG_A, before);
}

/* The seed device daxN.0 cannot be deleted: size 0 is its end. */
SCENARIO(system_ram_on_the_initial_device)
{
	struct host *before = host_save(s);
	uint64_t since;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	sim_ok(s, "{'cmd':'claim','tag':'%s','device':'dax0.0'}", TAG_A);
	since = sim_log_next(s);
	assert_freed(s, TAG_A, before);
	assert_int_equal(sim_writes(s, since, "*/delete", NULL, false), 0);
	sysfs_assert(s, "/sys/bus/dax/devices/dax0.0/size", "0");
}

SCENARIO(devdax_idle_is_kept_by_default)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
	assert_refused_untouched(s, TAG_A, "devdax");
}

SCENARIO(devdax_idle)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
	assert_freed(s, TAG_A, before);
}

/* One that nobody is seen to hold, but not everybody can be looked at: not freed. */
SCENARIO(devdax_with_unseen_processes)
{
	_cleanup_json_ struct json_object *held = NULL;
	struct host *before;
	uint64_t since;

	if (!unseen_processes())
		scenario_skip(s, "root can look into all processes of this machine");
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
	before = host_save(s);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	held = release_wait(s, TAG_A, "draining", 10);
	assert_reason(s, held, "cannot be looked into");
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

/* Its pages are moved, not lost, whoever uses them: nobody needs to be looked at. */
SCENARIO(system_ram_with_unseen_processes)
{
	struct host *before;

	if (!unseen_processes())
		scenario_skip(s, "root can look into all processes of this machine");
	/* An idle devdax device of another group, because of which the daemon looks at all. */
	SIM_ADD(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_B, "device_dax", "offline");
	before = host_save(s);
	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	assert_ready(s, TAG_A);
	release_collect_except(s, TAG_A, before, HOST_YOUNGEST);
}

static void refused_while_held(struct scenario *s, const char *driver, bool map)
{
	const char *device;
	char text[32];
	pid_t pid;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	device = sim_claim(s, "mem0", TAG_A, driver, "offline");
	pid = holder_start(s, device, map);
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	assert_refused_untouched(s, TAG_A, text);
}

SCENARIO(devdax_open)
{
	refused_while_held(s, "device_dax", false);
}

SCENARIO(devdax_mapped)
{
	refused_while_held(s, "device_dax", true);
}

SCENARIO(fsdev_mapped)
{
	refused_while_held(s, "fsdev_dax", true);
}

/* Waited for while it holds, freed when it lets go. */
SCENARIO(devdax_holder_leaves)
{
	struct host *before = host_save(s);
	const char *device;
	pid_t pid;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	device = sim_claim(s, "mem0", TAG_A, "device_dax", "offline");
	pid = holder_start(s, device, true);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "draining", 10);
	holder_stop(s, pid);
	release_wait_state(s, TAG_A, "ready", 10);
	release_collect(s, TAG_A, before);
}

SCENARIO(fsdev_idle)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "fsdev_dax", "offline");
	assert_freed(s, TAG_A, before);
}

SCENARIO(fsdev_is_kept_by_default)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "fsdev_dax", "offline");
	assert_refused_untouched(s, TAG_A, "fsdev");
}

SCENARIO(unbound)
{
	struct host *before = host_save(s);

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "none", "offline");
	assert_freed(s, TAG_A, before);
}

SCENARIO(unbound_is_kept_by_default)
{
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "none", "offline");
	assert_refused_untouched(s, TAG_A, "unbound");
}

/* Nothing to do: the kernel releases by itself, the daemon confirms it. */
SCENARIO(unclaimed)
{
	struct host *before = host_save(s);
	uint64_t since;
	_cleanup_json_ struct json_object *released = NULL;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB));
	/* The extents are gone before the daemon reads the record: it must have seen them. */
	WAIT_FOR(s, manager_u64(s, "TotalBytes") == 384 * MiB, 10);
	assert_int_equal(manager_u64(s, "GroupCount"), 1);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	released = release_wait(s, TAG_A, "released", 10);
	assert_int_equal(member_int(released, "Bytes"), 384 * MiB);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test(system_ram_movable),
		scenario_test(system_ram_kernel_zone),
		scenario_test(system_ram_one_block_in_kernel_zone),
		scenario_test(system_ram_partly_online),
		scenario_test(system_ram_offline_but_bound),
		scenario_test(system_ram_unaligned),
		scenario_test(system_ram_on_the_initial_device),
		scenario_test(devdax_idle_is_kept_by_default),
		scenario_test_with(devdax_idle, &free_all),
		scenario_test_with(devdax_with_unseen_processes, &free_seen),
		scenario_test_with(system_ram_with_unseen_processes, &free_seen),
		scenario_test_with(devdax_open, &free_all_soon),
		scenario_test_with(devdax_mapped, &free_all_soon),
		scenario_test_with(fsdev_mapped, &free_all_soon),
		scenario_test_with(devdax_holder_leaves, &free_all),
		scenario_test_with(fsdev_idle, &free_all),
		scenario_test(fsdev_is_kept_by_default),
		scenario_test_with(unbound, &free_all),
		scenario_test(unbound_is_kept_by_default),
		scenario_test(unclaimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
