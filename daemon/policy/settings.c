/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys, the defaults that stand in it, and how a rule inherits from [release]. */
#include <assert.h>
#include <syslog.h>

#include "parse_value.h"
#include "settings.h"

#define POLICY(field) offsetof(struct policy, field)
#define RELEASE(field) offsetof(struct release_settings, field)
#define RULE(field) offsetof(struct policy_rule, field)
#define TEXT_MAX(field) (sizeof(((struct policy_rule *)NULL)->field) - 1)

static_assert(sizeof(enum policy_action) == sizeof(int), "enums are read and written as int");
static_assert(sizeof(enum offline_method) == sizeof(int), "enums are read and written as int");
static_assert(sizeof(enum recovery) == sizeof(int), "enums are read and written as int");
static_assert(CONFIG_KEYS <= 64, "a bit for each key in policy_rule.set");
static_assert(TEXT_MAX(tag_glob) < CONFIG_VALUE_STRLEN, "a text fits its buffer");
static_assert(TEXT_MAX(memdev) < CONFIG_VALUE_STRLEN, "a text fits its buffer");

/* No length here: so the compiler checks it against CONFIG_KEYS. */
const struct config_key config_keys[] = {
	{ "settle-time", SECTION_DAEMON, CONFIG_TIME, POLICY(settle_time), USEC_PER_MSEC,
	  USEC_PER_MIN, "200ms" },
	{ "refuse-hold", SECTION_DAEMON, CONFIG_TIME, POLICY(refuse_hold), 0, 24 * USEC_PER_HOUR,
	  "30s" },
	{ "trace-buffer-size", SECTION_DAEMON, CONFIG_SIZE_KIB, POLICY(buffer_kib), 4 * KiB,
	  64 * MiB, "64K" },
	{ "queue-max", SECTION_DAEMON, CONFIG_COUNT, POLICY(queue_max), 1, 65536, "256" },
	{ "history-max", SECTION_DAEMON, CONFIG_COUNT, POLICY(history_max), 1, 65536, "128" },
	{ "stop-timeout", SECTION_DAEMON, CONFIG_TIME, POLICY(stop_timeout), 100 * USEC_PER_MSEC,
	  USEC_PER_HOUR, "75s" },
	{ "scan-timeout", SECTION_DAEMON, CONFIG_TIME, POLICY(scan_timeout), 100 * USEC_PER_MSEC,
	  USEC_PER_HOUR, "60s" },
	{ "concurrency", SECTION_DAEMON, CONFIG_COUNT, POLICY(concurrency), 1, 16, "1" },
	{ "log-level", SECTION_DAEMON, CONFIG_LOG_LEVEL, POLICY(log_level), LOG_EMERG, LOG_DEBUG,
	  "info" },

	{ "system-ram", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_SYSTEM_RAM]), 0, 0,
	  "free" },
	{ "devdax", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_DEVDAX]), 0, 0,
	  "keep" },
	{ "fsdev", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_FSDEV]), 0, 0, "keep" },
	{ "unbound", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_UNBOUND]), 0, 0,
	  "keep" },
	{ "offline-method", SECTION_RELEASE, CONFIG_METHOD, RELEASE(method), 0, 0, "auto" },
	{ "block-timeout", SECTION_RELEASE, CONFIG_TIME, RELEASE(block_timeout), 10 * USEC_PER_MSEC,
	  USEC_PER_HOUR, "60s" },
	{ "release-timeout", SECTION_RELEASE, CONFIG_TIME, RELEASE(release_timeout),
	  10 * USEC_PER_MSEC, 24 * USEC_PER_HOUR, "15min" },
	{ "retries", SECTION_RELEASE, CONFIG_COUNT, RELEASE(retries), 0, 1000, "3" },
	{ "backoff-initial", SECTION_RELEASE, CONFIG_TIME, RELEASE(backoff_initial), USEC_PER_MSEC,
	  24 * USEC_PER_HOUR, "5s" },
	{ "backoff-max", SECTION_RELEASE, CONFIG_TIME, RELEASE(backoff_max), USEC_PER_MSEC,
	  24 * USEC_PER_HOUR, "5min" },
	{ "recovery", SECTION_RELEASE, CONFIG_RECOVERY, RELEASE(recovery), 0, 0, "roll-back" },
	{ "headroom", SECTION_RELEASE, CONFIG_SIZE, RELEASE(headroom_bytes), 0, 1024 * (GiB << 10),
	  "256M" },
	{ "headroom-percent", SECTION_RELEASE, CONFIG_PERMYRIAD, RELEASE(headroom_permyriad), 0,
	  10000, "5%" },

	{ "ignore-unseen-processes", SECTION_RELEASE, CONFIG_YES_NO, RELEASE(ignore_unseen), 0, 0,
	  "no" },

	{ "match-tag", SECTION_RULE, CONFIG_GLOB, RULE(tag_glob), 1, TEXT_MAX(tag_glob), NULL },
	{ "match-memdev", SECTION_RULE, CONFIG_NAME, RULE(memdev), 1, TEXT_MAX(memdev), NULL },
	{ "match-region", SECTION_RULE, CONFIG_NAME, RULE(region), 1, TEXT_MAX(region), NULL },
	{ "match-mode", SECTION_RULE, CONFIG_MODE, RULE(mode), 0, 0, NULL },
	{ "action", SECTION_RULE, CONFIG_ACTION, RULE(action), 0, 0, NULL },
};

/* As syslog(3) and systemd name them. */
static const char *const log_level_table[] = {
	[LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",	  [LOG_CRIT] = "crit",
	[LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

const char *config_section_to_string(enum config_section section)
{
	switch (section) {
	case SECTION_DAEMON:
		return "daemon";
	case SECTION_RELEASE:
		return "release";
	case SECTION_RULE:
		return "rule";
	case SECTION_NONE:
		break;
	}
	return "";
}

bool config_key_allowed(const struct config_key *key, enum config_section section)
{
	return key->section == section ||
	       (section == SECTION_RULE && key->section == SECTION_RELEASE);
}

const struct config_key *config_key_find(enum config_section section, const char *name)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_key_allowed(&config_keys[i], section) &&
		    streq(config_keys[i].name, name))
			return &config_keys[i];
	return NULL;
}

uint64_t config_key_bit(const struct config_key *key)
{
	return UINT64_C(1) << (key - config_keys);
}

/* What a tag's text can hold, and what fnmatch() makes patterns of. */
static bool is_glob(const char *s)
{
	return s[strspn(s, "0123456789abcdefABCDEF-*?[]!^")] == '\0';
}

/* What the kernel's device names are made of; no blank, no slash. */
static bool is_name(const char *s)
{
	return s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._:-")] ==
	       '\0';
}

/* A mode that a rule may name: DAX_MODE_OTHER is never freed, so none is for it. */
static bool mode_is_settable(enum dax_mode mode)
{
	return mode != DAX_MODE_OTHER;
}

static int parse_log_level(const char *s, int *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_level_table); i++)
		if (streq(s, log_level_table[i])) {
			*ret = (int)i;
			return 0;
		}
	return -EINVAL;
}

/* The words: an int each. */
static int parse_word(const struct config_key *key, const char *text, int *ret)
{
	enum offline_method method;
	enum policy_action action;
	enum recovery recovery;
	enum dax_mode mode;

	switch (key->type) {
	case CONFIG_YES_NO:
		if (!streq(text, "yes") && !streq(text, "no"))
			return -EINVAL;
		*ret = streq(text, "yes");
		return 0;
	case CONFIG_LOG_LEVEL:
		return parse_log_level(text, ret);
	case CONFIG_ACTION:
		if (policy_action_from_string(text, &action) < 0)
			return -EINVAL;
		*ret = (int)action;
		return 0;
	case CONFIG_METHOD:
		if (offline_method_from_string(text, &method) < 0)
			return -EINVAL;
		*ret = (int)method;
		return 0;
	case CONFIG_RECOVERY:
		if (recovery_from_string(text, &recovery) < 0)
			return -EINVAL;
		*ret = (int)recovery;
		return 0;
	case CONFIG_MODE:
		if (dax_mode_from_string(text, &mode) < 0 || !mode_is_settable(mode))
			return -EINVAL;
		*ret = (int)mode;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The numbers, in the unit of their bounds. */
static int parse_number(const struct config_key *key, const char *text, uint64_t *ret)
{
	unsigned permyriad;
	int r;

	switch (key->type) {
	case CONFIG_TIME:
		r = parse_time(text, ret);
		break;
	case CONFIG_SIZE:
	case CONFIG_SIZE_KIB:
		r = parse_size(text, ret);
		break;
	case CONFIG_COUNT:
		r = parse_count(text, ret);
		break;
	case CONFIG_PERMYRIAD:
		r = parse_permyriad(text, &permyriad);
		if (r == 0)
			*ret = permyriad;
		break;
	default:
		return -EINVAL;
	}
	if (r < 0 || *ret < key->min || *ret > key->max)
		return -EINVAL;
	return 0;
}

int config_key_parse(const struct config_key *key, const char *text, void *base)
{
	char *field = (char *)base + key->offset;
	uint64_t number = 0;
	size_t size;
	unsigned count;
	int word = 0;

	/* By memcpy(), since one int stands for several enum types. */
	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_SIZE:
		if (parse_number(key, text, &number) < 0)
			return -EINVAL;
		memcpy(field, &number, sizeof(number));
		return 0;
	case CONFIG_SIZE_KIB:
		if (parse_number(key, text, &number) < 0 || number % KiB)
			return -EINVAL;
		size = (size_t)(number / KiB);
		memcpy(field, &size, sizeof(size));
		return 0;
	case CONFIG_COUNT:
	case CONFIG_PERMYRIAD:
		if (parse_number(key, text, &number) < 0)
			return -EINVAL;
		count = (unsigned)number;
		memcpy(field, &count, sizeof(count));
		return 0;
	case CONFIG_YES_NO:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ACTION:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_MODE:
		if (parse_word(key, text, &word) < 0)
			return -EINVAL;
		memcpy(field, &word, sizeof(word));
		return 0;
	case CONFIG_NAME:
	case CONFIG_GLOB:
		size = strlen(text);
		if (size < key->min || size > key->max ||
		    !(key->type == CONFIG_GLOB ? is_glob(text) : is_name(text)))
			return -EINVAL;
		memcpy(field, text, size + 1);
		return 0;
	}
	return -EINVAL;
}

static const char *word_to_string(enum config_type type, int word)
{
	if (word < 0)
		return "";
	switch (type) {
	case CONFIG_YES_NO:
		return word ? "yes" : "no";
	case CONFIG_LOG_LEVEL:
		return (size_t)word < ARRAY_SIZE(log_level_table) ? log_level_table[word] : "";
	case CONFIG_ACTION:
		return policy_action_to_string((enum policy_action)word);
	case CONFIG_METHOD:
		return offline_method_to_string((enum offline_method)word);
	case CONFIG_RECOVERY:
		return recovery_to_string((enum recovery)word);
	case CONFIG_MODE:
		return dax_mode_to_string((enum dax_mode)word);
	default:
		return "";
	}
}

char *config_key_format(const struct config_key *key, const void *base,
			char buf[static CONFIG_VALUE_STRLEN])
{
	const char *field = (const char *)base + key->offset;
	uint64_t number;
	unsigned count;
	size_t size;
	int word;

	static_assert(CONFIG_VALUE_STRLEN >= VALUE_STRLEN, "a number with its unit fits");
	switch (key->type) {
	case CONFIG_TIME:
		memcpy(&number, field, sizeof(number));
		return format_time(number, buf);
	case CONFIG_SIZE:
		memcpy(&number, field, sizeof(number));
		return format_size(number, buf);
	case CONFIG_SIZE_KIB:
		memcpy(&size, field, sizeof(size));
		return format_size(size * KiB, buf);
	case CONFIG_COUNT:
		memcpy(&count, field, sizeof(count));
		(void)snprintf(buf, CONFIG_VALUE_STRLEN, "%u", count);
		return buf;
	case CONFIG_PERMYRIAD:
		memcpy(&count, field, sizeof(count));
		return format_permyriad(count, buf);
	case CONFIG_YES_NO:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ACTION:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_MODE:
		memcpy(&word, field, sizeof(word));
		(void)str_copy(buf, CONFIG_VALUE_STRLEN, word_to_string(key->type, word));
		return buf;
	case CONFIG_NAME:
	case CONFIG_GLOB:
		(void)str_copy(buf, CONFIG_VALUE_STRLEN, field);
		return buf;
	}
	buf[0] = '\0';
	return buf;
}

char *config_key_expected(const struct config_key *key, char buf[static CONFIG_EXPECTED_STRLEN])
{
	char low[VALUE_STRLEN], high[VALUE_STRLEN];
	const size_t n = CONFIG_EXPECTED_STRLEN;

	switch (key->type) {
	case CONFIG_TIME:
		(void)snprintf(buf, n,
			       "a time from %s to %s (a whole number with us, ms, s, min or h)",
			       format_time(key->min, low), format_time(key->max, high));
		break;
	case CONFIG_SIZE:
		(void)snprintf(
			buf, n,
			"a size from %s to %s (a whole number, of bytes or with K, M, G or T)",
			format_size(key->min, low), format_size(key->max, high));
		break;
	case CONFIG_SIZE_KIB:
		(void)snprintf(buf, n, "a size from %s to %s, in whole K (such as 64K or 1M)",
			       format_size(key->min, low), format_size(key->max, high));
		break;
	case CONFIG_COUNT:
		(void)snprintf(buf, n, "a whole number from %llu to %llu",
			       (unsigned long long)key->min, (unsigned long long)key->max);
		break;
	case CONFIG_PERMYRIAD:
		(void)snprintf(buf, n, "a percentage from 0%% to 100%% (such as 5%% or 2.5%%)");
		break;
	case CONFIG_YES_NO:
		(void)snprintf(buf, n, "yes or no");
		break;
	case CONFIG_LOG_LEVEL:
		(void)snprintf(buf, n, "emerg, alert, crit, err, warning, notice, info or debug");
		break;
	case CONFIG_ACTION:
		(void)snprintf(buf, n, "free or keep");
		break;
	case CONFIG_METHOD:
		(void)snprintf(buf, n, "auto, atomic or blocks");
		break;
	case CONFIG_RECOVERY:
		(void)snprintf(buf, n, "roll-back or resume");
		break;
	case CONFIG_MODE:
		(void)snprintf(buf, n, "system-ram, devdax, fsdev or unbound");
		break;
	case CONFIG_NAME:
		(void)snprintf(buf, n, "a device name of 1 to %llu letters, digits and . _ : -",
			       (unsigned long long)key->max);
		break;
	case CONFIG_GLOB:
		(void)snprintf(buf, n,
			       "a pattern of 1 to %llu hexadecimal digits, dashes and * ? [ ] ! ^",
			       (unsigned long long)key->max);
		break;
	}
	return buf;
}

void policy_rule_init(struct policy_rule *ret, const char *name)
{
	*ret = (struct policy_rule){ .mode = -1, .action = -1 };
	(void)str_copy(ret->name, sizeof(ret->name), name);
}

/* As [release] has it; a driver we do not know is never touched. */
static void settings_init(struct policy *policy)
{
	for (unsigned mode = 0; mode < _DAX_MODE_MAX; mode++)
		policy->defaults.action[mode] = ACTION_KEEP;
}

void policy_init(struct policy *ret)
{
	*ret = (struct policy){ 0 };
	settings_init(ret);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		void *base = key->section == SECTION_RELEASE ? (void *)&ret->defaults : ret;
		int r;

		if (key->section == SECTION_RULE)
			continue;
		r = config_key_parse(key, key->fallback, base);
		assert(r == 0); /* the table itself is wrong */
		(void)r;
	}
}

void policy_done(struct policy *policy)
{
	free(policy->rules);
	policy->rules = NULL;
	policy->n_rules = 0;
}

static size_t value_size(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_SIZE:
		return sizeof(uint64_t);
	case CONFIG_SIZE_KIB:
		return sizeof(size_t);
	case CONFIG_COUNT:
	case CONFIG_PERMYRIAD:
		return sizeof(unsigned);
	case CONFIG_YES_NO:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ACTION:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_MODE:
		return sizeof(int);
	case CONFIG_NAME:
	case CONFIG_GLOB:
		return (size_t)key->max + 1;
	}
	return 0;
}

void policy_resolve(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule *rule = &policy->rules[i];
		struct release_settings given = rule->settings;

		rule->settings = policy->defaults;
		for (size_t k = 0; k < CONFIG_KEYS; k++) {
			const struct config_key *key = &config_keys[k];

			if (key->section != SECTION_RELEASE || !(rule->set & config_key_bit(key)))
				continue;
			memcpy((char *)&rule->settings + key->offset,
			       (const char *)&given + key->offset, value_size(key));
		}
		for (unsigned mode = 0; rule->action >= 0 && mode < _DAX_MODE_MAX; mode++)
			if (mode_is_settable((enum dax_mode)mode) &&
			    (rule->mode < 0 || rule->mode == (int)mode))
				rule->settings.action[mode] = (enum policy_action)rule->action;
	}
}
