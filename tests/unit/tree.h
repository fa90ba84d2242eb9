/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory tree that looks like sysfs, in a temporary directory: for tests of what reads and
 * writes attributes. Every helper fails the running test when it cannot do its part.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <dcdd/base.h>

/* Where the kernel puts what bus/… links to. */
#define TREE_DAX_REGION "devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0"
#define TREE_MEMORY "devices/system/memory"

struct tree {
	char path[64];
	int fd;
};

static inline void tree_init(struct tree *ret)
{
	(void)snprintf(ret->path, sizeof(ret->path), "/tmp/dcdd-tree-XXXXXX");
	assert_non_null(mkdtemp(ret->path));
	ret->fd = open(ret->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(ret->fd >= 0);
}

static inline int tree_unlink_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Removes what is at @path, with everything below it. */
static inline void tree_remove(const struct tree *tree, const char *path)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", tree->path, path);
	assert_int_equal(nftw(full, tree_unlink_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void tree_done(struct tree *tree)
{
	tree_remove(tree, "");
	(void)close(tree->fd);
}

/* Makes @path a directory, and all above it. */
static inline void tree_mkdir(const struct tree *tree, const char *path)
{
	char part[PATH_MAX];

	for (const char *p = path; p;) {
		p = strchr(p, '/');
		(void)snprintf(part, sizeof(part), "%.*s", p ? (int)(p - path) : (int)strlen(path),
			       path);
		if (mkdirat(tree->fd, part, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		if (p)
			p++;
	}
}

static inline void tree_mkdir_above(const struct tree *tree, const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	tree_mkdir(tree, dir);
}

static inline void tree_write_bytes(const struct tree *tree, const char *path, const void *data,
				    size_t size)
{
	int fd;

	tree_mkdir_above(tree, path);
	fd = openat(tree->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	(void)close(fd);
}

/* Sets an attribute; @text without the newline that the kernel adds. */
static inline void tree_write(const struct tree *tree, const char *path, const char *text)
{
	char line[4096];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	tree_write_bytes(tree, path, line, (size_t)n);
}

/* What is in the attribute now, with whatever an unadorned write left behind its own bytes. */
static inline void tree_read(const struct tree *tree, const char *path, char *buf, size_t size)
{
	int fd = openat(tree->fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, buf, size - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	(void)close(fd);
}

static inline void tree_link(const struct tree *tree, const char *path, const char *target)
{
	tree_mkdir_above(tree, path);
	assert_int_equal(symlinkat(target, tree->fd, path), 0);
}
