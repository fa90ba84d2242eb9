/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that set one key, for the tests of single keys. */
#pragma once

#include "tests/unit/config_parse.h"

/* What must stand beside the key, so that nothing else is wrong with the file. */
static const struct {
	const char *key, *beside;
} config_company[] = {
	{ "block-timeout", "release-timeout = 24h\n" },
	{ "release-timeout", "block-timeout = 10ms\n" },
	{ "backoff-initial", "backoff-max = 24h\n" },
	{ "backoff-max", "backoff-initial = 1ms\n" },
	{ "terminate-units", "holders = terminate\n" },
	{ "holders", "terminate-units = none.service\n" },
	{ "action", "match-tag = *\n" },
};

/* The key in the second line of its section. */
static inline char *key_file(const struct config_key *key, const char *value)
{
	const char *after = config_key_matches(key) ? "retries = 1\n" : "";
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(config_company); i++)
		if (streq(config_company[i].key, key->name))
			after = config_company[i].beside;
	/* Terminates nobody, so it needs nobody to terminate. */
	if (streq(key->name, "holders") && !streq(value, "terminate"))
		after = "";
	if (streq(key->name, "terminate-units") && !*value)
		after = "";
	assert_true(asprintf(&text, "[%s%s]\n%s = %s\n%s", config_section_to_string(key->section),
			     key->section == SECTION_RULE ? " x" : "", key->name, value,
			     after) > 0);
	return text;
}

/* Read and printed again it is @printed. */
static inline void assert_key_reads(const struct config_key *key, const char *value,
				    const char *printed)
{
	_cleanup_free_ char *text = key_file(key, value);
	char buf[CONFIG_VALUE_STRLEN];
	struct policy policy;
	const void *base;

	parse_good(text, &policy);
	base = key->section == SECTION_DAEMON	 ? (void *)&policy
	       : key->section == SECTION_RELEASE ? (void *)&policy.defaults
						 : (void *)policy.rules;
	assert_string_equal(config_key_format(key, base, buf), printed);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

static inline const struct config_key *find_key(const char *name)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (streq(config_keys[i].name, name))
			return &config_keys[i];
	fail_msg("no key %s", name);
	return NULL;
}
