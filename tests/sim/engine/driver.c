/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dax bus: which driver takes which device, and what the files bind, unbind, new_id and
 * remove_id of a driver do. Dynamic capacity devices match device_dax by type and every
 * other driver only by a name it was told.
 */
#include "internal.h"

static const char *const driver_names[_ENG_DRIVER_MAX] = {
	[ENG_DRIVER_NONE] = "",
	[ENG_KMEM] = "kmem",
	[ENG_DEVICE_DAX] = "device_dax",
	[ENG_FSDEV_DAX] = "fsdev_dax",
};

const char *eng_driver_name(enum eng_driver driver)
{
	return driver_names[driver];
}

void eng_device_uevent(struct engine *e, const struct eng_device *d, const char *action)
{
	char path[ENG_PATH_MAX], name[ENG_DAX_NAME_MAX];
	char devname[ENG_DAX_NAME_MAX + 16], driver[32], major[16], minor[24];
	const char *env[6];
	size_t n = 0;

	(void)snprintf(devname, sizeof(devname), "DEVNAME=/dev/%s", eng_device_name(d, name));
	(void)snprintf(driver, sizeof(driver), "DRIVER=%s", driver_names[d->driver]);
	(void)snprintf(major, sizeof(major), "MAJOR=%d", ENG_DAX_MAJOR);
	(void)snprintf(minor, sizeof(minor), "MINOR=%u", d->minor);
	env[n++] = devname;
	if (d->driver != ENG_DRIVER_NONE)
		env[n++] = driver;
	/* Seen: every event of a dax device but unbind carries it. */
	if (!streq(action, "unbind"))
		env[n++] = "MODALIAS=dax:t0";
	env[n++] = major;
	env[n++] = minor;
	env[n] = NULL;
	eng_uevent(e, action, eng_device_path(d, path), "dax", env);
}

static size_t find_id(const struct engine *e, enum eng_driver driver, const char *name)
{
	const struct eng_ids *ids = &e->ids[driver];
	size_t i = 0;

	while (i < ids->n_ids && !eng_sysfs_streq(ids->ids[i].name, name))
		i++;
	return i;
}

static bool driver_matches(const struct engine *e, enum eng_driver driver,
			   const struct eng_device *d)
{
	char name[ENG_DAX_NAME_MAX];

	return driver == ENG_DEVICE_DAX ||
	       find_id(e, driver, eng_device_name(d, name)) < e->ids[driver].n_ids;
}

static int driver_attach(struct engine *e, enum eng_driver driver, struct eng_device *d)
{
	char name[ENG_DAX_NAME_MAX];
	int r;

	if (d->driver != ENG_DRIVER_NONE)
		return -EBUSY;
	if (d->n_mappings == 0)
		return -ENXIO;
	if (driver == ENG_KMEM) {
		r = eng_kmem_probe(e, d);
		if (r < 0) {
			eng_kmsg(e, "kmem %s: probe with driver kmem failed with error %d",
				 eng_device_name(d, name), r);
			return r;
		}
	}
	d->driver = driver;
	if (d->region->seed == d)
		d->region->seed = NULL;
	eng_structure_changed(e);
	eng_device_uevent(e, d, "bind");
	return 0;
}

void eng_driver_detach(struct engine *e, struct eng_device *d, bool force)
{
	if (d->driver == ENG_DRIVER_NONE)
		return;
	if (d->driver == ENG_KMEM)
		eng_kmem_remove(e, d, force);
	d->driver = ENG_DRIVER_NONE;
	eng_structure_changed(e);
	eng_device_uevent(e, d, "unbind");
}

ssize_t eng_bind_store(struct engine *e, enum eng_driver driver, const char *buf,
		       const struct engine_writer *w)
{
	struct eng_device *d = eng_find_device(e, buf);
	ssize_t r;

	if (!d || !driver_matches(e, driver, d))
		return -ENODEV;
	if (driver != ENG_KMEM)
		return driver_attach(e, driver, d);
	r = eng_hotplug_lock(e, w);
	if (r != 0)
		return r;
	return eng_hotplug_unlock(e, w, driver_attach(e, driver, d));
}

ssize_t eng_unbind_store(struct engine *e, enum eng_driver driver, const char *buf,
			 const struct engine_writer *w)
{
	struct eng_device *d = eng_find_device(e, buf);
	ssize_t r;

	if (!d || d->driver != driver)
		return -ENODEV;
	if (driver == ENG_KMEM) {
		r = eng_hotplug_lock(e, w);
		if (r != 0)
			return r;
	}
	eng_driver_detach(e, d, false);
	return driver == ENG_KMEM ? eng_hotplug_unlock(e, w, 0) : 0;
}

/* What sscanf("dax%d.%d") takes: only how it begins is looked at. */
static bool is_dax_name(const char *s)
{
	int region, id;

	return sscanf(s, "dax%d.%d", &region, &id) == 2;
}

ssize_t eng_new_id_store(struct engine *e, enum eng_driver driver, const char *buf,
			 const struct engine_writer *w)
{
	struct eng_ids *ids = &e->ids[driver];
	struct eng_id *grown;
	ssize_t r = 0;

	if (!is_dax_name(buf))
		return -EINVAL;
	if (driver == ENG_KMEM) {
		r = eng_hotplug_lock(e, w);
		if (r != 0)
			return r;
	}
	if (find_id(e, driver, buf) == ids->n_ids) {
		grown = reallocarray(ids->ids, ids->n_ids + 1, sizeof(*grown));
		if (!grown) {
			r = -ENOMEM;
		} else {
			struct eng_id *id = &grown[ids->n_ids++];

			ids->ids = grown;
			(void)str_copy(id->name, sizeof(id->name), buf);
			id->name[strcspn(id->name, "\n")] = '\0';
		}
	}
	/* Every unbound device that matches is tried; those that fail are passed over. */
	for (size_t i = 0; i < e->n_regions && r == 0; i++)
		for (size_t j = 0; j < e->regions[i]->n_devices; j++)
			if (driver_matches(e, driver, e->regions[i]->devices[j]))
				(void)driver_attach(e, driver, e->regions[i]->devices[j]);
	return driver == ENG_KMEM ? eng_hotplug_unlock(e, w, r) : r;
}

ssize_t eng_remove_id_store(struct engine *e, enum eng_driver driver, const char *buf)
{
	struct eng_ids *ids = &e->ids[driver];
	size_t i;

	if (!is_dax_name(buf))
		return -EINVAL;
	i = find_id(e, driver, buf);
	if (i < ids->n_ids) {
		ids->n_ids--;
		memmove(&ids->ids[i], &ids->ids[i + 1], (ids->n_ids - i) * sizeof(*ids->ids));
	}
	return 0;
}
