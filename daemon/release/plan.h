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
 * Compares the host with how it was before the plan: fills plan->differences, and writes into
 * plan->back the steps that restore what is ours to restore; none if there is nothing. @round is 0
 * the first time and lets a later round choose another way (new_id where bind failed).
 * Returns the number of differences that are ours (DIFF_REPLACED and DIFF_OTHER_DRIVER are another
 * hand's, and left to it), or -ENOMEM.
 *
 * May give a device of the plan the new name that STEP_CREATE led to.
 */
int plan_build_back(struct plan *plan, const struct inventory *inv, unsigned round);

/* Puts a STEP_SAVE before plan->back: the journal of what was before has been removed already. */
void plan_save_first(struct plan *plan);

/* The first difference that is ours, or else the first of all. NULL if there is none. */
const struct plan_difference *plan_first_difference(const struct plan *plan);
bool plan_difference_is_ours(const struct plan_difference *difference);
void plan_difference_text(const struct plan *plan, const struct plan_difference *difference,
			  struct difference_text *ret);

/*
 * The group is free: forward becomes what is left to tidy away, the deletion of the plan's devices
 * that claim nothing. Returns how many steps there are, -ENOMEM.
 */
int plan_build_finish(struct plan *plan, const struct inventory *inv);

/*
 * Forward becomes what is left to do of a plan that was begun, by the host as it is now. 0;
 * -ENOMEM; -ESTALE if the host is not what the plan, half done, would have made of it.
 */
int plan_build_resume(struct plan *plan, const struct inventory *inv,
		      const struct tag_group *group);

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
