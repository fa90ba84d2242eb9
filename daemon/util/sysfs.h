/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded readers for attributes of sysfs and /proc, relative to a directory descriptor. Each one
 * opens, reads and closes at once: an attribute held open delays the removal of its object.
 */
#pragma once

#include <dirent.h>

#include <dcdd/base.h>

#define SYSFS_ATTR_MAX 4096 /* the kernel never gives more than a page */

/*
 * Reads attribute @path below @dirfd into @buf of @size bytes and terminates it. White space at
 * the end is cut off. Returns the length, or negative errno: of open and read as they are
 * (-ENOENT: no such attribute; -ENODEV: its object is just going away); -EMSGSIZE: does not fit;
 * -EBADMSG: holds a NUL byte.
 */
ssize_t sysfs_read(int dirfd, const char *path, char *buf, size_t size);

/*
 * The same for a number, which must be all there is: in @base 10 or 16, or hexadecimal behind 0x.
 * -EBADMSG: not a number; -ERANGE: too large for the type.
 */
int sysfs_read_u64(int dirfd, const char *path, int base, uint64_t *ret);
int sysfs_read_i32(int dirfd, const char *path, int32_t *ret);

/* The last component of what symlink @path points to ("kmem" of driver). */
int sysfs_read_link(int dirfd, const char *path, char *buf, size_t size);

/* Opens a directory for walking, respectively as a starting point for the functions above. */
int sysfs_open_list(int dirfd, const char *path, DIR **ret);
int sysfs_open_dir(int dirfd, const char *path);

/* The next entry: 1, or 0 at the end, or negative errno (readdir(3) alone hides the difference). */
int sysfs_next(DIR *dir, const char **ret_name);

/*
 * Parses all of @s; @base as above. -EBADMSG: not a number (empty, sign, white space, other
 * characters); -ERANGE: more than 64 bits.
 */
int sysfs_parse_u64(const char *s, int base, uint64_t *ret);

/*
 * The number in a name like "memory338": digits only behind @prefix, no leading zero, so that each
 * number has one name. False if @name is not of that form or the number does not fit.
 */
bool name_number(const char *name, const char *prefix, uint64_t *ret);

/* Whether @error says that an object or attribute is not, or no longer, there. */
static inline bool errno_is_gone(int error)
{
	error = error < 0 ? -error : error;
	return error == ENOENT || error == ENODEV || error == ENXIO || error == ENOTDIR;
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}
#define _cleanup_closedir_ _cleanup_(closedirp)
