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
	/* numbers */
	CONFIG_TIME,	  /* usec_t */
	CONFIG_WAIT,	  /* usec_t, or USEC_INFINITY */
	CONFIG_SIZE,	  /* uint64_t, bytes */
	CONFIG_SIZE_KIB,  /* size_t, in KiB; bounds in bytes */
	CONFIG_COUNT,	  /* unsigned */
	CONFIG_PERMYRIAD, /* unsigned */
	/* words: an int or an enum each; those of rules may be -1, not given */
	CONFIG_YES_NO,	  /* 1 or 0 */
	CONFIG_LOG_LEVEL, /* syslog priority */
	CONFIG_ACTION,	  /* enum policy_action */
	CONFIG_OUTCOME,	  /* same, without ACTION_ASK */
	CONFIG_METHOD,	  /* enum offline_method */
	CONFIG_RECOVERY,  /* enum recovery */
	CONFIG_HOLDERS,	  /* enum holders_action */
	CONFIG_ORIGIN,	  /* enum origin */
	/* texts: char[max + 1]; lists are stored with one blank between their elements */
	CONFIG_TEXT,	/* a sentence */
	CONFIG_UNITS,	/* list of patterns on systemd units or cgroups */
	CONFIG_TAGS,	/* list of patterns on the text of a tag */
	CONFIG_MEMDEVS, /* list of patterns on device names, or serial numbers */
	CONFIG_REGIONS, /* list of patterns on device names */
	/* the rest; CONFIG_NODES has a struct member behind it, so no key of [release] may be one
	 */
	CONFIG_WINDOWS,	   /* struct time_windows; max is the longest text */
	CONFIG_NODES,	   /* policy_rule.nodes with n_nodes */
	CONFIG_PARTITIONS, /* unsigned, a bit for each */
	CONFIG_MODES,	   /* unsigned, a bit for each enum dax_mode or MODE_UNCLAIMED */
	CONFIG_SIZES,	   /* struct bounds */
	CONFIG_COUNTS,	   /* struct bounds */
};

struct config_key {
	const char *name;
	enum config_section section;
	enum config_type type;
	/* In struct policy, struct release_settings or struct policy_rule, by section. */
	size_t offset;
	uint64_t min, max;    /* numbers: the value; texts: the length */
	const char *fallback; /* the default as text; NULL: not set (rule keys) */
};

#define CONFIG_KEYS 62 /* length of the table */

extern const struct config_key config_keys[CONFIG_KEYS];

/* Room for a value as text. */
#define CONFIG_VALUE_STRLEN TIME_WINDOWS_STRLEN
/* Room for what config_key_expected() says. */
#define CONFIG_EXPECTED_STRLEN 256

const char *config_section_to_string(enum config_section section); /* "daemon", … */

/* The key of that name in that section, [rule] including what it has of [release]; or NULL. */
const struct config_key *config_key_find(enum config_section section, const char *name);

/* Whether the key may stand in the section. */
bool config_key_allowed(const struct config_key *key, enum config_section section);

/* Whether it says which groups a rule is for. */
bool config_key_matches(const struct config_key *key);

/* Whether the rule itself gives the key, and that it does from now on. */
bool rule_gives(const struct policy_rule *rule, const struct config_key *key);
void rule_set_given(struct policy_rule *rule, const struct config_key *key);

/*
 * Whether every condition of @general is one of @special, too: then behind @general, @special is
 * never used.
 */
bool rule_covers(const struct policy_rule *general, const struct policy_rule *special);

/* What config_key_parse() and config_key_format() take as @base for a key of a rule. */
void *rule_key_base(struct policy_rule *rule, const struct config_key *key);
const void *rule_key_base_const(const struct policy_rule *rule, const struct config_key *key);

/*
 * Stores @text in the structure @base. 0, or -EINVAL: not what config_key_expected() says, and
 * @base is as before.
 */
int config_key_parse(const struct config_key *key, const char *text, void *base);

/*
 * The value in @base as text that config_key_parse() reads as the same; "" if it is not set. It
 * fits a line of the file. Returns @buf.
 */
char *config_key_format(const struct config_key *key, const void *base,
			char buf[static CONFIG_VALUE_STRLEN]);

/* The value of a key that is a number, in the unit of its bounds. */
uint64_t config_key_number(const struct config_key *key, const void *base);

/* Whether both have the same value. */
bool config_key_equal(const struct config_key *key, const void *a, const void *b);

/* "a whole number from 0 to 1000". Returns @buf. */
char *config_key_expected(const struct config_key *key, char buf[static CONFIG_EXPECTED_STRLEN]);

#define CONFIG_WORDS_MAX 16 /* no word of any type is this or more */

/* The name of value @word of a type that takes words, or an element of CONFIG_MODES; else NULL. */
const char *config_word(enum config_type type, int word);

/* A rule that sets nothing. */
void policy_rule_init(struct policy_rule *ret, const char *name);

/* Brings each rule's settings up to date: [release], over it what the rule gives itself. */
void policy_resolve(struct policy *policy);
