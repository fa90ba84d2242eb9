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

/*
 * With regions that could not be read: what a healthy region has is found as before; what is not
 * found is -EIO exactly where an unread region might have it.
 */
static void test_random_unread(void **state)
{
	unsigned n_unread = 0, n_absent = 0, n_found = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_inventory(seed);
		struct random_state r = { .state = ~seed };

		random_errors(&r, inv);
		assert_int_equal(inventory_check(inv), 0);
		for (unsigned i = 0; i < 100; i++) {
			struct tag_group group = { .region = UINT32_MAX };
			struct group_key key = { .tag = random_tag(random_below(&r, 10)) };
			struct range dpa = { random_below(&r, 5) * RANDOM_REGION_SIZE +
						     random_below(&r, 80) * RANDOM_BLOCK_SIZE,
					     MiB };
			const struct range *asked = random_below(&r, 2) ? &dpa : NULL;
			uint32_t memdev = random_below(&r, inv->n_memdevs);
			bool healthy_maps = false, may_be = false;
			int error;

			(void)str_copy(key.memdev, sizeof(key.memdev), inv->memdevs[memdev].name);
			if (tag_is_null(&key.tag)) {
				key.dpa = dpa;
				asked = &dpa;
			}
			for (uint32_t k = 0; k < inv->n_regions; k++) {
				const struct region *region = &inv->regions[k];
				bool ours = region->memdev == memdev;
				bool maps = asked && region->dpa.length > 0 &&
					    range_contains(&region->dpa, asked);

				if (region->error == 0)
					healthy_maps |= ours && maps;
				else if (ours || region->memdev == INVENTORY_NONE)
					may_be |= !asked || maps || region->dpa.length == 0;
			}
			error = inventory_find_group(inv, &key, asked, &group);
			if (error == 0) {
				assert_int_equal(inv->regions[group.region].error, 0);
				n_found++;
			} else if ((error == -EIO) != (may_be && !healthy_maps)) {
				fail_msg("seed %llu, look-up %u: %d", (unsigned long long)seed, i,
					 error);
			} else if (error == -EIO) {
				assert_non_null(inventory_unread(inv, key.memdev));
				n_unread++;
			} else {
				n_absent++;
			}
		}
	}
	assert_true(n_found > 100 && n_unread > 100 && n_absent > 100);
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
		cmocka_unit_test(test_random_unread),
		cmocka_unit_test(test_random_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
