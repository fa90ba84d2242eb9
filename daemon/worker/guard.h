/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last check before anything is changed, and the only way to write to sysfs.
 *
 * The kernel lets kmem be unbound, and the claim be given up, while blocks of the device are
 * online; the next release then takes memory from under a running kernel. And between the plan and
 * the write another hand may have destroyed the device and given its name, or its memory, to
 * somebody else. So sysfs_write() resolves the path it is given to the place it really names, and
 * knows a short list of attributes that the daemon has any business with; everything else is
 * refused. What is on it is written only after the device it is about was read, right now, as the
 * one expected:
 *
 *   memoryN/state                            the expected device, with a mapping in that block
 *   daxX.Y/state, bind, new_id               the expected device
 *   daxX.Y/uuid                              the expected device, claiming nothing
 *   daxX.Y/size, unbind, dax_region/delete   the expected device, with every byte of every mapping
 *                                            absent or offline
 *   dax_region/create                        there is no device yet
 *
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
 * could not be read; -ESTALE: the device is not the expected one any more, or the block none of
 * its own; -EPERM: the attribute or the value is not one that is ever written, or the write is
 * about another device than @expect, which may be NULL for dax_region/create alone. For those
 * *@ret_message says why (buffer of @size); it is empty otherwise.
 */
int sysfs_write(int sysfs_fd, const char *path, const char *value,
		const struct guard_expect *expect, usec_t *ret_elapsed, char *ret_message,
		size_t size);

/*
 * The guard by itself, for the tests and for whoever wants to know: the expected device with all of
 * its memory absent or offline; the expected device; that, and block @number below one of its
 * mappings. Same errors; -EPERM if @expect names no dax device. If the expected size is 0, the
 * device must claim nothing, and its tag and first mapping are not looked at: it has none.
 */
int guard_check(int sysfs_fd, const struct guard_expect *expect, char *ret_message, size_t size);
int guard_check_device(int sysfs_fd, const struct guard_expect *expect, char *ret_message,
		       size_t size);
int guard_check_block(int sysfs_fd, const struct guard_expect *expect, uint64_t number,
		      char *ret_message, size_t size);
