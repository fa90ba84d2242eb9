/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of one scan. Each appends what it finds to the inventory; the order in which scan.c
 * calls them matters, because a later part looks at what an earlier one found.
 */
#pragma once

#include <dirent.h>

#include "inventory/scan.h"

#define CXL_DEVICES "bus/cxl/devices"

struct cxl_ctx;
struct daxctl_ctx;

/* A directory that is being read, and where it is, for messages. */
struct place {
	const struct place *above; /* NULL: this is the sysfs root */
	const char *name;	   /* in it; may have slashes */
	int fd;			   /* not owned */
};

/* What could not be read last. */
struct failure {
	int error; /* negative errno; 0: nothing, or it changed while it was read */
	char path[INVENTORY_PATH_MAX]; /* below the sysfs root, or from / if outside of it */
};

struct scan {
	struct place root;
	const char *proc;
	struct cxl_ctx *cxl;	   /* NULL: not usable, read sysfs instead */
	struct daxctl_ctx *daxctl; /* NULL: the same */
	bool last_try;		   /* what is torn now will not be looked at again */
	struct failure failure;
	struct inventory *inv;
	/* scan_memory.c: the blocks there are, sorted; listed once it is needed. */
	DIR *memory;
	uint64_t *blocks;
	uint32_t n_blocks;
};

/* All return 0 or negative errno as inventory_scan(); -EAGAIN: the host changed, start again. */
int scan_memdevs(struct scan *scan);
int scan_regions(struct scan *scan);
int scan_extents(struct scan *scan);
int scan_devices(struct scan *scan);
int scan_memory(struct scan *scan);    /* block size, auto_online */
int scan_nodes(struct scan *scan);     /* and their huge pages */
int scan_blocks(struct scan *scan);    /* of the devices found */
int scan_holders(struct scan *scan);   /* of the devices found */
int scan_leftovers(struct scan *scan); /* below extents without a device; after inventory_link() */

/*
 * Opens the directory of a region's dax region, where its extents and devices are: 1, or 0 if it
 * has gone, or negative errno. @path is room for its name.
 */
#define SCAN_PATH_MAX (sizeof(CXL_DEVICES) + 1 + DEV_NAME_MAX)
int scan_open_dax_region(struct scan *scan, uint32_t region, char path[static SCAN_PATH_MAX],
			 struct place *ret_at, DIR **ret);

/* ---- scan_read.c: what is read by these is remembered in scan->failure if it cannot be ---- */

/* As sysfs_open_dir() and sysfs_open_list(); the latter opens @at, whose fd it sets. */
int scan_open(struct scan *scan, const struct place *above, const char *name);
int scan_open_list(struct scan *scan, struct place *at, DIR **ret);
int scan_next(struct scan *scan, const struct place *at, DIR *dir, const char **ret_name);

/* As the functions of sysfs.h, but once again after -EINTR, -EAGAIN or -ENOMEM. */
int scan_read(struct scan *scan, const struct place *at, const char *name, char *buf, size_t size);
int scan_read_u64(struct scan *scan, const struct place *at, const char *name, uint64_t *ret);
int scan_read_i32(struct scan *scan, const struct place *at, const char *name, int32_t *ret);
int scan_read_link(struct scan *scan, const struct place *at, const char *name, char *buf,
		   size_t size);

/* Reads an attribute that holds one word. -EBADMSG if there is a '/' in it. */
int scan_read_word(struct scan *scan, const struct place *at, const char *name,
		   char buf[static DEV_NAME_MAX]);

/*
 * Reads a tag. The null tag if the attribute is missing (the object has none), empty, "0" or null.
 * -EBADMSG: something else. Then, and if it cannot be read, the object must not pass for untagged.
 */
int scan_read_tag(struct scan *scan, const struct place *at, const char *name, struct tag *ret);

/* sysfs_read() with the same second try; not remembered: for what may be unreadable. */
int scan_try_read(int dirfd, const char *name, char *buf, size_t size);

/* Remembers that @name of @at (NULL: @at itself) is at fault. Returns @error, negative. */
int scan_failed(struct scan *scan, const struct place *at, const char *name, int error);

/* Remembers that it changed while it was read. Returns -EAGAIN. */
int scan_torn(struct scan *scan, const struct place *at, const char *name);

/*
 * As scan_failed(), for what cannot be done twice by itself, such as reading on in a list: -EAGAIN,
 * all is to be looked at again, if the error may pass and this is not the last try.
 */
int scan_failed_midway(struct scan *scan, const struct place *at, const char *name, int error);

/*
 * Reading @name of @list said that it is gone (@error). 0 if so. An object that is still there is
 * looked at again by the next try; by the last one it is as unreadable as by any other error.
 */
int scan_gone(struct scan *scan, const struct place *list, const char *name, int error);

/*
 * What follows from @error, met below the region: 0 if it was an attribute that could not be read,
 * which the region's `error` says from now on; else @error (torn, no memory), which ends the scan.
 */
int scan_confine(struct scan *scan, uint32_t region, int error);

/*
 * Appends a zeroed element to @array, whose count is @n, and gives its address, or NULL: no memory,
 * or more than INVENTORY_ELEMENTS_MAX of them.
 */
#define SCAN_PUSH(array, n)                                                                        \
	({                                                                                         \
		__typeof__(array) _grown = scan_grow((array), (n), sizeof(*(array)));              \
		if (_grown)                                                                        \
			(array) = _grown;                                                          \
		_grown ? &(array)[(n)++] : NULL;                                                   \
	})
void *scan_grow(void *array, uint32_t n, size_t size);
