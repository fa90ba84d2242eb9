/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WORKER_PUBLISH: the one operation of the worker that is not about sysfs. */
#pragma once

#include <dcdd/base.h>

/*
 * Makes PATH.new durable under the name @path: fsync, rename, fsync of the directory. @path is
 * absolute, plain, and ends in ".undo": nothing else is ever published. A signal ends it between
 * two of these, or within one that the file system lets go of. *@ret_elapsed is the time it took.
 *
 * 0; -EPERM: not such a path, @ret_message (of @size bytes) says so; -EINTR: was interrupted, and
 * may be done or not; -ESTALE: PATH.new was replaced meanwhile; or other negative errno.
 */
int publish(const char *path, usec_t *ret_elapsed, char *ret_message, size_t size);
