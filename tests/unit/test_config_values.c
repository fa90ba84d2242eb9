/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values with units, as they stand in a configuration file: from text to number and back. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/parse_value.h"

enum parser { COUNT, SIZE, TIME, WAIT, PERMYRIAD, SERIAL };

static int parse_value(enum parser parser, const char *text, uint64_t *ret)
{
	unsigned permyriad = 0;
	int r;

	switch (parser) {
	case COUNT:
		return parse_count(text, ret);
	case SIZE:
		return parse_size(text, ret);
	case TIME:
		return parse_time(text, ret);
	case WAIT:
		return parse_wait(text, ret);
	case SERIAL:
		return parse_serial(text, ret);
	case PERMYRIAD:
		r = parse_permyriad(text, &permyriad);
		if (r == 0)
			*ret = permyriad;
		return r;
	}
	return -ENOSYS;
}

static void test_values(_unused_ void **state)
{
	static const struct {
		enum parser parser;
		const char *text;
		int r;
		uint64_t value;
	} cases[] = {
		{ COUNT, "0", 0, 0 },
		{ COUNT, "007", 0, 7 },
		{ COUNT, "18446744073709551615", 0, UINT64_MAX },
		{ COUNT, "18446744073709551616", -ERANGE, 0 },
		{ COUNT, "99999999999999999999", -ERANGE, 0 },
		{ COUNT, "", -EINVAL, 0 },
		{ COUNT, "-1", -EINVAL, 0 },
		{ COUNT, "+1", -EINVAL, 0 },
		{ COUNT, " 1", -EINVAL, 0 },
		{ COUNT, "1 ", -EINVAL, 0 },
		{ COUNT, "0x10", -EINVAL, 0 },
		{ COUNT, "1.0", -EINVAL, 0 },
		{ COUNT, "3K", -EINVAL, 0 },
		{ SIZE, "0", 0, 0 },
		{ SIZE, "4096", 0, 4096 },
		{ SIZE, "1K", 0, 1024 },
		{ SIZE, "3M", 0, 3 * MiB },
		{ SIZE, "2G", 0, 2 * GiB },
		{ SIZE, "1T", 0, 1024 * GiB },
		{ SIZE, "16777215T", 0, UINT64_C(16777215) << 40 },
		{ SIZE, "16777216T", -ERANGE, 0 },
		{ SIZE, "1k", -EINVAL, 0 },
		{ SIZE, "1KB", -EINVAL, 0 },
		{ SIZE, "1KiB", -EINVAL, 0 },
		{ SIZE, "1P", -EINVAL, 0 },
		{ SIZE, "1 K", -EINVAL, 0 },
		{ SIZE, "1.5G", -EINVAL, 0 },
		{ SIZE, "K", -EINVAL, 0 },
		{ SIZE, "", -EINVAL, 0 },
		{ TIME, "0", 0, 0 },
		{ TIME, "1us", 0, 1 },
		{ TIME, "200ms", 0, 200000 },
		{ TIME, "30s", 0, 30 * USEC_PER_SEC },
		{ TIME, "15min", 0, 900 * USEC_PER_SEC },
		{ TIME, "2h", 0, 7200 * USEC_PER_SEC },
		{ TIME, "0s", 0, 0 },
		{ TIME, "5", -EINVAL, 0 },
		{ TIME, "00", -EINVAL, 0 },
		{ TIME, "5m", -EINVAL, 0 },
		{ TIME, "5sec", -EINVAL, 0 },
		{ TIME, "1min30s", -EINVAL, 0 },
		{ TIME, "1.5s", -EINVAL, 0 },
		{ TIME, "-5s", -EINVAL, 0 },
		{ TIME, "s", -EINVAL, 0 },
		{ TIME, "infinity", -EINVAL, 0 },
		{ TIME, "6000000000h", -ERANGE, 0 },
		{ WAIT, "0", 0, 0 },
		{ WAIT, "90s", 0, 90 * USEC_PER_SEC },
		{ WAIT, "infinity", 0, USEC_INFINITY },
		{ WAIT, "infinit", -EINVAL, 0 },
		{ WAIT, "infinitys", -EINVAL, 0 },
		{ WAIT, "Infinity", -EINVAL, 0 },
		{ WAIT, "never", -EINVAL, 0 },
		{ WAIT, "5", -EINVAL, 0 },
		{ SERIAL, "0", 0, 0 },
		{ SERIAL, "123456", 0, 123456 },
		{ SERIAL, "0x0", 0, 0 },
		{ SERIAL, "0x1aBcDeF", 0, 0x1abcdef },
		{ SERIAL, "0xffffffffffffffff", 0, UINT64_MAX },
		{ SERIAL, "0x10000000000000000", -ERANGE, 0 },
		{ SERIAL, "18446744073709551616", -ERANGE, 0 },
		{ SERIAL, "0x", -EINVAL, 0 },
		{ SERIAL, "0X1", -EINVAL, 0 },
		{ SERIAL, "0x1g", -EINVAL, 0 },
		{ SERIAL, "1a", -EINVAL, 0 },
		{ SERIAL, "-1", -EINVAL, 0 },
		{ SERIAL, "", -EINVAL, 0 },
		{ PERMYRIAD, "5%", 0, 500 },
		{ PERMYRIAD, "2.5%", 0, 250 },
		{ PERMYRIAD, "0.25%", 0, 25 },
		{ PERMYRIAD, "0.05%", 0, 5 },
		{ PERMYRIAD, "100%", 0, 10000 },
		{ PERMYRIAD, "0%", 0, 0 },
		{ PERMYRIAD, "5", -EINVAL, 0 },
		{ PERMYRIAD, "%", -EINVAL, 0 },
		{ PERMYRIAD, ".5%", -EINVAL, 0 },
		{ PERMYRIAD, "5.%", -EINVAL, 0 },
		{ PERMYRIAD, "0.125%", -EINVAL, 0 },
		{ PERMYRIAD, "5 %", -EINVAL, 0 },
		{ PERMYRIAD, "5%%", -EINVAL, 0 },
		{ PERMYRIAD, "99999999999%", -ERANGE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 12345;
		int r = parse_value(cases[i].parser, cases[i].text, &value);

		if (r != cases[i].r || value != (r == 0 ? cases[i].value : 12345))
			fail_msg("\"%s\": %d, %" PRIu64, cases[i].text, r, value);
	}
}

static void test_value_texts(_unused_ void **state)
{
	static const uint64_t values[] = {
		0,	  1,	    999,	1000,	    1023,    1024,	     1025,
		60000000, 90000000, 3600000000, 1536 * MiB, 2 * GiB, UINT64_MAX - 1, UINT64_MAX,
	};
	static const struct {
		uint64_t bytes;
		const char *text;
	} rounded[] = {
		{ 0, "0" },
		{ 1023, "1023" },
		{ 1024, "1K" },
		{ 1535, "1.4K" },
		{ 1536 * MiB, "1.5G" },
		{ 2 * GiB - 1, "1.9G" },
		{ 3 * GiB, "3G" },
		{ UINT64_MAX, "16777215.9T" },
	};
	char buf[VALUE_STRLEN];
	uint64_t back;
	unsigned permyriad;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_int_equal(parse_size(format_size(values[i], buf), &back), 0);
		assert_true(back == values[i]);
		assert_int_equal(parse_time(format_time(values[i], buf), &back), 0);
		assert_true(back == values[i]);
		assert_int_equal(parse_wait(format_wait(values[i], buf), &back), 0);
		assert_true(back == values[i]);
	}
	for (unsigned i = 0; i <= 10000; i++) {
		assert_int_equal(parse_permyriad(format_permyriad(i, buf), &permyriad), 0);
		assert_int_equal(permyriad, i);
	}
	assert_string_equal(format_size(1536 * MiB, buf), "1536M");
	assert_string_equal(format_time(90 * USEC_PER_SEC, buf), "90s");
	assert_string_equal(format_time(15 * USEC_PER_MIN, buf), "15min");
	assert_string_equal(format_wait(15 * USEC_PER_MIN, buf), "15min");
	assert_string_equal(format_wait(USEC_INFINITY, buf), "infinity");
	for (size_t i = 0; i < ARRAY_SIZE(rounded); i++)
		assert_string_equal(format_size_short(rounded[i].bytes, buf), rounded[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_value_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
