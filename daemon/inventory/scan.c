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

/* Whether the root we were given is the one that the libraries have built in. */
static bool is_real_sysfs(int sysfs_fd)
{
	struct stat given, real;

	return fstat(sysfs_fd, &given) == 0 && stat("/sys", &real) == 0 &&
	       given.st_dev == real.st_dev && given.st_ino == real.st_ino;
}

static int scan_parts(struct scan *scan)
{
	/*
	 * Extents before devices: a group that is claimed between the two reads is then seen with
	 * its claim, and one that is given up and released is seen unclaimed, as it was.
	 */
	static int (*const parts[])(struct scan * scan) = {
		scan_memdevs, scan_regions, scan_extents, scan_devices,
		scan_memory,  scan_nodes,   scan_blocks,  scan_holders,
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++)
		r = parts[i](scan);
	if (r < 0)
		return r;
	scan->failure = (struct failure){ 0 };
	r = inventory_link(scan->inv);
	return r < 0 ? r : scan_leftovers(scan);
}

static int scan_once(struct scan *scan, struct inventory **ret)
{
	_cleanup_(inventory_freep) struct inventory *inv = calloc(1, sizeof(*inv));
	_cleanup_(cxl_unrefp) struct cxl_ctx *cxl = NULL;
	_cleanup_(daxctl_unrefp) struct daxctl_ctx *daxctl = NULL;
	int r;

	if (!inv)
		return -ENOMEM;
	inv->taken = now_usec(CLOCK_MONOTONIC);
	scan->inv = inv;

	if (is_real_sysfs(scan->root.fd)) {
		/* Without a library everything is still there to be read. */
		if (cxl_new(&cxl) < 0)
			cxl = NULL;
		else
			cxl_set_log_fn(cxl, cxl_be_silent);
		if (daxctl_new(&daxctl) < 0)
			daxctl = NULL;
		else
			daxctl_set_log_fn(daxctl, daxctl_be_silent);
		scan->cxl = cxl;
		scan->daxctl = daxctl;
	}
	r = scan_parts(scan);
	closedirp(&scan->memory);
	free(scan->blocks);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(inv);
	return 0;
}

/* Why the scan failed, for a person: what could not be read, and how. */
static void explain(const char *sysfs, const struct failure *f, int error, char *buf, size_t size)
{
	const char *root = f->path[0] == '/' ? "" : sysfs, *slash = *root && *f->path ? "/" : "";

	if (error == f->error)
		(void)snprintf(buf, size, "%s%s%s: %s", root, slash, f->path, strerror(-error));
	else if (error != -EAGAIN)
		(void)snprintf(buf, size, "%s", strerror(-error));
	else if (f->error == 0 && f->path[0])
		(void)snprintf(buf, size, "%s%s%s changed each time it was read", root, slash,
			       f->path);
	else
		(void)snprintf(buf, size, "the host changed under each of %d tries", SCAN_TRIES);
}

int inventory_scan(const char *sysfs, const char *proc, struct inventory **ret, char *ret_why,
		   size_t size)
{
	_cleanup_close_ int fd = sysfs_open_dir(AT_FDCWD, sysfs);
	struct failure failure = { .error = fd };
	int r = fd < 0 ? fd : -EAGAIN;

	for (unsigned i = 0; i < SCAN_TRIES && r == -EAGAIN && fd >= 0; i++) {
		struct scan scan = {
			.root = { .name = "", .fd = fd },
			.proc = proc,
			.last_try = i == SCAN_TRIES - 1,
		};

		if (i > 0) {
			struct timespec pause = { .tv_nsec = 1000000L << i };

			(void)nanosleep(&pause, NULL);
		}
		r = scan_once(&scan, ret);
		failure = scan.failure;
	}
	if (r < 0)
		explain(sysfs, &failure, r, ret_why, size);
	else if (size > 0)
		ret_why[0] = '\0';
	return r;
}
