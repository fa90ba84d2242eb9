/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one function of the daemon that writes to sysfs. What a write means is judged by where the
 * path really leads (the kernel reaches one attribute by several links), and only what is on the
 * list below is written at all; whatever is about a device goes through the guard first.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

#include "util/sysfs.h"

#include "attr.h"
#include "guard.h"

enum write_kind {
	WRITE_NEVER,
	WRITE_CREATE, /* about no device yet */
	/* The kernel itself keeps these safe, and they can be undone: */
	WRITE_BLOCK,  /* about a memory block of a device */
	WRITE_DEVICE, /* about a device */
	WRITE_CLAIM,  /* about a device that claims nothing yet */
	/* On memory in use, the kernel lets it through: */
	WRITE_DESTRUCTIVE,
};

/* What a write is about. */
struct subject {
	enum write_kind kind;
	const char *device; /* by the directory or the value; NULL: memory block, create */
	bool in_directory;  /* it is the directory that names the device */
	uint64_t block;	    /* WRITE_BLOCK: its number */
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

	return streq(name, "state") && is_one_of(value, states, ARRAY_SIZE(states)) ? WRITE_BLOCK
										    : WRITE_NEVER;
}

/* bus/dax/drivers/D/…: the value is the device. */
static enum write_kind classify_driver(const char *driver, const char *name, const char *value)
{
	static const char *const drivers[] = { "kmem", "device_dax", "fsdev_dax" };
	static const char *const binding[] = { "bind", "new_id" };

	if (!is_one_of(driver, drivers, ARRAY_SIZE(drivers)) || !attr_is_dax_name(value))
		return WRITE_NEVER;
	if (is_one_of(name, binding, ARRAY_SIZE(binding)))
		return WRITE_DEVICE;
	return streq(name, "unbind") ? WRITE_DESTRUCTIVE : WRITE_NEVER;
}

/* daxX.Y/…: the directory is the device. `unplugged` offlines and removes, or changes nothing. */
static enum write_kind classify_device(const char *name, const char *value)
{
	static const char *const states[] = { "unplugged", "online", "online_movable",
					      "online_kernel" };
	struct tag tag;

	if (streq(name, "state") && is_one_of(value, states, ARRAY_SIZE(states)))
		return WRITE_DEVICE;
	if (streq(name, "uuid") && (streq(value, "0") || tag_parse(value, &tag) == 0))
		return WRITE_CLAIM;
	return streq(name, "size") && streq(value, "0") ? WRITE_DESTRUCTIVE : WRITE_NEVER;
}

/* dax_regionN/dax_region/…: the value is the device. */
static enum write_kind classify_region(const char *name, const char *value)
{
	if (streq(name, "create") && streq(value, "1"))
		return WRITE_CREATE;
	return streq(name, "delete") && attr_is_dax_name(value) ? WRITE_DESTRUCTIVE : WRITE_NEVER;
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

/* The whole list. What *@ret names is within @target or @value. */
static void classify(const struct target *target, const char *value, struct subject *ret)
{
	const char *last = last_component(target->dir);
	const char *rest;

	*ret = (struct subject){ .kind = WRITE_NEVER };
	rest = startswith(target->dir, "devices/system/memory/");
	if (rest) {
		if (name_number(rest, "memory", &ret->block))
			ret->kind = classify_block(target->name, value);
		return;
	}
	rest = startswith(target->dir, "bus/dax/drivers/");
	if (rest) {
		ret->kind = classify_driver(rest, target->name, value);
		ret->device = value;
		return;
	}
	if (!startswith(target->dir, "devices/"))
		return;
	if (attr_is_dax_name(last)) {
		ret->kind = classify_device(target->name, value);
		ret->device = last;
		ret->in_directory = true;
	} else if (is_dax_region(target->dir)) {
		ret->kind = classify_region(target->name, value);
		ret->device = ret->kind == WRITE_CREATE ? NULL : value;
	}
}

/* The device whose attribute is written must be the one that the guard finds under its name. */
static int check_same_device(int sysfs_fd, const struct target *target, const char *device,
			     char *message, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	char path[DEV_NAME_MAX + 32], dir[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "bus/dax/devices/%.*s", DEV_NAME_MAX, device);
	fd = attr_open_beneath(sysfs_fd, path, O_PATH | O_DIRECTORY);
	r = fd < 0 ? fd : real_path(sysfs_fd, fd, dir, sizeof(dir));
	if (r == -ENOENT)
		return refuse(message, size, -ESTALE, "%s has gone", device);
	if (r < 0)
		return refuse(message, size, r == -EINTR ? -EINTR : -EBUSY, "cannot look up %s",
			      device);
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

static bool value_is_tag(const char *value, const struct tag *expected)
{
	struct tag tag;

	if (streq(value, "0"))
		return tag_is_null(expected);
	return tag_parse(value, &tag) == 0 && tag_equal(&tag, expected);
}

/* What does not depend on the host: whether the write is about the device that it says it is. */
static int check_named(const struct target *target, const struct subject *subject,
		       const char *value, const struct guard_expect *expect, char *message,
		       size_t size)
{
	if (subject->kind == WRITE_CREATE)
		return 0;
	if (!expect || !expect->device[0])
		return refuse(message, size, -EPERM, "%s of %s without saying what it is",
			      target->name,
			      subject->device ? subject->device : last_component(target->dir));
	if (subject->device && !streq(subject->device, expect->device))
		return refuse(message, size, -EPERM, "%s of %s, but %s is expected", target->name,
			      subject->device, expect->device);
	if (subject->kind == WRITE_CLAIM && !value_is_tag(value, &expect->tag))
		return refuse(message, size, -EPERM, "%s is to claim another tag than %s",
			      expect->device, value);
	return 0;
}

/* What does: whether that device is the expected one, and its memory such that it may be done. */
static int check_host(int sysfs_fd, const struct target *target, const struct subject *subject,
		      const struct guard_expect *expect, char *message, size_t size)
{
	struct guard_expect empty;
	int r;

	if (subject->in_directory) {
		r = check_same_device(sysfs_fd, target, subject->device, message, size);
		if (r < 0)
			return r;
	}
	switch (subject->kind) {
	case WRITE_CREATE:
		return 0;
	case WRITE_BLOCK:
		return guard_check_block(sysfs_fd, expect, subject->block, message, size);
	case WRITE_DEVICE:
		return guard_check_device(sysfs_fd, expect, message, size);
	case WRITE_CLAIM:
		empty = *expect;
		empty.size = 0; /* what is expected is what it is to get */
		return guard_check_device(sysfs_fd, &empty, message, size);
	case WRITE_NEVER:
	case WRITE_DESTRUCTIVE:
		break;
	}
	return guard_check(sysfs_fd, expect, message, size);
}

static int write_target(int sysfs_fd, const struct target *target, const char *value,
			const struct guard_expect *expect, usec_t *ret_elapsed, char *message,
			size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	struct subject subject;
	int r;

	classify(target, value, &subject);
	if (subject.kind == WRITE_NEVER)
		return refuse(message, size, -EPERM, "never written: \"%s\" to %s/%s", value,
			      target->dir, target->name);
	r = check_named(target, &subject, value, expect, message, size);
	if (r < 0)
		return r;

	/* Opened first, so that nothing is left to do between the check and the write. */
	fd = openat(target->dir_fd, target->name, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = check_host(sysfs_fd, target, &subject, expect, message, size);
	if (r < 0)
		return r;
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
