/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk through /proc for those who hold a device: what its parts share. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

/* A device that can be held, and how to recognise it. */
struct target {
	uint32_t device;
	unsigned major, minor;		 /* of the device; 0:0 is none */
	bool has_node;			 /* /dev/daxX.Y is there */
	unsigned node_major, node_minor; /* of the file system it is on */
	uint64_t node_inode;
};

/* What a process sees of the mounts: a namespace, and the part of it below the process' root. */
struct view {
	uint64_t namespace;
	unsigned root_major, root_minor;
	uint64_t root_inode, root_mount;
};

struct walk {
	struct scan *scan;
	struct target *targets;
	uint32_t n_targets;
	struct view *views; /* those whose mounts were read */
	uint32_t n_views;
	int proc_fd;
	int32_t own_pid;
};

/* The one being looked at. */
struct process {
	int32_t pid;
	int fd;		/* its directory */
	uint32_t first; /* its holders begin here */
};

static inline bool is_denied(int r)
{
	return r == -EACCES || r == -EPERM;
}

static inline bool is_ended(int r)
{
	return r == -ESRCH || errno_is_gone(r);
}

/*
 * Asks the kernel only for what it knows by itself: a dead NFS server must not stop us. @path may
 * be "", for @dirfd itself.
 */
static inline int stat_cached(int dirfd, const char *path, struct statx *ret)
{
	if (statx(dirfd, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_INO | STATX_MNT_ID, ret) < 0)
		return -errno;
	return 0;
}

/* The device that this file is, or NULL. */
const struct target *find_target(const struct walk *walk, const struct statx *st);

/*
 * scan_mounts.c: the mounts that a task sees, unless they were read for another one. 0 or negative
 * errno.
 */
int scan_mounts(struct walk *walk, int32_t pid, int task_fd);
