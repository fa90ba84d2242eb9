/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock file; see lock.h. */
#include "lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

int host_lock(const char *dir, int *ret_fd, int32_t *ret_pid)
{
	_cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;
	char pid[16] = "";
	int n;

	*ret_pid = 0;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		/* Only for the message; what the file says is not relied on. */
		if (read(fd, pid, sizeof(pid) - 1) > 0)
			*ret_pid = (int32_t)strtol(pid, NULL, 10);
		return -EBUSY;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return -EIO;
	*ret_fd = take_fd(&fd);
	return 0;
}

int host_lock_tracefs(int *ret_fd)
{
	static const char *const dirs[] = { "/sys/kernel/tracing/instances",
					    "/sys/kernel/debug/tracing/instances" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int fd = open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			continue; /* who needs it says what is wrong */
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		*ret_fd = take_fd(&fd);
		return 0;
	}
	return 0;
}
