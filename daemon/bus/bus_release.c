/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.dcdd1.Release: one object per release request at /org/dcdd1/release/N, and the same
 * properties as dictionaries for the Manager's ListReleases().
 */
#include "bus_internal.h"

char *bus_release_path(uint64_t id, char buf[static BUS_RELEASE_PATH_MAX])
{
	(void)snprintf(buf, BUS_RELEASE_PATH_MAX, "%s/%llu", BUS_RELEASE_PREFIX,
		       (unsigned long long)id);
	return buf;
}

/* The one spelling of an id: decimal, no sign, no leading zero. */
static int path_to_id(const char *path, uint64_t *ret)
{
	const char *s = startswith(path, BUS_RELEASE_PREFIX "/");
	uint64_t id = 0;

	if (!s || *s < '1' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(id, 10, &id) ||
		    __builtin_add_overflow(id, (uint64_t)(*s - '0'), &id))
			return -ERANGE;
	if (*s != '\0')
		return -EINVAL;
	*ret = id;
	return 0;
}

static int release_find(sd_bus *conn, const char *path, const char *interface, void *userdata,
			void **ret_found, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	const struct release *release;
	uint64_t id;

	(void)conn;
	(void)interface;
	(void)ret_error;
	if (path_to_id(path, &id) < 0)
		return 0;
	release = bus->ops->find_release(id, bus->userdata);
	if (!release)
		return 0;
	*ret_found = (void *)release;
	return 1;
}

static void strv_freep(char ***p)
{
	for (char **s = *p; s && *s; s++)
		free(*s);
	free(*p);
}

static int release_enumerate(sd_bus *conn, const char *prefix, void *userdata, char ***ret_nodes,
			     sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	_cleanup_(strv_freep) char **nodes = NULL;
	const struct release *release;
	size_t n = 0, size = 0;
	void *cursor = NULL;

	(void)conn;
	(void)prefix;
	(void)ret_error;
	while ((release = bus->ops->next_release(&cursor, bus->userdata))) {
		char path[BUS_RELEASE_PATH_MAX];

		if (n + 1 >= size) {
			char **p;

			size = size ? size * 2 : 16;
			p = reallocarray(nodes, size, sizeof(*p));
			if (!p)
				return -ENOMEM;
			nodes = p;
		}
		nodes[n + 1] = NULL;
		nodes[n] = strdup(bus_release_path(release->id, path));
		if (!nodes[n])
			return -ENOMEM;
		n++;
	}
	*ret_nodes = TAKE_PTR(nodes);
	return 0;
}

/*
 * Properties. One appender per property, of the bare value, used for the object's own property and
 * for the dictionary of ListReleases().
 */
#define PROPERTY_UINT64(name, value)                                                               \
	static int append_##name(sd_bus_message *m, const struct release *r)                       \
	{                                                                                          \
		return sd_bus_message_append(m, "t", (uint64_t)(value));                           \
	}

#define PROPERTY_UINT32(name, value)                                                               \
	static int append_##name(sd_bus_message *m, const struct release *r)                       \
	{                                                                                          \
		return sd_bus_message_append(m, "u", (uint32_t)(value));                           \
	}

#define PROPERTY_TEXT(name, value)                                                                 \
	static int append_##name(sd_bus_message *m, const struct release *r)                       \
	{                                                                                          \
		return bus_append_text(m, value);                                                  \
	}

/* Of one that is held: until when, and not when it is looked at next. */
static usec_t release_deadline(const struct release *r)
{
	return release_state_is_held(r->state) ? r->decision.deadline : r->deadline;
}

PROPERTY_UINT64(id, r->id)
PROPERTY_TEXT(memdev, r->key.memdev)
PROPERTY_TEXT(region, r->region)
PROPERTY_UINT64(dpa_start, r->dpa.start)
PROPERTY_UINT64(dpa_length, r->dpa.length)
PROPERTY_TEXT(state, release_state_to_string(r->state))
PROPERTY_TEXT(reason, r->reason)
PROPERTY_UINT64(records, r->records)
PROPERTY_UINT64(first_record, r->first_record)
PROPERTY_UINT64(last_record, r->last_record)
PROPERTY_UINT64(entered, r->entered)
PROPERTY_UINT64(deadline, release_deadline(r))
PROPERTY_UINT32(attempts, r->attempts)
PROPERTY_UINT64(bytes, r->bytes)
PROPERTY_UINT32(extents, r->n_extents)
PROPERTY_UINT32(blocks, r->plan.n_blocks)
PROPERTY_UINT32(blocks_offline, r->plan.blocks_offline)
PROPERTY_TEXT(rule, r->decision.rule)
PROPERTY_TEXT(rule_source, r->decision.rule_source)
PROPERTY_UINT32(leftover_count, bus_leftover_count(r))

static int append_tag(sd_bus_message *m, const struct release *r)
{
	char tag[TAG_STRLEN + 1] = "";

	if (!tag_is_null(&r->key.tag))
		tag_format(&r->key.tag, tag);
	return sd_bus_message_append(m, "s", tag);
}

static int append_retry_wanted(sd_bus_message *m, const struct release *r)
{
	return sd_bus_message_append(m, "b", (int)r->retry_wanted);
}

static int append_devices(sd_bus_message *m, const struct release *r)
{
	int k = sd_bus_message_open_container(m, 'a', "s");

	for (size_t i = 0; k >= 0 && i < r->plan.n_devices; i++)
		k = bus_append_text(m, r->plan.devices[i].name);
	return k < 0 ? k : sd_bus_message_close_container(m);
}

static int append_recovered(sd_bus_message *m, const struct release *r)
{
	return sd_bus_message_append(m, "b", (int)r->recovered);
}

struct property {
	const char *name, *type;
	int (*append)(sd_bus_message *m, const struct release *r);
};

static const struct property properties[] = {
	{ "Id", "t", append_id },
	{ "Tag", "s", append_tag },
	{ "Memdev", "s", append_memdev },
	{ "Region", "s", append_region },
	{ "DpaStart", "t", append_dpa_start },
	{ "DpaLength", "t", append_dpa_length },
	{ "State", "s", append_state },
	{ "Reason", "s", append_reason },
	{ "RetryWanted", "b", append_retry_wanted },
	{ "Records", "t", append_records },
	{ "FirstRecord", "t", append_first_record },
	{ "LastRecord", "t", append_last_record },
	{ "Entered", "t", append_entered },
	{ "Deadline", "t", append_deadline },
	{ "Attempts", "u", append_attempts },
	{ "Bytes", "t", append_bytes },
	{ "Extents", "u", append_extents },
	{ "Blocks", "u", append_blocks },
	{ "BlocksOffline", "u", append_blocks_offline },
	{ "Rule", "s", append_rule },
	{ "RuleSource", "s", append_rule_source },
	{ "Devices", "as", append_devices },
	{ "Recovered", "b", append_recovered },
	{ "LeftoverCount", "u", append_leftover_count },
};

static int property_get(sd_bus *conn, const char *path, const char *interface, const char *name,
			sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)conn;
	(void)path;
	(void)interface;
	(void)ret_error;
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		if (streq(properties[i].name, name))
			return properties[i].append(reply, userdata);
	return -ENOENT;
}

/* Not one of the table: a list of all properties of all releases would have no bound. */
static int leftovers_get(sd_bus *conn, const char *path, const char *interface, const char *name,
			 sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)conn;
	(void)path;
	(void)interface;
	(void)name;
	(void)ret_error;
	return bus_leftovers_append(reply, userdata, BUS_LEFTOVERS_MAX);
}

static int conditions_get(sd_bus *conn, const char *path, const char *interface, const char *name,
			  sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const struct release *release = userdata;

	(void)conn;
	(void)path;
	(void)interface;
	(void)name;
	(void)ret_error;
	return bus_conditions_append(reply, &release->decision, _CONDITION_MAX);
}

static int open_entry(sd_bus_message *m, const char *name, const char *type)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", name);
	return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

static int close_entry(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_leftovers_entry(sd_bus_message *m, const struct release *release,
				  struct bus_room *room)
{
	size_t max = MIN(room->leftovers, (size_t)BUS_LEFTOVERS_MAX);
	int r;

	room->leftovers -= MIN(bus_leftover_count(release), max);
	r = open_entry(m, "Leftovers", "a(ssss)");
	if (r >= 0)
		r = bus_leftovers_append(m, release, max);
	return r < 0 ? r : close_entry(m);
}

static int append_conditions_entry(sd_bus_message *m, const struct release *release,
				   struct bus_room *room)
{
	size_t n = release->decision.n_conditions;
	int r;

	/* All or none of one release: who wants more can tell that there are more. */
	if (n > room->conditions)
		n = 0;
	room->conditions -= n;
	r = open_entry(m, "Conditions", "a(sssss)");
	if (r >= 0)
		r = bus_conditions_append(m, &release->decision, n);
	return r < 0 ? r : close_entry(m);
}

int bus_release_append(sd_bus_message *m, const struct release *release, struct bus_room *room)
{
	char path[BUS_RELEASE_PATH_MAX];
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}", "Path", "o",
					  bus_release_path(release->id, path));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(properties); i++) {
		r = open_entry(m, properties[i].name, properties[i].type);
		if (r >= 0)
			r = properties[i].append(m, release);
		if (r >= 0)
			r = close_entry(m);
	}
	if (r >= 0)
		r = append_leftovers_entry(m, release, room);
	if (r >= 0)
		r = append_conditions_entry(m, release, room);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

#define CONSTANT(name, type)                                                                       \
	SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type)                                                                       \
	SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
/* May be long: given to who asks for it, and in no signal nor in a list of all properties. */
#define ON_REQUEST(name, type, get)                                                                \
	SD_BUS_PROPERTY(name, type, get, 0,                                                        \
			SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION |                                \
				SD_BUS_VTABLE_PROPERTY_EXPLICIT)

/* Documented in dbus/org.dcdd1.Release.xml. */
static const sd_bus_vtable release_vtable[] = {
	SD_BUS_VTABLE_START(0),
	CONSTANT("Id", "t"),
	CONSTANT("Tag", "s"),
	CONSTANT("Memdev", "s"),
	CHANGING("Region", "s"),
	CONSTANT("DpaStart", "t"),
	CONSTANT("DpaLength", "t"),
	CHANGING("State", "s"),
	CHANGING("Reason", "s"),
	CHANGING("RetryWanted", "b"),
	CHANGING("Records", "t"),
	CONSTANT("FirstRecord", "t"),
	CHANGING("LastRecord", "t"),
	CHANGING("Entered", "t"),
	CHANGING("Deadline", "t"),
	CHANGING("Attempts", "u"),
	CHANGING("Bytes", "t"),
	CHANGING("Extents", "u"),
	CHANGING("Blocks", "u"),
	CHANGING("BlocksOffline", "u"),
	CHANGING("Rule", "s"),
	CHANGING("RuleSource", "s"),
	CHANGING("Devices", "as"),
	CONSTANT("Recovered", "b"),
	CHANGING("LeftoverCount", "u"),
	ON_REQUEST("Leftovers", "a(ssss)", leftovers_get),
	ON_REQUEST("Conditions", "a(sssss)", conditions_get),
	SD_BUS_VTABLE_END,
};

int bus_release_export(struct bus *bus)
{
	int r;

	r = sd_bus_add_fallback_vtable(bus->conn, &bus->releases, BUS_RELEASE_PREFIX,
				       DCDD_INTERFACE_RELEASE, release_vtable, release_find, bus);
	if (r < 0)
		return r;
	return sd_bus_add_node_enumerator(bus->conn, &bus->enumerator, BUS_RELEASE_PREFIX,
					  release_enumerate, bus);
}

int bus_release_emit_added(struct bus *bus, uint64_t id)
{
	char path[BUS_RELEASE_PATH_MAX];

	return sd_bus_emit_object_added(bus->conn, bus_release_path(id, path));
}

int bus_release_emit_removed(struct bus *bus, uint64_t id)
{
	char path[BUS_RELEASE_PATH_MAX];

	/* Not sd_bus_emit_object_removed(): that asks for the object, which is gone by now. */
	return sd_bus_emit_interfaces_removed(
		bus->conn, bus_release_path(id, path), "org.freedesktop.DBus.Peer",
		"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Properties",
		DCDD_INTERFACE_RELEASE, NULL);
}

int bus_release_emit_changed(struct bus *bus, uint64_t id)
{
	char path[BUS_RELEASE_PATH_MAX];
	int r;

	r = sd_bus_emit_properties_changed(
		bus->conn, bus_release_path(id, path), DCDD_INTERFACE_RELEASE, "Region", "State",
		"Reason", "RetryWanted", "Records", "LastRecord", "Entered", "Deadline", "Attempts",
		"Bytes", "Extents", "Blocks", "BlocksOffline", "Rule", "RuleSource", "Devices",
		"LeftoverCount", "Leftovers", "Conditions", NULL);
	/* Forgotten in the meantime. */
	return r == -ENOENT ? 0 : r;
}
