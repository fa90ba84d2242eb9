/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking up a group on a host made by hand: whole, and where a region could not be read. */
#include "inventory_host.h"

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

/* region1, which is empty, could not be read: neither what is in it nor whose it is. */
static void test_find_beside_a_lost_region(void **state)
{
	struct group_key key = { .memdev = "mem0", .tag = tag(TAG_A) };
	struct range dpa = { DPA, MiB };
	struct inventory *inv = *state;
	struct tag_group group = { 0 };

	inv->regions[0].error = -EIO;
	inv->regions[0].memdev = INVENTORY_NONE;
	inv->regions[0].hpa = inv->regions[0].dpa = (struct range){ 0 };
	(void)str_copy(inv->regions[0].error_path, INVENTORY_PATH_MAX, "region1/target0");
	assert_int_equal(inventory_link(inv), 0);
	assert_int_equal(inventory_check(inv), 0);
	assert_int_equal(inv->regions[0].memdev, 0);
	assert_int_equal(inv->regions[1].memdev, INVENTORY_NONE);
	assert_ptr_equal(inventory_unread(inv, "mem0"), &inv->regions[1]);
	assert_ptr_equal(inventory_unread(inv, "mem1"), &inv->regions[1]);

	/* In the healthy one: there it is. */
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), 0);
	assert_int_equal(group.region, 0);
	key.tag = tag("22222222-2222-2222-2222-222222222222");
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -EIO);
	/* The range is the healthy one's: it is nowhere. Elsewhere: who knows. */
	assert_int_equal(inventory_find_group(inv, &key, &dpa, &group), -ENOENT);
	dpa.start = 0;
	assert_int_equal(inventory_find_group(inv, &key, &dpa, &group), -EIO);
	(void)str_copy(key.memdev, sizeof(key.memdev), "mem1");
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -EIO);
	(void)str_copy(key.memdev, sizeof(key.memdev), "mem2");
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -ENODEV);
}

/* region0, with all the groups, was not read whole. */
static void test_find_in_a_broken_region(void **state)
{
	struct group_key key = { .memdev = "mem0", .tag = tag(TAG_A) };
	struct range dpa = { DPA + GiB, MiB };
	struct inventory *inv = *state;
	struct tag_group group = { .region = 0, .first_extent = 1, .n_extents = 1 };

	assert_int_equal(inventory_link(inv), 0);
	assert_null(inventory_unread(inv, "mem0"));
	assert_true(tag_group_is_free(inv, &group, NULL));
	inv->regions[0].error = -EIO;
	(void)str_copy(inv->regions[0].error_path, INVENTORY_PATH_MAX, "extent0.9/uuid");
	assert_int_equal(inventory_check(inv), 0);
	assert_ptr_equal(inventory_unread(inv, "mem0"), &inv->regions[0]);
	assert_null(inventory_unread(inv, "mem1"));
	/* What claims it may be what was not read. */
	assert_false(tag_group_is_free(inv, &group, NULL));

	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -EIO);
	assert_int_equal(inventory_find_group(inv, &key, &dpa, &group), -EIO);
	/* Its DPA range is known: what is outside is not in it. */
	dpa.start = DPA + 4 * GiB;
	assert_int_equal(inventory_find_group(inv, &key, &dpa, &group), -ENXIO);
	key = (struct group_key){ .memdev = "mem0", .dpa = { DPA + GiB, MiB } };
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -EIO);
	(void)str_copy(key.memdev, sizeof(key.memdev), "mem1");
	key.dpa = (struct range){ 0, MiB };
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_find),
		TEST(test_find_beside_a_lost_region),
		TEST(test_find_in_a_broken_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
