/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Escaping for log lines, terminals and D-Bus. A name or message that came from outside must not
 * be able to start a new line, move a terminal's cursor, or make the bus cut the connection because
 * of invalid UTF-8.
 */
#include "escape.h"

#define ESCAPE_MAX 4 /* bytes one input character becomes at most: \xNN, or 4 of UTF-8 */

/*
 * Length of the valid UTF-8 sequence of a printable character at @s, or 0: overlong forms,
 * surrogates, values beyond U+10FFFF and the C1 control characters are not printable.
 */
static size_t printable_length(const unsigned char *s)
{
	uint32_t c;
	size_t n;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		n = 2;
		c = s[0] & 0x1f;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		n = 3;
		c = s[0] & 0x0f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		c = s[0] & 0x07;
	} else {
		return 0;
	}
	/* The terminator is no continuation byte: this never reads behind it. */
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < 0xa0 || (n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	/* Line and paragraph separators, and what reorders text on a terminal. */
	if (c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

char *escape_text(const char *s, char *buf, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)s;
	size_t used = 0, cut = 0;

	if (size == 0)
		return buf;
	while (*p) {
		char out[ESCAPE_MAX];
		size_t n = printable_length(p), taken = n ? n : 1;

		if (n) {
			memcpy(out, p, n);
		} else {
			out[0] = '\\';
			out[1] = 'x';
			out[2] = digits[*p >> 4];
			out[3] = digits[*p & 0xf];
			n = 4;
		}
		if (used + n + 1 > size) {
			if (size >= 4) {
				memcpy(buf + cut, "...", 3);
				used = cut + 3;
			}
			break;
		}
		memcpy(buf + used, out, n);
		used += n;
		p += taken;
		/* The last place where the mark still fits behind whole characters. */
		if (used + 4 <= size)
			cut = used;
	}
	buf[used] = '\0';
	return buf;
}
