/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which groups may be shared with other hosts. sysfs does not say; the add records do, by the
 * sequence numbers of their extents. What was added before the daemon was started is not known.
 */
#pragma once

#include <dcdd/inventory.h>

#define SHARING_MAX 4096 /* groups remembered; beyond that the oldest is forgotten */
/* The kernel collects the records of a chain for 20 s before its extents appear. */
#define SHARING_GRACE_USEC (30 * USEC_PER_SEC)

struct sharing;

int sharing_new(struct sharing **ret); /* 0 or -ENOMEM */
void sharing_free(struct sharing *sharing);
DEFINE_CLEANUP(struct sharing *, sharing_free);

/*
 * An add record was seen; untagged ones are ignored. A number above 0 says that the group is
 * sharable. That it is 0 says little: it is what extents have that are not, but also, depending on
 * the version of the kernel's series, the first of those that are. Two extents with a 0 are not.
 */
void sharing_record(struct sharing *sharing, const struct dc_event *event);
/*
 * Sets extent.sharable of all extents in @inv. Groups that are not in @inv any more are forgotten,
 * unless the device or a region of it could not be read, or they were recorded later than
 * SHARING_GRACE_USEC before @inv was taken.
 */
void sharing_annotate(struct sharing *sharing, struct inventory *inv);
