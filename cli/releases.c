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

static int add_row(struct table *table, json_object *release)
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

/* Those to be shown: by --all and by the operand. */
static json_object *choose(const struct cli *cli, json_object *all)
{
	json_object *chosen = json_object_new_array();

	if (!chosen)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *release = json_object_array_get_idx(all, i);

		if (cli->tag ? !streq(field_string(release, "tag"), cli->tag)
			     : !cli->all && is_final(release))
			continue;
		if (json_object_array_add(chosen, json_object_get(release)) < 0) {
			json_object_put(chosen);
			return NULL;
		}
	}
	return chosen;
}

int verb_releases(struct cli *cli)
{
	_cleanup_json_ json_object *all = NULL, *chosen = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	int r;

	r = client_call(cli, DCDD_INTERFACE_MANAGER, "ListReleases", NULL, &all);
	if (r != CLI_EXIT_OK)
		return r;
	if (!json_object_is_type(all, json_type_array))
		return output_unusable();
	chosen = choose(cli, all);
	if (!chosen)
		return output_no_memory();
	if (cli->tag && json_object_array_length(chosen) == 0) {
		(void)fprintf(stderr, "dcdctl: no release of tag %s\n", cli->tag);
		return CLI_EXIT_NO_SUCH_OBJECT;
	}
	if (cli->json)
		return output_json(chosen);

	table = table_new(cli, columns, ARRAY_SIZE(columns));
	if (!table)
		return output_no_memory();
	for (size_t i = 0; i < json_object_array_length(chosen); i++)
		if (add_row(table, json_object_array_get_idx(chosen, i)) < 0)
			return output_no_memory();
	return table_print(table);
}
