/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reaching sysfs attributes in the worker: paths that stay below the root they are given, and a
 * reader that is stricter than sysfs_read() of util/sysfs.h, for the guard's sake.
 */
#pragma once

#include <dcdd/base.h>

/*
 * Whether @path is plain: relative, no empty component, no "." or "..", no '/' at the end, shorter
 * than WORKER_PATH_MAX.
 */
bool attr_path_valid(const char *path);

/*
 * Opens @path below @root_fd; symlinks are followed but must not lead out of it.
 * @flags as open(2), O_CLOEXEC is added. Returns the fd or negative errno (-EXDEV: leads out).
 */
int attr_open_beneath(int root_fd, const char *path, int flags);

/*
 * Opens the directory that holds @path, and points *@ret_name at the last component within @path.
 * Returns the fd (O_PATH) or negative errno; -EINVAL: attr_path_valid() says no.
 */
int attr_open_parent(int root_fd, const char *path, const char **ret_name);

/*
 * Reads attribute @name of the directory @dir_fd to its end and removes one newline from it,
 * nothing else: "offline " is not "offline". A signal ends it with -EINTR, so that it can be
 * cancelled. 0; negative errno of open or read; -EMSGSIZE: longer than @size; -EBADMSG: a NUL in
 * it.
 * @buf is a string in any case, empty on error.
 */
int attr_read(int dir_fd, const char *name, char *buf, size_t size);

/* Whether @s is the name of a dax device: "dax0.1". */
bool attr_is_dax_name(const char *s);
