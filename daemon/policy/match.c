/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices are concerned, and which rule of the configuration applies to them. */
#include <fnmatch.h>

#include "decide.h"
#include "parse_value.h"

const struct dax_device *group_next_device(const struct inventory *inv,
					   const struct tag_group *group, uint32_t *cursor)
{
	uint32_t lowest = INVENTORY_NONE;

	/* *@cursor: devices below this index are done. */
	for (uint32_t i = 0; i < group->n_extents; i++) {
		uint32_t device = inv->extents[group->first_extent + i].device;

		if (device >= *cursor && device < lowest)
			lowest = device;
	}
	if (lowest == INVENTORY_NONE)
		return NULL;
	*cursor = lowest + 1;
	return &inv->devices[lowest];
}

char *group_tag_text(const struct inventory *inv, const struct tag_group *group,
		     char buf[static TAG_STRLEN + 1])
{
	static const struct tag null_tag;

	return tag_format(group->n_extents ? &inv->extents[group->first_extent].tag : &null_tag,
			  buf);
}

bool list_matches(const char *list, bool (*matches)(const char *word, const void *arg),
		  const void *arg)
{
	static const char separators[] = " \t,";
	char word[RULE_TEXT_MAX];

	for (;;) {
		size_t n;

		list += strspn(list, separators);
		if (!*list)
			return false;
		n = strcspn(list, separators);
		if (n < sizeof(word)) {
			memcpy(word, list, n);
			word[n] = '\0';
			if (matches(word, arg))
				return true;
		}
		list += n;
	}
}

static bool name_matches(const char *pattern, const void *name)
{
	return fnmatch(pattern, name, 0) == 0;
}

static bool tag_matches(const char *pattern, const void *tag)
{
	return fnmatch(pattern, tag, FNM_CASEFOLD) == 0;
}

static bool memdev_matches(const char *word, const void *arg)
{
	const struct memdev *memdev = arg;
	uint64_t serial;

	if (parse_serial(word, &serial) == 0)
		return serial == memdev->serial;
	return name_matches(word, memdev->name);
}

/* Every device is on one of the nodes; a group without a device is on none. */
static bool nodes_match(const struct inventory *inv, const struct tag_group *group,
			const struct policy_rule *rule)
{
	const struct dax_device *device;
	uint32_t cursor = 0;
	bool any = false;

	while ((device = group_next_device(inv, group, &cursor))) {
		bool found = false;

		for (unsigned i = 0; i < rule->n_nodes && !found; i++)
			found = rule->nodes[i] == device->target_node;
		if (!found)
			return false;
		any = true;
	}
	return any;
}

/* Every device is in one of the modes; a group without a device is unclaimed. */
static bool modes_match(const struct inventory *inv, const struct tag_group *group, unsigned modes)
{
	const struct dax_device *device;
	uint32_t cursor = 0;

	device = group_next_device(inv, group, &cursor);
	if (!device)
		return modes & 1u << MODE_UNCLAIMED;
	for (; device; device = group_next_device(inv, group, &cursor))
		if (!(modes & 1u << device->mode))
			return false;
	return true;
}

static bool partition_matches(const struct region *region, unsigned partitions)
{
	unsigned partition = region_partition(region);

	return partition < 8 * sizeof(partitions) && partitions & 1u << partition;
}

/* One that may be shared for all we know counts as shared: who keeps those keeps it. */
static bool sharable_matches(const struct inventory *inv, const struct tag_group *group, int wanted)
{
	int sharable = tag_group_sharable(inv, group);

	return wanted ? sharable != 0 : sharable == 0;
}

static bool in_bounds(const struct bounds *bounds, uint64_t value)
{
	return value >= bounds->min && value <= bounds->max;
}

static bool rule_matches(const struct inventory *inv, const struct tag_group *group,
			 const struct policy_rule *rule, enum origin origin)
{
	const struct region *region = &inv->regions[group->region];
	char tag[TAG_STRLEN + 1];

	if (rule->origin >= 0 && rule->origin != (int)origin)
		return false;
	if (*rule->memdevs &&
	    (region->memdev == INVENTORY_NONE ||
	     !list_matches(rule->memdevs, memdev_matches, &inv->memdevs[region->memdev])))
		return false;
	if (*rule->regions && !list_matches(rule->regions, name_matches, region->name))
		return false;
	if (*rule->tags && !list_matches(rule->tags, tag_matches, group_tag_text(inv, group, tag)))
		return false;
	if (rule->partitions && !partition_matches(region, rule->partitions))
		return false;
	if (rule->sharable >= 0 && !sharable_matches(inv, group, rule->sharable))
		return false;
	if (!in_bounds(&rule->extents, group->n_extents) ||
	    !in_bounds(&rule->size, tag_group_bytes(inv, group)))
		return false;
	if (rule->modes && !modes_match(inv, group, rule->modes))
		return false;
	return rule->n_nodes == 0 || nodes_match(inv, group, rule);
}

const struct policy_rule *policy_match(const struct inventory *inv, const struct tag_group *group,
				       const struct policy *policy, enum origin origin)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (rule_matches(inv, group, &policy->rules[i], origin))
			return &policy->rules[i];
	return NULL;
}
