/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.dcdd1.Manager at /org/dcdd1: figures, lists, explanation, and the two release signals. */
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

/* ---- ListReleases, ListGroups ---- */

static int method_list_releases(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	size_t leftovers_left = BUS_LEFTOVERS_LIST_MAX;
	const struct release *release;
	void *cursor = NULL;
	int r;

	(void)ret_error;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	while (r >= 0 && (release = bus->ops->next_release(&cursor, bus->userdata)))
		r = bus_release_append(reply, release, &leftovers_left);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_list_groups(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	const struct inventory *inv = bus->ops->inventory(bus->userdata);
	struct tag_group group;
	uint32_t cursor = 0;
	int r;

	(void)ret_error;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	while (r >= 0 && inv && inventory_next_group(inv, &cursor, &group))
		r = bus_group_append(reply, inv, &group);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* ---- the methods that take a tag ---- */

static int read_tag(sd_bus_message *m, struct tag *ret, sd_bus_error *ret_error)
{
	const char *s;
	int r;

	r = sd_bus_message_read(m, "s", &s);
	if (r < 0)
		return r;
	if (tag_parse(s, ret) < 0)
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"Not a tag: a UUID of 36 characters is expected");
	if (tag_is_null(ret))
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"The null tag means untagged and names no group");
	return 0;
}

static int no_such_tag(const struct tag *tag, const char *what, sd_bus_error *ret_error)
{
	char buf[TAG_STRLEN + 1];

	return sd_bus_error_setf(ret_error, BUS_ERROR_NO_SUCH_TAG, "No %s with tag %s", what,
				 tag_format(tag, buf));
}

static int method_get_release_by_tag(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	char path[BUS_RELEASE_PATH_MAX];
	const struct release *release;
	void *cursor = NULL;
	struct tag tag;
	int r;

	r = read_tag(m, &tag, ret_error);
	if (r < 0)
		return r;
	/* The live ones come first. */
	while ((release = bus->ops->next_release(&cursor, bus->userdata)))
		if (tag_equal(&release->key.tag, &tag))
			return sd_bus_reply_method_return(m, "o",
							  bus_release_path(release->id, path));
	return no_such_tag(&tag, "release", ret_error);
}

/* The group with that tag, on whatever memdev: a tag is live at most once on a host. */
static bool find_key(const struct inventory *inv, const struct tag *tag, struct group_key *ret)
{
	struct tag_group group;
	uint32_t cursor = 0;

	while (inventory_next_group(inv, &cursor, &group)) {
		if (group.n_extents == 0 || !tag_equal(&inv->extents[group.first_extent].tag, tag))
			continue;
		tag_group_key(inv, &group, ret);
		return true;
	}
	return false;
}

static int method_explain(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	const struct inventory *inv = bus->ops->inventory(bus->userdata);
	struct decision decision = { 0 };
	struct group_key key;
	struct tag tag;
	int r;

	r = read_tag(m, &tag, ret_error);
	if (r < 0)
		return r;
	if (!inv)
		return sd_bus_error_set(ret_error, BUS_ERROR_NOT_READY,
					"The host has not been scanned yet");
	if (!find_key(inv, &tag, &key))
		return no_such_tag(&tag, "group", ret_error);
	r = bus->ops->explain(&key, &decision, bus->userdata);
	if (r == -ENOENT)
		return no_such_tag(&tag, "group", ret_error);
	if (r < 0)
		return sd_bus_error_set_errno(ret_error, r);

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0)
		r = bus_append_text_entry(reply, "Memdev", key.memdev);
	if (r >= 0)
		r = bus_append_text_entry(reply, "Verdict", verdict_to_string(decision.verdict));
	if (r >= 0)
		r = bus_append_text_entry(reply, "Rule", decision.rule);
	if (r >= 0)
		r = bus_append_text_entry(reply, "Reason", decision.reason);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_rescan(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
	struct bus *bus = userdata;
	uid_t uid;
	int r;

	/* The bus daemon's own word about the sender; the shipped bus policy says the same. */
	r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds);
	if (r >= 0)
		r = sd_bus_creds_get_euid(creds, &uid);
	if (r < 0)
		return sd_bus_error_set(ret_error, BUS_ERROR_NOT_ALLOWED,
					"Cannot find out who asks");
	if (uid != 0)
		return sd_bus_error_set(ret_error, BUS_ERROR_NOT_ALLOWED,
					"Only root may ask for a rescan");
	r = bus->ops->rescan(bus->userdata);
	if (r < 0)
		return sd_bus_error_set_errno(ret_error, r);
	return sd_bus_reply_method_return(m, "");
}

/* ---- interface ---- */

#define CHANGING(name, type, get)                                                                  \
	SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

/* Documented in dbus/org.dcdd1.Manager.xml. Who may call what is checked here, not by sd-bus. */
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
	SD_BUS_METHOD_WITH_ARGS("ListReleases", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", releases),
				method_list_releases, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ListGroups", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", groups),
				method_list_groups, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetReleaseByTag", SD_BUS_ARGS("s", tag),
				SD_BUS_RESULT("o", release), method_get_release_by_tag,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("s", tag), SD_BUS_RESULT("a{sv}", decision),
				method_explain, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Rescan", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_rescan,
				SD_BUS_VTABLE_UNPRIVILEGED),
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
