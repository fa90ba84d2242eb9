/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extents: plain directories below their dax region, unknown to libcxl. They come and go without
 * any uevent, and their names are used again.
 */
#include "inventory/scan_internal.h"
#include "util/sysfs.h"

static int read_extent(int list_fd, const char *name, const struct region *region,
		       struct extent *ret)
{
	/*
	 * O_PATH on the directory: all that is read through it is of this one object, also if it
	 * goes away and its name is given to another. It does not hold the object up.
	 */
	_cleanup_close_ int fd = sysfs_open_dir(list_fd, name);
	uint64_t offset, length;
	int r;

	if (fd < 0)
		return fd;
	/*
	 * The uuid first: that it is missing means "untagged" only if the object was still whole,
	 * which the two attributes then show that the kernel removes before it.
	 */
	r = scan_read_tag(fd, "uuid", &ret->tag);
	if (r < 0)
		return r;
	r = sysfs_read_u64(fd, "offset", 10, &offset);
	if (r < 0)
		return r;
	r = sysfs_read_u64(fd, "length", 10, &length);
	if (r < 0)
		return r;

	/* An extent is inside of its region; if it is not, this is not the region we read. */
	if (length == 0 || length > region->hpa.length || length > region->dpa.length ||
	    offset > region->hpa.length - length || offset > region->dpa.length - length)
		return -EAGAIN;
	ret->hpa = (struct range){ .start = region->hpa.start + offset, .length = length };
	ret->dpa = (struct range){ .start = region->dpa.start + offset, .length = length };
	ret->device = INVENTORY_NONE;
	return str_copy(ret->name, sizeof(ret->name), name);
}

static int add_extent(struct scan *scan, int list_fd, const char *name, uint32_t region)
{
	struct inventory *inv = scan->inv;
	struct extent *extent = SCAN_PUSH(inv->extents, inv->n_extents);
	int r;

	if (!extent)
		return -ENOMEM;
	extent->region = region;
	r = read_extent(list_fd, name, &inv->regions[region], extent);
	if (r < 0)
		inv->n_extents--;
	return errno_is_gone(r) ? 0 : r;
}

static int scan_region_extents(struct scan *scan, uint32_t region)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = scan_open_dax_region(scan, region, &dir);
	if (r < 0)
		return errno_is_gone(r) ? 0 : r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		if (!startswith(name, "extent"))
			continue;
		r = add_extent(scan, dirfd(dir), name, region);
		if (r < 0)
			return r;
	}
	return r;
}

int scan_extents(struct scan *scan)
{
	for (uint32_t i = 0; i < scan->inv->n_regions; i++) {
		int r;

		if (scan->inv->regions[i].dax_region[0] == '\0')
			continue;
		r = scan_region_extents(scan, i);
		if (r < 0)
			return r;
	}
	return 0;
}
