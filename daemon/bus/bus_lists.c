/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Manager's lists of releases and tag groups, and the way from a tag to its release. */
#include "bus_internal.h"

int bus_method_list_releases(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	struct bus_room room = {
		.leftovers = BUS_LEFTOVERS_LIST_MAX,
		.conditions = BUS_CONDITIONS_LIST_MAX,
	};
	const struct release *release;
	void *cursor = NULL;
	int r;

	(void)ret_error;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	while (r >= 0 && (release = bus->ops->next_release(&cursor, bus->userdata)))
		r = bus_release_append(reply, release, &room);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int bus_method_list_groups(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
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

int bus_method_get_release_by_tag(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	char path[BUS_RELEASE_PATH_MAX];
	const struct release *release;
	void *cursor = NULL;
	struct tag tag;
	int r;

	r = bus_read_tag(m, &tag, ret_error);
	if (r < 0)
		return r;
	/* The live ones come first. */
	while ((release = bus->ops->next_release(&cursor, bus->userdata)))
		if (tag_equal(&release->key.tag, &tag))
			return sd_bus_reply_method_return(m, "o",
							  bus_release_path(release->id, path));
	return bus_no_such_tag(&tag, "release", ret_error);
}
