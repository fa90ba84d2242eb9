/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs_write() where the kernel would keep it safe: blocks, `state`, binding and claiming. They
 * need no block to be offline, but the device has to be the expected one, read at that moment.
 * After each refusal the whole tree must be byte for byte as before.
 */
#include "guard_tree.h"

static const struct {
	const char *path, *value;
	bool block;
} writes[] = {
	{ TREE_MEMORY "/memory338/state", "offline", true },
	{ "bus/memory/devices/memory339/state", "online_movable", true },
	{ TREE_MEMORY "/memory342/state", "online_kernel", true },
	{ TREE_MEMORY "/memory342/state", "online", true },
	{ "bus/dax/devices/dax0.1/state", "unplugged", false },
	{ DAX01 "/state", "online_movable", false },
	{ "bus/dax/drivers/kmem/new_id", "dax0.1", false },
	{ "bus/dax/drivers/kmem/bind", "dax0.1", false },
	{ "bus/dax/drivers/device_dax/bind", "dax0.1", false },
};

static void test_expected_is_written(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();

	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		char content[64];

		if (do_write(t, writes[i].path, writes[i].value, &e) != 0)
			fail_msg("%s <- \"%s\" failed", writes[i].path, writes[i].value);
		tree_read(t, writes[i].path, content, sizeof(content));
		assert_non_null(startswith(content, writes[i].value));
	}
}

/* ---- what may have happened to the device since the plan was made ---- */

static void device_gone(const struct tree *t)
{
	tree_remove(t, "bus/dax/devices/dax0.1");
}

/* Destroyed, and its name given to the claim on another tag. */
static void other_tag(const struct tree *t)
{
	tree_write(t, DAX01 "/uuid", OTHER_TAG);
}

static void tag_is_lost(const struct tree *t)
{
	tree_write(t, DAX01 "/uuid", "00000000-0000-0000-0000-000000000000");
}

/* The same tag, given anew with another extent. */
static void smaller(const struct tree *t)
{
	tree_remove(t, DAX01 "/mapping1");
	tree_write(t, DAX01 "/size", "268435456");
}

static void elsewhere(const struct tree *t)
{
	tree_write(t, DAX01 "/mapping0/start", "0xa80000000");
	tree_write(t, DAX01 "/mapping0/end", "0xa8fffffff");
}

static void claims_nothing(const struct tree *t)
{
	tree_remove(t, DAX01 "/mapping0");
	tree_remove(t, DAX01 "/mapping1");
	tree_write(t, DAX01 "/size", "0");
}

static void size_unread(const struct tree *t)
{
	tree_write(t, DAX01 "/size", "");
}

static void uuid_unread(const struct tree *t)
{
	tree_remove(t, DAX01 "/uuid");
	tree_mkdir(t, DAX01 "/uuid");
}

static void mapping_unread(const struct tree *t)
{
	tree_remove(t, DAX01 "/mapping1/end");
}

static void block_size_unread(const struct tree *t)
{
	tree_write(t, TREE_MEMORY "/block_size_bytes", "no number");
}

static const struct {
	const char *name;
	void (*happen)(const struct tree *t);
	int error;
	bool block; /* matters for a block alone */
} happenings[] = {
	{ "gone", device_gone, -ESTALE, false },
	{ "another tag", other_tag, -ESTALE, false },
	{ "no tag", tag_is_lost, -ESTALE, false },
	{ "smaller", smaller, -ESTALE, false },
	{ "elsewhere", elsewhere, -ESTALE, false },
	{ "claims nothing", claims_nothing, -ESTALE, false },
	{ "size unread", size_unread, -EBUSY, false },
	{ "uuid unread", uuid_unread, -EBUSY, false },
	{ "mapping unread", mapping_unread, -EBUSY, false },
	{ "block size unread", block_size_unread, -EBUSY, true },
};

static void test_another_allocation_is_refused(void **state)
{
	struct guard_expect e = expect_dax01();

	(void)state;
	for (size_t h = 0; h < ARRAY_SIZE(happenings); h++)
		for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
			int want = writes[i].block || !happenings[h].block ? happenings[h].error
									   : 0;
			void *fresh = NULL;
			uint64_t before;
			int r;

			assert_int_equal(guard_tree_setup(&fresh), 0);
			happenings[h].happen(fresh);
			before = snapshot(fresh);
			r = do_write(fresh, writes[i].path, writes[i].value, &e);
			/* A path through the device's link is not there either. */
			if (r == -ENOENT && happenings[h].happen == device_gone &&
			    startswith(writes[i].path, "bus/dax/devices/dax0.1/"))
				r = -ESTALE;
			if (r != want)
				fail_msg("%s: %s <- \"%s\": %d, not %d", happenings[h].name,
					 writes[i].path, writes[i].value, r, want);
			if (r < 0)
				assert_true(snapshot(fresh) == before);
			assert_int_equal(guard_tree_teardown(&fresh), 0);
		}
}

/* Nothing is expected, or another device, although that one is there and well. */
static void test_expectation_must_name_it(void **state)
{
	const struct tree *t = *state;
	struct guard_expect none = {}, other = expect_dax01();
	uint64_t before = snapshot(t);

	(void)str_copy(other.device, sizeof(other.device), "dax0.2");
	other.size = 268435456;
	other.first_mapping = (struct range){ .start = 0xaa0000000, .length = 0x10000000 };
	assert_int_equal(tag_parse(OTHER_TAG, &other.tag), 0);
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		assert_int_equal(do_write(t, writes[i].path, writes[i].value, NULL), -EPERM);
		assert_int_equal(do_write(t, writes[i].path, writes[i].value, &none), -EPERM);
		assert_int_equal(do_write(t, writes[i].path, writes[i].value, &other),
				 writes[i].block ? -ESTALE : -EPERM);
	}
	assert_true(snapshot(t) == before);
}

/* The neighbour's blocks in the gap, and those beside the device, are not its own. */
static void test_only_own_blocks(void **state)
{
	static const unsigned others[] = { 337, 340, 341, 343 };
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	uint64_t before = snapshot(t);

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char path[64], message[160];

		(void)snprintf(path, sizeof(path), TREE_MEMORY "/memory%u/state", others[i]);
		assert_int_equal(do_write(t, path, "offline", &e), -ESTALE);
		assert_int_equal(do_write(t, path, "online_movable", &e), -ESTALE);
		assert_int_equal(guard_check_block(t->fd, &e, others[i], message, sizeof(message)),
				 -ESTALE);
		assert_non_null(strstr(message, "no part of dax0.1"));
	}
	assert_true(snapshot(t) == before);
}

/* A mapping that is not whole blocks: those at its ends are its own with one byte. */
static void test_partial_blocks_are_own(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char message[160];

	tree_remove(t, DAX01 "/mapping1");
	tree_write(t, DAX01 "/size", "268435456");
	tree_write(t, DAX01 "/mapping0/start", "0xa8fffffff");
	tree_write(t, DAX01 "/mapping0/end", "0xa9ffffffe");
	e.size = 268435456;
	e.first_mapping = (struct range){ .start = 0xa8fffffff, .length = 0x10000000 };
	for (unsigned i = 336; i <= 341; i++)
		assert_int_equal(guard_check_block(t->fd, &e, i, message, sizeof(message)),
				 i >= 337 && i <= 339 ? 0 : -ESTALE);
}

/* A device elsewhere in the tree with the expected one's name is not it. */
static void test_namesake(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	uint64_t before;

	tree_write(t, "devices/platform/hmem.0/dax0.1/state", "online");
	tree_write(t, "devices/platform/hmem.0/dax0.1/uuid", "0");
	before = snapshot(t);
	assert_int_equal(do_write(t, "devices/platform/hmem.0/dax0.1/state", "unplugged", &e),
			 -EPERM);
	assert_int_equal(do_write(t, "devices/platform/hmem.0/dax0.1/uuid", TAG, &e), -EPERM);
	assert_true(snapshot(t) == before);
}

/* ---- claiming, and creating what is to claim ---- */

static void test_claims_what_is_expected(void **state)
{
	static const char *const wrong[] = { OTHER_TAG, "0",
					     "00000000-0000-0000-0000-000000000000" };
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char content[64];
	uint64_t before;

	/* Not while it claims something, be it the same. */
	before = snapshot(t);
	assert_int_equal(do_write(t, DAX01 "/uuid", TAG, &e), -ESTALE);
	assert_true(snapshot(t) == before);

	claims_nothing(t);
	tree_write(t, DAX01 "/uuid", "0");
	before = snapshot(t);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(do_write(t, DAX01 "/uuid", wrong[i], &e), -EPERM);
	assert_int_equal(do_write(t, DAX01 "/uuid", TAG, NULL), -EPERM);
	assert_true(snapshot(t) == before);

	assert_int_equal(do_write(t, "bus/dax/devices/dax0.1/uuid", TAG, &e), 0);
	tree_read(t, DAX01 "/uuid", content, sizeof(content));
	assert_non_null(startswith(content, TAG));
}

static void test_claims_untagged(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	char content[64];
	uint64_t before;

	claims_nothing(t);
	tree_write(t, DAX01 "/uuid", "x");
	e.tag = (struct tag){};
	before = snapshot(t);
	/* What it has now cannot be read. */
	assert_int_equal(do_write(t, DAX01 "/uuid", "0", &e), -EBUSY);
	assert_int_equal(do_write(t, DAX01 "/uuid", TAG, &e), -EPERM);
	assert_true(snapshot(t) == before);

	tree_write(t, DAX01 "/uuid", "00000000-0000-0000-0000-000000000000");
	assert_int_equal(do_write(t, DAX01 "/uuid", "0", &e), 0);
	tree_read(t, DAX01 "/uuid", content, sizeof(content));
	assert_true(content[0] == '0' && content[1] == '0'); /* one byte of many */

	tree_remove(t, "bus/dax/devices/dax0.1");
	assert_int_equal(do_write(t, DAX01 "/uuid", "0", &e), -ESTALE);
}

static void test_create_names_no_device(void **state)
{
	const struct tree *t = *state;
	char content[64];

	assert_int_equal(do_write(t, "bus/cxl/devices/dax_region0/dax_region/create", "1", NULL),
			 0);
	tree_read(t, TREE_DAX_REGION "/dax_region/create", content, sizeof(content));
	assert_non_null(startswith(content, "1"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		GUARD_TEST(test_expected_is_written),
		cmocka_unit_test(test_another_allocation_is_refused),
		GUARD_TEST(test_expectation_must_name_it),
		GUARD_TEST(test_only_own_blocks),
		GUARD_TEST(test_partial_blocks_are_own),
		GUARD_TEST(test_namesake),
		GUARD_TEST(test_claims_what_is_expected),
		GUARD_TEST(test_claims_untagged),
		GUARD_TEST(test_create_names_no_device),
	};

	return cmocka_run_group_tests_name("sysfs_expected", tests, NULL, NULL);
}
