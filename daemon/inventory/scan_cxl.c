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
#include <fcntl.h>

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

/* The serial number is for show: what cannot tell it is there all the same. */
static int add_memdev_from_sysfs(struct scan *scan, int devices_fd, const char *name)
{
	char path[sizeof("/serial") + DEV_NAME_MAX], text[32];
	uint64_t serial;
	int r;

	(void)snprintf(path, sizeof(path), "%.*s/serial", DEV_NAME_MAX - 1, name);
	r = scan_try_read(devices_fd, path, text, sizeof(text));
	if (r < 0 && errno_is_gone(r) && faccessat(devices_fd, name, F_OK, 0) < 0)
		return 0;
	if (r < 0 || sysfs_parse_u64(text, 10, &serial) < 0)
		serial = 0;
	return add_memdev(scan->inv, name, serial);
}

int scan_memdevs(struct scan *scan)
{
	struct place at = { .above = &scan->root, .name = CXL_DEVICES };
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

	r = scan_open_list(scan, &at, &dir);
	if (r < 0) /* no CXL */
		return errno_is_gone(r) ? scan_gone(scan, &scan->root, CXL_DEVICES, r) : r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		if (!name_number(name, "mem", &number) ||
		    find_memdev(scan->inv, name) != INVENTORY_NONE)
			continue;
		r = add_memdev_from_sysfs(scan, at.fd, name);
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

static int ask_sysfs_decoder(struct scan *scan, const struct place *list, struct region_source *ret)
{
	_cleanup_close_ int fd = scan_open(scan, list, ret->decoder);
	const struct place at = { list, ret->decoder, fd };
	int r;

	if (fd < 0)
		return fd;
	r = scan_read_u64(scan, &at, "dpa_resource", &ret->dpa_resource);
	if (r < 0)
		return r;
	r = scan_read_u64(scan, &at, "dpa_size", &ret->dpa_size);
	if (r < 0)
		return r;
	/* An endpoint decoder lies in its endpoint, whose upstream port is the memdev. */
	return scan_read_link(scan, &at, "../uport", ret->memdev, sizeof(ret->memdev));
}

/* 1, 0 if the region is none of ours, or errno. */
static int ask_sysfs(struct scan *scan, const struct place *list, const struct place *at,
		     struct region_source *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = scan_read_u64(scan, at, "interleave_ways", &ret->ways);
	if (r < 0)
		return r;
	if (ret->ways != 1) /* 0: being set up */
		return 0;
	r = scan_read_u64(scan, at, "resource", &ret->resource);
	if (r < 0)
		return r;
	r = scan_read_u64(scan, at, "size", &ret->size);
	if (r < 0)
		return r;
	r = scan_read_word(scan, at, "target0", ret->decoder);
	if (r < 0)
		return r;
	if (ret->decoder[0] == '\0') /* being set up */
		return 0;
	if (!startswith(ret->decoder, "decoder"))
		return scan_failed(scan, at, "target0", -EBADMSG);
	r = ask_sysfs_decoder(scan, list, ret);
	return r < 0 ? r : 1;
}

/* Whose region it is, by a way of its own: also if something else of it cannot be read. */
static uint32_t find_owner(const struct scan *scan, const struct place *list, const char *region)
{
	char path[3 * DEV_NAME_MAX], decoder[DEV_NAME_MAX], memdev[DEV_NAME_MAX];

	(void)snprintf(path, sizeof(path), "%s/target0", region);
	if (scan_try_read(list->fd, path, decoder, sizeof(decoder)) < 0 ||
	    !startswith(decoder, "decoder") || strchr(decoder, '/'))
		return INVENTORY_NONE;
	(void)snprintf(path, sizeof(path), "%s/../uport", decoder);
	if (sysfs_read_link(list->fd, path, memdev, sizeof(memdev)) < 0)
		return INVENTORY_NONE;
	return find_memdev(scan->inv, memdev);
}

/* The dax region exists once dax_cxl is bound to the region. */
static int read_dax_region(struct scan *scan, const struct place *list, uint64_t number,
			   struct region *region)
{
	char name[DEV_NAME_MAX], path[DEV_NAME_MAX + 32], text[32];
	int r;

	(void)snprintf(name, sizeof(name), "dax_region%u", (unsigned)number);
	(void)snprintf(path, sizeof(path), "%s/dax_region", name);
	if (faccessat(list->fd, path, F_OK, 0) < 0 && errno_is_gone(errno))
		return 0;
	(void)snprintf(path, sizeof(path), "%s/dax_region/id", name);
	r = scan_read_i32(scan, list, path, &region->id);
	if (r < 0) {
		region->id = -1;
		return r;
	}
	(void)str_copy(region->dax_region, sizeof(region->dax_region), name);

	/* For show only. */
	(void)snprintf(path, sizeof(path), "%s/dax_region/available_size", name);
	if (scan_try_read(list->fd, path, text, sizeof(text)) < 0 ||
	    sysfs_parse_u64(text, 10, &region->available) < 0)
		region->available = 0;
	return 0;
}

/* 1 if it is one of those we want, else 0. */
static int read_region(struct scan *scan, const struct place *list, const char *name,
		       uint64_t number, struct region *ret)
{
	_cleanup_close_ int fd = scan_open(scan, list, name);
	const struct place at = { list, name, fd };
	struct region_source source;
	int r;

	if (fd < 0)
		return fd;
	r = scan_read_word(scan, &at, "mode", ret->mode);
	if (r < 0)
		return r;
	/* "dynamic_ram_1"; before, the partition was a letter. */
	if (!startswith(ret->mode, "dynamic_ram"))
		return 0;
	if (!ask_libcxl(scan->cxl, name, &source)) {
		r = ask_sysfs(scan, list, &at, &source);
		if (r <= 0)
			return r;
	}
	if (source.ways > 1)
		return 0;
	if (range_make(source.resource, source.size, &ret->hpa) < 0)
		return scan_failed(scan, &at, "resource", -EBADMSG);
	if (range_make(source.dpa_resource, source.dpa_size, &ret->dpa) < 0)
		return scan_failed(scan, list, source.decoder, -EBADMSG);
	ret->memdev = find_memdev(scan->inv, source.memdev);
	if (ret->memdev == INVENTORY_NONE) /* came after the memdevs were read */
		return scan_torn(scan, list, source.memdev);
	(void)str_copy(ret->decoder, sizeof(ret->decoder), source.decoder);
	r = read_dax_region(scan, list, number, ret);
	return r < 0 ? r : 1;
}

static int add_region(struct scan *scan, const struct place *list, const char *name,
		      uint64_t number)
{
	struct inventory *inv = scan->inv;
	struct region *region = SCAN_PUSH(inv->regions, inv->n_regions);
	int r;

	if (!region)
		return -ENOMEM;
	region->id = -1;
	region->memdev = INVENTORY_NONE;
	(void)str_copy(region->name, sizeof(region->name), name); /* has room: a number */
	r = read_region(scan, list, name, number, region);
	if (r > 0)
		return 0;
	if (errno_is_gone(r))
		r = scan_gone(scan, list, name, r);
	if (r == 0) {
		inv->n_regions--;
		return 0;
	}
	/* It stays, for nobody to believe that it is not there. */
	r = scan_confine(scan, inv->n_regions - 1, r);
	if (r == 0 && region->memdev == INVENTORY_NONE)
		region->memdev = find_owner(scan, list, name);
	return r;
}

int scan_regions(struct scan *scan)
{
	struct place at = { .above = &scan->root, .name = CXL_DEVICES };
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = scan_open_list(scan, &at, &dir);
	if (r < 0)
		return errno_is_gone(r) ? scan_gone(scan, &scan->root, CXL_DEVICES, r) : r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		uint64_t number;

		if (!name_number(name, "region", &number) || number > INT32_MAX)
			continue;
		r = add_region(scan, &at, name, number);
		if (r < 0)
			return r;
	}
	return r;
}
