/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration file: values with units, every key with its default and its bounds,
 * and that printing and reading again changes nothing.
 */
#include <inttypes.h>
#include <syslog.h>

#include "policy/parse_value.h"
#include "tests/unit/config_parse.h"

enum parser { COUNT, SIZE, TIME, PERMYRIAD };

static int parse_value(enum parser parser, const char *text, uint64_t *ret)
{
	unsigned permyriad = 0;
	int r;

	switch (parser) {
	case COUNT:
		return parse_count(text, ret);
	case SIZE:
		return parse_size(text, ret);
	case TIME:
		return parse_time(text, ret);
	case PERMYRIAD:
		r = parse_permyriad(text, &permyriad);
		if (r == 0)
			*ret = permyriad;
		return r;
	}
	return -ENOSYS;
}

static void test_values(_unused_ void **state)
{
	static const struct {
		enum parser parser;
		const char *text;
		int r;
		uint64_t value;
	} cases[] = {
		{ COUNT, "0", 0, 0 },
		{ COUNT, "007", 0, 7 },
		{ COUNT, "18446744073709551615", 0, UINT64_MAX },
		{ COUNT, "18446744073709551616", -ERANGE, 0 },
		{ COUNT, "99999999999999999999", -ERANGE, 0 },
		{ COUNT, "", -EINVAL, 0 },
		{ COUNT, "-1", -EINVAL, 0 },
		{ COUNT, "+1", -EINVAL, 0 },
		{ COUNT, " 1", -EINVAL, 0 },
		{ COUNT, "1 ", -EINVAL, 0 },
		{ COUNT, "0x10", -EINVAL, 0 },
		{ COUNT, "1.0", -EINVAL, 0 },
		{ COUNT, "3K", -EINVAL, 0 },
		{ SIZE, "0", 0, 0 },
		{ SIZE, "4096", 0, 4096 },
		{ SIZE, "1K", 0, 1024 },
		{ SIZE, "3M", 0, 3 * MiB },
		{ SIZE, "2G", 0, 2 * GiB },
		{ SIZE, "1T", 0, 1024 * GiB },
		{ SIZE, "16777215T", 0, UINT64_C(16777215) << 40 },
		{ SIZE, "16777216T", -ERANGE, 0 },
		{ SIZE, "1k", -EINVAL, 0 },
		{ SIZE, "1KB", -EINVAL, 0 },
		{ SIZE, "1KiB", -EINVAL, 0 },
		{ SIZE, "1P", -EINVAL, 0 },
		{ SIZE, "1 K", -EINVAL, 0 },
		{ SIZE, "1.5G", -EINVAL, 0 },
		{ SIZE, "K", -EINVAL, 0 },
		{ SIZE, "", -EINVAL, 0 },
		{ TIME, "0", 0, 0 },
		{ TIME, "1us", 0, 1 },
		{ TIME, "200ms", 0, 200000 },
		{ TIME, "30s", 0, 30 * USEC_PER_SEC },
		{ TIME, "15min", 0, 900 * USEC_PER_SEC },
		{ TIME, "2h", 0, 7200 * USEC_PER_SEC },
		{ TIME, "0s", 0, 0 },
		{ TIME, "5", -EINVAL, 0 },
		{ TIME, "00", -EINVAL, 0 },
		{ TIME, "5m", -EINVAL, 0 },
		{ TIME, "5sec", -EINVAL, 0 },
		{ TIME, "1min30s", -EINVAL, 0 },
		{ TIME, "1.5s", -EINVAL, 0 },
		{ TIME, "-5s", -EINVAL, 0 },
		{ TIME, "s", -EINVAL, 0 },
		{ TIME, "infinity", -EINVAL, 0 },
		{ TIME, "6000000000h", -ERANGE, 0 },
		{ PERMYRIAD, "5%", 0, 500 },
		{ PERMYRIAD, "2.5%", 0, 250 },
		{ PERMYRIAD, "0.25%", 0, 25 },
		{ PERMYRIAD, "0.05%", 0, 5 },
		{ PERMYRIAD, "100%", 0, 10000 },
		{ PERMYRIAD, "0%", 0, 0 },
		{ PERMYRIAD, "5", -EINVAL, 0 },
		{ PERMYRIAD, "%", -EINVAL, 0 },
		{ PERMYRIAD, ".5%", -EINVAL, 0 },
		{ PERMYRIAD, "5.%", -EINVAL, 0 },
		{ PERMYRIAD, "0.125%", -EINVAL, 0 },
		{ PERMYRIAD, "5 %", -EINVAL, 0 },
		{ PERMYRIAD, "5%%", -EINVAL, 0 },
		{ PERMYRIAD, "99999999999%", -ERANGE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 12345;
		int r = parse_value(cases[i].parser, cases[i].text, &value);

		if (r != cases[i].r || value != (r == 0 ? cases[i].value : 12345))
			fail_msg("\"%s\": %d, %" PRIu64, cases[i].text, r, value);
	}
}

static void test_value_texts(_unused_ void **state)
{
	static const uint64_t values[] = {
		0,	  1,	    999,	1000,	    1023,    1024,	     1025,
		60000000, 90000000, 3600000000, 1536 * MiB, 2 * GiB, UINT64_MAX - 1, UINT64_MAX,
	};
	static const struct {
		uint64_t bytes;
		const char *text;
	} rounded[] = {
		{ 0, "0" },
		{ 1023, "1023" },
		{ 1024, "1K" },
		{ 1535, "1.4K" },
		{ 1536 * MiB, "1.5G" },
		{ 2 * GiB - 1, "1.9G" },
		{ 3 * GiB, "3G" },
		{ UINT64_MAX, "16777215.9T" },
	};
	char buf[VALUE_STRLEN];
	uint64_t back;
	unsigned permyriad;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_int_equal(parse_size(format_size(values[i], buf), &back), 0);
		assert_true(back == values[i]);
		assert_int_equal(parse_time(format_time(values[i], buf), &back), 0);
		assert_true(back == values[i]);
	}
	for (unsigned i = 0; i <= 10000; i++) {
		assert_int_equal(parse_permyriad(format_permyriad(i, buf), &permyriad), 0);
		assert_int_equal(permyriad, i);
	}
	assert_string_equal(format_size(1536 * MiB, buf), "1536M");
	assert_string_equal(format_time(90 * USEC_PER_SEC, buf), "90s");
	assert_string_equal(format_time(15 * USEC_PER_MIN, buf), "15min");
	for (size_t i = 0; i < ARRAY_SIZE(rounded); i++)
		assert_string_equal(format_size_short(rounded[i].bytes, buf), rounded[i].text);
}

static void test_defaults(_unused_ void **state)
{
	struct policy policy;
	const struct release_settings *d = &policy.defaults;

	parse_good("", &policy);
	assert_int_equal(policy.settle_time, 200 * USEC_PER_MSEC);
	assert_int_equal(policy.refuse_hold, 30 * USEC_PER_SEC);
	assert_int_equal(policy.buffer_kib, 64);
	assert_int_equal(policy.queue_max, 256);
	assert_int_equal(policy.history_max, 128);
	assert_int_equal(policy.stop_timeout, 75 * USEC_PER_SEC);
	assert_int_equal(policy.scan_timeout, 60 * USEC_PER_SEC);
	assert_int_equal(policy.concurrency, 1);
	assert_int_equal(policy.log_level, LOG_INFO);
	assert_int_equal(d->action[DAX_MODE_SYSTEM_RAM], ACTION_FREE);
	assert_int_equal(d->action[DAX_MODE_DEVDAX], ACTION_KEEP);
	assert_int_equal(d->action[DAX_MODE_FSDEV], ACTION_KEEP);
	assert_int_equal(d->action[DAX_MODE_UNBOUND], ACTION_KEEP);
	assert_int_equal(d->action[DAX_MODE_OTHER], ACTION_KEEP);
	assert_int_equal(d->method, OFFLINE_AUTO);
	assert_int_equal(d->block_timeout, 60 * USEC_PER_SEC);
	assert_int_equal(d->release_timeout, 15 * USEC_PER_MIN);
	assert_int_equal(d->retries, 3);
	assert_int_equal(d->backoff_initial, 5 * USEC_PER_SEC);
	assert_int_equal(d->backoff_max, 5 * USEC_PER_MIN);
	assert_int_equal(d->recovery, RECOVERY_ROLL_BACK);
	assert_int_equal(d->headroom_bytes, 256 * MiB);
	assert_int_equal(d->headroom_permyriad, 500);
	assert_int_equal(policy.n_rules, 0);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

/* One line in the right section, with what keeps the rest of the file valid around it. */
static char *key_file(const struct config_key *key, const char *value)
{
	const char *before = "", *after = "";
	char *text;

	if (key->section == SECTION_RULE) {
		before = " x";
		after = startswith(key->name, "match-") ? "retries = 1\n" : "match-tag = *\n";
	} else if (streq(key->name, "block-timeout")) {
		after = "release-timeout = 24h\n";
	} else if (streq(key->name, "release-timeout")) {
		after = "block-timeout = 10ms\n";
	} else if (streq(key->name, "backoff-initial")) {
		after = "backoff-max = 24h\n";
	} else if (streq(key->name, "backoff-max")) {
		after = "backoff-initial = 1ms\n";
	}
	assert_true(asprintf(&text, "[%s%s]\n%s = %s\n%s", config_section_to_string(key->section),
			     before, key->name, value, after) > 0);
	return text;
}

static void assert_key_good(const struct config_key *key, const char *value)
{
	_cleanup_free_ char *text = key_file(key, value);
	struct policy policy;

	parse_good(text, &policy);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

static void assert_key_bad(const struct config_key *key, const char *value)
{
	_cleanup_free_ char *text = key_file(key, value), *error = NULL, *message = NULL;
	char expected[CONFIG_EXPECTED_STRLEN];
	struct policy policy;

	policy_init(&policy);
	assert_int_equal(parse_text(text, &policy, &error), -EINVAL);
	config_key_expected(key, expected);
	/* Neither empty nor cut. */
	assert_true(strlen(expected) >= strlen("yes or no"));
	assert_true(strlen(expected) <= CONFIG_EXPECTED_STRLEN - 2);
	assert_true(asprintf(&message, "f:2: %s = \"%s\": expected %s", key->name, value,
			     expected) > 0);
	assert_string_equal(error, message);
	policy_done(&policy);
}

/* In the smallest unit, so that "one less" can be said. */
static char *number_text(const struct config_key *key, uint64_t value, char buf[static 32])
{
	switch (key->type) {
	case CONFIG_TIME:
		snprintf(buf, 32, "%" PRIu64 "us", value);
		break;
	case CONFIG_PERMYRIAD:
		snprintf(buf, 32, "%" PRIu64 ".%02u%%", value / 100, (unsigned)(value % 100));
		break;
	default:
		snprintf(buf, 32, "%" PRIu64, value);
		break;
	}
	return buf;
}

static void test_bounds(_unused_ void **state)
{
	size_t n_numbers = 0;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		uint64_t step = key->type == CONFIG_SIZE_KIB ? KiB : 1;
		char buf[32], longest[CONFIG_VALUE_STRLEN + 1];

		assert_key_bad(key, "");
		assert_key_bad(key, "nonsense=1");
		switch (key->type) {
		case CONFIG_TIME:
		case CONFIG_SIZE:
		case CONFIG_SIZE_KIB:
		case CONFIG_COUNT:
		case CONFIG_PERMYRIAD:
			n_numbers++;
			assert_true(key->min < key->max);
			assert_key_good(key, number_text(key, key->min, buf));
			assert_key_good(key, number_text(key, key->max, buf));
			assert_key_bad(key, number_text(key, key->max + step, buf));
			if (key->min > 0)
				assert_key_bad(key, number_text(key, key->min - step, buf));
			if (step > 1)
				assert_key_bad(key, number_text(key, key->min + 1, buf));
			assert_key_bad(key, "-1");
			assert_key_bad(key, "99999999999999999999");
			break;
		case CONFIG_NAME:
		case CONFIG_GLOB:
			memset(longest, 'a', sizeof(longest));
			longest[key->max] = '\0';
			assert_key_good(key, longest);
			longest[key->max] = 'a';
			longest[key->max + 1] = '\0';
			assert_key_bad(key, longest);
			assert_key_bad(key, "a b");
			assert_key_bad(key, "a/b");
			assert_key_bad(key, "\"a\"");
			break;
		default:
			assert_key_bad(key, "1");
			break;
		}
	}
	assert_int_equal(n_numbers, 15);
}

static void test_words(_unused_ void **state)
{
	static const struct {
		const char *key, *words[9];
	} cases[] = {
		{ "log-level",
		  { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" } },
		{ "offline-method", { "auto", "atomic", "blocks" } },
		{ "recovery", { "roll-back", "resume" } },
		{ "system-ram", { "free", "keep" } },
		{ "devdax", { "free", "keep" } },
		{ "fsdev", { "free", "keep" } },
		{ "unbound", { "free", "keep" } },
		{ "match-mode", { "system-ram", "devdax", "fsdev", "unbound" } },
		{ "action", { "free", "keep" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config_key *key = NULL;

		for (size_t k = 0; k < CONFIG_KEYS; k++)
			if (streq(config_keys[k].name, cases[i].key))
				key = &config_keys[k];
		assert_non_null(key);
		for (size_t w = 0; cases[i].words[w]; w++) {
			char expected[CONFIG_EXPECTED_STRLEN];

			assert_key_good(key, cases[i].words[w]);
			/* The message offers every word there is. */
			assert_non_null(
				strstr(config_key_expected(key, expected), cases[i].words[w]));
		}
		assert_key_bad(key, "FREE");
		assert_key_bad(key, "other");
		assert_key_bad(key, "unknown");
	}
}

static uint64_t random_u64(uint64_t *state)
{
	/* xorshift64*: the same sequence on every machine. */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void random_value(const struct config_key *key, uint64_t *seed, char buf[static 64])
{
	static const char *const modes[] = { "system-ram", "devdax", "fsdev", "unbound" };
	static const char *const methods[] = { "auto", "atomic", "blocks" };
	static const char *const levels[] = { "err", "warning", "notice", "info", "debug" };
	uint64_t n = random_u64(seed), value = key->min;

	switch (key->type) {
	case CONFIG_ACTION:
		(void)str_copy(buf, 64, n & 1 ? "free" : "keep");
		break;
	case CONFIG_METHOD:
		(void)str_copy(buf, 64, methods[n % ARRAY_SIZE(methods)]);
		break;
	case CONFIG_RECOVERY:
		(void)str_copy(buf, 64, n & 1 ? "roll-back" : "resume");
		break;
	case CONFIG_LOG_LEVEL:
		(void)str_copy(buf, 64, levels[n % ARRAY_SIZE(levels)]);
		break;
	case CONFIG_MODE:
		(void)str_copy(buf, 64, modes[n % ARRAY_SIZE(modes)]);
		break;
	case CONFIG_NAME:
		snprintf(buf, 64, "mem%u", (unsigned)(n % 1000));
		break;
	case CONFIG_GLOB:
		snprintf(buf, 64, "%x*[!0]?", (unsigned)(n % 65536));
		break;
	default:
		value += n % (key->max - key->min + 1);
		if (key->type == CONFIG_SIZE_KIB)
			value = value / KiB * KiB;
		number_text(key, value, buf);
		break;
	}
}

/* Random valid files: what they say is what a dump of it says. */
static void test_random_round_trip(_unused_ void **state)
{
	uint64_t seed = 20261122;
	unsigned good = 0;

	for (int round = 0; round < 2000; round++) {
		_cleanup_free_ char *text = NULL, *error = NULL;
		struct policy policy;
		size_t size;
		FILE *f = open_memstream(&text, &size);

		assert_non_null(f);
		for (enum config_section s = SECTION_DAEMON; s <= SECTION_RULE; s++) {
			unsigned copies = s == SECTION_RULE ? random_u64(&seed) % 4 : 1;

			for (unsigned copy = 0; copy < copies; copy++) {
				fprintf(f, "[%s", config_section_to_string(s));
				if (s == SECTION_RULE)
					fprintf(f, " r%u", copy);
				fputs("]\n", f);
				for (size_t i = 0; i < CONFIG_KEYS; i++) {
					char value[64];

					if (!config_key_allowed(&config_keys[i], s) ||
					    random_u64(&seed) % 4 != 0)
						continue;
					random_value(&config_keys[i], &seed, value);
					fprintf(f, "%s = %s\n", config_keys[i].name, value);
				}
			}
		}
		fclose(f);
		policy_init(&policy);
		/* Many contradict themselves. */
		if (parse_text(text, &policy, &error) == 0) {
			good++;
			assert_dump_round_trip(&policy);
		}
		policy_done(&policy);
	}
	assert_true(good >= 200 && good < 2000);
}

static void test_name_tables(_unused_ void **state)
{
	enum offline_method method;
	enum policy_action action;
	enum recovery recovery;

	for (unsigned i = 0; i < _POLICY_ACTION_MAX; i++) {
		assert_int_equal(policy_action_from_string(policy_action_to_string(i), &action), 0);
		assert_int_equal(action, i);
	}
	for (unsigned i = 0; i < _OFFLINE_METHOD_MAX; i++) {
		assert_int_equal(offline_method_from_string(offline_method_to_string(i), &method),
				 0);
		assert_int_equal(method, i);
	}
	for (unsigned i = 0; i < _RECOVERY_MAX; i++) {
		assert_int_equal(recovery_from_string(recovery_to_string(i), &recovery), 0);
		assert_int_equal(recovery, i);
	}
	assert_int_equal(recovery_from_string("rollback", &recovery), -EINVAL);
	assert_string_equal(recovery_to_string(_RECOVERY_MAX), "unknown");
	assert_int_equal(policy_action_from_string("", &action), -EINVAL);
	assert_int_equal(offline_method_from_string("unknown", &method), -EINVAL);
	assert_string_equal(verdict_to_string(VERDICT_NOTHING), "nothing");
	assert_string_equal(verdict_to_string(VERDICT_FREE), "free");
	assert_string_equal(verdict_to_string(VERDICT_WAIT), "wait");
	assert_string_equal(verdict_to_string(VERDICT_REFUSE), "refuse");
	assert_string_equal(verdict_to_string(_VERDICT_MAX), "unknown");
	assert_string_equal(policy_action_to_string(_POLICY_ACTION_MAX), "unknown");
	assert_string_equal(offline_method_to_string(_OFFLINE_METHOD_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	    cmocka_unit_test(test_value_texts),
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_words),	    cmocka_unit_test(test_random_round_trip),
		cmocka_unit_test(test_name_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
