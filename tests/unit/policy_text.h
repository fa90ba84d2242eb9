/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as one text with every value in force, of the rules too: so that two policies can be
 * compared, and a difference be read. Used by the unit tests and the fuzzer.
 */
#pragma once

#include "policy/settings.h"

static inline void policy_text_section(FILE *f, enum config_section section, const void *base)
{
	char value[CONFIG_VALUE_STRLEN];

	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_keys[i].section == section)
			fprintf(f, " %s=%s", config_keys[i].name,
				config_key_format(&config_keys[i], base, value));
	fputc('\n', f);
}

/* The caller frees it. */
static inline char *policy_text(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	policy_text_section(f, SECTION_DAEMON, policy);
	policy_text_section(f, SECTION_RELEASE, &policy->defaults);
	fprintf(f, " other=%d\n", policy->defaults.action[DAX_MODE_OTHER]);
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		fprintf(f, "%s %llx\n", rule->name, (unsigned long long)rule->set);
		policy_text_section(f, SECTION_RULE, rule);
		policy_text_section(f, SECTION_RELEASE, &rule->settings);
		fprintf(f, " other=%d\n", rule->settings.action[DAX_MODE_OTHER]);
	}
	fclose(f);
	return text;
}
