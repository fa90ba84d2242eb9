/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sysfs for the tests of the guard: one device of two ranges (blocks 338, 339 and 342), another
 * tag's device in the gap (340, 341), every block online, and the links by which the kernel makes
 * one attribute reachable under several names.
 */
#pragma once

#include <dirent.h>

#include "tree.h"

#include "worker/guard.h"

#define TAG "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define OTHER_TAG "11111111-2222-3333-4444-555555555555"
#define DAX01 TREE_DAX_REGION "/dax0.1"
#define DAX02 TREE_DAX_REGION "/dax0.2"
#define UP_TO_ROOT "../../../../../../../../" /* from a device's directory */

static inline void make_device(const struct tree *t, const char *name, const char *uuid,
			       const char *size, const char *const *ranges)
{
	char path[256], target[512];

#define DEVICE_FILE(attribute, value)                                                              \
	do {                                                                                       \
		(void)snprintf(path, sizeof(path), TREE_DAX_REGION "/%s/%s", name, attribute);     \
		tree_write(t, path, value);                                                        \
	} while (0)
	DEVICE_FILE("size", size);
	DEVICE_FILE("uuid", uuid);
	DEVICE_FILE("state", "online_movable");
	DEVICE_FILE("align", "2097152");
	DEVICE_FILE("mapping", "");
	for (unsigned i = 0; ranges[i]; i += 2) {
		char attribute[32];

		(void)snprintf(attribute, sizeof(attribute), "mapping%u/start", i / 2);
		DEVICE_FILE(attribute, ranges[i]);
		(void)snprintf(attribute, sizeof(attribute), "mapping%u/end", i / 2);
		DEVICE_FILE(attribute, ranges[i + 1]);
		(void)snprintf(attribute, sizeof(attribute), "mapping%u/page_offset", i / 2);
		DEVICE_FILE(attribute, "0x0");
	}
#undef DEVICE_FILE
	(void)snprintf(path, sizeof(path), "bus/dax/devices/%s", name);
	(void)snprintf(target, sizeof(target), "../../../" TREE_DAX_REGION "/%s", name);
	tree_link(t, path, target);
	(void)snprintf(path, sizeof(path), "bus/dax/drivers/kmem/%s", name);
	(void)snprintf(target, sizeof(target), "../../../../" TREE_DAX_REGION "/%s", name);
	tree_link(t, path, target);
	(void)snprintf(path, sizeof(path), TREE_DAX_REGION "/%s/driver", name);
	tree_link(t, path, UP_TO_ROOT "bus/dax/drivers/kmem");
	(void)snprintf(path, sizeof(path), TREE_DAX_REGION "/%s/subsystem", name);
	tree_link(t, path, UP_TO_ROOT "bus/dax");
}

static inline void set_block(const struct tree *t, unsigned number, const char *state)
{
	char path[64];

	(void)snprintf(path, sizeof(path), TREE_MEMORY "/memory%u/state", number);
	tree_write(t, path, state);
}

static inline void make_blocks(const struct tree *t)
{
	tree_write(t, TREE_MEMORY "/block_size_bytes", "8000000");
	tree_write(t, TREE_MEMORY "/auto_online_blocks", "offline");
	for (unsigned i = 337; i <= 343; i++) {
		char path[64], target[64];

		set_block(t, i, "online");
		(void)snprintf(path, sizeof(path), TREE_MEMORY "/memory%u/online", i);
		tree_write(t, path, "1");
		(void)snprintf(path, sizeof(path), "bus/memory/devices/memory%u", i);
		(void)snprintf(target, sizeof(target), "../../../" TREE_MEMORY "/memory%u", i);
		tree_link(t, path, target);
	}
}

static inline void make_drivers(const struct tree *t)
{
	static const char *const drivers[] = {
		"dax/drivers/kmem",	     "dax/drivers/device_dax", "dax/drivers/fsdev_dax",
		"dax/drivers/other",	     "cxl/drivers/cxl_region", "cxl/drivers/cxl_mem",
		"cxl/drivers/cxl_dax_region"
	};
	static const char *const files[] = { "bind", "unbind", "new_id", "remove_id" };

	for (size_t d = 0; d < ARRAY_SIZE(drivers); d++)
		for (size_t f = 0; f < ARRAY_SIZE(files); f++) {
			char path[96];

			(void)snprintf(path, sizeof(path), "bus/%s/%s", drivers[d], files[f]);
			tree_write(t, path, "");
		}
}

/* As the kernel has it, with every block of the host online. */
static inline int guard_tree_setup(void **state)
{
	static const char *const ranges01[] = { "0xa90000000", "0xa9fffffff", "0xab0000000",
						"0xab7ffffff", NULL };
	static const char *const ranges02[] = { "0xaa0000000", "0xaafffffff", NULL };
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	tree_init(t);
	make_blocks(t);
	make_drivers(t);
	make_device(t, "dax0.1", TAG, "402653184", ranges01);
	make_device(t, "dax0.2", OTHER_TAG, "268435456", ranges02);
	tree_write(t, TREE_DAX_REGION "/dax_region/create", "");
	tree_write(t, TREE_DAX_REGION "/dax_region/delete", "");
	tree_write(t, TREE_DAX_REGION "/dax_region/available_size", "0");
	tree_write(t, TREE_DAX_REGION "/../commit", "1");
	tree_write(t, TREE_DAX_REGION "/../size", "0x100000000");
	tree_link(t, "bus/cxl/devices/dax_region0", "../../../" TREE_DAX_REGION);
	tree_link(t, "bus/cxl/devices/region0", "../../../" TREE_DAX_REGION "/..");
	*state = t;
	return 0;
}

static inline int guard_tree_teardown(void **state)
{
	struct tree *t = *state;

	tree_done(t);
	free(t);
	return 0;
}

static inline void set_own_blocks(const struct tree *t, const char *state)
{
	set_block(t, 338, state);
	set_block(t, 339, state);
	set_block(t, 342, state);
}

static inline struct guard_expect expect_dax01(void)
{
	struct guard_expect e = {
		.device = "dax0.1",
		.size = 402653184,
		.first_mapping = { .start = 0xa90000000, .length = 0x10000000 },
	};

	assert_int_equal(tag_parse(TAG, &e.tag), 0);
	return e;
}

/* ---- a snapshot of all files, to show that nothing was touched ---- */

static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t n)
{
	for (const unsigned char *p = data; n > 0; p++, n--)
		hash = (hash ^ *p) * UINT64_C(0x100000001b3);
	return hash;
}

static inline int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static inline int not_dots(const struct dirent *entry)
{
	return !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
}

static inline uint64_t hash_tree(int dir_fd, const char *path, uint64_t hash)
{
	struct dirent **entries = NULL;
	int n = scandirat(dir_fd, path, &entries, not_dots, by_name);

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		char below[PATH_MAX], content[256];
		int fd;

		(void)snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
		hash = hash_bytes(hash, below, strlen(below));
		if (entries[i]->d_type == DT_DIR) {
			hash = hash_tree(dir_fd, below, hash);
		} else if (entries[i]->d_type == DT_REG) {
			ssize_t k;

			fd = openat(dir_fd, below, O_RDONLY | O_CLOEXEC);
			assert_true(fd >= 0);
			k = read(fd, content, sizeof(content));
			assert_true(k >= 0);
			hash = hash_bytes(hash, content, (size_t)k);
			(void)close(fd);
		}
		free(entries[i]);
	}
	free(entries);
	return hash;
}

static inline uint64_t snapshot(const struct tree *t)
{
	return hash_tree(t->fd, ".", UINT64_C(0xcbf29ce484222325));
}

/* sysfs_write() with what it says checked: a refusal by the guard comes with a message. */
static inline int do_write(const struct tree *t, const char *path, const char *value,
			   const struct guard_expect *e)
{
	char message[160];
	usec_t elapsed = 99;
	int r = sysfs_write(t->fd, path, value, e, &elapsed, message, sizeof(message));

	if (r == -EPERM || r == -EBUSY || r == -ESTALE)
		assert_true(message[0]);
	else
		assert_string_equal(message, "");
	return r;
}

#define GUARD_TEST(f) cmocka_unit_test_setup_teardown(f, guard_tree_setup, guard_tree_teardown)
