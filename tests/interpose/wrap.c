/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The libc calls by which the daemon and its workers change sysfs and the state directory, each
 * standing in for the real one. Those that stdio makes inside of libc do not come by here; the
 * test notices, since what it was told then does not add up to what is in the directory.
 */
#undef _FORTIFY_SOURCE /* its inline functions have the names that are defined here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record.h"

/* What the daemon calls instead of open() when it was compiled with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir_fd, const char *path, int flags);
int __openat64_2(int dir_fd, const char *path, int flags);

/* The function of this name behind ours. POSIX wants this cast of dlsym() to work. */
#define REAL(name)                                                                                 \
	({                                                                                         \
		static __typeof__(name) *real_;                                                    \
		if (!real_)                                                                        \
			*(void **)&real_ = dlsym(RTLD_NEXT, #name);                                \
		real_;                                                                             \
	})

static bool failed(const struct record *record)
{
	return record->action == INTERPOSE_FAIL;
}

static bool by_half(const struct record *record)
{
	return record->action == INTERPOSE_SHORT || record->action == INTERPOSE_KILL_MIDDLE;
}

static uint64_t inode_of(int fd)
{
	int saved = errno;
	struct stat st;

	if (fstat(fd, &st) < 0)
		st.st_ino = 0;
	errno = saved;
	return st.st_ino;
}

/* Parameters have names here that say more than those of libc. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* ---- open ---- */

static int do_open(int dir_fd, const char *path, int flags, mode_t mode)
{
	char name[INTERPOSE_PATH_MAX];
	struct record record;
	enum place place;
	bool there;
	int fd;

	/* O_TMPFILE has the bits of O_DIRECTORY. */
	if (!(flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) || (flags & O_PATH))
		return REAL(openat)(dir_fd, path, flags, mode);
	place = place_of_path(dir_fd, path, name);
	if (place != PLACE_STATE_FILE &&
	    !(place == PLACE_STATE_DIR && (flags & O_TMPFILE) == O_TMPFILE))
		return REAL(openat)(dir_fd, path, flags, mode);

	there = faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
		place == PLACE_STATE_FILE;
	record = record_begin(there ? INTERPOSE_OPEN : INTERPOSE_CREATE, name, NULL);
	if (failed(&record))
		return -1;
	fd = REAL(openat)(dir_fd, path, flags, mode);
	if (record.op && fd >= 0) {
		record.op->inode = inode_of(fd);
		record.op->truncated = there && (flags & O_TRUNC);
	}
	record_end(&record, fd < 0);
	return fd;
}

#define TAKE_MODE(flags)                                                                           \
	({                                                                                         \
		mode_t mode_ = 0;                                                                  \
		if ((flags) & (O_CREAT | __O_TMPFILE)) {                                           \
			va_list ap_;                                                               \
			va_start(ap_, flags);                                                      \
			mode_ = va_arg(ap_, mode_t);                                               \
			va_end(ap_);                                                               \
		}                                                                                  \
		mode_;                                                                             \
	})

int open(const char *path, int flags, ...)
{
	return do_open(AT_FDCWD, path, flags, TAKE_MODE(flags));
}

int open64(const char *path, int flags, ...)
{
	return do_open(AT_FDCWD, path, flags | O_LARGEFILE, TAKE_MODE(flags));
}

int openat(int dir_fd, const char *path, int flags, ...)
{
	return do_open(dir_fd, path, flags, TAKE_MODE(flags));
}

int openat64(int dir_fd, const char *path, int flags, ...)
{
	return do_open(dir_fd, path, flags | O_LARGEFILE, TAKE_MODE(flags));
}

int creat(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int __open_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags | O_LARGEFILE, 0);
}

int __openat_2(int dir_fd, const char *path, int flags)
{
	return do_open(dir_fd, path, flags, 0);
}

int __openat64_2(int dir_fd, const char *path, int flags)
{
	return do_open(dir_fd, path, flags | O_LARGEFILE, 0);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
	char name[INTERPOSE_PATH_MAX];
	struct record record;
	int r;

	if (place_of_path(dir_fd, path, name) != PLACE_STATE_DIR)
		return REAL(mkdirat)(dir_fd, path, mode);
	record = record_begin(INTERPOSE_MKDIR, name, NULL);
	if (failed(&record))
		return -1;
	r = REAL(mkdirat)(dir_fd, path, mode);
	record_end(&record, r < 0);
	return r;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* ---- write ---- */

/* @offset: where, -1: where the file's position is. */
static ssize_t do_write(int fd, const void *data, size_t size, off_t offset)
{
	char path[INTERPOSE_PATH_MAX];
	enum place place = place_of_fd(fd, path);
	struct record record;
	ssize_t n;

	if (place != PLACE_SYSFS && place != PLACE_STATE_FILE)
		return offset < 0 ? REAL(write)(fd, data, size)
				  : REAL(pwrite)(fd, data, size, offset);
	record = record_begin(place == PLACE_SYSFS ? INTERPOSE_SYSFS : INTERPOSE_WRITE, path, NULL);
	if (failed(&record))
		return -1;
	if (place == PLACE_STATE_FILE && by_half(&record))
		size /= 2;
	n = offset < 0 ? REAL(write)(fd, data, size) : REAL(pwrite)(fd, data, size, offset);
	if (record.op && (n >= 0 || place == PLACE_SYSFS))
		record_data(&record, data, n < 0 ? size : (size_t)n);
	if (record.op && n >= 0 && place == PLACE_STATE_FILE) {
		record.op->inode = inode_of(fd);
		record.op->offset = (uint64_t)(offset < 0 ? lseek(fd, 0, SEEK_CUR) - n : offset);
	}
	record_end(&record, n < 0);
	return n;
}

ssize_t write(int fd, const void *data, size_t size)
{
	return do_write(fd, data, size, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return do_write(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	return do_write(fd, data, size, offset);
}

/* One write of each part is what it may come to anyhow. */
ssize_t writev(int fd, const struct iovec *parts, int n_parts)
{
	char path[INTERPOSE_PATH_MAX];
	ssize_t total = 0;

	if (place_of_fd(fd, path) == PLACE_ELSEWHERE)
		return REAL(writev)(fd, parts, n_parts);
	for (int i = 0; i < n_parts; i++) {
		ssize_t n = do_write(fd, parts[i].iov_base, parts[i].iov_len, -1);

		if (n < 0)
			return total > 0 ? total : -1;
		total += n;
		if ((size_t)n < parts[i].iov_len)
			break;
	}
	return total;
}

static int do_truncate(int fd, off_t length)
{
	char path[INTERPOSE_PATH_MAX];
	struct record record;
	int r;

	if (place_of_fd(fd, path) != PLACE_STATE_FILE)
		return REAL(ftruncate)(fd, length);
	record = record_begin(INTERPOSE_TRUNCATE, path, NULL);
	if (failed(&record))
		return -1;
	r = REAL(ftruncate)(fd, length);
	if (record.op) {
		record.op->inode = inode_of(fd);
		record.op->offset = (uint64_t)length;
	}
	record_end(&record, r < 0);
	return r;
}

int ftruncate(int fd, off_t length)
{
	return do_truncate(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
	return do_truncate(fd, length);
}

/* ---- fsync ---- */

static int do_sync(int fd, bool only_data)
{
	char path[INTERPOSE_PATH_MAX];
	enum place place = place_of_fd(fd, path);
	struct record record;
	int r;

	if (place != PLACE_STATE_DIR && place != PLACE_STATE_FILE)
		return only_data ? REAL(fdatasync)(fd) : REAL(fsync)(fd);
	record = record_begin(place == PLACE_STATE_DIR ? INTERPOSE_FSYNC_DIR : INTERPOSE_FSYNC,
			      path, NULL);
	if (failed(&record))
		return -1;
	if (record.op)
		record.op->inode = inode_of(fd);
	r = only_data ? REAL(fdatasync)(fd) : REAL(fsync)(fd);
	record_end(&record, r < 0);
	return r;
}

int fsync(int fd)
{
	return do_sync(fd, false);
}

int fdatasync(int fd)
{
	return do_sync(fd, true);
}

/* ---- names ---- */

int renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
	char from[INTERPOSE_PATH_MAX], to[INTERPOSE_PATH_MAX];
	struct record record;
	int r;

	if (place_of_path(old_fd, old, from) != PLACE_STATE_FILE &&
	    place_of_path(new_fd, new, to) != PLACE_STATE_FILE)
		return REAL(renameat2)(old_fd, old, new_fd, new, flags);
	(void)place_of_path(new_fd, new, to);
	record = record_begin(INTERPOSE_RENAME, from, to);
	if (failed(&record))
		return -1;
	r = REAL(renameat2)(old_fd, old, new_fd, new, flags);
	record_end(&record, r < 0);
	return r;
}

int renameat(int old_fd, const char *old, int new_fd, const char *new)
{
	return renameat2(old_fd, old, new_fd, new, 0);
}

int rename(const char *old, const char *new)
{
	return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int linkat(int old_fd, const char *old, int new_fd, const char *new, int flags)
{
	char from[INTERPOSE_PATH_MAX], to[INTERPOSE_PATH_MAX];
	struct record record;
	struct stat st;
	int r;

	if (place_of_path(new_fd, new, to) != PLACE_STATE_FILE)
		return REAL(linkat)(old_fd, old, new_fd, new, flags);
	(void)place_of_path(old_fd, old, from);
	record = record_begin(INTERPOSE_LINK, from, to);
	if (failed(&record))
		return -1;
	r = REAL(linkat)(old_fd, old, new_fd, new, flags);
	if (record.op && r == 0 && fstatat(new_fd, new, &st, AT_SYMLINK_NOFOLLOW) == 0)
		record.op->inode = st.st_ino;
	record_end(&record, r < 0);
	return r;
}

int link(const char *old, const char *new)
{
	return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
	char name[INTERPOSE_PATH_MAX];
	struct record record;
	int r;

	if (place_of_path(dir_fd, path, name) != PLACE_STATE_FILE)
		return REAL(unlinkat)(dir_fd, path, flags);
	record = record_begin(INTERPOSE_UNLINK, name, NULL);
	if (failed(&record))
		return -1;
	r = REAL(unlinkat)(dir_fd, path, flags);
	record_end(&record, r < 0);
	return r;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
