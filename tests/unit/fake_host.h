/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host in a few arrays, for tests of the plan and the state machine: it gives inventories and
 * takes the worker's requests, with the kernel's answers and with faults on demand. It knows
 * nothing of FUSE or sysfs; the simulated host proper is in tests/sim.
 */
#pragma once

#include "inventory/scan.h"
#include "worker/worker.h"

#define FAKE_BLOCK_SIZE (128 * MiB)
#define FAKE_HPA UINT64_C(0xa90000000)
#define FAKE_DEVICES_MAX 12
#define FAKE_BLOCKS_MAX 64
#define FAKE_EXTENTS_MAX 8

struct fake_block {
	bool present, online;
	enum block_zone zone;
	bool pinned; /* going offline fails with -EBUSY */
};

struct fake_device {
	bool exists, claimed;
	bool remembered; /* kmem knows the name */
	bool state_attr; /* 7.3 */
	char name[DEV_NAME_MAX], driver[DEV_NAME_MAX];
	struct tag tag;
	uint32_t first_extent, n_extents; /* that it claims, or would */
	int32_t holder;			  /* pid, 0: none */
};

struct fake_extent {
	bool live;
	struct tag tag;
	struct range offset; /* in the region */
};

struct fake_host {
	struct fake_device devices[FAKE_DEVICES_MAX];
	struct fake_block blocks[FAKE_BLOCKS_MAX]; /* by number - first */
	struct fake_extent extents[FAKE_EXTENTS_MAX];
	unsigned n_devices, n_extents;
	bool unbindable;	 /* no driver takes anything */
	bool auto_online_kernel; /* what kmem makes of blocks when it is bound */
	unsigned violations;	 /* memory handed back while online */
	unsigned writes;
};

static inline uint64_t fake_first_block(void)
{
	return FAKE_HPA / FAKE_BLOCK_SIZE;
}

static inline struct tag fake_tag(uint8_t n)
{
	struct tag tag = { 0 };

	memset(tag.bytes, n, sizeof(tag.bytes));
	return tag;
}

/* One device in system RAM over @n_extents extents of @blocks_each blocks, with gaps between. */
static inline struct fake_device *fake_add_group(struct fake_host *h, uint8_t tag, unsigned n,
						 unsigned blocks_each, const char *name)
{
	struct fake_device *dev = &h->devices[h->n_devices++];
	unsigned first = 0;

	for (unsigned i = 0; i < h->n_extents; i++)
		first = MAX(first,
			    (unsigned)(range_end(&h->extents[i].offset) / FAKE_BLOCK_SIZE) + 1);
	*dev = (struct fake_device){ .exists = true,
				     .claimed = true,
				     .remembered = true,
				     .tag = fake_tag(tag),
				     .first_extent = h->n_extents,
				     .n_extents = n };
	(void)str_copy(dev->name, sizeof(dev->name), name);
	(void)str_copy(dev->driver, sizeof(dev->driver), "kmem");
	for (unsigned i = 0; i < n; i++) {
		h->extents[h->n_extents++] = (struct fake_extent){
			.live = true,
			.tag = fake_tag(tag),
			.offset = { .start = first * FAKE_BLOCK_SIZE,
				    .length = blocks_each * FAKE_BLOCK_SIZE },
		};
		for (unsigned b = 0; b < blocks_each; b++)
			h->blocks[first + b] = (struct fake_block){ .present = true,
								    .online = true,
								    .zone = ZONE_MOVABLE };
		first += blocks_each + 1;
	}
	return dev;
}

static inline bool fake_block_of(const struct fake_host *h, const struct fake_device *dev,
				 unsigned block)
{
	for (unsigned i = 0; i < dev->n_extents; i++) {
		const struct range *r = &h->extents[dev->first_extent + i].offset;

		if (block * FAKE_BLOCK_SIZE >= r->start && block * FAKE_BLOCK_SIZE < range_end(r))
			return true;
	}
	return false;
}

static inline bool fake_any_online(const struct fake_host *h, const struct fake_device *dev)
{
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		if (fake_block_of(h, dev, b) && h->blocks[b].present && h->blocks[b].online)
			return true;
	return false;
}

/* The device repeats its release: all or none. Returns whether it was granted. */
static inline bool fake_release(struct fake_host *h, const struct tag *tag)
{
	for (unsigned i = 0; i < h->n_devices; i++)
		if (h->devices[i].exists && h->devices[i].claimed &&
		    tag_equal(&h->devices[i].tag, tag))
			return false;
	for (unsigned i = 0; i < h->n_devices; i++)
		if (tag_equal(&h->devices[i].tag, tag) && fake_any_online(h, &h->devices[i]))
			h->violations++;
	for (unsigned i = 0; i < h->n_extents; i++)
		if (tag_equal(&h->extents[i].tag, tag))
			h->extents[i].live = false;
	return true;
}

static inline void fake_fill_device(const struct fake_host *h, const struct fake_device *dev,
				    struct inventory *inv)
{
	struct dax_device *d = &inv->devices[inv->n_devices];
	uint64_t pages = 0;

	(void)str_copy(d->name, sizeof(d->name), dev->name);
	(void)str_copy(d->driver, sizeof(d->driver), dev->driver);
	d->mode = !dev->driver[0]		     ? DAX_MODE_UNBOUND
		  : streq(dev->driver, "kmem")	     ? DAX_MODE_SYSTEM_RAM
		  : streq(dev->driver, "device_dax") ? DAX_MODE_DEVDAX
						     : DAX_MODE_OTHER;
	d->align = 2 * MiB;
	d->target_node = 1;
	if (dev->state_attr && d->mode == DAX_MODE_SYSTEM_RAM)
		(void)str_copy(d->state, sizeof(d->state),
			       fake_any_online(h, dev) ? "online_movable" : "unplugged");
	if (dev->claimed) {
		d->tag = dev->tag;
		for (unsigned i = 0; i < dev->n_extents; i++) {
			const struct range *r = &h->extents[dev->first_extent + i].offset;

			d->size += r->length;
			inv->mappings[inv->n_mappings++] = (struct mapping){
				.hpa = { .start = FAKE_HPA + r->start, .length = r->length },
				.page_offset = pages,
			};
			d->n_mappings++;
			pages += r->length / 4096;
		}
		d->first_mapping = inv->n_mappings - d->n_mappings;
		d->first_block = inv->n_blocks;
		for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++) {
			const struct fake_block *block = &h->blocks[b];

			if (!fake_block_of(h, dev, b) || !block->present)
				continue;
			inv->blocks[inv->n_blocks++] = (struct memory_block){
				.number = fake_first_block() + b,
				.state = block->online ? BLOCK_ONLINE : BLOCK_OFFLINE,
				.zone = block->online ? block->zone : ZONE_NONE,
				.device = inv->n_devices,
			};
			d->n_blocks++;
		}
	}
	if (dev->holder) {
		d->first_holder = inv->n_holders;
		d->n_holders = 1;
		inv->holders[inv->n_holders++] = (struct holder){
			.device = inv->n_devices, .pid = dev->holder, .open = true, .comm = "holder"
		};
	}
	inv->n_devices++;
}

/* Memory in use below extents that no device claims. */
static inline void fake_mark_leftovers(const struct fake_host *h, struct inventory *inv)
{
	for (uint32_t i = 0; i < inv->n_extents; i++) {
		struct extent *e = &inv->extents[i];

		for (unsigned b = 0; b < FAKE_BLOCKS_MAX && e->device == INVENTORY_NONE; b++) {
			if (b * FAKE_BLOCK_SIZE < e->dpa.start ||
			    b * FAKE_BLOCK_SIZE >= range_end(&e->dpa) || !h->blocks[b].present ||
			    !h->blocks[b].online)
				continue;
			e->leftover = true;
			e->leftover_block = fake_first_block() + b;
		}
	}
}

/* What a scan would find. NULL if out of memory. */
static inline struct inventory *fake_inventory(const struct fake_host *h)
{
	struct inventory *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return NULL;
	inv->block_size = FAKE_BLOCK_SIZE;
	inv->taken = now_usec(CLOCK_MONOTONIC);
	inv->memdevs = calloc(1, sizeof(*inv->memdevs));
	inv->regions = calloc(1, sizeof(*inv->regions));
	inv->extents = calloc(FAKE_EXTENTS_MAX, sizeof(*inv->extents));
	inv->devices = calloc(FAKE_DEVICES_MAX, sizeof(*inv->devices));
	inv->mappings = calloc((size_t)FAKE_EXTENTS_MAX * FAKE_DEVICES_MAX, sizeof(*inv->mappings));
	inv->blocks = calloc(FAKE_BLOCKS_MAX, sizeof(*inv->blocks));
	inv->holders = calloc(FAKE_DEVICES_MAX, sizeof(*inv->holders));
	inv->nodes = calloc(2, sizeof(*inv->nodes));
	if (!inv->memdevs || !inv->regions || !inv->extents || !inv->devices || !inv->mappings ||
	    !inv->blocks || !inv->holders || !inv->nodes) {
		inventory_free(inv);
		return NULL;
	}
	inv->n_memdevs = inv->n_regions = 1;
	(void)str_copy(inv->memdevs[0].name, DEV_NAME_MAX, "mem0");
	inv->regions[0] = (struct region){ .name = "region0",
					   .dax_region = "dax_region0",
					   .mode = "dynamic_ram_1",
					   .decoder = "decoder2.0",
					   .hpa = { FAKE_HPA, 64 * FAKE_BLOCK_SIZE },
					   .dpa = { 0, 64 * FAKE_BLOCK_SIZE } };
	for (unsigned i = 0; i < h->n_extents; i++) {
		const struct fake_extent *e = &h->extents[i];

		if (!e->live)
			continue;
		inv->extents[inv->n_extents] = (struct extent){
			.device = INVENTORY_NONE,
			.tag = e->tag,
			.hpa = { FAKE_HPA + e->offset.start, e->offset.length },
			.dpa = e->offset,
		};
		(void)snprintf(inv->extents[inv->n_extents++].name, DEV_NAME_MAX, "extent0.%u",
			       i + 1);
	}
	for (unsigned i = 0; i < h->n_devices; i++)
		if (h->devices[i].exists)
			fake_fill_device(h, &h->devices[i], inv);
	inv->nodes[0] = (struct numa_node){ .id = 0, .total = 64 * GiB, .free = 32 * GiB };
	inv->nodes[1] = (struct numa_node){ .id = 1, .total = 8 * GiB, .free = 8 * GiB };
	inv->n_nodes = 2;
	if (inventory_link(inv) < 0) {
		inventory_free(inv);
		return NULL;
	}
	fake_mark_leftovers(h, inv);
	return inv;
}

static inline struct fake_device *fake_find(struct fake_host *h, const char *name)
{
	for (unsigned i = 0; i < h->n_devices; i++)
		if (h->devices[i].exists && streq(h->devices[i].name, name))
			return &h->devices[i];
	return NULL;
}

static inline int fake_write_block(struct fake_block *block, const char *value)
{
	bool on = startswith(value, "online");

	if (!block->present)
		return -ENOENT;
	if (block->online == on)
		return -EINVAL;
	if (!on && block->pinned)
		return -EBUSY;
	block->online = on;
	block->zone = !on ? ZONE_NONE : streq(value, "online_movable") ? ZONE_MOVABLE : ZONE_KERNEL;
	return 0;
}

static inline void fake_plug(struct fake_host *h, struct fake_device *dev, bool present,
			     bool online, enum block_zone zone)
{
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		if (fake_block_of(h, dev, b))
			h->blocks[b] = (struct fake_block){
				.present = present,
				.online = online,
				.zone = online ? zone : ZONE_NONE,
				.pinned = h->blocks[b].pinned,
			};
}

static inline int fake_unplug(struct fake_host *h, struct fake_device *dev)
{
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		if (fake_block_of(h, dev, b) && h->blocks[b].pinned)
			return -EBUSY;
	fake_plug(h, dev, false, false, ZONE_NONE);
	return 0;
}

static inline int fake_bind(struct fake_host *h, struct fake_device *dev, const char *driver,
			    bool new_id)
{
	if (!dev->claimed)
		return -ENXIO;
	if (dev->driver[0])
		return -EBUSY;
	if (h->unbindable)
		return -ENODEV;
	if (streq(driver, "kmem") && !dev->remembered && !new_id)
		return -ENODEV;
	/* What kmem left behind keeps the memory reserved. */
	if (streq(driver, "kmem") && fake_any_online(h, dev))
		return -EBUSY;
	if (streq(driver, "kmem")) {
		dev->remembered = true;
		fake_plug(h, dev, true, h->auto_online_kernel, ZONE_KERNEL);
	}
	(void)str_copy(dev->driver, sizeof(dev->driver), driver);
	return 0;
}

static inline int fake_unbind(struct fake_host *h, struct fake_device *dev)
{
	if (!dev->driver[0])
		return -ENODEV;
	if (streq(dev->driver, "kmem")) {
		if (fake_any_online(h, dev))
			h->violations++; /* leaked */
		fake_plug(h, dev, false, false, ZONE_NONE);
	}
	dev->driver[0] = '\0';
	return 0;
}

static inline bool fake_is_claimed(const struct fake_host *h, unsigned extent)
{
	for (unsigned i = 0; i < h->n_devices; i++) {
		const struct fake_device *dev = &h->devices[i];

		if (dev->exists && dev->claimed && extent >= dev->first_extent &&
		    extent < dev->first_extent + dev->n_extents)
			return true;
	}
	return false;
}

/* Takes the first run of free extents of the tag: all of them, where a tag has one device. */
static inline int fake_claim(struct fake_host *h, struct fake_device *dev, const char *value)
{
	struct tag tag;
	unsigned n = 0;

	if (tag_parse(value, &tag) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < h->n_extents; i++) {
		bool fits = h->extents[i].live && tag_equal(&h->extents[i].tag, &tag) &&
			    !fake_is_claimed(h, i);

		if (!fits && n > 0)
			break;
		if (!fits)
			continue;
		if (n++ == 0)
			dev->first_extent = i;
	}
	if (n == 0)
		return -ENOENT;
	dev->n_extents = n;
	dev->tag = tag;
	dev->claimed = true;
	return 0;
}

/* A new, empty device; its number is one that never was. */
static inline int fake_create(struct fake_host *h)
{
	struct fake_device *dev = &h->devices[h->n_devices];

	if (h->n_devices == FAKE_DEVICES_MAX)
		return -ENOSPC;
	*dev = (struct fake_device){ .exists = true, .state_attr = h->devices[0].state_attr };
	(void)snprintf(dev->name, sizeof(dev->name), "dax0.%u", 100 + h->n_devices++);
	return 0;
}

static inline int fake_write_device(struct fake_host *h, struct fake_device *dev, const char *attr,
				    const char *value)
{
	if (streq(attr, "size")) {
		if (dev->driver[0])
			return -EBUSY;
		dev->claimed = false;
		return 0;
	}
	if (streq(attr, "uuid"))
		return dev->claimed ? -EBUSY : fake_claim(h, dev, value);
	if (streq(attr, "state") && dev->state_attr) {
		if (streq(value, "unplugged"))
			return fake_unplug(h, dev);
		fake_plug(h, dev, true, true,
			  streq(value, "online_movable") ? ZONE_MOVABLE : ZONE_KERNEL);
		return 0;
	}
	return -ENOENT;
}

/* The kernel's part of a WORKER_WRITE. */
static inline int fake_write(struct fake_host *h, const struct worker_request *req)
{
	unsigned long long number;
	char a[DEV_NAME_MAX], b[DEV_NAME_MAX];
	struct fake_device *dev;

	h->writes++;
	if (sscanf(req->path, "devices/system/memory/memory%llu/state", &number) == 1) {
		number -= fake_first_block();
		return number < FAKE_BLOCKS_MAX ? fake_write_block(&h->blocks[number], req->value)
						: -ENOENT;
	}
	if (sscanf(req->path, "bus/dax/devices/%39[^/]/%39s", a, b) == 2) {
		dev = fake_find(h, a);
		return dev ? fake_write_device(h, dev, b, req->value) : -ENOENT;
	}
	if (sscanf(req->path, "bus/dax/drivers/%39[^/]/%39s", a, b) == 2) {
		dev = fake_find(h, req->value);
		if (!dev)
			return -ENODEV;
		if (streq(b, "unbind"))
			return fake_unbind(h, dev);
		return fake_bind(h, dev, a, streq(b, "new_id"));
	}
	if (streq(req->path, "bus/cxl/devices/dax_region0/dax_region/create"))
		return streq(req->value, "1") ? fake_create(h) : -EINVAL;
	if (startswith(req->path, "bus/cxl/devices/dax_region0/dax_region/delete")) {
		dev = fake_find(h, req->value);
		if (!dev)
			return -ENXIO;
		if (dev->claimed || dev->driver[0])
			return -EBUSY;
		dev->exists = false;
		return 0;
	}
	return -EPERM;
}

/* What the watch of a request reads. */
static inline void fake_watch(struct fake_host *h, const struct worker_request *req, char *ret,
			      size_t size)
{
	unsigned long long number;
	char a[DEV_NAME_MAX], b[DEV_NAME_MAX];
	struct fake_device *dev;

	ret[0] = '\0';
	if (sscanf(req->watch, "devices/system/memory/memory%llu/state", &number) == 1) {
		const struct fake_block *block = &h->blocks[number - fake_first_block()];

		if (block->present)
			(void)str_copy(ret, size, block->online ? "online" : "offline");
		return;
	}
	if (sscanf(req->watch, "bus/dax/devices/%39[^/]/%39s", a, b) != 2)
		return;
	dev = fake_find(h, a);
	if (!dev)
		return;
	if (streq(b, "driver"))
		(void)str_copy(ret, size, dev->driver);
	else if (streq(b, "size"))
		(void)str_copy(ret, size, dev->claimed ? "1" : "0");
	else if (streq(b, "state"))
		(void)str_copy(ret, size, fake_any_online(h, dev) ? "online_movable" : "unplugged");
}
