/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scan against a fabricated /sys: everything in its place, and hosts that have less. */
#include "scan_host.h"

static void test_picture(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = scan(*state);
	const struct region *region;
	const struct extent *e;
	const struct dax_device *d;

	assert_int_equal(inv->block_size, 128 * MiB);
	assert_string_equal(inv->auto_online, "online_movable");
	assert_true(inv->taken > 0 && inv->taken <= now_usec(CLOCK_MONOTONIC));

	assert_int_equal(inv->n_memdevs, 1);
	assert_string_equal(inv->memdevs[0].name, "mem0");
	assert_int_equal(inv->memdevs[0].serial, 0x63);

	assert_int_equal(inv->n_regions, 1);
	region = &inv->regions[0];
	assert_string_equal(region->name, "region0");
	assert_string_equal(region->dax_region, "dax_region0");
	assert_string_equal(region->mode, "dynamic_ram_1");
	assert_string_equal(region->decoder, "decoder2.0");
	assert_int_equal(region->memdev, 0);
	assert_int_equal(region->id, 0);
	assert_int_equal(region->hpa.start, HPA);
	assert_int_equal(region->hpa.length, 4 * GiB);
	assert_int_equal(region->dpa.start, 0x20000000);
	assert_int_equal(region->dpa.length, 4 * GiB);
	assert_int_equal(region->available, 64 * MiB);

	assert_int_equal(inv->n_extents, 4);
	e = find_extent(inv, "extent0.2");
	assert_string_equal(tag_text(&e->tag), TAG_A);
	assert_int_equal(e->hpa.start, HPA + 512 * MiB);
	assert_int_equal(e->hpa.length, 128 * MiB);
	assert_int_equal(e->dpa.start, 0x40000000);
	assert_string_equal(inv->devices[e->device].name, "dax0.1");
	e = find_extent(inv, "extent0.3");
	assert_string_equal(inv->devices[e->device].name, "dax0.2");
	e = find_extent(inv, "extent0.4");
	assert_true(tag_is_null(&e->tag));
	assert_int_equal(e->device, INVENTORY_NONE);

	assert_int_equal(inv->n_devices, 3);
	d = find_device(inv, "dax0.0");
	assert_int_equal(d->mode, DAX_MODE_UNBOUND);
	assert_string_equal(d->driver, "");
	assert_int_equal(d->size, 0);
	assert_int_equal(d->n_mappings, 0);
	d = find_device(inv, "dax0.1");
	assert_int_equal(d->mode, DAX_MODE_SYSTEM_RAM);
	assert_string_equal(d->driver, "kmem");
	assert_string_equal(d->state, "");
	assert_string_equal(tag_text(&d->tag), TAG_A);
	assert_int_equal(d->size, 384 * MiB);
	assert_int_equal(d->align, 2 * MiB);
	assert_int_equal(d->target_node, 1);
	assert_int_equal(d->dev_major, 254);
	assert_int_equal(d->dev_minor, 1);
	assert_int_equal(d->n_mappings, 2);
	assert_int_equal(inv->mappings[d->first_mapping + 1].hpa.start, HPA + 512 * MiB);
	assert_int_equal(inv->mappings[d->first_mapping + 1].hpa.length, 128 * MiB);
	assert_int_equal(inv->mappings[d->first_mapping + 1].page_offset, 0x10000);
	assert_int_equal(find_device(inv, "dax0.2")->mode, DAX_MODE_DEVDAX);
}

static void test_blocks(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = scan(*state);
	static const struct {
		uint64_t number;
		enum block_state state;
		enum block_zone zone;
	} expected[] = {
		{ 338, BLOCK_ONLINE, ZONE_MOVABLE },
		{ 339, BLOCK_ONLINE, ZONE_KERNEL },
		{ 342, BLOCK_OFFLINE, ZONE_NONE },
	};

	/* Those below its mappings and no other: not 337 and 343 beside, none in the gap. */
	assert_int_equal(inv->n_blocks, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct memory_block *b = find_block(inv, expected[i].number);

		assert_non_null(b);
		assert_int_equal(b->state, expected[i].state);
		assert_int_equal(b->zone, expected[i].zone);
		assert_false(b->foreign);
		assert_string_equal(inv->devices[b->device].name, "dax0.1");
	}
}

static void test_block_words(void **state)
{
	static const struct {
		const char *state, *zones;
		enum block_state expect_state;
		enum block_zone expect_zone;
	} cases[] = {
		{ "online", "Movable", BLOCK_ONLINE, ZONE_MOVABLE },
		{ "online", "Normal", BLOCK_ONLINE, ZONE_KERNEL },
		{ "online", "DMA", BLOCK_ONLINE, ZONE_KERNEL },
		{ "online", "DMA32", BLOCK_ONLINE, ZONE_KERNEL },
		{ "online", "HighMem", BLOCK_ONLINE, ZONE_KERNEL },
		{ "online", "none", BLOCK_ONLINE, ZONE_NONE },
		{ "online", "Normal Movable", BLOCK_ONLINE, ZONE_UNKNOWN }, /* just went offline */
		{ "online", "Movable Normal", BLOCK_ONLINE, ZONE_UNKNOWN },
		{ "online", "Device", BLOCK_ONLINE, ZONE_UNKNOWN },
		{ "online", "", BLOCK_ONLINE, ZONE_UNKNOWN },
		{ "offline", "Movable", BLOCK_OFFLINE, ZONE_NONE },
		{ "going-offline", "Movable", BLOCK_GOING_OFFLINE, ZONE_UNKNOWN },
		{ "Offline", "Movable", BLOCK_UNKNOWN, ZONE_UNKNOWN },
		{ "offline2", "Movable", BLOCK_UNKNOWN, ZONE_UNKNOWN },
		{ "", "Movable", BLOCK_UNKNOWN, ZONE_UNKNOWN },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;
		const struct memory_block *b;

		put_block(t, 338, cases[i].state, cases[i].zones);
		inv = scan(t);
		b = find_block(inv, 338);
		if (b->state != cases[i].expect_state || b->zone != cases[i].expect_zone)
			fail_msg("\"%s\", \"%s\" is taken for %s, %s", cases[i].state,
				 cases[i].zones, block_state_to_string(b->state),
				 block_zone_to_string(b->zone));
	}
}

static void test_unreadable_block_is_never_offline(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	/* A directory can be opened, but not read: EISDIR stands for any error of read(2). */
	tree_remove(t, MEMORY "/memory342/state");
	tree_mkdir(t, MEMORY "/memory342/state");
	tree_remove(t, MEMORY "/memory338/valid_zones");
	tree_mkdir(t, MEMORY "/memory338/valid_zones");
	/* It says that it is gone, and is still there. */
	tree_remove(t, MEMORY "/memory339/state");
	inv = scan(t);
	assert_int_equal(find_block(inv, 342)->state, BLOCK_UNKNOWN);
	assert_int_equal(find_block(inv, 342)->zone, ZONE_UNKNOWN);
	assert_int_equal(find_block(inv, 338)->state, BLOCK_ONLINE);
	assert_int_equal(find_block(inv, 338)->zone, ZONE_UNKNOWN);
	assert_int_equal(find_block(inv, 339)->state, BLOCK_UNKNOWN);
}

static void test_unaligned_device(void **state)
{
	static const char *const c[][3] = {
		{ "0xad0000000", "0xad3ffffff",
		  "0x0" }, /* the untagged extent: half of block 346 */
		{ NULL },
	};
	const struct tree *t = *state;

	put_device(t, "dax0.3", "254:3", "0", "kmem", "67108864", c);
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan(t);

		/* kmem dropped it: no block, and that is fine. */
		assert_int_equal(find_device(inv, "dax0.3")->n_blocks, 0);
		assert_true(tag_is_null(&find_device(inv, "dax0.3")->tag));
		assert_string_equal(inv->devices[find_extent(inv, "extent0.4")->device].name,
				    "dax0.3");
	}
	put_block(t, 346, "online", "Movable");
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan(t);

		assert_int_equal(find_device(inv, "dax0.3")->n_blocks, 1);
		assert_true(find_block(inv, 346)->foreign);
	}
}

/* A block that begins in one mapping and ends in the next is one block, and all the device's. */
static void test_block_of_two_mappings(void **state)
{
	static const char *const c[][3] = {
		{ "0xad4000000", "0xad7ffffff", "0x4000" },
		{ "0xad0000000", "0xad3ffffff", "0x0" },
		{ NULL },
	};
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	put_device(t, "dax0.3", "254:3", NULL_TAG, "kmem", "134217728", c);
	put_block(t, 346, "online", "Movable");
	inv = scan(t);
	assert_int_equal(find_device(inv, "dax0.3")->n_blocks, 1);
	assert_false(find_block(inv, 346)->foreign);
}

/* An unbound device's blocks are listed too: that is how leaked ones are seen. */
static void test_leaked_blocks(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	tree_remove(t, DAX_REGION "/dax0.1/driver");
	inv = scan(t);
	assert_int_equal(find_device(inv, "dax0.1")->mode, DAX_MODE_UNBOUND);
	assert_int_equal(find_device(inv, "dax0.1")->n_blocks, 3);
}

static void test_nodes(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = scan(*state);

	assert_int_equal(inv->n_nodes, 2);
	assert_int_equal(inv->nodes[0].id, 0);
	assert_int_equal(inv->nodes[0].total, 3 * GiB);
	assert_int_equal(inv->nodes[0].free, GiB);
	assert_int_equal(inv->nodes[0].reclaimable, 123 * KiB);
	assert_int_equal(inv->nodes[1].id, 1);
	assert_int_equal(inv->nodes[1].total, 384 * MiB);
	assert_int_equal(inv->nodes[1].reclaimable, 0);
}

static void put_pool(const struct tree *t, const char *node, const char *size, const char *total,
		     const char *free_pages)
{
	char dir[128];

	(void)snprintf(dir, sizeof(dir), NODE "/%s/hugepages/%s", node, size);
	put(t, dir, "nr_hugepages", total);
	put(t, dir, "free_hugepages", free_pages);
	put(t, dir, "surplus_hugepages", "0");
}

static void test_huge_pages(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	put_pool(t, "node1", "hugepages-1048576kB", "2", "1");
	put_pool(t, "node1", "hugepages-2048kB", "512", "0");
	put_pool(t, "node0", "hugepages-2048kB", "100", "101"); /* grown while it was read */
	put_pool(t, "node0", "hugepages-1048576kB", "0", "0");
	/* What is not of that name is not looked into. */
	put_pool(t, "node0", "hugepages-02048kB", "x", "x");
	put_pool(t, "node0", "hugepages-2048", "x", "x");
	put_pool(t, "node0", "hugepages-kB", "x", "x");
	put_pool(t, "node0", "hugepages-0kB", "x", "x");
	put_pool(t, "node0", "hugepages-99999999999999999kB", "x", "x");
	inv = scan(t);
	assert_int_equal(inv->n_hugepages, 3);
	assert_int_equal(inv->hugepages[0].node, 0);
	assert_int_equal(inv->hugepages[0].size, 2 * MiB);
	assert_int_equal(inv->hugepages[0].total, 100);
	assert_int_equal(inv->hugepages[0].free, 100);
	assert_int_equal(inv->hugepages[1].node, 1);
	assert_int_equal(inv->hugepages[1].total, 512);
	assert_int_equal(inv->hugepages[1].free, 0);
	assert_int_equal(inv->hugepages[2].size, GiB);
	assert_int_equal(inv->hugepages[2].total, 2);
	assert_int_equal(inv->hugepages[2].free, 1);
}

/* Not "there are none": then a release would begin that cannot end well. */
static void test_unreadable_huge_pages(void **state)
{
	const struct tree *t = *state;

	put_pool(t, "node0", "hugepages-2048kB", "many", "0");
	scan_fails_for(t, -EBADMSG,
		       NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages: Bad message");
	/* More than fits into 2^54 bytes. */
	put_pool(t, "node0", "hugepages-2048kB", "8589934593", "0");
	scan_fails(t, -EBADMSG);
	put_pool(t, "node0", "hugepages-2048kB", "8589934592", "0");
	inventory_free(scan(t));
}

static void test_memmap_on_memory(void **state)
{
	static const struct {
		const char *text;
		int32_t value;
	} cases[] = { { "1", 1 }, { "0", 0 }, { "2", -1 }, { "-1", -1 }, { "Y", -1 }, { "", -1 } };
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;

		put(t, DAX_REGION "/dax0.1", "memmap_on_memory", cases[i].text);
		inv = scan(t);
		assert_int_equal(find_device(inv, "dax0.1")->memmap_on_memory, cases[i].value);
		assert_int_equal(find_device(inv, "dax0.2")->memmap_on_memory, -1);
	}
}

/* Of tagged ones sysfs does not say; untagged ones cannot be. */
static void test_sharable(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = scan(*state);

	assert_int_equal(find_extent(inv, "extent0.1")->sharable, -1);
	assert_int_equal(find_extent(inv, "extent0.4")->sharable, 0);
}

static void test_modes(void **state)
{
	static const struct {
		const char *driver;
		enum dax_mode mode;
	} cases[] = {
		{ "kmem", DAX_MODE_SYSTEM_RAM },
		{ "device_dax", DAX_MODE_DEVDAX },
		{ "fsdev_dax", DAX_MODE_FSDEV },
		{ "kmem2", DAX_MODE_OTHER },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;
		char target[64];

		tree_remove(t, DAX_REGION "/dax0.2/driver");
		(void)snprintf(target, sizeof(target), "bus/dax/drivers/%s", cases[i].driver);
		put_link(t, DAX_REGION "/dax0.2", "driver", target);
		inv = scan(t);
		assert_int_equal(find_device(inv, "dax0.2")->mode, cases[i].mode);
		assert_string_equal(find_device(inv, "dax0.2")->driver, cases[i].driver);
	}
}

static void test_state_attribute(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	put(t, DAX_REGION "/dax0.1", "state", "online_movable");
	/* Unreadable, or nothing that could be written back: as if the kernel had none. */
	tree_mkdir(t, DAX_REGION "/dax0.2/state");
	put(t, DAX_REGION "/dax0.0", "state", "on/off");
	inv = scan(t);
	assert_string_equal(find_device(inv, "dax0.0")->state, "");
	assert_string_equal(find_device(inv, "dax0.1")->state, "online_movable");
	assert_string_equal(find_device(inv, "dax0.2")->state, "");
}

/* ---- hosts with less ---- */

static void test_no_cxl(void **state)
{
	struct tree t;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	(void)state;
	tree_init(&t); /* with no proc either, which is not looked at */
	inv = scan(&t);
	assert_int_equal(inv->n_memdevs + inv->n_regions + inv->n_extents + inv->n_devices +
				 inv->n_blocks + inv->n_nodes,
			 0);
	assert_int_equal(inv->block_size, 0);
	assert_string_equal(inv->auto_online, "");
	tree_done(&t);
}

static void test_no_root(void **state)
{
	struct inventory *inv = NULL;
	char why[64];

	(void)state;
	assert_int_equal(inventory_scan("/nonexistent", "/proc", &inv, why, sizeof(why)), -ENOENT);
	assert_null(inv);
	assert_string_equal(why, "/nonexistent: No such file or directory");
}

static void test_without_dax_cxl(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	tree_remove(t, DAX_REGION);
	tree_mkdir(t, DAX_REGION); /* the device is there, its driver is not */
	inv = scan(t);
	assert_int_equal(inv->n_regions, 1);
	assert_string_equal(inv->regions[0].dax_region, "");
	assert_int_equal(inv->regions[0].id, -1);
	assert_int_equal(inv->n_extents, 0);
}

static void test_other_regions(void **state)
{
	static const struct {
		const char *attribute, *value;
		uint32_t n;
	} cases[] = {
		{ "mode", "ram", 0 },		{ "mode", "pmem", 0 },
		{ "mode", "dynamic_ram_a", 1 }, { "mode", "dynamic_ram_1", 1 },
		{ "interleave_ways", "2", 0 },	{ "interleave_ways", "1", 1 },
		{ "target0", "", 0 },		{ "interleave_ways", "0", 0 },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;

		put(t, REGION, cases[i].attribute, cases[i].value);
		inv = scan(t);
		if (inv->n_regions != cases[i].n)
			fail_msg("%s=\"%s\": %u regions", cases[i].attribute, cases[i].value,
				 inv->n_regions);
		/* Without its region, nothing of it is shown. */
		if (cases[i].n == 0)
			assert_int_equal(inv->n_extents + inv->n_devices + inv->n_blocks, 0);
	}
}

/* dax devices of other providers are on the same bus. */
static void test_other_devices(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	put(t, "devices/platform/hmem.1/dax1.0", "size", "1073741824");
	put_link(t, "bus/dax/devices", "dax1.0", "devices/platform/hmem.1/dax1.0");
	inv = scan(t);
	assert_int_equal(inv->n_devices, 3);
	assert_null(find_device(inv, "dax1.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_picture),
		TEST(test_blocks),
		TEST(test_block_words),
		TEST(test_unreadable_block_is_never_offline),
		TEST(test_unaligned_device),
		TEST(test_block_of_two_mappings),
		TEST(test_leaked_blocks),
		TEST(test_nodes),
		TEST(test_huge_pages),
		TEST(test_unreadable_huge_pages),
		TEST(test_memmap_on_memory),
		TEST(test_sharable),
		TEST(test_modes),
		TEST(test_state_attribute),
		cmocka_unit_test(test_no_cxl),
		cmocka_unit_test(test_no_root),
		TEST(test_without_dax_cxl),
		TEST(test_other_regions),
		TEST(test_other_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
