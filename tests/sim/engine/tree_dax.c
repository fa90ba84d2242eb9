/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dax side of /sys: dax regions with their extents and devices, mappings, and the drivers of
 * the dax bus.
 */
#include "internal.h"

/* The tree hands out const pointers; what is written to is the engine's own and not const. */
static struct eng_device *device_of(const struct eng_node *n)
{
	return (struct eng_device *)(uintptr_t)n->obj;
}

static struct eng_region *region_of(const struct eng_node *n)
{
	return (struct eng_region *)(uintptr_t)n->obj;
}

/* ---- dax_regionN/dax_region ---- */

static ssize_t available_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%ju\n", (uintmax_t)eng_region_available(n->obj));
}

static ssize_t device_name_show(const struct eng_device *d, char *buf, size_t size)
{
	char name[ENG_DAX_NAME_MAX] = "";

	if (d)
		(void)eng_device_name(d, name);
	return snprintf(buf, size, "%s\n", name);
}

static ssize_t seed_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return device_name_show(region_of(n)->seed, buf, size);
}

static ssize_t create_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return device_name_show(region_of(n)->youngest, buf, size);
}

static ssize_t create_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	(void)w;
	return eng_create_store(e, region_of(n), buf);
}

static ssize_t delete_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	(void)w;
	return eng_delete_store(e, region_of(n), buf);
}

/* ---- daxN.M ---- */

static ssize_t size_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%ju\n", (uintmax_t)eng_device_size(n->obj));
}

static ssize_t size_store(struct engine *e, const struct eng_node *n, const char *buf,
			  const struct engine_writer *w)
{
	(void)w;
	return eng_size_store(e, device_of(n), buf);
}

static ssize_t uuid_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	const struct eng_device *d = n->obj;
	char text[TAG_STRLEN + 1];

	if (e->config.naming == ENGINE_V10 && tag_is_null(&d->tag))
		return snprintf(buf, size, "0\n");
	return snprintf(buf, size, "%s\n", tag_format(&d->tag, text));
}

static ssize_t uuid_store(struct engine *e, const struct eng_node *n, const char *buf,
			  const struct engine_writer *w)
{
	(void)w;
	return eng_uuid_store(e, device_of(n), buf);
}

static ssize_t resource_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	const struct eng_device *d = n->obj;

	(void)e;
	return snprintf(
		buf, size, "0x%jx\n",
		(uintmax_t)(d->n_mappings ? d->mappings[0].hpa.start : d->region->hpa.start));
}

static ssize_t memmap_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%d\n", device_of(n)->memmap_on_memory);
}

static ssize_t memmap_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	(void)w;
	return eng_memmap_store(e, device_of(n), buf);
}

static ssize_t state_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%s\n", eng_kmem_state_name(device_of(n)->state));
}

static ssize_t state_store(struct engine *e, const struct eng_node *n, const char *buf,
			   const struct engine_writer *w)
{
	return eng_state_store(e, device_of(n), buf, w);
}

static void build_power(struct eng_tree *t, struct eng_node *parent)
{
	struct eng_node *dir = eng_dir(t, parent, "power");

	eng_const(t, dir, "autosuspend_delay_ms", 0644, "-1");
	eng_const(t, dir, "control", 0644, "auto");
	eng_const(t, dir, "runtime_active_time", 0444, "0");
	eng_const(t, dir, "runtime_status", 0444, "unsupported");
	eng_const(t, dir, "runtime_suspended_time", 0444, "0");
}

static void build_mapping(struct eng_tree *t, struct eng_node *parent,
			  const struct eng_mapping *map, size_t index)
{
	struct eng_node *dir = eng_dir(t, parent, "mapping%zu", index);

	eng_const(t, dir, "start", 0400, "0x%jx", (uintmax_t)map->hpa.start);
	eng_const(t, dir, "end", 0400, "0x%jx", (uintmax_t)range_end(&map->hpa) - 1);
	eng_const(t, dir, "page_offset", 0444, "0x%jx", (uintmax_t)map->page_offset);
	eng_devlinks(t, dir, NULL, NULL, "");
	build_power(t, dir);
}

static void build_device(struct engine *e, struct eng_tree *t, const struct eng_device *d)
{
	char name[ENG_DAX_NAME_MAX], path[ENG_PATH_MAX], env[160], dev[32];
	const char *driver = d->driver == ENG_DRIVER_NONE ? NULL : eng_driver_name(d->driver);
	struct eng_node *dir = eng_dir_at(t, eng_device_path(d, path));

	eng_device_name(d, name);
	eng_const(t, dir, "align", 0444, "%ju", (uintmax_t)ENG_ALIGN);
	eng_const(t, dir, "dev", 0444, "%d:%u", ENG_DAX_MAJOR, d->minor);
	eng_const(t, dir, "modalias", 0444, "dax:t0");
	eng_const(t, dir, "numa_node", 0444, "-1");
	eng_const(t, dir, "target_node", 0444, "%d", d->region->target_node);
	eng_attr(t, dir, "memmap_on_memory", 0644, memmap_show, memmap_store, d, 0);
	eng_attr(t, dir, "resource", 0400, resource_show, NULL, d, 0);
	eng_attr(t, dir, "size", 0644, size_show, size_store, d, 0);
	eng_attr(t, dir, "uuid", 0644, uuid_show, uuid_store, d, 0);
	/* The driver brings it along. */
	if (e->config.state_attribute && d->driver == ENG_KMEM)
		eng_attr(t, dir, "state", 0644, state_show, state_store, d, 0);
	build_power(t, dir);
	for (size_t i = 0; i < d->n_mappings; i++)
		build_mapping(t, dir, &d->mappings[i], i);
	(void)snprintf(env, sizeof(env), "MAJOR=%d\nMINOR=%u\nDEVNAME=%s\n%s%s%sMODALIAS=dax:t0\n",
		       ENG_DAX_MAJOR, d->minor, name, driver ? "DRIVER=" : "", driver ? driver : "",
		       driver ? "\n" : "");
	eng_devlinks(t, dir, "dax", driver, env);
	eng_link(t, eng_dir_at(t, "/bus/dax/devices"), name, "%s", path);
	(void)snprintf(dev, sizeof(dev), "%d:%u", ENG_DAX_MAJOR, d->minor);
	eng_link(t, eng_dir_at(t, "/dev/char"), dev, "%s", path);
	if (driver) {
		char drivers[64];

		(void)snprintf(drivers, sizeof(drivers), "/bus/dax/drivers/%s", driver);
		eng_link(t, eng_dir_at(t, drivers), name, "%s", path);
	}
}

/* ---- dax_regionN ---- */

static void build_extent(struct eng_tree *t, struct eng_node *parent, const struct eng_extent *x)
{
	char name[ENG_DAX_NAME_MAX], text[TAG_STRLEN + 1];
	struct eng_node *dir = eng_dir(t, parent, "%s", eng_extent_name(x, name));

	eng_const(t, dir, "offset", 0444, "0x%jx",
		  (uintmax_t)(x->dpa.start - x->region->dpa.start));
	eng_const(t, dir, "length", 0444, "0x%jx", (uintmax_t)x->dpa.length);
	if (!tag_is_null(&x->tag))
		eng_const(t, dir, "uuid", 0444, "%s", tag_format(&x->tag, text));
	/* No bus, no class: an uevent file and nothing else. */
	eng_devlinks(t, dir, NULL, NULL, "");
}

static void build_dax_region(struct engine *e, struct eng_tree *t, const struct eng_region *r)
{
	char path[ENG_PATH_MAX], name[32];
	struct eng_node *dir = eng_dir_at(t, eng_dax_region_path(r, path));
	struct eng_node *sub;

	(void)snprintf(name, sizeof(name), "dax_region%u", r->id);
	eng_const(t, dir, "devtype", 0444, "cxl_dax_region");
	eng_const(t, dir, "modalias", 0444, "cxl:t8");
	eng_link(t, eng_dir_at(t, "/bus/cxl/devices"), name, "%s", path);
	if (!r->dax) {
		eng_devlinks(t, dir, "cxl", NULL, "DEVTYPE=cxl_dax_region\nMODALIAS=cxl:t8\n");
		return;
	}
	eng_devlinks(t, dir, "cxl", "cxl_dax_region",
		     "DEVTYPE=cxl_dax_region\nDRIVER=cxl_dax_region\nMODALIAS=cxl:t8\n");
	eng_link(t, eng_dir_at(t, "/bus/cxl/drivers/cxl_dax_region"), name, "%s", path);

	sub = eng_dir(t, dir, "dax_region");
	eng_const(t, sub, "id", 0444, "%u", r->id);
	eng_const(t, sub, "align", 0400, "%ju", (uintmax_t)ENG_ALIGN);
	eng_const(t, sub, "size", 0444, "%ju", (uintmax_t)r->hpa.length);
	eng_attr(t, sub, "available_size", 0444, available_show, NULL, r, 0);
	eng_attr(t, sub, "seed", 0444, seed_show, NULL, r, 0);
	eng_attr(t, sub, "create", 0644, create_show, create_store, r, 0);
	eng_attr(t, sub, "delete", 0200, NULL, delete_store, r, 0);
	for (size_t i = 0; i < r->n_extents; i++)
		build_extent(t, dir, r->extents[i]);
	for (size_t i = 0; i < r->n_devices; i++)
		build_device(e, t, r->devices[i]);
}

/* ---- drivers ---- */

static ssize_t bind_store(struct engine *e, const struct eng_node *n, const char *buf,
			  const struct engine_writer *w)
{
	return eng_bind_store(e, (enum eng_driver)n->arg, buf, w);
}

static ssize_t unbind_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	return eng_unbind_store(e, (enum eng_driver)n->arg, buf, w);
}

static ssize_t new_id_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	return eng_new_id_store(e, (enum eng_driver)n->arg, buf, w);
}

static ssize_t remove_id_store(struct engine *e, const struct eng_node *n, const char *buf,
			       const struct engine_writer *w)
{
	(void)w;
	return eng_remove_id_store(e, (enum eng_driver)n->arg, buf);
}

void eng_build_dax(struct engine *e, struct eng_tree *t)
{
	(void)eng_dir_at(t, "/bus/dax/devices");
	for (unsigned i = ENG_KMEM; i < _ENG_DRIVER_MAX; i++) {
		const char *name = eng_driver_name((enum eng_driver)i);
		struct eng_node *dir = eng_dir(t, eng_dir_at(t, "/bus/dax/drivers"), "%s", name);

		eng_attr(t, dir, "bind", 0200, NULL, bind_store, NULL, i);
		eng_attr(t, dir, "unbind", 0200, NULL, unbind_store, NULL, i);
		eng_attr(t, dir, "new_id", 0200, NULL, new_id_store, NULL, i);
		eng_attr(t, dir, "remove_id", 0200, NULL, remove_id_store, NULL, i);
		eng_link(t, dir, "module", "/module/%s", name);
	}
	for (size_t i = 0; i < e->n_regions; i++)
		if (e->regions[i]->enabled)
			build_dax_region(e, t, e->regions[i]);
}
