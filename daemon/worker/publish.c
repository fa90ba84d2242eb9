/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making an undo journal durable; see publish.h. Here and not in the daemon, since fsync() waits
 * for the disk, and a disk that does not answer must not keep the daemon.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "attr.h"
#include "publish.h"
#include "worker.h"

#define SUFFIX ".undo"
#define SUFFIX_NEW ".new" /* more, behind that */

/* Whether it is absolute, plain, and of a file that ends in .undo. */
static bool path_valid(const char *path)
{
	const char *name = strrchr(path, '/');
	size_t n;

	if (path[0] != '/' || !name || !attr_path_valid(path + 1))
		return false;
	name++;
	n = strlen(name);
	return n > strlen(SUFFIX) && n + strlen(SUFFIX_NEW) <= NAME_MAX &&
	       streq(name + n - strlen(SUFFIX), SUFFIX);
}

static int open_dir_of(const char *path)
{
	char dir[WORKER_PATH_MAX];
	size_t n = (size_t)(strrchr(path, '/') - path);
	int fd;

	memcpy(dir, path, n);
	dir[n] = '\0';
	fd = open(n > 0 ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether the name still is that of the file that was made durable. */
static int check_same(int dir_fd, const char *name, const struct stat *file)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return st.st_dev == file->st_dev && st.st_ino == file->st_ino ? 0 : -ESTALE;
}

static int publish_in(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -EBADF;
	char draft[NAME_MAX + 1];
	struct stat st;
	int r;

	(void)snprintf(draft, sizeof(draft), "%s%s", name, SUFFIX_NEW);
	fd = openat(dir_fd, draft, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (fsync(fd) < 0)
		return -errno;
	r = check_same(dir_fd, draft, &st);
	if (r < 0)
		return r;
	if (renameat(dir_fd, draft, dir_fd, name) < 0)
		return -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int publish(const char *path, usec_t *ret_elapsed, char *ret_message, size_t size)
{
	_cleanup_close_ int dir_fd = -EBADF;
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	int r;

	*ret_elapsed = 0;
	if (!path_valid(path)) {
		(void)snprintf(ret_message, size, "never published: \"%s\"", path);
		return -EPERM;
	}
	dir_fd = open_dir_of(path);
	r = dir_fd < 0 ? dir_fd : publish_in(dir_fd, strrchr(path, '/') + 1);
	*ret_elapsed = now_usec(CLOCK_MONOTONIC) - begin;
	return r;
}
