/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tag group as a dictionary for the Manager's ListGroups(). Dictionaries, so that keys can be
 * added without breaking who reads them; the keys are documented in dbus/org.dcdd1.Manager.xml.
 */
#include "bus_internal.h"

static int append_extents(sd_bus_message *m, const struct inventory *inv,
			  const struct tag_group *group)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "Extents");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(stt)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(stt)");
	for (uint32_t i = 0; r >= 0 && i < group->n_extents; i++) {
		const struct extent *e = &inv->extents[group->first_extent + i];

		r = sd_bus_message_open_container(m, 'r', "stt");
		if (r >= 0)
			r = bus_append_text(m, e->name);
		if (r >= 0)
			r = sd_bus_message_append(m, "tt", e->dpa.start, e->dpa.length);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
	}
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int append_device(sd_bus_message *m, const struct inventory *inv,
			 const struct dax_device *device)
{
	uint32_t online = 0;
	int r;

	for (uint32_t i = 0; i < device->n_blocks; i++)
		/* What cannot be read counts as online: the daemon never takes it for offline. */
		if (inv->blocks[device->first_block + i].state != BLOCK_OFFLINE)
			online++;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = bus_append_text_entry(m, "Name", device->name);
	if (r >= 0)
		r = bus_append_text_entry(m, "Mode", dax_mode_to_string(device->mode));
	if (r >= 0)
		r = bus_append_text_entry(m, "Driver", device->driver);
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}", "Bytes", "t", device->size,
					  "TargetNode", "i", device->target_node, "Blocks", "u",
					  device->n_blocks, "BlocksOnline", "u", online,
					  "OnlineBytes", "t", online * inv->block_size, "Holders",
					  "u", device->n_holders);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_devices(sd_bus_message *m, const struct inventory *inv,
			  const struct tag_group *group)
{
	_cleanup_free_ uint32_t *devices = NULL;
	size_t n;
	int r;

	/* No extent is claimed by two devices: there cannot be more devices than extents. */
	devices = calloc(MAX(group->n_extents, 1U), sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	n = MIN(tag_group_devices(inv, group, devices, group->n_extents), group->n_extents);

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", "Devices");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "aa{sv}");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append_device(m, inv, &inv->devices[devices[i]]);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

int bus_group_append(sd_bus_message *m, const struct inventory *inv, const struct tag_group *group)
{
	char tag[TAG_STRLEN + 1] = "";
	uint64_t start = UINT64_MAX, end = 0, claimed = 0;
	struct group_key key;
	int r;

	tag_group_key(inv, group, &key);
	if (!tag_is_null(&key.tag))
		tag_format(&key.tag, tag);
	for (uint32_t i = 0; i < group->n_extents; i++) {
		const struct extent *e = &inv->extents[group->first_extent + i];

		start = MIN(start, e->dpa.start);
		end = MAX(end, range_end(&e->dpa));
		if (e->device != INVENTORY_NONE)
			claimed += e->hpa.length;
	}
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}", "Tag", "s", tag);
	if (r >= 0)
		r = bus_append_text_entry(m, "Memdev", key.memdev);
	if (r >= 0)
		r = bus_append_text_entry(m, "Region", inv->regions[group->region].name);
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}", "DpaStart", "t",
					  group->n_extents ? start : 0, "DpaEnd", "t", end, "Bytes",
					  "t", tag_group_bytes(inv, group), "ClaimedBytes", "t",
					  claimed, "Claimed", "b", (int)(claimed > 0));
	if (r >= 0)
		r = append_extents(m, inv, group);
	if (r >= 0)
		r = append_devices(m, inv, group);
	return r < 0 ? r : sd_bus_message_close_container(m);
}
