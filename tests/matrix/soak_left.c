/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A failed release's list of what is not as it was: compared with the host line by line, then its
 * commands are typed as an admin would, and have to mend it.
 */
#include "soak.h"

#define MEND_TRIES 6
#define THAW_SECONDS 5

enum { OBJECT, HAVE, WANT, COMMAND };

static const char *column(struct json_object *leftover, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(leftover, i));
}

static void _printf_(2, 3) because(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, SOAK_WHY_MAX, format, ap);
	va_end(ap);
}

static struct json_object *find_device(struct json_object *state, const char *name)
{
	struct json_object *regions = member(state, "regions");

	for (size_t i = 0; i < json_object_array_length(regions); i++) {
		struct json_object *devices = member(json_object_array_get_idx(regions, i),
						     "devices");

		for (size_t d = 0; d < json_object_array_length(devices); d++) {
			struct json_object *device = json_object_array_get_idx(devices, d);

			if (streq(member_string(device, "name"), name))
				return device;
		}
	}
	return NULL;
}

/* Whether the device is what the list says, in any of the words the daemon has for that. */
static bool device_is(struct json_object *state, const char *name, const char *have)
{
	struct json_object *device = find_device(state, name);
	const char *driver = device ? member_string(device, "driver") : "";
	const char *bound = startswith(have, "bound to ");

	if (streq(have, "destroyed"))
		return !device;
	if (streq(have, "claims nothing"))
		return device && member_int(device, "size") == 0;
	if (startswith(have, "without driver"))
		return device && !*driver;
	if (bound)
		return device && streq(bound, *driver ? driver : "no driver");
	return startswith(have, "its memory or its name belongs to another");
}

static size_t block_of(const struct soak_unit *u, const char *object)
{
	const char *number = startswith(object, "memory");

	for (size_t i = 0; number && i < u->n_blocks; i++)
		if (strtoull(number, NULL, 10) == u->blocks[i].number)
			return i;
	return SOAK_BLOCKS;
}

/* Whether one line is so; a device's stands for the blocks that cannot be there without it. */
static bool line_is_true(struct json_object *state, const struct soak_unit *u,
			 const struct soak_seen *seen, struct json_object *leftover, bool *said,
			 bool *device_said, char *why)
{
	const char *object = column(leftover, OBJECT), *have = column(leftover, HAVE);
	size_t i = block_of(u, object);

	if (i < SOAK_BLOCKS) {
		said[i] = true;
		if (streq(have, soak_block_text(seen->blocks[i])) &&
		    !streq(have, column(leftover, WANT)))
			return true;
	} else if (startswith(object, "dax")) {
		*device_said = true;
		if (device_is(state, object, have))
			return true;
	}
	because(why, "it says that %s is \"%s\" and was \"%s\", which is not so", object, have,
		column(leftover, WANT));
	return false;
}

bool soak_leftovers_true(struct json_object *state, const struct soak_unit *u,
			 const struct soak_seen *seen, struct json_object *release, char *why)
{
	struct json_object *list = member(release, "Leftovers");
	size_t n = json_object_array_length(list);
	bool said[SOAK_BLOCKS] = { false }, device_said = false;
	bool device_differs = seen->claimed == 0 || !(seen->driver & u->drivers);

	if (n == 0 || n != (size_t)member_int(release, "LeftoverCount")) {
		because(why, "it lists %zu differences of %lld", n,
			(long long)member_int(release, "LeftoverCount"));
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!line_is_true(state, u, seen, json_object_array_get_idx(list, i), said,
				  &device_said, why))
			return false;
	if (device_said)
		return true;
	if (device_differs) {
		because(why, "it does not say that its device is not as it was");
		return false;
	}
	for (size_t i = 0; i < u->n_blocks; i++) {
		if (said[i] || seen->driver != DRIVER_KMEM || seen->blocks[i] & u->blocks[i].may)
			continue;
		because(why, "it does not say that memory%llu is %s",
			(unsigned long long)u->blocks[i].number, soak_block_text(seen->blocks[i]));
		return false;
	}
	return true;
}

/* ---- mending ---- */

static unsigned run_commands(struct soak *k, struct json_object *release)
{
	struct json_object *list = member(release, "Leftovers");
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *line = column(json_object_array_get_idx(list, i), COMMAND);
		_cleanup_free_ char *output = NULL;
		int r;

		if (!*line)
			continue;
		n++;
		r = command(k->s, &output, "%s", line);
		if (k->verbose)
			printf("  %s: %d %s", line, r, output ? output : "\n");
	}
	return n;
}

/* What cannot be moved away cannot be mended by anybody; that is not what is tested here. */
static void let_move(struct soak *k, const struct soak_unit *u)
{
	for (size_t i = 0; i < u->n_blocks; i++) {
		_cleanup_json_ struct json_object *reply = NULL;

		(void)sim_request(k->s, &reply, "{'cmd':'unmovable','block':%llu,'value':false}",
				  (unsigned long long)u->blocks[i].number);
	}
}

bool soak_mend(struct soak *k, const struct soak_unit *u)
{
	let_move(k, u);
	for (unsigned i = 0; i < MEND_TRIES; i++) {
		_cleanup_json_ struct json_object *release = soak_release(k, u);
		usec_t deadline = deadline_in(THAW_SECONDS);

		if (!release || !streq(member_string(release, "State"), "failed"))
			return true;
		if (run_commands(k, release) == 0)
			return false;
		/* It looks anew by itself when memory or devices change, and when it is told to. */
		(void)command(k->s, NULL, "dcdctl rescan");
		if (!soak_settle(k, THAW_SECONDS) || deadline_passed(deadline))
			return false;
	}
	return false;
}
