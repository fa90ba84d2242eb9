/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl show: all about one release. Of one that failed, each object that is not as it was, and
 * the command that mends it, on a line of its own so that it can be copied.
 */
#include <ctype.h>

#include <dcdd/release.h>
#include <dcdd/tag.h>

#include "cli.h"
#include "util/escape.h"

#define LABEL_WIDTH 11
#define TEXT_MAX 2400 /* RELEASE_REASON_MAX, escaped */

static bool is_number(const char *s)
{
	return s[strspn(s, "0123456789")] == '\0';
}

/* Whether @s is how a tag may begin: its hyphens are where a UUID has them. */
static bool is_tag_beginning(const char *s)
{
	size_t n = strlen(s);

	if (n < CLI_TAG_MIN || n > TAG_STRLEN)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return true;
}

bool show_takes(const char *operand)
{
	return *operand && (is_number(operand) || is_tag_beginning(operand));
}

static bool is_meant(const struct cli *cli, json_object *release)
{
	char id[32];

	/* A tag that begins with digits only is to be given with more of it. */
	if (!is_number(cli->operand))
		return strncasecmp(field_string(release, "tag"), cli->operand,
				   strlen(cli->operand)) == 0;
	(void)snprintf(id, sizeof(id), "%llu", (unsigned long long)field_uint64(release, "id"));
	return streq(id, cli->operand);
}

static bool same_group(json_object *a, json_object *b)
{
	return streq(field_string(a, "tag"), field_string(b, "tag")) &&
	       streq(field_string(a, "memdev"), field_string(b, "memdev"));
}

/* Of several of one group, the one that somebody who gives a tag wants to know of. */
static bool is_better(json_object *release, json_object *found)
{
	bool over = release_is_over(release);

	if (over != release_is_over(found))
		return !over;
	return field_uint64(release, "id") > field_uint64(found, "id");
}

/* The one that is meant: live or failed, else the latest. CLI_EXIT_OK, or said why not. */
static int choose(const struct cli *cli, json_object *all, json_object **ret)
{
	json_object *found = NULL;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *release = json_object_array_get_idx(all, i);

		if (!is_meant(cli, release))
			continue;
		if (found && !same_group(found, release)) {
			(void)fprintf(
				stderr,
				"dcdctl: '%s' is the beginning of several tags, or on several "
				"devices; give more of it, or the ID from dcdctl releases "
				"--all\n",
				cli->operand);
			return CLI_EXIT_NO_SUCH_OBJECT;
		}
		if (!found || is_better(release, found))
			found = release;
	}
	if (!found) {
		(void)fprintf(stderr, "dcdctl: no release %s; see dcdctl releases --all\n",
			      cli->operand);
		return CLI_EXIT_NO_SUCH_OBJECT;
	}
	*ret = found;
	return CLI_EXIT_OK;
}

/* Takes @key of the release from its object: of many together the list has not all of it. */
static int complete(struct cli *cli, json_object *release, const char *property, const char *key)
{
	_cleanup_json_ json_object *value = NULL;
	const char *path = field_string(release, "path");
	int r;

	if (!*path)
		return CLI_EXIT_OK;
	r = client_get(cli, path, DCDD_INTERFACE_RELEASE, property, &value);
	if (r != CLI_EXIT_OK)
		return r;
	if (json_object_object_add(release, key, value) < 0)
		return output_no_memory();
	value = NULL;
	return CLI_EXIT_OK;
}

static int complete_leftovers(struct cli *cli, json_object *release)
{
	size_t n;

	(void)field_array(release, "leftovers", &n);
	if (n >= field_uint64(release, "leftover_count"))
		return CLI_EXIT_OK;
	return complete(cli, release, "Leftovers", "leftovers");
}

/* A release that has been decided about and has none: they did not fit into the list. */
static int complete_conditions(struct cli *cli, json_object *release)
{
	size_t n;

	if (!field_array(release, "conditions", &n) || n > 0 || !*field_string(release, "rule"))
		return CLI_EXIT_OK;
	return complete(cli, release, "Conditions", "conditions");
}

static void print_field(const char *label, const char *text)
{
	(void)printf("  %-*s", LABEL_WIDTH, label);
	output_wrapped(text, 2 + LABEL_WIDTH, 2 + LABEL_WIDTH);
}

static void print_devices(json_object *release)
{
	char text[TEXT_MAX] = "";
	json_object *devices;
	size_t n, used = 0;

	devices = field_array(release, "devices", &n);
	for (size_t i = 0; i < n && used < sizeof(text); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(devices, i));

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
					 name ? name : "");
	}
	print_field("Devices:", n ? text : "-");
}

static void print_state(json_object *release)
{
	char age[AGE_STRLEN], left[AGE_STRLEN], text[TEXT_MAX];

	format_left(field_uint64(release, "deadline"), left);
	(void)snprintf(text, sizeof(text), "%s for %s%s%s", field_string(release, "state"),
		       format_age(field_uint64(release, "entered"), age),
		       *left ? ", at most for another " : "", left);
	print_field("State:", text);
}

static void print_rule(json_object *release)
{
	const char *rule = field_string(release, "rule"),
		   *source = field_string(release, "rule_source");
	char text[TEXT_MAX];

	if (!*rule)
		return;
	(void)snprintf(text, sizeof(text), "%s%s%s%s", rule, *source ? " (" : "", source,
		       *source ? ")" : "");
	print_field("Rule:", text);
}

static void print_facts(const struct cli *cli, json_object *release)
{
	char first[AGE_STRLEN], last[AGE_STRLEN], size[SIZE_STRLEN], text[TEXT_MAX];
	uint64_t records = field_uint64(release, "records"),
		 blocks = field_uint64(release, "blocks"),
		 attempts = field_uint64(release, "attempts");

	format_age(field_uint64(release, "first_record"), first);
	format_age(field_uint64(release, "last_record"), last);
	if (records == 1)
		(void)snprintf(text, sizeof(text), "once, %s ago", first);
	else
		(void)snprintf(text, sizeof(text), "%llu times, first %s ago, last %s ago",
			       (unsigned long long)records, first, last);
	print_field("Asked:", text);
	(void)snprintf(text, sizeof(text), "%s in %llu %s%s%s",
		       cell_size(cli, field_uint64(release, "bytes"), size),
		       (unsigned long long)field_uint64(release, "extents"),
		       field_uint64(release, "extents") == 1 ? "extent" : "extents",
		       *field_string(release, "region") ? " of " : "",
		       field_string(release, "region"));
	print_field("Group:", text);
	print_devices(release);
	/* Of what failed the list says more. */
	if (blocks > 0 && field_uint64(release, "leftover_count") == 0) {
		(void)snprintf(text, sizeof(text), "%llu of %llu taken offline",
			       (unsigned long long)field_uint64(release, "blocks_offline"),
			       (unsigned long long)blocks);
		print_field("Blocks:", text);
	}
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)attempts);
	print_field("Attempts:", text);
	print_rule(release);
	if (field_bool(release, "recovered"))
		print_field("Recovered:",
			    "begun by a dcdd that was killed, and taken over from its "
			    "undo journal");
}

#define CONDITION_COLUMN 22

/* Those that are not met in words, the others in short. */
static void print_conditions(json_object *release)
{
	json_object *conditions;
	size_t n;

	conditions = field_array(release, "conditions", &n);
	if (n > 0)
		(void)puts("\nConditions of its rule, when they were last looked at:");
	for (size_t i = 0; i < n; i++) {
		json_object *condition = json_object_array_get_idx(conditions, i);
		const char *outcome = field_string(condition, "outcome"),
			   *measured = field_string(condition, "measured"),
			   *limit = field_string(condition, "limit");
		char text[TEXT_MAX], kind[64], safe[64];

		if (streq(outcome, outcome_to_string(OUTCOME_MET)))
			(void)snprintf(text, sizeof(text), "%s%s%s", measured,
				       *measured && *limit ? ", " : "", limit);
		else
			(void)snprintf(text, sizeof(text), "%s", field_string(condition, "text"));
		(void)printf("  %-7s %-12s", escape_text(outcome, safe, sizeof(safe)),
			     escape_text(field_string(condition, "kind"), kind, sizeof(kind)));
		output_wrapped(text, CONDITION_COLUMN, CONDITION_COLUMN);
	}
}

static void print_leftovers(json_object *release)
{
	uint64_t count = field_uint64(release, "leftover_count");
	json_object *leftovers;
	size_t n;

	leftovers = field_array(release, "leftovers", &n);
	if (n == 0)
		return;
	(void)printf("\nNot as before: %llu %s. What mends it, to be run as root:\n",
		     (unsigned long long)count, count == 1 ? "object" : "objects");
	for (size_t i = 0; i < n; i++) {
		json_object *leftover = json_object_array_get_idx(leftovers, i);
		const char *command = field_string(leftover, "command");
		char text[TEXT_MAX];

		(void)snprintf(text, sizeof(text), "%s: %s now, %s before",
			       field_string(leftover, "object"), field_string(leftover, "have"),
			       field_string(leftover, "want"));
		(void)fputs("\n  ", stdout);
		output_wrapped(text, 2, 4);
		/* Never wrapped: it is there to be copied. */
		if (*command)
			(void)printf("    %s\n", escape_text(command, text, sizeof(text)));
		else
			(void)puts("    (no command: another hand's doing, or beyond repair)");
	}
	if (count > n)
		(void)printf("\n  and %llu more, which are shown when these are mended\n",
			     (unsigned long long)(count - n));
	(void)puts(
		"\ndcdd leaves the group alone until it sees it whole; dcdctl rescan makes it look.");
}

static void print_release(const struct cli *cli, json_object *release)
{
	char tag[TAG_CELL_STRLEN], safe[TEXT_MAX], memdev[128];

	(void)printf("Release %llu: %s on %s\n", (unsigned long long)field_uint64(release, "id"),
		     escape_text(format_tag(release, tag), safe, sizeof(safe)),
		     escape_text(field_string(release, "memdev"), memdev, sizeof(memdev)));
	print_state(release);
	print_field("Reason:", field_string(release, "reason"));
	if (field_bool(release, "retry_wanted"))
		print_field("Wanted:", "the device has to ask again");
	print_facts(cli, release);
	print_conditions(release);
	print_leftovers(release);
}

int verb_show(struct cli *cli)
{
	_cleanup_json_ json_object *all = NULL;
	json_object *release;
	int r;

	r = client_call(cli, DCDD_INTERFACE_MANAGER, "ListReleases", NULL, &all);
	if (r != CLI_EXIT_OK)
		return r;
	if (!json_object_is_type(all, json_type_array))
		return output_unusable();
	r = choose(cli, all, &release);
	if (r == CLI_EXIT_OK)
		r = complete_leftovers(cli, release);
	if (r == CLI_EXIT_OK)
		r = complete_conditions(cli, release);
	if (r != CLI_EXIT_OK)
		return r;
	if (release_name_parts(release) < 0)
		return output_no_memory();
	if (cli->json)
		return output_json(release);
	print_release(cli, release);
	return CLI_EXIT_OK;
}
