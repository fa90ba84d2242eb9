/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a snapshot's objects are made of: the tables behind its JSON. */
#include "snapshot/members.h"

static const char *mode_word(unsigned value)
{
	return dax_mode_to_string((enum dax_mode)value);
}

static const char *state_word(unsigned value)
{
	return block_state_to_string((enum block_state)value);
}

static const char *zone_word(unsigned value)
{
	return block_zone_to_string((enum block_zone)value);
}

static const char *inhibit_word(unsigned value)
{
	return inhibit_mode_to_string((enum inhibit_mode)value);
}

/* As the first words of the lines of /proc/pressure/memory. */
static const char *pressure_word(unsigned value)
{
	return value ? "full" : "some";
}

#define AT(object, field)                                                                          \
	.offset = offsetof(struct object, field), .size = sizeof(((struct object *)NULL)->field)
#define NEEDED(object, field, kind_of)                                                             \
	{                                                                                          \
		.name = #field, .type = kind_of, AT(object, field)                                 \
	}
#define OPTIONAL(object, field, kind_of)                                                           \
	{                                                                                          \
		.name = #field, .type = kind_of, .optional = true, AT(object, field)               \
	}
#define LIST(title)                                                                                \
	{                                                                                          \
		.name = title, .type = MEMBER_LIST, .optional = true                               \
	}

#define KIND(name, object)                                                                         \
	const struct kind kind_##name = { name##_members, ARRAY_SIZE(name##_members),              \
					  sizeof(struct object) }

static const struct member memdev_members[] = {
	NEEDED(memdev, name, MEMBER_NAME),
	OPTIONAL(memdev, serial, MEMBER_ADDRESS),
};
KIND(memdev, memdev);

static const struct member region_members[] = {
	NEEDED(region, name, MEMBER_NAME),	   NEEDED(region, memdev, MEMBER_MEMDEV),
	NEEDED(region, mode, MEMBER_WORD),	   OPTIONAL(region, decoder, MEMBER_WORD),
	OPTIONAL(region, dax_region, MEMBER_WORD), OPTIONAL(region, id, MEMBER_I32),
	NEEDED(region, hpa, MEMBER_RANGE),	   NEEDED(region, dpa, MEMBER_RANGE),
	OPTIONAL(region, available, MEMBER_U64),   OPTIONAL(region, error, MEMBER_ERRNO),
	OPTIONAL(region, error_path, MEMBER_TEXT),
};
KIND(region, region);

static const struct member extent_members[] = {
	NEEDED(extent, name, MEMBER_NAME),
	NEEDED(extent, region, MEMBER_REGION),
	NEEDED(extent, tag, MEMBER_TAG),
	NEEDED(extent, hpa, MEMBER_RANGE),
	NEEDED(extent, dpa, MEMBER_RANGE),
	OPTIONAL(extent, leftover, MEMBER_BOOL),
	OPTIONAL(extent, leftover_block, MEMBER_U64),
	OPTIONAL(extent, sharable, MEMBER_MAYBE),
};
KIND(extent, extent);

static const struct member device_members[] = {
	NEEDED(dax_device, name, MEMBER_NAME),
	NEEDED(dax_device, region, MEMBER_REGION),
	{ .name = "mode",
	  .type = MEMBER_WORDS,
	  .word = mode_word,
	  .n_words = _DAX_MODE_MAX,
	  AT(dax_device, mode) },
	OPTIONAL(dax_device, driver, MEMBER_WORD),
	OPTIONAL(dax_device, state, MEMBER_WORD),
	NEEDED(dax_device, tag, MEMBER_TAG),
	NEEDED(dax_device, size, MEMBER_U64),
	OPTIONAL(dax_device, align, MEMBER_U64),
	{ .name = "target_node", .type = MEMBER_I32, .min = -1, AT(dax_device, target_node) },
	OPTIONAL(dax_device, memmap_on_memory, MEMBER_MAYBE),
	OPTIONAL(dax_device, dev_major, MEMBER_U32),
	OPTIONAL(dax_device, dev_minor, MEMBER_U32),
	LIST("mappings"),
	LIST("blocks"),
	LIST("holders"),
};
KIND(device, dax_device);

static const struct member mapping_members[] = {
	NEEDED(mapping, hpa, MEMBER_RANGE),
	OPTIONAL(mapping, page_offset, MEMBER_ADDRESS),
};
KIND(mapping, mapping);

static const struct member block_members[] = {
	NEEDED(memory_block, number, MEMBER_U64),
	{ .name = "state",
	  .type = MEMBER_WORDS,
	  .word = state_word,
	  .n_words = _BLOCK_STATE_MAX,
	  AT(memory_block, state) },
	{ .name = "zone",
	  .type = MEMBER_WORDS,
	  .word = zone_word,
	  .n_words = _BLOCK_ZONE_MAX,
	  AT(memory_block, zone) },
	/* Where it is left out, and where the mappings do not cover the block, they tell. */
	OPTIONAL(memory_block, foreign, MEMBER_BOOL),
};
KIND(block, memory_block);

static const struct member holder_members[] = {
	{ .name = "pid", .type = MEMBER_I32, .min = 1, AT(holder, pid) },
	OPTIONAL(holder, start, MEMBER_U64),
	OPTIONAL(holder, open, MEMBER_BOOL),
	OPTIONAL(holder, mapped, MEMBER_BOOL),
	OPTIONAL(holder, mounted, MEMBER_BOOL),
	OPTIONAL(holder, comm, MEMBER_TEXT),
	OPTIONAL(holder, unit, MEMBER_TEXT),
	OPTIONAL(holder, cgroup, MEMBER_TEXT),
	OPTIONAL(holder, path, MEMBER_TEXT),
	OPTIONAL(holder, fstype, MEMBER_TEXT),
};
KIND(holder, holder);

static const struct member node_members[] = {
	NEEDED(numa_node, id, MEMBER_I32),
	NEEDED(numa_node, total, MEMBER_U64),
	NEEDED(numa_node, free, MEMBER_U64),
	OPTIONAL(numa_node, reclaimable, MEMBER_U64),
};
KIND(node, numa_node);

static const struct member huge_pages_members[] = {
	NEEDED(huge_pages, node, MEMBER_I32),
	NEEDED(huge_pages, size, MEMBER_U64),
	NEEDED(huge_pages, total, MEMBER_U64),
	NEEDED(huge_pages, free, MEMBER_U64),
};
KIND(huge_pages, huge_pages);

static const struct member document_members[] = {
	{ .name = "version", .type = MEMBER_OTHER },
	{ .name = "timezone", .type = MEMBER_OTHER, .optional = true },
	{ .name = "taken_usec", .type = MEMBER_TIME, .optional = true, AT(inventory, taken) },
	NEEDED(inventory, block_size, MEMBER_U64),
	OPTIONAL(inventory, auto_online, MEMBER_WORD),
	{ .name = "unseen_processes",
	  .type = MEMBER_U32,
	  .optional = true,
	  AT(inventory, n_unseen) },
	LIST("memdevs"),
	LIST("regions"),
	LIST("extents"),
	LIST("devices"),
	LIST("nodes"),
	LIST("huge_pages"),
	{ .name = "facts", .type = MEMBER_OTHER },
};
KIND(document, inventory);

static const struct member ceiling_members[] = {
	{ .name = "kind",
	  .type = MEMBER_SIDE,
	  .word = pressure_word,
	  .n_words = 2,
	  AT(pressure_ceiling, full) },
	{ .name = "limit", .type = MEMBER_PERCENT, AT(pressure_ceiling, permyriad) },
	{ .name = "exceeded_usec",
	  .type = MEMBER_TIME,
	  .optional = true,
	  AT(pressure_ceiling, exceeded) },
};
KIND(ceiling, pressure_ceiling);

static const struct member inhibitor_members[] = {
	OPTIONAL(inhibitor, id, MEMBER_U64),
	{ .name = "mode",
	  .type = MEMBER_WORDS,
	  .word = inhibit_word,
	  .n_words = _INHIBIT_MODE_MAX,
	  AT(inhibitor, mode) },
	NEEDED(inhibitor, scope, MEMBER_TEXT),
	NEEDED(inhibitor, who, MEMBER_TEXT),
	NEEDED(inhibitor, why, MEMBER_TEXT),
	OPTIONAL(inhibitor, uid, MEMBER_U32),
	OPTIONAL(inhibitor, pid, MEMBER_I32),
	{ .name = "since_usec", .type = MEMBER_TIME, AT(inhibitor, since) },
};
KIND(inhibitor, inhibitor);

static const struct member freed_members[] = {
	{ .name = "when_usec", .type = MEMBER_TIME, AT(freed, when) },
	NEEDED(freed, memdev, MEMBER_NAME),
	NEEDED(freed, bytes, MEMBER_U64),
	OPTIONAL(freed, more, MEMBER_U32),
};
KIND(freed, freed);

static const struct member leaving_members[] = {
	NEEDED(group_key, memdev, MEMBER_NAME),
	NEEDED(group_key, tag, MEMBER_TAG),
	OPTIONAL(group_key, dpa, MEMBER_RANGE),
};
KIND(leaving, group_key);

static const struct member facts_members[] = {
	{ .name = "now_usec", .type = MEMBER_TIME, AT(policy_facts, now) },
	{ .name = "realtime_usec", .type = MEMBER_TIME, AT(policy_facts, realtime) },
	OPTIONAL(policy_facts, pressure_known, MEMBER_BOOL),
	OPTIONAL(policy_facts, pressure_some, MEMBER_PERCENT),
	OPTIONAL(policy_facts, pressure_full, MEMBER_PERCENT),
	OPTIONAL(policy_facts, own_pid, MEMBER_I32),
	LIST("ceilings"),
	LIST("inhibitors"),
	LIST("freed"),
	LIST("leaving"),
};
KIND(facts, policy_facts);
