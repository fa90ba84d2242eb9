/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small hosts described in a few letters, for the tests of policy_decide(): what is claimed, in
 * which mode, which blocks are online where, who holds it, and what the nodes have free.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dcdd/policy.h>

#define BLOCK (128 * MiB)
#define BASE UINT64_C(0x100000000) /* HPA of region0; its DPA begins at 0 */
#define DEVICES 3
#define STRIDE (8 * BLOCK)
#define TAG "5be13bce-0000-4000-8000-00000000000a"
#define OTHER_TAG "ffffffff-0000-0000-0000-000000000000"
#define SERIAL 4711

/* When the decisions are made. */
#define NOW (100000 * USEC_PER_SEC)
#define WALL (UINT64_C(1795435200) * USEC_PER_SEC) /* Monday, 2026-11-23 12:00:00 UTC */
#define OWN_PID 4242

/*
 * A host of up to DEVICES devices that claim one tag group. Device i has two extents, at
 * i * STRIDE two blocks long, and behind a gap one more block: blocks 0, 1 and 4 of its stride.
 * An extent of another tag lies behind the last of them, in blocks 6 and 7; a device of its own,
 * dax0.9, may claim that.
 */
struct host {
	struct inventory inv;
	struct tag_group group;
	struct memdev memdevs[1];
	struct region regions[2];
	struct extent extents[2 * DEVICES + 1];
	struct dax_device devices[DEVICES + 1];
	struct mapping mappings[3 * DEVICES + 1];
	struct memory_block blocks[3 * DEVICES + 2];
	struct holder holders[3 * DEVICES];
	struct numa_node nodes[4];
	struct huge_pages huge[4];
};

enum {
	UNTAGGED = 1 << 0,	/* the extents have no tag */
	OUTSIDE = 1 << 1,	/* the last device also claims the other tag's extent */
	MERGED = 1 << 2,	/* its first mapping spans its extent and what follows */
	CUT = 1 << 3,		/* its second mapping was not seen */
	NO_BLOCK_SIZE = 1 << 4, /* the host's block size could not be read */
	ONE_CLAIMS = 1 << 5,	/* only the first extent is claimed; the device is this long */
	WRAPS = 1 << 6,		/* its first mapping runs over the end of the address space */
	NO_MEMDEV = 1 << 7,	/* the region's device is not known */
	UNSEEN = 1 << 8,	/* two processes could not be looked into */
	LEFTOVER = 1 << 9,	/* a block below its first extent is in use without a device */
	BROKEN = 1 << 10,	/* something of the region could not be read */
	SHARABLE = 1 << 11,	/* its extents may be shared with other hosts */
	NOT_SHARABLE = 1 << 12, /* they may not; with neither of the two it is not known */
	PARTITION_A = 1 << 13,	/* the region's mode is an older kernel's dynamic_ram_a, not _1 */
	NO_PARTITION = 1 << 14, /* the region's mode does not say which partition it is over */
	NO_PSI = 1 << 15,	/* the host cannot tell its memory pressure */
	MEMMAP = 1 << 16,	/* the devices have their page array in themselves */
	NO_NODES = 1 << 17,	/* what the nodes have could not be read */
	OTHER_BROKEN = 1 << 18, /* the other tag is in a region of its own, not all of it read */
};

/* What is to become of one condition. */
struct want {
	char outcome; /* m met (also if nothing is given), w wait, r refuse, * any */
	const char *measured, *limit, *text; /* parts of them, NULL: any */
	usec_t deadline, again, again_wall;  /* 0: any */
};

#define WAITS(...)                                                                                 \
	{                                                                                          \
		.outcome = 'w', __VA_ARGS__                                                        \
	}
#define REFUSES(...)                                                                               \
	{                                                                                          \
		.outcome = 'r', __VA_ARGS__                                                        \
	}
#define ANY                                                                                        \
	{                                                                                          \
		.outcome = '*'                                                                     \
	}

struct test_case {
	const char *name;
	const char *conf;
	/* One letter a device: s system-ram, d devdax, f fsdev, u unbound, o other. */
	const char *modes;
	/*
	 * One letter a block: m online movable, k online in a kernel zone, o offline, g going
	 * offline, ? unknown state, n online in no one zone, z online in an unknown zone; in
	 * capitals F foreign and online, O foreign and offline, K foreign and in a kernel zone.
	 */
	const char *blocks[DEVICES];
	int node[DEVICES]; /* target node, 0: node 1 */
	const char *other; /* blocks of dax0.9, NULL: there is none */
	int other_node;	   /* 0: node 1 */
	struct holder holders[3];
	struct numa_node nodes[4]; /* none: room for everything */
	struct huge_pages huge[4];
	unsigned flags;
	struct policy_facts facts; /* times of 0: NOW and WALL */
	struct policy_request request;

	enum verdict verdict;
	const char *rule;   /* NULL: "default" */
	const char *reason; /* a part of it */
	struct want want[_CONDITION_MAX];
	bool terminate;
};

static inline void add_block(struct host *host, struct dax_device *device, uint64_t number,
			     char letter)
{
	static const struct {
		char letter;
		enum block_state state;
		enum block_zone zone;
		bool foreign;
	} kinds[] = {
		{ 'm', BLOCK_ONLINE, ZONE_MOVABLE, false },
		{ 'k', BLOCK_ONLINE, ZONE_KERNEL, false },
		{ 'o', BLOCK_OFFLINE, ZONE_NONE, false },
		{ 'g', BLOCK_GOING_OFFLINE, ZONE_NONE, false },
		{ '?', BLOCK_UNKNOWN, ZONE_UNKNOWN, false },
		{ 'n', BLOCK_ONLINE, ZONE_NONE, false },
		{ 'z', BLOCK_ONLINE, ZONE_UNKNOWN, false },
		{ 'F', BLOCK_ONLINE, ZONE_MOVABLE, true },
		{ 'O', BLOCK_OFFLINE, ZONE_NONE, true },
		{ 'K', BLOCK_ONLINE, ZONE_KERNEL, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].letter == letter) {
			host->blocks[host->inv.n_blocks++] = (struct memory_block){
				.number = number,
				.state = kinds[i].state,
				.zone = kinds[i].zone,
				.foreign = kinds[i].foreign,
				.device = (uint32_t)(device - host->devices),
			};
			device->n_blocks++;
			return;
		}
	fail_msg("no such block: %c", letter);
}

static inline void add_mapping(struct host *host, struct dax_device *device, uint64_t start,
			       uint64_t length)
{
	host->mappings[host->inv.n_mappings++].hpa = (struct range){ .start = start,
								     .length = length };
	device->n_mappings++;
	device->size += length;
}

static inline void add_extent(struct host *host, const struct tag *tag, uint64_t offset,
			      uint64_t length, uint32_t device, unsigned flags)
{
	struct extent *extent = &host->extents[host->inv.n_extents++];

	*extent = (struct extent){
		.device = device,
		.tag = *tag,
		.hpa = { .start = BASE + offset, .length = length },
		.dpa = { .start = offset, .length = length },
		.sharable = flags & SHARABLE	   ? 1
			    : flags & NOT_SHARABLE ? 0
						   : -1,
	};
	snprintf(extent->name, sizeof(extent->name), "extent0.%u", host->inv.n_extents);
}

static inline enum dax_mode letter_mode(char letter)
{
	static const char letters[] = "usdfo"; /* in the order of enum dax_mode */
	const char *at = strchr(letters, letter);

	if (!letter || !at)
		fail_msg("no such mode: %c", letter);
	return at ? (enum dax_mode)(at - letters) : _DAX_MODE_MAX;
}

/* A device without anything yet. */
static inline struct dax_device *begin_device(struct host *host, enum dax_mode mode, int node,
					      unsigned number, unsigned flags)
{
	static const char *const drivers[_DAX_MODE_MAX] = { "", "kmem", "device_dax", "fsdev_dax",
							    "shiny_dax" };
	struct dax_device *device = &host->devices[host->inv.n_devices++];

	*device = (struct dax_device){
		.mode = mode,
		.target_node = node ? node : 1,
		.align = 2 * MiB,
		.memmap_on_memory = flags & MEMMAP ? 1 : 0,
		.first_mapping = host->inv.n_mappings,
		.first_block = host->inv.n_blocks,
		.first_holder = host->inv.n_holders,
	};
	snprintf(device->name, sizeof(device->name), "dax0.%u", number);
	(void)str_copy(device->driver, sizeof(device->driver), drivers[mode]);
	return device;
}

static inline void add_device(struct host *host, const struct test_case *c, uint32_t i)
{
	struct dax_device *device = begin_device(host, letter_mode(c->modes[i]), c->node[i], i + 1,
						 c->flags);
	const char *blocks = c->blocks[i] ? c->blocks[i] : "";
	uint64_t offset = i * STRIDE, first = (BASE + offset) / BLOCK;

	device->tag = host->extents[0].tag;
	/* MERGED: with the gap behind, which no extent covers; it has to be seen at its start. */
	add_mapping(host, device, BASE + offset, (c->flags & MERGED ? 4 : 2) * BLOCK);
	if (!(c->flags & ONE_CLAIMS))
		add_mapping(host, device, BASE + offset + 4 * BLOCK, BLOCK);
	if (c->flags & OUTSIDE && !c->modes[i + 1])
		add_mapping(host, device, BASE + offset + 6 * BLOCK, 2 * BLOCK);
	if (c->flags & CUT) {
		device->n_mappings--;
		host->inv.n_mappings--;
	}
	if (c->flags & WRAPS)
		host->mappings[device->first_mapping].hpa.length = UINT64_MAX;
	for (uint32_t b = 0; blocks[b]; b++)
		add_block(host, device, first + (b < 2 ? b : b + 2), blocks[b]);
	for (size_t h = 0; h < ARRAY_SIZE(c->holders); h++)
		if (c->holders[h].pid && c->holders[h].device == i) {
			host->holders[host->inv.n_holders++] = c->holders[h];
			device->n_holders++;
		}
}

/* dax0.9, which claims the extent of the other tag. */
static inline void add_other(struct host *host, const struct test_case *c, uint64_t offset)
{
	struct dax_device *device = begin_device(host, DAX_MODE_SYSTEM_RAM, c->other_node, 9,
						 c->flags);

	device->tag = host->extents[host->inv.n_extents - 1].tag;
	add_mapping(host, device, BASE + offset, 2 * BLOCK);
	for (uint32_t b = 0; b < 2 && c->other[b]; b++)
		add_block(host, device, (BASE + offset) / BLOCK + b, c->other[b]);
}

static inline void build_region(const struct test_case *c, struct host *host)
{
	struct region *region = &host->regions[0];

	(void)str_copy(host->memdevs[0].name, sizeof(host->memdevs[0].name), "mem0");
	host->memdevs[0].serial = SERIAL;
	(void)str_copy(region->name, sizeof(region->name), "region0");
	(void)str_copy(region->dax_region, sizeof(region->dax_region), "dax_region0");
	(void)str_copy(region->mode, sizeof(region->mode),
		       c->flags & PARTITION_A	 ? "dynamic_ram_a"
		       : c->flags & NO_PARTITION ? "dynamic_ram"
						 : "dynamic_ram_2");
	region->memdev = c->flags & NO_MEMDEV ? INVENTORY_NONE : 0;
	if (c->flags & BROKEN) {
		region->error = -EIO;
		(void)str_copy(region->error_path, INVENTORY_PATH_MAX,
			       "bus/cxl/devices/dax_region0/dax0.7/size");
	}
}

static inline void build_nodes(const struct test_case *c, struct host *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->nodes) && c->nodes[i].total; i++)
		host->nodes[host->inv.n_nodes++] = c->nodes[i];
	if (host->inv.n_nodes > 0 || c->flags & NO_NODES)
		return;
	for (int i = 0; i < 4; i++)
		host->nodes[host->inv.n_nodes++] = (struct numa_node){
			.id = i,
			.total = i ? 12 * BLOCK : 64 * GiB,
			.free = i ? 12 * BLOCK : 32 * GiB,
		};
}

/* The last extent, and the device that claims it, are in a region that could not be read whole. */
static inline void split_region(struct host *host)
{
	struct region *first = &host->regions[0], *second = &host->regions[host->inv.n_regions++];

	*second = *first;
	(void)str_copy(second->name, sizeof(second->name), "region1");
	(void)str_copy(second->dax_region, sizeof(second->dax_region), "dax_region1");
	second->error = -EIO;
	(void)str_copy(second->error_path, INVENTORY_PATH_MAX,
		       "bus/cxl/devices/dax_region1/dax1.7/size");
	second->n_extents = second->n_devices = 1;
	second->first_extent = --first->n_extents;
	second->first_device = --first->n_devices;
	host->extents[second->first_extent].region = 1;
	host->devices[second->first_device].region = 1;
}

static inline void host_build(const struct test_case *c, struct host *ret)
{
	struct tag tag = { 0 }, other;
	const uint32_t n = (uint32_t)strlen(c->modes);
	const uint64_t behind = (MAX(n, 1u) - 1) * STRIDE + 6 * BLOCK;
	struct inventory *inv = &ret->inv;

	*ret = (struct host){ 0 };
	if (!(c->flags & UNTAGGED))
		assert_int_equal(tag_parse(TAG, &tag), 0);
	assert_int_equal(tag_parse(OTHER_TAG, &other), 0);
	inv->block_size = c->flags & NO_BLOCK_SIZE ? 0 : BLOCK;
	inv->n_unseen = c->flags & UNSEEN ? 2 : 0;
	build_region(c, ret);
	for (uint32_t i = 0; i < MAX(n, 1u); i++) {
		uint32_t device = i < n ? i : INVENTORY_NONE;

		add_extent(ret, &tag, i * STRIDE, 2 * BLOCK, device, c->flags);
		add_extent(ret, &tag, i * STRIDE + 4 * BLOCK, BLOCK,
			   c->flags & ONE_CLAIMS ? INVENTORY_NONE : device, c->flags);
	}
	ret->group.n_extents = inv->n_extents;
	add_extent(ret, &other, behind, 2 * BLOCK,
		   c->other		? n
		   : c->flags & OUTSIDE ? n - 1
					: INVENTORY_NONE,
		   0);
	for (uint32_t i = 0; i < n; i++)
		add_device(ret, c, i);
	if (c->other)
		add_other(ret, c, behind);
	build_nodes(c, ret);
	for (size_t i = 0; i < ARRAY_SIZE(c->huge) && c->huge[i].total; i++)
		ret->huge[inv->n_hugepages++] = c->huge[i];
	ret->regions[0].n_extents = inv->n_extents;
	ret->regions[0].n_devices = inv->n_devices;
	inv->n_memdevs = inv->n_regions = 1;
	if (c->flags & OTHER_BROKEN)
		split_region(ret);

	/* As a scan leaves them: an array without elements is NULL. */
	inv->memdevs = ret->memdevs;
	inv->regions = ret->regions;
	inv->extents = ret->extents;
	inv->devices = inv->n_devices ? ret->devices : NULL;
	inv->mappings = inv->n_mappings ? ret->mappings : NULL;
	inv->blocks = inv->n_blocks ? ret->blocks : NULL;
	inv->holders = inv->n_holders ? ret->holders : NULL;
	inv->nodes = inv->n_nodes ? ret->nodes : NULL;
	inv->hugepages = inv->n_hugepages ? ret->huge : NULL;
	if (c->flags & LEFTOVER) {
		inv->extents[0].leftover = true;
		inv->extents[0].leftover_block = 4711;
	}
}

/* The facts of a case, completed. */
static inline struct policy_facts case_facts(const struct test_case *c)
{
	struct policy_facts facts = c->facts;

	facts.now = facts.now ? facts.now : NOW;
	facts.realtime = facts.realtime ? facts.realtime : WALL;
	facts.pressure_known = !(c->flags & NO_PSI);
	facts.own_pid = OWN_PID;
	return facts;
}

static inline void parse(const char *conf, struct policy *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *error = NULL;

	policy_init(ret);
	if (!conf)
		return;
	f = fmemopen((void *)(uintptr_t)conf, strlen(conf), "r");
	assert_non_null(f);
	if (policy_parse("conf", f, ret, &error) < 0)
		fail_msg("%s\nfor\n%s", error ? error : "?", conf);
}

#define NODE(id_, total_, free_, reclaimable_)                                                     \
	{                                                                                          \
		.id = (id_), .total = (total_), .free = (free_), .reclaimable = (reclaimable_)     \
	}
#define ALL_FREE "[release]\ndevdax = free\nfsdev = free\nunbound = free\n"
#define NO_HEADROOM "[release]\nheadroom = 0\nheadroom-percent = 0%\n"
#define ONLY_BYTES(size) "[release]\nheadroom = " size "\nheadroom-percent = 0%\n"
