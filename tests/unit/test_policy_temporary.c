/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that are set at run time, and what a new configuration changes, in words. */
#include "tests/unit/config_parse.h"

static const char base[] = "[release]\nheadroom = 1G\n[rule file]\nmatch-tag = 5*\naction = keep\n";

static void add_good(struct policy *policy, const char *name, const char *text, usec_t until)
{
	_cleanup_free_ char *error = NULL;
	int r = policy_add_temporary(policy, name, text, until, "root (pid 7)", &error);

	if (r < 0)
		fail_msg("%s", error ? error : strerror(-r));
	assert_null(error);
}

static void assert_names(const struct policy *policy, const char *expected)
{
	char names[256] = "";

	for (size_t i = 0; i < policy->n_rules; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s%s",
			 i ? " " : "", policy->rules[i].name,
			 policy->rules[i].temporary ? "!" : "");
	assert_string_equal(names, expected);
}

static void test_add(_unused_ void **state)
{
	const struct policy_rule *rule;
	struct policy policy;

	parse_good(base, &policy);
	add_good(&policy, "monday", "match-tag = 5be*\naction = keep\n", 1000);
	/* The last line may be without an end; comments are fine. */
	add_good(&policy, "mem", "# not now\n\nmatch-memdev=mem0 mem1\nretries = 9", USEC_INFINITY);
	/* As a rule of a file is called: it stands before it. */
	add_good(&policy, "file", "match-tag = *\naction = free", USEC_INFINITY);
	assert_names(&policy, "file! mem! monday! file");
	assert_int_equal(policy.n_temporary, 3);

	rule = &policy.rules[1];
	assert_string_equal(rule->memdevs, "mem0 mem1");
	assert_int_equal(rule->settings.retries, 9);
	assert_int_equal(rule->settings.headroom_bytes, GiB); /* inherited */
	assert_true(rule->until == USEC_INFINITY);
	assert_string_equal(rule->who, "root (pid 7)");
	assert_int_equal(policy.rules[2].settings.action[DAX_MODE_DEVDAX], ACTION_KEEP);
	assert_true(policy.rules[2].until == 1000);
	/* What was there is as it was. */
	assert_string_equal(policy.rules[3].tags, "5*");
	assert_int_equal(policy.rules[3].line, 3);
	assert_int_equal(policy.n_files, 1);
	policy_done(&policy);
}

static void test_add_mistakes(_unused_ void **state)
{
	static const struct {
		const char *name, *text, *error;
	} cases[] = {
		{ "x", "match-tag = *\nretrys = 1\n",
		  "rule x:2: unknown key \"retrys\" in [rule], did you mean \"retries\"?" },
		{ "x", "match-tag = *\nretries = many\n",
		  "rule x:2: retries = \"many\": expected a whole number from 0 to 1000" },
		{ "x", "match-tag = *\nmatch-tag = 5*\n",
		  "rule x:2: key \"match-tag\" is set already, at line 1" },
		{ "x", "match-tag = *\naction\n", "rule x:2: expected KEY = VALUE" },
		{ "x", "match-tag = *\n[rule y]\nmatch-tag = *\n",
		  "rule x:2: expected KEY = VALUE, and no section, in the text of a rule" },
		{ "x", "[release]\n",
		  "rule x:1: expected KEY = VALUE, and no section, in the text of a rule" },
		{ "x", "\nmatch-tag = *\nqueue-max = 5\n",
		  "rule x:3: key \"queue-max\" belongs in [daemon], not in [rule]" },
		{ "x", "action = keep\n",
		  "rule x:1: rule \"x\" matches by nothing; expected at least one match- key" },
		{ "x", "",
		  "rule x:1: rule \"x\" matches by nothing; expected at least one match- "
		  "key" },
		{ "x", "match-tag = *\nbackoff-initial = 2h\n",
		  "rule x:2: backoff-initial = 2h is longer than backoff-max = 5min in rule \"x\"; "
		  "expected at most that" },
		{ "a b", "match-tag = *\naction = keep\n",
		  "rule a b:1: rule name \"a b\": expected 1 to 63 letters, digits and . _ -, and "
		  "not \"default\"" },
		{ "default", "match-tag = *\naction = keep\n",
		  "rule default:1: rule name \"default\": expected 1 to 63 letters, digits and . _ "
		  "-, and not \"default\"" },
	};
	struct policy policy, same;

	parse_good(base, &policy);
	parse_good(base, &same);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *error = NULL;

		assert_int_equal(
			policy_add_temporary(&policy, cases[i].name, cases[i].text, 1, "", &error),
			-EINVAL);
		assert_string_equal(error, cases[i].error);
		assert_same_policy(&policy, &same);
		assert_int_equal(policy.n_temporary, 0);
	}
	policy_done(&same);
	policy_done(&policy);
}

static void test_add_again_and_too_many(_unused_ void **state)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;
	char name[16];
	int n;

	parse_good(base, &policy);
	add_good(&policy, "t0", "match-tag = *\naction = keep", 1);
	assert_int_equal(
		policy_add_temporary(&policy, "t0", "match-tag = *\naction = keep", 1, "", &error),
		-EEXIST);
	assert_null(error);
	for (n = 1; n < 1000; n++) {
		int r;

		snprintf(name, sizeof(name), "t%d", n);
		r = policy_add_temporary(&policy, name, "match-tag = *\naction = keep", 1, "",
					 &error);
		if (r == -E2BIG)
			break;
		assert_int_equal(r, 0);
	}
	assert_int_equal(n, 128);
	assert_int_equal(policy.n_temporary, 128);
	assert_int_equal(policy.n_rules, 129);
	/* Place for another one, and for that name again. */
	assert_int_equal(policy_remove_temporary(&policy, "t64"), 0);
	add_good(&policy, "t64", "match-tag = *\naction = keep", 1);
	policy_done(&policy);
}

static void test_remove(_unused_ void **state)
{
	struct policy policy;

	parse_good(base, &policy);
	add_good(&policy, "a", "match-tag = 1*\naction = keep", 1);
	add_good(&policy, "b", "match-tag = 2*\naction = keep", 2);
	add_good(&policy, "c", "match-tag = 3*\naction = keep", 3);
	assert_int_equal(policy_remove_temporary(&policy, "b"), 0);
	assert_names(&policy, "c! a! file");
	assert_int_equal(policy_remove_temporary(&policy, "b"), -ENOENT);
	/* Only temporary ones. */
	assert_int_equal(policy_remove_temporary(&policy, "file"), -ENOENT);
	assert_int_equal(policy_remove_temporary(&policy, "a"), 0);
	assert_int_equal(policy_remove_temporary(&policy, "c"), 0);
	assert_names(&policy, "file");
	assert_string_equal(policy.rules[0].tags, "5*");
	assert_int_equal(policy.n_temporary, 0);
	policy_done(&policy);
}

static void test_expiry(_unused_ void **state)
{
	struct policy policy;

	parse_good(base, &policy);
	assert_true(policy_next_expiry(&policy) == USEC_INFINITY);
	assert_null(policy_expired(&policy, USEC_INFINITY));
	add_good(&policy, "a", "match-tag = 1*\naction = keep", 3000);
	add_good(&policy, "b", "match-tag = 2*\naction = keep", USEC_INFINITY);
	add_good(&policy, "c", "match-tag = 3*\naction = keep", 2000);
	assert_true(policy_next_expiry(&policy) == 2000);
	assert_null(policy_expired(&policy, 1999));
	assert_string_equal(policy_expired(&policy, 2000)->name, "c");
	assert_int_equal(policy_remove_temporary(&policy, "c"), 0);
	assert_null(policy_expired(&policy, 2999));
	assert_true(policy_next_expiry(&policy) == 3000);
	assert_string_equal(policy_expired(&policy, 5000)->name, "a");
	assert_int_equal(policy_remove_temporary(&policy, "a"), 0);
	assert_true(policy_next_expiry(&policy) == USEC_INFINITY);
	assert_null(policy_expired(&policy, USEC_INFINITY - 1));
	policy_done(&policy);
}

/* At a reload: they stay, and inherit from what is new. */
static void test_move(_unused_ void **state)
{
	struct policy old, new;

	parse_good(base, &old);
	add_good(&old, "a", "match-tag = 1*\nretries = 7", 1);
	add_good(&old, "b", "match-tag = 2*\naction = keep", 2);
	parse_good("[release]\nheadroom = 2G\nretries = 5\n[rule other]\nmatch-tag = *\n"
		   "action = free\n",
		   &new);
	assert_int_equal(policy_move_temporary(&new, &old), 0);
	assert_names(&new, "b! a! other");
	assert_names(&old, "file");
	assert_int_equal(new.n_temporary, 2);
	assert_int_equal(old.n_temporary, 0);
	assert_int_equal(new.rules[0].settings.headroom_bytes, 2 * GiB);
	assert_int_equal(new.rules[0].settings.retries, 5);
	assert_int_equal(new.rules[0].settings.action[DAX_MODE_SYSTEM_RAM], ACTION_KEEP);
	assert_int_equal(new.rules[1].settings.retries, 7);
	assert_string_equal(old.rules[0].tags, "5*");
	/* None left: nothing happens. */
	assert_int_equal(policy_move_temporary(&new, &old), 0);
	assert_names(&new, "b! a! other");
	policy_done(&old);
	policy_done(&new);
}

/* A file read below them may have rules of the same names. */
static void test_parse_below(_unused_ void **state)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;

	parse_good(base, &policy);
	add_good(&policy, "night", "match-tag = 1*\naction = keep", 1);
	assert_int_equal(
		parse_text("[rule night]\nmatch-tag = 2*\naction = keep\n", &policy, &error), 0);
	assert_names(&policy, "night! night file");
	assert_string_equal(policy.rules[0].tags, "1*");
	assert_string_equal(policy.rules[1].tags, "2*");
	policy_done(&policy);
}

static void test_dump_without_temporary(_unused_ void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL, *text = NULL;
	struct policy policy;
	size_t size;
	FILE *f;

	parse_good(base, &policy);
	before = dump(&policy);
	add_good(&policy, "a", "action = keep\nmatch-tag = 1*,2*\n", 1);
	after = dump(&policy);
	assert_string_equal(before, after);

	f = open_memstream(&text, &size);
	assert_non_null(f);
	assert_int_equal(policy_rule_dump(&policy.rules[0], f), 0);
	fclose(f);
	assert_string_equal(text, "match-tag = 1* 2*\naction = keep\n");
	policy_done(&policy);
}

/* ---- differences ---- */

static void append_line(const char *text, void *userdata)
{
	assert_null(strchr(text, '\n'));
	fprintf(userdata, "%s\n", text);
}

static void assert_diff(const char *before, const char *after, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	struct policy old, new;
	int n, lines = 0;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	parse_good(before, &old);
	parse_good(after, &new);
	add_good(&old, "temporary-old", "match-tag = *\naction = free\n", 1);
	add_good(&new, "temporary-new", "match-tag = *\naction = keep\n", 1);
	n = policy_diff(&old, &new, append_line, f);
	fclose(f);
	assert_string_equal(text, expected);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(n, lines);
	policy_done(&old);
	policy_done(&new);
}

#define A "[rule a]\nmatch-tag = a*\naction = keep\n"
#define B "[rule b]\nmatch-tag = b*\naction = keep\n"
#define C "[rule c]\nmatch-tag = c*\naction = keep\n"
#define D "[rule d]\nmatch-tag = d*\naction = keep\n"

static void test_diff(_unused_ void **state)
{
	assert_diff("", "", "");
	/* The same in other words, in another place. */
	assert_diff("[release]\nheadroom = 1G\n" A, "# c\n" A "[release]\nheadroom=1024M\n", "");
	assert_diff("", "[release]\nheadroom = 256M\n", "");
	assert_diff("[daemon]\nqueue-max = 7\n[release]\nretries = 1\n",
		    "[release]\nheadroom = 1G\nmessage = a b\nwindows = Mon 08:00-09:00\n",
		    "[daemon] queue-max: 7 -> 256\n"
		    "[release] message: none -> a b\n"
		    "[release] retries: 1 -> 3\n"
		    "[release] headroom: 256M -> 1G\n"
		    "[release] windows: none -> Mon 08:00-09:00\n");
	assert_diff(A B, A C, "rule b: removed\nrule c: added\n");
	assert_diff(A, "[rule a]\nmatch-tag = a* b*\nretries = 4\n",
		    "rule a: retries: not set -> 4\n"
		    "rule a: match-tag: a* -> a* b*\n"
		    "rule a: action: keep -> not set\n");
	/* What a rule says is told although it comes to the same. */
	assert_diff(A, A "retries = 3\n", "rule a: retries: not set -> 3\n");
	/* What it inherits is told where it stands. */
	assert_diff(A, "[release]\nretries = 4\n" A, "[release] retries: 3 -> 4\n");
}

static void test_diff_order(_unused_ void **state)
{
	assert_diff(A B C, A B C, "");
	assert_diff(A B C, C A B, "rule c: moved, now before rule a\n");
	assert_diff(A B C D, B C D A, "rule a: moved, now the last\n");
	assert_diff(A B, B A, "rule a: moved, now the last\n");
	/* Room for others is no move. */
	assert_diff(A C, A B C, "rule b: added\n");
	assert_diff(A B C, A C, "rule b: removed\n");
	assert_diff(A B C, D C A,
		    "rule b: removed\nrule d: added\n"
		    "rule a: moved, now the last\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_mistakes),
		cmocka_unit_test(test_add_again_and_too_many),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_parse_below),
		cmocka_unit_test(test_dump_without_temporary),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
