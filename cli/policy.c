/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl policy explain, rules, add, remove: what the daemon decides by, and rules for a while. */
#include "cli.h"
#include "hold.h"
#include "util/escape.h"
#include "when.h"

/* ---- explain ---- */

static int verdict_status(const char *verdict)
{
	if (streq(verdict, verdict_to_string(VERDICT_REFUSE)))
		return CLI_EXIT_REFUSED;
	if (streq(verdict, verdict_to_string(VERDICT_WAIT)))
		return CLI_EXIT_WAIT;
	return streq(verdict, verdict_to_string(VERDICT_FREE)) ||
			       streq(verdict, verdict_to_string(VERDICT_NOTHING))
		       ? CLI_EXIT_OK
		       : output_unusable();
}

int verb_policy_explain(struct cli *cli)
{
	_cleanup_json_ json_object *decision = NULL;
	int status;

	status = client_call(cli, DCDD_INTERFACE_MANAGER, "Explain", cli->tag, &decision);
	if (status != CLI_EXIT_OK)
		return status;
	if (!json_object_is_type(decision, json_type_object))
		return output_unusable();
	if (decision_name_parts(decision) < 0)
		return output_no_memory();
	if (cli->json)
		status = output_json(decision);
	else
		status = output_lines(field_string(decision, "text"));
	return status == CLI_EXIT_OK ? verdict_status(field_string(decision, "verdict")) : status;
}

/* ---- rules ---- */

enum {
	COLUMN_NAME,
	COLUMN_FROM,
	COLUMN_UNTIL,
	COLUMN_RULE,
};

static const struct column columns[] = {
	[COLUMN_NAME] = { .name = "NAME" },
	[COLUMN_FROM] = { .name = "FROM" },
	[COLUMN_UNTIL] = { .name = "UNTIL" },
	[COLUMN_RULE] = { .name = "RULE", .wrap = true },
};

/* Its lines, in one. NULL: out of memory. */
static char *join_lines(const char *text)
{
	_cleanup_free_ char *copy = strdup(text), *joined = NULL;
	char *rest = copy, *line;
	size_t size = 0;
	bool first = true;
	FILE *f;

	if (!copy)
		return NULL;
	f = open_memstream(&joined, &size);
	if (!f)
		return NULL;
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		(void)fprintf(f, "%s%s", first ? "" : "; ", line);
		first = false;
	}
	return fclose(f) == 0 ? TAKE_PTR(joined) : NULL;
}

static int add_row(const struct cli *cli _unused_, struct table *table, json_object *rule)
{
	_cleanup_free_ char *text = join_lines(field_string(rule, "text"));
	bool temporary = field_bool(rule, "temporary");
	char from[1024], until[WHEN_STRLEN];
	int r = table_row(table);

	if (!text)
		return -ENOMEM;
	if (temporary)
		(void)snprintf(from, sizeof(from), "%s", field_string(rule, "who"));
	else
		(void)snprintf(from, sizeof(from), "%s:%llu", field_string(rule, "file"),
			       (unsigned long long)field_uint64(rule, "line"));
	if (r >= 0)
		r = table_cell(table, COLUMN_NAME, field_string(rule, "name"));
	if (r >= 0)
		r = table_cell(table, COLUMN_FROM, from);
	if (r >= 0 && temporary && field_uint64(rule, "until") == USEC_INFINITY)
		r = table_cell(table, COLUMN_UNTIL, "its owner ends");
	else if (r >= 0)
		r = table_cell(table, COLUMN_UNTIL,
			       temporary ? when_format(field_uint64(rule, "until"), until) : "");
	return r < 0 ? r : table_cell(table, COLUMN_RULE, text);
}

int verb_policy_rules(struct cli *cli)
{
	static const struct listing listing = {
		.method = "ListRules",
		.columns = columns,
		.n_columns = ARRAY_SIZE(columns),
		.add = add_row,
	};

	return list_run(cli, &listing);
}

/* ---- add, remove ---- */

/* KEY=VALUE operands as lines of a rule. NULL: out of memory. */
static char *rule_text(const struct cli *cli)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 1; i < cli->n_operands; i++)
		(void)fprintf(f, "%s\n", cli->operands[i]);
	return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}

int verb_policy_add(struct cli *cli)
{
	_cleanup_free_ char *text = rule_text(cli);
	_cleanup_close_ int lease = -EBADF;
	const char *name = cli->operands[0];
	char what[RULE_TEXT_MAX], safe[RULE_TEXT_MAX];
	int status;

	if (!text)
		return output_no_memory();
	/* With a time and nothing to wait for, the daemon keeps it by itself. */
	if (cli->until && !cli->command)
		return client_ask(cli, NULL, "AddRule", "sst", name, text, cli->until);
	status = client_lease(cli, &lease, "HoldRule", "sst", name, text,
			      cli->until ? cli->until : USEC_INFINITY);
	if (status != CLI_EXIT_OK)
		return status;
	(void)snprintf(what, sizeof(what), "rule %s", name);
	if (!cli->command)
		(void)printf("%s is in force as long as this runs\n",
			     escape_text(what, safe, sizeof(safe)));
	return hold_run(cli, lease, what);
}

int verb_policy_remove(struct cli *cli)
{
	return client_call(cli, DCDD_INTERFACE_MANAGER, "RemoveRule", cli->operands[0], NULL);
}
