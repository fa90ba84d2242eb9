/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory blocks: their states and zones, going on- and offline, the lock that lets only one of
 * this happen at a time, and the NUMA nodes they make up.
 */
#include "internal.h"

/* ---- names ---- */

const char *eng_block_state_name(enum eng_block_state state)
{
	static const char *const names[] = {
		[ENG_BLOCK_OFFLINE] = "offline",
		[ENG_BLOCK_ONLINE] = "online",
		[ENG_BLOCK_GOING_OFFLINE] = "going-offline",
	};

	return names[state];
}

const char *eng_zone_name(enum eng_zone zone)
{
	static const char *const names[] = {
		[ENG_ZONE_NONE] = "none",	[ENG_ZONE_MIXED] = "none",
		[ENG_ZONE_DMA32] = "DMA32",	[ENG_ZONE_NORMAL] = "Normal",
		[ENG_ZONE_MOVABLE] = "Movable",
	};

	return names[zone];
}

static const char *const online_types[] = {
	[ENG_MMOP_OFFLINE] = "offline",
	[ENG_MMOP_ONLINE] = "online",
	[ENG_MMOP_ONLINE_KERNEL] = "online_kernel",
	[ENG_MMOP_ONLINE_MOVABLE] = "online_movable",
};

int eng_online_type_parse(const char *s, enum eng_online_type *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(online_types); i++) {
		if (eng_sysfs_streq(online_types[i], s)) {
			*ret = (enum eng_online_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *eng_online_type_name(enum eng_online_type type)
{
	return online_types[type];
}

/* ---- finding ---- */

static size_t block_lower(const struct engine *e, uint64_t number)
{
	size_t lo = 0, hi = e->n_blocks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->blocks[mid]->number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct eng_block *eng_find_block(const struct engine *e, uint64_t number)
{
	size_t i = block_lower(e, number);

	return i < e->n_blocks && e->blocks[i]->number == number ? e->blocks[i] : NULL;
}

struct range eng_block_range(const struct engine *e, const struct eng_block *b)
{
	return (struct range){
		.start = b->number * e->config.block_size,
		.length = e->config.block_size,
	};
}

struct eng_node_info *eng_find_node(const struct engine *e, int id)
{
	for (size_t i = 0; i < e->n_nodes; i++)
		if (e->nodes[i].id == id)
			return &e->nodes[i];
	return NULL;
}

int eng_need_node(struct engine *e, int id)
{
	struct eng_node_info *grown;
	size_t at = 0;

	if (eng_find_node(e, id))
		return 0;
	grown = reallocarray(e->nodes, e->n_nodes + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	e->nodes = grown;
	while (at < e->n_nodes && e->nodes[at].id < id)
		at++;
	memmove(&e->nodes[at + 1], &e->nodes[at], (e->n_nodes - at) * sizeof(*e->nodes));
	e->nodes[at] = (struct eng_node_info){ .id = id };
	e->n_nodes++;
	return 0;
}

int engine_block_set(struct engine *e, uint64_t number, enum engine_block_flag flag, bool on)
{
	struct eng_block *b = eng_find_block(e, number);

	if (!b)
		return -ENOENT;
	if (flag == ENGINE_BLOCK_UNMOVABLE)
		b->unmovable = on;
	else
		b->pinned = on;
	return 0;
}

/* ---- the hotplug lock ---- */

ssize_t eng_hotplug_lock(struct engine *e, const struct engine_writer *w)
{
	if (e->hotplug_writer == 0 || e->hotplug_writer == w->id)
		return 0;
	return w->signalled ? -EINTR : ENGINE_BLOCKS;
}

ssize_t eng_hotplug_unlock(struct engine *e, const struct engine_writer *w, ssize_t result)
{
	e->hotplug_writer = result == ENGINE_BLOCKS ? w->id : 0;
	return result;
}

void eng_hotplug_break(struct engine *e)
{
	if (e->offlining)
		e->offlining->state = ENG_BLOCK_ONLINE;
	for (size_t i = 0; i < e->n_blocks; i++) {
		struct eng_block *b = e->blocks[i];

		if (b->restore != ENG_ZONE_NONE)
			eng_block_online(e, b, b->restore);
		b->restore = ENG_ZONE_NONE;
	}
	e->offlining = NULL;
	e->hotplug_writer = 0;
}

/* ---- zones ---- */

static enum eng_zone kernel_zone(const struct engine *e, const struct eng_block *b)
{
	struct range r = eng_block_range(e, b);

	return r.start < 4 * GiB ? ENG_ZONE_DMA32 : ENG_ZONE_NORMAL;
}

/* Whether the block lies between the first and the last block of that zone on its node. */
static bool zone_spans(const struct engine *e, const struct eng_block *b, enum eng_zone zone)
{
	bool below = false, above = false;

	for (size_t i = 0; i < e->n_blocks; i++) {
		const struct eng_block *o = e->blocks[i];

		if (o->node != b->node || o->zone != zone)
			continue;
		below |= o->number <= b->number;
		above |= o->number >= b->number;
	}
	return below && above;
}

enum eng_zone eng_zone_for(const struct engine *e, const struct eng_block *b,
			   enum eng_online_type type)
{
	enum eng_zone kernel = kernel_zone(e, b);

	if (type == ENG_MMOP_ONLINE_KERNEL)
		return kernel;
	if (type == ENG_MMOP_ONLINE_MOVABLE)
		return ENG_ZONE_MOVABLE;
	/* Inherited if it is inside exactly one zone, a kernel zone otherwise. */
	if (zone_spans(e, b, ENG_ZONE_MOVABLE) && !zone_spans(e, b, kernel))
		return ENG_ZONE_MOVABLE;
	return kernel;
}

/* ---- on and off ---- */

static void block_uevent(struct engine *e, const struct eng_block *b, const char *action)
{
	char path[ENG_PATH_MAX];

	(void)snprintf(path, sizeof(path), "/devices/system/memory/memory%ju",
		       (uintmax_t)b->number);
	eng_uevent(e, action, path, "memory", NULL);
}

static void node_uevent(struct engine *e, int id, const char *action)
{
	char path[ENG_PATH_MAX];

	(void)snprintf(path, sizeof(path), "/devices/system/node/node%d", id);
	eng_uevent(e, action, path, "node", NULL);
}

/* The slower tier comes with the first block online outside node 0, and goes with the last. */
static void tier_uevent(struct engine *e, const struct eng_block *b, const char *action)
{
	for (size_t i = 0; i < e->n_blocks; i++) {
		const struct eng_block *o = e->blocks[i];

		if (o != b && o->node != 0 && o->state != ENG_BLOCK_OFFLINE)
			return;
	}
	if (b->node != 0)
		eng_uevent(e, action, "/devices/virtual/memory_tiering/memory_tier22",
			   "memory_tiering", NULL);
}

void eng_block_online(struct engine *e, struct eng_block *b, enum eng_zone zone)
{
	tier_uevent(e, b, "add");
	b->state = ENG_BLOCK_ONLINE;
	b->zone = zone;
	block_uevent(e, b, "online");
}

void eng_block_online_anew(struct engine *e, struct eng_block *b, enum eng_online_type type)
{
	enum eng_zone zone = eng_zone_for(e, b, type);

	b->pinned = false;
	b->unmovable = zone != ENG_ZONE_MOVABLE && e->config.kernel_unmovable;
	eng_block_online(e, b, zone);
}

/* Moves what does not fit any more on the block's node to others. False: no room. */
static bool migrate(struct engine *e, const struct eng_block *b)
{
	return eng_node_shrink(e, eng_find_node(e, b->node),
			       eng_node_total(e, b->node) - e->config.block_size);
}

ssize_t eng_block_offline(struct engine *e, struct eng_block *b, const struct engine_writer *w)
{
	if (b->state == ENG_BLOCK_OFFLINE)
		return -EINVAL;
	if (b->unmovable) {
		b->state = ENG_BLOCK_ONLINE;
		e->offlining = NULL;
		return -EBUSY;
	}
	/* Any signal ends it, also if all could have been moved. */
	if (w->signalled) {
		b->state = ENG_BLOCK_ONLINE;
		e->offlining = NULL;
		return -EINTR;
	}
	if (b->pinned || !migrate(e, b)) {
		b->state = ENG_BLOCK_GOING_OFFLINE;
		e->offlining = b;
		return ENGINE_BLOCKS;
	}
	e->offlining = NULL;
	b->state = ENG_BLOCK_OFFLINE;
	b->zone = ENG_ZONE_NONE;
	tier_uevent(e, b, "remove");
	block_uevent(e, b, "offline");
	return 0;
}

ssize_t eng_block_state_store(struct engine *e, struct eng_block *b, const char *buf,
			      const struct engine_writer *w)
{
	enum eng_online_type type;
	ssize_t r;

	r = eng_online_type_parse(buf, &type);
	if (r < 0)
		return r;
	r = eng_hotplug_lock(e, w);
	if (r != 0)
		return r;
	if (type == ENG_MMOP_OFFLINE) {
		r = eng_block_offline(e, b, w);
	} else if (b->state != ENG_BLOCK_OFFLINE) {
		r = -EINVAL;
	} else {
		eng_block_online_anew(e, b, type);
	}
	return eng_hotplug_unlock(e, w, r);
}

/* ---- coming and going ---- */

static int block_insert(struct engine *e, const struct eng_block *init, struct eng_block **ret)
{
	struct eng_block **grown;
	struct eng_block *b;
	size_t at = block_lower(e, init->number);

	grown = reallocarray(e->blocks, e->n_blocks + 1, sizeof(struct eng_block *));
	if (!grown)
		return -ENOMEM;
	e->blocks = grown;
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = *init;
	memmove(&e->blocks[at + 1], &e->blocks[at], (e->n_blocks - at) * sizeof(*e->blocks));
	e->blocks[at] = b;
	e->n_blocks++;
	*ret = b;
	return 0;
}

static bool node_has_blocks(const struct engine *e, int id)
{
	for (size_t i = 0; i < e->n_blocks; i++)
		if (e->blocks[i]->node == id)
			return true;
	return false;
}

int eng_blocks_remove(struct engine *e, const struct range *hpa, bool force)
{
	uint64_t first = (hpa->start + e->config.block_size - 1) / e->config.block_size;
	uint64_t end = range_end(hpa) / e->config.block_size;
	size_t at = block_lower(e, first);

	for (size_t i = at; i < e->n_blocks && e->blocks[i]->number < end; i++) {
		struct range r = eng_block_range(e, e->blocks[i]);

		if (e->blocks[i]->state == ENG_BLOCK_OFFLINE || force)
			continue;
		eng_kmsg(e, "removing memory fails, because memory [0x%016jx-0x%016jx] is onlined",
			 (uintmax_t)r.start, (uintmax_t)range_end(&r) - 1);
		return -EBUSY;
	}
	while (at < e->n_blocks && e->blocks[at]->number < end) {
		struct eng_block *b = e->blocks[at];
		struct eng_node_info *n = eng_find_node(e, b->node);

		if (b->state != ENG_BLOCK_OFFLINE)
			eng_node_cut(n, eng_node_total(e, b->node) - e->config.block_size);
		e->n_blocks--;
		memmove(&e->blocks[at], &e->blocks[at + 1],
			(e->n_blocks - at) * sizeof(*e->blocks));
		eng_structure_changed(e);
		block_uevent(e, b, "remove");
		if (n->present && n->id != 0 && !node_has_blocks(e, n->id)) {
			n->present = false;
			node_uevent(e, n->id, "remove");
		}
		free(b);
	}
	return 0;
}

int eng_blocks_add(struct engine *e, const struct range *hpa, int node, struct eng_device *d,
		   enum eng_online_type type)
{
	struct eng_node_info *n = eng_find_node(e, node);
	uint64_t first = hpa->start / e->config.block_size;
	uint64_t end = range_end(hpa) / e->config.block_size;
	struct eng_block *b;
	int r = 0;

	if (!n->present) {
		n->present = true;
		node_uevent(e, node, "add");
	}
	for (uint64_t number = first; number < end; number++) {
		struct eng_block init = { .number = number, .node = node, .device = d };

		eng_device_name(d, init.owner);
		r = block_insert(e, &init, &b);
		if (r < 0)
			break;
		eng_structure_changed(e);
		block_uevent(e, b, "add");
	}
	if (r < 0) {
		(void)eng_blocks_remove(e, hpa, false);
		return r;
	}
	for (uint64_t number = first; number < end && type != ENG_MMOP_OFFLINE; number++)
		eng_block_online_anew(e, eng_find_block(e, number), type);
	return 0;
}

int eng_boot_memory(struct engine *e)
{
	uint64_t size = e->config.block_size;
	uint64_t low = MIN(e->config.boot_memory, 2 * GiB) / size;
	uint64_t all = e->config.boot_memory / size;
	int r;

	r = eng_need_node(e, 0);
	if (r < 0)
		return r;
	eng_find_node(e, 0)->present = true;
	for (uint64_t i = 0; i < all; i++) {
		uint64_t number = i < low ? i : 4 * GiB / size + (i - low);
		struct eng_block *b;
		struct eng_block init = {
			.number = number,
			.state = ENG_BLOCK_ONLINE,
			.zone = i == 0	  ? ENG_ZONE_MIXED
				: i < low ? ENG_ZONE_DMA32
					  : ENG_ZONE_NORMAL,
			.unmovable = true,
		};

		r = block_insert(e, &init, &b);
		if (r < 0)
			return r;
	}
	return 0;
}
