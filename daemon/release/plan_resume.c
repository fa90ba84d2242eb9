/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rest of a way that was begun: what is left to tidy when the group is free already, and what
 * is left to do when it is to be freed after all by a daemon that did not begin it.
 */
#include "plan_internal.h"

/* Empties the way forward and makes room for @max steps. */
static int forward_new(struct plan *plan, size_t max)
{
	free(plan->forward.items);
	plan->forward = (struct steps){ .items = calloc(max + 1, sizeof(struct step)) };
	return plan->forward.items ? 0 : -ENOMEM;
}

int plan_build_finish(struct plan *plan, const struct inventory *inv)
{
	int r = forward_new(plan, plan->n_devices);

	if (r < 0)
		return r;
	plan->blocks_total = 0;
	for (size_t i = 0; i < plan->n_blocks; i++)
		plan->blocks_total += plan->blocks[i].state == BLOCK_ONLINE;
	plan->blocks_offline = plan->blocks_total;
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		const struct dax_device *dev = plan_find_device(plan, d, inv);

		if (!dev || dev->size > 0 || plan_driver_of(dev)[0] || plan_is_initial(dev->name))
			continue;
		plan_add_step(&plan->forward, (struct step){ .kind = STEP_DELETE, .device = d });
	}
	return (int)plan->forward.n;
}

/* What is still online of one device goes offline; a block that was not there before is not ours.
 */
static int resume_blocks(struct plan *plan, const struct inventory *inv, uint32_t d,
			 const struct dax_device *dev)
{
	const bool atomic = plan->devices[d].atomic && plan_is_atomic(inv, dev, OFFLINE_AUTO);
	uint32_t online = 0;

	for (uint32_t i = 0; i < dev->n_blocks; i++)
		online += inv->blocks[dev->first_block + i].state != BLOCK_OFFLINE;
	for (size_t i = 0; i < plan->n_blocks; i++) {
		const struct plan_block *want = &plan->blocks[i];
		const struct memory_block *have;

		if (want->device != d)
			continue;
		plan->blocks_total += want->state == BLOCK_ONLINE;
		have = plan_find_block(inv, dev, want->number);
		if (!have || have->state == BLOCK_OFFLINE) {
			plan->blocks_offline += want->state == BLOCK_ONLINE;
			continue;
		}
		online--;
		if (!atomic)
			plan_add_step(&plan->forward, (struct step){ .kind = STEP_OFFLINE_BLOCK,
								     .device = d,
								     .block = want->number,
								     .zone = want->zone });
	}
	if (atomic)
		plan_add_step(&plan->forward, (struct step){ .kind = STEP_UNPLUG, .device = d });
	return online > 0 ? -ESTALE : 0;
}

static int resume_device(struct plan *plan, const struct inventory *inv, uint32_t d)
{
	struct plan_device *saved = &plan->devices[d];
	const struct dax_device *dev = plan_find_device(plan, d, inv);
	const char *driver;

	if (!dev)
		return -ESTALE;
	driver = plan_driver_of(dev);
	saved->unbound = !driver[0];
	saved->given_back = dev->size == 0;
	if (saved->given_back)
		return saved->unbound ? 0 : -ESTALE;
	if (driver[0] && !streq(driver, saved->driver))
		return -ESTALE;
	return resume_blocks(plan, inv, d, dev);
}

int plan_build_resume(struct plan *plan, const struct inventory *inv, const struct tag_group *group)
{
	uint32_t devices[PLAN_DEVICES_MAX];
	size_t n = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices));
	int r = forward_new(plan, plan->n_blocks + 4 * plan->n_devices);

	if (r < 0)
		return r;
	plan->blocks_total = plan->blocks_offline = 0;
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		r = resume_device(plan, inv, d);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < MIN(n, ARRAY_SIZE(devices)); i++)
		if (!plan_has_name(plan, inv->devices[devices[i]].name))
			return -ESTALE;

	for (uint32_t d = 0; d < plan->n_devices; d++)
		if (!plan->devices[d].unbound)
			plan_add_step(&plan->forward,
				      (struct step){ .kind = STEP_UNBIND, .device = d });
	for (uint32_t d = 0; d < plan->n_devices; d++)
		if (!plan->devices[d].given_back)
			plan_add_step(&plan->forward,
				      (struct step){ .kind = STEP_SIZE_ZERO, .device = d });
	for (uint32_t d = 0; d < plan->n_devices; d++)
		if (!plan_is_initial(plan->devices[d].name))
			plan_add_step(&plan->forward,
				      (struct step){ .kind = STEP_DELETE, .device = d });
	return 0;
}
