/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration file: one table says where each belongs, of which type it is, its
 * bounds and its default. Parsing, printing, the defaults, and the checks of the shipped file and
 * of the manual page all go by it.
 */
#pragma once

#include <dcdd/policy.h>

enum config_section {
	SECTION_NONE,
	SECTION_DAEMON,
	SECTION_RELEASE, /* these keys are good in [rule NAME] too */
	SECTION_RULE,	 /* only there */
};

enum config_type {
	CONFIG_TIME,	  /* usec_t */
	CONFIG_SIZE,	  /* uint64_t, bytes */
	CONFIG_SIZE_KIB,  /* size_t, in KiB; bounds in bytes */
	CONFIG_COUNT,	  /* unsigned */
	CONFIG_PERMYRIAD, /* unsigned */
	CONFIG_YES_NO,	  /* int, 1 or 0 */
	CONFIG_LOG_LEVEL, /* int, syslog priority */
	CONFIG_ACTION,	  /* enum policy_action, or an int that may be -1 */
	CONFIG_METHOD,	  /* enum offline_method */
	CONFIG_RECOVERY,  /* enum recovery */
	CONFIG_MODE,	  /* int, enum dax_mode or -1 */
	CONFIG_NAME,	  /* char[max + 1], kernel device name */
	CONFIG_GLOB,	  /* char[max + 1], pattern on the text of a tag */
};

struct config_key {
	const char *name;
	enum config_section section;
	enum config_type type;
	/* In struct policy, struct release_settings or struct policy_rule, by section. */
	size_t offset;
	uint64_t min, max;    /* numbers: the value; texts: max is the longest length */
	const char *fallback; /* the default as text; NULL: not set (rule keys) */
};

#define CONFIG_KEYS 28 /* length of the table */

extern const struct config_key config_keys[CONFIG_KEYS];

/* Room for a value as text: the longest is a glob or a name. */
#define CONFIG_VALUE_STRLEN 64
/* Room for what config_key_expected() says. */
#define CONFIG_EXPECTED_STRLEN 160

const char *config_section_to_string(enum config_section section); /* "daemon", … */

/* The key of that name in that section, [rule] including what it has of [release]; or NULL. */
const struct config_key *config_key_find(enum config_section section, const char *name);

/* Whether the key may stand in the section. */
bool config_key_allowed(const struct config_key *key, enum config_section section);

/* Its bit in policy_rule.set. */
uint64_t config_key_bit(const struct config_key *key);

/* Stores @text in the structure @base. 0, or -EINVAL: not what config_key_expected() says. */
int config_key_parse(const struct config_key *key, const char *text, void *base);

/* The value in @base as text that config_key_parse() reads. "" if it is not set. Returns @buf. */
char *config_key_format(const struct config_key *key, const void *base,
			char buf[static CONFIG_VALUE_STRLEN]);

/* "a whole number from 0 to 1000". Returns @buf. */
char *config_key_expected(const struct config_key *key, char buf[static CONFIG_EXPECTED_STRLEN]);

/* A rule that sets nothing. */
void policy_rule_init(struct policy_rule *ret, const char *name);

/* Brings each rule's settings up to date: [release], over it what the rule gives itself. */
void policy_resolve(struct policy *policy);
