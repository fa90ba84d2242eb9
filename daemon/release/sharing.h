/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which groups may be shared with other hosts. sysfs does not say; the add records do, by the
 * sequence numbers of their extents. What was added before the daemon was started is not known.
 */
#pragma once

#include <dcdd/inventory.h>

#define SHARING_MAX 4096 /* groups remembered; beyond that the oldest is forgotten */

struct sharing;

int sharing_new(struct sharing **ret); /* 0 or -ENOMEM */
void sharing_free(struct sharing *sharing);
DEFINE_CLEANUP(struct sharing *, sharing_free);

/* An add record was seen; untagged ones are ignored. */
void sharing_record(struct sharing *sharing, const struct dc_event *event);
/* Sets extent.sharable of all extents in @inv. Groups that are not in @inv any more are forgotten,
 * unless they were recorded after @inv was taken. */
void sharing_annotate(struct sharing *sharing, struct inventory *inv);
