/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration file: every key with its default, its bounds and its words; and
 * that printing and reading again changes nothing.
 */
#include <inttypes.h>
#include <syslog.h>

#include "tests/unit/config_keys.h"

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
	assert_int_equal(policy.dry_run, 0);
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
	assert_int_equal(d->node_headroom_bytes, 0);
	assert_int_equal(d->node_headroom_permyriad, 0);
	assert_int_equal(d->headroom_wait, 10 * USEC_PER_MIN);
	assert_string_equal(d->message, "");
	assert_int_equal(d->ask_timeout, USEC_PER_HOUR);
	assert_int_equal(d->ask_outcome, ACTION_KEEP);
	assert_int_equal(d->state_wait, USEC_PER_MIN);
	assert_int_equal(d->pressure_some, 0);
	assert_int_equal(d->pressure_full, 0);
	assert_int_equal(d->pressure_settle, 10 * USEC_PER_SEC);
	assert_int_equal(d->pressure_wait, 10 * USEC_PER_MIN);
	assert_int_equal(d->holders, HOLDERS_WAIT);
	assert_int_equal(d->holders_wait, 10 * USEC_PER_MIN);
	assert_string_equal(d->terminate_units, "");
	assert_int_equal(d->terminate_grace, 10 * USEC_PER_SEC);
	assert_int_equal(d->ignore_unseen, 0);
	assert_int_equal(d->windows.n, 0);
	assert_true(d->windows_wait == USEC_INFINITY);
	assert_int_equal(d->inhibit_delay_max, 5 * USEC_PER_MIN);
	assert_int_equal(d->inhibit_wait, USEC_PER_HOUR);
	assert_int_equal(d->rate_bytes, 0);
	assert_int_equal(d->rate_groups, 0);
	assert_int_equal(d->rate_memdev_bytes, 0);
	assert_int_equal(d->rate_memdev_groups, 0);
	assert_int_equal(d->rate_wait, 2 * USEC_PER_HOUR);
	assert_int_equal(d->reserve_node, 0);
	assert_int_equal(d->reserve_host, 0);
	assert_int_equal(d->reserve_wait, 10 * USEC_PER_MIN);
	assert_int_equal(policy.n_rules, 0);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
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
	if (parse_text(text, &policy, &error) != -EINVAL)
		fail_msg("%s = %s is taken", key->name, value);
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
	case CONFIG_WAIT:
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

static void check_number(const struct config_key *key)
{
	uint64_t step = key->type == CONFIG_SIZE_KIB ? KiB : 1;
	char buf[32];

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
}

/* Its longest text, and one more. */
static void check_length(const struct config_key *key)
{
	char longest[CONFIG_VALUE_STRLEN] = "";

	memset(longest, 'a', key->max + 1);
	assert_key_bad(key, longest);
	longest[key->max] = '\0';
	assert_key_good(key, longest);
}

static void test_bounds(_unused_ void **state)
{
	size_t n_numbers = 0, n_texts = 0;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		assert_key_bad(key, "\"a\tb\"");
		if (key->fallback && !*key->fallback)
			assert_key_reads(key, "", "");
		else
			assert_key_bad(key, "");
		switch (key->type) {
		case CONFIG_WAIT:
			assert_key_reads(key, "infinity", "infinity");
			assert_key_bad(key, "18446744073709551615us");
			check_number(key);
			n_numbers++;
			break;
		case CONFIG_TIME:
			assert_key_bad(key, "infinity");
			check_number(key);
			n_numbers++;
			break;
		case CONFIG_SIZE:
		case CONFIG_SIZE_KIB:
		case CONFIG_COUNT:
		case CONFIG_PERMYRIAD:
			check_number(key);
			n_numbers++;
			break;
		case CONFIG_TEXT:
		case CONFIG_UNITS:
		case CONFIG_TAGS:
		case CONFIG_MEMDEVS:
		case CONFIG_REGIONS:
			check_length(key);
			n_texts++;
			break;
		default:
			assert_key_bad(key, "99999999999999999999");
			break;
		}
	}
	assert_int_equal(n_numbers, 37);
	assert_int_equal(n_texts, 5);
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
		{ "system-ram", { "free", "keep", "ask" } },
		{ "devdax", { "free", "keep", "ask" } },
		{ "fsdev", { "free", "keep", "ask" } },
		{ "unbound", { "free", "keep", "ask" } },
		{ "ask-outcome", { "free", "keep" } },
		{ "holders", { "wait", "refuse", "terminate" } },
		{ "dry-run", { "yes", "no" } },
		{ "ignore-unseen-processes", { "yes", "no" } },
		{ "match-mode", { "system-ram", "devdax", "fsdev", "unbound", "unclaimed" } },
		{ "match-sharable", { "yes", "no" } },
		{ "match-origin", { "device", "admin" } },
		{ "action", { "free", "keep", "ask" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config_key *key = find_key(cases[i].key);

		for (size_t w = 0; cases[i].words[w]; w++) {
			char expected[CONFIG_EXPECTED_STRLEN];

			assert_key_reads(key, cases[i].words[w], cases[i].words[w]);
			/* The message offers every word there is. */
			assert_non_null(
				strstr(config_key_expected(key, expected), cases[i].words[w]));
		}
		assert_key_bad(key, "FREE");
		assert_key_bad(key, "other");
		assert_key_bad(key, "unknown");
		assert_key_bad(key, "-1");
		assert_key_bad(key, "0");
	}
	assert_key_bad(find_key("ask-outcome"), "ask");
	assert_key_bad(find_key("match-mode"), "none");
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
	static const char *const windows[] = { "", "22:00-06:00", "Sat,Sun 00:00-24:00 UTC",
					       "Fri..Mon 01:00-02:00,03:00-04:00" };
	uint64_t n = random_u64(seed), low = n % 500 + 1, value = key->min;
	const char *words[CONFIG_WORDS_MAX];
	size_t n_words = 0;

	for (int i = 0; i < CONFIG_WORDS_MAX; i++)
		if (config_word(key->type, i))
			words[n_words++] = config_word(key->type, i);
	if (n_words) {
		(void)str_copy(buf, 64, words[n % n_words]);
		return;
	}
	switch (key->type) {
	case CONFIG_TEXT:
		snprintf(buf, 64, "text %u!", (unsigned)(n % 1000));
		break;
	case CONFIG_UNITS:
		snprintf(buf, 64, n & 1 ? "u%u.service" : "/a.slice/* u%u", (unsigned)(n % 1000));
		break;
	case CONFIG_MEMDEVS:
	case CONFIG_REGIONS:
		snprintf(buf, 64, "mem%u,region*", (unsigned)(n % 1000));
		break;
	case CONFIG_TAGS:
		snprintf(buf, 64, "%x*[!0]? 5*", (unsigned)(n % 65536));
		break;
	case CONFIG_WINDOWS:
		(void)str_copy(buf, 64, windows[n % ARRAY_SIZE(windows)]);
		break;
	case CONFIG_NODES:
		snprintf(buf, 64, "%u,0", (unsigned)(n % 1000 + 1));
		break;
	case CONFIG_PARTITIONS:
		snprintf(buf, 64, "%u", (unsigned)(n % 8 + 1));
		break;
	case CONFIG_SIZES:
	case CONFIG_COUNTS:
		snprintf(buf, 64, n >> 32 & 1 ? "%u-%u" : "%u-", (unsigned)low,
			 (unsigned)(low + (n >> 40)));
		break;
	default:
		if (key->type == CONFIG_WAIT && n % 8 == 0) {
			(void)str_copy(buf, 64, "infinity");
			break;
		}
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

	for (int round = 0; round < 4000; round++) {
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
					    random_u64(&seed) % 8 != 0)
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
	assert_true(good >= 200 && good < 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_random_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
