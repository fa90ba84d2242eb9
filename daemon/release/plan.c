/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the forward steps of a release and checks that the plan still stands; see plan.h. */
#include "plan.h"

#include <assert.h>

void plan_done(struct plan *plan)
{
	free(plan->devices);
	free(plan->blocks);
	free(plan->forward.items);
	free(plan->back.items);
	*plan = (struct plan){ 0 };
}

/* daxN.0 belongs to the region and can never be deleted: size 0 is its end. */
static bool is_initial_device(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && streq(dot, ".0");
}

static const char *device_driver(const struct dax_device *dev)
{
	return dev->mode == DAX_MODE_UNBOUND ? "" : dev->driver;
}

struct range plan_first_mapping(const struct inventory *inv, const struct dax_device *dev)
{
	if (dev->n_mappings == 0)
		return (struct range){ 0 };
	return inv->mappings[dev->first_mapping].hpa;
}

/*
 * The device's own `state` is used only while it tells the truth: the kernel does not update it
 * when single blocks change, so all of them must be online, in one zone.
 */
static bool device_is_atomic(const struct inventory *inv, const struct dax_device *dev,
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
		.first_mapping = plan_first_mapping(inv, dev),
		.atomic = device_is_atomic(inv, dev, method),
	};
	(void)str_copy(saved->name, sizeof(saved->name), dev->name);
	(void)str_copy(saved->driver, sizeof(saved->driver), device_driver(dev));
	(void)str_copy(saved->dax_region, sizeof(saved->dax_region),
		       inv->regions[dev->region].dax_region);

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

static void add_step(struct steps *steps, struct step step)
{
	steps->items[steps->n++] = step;
}

static void add_offline_steps(struct plan *plan)
{
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		if (plan->devices[d].atomic)
			add_step(&plan->forward, (struct step){ .kind = STEP_UNPLUG, .device = d });
	}
	for (size_t i = 0; i < plan->n_blocks; i++) {
		const struct plan_block *block = &plan->blocks[i];

		if (plan->devices[block->device].atomic || block->state == BLOCK_OFFLINE)
			continue;
		add_step(&plan->forward, (struct step){ .kind = STEP_OFFLINE_BLOCK,
							.device = block->device,
							.block = block->number,
							.zone = block->zone });
	}
}

static void add_detach_steps(struct plan *plan)
{
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		if (plan->devices[d].driver[0])
			add_step(&plan->forward, (struct step){ .kind = STEP_UNBIND, .device = d });
	}
	for (uint32_t d = 0; d < plan->n_devices; d++)
		add_step(&plan->forward, (struct step){ .kind = STEP_SIZE_ZERO, .device = d });
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		if (!is_initial_device(plan->devices[d].name))
			add_step(&plan->forward, (struct step){ .kind = STEP_DELETE, .device = d });
	}
}

int plan_build(const struct inventory *inv, const struct tag_group *group,
	       const struct release_settings *settings, struct plan *ret)
{
	uint32_t devices[PLAN_DEVICES_MAX];
	size_t n_devices, n_blocks = 0;
	struct plan plan = { 0 };

	n_devices = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices));
	if (n_devices > ARRAY_SIZE(devices))
		return -E2BIG;
	for (size_t i = 0; i < n_devices; i++)
		n_blocks += inv->devices[devices[i]].n_blocks;

	/* One more than needed, so that nothing to do is not mistaken for no memory. */
	plan.devices = calloc(n_devices + 1, sizeof(*plan.devices));
	plan.blocks = calloc(n_blocks + 1, sizeof(*plan.blocks));
	/* Each device: unplug or nothing, unbind, size, delete. */
	plan.forward.items = calloc(n_blocks + 4 * n_devices + 1, sizeof(*plan.forward.items));
	if (!plan.devices || !plan.blocks || !plan.forward.items) {
		plan_done(&plan);
		return -ENOMEM;
	}

	for (size_t i = 0; i < n_devices; i++)
		save_device(&plan, inv, &inv->devices[devices[i]], settings->method);
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
	struct range first = plan_first_mapping(inv, dev);

	if (!tag_equal(&dev->tag, &saved->tag) || dev->size != saved->size ||
	    !range_equal(&first, &saved->first_mapping)) {
		(void)snprintf(ret_why, size, "%s is another allocation now", dev->name);
		return -ESTALE;
	}
	if (!streq(device_driver(dev), saved->driver)) {
		(void)snprintf(ret_why, size, "%s changed its driver from '%s' to '%s'", dev->name,
			       saved->driver, device_driver(dev));
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
	size_t n = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices));

	if (n != plan->n_devices) {
		(void)snprintf(ret_why, size, "%zu devices claim the group, not %zu as before", n,
			       plan->n_devices);
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

static const char *zone_online_value(enum block_zone zone)
{
	return zone == ZONE_KERNEL ? "online_kernel" : "online_movable";
}

static void block_request(const struct step *step, const char *value, const char *skip_if,
			  struct worker_request *ret)
{
	(void)snprintf(ret->path, sizeof(ret->path), "devices/system/memory/memory%llu/state",
		       (unsigned long long)step->block);
	(void)str_copy(ret->value, sizeof(ret->value), value);
	(void)str_copy(ret->watch, sizeof(ret->watch), ret->path);
	(void)str_copy(ret->skip_if, sizeof(ret->skip_if), skip_if);
}

static void attr_request(const struct plan_device *dev, const char *attr, const char *value,
			 const char *skip_if, struct worker_request *ret)
{
	(void)snprintf(ret->path, sizeof(ret->path), "bus/dax/devices/%s/%s", dev->name, attr);
	(void)str_copy(ret->value, sizeof(ret->value), value);
	(void)str_copy(ret->watch, sizeof(ret->watch), ret->path);
	(void)str_copy(ret->skip_if, sizeof(ret->skip_if), skip_if);
}

static void driver_request(const struct plan_device *dev, const char *attr, const char *skip_if,
			   struct worker_request *ret)
{
	(void)snprintf(ret->path, sizeof(ret->path), "bus/dax/drivers/%s/%s", dev->driver, attr);
	(void)str_copy(ret->value, sizeof(ret->value), dev->name);
	(void)snprintf(ret->watch, sizeof(ret->watch), "bus/dax/devices/%s/driver", dev->name);
	(void)str_copy(ret->skip_if, sizeof(ret->skip_if), skip_if);
}

void plan_step_request(const struct plan *plan, const struct step *step, struct worker_request *ret)
{
	const struct plan_device *dev = &plan->devices[step->device];
	char tag[TAG_STRLEN + 1];

	*ret = (struct worker_request){
		.op = WORKER_WRITE,
		.expect = { .tag = dev->tag,
			    .size = dev->size,
			    .first_mapping = dev->first_mapping },
	};
	(void)str_copy(ret->expect.device, sizeof(ret->expect.device), dev->name);

	switch (step->kind) {
	case STEP_OFFLINE_BLOCK:
	case STEP_REOFFLINE:
		block_request(step, "offline", "offline", ret);
		return;
	case STEP_ONLINE_BLOCK:
		block_request(step, zone_online_value(step->zone), "online", ret);
		return;
	case STEP_UNPLUG:
		attr_request(dev, "state", "unplugged", "unplugged", ret);
		return;
	case STEP_PLUG:
		attr_request(dev, "state", zone_online_value(step->zone), "", ret);
		return;
	case STEP_SIZE_ZERO:
		attr_request(dev, "size", "0", "0", ret);
		return;
	case STEP_CLAIM:
		attr_request(dev, "uuid", tag_is_null(&dev->tag) ? "0" : tag_format(&dev->tag, tag),
			     "", ret);
		return;
	case STEP_UNBIND:
		driver_request(dev, "unbind", "", ret);
		return;
	case STEP_BIND:
		driver_request(dev, "bind", dev->driver, ret);
		return;
	case STEP_NEW_ID:
		driver_request(dev, "new_id", dev->driver, ret);
		return;
	case STEP_DELETE:
		(void)snprintf(ret->path, sizeof(ret->path), "bus/cxl/devices/%s/dax_region/delete",
			       dev->dax_region);
		(void)str_copy(ret->value, sizeof(ret->value), dev->name);
		/* By now it claims nothing: that is what must still hold. */
		ret->expect.tag = (struct tag){ 0 };
		ret->expect.size = 0;
		ret->expect.first_mapping = (struct range){ 0 };
		return;
	case _STEP_KIND_MAX:
		break;
	}
	assert(!"unknown step kind");
}

static bool step_is_block(const struct step *step)
{
	return step->kind == STEP_OFFLINE_BLOCK || step->kind == STEP_REOFFLINE ||
	       step->kind == STEP_ONLINE_BLOCK;
}

char *plan_step_object(const struct plan *plan, const struct step *step,
		       char buf[static DEV_NAME_MAX])
{
	if (step_is_block(step))
		(void)snprintf(buf, DEV_NAME_MAX, "memory%llu", (unsigned long long)step->block);
	else
		(void)str_copy(buf, DEV_NAME_MAX, plan->devices[step->device].name);
	return buf;
}

char *plan_step_text(const struct plan *plan, const struct step *step,
		     char buf[static STEP_TEXT_MAX])
{
	char object[DEV_NAME_MAX];

	(void)snprintf(buf, STEP_TEXT_MAX, "%s: %s", plan_step_object(plan, step, object),
		       step_kind_to_string(step->kind));
	return buf;
}
