/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the plan share. plan.c builds the way forward and checks it, plan_back.c the
 * way back, plan_resume.c the rest of a way begun by an earlier daemon, plan_step.c says what a
 * step is, plan_difference.c what a difference is.
 */
#pragma once

#include "plan.h"

/* The driver that matters: "" if there is none. */
const char *plan_driver_of(const struct dax_device *dev);

/* Whether the device is the allocation that was saved, and not another one under its name. */
bool plan_is_same(const struct plan_device *saved, const struct inventory *inv,
		  const struct dax_device *dev);

/* The device's block of that number, or NULL. */
const struct memory_block *plan_find_block(const struct inventory *inv,
					   const struct dax_device *dev, uint64_t number);

/* Whether a device of the plan has that name. */
bool plan_has_name(const struct plan *plan, const char *name);

/* Whether any byte of @hpa was mapped by the saved device. */
bool plan_device_maps(const struct plan *plan, const struct plan_device *saved,
		      const struct range *hpa);

/*
 * The device that is or, as an empty one, will be the saved one: by its name, or the one that was
 * created for it, whose name the plan then takes over. NULL if there is none; another allocation
 * under its name is none.
 */
const struct dax_device *plan_find_device(struct plan *plan, uint32_t d,
					  const struct inventory *inv);

/* What is written to bring memory online in that zone, and to claim what the device had. */
const char *plan_zone_value(enum block_zone zone);
const char *plan_claim_value(const struct plan_device *dev, char buf[static TAG_STRLEN + 1]);

/* daxN.0 belongs to the region and can never be deleted: size 0 is its end. */
bool plan_is_initial(const char *name);

/* Appends; there must be room. */
void plan_add_step(struct steps *steps, struct step step);

/* The device's `state` tells the truth, so that one write takes all its blocks offline. */
bool plan_is_atomic(const struct inventory *inv, const struct dax_device *dev,
		    enum offline_method method);
