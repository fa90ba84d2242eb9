/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of keys from text. What is wrong in any way leaves the old value. */
#include <assert.h>

#include "parse_value.h"
#include "settings.h"

static_assert(sizeof(enum policy_action) == sizeof(int), "enums are read and written as int");
static_assert(sizeof(enum offline_method) == sizeof(int), "enums are read and written as int");
static_assert(sizeof(enum recovery) == sizeof(int), "enums are read and written as int");
static_assert(sizeof(enum holders_action) == sizeof(int), "enums are read and written as int");
static_assert(MODE_UNCLAIMED < 32, "a bit for each mode");

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define GLOB "*?[]!^"

/* An element of a list, copied; a whole list is not longer. */
#define ELEMENT_MAX RULE_TEXT_MAX

static bool consists_of(const char *s, const char *characters)
{
	return s[strspn(s, characters)] == '\0';
}

static int parse_word(enum config_type type, const char *text, int *ret)
{
	for (int i = 0; i < CONFIG_WORDS_MAX; i++) {
		const char *word = config_word(type, i);

		if (word && streq(text, word)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The numbers, in the unit of their bounds. */
static int parse_number(const struct config_key *key, const char *text, uint64_t *ret)
{
	unsigned permyriad = 0;
	uint64_t value = 0;
	int r;

	switch (key->type) {
	case CONFIG_WAIT:
		r = parse_wait(text, &value);
		if (r == 0 && value == USEC_INFINITY) {
			*ret = value;
			/* Not by a number that happens to be it. */
			return streq(text, "infinity") ? 0 : -EINVAL;
		}
		break;
	case CONFIG_TIME:
		r = parse_time(text, &value);
		break;
	case CONFIG_SIZE:
	case CONFIG_SIZE_KIB:
	case CONFIG_SIZES:
		r = parse_size(text, &value);
		break;
	case CONFIG_COUNT:
	case CONFIG_COUNTS:
	case CONFIG_NODES:
	case CONFIG_PARTITIONS:
		r = parse_count(text, &value);
		break;
	case CONFIG_PERMYRIAD:
		r = parse_permyriad(text, &permyriad);
		value = permyriad;
		break;
	default:
		return -EINVAL;
	}
	if (r < 0 || value < key->min || value > key->max)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* A sentence: what a line of the file can hold as a value, so that a dump is read back. */
static bool is_text(const char *s)
{
	size_t n = strlen(s);

	if (n && (s[0] == ' ' || s[n - 1] == ' '))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
		if ((s[i] == '#' || s[i] == ';') && (i == 0 || s[i - 1] == ' '))
			return false;
	}
	return true;
}

/* The serial number of a device, or a pattern on what the kernel names it: no slash. */
static bool is_memdev(const char *s)
{
	uint64_t serial;

	if (*s >= '0' && *s <= '9')
		return parse_serial(s, &serial) == 0;
	return consists_of(s, DIGITS LETTERS "._:-" GLOB);
}

static bool is_element(enum config_type type, const char *s)
{
	switch (type) {
	case CONFIG_UNITS:
		return consists_of(s, DIGITS LETTERS ":-_.\\@/" GLOB) &&
		       (*s == '/' || !strchr(s, '/'));
	case CONFIG_TAGS:
		return consists_of(s, DIGITS "abcdefABCDEF-" GLOB);
	case CONFIG_MEMDEVS:
		return is_memdev(s);
	case CONFIG_REGIONS:
		return consists_of(s, DIGITS LETTERS "._:-" GLOB);
	default:
		return false;
	}
}

/*
 * The next element of a list that is shorter than ELEMENT_MAX, as a string; false at the end.
 * Blanks and commas separate them.
 */
static bool next_element(const char **cursor, char ret[static ELEMENT_MAX])
{
	const char *element = *cursor + strspn(*cursor, " \t,");
	size_t n = strcspn(element, " \t,");

	assert(n < ELEMENT_MAX);
	memcpy(ret, element, n);
	ret[n] = '\0';
	*cursor = element + n;
	return n > 0;
}

/* Its elements with one blank between them, so that who walks the list later need not care. */
static int parse_list(const struct config_key *key, const char *text, char *ret)
{
	char element[ELEMENT_MAX], list[RULE_TEXT_MAX] = "";
	const char *cursor = text;
	size_t n = 0;

	static_assert(sizeof(list) >= ELEMENT_MAX, "every list fits");
	if (strlen(text) > MIN(key->max, ELEMENT_MAX - 1))
		return -EINVAL;
	while (next_element(&cursor, element)) {
		if (!is_element(key->type, element))
			return -EINVAL;
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? " " : "", element);
	}
	if (n < key->min)
		return -EINVAL;
	memcpy(ret, list, n + 1);
	return 0;
}

static int parse_nodes(const struct config_key *key, const char *text, struct policy_rule *rule)
{
	int32_t nodes[RULE_NODES_MAX] = { 0 };
	char element[ELEMENT_MAX];
	const char *cursor = text;
	unsigned n = 0;

	if (strlen(text) >= ELEMENT_MAX)
		return -EINVAL;
	while (next_element(&cursor, element)) {
		uint64_t node;

		if (n == RULE_NODES_MAX || parse_number(key, element, &node) < 0)
			return -EINVAL;
		for (unsigned i = 0; i < n; i++)
			if ((uint64_t)nodes[i] == node)
				return -EINVAL;
		nodes[n++] = (int32_t)node;
	}
	if (n == 0)
		return -EINVAL;
	memcpy(rule->nodes, nodes, sizeof(nodes));
	rule->n_nodes = n;
	return 0;
}

static int parse_bits(const struct config_key *key, const char *text, unsigned *ret)
{
	char element[ELEMENT_MAX];
	const char *cursor = text;
	unsigned bits = 0;

	if (strlen(text) >= ELEMENT_MAX)
		return -EINVAL;
	while (next_element(&cursor, element)) {
		uint64_t number;
		int word;

		if (key->type == CONFIG_MODES) {
			if (parse_word(key->type, element, &word) < 0)
				return -EINVAL;
			number = (uint64_t)word;
		} else if (parse_number(key, element, &number) < 0) {
			return -EINVAL;
		}
		if (bits & 1U << number)
			return -EINVAL;
		bits |= 1U << number;
	}
	if (!bits)
		return -EINVAL;
	*ret = bits;
	return 0;
}

/* "1G-64G", "1G-", "-64G", or "4G": exactly that. */
static int parse_bounds(const struct config_key *key, const char *text, struct bounds *ret)
{
	struct bounds bounds = { 0, UINT64_MAX };
	const char *dash = strchr(text, '-');
	char low[VALUE_STRLEN];

	if (!dash) {
		if (parse_number(key, text, &bounds.min) < 0)
			return -EINVAL;
		bounds.max = bounds.min;
		*ret = bounds;
		return 0;
	}
	if ((size_t)(dash - text) >= sizeof(low) || (dash == text && !dash[1]))
		return -EINVAL;
	memcpy(low, text, (size_t)(dash - text));
	low[dash - text] = '\0';
	if (*low && parse_number(key, low, &bounds.min) < 0)
		return -EINVAL;
	if (dash[1] && parse_number(key, dash + 1, &bounds.max) < 0)
		return -EINVAL;
	if (bounds.min > bounds.max)
		return -EINVAL;
	*ret = bounds;
	return 0;
}

/* A file takes a text that is shorter than what it is printed as; a dump must fit one, too. */
static int parse_windows(const struct config_key *key, const char *text, struct time_windows *ret)
{
	char buf[TIME_WINDOWS_STRLEN];
	struct time_windows windows;

	if (time_windows_parse(text, &windows) < 0 ||
	    strlen(time_windows_format(&windows, buf)) > key->max)
		return -EINVAL;
	*ret = windows;
	return 0;
}

int config_key_parse(const struct config_key *key, const char *text, void *base)
{
	char *field = (char *)base + key->offset;
	uint64_t number = 0;
	unsigned count;
	size_t size;
	int word;

	/* By memcpy(), since one int stands for several enum types. */
	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_WAIT:
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
	case CONFIG_OUTCOME:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_HOLDERS:
	case CONFIG_ORIGIN:
		if (parse_word(key->type, text, &word) < 0)
			return -EINVAL;
		memcpy(field, &word, sizeof(word));
		return 0;
	case CONFIG_TEXT:
		size = strlen(text);
		if (size < key->min || size > key->max || !is_text(text))
			return -EINVAL;
		memcpy(field, text, size + 1);
		return 0;
	case CONFIG_UNITS:
	case CONFIG_TAGS:
	case CONFIG_MEMDEVS:
	case CONFIG_REGIONS:
		return parse_list(key, text, field);
	case CONFIG_WINDOWS:
		return parse_windows(key, text, (struct time_windows *)(void *)field);
	case CONFIG_NODES:
		return parse_nodes(key, text, base);
	case CONFIG_PARTITIONS:
	case CONFIG_MODES:
		if (parse_bits(key, text, &count) < 0)
			return -EINVAL;
		memcpy(field, &count, sizeof(count));
		return 0;
	case CONFIG_SIZES:
	case CONFIG_COUNTS:
		return parse_bounds(key, text, (struct bounds *)(void *)field);
	}
	return -EINVAL;
}
