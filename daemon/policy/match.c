/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices are concerned, and which rule of the configuration applies to them. */
#include <fnmatch.h>

#include "decide.h"

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

/* Every device is in the mode; a group without a device is in none. */
static bool mode_matches(const struct inventory *inv, const struct tag_group *group, int mode)
{
	const struct dax_device *device;
	uint32_t cursor = 0;
	bool any = false;

	while ((device = group_next_device(inv, group, &cursor))) {
		if ((int)device->mode != mode)
			return false;
		any = true;
	}
	return any;
}

static bool rule_matches(const struct inventory *inv, const struct tag_group *group,
			 const struct policy_rule *rule)
{
	const struct region *region = &inv->regions[group->region];
	const char *memdev = region->memdev == INVENTORY_NONE ? ""
							      : inv->memdevs[region->memdev].name;

	if (*rule->memdev && !streq(rule->memdev, memdev))
		return false;
	if (*rule->region && !streq(rule->region, region->name))
		return false;
	if (*rule->tag_glob) {
		static const struct tag null_tag;
		char text[TAG_STRLEN + 1];

		tag_format(group->n_extents ? &inv->extents[group->first_extent].tag : &null_tag,
			   text);
		if (fnmatch(rule->tag_glob, text, FNM_CASEFOLD) != 0)
			return false;
	}
	return rule->mode < 0 || mode_matches(inv, group, rule->mode);
}

const struct policy_rule *policy_match(const struct inventory *inv, const struct tag_group *group,
				       const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (rule_matches(inv, group, &policy->rules[i]))
			return &policy->rules[i];
	return NULL;
}
