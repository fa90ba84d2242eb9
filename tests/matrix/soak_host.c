/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the simulator knows of a unit, and whether it may be so: the model. Each block, driver and
 * claim has the set of states that others than the daemon have given it in this round; as before
 * means one of these, since the daemon may have come before or behind them.
 */
#include "soak.h"

struct json_object *soak_state(struct soak *k)
{
	_cleanup_json_ struct json_object *reply = sim_do(k->s, "{'cmd':'state'}");

	return json_object_get(member(reply, "state"));
}

static size_t length(struct json_object *array)
{
	return json_object_array_length(array);
}

static struct json_object *item(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

const char *soak_memdev(unsigned slot)
{
	return slot == 3 || slot == 4 ? "mem1" : "mem0";
}

const char *soak_region(unsigned slot)
{
	return slot < 3 ? "region0" : slot == SOAK_SLOT_REGION2 ? "region1" : "region2";
}

/* ---- what is there ---- */

static bool is_extent_of(struct json_object *extent, const struct soak_unit *unit)
{
	uint64_t dpa = json_object_get_uint64(member(extent, "dpa"));

	for (size_t i = 0; i < unit->n_extents; i++)
		if (unit->extents[i].dpa == dpa)
			return true;
	return false;
}

static unsigned driver_bit(const char *name)
{
	return streq(name, "kmem")	   ? DRIVER_KMEM
	       : streq(name, "device_dax") ? DRIVER_DEVDAX
	       : streq(name, "fsdev_dax")  ? DRIVER_FSDEV
					   : DRIVER_NONE;
}

/* Whether a mapping of @device is the extent called @name. */
static bool maps(struct json_object *device, const char *name)
{
	struct json_object *mappings = member(device, "mappings");

	for (size_t i = 0; i < length(mappings); i++)
		if (streq(member_string(item(mappings, i), "extent"), name))
			return true;
	return false;
}

static bool is_seed(const char *device)
{
	const char *dot = strchr(device, '.');

	return dot && streq(dot, ".0");
}

static void see_extent(struct json_object *devices, const char *name, struct soak_seen *ret)
{
	ret->extents++;
	for (size_t i = 0; i < length(devices); i++) {
		struct json_object *device = item(devices, i);

		if (!maps(device, name))
			continue;
		ret->claimed++;
		ret->driver = driver_bit(member_string(device, "driver"));
		if (streq(member_string(device, "name"), ret->device))
			continue;
		ret->devices++;
		(void)str_copy(ret->device, sizeof(ret->device), member_string(device, "name"));
	}
}

static void see_region(struct json_object *region, const struct soak_unit *unit,
		       struct soak_seen *ret)
{
	struct json_object *extents = member(region, "extents");
	struct json_object *devices = member(region, "devices");

	for (size_t i = 0; i < length(extents); i++)
		if (is_extent_of(item(extents, i), unit))
			see_extent(devices, member_string(item(extents, i), "name"), ret);
	for (size_t i = 0; i < length(devices); i++)
		if (streq(member_string(item(devices, i), "name"), unit->device) &&
		    !is_seed(unit->device) && member_int(item(devices, i), "size") == 0)
			ret->old_device = true;
}

static void see_block(struct json_object *block, const struct soak_unit *unit,
		      struct soak_seen *ret)
{
	uint64_t number = json_object_get_uint64(member(block, "number"));
	const char *state = member_string(block, "state");

	for (size_t i = 0; i < unit->n_blocks; i++) {
		if (unit->blocks[i].number != number)
			continue;
		ret->leaked[i] = member_bool(block, "leaked");
		ret->blocks[i] = streq(state, "offline")   ? BLOCK_IS_OFFLINE
				 : !streq(state, "online") ? BLOCK_IS_CHANGING
				 : streq(member_string(block, "zone"), "Movable") ? BLOCK_IS_MOVABLE
										  : BLOCK_IS_KERNEL;
	}
}

/* The second device's DPAs overlap the first one's. */
static const char *memdev_of(const struct soak_unit *unit)
{
	return soak_memdev(unit->slot);
}

void soak_see(struct json_object *state, const struct soak_unit *unit, struct soak_seen *ret)
{
	struct json_object *regions = member(state, "regions"), *blocks = member(state, "blocks");

	*ret = (struct soak_seen){ .driver = DRIVER_NONE };
	for (size_t i = 0; i < unit->n_blocks; i++)
		ret->blocks[i] = BLOCK_IS_ABSENT;
	for (size_t i = 0; i < length(regions); i++)
		if (streq(member_string(item(regions, i), "memdev"), memdev_of(unit)))
			see_region(item(regions, i), unit, ret);
	for (size_t i = 0; i < length(blocks); i++)
		see_block(item(blocks, i), unit, ret);
}

/* ---- whether it may be so ---- */

const char *soak_block_text(unsigned bit)
{
	switch (bit) {
	case BLOCK_IS_ABSENT:
		return "absent";
	case BLOCK_IS_OFFLINE:
		return "offline";
	case BLOCK_IS_MOVABLE:
		return "online in movable";
	case BLOCK_IS_KERNEL:
		return "online in kernel";
	default:
		return "going-offline";
	}
}

static void _printf_(2, 3) because(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, SOAK_WHY_MAX, format, ap);
	va_end(ap);
}

/* Memory where no device has any. */
static bool memory_is_left(const struct soak_unit *unit, const struct soak_seen *seen, char *why)
{
	for (size_t i = 0; i < unit->n_blocks; i++) {
		if (seen->blocks[i] == BLOCK_IS_ABSENT)
			continue;
		because(why, "memory%llu is there, %s%s, without a driver of its device",
			(unsigned long long)unit->blocks[i].number,
			soak_block_text(seen->blocks[i]), seen->leaked[i] ? " and leaked" : "");
		return true;
	}
	return false;
}

static enum soak_verdict judge_unclaimed(const struct soak_unit *unit, const struct soak_seen *seen,
					 char *why)
{
	const bool gone = seen->extents == 0;
	unsigned may = unit->claims;

	if (unit->may_free)
		may |= CLAIM_FREE;
	/* The device asked, or asks again by itself: the kernel then takes what is free. */
	if (unit->asked && may & CLAIM_FREE)
		may |= CLAIM_GONE;
	if (!(may & (gone ? CLAIM_GONE : CLAIM_FREE))) {
		because(why, gone ? "its extents are gone, though nobody might release it"
				  : "its claim is gone, though nobody might free it");
		return SOAK_HALF;
	}
	if (memory_is_left(unit, seen, why))
		return SOAK_HALF;
	return gone ? SOAK_GONE : SOAK_FREE;
}

enum soak_verdict soak_judge(const struct soak_unit *unit, const struct soak_seen *seen, char *why)
{
	*why = '\0';
	if (seen->extents != 0 && seen->extents != unit->n_extents) {
		because(why, "%u of %zu extents are there", seen->extents, unit->n_extents);
		return SOAK_HALF;
	}
	if (seen->claimed == 0)
		return judge_unclaimed(unit, seen, why);
	if (seen->claimed != seen->extents || seen->devices != 1) {
		because(why, "%u of %u extents are claimed, by %u devices", seen->claimed,
			seen->extents, seen->devices);
		return SOAK_HALF;
	}
	if (!(unit->claims & CLAIM_HELD)) {
		because(why, "%s claims it, nobody did before", seen->device);
		return SOAK_HALF;
	}
	if (!(seen->driver & unit->drivers)) {
		because(why, "%s has the driver 0x%x, was to have one of 0x%x", seen->device,
			seen->driver, unit->drivers);
		return SOAK_HALF;
	}
	if (seen->driver != DRIVER_KMEM)
		return memory_is_left(unit, seen, why) ? SOAK_HALF : SOAK_WHOLE;
	for (size_t i = 0; i < unit->n_blocks; i++) {
		if (seen->blocks[i] & unit->blocks[i].may)
			continue;
		because(why, "memory%llu is %s, may be one of 0x%x",
			(unsigned long long)unit->blocks[i].number,
			soak_block_text(seen->blocks[i]), unit->blocks[i].may);
		return SOAK_HALF;
	}
	return SOAK_WHOLE;
}

/* ---- what belongs to nobody ---- */

static bool is_of_a_unit(struct soak *k, struct json_object *region, struct json_object *device)
{
	struct json_object *extents = member(region, "extents");

	soak_foreach_unit(u, k)
	{
		if (!streq(memdev_of(u), member_string(region, "memdev")))
			continue;
		for (size_t i = 0; i < length(extents); i++)
			if (is_extent_of(item(extents, i), u) &&
			    maps(device, member_string(item(extents, i), "name")))
				return true;
	}
	return false;
}

void soak_find_stray(struct soak *k, struct json_object *state, char ret[static DEV_NAME_MAX])
{
	struct json_object *regions = member(state, "regions");

	*ret = '\0';
	for (size_t i = 0; i < length(regions); i++) {
		struct json_object *devices = member(item(regions, i), "devices");

		for (size_t d = 0; d < length(devices); d++) {
			struct json_object *device = item(devices, d);
			const char *name = member_string(device, "name");

			if (member_int(device, "size") == 0
				    ? is_seed(name)
				    : is_of_a_unit(k, item(regions, i), device))
				continue;
			(void)str_copy(ret, DEV_NAME_MAX, name);
		}
	}
}

/* Whether @name is a component of @path. */
static bool path_has(const char *path, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = path; n > 0 && (p = strstr(p, name)); p += n)
		if ((p == path || p[-1] == '/') && (p[n] == '/' || p[n] == '\0'))
			return true;
	return false;
}

static bool is_about(struct json_object *entry, const struct soak_unit *unit)
{
	const char *path = member_string(entry, "path");
	char name[DEV_NAME_MAX];

	if (unit->device[0] &&
	    (path_has(path, unit->device) || streq(member_string(entry, "value"), unit->device)))
		return true;
	for (size_t i = 0; i < unit->n_blocks; i++) {
		(void)snprintf(name, sizeof(name), "memory%llu",
			       (unsigned long long)unit->blocks[i].number);
		if (path_has(path, name))
			return true;
	}
	return false;
}

bool soak_was_touched(struct soak *k, const struct soak_unit *unit)
{
	_cleanup_json_ struct json_object *entries = sim_log(k->s, MAX(k->since, unit->since),
							     "write");

	for (size_t i = 0; i < length(entries); i++)
		if (member_int(item(entries, i), "pid") != 0 && is_about(item(entries, i), unit))
			return true;
	return false;
}

bool soak_may_stray(struct soak *k, const char *device)
{
	_cleanup_json_ struct json_object *entries = sim_log(k->s, k->since, "write");

	for (size_t i = 0; i < length(entries); i++)
		if (streq(member_string(item(entries, i), "value"), device) &&
		    path_has(member_string(item(entries, i), "path"), "delete") &&
		    member_error(item(entries, i), "error") < 0)
			return true;
	return false;
}
