/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reaching sysfs attributes in the worker. Everything is relative to a directory fd, so that a
 * test, the simulated host and the kernel's /sys take the same path through the code.
 */
#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "attr.h"
#include "worker.h"

/* Any rename on the system makes a ".." look-up below a root fail with EAGAIN; then try again. */
#define RESOLVE_TRIES 128

bool attr_path_valid(const char *path)
{
	const char *p = path;

	if (strnlen(path, WORKER_PATH_MAX) >= WORKER_PATH_MAX)
		return false;
	for (;;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

int attr_open_beneath(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	for (unsigned i = 0;; i++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN || i >= RESOLVE_TRIES)
			return -errno;
	}
}

int attr_open_parent(int root_fd, const char *path, const char **ret_name)
{
	char parent[WORKER_PATH_MAX];
	const char *slash;

	if (!attr_path_valid(path))
		return -EINVAL;

	slash = strrchr(path, '/');
	if (!slash) {
		*ret_name = path;
		return attr_open_beneath(root_fd, ".", O_PATH | O_DIRECTORY);
	}
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	*ret_name = slash + 1;
	return attr_open_beneath(root_fd, parent, O_PATH | O_DIRECTORY);
}

static int read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;

	for (;;) {
		ssize_t k = read(fd, buf + n, size - n);

		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		n += (size_t)k;
		if (n == size)
			return -EMSGSIZE;
	}
	if (memchr(buf, '\0', n))
		return -EBADMSG;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return 0;
}

int attr_read(int dir_fd, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	buf[0] = '\0';
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = read_all(fd, buf, size);
	if (r < 0)
		buf[0] = '\0';
	return r;
}

/* Skips a decimal number without leading zeros; NULL if there is none. */
static const char *skip_number(const char *s)
{
	if (!isdigit((unsigned char)*s) || (s[0] == '0' && isdigit((unsigned char)s[1])))
		return NULL;
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

bool attr_is_dax_name(const char *s)
{
	if (strnlen(s, DEV_NAME_MAX) >= DEV_NAME_MAX)
		return false;
	s = startswith(s, "dax");
	if (s)
		s = skip_number(s);
	if (!s || *s != '.')
		return false;
	s = skip_number(s + 1);
	return s && !*s;
}
