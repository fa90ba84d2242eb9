/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last check before memory can be handed back, and the only way to write to sysfs.
 *
 * The kernel lets kmem be unbound, and the claim be given up, while blocks of the device are
 * online; the next release then takes memory from under a running kernel. So sysfs_write() resolves
 * the path it is given to the place it really names, and knows a short list of attributes that the
 * daemon has any business with; everything else is refused. Of that list, `unbind` of a dax driver,
 * `size` and `dax_region/delete` are destructive, and are written only after the device was read,
 * right now, as the one expected and with every byte of every mapping absent or offline.
 * There is no flag that turns this off.
 */
#pragma once

#include "worker.h"

/*
 * Writes @value to @path below the directory @sysfs_fd, with one write(2).
 * @ret_elapsed is the time spent in the write(2) alone.
 * 0; negative errno of open or write (-EINTR if a signal interrupted either, or the guard's
 * reading); -EIO on a short write; from the guard:
 * -EBUSY: a byte of a mapping is in a block that is not offline, or something about the device
 * could not be read; -ESTALE: the device is not the expected one any more; -EPERM: the attribute or
 * the value is not one that is ever written, or a destructive write names another device than
 * @expect (which may be NULL if the write is not destructive). For those *@ret_message says why
 * (buffer of @size); it is empty otherwise.
 */
int sysfs_write(int sysfs_fd, const char *path, const char *value,
		const struct guard_expect *expect, usec_t *ret_elapsed, char *ret_message,
		size_t size);

/*
 * The guard by itself, for the tests and for whoever wants to know. Same errors; -EPERM if
 * @expect names no dax device. If the expected size is 0, the device must claim nothing, and its
 * tag and first mapping are not looked at: it has none.
 */
int guard_check(int sysfs_fd, const struct guard_expect *expect, char *ret_message, size_t size);
