/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl inhibit: no release begins while a command runs; dcdctl inhibitors: who says so. */
#include "cli.h"
#include "hold.h"
#include "when.h"

enum {
	COLUMN_WHO,
	COLUMN_UID,
	COLUMN_PID,
	COLUMN_SCOPE,
	COLUMN_MODE,
	COLUMN_SINCE,
	COLUMN_WHY,
};

static const struct column columns[] = {
	[COLUMN_WHO] = { .name = "WHO" },
	[COLUMN_UID] = { .name = "UID", .right = true },
	[COLUMN_PID] = { .name = "PID", .right = true },
	[COLUMN_SCOPE] = { .name = "SCOPE" },
	[COLUMN_MODE] = { .name = "MODE" },
	[COLUMN_SINCE] = { .name = "SINCE" },
	[COLUMN_WHY] = { .name = "WHY", .wrap = true },
};

static int add_row(const struct cli *cli _unused_, struct table *table, json_object *inhibitor)
{
	char uid[32], pid[32], since[WHEN_STRLEN];
	int r = table_row(table);

	(void)snprintf(uid, sizeof(uid), "%llu",
		       (unsigned long long)field_uint64(inhibitor, "uid"));
	(void)snprintf(pid, sizeof(pid), "%llu",
		       (unsigned long long)field_uint64(inhibitor, "pid"));
	if (r >= 0)
		r = table_cell(table, COLUMN_WHO, field_string(inhibitor, "who"));
	if (r >= 0)
		r = table_cell(table, COLUMN_UID, uid);
	if (r >= 0)
		r = table_cell(table, COLUMN_PID, pid);
	if (r >= 0)
		r = table_cell(table, COLUMN_SCOPE, field_string(inhibitor, "scope"));
	if (r >= 0)
		r = table_cell(table, COLUMN_MODE, field_string(inhibitor, "mode"));
	if (r >= 0)
		r = table_cell(table, COLUMN_SINCE,
			       when_format(field_uint64(inhibitor, "since"), since));
	if (r >= 0)
		r = table_cell(table, COLUMN_WHY, field_string(inhibitor, "why"));
	return r;
}

int verb_inhibitors(struct cli *cli)
{
	static const struct listing listing = {
		.method = "ListInhibitors",
		.columns = columns,
		.n_columns = ARRAY_SIZE(columns),
		.add = add_row,
	};

	return list_run(cli, &listing);
}

/* The command's name without its folders. */
static const char *command_name(const struct cli *cli)
{
	const char *slash = strrchr(cli->command[0], '/');

	return slash && slash[1] ? slash + 1 : cli->command[0];
}

int verb_inhibit(struct cli *cli)
{
	const char *scope = cli->scope ? cli->scope : "*",
		   *who = cli->who ? cli->who : command_name(cli),
		   *why = cli->why ? cli->why : "no reason given",
		   *mode = cli->mode ? cli->mode : inhibit_mode_to_string(INHIBIT_BLOCK);
	_cleanup_close_ int lease = -EBADF;
	int status;

	status = client_lease(cli, &lease, "Inhibit", "ssss", scope, who, why, mode);
	return status == CLI_EXIT_OK ? hold_run(cli, lease, "the inhibitor") : status;
}
