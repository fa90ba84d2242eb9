/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dcdd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <getopt.h>

#include <dcdd/names.h>

#include "options.h"

#define ARGS_MAX 8

/* What it says is not what is tested, and would stand between the results. */
static int parse_quietly(const char *const *args, struct options *ret)
{
	char *argv[ARGS_MAX] = { (char *)"dcdd" };
	int saved[2], null, status, argc = 1;

	for (; args[argc - 1]; argc++) {
		assert_true(argc < ARGS_MAX - 1);
		argv[argc] = (char *)args[argc - 1];
	}
	(void)fflush(stdout);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(null >= 0);
	for (int fd = 1; fd <= 2; fd++) {
		saved[fd - 1] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		assert_true(saved[fd - 1] >= 0);
		assert_int_equal(dup2(null, fd), fd);
	}
	optind = 0; /* begin anew */
	status = options_parse(argc, argv, ret);
	(void)fflush(stdout);
	for (int fd = 1; fd <= 2; fd++) {
		assert_int_equal(dup2(saved[fd - 1], fd), fd);
		(void)close(saved[fd - 1]);
	}
	(void)close(null);
	return status;
}

#define PARSE(ret, ...) parse_quietly((const char *const[]){ __VA_ARGS__, NULL }, ret)

static int setup(void **state)
{
	(void)state;
	return unsetenv("STATE_DIRECTORY");
}

static void test_defaults(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse_quietly((const char *const[]){ NULL }, &o), -1);
	assert_null(o.config);
	assert_null(o.root);
	assert_string_equal(o.runtime_dir, "/run/dcdd");
	assert_string_equal(o.state_dir, "/var/lib/dcdd");
	assert_false(o.check_config);
	assert_false(o.dump_config);
	assert_false(o.no_bus);
}

static void test_all_given(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--config=/a", "--runtime-dir", "/b", "--state-dir=/c",
			       "--no-bus", "--dump-config"),
			 -1);
	assert_string_equal(o.config, "/a");
	assert_string_equal(o.runtime_dir, "/b");
	assert_string_equal(o.state_dir, "/c");
	assert_true(o.dump_config);
	assert_true(o.no_bus);
}

static void test_check_config(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--check-config"), -1);
	assert_true(o.check_config);
	assert_null(o.config);
	/* The file behind it, wherever other options stand. */
	assert_int_equal(PARSE(&o, "--check-config", "/a"), -1);
	assert_string_equal(o.config, "/a");
	assert_int_equal(PARSE(&o, "/a", "--check-config", "--no-bus"), -1);
	assert_true(o.check_config);
	assert_string_equal(o.config, "/a");
	assert_int_equal(PARSE(&o, "--check-config", "--", "-a"), -1);
	assert_string_equal(o.config, "-a");
	assert_int_equal(PARSE(&o, "--check-config", "--config", "/a"), -1);
	assert_string_equal(o.config, "/a");

	assert_int_equal(PARSE(&o, "--check-config", "/a", "/b"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--check-config", "--config=/a", "/b"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--check-config", "--dump-config"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--dump-config", "/a"), DCDD_EXIT_USAGE);
}

/* The daemon runs on its own host only. */
static void test_root(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--check-config", "--root=/image"), -1);
	assert_string_equal(o.root, "/image");
	assert_int_equal(PARSE(&o, "--root", "/image", "--dump-config"), -1);
	assert_string_equal(o.root, "/image");
	assert_int_equal(PARSE(&o, "--root=/image"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--check-config", "--root=/image", "/a"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--dump-config", "--root=/image", "-c", "/a"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--check-config", "--root"), DCDD_EXIT_USAGE);
}

static void test_state_directory_of_systemd(void **state)
{
	/* Several, or none that can be meant: ours by default. */
	static const char *const others[] = { "", "/var/lib/a:/var/lib/b", "dcdd", ":" };
	struct options o;

	(void)state;
	assert_int_equal(setenv("STATE_DIRECTORY", "/var/lib/private/dcdd", 1), 0);
	assert_int_equal(PARSE(&o, "--no-bus"), -1);
	assert_string_equal(o.state_dir, "/var/lib/private/dcdd");
	assert_int_equal(PARSE(&o, "--state-dir", "/c"), -1);
	assert_string_equal(o.state_dir, "/c");

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(setenv("STATE_DIRECTORY", others[i], 1), 0);
		assert_int_equal(PARSE(&o, "--no-bus"), -1);
		assert_string_equal(o.state_dir, "/var/lib/dcdd");
	}
}

static void test_ends_at_once(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--help"), DCDD_EXIT_OK);
	assert_int_equal(PARSE(&o, "-V"), DCDD_EXIT_OK);
	assert_int_equal(PARSE(&o, "--state-dir"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "--no-such-option"), DCDD_EXIT_USAGE);
	assert_int_equal(PARSE(&o, "argument"), DCDD_EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, setup),
		cmocka_unit_test_setup(test_all_given, setup),
		cmocka_unit_test_setup(test_check_config, setup),
		cmocka_unit_test_setup(test_root, setup),
		cmocka_unit_test_setup(test_state_directory_of_systemd, setup),
		cmocka_unit_test_setup(test_ends_at_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
