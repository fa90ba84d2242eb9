/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the policy in force, in the syntax of the configuration file. */
#include "settings.h"
#include "util/escape.h"

#define COMMENT_MAX 512 /* of a path; a line of the file has its limit */

static void dump_key(FILE *f, const struct config_key *key, const void *base)
{
	char value[CONFIG_VALUE_STRLEN];

	config_key_format(key, base, value);
	(void)fprintf(f, "%s =%s%s\n", key->name, *value ? " " : "", value);
}

static void dump_section(FILE *f, enum config_section section, const void *base)
{
	(void)fprintf(f, "\n[%s]\n", config_section_to_string(section));
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_keys[i].section == section)
			dump_key(f, &config_keys[i], base);
}

static int finish(FILE *f)
{
	return fflush(f) == 0 && !ferror(f) ? 0 : -EIO;
}

static void dump_rule_keys(FILE *f, const struct policy_rule *rule)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (rule_gives(rule, key))
			dump_key(f, key, rule_key_base_const(rule, key));
	}
}

int policy_rule_dump(const struct policy_rule *rule, FILE *f)
{
	dump_rule_keys(f, rule);
	return finish(f);
}

/* A path can hold anything, a newline too. */
static const char *file_name(const struct policy *policy, size_t i, char buf[static COMMENT_MAX])
{
	return i < policy->n_files ? escape_text(policy->files[i], buf, COMMENT_MAX) : "?";
}

/*
 * The rule of another file that makes this one useless, or NULL. In one file, which the dump is,
 * such a rule is a mistake.
 */
static const struct policy_rule *hidden_by(const struct policy *policy, size_t index)
{
	const struct policy_rule *rule = &policy->rules[index];

	for (size_t i = policy->n_temporary; i < index; i++)
		if (policy->rules[i].file != rule->file && rule_covers(&policy->rules[i], rule))
			return &policy->rules[i];
	return NULL;
}

int policy_dump(const struct policy *policy, FILE *f)
{
	char path[COMMENT_MAX];

	if (policy->n_files == 0)
		(void)fputs("# The built-in defaults; there is no configuration file.\n", f);
	for (size_t i = 0; i < policy->n_files; i++)
		(void)fprintf(f, "# From %s\n", file_name(policy, i, path));
	dump_section(f, SECTION_DAEMON, policy);
	dump_section(f, SECTION_RELEASE, &policy->defaults);
	for (size_t i = policy->n_temporary; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		const struct policy_rule *by = hidden_by(policy, i);

		if (by) {
			(void)fprintf(f, "\n# %s:%u\n# [rule %s] is never used: %s is before it\n",
				      file_name(policy, rule->file, path), rule->line, rule->name,
				      by->name);
			continue;
		}
		(void)fprintf(f, "\n# %s:%u\n[rule %s]\n", file_name(policy, rule->file, path),
			      rule->line, rule->name);
		dump_rule_keys(f, rule);
	}
	return finish(f);
}
