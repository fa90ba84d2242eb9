/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl releases: what devices have asked back, and what has become of it. */
#include <dcdd/release.h>

#include "cli.h"

enum {
	COLUMN_ID,
	COLUMN_TAG,
	COLUMN_MEMDEV,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_BLOCKS,
	COLUMN_RECORDS,
	COLUMN_REASON,
};

static const struct column columns[] = {
	[COLUMN_ID] = { .name = "ID", .right = true },
	[COLUMN_TAG] = { .name = "TAG" },
	[COLUMN_MEMDEV] = { .name = "MEMDEV" },
	[COLUMN_STATE] = { .name = "STATE" },
	[COLUMN_SINCE] = { .name = "SINCE" },
	[COLUMN_BLOCKS] = { .name = "BLOCKS", .right = true },
	[COLUMN_RECORDS] = { .name = "RECORDS", .right = true },
	[COLUMN_REASON] = { .name = "REASON", .wrap = true },
};

int release_name_leftovers(json_object *release)
{
	static const char *const names[] = { "object", "have", "want", "command" };

	return field_name_parts(release, "leftovers", names, ARRAY_SIZE(names));
}

/* A failed one waits for somebody; a state that this dcdctl does not know, of a newer dcdd, may be
 * anything. */
bool release_is_over(json_object *release)
{
	enum release_state state;

	return release_state_from_string(field_string(release, "state"), &state) >= 0 &&
	       release_state_is_final(state) && state != RELEASE_FAILED;
}

static int add_row(const struct cli *cli _unused_, struct table *table, json_object *release)
{
	char id[32], tag[TAG_CELL_STRLEN], age[AGE_STRLEN], blocks[64] = "", records[32];
	uint64_t n = field_uint64(release, "blocks");
	int r;

	(void)snprintf(id, sizeof(id), "%llu", (unsigned long long)field_uint64(release, "id"));
	if (n > 0)
		(void)snprintf(blocks, sizeof(blocks), "%llu/%llu",
			       (unsigned long long)field_uint64(release, "blocks_offline"),
			       (unsigned long long)n);
	(void)snprintf(records, sizeof(records), "%llu",
		       (unsigned long long)field_uint64(release, "records"));
	r = table_row(table);
	if (r >= 0)
		r = table_cell(table, COLUMN_ID, id);
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

/* What is over only by --all, or if it is asked for by its tag. */
static bool is_shown(const struct cli *cli, json_object *release)
{
	return cli->all || !release_is_over(release);
}

int verb_releases(struct cli *cli)
{
	static const struct listing listing = {
		.method = "ListReleases",
		.none = "no release of tag",
		.wanted = is_shown,
		.prepare = release_name_leftovers,
		.columns = columns,
		.n_columns = ARRAY_SIZE(columns),
		.add = add_row,
	};

	return list_run(cli, &listing);
}
