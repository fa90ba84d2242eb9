/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scan's system calls, which all go through this file. With an error at each of them in turn,
 * once or from then on: whatever comes of it, what is presented as read is as it is.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <sys/syscall.h>

#include "scan_two.h"

/* The call to fail, from 0, and with what. */
static struct {
	bool armed, persistent;
	unsigned at, n;
	int error;
	char path[PATH_MAX]; /* of what fails; if persistent, all that is opened by that name does
			      */
} fault;

static unsigned n_memory_lists;

/* Whether the call, about @path (NULL: an open file), fails now; errno is set then. */
static bool fails(const char *path)
{
	bool now;

	if (!fault.armed)
		return false;
	now = fault.n++ == fault.at;
	if (now && path)
		(void)str_copy(fault.path, sizeof(fault.path), path);
	if (fault.persistent && path && fault.path[0])
		now |= streq(path, fault.path);
	if (now)
		errno = fault.error;
	return now;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's have underscores */
int openat(int fd, const char *path, int flags, ...)
{
	n_memory_lists += streq(path, MEMORY);
	/* The scan makes no files, so there is no mode. */
	return fails(path) ? -1 : (int)syscall(SYS_openat, fd, path, flags, 0);
}

ssize_t read(int fd, void *buf, size_t size)
{
	return fails(NULL) ? -1 : syscall(SYS_read, fd, buf, size);
}

ssize_t readlinkat(int fd, const char *restrict path, char *restrict buf, size_t size)
{
	return fails(path) ? -1 : syscall(SYS_readlinkat, fd, path, buf, size);
}

struct dirent *readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR * dir);

	if (!real) {
		void *symbol = dlsym(RTLD_NEXT, "readdir");

		memcpy(&real, &symbol, sizeof(real));
	}
	return fails(NULL) ? NULL : real(dir);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* Scans with the fault; fault.n is then the number of calls. */
static int scan_with_fault(const struct tree *t, struct inventory **ret, char *ret_why, size_t size)
{
	char proc[PATH_MAX];
	int r;

	(void)snprintf(proc, sizeof(proc), "%s/proc", t->path);
	fault.n = 0;
	fault.path[0] = '\0';
	fault.armed = true;
	r = inventory_scan(t->path, proc, ret, ret_why, size);
	fault.armed = false;
	return r;
}

static const struct region *find_region(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_regions; i++)
		if (streq(inv->regions[i].name, name))
			return &inv->regions[i];
	return NULL;
}

#define SAME(a, b) (memcmp(&(a), &(b), sizeof(a)) == 0)

static bool same_device(const struct inventory *inv, const struct dax_device *d,
			const struct inventory *good, const struct dax_device *g)
{
	if (!streq(d->name, g->name) || !streq(d->driver, g->driver) || d->mode != g->mode ||
	    !tag_equal(&d->tag, &g->tag) || d->size != g->size || d->dev_major != g->dev_major ||
	    d->dev_minor != g->dev_minor || d->n_mappings != g->n_mappings ||
	    d->n_blocks != g->n_blocks)
		return false;
	for (uint32_t i = 0; i < d->n_mappings; i++)
		if (!SAME(inv->mappings[d->first_mapping + i],
			  good->mappings[g->first_mapping + i]))
			return false;
	for (uint32_t i = 0; i < d->n_blocks; i++) {
		const struct memory_block *b = &inv->blocks[d->first_block + i];
		const struct memory_block *c = &good->blocks[g->first_block + i];

		/* Unknown is no lie. */
		if (b->number != c->number || (b->state != c->state && b->state != BLOCK_UNKNOWN) ||
		    (b->zone != c->zone && b->zone != ZONE_UNKNOWN))
			return false;
	}
	return true;
}

/* Every region is there; one without an error is as it is in @good. How many have one. */
static unsigned assert_true_picture(const struct inventory *inv, const struct inventory *good,
				    const char *what)
{
	unsigned broken = 0;

	assert_int_equal(inventory_check(inv), 0);
	if (inv->block_size != good->block_size || inv->n_memdevs != good->n_memdevs ||
	    inv->n_regions != good->n_regions)
		fail_msg("%s: not all is there", what);
	for (uint32_t i = 0; i < good->n_regions; i++) {
		const struct region *g = &good->regions[i], *r = find_region(inv, g->name);

		if (!r)
			fail_msg("%s: %s is gone", what, g->name);
		if (r->error < 0) {
			broken++;
			continue;
		}
		if (!SAME(r->hpa, g->hpa) || !SAME(r->dpa, g->dpa) || r->memdev != g->memdev ||
		    r->n_extents != g->n_extents || r->n_devices != g->n_devices)
			fail_msg("%s: %s is another", what, g->name);
		for (uint32_t k = 0; k < r->n_extents; k++) {
			const struct extent *e = &inv->extents[r->first_extent + k];
			const struct extent *f = &good->extents[g->first_extent + k];

			if (!streq(e->name, f->name) || !SAME(e->tag, f->tag) ||
			    !SAME(e->dpa, f->dpa) || !SAME(e->hpa, f->hpa) ||
			    (e->device == INVENTORY_NONE) != (f->device == INVENTORY_NONE))
				fail_msg("%s: %s is another", what, e->name);
		}
		for (uint32_t k = 0; k < r->n_devices; k++)
			if (!same_device(inv, &inv->devices[r->first_device + k], good,
					 &good->devices[g->first_device + k]))
				fail_msg("%s: %s is another", what,
					 inv->devices[r->first_device + k].name);
	}
	return broken;
}

struct outcome {
	unsigned whole, broken, failed;
};

/* @error at each call of the scan in turn. */
static struct outcome inject(const struct tree *t, const struct inventory *good, unsigned n_calls,
			     int error, bool persistent)
{
	struct outcome outcome = { 0 };

	for (unsigned i = 0; i < n_calls; i++) {
		_cleanup_(inventory_freep) struct inventory *inv = NULL;
		char why[PATH_MAX] = "", what[PATH_MAX];
		unsigned broken;
		int r;

		fault.at = i;
		fault.error = error;
		fault.persistent = persistent;
		r = scan_with_fault(t, &inv, why, sizeof(why));
		(void)snprintf(what, sizeof(what), "%s at call %u (%.200s)%s", strerror(error), i,
			       fault.path, persistent ? " and on" : "");
		if (r < 0) {
			if (inv || !*why)
				fail_msg("%s: %d without a reason", what, r);
			outcome.failed++;
			continue;
		}
		broken = assert_true_picture(inv, good, what);
		assert_true(broken <= 1 || persistent);
		outcome.broken += broken > 0;
		outcome.whole += broken == 0;
	}
	print_message("%-32s %-6s whole=%u broken=%u failed=%u\n", strerror(error),
		      persistent ? "always" : "once", outcome.whole, outcome.broken,
		      outcome.failed);
	return outcome;
}

static void test_each_call(void **state)
{
	/* What a second look cures, and what it may not. */
	static const struct {
		int error;
		bool passes;
	} errors[] = {
		{ EINTR, true },  { EAGAIN, true }, { ENOMEM, true },  { ENOENT, true },
		{ ENODEV, true }, { EIO, false },   { EACCES, false }, { EBUSY, false },
	};
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *good = NULL;
	char why[PATH_MAX];
	unsigned n_calls;

	fault.at = UINT_MAX;
	assert_int_equal(scan_with_fault(t, &good, why, sizeof(why)), 0);
	n_calls = fault.n;
	assert_true(n_calls > 200);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct outcome once = inject(t, good, n_calls, errors[i].error, false);
		struct outcome always = inject(t, good, n_calls, errors[i].error, true);

		/* Most is below a region, and costs that. */
		if (errors[i].passes) {
			assert_true(once.whole > 9 * n_calls / 10);
		} else {
			assert_true(once.broken > n_calls / 4);
			assert_true(once.failed < n_calls / 4);
		}
		assert_true(always.broken > n_calls / 8);
	}
}

/* A host has many blocks: one list for what devices and what unclaimed extents have. */
static void test_blocks_are_listed_once(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	put_extent(t, "extent0.4", NULL, "0x40000000", "0x8000000");
	put_block(t, 346, "online", "Movable");
	n_memory_lists = 0;
	inv = scan(t);
	assert_int_equal(find_device(inv, "dax0.1")->n_blocks, 3);
	assert_true(find_extent(inv, "extent0.4")->leftover);
	assert_int_equal(n_memory_lists, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TWO(test_each_call), TWO(test_blocks_are_listed_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
