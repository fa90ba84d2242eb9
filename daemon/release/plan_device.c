/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which device of an inventory is which of the plan: by allocation, not by name alone. */
#include "plan_internal.h"

bool plan_is_initial(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && streq(dot, ".0");
}

const char *plan_driver_of(const struct dax_device *dev)
{
	return dev->mode == DAX_MODE_UNBOUND ? "" : dev->driver;
}

struct range plan_first_mapping(const struct inventory *inv, const struct dax_device *dev)
{
	if (dev->n_mappings == 0)
		return (struct range){ 0 };
	return inv->mappings[dev->first_mapping].hpa;
}

bool plan_is_same(const struct plan_device *saved, const struct inventory *inv,
		  const struct dax_device *dev)
{
	struct range first = plan_first_mapping(inv, dev);

	return tag_equal(&dev->tag, &saved->tag) && dev->size == saved->size &&
	       range_equal(&first, &saved->first_mapping);
}

bool plan_device_maps(const struct plan *plan, const struct plan_device *saved,
		      const struct range *hpa)
{
	for (uint32_t i = 0; i < saved->n_ranges; i++)
		if (range_overlaps(&plan->ranges[saved->first_range + i], hpa))
			return true;
	return false;
}

const struct memory_block *plan_find_block(const struct inventory *inv,
					   const struct dax_device *dev, uint64_t number)
{
	for (uint32_t i = 0; i < dev->n_blocks; i++)
		if (inv->blocks[dev->first_block + i].number == number)
			return &inv->blocks[dev->first_block + i];
	return NULL;
}

static const struct dax_device *find_name(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_devices; i++)
		if (streq(inv->devices[i].name, name))
			return &inv->devices[i];
	return NULL;
}

bool plan_has_name(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_devices; i++)
		if (streq(plan->devices[i].name, name))
			return true;
	return false;
}

static bool is_known(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_known; i++)
		if (streq(plan->known[i].name, name))
			return true;
	return plan_has_name(plan, name);
}

/* In the same dax region, and not there before we created one. */
static bool may_be_created(const struct plan *plan, const struct plan_device *saved,
			   const struct inventory *inv, const struct dax_device *dev)
{
	return streq(inv->regions[dev->region].dax_region, saved->dax_region) &&
	       !plan_is_initial(dev->name) && !is_known(plan, dev->name);
}

/* A daemon before this one may have come as far as claiming what it was created for. */
static const struct dax_device *find_created(const struct plan *plan,
					     const struct plan_device *saved,
					     const struct inventory *inv, bool claimed)
{
	for (uint32_t i = 0; saved->creating && i < inv->n_devices; i++) {
		const struct dax_device *dev = &inv->devices[i];

		if (may_be_created(plan, saved, inv, dev) &&
		    (claimed ? plan_is_same(saved, inv, dev)
			     : dev->size == 0 && !plan_driver_of(dev)[0]))
			return dev;
	}
	return NULL;
}

static const struct dax_device *take_name(struct plan_device *saved, const struct dax_device *dev)
{
	if (!saved->was[0])
		(void)str_copy(saved->was, sizeof(saved->was), saved->name);
	(void)str_copy(saved->name, sizeof(saved->name), dev->name);
	return dev;
}

const struct dax_device *plan_find_device(struct plan *plan, uint32_t d,
					  const struct inventory *inv)
{
	struct plan_device *saved = &plan->devices[d];
	const struct dax_device *named = find_name(inv, saved->name), *dev;

	/* What has the claim comes before what could have it: that may be another hand's. */
	if (named && named->size > 0 && plan_is_same(saved, inv, named))
		return named;
	dev = find_created(plan, saved, inv, true);
	if (dev)
		return take_name(saved, dev);
	if (named && named->size == 0)
		return named;
	dev = find_created(plan, saved, inv, false);
	return dev ? take_name(saved, dev) : NULL;
}
