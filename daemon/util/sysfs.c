/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded attribute readers. */
#include <fcntl.h>
#include <limits.h>
#include <sys/types.h>

#include "util/sysfs.h"

ssize_t sysfs_read(int dirfd, const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	size_t length = 0;

	if (size == 0)
		return -EMSGSIZE;
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;

	/* One byte more than fits tells "exactly full" from "too much". */
	for (;;) {
		char extra;
		size_t room = size - 1 - length;
		ssize_t n = read(fd, room ? buf + length : &extra, room ? room : 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (room == 0)
			return -EMSGSIZE;
		length += (size_t)n;
	}

	if (memchr(buf, '\0', length))
		return -EBADMSG;
	while (length > 0 && strchr(" \t\n", buf[length - 1]))
		length--;
	buf[length] = '\0';
	return (ssize_t)length;
}

int sysfs_parse_u64(const char *s, int base, uint64_t *ret)
{
	uint64_t value = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (*s == '\0')
		return -EBADMSG;

	for (; *s; s++) {
		unsigned digit;

		if (*s >= '0' && *s <= '9')
			digit = (unsigned)(*s - '0');
		else if (base == 16 && *s >= 'a' && *s <= 'f')
			digit = (unsigned)(*s - 'a') + 10;
		else if (base == 16 && *s >= 'A' && *s <= 'F')
			digit = (unsigned)(*s - 'A') + 10;
		else
			return -EBADMSG;

		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int sysfs_read_u64(int dirfd, const char *path, int base, uint64_t *ret)
{
	char text[32];
	ssize_t n = sysfs_read(dirfd, path, text, sizeof(text));

	if (n < 0)
		return n == -EMSGSIZE ? -EBADMSG : (int)n;
	return sysfs_parse_u64(text, base, ret);
}

int sysfs_read_i32(int dirfd, const char *path, int32_t *ret)
{
	char text[32] = "";
	ssize_t n = sysfs_read(dirfd, path, text, sizeof(text));
	bool negative;
	uint64_t value;
	int r;

	if (n < 0)
		return n == -EMSGSIZE ? -EBADMSG : (int)n;
	negative = text[0] == '-';
	r = sysfs_parse_u64(text + negative, 10, &value);
	if (r < 0)
		return r;
	if (value > INT32_MAX)
		return -ERANGE;
	*ret = negative ? -(int32_t)value : (int32_t)value;
	return 0;
}

int sysfs_read_link(int dirfd, const char *path, char *buf, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, path, target, sizeof(target));
	const char *name;

	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (*name == '\0')
		return -EBADMSG;
	return str_copy(buf, size, name);
}

int sysfs_open_dir(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sysfs_open_list(int dirfd, const char *path, DIR **ret)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)take_fd(&fd);
	*ret = dir;
	return 0;
}

int sysfs_next(DIR *dir, const char **ret_name)
{
	struct dirent *entry;

	errno = 0;
	entry = readdir(dir);
	if (!entry)
		return -errno;
	*ret_name = entry->d_name;
	return 1;
}

bool name_number(const char *name, const char *prefix, uint64_t *ret)
{
	const char *digits = startswith(name, prefix);

	if (!digits || *digits < '0' || *digits > '9')
		return false;
	/* "0x…" is no name; sysfs_parse_u64() would take it. */
	if (digits[0] == '0' && digits[1] != '\0')
		return false;
	return sysfs_parse_u64(digits, 10, ret) == 0;
}
