/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extents: plain directories below their dax region, unknown to libcxl. They come and go without
 * any uevent, and their names are used again.
 */
#include "inventory/scan_internal.h"
#include "util/sysfs.h"

static int read_extent(struct scan *scan, const struct place *list, const char *name,
		       const struct region *region, struct extent *ret)
{
	/*
	 * O_PATH on the directory: all that is read through it is of this one object, also if it
	 * goes away and its name is given to another. It does not hold the object up.
	 */
	_cleanup_close_ int fd = scan_open(scan, list, name);
	const struct place at = { list, name, fd };
	uint64_t offset, length;
	int r;

	if (fd < 0)
		return fd;
	/*
	 * The uuid first: that it is missing means "untagged" only if the object was still whole,
	 * which the two attributes then show that the kernel removes before it.
	 */
	r = scan_read_tag(scan, &at, "uuid", &ret->tag);
	if (r < 0)
		return r;
	r = scan_read_u64(scan, &at, "offset", &offset);
	if (r < 0)
		return r;
	r = scan_read_u64(scan, &at, "length", &length);
	if (r < 0)
		return r;

	/* An extent is inside of its region; if it is not, this is not the region we read. */
	if (length == 0 || length > region->hpa.length || length > region->dpa.length ||
	    offset > region->hpa.length - length || offset > region->dpa.length - length)
		return scan_torn(scan, list, name);
	ret->hpa = (struct range){ .start = region->hpa.start + offset, .length = length };
	ret->dpa = (struct range){ .start = region->dpa.start + offset, .length = length };
	ret->device = INVENTORY_NONE;
	ret->sharable = tag_is_null(&ret->tag) ? 0 : -1;
	r = str_copy(ret->name, sizeof(ret->name), name);
	return r < 0 ? scan_failed(scan, list, name, r) : 0;
}

static int add_extent(struct scan *scan, const struct place *list, const char *name,
		      uint32_t region)
{
	struct inventory *inv = scan->inv;
	struct extent *extent = SCAN_PUSH(inv->extents, inv->n_extents);
	int r;

	if (!extent)
		return -ENOMEM;
	extent->region = region;
	r = read_extent(scan, list, name, &inv->regions[region], extent);
	if (r == 0)
		return 0;
	inv->n_extents--;
	return errno_is_gone(r) ? scan_gone(scan, list, name, r) : r;
}

static int scan_region_extents(struct scan *scan, uint32_t region)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[SCAN_PATH_MAX];
	const char *name;
	struct place at;
	int r;

	r = scan_open_dax_region(scan, region, path, &at, &dir);
	if (r <= 0)
		return r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		if (!startswith(name, "extent"))
			continue;
		r = scan_confine(scan, region, add_extent(scan, &at, name, region));
		if (r < 0)
			return r;
	}
	return r;
}

int scan_open_dax_region(struct scan *scan, uint32_t region, char path[static SCAN_PATH_MAX],
			 struct place *ret_at, DIR **ret)
{
	int r;

	(void)snprintf(path, SCAN_PATH_MAX, CXL_DEVICES "/%s",
		       scan->inv->regions[region].dax_region);
	*ret_at = (struct place){ .above = &scan->root, .name = path };
	r = scan_open_list(scan, ret_at, ret);
	if (errno_is_gone(r))
		return scan_gone(scan, &scan->root, path, r);
	return r < 0 ? r : 1;
}

int scan_extents(struct scan *scan)
{
	for (uint32_t i = 0; i < scan->inv->n_regions; i++) {
		int r;

		if (scan->inv->regions[i].dax_region[0] == '\0')
			continue;
		r = scan_confine(scan, i, scan_region_extents(scan, i));
		if (r < 0)
			return r;
	}
	return 0;
}
