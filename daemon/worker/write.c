/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one function of the daemon that writes to sysfs. What a write means is judged by where the
 * path really leads (the kernel reaches one attribute by several links), and only what is on the
 * list below is written at all; what could hand memory back goes through the guard first.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

#include "util/sysfs.h"

#include "attr.h"
#include "guard.h"

enum write_kind {
	WRITE_NEVER,
	WRITE_HARMLESS,	   /* the kernel itself keeps it safe, and it can be undone */
	WRITE_DESTRUCTIVE, /* on memory in use, the kernel lets it through */
};

/* An attribute, by where it is and not by the name it was asked for under. */
struct target {
	int dir_fd;
	char dir[PATH_MAX]; /* real path of its directory below the sysfs root */
	const char *name;
};

static int _printf_(4, 5) refuse(char *message, size_t size, int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, size, format, ap);
	va_end(ap);
	return error;
}

static int fd_path(int fd, char *buf, size_t size)
{
	char link[32];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, size);
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

/* Where @fd really is below @sysfs_fd, "" for the root itself; -EXDEV if it is elsewhere. */
static int real_path(int sysfs_fd, int fd, char *buf, size_t size)
{
	char root[PATH_MAX], full[PATH_MAX];
	const char *rest;
	int r;

	r = fd_path(sysfs_fd, root, sizeof(root));
	if (r < 0)
		return r;
	r = fd_path(fd, full, sizeof(full));
	if (r < 0)
		return r;

	rest = startswith(full, streq(root, "/") ? "" : root);
	if (!rest)
		return -EXDEV;
	if (*rest == '\0')
		return str_copy(buf, size, "");
	return *rest == '/' ? str_copy(buf, size, rest + 1) : -EXDEV;
}

static int target_open(int sysfs_fd, const char *path, struct target *ret)
{
	int r;

	ret->dir_fd = attr_open_parent(sysfs_fd, path, &ret->name);
	if (ret->dir_fd < 0)
		return ret->dir_fd;
	r = real_path(sysfs_fd, ret->dir_fd, ret->dir, sizeof(ret->dir));
	if (r < 0)
		ret->dir_fd = safe_close(ret->dir_fd);
	return r;
}

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (streq(s, list[i]))
			return true;
	return false;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* memoryN/state: the kernel refuses to offline what it cannot empty. */
static enum write_kind classify_block(const char *name, const char *value)
{
	static const char *const states[] = { "offline", "online", "online_movable",
					      "online_kernel" };

	return streq(name, "state") && is_one_of(value, states, ARRAY_SIZE(states)) ? WRITE_HARMLESS
										    : WRITE_NEVER;
}

/* bus/dax/drivers/D/…: the value is the device. */
static enum write_kind classify_driver(const char *driver, const char *name, const char *value,
				       const char **ret_device)
{
	static const char *const drivers[] = { "kmem", "device_dax", "fsdev_dax" };
	static const char *const harmless[] = { "bind", "new_id", "remove_id" };

	if (!is_one_of(driver, drivers, ARRAY_SIZE(drivers)) || !attr_is_dax_name(value))
		return WRITE_NEVER;
	if (is_one_of(name, harmless, ARRAY_SIZE(harmless)))
		return WRITE_HARMLESS;
	if (!streq(name, "unbind"))
		return WRITE_NEVER;
	*ret_device = value;
	return WRITE_DESTRUCTIVE;
}

/* daxX.Y/…: the directory is the device. `unplugged` offlines and removes, or changes nothing. */
static enum write_kind classify_device(const char *device, const char *name, const char *value,
				       const char **ret_device)
{
	static const char *const states[] = { "unplugged", "online", "online_movable",
					      "online_kernel" };
	struct tag tag;

	if (streq(name, "state") && is_one_of(value, states, ARRAY_SIZE(states)))
		return WRITE_HARMLESS;
	if (streq(name, "uuid") && (streq(value, "0") || tag_parse(value, &tag) == 0))
		return WRITE_HARMLESS;
	if (!streq(name, "size") || !streq(value, "0"))
		return WRITE_NEVER;
	*ret_device = device;
	return WRITE_DESTRUCTIVE;
}

/* dax_regionN/dax_region/…: the value is the device. */
static enum write_kind classify_region(const char *name, const char *value, const char **ret_device)
{
	if (streq(name, "create") && streq(value, "1"))
		return WRITE_HARMLESS;
	if (!streq(name, "delete") || !attr_is_dax_name(value))
		return WRITE_NEVER;
	*ret_device = value;
	return WRITE_DESTRUCTIVE;
}

/* Whether @dir is …/dax_regionN/dax_region. */
static bool is_dax_region(const char *dir)
{
	char parent[PATH_MAX];
	size_t n = strlen(dir), tail = strlen("/dax_region");
	uint64_t number;

	if (n <= tail || !streq(dir + n - tail, "/dax_region"))
		return false;
	memcpy(parent, dir, n - tail);
	parent[n - tail] = '\0';
	return name_number(last_component(parent), "dax_region", &number);
}

/* The whole list. *@ret_device is set if the write is destructive: whose memory it is about. */
static enum write_kind classify(const struct target *target, const char *value,
				const char **ret_device)
{
	const char *last = last_component(target->dir);
	const char *rest;
	uint64_t number;

	rest = startswith(target->dir, "devices/system/memory/");
	if (rest)
		return name_number(rest, "memory", &number) ? classify_block(target->name, value)
							    : WRITE_NEVER;
	rest = startswith(target->dir, "bus/dax/drivers/");
	if (rest)
		return classify_driver(rest, target->name, value, ret_device);
	if (!startswith(target->dir, "devices/"))
		return WRITE_NEVER;
	if (attr_is_dax_name(last))
		return classify_device(last, target->name, value, ret_device);
	if (is_dax_region(target->dir))
		return classify_region(target->name, value, ret_device);
	return WRITE_NEVER;
}

/* The device whose size is written must be the one that the guard finds under its name. */
static int check_same_device(int sysfs_fd, const struct target *target, const char *device,
			     char *message, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	char path[DEV_NAME_MAX + 32], dir[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "bus/dax/devices/%.*s", DEV_NAME_MAX, device);
	fd = attr_open_beneath(sysfs_fd, path, O_PATH | O_DIRECTORY);
	r = fd < 0 ? fd : real_path(sysfs_fd, fd, dir, sizeof(dir));
	if (r < 0)
		return refuse(message, size, r == -ENOENT ? -ESTALE : r, "%s has gone", device);
	if (!streq(dir, target->dir))
		return refuse(message, size, -EPERM, "%s is not the device at %s", device,
			      target->dir);
	return 0;
}

static int write_once(int fd, const char *value, usec_t *ret_elapsed)
{
	size_t n = strlen(value);
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	ssize_t k = write(fd, value, n);
	int r = k < 0 ? -errno : (size_t)k != n ? -EIO : 0;

	*ret_elapsed = now_usec(CLOCK_MONOTONIC) - begin;
	return r;
}

static int write_target(int sysfs_fd, const struct target *target, const char *value,
			const struct guard_expect *expect, usec_t *ret_elapsed, char *message,
			size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	const char *device = NULL;
	enum write_kind kind = classify(target, value, &device);
	int r;

	if (kind == WRITE_NEVER)
		return refuse(message, size, -EPERM, "never written: \"%s\" to %s/%s", value,
			      target->dir, target->name);
	if (kind == WRITE_DESTRUCTIVE) {
		if (!expect || !expect->device[0])
			return refuse(message, size, -EPERM, "%s of %s without saying what it is",
				      target->name, device);
		if (!streq(device, expect->device))
			return refuse(message, size, -EPERM, "%s of %s, but %s is expected",
				      target->name, device, expect->device);
	}

	/* Opened first, so that nothing is left to do between the check and the write. */
	fd = openat(target->dir_fd, target->name, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (kind == WRITE_DESTRUCTIVE) {
		if (streq(target->name, "size")) {
			r = check_same_device(sysfs_fd, target, device, message, size);
			if (r < 0)
				return r;
		}
		r = guard_check(sysfs_fd, expect, message, size);
		if (r < 0)
			return r;
	}
	return write_once(fd, value, ret_elapsed);
}

int sysfs_write(int sysfs_fd, const char *path, const char *value,
		const struct guard_expect *expect, usec_t *ret_elapsed, char *ret_message,
		size_t size)
{
	struct target target = { .dir_fd = -EBADF };
	int r;

	*ret_elapsed = 0;
	if (size > 0)
		ret_message[0] = '\0';

	r = target_open(sysfs_fd, path, &target);
	if (r == -EINVAL || r == -EXDEV)
		return refuse(ret_message, size, -EPERM, "not a path below sysfs: \"%s\"", path);
	if (r < 0)
		return r;
	r = write_target(sysfs_fd, &target, value, expect, ret_elapsed, ret_message, size);
	(void)safe_close(target.dir_fd);
	return r;
}
