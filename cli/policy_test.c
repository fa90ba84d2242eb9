/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl policy test: what a configuration file decides about the groups of a snapshot. The same
 * code as in the daemon, on this side of the bus: needs no daemon and no such host.
 */
#include <ctype.h>

#include <dcdd/policy.h>

#include "cli.h"
#include "snapshot/snapshot.h"
#include "util/escape.h"
#include "when.h"

#define FILE_BYTES_MAX (256 * MiB) /* more is no snapshot */

/* One file of the command line, in a message. */
static int file_error(const char *name, const char *what)
{
	char safe[2048];

	(void)fprintf(stderr, "dcdctl: %s: %s\n", escape_text(name, safe, sizeof(safe)), what);
	return CLI_EXIT_FAILURE;
}

/* 0 and all that @f has; negative errno. */
static int read_all(FILE *f, char **ret, size_t *ret_length)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0, size = 0, n;

	do {
		if (length == size) {
			char *larger;

			if (size >= FILE_BYTES_MAX)
				return -EFBIG;
			size = size ? 2 * size : 64 * KiB;
			larger = realloc(text, size);
			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		n = fread(text + length, 1, size - length, f);
		length += n;
	} while (n > 0);
	if (ferror(f))
		return errno ? -errno : -EIO;
	*ret = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}

static int load_snapshot(const char *path, struct snapshot *ret)
{
	_cleanup_free_ char *text = NULL, *error = NULL;
	_cleanup_fclose_ FILE *opened = NULL;
	bool standard = streq(path, "-");
	size_t length = 0;
	int r;

	if (!standard) {
		opened = fopen(path, "re");
		if (!opened)
			return file_error(path, strerror(errno));
	}
	r = read_all(standard ? stdin : opened, &text, &length);
	if (r == 0)
		r = snapshot_parse(text, length, ret, &error);
	if (r == -ENOMEM)
		return output_no_memory();
	if (r < 0)
		return file_error(standard ? "standard input" : path, error ? error : strerror(-r));
	return CLI_EXIT_OK;
}

/* Without --config: what is in force on this host. */
static int load_policy(const char *path, struct policy *policy)
{
	_cleanup_free_ char *error = NULL;
	int r = policy_load("", path, policy, &error);

	if (r >= 0)
		return CLI_EXIT_OK;
	if (r == -ENOMEM)
		return output_no_memory();
	if (error) /* names file and line */
		(void)fprintf(stderr, "dcdctl: %s\n", error);
	else
		(void)file_error(path ? path : DCDD_CONFIG_PATH, strerror(-r));
	return CLI_EXIT_FAILURE;
}

/* ---- the time, and the zone in which it is told ---- */

static bool is_local(const struct time_windows *windows)
{
	for (unsigned i = 0; i < windows->n; i++)
		if (!windows->items[i].utc)
			return true;
	return false;
}

static bool needs_zone(const struct cli *cli, const struct policy *policy)
{
	bool needed = cli->at || is_local(&policy->defaults.windows);

	for (size_t i = 0; i < policy->n_rules; i++)
		needed |= is_local(&policy->rules[i].settings.windows);
	return needed;
}

/* libc takes a name that it does not know for UTC. */
static bool zone_is_known(const char *zone)
{
	const char *dir = getenv("TZDIR");
	size_t letters = strcspn(zone, "0123456789/");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo",
		       zone);
	if (streq(zone, "UTC") || access(path, R_OK) == 0)
		return true;
	/* "CET-1CEST,M3.5.0,M10.5.0/3" is a rule and not a name. */
	return letters >= 3 && isdigit((unsigned char)zone[letters]);
}

/* Local time is that of the host that the snapshot is of. */
static int enter_zone(const struct cli *cli, const struct snapshot *snapshot)
{
	const char *zone = snapshot->timezone;

	if (!*zone) {
		(void)fprintf(stderr, "dcdctl: the snapshot does not tell the host's time zone, "
				      "that of this host is taken\n");
		return CLI_EXIT_OK;
	}
	if (!zone_is_known(zone)) {
		(void)fprintf(stderr,
			      "dcdctl: %s: timezone: \"%s\" is not known here, is tzdata "
			      "installed?\n",
			      cli->inventory, zone);
		return CLI_EXIT_FAILURE;
	}
	if (setenv("TZ", zone, 1) < 0)
		return output_no_memory();
	tzset();
	return CLI_EXIT_OK;
}

static int set_time(const struct cli *cli, struct policy_facts *facts)
{
	int r = when_parse(cli->at, facts->realtime, &facts->realtime);

	if (r == 0)
		return CLI_EXIT_OK;
	if (r == -ERANGE)
		(void)fprintf(stderr, "dcdctl: --at: there is no time '%s'\n", cli->at);
	else
		(void)fprintf(stderr, "dcdctl: --at: '%s' is no time: " WHEN_FORMS " is expected\n",
			      cli->at);
	return CLI_EXIT_USAGE;
}

/* ---- decisions ---- */

static int verdict_status(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_NOTHING:
	case VERDICT_FREE:
		return CLI_EXIT_OK;
	case VERDICT_WAIT:
		return CLI_EXIT_WAIT;
	case VERDICT_REFUSE:
	default:
		return CLI_EXIT_REFUSED;
	}
}

/* Refused is worse than having to wait, which is worse than free. */
static int worse(int a, int b)
{
	if (a == CLI_EXIT_REFUSED || b == CLI_EXIT_REFUSED)
		return CLI_EXIT_REFUSED;
	return MAX(a, b);
}

/* Takes over @value. 0 or -ENOMEM. */
static int add(json_object *object, const char *key, json_object *value)
{
	if (!value || json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static int add_text(json_object *object, const char *key, const char *text)
{
	return add(object, key, json_object_new_string(text));
}

static int add_condition(json_object *array, const struct condition *condition)
{
	json_object *object = json_object_new_object();
	int r;

	if (!object || json_object_array_add(array, object) < 0) {
		json_object_put(object);
		return -ENOMEM;
	}
	r = add_text(object, "kind", condition_kind_to_string(condition->kind));
	if (r == 0)
		r = add_text(object, "outcome", outcome_to_string(condition->outcome));
	if (r == 0)
		r = add_text(object, "measured", condition->measured);
	if (r == 0)
		r = add_text(object, "limit", condition->limit);
	return r < 0 ? r : add_text(object, "text", condition->text);
}

static int add_conditions(json_object *object, const struct decision *decision)
{
	json_object *array = json_object_new_array();
	int r = add(object, "conditions", array);

	for (unsigned i = 0; r == 0 && i < decision->n_conditions; i++)
		r = add_condition(array, &decision->conditions[i]);
	return r;
}

static int add_group(json_object *object, const struct inventory *inv,
		     const struct tag_group *group, const struct group_key *key)
{
	char text[TAG_STRLEN + 1] = "";
	int r;

	if (!tag_is_null(&key->tag))
		tag_format(&key->tag, text);
	r = add_text(object, "tag", text);
	if (r == 0 && !*text)
		r = add(object, "dpa_start", json_object_new_uint64(key->dpa.start));
	if (r == 0)
		r = add_text(object, "memdev", key->memdev);
	if (r == 0)
		r = add_text(object, "region", inv->regions[group->region].name);
	if (r == 0)
		r = add(object, "bytes", json_object_new_uint64(tag_group_bytes(inv, group)));
	return r;
}

/* One element of what --json prints, named as the answer to `policy explain`. */
static int add_decision(json_object *decisions, const struct inventory *inv,
			const struct tag_group *group, const struct group_key *key,
			const struct decision *decision, const char *text)
{
	json_object *object = json_object_new_object();
	int r;

	if (!object || json_object_array_add(decisions, object) < 0) {
		json_object_put(object);
		return -ENOMEM;
	}
	r = add_group(object, inv, group, key);
	if (r == 0)
		r = add_text(object, "verdict", verdict_to_string(decision->verdict));
	if (r == 0)
		r = add_text(object, "reason", decision->reason);
	if (r == 0)
		r = add_text(object, "rule", decision->rule);
	if (r == 0)
		r = add_text(object, "rule_source", decision->rule_source);
	if (r == 0)
		r = add(object, "permanent", json_object_new_boolean(decision->permanent));
	if (r == 0)
		r = add(object, "draining", json_object_new_boolean(decision->draining));
	if (r == 0)
		r = add(object, "terminate", json_object_new_boolean(decision->terminate));
	if (r == 0)
		r = add_conditions(object, decision);
	return r < 0 ? r : add_text(object, "text", text);
}

struct test {
	const struct cli *cli;
	const struct policy *policy;
	const struct snapshot *snapshot;
	json_object *decisions; /* NULL: as text */
	unsigned n;
	int status; /* the worst */
};

static int print_group(const struct test *test, const struct group_key *key,
		       const struct tag_group *group, const char *text)
{
	char name[GROUP_KEY_STRLEN], safe[GROUP_KEY_STRLEN], size[SIZE_STRLEN];

	if (test->n > 0)
		(void)putchar('\n');
	group_key_format(key, name);
	cell_size(test->cli, tag_group_bytes(test->snapshot->inventory, group), size);
	(void)printf("%s, %s\n", escape_text(name, safe, sizeof(safe)), size);
	return output_lines(text);
}

static int test_group(struct test *test, const struct tag_group *group, const struct group_key *key)
{
	const struct policy_request request = {
		.origin = test->cli->origin,
		.approval = test->cli->approved ? APPROVAL_GIVEN : APPROVAL_NONE,
	};
	const struct inventory *inv = test->snapshot->inventory;
	struct decision decision = { 0 };
	_cleanup_free_ char *text = NULL;
	int r = CLI_EXIT_OK;

	policy_decide(inv, group, test->policy, &test->snapshot->facts, &request, &decision);
	if (decision_explain(&decision, &text) < 0)
		return output_no_memory();
	if (!test->decisions)
		r = print_group(test, key, group, text);
	else if (add_decision(test->decisions, inv, group, key, &decision, text) < 0)
		r = output_no_memory();
	test->n++;
	test->status = worse(test->status, verdict_status(decision.verdict));
	return r;
}

static bool is_wanted(const struct cli *cli, const struct group_key *key)
{
	char text[TAG_STRLEN + 1];

	return !cli->tag ||
	       (!tag_is_null(&key->tag) && streq(tag_format(&key->tag, text), cli->tag));
}

static int test_groups(struct test *test)
{
	const struct inventory *inv = test->snapshot->inventory;
	struct tag_group group;
	struct group_key key;
	uint32_t cursor = 0;
	int r = CLI_EXIT_OK;

	while (r == CLI_EXIT_OK && inventory_next_group(inv, &cursor, &group)) {
		tag_group_key(inv, &group, &key);
		if (is_wanted(test->cli, &key))
			r = test_group(test, &group, &key);
	}
	if (r != CLI_EXIT_OK)
		return r;
	if (test->cli->tag && test->n == 0) {
		(void)fprintf(stderr, "dcdctl: no group with tag %s in %s\n", test->cli->tag,
			      test->cli->inventory);
		return CLI_EXIT_NO_SUCH_OBJECT;
	}
	if (test->decisions)
		r = output_json(test->decisions);
	if (r != CLI_EXIT_OK || test->n > 0)
		return r == CLI_EXIT_OK ? test->status : r;
	/* Of the wrong file it must not be thought that all may be freed. */
	(void)fprintf(stderr, "dcdctl: there is no group in %s\n", test->cli->inventory);
	return CLI_EXIT_NO_SUCH_OBJECT;
}

static int run_test(const struct cli *cli, const struct policy *policy, struct snapshot *snapshot)
{
	_cleanup_free_ struct group_key *leaving = calloc(snapshot->facts.n_leaving + 1,
							  sizeof(*leaving));
	_cleanup_json_ json_object *decisions = cli->json ? json_object_new_array() : NULL;
	struct test test = {
		.cli = cli,
		.policy = policy,
		.snapshot = snapshot,
		.decisions = decisions,
	};
	int r = CLI_EXIT_OK;

	if (cli->json && !decisions)
		return output_no_memory();
	if (needs_zone(cli, policy))
		r = enter_zone(cli, snapshot);
	if (r == CLI_EXIT_OK && cli->at)
		r = set_time(cli, &snapshot->facts);
	return r == CLI_EXIT_OK ? test_groups(&test) : r;
}

int verb_policy_test(struct cli *cli)
{
	struct snapshot snapshot = { 0 };
	struct policy policy;
	int r;

	if (!cli->inventory) {
		(void)fputs("dcdctl: 'policy test' needs --inventory\n", stderr);
		return CLI_EXIT_USAGE;
	}
	policy_init(&policy);
	r = load_policy(cli->config, &policy);
	if (r == CLI_EXIT_OK)
		r = load_snapshot(cli->inventory, &snapshot);
	if (r == CLI_EXIT_OK)
		r = run_test(cli, &policy, &snapshot);
	snapshot_done(&snapshot);
	policy_done(&policy);
	return r;
}
