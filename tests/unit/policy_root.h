/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image with configuration files in it, for the tests of where a policy comes from. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "tests/unit/config_parse.h"

/* An image: what is looked for on the host is below it. */
static inline int setup_root(void **state)
{
	char *root = strdup("/tmp/dcdd-root-XXXXXX");

	if (!root || !mkdtemp(root))
		return -1;
	*state = root;
	return 0;
}

static inline int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
			     _unused_ struct FTW *ftw)
{
	return remove(path);
}

static inline int remove_root(void **state)
{
	char *root = *state;
	int r = nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(root);
	return r;
}

/* @path with the root before it; the directories it is in are made. The caller frees it. */
static inline char *below(const char *root, const char *path)
{
	char *full;

	assert_true(asprintf(&full, "%s%s", root, path) > 0);
	for (char *slash = full + strlen(root); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	return full;
}

static inline void put(const char *root, const char *path, const char *text)
{
	_cleanup_free_ char *full = below(root, path);
	_cleanup_fclose_ FILE *f = fopen(full, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static inline void put_link(const char *root, const char *path, const char *target)
{
	_cleanup_free_ char *full = below(root, path);

	assert_int_equal(symlink(target, full), 0);
}

static inline void load_good(const char *root, struct policy *ret)
{
	_cleanup_free_ char *error = NULL;
	int r = policy_load(root, NULL, ret, &error);

	if (r < 0)
		fail_msg("%s", error ? error : strerror(-r));
	assert_null(error);
}

/* @message: what follows the root's path. */
static inline void assert_load_fails(const char *root, int expected, const char *message)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;

	assert_int_equal(policy_load(root, NULL, &policy, &error), expected);
	assert_non_null(error);
	assert_non_null(startswith(error, root));
	assert_string_equal(error + strlen(root), message);
	policy_done(&policy);
}

static inline void assert_files(const struct policy *policy, const char *root,
				const char *const *paths, size_t n)
{
	assert_int_equal(policy->n_files, n);
	for (size_t i = 0; i < n; i++) {
		assert_non_null(startswith(policy->files[i], root));
		assert_string_equal(policy->files[i] + strlen(root), paths[i]);
	}
}

#define ASSERT_FILES(policy, root, ...)                                                            \
	assert_files(policy, root, (const char *const[]){ __VA_ARGS__ },                           \
		     ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

/* A rule by itself. */
#define RULE(name, tag) "[rule " name "]\nmatch-tag = " tag "\naction = keep\n"

#define ROOT_TEST(f) cmocka_unit_test_setup_teardown(f, setup_root, remove_root)
