/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard on a fabricated sysfs: what it lets pass, and everything that must make it refuse: a
 * block that is not offline, one that cannot be read, a device that is not the expected one.
 */
#include <sys/wait.h>

#include "guard_tree.h"

static int check(const struct tree *t, const struct guard_expect *e, char message[static 160])
{
	return guard_check(t->fd, e, message, 160);
}

static void test_all_offline_passes(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	assert_int_equal(check(t, &e, message), 0);
	assert_string_equal(message, "");
}

static void test_absent_blocks_pass(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	tree_remove(t, TREE_MEMORY "/memory338");
	assert_int_equal(check(t, &e, message), 0);
	tree_remove(t, TREE_MEMORY "/memory339");
	tree_remove(t, TREE_MEMORY "/memory342");
	assert_int_equal(check(t, &e, message), 0);
}

static void test_each_block_counts(void **state)
{
	static const char *const words[] = {
		"online", "going-offline", "offline ", " offline",	"Offline",
		"off",	  "offline\n",	   "",	       "online_movable"
	};
	static const unsigned blocks[] = { 338, 339, 342 };
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160], name[32];

	for (size_t b = 0; b < ARRAY_SIZE(blocks); b++)
		for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
			set_own_blocks(t, "offline");
			assert_int_equal(check(t, &e, message), 0);
			set_block(t, blocks[b], words[w]);
			assert_int_equal(check(t, &e, message), -EBUSY);
			(void)snprintf(name, sizeof(name), "memory%u is \"%s\"", blocks[b],
				       words[w]);
			assert_non_null(strstr(message, name));
		}
}

/* Attributes that are there and cannot be read: a directory, a loop, too long, a NUL, nothing. */
static void spoil_directory(const struct tree *t, const char *path)
{
	tree_remove(t, path);
	tree_mkdir(t, path);
}

static void spoil_loop(const struct tree *t, const char *path)
{
	tree_remove(t, path);
	tree_link(t, path, "state");
}

static void spoil_long(const struct tree *t, const char *path)
{
	char line[4000];

	memset(line, 'o', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	tree_write(t, path, line);
}

static void spoil_nul(const struct tree *t, const char *path)
{
	tree_write_bytes(t, path, "offline\0\n", 9);
}

static void spoil_missing(const struct tree *t, const char *path)
{
	tree_remove(t, path);
}

static void test_unreadable_is_in_use(void **state)
{
	static void (*const spoilers[])(const struct tree *, const char *) = {
		spoil_directory, spoil_loop, spoil_long, spoil_nul, spoil_missing,
	};
	static const struct {
		const char *path, *value;
	} attributes[] = {
		{ TREE_MEMORY "/memory338/state", "offline" },
		{ TREE_MEMORY "/memory342/state", "offline" },
		{ TREE_MEMORY "/block_size_bytes", "8000000" },
		{ DAX01 "/mapping0/start", "0xa90000000" },
		{ DAX01 "/mapping0/end", "0xa9fffffff" },
		{ DAX01 "/mapping1/end", "0xab7ffffff" },
	};
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	for (size_t a = 0; a < ARRAY_SIZE(attributes); a++)
		for (size_t s = 0; s < ARRAY_SIZE(spoilers); s++) {
			const char *path = attributes[a].path;

			assert_int_equal(check(t, &e, message), 0);
			spoilers[s](t, path);
			assert_int_equal(check(t, &e, message), -EBUSY);
			assert_true(message[0]);
			if (spoilers[s] != spoil_missing)
				tree_remove(t, path);
			tree_write(t, path, attributes[a].value);
		}
	assert_int_equal(check(t, &e, message), 0);
}

/* One attribute at a time is not what it should be. */
static void test_device_is_not_as_expected(void **state)
{
	static const struct {
		const char *path, *value, *good;
		int error;
	} cases[] = {
		{ DAX01 "/size", "134217728", "402653184", -EBUSY }, /* not the mappings' sum */
		{ DAX01 "/size", "402653185", "402653184", -EBUSY },
		{ DAX01 "/size", "0", "402653184", -EBUSY }, /* with mappings left */
		{ DAX01 "/size", "", "402653184", -EBUSY },
		{ DAX01 "/size", "-1", "402653184", -EBUSY },
		{ DAX01 "/size", "402653184x", "402653184", -EBUSY },
		{ DAX01 "/size", "99999999999999999999999", "402653184", -EBUSY },
		{ DAX01 "/uuid", OTHER_TAG, TAG, -ESTALE },
		{ DAX01 "/uuid", "00000000-0000-0000-0000-000000000000", TAG, -ESTALE },
		{ DAX01 "/uuid", "0", TAG, -ESTALE },
		{ DAX01 "/uuid", "", TAG, -EBUSY },
		{ DAX01 "/uuid", TAG "x", TAG, -EBUSY },
		{ DAX01 "/mapping0/start", "0xa98000000", "0xa90000000", -EBUSY },
		{ DAX01 "/mapping0/start", "garbage", "0xa90000000", -EBUSY },
		{ DAX01 "/mapping0/start", "0xaa0000000", "0xa90000000", -EBUSY }, /* > end */
		{ DAX01 "/mapping0/end", "0xffffffffffffffff", "0xa9fffffff", -EBUSY },
		{ DAX01 "/mapping0/end", "0x1ffffffffffffffff", "0xa9fffffff", -EBUSY },
		{ DAX01 "/mapping0/end", "", "0xa9fffffff", -EBUSY },
		{ DAX01 "/mapping1/start", "0xab8000000", "0xab0000000", -EBUSY },
		{ TREE_MEMORY "/block_size_bytes", "0", "8000000", -EBUSY },
		{ TREE_MEMORY "/block_size_bytes", "8000001", "8000000", -EBUSY },
		{ TREE_MEMORY "/block_size_bytes", "1000", "8000000", -EBUSY },
		{ TREE_MEMORY "/block_size_bytes", "4000000000000000", "8000000", -EBUSY },
		{ TREE_MEMORY "/block_size_bytes", "134217728 ", "8000000", -EBUSY },
	};
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	/* All of them: a wrong block size must not be saved by the wrong blocks being online. */
	for (unsigned i = 337; i <= 343; i++)
		set_block(t, i, "offline");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(check(t, &e, message), 0);
		tree_write(t, cases[i].path, cases[i].value);
		if (check(t, &e, message) != cases[i].error)
			fail_msg("%s <- \"%s\": \"%s\"", cases[i].path, cases[i].value, message);
		assert_true(message[0]);
		tree_write(t, cases[i].path, cases[i].good);
	}
	assert_int_equal(check(t, &e, message), 0);
}

static void test_expectation_differs(void **state)
{
	const struct tree *t = *state;
	const struct guard_expect good = expect_dax01();
	struct guard_expect e;
	char message[160];

	set_own_blocks(t, "offline");
	e = good;
	e.tag.bytes[15] ^= 1;
	assert_int_equal(check(t, &e, message), -ESTALE);
	e = good;
	e.tag = (struct tag){};
	assert_int_equal(check(t, &e, message), -ESTALE);
	e = good;
	e.size = 0;
	assert_int_equal(check(t, &e, message), -ESTALE);
	e = good;
	e.first_mapping.start += 0x200000;
	assert_int_equal(check(t, &e, message), -ESTALE);
	e = good;
	e.first_mapping.length -= 0x200000;
	assert_int_equal(check(t, &e, message), -ESTALE);
	e = good;
	e.device[0] = '\0';
	assert_int_equal(check(t, &e, message), -EPERM);
	(void)str_copy(e.device, sizeof(e.device), "../../../x");
	assert_int_equal(check(t, &e, message), -EPERM);
	(void)str_copy(e.device, sizeof(e.device), "dax0.9");
	assert_int_equal(check(t, &e, message), -ESTALE);
	assert_int_equal(check(t, &good, message), 0);
}

static void test_mapping_vanished(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	tree_remove(t, DAX01 "/mapping1");
	assert_int_equal(check(t, &e, message), -EBUSY);
	assert_non_null(strstr(message, "add up to"));
	tree_remove(t, DAX01 "/mapping0");
	assert_int_equal(check(t, &e, message), -EBUSY);
}

static void test_device_vanished(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	tree_remove(t, DAX01); /* the link dangles */
	assert_int_equal(check(t, &e, message), -ESTALE);
	tree_remove(t, "bus/dax/devices/dax0.1");
	assert_int_equal(check(t, &e, message), -ESTALE);
}

/* Two mappings that hide bytes by covering each other, adding up to the size all the same. */
static void test_overlapping_mappings(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	tree_write(t, DAX01 "/mapping1/start", "0xa98000000");
	tree_write(t, DAX01 "/mapping1/end", "0xa9fffffff");
	assert_int_equal(check(t, &e, message), -EBUSY);
	assert_non_null(strstr(message, "overlap"));
}

/* Mapping numbers say nothing about addresses, and may have gaps. */
static void test_mappings_in_any_order(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	tree_write(t, DAX01 "/mapping0/start", "0xab0000000");
	tree_write(t, DAX01 "/mapping0/end", "0xab7ffffff");
	tree_write(t, DAX01 "/mapping7/start", "0xa90000000");
	tree_write(t, DAX01 "/mapping7/end", "0xa9fffffff");
	tree_remove(t, DAX01 "/mapping1");
	assert_int_equal(check(t, &e, message), 0);
	set_block(t, 339, "online");
	assert_int_equal(check(t, &e, message), -EBUSY);
}

/* A range that is not whole blocks: the blocks at both ends count with their last byte. */
static void test_partial_blocks_count(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	tree_remove(t, DAX01 "/mapping1");
	tree_write(t, DAX01 "/size", "268435456");
	tree_write(t, DAX01 "/mapping0/start", "0xa8fe00000");
	tree_write(t, DAX01 "/mapping0/end", "0xa9fdfffff");
	e.size = 268435456;
	e.first_mapping = (struct range){ .start = 0xa8fe00000, .length = 0x10000000 };
	set_own_blocks(t, "offline");
	assert_int_equal(check(t, &e, message), -EBUSY);
	assert_non_null(strstr(message, "memory337 "));
	set_block(t, 337, "offline");
	assert_int_equal(check(t, &e, message), 0);
	set_block(t, 339, "online");
	assert_int_equal(check(t, &e, message), -EBUSY);

	/* One page beyond the end of block 339. */
	set_block(t, 339, "offline");
	tree_write(t, DAX01 "/size", "270536704");
	tree_write(t, DAX01 "/mapping0/end", "0xaa0000fff");
	tree_write(t, DAX01 "/size", "270536704");
	e.size = 0xaa0001000 - 0xa8fe00000;
	e.first_mapping.length = e.size;
	tree_write(t, DAX01 "/size", "270536704");
	assert_int_equal(e.size, 270536704);
	assert_int_equal(check(t, &e, message), -EBUSY);
	assert_non_null(strstr(message, "memory340 "));
}

static void test_huge_mapping(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	tree_remove(t, DAX01 "/mapping1");
	tree_write(t, DAX01 "/size", "9223372036854775808");
	tree_write(t, DAX01 "/mapping0/start", "0x0");
	tree_write(t, DAX01 "/mapping0/end", "0x7fffffffffffffff");
	e.size = UINT64_C(1) << 63;
	e.first_mapping = (struct range){ .start = 0, .length = e.size };
	assert_int_equal(check(t, &e, message), -EBUSY);
	assert_non_null(strstr(message, "memory blocks"));
}

static void test_claims_nothing(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = { .device = "dax0.1" };
	char message[160];

	/* Every block is online, but none of them is this device's any more. */
	tree_remove(t, DAX01 "/mapping0");
	tree_remove(t, DAX01 "/mapping1");
	assert_int_equal(check(t, &e, message), -EBUSY); /* size says otherwise */
	tree_write(t, DAX01 "/size", "0");
	tree_write(t, DAX01 "/uuid", "00000000-0000-0000-0000-000000000000");
	assert_int_equal(check(t, &e, message), 0);
}

/* No tag: the null UUID, the old "0", and a kernel without the attribute are the same. */
static void test_untagged(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	set_own_blocks(t, "offline");
	e.tag = (struct tag){};
	assert_int_equal(check(t, &e, message), -ESTALE);
	tree_write(t, DAX01 "/uuid", "00000000-0000-0000-0000-000000000000");
	assert_int_equal(check(t, &e, message), 0);
	tree_write(t, DAX01 "/uuid", "0");
	assert_int_equal(check(t, &e, message), 0);
	tree_remove(t, DAX01 "/uuid");
	assert_int_equal(check(t, &e, message), 0);
	set_block(t, 342, "online");
	assert_int_equal(check(t, &e, message), -EBUSY);
}

/* The last block's state is a FIFO: what reads it waits, and the device changes under its hands. */
static void test_changes_while_looked_at(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];
	int status;
	pid_t pid;

	(void)alarm(20); /* a guard that never reads the block would leave the writer waiting */
	set_own_blocks(t, "offline");
	tree_remove(t, TREE_MEMORY "/memory342/state");
	assert_int_equal(mkfifoat(t->fd, TREE_MEMORY "/memory342/state", 0600), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd;

		(void)alarm(20);
		fd = openat(t->fd, TREE_MEMORY "/memory342/state", O_WRONLY);
		if (fd < 0)
			_exit(1);
		tree_write(t, DAX01 "/uuid", OTHER_TAG);
		_exit(write(fd, "offline\n", 8) == 8 ? 0 : 1);
	}
	assert_int_equal(check(t, &e, message), -ESTALE);
	assert_non_null(strstr(message, "changed"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)alarm(0);
}
int main(void)
{
	static const struct CMUnitTest tests[] = {
		GUARD_TEST(test_all_offline_passes),
		GUARD_TEST(test_absent_blocks_pass),
		GUARD_TEST(test_each_block_counts),
		GUARD_TEST(test_unreadable_is_in_use),
		GUARD_TEST(test_device_is_not_as_expected),
		GUARD_TEST(test_expectation_differs),
		GUARD_TEST(test_mapping_vanished),
		GUARD_TEST(test_device_vanished),
		GUARD_TEST(test_overlapping_mappings),
		GUARD_TEST(test_mappings_in_any_order),
		GUARD_TEST(test_partial_blocks_count),
		GUARD_TEST(test_huge_mapping),
		GUARD_TEST(test_claims_nothing),
		GUARD_TEST(test_untagged),
		GUARD_TEST(test_changes_while_looked_at),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
