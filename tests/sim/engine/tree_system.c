/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of /sys that are not CXL: memory blocks, NUMA nodes, processors, loaded modules, and
 * the directories that others mount something on.
 */
#include "internal.h"

/* ---- memory blocks ---- */

static ssize_t block_state_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	const struct eng_block *b = n->obj;

	(void)e;
	return snprintf(buf, size, "%s\n", eng_block_state_name(b->state));
}

static ssize_t block_state_store(struct engine *e, const struct eng_node *n, const char *buf,
				 const struct engine_writer *w)
{
	struct eng_block *b = eng_find_block(e, ((const struct eng_block *)n->obj)->number);

	return eng_block_state_store(e, b, buf, w);
}

/* Online: the zone it is in. Offline: those it may go to, the default one first. */
static ssize_t valid_zones_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	const struct eng_block *b = n->obj;
	enum eng_zone first;

	if (b->state != ENG_BLOCK_OFFLINE)
		return snprintf(buf, size, "%s\n", eng_zone_name(b->zone));
	first = eng_zone_for(e, b, ENG_MMOP_ONLINE);
	return snprintf(buf, size, "%s %s\n", eng_zone_name(first),
			eng_zone_name(first == ENG_ZONE_MOVABLE
					      ? eng_zone_for(e, b, ENG_MMOP_ONLINE_KERNEL)
					      : ENG_ZONE_MOVABLE));
}

static ssize_t auto_online_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)n;
	return snprintf(buf, size, "%s\n", eng_online_type_name(e->auto_online));
}

static ssize_t auto_online_store(struct engine *e, const struct eng_node *n, const char *buf,
				 const struct engine_writer *w)
{
	(void)n;
	(void)w;
	return eng_online_type_parse(buf, &e->auto_online);
}

static void build_memory(struct engine *e, struct eng_tree *t)
{
	struct eng_node *memory = eng_dir_at(t, "/devices/system/memory");
	struct eng_node *bus = eng_dir_at(t, "/bus/memory/devices");

	eng_const(t, memory, "block_size_bytes", 0444, "%jx", (uintmax_t)e->config.block_size);
	eng_attr(t, memory, "auto_online_blocks", 0644, auto_online_show, auto_online_store, NULL,
		 0);
	eng_devlinks(t, memory, NULL, NULL, "");
	for (size_t i = 0; i < e->n_blocks; i++) {
		const struct eng_block *b = e->blocks[i];
		struct eng_node *dir = eng_dir(t, memory, "memory%ju", (uintmax_t)b->number);
		char name[32];

		eng_attr(t, dir, "state", 0644, block_state_show, block_state_store, b, 0);
		eng_attr(t, dir, "valid_zones", 0444, valid_zones_show, NULL, b, 0);
		eng_const(t, dir, "phys_index", 0444, "%08jx", (uintmax_t)b->number);
		eng_const(t, dir, "phys_device", 0444, "0");
		eng_const(t, dir, "removable", 0444, "1");
		(void)snprintf(name, sizeof(name), "node%d", b->node);
		eng_link(t, dir, name, "/devices/system/node/%s", name);
		eng_devlinks(t, dir, "memory", NULL, "");
		(void)snprintf(name, sizeof(name), "memory%ju", (uintmax_t)b->number);
		eng_link(t, bus, name, "/devices/system/memory/%s", name);
	}
}

/* ---- nodes ---- */

static ssize_t meminfo_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	int id = (int)n->arg;
	const struct eng_node_info *node = eng_find_node(e, id);
	uint64_t total = eng_node_total(e, id) / KiB, used = eng_node_taken(node) / KiB;

	return snprintf(buf, size,
			"Node %d MemTotal:       %8ju kB\n"
			"Node %d MemFree:        %8ju kB\n"
			"Node %d MemUsed:        %8ju kB\n"
			"Node %d FilePages:      %8d kB\n"
			"Node %d SReclaimable:   %8d kB\n",
			id, (uintmax_t)total, id, (uintmax_t)(total - used), id, (uintmax_t)used,
			id, 0, id, 0);
}

/* The argument of a pool's files: the node's id, and which pool. */
#define POOL_ARG(id, index) ((unsigned)(id)*ENG_HUGE_SIZES + (index))

static struct eng_node_info *node_of_pool(struct engine *e, const struct eng_node *n)
{
	return eng_find_node(e, (int)(n->arg / ENG_HUGE_SIZES));
}

static ssize_t huge_total_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	return snprintf(buf, size, "%ju\n",
			(uintmax_t)node_of_pool(e, n)->huge[n->arg % ENG_HUGE_SIZES].total);
}

static ssize_t huge_free_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	return snprintf(buf, size, "%ju\n",
			(uintmax_t)node_of_pool(e, n)->huge[n->arg % ENG_HUGE_SIZES].free);
}

static ssize_t huge_total_store(struct engine *e, const struct eng_node *n, const char *buf,
				const struct engine_writer *w)
{
	char *end;
	uint64_t total = strtoull(buf, &end, 10);

	(void)w;
	if (end == buf || (*end && *end != '\n') || *buf == '-')
		return -EINVAL;
	eng_node_set_pool(e, node_of_pool(e, n), n->arg % ENG_HUGE_SIZES, total);
	return 0;
}

static void build_pools(struct eng_tree *t, struct eng_node *node, int id)
{
	struct eng_node *pools = eng_dir(t, node, "hugepages");

	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++) {
		struct eng_node *pool = eng_dir(t, pools, "hugepages-%jukB",
						(uintmax_t)(eng_huge_size(i) / KiB));

		eng_attr(t, pool, "nr_hugepages", 0644, huge_total_show, huge_total_store, NULL,
			 POOL_ARG(id, i));
		eng_attr(t, pool, "free_hugepages", 0444, huge_free_show, NULL, NULL,
			 POOL_ARG(id, i));
		eng_const(t, pool, "surplus_hugepages", 0444, "0");
	}
}

/* "0-1", "0,2": the nodes that are there or, with n->arg, have memory online. */
static ssize_t nodes_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < e->n_nodes && used < size; i++) {
		size_t j = i;

		if (!e->nodes[i].present || (n->arg && eng_node_total(e, e->nodes[i].id) == 0))
			continue;
		while (j + 1 < e->n_nodes && e->nodes[j + 1].id == e->nodes[j].id + 1 &&
		       e->nodes[j + 1].present &&
		       (!n->arg || eng_node_total(e, e->nodes[j + 1].id) > 0))
			j++;
		used += (size_t)snprintf(buf + used, size - used, "%s%d", used ? "," : "",
					 e->nodes[i].id);
		if (j > i && used < size)
			used += (size_t)snprintf(buf + used, size - used, "-%d", e->nodes[j].id);
		i = j;
	}
	if (used < size)
		used += (size_t)snprintf(buf + used, size - used, "\n");
	return (ssize_t)used;
}

static void build_nodes(struct engine *e, struct eng_tree *t)
{
	struct eng_node *nodes = eng_dir_at(t, "/devices/system/node");
	struct eng_node *bus = eng_dir_at(t, "/bus/node/devices");

	eng_attr(t, nodes, "online", 0444, nodes_show, NULL, NULL, 0);
	eng_const(t, nodes, "possible", 0444, "0-3");
	eng_attr(t, nodes, "has_memory", 0444, nodes_show, NULL, NULL, 1);
	for (size_t i = 0; i < e->n_nodes; i++) {
		const struct eng_node_info *info = &e->nodes[i];
		struct eng_node *dir;

		if (!info->present)
			continue;
		dir = eng_dir(t, nodes, "node%d", info->id);
		eng_attr(t, dir, "meminfo", 0444, meminfo_show, NULL, NULL, (unsigned)info->id);
		if (info->id == 0 && e->config.cpus > 1)
			eng_const(t, dir, "cpulist", 0444, "0-%u", e->config.cpus - 1);
		else
			eng_const(t, dir, "cpulist", 0444, "%s", info->id == 0 ? "0" : "");
		build_pools(t, dir, info->id);
		eng_devlinks(t, dir, "node", NULL, "");
		eng_link(t, bus, dir ? dir->name : "", "/devices/system/node/node%d", info->id);
	}
	for (size_t i = 0; i < e->n_blocks; i++) {
		const struct eng_block *b = e->blocks[i];
		char path[64], name[32];

		(void)snprintf(path, sizeof(path), "/devices/system/node/node%d", b->node);
		(void)snprintf(name, sizeof(name), "memory%ju", (uintmax_t)b->number);
		eng_link(t, eng_dir_at(t, path), name, "/devices/system/memory/%s", name);
	}
}

/* ---- the rest ---- */

static void build_cpus(struct engine *e, struct eng_tree *t)
{
	static const char *const names[] = { "online", "possible", "present" };
	struct eng_node *dir = eng_dir_at(t, "/devices/system/cpu");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (e->config.cpus > 1)
			eng_const(t, dir, names[i], 0444, "0-%u", e->config.cpus - 1);
		else
			eng_const(t, dir, names[i], 0444, "0");
	}
}

static void build_modules(struct engine *e, struct eng_tree *t)
{
	static const char *const names[] = { "cxl_core", "cxl_acpi",   "cxl_pci",  "cxl_mem",
					     "cxl_port", "cxl_pmem",   "dax_hmem", "dax_cxl",
					     "kmem",	 "device_dax", "fsdev_dax" };
	struct eng_node *modules = eng_dir_at(t, "/module");
	struct eng_node *parameters;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct eng_node *dir;

		if (streq(names[i], "dax_cxl") && !e->dax_cxl)
			continue;
		dir = eng_dir(t, modules, "%s", names[i]);
		eng_const(t, dir, "initstate", 0444, "live");
		eng_const(t, dir, "refcnt", 0444, "0");
	}
	parameters = eng_dir_at(t, "/module/memory_hotplug/parameters");
	eng_const(t, parameters, "memmap_on_memory", 0444, "N");
	eng_const(t, parameters, "online_policy", 0444, "contig-zones");
}

void eng_build_system(struct engine *e, struct eng_tree *t)
{
	static const char *const empty[] = { "/kernel/tracing", "/kernel/debug", "/fs/cgroup",
					     "/class", "/firmware" };

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		(void)eng_dir_at(t, empty[i]);
	build_memory(e, t);
	build_nodes(e, t);
	build_cpus(e, t);
	build_modules(e, t);
}
