/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory blocks below the mappings of the devices found. They come from walking the mappings: a
 * device of several ranges has gaps that belong to others.
 */
#include <inttypes.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

#define MEMORY_DIR "devices/system/memory"

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Which blocks there are. Listed once for the whole scan: asking for each by name costs more than
 * knowing them all. One that comes later belongs to a device that comes later too.
 */
static int list_blocks(struct scan *scan)
{
	struct place at = { .above = &scan->root, .name = MEMORY_DIR };
	const char *name;
	int r;

	if (scan->memory)
		return 0;
	r = scan_open_list(scan, &at, &scan->memory);
	if (r < 0)
		return r;
	while ((r = scan_next(scan, &at, scan->memory, &name)) > 0) {
		uint64_t number, *added;

		if (!name_number(name, "memory", &number))
			continue;
		added = SCAN_PUSH(scan->blocks, scan->n_blocks);
		if (!added)
			return -ENOMEM;
		*added = number;
	}
	if (scan->n_blocks > 1)
		qsort(scan->blocks, scan->n_blocks, sizeof(*scan->blocks), compare_numbers);
	return r;
}

static enum block_state parse_state(const char *s)
{
	if (streq(s, "online"))
		return BLOCK_ONLINE;
	if (streq(s, "offline"))
		return BLOCK_OFFLINE;
	if (streq(s, "going-offline"))
		return BLOCK_GOING_OFFLINE;
	return BLOCK_UNKNOWN;
}

/* valid_zones of an online block: the zone it is in, or "none" if it is in several. */
static enum block_zone parse_zone(const char *s)
{
	static const char *const kernel_zones[] = { "Normal", "DMA", "DMA32", "HighMem" };

	if (streq(s, "Movable"))
		return ZONE_MOVABLE;
	if (streq(s, "none"))
		return ZONE_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(kernel_zones); i++)
		if (streq(s, kernel_zones[i]))
			return ZONE_KERNEL;
	return ZONE_UNKNOWN;
}

/*
 * Whatever cannot be read is unknown. 1, or 0 if the block has gone, or -EAGAIN if it says so but
 * is still there.
 */
static int read_block(struct scan *scan, uint64_t number, struct memory_block *ret)
{
	const struct place memory = { &scan->root, MEMORY_DIR, dirfd(scan->memory) };
	char name[32], path[64], text[64];
	int n;

	(void)snprintf(name, sizeof(name), "memory%" PRIu64, number);
	ret->number = number;
	ret->state = BLOCK_UNKNOWN;
	ret->zone = ZONE_UNKNOWN;

	(void)snprintf(path, sizeof(path), "%s/state", name);
	n = scan_try_read(memory.fd, path, text, sizeof(text));
	if (n < 0 && errno_is_gone(n)) {
		int r = scan_gone(scan, &memory, name, n);

		return r == 0 || r == -EAGAIN ? r : 1;
	}
	if (n >= 0)
		ret->state = parse_state(text);
	if (ret->state == BLOCK_OFFLINE)
		ret->zone = ZONE_NONE;
	if (ret->state != BLOCK_ONLINE)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/valid_zones", name);
	if (scan_try_read(memory.fd, path, text, sizeof(text)) >= 0)
		ret->zone = parse_zone(text);
	return 1;
}

static int add_block(struct scan *scan, uint64_t number, uint32_t device)
{
	struct inventory *inv = scan->inv;
	struct memory_block *block = SCAN_PUSH(inv->blocks, inv->n_blocks);
	int r;

	if (!block)
		return -ENOMEM;
	block->device = device;
	r = read_block(scan, number, block);
	if (r <= 0)
		inv->n_blocks--;
	return MIN(r, 0);
}

/* The first of the blocks there are that is not below @number. */
static uint32_t lower_bound(const struct scan *scan, uint64_t number)
{
	uint32_t first = 0, end = scan->n_blocks;

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (scan->blocks[middle] < number)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static int compare_mappings(const void *a, const void *b)
{
	const struct mapping *x = a, *y = b;

	return compare_numbers(&x->hpa.start, &y->hpa.start);
}

static int add_device_blocks(struct scan *scan, uint32_t device)
{
	struct inventory *inv = scan->inv;
	struct dax_device *d = &inv->devices[device];
	uint64_t next = 0; /* blocks below are done: two mappings may meet in one */

	if (d->n_mappings > 1)
		qsort(inv->mappings + d->first_mapping, d->n_mappings, sizeof(*inv->mappings),
		      compare_mappings);
	for (uint32_t i = 0; i < d->n_mappings; i++) {
		const struct range *hpa = &inv->mappings[d->first_mapping + i].hpa;
		uint64_t first = MAX(hpa->start / inv->block_size, next);
		uint64_t last = (range_end(hpa) - 1) / inv->block_size;

		for (uint32_t k = lower_bound(scan, first);
		     k < scan->n_blocks && scan->blocks[k] <= last; k++) {
			int r = add_block(scan, scan->blocks[k], device);

			if (r < 0)
				return r;
		}
		next = MAX(next, last + 1);
	}
	return 0;
}

static int find_leftover(struct scan *scan, struct extent *extent)
{
	const uint64_t block_size = scan->inv->block_size;
	uint64_t last = (range_end(&extent->hpa) - 1) / block_size;

	for (uint32_t k = lower_bound(scan, extent->hpa.start / block_size);
	     k < scan->n_blocks && scan->blocks[k] <= last && !extent->leftover; k++) {
		struct memory_block block = { 0 };
		struct range range = { .start = scan->blocks[k] * block_size,
				       .length = block_size };
		int r = read_block(scan, scan->blocks[k], &block);

		if (r < 0)
			return r;
		/* A block that is only partly in the extent is a neighbour's: kmem made none of it.
		 */
		if (r == 0 || block.state == BLOCK_OFFLINE || !range_contains(&extent->hpa, &range))
			continue;
		extent->leftover = true;
		extent->leftover_block = block.number;
	}
	return 0;
}

int scan_leftovers(struct scan *scan)
{
	struct inventory *inv = scan->inv;

	if (inv->block_size == 0)
		return 0;
	for (uint32_t i = 0; i < inv->n_extents; i++) {
		struct extent *extent = &inv->extents[i];
		int r;

		/* Where devices may have been missed, "no device" says nothing. */
		if (extent->device != INVENTORY_NONE || extent->hpa.length == 0 ||
		    inv->regions[extent->region].error < 0)
			continue;
		r = list_blocks(scan);
		if (r < 0)
			return r;
		r = find_leftover(scan, extent);
		if (r < 0)
			return r;
	}
	return 0;
}

int scan_blocks(struct scan *scan)
{
	struct inventory *inv = scan->inv;
	int r;

	if (inv->block_size == 0 || inv->n_mappings == 0)
		return 0;
	r = list_blocks(scan);
	for (uint32_t i = 0; i < inv->n_devices && r == 0; i++)
		r = add_device_blocks(scan, i);
	return r;
}

static int read_block_size(struct scan *scan)
{
	static const char path[] = MEMORY_DIR "/block_size_bytes";
	uint64_t size;
	char text[32];
	int r;

	r = scan_read(scan, &scan->root, path, text, sizeof(text));
	if (r < 0 && errno_is_gone(r)) /* no memory hotplug */
		return scan_gone(scan, &scan->root, path, r);
	if (r >= 0)
		r = sysfs_parse_u64(text, 16, &size);
	if (r == -EMSGSIZE || (r == 0 && (size == 0 || (size & (size - 1)) != 0)))
		r = -EBADMSG;
	if (r < 0)
		return scan_failed(scan, &scan->root, path, r);
	scan->inv->block_size = size;
	return 0;
}

int scan_memory(struct scan *scan)
{
	static const char path[] = MEMORY_DIR "/auto_online_blocks";
	struct inventory *inv = scan->inv;
	int r;

	r = read_block_size(scan);
	if (r < 0)
		return r;
	if (scan_try_read(scan->root.fd, path, inv->auto_online, sizeof(inv->auto_online)) < 0 ||
	    strchr(inv->auto_online, '/'))
		inv->auto_online[0] = '\0';
	return 0;
}
