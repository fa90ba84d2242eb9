/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host: memory blocks, their zones, offline writes that fail or block, kmem with its
 * alignment and its leaks, and the `state` attribute that plugs and unplugs a device at once.
 */
#include "engine_fixture.h"

#define MEMORY "devices/system/memory/"
#define DAX0 "bus/dax/devices/dax0.0/"
#define DRIVERS "bus/dax/drivers/"

/* Three blocks, 338, 339 and 342, of dax0.0 in kmem, offline. */
static struct sim *sim_plugged(const struct engine_config *config)
{
	struct engine_config own;
	struct sim *s;

	engine_config_init(&own);
	s = sim_new_with(config ? config : &own, false);
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.0", TAG_A);
	return s;
}

static void test_on_and_off(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_expect(s, MEMORY "block_size_bytes", "8000000");
	sim_expect(s, MEMORY "memory338/state", "offline");
	sim_expect(s, MEMORY "memory338/valid_zones", "Normal Movable");
	assert_int_equal(sim_write(s, MEMORY "memory338/state", "offline"), -EINVAL);
	assert_int_equal(sim_write(s, MEMORY "memory338/state", "sideways"), -EINVAL);
	sim_ok(s, MEMORY "memory338/state", "online_movable\n");
	sim_expect(s, MEMORY "memory338/state", "online");
	sim_expect(s, MEMORY "memory338/valid_zones", "Movable");
	assert_int_equal(sim_write(s, MEMORY "memory338/state", "online_kernel"), -EINVAL);
	assert_int_equal(sim_write(s, MEMORY "memory338/state", "online"), -EINVAL);
	sim_ok(s, MEMORY "memory338/state", "offline");
	sim_ok(s, MEMORY "memory338/state", "online_kernel");
	sim_expect(s, MEMORY "memory338/valid_zones", "Normal");
	/* A kernel zone: unmovable pages are there at once. */
	assert_int_equal(sim_write(s, MEMORY "memory338/state", "offline"), -EBUSY);
	sim_expect(s, MEMORY "memory338/state", "online");
	assert_int_equal(engine_block_set(s->e, 338, ENGINE_BLOCK_UNMOVABLE, false), 0);
	sim_ok(s, MEMORY "memory338/state", "offline");
	assert_int_equal(engine_block_set(s->e, 777, ENGINE_BLOCK_PINNED, true), -ENOENT);
	sim_free(s);
}

/* `online` takes a kernel zone, unless the block lies inside the movable zone. */
static void test_zone_of_online(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online");
	sim_expect(s, MEMORY "memory338/valid_zones", "Normal");
	assert_int_equal(engine_block_set(s->e, 338, ENGINE_BLOCK_UNMOVABLE, false), 0);
	sim_block(s, 338, "offline");
	sim_block(s, 338, "online_movable");
	sim_block(s, 342, "online_movable");
	sim_expect(s, MEMORY "memory339/valid_zones", "Movable Normal");
	sim_block(s, 339, "online");
	sim_expect(s, MEMORY "memory339/valid_zones", "Movable");
	sim_free(s);
}

static void test_boot_memory(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	sim_expect(s, MEMORY "memory0/valid_zones", "none");
	sim_expect(s, MEMORY "memory15/valid_zones", "DMA32");
	assert_false(sim_exists(s, MEMORY "memory16"));
	sim_expect(s, MEMORY "memory32/valid_zones", "Normal");
	assert_int_equal(sim_write(s, MEMORY "memory32/state", "offline"), -EBUSY);
	assert_int_equal(engine_block_set(s->e, 39, ENGINE_BLOCK_UNMOVABLE, false), 0);
	sim_block(s, 39, "offline");
	assert_true(sim_exists(s, "devices/system/node/node0/memory39/state"));
	sim_free(s);
}

static void test_pinned_until_signal(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online_movable");
	sim_block(s, 339, "online_movable");
	assert_int_equal(engine_block_set(s->e, 338, ENGINE_BLOCK_PINNED, true), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false) ==
			    ENGINE_BLOCKS);
		sim_expect(s, MEMORY "memory338/state", "going-offline");
		sim_check(s);
	}
	/* It holds the hotplug lock: all others wait for it, and a signal ends that too. */
	assert_true(sim_write_by(s, MEMORY "memory339/state", "offline", 8, false) ==
		    ENGINE_BLOCKS);
	assert_true(sim_write_by(s, DRIVERS "kmem/unbind", "dax0.0", 9, false) == ENGINE_BLOCKS);
	assert_int_equal(sim_write_by(s, MEMORY "memory339/state", "offline", 8, true), -EINTR);
	assert_true(sim_write(s, "bus/cxl/drivers/cxl_region/unbind", "region0") == ENGINE_BLOCKS);
	assert_int_equal(engine_disable_region(s->e, "region0"), -EAGAIN);
	assert_int_equal(sim_write_by(s, MEMORY "memory338/state", "offline", 7, true), -EINTR);
	sim_expect(s, MEMORY "memory338/state", "online");
	sim_expect(s, MEMORY "memory338/valid_zones", "Movable");
	sim_block(s, 339, "offline");
	/* A signal ends it also if nothing is pinned. */
	assert_int_equal(engine_block_set(s->e, 338, ENGINE_BLOCK_PINNED, false), 0);
	assert_int_equal(sim_write_by(s, MEMORY "memory338/state", "offline", 7, true), -EINTR);
	sim_block(s, 338, "offline");
	sim_free(s);
}

static void test_unpinned_goes_on(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online_movable");
	assert_int_equal(engine_block_set(s->e, 338, ENGINE_BLOCK_PINNED, true), 0);
	assert_true(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false) ==
		    ENGINE_BLOCKS);
	assert_int_equal(engine_block_set(s->e, 338, ENGINE_BLOCK_PINNED, false), 0);
	assert_int_equal(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false), 7);
	sim_expect(s, MEMORY "memory338/state", "offline");
	sim_free(s);
}

/* What is in use moves to other nodes; with no room there it retries like a pinned page. */
static void test_memory_in_use(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online_movable");
	sim_block(s, 339, "online_movable");
	assert_int_equal(engine_node_set_used(s->e, 1, 200 * MiB), 0);
	assert_int_equal(engine_node_set_used(s->e, 1, 257 * MiB), -ENOSPC);
	assert_int_equal(engine_node_set_used(s->e, 5, 0), -ENOENT);
	assert_int_equal(engine_node_set_used(s->e, 0, 3 * GiB), 0);
	assert_true(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false) ==
		    ENGINE_BLOCKS);
	assert_int_equal(engine_node_set_used(s->e, 0, 2 * GiB), 0);
	assert_int_equal(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false), 7);
	assert_non_null(strstr(sim_read(s, "devices/system/node/node1/meminfo"),
			       "Node 1 MemTotal:         131072 kB\n"
			       "Node 1 MemFree:               0 kB\n"));
	assert_non_null(strstr(sim_read(s, "devices/system/node/node0/meminfo"),
			       "Node 0 MemUsed:         2170880 kB\n"));
	sim_free(s);
}

#define NODE(n) "devices/system/node/node" #n "/"
#define POOL_2M "hugepages/hugepages-2048kB/"
#define POOL_1G "hugepages/hugepages-1048576kB/"

static void test_huge_pages(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online_movable");
	sim_expect(s, NODE(1) POOL_2M "nr_hugepages", "0");
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 2 * MiB, 32, 12), 0);
	sim_expect(s, NODE(1) POOL_2M "nr_hugepages", "32");
	sim_expect(s, NODE(1) POOL_2M "free_hugepages", "12");
	sim_expect(s, NODE(0) POOL_2M "nr_hugepages", "0");
	assert_non_null(
		strstr(sim_read(s, NODE(1) "meminfo"), "Node 1 MemFree:           65536 kB\n"));
	/* As the kernel: as many as there is room for, never fewer than are in use. */
	assert_int_equal(sim_write(s, NODE(1) POOL_2M "nr_hugepages", "1000\n"), 5);
	sim_expect(s, NODE(1) POOL_2M "nr_hugepages", "64");
	sim_expect(s, NODE(1) POOL_2M "free_hugepages", "44");
	assert_int_equal(sim_write(s, NODE(1) POOL_2M "nr_hugepages", "0"), 1);
	sim_expect(s, NODE(1) POOL_2M "nr_hugepages", "20");
	sim_expect(s, NODE(1) POOL_2M "free_hugepages", "0");
	assert_int_equal(sim_write(s, NODE(1) POOL_2M "nr_hugepages", "many"), -EINVAL);
	assert_int_equal(sim_write(s, NODE(1) POOL_2M "nr_hugepages", "-1"), -EINVAL);
	assert_int_equal(sim_write(s, NODE(1) POOL_2M "free_hugepages", "1"), -EACCES);

	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 2 * MiB, 65, 0), -ENOSPC);
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 2 * MiB, UINT64_MAX, 0), -ENOSPC);
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 2 * MiB, 1, 2), -EINVAL);
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 4 * MiB, 1, 0), -EINVAL);
	assert_int_equal(engine_node_set_huge_pages(s->e, 5, 2 * MiB, 1, 0), -ENOENT);
	/* They share the node with what else is used. */
	assert_int_equal(engine_node_set_used(s->e, 1, 88 * MiB), 0);
	assert_int_equal(engine_node_set_used(s->e, 1, 89 * MiB), -ENOSPC);
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 2 * MiB, 21, 0), -ENOSPC);
	sim_free(s);
}

/* Free ones are taken apart; those of 2 MiB in use move, or are made anew. */
static void test_huge_pages_move(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online_movable");
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, 2 * MiB, 40, 30), 0);
	assert_int_equal(engine_node_set_huge_pages(s->e, 0, 2 * MiB, 6, 4), 0);
	/* 4 into what is free on node 0, one where there is just room for it, 5 nowhere. */
	assert_int_equal(engine_node_set_used(s->e, 0, 3 * GiB - 14 * MiB), 0);
	assert_true(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false) ==
		    ENGINE_BLOCKS);
	sim_expect(s, NODE(1) POOL_2M "nr_hugepages", "40"); /* nothing moved in vain */
	sim_expect(s, NODE(0) POOL_2M "free_hugepages", "4");
	assert_int_equal(engine_node_set_used(s->e, 0, 2 * GiB), 0);
	assert_int_equal(sim_write_by(s, MEMORY "memory338/state", "offline", 7, false), 7);
	sim_expect(s, NODE(0) POOL_2M "nr_hugepages", "12");
	sim_expect(s, NODE(0) POOL_2M "free_hugepages", "0");
	sim_expect(s, NODE(1) POOL_2M "nr_hugepages", "0");
	sim_free(s);
}

/* One of 1 GiB is never made anew, however much is free. */
static void test_gigantic_pages_stay(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:1152"), ENGINE_ADDED); /* nine blocks */
	sim_claim_kmem(s, "dax0.0", TAG_A);
	for (unsigned number = 338; number < 347; number++)
		sim_block(s, number, "online_movable");
	assert_int_equal(engine_node_set_huge_pages(s->e, 1, GiB, 1, 0), 0);
	sim_block(s, 338, "offline");
	assert_true(sim_write_by(s, MEMORY "memory339/state", "offline", 7, false) ==
		    ENGINE_BLOCKS);
	assert_int_equal(engine_node_set_huge_pages(s->e, 0, GiB, 2, 1), 0);
	assert_int_equal(sim_write_by(s, MEMORY "memory339/state", "offline", 7, false), 7);
	sim_expect(s, NODE(1) POOL_1G "nr_hugepages", "0");
	sim_expect(s, NODE(0) POOL_1G "nr_hugepages", "2");
	sim_expect(s, NODE(0) POOL_1G "free_hugepages", "0");
	sim_free(s);
}

static void test_auto_online(void **state)
{
	static const struct {
		const char *policy, *block, *zones;
	} cases[] = {
		{ "offline", "offline", "Normal Movable" },
		{ "online", "online", "Normal" },
		{ "online_kernel", "online", "Normal" },
		{ "online_movable", "online", "Movable" },
	};
	struct engine_config config;

	(void)state;
	engine_config_init(&config);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *s = sim_new_with(&config, false);

		sim_expect(s, MEMORY "auto_online_blocks", "offline");
		sim_ok(s, MEMORY "auto_online_blocks", cases[i].policy);
		assert_int_equal(sim_write(s, MEMORY "auto_online_blocks", "maybe"), -EINVAL);
		sim_expect(s, MEMORY "auto_online_blocks", cases[i].policy);
		assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
		sim_claim_kmem(s, "dax0.0", TAG_A);
		sim_expect(s, MEMORY "memory339/state", cases[i].block);
		sim_expect(s, MEMORY "memory339/valid_zones", cases[i].zones);
		sim_free(s);
	}
}

/* Only whole blocks become memory; the rest of the device never is. */
static void test_alignment(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:64,1088:192,2048:256"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	assert_string_equal(s->kmsg,
			    "kmem dax0.1: mapping0: 0xa90000000-0xa93ffffff too small after "
			    "alignment\n"
			    "kmem dax0.1: DAX region truncated by 128 MiB due to alignment\n");
	assert_false(sim_exists(s, MEMORY "memory338"));
	assert_false(sim_exists(s, MEMORY "memory346"));
	assert_true(sim_exists(s, MEMORY "memory347"));
	assert_true(sim_exists(s, MEMORY "memory354"));
	assert_true(sim_exists(s, MEMORY "memory355"));
	sim_free(s);
}

static void test_nothing_after_alignment(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:64,320:64"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A); /* new_id itself succeeds */
	assert_false(sim_exists(s, "bus/dax/devices/dax0.1/driver"));
	assert_int_equal(sim_write(s, DRIVERS "kmem/bind", "dax0.1"), -EINVAL);
	sim_free(s);
}

static void test_leak(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	sim_block(s, 338, "online_kernel");
	sim_block(s, 339, "online_movable");
	sim_ok(s, DRIVERS "kmem/unbind", "dax0.0");
	assert_string_equal(s->kmsg,
			    "removing memory fails, because memory [0x0000000a90000000-"
			    "0x0000000a97ffffff] is onlined\n"
			    "kmem dax0.0: mapping0: 0xa90000000-0xa9fffffff cannot be hotremoved "
			    "until the next reboot\n");
	/* The mapping that was offline went, the other stays as it was. */
	assert_false(sim_exists(s, MEMORY "memory342"));
	sim_expect(s, MEMORY "memory338/valid_zones", "Normal");
	sim_expect(s, MEMORY "memory339/state", "online");
	sim_expect(s, DAX0 "size", "402653184");
	s->kmsg[0] = '\0';
	assert_int_equal(sim_write(s, DRIVERS "kmem/bind", "dax0.0"), -EBUSY);
	assert_string_equal(s->kmsg,
			    "kmem dax0.0: mapping0: 0xa90000000-0xa9fffffff could not reserve "
			    "region\n"
			    "kmem dax0.0: probe with driver kmem failed with error -16\n");
	sim_ok(s, DRIVERS "device_dax/bind", "dax0.0");
	sim_ok(s, DRIVERS "device_dax/unbind", "dax0.0");
	/* Offline it stays too: until the next reboot. */
	sim_block(s, 339, "offline");
	assert_int_equal(sim_write(s, DRIVERS "kmem/bind", "dax0.0"), -EBUSY);
	assert_int_equal(engine_counters(s->e)->blocks_leaked, 2);
	sim_free(s);
}

/* ---- daxN.M/state ---- */

static struct sim *sim_with_state(const char *auto_online)
{
	struct engine_config config;

	engine_config_init(&config);
	config.state_attribute = true;
	(void)str_copy(config.auto_online, sizeof(config.auto_online), auto_online);
	return sim_plugged(&config);
}

static void test_state_life(void **state)
{
	struct sim *s = sim_with_state("offline");

	(void)state;
	sim_expect(s, DAX0 "state", "offline");
	assert_int_equal(sim_write(s, DAX0 "state", "offline"), -EINVAL);
	assert_int_equal(sim_write(s, DAX0 "state", "garbage"), -EINVAL);
	sim_ok(s, DAX0 "state", "online_movable");
	sim_expect(s, DAX0 "state", "online_movable");
	sim_expect(s, MEMORY "memory342/valid_zones", "Movable");
	sim_ok(s, DAX0 "state", "online_movable");
	assert_int_equal(sim_write(s, DAX0 "state", "online_kernel"), -EBUSY);
	sim_ok(s, DAX0 "state", "unplugged");
	sim_expect(s, DAX0 "state", "unplugged");
	assert_false(sim_exists(s, MEMORY "memory338"));
	assert_true(sim_exists(s, DAX0 "driver"));
	sim_ok(s, DAX0 "state", "online");
	sim_expect(s, MEMORY "memory338/valid_zones", "Normal");
	assert_int_equal(sim_write(s, DAX0 "state", "unplugged"), -EBUSY);
	sim_expect(s, DAX0 "state", "online");
	/* Without kmem there is no such attribute. */
	sim_ok(s, DRIVERS "kmem/unbind", "dax0.0");
	assert_false(sim_exists(s, DAX0 "state"));
	sim_free(s);
}

static void test_state_is_optional(void **state)
{
	struct sim *s = sim_plugged(NULL);

	(void)state;
	assert_false(sim_exists(s, DAX0 "state"));
	engine_set_state_attribute(s->e, true);
	assert_true(sim_exists(s, DAX0 "state"));
	sim_free(s);
}

/* It believes what it did last, whatever became of single blocks. */
static void test_state_goes_stale(void **state)
{
	struct sim *s = sim_with_state("online_movable");

	(void)state;
	sim_expect(s, DAX0 "state", "online_movable");
	sim_block(s, 339, "offline");
	sim_expect(s, DAX0 "state", "online_movable");
	sim_ok(s, DAX0 "state", "online_movable");
	sim_expect(s, MEMORY "memory339/state", "offline");
	sim_ok(s, DAX0 "state", "unplugged");
	sim_free(s);
}

static void test_unplug_rolls_back(void **state)
{
	struct sim *s = sim_with_state("online_movable");
	char *before, *after;

	(void)state;
	sim_block(s, 338, "offline"); /* by another hand: not to be undone */
	assert_int_equal(engine_block_set(s->e, 342, ENGINE_BLOCK_UNMOVABLE, true), 0);
	before = sim_snapshot(s);
	s->uevents[0] = '\0';
	assert_int_equal(sim_write(s, DAX0 "state", "unplugged"), -EBUSY);
	assert_string_equal(s->uevents, "offline /devices/system/memory/memory339\n"
					"online /devices/system/memory/memory339\n");
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sim_free(s);
}

static void test_unplug_interrupted(void **state)
{
	struct sim *s = sim_with_state("online_movable");
	char *before, *after;

	(void)state;
	assert_int_equal(engine_block_set(s->e, 339, ENGINE_BLOCK_PINNED, true), 0);
	before = sim_snapshot(s);
	assert_true(sim_write_by(s, DAX0 "state", "unplugged", 7, false) == ENGINE_BLOCKS);
	sim_expect(s, MEMORY "memory338/state", "offline");
	sim_expect(s, MEMORY "memory339/state", "going-offline");
	sim_check(s);
	assert_int_equal(sim_write_by(s, DAX0 "state", "unplugged", 7, true), -EINTR);
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* And if the page is let go, it goes on. */
	assert_true(sim_write_by(s, DAX0 "state", "unplugged", 7, false) == ENGINE_BLOCKS);
	assert_int_equal(engine_block_set(s->e, 339, ENGINE_BLOCK_PINNED, false), 0);
	assert_int_equal(sim_write_by(s, DAX0 "state", "unplugged", 7, false), 9);
	assert_false(sim_exists(s, MEMORY "memory338"));
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_and_off),
		cmocka_unit_test(test_zone_of_online),
		cmocka_unit_test(test_boot_memory),
		cmocka_unit_test(test_pinned_until_signal),
		cmocka_unit_test(test_unpinned_goes_on),
		cmocka_unit_test(test_memory_in_use),
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(test_huge_pages_move),
		cmocka_unit_test(test_gigantic_pages_stay),
		cmocka_unit_test(test_auto_online),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_nothing_after_alignment),
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_state_life),
		cmocka_unit_test(test_state_is_optional),
		cmocka_unit_test(test_state_goes_stale),
		cmocka_unit_test(test_unplug_rolls_back),
		cmocka_unit_test(test_unplug_interrupted),
	};

	return cmocka_run_group_tests_name("engine: memory", tests, NULL, NULL);
}
