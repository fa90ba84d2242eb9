/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scan as the daemon makes it, with libcxl and libdaxctl. These know only /sys, so the
 * fabricated tree is mounted there: the picture must be the one that reading sysfs alone gives.
 * Needs root.
 */
#include <cxl/libcxl.h>
#include <daxctl/libdaxctl.h>
#include <sched.h>
#include <sys/mount.h>

#include "holder_process.h"
#include "scan_host.h"

static bool mount_over(const struct tree *t)
{
	char dev[PATH_MAX];

	(void)snprintf(dev, sizeof(dev), "%s/dev", t->path);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(dev, "/dev", NULL, MS_BIND, NULL) == 0 &&
	       mount(t->path, "/sys", NULL, MS_BIND, NULL) == 0;
}

/* Else the comparison below would compare reading sysfs with reading sysfs. */
static bool libraries_know(const char *region_name, const char *device_name)
{
	struct cxl_ctx *cxl;
	struct cxl_bus *bus;
	struct cxl_decoder *decoder;
	struct cxl_region *region;
	struct daxctl_ctx *daxctl;
	struct daxctl_region *dax_region;
	struct daxctl_dev *dev;
	bool region_known = false, device_known = false;

	if (cxl_new(&cxl) < 0)
		return false;
	if (daxctl_new(&daxctl) < 0) {
		cxl_unref(cxl);
		return false;
	}
	cxl_set_log_priority(cxl, -1);
	daxctl_set_log_priority(daxctl, -1);
	cxl_bus_foreach(cxl, bus) {
		cxl_decoder_foreach(cxl_bus_get_port(bus), decoder) {
			cxl_region_foreach(decoder, region) {
				region_known |= streq(cxl_region_get_devname(region),
						      region_name) &&
						cxl_mapping_get_first(region);
			}
		}
	}
	daxctl_region_foreach(daxctl, dax_region) {
		daxctl_dev_foreach(dax_region, dev) {
			device_known |= streq(daxctl_dev_get_devname(dev), device_name) &&
					daxctl_mapping_get_first(dev);
		}
	}
	cxl_unref(cxl);
	daxctl_unref(daxctl);
	return region_known && device_known;
}

/*
 * Scans in a process with the tree as /sys and its dev/ as /dev. What it writes to stderr goes to
 * @messages. The libraries must know @knows there, unless NULL. NULL: not permitted.
 */
static struct inventory *scan_mounted(const struct tree *t, int messages, const char *knows)
{
	struct inventory *inv = NULL;
	int out[2], status;
	pid_t child;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct inventory *mine;
		char why[160];
		int r;

		(void)close(out[0]);
		(void)dup2(messages, STDERR_FILENO);
		if (!mount_over(t))
			_exit(77);
		if (knows && !libraries_know("region0", knows))
			_exit(78);
		r = inventory_scan("/sys", "/proc", &mine, why, sizeof(why));
		if (r == 0)
			r = inventory_write(mine, out[1]);
		_exit(r == 0 ? 0 : -r);
	}
	(void)close(out[1]);
	if (inventory_read(out[0], &inv) < 0)
		inv = NULL;
	(void)close(out[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		return NULL;
	if (WEXITSTATUS(status) == 78)
		fail_msg("the libraries do not know region0 or %s", knows);
	if (WEXITSTATUS(status) != 0)
		fail_msg("the scan of /sys gives -%d", WEXITSTATUS(status));
	assert_non_null(inv);
	return inv;
}

#define ASSERT_SAME(a, b, array)                                                                   \
	do {                                                                                       \
		assert_int_equal((a)->n_##array, (b)->n_##array);                                  \
		if ((a)->n_##array > 0)                                                            \
			assert_memory_equal((a)->array, (b)->array,                                \
					    (a)->n_##array * sizeof(*(a)->array));                 \
	} while (0)

static void assert_libraries_agree(const struct tree *t, const char *knows)
{
	_cleanup_(inventory_freep) struct inventory *direct = scan(t), *mounted = NULL;
	_cleanup_close_ int messages = memfd_create("stderr", MFD_CLOEXEC);

	assert_true(messages >= 0);
	mounted = scan_mounted(t, messages, knows);
	if (!mounted) {
		print_message("skipped: mounting over /sys needs root\n");
		skip();
	}
	assert_int_equal(lseek(messages, 0, SEEK_END), 0); /* the libraries keep quiet */
	ASSERT_SAME(direct, mounted, memdevs);
	ASSERT_SAME(direct, mounted, regions);
	ASSERT_SAME(direct, mounted, extents);
	ASSERT_SAME(direct, mounted, devices);
	ASSERT_SAME(direct, mounted, mappings);
	ASSERT_SAME(direct, mounted, blocks);
	ASSERT_SAME(direct, mounted, nodes);
}

static void test_libraries_agree(void **state)
{
	assert_libraries_agree(*state, "dax0.1");
}

/* Objects that a library leaves out, for one reason or another, are there all the same. */
static void test_what_libraries_leave_out(void **state)
{
	const struct tree *t = *state;

	tree_remove(t, "dev/dax0.1");
	assert_libraries_agree(t, "dax0.2");
	tree_remove(t, "dev/cxl/mem0");
	assert_libraries_agree(t, NULL);
	/* libdaxctl reads mapping0, mapping1, … and stops at the gap. */
	tree_write(t, "dev/dax0.1", "");
	assert_int_equal(renameat(t->fd, DAX_REGION "/dax0.1/mapping1", t->fd,
				  DAX_REGION "/dax0.1/mapping2"),
			 0);
	assert_libraries_agree(t, "dax0.1");
}

static void test_mapped_node(void **state)
{
	const struct tree *t = *state;
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	_cleanup_close_ int messages = memfd_create("stderr", MFD_CLOEXEC);
	char node[PATH_MAX];
	pid_t mapping, opening, both;

	/* The very file that is /dev/dax0.2, as on the simulated host. */
	(void)snprintf(node, sizeof(node), "%s/dev/dax0.2", t->path);
	mapping = start_holder(hold_mapped, node);
	opening = start_holder(hold_open, node);
	both = start_holder(hold_both, node);
	inv = scan_mounted(t, messages, NULL);
	end_holder(mapping);
	end_holder(opening);
	end_holder(both);
	if (!inv) {
		print_message("skipped: mounting over /sys needs root\n");
		skip();
	}
	assert_int_equal(inv->n_holders, 3);
	assert_int_equal(find_device(inv, "dax0.2")->n_holders, 3);
	assert_true(find_holder(inv, both)->mapped && find_holder(inv, both)->open);
	assert_true(find_holder(inv, mapping)->mapped);
	assert_false(find_holder(inv, mapping)->open);
	assert_true(find_holder(inv, opening)->open);
	assert_false(find_holder(inv, opening)->mapped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_libraries_agree),
		TEST(test_what_libraries_leave_out),
		TEST(test_mapped_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
