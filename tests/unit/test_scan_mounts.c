/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts of a device hold it: in whatever namespace they are, under whatever name. tmpfs stands in
 * for a file system that takes a device: it keeps the source it was given, which is all that
 * mountinfo has.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "holder_process.h"
#include "scan_host.h"

static char dir[PATH_MAX];

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: mounting needs root\n");
		skip();
	}
}

static int mount_setup(void **state)
{
	struct tree *t;

	(void)setup(state);
	t = *state;
	(void)snprintf(dir, sizeof(dir), "%s/mounts", t->path);
	tree_mkdir(t, "mounts/a b");
	tree_mkdir(t, "mounts/c");
	return 0;
}

static struct inventory *scan_mounts_of(const struct tree *t)
{
	struct inventory *inv = NULL;
	char why[160];
	int r = inventory_scan(t->path, "/proc", &inv, why, sizeof(why));

	if (r != 0)
		fail_msg("%d: %s", r, why);
	assert_int_equal(inventory_check(inv), 0);
	return inv;
}

static unsigned count_mounts(const struct inventory *inv)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < inv->n_holders; i++)
		n += inv->holders[i].mounted;
	return n;
}

static const struct holder *find_mount(const struct inventory *inv, const char *at)
{
	char path[2 * PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, at);
	for (uint32_t i = 0; i < inv->n_holders; i++)
		if (inv->holders[i].mounted && streq(inv->holders[i].path, path))
			return &inv->holders[i];
	return NULL;
}

/* For the child: a mount namespace that nothing leaves, with @source mounted at @at. */
static void mount_alone(const char *source, const char *at)
{
	char path[2 * PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, at);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(source, path, "tmpfs", 0, NULL) < 0)
		_exit(1);
}

static void mount_device(const char *source)
{
	mount_alone(source, "a b");
}

/* A second process in the same namespace, which must not count again. */
static void mount_device_and_fork(const char *source)
{
	mount_alone(source, "a b");
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
}

static void mount_twice(const char *source)
{
	char path[2 * PATH_MAX];

	mount_alone(source, "a b");
	(void)snprintf(path, sizeof(path), "%s/c", dir);
	if (mount(source, path, "ramfs", 0, NULL) < 0)
		_exit(1);
}

static void test_mount_by_name(void **state)
{
	const struct tree *t = *state;
	pid_t child;

	need_root();
	child = start_holder(mount_device_and_fork, "/dev/dax0.2");
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);
		const struct holder *h = find_mount(inv, "a b");

		assert_int_equal(count_mounts(inv), 1);
		assert_non_null(h);
		assert_int_equal(h->pid, child);
		assert_string_equal(inv->devices[h->device].name, "dax0.2");
		assert_string_equal(h->fstype, "tmpfs");
		assert_false(h->open || h->mapped);
		/* It is no process: nobody is to be named or ended for it. */
		assert_string_equal(h->comm, "");
		assert_string_equal(h->unit, "");
		assert_int_equal(h->start, 0);
		assert_int_equal(find_device(inv, "dax0.2")->n_holders, 1);
	}
	end_holder(child);
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);

		assert_int_equal(count_mounts(inv), 0);
	}
}

/* A device that cannot be held, and names that only look alike. */
static void test_other_sources(void **state)
{
	static const char *const sources[] = { "/dev/dax0.1", "/dev/dax0.22", "dax0.2",
					       "none",	      "/dev/dax0.2/", "/dev/full/x",
					       "/nonexistent" };
	const struct tree *t = *state;

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		pid_t child = start_holder(mount_device, sources[i]);
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);

		if (count_mounts(inv) != 0)
			fail_msg("%s counts", sources[i]);
		end_holder(child);
	}
}

/* By device number, under a name with a blank in it. */
static void test_mount_of_a_node_of_its_own(void **state)
{
	const struct tree *t = *state;
	char node[2 * PATH_MAX];
	pid_t child;

	need_root();
	put(t, DAX_REGION "/dax0.2", "dev", "1:7");
	(void)snprintf(node, sizeof(node), "%s/a node", dir);
	if (mknod(node, S_IFCHR | 0600, makedev(1, 7)) < 0) {
		print_message("skipped: cannot make a device node: %s\n", strerror(errno));
		skip();
	}
	child = start_holder(mount_device, node);
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);

		assert_int_equal(count_mounts(inv), 1);
		assert_non_null(find_mount(inv, "a b"));
	}
	end_holder(child);
}

/* One mount that two namespaces see is one; another place, or another file system, is not. */
static void test_mounts_in_several_namespaces(void **state)
{
	const struct tree *t = *state;
	pid_t first, second, third;

	need_root();
	first = start_holder(mount_device, "/dev/dax0.2");
	second = start_holder(mount_device, "/dev/dax0.2");
	third = start_holder(mount_twice, "/dev/dax0.2");
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);

		assert_int_equal(count_mounts(inv), 2);
		assert_int_equal(find_mount(inv, "a b")->pid, MIN(first, MIN(second, third)));
		assert_int_equal(find_mount(inv, "c")->pid, third);
		assert_string_equal(find_mount(inv, "c")->fstype, "ramfs");
	}
	end_holder(third);
	end_holder(second);
	end_holder(first);
}

/* From below a chroot a mount beside it is not to be seen: who else is there must be asked. */
static void chroot_first(const char *source)
{
	char root[2 * PATH_MAX];
	int ready[2];
	char byte;
	pid_t other;

	mount_alone(source, "a b");
	if (pipe2(ready, O_CLOEXEC) < 0)
		_exit(1);
	/* With the higher pid, so that it is looked at behind us. */
	other = fork();
	if (other == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		say_ready(ready[1]);
		for (;;)
			(void)pause();
	}
	(void)snprintf(root, sizeof(root), "%s/c", dir);
	if (other < 0 || read(ready[0], &byte, 1) != 1 || chroot(root) < 0 || chdir("/") < 0)
		_exit(1);
}

static void test_chroot(void **state)
{
	const struct tree *t = *state;
	pid_t child;

	need_root();
	child = start_holder(chroot_first, "/dev/dax0.2");
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);

		assert_non_null(find_mount(inv, "a b"));
		assert_int_not_equal(find_mount(inv, "a b")->pid, child);
	}
	end_holder(child);
}

/* A process that has the device open where it is mounted as well: both are told. */
static void mount_and_open(const char *source)
{
	mount_alone(source, "a b");
	hold_open("/dev/full");
}

static void test_mounted_and_open(void **state)
{
	const struct tree *t = *state;
	pid_t child;

	need_root();
	put(t, DAX_REGION "/dax0.2", "dev", "1:7");
	child = start_holder(mount_and_open, "/dev/dax0.2");
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_mounts_of(t);
		const struct holder *process = find_holder(inv, child);
		const struct holder *mount = find_mount(inv, "a b");

		/* Processes come first. */
		assert_non_null(process);
		assert_true(process->open);
		assert_false(process->mounted);
		assert_string_equal(process->comm, "dax holder");
		assert_true(process->start > 0);
		assert_string_equal(process->path, "");
		assert_non_null(mount);
		assert_int_equal(mount->pid, child);
	}
	end_holder(child);
}

#define MOUNT_TEST(name) cmocka_unit_test_setup_teardown(name, mount_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNT_TEST(test_mount_by_name),
		MOUNT_TEST(test_other_sources),
		MOUNT_TEST(test_mount_of_a_node_of_its_own),
		MOUNT_TEST(test_mounts_in_several_namespaces),
		MOUNT_TEST(test_chroot),
		MOUNT_TEST(test_mounted_and_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
