/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a device: found by device number under any name, open or by a thread left alone. */
#include <pthread.h>
#include <sys/sysmacros.h>

#include "holder_process.h"
#include "scan_host.h"
#include "util/process.h"

/* What /proc says of the process itself, and not of one of its threads. */
static void assert_described(const struct holder *holder)
{
	struct holder expected = { 0 };
	char path[64];
	_cleanup_close_ int fd = -EBADF;

	(void)snprintf(path, sizeof(path), "/proc/%d", holder->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	process_describe(fd, &expected);
	assert_true(holder->start > 0);
	assert_int_equal(holder->start, expected.start);
	assert_string_equal(holder->comm, expected.comm);
	assert_string_equal(holder->unit, expected.unit);
	assert_string_equal(holder->cgroup, expected.cgroup);
	assert_false(holder->mounted);
}

/* With the machine's /proc, which only root may look at as a whole. */
static struct inventory *scan_processes(const struct tree *t)
{
	struct inventory *inv = NULL;
	char why[160];
	int r = inventory_scan(t->path, "/proc", &inv, why, sizeof(why));

	if (geteuid() != 0) {
		assert_int_equal(r, -EACCES); /* never "nobody holds it" */
		assert_non_null(startswith(why, "/proc/"));
		print_message("skipped: looking at all processes needs root\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(inventory_check(inv), 0);
	return inv;
}

struct threaded {
	const char *path;
	int ready;
};

static void *hold_in_thread(void *userdata)
{
	struct threaded *threaded = userdata;

	hold_open(threaded->path);
	/* When the main thread is gone, and only then. */
	for (;;) {
		char path[64], text[512] = "";
		_cleanup_close_ int fd = -EBADF;
		const char *behind;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)getpid());
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
			_exit(1);
		behind = strrchr(text, ')');
		if (behind && startswith(behind, ") Z"))
			break;
		(void)usleep(1000);
	}
	say_ready(threaded->ready);
	for (;;)
		(void)pause();
	return NULL;
}

/* By device number, under a name that has nothing to do with it: /dev/full stands in for it. */
static void test_holder_by_number(void **state)
{
	const struct tree *t = *state;
	_cleanup_close_ int own = -EBADF;
	char node[PATH_MAX];
	pid_t child;

	(void)snprintf(node, sizeof(node), "%s/a-node-of-its-own", t->path);
	put(t, DAX_REGION "/dax0.2", "dev", "1:7");
	if (mknod(node, S_IFCHR | 0600, makedev(1, 7)) < 0) {
		print_message("skipped: cannot make a device node: %s\n", strerror(errno));
		skip();
	}
	own = open(node, O_RDWR | O_CLOEXEC);
	if (own < 0) {
		print_message("skipped: device nodes cannot be opened in /tmp\n");
		skip();
	}
	/* This process has it open too, and does not count. */
	child = start_holder(hold_open, node);
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_processes(t);
		const struct holder *h = find_holder(inv, child);

		assert_non_null(h);
		assert_string_equal(inv->devices[h->device].name, "dax0.2");
		assert_true(h->open);
		assert_false(h->mapped);
		assert_string_equal(h->comm, "dax holder");
		assert_described(h);
		assert_null(find_holder(inv, getpid()));
	}
	end_holder(child);
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_processes(t);

		assert_null(find_holder(inv, child));
	}
}

static void test_holder_whose_main_thread_ended(void **state)
{
	const struct tree *t = *state;
	static struct threaded threaded = { .path = "/dev/full" };
	int ready[2];
	char byte;
	pid_t child;

	put(t, DAX_REGION "/dax0.2", "dev", "1:7");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		pthread_t thread;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		threaded.ready = ready[1];
		(void)usleep(30000); /* the thread starts later than the process, by a few ticks */
		if (pthread_create(&thread, NULL, hold_in_thread, &threaded) != 0)
			_exit(1);
		pthread_exit(NULL);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	{
		_cleanup_(inventory_freep) struct inventory *inv = scan_processes(t);

		assert_non_null(find_holder(inv, child));
		assert_true(find_holder(inv, child)->open);
		assert_described(find_holder(inv, child));
	}
	end_holder(child);
}

static void test_no_walk_without_need(void **state)
{
	const struct tree *t = *state;
	struct inventory *inv = NULL;
	char why[160];

	/* dax0.2 is devdax: then /proc must be there. */
	assert_int_equal(inventory_scan(t->path, "/nonexistent", &inv, why, sizeof(why)), -ENOENT);
	assert_string_equal(why, "/nonexistent: No such file or directory");
	tree_remove(t, DAX_REGION "/dax0.2");
	/* Only system-ram, and a seed that claims nothing: not looked at. */
	assert_int_equal(inventory_scan(t->path, "/nonexistent", &inv, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(inv->n_devices, 2);
	inventory_free(inv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_holder_by_number),
		TEST(test_holder_whose_main_thread_ended),
		TEST(test_no_walk_without_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
