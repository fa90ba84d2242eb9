/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the policy in force, in the syntax of the configuration file. */
#include "settings.h"

static void dump_key(FILE *f, const struct config_key *key, const void *base)
{
	char value[CONFIG_VALUE_STRLEN];

	(void)fprintf(f, "%s = %s\n", key->name, config_key_format(key, base, value));
}

static void dump_section(FILE *f, enum config_section section, const void *base)
{
	(void)fprintf(f, "[%s]\n", config_section_to_string(section));
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_keys[i].section == section)
			dump_key(f, &config_keys[i], base);
}

static void dump_rule(FILE *f, const struct policy_rule *rule)
{
	(void)fprintf(f, "\n[rule %s]\n", rule->name);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (rule->set & config_key_bit(key))
			dump_key(f, key,
				 key->section == SECTION_RULE ? (const void *)rule
							      : &rule->settings);
	}
}

int policy_dump(const struct policy *policy, FILE *f)
{
	dump_section(f, SECTION_DAEMON, policy);
	(void)fputc('\n', f);
	dump_section(f, SECTION_RELEASE, &policy->defaults);
	for (size_t i = 0; i < policy->n_rules; i++)
		dump_rule(f, &policy->rules[i]);
	return fflush(f) == 0 && !ferror(f) ? 0 : -EIO;
}
