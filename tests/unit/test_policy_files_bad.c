/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files that cannot be read, or that say what cannot be: which file and which line
 * the message names.
 */
#include "tests/unit/policy_root.h"

static void test_dangling_link(void **state)
{
	const char *root = *state;

	put(root, "/usr/lib/dcdd/dcdd.conf", "");
	put_link(root, "/etc/dcdd/dcdd.conf", "/no/such/file");
	assert_load_fails(root, -ENOENT, "/etc/dcdd/dcdd.conf: No such file or directory");
}

static void test_root_is_missing(void **state)
{
	_cleanup_free_ char *missing = below(*state, "/missing");
	const char *root = missing;

	assert_load_fails(root, -ENOENT, ": No such file or directory");
	put(*state, "/missing", "");
	assert_load_fails(root, -ENOTDIR, ": Not a directory");
}

/* Opening a FIFO would wait for somebody who writes to it. */
static void test_fifo(void **state)
{
	const char *root = *state;
	_cleanup_free_ char *drop_in = below(root, "/etc/dcdd/dcdd.conf.d/a.conf");
	_cleanup_free_ char *file = below(root, "/etc/dcdd/dcdd.conf");

	assert_int_equal(mkfifo(drop_in, 0600), 0);
	assert_load_fails(root, -EBADFD,
			  "/etc/dcdd/dcdd.conf.d/a.conf is a FIFO; expected a regular file");
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_load_fails(root, -EBADFD, "/etc/dcdd/dcdd.conf is a FIFO; expected a regular file");
}

static void test_directory(void **state)
{
	const char *root = *state;
	_cleanup_free_ char *drop_in = below(root, "/etc/dcdd/dcdd.conf.d/a.conf/");
	_cleanup_free_ char *main_file = below(root, "/etc/dcdd/dcdd.conf/");

	assert_load_fails(root, -EISDIR,
			  "/etc/dcdd/dcdd.conf is a directory; expected a regular file");
	assert_int_equal(rmdir(main_file), 0);
	assert_load_fails(root, -EISDIR,
			  "/etc/dcdd/dcdd.conf.d/a.conf is a directory; expected a regular file");
	assert_int_equal(rmdir(drop_in), 0);
}

static void test_no_directory(void **state)
{
	const char *root = *state;

	put(root, "/etc/dcdd/dcdd.conf.d", "");
	assert_load_fails(root, -ENOTDIR, "/etc/dcdd/dcdd.conf.d: Not a directory");
}

static void test_large_file(void **state)
{
	const char *root = *state;
	_cleanup_free_ char *file = below(root, "/etc/dcdd/dcdd.conf");

	put(root, "/etc/dcdd/dcdd.conf", "");
	assert_int_equal(truncate(file, (4 << 20) + 1), 0);
	assert_load_fails(root, -EFBIG,
			  "/etc/dcdd/dcdd.conf has 4194305 bytes; expected at most 4194304");
	/* One less is read, and is no text. */
	assert_int_equal(truncate(file, 4 << 20), 0);
	assert_load_fails(root, -EINVAL,
			  "/etc/dcdd/dcdd.conf:1: the line contains a NUL byte; expected a text "
			  "file");
}

/* Root may read everything, so this needs somebody else. */
static void test_unreadable(void **state)
{
	const char *root = *state;
	_cleanup_free_ char *file = below(root, "/etc/dcdd/dcdd.conf");

	put(root, "/etc/dcdd/dcdd.conf", "");
	assert_int_equal(chmod(file, 0), 0);
	if (access(file, R_OK) == 0) {
		assert_int_equal(chmod(root, 0755), 0);
		if (seteuid(65534) < 0)
			skip();
		assert_load_fails(root, -EACCES, "/etc/dcdd/dcdd.conf: Permission denied");
		assert_int_equal(seteuid(0), 0);
	} else {
		assert_load_fails(root, -EACCES, "/etc/dcdd/dcdd.conf: Permission denied");
	}
}

/* The file is named that said it, whichever was read last. */
static void test_mistake_in_drop_in(void **state)
{
	const char *root = *state;

	put(root, "/etc/dcdd/dcdd.conf", "[release]\nretries = 7\n");
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", "\n[release]\nretrys = 7\n");
	put(root, "/etc/dcdd/dcdd.conf.d/b.conf", "[release]\nretries = 7\n");
	assert_load_fails(root, -EINVAL,
			  "/etc/dcdd/dcdd.conf.d/a.conf:3: unknown key \"retrys\" in [release], "
			  "did you mean \"retries\"?");
}

/*
 * What contradicts each other is looked for over all files together, and the later of both is
 * blamed.
 */
static void test_contradiction(void **state)
{
	const char *root = *state;
	struct policy policy;

	put(root, "/etc/dcdd/dcdd.conf", "[release]\n\nbackoff-initial = 20min\n");
	assert_load_fails(root, -EINVAL,
			  "/etc/dcdd/dcdd.conf:3: backoff-initial = 20min is longer than "
			  "backoff-max = 5min in [release]; expected at most that");
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", "[release]\nbackoff-max = 10min\n");
	put(root, "/etc/dcdd/dcdd.conf.d/b.conf", "[release]\nretries = 1\n");
	assert_load_fails(root, -EINVAL,
			  "/etc/dcdd/dcdd.conf.d/a.conf:2: backoff-initial = 20min is longer than "
			  "backoff-max = 10min in [release]; expected at most that");
	/* A file may mend what the one before it alone would be wrong with. */
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", "[release]\nbackoff-max = 1h\n");
	load_good(root, &policy);
	policy_done(&policy);
}

/* A rule of one file and [release] of another, read before it or after. */
static void test_contradiction_with_rule(void **state)
{
	const char *root = *state;

	put(root, "/etc/dcdd/dcdd.conf",
	    RULE("x", "1*") RULE("y", "2*") "backoff-initial = 2min\n");
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf",
	    RULE("z", "3*") "[release]\n\nbackoff-max = 1min\n");
	assert_load_fails(
		root, -EINVAL,
		"/etc/dcdd/dcdd.conf:7: backoff-initial = 2min is longer than backoff-max "
		"= 1min in rule \"y\"; expected at most that");
	put(root, "/etc/dcdd/dcdd.conf", "[release]\nbackoff-max = 1min\n");
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", RULE("z", "3*") "backoff-initial = 2min\n");
	put(root, "/etc/dcdd/dcdd.conf.d/b.conf", RULE("w", "4*"));
	assert_load_fails(root, -EINVAL,
			  "/etc/dcdd/dcdd.conf.d/a.conf:4: backoff-initial = 2min is longer than "
			  "backoff-max = 1min in rule \"z\"; expected at most that");
}

static void test_rule_of_two_files(void **state)
{
	const char *root = *state;

	put(root, "/etc/dcdd/dcdd.conf", "\n\n" RULE("x", "1*"));
	put(root, "/etc/dcdd/dcdd.conf.d/a.conf", RULE("y", "1*") RULE("x", "2*"));
	{
		_cleanup_free_ char *expected = NULL;

		assert_true(asprintf(&expected,
				     "/etc/dcdd/dcdd.conf.d/a.conf:4: rule \"x\" is there already, "
				     "at %s/etc/dcdd/dcdd.conf:3",
				     root) > 0);
		assert_load_fails(root, -EINVAL, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOT_TEST(test_dangling_link),
		ROOT_TEST(test_root_is_missing),
		ROOT_TEST(test_fifo),
		ROOT_TEST(test_directory),
		ROOT_TEST(test_no_directory),
		ROOT_TEST(test_large_file),
		ROOT_TEST(test_unreadable),
		ROOT_TEST(test_mistake_in_drop_in),
		ROOT_TEST(test_contradiction),
		ROOT_TEST(test_contradiction_with_rule),
		ROOT_TEST(test_rule_of_two_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
