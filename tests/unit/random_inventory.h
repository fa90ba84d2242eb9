/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inventories of random but possible hosts, in random order, linked: groups of several extents,
 * claimed or not, untagged ones, blocks, holders, mounts, huge pages. The seed is printed when a
 * test fails.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inventory/scan.h"

#define RANDOM_BLOCK_SIZE (128 * MiB)
#define RANDOM_EXTENTS_PER_REGION 40
#define RANDOM_HOLDERS_PER_DEVICE 2
#define RANDOM_REGION_SIZE (UINT64_C(64) * GiB)

struct random_state {
	uint64_t state;
};

static inline uint64_t random_next(struct random_state *r)
{
	/* splitmix64: small, and the same everywhere for one seed */
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint32_t random_below(struct random_state *r, uint32_t n)
{
	return (uint32_t)(random_next(r) % n);
}

static inline void random_shuffle(struct random_state *r, void *array, uint32_t n, size_t size)
{
	char swap[512];

	assert_true(size <= sizeof(swap));
	for (uint32_t i = n; i > 1; i--) {
		char *a = (char *)array + (i - 1) * size;
		char *b = (char *)array + random_below(r, i) * size;

		memcpy(swap, a, size);
		memcpy(a, b, size);
		memcpy(b, swap, size);
	}
}

/* The tag number @n of a region; 0 is untagged. */
static inline struct tag random_tag(uint32_t n)
{
	struct tag tag = { 0 };

	if (n > 0) {
		tag.bytes[0] = (uint8_t)(n * 37);
		tag.bytes[15] = (uint8_t)n;
	}
	return tag;
}

/* A process that has @device open or mapped, or a mount of it. */
static inline void random_holder(struct random_state *r, struct inventory *inv, uint32_t device)
{
	struct holder *h = &inv->holders[inv->n_holders++];

	*h = (struct holder){
		.device = device,
		.pid = (int32_t)random_below(r, 30000) + 1,
		.mounted = random_below(r, 4) == 0,
	};
	if (h->mounted) {
		(void)snprintf(h->path, sizeof(h->path), "/mnt/%u", device);
		(void)snprintf(h->fstype, sizeof(h->fstype), "famfs");
		return;
	}
	h->start = random_below(r, 1000000);
	h->open = random_below(r, 2);
	h->mapped = !h->open || random_below(r, 2);
	(void)snprintf(h->comm, sizeof(h->comm), "holder");
	if (random_below(r, 3) == 0)
		return;
	(void)snprintf(h->unit, sizeof(h->unit), "user%u.service", random_below(r, 4));
	(void)snprintf(h->cgroup, sizeof(h->cgroup), "/system.slice/%s", h->unit);
}

/* Claims for @device every extent in @inv of @region from @first on with number @tag in cookie. */
static inline void random_claim(struct random_state *r, struct inventory *inv, uint32_t region,
				uint32_t first_extent, uint32_t tag)
{
	struct dax_device *d = &inv->devices[inv->n_devices];
	struct tag wanted = random_tag(tag);
	uint32_t index = inv->n_devices++;

	(void)snprintf(d->name, sizeof(d->name), "dax%u.%u", region, index + 1);
	d->region = region;
	d->tag = wanted;
	d->mode = (enum dax_mode)random_below(r, _DAX_MODE_MAX);
	(void)snprintf(d->driver, sizeof(d->driver), "driver%d", (int)d->mode);
	d->align = 2 * MiB;
	d->target_node = 1;
	d->memmap_on_memory = (int32_t)random_below(r, 3) - 1;
	d->dev_major = 254;
	d->dev_minor = index;
	d->first_mapping = inv->n_mappings;
	for (uint32_t i = first_extent; i < inv->n_extents; i++) {
		struct mapping *m = &inv->mappings[inv->n_mappings];

		if (!tag_equal(&inv->extents[i].tag, &wanted))
			continue;
		m->hpa = inv->extents[i].hpa;
		m->page_offset = d->size / 4096;
		d->size += m->hpa.length;
		inv->n_mappings++;
		inv->blocks[inv->n_blocks++] = (struct memory_block){
			.number = m->hpa.start / RANDOM_BLOCK_SIZE,
			.state = (enum block_state)random_below(r, _BLOCK_STATE_MAX),
			.zone = (enum block_zone)random_below(r, _BLOCK_ZONE_MAX),
			.device = index,
		};
		if (tag == 0) /* an untagged device gets one extent */
			break;
	}
	d->n_mappings = inv->n_mappings - d->first_mapping;
	random_shuffle(r, inv->mappings + d->first_mapping, d->n_mappings, sizeof(*inv->mappings));
	for (unsigned i = 0; i < RANDOM_HOLDERS_PER_DEVICE; i++)
		if (random_below(r, 5) == 0)
			random_holder(r, inv, index);
}

static inline void random_region(struct random_state *r, struct inventory *inv, uint32_t index)
{
	struct region *region = &inv->regions[index];
	const uint32_t first = inv->n_extents;
	const uint32_t n = random_below(r, RANDOM_EXTENTS_PER_REGION);
	const uint32_t n_tags = 1 + random_below(r, 8);
	uint64_t offset = 0;

	*region = (struct region){
		.memdev = random_below(r, inv->n_memdevs),
		.id = (int32_t)index,
		.hpa = { UINT64_C(0xa90000000) + index * RANDOM_REGION_SIZE, RANDOM_REGION_SIZE },
		.dpa = { index * RANDOM_REGION_SIZE, RANDOM_REGION_SIZE },
		.mode = "dynamic_ram_1",
	};
	(void)snprintf(region->name, sizeof(region->name), "region%u", index);
	(void)snprintf(region->dax_region, sizeof(region->dax_region), "dax_region%u", index);
	(void)snprintf(region->decoder, sizeof(region->decoder), "decoder%u.0", index + 2);

	for (uint32_t i = 0; i < n; i++) {
		struct extent *e = &inv->extents[inv->n_extents++];

		offset += random_below(r, 3) * RANDOM_BLOCK_SIZE;
		(void)snprintf(e->name, sizeof(e->name), "extent%u.%u", index, i + 1);
		e->region = index;
		e->tag = random_tag(random_below(r, n_tags));
		e->sharable = tag_is_null(&e->tag) ? 0 : (int32_t)random_below(r, 3) - 1;
		e->hpa = (struct range){ region->hpa.start + offset, RANDOM_BLOCK_SIZE };
		e->dpa = (struct range){ region->dpa.start + offset, RANDOM_BLOCK_SIZE };
		offset += RANDOM_BLOCK_SIZE;
	}
	for (uint32_t tag = 0; tag < n_tags; tag++)
		if (random_below(r, 2))
			random_claim(r, inv, index, first, tag);
}

/* Some regions could not be read whole; of some of these nothing is known. After linking. */
static inline void random_errors(struct random_state *r, struct inventory *inv)
{
	for (uint32_t i = 0; i < inv->n_regions; i++) {
		struct region *region = &inv->regions[i];

		if (random_below(r, 3) != 0)
			continue;
		region->error = -EIO;
		(void)snprintf(region->error_path, sizeof(region->error_path),
			       "bus/cxl/devices/%s/size", region->name);
		if (region->n_extents > 0 || region->n_devices > 0)
			continue;
		if (random_below(r, 2))
			region->memdev = INVENTORY_NONE;
		if (random_below(r, 2))
			region->dpa = region->hpa = (struct range){ 0 };
	}
}

static inline void *random_array(size_t n, size_t size)
{
	void *array = calloc(n, size);

	assert_non_null(array);
	return array;
}

/* Not linked yet. */
static inline struct inventory *random_inventory_raw(struct random_state *r)
{
	struct inventory *inv = random_array(1, sizeof(*inv));
	const uint32_t max_regions = 5, max_extents = max_regions * RANDOM_EXTENTS_PER_REGION;
	const uint32_t max_devices = max_regions * 9;

	inv->block_size = RANDOM_BLOCK_SIZE;
	inv->taken = random_next(r) >> 20;
	(void)str_copy(inv->auto_online, sizeof(inv->auto_online), "online_movable");
	inv->memdevs = random_array(4, sizeof(*inv->memdevs));
	inv->regions = random_array(max_regions, sizeof(*inv->regions));
	inv->extents = random_array(max_extents, sizeof(*inv->extents));
	inv->devices = random_array(max_devices, sizeof(*inv->devices));
	inv->mappings = random_array(max_extents, sizeof(*inv->mappings));
	inv->blocks = random_array(max_extents, sizeof(*inv->blocks));
	inv->holders = random_array((size_t)max_devices * RANDOM_HOLDERS_PER_DEVICE,
				    sizeof(*inv->holders));
	inv->nodes = random_array(3, sizeof(*inv->nodes));
	inv->hugepages = random_array(6, sizeof(*inv->hugepages));

	inv->n_memdevs = 1 + random_below(r, 4);
	for (uint32_t i = 0; i < inv->n_memdevs; i++) {
		(void)snprintf(inv->memdevs[i].name, DEV_NAME_MAX, "mem%u", i);
		inv->memdevs[i].serial = random_next(r);
	}
	inv->n_regions = random_below(r, max_regions + 1);
	for (uint32_t i = 0; i < inv->n_regions; i++)
		random_region(r, inv, i);
	inv->n_nodes = random_below(r, 4);
	for (uint32_t i = 0; i < inv->n_nodes; i++)
		inv->nodes[i] = (struct numa_node){
			.id = (int32_t)(inv->n_nodes - i),
			.total = GiB,
			.free = random_below(r, 1u << 30),
		};
	for (uint32_t i = 0; i < 2 * inv->n_nodes; i++) {
		struct huge_pages pool = {
			.node = inv->nodes[i / 2].id,
			.size = i % 2 ? GiB : 2 * MiB,
			.total = 1 + random_below(r, 100),
		};

		pool.free = random_below(r, (uint32_t)pool.total + 1);
		if (random_below(r, 2))
			inv->hugepages[inv->n_hugepages++] = pool;
	}
	/* Devices, regions and memdevs are pointed to by index and stay; the rest comes in any
	 * order. */
	random_shuffle(r, inv->extents, inv->n_extents, sizeof(*inv->extents));
	random_shuffle(r, inv->blocks, inv->n_blocks, sizeof(*inv->blocks));
	random_shuffle(r, inv->holders, inv->n_holders, sizeof(*inv->holders));
	random_shuffle(r, inv->hugepages, inv->n_hugepages, sizeof(*inv->hugepages));
	return inv;
}

static inline struct inventory *random_inventory(uint64_t seed)
{
	struct random_state r = { .state = seed };
	struct inventory *inv = random_inventory_raw(&r);
	int error = inventory_link(inv);

	if (error != 0)
		fail_msg("seed %llu: inventory_link() gives %d", (unsigned long long)seed, error);
	return inv;
}
