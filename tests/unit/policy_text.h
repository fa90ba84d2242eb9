/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as one text with every value in force, of the rules too: so that two policies can be
 * compared, and a difference be read. Used by the unit tests and the fuzzer.
 */
#pragma once

#include <inttypes.h>

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

static inline void policy_text_release(FILE *f, const struct release_settings *settings)
{
	policy_text_section(f, SECTION_RELEASE, settings);
	fprintf(f, " other=%d\n", settings->action[DAX_MODE_OTHER]);
}

static inline void policy_text_rule(FILE *f, const struct policy_rule *rule)
{
	fprintf(f, "%s gives", rule->name);
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (rule_gives(rule, &config_keys[i]))
			fprintf(f, " %s", config_keys[i].name);
	if (rule->temporary)
		fprintf(f, ", temporary by %s until %" PRIu64, rule->who, rule->until);
	fputc('\n', f);
	policy_text_section(f, SECTION_RULE, rule);
	policy_text_release(f, &rule->settings);
}

/* The caller frees it. Where the rules stand is not in it: that differs between equal policies. */
static inline char *policy_text(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	policy_text_section(f, SECTION_DAEMON, policy);
	policy_text_release(f, &policy->defaults);
	for (size_t i = 0; i < policy->n_rules; i++)
		policy_text_rule(f, &policy->rules[i]);
	fclose(f);
	return text;
}
