/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last check before memory can be handed back, and the only way to write to sysfs.
 *
 * The kernel lets kmem be unbound, and the claim be given up, while blocks of the device are
 * online; the next release then takes memory from under a running kernel. So sysfs_write() looks
 * at what it is asked to write: an `unbind` of a dax driver, a `size`, a `delete` or a
 * dax_region/region/driver level removal is destructive, and is made only after the device was
 * read, right now, as the one expected and with every byte of every mapping absent or offline.
 * There is no flag that turns this off.
 */
#pragma once

#include "worker.h"

/*
 * Writes @value to @path below the directory @sysfs_fd, O_WRONLY, one write(2).
 * 0; negative errno of open or write; -EIO on a short write; from the guard:
 * -EBUSY: a byte of a mapping is in a block that is not offline; -ESTALE: the device is not the
 * expected one any more; -EPERM: a destructive write without an expectation, or one that is never
 * made (a region's or driver's removal). For those *@ret_message says why (buffer of @size).
 */
int sysfs_write(int sysfs_fd, const char *path, const char *value,
		const struct guard_expect *expect, usec_t *ret_elapsed, char *ret_message,
		size_t size);

/* The guard by itself, for the tests and for whoever wants to know. Same errors. */
int guard_check(int sysfs_fd, const struct guard_expect *expect, char *ret_message, size_t size);
