/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lookups in an inventory: groups by key, the devices behind a group, sums. No I/O. */
#include <dcdd/inventory.h>

void inventory_free(struct inventory *inv)
{
	if (!inv)
		return;
	free(inv->memdevs);
	free(inv->regions);
	free(inv->extents);
	free(inv->devices);
	free(inv->mappings);
	free(inv->blocks);
	free(inv->holders);
	free(inv->nodes);
	free(inv->hugepages);
	free(inv);
}

static uint32_t find_memdev(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_memdevs; i++)
		if (streq(inv->memdevs[i].name, name))
			return i;
	return INVENTORY_NONE;
}

/* The first extent in [@first, @end) whose tag is not below @tag; @end if there is none. */
static uint32_t lower_bound_tag(const struct inventory *inv, uint32_t first, uint32_t end,
				const struct tag *tag)
{
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (tag_compare(&inv->extents[middle].tag, tag) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* Where the extents end that have the tag of extent @first, in its region. */
static uint32_t end_of_tag(const struct inventory *inv, uint32_t first)
{
	const struct extent *extent = &inv->extents[first];
	const struct region *region = &inv->regions[extent->region];
	uint32_t end = region->first_extent + region->n_extents, i;

	for (i = first + 1; i < end; i++)
		if (!tag_equal(&inv->extents[i].tag, &extent->tag))
			break;
	return i;
}

static bool find_tagged(const struct inventory *inv, uint32_t region_index, const struct tag *tag,
			struct tag_group *ret)
{
	const struct region *region = &inv->regions[region_index];
	uint32_t end = region->first_extent + region->n_extents;
	uint32_t first = lower_bound_tag(inv, region->first_extent, end, tag);

	if (first == end || !tag_equal(&inv->extents[first].tag, tag))
		return false;
	*ret = (struct tag_group){
		.region = region_index,
		.first_extent = first,
		.n_extents = end_of_tag(inv, first) - first,
	};
	return true;
}

/* Untagged extents come first in a region, because their tag is all zero, and by offset. */
static bool find_untagged(const struct inventory *inv, uint32_t region_index,
			  const struct range *dpa, struct tag_group *ret)
{
	const struct region *region = &inv->regions[region_index];
	uint32_t first = region->first_extent, end = first + region->n_extents;
	const uint32_t region_end = end;
	const struct extent *extent;

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		extent = &inv->extents[middle];
		if (tag_is_null(&extent->tag) && range_end(&extent->dpa) <= dpa->start)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == region_end)
		return false;
	extent = &inv->extents[first];
	if (!tag_is_null(&extent->tag) || !range_overlaps(&extent->dpa, dpa))
		return false;
	*ret = (struct tag_group){
		.region = region_index,
		.first_extent = first,
		.n_extents = 1,
	};
	return true;
}

/* Whether the region could not be read, and may be one of @memdev. */
static bool is_unread(const struct region *region, uint32_t memdev)
{
	return region->error < 0 && (region->memdev == memdev || region->memdev == INVENTORY_NONE);
}

/* Its DPA range may be what could not be read. */
static bool may_map(const struct region *region, const struct range *dpa)
{
	return region->dpa.length == 0 || range_contains(&region->dpa, dpa);
}

int inventory_find_group(const struct inventory *inv, const struct group_key *key,
			 const struct range *dpa, struct tag_group *ret)
{
	uint32_t memdev = find_memdev(inv, key->memdev);
	bool tagged = !tag_is_null(&key->tag);
	bool everywhere = tagged && (!dpa || dpa->length == 0);
	const struct range *wanted = dpa && dpa->length ? dpa : &key->dpa;
	bool mapped = everywhere, decided = false, unread = false;

	if (memdev == INVENTORY_NONE)
		return -ENODEV;
	/* Not made by range_make(): its end would wrap around to inside a region. */
	if (wanted->length > UINT64_MAX - wanted->start)
		return -ENXIO;

	for (uint32_t i = 0; i < inv->n_regions; i++) {
		const struct region *region = &inv->regions[i];

		if (region->error < 0) {
			unread |= is_unread(region, memdev) &&
				  (everywhere || may_map(region, wanted));
			continue;
		}
		if (region->memdev != memdev)
			continue;
		if (!everywhere && !range_contains(&region->dpa, wanted))
			continue;
		mapped = true;
		/* No DPA is in two regions: it is here or nowhere. */
		decided = !everywhere;
		if (tagged ? find_tagged(inv, i, &key->tag, ret)
			   : find_untagged(inv, i, wanted, ret))
			return 0;
	}
	/* A tag is live only once on a host: found above, it is in no other region. */
	if (unread && !decided)
		return -EIO;
	return mapped ? -ENOENT : -ENXIO;
}

const struct region *inventory_unread(const struct inventory *inv, const char *memdev)
{
	uint32_t index = find_memdev(inv, memdev);

	for (uint32_t i = 0; i < inv->n_regions; i++)
		if (is_unread(&inv->regions[i], index))
			return &inv->regions[i];
	return NULL;
}

bool inventory_next_group(const struct inventory *inv, uint32_t *cursor, struct tag_group *ret)
{
	uint32_t first = *cursor;
	uint32_t end;

	if (first >= inv->n_extents)
		return false;
	end = tag_is_null(&inv->extents[first].tag) ? first + 1 : end_of_tag(inv, first);
	*ret = (struct tag_group){
		.region = inv->extents[first].region,
		.first_extent = first,
		.n_extents = end - first,
	};
	*cursor = end;
	return true;
}

uint64_t tag_group_bytes(const struct inventory *inv, const struct tag_group *group)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < group->n_extents; i++)
		if (__builtin_add_overflow(sum, inv->extents[group->first_extent + i].dpa.length,
					   &sum))
			return UINT64_MAX;
	return sum;
}

void tag_group_key(const struct inventory *inv, const struct tag_group *group,
		   struct group_key *ret)
{
	const struct extent *extent = &inv->extents[group->first_extent];
	uint32_t memdev = inv->regions[group->region].memdev;

	memset(ret, 0, sizeof(*ret));
	(void)str_copy(ret->memdev, sizeof(ret->memdev), inv->memdevs[memdev].name);
	ret->tag = extent->tag;
	if (tag_is_null(&extent->tag))
		ret->dpa = extent->dpa;
}

size_t tag_group_devices(const struct inventory *inv, const struct tag_group *group, uint32_t *ret,
			 size_t max)
{
	uint32_t next = 0; /* devices below this index are done */
	size_t n = 0;

	/* One pass per device, without memory: a group nearly always has one. */
	for (;;) {
		uint32_t lowest = INVENTORY_NONE;

		for (uint32_t i = 0; i < group->n_extents; i++) {
			uint32_t device = inv->extents[group->first_extent + i].device;

			if (device >= next && device < lowest)
				lowest = device;
		}
		if (lowest == INVENTORY_NONE)
			return n;
		if (n < max)
			ret[n] = lowest;
		n++;
		next = lowest + 1;
	}
}

struct range memory_block_range(const struct inventory *inv, const struct memory_block *block)
{
	struct range range;
	uint64_t start;

	/* A number no block can have: an empty range at the end, which overlaps nothing. */
	if (__builtin_mul_overflow(block->number, inv->block_size, &start) ||
	    range_make(start, inv->block_size, &range) < 0)
		return (struct range){ .start = UINT64_MAX };
	return range;
}

bool tag_group_is_free(const struct inventory *inv, const struct tag_group *group,
		       uint64_t *ret_leftover)
{
	uint32_t device;

	if (ret_leftover)
		*ret_leftover = UINT64_MAX;
	/* A device that claims it may be among what could not be read. */
	if (inv->regions[group->region].error < 0)
		return false;
	if (tag_group_devices(inv, group, &device, 1) > 0)
		return false;
	for (uint32_t i = 0; i < group->n_extents; i++) {
		const struct extent *extent = &inv->extents[group->first_extent + i];

		if (!extent->leftover)
			continue;
		if (ret_leftover)
			*ret_leftover = extent->leftover_block;
		return false;
	}
	return true;
}

unsigned region_partition(const struct region *region)
{
	const char *name = startswith(region->mode, "dynamic_ram_");

	/* A device has at most eight. */
	if (!name || name[0] == '\0' || name[1] != '\0')
		return 0;
	if (name[0] >= '1' && name[0] <= '8')
		return (unsigned)(name[0] - '0');
	return name[0] >= 'a' && name[0] <= 'h' ? (unsigned)(name[0] - 'a') + 1 : 0;
}

int tag_group_sharable(const struct inventory *inv, const struct tag_group *group)
{
	const struct extent *extents = &inv->extents[group->first_extent];

	for (uint32_t i = 0; i < group->n_extents; i++)
		if (extents[i].sharable != extents[0].sharable)
			return -1;
	return group->n_extents > 0 ? extents[0].sharable : -1;
}
