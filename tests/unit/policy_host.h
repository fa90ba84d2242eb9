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

/*
 * A host of up to DEVICES devices that claim one tag group. Device i has two extents, at
 * i * STRIDE two blocks long, and behind a gap one more block: blocks 0, 1 and 4 of its stride.
 * An extent of another tag lies behind each of them, in blocks 6 and 7.
 */
struct host {
	struct inventory inv;
	struct tag_group group;
	struct memdev memdevs[1];
	struct region regions[1];
	struct extent extents[3 * DEVICES];
	struct dax_device devices[DEVICES];
	struct mapping mappings[3 * DEVICES];
	struct memory_block blocks[3 * DEVICES];
	struct holder holders[3 * DEVICES];
	struct numa_node nodes[4];
};

enum {
	UNTAGGED = 1 << 0, /* the extents have no tag */
	OUTSIDE = 1 << 1,  /* the last device also claims the other tag's extent */
	MERGED = 1 << 2, /* its first mapping spans its extent and what follows, see host_build() */
	CUT = 1 << 3,	 /* its second mapping was not seen */
	NO_BLOCK_SIZE = 1 << 4, /* the host's block size could not be read */
	UNSEEN = 1 << 12,	/* two processes could not be looked into */
	LEFTOVER = 1 << 13,	/* a block below its first extent is in use without a device */
	ONE_CLAIMS = 1 << 5,	/* only the first extent is claimed; the device is this long */
	WRAPS = 1 << 6,		/* its first mapping runs over the end of the address space */
	NO_MEMDEV = 1 << 7,	/* the region's device is not known */
	BROKEN = 1 << 14,	/* something of the region could not be read */
};

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
	struct holder holders[3];
	struct numa_node nodes[4];
	unsigned flags;
	enum verdict verdict;
	const char *rule;
	const char *reason;
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
			      uint64_t length, uint32_t device)
{
	struct extent *extent = &host->extents[host->inv.n_extents++];

	*extent = (struct extent){
		.device = device,
		.tag = *tag,
		.hpa = { .start = BASE + offset, .length = length },
		.dpa = { .start = offset, .length = length },
	};
	snprintf(extent->name, sizeof(extent->name), "extent0.%u", host->inv.n_extents);
}

static inline enum dax_mode letter_mode(char letter)
{
	switch (letter) {
	case 's':
		return DAX_MODE_SYSTEM_RAM;
	case 'd':
		return DAX_MODE_DEVDAX;
	case 'f':
		return DAX_MODE_FSDEV;
	case 'u':
		return DAX_MODE_UNBOUND;
	case 'o':
		return DAX_MODE_OTHER;
	default:
		fail_msg("no such mode: %c", letter);
		return _DAX_MODE_MAX;
	}
}

static inline void add_device(struct host *host, const struct test_case *c, uint32_t i)
{
	static const char *const drivers[_DAX_MODE_MAX] = { "", "kmem", "device_dax", "fsdev_dax",
							    "shiny_dax" };
	struct dax_device *device = &host->devices[host->inv.n_devices++];
	const char *blocks = c->blocks[i] ? c->blocks[i] : "";
	uint64_t offset = i * STRIDE, first = (BASE + offset) / BLOCK;

	*device = (struct dax_device){
		.mode = letter_mode(c->modes[i]),
		.target_node = c->node[i] ? c->node[i] : 1,
		.first_mapping = host->inv.n_mappings,
		.first_block = host->inv.n_blocks,
		.first_holder = host->inv.n_holders,
	};
	snprintf(device->name, sizeof(device->name), "dax0.%u", i + 1);
	(void)str_copy(device->driver, sizeof(device->driver), drivers[device->mode]);
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

static inline void host_build(const struct test_case *c, struct host *ret)
{
	struct tag tag = { 0 }, other;
	size_t n = strlen(c->modes);
	struct inventory *inv = &ret->inv;

	*ret = (struct host){ 0 };
	if (!(c->flags & UNTAGGED))
		assert_int_equal(tag_parse(TAG, &tag), 0);
	assert_int_equal(tag_parse("ffffffff-0000-0000-0000-000000000000", &other), 0);
	inv->block_size = c->flags & NO_BLOCK_SIZE ? 0 : BLOCK;
	inv->n_unseen = c->flags & UNSEEN ? 2 : 0;
	(void)str_copy(ret->memdevs[0].name, sizeof(ret->memdevs[0].name), "mem0");
	(void)str_copy(ret->regions[0].name, sizeof(ret->regions[0].name), "region0");
	ret->regions[0].memdev = c->flags & NO_MEMDEV ? INVENTORY_NONE : 0;
	if (c->flags & BROKEN) {
		ret->regions[0].error = -EIO;
		(void)str_copy(ret->regions[0].error_path, INVENTORY_PATH_MAX,
			       "bus/cxl/devices/dax_region0/dax0.7/size");
	}
	for (uint32_t i = 0; i < MAX(n, (size_t)1); i++) {
		uint32_t device = i < n ? i : INVENTORY_NONE;

		add_extent(ret, &tag, i * STRIDE, 2 * BLOCK, device);
		add_extent(ret, &tag, i * STRIDE + 4 * BLOCK, BLOCK,
			   c->flags & ONE_CLAIMS ? INVENTORY_NONE : device);
	}
	ret->group.n_extents = inv->n_extents;
	add_extent(ret, &other, (MAX(n, (size_t)1) - 1) * STRIDE + 6 * BLOCK, 2 * BLOCK,
		   c->flags & OUTSIDE ? (uint32_t)n - 1 : INVENTORY_NONE);
	for (uint32_t i = 0; i < n; i++)
		add_device(ret, c, i);
	for (size_t i = 0; i < ARRAY_SIZE(c->nodes) && c->nodes[i].total; i++)
		ret->nodes[inv->n_nodes++] = c->nodes[i];
	ret->regions[0].n_extents = inv->n_extents;
	ret->regions[0].n_devices = inv->n_devices;

	/* As a scan leaves them: an array without elements is NULL. */
	inv->n_memdevs = inv->n_regions = 1;
	inv->memdevs = ret->memdevs;
	inv->regions = ret->regions;
	inv->extents = ret->extents;
	inv->devices = inv->n_devices ? ret->devices : NULL;
	inv->mappings = inv->n_mappings ? ret->mappings : NULL;
	inv->blocks = inv->n_blocks ? ret->blocks : NULL;
	inv->holders = inv->n_holders ? ret->holders : NULL;
	inv->nodes = inv->n_nodes ? ret->nodes : NULL;
	if (c->flags & LEFTOVER) {
		inv->extents[0].leftover = true;
		inv->extents[0].leftover_block = 4711;
	}
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
		fail_msg("%s", error);
}

#define NODE(id_, total_, free_, reclaimable_)                                                     \
	{                                                                                          \
		.id = (id_), .total = (total_), .free = (free_), .reclaimable = (reclaimable_)     \
	}
#define ALL_FREE "[release]\ndevdax = free\nfsdev = free\nunbound = free\n"
#define NO_HEADROOM "[release]\nheadroom = 0\nheadroom-percent = 0%\n"
#define ONLY_BYTES(size) "[release]\nheadroom = " size "\nheadroom-percent = 0%\n"

static inline void assert_reason_is_sentence(const char *reason)
{
	size_t n = strnlen(reason, DECISION_REASON_MAX);

	assert_true(n >= 10 && n <= DECISION_REASON_MAX - 2); /* neither empty nor cut */
	assert_int_not_equal(reason[n - 1], '.');
	for (size_t i = 0; i < n; i++)
		assert_true(reason[i] >= 0x20 && reason[i] <= 0x7e);
}

/* Decides each case and compares. */
static inline void run_cases(const struct test_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct test_case *c = &cases[i];
		const char *rule = c->rule ? c->rule : "default";
		struct decision decision;
		struct policy policy;
		struct host host;

		host_build(c, &host);
		parse(c->conf, &policy);
		policy_decide(&host.inv, &host.group, &policy, &decision);
		if (decision.verdict != c->verdict || !streq(decision.rule, rule) ||
		    (c->reason && !strstr(decision.reason, c->reason)))
			fail_msg("%s:\ngot %s by %s: %s\nnot %s by %s: %s", c->name,
				 verdict_to_string(decision.verdict), decision.rule,
				 decision.reason, verdict_to_string(c->verdict), rule,
				 c->reason ? c->reason : "");
		assert_reason_is_sentence(decision.reason);
		policy_done(&policy);
	}
}
