/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memdevs, and the regions over dynamic capacity partitions. libcxl tells what it knows; it leaves
 * out without a word what it could not read whole (a memdev without its node in /dev, for one), so
 * the directory of sysfs says what there is, and what the library does not have is read there.
 *
 * Before it lists, libcxl writes to /sys/bus/cxl/flush: the kernel then finishes the probing that
 * it has under way. It changes nothing, but it can wait.
 */
#include <cxl/libcxl.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

static uint32_t find_memdev(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_memdevs; i++)
		if (streq(inv->memdevs[i].name, name))
			return i;
	return INVENTORY_NONE;
}

static int add_memdev(struct inventory *inv, const char *name, uint64_t serial)
{
	struct memdev *memdev = SCAN_PUSH(inv->memdevs, inv->n_memdevs);

	if (!memdev)
		return -ENOMEM;
	memdev->serial = serial;
	return str_copy(memdev->name, sizeof(memdev->name), name);
}

static int add_memdev_from_sysfs(struct scan *scan, int devices_fd, const char *name)
{
	_cleanup_close_ int fd = sysfs_open_dir(devices_fd, name);
	uint64_t serial;
	int r;

	if (fd < 0)
		return errno_is_gone(fd) ? 0 : fd;
	r = sysfs_read_u64(fd, "serial", 10, &serial);
	if (r < 0)
		return errno_is_gone(r) ? 0 : r;
	return add_memdev(scan->inv, name, serial);
}

int scan_memdevs(struct scan *scan)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct cxl_memdev *memdev;
	const char *name;
	uint64_t number;
	int r;

	if (scan->cxl) {
		cxl_memdev_foreach(scan->cxl, memdev) {
			r = add_memdev(scan->inv, cxl_memdev_get_devname(memdev),
				       cxl_memdev_get_serial(memdev));
			if (r < 0)
				return r;
		}
	}

	r = sysfs_open_list(scan->sysfs_fd, CXL_DEVICES, &dir);
	if (r < 0) /* no CXL */
		return errno_is_gone(r) ? 0 : r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		if (!name_number(name, "mem", &number) ||
		    find_memdev(scan->inv, name) != INVENTORY_NONE)
			continue;
		r = add_memdev_from_sysfs(scan, dirfd(dir), name);
		if (r < 0)
			return r;
	}
	return r;
}

/* What is asked of either source about a region. */
struct region_source {
	uint64_t resource, size, dpa_resource, dpa_size;
	uint64_t ways;
	char decoder[DEV_NAME_MAX];
	char memdev[DEV_NAME_MAX];
};

static struct cxl_region *find_in_libcxl(struct cxl_ctx *ctx, const char *name)
{
	struct cxl_bus *bus;
	struct cxl_decoder *decoder;
	struct cxl_region *region;

	cxl_bus_foreach(ctx, bus) {
		cxl_decoder_foreach(cxl_bus_get_port(bus), decoder) {
			cxl_region_foreach(decoder, region) {
				if (streq(cxl_region_get_devname(region), name))
					return region;
			}
		}
	}
	return NULL;
}

/* False if the library does not know it, or not all of it. */
static bool ask_libcxl(struct cxl_ctx *ctx, const char *name, struct region_source *ret)
{
	struct cxl_region *region = ctx ? find_in_libcxl(ctx, name) : NULL;
	struct cxl_memdev_mapping *mapping = region ? cxl_mapping_get_first(region) : NULL;
	struct cxl_decoder *decoder = mapping ? cxl_mapping_get_decoder(mapping) : NULL;
	struct cxl_memdev *memdev = decoder ? cxl_decoder_get_memdev(decoder) : NULL;

	if (!memdev)
		return false;
	*ret = (struct region_source){
		.resource = cxl_region_get_resource(region),
		.size = cxl_region_get_size(region),
		.dpa_resource = cxl_decoder_get_dpa_resource(decoder),
		.dpa_size = cxl_decoder_get_dpa_size(decoder),
		.ways = cxl_region_get_interleave_ways(region),
	};
	/* All ones stands for an attribute that could not be read. */
	if (ret->resource == UINT64_MAX || ret->size == UINT64_MAX ||
	    ret->dpa_resource == UINT64_MAX || ret->dpa_size == UINT64_MAX ||
	    ret->ways == UINT32_MAX)
		return false;
	return str_copy(ret->decoder, sizeof(ret->decoder), cxl_decoder_get_devname(decoder)) ==
		       0 &&
	       str_copy(ret->memdev, sizeof(ret->memdev), cxl_memdev_get_devname(memdev)) == 0;
}

static int ask_sysfs_decoder(int devices_fd, struct region_source *ret)
{
	_cleanup_close_ int fd = sysfs_open_dir(devices_fd, ret->decoder);
	int r;

	if (fd < 0)
		return fd;
	r = sysfs_read_u64(fd, "dpa_resource", 10, &ret->dpa_resource);
	if (r < 0)
		return r;
	r = sysfs_read_u64(fd, "dpa_size", 10, &ret->dpa_size);
	if (r < 0)
		return r;
	/* An endpoint decoder lies in its endpoint, whose upstream port is the memdev. */
	return sysfs_read_link(fd, "../uport", ret->memdev, sizeof(ret->memdev));
}

static int ask_sysfs(int devices_fd, int region_fd, struct region_source *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = sysfs_read_u64(region_fd, "interleave_ways", 10, &ret->ways);
	if (r < 0)
		return r;
	r = sysfs_read_u64(region_fd, "resource", 10, &ret->resource);
	if (r < 0)
		return r;
	r = sysfs_read_u64(region_fd, "size", 10, &ret->size);
	if (r < 0)
		return r;
	r = scan_read_word(region_fd, "target0", ret->decoder);
	if (r < 0)
		return r;
	if (ret->decoder[0] == '\0') /* being set up */
		return -ENODEV;
	if (!startswith(ret->decoder, "decoder"))
		return -EBADMSG;
	return ask_sysfs_decoder(devices_fd, ret);
}

/* The dax region exists once dax_cxl is bound to the region. */
static int read_dax_region(int devices_fd, uint64_t number, struct region *region)
{
	char path[SCAN_PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "dax_region%u/dax_region/id", (unsigned)number);
	r = sysfs_read_i32(devices_fd, path, &region->id);
	if (errno_is_gone(r)) {
		region->id = -1;
		return 0;
	}
	if (r < 0)
		return r;
	(void)snprintf(region->dax_region, sizeof(region->dax_region), "dax_region%u",
		       (unsigned)number);

	/* For show only. */
	(void)snprintf(path, sizeof(path), "dax_region%u/dax_region/available_size",
		       (unsigned)number);
	if (sysfs_read_u64(devices_fd, path, 10, &region->available) < 0)
		region->available = 0;
	return 0;
}

/* 1 if it is one of those we want, else 0. */
static int read_region(struct scan *scan, int devices_fd, const char *name, uint64_t number,
		       struct region *ret)
{
	_cleanup_close_ int fd = sysfs_open_dir(devices_fd, name);
	struct region_source source;
	int r;

	if (fd < 0)
		return fd;
	r = scan_read_word(fd, "mode", ret->mode);
	if (r < 0)
		return r;
	/* "dynamic_ram_1"; before, the partition was a letter. */
	if (!startswith(ret->mode, "dynamic_ram"))
		return 0;
	if (!ask_libcxl(scan->cxl, name, &source)) {
		r = ask_sysfs(devices_fd, fd, &source);
		if (r < 0)
			return r;
	}
	if (source.ways > 1)
		return 0;
	if (range_make(source.resource, source.size, &ret->hpa) < 0 ||
	    range_make(source.dpa_resource, source.dpa_size, &ret->dpa) < 0)
		return -EBADMSG;
	ret->memdev = find_memdev(scan->inv, source.memdev);
	if (ret->memdev == INVENTORY_NONE) /* came after the memdevs were read */
		return -EAGAIN;
	(void)str_copy(ret->decoder, sizeof(ret->decoder), source.decoder);
	r = str_copy(ret->name, sizeof(ret->name), name);
	if (r < 0)
		return r;
	r = read_dax_region(devices_fd, number, ret);
	return r < 0 ? r : 1;
}

static int add_region(struct scan *scan, int devices_fd, const char *name, uint64_t number)
{
	struct inventory *inv = scan->inv;
	struct region *region = SCAN_PUSH(inv->regions, inv->n_regions);
	int r;

	if (!region)
		return -ENOMEM;
	r = read_region(scan, devices_fd, name, number, region);
	if (r <= 0)
		inv->n_regions--;
	return errno_is_gone(r) ? 0 : MIN(r, 0);
}

int scan_regions(struct scan *scan)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_open_list(scan->sysfs_fd, CXL_DEVICES, &dir);
	if (r < 0)
		return errno_is_gone(r) ? 0 : r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		uint64_t number;

		if (!name_number(name, "region", &number) || number > INT32_MAX)
			continue;
		r = add_region(scan, dirfd(dir), name, number);
		if (r < 0)
			return r;
	}
	return r;
}
