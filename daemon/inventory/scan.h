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

/* Bytes of a pool of huge pages: as for a node's memory, sums of it cannot overflow. */
#define HUGE_BYTES_MAX (UINT64_C(1) << 54)

/*
 * One full scan with fresh library contexts. Objects that vanish half-way are left out.
 * @sysfs ("/sys") and @proc ("/proc") are roots for what is read without the libraries; these look
 * only at /sys, so with another root they are not used and sysfs is read for all.
 * A host without CXL gives an empty inventory. Regions that interleave are left out (there is no
 * DPA = start + offset in them), and those without an endpoint decoder.
 *
 * An attribute below a region (its extents, devices, decoder, their listing) that cannot be read
 * (mostly -EIO or -EACCES) or understood (-EBADMSG, -ERANGE) sets that region's `error` and
 * `error_path`, and the scan goes on; what was found of the region stays, but is not all. Of a
 * region whose own attributes cannot be read there is nothing below it, and `memdev` is
 * INVENTORY_NONE if not even its device is known. A block whose state or zone cannot be read is
 * BLOCK_UNKNOWN or ZONE_UNKNOWN; a memdev's serial number is 0.
 *
 * 0 or negative errno, with the reason for a person in @ret_why (of @size bytes), which names the
 * path. The scan as a whole fails where no decision can be built on what is left:
 * - what is not below one region cannot be read or understood (lists, block size, nodes);
 * - processes may hold a device, and CAP_SYS_PTRACE to look at them is missing (-EACCES, -EPERM);
 * - the host changed under each of several tries (-EAGAIN).
 */
int inventory_scan(const char *sysfs, const char *proc, struct inventory **ret, char *ret_why,
		   size_t size);

/*
 * Sorts, links extents to devices by range, fills the slices: after the arrays were filled, with
 * each element's index of its parent and the devices' slices of mappings[]. Sets `foreign` of
 * blocks. Only a region with an error may be without a memdev. 0; -EINVAL: an index points nowhere;
 * -EAGAIN: torn (two claims or two extents of one tag on the same bytes); -ENOMEM.
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
