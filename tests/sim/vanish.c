/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a dax device or a whole tag group away under the hands of whoever uses it: what another
 * admin's daxctl and the device would do between two of its steps. It goes the legal way, so that
 * what is seen is what a kernel would show, and memory in use is not taken.
 */
#include "request.h"
#include "sim.h"

/* The field @key of @object as text, "" if there is none. */
static const char *text(struct json_object *object, const char *key)
{
	return request_string(object, key, "");
}

static struct json_object *member(struct json_object *object, const char *key)
{
	return json_object_object_get(object, key);
}

static size_t length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

/* Whether @name is one of the components of @path. */
static bool path_has(const char *path, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = path; (p = strstr(p, name)); p += n)
		if ((p == path || p[-1] == '/') && (p[n] == '/' || p[n] == '\0'))
			return n > 0;
	return false;
}

/* The device that a memory block in @path belongs to, or "". */
static const char *block_owner(struct json_object *dump, const char *path)
{
	struct json_object *blocks = member(dump, "blocks");

	for (size_t i = 0; i < length(blocks); i++) {
		struct json_object *block = json_object_array_get_idx(blocks, i);
		char name[32];

		snprintf(name, sizeof(name), "memory%jd",
			 (intmax_t)json_object_get_int64(member(block, "number")));
		if (path_has(path, name))
			return text(block, "device");
	}
	return "";
}

/* Whether @device claims the extent called @extent. */
static bool device_claims(struct json_object *device, const char *extent)
{
	struct json_object *mappings = member(device, "mappings");

	for (size_t i = 0; i < length(mappings); i++)
		if (streq(text(json_object_array_get_idx(mappings, i), "extent"), extent))
			return true;
	return false;
}

/* Offlines the device's blocks, unbinds it, gives the claim back and deletes it. */
static int take_device(struct sim *sim, struct json_object *dump, struct json_object *region,
		       struct json_object *device)
{
	struct json_object *blocks = member(dump, "blocks");
	const char *name = text(device, "name"), *driver = text(device, "driver");
	char path[256];
	int r;

	for (size_t i = 0; i < length(blocks); i++) {
		struct json_object *block = json_object_array_get_idx(blocks, i);

		if (!streq(text(block, "device"), name) || streq(text(block, "state"), "offline"))
			continue;
		snprintf(path, sizeof(path), "devices/system/memory/memory%jd/state",
			 (intmax_t)json_object_get_int64(member(block, "number")));
		r = io_admin_write(sim, path, "offline");
		if (r < 0)
			return r;
	}
	if (driver[0]) {
		snprintf(path, sizeof(path), "bus/dax/drivers/%s/unbind", driver);
		r = io_admin_write(sim, path, name);
		if (r < 0)
			return r;
	}
	snprintf(path, sizeof(path), "bus/dax/devices/%s/size", name);
	r = io_admin_write(sim, path, "0");
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "bus/cxl/devices/dax_%s/dax_region/delete",
		 text(region, "name"));
	r = io_admin_write(sim, path, name);
	return r == -EBUSY && strchr(name, '.') && streq(strchr(name, '.'), ".0") ? 0 : r;
}

/* The device asks for the extents of @group back (the engine's number for it). */
static int take_group(struct sim *sim, struct json_object *region, int64_t group)
{
	struct json_object *extents = member(region, "extents");
	int r = 0;

	for (size_t i = 0; i < length(extents) && r == 0; i++) {
		struct json_object *extent = json_object_array_get_idx(extents, i);
		struct engine_extent_spec spec = { 0 };

		if (json_object_get_int64(member(extent, "group")) != group)
			continue;
		spec.dpa.start = json_object_get_uint64(member(extent, "dpa"));
		spec.dpa.length = json_object_get_uint64(member(extent, "length"));
		(void)tag_parse(text(extent, "tag"), &spec.tag);
		r = engine_device_release(sim->engine, text(region, "memdev"), &spec, 1);
		if (r == 0) {
			sim->queued++;
			sim_settle(sim);
		}
	}
	return r < 0 ? r : records_wait(sim, sim->queued);
}

/* Whether the group has an extent that @device claims. */
static bool group_has(struct json_object *region, int64_t group, struct json_object *device)
{
	struct json_object *extents = member(region, "extents");

	for (size_t i = 0; i < length(extents); i++) {
		struct json_object *extent = json_object_array_get_idx(extents, i);

		if (json_object_get_int64(member(extent, "group")) == group &&
		    device_claims(device, text(extent, "name")))
			return true;
	}
	return false;
}

/* Finds what @path means in @region. Returns false if it is nothing of it. */
static bool find_target(struct json_object *dump, struct json_object *region, const char *path,
			struct json_object **ret_device, int64_t *ret_group)
{
	struct json_object *devices = member(region, "devices"), *extents;
	const char *owner = block_owner(dump, path);

	*ret_device = NULL;
	*ret_group = -1;
	for (size_t i = 0; i < length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		const char *name = text(device, "name");

		if (path_has(path, name) || streq(owner, name))
			*ret_device = device;
	}
	extents = member(region, "extents");
	for (size_t i = 0; i < length(extents); i++) {
		struct json_object *extent = json_object_array_get_idx(extents, i);
		const char *name = text(extent, "name");

		if (path_has(path, name) || (*ret_device && device_claims(*ret_device, name))) {
			*ret_group = json_object_get_int64(member(extent, "group"));
			break;
		}
	}
	return *ret_device || *ret_group >= 0;
}

static int vanish_in(struct sim *sim, struct json_object *dump, const char *path, bool whole_group)
{
	struct json_object *regions = member(dump, "regions");

	for (size_t i = 0; i < length(regions); i++) {
		struct json_object *region = json_object_array_get_idx(regions, i), *device;
		struct json_object *devices = member(region, "devices");
		int64_t group;
		int r;

		if (!find_target(dump, region, path, &device, &group))
			continue;
		if (!whole_group || group < 0)
			return device ? take_device(sim, dump, region, device) : -ENOENT;
		for (size_t k = 0; k < length(devices); k++) {
			struct json_object *member_device = json_object_array_get_idx(devices, k);

			if (!group_has(region, group, member_device))
				continue;
			r = take_device(sim, dump, region, member_device);
			if (r < 0)
				return r;
		}
		return take_group(sim, region, group);
	}
	return -ENOENT;
}

int vanish(struct sim *sim, const char *path, bool whole_group)
{
	struct json_object *dump = engine_dump(sim->engine);
	struct json_object *entry;
	int r;

	if (!dump)
		return -ENOMEM;
	r = vanish_in(sim, dump, path, whole_group);
	json_object_put(dump);
	entry = log_entry(&sim->log, "control");
	log_add_string(entry, "cmd", "vanish");
	log_add_string(entry, "path", path);
	log_add_error(entry, r);
	return r;
}
