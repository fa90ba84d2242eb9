/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host made by hand, for the tests of links and lookups: not linked yet, in the wrong order. */
#pragma once

#include "random_inventory.h"

#define TAG_A "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define TAG_B "11111111-2222-3333-4444-555555555555"
#define HPA UINT64_C(0xa90000000)
#define DPA UINT64_C(0x100000000)

/*
 * mem0 with region0 of 4 GiB: tag A = 256 MiB at 0 and 128 MiB at 512 MiB, claimed by dax0.2; tag
 * B = 256 MiB at 256 MiB between them, claimed by dax0.10; untagged 64 MiB at 1 GiB claimed by
 * dax0.3, and 64 MiB right behind it, free. mem1 with region1, empty.
 */
static inline struct tag tag(const char *s)
{
	struct tag t;

	assert_int_equal(tag_parse(s, &t), 0);
	return t;
}

static inline void put_extent(struct inventory *inv, const char *name, const char *uuid,
			      uint64_t offset, uint64_t length)
{
	struct extent *e = &inv->extents[inv->n_extents++];

	(void)str_copy(e->name, sizeof(e->name), name);
	if (uuid)
		e->tag = tag(uuid);
	e->hpa = (struct range){ HPA + offset, length };
	e->dpa = (struct range){ DPA + offset, length };
}

static inline uint32_t put_device(struct inventory *inv, const char *name, const char *uuid)
{
	struct dax_device *d = &inv->devices[inv->n_devices];

	(void)str_copy(d->name, sizeof(d->name), name);
	if (uuid)
		d->tag = tag(uuid);
	d->first_mapping = inv->n_mappings;
	return inv->n_devices++;
}

static inline void put_mapping(struct inventory *inv, uint64_t offset, uint64_t length)
{
	struct dax_device *d = &inv->devices[inv->n_devices - 1];

	inv->mappings[inv->n_mappings++].hpa = (struct range){ HPA + offset, length };
	d->n_mappings++;
	d->size += length;
}

static inline void put_block(struct inventory *inv, uint64_t number, uint32_t device)
{
	inv->blocks[inv->n_blocks++] = (struct memory_block){
		.number = number,
		.state = BLOCK_ONLINE,
		.zone = ZONE_MOVABLE,
		.device = device,
	};
}

static inline struct inventory *make_inventory(void)
{
	struct inventory *inv = random_array(1, sizeof(*inv));
	uint32_t a, b;

	inv->block_size = 128 * MiB;
	inv->memdevs = random_array(2, sizeof(*inv->memdevs));
	inv->regions = random_array(2, sizeof(*inv->regions));
	inv->extents = random_array(8, sizeof(*inv->extents));
	inv->devices = random_array(4, sizeof(*inv->devices));
	inv->mappings = random_array(8, sizeof(*inv->mappings));
	inv->blocks = random_array(16, sizeof(*inv->blocks));
	inv->holders = random_array(4, sizeof(*inv->holders));

	/* Against the order they must end in. */
	inv->n_memdevs = 2;
	(void)str_copy(inv->memdevs[0].name, DEV_NAME_MAX, "mem1");
	(void)str_copy(inv->memdevs[1].name, DEV_NAME_MAX, "mem0");
	inv->n_regions = 2;
	inv->regions[0] = (struct region){
		.name = "region1",
		.memdev = 0,
		.hpa = { HPA + 4 * GiB, 4 * GiB },
		.dpa = { 0, 4 * GiB },
	};
	inv->regions[1] = (struct region){
		.name = "region0",
		.memdev = 1,
		.hpa = { HPA, 4 * GiB },
		.dpa = { DPA, 4 * GiB },
	};

	put_extent(inv, "extent0.2", TAG_A, 512 * MiB, 128 * MiB);
	put_extent(inv, "extent0.4", NULL, GiB + 64 * MiB, 64 * MiB);
	put_extent(inv, "extent0.3", TAG_B, 256 * MiB, 256 * MiB);
	put_extent(inv, "extent0.1", TAG_A, 0, 256 * MiB);
	put_extent(inv, "extent0.5", NULL, GiB, 64 * MiB);
	for (uint32_t i = 0; i < inv->n_extents; i++)
		inv->extents[i].region = 1;

	b = put_device(inv, "dax0.10", TAG_B);
	put_mapping(inv, 256 * MiB, 256 * MiB);
	a = put_device(inv, "dax0.2", TAG_A);
	put_mapping(inv, 512 * MiB, 128 * MiB);
	put_mapping(inv, 0, 256 * MiB);
	(void)put_device(inv, "dax0.3", NULL);
	put_mapping(inv, GiB, 64 * MiB);
	for (uint32_t i = 0; i < inv->n_devices; i++)
		inv->devices[i].region = 1;

	put_block(inv, 342, a);
	put_block(inv, 341, b);
	put_block(inv, 338, a);
	put_block(inv, 340, b);
	put_block(inv, 339, a);
	inv->holders[inv->n_holders++] = (struct holder){ .device = a, .pid = 7 };
	inv->holders[inv->n_holders++] = (struct holder){ .device = b, .pid = 9 };
	inv->holders[inv->n_holders++] = (struct holder){ .device = a, .pid = 3 };
	return inv;
}

static inline int setup(void **state)
{
	*state = make_inventory();
	return 0;
}

static inline int teardown(void **state)
{
	inventory_free(*state);
	return 0;
}
