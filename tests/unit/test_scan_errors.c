/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scan of a host that changes or lies: vanished objects are left out, and everything else that
 * is wrong is an error, of the region or of the scan, never a smaller picture.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "scan_host.h"

/* The one region's error, at @path below bus/cxl/devices. */
static void assert_region_error(const struct inventory *inv, int error, const char *path)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "bus/cxl/devices/%s", path);
	assert_int_equal(inv->n_regions, 1);
	assert_int_equal(inv->regions[0].error, error);
	assert_string_equal(inv->regions[0].error_path, full);
}

/* An object that is listed all the time, and whose attribute says that it is gone. */
static void test_half_gone(void **state)
{
	static const struct {
		const char *attribute, *error_path;
	} cases[] = {
		{ DAX_REGION "/extent0.4/offset", "dax_region0/extent0.4/offset" },
		{ DAX_REGION "/extent0.2/length", "dax_region0/extent0.2/length" },
		{ DAX_REGION "/dax0.2/size", "dax_region0/dax0.2/size" },
		{ DAX_REGION "/dax_region/id", "dax_region0/dax_region/id" },
		{ REGION "/mode", "region0/mode" },
		{ ENDPOINT "/decoder2.0/dpa_size", "decoder2.0/dpa_size" },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;
		char text[64];

		tree_read(t, cases[i].attribute, text, sizeof(text));
		tree_remove(t, cases[i].attribute);
		inv = scan_partly(t);
		assert_region_error(inv, -ENOENT, cases[i].error_path);
		tree_write_bytes(t, cases[i].attribute, text, strlen(text));
	}
	inventory_free(scan(t));
}

static void test_vanished(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	tree_remove(t, DAX_REGION "/extent0.4");
	tree_remove(t, DAX_REGION "/dax0.2");
	tree_remove(t, MEMORY "/memory339");
	tree_remove(t, NODE "/node1");
	inv = scan(t);
	assert_null(find_extent(inv, "extent0.4"));
	assert_non_null(find_extent(inv, "extent0.1"));
	assert_null(find_device(inv, "dax0.2"));
	assert_int_equal(find_extent(inv, "extent0.3")->device, INVENTORY_NONE);
	assert_int_equal(inv->n_mappings, 2);
	assert_null(find_block(inv, 339));
	assert_int_equal(inv->n_blocks, 2);
	assert_int_equal(inv->n_nodes, 1);
}

/* Objects that come and go while the scan looks at them are there or not: no error. */
static void test_come_and_go(void **state)
{
	const struct tree *t = *state;
	bool seen[2] = { false, false };
	pid_t child;

	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			(void)renameat(t->fd, DAX_REGION "/extent0.4", t->fd, "away");
			(void)usleep(500);
			(void)renameat(t->fd, "away", t->fd, DAX_REGION "/extent0.4");
			(void)usleep(500);
		}
	}
	for (unsigned i = 0; i < 5000 && !(seen[0] && seen[1] && i > 300); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = scan(t);

		seen[find_extent(inv, "extent0.4") != NULL] = true;
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	assert_true(seen[0] && seen[1]);
}

/* Not even whose region it is can be told. */
static void test_vanished_memdev(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	tree_remove(t, ENDPOINT "/uport");
	inv = scan_partly(t);
	assert_int_equal(inv->n_memdevs, 1);
	assert_region_error(inv, -ENOENT, "decoder2.0/../uport");
	assert_int_equal(inv->regions[0].memdev, INVENTORY_NONE);
	assert_int_equal(inv->n_extents, 0);
	assert_int_equal(inv->n_devices, 0);
}

/* ---- torn: an error, never half a picture ---- */

static void test_torn(void **state)
{
	const struct tree *t = *state;

	put(t, DAX_REGION "/dax0.1", "size", "268435456"); /* one mapping less than there is */
	scan_fails_for(t, -EAGAIN,
		       "bus/cxl/devices/dax_region0/dax0.1 changed each time it was read");
	put(t, DAX_REGION "/dax0.1", "size", "402653184");
	tree_remove(t, DAX_REGION "/dax0.1/mapping1"); /* one less than the size says */
	scan_fails(t, -EAGAIN);
	put(t, DAX_REGION "/dax0.1", "size", "268435456");
	inventory_free(scan(t));

	put(t, DAX_REGION "/dax0.2/mapping0", "start", "0xb90000000"); /* outside the region */
	put(t, DAX_REGION "/dax0.2/mapping0", "end", "0xb9fffffff");
	scan_fails(t, -EAGAIN);
	put(t, DAX_REGION "/dax0.2/mapping0", "start", "0xa90000000"); /* what dax0.1 has */
	put(t, DAX_REGION "/dax0.2/mapping0", "end", "0xa9fffffff");
	scan_fails(t, -EAGAIN);
}

static void test_extent_outside_region(void **state)
{
	static const char *const bad[][2] = {
		{ "0x100000000", "0x10000000" },
		{ "0xffff0000", "0x20000" },
		{ "0x0", "0x100000001" },
		{ "0xffffffffffffffff", "0x2" },
		{ "0x0", "0x0" },
	};
	const struct tree *t = *state;

	/* Each of the region's two sizes must be kept to. */
	put(t, ENDPOINT "/decoder2.0", "dpa_size", "0x200000000");
	put(t, DAX_REGION "/extent0.4", "offset", "0xfe000000");
	scan_fails(t, -EAGAIN);
	put(t, ENDPOINT "/decoder2.0", "dpa_size", "0x80000000");
	put(t, DAX_REGION "/extent0.4", "offset", "0x7e000000");
	scan_fails(t, -EAGAIN);
	put(t, DAX_REGION "/extent0.4", "offset", "0x7c000000");
	inventory_free(scan(t));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(t, DAX_REGION "/extent0.4", "offset", bad[i][0]);
		put(t, DAX_REGION "/extent0.4", "length", bad[i][1]);
		scan_fails(t, -EAGAIN);
	}
}

/* ---- unreadable or garbage: an error, never a smaller picture ---- */

/* What is not below a region: a directory can be opened but not read. */
static void test_unreadable(void **state)
{
	static const char *const attributes[] = {
		MEMORY "/block_size_bytes",
		NODE "/node0/meminfo",
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		char text[4096], why[256];

		tree_read(t, attributes[i], text, sizeof(text));
		tree_remove(t, attributes[i]);
		tree_mkdir(t, attributes[i]);
		(void)snprintf(why, sizeof(why), "%s: Is a directory", attributes[i]);
		scan_fails_for(t, -EISDIR, why);
		tree_remove(t, attributes[i]);
		tree_write_bytes(t, attributes[i], text, strlen(text));
	}
	inventory_free(scan(t));
}

/* A list that cannot be opened: a link to itself. */
static void test_unreadable_lists(void **state)
{
	static const char *const lists[] = { "bus/cxl/devices", MEMORY, NODE };
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *name = strrchr(lists[i], '/') + 1;
		char why[256];
		bool is_memory = streq(lists[i], MEMORY);

		assert_int_equal(renameat(t->fd, lists[i], t->fd, "away"), 0);
		tree_link(t, lists[i], name);
		(void)snprintf(why, sizeof(why), "%s%s: Too many levels of symbolic links",
			       lists[i], is_memory ? "/block_size_bytes" : "");
		scan_fails_for(t, -ELOOP, why);
		tree_remove(t, lists[i]);
		assert_int_equal(renameat(t->fd, "away", t->fd, lists[i]), 0);
	}
	inventory_free(scan(t));
}

/* For show only: whatever is there, the device is. */
static void test_serial(void **state)
{
	const struct tree *t = *state;

	put(t, MEMDEV, "serial", "serial");
	for (unsigned i = 0; i < 2; i++) {
		_cleanup_(inventory_freep) struct inventory *inv = scan(t);

		assert_int_equal(inv->n_memdevs, 1);
		assert_int_equal(inv->memdevs[0].serial, 0);
		assert_int_equal(inv->n_extents, 4);
		if (i == 0)
			tree_remove(t, MEMDEV "/serial");
	}
}

static void test_garbage(void **state)
{
	static const struct {
		const char *attribute, *value;
	} cases[] = {
		{ DAX_REGION "/extent0.1/uuid", "5be13bce" },
		{ DAX_REGION "/extent0.1/uuid", TAG_A "0" },
		{ DAX_REGION "/extent0.1/uuid", "xbe13bce-ae34-4a77-b6c3-16df975fcf1a" },
		{ DAX_REGION "/extent0.4/uuid", "00" },
		{ DAX_REGION "/extent0.1/offset", "" },
		{ DAX_REGION "/extent0.1/offset", "-1" },
		{ DAX_REGION "/extent0.1/offset", "0x" },
		{ DAX_REGION "/extent0.1/length", "0x10000000 0" },
		{ DAX_REGION "/dax0.1/uuid", "none" },
		{ DAX_REGION "/dax0.1/size", "384M" },
		{ DAX_REGION "/dax0.1/dev", "254" },
		{ DAX_REGION "/dax0.1/dev", "254:x" },
		{ DAX_REGION "/dax0.1/mapping0/end", "0xa8fffffff" }, /* before start */
		{ DAX_REGION "/dax0.1/mapping0/page_offset", "?" },
		{ REGION "/resource", "0xfffffffffffffff0" }, /* + size overflows */
		{ REGION "/size", "4G" },
		{ REGION "/target0", "../../../../etc" },
		{ REGION "/target0", "mem0" },
		{ ENDPOINT "/decoder2.0/dpa_resource", "nan" },
		{ MEMORY "/block_size_bytes", "0" },
		{ MEMORY "/block_size_bytes", "8000001" },
		{ MEMORY "/block_size_bytes", "128M" },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inventory *inv = NULL;
		char text[4096] = "";
		bool existed = faccessat(t->fd, cases[i].attribute, F_OK, 0) == 0;
		bool global = startswith(cases[i].attribute, MEMORY) != NULL;
		int r;

		if (existed)
			tree_read(t, cases[i].attribute, text, sizeof(text));
		tree_write(t, cases[i].attribute, cases[i].value);
		r = try_scan(t, &inv);
		if (!global && r == 0)
			r = inv->regions[0].error;
		if (r != -EBADMSG || (inv && global))
			fail_msg("%s = \"%s\": %d", cases[i].attribute, cases[i].value, r);
		inventory_free(inv);
		if (existed)
			tree_write_bytes(t, cases[i].attribute, text, strlen(text));
		else
			tree_remove(t, cases[i].attribute);
	}
	inventory_free(scan(t));

	/* Too large a number is out of range, not cut. */
	put(t, DAX_REGION "/extent0.1", "offset", "0x10000000000000000");
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_partly(t);

		assert_region_error(inv, -ERANGE, "dax_region0/extent0.1/offset");
	}
}

static void test_forms_of_untagged(void **state)
{
	static const char *const forms[] = { NULL_TAG, "0", "" };
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;

		put(t, DAX_REGION "/extent0.4", "uuid", forms[i]);
		put(t, DAX_REGION "/dax0.2", "uuid", forms[i]);
		inv = scan(t);
		assert_true(tag_is_null(&find_extent(inv, "extent0.4")->tag));
		assert_true(tag_is_null(&find_device(inv, "dax0.2")->tag));
		/* By range all the same. */
		assert_string_equal(inv->devices[find_extent(inv, "extent0.3")->device].name,
				    "dax0.2");
	}
}

/* An extent's name passes to another while the scan reads: never a mixture of the two. */
static void test_recycled_name(void **state)
{
	const struct tree *t = *state;
	bool seen[2] = { false, false };
	pid_t child;

	put_extent(t, "spare", TAG_B, "0x80000000", "0x2000000");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)renameat2(t->fd, DAX_REGION "/extent0.4", t->fd, DAX_REGION "/spare",
					RENAME_EXCHANGE);
	}
	for (unsigned i = 0; i < 2000 && !(seen[0] && seen[1] && i > 200); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = scan(t);
		const struct extent *e = find_extent(inv, "extent0.4");
		bool tagged = !tag_is_null(&e->tag);

		assert_int_equal(e->hpa.start - HPA, tagged ? 0x80000000 : 0x40000000);
		assert_int_equal(e->hpa.length, tagged ? 0x2000000 : 0x4000000);
		seen[tagged] = true;
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	assert_true(seen[0] && seen[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_half_gone),
		TEST(test_vanished),
		TEST(test_come_and_go),
		TEST(test_vanished_memdev),
		TEST(test_torn),
		TEST(test_extent_outside_region),
		TEST(test_unreadable),
		TEST(test_unreadable_lists),
		TEST(test_serial),
		TEST(test_garbage),
		TEST(test_forms_of_untagged),
		TEST(test_recycled_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
