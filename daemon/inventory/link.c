/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings the arrays of an inventory, filled in any order, into the order that the lookups rely on,
 * and ties them together: elements to their parents' slices, extents to the devices that claim
 * them. Pure: nothing is read here.
 */
#include "inventory/claims.h"
#include "inventory/scan.h"

/* Order of names with numbers in them: "dax0.9" before "dax0.10". */
static int compare_names(const char *a, const char *b)
{
	return strverscmp(a, b);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_memdevs(const void *a, const void *b)
{
	const struct memdev *x = a, *y = b;

	return compare_names(x->name, y->name);
}

static int compare_regions(const void *a, const void *b)
{
	const struct region *x = a, *y = b;

	return compare_names(x->name, y->name);
}

static int compare_devices(const void *a, const void *b)
{
	const struct dax_device *x = a, *y = b;
	int r = compare_numbers(x->region, y->region);

	return r ? r : compare_names(x->name, y->name);
}

static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;
	int r = compare_numbers(x->region, y->region);

	r = r ? r : tag_compare(&x->tag, &y->tag);
	r = r ? r : compare_numbers(x->dpa.start, y->dpa.start);
	return r ? r : compare_names(x->name, y->name);
}

static int compare_mappings(const void *a, const void *b)
{
	const struct mapping *x = a, *y = b;
	int r = compare_numbers(x->hpa.start, y->hpa.start);

	return r ? r : compare_numbers(x->page_offset, y->page_offset);
}

static int compare_blocks(const void *a, const void *b)
{
	const struct memory_block *x = a, *y = b;
	int r = compare_numbers(x->device, y->device);

	return r ? r : compare_numbers(x->number, y->number);
}

static int compare_holders(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;
	int r = compare_numbers(x->device, y->device);

	/* Processes, then mounts. */
	r = r ? r : (int)x->mounted - (int)y->mounted;
	r = r ? r : (x->pid > y->pid) - (x->pid < y->pid);
	return r ? r : strcmp(x->path, y->path);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct numa_node *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int compare_hugepages(const void *a, const void *b)
{
	const struct huge_pages *x = a, *y = b;

	return x->node != y->node ? (x->node > y->node) - (x->node < y->node)
				  : compare_numbers(x->size, y->size);
}

static void sort(void *array, uint32_t n, size_t size, int (*compare)(const void *a, const void *b))
{
	if (n > 1)
		qsort(array, n, size, compare);
}

struct sort_order {
	const char *array;
	size_t size;
	int (*compare)(const void *a, const void *b);
};

static int compare_by_index(const void *a, const void *b, void *userdata)
{
	const struct sort_order *order = userdata;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int r = order->compare(order->array + x * order->size, order->array + y * order->size);

	return r ? r : compare_numbers(x, y);
}

/*
 * Sorts an array that other elements point into. *@ret_moved tells for each old index the new one
 * (caller frees).
 */
static int sort_referenced(void *array, uint32_t n, size_t size,
			   int (*compare)(const void *a, const void *b), uint32_t **ret_moved)
{
	struct sort_order order = { .array = array, .size = size, .compare = compare };
	_cleanup_free_ uint32_t *from = calloc((size_t)n + 1, sizeof(*from));
	_cleanup_free_ uint32_t *moved = calloc((size_t)n + 1, sizeof(*moved));
	_cleanup_free_ char *copy = calloc((size_t)n + 1, size);

	if (!from || !moved || !copy)
		return -ENOMEM;
	if (n > 0) {
		for (uint32_t i = 0; i < n; i++)
			from[i] = i;
		qsort_r(from, n, sizeof(*from), compare_by_index, &order);
		memcpy(copy, array, n * size);
		for (uint32_t i = 0; i < n; i++) {
			memcpy((char *)array + i * size, copy + from[i] * size, size);
			moved[from[i]] = i;
		}
	}
	*ret_moved = TAKE_PTR(moved);
	return 0;
}

/* So unreadable that not even its memdev is known. There is nothing below it. */
static bool is_lost(const struct region *region)
{
	return region->error < 0 && region->memdev == INVENTORY_NONE;
}

/* What the caller filled in must point to something. */
static int check_references(const struct inventory *inv)
{
	uint64_t mappings = 0;

	for (uint32_t i = 0; i < inv->n_regions; i++)
		if (inv->regions[i].memdev >= inv->n_memdevs && !is_lost(&inv->regions[i]))
			return -EINVAL;
	for (uint32_t i = 0; i < inv->n_extents; i++)
		if (inv->extents[i].region >= inv->n_regions ||
		    is_lost(&inv->regions[inv->extents[i].region]))
			return -EINVAL;
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		const struct dax_device *device = &inv->devices[i];

		if (device->region >= inv->n_regions || is_lost(&inv->regions[device->region]) ||
		    (uint64_t)device->first_mapping + device->n_mappings > inv->n_mappings)
			return -EINVAL;
		mappings += device->n_mappings;
	}
	/* Each mapping is of one device. */
	if (mappings != inv->n_mappings)
		return -EINVAL;
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		if (inv->blocks[i].device >= inv->n_devices)
			return -EINVAL;
	for (uint32_t i = 0; i < inv->n_holders; i++)
		if (inv->holders[i].device >= inv->n_devices)
			return -EINVAL;
	return 0;
}

static int sort_parents(struct inventory *inv)
{
	_cleanup_free_ uint32_t *memdevs = NULL, *regions = NULL, *devices = NULL;
	int r;

	r = sort_referenced(inv->memdevs, inv->n_memdevs, sizeof(*inv->memdevs), compare_memdevs,
			    &memdevs);
	if (r < 0)
		return r;
	r = sort_referenced(inv->regions, inv->n_regions, sizeof(*inv->regions), compare_regions,
			    &regions);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < inv->n_regions; i++)
		if (!is_lost(&inv->regions[i]))
			inv->regions[i].memdev = memdevs[inv->regions[i].memdev];
	for (uint32_t i = 0; i < inv->n_extents; i++)
		inv->extents[i].region = regions[inv->extents[i].region];
	for (uint32_t i = 0; i < inv->n_devices; i++)
		inv->devices[i].region = regions[inv->devices[i].region];

	r = sort_referenced(inv->devices, inv->n_devices, sizeof(*inv->devices), compare_devices,
			    &devices);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		inv->blocks[i].device = devices[inv->blocks[i].device];
	for (uint32_t i = 0; i < inv->n_holders; i++)
		inv->holders[i].device = devices[inv->holders[i].device];
	return 0;
}

/* Mappings know their device only by its slice: moved there in the order of the devices. */
static int sort_mappings(struct inventory *inv)
{
	struct mapping *sorted;
	uint32_t n = 0;

	if (inv->n_mappings == 0) {
		for (uint32_t i = 0; i < inv->n_devices; i++)
			inv->devices[i].first_mapping = 0;
		return 0;
	}
	sorted = calloc(inv->n_mappings, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		struct dax_device *device = &inv->devices[i];

		memcpy(sorted + n, inv->mappings + device->first_mapping,
		       device->n_mappings * sizeof(*sorted));
		sort(sorted + n, device->n_mappings, sizeof(*sorted), compare_mappings);
		device->first_mapping = n;
		n += device->n_mappings;
	}
	free(inv->mappings);
	inv->mappings = sorted;
	return 0;
}

static void fill_slices(struct inventory *inv)
{
	uint32_t extent = 0, device = 0, block = 0, holder = 0;

	for (uint32_t i = 0; i < inv->n_regions; i++) {
		struct region *region = &inv->regions[i];

		region->first_extent = extent;
		while (extent < inv->n_extents && inv->extents[extent].region == i)
			extent++;
		region->n_extents = extent - region->first_extent;

		region->first_device = device;
		while (device < inv->n_devices && inv->devices[device].region == i)
			device++;
		region->n_devices = device - region->first_device;
	}
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		struct dax_device *d = &inv->devices[i];

		d->first_block = block;
		while (block < inv->n_blocks && inv->blocks[block].device == i)
			block++;
		d->n_blocks = block - d->first_block;

		d->first_holder = holder;
		while (holder < inv->n_holders && inv->holders[holder].device == i)
			holder++;
		d->n_holders = holder - d->first_holder;
	}
}

/* The kernel never has two extents of one tag on the same bytes: such a picture is torn. */
static int check_extents(const struct inventory *inv)
{
	for (uint32_t i = 1; i < inv->n_extents; i++) {
		const struct extent *a = &inv->extents[i - 1], *b = &inv->extents[i];

		if (a->region == b->region && tag_equal(&a->tag, &b->tag) &&
		    range_overlaps(&a->dpa, &b->dpa))
			return -EAGAIN;
	}
	return 0;
}

/*
 * An extent belongs to the device with a mapping over it. The tag would not do: an untagged device
 * has the null uuid, and a uuid alone does not say which of the tag's extents it got.
 */
static int link_extents(struct inventory *inv)
{
	_cleanup_free_ struct claim *claims = NULL;
	uint32_t n;
	int r;

	r = inventory_claims(inv, &claims, &n);
	if (r < 0)
		return r;
	/* Nor are two claims on the same bytes possible; the search below relies on it. */
	for (uint32_t i = 1; i < n; i++)
		if (range_overlaps(&claims[i - 1].hpa, &claims[i].hpa))
			return -EAGAIN;

	for (uint32_t i = 0; i < inv->n_extents; i++) {
		struct extent *extent = &inv->extents[i];
		uint32_t c = claims_first_behind(claims, n, extent->hpa.start);

		extent->device = INVENTORY_NONE;
		for (; c < n && range_overlaps(&claims[c].hpa, &extent->hpa); c++) {
			if (extent->device != INVENTORY_NONE && extent->device != claims[c].device)
				return -EAGAIN;
			extent->device = claims[c].device;
		}
	}
	return 0;
}

/* How many bytes of @range the mappings of @device, sorted and disjoint by now, cover. */
static uint64_t covered_bytes(const struct inventory *inv, const struct dax_device *device,
			      const struct range *range)
{
	const uint32_t last = device->first_mapping + device->n_mappings;
	uint32_t first = device->first_mapping, end = last;
	uint64_t sum = 0;

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (range_end(&inv->mappings[middle].hpa) <= range->start)
			first = middle + 1;
		else
			end = middle;
	}
	for (uint32_t i = first; i < last; i++) {
		const struct range *m = &inv->mappings[i].hpa;

		if (m->start >= range_end(range))
			break;
		if (range_overlaps(m, range))
			sum += MIN(range_end(m), range_end(range)) - MAX(m->start, range->start);
	}
	return sum;
}

static void mark_foreign_blocks(struct inventory *inv)
{
	if (inv->block_size == 0)
		return;
	for (uint32_t i = 0; i < inv->n_blocks; i++) {
		struct memory_block *block = &inv->blocks[i];
		struct range range = memory_block_range(inv, block);

		if (range.length == 0 ||
		    covered_bytes(inv, &inv->devices[block->device], &range) < range.length)
			block->foreign = true;
	}
}

int inventory_link(struct inventory *inv)
{
	int r;

	r = check_references(inv);
	if (r < 0)
		return r;
	r = sort_parents(inv);
	if (r < 0)
		return r;
	r = sort_mappings(inv);
	if (r < 0)
		return r;
	sort(inv->extents, inv->n_extents, sizeof(*inv->extents), compare_extents);
	sort(inv->blocks, inv->n_blocks, sizeof(*inv->blocks), compare_blocks);
	sort(inv->holders, inv->n_holders, sizeof(*inv->holders), compare_holders);
	sort(inv->nodes, inv->n_nodes, sizeof(*inv->nodes), compare_nodes);
	sort(inv->hugepages, inv->n_hugepages, sizeof(*inv->hugepages), compare_hugepages);
	fill_slices(inv);

	r = check_extents(inv);
	if (r < 0)
		return r;
	r = link_extents(inv);
	if (r < 0)
		return r;
	mark_foreign_blocks(inv);
	return 0;
}
