/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the host: libcxl and libdaxctl for the objects they know (memdevs, decoders, regions, dax
 * regions and devices), sysfs itself for extents, modes, uuids, mappings' blocks and zones, /proc
 * for holders. Blocks; runs in the worker process only.
 */
#pragma once

#include <dcdd/inventory.h>

/*
 * One full scan with fresh library contexts. Objects that vanish half-way are left out.
 * @sysfs ("/sys") and @proc ("/proc") are roots for what is read without the libraries.
 * A host without CXL gives an empty inventory. 0 or negative errno.
 */
int inventory_scan(const char *sysfs, const char *proc, struct inventory **ret);

/* Sorts, links extents to devices by range, fills the slices: after the arrays were filled. */
int inventory_link(struct inventory *inv);

/* Writes to / reads from a file descriptor in an own binary form (same program on both ends). */
int inventory_write(const struct inventory *inv, int fd);
/* -EBADMSG: truncated, wrong magic, or an index or count out of bounds. */
int inventory_read(int fd, struct inventory **ret);
