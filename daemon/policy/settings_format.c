/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of keys as text, and in words what is expected of one. */
#include <assert.h>
#include <inttypes.h>
#include <syslog.h>

#include "parse_value.h"
#include "settings.h"

static_assert(CONFIG_VALUE_STRLEN >= 2 * VALUE_STRLEN, "two numbers and a dash fit");

/* As syslog(3) and systemd name them. */
static const char *const log_level_table[] = {
	[LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",	  [LOG_CRIT] = "crit",
	[LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

const char *config_word(enum config_type type, int word)
{
	switch (type) {
	case CONFIG_YES_NO:
		return word == 0 ? "no" : word == 1 ? "yes" : NULL;
	case CONFIG_LOG_LEVEL:
		return word >= 0 && (size_t)word < ARRAY_SIZE(log_level_table)
			       ? log_level_table[word]
			       : NULL;
	case CONFIG_ACTION:
		return word >= 0 && word < _POLICY_ACTION_MAX
			       ? policy_action_to_string((enum policy_action)word)
			       : NULL;
	case CONFIG_OUTCOME:
		return word == ACTION_FREE || word == ACTION_KEEP
			       ? policy_action_to_string((enum policy_action)word)
			       : NULL;
	case CONFIG_METHOD:
		return word >= 0 && word < _OFFLINE_METHOD_MAX
			       ? offline_method_to_string((enum offline_method)word)
			       : NULL;
	case CONFIG_RECOVERY:
		return word >= 0 && word < _RECOVERY_MAX ? recovery_to_string((enum recovery)word)
							 : NULL;
	case CONFIG_HOLDERS:
		return word >= 0 && word < _HOLDERS_ACTION_MAX
			       ? holders_action_to_string((enum holders_action)word)
			       : NULL;
	case CONFIG_ORIGIN:
		return word >= 0 && word < _ORIGIN_MAX ? origin_to_string((enum origin)word) : NULL;
	case CONFIG_MODES:
		/* A driver we do not know is never freed, so no rule is for it. */
		if (word < 0 || word > MODE_UNCLAIMED || word == DAX_MODE_OTHER)
			return NULL;
		return word == MODE_UNCLAIMED ? "unclaimed"
					      : dax_mode_to_string((enum dax_mode)word);
	default:
		return NULL;
	}
}

/* Appends what fits. */
static void append(char *buf, size_t size, const char *s)
{
	size_t n = strlen(buf);

	(void)str_copy(buf + n, size - n, s);
}

static char *format_nodes(const struct policy_rule *rule, char *buf)
{
	buf[0] = '\0';
	for (unsigned i = 0; i < rule->n_nodes && i < RULE_NODES_MAX; i++) {
		char number[VALUE_STRLEN];

		(void)snprintf(number, sizeof(number), "%s%" PRId32, i ? " " : "", rule->nodes[i]);
		append(buf, CONFIG_VALUE_STRLEN, number);
	}
	return buf;
}

static char *format_bits(enum config_type type, unsigned bits, char *buf)
{
	buf[0] = '\0';
	for (unsigned bit = 0; bit < 32; bit++) {
		char number[VALUE_STRLEN];
		const char *word = number;

		if (!(bits & 1U << bit))
			continue;
		if (type == CONFIG_MODES)
			word = config_word(type, (int)bit);
		else
			(void)snprintf(number, sizeof(number), "%u", bit);
		if (*buf)
			append(buf, CONFIG_VALUE_STRLEN, " ");
		append(buf, CONFIG_VALUE_STRLEN, word ? word : "");
	}
	return buf;
}

static char *format_bounds(enum config_type type, const struct bounds *bounds, char *buf)
{
	char low[VALUE_STRLEN] = "", high[VALUE_STRLEN] = "";

	buf[0] = '\0';
	if (bounds->min == 0 && bounds->max == UINT64_MAX)
		return buf;
	if (bounds->min > 0) {
		if (type == CONFIG_SIZES)
			format_size(bounds->min, low);
		else
			(void)snprintf(low, sizeof(low), "%" PRIu64, bounds->min);
	}
	if (bounds->max < UINT64_MAX) {
		if (type == CONFIG_SIZES)
			format_size(bounds->max, high);
		else
			(void)snprintf(high, sizeof(high), "%" PRIu64, bounds->max);
	}
	if (bounds->min == bounds->max)
		(void)str_copy(buf, CONFIG_VALUE_STRLEN, low);
	else
		(void)snprintf(buf, CONFIG_VALUE_STRLEN, "%s-%s", low, high);
	return buf;
}

uint64_t config_key_number(const struct config_key *key, const void *base)
{
	const char *field = (const char *)base + key->offset;
	uint64_t number;
	unsigned count;
	size_t size;

	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_WAIT:
	case CONFIG_SIZE:
		memcpy(&number, field, sizeof(number));
		return number;
	case CONFIG_SIZE_KIB:
		memcpy(&size, field, sizeof(size));
		return size * KiB;
	case CONFIG_COUNT:
	case CONFIG_PERMYRIAD:
		memcpy(&count, field, sizeof(count));
		return count;
	default:
		return 0;
	}
}

char *config_key_format(const struct config_key *key, const void *base,
			char buf[static CONFIG_VALUE_STRLEN])
{
	const char *field = (const char *)base + key->offset, *word;
	unsigned bits;
	int value;

	/* By memcpy(), since one int stands for several enum types. */
	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_WAIT:
		return format_wait(config_key_number(key, base), buf);
	case CONFIG_SIZE:
	case CONFIG_SIZE_KIB:
		return format_size(config_key_number(key, base), buf);
	case CONFIG_COUNT:
		(void)snprintf(buf, CONFIG_VALUE_STRLEN, "%" PRIu64, config_key_number(key, base));
		return buf;
	case CONFIG_PERMYRIAD:
		return format_permyriad((unsigned)config_key_number(key, base), buf);
	case CONFIG_YES_NO:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ACTION:
	case CONFIG_OUTCOME:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_HOLDERS:
	case CONFIG_ORIGIN:
		memcpy(&value, field, sizeof(value));
		word = config_word(key->type, value);
		(void)str_copy(buf, CONFIG_VALUE_STRLEN, word ? word : "");
		return buf;
	case CONFIG_TEXT:
	case CONFIG_UNITS:
	case CONFIG_TAGS:
	case CONFIG_MEMDEVS:
	case CONFIG_REGIONS:
		(void)str_copy(buf, CONFIG_VALUE_STRLEN, field);
		return buf;
	case CONFIG_WINDOWS:
		return time_windows_format((const struct time_windows *)(const void *)field, buf);
	case CONFIG_NODES:
		return format_nodes(base, buf);
	case CONFIG_PARTITIONS:
	case CONFIG_MODES:
		memcpy(&bits, field, sizeof(bits));
		return format_bits(key->type, bits, buf);
	case CONFIG_SIZES:
	case CONFIG_COUNTS:
		return format_bounds(key->type, (const struct bounds *)(const void *)field, buf);
	}
	buf[0] = '\0';
	return buf;
}

bool config_key_equal(const struct config_key *key, const void *a, const void *b)
{
	char a_text[CONFIG_VALUE_STRLEN], b_text[CONFIG_VALUE_STRLEN];

	return streq(config_key_format(key, a, a_text), config_key_format(key, b, b_text));
}

/* "free, keep or ask" */
static void expect_words(enum config_type type, char *buf, size_t size)
{
	const char *words[CONFIG_WORDS_MAX];
	size_t n = 0;

	/* "no" is 0, but nobody says it in that order. */
	if (type == CONFIG_YES_NO) {
		append(buf, size, "yes or no");
		return;
	}
	for (int i = 0; i < CONFIG_WORDS_MAX; i++)
		if (config_word(type, i))
			words[n++] = config_word(type, i);
	for (size_t i = 0; i < n; i++) {
		append(buf, size, words[i]);
		append(buf, size, i + 2 < n ? ", " : i + 2 == n ? " or " : "");
	}
}

char *config_key_expected(const struct config_key *key, char buf[static CONFIG_EXPECTED_STRLEN])
{
	const unsigned long long min = key->min, max = key->max;
	char low[VALUE_STRLEN], high[VALUE_STRLEN];
	const size_t n = CONFIG_EXPECTED_STRLEN;

	buf[0] = '\0';
	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_WAIT:
		(void)snprintf(buf, n,
			       "a time from %s to %s (a whole number with us, ms, s, min or h)%s",
			       format_time(key->min, low), format_time(key->max, high),
			       key->type == CONFIG_WAIT ? ", or infinity" : "");
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
		(void)snprintf(buf, n, "a whole number from %llu to %llu", min, max);
		break;
	case CONFIG_PERMYRIAD:
		(void)snprintf(buf, n, "a percentage from 0%% to 100%% (such as 5%% or 2.5%%)");
		break;
	case CONFIG_YES_NO:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ACTION:
	case CONFIG_OUTCOME:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_HOLDERS:
	case CONFIG_ORIGIN:
		expect_words(key->type, buf, n);
		break;
	case CONFIG_TEXT:
		(void)snprintf(buf, n,
			       "a text of at most %llu printable characters that does not begin "
			       "with # or ;",
			       max);
		break;
	case CONFIG_UNITS:
		(void)snprintf(buf, n,
			       "patterns on systemd units or, beginning with /, on cgroups, "
			       "separated by blanks or commas, at most %llu characters in all",
			       max);
		break;
	case CONFIG_TAGS:
		(void)snprintf(buf, n,
			       "patterns of hexadecimal digits, dashes and * ? [ ] ! ^, separated "
			       "by blanks or commas, %llu to %llu characters in all",
			       min, max);
		break;
	case CONFIG_MEMDEVS:
		(void)snprintf(buf, n,
			       "device names (such as mem0 or mem*) or serial numbers, separated "
			       "by blanks or commas, %llu to %llu characters in all",
			       min, max);
		break;
	case CONFIG_REGIONS:
		(void)snprintf(buf, n,
			       "device names (such as region0 or region*), separated by blanks "
			       "or commas, %llu to %llu characters in all",
			       min, max);
		break;
	case CONFIG_WINDOWS:
		(void)snprintf(buf, n,
			       "at most %d windows such as \"Mon..Fri 22:00-06:00, Sat,Sun "
			       "00:00-24:00 UTC\", at most %llu characters in all",
			       WINDOWS_MAX, max);
		break;
	case CONFIG_NODES:
		(void)snprintf(buf, n,
			       "at most %d different node numbers from %llu to %llu, separated by "
			       "blanks or commas",
			       RULE_NODES_MAX, min, max);
		break;
	case CONFIG_PARTITIONS:
		(void)snprintf(buf, n,
			       "different partition numbers from %llu to %llu, separated by blanks "
			       "or commas",
			       min, max);
		break;
	case CONFIG_MODES:
		(void)snprintf(buf, n, "one or more, separated by blanks or commas, of ");
		expect_words(key->type, buf, n);
		break;
	case CONFIG_SIZES:
		(void)snprintf(buf, n,
			       "a size from %s to %s (such as 4G) or a range of them (such as "
			       "1G-64G, 1G- or -64G)",
			       format_size(key->min, low), format_size(key->max, high));
		break;
	case CONFIG_COUNTS:
		(void)snprintf(buf, n,
			       "a whole number from %llu to %llu or a range of them (such as 1-4, "
			       "2- or -4)",
			       min, max);
		break;
	}
	return buf;
}
