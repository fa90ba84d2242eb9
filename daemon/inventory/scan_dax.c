/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dax devices and what they claim. libdaxctl tells mappings, alignment and node; it knows no uuid,
 * leaves out devices without a node in /dev, ends a list of mappings at the first that it cannot
 * read, and is never asked about memory (it takes a device for one span). So what there is comes
 * from sysfs, and mappings count only if they add up to the size.
 */
#include <daxctl/libdaxctl.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

/* The devices that libdaxctl knows, sorted by name: its own list is searched one by one. */
struct known_device {
	const char *name;
	struct daxctl_dev *dev;
};

struct known_devices {
	struct known_device *list;
	uint32_t n;
};

static int compare_known(const void *a, const void *b)
{
	const struct known_device *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int list_known(struct daxctl_ctx *ctx, struct known_devices *ret)
{
	struct daxctl_region *region;
	struct daxctl_dev *dev;

	if (!ctx)
		return 0;
	daxctl_region_foreach(ctx, region) {
		daxctl_dev_foreach(region, dev) {
			struct known_device *known = SCAN_PUSH(ret->list, ret->n);

			if (!known)
				return -ENOMEM;
			known->name = daxctl_dev_get_devname(dev);
			known->dev = dev;
		}
	}
	if (ret->n > 1)
		qsort(ret->list, ret->n, sizeof(*ret->list), compare_known);
	return 0;
}

static struct daxctl_dev *find_known(const struct known_devices *known, const char *name)
{
	const struct known_device key = { .name = name };
	const struct known_device *found = NULL;

	if (known->n > 0)
		found = bsearch(&key, known->list, known->n, sizeof(key), compare_known);
	return found ? found->dev : NULL;
}

static int add_mapping(struct inventory *inv, uint64_t start, uint64_t last, uint64_t page_offset)
{
	struct mapping *mapping;

	if (last < start || last - start == UINT64_MAX)
		return -EBADMSG;
	mapping = SCAN_PUSH(inv->mappings, inv->n_mappings);
	if (!mapping)
		return -ENOMEM;
	mapping->page_offset = page_offset;
	return range_make(start, last - start + 1, &mapping->hpa) < 0 ? -EBADMSG : 0;
}

static int add_mappings_from_libdaxctl(struct inventory *inv, struct daxctl_dev *dev)
{
	struct daxctl_mapping *mapping;

	daxctl_mapping_foreach(dev, mapping) {
		int r = add_mapping(inv, daxctl_mapping_get_start(mapping),
				    daxctl_mapping_get_end(mapping),
				    daxctl_mapping_get_offset(mapping));
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_mapping_from_sysfs(struct scan *scan, const struct place *device, const char *name)
{
	_cleanup_close_ int fd = scan_open(scan, device, name);
	const struct place at = { device, name, fd };
	uint64_t start, end, page_offset;
	int r;

	if (fd < 0)
		return fd;
	r = scan_read_u64(scan, &at, "start", &start);
	if (r < 0)
		return r;
	r = scan_read_u64(scan, &at, "end", &end);
	if (r < 0)
		return r;
	r = scan_read_u64(scan, &at, "page_offset", &page_offset);
	if (r < 0)
		return r;
	r = add_mapping(scan->inv, start, end, page_offset);
	return r == -EBADMSG ? scan_failed(scan, &at, "end", r) : r;
}

static int add_mappings_from_sysfs(struct scan *scan, const struct place *device)
{
	struct place at = { .above = device, .name = "." };
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = scan_open_list(scan, &at, &dir);
	if (r < 0)
		return r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		uint64_t number;

		if (!name_number(name, "mapping", &number))
			continue;
		r = add_mapping_from_sysfs(scan, device, name);
		/* One that is gone is missed in the sum. */
		if (r < 0 && !errno_is_gone(r))
			return r;
	}
	return r;
}

/* Whether the mappings from @first on are inside the region and make up @size bytes. */
static bool mappings_make_up(const struct inventory *inv, uint32_t first, uint64_t size,
			     const struct region *region)
{
	uint64_t sum = 0;

	for (uint32_t i = first; i < inv->n_mappings; i++) {
		const struct range *hpa = &inv->mappings[i].hpa;

		if (!range_contains(&region->hpa, hpa) ||
		    __builtin_add_overflow(sum, hpa->length, &sum))
			return false;
	}
	return sum == size;
}

/* Size, and whether the mappings from device->first_mapping on are all there are. 1, 0 or errno. */
static int complete_claim(struct scan *scan, const struct place *at, struct dax_device *device)
{
	struct inventory *inv = scan->inv;
	int r = scan_read_u64(scan, at, "size", &device->size);

	if (r < 0)
		return r;
	if (!mappings_make_up(inv, device->first_mapping, device->size,
			      &inv->regions[device->region]))
		return 0;
	device->n_mappings = inv->n_mappings - device->first_mapping;
	return 1;
}

/* Fills in the claim: size and mappings. -EAGAIN: it changes just now. */
static int read_claim(struct scan *scan, const struct place *at, struct daxctl_dev *known,
		      struct dax_device *device)
{
	struct inventory *inv = scan->inv;
	int r;

	device->first_mapping = inv->n_mappings;
	if (known) {
		r = add_mappings_from_libdaxctl(inv, known);
		if (r == -ENOMEM)
			return r;
		r = complete_claim(scan, at, device);
		if (r != 0)
			return MIN(r, 0);
		inv->n_mappings = device->first_mapping;
	}

	r = add_mappings_from_sysfs(scan, at);
	if (r < 0)
		return r;
	r = complete_claim(scan, at, device);
	if (r < 0)
		return r;
	return r > 0 ? 0 : scan_torn(scan, at, NULL);
}

static int read_driver(struct scan *scan, const struct place *at, struct dax_device *device)
{
	static const struct {
		const char *driver;
		enum dax_mode mode;
	} modes[] = {
		{ "kmem", DAX_MODE_SYSTEM_RAM },
		{ "device_dax", DAX_MODE_DEVDAX },
		{ "fsdev_dax", DAX_MODE_FSDEV },
	};
	int r = scan_read_link(scan, at, "driver", device->driver, sizeof(device->driver));

	device->mode = DAX_MODE_UNBOUND;
	if (r == -ENOENT)
		return scan_gone(scan, at, "driver", r);
	if (r < 0)
		return r;
	device->mode = DAX_MODE_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (streq(device->driver, modes[i].driver))
			device->mode = modes[i].mode;
	return 0;
}

/* "254:0". 0:0 stands for "has no node", and matches none. */
static int read_dev(struct scan *scan, const struct place *at, struct dax_device *device)
{
	char text[32];
	uint64_t major, minor;
	int n = scan_read(scan, at, "dev", text, sizeof(text));
	char *colon;

	if (n == -ENOENT)
		return scan_gone(scan, at, "dev", n);
	if (n < 0)
		return n;
	colon = strchr(text, ':');
	if (!colon)
		return scan_failed(scan, at, "dev", -EBADMSG);
	*colon = '\0';
	if (sysfs_parse_u64(text, 10, &major) < 0 || sysfs_parse_u64(colon + 1, 10, &minor) < 0 ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return scan_failed(scan, at, "dev", -EBADMSG);
	device->dev_major = (uint32_t)major;
	device->dev_minor = (uint32_t)minor;
	return 0;
}

/* What is only shown, or has a safe meaning when it is missing. */
static void read_details(int fd, struct daxctl_dev *known, struct dax_device *device)
{
	if (known) {
		device->align = daxctl_dev_get_align(known);
		device->target_node = daxctl_dev_get_target_node(known);
	} else {
		if (sysfs_read_u64(fd, "align", 10, &device->align) < 0)
			device->align = 0;
		if (sysfs_read_i32(fd, "target_node", &device->target_node) < 0)
			device->target_node = -1;
	}
	if (sysfs_read_i32(fd, "memmap_on_memory", &device->memmap_on_memory) < 0 ||
	    (device->memmap_on_memory != 0 && device->memmap_on_memory != 1))
		device->memmap_on_memory = -1;
	/* Without it the blocks are taken offline one by one. */
	if (scan_try_read(fd, "state", device->state, sizeof(device->state)) < 0 ||
	    strchr(device->state, '/'))
		device->state[0] = '\0';
}

static int read_device(struct scan *scan, const struct place *list, const char *name,
		       const struct known_devices *known, struct dax_device *device)
{
	_cleanup_close_ int fd = scan_open(scan, list, name);
	const struct place at = { list, name, fd };
	struct daxctl_dev *dev = find_known(known, name);
	int r;

	if (fd < 0)
		return fd;
	r = str_copy(device->name, sizeof(device->name), name);
	if (r < 0)
		return scan_failed(scan, list, name, r);
	r = scan_read_tag(scan, &at, "uuid", &device->tag);
	if (r < 0)
		return r;
	r = read_dev(scan, &at, device);
	if (r < 0)
		return r;
	r = read_driver(scan, &at, device);
	if (r < 0)
		return r;
	read_details(fd, dev, device);
	/* Last: that it has a size shows that the device was there all the time. */
	return read_claim(scan, &at, dev, device);
}

static int add_device(struct scan *scan, const struct place *list, const char *name,
		      uint32_t region, const struct known_devices *known)
{
	struct inventory *inv = scan->inv;
	const uint32_t first_mapping = inv->n_mappings;
	struct dax_device *device = SCAN_PUSH(inv->devices, inv->n_devices);
	int r;

	if (!device)
		return -ENOMEM;
	device->region = region;
	r = read_device(scan, list, name, known, device);
	if (r == 0)
		return 0;
	inv->n_devices--;
	inv->n_mappings = first_mapping;
	return errno_is_gone(r) ? scan_gone(scan, list, name, r) : r;
}

/* "dax0.1" for region id 0. */
static bool is_device_name(const char *name, int32_t region_id)
{
	char prefix[sizeof("dax.") + 11];
	uint64_t number;

	(void)snprintf(prefix, sizeof(prefix), "dax%d.", region_id);
	return name_number(name, prefix, &number);
}

static int scan_region_devices(struct scan *scan, uint32_t region,
			       const struct known_devices *known)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[SCAN_PATH_MAX];
	const char *name;
	struct place at;
	int r;

	/* Below its region, not on the dax bus: there are devices of other providers too. */
	r = scan_open_dax_region(scan, region, path, &at, &dir);
	if (r <= 0)
		return r;
	while ((r = scan_next(scan, &at, dir, &name)) > 0) {
		if (!is_device_name(name, scan->inv->regions[region].id))
			continue;
		r = scan_confine(scan, region, add_device(scan, &at, name, region, known));
		if (r < 0)
			return r;
	}
	return r;
}

int scan_devices(struct scan *scan)
{
	_cleanup_free_ struct known_device *list = NULL;
	struct known_devices known = { 0 };
	int r;

	r = list_known(scan->daxctl, &known);
	list = known.list;
	for (uint32_t i = 0; i < scan->inv->n_regions && r == 0; i++)
		if (scan->inv->regions[i].dax_region[0] != '\0')
			r = scan_confine(scan, i, scan_region_devices(scan, i, &known));
	return r;
}
