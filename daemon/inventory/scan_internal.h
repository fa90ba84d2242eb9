/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of one scan. Each appends what it finds to the inventory; the order in which scan.c
 * calls them matters, because a later part looks at what an earlier one found.
 */
#pragma once

#include <dirent.h>

#include "inventory/scan.h"

#define CXL_DEVICES "bus/cxl/devices"
#define SCAN_PATH_MAX (sizeof(CXL_DEVICES) + 2 * DEV_NAME_MAX)

struct cxl_ctx;
struct daxctl_ctx;

struct scan {
	int sysfs_fd;
	const char *proc;
	struct cxl_ctx *cxl;	   /* NULL: not usable, read sysfs instead */
	struct daxctl_ctx *daxctl; /* NULL: the same */
	struct inventory *inv;
};

/* All return 0 or negative errno as inventory_scan(); -EAGAIN: the host changed, start again. */
int scan_memdevs(struct scan *scan);
int scan_regions(struct scan *scan);
int scan_extents(struct scan *scan);
int scan_devices(struct scan *scan);
int scan_memory(struct scan *scan);    /* block size, auto_online, nodes */
int scan_blocks(struct scan *scan);    /* of the devices found */
int scan_holders(struct scan *scan);   /* of the devices found */
int scan_leftovers(struct scan *scan); /* below extents without a device; after inventory_link() */

/* Opens the directory of a region's dax region, where its extents and devices are. */
int scan_open_dax_region(const struct scan *scan, uint32_t region, DIR **ret);

/* Reads an attribute that holds one word. As sysfs_read(), and -EBADMSG if there is a '/' in it. */
int scan_read_word(int dirfd, const char *path, char buf[static DEV_NAME_MAX]);

/*
 * Reads a tag. The null tag if the attribute is missing (the object has none), empty, "0" or null.
 * -EBADMSG: something else. Then, and if it cannot be read, the object must not pass for untagged.
 */
int scan_read_tag(int dirfd, const char *path, struct tag *ret);

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
