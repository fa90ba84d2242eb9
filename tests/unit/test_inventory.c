/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linking and lookups of an inventory, each rule on a host made by hand. */
#include "random_inventory.h"

#define TAG_A "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define TAG_B "11111111-2222-3333-4444-555555555555"
#define HPA UINT64_C(0xa90000000)
#define DPA UINT64_C(0x100000000)

/*
 * mem0 with region0 of 4 GiB: tag A = 256 MiB at 0 and 128 MiB at 512 MiB, claimed by dax0.2; tag
 * B = 256 MiB at 256 MiB between them, claimed by dax0.10; untagged 64 MiB at 1 GiB claimed by
 * dax0.3, and 64 MiB right behind it, free. mem1 with region1, empty.
 */
static struct tag tag(const char *s)
{
	struct tag t;

	assert_int_equal(tag_parse(s, &t), 0);
	return t;
}

static void put_extent(struct inventory *inv, const char *name, const char *uuid, uint64_t offset,
		       uint64_t length)
{
	struct extent *e = &inv->extents[inv->n_extents++];

	(void)str_copy(e->name, sizeof(e->name), name);
	if (uuid)
		e->tag = tag(uuid);
	e->hpa = (struct range){ HPA + offset, length };
	e->dpa = (struct range){ DPA + offset, length };
}

static uint32_t put_device(struct inventory *inv, const char *name, const char *uuid)
{
	struct dax_device *d = &inv->devices[inv->n_devices];

	(void)str_copy(d->name, sizeof(d->name), name);
	if (uuid)
		d->tag = tag(uuid);
	d->first_mapping = inv->n_mappings;
	return inv->n_devices++;
}

static void put_mapping(struct inventory *inv, uint64_t offset, uint64_t length)
{
	struct dax_device *d = &inv->devices[inv->n_devices - 1];

	inv->mappings[inv->n_mappings++].hpa = (struct range){ HPA + offset, length };
	d->n_mappings++;
	d->size += length;
}

static void put_block(struct inventory *inv, uint64_t number, uint32_t device)
{
	inv->blocks[inv->n_blocks++] = (struct memory_block){
		.number = number,
		.state = BLOCK_ONLINE,
		.zone = ZONE_MOVABLE,
		.device = device,
	};
}

static struct inventory *make_inventory(void)
{
	struct inventory *inv = random_array(1, sizeof(*inv));
	uint32_t a, b;

	inv->block_size = 128 * MiB;
	inv->memdevs = random_array(2, sizeof(*inv->memdevs));
	inv->regions = random_array(2, sizeof(*inv->regions));
	inv->extents = random_array(8, sizeof(*inv->extents));
	inv->devices = random_array(4, sizeof(*inv->devices));
	inv->mappings = random_array(8, sizeof(*inv->mappings));
	inv->blocks = random_array(16, sizeof(*inv->blocks));
	inv->holders = random_array(4, sizeof(*inv->holders));

	/* Against the order they must end in. */
	inv->n_memdevs = 2;
	(void)str_copy(inv->memdevs[0].name, DEV_NAME_MAX, "mem1");
	(void)str_copy(inv->memdevs[1].name, DEV_NAME_MAX, "mem0");
	inv->n_regions = 2;
	inv->regions[0] = (struct region){
		.name = "region1",
		.memdev = 0,
		.hpa = { HPA + 4 * GiB, 4 * GiB },
		.dpa = { 0, 4 * GiB },
	};
	inv->regions[1] = (struct region){
		.name = "region0",
		.memdev = 1,
		.hpa = { HPA, 4 * GiB },
		.dpa = { DPA, 4 * GiB },
	};

	put_extent(inv, "extent0.2", TAG_A, 512 * MiB, 128 * MiB);
	put_extent(inv, "extent0.4", NULL, GiB + 64 * MiB, 64 * MiB);
	put_extent(inv, "extent0.3", TAG_B, 256 * MiB, 256 * MiB);
	put_extent(inv, "extent0.1", TAG_A, 0, 256 * MiB);
	put_extent(inv, "extent0.5", NULL, GiB, 64 * MiB);
	for (uint32_t i = 0; i < inv->n_extents; i++)
		inv->extents[i].region = 1;

	b = put_device(inv, "dax0.10", TAG_B);
	put_mapping(inv, 256 * MiB, 256 * MiB);
	a = put_device(inv, "dax0.2", TAG_A);
	put_mapping(inv, 512 * MiB, 128 * MiB);
	put_mapping(inv, 0, 256 * MiB);
	(void)put_device(inv, "dax0.3", NULL);
	put_mapping(inv, GiB, 64 * MiB);
	for (uint32_t i = 0; i < inv->n_devices; i++)
		inv->devices[i].region = 1;

	put_block(inv, 342, a);
	put_block(inv, 341, b);
	put_block(inv, 338, a);
	put_block(inv, 340, b);
	put_block(inv, 339, a);
	inv->holders[inv->n_holders++] = (struct holder){ .device = a, .pid = 7 };
	inv->holders[inv->n_holders++] = (struct holder){ .device = b, .pid = 9 };
	inv->holders[inv->n_holders++] = (struct holder){ .device = a, .pid = 3 };
	return inv;
}

static int setup(void **state)
{
	*state = make_inventory();
	return 0;
}

static int teardown(void **state)
{
	inventory_free(*state);
	return 0;
}

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

static void test_find(void **state)
{
	static const struct {
		const char *memdev, *tag;
		struct range key, dpa;
		int error;
		uint32_t first, n;
	} cases[] = {
		/* Tagged: whole group, whatever part was named; without a range: by tag alone. */
		{ "mem0", TAG_A, { 0 }, { DPA, 256 * MiB }, 0, 3, 2 },
		{ "mem0", TAG_A, { 0 }, { DPA + 512 * MiB, 2 * MiB }, 0, 3, 2 },
		{ "mem0", TAG_A, { 0 }, { 0 }, 0, 3, 2 },
		{ "mem0", TAG_B, { 0 }, { 0 }, 0, 2, 1 },
		{ "mem0", "22222222-2222-2222-2222-222222222222", { 0 }, { 0 }, -ENOENT, 0, 0 },
		{ "mem0", "ffffffff-ffff-ffff-ffff-ffffffffffff", { 0 }, { 0 }, -ENOENT, 0, 0 },
		/* Another device's tag, no device, no region there. */
		{ "mem1", TAG_A, { 0 }, { 0, 256 * MiB }, -ENOENT, 0, 0 },
		{ "mem2", TAG_A, { 0 }, { 0 }, -ENODEV, 0, 0 },
		{ "mem", TAG_A, { 0 }, { 0 }, -ENODEV, 0, 0 },
		{ "mem0", TAG_A, { 0 }, { DPA - 1, MiB }, -ENXIO, 0, 0 },
		{ "mem0", TAG_A, { 0 }, { DPA + 4 * GiB - MiB, 2 * MiB }, -ENXIO, 0, 0 },
		{ "mem0", TAG_A, { 0 }, { UINT64_MAX - 1, 16 }, -ENXIO, 0, 0 },
		{ "mem0", TAG_A, { 0 }, { DPA + MiB, UINT64_MAX - MiB }, -ENXIO, 0, 0 },
		/* Untagged: the extent at that range only. */
		{ "mem0", NULL, { DPA + GiB, 64 * MiB }, { DPA + GiB, 64 * MiB }, 0, 0, 1 },
		{ "mem0", NULL, { DPA + GiB, 64 * MiB }, { 0 }, 0, 0, 1 },
		{ "mem0", NULL, { DPA + GiB + 127 * MiB, MiB }, { 0 }, 0, 1, 1 },
		{ "mem0", NULL, { DPA + GiB + 128 * MiB, MiB }, { 0 }, -ENOENT, 0, 0 },
		{ "mem0", NULL, { DPA + GiB - MiB, MiB }, { 0 }, -ENOENT, 0, 0 },
		{ "mem0", NULL, { DPA, 256 * MiB }, { 0 }, -ENOENT, 0, 0 }, /* that is tag A */
		{ "mem0", NULL, { 0, MiB }, { 0 }, -ENXIO, 0, 0 },
		{ "mem1", NULL, { 0, MiB }, { 0 }, -ENOENT, 0, 0 },
	};
	struct inventory *inv = *state;

	assert_int_equal(inventory_link(inv), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct group_key key = { .dpa = cases[i].key };
		struct tag_group group = { 0 };
		int r;

		(void)str_copy(key.memdev, sizeof(key.memdev), cases[i].memdev);
		if (cases[i].tag)
			key.tag = tag(cases[i].tag);
		r = inventory_find_group(inv, &key, &cases[i].dpa, &group);
		if (r != cases[i].error ||
		    (r == 0 && (group.region != 0 || group.first_extent != cases[i].first ||
				group.n_extents != cases[i].n)))
			fail_msg("case %zu: %d, extents %u+%u", i, r, group.first_extent,
				 group.n_extents);
		if (cases[i].dpa.length == 0)
			assert_int_equal(inventory_find_group(inv, &key, NULL, &group),
					 cases[i].error);
	}
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
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_views, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_of_several_devices, setup, teardown),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_block_range),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
