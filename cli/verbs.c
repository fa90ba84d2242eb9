/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the verbs, and what `--help` says about them. */
#include "verbs.h"

#define GIVES_FORMAT (GIVES_JSON | GIVES_BYTES)
#define GIVES_TABLE (GIVES_FORMAT | GIVES_NO_LEGEND)

static const struct verb verbs[] = {
	{ "status", verb_status, GIVES_FORMAT, OPERANDS_NONE, "status", "the daemon on one screen",
	  "Shows whether the kernel's event is there, the records seen and lost, the capacity the\n"
	  "host has accepted, and the releases: those that are held and what for, and those that\n"
	  "are free and wait for their device to ask again.\n" },
	{ "releases", verb_releases, GIVES_ALL | GIVES_TABLE, OPERANDS_MAYBE_TAG, "releases [TAG]",
	  "what devices want back",
	  "Lists the release requests that have not ended or have failed; with --all also the other\n"
	  "ends. With TAG, all of that tag.\n"
	  "DEADLINE: when the state ends by itself. BLOCKS: memory blocks offline / to be taken\n"
	  "offline. RECORDS: how often the device asked. UNMET: conditions of the policy that are\n"
	  "not met.\n" },
	{ "show", verb_show, GIVES_FORMAT, OPERANDS_RELEASE, "show TAG|ID", "all about one release",
	  "Shows one release request: that of TAG, of which the first 4 characters or more are\n"
	  "enough, or the one with the number ID. With it the conditions of its rule; if it failed,\n"
	  "also what is not as it was before, and the commands that mend it.\n" },
	{ "groups", verb_groups, GIVES_TABLE, OPERANDS_MAYBE_TAG, "groups [TAG]",
	  "the tag groups of the host",
	  "Lists the tag groups the host has accepted, with the dax devices that claim them.\n"
	  "ONLINE: memory of the device that is online. An untagged extent is listed by itself.\n" },
	{ "inventory", verb_inventory, GIVES_JSON, OPERANDS_NONE, "inventory [--json]",
	  "all that decisions look at",
	  "Prints what the daemon knows of the host, and all else that its decisions look at, as\n"
	  "one JSON document for `dcdctl policy test`; it has no other form. Only root may.\n" },
	{ "rescan", verb_rescan, 0, OPERANDS_NONE, "rescan", "let the daemon look at the host anew",
	  "Makes the daemon look at the host now, for example after what a failed release had left\n"
	  "over was mended. Only root may.\n" },
	{ "reload", verb_reload, 0, OPERANDS_NONE, "reload", "let it read its configuration anew",
	  "Makes the daemon read its configuration anew. If that is wrong, the old one stays in\n"
	  "force and the first error is shown. Only root may.\n" },
	{ "approve", verb_approve, 0, OPERANDS_ANSWERED, "approve TAG|ID",
	  "let a release go on that asks for approval",
	  "Approves the release of TAG (in full), or the one with the number ID, whose rule says\n"
	  "`ask`. Its other conditions still count. Only root may.\n" },
	{ "deny", verb_deny, 0, OPERANDS_ANSWERED_REASON, "deny TAG|ID [REASON]", "refuse it",
	  "Denies a release that has not begun to change the host, whether its rule says `ask` or\n"
	  "not, and also if it was approved. TAG in full. Only root may.\n" },
	{ "inhibit", verb_inhibit,
	  GIVES_SCOPE | GIVES_WHO | GIVES_WHY | GIVES_MODE | TAKES_COMMAND | NEEDS_COMMAND,
	  OPERANDS_NONE, "inhibit [OPTION...] -- COMMAND...", "no release while COMMAND runs",
	  "Runs COMMAND and keeps releases from beginning until it has ended, within what\n"
	  "inhibit-delay-max and inhibit-wait of their rules allow. Exits as COMMAND does. Only\n"
	  "root may.\n" },
	{ "inhibitors", verb_inhibitors, GIVES_JSON | GIVES_NO_LEGEND, OPERANDS_NONE, "inhibitors",
	  "who keeps releases from beginning", "Lists the inhibitors in force, oldest first.\n" },
	{ "policy explain", verb_policy_explain, GIVES_JSON, OPERANDS_ANSWERED,
	  "policy explain TAG|ID", "what would be decided about a group now, and why",
	  "Shows what the daemon would decide if TAG were wanted back now, or about the live release\n"
	  "with the number ID: the rule, and each condition with its value and limit. What is\n"
	  "untagged has no other name than that number; `policy test` shows every group. Changes\n"
	  "nothing. Exit status 6 if it would be refused, 7 if it would wait.\n" },
	{ "policy test", verb_policy_test,
	  GIVES_CONFIG | GIVES_INVENTORY | GIVES_TAG | GIVES_ORIGIN | GIVES_AT | GIVES_APPROVED |
		  GIVES_FORMAT | WITHOUT_DAEMON,
	  OPERANDS_NONE, "policy test --inventory FILE [OPTION...]",
	  "the same of a policy and a host that are elsewhere",
	  "Decides about the groups in a file that `dcdctl inventory --json` has made, by the\n"
	  "configuration in another or of this host, without temporary rules. Needs neither dcdd nor\n"
	  "a host with such memory.\n"
	  "Exit status 6 if any group would be refused, else 7 if any would wait; 5 if there is none.\n" },
	{ "policy rules", verb_policy_rules, GIVES_JSON | GIVES_NO_LEGEND, OPERANDS_NONE,
	  "policy rules", "the rules in force",
	  "Lists the rules in the order in which they are tried, temporary ones first.\n" },
	{ "policy add", verb_policy_add, GIVES_UNTIL | GIVES_FOR | TAKES_COMMAND, OPERANDS_RULE,
	  "policy add NAME [--until TIME|--for DURATION] KEY=VALUE... [-- COMMAND...]",
	  "a temporary rule, tried before all others",
	  "Adds a rule with what would stand in its section of dcdd.conf(5). It lasts until TIME, or\n"
	  "for DURATION; with COMMAND no longer than that runs, whose exit status is passed on; with\n"
	  "neither until it is interrupted. Only root may.\n" },
	{ "policy remove", verb_policy_remove, 0, OPERANDS_NAME, "policy remove NAME",
	  "remove a temporary rule", "Removes a temporary rule. Only root may.\n" },
};

static const struct {
	unsigned option;
	const char *name, *text;
} option_texts[] = {
	{ GIVES_ALL, "--all", "  -a, --all           also what has ended" },
	{ GIVES_JSON, "--json", "      --json          one JSON document instead of text" },
	{ GIVES_NO_LEGEND, "--no-legend",
	  "      --no-legend     no line with the names of the columns" },
	{ GIVES_BYTES, "--bytes", "  -b, --bytes         sizes in bytes" },
	{ GIVES_CONFIG, "--config",
	  "      --config=FILE   the configuration; default: that of this host" },
	{ GIVES_INVENTORY, "--inventory",
	  "      --inventory=FILE  the host, of `dcdctl inventory --json`" },
	{ GIVES_TAG, "--tag", "      --tag=TAG       only that group" },
	{ GIVES_ORIGIN, "--origin", "      --origin=WHO    who asks: device (default) or admin" },
	{ GIVES_AT, "--at",
	  "      --at=TIME       as if it were '2027-01-31 08:00', 'Mon 08:00', '08:00'" },
	{ GIVES_APPROVED, "--approved", "      --approved      as if somebody had approved" },
	{ GIVES_UNTIL, "--until",
	  "      --until=TIME    when it ends: '2027-01-31 08:00', 'Mon 08:00', '08:00'" },
	{ GIVES_FOR, "--for", "      --for=DURATION  how long it lasts: 90min, 8h" },
	{ GIVES_SCOPE, "--scope", "      --scope=GLOB    only tags like that; default '*'" },
	{ GIVES_WHO, "--who", "      --who=TEXT      who inhibits; default: the command" },
	{ GIVES_WHY, "--why", "      --why=TEXT      why, for those who wait" },
	{ GIVES_MODE, "--mode",
	  "      --mode=MODE     block (default), or delay: only for a while" },
};

const char *verb_option_name(unsigned option)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_texts); i++)
		if (option_texts[i].option == option)
			return option_texts[i].name;
	return "";
}

/* What is behind the first word of @name, "" if it has one only; NULL if that is not @word. */
static const char *behind_word(const char *name, const char *word)
{
	size_t n = strcspn(name, " ");

	if (strlen(word) != n || strncmp(name, word, n) != 0)
		return NULL;
	return name[n] ? name + n + 1 : name + n;
}

const struct verb *verb_find(char *const *words, size_t *ret_words)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *rest = behind_word(verbs[i].name, words[0]);

		if (!rest || (*rest && (!words[1] || !streq(words[1], rest))))
			continue;
		*ret_words = *rest ? 2 : 1;
		return &verbs[i];
	}
	return NULL;
}

bool verb_is_prefix(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *rest = behind_word(verbs[i].name, word);

		if (rest && *rest)
			return true;
	}
	return false;
}

static void print_options(unsigned takes)
{
	(void)puts("Options:");
	for (size_t i = 0; i < ARRAY_SIZE(option_texts); i++)
		if (takes & option_texts[i].option)
			(void)puts(option_texts[i].text);
	(void)puts("  -h, --help          this text; `dcdctl VERB --help` for a verb\n"
		   "      --version       version of dcdctl");
}

#define SUMMARY_COLUMN 26

static void print_verbs(const char *prefix)
{
	(void)puts("Verbs:");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (prefix && !behind_word(verbs[i].name, prefix))
			continue;
		(void)printf("  %s", verbs[i].synopsis);
		if (strlen(verbs[i].synopsis) + 2 < SUMMARY_COLUMN)
			(void)printf("%*s%s\n",
				     (int)(SUMMARY_COLUMN - strlen(verbs[i].synopsis) - 2), "",
				     verbs[i].summary);
		else
			(void)printf("\n%*s%s\n", SUMMARY_COLUMN, "", verbs[i].summary);
	}
}

void verb_help(const struct verb *verb, const char *prefix)
{
	if (verb) {
		(void)printf("Usage: dcdctl %s%s\n\n%s\n", verb->synopsis,
			     strstr(verb->synopsis, "--") ? "" : " [OPTION...]", verb->help);
		print_options(verb->takes);
		return;
	}
	if (prefix) {
		(void)printf("Usage: dcdctl %s VERB [OPTION...]\n\n", prefix);
		print_verbs(prefix);
		return;
	}
	(void)puts(
		"Usage: dcdctl VERB [OPTION...]\n\n"
		"Shows what dcdd does about the dynamic capacity that CXL devices want back, and\n"
		"tells it what an administrator decides.\n");
	print_verbs(NULL);
	(void)puts("");
	print_options(GIVES_ALL | GIVES_TABLE);
	(void)puts(
		"\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage, 3 dcdd is not running, 4 not allowed,\n"
		"5 no such object, 6 refused by policy, 7 would wait; with a command its own. See\n"
		"dcdctl(1).");
}
