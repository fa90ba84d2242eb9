/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is made of a process' stat, comm and cgroup, whatever is in them. */
#include "tree.h"

#include "util/process.h"

/* Fields 3 to 21 of stat; the start is the next one. */
#define BEFORE "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"

static int setup(void **state)
{
	static struct tree tree;

	tree_init(&tree);
	*state = &tree;
	return 0;
}

static int teardown(void **state)
{
	tree_done(*state);
	return 0;
}

static void test_start(void **state)
{
	static const struct {
		const char *stat;
		int error;
		uint64_t start;
	} cases[] = {
		{ "7 (cat) " BEFORE " 4711 19 20", 0, 4711 },
		{ "7 (a b) c) " BEFORE " 18446744073709551615 19", 0, UINT64_MAX },
		{ "7 () " BEFORE " 0", 0, 0 },
		{ "7 (\n) 1) " BEFORE " 5 6", 0, 5 },
		{ "7 (cat) " BEFORE, -EBADMSG, 0 },
		{ "7 (cat) " BEFORE " -1 19", -EBADMSG, 0 },
		{ "7 (cat) " BEFORE " 18446744073709551616 19", -ERANGE, 0 },
		{ "7 cat " BEFORE " 4711 19", -EBADMSG, 0 },
		{ "7 (cat)", -EBADMSG, 0 },
		{ "", -EBADMSG, 0 },
	};
	const struct tree *t = *state;
	uint64_t start = 77;

	assert_int_equal(process_start(t->fd, &start), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tree_write(t, "stat", cases[i].stat);
		assert_int_equal(process_start(t->fd, &start), cases[i].error);
		if (cases[i].error == 0)
			assert_int_equal(start, cases[i].start);
	}
}

static void test_units(void **state)
{
	static const struct {
		const char *path, *unit;
	} cases[] = {
		{ "/system.slice/cron.service", "cron.service" },
		{ "/system.slice/cron.service/", "cron.service" },
		{ "/system.slice/docker.service/payload", "docker.service" },
		{ "/user.slice/user-0.slice/session-3.scope", "session-3.scope" },
		{ "/user.slice/user-1.slice/user@1.service/app.slice/x.service", "user@1.service" },
		{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service" },
		{ "/init.scope", "init.scope" },
		{ "/system.slice/_cpu.service", "cpu.service" },
		{ "/../../system.slice/cron.service", "" },
		{ "/system.slice", "" },
		{ "/user.slice/user-0.slice/", "" },
		{ "/docker/0123456789abcdef", "" },
		{ "/docker/cron.service", "" },
		{ "/.service", "" },
		{ "/service", "" },
		{ "/cron.servicex", "" },
		{ "/", "" },
		{ "", "" },
	};
	char unit[HOLDER_UNIT_MAX], path[NAME_MAX + 32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cgroup_unit(cases[i].path, unit);
		if (!streq(unit, cases[i].unit))
			fail_msg("%s: \"%s\"", cases[i].path, unit);
	}
	/* The longest that fits, and one that does not: not cut to the name of another. */
	(void)snprintf(path, sizeof(path), "/%0*d.service", HOLDER_UNIT_MAX - 9, 0);
	cgroup_unit(path, unit);
	assert_string_equal(unit, path + 1);
	(void)snprintf(path, sizeof(path), "/%0*d.service", HOLDER_UNIT_MAX - 8, 0);
	cgroup_unit(path, unit);
	assert_string_equal(unit, "");
	(void)snprintf(path, sizeof(path), "/%0*d.service", NAME_MAX + 1, 0);
	cgroup_unit(path, unit);
	assert_string_equal(unit, "");
}

static void test_describe(void **state)
{
	const struct tree *t = *state;
	struct holder holder = { .pid = 7, .open = true };
	char line[2 * HOLDER_PATH_MAX];

	tree_write(t, "stat", "7 (cat) " BEFORE " 4711 19 20\n");
	tree_write(t, "comm", "fifteen letters\n");
	tree_write(t, "cgroup",
		   "12:cpuset:/a.service\n1:name=systemd:/b.service\n"
		   "0::/system.slice/c.service\n");
	process_describe(t->fd, &holder);
	assert_int_equal(holder.start, 4711);
	assert_string_equal(holder.comm, "fifteen letters");
	assert_string_equal(holder.cgroup, "/system.slice/c.service");
	assert_string_equal(holder.unit, "c.service");
	assert_int_equal(holder.pid, 7);
	assert_true(holder.open);

	/* Longer than any process': of a worker of the kernel. */
	tree_write(t, "comm", "kworker/0:1-mm_percpu_wq\n");
	/* The unit is the whole path's, though that is cut. */
	(void)snprintf(line, sizeof(line), "0::/%0*d.slice/d.service\n", HOLDER_PATH_MAX, 0);
	tree_write(t, "cgroup", line);
	process_describe(t->fd, &holder);
	assert_string_equal(holder.comm, "kworker/0:1-mm_");
	assert_int_equal(strlen(holder.cgroup), HOLDER_PATH_MAX - 1);
	assert_string_equal(holder.unit, "d.service");

	tree_write(t, "cgroup", "12:cpuset:/a.service\n1:name=systemd:/b.service\n");
	process_describe(t->fd, &holder);
	assert_string_equal(holder.cgroup, "");
	assert_string_equal(holder.unit, "");

	/* It has ended: nothing is left of what was there before. */
	(void)str_copy(holder.unit, sizeof(holder.unit), "old.service");
	tree_remove(t, "stat");
	tree_remove(t, "comm");
	tree_remove(t, "cgroup");
	process_describe(t->fd, &holder);
	assert_int_equal(holder.start, 0);
	assert_string_equal(holder.comm, "");
	assert_string_equal(holder.cgroup, "");
	assert_string_equal(holder.unit, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start, setup, teardown),
		cmocka_unit_test(test_units),
		cmocka_unit_test_setup_teardown(test_describe, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
