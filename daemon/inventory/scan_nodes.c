/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes' memory, and their huge pages: what leaves a node must fit into the others, and a huge
 * page only fits where one of its size is free.
 */
#include <inttypes.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

#define NODE_DIR "devices/system/node"

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

static int add_node(struct scan *scan, const struct place *list, const char *name, uint64_t id)
{
	char path[64], text[SYSFS_ATTR_MAX + 1], *rest = NULL;
	struct numa_node *node;
	int n;

	(void)snprintf(path, sizeof(path), "%s/meminfo", name);
	n = scan_read(scan, list, path, text, sizeof(text));
	if (n < 0)
		return errno_is_gone(n) ? scan_gone(scan, list, name, n) : n;
	node = SCAN_PUSH(scan->inv->nodes, scan->inv->n_nodes);
	if (!node)
		return -ENOMEM;
	node->id = (int32_t)id;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		parse_meminfo_line(line, node);
	return 0;
}

/* "hugepages-2048kB": bytes of one page, or 0 if @name is not of that form. */
static uint64_t pool_page_size(const char *name)
{
	char number[32];
	uint64_t kib;
	size_t length;

	if (str_copy(number, sizeof(number), name) < 0)
		return 0;
	length = strlen(number);
	if (length < 2 || !streq(number + length - 2, "kB"))
		return 0;
	number[length - 2] = '\0';
	if (!name_number(number, "hugepages-", &kib) || kib > HUGE_BYTES_MAX / KiB)
		return 0;
	return kib * KiB;
}

static int read_pool(struct scan *scan, const struct place *list, const char *name,
		     struct huge_pages *ret)
{
	_cleanup_close_ int fd = scan_open(scan, list, name);
	const struct place at = { list, name, fd };
	int r;

	if (fd < 0)
		return fd;
	r = scan_read_u64(scan, &at, "nr_hugepages", &ret->total);
	if (r < 0)
		return r;
	if (ret->total == 0)
		return 0;
	if (ret->total > HUGE_BYTES_MAX / ret->size)
		return scan_failed(scan, &at, "nr_hugepages", -EBADMSG);
	r = scan_read_u64(scan, &at, "free_hugepages", &ret->free);
	if (r < 0)
		return r;
	/* It may have grown in between. */
	ret->free = MIN(ret->free, ret->total);
	return 0;
}

static int add_pool(struct scan *scan, const struct place *list, const char *name, uint64_t id)
{
	struct inventory *inv = scan->inv;
	struct huge_pages pool = { .node = (int32_t)id, .size = pool_page_size(name) }, *added;
	int r;

	if (pool.size == 0)
		return 0;
	r = read_pool(scan, list, name, &pool);
	if (r < 0)
		return errno_is_gone(r) ? scan_gone(scan, list, name, r) : r;
	if (pool.total == 0)
		return 0;
	added = SCAN_PUSH(inv->hugepages, inv->n_hugepages);
	if (!added)
		return -ENOMEM;
	*added = pool;
	return 0;
}

static int add_pools(struct scan *scan, const struct place *nodes, const char *node, uint64_t id)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[64];
	struct place at = { .above = nodes, .name = path };
	const char *name;
	int r;

	(void)snprintf(path, sizeof(path), "%s/hugepages", node);
	r = scan_open_list(scan, &at, &dir);
	if (r < 0) /* a kernel without them */
		return errno_is_gone(r) ? scan_gone(scan, nodes, path, r) : r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		r = add_pool(scan, &at, name, id);
		if (r < 0)
			return r;
	}
	return r;
}

int scan_nodes(struct scan *scan)
{
	struct place at = { .above = &scan->root, .name = NODE_DIR };
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = scan_open_list(scan, &at, &dir);
	if (r < 0) /* a kernel without NUMA */
		return errno_is_gone(r) ? scan_gone(scan, &scan->root, NODE_DIR, r) : r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		uint64_t id;

		if (!name_number(name, "node", &id) || id > INT32_MAX)
			continue;
		r = add_node(scan, &at, name, id);
		if (r == 0)
			r = add_pools(scan, &at, name, id);
		if (r < 0)
			return r;
	}
	return r;
}
