/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with a configuration although each line of it is right: every such message, with
 * the line that is blamed; and what looks like it and is fine.
 */
#include "policy/config.h"
#include "tests/unit/config_parse.h"

static const struct {
	const char *text, *error;
} mistakes[] = {
	/* one number more than another */
	{ "[release]\nbackoff-initial = 10min\n",
	  "f:2: backoff-initial = 10min is longer than backoff-max = 5min in [release]; expected at "
	  "most that" },
	{ "[release]\nbackoff-max = 1s\n\n# c\nbackoff-initial = 2s\n",
	  "f:5: backoff-initial = 2s is longer than backoff-max = 1s in [release]; expected at most "
	  "that" },
	{ "[release]\nrelease-timeout = 30s\n",
	  "f:2: block-timeout = 1min is longer than release-timeout = 30s in [release]; expected at "
	  "most that" },
	{ "[rule x]\nmatch-tag = *\nblock-timeout = 20min\n",
	  "f:3: block-timeout = 20min is longer than release-timeout = 15min in rule \"x\"; "
	  "expected at most that" },
	{ "[rule x]\nmatch-tag = *\nbackoff-initial = 2min\n[release]\nbackoff-max = 1min\n",
	  "f:3: backoff-initial = 2min is longer than backoff-max = 1min in rule \"x\"; expected at "
	  "most that" },
	{ "[release]\nrate-bytes = 10G\nrate-memdev-bytes = 11G\n",
	  "f:3: rate-memdev-bytes = 11G is more than rate-bytes = 10G in [release]; expected at "
	  "most that" },
	{ "[release]\nrate-memdev-groups = 5\n[rule x]\nmatch-tag = *\nrate-groups = 4\n",
	  "f:5: rate-memdev-groups = 5 is more than rate-groups = 4 in rule \"x\"; expected at most "
	  "that" },
	{ "[release]\npressure-full = 10.01%\npressure-some = 10%\n",
	  "f:3: pressure-full = 10.01% is more than pressure-some = 10% in [release]; expected at "
	  "most that" },

	/* terminating */
	{ "[release]\n\nholders = terminate\n",
	  "f:3: holders = terminate in [release] names nobody to be terminated; expected "
	  "terminate-units, too" },
	{ "[rule x]\nmatch-tag = *\nholders = terminate\n",
	  "f:3: holders = terminate in rule \"x\" names nobody to be terminated; expected "
	  "terminate-units, too" },
	{ "[rule x]\nmatch-tag = *\nterminate-units =\n[release]\nholders = terminate\n"
	  "terminate-units = a.service\n",
	  "f:3: holders = terminate in rule \"x\" names nobody to be terminated; expected "
	  "terminate-units, too" },
	{ "[rule x]\nmatch-tag = *\nterminate-units = a.service\nretries = 1\n",
	  "f:3: terminate-units in rule \"x\", but that terminates nobody; expected holders = "
	  "terminate, too" },
	{ "[rule x]\nmatch-tag = *\nterminate-units = a.service\nretries = 1\nholders = refuse\n",
	  "f:5: terminate-units in rule \"x\", but that terminates nobody; expected holders = "
	  "terminate, too" },
	{ "[rule x]\nmatch-tag = *\nholders = refuse\nholders-wait = 1min\n",
	  "f:4: holders-wait in rule \"x\", but holders = refuse waits for nobody; expected one of "
	  "them" },
	{ "[rule x]\nmatch-tag = *\nholders-wait = infinity\nholders = refuse\n",
	  "f:4: holders-wait in rule \"x\", but holders = refuse waits for nobody; expected one of "
	  "them" },

	/* rules that do not match, or do nothing */
	{ "[rule x]\n[rule y]\n",
	  "f:1: rule \"x\" matches by nothing; expected at least one match- key" },
	{ "[rule x]\naction = free\n",
	  "f:1: rule \"x\" matches by nothing; expected at least one match- key" },
	{ "[release]\n[rule x]\nmatch-memdev = mem0\nmatch-origin = admin\n",
	  "f:2: rule \"x\" changes nothing; expected action or a key of [release]" },

	/* actions */
	{ "[rule x]\nmatch-memdev = mem0\naction = keep\nfsdev = free\nretries = 1\n",
	  "f:4: rule \"x\" has both action and fsdev; expected one of them" },
	{ "[rule x]\nmatch-memdev = mem0\nfsdev = free\naction = keep\n",
	  "f:4: rule \"x\" has both action and fsdev; expected one of them" },
	{ "[rule x]\nmatch-mode = devdax\nunbound = free\n",
	  "f:3: rule \"x\" sets unbound but matches only devdax; expected devdax or action" },
	{ "[rule x]\nunbound = free\nmatch-mode = devdax\n",
	  "f:3: rule \"x\" sets unbound but matches only devdax; expected devdax or action" },
	{ "[rule x]\nmatch-mode = devdax fsdev\n\nunbound = free\n",
	  "f:4: rule \"x\" sets unbound but matches only devdax fsdev; expected one of these or "
	  "action" },
	{ "[rule x]\nmatch-mode = unclaimed\nsystem-ram = keep\n",
	  "f:3: rule \"x\" sets system-ram but matches only unclaimed; expected action" },

	/* what nobody claims */
	{ "[rule x]\nmatch-mode = unclaimed\naction = keep\n",
	  "f:3: action = keep in rule \"x\", but what is unclaimed the kernel releases without "
	  "asking; expected action = free" },
	{ "[rule x]\naction = ask\nmatch-tag = *\nmatch-mode = unclaimed\n",
	  "f:4: action = ask in rule \"x\", but what is unclaimed the kernel releases without "
	  "asking; expected action = free" },
	{ "[rule x]\nmatch-node = 1\nmatch-mode = unclaimed\naction = free\n",
	  "f:3: match-node in rule \"x\", but what is unclaimed is on no node; expected one of "
	  "them" },

	/* asking nobody, telling nobody */
	{ "[rule x]\nmatch-tag = *\naction = keep\nask-timeout = 1min\n",
	  "f:4: ask-timeout in rule \"x\", but that asks nobody; expected action = ask" },
	{ "[rule x]\nmatch-tag = *\n\nask-outcome = free\n",
	  "f:4: ask-outcome in rule \"x\", but that asks nobody; expected action = ask" },
	/* It asks, but not about what the rule matches. */
	{ "[release]\nfsdev = ask\n[rule x]\nmatch-mode = devdax unclaimed\nask-outcome = free\n",
	  "f:5: ask-outcome in rule \"x\", but that asks nobody; expected action = ask" },
	{ "[rule x]\nmatch-tag = *\nmessage = why\naction = free\n",
	  "f:3: message in rule \"x\", but that keeps nothing; expected action = keep or ask" },
	{ "[rule x]\nmatch-mode = system-ram\nmessage = why\n",
	  "f:3: message in rule \"x\", but that keeps nothing; expected action = keep or ask" },

	/* rules that another one hides */
	{ "[rule x]\nmatch-tag = 5*\naction = keep\n\n[rule y]\nmatch-tag = 5*\naction = free\n",
	  "f:5: rule \"y\" is never used: rule \"x\", at line 1, matches all that it does; expected "
	  "it before that" },
	{ "[rule x]\nmatch-tag = 5*,6*\nmatch-size = 1024M-\naction = keep\n"
	  "[rule between]\nmatch-tag = 7*\naction = keep\n"
	  "[rule y]\nmatch-mode = devdax\nmatch-size = 1G-\nmatch-tag = 5*  6*\naction = free\n",
	  "f:8: rule \"y\" is never used: rule \"x\", at line 1, matches all that it does; expected "
	  "it before that" },

	/* The first rule that is wrong is told. */
	{ "[rule x]\nmatch-tag = 1*\n[rule y]\n",
	  "f:1: rule \"x\" changes nothing; expected action or a key of [release]" },
	/* What [release] says wrongly is not blamed on a rule. */
	{ "[rule x]\nmatch-tag = 1*\nretries = 1\n[release]\nholders = terminate\n",
	  "f:5: holders = terminate in [release] names nobody to be terminated; expected "
	  "terminate-units, too" },
};

static void test_mistakes(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		_cleanup_free_ char *error = NULL;
		struct policy policy;

		policy_init(&policy);
		if (parse_text(mistakes[i].text, &policy, &error) != -EINVAL)
			fail_msg("no error for\n%s", mistakes[i].text);
		assert_string_equal(error, mistakes[i].error);
		policy_done(&policy);
	}
}

static void test_fine(_unused_ void **state)
{
	static const char *const texts[] = {
		/* at the very limit */
		"[release]\nbackoff-initial = 5min\nblock-timeout = 15min\n",
		"[release]\nrate-bytes = 1G\nrate-memdev-bytes = 1G\npressure-some = 5%\n"
		"pressure-full = 5%\n",
		/* 0 is no limit */
		"[release]\nrate-memdev-bytes = 1G\nrate-memdev-groups = 3\npressure-full = 5%\n",
		"[rule x]\nmatch-tag = *\nblock-timeout = 20min\n[release]\n"
		"release-timeout = 20min\n",
		/* prepared in [release] for a rule, or taken from it */
		"[release]\nterminate-units = a.service\n",
		"[release]\nterminate-units = a.service\n[rule x]\nmatch-tag = *\n"
		"holders = terminate\n",
		"[release]\nholders = terminate\nterminate-units = a.service\n[rule x]\n"
		"match-tag = *\nterminate-units = b.service\n",
		"[release]\nholders = terminate\nterminate-units = a.service\n[rule x]\n"
		"match-tag = *\nholders = wait\n",
		"[release]\nholders = terminate\nterminate-units = a.service\n[rule x]\n"
		"match-tag = *\nholders = wait\nterminate-units =\n",
		"[release]\nholders = refuse\nholders-wait = 1min\n",
		"[release]\nholders-wait = 1min\n[rule x]\nmatch-tag = *\nholders = refuse\n",
		"[rule x]\nmatch-tag = *\nholders = refuse\nholders-wait = 0\n",
		/* kept, asked or told by what is inherited */
		"[release]\nask-timeout = 1min\nask-outcome = free\nmessage = why\nsystem-ram = "
		"free\ndevdax = free\nfsdev = free\nunbound = free\n",
		"[release]\ndevdax = ask\n[rule x]\nmatch-mode = devdax\nask-timeout = 1min\n",
		"[release]\ndevdax = ask\n[rule x]\nmatch-tag = *\nask-timeout = 1min\n",
		"[rule x]\nmatch-tag = *\nunbound = ask\nask-outcome = free\n",
		"[rule x]\nmatch-mode = devdax\nmessage = why\n",
		"[rule x]\nmatch-tag = *\naction = ask\nmessage = why\n",
		"[release]\nmessage = why\n[rule x]\nmatch-tag = *\naction = free\nmessage =\n",
		/* unclaimed among others */
		"[rule x]\nmatch-mode = unclaimed devdax\nmatch-node = 1\naction = keep\n",
		"[rule x]\nmatch-mode = unclaimed\naction = free\n",
		"[rule x]\nmatch-mode = devdax fsdev\nfsdev = free\n",
		/* hides nothing, or not all of it */
		"[rule x]\nmatch-tag = 5*\nmatch-mode = devdax\naction = keep\n"
		"[rule y]\nmatch-tag = 5*\naction = free\n",
		"[rule x]\nmatch-size = 1G-2G\naction = keep\n"
		"[rule y]\nmatch-size = 1G-\naction = free\n",
		"[rule x]\nmatch-node = 1 2\naction = keep\n"
		"[rule y]\nmatch-node = 1\naction = free\n",
		"[rule x]\nmatch-sharable = yes\naction = keep\n"
		"[rule y]\nmatch-sharable = no\naction = free\n",
		"[rule x]\nmatch-origin = device\naction = keep\n"
		"[rule y]\nmatch-origin = admin\naction = free\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy policy;

		parse_good(texts[i], &policy);
		assert_dump_round_trip(&policy);
		policy_done(&policy);
	}
}

/* Rules of another file were right by themselves; they are blamed for nothing, and may be hidden.
 */
static void test_second_file(_unused_ void **state)
{
	static const char first[] = "[rule a]\nmatch-tag = 5*\nbackoff-initial = 2min\n";
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "[rule b]\nmatch-tag = 5*\nretries = 1\n", NULL },
		{ "[release]\n\nbackoff-max = 1min\n",
		  "f:3: backoff-initial = 2min is longer than backoff-max = 1min in rule \"a\"; "
		  "expected at most that" },
		{ "[release]\nholders = terminate\n",
		  "f:2: holders = terminate in [release] names nobody to be terminated; expected "
		  "terminate-units, too" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *error = NULL;
		struct policy policy;
		int r;

		parse_good(first, &policy);
		r = parse_text(cases[i].text, &policy, &error);
		assert_int_equal(r, cases[i].error ? -EINVAL : 0);
		if (cases[i].error)
			assert_string_equal(error, cases[i].error);
		policy_done(&policy);
	}
}

static void read_as(const char *path, const char *text, size_t at, struct policy *policy,
		    struct config_places *places)
{
	_cleanup_free_ char *error = NULL;
	_cleanup_fclose_ FILE *f = NULL;

	f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	assert_non_null(f);
	assert_int_equal(config_read(path, f, policy, at, places, &error), 0);
}

/* Main file and drop-in, checked together: each line is blamed in its own file. */
static void test_files_together(_unused_ void **state)
{
	static const struct {
		const char *main, *drop_in, *error;
	} cases[] = {
		/* An exception may take all of what a rule of the main file is for. */
		{ "[rule a]\nmatch-tag = 5*\nretries = 1\n",
		  "[rule b]\nmatch-tag = 5*\nretries = 2\n", NULL },
		/* What is wrong alone, but not together. */
		{ "[release]\nbackoff-max = 1s\n", "[release]\nbackoff-initial = 500ms\n", NULL },
		{ "[release]\nbackoff-max = 1s\n", "\n[release]\nbackoff-initial = 2s\n",
		  "drop-in:3: backoff-initial = 2s is longer than backoff-max = 1s in [release]; "
		  "expected at most that" },
		/* The rule is in the main file, the line that spoils it is not. */
		{ "[rule a]\nmatch-tag = 5*\nretries = 1\n\n\n", "[release]\nbackoff-max = 1s\n",
		  "drop-in:2: backoff-initial = 5s is longer than backoff-max = 1s in [release]; "
		  "expected at most that" },
		{ "[rule a]\nmatch-tag = 5*\nholders = terminate\n[release]\n"
		  "terminate-units = x.service\n",
		  "[release]\nterminate-units =\n",
		  "main:3: holders = terminate in rule \"a\" names nobody to be terminated; "
		  "expected terminate-units, too" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_places places = { 0 };
		_cleanup_free_ char *error = NULL;
		struct policy policy;
		int r;

		policy_init(&policy);
		read_as("main", cases[i].main, 0, &policy, &places);
		read_as("drop-in", cases[i].drop_in, 0, &policy, &places);
		r = config_finish(&policy, &places, &error);
		if (cases[i].error) {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(error, cases[i].error);
		} else if (r < 0) {
			fail_msg("%s", error);
		}
		config_places_done(&places);
		policy_done(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_second_file),
		cmocka_unit_test(test_files_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
