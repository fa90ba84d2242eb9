/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One scan of the host, and again if the host changed meanwhile. The libraries cache what they saw
 * for as long as their context lives, so each scan has new ones.
 */
#include <cxl/libcxl.h>
#include <daxctl/libdaxctl.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "inventory/scan_internal.h"
#include "util/sysfs.h"

#define SCAN_TRIES 5

static inline void cxl_unrefp(struct cxl_ctx **ctx)
{
	cxl_unref(*ctx);
}

static inline void daxctl_unrefp(struct daxctl_ctx **ctx)
{
	daxctl_unref(*ctx);
}

/* The libraries write to stderr about objects that vanish; here that is nothing to speak of. */
static void _printf_(6, 0)
	cxl_be_silent(_unused_ struct cxl_ctx *ctx, _unused_ int priority,
		      _unused_ const char *file, _unused_ int line, _unused_ const char *function,
		      _unused_ const char *format, _unused_ va_list args)
{
}

static void _printf_(6, 0) daxctl_be_silent(_unused_ struct daxctl_ctx *ctx, _unused_ int priority,
					    _unused_ const char *file, _unused_ int line,
					    _unused_ const char *function,
					    _unused_ const char *format, _unused_ va_list args)
{
}

void *scan_grow(void *array, uint32_t n, size_t size)
{
	if (n >= INVENTORY_ELEMENTS_MAX)
		return NULL;
	/* The room is the next power of two, so it is used up where the count is one. */
	if (n == 0 || (n & (n - 1)) == 0) {
		array = reallocarray(array, n ? 2 * (size_t)n : 1, size);
		if (!array)
			return NULL;
	}
	memset((char *)array + n * size, 0, size);
	return array;
}

int scan_read_word(int dirfd, const char *path, char buf[static DEV_NAME_MAX])
{
	ssize_t n = sysfs_read(dirfd, path, buf, DEV_NAME_MAX);

	if (n < 0)
		return (int)n;
	return strchr(buf, '/') ? -EBADMSG : 0;
}

int scan_read_tag(int dirfd, const char *path, struct tag *ret)
{
	char text[TAG_STRLEN + 4];
	ssize_t n = sysfs_read(dirfd, path, text, sizeof(text));

	if (n == -EMSGSIZE)
		return -EBADMSG;
	if (n < 0 && n != -ENOENT)
		return (int)n;
	if (n == -ENOENT || n == 0 || streq(text, "0")) {
		memset(ret, 0, sizeof(*ret));
		return 0;
	}
	return tag_parse(text, ret) < 0 ? -EBADMSG : 0;
}

/* Whether the root we were given is the one that the libraries have built in. */
static bool is_real_sysfs(int sysfs_fd)
{
	struct stat given, real;

	return fstat(sysfs_fd, &given) == 0 && stat("/sys", &real) == 0 &&
	       given.st_dev == real.st_dev && given.st_ino == real.st_ino;
}

static int scan_once(int sysfs_fd, const char *proc, struct inventory **ret)
{
	_cleanup_(inventory_freep) struct inventory *inv = calloc(1, sizeof(*inv));
	_cleanup_(cxl_unrefp) struct cxl_ctx *cxl = NULL;
	_cleanup_(daxctl_unrefp) struct daxctl_ctx *daxctl = NULL;
	struct scan scan = { .sysfs_fd = sysfs_fd, .proc = proc, .inv = inv };
	int r;

	if (!inv)
		return -ENOMEM;
	inv->taken = now_usec(CLOCK_MONOTONIC);

	if (is_real_sysfs(sysfs_fd)) {
		/* Without a library everything is still there to be read. */
		if (cxl_new(&cxl) < 0)
			cxl = NULL;
		else
			cxl_set_log_fn(cxl, cxl_be_silent);
		if (daxctl_new(&daxctl) < 0)
			daxctl = NULL;
		else
			daxctl_set_log_fn(daxctl, daxctl_be_silent);
		scan.cxl = cxl;
		scan.daxctl = daxctl;
	}

	/*
	 * Extents before devices: a group that is claimed between the two reads is then seen with
	 * its claim, and one that is given up and released is seen unclaimed, as it was.
	 */
	r = scan_memdevs(&scan);
	if (r == 0)
		r = scan_regions(&scan);
	if (r == 0)
		r = scan_extents(&scan);
	if (r == 0)
		r = scan_devices(&scan);
	if (r == 0)
		r = scan_memory(&scan);
	if (r == 0)
		r = scan_blocks(&scan);
	if (r == 0)
		r = scan_holders(&scan);
	if (r == 0)
		r = inventory_link(inv);
	if (r == 0)
		r = scan_leftovers(&scan);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(inv);
	return 0;
}

int inventory_scan(const char *sysfs, const char *proc, struct inventory **ret)
{
	_cleanup_close_ int fd = sysfs_open_dir(AT_FDCWD, sysfs);
	int r = -EAGAIN;

	if (fd < 0)
		return fd;
	for (unsigned i = 0; i < SCAN_TRIES && r == -EAGAIN; i++) {
		if (i > 0) {
			struct timespec pause = { .tv_nsec = 1000000L << i };

			(void)nanosleep(&pause, NULL);
		}
		r = scan_once(fd, proc, ret);
	}
	return r;
}
