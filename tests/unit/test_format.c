/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and durations as people read them, at the edges of each unit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/format.h"

static const struct {
	uint64_t bytes;
	const char *text;
} sizes[] = {
	{ 0, "0B" },
	{ 1, "1B" },
	{ 1023, "1023B" },
	{ 1024, "1K" },
	{ 1024 + 102, "1K" },
	{ 1024 + 103, "1.1K" },
	{ MiB - 1, "1023.9K" },
	{ MiB, "1M" },
	{ 128 * MiB, "128M" },
	{ 1152 * MiB, "1.1G" },
	{ 1536 * MiB, "1.5G" },
	{ GiB * 1024, "1T" },
	{ UINT64_C(1) << 50, "1P" },
	{ UINT64_C(1) << 60, "1E" },
	{ UINT64_MAX, "15.9E" },
};

static const struct {
	usec_t duration;
	const char *text;
} durations[] = {
	{ 0, "0s" },
	{ USEC_PER_SEC - 1, "0s" },
	{ 59 * USEC_PER_SEC, "59s" },
	{ 60 * USEC_PER_SEC, "1min 0s" },
	{ 725 * USEC_PER_SEC, "12min 5s" },
	{ 3599 * USEC_PER_SEC, "59min 59s" },
	{ 3600 * USEC_PER_SEC, "1h 0min" },
	{ 86399 * USEC_PER_SEC, "23h 59min" },
	{ 86400 * USEC_PER_SEC, "1d 0h" },
	{ 4 * 86400 * USEC_PER_SEC + 3 * USEC_PER_HOUR, "4d 3h" },
	{ UINT64_MAX, "213503982d 8h" },
};

static void test_bytes(void **state)
{
	char buf[FORMAT_BYTES_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_string_equal(format_bytes(sizes[i].bytes, buf), sizes[i].text);
}

static void test_durations(void **state)
{
	char buf[FORMAT_DURATION_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
		assert_string_equal(format_duration(durations[i].duration, buf), durations[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
