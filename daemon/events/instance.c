/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracefs instance and its files; see instance.h. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "instance.h"

#define FILE_SIZE_MAX ((size_t)64 << 10)

int error_text(int r, char **ret_error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(ret_error, format, ap) < 0)
		*ret_error = NULL;
	va_end(ap);
	return r;
}

int tracing_dir_find(const char **ret_dir, char **ret_error)
{
	/* The second is where kernels before 4.1 have it, and an automount in later ones. */
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct statfs fs;

		if (statfs(places[i], &fs) == 0 && fs.f_type == TRACEFS_MAGIC) {
			*ret_dir = places[i];
			return 0;
		}
	}
	return error_text(
		-ENOENT, ret_error,
		"no tracefs at %s: mount it with \"mount -t tracefs nodev %s\", or use a kernel "
		"with CONFIG_FTRACE",
		places[0], places[0]);
}

/* -errno after a failed call; never a success, whatever the library left in errno. */
static int last_error(void)
{
	int error = errno;

	return error > 0 ? -error : -EIO;
}

int instance_open_file(struct tracefs_instance *instance, const char *file, int flags)
{
	int fd = tracefs_instance_file_open(instance, file, flags | O_CLOEXEC);

	return fd < 0 ? last_error() : fd;
}

int instance_write(struct tracefs_instance *instance, const char *file, const char *value)
{
	_cleanup_close_ int fd = instance_open_file(instance, file, O_WRONLY | O_TRUNC);
	size_t n = strlen(value);
	ssize_t written;

	if (fd < 0)
		return fd;
	written = write(fd, value, n);
	if (written < 0)
		return last_error();
	return (size_t)written == n ? 0 : -EIO;
}

int instance_read(struct tracefs_instance *instance, const char *file, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = instance_open_file(instance, file, O_RDONLY);
	_cleanup_free_ char *text = NULL;
	size_t size = 0, room = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n;

		if (room - size < 2) {
			char *bigger;

			if (room >= FILE_SIZE_MAX)
				return -EFBIG;
			room = room ? room * 2 : 4096;
			bigger = realloc(text, room);
			if (!bigger)
				return -ENOMEM;
			text = bigger;
		}
		n = read(fd, text + size, room - size - 1);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return last_error();
		}
		if (n == 0)
			break;
		size += (size_t)n;
	}
	text[size] = '\0';
	*ret = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

/* Says what to do about it where we know. Returns @r. */
static int explain(int r, char **ret_error, const char *what, const char *path)
{
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return error_text(
			r == -EROFS ? -EACCES : r, ret_error,
			"no permission to %s %s (%s): run as root, on a kernel whose lockdown "
			"mode allows tracefs",
			what, path, strerror(-r));
	return error_text(r, ret_error, "cannot %s %s: %s", what, path, strerror(-r));
}

/*
 * An adopted instance keeps what it holds: setting the clock, even to what it is, would clear the
 * buffers.
 */
static int set_clock(struct tracefs_instance *instance)
{
	_cleanup_free_ char *clocks = NULL;
	size_t size = 0;
	int r;

	r = instance_read(instance, "trace_clock", &clocks, &size);
	if (r < 0)
		return r;
	if (size > 0 && strstr(clocks, "[mono]"))
		return 0;
	return instance_write(instance, "trace_clock", "mono");
}

static int configure(struct tracefs_instance *instance, size_t buffer_kib, const char *path,
		     char **ret_error)
{
	char value[24];
	int r;

	r = set_clock(instance);
	if (r < 0)
		return explain(r, ret_error, "set trace_clock=mono of", path);

	/* Else a reader sleeps until half of the buffer is full. Kernels before 5.0 have none. */
	r = instance_write(instance, "buffer_percent", "0");
	if (r < 0 && r != -ENOENT)
		return explain(r, ret_error, "set buffer_percent=0 of", path);

	(void)snprintf(value, sizeof(value), "%zu", buffer_kib);
	r = instance_write(instance, "buffer_size_kb", value);
	if (r < 0)
		return error_text(r, ret_error, "cannot set buffer_size_kb=%s of %s: %s", value,
				  path, strerror(-r));

	r = instance_write(instance, "tracing_on", "1");
	return r < 0 ? explain(r, ret_error, "turn on tracing in", path) : 0;
}

int instance_open(const char *dir, const char *name, size_t buffer_kib,
		  struct tracefs_instance **ret, char **ret_error)
{
	_cleanup_free_ char *path = NULL;
	struct tracefs_instance *instance;
	bool created;
	int r;

	if (asprintf(&path, "%s/instances/%s", dir, name) < 0) {
		path = NULL;
		return error_text(-ENOMEM, ret_error, "out of memory");
	}
	created = mkdir(path, 0700) == 0;
	if (!created && errno != EEXIST)
		return explain(-errno, ret_error, "create the trace instance", path);

	instance = tracefs_instance_alloc(dir, name);
	if (!instance) {
		r = last_error();
		(void)error_text(r, ret_error, "cannot use the trace instance %s: %s", path,
				 strerror(-r));
		if (created)
			(void)rmdir(path);
		return r;
	}
	r = configure(instance, buffer_kib, path, ret_error);
	if (r < 0) {
		if (created)
			instance_remove(instance);
		else
			tracefs_instance_free(instance);
		return r;
	}
	*ret = instance;
	return 0;
}

void instance_remove(struct tracefs_instance *instance)
{
	char *path;

	if (!instance)
		return;
	path = tracefs_instance_get_dir(instance);
	if (path)
		(void)rmdir(path);
	tracefs_put_tracing_file(path);
	tracefs_instance_free(instance);
}
