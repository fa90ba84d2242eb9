/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs_write() on a fabricated sysfs: every way we could think of to get a destructive write past
 * the guard. After each refusal the whole tree must be byte for byte as before.
 */
#include "guard_tree.h"

#include "worker/attr.h"

/* The attributes that can hand memory back, under every name they have. */
static const struct {
	const char *path, *value;
} destructive[] = {
	{ "bus/dax/devices/dax0.1/size", "0" },
	{ "bus/cxl/devices/dax_region0/dax0.1/size", "0" },
	{ "bus/cxl/devices/region0/dax_region0/dax0.1/size", "0" },
	{ "bus/dax/drivers/kmem/dax0.1/size", "0" },
	{ "bus/dax/devices/dax0.2/driver/dax0.1/size", "0" },
	{ "bus/dax/devices/dax0.1/subsystem/devices/dax0.1/size", "0" },
	{ DAX01 "/size", "0" },
	{ "bus/dax/drivers/kmem/unbind", "dax0.1" },
	{ "bus/dax/drivers/device_dax/unbind", "dax0.1" },
	{ "bus/dax/drivers/fsdev_dax/unbind", "dax0.1" },
	{ "bus/dax/devices/dax0.1/driver/unbind", "dax0.1" },
	{ "bus/dax/devices/dax0.2/driver/unbind", "dax0.1" },
	{ DAX01 "/driver/unbind", "dax0.1" },
	{ "bus/dax/devices/dax0.1/subsystem/drivers/kmem/unbind", "dax0.1" },
	{ "bus/cxl/devices/dax_region0/dax_region/delete", "dax0.1" },
	{ "bus/cxl/devices/region0/dax_region0/dax_region/delete", "dax0.1" },
	{ TREE_DAX_REGION "/dax_region/delete", "dax0.1" },
};

/* One attribute and value under every spelling of the path; returns how many were tried. */
static unsigned try_spellings(const struct tree *t, const char *name, const char *value,
			      const struct guard_expect *expect)
{
	static const char *const prefixes[] = { "", "/", "./", "../", "bus/../", "bus//../" };
	static const char *const suffixes[] = { "", "/", "/.", "//", "/../size" };
	unsigned tried = 0;

	for (size_t p = 0; p < ARRAY_SIZE(prefixes); p++)
		for (size_t s = 0; s < ARRAY_SIZE(suffixes); s++) {
			char path[WORKER_PATH_MAX];

			(void)snprintf(path, sizeof(path), "%s%s%s", prefixes[p], name,
				       suffixes[s]);
			if (do_write(t, path, value, expect) >= 0)
				fail_msg("%s <- \"%s\" passed", path, value);
			tried++;
		}
	return tried;
}

/* With one byte online, no name, value or spelling gets through, and nothing at all is touched. */
static void test_cannot_be_bypassed(void **state)
{
	static const char *const values[] = {
		"0",	    "0x0",	  "00",	     "0\n",	 " 0",
		"0 ",	    "+0",	  "-0",	     "",	 "0K",
		"1",	    "134217728",  "dax0.1",  "dax0.1\n", "dax0.1 ",
		" dax0.1",  "dax00.1",	  "dax0.01", "dax0.1/.", "./dax0.1",
		"dax0.1\t", "DAX0.1",	  "dax0.2",  "dax0.1,",	 "dax0.1\ndax0.2",
		"region0",  "dax_region0"
	};
	static const unsigned blocks[] = { 338, 339, 342 };
	const struct tree *t = *state;
	const struct guard_expect good = expect_dax01();
	const struct guard_expect none = {};
	struct guard_expect other = good;
	const struct guard_expect *expects[] = { &good, NULL, &other, &none };
	unsigned tried = 0;

	(void)str_copy(other.device, sizeof(other.device), "dax0.2");
	for (size_t b = 0; b < ARRAY_SIZE(blocks); b++) {
		uint64_t before;

		set_own_blocks(t, "offline");
		set_block(t, blocks[b], "online");
		before = snapshot(t);
		for (size_t d = 0; d < ARRAY_SIZE(destructive); d++)
			for (size_t v = 0; v < ARRAY_SIZE(values); v++)
				for (size_t e = 0; e < ARRAY_SIZE(expects); e++)
					tried += try_spellings(t, destructive[d].path, values[v],
							       expects[e]);
		assert_true(snapshot(t) == before);
	}
	assert_int_equal(tried, ARRAY_SIZE(blocks) * ARRAY_SIZE(destructive) * ARRAY_SIZE(values) *
					ARRAY_SIZE(expects) * 30);
}

/* The same writes do go through once every byte is offline: so it was the guard that refused. */
static void test_passes_when_offline(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();

	for (size_t d = 0; d < ARRAY_SIZE(destructive); d++) {
		char content[64];

		set_own_blocks(t, "offline");
		set_block(t, 342, "online");
		assert_int_equal(do_write(t, destructive[d].path, destructive[d].value, &e),
				 -EBUSY);
		set_block(t, 342, "offline");
		if (do_write(t, destructive[d].path, destructive[d].value, &e) != 0)
			fail_msg("%s refused", destructive[d].path);
		tree_read(t, destructive[d].path, content, sizeof(content));
		assert_non_null(startswith(content, destructive[d].value));
		tree_write(t, DAX01 "/size", "402653184");
	}
}

/* Offline or not: another device than the expected one, or none expected. */
static void test_names_the_device(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	uint64_t before;

	for (unsigned i = 337; i <= 343; i++)
		set_block(t, i, "offline");
	before = snapshot(t);
	assert_int_equal(do_write(t, "bus/dax/drivers/kmem/unbind", "dax0.2", &e), -EPERM);
	assert_int_equal(do_write(t, "bus/dax/devices/dax0.2/size", "0", &e), -EPERM);
	assert_int_equal(do_write(t, TREE_DAX_REGION "/dax_region/delete", "dax0.2", &e), -EPERM);
	assert_int_equal(do_write(t, "bus/dax/drivers/kmem/unbind", "dax0.1", NULL), -EPERM);
	assert_int_equal(do_write(t, "bus/dax/devices/dax0.1/size", "0", NULL), -EPERM);
	e.device[0] = '\0';
	assert_int_equal(do_write(t, "bus/dax/drivers/kmem/unbind", "dax0.1", &e), -EPERM);
	e = expect_dax01();
	e.tag.bytes[0] ^= 1;
	assert_int_equal(do_write(t, "bus/dax/drivers/kmem/unbind", "dax0.1", &e), -ESTALE);
	assert_true(snapshot(t) == before);
}

/* A device elsewhere in the tree with the expected one's name is not it. */
static void test_namesake(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	uint64_t before;

	set_own_blocks(t, "offline");
	tree_write(t, "devices/platform/hmem.0/dax0.1/size", "402653184");
	before = snapshot(t);
	assert_int_equal(do_write(t, "devices/platform/hmem.0/dax0.1/size", "0", &e), -EPERM);
	assert_true(snapshot(t) == before);
}

/* What has no business being written, whatever the state of the memory. */
static void test_everything_else_is_refused(void **state)
{
	static const struct {
		const char *path, *value;
	} cases[] = {
		{ "bus/cxl/drivers/cxl_region/unbind", "region0" },
		{ "bus/cxl/drivers/cxl_dax_region/unbind", "dax_region0" },
		{ "bus/cxl/drivers/cxl_dax_region/unbind", "dax0.1" },
		{ "bus/cxl/drivers/cxl_mem/unbind", "mem0" },
		{ "bus/cxl/drivers/cxl_mem/bind", "mem0" },
		{ "bus/dax/drivers/other/unbind", "dax0.1" },
		{ "bus/dax/drivers/other/bind", "dax0.1" },
		{ "bus/dax/drivers/kmem/bind", "region0" },
		{ "bus/dax/drivers/kmem/new_id", "dax0.1\n" },
		{ "bus/dax/drivers/kmem/remove_id", "dax0.1" },
		{ "bus/cxl/devices/region0/commit", "0" },
		{ "bus/cxl/devices/region0/size", "0" },
		{ "bus/cxl/devices/dax_region0/dax_region/available_size", "0" },
		{ "bus/cxl/devices/dax_region0/dax_region/create", "0" },
		{ "bus/cxl/devices/dax_region0/dax_region/create", "2" },
		{ "bus/dax/devices/dax0.1/align", "4096" },
		{ "bus/dax/devices/dax0.1/mapping", "a90000000-a9fffffff" },
		{ "bus/dax/devices/dax0.1/mapping0/start", "0" },
		{ "bus/dax/devices/dax0.1/size", "402653184" },
		{ "bus/dax/devices/dax0.1/size", "00" },
		{ "bus/dax/devices/dax0.1/size", "0x0" },
		{ "bus/dax/devices/dax0.1/size", "0\n" },
		{ "bus/dax/devices/dax0.1/size", "0K" },
		{ "bus/dax/devices/dax0.1/uuid", "" },
		{ "bus/dax/devices/dax0.1/uuid", TAG "trailing" },
		{ "bus/dax/devices/dax0.1/state", "offline" },
		{ "bus/dax/devices/dax0.1/state", "unplugged\n" },
		{ TREE_MEMORY "/memory338/state", "Offline" },
		{ TREE_MEMORY "/memory338/state", "" },
		{ TREE_MEMORY "/memory338/online", "0" },
		{ TREE_MEMORY "/memory338/online", "online" },
		{ "bus/dax/devices/dax0.1/align", "unplugged" },
		{ "bus/dax/devices/dax0.1/align", "0" },
		{ TREE_MEMORY "/auto_online_blocks", "online" },
		{ TREE_MEMORY "/block_size_bytes", "0" },
		{ "", "0" },
		{ "/", "0" },
	};
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	uint64_t before;

	set_own_blocks(t, "offline");
	before = snapshot(t);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (do_write(t, cases[i].path, cases[i].value, &e) != -EPERM)
			fail_msg("%s <- \"%s\" was not refused", cases[i].path, cases[i].value);
	assert_true(snapshot(t) == before);
}

/* A link out of the tree leads nowhere, however it is spelled; a link for an attribute neither. */
static void test_links_that_lead_astray(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();
	struct tree outside;
	char target[PATH_MAX], content[64];

	tree_init(&outside);
	tree_write(&outside, "memory/memory338/state", "online");
	(void)snprintf(target, sizeof(target), "%s/memory", outside.path);
	tree_link(t, "devices/system/absolute", target);
	(void)snprintf(target, sizeof(target), "../../../..%s/memory", outside.path);
	tree_link(t, "devices/system/relative", target);
	assert_int_equal(do_write(t, "devices/system/absolute/memory338/state", "offline", &e),
			 -EPERM);
	assert_int_equal(do_write(t, "devices/system/relative/memory338/state", "offline", &e),
			 -EPERM);
	tree_read(&outside, "memory/memory338/state", content, sizeof(content));
	assert_string_equal(content, "online\n");
	tree_done(&outside);

	tree_remove(t, TREE_MEMORY "/memory338/state");
	tree_link(t, TREE_MEMORY "/memory338/state", "../memory339/state");
	assert_int_equal(do_write(t, TREE_MEMORY "/memory338/state", "offline", &e), -ELOOP);
	tree_read(t, TREE_MEMORY "/memory339/state", content, sizeof(content));
	assert_string_equal(content, "online\n");
}

static void test_errors_pass_through(void **state)
{
	const struct tree *t = *state;
	struct guard_expect e = expect_dax01();

	assert_int_equal(do_write(t, TREE_MEMORY "/memory999/state", "offline", &e), -ENOENT);
	assert_int_equal(do_write(t, "bus/dax/devices/dax0.9/size", "0", &e), -ENOENT);
	tree_remove(t, TREE_MEMORY "/memory338/state");
	assert_int_equal(do_write(t, TREE_MEMORY "/memory338/state", "offline", &e), -ENOENT);
	tree_mkdir(t, TREE_MEMORY "/memory338/state");
	assert_int_equal(do_write(t, TREE_MEMORY "/memory338/state", "offline", &e), -EISDIR);
}

static void test_path_valid(void **state)
{
	static const char *const bad[] = { "",	  "/",	  "/a",	 "a/",	 "a//b",  ".",	   "..",
					   "a/.", "a/..", "./a", "../a", "a/./b", "a/../b" };
	static const char *const good[] = { "a", "a/b", "a/...", ".a/b.",
					    "bus/dax/devices/dax0.1" };
	char path[WORKER_PATH_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(attr_path_valid(bad[i]));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(attr_path_valid(good[i]));
	memset(path, 'a', sizeof(path));
	path[WORKER_PATH_MAX] = '\0';
	assert_false(attr_path_valid(path));
	path[WORKER_PATH_MAX - 1] = '\0';
	assert_true(attr_path_valid(path));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		GUARD_TEST(test_cannot_be_bypassed),
		GUARD_TEST(test_passes_when_offline),
		GUARD_TEST(test_names_the_device),
		GUARD_TEST(test_namesake),
		GUARD_TEST(test_everything_else_is_refused),
		GUARD_TEST(test_links_that_lead_astray),
		GUARD_TEST(test_errors_pass_through),
		cmocka_unit_test(test_path_valid),
	};

	return cmocka_run_group_tests_name("sysfs_write", tests, NULL, NULL);
}
