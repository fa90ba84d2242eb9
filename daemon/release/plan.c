/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the forward steps of a release and checks that the plan still stands; see plan.h. */
#include "plan_internal.h"

void plan_done(struct plan *plan)
{
	free(plan->devices);
	free(plan->blocks);
	free(plan->ranges);
	free(plan->known);
	free(plan->differences);
	free(plan->forward.items);
	free(plan->back.items);
	*plan = (struct plan){ 0 };
}

/*
 * The device's own `state` is used only while it tells the truth: the kernel does not update it
 * when single blocks change, so all of them must be online, in one zone.
 */
bool plan_is_atomic(const struct inventory *inv, const struct dax_device *dev,
		    enum offline_method method)
{
	if (method == OFFLINE_BLOCKS || dev->mode != DAX_MODE_SYSTEM_RAM)
		return false;
	if (!startswith(dev->state, "online") || dev->n_blocks == 0)
		return false;
	for (uint32_t i = 0; i < dev->n_blocks; i++) {
		const struct memory_block *block = &inv->blocks[dev->first_block + i];

		if (block->state != BLOCK_ONLINE ||
		    block->zone != inv->blocks[dev->first_block].zone)
			return false;
	}
	return true;
}

static void save_device(struct plan *plan, const struct inventory *inv,
			const struct dax_device *dev, enum offline_method method)
{
	struct plan_device *saved = &plan->devices[plan->n_devices];

	*saved = (struct plan_device){
		.mode = dev->mode,
		.tag = dev->tag,
		.size = dev->size,
		.align = dev->align,
		.target_node = dev->target_node,
		.first_range = (uint32_t)plan->n_ranges,
		.n_ranges = dev->n_mappings,
		.first_mapping = plan_first_mapping(inv, dev),
		.atomic = plan_is_atomic(inv, dev, method),
	};
	(void)str_copy(saved->name, sizeof(saved->name), dev->name);
	(void)str_copy(saved->driver, sizeof(saved->driver), plan_driver_of(dev));
	(void)str_copy(saved->dax_region, sizeof(saved->dax_region),
		       inv->regions[dev->region].dax_region);

	for (uint32_t i = 0; i < dev->n_mappings; i++)
		plan->ranges[plan->n_ranges++] = inv->mappings[dev->first_mapping + i].hpa;
	for (uint32_t i = 0; i < dev->n_blocks; i++) {
		const struct memory_block *block = &inv->blocks[dev->first_block + i];

		plan->blocks[plan->n_blocks++] = (struct plan_block){
			.number = block->number,
			.device = (uint32_t)plan->n_devices,
			.state = block->state,
			.zone = block->zone,
		};
		if (block->state == BLOCK_ONLINE)
			plan->blocks_total++;
	}
	plan->n_devices++;
}

void plan_add_step(struct steps *steps, struct step step)
{
	steps->items[steps->n++] = step;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct plan_block *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void add_offline_steps(struct plan *plan)
{
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		if (plan->devices[d].atomic)
			plan_add_step(&plan->forward,
				      (struct step){ .kind = STEP_UNPLUG, .device = d });
	}
	for (size_t i = 0; i < plan->n_blocks; i++) {
		const struct plan_block *block = &plan->blocks[i];

		if (plan->devices[block->device].atomic || block->state == BLOCK_OFFLINE)
			continue;
		plan_add_step(&plan->forward, (struct step){ .kind = STEP_OFFLINE_BLOCK,
							     .device = block->device,
							     .block = block->number,
							     .zone = block->zone });
	}
}

static void add_detach_steps(struct plan *plan)
{
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		if (plan->devices[d].driver[0])
			plan_add_step(&plan->forward,
				      (struct step){ .kind = STEP_UNBIND, .device = d });
	}
	for (uint32_t d = 0; d < plan->n_devices; d++)
		plan_add_step(&plan->forward, (struct step){ .kind = STEP_SIZE_ZERO, .device = d });
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		if (!plan_is_initial(plan->devices[d].name))
			plan_add_step(&plan->forward,
				      (struct step){ .kind = STEP_DELETE, .device = d });
	}
}

int plan_build(const struct inventory *inv, const struct tag_group *group,
	       const struct release_settings *settings, struct plan *ret)
{
	uint32_t devices[PLAN_DEVICES_MAX];
	size_t n_devices, n_blocks = 0, n_ranges = 0;
	struct plan plan = { 0 };

	n_devices = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices));
	if (n_devices > ARRAY_SIZE(devices))
		return -E2BIG;
	for (size_t i = 0; i < n_devices; i++) {
		n_blocks += inv->devices[devices[i]].n_blocks;
		n_ranges += inv->devices[devices[i]].n_mappings;
	}

	/* One more than needed, so that nothing to do is not mistaken for no memory. */
	plan.devices = calloc(n_devices + 1, sizeof(*plan.devices));
	plan.blocks = calloc(n_blocks + 1, sizeof(*plan.blocks));
	plan.ranges = calloc(n_ranges + 1, sizeof(*plan.ranges));
	/* The journal; each device: unplug or nothing, unbind, size, delete. */
	plan.forward.items = calloc(n_blocks + 4 * n_devices + 1, sizeof(*plan.forward.items));
	if (!plan.devices || !plan.blocks || !plan.ranges || !plan.forward.items) {
		plan_done(&plan);
		return -ENOMEM;
	}

	for (size_t i = 0; i < n_devices; i++)
		save_device(&plan, inv, &inv->devices[devices[i]], settings->method);
	if (plan.n_blocks > 0)
		qsort(plan.blocks, plan.n_blocks, sizeof(*plan.blocks), compare_blocks);
	plan_add_step(&plan.forward, (struct step){ .kind = STEP_SAVE });
	add_offline_steps(&plan);
	add_detach_steps(&plan);
	*ret = plan;
	return 0;
}

static const struct plan_device *find_saved(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_devices; i++)
		if (streq(plan->devices[i].name, name))
			return &plan->devices[i];
	return NULL;
}

static int check_device(const struct plan_device *saved, const struct inventory *inv,
			const struct dax_device *dev, char *ret_why, size_t size)
{
	if (!plan_is_same(saved, inv, dev)) {
		(void)snprintf(ret_why, size, "%s is another allocation now", dev->name);
		return -ESTALE;
	}
	if (!streq(plan_driver_of(dev), saved->unbound ? "" : saved->driver)) {
		(void)snprintf(ret_why, size, "%s changed its driver from '%s' to '%s'", dev->name,
			       saved->driver, plan_driver_of(dev));
		return -ESTALE;
	}
	for (uint32_t i = 0; i < dev->n_blocks; i++) {
		const struct memory_block *block = &inv->blocks[dev->first_block + i];

		if (block->state != BLOCK_OFFLINE) {
			(void)snprintf(ret_why, size, "memory%llu of %s is %s",
				       (unsigned long long)block->number, dev->name,
				       block_state_to_string(block->state));
			return -ESTALE;
		}
	}
	if (dev->n_holders > 0) {
		const struct holder *holder = &inv->holders[dev->first_holder];

		(void)snprintf(ret_why, size, "process %d (%s) took hold of /dev/%s", holder->pid,
			       holder->comm, dev->name);
		return -ESTALE;
	}
	return 0;
}

int plan_check_detach(const struct plan *plan, const struct inventory *inv,
		      const struct tag_group *group, char *ret_why, size_t size)
{
	uint32_t devices[PLAN_DEVICES_MAX];
	size_t n = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices)), expected = 0;

	for (size_t i = 0; i < plan->n_devices; i++)
		expected += !plan->devices[i].given_back;
	if (n != expected) {
		(void)snprintf(ret_why, size, "%zu devices claim the group, not %zu as before", n,
			       expected);
		return -ESTALE;
	}
	for (size_t i = 0; i < n; i++) {
		const struct dax_device *dev = &inv->devices[devices[i]];
		const struct plan_device *saved = find_saved(plan, dev->name);
		int r;

		if (!saved) {
			(void)snprintf(ret_why, size, "%s claims the group now", dev->name);
			return -ESTALE;
		}
		r = check_device(saved, inv, dev, ret_why, size);
		if (r < 0)
			return r;
	}
	return 0;
}
