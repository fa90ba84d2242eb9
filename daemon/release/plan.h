/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an inventory to the steps that free a group, and from a later inventory to the steps that
 * put it back. Pure: what a step means in sysfs is plan_step_request(), done by the worker.
 */
#pragma once

#include <dcdd/plan.h>
#include <dcdd/policy.h>

#include "worker/worker.h"

/*
 * Plans to free @group: all memory goes offline first (per device by its `state` attribute or
 * block by block), then every device is unbound, then every claim given back, then the devices are
 * deleted. So everything that takes long and is likely to fail comes before anything that is hard
 * to undo. 0; -ENOMEM; -E2BIG for more than PLAN_DEVICES_MAX devices.
 */
#define PLAN_DEVICES_MAX 256
int plan_build(const struct inventory *inv, const struct tag_group *group,
	       const struct release_settings *settings, struct plan *ret);

/*
 * Whether the host still is what the plan stands on, right before the first detaching step: the
 * same devices claim the group and nobody else does, nothing of them is online, nobody holds them.
 * 0, or -ESTALE with the difference in @ret_why (of @size bytes).
 */
int plan_check_detach(const struct plan *plan, const struct inventory *inv,
		      const struct tag_group *group, char *ret_why, size_t size);

/*
 * Compares the host with how it was before the plan and writes into plan->back the steps that
 * restore the difference; none if there is none. @round is 0 the first time and lets a later round
 * choose another way (new_id where bind failed). @ret_why describes the first difference.
 * Returns the number of differences, -ENOMEM.
 */
int plan_build_back(struct plan *plan, const struct inventory *inv, unsigned round, char *ret_why,
		    size_t size);

/* HPA of the device's lowest mapping, empty if it has none. */
struct range plan_first_mapping(const struct inventory *inv, const struct dax_device *dev);

/* The one sysfs write that a step is. */
void plan_step_request(const struct plan *plan, const struct step *step,
		       struct worker_request *ret);

/* "memory338", "dax0.1": what the step acts on. Returns @buf. */
char *plan_step_object(const struct plan *plan, const struct step *step,
		       char buf[static DEV_NAME_MAX]);

/* "memory338: offline": object and value, for messages. Returns @buf. */
#define STEP_TEXT_MAX (DEV_NAME_MAX + 64)
char *plan_step_text(const struct plan *plan, const struct step *step,
		     char buf[static STEP_TEXT_MAX]);
