/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a policy comes from: which files are read and in which order, and the shipped examples.
 * Runs in the top folder of the source tree.
 */
#include <glob.h>

#include <dcdd/names.h>

#include "tests/unit/policy_root.h"

static void test_nothing(void **state)
{
	struct policy policy, defaults;

	policy_init(&defaults);
	load_good(*state, &policy);
	assert_int_equal(policy.n_files, 0);
	assert_same_policy(&policy, &defaults);
	policy_done(&policy);
}

/* The directories as they are built in: the administrator's, the run time's, the vendor's. */
static void test_directories(_unused_ void **state)
{
	/* SYSCONFDIR and PREFIX of the build may be others. */
	static const char *const ends[] = { "/dcdd", "/run/dcdd", "/lib/dcdd" };
	static const char dirs[] = DCDD_CONFIG_DIRS;
	size_t n = 0;

	for (size_t at = 0; at + 1 < sizeof(dirs); at += strlen(dirs + at) + 1) {
		size_t length = strlen(dirs + at);

		assert_true(n < ARRAY_SIZE(ends));
		assert_int_equal(dirs[at], '/');
		assert_true(length >= strlen(ends[n]));
		assert_string_equal(dirs + at + length - strlen(ends[n]), ends[n]);
		n++;
	}
	assert_int_equal(n, ARRAY_SIZE(ends));
}

/* Only one main file is read, that of the first directory. */
static void test_main_file(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/usr/lib/dcdd/dcdd.conf", "[release]\nretries = 1\nheadroom = 1G\n");
	load_good(root, &policy);
	ASSERT_FILES(&policy, root, "/usr/lib/dcdd/dcdd.conf");
	assert_int_equal(policy.defaults.retries, 1);
	policy_done(&policy);

	put(root, "/run/dcdd/dcdd.conf", "[release]\nretries = 2\n");
	load_good(root, &policy);
	ASSERT_FILES(&policy, root, "/run/dcdd/dcdd.conf");
	assert_int_equal(policy.defaults.retries, 2);
	assert_int_equal(policy.defaults.headroom_bytes, 256 * MiB);
	policy_done(&policy);

	put(root, "/etc/dcdd/dcdd.conf", "");
	load_good(root, &policy);
	ASSERT_FILES(&policy, root, "/etc/dcdd/dcdd.conf");
	assert_int_equal(policy.defaults.retries, 3);
	policy_done(&policy);
}

/* A slash more at the end of the root is none in the messages. */
static void test_root_slash(void **state)
{
	const char *root = *state;
	_cleanup_free_ char *slashes = NULL;
	struct policy policy;

	assert_true(asprintf(&slashes, "%s//", root) > 0);
	put(root, "/etc/dcdd/dcdd.conf", "[release]\nretries = 2\n");
	load_good(slashes, &policy);
	ASSERT_FILES(&policy, root, "/etc/dcdd/dcdd.conf");
	policy_done(&policy);
}

static void assert_rules(const struct policy *policy, const char *expected)
{
	char names[256] = "";

	for (size_t i = 0; i < policy->n_rules; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
			 policy->rules[i].name);
	assert_string_equal(names, expected);
}

/*
 * By name, whatever directory they are in: a key of a later one replaces that of an earlier one;
 * rules are tried in the order of the files, those of the main file last.
 */
static void test_drop_in_order(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/etc/dcdd/dcdd.conf",
	    RULE("main1", "1*") "[release]\nretries = 1\nheadroom = 1G\nbackoff-max = 20min\n" RULE(
		    "main2", "2*"));
	put(root, "/usr/lib/dcdd/dcdd.conf.d/30-c.conf",
	    RULE("c1", "3*") RULE("c2", "4*") "[release]\nretries = 4\n");
	put(root, "/etc/dcdd/dcdd.conf.d/20-b.conf",
	    "[release]\nretries = 3\nheadroom = 3G\n" RULE("b1", "5*"));
	put(root, "/run/dcdd/dcdd.conf.d/10-a.conf",
	    RULE("a1", "6*") RULE("a2", "7*") "[release]\nretries = 2\nheadroom = 2G\n");
	/* None of these is a drop-in. */
	put(root, "/etc/dcdd/dcdd.conf.d/99-z.conf~", "nonsense");
	put(root, "/etc/dcdd/dcdd.conf.d/.99-z.conf", "nonsense");
	put(root, "/etc/dcdd/dcdd.conf.d/.conf", "nonsense");
	put(root, "/etc/dcdd/dcdd.conf.d/README", "nonsense");
	load_good(root, &policy);
	ASSERT_FILES(&policy, root, "/etc/dcdd/dcdd.conf", "/run/dcdd/dcdd.conf.d/10-a.conf",
		     "/etc/dcdd/dcdd.conf.d/20-b.conf", "/usr/lib/dcdd/dcdd.conf.d/30-c.conf");
	assert_rules(&policy, "a1 a2 b1 c1 c2 main1 main2");
	assert_int_equal(policy.defaults.retries, 4);
	assert_int_equal(policy.defaults.headroom_bytes, 3 * GiB);
	assert_int_equal(policy.defaults.backoff_max, 20 * USEC_PER_MIN);
	assert_int_equal(policy.rules[6].settings.retries, 4);
	assert_int_equal(policy.rules[6].file, 0);
	assert_int_equal(policy.rules[6].line, 8);
	assert_int_equal(policy.rules[4].file, 3);
	assert_int_equal(policy.rules[4].line, 4);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

static void test_drop_ins_without_main(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/etc/dcdd/dcdd.conf.d/2.conf", RULE("b", "1*"));
	put(root, "/etc/dcdd/dcdd.conf.d/1.conf", RULE("a", "2*"));
	load_good(root, &policy);
	assert_rules(&policy, "a b");
	policy_done(&policy);
}

static void test_drop_in_hides(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/usr/lib/dcdd/dcdd.conf.d/a.conf", "[release]\nretries = 7\n");
	put(root, "/usr/lib/dcdd/dcdd.conf.d/b.conf", "[release]\nheadroom = 7G\n");
	put(root, "/usr/lib/dcdd/dcdd.conf.d/c.conf", "[release]\nrecovery = resume\n");
	put(root, "/run/dcdd/dcdd.conf.d/a.conf", "[release]\nretries = 8\n");
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", "[release]\nblock-timeout = 5s\n");
	/* Empty, and one for which there is no such target in the image. */
	put(root, "/run/dcdd/dcdd.conf.d/b.conf", "");
	put_link(root, "/etc/dcdd/dcdd.conf.d/c.conf", "/dev/null");
	load_good(root, &policy);
	ASSERT_FILES(&policy, root, "/etc/dcdd/dcdd.conf.d/a.conf", "/run/dcdd/dcdd.conf.d/b.conf");
	assert_int_equal(policy.defaults.retries, 3);
	assert_int_equal(policy.defaults.block_timeout, 5 * USEC_PER_SEC);
	assert_int_equal(policy.defaults.headroom_bytes, 256 * MiB);
	assert_int_equal(policy.defaults.recovery, RECOVERY_ROLL_BACK);
	policy_done(&policy);
}

static void test_main_file_masked(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/usr/lib/dcdd/dcdd.conf", "[release]\nretries = 7\n");
	put_link(root, "/run/dcdd/dcdd.conf", "/dev/null");
	load_good(root, &policy);
	assert_int_equal(policy.n_files, 0);
	assert_int_equal(policy.defaults.retries, 3);
	policy_done(&policy);
}

/* An image's link that begins with '/' means the image, and none leads out of it. */
static void test_links_in_root(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/usr/share/x.conf", "[release]\nretries = 7\n");
	put_link(root, "/etc/dcdd/dcdd.conf", "/usr/share/x.conf");
	put_link(root, "/etc/dcdd/dcdd.conf.d/a.conf", "../../../../../../../usr/share/y.conf");
	put(root, "/usr/share/y.conf", "[release]\nheadroom = 7G\n");
	load_good(root, &policy);
	assert_int_equal(policy.defaults.retries, 7);
	assert_int_equal(policy.defaults.headroom_bytes, 7 * GiB);
	policy_done(&policy);
}

/*
 * The dump of several files is one, and good: what one file may not say because of itself, a file
 * may say over another one.
 */
static void test_dump_of_several(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/etc/dcdd/dcdd.conf",
	    "[release]\nholders-wait = 1h\n" RULE("x", "1*") RULE("y", "2*"));
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", "[release]\nholders = refuse\n" RULE("all", "*"));
	load_good(root, &policy);
	assert_rules(&policy, "all x y");
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

/* With a file named, nothing else is looked at. */
static void test_one_file(void **state)
{
	const char *root = *state;
	_cleanup_free_ char *path = below(root, "/mine"), *error = NULL;
	struct policy policy, defaults;

	policy_init(&defaults);
	put(root, "/etc/dcdd/dcdd.conf", "[release]\nretries = 1\n");
	put(root, "/mine", "[release]\nheadroom = 1G\n");
	assert_int_equal(policy_load("", path, &policy, &error), 0);
	ASSERT_FILES(&policy, root, "/mine");
	assert_int_equal(policy.defaults.retries, 3);
	assert_int_equal(policy.defaults.headroom_bytes, GiB);
	policy_done(&policy);

	assert_int_equal(policy_load("", "/dev/null", &policy, &error), 0);
	assert_same_policy(&policy, &defaults);
	policy_done(&policy);

	assert_int_equal(policy_load("", "tests/no/such/file", &policy, &error), -ENOENT);
	assert_string_equal(error, "tests/no/such/file: No such file or directory");
	free(error);
	assert_int_equal(policy_load("", "tests", &policy, &error), -EISDIR);
	assert_string_equal(error, "tests is a directory; expected a regular file");
	free(error);
	assert_int_equal(policy_load("", "/dev/zero", &policy, &error), -EBADFD);
	assert_string_equal(error, "/dev/zero is a device; expected a regular file");
	policy_done(&policy); /* nothing is left to free after an error */
}

/* Every example is a policy of its own that passes, and says something. */
static void test_examples(_unused_ void **state)
{
	static const char *const expected[] = {
		"conf/examples/batch.conf",
		"conf/examples/famfs-shared.conf",
		"conf/examples/latency-critical.conf",
		"conf/examples/manual-approval.conf",
	};
	glob_t found;

	assert_int_equal(glob("conf/examples/*", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, ARRAY_SIZE(expected));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_free_ char *error = NULL;
		struct policy policy;

		assert_string_equal(found.gl_pathv[i], expected[i]);
		if (policy_load("", found.gl_pathv[i], &policy, &error) < 0)
			fail_msg("%s", error);
		assert_true(policy.n_rules > 0);
		assert_dump_round_trip(&policy);
		policy_done(&policy);
	}
	globfree(&found);
}

/* Two of them on one host do not get into each other's way. */
static void test_examples_together(void **state)
{
	static const char *const names[] = { "batch.conf", "famfs-shared.conf" };
	struct policy policy;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *target = NULL, *path = NULL, *top = getcwd(NULL, 0);
		char text[8192] = "";
		FILE *f;

		assert_true(asprintf(&target, "%s/conf/examples/%s", top, names[i]) > 0);
		assert_true(asprintf(&path, "/etc/dcdd/dcdd.conf.d/50-%s", names[i]) > 0);
		f = fopen(target, "re");
		assert_non_null(f);
		assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
		fclose(f);
		put(*state, path, text);
	}
	load_good(*state, &policy);
	assert_rules(&policy, "checkpoints large famfs other-shared private");
	assert_int_equal(policy.defaults.action[DAX_MODE_DEVDAX], ACTION_KEEP);
	assert_int_equal(policy.defaults.holders, HOLDERS_TERMINATE);
	policy_done(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOT_TEST(test_nothing),	   cmocka_unit_test(test_directories),
		ROOT_TEST(test_main_file),	   ROOT_TEST(test_root_slash),
		ROOT_TEST(test_drop_in_order),	   ROOT_TEST(test_drop_ins_without_main),
		ROOT_TEST(test_drop_in_hides),	   ROOT_TEST(test_main_file_masked),
		ROOT_TEST(test_links_in_root),	   ROOT_TEST(test_dump_of_several),
		ROOT_TEST(test_one_file),	   cmocka_unit_test(test_examples),
		ROOT_TEST(test_examples_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
