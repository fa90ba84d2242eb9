/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * That the shipped configuration file and the manual page say what the code does: every key, its
 * default, its bounds. Runs in the top folder of the source tree.
 */
#include <inttypes.h>

#include "policy/parse_value.h"
#include "tests/unit/config_parse.h"

#define CONF_PATH "conf/dcdd.conf"
#define MAN_PATH "man/dcdd.conf.5"

static char *read_whole(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char *text = NULL, buf[4096];
	size_t size, n;
	FILE *mem;

	assert_non_null(f); /* the working directory is the top folder of the tree */
	mem = open_memstream(&text, &size);
	assert_non_null(mem);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		assert_int_equal(fwrite(buf, 1, n, mem), n);
	assert_int_equal(ferror(f), 0);
	fclose(mem);
	return text;
}

/* The shipped file with every "#key" and "#[section]" in force. */
static char *uncomment(const char *text)
{
	char *copy = strdup(text), *to = copy;

	assert_non_null(copy);
	for (const char *from = text; *from; from++) {
		bool at_start = from == text || from[-1] == '\n';

		if (at_start && from[0] == '#' && from[1] != ' ' && from[1] != '\n')
			continue;
		*to++ = *from;
	}
	*to = '\0';
	return copy;
}

static void test_shipped_file(_unused_ void **state)
{
	_cleanup_free_ char *text = read_whole(CONF_PATH), *all = uncomment(text);
	struct policy policy, defaults;

	policy_init(&defaults);
	parse_good(text, &policy);
	assert_same_policy(&policy, &defaults);
	policy_done(&policy);

	/* With the comment signs gone: the same values, and one rule that uses all its own keys. */
	parse_good(all, &policy);
	assert_int_equal(policy.n_rules, 1);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		_cleanup_free_ char *line = NULL;

		if (key->section == SECTION_RULE) {
			assert_true(rule_gives(&policy.rules[0], key));
			continue;
		}
		assert_true(asprintf(&line, "\n#%s =%s%s\n", key->name, *key->fallback ? " " : "",
				     key->fallback) > 0);
		if (!strstr(text, line))
			fail_msg("%s: no line \"%s\"", CONF_PATH, line);
	}
	policy_done(&policy);
	policy_init(&policy);
	*strstr(all, "[rule example]") = '\0';
	parse_good(all, &policy);
	assert_same_policy(&policy, &defaults);
	policy_done(&policy);
}

/* The page without its backslashes, cut off behind the entry of @key. */
static char *manual_entry(const char *page, const struct config_key *key)
{
	_cleanup_free_ char *head = NULL;
	const char *start, *end;

	assert_true(asprintf(&head, "\n.It Ic %s No = Em ", key->name) > 0);
	start = strstr(page, head);
	if (!start)
		fail_msg("%s: no entry for %s", MAN_PATH, key->name);
	start += strlen(head);
	end = strstr(start, "\n.It");
	if (!end || (strstr(start, "\n.El") && strstr(start, "\n.El") < end))
		end = strstr(start, "\n.El");
	assert_non_null(end);
	return strndup(start, (size_t)(end - start));
}

/* Each word that the key takes is told, except where an introduction tells it of many keys. */
static void check_words(const struct config_key *key, const char *entry)
{
	if (key->type == CONFIG_ACTION || key->type == CONFIG_YES_NO)
		return;
	for (int i = 0; i < CONFIG_WORDS_MAX; i++) {
		const char *word = config_word(key->type, i);
		_cleanup_free_ char *macro = NULL;

		if (!word)
			continue;
		assert_true(asprintf(&macro, ".Cm %s ", word) > 0);
		if (!strstr(entry, macro))
			fail_msg("%s: %s: no \"%s\"", MAN_PATH, key->name, macro);
	}
}

static void test_manual_page(_unused_ void **state)
{
	_cleanup_free_ char *page = read_whole(MAN_PATH);
	char *to = page;

	/* Dashes are written "\-" there; lines are filled where they fit. */
	for (const char *from = page; *from; from++)
		if (*from != '\\')
			*to++ = *from;
	*to = '\0';

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		_cleanup_free_ char *entry = manual_entry(page, key), *fallback = NULL,
				    *bounds = NULL;
		char low[VALUE_STRLEN], high[VALUE_STRLEN];

		for (char *c = entry; *c; c++)
			if (*c == '\n')
				*c = ' ';
		if (key->fallback) {
			assert_true(asprintf(&fallback, "Default: %s.",
					     *key->fallback ? key->fallback : "nothing") > 0);
			if (!strstr(entry, fallback))
				fail_msg("%s: %s: no \"%s\"", MAN_PATH, key->name, fallback);
		}
		switch (key->type) {
		case CONFIG_TIME:
		case CONFIG_WAIT:
			format_time(key->min, low);
			format_time(key->max, high);
			break;
		case CONFIG_SIZE:
		case CONFIG_SIZE_KIB:
		case CONFIG_SIZES:
			format_size(key->min, low);
			format_size(key->max, high);
			break;
		case CONFIG_PERMYRIAD:
			format_permyriad((unsigned)key->min, low);
			format_permyriad((unsigned)key->max, high);
			break;
		case CONFIG_COUNT:
		case CONFIG_COUNTS:
		case CONFIG_NODES:
		case CONFIG_PARTITIONS:
			snprintf(low, sizeof(low), "%" PRIu64, key->min);
			snprintf(high, sizeof(high), "%" PRIu64, key->max);
			break;
		default:
			check_words(key, entry);
			continue;
		}
		assert_true(asprintf(&bounds, "rom %s to %s", low, high) > 0);
		if (!strstr(entry, bounds))
			fail_msg("%s: %s: no \"F%s\"", MAN_PATH, key->name, bounds);
		if (key->type == CONFIG_WAIT && !strstr(entry, "or infinity"))
			fail_msg("%s: %s: no \"or infinity\"", MAN_PATH, key->name);
	}
}

/* Each literal block of the page that begins with a section is a file, and a good one. */
static void test_manual_examples(_unused_ void **state)
{
	static const char begin[] = "\n.Bd -literal -offset indent\n", end[] = "\n.Ed\n";
	_cleanup_free_ char *page = read_whole(MAN_PATH);
	unsigned n = 0;

	for (const char *at = page; (at = strstr(at, begin)); at++) {
		const char *text = at + strlen(begin), *stop = strstr(text, end);
		_cleanup_free_ char *example = NULL;
		struct policy policy;

		assert_non_null(stop);
		if (*text != '[')
			continue;
		example = strndup(text, (size_t)(stop - text));
		assert_non_null(example);
		parse_good(example, &policy);
		policy_done(&policy);
		n++;
	}
	assert_int_equal(n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped_file),
		cmocka_unit_test(test_manual_page),
		cmocka_unit_test(test_manual_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
