/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scanning the fabricated /sys of scan_tree.h, and finding things by name in what comes of it. */
#pragma once

#include "scan_tree.h"

#include "inventory/scan.h"

static inline int setup(void **state)
{
	static struct tree tree;

	tree_init(&tree);
	make_host(&tree);
	*state = &tree;
	return 0;
}

static inline int teardown(void **state)
{
	tree_done(*state);
	return 0;
}

/*
 * inventory_scan() of the tree, with a /proc in which nobody runs: what tests of other things than
 * holders want, and what needs no privileges.
 */
static inline int try_scan(const struct tree *t, struct inventory **ret)
{
	char proc[PATH_MAX], why[PATH_MAX];

	(void)snprintf(proc, sizeof(proc), "%s/proc", t->path);
	return inventory_scan(t->path, proc, ret, why, sizeof(why));
}

/* As try_scan(), of a host that can be read but for what its regions' errors say. */
static inline struct inventory *scan_partly(const struct tree *t)
{
	struct inventory *inv = NULL;
	int r = try_scan(t, &inv);

	if (r != 0)
		fail_msg("inventory_scan() gives %d (%s)", r, strerror(-r));
	assert_int_equal(inventory_check(inv), 0);
	return inv;
}

static inline struct inventory *scan(const struct tree *t)
{
	struct inventory *inv = scan_partly(t);

	for (uint32_t i = 0; i < inv->n_regions; i++)
		if (inv->regions[i].error != 0)
			fail_msg("%s: %d at %s", inv->regions[i].name, inv->regions[i].error,
				 inv->regions[i].error_path);
	return inv;
}

/* Expects a scan that fails, leaves nothing behind, and says why. */
static inline void scan_fails_for(const struct tree *t, int error, const char *why)
{
	char proc[PATH_MAX], text[PATH_MAX] = "?", expected[2 * PATH_MAX];
	struct inventory *inv = NULL;
	int r;

	(void)snprintf(proc, sizeof(proc), "%s/proc", t->path);
	r = inventory_scan(t->path, proc, &inv, text, sizeof(text));
	(void)snprintf(expected, sizeof(expected), "%s/%s", t->path, why);
	if (r != error || inv || !streq(text, expected))
		fail_msg("%d: \"%s\", not %d: \"%s\"", r, text, error, expected);
}

static inline void scan_fails(const struct tree *t, int error)
{
	struct inventory *inv = NULL;

	assert_int_equal(try_scan(t, &inv), error);
	assert_null(inv);
}

static inline const struct extent *find_extent(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_extents; i++)
		if (streq(inv->extents[i].name, name))
			return &inv->extents[i];
	return NULL;
}

static inline const struct dax_device *find_device(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_devices; i++)
		if (streq(inv->devices[i].name, name))
			return &inv->devices[i];
	return NULL;
}

static inline const struct memory_block *find_block(const struct inventory *inv, uint64_t number)
{
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		if (inv->blocks[i].number == number)
			return &inv->blocks[i];
	return NULL;
}

static inline const struct holder *find_holder(const struct inventory *inv, pid_t pid)
{
	for (uint32_t i = 0; i < inv->n_holders; i++)
		if (inv->holders[i].pid == pid)
			return &inv->holders[i];
	return NULL;
}

static inline const char *tag_text(const struct tag *tag)
{
	static char text[TAG_STRLEN + 1];

	return tag_format(tag, text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
