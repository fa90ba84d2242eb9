/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory blocks below the mappings of the devices found, and the nodes' memory. Blocks come from
 * walking the mappings: a device of several ranges has gaps that belong to others.
 */
#include <inttypes.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

#define MEMORY_DIR "devices/system/memory"
#define NODE_DIR "devices/system/node"

struct numbers {
	uint64_t *list;
	uint32_t n;
};

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Which blocks there are. Listed once: asking for each by name costs more than knowing them all. */
static int list_blocks(DIR *dir, struct numbers *ret)
{
	const char *name;
	int r;

	while ((r = sysfs_next(dir, &name)) > 0) {
		uint64_t number, *added;

		if (!name_number(name, "memory", &number))
			continue;
		added = SCAN_PUSH(ret->list, ret->n);
		if (!added)
			return -ENOMEM;
		*added = number;
	}
	if (ret->n > 1)
		qsort(ret->list, ret->n, sizeof(*ret->list), compare_numbers);
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

/* -ENODEV if it has gone. */
static int read_block(int memory_fd, uint64_t number, struct memory_block *ret)
{
	char name[32], text[64];
	_cleanup_close_ int fd = -EBADF;
	ssize_t n;

	(void)snprintf(name, sizeof(name), "memory%" PRIu64, number);
	fd = sysfs_open_dir(memory_fd, name);
	if (fd < 0)
		return fd;
	ret->number = number;
	ret->state = BLOCK_UNKNOWN;
	ret->zone = ZONE_UNKNOWN;

	n = sysfs_read(fd, "state", text, sizeof(text));
	if (n == -ENODEV || n == -ENOENT)
		return (int)n;
	if (n >= 0)
		ret->state = parse_state(text);
	if (ret->state == BLOCK_OFFLINE)
		ret->zone = ZONE_NONE;
	if (ret->state == BLOCK_ONLINE && sysfs_read(fd, "valid_zones", text, sizeof(text)) >= 0)
		ret->zone = parse_zone(text);
	return 0;
}

static int add_block(struct inventory *inv, int memory_fd, uint64_t number, uint32_t device)
{
	struct memory_block *block = SCAN_PUSH(inv->blocks, inv->n_blocks);
	int r;

	if (!block)
		return -ENOMEM;
	block->device = device;
	r = read_block(memory_fd, number, block);
	if (r < 0)
		inv->n_blocks--;
	return errno_is_gone(r) ? 0 : r;
}

static uint32_t lower_bound(const struct numbers *numbers, uint64_t number)
{
	uint32_t first = 0, end = numbers->n;

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (numbers->list[middle] < number)
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

static int add_device_blocks(struct inventory *inv, int memory_fd, const struct numbers *numbers,
			     uint32_t device)
{
	struct dax_device *d = &inv->devices[device];
	uint64_t next = 0; /* blocks below are done: two mappings may meet in one */

	if (d->n_mappings > 1)
		qsort(inv->mappings + d->first_mapping, d->n_mappings, sizeof(*inv->mappings),
		      compare_mappings);
	for (uint32_t i = 0; i < d->n_mappings; i++) {
		const struct range *hpa = &inv->mappings[d->first_mapping + i].hpa;
		uint64_t first = MAX(hpa->start / inv->block_size, next);
		uint64_t last = (range_end(hpa) - 1) / inv->block_size;

		for (uint32_t k = lower_bound(numbers, first);
		     k < numbers->n && numbers->list[k] <= last; k++) {
			int r = add_block(inv, memory_fd, numbers->list[k], device);

			if (r < 0)
				return r;
		}
		next = MAX(next, last + 1);
	}
	return 0;
}

static int find_leftover(const struct inventory *inv, int memory_fd, const struct numbers *numbers,
			 struct extent *extent)
{
	uint64_t last = (range_end(&extent->hpa) - 1) / inv->block_size;

	for (uint32_t k = lower_bound(numbers, extent->hpa.start / inv->block_size);
	     k < numbers->n && numbers->list[k] <= last && !extent->leftover; k++) {
		struct memory_block block = { 0 };
		struct range range = { .start = numbers->list[k] * inv->block_size,
				       .length = inv->block_size };
		int r = read_block(memory_fd, numbers->list[k], &block);

		if (errno_is_gone(r))
			continue;
		if (r < 0)
			return r;
		/* A block that is only partly in the extent is a neighbour's: kmem made none of it.
		 */
		if (block.state == BLOCK_OFFLINE || !range_contains(&extent->hpa, &range))
			continue;
		extent->leftover = true;
		extent->leftover_block = block.number;
	}
	return 0;
}

int scan_leftovers(struct scan *scan)
{
	struct inventory *inv = scan->inv;
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ uint64_t *list = NULL;
	struct numbers numbers = { 0 };
	int r = 0;

	if (inv->block_size == 0)
		return 0;
	for (uint32_t i = 0; i < inv->n_extents && r == 0; i++) {
		if (inv->extents[i].device != INVENTORY_NONE || inv->extents[i].hpa.length == 0)
			continue;
		if (!dir) {
			r = sysfs_open_list(scan->sysfs_fd, MEMORY_DIR, &dir);
			if (r < 0)
				return r;
			r = list_blocks(dir, &numbers);
			list = numbers.list;
			if (r < 0)
				return r;
		}
		r = find_leftover(inv, dirfd(dir), &numbers, &inv->extents[i]);
	}
	return r;
}

int scan_blocks(struct scan *scan)
{
	struct inventory *inv = scan->inv;
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ uint64_t *list = NULL;
	struct numbers numbers = { 0 };
	int r;

	if (inv->block_size == 0 || inv->n_mappings == 0)
		return 0;
	r = sysfs_open_list(scan->sysfs_fd, MEMORY_DIR, &dir);
	if (r < 0)
		return r;
	r = list_blocks(dir, &numbers);
	list = numbers.list;
	for (uint32_t i = 0; i < inv->n_devices && r == 0; i++)
		r = add_device_blocks(inv, dirfd(dir), &numbers, i);
	return r;
}

/* One line: "Node 1 MemTotal:         393216 kB". */
static void parse_meminfo_line(const char *line, struct numa_node *node)
{
	char field[32];
	uint64_t kib;

	/* More than any host has, and so much less than fits that sums of it cannot overflow. */
	if (sscanf(line, "Node %*d %31[^:]: %" SCNu64, field, &kib) != 2 || kib >> 44 != 0)
		return;
	if (streq(field, "MemTotal"))
		node->total = kib * KiB;
	else if (streq(field, "MemFree"))
		node->free = kib * KiB;
	else if (streq(field, "Active(file)") || streq(field, "Inactive(file)") ||
		 streq(field, "SReclaimable"))
		node->reclaimable += kib * KiB;
}

static int add_node(struct inventory *inv, int list_fd, const char *name, uint64_t id)
{
	char path[64], text[SYSFS_ATTR_MAX + 1], *rest = NULL;
	struct numa_node *node;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/meminfo", name);
	n = sysfs_read(list_fd, path, text, sizeof(text));
	if (n < 0)
		return errno_is_gone((int)n) ? 0 : (int)n;
	node = SCAN_PUSH(inv->nodes, inv->n_nodes);
	if (!node)
		return -ENOMEM;
	node->id = (int32_t)id;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		parse_meminfo_line(line, node);
	return 0;
}

static int scan_nodes(struct scan *scan)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_open_list(scan->sysfs_fd, NODE_DIR, &dir);
	if (r < 0) /* a kernel without NUMA */
		return errno_is_gone(r) ? 0 : r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		uint64_t id;

		if (!name_number(name, "node", &id) || id > INT32_MAX)
			continue;
		r = add_node(scan->inv, dirfd(dir), name, id);
		if (r < 0)
			return r;
	}
	return r;
}

int scan_memory(struct scan *scan)
{
	struct inventory *inv = scan->inv;
	uint64_t size;
	int r;

	r = sysfs_read_u64(scan->sysfs_fd, MEMORY_DIR "/block_size_bytes", 16, &size);
	if (r == 0) {
		if (size == 0 || (size & (size - 1)) != 0)
			return -EBADMSG;
		inv->block_size = size;
	} else if (!errno_is_gone(r)) {
		return r;
	}
	if (scan_read_word(scan->sysfs_fd, MEMORY_DIR "/auto_online_blocks", inv->auto_online) < 0)
		inv->auto_online[0] = '\0';
	return scan_nodes(scan);
}
