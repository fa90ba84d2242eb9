/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the host: libcxl and libdaxctl for the objects they know (memdevs, decoders, regions, dax
 * regions and devices), sysfs itself for extents, modes, uuids, mappings' blocks and zones, /proc
 * for holders. Blocks; runs in the worker process only.
 */
#pragma once

#include <dcdd/inventory.h>

/* More elements than this in one array are taken for nonsense, not for a host. */
#define INVENTORY_ELEMENTS_MAX (UINT32_C(4) << 20)

/*
 * One full scan with fresh library contexts. Objects that vanish half-way are left out.
 * @sysfs ("/sys") and @proc ("/proc") are roots for what is read without the libraries; these look
 * only at /sys, so with another root they are not used and sysfs is read for all.
 * A host without CXL gives an empty inventory. Regions that interleave are left out (there is no
 * DPA = start + offset in them), and those without an endpoint decoder.
 *
 * 0 or negative errno. A picture that no decision can be built on is an error, never a smaller
 * picture:
 * - what names or sizes an object cannot be read (its errno, mostly -EIO or -EACCES) or
 *   understood (-EBADMSG, -ERANGE);
 * - processes may hold a device, and CAP_SYS_PTRACE to look at them is missing (-EACCES, -EPERM);
 * - the host changed under each of several tries (-EAGAIN).
 * A block whose state or zone cannot be read is no error, but BLOCK_UNKNOWN or ZONE_UNKNOWN.
 */
int inventory_scan(const char *sysfs, const char *proc, struct inventory **ret);

/*
 * Sorts, links extents to devices by range, fills the slices: after the arrays were filled, with
 * each element's index of its parent and the devices' slices of mappings[]. Sets `foreign` of
 * blocks. 0; -EINVAL: an index points nowhere; -EAGAIN: torn (two claims or two extents of one tag
 * on the same bytes); -ENOMEM.
 */
int inventory_link(struct inventory *inv);

/*
 * Whether @inv is as inventory_link() leaves it: indexes, slices, order, terminated and harmless
 * names, ranges that do not overflow, enums and bools with values they can have. 0 or -EBADMSG.
 */
int inventory_check(const struct inventory *inv);

/*
 * Writes to / reads from a blocking file descriptor in an own binary form (same program on both
 * ends). Reading takes no more than one inventory's bytes from @fd.
 */
int inventory_write(const struct inventory *inv, int fd);
/* -EBADMSG: truncated, wrong magic, or anything that inventory_check() rejects. */
int inventory_read(int fd, struct inventory **ret);
