/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver kmem: makes memory blocks of the whole blocks in a dax device's ranges. Unbinding it
 * always succeeds; what is online then leaks, and nothing in a kernel prevents that. With kernel
 * 7.3, daxN.M/state plugs and unplugs all blocks of a device at once.
 */
#include "internal.h"

static const char *const state_names[_ENG_KMEM_STATE_MAX] = {
	[ENG_UNPLUGGED] = "unplugged",
	[ENG_STATE_OFFLINE] = "offline",
	[ENG_STATE_ONLINE] = "online",
	[ENG_STATE_ONLINE_KERNEL] = "online_kernel",
	[ENG_STATE_ONLINE_MOVABLE] = "online_movable",
};

const char *eng_kmem_state_name(enum eng_kmem_state state)
{
	return state_names[state];
}

static enum eng_kmem_state state_of_type(enum eng_online_type type)
{
	switch (type) {
	case ENG_MMOP_ONLINE:
		return ENG_STATE_ONLINE;
	case ENG_MMOP_ONLINE_KERNEL:
		return ENG_STATE_ONLINE_KERNEL;
	case ENG_MMOP_ONLINE_MOVABLE:
		return ENG_STATE_ONLINE_MOVABLE;
	case ENG_MMOP_OFFLINE:
		break;
	}
	return ENG_STATE_OFFLINE;
}

/* The whole blocks in a mapping; false if there is none. */
static bool whole_blocks(const struct engine *e, const struct eng_mapping *map, struct range *ret)
{
	uint64_t size = e->config.block_size;
	uint64_t start = (map->hpa.start + size - 1) / size * size;
	uint64_t end = range_end(&map->hpa) / size * size;

	if (start >= end)
		return false;
	*ret = (struct range){ .start = start, .length = end - start };
	return true;
}

/* Whether memory that once leaked still holds part of the range. */
static bool is_reserved(const struct engine *e, const struct range *hpa)
{
	for (size_t i = 0; i < e->n_blocks; i++) {
		struct range r = eng_block_range(e, e->blocks[i]);

		if (range_overlaps(&r, hpa))
			return true;
	}
	return false;
}

/* Adds the memory of all mappings. Fails only if the first that could be added cannot. */
static int plug(struct engine *e, struct eng_device *d, enum eng_online_type type)
{
	char name[ENG_DAX_NAME_MAX];
	bool plugged = false;
	int r;

	eng_device_name(d, name);
	for (size_t i = 0; i < d->n_mappings; i++) {
		struct range hpa;

		if (!whole_blocks(e, &d->mappings[i], &hpa))
			continue;
		if (is_reserved(e, &hpa)) {
			eng_kmsg(e, "kmem %s: mapping%zu: 0x%jx-0x%jx could not reserve region",
				 name, i, (uintmax_t)hpa.start, (uintmax_t)range_end(&hpa) - 1);
			if (plugged)
				continue;
			return -EBUSY;
		}
		r = eng_blocks_add(e, &hpa, d->region->target_node, d, type);
		if (r < 0) {
			eng_kmsg(e, "kmem %s: mapping%zu: 0x%jx-0x%jx memory add failed", name, i,
				 (uintmax_t)hpa.start, (uintmax_t)range_end(&hpa) - 1);
			if (plugged)
				continue;
			return r;
		}
		d->mappings[i].plugged = true;
		plugged = true;
	}
	return 0;
}

int eng_kmem_probe(struct engine *e, struct eng_device *d)
{
	char name[ENG_DAX_NAME_MAX];
	uint64_t total = 0, size = eng_device_size(d);
	int r;

	eng_device_name(d, name);
	for (size_t i = 0; i < d->n_mappings; i++) {
		struct range hpa;

		if (whole_blocks(e, &d->mappings[i], &hpa))
			total += hpa.length;
		else
			eng_kmsg(e, "kmem %s: mapping%zu: 0x%jx-0x%jx too small after alignment",
				 name, i, (uintmax_t)d->mappings[i].hpa.start,
				 (uintmax_t)range_end(&d->mappings[i].hpa) - 1);
	}
	if (total == 0) {
		eng_kmsg(e, "kmem %s: rejecting DAX region without any memory after alignment",
			 name);
		return -EINVAL;
	}
	if (total != size)
		eng_kmsg(e, "kmem %s: DAX region truncated by %ju MiB due to alignment", name,
			 (uintmax_t)((size - total) / MiB));
	r = plug(e, d, e->auto_online);
	if (r < 0)
		return r;
	d->state = state_of_type(e->auto_online);
	return 0;
}

/* The blocks of a range stay for ever and belong to nobody. */
static void leak(struct engine *e, const struct range *hpa)
{
	for (size_t i = 0; i < e->n_blocks; i++) {
		struct eng_block *b = e->blocks[i];
		struct range r = eng_block_range(e, b);

		if (!range_overlaps(&r, hpa))
			continue;
		b->device = NULL;
		b->leaked = true;
		e->counters.blocks_leaked++;
	}
}

void eng_kmem_remove(struct engine *e, struct eng_device *d, bool force)
{
	char name[ENG_DAX_NAME_MAX];

	for (size_t i = 0; i < d->n_mappings; i++) {
		struct eng_mapping *map = &d->mappings[i];
		struct range hpa;

		if (!map->plugged || !whole_blocks(e, map, &hpa))
			continue;
		map->plugged = false;
		if (eng_blocks_remove(e, &hpa, force) == 0)
			continue;
		eng_kmsg(e,
			 "kmem %s: mapping%zu: 0x%jx-0x%jx cannot be hotremoved until the next "
			 "reboot",
			 eng_device_name(d, name), i, (uintmax_t)hpa.start,
			 (uintmax_t)range_end(&hpa) - 1);
		leak(e, &hpa);
	}
	d->state = ENG_UNPLUGGED;
}

/* ---- daxN.M/state ---- */

/* Blocks that this unplug took offline come back in the zone they were in. */
static void unplug_undo(struct engine *e, const struct eng_device *d)
{
	for (size_t i = 0; i < e->n_blocks; i++) {
		struct eng_block *b = e->blocks[i];

		if (b->device == d && b->restore != ENG_ZONE_NONE)
			eng_block_online(e, b, b->restore);
		b->restore = ENG_ZONE_NONE;
	}
}

static ssize_t unplug(struct engine *e, struct eng_device *d, const struct engine_writer *w)
{
	for (size_t i = 0; i < e->n_blocks; i++) {
		struct eng_block *b = e->blocks[i];
		enum eng_zone zone = b->zone;
		ssize_t r;

		if (b->device != d || b->state == ENG_BLOCK_OFFLINE)
			continue;
		r = eng_block_offline(e, b, w);
		if (r == ENGINE_BLOCKS)
			return r;
		if (r < 0) {
			unplug_undo(e, d);
			return r;
		}
		b->restore = zone;
	}
	for (size_t i = 0; i < d->n_mappings; i++) {
		struct range hpa;

		if (d->mappings[i].plugged && whole_blocks(e, &d->mappings[i], &hpa))
			(void)eng_blocks_remove(e, &hpa, false);
		d->mappings[i].plugged = false;
	}
	d->state = ENG_UNPLUGGED;
	return 0;
}

static ssize_t state_change(struct engine *e, struct eng_device *d, enum eng_kmem_state state,
			    enum eng_online_type type, const struct engine_writer *w)
{
	int r;

	/* What it believes is compared, not what the blocks are. */
	if (d->state == state)
		return 0;
	if (state == ENG_UNPLUGGED)
		return unplug(e, d, w);
	switch (d->state) {
	case ENG_UNPLUGGED:
		r = plug(e, d, type);
		if (r < 0)
			return r;
		break;
	case ENG_STATE_OFFLINE:
		for (size_t i = 0; i < e->n_blocks; i++) {
			struct eng_block *b = e->blocks[i];

			if (b->device == d && b->state == ENG_BLOCK_OFFLINE)
				eng_block_online_anew(e, b, type);
		}
		break;
	default:
		/* From one way of being online to another only through unplugged. */
		return -EBUSY;
	}
	d->state = state;
	return 0;
}

ssize_t eng_state_store(struct engine *e, struct eng_device *d, const char *buf,
			const struct engine_writer *w)
{
	enum eng_online_type type = ENG_MMOP_OFFLINE;
	enum eng_kmem_state state = ENG_UNPLUGGED;
	ssize_t r;

	if (!eng_sysfs_streq(buf, "unplugged")) {
		if (eng_online_type_parse(buf, &type) < 0 || type == ENG_MMOP_OFFLINE)
			return -EINVAL;
		state = state_of_type(type);
	}
	if (d->driver != ENG_KMEM)
		return -ENODEV;
	r = eng_hotplug_lock(e, w);
	if (r != 0)
		return r;
	return eng_hotplug_unlock(e, w, state_change(e, d, state, type, w));
}
