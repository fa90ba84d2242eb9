/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that came from outside, before it reaches a log, a terminal or the bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/escape.h"

static const struct {
	const char *in, *out;
} texts[] = {
	{ "", "" },
	{ "dax0.1", "dax0.1" },
	{ "a b\\c \"d\"", "a b\\c \"d\"" },
	{ "a\nb\tc\r", "a\\x0ab\\x09c\\x0d" },
	{ "\x1b[2J", "\\x1b[2J" },
	{ "\x7f", "\\x7f" },
	{ "Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f" },
	{ "\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xc2\x85", "\\xc2\\x85" },			/* a C1 control character */
	{ "\xff", "\\xff" },				/* never in UTF-8 */
	{ "\x80", "\\x80" },				/* a continuation of nothing */
	{ "\xc3", "\\xc3" },				/* cut off */
	{ "\xe2\x82", "\\xe2\\x82" },			/* cut off */
	{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },		/* cut off */
	{ "\xc0\xaf", "\\xc0\\xaf" },			/* overlong */
	{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },		/* overlong */
	{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" }, /* overlong */
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* a surrogate */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
	{ "a\xe2\x80\xae"
	  "b",
	  "a\\xe2\\x80\\xae"
	  "b" }, /* right-to-left override */
	{ "a\xe2\x80\xa8"
	  "b",
	  "a\\xe2\\x80\\xa8"
	  "b" }, /* line separator */
};

static void test_texts(void **state)
{
	char buf[128], again[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_ptr_equal(escape_text(texts[i].in, buf, sizeof(buf)), buf);
		assert_string_equal(buf, texts[i].out);
		assert_string_equal(escape_text(buf, again, sizeof(again)), buf);
	}
}

/* Every size: never written beyond, always terminated, never half a character. */
static void test_cut(void **state)
{
	static const char in[] = "ab\xc3\xbc\ncd\xe2\x82\xac\x01"
				 "e";
	char whole[64];

	(void)state;
	escape_text(in, whole, sizeof(whole));
	for (size_t size = 4; size <= strlen(whole) + 2; size++) {
		char buf[64];
		size_t n;

		memset(buf, '#', sizeof(buf));
		escape_text(in, buf, size);
		n = strlen(buf);
		assert_true(n < size);
		assert_int_equal(buf[size], '#');
		if (size > strlen(whole)) {
			assert_string_equal(buf, whole);
			continue;
		}
		assert_true(n >= 3);
		assert_string_equal(buf + n - 3, "...");
		assert_memory_equal(buf, whole, n - 3);
		/* What is kept ends between characters and between escapes. */
		assert_true((whole[n - 3] & 0xc0) != 0x80);
		assert_true(n < 4 || buf[n - 4] != '\\');
	}
	assert_string_equal(escape_text("abc", whole, 4), "abc");
	assert_string_equal(escape_text("abcd", whole, 4), "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
