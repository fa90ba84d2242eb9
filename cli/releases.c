/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl releases: what devices have asked back, and what has become of it. */
#include <dcdd/release.h>

#include "cli.h"

enum {
	COLUMN_TAG,
	COLUMN_MEMDEV,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_BLOCKS,
	COLUMN_RECORDS,
	COLUMN_REASON,
};

static const struct column columns[] = {
	[COLUMN_TAG] = { .name = "TAG" },
	[COLUMN_MEMDEV] = { .name = "MEMDEV" },
	[COLUMN_STATE] = { .name = "STATE" },
	[COLUMN_SINCE] = { .name = "SINCE" },
	[COLUMN_BLOCKS] = { .name = "BLOCKS", .right = true },
	[COLUMN_RECORDS] = { .name = "RECORDS", .right = true },
	[COLUMN_REASON] = { .name = "REASON", .wrap = true },
};

/* A state that this dcdctl does not know, from a newer dcdd, is shown. */
static bool is_final(json_object *release)
{
	enum release_state state;

	return release_state_from_string(field_string(release, "state"), &state) >= 0 &&
	       release_state_is_final(state);
}

static int add_row(const struct cli *cli _unused_, struct table *table, json_object *release)
{
	char tag[TAG_CELL_STRLEN], age[AGE_STRLEN], blocks[64] = "", records[32];
	uint64_t n = field_uint64(release, "blocks");
	int r;

	if (n > 0)
		(void)snprintf(blocks, sizeof(blocks), "%llu/%llu",
			       (unsigned long long)field_uint64(release, "blocks_offline"),
			       (unsigned long long)n);
	(void)snprintf(records, sizeof(records), "%llu",
		       (unsigned long long)field_uint64(release, "records"));
	r = table_row(table);
	if (r >= 0)
		r = table_cell(table, COLUMN_TAG, format_tag(release, tag));
	if (r >= 0)
		r = table_cell(table, COLUMN_MEMDEV, field_string(release, "memdev"));
	if (r >= 0)
		r = table_cell(table, COLUMN_STATE, field_string(release, "state"));
	if (r >= 0)
		r = table_cell(table, COLUMN_SINCE,
			       format_age(field_uint64(release, "entered"), age));
	if (r >= 0)
		r = table_cell(table, COLUMN_BLOCKS, blocks);
	if (r >= 0)
		r = table_cell(table, COLUMN_RECORDS, records);
	if (r >= 0)
		r = table_cell(table, COLUMN_REASON, field_string(release, "reason"));
	return r;
}

/* The ended ones only by --all, or if they are asked for by their tag. */
static bool is_shown(const struct cli *cli, json_object *release)
{
	return cli->all || !is_final(release);
}

int verb_releases(struct cli *cli)
{
	static const struct listing listing = {
		.method = "ListReleases",
		.none = "no release of tag",
		.wanted = is_shown,
		.columns = columns,
		.n_columns = ARRAY_SIZE(columns),
		.add = add_row,
	};

	return list_run(cli, &listing);
}
