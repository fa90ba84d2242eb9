/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a step is: the one request to the worker that it stands for, and its text; see plan.h. */
#include "plan_internal.h"

#include <assert.h>

const char *plan_zone_value(enum block_zone zone)
{
	return zone == ZONE_KERNEL ? "online_kernel" : "online_movable";
}

const char *plan_claim_value(const struct plan_device *dev, char buf[static TAG_STRLEN + 1])
{
	return tag_is_null(&dev->tag) ? "0" : tag_format(&dev->tag, buf);
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
	case STEP_SAVE:
		/* Who submits it knows the file. */
		*ret = (struct worker_request){ .op = WORKER_PUBLISH };
		return;
	case STEP_OFFLINE_BLOCK:
	case STEP_REOFFLINE:
		block_request(step, "offline", "offline", ret);
		return;
	case STEP_ONLINE_BLOCK:
		block_request(step, plan_zone_value(step->zone), "online", ret);
		return;
	case STEP_UNPLUG:
		attr_request(dev, "state", "unplugged", "unplugged", ret);
		return;
	case STEP_PLUG:
		attr_request(dev, "state", plan_zone_value(step->zone), "", ret);
		return;
	case STEP_SIZE_ZERO:
		attr_request(dev, "size", "0", "0", ret);
		return;
	case STEP_CREATE:
		*ret = (struct worker_request){ .op = WORKER_WRITE, .value = "1" };
		(void)snprintf(ret->path, sizeof(ret->path), "bus/cxl/devices/%s/dax_region/create",
			       dev->dax_region);
		return;
	case STEP_CLAIM:
		attr_request(dev, "uuid", plan_claim_value(dev, tag), "", ret);
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
	if (step->kind == STEP_SAVE)
		(void)str_copy(buf, DEV_NAME_MAX, "undo journal");
	else if (step->kind == STEP_CREATE)
		(void)str_copy(buf, DEV_NAME_MAX, plan->devices[step->device].dax_region);
	else if (step_is_block(step))
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
