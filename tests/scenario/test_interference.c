/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another hand in the middle of a release, which stands still in a memory block meanwhile: an admin
 * who onlines, unbinds, binds or destroys, a device that asks again or by force, a region that
 * goes. Each is noticed, and ends free, as before, or as the other hand wants it; and memory that
 * is in use is never handed back, whatever that hand has done.
 */
#include "six_blocks.h"

static const struct scenario_options once = { .config = ONCE };
static const struct scenario_options no_daemon = { .config = ONCE, .no_daemon = true };
static const struct scenario_options hotremovable = {
	.settings = "{'state_attr':true}",
	.config = ONCE "offline-method = blocks\n",
};
static const struct scenario_options no_uevents = {
	.settings = "{'uevents':false}",
	.config = ONCE,
};

static void admin(struct scenario *s, const char *path, const char *value)
{
	int r = sim_write(s, path, value);

	if (r < 0)
		scenario_fail(s, "the admin cannot write \"%s\" to %s: %s", value, path,
			      strerror(-r));
}

static void admin_offlines(struct scenario *s, unsigned from)
{
	char path[96];

	for (unsigned i = from; i < N_BLOCKS; i++)
		admin(s, block_path(i, path), "offline");
}

/* Also with blocks online: the kernel lets it through, as it does `daxctl destroy-device -f`. */
static void admin_destroys(struct scenario *s)
{
	admin(s, "bus/dax/drivers/kmem/unbind", "dax0.1");
	admin(s, "bus/dax/devices/dax0.1/size", "0");
	admin(s, "bus/cxl/devices/dax_region0/dax_region/delete", "dax0.1");
}

/* The kernel does not give the group back, and so nothing is handed back in use. */
static void assert_kept(struct scenario *s)
{
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	host_assert_no_violation(s);
}

/* A failed group is left alone: the device's next request changes nothing. */
static void assert_frozen(struct scenario *s)
{
	uint64_t since = sim_log_next(s);

	assert_kept(s);
	daemon_wait_log(s, "failed half-way");
	manager_wait_idle(s);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
}

/* ---- memory blocks ---- */

/*
 * In a kernel zone, from which it does not go offline again. It is in use, and not as before: the
 * daemon says exactly that, keeps its hands off, and sees when an admin has mended it.
 */
SCENARIO(block_onlined_in_the_kernel_zone)
{
	struct host *empty = host_save(s), *before;
	_cleanup_json_ struct json_object *r = NULL;
	unsigned fault;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	fault = hold_at_block(s, 5);
	admin(s, block_path(0, path), "online_kernel");
	sim_release_hang(s, fault);
	r = wait_end(s, "failed", "memory338");
	assert_int_equal(release_leftovers(r), 1);
	release_assert_leftover(s, r, "memory338", "online in kernel", "online in movable");
	host_assert_same_except(s, before, "*/memory338/valid_zones = *", "sim.blocks?338?.*");
	assert_int_equal(scenario_journals(s, ".undo"), 1);
	assert_frozen(s);

	sim_unmovable(s, BLOCK0, false);
	release_mend(s, r);
	assert_end(s, "refused", "as before");
	host_assert_same(s, before);
	assert_int_equal(scenario_journals(s, ""), 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, empty);
}

/*
 * While kmem is being unbound, when nobody can look any more: that memory leaks, and the kernel
 * does not take the device back. So its claim is all that protects it, and is not given up.
 */
SCENARIO(block_onlined_while_it_is_unbound)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before;
	unsigned fault;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	fault = sim_fault(s, "*/kmem/unbind", "'action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	admin(s, block_path(0, path), "online_movable");
	sim_release_hang(s, fault);
	r = wait_end(s, "failed", "dax0.1");
	release_assert_leftover(s, r, "dax0.1", "bound to no driver", "bound to kmem");
	release_assert_leftover(s, r, "memory342", "absent", "online in movable");
	sysfs_assert(s, "bus/dax/devices/dax0.1/size", "805306368");
	host_assert_same_except(s, before, "*dax0.1*", "*/memory34[0-3]*", "sim.blocks?34*",
				"sim.blocks?33*", "*/node1/meminfo = *", "sim.nodes?1?.*");
	assert_frozen(s);
	scenario_keeps_journal(s);
}

/* All of it at once, by the device's own `state`. */
SCENARIO(memory_hot_removed)
{
	struct host *before;
	unsigned fault;

	SIM_ADD(s, "mem0", TAG_A, A_EXTENTS);
	(void)sim_claim(s, "mem0", TAG_A, "kmem", "offline");
	admin(s, "bus/dax/devices/dax0.1/state", "online_movable");
	before = host_save(s);
	fault = hold_at_block(s, 2);
	admin(s, "bus/dax/devices/dax0.1/state", "unplugged");
	sim_release_hang(s, fault);
	assert_end(s, "refused", "as before");
	host_assert_same(s, before);
}

/* ---- the device is destroyed ---- */

/* All memory offline first: that is what was asked for, by another hand. */
SCENARIO(device_destroyed_legally)
{
	struct host *before = host_save(s);
	unsigned fault;

	(void)claim_a(s);
	fault = hold_at_block(s, 2);
	admin_offlines(s, 2);
	admin_destroys(s);
	sim_release_hang(s, fault);
	release_wait_state(s, TAG_A, "ready", 30);
	release_collect(s, TAG_A, before);
}

/*
 * With blocks online: nobody claims them any more, and the next release would be granted. The
 * device is created and claimed anew; what the kernel can still take back is bound and online
 * again.
 */
SCENARIO(device_destroyed_by_force)
{
	struct host *before;
	unsigned fault;

	(void)claim_a(s);
	before = host_save(s);
	fault = hold_at_block(s, 2);
	admin_destroys(s);
	sim_release_hang(s, fault);
	assert_end(s, "refused", "as before");
	assert_kept(s);
	/* The kernel has lost track of what leaked, for ever; that no file shows. */
	host_assert_same_except(s, before, "sim.blocks?34[0-3]?.*");
}

/*
 * The same where nothing can be taken back: all ranges leaked. It is claimed again, which is what
 * protects it; the rest only a reboot mends, and the daemon says what it is.
 */
SCENARIO(device_destroyed_by_force_at_the_first_block)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before;
	unsigned fault;

	(void)claim_a(s);
	before = host_save(s);
	fault = hold_at_block(s, 0);
	admin(s, "devices/system/memory/memory341/state", "offline");
	admin_destroys(s);
	/* Between destroying and claiming anew nothing may be granted, so the device asks later. */
	sim_release_hang(s, fault);
	r = wait_end(s, "failed", "dax0.1");
	assert_int_equal(release_leftovers(r), 1);
	release_assert_leftover(s, r, "dax0.1", "bound to no driver", "bound to kmem");
	sysfs_assert(s, "bus/dax/devices/dax0.1/uuid", TAG_A);
	sysfs_assert(s, "bus/dax/devices/dax0.1/size", "805306368");
	host_assert_same_except(s, before, "*dax0.1*", "sim.blocks?33*", "sim.blocks?34*",
				"*seed = *");
	assert_frozen(s);
	scenario_keeps_journal(s);
}

/*
 * Its name is somebody else's by then: it comes back under another one, and the result says so. The
 * rest is as if the two had been claimed in that order.
 */
SCENARIO(device_destroyed_by_force_and_its_name_taken)
{
	struct host *wanted;
	unsigned fault;
	uint64_t since;

	SIM_ADD(s, "mem0", TAG_A, A_EXTENTS);
	SIM_ADD(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	assert_string_equal(sim_claim(s, "mem0", TAG_B, "kmem", "movable"), "dax0.1");
	assert_string_equal(sim_claim(s, "mem0", TAG_A, "kmem", "movable"), "dax0.2");
	wanted = host_save(s);
	sim_reset(s, NULL);
	daemon_start(s, NULL);

	(void)claim_a(s);
	SIM_ADD(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	fault = hold_at_block(s, 2);
	admin_destroys(s);
	assert_string_equal(sim_claim(s, "mem0", TAG_B, "kmem", "movable"), "dax0.1");
	since = sim_log_next(s);
	sim_release_hang(s, fault);
	assert_end(s, "refused", "dax0.1 is dax0.2 now");
	assert_kept(s);
	assert_int_equal(sim_writes(s, since, "*/dax0.1/*", NULL, false), 0);
	/* What leaked is nobody's in the kernel's eyes, for ever; that no file shows. */
	host_assert_same_except(s, wanted, "sim.blocks?34[0-3]?.*");
}

/* ---- it belongs to somebody else ---- */

static void assert_left_to_the_admin(struct scenario *s, unsigned fault, const char *why)
{
	struct host *after = host_save(s);

	sim_release_hang(s, fault);
	assert_end(s, "refused", why);
	host_assert_same(s, after);
	assert_kept(s);
}

SCENARIO(another_driver_bound)
{
	unsigned fault;

	(void)claim_a(s);
	fault = hold_at_block(s, 2);
	admin_offlines(s, 2);
	admin(s, "bus/dax/drivers/kmem/unbind", "dax0.1");
	admin(s, "bus/dax/drivers/device_dax/bind", "dax0.1");
	assert_left_to_the_admin(s, fault, "bound to device_dax");
}

/* Unbound, and no more than that, is how we leave it ourselves half-way: bound again. */
SCENARIO(driver_unbound)
{
	struct host *before;
	unsigned fault;

	(void)claim_a(s);
	before = host_save(s);
	fault = hold_at_block(s, 2);
	admin_offlines(s, 2);
	admin(s, "bus/dax/drivers/kmem/unbind", "dax0.1");
	sim_release_hang(s, fault);
	assert_end(s, "refused", "as before");
	host_assert_same(s, before);
}

/* The same memory, claimed under another name for another purpose. */
SCENARIO(claimed_anew_under_another_name)
{
	unsigned fault;

	(void)claim_a(s);
	SIM_ADD(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	fault = hold_at_block(s, 2);
	admin_offlines(s, 2);
	admin_destroys(s);
	assert_string_equal(sim_claim(s, "mem0", TAG_B, "device_dax", NULL), "dax0.1");
	assert_string_equal(sim_claim(s, "mem0", TAG_A, "device_dax", NULL), "dax0.2");
	assert_left_to_the_admin(s, fault, "another allocation");
}

/*
 * Name, size, addresses and blocks are as planned, but it is another tag's: only the daemon's last
 * look before the write, at block 3, can tell. No block of it is touched.
 */
SCENARIO(everything_reused_by_another_tag)
{
	unsigned fault, look;
	struct host *after;
	uint64_t since;
	char path[96];

	(void)claim_a(s);
	fault = hold_at_block(s, 2);
	look = sim_fault(s, block_path(3, path), "'op':'read','action':'hang'");
	since = sim_log_next(s);
	sim_release_hang(s, fault);
	sim_fault_wait(s, look, 1);

	admin_offlines(s, 3);
	admin_destroys(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	assert_string_equal(SIM_RAM(s, "mem0", TAG_B, A_EXTENTS), "dax0.1");
	after = host_save(s);
	sim_release_hang(s, look);
	release_wait_state(s, TAG_A, "vanished", 30);
	manager_wait_idle(s);
	/* Block 2 was let go after @since was taken. */
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 1);
	host_assert_same(s, after);
}

/* ---- the device's side ---- */

SCENARIO(asked_again_while_rolling_back)
{
	_cleanup_json_ struct json_object *r = NULL;
	struct host *before;
	uint64_t records;
	unsigned fault;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	records = manager_u64(s, "Records");
	(void)sim_fault_errno(s, block_path(5, path), "offline", "EBUSY", 1, 0);
	fault = sim_fault(s, block_path(2, path), "'value':'online_movable','action':'hang'");
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	WAIT_FOR(s, manager_u64(s, "Records") >= records + 6, 10);
	release_wait_state(s, TAG_A, "rolling-back", 10);
	sim_release_hang(s, fault);
	r = wait_end(s, "refused", "as before");
	assert_int_equal(member_int(r, "Records"), 6);
	assert_int_equal(member_int(r, "Attempts"), 1);
	host_assert_same(s, before);
}

/* The kernel ignores it, and so does the release under way. */
SCENARIO(forced_release)
{
	struct host *before = host_save(s);
	unsigned fault;

	(void)claim_a(s);
	fault = hold_at_block(s, 2);
	sim_ok(s, "{'cmd':'forced-release','memdev':'mem0','tag':'%s'}", TAG_A);
	daemon_wait_log(s, "by force");
	sim_release_hang(s, fault);
	release_wait_state(s, TAG_A, "ready", 30);
	release_collect(s, TAG_A, before);
}

static void region_goes(struct scenario *s, const char *action)
{
	struct host *after;
	unsigned fault;

	(void)claim_a(s);
	fault = hold_at_block(s, 2);
	admin_offlines(s, 2);
	sim_ok(s, "{'cmd':'region','region':'region0','action':'%s'}", action);
	after = host_save(s);
	sim_release_hang(s, fault);
	release_wait_state(s, TAG_A, "vanished", 30);
	host_assert_same(s, after);
}

SCENARIO(region_disabled)
{
	region_goes(s, "disable");
}

SCENARIO(region_destroyed)
{
	region_goes(s, "remove");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(block_onlined_in_the_kernel_zone, &once),
		scenario_test_with(block_onlined_while_it_is_unbound, &once),
		scenario_test_with(memory_hot_removed, &hotremovable),
		scenario_test_with(device_destroyed_legally, &once),
		scenario_test_with(device_destroyed_by_force, &once),
		scenario_test_with(device_destroyed_by_force_at_the_first_block, &once),
		scenario_test_with(device_destroyed_by_force_and_its_name_taken, &no_daemon),
		scenario_test_with(another_driver_bound, &once),
		scenario_test_with(driver_unbound, &once),
		scenario_test_with(claimed_anew_under_another_name, &once),
		scenario_test_with(everything_reused_by_another_tag, &no_uevents),
		scenario_test_with(asked_again_while_rolling_back, &once),
		scenario_test_with(forced_release, &once),
		scenario_test_with(region_disabled, &once),
		scenario_test_with(region_destroyed, &once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
