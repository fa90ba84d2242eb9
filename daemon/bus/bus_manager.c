/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.dcdd1.Manager at /org/dcdd1: what it consists of, its figures, and its signals. The methods
 * are in a file for each topic.
 */
#include "bus_internal.h"

/* ---- properties ---- */

struct group_totals {
	uint32_t groups;
	uint64_t bytes, claimed;
};

static void totals_count(struct bus *bus, struct group_totals *ret)
{
	const struct inventory *inv = bus->ops->inventory(bus->userdata);
	struct tag_group group;
	uint32_t cursor = 0;

	*ret = (struct group_totals){ 0 };
	if (!inv)
		return;
	while (inventory_next_group(inv, &cursor, &group))
		ret->groups++;
	for (uint32_t i = 0; i < inv->n_extents; i++) {
		ret->bytes += inv->extents[i].hpa.length;
		if (inv->extents[i].device != INVENTORY_NONE)
			ret->claimed += inv->extents[i].hpa.length;
	}
}

static uint32_t live_releases(struct bus *bus)
{
	const struct release *release;
	void *cursor = NULL;
	uint32_t n = 0;

	while ((release = bus->ops->next_release(&cursor, bus->userdata)))
		if (!release_state_is_final(release->state))
			n++;
	return n;
}

static int get_version(sd_bus *conn, const char *path, const char *interface, const char *name,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)conn;
	(void)path;
	(void)interface;
	(void)name;
	(void)userdata;
	(void)ret_error;
	return sd_bus_message_append(reply, "s", DCDD_VERSION);
}

static int get_status(sd_bus *conn, const char *path, const char *interface, const char *name,
		      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	struct bus_status status = { 0 };

	(void)conn;
	(void)path;
	(void)interface;
	(void)ret_error;
	bus->ops->status(&status, bus->userdata);
	if (streq(name, "EventAvailable"))
		return sd_bus_message_append(reply, "b", (int)status.event_available);
	if (streq(name, "Records"))
		return sd_bus_message_append(reply, "t", status.records);
	if (streq(name, "RecordsLost"))
		return sd_bus_message_append(reply, "t", status.records_lost);
	if (streq(name, "RecordsBad"))
		return sd_bus_message_append(reply, "t", status.records_bad);
	if (streq(name, "LastScan"))
		return sd_bus_message_append(reply, "t", status.last_scan);
	return -ENOENT;
}

static int get_totals(sd_bus *conn, const char *path, const char *interface, const char *name,
		      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct group_totals totals;

	(void)conn;
	(void)path;
	(void)interface;
	(void)ret_error;
	totals_count(userdata, &totals);
	if (streq(name, "GroupCount"))
		return sd_bus_message_append(reply, "u", totals.groups);
	if (streq(name, "TotalBytes"))
		return sd_bus_message_append(reply, "t", totals.bytes);
	if (streq(name, "ClaimedBytes"))
		return sd_bus_message_append(reply, "t", totals.claimed);
	return -ENOENT;
}

static int get_release_count(sd_bus *conn, const char *path, const char *interface,
			     const char *name, sd_bus_message *reply, void *userdata,
			     sd_bus_error *ret_error)
{
	(void)conn;
	(void)path;
	(void)interface;
	(void)name;
	(void)ret_error;
	return sd_bus_message_append(reply, "u", live_releases(userdata));
}

static int get_dry_run(sd_bus *conn, const char *path, const char *interface, const char *name,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;

	(void)conn;
	(void)path;
	(void)interface;
	(void)name;
	(void)ret_error;
	return sd_bus_message_append(reply, "b", bus->ops->policy(bus->userdata)->dry_run != 0);
}

/* ---- interface ---- */

#define CHANGING(name, type, get)                                                                  \
	SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

/* Documented in dbus/org.dcdd1.Manager.xml. Who may call what is checked in the methods, not by
 * sd-bus. */
static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	CHANGING("EventAvailable", "b", get_status),
	CHANGING("GroupCount", "u", get_totals),
	CHANGING("ReleaseCount", "u", get_release_count),
	CHANGING("Records", "t", get_status),
	CHANGING("RecordsLost", "t", get_status),
	CHANGING("RecordsBad", "t", get_status),
	CHANGING("TotalBytes", "t", get_totals),
	CHANGING("ClaimedBytes", "t", get_totals),
	CHANGING("LastScan", "t", get_status),
	SD_BUS_PROPERTY("DryRun", "b", get_dry_run, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_METHOD_WITH_ARGS("ListReleases", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", releases),
				bus_method_list_releases, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListGroups", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", groups),
				bus_method_list_groups, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetReleaseByTag", SD_BUS_ARGS("s", tag),
				SD_BUS_RESULT("o", release), bus_method_get_release_by_tag,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("s", tag), SD_BUS_RESULT("a{sv}", decision),
				bus_method_explain, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Approve", SD_BUS_ARGS("s", tag), SD_BUS_NO_RESULT,
				bus_method_approve, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Deny", SD_BUS_ARGS("s", tag, "s", reason), SD_BUS_NO_RESULT,
				bus_method_deny, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_method_reload,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Rescan", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_method_rescan,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Snapshot", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json),
				bus_method_snapshot, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Inhibit", SD_BUS_ARGS("s", scope, "s", who, "s", why, "s", mode),
				SD_BUS_RESULT("h", lease), bus_method_inhibit,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListInhibitors", SD_BUS_NO_ARGS,
				SD_BUS_RESULT("aa{sv}", inhibitors), bus_method_list_inhibitors,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("AddRule", SD_BUS_ARGS("s", name, "s", text, "t", until_usec),
				SD_BUS_NO_RESULT, bus_method_add_rule, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("HoldRule", SD_BUS_ARGS("s", name, "s", text, "t", until_usec),
				SD_BUS_RESULT("h", lease), bus_method_hold_rule,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("RemoveRule", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT,
				bus_method_remove_rule, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListRules", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", rules),
				bus_method_list_rules, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("ReleaseReady", SD_BUS_ARGS("s", tag, "s", memdev, "t", bytes), 0),
	SD_BUS_SIGNAL_WITH_ARGS("ReleaseFinished", SD_BUS_ARGS("s", tag, "s", result, "s", reason),
				0),
	SD_BUS_VTABLE_END,
};

int bus_manager_export(struct bus *bus)
{
	return sd_bus_add_object_vtable(bus->conn, &bus->manager, DCDD_OBJECT_PATH,
					DCDD_INTERFACE_MANAGER, manager_vtable, bus);
}

int bus_manager_emit_changed(struct bus *bus)
{
	return sd_bus_emit_properties_changed(bus->conn, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER,
					      "EventAvailable", "GroupCount", "ReleaseCount",
					      "Records", "RecordsLost", "RecordsBad", "TotalBytes",
					      "ClaimedBytes", "LastScan", NULL);
}

static int signal_new(struct bus *bus, const char *member, const struct release *release,
		      sd_bus_message **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	char tag[TAG_STRLEN + 1] = "";
	int r;

	if (!tag_is_null(&release->key.tag))
		tag_format(&release->key.tag, tag);
	r = sd_bus_message_new_signal(bus->conn, &m, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER,
				      member);
	if (r >= 0)
		r = sd_bus_message_append(m, "s", tag);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

int bus_manager_emit_ready(struct bus *bus, const struct release *release)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r;

	r = signal_new(bus, "ReleaseReady", release, &m);
	if (r >= 0)
		r = bus_append_text(m, release->key.memdev);
	if (r >= 0)
		r = sd_bus_message_append(m, "t", release->bytes);
	return r < 0 ? r : sd_bus_send(bus->conn, m, NULL);
}

int bus_manager_emit_finished(struct bus *bus, const struct release *release)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r;

	r = signal_new(bus, "ReleaseFinished", release, &m);
	if (r >= 0)
		r = bus_append_text(m, release_state_to_string(release->state));
	if (r >= 0)
		r = bus_append_text(m, release->reason);
	return r < 0 ? r : sd_bus_send(bus->conn, m, NULL);
}
