/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl groups: the tag groups the host has, and what stands on them. */
#include "cli.h"

enum {
	COLUMN_TAG,
	COLUMN_MEMDEV,
	COLUMN_REGION,
	COLUMN_SIZE,
	COLUMN_EXTENTS,
	COLUMN_DEVICE,
	COLUMN_MODE,
	COLUMN_ONLINE,
};

static const struct column columns[] = {
	[COLUMN_TAG] = { .name = "TAG" },
	[COLUMN_MEMDEV] = { .name = "MEMDEV" },
	[COLUMN_REGION] = { .name = "REGION" },
	[COLUMN_SIZE] = { .name = "SIZE", .right = true },
	[COLUMN_EXTENTS] = { .name = "EXTENTS", .right = true },
	[COLUMN_DEVICE] = { .name = "DEVICE" },
	[COLUMN_MODE] = { .name = "MODE" },
	[COLUMN_ONLINE] = { .name = "ONLINE", .right = true },
};

/* D-Bus has extents as tuples for the size of the message; JSON names the parts. */
static int name_extents(json_object *group)
{
	static const char *const names[] = { "name", "dpa_start", "length" };

	return field_name_parts(group, "extents", names, ARRAY_SIZE(names));
}

static int add_device(const struct cli *cli, struct table *table, json_object *device)
{
	char size[SIZE_STRLEN] = "";
	int r;

	/* Without memory blocks there is nothing to be online. */
	if (field_uint64(device, "blocks") > 0)
		cell_size(cli, field_uint64(device, "online_bytes"), size);
	r = table_cell(table, COLUMN_DEVICE, field_string(device, "name"));
	if (r >= 0)
		r = table_cell(table, COLUMN_MODE, field_string(device, "mode"));
	return r < 0 ? r : table_cell(table, COLUMN_ONLINE, size);
}

/* @device may be NULL: nothing claims the group. */
static int add_row(const struct cli *cli, struct table *table, json_object *group,
		   json_object *device)
{
	char tag[TAG_CELL_STRLEN], size[SIZE_STRLEN], extents[32];
	size_t n_extents;
	int r;

	(void)field_array(group, "extents", &n_extents);
	(void)snprintf(extents, sizeof(extents), "%zu", n_extents);
	r = table_row(table);
	if (r >= 0)
		r = table_cell(table, COLUMN_TAG, format_tag(group, tag));
	if (r >= 0)
		r = table_cell(table, COLUMN_MEMDEV, field_string(group, "memdev"));
	if (r >= 0)
		r = table_cell(table, COLUMN_REGION, field_string(group, "region"));
	if (r >= 0)
		r = table_cell(table, COLUMN_SIZE,
			       cell_size(cli, field_uint64(group, "bytes"), size));
	if (r >= 0)
		r = table_cell(table, COLUMN_EXTENTS, extents);
	return r < 0 ? r : add_device(cli, table, device);
}

/* A group of several devices has a line for each, said in full: each can be read by itself. */
static int add_rows(const struct cli *cli, struct table *table, json_object *group)
{
	json_object *devices;
	size_t n;
	int r = 0;

	devices = field_array(group, "devices", &n);
	if (n == 0)
		return add_row(cli, table, group, NULL);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_row(cli, table, group, json_object_array_get_idx(devices, i));
	return r;
}

int verb_groups(struct cli *cli)
{
	static const struct listing listing = {
		.method = "ListGroups",
		.none = "no group with tag",
		.prepare = name_extents,
		.columns = columns,
		.n_columns = ARRAY_SIZE(columns),
		.add = add_rows,
	};

	return list_run(cli, &listing);
}
