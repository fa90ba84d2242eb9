/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attribute readers: exact sizes, numbers at their limits, names, errors. */
#include <stddef.h>
#include <stdint.h>

#include "tree.h"

#include "util/sysfs.h"

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

static void test_read(void **state)
{
	const struct tree *t = *state;
	char buf[8];

	tree_write_bytes(t, "a", "online\n", 7);
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), 6);
	assert_string_equal(buf, "online");
	tree_write_bytes(t, "a", "1234567", 7); /* as much as fits */
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), 7);
	assert_string_equal(buf, "1234567");
	tree_write_bytes(t, "a", "12345678", 8);
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), -EMSGSIZE);
	tree_write_bytes(t, "a", "", 0);
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	tree_write_bytes(t, "a", " \n", 2);
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), 0);
	tree_write_bytes(t, "a", " a b\t\n", 6);
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), 4);
	assert_string_equal(buf, " a b");
	tree_write_bytes(t, "a", "on\0line", 7);
	assert_int_equal(sysfs_read(t->fd, "a", buf, sizeof(buf)), -EBADMSG);
	assert_int_equal(sysfs_read(t->fd, "a", buf, 0), -EMSGSIZE);
	assert_int_equal(sysfs_read(t->fd, "none", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(sysfs_read(t->fd, "a/b", buf, sizeof(buf)), -ENOTDIR);
	assert_int_equal(sysfs_read(t->fd, ".", buf, sizeof(buf)), -EISDIR);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int base, error;
		uint64_t value;
	} cases[] = {
		{ "0", 10, 0, 0 },
		{ "402653184", 10, 0, 402653184 },
		{ "0xa90000000", 10, 0, UINT64_C(0xa90000000) },
		{ "0XFf", 10, 0, 0xff },
		{ "0x0000000100000000", 10, 0, UINT64_C(0x100000000) },
		{ "010", 10, 0, 10 }, /* never octal */
		{ "8000000", 16, 0, 0x8000000 },
		{ "0x8000000", 16, 0, 0x8000000 },
		{ "18446744073709551615", 10, 0, UINT64_MAX },
		{ "18446744073709551616", 10, -ERANGE, 0 },
		{ "99999999999999999999", 10, -ERANGE, 0 },
		{ "0xffffffffffffffff", 10, 0, UINT64_MAX },
		{ "0x10000000000000000", 10, -ERANGE, 0 },
		{ "", 10, -EBADMSG, 0 },
		{ "0x", 10, -EBADMSG, 0 },
		{ "x10", 10, -EBADMSG, 0 },
		{ "-1", 10, -EBADMSG, 0 },
		{ "+1", 10, -EBADMSG, 0 },
		{ " 1", 10, -EBADMSG, 0 },
		{ "1 2", 10, -EBADMSG, 0 },
		{ "12a", 10, -EBADMSG, 0 },
		{ "0xg", 16, -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 4711;
		int r = sysfs_parse_u64(cases[i].text, cases[i].base, &value);

		if (r != cases[i].error || value != (r == 0 ? cases[i].value : 4711))
			fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)value);
	}
}

static void test_read_numbers(void **state)
{
	static const struct {
		const char *text;
		int error;
		int32_t value;
	} cases[] = {
		{ "-1", 0, -1 },
		{ "2147483647", 0, INT32_MAX },
		{ "2147483648", -ERANGE, 0 },
		{ "-2147483648", -ERANGE, 0 },
		{ "--1", -EBADMSG, 0 },
		{ "-", -EBADMSG, 0 },
		{ "", -EBADMSG, 0 },
		{ "00000000000000000000000000000000000001", -EBADMSG, 0 }, /* longer than any */
	};
	const struct tree *t = *state;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int32_t number = 0;
		int r;

		tree_write(t, "n", cases[i].text);
		r = sysfs_read_i32(t->fd, "n", &number);
		if (r != cases[i].error || number != cases[i].value)
			fail_msg("\"%s\": %d, %d", cases[i].text, r, number);
	}
	tree_write(t, "n", "8000000");
	assert_int_equal(sysfs_read_u64(t->fd, "n", 16, &value), 0);
	assert_int_equal(value, 0x8000000);
	tree_write(t, "n", "00000000000000000000000000000000000001");
	assert_int_equal(sysfs_read_u64(t->fd, "n", 10, &value), -EBADMSG);
	assert_int_equal(sysfs_read_u64(t->fd, "none", 10, &value), -ENOENT);
	assert_int_equal(sysfs_read_i32(t->fd, "none", &(int32_t){ 0 }), -ENOENT);
}

static void test_link(void **state)
{
	const struct tree *t = *state;
	char buf[8];

	tree_link(t, "driver", "../../../bus/dax/drivers/kmem");
	assert_int_equal(sysfs_read_link(t->fd, "driver", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "kmem");
	tree_link(t, "plain", "kmem");
	assert_int_equal(sysfs_read_link(t->fd, "plain", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "kmem");
	tree_link(t, "long", "drivers/device_dax");
	assert_int_equal(sysfs_read_link(t->fd, "long", buf, sizeof(buf)), -ENAMETOOLONG);
	tree_link(t, "slash", "drivers/");
	assert_int_equal(sysfs_read_link(t->fd, "slash", buf, sizeof(buf)), -EBADMSG);
	assert_int_equal(sysfs_read_link(t->fd, "none", buf, sizeof(buf)), -ENOENT);
	tree_write(t, "file", "");
	assert_int_equal(sysfs_read_link(t->fd, "file", buf, sizeof(buf)), -EINVAL);
}

static void test_name_number(void **state)
{
	static const struct {
		const char *name, *prefix;
		bool ok;
		uint64_t number;
	} cases[] = {
		{ "memory338", "memory", true, 338 },
		{ "memory0", "memory", true, 0 },
		{ "dax0.10", "dax0.", true, 10 },
		{ "12", "", true, 12 },
		{ "memory18446744073709551615", "memory", true, UINT64_MAX },
		{ "memory18446744073709551616", "memory", false, 0 },
		{ "memory", "memory", false, 0 },
		{ "memory01", "memory", false, 0 },
		{ "memory0x1", "memory", false, 0 },
		{ "memory1a", "memory", false, 0 },
		{ "memory-1", "memory", false, 0 },
		{ "memory 1", "memory", false, 0 },
		{ "memtier4", "memory", false, 0 },
		{ "", "", false, 0 },
		{ "..", "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t number = 0;
		bool ok = name_number(cases[i].name, cases[i].prefix, &number);

		if (ok != cases[i].ok || (ok && number != cases[i].number))
			fail_msg("\"%s\": %d, %llu", cases[i].name, ok, (unsigned long long)number);
	}
}

static void test_list(void **state)
{
	const struct tree *t = *state;
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = -EBADF;
	const char *name;
	unsigned found = 0;
	int r;

	tree_write(t, "d/one", "1");
	tree_write(t, "d/two", "2");
	assert_int_equal(sysfs_open_list(t->fd, "d", &dir), 0);
	while ((r = sysfs_next(dir, &name)) > 0)
		found += streq(name, "one") ? 1 : streq(name, "two") ? 10 : 0;
	assert_int_equal(r, 0);
	assert_int_equal(found, 11);
	assert_int_equal(sysfs_next(dir, &name), 0);

	fd = sysfs_open_dir(t->fd, "d");
	assert_true(fd >= 0);
	assert_int_equal(sysfs_open_dir(t->fd, "d/one"), -ENOTDIR);
	assert_int_equal(sysfs_open_dir(t->fd, "none"), -ENOENT);
	{
		DIR *none = NULL;

		assert_int_equal(sysfs_open_list(t->fd, "none", &none), -ENOENT);
		assert_null(none);
	}
}

static void test_gone(void **state)
{
	(void)state;
	assert_true(errno_is_gone(-ENOENT));
	assert_true(errno_is_gone(-ENODEV));
	assert_true(errno_is_gone(ENXIO));
	assert_false(errno_is_gone(0));
	assert_false(errno_is_gone(-EIO));
	assert_false(errno_is_gone(-EACCES));
	assert_false(errno_is_gone(-EINTR));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read), TEST(test_numbers),	 TEST(test_read_numbers), TEST(test_link),
		TEST(test_list), TEST(test_name_number), TEST(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
