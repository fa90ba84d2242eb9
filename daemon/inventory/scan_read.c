/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one attribute for the scan, with a memory of which one could not be read; and what such
 * an error does: it costs the region that it is below of, not the whole picture.
 */
#include <fcntl.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

static bool is_transient(int error)
{
	return error == -EINTR || error == -EAGAIN || error == -ENOMEM;
}

/* The second time, once, if the first may just have come at a bad moment. */
#define TWICE(call)                                                                                \
	({                                                                                         \
		int _r = (int)(call);                                                              \
		is_transient(_r) ? (int)(call) : _r;                                               \
	})

/* Paths too long for the buffer are cut at their end; sysfs has none. */
static void append(char *buf, size_t size, const char *name)
{
	size_t n = strlen(buf);

	if (!*name)
		return;
	(void)snprintf(buf + n, size - n, "%s%s", n ? "/" : "", name);
}

static void append_place(char *buf, size_t size, const struct place *at)
{
	if (at->above)
		append_place(buf, size, at->above);
	append(buf, size, at->name);
}

static void remember(struct scan *scan, const struct place *at, const char *name, int error)
{
	struct failure *f = &scan->failure;

	*f = (struct failure){ .error = error };
	append_place(f->path, sizeof(f->path), at);
	if (name)
		append(f->path, sizeof(f->path), name);
	/* Names are the kernel's, but they end in messages and on D-Bus. */
	for (char *c = f->path; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

int scan_failed(struct scan *scan, const struct place *at, const char *name, int error)
{
	remember(scan, at, name, error);
	return error;
}

int scan_torn(struct scan *scan, const struct place *at, const char *name)
{
	remember(scan, at, name, 0);
	return -EAGAIN;
}

int scan_failed_midway(struct scan *scan, const struct place *at, const char *name, int error)
{
	if (!scan->last_try && (is_transient(error) || errno_is_gone(error)))
		return scan_torn(scan, at, name);
	return scan_failed(scan, at, name, error);
}

int scan_gone(struct scan *scan, const struct place *list, const char *name, int error)
{
	if (faccessat(list->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno_is_gone(errno))
		return 0;
	if (!scan->last_try)
		return scan_torn(scan, list, name);
	return error;
}

int scan_confine(struct scan *scan, uint32_t region, int error)
{
	struct region *r = &scan->inv->regions[region];

	if (error >= 0 || error != scan->failure.error)
		return error;
	if (r->error == 0) {
		r->error = error;
		(void)str_copy(r->error_path, sizeof(r->error_path), scan->failure.path);
	}
	scan->failure = (struct failure){ 0 };
	return 0;
}

int scan_open(struct scan *scan, const struct place *above, const char *name)
{
	int fd = TWICE(sysfs_open_dir(above->fd, name));

	return fd < 0 ? scan_failed(scan, above, name, fd) : fd;
}

int scan_open_list(struct scan *scan, struct place *at, DIR **ret)
{
	int r = TWICE(sysfs_open_list(at->above->fd, at->name, ret));

	if (r < 0)
		return scan_failed(scan, at, NULL, r);
	at->fd = dirfd(*ret);
	return 0;
}

int scan_next(struct scan *scan, const struct place *at, DIR *dir, const char **ret_name)
{
	int r = sysfs_next(dir, ret_name);

	return r < 0 ? scan_failed_midway(scan, at, NULL, r) : r;
}

int scan_try_read(int dirfd, const char *name, char *buf, size_t size)
{
	return TWICE(sysfs_read(dirfd, name, buf, size));
}

int scan_read(struct scan *scan, const struct place *at, const char *name, char *buf, size_t size)
{
	int r = scan_try_read(at->fd, name, buf, size);

	return r < 0 ? scan_failed(scan, at, name, r) : r;
}

int scan_read_u64(struct scan *scan, const struct place *at, const char *name, uint64_t *ret)
{
	int r = TWICE(sysfs_read_u64(at->fd, name, 10, ret));

	return r < 0 ? scan_failed(scan, at, name, r) : 0;
}

int scan_read_i32(struct scan *scan, const struct place *at, const char *name, int32_t *ret)
{
	int r = TWICE(sysfs_read_i32(at->fd, name, ret));

	return r < 0 ? scan_failed(scan, at, name, r) : 0;
}

int scan_read_link(struct scan *scan, const struct place *at, const char *name, char *buf,
		   size_t size)
{
	int r = TWICE(sysfs_read_link(at->fd, name, buf, size));

	return r < 0 ? scan_failed(scan, at, name, r) : 0;
}

int scan_read_word(struct scan *scan, const struct place *at, const char *name,
		   char buf[static DEV_NAME_MAX])
{
	int r = scan_read(scan, at, name, buf, DEV_NAME_MAX);

	if (r < 0)
		return r;
	return strchr(buf, '/') ? scan_failed(scan, at, name, -EBADMSG) : 0;
}

int scan_read_tag(struct scan *scan, const struct place *at, const char *name, struct tag *ret)
{
	char text[TAG_STRLEN + 4];
	int n = scan_read(scan, at, name, text, sizeof(text));

	if (n == -EMSGSIZE)
		return scan_failed(scan, at, name, -EBADMSG);
	if (n == -ENOENT)
		n = scan_gone(scan, at, name, n);
	if (n < 0)
		return n;
	if (n == 0 || streq(text, "0")) {
		memset(ret, 0, sizeof(*ret));
		return 0;
	}
	return tag_parse(text, ret) < 0 ? scan_failed(scan, at, name, -EBADMSG) : 0;
}
