/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What add records say about sharing, and how long that is remembered. */
#include "random_inventory.h"

#include "release/sharing.h"

#define T0 (100 * USEC_PER_SEC)

struct fixture {
	struct sharing *sharing;
	struct inventory inv;
	struct memdev memdevs[2];
	struct region regions[2];
	struct extent extents[4];
};

/* mem0 with tag 1 of two extents, tag 2 of one, and an untagged one; mem1 with nothing. */
static int setup(void **state)
{
	static struct fixture f;
	static const uint32_t tags[] = { 0, 1, 1, 2 };

	f = (struct fixture){ .memdevs = { { .name = "mem0" }, { .name = "mem1" } } };
	f.inv = (struct inventory){
		.taken = T0,
		.memdevs = f.memdevs,
		.n_memdevs = 2,
		.regions = f.regions,
		.n_regions = 2,
		.extents = f.extents,
		.n_extents = 4,
	};
	f.regions[0] = (struct region){ .name = "region0", .memdev = 0, .n_extents = 4 };
	f.regions[1] = (struct region){ .name = "region1", .memdev = 1, .first_extent = 4 };
	for (uint32_t i = 0; i < 4; i++)
		f.extents[i] = (struct extent){
			.name = "extent0.1",
			.device = INVENTORY_NONE,
			.tag = random_tag(tags[i]),
			.dpa = { i * GiB, GiB },
			.sharable = 1, /* whatever was there */
		};
	assert_int_equal(sharing_new(&f.sharing), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sharing_free(f->sharing);
	return 0;
}

static void record(struct fixture *f, uint8_t type, uint32_t tag, uint64_t dpa, uint16_t sequence,
		   usec_t traced)
{
	struct dc_event event = {
		.memdev = "mem0",
		.type = type,
		.sequence = sequence,
		.dpa = { dpa, GiB },
		.tag = random_tag(tag),
		.traced = traced,
	};

	sharing_record(f->sharing, &event);
}

static void add(struct fixture *f, uint32_t tag, uint64_t dpa, uint16_t sequence)
{
	record(f, DC_EVENT_ADD, tag, dpa, sequence, T0 - USEC_PER_SEC);
}

/* Of the untagged extent, tag 1 and tag 2. */
static void expect(struct fixture *f, int untagged, int first, int second)
{
	assert_int_equal(f->extents[0].sharable, untagged);
	assert_int_equal(f->extents[1].sharable, first);
	assert_int_equal(f->extents[2].sharable, first);
	assert_int_equal(f->extents[3].sharable, second);
}

static void annotate(struct fixture *f, int untagged, int first, int second)
{
	sharing_annotate(f->sharing, &f->inv);
	expect(f, untagged, first, second);
}

static void test_nothing_known(void **state)
{
	annotate(*state, 0, -1, -1);
}

/* Numbered from 0, as now. */
static void test_sharable(void **state)
{
	struct fixture *f = *state;

	add(f, 1, GiB, 0);
	annotate(f, 0, -1, -1); /* the first of them, or one that is not shared */
	add(f, 1, 2 * GiB, 1);
	annotate(f, 0, 1, -1);
	annotate(f, 0, 1, -1);
}

/* Numbered from 1, as older kernels had it. */
static void test_sharable_from_one(void **state)
{
	struct fixture *f = *state;

	add(f, 2, 3 * GiB, 1);
	annotate(f, 0, -1, 1);
}

static void test_one_zero(void **state)
{
	struct fixture *f = *state;

	add(f, 1, GiB, 0);
	add(f, 1, GiB, 0); /* the same, told twice */
	add(f, 2, 3 * GiB, 0);
	annotate(f, 0, -1, -1);
}

static void test_not_sharable(void **state)
{
	struct fixture *f = *state;

	add(f, 1, GiB, 0);
	add(f, 1, 2 * GiB, 0);
	annotate(f, 0, 0, -1);
}

static void test_other_records(void **state)
{
	struct fixture *f = *state;
	struct dc_event event = {
		.memdev = "mem1",
		.type = DC_EVENT_ADD,
		.sequence = 1,
		.tag = random_tag(1),
		.traced = T0,
	};

	record(f, DC_EVENT_RELEASE, 1, GiB, 1, T0);
	record(f, DC_EVENT_FORCED_RELEASE, 1, GiB, 1, T0);
	record(f, DC_EVENT_REGION_UPDATED, 1, GiB, 1, T0);
	record(f, 77, 1, GiB, 1, T0);
	add(f, 0, 0, 1); /* untagged: not sharable, whatever its number */
	sharing_record(f->sharing, &event);
	annotate(f, 0, -1, -1);
}

/* Given back and added again, or refused because it is there: only "yes" still stands. */
static void test_added_again(void **state)
{
	struct fixture *f = *state;

	add(f, 1, GiB, 0);
	add(f, 1, 2 * GiB, 0);
	add(f, 2, 3 * GiB, 1);
	annotate(f, 0, 0, 1);
	record(f, DC_EVENT_ADD, 1, GiB, 0, T0 + USEC_PER_SEC);
	record(f, DC_EVENT_ADD, 2, GiB, 0, T0 + USEC_PER_SEC);
	/* Another look at what was there before says nothing new. */
	annotate(f, 0, -1, 1);
	record(f, DC_EVENT_ADD, 1, 2 * GiB, 0, T0 + 2 * USEC_PER_SEC);
	f->inv.taken = T0 + 3 * USEC_PER_SEC;
	annotate(f, 0, 0, 1);
}

/* The group is gone: the next one of that tag is another. */
static void test_forgotten(void **state)
{
	struct fixture *f = *state;

	add(f, 1, GiB, 0);
	add(f, 1, 2 * GiB, 1);
	add(f, 2, 3 * GiB, 1);
	f->inv.n_extents = f->regions[0].n_extents = 3; /* without tag 2 */
	f->inv.taken = T0 - USEC_PER_SEC + SHARING_GRACE_USEC;
	sharing_annotate(f->sharing, &f->inv);
	f->inv.n_extents = f->regions[0].n_extents = 4;
	annotate(f, 0, 1, 1); /* it may just not have come yet */
	f->inv.n_extents = f->regions[0].n_extents = 3;
	f->inv.taken++;
	sharing_annotate(f->sharing, &f->inv);
	f->inv.n_extents = f->regions[0].n_extents = 4;
	annotate(f, 0, 1, -1);
}

/* What could not be read is not gone. */
static void test_unread_region(void **state)
{
	struct fixture *f = *state;

	add(f, 2, 3 * GiB, 1);
	f->inv.taken = T0 + USEC_PER_HOUR;
	f->inv.n_extents = f->regions[0].n_extents = 3;
	f->regions[0].error = -EIO;
	sharing_annotate(f->sharing, &f->inv);
	f->inv.n_extents = f->regions[0].n_extents = 4;
	f->regions[0].error = 0;
	annotate(f, 0, -1, 1);
	/* Of another device: no reason. */
	f->inv.n_extents = f->regions[0].n_extents = 3;
	f->regions[1].error = -EIO;
	sharing_annotate(f->sharing, &f->inv);
	f->inv.n_extents = f->regions[0].n_extents = 4;
	annotate(f, 0, -1, -1);
}

static void test_bounded(void **state)
{
	struct fixture *f = *state;

	record(f, DC_EVENT_ADD, 2, 3 * GiB, 1, 1); /* the oldest */
	record(f, DC_EVENT_ADD, 1, 1 * GiB, 1, T0);
	for (uint32_t i = 0; i < SHARING_MAX - 1; i++) {
		struct dc_event event = {
			.memdev = "mem1",
			.type = DC_EVENT_ADD,
			.tag = { { 1, (uint8_t)(i >> 8), (uint8_t)i } },
			.traced = T0 - i % 1000,
		};

		if (i == SHARING_MAX - 2) /* all there is room for */
			annotate(f, 0, 1, 1);
		sharing_record(f->sharing, &event);
	}
	annotate(f, 0, 1, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_known), TEST(test_sharable),	   TEST(test_sharable_from_one),
		TEST(test_one_zero),	  TEST(test_not_sharable), TEST(test_other_records),
		TEST(test_added_again),	  TEST(test_forgotten),	   TEST(test_unread_region),
		TEST(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
