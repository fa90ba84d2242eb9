/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control commands that play the admin, another program's hand, and bad luck.
 */
#include "control.h"
#include "request.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	return json_object_object_get(object, key);
}

static size_t length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static struct json_object *item(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

/* ---- claim ---- */

/* The region that the request means: by name, or the first of a memdev, or the first. */
static struct json_object *find_region(struct json_object *dump, struct json_object *request)
{
	const char *name = request_string(request, "region", NULL);
	const char *memdev = request_string(request, "memdev", NULL);
	struct json_object *regions = member(dump, "regions");

	for (size_t i = 0; i < length(regions); i++) {
		struct json_object *region = item(regions, i);

		if ((!name || streq(request_string(region, "name", ""), name)) &&
		    (!memdev || streq(request_string(region, "memdev", ""), memdev)))
			return region;
	}
	return NULL;
}

static bool has_device(struct json_object *region, const char *name)
{
	struct json_object *devices = member(region, "devices");

	for (size_t i = 0; i < length(devices); i++)
		if (streq(request_string(item(devices, i), "name", ""), name))
			return true;
	return false;
}

/* Makes a new device in @region and finds out its name. */
static int create_device(struct sim *sim, struct json_object *region, struct json_object *request,
			 char ret[static DEV_NAME_MAX])
{
	struct json_object *dump, *after, *devices;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "bus/cxl/devices/dax_%s/dax_region/create",
		 request_string(region, "name", ""));
	r = io_admin_write(sim, path, "1");
	if (r < 0)
		return r;
	dump = engine_dump(sim->engine);
	if (!dump)
		return -ENOMEM;
	after = find_region(dump, request);
	devices = member(after, "devices");
	r = -ENODEV;
	for (size_t i = 0; i < length(devices) && r < 0; i++) {
		const char *name = request_string(item(devices, i), "name", "");

		if (!has_device(region, name))
			r = str_copy(ret, DEV_NAME_MAX, name);
	}
	json_object_put(dump);
	return r;
}

/* Brings the blocks of @device online in @zone, adds their numbers to @blocks. */
static int online_blocks(struct sim *sim, const char *device, const char *zone,
			 struct json_object *blocks)
{
	struct json_object *dump = engine_dump(sim->engine), *all;
	char path[128], value[32];
	int r = 0;

	if (!dump)
		return -ENOMEM;
	snprintf(value, sizeof(value), "online_%s", zone);
	all = member(dump, "blocks");
	for (size_t i = 0; i < length(all) && r == 0; i++) {
		int64_t number = json_object_get_int64(member(item(all, i), "number"));

		if (!streq(request_string(item(all, i), "device", ""), device))
			continue;
		json_object_array_add(blocks, json_object_new_int64(number));
		if (streq(zone, "offline") ||
		    !streq(request_string(item(all, i), "state", ""), "offline"))
			continue;
		snprintf(path, sizeof(path), "devices/system/memory/memory%jd/state",
			 (intmax_t)number);
		r = io_admin_write(sim, path, value);
	}
	json_object_put(dump);
	return r;
}

static int claim(struct sim *sim, struct json_object *dump, struct json_object *request,
		 struct json_object *reply, char **ret_error)
{
	const char *wanted = request_string(request, "device", NULL);
	const char *driver = request_string(request, "driver", "kmem");
	const char *zone = request_string(request, "zone", "movable");
	struct json_object *region = find_region(dump, request), *blocks;
	char device[DEV_NAME_MAX], path[256], uuid[TAG_STRLEN + 1] = "0";
	struct tag tag;
	int r;

	if (request_tag(request, "tag", &tag) < 0)
		return command_error(ret_error, -EINVAL, "tag: a UUID is wanted");
	if (!region)
		return command_error(ret_error, -ENODEV, "no such region");
	if (!streq(zone, "movable") && !streq(zone, "kernel") && !streq(zone, "offline"))
		return command_error(ret_error, -EINVAL,
				     "zone: movable, kernel or offline is wanted");
	if (!tag_is_null(&tag))
		(void)tag_format(&tag, uuid);
	if (wanted)
		r = str_copy(device, sizeof(device), wanted);
	else
		r = create_device(sim, region, request, device);
	if (r < 0)
		return command_error(ret_error, r, "cannot create a device: %s", strerror(-r));

	snprintf(path, sizeof(path), "bus/dax/devices/%s/uuid", device);
	r = io_admin_write(sim, path, uuid);
	if (r < 0) {
		if (!wanted) {
			snprintf(path, sizeof(path), "bus/cxl/devices/dax_%s/dax_region/delete",
				 request_string(region, "name", ""));
			(void)io_admin_write(sim, path, device);
		}
		return command_error(ret_error, r, "%s: cannot claim %s: %s", device, uuid,
				     strerror(-r));
	}
	blocks = json_object_new_array();
	log_add_string(reply, "device", device);
	json_object_object_add(reply, "blocks", blocks);
	if (streq(driver, "none"))
		return 0;
	snprintf(path, sizeof(path), "bus/dax/drivers/%s/new_id", driver);
	r = io_admin_write(sim, path, device);
	if (r < 0)
		return command_error(ret_error, r, "%s: cannot bind %s: %s", device, driver,
				     strerror(-r));
	if (!streq(driver, "kmem"))
		return 0;
	r = online_blocks(sim, device, zone, blocks);
	return r < 0 ? command_error(ret_error, r, "%s: cannot bring it online: %s", device,
				     strerror(-r))
		     : 0;
}

static int run_claim(struct sim *sim, struct json_object *request, struct json_object *reply,
		     char **ret_error)
{
	struct json_object *dump = engine_dump(sim->engine);
	int r;

	if (!dump)
		return -ENOMEM;
	r = claim(sim, dump, request, reply, ret_error);
	json_object_put(dump);
	return r;
}

/* ---- another hand ---- */

/* The path without "/sys/" before it. */
static const char *below_sys(const char *path)
{
	const char *below = path ? startswith(path, "/sys/") : NULL;

	return below ? below : path;
}

static int run_write(struct sim *sim, struct json_object *request, struct json_object *reply,
		     char **ret_error)
{
	const char *path = below_sys(request_string(request, "path", NULL));
	const char *value = request_string(request, "value", NULL);
	usec_t begin = now_usec(CLOCK_MONOTONIC);

	if (!path || !value)
		return command_error(ret_error, -EINVAL, "path and value are wanted");
	log_add_error(reply, io_admin_write(sim, path, value));
	log_add_number(reply, "elapsed_us", now_usec(CLOCK_MONOTONIC) - begin);
	return 0;
}

static int run_read(struct sim *sim, struct json_object *request, struct json_object *reply,
		    char **ret_error)
{
	const char *path = below_sys(request_string(request, "path", NULL));
	char buf[ENGINE_ATTR_MAX];
	ssize_t n;

	if (!path)
		return command_error(ret_error, -EINVAL, "path is wanted");
	n = engine_attr_read(sim->engine, path, buf, sizeof(buf));
	if (n < 0)
		return command_error(ret_error, (int)n, "%s: %s", path, strerror((int)-n));
	json_object_object_add(reply, "value", json_object_new_string_len(buf, (int)n));
	return 0;
}

static int set_flag(struct sim *sim, struct json_object *request, char **ret_error,
		    enum engine_block_flag flag, bool on)
{
	uint64_t number;
	int r = command_number(request, "block", &number, ret_error);

	if (r < 0)
		return r;
	r = engine_block_set(sim->engine, number, flag, on);
	return r < 0 ? command_error(ret_error, r, "no memory%ju", (uintmax_t)number) : 0;
}

static int run_pin(struct sim *sim, struct json_object *request, struct json_object *reply _unused_,
		   char **ret_error)
{
	return set_flag(sim, request, ret_error, ENGINE_BLOCK_PINNED, true);
}

static int run_unpin(struct sim *sim, struct json_object *request,
		     struct json_object *reply _unused_, char **ret_error)
{
	return set_flag(sim, request, ret_error, ENGINE_BLOCK_PINNED, false);
}

static int run_unmovable(struct sim *sim, struct json_object *request,
			 struct json_object *reply _unused_, char **ret_error)
{
	bool on;

	if (request_bool(request, "value", true, &on) < 0)
		return command_error(ret_error, -EINVAL, "value: true or false is wanted");
	return set_flag(sim, request, ret_error, ENGINE_BLOCK_UNMOVABLE, on);
}

/* ---- bad luck ---- */

static int run_fault(struct sim *sim, struct json_object *request, struct json_object *reply,
		     char **ret_error)
{
	const char *message = NULL;
	unsigned id;
	int r = fault_add(&sim->faults, request, &id, &message);

	if (r < 0)
		return message ? command_error(ret_error, r, "%s", message) : r;
	log_add_number(reply, "fault", id);
	return 0;
}

static int run_faults(struct sim *sim, struct json_object *request _unused_,
		      struct json_object *reply, char **ret_error _unused_)
{
	json_object_object_add(reply, "faults", fault_list(&sim->faults));
	return 0;
}

/* Lets whoever hangs in fault @id (0: any) go on; returns how many. */
static unsigned release_hangs(struct sim *sim, uint64_t id, int error)
{
	unsigned n = 0;

	for (struct io_call *call = sim->calls; call; call = call->next) {
		if (id && call->hangs != id)
			continue;
		call->released = true;
		call->error = error;
		n++;
	}
	(void)pthread_cond_broadcast(&sim->changed);
	return n;
}

static int run_fault_clear(struct sim *sim, struct json_object *request,
			   struct json_object *reply _unused_, char **ret_error)
{
	uint64_t id;

	if (request_number(request, "fault", 0, &id) < 0 || id > UINT32_MAX)
		return command_error(ret_error, -EINVAL, "fault: a number is wanted");
	(void)release_hangs(sim, id, 0);
	return fault_clear(&sim->faults, (unsigned)id);
}

static int run_release_hang(struct sim *sim, struct json_object *request, struct json_object *reply,
			    char **ret_error)
{
	const char *name = request_string(request, "error", NULL);
	int error = 0;
	uint64_t id;

	if (request_number(request, "fault", 0, &id) < 0)
		return command_error(ret_error, -EINVAL, "fault: a number is wanted");
	if (name && error_from_name(name, &error) < 0)
		return command_error(ret_error, -EINVAL, "error: a name like EIO is wanted");
	log_add_number(reply, "released", release_hangs(sim, id, error));
	return 0;
}

static int run_fail_extent(struct sim *sim, struct json_object *request,
			   struct json_object *reply _unused_, char **ret_error)
{
	const char *name = request_string(request, "error", "ENOMEM");
	uint64_t nth;
	int error;

	if (request_number(request, "nth", 1, &nth) < 0 || nth == 0 || nth > UINT32_MAX ||
	    error_from_name(name, &error) < 0)
		return command_error(ret_error, -EINVAL, "nth from 1, error like ENOMEM");
	engine_fail_extent(sim->engine, (unsigned)nth, error);
	return 0;
}

static int run_fail_invalidate(struct sim *sim, struct json_object *request,
			       struct json_object *reply _unused_, char **ret_error)
{
	const char *name = request_string(request, "error", NULL);
	int error = 0;

	if (name && error_from_name(name, &error) < 0)
		return command_error(ret_error, -EINVAL, "error: a name like ENXIO is wanted");
	engine_fail_invalidate(sim->engine, error);
	return 0;
}

const struct command admin_commands[] = {
	{ "claim", "region memdev tag device driver zone", true, run_claim },
	{ "write", "path value", false, run_write },
	{ "read", "path", false, run_read },
	{ "pin", "block", true, run_pin },
	{ "unpin", "block", true, run_unpin },
	{ "unmovable", "block value", true, run_unmovable },
	{ "fault", "path op value nth count action error ms what", true, run_fault },
	{ "faults", "", false, run_faults },
	{ "fault-clear", "fault", true, run_fault_clear },
	{ "release-hang", "fault error", true, run_release_hang },
	{ "fail-extent", "nth error", true, run_fail_extent },
	{ "fail-invalidate", "error", true, run_fail_invalidate },
	{ .name = NULL },
};
