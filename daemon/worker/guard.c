/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: reads a dax device, and says whether it is the expected one; reads every memory block
 * its mappings touch, and says whether the memory may be handed back now. It believes nobody: not
 * the plan, not the inventory, not what the kernel answered to an earlier write. Whatever cannot be
 * read or understood counts as in use.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "util/sysfs.h"

#include "attr.h"
#include "guard.h"

/* More than any device has; a device that shows more is not believed. */
#define MAPPINGS_MAX 65536
#define BLOCKS_MAX (UINT64_C(1) << 20)

/* Sizes of a memory block that some architecture has; anything else is a misread number. */
#define BLOCK_SIZE_MIN (1 * MiB)
#define BLOCK_SIZE_MAX (64 * GiB)

#define VALUE_MAX 64

struct check {
	const struct guard_expect *expect;
	char *message; /* where a refusal is explained */
	size_t size;
};

/* What a device claims, as it says itself. Mappings are sorted by start. */
struct claim {
	struct tag tag;
	uint64_t size;
	struct range *mappings;
	size_t n_mappings;
};

static void claim_done(struct claim *claim)
{
	free(claim->mappings);
}

static int _printf_(3, 4) refuse(const struct check *c, int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(c->message, c->size, format, ap);
	va_end(ap);
	return error;
}

/* A read failed: in use as far as we know, unless it was us who interrupted it. */
static int refuse_unread(const struct check *c, int error, const char *what)
{
	int r = error == -EINTR ? -EINTR : -EBUSY;
	char text[64];

	(void)refuse(c, r, "%s: cannot read %s: %s", c->expect->device, what,
		     strerror_r(-error, text, sizeof(text)));
	return r;
}

static int read_number(const struct check *c, int dir_fd, const char *name, int base, uint64_t *ret)
{
	char value[VALUE_MAX];
	int r;

	r = attr_read(dir_fd, name, value, sizeof(value));
	if (r < 0)
		return refuse_unread(c, r, name);
	if (sysfs_parse_u64(value, base, ret) < 0)
		return refuse(c, -EBUSY, "%s: %s is not a number: \"%s\"", c->expect->device, name,
			      value);
	return 0;
}

static int read_size(const struct check *c, int device_fd, uint64_t *ret)
{
	char value[VALUE_MAX];
	int r;

	r = attr_read(device_fd, "size", value, sizeof(value));
	if (r == -ENOENT || r == -ENODEV)
		return refuse(c, -ESTALE, "%s has gone", c->expect->device);
	if (r < 0)
		return refuse_unread(c, r, "size");
	if (sysfs_parse_u64(value, 10, ret) < 0)
		return refuse(c, -EBUSY, "%s: size is not a number: \"%s\"", c->expect->device,
			      value);
	return 0;
}

/* The claimed tag: null if the kernel has no such attribute, and "0" in older versions of it. */
static int read_tag(const struct check *c, int device_fd, struct tag *ret)
{
	char value[VALUE_MAX];
	int r;

	*ret = (struct tag){};
	r = attr_read(device_fd, "uuid", value, sizeof(value));
	if (r == -ENOENT || (r == 0 && streq(value, "0")))
		return 0;
	if (r < 0)
		return refuse_unread(c, r, "uuid");
	if (tag_parse(value, ret) < 0)
		return refuse(c, -EBUSY, "%s: uuid is none: \"%s\"", c->expect->device, value);
	return 0;
}

/* mappingK/{start,end}, hex; the end is the last byte. */
static int read_mapping(const struct check *c, int device_fd, const char *name, struct range *ret)
{
	char path[VALUE_MAX];
	uint64_t start = 0, end = 0;
	int r;

	(void)snprintf(path, sizeof(path), "%.40s/start", name);
	r = read_number(c, device_fd, path, 16, &start);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%.40s/end", name);
	r = read_number(c, device_fd, path, 16, &end);
	if (r < 0)
		return r;
	if (end < start || end == UINT64_MAX)
		return refuse(c, -EBUSY, "%s: %s is no range: 0x%" PRIx64 "-0x%" PRIx64,
			      c->expect->device, name, start, end);
	*ret = (struct range){ .start = start, .length = end - start + 1 };
	return 0;
}

static int compare_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Reads the directory itself, not mapping0, mapping1, …: a gap in the numbers hides nothing. */
static int read_mappings(const struct check *c, int device_fd, struct claim *claim)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	uint64_t number;
	size_t room = 0;
	int r;

	r = sysfs_open_list(device_fd, ".", &dir);
	if (r < 0)
		return refuse_unread(c, r, "its directory");

	while (errno = 0, (entry = readdir(dir))) {
		if (!name_number(entry->d_name, "mapping", &number))
			continue;
		if (claim->n_mappings == MAPPINGS_MAX)
			return refuse(c, -EBUSY, "%s: more than %u mappings", c->expect->device,
				      MAPPINGS_MAX);
		if (claim->n_mappings == room) {
			struct range *p;

			room = room ? 2 * room : 16;
			p = reallocarray(claim->mappings, room, sizeof(*p));
			if (!p)
				return refuse_unread(c, -ENOMEM, "its mappings");
			claim->mappings = p;
		}
		r = read_mapping(c, device_fd, entry->d_name, &claim->mappings[claim->n_mappings]);
		if (r < 0)
			return r;
		claim->n_mappings++;
	}
	if (errno)
		return refuse_unread(c, -errno, "its directory");
	return 0;
}

/* The mappings have to be disjoint and to account for every byte of the device's size. */
static int check_sum(const struct check *c, const struct claim *claim)
{
	uint64_t sum = 0, end = 0;

	for (size_t i = 0; i < claim->n_mappings; i++) {
		const struct range *m = &claim->mappings[i];

		if (i > 0 && m->start < end)
			return refuse(c, -EBUSY, "%s: mappings overlap at 0x%" PRIx64,
				      c->expect->device, m->start);
		end = range_end(m);
		sum += m->length; /* disjoint ranges below UINT64_MAX: cannot overflow */
	}
	if (sum != claim->size)
		return refuse(c, -EBUSY, "%s: mappings add up to %" PRIu64 " of %" PRIu64 " bytes",
			      c->expect->device, sum, claim->size);
	return 0;
}

static int read_claim(const struct check *c, int device_fd, struct claim *ret)
{
	int r;

	r = read_size(c, device_fd, &ret->size);
	if (r < 0)
		return r;
	r = read_tag(c, device_fd, &ret->tag);
	if (r < 0)
		return r;
	r = read_mappings(c, device_fd, ret);
	if (r < 0)
		return r;
	if (ret->n_mappings > 0)
		qsort(ret->mappings, ret->n_mappings, sizeof(*ret->mappings), compare_start);
	return check_sum(c, ret);
}

static int check_expected(const struct check *c, const struct claim *claim)
{
	const struct guard_expect *e = c->expect;
	char is[TAG_STRLEN + 1], want[TAG_STRLEN + 1];

	if (claim->size != e->size)
		return refuse(c, -ESTALE, "%s: size is %" PRIu64 ", expected %" PRIu64, e->device,
			      claim->size, e->size);
	if (claim->size == 0)
		return 0; /* claims nothing: neither tag nor mapping is left to compare */
	if (!tag_equal(&claim->tag, &e->tag))
		return refuse(c, -ESTALE, "%s: tag is %s, expected %s", e->device,
			      tag_format(&claim->tag, is), tag_format(&e->tag, want));
	if (!range_equal(&claim->mappings[0], &e->first_mapping))
		return refuse(c, -ESTALE,
			      "%s: lowest mapping is at 0x%" PRIx64 " (0x%" PRIx64
			      " bytes), expected 0x%" PRIx64 " (0x%" PRIx64 ")",
			      e->device, claim->mappings[0].start, claim->mappings[0].length,
			      e->first_mapping.start, e->first_mapping.length);
	return 0;
}

/* The directory of the memory blocks, and how large they are. */
static int open_memory(const struct check *c, int sysfs_fd, int *ret_fd, uint64_t *ret_block_size)
{
	_cleanup_close_ int fd = -EBADF;
	uint64_t size = 0;
	int r;

	fd = attr_open_beneath(sysfs_fd, "devices/system/memory", O_PATH | O_DIRECTORY);
	if (fd < 0)
		return refuse_unread(c, fd, "devices/system/memory");
	r = read_number(c, fd, "block_size_bytes", 16, &size);
	if (r < 0)
		return r;
	if (size < BLOCK_SIZE_MIN || size > BLOCK_SIZE_MAX || (size & (size - 1))) {
		(void)refuse(c, -EBUSY, "%s: no memory block has 0x%" PRIx64 " bytes",
			     c->expect->device, size);
		return -EBUSY;
	}
	*ret_fd = take_fd(&fd);
	*ret_block_size = size;
	return 0;
}

/* A block is free if its directory is not there, or its state is exactly "offline". */
static int check_block(const struct check *c, int memory_fd, uint64_t number)
{
	char name[VALUE_MAX], path[VALUE_MAX + 8], value[VALUE_MAX];
	struct stat st;
	int r;

	(void)snprintf(name, sizeof(name), "memory%" PRIu64, number);
	(void)snprintf(path, sizeof(path), "%s/state", name);
	r = attr_read(memory_fd, path, value, sizeof(value));
	if (r == 0 && streq(value, "offline"))
		return 0;
	if (r == 0)
		return refuse(c, -EBUSY, "%s: %s is \"%s\", not offline", c->expect->device, name,
			      value);

	/* Only the missing directory means a missing block; a missing attribute means nothing. */
	if (fstatat(memory_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return refuse_unread(c, r, path);
}

static int check_blocks(const struct check *c, int sysfs_fd, const struct claim *claim)
{
	_cleanup_close_ int memory_fd = -EBADF;
	uint64_t block_size = 0, next = 0, left = BLOCKS_MAX;
	int r;

	r = open_memory(c, sysfs_fd, &memory_fd, &block_size);
	if (r < 0)
		return r;

	for (size_t i = 0; i < claim->n_mappings; i++) {
		/* Two mappings may touch one block: they are aligned to less than a block. */
		uint64_t first = MAX(claim->mappings[i].start / block_size, next);
		uint64_t end = (range_end(&claim->mappings[i]) - 1) / block_size + 1;

		if (end > first && end - first > left)
			return refuse(c, -EBUSY, "%s: more than %" PRIu64 " memory blocks",
				      c->expect->device, BLOCKS_MAX);
		for (uint64_t block = first; block < end; block++, left--) {
			r = check_block(c, memory_fd, block);
			if (r < 0)
				return r;
		}
		next = MAX(next, end);
	}
	return 0;
}

static bool claim_equal(const struct claim *a, const struct claim *b)
{
	if (a->size != b->size || a->n_mappings != b->n_mappings || !tag_equal(&a->tag, &b->tag))
		return false;
	for (size_t i = 0; i < a->n_mappings; i++)
		if (!range_equal(&a->mappings[i], &b->mappings[i]))
			return false;
	return true;
}

/* Opens the expected device, and reads that it is the expected one. */
static int open_expected(const struct check *c, int sysfs_fd, int *ret_fd, struct claim *ret_claim)
{
	_cleanup_close_ int fd = -EBADF;
	char path[DEV_NAME_MAX + 32];
	int r;

	if (c->size > 0)
		c->message[0] = '\0';
	if (!attr_is_dax_name(c->expect->device))
		return refuse(c, -EPERM, "no dax device is expected");

	(void)snprintf(path, sizeof(path), "bus/dax/devices/%s", c->expect->device);
	fd = attr_open_beneath(sysfs_fd, path, O_PATH | O_DIRECTORY);
	if (fd == -ENOENT)
		return refuse(c, -ESTALE, "%s has gone", c->expect->device);
	if (fd < 0)
		return refuse_unread(c, fd, path);

	r = read_claim(c, fd, ret_claim);
	if (r < 0)
		return r;
	r = check_expected(c, ret_claim);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

int guard_check_device(int sysfs_fd, const struct guard_expect *expect, char *ret_message,
		       size_t size)
{
	const struct check c = { .expect = expect, .message = ret_message, .size = size };
	_cleanup_(claim_done) struct claim claim = {};
	_cleanup_close_ int device_fd = -EBADF;

	return open_expected(&c, sysfs_fd, &device_fd, &claim);
}

int guard_check_block(int sysfs_fd, const struct guard_expect *expect, uint64_t number,
		      char *ret_message, size_t size)
{
	const struct check c = { .expect = expect, .message = ret_message, .size = size };
	_cleanup_close_ int device_fd = -EBADF, memory_fd = -EBADF;
	_cleanup_(claim_done) struct claim claim = {};
	uint64_t block_size = 0;
	int r;

	r = open_expected(&c, sysfs_fd, &device_fd, &claim);
	if (r < 0)
		return r;
	r = open_memory(&c, sysfs_fd, &memory_fd, &block_size);
	if (r < 0)
		return r;
	for (size_t i = 0; i < claim.n_mappings; i++)
		if (number >= claim.mappings[i].start / block_size &&
		    number <= (range_end(&claim.mappings[i]) - 1) / block_size)
			return 0;
	return refuse(&c, -ESTALE, "memory%" PRIu64 " is no part of %s", number, expect->device);
}

int guard_check(int sysfs_fd, const struct guard_expect *expect, char *ret_message, size_t size)
{
	const struct check c = { .expect = expect, .message = ret_message, .size = size };
	_cleanup_(claim_done) struct claim claim = {}, again = {};
	_cleanup_close_ int device_fd = -EBADF;
	int r;

	r = open_expected(&c, sysfs_fd, &device_fd, &claim);
	if (r < 0)
		return r;
	r = check_blocks(&c, sysfs_fd, &claim);
	if (r < 0)
		return r;

	/* The blocks walked have to be those of the device as it still is. */
	r = read_claim(&c, device_fd, &again);
	if (r < 0)
		return r;
	if (!claim_equal(&claim, &again))
		return refuse(&c, -ESTALE, "%s changed while it was looked at", expect->device);
	return 0;
}
