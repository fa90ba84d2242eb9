/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linking and lookups of an inventory, each rule on a host made by hand. */
#include "inventory_host.h"

static void test_link_sorts_and_slices(void **state)
{
	static const char *const extents[] = { "extent0.5", "extent0.4", "extent0.3", "extent0.1",
					       "extent0.2" };
	struct inventory *inv = *state;
	const struct dax_device *d;

	assert_int_equal(inventory_link(inv), 0);
	assert_int_equal(inventory_check(inv), 0);

	assert_string_equal(inv->memdevs[0].name, "mem0");
	assert_string_equal(inv->regions[0].name, "region0");
	assert_int_equal(inv->regions[0].memdev, 0);
	assert_int_equal(inv->regions[1].memdev, 1);
	assert_int_equal(inv->regions[0].n_extents, 5);
	assert_int_equal(inv->regions[0].n_devices, 3);
	assert_int_equal(inv->regions[1].n_extents, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(extents); i++)
		assert_string_equal(inv->extents[i].name, extents[i]);

	/* By number, not by character. */
	d = inv->devices;
	assert_string_equal(d[0].name, "dax0.2");
	assert_string_equal(d[1].name, "dax0.3");
	assert_string_equal(d[2].name, "dax0.10");
	assert_int_equal(d[0].n_mappings, 2);
	assert_int_equal(inv->mappings[d[0].first_mapping].hpa.start, HPA);
	assert_int_equal(inv->mappings[d[0].first_mapping + 1].hpa.start, HPA + 512 * MiB);
	assert_int_equal(d[0].n_blocks, 3);
	assert_int_equal(inv->blocks[d[0].first_block].number, 338);
	assert_int_equal(inv->blocks[d[0].first_block + 2].number, 342);
	assert_int_equal(d[1].n_blocks, 0);
	assert_int_equal(d[2].n_blocks, 2);
	assert_int_equal(d[0].n_holders, 2);
	assert_int_equal(inv->holders[d[0].first_holder].pid, 3);
	assert_int_equal(inv->holders[d[2].first_holder].pid, 9);
}

static void test_link_claims_by_range(void **state)
{
	struct inventory *inv = *state;

	/* A uuid that says otherwise changes nothing, nor does what was there before. */
	inv->devices[0].tag = tag(TAG_A);
	inv->extents[0].device = 77;
	assert_int_equal(inventory_link(inv), 0);
	assert_int_equal(inv->extents[0].device, 1); /* untagged at 1 GiB: dax0.3 */
	assert_int_equal(inv->extents[1].device, INVENTORY_NONE);
	assert_int_equal(inv->extents[2].device, 2); /* tag B */
	assert_int_equal(inv->extents[3].device, 0); /* tag A */
	assert_int_equal(inv->extents[4].device, 0);
}

static void test_link_marks_foreign_blocks(void **state)
{
	struct inventory *inv = *state;

	/* dax0.3 has 64 of the 128 MiB of block 346; it was the third device put in. */
	put_block(inv, 346, 2);
	assert_int_equal(inventory_link(inv), 0);
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		assert_int_equal(inv->blocks[i].foreign, inv->blocks[i].number == 346);
}

static void test_link_block_of_two_mappings(void **state)
{
	struct inventory *inv = *state;

	/* Two halves that meet make a whole block: not foreign. */
	inv->devices[2].n_mappings++;
	inv->mappings[inv->n_mappings++].hpa = (struct range){ HPA + GiB + 64 * MiB, 64 * MiB };
	put_block(inv, 346, 2);
	assert_int_equal(inventory_link(inv), 0);
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		assert_false(inv->blocks[i].foreign);
	assert_int_equal(inv->extents[1].device, 1);
}

static void test_link_rejects(void **state)
{
	struct inventory *inv = *state;

	inv->extents[0].region = 2;
	assert_int_equal(inventory_link(inv), -EINVAL);
	inv->extents[0].region = 1;
	inv->regions[0].memdev = INVENTORY_NONE;
	assert_int_equal(inventory_link(inv), -EINVAL);
	/* Not even one that is known to be incomplete, if there is something in it. */
	inv->regions[1].error = -EIO;
	inv->regions[1].memdev = INVENTORY_NONE;
	assert_int_equal(inventory_link(inv), -EINVAL);
	inv->regions[1].error = 0;
	inv->regions[1].memdev = 1;
	inv->regions[0].memdev = 0;
	inv->blocks[0].device = 3;
	assert_int_equal(inventory_link(inv), -EINVAL);
	inv->blocks[0].device = 1;
	inv->devices[1].n_mappings = UINT32_MAX;
	assert_int_equal(inventory_link(inv), -EINVAL);
	inv->devices[1].n_mappings = 1; /* one left that nobody has */
	assert_int_equal(inventory_link(inv), -EINVAL);
	inv->devices[1].n_mappings = 2;
	assert_int_equal(inventory_link(inv), 0);
}

static void test_link_sees_torn_pictures(void **state)
{
	struct inventory *inv = *state;

	/* dax0.3 claims what dax0.10 has. */
	inv->mappings[3].hpa = (struct range){ HPA + 256 * MiB, 64 * MiB };
	assert_int_equal(inventory_link(inv), -EAGAIN);
}

static void test_link_sees_two_claims_on_free_bytes(void **state)
{
	struct inventory *inv = *state;

	/* Of dax0.10 and dax0.3, at 2 GiB, where no extent is. */
	inv->mappings[0].hpa = (struct range){ HPA + 2 * GiB, 256 * MiB };
	inv->mappings[3].hpa = (struct range){ HPA + 2 * GiB + 128 * MiB, 64 * MiB };
	assert_int_equal(inventory_link(inv), -EAGAIN);
}

static void test_link_sees_one_extent_in_two_devices(void **state)
{
	struct inventory *inv = *state;

	inv->mappings[0].hpa.length = 128 * MiB; /* dax0.10: half of its extent */
	inv->mappings[3].hpa = (struct range){ HPA + 384 * MiB, 64 * MiB };
	assert_int_equal(inventory_link(inv), -EAGAIN);
}

static void test_link_sees_extent_twice(void **state)
{
	struct inventory *inv = *state;

	/* Seen under its old and its new name. */
	put_extent(inv, "extent0.9", TAG_A, 0, 256 * MiB);
	inv->extents[inv->n_extents - 1].region = 1;
	assert_int_equal(inventory_link(inv), -EAGAIN);
}

static void test_group_views(void **state)
{
	struct inventory *inv = *state;
	struct tag_group group;
	uint32_t cursor = 0, devices[2] = { 55, 55 };
	struct group_key key;

	assert_int_equal(inventory_link(inv), 0);

	assert_true(inventory_next_group(inv, &cursor, &group)); /* untagged, claimed */
	assert_int_equal(group.n_extents, 1);
	tag_group_key(inv, &group, &key);
	assert_string_equal(key.memdev, "mem0");
	assert_true(tag_is_null(&key.tag));
	assert_int_equal(key.dpa.start, DPA + GiB);
	assert_int_equal(tag_group_devices(inv, &group, devices, 2), 1);
	assert_int_equal(devices[0], 1);

	assert_true(inventory_next_group(inv, &cursor, &group)); /* untagged, free */
	assert_int_equal(group.first_extent, 1);
	assert_int_equal(tag_group_devices(inv, &group, devices, 2), 0);

	assert_true(inventory_next_group(inv, &cursor, &group)); /* tag B */
	assert_int_equal(tag_group_bytes(inv, &group), 256 * MiB);

	assert_true(inventory_next_group(inv, &cursor, &group)); /* tag A */
	assert_int_equal(group.n_extents, 2);
	assert_int_equal(tag_group_bytes(inv, &group), 384 * MiB);
	tag_group_key(inv, &group, &key);
	assert_int_equal(key.dpa.length, 0);
	assert_int_equal(tag_group_devices(inv, &group, devices, 2), 1);
	assert_int_equal(devices[0], 0);

	assert_false(inventory_next_group(inv, &cursor, &group));
	assert_false(inventory_next_group(inv, &cursor, &group));
}

static void test_group_of_several_devices(void **state)
{
	struct inventory *inv = *state;
	struct tag_group group = { .region = 0, .first_extent = 0, .n_extents = 5 };
	uint32_t devices[3] = { 55, 55, 55 };

	/* No kernel makes such a group; the function must not depend on that. */
	assert_int_equal(inventory_link(inv), 0);
	assert_int_equal(tag_group_devices(inv, &group, devices, 2), 3);
	assert_int_equal(devices[0], 0);
	assert_int_equal(devices[1], 1);
	assert_int_equal(devices[2], 55); /* not written */
	assert_int_equal(tag_group_devices(inv, &group, NULL, 0), 3);
}

/* Processes before mounts, each by pid. */
static void test_link_sorts_holders_and_pools(void **state)
{
	struct inventory *inv = *state;
	struct huge_pages pools[] = {
		{ .node = 1, .size = GiB, .total = 1 },
		{ .node = 1, .size = 2 * MiB, .total = 1 },
		{ .node = 0, .size = GiB, .total = 1 },
	};

	inv->holders[0].mounted = true; /* pid 7 of dax0.2 */
	(void)str_copy(inv->holders[0].path, HOLDER_PATH_MAX, "/b");
	inv->holders[3] = inv->holders[0];
	(void)str_copy(inv->holders[3].path, HOLDER_PATH_MAX, "/a");
	inv->n_holders = 4;
	inv->holders[2].pid = 8; /* the process */
	inv->hugepages = random_array(3, sizeof(*pools));
	memcpy(inv->hugepages, pools, sizeof(pools));
	inv->n_hugepages = 3;

	assert_int_equal(inventory_link(inv), 0);
	assert_int_equal(inventory_check(inv), 0);
	assert_int_equal(inv->holders[0].pid, 8);
	assert_string_equal(inv->holders[1].path, "/a");
	assert_string_equal(inv->holders[2].path, "/b");
	assert_int_equal(inv->hugepages[0].node, 0);
	assert_int_equal(inv->hugepages[1].size, 2 * MiB);
	assert_int_equal(inv->hugepages[2].size, GiB);
}

static void test_partitions(void **state)
{
	static const struct {
		const char *mode;
		unsigned partition;
	} cases[] = {
		{ "dynamic_ram_1", 1 },	 { "dynamic_ram_8", 8 },
		{ "dynamic_ram_a", 1 },	 { "dynamic_ram_h", 8 },
		{ "dynamic_ram_0", 0 },	 { "dynamic_ram_9", 0 },
		{ "dynamic_ram_i", 0 },	 { "dynamic_ram_A", 0 },
		{ "dynamic_ram_10", 0 }, { "dynamic_ram_ab", 0 },
		{ "dynamic_ram_", 0 },	 { "dynamic_ram", 0 },
		{ "ram_1", 0 },		 { "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct region region = { 0 };

		(void)str_copy(region.mode, sizeof(region.mode), cases[i].mode);
		if (region_partition(&region) != cases[i].partition)
			fail_msg("%s: %u", cases[i].mode, region_partition(&region));
	}
}

static void test_sharable(void **state)
{
	struct inventory *inv = *state;
	const struct tag_group two = { .first_extent = 3, .n_extents = 2 }, none = { 0 };

	assert_int_equal(inventory_link(inv), 0);
	for (int a = -1; a <= 1; a++)
		for (int b = -1; b <= 1; b++) {
			inv->extents[3].sharable = a;
			inv->extents[4].sharable = b;
			assert_int_equal(tag_group_sharable(inv, &two), a == b ? a : -1);
		}
	assert_int_equal(tag_group_sharable(inv, &none), -1);
}

static void test_keys(void **state)
{
	struct dc_event event = { .memdev = "mem0", .dpa = { 0x1000, 0x10000000 } };
	char text[GROUP_KEY_STRLEN];
	struct group_key a, b;

	(void)state;
	group_key_from_event(&event, &a);
	assert_string_equal(group_key_format(&a, text), "untagged DPA 0x1000+0x10000000 on mem0");
	event.dpa.start++;
	group_key_from_event(&event, &b);
	assert_false(group_key_equal(&a, &b));

	event.tag = tag(TAG_A);
	group_key_from_event(&event, &a);
	assert_int_equal(a.dpa.length, 0);
	assert_string_equal(group_key_format(&a, text), TAG_A " on mem0");
	event.dpa.start = 0; /* another part of the same group */
	group_key_from_event(&event, &b);
	assert_true(group_key_equal(&a, &b));
	(void)str_copy(event.memdev, sizeof(event.memdev), "mem1");
	group_key_from_event(&event, &b);
	assert_false(group_key_equal(&a, &b));

	/* The longest that can come must fit. */
	memset(&a, 0, sizeof(a));
	memset(a.memdev, 'm', sizeof(a.memdev) - 1);
	a.dpa = (struct range){ UINT64_MAX, UINT64_MAX };
	assert_non_null(strstr(group_key_format(&a, text), " on mmm"));
	assert_int_equal(text[strlen(text) - 1], 'm');
	assert_int_equal(strlen(text), strlen("untagged DPA 0x+0x on ") + 32 + DEV_NAME_MAX - 1);
}

static void test_block_range(void **state)
{
	struct inventory inv = { .block_size = 128 * MiB };
	struct memory_block block = { .number = 338 };
	struct range r = memory_block_range(&inv, &block);

	(void)state;
	assert_int_equal(r.start, HPA);
	assert_int_equal(r.length, 128 * MiB);
	block.number = UINT64_MAX / inv.block_size; /* ends exactly behind the last address */
	r = memory_block_range(&inv, &block);
	assert_int_equal(r.length, 0);
	block.number = UINT64_MAX;
	r = memory_block_range(&inv, &block);
	assert_int_equal(r.length, 0);
}

static void test_names(void **state)
{
	enum dax_mode mode;

	(void)state;
	for (unsigned i = 0; i < _DAX_MODE_MAX; i++) {
		assert_int_equal(dax_mode_from_string(dax_mode_to_string((enum dax_mode)i), &mode),
				 0);
		assert_int_equal(mode, i);
	}
	assert_int_equal(dax_mode_from_string("ram", &mode), -EINVAL);
	for (unsigned i = 0; i < _BLOCK_STATE_MAX; i++)
		assert_non_null(block_state_to_string((enum block_state)i));
	for (unsigned i = 0; i < _BLOCK_ZONE_MAX; i++)
		assert_non_null(block_zone_to_string((enum block_zone)i));
	assert_string_equal(dax_mode_to_string(_DAX_MODE_MAX), "invalid");
	assert_string_equal(block_state_to_string(_BLOCK_STATE_MAX), "invalid");
	assert_string_equal(block_zone_to_string(_BLOCK_ZONE_MAX), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_link_sorts_and_slices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_claims_by_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_marks_foreign_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_block_of_two_mappings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_rejects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_sees_torn_pictures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_sees_two_claims_on_free_bytes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_link_sees_one_extent_in_two_devices, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_link_sees_extent_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_views, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_of_several_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_sorts_holders_and_pools, setup, teardown),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test_setup_teardown(test_sharable, setup, teardown),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_block_range),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
