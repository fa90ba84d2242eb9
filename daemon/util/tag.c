/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text form of tags. Stricter than the kernel, which accepts characters behind the UUID. */
#include <dcdd/tag.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_dash_position(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int tag_parse(const char *s, struct tag *ret)
{
	struct tag tag;
	size_t byte = 0;

	if (strnlen(s, TAG_STRLEN + 1) != TAG_STRLEN)
		return -EINVAL;

	for (size_t i = 0; i < TAG_STRLEN;) {
		int hi, lo;

		if (is_dash_position(i)) {
			if (s[i] != '-')
				return -EINVAL;
			i++;
			continue;
		}
		hi = hex_digit(s[i]);
		lo = hex_digit(s[i + 1]);
		if (hi < 0 || lo < 0)
			return -EINVAL;
		tag.bytes[byte++] = (uint8_t)(hi << 4 | lo);
		i += 2;
	}
	*ret = tag;
	return 0;
}

char *tag_format(const struct tag *tag, char buf[static TAG_STRLEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	char *p = buf;

	for (size_t byte = 0; byte < sizeof(tag->bytes); byte++) {
		if (is_dash_position((size_t)(p - buf)))
			*p++ = '-';
		*p++ = digits[tag->bytes[byte] >> 4];
		*p++ = digits[tag->bytes[byte] & 0xf];
	}
	*p = '\0';
	return buf;
}

bool tag_is_null(const struct tag *tag)
{
	static const struct tag null_tag;

	return tag_equal(tag, &null_tag);
}

bool tag_equal(const struct tag *a, const struct tag *b)
{
	return tag_compare(a, b) == 0;
}

int tag_compare(const struct tag *a, const struct tag *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
