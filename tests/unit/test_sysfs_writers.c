/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs_write() is the only way to sysfs: no other source of the daemon opens anything for writing,
 * but for a few that were looked at.
 */
#include "tree.h"

/*
 * What opens a file for writing, or writes to sysfs through a library. A source that has one of
 * these and is not on the list is a second way to sysfs until somebody has looked at it.
 */
static const char *const writers[] = { "O_WRONLY",
				       "O_RDWR",
				       "creat(",
				       "freopen(",
				       "openat2",
				       ", \"w\")",
				       ", \"we\")",
				       ", \"a\")",
				       ", \"ae\")",
				       ", \"r+\")",
				       ", \"r+e\")",
				       "daxctl_dev_set",
				       "daxctl_dev_enable",
				       "daxctl_dev_disable",
				       "daxctl_memory_",
				       "daxctl_region_create",
				       "daxctl_region_destroy",
				       "cxl_region_set",
				       "cxl_region_enable",
				       "cxl_region_disable",
				       "cxl_region_decommit",
				       "cxl_region_delete",
				       "cxl_memdev_enable",
				       "cxl_memdev_disable",
				       "cxl_decoder_set",
				       "cxl_target_set" };

static const struct {
	const char *path, *what, *why;
} allowed[] = {
	{ "daemon/worker/write.c", "O_WRONLY", "the one function that writes to sysfs" },
	{ "daemon/worker/attr.c", "openat2", "opens what it is told to, callers use O_PATH" },
	{ "daemon/events/instance.c", "O_WRONLY", "tracefs, below the daemon's own instance" },
	{ "daemon/undo/undo_store.c", "O_WRONLY", "the undo journals in the state directory" },
	{ "daemon/lock.c", "O_RDWR", "the lock file in the runtime directory" },
	{ "daemon/watch/pressure.c", "O_RDWR", "triggers in /proc/pressure/memory" },
	{ "daemon/policy/load.c", "openat2", "reads configuration files below --root" },
	{ "daemon/inventory/scan_mounts.c", "openat2", "looks at nodes in mount namespaces" },
};

static bool is_allowed(const char *path, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (streq(allowed[i].path, path) && streq(allowed[i].what, what))
			return true;
	return false;
}

/* nftw() has no argument for its callback. */
static unsigned n_sources, n_suspects;

static void scan_text(const char *path, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
		if (strstr(text, writers[i]) && !is_allowed(path, writers[i])) {
			print_error("%s: \"%s\": does it write to sysfs?\n", path, writers[i]);
			n_suspects++;
		}
}

static int scan_source(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t n = strlen(path), size = (size_t)st->st_size;
	char *text;
	FILE *f;

	(void)ftw;
	if (type != FTW_F || n < 2 || (!streq(path + n - 2, ".c") && !streq(path + n - 2, ".h")))
		return 0;
	f = fopen(path, "re");
	text = calloc(1, size + 1);
	assert_non_null(f);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, size, f), size);
	scan_text(path, text);
	free(text);
	(void)fclose(f);
	n_sources++;
	return 0;
}

static void test_nobody_else_writes(void **state)
{
	(void)state;
	if (access("daemon/worker/write.c", R_OK) < 0) {
		print_message("skipped: not run from the source directory\n");
		skip();
	}
	n_sources = n_suspects = 0;
	assert_int_equal(nftw("daemon", scan_source, 16, FTW_PHYS), 0);
	assert_true(n_sources >= 10);
	assert_int_equal(n_suspects, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_nobody_else_writes) };

	return cmocka_run_group_tests_name("sysfs_writers", tests, NULL, NULL);
}
