/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl releases: what devices want back, and what has become of it. */
#include <dcdd/release.h>

#include "cli.h"

enum {
	COLUMN_ID,
	COLUMN_TAG,
	COLUMN_MEMDEV,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_DEADLINE,
	COLUMN_BLOCKS,
	COLUMN_RECORDS,
	COLUMN_UNMET,
	COLUMN_REASON,
};

static const struct column columns[] = {
	[COLUMN_ID] = { .name = "ID", .right = true },
	[COLUMN_TAG] = { .name = "TAG" },
	[COLUMN_MEMDEV] = { .name = "MEMDEV" },
	[COLUMN_STATE] = { .name = "STATE" },
	[COLUMN_SINCE] = { .name = "SINCE" },
	[COLUMN_DEADLINE] = { .name = "DEADLINE" },
	[COLUMN_BLOCKS] = { .name = "BLOCKS", .right = true },
	[COLUMN_RECORDS] = { .name = "RECORDS", .right = true },
	[COLUMN_UNMET] = { .name = "UNMET" },
	[COLUMN_REASON] = { .name = "REASON", .wrap = true },
};

int decision_name_parts(json_object *decision)
{
	static const char *const names[] = { "kind", "outcome", "measured", "limit", "text" };

	return field_name_parts(decision, "conditions", names, ARRAY_SIZE(names));
}

int release_name_parts(json_object *release)
{
	static const char *const names[] = { "object", "have", "want", "command" };
	int r = field_name_parts(release, "leftovers", names, ARRAY_SIZE(names));

	return r < 0 ? r : decision_name_parts(release);
}

bool release_is_held(json_object *release)
{
	enum release_state state;

	return release_state_from_string(field_string(release, "state"), &state) >= 0 &&
	       release_state_is_held(state);
}

char *release_unmet(json_object *release, char buf[static UNMET_STRLEN])
{
	json_object *conditions;
	size_t n, used = 0;

	buf[0] = '\0';
	conditions = field_array(release, "conditions", &n);
	for (size_t i = 0; i < n && used < UNMET_STRLEN; i++) {
		json_object *condition = json_object_array_get_idx(conditions, i);

		if (streq(field_string(condition, "outcome"), outcome_to_string(OUTCOME_MET)))
			continue;
		used += (size_t)snprintf(buf + used, UNMET_STRLEN - used, "%s%s", used ? ", " : "",
					 field_string(condition, "kind"));
	}
	return buf;
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
	char id[32], tag[TAG_CELL_STRLEN], age[AGE_STRLEN], left[AGE_STRLEN],
		blocks[64] = "", records[32], unmet[UNMET_STRLEN] = "";
	uint64_t n = field_uint64(release, "blocks");
	int r;

	(void)snprintf(id, sizeof(id), "%llu", (unsigned long long)field_uint64(release, "id"));
	if (n > 0)
		(void)snprintf(blocks, sizeof(blocks), "%llu/%llu",
			       (unsigned long long)field_uint64(release, "blocks_offline"),
			       (unsigned long long)n);
	(void)snprintf(records, sizeof(records), "%llu",
		       (unsigned long long)field_uint64(release, "records"));
	/* Of one that is over, or free, they are of no interest. */
	if (release_is_held(release))
		release_unmet(release, unmet);
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
		r = table_cell(table, COLUMN_DEADLINE,
			       format_left(field_uint64(release, "deadline"), left));
	if (r >= 0)
		r = table_cell(table, COLUMN_BLOCKS, blocks);
	if (r >= 0)
		r = table_cell(table, COLUMN_RECORDS, records);
	if (r >= 0)
		r = table_cell(table, COLUMN_UNMET, unmet);
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
		.prepare = release_name_parts,
		.columns = columns,
		.n_columns = ARRAY_SIZE(columns),
		.add = add_row,
	};

	return list_run(cli, &listing);
}
