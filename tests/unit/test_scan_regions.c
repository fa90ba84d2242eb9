/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be read below one region costs that region only: each attribute of it in turn, with a
 * second region beside it that must not change.
 */
#include <fnmatch.h>

#include "scan_two.h"

static const struct region *find_region(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_regions; i++)
		if (streq(inv->regions[i].name, name))
			return &inv->regions[i];
	fail_msg("%s is not there", name);
	return NULL;
}

/* region1 and all of it, as it is when nothing is wrong with its neighbour. */
static void assert_second_region_whole(const struct inventory *inv)
{
	const struct region *r = find_region(inv, "region1");
	const struct dax_device *d = find_device(inv, "dax1.1");
	struct group_key key = { .memdev = "mem1" };
	struct tag_group group;

	assert_int_equal(r->error, 0);
	assert_string_equal(r->error_path, "");
	assert_string_equal(inv->memdevs[r->memdev].name, "mem1");
	assert_int_equal(r->n_extents, 1);
	assert_int_equal(r->n_devices, 1);
	assert_int_equal(tag_parse(TAG_C, &key.tag), 0);
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), 0);
	assert_string_equal(inv->devices[inv->extents[group.first_extent].device].name, "dax1.1");
	assert_int_equal(d->n_blocks, 1);
	assert_int_equal(inv->blocks[d->first_block].number, 370);
}

/* The first of several errors, and the path of just what was made unreadable, @inode. */
static void assert_first_region_broken(const struct tree *t, const struct inventory *inv,
				       const char *what, int error, ino_t inode, bool owner_known)
{
	const struct region *r = find_region(inv, "region0");
	struct group_key key = { .memdev = "mem0" };
	struct tag_group group;
	struct stat st;

	if (r->error != error || fstatat(t->fd, r->error_path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != inode)
		fail_msg("%s: %d at \"%s\", not %d", what, r->error, r->error_path, error);
	if (owner_known) {
		assert_true(r->memdev != INVENTORY_NONE);
		assert_string_equal(inv->memdevs[r->memdev].name, "mem0");
		assert_null(inventory_unread(inv, "mem1"));
	} else {
		assert_int_equal(r->memdev, INVENTORY_NONE);
		assert_ptr_equal(inventory_unread(inv, "mem1"), r);
	}
	assert_ptr_equal(inventory_unread(inv, "mem0"), r);
	/* Seen or not: there is no way to tell that it is not there, or that it is all. */
	assert_int_equal(tag_parse(TAG_A, &key.tag), 0);
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -EIO);
	assert_int_equal(tag_parse("77777777-2222-3333-4444-555555555555", &key.tag), 0);
	assert_int_equal(inventory_find_group(inv, &key, NULL, &group), -EIO);
	for (uint32_t cursor = 0; inventory_next_group(inv, &cursor, &group);)
		if (&inv->regions[group.region] == r)
			assert_false(tag_group_is_free(inv, &group, NULL));
}

/* What a decision is built on. The rest may be unreadable. */
static bool is_needed(const char *path)
{
	static const char *const patterns[] = {
		REGION "/mode",
		REGION "/interleave_ways",
		REGION "/resource",
		REGION "/size",
		REGION "/target0",
		ENDPOINT "/decoder2.0/dpa_resource",
		ENDPOINT "/decoder2.0/dpa_size",
		DAX_REGION "/dax_region/id",
		DAX_REGION "/extent*/uuid",
		DAX_REGION "/extent*/offset",
		DAX_REGION "/extent*/length",
		DAX_REGION "/dax0.*/uuid",
		DAX_REGION "/dax0.*/dev",
		DAX_REGION "/dax0.*/size",
		DAX_REGION "/dax0.*/mapping*/start",
		DAX_REGION "/dax0.*/mapping*/end",
		DAX_REGION "/dax0.*/mapping*/page_offset",
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (fnmatch(patterns[i], path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* All attributes below region0 and its decoder, in an order that does not matter. */
static struct {
	char path[128][PATH_MAX];
	size_t n, skip;
} found;

static int collect(const char *path, _unused_ const struct stat *st, int type,
		   _unused_ struct FTW *ftw)
{
	if (type != FTW_F)
		return 0;
	assert_true(found.n < ARRAY_SIZE(found.path));
	(void)str_copy(found.path[found.n++], PATH_MAX, path + found.skip);
	return 0;
}

static void collect_attributes(const struct tree *t)
{
	static const char *const folders[] = { REGION, ENDPOINT "/decoder2.0" };
	char full[PATH_MAX];

	found.n = 0;
	found.skip = strlen(t->path) + 1;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		(void)snprintf(full, sizeof(full), "%s/%s", t->path, folders[i]);
		assert_int_equal(nftw(full, collect, 16, FTW_PHYS), 0);
	}
}

static void test_each_attribute(void **state)
{
	const struct tree *t = *state;
	unsigned n_needed = 0;

	collect_attributes(t);
	for (size_t i = 0; i < found.n; i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;
		const char *path = found.path[i];
		char text[4096];
		struct stat st;

		tree_read(t, path, text, sizeof(text));
		tree_remove(t, path);
		tree_mkdir(t, path); /* can be opened, but not read: EISDIR */
		assert_int_equal(fstatat(t->fd, path, &st, 0), 0);
		inv = scan_partly(t);
		assert_int_equal(inv->n_regions, 2);
		assert_second_region_whole(inv);
		if (is_needed(path)) {
			assert_first_region_broken(t, inv, path, -EISDIR, st.st_ino,
						   !streq(path, REGION "/target0"));
			n_needed++;
		} else if (find_region(inv, "region0")->error != 0) {
			fail_msg("%s was not needed", path);
		}
		tree_remove(t, path);
		tree_write_bytes(t, path, text, strlen(text));
	}
	/* 5 + 2 + 1, 11 of four extents, 9 of three devices, 9 of their mappings. */
	assert_int_equal(n_needed, 37);
	inventory_free(scan(t));
}

/* Directories and links that cannot be followed: each becomes a link to itself, or a file. */
static void test_each_directory(void **state)
{
	static const struct {
		const char *path;
		bool file; /* where a link is read, it is no link */
		int error;
		bool owner_lost; /* it was the way from the region to its memdev */
	} cases[] = {
		{ "bus/cxl/devices/region0", false, -ELOOP, true },
		{ "bus/cxl/devices/decoder2.0", false, -ELOOP, true },
		{ ENDPOINT "/uport", true, -EINVAL, true },
		{ DAX_REGION "/extent0.1", false, -ELOOP, false },
		{ DAX_REGION "/dax0.0", false, -ELOOP, false },
		{ DAX_REGION "/dax0.1", false, -ELOOP, false },
		{ DAX_REGION "/dax0.1/mapping1", false, -ELOOP, false },
		{ DAX_REGION "/dax0.1/driver", true, -EINVAL, false },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;
		const char *path = cases[i].path;
		struct stat st;

		assert_int_equal(renameat(t->fd, path, t->fd, "away"), 0);
		if (cases[i].file)
			tree_write(t, path, "");
		else
			tree_link(t, path, strrchr(path, '/') + 1);
		assert_int_equal(fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
		inv = scan_partly(t);
		assert_second_region_whole(inv);
		assert_first_region_broken(t, inv, path, cases[i].error, st.st_ino,
					   !cases[i].owner_lost);
		tree_remove(t, path);
		assert_int_equal(renameat(t->fd, "away", t->fd, path), 0);
	}
	inventory_free(scan(t));
}

/* The dax region's own directory: that it cannot be listed says nothing about what is in it. */
static void test_unreadable_listing(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	struct stat st;

	/* Looked at by name, it is there; opened, it is a loop. */
	tree_remove(t, "bus/cxl/devices/dax_region0");
	tree_link(t, "bus/cxl/devices/dax_region0", "dax_region0");
	assert_int_equal(fstatat(t->fd, "bus/cxl/devices/dax_region0", &st, AT_SYMLINK_NOFOLLOW),
			 0);
	inv = scan_partly(t);
	assert_second_region_whole(inv);
	assert_int_equal(find_region(inv, "region0")->error, -ELOOP);
	assert_int_equal(find_region(inv, "region0")->n_extents, 0);
}

/* What was found stays, and the first error is the one that is told. */
static void test_several_errors(void **state)
{
	static const char *const broken[] = { DAX_REGION "/dax0.2/size",
					      DAX_REGION "/extent0.4/length" };
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	const struct region *r;

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		tree_remove(t, broken[i]);
		tree_mkdir(t, broken[i]);
	}
	inv = scan_partly(t);
	assert_second_region_whole(inv);
	r = find_region(inv, "region0");
	assert_string_equal(r->error_path, "bus/cxl/devices/dax_region0/extent0.4/length");
	assert_int_equal(r->n_extents, 3);
	assert_int_equal(r->n_devices, 2);
	assert_int_equal(find_device(inv, "dax0.1")->n_blocks, 3);
	/* dax0.2 was not seen, so nobody may conclude that its memory was left behind. */
	put_block(t, 340, "online", "Movable");
	inventory_free(inv);
	inv = scan_partly(t);
	assert_int_equal(find_extent(inv, "extent0.3")->device, INVENTORY_NONE);
	assert_false(find_extent(inv, "extent0.3")->leftover);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO(test_each_attribute),
		TWO(test_each_directory),
		TWO(test_unreadable_listing),
		TWO(test_several_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
