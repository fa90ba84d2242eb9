/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lookups and links of random hosts against a search that goes through everything. */
#include "random_inventory.h"

/* What inventory_find_group() must find, by looking at everything. */
static uint32_t count_matches(const struct inventory *inv, const struct group_key *key,
			      uint32_t *ret_first)
{
	uint32_t n = 0;

	for (uint32_t i = inv->n_extents; i-- > 0;) {
		const struct extent *e = &inv->extents[i];

		if (!streq(inv->memdevs[inv->regions[e->region].memdev].name, key->memdev) ||
		    !tag_equal(&e->tag, &key->tag) ||
		    (tag_is_null(&key->tag) && !range_overlaps(&e->dpa, &key->dpa)))
			continue;
		if (n > 0 && inv->extents[*ret_first].region != e->region)
			n = 0; /* the first region that has it counts */
		*ret_first = i;
		n++;
	}
	return n;
}

static void test_random_lookups(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_inventory(seed);
		struct random_state r = { .state = ~seed };

		assert_int_equal(inventory_check(inv), 0);
		for (unsigned i = 0; i < 100; i++) {
			struct tag_group group = { 0 };
			struct group_key key = { .tag = random_tag(random_below(&r, 10)) };
			uint32_t first = 0, n;
			int error;

			(void)snprintf(key.memdev, sizeof(key.memdev), "mem%u",
				       random_below(&r, 4));
			if (tag_is_null(&key.tag))
				key.dpa = (struct range){ random_below(&r, 5) * RANDOM_REGION_SIZE +
								  random_below(&r, 80) *
									  RANDOM_BLOCK_SIZE,
							  MiB };
			n = count_matches(inv, &key, &first);
			error = inventory_find_group(inv, &key, NULL, &group);
			if ((n > 0) != (error == 0) ||
			    (error == 0 && (group.first_extent != first || group.n_extents != n)))
				fail_msg("seed %llu, look-up %u: %d, %u+%u instead of %u+%u",
					 (unsigned long long)seed, i, error, group.first_extent,
					 group.n_extents, first, n);
		}
	}
}

/* Every extent is in exactly one group, and linked to who has it mapped. */
static void test_random_links(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_inventory(seed);
		struct tag_group group;
		uint32_t cursor = 0, next = 0;

		while (inventory_next_group(inv, &cursor, &group)) {
			struct tag_group found;
			struct group_key key;

			assert_int_equal(group.first_extent, next);
			next += group.n_extents;
			tag_group_key(inv, &group, &key);
			assert_int_equal(inventory_find_group(inv, &key, NULL, &found), 0);
			/* The same tag may be in a lower region of the memdev. */
			assert_true(found.first_extent == group.first_extent ||
				    found.region < group.region);
		}
		assert_int_equal(next, inv->n_extents);

		for (uint32_t i = 0; i < inv->n_extents; i++) {
			const struct extent *e = &inv->extents[i];
			uint32_t owner = INVENTORY_NONE;

			for (uint32_t d = 0; d < inv->n_devices; d++)
				for (uint32_t m = 0; m < inv->devices[d].n_mappings; m++)
					if (range_overlaps(
						    &inv->mappings[inv->devices[d].first_mapping +
								   m]
							     .hpa,
						    &e->hpa))
						owner = d;
			if (owner != e->device)
				fail_msg("seed %llu: %s has device %u, not %u",
					 (unsigned long long)seed, e->name, e->device, owner);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_lookups),
		cmocka_unit_test(test_random_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
